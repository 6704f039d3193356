//! Two reports, or two periods of one share → what really changed, by template and step.
//!
//! A rate moves by chance alone. So each row has an interval of its change (Newcombe), an exact
//! test (Fisher, two-sided), and a verdict only where the test, corrected for the number of rows
//! (Holm, templates and steps each by themselves), leaves chance less than one time in twenty.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::chance::{Share, four_digits, four_places, holm};
use crate::contract::Tool;

/// How often chance alone may pass for a change.
pub const LEVEL: f64 = 0.05;

/// A template, and a step of it; `None` stands for all its steps.
pub type Name = (Option<String>, Option<String>);

/// One side of a comparison, before anything is compared.
#[derive(Debug, Clone, Default)]
pub struct Period {
    /// Where it comes from: a file, or what part of a share.
    pub source: String,
    /// Devices with a log that was read.
    pub devices: u64,
    /// What was not understood, as its report says it.
    pub caution: Option<String>,
    /// By template: its runs, those with an incident, those with the workaround.
    pub templates: BTreeMap<Name, Tally>,
    /// By template and step.
    pub steps: BTreeMap<Name, Tally>,
}

/// What was counted of a template or a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs, or runs that came to the step.
    pub runs: u64,
    /// Those with an incident.
    pub affected: u64,
    /// Runs on devices on which the workaround was in force; of a step none is counted.
    pub workaround: u64,
    /// Runs of which no log shows whether it was in force.
    pub unknown: u64,
}

/// The whole comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// `provtrace.comparison.v1`.
    pub schema: &'static str,
    /// Who made it.
    pub tool: Tool,
    /// What was before.
    pub before: Side,
    /// What came after.
    pub after: Side,
    /// All runs together; tested by itself.
    pub overall: Row,
    /// Worst news first: by verdict, chance, name.
    pub templates: Vec<Row>,
    /// In the same order.
    pub steps: Vec<Row>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// One side.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Where it comes from.
    pub source: String,
    /// Devices with a log that was read.
    pub devices: u64,
}

/// A template or a step, before and after.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `None` where nothing names it, and for all runs together.
    pub template: Option<String>,
    /// `None` for a template.
    pub step: Option<String>,
    /// What changed.
    pub verdict: Verdict,
    /// `None` where it did not occur.
    pub before: Option<Rate>,
    /// The same.
    pub after: Option<Rate>,
    /// The rate after less that before; `None` where one of them is missing.
    pub change: Option<f64>,
    /// The lower end of its 95 % interval.
    pub change_low: Option<f64>,
    /// The upper end.
    pub change_high: Option<f64>,
    /// Fisher's exact test, two-sided; `None` where no result could have shown anything.
    pub p: Option<f64>,
    /// The same, corrected for the number of rows that were tested.
    pub p_corrected: Option<f64>,
}

/// How often.
#[derive(Debug, Clone, Serialize)]
pub struct Rate {
    /// Runs, or runs that came to the step.
    pub runs: u64,
    /// Those with an incident.
    pub affected: u64,
    /// `affected / runs`.
    pub rate: f64,
    /// Lower end of the 95 % Wilson score interval.
    pub rate_low: f64,
    /// Upper end.
    pub rate_high: f64,
    /// On how many of the template's runs the workaround was in force.
    pub workaround: InForce,
}

/// On how many runs something was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InForce {
    /// It was seen on none.
    None,
    /// It was seen on none, and of most runs no log shows it.
    NotKnown,
    /// On some.
    Some,
    /// On all.
    All,
}

/// What changed, the news that matters most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Affected more often than before.
    Worse,
    /// Less often.
    Better,
    /// Chance alone may well do that.
    NoClearChange,
    /// No result with so few runs could show anything.
    TooFewRuns,
    /// There was none before.
    New,
    /// There is none after.
    Gone,
}

impl Verdict {
    /// In words, for people.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Worse => "worse",
            Verdict::Better => "better",
            Verdict::NoClearChange => "no clear change",
            Verdict::TooFewRuns => "too few runs",
            Verdict::New => "new",
            Verdict::Gone => "gone",
        }
    }
}

impl InForce {
    fn of(tally: Tally) -> InForce {
        match tally.workaround {
            // A few whose logs end early do not hide what the others show.
            0 if tally.unknown * 2 > tally.runs => InForce::NotKnown,
            0 => InForce::None,
            runs if runs >= tally.runs => InForce::All,
            _some => InForce::Some,
        }
    }
}

