//! The truth beside the share, as JSON.

use crate::clock::iso;
use crate::options::Options;
use crate::share::{Kept, Layout};
use crate::story::{Act, ActKind, Origin, ProcessId, Program, Run, State, Story, is_success};
use crate::template::Template;
use crate::verdict::{Incident, incidents, launched_by, near_misses, other_failures};
use crate::visible::{dated, looks_orphaned, traces, visible_cause};
use serde::Serialize;
use std::collections::BTreeMap;

/// A moment: true, and as the device's logs print it.
#[derive(Debug, Serialize)]
pub(crate) struct Moment {
    utc: String,
    local: String,
}

/// All that is true of one device.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceTruth {
    index: u64,
    device: String,
    zone: String,
    layout: &'static str,
    missing: Vec<String>,
    clock: Vec<ClockTruth>,
    runs: Vec<RunTruth>,
    incidents: Vec<IncidentTruth>,
    near_misses: usize,
    near_miss_list: Vec<NearMissTruth>,
    /// Code in hex -> failed attempts.
    other_failures: BTreeMap<String, u32>,
    /// Policy tasks and pushes that were refused: no step failed by them.
    refused_policy_tasks: usize,
}

#[derive(Debug, Serialize)]
struct ClockTruth {
    from_utc: Option<String>,
    zone: String,
    error_seconds: i64,
}

#[derive(Debug, Serialize)]
struct RunTruth {
    run: usize,
    template: String,
    workaround: bool,
    state: &'static str,
    started: Moment,
    ended: Option<Moment>,
    agent_installed: Option<Moment>,
    steps: Vec<StepTruth>,
}

#[derive(Debug, Serialize)]
struct StepTruth {
    step: String,
    step_ordinal: usize,
    attempt: u32,
    task_id: Option<u32>,
    program: &'static str,
    pid: u32,
    started: Moment,
    ended: Option<Moment>,
    exit_code: Option<i32>,
    exit_hex: Option<String>,
    result: &'static str,
}

#[derive(Debug, Serialize)]
struct BlockerTruth {
    program: &'static str,
    pid: u32,
    task_id: Option<u32>,
    launched: Moment,
    active_from: Option<Moment>,
    ended: Option<Moment>,
    launched_by: &'static str,
}

/// What the files that were really written still show.
#[derive(Debug, Serialize)]
struct Provable {
    refusal: bool,
    blocker: bool,
    scan_waited: bool,
    /// No message, but signs of life before and after the sdclient that the scan waited for.
    scan_silent: bool,
}

#[derive(Debug, Serialize)]
struct IncidentTruth {
    device: String,
    run: usize,
    template: String,
    step: String,
    step_ordinal: usize,
    attempt: u32,
    task_id: Option<u32>,
    mechanism: &'static str,
    /// What the logs at hand allow to say; null without a refusal in them.
    visible_mechanism: Option<&'static str>,
    /// The same for the blocker's cause; null without a visible blocker.
    visible_launched_by: Option<&'static str>,
    at: Moment,
    ended: Option<Moment>,
    minutes_after_agent_install: Option<f64>,
    exit_hex: Option<String>,
    blocker: Option<BlockerTruth>,
    launched_by: Option<&'static str>,
    /// Others that were in the way at the same moment.
    also_present: usize,
    provable: Provable,
}

#[derive(Debug, Serialize)]
struct NearMissTruth {
    run: usize,
    kind: &'static str,
    program: &'static str,
    pid: u32,
    launched: Moment,
    ended: Option<Moment>,
    launched_by: &'static str,
}

