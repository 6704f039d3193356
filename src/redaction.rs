//! Names → pseudonyms, the same ones everywhere; and whether a text still has a name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use aho_corasick::{AhoCorasick, MatchKind};
use provtrace_parsers::text::{CodePage, decode_line, encode_like};

use crate::identity::{Kind, Names, Pair, fold};
use crate::rawline::RawLines;
use crate::seal;

/// All names, and a finder of them.
#[derive(Debug)]
pub struct Redaction {
    /// In order of kind and pseudonym.
    pub pairs: Vec<Pair>,
    /// By number of the pair: whether it counts inside of words, too.
    anywhere: Vec<bool>,
    finder: AhoCorasick,
}

impl Redaction {
    /// Gives every name a pseudonym: numbered within its kind, in an order that says nothing.
    ///
    /// # Errors
    /// If there are too many names to look for.
    pub fn new(names: &Names) -> Result<Redaction, String> {
        let mut all: Vec<(Kind, String, &String, &String)> = names
            .found
            .iter()
            .map(|(folded, (kind, real))| (*kind, seal::of_text(folded), folded, real))
            .collect();
        all.sort();
        let real: Vec<String> = all.iter().map(|(.., real)| (*real).clone()).collect();
        let mut redaction = Redaction::of(
            real.iter()
                .zip(&all)
                .map(|(real, (kind, ..))| Pair {
                    kind: *kind,
                    real: real.clone(),
                    pseudonym: String::new(),
                })
                .collect(),
        )?;
        let mut numbers: BTreeMap<Kind, u32> = BTreeMap::new();
        for at in 0..redaction.pairs.len() {
            let Pair { kind, real, .. } = redaction.pairs[at].clone();
            let number = numbers.entry(kind).or_default();
            let pseudonym = loop {
                *number += 1;
                let mut stems =
                    stems(kind).iter().map(|stem| pseudonym(kind, stem, &real, *number));
                // A pseudonym that is or holds a real name would be no help.
                match stems.find(|own| redaction.first_in(own).is_none()) {
                    Some(free) => break free,
                    None if *number > 1_000_000 => return Err("no pseudonyms are left".to_owned()),
                    None => {}
                }
            };
            redaction.pairs[at].pseudonym = pseudonym;
        }
        Ok(redaction)
    }

