//! What lines of unknown wording have in common: messages with everything masked that varies.
//!
//! The idea is that of log template miners such as Drain: variables are masked by their look, and
//! places where many words stand are variables, too. Unlike theirs, the result depends neither on
//! the order of lines nor on that of devices: words are joined at the end, over all that was seen.

use std::collections::BTreeMap;
use std::ops::Range;

/// What stands for a variable in a masked message. Control characters never are a message's own:
/// they are masked as blanks.
pub mod variable {
    /// A number, or a word with digits in it.
    pub const NUMBER: char = '\u{1}';
    /// A file's path or an address.
    pub const PATH: char = '\u{2}';
    /// The name of a program's file, without a folder.
    pub const PROGRAM: char = '\u{3}';
    /// Command-line arguments, up to the end of what holds them.
    pub const ARGUMENTS: char = '\u{4}';
    /// Anything: many different words stand here.
    pub const TEXT: char = '\u{5}';
}
use variable::{ARGUMENTS, NUMBER, PATH, PROGRAM, TEXT};

/// The longest message that is looked at, in bytes.
const LONGEST: usize = 400;
/// From so many different words on a place is a variable.
const MANY_WORDS: usize = 10;
/// Most different messages that are told apart in one log format: bounds memory.
const MOST_SHAPES: usize = 20_000;

/// Puts the masked message into `masked`.
pub fn mask(message: &str, masked: &mut String) {
    masked.clear();
    pieces(message, &mut |piece, place| match piece {
        Piece::Fixed => masked.push_str(&message[place]),
        Piece::Blank => {
            if !masked.ends_with(' ') {
                masked.push(' ');
            }
        }
        Piece::Variable(mark) => {
            if !(mark == NUMBER && masked.ends_with(NUMBER)) {
                masked.push(mark);
            }
        }
    });
    masked.truncate(masked.trim_end().len());
}

/// The variables of a message: what each is, and where it stands.
pub fn variables(message: &str) -> Vec<(char, Range<usize>)> {
    let mut found: Vec<(char, Range<usize>)> = Vec::new();
    let mut after_number = false;
    pieces(message, &mut |piece, place| {
        if let Piece::Variable(mark) = piece
            && !(mark == NUMBER && after_number)
        {
            found.push((mark, place));
        }
        after_number = piece == Piece::Variable(NUMBER);
    });
    found
}

/// What a piece of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Fixed,
    Blank,
    Variable(char),
}

/// Gives the pieces of a message, in order, each with its place.
fn pieces(message: &str, give: &mut dyn FnMut(Piece, Range<usize>)) {
    let start = message.len() - message.trim_start().len();
    let message = clipped(message.trim());
    let mut rest = message;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let found = path(rest, before)
            .map(|length| (PATH, length))
            .or_else(|| arguments(message, rest, before).map(|length| (ARGUMENTS, length)))
            .or_else(|| word(rest));
        let (piece, length) = match found {
            Some((mark, length)) => (Piece::Variable(mark), length),
            None if first.is_alphabetic() => (Piece::Fixed, word_length(rest)),
            None if first.is_whitespace() || first.is_control() => (Piece::Blank, first.len_utf8()),
            None => (Piece::Fixed, first.len_utf8()),
        };
        before = match piece {
            Piece::Variable(mark) => mark,
            Piece::Blank => ' ',
            Piece::Fixed if first.is_alphabetic() => 'a',
            Piece::Fixed => first,
        };
        let at = start + message.len() - rest.len();
        give(piece, at..at + length);
        rest = &rest[length..];
    }
}

fn clipped(message: &str) -> &str {
    let end = (0..=LONGEST.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
    &message[..end.unwrap_or(0)]
}

/// Letters, digits and underscores.
fn word_length(text: &str) -> usize {
    text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len())
}

/// A word with digits, or the name of a program.
fn word(text: &str) -> Option<(char, usize)> {
    let signed =
        text.strip_prefix('-').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if let Some(digits) = signed {
        return Some((NUMBER, 1 + word_length(digits)));
    }
    let length = word_length(text);
    let own = &text[..length];
    let named = text.get(length..length + 4).is_some_and(|end| end.eq_ignore_ascii_case(".exe"));
    if length > 0 && named && word_length(&text[length + 4..]) == 0 {
        return Some((PROGRAM, length + 4));
    }
    // Letters of other scripts stand right beside a number.
    if own.starts_with(|c: char| c.is_ascii_digit()) {
        let ascii = own.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(length);
        return Some((NUMBER, ascii));
    }
    let digit = own.find(|c: char| c.is_ascii_digit())?;
    own.is_ascii().then_some((NUMBER, length)).or((digit == 0).then_some((NUMBER, length)))
}

