//! A device's sources → its records.
//!
//! What is kept of a log: every event, and of the lines that only show that the program
//! lived both edges of every silence and one in [`KEEP_EVERY`]. So a device's memory grows
//! with what happened, not with the size of its logs. Quoted text is copied as it is read:
//! a file on a share may be another one a moment later.

use provtrace_parsers::engine::{Line, Outcome, Run};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::Format;
use provtrace_parsers::stamp::{DateOrder, Stamp};
use serde::{Deserialize, Serialize};

use crate::block::{Block, Sink};
use crate::dates::{DateOrders, Dates};
use crate::discover::Source;
use crate::eventlog;
use crate::logs::{Entry, Quote, room_of};
use crate::source::{OpenSource, ReadEnd};

/// Of lines that only show life, one in so many milliseconds is kept, besides the edges.
const KEEP_EVERY: i64 = 30_000;
/// The shortest silence whose edges are kept, in milliseconds: the stamps of most logs are whole
/// seconds, and a program that works writes several lines in one.
const SILENCE: i64 = 1_000;

/// Times before 1995 and from 2090 on are no times of these programs: milliseconds since 1970.
pub const PLAUSIBLE: std::ops::Range<i64> = 788_918_400_000..3_786_912_000_000;

/// Most bytes that the kept records of one device take.
pub const MOST_KEPT: usize = 32 << 20;

/// Reads one source to its end; `buffer` is memory that goes from source to source.
///
/// # Errors
/// Why nothing of it could be read.
pub fn read_source(
    source: &Source,
    format: &Format,
    dates: &mut DateOrders<'_>,
    buffer: &mut Vec<u8>,
    sink: &mut impl Sink,
    progress: &dyn Fn(u64),
) -> Result<ReadEnd, String> {
    let open = OpenSource::open(source, format, std::mem::take(buffer))?;
    let order = match open.date_order().filter(|_| format.event_log.is_none()) {
        None => DateOrder::MonthFirst,
        Some(Some(order)) => order,
        Some(None) => dates.of_device(|| Dates::of(&open, true), source),
    };
    read_open(open, order, format, buffer, sink, progress)
}

/// Reads a source that is open to its end, with slash dates read in `order`.
///
/// # Errors
/// Why nothing of it could be read.
pub fn read_open(
    open: OpenSource<'_>,
    order: DateOrder,
    format: &Format,
    buffer: &mut Vec<u8>,
    sink: &mut impl Sink,
    progress: &dyn Fn(u64),
) -> Result<ReadEnd, String> {
    let (memory, end) = match &format.event_log {
        Some(rules) => eventlog::read(open, rules, sink, progress),
        None => open.read(order, sink, progress),
    };
    *buffer = memory;
    end
}

/// What the reason ends with why not all records of a log were kept: it is told by that again, in stores, too.
pub const ONLY_COUNTED: &str = "were only counted";

/// Keeps what the timeline needs of a source's lines.
pub struct Keeper<'f> {
    format: &'f Format,
    /// What is kept.
    pub entries: Vec<Entry>,
    dropped: u64,
    /// Records whose time is none of these programs.
    impossible: u64,
    /// Bytes that may still be kept.
    pub room: usize,
    /// The last stamped line, not kept yet; its text is still in the block.
    last: Option<Last>,
    /// The same from an earlier block.
    carried: Option<Entry>,
    kept_at: Option<Stamp>,
    /// The line before was the first one after a silence: the next one tells whether a program
    /// was launched there or one line came alone.
    after_first: bool,
    /// What it knew behind the last whole line.
    pub paused: Option<Kept>,
}

/// What a keeper knows between two lines: another one, made with it, goes on as this one would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// How many records it kept.
    entries: usize,
    dropped: u64,
    impossible: u64,
    carried: Option<Entry>,
    kept_at: Option<Stamp>,
    after_first: bool,
}

