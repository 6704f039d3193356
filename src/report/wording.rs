//! `formats show`: what is known, as an overlay would write it.

use std::io::{self, Write};

use provtrace_parsers::code::CodeTable;
use provtrace_parsers::format::{Actions, Expected, Format, Others};
use provtrace_parsers::layout::Layout;
use provtrace_parsers::overlay::SCHEMA;
use provtrace_parsers::rule::Rule;

use crate::contract::hex;
use crate::letters::toml_text;
use crate::report::plain::harmless;

/// Writes a format with all its rules.
///
/// # Errors
/// Of the writer.
pub fn format(format: &Format, out: &mut dyn Write) -> io::Result<()> {
    let is_text = format.xml.is_none() && format.event_log.is_none();
    writeln!(out, "schema = {SCHEMA}\n")?;
    if !is_text {
        writeln!(out, "# These are no lines of text: an overlay can only add names of files.")?;
    }
    if format.joins {
        writeln!(out, "# A backslash at the end of a line joins the next one to it.")?;
    }
    writeln!(out, "[[format]]\nname = {}", toml_text(&format.name))?;
    writeln!(out, "kind = \"{}\"", format.kind.word())?;
    let mut stamps: Vec<String> =
        format.stamps.iter().map(|stamp| toml_text(&stamp.name)).collect();
    stamps.extend(format.unstamped.then(|| toml_text("none")));
    if !stamps.is_empty() {
        writeln!(out, "stamps = [{}]", stamps.join(", "))?;
    }
    match format.others {
        Others::Unknown => {}
        Others::Noise => writeln!(out, "others = \"noise\"")?,
    }
    for file in &format.files {
        writeln!(out, "\n# {}\n[[format.file]]", harmless(&file.origin))?;
        writeln!(out, "name = {}", toml_text(&file.written))?;
        writeln!(out, "specimen = {}\nmark = \"{}\"", toml_text(&file.specimen), file.mark.word())?;
    }
    format.rules.iter().try_for_each(|rule| message(rule, out))
}

fn message(rule: &Rule, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n# {}\n[[format.message]]", harmless(&rule.origin))?;
    writeln!(out, "name = {}\nmeans = \"{}\"", toml_text(&rule.name), rule.means.word())?;
    writeln!(out, "pattern = {}", toml_text(&rule.written))?;
    if let Some(unless) = &rule.unless_written {
        writeln!(out, "unless = {}", toml_text(unless))?;
    }
    writeln!(out, "specimen = {}\nmark = \"{}\"", toml_text(&rule.specimen), rule.mark.word())
}

/// Writes the layouts of stamps.
///
/// # Errors
/// Of the writer.
pub fn stamps(layouts: &[Layout], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "schema = {SCHEMA}")?;
    for layout in layouts {
        let declared = &layout.declared;
        writeln!(out, "\n# {}\n[[stamp]]", harmless(&declared.origin))?;
        writeln!(out, "name = {}", toml_text(&layout.name))?;
        writeln!(out, "layout = {}", toml_text(&layout.written))?;
        for (key, words) in [("months", &declared.months), ("halves", &declared.halves)] {
            if !words.is_empty() {
                let words: Vec<String> = words.iter().map(|word| toml_text(word)).collect();
                writeln!(out, "{key} = [{}]", words.join(", "))?;
            }
        }
        writeln!(out, "specimen = {}", toml_text(&declared.specimen))?;
        writeln!(out, "reads = {}\nmark = \"{}\"", toml_text(&declared.reads), layout.mark.word())?;
    }
    Ok(())
}

/// Writes the exit codes, and what stands for what in them.
///
/// # Errors
/// Of the writer.
pub fn codes(codes: &CodeTable, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "schema = {SCHEMA}")?;
    for row in codes.rows() {
        writeln!(out, "\n# {}\n[[code]]\nvalue = \"{}\"", harmless(&row.origin), hex(row.value))?;
        for (key, is) in [("low_word", row.low_word), ("any_component", row.any_component)] {
            if is {
                writeln!(out, "{key} = true")?;
            }
        }
        writeln!(out, "class = \"{}\"", row.class.word())?;
        writeln!(out, "meaning = {}\nmark = \"{}\"", toml_text(&row.meaning), row.mark.word())?;
    }
    for (value, component) in codes.components() {
        writeln!(out, "\n# {}\n[[component]]", harmless(&component.origin))?;
        writeln!(out, "value = \"{value:03X}\"\nname = {}", toml_text(&component.name))?;
        writeln!(out, "mark = \"{}\"", component.mark.word())?;
    }
    Ok(())
}

/// Writes how actions that install the agent are told.
///
/// # Errors
/// Of the writer.
pub fn actions(actions: &Actions, out: &mut dyn Write) -> io::Result<()> {
    let specimens: Vec<String> = actions.specimens.iter().map(|own| toml_text(own)).collect();
    writeln!(out, "schema = {SCHEMA}\n\n[actions]")?;
    writeln!(out, "agent_install = {}", toml_text(&actions.written))?;
    writeln!(out, "specimens = [{}]\nmark = \"{}\"", specimens.join(", "), actions.mark.word())
}

/// Writes which failures are expected.
///
/// # Errors
/// Of the writer.
pub fn expected(expected: &Expected, out: &mut dyn Write) -> io::Result<()> {
    let steps: Vec<String> = expected.steps.iter().map(|step| toml_text(step)).collect();
    let codes: Vec<String> = expected.codes.iter().map(|code| toml_text(&hex(*code))).collect();
    writeln!(out, "schema = {SCHEMA}\n\n[ignore]")?;
    writeln!(out, "steps = [{}]\ncodes = [{}]", steps.join(", "), codes.join(", "))
}
