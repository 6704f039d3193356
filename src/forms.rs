//! The lines of one format, each with its shape.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::census::Joiner;
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape;
use provtrace_parsers::stamp::Stamp;

use crate::sample::{SampleLine, SampleLog};

/// Silence that parts two lives of a program, in milliseconds.
const SILENCE: i64 = 300_000;

/// A line with a stamp.
#[derive(Debug, Clone, Copy)]
pub struct Formed<'s> {
    /// When.
    pub at: Stamp,
    /// Its shape, as an index into [`Forms::shapes`]; `None` for a line that is known.
    pub shape: Option<usize>,
    /// The line.
    pub line: &'s SampleLine,
}

/// One log's lines.
#[derive(Debug, Clone)]
pub struct FormedLog<'s> {
    /// The log.
    pub log: &'s SampleLog,
    /// In its order.
    pub lines: Vec<Formed<'s>>,
}

/// All logs of a format.
#[derive(Debug, Clone)]
pub struct Forms<'s> {
    /// Masked messages of lines that are not known.
    pub shapes: Vec<String>,
    /// In order of device and path.
    pub logs: Vec<FormedLog<'s>>,
}

/// A stretch of a log in which a program lives.
#[derive(Debug, Clone, Copy)]
pub struct Life<'f, 's> {
    /// The log.
    pub log: &'f FormedLog<'s>,
    /// Where its lines begin in the log.
    pub first: usize,
    /// Its lines; never empty.
    pub lines: &'f [Formed<'s>],
}

/// How often a shape was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Lines.
    pub lines: u64,
    /// Devices.
    pub devices: BTreeSet<usize>,
}

impl Life<'_, '_> {
    /// Whether one of its lines is known to say something.
    pub fn says(&self, what: Meaning) -> bool {
        self.lines.iter().any(|line| line.line.means == Some(what))
    }

    /// Its first and last moment.
    pub fn span(&self) -> (Stamp, Stamp) {
        (self.lines[0].at, self.lines[self.lines.len() - 1].at)
    }
}

impl<'s> Forms<'s> {
    /// Looks at all logs of a format.
    pub fn new(logs: &[&'s SampleLog]) -> Forms<'s> {
        let mut masks: BTreeMap<String, usize> = BTreeMap::new();
        let mut masked = String::new();
        let mut formed: Vec<FormedLog<'_>> = Vec::new();
        for log in logs {
            let mut lines = Vec::new();
            for line in &log.lines {
                let Some(at) = line.stamp else { continue };
                let shape = (!line.known).then(|| {
                    shape::mask(line.message(), &mut masked);
                    let next = masks.len();
                    *masks.entry(masked.clone()).or_insert(next)
                });
                lines.push(Formed { at, shape, line });
            }
            formed.push(FormedLog { log, lines });
        }
        let joiner = Joiner::new(masks.keys().map(String::as_str));
        let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
        let mut place = vec![0; masks.len()];
        for (masked, at) in &masks {
            let next = shapes.len();
            place[*at] = *shapes.entry(joiner.joined(masked)).or_insert(next);
        }
        for line in formed.iter_mut().flat_map(|log| &mut log.lines) {
            line.shape = line.shape.map(|mask| place[mask]);
        }
        let mut shapes: Vec<(String, usize)> = shapes.into_iter().collect();
        shapes.sort_by_key(|(_, at)| *at);
        Forms { shapes: shapes.into_iter().map(|(shape, _)| shape).collect(), logs: formed }
    }

    /// The lives of the program, as silences and ids part them.
    pub fn lives(&self) -> Vec<Life<'_, 's>> {
        let mut lives = Vec::new();
        for log in &self.logs {
            let parts = |a: &Formed<'_>, b: &Formed<'_>| {
                let gap = b.at.0 - a.at.0;
                let other = a.line.pid.zip(b.line.pid).is_some_and(|(a, b)| a != b);
                (0..SILENCE).contains(&gap) && !other
            };
            let mut first = 0;
            for lines in log.lines.chunk_by(parts) {
                lives.push(Life { log, first, lines });
                first += lines.len();
            }
        }
        lives
    }

    /// Lines and devices of each shape.
    pub fn seen(&self) -> Vec<Seen> {
        let mut seen = vec![Seen::default(); self.shapes.len()];
        for log in &self.logs {
            for shape in log.lines.iter().filter_map(|line| line.shape) {
                seen[shape].lines += 1;
                seen[shape].devices.insert(log.log.device);
            }
        }
        seen
    }

    /// The first line of a shape, with the path of its log.
    pub fn example(&self, shape: usize) -> Option<(&'s SampleLine, &'s str)> {
        self.logs.iter().find_map(|log| {
            let line = log.lines.iter().find(|line| line.shape == Some(shape))?;
            Some((line.line, log.log.path.as_str()))
        })
    }
}