/// A line that only shows life.
#[derive(Debug, Clone, Copy)]
struct Last {
    number: u64,
    offset: u64,
    length: usize,
    stamp: Stamp,
    pid: Option<u32>,
    tid: Option<u32>,
    /// Which rule knew it.
    rule: Option<usize>,
    /// Which layout its stamp has.
    layout: Option<usize>,
}

impl<'f> Keeper<'f> {
    /// A keeper that may keep so many bytes.
    pub fn new(format: &'f Format, room: usize) -> Keeper<'f> {
        Keeper {
            format,
            entries: Vec::new(),
            dropped: 0,
            impossible: 0,
            room,
            last: None,
            carried: None,
            kept_at: None,
            after_first: false,
            paused: None,
        }
    }

    /// A keeper that goes on where another one stood, with what that one kept.
    pub fn resume(format: &'f Format, room: usize, kept: Kept, mut entries: Vec<Entry>) -> Self {
        let Kept { dropped, impossible, carried, kept_at, after_first, .. } = kept;
        entries.truncate(kept.entries);
        let room = room.saturating_sub(room_of(&entries));
        let new = Keeper::new(format, room);
        Keeper { entries, dropped, impossible, carried, kept_at, after_first, ..new }
    }

    /// The last line of a source is the end of what it shows.
    pub fn finish(&mut self) {
        if let Some(entry) = self.carried.take() {
            self.keep(entry);
        }
    }

    /// What was read and not kept.
    pub fn dropped(&self) -> Option<String> {
        let Keeper { dropped, .. } = self;
        (*dropped > 0).then(|| {
            let room = MOST_KEPT >> 20;
            format!("partly read: {dropped} records beyond the {room} MiB that are kept of a device {ONLY_COUNTED}")
        })
    }

    /// What has a time that can't be.
    pub fn impossible(&self) -> Option<String> {
        let Keeper { impossible, .. } = self;
        (*impossible > 0).then(|| format!("{impossible} lines have an impossible date (before 1995, or from 2090 on) and were not placed in time"))
    }

    fn keep(&mut self, entry: Entry) {
        if let Some(stamp) = entry.stamp() {
            self.kept_at = Some(stamp);
        }
        let taken = room_of(std::slice::from_ref(&entry));
        if taken <= self.room {
            self.room -= taken;
            self.entries.push(entry);
        } else {
            self.dropped += 1;
        }
    }

    fn keep_last(&mut self, block: &mut Block<'_>) {
        if let Some(entry) = self.carried.take() {
            self.keep(entry);
        }
        if let Some(last) = self.last.take() {
            let entry = last.entry(self.format, block);
            self.keep(entry);
        }
    }

    /// Keeps the line before, if `stamp` comes after a silence (or before it, by a jump).
    fn edge(&mut self, stamp: Stamp, pid: Option<u32>, block: &mut Block<'_>) -> bool {
        let last_pid = self.last.map(|last| last.pid);
        let last_pid = last_pid.or(self.carried.as_ref().map(|entry| entry.pid)).flatten();
        let other_pid = last_pid.zip(pid).is_some_and(|(last, pid)| last != pid);
        let before = self.last.map(|last| last.stamp);
        let before =
            before.or(self.carried.as_ref().and_then(|entry| entry.stamp())).or(self.kept_at);
        let silence = before.is_some_and(|before| {
            let gap = stamp.0 - before.0;
            !(0..=SILENCE).contains(&gap)
        });
        let due = self.kept_at.is_none_or(|kept| stamp.0 - kept.0 > KEEP_EVERY);
        if silence || due || other_pid {
            self.keep_last(block);
        }
        let first = silence || other_pid || self.kept_at.is_none();
        let second = std::mem::replace(&mut self.after_first, first);
        first || second
    }
}

impl Last {
    fn of(line: &Line<'_>, stamp: Stamp) -> Last {
        Last {
            number: line.number,
            offset: line.offset,
            length: line.raw.len(),
            stamp,
            pid: line.pid,
            tid: line.tid,
            rule: line.rule,
            layout: line.layout,
        }
    }

