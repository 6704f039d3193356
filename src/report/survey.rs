//! `formats check` for people: how much is understood, then what is not.

use std::io::{self, Write};

use comfy_table::Cell;
use textwrap::fill;

use crate::report::plain::{count, harmless, short};
use crate::report::reading::{list, percent_of};
use crate::report::table::{Style, bold, number, table};
use crate::survey::{FormatSurvey, Survey};

/// Shapes that are shown, unless more are asked for.
pub const SHAPES: usize = 15;

/// Writes the survey.
///
/// # Errors
/// Of the writer.
pub fn write(survey: &Survey, style: Style, top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n", bold(&fill(&answer(survey), usize::from(style.width)), style))?;
    writeln!(out, "{}", bold("By format", style))?;
    writeln!(out, "{}\n", formats(&survey.formats, style).trim_fmt())?;
    shapes(survey, style, top, out)?;
    if survey.lines_looked_at < survey.lines_unknown {
        let seen = format!(
            "Shapes are counted on {} of {} lines: of a log with more than 2000 of them, on every \
             16th behind those. One that stands on 48 lines there or more is missed once in twenty \
             times.",
            survey.lines_looked_at, survey.lines_unknown
        );
        writeln!(out, "{}\n", fill(&seen, usize::from(style.width)))?;
    }
    if survey.files_not_understood > 0 {
        let title = format!("Logs of which no line is understood: {}", survey.files_not_understood);
        list(out, style, &title, &survey.not_understood)?;
    }
    list(out, style, "Logs of no known format that speak of the agent", &survey.like_agents)?;
    let others = survey.unrecognised - survey.like_agents.len() as u64;
    if others > 0 {
        writeln!(out, "Other logs of no known format: {others}.")?;
    }
    Ok(())
}

/// How much is understood, and what to do.
fn answer(survey: &Survey) -> String {
    let blind: Vec<&str> = survey
        .formats
        .iter()
        .filter(|format| format.is_blind())
        .map(|format| format.format.as_str())
        .collect();
    let understood = percent_of(survey.lines_understood, survey.lines);
    let read = format!(
        "{understood} of {} in {} of {} are understood",
        count(survey.lines, "line"),
        count(survey.files, "log"),
        count(survey.devices, "device"),
    );
    if blind.is_empty() {
        return format!("{read}; each format has lines that are.");
    }
    format!(
        "{read}; nothing is in {}. `provtrace formats learn PATH` proposes rules from the logs \
         themselves; docs/OVERLAYS.md says how to write them.",
        blind.join(", ")
    )
}

fn formats(formats: &[FormatSurvey], style: Style) -> comfy_table::Table {
    let header =
        ["format", "devices", "logs", "lines", "events", "noise", "continue", "unknown", "stamps"];
    let mut table = table(style, &header);
    for format in formats {
        let stamped = format.lines - format.without_stamp - format.continued;
        let mut stamps: Vec<(&String, &u64)> = format.stamps.iter().collect();
        stamps.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let names: Vec<&str> = stamps.iter().map(|(name, _)| name.as_str()).collect();
        let of = percent_of(stamped, format.lines - format.continued);
        let stamps = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        table.add_row(vec![
            Cell::new(harmless(&format.format)),
            number(format.devices),
            number(format.files),
            number(format.lines),
            number(format.events),
            number(format.noise),
            number(format.continued),
            number(format!("{} ({})", format.unknown, percent_of(format.unknown, format.lines))),
            Cell::new(if stamped > 0 { format!("{stamps}: {of}") } else { stamps }),
        ]);
    }
    table
}

fn shapes(survey: &Survey, style: Style, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let shapes = &survey.shapes;
    let about = if survey.lines_looked_at < survey.lines_unknown { "about " } else { "" };
    if shapes.is_empty() {
        return Ok(());
    }
    let title = format!("What is not understood, most frequent first ({} shapes)", shapes.len());
    writeln!(out, "{}", bold(&title, style))?;
    let width = usize::from(style.width).saturating_sub(4);
    for shape in shapes.iter().take(top) {
        let devices = count(shape.devices, "device");
        let found = format!("{about}{} on {devices}, {}", count(shape.lines, "line"), shape.format);
        writeln!(out, "  {found}: {}", short(&shape.shape, width))?;
        writeln!(out, "    {}:{}", harmless(&shape.path), shape.line)?;
        writeln!(out, "    {}", short(&shape.example, width))?;
    }
    if shapes.len() > top {
        writeln!(out, "  … and {} more: --top, --format json", shapes.len() - top)?;
    }
    writeln!(out)
}
