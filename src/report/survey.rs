//! `formats check` for people: how much is understood, then what is not.

use std::io::{self, Write};

use comfy_table::Cell;
use textwrap::fill;

use crate::report::plain::{count, harmless, short};
use crate::report::reading::{list, percent_of};
use crate::report::table::{Style, bold, number, table};
use crate::survey::{LogSurvey, Survey};
use crate::tally::{ALL_OF, FormatSurvey, ONE_IN};

/// Shapes that are shown, unless more are asked for.
pub const SHAPES: usize = 15;

/// Writes the survey.
///
/// # Errors
/// Of the writer.
pub fn write(survey: &Survey, style: Style, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(style.width);
    if let Some(caution) = &survey.caution {
        let caution = format!("Caution: {caution}.");
        writeln!(out, "{}\n", bold(&fill(&harmless(&caution), width), style))?;
    }
    writeln!(out, "{}\n", bold(&fill(&answer(survey), width), style))?;
    writeln!(out, "{}", bold("By format", style))?;
    writeln!(out, "{}\n", formats(&survey.formats, style).trim_fmt())?;
    shapes(survey, style, top, out)?;
    if survey.lines_looked_at < survey.lines_unknown {
        let seen = format!(
            "Shapes are counted on {} of {} lines: of a log with more than {ALL_OF} of them, on one \
             in {ONE_IN} behind those, picked at random. One that stands on {} lines there is missed \
             once in twenty times.",
            survey.lines_looked_at,
            survey.lines_unknown,
            missed_once_in_twenty(),
        );
        writeln!(out, "{}\n", fill(&seen, width))?;
    }
    if survey.lines_without_shape > 0 {
        let told = format!(
            "{} in no shape: of more different messages than are told apart.",
            count(survey.lines_without_shape, "line")
        );
        writeln!(out, "{}\n", fill(&told, width))?;
    }
    let logs: Vec<String> = survey.logs.iter().map(one_log).collect();
    list(out, style, "Logs with lines that are not understood, most first", &logs)?;
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

/// So many lines of a shape are all passed over once in twenty times, if one in [`ONE_IN`] is looked at.
fn missed_once_in_twenty() -> u64 {
    let passed = 1.0 - 1.0 / ONE_IN as f64;
    (0.05_f64.ln() / passed.ln()).ceil() as u64
}

fn one_log(log: &LogSurvey) -> String {
    let LogSurvey { path, lines, events, noise, continued, unknown, .. } = log;
    format!(
        "{path}: {unknown} of {}; {events} events, {noise} noise, {continued} continue",
        count(*lines, "line")
    )
}

/// How much is understood.
fn answer(survey: &Survey) -> String {
    let own = survey.lines - survey.lines_continued;
    let understood = percent_of(survey.lines_understood, own);
    let continued = match survey.lines_continued {
        0 => String::new(),
        lines => format!("; {lines} more continue the line above"),
    };
    format!(
        "{understood} of {} in {} of {} are understood{continued}.",
        count(own, "line"),
        count(survey.files, "log"),
        count(survey.devices, "device"),
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
