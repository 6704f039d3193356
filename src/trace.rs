//! One program's own log → the lifetimes that it shows.
//!
//! Markers are rare: no start or end line of vulscan was ever seen in public. So the rules
//! are about silence: what a silence is depends on the program, on what was stated before
//! it, and on what other processes did in it.

use std::collections::BTreeMap;

use provtrace_parsers::event::Event;
use provtrace_parsers::stamp::Stamp;

use crate::lifetime::{EntryRef, Known, Lifetime, Program, SLACK, Span};
use crate::logs::{DeviceLogs, Entry};
use crate::room::exact;
use crate::spans::{Spans, later};

/// A silence that ends a scan or a policy sync of which no end is stated, in seconds.
const QUIET: i64 = 300;
/// The same where the lines behind it are those of a launch, in seconds.
const QUIET_BEFORE_LAUNCH: i64 = 90;
/// The same for a deployment: installers write nothing for long.
const QUIET_DEPLOYMENT: i64 = 3600;
/// The same once it has reported its result.
const QUIET_AFTER_RESULT: i64 = 15;
/// The longest silence inside a lifetime whose start is stated and whose end follows.
const LONGEST: i64 = 6 * 3600;
/// Lines that a program still writes after it has stated its end, in seconds.
const TAIL: i64 = 5;
/// How long after a deployment's end a scan that waited for it has written, in seconds.
pub const WAKE: i64 = 90;
/// How long a scan writes before it falls silent to wait, in seconds.
const PRELUDE: i64 = 30;

/// How long after another scan's end the first line of one that waited for it comes, in seconds.
const FOLLOWS: i64 = 12;
/// What a line's message begins behind: hours, minutes, seconds.
const CLOCK: usize = "00:00:00".len();
/// How long after lines behind a stated end more lines belong to the same process, in seconds.
const GOES_ON: i64 = 60;

/// What is known beforehand about the processes whose log is read.
#[derive(Debug, Default)]
pub struct Hints {
    /// Such processes as their parent saw them, in order of start.
    pub parents: Vec<Span>,
    /// Deployments that a scan may have waited for.
    pub deployments: Spans,
}

impl Hints {
    /// When the parent saw the end of the process that wrote its first line at `start`.
    fn parent_end(&self, start: Stamp) -> Option<Stamp> {
        let after = self.parents.partition_point(|span| span.start <= later(start, SLACK));
        let last = self.parents[..after].last()?;
        let near = start.seconds_since(last.start).abs() <= SLACK;
        (near && last.end > start).then_some(last.end)
    }

    /// Whether the parent started such a process after `last` and not after `stamp`.
    fn parent_starts(&self, last: Stamp, stamp: Stamp) -> bool {
        let after = self.parents.partition_point(|span| span.start <= last);
        self.parents.get(after).is_some_and(|span| span.start <= stamp)
    }
}

/// Cuts the records of one program's log into lifetimes. `entries` are in order of time.
///
/// Two processes may write to one log side by side. That is only told apart where the parent
/// saw the first one's end, or the second one says that it waits: what states an end then is
/// the first one's.
pub fn own_lifetimes(
    logs: &DeviceLogs,
    program: Program,
    entries: &[EntryRef],
    hints: &Hints,
) -> Vec<Lifetime> {
    // Where the log names its processes, each has its own sequence.
    let mut by_pid: BTreeMap<Option<u32>, Vec<EntryRef>> = BTreeMap::new();
    for place in entries {
        by_pid.entry(logs.entry(*place).pid).or_default().push(*place);
    }
    let mut lifetimes = Vec::new();
    for places in by_pid.values() {
        let mut cutter = Cutter::new(logs, program, hints);
        for (at, place) in places.iter().enumerate() {
            let entry = logs.entry(*place);
            let Some(stamp) = entry.stamp() else { continue };
            let next = places.get(at + 1).and_then(|next| logs.entry(*next).stamp());
            let alone = next.is_none_or(|next| next.seconds_since(stamp) >= 1);
            cutter.record(Record { place: *place, stamp, entry, alone });
        }
        lifetimes.extend(cutter.lifetimes);
    }
    lifetimes.sort_by_key(|lifetime| (lifetime.start.at, lifetime.start.entry));
    for own in &mut lifetimes {
        own.traces = exact(std::mem::take(&mut own.traces));
        own.codes = exact(std::mem::take(&mut own.codes));
    }
    lifetimes
}

