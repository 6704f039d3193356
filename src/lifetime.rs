//! Lifetimes of processes, read off their own logs. Each end says how it is known.

use provtrace_parsers::code::ExitCode;
use provtrace_parsers::event::Event;
use provtrace_parsers::stamp::Stamp;
use serde::{Deserialize, Serialize};

use crate::logs::{DeviceLogs, Entry, SourceLog};

/// How far a parent's clock reading and its child's lines may lie apart, in seconds.
pub const SLACK: i64 = 3;

/// A record, by its place in [`DeviceLogs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryRef {
    /// Index into `sources`.
    source: u32,
    /// Index into `entries`.
    entry: u32,
}

impl EntryRef {
    /// The record with such indices into `sources` and `entries`: neither has four billion.
    pub fn new(source: usize, entry: usize) -> EntryRef {
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        EntryRef { source: index(source), entry: index(entry) }
    }

    /// Index into `sources`.
    pub fn source(self) -> usize {
        self.source as usize
    }

    /// Index into `entries`.
    pub fn entry(self) -> usize {
        self.entry as usize
    }
}

impl DeviceLogs {
    /// The record at a place.
    pub fn entry(&self, at: EntryRef) -> &Entry {
        &self.sources[at.source()].entries[at.entry()]
    }

    /// The log of a place.
    pub fn source(&self, at: EntryRef) -> &SourceLog {
        &self.sources[at.source()]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The program's log states it.
    Stated,
    /// The provisioning agent saw its child start or end.
    Parent,
    /// The local scheduler launched it.
    Scheduler,
    /// The registry holds it: start and duration of the program's last run.
    Registry,
    /// The event log holds it.
    EventLog,
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
            Known::Registry => "by the registry",
            Known::EventLog => "by the event log",
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchedBy {
    /// The scheduler, within the window after the agent install.
    LocalSchedulerFirstRun,
    /// The scheduler, later.
    LocalScheduler,
    /// A policy sync.
    PolicySync,
    /// A push of the core.
    CorePush,
    /// A task of the Windows task scheduler.
    WindowsTask,
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
            LaunchedBy::CorePush => "a push of the core",
            LaunchedBy::WindowsTask => "a Windows scheduled task",
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
    /// Its task is a policy's, whoever started it.
    pub policy: bool,
    /// What launched it.
    pub launched_by: LaunchedBy,
    /// The record that shows that, where it is not that of the start.
    pub launcher: Option<EntryRef>,
    /// The step of a provisioning run that it is.
    pub step: Option<usize>,
    /// Its own log states its start.
    pub start_stated: bool,
    /// Its own log states its end.
    pub end_stated: bool,
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
            policy: false,
            launched_by: LaunchedBy::Unknown,
            launcher: None,
            step: None,
            start_stated: false,
            end_stated: false,
        }
    }

    /// Whether its own traces show it alive at some moment from `from` to `to`.
    ///
    /// Stamps are whole seconds: a last line, which is no end, reaches into the next one.
    pub fn covers(&self, from: Stamp, to: Stamp) -> bool {
        let lasts = if self.end.known == Known::Burst { 1000 } else { 0 };
        self.start.at <= to && from.0 <= self.end.at.0 + lasts
    }

    /// When its work began: after the wait, if it waited.
    pub fn active_from(&self) -> Stamp {
        self.active.map_or(self.start.at, |(at, _)| at)
    }

    /// Whether only its launch is known: it left no trace of its own.
    pub fn is_launch_only(&self) -> bool {
        self.traces.is_empty() && self.start.known == Known::Scheduler
    }

    /// Takes a record of its own log as a trace.
    pub fn take(&mut self, at: EntryRef, stamp: Stamp, entry: &Entry) {
        self.traces.push(at);
        self.pid = self.pid.or(entry.pid);
        if !self.end_stated {
            self.end = End { at: stamp, known: Known::Burst, entry: at };
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
            | Event::ProcessCreated(_)
            | Event::ProcessExited { .. }
            | Event::DownloadFailed
            | Event::Launched(_)
            | Event::Armed(_)
            | Event::Scheduled(_)
            | Event::PolicyArrives
            | Event::HolderSeen
            | Event::TaskState(_)
            | Event::Monitored { .. }
            | Event::LastStarted { .. }
            | Event::LastDuration { .. }
            | Event::ProcessSeen(_)
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