/// Compares two sides.
pub fn compare(before: Period, after: Period) -> Comparison {
    let total = |period: &Period| {
        let mut all = Tally::default();
        for tally in period.templates.values() {
            all.runs = all.runs.saturating_add(tally.runs);
            all.affected = all.affected.saturating_add(tally.affected);
            all.workaround = all.workaround.saturating_add(tally.workaround);
            all.unknown = all.unknown.saturating_add(tally.unknown);
        }
        (all.runs > 0).then_some(all)
    };
    let sides = [total(&before), total(&after)];
    let in_force = sides.map(|side| side.map_or(InForce::None, InForce::of));
    let mut overall = row(&(None, None), sides, in_force);
    judge(std::slice::from_mut(&mut overall));
    Comparison {
        schema: "provtrace.comparison.v1",
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        templates: rows(&before, &after, |period| &period.templates),
        steps: rows(&before, &after, |period| &period.steps),
        warnings: warnings(&before, &after),
        overall,
        before: Side { source: before.source, devices: before.devices },
        after: Side { source: after.source, devices: after.devices },
    }
}

/// The rows of one table, judged and in order.
fn rows(
    before: &Period,
    after: &Period,
    of: impl Fn(&Period) -> &BTreeMap<Name, Tally>,
) -> Vec<Row> {
    let names: BTreeSet<&Name> = of(before).keys().chain(of(after).keys()).collect();
    let mut rows: Vec<Row> = names
        .into_iter()
        .map(|name| {
            let sides = [before, after];
            let template = (name.0.clone(), None);
            let in_force = sides.map(|side| {
                side.templates.get(&template).map_or(InForce::None, |tally| InForce::of(*tally))
            });
            row(name, sides.map(|side| of(side).get(name).copied()), in_force)
        })
        .collect();
    judge(&mut rows);
    rows.sort_by(|a, b| {
        let chance = |row: &Row| row.p_corrected.or(row.p).unwrap_or(1.0);
        let hit = |row: &Row| {
            [&row.before, &row.after].into_iter().flatten().map(|side| side.affected).max()
        };
        (a.verdict.cmp(&b.verdict))
            .then(chance(a).total_cmp(&chance(b)))
            .then(hit(b).cmp(&hit(a)))
            .then_with(|| (&a.template, &a.step).cmp(&(&b.template, &b.step)))
    });
    rows
}

/// A row that nobody has judged.
fn row(name: &Name, sides: [Option<Tally>; 2], in_force: [InForce; 2]) -> Row {
    let shares = sides.map(|side| side.map(share));
    let change = match shares {
        [Some(before), Some(after)] if before.of > 0 && after.of > 0 => Some(after.above(before)),
        [Some(_) | None, Some(_) | None] => None,
    };
    let rate = |side: usize| {
        let share = shares[side].filter(|share| share.of > 0)?;
        let (low, high) = share.wilson();
        Some(Rate {
            runs: share.of,
            affected: share.hits,
            rate: four_places(share.rate()),
            rate_low: four_places(low),
            rate_high: four_places(high),
            workaround: in_force[side],
        })
    };
    Row {
        template: name.0.clone(),
        step: name.1.clone(),
        verdict: Verdict::NoClearChange,
        before: rate(0),
        after: rate(1),
        change: change.map(|(change, _, _)| four_places(change)),
        change_low: change.map(|(_, low, _)| four_places(low)),
        change_high: change.map(|(_, _, high)| four_places(high)),
        p: None,
        p_corrected: None,
    }
}

fn share(tally: Tally) -> Share {
    Share { hits: tally.affected, of: tally.runs }
}

