//! From sheets to files: what is kept, how it is cut up and encoded, and where it is put.

use crate::clock::{civil, utc_of};
use crate::encoding::Encoding;
use crate::options::{Disorder, Options};
use crate::rng::Rng;
use crate::sheet::{Body, Folder, Mark, Record, Sheet, Style, print};
use crate::story::{ProcessId, Story};
use std::collections::BTreeSet;

/// How a device's logs came to the share.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    /// A folder of its own.
    Plain,
    /// A folder a night: its name, and the last moment it knows.
    Nights(Vec<(String, i64)>),
    /// A zip bundle of this name.
    Bundle(String),
}

/// What a reader of the share can still find about the processes of a device.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Process, moment, kind of mark.
    pub(crate) proofs: BTreeSet<(ProcessId, i64, u8)>,
    /// Processes whose start and duration the registry export holds.
    pub(crate) dated: BTreeSet<ProcessId>,
    /// Logs that were there and did not come.
    pub(crate) missing: Vec<String>,
}

/// A device's files: path on the share, or inside the bundle, and content.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) layout: Layout,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) kept: Kept,
}

/// Order of marks in `Kept::proofs`.
pub(crate) fn rank(mark: Mark) -> u8 {
    match mark {
        Mark::Lives => 0,
        Mark::Waits => 1,
        Mark::Refused => 2,
        Mark::Launched => 3,
    }
}

/// Lays out all sheets of a device.
pub(crate) fn deliver(
    options: &Options,
    story: &Story,
    style: &Style,
    sheets: Vec<Sheet>,
) -> Delivery {
    let layout = layout(options, story);
    let mut delivery = Delivery { layout, files: Vec::new(), kept: Kept::default() };
    for sheet in sheets {
        let purpose = format!("file {:?} {}", sheet.folder, sheet.name);
        let mut rng = Rng::stream(options.seed, story.index, &purpose);
        let fate = Fate::draw(&options.disorder, &mut rng);
        if fate.missing {
            delivery.kept.missing.push(format!("{}{}", sheet.folder.on_share(), sheet.name));
            continue;
        }
        let mut clerk = Clerk { options, story, style, fate, rng, delivery: &mut delivery };
        clerk.file(sheet);
    }
    delivery
}

fn layout(options: &Options, story: &Story) -> Layout {
    let mut rng = Rng::stream(options.seed, story.index, "layout");
    let nightly = rng.percent(options.disorder.nightly);
    let zipped = rng.percent(options.disorder.zips);
    let last = civil(story.clock.local(story.collected));
    if nightly {
        return Layout::Nights(nights(story));
    }
    if zipped {
        let date = format!("{:02}{:02}{}", last.month, last.day, last.year);
        return Layout::Bundle(format!("All_Zipped_Logs_{}_{date}.zip", story.name));
    }
    Layout::Plain
}

/// Half past eleven at the site, three nights at most, and the day of the collection.
fn nights(story: &Story) -> Vec<(String, i64)> {
    let zone = story.site.zone;
    let first = story.runs.first().map_or(story.collected, |run| run.started);
    let day = (first + crate::clock::offset(zone, first)).div_euclid(86_400);
    let mut found: Vec<(String, i64)> = (day..day + 3)
        .map(|day| (date(day * 86_400), utc_of(zone, day * 86_400 + 23 * 3600 + 1800)))
        .filter(|(_, until)| *until < story.collected)
        .collect();
    let last = date(story.collected + crate::clock::offset(zone, story.collected));
    found.retain(|(name, _)| *name != last);
    found.push((last, story.collected));
    found
}

fn date(local: i64) -> String {
    let c = civil(local);
    format!("{}-{:02}-{:02}", c.year, c.month, c.day)
}

/// What becomes of one log.
#[derive(Debug)]
struct Fate {
    missing: bool,
    encoding: Encoding,
    line_end: &'static str,
    pieces: usize,
    overlap: usize,
    /// `.1` is the youngest of the old ones, not the oldest.
    one_is_youngest: bool,
    cut: bool,
    nul_tail: usize,
    copied: bool,
}

impl Fate {
    fn draw(disorder: &Disorder, rng: &mut Rng) -> Self {
        let missing = rng.percent(disorder.missing);
        let odd = Encoding::odd(rng);
        let encoding = if rng.percent(disorder.encodings) { odd } else { Encoding::Utf8 };
        let line_end = if rng.percent(disorder.lf) { "\n" } else { "\r\n" };
        let (rolled, pieces) = (rng.percent(disorder.rotation), rng.between(2, 4) as usize);
        let (overlaps, overlap) = (rng.percent(30), rng.between(1, 5) as usize);
        let (tail, nul_tail) = (rng.percent(disorder.nul_tails), rng.between(1, 4096) as usize);
        Self {
            missing,
            encoding,
            line_end,
            pieces: if rolled { pieces } else { 1 },
            overlap: if overlaps { overlap } else { 0 },
            one_is_youngest: rng.percent(60),
            cut: rng.percent(disorder.cut_logs),
            nul_tail: if tail { nul_tail } else { 0 },
            copied: rng.percent(disorder.copies),
        }
    }
}

