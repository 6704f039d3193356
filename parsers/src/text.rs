//! Encodings. Single-byte encodings and UTF-8 are searched as they are and decoded line
//! by line when a line is wanted; UTF-16 is transcoded in blocks.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use memchr::memchr;
use serde::{Deserialize, Serialize};

/// UTF-16 units that are transcoded at once.
const AT_ONCE: usize = 16;

/// How a file's bytes stand for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    if memchr(0, sample).is_none() {
        return (TextEncoding::Bytes, 0);
    }
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

/// The code page of lines that are not UTF-8. By default Windows-1252, which has a letter for
/// every byte. Lines are cut at line feeds alone, which no trail byte of a code page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePage(&'static Encoding);

impl Default for CodePage {
    fn default() -> CodePage {
        CodePage(WINDOWS_1252)
    }
}

impl CodePage {
    /// A text in the bytes of this page; `None` if it has a letter that the page lacks.
    pub(crate) fn encode(self, text: &str) -> Option<Vec<u8>> {
        let (bytes, page, lacks) = self.0.encode(text);
        (page == self.0 && !lacks).then(|| bytes.into_owned())
    }

    /// Its label: `windows-1252`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// Reads the name of a code page: a label of the web (`windows-1251`, `shift_jis`), or the
/// number that Windows gives it (`1251`, `cp932`).
///
/// # Errors
/// Says what is no code page, and what can be written.
pub fn read_code_page(name: &str) -> Result<CodePage, String> {
    let number = name.trim().to_ascii_lowercase();
    let number = number.strip_prefix("cp").unwrap_or(&number);
    let label = match number {
        "932" => "shift_jis".to_owned(),
        "936" => "gbk".to_owned(),
        "949" => "euc-kr".to_owned(),
        "950" => "big5".to_owned(),
        "866" => "ibm866".to_owned(),
        "20866" => "koi8-r".to_owned(),
        "54936" => "gb18030".to_owned(),
        other => format!("windows-{other}"),
    };
    let found = Encoding::for_label_no_replacement(name.as_bytes())
        .or_else(|| Encoding::for_label_no_replacement(label.as_bytes()));
    let shown: String = name.chars().take(60).collect();
    match found {
        // Escape sequences switch its state, so that one line alone can't be read.
        Some(page) if page == UTF_8 || !page.is_ascii_compatible() => Err(format!(
            "`{shown}` is no code page for single lines; UTF-8 and UTF-16 are told without being asked for"
        )),
        Some(page) => Ok(CodePage(page)),
        None => Err(format!(
            "`{shown}` is no code page that is known; write for example windows-1252, windows-1251, \
             windows-1250, ibm866, shift_jis, gbk, big5 or euc-kr"
        )),
    }
}

/// The text of one line: UTF-8 if it is, else of the code page.
pub fn decode(line: &[u8], page: CodePage) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => page.0.decode_without_bom_handling(line).0,
    }
}

/// The text of one raw line of a file of this encoding.
pub fn decode_line(line: &[u8], encoding: TextEncoding, page: CodePage) -> Cow<'_, str> {
    if encoding == TextEncoding::Bytes {
        return decode(line, page);
    }
    let mut decoded = String::new();
    transcode_utf16(line, encoding, &mut decoded);
    Cow::Owned(decoded)
}

/// Bytes as the code page has them, also if they are UTF-8.
pub fn decode_page(bytes: &[u8], page: CodePage) -> Cow<'_, str> {
    page.0.decode_without_bom_handling(bytes).0
}

/// A text in the encoding that `line` has: UTF-16, UTF-8, or the code page.
pub fn encode_like(text: &str, line: &[u8], encoding: TextEncoding, page: CodePage) -> Vec<u8> {
    match encoding {
        TextEncoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        TextEncoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        TextEncoding::Bytes if std::str::from_utf8(line).is_ok() => text.as_bytes().to_vec(),
        TextEncoding::Bytes => page.0.encode(text).0.into_owned(),
    }
}

/// The name of a file's encoding, told by its first bytes.
pub fn encoding_name(head: &[u8], page: CodePage) -> String {
    match sniff(head) {
        (TextEncoding::Utf16Le, mark) => with_mark("UTF-16LE", mark),
        (TextEncoding::Utf16Be, mark) => with_mark("UTF-16BE", mark),
        (TextEncoding::Bytes, _) if is_binary(head) => "binary".to_owned(),
        (TextEncoding::Bytes, 0) if head.is_ascii() => "ASCII".to_owned(),
        (TextEncoding::Bytes, mark) => match std::str::from_utf8(head) {
            // The head may be cut inside a letter.
            Err(error) if error.error_len().is_some() => page.0.name().to_owned(),
            Ok(_) | Err(_) => with_mark("UTF-8", mark),
        },
    }
}

fn with_mark(name: &str, mark: usize) -> String {
    if mark == 0 { name.to_owned() } else { format!("{name} with a byte-order mark") }
}

/// A text without its byte-order mark, as it can be searched: as it is, or transcoded from UTF-16.
pub fn searchable(raw: &[u8]) -> Cow<'_, [u8]> {
    let (encoding, mark) = sniff(raw);
    if encoding == TextEncoding::Bytes {
        return Cow::Borrowed(&raw[mark..]);
    }
    let mut decoded = String::new();
    transcode_utf16(&raw[mark..], encoding, &mut decoded);
    Cow::Owned(decoded.into_bytes())
}

