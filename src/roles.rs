//! Which part the lines of a shape play: a program's beginning, its end, its result.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::{ExitCode, Notation};
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape::{self, variable};
use provtrace_parsers::stamp::Stamp;

use crate::chance::{self, BY_CHANCE, Counts, FEWEST_DEVICES};
use crate::forms::{Formed, Forms, Seen};
use crate::proposal::{RuleProposal, name};
use crate::trail::Trail;

/// Fewer lines show nothing.
const FEWEST_LINES: u64 = 10;
/// Of a shape's lines, so many stand where its part asks for it.
const MOST_OF: f64 = 0.8;
/// Of what should have such a line, so much has this one.
const MANY: f64 = 0.2;
/// How far a child's own last words and its parent's may lie apart, in milliseconds.
const APART: i64 = 5_000;
/// Makes a rule of a shape.
pub struct Maker<'f, 's> {
    /// The format.
    pub format: &'f str,
    /// Its lines.
    pub forms: &'f Forms<'s>,
    /// What was seen of its shapes.
    pub seen: Vec<Seen>,
}

impl<'f, 's> Maker<'f, 's> {
    /// Looks at a format.
    pub fn new(format: &'f str, forms: &'f Forms<'s>) -> Maker<'f, 's> {
        Maker { format, forms, seen: forms.seen() }
    }

    /// The rule that says it, if its shape can be shown.
    pub fn rule(
        &self,
        shape: usize,
        means: Meaning,
        captures: &[(usize, &str)],
        rests_on: String,
    ) -> Option<RuleProposal> {
        let (line, path) = self.forms.example(shape)?;
        Some(RuleProposal {
            format: self.format.to_owned(),
            name: name(means, &self.forms.shapes[shape]),
            means,
            pattern: shape::pattern(&self.forms.shapes[shape], captures),
            specimen: line.message().trim().to_owned(),
            rests_on,
            place: format!("{path}:{}", line.number),
        })
    }

    fn is_seen_enough(&self, shape: usize) -> bool {
        let Seen { lines, devices } = &self.seen[shape];
        *lines >= FEWEST_LINES && devices.len() >= FEWEST_DEVICES
    }

    /// The kinds of a shape's variables, in order.
    pub fn variables(&self, shape: usize) -> Vec<char> {
        let is_variable = |letter: &char| ('\u{1}'..='\u{5}').contains(letter);
        self.forms.shapes[shape].chars().filter(is_variable).collect()
    }

    fn numbers(&self, shape: usize) -> Vec<usize> {
        let all = self.variables(shape);
        (0..all.len()).filter(|at| all[*at] == variable::NUMBER).collect()
    }

    /// The lines that a program begins with: they stand first in its lives, and seldom elsewhere.
    pub fn beginnings(&self) -> Vec<RuleProposal> {
        let found = self.edges("first", &|lines| lines.first());
        let rule = |(shape, told): (usize, String)| {
            let arguments =
                self.variables(shape).iter().position(|kind| *kind == variable::ARGUMENTS);
            let captures: Vec<_> = arguments.map(|at| (at, "arguments")).into_iter().collect();
            self.rule(shape, Meaning::RunStarts, &captures, told)
        };
        found.into_iter().filter_map(rule).collect()
    }

    /// The lines that it ends with: they stand last.
    pub fn ends(&self) -> Vec<RuleProposal> {
        let found = self.edges("last", &|lines| lines.last());
        let rule = |(shape, told): (usize, String)| {
            let code = self.code(shape);
            let captures: Vec<_> = code.map(|at| (at, "code")).into_iter().collect();
            self.rule(shape, Meaning::RunEnds, &captures, told)
        };
        found.into_iter().filter_map(rule).collect()
    }

