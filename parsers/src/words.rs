//! What a pattern says of the texts that it matches: words that stand in all of them, and what
//! they begin with.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

/// One or more blanks.
const BLANKS: &str = r"\s+";

/// Every blank outside a class becomes `\s+`.
pub(crate) fn spaced(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut in_class = false;
    let mut escaped = false;
    for symbol in pattern.chars() {
        match symbol {
            ' ' if !in_class && !escaped => {
                if !out.ends_with(BLANKS) {
                    out.push_str(BLANKS);
                }
                continue;
            }
            '[' if !escaped => in_class = true,
            ']' if !escaped => in_class = false,
            _plain => {}
        }
        escaped = symbol == '\\' && !escaped;
        out.push(symbol);
    }
    out
}

/// Words of which at least one stands in every text that the pattern matches: the best
/// part of a sequence, the sum of all branches of a choice.
fn required_words(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            let words = text.split(|c: char| c.is_whitespace() || !c.is_ascii());
            let longest = words.max_by_key(|word| word.len())?;
            (longest.len() >= 3).then(|| vec![longest.to_ascii_lowercase()])
        }
        HirKind::Capture(capture) => required_words(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required_words(&repetition.sub),
        HirKind::Concat(parts) => {
            let shortest = |words: &Vec<String>| words.iter().map(String::len).min();
            parts.iter().filter_map(required_words).max_by_key(shortest)
        }
        HirKind::Alternation(parts) => {
            let all: Option<Vec<Vec<String>>> = parts.iter().map(required_words).collect();
            Some(all?.concat())
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// Lower-case words, one of which stands in every text that `spaced` matches; empty if there
/// are none.
///
/// # Errors
/// It is no pattern.
pub(crate) fn required(spaced: &str) -> Result<Vec<String>, String> {
    let hir = regex_syntax::parse(spaced).map_err(|error| error.to_string())?;
    Ok(required_words(&hir).unwrap_or_default())
}

/// The fixed text that `spaced` begins with, if it is bound to the start: ASCII, a blank for one
/// or more blanks of any kind. Whether that is all of the pattern, case ignored.
pub(crate) fn fixed_start(spaced: &str) -> Option<(String, bool)> {
    let hir = regex_syntax::parse(spaced).ok()?;
    let blanks = regex_syntax::parse(BLANKS).ok()?;
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let (start, parts) = parts.split_first()?;
    if *start.kind() != HirKind::Look(Look::Start) {
        return None;
    }
    let mut text = String::new();
    for part in parts {
        if let HirKind::Literal(literal) = part.kind()
            && literal.0.is_ascii()
        {
            text.push_str(std::str::from_utf8(&literal.0).ok()?);
        } else if *part == blanks {
            text.push(' ');
        } else {
            break;
        }
    }
    text.starts_with(|first: char| first.is_ascii_graphic()).then(|| {
        let plain = regex_syntax::escape(&text).replace(' ', BLANKS);
        let whole = caseless(spaced) == caseless(&format!("^{plain}"));
        (text, whole)
    })
}

/// A pattern as the rules are compiled: case is ignored.
fn caseless(pattern: &str) -> Option<Hir> {
    ParserBuilder::new().case_insensitive(true).build().parse(pattern).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pattern: &str) -> Option<Vec<String>> {
        required_words(&regex_syntax::parse(&spaced(pattern)).expect(pattern))
    }

    #[test]
    fn the_longest_fixed_word_is_found() {
        assert_eq!(words("Last status:"), Some(vec!["status:".to_owned()]));
        assert_eq!(words("a(?:bcde|fgh)x"), Some(vec!["bcde".to_owned(), "fgh".to_owned()]));
        assert_eq!(words(r"\d+ .*"), None);
        assert_eq!(words("(?:word)?"), None);
    }

    #[test]
    fn blanks_stretch_outside_classes() {
        assert_eq!(spaced("a  b[ c]"), r"a\s+b[ c]");
    }

    #[test]
    fn what_a_pattern_begins_with() {
        let start = |pattern: &str| fixed_start(&spaced(pattern));
        let found = |text: &str, whole| Some((text.to_owned(), whole));
        assert_eq!(start("^Last status:"), found("Last status:", true));
        assert_eq!(start("^Calling 'ApplyBehavior' in"), found("Calling 'ApplyBehavior' in", true));
        assert_eq!(start(r"^Starting  scan\b"), found("Starting scan", false));
        assert_eq!(start("^Task (?<task>[^:]+):"), found("Task ", false));
        assert_eq!(start("^Core v1.2"), found("Core v1", false), "a dot is any letter");
        assert_eq!(start(r"^Core v1\.2"), found("Core v1.2", true));
        assert_eq!(start("^(?-i)Done"), found("Done", false), "case counts in it");
        for none in ["Last status:", "(?m)^Done", r"^\d+ done", "^(Action)? return", "^Fin|^Done"] {
            assert_eq!(start(none), None, "{none}");
        }
    }
}
