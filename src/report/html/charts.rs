//! Charts: numbers of the report → places in a picture.

use serde::Serialize;

use crate::chronicle::{Chronicle, Occasion};
use crate::contract::Report;
use crate::report::plain::short;

/// Minutes of a bar, and of a column.
const BIN: f64 = 5.0;
/// Bars: two hours; what comes later is one more.
const BINS: usize = 24;
/// Columns of the heat map: an hour; what comes later is one more.
const COLUMNS: usize = 12;
/// Steps in the heat map.
const STEPS: usize = 15;
/// Letters of a name.
const LETTERS: usize = 60;
/// The histogram's picture.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 34.0;

/// How many incidents came how many minutes after the agent install.
#[derive(Serialize)]
pub struct Histogram {
    bars: Vec<Bar>,
    ticks: Vec<Tick>,
    /// Right end of the random delay's window, and its minutes.
    window: f64,
    delay: i64,
    inside: u64,
    known: u64,
    unknown: u64,
}

#[derive(Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// `20 to 25`.
    minutes: String,
    /// Where it begins, for the axis.
    label: String,
    incidents: u64,
}

#[derive(Serialize)]
struct Tick {
    y: f64,
    label: u64,
}

/// The histogram; `None` where no install is seen before any incident.
pub fn histogram(report: &Report, chronicles: &[Chronicle]) -> Option<Histogram> {
    let minutes = report.incidents.iter().filter_map(|own| own.minutes_after_agent_install);
    let minutes: Vec<f64> = minutes.collect();
    let last = minutes.iter().map(|minutes| bin(*minutes, BINS)).max()?;
    let bins = (last + 1).max(COLUMNS);
    let mut counts = vec![0_u64; bins];
    for minutes in &minutes {
        counts[bin(*minutes, BINS)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let top = [1, 2, 4, 5, 10].iter().map(|step| step * magnitude(most)).find(|top| *top >= most);
    let top = top.unwrap_or(most);
    let step = (WIDTH - LEFT) / bins as f64;
    let bar = |(at, incidents): (usize, &u64)| {
        let height = HEIGHT * *incidents as f64 / top as f64;
        Bar {
            x: tenth(LEFT + step * at as f64 + 1.0),
            y: tenth(HEIGHT - height),
            width: tenth(step - 2.0),
            height: tenth(height),
            minutes: span(at, BINS),
            label: if at % 2 == 0 { format!("{}", at as f64 * BIN) } else { String::new() },
            incidents: *incidents,
        }
    };
    let delay = delay(chronicles);
    let scale = bins as f64 * BIN;
    let known = minutes.len() as u64;
    let mut ticks = vec![0, top / 2, top];
    ticks.dedup();
    let tick = |label: u64| Tick { y: tenth(HEIGHT * (1.0 - label as f64 / top as f64)), label };
    Some(Histogram {
        bars: counts.iter().enumerate().map(bar).collect(),
        ticks: ticks.into_iter().map(tick).collect(),
        window: tenth(LEFT + (WIDTH - LEFT) * (delay as f64 / scale).min(1.0)),
        delay,
        inside: minutes.iter().filter(|minutes| **minutes <= delay as f64).count() as u64,
        known,
        unknown: report.incidents.len() as u64 - known,
    })
}

/// The random delay that most agents were armed with.
fn delay(chronicles: &[Chronicle]) -> i64 {
    let marks = chronicles.iter().flat_map(|own| &own.landmarks);
    let installs = marks.filter(|mark| mark.what == Occasion::AgentInstalled);
    let mut delays: Vec<i64> = installs.filter_map(|mark| mark.minutes).collect();
    delays.sort_unstable();
    delays.get(delays.len() / 2).copied().filter(|delay| *delay > 0).unwrap_or(60)
}

/// The power of ten below a number.
fn magnitude(most: u64) -> u64 {
    10_u64.pow(most.checked_ilog10().unwrap_or(0))
}

fn bin(minutes: f64, bins: usize) -> usize {
    ((minutes.max(0.0) / BIN) as usize).min(bins)
}

fn span(at: usize, bins: usize) -> String {
    let from = at as f64 * BIN;
    if at >= bins { format!("{from} and later") } else { format!("{from} to {}", from + BIN) }
}

pub fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Which step was refused how many minutes after the agent install.
#[derive(Serialize)]
pub struct Heat {
    columns: Vec<String>,
    rows: Vec<HeatRow>,
    more: usize,
}

#[derive(Serialize)]
struct HeatRow {
    step: String,
    template: String,
    ordinal: u32,
    cells: Vec<HeatCell>,
}

#[derive(Serialize)]
struct HeatCell {
    incidents: u64,
    /// 0 for none, to 5 for the most.
    level: u64,
}

/// The steps with most incidents, in the order of their template; `None` where no install is
/// seen.
pub fn heat(report: &Report, name: impl Fn(Option<&str>) -> String) -> Option<Heat> {
    let known = |own: &&crate::contract::Incident| own.minutes_after_agent_install.is_some();
    report.incidents.iter().find(known)?;
    let mut steps: Vec<_> = report.steps.iter().filter(|step| step.incidents > 0).collect();
    steps.sort_by_key(|step| (std::cmp::Reverse(step.incidents), step.rank));
    let more = steps.len().saturating_sub(STEPS);
    steps.truncate(STEPS);
    steps.sort_by_key(|step| (&step.template, step.ordinal, &step.step));
    let counted = |step: &crate::contract::StepRow| {
        let mut counts = vec![0_u64; COLUMNS + 1];
        for own in report.incidents.iter().filter(known) {
            let same = own.step == step.step && own.template == step.template;
            if let (true, Some(minutes)) = (same, own.minutes_after_agent_install) {
                counts[bin(minutes, COLUMNS)] += 1;
            }
        }
        counts
    };
    let counts: Vec<Vec<u64>> = steps.iter().map(|step| counted(step)).collect();
    let most = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    let cell = |incidents: u64| HeatCell { incidents, level: (incidents * 5).div_ceil(most) };
    let rows = steps.iter().zip(counts).map(|(step, counts)| HeatRow {
        step: short(&step.step, LETTERS),
        template: name(step.template.as_deref()),
        ordinal: step.ordinal,
        cells: counts.into_iter().map(cell).collect(),
    });
    let column = |at: usize| {
        let from = at as f64 * BIN;
        if at == COLUMNS { format!("{from}+") } else { format!("{from}") }
    };
    Some(Heat { columns: (0..=COLUMNS).map(column).collect(), rows: rows.collect(), more })
}

/// How many runs ended in a way.
#[derive(Serialize)]
pub struct State {
    word: &'static str,
    meaning: &'static str,
    runs: u64,
    /// Percent of the bar.
    x: f64,
    width: f64,
}

/// How the runs ended.
pub fn states(report: &Report) -> Vec<State> {
    let counts = &report.runs_by_state;
    let all = [
        ("finished", "the last thing that they did ended well", counts.finished),
        ("failed", "their last step failed or was refused", counts.failed),
        ("cut", "cut off in a step", counts.cut),
        ("hung", "their last step never ended", counts.hung),
        ("open", "the logs don't tell", counts.open),
    ];
    let total = all.iter().map(|(_, _, runs)| runs).sum::<u64>().max(1) as f64;
    let mut before = 0;
    let state = |(word, meaning, runs): (&'static str, &'static str, u64)| {
        let x = tenth(before as f64 * 100.0 / total);
        before += runs;
        State { word, meaning, runs, x, width: tenth(runs as f64 * 100.0 / total) }
    };
    all.into_iter().map(state).collect()
}
