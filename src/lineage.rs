//! Files that were found, and files that are remembered → which is which: one that has grown, was rotated
//! or renamed goes on as what it was; what was replaced or is gone stays known.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;

use provtrace_parsers::format::Formats;
use serde::{Deserialize, Serialize};

use crate::bundle;
use crate::discover::Source;
use crate::logs::DeviceLogs;
use crate::news::Files;
use crate::paths::slashed;
use crate::place::{self, Member};
use crate::provision::GONE;
use crate::recognise::is_looked_at;
use crate::recollection::{Fate, Part, Reading, Recollection};
use crate::walk::Stat;

/// Most files that are opened to find the one that another one became, for each device.
const MOST_TRIED: usize = 2_000;

/// A file, or member of an archive, as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Where it lies, with `/`.
    pub file: String,
    /// Its name in the archive.
    pub member: Option<String>,
    /// As reports show it.
    pub shown: String,
    /// The name of its format.
    pub format: String,
    /// The task id that its name holds.
    pub task: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// What the system said of it.
    pub stat: Stat,
    /// Whether it is as it was if that did not change: it was read whole, and long after it was written.
    pub trusted: bool,
    /// The day, and the run, in which it was no longer there, or no longer what it was.
    pub gone: Option<String>,
}

/// A file that is remembered, with what was read of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Known {
    /// What it was.
    pub listed: Listed,
    /// What was read.
    pub reading: Reading,
}

/// What is remembered of a device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Its files, in order of what is shown.
    pub known: Vec<Known>,
    /// What a reader should know of all together.
    pub warnings: Vec<String>,
}

impl Memory {
    /// The device's records, as its timeline is made of them.
    pub fn logs(self, device: &str) -> DeviceLogs {
        let mut logs = DeviceLogs { device: device.to_owned(), ..DeviceLogs::default() };
        self.known.into_iter().for_each(|own| logs.add(&own.listed.shown, own.reading));
        logs.warnings.extend(self.warnings);
        logs
    }
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It was never seen before.
    New,
    /// It has grown, perhaps.
    Grown,
    /// It has another name, and has grown, perhaps.
    Moved,
    /// It is another one than before, or can't be trusted to be the same.
    Replaced,
    /// It is what it was.
    Unchanged,
    /// It is no longer there.
    Gone,
    /// It was gone before.
    LongGone,
}

/// A file of a device, there or gone.
#[derive(Debug)]
pub struct Heir {
    /// The file; of one that is gone, what it was.
    pub source: Source,
    /// What is to be read of it.
    pub part: Part,
    /// What became of it.
    pub became: Became,
    /// The day, and the run, in which it was gone.
    pub gone: Option<String>,
}

impl Listed {
    /// Of a file that was found.
    pub fn of(source: &Source, formats: &Formats) -> Listed {
        Listed {
            file: slashed(&source.file),
            member: source.member.as_ref().map(|member| member.name.clone()),
            shown: source.shown.clone(),
            format: formats.formats[source.format].name.clone(),
            task: source.task.clone(),
            bytes: source.bytes,
            stat: source.stat,
            trusted: false,
            gone: None,
        }
    }

    /// Whether a file that was found is this one, unchanged.
    pub fn is_same(&self, found: &Listed) -> bool {
        let Listed { file, member, format, task, stat, .. } = self;
        self.trusted
            && self.gone.is_none()
            && (file, member, format, task, stat)
                == (&found.file, &found.member, &found.format, &found.task, &found.stat)
    }

    /// As it is shown when it is gone.
    fn shown_until(&self, when: &str) -> String {
        let inside = self.member.as_ref().map(|member| format!("!/{member}")).unwrap_or_default();
        let path = self.shown.strip_suffix(&inside).unwrap_or(&self.shown);
        format!("{path}{GONE}{when}){inside}")
    }

    /// As a source that is not opened any more.
    fn source(&self, formats: &Formats) -> Source {
        let format = formats.formats.iter().position(|format| format.name == self.format);
        Source {
            file: self.file.clone().into(),
            shown: self.shown.clone(),
            format: format.unwrap_or(0),
            task: self.task.clone(),
            bytes: self.bytes,
            member: self.member.clone().map(|name| Box::new(Member::unplaced(name))),
            stat: self.stat,
        }
    }
}

