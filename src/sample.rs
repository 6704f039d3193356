//! Lines of some devices, kept to learn from: the last ones of each log.

use std::collections::VecDeque;

use provtrace_parsers::engine::{Line, Outcome};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Format, Formats, SourceKind};
use provtrace_parsers::stamp::Stamp;
use provtrace_parsers::text;

use crate::block::{Block, Sink};
use crate::dates::DateOrders;
use crate::discover::Device;
use crate::ingest::read_source;

/// Lines that are kept of a log.
const OF_A_LOG: usize = 3_000;
/// The longest line that is kept, in bytes.
const LONGEST: usize = 1_000;

/// A line.
#[derive(Debug, Clone)]
pub struct SampleLine {
    /// From 1.
    pub number: u64,
    /// Its own stamp, as the log prints it.
    pub stamp: Option<Stamp>,
    /// Process id in its envelope.
    pub pid: Option<u32>,
    /// Thread id in its envelope.
    pub tid: Option<u32>,
    /// What it says, if that is known.
    pub event: Option<Event>,
    /// Whether it is known.
    pub known: bool,
    /// The line.
    pub text: Box<str>,
    /// Where its message begins in it.
    message_at: usize,
}

impl SampleLine {
    /// What stands behind its envelope.
    pub fn message(&self) -> &str {
        self.text.get(self.message_at..).unwrap_or_default()
    }
}

/// A log.
#[derive(Debug, Clone)]
pub struct SampleLog {
    /// Which device, in order.
    pub device: usize,
    /// As it is shown.
    pub path: String,
    /// The name of its format.
    pub format: String,
    /// Whose traces its lines are.
    pub kind: SourceKind,
    /// The task id in its name.
    pub task: Option<String>,
    /// Its last lines, in order.
    pub lines: Vec<SampleLine>,
}

/// Whether logs of a kind are learned from: those that agents write in words of their own.
fn is_learned_from(kind: SourceKind) -> bool {
    match kind {
        SourceKind::Provisioning
        | SourceKind::Sdclient
        | SourceKind::Vulscan
        | SourceKind::Localsch
        | SourceKind::Policysync => true,
        SourceKind::PolicyStatus
        | SourceKind::Registry
        | SourceKind::EventLog
        | SourceKind::DeviceFacts => false,
    }
}

/// Reads a device's logs that can be read; what can't be is the report's business.
pub fn of_device(number: usize, device: &Device, formats: &Formats) -> Vec<SampleLog> {
    let mut dates = DateOrders::new(device, formats);
    let mut buffer = Vec::new();
    let mut logs = Vec::new();
    for source in &device.sources {
        let format = &formats.formats[source.format];
        // Lists of tasks are the scheduler's, too, and hold no stamps.
        if !is_learned_from(format.kind) || format.stamps.is_empty() {
            continue;
        }
        let mut keeper = Keeper { format, lines: VecDeque::new() };
        let read = read_source(source, format, &mut dates, &mut buffer, &mut keeper, &|_| {});
        if read.is_ok() && !keeper.lines.is_empty() {
            logs.push(SampleLog {
                device: number,
                path: source.shown.clone(),
                format: format.name.clone(),
                kind: format.kind,
                task: source.task.clone(),
                lines: keeper.lines.into(),
            });
        }
    }
    device.release();
    logs
}

/// Keeps the last lines of a log.
struct Keeper<'f> {
    format: &'f Format,
    lines: VecDeque<SampleLine>,
}

impl Sink for Keeper<'_> {
    fn line(&mut self, line: &Line<'_>, _block: &mut Block<'_>) {
        if line.outcome == Outcome::Continued || line.raw.is_empty() {
            return;
        }
        if self.lines.len() == OF_A_LOG {
            self.lines.pop_front();
        }
        let raw = &line.raw[..line.raw.len().min(LONGEST)];
        let message_at = line.message_at.min(raw.len());
        let (before, message) = raw.split_at(message_at);
        // Each part on its own: bytes of a code page are other ones in a text.
        let before = text::decode(before, self.format.code_page);
        let message = text::decode(message, self.format.code_page);
        self.lines.push_back(SampleLine {
            number: line.number,
            stamp: line.layout.and(line.stamp),
            pid: line.pid,
            tid: line.tid,
            event: line.event.clone(),
            known: matches!(line.outcome, Outcome::Event | Outcome::Noise),
            message_at: before.len(),
            text: format!("{before}{message}").into(),
        });
    }

    fn end_block(&mut self, _block: &mut Block<'_>) {}
}
