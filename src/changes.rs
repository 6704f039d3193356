//! Changes of a device's clock, found in its logs: the hands were moved, not time.
//!
//! The order of lines in a file is the truth. So a stamp that lies before that of the line above
//! shows that the clock was set back between the two. Every log of a device sees the same
//! change, each between two lines of its own; together they narrow it down.

use std::collections::BTreeSet;

use provtrace_parsers::event::Event;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::lifetime::Program;
use crate::logs::{DeviceLogs, SourceLog};

/// Lines of one file may be out of order by so much, since several processes write it; seconds.
const DISORDER: i64 = 120;
/// A file with more backward steps than that is not in order of time at all.
const MOST_STEPS: usize = 8;
/// More changes than that are no work of a clock.
const MOST_CHANGES: usize = 24;
/// A silence in which a device may have been switched off and its clock set, in seconds.
pub const REST: i64 = 3 * 3600;
/// How long the restart from Windows PE into the installed system may take, in seconds.
const RESTART: i64 = 20 * 60;

/// How a change is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKnown {
    /// A file's stamps step back.
    BackwardStep,
    /// The clock goes from Pacific time, which Windows PE runs on, to the device's zone.
    WindowsPe,
    /// Daylight saving ends: no change of the instant.
    DaylightSaving,
    /// Several files fall silent together and go on in the same run, and nothing explains it: the
    /// clock was put forward.
    SharedSilence,
}

/// A change of the clock: time goes on, what the clock shows does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The last reading before that a log shows.
    pub before: Stamp,
    /// The first reading after.
    pub after: Stamp,
    /// How it is known.
    pub known: ChangeKnown,
}

/// Where one file's stamps show changes: record (the first one after) and change, in order.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Index of a record, index of a change.
    pub steps: Vec<(usize, usize)>,
    /// Its stamps are in no order: nothing can be read off them.
    pub unordered: bool,
}

/// Whether the stamps of a kind of log are those of the device's wall clock.
pub fn is_wall_clock(kind: SourceKind) -> bool {
    match kind {
        SourceKind::Provisioning
        | SourceKind::Sdclient
        | SourceKind::Vulscan
        | SourceKind::Localsch
        | SourceKind::Policysync => true,
        SourceKind::Registry
        | SourceKind::EventLog
        | SourceKind::PolicyStatus
        | SourceKind::DeviceFacts => false,
    }
}

/// Whether `next` lies so far before `last` that the clock was set back.
fn steps_back(last: Stamp, next: Stamp) -> bool {
    next.seconds_since(last) < -DISORDER
}

/// All changes of a device's clock that its files show, in order of time, and where each file
/// shows them.
pub fn find(logs: &DeviceLogs, clock: &Clock) -> (Vec<Change>, Vec<Seen>) {
    let mut order: Vec<usize> = (0..logs.sources.len()).collect();
    // The agent's own log goes through the whole run; it says most.
    order.sort_by_key(|at| (logs.sources[*at].kind != SourceKind::Provisioning, *at));
    let mut changes: Vec<Change> = Vec::new();
    let mut found: Vec<(usize, Vec<(usize, Change)>)> = Vec::new();
    let mut seen = vec![Seen::default(); logs.sources.len()];
    let starts = starts_of_product(logs);
    for at in order {
        let own = of_file(&logs.sources[at], clock, &starts);
        if own.len() > MOST_STEPS {
            seen[at].unordered = true;
            continue;
        }
        let mut least = 0;
        for (_, change) in &own {
            least = add(&mut changes, change, least) + 1;
        }
        found.push((at, own));
    }
    if clock.has_zone() {
        add_daylight_saving(&mut changes, logs, clock);
    }
    if changes.len() > MOST_CHANGES {
        changes.clear();
        found.clear();
        for seen in &mut seen {
            seen.unordered = true;
        }
    }
    for (at, own) in found {
        let mut least = 0;
        for (record, change) in own {
            if let Some(index) = same(&changes, &change, least) {
                seen[at].steps.push((record, index));
                least = index + 1;
            }
        }
    }
    (changes, seen)
}

/// When the agent's programs were started, as the provisioning agent logged it, in order.
fn starts_of_product(logs: &DeviceLogs) -> Vec<Stamp> {
    let is_start = |event: &Event| matches!(event, Event::ProcessCreated(child) if Program::of_path(&child.program).is_some());
    let agent = logs.sources.iter().filter(|log| log.kind == SourceKind::Provisioning);
    let starts = agent.flat_map(|log| &log.entries).filter(|entry| is_start(&entry.event));
    let mut starts: Vec<Stamp> = starts.filter_map(|entry| entry.logged()).collect();
    starts.sort_unstable();
    starts
}

