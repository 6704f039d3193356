//! What reading takes, counted in work and not in time: a share that is read with more of it than
//! these bounds allow is read slowly on every machine.

mod program;
mod simulation;

use std::fs;

use program::files;
use provtrace_parsers::engine::{BlockEnd, Line, LineCounts, Reader, Run, Work};
use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::{DateOrder, Stamp};
use simulation::Fleet;

/// What the logs of some names take, read by their formats for one that needs a line in thirty seconds
/// of life: bytes, lines, work, and of how many lines something was made.
fn work(fleet: &Fleet, is_wanted: impl Fn(&str) -> bool) -> (u64, LineCounts, Work, u64) {
    let formats = Formats::builtin().expect("the embedded formats are right");
    let (mut bytes, mut counts, mut all) = (0, LineCounts::default(), Work::default());
    let mut made = 0;
    for file in files(&fleet.share()) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let Some((format, _)) = formats.by_file_name(name).filter(|_| is_wanted(name)) else {
            continue;
        };
        let text = fs::read(fleet.share().join(&file)).expect("a log");
        let mut reader = Reader::new(&formats.formats[format], DateOrder::MonthFirst, b'\n');
        let mut sink = |line: &Line<'_>| {
            made += 1;
            line.stamp.map(|from| Run { from, until: Stamp(from.0 + 30_000), gap: 1_000 })
        };
        assert_eq!(reader.block_in_runs(&text, BlockEnd::Last, &mut sink), text.len());
        bytes += text.len() as u64;
        counts.add(reader.counts());
        let Work { searched, tried, parsed } = reader.work();
        all.searched += searched;
        all.tried += tried;
        all.parsed += parsed;
    }
    (bytes, counts, all, made)
}

/// A scanner's log is the bulk of a share, and nearly all of it is told by comparing bytes.
#[test]
fn the_history_of_scans_is_hardly_searched() {
    let fleet = Fleet::with("full", 4, 5, &["--bulk", "16m"]);
    let (bytes, counts, work, made) = work(&fleet, |name| name.starts_with("vulscan"));
    let all = format!("{bytes} bytes, {counts:?}, {work:?}, {made} made");
    assert!(bytes > 12_000_000 && counts.lines > 100_000, "{all}");
    assert!(counts.stamped == counts.lines && counts.unknown > 0, "{all}");
    assert!(work.searched * 800 < bytes, "one byte in 800: {all}");
    assert!(work.tried * 500 < counts.lines, "a pattern for one line in 500: {all}");
    assert!(work.parsed * 1000 < counts.lines, "a stamp of 1,000 lines: {all}");
    assert!(made * 50 < counts.lines, "something made of one line in 50: {all}");
}

/// The other logs hold mostly events; each is searched once.
#[test]
fn a_line_is_searched_at_most_once() {
    let fleet = Fleet::simulate("full", 12, 5);
    let (bytes, counts, work, made) = work(&fleet, |name| name.ends_with(".log"));
    let all = format!("{bytes} bytes, {counts:?}, {work:?}, {made} made");
    assert!(counts.lines > 5_000, "{all}");
    assert!(work.searched * 2 < bytes, "half of the bytes: {all}");
    assert!(work.tried * 2 < counts.lines, "a pattern for two lines: {all}");
    assert!(work.parsed * 4 < counts.stamped, "a stamp of four: {all}");
    assert!(made <= counts.lines, "{all}");
}
