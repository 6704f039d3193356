//! Scans: lifetimes of vulscan, what launched them, and the steps that they are.

use provtrace_parsers::event::Event;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::deployment::{Draft, read_arguments};
use crate::ingest::DeviceLogs;
use crate::lifetime::{End, EntryRef, Known, LaunchedBy, Lifetime, Program, SLACK, Span};
use crate::provision::{Child, Provisioning};
use crate::sequence::records;
use crate::trace::{Hints, WAKE, own_lifetimes};

/// How long after its launch a program writes its first line, in seconds.
const FIRST_LINE: i64 = 30;

/// What the scheduler's log says of arming.
#[derive(Debug, Clone)]
pub struct Armed {
    /// When; `None` in a list of tasks without stamps.
    pub at: Option<Stamp>,
    /// Which of our programs.
    pub program: Program,
    /// The longest random delay in minutes.
    pub delay_max: Option<u32>,
    /// A start so far away that it never comes, such as the year 3000.
    pub never: bool,
}

impl Draft<'_> {
    /// Adds the scans, when all deployments are known.
    pub fn add_scans(&mut self, provisioning: &Provisioning, installs: &[Stamp], armed: &[Armed]) {
        let is_scan = |child: &&Child| child.program == Some(Program::Vulscan);
        let parents: Vec<Span> =
            provisioning.children.iter().filter(is_scan).map(Child::span).collect();
        let mut deployments = self.deployment_spans();
        deployments.extend(&parents);
        let hints = Hints { parents, deployments };
        let entries = records(self.logs, SourceKind::Vulscan, None);
        let mut scans = own_lifetimes(self.logs, Program::Vulscan, &entries, &hints);
        for scan in &mut scans {
            read_arguments(self.logs, self.formats, scan);
        }
        let first_scan = self.lifetimes.len();
        self.lifetimes.extend(scans);
        for child in provisioning.children.iter().filter(is_scan) {
            let found = (first_scan..self.lifetimes.len()).find(|at| {
                let own = &self.lifetimes[*at];
                let after = own.start.at.seconds_since(child.at);
                own.step.is_none()
                    && own.start.known != Known::Parent
                    && (-SLACK..=FIRST_LINE).contains(&after)
            });
            let at = found.unwrap_or_else(|| {
                let begun =
                    Lifetime::begun(Program::Vulscan, child.at, Known::Parent, child.created);
                self.lifetimes.push(begun);
                self.lifetimes.len() - 1
            });
            self.join(at, child);
            self.add_step(at, Some(child));
        }
        let launches = join_launches(self.logs, &mut self.lifetimes, &hints.deployments);
        name_launcher(&mut self.lifetimes, &launches, installs, armed);
    }
}

/// A launch by the scheduler.
struct Launch {
    at: Stamp,
    task: String,
    entry: EntryRef,
}

/// Ties the scheduler's launches to scans; a launch without a trace of its scan stays as it is.
fn join_launches(
    logs: &DeviceLogs,
    lifetimes: &mut Vec<Lifetime>,
    deployments: &[Span],
) -> Vec<Launch> {
    let mut launches = Vec::new();
    for place in records(logs, SourceKind::Localsch, None) {
        let entry = logs.entry(place);
        let (Event::Launched { task, program, pid, .. }, Some(at)) = (&entry.event, entry.stamp)
        else {
            continue;
        };
        if Program::of_path(program) != Some(Program::Vulscan) {
            continue;
        }
        launches.push(Launch { at, task: task.clone(), entry: place });
        let free = |scan: &Lifetime| {
            scan.program == Program::Vulscan
                && !matches!(scan.start.known, Known::Scheduler | Known::Parent)
        };
        let soon = lifetimes.iter().position(|scan| {
            free(scan) && (-SLACK..=FIRST_LINE).contains(&scan.start.at.seconds_since(at))
        });
        let held = deployments.iter().find(|span| span.start <= at && at <= span.end);
        let woken = || {
            let end = held?.end;
            lifetimes.iter().position(|scan| {
                free(scan) && (-1..=WAKE).contains(&scan.start.at.seconds_since(end))
            })
        };
        let start = End { at, known: Known::Scheduler, entry: place };
        if let Some(scan) = soon.or_else(woken) {
            let scan = &mut lifetimes[scan];
            if soon.is_none() {
                scan.waited = true;
                scan.active = scan.active.or(Some((scan.start.at, scan.start.entry)));
            }
            scan.start = End { at: at.min(scan.start.at), ..start };
            scan.pid = scan.pid.or(*pid);
        } else {
            let mut scan = Lifetime::begun(Program::Vulscan, at, Known::Scheduler, place);
            scan.pid = *pid;
            lifetimes.push(scan);
        }
    }
    launches
}

/// The scheduler's first run is blamed only on evidence: an install, a launch of that task
/// within the window of the random delay, and no launch of it between the two.
fn name_launcher(scans: &mut [Lifetime], launches: &[Launch], installs: &[Stamp], armed: &[Armed]) {
    for scan in scans {
        let Some(launch) = launches.iter().find(|launch| launch.entry == scan.start.entry) else {
            continue;
        };
        scan.launched_by = LaunchedBy::LocalScheduler;
        let Some(install) = installs.iter().rfind(|install| **install <= launch.at) else {
            continue;
        };
        let window = armed.iter().rfind(|armed| {
            armed.program == Program::Vulscan && armed.at.is_some_and(|at| at <= launch.at)
        });
        let minutes = i64::from(window.and_then(|armed| armed.delay_max).unwrap_or(60));
        let in_window = launch.at.seconds_since(*install) <= minutes * 60 + 120;
        let first = !launches
            .iter()
            .any(|other| other.task == launch.task && *install <= other.at && other.at < launch.at);
        if in_window && first {
            scan.launched_by = LaunchedBy::LocalSchedulerFirstRun;
        }
    }
}
