//! Lines whose stamps nothing reads, and the layouts that would.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use provtrace_parsers::engine::{Line, Outcome};
use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::guess::{self, Guess};
use provtrace_parsers::kin;
use provtrace_parsers::text;

use crate::block::{Block, Sink};
use crate::dates::DateOrders;
use crate::discover::Device;
use crate::ingest::read_source;
use crate::sample::{clipped, learned_from, spread};

/// Lines of each log that stamps are guessed from: the last ones.
const LINES: usize = 60;
/// So much of a line is enough.
const LONGEST: usize = 200;
/// From this share of a log's lines on (in percent) its stamps are unknown.
const TOO_MANY: u64 = 25;
/// Most logs of a device and format with unknown stamps.
const OF_A_DEVICE: usize = 4;
/// Most logs of a format.
const MOST_LOGS: usize = 300;
/// Most layouts of a format: versions and languages.
const MOST_LAYOUTS: usize = 8;
/// Logs that no layout reads are passed over so often.
const MOST_ODD: usize = 20;
/// Fewer lines show nothing.
const FEWEST_LINES: usize = 20;
/// A date and a time have so many digits, and stand in the first so many bytes.
const DIGITS: (usize, usize) = (8, 96);

/// The last lines of a log with unknown stamps.
#[derive(Debug, Clone)]
pub struct Tail {
    /// Which device, in order.
    pub device: usize,
    /// The name of its format.
    pub format: String,
    /// In order.
    pub lines: Vec<String>,
}

impl Tail {
    /// Whether half of its lines or more can begin with a date and a time.
    fn is_dated(&self) -> bool {
        let (digits, within) = DIGITS;
        let can_be =
            |line: &&String| line.bytes().take(within).filter(u8::is_ascii_digit).count() >= digits;
        self.lines.iter().filter(can_be).count() * 2 >= self.lines.len()
    }
}

/// Reads a device's logs, and keeps the ends of those whose stamps are unknown. An agent may have
/// changed its stamps in the middle of a log: what is behind that counts.
pub fn unread(
    number: usize,
    device: &Device,
    formats: &Formats,
    progress: &dyn Fn(u64),
) -> Vec<Tail> {
    let mut dates = DateOrders::new(device, formats);
    let mut buffer = Vec::new();
    let mut tails: Vec<Tail> = Vec::new();
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    for source in learned_from(device, formats) {
        let format = &formats.formats[source.format];
        let mut keeper = Keeper { format, last: VecDeque::new(), stamped: 0, unstamped: 0 };
        let read = read_source(source, format, &mut dates, &mut buffer, &mut keeper, progress);
        let own = kept.entry(source.format).or_default();
        if read.is_ok() && keeper.is_unread() && *own < OF_A_DEVICE {
            *own += 1;
            let lines = keeper.last.into_iter().flatten().collect();
            tails.push(Tail { device: number, format: format.name.clone(), lines });
        }
    }
    device.release();
    tails
}

/// Keeps the last lines of a log.
struct Keeper<'f> {
    format: &'f Format,
    /// `None` for a line with a known stamp.
    last: VecDeque<Option<String>>,
    stamped: u64,
    unstamped: u64,
}

impl Keeper<'_> {
    fn is_unread(&self) -> bool {
        let unstamped = self.last.iter().flatten().count();
        unstamped * 2 > self.last.len()
            && self.unstamped * 100 >= (self.stamped + self.unstamped) * TOO_MANY
    }
}

impl Sink for Keeper<'_> {
    fn line(&mut self, line: &Line<'_>, _block: &mut Block<'_>) {
        let is_known = matches!(line.outcome, Outcome::Event | Outcome::Noise);
        if line.raw.is_empty() || line.layout.is_none() && is_known {
            return;
        }
        if self.last.len() == LINES {
            self.last.pop_front();
        }
        if line.layout.is_some() {
            self.stamped += 1;
            self.last.push_back(None);
        } else {
            self.unstamped += 1;
            let text = text::decode(clipped(line.raw, LONGEST), self.format.code_page);
            self.last.push_back(Some(text.into_owned()));
        }
    }

    fn end_block(&mut self, _block: &mut Block<'_>) {}
}

/// What was found for a format.
#[derive(Debug, Default)]
pub struct Found {
    /// One layout for each version and language.
    pub layouts: Vec<Guess>,
    /// What could not be told, and why.
    pub open: Vec<String>,
}

/// Guesses the layouts of a format's logs. `known` are those of other formats.
pub fn of_format(format: &str, logs: &[&Tail], known: &[Guess]) -> Found {
    let mut found = Found::default();
    let mut known = known.to_vec();
    let (dated, bare): (Vec<&Tail>, Vec<&Tail>) = logs.iter().partition(|log| log.is_dated());
    if !bare.is_empty() {
        found.open.push(format!(
            "{format}: no date and time in the lines of {} logs, on {}; nothing can be learned of them",
            bare.len(),
            of_devices(&bare)
        ));
    }
    let mut left: Vec<&Tail> = spread(&dated, MOST_LOGS).copied().collect();
    let mut odd: Vec<&Tail> = Vec::new();
    while !left.is_empty() && odd.len() < MOST_ODD && found.layouts.len() < MOST_LAYOUTS {
        let lines: Vec<&[String]> = left.iter().map(|log| log.lines.as_slice()).collect();
        let Some(kin) = kin::of_first(&lines) else {
            odd.push(left.remove(0));
            continue;
        };
        let kin: BTreeSet<usize> = kin.into_iter().collect();
        let own: Vec<&Tail> = kin.iter().map(|at| left[*at]).collect();
        let lines: Vec<Vec<String>> = own.iter().map(|log| log.lines.clone()).collect();
        let mut at = 0..;
        left.retain(|_| at.next().is_some_and(|at: usize| !kin.contains(&at)));
        match guess::layout(&lines, &known) {
            Some(guess) if guess.lines < FEWEST_LINES => found.open.push(format!(
                "{format}: {} lines of {} with an unknown stamp are too few to learn from: {}",
                guess.lines,
                of_devices(&own),
                guess.specimen
            )),
            Some(guess) if guess.ambiguous => found.open.push(format!(
                "{format}: day and month of stamps on {} can't be told apart ({}); write the stamp yourself",
                of_devices(&own),
                guess.specimen
            )),
            Some(guess) => {
                known.push(guess.clone());
                found.layouts.push(guess);
            }
            None => found.open.push(no_layout(format, &own)),
        }
    }
    if !left.is_empty() {
        found.open.push(format!(
            "{format}: {} more logs have other stamps; learn again with this overlay in force",
            left.len()
        ));
    }
    if !odd.is_empty() {
        found.open.push(no_layout(format, &odd));
    }
    found
}

fn no_layout(format: &str, logs: &[&Tail]) -> String {
    format!(
        "{format}: no layout of a stamp fits half of the lines of {} logs, on {}; nothing can be learned of them",
        logs.len(),
        of_devices(logs)
    )
}

fn of_devices(logs: &[&Tail]) -> String {
    let devices: BTreeSet<usize> = logs.iter().map(|log| log.device).collect();
    if devices.len() == 1 { "1 device".to_owned() } else { format!("{} devices", devices.len()) }
}
