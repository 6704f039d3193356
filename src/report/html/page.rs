//! What the page's template shows: words and numbers, made harmless; the engine escapes them.

use serde::Serialize;

use crate::chronicle::Chronicle;
use crate::contract::{ClockChange, Report};
use crate::report::html::charts::{self, Heat, Histogram, State, tenth};
use crate::report::html::embedded::Embedded;
use crate::report::plain::{harmless, short};
use crate::report::verdict::{remedy, template_name, verdict};
use crate::report::{course, reading, table};

/// Rows of a ranking; all are in the JSON.
const ROWS: usize = 20;
/// Entries of a list; all are in the JSON.
const ENTRIES: usize = 100;
/// Letters of a name.
const LETTERS: usize = 80;
/// Letters of an entry of a list.
const LINE: usize = 400;

/// All that the template shows.
#[derive(Serialize)]
pub struct Page<'d> {
    version: &'static str,
    style: String,
    script: String,
    nonce: String,
    data: &'d str,
    /// Whether one device alone was read: its picture then goes first.
    single: bool,
    verdict: String,
    remedy: Option<String>,
    caution: Option<String>,
    workaround: Option<String>,
    affected_runs: u64,
    affected_devices: usize,
    templates: Ranking,
    steps: Ranking,
    incidents: u64,
    incidents_listed: usize,
    timelines: Timelines,
    histogram: Option<Histogram>,
    heat: Option<Heat>,
    states: Vec<State>,
    unfinished: List,
    waits: List,
    near_misses: u64,
    coverage: Reading,
    others: Vec<Other>,
    others_more: usize,
    clocks: Vec<Change>,
    clocks_more: usize,
    clock_devices: usize,
}

/// What stands in the page beside the report.
pub struct Parts {
    /// CSS.
    pub style: String,
    /// The script.
    pub script: String,
    /// What both are known by.
    pub nonce: String,
}

#[derive(Serialize)]
struct Timelines {
    affected: usize,
    whole: usize,
    compact: usize,
    left_out: usize,
}

#[derive(Serialize)]
struct Ranking {
    rows: Vec<Ranked>,
    more: usize,
}

/// A template or a step; rates in percent.
#[derive(Serialize)]
struct Ranked {
    rank: u64,
    name: String,
    template: String,
    ordinal: u32,
    hit: u64,
    of: u64,
    rate: f64,
    low: f64,
    high: f64,
    devices: u64,
    minutes_lost: f64,
    workaround: String,
}

#[derive(Serialize)]
struct List {
    all: usize,
    shown: Vec<String>,
}

/// What was read, understood, and what not.
#[derive(Serialize)]
struct Reading {
    devices: u64,
    runs: u64,
    runs_outside: u64,
    refused_outside_runs: u64,
    files: u64,
    megabytes: f64,
    lines: u64,
    understood: u64,
    continued: u64,
    unknown: u64,
    understood_percent: f64,
    known_percent: f64,
    other_files: u64,
    assumed: u64,
    learned: u64,
    ignored_incidents: u64,
    ignored_failures: u64,
    formats: Vec<FormatRow>,
    overlays: List,
    skipped: List,
    unrecognised: List,
    without_zone: List,
    warnings: List,
}

#[derive(Serialize)]
struct FormatRow {
    format: String,
    devices: u64,
    files: u64,
    lines: u64,
    percent: f64,
    not_understood: u64,
}

#[derive(Serialize)]
struct Other {
    hex: String,
    code: u32,
    meaning: String,
    runs: u64,
}

#[derive(Serialize)]
struct Change {
    device: String,
    at: String,
    before: String,
    after: String,
    moved: String,
    known: &'static str,
}

/// Puts the page together.
pub fn of<'d>(
    report: &Report,
    chronicles: &[Chronicle],
    data: &'d Embedded,
    parts: Parts,
) -> Page<'d> {
    let others = report.other_failures.iter().take(ENTRIES).map(|other| Other {
        hex: other.hex.clone(),
        code: other.code,
        meaning: short(&other.meaning, LINE),
        runs: other.runs,
    });
    let mut clock_devices: Vec<&str> =
        report.clock_changes.iter().map(|change| change.device.as_str()).collect();
    clock_devices.dedup();
    Page {
        version: report.tool.version,
        style: parts.style,
        script: parts.script,
        nonce: parts.nonce,
        data: &data.json,
        single: report.coverage.devices == 1,
        verdict: verdict(report),
        remedy: remedy(report),
        caution: report.coverage.caution.as_ref().map(|text| harmless(text).into_owned()),
        workaround: workaround(report),
        affected_runs: report.templates.iter().map(|row| row.affected_runs).sum(),
        affected_devices: report.devices.iter().filter(|device| device.incidents > 0).count(),
        templates: templates(report),
        steps: steps(report),
        incidents: report.incidents.len() as u64,
        incidents_listed: data.incidents,
        timelines: Timelines {
            affected: data.affected,
            whole: data.whole,
            compact: data.compact,
            left_out: data.left_out(),
        },
        histogram: charts::histogram(report, chronicles),
        heat: charts::heat(report, |name| short(&template_name(name), LETTERS)),
        states: charts::states(report),
        unfinished: List::of(report.unfinished_runs.iter().map(course::unfinished)),
        waits: List::of(report.long_waits.iter().map(course::long_wait)),
        near_misses: report.near_misses,
        coverage: reading(report),
        others: others.collect(),
        others_more: report.other_failures.len().saturating_sub(ENTRIES),
        clocks: report.clock_changes.iter().take(ENTRIES).map(change).collect(),
        clocks_more: report.clock_changes.len().saturating_sub(ENTRIES),
        clock_devices: clock_devices.len(),
    }
}

