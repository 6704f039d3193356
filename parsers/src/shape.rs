//! What lines of unknown wording have in common: messages with everything masked that varies.

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
/// Most variables of a pattern: what stands behind them is anything. Each makes it bigger.
const MOST_VARIABLES: usize = 12;

/// Puts the masked message into `masked`. Of a message that is longer than what is looked at, the
/// rest is [`TEXT`].
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
    if message.trim().len() > LONGEST {
        masked.push(TEXT);
    }
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
pub(crate) fn word_length(text: &str) -> usize {
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
        if variables == MOST_VARIABLES {
            pattern.push_str(".*");
            return pattern;
        }
        match captures.iter().find(|(at, _)| *at == variables) {
            // Numbers that a hyphen joins are one variable: a GUID, a date, a security id.
            None if letter == NUMBER => pattern.push_str(r"[-\w]+"),
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

    fn masked(message: &str) -> String {
        let mut out = String::new();
        mask(message, &mut out);
        shown(&out)
    }

    #[test]
    fn a_pattern_reads_what_it_was_made_of() {
        for message in [
            "warte auf X1-2b Ende",
            "Besetzt {3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
            "Konto S-1-5-21-1004 am 2025-03-24 12-30",
            "Wert -5",
        ] {
            let mut shape = String::new();
            mask(message, &mut shape);
            let pattern = regex::Regex::new(&pattern(&shape, &[])).expect("a pattern");
            assert!(pattern.is_match(message), "{pattern} and {message}");
        }
    }

    #[test]
    fn what_varies_is_masked() {
        let table = [
            ("Dziecko oddało -1917976164", "Dziecko oddało #"),
            (
                r"fork [X:\ldclient\imagew.exe] [/rb- /o \\images\w11\base.tbi]",
                "fork [<path>] [<arguments>]",
            ),
            (
                r"Ruszyło 701: C:\Program Files (x86)\LANDesk\LDClient\vulscan.exe /scan=0 /reboot=never, numer 8123",
                "Ruszyło #: <path> <arguments>, numer #",
            ),
            (
                "Found another instance of vulscan.exe is running",
                "Found another instance of <program> is running",
            ),
            ("Downloading http://core/a b.xml now", "Downloading <path> b.xml now"),
            (r"Ordner C:\Program Files (x86)\LANDesk\sdmcache", "Ordner <path>"),
            ("終わりの値 0", "終わりの値 #"),
            ("12 von 40   Dateien\tgelesen", "# von # Dateien gelesen"),
            ("code 0x8db5019c (413)", "code # (#)"),
            ("a/b and /c", "a/b and <arguments>"),
        ];
        for (message, wanted) in table {
            assert_eq!(masked(message), wanted, "{message}");
        }
    }

    #[test]
    fn the_pattern_of_a_long_message_fits_it() {
        for letters in ["abcdefg ", "größe ", "終わ ", "17 x ", r"C:\Ordner\datei.txt "] {
            let message = letters.repeat(1 + 2 * LONGEST / letters.len());
            let mut out = String::new();
            mask(&message, &mut out);
            let pattern = crate::pattern::compile(&pattern(&out, &[])).expect("a pattern");
            assert!(pattern.is_match(message.trim()), "{pattern}");
        }
    }
}