/// The length of a path at the beginning of `text`: a drive, a share or an address.
fn path(text: &str, before: char) -> Option<usize> {
    if before.is_alphanumeric() {
        return None;
    }
    let bytes = text.as_bytes();
    let drive = matches!(bytes, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let share = bytes.starts_with(b"\\\\");
    let address = ["http://", "https://", "ftp://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let registry = ["HKLM\\", "HKEY_", "HKCU\\"].iter().any(|root| text.starts_with(root));
    if !(drive || share || address || registry) {
        return None;
    }
    Some(if address { until_blank(text) } else { file_path(text) })
}

fn until_blank(text: &str) -> usize {
    let stops = |letter: char| letter.is_whitespace() || is_closing(letter) || letter == ',';
    text.find(stops).unwrap_or(text.len())
}

fn is_closing(letter: char) -> bool {
    matches!(letter, '"' | '\'' | '>' | ')' | ']' | '}' | '“' | '”' | '»' | '】' | '」' | ';')
}

/// A path's folders may hold blanks and brackets; its last name ends at the first one, or with
/// the name of a program.
fn file_path(text: &str) -> usize {
    let stops =
        |c: char| matches!(c, '"' | '<' | '>' | '|' | '*' | '?' | '“' | '»' | '】' | '„' | '«');
    let most = text.find(stops).unwrap_or(text.len());
    let own = &text[..most];
    let lower = own.to_ascii_lowercase();
    let program = lower.match_indices(".exe").map(|(at, found)| at + found.len());
    let mut ends = program.filter(|end| own.get(*end..).is_some_and(|rest| word_length(rest) == 0));
    if let Some(end) = ends.next() {
        return end;
    }
    let folder = own.rfind('\\').map_or(0, |at| at + 1);
    folder + own.get(folder..).map_or(0, until_blank)
}

/// The length of command-line arguments at the beginning of `rest`: from a slash and a letter
/// behind a blank or a bracket to where the bracket is closed, a comma and a blank, or the end.
fn arguments(message: &str, rest: &str, before: char) -> Option<usize> {
    let opens = matches!(rest.as_bytes(), [b'/', letter, ..] if letter.is_ascii_alphabetic());
    let at = message.len() - rest.len();
    if !opens || before.is_alphanumeric() || matches!(before, '/' | '.' | NUMBER | PATH | ARGUMENTS)
    {
        return None;
    }
    let closing = message[..at].chars().next_back().and_then(|open| match open {
        '(' => Some(')'),
        '[' => Some(']'),
        '<' => Some('>'),
        '{' => Some('}'),
        '„' => Some('“'),
        '“' => Some('”'),
        '【' => Some('】'),
        '「' => Some('」'),
        _other => None,
    });
    let guillemet = message[..at].trim_end().ends_with('«').then_some('»');
    let length = match closing.or(guillemet) {
        Some(closing) => rest.rfind(closing),
        None => rest.find(", "),
    };
    let length = length.unwrap_or(rest.len());
    Some(rest[..length].trim_end().len())
}

/// What is known of one shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen<P> {
    /// Lines.
    pub lines: u64,
    /// Devices.
    pub devices: u64,
    /// The first place where it stands, in the order of devices and lines.
    pub first: P,
}

/// The shapes of one format: masked messages, each with what was seen of it.
#[derive(Debug, Clone)]
pub struct Shapes<P> {
    seen: BTreeMap<String, Seen<P>>,
    /// Lines beyond the most different messages that are told apart.
    pub others: u64,
}

impl<P> Default for Shapes<P> {
    fn default() -> Shapes<P> {
        Shapes { seen: BTreeMap::new(), others: 0 }
    }
}

impl<P: Clone> Shapes<P> {
    /// Counts a masked message of a device, which stands for so many lines.
    pub fn add(&mut self, masked: &str, lines: u64, place: impl FnOnce() -> P) {
        if let Some(seen) = self.seen.get_mut(masked) {
            seen.lines += lines;
        } else if self.seen.len() < MOST_SHAPES {
            let seen = Seen { lines, devices: 1, first: place() };
            self.seen.insert(masked.to_owned(), seen);
        } else {
            self.others += lines;
        }
    }

    /// Adds the shapes of the next device.
    pub fn merge(&mut self, next: Shapes<P>) {
        self.others += next.others;
        for (masked, seen) in next.seen {
            if let Some(own) = self.seen.get_mut(&masked) {
                own.lines += seen.lines;
                own.devices += seen.devices;
            } else if self.seen.len() < MOST_SHAPES {
                self.seen.insert(masked, seen);
            } else {
                self.others += seen.lines;
            }
        }
    }

    /// The shapes with words that vary joined, most frequent first. A device counts in each of a
    /// joined shape's messages, so `devices` is then the most of any one of them.
    pub fn joined(&self) -> Vec<(String, Seen<P>)> {
        let joiner = Joiner::new(self.seen.keys().map(String::as_str));
        let mut joined: BTreeMap<String, Seen<P>> = BTreeMap::new();
        for (masked, seen) in &self.seen {
            let shape = joiner.joined(masked);
            match joined.get_mut(&shape) {
                Some(own) => {
                    own.lines += seen.lines;
                    own.devices = own.devices.max(seen.devices);
                }
                None => {
                    joined.insert(shape, seen.clone());
                }
            }
        }
        let mut joined: Vec<(String, Seen<P>)> = joined.into_iter().collect();
        joined.sort_by(|a, b| b.1.lines.cmp(&a.1.lines).then_with(|| a.0.cmp(&b.0)));
        joined
    }
}

/// Tells which places of masked messages hold many different words.
#[derive(Debug, Default)]
pub struct Joiner<'m> {
    /// What stands before a place, and the words that stand there.
    followers: BTreeMap<&'m str, BTreeMap<&'m str, ()>>,
}

