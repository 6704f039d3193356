//! One source → decoded text → lines, streaming in blocks of bounded size.

use std::collections::BTreeSet;

use provtrace_parsers::engine::{BlockEnd, LineCounts, Reader, ReaderState};
use provtrace_parsers::format::Format;
use provtrace_parsers::stamp::{DateOrder, StampReader, date_order, has_slash_dates};
use provtrace_parsers::text::{self, TextEncoding};

use serde::{Deserialize, Serialize};

use crate::block::{Cursor, Sink, give_block, last_line_end, line_end};
use crate::discover::Source;
use crate::document;
use crate::fingerprint::{Fingerprint, WINDOW};
use crate::stream::{BLOCK, Stream};

/// What is known after a source was read.
#[derive(Debug, Clone)]
pub struct ReadEnd {
    /// What became of its lines.
    pub counts: LineCounts,
    /// Raw bytes read.
    pub bytes: u64,
    /// Why reading stopped before the end, where it did.
    pub stopped: Option<String>,
    /// What it was, up to [`ReadEnd::place`] or its end.
    pub fingerprint: Fingerprint,
    /// Whether reading it again may give more, though it is the same file.
    pub broken: bool,
    /// Where reading can go on when it has grown: behind its last whole line. `None` if it can't.
    pub place: Option<Place>,
}

/// A place in a log, between two lines, and what a reader knows there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Raw bytes before it.
    position: u64,
    encoding: TextEncoding,
    /// Length of the byte-order mark.
    mark: usize,
    reader: ReaderState,
}

impl Place {
    /// Whether the first block goes on behind it.
    pub fn is_in_first_block(&self) -> bool {
        self.position < BLOCK as u64
    }
}

/// A source that is open, its first block read.
pub struct OpenSource<'f> {
    stream: Stream,
    format: &'f Format,
    task: Option<String>,
    is_member: bool,
    /// Where reading goes on.
    from: Option<Place>,
    /// Where it may go on another time.
    place: Option<Place>,
}

