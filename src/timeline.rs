//! A device's records → lifetimes of processes and steps of runs, on one axis.

use provtrace_parsers::code::ExitCode;
use provtrace_parsers::event::{Creation, Event};
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::stamp::Stamp;

use crate::deployment::{Draft, deployments};
use crate::lifetime::{Lifetime, Program};
use crate::logs::DeviceLogs;
use crate::provision::{self, Provisioning};
use crate::run::{self, Run, Step, StepDraft};
use crate::scan::Armed;
use crate::sequence::records;
use crate::tasks::Tasks;
use crate::trace::{Hints, own_lifetimes};
use crate::witness::witnesses;

/// The random delay of the scheduler's tasks where no log shows another, in minutes [doc].
const DEFAULT_DELAY: u32 = 60;

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
    /// The longest random delay of the scheduler's tasks in minutes: as a log shows it, else 60.
    pub delay: u32,
    /// What the provisioning agent's logs show.
    pub provisioning: Provisioning,
    /// Whether the scan or the policy sync is armed for a day that never comes: the vendor's
    /// workaround is in force. `None` where no log shows how they were armed in a run, before its last step.
    pub workaround: Option<bool>,
    /// What of the provisioning logs could not be used.
    pub warnings: Vec<String>,
}

impl Timeline {
    /// The code that a deployment ended with: its step's, which its parent saw, before its own log's.
    pub fn code_of<'t>(&'t self, deployment: &'t Lifetime) -> Option<&'t ExitCode> {
        let step = deployment.step.and_then(|step| self.steps.get(step));
        let by_step = step.and_then(|step| step.codes.first());
        by_step.or(deployment.codes.last()).map(|(code, _)| code)
    }
}

/// Builds the story of a device.
pub fn build(logs: &DeviceLogs, formats: &Formats, tasks: &Tasks) -> Timeline {
    let provisioning = provision::read(logs, formats);
    let armed = armed(logs, formats);
    let seen = witnesses(logs, formats);
    let mut installs = provisioning.agent_installs();
    if installs.is_empty() {
        // A task passes its filters anew each day; only the first time can be the install's.
        installs.extend(armed.iter().find_map(|armed| armed.at));
    }
    let sync_records = records(logs, SourceKind::Policysync);
    let syncs = own_lifetimes(logs, Program::PolicySync, &sync_records, &Hints::default());
    let mut draft = Draft {
        logs,
        formats,
        lifetimes: deployments(logs, formats, &provisioning),
        steps: Vec::new(),
    };
    draft.join_children(&provisioning);
    draft.mark_policy_tasks(&syncs, &provisioning);
    draft.add_witnesses(Program::Sdclient, &seen, &installs, &armed);
    draft.adopt_unparented(&provisioning, tasks);
    draft.add_scans(&provisioning, &installs, &armed);
    draft.add_witnesses(Program::Vulscan, &seen, &installs, &armed);
    draft.lifetimes.extend(syncs);
    draft.add_witnesses(Program::PolicySync, &seen, &installs, &armed);
    draft.add_task_states();
    let steps = std::mem::take(&mut draft.steps);
    let (lifetimes, steps) = in_order(draft.lifetimes, steps);
    let (runs, steps) = run::divide(&lifetimes, steps, &provisioning, tasks, &logs.device);
    let workaround = workaround(&armed, &runs, &steps);
    let warnings = warnings(&provisioning, &logs.device);
    let delay = armed.iter().filter_map(|armed| armed.delay_max).max().unwrap_or(DEFAULT_DELAY);
    Timeline { lifetimes, steps, runs, installs, delay, provisioning, workaround, warnings }
}

fn warnings(provisioning: &Provisioning, device: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let Provisioning { unpaired, without_stamp, .. } = provisioning;
    if *unpaired > 0 {
        warnings.push(format!(
            "{device}: {unpaired} ends or results in the provisioning logs have no beginning there"
        ));
    }
    if *without_stamp > 0 {
        warnings.push(format!("{device}: {without_stamp} events in the provisioning logs have no time and were not used"));
    }
    warnings
}