    /// What a private map holds.
    ///
    /// # Errors
    /// If there are too many names to look for.
    pub fn of(pairs: Vec<Pair>) -> Result<Redaction, String> {
        let folded: Vec<String> = pairs.iter().map(|pair| fold(&pair.real).0).collect();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&folded)
            .map_err(|error| format!("too many names to replace: {error}"))?;
        let anywhere = folded.iter().map(|name| counts_anywhere(name)).collect();
        Ok(Redaction { pairs, anywhere, finder })
    }

    /// A text with pseudonyms in the place of names.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.places(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len() + 32);
        let mut done = 0;
        for (start, end, pair) in found {
            if start >= done {
                out.push_str(&text[done..start]);
                out.push_str(&self.pairs[pair].pseudonym);
                done = end;
            }
        }
        out.push_str(&text[done..]);
        Cow::Owned(out)
    }

    /// The first name in a text, and where it stands.
    pub fn first_in(&self, text: &str) -> Option<(usize, &Pair)> {
        self.places(text).first().map(|(start, _, pair)| (*start, &self.pairs[*pair]))
    }

    /// Where names stand; the longer goes first of those that begin at one place.
    fn places(&self, text: &str) -> Vec<(usize, usize, usize)> {
        let (folded, places) = fold(text);
        let back = |at: usize| places.as_ref().map_or(at, |places| places[at]);
        let mut found: Vec<(usize, usize, usize)> = self
            .finder
            .find_overlapping_iter(&folded)
            .map(|hit| (back(hit.start()), back(hit.end()), hit.pattern().as_usize()))
            .filter(|(start, end, pair)| self.anywhere[*pair] || is_word(text, *start, *end))
            .collect();
        found.sort_by_key(|(start, end, pair)| (*start, std::cmp::Reverse(*end), *pair));
        found
    }

    /// Writes a log with pseudonyms, in its own encoding; lines without a name as they are.
    ///
    /// # Errors
    /// Of reader and writer, and a line that is too long to be looked through.
    pub fn copy(&self, from: impl Read, page: CodePage, to: &mut dyn Write) -> io::Result<()> {
        let mut lines = RawLines::new(from)?;
        to.write_all(&lines.mark)?;
        let encoding = lines.encoding;
        while let Some(line) = lines.next_line()? {
            if !line.whole {
                return Err(io::Error::other("a line is too long to be redacted"));
            }
            match self.text(&decode_line(line.bytes, encoding, page)) {
                Cow::Borrowed(_same) => to.write_all(line.bytes)?,
                Cow::Owned(text) => {
                    to.write_all(&encode_like(&text, line.bytes, encoding, page))?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a name is looked for inside of words, too: a machine's number, an address, a name in
/// letters that plain words of the logs don't have.
fn counts_anywhere(folded: &str) -> bool {
    let letters = folded.chars().any(char::is_alphabetic);
    let digits = folded.bytes().any(|byte| byte.is_ascii_digit());
    let telling = folded.contains('@') || letters && digits && folded.len() >= 5;
    !folded.is_ascii() || telling
}

/// Whether no letter or digit stands before or behind a place.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// Beginnings of pseudonyms; the later ones are for a share that has names like the first.
fn stems(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Device => &["DEV", "UNIT", "ZZDEV"],
        Kind::Core => &["MGMT", "MAINSERVER", "ZZMGMT"],
        Kind::Domain => &["zone", "realm", "zzrealm"],
        Kind::User => &["person", "someone", "zzperson"],
        Kind::Host => &["machine", "node", "zznode"],
        Kind::Organisation => &["company", "firm", "zzfirm"],
        Kind::Given => &["name", "word", "zzword"],
        Kind::Email => &["person", "someone", "zzperson"],
        Kind::Sid | Kind::Mac | Kind::Ipv4 | Kind::Ipv6 => &[""],
    }
}

/// In the shape of the real one, where a reader of the logs goes by it.
fn pseudonym(kind: Kind, stem: &str, real: &str, number: u32) -> String {
    let bytes = number.to_be_bytes();
    match kind {
        Kind::Device => format!("{stem}-{number:05}"),
        Kind::Email => format!("{stem}-{number:04}@mail.invalid"),
        Kind::Domain | Kind::Host | Kind::Core if real.contains('.') => {
            format!("{stem}-{number:04}.invalid")
        }
        Kind::Core | Kind::Domain | Kind::Host | Kind::User | Kind::Organisation | Kind::Given => {
            format!("{stem}-{number:04}")
        }
        Kind::Sid => format!("S-1-5-21-0-0-{number}-{number}"),
        Kind::Mac if real.contains('.') => {
            format!("0200.00{:02x}.{:02x}{:02x}", bytes[1], bytes[2], bytes[3])
        }
        Kind::Mac => {
            let between = if real.contains(':') { ':' } else { '-' };
            let [_, a, b, c] = bytes;
            format!("02{between}00{between}00{between}{a:02X}{between}{b:02X}{between}{c:02X}")
        }
        // The range that is kept for measurements.
        Kind::Ipv4 => {
            format!("198.{}.{}.{}", 18 + (bytes[1] & 1), bytes[2], bytes[3])
        }
        Kind::Ipv6 => format!("2001:db8::{:x}:{:x}", number >> 16, number & 0xFFFF),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(names: &[(Kind, &str)]) -> Redaction {
        let mut all = Names::new();
        for (kind, name) in names {
            all.add(*kind, name);
        }
        Redaction::new(&all).expect("few names")
    }

    #[test]
    fn names_are_replaced_whatever_their_letters() {
        let own = redaction(&[
            (Kind::Device, "PAR-10001"),
            (Kind::Device, "СТАНЦИЯ-7"),
            (Kind::User, "田中"),
            (Kind::User, "task"),
            (Kind::User, "Élodie"),
            (Kind::User, "bob"),
        ]);
        let text = own.text("par-10001 xPAR-100012 станция-7 田中さん bob bobsled ÉLODIE task");
        for real in ["par-10001", "станция", "田中", " bob ", "ÉLODIE"] {
            assert!(!text.contains(real), "{real} in {text}");
        }
        assert!(text.ends_with(" task") && text.contains("bobsled"), "{text}");
        assert_eq!(own.first_in(&text), None);
        assert!(matches!(own.text("nothing here"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_pseudonym_holds_no_name() {
        let own =
            redaction(&[(Kind::User, "person"), (Kind::User, "x1"), (Kind::Device, "DEV-00001")]);
        for pair in &own.pairs {
            assert_eq!(own.first_in(&pair.pseudonym), None, "{pair:?}");
        }
    }

    #[test]
    fn a_log_keeps_its_encoding() {
        let own = redaction(&[(Kind::User, "Zoë"), (Kind::Device, "PAR-10001")]);
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let person = &own.pairs.iter().find(|pair| pair.kind == Kind::User).expect("one").pseudonym;
        for (from, to) in [
            (b"\x80 Zo\xEB\r\n\xFF".to_vec(), format!("\u{80} {person}\r\n").into_bytes()),
            (wide("\u{FEFF}a Zoë\n漢"), wide(&format!("\u{FEFF}a {person}\n漢"))),
        ] {
            let mut out = Vec::new();
            own.copy(from.as_slice(), CodePage::default(), &mut out).expect("memory");
            if from.starts_with(&[0xFF, 0xFE]) {
                assert_eq!(out, to);
            } else {
                let expected = [b"\x80 ", person.as_bytes(), b"\r\n\xFF"].concat();
                assert_eq!(out, expected);
            }
        }
    }
}
