//! Text from logs, made harmless: a log line may hold anything, a terminal obeys some of it.

use std::borrow::Cow;

use crate::letters::is_obeyed;

/// Control characters, and those that break lines, turn the direction of text or can't be seen,
/// become `\u{…}`; a tab a blank.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            c if is_obeyed(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// At most so many letters of a text, made harmless; what is left out shows as `…`.
pub fn short(text: &str, letters: usize) -> String {
    let text = harmless(text);
    if text.chars().count() <= letters {
        return text.into_owned();
    }
    let mut short: String = text.chars().take(letters.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `1 device`, `2 devices`.
pub fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_not_obeyed() {
        assert_eq!(harmless("a\tb"), "a b");
        assert_eq!(harmless("\u{1b}[31mred\u{202E}"), "\\u{1b}[31mred\\u{202e}");
        assert!(matches!(harmless("plain é"), Cow::Borrowed(_)));
    }
}
