//! Which lifetime a witness may have seen, and which are pieces of it: no look at every lifetime
//! for every witness.

use std::collections::BTreeSet;

use provtrace_parsers::stamp::Stamp;

use crate::lifetime::{Known, Lifetime, Program, SLACK};
use crate::logs::DeviceLogs;
use crate::spans::{Spans, later};
use crate::witness::Witness;

/// How long after its start a scan or a sync writes its first line, in seconds.
const FIRST_LINE: i64 = 30;
/// How far an end may lie behind the last line of its process, in seconds.
const LAST_SILENCE: i64 = 300;

/// The lifetimes of one program, while the witnesses of one kind are laid beside them. Places
/// stay what they were: what became part of another lifetime is taken away at the end.
///
/// A lifetime that such a witness has confirmed is no candidate for the next one of its kind, so
/// `spans` stays right for all that still are.
#[derive(Debug)]
pub struct Candidates {
    /// The lifetimes as they were before, by their places.
    spans: Spans,
    /// Starts and places of the lifetimes as they are now: these may be pieces.
    starts: BTreeSet<(Stamp, usize)>,
    /// Places of the pieces that became part of another lifetime.
    merged: BTreeSet<usize>,
}

impl Candidates {
    /// The lifetimes of a program among all of a device.
    pub fn new(lifetimes: &[Lifetime], program: Program) -> Candidates {
        let own = lifetimes.iter().enumerate().filter(|(_, own)| own.program == program);
        let own: Vec<(Stamp, Stamp, usize)> =
            own.map(|(at, own)| (own.start.at, own.end.at, at)).collect();
        Candidates {
            starts: own.iter().map(|(start, _, at)| (*start, *at)).collect(),
            spans: Spans::new(own.into_iter()),
            merged: BTreeSet::new(),
        }
    }

    /// The lifetime of the process that a witness saw: the nearest one that may be it.
    pub fn same_process(
        &self,
        logs: &DeviceLogs,
        lifetimes: &[Lifetime],
        witness: &Witness,
    ) -> Option<usize> {
        let is_candidate = |at: &usize| {
            let own = &lifetimes[*at];
            let seen = || own.traces.iter().any(|place| logs.source(*place).kind == witness.kind);
            !self.merged.contains(at) && fits(witness, own) && !seen()
        };
        let distance = |at: &usize| {
            let own = &lifetimes[*at];
            let ends = |at: Stamp| (own.end.at.0 - at.0).abs();
            let starts = |at: Stamp| (own.start.at.0 - at.0).abs();
            let by_end = witness.end.map_or(0, |end| ends(end.at));
            (witness.start.map_or(by_end, |start| starts(start.at)), *at)
        };
        let Some(start) = witness.start else {
            let end = witness.end?.at;
            let near = self.spans.meeting(later(end, -LAST_SILENCE - 1), end);
            return near.map(|(_, _, at)| at).filter(is_candidate).min_by_key(distance);
        };
        let soon = later(start.at, FIRST_LINE + 1);
        let last = witness.end.map_or(soon, |end| soon.max(later(end.at, SLACK + 1)));
        let near = self.spans.beginning(later(start.at, -SLACK), last);
        near.iter().map(|(_, _, at)| *at).filter(is_candidate).min_by_key(distance)
    }

    /// The pieces of a process of which a witness saw both ends, in order of their places: the
    /// caller makes them part of the lifetime at `at`, and then calls [`Candidates::settle`].
    pub fn take_pieces(
        &mut self,
        lifetimes: &[Lifetime],
        at: usize,
        witness: &Witness,
    ) -> BTreeSet<usize> {
        self.starts.remove(&(lifetimes[at].start.at, at));
        let (Some(start), Some(end)) = (witness.start, witness.end) else {
            return BTreeSet::new();
        };
        let (from, to) = (later(start.at, -SLACK), later(end.at, SLACK + 1));
        if lifetimes[at].program == Program::Sdclient || to < from {
            return BTreeSet::new();
        }
        let is_piece = |(_, other): &&(Stamp, usize)| {
            let piece = &lifetimes[*other];
            let same = piece.pid.is_none() || witness.pid.is_none() || piece.pid == witness.pid;
            piece.step.is_none() && same && is_over_by(piece, end.at)
        };
        let within = self.starts.range((from, 0)..=(to, usize::MAX)).filter(is_piece);
        let pieces: BTreeSet<(Stamp, usize)> = within.copied().collect();
        for piece in &pieces {
            self.starts.remove(piece);
        }
        let pieces: BTreeSet<usize> = pieces.into_iter().map(|(_, piece)| piece).collect();
        self.merged.extend(&pieces);
        pieces
    }

