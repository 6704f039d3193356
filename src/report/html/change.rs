//! A comparison as the values of its page.

use serde::Serialize;

use crate::comparison::{Comparison, Rate, Row, Side, Verdict};
use crate::report::difference::{HOW, answer, change, ever, p_value, rate, workaround};
use crate::report::plain::{count, harmless};
use crate::report::verdict::template_name;

/// All that `comparison.html` shows.
#[derive(Debug, Serialize)]
pub struct Page {
    answer: String,
    before: String,
    after: String,
    warnings: Vec<String>,
    templates: Vec<Line>,
    steps: Vec<Line>,
    how: &'static str,
    style: String,
    nonce: String,
    version: &'static str,
}

/// A template or a step.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    /// The template of a step.
    of: Option<String>,
    verdict: &'static str,
    class: &'static str,
    before: String,
    after: String,
    change: String,
    p: String,
    workaround: String,
    bars: Vec<Bar>,
}

/// A rate, drawn: in percent.
#[derive(Debug, Serialize)]
struct Bar {
    class: &'static str,
    y: u8,
    rate: f64,
    low: f64,
    high: f64,
}

/// The page's values.
pub fn of(comparison: &Comparison, style: String, nonce: String) -> Page {
    let side =
        |side: &Side| format!("{}, {}", harmless(&side.source), count(side.devices, "device"));
    let steps = comparison.steps.iter().filter(|row| ever(row));
    Page {
        answer: answer(comparison),
        before: side(&comparison.before),
        after: side(&comparison.after),
        warnings: comparison.warnings.iter().map(|text| harmless(text).into_owned()).collect(),
        templates: comparison.templates.iter().map(line).collect(),
        steps: steps.map(line).collect(),
        how: HOW,
        style,
        nonce,
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn line(row: &Row) -> Line {
    let template = template_name(row.template.as_deref()).to_string();
    let (name, of) = match &row.step {
        Some(step) => (harmless(step).into_owned(), Some(template)),
        None => (template, None),
    };
    let bar = |rate: &Rate, class, y| Bar {
        class,
        y,
        rate: percent(rate.rate),
        low: percent(rate.rate_low),
        high: percent(rate.rate_high),
    };
    let bars = [
        row.before.as_ref().map(|rate| bar(rate, "earlier", 2)),
        row.after.as_ref().map(|rate| bar(rate, "share", 14)),
    ];
    Line {
        name,
        of,
        verdict: row.verdict.word(),
        class: match row.verdict {
            Verdict::Worse => "worse",
            Verdict::Better => "better",
            Verdict::NoClearChange | Verdict::TooFewRuns | Verdict::New | Verdict::Gone => "quiet",
        },
        before: rate(row.before.as_ref()),
        after: rate(row.after.as_ref()),
        change: change(row),
        p: row.p_corrected.map(p_value).unwrap_or_default(),
        workaround: workaround(row),
        bars: bars.into_iter().flatten().collect(),
    }
}

/// A share in percent, to a tenth.
fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}
