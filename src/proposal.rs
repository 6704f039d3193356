//! What was learned, and how it is written down: an overlay that says what each rule rests on.

use std::fmt::Write;

use provtrace_parsers::guess::Guess;
use provtrace_parsers::overlay::SCHEMA;
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape;

use sha2::{Digest, Sha256};

use crate::discover::Skipped;
use crate::letters::{is_obeyed, toml_text};

/// A stamp's layout, and the formats whose logs have it.
#[derive(Debug, Clone)]
pub struct StampProposal {
    /// Its name in the overlay.
    pub name: String,
    /// The formats.
    pub formats: Vec<String>,
    /// The layout.
    pub guess: Guess,
}

/// A rule's name: two rules of one shape that mean different things are two.
pub fn name(means: Meaning, of: &str) -> String {
    format!("learned {}: {}", means.word(), shape::shown(of))
}

/// A message rule.
#[derive(Debug, Clone)]
pub struct RuleProposal {
    /// The format.
    pub format: String,
    /// Its name in the overlay.
    pub name: String,
    /// What its lines mean.
    pub means: Meaning,
    /// The regular expression.
    pub pattern: String,
    /// A message.
    pub specimen: String,
    /// The numbers that it rests on.
    pub rests_on: String,
    /// Where the specimen stands.
    pub place: String,
}

/// An exit code that means: already running.
#[derive(Debug, Clone)]
pub struct CodeProposal {
    /// Its 32 bits.
    pub value: u32,
    /// The numbers that it rests on.
    pub rests_on: String,
    /// Where a run with it stands.
    pub place: String,
}

/// All that was learned.
#[derive(Debug, Clone, Default)]
pub struct Lesson {
    /// Layouts.
    pub stamps: Vec<StampProposal>,
    /// Codes.
    pub codes: Vec<CodeProposal>,
    /// Rules.
    pub rules: Vec<RuleProposal>,
    /// What was looked for and not found, or can't be told.
    pub open: Vec<String>,
    /// Devices of which a log was read.
    pub devices: usize,
    /// Devices of the share.
    pub of: usize,
    /// Logs that were read.
    pub files: usize,
    /// Logs that could not be read, or not to their end.
    pub skipped: Vec<Skipped>,
}

impl Lesson {
    /// Adds a layout for a format; one of the same layout is the same stamp, and has the same name in
    /// every overlay.
    pub fn add_stamp(&mut self, format: &str, guess: Guess) {
        let same = |own: &&mut StampProposal| {
            own.guess.layout == guess.layout
                && own.guess.months == guess.months
                && own.guess.halves == guess.halves
        };
        if let Some(own) = self.stamps.iter_mut().find(same) {
            own.guess.lines += guess.lines;
            own.guess.of += guess.of;
            if !own.formats.iter().any(|own| own == format) {
                own.formats.push(format.to_owned());
            }
            return;
        }
        let name = stamp_name(&guess);
        self.stamps.push(StampProposal { name, formats: vec![format.to_owned()], guess });
    }

    /// Whether nothing is proposed.
    pub fn is_empty(&self) -> bool {
        self.stamps.is_empty() && self.codes.is_empty() && self.rules.is_empty()
    }

    /// The overlay.
    pub fn overlay(&self) -> String {
        let mut out = String::new();
        // Text can always be written to.
        let _ = writeln!(
            out,
            "# Proposed by `provtrace formats learn` from the logs of {} of {} devices. Read it before you\n\
             # use it: each rule says what it rests on. docs/OVERLAYS.md explains the keys.\n\
             schema = {SCHEMA}",
            self.devices, self.of
        );
        for open in &self.open {
            let _ = write!(out, "\n# Open: {}\n", one_line(open));
        }
        self.codes.iter().for_each(|code| write_code(code, &mut out));
        self.stamps.iter().for_each(|stamp| write_stamp(stamp, &mut out));
        let mut formats: Vec<&str> = self.rules.iter().map(|rule| rule.format.as_str()).collect();
        formats.extend(self.stamps.iter().flat_map(|own| &own.formats).map(String::as_str));
        formats.sort_unstable();
        formats.dedup();
        for format in formats {
            let _ = write!(out, "\n[[format]]\nname = {}\n", toml_text(format));
            let is_own = |stamp: &&StampProposal| stamp.formats.iter().any(|own| own == format);
            let stamps: Vec<String> =
                self.stamps.iter().filter(is_own).map(|own| toml_text(&own.name)).collect();
            if !stamps.is_empty() {
                let _ = writeln!(out, "stamps = [{}]", stamps.join(", "));
            }
            let own = self.rules.iter().filter(|rule| rule.format == format);
            own.for_each(|rule| write_rule(rule, &mut out));
        }
        out
    }
}

