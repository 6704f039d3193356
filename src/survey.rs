//! What of a share's logs is understood, and what the rest looks like: `formats check`.

use std::collections::BTreeMap;

use provtrace_parsers::census::{Seen, Shapes};
use provtrace_parsers::format::Formats;
use provtrace_parsers::shape;
use serde::Serialize;

use crate::coverage::{self, FormatCoverage, LogSeen};
use crate::dates::DateOrders;
use crate::discover::{Device, Share, Skipped};
use crate::ingest::read_source;
use crate::tally::{Counter, FormatSurvey, Place};

/// Most different messages that are told apart of one format on a device.
const SHAPES_OF_DEVICE: usize = 2_000;
/// Logs that are listed by their lines, those with most that are not understood.
const LOGS: usize = 1_000;
/// Logs in which nothing is understood that are named.
const NAMED: usize = 20;

/// What is understood of a share.
#[derive(Debug, Default, Serialize)]
pub struct Survey {
    /// `provtrace.formats.check.v1`.
    pub schema: &'static str,
    /// Devices with a log that was read.
    pub devices: u64,
    /// Logs that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their lines.
    pub lines: u64,
    /// What is not understood, and what to do: the same as in a report. `None` if all formats are.
    pub caution: Option<String>,
    /// Lines that are an event or known noise.
    pub lines_understood: u64,
    /// Lines that continue a record.
    pub lines_continued: u64,
    /// By format, in order of name.
    pub formats: Vec<FormatSurvey>,
    /// What lines that are not understood look like, most frequent first.
    pub shapes: Vec<Shape>,
    /// Lines that are not understood.
    pub lines_unknown: u64,
    /// Of these, those whose shapes were counted; the others are of logs with very many of them.
    pub lines_looked_at: u64,
    /// Of the lines that are not understood, those in no shape: of more different messages than are told apart.
    pub lines_without_shape: u64,
    /// Logs with lines that are not understood, most such lines first; not more than a thousand.
    pub logs: Vec<LogSurvey>,
    /// Logs in which no line was understood, the first in order of path.
    pub not_understood: Vec<String>,
    /// How many there are.
    pub files_not_understood: u64,
    /// Logs of no known format that speak of the agent's programs.
    pub like_agents: Vec<String>,
    /// Logs by their name that no format fits.
    pub unrecognised: u64,
    /// What could not be read, and why.
    pub skipped: Vec<Skipped>,
}

/// One log's lines, by what became of them.
#[derive(Debug, Clone, Serialize)]
pub struct LogSurvey {
    /// As it is shown.
    pub path: String,
    /// Its format.
    pub format: String,
    /// Lines; the next four add up to it.
    pub lines: u64,
    /// Lines that are an event.
    pub events: u64,
    /// Lines that are known and of no interest.
    pub noise: u64,
    /// Lines that continue a record.
    pub continued: u64,
    /// Lines that are not understood.
    pub unknown: u64,
}

/// What many lines have in common.
#[derive(Debug, Clone, Serialize)]
pub struct Shape {
    /// The format of their logs.
    pub format: String,
    /// With `#` for numbers and words for other variables.
    pub shape: String,
    /// Lines; an estimate if not all were looked at.
    pub lines: u64,
    /// The most devices that have one message of this shape.
    pub devices: u64,
    /// One of the lines, clipped.
    pub example: String,
    /// Where it stands.
    pub path: String,
    /// From 1.
    pub line: u64,
}

/// One device's part.
#[derive(Debug, Default)]
pub struct DeviceSurvey {
    formats: BTreeMap<String, FormatSurvey>,
    shapes: BTreeMap<String, Shapes<Place>>,
    files: u64,
    bytes: u64,
    looked_at: u64,
    understood: BTreeMap<String, FormatCoverage>,
    logs: Vec<LogSurvey>,
    not_understood: Vec<String>,
    skipped: Vec<Skipped>,
}

/// Reads a device.
pub fn of_device(device: &Device, formats: &Formats, progress: &dyn Fn(u64)) -> DeviceSurvey {
    let mut survey = DeviceSurvey::default();
    let mut dates = DateOrders::new(device, formats);
    let mut buffer = Vec::new();
    let mut masked = String::new();
    let mut seen = Vec::new();
    for (at, source) in device.sources.iter().enumerate() {
        let format = &formats.formats[source.format];
        let new = || Shapes::with_room(SHAPES_OF_DEVICE);
        let shapes = survey.shapes.entry(format.name.clone()).or_insert_with(new);
        let mut counter = Counter::new(format, &source.shown, shapes, &mut masked);
        let read = read_source(source, format, &mut dates, &mut buffer, &mut counter, progress);
        let Counter { mut own, stamps, looked_at, tells, .. } = counter;
        source.release(device.sources.get(at + 1));
        let skipped = |reason: String| Skipped { path: source.shown.clone(), reason };
        match read {
            Err(reason) => survey.skipped.push(skipped(reason)),
            Ok(end) => {
                let (kind, counts) = (format.kind, end.counts);
                seen.push(LogSeen { format: &format.name, kind, counts, tells });
                own.files = 1;
                for (layout, lines) in format.stamps.iter().zip(stamps).filter(|(_, n)| *n > 0) {
                    own.stamps.insert(layout.name.clone(), lines);
                }
                survey.bytes += end.bytes;
                survey.looked_at += looked_at;
                survey.skipped.extend(end.stopped.map(skipped));
                survey.add(&own, &format.name, &source.shown);
            }
        }
    }
    device.release();
    survey.understood = coverage::of_logs(seen);
    survey
}

