//! A device's runs, steps and lifetimes as plain values: what pictures and columnar outputs take.
//!
//! A report keeps incidents of all devices, but chronicles only where an output asks for them
//! ([`Kept`]): they grow with everything that happened on a device.

use std::borrow::Cow;

use provtrace_parsers::code::{CodeClass, CodeTable};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;
use serde::{Deserialize, Serialize};

use crate::changes::ChangeKnown;
use crate::citation::quote;
use crate::clock::{Clock, date_and_time, minutes};
use crate::contract::{Code, Evidence};
use crate::correlate::{Findings, Proof};
use crate::ending::RunState;
use crate::inventory::{self, LogsRead};
use crate::lifetime::{EntryRef, Known, LaunchedBy, Lifetime, Program};
use crate::run::{Run, Step};
use crate::sequence::records;
use crate::story::{Kept, Story};

/// How long before its first step a run's agent install may lie, in minutes.
const INSTALL_BEFORE: f64 = 120.0;
/// How long after its last step a run's picture goes on at the most, in milliseconds.
const GOES_ON: i64 = 30 * 60_000;

/// A moment on a device's axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since 1970: UTC, or local where the device's zone is not known.
    pub millis: i64,
    /// The same on the device's own clock.
    pub local: i64,
    /// RFC 3339, as everywhere in the report.
    pub shown: String,
}

impl Moment {
    /// Date and time on the device's own clock, as its logs show them.
    pub fn date_and_time(&self) -> String {
        date_and_time(Stamp(self.local))
    }

    /// Time of day on the device's own clock.
    pub fn time(&self) -> String {
        let shown = self.date_and_time();
        shown.split_once(' ').map_or(String::new(), |(_, time)| time.to_owned())
    }
}

/// One device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chronicle {
    /// Its name.
    pub device: String,
    /// The zone of its clock, where it is known.
    pub zone: Option<String>,
    /// In order of time.
    pub runs: Vec<RunSpan>,
    /// In order of start.
    pub steps: Vec<StepSpan>,
    /// In order of start. Of a launch without a trace, start and end are the launch.
    pub lifetimes: Vec<LifetimeSpan>,
    /// In order of time.
    pub landmarks: Vec<Landmark>,
    /// What was read of the device, by kind of log.
    pub logs: Vec<LogsRead>,
}

/// A provisioning run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunSpan {
    /// From 1.
    pub number: u32,
    /// `None` where nothing names the template.
    pub template: Option<String>,
    /// How it ended.
    pub state: RunState,
    /// The agent install before its first step, or that step.
    pub from: Moment,
    /// The end of its last step, or of what was alive then, up to half an hour later.
    pub until: Moment,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Its code is fine.
    Succeeded,
    /// It was refused since a task was running.
    Refused,
    /// Any other code.
    Failed,
    /// No code is seen.
    Unknown,
}

/// One try of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepSpan {
    /// Its run.
    pub run: u32,
    /// From 1, among the run's steps that start a program; tries of one step share it.
    pub ordinal: u32,
    /// Its name.
    pub name: String,
    /// The task id.
    pub task_id: Option<String>,
    /// When its program was started.
    pub started: Moment,
    /// When it ended, as the step saw it.
    pub ended: Option<Moment>,
    /// How.
    pub outcome: StepOutcome,
    /// What it returned.
    pub exit_code: Option<Code>,
    /// The id of its incident.
    pub incident: Option<String>,
}

/// The life of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LifetimeSpan {
    /// `sdclient.exe`, `vulscan.exe` or `PolicySync.exe`.
    pub program: Cow<'static, str>,
    /// Where a log has it.
    pub pid: Option<u32>,
    /// Its task (sdclient).
    pub task_id: Option<String>,
    /// First known moment.
    pub launched: Moment,
    /// How that is known.
    pub launched_known: Known,
    /// When its work began: after the wait, if it waited; its end, if it never came to work.
    pub active_from: Moment,
    /// Last known moment.
    pub ended: Moment,
    /// How that is known; `burst`: it may have lived longer.
    pub ended_known: Known,
    /// What launched it.
    pub launched_by: LaunchedBy,
    /// It waited for a deployment before it worked.
    pub waited: bool,
    /// Its own log states that it was refused.
    pub refused: bool,
    /// Only its launch is known.
    pub launch_only: bool,
    /// A status sender, which holds nobody.
    pub messenger: bool,
    /// The step that it is: an index into [`Chronicle::steps`].
    pub step: Option<usize>,
    /// The ids of incidents in which it held a step.
    pub held: Vec<String>,
    /// The lines of its start and its end.
    pub evidence: Vec<Evidence>,
}

impl LifetimeSpan {
    /// Whether it lived at some time in a span, in milliseconds. Stamps are whole seconds: a
    /// last line, which is no end, reaches into the next one.
    pub fn lives_in(&self, from: i64, to: i64) -> bool {
        let lasts = if self.ended_known == Known::Burst { 1000 } else { 0 };
        self.launched.millis <= to && from <= self.ended.millis + lasts
    }
}