    /// The shapes that stand at one place in many of the lives, and seldom elsewhere. Only devices
    /// count that have the shape: others may speak another language. A program may begin in
    /// several words.
    fn edges(
        &self,
        place: &str,
        edge: &dyn Fn(&'f [Formed<'s>]) -> Option<&'f Formed<'s>>,
    ) -> Vec<(usize, String)> {
        let lives = self.forms.lives();
        let mut times = vec![0u64; self.seen.len()];
        // By device: lines and lives.
        let mut of: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for life in &lives {
            let own = of.entry(life.log.log.device).or_default();
            *own = (own.0 + life.lines.len() as u64, own.1 + 1);
            if let Some(shape) = edge(life.lines).and_then(|line| line.shape) {
                times[shape] += 1;
            }
        }
        let mut found = Vec::new();
        for (shape, Seen { lines, devices }) in self.seen.iter().enumerate() {
            let own = devices.iter().filter_map(|device| of.get(device));
            let (all, with) = own.fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
            let counts = Counts { all, with, own: *lines, own_with: times[shape] };
            let chance = counts.by_chance(self.seen.len());
            let fits = self.is_seen_enough(shape)
                && counts.rate() >= MOST_OF
                && times[shape] as f64 >= MANY * with as f64
                && chance <= BY_CHANCE;
            if fits {
                let told = format!(
                    "It stands {place} in {} of {with} lives of the program, and in {} elsewhere (by chance once in {}); on {} devices.",
                    times[shape],
                    lines - times[shape],
                    chance::times(chance),
                    devices.len()
                );
                found.push((shape, told));
            }
        }
        found
    }

    /// Which variable of an end line is an exit code: the first number, if it is 0 most of the
    /// time.
    fn code(&self, shape: usize) -> Option<usize> {
        let at = *self.numbers(shape).first()?;
        let values = self.values(shape, at);
        let zeros = values.iter().filter(|value| **value == Some(0)).count();
        let read = values.iter().all(Option::is_some);
        (read && zeros * 2 >= values.len()).then_some(at)
    }

    /// What a variable of a shape was, read as an exit code.
    fn values(&self, shape: usize, at: usize) -> Vec<Option<u32>> {
        let lines = self.forms.logs.iter().flat_map(|log| &log.lines);
        lines.filter(|line| line.shape == Some(shape)).map(|line| code_at(line, at)).collect()
    }

    /// Lines with the exit code that the parent saw at the same time.
    pub fn results(&self, trails: &[Trail]) -> Vec<RuleProposal> {
        let shapes = (0..self.seen.len()).filter(|shape| self.is_seen_enough(*shape));
        let numbers: Vec<(usize, usize)> = shapes
            .flat_map(|shape| self.numbers(shape).into_iter().map(move |at| (shape, at)))
            .collect();
        let mut rules: Vec<RuleProposal> = Vec::new();
        let mut last = None;
        for (shape, at) in &numbers {
            // A shape's first number that fits.
            if last == Some(*shape) {
                continue;
            }
            if let Some(rule) = self.result(*shape, *at, trails, numbers.len()) {
                rules.push(rule);
                last = Some(*shape);
            }
        }
        rules
    }

    fn result(
        &self,
        shape: usize,
        at: usize,
        trails: &[Trail],
        questions: usize,
    ) -> Option<RuleProposal> {
        // Zeros are everywhere: what counts are codes of failures.
        let (mut agree, mut all) = ([0u64; 2], [0u64; 2]);
        // The same numbers against the code of another end on the device.
        let (mut other_agree, mut other_all) = (0, 0);
        let mut devices = BTreeSet::new();
        for log in &self.forms.logs {
            let exits = trails.get(log.log.device).map(|trail| &trail.exits)?;
            for line in log.lines.iter().filter(|line| line.shape == Some(shape)) {
                let value = code_at(line, at)?;
                let is_near = |exit: &(Stamp, u32)| (exit.0.0 - line.at.0).abs() <= APART;
                let Some(first) = exits.iter().position(is_near) else { continue };
                let kind = usize::from(value != 0);
                all[kind] += 1;
                let agrees = exits.iter().any(|exit| is_near(exit) && exit.1 == value);
                agree[kind] += u64::from(agrees);
                if kind == 1 {
                    devices.extend(agrees.then_some(log.log.device));
                    let mut others = exits[first..].iter().chain(&exits[..first]);
                    if let Some((_, code)) = others.find(|exit| !is_near(exit)) {
                        other_all += 1;
                        other_agree += u64::from(*code == value);
                    }
                }
            }
        }
        let counts = Counts {
            all: all[1] + other_all,
            with: agree[1] + other_agree,
            own: all[1],
            own_with: agree[1],
        };
        let chance = counts.by_chance(questions);
        let most = |kind: usize| agree[kind] as f64 >= MOST_OF * all[kind] as f64;
        if !most(0) || !most(1) || devices.len() < FEWEST_DEVICES || chance > BY_CHANCE {
            return None;
        }
        let told = format!(
            "Its number is the exit code that the parent saw at that time in {} of {} lines, {} of {} where it is not 0; the latter on {} devices. It is that of another end in {other_agree} of {other_all} (by chance once in {}).",
            agree[0] + agree[1],
            all[0] + all[1],
            agree[1],
            all[1],
            devices.len(),
            chance::times(chance)
        );
        self.rule(shape, Meaning::ResultReported, &[(at, "code")], told)
    }
}

