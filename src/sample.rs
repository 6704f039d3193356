//! Lines of some devices, kept to learn from: the last ones of each log, within a budget.

use std::collections::{BTreeMap, VecDeque};

use provtrace_parsers::engine::{Line, Outcome};
use provtrace_parsers::event::Mark;
use provtrace_parsers::format::{Format, Formats, SourceKind};
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::stamp::Stamp;
use provtrace_parsers::text;

use crate::block::{Block, Sink};
use crate::dates::DateOrders;
use crate::discover::{Device, Source};
use crate::ingest::read_source;
#[cfg(test)]
use crate::paths::Given;
use crate::room::MOST_OF_SIZE;

/// Lines that are kept of a log.
const OF_A_LOG: usize = 3_000;
/// The longest line that is kept, in bytes.
const LONGEST: usize = 1_000;
/// What lines of all devices may take, in bytes.
const ROOM: usize = 96 << 20;
/// What each line takes beside its text, the allocator's share included.
const OF_A_LINE: usize = size_of::<SampleLine>() + 16;

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
    /// The rule that knows it.
    pub rule: Option<usize>,
    /// What it says, if that is known.
    pub means: Option<Meaning>,
    /// Whether it is known: its text is not kept then.
    pub known: bool,
    /// Whether a learned layout reads its stamp.
    foreign: bool,
    text: Box<str>,
    /// Where its message begins in it.
    message_at: usize,
}

impl SampleLine {
    /// What stands behind its envelope; empty for a line that is known.
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
    /// Whether its stamps are learned ones. Where an agent changed its words in the middle of a log,
    /// there are two of it.
    pub foreign: bool,
    /// Its last lines, in order.
    pub lines: Vec<SampleLine>,
    /// Lines before these that there was no room for.
    pub dropped: u64,
}

/// Some of many, spread over all of them.
pub fn spread<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let count = all.len().min(most);
    (0..count).map(move |at| &all[at * all.len() / count])
}

/// A device's logs that can be learned from: those that agents write in words of their own.
pub fn learned_from<'d>(device: &'d Device, formats: &Formats) -> impl Iterator<Item = &'d Source> {
    device.sources.iter().filter(|source| {
        let format = &formats.formats[source.format];
        // Lists of tasks are the scheduler's, too, and hold no stamps.
        is_learned_from(format.kind) && !format.stamps.is_empty()
    })
}

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

/// Reads the logs of one of so many devices; what can't be read is the report's business.
pub fn of_device(
    number: usize,
    device: &Device,
    formats: &Formats,
    devices: usize,
    progress: &dyn Fn(u64),
) -> Vec<SampleLog> {
    let mut dates = DateOrders::new(device, formats);
    let mut buffer = Vec::new();
    let mut logs = Vec::new();
    let mut room = Room::of(device, formats, ROOM / devices.max(1));
    for source in learned_from(device, formats) {
        let format = &formats.formats[source.format];
        let mut keeper = Keeper::new(format, room.of_next(source.format));
        let read = read_source(source, format, &mut dates, &mut buffer, &mut keeper, progress);
        room.take(source.format, keeper.bytes);
        if read.is_err() {
            continue;
        }
        let dropped = keeper.dropped;
        let (foreign, known): (Vec<_>, Vec<_>) =
            keeper.lines.into_iter().partition(|line| line.foreign);
        for (lines, foreign) in [(known, false), (foreign, true)] {
            if !lines.is_empty() {
                logs.push(SampleLog {
                    device: number,
                    path: source.shown.clone(),
                    format: format.name.clone(),
                    kind: format.kind,
                    task: source.task.clone(),
                    foreign,
                    lines,
                    dropped,
                });
            }
        }
    }
    device.release();
    logs
}

/// What a device's lines may take: the same for each format, and for each log of one; what a format
/// or a log leaves is there for others.
struct Room {
    /// By format: bytes, and logs to come.
    formats: BTreeMap<usize, (usize, usize)>,
}

impl Room {
    fn of(device: &Device, formats: &Formats, bytes: usize) -> Room {
        // By format: what its logs may need, and how many there are.
        let mut of: BTreeMap<usize, (u64, usize)> = BTreeMap::new();
        for source in learned_from(device, formats) {
            let own = of.entry(source.format).or_default();
            // What a packed log needs, its size doesn't tell.
            let size = if source.member.is_some() { u64::MAX } else { source.bytes };
            *own = (own.0.saturating_add(size.saturating_mul(MOST_OF_SIZE as u64)), own.1 + 1);
        }
        let mut order: Vec<(usize, (u64, usize))> = of.into_iter().collect();
        order.sort_by_key(|(_, (needs, _))| *needs);
        let mut left = bytes;
        let mut formats = BTreeMap::new();
        for (at, (format, (needs, logs))) in order.iter().enumerate() {
            let share = left / (order.len() - at);
            let own = share.min(usize::try_from(*needs).unwrap_or(share));
            left -= own;
            formats.insert(*format, (own, *logs));
        }
        Room { formats }
    }

    fn of_next(&self, format: usize) -> usize {
        self.formats.get(&format).map_or(0, |(bytes, logs)| bytes / (*logs).max(1))
    }

    fn take(&mut self, format: usize, bytes: usize) {
        if let Some(own) = self.formats.get_mut(&format) {
            *own = (own.0.saturating_sub(bytes), own.1.saturating_sub(1));
        }
    }
}

/// Keeps the last lines of a log.
struct Keeper<'f> {
    format: &'f Format,
    lines: VecDeque<SampleLine>,
    bytes: usize,
    room: usize,
    dropped: u64,
}

