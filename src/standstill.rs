//! What programs write that wait for another one, or are refused beside it.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape::variable;
use provtrace_parsers::stamp::Stamp;

use crate::chance::{BY_CHANCE, Counts, FEWEST_DEVICES, times};
use crate::forms::{Formed, Life};
use crate::proposal::RuleProposal;
use crate::roles::Maker;
use crate::trail::{Span, Trail};

/// So much shows more than not.
const HALF: f64 = 0.5;
/// Of a refusal's lines, so many stand in refused runs.
const ONLY: f64 = 0.95;
/// Lines of a program that waits lie so far apart, in milliseconds.
const PAUSE: i64 = 10_000;
/// Who waited goes on so long after the other's end at the latest, in milliseconds.
const AFTER: i64 = 30_000;
/// The other's last line may lie so much behind that, in milliseconds.
const BEFORE: i64 = 5_000;

/// What a stage found; if nothing, why.
pub struct Found {
    /// Its rules.
    pub rules: Vec<RuleProposal>,
    /// What was looked at.
    pub looked_at: String,
}

/// When refused deployments wrote something, by device and task.
pub type Refused = BTreeMap<(usize, String), Vec<Stamp>>;

/// Lines of a scan that waits: a deployment lives when they are first written, then comes a pause,
/// and what is behind it begins as a deployment ends. Also those that stand behind these only.
/// Lives that say so in known words are left out.
pub fn waits(maker: &Maker<'_, '_>, trails: &[Trail]) -> Found {
    let lives = maker.forms.lives();
    let all = lives.len();
    let lives: Vec<Life<'_, '_>> =
        lives.into_iter().filter(|life| !life.says(Meaning::Waits)).collect();
    let spans = |life: &Life<'_, '_>| trails.get(life.log.log.device).map(|trail| &trail.spans);
    let beside = first_lines(maker, &lives, &|life, line, _| {
        let is_alive = |span: &&Span| span.from <= line.at && line.at < span.to;
        let mut alive = spans(life)?.iter().filter(is_alive).peekable();
        // A patch step's scan may be this one: it writes to the same log.
        let only_scans = alive.peek().is_some();
        if alive.any(|span| !span.scans) { Some(true) } else { (!only_scans).then_some(false) }
    });
    let mut found: BTreeMap<usize, String> = BTreeMap::new();
    let likely: BTreeSet<usize> =
        (0..beside.len()).filter(|shape| beside[*shape].show(beside.len()).is_some()).collect();
    for shape in &likely {
        let row = &beside[*shape];
        let ended = ended(&lives, *shape, &likely, &spans);
        if (ended as f64) < HALF * row.counts.own_with as f64 {
            continue;
        }
        let told = format!(
            "A deployment lives as it is first written in {} of {} lives (of all first lines: {} of {}; by chance once in {}), a pause follows in {}, and in {ended} it ends as a deployment does; on {} devices.",
            row.counts.own_with,
            row.counts.own,
            row.counts.with,
            row.counts.all,
            times(row.counts.by_chance(beside.len())),
            row.pauses,
            row.devices.len()
        );
        found.insert(*shape, told);
    }
    let behind = behind(maker, &lives, &found);
    found.extend(behind);
    let rules = found.into_iter();
    let rules = rules.filter_map(|(shape, told)| maker.rule(shape, Meaning::Waits, &[], told));
    let looked_at = format!(
        "{} of {all} lives say so in known words; in the others no line comes with a deployment and a pause that ends as it does",
        all - lives.len()
    );
    Found { rules: rules.collect(), looked_at }
}

/// Lines that stand behind those of waiting only.
fn behind(
    maker: &Maker<'_, '_>,
    lives: &[Life<'_, '_>],
    found: &BTreeMap<usize, String>,
) -> BTreeMap<usize, String> {
    let is_found = |line: &Formed<'_>| line.shape.is_some_and(|own| found.contains_key(&own));
    let rows = first_lines(maker, lives, &|life, line, place| {
        (!is_found(line)).then(|| life.lines[..place].iter().any(is_found))
    });
    let mut more = BTreeMap::new();
    for (shape, row) in rows.iter().enumerate() {
        if let Some(chance) = row.show(rows.len()).filter(|_| row.counts.rate() >= ONLY) {
            let told = format!(
                "It stands behind a line of waiting in {} of {} lives (by chance once in {}), and a pause follows in {}; on {} devices.",
                row.counts.own_with,
                row.counts.own,
                times(chance),
                row.pauses,
                row.devices.len()
            );
            more.insert(shape, told);
        }
    }
    more
}