/// The changes that one file shows, each with the first record after it.
fn of_file(log: &SourceLog, clock: &Clock, starts: &[Stamp]) -> Vec<(usize, Change)> {
    let mut changes = Vec::new();
    if !is_wall_clock(log.kind) {
        return changes;
    }
    let stamped =
        log.entries.iter().enumerate().filter_map(|(at, entry)| Some((at, entry.logged()?)));
    let mut last: Option<Stamp> = None;
    for (at, stamp) in stamped {
        let before = last.replace(stamp).unwrap_or(stamp);
        let gap = stamp.seconds_since(before);
        let known = if steps_back(before, stamp) {
            ChangeKnown::BackwardStep
        } else if log.kind == SourceKind::Provisioning
            && gap > 0
            && leaves_windows_pe(clock, before, gap)
            && !is_installed(starts, before)
        {
            ChangeKnown::WindowsPe
        } else {
            continue;
        };
        changes.push((at, Change { before, after: stamp, known }));
    }
    changes
}

/// Whether one of the agent's programs was started shortly before: Windows PE has none.
fn is_installed(starts: &[Stamp], before: Stamp) -> bool {
    let after = starts.partition_point(|start| *start <= before);
    starts[..after].last().is_some_and(|start| before.seconds_since(*start) < REST)
}

/// Whether a silence is as long as the way from Pacific time to the device's zone, and a
/// restart.
fn leaves_windows_pe(clock: &Clock, before: Stamp, gap: i64) -> bool {
    let leap = clock.ahead_of_windows_pe(before);
    leap.is_some_and(|leap| leap >= 3600 && (leap - 5..=leap + RESTART).contains(&gap))
}

/// Adds a change, or narrows down the one that it is; gives its place.
fn add(changes: &mut Vec<Change>, change: &Change, least: usize) -> usize {
    if let Some(at) = same(changes, change, least) {
        let known = &mut changes[at];
        known.before = known.before.max(change.before);
        known.after = known.after.min(change.after);
        return at;
    }
    let rest = &changes[least.min(changes.len())..];
    let at = rest.iter().position(|other| other.after > change.before);
    let at = at.map_or(changes.len(), |at| at + least);
    changes.insert(at, *change);
    at
}

/// Two files show the same change if their lines leave room for it: both clocks showed the
/// hours between.
fn same(changes: &[Change], change: &Change, least: usize) -> Option<usize> {
    let overlaps = |other: &Change| match (change.known, other.known) {
        (ChangeKnown::WindowsPe, ChangeKnown::WindowsPe) => {
            change.before < other.after && other.before < change.after
        }
        (ChangeKnown::WindowsPe | ChangeKnown::SharedSilence, _)
        | (_, ChangeKnown::WindowsPe | ChangeKnown::SharedSilence) => false,
        (
            ChangeKnown::BackwardStep | ChangeKnown::DaylightSaving,
            ChangeKnown::BackwardStep | ChangeKnown::DaylightSaving,
        ) => change.after <= other.before && other.after <= change.before,
    };
    let rest = changes.get(least..)?;
    rest.iter().position(overlaps).map(|at| at + least)
}

/// The ends of daylight saving that matter: those in whose repeated hour a line was written.
fn add_daylight_saving(changes: &mut Vec<Change>, logs: &DeviceLogs, clock: &Clock) {
    let wall_clocks = logs.sources.iter().filter(|log| is_wall_clock(log.kind));
    let stamps: Vec<Stamp> =
        wall_clocks.flat_map(|log| &log.entries).filter_map(|entry| entry.logged()).collect();
    let days: BTreeSet<i64> =
        stamps.chunk_by(|a, b| day(*a) == day(*b)).map(|same| day(same[0])).collect();
    for (before, after) in days.into_iter().filter_map(|day| clock.repeated_hour(day)) {
        let change = Change { before, after, known: ChangeKnown::DaylightSaving };
        let repeated = after..before;
        if !stamps.iter().any(|stamp| repeated.contains(stamp)) {
            continue;
        }
        // A step back inside the repeated hour is no more than this.
        let inside = |other: &Change| {
            other.known == ChangeKnown::BackwardStep
                && other.after >= after
                && other.before <= before
        };
        match changes.iter().position(inside) {
            Some(at) => changes[at] = change,
            None => {
                let at = changes.iter().position(|other| other.after > before);
                changes.insert(at.unwrap_or(changes.len()), change);
            }
        }
    }
}

fn day(stamp: Stamp) -> i64 {
    stamp.0.div_euclid(86_400_000)
}