/// A whole text, decoded, without its byte-order mark.
pub fn decode_all(raw: &[u8], page: CodePage) -> String {
    decode(&searchable(raw), page).into_owned()
}

/// Transcodes whole UTF-16 lines to UTF-8. Broken pairs become U+FFFD, one for one, so that
/// the count of UTF-16 units is kept and an offset can be led back to the raw bytes.
pub fn transcode_utf16(raw: &[u8], encoding: TextEncoding, out: &mut String) {
    let unit = |pair: &[u8]| match encoding {
        TextEncoding::Utf16Be => u16::from_be_bytes([pair[0], pair[1]]),
        TextEncoding::Utf16Le | TextEncoding::Bytes => u16::from_le_bytes([pair[0], pair[1]]),
    };
    let low = usize::from(encoding == TextEncoding::Utf16Be);
    let mut rest = raw;
    while rest.len() >= 2 {
        // Nearly all of a log is ASCII: many units at once.
        if let Some((first, behind)) = rest.split_first_chunk::<{ 2 * AT_ONCE }>() {
            let ascii: [u8; AT_ONCE] = std::array::from_fn(|at| first[2 * at + low]);
            let others: [u8; AT_ONCE] = std::array::from_fn(|at| first[2 * at + 1 - low]);
            if others == [0; AT_ONCE]
                && let Ok(text) = std::str::from_utf8(&ascii)
                && ascii.is_ascii()
            {
                out.push_str(text);
                rest = behind;
                continue;
            }
        }
        let mut units = char::decode_utf16(rest.chunks_exact(2).map(unit));
        let Some(read) = units.next() else { return };
        let read = read.unwrap_or('\u{FFFD}');
        out.push(read);
        rest = &rest[2 * read.len_utf16()..];
    }
}

/// The raw length in bytes of text that came from UTF-16.
pub fn utf16_length(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64 * 2;
    }
    text.chars().map(|c| c.len_utf16() as u64 * 2).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn a_code_page_is_for_what_is_not_utf_8() {
        let page = |name: &str| read_code_page(name).map_err(|_| ());
        assert_eq!(decode(b"caf\xE9", CodePage::default()), "café");
        for name in ["windows-1251", "cp1251", "1251", "CP1251"] {
            assert_eq!(decode(b"\xCF\xE0\xEA\xE5\xF2", page(name).expect(name)), "Пакет");
        }
        // The second byte of this letter is a backslash.
        assert_eq!(decode(b"\x83\x5C", page("932").expect("shift_jis")), "ソ");
        assert_eq!(decode("ソ".as_bytes(), page("shift_jis").expect("known")), "ソ");
        for wrong in ["utf-8", "utf-16", "iso-2022-jp", "replacement", "hz-gb-2312", "850", "", "x"]
        {
            assert_eq!(page(wrong), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_line_goes_back_into_its_encoding() {
        let page = CodePage::default();
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        for (raw, encoding) in [
            (b"caf\xE9 \x80".to_vec(), TextEncoding::Bytes),
            ("café 漢".as_bytes().to_vec(), TextEncoding::Bytes),
            (wide("é漢😀"), TextEncoding::Utf16Be),
        ] {
            let text = decode_line(&raw, encoding, page);
            assert_eq!(encode_like(&text, &raw, encoding, page), raw);
        }
        assert_eq!(encoding_name("\u{FEFF}é".as_bytes(), page), "UTF-8 with a byte-order mark");
        assert_eq!(encoding_name(b"caf\xE9 x", page), "windows-1252");
        assert_eq!(encoding_name(&"é".as_bytes()[..1], page), "UTF-8");
    }

    #[test]
    fn a_tail_of_zeros_is_not_binary() {
        assert!(!is_binary(b"Thu, 10 Feb\r\n\0\0\0\0\0\0"));
        assert!(is_binary(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\x01\x02"));
    }

    /// Units of a log: mostly ASCII, some letters beyond it, halves of pairs in any order.
    fn units() -> impl Strategy<Value = Vec<u16>> {
        let unit = prop_oneof![8 => 0x20u16..0x7F, 1 => any::<u16>(), 1 => 0xD800u16..0xE000];
        proptest::collection::vec(unit, 0..200)
    }

    proptest! {
        #[test]
        fn many_units_at_once_are_what_they_are_one_by_one(units in units()) {
            let wanted: String = char::decode_utf16(units.iter().copied())
                .map(|unit| unit.unwrap_or('\u{FFFD}'))
                .collect();
            for (encoding, bytes) in [
                (TextEncoding::Utf16Le, u16::to_le_bytes as fn(u16) -> [u8; 2]),
                (TextEncoding::Utf16Be, u16::to_be_bytes),
            ] {
                let raw: Vec<u8> = units.iter().copied().flat_map(bytes).collect();
                let mut text = String::new();
                transcode_utf16(&raw, encoding, &mut text);
                prop_assert_eq!(&text, &wanted);
                prop_assert_eq!(utf16_length(&text), raw.len() as u64);
            }
        }
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
