//! What the provisioning agent's logs show: its children, its actions, its sessions.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::ExitCode;
use provtrace_parsers::event::{ActionOutcome, Creation, Event};
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::stamp::Stamp;

use crate::lifetime::{EntryRef, Program, Span};
use crate::logs::{DeviceLogs, SourceLog};
use crate::sequence::in_file_order;

/// A process that the provisioning agent started.
#[derive(Debug, Clone)]
pub struct Child {
    /// The program, as the log prints it.
    pub path: String,
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
    /// The record of that.
    pub entry: EntryRef,
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
    /// Ends and results whose beginning no log shows.
    pub unpaired: u64,
    /// Events that could not be used, since no stamp stands before them.
    pub without_stamp: u64,
}

/// Reads the provisioning records of a device. A log that rolled is read as one, and one that
/// lies there twice counts once.
pub fn read(logs: &DeviceLogs, formats: &Formats) -> Provisioning {
    let mut read = Provisioning::default();
    let provisioning = logs.sources.iter().filter(|log| log.kind == SourceKind::Provisioning);
    let families: BTreeSet<String> = provisioning.map(family).collect();
    for name in families {
        let own = |log: &SourceLog| log.kind == SourceKind::Provisioning && family(log) == name;
        read_family(logs, &in_file_order(logs, own), formats, &mut read);
    }
    read.children.sort_by_key(|child| (child.at, child.created));
    read.actions.sort_by_key(|action| action.at);
    read.task_names.sort();
    read
}

/// Stands behind the path of a file that is gone.
pub const GONE: &str = " (until ";

/// The name that a log and its rolled files share, wherever they lie: in an archive, too, or in a store that
/// knows until when one was there.
fn family(log: &SourceLog) -> String {
    let path = log.member.as_ref().unwrap_or(&log.path);
    let path = path.split(GONE).next().unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    name.chars().filter(|c| c.is_alphabetic()).collect()
}

fn read_family(logs: &DeviceLogs, places: &[EntryRef], formats: &Formats, read: &mut Provisioning) {
    // Children that have not ended, by the thread that started them, the last one on top.
    let mut open: BTreeMap<(Option<u32>, Option<u32>), Vec<usize>> = BTreeMap::new();
    let first_action = read.actions.len();
    for place in places {
        let entry = logs.entry(*place);
        let thread = (entry.pid, entry.tid);
        let Some(stamp) = entry.stamp() else {
            read.without_stamp += u64::from(entry.event != Event::Alive);
            continue;
        };
        if let Event::ProcessCreated(created) = &entry.event {
            open.entry(thread).or_default().push(read.children.len());
            read.children.push(child(formats, created, stamp, *place));
        } else if let Event::ProcessExited { code } = &entry.event {
            match open.get_mut(&thread).and_then(Vec::pop) {
                Some(child) => {
                    let exit = Exit { at: stamp, code: code.clone(), entry: *place };
                    read.children[child].exit = Some(exit);
                }
                None => read.unpaired += 1,
            }
        } else if let Event::ActionBegins { name } = &entry.event
            && !name.is_empty()
        {
            let installs: &regex::Regex = &formats.agent_install.pattern;
            let installs_agent = installs.is_match(name);
            let (name, results) = (name.clone(), Vec::new());
            read.actions.push(Action { name, at: stamp, entry: *place, installs_agent, results });
        } else if let Event::ActionResult { outcome } = &entry.event {
            match read.actions[first_action..].last_mut() {
                Some(action) => action.results.push((outcome.clone(), stamp, *place)),
                None => read.unpaired += 1,
            }
        } else if let Event::TaskNamed { name } = &entry.event {
            read.task_names.push((stamp, name.clone()));
        }
    }
}

fn child(formats: &Formats, creation: &Creation, at: Stamp, created: EntryRef) -> Child {
    let Creation { program: path, arguments } = creation;
    let known = &formats.arguments;
    Child {
        path: path.clone(),
        program: Program::of_path(path),
        task: known.task_of(arguments).map(str::to_owned),
        task_name: known.task_name_of(arguments).map(str::to_owned),
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
