//! `formats learn` for people: each proposal with what it rests on.

use std::io::{self, Write};
use std::path::Path;

use textwrap::{Options, fill};

use crate::paths::slashed;

use crate::proposal::Lesson;
use crate::report::plain::{count, harmless, short};
use crate::report::table::{Style, bold};

/// Writes what was learned.
///
/// # Errors
/// Of the writer.
pub fn write(
    lesson: &Lesson,
    overlay: Option<&Path>,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let width = usize::from(style.width);
    writeln!(out, "{}\n", bold(&fill(&harmless(&answer(lesson, overlay)), width), style))?;
    let indented = Options::new(width).initial_indent("    ").subsequent_indent("    ");
    let told = |text: &str| fill(&harmless(text), indented.clone());
    for code in &lesson.codes {
        writeln!(
            out,
            "{}",
            bold(&format!("exit code {:#010X}: already running", code.value), style)
        )?;
        writeln!(out, "{}\n{}", told(&code.rests_on), told(&code.place))?;
    }
    for stamp in &lesson.stamps {
        let guess = &stamp.guess;
        let title = format!("stamp of {}: {}", stamp.formats.join(", "), guess.layout);
        writeln!(out, "{}", bold(&harmless(&title), style))?;
        let rests = format!("It reads {} of {} lines.", guess.lines, guess.of);
        writeln!(out, "{}\n    {}", told(&rests), short(&guess.specimen, width.saturating_sub(4)))?;
    }
    for rule in &lesson.rules {
        let title = format!("{} {}: {}", rule.format, rule.means.word(), rule.pattern);
        writeln!(out, "{}", bold(&harmless(&title), style))?;
        writeln!(out, "{}\n{}", told(&rule.rests_on), told(&rule.place))?;
        writeln!(out, "    {}", short(&rule.specimen, width.saturating_sub(4)))?;
    }
    for open in &lesson.open {
        writeln!(out, "open: {}", harmless(open))?;
    }
    Ok(())
}

fn answer(lesson: &Lesson, overlay: Option<&Path>) -> String {
    let Lesson { stamps, codes, rules, devices, of, .. } = lesson;
    let read = format!("Learned from {devices} of {}", count(*of as u64, "device"));
    if lesson.is_empty() {
        return format!("{read}: nothing is proposed.");
    }
    let next = match overlay {
        Some(path) => {
            let path = slashed(path);
            format!("They are in {path}; read it, and give it back with --formats {path}.")
        }
        None => "Write them with -o learned.toml, read them, and give them back with --formats \
                 learned.toml."
            .to_owned(),
    };
    format!(
        "{read}: {}, {}, {} for messages. Nothing is in force yet. {next}",
        count(codes.len() as u64, "exit code"),
        count(stamps.len() as u64, "stamp"),
        count(rules.len() as u64, "rule"),
    )
}
