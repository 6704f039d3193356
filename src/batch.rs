//! A device's files, and what the store knows of it → what the store is to keep. What was not touched is
//! not opened.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::belonging::{Change, Changes, seen};
use crate::chronicle::Chronicle;
use crate::device::{self, DeviceReport};
use crate::discover::{Device, Share, Skipped, Source};
use crate::fingerprint::Mixture;
use crate::lineage::{Became, Heir, Known, Listed, Memory, count, heirs, is_part_of, remembered};
use crate::news::Files;
use crate::recollection::{Part, Reading, Watcher};
use crate::rereader::read_parts;
use crate::store::{Saved, Store, bytes, pack, unpack};
use crate::story::{self, Request};
use crate::walk::Moment;
use crate::watch::Pulse;

/// Most pairs of logs of a device that are compared to find those that say nothing of their own.
const MOST_COMPARED: usize = 1_000;

/// Devices that something new came of, and how they are read.
#[derive(Debug)]
pub struct Batch {
    /// What is asked for.
    pub request: Request,
    /// Stands for how logs are read, and how they are told.
    pub reading: u64,
    /// The same of their story.
    pub telling: u64,
    /// When all this is.
    pub now: Now,
    /// All devices.
    pub share: Arc<Share>,
    /// Those that have to be looked at.
    changes: Changes,
    /// The store's folder, and connections to it that nobody uses just now.
    folder: PathBuf,
    idle: Mutex<Vec<Store>>,
}

/// When a run works.
#[derive(Debug, Clone)]
pub struct Now {
    /// When it listed the share.
    pub listed: Moment,
    /// Its day and its number, as files are marked that are gone.
    pub label: String,
    /// When it began; of one that goes on with another one's work, when it went on.
    pub began: String,
}

/// What is kept of a device beside its records.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Told {
    /// Its report, without a chronicle.
    pub report: DeviceReport,
    /// By when its runs began: the number of the batch's run that saw each first.
    pub firsts: Vec<(String, u64)>,
}

/// What was made of a device.
#[derive(Debug)]
pub struct Done {
    /// What is to be kept; what is told is still to be put to it.
    pub saved: Saved,
    /// Its report.
    pub report: DeviceReport,
    /// Its report before, if it had one.
    pub before: Option<Told>,
    /// What became of its files.
    pub files: Files,
    /// Bytes of them that were read.
    pub bytes: u64,
    /// Whether something new came of it.
    pub is_new: bool,
    /// Devices that are this one now.
    pub absorbed: Vec<String>,
}

impl Batch {
    /// For the devices of a share; all of it is to be told by the same request.
    pub fn new(
        request: Request,
        keys: (u64, u64),
        now: Now,
        (share, changes): (Arc<Share>, Changes),
        folder: &Path,
    ) -> Batch {
        let (reading, telling) = keys;
        let (folder, idle) = (folder.to_owned(), Mutex::default());
        Batch { request, reading, telling, now, share, changes, folder, idle }
    }

    /// Reads what is new of a device and tells its story. `count` is told of bytes as they are read.
    ///
    /// # Errors
    /// Of the store.
    pub fn device(&self, at: usize, pulse: &Pulse, count: &dyn Fn(u64)) -> Result<Done, String> {
        let Change { row, absorbs, .. } = &self.changes.changed[at];
        let found = self.found(at);
        // Files may be compared before the first of them is read.
        pulse.part(usize::MAX);
        let (mut known, mut before) = self.known(&found.name, row.is_some())?;
        for name in absorbs {
            let (files, told) = self.known(name, true)?;
            known.extend(files);
            match &mut before {
                Some(before) => before.firsts.extend(told.unwrap_or_default().firsts),
                None => before = told,
            }
        }
        let bytes_before = bytes_of(known.iter().map(|own| &own.reading));
        let (device, parts, mut lines) = parted(&found.name, self.heirs(at, known));
        let read = Cell::new(0);
        let numbers = numbers(found, &device);
        let watcher = Watcher {
            bytes: &|bytes| {
                pulse.beat();
                read.set(read.get() + bytes);
                count(bytes);
            },
            source: &|part| pulse.part(numbers[part]),
        };
        let formats = &self.request.formats;
        let (readings, warnings) = read_parts(&device, parts, formats, &watcher);
        pulse.rest();
        let mut readings: Vec<Option<Reading>> = readings.into_iter().map(Some).collect();
        forget_parts(&mut lines, &mut readings);
        let (sources, readings) = left(device.sources, readings, &mut lines);
        let files = counted(&lines);
        let is_new = row.is_none() || bytes_of(readings.iter()) != bytes_before;
        let (known, seen) = self.known_now(&sources, readings, &lines);
        let (saved, report) = self.told(at, Memory { known, warnings }, seen, is_new);
        let (bytes, absorbed) = (read.get(), absorbs.clone());
        Ok(Done { saved, report, before, files, bytes, is_new, absorbed })
    }

