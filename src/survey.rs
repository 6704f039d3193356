//! What of a share's logs is understood, and what the rest looks like: `formats check`.

use std::collections::BTreeMap;

use provtrace_parsers::census::{Seen, Shapes};
use provtrace_parsers::engine::{Line, Outcome};
use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::shape;
use provtrace_parsers::text;
use serde::Serialize;

use crate::block::{Block, Sink};
use crate::dates::DateOrders;
use crate::discover::{Device, Share, Skipped};
use crate::ingest::read_source;

/// Of each log so many lines that are not understood are looked at one by one.
const ALL_OF: u64 = 2_000;
/// Behind them, one in so many.
const ONE_IN: u64 = 16;
/// The longest example that is shown, in characters.
const EXAMPLE: usize = 240;
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
    /// Lines that are an event, known noise, or continue a record.
    pub lines_understood: u64,
    /// By format, in order of name.
    pub formats: Vec<FormatSurvey>,
    /// What lines that are not understood look like, most frequent first.
    pub shapes: Vec<Shape>,
    /// Lines that are not understood.
    pub lines_unknown: u64,
    /// Of these, those whose shapes were counted; the others are of logs with very many of them.
    pub lines_looked_at: u64,
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

/// What is understood of one format's logs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FormatSurvey {
    /// Its name.
    pub format: String,
    /// Devices.
    pub devices: u64,
    /// Logs.
    pub files: u64,
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
    /// Lines by the layout that read their stamp.
    pub stamps: BTreeMap<String, u64>,
    /// Lines without a known stamp that continue no record.
    pub without_stamp: u64,
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

/// A line that a shape was seen in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    path: String,
    line: u64,
    text: String,
}

/// One device's part.
#[derive(Debug, Default)]
pub struct DeviceSurvey {
    formats: BTreeMap<String, FormatSurvey>,
    shapes: BTreeMap<String, Shapes<Place>>,
    files: u64,
    bytes: u64,
    looked_at: u64,
    not_understood: Vec<String>,
    skipped: Vec<Skipped>,
}

/// Reads a device.
pub fn of_device(device: &Device, formats: &Formats, progress: &dyn Fn(u64)) -> DeviceSurvey {
    let mut survey = DeviceSurvey::default();
    let mut dates = DateOrders::new(device, formats);
    let mut buffer = Vec::new();
    let mut masked = String::new();
    for (at, source) in device.sources.iter().enumerate() {
        let format = &formats.formats[source.format];
        let shapes = survey.shapes.entry(format.name.clone()).or_default();
        let mut counter = Counter {
            format,
            path: &source.shown,
            own: FormatSurvey::default(),
            stamps: vec![0; format.stamps.len()],
            shapes,
            masked: &mut masked,
            looked_at: 0,
        };
        let read = read_source(source, format, &mut dates, &mut buffer, &mut counter, progress);
        let Counter { mut own, stamps, looked_at, .. } = counter;
        source.release(device.sources.get(at + 1));
        let skipped = |reason: String| Skipped { path: source.shown.clone(), reason };
        match read {
            Err(reason) => survey.skipped.push(skipped(reason)),
            Ok(end) => {
                own.files = 1;
                for (layout, lines) in format.stamps.iter().zip(stamps).filter(|(_, n)| *n > 0) {
                    own.stamps.insert(layout.name.clone(), lines);
                }
                if own.unknown == own.lines && own.lines > 0 {
                    survey.not_understood.push(source.shown.clone());
                }
                survey.files += 1;
                survey.bytes += end.bytes;
                survey.looked_at += looked_at;
                survey.skipped.extend(end.stopped.map(skipped));
                let all = survey.formats.entry(format.name.clone()).or_default();
                all.add(&own);
                all.devices = 1;
            }
        }
    }
    device.release();
    survey
}

/// The devices' parts, put together in their order.
#[derive(Debug, Default)]
pub struct Totals {
    survey: Survey,
    formats: BTreeMap<String, FormatSurvey>,
    shapes: BTreeMap<String, Shapes<Place>>,
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
        for (name, own) in device.formats {
            self.formats.entry(name).or_default().add(&own);
        }
        for (name, own) in device.shapes {
            self.shapes.entry(name).or_default().merge(own);
        }
    }

    /// The whole.
    pub fn finish(self, share: &Share) -> Survey {
        let Totals { mut survey, mut formats, shapes } = self;
        survey.schema = "provtrace.formats.check.v1";
        survey.like_agents.clone_from(&share.like_agents);
        survey.unrecognised = share.unrecognised.len() as u64;
        survey.skipped.extend(share.skipped.iter().cloned());
        survey.skipped.sort();
        for (name, format) in &mut formats {
            format.format.clone_from(name);
            survey.lines += format.lines;
            survey.lines_unknown += format.unknown;
            survey.lines_understood += format.lines - format.unknown;
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
        example: seen.first.text,
        path: seen.first.path,
        line: seen.first.line,
    };
    shapes.joined().into_iter().map(shown).collect()
}

impl FormatSurvey {
    /// Whether no line of it tells anything, though there are some.
    pub fn is_blind(&self) -> bool {
        self.unknown > 0 && self.events == 0
    }

    fn add(&mut self, other: &FormatSurvey) {
        self.devices += other.devices;
        self.files += other.files;
        self.lines += other.lines;
        self.events += other.events;
        self.noise += other.noise;
        self.continued += other.continued;
        self.unknown += other.unknown;
        self.without_stamp += other.without_stamp;
        for (layout, lines) in &other.stamps {
            *self.stamps.entry(layout.clone()).or_default() += lines;
        }
    }
}

/// Counts the lines of one log.
struct Counter<'a> {
    format: &'a Format,
    path: &'a str,
    own: FormatSurvey,
    /// Lines by the index of their layout.
    stamps: Vec<u64>,
    shapes: &'a mut Shapes<Place>,
    masked: &'a mut String,
    looked_at: u64,
}

impl Sink for Counter<'_> {
    fn line(&mut self, line: &Line<'_>, _block: &mut Block<'_>) {
        self.own.lines += 1;
        match line.outcome {
            Outcome::Event => self.own.events += 1,
            Outcome::Noise => self.own.noise += 1,
            Outcome::Continued => self.own.continued += 1,
            Outcome::Unknown => self.own.unknown += 1,
        }
        match line.layout.and_then(|layout| self.stamps.get_mut(layout)) {
            Some(count) => *count += 1,
            None if line.outcome != Outcome::Continued => self.own.without_stamp += 1,
            None => {}
        }
        let number = self.own.unknown;
        let stands_for = if number <= ALL_OF { 1 } else { ONE_IN };
        if line.outcome == Outcome::Unknown && number.is_multiple_of(stands_for) {
            self.looked_at += 1;
            let page = self.format.code_page;
            let message = text::decode(&line.raw[line.message_at..], page);
            shape::mask(&message, self.masked);
            self.shapes.add(self.masked, stands_for, || Place {
                path: self.path.to_owned(),
                line: line.number,
                text: text::decode(line.raw, page).chars().take(EXAMPLE).collect(),
            });
        }
    }

    fn end_block(&mut self, _block: &mut Block<'_>) {}
}
