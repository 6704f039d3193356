//! An explanation, for people on a terminal.

use std::io::{self, Write};

use textwrap::{Options, fill};

use crate::chronicle::{Chronicle, RunSpan};
use crate::contract::Evidence;
use crate::correlate::Mechanism;
use crate::explanation::Explanation;
use crate::report::lanes;
use crate::report::plain::{harmless, short};
use crate::report::table::{Style, bold};

/// So far back a picture goes for a holder, in milliseconds.
const DAY: i64 = 86_400_000;
/// Lines that are cited below a sentence.
const CITED: usize = 4;

/// Writes the whole of it: the answer, the picture, the story with its lines, what else it could
/// have been, what is missing, what to do.
///
/// # Errors
/// Of the writer.
pub fn write(
    explanation: &Explanation,
    chronicles: &[Chronicle],
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    heading(explanation, style, out)?;
    picture(explanation, chronicles, style, out)?;
    let zone = explanation.zone.as_deref().map_or("zone not known", |zone| zone);
    let title = format!("What happened (the device's own time, {})", harmless(zone));
    writeln!(out, "{}", bold(&title, style))?;
    for (sentence, number) in explanation.story.iter().zip(1..) {
        numbered(number, &sentence.text, style, out)?;
        for line in sentence.evidence.iter().take(CITED) {
            citation(line, out)?;
        }
    }
    writeln!(out)?;
    writeln!(out, "{}", bold("Was it …", style))?;
    for own in &explanation.hypotheses {
        let text = format!("{}? {}: {}.", own.supposed, capital(own.standing.word()), own.fact);
        bullet(&text, style, out)?;
    }
    writeln!(out)?;
    if !explanation.cautions.is_empty() {
        writeln!(out, "{}", bold("How firm it is", style))?;
        let proven = format!("The incident is {}.", explanation.confidence.word());
        bullet(&proven, style, out)?;
        for caution in &explanation.cautions {
            bullet(caution, style, out)?;
        }
        writeln!(out)?;
    }
    gaps(explanation, style, out)?;
    remedy(explanation, style, out)
}

/// The first screen of a failed build: the story without its lines, the picture, what to do.
///
/// # Errors
/// Of the writer.
pub fn write_short(
    explanation: &Explanation,
    chronicles: &[Chronicle],
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    picture(explanation, chronicles, style, out)?;
    for (sentence, number) in explanation.story.iter().zip(1..) {
        numbered(number, &sentence.text, style, out)?;
    }
    writeln!(out)?;
    if explanation.mechanism == Mechanism::Unattributed {
        gaps(explanation, style, out)?;
    }
    remedy(explanation, style, out)?;
    let id = &explanation.incident;
    let text = format!(
        "The lines that prove it, what else it could have been, what is missing: provtrace explain {id} PATH"
    );
    writeln!(out, "{}\n", fill(&text, usize::from(style.width)))
}

fn heading(explanation: &Explanation, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let template = explanation.template.as_deref().map(|name| format!(" ({name})"));
    let text = format!(
        "{}, run {}{}: {} [{} {}]",
        explanation.device,
        explanation.run,
        template.unwrap_or_default(),
        explanation.answer,
        explanation.confidence.word(),
        explanation.incident,
    );
    writeln!(out, "{}\n", bold(&fill(&harmless(&text), usize::from(style.width)), style))
}

fn picture(
    explanation: &Explanation,
    chronicles: &[Chronicle],
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let chronicle = chronicles.iter().find(|own| own.device == explanation.device);
    let Some(chronicle) = chronicle else { return Ok(()) };
    if let Some(run) = chronicle.runs.iter().find(|run| run.number == explanation.run) {
        // A holder may have been there for hours before the run.
        let mut lifetimes = chronicle.lifetimes.iter();
        let holder = lifetimes.find(|own| own.held.contains(&explanation.incident));
        let from = holder.map_or(&run.from, |own| &own.launched);
        let before = from.millis < run.from.millis && run.from.millis - from.millis < DAY;
        let from = if before { from } else { &run.from };
        lanes::picture(chronicle, &RunSpan { from: from.clone(), ..run.clone() }, style, out)?;
        writeln!(out)?;
    }
    Ok(())
}

fn gaps(explanation: &Explanation, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if explanation.missing.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", bold("What would tell more", style))?;
    for gap in &explanation.missing {
        bullet(&format!("{}, in {}: {}", gap.file, gap.place, gap.tells), style, out)?;
    }
    writeln!(out)
}

fn remedy(explanation: &Explanation, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", bold("What to do", style))?;
    for text in &explanation.remedy {
        bullet(text, style, out)?;
    }
    writeln!(out)
}

fn numbered(number: usize, text: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    wrapped(&format!("{number:>3}. "), "     ", text, style, out)
}

fn bullet(text: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    wrapped("  - ", "    ", text, style, out)
}

fn wrapped(
    first: &str,
    next: &str,
    text: &str,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let options =
        Options::new(usize::from(style.width)).initial_indent(first).subsequent_indent(next);
    writeln!(out, "{}", fill(&harmless(text), options))
}

/// `     path:12 [assumed] text`: never wrapped, so that a path can be copied.
fn citation(line: &Evidence, out: &mut dyn Write) -> io::Result<()> {
    let member = line.member.as_ref().map(|member| format!("!/{}", harmless(member)));
    let mark = match line.mark.as_deref() {
        Some(mark @ ("assumed" | "learned")) => format!(" [{mark}]"),
        Some(_) | None => String::new(),
    };
    let path = harmless(&line.path);
    writeln!(
        out,
        "       {path}{}:{}:{mark} {}",
        member.unwrap_or_default(),
        line.line,
        short(&line.text, QUOTED)
    )
}

/// Letters of a line that are shown.
const QUOTED: usize = 160;

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}
