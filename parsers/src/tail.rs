//! What stands between a stamp and the message: ids, a level, a program's name.

use std::collections::BTreeSet;

use crate::shape;

/// A field stands in this share of the lines at least, in percent.
const LEAST: usize = 95;
/// More different words are no levels.
const MOST_WORDS: usize = 8;
/// Fewer lines tell nothing.
const FEWEST: usize = 20;
/// What programs call their levels, whatever the language of their messages.
const LEVELS: [&str; 18] = [
    "critical",
    "crit",
    "debug",
    "dbg",
    "error",
    "err",
    "fatal",
    "info",
    "inf",
    "information",
    "notice",
    "severe",
    "trace",
    "trc",
    "verbose",
    "warn",
    "warning",
    "wrn",
];

/// The layout of what most lines begin with; empty if that is their messages.
pub(crate) fn of(rests: &[&str]) -> String {
    let mut layout = unit(rests);
    let rests = behind(rests, &layout);
    let marks = common_marks(&rests);
    let mut rests = behind(&rests, &marks);
    layout.push_str(&marks);
    if rests.len() < FEWEST {
        return layout;
    }
    let mut ids = 0;
    for _ in 0..4 {
        let field = if ids == 0 { numbers(&rests, &layout) } else { None };
        ids += usize::from(field.is_some());
        let Some((field, after)) = field.or_else(|| word(&rests)) else { break };
        let marks = common_marks(&after);
        // Where nothing is left, it was the message.
        let left = behind(&after, &marks).iter().filter(|text| !text.trim().is_empty()).count();
        if left * 100 < rests.len() * LEAST {
            break;
        }
        layout.push_str(&field);
        layout.push_str(&marks);
        rests = behind(&after, &marks);
    }
    layout
}

/// The letter of seconds, right behind their digits.
fn unit(texts: &[&str]) -> String {
    let own = |text: &str| {
        let mut letters = text.chars();
        let first = letters.next().filter(|letter| letter.is_alphabetic())?;
        letters.next().is_some_and(|next| !next.is_alphanumeric()).then_some(first)
    };
    let Some(first) = texts.first().and_then(|text| own(text)) else { return String::new() };
    let with = texts.iter().filter(|text| own(text) == Some(first)).count();
    if with * 100 >= texts.len() * LEAST { first.to_string() } else { String::new() }
}

/// The blanks and signs with which all texts begin. Braces have a meaning in a layout.
fn common_marks(texts: &[&str]) -> String {
    let Some(first) = texts.first() else { return String::new() };
    let is_mark = |c: char| !c.is_alphanumeric() && !matches!(c, '{' | '}' | '\\' | '"' | '_');
    let mut marks: &str = &first[..first.find(|c| !is_mark(c)).unwrap_or(first.len())];
    // Arguments and elements begin with a sign of their own.
    let opens = marks.ends_with(['/', '<']) && !first[marks.len()..].starts_with(char::is_numeric);
    if opens {
        marks = &marks[..marks.len() - 1];
    }
    while !marks.is_empty() {
        let with = texts.iter().filter(|text| text.starts_with(marks)).count();
        if with * 100 >= texts.len() * LEAST {
            break;
        }
        marks = &marks[..marks.char_indices().next_back().map_or(0, |(at, _)| at)];
    }
    // A blank in a layout stands for one or more.
    let mut one = String::new();
    for mark in marks.chars().map(|mark| if mark == '\t' { ' ' } else { mark }) {
        if mark != ' ' || !one.ends_with(' ') {
            one.push(mark);
        }
    }
    one
}

fn behind<'t>(texts: &[&'t str], marks: &str) -> Vec<&'t str> {
    let mut behind = Vec::new();
    for text in texts {
        let mut rest = *text;
        let fits = marks.chars().all(|mark| {
            let next = if mark == ' ' { rest.trim_start().len() } else { rest.len() };
            let after = if mark == ' ' {
                (next < rest.len()).then(|| &rest[rest.len() - next..])
            } else {
                rest.strip_prefix(mark)
            };
            rest = after.unwrap_or(rest);
            after.is_some()
        });
        if fits {
            behind.push(rest);
        }
    }
    behind
}

