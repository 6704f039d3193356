//! A line, as read, and what became of it.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::stamp::Stamp;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A rule gave an event.
    Event,
    /// Known, of no interest.
    Noise,
    /// No stamp and no rule: it continues the record above.
    Continued,
    /// Not understood.
    Unknown,
}

/// Counts of lines; understood, continued and unknown ones add up to all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCounts {
    /// All lines.
    pub lines: u64,
    /// Events and known noise.
    pub understood: u64,
    /// Continuations.
    pub continued: u64,
    /// The rest.
    pub unknown: u64,
    /// Of all lines, those with a stamp of their own.
    pub stamped: u64,
    /// Of one log, unknown lines behind the last one that was understood.
    pub unknown_behind: u64,
}

impl LineCounts {
    /// Adds another log's counts; what stands behind its last known line is its own.
    pub fn add(&mut self, other: LineCounts) {
        self.lines += other.lines;
        self.understood += other.understood;
        self.continued += other.continued;
        self.unknown += other.unknown;
        self.stamped += other.stamped;
    }
}

/// What reading took beyond a look at each byte: held to bounds by a test, since times differ
/// from machine to machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes of lines that were searched for the words of all rules.
    pub searched: u64,
    /// Patterns that were tried on a message.
    pub tried: u64,
    /// Stamps that were parsed, not taken from the line before.
    pub parsed: u64,
}

/// One line, as read.
#[derive(Debug)]
pub struct Line<'a> {
    /// From 1.
    pub number: u64,
    /// Lines right before it that were passed over, since it takes their place.
    pub passed: u64,
    /// Bytes from the start of the text that was given to the reader.
    pub offset: u64,
    /// The line without its line end.
    pub raw: &'a [u8],
    /// Its own stamp; for an event on a line without one, the stamp of the record above.
    pub stamp: Option<Stamp>,
    /// Process id in the envelope.
    pub pid: Option<u32>,
    /// Thread id in the envelope.
    pub tid: Option<u32>,
    /// Which of the format's layouts read its own stamp; `None` for a line without one.
    pub layout: Option<usize>,
    /// Where its message begins, in bytes of `raw`.
    pub message_at: usize,
    /// What became of it.
    pub outcome: Outcome,
    /// The event, for [`Outcome::Event`].
    pub event: Option<Event>,
    /// The index of the rule that matched.
    pub rule: Option<usize>,
}

/// How a block of text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockEnd {
    /// More follows; a line without its end is left for the next block.
    More,
    /// More follows, but the caller has no room: a line without its end is taken as it
    /// stands and its rest is passed over.
    Full,
    /// Nothing follows.
    Last,
}
