//! One source → decoded text → lines, streaming in blocks of bounded size.

use std::collections::BTreeSet;
use std::io::Read;

use provtrace_parsers::engine::{BlockEnd, Line, LineCounts, Outcome, Reader};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Format, XmlToml};
use provtrace_parsers::policy_status;
use provtrace_parsers::stamp::{DateOrder, StampReader, date_order, has_slash_dates};
use provtrace_parsers::text::{self, TextEncoding};

use crate::block::{Block, Cursor, Sink, give_block, last_line_end, line_end};
use crate::discover::{Source, plain};
use crate::place;

/// Bytes of the first block, and the longest line that is read whole.
const BLOCK: usize = 1 << 20;

/// Bytes read at a time behind the first block: what was read is searched while it is in the cache.
const STEP: usize = 1 << 18;

/// What is known after a source was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadEnd {
    /// What became of its lines.
    pub counts: LineCounts,
    /// Raw bytes read.
    pub bytes: u64,
    /// Why reading stopped before the end, where it did.
    pub stopped: Option<String>,
}

/// A source that is open, its first block read.
pub struct OpenSource<'f> {
    file: Box<dyn Read>,
    format: &'f Format,
    task: Option<String>,
    buffer: Vec<u8>,
    filled: usize,
    at_end: bool,
    failed: Option<String>,
    bytes: u64,
    /// Bytes that a file had when it was found; 0 for a member of an archive, which is checked.
    expected: u64,
}

