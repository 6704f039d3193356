//! ldProvision.log with the pairs of created processes and exit codes, and ProvisionGUI.exe.log
//! with the actions' names and results.

use crate::options::Options;
use crate::rng::Rng;
use crate::sheet::{Folder, Mark, Pen, Sheet, Stamp, Style};
use crate::steps::status_sender;
use crate::story::{Act, ActKind, Child, Run, State, Story, is_success};
use crate::template::Template;

const NOISE: &[&str] = &[
    "Checking for pending actions",
    "Downloading http://core/LdLogon/Provisioning/actions.xml",
    "GetActionStatus returned 0",
    "Waiting for network, 1 adapter is up",
    "Variable ldHostname resolved",
    "Self-test of handler passed",
];

/// The agent's own log.
pub(crate) fn agent(
    options: &Options,
    templates: &[Template],
    story: &Story,
    style: &Style,
) -> Sheet {
    let mut rng = Rng::stream(options.seed, story.index, "ldProvision.log");
    let mut pen = Pen::default();
    for run in &story.runs {
        let mut session = 0;
        for act in &run.acts {
            let stamp = Stamp::IsoPid(act.agent_pid, act.agent_pid + 4, "ldProvision");
            if session != act.agent_pid {
                session = act.agent_pid;
                pen.say(act.started - 2, stamp, format!("Using {} for Core", style.core));
                pen.say(act.started - 1, stamp, "SMBios service not running");
                if options.task_names {
                    let template = &templates[run.template].name;
                    let day = chrono::DateTime::from_timestamp(run.started, 0).unwrap_or_default();
                    let name = format!("{template} {} {}", story.name, day.format("%Y-%m-%d"));
                    pen.say(act.started - 1, stamp, format!("Task name: {name}"));
                }
            }
            if style.noise {
                pen.say(act.started, stamp, *rng.pick(NOISE));
            }
            children(&mut pen, story, act, stamp);
            let long = act.ended.is_some_and(|ended| ended - act.started > 60);
            if act.ordinal > 0 && long && rng.percent(10) {
                let middle = act.started + rng.between(20, 40);
                aside(&mut pen, act, status_sender(middle, &act.name, true));
            }
            if style.noise && rng.percent(40) {
                let at = act.ended.unwrap_or(act.started + 5);
                pen.say(at, stamp, *rng.pick(NOISE));
            }
        }
        if let (Some(ended), true, Some(act)) = (run.ended, style.noise, run.acts.last()) {
            let stamp = Stamp::IsoPid(act.agent_pid, act.agent_pid + 4, "ldProvision");
            pen.say(ended, stamp, "Session ends, removing working folder");
        }
    }
    Sheet::of_records(Folder::Provisioning, "ldProvision.log", pen.records)
}

fn children(pen: &mut Pen, story: &Story, act: &Act, stamp: Stamp) {
    for child in &act.children {
        if child.aside {
            continue;
        }
        let refused = child.process.is_some_and(|id| story.processes[id].refused);
        pair(pen, child, stamp, refused);
    }
}

/// A sender from another thread of the agent, in the middle of a step: its pair lies inside the step's.
fn aside(pen: &mut Pen, act: &Act, child: Child) {
    let stamp = Stamp::IsoPid(act.agent_pid, act.agent_pid + 52, "ldProvision");
    pair(pen, &child, stamp, false);
}

fn pair(pen: &mut Pen, child: &Child, stamp: Stamp, refused: bool) {
    let create = format!("Create process ({}) with args ({})", child.exe, child.arguments);
    let exit = child.exit.map(|code| format!("Process exit code:{}", code.cast_signed()));
    let ended = child.ended.unwrap_or(child.started);
    match child.process {
        Some(id) => {
            pen.prove(child.started, stamp, create, id, Mark::Lives);
            if let Some(text) = exit {
                let mark = if refused { Mark::Refused } else { Mark::Lives };
                pen.prove(ended, stamp, text, id, mark);
            }
        }
        None => {
            pen.say(child.started, stamp, create);
            if let Some(text) = exit {
                pen.say(ended, stamp, text);
            }
        }
    }
}

