//! The records of several files of one log as one sequence: in order of time, each once.
//!
//! The same records lie in a rotated file and its successor, in a second copy in a sub-folder,
//! in tonight's and last night's copy of one growing log. A record counts again only where one
//! file alone has it more often.

use std::collections::HashMap;

use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::ingest::DeviceLogs;
use crate::lifetime::EntryRef;

/// The records of a kind of source, in order of time; of one task if `task` is given. Of
/// equal records the one in the first file by path stands for all.
pub fn records(
    logs: &DeviceLogs,
    kind: SourceKind,
    task: Option<&Option<String>>,
) -> Vec<EntryRef> {
    let mut places = Vec::new();
    let mut known: HashMap<(Option<Stamp>, &str), usize> = HashMap::new();
    for (source, log) in logs.sources.iter().enumerate() {
        if log.kind != kind || task.is_some_and(|task| *task != log.task) {
            continue;
        }
        let mut own: HashMap<(Option<Stamp>, &str), usize> = HashMap::new();
        for (at, entry) in log.entries.iter().enumerate() {
            let key = (entry.stamp, &*entry.quote.text);
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
    // Within one second the order in the file is the order.
    places.sort_by_key(|place| (logs.entry(*place).stamp, *place));
    places
}
