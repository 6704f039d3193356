//! The records of several files of one log as one sequence: in order of time, each once.
//!
//! The same records lie in a rotated file and its successor, in a second copy in a sub-folder,
//! in tonight's and last night's copy of one growing log. A record counts again only where one
//! file alone has it more often.

use std::collections::{BTreeSet, HashMap};

use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::ingest::{DeviceLogs, SourceLog};
use crate::lifetime::EntryRef;

/// The records of a kind of source, in order of time.
pub fn records(logs: &DeviceLogs, kind: SourceKind) -> Vec<EntryRef> {
    records_of(logs, numbers(logs, |log| log.kind == kind))
}

/// The records of some sources, given by their numbers, in order of time.
pub fn records_of(logs: &DeviceLogs, sources: Vec<usize>) -> Vec<EntryRef> {
    let mut places = each_once(logs, sources);
    // Within one second the order in the file is the order.
    places.sort_by_key(|place| (logs.entry(*place).stamp, *place));
    places
}

/// The records of some sources, each once, in the order of the files.
pub fn in_file_order(logs: &DeviceLogs, wanted: impl Fn(&SourceLog) -> bool) -> Vec<EntryRef> {
    each_once(logs, numbers(logs, wanted))
}

fn numbers(logs: &DeviceLogs, wanted: impl Fn(&SourceLog) -> bool) -> Vec<usize> {
    (0..logs.sources.len()).filter(|source| wanted(&logs.sources[*source])).collect()
}

/// Files in order of their first stamps, as a log that rolls wrote them. Of equal records the
/// first one stands for all.
fn each_once(logs: &DeviceLogs, mut sources: Vec<usize>) -> Vec<EntryRef> {
    let first_stamp = |log: &SourceLog| log.entries.iter().find_map(|entry| entry.stamp);
    sources.sort_by_key(|source| (first_stamp(&logs.sources[*source]), *source));
    let alone = alone(logs, &sources);
    let mut places = Vec::new();
    let mut known: HashMap<(Option<Stamp>, &str), usize> = HashMap::new();
    for source in sources {
        if alone.contains(&source) {
            // No other file has a record of that time.
            let entries = 0..logs.sources[source].entries.len();
            places.extend(entries.map(|entry| EntryRef { source, entry }));
            continue;
        }
        let mut own: HashMap<(Option<Stamp>, &str), usize> = HashMap::new();
        for (at, entry) in logs.sources[source].entries.iter().enumerate() {
            let key = (entry.logged, &*entry.quote.text);
            let count = own.entry(key).or_default();
            *count += 1;
            if known.get(&key).is_none_or(|known| *known < *count) {
                places.push(EntryRef { source, entry: at });
            }
        }
        for (key, count) in own {
            let known = known.entry(key).or_default();
            *known = count.max(*known);
        }
    }
    places
}

/// Of some sources those with whose first to last record no other one's meet.
fn alone(logs: &DeviceLogs, sources: &[usize]) -> BTreeSet<usize> {
    let span = |source: usize| {
        let stamps = || logs.sources[source].entries.iter().map(|entry| entry.logged);
        (stamps().min().flatten(), stamps().max().flatten(), source)
    };
    let mut spans: Vec<_> = sources.iter().map(|source| span(*source)).collect();
    spans.sort_unstable();
    let mut alone = BTreeSet::new();
    let mut latest = None;
    for (at, (start, end, source)) in spans.iter().enumerate() {
        let parted_before = at == 0 || latest < Some(*start);
        let parted_behind = spans.get(at + 1).is_none_or(|(next, _, _)| next > end);
        if parted_before && parted_behind {
            alone.insert(*source);
        }
        latest = latest.max(Some(*end));
    }
    alone
}
