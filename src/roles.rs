//! Which part the lines of a shape play, told by where in time they stand.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::{ExitCode, Notation};
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::shape::{self, variable};
use provtrace_parsers::stamp::Stamp;

use crate::chance::Counts;
use crate::forms::{Formed, Forms, Seen};
use crate::proposal::RuleProposal;

/// Fewer lines show nothing.
const FEWEST_LINES: u64 = 10;
/// Fewer devices show nothing.
pub const FEWEST_DEVICES: usize = 3;
/// Of a shape's lines, so many stand where its part asks for it.
const MOST_OF: f64 = 0.8;
/// Of what should have such a line, so much has one.
const HALF: f64 = 0.5;
/// Of a refusal's lines, so many stand in refused runs.
const ONLY: f64 = 0.95;
/// Chance would do this once in so many shares, at most.
pub const BY_CHANCE: f64 = 1e-3;
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
        let starts = self.most(&first, all).and_then(|shape| {
            let arguments =
                self.variables(shape).iter().position(|kind| *kind == variable::ARGUMENTS);
            let captures: Vec<_> = arguments.map(|at| (at, "arguments")).into_iter().collect();
            let told = self.place_of(shape, "first", first[shape], all);
            self.rule(shape, Meaning::RunStarts, &captures, told)
        });
        let ends = self.most(&last, all).and_then(|shape| {
            let code = self.code(shape);
            let captures: Vec<_> = code.map(|at| (at, "code")).into_iter().collect();
            let told = self.place_of(shape, "last", last[shape], all);
            self.rule(shape, Meaning::RunEnds, &captures, told)
        });
        starts.into_iter().chain(ends).collect()
    }

    fn place_of(&self, shape: usize, place: &str, times: u64, lives: u64) -> String {
        let Seen { lines, devices } = &self.seen[shape];
        format!(
            "It stands {place} in {times} of {lives} lives of the program, and in {} elsewhere; on {} devices.",
            lines - times.min(*lines),
            devices.len()
        )
    }

    /// The shape that stands at most of the places, and seldom elsewhere.
    fn most(&self, times: &[u64], all: u64) -> Option<usize> {
        let fits = |shape: &usize| {
            let own = times[*shape] as f64;
            self.is_seen_enough(*shape)
                && own >= MOST_OF * self.seen[*shape].lines as f64
                && own >= HALF * all as f64
        };
        let fitting = (0..times.len()).filter(fits);
        fitting.max_by_key(|shape| (times[*shape], std::cmp::Reverse(*shape)))
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
    /// pause. Each life counts once.
    pub fn waits(&self, others: &Lives) -> Vec<RuleProposal> {
        let mut beside = vec![Counts { all: 0, with: 0, own: 0, own_with: 0 }; self.seen.len()];
        let mut pauses = vec![0u64; self.seen.len()];
        let mut devices = vec![BTreeSet::new(); self.seen.len()];
        let (mut all, mut with) = (0, 0);
        for life in self.forms.lives() {
            let device = life.log.log.device;
            let Some(others) = others.get(&device) else { continue };
            let mut seen = BTreeSet::new();
            for (place, line) in life.lines.iter().enumerate() {
                let Some(shape) = line.shape.filter(|shape| seen.insert(*shape)) else { continue };
                let lives = others.iter().any(|(from, to)| *from <= line.at && line.at < *to);
                all += 1;
                with += u64::from(lives);
                beside[shape].own += 1;
                beside[shape].own_with += u64::from(lives);
                devices[shape].extend(lives.then_some(device));
                let next = life.lines.get(place + 1);
                pauses[shape] += u64::from(next.is_none_or(|next| next.at.0 - line.at.0 >= PAUSE));
            }
        }
        let questions = self.seen.len();
        let found = (0..self.seen.len()).filter_map(|shape| {
            let counts = Counts { all, with, ..beside[shape] };
            let (chance, pauses) = (counts.by_chance(questions), pauses[shape]);
            let fits = devices[shape].len() >= FEWEST_DEVICES
                && counts.rate() >= HALF
                && pauses as f64 >= HALF * counts.own as f64
                && chance <= BY_CHANCE;
            let told = format!(
                "A deployment or a patch step lives as it is first written in {} of {} lives (of all first lines: {with} of {all}; by chance once in {}), and a pause follows in {pauses}; on {} devices.",
                counts.own_with,
                counts.own,
                times(chance),
                devices[shape].len()
            );
            let rule = || self.rule(shape, Meaning::Waits, &[], told);
            fits.then(rule).flatten()
        });
        found.collect()
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

/// A probability as `once in so many`.
pub fn times(chance: f64) -> String {
    format!("{:.0e}", 1.0 / chance.max(1e-300))
}

/// A variable of a line, read as an exit code.
fn code_at(line: &Formed<'_>, at: usize) -> Option<u32> {
    let message = line.line.message();
    let (_, place) = shape::variables(message).into_iter().nth(at)?;
    Some(ExitCode::read(message.get(place)?, Notation::Any)?.value)
}
