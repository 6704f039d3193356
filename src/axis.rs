//! A device's stamps → instants on one axis, whatever its clock went through.
//!
//! Between two changes of the clock lies an *epoch*. A line's epoch is plain where its own file
//! steps back; other files' lines are placed where the device was at work: beside the lines
//! whose epoch is known. Times of an epoch are moved by what the clock was put right by
//! afterwards: the last setting is taken for the right one, back to the last long silence.

use std::collections::BTreeMap;

use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::stamp::Stamp;

use crate::changes::{self, Change, ChangeKnown, REST, Seen, is_wall_clock};
use crate::clock::{Clock, Instants};
use crate::logs::{DeviceLogs, Entry, SourceLog};

/// A pause in which a program may still be at work, in milliseconds.
const AT_WORK: i64 = 300_000;
/// How much worse a silence in the middle of work is than a distance.
const UNLIKELY: i64 = 100;
/// What is farther from a run's records does not belong to it, in milliseconds.
const RUN: i64 = 3_600_000;
/// A distance that means "nowhere near", in milliseconds.
const FAR: i64 = 86_400_000;

/// A change of a device's clock, as it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockChange {
    /// The last reading before that a log shows, as logged.
    pub before: Stamp,
    /// The first reading after, as logged.
    pub after: Stamp,
    /// When, as an instant.
    pub at: Stamp,
    /// By how much times before it were moved, in milliseconds: less than the clock was, by the
    /// time that went by between the two readings.
    pub moved: i64,
    /// How it is known.
    pub known: ChangeKnown,
}

/// Puts all stamps of a device's wall clock on one axis, and tells what the clock went through.
pub fn straighten(logs: &mut DeviceLogs, formats: &Formats, clock: &Clock) -> Vec<ClockChange> {
    let (changes, seen) = changes::find(logs, clock);
    let axis = Axis::new(clock, &changes);
    for (at, seen) in seen.iter().enumerate() {
        if seen.unordered {
            let path = &logs.sources[at].path;
            logs.warnings.push(format!(
                "{path}: its times step back too often for a clock; they were used as they stand"
            ));
        }
    }
    let epochs = axis.epochs(logs, formats, &seen);
    let begins = axis.begins(logs, &epochs);
    for (log, epochs) in logs.sources.iter_mut().zip(&epochs) {
        if !is_wall_clock(log.kind) {
            continue;
        }
        for (at, entry) in log.entries.iter_mut().enumerate() {
            let Some(logged) = entry.logged() else { continue };
            let epoch = epochs.get(at).map_or(changes.len(), |epoch| usize::from(*epoch));
            // Windows PE has none of the agent's programs: their lines are of an earlier life.
            let earlier = axis.is_windows_pe(epoch) && log.kind != SourceKind::Provisioning;
            let moved = if earlier { 0 } else { axis.moved(epoch, logged, &begins) };
            entry.place(Some(Stamp(axis.instant(epoch, logged).0 + moved)));
        }
    }
    let told = |(at, change): (usize, &Change)| ClockChange {
        before: change.before,
        after: change.after,
        at: Stamp(axis.instant(at + 1, change.after).0 + axis.moved(at + 1, change.after, &begins)),
        moved: axis.moves[at],
        known: change.known,
    };
    changes.iter().enumerate().map(told).collect()
}

/// The changes of one device; epoch `n` ends with change `n`.
struct Axis<'c> {
    clock: &'c Clock,
    instants: Instants<'c>,
    changes: &'c [Change],
    /// See [`Axis::moves`].
    moves: Vec<i64>,
}

