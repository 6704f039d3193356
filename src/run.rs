//! Steps and actions → provisioning runs, and what their template and steps are called.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::ExitCode;
use provtrace_parsers::event::ActionOutcome;
use provtrace_parsers::stamp::Stamp;
use serde::{Deserialize, Serialize};

use crate::lifetime::{EntryRef, Lifetime};
use crate::provision::Provisioning;
use crate::tasks::Tasks;

/// A silence after which the run's first name parts two runs, in seconds.
const SHORT_PAUSE: i64 = 3 * 3600;
/// A silence after which any name that the run had already, the mapping's name of another
/// template, or a failure before it parts two runs, in seconds: longer than a clock that jumps
/// between two zones.
const PAUSE: i64 = 16 * 3600;
/// A silence that parts two runs whatever follows, in seconds.
const LONG_PAUSE: i64 = 7 * 24 * 3600;

/// How many of a run's latest steps or programs are looked at to tell whether it goes on.
const LATEST: usize = 64;

/// How a template's name is known, by REPORT.md's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateSource {
    /// The administrator's mapping.
    Mapping,
    /// The task's name, by convention.
    TaskName,
    /// Devices with the same sequence of steps share a generated name.
    Signature,
    /// Not known.
    None,
}

/// One provisioning run of a device.
#[derive(Debug, Clone)]
pub struct Run {
    /// From 1, in order of time.
    pub number: u32,
    /// When its first action or step began.
    pub from: Stamp,
    /// The template's name where mapping or task name tell it.
    pub template: Option<(String, TemplateSource)>,
}

/// A step of a provisioning run that starts a program.
#[derive(Debug, Clone)]
pub struct Step {
    /// The run, as an index into the device's runs.
    pub run: usize,
    /// From 1, among the run's steps that start a program.
    pub ordinal: u32,
    /// Its name: mapping, action, package or task, in this order.
    pub name: String,
    /// The task id.
    pub task: Option<String>,
    /// Its process, as an index into the device's lifetimes.
    pub lifetime: usize,
    /// When its program was started.
    pub at: Stamp,
    /// When its program ended, as the step saw it.
    pub ended: Option<Stamp>,
    /// Its exit codes, the most authoritative first: parent, own log, action.
    pub codes: Vec<(ExitCode, EntryRef)>,
}

/// A step before its run is known.
#[derive(Debug, Clone)]
pub struct StepDraft {
    /// See [`Step::lifetime`].
    pub lifetime: usize,
    /// See [`Step::at`].
    pub at: Stamp,
    /// See [`Step::ended`].
    pub ended: Option<Stamp>,
    /// See [`Step::codes`]; those of the action are added with the run.
    pub codes: Vec<(ExitCode, EntryRef)>,
    /// The name of the task, for the naming convention.
    pub task_name: Option<String>,
}

/// Divides a device's steps, which are in order of time, into runs, and names both.
pub fn divide(
    lifetimes: &[Lifetime],
    drafts: Vec<StepDraft>,
    provisioning: &Provisioning,
    tasks: &Tasks,
    device: &str,
) -> (Vec<Run>, Vec<Step>) {
    let mut runs = Vec::new();
    let mut steps = Vec::with_capacity(drafts.len());
    let starts = run_starts(lifetimes, &drafts, provisioning, tasks);
    let mut groups: Vec<Vec<StepDraft>> = vec![Vec::new(); starts.len()];
    for draft in drafts {
        let run = starts.partition_point(|start| *start <= draft.at).saturating_sub(1);
        groups[run].push(draft);
    }
    let mut last_before = None;
    for (run, group) in groups.into_iter().enumerate() {
        let number = u32::try_from(run + 1).unwrap_or(u32::MAX);
        let first = group.first().map_or(starts[run], |draft| draft.at);
        let span = (last_before, first, starts.get(run + 1).copied());
        let logged = task_name(&provisioning.task_names, span);
        let template = template_of(lifetimes, &group, logged, tasks, device);
        runs.push(Run { number, from: starts[run], template });
        last_before = group.last().map(|draft| draft.at).or(last_before);
        let mut drafts = group.into_iter().peekable();
        while let Some(draft) = drafts.next() {
            let until = drafts.peek().map(|next| next.at);
            steps.push(named(lifetimes, draft, until, run, provisioning, tasks));
        }
    }
    number_steps(&mut steps);
    (runs, steps)
}

