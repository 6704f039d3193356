//! The lines by which the provisioning agent tells that a child was started and how it ended, found
//! by their turns: a program's path, then one number, and so on.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape::{self, variable};

use crate::chance::FEWEST_DEVICES;
use crate::forms::{Formed, Forms};
use crate::proposal::{RuleProposal, name};
use crate::sample::SampleLine;

/// Fewer pairs show nothing.
const FEWEST_PAIRS: u64 = 20;
/// So much of the turns must be right.
const RIGHT: f64 = 0.8;
/// Most beginnings, and most ends, that are tried: each with each.
const MOST_TRIED: usize = 20;
/// Most wordings that are looked for in one share.
const MOST_WORDINGS: usize = 8;

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

/// Which lines tell of a program's start: those with a program's path, by what stands before it.
struct Families {
    names: Vec<String>,
    /// By log and line.
    of: Vec<Vec<Option<usize>>>,
}

impl Families {
    /// Looks at every line once.
    fn new(forms: &Forms<'_>) -> Families {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut masked = String::new();
        let mut family = |line: &Formed<'_>| {
            line.shape?;
            let launch = Launch::of(line.line.message())?;
            shape::mask(launch.before, &mut masked);
            let next = names.len();
            Some(*names.entry(masked.clone()).or_insert(next))
        };
        let of = forms.logs.iter();
        let of = of.map(|log| log.lines.iter().map(&mut family).collect()).collect();
        let mut names: Vec<(String, usize)> = names.into_iter().collect();
        names.sort_by_key(|(_, at)| *at);
        Families { names: names.into_iter().map(|(name, _)| name).collect(), of }
    }

    /// Of the logs, those with the most lines.
    fn most(&self, logs: &BTreeSet<usize>) -> Vec<usize> {
        let mut lines = vec![0; self.names.len()];
        for family in logs.iter().flat_map(|log| self.of[*log].iter().flatten()) {
            lines[*family] += 1;
        }
        most(&lines)
    }
}

/// The indexes of the highest numbers that are high enough, the highest first.
fn most(lines: &[u64]) -> Vec<usize> {
    let mut all: Vec<usize> = (0..lines.len()).filter(|at| lines[*at] >= FEWEST_PAIRS).collect();
    all.sort_by_key(|at| (std::cmp::Reverse(lines[*at]), *at));
    all.truncate(MOST_TRIED);
    all
}

/// Proposes both rules, for each wording that is found; none if there is none.
pub fn rules(format: &str, forms: &Forms<'_>) -> Vec<RuleProposal> {
    let families = Families::new(forms);
    let mut logs: BTreeSet<usize> = (0..forms.logs.len()).collect();
    let mut rules = Vec::new();
    // Several versions and languages may lie in one share: what speaks the best one is set aside.
    for _ in 0..MOST_WORDINGS {
        let ends = ends(forms, &logs);
        let mut best: Option<(Turns, usize, usize)> = None;
        for family in families.most(&logs) {
            for end in &ends {
                let turns = turns(forms, &families, &logs, family, *end);
                let better = best.as_ref().is_none_or(|(best, ..)| turns.pairs > best.pairs);
                if turns.pairs >= FEWEST_PAIRS && turns.share() >= RIGHT && better {
                    best = Some((turns, family, *end));
                }
            }
        }
        let Some((turns, family, end)) = best else { break };
        let members = Members::new(forms, &families, &logs, family);
        let own = proposals(format, forms, &families.names[family], end, turns, &members);
        for rule in own {
            if rules.iter().all(|other: &RuleProposal| other.name != rule.name) {
                rules.push(rule);
            }
        }
        logs.retain(|log| !members.devices.contains(&forms.logs[*log].log.device));
    }
    rules
}

/// Shapes that end with their only number, which is 0 half of the time or more.
fn ends(forms: &Forms<'_>, logs: &BTreeSet<usize>) -> Vec<usize> {
    let mut zeros = vec![0; forms.shapes.len()];
    let mut all = zeros.clone();
    for line in logs.iter().flat_map(|log| &forms.logs[*log].lines) {
        let Some(shape) = line.shape else { continue };
        let message = line.line.message();
        let variables = shape::variables(message);
        if let [(variable::NUMBER, place)] = variables.as_slice() {
            zeros[shape] += u64::from(message.get(place.clone()) == Some("0"));
            all[shape] += 1;
        }
    }
    let mut ends = most(&all);
    ends.retain(|at| zeros[*at] * 2 >= all[*at]);
    ends
}

/// How well lines of a family and of a shape take turns, by the thread that writes them.
fn turns(
    forms: &Forms<'_>,
    families: &Families,
    logs: &BTreeSet<usize>,
    own: usize,
    end: usize,
) -> Turns {
    let mut turns = Turns::default();
    for at in logs {
        let mut open: BTreeMap<(Option<u32>, Option<u32>), bool> = BTreeMap::new();
        let mut any = false;
        let mut odd = 0;
        for (line, family) in forms.logs[*at].lines.iter().zip(&families.of[*at]) {
            let is_open = open.entry((line.line.pid, line.line.tid)).or_default();
            if line.shape == Some(end) {
                turns.pairs += u64::from(*is_open);
                odd += u64::from(!*is_open);
                *is_open = false;
            } else if *family == Some(own) {
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
struct Members<'s> {
    lines: Vec<(&'s SampleLine, &'s str)>,
    devices: BTreeSet<usize>,
}

impl<'s> Members<'s> {
    fn new(
        forms: &Forms<'s>,
        families: &Families,
        logs: &BTreeSet<usize>,
        own: usize,
    ) -> Members<'s> {
        let mut members = Members { lines: Vec::new(), devices: BTreeSet::new() };
        for at in logs {
            let log = &forms.logs[*at];
            for (line, family) in log.lines.iter().zip(&families.of[*at]) {
                if *family == Some(own) {
                    members.lines.push((line.line, log.log.path.as_str()));
                    members.devices.insert(log.log.device);
                }
            }
        }
        members
    }
}

fn proposals(
    format: &str,
    forms: &Forms<'_>,
    own: &str,
    end: usize,
    turns: Turns,
    members: &Members<'_>,
) -> Vec<RuleProposal> {
    let Members { lines, devices } = members;
    let Some((last, last_path)) = forms.example(end) else { return Vec::new() };
    if devices.len() < FEWEST_DEVICES {
        return Vec::new();
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
        name: format!(
            "learned {}: {}<program>{between}<arguments>{closing}",
            Meaning::ProcessCreated.word(),
            shape::shown(own)
        ),
        means: Meaning::ProcessCreated,
        pattern,
        specimen: first.message().trim().to_owned(),
        rests_on: told.clone(),
        place: place(first.number, path),
    };
    let exited = RuleProposal {
        format: format.to_owned(),
        name: name(Meaning::ProcessExited, &forms.shapes[end]),
        means: Meaning::ProcessExited,
        pattern: shape::pattern(&forms.shapes[end], &[(0, "code")]),
        specimen: last.message().trim().to_owned(),
        rests_on: told,
        place: place(last.number, last_path),
    };
    vec![created, exited]
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