impl<'f> OpenSource<'f> {
    /// Opens a source. `buffer` is memory to use; [`OpenSource::read`] gives it back.
    ///
    /// # Errors
    /// Why nothing of it can be read, in plain words.
    pub fn open(
        source: &Source,
        format: &'f Format,
        buffer: Vec<u8>,
    ) -> Result<OpenSource<'f>, String> {
        Ok(OpenSource::of(Stream::open(source, buffer)?, source, format, None))
    }

    /// Opens a file at a place up to which it was read before, if it still begins as it did then;
    /// else gives the buffer back.
    ///
    /// # Errors
    /// The buffer.
    pub fn resume(
        source: &Source,
        format: &'f Format,
        buffer: Vec<u8>,
        place: &Place,
        known: &Fingerprint,
    ) -> Result<OpenSource<'f>, Vec<u8>> {
        if known.length != place.position {
            return Err(buffer);
        }
        let stream = Stream::resume(source, buffer, known)?;
        Ok(OpenSource::of(stream, source, format, Some(place.clone())))
    }

    fn of(stream: Stream, source: &Source, format: &'f Format, from: Option<Place>) -> Self {
        let (task, is_member) = (source.task.clone(), source.member.is_some());
        OpenSource { stream, format, task, is_member, from, place: None }
    }

    /// What its first block says of the order of its slash dates: `None` if it has no such
    /// dates, `Some(None)` if they can be read either way.
    pub fn date_order(&self) -> Option<Option<DateOrder>> {
        let head = text::searchable(self.stream.held());
        has_slash_dates(&head).then(|| date_order(&head))
    }

    /// Days (since 1970) of the stamps in its first block, with slash dates read in `order`.
    pub fn days(&self, order: DateOrder) -> BTreeSet<i64> {
        let head = text::searchable(self.stream.held());
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
        if let Some(Place { encoding, mark, .. }) = self.from {
            progress(self.stream.held().len() as u64);
            return self.text(encoding, mark, order, sink, progress);
        }
        let head = self.stream.held();
        let (encoding, mark) = text::sniff(head);
        if !head.is_empty() && head.iter().all(|byte| *byte == 0) {
            return (
                self.stream.release(),
                Err("only zeros: nothing was written to it yet".to_owned()),
            );
        }
        if encoding == TextEncoding::Bytes && text::is_binary(head) {
            return (self.stream.release(), Err("binary, not a log".to_owned()));
        }
        progress(self.stream.bytes);
        if let Some(xml) = &self.format.xml {
            let (format, task) = (self.format, self.task.as_deref());
            let counts = document::read(head, self.stream.at_end(), format, xml, task, sink);
            if !self.stream.at_end() {
                self.stream.failed =
                    Some(format!("partly read: longer than {BLOCK} bytes, which no state file is"));
            }
            return self.ended(counts);
        }
        self.text(encoding, mark, order, sink, progress)
    }

    /// Reads text to its end.
    fn text(
        mut self,
        encoding: TextEncoding,
        mark: usize,
        order: DateOrder,
        sink: &mut impl Sink,
        progress: &dyn Fn(u64),
    ) -> (Vec<u8>, Result<ReadEnd, String>) {
        let counts = if encoding == TextEncoding::Bytes {
            self.read_bytes(mark, order, sink, progress)
        } else {
            self.read_utf16(encoding, mark, order, sink, progress)
        };
        self.ended(counts)
    }

    /// The buffer for the next source, and what is known of this one.
    fn ended(self, counts: LineCounts) -> (Vec<u8>, Result<ReadEnd, String>) {
        let OpenSource { stream, place, .. } = self;
        // What could not be read wholly is read again another time.
        let place = place.filter(|_| stream.failed.is_none());
        let length = place.as_ref().map_or(stream.bytes, |place| place.position);
        let fingerprint = stream.fingerprint(length);
        let (bytes, broken, stopped) = (stream.bytes, stream.broken, stream.failed.clone());
        (stream.release(), Ok(ReadEnd { counts, bytes, stopped, fingerprint, broken, place }))
    }

    /// Where reading can go on, if the next line begins at this byte of the buffer: not so near the
    /// begin that what tells the encoding may still change, nor where it is not known how lines end.
    fn place(
        &self,
        at: usize,
        encoding: TextEncoding,
        mark: usize,
        reader: ReaderState,
    ) -> Option<Place> {
        let position = self.stream.position(at);
        // A letter of UTF-16 is at least half as long in UTF-8.
        let least = if encoding == TextEncoding::Bytes { WINDOW } else { 2 * WINDOW } as u64;
        let fits = position >= least && reader.line_end() == b'\n' && !self.is_member;
        fits.then_some(Place { position, encoding, mark, reader })
    }

    /// The first bytes.
    pub fn head(&self) -> &[u8] {
        self.stream.held()
    }

    /// Gives what follows the first `skip` bytes in pieces of `size`, each with its offset;
    /// returns the buffer for the next source, and what is known but for its lines.
    pub fn pieces(
        mut self,
        skip: usize,
        size: usize,
        progress: &dyn Fn(u64),
        take: &mut dyn FnMut(&[u8], u64),
    ) -> (Vec<u8>, ReadEnd) {
        progress(self.stream.bytes);
        let (mut at, mut offset) = (skip.min(self.stream.held().len()), skip as u64);
        loop {
            while let Some(piece) = self.stream.held().get(at..at + size) {
                take(piece, offset);
                at += size;
                offset += size as u64;
            }
            if self.stream.at_end() {
                let Stream { bytes, failed, .. } = &self.stream;
                let rest = self.stream.held().len().saturating_sub(at);
                let cut = (rest > 0)
                    .then(|| format!("partly read: {rest} bytes at its end are cut off a piece"));
                let (bytes, stopped) = (*bytes, failed.clone().or(cut));
                let (broken, counts) = (self.stream.broken, LineCounts::default());
                let fingerprint = self.stream.fingerprint(bytes);
                let end = ReadEnd { counts, bytes, stopped, fingerprint, broken, place: None };
                return (self.stream.release(), end);
            }
            self.stream.refill(at, progress);
            at = 0;
        }
    }

    fn read_bytes(
        &mut self,
        mark: usize,
        order: DateOrder,
        sink: &mut impl Sink,
        progress: &dyn Fn(u64),
    ) -> LineCounts {
        let format = self.format;
        let new = || (Reader::new(format, order, line_end(self.stream.held())), mark);
        let (mut reader, mut skip) = self
            .from
            .take()
            .map_or_else(new, |place| (Reader::resume(format, order, place.reader), 0));
        let mut base = reader.offset();
        let mut paused = false;
        loop {
            let last = self.stream.block_end() == BlockEnd::Last;
            // Whole lines first: reading can go on behind them when the file has grown.
            let end = if last && !paused { BlockEnd::More } else { self.stream.block_end() };
            let text = &self.stream.held()[skip..];
            let used = give_block(&mut reader, text, end, base, None, mark as u64, sink);
            base += used as u64;
            skip += used;
            if last && paused {
                self.tell_cut_lines(&reader);
                return reader.counts();
            }
            if last {
                self.place = self.place(skip, TextEncoding::Bytes, mark, reader.state());
                sink.pause();
                paused = true;
            } else {
                self.stream.refill(skip, progress);
                skip = 0;
            }
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
        let mut skip = if self.from.is_some() { 0 } else { mark };
        let mut reader =
            self.from.take().map(|place| Reader::resume(self.format, order, place.reader));
        let mut base = reader.as_ref().map_or(0, Reader::offset);
        let mut paused = false;
        loop {
            let raw = &self.stream.held()[skip..];
            let last = self.stream.block_end() == BlockEnd::Last;
            let end = if last && !paused { BlockEnd::More } else { self.stream.block_end() };
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
            let raw_at = self.stream.position(skip);
            let cursor = Cursor { decoded: 0, raw: raw_at };
            let used = give_block(reader, text, end, base, Some(cursor), 0, sink);
            base += used as u64;
            if used < decoded.len() {
                let taken = decoded.get(..used).map_or(whole as u64, text::utf16_length);
                whole = usize::try_from(taken).unwrap_or(whole);
            }
            skip += whole;
            if last && paused {
                self.tell_cut_lines(reader);
                return reader.counts();
            }
            if last {
                self.place = self.place(skip, encoding, mark, reader.state());
                sink.pause();
                paused = true;
            } else {
                self.stream.refill(skip, progress);
                skip = 0;
            }
        }
    }

    fn tell_cut_lines(&mut self, reader: &Reader<'_>) {
        let cut = reader.cut_lines();
        if cut > 0 && self.stream.failed.is_none() {
            self.stream.failed = Some(format!(
                "partly read: {cut} lines are longer than {BLOCK} bytes, and were read up to there"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use provtrace_parsers::format::Formats;

    use super::*;
    use crate::walk::Stat;

    #[test]
    fn a_file_that_is_not_what_it_was_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("vulscan.log");
        let formats = Formats::builtin().expect("embedded");
        let (format, task) = formats.by_file_name("vulscan.log").expect("a format");
        let shown = String::new();
        let source =
            Source { file, shown, format, task, bytes: 20, member: None, stat: Stat::default() };
        let open = || {
            let open = OpenSource::open(&source, &formats.formats[format], Vec::new());
            open.map(|open| open.stream.failed)
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
