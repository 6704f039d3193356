//! A device's sources, and what is remembered of them → its records. What did not change is not opened,
//! of what has grown only the rest is read: the records are those that reading all of it gives.

use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::stamp::DateOrder;
use serde::{Deserialize, Serialize};

use crate::bundle;
use crate::dates::{DateOrders, Dates};
use crate::discover::{Device, Skipped, Source};
use crate::fingerprint::Fingerprint;
use crate::ingest::{DeviceLogs, Keeper, Kept, MOST_TEXT, SourceLog, read_open, text_of};
use crate::recognise::is_looked_at;
use crate::source::{OpenSource, Place};

/// What is said of a file that is gone, and whose dates would be read otherwise now.
const NOT_AGAIN: &str = "it is no longer there to be read again, with the order of day and month that \
                         the device's other logs show";

/// What is remembered of a source that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recollection {
    /// Its records.
    pub log: SourceLog,
    /// Why it was not read wholly.
    pub skipped: Vec<String>,
    /// What a reader of the report should know of it.
    pub warnings: Vec<String>,
    /// Whether reading it again may give more, though it is the same file.
    pub broken: bool,
    /// What the file was, up to where reading can go on, or to its end.
    pub fingerprint: Fingerprint,
    /// Where that is.
    place: Option<(Place, Kept)>,
    dates: Dates,
    /// How its slash dates were read.
    order: DateOrder,
}

/// What is to be done with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is read whole.
    Whole,
    /// It is what it was: not opened.
    Same,
    /// It may have grown: what follows is read, or all, if it did not.
    Grown,
    /// It is not there: only what is remembered is.
    Gone,
}

/// A source, and what is remembered of it.
#[derive(Debug)]
pub struct Part {
    /// What is to be done.
    pub fate: Fate,
    /// What is remembered.
    pub known: Option<Reading>,
}

/// What was read of one source, or why nothing was.
pub type Reading = Result<Recollection, Unread>;

/// Why nothing of a source was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// For people.
    pub reason: String,
    /// Whether reading it again may give more, though it is the same file.
    pub broken: bool,
}

/// Who is told how far reading is.
pub struct Watcher<'w> {
    /// Of bytes, as they are read.
    pub bytes: &'w dyn Fn(u64),
    /// Of each source, by its number, as it begins.
    pub source: &'w dyn Fn(usize),
}

/// Reads all sources of a device. `progress` is told of bytes as they are read.
pub fn read_device(device: &Device, formats: &Formats, progress: &dyn Fn(u64)) -> DeviceLogs {
    let parts = device.sources.iter().map(|_| Part { fate: Fate::Whole, known: None });
    let watcher = Watcher { bytes: progress, source: &|_| {} };
    let (readings, warnings) = read_parts(device, parts.collect(), formats, false, &watcher);
    let paths = device.sources.iter().map(|source| source.shown.clone());
    logs(&device.name, paths.zip(readings), warnings)
}

/// Reads a device's sources, one part each; `remember`: they are to be resumed another time. Also gives
/// what a reader should know of all together.
pub fn read_parts(
    device: &Device,
    parts: Vec<Part>,
    formats: &Formats,
    remember: bool,
    watcher: &Watcher<'_>,
) -> (Vec<Reading>, Vec<String>) {
    let mut dates = DateOrders::new(device, formats);
    for (source, part) in device.sources.iter().zip(&parts) {
        if let (Fate::Same | Fate::Gone, Some(Ok(known))) = (part.fate, &part.known) {
            dates.known.insert(source.shown.clone(), known.dates.clone());
        }
    }
    let mut reader = Parts {
        dates,
        formats,
        buffer: Vec::new(),
        room: MOST_TEXT,
        remember,
        progress: watcher.bytes,
    };
    let mut readings = Vec::with_capacity(parts.len());
    for (at, (source, part)) in device.sources.iter().zip(parts).enumerate() {
        (watcher.source)(at);
        let reading = reader.part(source, part);
        source.release(device.sources.get(at + 1));
        if let Ok(known) = &reading {
            reader.room = reader.room.saturating_sub(text_of(&known.log.entries));
        }
        readings.push(reading);
    }
    device.release();
    (readings, reader.dates.warnings.into_iter().collect())
}

/// The records of a device, as its timeline is made of them; each source with its path as it is shown.
pub fn logs(
    device: &str,
    readings: impl Iterator<Item = (String, Reading)>,
    warnings: Vec<String>,
) -> DeviceLogs {
    let mut logs = DeviceLogs { device: device.to_owned(), ..DeviceLogs::default() };
    for (path, reading) in readings {
        let skipped = |reason: String| Skipped { path: path.clone(), reason };
        match reading {
            Ok(known) => {
                logs.skipped.extend(known.skipped.into_iter().map(skipped));
                logs.warnings.extend(known.warnings.iter().map(|why| format!("{path}: {why}")));
                logs.sources.push(known.log);
            }
            Err(unread) => logs.skipped.push(skipped(unread.reason)),
        }
    }
    logs.warnings.extend(warnings);
    logs
}

/// Reads the parts of one device.
struct Parts<'d> {
    dates: DateOrders<'d>,
    formats: &'d Formats,
    buffer: Vec<u8>,
    /// Bytes of text that may still be kept.
    room: usize,
    remember: bool,
    progress: &'d dyn Fn(u64),
}