/// In how many lives the first line of a shape begins a stretch of such lines whose end is that of
/// a deployment.
fn ended<'t>(
    lives: &[Life<'_, '_>],
    shape: usize,
    likely: &BTreeSet<usize>,
    spans: &dyn Fn(&Life<'_, '_>) -> Option<&'t Vec<Span>>,
) -> usize {
    let ends = |life: &&Life<'_, '_>| {
        let place = life.lines.iter().position(|line| line.shape == Some(shape))?;
        let at = life.lines[place].at;
        let mut rest = life.log.lines[life.first + place..].iter();
        let after = rest.find(|line| !line.shape.is_some_and(|own| likely.contains(&own)))?.at;
        let ends_it = |span: &Span| {
            let late = after.0 - span.to.0;
            !span.scans && at < span.to && (-BEFORE..=AFTER).contains(&late)
        };
        spans(life)?.iter().any(ends_it).then_some(())
    };
    lives.iter().filter(|life| ends(life).is_some()).count()
}

/// For each shape, its first lines in lives: how many `is` holds for. Known lines count among all
/// lines, and are no questions.
fn first_lines<'s>(
    maker: &Maker<'_, 's>,
    lives: &[Life<'_, 's>],
    is: &dyn Fn(&Life<'_, 's>, &Formed<'s>, usize) -> Option<bool>,
) -> Vec<FirstLines> {
    let mut rows = vec![FirstLines::default(); maker.seen.len()];
    let (mut all, mut with) = (0, 0);
    for life in lives {
        let mut seen = BTreeSet::new();
        for (place, line) in life.lines.iter().enumerate() {
            if !seen.insert((line.shape, line.line.rule)) {
                continue;
            }
            let Some(holds) = is(life, line, place) else { continue };
            all += 1;
            with += u64::from(holds);
            let Some(shape) = line.shape else { continue };
            let row = &mut rows[shape];
            row.counts.own += 1;
            row.counts.own_with += u64::from(holds);
            row.devices.extend(holds.then_some(life.log.log.device));
            let next = life.log.lines.get(life.first + place + 1);
            row.pauses += u64::from(next.is_some_and(|next| next.at.0 - line.at.0 >= PAUSE));
        }
    }
    for row in &mut rows {
        (row.counts.all, row.counts.with) = (all, with);
    }
    rows
}

/// The first lines of a shape in lives.
#[derive(Debug, Clone, Default)]
struct FirstLines {
    counts: Counts,
    /// Pauses behind them.
    pauses: u64,
    /// Devices where it holds.
    devices: BTreeSet<usize>,
}

impl FirstLines {
    /// How often chance alone would show as much, if that is seldom.
    fn show(&self, questions: usize) -> Option<f64> {
        let chance = self.counts.by_chance(questions);
        let fits = self.devices.len() >= FEWEST_DEVICES
            && self.counts.rate() >= HALF
            && self.pauses as f64 >= HALF * self.counts.own as f64
            && chance <= BY_CHANCE;
        fits.then_some(chance)
    }
}

