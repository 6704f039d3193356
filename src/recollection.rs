//! What is remembered of a source that was read, and what is to be done with one.

use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::stamp::DateOrder;
use serde::{Deserialize, Serialize};

use crate::dates::Dates;
use crate::discover::{Skipped, Source};
use crate::fingerprint::Fingerprint;
use crate::ingest::{Kept, MOST_KEPT, ONLY_COUNTED};
use crate::logs::{DeviceLogs, SourceLog};
use crate::source::Place;

/// What is remembered of a source that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recollection {
    /// Its records.
    pub log: SourceLog,
    /// Why it was not read wholly.
    pub skipped: Vec<String>,
    /// What a reader of the report should know of it.
    pub warnings: Vec<String>,
    /// Whether reading it again may give more, though it is the same file.
    pub broken: bool,
    /// What the file was, up to where reading can go on, or to its end.
    pub fingerprint: Fingerprint,
    /// Where that is.
    pub place: Option<(Place, Kept)>,
    /// What its dates say.
    pub dates: Dates,
    /// How its slash dates were read.
    pub order: DateOrder,
}

impl Recollection {
    /// A log of one task from which records are missing keeps none: half of it would show a step without an end.
    pub fn wholly_or_not(mut self) -> Recollection {
        if self.log.task.is_some() && self.is_cut() {
            self.log.entries = Vec::new();
            self.skipped = vec![format!(
                "partly read: all its records, beyond the {} MiB that are kept of a device, {ONLY_COUNTED}",
                MOST_KEPT >> 20
            )];
        }
        self
    }

    /// Whether there was no room for some of its records.
    pub fn is_cut(&self) -> bool {
        self.skipped.iter().any(|reason| reason.ends_with(ONLY_COUNTED))
    }
}

/// Bytes of a log that goes first where room is short.
const MOST_OF_FIRST: u64 = 8 << 20;

/// Whether a log goes first where room is short: what tells of runs, launches and scans, and not a log of one
/// task of thousands, nor the history of years.
pub fn goes_first(source: &Source, formats: &Formats) -> bool {
    let of_task =
        source.task.is_some() && formats.formats[source.format].kind == SourceKind::Sdclient;
    !of_task && source.bytes <= MOST_OF_FIRST
}

/// What is to be done with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is read whole.
    Whole,
    /// It is what it was: not opened.
    Same,
    /// It may have grown: what follows is read, or all, if it did not.
    Grown,
    /// It is not there: only what is remembered is.
    Gone,
}

/// A source, and what is remembered of it.
#[derive(Debug)]
pub struct Part {
    /// What is to be done.
    pub fate: Fate,
    /// What is remembered.
    pub known: Option<Reading>,
}

/// What was read of one source, or why nothing was.
pub type Reading = Result<Recollection, Unread>;

/// Why nothing of a source was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// For people.
    pub reason: String,
    /// Whether reading it again may give more, though it is the same file.
    pub broken: bool,
}

/// Who is told how far reading is.
pub struct Watcher<'w> {
    /// Of bytes, as they are read.
    pub bytes: &'w dyn Fn(u64),
    /// Of each source, by its number, as it begins.
    pub source: &'w dyn Fn(usize),
}

impl DeviceLogs {
    /// Takes what was read of a source.
    pub fn add(&mut self, path: &str, reading: Reading) {
        let skipped = |reason: String| Skipped { path: path.to_owned(), reason };
        match reading {
            Ok(known) => {
                self.skipped.extend(known.skipped.into_iter().map(skipped));
                self.warnings.extend(known.warnings.iter().map(|why| format!("{path}: {why}")));
                self.sources.push(known.log);
            }
            Err(unread) => self.skipped.push(skipped(unread.reason)),
        }
    }
}
