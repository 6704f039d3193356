//! What witnesses saw, laid beside the lifetimes that the logs show: better ends, causes, and
//! processes that left no log of their own.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::event::Event;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::candidates::Candidates;
use crate::deployment::Draft;
use crate::lifetime::{EntryRef, Known, LaunchedBy, Lifetime, Program, SLACK};
use crate::scan::{Armed, scheduler_run};
use crate::sequence::records;
use crate::spans::{Spans, later};
use crate::trace::WAKE;
use crate::witness::Witness;

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
        let by_scheduler =
            |own: &&&Witness| own.launched_by == LaunchedBy::LocalScheduler && own.start.is_some();
        let scheduled = own.iter().filter(by_scheduler).filter_map(|own| Some(own.start?.at));
        let scheduled: BTreeSet<Stamp> = scheduled.collect();
        let deployments = self.deployment_spans().into_iter().enumerate();
        let deployments = deployments.map(|(at, span)| (span.start, span.end, at));
        let deployments = Spans::new(deployments);
        for same_kind in own.chunk_by(|a, b| a.kind == b.kind) {
            let mut candidates = Candidates::new(&self.lifetimes, program);
            for witness in same_kind {
                let known = candidates.same_process(self.logs, &self.lifetimes, witness);
                if let Some(at) = known {
                    for piece in candidates.take_pieces(&self.lifetimes, at, witness) {
                        self.join_piece(at, piece);
                    }
                    self.confirm(&deployments, at, witness);
                }
                let Some(at) = known.or_else(|| self.add_witnessed(witness)) else { continue };
                candidates.settle(&self.lifetimes, at);
                let Some(start) = witness.start else { continue };
                let ran_before = |install: Stamp| {
                    install < start.at && scheduled.range(install..start.at).next().is_some()
                };
                let lifetime = &mut self.lifetimes[at];
                if witness.launched_by == LaunchedBy::LocalScheduler
                    && lifetime.launched_by == LaunchedBy::LocalScheduler
                    && lifetime.launcher == Some(start.entry)
                {
                    lifetime.launched_by =
                        scheduler_run(program, start.at, ran_before, installs, armed);
                }
            }
            self.remove(&candidates.into_merged());
        }
    }

    /// Takes lifetimes away that became part of others.
    fn remove(&mut self, merged: &BTreeSet<usize>) {
        let merged: Vec<usize> = merged.iter().copied().collect();
        for step in &mut self.steps {
            step.lifetime -= merged.partition_point(|gone| *gone < step.lifetime);
        }
        let mut at = 0;
        self.lifetimes.retain(|_| {
            at += 1;
            merged.binary_search(&(at - 1)).is_err()
        });
    }

    /// One process whose log has silences in it is one lifetime.
    fn join_piece(&mut self, at: usize, piece: usize) {
        if let Ok([own, piece]) = self.lifetimes.get_disjoint_mut([at, piece]) {
            merge(own, piece);
        }
    }

    /// Betters what is known of a lifetime.
    fn confirm(&mut self, deployments: &Spans, at: usize, witness: &Witness) {
        let own = &mut self.lifetimes[at];
        own.pid = own.pid.or(witness.pid);
        own.task = own.task.take().or_else(|| witness.task.clone());
        own.messenger |= witness.messenger;
        if let Some(start) = witness.start.filter(|_| own.start.known == Known::Burst) {
            let first = own.start;
            // Silent from its start until a deployment's end: it waited.
            let woken = || {
                deployments.meeting(start.at, start.at).any(|(_, end, _)| {
                    start.at < end && (-1..=WAKE).contains(&first.at.seconds_since(end))
                })
            };
            let silent = first.at.seconds_since(start.at) > SLACK;
            if own.program == Program::Vulscan && silent && woken() {
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
        let stamp = |place: &EntryRef| (self.logs.entry(*place).stamp(), *place);
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
        let mut by_task: BTreeMap<String, Vec<(Stamp, Stamp, usize)>> = BTreeMap::new();
        for (at, own) in self.lifetimes.iter().enumerate() {
            let Some(task) = &own.task else { continue };
            let span = (own.start.at, own.end.at, at);
            by_task.entry(task.clone()).or_default().push(span);
        }
        let index = |(task, spans): (_, Vec<_>)| (task, Spans::new(spans.into_iter()));
        let by_task: BTreeMap<String, Spans> = by_task.into_iter().map(index).collect();
        for place in records(self.logs, SourceKind::PolicyStatus) {
            let entry = self.logs.entry(place);
            let (Event::TaskState(state), Some(at)) = (&entry.event, entry.stamp()) else {
                continue;
            };
            // 4 success, 5 failed, 8 failed with exception: others are on their way.
            let ended = matches!(state.status, Some(4 | 5 | 8));
            let Some(code) = state.code.as_ref().filter(|_| ended) else { continue };
            let Some(spans) = by_task.get(&state.task) else { continue };
            let near = |(start, end, _): &(Stamp, Stamp, usize)| {
                start.seconds_since(at) <= STATE_NEAR && at.seconds_since(*end) <= STATE_NEAR
            };
            let (from, to) = (later(at, -STATE_NEAR - 1), later(at, STATE_NEAR + 1));
            let mut runs = spans.meeting(from, to).filter(near);
            if let (Some((_, _, own)), None) = (runs.next(), runs.next()) {
                let codes = &mut self.lifetimes[own].codes;
                if codes.is_empty() {
                    codes.push((code.clone(), place));
                }
            }
        }
    }
}

/// Adds a later or earlier piece of the same process; nothing is left of the piece.
fn merge(own: &mut Lifetime, other: &mut Lifetime) {
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
    own.traces.append(&mut other.traces);
    own.waits = own.waits.or(other.waits);
    own.active = own.active.or(other.active);
    own.waited |= other.waited;
    own.codes.append(&mut other.codes);
}

#[cfg(test)]
mod tests {
    use provtrace_parsers::format::Formats;

    use super::*;
    use crate::lifetime::End;
    use crate::logs::{DeviceLogs, Entry, Quote, SourceLog};

    /// Records of vulscan's log at these seconds, and of the event log at those.
    fn logs(own: &[i64], event_log: &[i64]) -> DeviceLogs {
        let source = |kind, seconds: &[i64]| {
            let entry = |second: &i64| Entry {
                stamp: Some(Stamp(second * 1000)).into(),
                logged: None.into(),
                pid: None,
                tid: None,
                event: Event::Alive,
                mark: None,
                quote: Quote { line: 1, offset: 0, length: 0, text: "".into() },
            };
            let entries = seconds.iter().map(entry).collect();
            let (path, member, task) = (Box::default(), None, None);
            SourceLog {
                path,
                member,
                format: Box::default(),
                kind,
                task,
                entries,
                counts: Default::default(),
                bytes: 0,
            }
        };
        let sources =
            vec![source(SourceKind::Vulscan, own), source(SourceKind::EventLog, event_log)];
        DeviceLogs { sources, ..DeviceLogs::default() }
    }

    fn end(logs: &DeviceLogs, source: usize, entry: usize) -> End {
        let known = if source == 0 { Known::Burst } else { Known::EventLog };
        let entry = EntryRef::new(source, entry);
        End { at: logs.entry(entry).stamp().expect("all have one"), known, entry }
    }

    /// A burst from one of its program's records to another.
    fn burst(logs: &DeviceLogs, program: Program, first: usize, last: usize) -> Lifetime {
        let first = end(logs, 0, first);
        let mut own = Lifetime::begun(program, first.at, Known::Burst, first.entry);
        own.end = end(logs, 0, last);
        own.traces.extend([first.entry, own.end.entry]);
        own
    }

    /// What the event log saw: the places of the start and the end.
    fn witness(
        logs: &DeviceLogs,
        program: Program,
        start: Option<usize>,
        ended: Option<usize>,
    ) -> Witness {
        Witness {
            program,
            kind: SourceKind::EventLog,
            pid: Some(7),
            task: None,
            messenger: false,
            start: start.map(|at| end(logs, 1, at)),
            end: ended.map(|at| end(logs, 1, at)),
            launched_by: LaunchedBy::Unknown,
        }
    }

    /// The lifetimes after witnesses were laid beside them.
    fn after(
        logs: &DeviceLogs,
        program: Program,
        lifetimes: Vec<Lifetime>,
        witnesses: &[Witness],
    ) -> Vec<Lifetime> {
        let formats = Formats::builtin().expect("embedded");
        let mut draft = Draft { logs, formats: &formats, lifetimes, steps: Vec::new() };
        draft.add_witnesses(program, witnesses, &[], &[]);
        draft.lifetimes
    }

    #[test]
    fn an_end_that_was_seen_replaces_a_last_line() {
        let logs = logs(&[10, 60], &[8, 90]);
        let scan = burst(&logs, Program::Vulscan, 0, 1);
        let seen = witness(&logs, Program::Vulscan, Some(0), Some(1));
        let found = after(&logs, Program::Vulscan, vec![scan.clone()], std::slice::from_ref(&seen));
        let [own] = &found[..] else { panic!("one process: {found:?}") };
        assert_eq!((own.start, own.end), (end(&logs, 1, 0), end(&logs, 1, 1)));
        assert_eq!((own.pid, own.traces.len()), (Some(7), 4));
        // What its log or its parent states is not replaced.
        let mut stated = scan;
        stated.end.known = Known::Stated;
        let found = after(&logs, Program::Vulscan, vec![stated.clone()], &[seen]);
        assert_eq!(found[0].end, stated.end);
    }

    #[test]
    fn an_end_before_the_last_lines_is_another_run_s() {
        let logs = logs(&[10, 60], &[8, 56, 57]);
        let scan = || vec![burst(&logs, Program::Vulscan, 0, 1)];
        let unknown = Witness { pid: None, ..witness(&logs, Program::Vulscan, Some(0), Some(1)) };
        let found = after(&logs, Program::Vulscan, scan(), &[unknown]);
        assert_eq!(found[0].end, end(&logs, 0, 1), "four seconds before the last line");
        let near = witness(&logs, Program::Vulscan, Some(0), Some(2));
        let found = after(&logs, Program::Vulscan, scan(), &[near]);
        assert_eq!(found[0].end, end(&logs, 1, 2), "within what two clock readings may differ");
    }

    #[test]
    fn an_end_alone_belongs_to_the_process_before_it() {
        let logs = logs(&[10, 60, 1000, 1060], &[80, 500]);
        let scans =
            || vec![burst(&logs, Program::Vulscan, 0, 1), burst(&logs, Program::Vulscan, 2, 3)];
        let only_end = |at| [witness(&logs, Program::Vulscan, None, Some(at))];
        let found = after(&logs, Program::Vulscan, scans(), &only_end(0));
        assert_eq!((found[0].end, found[1].end), (end(&logs, 1, 0), end(&logs, 0, 3)));
        let found = after(&logs, Program::Vulscan, scans(), &only_end(1));
        assert_eq!(found[0].end, end(&logs, 0, 1), "too long after its last line");
        assert_eq!(found.len(), 2, "of a process that no log shows its end alone says nothing");
    }

    #[test]
    fn pieces_of_one_process_are_joined() {
        let logs = logs(&[10, 60, 400, 460, 800, 860, 2000], &[8, 900]);
        let mut pieces: Vec<Lifetime> = [(0, 1), (2, 3), (4, 5), (6, 6)]
            .map(|(a, b)| burst(&logs, Program::Vulscan, a, b))
            .into();
        let seen = [witness(&logs, Program::Vulscan, Some(0), Some(1))];
        let found = after(&logs, Program::Vulscan, pieces.clone(), &seen);
        let ends: Vec<(i64, i64)> =
            found.iter().map(|own| (own.start.at.0 / 1000, own.end.at.0 / 1000)).collect();
        assert_eq!(ends, [(8, 900), (2000, 2000)]);
        assert_eq!(found[0].traces.len(), 8, "six lines, and both records of the witness");
        // A piece that is known to be another process stays one.
        pieces[1].pid = Some(8);
        let found = after(&logs, Program::Vulscan, pieces, &seen);
        let starts: Vec<i64> = found.iter().map(|own| own.start.at.0 / 1000).collect();
        assert_eq!(starts, [8, 400, 2000]);
    }

    #[test]
    fn a_parent_names_the_launcher() {
        let logs = logs(&[10, 60], &[8, 90]);
        let scan = burst(&logs, Program::Vulscan, 0, 1);
        let seen = Witness {
            launched_by: LaunchedBy::LocalScheduler,
            ..witness(&logs, Program::Vulscan, Some(0), Some(1))
        };
        let launched = |lifetimes: Vec<Lifetime>, installs: &[i64]| {
            let formats = Formats::builtin().expect("embedded");
            let mut draft = Draft { logs: &logs, formats: &formats, lifetimes, steps: Vec::new() };
            let installs: Vec<Stamp> = installs.iter().map(|at| Stamp(at * 1000)).collect();
            draft.add_witnesses(Program::Vulscan, std::slice::from_ref(&seen), &installs, &[]);
            (draft.lifetimes[0].launched_by, draft.lifetimes[0].launcher)
        };
        let start = Some(end(&logs, 1, 0).entry);
        assert_eq!(launched(vec![scan.clone()], &[]), (LaunchedBy::LocalScheduler, start));
        let first_run = (LaunchedBy::LocalSchedulerFirstRun, start);
        assert_eq!(launched(vec![scan.clone()], &[2]), first_run);
        assert_eq!(launched(Vec::new(), &[2]), first_run, "no log of its own");
        // A step's launcher is its parent, whatever the event log calls it.
        let step = Lifetime { step: Some(0), ..scan };
        assert_eq!(launched(vec![step], &[]), (LaunchedBy::Unknown, None));
    }

    #[test]
    fn short_deployments_without_a_log_are_left_out() {
        let logs = logs(&[], &[10, 25, 26]);
        let found = |seen: Witness| after(&logs, Program::Sdclient, Vec::new(), &[seen]).len();
        let lived = |last| witness(&logs, Program::Sdclient, Some(0), last);
        assert_eq!(found(lived(Some(1))), 0, "it may be a status sender, or one that was refused");
        assert_eq!(found(lived(None)), 0, "nothing says how long it lived");
        assert_eq!(found(lived(Some(2))), 1);
        assert_eq!(found(Witness { task: Some("34163".to_owned()), ..lived(Some(1)) }), 1);
        assert_eq!(found(Witness { messenger: true, ..lived(Some(1)) }), 1);
        let scan = witness(&logs, Program::Vulscan, Some(0), Some(1));
        assert_eq!(after(&logs, Program::Vulscan, Vec::new(), &[scan]).len(), 1);
    }
}