impl<'c> Axis<'c> {
    fn new(clock: &'c Clock, changes: &'c [Change]) -> Axis<'c> {
        let instants = Instants::of(clock);
        let axis = Axis { clock, instants, changes, moves: Vec::new() };
        let moves = (0..changes.len()).map(|change| axis.moves(change)).collect();
        Axis { moves, ..axis }
    }

    /// The instant of a stamp, by the clock as it was set in that epoch.
    fn instant(&self, epoch: usize, logged: Stamp) -> Stamp {
        let second = self.changes[..epoch].iter().any(|change| {
            change.known == ChangeKnown::DaylightSaving
                && (change.after..change.before).contains(&logged)
        });
        self.instants.instant(logged, second)
    }

    /// How far a change moved the clock, in milliseconds of instants; the time between its two
    /// readings is not known and counts as none.
    fn moves(&self, change: usize) -> i64 {
        let Change { before, after, known } = self.changes[change];
        match known {
            ChangeKnown::DaylightSaving | ChangeKnown::SharedSilence => 0,
            ChangeKnown::WindowsPe => {
                self.clock.ahead_of_windows_pe(before).map_or(0, |leap| leap * 1000)
            }
            ChangeKnown::BackwardStep => {
                self.instant(change + 1, after).0 - self.instant(change, before).0
            }
        }
    }

    /// Whether an epoch ends with the way out of Windows PE.
    fn is_windows_pe(&self, epoch: usize) -> bool {
        self.changes.get(epoch).is_some_and(|change| change.known == ChangeKnown::WindowsPe)
    }

    /// How far a change set the clock back, in milliseconds of what it showed.
    fn size(&self, change: usize) -> i64 {
        (self.changes[change].before.0 - self.changes[change].after.0).max(0)
    }

    /// How far a stamp lies outside of what the clock showed in an epoch, in milliseconds. What
    /// daylight saving does is known to the second, so outside of that is as good as impossible.
    fn outside(&self, epoch: usize, logged: Stamp) -> i64 {
        let weigh = |change: &Change, outside: i64| match change.known {
            ChangeKnown::DaylightSaving => outside.max(0).saturating_mul(UNLIKELY),
            ChangeKnown::BackwardStep | ChangeKnown::WindowsPe | ChangeKnown::SharedSilence => {
                outside.max(0)
            }
        };
        let begin = epoch.checked_sub(1).map(|before| &self.changes[before]);
        let early = begin.map_or(0, |change| weigh(change, change.after.0 - logged.0));
        let end = self.changes.get(epoch);
        let late = end.map_or(0, |change| weigh(change, logged.0 - change.before.0));
        early.max(late).min(100 * FAR)
    }

    /// The epochs of all records, by source; empty: all are of the last epoch.
    fn epochs(&self, logs: &DeviceLogs, formats: &Formats, seen: &[Seen]) -> Vec<Vec<u8>> {
        let mut epochs = vec![Vec::new(); logs.sources.len()];
        if self.changes.is_empty() {
            return epochs;
        }
        let mut references = References::new(self.changes.len() + 1);
        for (log, seen) in logs.sources.iter().zip(seen).filter(|(_, seen)| !seen.steps.is_empty())
        {
            for (entry, range) in log.entries.iter().zip(self.ranges(log, seen)) {
                references.add(log, entry, self.plain(entry, range), formats);
            }
        }
        references.sort();
        // The agent's own logs first: they tell when the programs of the others were started.
        let (agent, others): (Vec<usize>, Vec<usize>) = (0..logs.sources.len())
            .partition(|at| logs.sources[*at].kind == SourceKind::Provisioning);
        for at in &agent {
            epochs[*at] = self.place(&logs.sources[*at], &seen[*at], &references);
        }
        for at in agent {
            let log = &logs.sources[at];
            for (entry, epoch) in log.entries.iter().zip(&epochs[at]) {
                references.add(log, entry, Some(usize::from(*epoch)), formats);
            }
        }
        references.sort();
        for at in others {
            epochs[at] = self.place(&logs.sources[at], &seen[at], &references);
        }
        epochs
    }

    /// The epoch of a record, if only one of a range leaves room for it.
    fn plain(&self, entry: &Entry, (first, last): (usize, usize)) -> Option<usize> {
        let logged = entry.logged()?;
        let mut fitting = (first..=last).filter(|epoch| self.outside(*epoch, logged) == 0);
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// The epochs that a file's own steps leave for each of its records: first and last.
    fn ranges(&self, log: &SourceLog, seen: &Seen) -> Vec<(usize, usize)> {
        let mut ranges = Vec::with_capacity(log.entries.len());
        let mut steps = seen.steps.iter().peekable();
        let mut first = 0;
        for at in 0..log.entries.len() {
            while let Some((_, change)) = steps.next_if(|(record, _)| *record <= at) {
                first = change + 1;
            }
            let last = steps.peek().map_or(self.changes.len(), |(_, change)| *change);
            ranges.push((first, last.max(first)));
        }
        ranges
    }

    /// The epoch of each record of a file: never an earlier one than that of the record above,
    /// without a silence in the middle of its work, and altogether as near as can be to records
    /// whose epoch is known. Empty: all are of the last epoch.
    fn place(&self, log: &SourceLog, seen: &Seen, references: &References) -> Vec<u8> {
        if seen.unordered || !is_wall_clock(log.kind) {
            return Vec::new();
        }
        let all = self.changes.len() + 1;
        let mut costs = vec![0_i64; all];
        let mut choices: Vec<u8> = Vec::with_capacity(log.entries.len() * all);
        let mut last_stamp = None;
        for (entry, (first, last)) in log.entries.iter().zip(self.ranges(log, seen)) {
            let pause =
                entry.logged().zip(last_stamp).map(|(at, last): (Stamp, Stamp)| at.0 - last.0);
            let most = if log.kind == SourceKind::Provisioning { REST * 1000 } else { AT_WORK };
            let works = pause.is_some_and(|pause| (0..=most).contains(&pause));
            let silence = if works { UNLIKELY } else { 0 };
            last_stamp = entry.logged().or(last_stamp);
            let mut best = (i64::MAX, 0);
            for (epoch, cost) in costs.iter_mut().enumerate() {
                let before = epoch.checked_sub(1).map_or(0, |before| self.size(before));
                best = (best.0.saturating_add(silence * before), best.1).min((*cost, epoch));
                choices.push(best.1 as u8);
                let own = if !(first..=last).contains(&epoch) {
                    FAR * 1000
                } else if let Some(logged) = entry.logged() {
                    references.distance(log, epoch, logged) + 4 * self.outside(epoch, logged)
                } else {
                    0
                };
                *cost = best.0.saturating_add(own);
            }
        }
        let mut epoch =
            (0..all).min_by_key(|epoch| (costs[*epoch], *epoch)).unwrap_or(self.changes.len());
        let mut placed = vec![0; log.entries.len()];
        for at in (0..log.entries.len()).rev() {
            placed[at] = epoch as u8;
            epoch = usize::from(choices[at * all + epoch]);
        }
        placed
    }

    /// From when in each epoch the clock stood as it did at the epoch's end: after the last long
    /// silence, in which it may have been set.
    fn begins(&self, logs: &DeviceLogs, epochs: &[Vec<u8>]) -> Vec<Option<Stamp>> {
        let mut stamps: Vec<Vec<Stamp>> = vec![Vec::new(); self.changes.len()];
        for (log, epochs) in logs.sources.iter().zip(epochs) {
            for (entry, epoch) in log.entries.iter().zip(epochs) {
                if let Some(own) = stamps.get_mut(usize::from(*epoch)) {
                    own.extend(entry.logged());
                }
            }
        }
        let mut begins = Vec::new();
        for own in &mut stamps {
            own.sort_unstable();
            let silence = own.windows(2).rfind(|pair| pair[1].seconds_since(pair[0]) >= REST);
            begins.push(silence.map(|pair| pair[1]));
        }
        begins
    }

    /// By how much an instant of an epoch is to be moved, in milliseconds.
    fn moved(&self, epoch: usize, logged: Stamp, begins: &[Option<Stamp>]) -> i64 {
        let mut moved = 0;
        let mut from = Some(logged);
        for (change, begin) in begins.iter().enumerate().skip(epoch) {
            // An epoch that begins with another setting than it ends with ends the chain.
            let chained = match (from, begin) {
                (_, None) => true,
                (Some(from), Some(begin)) => from >= *begin,
                (None, Some(_)) => false,
            };
            if !chained {
                break;
            }
            moved += self.moves[change];
            from = None;
        }
        moved
    }
}