impl Parts<'_> {
    fn part(&mut self, source: &Source, part: Part) -> Reading {
        let mut reading = self.read_or_keep(source, part)?;
        // A file may have another name than when it was read.
        reading.log.path = source.path().to_owned();
        reading.log.member = source.member.as_ref().map(|member| member.name.clone());
        reading.log.task.clone_from(&source.task);
        Ok(reading)
    }

    fn read_or_keep(&mut self, source: &Source, part: Part) -> Reading {
        match (part.fate, part.known) {
            (Fate::Same | Fate::Gone, Some(Err(unread))) => Err(unread),
            (Fate::Same, Some(Ok(known))) if self.holds(&known, source) => Ok(known),
            (Fate::Gone, Some(Ok(mut known))) => {
                if !self.is_read_alike(&known, source) {
                    known.warnings = vec![NOT_AGAIN.to_owned()];
                }
                Ok(known)
            }
            (Fate::Grown, Some(Ok(known))) => {
                self.resumed(source, known).map_or_else(|| self.whole(source), Ok)
            }
            (Fate::Whole, Some(Ok(known))) => self.whole(source).or_else(|unread| {
                // What was read before is not lost since it can't be read now.
                let skipped = vec![unread.reason];
                Ok(Recollection { skipped, broken: true, ..known })
            }),
            (Fate::Whole | Fate::Same | Fate::Grown | Fate::Gone, _) => self.whole(source),
        }
    }

    /// Whether what is remembered is what reading it again would give.
    fn holds(&mut self, known: &Recollection, source: &Source) -> bool {
        text_of(&known.log.entries) <= self.room && self.is_read_alike(known, source)
    }

    /// Whether its dates would be read in the same order again.
    fn is_read_alike(&mut self, known: &Recollection, source: &Source) -> bool {
        known.dates.order != Some(None)
            || self.dates.of_device(|| known.dates.clone(), source) == known.order
    }

    fn whole(&mut self, source: &Source) -> Reading {
        let format = &self.formats.formats[source.format];
        let buffer = std::mem::take(&mut self.buffer);
        let is_log = |name: &str| is_looked_at(name, self.formats);
        let placed = |own| Box::new(bundle::placed(&source.file, own, &is_log));
        let member = source.member.as_deref().map(placed);
        let open = OpenSource::open(&Source { member, ..source.clone() }, format, buffer)
            .map_err(|reason| Unread { reason, broken: true })?;
        let mut dates = Dates::default();
        if format.event_log.is_none() {
            dates.order = open.date_order();
        }
        let order = match dates.order {
            None => DateOrder::MonthFirst,
            Some(Some(order)) => order,
            Some(None) => {
                if self.remember {
                    dates = Dates::of(&open, true);
                }
                self.dates.of_device(|| Dates::of(&open, true), source)
            }
        };
        let keeper = Keeper::new(format, self.room);
        self.read(open, format, keeper, dates, order)
    }

    /// What follows the place up to which it was read; `None` if it has to be read whole.
    fn resumed(&mut self, source: &Source, known: Recollection) -> Option<Recollection> {
        let Recollection { log, fingerprint, place, mut dates, order, skipped, .. } = known;
        let format = &self.formats.formats[source.format];
        let (place, kept) = place.filter(|_| skipped.is_empty())?;
        if place.is_in_first_block() && dates.may_say_more() {
            dates = Dates::of(&OpenSource::open(source, format, Vec::new()).ok()?, true);
        }
        let now = match dates.order {
            None => DateOrder::MonthFirst,
            Some(Some(order)) => order,
            Some(None) => self.dates.of_device(|| dates.clone(), source),
        };
        if now != order {
            return None;
        }
        let buffer = std::mem::take(&mut self.buffer);
        match OpenSource::resume(source, format, buffer, &place, &fingerprint) {
            Ok(open) => {
                let keeper = Keeper::resume(format, self.room, kept, log.entries);
                self.read(open, format, keeper, dates, order).ok()
            }
            Err(buffer) => {
                self.buffer = buffer;
                None
            }
        }
    }

    fn read(
        &mut self,
        open: OpenSource<'_>,
        format: &Format,
        mut keeper: Keeper<'_>,
        dates: Dates,
        order: DateOrder,
    ) -> Reading {
        let end = read_open(open, order, format, &mut self.buffer, &mut keeper, self.progress)
            .map_err(|reason| Unread { reason, broken: false })?;
        keeper.finish();
        // A device may have tens of thousands of small logs.
        keeper.entries.shrink_to_fit();
        Ok(Recollection {
            skipped: end.stopped.into_iter().chain(keeper.dropped()).collect(),
            warnings: keeper.impossible().into_iter().collect(),
            fingerprint: end.fingerprint,
            broken: end.broken,
            place: end.place.zip(keeper.paused),
            dates,
            order,
            log: SourceLog {
                path: String::new(),
                member: None,
                format: format.name.clone(),
                kind: format.kind,
                task: None,
                entries: keeper.entries,
                counts: end.counts,
                bytes: end.bytes,
            },
        })
    }
}

#[cfg(test)]
mod tests;