impl<'f> OpenSource<'f> {
    /// Opens a source. `buffer` is memory to use; [`OpenSource::read`] gives it back.
    ///
    /// # Errors
    /// Why nothing of it can be read, in plain words.
    pub fn open(
        source: &Source,
        format: &'f Format,
        mut buffer: Vec<u8>,
    ) -> Result<OpenSource<'f>, String> {
        let file =
            place::open(&source.file, source.member.as_ref()).map_err(|error| plain(&error))?;
        // Most files are small: no more memory is made ready than they need.
        let needed = usize::try_from(source.bytes).map_or(BLOCK, |bytes| bytes.saturating_add(1));
        if buffer.len() < needed.min(BLOCK) {
            buffer.resize(needed.min(BLOCK), 0);
        }
        let mut open = OpenSource {
            file,
            format,
            task: source.task.clone(),
            buffer,
            filled: 0,
            at_end: false,
            failed: None,
            bytes: 0,
            expected: if source.member.is_none() { source.bytes } else { 0 },
        };
        open.fill(BLOCK);
        match &open.failed {
            Some(reason) if open.filled == 0 => Err(reason.clone()),
            _some_bytes => Ok(open),
        }
    }

    /// What its first block says of the order of its slash dates: `None` if it has no such
    /// dates, `Some(None)` if they can be read either way.
    pub fn date_order(&self) -> Option<Option<DateOrder>> {
        let head = &self.buffer[..self.filled];
        let head = text::searchable(head);
        has_slash_dates(&head).then(|| date_order(&head))
    }

    /// Days (since 1970) of the stamps in its first block, with slash dates read in `order`.
    pub fn days(&self, order: DateOrder) -> BTreeSet<i64> {
        let head = &self.buffer[..self.filled];
        let head = text::searchable(head);
        let mut days = BTreeSet::new();
        // Only times are asked for: no rule is tried.
        let mut stamps = StampReader::new(self.format.stamps.clone(), order);
        for line in head.split(|byte| *byte == b'\n') {
            let envelope = stamps.read(line.strip_suffix(b"\r").unwrap_or(line));
            days.extend(envelope.map(|envelope| envelope.stamp.0.div_euclid(86_400_000)));
        }
        days
    }

    /// Reads to the end and gives every line to `sink`; returns the buffer for the next source.
    ///
    /// # Errors
    /// Why it can't be read as text at all.
    pub fn read(
        mut self,
        order: DateOrder,
        sink: &mut impl Sink,
        progress: &dyn Fn(u64),
    ) -> (Vec<u8>, Result<ReadEnd, String>) {
        let head = &self.buffer[..self.filled];
        let (encoding, mark) = text::sniff(head);
        if !head.is_empty() && head.iter().all(|byte| *byte == 0) {
            return (self.buffer, Err("only zeros: nothing was written to it yet".to_owned()));
        }
        if encoding == TextEncoding::Bytes && text::is_binary(head) {
            return (self.buffer, Err("binary, not a log".to_owned()));
        }
        progress(self.bytes);
        let counts = if let Some(xml) = &self.format.xml {
            self.read_document(xml, sink)
        } else if encoding == TextEncoding::Bytes {
            self.read_bytes(mark, order, sink, progress)
        } else {
            self.read_utf16(encoding, mark, order, sink, progress)
        };
        let end = ReadEnd { counts, bytes: self.bytes, stopped: self.failed };
        (self.buffer, Ok(end))
    }

    /// The first bytes.
    pub fn head(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Gives what follows the first `skip` bytes in pieces of `size`, each with its offset;
    /// returns the buffer for the next source, the bytes read, and why it stopped early.
    pub fn pieces(
        mut self,
        skip: usize,
        size: usize,
        progress: &dyn Fn(u64),
        take: &mut dyn FnMut(&[u8], u64),
    ) -> (Vec<u8>, u64, Option<String>) {
        progress(self.bytes);
        let (mut at, mut offset) = (skip.min(self.filled), skip as u64);
        loop {
            while let Some(piece) = self.buffer[..self.filled].get(at..at + size) {
                take(piece, offset);
                at += size;
                offset += size as u64;
            }
            if self.at_end {
                let rest = self.filled.saturating_sub(at);
                let cut = (rest > 0)
                    .then(|| format!("partly read: {rest} bytes at its end are cut off a piece"));
                return (self.buffer, self.bytes, self.failed.or(cut));
            }
            self.refill(at, progress);
            at = 0;
        }
    }

    /// Fills the buffer with so many bytes more, up to a block or to the end of the file.
    fn fill(&mut self, count: usize) {
        let until = BLOCK.min(self.filled + count);
        while self.filled < until && !self.at_end {
            if self.filled == self.buffer.len() {
                self.buffer.resize((2 * self.filled).clamp(STEP, BLOCK), 0);
            }
            let end = until.min(self.buffer.len());
            match self.file.read(&mut self.buffer[self.filled..end]) {
                Ok(0) => {
                    self.at_end = true;
                    if self.bytes < self.expected {
                        self.failed = Some(self.became_shorter());
                    }
                }
                Ok(count) => {
                    self.filled += count;
                    self.bytes += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let reason = plain(&error);
                    self.failed = Some(match self.bytes {
                        0 => reason,
                        bytes => format!("partly read: {reason} at byte {bytes}"),
                    });
                    self.at_end = true;
                }
            }
        }
    }

    fn became_shorter(&self) -> String {
        let OpenSource { expected, bytes, .. } = self;
        match bytes {
            0 => format!("it was emptied while it was read; it had {expected} bytes"),
            _some => {
                format!("partly read: it became shorter, of {expected} bytes {bytes} were there")
            }
        }
    }

    fn refill(&mut self, used: usize, progress: &dyn Fn(u64)) {
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
        let before = self.bytes;
        self.fill(STEP);
        progress(self.bytes - before);
    }

    fn read_bytes(
        &mut self,
        mark: usize,
        order: DateOrder,
        sink: &mut impl Sink,
        progress: &dyn Fn(u64),
    ) -> LineCounts {
        let mut reader = Reader::new(self.format, order, line_end(&self.buffer[..self.filled]));
        let mut skip = mark;
        let mut base = 0;
        loop {
            let text = &self.buffer[skip..self.filled];
            let end = self.block_end();
            let used = give_block(&mut reader, text, end, base, None, mark as u64, sink);
            base += used as u64;
            if end == BlockEnd::Last {
                self.tell_cut_lines(&reader);
                return reader.counts();
            }
            self.refill(skip + used, progress);
            skip = 0;
        }
    }

    fn read_utf16(
        &mut self,
        encoding: TextEncoding,
        mark: usize,
        order: DateOrder,
        sink: &mut impl Sink,
        progress: &dyn Fn(u64),
    ) -> LineCounts {
        let mut decoded = String::new();
        let mut reader = None;
        let (mut skip, mut base, mut raw_at) = (mark, 0, mark as u64);
        loop {
            let raw = &self.buffer[skip..self.filled];
            let end = self.block_end();
            let mut whole = raw.len() & !1;
            if end != BlockEnd::Last
                && let Some(cut) = last_line_end(&raw[..whole], encoding)
            {
                whole = cut;
            }
            decoded.clear();
            text::transcode_utf16(&raw[..whole], encoding, &mut decoded);
            let text = decoded.as_bytes();
            let reader =
                reader.get_or_insert_with(|| Reader::new(self.format, order, line_end(text)));
            let cursor = Cursor { decoded: 0, raw: raw_at };
            let used = give_block(reader, text, end, base, Some(cursor), 0, sink);
            base += used as u64;
            if used < decoded.len() {
                let taken = decoded.get(..used).map_or(whole as u64, text::utf16_length);
                whole = usize::try_from(taken).unwrap_or(whole);
            }
            raw_at += whole as u64;
            if end == BlockEnd::Last {
                self.tell_cut_lines(reader);
                return reader.counts();
            }
            self.refill(skip + whole, progress);
            skip = 0;
        }
    }

    fn tell_cut_lines(&mut self, reader: &Reader<'_>) {
        let cut = reader.cut_lines();
        if cut > 0 && self.failed.is_none() {
            self.failed = Some(format!(
                "partly read: {cut} lines are longer than {BLOCK} bytes, and were read up to there"
            ));
        }
    }

    fn block_end(&self) -> BlockEnd {
        if self.at_end {
            BlockEnd::Last
        } else if self.filled < BLOCK {
            BlockEnd::More
        } else {
            BlockEnd::Full
        }
    }

    /// A file that is one XML document: its state is one event, on the line of its code.
    fn read_document(&mut self, xml: &XmlToml, sink: &mut impl Sink) -> LineCounts {
        let raw = &self.buffer[..self.filled];
        let (encoding, mark) = text::sniff(raw);
        let decoded = text::decode_all(raw, self.format.code_page);
        let decoded = decoded.trim_end_matches('\0');
        let mut state = policy_status::read(decoded, xml, self.task.as_deref());
        if !self.at_end {
            self.failed =
                Some(format!("partly read: longer than {BLOCK} bytes, which no state file is"));
            state = None;
        }
        let known = state.is_some();
        let cursor = Cursor { decoded: 0, raw: mark as u64 };
        let utf16 = (encoding != TextEncoding::Bytes).then_some(cursor);
        let mut block = Block {
            text: decoded.as_bytes(),
            base: 0,
            utf16,
            mark: mark as u64,
            page: self.format.code_page,
            record: None,
        };
        let told_by = decoded.lines().position(|line| line.contains(&xml.code)).unwrap_or(0);
        let mut counts = LineCounts::default();
        let mut offset = 0;
        for (at, whole) in decoded.split_inclusive('\n').enumerate() {
            let line = whole.trim_end_matches(['\r', '\n']);
            let event = if at == told_by { state.take().map(Event::TaskState) } else { None };
            let outcome = match (&event, known) {
                (Some(_), _) => Outcome::Event,
                (None, true) => Outcome::Noise,
                (None, false) => Outcome::Unknown,
            };
            counts.lines += 1;
            counts.understood += u64::from(known);
            counts.unknown += u64::from(!known);
            let line = Line {
                number: counts.lines,
                passed: 0,
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
}

#[cfg(test)]
mod tests {
    use provtrace_parsers::format::Formats;

    use super::*;

    #[test]
    fn a_file_that_is_not_what_it_was_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("vulscan.log");
        let formats = Formats::builtin().expect("embedded");
        let (format, task) = formats.by_file_name("vulscan.log").expect("a format");
        let shown = String::new();
        let source = Source { file, shown, format, task, bytes: 20, member: None };
        let open = || {
            let open = OpenSource::open(&source, &formats.formats[format], Vec::new());
            open.map(|open| open.failed)
        };
        assert!(open().is_err_and(|reason| reason.contains("no such file")), "it vanished");
        for (now, told) in [
            ("ten bytes!", Some("partly read: it became shorter, of 20 bytes 10 were there")),
            ("exactly twenty bytes", None),
            ("it grew by some words since", None),
        ] {
            std::fs::write(&source.file, now).expect("written");
            assert_eq!(open(), Ok(told.map(str::to_owned)), "{now}");
        }
        std::fs::write(&source.file, "").expect("written");
        assert!(open().is_err_and(|reason| reason.contains("emptied")));
    }
}
