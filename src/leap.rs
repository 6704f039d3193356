//! Forward steps of a device's clock in the middle of a run.
//!
//! A clock that is put forward leaves a silence in every log, as a machine does that was off, a
//! long install, or a task that waits behind a hung scan. So a silence is taken for a leap only
//! where nothing explains it: the provisioning agent goes on with the same run, other logs fall
//! silent and go on beside it, nothing was started or ended in between, and no scan was there.

use provtrace_parsers::event::Event;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::axis::ClockChange;
use crate::changes::{ChangeKnown, REST, is_wall_clock};
use crate::lifetime::Program;
use crate::logs::{DeviceLogs, Entry};
use crate::sequence;

/// A shorter silence needs no explanation, in milliseconds.
const LEAST: i64 = 50 * 60_000;
/// The same while a step's program is at work: an install may take long.
const LEAST_AT_WORK: i64 = REST * 1000;
/// After a longer silence somebody may have gone on with the run the next day, in milliseconds.
const MOST: i64 = 16 * 3_600_000;
/// So near to a silence other logs must stop and go on, in milliseconds.
const BESIDE: i64 = 600_000;
/// A scan that wrote so shortly before a silence may still be there, in milliseconds.
const SCAN: i64 = 45 * 60_000;

/// Puts what was logged before a leap on the clock after it, back to the last long silence, and
/// adds the leap to the changes that are known.
pub fn close(logs: &mut DeviceLogs, changes: &mut Vec<ClockChange>) {
    for (before, after) in find(logs) {
        let moved = after.0 - before.0;
        let stamps = all_stamps(logs);
        let last = stamps.partition_point(|stamp| *stamp <= before);
        let own = &stamps[..last];
        let rest = own.windows(2).rfind(|pair| pair[1].seconds_since(pair[0]) >= REST);
        let from = rest.map_or(Stamp(i64::MIN), |pair| pair[1]);
        let mut logged = (before, after);
        for log in logs.sources.iter_mut().filter(|log| is_wall_clock(log.kind)) {
            for entry in &mut log.entries {
                let Some(stamp) = entry.stamp() else { continue };
                if stamp == after {
                    logged.1 = entry.logged().unwrap_or(after);
                }
                if stamp == before {
                    logged.0 = entry.logged().unwrap_or(before);
                }
                if (from..=before).contains(&stamp) {
                    entry.place(Some(Stamp(stamp.0.saturating_add(moved))));
                }
            }
        }
        for change in changes.iter_mut().filter(|change| (from..=before).contains(&change.at)) {
            change.at = Stamp(change.at.0.saturating_add(moved));
        }
        let known = ChangeKnown::SharedSilence;
        changes.push(ClockChange { before: logged.0, after: logged.1, at: after, moved, known });
    }
    changes.sort_by_key(|change| change.at);
}

/// The silences of a device that nothing but its clock explains: last reading before, first
/// reading after; in order of time.
fn find(logs: &DeviceLogs) -> Vec<(Stamp, Stamp)> {
    let agent = sequence::records(logs, SourceKind::Provisioning);
    let agent: Vec<&Entry> = agent.into_iter().map(|at| logs.entry(at)).collect();
    let mut found = Vec::new();
    let mut run = Run::default();
    let mut stamps = None;
    for (at, entry) in agent.iter().enumerate() {
        run.add(&entry.event);
        let next = agent.get(at + 1).and_then(|next| next.stamp());
        let Some((begin, end)) = entry.stamp().zip(next) else { continue };
        if !(LEAST..=MOST).contains(&(end.0 - begin.0)) {
            continue;
        }
        let stamps = stamps.get_or_insert_with(|| all_stamps(logs));
        let Some((before, after)) = longest_pause(stamps, begin, end) else { continue };
        let least = if run.at_work.is_some() { LEAST_AT_WORK } else { LEAST };
        if after.0 - before.0 >= least
            && run.goes_on(&agent[at + 1..])
            && is_shared(logs, before, after)
            && !may_scan(logs, before)
        {
            found.push((before, after));
        }
    }
    found
}

