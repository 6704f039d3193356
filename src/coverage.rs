//! What was read and understood, as the report says it.

use std::collections::BTreeMap;

use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Format, SourceKind};
use provtrace_parsers::line::LineCounts;
use serde::Serialize;

use crate::discover::Skipped;
use crate::ingest::SourceLog;

/// From this share of a format's devices on (in percent), logs without a word that is known are a
/// wording that is not known, and not some logs with little in them.
const TOO_MANY: u64 = 25;

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
    /// Steps of these runs that start a program; tries of one step are one.
    pub steps: u64,
    /// Those of which the logs say how they ended: an exit code, a result or a refusal.
    pub steps_with_result: u64,
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
    /// How well each format that occurs was understood, in order of name.
    pub formats: Vec<FormatCoverage>,
    /// Which logs were not understood, and what to do; `None` if all formats were.
    pub caution: Option<String>,
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

/// Which logs were not understood, and what to do; `None` if all formats were.
pub fn caution(formats: &[FormatCoverage]) -> Option<String> {
    let blind = formats.iter().filter(|format| format.is_not_understood());
    let told: Vec<String> = blind.map(FormatCoverage::told).collect();
    if told.is_empty() {
        return None;
    }
    Some(format!(
        "the wording of these logs is not known, so what they say is missing here: {}. \
         `provtrace formats check PATH` shows what is not understood, `provtrace formats learn \
         PATH` proposes rules for it",
        told.join("; ")
    ))
}

/// How well the logs of one format were understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FormatCoverage {
    /// Its name.
    pub format: String,
    /// Devices with a log of it that has a line.
    pub devices: u64,
    /// Of these, the ones with logs in which no known stamp stands.
    pub devices_without_stamps: u64,
    /// Of these, the ones with logs in which nothing is said that is known.
    pub devices_not_understood: u64,
    /// Logs.
    pub files: u64,
    /// Lines.
    pub lines: u64,
    /// Lines with a known stamp.
    pub lines_stamped: u64,
    /// Lines that became an event, or are known and of no interest.
    pub lines_understood: u64,
}

/// Those of all devices, in order of name.
pub fn merged<'d>(
    devices: impl Iterator<Item = &'d BTreeMap<String, FormatCoverage>>,
) -> Vec<FormatCoverage> {
    let mut formats: BTreeMap<&str, FormatCoverage> = BTreeMap::new();
    for (name, own) in devices.flatten() {
        let all = formats.entry(name).or_default();
        all.format.clone_from(name);
        all.add(own);
    }
    formats.into_values().collect()
}

impl FormatCoverage {
    /// Adds those of another device.
    fn add(&mut self, other: &FormatCoverage) {
        self.devices += other.devices;
        self.devices_without_stamps += other.devices_without_stamps;
        self.devices_not_understood += other.devices_not_understood;
        self.files += other.files;
        self.lines += other.lines;
        self.lines_stamped += other.lines_stamped;
        self.lines_understood += other.lines_understood;
    }

    /// On how many devices it was not understood, and why.
    fn told(&self) -> String {
        let FormatCoverage { format, devices, devices_without_stamps, .. } = self;
        let blind = self.devices_not_understood;
        let why = if *devices_without_stamps * 2 > blind {
            "no known stamp"
        } else {
            "no known line that tells of a process"
        };
        format!("{format} ({why} on {blind} of {devices} devices)")
    }

    /// Whether its wording is not known, on so many devices that it is no accident.
    pub fn is_not_understood(&self) -> bool {
        self.devices_not_understood * 100 >= self.devices * TOO_MANY
            && self.devices_not_understood > 0
    }
}

/// How well a device's logs were understood that were only counted, by the number of known lines.
pub fn of_counts(logs: &[(&Format, LineCounts)]) -> BTreeMap<String, FormatCoverage> {
    let mut formats: BTreeMap<String, FormatCoverage> = BTreeMap::new();
    for (format, counts) in logs {
        let own = formats.entry(format.name.clone()).or_default();
        own.format.clone_from(&format.name);
        own.files += 1;
        own.lines += counts.lines;
        own.lines_stamped += counts.stamped;
        own.lines_understood += counts.understood;
        own.devices = u64::from(own.lines > 0);
        let said = own.lines_understood > 0 || !has_wording(format.kind);
        own.devices_not_understood = if said { 0 } else { own.devices };
        own.devices_without_stamps = if own.lines_stamped > 0 || said { 0 } else { own.devices };
    }
    formats
}

/// How well a device's logs were understood, by format.
pub fn of_device(sources: &[SourceLog]) -> BTreeMap<String, FormatCoverage> {
    let mut formats: BTreeMap<String, FormatCoverage> = BTreeMap::new();
    let mut said: BTreeMap<&str, bool> = BTreeMap::new();
    for log in sources {
        let own = formats.entry(log.format.clone()).or_default();
        own.format.clone_from(&log.format);
        own.files += 1;
        own.lines += log.counts.lines;
        own.lines_stamped += log.counts.stamped;
        own.lines_understood += log.counts.understood;
        let tells = log.entries.iter().any(|entry| tells(log.kind, &entry.event))
            || (log.kind == SourceKind::Vulscan && log.counts.understood > 0);
        *said.entry(&log.format).or_default() |= tells || !has_wording(log.kind);
    }
    for (name, own) in &mut formats {
        let any = u64::from(own.lines > 0);
        own.devices = any;
        let said = said.get(name.as_str()).copied().unwrap_or(false);
        own.devices_not_understood = if said { 0 } else { any };
        own.devices_without_stamps = if own.lines_stamped > 0 || said { 0 } else { any };
    }
    formats
}

/// Whether a log of the kind that says nothing known has another wording: a scheduler's log may
/// well say nothing of interest, and facts are no log.
fn has_wording(kind: SourceKind) -> bool {
    match kind {
        SourceKind::Provisioning
        | SourceKind::Sdclient
        | SourceKind::Vulscan
        | SourceKind::Policysync => true,
        SourceKind::Localsch
        | SourceKind::PolicyStatus
        | SourceKind::Registry
        | SourceKind::EventLog
        | SourceKind::DeviceFacts => false,
    }
}

/// Whether an event is of those without which a log of the kind tells nothing.
fn tells(kind: SourceKind, event: &Event) -> bool {
    let is_run = matches!(
        event,
        Event::RunStarts { .. }
            | Event::RunEnds { .. }
            | Event::ResultReported { .. }
            | Event::Refused { .. }
    );
    let is_step = matches!(
        event,
        Event::ProcessCreated { .. } | Event::ProcessExited { .. } | Event::ActionBegins { .. }
    );
    match kind {
        SourceKind::Provisioning => is_step,
        SourceKind::Sdclient | SourceKind::Vulscan | SourceKind::Policysync => is_run,
        SourceKind::Localsch
        | SourceKind::PolicyStatus
        | SourceKind::Registry
        | SourceKind::EventLog
        | SourceKind::DeviceFacts => true,
    }
}