    fn entry(&self, format: &Format, block: &mut Block<'_>) -> Entry {
        let (offset, length, text) = block.quote(self.offset, self.length);
        Entry {
            stamp: Some(self.stamp).into(),
            logged: Some(self.stamp).into(),
            pid: self.pid,
            tid: self.tid,
            event: Event::Alive,
            mark: format.mark_of(self.rule, self.layout),
            quote: Quote { line: self.number, offset, length, text },
        }
    }
}

impl Sink for Keeper<'_> {
    #[inline]
    fn line(&mut self, line: &Line<'_>, block: &mut Block<'_>) {
        let passed_over = if line.passed > 0 { line.stamp } else { None };
        if let Some(stamp) = passed_over.or_else(|| self.goes_on(line)) {
            self.last = Some(Last::of(line, stamp));
        } else {
            self.turn(line, block);
        }
    }

    /// The lines that [`Keeper::edge`] would keep nothing for: each only takes the place of the one before.
    #[inline]
    fn run(&self, line: &Line<'_>) -> Option<Run> {
        let (last, kept_at) = (self.last.as_ref()?, self.kept_at?);
        let until = Stamp((kept_at.0 + KEEP_EVERY).min(PLAUSIBLE.end - 1));
        let begins = last.number == line.number && !self.after_first;
        begins.then_some(Run { from: last.stamp, until, gap: SILENCE })
    }

    fn end_block(&mut self, block: &mut Block<'_>) {
        if let Some(last) = self.last.take() {
            self.carried = Some(last.entry(self.format, block));
        }
    }

    fn pause(&mut self) {
        self.paused = Some(Kept {
            entries: self.entries.len(),
            dropped: self.dropped,
            impossible: self.impossible,
            carried: self.carried.clone(),
            kept_at: self.kept_at,
            after_first: self.after_first,
        });
    }
}

impl Keeper<'_> {
    /// The stamp of a line that shows life in the same second as the line before it, which is
    /// not to be kept: it only takes that one's place. [`Keeper::edge`] would say so, too.
    #[inline]
    fn goes_on(&self, line: &Line<'_>) -> Option<Stamp> {
        let (last, kept_at) = (self.last.as_ref()?, self.kept_at?);
        let shows_life = matches!(line.event, None | Some(Event::Alive))
            && line.outcome != Outcome::Continued
            && line.stamp == Some(last.stamp)
            && line.pid == last.pid;
        let is_due = last.stamp.0 - kept_at.0 > KEEP_EVERY;
        (shows_life && !is_due && !self.after_first).then_some(last.stamp)
    }

    /// A line that may be kept, or end what is.
    fn turn(&mut self, line: &Line<'_>, block: &mut Block<'_>) {
        let mark = self.format.mark_of(line.rule, line.layout);
        let stamp = line.stamp.filter(|stamp| PLAUSIBLE.contains(&stamp.0));
        self.impossible += u64::from(stamp.is_none() && line.stamp.is_some());
        match (&line.event, stamp) {
            (Some(event), stamp) if *event != Event::Alive => {
                if let Some(stamp) = stamp {
                    self.edge(stamp, line.pid, block);
                }
                // The line before an event is the end of what came before it.
                self.keep_last(block);
                let (offset, length, text) = block.quote(line.offset, line.raw.len());
                self.keep(Entry {
                    stamp: stamp.into(),
                    logged: stamp.into(),
                    pid: line.pid,
                    tid: line.tid,
                    event: event.clone(),
                    mark: mark.or(self.format.xml.as_ref().map(|xml| xml.mark)).or(event.mark()),
                    quote: Quote { line: line.number, offset, length, text },
                });
            }
            (_, Some(stamp)) if line.outcome != Outcome::Continued => {
                let is_edge = self.edge(stamp, line.pid, block);
                self.carried = None;
                self.last = Some(Last::of(line, stamp));
                if is_edge {
                    self.keep_last(block);
                }
            }
            (Some(_) | None, _) => {}
        }
    }
}