/// Where a provisioning run stands.
#[derive(Default)]
struct Run {
    /// The program that the agent started last, if it has not ended; an inner `None` is none of
    /// the product's.
    at_work: Option<Option<Program>>,
    /// The program that ended last, if nothing else has happened since.
    ended: Option<Option<Program>>,
}

impl Run {
    fn add(&mut self, event: &Event) {
        if let Event::ProcessCreated(child) = event {
            *self = Run { at_work: Some(Program::of_path(&child.program)), ended: None };
        } else if matches!(event, Event::ProcessExited { .. }) {
            self.ended = self.at_work.take().or(self.ended);
        } else if matches!(event, Event::SessionBegins { .. }) {
            *self = Run::default();
        }
    }

    /// Whether the agent's next records are of the same run, as one expects them. Programs that
    /// are not the product's may restart the device: nothing is said of a silence beside them.
    fn goes_on(&self, next: &[&Entry]) -> bool {
        let mut events = next.iter().map(|entry| &entry.event);
        match (self.at_work, self.ended) {
            (Some(Some(_)), _) => {
                matches!(events.find(|event| is_process(event)), Some(Event::ProcessExited { .. }))
            }
            (None, Some(Some(_))) => {
                matches!(events.find(|event| is_process(event)), Some(Event::ProcessCreated(_)))
            }
            (Some(None), _) | (None, Some(None) | None) => false,
        }
    }
}

/// Whether an event of the agent's log tells of a process or of a new beginning.
fn is_process(event: &Event) -> bool {
    matches!(
        event,
        Event::ProcessCreated(_) | Event::ProcessExited { .. } | Event::SessionBegins { .. }
    )
}

/// All stamps of the device's wall clock, in order.
fn all_stamps(logs: &DeviceLogs) -> Vec<Stamp> {
    let wall_clock = logs.sources.iter().filter(|log| is_wall_clock(log.kind));
    let mut stamps: Vec<Stamp> =
        wall_clock.flat_map(|log| &log.entries).filter_map(|entry| entry.stamp()).collect();
    stamps.sort_unstable();
    stamps
}

/// The longest pause of all logs between two records of the agent, the first one of equals.
fn longest_pause(stamps: &[Stamp], begin: Stamp, end: Stamp) -> Option<(Stamp, Stamp)> {
    let first = stamps.partition_point(|stamp| *stamp < begin);
    let after = stamps.partition_point(|stamp| *stamp <= end);
    let pairs = stamps.get(first..after)?.windows(2);
    let longest = pairs.rev().max_by_key(|pair| pair[1].0 - pair[0].0)?;
    Some((longest[0], longest[1]))
}

/// Whether logs other than the agent's stop right before a silence and go on right after it.
fn is_shared(logs: &DeviceLogs, before: Stamp, after: Stamp) -> bool {
    let others = logs
        .sources
        .iter()
        .filter(|log| is_wall_clock(log.kind) && log.kind != SourceKind::Provisioning);
    let (mut stops, mut goes_on) = (false, false);
    for stamp in others.flat_map(|log| &log.entries).filter_map(|entry| entry.stamp()) {
        stops |= (0..=BESIDE).contains(&(before.0 - stamp.0));
        goes_on |= (0..=BESIDE).contains(&(stamp.0 - after.0));
    }
    stops && goes_on
}

/// Whether a scan may have been there when a silence began: it wrote shortly before, and did
/// not say that it ended.
fn may_scan(logs: &DeviceLogs, before: Stamp) -> bool {
    let scans = logs.sources.iter().filter(|log| log.kind == SourceKind::Vulscan);
    scans.into_iter().any(|log| {
        let earlier =
            log.entries.iter().filter(|entry| entry.stamp().is_some_and(|stamp| stamp <= before));
        let last = earlier.max_by_key(|entry| entry.stamp());
        last.is_some_and(|last| {
            let near = last.stamp().is_some_and(|stamp| before.0 - stamp.0 <= SCAN);
            near && !matches!(last.event, Event::RunEnds { .. })
        })
    })
}
