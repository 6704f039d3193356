//! Where a run's time went, for people on a terminal.

use std::io::{self, Write};

use textwrap::fill;

use crate::blame::{Ledger, Piece, Spent, ledger};
use crate::chronicle::{Chronicle, StepOutcome};
use crate::report::plain::{count, harmless, short};
use crate::report::table::{Style, bold};

/// Columns of a bar.
const BAR: i64 = 24;
/// Letters of a name that are shown.
const LETTERS: usize = 48;
/// Pieces that the summary names.
const NAMED: usize = 3;

/// Writes every run of the device.
///
/// # Errors
/// Of the writer.
pub fn write(chronicle: &Chronicle, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let device = harmless(&chronicle.device);
    if chronicle.runs.is_empty() {
        writeln!(out, "{device}: no provisioning run in its logs\n")?;
    }
    for run in &chronicle.runs {
        let template = harmless(run.template.as_deref().unwrap_or("template not named"));
        let title = format!("{device}, run {}: {template} (the device's own time)", run.number);
        writeln!(out, "{}", bold(&title, style))?;
        let Some(book) = ledger(chronicle, run) else {
            writeln!(out, "  no step that starts a program\n")?;
            continue;
        };
        writeln!(out, "{}\n", fill(&summary(&book), usize::from(style.width)))?;
        for piece in &book.pieces {
            line(piece, &book, out)?;
        }
        let (pauses, millis) = book.short_pauses;
        if pauses > 0 {
            let pauses = count(pauses, "pause");
            writeln!(
                out,
                "  {:19} {:>8} {:>4} %  {:24}  {pauses} of less than a minute between steps",
                "",
                clock(millis),
                share(millis, book.millis),
                ".".repeat(bar(millis, book.millis))
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What took most, first.
fn summary(book: &Ledger) -> String {
    let open = book.pieces.last().is_some_and(|piece| piece.open);
    let mut pieces: Vec<&Piece> = book.pieces.iter().filter(|piece| piece.millis > 0).collect();
    pieces.sort_by_key(|piece| (-piece.millis, piece.from.millis));
    let one = |piece: &&Piece| {
        let share = share(piece.millis, book.millis);
        // The blank before the sign must not break.
        format!("{} {} ({share}\u{a0}%)", what(piece), clock(piece.millis))
    };
    let most: Vec<String> = pieces.iter().take(NAMED).map(one).collect();
    let steps = book.pieces.iter().filter(|piece| is_step(piece));
    let in_steps: i64 = steps.map(|piece| piece.millis).sum();
    let least = if open { " at least (the last step has no end)" } else { " in all" };
    format!(
        "{}{least}, {}\u{a0}% of it in steps. Most: {}.",
        clock(book.millis),
        share(in_steps, book.millis),
        if most.is_empty() { "nothing".to_owned() } else { most.join(", ") }
    )
}

fn is_step(piece: &Piece) -> bool {
    match piece.spent {
        Spent::Step(_) => true,
        Spent::AfterInstall | Spent::Pause => false,
    }
}

fn what(piece: &Piece) -> String {
    match piece.spent {
        Spent::AfterInstall => "agent install to first step".to_owned(),
        Spent::Step(_) => format!("\"{}\"", short(&piece.name, LETTERS)),
        Spent::Pause => "a pause".to_owned(),
    }
}

fn line(piece: &Piece, book: &Ledger, out: &mut dyn Write) -> io::Result<()> {
    let (mark, name, mut notes) = match piece.spent {
        Spent::AfterInstall => (".", "agent install to first step".to_owned(), vec![]),
        Spent::Pause => (".", "pause".to_owned(), vec![]),
        Spent::Step(outcome) => {
            let name = short(&piece.name, LETTERS);
            match outcome {
                StepOutcome::Refused => ("X", name, vec!["refused".to_owned()]),
                StepOutcome::Failed => ("F", name, vec!["failed".to_owned()]),
                StepOutcome::Succeeded | StepOutcome::Unknown => ("#", name, vec![]),
            }
        }
    };
    notes.extend(piece.again.then(|| "tried again".to_owned()));
    notes.extend(piece.restart.then(|| "the agent starts in it, as after a restart".to_owned()));
    notes.extend((piece.beside_scan > 0).then(|| {
        if piece.beside_scan >= piece.millis {
            "a scan worked beside it".to_owned()
        } else {
            format!("a scan worked beside it for {}", clock(piece.beside_scan))
        }
    }));
    notes.extend(piece.open.then(|| "no end seen, counted to its last sign".to_owned()));
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join("; ")) };
    writeln!(
        out,
        "  {:19} {:>8} {:>4} %  {:24}  {name}{notes}",
        piece.from.date_and_time(),
        clock(piece.millis),
        share(piece.millis, book.millis),
        mark.repeat(bar(piece.millis, book.millis)),
    )
}

/// `1:42`, `2:05:00`.
fn clock(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Whole percent.
fn share(part: i64, whole: i64) -> i64 {
    if whole <= 0 { 0 } else { (part.saturating_mul(100) + whole / 2) / whole }
}

fn bar(part: i64, whole: i64) -> usize {
    let columns = if whole <= 0 { 0 } else { (part.saturating_mul(BAR) + whole / 2) / whole };
    usize::try_from(columns.clamp(1, BAR)).unwrap_or(1)
}