/// A process id, perhaps with a thread id: one number in brackets or before a sign, or two.
fn numbers<'t>(texts: &[&'t str], before: &str) -> Option<(String, Vec<&'t str>)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let after: Vec<&str> = texts
        .iter()
        .filter(|text| (1..=9).contains(&digits(text)))
        .map(|text| &text[digits(text)..])
        .collect();
    if after.len() * 100 < texts.len() * LEAST {
        return None;
    }
    let between = common_marks(&after);
    let seconds = behind(&after, &between);
    let pairs: Vec<&str> = seconds
        .iter()
        .filter(|text| (1..=9).contains(&digits(text)))
        .map(|text| &text[digits(text)..])
        .collect();
    let is_pair = !between.is_empty() && between.trim() == between;
    if is_pair && pairs.len() * 100 >= texts.len() * LEAST {
        return Some((format!("{{pid}}{between}{{tid}}"), pairs));
    }
    let signs = |marks: &str| !marks.trim().is_empty();
    // Behind a colon or a dash stands the message.
    let opens = |marks: &str| marks.trim_end().ends_with(['(', '[', '<', '#', '=', '|']);
    let own: BTreeSet<&str> = texts.iter().map(|text| &text[..digits(text)]).collect();
    let stands_apart = opens(before) || signs(&between);
    (stands_apart && own.len() > 2).then(|| ("{pid}".to_owned(), after))
}

/// A level, or a program's name before a colon: one of a few words that say nothing of the message.
fn word<'t>(texts: &[&'t str]) -> Option<(String, Vec<&'t str>)> {
    let length = |text: &str| {
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_')
            .unwrap_or(text.len())
    };
    let fits = |text: &&&str| {
        let (word, rest) = text.split_at(length(text));
        let colon = rest.starts_with(':');
        is_level(word) && (colon || rest.starts_with([' ', ']', '|'])) || is_name(word) && colon
    };
    let fitting: Vec<&str> = texts.iter().filter(fits).copied().collect();
    let words: BTreeSet<&str> = fitting.iter().map(|text| &text[..length(text)]).collect();
    let enough = fitting.len() * 100 >= texts.len() * LEAST && words.len() <= MOST_WORDS;
    if !enough || fitting.is_empty() {
        return None;
    }
    let after: Vec<&str> = fitting.iter().map(|text| &text[length(text)..]).collect();
    let known = words.iter().all(|word| LEVELS.contains(&word.to_ascii_lowercase().as_str()));
    if !known && words.len() > 1 && shapes(&after) * 2 <= shapes(&fitting) {
        return None;
    }
    let field = if words.iter().all(|word| is_level(word)) { "{level}" } else { "{program}" };
    Some((field.to_owned(), after))
}

/// How many different messages there are, whatever varies in them: far fewer without a word are a
/// sign that it was what told them apart.
fn shapes(texts: &[&str]) -> usize {
    let mut masked = String::new();
    let shapes: BTreeSet<String> = texts
        .iter()
        .map(|text| {
            shape::mask(text, &mut masked);
            masked.clone()
        })
        .collect();
    shapes.len()
}

/// A level's usual name, or some capitals.
fn is_level(word: &str) -> bool {
    let capitals =
        (3..=8).contains(&word.len()) && word.chars().all(|letter| letter.is_ascii_uppercase());
    capitals || LEVELS.contains(&word.to_ascii_lowercase().as_str())
}

/// Programs are called like files or in CamelCase; words of messages aren't.
fn is_name(word: &str) -> bool {
    let inner = word.char_indices().skip(1);
    let mut after_small = inner.filter(|(at, letter)| {
        letter.is_ascii_uppercase() && word[..*at].ends_with(|c: char| c.is_ascii_lowercase())
    });
    let file = word.len() > 4 && word.to_ascii_lowercase().ends_with(".exe");
    file || after_small.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_messages_are_no_fields() {
        let of_words = |words: [&str; 3], more: &str| {
            let line = |n: usize| format!("{}: {n}{more}", words[n % 3]);
            let lines: Vec<String> = (0..60).map(line).collect();
            of(&lines.iter().map(String::as_str).collect::<Vec<_>>())
        };
        assert_eq!(of_words(["Anfang", "Datei", "Ende"], ""), "");
        assert_eq!(of_words(["Anfang", "Datei", "Ende"], " x"), "");
        assert_eq!(of_words(["ANFANG", "DATEI", "ENDE"], " x"), "");
        assert_eq!(of_words(["ProvisionGUI", "LdClient", "AgentTool"], " x"), "");
        assert_eq!(of_words(["Info", "Warning", "Error"], " x"), "{level}: ");
        let line = |n: usize| {
            let (program, text) = [("ProvisionGUI", "eins"), ("LdClient", "zwei")][n % 2];
            format!("{program}: {text} von {n}")
        };
        let lines: Vec<String> = (0..60).map(line).collect();
        assert_eq!(of(&lines.iter().map(String::as_str).collect::<Vec<_>>()), "{program}: ");
    }
}
