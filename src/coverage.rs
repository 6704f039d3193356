//! What was read and understood, as the report says it.

use serde::Serialize;

use crate::discover::Skipped;

/// What was read and understood.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Coverage {
    /// Devices with at least one source.
    pub devices: u64,
    /// Provisioning runs that were seen.
    pub runs: u64,
    /// Runs of which no step began in the time that was asked for.
    pub runs_outside: u64,
    /// Deployments that were refused, but are no step of a run: policy tasks, pushes.
    pub refused_outside_runs: u64,
    /// Sources read, wholly or partly.
    pub files: u64,
    /// Raw bytes read.
    pub bytes: u64,
    /// Lines; the next three add up to it.
    pub lines: u64,
    /// Became an event, or are listed as known and of no interest.
    pub lines_understood: u64,
    /// Continue the record above.
    pub lines_continued: u64,
    /// Not understood.
    pub lines_unknown: u64,
    /// What could not be read, or not wholly, and why; in order of path.
    pub skipped: Vec<Skipped>,
    /// Logs by their name that no format fits; in order of path.
    pub unrecognised: Vec<String>,
    /// Files that are no logs.
    pub other_files: u64,
    /// In order of name.
    pub devices_without_zone: Vec<String>,
    /// Incidents whose proof rests on wording marked assumed.
    pub assumed_wording: u64,
    /// Incidents whose proof rests on wording marked learned.
    pub learned_wording: u64,
    /// The overlays that were in force, in order.
    pub overlays: Vec<String>,
    /// Failures that were expected.
    pub ignored: Ignored,
}

/// Failures that the user expects: counted, and left out of everything else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ignored {
    /// Refused steps.
    pub incidents: u64,
    /// Failures with other causes.
    pub failures: u64,
}
