//! Lifetimes of processes, read off their own logs. Each end says how it is known.

use provtrace_parsers::code::ExitCode;
use provtrace_parsers::event::Event;
use provtrace_parsers::stamp::Stamp;
use serde::Serialize;

use crate::ingest::{DeviceLogs, Entry, SourceLog};

/// A silence that ends a scan or a policy sync of which no end is stated, in seconds.
const QUIET: i64 = 300;
/// The same for a deployment: installers write nothing for long.
const QUIET_DEPLOYMENT: i64 = 3600;
/// The longest silence inside a lifetime whose start is stated and whose end follows.
const LONGEST: i64 = 6 * 3600;
/// Lines that a program still writes after it has stated its end, in seconds.
const TAIL: i64 = 5;
/// How long after a deployment's end a scan that waited for it has begun, in seconds.
const WAKE: i64 = 15;
/// How long a scan writes before it falls silent to wait, in seconds.
const PRELUDE: i64 = 30;

/// A record, by its place in [`DeviceLogs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryRef {
    /// Index into `sources`.
    pub source: usize,
    /// Index into `entries`.
    pub entry: usize,
}

impl DeviceLogs {
    /// The record at a place.
    pub fn entry(&self, at: EntryRef) -> &Entry {
        &self.sources[at.source].entries[at.entry]
    }

    /// The log of a place.
    pub fn source(&self, at: EntryRef) -> &SourceLog {
        &self.sources[at.source]
    }
}

/// The programs whose lifetimes matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// sdclient.exe
    Sdclient,
    /// vulscan.exe
    Vulscan,
    /// PolicySync.exe and its older names
    PolicySync,
}

impl Program {
    /// The program of a path or name as the logs print it.
    pub fn of_path(path: &str) -> Option<Program> {
        let name = path.trim().trim_matches('"').rsplit(['\\', '/']).next()?;
        match name.to_ascii_lowercase().as_str() {
            "sdclient.exe" => Some(Program::Sdclient),
            "vulscan.exe" => Some(Program::Vulscan),
            "policysync.exe" | "policy.sync.exe" | "amclient.exe" => Some(Program::PolicySync),
            _other => None,
        }
    }

    /// The program's file name.
    pub fn name(self) -> &'static str {
        match self {
            Program::Sdclient => "sdclient.exe",
            Program::Vulscan => "vulscan.exe",
            Program::PolicySync => "PolicySync.exe",
        }
    }
}

/// How an end of a lifetime is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The program's log states it.
    Stated,
    /// The provisioning agent saw its child start or end.
    Parent,
    /// The local scheduler launched it.
    Scheduler,
    /// The first or last line of a burst: it lived at least from or until then.
    Burst,
}

impl Known {
    /// In words, for people.
    pub fn word(self) -> &'static str {
        match self {
            Known::Stated => "stated",
            Known::Parent => "seen by its parent",
            Known::Scheduler => "launched by the scheduler",
            Known::Burst => "by its lines",
        }
    }
}

/// One end of a lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Stamp,
    /// How it is known.
    pub known: Known,
    /// The record that shows it.
    pub entry: EntryRef,
}

/// What launched a program, by REPORT.md's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchedBy {
    /// The scheduler, within the window after the agent install.
    LocalSchedulerFirstRun,
    /// The scheduler, later.
    LocalScheduler,
    /// A policy sync.
    PolicySync,
    /// The logs don't show it.
    Unknown,
}

impl LaunchedBy {
    /// In words, for people.
    pub fn word(self) -> &'static str {
        match self {
            LaunchedBy::LocalSchedulerFirstRun => {
                "the scheduler's first run after the agent install"
            }
            LaunchedBy::LocalScheduler => "the scheduler",
            LaunchedBy::PolicySync => "a policy sync",
            LaunchedBy::Unknown => "unknown",
        }
    }
}

