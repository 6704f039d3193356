//! Deployments: lifetimes of sdclient from its own logs and its parent's, and the steps that
//! they are.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::{CodeClass, ExitCode};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::stamp::Stamp;

use crate::lifetime::{End, Known, LaunchedBy, Lifetime, Program, SLACK, Span};
use crate::logs::DeviceLogs;
use crate::provision::{Child, Provisioning};
use crate::run::StepDraft;
use crate::sequence::records_of;
use crate::spans::{Spans, later};
use crate::tasks::Tasks;
use crate::trace::{Hints, own_lifetimes};

/// How long after a policy arrived its task starts, in seconds.
const POLICY_FOLLOWS: i64 = 120;
/// How long after a policy sync's end its task starts, in seconds.
const SYNC_TAIL: i64 = 10;

/// The lifetimes and steps of a device, while they are put together.
pub struct Draft<'l> {
    /// The device's records.
    pub logs: &'l DeviceLogs,
    /// What is known of command lines.
    pub formats: &'l Formats,
    /// Lifetimes so far.
    pub lifetimes: Vec<Lifetime>,
    /// Steps so far.
    pub steps: Vec<StepDraft>,
}

/// Lifetimes of sdclient, from its logs: one group of files a task, and the log of all tasks.
pub fn deployments(
    logs: &DeviceLogs,
    formats: &Formats,
    provisioning: &Provisioning,
) -> Vec<Lifetime> {
    let mut groups: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (at, log) in logs.sources.iter().enumerate() {
        if log.kind == SourceKind::Sdclient && !log.entries.is_empty() {
            groups.entry(log.task.as_deref()).or_default().push(at);
        }
    }
    let mut spans: BTreeMap<Option<&str>, Vec<Span>> = BTreeMap::new();
    for child in &provisioning.children {
        if child.program == Some(Program::Sdclient) {
            spans.entry(None).or_default().push(child.span());
            if let Some(task) = child.task.as_deref() {
                spans.entry(Some(task)).or_default().push(child.span());
            }
        }
    }
    let mut lifetimes = Vec::with_capacity(groups.len());
    // The log of all tasks (`None`) comes last: it only fills what the task logs leave open.
    let general = groups.remove_entry(&None);
    for (task, sources) in groups.into_iter().chain(general) {
        let parents = spans.remove(&task).unwrap_or_default();
        let hints = Hints { parents, ..Hints::default() };
        let entries = records_of(logs, sources);
        let mut own = own_lifetimes(logs, Program::Sdclient, &entries, &hints);
        for lifetime in &mut own {
            lifetime.task = task.map(str::to_owned);
            read_arguments(logs, formats, lifetime);
        }
        if task.is_some() {
            lifetimes.extend(own);
        } else {
            fill(&mut lifetimes, own);
        }
    }
    lifetimes
}

/// Reads what the command lines of a lifetime tell.
pub fn read_arguments(logs: &DeviceLogs, formats: &Formats, lifetime: &mut Lifetime) {
    let known = &formats.arguments;
    for place in &lifetime.traces {
        let Event::RunStarts { arguments: Some(arguments) } = &logs.entry(*place).event else {
            continue;
        };
        lifetime.messenger |= known.messenger.is_match(arguments);
        let task = || known.task_of(arguments).map(str::to_owned);
        let name = || known.task_name_of(arguments).map(str::to_owned);
        lifetime.task = lifetime.task.take().or_else(task);
        lifetime.task_name = lifetime.task_name.take().or_else(name);
    }
}

/// Adds what the log of all tasks shows beyond the task logs.
fn fill(lifetimes: &mut Vec<Lifetime>, general: Vec<Lifetime>) {
    let span = |(at, own): (usize, &Lifetime)| (own.start.at, own.end.at, at);
    let known = Spans::new(lifetimes.iter().enumerate().map(span));
    for other in general {
        let (from, to) = (later(other.start.at, -SLACK), later(other.end.at, SLACK));
        let mut near = known.meeting(from, to).map(|(_, _, at)| at).peekable();
        let covered = other.task.is_none() && near.peek().is_some();
        let same = near.find(|at| other.task.is_some() && lifetimes[*at].task == other.task);
        if let Some(own) = same.map(|at| &mut lifetimes[at]) {
            own.refused = own.refused.or(other.refused);
            own.codes.extend(other.codes);
        } else if other.messenger || !covered {
            lifetimes.push(other);
        }
    }
}