/// Records whose epoch is plain.
struct References {
    /// By epoch, in order.
    all: Vec<Vec<Stamp>>,
    /// Those of the provisioning agent among them.
    agent: Vec<Vec<Stamp>>,
    /// Starts of a task's program, by epoch.
    tasks: BTreeMap<String, Vec<Vec<Stamp>>>,
}

impl References {
    fn new(epochs: usize) -> References {
        let none = vec![Vec::new(); epochs];
        References { all: none.clone(), agent: none, tasks: BTreeMap::new() }
    }

    fn add(&mut self, log: &SourceLog, entry: &Entry, epoch: Option<usize>, formats: &Formats) {
        let (Some(logged), Some(epoch)) = (entry.logged(), epoch) else { return };
        self.all[epoch].push(logged);
        if log.kind == SourceKind::Provisioning {
            self.agent[epoch].push(logged);
        }
        if let Event::ProcessCreated(child) = &entry.event
            && let Some(task) = formats.arguments.task_of(&child.arguments)
        {
            let none = vec![Vec::new(); self.all.len()];
            self.tasks.entry(task.to_owned()).or_insert(none)[epoch].push(logged);
        }
    }

    fn sort(&mut self) {
        let tasks = self.tasks.values_mut().flatten();
        let all = self.all.iter_mut().chain(&mut self.agent);
        all.chain(tasks).for_each(|stamps| stamps.sort_unstable());
    }

