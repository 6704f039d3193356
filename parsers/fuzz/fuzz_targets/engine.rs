//! Any bytes, read by one format in blocks of any size: no line is lost, and blocks change
//! nothing. The first two bytes are the block's size, the third the format, the fourth the code
//! page and the order of dates: one reading an input keeps the target fast.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provtrace_parsers::engine::{BlockEnd, Line, LineCounts, Reader};
use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::stamp::DateOrder;
use provtrace_parsers::text::{is_binary, read_code_page, sniff};

static FORMATS: LazyLock<[Formats; 3]> = LazyLock::new(|| {
    let plain = Formats::builtin().expect("embedded");
    ["windows-1252", "shift_jis", "gb18030"].map(|page| {
        let mut formats = plain.clone();
        formats.read_with(read_code_page(page).expect("known"));
        formats
    })
});

/// Reads a text in blocks of a size; `take` gets each line.
fn read(
    format: &Format,
    order: DateOrder,
    text: &[u8],
    size: usize,
    mut take: impl FnMut(&Line<'_>),
) -> LineCounts {
    let mut reader = Reader::new(format, order, b'\n');
    let mut sink = |line: &Line<'_>| {
        let at = usize::try_from(line.offset).expect("small");
        assert_eq!(&text[at..at + line.raw.len()], line.raw, "an offset leads to its line");
        take(line);
    };
    let (mut start, mut stop) = (0, 0);
    while stop < text.len() {
        stop = (stop + size).min(text.len());
        let end = if stop == text.len() { BlockEnd::Last } else { BlockEnd::More };
        start += reader.block(&text[start..stop], end, &mut sink);
    }
    reader.counts()
}

fuzz_target!(|data: &[u8]| {
    let [low, high, format, how, text @ ..] = data else { return };
    let size = usize::from(u16::from_le_bytes([*low, *high])).max(1);
    let _ = (sniff(text), is_binary(text));
    let formats = &FORMATS[usize::from(*how) % 3].formats;
    let order = if *how < 128 { DateOrder::MonthFirst } else { DateOrder::DayFirst };
    let format = &formats[usize::from(*format) % formats.len()];
    let mut lines = Vec::new();
    let whole =
        read(format, order, text, text.len().max(1), |line| lines.push(format!("{line:?}")));
    let sum = whole.understood + whole.continued + whole.unknown;
    assert_eq!((whole.lines, whole.lines), (sum, lines.len() as u64));
    let mut at = 0;
    let counts = read(format, order, text, size, |line| {
        assert_eq!(lines.get(at), Some(&format!("{line:?}")), "blocks change nothing");
        at += 1;
    });
    assert_eq!(counts, whole, "blocks change nothing");
    // The same where a block can't hold a line: nothing is asserted but the sum.
    let mut reader = Reader::new(format, order, b'\n');
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
});