impl Keeper<'_> {
    fn new(format: &Format, room: usize) -> Keeper<'_> {
        Keeper { format, lines: VecDeque::new(), bytes: 0, room, dropped: 0 }
    }
}

impl Sink for Keeper<'_> {
    fn line(&mut self, line: &Line<'_>, _block: &mut Block<'_>) {
        if line.outcome == Outcome::Continued || line.raw.is_empty() {
            return;
        }
        let known = matches!(line.outcome, Outcome::Event | Outcome::Noise);
        let (before, message) =
            if known { (String::new(), String::new()) } else { self.text(line) };
        let layout = line.layout.and_then(|at| self.format.stamps.get(at));
        let rule = line.rule.filter(|_| line.event.is_some());
        let own = SampleLine {
            number: line.number,
            stamp: line.layout.and(line.stamp),
            pid: line.pid,
            tid: line.tid,
            rule: line.rule,
            means: rule.and_then(|at| self.format.rules.get(at)).map(|rule| rule.means),
            known,
            foreign: layout.is_some_and(|layout| layout.mark == Mark::Learned),
            message_at: before.len(),
            text: (before + &message).into(),
        };
        self.bytes += OF_A_LINE + own.text.len();
        self.lines.push_back(own);
        while self.lines.len() > OF_A_LOG || self.bytes > self.room {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= OF_A_LINE + first.text.len();
            self.dropped += 1;
        }
    }

    fn end_block(&mut self, _block: &mut Block<'_>) {}
}

impl Keeper<'_> {
    /// Each part on its own: bytes of a code page are other ones in a text.
    fn text(&self, line: &Line<'_>) -> (String, String) {
        let raw = clipped(line.raw, LONGEST);
        let (before, message) = raw.split_at(line.message_at.min(raw.len()));
        let decoded = |bytes| text::decode(bytes, self.format.code_page).into_owned();
        (decoded(before), decoded(message))
    }
}

/// The beginning of a line; of UTF-8, no half of a letter.
pub fn clipped(raw: &[u8], most: usize) -> &[u8] {
    let mut end = raw.len().min(most);
    if end < raw.len() {
        let is_inside = |at: usize| raw[at] & 0b1100_0000 == 0b1000_0000;
        end = (end.saturating_sub(3)..=end).rev().find(|at| !is_inside(*at)).unwrap_or(end);
    }
    &raw[..end]
}

/// What is kept of a log of each of some devices, for tests.
#[cfg(test)]
pub fn of_texts(log: &str, texts: &[String]) -> Vec<SampleLog> {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, text) in texts.iter().enumerate() {
        let device = folder.path().join(format!("PC-{number:03}"));
        std::fs::create_dir(&device).expect("a folder");
        std::fs::write(device.join(log), text).expect("written");
    }
    let formats = Formats::builtin().expect("embedded");
    let given = [Given { path: folder.path().to_owned(), listed: false }];
    let share = crate::discover::discover(&given, None, &formats, &Default::default(), None);
    let share = share.expect("a share");
    let devices = share.devices.iter().enumerate();
    devices.flat_map(|(at, device)| of_device(at, device, &formats, 1, &|_| {})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::discover;
    use crate::sighting::Sightings;

    #[test]
    fn some_are_spread_over_all() {
        let all: Vec<usize> = (0..301).collect();
        let some: Vec<usize> = spread(&all, 300).copied().collect();
        assert_eq!((some.len(), some[0], some[299]), (300, 0, 299));
        assert_eq!(spread(&all, 3).copied().collect::<Vec<_>>(), [0, 100, 200]);
        assert_eq!(spread(&all[..2], 3).count(), 2);
        assert_eq!(spread(&all[..0], 3).count(), 0);
    }

    #[test]
    fn a_cut_line_ends_with_a_letter() {
        assert_eq!(clipped("aß終x".as_bytes(), 2), b"a");
        assert_eq!(clipped("aß終x".as_bytes(), 5), "aß".as_bytes());
        assert_eq!(clipped("aß終x".as_bytes(), 9), "aß終x".as_bytes());
        assert_eq!(clipped(&[0xA0; 9], 5), [0xA0; 5]);
    }

    /// However much lies there, what is kept of a device fits into its room, and no format
    /// takes another one's.
    #[test]
    fn what_is_kept_fits_into_its_room() {
        let folder = tempfile::tempdir().expect("a folder");
        for log in ["vulscan.log", "vulscan.1.log", "sdclient_task7.log"] {
            let line =
                |at: u32| format!("Mon, 24 Mar 2025 12:{:02}:00 Sprocket {at} turned\n", at % 60);
            let lines: String = (0..9_000).map(line).collect();
            std::fs::write(folder.path().join(log), lines).expect("written");
        }
        let formats = Formats::builtin().expect("embedded");
        let given = [Given { path: folder.path().to_owned(), listed: false }];
        let share = discover(&given, None, &formats, &Sightings::default(), None).expect("a share");
        let kept = |devices| of_device(0, &share.devices[0], &formats, devices, &|_| {});
        let logs = kept(1);
        assert_eq!(logs.len(), 3);
        assert!(logs.iter().all(|log| (log.lines.len(), log.dropped) == (3_000, 6_000)));
        let logs = kept(ROOM / 100_000);
        let of = |format: &str| -> usize {
            let own = logs.iter().filter(|log| log.format == format).flat_map(|log| &log.lines);
            own.map(|line| OF_A_LINE + line.text.len()).sum()
        };
        for format in ["vulscan", "sdclient"] {
            assert!((40_000..=50_100).contains(&of(format)), "{format}: {}", of(format));
        }
        assert!(logs.iter().all(|log| log.lines.last().is_some_and(|line| line.number == 9_000)));
    }
}
