//! The records of several files of one log as one sequence: in order of time, each once.
//!
//! The same records lie in a rotated file and its successor, in a second copy in a sub-folder,
//! in tonight's and last night's copy of one growing log. A record counts again only where one
//! file alone has it more often.

use std::collections::HashMap;

use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::ingest::{DeviceLogs, SourceLog};
use crate::lifetime::EntryRef;

/// The records of a kind of source, in order of time; of one task if `task` is given.
pub fn records(
    logs: &DeviceLogs,
    kind: SourceKind,
    task: Option<&Option<String>>,
) -> Vec<EntryRef> {
    let wanted = |log: &SourceLog| log.kind == kind && task.is_none_or(|task| *task == log.task);
    let mut places = in_file_order(logs, wanted);
    // Within one second the order in the file is the order.
    places.sort_by_key(|place| (logs.entry(*place).stamp, *place));
    places
}

/// The records of some sources, each once, in the order of the files; files in order of their
/// first stamps, as a log that rolls wrote them. Of equal records the first one stands for all.
pub fn in_file_order(logs: &DeviceLogs, wanted: impl Fn(&SourceLog) -> bool) -> Vec<EntryRef> {
    let first_stamp = |log: &SourceLog| log.entries.iter().find_map(|entry| entry.stamp);
    let mut sources: Vec<usize> = (0..logs.sources.len()).collect();
    sources.retain(|source| wanted(&logs.sources[*source]));
    sources.sort_by_key(|source| (first_stamp(&logs.sources[*source]), *source));
    let spans: Vec<_> = sources.iter().map(|source| span(&logs.sources[*source])).collect();
    let mut places = Vec::new();
    let mut known: HashMap<(Option<Stamp>, &str), usize> = HashMap::new();
    for (number, source) in sources.into_iter().enumerate() {
        let meets =
            |other: usize| spans[number].0 <= spans[other].1 && spans[other].0 <= spans[number].1;
        if !(0..spans.len()).any(|other| other != number && meets(other)) {
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

/// The earliest and the latest stamp of a log's records.
fn span(log: &SourceLog) -> (Option<Stamp>, Option<Stamp>) {
    let stamps = || log.entries.iter().map(|entry| entry.logged);
    (stamps().min().flatten(), stamps().max().flatten())
}
