//! A file that is one XML document → its state.

use provtrace_parsers::engine::{Line, LineCounts, Outcome};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Format, XmlToml};
use provtrace_parsers::policy_status;
use provtrace_parsers::text::{self, TextEncoding};

use crate::block::{Block, Cursor, Sink};

/// Gives the lines of a document; its state is one event, on the line of its code. `is_whole`: `raw` is
/// all of it.
pub fn read(
    raw: &[u8],
    is_whole: bool,
    format: &Format,
    xml: &XmlToml,
    task: Option<&str>,
    sink: &mut impl Sink,
) -> LineCounts {
    let (encoding, mark) = text::sniff(raw);
    let decoded = text::decode_all(raw, format.code_page);
    let decoded = decoded.trim_end_matches('\0');
    let state = policy_status::read(decoded, xml, task);
    let state = state.filter(|_| is_whole);
    let mut event = state.map(|state| Event::TaskState(Box::new(state)));
    let known = event.is_some();
    let cursor = Cursor { decoded: 0, raw: mark as u64 };
    let mut block = Block {
        text: decoded.as_bytes(),
        base: 0,
        utf16: (encoding != TextEncoding::Bytes).then_some(cursor),
        mark: mark as u64,
        page: format.code_page,
        record: None,
    };
    let told_by = decoded.lines().position(|line| line.contains(&xml.code)).unwrap_or(0);
    let mut counts = LineCounts::default();
    let mut offset = 0;
    for (at, whole) in decoded.split_inclusive('\n').enumerate() {
        let line = whole.trim_end_matches(['\r', '\n']);
        let event = if at == told_by { event.take() } else { None };
        let outcome = match (&event, known) {
            (Some(_), _) => Outcome::Event,
            (None, true) => Outcome::Noise,
            (None, false) => Outcome::Unknown,
        };
        counts.lines += 1;
        counts.understood += u64::from(known);
        counts.unknown += u64::from(!known);
        let line = Line {
            passed: 0,
            number: counts.lines,
            offset,
            raw: line.as_bytes(),
            stamp: None,
            pid: None,
            tid: None,
            layout: None,
            message_at: 0,
            outcome,
            event,
            rule: None,
        };
        sink.line(&line, &mut block);
        offset += whole.len() as u64;
    }
    sink.end_block(&mut block);
    counts
}
