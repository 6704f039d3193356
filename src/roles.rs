//! Which part the lines of a shape play, told by where in time they stand.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::{ExitCode, Notation};
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape::{self, variable};
use provtrace_parsers::stamp::Stamp;

use crate::chance::{BY_CHANCE, Counts, FEWEST_DEVICES, times};
use crate::forms::{Formed, Forms, Life, Seen};
use crate::proposal::RuleProposal;

/// Fewer lines show nothing.
const FEWEST_LINES: u64 = 10;
/// Of a shape's lines, so many stand where its part asks for it.
const MOST_OF: f64 = 0.8;
/// Of what should have such a line, so much has this one.
const MANY: f64 = 0.2;
/// So much shows more than not.
const HALF: f64 = 0.5;
/// Of a refusal's lines, so many stand in refused runs.
const ONLY: f64 = 0.95;
/// How far a child's own last words and its parent's may lie apart, in milliseconds.
const APART: i64 = 5_000;
/// Lines of a program that waits lie so far apart, in milliseconds.
const PAUSE: i64 = 10_000;

/// When deployments of a device ended, and with which code.
pub type Exits = BTreeMap<usize, Vec<(Stamp, u32)>>;
/// When others lived, by device: first and last moment.
pub type Lives = BTreeMap<usize, Vec<(Stamp, Stamp)>>;

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

    fn rule(
        &self,
        shape: usize,
        means: Meaning,
        captures: &[(usize, &str)],
        rests_on: String,
    ) -> Option<RuleProposal> {
        let (line, path) = self.forms.example(shape)?;
        Some(RuleProposal {
            format: self.format.to_owned(),
            name: format!("learned: {}", shape::shown(&self.forms.shapes[shape])),
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
    fn variables(&self, shape: usize) -> Vec<char> {
        let is_variable = |letter: &char| ('\u{1}'..='\u{5}').contains(letter);
        self.forms.shapes[shape].chars().filter(is_variable).collect()
    }

    fn numbers(&self, shape: usize) -> Vec<usize> {
        let all = self.variables(shape);
        (0..all.len()).filter(|at| all[*at] == variable::NUMBER).collect()
    }

    /// The line that a program begins with, and the one that it ends with: they stand first or
    /// last in its lives, and seldom elsewhere.
    pub fn edges(&self) -> Vec<RuleProposal> {
        let lives = self.forms.lives();
        let mut first = vec![0u64; self.seen.len()];
        let mut last = first.clone();
        for life in &lives {
            let at = |line: Option<&Formed<'_>>| line.and_then(|line| line.shape);
            if let Some(shape) = at(life.lines.first()) {
                first[shape] += 1;
            }
            if let Some(shape) = at(life.lines.last()) {
                last[shape] += 1;
            }
        }
        let all = lives.len() as u64;
        let mut rules = Vec::new();
        for shape in self.most(&first, all) {
            let arguments =
                self.variables(shape).iter().position(|kind| *kind == variable::ARGUMENTS);
            let captures: Vec<_> = arguments.map(|at| (at, "arguments")).into_iter().collect();
            let told = self.place_of(shape, "first", first[shape], all);
            rules.extend(self.rule(shape, Meaning::RunStarts, &captures, told));
        }
        for shape in self.most(&last, all) {
            let code = self.code(shape);
            let captures: Vec<_> = code.map(|at| (at, "code")).into_iter().collect();
            let told = self.place_of(shape, "last", last[shape], all);
            rules.extend(self.rule(shape, Meaning::RunEnds, &captures, told));
        }
        rules
    }

    fn place_of(&self, shape: usize, place: &str, times: u64, lives: u64) -> String {
        let Seen { lines, devices } = &self.seen[shape];
        format!(
            "It stands {place} in {times} of {lives} lives of the program, and in {} elsewhere; on {} devices.",
            lines - times.min(*lines),
            devices.len()
        )
    }

    /// The shapes that stand at many of the places, and seldom elsewhere: a program may begin in
    /// several words.
    fn most(&self, times: &[u64], all: u64) -> Vec<usize> {
        let fits = |shape: &usize| {
            let own = times[*shape] as f64;
            self.is_seen_enough(*shape)
                && own >= MOST_OF * self.seen[*shape].lines as f64
                && own >= MANY * all as f64
        };
        (0..times.len()).filter(fits).collect()
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
    pub fn results(&self, exits: &Exits) -> Vec<RuleProposal> {
        let shapes = (0..self.seen.len()).filter(|shape| self.is_seen_enough(*shape));
        let found = shapes.filter_map(|shape| {
            let numbers = self.numbers(shape);
            numbers.into_iter().find_map(|at| self.result(shape, at, exits))
        });
        found.collect()
    }

    fn result(&self, shape: usize, at: usize, exits: &Exits) -> Option<RuleProposal> {
        // Zeros are everywhere: what counts are codes of failures.
        let (mut agree, mut all) = ([0u64; 2], [0u64; 2]);
        let mut devices = BTreeSet::new();
        for log in &self.forms.logs {
            let Some(exits) = exits.get(&log.log.device) else { continue };
            for line in log.lines.iter().filter(|line| line.shape == Some(shape)) {
                let value = code_at(line, at)?;
                let near = |exit: &&(Stamp, u32)| (exit.0.0 - line.at.0).abs() <= APART;
                let mut near = exits.iter().filter(near).peekable();
                if near.peek().is_none() {
                    continue;
                }
                let kind = usize::from(value != 0);
                all[kind] += 1;
                if near.any(|(_, code)| *code == value) {
                    agree[kind] += 1;
                    devices.extend((kind == 1).then_some(log.log.device));
                }
            }
        }
        let most = |kind: usize| agree[kind] as f64 >= MOST_OF * all[kind] as f64;
        if !most(0) || !most(1) || devices.len() < FEWEST_DEVICES {
            return None;
        }
        let told = format!(
            "Its number is the exit code that the parent saw at that time in {} of {} lines, {} of {} where it is not 0; the latter on {} devices.",
            agree[0] + agree[1],
            all[0] + all[1],
            agree[1],
            all[1],
            devices.len()
        );
        self.rule(shape, Meaning::ResultReported, &[(at, "code")], told)
    }

    /// Lines of a program that waits: somebody else lives when they are written, and then comes a
    /// pause. Also those that stand behind these only.
    pub fn waits(&self, others: &Lives) -> Vec<RuleProposal> {
        let lives = self.forms.lives();
        let beside = self.first_lines(&lives, &|life, line, _| {
            let others = others.get(&life.log.log.device)?;
            Some(others.iter().any(|(from, to)| *from <= line.at && line.at < *to))
        });
        let mut found = BTreeMap::new();
        for (shape, row) in beside.iter().enumerate() {
            let told = |row: &FirstLines, chance| {
                format!(
                    "A deployment or a patch step lives as it is first written in {} of {} lives (of all first lines: {} of {}; by chance once in {}), and a pause follows in {}; on {} devices.",
                    row.counts.own_with,
                    row.counts.own,
                    row.counts.with,
                    row.counts.all,
                    times(chance),
                    row.pauses,
                    row.devices.len()
                )
            };
            if let Some(chance) = row.show(beside.len()) {
                found.insert(shape, told(row, chance));
            }
        }
        let behind = self.first_lines(&lives, &|life, line, place| {
            let before = life.lines[..place].iter().filter_map(|line| line.shape);
            let waits = { before }.any(|shape| found.contains_key(&shape));
            (line.shape.is_some() && !line.shape.is_some_and(|own| found.contains_key(&own)))
                .then_some(waits)
        });
        let questions = behind.len();
        let mut more = BTreeMap::new();
        for (shape, row) in behind.iter().enumerate() {
            if let Some(chance) = row.show(questions).filter(|_| row.counts.rate() >= ONLY) {
                more.insert(
                    shape,
                    format!(
                        "It stands behind a line of waiting in {} of {} lives (by chance once in {}), and a pause follows in {}; on {} devices.",
                        row.counts.own_with, row.counts.own, times(chance), row.pauses, row.devices.len()
                    ),
                );
            }
        }
        found.extend(more);
        let rule = |(shape, told)| self.rule(shape, Meaning::Waits, &[], told);
        found.into_iter().filter_map(rule).collect()
    }

    /// For each shape, its first lines in lives: how many `is` holds for.
    fn first_lines(
        &self,
        lives: &[Life<'_, 's>],
        is: &dyn Fn(&Life<'_, 's>, &Formed<'s>, usize) -> Option<bool>,
    ) -> Vec<FirstLines> {
        let mut rows = vec![FirstLines::default(); self.seen.len()];
        let (mut all, mut with) = (0, 0);
        for life in lives {
            let mut seen = BTreeSet::new();
            for (place, line) in life.lines.iter().enumerate() {
                let Some(shape) = line.shape.filter(|shape| seen.insert(*shape)) else { continue };
                let Some(holds) = is(life, line, place) else { continue };
                all += 1;
                with += u64::from(holds);
                let row = &mut rows[shape];
                row.counts.own += 1;
                row.counts.own_with += u64::from(holds);
                row.devices.extend(holds.then_some(life.log.log.device));
                let next = life.lines.get(place + 1);
                row.pauses += u64::from(next.is_none_or(|next| next.at.0 - line.at.0 >= PAUSE));
            }
        }
        for row in &mut rows {
            (row.counts.all, row.counts.with) = (all, with);
        }
        rows
    }

    /// Lines that stand in refused runs and nowhere else. `refused` are moments of refused runs, by
    /// device and task.
    pub fn refusals(&self, refused: &BTreeMap<(usize, String), Vec<Stamp>>) -> Vec<RuleProposal> {
        let mut counts = vec![Counts { all: 0, with: 0, own: 0, own_with: 0 }; self.seen.len()];
        let mut devices = vec![BTreeSet::new(); self.seen.len()];
        let (mut all, mut with) = (0, 0);
        for life in self.forms.lives() {
            let log = life.log.log;
            let task = log.task.clone().unwrap_or_default();
            let (from, to) = (life.lines[0].at.0, life.lines[life.lines.len() - 1].at.0);
            let moments = refused.get(&(log.device, task));
            let inside = |moment: &Stamp| (from..=to).contains(&moment.0);
            let is_refused = moments.is_some_and(|moments| moments.iter().any(inside));
            all += 1;
            with += u64::from(is_refused);
            let shapes: BTreeSet<usize> = life.lines.iter().filter_map(|line| line.shape).collect();
            for shape in shapes {
                counts[shape].own += 1;
                counts[shape].own_with += u64::from(is_refused);
                devices[shape].extend(is_refused.then_some(log.device));
            }
        }
        let questions = self.seen.len();
        let found = (0..self.seen.len()).filter_map(|shape| {
            let counts = Counts { all, with, ..counts[shape] };
            let chance = counts.by_chance(questions);
            let only_there = counts.rate() >= ONLY;
            let fits =
                only_there && devices[shape].len() >= FEWEST_DEVICES && chance <= BY_CHANCE;
            let holder = self.variables(shape).iter().position(|kind| *kind == variable::PROGRAM);
            let captures: Vec<_> = holder.map(|at| (at, "holder")).into_iter().collect();
            let told = format!(
                "It stands in {} of the {with} refused runs and in {} of the {} others (by chance once in {}); on {} devices.",
                counts.own_with,
                counts.own - counts.own_with,
                all - with,
                times(chance),
                devices[shape].len()
            );
            let rule = || self.rule(shape, Meaning::Refused, &captures, told);
            fits.then(rule).flatten()
        });
        found.collect()
    }
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

/// A variable of a line, read as an exit code.
fn code_at(line: &Formed<'_>, at: usize) -> Option<u32> {
    let message = line.line.message();
    let (_, place) = shape::variables(message).into_iter().nth(at)?;
    Some(ExitCode::read(message.get(place)?, Notation::Any)?.value)
}
