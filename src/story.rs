//! A device's sources → the story that its logs tell.

use std::path::PathBuf;

use provtrace_parsers::format::Formats;

use crate::axis;
use crate::clock::{Bound, Clock, Window};
use crate::correlate::{self, Findings};
use crate::coverage::Ignored;
use crate::discover::Device;
use crate::ending::{self, Ending};
use crate::expected;
use crate::leap;
use crate::logs::DeviceLogs;
use crate::rereader::read_device;
use crate::tasks::Tasks;
use crate::timeline::{self, Timeline};
use crate::wait::{self, LongWait};
use crate::witness::settle;
use crate::zones::ZoneRule;

/// What an analysis is asked for beyond its paths.
#[derive(Debug)]
pub struct Request {
    /// The formats.
    pub formats: Formats,
    /// The overlays in them, as they are shown.
    pub overlays: Vec<String>,
    /// The mapping of tasks.
    pub tasks: Tasks,
    /// Where the mapping was read.
    pub tasks_from: Option<PathBuf>,
    /// Zones that a person gave.
    pub zones: Vec<ZoneRule>,
    /// Steps outside are left out; processes outside still count as holders.
    pub window: Window,
    /// Of which runs a chronicle is kept.
    pub kept: Kept,
    /// Whether this analysis was told of failures to ignore, beside what overlays say: a share on
    /// which none occurs is worth a word then.
    pub ignores: bool,
    /// What parts earlier runs from later ones, where two periods are compared.
    pub split: Option<Bound>,
}

/// Of which runs a chronicle is kept: what the outputs that are asked for need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// Of none.
    Nothing,
    /// Of those with an incident.
    Affected,
    /// Of all, with what happened outside of runs.
    Everything,
}

/// A device's logs and the story they tell.
#[derive(Debug)]
pub struct Story {
    /// The records.
    pub logs: DeviceLogs,
    /// The device's clock.
    pub clock: Clock,
    /// What it went through.
    pub clock_changes: Vec<axis::ClockChange>,
    /// Lifetimes, steps, runs.
    pub timeline: Timeline,
    /// What follows from them.
    pub findings: Findings,
    /// What was left out of them, since it is expected.
    pub ignored: Ignored,
    /// How each run ended.
    pub endings: Vec<Ending>,
    /// Steps that waited for a scan.
    pub long_waits: Vec<LongWait>,
}

/// Reads a device and tells its story.
pub fn tell(device: &Device, request: &Request, progress: &dyn Fn(u64)) -> Story {
    of_logs(read_device(device, &request.formats, progress), request)
}

/// The story that a device's records tell.
pub fn of_logs(mut logs: DeviceLogs, request: &Request) -> Story {
    let clock = Clock::of_device(&logs, &request.zones);
    let mut clock_changes = axis::straighten(&mut logs, &request.formats, &clock);
    leap::close(&mut logs, &mut clock_changes);
    settle(&mut logs, &clock);
    let timeline = timeline::build(&logs, &request.formats, &request.tasks);
    let mut findings = correlate::correlate(&timeline, &logs, &request.formats.codes);
    let codes = &request.formats.codes;
    let endings = ending::endings(&timeline, &logs, &findings, codes);
    let mut long_waits = wait::long_waits(&timeline, &logs, &findings, codes);
    let inside = |step: usize| clock.is_in(timeline.steps[step].at, &request.window);
    for incident in &mut findings.incidents {
        incident.steps.retain(|step| inside(*step));
    }
    findings.incidents.retain(|incident| !incident.steps.is_empty());
    findings.near_misses.retain(|step| inside(*step));
    findings.other_failures.retain(|failure| inside(failure.step));
    long_waits.retain(|wait| inside(wait.step));
    let ignored = expected::leave_out(&mut findings, &timeline, &request.formats);
    Story { logs, clock, clock_changes, timeline, findings, ignored, endings, long_waits }
}
