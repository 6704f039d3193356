//! Patterns of messages, and what they capture.

use std::sync::OnceLock;

use regex::bytes::{self, Captures};
use regex::{Regex, RegexBuilder};

/// The largest compiled pattern, in bytes.
const SIZE_LIMIT: usize = 1 << 20;

/// A pattern that is compiled when a message is first tried on it: of most formats few are ever
/// needed, and to compile them all takes longer than to read a small share.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) spaced: String,
    compiled: OnceLock<Option<bytes::Regex>>,
    /// The same for messages of ASCII alone, which most are: it matches there what the other one does,
    /// and without all other letters in its classes it is far smaller.
    ascii: OnceLock<Option<bytes::Regex>>,
}

impl Pattern {
    pub(crate) fn new(spaced: String) -> Pattern {
        Pattern { spaced, compiled: OnceLock::new(), ascii: OnceLock::new() }
    }

    /// Says what is wrong with it, or gives the names of its captures.
    pub(crate) fn check(&self) -> Result<Vec<String>, String> {
        let compiled = compile(&self.spaced)?;
        Ok(compiled.capture_names().flatten().map(str::to_owned).collect())
    }

    fn compile(&self, unicode: bool) -> Result<bytes::Regex, regex::Error> {
        bytes::RegexBuilder::new(&self.spaced)
            .case_insensitive(true)
            .unicode(unicode)
            .size_limit(SIZE_LIMIT)
            .build()
    }

    /// What `message` is searched with; `None` for a pattern that can't be read: all were tried, the
    /// program's own by a test.
    fn regex(&self, message: &str) -> Option<&bytes::Regex> {
        let ascii = || self.ascii.get_or_init(|| self.compile(false).ok()).as_ref();
        let any = || self.compiled.get_or_init(|| self.compile(true).ok()).as_ref();
        if message.is_ascii() { ascii().or_else(any) } else { any() }
    }

    pub(crate) fn is_match(&self, message: &str) -> bool {
        self.regex(message).is_some_and(|regex| regex.is_match(message.as_bytes()))
    }

    pub(crate) fn captures<'m>(&self, message: &'m str) -> Option<Fields<'m>> {
        let captures = self.regex(message)?.captures(message.as_bytes())?;
        Some(Fields { message, captures })
    }
}

/// What a pattern captured of a message.
pub(crate) struct Fields<'m> {
    message: &'m str,
    captures: Captures<'m>,
}

impl<'m> Fields<'m> {
    pub(crate) fn name(&self, name: &str) -> Option<&'m str> {
        self.message.get(self.captures.name(name)?.range())
    }
}

/// Compiles a pattern of a format file: case is ignored.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| explain(&error))
}

fn explain(error: &regex::Error) -> String {
    // The crate draws the place on lines of its own; the last line says what is wrong.
    let all = error.to_string();
    let what = all.lines().last().unwrap_or_default().trim_start_matches("error: ");
    format!(
        "the pattern can't be read: {what}; a backslash makes one of ( ) [ ] {{ }} . * + ? | ^ $ plain"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::format::Formats;
    use crate::words::spaced;

    /// All patterns of the program, with a specimen, and the same in the plain way.
    static ALL: LazyLock<Vec<(String, Pattern, Regex)>> = LazyLock::new(|| {
        let formats = Formats::builtin().expect("embedded");
        let rules = formats.formats.iter().flat_map(|format| &format.rules);
        let both = rules.map(|rule| {
            let pattern = Pattern::new(spaced(&rule.written));
            let plain = compile(&pattern.spaced).expect("a pattern");
            (rule.specimen.clone(), pattern, plain)
        });
        both.collect()
    });

    proptest! {
        /// Messages that are all, parts or mixtures of what the rules know.
        #[test]
        fn ascii_is_matched_as_any_text(
            parts in proptest::collection::vec(
                prop_oneof![
                    3 => (any::<usize>(), 0..9usize, 1..200usize).prop_map(Ok),
                    1 => "[ -~\t]{0,4}|é|\u{17F}|\u{A0}".prop_map(Err),
                ],
                1..4,
            ),
            upper in any::<bool>(),
        ) {
            for (shift, (_, pattern, plain)) in ALL.iter().enumerate() {
                let mut text = String::new();
                for part in &parts {
                    match part {
                        Ok((at, start, length)) => {
                            let (specimen, ..) = &ALL[(at % 3 + shift) % ALL.len()];
                            text.extend(specimen.chars().skip(start % 8).take(*length));
                        }
                        Err(other) => text += other,
                    }
                }
                let text = if upper { text.to_uppercase() } else { text };
                let (own, wanted) = (pattern.captures(&text), plain.captures(&text));
                prop_assert_eq!(own.is_some(), wanted.is_some(), "{}: {}", plain, text);
                prop_assert_eq!(own.is_some(), pattern.is_match(&text), "{}: {}", plain, text);
                let (Some(own), Some(wanted)) = (own, wanted) else { continue };
                for name in plain.capture_names().flatten() {
                    let wanted = wanted.name(name).map(|found| found.as_str());
                    prop_assert_eq!(own.name(name), wanted, "{}: {}", plain, text);
                }
            }
        }
    }
}
