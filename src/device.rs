//! One device: its sources → its report. A pure function, so that devices run in parallel
//! and memory is bounded by the devices in flight.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::CodeTable;
use provtrace_parsers::engine::LineCounts;
use provtrace_parsers::stamp::Stamp;
use sha2::{Digest, Sha256};

use serde::{Deserialize, Serialize};

use crate::changes::ChangeKnown;
use crate::chronicle::{self, Chronicle};
use crate::citation::{quote, to_tenth};
use crate::clock::{self, Clock, Window, minutes};
use crate::contract::{Blocker, ClockChange, Code, Incident, LongWait, Refused, UnfinishedRun};
use crate::correlate::{self, Proof};
use crate::course::Shown;
use crate::coverage::{self, FormatCoverage, Ignored};
use crate::discover::{Device, Skipped};
use crate::ending::RunState;
use crate::lifetime::Lifetime;
use crate::run::{Step, TemplateSource};
use crate::story::{Request, Story, tell};
use crate::suspicion::{self, Ended};
use crate::wait::hangs;

/// What is kept of a device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Its name.
    pub device: String,
    /// Its zone, where it is known.
    pub zone: Option<String>,
    /// Whether the vendor's workaround was in force; `None` where no log shows it.
    pub workaround: Option<bool>,
    /// Sources read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What became of its lines.
    pub counts: LineCounts,
    /// How well each format was understood.
    #[serde(with = "coverage::kept")]
    pub formats: BTreeMap<String, FormatCoverage>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// Its runs that have a step.
    pub runs: Vec<RunReport>,
    /// Runs of which no step is in the window.
    pub runs_outside: u64,
    /// Deployments that were refused, but are no step.
    pub refused_outside_runs: u64,
    /// Its incidents; templates by signature are named later, over all devices.
    pub incidents: Vec<Incident>,
    /// Where its clock was set.
    pub clock_changes: Vec<ClockChange>,
    /// Steps that overlapped a holder.
    pub near_misses: u64,
    /// Steps that waited for a scan, without a refusal.
    pub long_waits: Vec<LongWait>,
    /// Runs that were cut off or hang.
    pub unfinished: Vec<UnfinishedRun>,
    /// Failures with other causes: canonical code and its meaning.
    pub other_failures: Vec<(u32, String)>,
    /// Failures that were expected.
    pub ignored: Ignored,
    /// Its deployments by exit code.
    pub ended: BTreeMap<u32, Ended>,
    /// Its chronicle, where one is asked for; the store keeps it beside the rest.
    #[serde(skip)]
    pub chronicle: Option<Chronicle>,
}

impl DeviceReport {
    /// Its runs before the time that parts two periods, or after it, and nothing else.
    pub fn runs_of(&self, later: bool) -> DeviceReport {
        let runs = self.runs.iter().filter(|run| run.later == later).cloned().collect();
        DeviceReport { device: self.device.clone(), runs, ..DeviceReport::default() }
    }
}

/// What is kept of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReport {
    /// From 1.
    pub number: u32,
    /// When its first step was started, on the device's own clock: what tells it from others.
    pub began: String,
    /// Where mapping or task name tell it.
    pub template: Option<(String, TemplateSource)>,
    /// Its steps, as they stand in the run.
    pub steps: Vec<StepReport>,
    /// How it ended.
    pub state: RunState,
    /// Whether the vendor's workaround was in force on the device; `None` where no log shows it.
    pub workaround: Option<bool>,
    /// Whether its first step began at or after the time that parts two periods.
    pub later: bool,
    /// From its first step after the agent install to its first refused step.
    pub minutes_lost: Option<f64>,
}

/// What is kept of a step; tries of one step are one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub name: String,
    /// From 1.
    pub ordinal: u32,
    /// The task id.
    pub task: Option<String>,
    /// Whether it was refused.
    pub refused: bool,
    /// Whether the logs say how it ended.
    pub has_result: bool,
}

/// Reads a device and keeps what a report needs.
pub fn analyze(device: &Device, request: &Request, progress: &dyn Fn(u64)) -> DeviceReport {
    report(tell(device, request, progress), request)
}

