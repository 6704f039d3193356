//! What witnesses saw, laid beside the lifetimes that the logs show: better ends, causes, and
//! processes that left no log of their own.

use provtrace_parsers::event::Event;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::deployment::Draft;
use crate::lifetime::{EntryRef, Known, LaunchedBy, Lifetime, Program, SLACK};
use crate::scan::{Armed, scheduler_run};
use crate::sequence::records;
use crate::trace::WAKE;
use crate::witness::Witness;

/// How long after its start a scan or a sync writes its first line, in seconds.
const FIRST_LINE: i64 = 30;
/// How far an end may lie behind the last line of its process, in seconds.
const LAST_SILENCE: i64 = 300;
/// An sdclient that only a witness saw, and that lived no longer, may be a status sender or one
/// that was refused: it is left out, in seconds.
const SHORT: i64 = 15;
/// How far the state of a task may lie from its run, in seconds.
const STATE_NEAR: i64 = 60;

impl Draft<'_> {
    /// Lays what witnesses saw of a program beside its lifetimes.
    pub fn add_witnesses(
        &mut self,
        program: Program,
        witnesses: &[Witness],
        installs: &[Stamp],
        armed: &[Armed],
    ) {
        let own: Vec<&Witness> =
            witnesses.iter().filter(|witness| witness.program == program).collect();
        for witness in &own {
            let at = match self.same_process(witness) {
                Some(at) => Some(self.confirm(at, witness)),
                None => self.add_witnessed(witness),
            };
            let by_scheduler = witness.launched_by == LaunchedBy::LocalScheduler;
            if let (Some(at), true, Some(start)) = (at, by_scheduler, witness.start) {
                let ran_before = |install: Stamp| {
                    own.iter().any(|other| {
                        other.launched_by == LaunchedBy::LocalScheduler
                            && other
                                .start
                                .is_some_and(|other| install <= other.at && other.at < start.at)
                    })
                };
                let lifetime = &mut self.lifetimes[at];
                if lifetime.launched_by == LaunchedBy::LocalScheduler
                    && lifetime.launcher == Some(start.entry)
                {
                    lifetime.launched_by =
                        scheduler_run(program, start.at, ran_before, installs, armed);
                }
            }
        }
    }

    /// The lifetime of the process that a witness saw.
    fn same_process(&self, witness: &Witness) -> Option<usize> {
        let candidates = self.lifetimes.iter().enumerate().filter(|(_, own)| {
            let seen = own.traces.iter().any(|place| self.logs.source(*place).kind == witness.kind);
            !seen && fits(witness, own)
        });
        let distance = |own: &Lifetime| {
            let ends = |at: Stamp| (own.end.at.0 - at.0).abs();
            let starts = |at: Stamp| (own.start.at.0 - at.0).abs();
            let by_end = witness.end.map_or(0, |end| ends(end.at));
            witness.start.map_or(by_end, |start| starts(start.at))
        };
        candidates.min_by_key(|(at, own)| (distance(own), *at)).map(|(at, _)| at)
    }

    /// Betters what is known of a lifetime, and joins what the logs show in pieces; returns its
    /// place.
    fn confirm(&mut self, at: usize, witness: &Witness) -> usize {
        let at = self.join_pieces(at, witness);
        let spans = self.deployment_spans();
        let own = &mut self.lifetimes[at];
        own.pid = own.pid.or(witness.pid);
        own.task = own.task.take().or_else(|| witness.task.clone());
        own.messenger |= witness.messenger;
        if let Some(start) = witness.start.filter(|_| own.start.known == Known::Burst) {
            let first = own.start;
            // Silent from its start until a deployment's end: it waited.
            let woken = spans.iter().any(|span| {
                let after = first.at.seconds_since(span.end);
                span.start <= start.at && start.at < span.end && (-1..=WAKE).contains(&after)
            });
            let silent = first.at.seconds_since(start.at) > SLACK;
            if own.program == Program::Vulscan && silent && woken {
                own.waited = true;
                own.active = own.active.or(Some((first.at, first.entry)));
            }
            if start.at.seconds_since(first.at) <= SLACK {
                own.start = start;
            }
        }
        // Lines of its own behind that end: the end is another run's.
        let not_before = own.end.at.0 - SLACK * 1000;
        let end = witness.end.filter(|end| end.at.0 >= not_before);
        if let Some(end) = end.filter(|_| own.end.known == Known::Burst) {
            own.end = end;
        }
        let known = witness.start.into_iter().chain(end);
        let entries: Vec<EntryRef> = known.map(|end| end.entry).collect();
        own.traces.extend(entries);
        let stamp = |place: &EntryRef| (self.logs.entry(*place).stamp, *place);
        own.traces.sort_by_key(stamp);
        let same_scheduler = witness.launched_by == LaunchedBy::LocalScheduler
            && own.launched_by == LaunchedBy::LocalSchedulerFirstRun;
        let names = witness.launched_by != LaunchedBy::Unknown;
        if names && own.step.is_none() && !same_scheduler && own.launched_by != witness.launched_by
        {
            own.launched_by = witness.launched_by;
            own.launcher = witness.start.map(|start| start.entry);
        }
        let ended = own.end;
        if let Some(step) = own.step.and_then(|step| self.steps.get_mut(step)) {
            step.ended = step.ended.or(end.map(|_| ended.at));
        }
        at
    }

    /// One process whose log has silences in it is one lifetime: its witness saw both ends.
    fn join_pieces(&mut self, at: usize, witness: &Witness) -> usize {
        let (Some(start), Some(end)) = (witness.start, witness.end) else { return at };
        let mut at = at;
        loop {
            let first = &self.lifetimes[at];
            let piece = self.lifetimes.iter().enumerate().position(|(other, piece)| {
                other != at
                    && piece.program == first.program
                    && piece.program != Program::Sdclient
                    && piece.step.is_none()
                    && (piece.pid.is_none() || piece.pid == witness.pid || witness.pid.is_none())
                    && piece.start.at.seconds_since(start.at) >= -SLACK
                    && piece.end.at.seconds_since(end.at) <= SLACK
            });
            let Some(piece) = piece else { return at };
            let other = self.lifetimes.remove(piece);
            for step in self.steps.iter_mut().filter(|step| step.lifetime > piece) {
                step.lifetime -= 1;
            }
            at -= usize::from(piece < at);
            merge(&mut self.lifetimes[at], other);
        }
    }

    /// A process that no log of its own shows.
    fn add_witnessed(&mut self, witness: &Witness) -> Option<usize> {
        let start = witness.start?;
        let told = witness.task.is_some() || witness.messenger;
        let long = witness.seconds().is_some_and(|seconds| seconds > SHORT);
        if witness.program == Program::Sdclient && !told && !long {
            return None;
        }
        let mut own = Lifetime::begun(witness.program, start.at, start.known, start.entry);
        own.end = witness.end.filter(|end| end.at >= start.at).unwrap_or(own.end);
        own.pid = witness.pid;
        own.task = witness.task.clone();
        own.messenger = witness.messenger;
        own.traces = witness.entries().collect();
        own.launched_by = witness.launched_by;
        own.launcher = (witness.launched_by != LaunchedBy::Unknown).then_some(start.entry);
        self.lifetimes.push(own);
        Some(self.lifetimes.len() - 1)
    }

    /// The code that the state file of a task holds, where its run has no other, and exactly
    /// one run of that task is near.
    pub fn add_task_states(&mut self) {
        for place in records(self.logs, SourceKind::PolicyStatus, None) {
            let entry = self.logs.entry(place);
            let (Event::TaskState(state), Some(at)) = (&entry.event, entry.stamp) else { continue };
            // 4 success, 5 failed, 8 failed with exception: others are on their way.
            let ended = matches!(state.status, Some(4 | 5 | 8));
            let Some(code) = state.code.as_ref().filter(|_| ended) else { continue };
            let near = |own: &&mut Lifetime| {
                own.task.as_ref() == Some(&state.task)
                    && own.start.at.seconds_since(at) <= STATE_NEAR
                    && at.seconds_since(own.end.at) <= STATE_NEAR
            };
            let mut runs = self.lifetimes.iter_mut().filter(near);
            if let (Some(own), None) = (runs.next(), runs.next())
                && own.codes.is_empty()
            {
                own.codes.push((code.clone(), place));
            }
        }
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
    let inside = witness.end.is_some_and(|end| {
        own.program != Program::Sdclient && own.end.at.seconds_since(end.at) <= SLACK
    });
    later >= -SLACK && (later <= soon || inside)
}

/// Adds a later or earlier piece of the same process.
fn merge(own: &mut Lifetime, other: Lifetime) {
    // A scheduler's launch bounds the start better than a line.
    if other.start.at < own.start.at {
        own.start = other.start;
        own.launched_by = other.launched_by;
        own.launcher = other.launcher;
    }
    if other.end.at > own.end.at {
        own.end = other.end;
        own.end_stated = other.end_stated;
    }
    own.start_stated |= other.start_stated;
    own.pid = own.pid.or(other.pid);
    own.traces.extend(other.traces);
    own.waits = own.waits.or(other.waits);
    own.active = own.active.or(other.active);
    own.waited |= other.waited;
    own.codes.extend(other.codes);
}
