//! The engine on known lines, and on any bytes in any blocks.

use proptest::prelude::*;
use provtrace_parsers::engine::{BlockEnd, Line, LineCounts, Reader};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::stamp::DateOrder;

const VULSCAN: &str = "Mon, 24 Mar 2025 12:07:53 Command line: /scan=0\r\n\
    Mon, 24 Mar 2025 12:07:53 Another task is running (sdclient.exe), waiting\r\n\
    \tmore of it\r\n\
    Mon, 24 Mar 2025 12:09:44 Starting scan\r\n\
    Mon, 24 Mar 2025 12:09:45 Something that nobody knows\r\n\
    Mon, 24 Mar 2025 12:09:46 Last status: Done\r\n\
    Mon, 24 Mar 2025 12:15:02 Exiting with return code 0x8db301b3 (435).\r\n";

fn format<'a>(formats: &'a Formats, name: &str) -> &'a Format {
    formats.formats.iter().find(|format| format.name == name).expect("a built-in name")
}

/// What a reader gives for `text` in blocks of `size` bytes.
fn read(format: &Format, text: &[u8], size: usize) -> (LineCounts, Vec<String>) {
    let mut reader = Reader::new(format, DateOrder::MonthFirst, b'\n');
    let mut out = Vec::new();
    let mut sink = |line: &Line<'_>| {
        let word = line.event.as_ref().map(Event::word);
        out.push(format!(
            "{} {} {:?} {:?} {:?}",
            line.number, line.offset, line.outcome, word, line.stamp
        ));
        let start = usize::try_from(line.offset).expect("small");
        assert_eq!(
            &text[start..start + line.raw.len()],
            line.raw,
            "offset and length lead to the line"
        );
    };
    let (mut start, mut stop) = (0, 0);
    while stop < text.len() {
        stop = (stop + size).min(text.len());
        let end = if stop == text.len() { BlockEnd::Last } else { BlockEnd::More };
        start += reader.block(&text[start..stop], end, &mut sink);
    }
    (reader.counts(), out)
}

#[test]
fn every_line_has_an_outcome() {
    let formats = Formats::builtin().expect("embedded");
    let (counts, lines) = read(format(&formats, "vulscan"), VULSCAN.as_bytes(), 4096);
    assert_eq!((counts.lines, counts.understood, counts.continued, counts.unknown), (7, 5, 1, 1));
    assert!(lines[1].contains("scan_waits"), "{lines:?}");
    assert!(lines[6].contains("run_ends"), "{lines:?}");
}

/// A log whose agent was updated: one known record, then words and stamps that nobody knows.
#[test]
fn a_record_has_an_end() {
    let formats = Formats::builtin().expect("embedded");
    let known = "Mon, 24 Mar 2025 12:07:53 Command line: /scan=0\n";
    let foreign = "12.09.44 Uhr: Suche\n".repeat(500);
    let (counts, _) =
        read(format(&formats, "vulscan"), format!("{known}{foreign}{known}").as_bytes(), 4096);
    assert_eq!((counts.understood, counts.continued, counts.unknown), (2, 50, 450));
    let (counts, _) =
        read(format(&formats, "vulscan"), format!("{known}{foreign}").as_bytes(), 4096);
    assert_eq!((counts.understood, counts.unknown_behind), (1, 450));
}

#[test]
fn a_name_stands_on_the_next_line() {
    let formats = Formats::builtin().expect("embedded");
    let text = b"2025-03-24 12:20:19(8-12) ProvisionGUI:Recieved command to set print: Action\nInstall Chrome\n";
    let (counts, lines) = read(format(&formats, "provisioning"), text, 4096);
    assert_eq!((counts.lines, counts.understood), (2, 2));
    assert!(lines[1].contains("action_begins") && lines[1].contains("Some(Stamp("), "{lines:?}");
}

#[test]
fn a_line_without_end_is_taken_once() {
    let formats = Formats::builtin().expect("embedded");
    let mut reader = Reader::new(format(&formats, "vulscan"), DateOrder::MonthFirst, b'\n');
    let mut lines = 0;
    let mut sink = |_: &Line<'_>| lines += 1;
    let long = vec![b'x'; 100];
    assert_eq!(reader.block(&long, BlockEnd::Full, &mut sink), 100);
    assert_eq!(reader.block(&long, BlockEnd::Full, &mut sink), 100);
    assert_eq!(reader.block(b"xx\nnext", BlockEnd::Last, &mut sink), 7);
    assert_eq!(lines, 2);
}

proptest! {
    #[test]
    fn any_bytes_in_any_blocks(mut text in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..90, cut in 0..VULSCAN.len()) {
        let formats = Formats::builtin().expect("embedded");
        text.extend(&VULSCAN.as_bytes()[cut..]);
        for format in &formats.formats {
            let (counts, lines) = read(format, &text, size);
            prop_assert_eq!(counts.lines, counts.understood + counts.continued + counts.unknown);
            prop_assert_eq!(counts.lines, lines.len() as u64);
            prop_assert_eq!(read(format, &text, 1 << 20), (counts, lines), "blocks change nothing");
        }
    }
}
