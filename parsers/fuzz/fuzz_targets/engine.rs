//! Any bytes, read by every format in blocks of any size: no line is lost, and blocks change
//! nothing. The first two bytes are the block's size, the third the code page.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provtrace_parsers::engine::{BlockEnd, Line, LineCounts, Reader};
use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::stamp::DateOrder;
use provtrace_parsers::text::{is_binary, read_code_page, sniff};

static FORMATS: LazyLock<[Formats; 3]> = LazyLock::new(|| {
    ["windows-1252", "shift_jis", "gb18030"].map(|page| {
        let mut formats = Formats::builtin().expect("embedded");
        formats.read_with(read_code_page(page).expect("known"));
        formats
    })
});

fn read(format: &Format, order: DateOrder, text: &[u8], size: usize) -> (LineCounts, Vec<String>) {
    let mut reader = Reader::new(format, order, b'\n');
    let mut lines = Vec::new();
    let mut sink = |line: &Line<'_>| {
        let at = usize::try_from(line.offset).expect("small");
        assert_eq!(&text[at..at + line.raw.len()], line.raw, "an offset leads to its line");
        lines.push(format!("{line:?}"));
    };
    let (mut start, mut stop) = (0, 0);
    while stop < text.len() {
        stop = (stop + size).min(text.len());
        let end = if stop == text.len() { BlockEnd::Last } else { BlockEnd::More };
        start += reader.block(&text[start..stop], end, &mut sink);
    }
    (reader.counts(), lines)
}

fuzz_target!(|data: &[u8]| {
    let [low, high, page, text @ ..] = data else { return };
    let size = usize::from(u16::from_le_bytes([*low, *high])).max(1);
    let _ = (sniff(text), is_binary(text));
    let formats = &FORMATS[usize::from(*page) % FORMATS.len()];
    for format in &formats.formats {
        for order in [DateOrder::MonthFirst, DateOrder::DayFirst] {
            let whole = read(format, order, text, usize::MAX >> 1);
            let LineCounts { lines, understood, continued, unknown } = whole.0;
            assert_eq!(lines, understood + continued + unknown);
            assert_eq!(lines, whole.1.len() as u64);
            assert_eq!(whole, read(format, order, text, size), "blocks change nothing");
        }
        // The same where a block can't hold a line: nothing is asserted but the sum.
        let mut reader = Reader::new(format, DateOrder::MonthFirst, b'\n');
        for block in text.chunks(size) {
            let mut rest = block;
            while !rest.is_empty() {
                let used = reader.block(rest, BlockEnd::Full, &mut |_| {});
                assert!(used <= rest.len());
                if used == 0 {
                    break;
                }
                rest = &rest[used..];
            }
        }
        let LineCounts { lines, understood, continued, unknown } = reader.counts();
        assert_eq!(lines, understood + continued + unknown);
    }
});