impl DeviceSurvey {
    /// Adds a log.
    fn add(&mut self, own: &FormatSurvey, format: &str, path: &str) {
        self.files += 1;
        if own.unknown == own.lines && own.lines > 0 {
            self.not_understood.push(path.to_owned());
        }
        if own.unknown > 0 {
            let FormatSurvey { lines, events, noise, continued, unknown, .. } = *own;
            let (path, format) = (path.to_owned(), format.to_owned());
            self.logs.push(LogSurvey { path, format, lines, events, noise, continued, unknown });
            if self.logs.len() >= 2 * LOGS {
                most_unknown(&mut self.logs);
            }
        }
        let all = self.formats.entry(format.to_owned()).or_default();
        all.add(own);
        all.devices = 1;
    }
}

/// Leaves the logs with most lines that are not understood, in order.
fn most_unknown(logs: &mut Vec<LogSurvey>) {
    logs.sort_by(|a, b| b.unknown.cmp(&a.unknown).then_with(|| a.path.cmp(&b.path)));
    logs.truncate(LOGS);
}

/// The devices' parts, put together in their order.
#[derive(Debug, Default)]
pub struct Totals {
    survey: Survey,
    formats: BTreeMap<String, FormatSurvey>,
    shapes: BTreeMap<String, Shapes<Place>>,
    understood: Vec<FormatCoverage>,
}

impl Totals {
    /// Adds the next device.
    pub fn add(&mut self, device: DeviceSurvey) {
        let survey = &mut self.survey;
        survey.devices += u64::from(device.files > 0);
        survey.files += device.files;
        survey.bytes += device.bytes;
        survey.lines_looked_at += device.looked_at;
        survey.files_not_understood += device.not_understood.len() as u64;
        survey.not_understood.extend(device.not_understood);
        survey.not_understood.truncate(NAMED);
        survey.skipped.extend(device.skipped);
        survey.logs.extend(device.logs);
        most_unknown(&mut survey.logs);
        let before = self.understood.drain(..).map(|own| (own.format.clone(), own)).collect();
        self.understood = coverage::merged([&before, &device.understood].into_iter());
        for (name, own) in device.formats {
            self.formats.entry(name).or_default().add(&own);
        }
        for (name, own) in device.shapes {
            self.shapes.entry(name).or_default().merge(own);
        }
    }

    /// The whole.
    pub fn finish(self, share: &Share) -> Survey {
        let Totals { mut survey, mut formats, shapes, understood } = self;
        survey.schema = "provtrace.formats.check.v1";
        survey.like_agents.clone_from(&share.like_agents);
        survey.unrecognised = share.unrecognised.len() as u64;
        survey.skipped.extend(share.skipped.iter().cloned());
        survey.skipped.sort();
        survey.caution = coverage::caution(&understood, &share.like_agents);
        survey.lines_without_shape = shapes.values().map(|shapes| shapes.others).sum();
        for own in understood {
            if let Some(format) = formats.get_mut(&own.format) {
                format.devices_not_understood = own.devices_not_understood;
            }
        }
        for (name, format) in &mut formats {
            format.format.clone_from(name);
            survey.lines += format.lines;
            survey.lines_unknown += format.unknown;
            survey.lines_understood += format.events + format.noise;
            survey.lines_continued += format.continued;
        }
        survey.formats = formats.into_values().collect();
        survey.shapes = shapes.iter().flat_map(|(name, shapes)| shown(name, shapes)).collect();
        survey.shapes.sort_by(|a, b| {
            let (by_a, by_b) = ((&a.format, &a.shape), (&b.format, &b.shape));
            b.lines.cmp(&a.lines).then_with(|| by_a.cmp(&by_b))
        });
        survey
    }
}

/// The shapes of one format, for people.
fn shown(format: &str, shapes: &Shapes<Place>) -> Vec<Shape> {
    let shown = |(masked, seen): (String, Seen<Place>)| Shape {
        format: format.to_owned(),
        shape: shape::shown(&masked),
        lines: seen.lines,
        devices: seen.devices,
        example: seen.first.text.into(),
        path: seen.first.path.to_string(),
        line: seen.first.line,
    };
    shapes.joined().into_iter().map(shown).collect()
}