/// Lines that stand in refused runs and nowhere else; runs that say so in known words are left out.
pub fn refusals(maker: &Maker<'_, '_>, refused: &Refused) -> Found {
    let mut counts = vec![Counts::default(); maker.seen.len()];
    let mut devices = vec![BTreeSet::new(); maker.seen.len()];
    let (mut all, mut with, mut said) = (0, 0, 0);
    for life in maker.forms.lives() {
        if life.says(Meaning::Refused) {
            said += 1;
            continue;
        }
        let log = life.log.log;
        let task = log.task.clone().unwrap_or_default();
        let (from, to) = life.span();
        let moments = refused.get(&(log.device, task));
        let is_inside = |moment: &Stamp| (from..=to).contains(moment);
        let is_refused = moments.is_some_and(|moments| moments.iter().any(is_inside));
        all += 1;
        with += u64::from(is_refused);
        let shapes: BTreeSet<usize> = life.lines.iter().filter_map(|line| line.shape).collect();
        for shape in shapes {
            counts[shape].own += 1;
            counts[shape].own_with += u64::from(is_refused);
            devices[shape].extend(is_refused.then_some(log.device));
        }
    }
    let questions = maker.seen.len();
    let mut rules = Vec::new();
    for (shape, own) in counts.iter().enumerate() {
        let counts = Counts { all, with, ..*own };
        let chance = counts.by_chance(questions);
        let seen_on = devices[shape].len();
        if counts.rate() < ONLY || seen_on < FEWEST_DEVICES || chance > BY_CHANCE {
            continue;
        }
        let holder = maker.variables(shape).iter().position(|kind| *kind == variable::PROGRAM);
        let captures: Vec<_> = holder.map(|at| (at, "holder")).into_iter().collect();
        let told = format!(
            "It stands in {} of the {with} refused runs and in {} of the {} others (by chance once in {}); on {seen_on} devices.",
            counts.own_with,
            counts.own - counts.own_with,
            all - with,
            times(chance),
        );
        rules.extend(maker.rule(shape, Meaning::Refused, &captures, told));
    }
    let looked_at = format!(
        "{said} runs say so in known words, {with} others were refused by their code; no line stands in these only"
    );
    Found { rules, looked_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::Forms;
    use crate::sample::of_texts;

    /// Scans of six devices: every other one writes a line, is silent for as long as it takes, and
    /// goes on; each begins at an hour of its own.
    fn learned(spans: impl Fn(Stamp, bool) -> Vec<Span>) -> Vec<String> {
        let mut text = String::new();
        let mut all = Vec::new();
        for hour in 0..20i64 {
            let pauses = hour % 2 == 0;
            let line = |seconds: i64, says: &str| {
                let (minute, second) = (seconds / 60, seconds % 60);
                format!("Mon, 24 Mar 2025 {hour:02}:{minute:02}:{second:02} {says}\n")
            };
            text.push_str(&line(0, "Sprocket starts"));
            text.push_str(&if pauses { line(1, "Sprocket sits") } else { String::new() });
            let to = if pauses { 100 } else { 2 };
            for at in 0..5 {
                text.push_str(&line(to + at, "Sprocket turns"));
            }
            // 24 March 2025, midnight.
            all.extend(spans(Stamp(1_742_774_400_000 + hour * 3_600_000), pauses));
        }
        let logs = of_texts("vulscan.log", &vec![text; 6]);
        let forms = Forms::new(&logs.iter().collect::<Vec<_>>());
        let trail = || Trail { spans: all.clone(), ..Trail::default() };
        let trails: Vec<Trail> = (0..6).map(|_| trail()).collect();
        let found = waits(&Maker::new("vulscan", &forms), &trails);
        found.rules.into_iter().map(|rule| rule.specimen).collect()
    }

    fn span(start: Stamp, from: i64, to: i64, scans: bool) -> Span {
        Span { from: Stamp(start.0 + from * 1000), to: Stamp(start.0 + to * 1000), scans }
    }

    #[test]
    fn a_pause_that_ends_with_a_deployment_is_a_wait() {
        let beside =
            |start, pauses| if pauses { vec![span(start, -60, 97, false)] } else { vec![] };
        assert_eq!(learned(beside), ["Sprocket sits"]);
    }

    #[test]
    fn a_pause_that_ends_alone_is_none() {
        let beside =
            |start, pauses| if pauses { vec![span(start, -60, 900, false)] } else { vec![] };
        assert_eq!(learned(beside), [""; 0]);
    }

    #[test]
    fn a_patch_step_does_not_wait_for_itself() {
        let own = |start, pauses| if pauses { vec![span(start, 0, 104, true)] } else { vec![] };
        assert_eq!(learned(own), [""; 0]);
    }
}
