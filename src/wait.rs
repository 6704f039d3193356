//! Steps whose program waited for a scan, for long and without a refusal: newer agents queue
//! behind a scan that hangs.

use provtrace_parsers::code::CodeTable;
use provtrace_parsers::event::Event;

use crate::correlate::{Findings, Proof};
use crate::holder::Holders;
use crate::lifetime::{EntryRef, Lifetime, Program, SLACK};
use crate::logs::DeviceLogs;
use crate::run::Step;
use crate::spans::later;
use crate::timeline::Timeline;

/// A wait that is worth telling, in seconds.
const LONG: i64 = 3600;
/// What a program writes at its start, before it waits, in seconds.
const FIRST_LINES: i64 = 60;
/// A holder that lived so long before it was met hangs, in seconds: no scan takes hours.
const HANGS: i64 = 3 * 3600;

/// A step that waited.
#[derive(Debug, Clone)]
pub struct LongWait {
    /// Index into [`Timeline::steps`].
    pub step: usize,
    /// The scan, as an index into [`Timeline::lifetimes`].
    pub scan: usize,
    /// How long both were there, in seconds.
    pub seconds: i64,
    /// The lines, in order of time.
    pub evidence: Vec<Proof>,
}

/// Whether a holder had lived for hours when a step met it.
pub fn hangs(holder: &Lifetime, step: &Step) -> bool {
    step.at.seconds_since(holder.start.at) > HANGS
}

/// Finds the steps that were not refused, began while a scan was there, and had it beside them
/// for over an hour without a line of their own.
pub fn long_waits(
    timeline: &Timeline,
    logs: &DeviceLogs,
    findings: &Findings,
    codes: &CodeTable,
) -> Vec<LongWait> {
    let holders = Holders::new(timeline, codes);
    let mut waits = Vec::new();
    for (at, step) in timeline.steps.iter().enumerate() {
        if findings.incidents.iter().any(|incident| incident.steps.contains(&at)) {
            continue;
        }
        let own = &timeline.lifetimes[step.lifetime];
        let until = step.ended.unwrap_or(own.end.at);
        if until.seconds_since(step.at) <= LONG {
            continue;
        }
        let beside = |scan: &Lifetime| until.min(scan.end.at).seconds_since(step.at);
        let scans = holders.alive(step.lifetime, step.at, step.at).filter(|other| {
            let scan = &timeline.lifetimes[*other];
            scan.program == Program::Vulscan
                && scan.step.is_none()
                && scan.start.at < step.at
                && scan.active_from() <= step.at
                && beside(scan) > LONG
                && is_silent(own, scan, logs)
        });
        let longest = scans.max_by_key(|scan| (beside(&timeline.lifetimes[*scan]), *scan));
        waits.extend(longest.map(|scan| LongWait {
            step: at,
            scan,
            seconds: beside(&timeline.lifetimes[scan]),
            evidence: proofs(own, &timeline.lifetimes[scan], logs),
        }));
    }
    waits
}

/// Whether a step's program wrote nothing between its start and the scan's end but that it waits.
fn is_silent(own: &Lifetime, scan: &Lifetime, logs: &DeviceLogs) -> bool {
    let (from, to) = (later(own.start.at, FIRST_LINES), later(scan.end.at, -SLACK));
    let inside = own
        .traces
        .iter()
        .map(|trace| logs.entry(*trace))
        .filter(|entry| entry.stamp().is_some_and(|at| from < at && at < to));
    { inside }.all(|entry| entry.event == Event::Waits)
}

fn proofs(own: &Lifetime, scan: &Lifetime, logs: &DeviceLogs) -> Vec<Proof> {
    let ends = [scan.start.entry, own.start.entry, scan.end.entry, own.end.entry];
    let mut entries: Vec<EntryRef> = ends.to_vec();
    entries.sort_by_key(|entry| (logs.entry(*entry).stamp(), *entry));
    entries.dedup();
    let proof = |entry: EntryRef| Proof { says: logs.entry(entry).event.word(), entry };
    entries.into_iter().map(proof).collect()
}
