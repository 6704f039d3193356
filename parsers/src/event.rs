//! What one record says, and nothing more: nothing here is inferred.

use serde::{Deserialize, Serialize};

use crate::code::ExitCode;

/// How well the wording of a rule is known (FORMATS.md's marks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The line was read as posted.
    Seen,
    /// A phrase that scripts in the field match on.
    Field,
    /// Documented by the vendor.
    Doc,
    /// Plausible wording, never confirmed.
    Assumed,
    /// Proposed from the logs themselves by `formats learn`, and taken over by the user.
    Learned,
}

impl Mark {
    /// The word that the TOML files use.
    pub fn word(self) -> &'static str {
        match self {
            Mark::Seen => "seen",
            Mark::Field => "field",
            Mark::Doc => "doc",
            Mark::Assumed => "assumed",
            Mark::Learned => "learned",
        }
    }
}

/// The result of a provisioning action, as its record states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionOutcome {
    /// `return:N`.
    Code(ExitCode),
    /// `SUCCESS`.
    Success,
    /// `FAILED`.
    Failed,
}

/// A policy task's state in a `.stat` file, by the product's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// The task's id.
    pub task: String,
    /// 0 unknown … 4 success, 5 failed, 8 failed with exception.
    pub status: Option<i64>,
    /// The task's exit code.
    pub code: Option<ExitCode>,
    /// Unix seconds, UTC.
    pub last_run: Option<i64>,
}

/// A process whose start or end an event log recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSeen {
    /// The program's path.
    pub program: String,
    /// Its process id.
    pub pid: u32,
    /// Whether this is its end.
    pub ended: bool,
    /// What launched it, by the format's word, such as `local_scheduler`.
    pub launcher: Option<Launcher>,
    /// Its command line, where the log has it.
    pub command_line: Option<String>,
    /// Milliseconds since 1970, UTC.
    pub utc: i64,
    /// How well what the record says is known, the launcher's meaning included.
    pub mark: Mark,
}

/// What launches our programs; the word of `launched_by` in the TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Launcher {
    /// The local scheduler.
    LocalScheduler,
    /// A policy sync.
    PolicySync,
    /// The core's push service on the device.
    CorePush,
    /// The Windows task scheduler.
    WindowsTask,
}

impl Launcher {
    /// The word that the TOML files use.
    pub fn word(self) -> &'static str {
        match self {
            Launcher::LocalScheduler => "local_scheduler",
            Launcher::PolicySync => "policy_sync",
            Launcher::CorePush => "core_push",
            Launcher::WindowsTask => "windows_task",
        }
    }
}

/// A child that the provisioning agent started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// The program's path, as printed.
    pub program: String,
    /// Its arguments, as printed.
    pub arguments: String,
}

/// A task that the local scheduler launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLaunch {
    /// The scheduler's task id.
    pub task: String,
    /// The program's path.
    pub program: String,
    /// Its arguments.
    pub arguments: String,
    /// The new process's id.
    pub pid: Option<u32>,
}

/// A scheduler task that draws its random delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arming {
    /// The scheduler's task id.
    pub task: String,
    /// The program's path or name.
    pub program: String,
    /// The window in minutes: least and most delay.
    pub delay: Option<(u32, u32)>,
}

/// A task as it is entered in the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The program's path or name.
    pub program: String,
    /// `DD Mon YYYY HH:MM:SS`, local time, as printed.
    pub start: String,
}

/// What a record says. What takes much room lies apart: a device may have hundreds of thousands of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The program of this log lived at that second; nothing else.
    Alive,
    /// A provisioning session begins.
    SessionBegins {
        /// The core server's name.
        core: Option<String>,
    },
    /// A provisioning action begins.
    ActionBegins {
        /// The action's name.
        name: String,
    },
    /// The current action's result.
    ActionResult {
        /// As stated.
        outcome: ActionOutcome,
    },
    /// The provisioning agent started a child.
    ProcessCreated(Box<Creation>),
    /// The provisioning agent's child ended.
    ProcessExited {
        /// Its exit code.
        code: ExitCode,
    },
    /// The name of the task as the console shows it.
    TaskNamed {
        /// `<template> <COMPUTER> <date>` by convention.
        name: String,
    },
    /// A run of the program of this log begins.
    RunStarts {
        /// Its arguments where the line has them.
        arguments: Option<String>,
    },
    /// A run of the program of this log ends.
    RunEnds {
        /// Its exit code where the line has it.
        code: Option<ExitCode>,
    },
    /// The run's result, reported to the core; the run may go on for a moment.
    ResultReported {
        /// The exit code.
        code: ExitCode,
    },
    /// The package that the run installs.
    PackageNamed {
        /// The package's name.
        name: String,
    },
    /// sdclient states that it won't run, since another task does.
    Refused {
        /// The program that is named as the holder.
        holder: Option<String>,
    },
    /// A scan waits for another program.
    Waits,
    /// The scan proper begins.
    ScanStarts,
    /// A download failed.
    DownloadFailed,
    /// The local scheduler launched a task.
    Launched(Box<TaskLaunch>),
    /// A scheduler task passed its filters and draws its random delay.
    Armed(Box<Arming>),
    /// A task is entered in the scheduler.
    Scheduled(Box<Schedule>),
    /// The policy sync fetched a policy; a policy task is likely to follow.
    PolicyArrives,
    /// The policy sync saw sdclient or vulscan at that second.
    HolderSeen,
    /// A policy task's state.
    TaskState(Box<TaskState>),
    /// What follows in the registry is about this program's last run.
    Monitored {
        /// The program's path, with `/`.
        program: String,
    },
    /// When the last run of the program began.
    LastStarted {
        /// A FILETIME: 100 ns since 1601, UTC.
        ticks: u64,
    },
    /// How long the last run of the program took.
    LastDuration {
        /// In units of 100 ns.
        ticks: u64,
    },
    /// A process started or ended.
    ProcessSeen(Box<ProcessSeen>),
    /// The device's name.
    HostName {
        /// As printed.
        name: String,
    },
    /// The device's time zone.
    TimeZone {
        /// Standard offset from UTC in minutes, where printed.
        offset_minutes: Option<i32>,
        /// The zone's display name.
        name: Box<str>,
    },
}

