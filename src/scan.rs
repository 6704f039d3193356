//! Scans: lifetimes of vulscan, what launched them, and the steps that they are.

use std::collections::BTreeMap;

use provtrace_parsers::event::{Event, TaskLaunch};
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::deployment::{Draft, read_arguments};
use crate::lifetime::{End, EntryRef, Known, LaunchedBy, Lifetime, Program, SLACK, Span};
use crate::logs::DeviceLogs;
use crate::provision::{Child, Provisioning};
use crate::sequence::records;
use crate::spans::{Spans, later};
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
        let span = |(at, span): (usize, &Span)| (span.start, span.end, at);
        let deployments = Spans::new(deployments.iter().enumerate().map(span));
        let hints = Hints { parents, deployments };
        let entries = records(self.logs, SourceKind::Vulscan);
        let mut scans = own_lifetimes(self.logs, Program::Vulscan, &entries, &hints);
        for scan in &mut scans {
            read_arguments(self.logs, self.formats, scan);
        }
        let first = self.lifetimes.len();
        let span = |(at, own): (usize, &Lifetime)| (own.start.at, own.end.at, first + at);
        let begun = Spans::new(scans.iter().enumerate().map(span));
        self.lifetimes.extend(scans);
        for child in provisioning.children.iter().filter(is_scan) {
            let (from, to) = (later(child.at, -SLACK), later(child.at, FIRST_LINE));
            let soon = begun.beginning(from, to).iter().map(|(_, _, at)| *at);
            let free = |at: &usize| self.lifetimes[*at].start.known != Known::Parent;
            let found = { soon }.find(free);
            let at = found.unwrap_or_else(|| {
                let begun =
                    Lifetime::begun(Program::Vulscan, child.at, Known::Parent, child.created);
                self.lifetimes.push(begun);
                self.lifetimes.len() - 1
            });
            self.join(at, child);
            self.add_step(at, Some(child));
        }
        let launches = join_launches(self.logs, &mut self.lifetimes, &begun, &hints.deployments);
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
    scans: &Spans,
    deployments: &Spans,
) -> Vec<Launch> {
    let mut launches = Vec::new();
    for place in records(logs, SourceKind::Localsch) {
        let entry = logs.entry(place);
        let (Event::Launched(launch), Some(at)) = (&entry.event, entry.stamp()) else { continue };
        let TaskLaunch { task, program, pid, .. } = &**launch;
        if Program::of_path(program) != Some(Program::Vulscan) {
            continue;
        }
        launches.push(Launch { at, task: task.clone(), entry: place });
        let first_free = |from: Stamp, to: Stamp| {
            let free = |at: &usize| {
                !matches!(lifetimes[*at].start.known, Known::Scheduler | Known::Parent)
            };
            scans.beginning(from, to).iter().map(|(_, _, at)| *at).find(free)
        };
        let soon = first_free(later(at, -SLACK), later(at, FIRST_LINE));
        let woken = || {
            let (_, end, _) = deployments.meeting(at, at).next()?;
            first_free(later(end, -1), later(end, WAKE))
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
fn name_launcher(
    lifetimes: &mut [Lifetime],
    launches: &[Launch],
    installs: &[Stamp],
    armed: &[Armed],
) {
    let by_entry: BTreeMap<EntryRef, &Launch> =
        launches.iter().map(|launch| (launch.entry, launch)).collect();
    let mut by_task: BTreeMap<&str, Vec<Stamp>> = BTreeMap::new();
    for launch in launches {
        by_task.entry(&launch.task).or_default().push(launch.at);
    }
    for scan in lifetimes {
        let Some(launch) = by_entry.get(&scan.start.entry) else { continue };
        let before = last_before(&by_task[launch.task.as_str()], Stamp(launch.at.0 - 1));
        let ran_before = |install: Stamp| before.is_some_and(|before| before >= install);
        scan.launched_by = scheduler_run(Program::Vulscan, launch.at, ran_before, installs, armed);
    }
}

/// Which of the scheduler's runs a launch is; `ran_before` tells whether the task was launched
/// between an install and this launch.
pub fn scheduler_run(
    program: Program,
    launch: Stamp,
    ran_before: impl Fn(Stamp) -> bool,
    installs: &[Stamp],
    armed: &[Armed],
) -> LaunchedBy {
    let Some(install) = last_before(installs, launch) else {
        return LaunchedBy::LocalScheduler;
    };
    let window = armed
        .iter()
        .rfind(|armed| armed.program == program && armed.at.is_some_and(|at| at <= launch));
    let minutes = i64::from(window.and_then(|armed| armed.delay_max).unwrap_or(60));
    let in_window = launch.seconds_since(install) <= minutes * 60 + 120;
    if in_window && !ran_before(install) {
        LaunchedBy::LocalSchedulerFirstRun
    } else {
        LaunchedBy::LocalScheduler
    }
}

/// The last of ascending stamps that is not after `at`.
fn last_before(stamps: &[Stamp], at: Stamp) -> Option<Stamp> {
    let after = stamps.partition_point(|stamp| *stamp <= at);
    after.checked_sub(1).map(|last| stamps[last])
}
