//! vulscan.log: the scanner's records. The clues are rare among them, as in life.

use crate::catalog::{ALIVE, SCANNER_NOISE};
use crate::options::Options;
use crate::rng::Rng;
use crate::sheet::{Folder, Mark, Pen, Sheet, Stamp, Style};
use crate::story::{Origin, Process, ProcessId, Program, Story};

/// A record of the scanner is about this long with its stamp and line end.
const RECORD_BYTES: u64 = 85;

/// The log of all scans and patch steps of a device.
pub(crate) fn sheet(options: &Options, story: &Story, style: &Style) -> Option<Sheet> {
    let mut rng = Rng::stream(options.seed, story.index, "vulscan.log");
    let mut history = Rng::stream(options.seed, story.index, "vulscan.log history");
    let earlier = story.processes.iter().filter(|p| p.origin == Origin::EarlierLife).count();
    let dense = options.bulk_each.map(|bytes| bytes / RECORD_BYTES / (earlier.max(1) as u64));
    let mut pen = Pen::default();
    for (id, process) in story.of(Program::Vulscan) {
        if process.origin == Origin::EarlierLife {
            let mut writer = Writer { pen: &mut pen, rng: &mut history, style, story, id, process };
            writer.whole(dense);
        } else {
            Writer { pen: &mut pen, rng: &mut rng, style, story, id, process }.whole(None);
        }
    }
    if pen.records.is_empty() {
        return None;
    }
    let folder = if style.own_scan_folder { Folder::Scanner } else { Folder::Log };
    let mut sheet = Sheet::of_records(folder, "vulscan.log", pen.records);
    sheet.rolls = true;
    Some(sheet)
}

/// Writes one scan.
struct Writer<'a> {
    pen: &'a mut Pen,
    rng: &'a mut Rng,
    style: &'a Style,
    story: &'a Story,
    id: ProcessId,
    process: &'a Process,
}

impl Writer<'_> {
    fn whole(&mut self, dense: Option<u64>) {
        let started = self.process.started;
        let until = self.process.ended.unwrap_or(self.story.collected);
        let waited = self.process.waited_for;
        if self.style.markers {
            let line = format!("Command line: {}", command_line(self.process));
            self.line(started, line, Mark::Lives);
        }
        // The first signs of life come before the scanner looks around.
        let mut at = started;
        for _ in 0..self.rng.between(2, 4) {
            self.alive(at.min(until));
            at += if waited.is_some() { self.rng.between(0, 2) } else { 0 };
        }
        let begins = self.process.active_from.unwrap_or(until);
        if let Some(holder) = waited {
            self.waits(at.min(begins), begins, holder);
        }
        if self.process.active_from.is_some() {
            let from = if waited.is_some() { begins } else { at };
            self.scans(from.min(until), until, dense);
        }
        if let (Some(ended), Some(code), true) =
            (self.process.ended, self.process.exit, self.style.markers)
        {
            let line = format!("Exiting with return code {:#010x} ({}).", code, code & 0xffff);
            self.line(ended, line, Mark::Lives);
        }
    }

    fn line(&mut self, at: i64, text: impl Into<String>, mark: Mark) {
        self.pen.prove(at, Stamp::Rfc, text, self.id, mark);
    }

    fn alive(&mut self, at: i64) {
        let noise = self.style.noise && self.rng.percent(25);
        let text = *self.rng.pick(if noise { SCANNER_NOISE } else { ALIVE });
        self.line(at, text, Mark::Lives);
    }

    /// Full: it says so, again and again. Bare: silence.
    fn waits(&mut self, from: i64, until: i64, holder: ProcessId) {
        if !self.style.markers {
            return;
        }
        let other = &self.story.processes[holder];
        let exe = other.program.exe();
        let first = match self.style.version {
            0 => format!("Another task is running ({exe}), waiting"),
            1 => {
                format!("Another task is running: {exe} (pid {}), waiting for it to end", other.pid)
            }
            _ => format!("Found {exe} running; waiting for task to finish"),
        };
        self.line(from, first, Mark::Waits);
        let mut at = from + self.rng.between(20, 90);
        while at < until {
            self.line(at, format!("Still waiting for {exe} to finish"), Mark::Waits);
            // A hung step is waited for through hours.
            at += self.rng.between(30, 90).max((until - from) / 60);
        }
    }

    fn scans(&mut self, from: i64, until: i64, dense: Option<u64>) {
        if self.style.markers {
            self.line(from, "Starting scan", Mark::Lives);
        } else {
            self.alive(from);
        }
        if let Some(count) = dense {
            for step in 0..count as i64 {
                self.alive(from + step * (until - from) / count.max(1) as i64);
            }
            return;
        }
        let mut at = from;
        loop {
            let silent = self.rng.percent(6);
            at += if silent { self.rng.between(25, 60) } else { self.rng.between(1, 20) };
            if at >= until {
                break;
            }
            self.alive(at);
        }
        // Its last sign of life; a scan that was killed had no time for one.
        if self.process.exit.is_some() && self.process.ended.is_some() {
            self.alive(until);
        }
    }
}

/// The arguments with which the scanner was started.
pub(crate) fn command_line(process: &Process) -> String {
    match process.origin {
        Origin::Step => format!(
            "/taskid={} /repair \"group={}\" /rebootifneeded=false",
            process.task_id.unwrap_or(0),
            process.package
        ),
        Origin::WindowsTask => "/agenthealth /showui=false".to_owned(),
        Origin::FirstRun
        | Origin::Periodic
        | Origin::EarlierLife
        | Origin::Orphan
        | Origin::Enforce
        | Origin::Policy
        | Origin::Push => "/scan=0 /showui=false /reboot=never".to_owned(),
    }
}
