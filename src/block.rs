//! The text of a block, and how a line of it leads back to the raw file.

use memchr::{memchr, memrchr};
use provtrace_parsers::engine::{BlockEnd, Line, Reader, Run};
use provtrace_parsers::text::{self, CodePage, TextEncoding};

/// The text of some whole lines, and how it leads back to the raw bytes.
#[derive(Debug)]
pub struct Block<'t> {
    /// The lines.
    pub text: &'t [u8],
    /// Where `text` starts in the decoded text of the source.
    pub base: u64,
    /// Where a transcoded text leads back to; `None` for text that was read as it is.
    pub utf16: Option<Cursor>,
    /// Raw bytes before the decoded text: the byte-order mark.
    pub mark: u64,
    /// Raw length of a binary record, of which `text` is put together.
    pub record: Option<u64>,
    /// The code page of lines that are not UTF-8.
    pub page: CodePage,
}

/// A place in a transcoded block that is known in both counts; it only moves forward.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    /// Bytes of the transcoded text.
    pub decoded: usize,
    /// Bytes of the raw file.
    pub raw: u64,
}

impl<'t> Block<'t> {
    /// A binary record: its text, and its place in the file.
    pub fn record(text: &'t [u8], offset: u64, length: u64) -> Block<'t> {
        let page = CodePage::default();
        Block { text, base: offset, utf16: None, mark: 0, page, record: Some(length) }
    }

    /// Raw offset, raw length and text of a line of this block. Lines are asked for in order.
    pub fn quote(&mut self, offset: u64, length: usize) -> (u64, u64, Box<str>) {
        let start = usize::try_from(offset - self.base).unwrap_or(usize::MAX);
        let line = self.text.get(start..start + length).unwrap_or_default();
        let text = text::decode(line, self.page);
        let Some(cursor) = &mut self.utf16 else {
            let length = self.record.unwrap_or(length as u64);
            return (self.mark + offset, length, text.into());
        };
        let between = self.text.get(cursor.decoded..start).unwrap_or_default();
        cursor.raw += text::utf16_length(&text::decode(between, self.page));
        cursor.decoded = start;
        (cursor.raw, text::utf16_length(&text), text.into())
    }
}

/// Takes the lines of a source.
pub trait Sink {
    /// The next line. What is to be kept must be copied.
    fn line(&mut self, line: &Line<'_>, block: &mut Block<'_>);
    /// Which lines behind this one are not needed.
    fn run(&self, _line: &Line<'_>) -> Option<Run> {
        None
    }
    /// The block goes away.
    fn end_block(&mut self, block: &mut Block<'_>);
    /// Behind the last whole line: what follows, if anything does, is still being written.
    fn pause(&mut self) {}
}

/// Gives the lines of a block to `sink`; returns how many bytes were taken.
pub fn give_block(
    reader: &mut Reader<'_>,
    text: &[u8],
    end: BlockEnd,
    base: u64,
    utf16: Option<Cursor>,
    mark: u64,
    sink: &mut impl Sink,
) -> usize {
    let mut block = Block { text, base, utf16, mark, page: reader.code_page(), record: None };
    let used = reader.block_in_runs(text, end, &mut |line| {
        sink.line(line, &mut block);
        sink.run(line)
    });
    sink.end_block(&mut block);
    used
}

/// `\r` for the few logs that have no other line end.
pub fn line_end(head: &[u8]) -> u8 {
    let only_returns = memchr(b'\n', head).is_none() && memchr(b'\r', head).is_some();
    if only_returns { b'\r' } else { b'\n' }
}

/// The end of the first line, in bytes from the start, if it is there.
pub fn first_line_end(raw: &[u8], encoding: TextEncoding, end: u8) -> Option<usize> {
    if encoding == TextEncoding::Bytes {
        return memchr(end, raw).map(|at| at + 1);
    }
    let unit = if encoding == TextEncoding::Utf16Be { [0, b'\n'] } else { [b'\n', 0] };
    let at = raw.chunks_exact(2).position(|pair| pair == unit)?;
    Some(at * 2 + 2)
}

/// The end of the last whole line in UTF-16 text, in bytes.
pub fn last_line_end(raw: &[u8], encoding: TextEncoding) -> Option<usize> {
    let mut end = raw.len();
    while let Some(at) = memrchr(b'\n', &raw[..end]) {
        let (high, start) = match encoding {
            TextEncoding::Utf16Be => (at.checked_sub(1)?, at.checked_sub(1)?),
            TextEncoding::Utf16Le | TextEncoding::Bytes => (at + 1, at),
        };
        if start.is_multiple_of(2) && raw.get(high) == Some(&0) {
            return Some(start + 2);
        }
        end = at;
    }
    None
}