/// Moments at which runs begin.
fn run_starts(
    lifetimes: &[Lifetime],
    drafts: &[StepDraft],
    provisioning: &Provisioning,
    tasks: &Tasks,
) -> Vec<Stamp> {
    let actions = provisioning.actions.iter().map(|action| (action.at, action.name.as_str()));
    let named = drafts.iter().filter_map(|draft| {
        let task = lifetimes[draft.lifetime].task.as_deref()?;
        Some((draft.at, task))
    });
    // One vocabulary at a time: names of actions where there are any, else task ids.
    let items: Vec<(Stamp, &str)> =
        if provisioning.actions.is_empty() { named.collect() } else { actions.collect() };
    let mut all: Vec<(Stamp, Option<usize>)> =
        drafts.iter().map(|draft| (draft.at, None)).collect();
    all.extend(items.iter().enumerate().map(|(at, (stamp, _))| (*stamp, Some(at))));
    all.sort_by_key(|(stamp, item)| (*stamp, item.is_none()));
    let mut starts: Vec<Stamp> = Vec::new();
    let mut first_item = None;
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut before: Option<Stamp> = None;
    for (stamp, item) in all {
        let pause = before.map_or(i64::MAX, |before| stamp.seconds_since(before));
        let known = item.is_some_and(|item| names.contains(items[item].1));
        // Of two names in turn, such as a restart and a generic one, nothing can be told.
        let again = names.len() > 2
            && item.zip(first_item).is_some_and(|(item, first)| begins_again(&items, first, item));
        let first =
            item.zip(first_item).is_some_and(|(item, first)| items[item].1 == items[first].1);
        let stopped = || {
            before.is_some_and(|before| {
                has_stopped(provisioning, before)
                    || is_of_others(lifetimes, drafts, tasks, (before, stamp))
            })
        };
        let parted = pause > LONG_PAUSE
            || (pause > SHORT_PAUSE && first)
            || (pause > PAUSE && (known || stopped()));
        if parted || again {
            starts.push(stamp);
            first_item = None;
            names.clear();
        }
        first_item = first_item.or(item);
        names.extend(item.map(|item| items[item].1));
        before = Some(stamp);
    }
    starts
}

/// Whether the last thing that a run did failed, or never ended: such a run does not go on
/// after a night.
fn has_stopped(provisioning: &Provisioning, last: Stamp) -> bool {
    let result = provisioning.action_at(last).and_then(|action| action.results.last());
    let failed = result.is_some_and(|(outcome, _, _)| *outcome == ActionOutcome::Failed);
    let begun = provisioning.children.partition_point(|child| child.at <= last);
    let mut latest = provisioning.children[..begun].iter().rev().take(LATEST);
    let child = latest.find(|child| !child.messenger);
    failed || (result.is_none() && child.is_some_and(|child| child.exit.is_none()))
}

/// Whether the mapping names another template for the first step from `stamp` on than for every
/// one of the steps before it.
fn is_of_others(
    lifetimes: &[Lifetime],
    drafts: &[StepDraft],
    tasks: &Tasks,
    (last, stamp): (Stamp, Stamp),
) -> bool {
    let template = |draft: &StepDraft| {
        let task = lifetimes[draft.lifetime].task.as_deref()?;
        Some(tasks.get(task)?.template.as_str())
    };
    let next = drafts.partition_point(|draft| draft.at < stamp);
    let Some(after) = drafts.get(next).and_then(template) else { return false };
    let together = |draft: &&StepDraft| last.seconds_since(draft.at) <= PAUSE;
    let before = drafts[..next].iter().rev().take(LATEST).take_while(together);
    let mut names = before.filter_map(template).peekable();
    names.peek().is_some() && names.all(|name| name != after)
}

/// Whether the sequence of `items` starts anew at `item`: the run's first two names again.
fn begins_again(items: &[(Stamp, &str)], first: usize, item: usize) -> bool {
    let name = |at: usize| items.get(at).map(|(_, name)| *name);
    name(item) == name(first) && name(first) != name(first + 1) && name(item + 1) == name(first + 1)
}

