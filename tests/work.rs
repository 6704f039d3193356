//! What reading takes, counted in work and not in time: a share that is read with more of it than
//! these bounds allow is read slowly on every machine.

mod program;
mod simulation;

use std::fs;

use program::files;
use provtrace_parsers::engine::{BlockEnd, Line, LineCounts, Reader, Work};
use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::DateOrder;
use simulation::Fleet;

/// What the logs of some names take, read by their formats.
fn work(fleet: &Fleet, is_wanted: impl Fn(&str) -> bool) -> (u64, LineCounts, Work) {
    let formats = Formats::builtin().expect("the embedded formats are right");
    let (mut bytes, mut counts, mut all) = (0, LineCounts::default(), Work::default());
    for file in files(&fleet.share()) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let Some((format, _)) = formats.by_file_name(name).filter(|_| is_wanted(name)) else {
            continue;
        };
        let text = fs::read(fleet.share().join(&file)).expect("a log");
        let mut reader = Reader::new(&formats.formats[format], DateOrder::MonthFirst, b'\n');
        assert_eq!(reader.block(&text, BlockEnd::Last, &mut |_: &Line<'_>| {}), text.len());
        bytes += text.len() as u64;
        counts.add(reader.counts());
        let Work { searched, tried, parsed } = reader.work();
        all.searched += searched;
        all.tried += tried;
        all.parsed += parsed;
    }
    (bytes, counts, all)
}

/// A scanner's log is the bulk of a share, and nearly all of it is told by comparing bytes.
#[test]
fn the_history_of_scans_is_hardly_searched() {
    let fleet = Fleet::with("full", 4, 5, &["--bulk", "16m"]);
    let (bytes, counts, work) = work(&fleet, |name| name.starts_with("vulscan"));
    let all = format!("{bytes} bytes, {counts:?}, {work:?}");
    assert!(bytes > 12_000_000 && counts.lines > 100_000, "{all}");
    assert!(counts.stamped == counts.lines && counts.unknown > 0, "{all}");
    assert!(work.searched * 200 < bytes, "one byte in 200: {all}");
    assert!(work.tried * 200 < counts.lines, "a pattern for one line in 200: {all}");
    assert!(work.parsed * 20 < counts.lines, "a stamp of 20 lines: {all}");
}

/// The other logs hold mostly events; each is searched once.
#[test]
fn a_line_is_searched_at_most_once() {
    let fleet = Fleet::simulate("full", 12, 5);
    let (bytes, counts, work) = work(&fleet, |name| name.ends_with(".log"));
    let all = format!("{bytes} bytes, {counts:?}, {work:?}");
    assert!(counts.lines > 5_000, "{all}");
    assert!(work.searched < bytes, "{all}");
    assert!(work.tried < counts.lines * 2, "two patterns a line: {all}");
    assert!(work.parsed < counts.stamped, "{all}");
}
