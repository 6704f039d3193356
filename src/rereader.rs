//! A device's sources, and what is remembered of them → its records. What did not change is not opened,
//! of what has grown only the rest is read: the records are those that reading all of it gives.

use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::stamp::DateOrder;

use crate::bundle;
use crate::dates::{DateOrders, Dates};
use crate::discover::{Device, Source};
use crate::ingest::{Keeper, MOST_KEPT, read_open};
use crate::logs::{DeviceLogs, SourceLog, room_of};
use crate::recognise::is_looked_at;
use crate::recollection::{Fate, Part, Reading, Recollection, Unread, Watcher, goes_first};
use crate::room::{Quota, exact};
use crate::source::OpenSource;

/// What is said of a file that is another one than a moment ago.
const CHANGED: &str = "it was replaced while it was read; the next run reads it";

/// What is said of a file that is gone, and whose dates would be read otherwise now.
const NOT_AGAIN: &str = "it is no longer there to be read again, with the order of day and month that \
                         the device's other logs show";

/// Reads all sources of a device. `progress` is told of bytes as they are read.
pub fn read_device(device: &Device, formats: &Formats, progress: &dyn Fn(u64)) -> DeviceLogs {
    let sources = Vec::with_capacity(device.sources.len());
    let mut logs = DeviceLogs { device: device.name.clone(), sources, ..DeviceLogs::default() };
    let parts = device.sources.iter().map(|_| Part { fate: Fate::Whole, known: None });
    let watcher = Watcher { bytes: progress, source: &|_| {} };
    let dates = DateOrders::new(device, formats);
    let mut reader = Parts::new(dates, formats, false, &watcher);
    reader.each(device, parts, &mut |source, reading| logs.add(&source.shown, reading));
    logs.warnings.extend(reader.dates.warnings);
    logs
}

/// Reads a device's sources, one part each, to be resumed another time. Also gives what a reader should
/// know of all together.
pub fn read_parts(
    device: &Device,
    parts: Vec<Part>,
    formats: &Formats,
    watcher: &Watcher<'_>,
) -> (Vec<Reading>, Vec<String>) {
    let mut dates = DateOrders::new(device, formats);
    for (source, part) in device.sources.iter().zip(&parts) {
        if let (Fate::Same | Fate::Gone, Some(Ok(known))) = (part.fate, &part.known) {
            dates.known.insert(source.shown.clone(), known.dates.clone());
        }
    }
    let mut readings = Vec::with_capacity(parts.len());
    let mut reader = Parts::new(dates, formats, true, watcher);
    reader.each(device, parts.into_iter(), &mut |_, reading| readings.push(reading));
    (readings, reader.dates.warnings.into_iter().collect())
}

/// Reads the parts of one device.
struct Parts<'d> {
    dates: DateOrders<'d>,
    formats: &'d Formats,
    buffer: Vec<u8>,
    room: Quota,
    remember: bool,
    watcher: &'d Watcher<'d>,
}

