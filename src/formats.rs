//! `formats`: what is known of the logs, and whether overlays are right.

use std::io::{self, Write};
use std::path::PathBuf;

use provtrace_parsers::event::Mark;
use provtrace_parsers::format::{Formats, is_builtin};

use crate::overlays::{self, Overlay};
use crate::report::plain::harmless;
use crate::report::wording;

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

/// Writes what has this name, as an overlay would write it: a format, or one of the other sections.
/// Says whether anything has it.
///
/// # Errors
/// Of the writer.
pub fn show(formats: &Formats, name: &str, out: &mut dyn Write) -> io::Result<bool> {
    if let Some(format) = formats.formats.iter().find(|own| own.name == name) {
        wording::format(format, out)?;
        return Ok(true);
    }
    match name {
        "codes" => wording::codes(&formats.codes, out)?,
        "stamps" => wording::stamps(&formats.layouts, out)?,
        "actions" => wording::actions(&formats.agent_install, out)?,
        "ignore" => wording::expected(&formats.expected, out)?,
        _none => return Ok(false),
    }
    Ok(true)
}

/// The names that [`show`] knows.
pub fn names(formats: &Formats) -> String {
    let mut names: Vec<&str> = formats.formats.iter().map(|own| own.name.as_str()).collect();
    names.extend(["codes", "stamps", "actions", "ignore"]);
    names.join(", ")
}

/// Checks the files as they would be in force together, in order; a wrong one is left out for the
/// others. Says whether all are right.
///
/// # Errors
/// Of the writer.
pub fn validate(paths: &[PathBuf], out: &mut dyn Write) -> io::Result<bool> {
    let mut all = Vec::new();
    let mut right = true;
    for path in paths {
        match overlays::each_of_path(path) {
            Ok(found) if found.is_empty() => {
                right = false;
                let path = path.display().to_string();
                writeln!(out, "{}: no .toml file lies there", harmless(&path))?;
            }
            Ok(found) => {
                for overlay in found {
                    match overlay {
                        Ok(overlay) => all.push(overlay),
                        Err(error) => {
                            right = false;
                            writeln!(out, "{}", harmless(&error))?;
                        }
                    }
                }
            }
            Err(error) => {
                right = false;
                writeln!(out, "{}", harmless(&error))?;
            }
        }
    }
    let mut all = overlays::each_once(all);
    while let Err(error) = overlays::try_load(&all) {
        right = false;
        writeln!(out, "{}", harmless(&error.to_string()))?;
        let left = all.len();
        all.retain(|overlay| overlay.shown != error.path);
        if all.len() == left {
            break;
        }
    }
    for overlay in &all {
        writeln!(out, "{}: right", harmless(&overlay.shown))?;
    }
    Ok(right)
}