/// Files one sheet.
struct Clerk<'a> {
    options: &'a Options,
    story: &'a Story,
    style: &'a Style,
    fate: Fate,
    rng: Rng,
    delivery: &'a mut Delivery,
}

impl Clerk<'_> {
    fn file(&mut self, sheet: Sheet) {
        let nights = match &self.delivery.layout {
            Layout::Plain | Layout::Bundle(_) => vec![(None, self.story.collected)],
            Layout::Nights(nights) => {
                nights.iter().map(|(name, until)| (Some(name.clone()), *until)).collect()
            }
        };
        let Sheet { folder, name, rolls, body } = sheet;
        match body {
            Body::Text { text, utf16, proves } => {
                self.delivery.kept.dated.extend(proves);
                let night = nights.last().and_then(|(name, _)| name.clone());
                let text = text.replace('\n', "\r\n");
                let own = if utf16 { Encoding::Utf16LeMarked } else { self.fate.encoding };
                let bytes = self.encoding(own).encode(text);
                self.put(night.as_deref(), folder, &name, bytes);
            }
            Body::Records(mut records) => {
                self.reword(&mut records);
                let end = records.partition_point(|r| r.at <= self.story.collected);
                for (night, until) in &nights {
                    let known = records.partition_point(|record| record.at <= *until).min(end);
                    let whole = *until == self.story.collected;
                    let pieces = if rolls && whole { self.fate.pieces } else { 1 };
                    self.pieces(night.as_deref(), folder, &name, &records[..known], pieces);
                }
            }
        }
    }

    fn reword(&self, records: &mut [Record]) {
        if let Some(dialect) = &self.options.wording {
            for record in records {
                record.text = dialect.text(&record.text);
            }
        }
    }

    /// Splits the records over a log and its older siblings, and writes each.
    fn pieces(
        &mut self,
        night: Option<&str>,
        folder: Folder,
        name: &str,
        records: &[Record],
        pieces: usize,
    ) {
        if records.is_empty() {
            return;
        }
        let mut cuts: BTreeSet<usize> = BTreeSet::from([0]);
        for _ in 1..pieces {
            cuts.insert(self.rng.index(records.len()));
        }
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let old = cuts.len() - 1;
        for (position, from) in cuts.iter().enumerate() {
            let to = cuts.get(position + 1).copied().unwrap_or(records.len());
            let from = if position > 0 { from.saturating_sub(self.fate.overlap) } else { *from };
            let number = if self.fate.one_is_youngest { old - position } else { position + 1 };
            let own = if position == old {
                name.to_owned()
            } else {
                name.replace(".log", &format!(".{number}.log"))
            };
            let bytes = self.write(&records[from..to], position == old);
            self.put(night, folder, &own, bytes);
        }
    }

    /// The records as bytes; the young end of a log may be cut or padded.
    fn write(&mut self, records: &[Record], young: bool) -> Vec<u8> {
        let mut text = String::with_capacity(records.len() * 100);
        let cut = young && self.fate.cut && records.len() > 3;
        let lost = if cut { 1 + self.rng.index(records.len().min(30) - 1) } else { 0 };
        let kept = records.len() - lost;
        for record in &records[..kept] {
            self.print(record, &mut text);
            text.push_str(self.fate.line_end);
            if let Some((id, mark)) = record.proof {
                self.delivery.kept.proofs.insert((id, record.at, rank(mark)));
            }
        }
        if cut {
            let mut torn = String::new();
            self.print(&records[kept], &mut torn);
            let half = torn.chars().count() / 2;
            text.extend(torn.chars().take(half));
        }
        let mut bytes = self.encoding(self.fate.encoding).encode(text);
        if cut && self.rng.percent(30) {
            bytes.pop();
        }
        if young {
            bytes.resize(bytes.len() + self.fate.nul_tail, 0);
        }
        bytes
    }

    fn print(&self, record: &Record, text: &mut String) {
        let start = text.len();
        match &self.options.wording {
            Some(dialect) => {
                text.push_str(&dialect.stamp(record, self.story.clock.local(record.at)));
                text.push_str(&record.text);
            }
            None => print(record, &self.story.clock, self.style, text),
        }
        if text[start..].contains('\n') {
            let folded = text[start..].replace('\n', self.fate.line_end);
            text.truncate(start);
            text.push_str(&folded);
        }
    }

    /// The collector's script writes everything in UTF-16.
    fn encoding(&self, own: Encoding) -> Encoding {
        match self.delivery.layout {
            Layout::Bundle(_) => Encoding::Utf16LeMarked,
            Layout::Plain | Layout::Nights(_) => own,
        }
    }

    fn put(&mut self, night: Option<&str>, folder: Folder, name: &str, bytes: Vec<u8>) {
        let device = &self.story.name;
        let root = match &self.delivery.layout {
            Layout::Bundle(_) => format!("PS1_Log_Script/{}", folder.in_bundle()),
            Layout::Plain | Layout::Nights(_) => match night {
                Some(night) => format!("{night}/{device}/{}", folder.on_share()),
                None => format!("{device}/{}", folder.on_share()),
            },
        };
        if self.fate.copied {
            let copy = format!("{root}old/{name}");
            self.delivery.files.push((copy, bytes.clone()));
        }
        self.delivery.files.push((format!("{root}{name}"), bytes));
    }
}
