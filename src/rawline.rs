//! A file's raw bytes → its lines, as they stand in it, whatever its encoding.

use std::io::{self, Read};

use provtrace_parsers::text::{self, TextEncoding};

use crate::block::{first_line_end, line_end};

/// Bytes read at a time; the encoding is told by the first of them.
const BLOCK: usize = 1 << 20;
/// The longest line that is given whole.
pub const MOST_LINE: usize = 16 << 20;

/// The lines of a file, counted as the logs' reader counts them.
pub struct RawLines<R> {
    inner: R,
    /// How its bytes stand for text.
    pub encoding: TextEncoding,
    /// The byte-order mark.
    pub mark: Vec<u8>,
    end: u8,
    buffer: Vec<u8>,
    start: usize,
    at_end: bool,
    offset: u64,
    number: u64,
}

/// A line as it stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawLine<'b> {
    /// From 1.
    pub number: u64,
    /// Bytes before it in the file.
    pub offset: u64,
    /// With its end.
    pub bytes: &'b [u8],
    /// Whether this is all of it: a line of more than [`MOST_LINE`] comes in pieces.
    pub whole: bool,
}

impl<R: Read> RawLines<R> {
    /// Reads the first block.
    ///
    /// # Errors
    /// Of the reader.
    pub fn new(inner: R) -> io::Result<RawLines<R>> {
        let mut lines = RawLines {
            inner,
            encoding: TextEncoding::Bytes,
            mark: Vec::new(),
            end: b'\n',
            buffer: Vec::new(),
            start: 0,
            at_end: false,
            offset: 0,
            number: 1,
        };
        lines.fill()?;
        let (encoding, mark) = text::sniff(&lines.buffer);
        lines.encoding = encoding;
        lines.mark = lines.buffer[..mark].to_vec();
        lines.end = line_end(&lines.buffer);
        (lines.start, lines.offset) = (mark, mark as u64);
        Ok(lines)
    }

    /// The next line.
    ///
    /// # Errors
    /// Of the reader.
    pub fn next_line(&mut self) -> io::Result<Option<RawLine<'_>>> {
        let (length, whole) = loop {
            let rest = &self.buffer[self.start..];
            if let Some(length) = first_line_end(rest, self.encoding, self.end) {
                break (length, true);
            }
            if self.at_end {
                break (rest.len(), true);
            }
            if rest.len() >= MOST_LINE {
                break (MOST_LINE, false);
            }
            self.fill()?;
        };
        if length == 0 {
            return Ok(None);
        }
        let bytes = &self.buffer[self.start..self.start + length];
        let line = RawLine { number: self.number, offset: self.offset, bytes, whole };
        self.start += length;
        self.offset += length as u64;
        self.number += u64::from(whole);
        Ok(Some(line))
    }

    /// Puts what is left at the front, and a block behind it.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let read = self.inner.by_ref().take(BLOCK as u64).read_to_end(&mut self.buffer)?;
        self.at_end = read < BLOCK;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(raw: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
        let mut lines = RawLines::new(raw).expect("memory");
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().expect("memory") {
            all.push((line.number, line.offset, line.bytes.to_vec()));
        }
        all
    }

    #[test]
    fn lines_stand_where_they_stood() {
        let plain = lines(b"\xEF\xBB\xBFa\r\n\nb");
        assert_eq!(
            plain,
            [(1, 3, b"a\r\n".to_vec()), (2, 6, b"\n".to_vec()), (3, 7, b"b".to_vec())]
        );
        assert_eq!(lines(b"a\rb").len(), 2);
        // U+0A0D has both bytes of a line end and is none.
        let wide: Vec<u8> =
            "\u{FEFF}a\u{A0D}\n漢".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let wide = lines(&wide);
        assert_eq!((wide.len(), wide[1].0, wide[1].1), (2, 2, 8));
        assert!(lines(b"").is_empty());
        let long = vec![b'x'; MOST_LINE + BLOCK];
        assert!(lines(&long).iter().all(|(number, ..)| *number == 1));
    }
}