/// What else happened at a moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Landmark {
    /// When.
    pub at: Moment,
    /// What.
    pub what: Occasion,
    /// A number that belongs to it, see [`Occasion`].
    pub minutes: Option<i64>,
    /// Of a change of the clock: the readings before and after it, as logged.
    pub readings: Option<(String, String)>,
    /// The line that shows it, where one line does.
    pub evidence: Option<Evidence>,
}

/// What happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The agent was installed; the scan will start within so many minutes (the default of 60
    /// where no log shows another delay; no number where the workaround is in force).
    AgentInstalled,
    /// The provisioning agent begins to work, as after each restart.
    SessionBegins,
    /// The clock was set; what was before was moved by so many minutes.
    ClockSet,
    /// Daylight saving ends.
    DaylightSavingEnds,
}

/// What a device's story holds, as far as it is asked for.
pub fn of_device(
    story: &Story,
    codes: &CodeTable,
    ids: &[String],
    kept: Kept,
) -> Option<Chronicle> {
    let spans = run_spans(story);
    let affected = |run: usize| {
        let mut hit = story.findings.incidents.iter().flat_map(|own| &own.steps);
        hit.any(|step| story.timeline.steps[*step].run == run)
    };
    let wanted: Vec<bool> = match kept {
        Kept::Nothing => return None,
        Kept::Affected => (0..spans.len()).map(affected).collect(),
        Kept::Everything => vec![true; spans.len()],
    };
    let inside = |from: Stamp, to: Stamp| {
        let mut spans = spans.iter().zip(&wanted).filter(|(_, wanted)| **wanted);
        kept == Kept::Everything || spans.any(|(span, _)| from <= span.1 && span.0 <= to)
    };
    let drafter = Drafter { story, codes, ids };
    let mut places = vec![None; story.timeline.steps.len()];
    let mut steps = Vec::new();
    for (at, step) in story.timeline.steps.iter().enumerate().filter(|(_, step)| wanted[step.run]) {
        places[at] = Some(steps.len());
        steps.push(drafter.step(at, step));
    }
    let lifetimes = story.timeline.lifetimes.iter().enumerate();
    let lifetimes = lifetimes.filter(|(_, own)| inside(own.start.at, own.end.at));
    let landmarks = drafter.landmarks().into_iter().filter(|(at, _)| inside(*at, *at));
    let runs = spans.iter().enumerate().filter(|(run, _)| wanted[*run]);
    Some(Chronicle {
        device: story.logs.device.clone(),
        zone: story.clock.zone_name(),
        runs: runs.map(|(run, span)| drafter.run(run, *span)).collect(),
        lifetimes: lifetimes
            .map(|(at, own)| drafter.lifetime(at, own, own.step.and_then(|step| places[step])))
            .collect(),
        steps,
        landmarks: landmarks.map(|(_, landmark)| landmark).collect(),
        logs: inventory::of_device(&story.logs),
    })
}

/// What each run's picture shows: from its agent install to the end of what was alive then.
fn run_spans(story: &Story) -> Vec<(Stamp, Stamp)> {
    let timeline = &story.timeline;
    let span = |(at, run): (usize, &Run)| {
        let first = timeline.steps.partition_point(|step| step.run < at);
        let after = timeline.steps.partition_point(|step| step.run <= at);
        let steps = &timeline.steps[first..after];
        let first = steps.iter().map(|step| step.at).min().unwrap_or(run.from);
        let last = steps.iter().map(|step| step.ended.unwrap_or(step.at)).max().unwrap_or(first);
        let near =
            |install: &&Stamp| **install <= first && minutes(first, **install) < INSTALL_BEFORE;
        let from = timeline.installs.iter().filter(near).min().copied().unwrap_or(first);
        let alive = timeline.lifetimes.iter().filter(|own| own.covers(from, last));
        let until = alive.map(|own| own.end.at).max().unwrap_or(last);
        (from, until.min(Stamp(last.0 + GOES_ON)).max(last))
    };
    timeline.runs.iter().enumerate().map(span).collect()
}

/// What the parts of a chronicle are made of.
struct Drafter<'s> {
    story: &'s Story,
    codes: &'s CodeTable,
    /// The ids of the story's incidents, in their order.
    ids: &'s [String],
}