    /// Which of a device's files is which, those included that are gone.
    fn heirs(&self, at: usize, mut known: Vec<Known>) -> Vec<Heir> {
        let Change { number, row, absorbs } = &self.changes.changed[at];
        let (found, formats) = (self.found(at), &self.request.formats);
        if found.sources.is_empty() {
            return remembered(known, formats);
        }
        let others = |own: &Listed| self.changes.places.device(own).is_some_and(|at| at != *number);
        known.retain(|own| own.listed.gone.is_some() || !others(&own.listed));
        let read_otherwise = row.as_ref().is_some_and(|row| row.reading != self.reading);
        let anew = read_otherwise || !absorbs.is_empty();
        heirs(found.sources.clone(), known, formats, &self.now.label, anew)
    }

    /// Tells a device's story; `seen` stands for its files as they are.
    fn told(&self, at: usize, memory: Memory, seen: u64, is_new: bool) -> (Saved, DeviceReport) {
        let found = self.found(at);
        let row = self.changes.changed[at].row.as_ref();
        // What comes back is looked at as if it had never been away.
        let absent = row.filter(|_| found.sources.is_empty());
        let packed = pack(&memory);
        let logs = memory.logs(&found.name);
        let mut report = device::report(story::of_logs(logs, &self.request), &self.request);
        let chronicle = report.chronicle.take();
        let saved = Saved {
            name: found.name.clone(),
            seen: absent.map_or(seen, |row| row.seen),
            memory: packed,
            report: Vec::new(),
            months: months(&report, chronicle.as_ref()),
            chronicle: chronicle.as_ref().map(pack).unwrap_or_default(),
            telling: self.telling,
            reading: absent.map_or(self.reading, |row| row.reading),
            new_at: row.filter(|_| !is_new).map_or(&self.now.began, |row| &row.new_at).clone(),
        };
        (saved, report)
    }

    /// What was found of a device that has to be looked at.
    pub fn found(&self, at: usize) -> &Device {
        let number = self.changes.changed[at].number;
        let there = self.share.devices.len();
        self.share.devices.get(number).unwrap_or_else(|| &self.changes.absent[number - there])
    }