impl Event {
    /// How well it is known, where no rule of the format says that.
    pub fn mark(&self) -> Option<Mark> {
        if let Event::ProcessSeen(seen) = self { Some(seen.mark) } else { None }
    }

    /// Bytes of the texts that it holds, but for those of exit codes.
    pub fn text_length(&self) -> usize {
        let maybe = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Event::SessionBegins { core: text }
            | Event::RunStarts { arguments: text }
            | Event::Refused { holder: text } => maybe(text),
            Event::ActionBegins { name: text }
            | Event::TaskNamed { name: text }
            | Event::PackageNamed { name: text }
            | Event::HostName { name: text }
            | Event::Monitored { program: text } => text.len(),
            Event::TimeZone { name, .. } => name.len(),
            Event::ProcessCreated(child) => child.program.len() + child.arguments.len(),
            Event::Launched(own) => own.task.len() + own.program.len() + own.arguments.len(),
            Event::Armed(own) => own.task.len() + own.program.len(),
            Event::Scheduled(own) => own.program.len() + own.start.len(),
            Event::TaskState(own) => own.task.len(),
            Event::ProcessSeen(own) => own.program.len() + maybe(&own.command_line),
            Event::Alive
            | Event::ActionResult { .. }
            | Event::ProcessExited { .. }
            | Event::RunEnds { .. }
            | Event::ResultReported { .. }
            | Event::Waits
            | Event::ScanStarts
            | Event::DownloadFailed
            | Event::PolicyArrives
            | Event::HolderSeen
            | Event::LastStarted { .. }
            | Event::LastDuration { .. } => 0,
        }
    }

    /// The exit code that it carries.
    pub fn code(&self) -> Option<&ExitCode> {
        if let Event::ProcessExited { code }
        | Event::ResultReported { code }
        | Event::RunEnds { code: Some(code) }
        | Event::ActionResult { outcome: ActionOutcome::Code(code) } = self
        {
            return Some(code);
        }
        None
    }

    /// The event's name in output and in `evidence.says`.
    pub fn word(&self) -> &'static str {
        match self {
            Event::Alive => "alive",
            Event::SessionBegins { .. } => "session_begins",
            Event::ActionBegins { .. } => "action_begins",
            Event::ActionResult { .. } => "action_result",
            Event::ProcessCreated(_) => "process_created",
            Event::ProcessExited { .. } => "process_exited",
            Event::TaskNamed { .. } => "task_named",
            Event::RunStarts { .. } => "run_starts",
            Event::RunEnds { .. } => "run_ends",
            Event::ResultReported { .. } => "result_reported",
            Event::PackageNamed { .. } => "package_named",
            Event::Refused { .. } => "refused",
            Event::Waits => "scan_waits",
            Event::ScanStarts => "scan_starts",
            Event::DownloadFailed => "download_failed",
            Event::Launched(_) => "launched",
            Event::Armed(_) => "armed",
            Event::Scheduled(_) => "scheduled",
            Event::PolicyArrives => "policy_arrives",
            Event::HolderSeen => "holder_seen",
            Event::TaskState(_) => "task_state",
            Event::Monitored { .. } => "monitored",
            Event::LastStarted { .. } => "last_started",
            Event::LastDuration { .. } => "last_duration",
            Event::ProcessSeen(seen) if seen.ended => "process_ended",
            Event::ProcessSeen(_) => "process_started",
            Event::HostName { .. } => "host_name",
            Event::TimeZone { .. } => "time_zone",
        }
    }
}
