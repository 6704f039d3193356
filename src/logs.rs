//! The records that were kept of a device's logs.

use provtrace_parsers::engine::LineCounts;
use provtrace_parsers::event::{Event, Mark};
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::{MaybeStamp, Stamp};
use serde::{Deserialize, Serialize};

use crate::discover::Skipped;

/// A line as it can be quoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// From 1.
    pub line: u64,
    /// Bytes in the raw file.
    pub offset: u64,
    /// Bytes in the raw file, without the line end.
    pub length: u64,
    /// The line, decoded.
    pub text: Box<str>,
}

/// A record that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// See [`Entry::stamp`].
    pub stamp: MaybeStamp,
    /// See [`Entry::logged`].
    pub logged: MaybeStamp,
    /// Process id in the envelope.
    pub pid: Option<u32>,
    /// Thread id in the envelope.
    pub tid: Option<u32>,
    /// What it says.
    pub event: Event,
    /// The mark of the rule; `None` for a stamped line that no rule knows.
    pub mark: Option<Mark>,
    /// The line.
    pub quote: Quote,
}

impl Entry {
    /// When, on the device's axis: as its log prints it, until `axis.rs` has put it there.
    /// `None` for records of logs without stamps.
    pub fn stamp(&self) -> Option<Stamp> {
        self.stamp.get()
    }

    /// Puts it on the axis, or off it.
    pub fn place(&mut self, at: Option<Stamp>) {
        self.stamp = at.into();
    }

    /// When, as its log prints it.
    pub fn logged(&self) -> Option<Stamp> {
        self.logged.get()
    }
}

/// One log, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLog {
    /// The file that it lies in, as shown.
    pub path: Box<str>,
    /// Its name in that file, if the file is an archive.
    pub member: Option<Box<str>>,
    /// The name of its format.
    pub format: Box<str>,
    /// Whose traces its lines are.
    pub kind: SourceKind,
    /// The task id in the file's name.
    pub task: Option<Box<str>>,
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// What became of its lines.
    pub counts: LineCounts,
    /// Bytes read.
    pub bytes: u64,
}

/// All of a device's logs.
#[derive(Debug, Clone, Default)]
pub struct DeviceLogs {
    /// The device's name.
    pub device: String,
    /// In order of path.
    pub sources: Vec<SourceLog>,
    /// Sources that could not be read, or not to their end.
    pub skipped: Vec<Skipped>,
    /// What a reader of the report should know.
    pub warnings: Vec<String>,
}

/// Bytes that records take, about: what stands in [`Entry`], their lines and the texts of their events; what
/// an allocator adds is not counted, nor what some rare events keep apart.
pub fn room_of(entries: &[Entry]) -> usize {
    let one = |entry: &Entry| ENTRY + entry.quote.text.len() + entry.event.text_length();
    entries.iter().map(one).sum()
}

/// Bytes of an [`Entry`] without its texts, on any machine: what is kept of a device must not depend on one.
const ENTRY: usize = 112;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_stored_as_one_that_may_be_missing() {
        for stamp in [None, Some(Stamp(0)), Some(Stamp(1_742_800_000_123)), Some(Stamp(i64::MAX))] {
            let own = MaybeStamp::from(stamp);
            assert_eq!(own.get(), stamp);
            let stored = postcard::to_stdvec(&own).expect("stored");
            assert_eq!(stored, postcard::to_stdvec(&stamp).expect("stored"));
            assert_eq!(postcard::from_bytes::<MaybeStamp>(&stored), Ok(own));
        }
    }

    #[test]
    fn a_record_without_its_texts_takes_no_more_room_than_is_counted() {
        let size = std::mem::size_of::<Entry>();
        assert!(size <= ENTRY, "{size} bytes: a device may have hundreds of thousands");
    }
}
