//! The lines of one log, counted by what became of them and by their shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use provtrace_parsers::census::{self, Shapes};
use provtrace_parsers::engine::{Line, Outcome};
use provtrace_parsers::format::Format;
use provtrace_parsers::shape;
use provtrace_parsers::text;
use serde::Serialize;

use crate::block::{Block, Sink};
use crate::coverage;

/// Of each log so many lines that are not understood are looked at one by one.
pub const ALL_OF: u64 = 500;
/// Behind them, one in so many.
pub const ONE_IN: u64 = 16;
/// The longest example that is shown, in characters.
const EXAMPLE: usize = 240;

/// What is understood of one format's logs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FormatSurvey {
    /// Its name.
    pub format: String,
    /// Devices.
    pub devices: u64,
    /// Of these, the ones that are not understood, as reports have it.
    pub devices_not_understood: u64,
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

/// A line that a shape was seen in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The log.
    pub path: Arc<str>,
    /// From 1.
    pub line: u64,
    /// The line, clipped.
    pub text: Box<str>,
}

impl FormatSurvey {
    /// Adds other logs.
    pub fn add(&mut self, other: &FormatSurvey) {
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
pub struct Counter<'a> {
    format: &'a Format,
    path: Arc<str>,
    /// Its lines, without the names of stamps.
    pub own: FormatSurvey,
    /// Lines by the index of their layout.
    pub stamps: Vec<u64>,
    shapes: &'a mut Shapes<Place>,
    masked: &'a mut String,
    /// Lines whose shape was counted.
    pub looked_at: u64,
    /// Whether a line tells what such logs are read for.
    pub tells: bool,
    /// Made of the path: so that each log has its own lines looked at.
    seed: u64,
}

impl<'a> Counter<'a> {
    /// Nothing counted yet; `shapes` are those of the device, `masked` is room to work in.
    pub fn new(
        format: &'a Format,
        path: &str,
        shapes: &'a mut Shapes<Place>,
        masked: &'a mut String,
    ) -> Counter<'a> {
        Counter {
            format,
            path: path.into(),
            own: FormatSurvey::default(),
            stamps: vec![0; format.stamps.len()],
            shapes,
            masked,
            looked_at: 0,
            tells: false,
            seed: census::look(path.as_bytes()),
        }
    }

    /// How many lines one that is not understood stands for, if it is looked at. Which ones are
    /// hangs on nothing that a log repeats: each n-th would see of lines that take turns only some.
    fn stands_for(&self, line: u64) -> Option<u64> {
        if self.own.unknown <= ALL_OF {
            return Some(1);
        }
        mixed(self.seed ^ line).is_multiple_of(ONE_IN).then_some(ONE_IN)
    }

    /// Counts the shape of a line.
    fn look_at(&mut self, line: &Line<'_>, stands_for: u64) {
        self.looked_at += 1;
        let (page, message) = (self.format.code_page, &line.raw[line.message_at..]);
        let look = census::look(message);
        if self.shapes.add_look(look, stands_for) {
            return;
        }
        shape::mask(&text::decode(message, page), self.masked);
        self.shapes.add(look, self.masked, stands_for, || Place {
            path: Arc::clone(&self.path),
            line: line.number,
            text: text::decode(line.raw, page).chars().take(EXAMPLE).collect::<String>().into(),
        });
    }
}

/// A number that looks as if picked at random (the last steps of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
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
        let kind = self.format.kind;
        self.tells |= line.event.as_ref().is_some_and(|event| coverage::tells(kind, event));
        match line.layout.and_then(|layout| self.stamps.get_mut(layout)) {
            Some(count) => *count += 1,
            None if line.outcome != Outcome::Continued => self.own.without_stamp += 1,
            None => {}
        }
        if line.outcome == Outcome::Unknown
            && let Some(stands_for) = self.stands_for(line.number)
        {
            self.look_at(line, stands_for);
        }
    }

    fn end_block(&mut self, _block: &mut Block<'_>) {}
}