/// A record of a program's own log.
#[derive(Clone, Copy)]
struct Record<'l> {
    place: EntryRef,
    stamp: Stamp,
    entry: &'l Entry,
    /// No other one follows in the same second. A program that is launched writes several
    /// lines at once: such a line is none of a launch.
    alone: bool,
}

impl Record<'_> {
    fn begins(&self) -> bool {
        matches!(self.entry.event, Event::RunStarts { .. })
    }
}

struct Cutter<'h> {
    logs: &'h DeviceLogs,
    program: Program,
    hints: &'h Hints,
    lifetimes: Vec<Lifetime>,
    /// When the last record was.
    last: Option<Stamp>,
    /// A lifetime inside which another began.
    outer: Option<Outer>,
    /// The first line behind a stated end: of a process that goes on, if more follow.
    behind_end: Option<(Stamp, EntryRef)>,
}

/// A lifetime inside which another began.
#[derive(Clone, Copy)]
struct Outer {
    lifetime: usize,
    /// When its parent saw it end.
    end: Option<Stamp>,
}

impl<'h> Cutter<'h> {
    fn new(logs: &'h DeviceLogs, program: Program, hints: &'h Hints) -> Cutter<'h> {
        let lifetimes = Vec::new();
        Cutter { logs, program, hints, lifetimes, last: None, outer: None, behind_end: None }
    }

    fn record(&mut self, record: Record<'_>) {
        let Record { place, stamp, entry, .. } = record;
        if let Some(outer) = self.outer.filter(|outer| self.ends(*outer, &record)) {
            self.lifetimes[outer.lifetime].take(place, stamp, entry);
            if outer.end.is_none() {
                self.outer = None;
            }
            return;
        }
        let (program, hints) = (self.program, self.hints);
        let parent_end = self.parent_end();
        let same = self.lifetimes.last_mut().zip(self.last).filter(|(lifetime, last)| {
            continues(lifetime, program, *last, &record, (parent_end, hints))
        });
        if let Some((lifetime, last)) = same {
            if !lifetime.waited && woken(lifetime, last, stamp, hints) {
                lifetime.waited = true;
                lifetime.active = lifetime.active.or(Some((stamp, place)));
            }
            if lifetime.end_stated && entry.event == Event::Alive {
                self.behind_end = self.behind_end.or(Some((stamp, place)));
            }
            lifetime.take(place, stamp, entry);
        } else {
            self.begin(record);
        }
        self.last = Some(stamp);
    }

    fn begin(&mut self, record: Record<'_>) {
        let Record { place, stamp, entry, .. } = record;
        let before = self.lifetimes.last().filter(|before| !before.end_stated);
        let end = before.and_then(|_| self.parent_end());
        let both_start = record.begins() && before.is_some_and(|before| before.start_stated);
        if end.map_or(both_start, |end| stamp < end) {
            self.outer = Some(Outer { lifetime: self.lifetimes.len() - 1, end });
        }
        let child = self.last.is_some_and(|last| self.hints.parent_starts(last, stamp));
        let behind = self.behind_end.take().filter(|(at, _)| stamp.seconds_since(*at) <= GOES_ON);
        let earlier = match self.program {
            _ if record.begins() || child => None,
            Program::Sdclient => self.begun_inside(stamp).or(behind),
            Program::Vulscan => end.and_then(|end| self.begun_at_end(end, record)),
            Program::PolicySync => None,
        };
        let (at, first) = earlier.unwrap_or((stamp, place));
        let mut lifetime = Lifetime::begun(self.program, at, Known::Burst, first);
        lifetime.traces.extend(earlier.map(|(_, first)| first).filter(|first| *first != place));
        if let (Program::Vulscan, Some(first)) = (self.program, earlier) {
            lifetime.waited = true;
            lifetime.active = Some(first);
        }
        lifetime.take(place, stamp, entry);
        self.lifetimes.push(lifetime);
    }

    /// When the parent saw the end of the last lifetime. One that began with a child is that
    /// child only if no other one is.
    fn parent_end(&self) -> Option<Stamp> {
        let mut latest = self.lifetimes.iter().rev();
        let mut end = || self.hints.parent_end(latest.next()?.start.at);
        let own = end()?;
        (end() != Some(own)).then_some(own)
    }

    /// Whether a record states the end of a lifetime inside which another one began: its parent
    /// saw it end then, or the other one still waits.
    fn ends(&self, outer: Outer, record: &Record<'_>) -> bool {
        if let Some(end) = outer.end {
            return states_end(&record.entry.event, record.stamp, end);
        }
        let waits = |inner: &Lifetime| {
            let starts = |place: &EntryRef| self.logs.entry(*place).event == Event::ScanStarts;
            inner.waits.is_some() && !inner.end_stated && !inner.traces.iter().any(starts)
        };
        let ends = matches!(record.entry.event, Event::RunEnds { .. });
        ends && self.lifetimes.last().is_some_and(waits)
    }

    /// The first line of a scan that had waited for the one before, whose parent saw it end at
    /// `end`: its lines go on from there, and it was not launched since.
    fn begun_at_end(&mut self, end: Stamp, record: Record<'_>) -> Option<(Stamp, EntryRef)> {
        let after = record.stamp.seconds_since(end);
        // It wakes at once, and then its lines may be as close as those of a launch.
        let goes_on = record.alone || after <= SLACK;
        if !goes_on || !(0..=WAKE).contains(&after) {
            return None;
        }
        let logs = self.logs;
        let before = self.lifetimes.last_mut()?;
        // Of the lines in the second of the end, the first one is that of the scan that ended.
        let stamp = |place: &EntryRef| logs.entry(*place).stamp();
        let own = before.traces.partition_point(|place| stamp(place) < Some(end)) + 1;
        let rest = before.traces.get(own..).unwrap_or_default();
        let shows_life = |place: &EntryRef| logs.entry(*place).event == Event::Alive;
        let first = rest.first().filter(|_| rest.iter().all(shows_life)).copied();
        if let Some((first, at)) = first.and_then(|first| Some((first, stamp(&first)?))) {
            before.traces.truncate(own);
            return Some((at, first));
        }
        (after <= FOLLOWS).then_some((record.stamp, record.place))
    }

    /// The first line of an sdclient that goes on with a task after the parent saw its child's
    /// end, where no line begins it: it wrote in the child's life what the child wrote first.
    fn begun_inside(&mut self, stamp: Stamp) -> Option<(Stamp, EntryRef)> {
        let logs = self.logs;
        let end = self.parent_end()?;
        let before = self.lifetimes.last_mut()?;
        let own_end = before.end_stated && before.end.at.seconds_since(end).abs() <= SLACK;
        if !own_end || stamp < end {
            return None;
        }
        let message = |place: &EntryRef| message(&logs.entry(*place).quote.text);
        let shows_life = |place: &EntryRef| logs.entry(*place).event == Event::Alive;
        let (first, rest) = before.traces.split_first().filter(|(first, _)| shows_life(first))?;
        let again =
            rest.iter().position(|place| shows_life(place) && message(place) == message(first))?;
        let at = logs.entry(rest[again]).stamp()?;
        Some((at, before.traces.remove(again + 1)))
    }
}