/// The window's log: which action is current, and what came of it.
pub(crate) fn window(options: &Options, story: &Story, style: &Style) -> Sheet {
    let mut rng = Rng::stream(options.seed, story.index, "ProvisionGUI.exe.log");
    let mut pen = Pen::default();
    for run in &story.runs {
        let mut section = 1;
        for (position, act) in run.acts.iter().enumerate() {
            let stamp = Stamp::IsoPid(act.agent_pid + 40, act.agent_pid + 48, "ProvisionGUI");
            pen.say(act.started, stamp, announcement(style, position, act));
            result(&mut pen, act, stamp);
            if act.kind == ActKind::Reboot {
                section += 1;
                let text = format!(
                    "Recieved command to set print: <ActionStatus><ActionType>Vboot</ActionType><ParentActionID>{section}</ParentActionID></ActionStatus>"
                );
                pen.say(act.started + 1, stamp, text);
            }
            if act.ordinal > 0 && rng.percent(12) {
                let text = format!(
                    "Section status <ParentActionID>{section}</ParentActionID><Result>SUCCESS</Result>"
                );
                pen.say(act.ended.unwrap_or(act.started), stamp, text);
            }
        }
        close(&mut pen, run);
    }
    Sheet::of_records(Folder::Provisioning, "ProvisionGUI.exe.log", pen.records)
}

fn announcement(style: &Style, position: usize, act: &Act) -> String {
    if style.xml_actions {
        return format!(
            "Recieved command to set print: <Action><ActionId>{}</ActionId><ActionName>{}</ActionName></Action>",
            position + 1,
            act.name.replace('&', "&amp;")
        );
    }
    format!("Recieved command to set print: Action\n{}", act.name)
}

fn result(pen: &mut Pen, act: &Act, stamp: Stamp) {
    let (Some(ended), Some(code)) = (act.ended, act.exit) else {
        return;
    };
    if act.kind == ActKind::Reboot {
        return;
    }
    // An If action's result is an answer, not a failure.
    let code = if act.kind == ActKind::Condition { 1 } else { code };
    let word =
        if is_success(code) || act.kind == ActKind::Condition { "SUCCESS" } else { "FAILED" };
    pen.say(ended, stamp, format!("return:{}", code.cast_signed()));
    pen.say(ended, stamp, word);
}

/// Roll-up records: they repeat a failure and are none of their own.
fn close(pen: &mut Pen, run: &Run) {
    let (Some(ended), Some(act)) = (run.ended, run.acts.last()) else {
        return;
    };
    let stamp = Stamp::IsoPid(act.agent_pid + 40, act.agent_pid + 48, "ProvisionGUI");
    let failed = run.state == State::Failed;
    let word = if failed { "FAILED" } else { "SUCCESS" };
    pen.say(
        ended,
        stamp,
        format!("Template status <ParentActionID>0</ParentActionID><Result>{word}</Result>"),
    );
    if failed {
        pen.say(ended, stamp, "Failed processing section 5 <ParentActionID>5</ParentActionID>");
    }
}

/// A helper of Windows PE that prints plain sentences without any time.
pub(crate) fn helper(story: &Story, style: &Style) -> Option<Sheet> {
    let mut pen = Pen::default();
    for act in story.runs.iter().flat_map(|run| &run.acts) {
        if act.kind == ActKind::Other {
            pen.say(act.started, Stamp::None, format!("Handler started for {}", act.name));
            pen.say(act.started + 1, Stamp::None, "could not open smbios service");
            pen.say(act.started + 1, Stamp::None, "Handler finished");
        }
    }
    if pen.records.is_empty() || !style.noise {
        return None;
    }
    Some(Sheet::of_records(Folder::Provisioning, "ldProvisionHandler.log", pen.records))
}
