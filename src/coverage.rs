//! What was read and understood, as the report says it.

use std::collections::BTreeMap;

use provtrace_parsers::event::Event;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::line::LineCounts;
use serde::{Deserialize, Serialize};

use crate::discover::Skipped;
use crate::ingest::ONLY_COUNTED;
use crate::logs::SourceLog;

/// From this share of a format's devices on (in percent), logs without a word that is known are a
/// wording that is not known, and not some logs with little in them.
const TOO_MANY: u64 = 25;
/// With fewer known ones (in percent) among the lines that continue no other, a log is not understood.
const FEW: u64 = 10;
/// With more lines that continue a record, for each that doesn't, these are likely to be records of
/// their own, in a stamp that is not known.
const CONTINUED: u64 = 20;
/// Lines of a log from which on these two say something.
const ENOUGH: u64 = 20;
/// So many lines at a log's end of which none is known, if they are a quarter of it or more: the agent
/// was updated, and goes on in other words.
const FOREIGN_END: u64 = 100;

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Refused steps.
    pub incidents: u64,
    /// Failures with other causes.
    pub failures: u64,
}

/// Which logs were not understood, and what to do; `None` if all formats were. `like_agents` are logs
/// that look like the agent's and are of no known format.
pub fn caution(formats: &[FormatCoverage], like_agents: &[String]) -> Option<String> {
    let blind = formats.iter().filter(|format| format.is_not_understood());
    let told: Vec<String> = blind.map(FormatCoverage::told).collect();
    let devices = formats.iter().map(|format| format.devices).max().unwrap_or(0);
    let like = like_agents.len() as u64;
    let first = like_agents.first().filter(|_| like * 100 >= devices * TOO_MANY);
    let mut cautions = Vec::new();
    if !told.is_empty() {
        cautions.push(format!(
            "the wording of these logs is not known, so what they say is missing here: {}",
            told.join("; ")
        ));
    }
    if let Some(first) = first {
        let logs = if like == 1 { "log looks" } else { "logs look" };
        cautions.push(format!(
            "{like} {logs} like the agent's and {} of no known format, so nothing of that is here: {first}{}",
            if like == 1 { "is" } else { "are" },
            if like == 1 { "" } else { ", …" },
        ));
    }
    if cautions.is_empty() {
        return None;
    }
    Some(format!(
        "{}. `provtrace formats check PATH` shows what is not understood, `provtrace formats learn \
         PATH` proposes rules for it",
        cautions.join(". Also, ")
    ))
}

/// What is to be said of logs of which not all was kept: their incidents may be missing.
pub fn cut(skipped: &[Skipped]) -> Option<String> {
    let mut cut = skipped.iter().filter(|skip| skip.reason.ends_with(ONLY_COUNTED));
    let first = &cut.next()?.path;
    let others = match cut.count() {
        0 => String::new(),
        others => format!(" and {others} other logs"),
    };
    Some(format!(
        "a device has more records than are kept of one: what {first}{others} say is missing here, wholly or in part; \
         give a folder with fewer of its logs"
    ))
}

/// How well the logs of one format were understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Lines that continue the record above.
    pub lines_continued: u64,
    /// Of the devices that are not understood, those of which no line tells what its kind does.
    #[serde(skip)]
    devices_silent: u64,
    /// Whether such logs have a wording that can be unknown.
    #[serde(skip)]
    has_wording: bool,
}

/// How the store keeps what is known of a device's formats, with what no report says.
pub mod kept {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::FormatCoverage;

    /// # Errors
    /// Of the serializer.
    pub fn serialize<S: Serializer>(
        formats: &BTreeMap<String, FormatCoverage>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let whole = |own: &FormatCoverage| (own.clone(), own.devices_silent, own.has_wording);
        formats.values().map(whole).collect::<Vec<_>>().serialize(serializer)
    }

    /// # Errors
    /// Of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, FormatCoverage>, D::Error> {
        let formats = Vec::<(FormatCoverage, u64, bool)>::deserialize(deserializer)?;
        let whole = |(own, devices_silent, has_wording): (FormatCoverage, u64, bool)| {
            (own.format.clone(), FormatCoverage { devices_silent, has_wording, ..own })
        };
        Ok(formats.into_iter().map(whole).collect())
    }
}

/// One log, as far as it was understood.
#[derive(Debug, Clone, Copy)]
pub struct LogSeen<'a> {
    /// The name of its format.
    pub format: &'a str,
    /// Whose traces its lines are.
    pub kind: SourceKind,
    /// What became of its lines.
    pub counts: LineCounts,
    /// Whether one of its lines [`tells`] what logs of the kind are read for.
    pub tells: bool,
}

