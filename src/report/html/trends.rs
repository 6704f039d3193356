//! Trends as small pictures side by side: all with the same days and the same scale of shares, so that
//! they can be compared at a glance. Numbers of the news → places in a picture.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::clock::read_shown;
use crate::comparison::{Row, Verdict};
use crate::news::{News, Trend};
use crate::report::html::charts::tenth;
use crate::report::plain::{count, short};
use crate::report::verdict::template_name;

/// Days that are drawn, at the most; what was before is in the JSON.
const DAYS: i64 = 90;
/// Days of the axis, at the least: two nights are no two walls.
const FEWEST_DAYS: i64 = 14;
/// Runs of a night from which on its share is meant to be compared.
const ENOUGH: u64 = 5;
/// Templates that are drawn, and steps of each.
const TEMPLATES: usize = 12;
const STEPS: usize = 7;
/// Letters of a name.
const LETTERS: usize = 60;
/// A picture: shares above, numbers of runs below.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 256.0;
const TOP: f64 = 8.0;
const BASE: f64 = 68.0;
const RUNS_TOP: f64 = 71.0;
const RUNS_BASE: f64 = 91.0;
/// Milliseconds.
const DAY: i64 = 86_400_000;

/// All that is drawn of the trends.
#[derive(Debug, Serialize)]
pub struct Trends {
    /// Templates with a refusal on one of the days.
    templates: Vec<Plot>,
    /// Templates that are left out, as their rank is too low.
    more: usize,
    /// Templates without a refusal on these days.
    clean: usize,
    /// Nights that are drawn.
    nights: usize,
    first: String,
    last: String,
}

/// A template and its steps.
#[derive(Debug, Serialize)]
struct Plot {
    name: String,
    charts: Vec<Chart>,
    more: usize,
}

/// One picture.
#[derive(Debug, Serialize)]
struct Chart {
    /// The step; `None` for all of a template.
    step: Option<String>,
    class: &'static str,
    verdict: &'static str,
    affected: u64,
    runs: u64,
    percent: f64,
    /// What the picture shows, for those who hear it.
    label: String,
    /// The upper end of the shares' axis, and what stands there.
    top: f64,
    /// The same of runs.
    most: u64,
    bars: Vec<Bar>,
}

/// A night.
#[derive(Debug, Serialize)]
struct Bar {
    day: String,
    affected: u64,
    runs: u64,
    percent: f64,
    /// Too few runs to be compared.
    few: bool,
    x: f64,
    width: f64,
    share_y: f64,
    share_height: f64,
    runs_height: f64,
}

/// What all pictures have in common.
struct Axis {
    first: i64,
    last: i64,
    /// The share at the upper end.
    top: f64,
}

/// Runs and affected runs by day.
type Days = BTreeMap<i64, (u64, u64)>;

/// The pictures; `None` as long as there is only one night.
pub fn of(news: &News) -> Option<Trends> {
    let all: Vec<Days> = news.trends.iter().map(days).collect();
    let last = all.iter().flat_map(BTreeMap::keys).copied().max()?;
    let cut = last - DAYS;
    let drawn: Vec<Days> = all.into_iter().map(|mut own| own.split_off(&(cut + 1))).collect();
    let nights: BTreeSet<i64> = drawn.iter().flat_map(BTreeMap::keys).copied().collect();
    let first = nights.first().copied().filter(|_| nights.len() > 1)?;
    let axis = Axis { first: first.min(last - FEWEST_DAYS + 1), last, top: top(&drawn) };
    let trends: Vec<(&Trend, &Days)> = news.trends.iter().zip(&drawn).collect();
    let mut names: Vec<&Option<String>> = Vec::new();
    for (own, _) in trends.iter().filter(|(own, days)| own.step.is_none() && is_hit(days)) {
        names.push(&own.template);
    }
    let templates = news.trends.iter().filter(|own| own.step.is_none()).count();
    let plot = |name: &&Option<String>| {
        let own = trends.iter().filter(|(own, _)| own.template == **name);
        plot(name.as_deref(), own.copied(), news, &axis)
    };
    Some(Trends {
        templates: names.iter().take(TEMPLATES).map(plot).collect(),
        more: names.len().saturating_sub(TEMPLATES),
        clean: templates - names.len(),
        nights: nights.len(),
        first: date(axis.first),
        last: date(axis.last),
    })
}