    /// How far a line of a log is from what is known of an epoch, in milliseconds: from the
    /// starts of its task, else from any record and from the run of the provisioning agent.
    fn distance(&self, log: &SourceLog, epoch: usize, logged: Stamp) -> i64 {
        if let Some(starts) = log.task.as_deref().and_then(|task| self.tasks.get(task)) {
            return nearest(&starts[epoch], logged);
        }
        nearest(&self.all[epoch], logged) + nearest(&self.agent[epoch], logged).min(RUN)
    }
}

/// The distance to the nearest of ascending stamps in milliseconds, at most [`FAR`].
fn nearest(stamps: &[Stamp], at: Stamp) -> i64 {
    let after = stamps.partition_point(|stamp| *stamp < at);
    let around = after.saturating_sub(1)..(after + 1).min(stamps.len());
    let distances = stamps[around].iter().map(|stamp| (stamp.0 - at.0).abs());
    distances.min().unwrap_or(FAR).min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Quote;
    use provtrace_parsers::engine::LineCounts;

    fn log(kind: SourceKind, path: &str, seconds: &[i64]) -> SourceLog {
        let entry = |second: &i64| Entry {
            stamp: None.into(),
            logged: Some(Stamp((1_742_800_000 + second) * 1000)).into(),
            pid: None,
            tid: None,
            event: Event::Alive,
            mark: None,
            quote: Quote { line: 1, offset: 0, length: 0, text: "".into() },
        };
        SourceLog {
            path: path.into(),
            member: None,
            format: Box::default(),
            kind,
            task: None,
            entries: seconds.iter().map(entry).collect(),
            counts: LineCounts::default(),
            bytes: 0,
        }
    }

    /// The agent's log steps back by an hour; the scan's log lies before that, and shows nothing.
    #[test]
    fn logs_without_a_step_of_their_own_follow_the_run() {
        let agent = log(SourceKind::Provisioning, "a", &[9000, 9060, 9120, 5530, 5600, 5700]);
        let scan = log(SourceKind::Vulscan, "b", &[9050, 9070, 9110]);
        let mut logs = DeviceLogs { sources: vec![agent, scan], ..DeviceLogs::default() };
        let formats = Formats::builtin().expect("formats");
        let clock = Clock::of_device(&logs, &[]);
        let changes = straighten(&mut logs, &formats, &clock);
        let moved: Vec<i64> = changes.iter().map(|change| change.moved / 1000).collect();
        assert_eq!(moved, [-3590]);
        let times = |at: usize| -> Vec<i64> {
            let entries = logs.sources[at].entries.iter();
            entries.filter_map(|entry| Some(entry.stamp()?.0 / 1000 - 1_742_800_000)).collect()
        };
        assert_eq!(times(0), [5410, 5470, 5530, 5530, 5600, 5700]);
        assert_eq!(times(1), [5460, 5480, 5520]);
    }
}
