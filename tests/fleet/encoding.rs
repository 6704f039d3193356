//! Text to bytes, in the encodings that shares hold.

use crate::rng::Rng;

/// How a file's text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 with a mark.
    Utf8Marked,
    /// The ANSI code page.
    Windows1252,
    /// UTF-16, low byte first.
    Utf16Le,
    /// The same with a mark.
    Utf16LeMarked,
    /// UTF-16, high byte first.
    Utf16Be,
    /// The same with a mark.
    Utf16BeMarked,
}

impl Encoding {
    /// Any but plain UTF-8.
    pub(crate) fn odd(rng: &mut Rng) -> Self {
        *rng.pick(&[
            Self::Utf8Marked,
            Self::Windows1252,
            Self::Windows1252,
            Self::Utf16Le,
            Self::Utf16LeMarked,
            Self::Utf16Be,
            Self::Utf16BeMarked,
        ])
    }

    /// The text's bytes.
    pub(crate) fn encode(self, text: String) -> Vec<u8> {
        match self {
            Self::Utf8 => text.into_bytes(),
            Self::Utf8Marked => format!("\u{feff}{text}").into_bytes(),
            Self::Windows1252 => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
            Self::Utf16Le => units(&text, u16::to_le_bytes, false),
            Self::Utf16LeMarked => units(&text, u16::to_le_bytes, true),
            Self::Utf16Be => units(&text, u16::to_be_bytes, false),
            Self::Utf16BeMarked => units(&text, u16::to_be_bytes, true),
        }
    }
}

fn units(text: &str, bytes: fn(u16) -> [u8; 2], marked: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2 + 2);
    let mark = marked.then_some(0xfeff_u16);
    for unit in mark.into_iter().chain(text.encode_utf16()) {
        out.extend_from_slice(&bytes(unit));
    }
    out
}
