//! PolicySync.exe.log and the status files of policy tasks.

use crate::options::Options;
use crate::rng::Rng;
use crate::sheet::{Body, Folder, Mark, Pen, Sheet, Stamp, Style};
use crate::story::{Origin, Process, Program, Story, is_success};
use std::collections::BTreeMap;

const NOISE: &[&str] = &[
    "Requesting policies for device",
    "Policy response contains 4 entries",
    "ClientPolicyStore opened, schema 3",
    "Portal cache is up to date",
    "Targeted user list is empty",
];

/// The log of all policy syncs.
pub(crate) fn sheet(options: &Options, story: &Story, style: &Style) -> Option<Sheet> {
    let mut rng = Rng::stream(options.seed, story.index, "PolicySync.exe.log");
    let mut pen = Pen::default();
    for (id, process) in story.of(Program::PolicySync) {
        let info = Stamp::Rolling(process.pid, 1, "INFO");
        let started = process.started;
        let argument = if process.origin == Origin::Enforce { " /enforce" } else { "" };
        pen.prove(started, info, format!("Run PolicySync{argument}"), id, Mark::Lives);
        let until = process.ended.unwrap_or(story.collected);
        let mut at = started;
        loop {
            at += rng.between(1, 12);
            if at >= until || !style.noise {
                break;
            }
            let level = *rng.pick(&["INFO", "DEBUG", "DEBUG", "WARN"]);
            pen.say(at, Stamp::Rolling(process.pid, 5, level), *rng.pick(NOISE));
        }
        found(story, process, &mut pen);
        let looks = rng.percent(70);
        let moment = (started + rng.between(4, 12)).min(until);
        if looks && somebody_lives(story, moment) {
            let text = "PolicyScrubber.ScrubPolicies: sdclient or vulscan is currently running, skipping scrub";
            pen.say(moment, info, text);
        }
        if process.exit.is_some() && process.ended.is_some() {
            pen.prove(until, info, "Exit PolicySync", id, Mark::Lives);
        }
    }
    if pen.records.is_empty() {
        return None;
    }
    Some(Sheet::of_records(Folder::Log, "PolicySync.exe.log", pen.records))
}

/// The download of a policy comes just before the sdclient that it starts.
fn found(story: &Story, process: &Process, pen: &mut Pen) {
    let until = process.ended.unwrap_or(story.collected);
    for (_, task) in story.of(Program::Sdclient) {
        let own = task.origin == Origin::Policy
            && task.started > process.started
            && task.started <= until;
        if own && process.found_policy {
            let number = task.task_id.unwrap_or(0);
            pen.say(
                task.started - 2,
                Stamp::Rolling(process.pid, 7, "INFO"),
                format!("WriteNewPolicies.DownLoadPolicyFile: CP.{number}.RunNow.xml"),
            );
        }
    }
}

fn somebody_lives(story: &Story, at: i64) -> bool {
    story.processes.iter().any(|process| {
        process.program != Program::PolicySync
            && process.started < at
            && process.ended.is_none_or(|ended| ended > at)
    })
}

/// One XML file a policy task: the state of its last run.
pub(crate) fn states(story: &Story) -> Vec<Sheet> {
    let mut last: BTreeMap<u32, &Process> = BTreeMap::new();
    for (_, process) in story.of(Program::Sdclient) {
        if let (Origin::Policy | Origin::Push, Some(task)) = (process.origin, process.task_id) {
            last.insert(task, process);
        }
    }
    last.into_iter()
        .map(|(task, process)| {
            let code = process.exit.unwrap_or(0);
            let status = match (process.ended, is_success(code)) {
                (None, _) => 3,
                (Some(_), true) => 4,
                (Some(_), false) => 5,
            };
            let began = story.clock.believed_utc(process.started);
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<PolicyStatusInfo>\n  <TaskIdn>{task}</TaskIdn>\n  <Status>{status}</Status>\n  <ReturnCode>{}</ReturnCode>\n  <LastRunTime>{began}</LastRunTime>\n</PolicyStatusInfo>\n",
                code.cast_signed()
            );
            Sheet {
                folder: Folder::Policies,
                name: format!("CP.{task}.RunNow.stat"),
                rolls: false,
                body: Body::Text { text, utf16: false, proves: Vec::new() },
            }
        })
        .collect()
}