/// Puts a device's story and its files side by side.
pub(crate) fn device(
    story: &Story,
    templates: &[Template],
    layout: &Layout,
    kept: &Kept,
) -> DeviceTruth {
    let book = Book { story, templates, kept };
    DeviceTruth {
        index: story.index,
        device: story.name.clone(),
        zone: story.site.zone.to_string(),
        layout: match layout {
            Layout::Plain => "plain",
            Layout::Nights(_) => "nightly",
            Layout::Bundle(_) => "zip",
        },
        missing: kept.missing.clone(),
        clock: book.clock(),
        runs: story.runs.iter().enumerate().map(|(i, run)| book.run(i, run)).collect(),
        incidents: incidents(story).iter().map(|found| book.incident(found)).collect(),
        near_misses: near_misses(story).len(),
        near_miss_list: book.near(),
        other_failures: other_failures(story)
            .into_iter()
            .map(|(code, count)| (hex(code), count))
            .collect(),
        refused_policy_tasks: story
            .of(Program::Sdclient)
            .filter(|(id, p)| p.refused && !is_step(story, *id))
            .count(),
    }
}

fn is_step(story: &Story, id: ProcessId) -> bool {
    story.processes[id].origin == Origin::Step
}

fn hex(code: u32) -> String {
    format!("0x{code:08X}")
}

struct Book<'a> {
    story: &'a Story,
    templates: &'a [Template],
    kept: &'a Kept,
}

impl Book<'_> {
    fn moment(&self, at: i64) -> Moment {
        Moment { utc: format!("{}Z", iso(at)), local: iso(self.story.clock.local(at)) }
    }

    fn clock(&self) -> Vec<ClockTruth> {
        let known = |from: i64| (from > i64::MIN).then(|| format!("{}Z", iso(from)));
        self.story
            .clock
            .settings
            .iter()
            .map(|setting| ClockTruth {
                from_utc: known(setting.from),
                zone: setting.zone.to_string(),
                error_seconds: setting.error,
            })
            .collect()
    }

    fn run(&self, index: usize, run: &Run) -> RunTruth {
        RunTruth {
            run: index + 1,
            template: self.templates[run.template].name.clone(),
            workaround: run.workaround,
            state: match run.state {
                State::Finished => "finished",
                State::Failed => "failed",
                State::Cut => "cut",
                State::Hung => "hung",
            },
            started: self.moment(run.started),
            ended: run.ended.map(|at| self.moment(at)),
            agent_installed: run.agent_installed.map(|at| self.moment(at)),
            steps: run.acts.iter().filter_map(|act| self.step(act)).collect(),
        }
    }

    fn step(&self, act: &Act) -> Option<StepTruth> {
        let process = &self.story.processes[act.process?];
        let result = match act.exit {
            None => "unknown",
            Some(_) if process.refused => "refused",
            Some(code) if is_success(code) => "success",
            Some(_) => "failed",
        };
        Some(StepTruth {
            step: act.name.clone(),
            step_ordinal: act.ordinal,
            attempt: act.attempt,
            task_id: act.task_id,
            program: if act.kind == ActKind::Patch { "vulscan.exe" } else { "sdclient.exe" },
            pid: process.pid,
            started: self.moment(process.started),
            // The end that the log prints; a process that was killed printed none.
            ended: act.exit.and(process.ended).map(|at| self.moment(at)),
            exit_code: act.exit.map(u32::cast_signed),
            exit_hex: act.exit.map(hex),
            result,
        })
    }

    fn incident(&self, found: &Incident) -> IncidentTruth {
        let run = &self.story.runs[found.run];
        let act = &run.acts[found.act];
        let refused = &self.story.processes[found.refused];
        let provable = self.provable(found, refused.started);
        let blocker = found.blocker.map(|id| &self.story.processes[id]);
        let visible = match (provable.refusal, provable.blocker) {
            (false, _) => None,
            (true, false) => Some("unattributed"),
            (true, true)
                if found.blocker.is_some_and(|id| looks_orphaned(self.story, self.kept, id)) =>
            {
                Some("sdclient_running")
            }
            (true, true) => Some(found.mechanism),
        };
        let minutes = run.agent_installed.map(|installed| {
            let tenths = (refused.started - installed) * 10 / 60;
            tenths as f64 / 10.0
        });
        IncidentTruth {
            device: self.story.name.clone(),
            run: found.run + 1,
            template: self.templates[run.template].name.clone(),
            step: act.name.clone(),
            step_ordinal: act.ordinal,
            attempt: act.attempt,
            task_id: act.task_id,
            mechanism: found.mechanism,
            visible_mechanism: visible,
            visible_launched_by: found
                .blocker
                .filter(|_| provable.refusal && provable.blocker)
                .map(|id| visible_cause(self.story, self.kept, id)),
            at: self.moment(refused.started),
            ended: refused.ended.map(|at| self.moment(at)),
            minutes_after_agent_install: minutes,
            exit_hex: refused.exit.map(hex),
            blocker: blocker.map(|process| BlockerTruth {
                program: process.program.exe(),
                pid: process.pid,
                task_id: process.task_id,
                launched: self.moment(process.started),
                active_from: process.active_from.map(|at| self.moment(at)),
                ended: process.ended.map(|at| self.moment(at)),
                launched_by: launched_by(process),
            }),
            launched_by: blocker.map(launched_by),
            also_present: refused.refused_by.len().saturating_sub(1),
            provable,
        }
    }

    fn provable(&self, found: &Incident, at: i64) -> Provable {
        let refusal = self.traces(found.refused).any(|(_, mark)| mark == 2);
        let Some(id) = found.blocker else {
            return Provable { refusal, blocker: false, scan_waited: false, scan_silent: false };
        };
        let spans = |before: i64, after: i64| {
            self.traces(id).any(|(when, _)| when <= before)
                && self.traces(id).any(|(when, _)| when >= after)
        };
        let process = &self.story.processes[id];
        let scan_waited = self.traces(id).any(|(_, mark)| mark == 1);
        let scan_silent = process.active_from.is_some_and(|from| {
            process.waited_for.is_some() && !scan_waited && spans(from - 1, from)
        });
        let blocker = spans(at, at) || dated(self.kept, id);
        Provable { refusal, blocker, scan_waited, scan_silent }
    }

    fn traces(&self, id: ProcessId) -> impl Iterator<Item = (i64, u8)> {
        traces(self.kept, id)
    }

    fn near(&self) -> Vec<NearMissTruth> {
        near_misses(self.story)
            .iter()
            .map(|near| {
                let process = &self.story.processes[near.process];
                NearMissTruth {
                    run: near.run + 1,
                    kind: near.kind,
                    program: process.program.exe(),
                    pid: process.pid,
                    launched: self.moment(process.started),
                    ended: process.ended.map(|at| self.moment(at)),
                    launched_by: launched_by(process),
                }
            })
            .collect()
    }
}

