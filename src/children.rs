//! The lines by which the provisioning agent tells that a child was started and how it ended, found
//! by their turns: a program's path, then one number, and so on.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape::{self, variable};

use crate::chance::FEWEST_DEVICES;
use crate::forms::{Formed, Forms};
use crate::proposal::RuleProposal;
use crate::sample::SampleLine;

/// Fewer pairs show nothing.
const FEWEST_PAIRS: u64 = 20;
/// So much of the turns must be right.
const RIGHT: f64 = 0.8;

/// A line that tells of a program's start: the parts of its message.
struct Launch<'m> {
    before: &'m str,
    behind: &'m str,
}

impl<'m> Launch<'m> {
    fn of(message: &'m str) -> Option<Launch<'m>> {
        let variables = shape::variables(message);
        let (_, place) = variables.into_iter().find(|(kind, place)| {
            let text = message.get(place.clone()).unwrap_or_default();
            matches!(*kind, variable::PATH | variable::PROGRAM)
                && text.to_ascii_lowercase().ends_with(".exe")
        })?;
        Some(Launch { before: message.get(..place.start)?, behind: message.get(place.end..)? })
    }
}

/// How often turns were taken.
#[derive(Debug, Clone, Copy, Default)]
struct Turns {
    pairs: u64,
    /// An end without a beginning, a beginning without an end.
    odd: u64,
}

impl Turns {
    fn share(self) -> f64 {
        if self.pairs == 0 { 0.0 } else { self.pairs as f64 / (self.pairs + self.odd) as f64 }
    }
}

/// Proposes both rules, or none.
pub fn rules(format: &str, forms: &Forms<'_>) -> Vec<RuleProposal> {
    let mut families: BTreeMap<String, u64> = BTreeMap::new();
    let mut masked = String::new();
    for line in forms.logs.iter().flat_map(|log| &log.lines) {
        if let Some(family) = family(line, &mut masked) {
            *families.entry(family).or_default() += 1;
        }
    }
    families.retain(|_, lines| *lines >= FEWEST_PAIRS);
    let ends = ends(forms);
    let mut best: Option<(Turns, &String, usize)> = None;
    for family in families.keys() {
        for end in &ends {
            let turns = turns(forms, family, *end);
            let better = best.as_ref().is_none_or(|(best, ..)| turns.pairs > best.pairs);
            if turns.pairs >= FEWEST_PAIRS && turns.share() >= RIGHT && better {
                best = Some((turns, family, *end));
            }
        }
    }
    let Some((turns, family, end)) = best else { return Vec::new() };
    proposals(format, forms, family, end, turns).unwrap_or_default()
}

/// What stands before the program in a line that tells of its start.
fn family(line: &Formed<'_>, masked: &mut String) -> Option<String> {
    line.shape?;
    let launch = Launch::of(line.line.message())?;
    shape::mask(launch.before, masked);
    Some(masked.clone())
}

/// Shapes that end with their only number, which is 0 half of the time or more.
fn ends(forms: &Forms<'_>) -> Vec<usize> {
    let mut zeros = vec![(0u64, 0u64); forms.shapes.len()];
    for line in forms.logs.iter().flat_map(|log| &log.lines) {
        let Some(shape) = line.shape else { continue };
        let message = line.line.message();
        let variables = shape::variables(message);
        if let [(variable::NUMBER, place)] = variables.as_slice() {
            zeros[shape].0 += u64::from(message.get(place.clone()) == Some("0"));
            zeros[shape].1 += 1;
        }
    }
    let is_end = |at: &usize| zeros[*at].1 > 0 && zeros[*at].0 * 2 >= zeros[*at].1;
    (0..forms.shapes.len()).filter(is_end).collect()
}

/// How well lines of a family and of a shape take turns, by the thread that writes them.
fn turns(forms: &Forms<'_>, own: &str, end: usize) -> Turns {
    let mut turns = Turns::default();
    let mut masked = String::new();
    for log in &forms.logs {
        let mut open: BTreeMap<(Option<u32>, Option<u32>), bool> = BTreeMap::new();
        let mut any = false;
        let mut odd = 0;
        for line in &log.lines {
            let is_open = open.entry((line.line.pid, line.line.tid)).or_default();
            if line.shape == Some(end) {
                turns.pairs += u64::from(*is_open);
                odd += u64::from(!*is_open);
                *is_open = false;
            } else if family(line, &mut masked).as_deref() == Some(own) {
                odd += u64::from(*is_open);
                *is_open = true;
                any = true;
            }
        }
        // Logs of other programs may end their lines alike.
        turns.odd += if any { odd } else { 0 };
    }
    turns
}

/// The lines of a family, each with its log, and their devices.
fn members<'s>(forms: &Forms<'s>, own: &str) -> (Vec<(&'s SampleLine, &'s str)>, BTreeSet<usize>) {
    let mut masked = String::new();
    let mut lines = Vec::new();
    let mut devices = BTreeSet::new();
    for log in &forms.logs {
        for line in &log.lines {
            if family(line, &mut masked).as_deref() == Some(own) {
                lines.push((line.line, log.log.path.as_str()));
                devices.insert(log.log.device);
            }
        }
    }
    (lines, devices)
}