/// Tells which file is which. `now` is what is said of those that are gone now; `anew`: all that is there is
/// read again, since it is read otherwise than before.
pub fn heirs(
    found: Vec<Source>,
    known: Vec<Known>,
    formats: &Formats,
    now: &str,
    anew: bool,
) -> Vec<Heir> {
    let there = known.iter().enumerate().filter(|(_, own)| own.listed.gone.is_none());
    let places: BTreeMap<Place, usize> =
        there.map(|(at, own)| ((own.listed.file.clone(), own.listed.member.clone()), at)).collect();
    let mut estate = Estate { known: known.into_iter().map(Some).collect(), formats, tried: 0 };
    let in_place = |source| {
        let at = places.get(&place(source));
        (at.and_then(|at| estate.in_place(*at, source)), at.is_some())
    };
    let first: Vec<(Option<Heir>, bool)> = found.iter().map(in_place).collect();
    estate.known.retain(Option::is_some);
    let mut heirs = Vec::new();
    for (source, (heir, was_known)) in found.into_iter().zip(first) {
        let heir = heir.or_else(|| estate.elsewhere(&source));
        heirs.push(heir.unwrap_or_else(|| {
            let part = Part { fate: Fate::Whole, known: None };
            let became = if was_known { Became::Replaced } else { Became::New };
            Heir { source, part, became, gone: None }
        }));
    }
    if anew {
        heirs.iter_mut().for_each(|heir| heir.part.fate = Fate::Whole);
    }
    estate.forget_begins(&heirs);
    heirs.extend(estate.rest(now));
    heirs.sort_by(|a, b| (&a.source.shown, &a.gone).cmp(&(&b.source.shown, &b.gone)));
    heirs
}

/// The files of a device of which none is to be had: they stay known as they are.
pub fn remembered(known: Vec<Known>, formats: &Formats) -> Vec<Heir> {
    let heir = |own: Known| Heir {
        source: own.listed.source(formats),
        part: Part { fate: Fate::Gone, known: Some(own.reading) },
        became: Became::LongGone,
        gone: own.listed.gone,
    };
    known.into_iter().map(heir).collect()
}

/// Where a file lies, and which member of it is meant.
pub type Place = (String, Option<String>);

/// Of a file that was found.
pub fn place(source: &Source) -> Place {
    (slashed(&source.file), source.member.as_ref().map(|member| member.name.clone()))
}

/// What is remembered and has no heir yet.
struct Estate<'f> {
    known: Vec<Option<Known>>,
    formats: &'f Formats,
    tried: usize,
}

