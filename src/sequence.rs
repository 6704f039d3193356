//! The records of several files of one log as one sequence: in order of time, each once.
//!
//! The same records lie in a rotated file and its successor, in a second copy in a sub-folder,
//! in tonight's and last night's copy of one growing log. A record counts again only where one
//! file alone has it more often.

use std::collections::{BTreeSet, HashMap};

use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;

use crate::lifetime::EntryRef;
use crate::logs::{DeviceLogs, SourceLog};

/// The records of a kind of source, in order of time.
pub fn records(logs: &DeviceLogs, kind: SourceKind) -> Vec<EntryRef> {
    records_of(logs, numbers(logs, |log| log.kind == kind))
}

/// The records of some sources, given by their numbers, in order of time.
pub fn records_of(logs: &DeviceLogs, sources: Vec<usize>) -> Vec<EntryRef> {
    let mut places = each_once(logs, sources);
    // Within one second the order in the file is the order.
    places.sort_by_key(|place| (logs.entry(*place).stamp(), *place));
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
    let first_stamp = |log: &SourceLog| log.entries.iter().find_map(|entry| entry.stamp());
    sources.sort_by_key(|source| (first_stamp(&logs.sources[*source]), *source));
    let alone = alone(logs, &sources);
    let mut places = Vec::new();
    let mut known: HashMap<(Option<Stamp>, &str), usize> = HashMap::new();
    for source in sources {
        if alone.contains(&source) {
            // No other file has a record of that time.
            let entries = 0..logs.sources[source].entries.len();
            places.extend(entries.map(|entry| EntryRef::new(source, entry)));
            continue;
        }
        let mut own: HashMap<(Option<Stamp>, &str), usize> = HashMap::new();
        for (at, entry) in logs.sources[source].entries.iter().enumerate() {
            let key = (entry.logged(), &*entry.quote.text);
            let count = own.entry(key).or_default();
            *count += 1;
            if known.get(&key).is_none_or(|known| *known < *count) {
                places.push(EntryRef::new(source, at));
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
        let stamps = || logs.sources[source].entries.iter().map(|entry| entry.logged());
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

#[cfg(test)]
mod tests {
    use provtrace_parsers::engine::LineCounts;
    use provtrace_parsers::event::Event;

    use super::*;
    use crate::logs::{Entry, Quote};

    fn log(records: &[(i64, &str)]) -> SourceLog {
        let entry = |(at, text): &(i64, &str)| Entry {
            stamp: Some(Stamp(*at)).into(),
            logged: Some(Stamp(*at)).into(),
            pid: None,
            tid: None,
            event: Event::Alive,
            mark: None,
            quote: Quote { line: 1, offset: 0, length: 1, text: (*text).into() },
        };
        SourceLog {
            path: Box::default(),
            member: None,
            format: Box::default(),
            kind: SourceKind::Vulscan,
            task: None,
            entries: records.iter().map(entry).collect(),
            counts: LineCounts::default(),
            bytes: 0,
        }
    }

    #[test]
    fn a_record_counts_once_where_files_meet() {
        let sources = vec![
            log(&[(50, "a"), (50, "a"), (60, "b")]),
            log(&[(10, "a"), (20, "a"), (20, "a")]),
            log(&[(60, "b"), (60, "b"), (70, "c")]),
            log(&[]),
        ];
        let logs = DeviceLogs { sources, ..DeviceLogs::default() };
        assert_eq!(alone(&logs, &[0, 1, 2]), BTreeSet::from([1]), "the others share a second");
        assert_eq!(alone(&logs, &[0, 1]), BTreeSet::from([0, 1]));
        let found = in_file_order(&logs, |_| true);
        let found: Vec<(usize, usize)> =
            found.iter().map(|place| (place.source(), place.entry())).collect();
        assert_eq!(found, [(1, 0), (1, 1), (1, 2), (0, 0), (0, 1), (0, 2), (2, 1), (2, 2)]);
    }
}