/// Keeps of a device's story what a report needs.
pub fn report(mut story: Story, request: &Request) -> DeviceReport {
    let skipped = std::mem::take(&mut story.logs.skipped);
    let mut warnings = std::mem::take(&mut story.logs.warnings);
    warnings.append(&mut story.timeline.warnings);
    let story = &story;
    let mut counts = LineCounts::default();
    for log in &story.logs.sources {
        counts.add(log.counts);
    }
    let failures = story.findings.other_failures.iter();
    let runs = runs(story, request);
    let with_steps: BTreeSet<usize> = story.timeline.steps.iter().map(|step| step.run).collect();
    let refused =
        story.timeline.lifetimes.iter().filter(|own| {
            own.step.is_none() && correlate::was_refused(own, &request.formats.codes)
        });
    let quote = |proof: &Proof| quote(&story.logs, proof);
    let met = |holder: &Lifetime, step: usize| {
        show_blocker(holder, &story.timeline.steps[step], &story.clock)
    };
    let shown = Shown {
        device: &story.logs.device,
        clock: &story.clock,
        timeline: &story.timeline,
        quote: &quote,
        blocker: &met,
    };
    let unfinished = runs.iter().filter_map(|run| {
        let index = (run.number as usize).checked_sub(1)?;
        shown.unfinished(index, story.endings.get(index)?)
    });
    let incidents = incidents(story, &request.formats.codes);
    let ids: Vec<String> = incidents.iter().map(|incident| incident.id.clone()).collect();
    DeviceReport {
        device: story.logs.device.clone(),
        zone: story.clock.zone_name(),
        workaround: story.timeline.workaround,
        unfinished: unfinished.collect(),
        long_waits: story.long_waits.iter().map(|wait| shown.long_wait(wait)).collect(),
        files: story.logs.sources.len() as u64,
        bytes: story.logs.sources.iter().map(|log| log.bytes).sum(),
        counts,
        formats: coverage::of_device(&story.logs.sources),
        skipped,
        warnings,
        runs_outside: (with_steps.len() - runs.len()) as u64,
        refused_outside_runs: refused.count() as u64,
        runs,
        chronicle: chronicle::of_device(story, &request.formats.codes, &ids, request.kept),
        incidents,
        clock_changes: clock_changes(story),
        near_misses: story.findings.near_misses.len() as u64,
        ignored: story.ignored,
        ended: suspicion::of_device_but_expected(&story.timeline, &request.formats),
        other_failures: failures
            .map(|other| (other.code.value, other.code.meaning.clone()))
            .collect(),
    }
}

fn runs(story: &Story, request: &Request) -> Vec<RunReport> {
    let timeline = &story.timeline;
    let incidents = story.findings.incidents.iter();
    let refused: BTreeSet<usize> =
        incidents.flat_map(|incident| incident.steps.iter().copied()).collect();
    let mut runs = Vec::new();
    for (index, run) in timeline.runs.iter().enumerate() {
        let in_window = |at| story.clock.is_in(at, &request.window);
        let first = timeline.steps.partition_point(|step| step.run < index);
        let after = timeline.steps.partition_point(|step| step.run <= index);
        let own: Vec<usize> =
            (first..after).filter(|at| in_window(timeline.steps[*at].at)).collect();
        let mut reports: Vec<StepReport> = Vec::new();
        for at in &own {
            let step = &timeline.steps[*at];
            let is_refused = refused.contains(at);
            let has_result = is_refused || !step.codes.is_empty();
            match reports.last_mut().filter(|last| last.ordinal == step.ordinal) {
                Some(last) => {
                    last.refused |= is_refused;
                    last.has_result |= has_result;
                }
                None => reports.push(StepReport {
                    name: step.name.clone(),
                    ordinal: step.ordinal,
                    task: step.task.clone(),
                    refused: is_refused,
                    has_result,
                }),
            }
        }
        if reports.is_empty() {
            continue;
        }
        let later = Window { since: request.split, until: None };
        let later = request.split.is_some()
            && timeline.steps.get(first).is_some_and(|step| story.clock.is_in(step.at, &later));
        let first_refused =
            own.iter().find(|at| refused.contains(at)).map(|at| timeline.steps[*at].at);
        let installed =
            first_refused.and_then(|at| timeline.installs.iter().rfind(|install| **install <= at));
        let first = own
            .iter()
            .map(|at| timeline.steps[*at].at)
            .find(|at| installed.is_none_or(|install| at >= install));
        runs.push(RunReport {
            number: run.number,
            began: own.first().map_or_else(String::new, |at| {
                clock::logged(story.clock.local(timeline.steps[*at].at))
            }),
            template: run.template.clone(),
            steps: reports,
            state: story.endings[index].state,
            workaround: timeline.workaround,
            later,
            minutes_lost: first_refused.zip(first).map(|(refused, first)| minutes(refused, first)),
        });
    }
    runs
}