/// The nights of a trend; what is no day is left out.
fn days(trend: &Trend) -> Days {
    let mut days = Days::new();
    for point in &trend.points {
        let Some((millis, _)) = read_shown(&format!("{}T00:00:00", point.day)) else { continue };
        let sum = days.entry(millis.div_euclid(DAY)).or_default();
        *sum = (sum.0.saturating_add(point.runs), sum.1.saturating_add(point.affected));
    }
    days
}

fn is_hit(days: &Days) -> bool {
    days.values().any(|(_, affected)| *affected > 0)
}

/// The upper end of all shares' axes: nights of a run or two would press all others flat.
fn top(all: &[Days]) -> f64 {
    let shares = |fewest: u64| {
        let nights = all.iter().flat_map(BTreeMap::values);
        let counted = nights.filter(move |(runs, _)| *runs >= fewest);
        counted.map(|(runs, affected)| share(*affected, *runs)).fold(0.0, f64::max)
    };
    let most = [shares(ENOUGH), shares(1)].into_iter().find(|share| *share > 0.0).unwrap_or(1.0);
    [0.1, 0.25, 0.5].into_iter().find(|top| most <= *top).unwrap_or(1.0)
}

fn share(affected: u64, runs: u64) -> f64 {
    if runs == 0 { 0.0 } else { (affected as f64 / runs as f64).min(1.0) }
}

/// A template's own picture, and those of its steps that were refused.
fn plot<'t>(
    name: Option<&str>,
    trends: impl Iterator<Item = (&'t Trend, &'t Days)>,
    news: &News,
    axis: &Axis,
) -> Plot {
    let (own, steps): (Vec<_>, Vec<_>) = trends.partition(|(own, _)| own.step.is_none());
    let hit: Vec<_> = steps.into_iter().filter(|(_, days)| is_hit(days)).collect();
    let more = hit.len().saturating_sub(STEPS);
    let shown = own.into_iter().take(1).chain(hit.into_iter().take(STEPS));
    Plot {
        name: short(&template_name(name), LETTERS),
        charts: shown.map(|(own, days)| chart(own, days, news, axis)).collect(),
        more,
    }
}

fn chart(own: &Trend, days: &Days, news: &News, axis: &Axis) -> Chart {
    let most = days.values().map(|(runs, _)| *runs).max().unwrap_or(0).max(1);
    let sum = |each: fn(&(u64, u64)) -> u64| {
        days.values().map(each).fold(0, |sum: u64, own| sum.saturating_add(own))
    };
    let (runs, affected) = (sum(|own| own.0), sum(|own| own.1));
    let bars: Vec<Bar> = days.iter().map(|(day, own)| bar(*day, *own, most, axis)).collect();
    let newest = bars
        .last()
        .map(|bar| format!("; on {} {} of {}", bar.day, bar.affected, count(bar.runs, "run")));
    let nights = count(bars.len() as u64, "night");
    let verdict = verdict(own, news);
    Chart {
        step: own.step.as_deref().map(|step| short(step, LETTERS)),
        class: verdict.map_or("quiet", |(class, _)| class),
        verdict: verdict.map_or("", |(_, word)| word),
        affected,
        runs,
        percent: percent(affected, runs),
        label: format!(
            "{affected} of {} affected on {nights}{}",
            count(runs, "run"),
            newest.unwrap_or_default()
        ),
        top: (axis.top * 100.0).round(),
        most,
        bars,
    }
}

/// Whether the news say that it changed: a class of the style, and a word.
fn verdict(own: &Trend, news: &News) -> Option<(&'static str, &'static str)> {
    let same = |row: &&Row| row.template == own.template && row.step == own.step;
    let row = news.worse.iter().chain(&news.fixed).find(same)?;
    let word = crate::news::verdict(row);
    match row.verdict {
        Verdict::Worse => Some(("worse", word)),
        Verdict::Better => Some(("better", word)),
        Verdict::NoClearChange | Verdict::TooFewRuns | Verdict::New | Verdict::Gone => None,
    }
}

