//! Lines of any bytes: an envelope is the same with and without the line before, which the reader
//! remembers; and the order of dates is told without harm.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provtrace_parsers::format::Formats;
use provtrace_parsers::layout::Layout;
use provtrace_parsers::stamp::{DateOrder, StampReader, date_order, has_slash_dates};

static LAYOUTS: LazyLock<Vec<Vec<Layout>>> = LazyLock::new(|| {
    let formats = Formats::builtin().expect("embedded").formats;
    formats.into_iter().map(|format| format.stamps).collect()
});

fuzz_target!(|data: &[u8]| {
    if date_order(data).is_some() {
        assert!(data.contains(&b'/'));
    }
    has_slash_dates(data);
    for layouts in LAYOUTS.iter() {
        for order in [DateOrder::MonthFirst, DateOrder::DayFirst] {
            let mut reader = StampReader::new(layouts.clone(), order);
            for line in data.split(|byte| *byte == b'\n') {
                let envelope = reader.read(line);
                let mut fresh = StampReader::new(layouts.clone(), order);
                assert_eq!(envelope, fresh.read(line), "the line before changes nothing");
                assert!(envelope.is_none_or(|envelope| envelope.message_at <= line.len()));
                assert_eq!(envelope, reader.read(line), "nor does the same line");
            }
        }
    }
});