fn incidents(story: &Story, codes: &CodeTable) -> Vec<Incident> {
    let clock = &story.clock;
    let show = |at| clock.show(at);
    let mut incidents = Vec::new();
    for incident in &story.findings.incidents {
        let Some(first) = incident.steps.first() else { continue };
        let step = &story.timeline.steps[*first];
        let own = &story.timeline.lifetimes[step.lifetime];
        let run = &story.timeline.runs[step.run];
        let named = run.template.clone();
        let blocker = incident.blocker.map(|at| &story.timeline.lifetimes[at]);
        incidents.push(Incident {
            id: id(story, incident, step.task.as_deref()),
            device: story.logs.device.clone(),
            run: run.number,
            template_source: named.as_ref().map_or(TemplateSource::None, |(_, source)| *source),
            template: named.map(|(name, _)| name),
            step: step.name.clone(),
            step_ordinal: step.ordinal,
            task_id: step.task.clone(),
            attempts: u32::try_from(incident.steps.len()).unwrap_or(u32::MAX),
            mechanism: incident.mechanism,
            confidence: incident.confidence,
            at: show(incident.at),
            at_logged: clock::logged(logged_at(story, incident)),
            at_millis: incident.at.0,
            minutes_after_agent_install: incident.minutes_after_agent_install.map(to_tenth),
            refused: Refused {
                program: own.program.name().into(),
                pid: own.pid,
                started: show(step.at),
                ended: step.ended.map(show),
                exit_code: incident.code.as_ref().map(|code| Code::new(code, codes)),
            },
            blocker: blocker.map(|blocker| show_blocker(blocker, step, clock)),
            assumed_wording: incident.assumed,
            learned_wording: incident.learned,
            evidence: incident.evidence.iter().map(|proof| quote(&story.logs, proof)).collect(),
        });
    }
    incidents
}

/// Daylight saving moves no instant, so its end is none of these.
fn clock_changes(story: &Story) -> Vec<ClockChange> {
    let changes = story.clock_changes.iter();
    let set = changes.filter(|change| change.known != ChangeKnown::DaylightSaving);
    let told = set.map(|change| ClockChange {
        device: story.logs.device.clone(),
        at: story.clock.show(change.at),
        before: clock::logged(change.before),
        after: clock::logged(change.after),
        moved_seconds: change.moved.div_euclid(1000),
        known: change.known,
    });
    told.collect()
}

fn show_blocker(blocker: &Lifetime, step: &Step, clock: &Clock) -> Blocker {
    Blocker {
        program: blocker.program.name().into(),
        pid: blocker.pid,
        task_id: blocker.task.clone(),
        launched: clock.show(blocker.start.at),
        launched_known: blocker.start.known,
        active_from: clock.show(blocker.active_from()),
        ended: clock.show(blocker.end.at),
        ended_known: blocker.end.known,
        launched_by: blocker.launched_by,
        hung: hangs(blocker, step),
    }
}

/// The start of the refused program as its log prints it.
fn logged_at(story: &Story, incident: &correlate::Incident) -> Stamp {
    let mut proofs = incident.evidence.iter().map(|proof| story.logs.entry(proof.entry));
    let start = proofs.find(|entry| entry.stamp() == Some(incident.at));
    start.and_then(|entry| entry.logged()).unwrap_or_else(|| story.clock.local(incident.at))
}

/// Made of the device and the refusal alone: no path, and no blocker, which later logs may
/// still reveal.
fn id(story: &Story, incident: &correlate::Incident, task: Option<&str>) -> String {
    let mut hash = Sha256::new();
    let device = story.logs.device.rsplit('/').next().unwrap_or_default().to_uppercase();
    let at = logged_at(story, incident).0.to_string();
    for part in [device.as_str(), task.unwrap_or_default(), at.as_str()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
