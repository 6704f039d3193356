//! A share whose logs are delivered night by night, and what happens to them meanwhile.
//!
//! The share is a model in memory first; [`Share::deliver`] makes the folder on disk be the same, by what a
//! collector does: it appends, renames, writes anew, writes over, deletes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::program::write;

mod events;

/// Seconds since 1970 at which the first file was written.
const FIRST: u64 = 1_748_736_000;

/// One log of a device.
#[derive(Debug, Clone)]
pub struct Log {
    /// The folder of its device.
    pub device: String,
    /// The file, below the share.
    pub file: String,
    /// Its name in that file, if it is an archive.
    pub member: Option<String>,
    /// What is there of it; `None` if it is not there (yet).
    pub now: Option<Vec<u8>>,
    /// What is still to be written to it.
    pub later: Vec<u8>,
    /// What a night saw of it last, and where it lay then.
    pub seen: Option<(String, Option<String>, Vec<u8>)>,
    /// Whether it is written over in place, where it does not only grow.
    pub in_place: bool,
    /// Whether its file seems older than it did.
    pub backdated: bool,
}

/// What a night saw, and a later one did not any more.
#[derive(Debug, Clone)]
pub struct Relic {
    /// The folder of its device.
    pub device: String,
    /// Where to lay it, so that it stands in the order of paths as in the store.
    pub file: String,
    /// What it was.
    pub content: Vec<u8>,
}

/// A share.
#[derive(Debug)]
pub struct Share {
    /// Its folder.
    pub root: PathBuf,
    /// All logs.
    pub logs: Vec<Log>,
    /// Devices whose folder is not there.
    pub away: BTreeSet<String>,
    /// Whether no device leaves.
    pub stays: bool,
    /// What was destroyed.
    pub relics: Vec<Relic>,
    /// What lies on disk: the logs in each file, and its bytes.
    disk: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
    ticks: u64,
}

impl Share {
    /// An empty one.
    pub fn new(root: PathBuf) -> Share {
        fs::create_dir_all(&root).expect("a folder");
        Share {
            root,
            logs: Vec::new(),
            away: BTreeSet::new(),
            stays: false,
            relics: Vec::new(),
            disk: BTreeMap::new(),
            ticks: 0,
        }
    }

    /// Whether a log lies on the share.
    pub fn is_there(&self, log: &Log) -> bool {
        log.now.is_some() && !self.away.contains(&log.device)
    }

    /// The numbers of the logs that fit.
    pub fn those(&self, fits: impl Fn(&Log) -> bool) -> Vec<usize> {
        (0..self.logs.len()).filter(|at| fits(&self.logs[*at])).collect()
    }

    /// Whether no log lies, or will lie, in this file.
    pub fn is_free(&self, file: &str) -> bool {
        self.logs.iter().all(|log| log.file != file)
    }

