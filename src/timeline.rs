//! A device's records → lifetimes of processes and steps of runs, on one axis.

use std::collections::BTreeMap;

use provtrace_parsers::code::ExitCode;
use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::stamp::Stamp;

use crate::ingest::DeviceLogs;
use crate::lifetime::{
    End, EntryRef, Hints, Known, LaunchedBy, Lifetime, Program, Span, own_lifetimes,
};
use crate::provision::{self, Child, Provisioning};
use crate::run::{self, Run, Step, StepDraft};
use crate::tasks::Tasks;

/// How far a parent's clock reading and its child's first line may lie apart, in seconds.
const SLACK: i64 = 3;
/// How long after its launch a program writes its first line, in seconds.
const FIRST_LINE: i64 = 30;
/// How long after a policy arrived its task starts, in seconds.
const POLICY_FOLLOWS: i64 = 120;
/// How long after a policy sync's end its task starts, in seconds.
const SYNC_TAIL: i64 = 10;
/// How long after a deployment's end a scan that waited writes its first line, in seconds.
const WAKE: i64 = 15;

/// What the scheduler's log says of arming.
#[derive(Debug, Clone)]
pub struct Armed {
    /// When.
    pub at: Stamp,
    /// Which of our programs.
    pub program: Program,
    /// The longest random delay in minutes.
    pub delay_max: Option<u32>,
    /// A start so far away that it never comes, such as the year 3000.
    pub never: bool,
}

/// One device's story.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// All processes, in order of start.
    pub lifetimes: Vec<Lifetime>,
    /// All steps, in order of start.
    pub steps: Vec<Step>,
    /// The runs.
    pub runs: Vec<Run>,
    /// When the agent was installed, in order.
    pub installs: Vec<Stamp>,
    /// What was armed, in order.
    pub armed: Vec<Armed>,
}

/// Builds the story of a device.
pub fn build(logs: &DeviceLogs, formats: &Formats, tasks: &Tasks) -> Timeline {
    let provisioning = provision::read(logs, formats);
    let armed = armed(logs);
    let mut installs = provisioning.agent_installs();
    if installs.is_empty() {
        installs = armed.iter().map(|armed| armed.at).collect();
        installs.dedup();
    }
    let syncs = own_lifetimes(
        logs,
        Program::PolicySync,
        &records(logs, SourceKind::Policysync, None),
        &Hints::default(),
    );
    let mut draft = Draft {
        logs,
        formats,
        lifetimes: deployments(logs, formats, &provisioning),
        steps: Vec::new(),
    };
    draft.join_children(&provisioning);
    draft.mark_policy_tasks(&syncs);
    draft.adopt_unparented(&provisioning, tasks);
    let spans = draft.deployment_spans();
    draft.add_scans(&provisioning, spans, &installs, &armed);
    draft.lifetimes.extend(syncs);
    let steps = std::mem::take(&mut draft.steps);
    let (lifetimes, steps) = in_order(draft.lifetimes, steps);
    let (runs, steps) = run::divide(&lifetimes, steps, &provisioning, tasks, &logs.device);
    Timeline { lifetimes, steps, runs, installs, armed }
}

struct Draft<'l> {
    logs: &'l DeviceLogs,
    formats: &'l Formats,
    lifetimes: Vec<Lifetime>,
    steps: Vec<StepDraft>,
}

/// The records of a kind of source, in order of time; of one task if `task` is given.
fn records(logs: &DeviceLogs, kind: SourceKind, task: Option<&Option<String>>) -> Vec<EntryRef> {
    let mut places = Vec::new();
    for (source, log) in logs.sources.iter().enumerate() {
        if log.kind == kind && task.is_none_or(|task| *task == log.task) {
            places.extend((0..log.entries.len()).map(|entry| EntryRef { source, entry }));
        }
    }
    // Within one second the order in the file is the order.
    places.sort_by_key(|place| (logs.entry(*place).stamp, *place));
    places
}

fn armed(logs: &DeviceLogs) -> Vec<Armed> {
    let mut armed = Vec::new();
    for place in records(logs, SourceKind::Localsch, None) {
        let entry = logs.entry(place);
        let Some(at) = entry.stamp else { continue };
        let (program, delay_max, never) = match &entry.event {
            Event::Armed { program, delay, .. } => (program, delay.map(|(_, most)| most), false),
            Event::Scheduled { program, start } => (program, None, is_never(start)),
            _other => continue,
        };
        if let Some(program) = Program::of_path(program) {
            armed.push(Armed { at, program, delay_max, never });
        }
    }
    armed
}