/// Made of all that it reads by.
fn stamp_name(guess: &Guess) -> String {
    let mut hash = Sha256::new();
    for text in [&guess.layout].into_iter().chain(&guess.months).chain(&guess.halves) {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    let hex: Vec<String> =
        hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("learned-{}", hex.concat())
}

fn write_code(code: &CodeProposal, out: &mut String) {
    let CodeProposal { value, rests_on, place } = code;
    let _ = write!(
        out,
        "\n# {}\n# {}\n[[code]]\nvalue = \"{value:#010X}\"\nclass = \"already_running\"\n\
         meaning = \"already running (learned)\"\nmark = \"learned\"\n",
        one_line(rests_on),
        one_line(place),
    );
}

fn write_stamp(stamp: &StampProposal, out: &mut String) {
    let StampProposal { name, guess, .. } = stamp;
    let _ = write!(
        out,
        "\n# It reads {} of {} lines.\n[[stamp]]\nname = {}\nlayout = {}\n",
        guess.lines,
        guess.of,
        toml_text(name),
        toml_text(&guess.layout),
    );
    for (key, words) in [("months", &guess.months), ("halves", &guess.halves)] {
        if !words.is_empty() {
            let words: Vec<String> = words.iter().map(|word| toml_text(word)).collect();
            let _ = writeln!(out, "{key} = [{}]", words.join(", "));
        }
    }
    let _ = write!(
        out,
        "specimen = {}\nreads = \"{}\"\nmark = \"learned\"\n",
        toml_text(&guess.specimen),
        guess.reads
    );
}

fn write_rule(rule: &RuleProposal, out: &mut String) {
    let _ = write!(
        out,
        "\n# {}\n# {}\n[[format.message]]\nname = {}\nmeans = \"{}\"\npattern = {}\nspecimen = {}\n\
         mark = \"learned\"\n",
        one_line(&rule.rests_on),
        one_line(&rule.place),
        toml_text(&rule.name),
        rule.means.word(),
        toml_text(&rule.pattern),
        toml_text(&rule.specimen),
    );
}

/// A comment can't go on to the next line, and holds no control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if is_obeyed(letter) { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_apart_what_is_not_the_same() {
        assert_ne!(name(Meaning::RunStarts, "on"), name(Meaning::RunEnds, "on"));
        let guess = |layout: &str, month: &str| Guess {
            layout: layout.to_owned(),
            stamp: layout.to_owned(),
            months: vec![month.to_owned(); 12],
            halves: Vec::new(),
            specimen: String::new(),
            reads: String::new(),
            lines: 1,
            of: 1,
            ambiguous: false,
        };
        let mut lesson = Lesson::default();
        for (layout, month) in [("{day} ", "mai"), ("{day} ", "mars"), ("{day}: ", "mai")] {
            lesson.add_stamp("vulscan", guess(layout, month));
            lesson.add_stamp("sdclient", guess(layout, month));
        }
        let names: std::collections::BTreeSet<&str> =
            lesson.stamps.iter().map(|stamp| stamp.name.as_str()).collect();
        assert_eq!((lesson.stamps.len(), names.len()), (3, 3));
        assert!(lesson.stamps.iter().all(|stamp| stamp.formats == ["vulscan", "sdclient"]));
        let mut again = Lesson::default();
        again.add_stamp("policysync", guess("{day}: ", "mai"));
        assert_eq!(again.stamps[0].name, lesson.stamps[2].name);
    }
}