impl<'m> Joiner<'m> {
    /// Looks at all masked messages of a format.
    pub fn new(masked: impl IntoIterator<Item = &'m str>) -> Joiner<'m> {
        let mut followers: BTreeMap<&str, BTreeMap<&str, ()>> = BTreeMap::new();
        for message in masked {
            for (at, word) in words(message).filter(|(at, _)| is_anchored(&message[..*at])) {
                let known = followers.entry(&message[..at]).or_default();
                if known.len() < MANY_WORDS {
                    known.insert(word, ());
                }
            }
        }
        followers.retain(|_, words| words.len() >= MANY_WORDS);
        Joiner { followers }
    }

    /// The message up to the first place where many words stand.
    pub fn joined(&self, masked: &str) -> String {
        let varies = words(masked).find(|(at, _)| self.followers.contains_key(&masked[..*at]));
        match varies {
            Some((at, _)) => format!("{}{TEXT}", &masked[..at]),
            None => masked.to_owned(),
        }
    }
}

/// Whether a fixed word of letters stands there: what comes first is never a variable.
fn is_anchored(text: &str) -> bool {
    text.chars().filter(|letter| letter.is_alphabetic()).count() >= 2
}

/// The words of a masked message, each with its place; what stands between is part of what is
/// before the next.
fn words(masked: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = masked;
    std::iter::from_fn(move || {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || (c < ' ');
        let start = rest.find(is_word)?;
        let at = masked.len() - rest.len() + start;
        let text = &masked[at..];
        let first = text.chars().next()?;
        let length = if first < ' ' { first.len_utf8() } else { word_length(text).max(1) };
        rest = masked.get(at + length..)?;
        Some((at, masked.get(at..at + length)?))
    })
}

/// A regular expression for messages of a shape, as overlays write it: whole messages, `captures`
/// by the index of their variable.
pub fn pattern(shape: &str, captures: &[(usize, &str)]) -> String {
    let mut pattern = String::from("^");
    let mut fixed = String::new();
    let mut variables = 0;
    let flush = |fixed: &mut String, pattern: &mut String| {
        pattern.push_str(&regex_syntax::escape(fixed));
        fixed.clear();
    };
    for letter in shape.chars() {
        let any = match letter {
            NUMBER => r"-?\w+",
            PATH => ".+?",
            PROGRAM => r"\w+\.exe",
            ARGUMENTS => ".*?",
            TEXT => ".*",
            other => {
                fixed.push(other);
                continue;
            }
        };
        flush(&mut fixed, &mut pattern);
        match captures.iter().find(|(at, _)| *at == variables) {
            Some((_, "holder")) => pattern.push_str(r"(?<holder>\w+)\.exe"),
            Some((_, name)) => pattern.push_str(&format!("(?<{name}>{any})")),
            None => pattern.push_str(any),
        }
        variables += 1;
    }
    flush(&mut fixed, &mut pattern);
    if !shape.ends_with(TEXT) {
        pattern.push_str(r"\s*$");
    }
    pattern
}

/// Text that stands for itself in a pattern.
pub fn literal(text: &str) -> String {
    regex_syntax::escape(text)
}

/// A shape in words for people.
pub fn shown(shape: &str) -> String {
    let mut shown = String::with_capacity(shape.len() + 16);
    for letter in shape.chars() {
        match letter {
            NUMBER => shown.push('#'),
            PATH => shown.push_str("<path>"),
            PROGRAM => shown.push_str("<program>"),
            ARGUMENTS => shown.push_str("<arguments>"),
            TEXT => shown.push('…'),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(message: &str) -> String {
        let mut out = String::new();
        mask(message, &mut out);
        shown(&out)
    }

    #[test]
    fn what_varies_is_masked() {
        let table = [
            ("Proces zwrócił -1917976164", "Proces zwrócił #"),
            (
                r"fork [X:\ldclient\imagew.exe] [/rb- /o \\images\w11\base.tbi]",
                "fork [<path>] [<arguments>]",
            ),
            (
                r"Start zadania 701: C:\Program Files (x86)\LANDesk\LDClient\vulscan.exe /scan=0 /reboot=never, proces 8123",
                "Start zadania #: <path> <arguments>, proces #",
            ),
            (
                "Found another instance of vulscan.exe is running",
                "Found another instance of <program> is running",
            ),
            ("Downloading http://core/a b.xml now", "Downloading <path> b.xml now"),
            (r"Arbeitsordner C:\Program Files (x86)\LANDesk\sdmcache", "Arbeitsordner <path>"),
            ("子プロセス終了値 0", "子プロセス終了値 #"),
            ("12 von 40   Beschreibungen\tgeprüft", "# von # Beschreibungen geprüft"),
            ("code 0x8db5019c (413)", "code # (#)"),
            ("a/b and /c", "a/b and <arguments>"),
        ];
        for (message, wanted) in table {
            assert_eq!(masked(message), wanted, "{message}");
        }
    }

    #[test]
    fn a_place_of_many_words_is_joined() {
        let mut shapes = Shapes::default();
        let mut text = String::new();
        for at in 0..12u8 {
            mask(&format!("Bearbeite Paket {} x", char::from(b'a' + at)), &mut text);
            shapes.add(&text, 1, || at);
            mask("Paket fertig", &mut text);
            shapes.add(&text, 1, || at);
        }
        let joined: Vec<_> =
            shapes.joined().into_iter().map(|(shape, seen)| (shown(&shape), seen.lines)).collect();
        let wanted = [("Bearbeite Paket …".to_owned(), 12), ("Paket fertig".to_owned(), 12)];
        assert_eq!(joined, wanted);
    }

    proptest! {
        #[test]
        fn every_line_is_counted(lines in proptest::collection::vec("[a-c ]{0,6}|.{0,40}", 0..60), cut in 0usize..60) {
            let of = |lines: &[String]| {
                let mut shapes = Shapes::default();
                let mut text = String::new();
                for line in lines {
                    mask(line, &mut text);
                    shapes.add(&text, 1, || ());
                }
                shapes
            };
            let cut = cut.min(lines.len());
            let (mut one, two) = (of(&lines[..cut]), of(&lines[cut..]));
            let mut other = two.clone();
            other.merge(one.clone());
            one.merge(two);
            let counted: u64 = one.joined().iter().map(|(_, seen)| seen.lines).sum();
            prop_assert_eq!(counted + one.others, lines.len() as u64);
            prop_assert_eq!(one.joined(), other.joined());
        }
    }
}
