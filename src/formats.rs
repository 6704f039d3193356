//! `formats`: what is known of the logs, and whether overlays are right.

use std::io::{self, Write};
use std::path::PathBuf;

use provtrace_parsers::event::Mark;
use provtrace_parsers::format::{Format, Formats, is_builtin};

use crate::overlays::{self, Overlay};
use crate::report::plain::harmless;

/// Writes one line a format, and what else overlays gave.
///
/// # Errors
/// Of the writer.
pub fn list(formats: &Formats, overlays: &[Overlay], out: &mut dyn Write) -> io::Result<()> {
    for format in &formats.formats {
        let count = |mark| format.rules.iter().filter(|rule| rule.mark == mark).count();
        let marks = [Mark::Seen, Mark::Field, Mark::Doc, Mark::Assumed, Mark::Learned];
        let marks: Vec<String> = marks
            .into_iter()
            .filter(|mark| count(*mark) > 0)
            .map(|mark| format!("{} {}", count(mark), mark.word()))
            .collect();
        let own = format.rules.iter().filter(|rule| !is_builtin(&rule.origin)).count();
        let own = if own > 0 { format!("; {own} from overlays") } else { String::new() };
        let rules = if marks.is_empty() { "no message rules".to_owned() } else { marks.join(", ") };
        writeln!(out, "{:<16} {:<13} {rules}{own}", harmless(&format.name), format.kind.word())?;
    }
    for overlay in overlays {
        writeln!(out, "overlay: {}", harmless(&overlay.shown))?;
    }
    if let Some(folder) = overlays::user_folder() {
        writeln!(out, "your own overlays, read if they are there: {}", folder.display())?;
    }
    Ok(())
}

/// Writes one format with all its rules: mark, where each comes from, pattern, specimen.
///
/// # Errors
/// Of the writer.
pub fn show(format: &Format, out: &mut dyn Write) -> io::Result<()> {
    let name = harmless(&format.name);
    writeln!(out, "# {name}: logs of the kind {}", format.kind.word())?;
    for file in &format.files {
        let (pattern, mark) = (harmless(file.name.as_str()), file.mark.word());
        writeln!(out, "file     {pattern}  ({mark}, {})", harmless(&file.origin))?;
    }
    for stamp in &format.stamps {
        let (name, mark) = (harmless(&stamp.name), stamp.mark.word());
        writeln!(out, "stamp    {name}: \"{}\"  ({mark})", harmless(&stamp.written))?;
    }
    for rule in &format.rules {
        writeln!(out)?;
        writeln!(out, "[[format.message]]")?;
        writeln!(out, "name = \"{}\"", harmless(&rule.name))?;
        writeln!(out, "means = \"{}\"", rule.means.word())?;
        writeln!(out, "pattern = '{}'", harmless(rule.pattern()))?;
        writeln!(out, "specimen = '{}'", harmless(&rule.specimen))?;
        writeln!(out, "mark = \"{}\"  # {}", rule.mark.word(), harmless(&rule.origin))?;
    }
    Ok(())
}

/// Checks each file by itself over the program's formats, and all of them together; says
/// whether all are right.
///
/// # Errors
/// Of the writer.
pub fn validate(paths: &[PathBuf], out: &mut dyn Write) -> io::Result<bool> {
    let mut all = Vec::new();
    let mut right = true;
    for path in paths {
        match overlays::of_path(path) {
            Ok(found) if found.is_empty() => {
                right = false;
                let path = path.display().to_string();
                writeln!(out, "{}: no .toml file lies there", harmless(&path))?;
            }
            Ok(found) => all.extend(found),
            Err(error) => {
                right = false;
                writeln!(out, "{}", harmless(&error))?;
            }
        }
    }
    for overlay in &all {
        match overlays::load(std::slice::from_ref(overlay)) {
            Ok(_) => writeln!(out, "{}: right", harmless(&overlay.shown))?,
            Err(error) => {
                right = false;
                writeln!(out, "{}", harmless(&error))?;
            }
        }
    }
    if right
        && all.len() > 1
        && let Err(error) = overlays::load(&all)
    {
        right = false;
        writeln!(out, "together: {}", harmless(&error))?;
    }
    Ok(right)
}