/// Gives each row its verdict. A row of which no result could show anything, since it has too few
/// runs or too few of them are affected, is no question, and makes no other answer weaker.
fn judge(rows: &mut [Row]) {
    let of = |rate: &Rate| Share { hits: rate.affected, of: rate.runs };
    let mut asked: Vec<(usize, f64)> = Vec::new();
    for (at, row) in rows.iter_mut().enumerate() {
        row.verdict = match (row.before.as_ref().map(of), row.after.as_ref().map(of)) {
            (None, None) | (Some(_), None) => Verdict::Gone,
            (None, Some(_)) => Verdict::New,
            (Some(before), Some(after)) if before.too_few(after, LEVEL) => Verdict::TooFewRuns,
            (Some(before), Some(after)) => {
                if before.least_chance(after) < LEVEL {
                    asked.push((at, before.same_as(after)));
                }
                Verdict::NoClearChange
            }
        };
    }
    let corrected = holm(&asked.iter().map(|(_, chance)| *chance).collect::<Vec<f64>>());
    for ((at, chance), corrected) in asked.into_iter().zip(corrected) {
        let row = &mut rows[at];
        row.p = Some(four_digits(chance));
        row.p_corrected = Some(four_digits(corrected));
        if corrected < LEVEL {
            let more = row.change.is_some_and(|change| change > 0.0);
            row.verdict = if more { Verdict::Worse } else { Verdict::Better };
        }
    }
}

/// What makes two sides hard to compare.
fn warnings(before: &Period, after: &Period) -> Vec<String> {
    let mut warnings = Vec::new();
    if before.caution == after.caution {
        warnings.extend(before.caution.clone());
    } else {
        for (period, side) in [(before, "before"), (after, "after")] {
            warnings.extend(period.caution.iter().map(|caution| format!("{side}: {caution}")));
        }
    }
    let shared = before.templates.keys().any(|name| after.templates.contains_key(name));
    if !(shared || before.templates.is_empty() || after.templates.is_empty()) {
        let told = "no template occurs on both sides; analyze both with the same --tasks mapping";
        warnings.push(told.to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(templates: &[(&str, u64, u64, u64)]) -> Period {
        let row = |(name, runs, affected, workaround): &(&str, u64, u64, u64)| {
            let tally =
                Tally { runs: *runs, affected: *affected, workaround: *workaround, unknown: 0 };
            ((Some((*name).to_owned()), None), tally)
        };
        Period { templates: templates.iter().map(row).collect(), ..Period::default() }
    }

    #[test]
    fn each_verdict_has_its_case() {
        let before = period(&[
            ("a", 40, 30, 0),
            ("b", 40, 2, 0),
            ("c", 40, 8, 0),
            ("d", 2, 2, 0),
            ("e", 9, 1, 0),
        ]);
        let after = period(&[
            ("a", 40, 1, 40),
            ("b", 40, 30, 0),
            ("c", 40, 7, 4),
            ("d", 2, 0, 0),
            ("f", 9, 1, 0),
        ]);
        let found = compare(before, after);
        let told: Vec<(&str, Verdict)> = found
            .templates
            .iter()
            .map(|row| (row.template.as_deref().unwrap_or_default(), row.verdict))
            .collect();
        let wanted = [
            ("b", Verdict::Worse),
            ("a", Verdict::Better),
            ("c", Verdict::NoClearChange),
            ("d", Verdict::TooFewRuns),
            ("f", Verdict::New),
            ("e", Verdict::Gone),
        ];
        assert_eq!(told, wanted);
        let rate = |at: usize| found.templates[at].after.as_ref().map(|rate| rate.workaround);
        assert_eq!(
            [rate(0), rate(1), rate(2)],
            [InForce::None, InForce::All, InForce::Some].map(Some)
        );
        assert_eq!(found.templates[3].p, None, "two runs are no question");
        assert_eq!(found.overall.before.as_ref().map(|rate| rate.runs), Some(131));
    }

    /// What never happens on either side makes no other answer weaker.
    #[test]
    fn steps_that_are_never_refused_are_no_questions() {
        let names: Vec<String> = (0..50).map(|number| format!("quiet {number}")).collect();
        let mut rows: Vec<(&str, u64, u64, u64)> =
            names.iter().map(|name| (name.as_str(), 30, 0, 0)).collect();
        let quiet = rows.clone();
        rows.push(("loud", 30, 8, 0));
        let (before, mut after) = (period(&rows), period(&quiet));
        after.templates.extend(period(&[("loud", 30, 0, 0)]).templates);
        let alone = compare(before.clone(), after.clone());
        assert_eq!(alone.templates[0].verdict, Verdict::Better);
        assert_eq!(alone.templates[0].p, alone.templates[0].p_corrected);
        assert_eq!(compare(after, before).templates[0].verdict, Verdict::Worse);
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        let found = compare(Period::default(), Period::default());
        assert_eq!((found.templates.len(), found.overall.verdict), (0, Verdict::Gone));
    }
}
