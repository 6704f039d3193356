//! The story judged: incidents, near misses, other failures. Nothing here looks at a log.

use crate::story::{
    Act, ActKind, Origin, Process, ProcessId, Program, Run, State, Story, is_success,
};
use std::collections::BTreeMap;

/// A refused step.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) run: usize,
    pub(crate) act: usize,
    /// The refused sdclient.
    pub(crate) refused: ProcessId,
    /// Who held, if anybody did.
    pub(crate) blocker: Option<ProcessId>,
    pub(crate) mechanism: &'static str,
}

/// A scan or a policy task that came close and refused nobody.
#[derive(Clone, Debug)]
pub(crate) struct NearMiss {
    pub(crate) run: usize,
    pub(crate) process: ProcessId,
    pub(crate) kind: &'static str,
}

/// All refused steps of a device, in order.
pub(crate) fn incidents(story: &Story) -> Vec<Incident> {
    let mut found = Vec::new();
    for (run, record) in story.runs.iter().enumerate() {
        for (act, attempt) in record.acts.iter().enumerate() {
            let Some(refused) = attempt.process.filter(|id| story.processes[*id].refused) else {
                continue;
            };
            let blocker = story.processes[refused].refused_by.first().copied();
            let mechanism = mechanism(blocker.map(|id| &story.processes[id]));
            found.push(Incident { run, act, refused, blocker, mechanism });
        }
    }
    found
}

fn mechanism(blocker: Option<&Process>) -> &'static str {
    let Some(blocker) = blocker else {
        return "unattributed";
    };
    match (blocker.program, blocker.origin) {
        (Program::Sdclient, Origin::Policy | Origin::Push) => "policy_task",
        (Program::Vulscan, _) if blocker.waited_for.is_some() => "scan_waited",
        (Program::Vulscan, _) => "scan_running",
        (Program::Sdclient | Program::PolicySync, _) => "sdclient_running",
    }
}

/// The report's word for who launched a process.
pub(crate) fn launched_by(process: &Process) -> &'static str {
    match process.origin {
        Origin::FirstRun => "local_scheduler_first_run",
        Origin::Periodic | Origin::Enforce | Origin::EarlierLife => "local_scheduler",
        Origin::Policy => "policy_sync",
        Origin::Push => "core_push",
        Origin::WindowsTask => "windows_task",
        Origin::Step | Origin::Orphan => "unknown",
    }
}

/// Intruders that lived among the steps of a run and refused none of them.
pub(crate) fn near_misses(story: &Story) -> Vec<NearMiss> {
    let mut found = Vec::new();
    for (run, record) in story.runs.iter().enumerate() {
        let steps: Vec<&Act> = record.acts.iter().filter(|act| act.ordinal > 0).collect();
        let Some(last) = steps.last() else {
            continue;
        };
        let from = record.agent_installed.unwrap_or(record.started);
        // A step that was cut off ends with the device.
        let until =
            last.process.and_then(|id| story.processes[id].ended).unwrap_or(story.collected);
        for (id, process) in story.processes.iter().enumerate() {
            let intrudes = match process.program {
                Program::Vulscan => process.origin != Origin::Step,
                Program::Sdclient => process.origin != Origin::Step && !process.refused,
                Program::PolicySync => false,
            };
            if !intrudes || process.started < from || process.started >= until {
                continue;
            }
            if !steps.iter().any(|act| names(story, act, id)) {
                let kind = kind(story, record, &steps, process);
                found.push(NearMiss { run, process: id, kind });
            }
        }
    }
    found
}

fn names(story: &Story, act: &Act, id: ProcessId) -> bool {
    act.process.is_some_and(|own| story.processes[own].refused_by.contains(&id))
}

fn kind(story: &Story, run: &Run, steps: &[&Act], process: &Process) -> &'static str {
    let ended = process.ended.unwrap_or(i64::MAX);
    let starts: Vec<(i64, &Act)> = steps
        .iter()
        .filter_map(|act| act.process.map(|id| (story.processes[id].started, *act)))
        .filter(|(started, _)| *started > process.started)
        .collect();
    let inside = starts.iter().find(|(started, _)| *started <= ended);
    match inside {
        Some((_, act)) if act.kind == ActKind::Patch => "patch_waited",
        Some(_) => "overlap",
        None if !starts.is_empty() && process.exit.is_none() => "killed",
        None if !starts.is_empty() => "ended_before_next_step",
        None => match run.state {
            State::Finished => "last_step",
            State::Failed => "run_stopped",
            State::Cut => "run_cut",
            State::Hung => "run_hung",
        },
    }
}

/// Failed attempts for other reasons: code -> how many.
pub(crate) fn other_failures(story: &Story) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    for act in story.runs.iter().flat_map(|run| &run.acts) {
        let refused = act.process.is_some_and(|id| story.processes[id].refused);
        if let Some(code) = act.exit.filter(|code| !refused && !is_success(*code)) {
            *counts.entry(code).or_insert(0) += 1;
        }
    }
    counts
}