/// A variable of a line, read as an exit code.
fn code_at(line: &Formed<'_>, at: usize) -> Option<u32> {
    let message = line.line.message();
    let (_, place) = shape::variables(message).into_iter().nth(at)?;
    Some(ExitCode::read(message.get(place)?, Notation::Any)?.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::of_texts;

    /// Deployments that end with a number; the codes that the parent saw are `exits`.
    fn results(exits: impl Fn(i64) -> u32) -> usize {
        let mut text = String::new();
        let mut all = Vec::new();
        for hour in 0..20i64 {
            let code = if hour % 4 == 0 { 1600 + hour } else { 0 };
            text.push_str(&format!("Mon, 24 Mar 2025 {hour:02}:00:00 Sprocket gives {code}\n"));
            all.push((Stamp(1_742_774_400_000 + hour * 3_600_000), exits(code)));
        }
        let logs = of_texts("sdclient_task7.log", &vec![text; 6]);
        let forms = Forms::new(&logs.iter().collect::<Vec<_>>());
        let trails: Vec<Trail> =
            (0..6).map(|_| Trail { exits: all.clone(), ..Trail::default() }).collect();
        Maker::new("sdclient", &forms).results(&trails).len()
    }

    #[test]
    fn a_result_is_what_the_parent_saw() {
        assert_eq!(results(|code| u32::try_from(code).unwrap_or_default()), 1);
        assert_eq!(results(|_| 0), 0);
    }

    /// A number that is always the same agrees with every end of that code, at its time or not.
    #[test]
    fn a_number_that_fits_every_end_is_no_result() {
        let mut text = String::new();
        let mut exits = Vec::new();
        for hour in 0..20i64 {
            text.push_str(&format!("Mon, 24 Mar 2025 {hour:02}:00:00 Sprocket gives 1603\n"));
            exits.push((Stamp(1_742_774_400_000 + hour * 3_600_000), 1603));
        }
        let logs = of_texts("sdclient_task7.log", &vec![text; 6]);
        let forms = Forms::new(&logs.iter().collect::<Vec<_>>());
        let trails: Vec<Trail> =
            (0..6).map(|_| Trail { exits: exits.clone(), ..Trail::default() }).collect();
        assert_eq!(Maker::new("sdclient", &forms).results(&trails).len(), 0);
    }

    /// Where every line is the first one, no shape is so more often than others.
    #[test]
    fn a_beginning_stands_first_more_often_than_by_chance() {
        let begins = |more: &str| {
            let mut text = String::new();
            for hour in 0..20 {
                let says = if hour < 16 { "Sprocket on" } else { "Gear on" };
                text.push_str(&format!("Mon, 24 Mar 2025 {hour:02}:00:00 {says}\n{more}"));
                text = text.replace("HH", &format!("{hour:02}"));
            }
            let logs = of_texts("vulscan.log", &vec![text; 6]);
            let forms = Forms::new(&logs.iter().collect::<Vec<_>>());
            let found = Maker::new("vulscan", &forms).beginnings();
            found.into_iter().map(|rule| rule.specimen).collect::<Vec<_>>()
        };
        assert_eq!(begins(""), [""; 0]);
        assert_eq!(begins("Mon, 24 Mar 2025 HH:00:01 Wheel\n"), ["Gear on", "Sprocket on"]);
    }
}