/// `01 Jan 3000 00:00:00`: the workaround's way to say never.
fn is_never(start: &str) -> bool {
    let year = start.split_whitespace().nth(2).and_then(|year| year.parse::<u32>().ok());
    year.is_some_and(|year| year >= 2900)
}

/// Lifetimes of sdclient, from its logs: one group of files a task, and the log of all tasks.
fn deployments(logs: &DeviceLogs, formats: &Formats, provisioning: &Provisioning) -> Vec<Lifetime> {
    let mut lifetimes = Vec::new();
    let mut groups: Vec<Option<String>> = logs
        .sources
        .iter()
        .filter(|log| log.kind == SourceKind::Sdclient)
        .map(|log| log.task.clone())
        .collect();
    groups.sort();
    groups.dedup();
    // The log of all tasks (`None`) comes last: it only fills what the task logs leave open.
    let general = usize::from(groups.first() == Some(&None));
    groups.rotate_left(general);
    for task in groups {
        let same_task = |child: &&Child| {
            child.program == Some(Program::Sdclient) && (task.is_none() || child.task == task)
        };
        let starts = provisioning.children.iter().filter(same_task).map(|child| child.at).collect();
        let hints = Hints { starts, deployments: Vec::new() };
        let entries = records(logs, SourceKind::Sdclient, Some(&task));
        let mut own = own_lifetimes(logs, Program::Sdclient, &entries, &hints);
        for lifetime in &mut own {
            lifetime.task = task.clone();
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

fn read_arguments(logs: &DeviceLogs, formats: &Formats, lifetime: &mut Lifetime) {
    let known = &formats.arguments;
    for place in &lifetime.traces {
        let Event::RunStarts { arguments: Some(arguments) } = &logs.entry(*place).event else {
            continue;
        };
        lifetime.messenger |= known.messenger.is_match(arguments);
        let capture = |regex: &regex::Regex, name: &str| {
            Some(regex.captures(arguments)?.name(name)?.as_str().to_owned())
        };
        lifetime.task = lifetime.task.take().or_else(|| capture(&known.task, "task"));
        lifetime.task_name =
            lifetime.task_name.take().or_else(|| capture(&known.task_name, "name"));
    }
}

/// Adds what the log of all tasks shows beyond the task logs.
fn fill(lifetimes: &mut Vec<Lifetime>, general: Vec<Lifetime>) {
    let known = lifetimes.len();
    for other in general {
        let near = |own: &Lifetime| {
            own.covers(Stamp(other.start.at.0 - SLACK * 1000), Stamp(other.end.at.0 + SLACK * 1000))
        };
        let same = lifetimes[..known]
            .iter_mut()
            .find(|own| own.task == other.task && other.task.is_some() && near(own));
        if let Some(own) = same {
            own.refused = own.refused.or(other.refused);
            own.codes.extend(other.codes);
            continue;
        }
        if other.messenger || !lifetimes[..known].iter().any(near) {
            lifetimes.push(other);
        }
    }
}

impl Draft<'_> {
    /// Ties the provisioning agent's children to the lifetimes in their own logs.
    fn join_children(&mut self, provisioning: &Provisioning) {
        for child in &provisioning.children {
            if child.program != Some(Program::Sdclient) {
                continue;
            }
            let found = self.lifetimes.iter().position(|own| {
                let late = child
                    .exit
                    .as_ref()
                    .map_or(SLACK * 10, |exit| exit.at.seconds_since(child.at) + SLACK);
                let after = own.start.at.seconds_since(child.at);
                own.step.is_none()
                    && own.start.known != Known::Parent
                    && (own.task == child.task || own.task.is_none())
                    && (-SLACK..=late).contains(&after)
            });
            let at = found.unwrap_or_else(|| {
                self.lifetimes.push(Lifetime::begun(
                    Program::Sdclient,
                    child.at,
                    Known::Parent,
                    child.created,
                ));
                self.lifetimes.len() - 1
            });
            self.join(at, child);
            if !self.lifetimes[at].messenger {
                self.add_step(at, Some(child));
            }
        }
    }

    /// One process, seen by its parent and in its own log.
    fn join(&mut self, at: usize, child: &Child) {
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

    fn add_step(&mut self, at: usize, child: Option<&Child>) {
        let lifetime = &mut self.lifetimes[at];
        lifetime.step = Some(self.steps.len());
        let exit = child.and_then(|child| child.exit.as_ref());
        let mut codes: Vec<(ExitCode, EntryRef)> =
            exit.map(|exit| (exit.code.clone(), exit.entry)).into_iter().collect();
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

    /// Deployments that a policy sync started: the state file of a policy task says so, or
    /// they begin in a sync or right after a policy arrived.
    fn mark_policy_tasks(&mut self, syncs: &[Lifetime]) {
        let mut policy_tasks = Vec::new();
        let mut arrivals = Vec::new();
        for entry in self.logs.sources.iter().flat_map(|log| &log.entries) {
            match &entry.event {
                Event::TaskState(state) => policy_tasks.push(state.task.as_str()),
                Event::PolicyArrives => arrivals.extend(entry.stamp),
                _other => {}
            }
        }
        for lifetime in &mut self.lifetimes {
            if lifetime.step.is_some() || lifetime.program != Program::Sdclient {
                continue;
            }
            let start = lifetime.start.at;
            let by_state =
                lifetime.task.as_deref().is_some_and(|task| policy_tasks.contains(&task));
            let in_sync = syncs.iter().any(|sync| {
                sync.start.at <= start && start.seconds_since(sync.end.at) <= SYNC_TAIL
            });
            let after_arrival =
                arrivals.iter().any(|at| (0..=POLICY_FOLLOWS).contains(&start.seconds_since(*at)));
            if by_state || in_sync || after_arrival {
                lifetime.launched_by = LaunchedBy::PolicySync;
            }
        }
    }

    /// Steps of which no parent is seen: all deployments where the provisioning agent's log is
    /// gone, those of a mapped task, and those after the place where its log was cut.
    fn adopt_unparented(&mut self, provisioning: &Provisioning, tasks: &Tasks) {
        let last_child = provisioning.children.iter().rfind(|child| child.program.is_some());
        let cut_at = last_child.filter(|child| child.exit.is_none()).map(|child| child.at);
        for at in 0..self.lifetimes.len() {
            let lifetime = &self.lifetimes[at];
            let candidate = lifetime.program == Program::Sdclient
                && lifetime.step.is_none()
                && !lifetime.messenger;
            if !candidate || lifetime.task.is_none() {
                continue;
            }
            let mapped = lifetime.task.as_deref().is_some_and(|task| tasks.get(task).is_some());
            let unparented =
                last_child.is_none() || cut_at.is_some_and(|cut| lifetime.start.at > cut);
            if mapped || (unparented && lifetime.launched_by != LaunchedBy::PolicySync) {
                self.add_step(at, None);
            }
        }
    }

    /// When deployments were alive that a scan may wait for.
    fn deployment_spans(&self) -> Vec<Span> {
        let holds = |lifetime: &&Lifetime| {
            lifetime.program == Program::Sdclient
                && !lifetime.messenger
                && lifetime.refused.is_none()
        };
        self.lifetimes
            .iter()
            .filter(holds)
            .map(|own| Span { start: own.start.at, end: own.end.at })
            .collect()
    }

    fn add_scans(
        &mut self,
        provisioning: &Provisioning,
        spans: Vec<Span>,
        installs: &[Stamp],
        armed: &[Armed],
    ) {
        let hints = Hints { starts: Vec::new(), deployments: spans };
        let entries = records(self.logs, SourceKind::Vulscan, None);
        let mut scans = own_lifetimes(self.logs, Program::Vulscan, &entries, &hints);
        for scan in &mut scans {
            read_arguments(self.logs, self.formats, scan);
        }
        let launches = join_launches(self.logs, &mut scans, &hints.deployments);
        name_launcher(&mut scans, &launches, installs, armed);
        let first_scan = self.lifetimes.len();
        self.lifetimes.extend(scans);
        for child in &provisioning.children {
            if child.program != Some(Program::Vulscan) {
                continue;
            }
            let found = (first_scan..self.lifetimes.len()).find(|at| {
                let own = &self.lifetimes[*at];
                let after = own.start.at.seconds_since(child.at);
                own.step.is_none()
                    && own.program == Program::Vulscan
                    && (-SLACK..=FIRST_LINE).contains(&after)
            });
            let at = found.unwrap_or_else(|| {
                self.lifetimes.push(Lifetime::begun(
                    Program::Vulscan,
                    child.at,
                    Known::Parent,
                    child.created,
                ));
                self.lifetimes.len() - 1
            });
            self.join(at, child);
            self.add_step(at, Some(child));
        }
    }
}

/// A launch by the scheduler.
struct Launch {
    at: Stamp,
    task: String,
    entry: EntryRef,
}

/// Ties the scheduler's launches to scans; a launch without a trace of its scan stays as it is.
fn join_launches(
    logs: &DeviceLogs,
    scans: &mut Vec<Lifetime>,
    deployments: &[Span],
) -> Vec<Launch> {
    let mut launches = Vec::new();
    for place in records(logs, SourceKind::Localsch, None) {
        let entry = logs.entry(place);
        let (Event::Launched { task, program, pid, .. }, Some(at)) = (&entry.event, entry.stamp)
        else {
            continue;
        };
        if Program::of_path(program) != Some(Program::Vulscan) {
            continue;
        }
        launches.push(Launch { at, task: task.clone(), entry: place });
        let free = |scan: &Lifetime| scan.start.known != Known::Scheduler;
        let soon = scans.iter().position(|scan| {
            free(scan) && (-SLACK..=FIRST_LINE).contains(&scan.start.at.seconds_since(at))
        });
        let held = deployments.iter().find(|span| span.start <= at && at <= span.end);
        let woken = || {
            let end = held?.end;
            scans.iter().position(|scan| {
                free(scan) && (-1..=WAKE).contains(&scan.start.at.seconds_since(end))
            })
        };
        let start = End { at, known: Known::Scheduler, entry: place };
        if let Some(scan) = soon.or_else(woken) {
            let scan = &mut scans[scan];
            if soon.is_none() {
                scan.waited = true;
                scan.active = scan.active.or(Some((scan.start.at, scan.start.entry)));
            }
            scan.start = End { at: at.min(scan.start.at), ..start };
            scan.pid = scan.pid.or(*pid);
        } else {
            let mut scan = Lifetime::begun(Program::Vulscan, at, Known::Scheduler, place);
            scan.pid = *pid;
            scans.push(scan);
        }
    }
    launches
}

/// The scheduler's first run is blamed only on evidence: an install, a launch of that task
/// within the window of the random delay, and no launch of it between the two.
fn name_launcher(scans: &mut [Lifetime], launches: &[Launch], installs: &[Stamp], armed: &[Armed]) {
    for scan in scans {
        let Some(launch) = launches.iter().find(|launch| launch.entry == scan.start.entry) else {
            continue;
        };
        scan.launched_by = LaunchedBy::LocalScheduler;
        let Some(install) = installs.iter().rfind(|install| **install <= launch.at) else {
            continue;
        };
        let window =
            armed.iter().rfind(|armed| armed.program == Program::Vulscan && armed.at <= launch.at);
        let minutes = i64::from(window.and_then(|armed| armed.delay_max).unwrap_or(60));
        let in_window = launch.at.seconds_since(*install) <= minutes * 60 + 120;
        let first = !launches
            .iter()
            .any(|other| other.task == launch.task && *install <= other.at && other.at < launch.at);
        if in_window && first {
            scan.launched_by = LaunchedBy::LocalSchedulerFirstRun;
        }
    }
}

/// Lifetimes and steps in order of start, the steps' references led along.
fn in_order(
    lifetimes: Vec<Lifetime>,
    mut steps: Vec<StepDraft>,
) -> (Vec<Lifetime>, Vec<StepDraft>) {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|at| {
        (lifetimes[*at].start.at, lifetimes[*at].program, lifetimes[*at].start.entry)
    });
    let new_place: BTreeMap<usize, usize> =
        order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let mut old: Vec<Option<Lifetime>> = lifetimes.into_iter().map(Some).collect();
    let mut lifetimes: Vec<Lifetime> = order.iter().filter_map(|at| old[*at].take()).collect();
    for step in &mut steps {
        step.lifetime = new_place[&step.lifetime];
    }
    steps.sort_by_key(|step| (step.at, step.lifetime));
    for (at, step) in steps.iter().enumerate() {
        lifetimes[step.lifetime].step = Some(at);
    }
    (lifetimes, steps)
}