impl Estate<'_> {
    /// What became of the file that was in this place, if it is still this one.
    fn in_place(&mut self, at: usize, source: &Source) -> Option<Heir> {
        let own = self.known[at].as_ref()?;
        if own.listed.is_same(&Listed::of(source, self.formats)) {
            let part = Part { fate: Fate::Same, known: Some(self.known[at].take()?.reading) };
            return Some(Heir {
                source: source.clone(),
                part,
                became: Became::Unchanged,
                gone: None,
            });
        }
        let Ok(known) = &own.reading else {
            self.known[at] = None;
            let part = Part { fate: Fate::Whole, known: None };
            return Some(Heir {
                source: source.clone(),
                part,
                became: Became::Replaced,
                gone: None,
            });
        };
        let (was, is) = (own.listed.stat.modified, source.stat.modified);
        let older = is < was;
        let (fate, became) = match self.try_fits(known, source, own) {
            Ok(true) if older => (Fate::Whole, Became::Replaced),
            Ok(true) => (Fate::Grown, Became::Grown),
            Ok(false) => return None,
            // Of a file that can't be opened now nothing is said but that.
            Err(_) => (Fate::Whole, Became::Grown),
        };
        let part = Part { fate, known: Some(self.known[at].take()?.reading) };
        Some(Heir { source: source.clone(), part, became, gone: None })
    }

    /// What this file was before it got its name: one of which nothing is left in its place.
    fn elsewhere(&mut self, source: &Source) -> Option<Heir> {
        let format = &self.formats.formats[source.format].name;
        let mut at = None;
        for (place, own) in self.known.iter().enumerate() {
            let Some(own) = own else { continue };
            let Ok(known) = &own.reading else { continue };
            let alike = own.listed.format == *format
                && own.listed.task == source.task
                && known.fingerprint.length > 0;
            if alike && self.tried < MOST_TRIED {
                self.tried += 1;
                if self.fits(known, source, own) {
                    at = Some(place);
                    break;
                }
            }
        }
        let own = self.known[at?].take()?;
        let same = own.listed.trusted && own.listed.stat.modified == source.stat.modified;
        let plain = own.listed.member.is_none() && source.member.is_none();
        let same = same && plain && own.listed.bytes == source.bytes;
        let fate = if same { Fate::Same } else { Fate::Grown };
        let part = Part { fate, known: Some(own.reading) };
        Some(Heir { source: source.clone(), part, became: Became::Moved, gone: None })
    }

    /// Forgets what another file begins with: where several begin alike, as all do that have a few bytes only,
    /// another one may have gone on in its place.
    fn forget_begins(&mut self, heirs: &[Heir]) {
        for at in 0..self.known.len() {
            let Some(own) = &self.known[at] else { continue };
            let Ok(known) = &own.reading else { continue };
            // What was gone before was compared with those that are as they were.
            let was_gone = own.listed.gone.is_some();
            let mut others = heirs.iter().filter(|heir| {
                let format = &self.formats.formats[heir.source.format].name;
                let is_asked = !was_gone || heir.became != Became::Unchanged;
                is_asked && *format == own.listed.format && heir.source.task == own.listed.task
            });
            let mut left = MOST_TRIED.saturating_sub(self.tried);
            let is_begin = others.any(|heir| {
                let asked = left > 0;
                left -= usize::from(asked);
                asked && self.fits(known, &heir.source, own)
            });
            self.tried = MOST_TRIED - left;
            if is_begin {
                self.known[at] = None;
            }
        }
    }

    /// Whether a file begins as another one did, all of it.
    fn fits(&self, known: &Recollection, source: &Source, own: &Known) -> bool {
        self.try_fits(known, source, own).unwrap_or(false)
    }

    fn try_fits(&self, known: &Recollection, source: &Source, own: &Known) -> io::Result<bool> {
        let print = &known.fingerprint;
        let plain = source.member.is_none() && own.listed.member.is_none();
        // As long as it was, and written since: nothing was appended, so something may be written over.
        let over = plain
            && source.bytes == own.listed.bytes
            && source.stat.modified != own.listed.stat.modified;
        if over && (print.length < source.bytes || !print.is_all()) {
            return Ok(false);
        }
        match &source.member {
            None if plain && source.bytes < own.listed.bytes => Ok(false),
            None if source.bytes < print.length => Ok(false),
            None => File::open(&source.file).and_then(|mut file| print.fits(&mut file)),
            Some(member) => {
                let is_log = |name: &str| is_looked_at(name, self.formats);
                let member = bundle::placed(&source.file, member, &is_log);
                place::open(&source.file, Some(&member))
                    .and_then(|mut content| print.fits_content(&mut content))
            }
        }
    }

    /// What has no heir is gone, and stays known.
    fn rest(self, now: &str) -> Vec<Heir> {
        let formats = self.formats;
        let gone = |own: Known| {
            let known = own.reading.ok()?;
            let (became, gone) = match own.listed.gone.clone() {
                None => (Became::Gone, now.to_owned()),
                Some(day) => (Became::LongGone, day),
            };
            let mut source = own.listed.source(formats);
            if became == Became::Gone {
                source.shown = own.listed.shown_until(&gone);
            }
            let part = Part { fate: Fate::Gone, known: Some(Ok(known)) };
            Some(Heir { source, part, became, gone: Some(gone) })
        };
        self.known.into_iter().flatten().filter_map(gone).collect()
    }
}

/// Counts what became of files.
pub fn count(became: Became, files: &mut Files) {
    match became {
        Became::New => files.new += 1,
        Became::Grown => files.grown += 1,
        Became::Moved => files.moved += 1,
        Became::Replaced => files.replaced += 1,
        Became::Unchanged => files.unchanged += 1,
        Became::Gone => files.gone += 1,
        Became::LongGone => {}
    }
}

/// Whether one log says nothing that another one does not say as often: it was the same, or a part of it.
pub fn is_part_of(part: &Recollection, whole: &Recollection) -> bool {
    let mut left: HashMap<_, u32> = HashMap::new();
    for entry in &whole.log.entries {
        *left.entry((entry.logged(), &*entry.quote.text)).or_default() += 1;
    }
    part.log.entries.iter().all(|entry| {
        left.get_mut(&(entry.logged(), &*entry.quote.text)).is_some_and(|left| {
            let any = *left > 0;
            *left = left.saturating_sub(1);
            any
        })
    })
}