/// See [`Timeline::workaround`]. The real agent, which a template with the workaround installs
/// as its last action, arms them after the last step: that says nothing of the run's steps.
fn workaround(armed: &[Armed], runs: &[Run], steps: &[Step]) -> Option<bool> {
    if armed.iter().any(|armed| armed.never) {
        return Some(true);
    }
    let spans = runs.iter().enumerate().filter_map(|(at, run)| {
        let after = steps.partition_point(|step| step.run <= at);
        let last = steps.get(after.checked_sub(1)?).filter(|step| step.run == at)?;
        Some(run.from..=last.at)
    });
    let armings: Vec<Stamp> = armed.iter().filter_map(|armed| armed.at).collect();
    let is_armed = |span: std::ops::RangeInclusive<Stamp>| {
        let next = armings.partition_point(|at| at < span.start());
        armings.get(next).is_some_and(|at| span.contains(at))
    };
    { spans }.any(is_armed).then_some(false)
}

/// Tasks that the scheduler's log shows as armed, or that provisioning entered with its
/// command line.
fn armed(logs: &DeviceLogs, formats: &Formats) -> Vec<Armed> {
    let mut armed = Vec::new();
    let mut places = records(logs, SourceKind::Localsch);
    places.extend(records(logs, SourceKind::Provisioning));
    for place in places {
        let entry = logs.entry(place);
        let entered = entered(&entry.event, formats);
        let event = entered.as_ref().unwrap_or(&entry.event);
        let (program, delay_max, never) = if let Event::Armed(arming) = event {
            (&arming.program, arming.delay.map(|(_, most)| most), false)
        } else if let Event::Scheduled(entered) = event {
            (&entered.program, None, is_never(&entered.start))
        } else {
            continue;
        };
        if let Some(program) = Program::of_path(program) {
            armed.push(Armed { at: entry.stamp(), program, delay_max, never });
        }
    }
    armed.sort_by_key(|armed| armed.at);
    armed
}

/// What a child of the provisioning agent enters in the scheduler: `localsch.exe /exe=… /start=…`.
fn entered(event: &Event, formats: &Formats) -> Option<Event> {
    let Event::ProcessCreated(created) = event else { return None };
    let Creation { program, arguments } = &**created;
    let name = program.trim_matches('"').rsplit(['\\', '/']).next()?;
    if !name.eq_ignore_ascii_case("localsch.exe") {
        return None;
    }
    let formats = formats.formats.iter().filter(|format| format.kind == SourceKind::Localsch);
    let rules = formats.flat_map(|format| &format.rules);
    let mut entering = rules.filter(|rule| rule.means == Meaning::Scheduled);
    entering.find_map(|rule| rule.read(arguments)).flatten()
}

/// `01 Jan 3000 00:00:00`: the workaround's way to say never.
fn is_never(start: &str) -> bool {
    let year = start.split_whitespace().nth(2).and_then(|year| year.parse::<u32>().ok());
    year.is_some_and(|year| year >= 2900)
}

/// Lifetimes and steps in order of start, the steps' references led along.
fn in_order(
    mut lifetimes: Vec<Lifetime>,
    mut steps: Vec<StepDraft>,
) -> (Vec<Lifetime>, Vec<StepDraft>) {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|at| {
        (lifetimes[*at].start.at, lifetimes[*at].program, lifetimes[*at].start.entry)
    });
    let mut places = vec![0; order.len()];
    for (new, old) in order.into_iter().enumerate() {
        places[old] = new;
    }
    for step in &mut steps {
        step.lifetime = places[step.lifetime];
    }
    // In place: a device may have tens of thousands.
    for at in 0..places.len() {
        while places[at] != at {
            let place = places[at];
            lifetimes.swap(at, place);
            places.swap(at, place);
        }
    }
    steps.sort_by_key(|step| (step.at, step.lifetime));
    for (at, step) in steps.iter().enumerate() {
        lifetimes[step.lifetime].step = Some(at);
    }
    (lifetimes, steps)
}
