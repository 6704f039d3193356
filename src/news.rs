//! What a nightly run found that was not known before: plain structs that every renderer takes.
//! docs/NIGHTLY.md has the same in words; field names are a contract, as those of the report are.

use serde::{Deserialize, Serialize};

use crate::comparison::{Row, Verdict};
use crate::contract::{Incident, Tool};
use crate::walk::Skipped;

/// One run of `nightly`.
#[derive(Debug, Clone, Serialize)]
pub struct News {
    /// `provtrace.news.v1`.
    pub schema: &'static str,
    /// Who made it.
    pub tool: Tool,
    /// What was done.
    pub run: Night,
    /// All that the store knows after it.
    pub known: Known,
    /// Incidents that no run saw before; in order of time, then device.
    pub new: Vec<Incident>,
    /// Incidents that later logs tell otherwise; in order of device, then time.
    pub revised: Vec<Revision>,
    /// Incidents that later logs show to be none; in order of device, then time.
    pub withdrawn: Vec<Withdrawn>,
    /// Templates and steps that are affected more often in runs that this night saw first, by an exact
    /// test; worst first.
    pub worse: Vec<Row>,
    /// Those that are affected less often; clearest first.
    pub fixed: Vec<Row>,
    /// Devices that stopped delivering, each told once; in order of name.
    pub silent: Vec<Silent>,
    /// Kinds of logs that are no longer understood: an agent may have been updated; in order of name.
    pub fallen: Vec<Fallen>,
    /// Templates and steps over the nights, in order of rank; templates before their steps.
    pub trends: Vec<Trend>,
    /// What could not be read, or not wholly; in order of path.
    pub skipped: Vec<Skipped>,
    /// What a reader should know; in order of text.
    pub warnings: Vec<String>,
}

/// What a run did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Night {
    /// From 1: which run of the store's it is.
    pub number: u64,
    /// When it began, RFC 3339, UTC.
    pub began: String,
    /// When it was done.
    pub ended: String,
    /// How long it took.
    pub seconds: f64,
    /// When the run before it began; `None` for the first one.
    pub since: Option<String>,
    /// Whether a run before it was broken off; it began where that one stopped.
    pub resumed: bool,
    /// Devices that delivered something since.
    pub devices_changed: u64,
    /// What became of the files that were found.
    pub files: Files,
    /// Bytes of logs that were read.
    pub bytes_read: u64,
    /// Bytes of all logs that were found.
    pub bytes_found: u64,
    /// The most memory that was seen in use, in bytes; `None` where the system does not say.
    pub peak_memory: Option<u64>,
}

/// What became of the files that were found; a member of an archive counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Never seen before, read whole.
    pub new: u64,
    /// Had grown: only what was new in them was read.
    pub grown: u64,
    /// Known under another name, rotated or renamed: not read again, but for what was new in them.
    pub moved: u64,
    /// Had other contents than before, or could not be trusted: read whole.
    pub replaced: u64,
    /// As they were: not opened.
    pub unchanged: u64,
    /// No longer there; what they said is kept.
    pub gone: u64,
    /// Could not be read, or not wholly.
    pub skipped: u64,
}

impl Files {
    /// Adds other files.
    pub fn add(&mut self, other: &Files) {
        self.new += other.new;
        self.grown += other.grown;
        self.moved += other.moved;
        self.replaced += other.replaced;
        self.unchanged += other.unchanged;
        self.gone += other.gone;
        self.skipped += other.skipped;
    }
}

/// All that the store knows.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Known {
    /// Devices.
    pub devices: u64,
    /// Runs that have a step.
    pub runs: u64,
    /// Runs with an incident.
    pub affected_runs: u64,
    /// Incidents.
    pub incidents: u64,
}

/// An incident that later logs tell otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Revision {
    /// As it is told now.
    pub incident: Incident,
    /// What changed, in order of field.
    pub changed: Vec<Changed>,
}

/// A field of an incident, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// `mechanism`, `confidence`, `template`, `step`, `attempts`, `blocker`, `exit_code` or
    /// `withdrawn`.
    pub field: String,
    /// `None` where nothing was known.
    pub before: Option<String>,
    /// The same.
    pub after: Option<String>,
}

/// An incident that later logs show to be none.
#[derive(Debug, Clone, Serialize)]
pub struct Withdrawn {
    /// Its id.
    pub id: String,
    /// The device.
    pub device: String,
    /// The step's name.
    pub step: String,
    /// When the refused program started.
    pub at: String,
}

/// A device that stopped delivering.
#[derive(Debug, Clone, Serialize)]
pub struct Silent {
    /// Its name.
    pub device: String,
    /// When the last run began that found something new of it, RFC 3339, UTC.
    pub last_new: String,
    /// Whether its logs are no longer on the share, or only don't grow.
    pub gone: bool,
}

/// A kind of logs that was understood before, and is not in what was read now.
#[derive(Debug, Clone, Serialize)]
pub struct Fallen {
    /// The name of its format.
    pub format: String,
    /// Lines of it that were read now.
    pub lines: u64,
    /// Those of them that were understood.
    pub understood: u64,
    /// The share of lines that was understood until then.
    pub share_before: f64,
    /// That of the lines that were read now.
    pub share: f64,
    /// Devices with such lines, at the most three.
    pub devices: Vec<String>,
}

/// How often a template, or a step of it, was affected, night by night.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trend {
    /// `None` stands for runs whose template nothing names.
    pub template: Option<String>,
    /// `None` for a template.
    pub step: Option<String>,
    /// All runs of it that the store knows, of any night.
    pub runs: u64,
    /// Those with an incident.
    pub affected: u64,
    /// In order of time; at the most the last 60 nights with a run of it.
    pub points: Vec<Point>,
}

/// A night of a trend: runs that were first seen then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The day on which the night's run began, `2026-11-25`, UTC.
    pub day: String,
    /// Runs that were new, or that came to the step and were.
    pub runs: u64,
    /// Those with an incident.
    pub affected: u64,
}

impl News {
    /// Whether a template or a step is worse, or logs are no longer understood.
    pub fn is_worse(&self) -> bool {
        !self.worse.is_empty() || !self.fallen.is_empty()
    }

    /// Whether there is anything that people should be told.
    pub fn is_any(&self) -> bool {
        let News { new, revised, withdrawn, fixed, silent, .. } = self;
        self.is_worse()
            || !(new.is_empty() && revised.is_empty() && withdrawn.is_empty())
            || !(fixed.is_empty() && silent.is_empty())
    }
}

impl Fallen {
    /// `vulscan: 3 of 410 new lines understood, 98 % before`.
    pub fn told(&self) -> String {
        let Fallen { format, lines, understood, share_before, .. } = self;
        let before = (share_before * 100.0).round();
        format!("{format}: {understood} of {lines} new lines understood, {before} % before")
    }
}

/// What the row of a comparison says, for people.
pub fn verdict(row: &Row) -> &'static str {
    match row.verdict {
        Verdict::Worse => "worse",
        Verdict::Better => "fixed",
        Verdict::NoClearChange | Verdict::TooFewRuns | Verdict::New | Verdict::Gone => {
            row.verdict.word()
        }
    }
}