impl LogSeen<'_> {
    /// Whether it goes on in words or stamps that are not known, whatever it begins with.
    fn is_foreign(&self) -> bool {
        let LineCounts { lines, understood, continued, unknown_behind, .. } = self.counts;
        let records = lines - continued;
        let few = records >= ENOUGH && is_few(understood, records);
        let ends = unknown_behind >= FOREIGN_END && unknown_behind * 4 >= records;
        few || ends || continued >= ENOUGH && continued > records * CONTINUED
    }
}

/// Whether so few of the lines are known that their wording isn't.
fn is_few(understood: u64, records: u64) -> bool {
    understood * 100 < records * FEW
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
        self.lines_continued += other.lines_continued;
        self.devices_silent += other.devices_silent;
        self.has_wording |= other.has_wording;
    }

    /// On how many devices it was not understood, and why.
    fn told(&self) -> String {
        let FormatCoverage { format, devices, devices_without_stamps, .. } = self;
        let blind = self.devices_not_understood;
        let why = if blind > 0 && *devices_without_stamps * 2 > blind {
            "no known stamp".to_owned()
        } else if blind > 0 && self.devices_silent * 2 > blind {
            "no known line that tells of a process".to_owned()
        } else if is_few(self.lines_understood, self.lines - self.lines_continued) {
            let records = self.lines - self.lines_continued;
            format!("few known lines, {} of {records},", self.lines_understood)
        } else {
            "logs that go on in words that are not known".to_owned()
        };
        format!("{format} ({why} on {blind} of {devices} devices)")
    }

    /// Whether its wording is not known: on so many devices that it is no accident, or in so many
    /// lines.
    fn is_not_understood(&self) -> bool {
        let blind = self.devices_not_understood;
        let records = self.lines - self.lines_continued;
        let few = self.has_wording && records >= ENOUGH && is_few(self.lines_understood, records);
        few || blind > 0 && blind * 100 >= self.devices * TOO_MANY
    }
}

/// How well a device's logs were understood, by format: the one place that decides it, for all
/// commands.
pub fn of_logs<'a>(
    logs: impl IntoIterator<Item = LogSeen<'a>>,
) -> BTreeMap<String, FormatCoverage> {
    let mut formats: BTreeMap<String, FormatCoverage> = BTreeMap::new();
    // Of each format, whether a log tells anything, and whether one is foreign.
    let mut seen: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for log in logs {
        let own = formats.entry(log.format.to_owned()).or_default();
        own.format = log.format.to_owned();
        own.files += 1;
        own.lines += log.counts.lines;
        own.lines_stamped += log.counts.stamped;
        own.lines_understood += log.counts.understood;
        own.lines_continued += log.counts.continued;
        own.has_wording |= has_wording(log.kind);
        let (tells, foreign) = seen.entry(log.format).or_default();
        // Of a scan each known line tells something: that it lives.
        let lives = log.kind == SourceKind::Vulscan && log.counts.understood > 0;
        *tells |= log.tells || lives;
        *foreign |= log.is_foreign();
    }
    for (name, own) in &mut formats {
        let (tells, foreign) = seen.get(name.as_str()).copied().unwrap_or_default();
        own.devices = u64::from(own.lines > 0);
        let blind = own.has_wording && (!tells || foreign);
        own.devices_not_understood = if blind { own.devices } else { 0 };
        own.devices_silent = if blind && !tells { own.devices } else { 0 };
        let stampless = blind && own.lines_stamped == 0;
        own.devices_without_stamps = if stampless { own.devices } else { 0 };
    }
    formats
}

/// How well a device's logs were understood, by format.
pub fn of_device(sources: &[SourceLog]) -> BTreeMap<String, FormatCoverage> {
    of_logs(sources.iter().map(|log| {
        let tells = log.entries.iter().any(|entry| tells(log.kind, &entry.event));
        LogSeen { format: &log.format, kind: log.kind, counts: log.counts, tells }
    }))
}

/// Whether a log of the kind that says nothing known has another wording: a scheduler's log may
/// well say nothing of interest, and facts are no log.
pub fn has_wording(kind: SourceKind) -> bool {
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
pub fn tells(kind: SourceKind, event: &Event) -> bool {
    let is_run = matches!(
        event,
        Event::RunStarts { .. }
            | Event::RunEnds { .. }
            | Event::ResultReported { .. }
            | Event::Refused { .. }
    );
    let is_step = matches!(
        event,
        Event::ProcessCreated(_) | Event::ProcessExited { .. } | Event::ActionBegins { .. }
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
