//! What the provisioning agent's logs show: its children, its actions, its sessions.

use std::collections::BTreeMap;

use provtrace_parsers::code::ExitCode;
use provtrace_parsers::event::{ActionOutcome, Event};
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::stamp::Stamp;

use crate::ingest::DeviceLogs;
use crate::lifetime::{EntryRef, Program, Span};

/// A process that the provisioning agent started.
#[derive(Debug, Clone)]
pub struct Child {
    /// Which of our programs, if it is one.
    pub program: Option<Program>,
    /// The task id in its arguments.
    pub task: Option<String>,
    /// The task's name in its arguments.
    pub task_name: Option<String>,
    /// A status sender.
    pub messenger: bool,
    /// When it was started.
    pub at: Stamp,
    /// The record of its start.
    pub created: EntryRef,
    /// Its end, as its parent saw it.
    pub exit: Option<Exit>,
}

impl Child {
    /// From its start to its end, as its parent saw them; to its start if no end was seen.
    pub fn span(&self) -> Span {
        Span { start: self.at, end: self.exit.as_ref().map_or(self.at, |exit| exit.at) }
    }
}

/// A child's end.
#[derive(Debug, Clone)]
pub struct Exit {
    /// When.
    pub at: Stamp,
    /// Its exit code.
    pub code: ExitCode,
    /// The record.
    pub entry: EntryRef,
}

/// An action of a template.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// When it began.
    pub at: Stamp,
    /// Whether it installs the agent.
    pub installs_agent: bool,
    /// Its results, in order; each with when.
    pub results: Vec<(ActionOutcome, Stamp, EntryRef)>,
}

/// All that the provisioning logs of a device show, in order of time.
#[derive(Debug, Clone, Default)]
pub struct Provisioning {
    /// Children.
    pub children: Vec<Child>,
    /// Actions.
    pub actions: Vec<Action>,
    /// Names of the task, if the agent logged one.
    pub task_names: Vec<(Stamp, String)>,
    /// Whether there is such a log at all.
    pub logged: bool,
}

/// Reads the provisioning records of a device. A log that lies there twice counts once.
pub fn read(logs: &DeviceLogs, formats: &Formats) -> Provisioning {
    let mut all = Provisioning::default();
    let mut known_children = BTreeMap::new();
    let mut known_actions = BTreeMap::new();
    for (source, log) in logs.sources.iter().enumerate() {
        if log.kind != SourceKind::Provisioning {
            continue;
        }
        let one = read_log(logs, source, formats);
        all.logged |= one.logged;
        for child in one.children {
            let line = logs.entry(child.created).quote.text.clone();
            let place = *known_children.entry((child.at, line)).or_insert(all.children.len());
            match all.children.get_mut(place) {
                // The other copy may have been cut before the child's end.
                Some(known) => known.exit = known.exit.take().or(child.exit),
                None => all.children.push(child),
            }
        }
        for action in one.actions {
            let key = (action.at, action.name.clone());
            let place = *known_actions.entry(key).or_insert(all.actions.len());
            match all.actions.get_mut(place) {
                Some(known) if known.results.is_empty() => known.results = action.results,
                Some(_) => {}
                None => all.actions.push(action),
            }
        }
        all.task_names.extend(one.task_names);
    }
    all.children.sort_by_key(|child| (child.at, child.created));
    all.actions.sort_by_key(|action| action.at);
    all.task_names.sort();
    all
}

fn read_log(logs: &DeviceLogs, source: usize, formats: &Formats) -> Provisioning {
    let mut read = Provisioning::default();
    // Children that have not ended, by the thread that started them, the last one on top.
    let mut open: BTreeMap<(Option<u32>, Option<u32>), Vec<usize>> = BTreeMap::new();
    for (entry_at, entry) in logs.sources[source].entries.iter().enumerate() {
        let place = EntryRef { source, entry: entry_at };
        let Some(stamp) = entry.stamp else { continue };
        let thread = (entry.pid, entry.tid);
        match &entry.event {
            Event::ProcessCreated { program, arguments } => {
                open.entry(thread).or_default().push(read.children.len());
                read.children.push(child(formats, program, arguments, stamp, place));
            }
            Event::ProcessExited { code } => {
                if let Some(child) = open.get_mut(&thread).and_then(Vec::pop) {
                    let exit = Exit { at: stamp, code: code.clone(), entry: place };
                    read.children[child].exit = Some(exit);
                }
            }
            Event::ActionBegins { name } if !name.is_empty() => read.actions.push(Action {
                name: name.clone(),
                at: stamp,
                installs_agent: formats.agent_install.is_match(name),
                results: Vec::new(),
            }),
            Event::ActionResult { outcome } => {
                if let Some(action) = read.actions.last_mut() {
                    action.results.push((outcome.clone(), stamp, place));
                }
            }
            Event::TaskNamed { name } => read.task_names.push((stamp, name.clone())),
            Event::SessionBegins { .. }
            | Event::ActionBegins { .. }
            | Event::Alive
            | Event::RunStarts { .. }
            | Event::RunEnds { .. }
            | Event::ResultReported { .. }
            | Event::PackageNamed { .. }
            | Event::Refused { .. }
            | Event::Waits
            | Event::ScanStarts
            | Event::DownloadFailed
            | Event::Launched { .. }
            | Event::Armed { .. }
            | Event::Scheduled { .. }
            | Event::PolicyArrives
            | Event::HolderSeen
            | Event::TaskState(_)
            | Event::HostName { .. }
            | Event::TimeZone { .. } => {}
        }
        read.logged = true;
    }
    read
}

fn child(formats: &Formats, path: &str, arguments: &str, at: Stamp, created: EntryRef) -> Child {
    let known = &formats.arguments;
    let capture = |regex: &regex::Regex, name: &str| {
        Some(regex.captures(arguments)?.name(name)?.as_str().to_owned())
    };
    Child {
        program: Program::of_path(path),
        task: capture(&known.task, "task"),
        task_name: capture(&known.task_name, "name"),
        messenger: known.messenger.is_match(arguments),
        at,
        created,
        exit: None,
    }
}

impl Provisioning {
    /// The action that was current at a moment.
    pub fn action_at(&self, at: Stamp) -> Option<&Action> {
        let after = self.actions.partition_point(|action| action.at <= at);
        after.checked_sub(1).map(|index| &self.actions[index])
    }

    /// Moments at which an install of the agent ended, in order.
    pub fn agent_installs(&self) -> Vec<Stamp> {
        let mut installs = Vec::new();
        for (index, action) in self.actions.iter().enumerate() {
            if !action.installs_agent {
                continue;
            }
            let next = self.actions.get(index + 1).map(|next| next.at);
            let first = self.children.partition_point(|child| child.at < action.at);
            let inside = |child: &&Child| next.is_none_or(|next| child.at <= next);
            let children = self.children[first..].iter().take_while(inside);
            let exits = children.filter_map(|child| child.exit.as_ref());
            let exit =
                exits.map(|exit| exit.at).filter(|at| next.is_none_or(|next| *at <= next)).max();
            let result = action.results.iter().map(|(_, at, _)| *at).max();
            installs.extend(exit.max(result).or(next));
        }
        installs
    }
}
