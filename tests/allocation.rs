//! How often reading asks for memory: never for a line that is no event. Counted in a test of its
//! own, since the counts are those of the whole process.

mod program;
mod simulation;

use std::alloc::System;
use std::fs;

use program::files;
use provtrace_parsers::engine::{BlockEnd, Line, Reader, Run};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::{DateOrder, Stamp};
use simulation::Fleet;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_line_without_an_event_takes_no_memory() {
    let fleet = Fleet::with("full", 4, 5, &["--bulk", "16m"]);
    let formats = Formats::builtin().expect("the embedded formats are right");
    let (at, _) = formats.by_file_name("vulscan.log").expect("a format");
    let format = &formats.formats[at];
    let (mut lines, mut events, mut tried, mut every, mut some) = (0, 0, 0, 0, 0);
    for file in files(&fleet.share()) {
        if !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vulscan")) {
            continue;
        }
        let text = fs::read(fleet.share().join(&file)).expect("a log");
        // Patterns are compiled when they are needed: once before it counts.
        for is_first in [true, false] {
            let mut reader = Reader::new(format, DateOrder::MonthFirst, b'\n');
            let region = Region::new(COUNTED);
            reader.block(&text, BlockEnd::Last, &mut |line: &Line<'_>| {
                let is_event = line.event.as_ref().is_some_and(|event| *event != Event::Alive);
                events += u64::from(is_event && !is_first);
            });
            every += if is_first { 0 } else { region.change().allocations };
            let mut reader = Reader::new(format, DateOrder::MonthFirst, b'\n');
            let region = Region::new(COUNTED);
            reader.block_in_runs(&text, BlockEnd::Last, &mut |line: &Line<'_>| {
                line.stamp.map(|from| Run { from, until: Stamp(from.0 + 30_000), gap: 1_000 })
            });
            if !is_first {
                some += region.change().allocations;
                lines += reader.counts().lines;
                tried += reader.work().tried;
            }
        }
    }
    let all = format!("{lines} lines, {events} events, {tried} tried: {every} and {some} times");
    assert!(lines > 100_000 && events > 0, "{all}");
    assert!(some <= every && every as u64 <= tried * 3, "three for a pattern that is tried: {all}");
    assert!(every as u64 * 200 < lines, "one for 200 lines: {all}");
}