fn named(
    lifetimes: &[Lifetime],
    draft: StepDraft,
    until: Option<Stamp>,
    run: usize,
    provisioning: &Provisioning,
    tasks: &Tasks,
) -> Step {
    let lifetime = &lifetimes[draft.lifetime];
    let mapped = lifetime.task.as_deref().and_then(|task| tasks.get(task)?.step.clone());
    let action = || provisioning.action_at(draft.at).map(|action| action.name.clone());
    let task = || lifetime.task.as_ref().map(|task| format!("task {task}"));
    let name = mapped
        .or_else(action)
        .or_else(|| lifetime.package.clone())
        .or_else(task)
        .unwrap_or_else(|| lifetime.program.name().to_owned());
    let mut codes = draft.codes;
    if let Some(action) = provisioning.action_at(draft.at) {
        // A result belongs to the last step before it.
        let first = action.results.partition_point(|(_, at, _)| *at < draft.at);
        let own = action.results[first..].iter();
        let own = own.take_while(|(_, at, _)| until.is_none_or(|until| *at < until));
        codes.extend(own.filter_map(|(outcome, _, entry)| match outcome {
            ActionOutcome::Code(code) => Some((code.clone(), *entry)),
            ActionOutcome::Success | ActionOutcome::Failed => None,
        }));
    }
    Step {
        run,
        ordinal: 0,
        name,
        task: lifetime.task.clone(),
        lifetime: draft.lifetime,
        at: draft.at,
        ended: draft.ended,
        codes,
    }
}

/// Steps count from 1 in a run; a step that is tried again keeps its number.
fn number_steps(steps: &mut [Step]) {
    let mut before: Option<(usize, Option<String>, String, u32)> = None;
    for step in steps {
        step.ordinal = match &before {
            Some((run, task, name, ordinal)) if *run == step.run => {
                // Without a task id, equal names may be different packages.
                let again = step.task.is_some() && *task == step.task && *name == step.name;
                if again { *ordinal } else { ordinal + 1 }
            }
            Some(_) | None => 1,
        };
        before = Some((step.run, step.task.clone(), step.name.clone(), step.ordinal));
    }
}

fn template_of(
    lifetimes: &[Lifetime],
    steps: &[StepDraft],
    logged: Option<&str>,
    tasks: &Tasks,
    device: &str,
) -> Option<(String, TemplateSource)> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        let task = lifetimes[step.lifetime].task.as_deref();
        if let Some(task) = task.and_then(|task| tasks.get(task)) {
            *votes.entry(task.template.as_str()).or_default() += 1;
        }
    }
    // A task can be shared by templates: the one that most of the run's tasks name.
    let most = votes.iter().max_by_key(|(name, votes)| (**votes, std::cmp::Reverse(**name)));
    if let Some((name, _)) = most {
        return Some(((*name).to_owned(), TemplateSource::Mapping));
    }
    let stepped = steps.iter().filter_map(|step| step.task_name.as_deref());
    let mut names = logged.into_iter().chain(stepped);
    let name = names.find_map(|name| template_in_task_name(name, device))?;
    Some((name, TemplateSource::TaskName))
}

/// The task's name that the agent logged for a run: the last one before its first step, and
/// after the last step of the run before; else the first one in it.
fn task_name(
    names: &[(Stamp, String)],
    (after, first, until): (Option<Stamp>, Stamp, Option<Stamp>),
) -> Option<&str> {
    let upto = names.partition_point(|(at, _)| *at <= first);
    let before = names[..upto].last().filter(|(at, _)| after.is_none_or(|after| *at > after));
    let inside = || names.get(upto).filter(|(at, _)| until.is_none_or(|until| *at < until));
    before.or_else(inside).map(|(_, name)| name.as_str())
}

/// The template in a task name of the form `<template> <COMPUTER> <date>`.
fn template_in_task_name(name: &str, device: &str) -> Option<String> {
    let computer = device.rsplit('/').next()?.to_lowercase();
    let words: Vec<&str> = name.split_whitespace().collect();
    let at = words.iter().position(|word| word.to_lowercase() == computer)?;
    (at > 0).then(|| words[..at].join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_names_by_convention() {
        let template = |name| template_in_task_name(name, "share/PAR-1");
        assert_eq!(
            template("W11 Standard Office par-1 2025-03-24").as_deref(),
            Some("W11 Standard Office")
        );
        assert_eq!(template("W11 Standard Office PAR-12 2025-03-24"), None);
        assert_eq!(template("PAR-1 2025-03-24"), None);
    }
}