impl Draft<'_> {
    /// Ties the provisioning agent's children to the lifetimes in their own logs.
    pub fn join_children(&mut self, provisioning: &Provisioning) {
        let mut by_task: BTreeMap<Option<String>, Vec<(Stamp, Stamp, usize)>> = BTreeMap::new();
        for (at, own) in self.lifetimes.iter().enumerate() {
            by_task.entry(own.task.clone()).or_default().push((own.start.at, own.end.at, at));
        }
        let by_task: BTreeMap<Option<String>, Spans> = by_task
            .into_iter()
            .map(|(task, spans)| (task, Spans::new(spans.into_iter())))
            .collect();
        for child in &provisioning.children {
            if child.program != Some(Program::Sdclient) {
                continue;
            }
            let longest =
                child.exit.as_ref().map_or(SLACK * 9, |exit| exit.at.seconds_since(child.at));
            let (from, to) = (later(child.at, -SLACK), later(child.at, longest + SLACK));
            let own_task =
                by_task.get(&child.task).map_or(&[][..], |spans| spans.beginning(from, to));
            let no_task = by_task.get(&None).map_or(&[][..], |spans| spans.beginning(from, to));
            let free = |at: &usize| self.lifetimes[*at].start.known != Known::Parent;
            let found = own_task.iter().chain(no_task).map(|(_, _, at)| *at).find(free);
            let at = found.unwrap_or_else(|| {
                let (at, created) = (child.at, child.created);
                self.lifetimes.push(Lifetime::begun(Program::Sdclient, at, Known::Parent, created));
                self.lifetimes.len() - 1
            });
            self.join(at, child);
            if !self.lifetimes[at].messenger {
                self.add_step(at, Some(child));
            }
        }
    }

    /// One process, seen by its parent and in its own log.
    pub fn join(&mut self, at: usize, child: &Child) {
        let lifetime = &mut self.lifetimes[at];
        lifetime.start = End { at: child.at, known: Known::Parent, entry: child.created };
        lifetime.task = lifetime.task.take().or_else(|| child.task.clone());
        lifetime.messenger |= child.messenger;
        if let Some(exit) = &child.exit {
            // Its own lines after its parent's: the parent gave up on it, and it lives on.
            let lives_on = lifetime.end.at.seconds_since(exit.at) > SLACK;
            if !lives_on {
                lifetime.end = End { at: exit.at, known: Known::Parent, entry: exit.entry };
            }
        }
    }

    /// Makes a lifetime a step of a run.
    pub fn add_step(&mut self, at: usize, child: Option<&Child>) {
        let lifetime = &mut self.lifetimes[at];
        lifetime.step = Some(self.steps.len());
        let exit = child.and_then(|child| child.exit.as_ref());
        let mut codes = Vec::with_capacity(lifetime.codes.len() + usize::from(exit.is_some()));
        codes.extend(exit.map(|exit| (exit.code.clone(), exit.entry)));
        codes.extend(lifetime.codes.iter().cloned());
        let own_end = (!lifetime.traces.is_empty()).then_some(lifetime.end.at);
        self.steps.push(StepDraft {
            lifetime: at,
            at: lifetime.start.at,
            ended: exit.map(|exit| exit.at).or(own_end),
            codes,
            task_name: child
                .and_then(|child| child.task_name.clone())
                .or_else(|| lifetime.task_name.clone()),
        });
    }

    /// Deployments of policies: a state file of their task is there. A policy sync started
    /// those that begin in a sync or right after a policy arrived.
    /// Another process that works on a step's task is none of a policy by nearness alone.
    pub fn mark_policy_tasks(&mut self, syncs: &[Lifetime], provisioning: &Provisioning) {
        let step_tasks: BTreeSet<&str> =
            provisioning.children.iter().filter_map(|child| child.task.as_deref()).collect();
        let mut policy_tasks = BTreeSet::new();
        let mut arrivals = Vec::new();
        for entry in self.logs.sources.iter().flat_map(|log| &log.entries) {
            if let Event::TaskState(state) = &entry.event {
                policy_tasks.insert(state.task.as_str());
            } else if entry.event == Event::PolicyArrives {
                arrivals.extend(entry.stamp());
            }
        }
        arrivals.sort_unstable();
        for lifetime in &mut self.lifetimes {
            if lifetime.step.is_some() || lifetime.program != Program::Sdclient {
                continue;
            }
            let start = lifetime.start.at;
            let by_state = lifetime.task.as_deref().is_some_and(|task| policy_tasks.contains(task));
            let sync = &syncs[..syncs.partition_point(|sync| sync.start.at <= start)];
            let in_sync =
                sync.last().is_some_and(|sync| start.seconds_since(sync.end.at) <= SYNC_TAIL);
            let arrived = &arrivals[..arrivals.partition_point(|at| *at <= start)];
            let after_arrival =
                arrived.last().is_some_and(|at| start.seconds_since(*at) <= POLICY_FOLLOWS);
            let of_step = lifetime.task.as_deref().is_some_and(|task| step_tasks.contains(task));
            // A state file is there for a pushed task, too: it does not tell who started it.
            let by_sync = !of_step && (in_sync || after_arrival);
            lifetime.policy = by_state || by_sync;
            if by_sync {
                lifetime.launched_by = LaunchedBy::PolicySync;
            }
        }
    }

    /// Steps of which no parent is seen: all deployments where the provisioning agent's log is
    /// gone, those of a mapped task, and those after the place where its log was cut.
    pub fn adopt_unparented(&mut self, provisioning: &Provisioning, tasks: &Tasks) {
        let last_child = provisioning.children.iter().rfind(|child| child.program.is_some());
        let cut_at = last_child.filter(|child| child.exit.is_none()).map(|child| child.at);
        let parented: BTreeSet<&Option<String>> =
            provisioning.children.iter().map(|child| &child.task).collect();
        let is_mapped = |lifetime: &Lifetime| {
            lifetime.task.as_deref().is_some_and(|task| tasks.get(task).is_some())
        };
        // A mapping that knows tasks of this device knows those of all its templates.
        let mapping_decides = self.lifetimes.iter().any(is_mapped);
        for at in 0..self.lifetimes.len() {
            let lifetime = &self.lifetimes[at];
            let candidate = lifetime.program == Program::Sdclient
                && lifetime.step.is_none()
                && !lifetime.messenger;
            if !candidate || lifetime.task.is_none() {
                continue;
            }
            let unlaunched = lifetime.launched_by == LaunchedBy::Unknown;
            let has_parent = parented.contains(&lifetime.task);
            let unparented =
                last_child.is_none() || cut_at.is_some_and(|cut| lifetime.start.at > cut);
            let guessed = unparented && !mapping_decides && !lifetime.policy && unlaunched;
            if guessed || (is_mapped(lifetime) && (unparented || !has_parent)) {
                self.add_step(at, None);
            }
        }
    }

    /// When deployments were alive that a scan may wait for.
    pub fn deployment_spans(&self) -> Vec<Span> {
        let refused =
            |code: &ExitCode| self.formats.codes.meaning(code).class == CodeClass::AlreadyRunning;
        let by_code = |own: &Lifetime| {
            let step = own.step.and_then(|step| self.steps.get(step));
            let codes = own.codes.iter().chain(step.iter().flat_map(|step| &step.codes));
            codes.into_iter().any(|(code, _)| refused(code))
        };
        let holds = |lifetime: &&Lifetime| {
            lifetime.program == Program::Sdclient
                && !lifetime.messenger
                && lifetime.refused.is_none()
                && !by_code(lifetime)
        };
        self.lifetimes
            .iter()
            .filter(holds)
            .map(|own| Span { start: own.start.at, end: own.end.at })
            .collect()
    }
}