impl<'d> Parts<'d> {
    fn new(
        dates: DateOrders<'d>,
        formats: &'d Formats,
        remember: bool,
        watcher: &'d Watcher<'d>,
    ) -> Parts<'d> {
        let (buffer, room) = (Vec::new(), Quota::new(MOST_KEPT));
        Parts { dates, formats, buffer, room, remember, watcher }
    }

    /// Reads all parts in their order; each is given to `take` as soon as it is read.
    fn each(
        &mut self,
        device: &Device,
        parts: impl Iterator<Item = Part>,
        take: &mut dyn FnMut(&Source, Reading),
    ) {
        let is_first = |own: &Source| goes_first(own, self.formats);
        let mut behind = device.behind(is_first);
        for (at, (source, part)) in device.sources.iter().zip(parts).enumerate() {
            (self.watcher.source)(at);
            self.room.reserve(is_first(source), behind.pop().unwrap_or_default());
            let reading = self.part(source, part);
            source.release(device.sources.get(at + 1));
            self.room.take(reading.as_ref().map_or(0, |known| room_of(&known.log.entries)));
            take(source, reading);
        }
        device.release();
    }

    fn part(&mut self, source: &Source, part: Part) -> Reading {
        let mut reading = self.read_or_keep(source, part)?;
        // A file may have another name than when it was read.
        reading.log.path = source.path().into();
        reading.log.member = source.member.as_ref().map(|member| member.name.as_str().into());
        reading.log.task = source.task.as_deref().map(Box::from);
        Ok(reading.wholly_or_not())
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
            (Fate::Grown, Some(Ok(known))) => match self.resumed(source, known) {
                Ok(reading) => Ok(reading),
                Err(known) => self.whole_or(source, known),
            },
            (Fate::Whole | Fate::Same, Some(Ok(known))) => {
                self.whole_or(source, Some(Box::new(known)))
            }
            (Fate::Whole | Fate::Same | Fate::Grown | Fate::Gone, _) => self.whole(source),
        }
    }

    /// All of it; what was read before is not lost since it can't be read now.
    fn whole_or(&mut self, source: &Source, known: Option<Box<Recollection>>) -> Reading {
        let reading = self.whole(source);
        let Some(known) = known else { return reading };
        let reason = match reading {
            Err(unread) => unread.reason,
            Ok(now) if now.broken => now.skipped.join(", "),
            Ok(now) if known.fingerprint.may_begin(&now.fingerprint) => return Ok(now),
            // It was this one a moment ago.
            Ok(_another) => CHANGED.to_owned(),
        };
        Ok(Recollection { skipped: vec![reason], broken: true, ..*known })
    }

    /// Whether what is remembered is what reading it again would give. Of a log of which not all was kept, there
    /// may be room for more now.
    fn holds(&mut self, known: &Recollection, source: &Source) -> bool {
        !known.is_cut()
            && room_of(&known.log.entries) <= self.room.own()
            && self.is_read_alike(known, source)
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
        let keeper = Keeper::new(format, self.room.own());
        self.read(open, format, keeper, dates, order)
    }

    /// What follows the place up to which it was read; what is remembered, if it has to be read whole.
    fn resumed(
        &mut self,
        source: &Source,
        mut known: Recollection,
    ) -> Result<Recollection, Option<Box<Recollection>>> {
        let format = &self.formats.formats[source.format];
        let place = known.place.take().filter(|_| known.skipped.is_empty());
        let Some((place, kept)) = place else { return Err(Some(Box::new(known))) };
        let mut dates = known.dates.clone();
        if place.is_in_first_block() && dates.may_say_more() {
            match OpenSource::open(source, format, Vec::new()) {
                Ok(open) => dates = Dates::of(&open, true),
                Err(_) => return Err(Some(Box::new(known))),
            }
        }
        let now = match dates.order {
            None => DateOrder::MonthFirst,
            Some(Some(order)) => order,
            Some(None) => self.dates.of_device(|| dates.clone(), source),
        };
        if now != known.order || room_of(&known.log.entries) > self.room.own() {
            return Err(Some(Box::new(known)));
        }
        let buffer = std::mem::take(&mut self.buffer);
        match OpenSource::resume(source, format, buffer, &place, &known.fingerprint) {
            Ok(open) => {
                let keeper = Keeper::resume(format, self.room.own(), kept, known.log.entries);
                self.read(open, format, keeper, dates, now).map_err(|_| None)
            }
            Err(buffer) => {
                self.buffer = buffer;
                Err(Some(Box::new(known)))
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
        let end = read_open(open, order, format, &mut self.buffer, &mut keeper, self.watcher.bytes)
            .map_err(|reason| Unread { reason, broken: false })?;
        keeper.finish();
        Ok(Recollection {
            skipped: end.stopped.into_iter().chain(keeper.dropped()).collect(),
            warnings: keeper.impossible().into_iter().collect(),
            fingerprint: end.fingerprint,
            broken: end.broken,
            place: end.place.zip(keeper.paused),
            dates,
            order,
            log: SourceLog {
                path: Box::default(),
                member: None,
                format: format.name.as_str().into(),
                kind: format.kind,
                task: None,
                entries: exact(keeper.entries),
                counts: end.counts,
                bytes: end.bytes,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::fingerprint::Fingerprint;
    use crate::walk::Stat;

    /// All logs of the samples, some together long enough to be resumed.
    fn logs() -> Vec<(String, Vec<u8>)> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
        let mut logs: Vec<(String, Vec<u8>)> = Vec::new();
        for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
            let entry = entry.expect("a sample");
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type().is_file() || !name.ends_with(".log") {
                continue;
            }
            let bytes = fs::read(entry.path()).expect("read");
            let same = logs.iter_mut().find(|(other, log)| *other == name && log.len() < 60_000);
            match same {
                Some((_, log)) => log.extend(bytes),
                None => logs.push((name, bytes)),
            }
        }
        logs.retain(|(_, log)| log.len() > 9_000);
        logs
    }

    fn device(file: &Path, formats: &Formats) -> Device {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let (format, task) = formats.by_file_name(&name).expect("a format");
        let bytes = file.metadata().expect("there").len();
        let source = Source {
            file: file.to_owned(),
            shown: name,
            format,
            task,
            bytes,
            member: None,
            stat: Stat::default(),
        };
        Device { name: "PC-1".to_owned(), sources: vec![source] }
    }

    fn read(file: &Path, formats: &Formats, known: Option<Recollection>) -> (Recollection, u64) {
        let fate = if known.is_some() { Fate::Grown } else { Fate::Whole };
        let bytes = std::cell::Cell::new(0);
        let device = device(file, formats);
        let part = Part { fate, known: known.map(Ok) };
        let watcher = Watcher { bytes: &|n| bytes.set(bytes.get() + n), source: &|_| {} };
        let (mut read, _) = read_parts(&device, vec![part], formats, &watcher);
        (read.remove(0).expect("read"), bytes.get())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn a_log_that_grows_is_read_as_if_it_had_been_whole(
            which in any::<prop::sample::Index>(),
            cuts in prop::collection::vec(1usize..70_000, 1..6),
            wide in any::<bool>(),
            other in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let formats = Formats::builtin().expect("embedded");
            let logs = logs();
            let (name, log) = which.get(&logs);
            let mut text = log.clone();
            if wide && text.is_ascii() {
                let units = String::from_utf8_lossy(&text).encode_utf16().collect::<Vec<u16>>();
                text = [vec![0xFF, 0xFE], units.iter().flat_map(|unit| unit.to_le_bytes()).collect()]
                    .concat();
            }
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join(name);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut at, mut known, mut total) = (0, None, 0);
            for cut in cuts {
                let mut open = OpenOptions::new().create(true).append(true).open(&file).expect("open");
                open.write_all(&text[at..cut]).expect("written");
                at = cut;
                // What is remembered goes through the store.
                let (now, bytes) = read(&file, &formats, known.take());
                let kept = postcard::to_stdvec(&now).expect("stored");
                known = Some(postcard::from_bytes(&kept).expect("as it was stored"));
                total += bytes;
            }
            let (whole, once) = read(&file, &formats, None);
            prop_assert_eq!(known, Some(whole));
            prop_assert!(total <= 2 * once + 6 * 8192 * 6, "read {} of {}", total, once);
            if let Some(other) = other {
                // Another log of the same name than the one that is remembered.
                let mut text = text;
                let at = other.index(text.len());
                text[at] ^= 0x01;
                fs::write(&file, &text).expect("written");
                let (anew, _) = read(&file, &formats, None);
                let before = known_of(&text, at, &anew);
                let (now, _) = read(&file, &formats, before.clone());
                match before {
                    // It was told to have grown a moment ago: the next run finds out.
                    Some(before) if at < 4096 => {
                        prop_assert!(now.broken && now.log == before.log, "what was known is lost");
                    }
                    Some(_) | None => prop_assert_eq!(now, anew),
                }
            }
        }
    }

    #[test]
    fn a_log_that_is_gone_when_it_is_read_on_stays_known() {
        let formats = Formats::builtin().expect("embedded");
        let (name, log) = logs().remove(0);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        fs::write(&file, &log).expect("written");
        let (known, _) = read(&file, &formats, None);
        let found = device(&file, &formats);
        fs::remove_file(&file).expect("gone");
        let part = Part { fate: Fate::Grown, known: Some(Ok(known.clone())) };
        let watcher = Watcher { bytes: &|_| {}, source: &|_| {} };
        let (mut now, _) = read_parts(&found, vec![part], &formats, &watcher);
        let now = now.remove(0).expect("known");
        assert_eq!(now.log.entries, known.log.entries);
        assert!(now.broken && now.skipped.len() == 1, "{:?}", now.skipped);
    }

    /// What would be remembered of another file.
    fn known_of(text: &[u8], at: usize, anew: &Recollection) -> Option<Recollection> {
        let mut text = text.to_vec();
        text[at] ^= 0x01;
        let mut known = anew.clone();
        let length = usize::try_from(known.fingerprint.length).expect("small");
        known.fingerprint = Fingerprint::new(length as u64, &text[..length], &text[..length]);
        // Only what lies in the two windows is compared.
        (at < 4096 || (length.saturating_sub(4096)..length).contains(&at)).then_some(known)
    }
}