/// One process, from start to end as far as it is known.
#[derive(Debug, Clone)]
pub struct Lifetime {
    /// Which program.
    pub program: Program,
    /// Process id, where a log has it.
    pub pid: Option<u32>,
    /// The task it works on (sdclient).
    pub task: Option<String>,
    /// Its first known moment.
    pub start: End,
    /// Its last known moment: with [`Known::Burst`] it may have lived longer.
    pub end: End,
    /// Records of its own log, in order of time. Empty: nothing but the launch is known.
    pub traces: Vec<EntryRef>,
    /// The record that says that it waits.
    pub waits: Option<EntryRef>,
    /// From when it worked, for a scan that waited first.
    pub active: Option<(Stamp, EntryRef)>,
    /// It was silent from its launch until another program's end.
    pub waited: bool,
    /// The record that states the refusal.
    pub refused: Option<EntryRef>,
    /// Exit codes that its log states or reports.
    pub codes: Vec<(ExitCode, EntryRef)>,
    /// The package it installs.
    pub package: Option<String>,
    /// The name of its task.
    pub task_name: Option<String>,
    /// A status sender: no deployment, holds nothing.
    pub messenger: bool,
    /// What launched it.
    pub launched_by: LaunchedBy,
    /// The step of a provisioning run that it is.
    pub step: Option<usize>,
    start_stated: bool,
    end_stated: bool,
}

impl Lifetime {
    /// A lifetime of which one moment is known so far.
    pub fn begun(program: Program, at: Stamp, known: Known, entry: EntryRef) -> Lifetime {
        let end = End { at, known, entry };
        Lifetime {
            program,
            pid: None,
            task: None,
            start: end,
            end: End { known: Known::Burst, ..end },
            traces: Vec::new(),
            waits: None,
            active: None,
            waited: false,
            refused: None,
            codes: Vec::new(),
            package: None,
            task_name: None,
            messenger: false,
            launched_by: LaunchedBy::Unknown,
            step: None,
            start_stated: false,
            end_stated: false,
        }
    }

    /// Whether its own traces show it alive at some moment from `from` to `to`.
    pub fn covers(&self, from: Stamp, to: Stamp) -> bool {
        self.start.at <= to && from <= self.end.at
    }

    /// When its work began: after the wait, if it waited.
    pub fn active_from(&self) -> Stamp {
        self.active.map_or(self.start.at, |(at, _)| at)
    }

    /// Whether only its launch is known: it left no trace of its own.
    pub fn is_launch_only(&self) -> bool {
        self.traces.is_empty() && self.start.known == Known::Scheduler
    }

    fn take(&mut self, at: EntryRef, stamp: Stamp, entry: &Entry) {
        self.traces.push(at);
        self.pid = self.pid.or(entry.pid);
        if !self.end_stated || stamp.seconds_since(self.end.at) > 0 {
            let known = if self.end_stated { self.end.known } else { Known::Burst };
            self.end = End { at: stamp, known, entry: at };
        }
        match &entry.event {
            Event::RunStarts { .. } => {
                self.start_stated = true;
                self.start.known = Known::Stated;
            }
            Event::RunEnds { code } => {
                self.end_stated = true;
                self.end = End { at: stamp, known: Known::Stated, entry: at };
                self.codes.extend(code.clone().map(|code| (code, at)));
            }
            Event::ResultReported { code } => self.codes.push((code.clone(), at)),
            Event::Refused { .. } => self.refused = self.refused.or(Some(at)),
            Event::Waits => self.waits = self.waits.or(Some(at)),
            Event::ScanStarts => self.active = Some((stamp, at)),
            Event::PackageNamed { name } => self.package = Some(name.clone()),
            Event::TaskNamed { name } => self.task_name = Some(name.clone()),
            Event::Alive
            | Event::SessionBegins { .. }
            | Event::ActionBegins { .. }
            | Event::ActionResult { .. }
            | Event::ProcessCreated { .. }
            | Event::ProcessExited { .. }
            | Event::DownloadFailed
            | Event::Launched { .. }
            | Event::Armed { .. }
            | Event::Scheduled { .. }
            | Event::PolicyArrives
            | Event::HolderSeen
            | Event::TaskState(_)
            | Event::HostName { .. }
            | Event::TimeZone { .. } => {}
        }
        let works = self.waits.is_some_and(|waits| waits != at) && entry.event != Event::Waits;
        if works && self.active.is_none() {
            self.active = Some((stamp, at));
        }
    }
}

