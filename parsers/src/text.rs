//! Encodings. Single-byte encodings and UTF-8 are searched as they are and decoded line
//! by line when a line is wanted; UTF-16 is transcoded in blocks.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How a file's bytes stand for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// UTF-8 or a code page, told apart line by line.
    Bytes,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

/// Tells the encoding from a file's first bytes; gives the length of its byte-order mark.
pub fn sniff(head: &[u8]) -> (TextEncoding, usize) {
    match head {
        [0xFF, 0xFE, ..] => return (TextEncoding::Utf16Le, 2),
        [0xFE, 0xFF, ..] => return (TextEncoding::Utf16Be, 2),
        [0xEF, 0xBB, 0xBF, ..] => return (TextEncoding::Bytes, 3),
        _no_mark => {}
    }
    // Without a mark: text in Latin letters has a zero in every other byte.
    // Zeros at the end are room that was not written to yet.
    let end = head.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    let sample = &head[..end.next_multiple_of(2).min(head.len()).min(4096) & !1];
    let zeros = |at: usize| sample.iter().skip(at).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let half = sample.len() / 2;
    if half >= 2 && odd * 10 >= half * 6 && even * 10 < half {
        (TextEncoding::Utf16Le, 0)
    } else if half >= 2 && even * 10 >= half * 6 && odd * 10 < half {
        (TextEncoding::Utf16Be, 0)
    } else {
        (TextEncoding::Bytes, 0)
    }
}

/// Whether these first bytes are no text at all: zeros or control bytes among them.
pub fn is_binary(head: &[u8]) -> bool {
    let end = head.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    let sample = &head[..end.min(4096)];
    let strange = |b: &&u8| **b < 0x09 || (0x0E..0x20).contains(*b) && **b != 0x1A && **b != 0x1B;
    sample.iter().filter(strange).count() * 20 > sample.len()
}

/// The text of one line: UTF-8 if it is, else Windows-1252, which has a letter for every byte.
pub fn decode(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => decode_with(line, WINDOWS_1252),
    }
}

fn decode_with<'a>(line: &'a [u8], encoding: &'static Encoding) -> Cow<'a, str> {
    debug_assert!(encoding != UTF_8);
    encoding.decode_without_bom_handling(line).0
}

/// Transcodes whole UTF-16 lines to UTF-8. Broken pairs become U+FFFD, one for one, so that
/// the count of UTF-16 units is kept and an offset can be led back to the raw bytes.
pub fn transcode_utf16(raw: &[u8], encoding: TextEncoding, out: &mut String) {
    let unit = |pair: &[u8]| match encoding {
        TextEncoding::Utf16Be => u16::from_be_bytes([pair[0], pair[1]]),
        TextEncoding::Utf16Le | TextEncoding::Bytes => u16::from_le_bytes([pair[0], pair[1]]),
    };
    let units = raw.chunks_exact(2).map(unit);
    out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{FFFD}')));
}

/// The raw length in bytes of text that came from UTF-16.
pub fn utf16_length(text: &str) -> u64 {
    text.chars().map(|c| c.len_utf16() as u64 * 2).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told() {
        assert_eq!(sniff(b"\xFF\xFEa\0"), (TextEncoding::Utf16Le, 2));
        assert_eq!(sniff(b"\xFE\xFF\0a"), (TextEncoding::Utf16Be, 2));
        assert_eq!(sniff(b"a\0b\0c\0"), (TextEncoding::Utf16Le, 0));
        assert_eq!(sniff(b"\0a\0b\0c"), (TextEncoding::Utf16Be, 0));
        assert_eq!(sniff(b"\xEF\xBB\xBFabc"), (TextEncoding::Bytes, 3));
        assert_eq!(sniff(b"abc"), (TextEncoding::Bytes, 0));
        assert_eq!(sniff(b""), (TextEncoding::Bytes, 0));
        let mut tail = b"a\0b\0c\0".to_vec();
        tail.extend([0; 400]);
        assert_eq!(sniff(&tail), (TextEncoding::Utf16Le, 0));
    }

    #[test]
    fn a_tail_of_zeros_is_not_binary() {
        assert!(!is_binary(b"Thu, 10 Feb\r\n\0\0\0\0\0\0"));
        assert!(is_binary(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\x01\x02"));
    }

    #[test]
    fn lengths_lead_back() {
        let raw: Vec<u8> =
            "aé漢😀".encode_utf16().chain([0xD800]).flat_map(u16::to_le_bytes).collect();
        let mut text = String::new();
        transcode_utf16(&raw, TextEncoding::Utf16Le, &mut text);
        assert_eq!(text, "aé漢😀\u{FFFD}");
        assert_eq!(utf16_length(&text), raw.len() as u64);
    }
}
