//! sdclient_task<ID>.log, one a task, and sdclient.log with the status senders.

use crate::catalog::DEPLOY_NOISE;
use crate::options::Options;
use crate::rng::Rng;
use crate::sheet::{Folder, Mark, Pen, Sheet, Stamp, Style};
use crate::story::{Origin, Process, ProcessId, Program, Story};
use std::collections::BTreeMap;

/// All task logs of a device.
pub(crate) fn sheets(options: &Options, story: &Story, style: &Style) -> Vec<Sheet> {
    let mut rng = Rng::stream(options.seed, story.index, "sdclient_task");
    let mut pens: BTreeMap<u32, Pen> = BTreeMap::new();
    for (id, process) in story.of(Program::Sdclient) {
        let Some(task) = process.task_id else {
            continue;
        };
        let pen = pens.entry(task).or_default();
        Writer { pen, rng: &mut rng, style, story, id, process }.whole();
    }
    pens.into_iter()
        .map(|(task, pen)| {
            let name = format!("sdclient_task{task}.log");
            let mut sheet = Sheet::of_records(Folder::Data, &name, pen.records);
            sheet.rolls = true;
            sheet
        })
        .collect()
}

/// The client's general log: status senders, and what no task owns.
pub(crate) fn general(story: &Story, style: &Style) -> Option<Sheet> {
    let mut pen = Pen::default();
    for run in &story.runs {
        for child in run.acts.iter().flat_map(|act| &act.children) {
            if !child.arguments.starts_with("/msg=") {
                continue;
            }
            if style.markers {
                pen.say(child.started, Stamp::Rfc, format!("Command line: {}", child.arguments));
            }
            if style.noise {
                pen.say(child.started, Stamp::Rfc, "Status text handed to custjob");
            }
        }
    }
    if pen.records.is_empty() {
        return None;
    }
    Some(Sheet::of_records(Folder::Client, "sdclient.log", pen.records))
}

/// Writes one run of sdclient.
struct Writer<'a> {
    pen: &'a mut Pen,
    rng: &'a mut Rng,
    style: &'a Style,
    story: &'a Story,
    id: ProcessId,
    process: &'a Process,
}

impl Writer<'_> {
    fn whole(&mut self) {
        let process = self.process;
        if self.style.markers {
            let line = format!("Command line: {}", command_line(process));
            self.line(process.started, line, Mark::Lives);
        }
        if process.refused {
            self.refusal();
        } else {
            self.work();
        }
        if let (Some(ended), Some(code)) = (process.ended, process.exit) {
            self.result(ended, code);
        }
    }

    fn line(&mut self, at: i64, text: impl Into<String>, mark: Mark) {
        self.pen.prove(at, Stamp::Rfc, text, self.id, mark);
    }

    fn refusal(&mut self) {
        if !self.style.markers {
            return;
        }
        let other = self
            .process
            .refused_by
            .first()
            .map_or(Program::Sdclient, |id| self.story.processes[*id].program);
        let exe = other.exe();
        let text = match self.style.version {
            0 => "Unable to start: a task is already running".to_owned(),
            1 => format!("Found another instance of {exe} is running, exiting"),
            _ => format!("Exiting, task already in progress ({exe})"),
        };
        self.line(self.process.started, text, Mark::Refused);
    }

    fn work(&mut self) {
        let (started, package) = (self.process.started, self.process.package.clone());
        let until = self.process.ended.unwrap_or(self.story.collected);
        let file = package.to_ascii_lowercase().replace([' ', '(', ')'], "");
        let task = self.process.task_id.unwrap_or(0);
        if self.style.markers {
            self.line(started, format!("Processing package {package}"), Mark::Lives);
        }
        let cache = format!("Downloading to sdmcache: http://{}/pkg/{file}.exe", self.style.core);
        self.line(started + 1, cache, Mark::Lives);
        let download_fails = self.process.exit.is_some_and(|code| code >> 16 == 0x8DAC);
        let mut at = started + 2;
        loop {
            at += self.rng.between(3, 38).max((until - started) / 60);
            if at >= until {
                break;
            }
            if self.style.noise {
                let text = *self.rng.pick(DEPLOY_NOISE);
                self.line(at, text, Mark::Lives);
            } else if at < started + (until - started) / 3 {
                self.line(at, format!("sdmcache: {file}.exe, task {task}"), Mark::Lives);
            }
        }
        if download_fails && self.process.ended.is_some() {
            let text = format!("Download Error for http://{}/pkg/{file}.exe", self.style.core);
            self.line(until, text, Mark::Lives);
        }
    }

    fn result(&mut self, ended: i64, code: u32) {
        let mark = if self.process.refused { Mark::Refused } else { Mark::Lives };
        let signed = code.cast_signed();
        let low = code & 0xffff;
        let task = self.process.task_id.unwrap_or(0);
        let device = &self.story.name;
        if self.style.markers {
            let line = format!(
                "processing of package is complete, result {signed} ({code:#010x} - code {low})"
            );
            self.line(ended, line, mark);
        } else {
            self.line(ended, "processing of package is complete", Mark::Lives);
        }
        let status = format!("Sending task status task={task} -retcode {signed}");
        self.line(ended, status, mark);
        let again = format!(
            "Sending task status ldap=\"CN={device},OU=Clients,DC=corp\" task={task} -retcode {signed}"
        );
        self.line(ended, again, mark);
    }
}

fn command_line(process: &Process) -> String {
    let task = process.task_id.unwrap_or(0);
    match process.origin {
        Origin::Policy => format!("/taskid={task} /policy /noui"),
        Origin::Push => format!("/taskid={task} /push /core"),
        Origin::Orphan => format!("/taskid={task} /child /noui"),
        Origin::Step
        | Origin::FirstRun
        | Origin::Periodic
        | Origin::Enforce
        | Origin::WindowsTask
        | Origin::EarlierLife => format!("/taskid={task} /provisioning /noui /bandwidth=lan"),
    }
}