/// A span of time in which a deployment was alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First moment.
    pub start: Stamp,
    /// Last moment.
    pub end: Stamp,
}

/// What is known beforehand about the processes whose log is read.
#[derive(Debug, Default)]
pub struct Hints {
    /// Moments at which a parent started such a process, ascending.
    pub starts: Vec<Stamp>,
    /// Deployments that a scan may have waited for.
    pub deployments: Vec<Span>,
}

/// Cuts the records of one program's log into lifetimes. `entries` are in order of time.
pub fn own_lifetimes(
    logs: &DeviceLogs,
    program: Program,
    entries: &[EntryRef],
    hints: &Hints,
) -> Vec<Lifetime> {
    let mut lifetimes: Vec<Lifetime> = Vec::new();
    let mut last: Option<Stamp> = None;
    for at in entries {
        let entry = logs.entry(*at);
        let Some(stamp) = entry.stamp else { continue };
        let same = lifetimes.last_mut().zip(last).filter(|(lifetime, last)| {
            continues(lifetime, program, *last, stamp, &entry.event, hints)
        });
        if let Some((lifetime, last)) = same {
            if !lifetime.waited && woken(lifetime, last, stamp, hints) {
                lifetime.waited = true;
                lifetime.active = lifetime.active.or(Some((stamp, *at)));
            }
            lifetime.take(*at, stamp, entry);
        } else {
            let mut lifetime = Lifetime::begun(program, stamp, Known::Burst, *at);
            lifetime.take(*at, stamp, entry);
            lifetimes.push(lifetime);
        }
        last = Some(stamp);
    }
    lifetimes
}

/// Whether a record belongs to the lifetime of the record before.
fn continues(
    lifetime: &Lifetime,
    program: Program,
    last: Stamp,
    stamp: Stamp,
    event: &Event,
    hints: &Hints,
) -> bool {
    let gap = stamp.seconds_since(last);
    let new_parent = hints.starts.iter().any(|start| last < *start && *start <= stamp);
    let begins = matches!(event, Event::RunStarts { .. });
    // A first line or two before the line that states the start.
    let first_lines = !lifetime.start_stated && stamp.seconds_since(lifetime.start.at) <= 2;
    if new_parent || (begins && !first_lines) || gap < 0 {
        return false;
    }
    if lifetime.end_stated {
        return gap <= TAIL;
    }
    let ends = matches!(event, Event::RunEnds { .. });
    let quiet = match program {
        Program::Sdclient if lifetime.codes.is_empty() => QUIET_DEPLOYMENT,
        Program::Sdclient | Program::Vulscan | Program::PolicySync => QUIET,
    };
    let waiting = lifetime.waits.is_some() && lifetime.active.is_none();
    gap <= quiet
        || (gap <= LONGEST && (waiting || (ends && lifetime.start_stated)))
        || woken(lifetime, last, stamp, hints)
}

/// Whether a silence began during a deployment and ended with it, right after the launch:
/// the scan waited, whether a line says so or not.
fn woken(lifetime: &Lifetime, last: Stamp, stamp: Stamp, hints: &Hints) -> bool {
    let silent = stamp.seconds_since(last) > 3;
    let prelude = last.seconds_since(lifetime.start.at) <= PRELUDE;
    silent
        && prelude
        && hints.deployments.iter().any(|deployment| {
            deployment.start <= lifetime.start.at
                && last <= deployment.end
                && deployment.end <= stamp
                && stamp.seconds_since(deployment.end) <= WAKE
        })
}