/// The whole document.
#[derive(Debug, Serialize)]
pub(crate) struct Truth {
    schema: &'static str,
    parameters: BTreeMap<&'static str, String>,
    templates: Vec<TemplateTruth>,
    devices: Vec<DeviceTruth>,
}

#[derive(Debug, Serialize)]
struct TemplateTruth {
    template: String,
    images: bool,
    goes_on: bool,
    steps: Vec<String>,
    task_ids: Vec<u32>,
}

impl Truth {
    /// Puts the devices under what they were made with.
    pub(crate) fn of(options: &Options, templates: &[Template], devices: Vec<DeviceTruth>) -> Self {
        let parameters = BTreeMap::from([
            ("seed", options.seed.to_string()),
            ("first", options.first.to_string()),
            ("devices", options.devices.to_string()),
            ("condition", options.condition.to_owned()),
            ("markers", options.markers.to_string()),
            ("noise", options.noise.to_string()),
            ("max_delay", options.max_delay.to_string()),
            ("refusal_code", hex(options.refusal_code)),
        ]);
        let templates = templates
            .iter()
            .map(|template| TemplateTruth {
                template: template.name.clone(),
                images: template.images,
                goes_on: template.goes_on,
                steps: template.steps().map(|step| step.name.clone()).collect(),
                task_ids: template.steps().map(|step| step.task_id).collect(),
            })
            .collect();
        Self { schema: "provtrace.fleet.truth.v1", parameters, templates, devices }
    }
}