/// What a line says, without its stamp.
fn message(text: &str) -> &str {
    let is_clock = |part: &[u8]| {
        part.iter().enumerate().all(|(at, byte)| match at {
            2 | 5 => *byte == b':',
            _digit => byte.is_ascii_digit(),
        })
    };
    let clock = text.as_bytes().windows(CLOCK).position(is_clock);
    let behind = clock.and_then(|at| text.get(at + CLOCK..)).unwrap_or(text);
    behind.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','))
}

/// Whether a record states the end of the process whose parent saw it end at `end`.
fn states_end(event: &Event, stamp: Stamp, end: Stamp) -> bool {
    let ends = matches!(event, Event::RunEnds { .. } | Event::ResultReported { .. });
    ends && stamp.seconds_since(end).abs() <= SLACK
}

/// Whether a record belongs to the lifetime of the record before.
fn continues(
    lifetime: &Lifetime,
    program: Program,
    last: Stamp,
    record: &Record<'_>,
    (parent_end, hints): (Option<Stamp>, &Hints),
) -> bool {
    let stamp = record.stamp;
    let gap = stamp.seconds_since(last);
    let new_parent = hints.parent_starts(last, stamp);
    let past = |end: Stamp| stamp.seconds_since(end);
    // A scan's parent waits for its end: what comes later is another scan. What an sdclient
    // writes before its parent saw it end is its own, however long it was silent.
    let past_parent = program == Program::Vulscan && parent_end.is_some_and(|end| past(end) > 1);
    let in_child = program == Program::Sdclient && parent_end.is_some_and(|end| past(end) <= 1);
    // A first line or two before the line that states the start.
    let first_lines = !lifetime.start_stated && stamp.seconds_since(lifetime.start.at) <= 2;
    if new_parent || past_parent || (record.begins() && !first_lines) || gap < 0 {
        return false;
    }
    if lifetime.end_stated {
        return stamp.seconds_since(lifetime.end.at) <= TAIL;
    }
    let ends = matches!(record.entry.event, Event::RunEnds { .. });
    let life = record.entry.event == Event::Alive;
    let quiet = match program {
        Program::Sdclient if lifetime.codes.is_empty() => QUIET_DEPLOYMENT,
        Program::Sdclient => QUIET_AFTER_RESULT,
        Program::Vulscan if life && !record.alone => QUIET_BEFORE_LAUNCH,
        Program::Vulscan | Program::PolicySync => QUIET,
    };
    let waiting = lifetime.waits.is_some() && lifetime.active.is_none();
    gap <= quiet
        || (gap <= LONGEST && (waiting || in_child || (ends && lifetime.start_stated)))
        || woken(lifetime, last, stamp, hints)
}