    /// Takes note of a lifetime as it is now, confirmed or new.
    pub fn settle(&mut self, lifetimes: &[Lifetime], at: usize) {
        self.starts.insert((lifetimes[at].start.at, at));
    }

    /// Places of the lifetimes of which nothing is left: they became part of others.
    pub fn into_merged(self) -> BTreeSet<usize> {
        self.merged
    }
}

/// Whether a lifetime may be the process that a witness saw.
fn fits(witness: &Witness, own: &Lifetime) -> bool {
    let differ = |a: Option<u32>, b: Option<u32>| a.is_some() && b.is_some() && a != b;
    let other_task = own.task.is_some() && witness.task.is_some() && own.task != witness.task;
    if own.program != witness.program || differ(own.pid, witness.pid) || other_task {
        return false;
    }
    let Some(start) = witness.start else {
        let by_end = |at: Stamp| {
            own.start.at <= at && (-SLACK..=LAST_SILENCE).contains(&at.seconds_since(own.end.at))
        };
        return witness.end.is_some_and(|end| by_end(end.at));
    };
    let later = own.start.at.seconds_since(start.at);
    let exact = own.program == Program::Sdclient
        || matches!(own.start.known, Known::Parent | Known::Scheduler);
    let soon = if exact { SLACK } else { FIRST_LINE };
    let inside =
        witness.end.is_some_and(|end| own.program != Program::Sdclient && is_over_by(own, end.at));
    later >= -SLACK && (later <= soon || inside)
}

/// Whether all that is known of a lifetime lies before an end.
fn is_over_by(own: &Lifetime, end: Stamp) -> bool {
    own.start.at.max(own.end.at).seconds_since(end) <= SLACK
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use provtrace_parsers::format::SourceKind;

    use super::*;
    use crate::lifetime::{End, EntryRef, LaunchedBy};

    const KNOWN: [Known; 3] = [Known::Burst, Known::Scheduler, Known::EventLog];

    fn end(millis: i64, known: Known) -> End {
        End { at: Stamp(millis), known, entry: EntryRef::new(0, 0) }
    }

    fn lifetime(program: Program, start: i64, length: i64, known: usize) -> Lifetime {
        let begun = end(start, KNOWN[known]);
        let mut own = Lifetime::begun(program, begun.at, begun.known, begun.entry);
        own.end = end(start + length, Known::Burst);
        own.pid = (known > 0).then_some(7);
        own
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_look_at_all_finds(
            spans in proptest::collection::vec((0i64..900_000, -5_000i64..90_000, 0usize..3), 0..150),
            start in proptest::option::of(0i64..900_000),
            length in proptest::option::of(0i64..400_000),
            pid in proptest::option::of(7u32..9),
        ) {
            for program in [Program::Sdclient, Program::Vulscan] {
                let own = spans.iter().map(|(start, length, known)| lifetime(program, *start, *length, *known));
                let all: Vec<Lifetime> = own.collect();
                let ended = length.map(|length| end(start.unwrap_or(400_000) + length, Known::EventLog));
                let witness = Witness {
                    program,
                    kind: SourceKind::EventLog,
                    pid,
                    task: None,
                    messenger: false,
                    start: start.map(|at| end(at, Known::EventLog)),
                    end: ended,
                    launched_by: LaunchedBy::Unknown,
                };
                let far = |at: &usize| {
                    let own = &all[*at];
                    let from = |a: Stamp, b: End| ((a.0 - b.at.0).abs(), *at);
                    let by_end = ended.map(|end| from(own.end.at, end));
                    witness.start.map(|start| from(own.start.at, start)).or(by_end)
                };
                let fitting = (0..all.len()).filter(|at| fits(&witness, &all[*at]));
                let mut candidates = Candidates::new(&all, program);
                let found = candidates.same_process(&DeviceLogs::default(), &all, &witness);
                prop_assert_eq!(found, fitting.min_by_key(far));
                let Some(at) = found else { continue };
                let pieces = candidates.take_pieces(&all, at, &witness);
                let within = |other: &usize| {
                    let (Some(start), Some(end)) = (witness.start, witness.end) else { return false };
                    let piece = &all[*other];
                    let same = piece.pid.is_none() || pid.is_none() || piece.pid == pid;
                    *other != at
                        && same
                        && program != Program::Sdclient
                        && piece.start.at.seconds_since(start.at) >= -SLACK
                        && is_over_by(piece, end.at)
                };
                prop_assert_eq!(pieces, (0..all.len()).filter(within).collect::<BTreeSet<_>>());
            }
        }
    }
}
