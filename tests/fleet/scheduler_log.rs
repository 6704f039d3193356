//! localsch.log, and the collector's list of the local scheduler's tasks.

use crate::clock::{MONTHS, civil};
use crate::options::Options;
use crate::provisioning::CLIENT;
use crate::rng::Rng;
use crate::scanner_log::command_line;
use crate::sheet::{Body, Folder, Mark, Pen, Sheet, Stamp, Style};
use crate::story::{Origin, Process, Program, Story};

/// The scheduler's own log; there is none where its wording is not known.
pub(crate) fn sheet(options: &Options, story: &Story, style: &Style) -> Option<Sheet> {
    let mut rng = Rng::stream(options.seed, story.index, "localsch.log");
    let mut pen = Pen::default();
    if style.markers {
        for arming in &story.armings {
            let task = task_number(arming.program, Origin::FirstRun);
            let exe = arming.program.exe();
            let text = if arming.harmless {
                format!("Task {task}: {CLIENT}\\{exe} added, start 01 Jan 3000 00:00:00")
            } else {
                let most = options.max_delay;
                format!(
                    "Task {task}: {CLIENT}\\{exe} filters passed, random delay 0-{most} minutes"
                )
            };
            pen.say(arming.at, Stamp::Rfc, text);
        }
        for (id, process) in story.processes.iter().enumerate() {
            if let Some(text) = launch(process) {
                pen.prove(process.started, Stamp::Rfc, text, id, Mark::Launched);
            }
        }
    }
    if style.noise {
        noise(story, &mut rng, &mut pen);
    }
    if pen.records.is_empty() {
        return None;
    }
    Some(Sheet::of_records(Folder::Client, "localsch.log", pen.records))
}

fn launch(process: &Process) -> Option<String> {
    match process.origin {
        Origin::FirstRun | Origin::Periodic | Origin::Enforce => {}
        Origin::Step
        | Origin::Orphan
        | Origin::Policy
        | Origin::Push
        | Origin::WindowsTask
        | Origin::EarlierLife => return None,
    }
    let arguments = match (process.program, process.origin) {
        (Program::Vulscan, _) => command_line(process),
        (Program::PolicySync, Origin::Enforce) => "/enforce".to_owned(),
        (Program::PolicySync | Program::Sdclient, _) => "/daily".to_owned(),
    };
    let task = task_number(process.program, process.origin);
    let exe = process.program.exe();
    Some(format!("Launching task {task}: {CLIENT}\\{exe} {arguments}, pid {}", process.pid))
}

fn task_number(program: Program, origin: Origin) -> u32 {
    match (program, origin == Origin::Enforce) {
        (Program::Vulscan, _) => 701,
        (Program::PolicySync, true) => 706,
        (Program::PolicySync | Program::Sdclient, _) => 704,
    }
}

fn noise(story: &Story, rng: &mut Rng, pen: &mut Pen) {
    for run in &story.runs {
        let Some(from) = run.agent_installed else {
            continue;
        };
        pen.say(from, Stamp::Rfc, "Local scheduler service started");
        let until = run.ended.unwrap_or(from + 3600).min(from + 3 * 3600);
        let mut at = from;
        while at < until {
            at += rng.between(120, 900);
            let text = *rng.pick(&[
                "Reloading tasks from registry",
                "Task 700: next run is later than now, sleeping",
                "Idle state changed",
                "IP address filter evaluated, no change",
            ]);
            pen.say(at.min(until), Stamp::Rfc, text);
        }
    }
}

/// The output of `LocalSch.exe /tasks` as a collector redirects it.
pub(crate) fn tasks(options: &Options, story: &Story) -> Option<Sheet> {
    let armed = story.armings.last()?;
    let c = civil(story.clock.local(armed.at));
    let start = if armed.harmless {
        "01 Jan 3000 00:00:00".to_owned()
    } else {
        let month = MONTHS[(c.month - 1) as usize];
        format!("{:02} {month} {} {:02}:{:02}:{:02}", c.day, c.year, c.hour, c.minute, c.second)
    };
    let most = options.max_delay;
    let mut text = String::from("Local scheduler tasks\n\n");
    for (task, exe, arguments, frequency, delay) in [
        (701, "vulscan.exe", "/scan=0 /showui=false /reboot=never", 86_400, true),
        (704, "PolicySync.exe", "/daily", 86_400, true),
        (706, "PolicySync.exe", "/enforce", 3600, false),
        (712, "LDISCN32.EXE", "/V /F", 86_400, true),
    ] {
        let delay = if delay { format!(" /autodelay=\"0|{most}\"") } else { String::new() };
        text.push_str(&format!(
            "/exe=\"{CLIENT}\\{exe}\" /cmd=\"{arguments}\" /start=\"{start}\" /freq={frequency}{delay} /taskid={task}\n"
        ));
    }
    Some(Sheet {
        folder: Folder::Collector,
        name: "LocalSchedulerTasks.log".to_owned(),
        rolls: false,
        body: Body::Text { text, utf16: true, proves: Vec::new() },
    })
}