/// Whether a silence began during a deployment and ended with it, right after the launch:
/// the scan waited, whether a line says so or not.
fn woken(lifetime: &Lifetime, last: Stamp, stamp: Stamp, hints: &Hints) -> bool {
    // Of lines closer than that not all are kept: no silence is known there.
    let silent = stamp.seconds_since(last) > 2;
    let prelude = last.seconds_since(lifetime.start.at) <= PRELUDE;
    silent
        && prelude
        && hints.deployments.meeting(last, stamp).any(|(start, end, _)| {
            // Its own parent's span is none that it waits for.
            let own = lifetime.start.at.seconds_since(start).abs() <= SLACK
                && hints.parents.binary_search_by_key(&start, |parent| parent.start).is_ok();
            !own && start <= lifetime.start.at && end <= stamp && stamp.seconds_since(end) <= WAKE
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_begins_behind_the_clock() {
        let download = "Tue, 17 Jun 2025 09:03:52 Downloading to sdmcache: a.exe";
        assert_eq!(message(download), " Downloading to sdmcache: a.exe");
        assert_eq!(message("2025-06-17 09:03:52.118(4-8) tag:é"), "(4-8) tag:é");
        assert_eq!(message("é 1:2:3 no clock"), "é 1:2:3 no clock");
    }
}