    /// The files that are to lie on the share.
    fn wanted(&self) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
        let mut files: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
        for (at, _) in self.logs.iter().enumerate().filter(|(_, log)| self.is_there(log)) {
            files.entry(self.logs[at].file.clone()).or_default().0.push(at);
        }
        for (file, (logs, bytes)) in &mut files {
            let part = |at: &usize| {
                let log = &self.logs[*at];
                (log.member.clone(), log.now.clone().unwrap_or_default())
            };
            *bytes = file_of(file, logs.iter().map(part).collect());
        }
        files
    }

    /// Makes the folder on disk be what the logs are now. `fresh`: files are as young as they are; else
    /// all that changed was written long ago, each later than those before.
    pub fn deliver(&mut self, fresh: bool) {
        let wanted = self.wanted();
        let mut disk = std::mem::take(&mut self.disk);
        // What has another name keeps its file: first all go out of the way.
        let mut moved = BTreeMap::new();
        for (file, (logs, bytes)) in &wanted {
            let old = disk.iter().find(|(_, (own, _))| own == logs).map(|(old, _)| old.clone());
            if let Some(old) = old.filter(|old| old != file) {
                let aside = self.root.join(format!("moved-{}", moved.len()));
                fs::rename(self.root.join(&old), &aside).expect("renamed");
                moved.insert(file.clone(), (aside, disk.remove(&old), bytes));
            }
        }
        for file in disk.keys().filter(|file| !wanted.contains_key(*file)) {
            fs::remove_file(self.root.join(file)).expect("removed");
        }
        let mut moves: BTreeMap<String, (PathBuf, Vec<u8>)> = BTreeMap::new();
        for (file, (aside, old, _)) in moved {
            moves.insert(file, (aside, old.map(|(_, bytes)| bytes).unwrap_or_default()));
        }
        for (file, (logs, bytes)) in &wanted {
            let path = self.root.join(file);
            let before = match moves.remove(file) {
                Some((aside, before)) => {
                    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                    fs::rename(aside, &path).expect("renamed");
                    Some(before)
                }
                None => disk.remove(file).map(|(_, bytes)| bytes),
            };
            let log = &self.logs[logs[0]];
            let (in_place, backdated) = (log.in_place, log.backdated);
            let touched = put(&path, before.as_deref(), bytes, in_place);
            self.ticks += 60;
            if backdated {
                set_time(&path, FIRST - self.ticks);
            } else if touched && !fresh {
                set_time(&path, FIRST + self.ticks);
            }
        }
        self.logs.iter_mut().for_each(|log| (log.in_place, log.backdated) = (false, false));
        self.disk = wanted;
        remove_empty(&self.root);
    }

    /// A night saw all that is there; what it can't see any more of what nights before saw is a relic.
    /// `label` is how the store marks it.
    pub fn seen(&mut self, label: &str) {
        let there: BTreeSet<String> = self
            .logs
            .iter()
            .filter(|log| self.is_there(log))
            .map(|log| log.device.clone())
            .collect();
        for at in 0..self.logs.len() {
            let log = &self.logs[at];
            // Of a device without any log nothing is asked.
            if !there.contains(&log.device) {
                continue;
            }
            let now = log.now.clone();
            let goes_on = |seen: &[u8]| now.as_ref().is_some_and(|now| now.starts_with(seen));
            if let Some((file, member, content)) =
                log.seen.clone().filter(|(_, _, seen)| !goes_on(seen))
            {
                let device = log.device.clone();
                let name = file.rsplit('/').next().unwrap_or(&file);
                let file = member.as_ref().map_or_else(
                    || format!("{file} (until {label})/{name}"),
                    |member| format!("{file} (until {label})!/{member}"),
                );
                self.relics.push(Relic { device, file, content });
            }
            let log = &mut self.logs[at];
            log.seen = now.map(|now| (log.file.clone(), log.member.clone(), now));
        }
        self.forget_begins();
    }

    /// What a log that is there begins with is no relic: it is there.
    fn forget_begins(&mut self) {
        let stem = |file: &str| {
            let name = file.rsplit('/').next().unwrap_or(file);
            name.split('.').next().unwrap_or(name).to_owned()
        };
        let mut relics = std::mem::take(&mut self.relics);
        relics.retain(|relic| {
            !self.logs.iter().filter(|log| self.is_there(log)).any(|log| {
                let name = log.member.as_ref().unwrap_or(&log.file);
                let same = log.device == relic.device && stem(name) == stem(&relic.file);
                same && log.now.as_ref().is_some_and(|now| now.starts_with(&relic.content))
            })
        });
        self.relics = relics;
    }

    /// Lays everything into one folder: what is there, and what was destroyed.
    pub fn everything(&self, folder: &Path) {
        for (file, (_, bytes)) in &self.disk {
            write(&folder.join(file), bytes);
        }
        for relic in &self.relics {
            write(&folder.join(&relic.file), &relic.content);
        }
        // Devices that are not there are as they were.
        let there: BTreeSet<&String> =
            self.logs.iter().filter(|log| self.is_there(log)).map(|log| &log.device).collect();
        let mut away: BTreeMap<&str, Vec<Part>> = BTreeMap::new();
        for log in self.logs.iter().filter(|log| !there.contains(&log.device)) {
            if let Some((file, member, content)) = &log.seen {
                away.entry(file).or_default().push((member.clone(), content.clone()));
            }
        }
        for (file, parts) in away {
            write(&folder.join(file), &file_of(file, parts));
        }
    }
}

/// A log in a file: its name there, if the file is an archive, and what it is.
type Part = (Option<String>, Vec<u8>);

/// A file's bytes.
fn file_of(file: &str, mut parts: Vec<Part>) -> Vec<u8> {
    if file.ends_with(".zip") {
        return zip(parts.into_iter().map(|(name, log)| (name.unwrap_or_default(), log)));
    }
    let (_, log) = parts.swap_remove(0);
    if file.ends_with(".gz") { gzip(&log) } else { log }
}

/// Writes a file, as a collector that has written it before would; whether anything was written.
fn put(path: &Path, before: Option<&[u8]>, bytes: &[u8], in_place: bool) -> bool {
    match before {
        Some(before) if before == bytes => return false,
        Some(before) if bytes.starts_with(before) => {
            let mut file = OpenOptions::new().append(true).open(path).expect("opened");
            file.write_all(&bytes[before.len()..]).expect("appended");
        }
        Some(_) if in_place => {
            let mut file = OpenOptions::new().write(true).open(path).expect("opened");
            file.write_all(bytes).expect("written over");
            file.set_len(bytes.len() as u64).expect("cut");
        }
        Some(_) => {
            fs::remove_file(path).expect("removed");
            write(path, bytes);
        }
        None => write(path, bytes),
    }
    true
}

fn set_time(path: &Path, seconds: u64) {
    let file = OpenOptions::new().append(true).open(path).expect("opened");
    set_file_time(&file, seconds);
}

fn set_file_time(file: &File, seconds: u64) {
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).expect("a time");
}

/// Removes folders without anything in them.
fn remove_empty(folder: &Path) {
    let below = walkdir::WalkDir::new(folder).min_depth(1).contents_first(true);
    for entry in below.into_iter().filter_map(Result::ok).filter(|own| own.file_type().is_dir()) {
        // It may hold files.
        let _ = fs::remove_dir(entry.path());
    }
}

fn zip(members: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(name, SimpleFileOptions::default()).expect("a member");
        zip.write_all(&bytes).expect("written");
    }
    zip.finish().expect("an archive").into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("written");
    gzip.finish().expect("packed")
}