impl Drafter<'_> {
    fn moment(&self, at: Stamp) -> Moment {
        let clock: &Clock = &self.story.clock;
        Moment { millis: at.0, local: clock.local(at).0, shown: clock.show(at) }
    }

    fn run(&self, at: usize, (from, until): (Stamp, Stamp)) -> RunSpan {
        let run = &self.story.timeline.runs[at];
        RunSpan {
            number: run.number,
            template: run.template.as_ref().map(|(name, _)| name.clone()),
            state: self.story.endings[at].state,
            from: self.moment(from),
            until: self.moment(until),
        }
    }

    fn step(&self, at: usize, step: &Step) -> StepSpan {
        let findings: &Findings = &self.story.findings;
        let incident = findings.incidents.iter().position(|own| own.steps.contains(&at));
        let code = step.codes.first().map(|(code, _)| code);
        let outcome = match code.map(|code| self.codes.meaning(code).class) {
            _ if incident.is_some() => StepOutcome::Refused,
            None => StepOutcome::Unknown,
            Some(CodeClass::Success) => StepOutcome::Succeeded,
            Some(CodeClass::AlreadyRunning) => StepOutcome::Refused,
            Some(CodeClass::InstallerBusy | CodeClass::Failure | CodeClass::Unknown) => {
                StepOutcome::Failed
            }
        };
        StepSpan {
            run: self.story.timeline.runs[step.run].number,
            ordinal: step.ordinal,
            name: step.name.clone(),
            task_id: step.task.clone(),
            started: self.moment(step.at),
            ended: step.ended.map(|ended| self.moment(ended)),
            outcome,
            exit_code: code.map(|code| Code::new(code, self.codes)),
            incident: incident.and_then(|at| self.ids.get(at)).cloned(),
        }
    }

    fn lifetime(&self, at: usize, own: &Lifetime, step: Option<usize>) -> LifetimeSpan {
        // A scan that says that it waits, and never that it works, has not worked.
        let only_waited = own.waits.is_some() && own.active.is_none();
        let incidents = self.story.findings.incidents.iter().zip(self.ids);
        let mut shown_by: Vec<EntryRef> = vec![own.start.entry];
        shown_by.extend((own.end.entry != own.start.entry).then_some(own.end.entry));
        LifetimeSpan {
            program: own.program.name().into(),
            pid: own.pid,
            task_id: own.task.clone(),
            launched: self.moment(own.start.at),
            launched_known: own.start.known,
            active_from: self.moment(if only_waited { own.end.at } else { own.active_from() }),
            ended: self.moment(own.end.at),
            ended_known: own.end.known,
            launched_by: own.launched_by,
            waited: own.program == Program::Vulscan && (own.waited || own.waits.is_some()),
            refused: own.refused.is_some(),
            launch_only: own.is_launch_only(),
            messenger: own.messenger,
            step,
            held: incidents
                .filter(|(incident, _)| incident.blocker == Some(at))
                .map(|(_, id)| id.clone())
                .collect(),
            evidence: shown_by.into_iter().map(|entry| self.line(entry)).collect(),
        }
    }

    fn line(&self, at: EntryRef) -> Evidence {
        let says = self.story.logs.entry(at).event.word();
        quote(&self.story.logs, &Proof { says, entry: at })
    }

    fn landmarks(&self) -> Vec<(Stamp, Landmark)> {
        let story = self.story;
        let mark = |at: Stamp, what, minutes| {
            let at = (at, self.moment(at));
            (at.0, Landmark { at: at.1, what, minutes, readings: None, evidence: None })
        };
        let installs = story.timeline.installs.iter();
        // Where the workaround is in force, no scan will start.
        let armed = story.timeline.workaround != Some(true);
        let delay = armed.then_some(i64::from(story.timeline.delay));
        let mut marks: Vec<(Stamp, Landmark)> = installs
            .map(|at| {
                let (_, landmark) = mark(*at, Occasion::AgentInstalled, delay);
                (*at, Landmark { evidence: self.install(*at), ..landmark })
            })
            .collect();
        for place in records(&story.logs, SourceKind::Provisioning) {
            let entry = story.logs.entry(place);
            if let (Event::SessionBegins { .. }, Some(at)) = (&entry.event, entry.stamp()) {
                let (_, landmark) = mark(at, Occasion::SessionBegins, None);
                marks.push((at, Landmark { evidence: Some(self.line(place)), ..landmark }));
            }
        }
        for change in &story.clock_changes {
            let moved = Some(change.moved.div_euclid(60_000));
            let (at, landmark) = match change.known {
                ChangeKnown::DaylightSaving => mark(change.at, Occasion::DaylightSavingEnds, None),
                ChangeKnown::BackwardStep | ChangeKnown::WindowsPe | ChangeKnown::SharedSilence => {
                    mark(change.at, Occasion::ClockSet, moved)
                }
            };
            let readings = Some((date_and_time(change.before), date_and_time(change.after)));
            marks.push((at, Landmark { readings, ..landmark }));
        }
        marks.sort_by_key(|(at, landmark)| (*at, landmark.what));
        marks
    }

    /// The line that shows an agent install: the end of its action, or what it entered in the
    /// scheduler.
    fn install(&self, at: Stamp) -> Option<Evidence> {
        let kinds = [SourceKind::Provisioning, SourceKind::Localsch];
        let mut places = kinds.into_iter().flat_map(|kind| records(&self.story.logs, kind));
        let place = places.find(|place| self.story.logs.entry(*place).stamp() == Some(at))?;
        Some(self.line(place))
    }
}