fn bar(day: i64, (runs, affected): (u64, u64), most: u64, axis: &Axis) -> Bar {
    let step = (RIGHT - LEFT) / (axis.last - axis.first + 1) as f64;
    let share = share(affected, runs);
    let height = (BASE - TOP) * (share / axis.top).min(1.0);
    Bar {
        day: date(day),
        affected,
        runs,
        percent: percent(affected, runs),
        few: runs < ENOUGH,
        x: tenth(LEFT + step * (day - axis.first) as f64 + step * 0.1),
        width: tenth((step * 0.8).max(0.8)),
        share_y: tenth(BASE - height),
        share_height: tenth(height),
        runs_height: tenth((RUNS_BASE - RUNS_TOP) * (runs as f64 / most as f64)),
    }
}

/// To a tenth.
fn percent(affected: u64, runs: u64) -> f64 {
    tenth(share(affected, runs) * 100.0)
}

/// `2026-11-25`
fn date(day: i64) -> String {
    let shown = crate::clock::logged(provtrace_parsers::stamp::Stamp(day.saturating_mul(DAY)));
    shown.split_once('T').map_or_else(String::new, |(date, _)| date.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::Point;
    use crate::report::specimen;

    fn points(all: &[(&str, u64, u64)]) -> Vec<Point> {
        let point = |(day, runs, affected): &(&str, u64, u64)| Point {
            day: (*day).to_owned(),
            runs: *runs,
            affected: *affected,
        };
        all.iter().map(point).collect()
    }

    #[test]
    fn days_and_scale_are_the_same_for_all() {
        let mut news = specimen::usual();
        news.trends[0].points = points(&[
            ("2026-01-01", 9, 9),
            ("2026-11-01", 40, 4),
            ("2026-11-01", 10, 1),
            ("2026-11-24", 2, 2),
        ]);
        news.trends[1].points = points(&[("2026-11-25", 10, 2), ("soon", 7, 7)]);
        news.trends.truncate(2);
        let trends = of(&news).expect("two nights");
        assert_eq!((trends.first.as_str(), trends.last.as_str()), ("2026-11-01", "2026-11-25"));
        assert_eq!(trends.nights, 3, "the first of January is too long ago");
        let charts = &trends.templates[0].charts;
        assert!(charts.iter().all(|chart| chart.top == 25.0), "2 of 2 runs do not count");
        let told: Vec<(&str, u64, u64, f64, bool)> = charts[0]
            .bars
            .iter()
            .map(|bar| (bar.day.as_str(), bar.runs, bar.affected, bar.share_height, bar.few))
            .collect();
        // 10 of 25 % of 60; what is higher than the picture is cut.
        let wanted = [("2026-11-01", 50, 5, 24.0, false), ("2026-11-24", 2, 2, 60.0, true)];
        assert_eq!(told, wanted);
        assert_eq!(charts[0].bars[0].x, tenth(LEFT + (RIGHT - LEFT) / 250.0));
        assert_eq!((charts[0].verdict, charts[1].verdict), ("worse", "worse"));
    }

    #[test]
    fn one_night_is_no_trend() {
        assert!(of(&specimen::first()).is_none());
        assert!(of(&specimen::quiet()).is_none());
    }

    #[test]
    fn what_was_never_refused_is_counted_only() {
        let trends = of(&specimen::usual()).expect("nights");
        let names: Vec<&str> = trends.templates.iter().map(|own| own.name.as_str()).collect();
        assert_eq!((names, trends.clean), (vec!["Windows 11 23H2", "Lab PCs"], 1));
        let flood = of(&specimen::flood()).expect("nights");
        assert_eq!((flood.templates.len(), flood.more), (TEMPLATES, 28));
        assert!(flood.templates.iter().all(|own| own.charts.len() <= STEPS + 1));
    }
}
