//! A comparison for people: the answer in a sentence, then what changed, template by template.

use std::io::{self, Write};

use comfy_table::{Cell, Color};
use textwrap::fill;

use crate::comparison::{Comparison, InForce, Rate, Row, Verdict};
use crate::report::plain::{count, harmless, short};
use crate::report::reading::list;
use crate::report::table::{Style, bold, number, table};
use crate::report::verdict::template_name;

/// Rows of a table that are shown; all are in the JSON.
const ROWS: usize = 25;
/// Letters of a name that are shown.
const LETTERS: usize = 40;

/// How the figures are made.
pub(super) const HOW: &str = "The change is in percentage points, after less before, with its 95 % interval \
    (Newcombe). A verdict needs p below 0.05: Fisher's exact test, two-sided, corrected for the number of rows \
    that were tested (Holm).";

/// Writes the comparison.
///
/// # Errors
/// Of the writer.
pub fn write(comparison: &Comparison, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(style.width);
    writeln!(out, "{}\n", bold(&fill(&answer(comparison), width), style))?;
    for (side, name) in [(&comparison.before, "Before"), (&comparison.after, "After")] {
        writeln!(out, "{name}: {}, {}.", harmless(&side.source), count(side.devices, "device"))?;
    }
    writeln!(out)?;
    if !comparison.templates.is_empty() {
        writeln!(out, "{}", bold("Templates", style))?;
        writeln!(out, "{}\n", rows(comparison.templates.iter(), false, style))?;
    }
    if comparison.steps.iter().any(ever) {
        writeln!(out, "{}", bold("Steps that were refused before or after", style))?;
        writeln!(out, "{}\n", rows(comparison.steps.iter().filter(|row| ever(row)), true, style))?;
    }
    list(out, style, "Warnings", &comparison.warnings)?;
    writeln!(out, "{}", fill(HOW, width))
}

/// Whether a row has an incident on either side.
pub(super) fn ever(row: &Row) -> bool {
    [&row.before, &row.after].into_iter().flatten().any(|own| own.affected > 0)
}

/// Whether it got better, in a sentence.
pub fn answer(comparison: &Comparison) -> String {
    let overall = &comparison.overall;
    let (before, after) = match (&overall.before, &overall.after) {
        (Some(before), Some(after)) => (before, after),
        (None, None) => {
            return "Nothing to compare: neither side has a provisioning run.".to_owned();
        }
        (Some(_), None) => return "Nothing to compare: no provisioning run came after.".to_owned(),
        (None, Some(_)) => return "Nothing to compare: no provisioning run was before.".to_owned(),
    };
    let head = match overall.verdict {
        Verdict::Worse => "It got worse",
        Verdict::Better => "It got better",
        Verdict::NoClearChange | Verdict::New | Verdict::Gone => "No clear change",
        Verdict::TooFewRuns => "Too few runs to tell",
    };
    let points = |value: Option<f64>| format!("{:+.0}", value.unwrap_or(0.0) * 100.0);
    let chance = overall.p.map(|p| format!(", {}", told(p))).unwrap_or_default();
    let of = |rate: &Rate| format!("{} of {}", rate.affected, count(rate.runs, "run"));
    let templates = |verdict: Verdict| {
        comparison.templates.iter().filter(|row| row.verdict == verdict).count() as u64
    };
    format!(
        "{head}: a step was refused in {} before and in {} after, {} percentage points (95 % interval {} … \
         {}{chance}); of {}, {} better and {} worse.",
        of(before),
        of(after),
        points(overall.change),
        points(overall.change_low),
        points(overall.change_high),
        count(comparison.templates.len() as u64, "template"),
        clearly(templates(Verdict::Better)),
        clearly(templates(Verdict::Worse)),
    )
}

fn clearly(templates: u64) -> String {
    match templates {
        0 => "none is clearly".to_owned(),
        1 => "1 is clearly".to_owned(),
        more => format!("{more} are clearly"),
    }
}

/// A probability in a sentence.
fn told(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}

/// A probability in a cell.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn rows<'r>(all: impl Iterator<Item = &'r Row>, steps: bool, style: Style) -> String {
    let mut header = vec!["template", "before", "after", "change, interval", "p", "verdict"];
    // Of a step it is its template's.
    if steps {
        header.insert(0, "step");
    } else {
        header.push("workaround");
    }
    let mut table = table(style, &header);
    let mut left = 0;
    for (at, row) in all.enumerate() {
        if at >= ROWS {
            left += 1;
            continue;
        }
        let mut cells = Vec::new();
        if steps {
            cells.push(Cell::new(short(row.step.as_deref().unwrap_or_default(), LETTERS)));
        }
        cells.push(Cell::new(short(&template_name(row.template.as_deref()), LETTERS)));
        cells.extend([
            number(rate(row.before.as_ref())),
            number(rate(row.after.as_ref())),
            number(change(row)),
            number(row.p_corrected.map(p_value).unwrap_or_default()),
            verdict(row.verdict, style),
        ]);
        if !steps {
            cells.push(Cell::new(workaround(row)));
        }
        table.add_row(cells);
    }
    if left > 0 {
        table.add_row(vec![Cell::new(format!("… and {left} more: --format json"))]);
    }
    table.trim_fmt()
}

/// `-43 (-60 … -21)`
pub(super) fn change(row: &Row) -> String {
    let (Some(change), Some(low), Some(high)) = (row.change, row.change_low, row.change_high)
    else {
        return String::new();
    };
    let points = |value: f64| format!("{:+.0}", value * 100.0);
    format!("{} ({} … {})", points(change), points(low), points(high))
}

pub(super) fn rate(rate: Option<&Rate>) -> String {
    let shown = rate.map(|own| format!("{} of {}", own.affected, own.runs));
    shown.unwrap_or_else(|| "none".to_owned())
}

fn verdict(verdict: Verdict, style: Style) -> Cell {
    let cell = Cell::new(verdict.word());
    match verdict {
        _ if !style.colour => cell,
        Verdict::Worse => cell.fg(Color::Red),
        Verdict::Better => cell.fg(Color::Green),
        Verdict::NoClearChange | Verdict::TooFewRuns | Verdict::New | Verdict::Gone => cell,
    }
}

/// Whether the workaround was in force, before and after.
pub(super) fn workaround(row: &Row) -> String {
    let word = |rate: &Option<Rate>| match rate.as_ref().map(|own| own.workaround) {
        None => "–",
        Some(InForce::None) => "no",
        Some(InForce::NotKnown) => "not known",
        Some(InForce::Some) => "some",
        Some(InForce::All) => "yes",
    };
    let (before, after) = (word(&row.before), word(&row.after));
    if before == after { before.to_owned() } else { format!("{before} → {after}") }
}
