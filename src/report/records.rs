//! `events`: what was read, record by record, as it was read.

use std::io::Write;

use provtrace_parsers::engine::{Line, Outcome};
use provtrace_parsers::event::{ActionOutcome, Arming, Event, Mark, TaskLaunch};
use provtrace_parsers::format::Format;

use crate::block::{Block, Sink};
use crate::clock;
use crate::report::plain::harmless;

/// Writes each line of a source as it is read.
pub struct Records<'a> {
    /// The source's name.
    pub path: &'a str,
    /// Its format.
    pub format: &'a Format,
    /// Also lines that are no event.
    pub all: bool,
    /// Where to write.
    pub out: &'a mut dyn Write,
    /// The first error of the writer; what follows isn't written.
    pub failed: Option<std::io::Error>,
}

impl Sink for Records<'_> {
    fn line(&mut self, line: &Line<'_>, block: &mut Block<'_>) {
        if self.failed.is_some() || !(self.all || line.outcome == Outcome::Event) {
            return;
        }
        let (_, _, text) = block.quote(line.offset, line.raw.len());
        let says = match (&line.event, line.outcome) {
            (Some(event), _) => event.word(),
            (None, Outcome::Noise | Outcome::Event) => "noise",
            (None, Outcome::Continued) => "continued",
            (None, Outcome::Unknown) => "unknown",
        };
        let mark = self.format.mark_of(line.rule, line.layout);
        let mark = mark.or(line.event.as_ref().and_then(Event::mark)).map_or("-", Mark::word);
        let stamp = line.stamp.map_or_else(|| "-".to_owned(), clock::date_and_time);
        let detail = line.event.as_ref().map(detail).unwrap_or_default();
        let written = writeln!(
            self.out,
            "{}:{}\t{stamp}\t{says}\t{mark}\t{}\t{}",
            harmless(self.path),
            line.number,
            harmless(&detail),
            harmless(&text),
        );
        self.failed = written.err();
    }

    fn end_block(&mut self, _block: &mut Block<'_>) {}
}

/// The event's fields.
fn detail(event: &Event) -> String {
    match event {
        Event::Alive
        | Event::Waits
        | Event::ScanStarts
        | Event::DownloadFailed
        | Event::PolicyArrives
        | Event::HolderSeen => String::new(),
        Event::SessionBegins { core } => core.clone().unwrap_or_default(),
        Event::ActionBegins { name }
        | Event::TaskNamed { name }
        | Event::PackageNamed { name }
        | Event::HostName { name } => name.clone(),
        Event::ActionResult { outcome } => match outcome {
            ActionOutcome::Code(code) => format!("0x{:08X}", code.value),
            ActionOutcome::Success => "success".to_owned(),
            ActionOutcome::Failed => "failed".to_owned(),
        },
        Event::ProcessCreated(child) => format!("{} {}", child.program, child.arguments),
        Event::ProcessExited { code } | Event::ResultReported { code } => {
            format!("0x{:08X}", code.value)
        }
        Event::RunStarts { arguments } => arguments.clone().unwrap_or_default(),
        Event::RunEnds { code } => {
            code.as_ref().map(|code| format!("0x{:08X}", code.value)).unwrap_or_default()
        }
        Event::Refused { holder } => holder.clone().unwrap_or_default(),
        Event::Launched(launch) => {
            let TaskLaunch { task, program, pid, .. } = &**launch;
            let pid = pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
            format!("task {task} {program}{pid}")
        }
        Event::Armed(arming) => {
            let Arming { task, program, delay } = &**arming;
            let delay =
                delay.map(|(least, most)| format!(" {least}-{most} min")).unwrap_or_default();
            format!("task {task} {program}{delay}")
        }
        Event::Scheduled(entered) => format!("{} {}", entered.program, entered.start),
        Event::TaskState(state) => {
            let code = state
                .code
                .as_ref()
                .map(|code| format!(" 0x{:08X}", code.value))
                .unwrap_or_default();
            format!("task {} status {}{code}", state.task, state.status.unwrap_or(0))
        }
        Event::Monitored { program } => program.clone(),
        Event::LastStarted { ticks } | Event::LastDuration { ticks } => ticks.to_string(),
        Event::ProcessSeen(seen) => {
            let by = seen.launcher.map_or("", |launcher| launcher.word());
            format!("{} pid {} {by}", seen.program, seen.pid).trim_end().to_owned()
        }
        Event::TimeZone { offset_minutes, name } => {
            let offset =
                offset_minutes.map(|minutes| format!("{minutes:+} min ")).unwrap_or_default();
            format!("{offset}{name}")
        }
    }
}