fn proposals(
    format: &str,
    forms: &Forms<'_>,
    own: &str,
    end: usize,
    turns: Turns,
) -> Option<Vec<RuleProposal>> {
    let (lines, devices) = members(forms, own);
    if devices.len() < FEWEST_DEVICES {
        return None;
    }
    let launches: Vec<Launch<'_>> =
        lines.iter().filter_map(|(line, _)| Launch::of(line.message())).collect();
    let behind: Vec<&str> = launches.iter().map(|launch| launch.behind).collect();
    let (between, closing) = around_arguments(&behind);
    let before = shape::pattern(own, &[]);
    let before = before.trim_end_matches(r"\s*$");
    let space = if launches[0].before.ends_with(' ') { " " } else { "" };
    let pattern = format!(
        r"{before}{space}(?<program>.+?\.exe){}(?<arguments>.*){}\s*$",
        shape::literal(&between),
        shape::literal(&closing)
    );
    let told = format!(
        "A program's path, then a line with its exit code, take turns {} times, and {} times not; on {} devices.",
        turns.pairs,
        turns.odd,
        devices.len()
    );
    let place = |line: u64, path: &str| format!("{path}:{line}");
    let (first, path) = lines[0];
    let created = RuleProposal {
        format: format.to_owned(),
        name: format!("learned: {}<program>", shape::shown(own)),
        means: Meaning::ProcessCreated,
        pattern,
        specimen: first.message().trim().to_owned(),
        rests_on: told.clone(),
        place: place(first.number, path),
    };
    let (last, path) = forms.example(end)?;
    let exited = RuleProposal {
        format: format.to_owned(),
        name: format!("learned: {}", shape::shown(&forms.shapes[end])),
        means: Meaning::ProcessExited,
        pattern: shape::pattern(&forms.shapes[end], &[(0, "code")]),
        specimen: last.message().trim().to_owned(),
        rests_on: told,
        place: place(last.number, path),
    };
    Some(vec![created, exited])
}

/// What all lines have between a program and its arguments, and behind these.
fn around_arguments(behind: &[&str]) -> (String, String) {
    let Some(first) = behind.first() else { return Default::default() };
    let mut between = *first;
    for text in behind {
        let same = between.chars().zip(text.chars()).take_while(|(a, b)| a == b);
        let length = same.map(|(letter, _)| letter.len_utf8()).sum::<usize>();
        between = &between[..length];
    }
    // Arguments that all begin alike are arguments still.
    let between = between.split(['/', '"']).next().unwrap_or_default();
    let is_sign = |c: &char| !c.is_alphanumeric() && !c.is_whitespace() && !matches!(c, '"' | '/');
    let mut closing: Option<String> = None;
    for text in behind {
        let text = text.get(between.len()..).unwrap_or_default().trim_end();
        let own: String = text.chars().rev().take_while(is_sign).collect();
        let known = closing.get_or_insert_with(|| own.clone());
        let same = known.chars().zip(own.chars()).take_while(|(a, b)| a == b).count();
        *known = known.chars().take(same).collect();
    }
    (between.to_owned(), closing.unwrap_or_default().chars().rev().collect())
}