impl List {
    /// The first entries, each of a bounded length.
    fn of(entries: impl ExactSizeIterator<Item = String>) -> List {
        let all = entries.len();
        List { all, shown: entries.take(ENTRIES).map(|entry| short(&entry, LINE)).collect() }
    }
}

/// The sentence on the workaround, if it was in force anywhere.
fn workaround(report: &Report) -> Option<String> {
    let mut text = Vec::new();
    course::workaround(report, &mut text).ok()?;
    let text = String::from_utf8(text).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn templates(report: &Report) -> Ranking {
    let row = |row: &crate::contract::TemplateRow| Ranked {
        rank: row.rank,
        name: short(&template_name(row.template.as_deref()), LETTERS),
        template: String::new(),
        ordinal: 0,
        hit: row.affected_runs,
        of: row.runs,
        rate: percent(row.rate),
        low: percent(row.rate_low),
        high: percent(row.rate_high),
        devices: row.devices,
        minutes_lost: row.minutes_lost,
        workaround: table::workaround(row),
    };
    Ranking {
        rows: report.templates.iter().take(ROWS).map(row).collect(),
        more: report.templates.len().saturating_sub(ROWS),
    }
}

/// The steps that were refused.
fn steps(report: &Report) -> Ranking {
    let hit = report.steps.iter().filter(|step| step.incidents > 0);
    let row = |row: &crate::contract::StepRow| Ranked {
        rank: row.rank,
        name: short(&row.step, LETTERS),
        template: short(&template_name(row.template.as_deref()), LETTERS),
        ordinal: row.ordinal,
        hit: row.incidents,
        of: row.attempts,
        rate: percent(row.rate),
        low: percent(row.rate_low),
        high: percent(row.rate_high),
        devices: 0,
        minutes_lost: 0.0,
        workaround: String::new(),
    };
    Ranking {
        rows: hit.clone().take(ROWS).map(row).collect(),
        more: hit.count().saturating_sub(ROWS),
    }
}

fn percent(rate: f64) -> f64 {
    tenth(rate.clamp(0.0, 1.0) * 100.0)
}

fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { percent(part as f64 / whole as f64) }
}

fn reading(report: &Report) -> Reading {
    let own = &report.coverage;
    let formats = own.formats.iter().map(|format| FormatRow {
        format: short(&format.format, LETTERS),
        devices: format.devices,
        files: format.files,
        lines: format.lines,
        percent: part(format.lines_understood, format.lines),
        not_understood: format.devices_not_understood,
    });
    let skipped = own.skipped.iter().map(|skip| format!("{}: {}", skip.path, skip.reason));
    Reading {
        devices: own.devices,
        runs: own.runs,
        runs_outside: own.runs_outside,
        refused_outside_runs: own.refused_outside_runs,
        files: own.files,
        megabytes: tenth(own.bytes as f64 / 1_000_000.0),
        lines: own.lines,
        understood: own.lines_understood,
        continued: own.lines_continued,
        unknown: own.lines_unknown,
        understood_percent: part(own.lines_understood, own.lines),
        known_percent: part(own.lines_understood + own.lines_continued, own.lines),
        other_files: own.other_files,
        assumed: own.assumed_wording,
        learned: own.learned_wording,
        ignored_incidents: own.ignored.incidents,
        ignored_failures: own.ignored.failures,
        formats: formats.collect(),
        overlays: List::of(own.overlays.iter().cloned()),
        skipped: List::of(skipped),
        unrecognised: List::of(reading::by_name(&own.unrecognised).into_iter()),
        without_zone: List::of(own.devices_without_zone.iter().cloned()),
        warnings: List::of(report.warnings.iter().cloned()),
    }
}

fn change(change: &ClockChange) -> Change {
    use crate::changes::ChangeKnown;
    let seconds = change.moved_seconds.unsigned_abs();
    let sign = if change.moved_seconds < 0 { "−" } else { "+" };
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Change {
        device: short(&change.device, LETTERS),
        at: change.at.replace('T', " "),
        before: change.before.replace('T', " "),
        after: change.after.replace('T', " "),
        moved: format!("{sign}{hours}:{minutes:02}:{seconds:02}"),
        known: match change.known {
            ChangeKnown::BackwardStep => "a log's stamps step back",
            ChangeKnown::WindowsPe => "from Windows PE's clock to the device's zone",
            ChangeKnown::DaylightSaving => "daylight saving ends",
            ChangeKnown::SharedSilence => "several logs fall silent together and go on",
        },
    }
}