    /// What the store knows of a device.
    fn known(&self, name: &str, is_known: bool) -> Result<(Vec<Known>, Option<Told>), String> {
        if !is_known {
            return Ok((Vec::new(), None));
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let store = idle.map_or_else(|| Store::read(&self.folder), Ok)?;
        let says = |why: String| store.says(name, &why);
        let memory: Option<Memory> =
            store.memory(name)?.map(|packed| unpack(&packed)).transpose().map_err(says)?;
        let told = store.report(name)?.map(|packed| unpack(&packed)).transpose().map_err(says)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(store);
        Ok((memory.unwrap_or_default().known, told))
    }

    /// What is to be remembered of a device's files, and what stands for them.
    fn known_now(
        &self,
        sources: &[Source],
        readings: Vec<Reading>,
        lines: &[Line],
    ) -> (Vec<Known>, u64) {
        let formats = &self.request.formats;
        let mut trusted = true;
        let known = sources.iter().zip(readings).zip(lines).map(|((source, reading), line)| {
            let broken = match &reading {
                Ok(known) => known.broken,
                Err(unread) => unread.broken,
            };
            let mut listed = Listed::of(source, formats);
            listed.trusted = !broken && source.stat.is_settled(self.now.listed);
            listed.gone.clone_from(&line.gone);
            trusted &= listed.trusted || listed.gone.is_some();
            Known { listed, reading }
        });
        let known: Vec<Known> = known.collect();
        let there = sources.iter().zip(lines).filter(|(_, line)| line.gone.is_none());
        let there: Vec<&Source> = there.map(|(source, _)| source).collect();
        let seen = if trusted { seen(&there, &self.request) } else { 0 };
        (known, seen)
    }
}

/// What is known of a file while it is read with others.
#[derive(Debug)]
struct Line {
    became: Became,
    gone: Option<String>,
}

/// The device that is read, and what is known of its files.
fn parted(name: &str, heirs: Vec<Heir>) -> (Device, Vec<Part>, Vec<Line>) {
    let mut device = Device { name: name.to_owned(), sources: Vec::new() };
    let (mut parts, mut lines) = (Vec::new(), Vec::new());
    for Heir { source, part, became, gone } in heirs {
        device.sources.push(source);
        parts.push(part);
        lines.push(Line { became, gone });
    }
    (device, parts, lines)
}

/// Takes away what was replaced by a file that says all of it.
fn forget_parts(lines: &mut [Line], readings: &mut [Option<Reading>]) {
    let is_gone = |line: &Line| matches!(line.became, Became::Gone | Became::LongGone);
    let fresh: Vec<usize> = (0..lines.len())
        .filter(|at| {
            matches!(
                lines[*at].became,
                Became::New | Became::Replaced | Became::Moved | Became::Grown
            )
        })
        .collect();
    let mut left = MOST_COMPARED;
    for at in (0..lines.len()).filter(|at| is_gone(&lines[*at])).collect::<Vec<_>>() {
        let covered = fresh.iter().any(|other| {
            let (Some(Ok(part)), Some(Ok(whole))) = (&readings[at], &readings[*other]) else {
                return false;
            };
            let alike = part.log.format == whole.log.format && part.log.task == whole.log.task;
            let asked = alike && left > 0;
            left -= usize::from(asked);
            asked && is_part_of(part, whole)
        });
        if covered {
            readings[at] = None;
        }
    }
}

/// The files that are left, with what was read of them.
fn left(
    sources: Vec<Source>,
    readings: Vec<Option<Reading>>,
    lines: &mut Vec<Line>,
) -> (Vec<Source>, Vec<Reading>) {
    let mut kept = Vec::new();
    let old = std::mem::take(lines);
    for ((source, reading), line) in sources.into_iter().zip(readings).zip(old) {
        if let Some(reading) = reading {
            kept.push((source, reading));
            lines.push(line);
        }
    }
    kept.into_iter().unzip()
}

/// The number of each part among the files that were found; of one that is gone, none.
fn numbers(found: &Device, device: &Device) -> Vec<usize> {
    let numbers: BTreeMap<&str, usize> =
        found.sources.iter().enumerate().map(|(at, own)| (own.shown.as_str(), at)).collect();
    let number = |own: &Source| numbers.get(own.shown.as_str()).copied().unwrap_or(usize::MAX);
    device.sources.iter().map(number).collect()
}

fn counted(lines: &[Line]) -> Files {
    let mut files = Files::default();
    lines.iter().for_each(|line| count(line.became, &mut files));
    files
}

/// Bytes of all logs that were read.
fn bytes_of<'r>(readings: impl Iterator<Item = &'r Reading>) -> u64 {
    readings.filter_map(|own| own.as_ref().ok()).map(|own| own.log.bytes).sum()
}

/// The months in which something of a device lies that facts are kept of, in order, each with what
/// stands for these facts.
pub fn months(report: &DeviceReport, chronicle: Option<&Chronicle>) -> Vec<(String, u64)> {
    let mut months: BTreeMap<String, Mixture> = BTreeMap::new();
    let mut put = |at: &str, fact: &[u8]| {
        if let Some(month) = month(at) {
            months.entry(month).or_default().put(fact);
        }
    };
    if let Some(own) = chronicle {
        let templates: BTreeMap<u32, &Option<String>> =
            own.runs.iter().map(|run| (run.number, &run.template)).collect();
        for step in &own.steps {
            put(&step.started.shown, &bytes(&(step, templates.get(&step.run))));
        }
        own.lifetimes.iter().for_each(|life| put(&life.launched.shown, &bytes(life)));
    }
    report.incidents.iter().for_each(|own| put(&own.at, &bytes(own)));
    months.into_iter().map(|(month, facts)| (month, facts.hash())).collect()
}

/// `2025-03` of a time as reports print it.
pub fn month(shown: &str) -> Option<String> {
    shown.get(..7).filter(|month| month.as_bytes()[4] == b'-').map(str::to_owned)
}

/// What could not be read because it hung.
pub fn hung(device: &Device, part: usize, seconds: u64) -> Skipped {
    let path = device.sources.get(part).map_or(&device.name, |source| &source.shown).clone();
    let reason = format!(
        "no byte of it came for {seconds} seconds; what is new of {} is left for the next run",
        device.name
    );
    Skipped { path, reason }
}
