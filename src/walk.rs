//! A path given → the files under it, before it is known what they are.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

use crate::paths::{plain, slashed};
use crate::place::Member;
use crate::watch;

/// So long ago a file must have been written, in nanoseconds, that it can be told from a later one.
const SETTLED: i64 = 3_000_000_000;

/// A file that was not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Skipped {
    /// As shown in reports.
    pub path: String,
    /// Lower case, for people.
    pub reason: String,
}

/// What the system says of a file: if nothing of it changed, its contents didn't.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stat {
    /// Its size.
    pub bytes: u64,
    /// When it was written last, in nanoseconds since 1970.
    pub modified: i64,
    /// When it was changed in any way (Unix), or created (Windows); 0 if that is not known.
    changed: i64,
    /// Its number in the file system, where that is to be had without opening it.
    number: u64,
}

impl Stat {
    /// Of a file.
    pub fn of(metadata: &Metadata) -> Stat {
        let modified = metadata.modified().map_or(0, nanos);
        let (changed, number) = identity(metadata);
        Stat { bytes: metadata.len(), modified, changed, number }
    }

    /// Whether it was written so long ago that it can't be written again within the same tick of the
    /// file system's clock: two seconds on FAT.
    pub fn is_settled(&self) -> bool {
        nanos(SystemTime::now()) - self.modified > SETTLED
    }
}

fn nanos(time: SystemTime) -> i64 {
    let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => nanos(after),
        Err(before) => -nanos(before.duration()),
    }
}

/// When it changed, and its number.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> (i64, u64) {
    use std::os::unix::fs::MetadataExt;
    let changed =
        metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
    (changed, metadata.ino())
}

/// When it was created; its number is not to be had without opening it.
#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> (i64, u64) {
    (metadata.created().map_or(0, nanos), 0)
}

/// A file, before it is known what it is.
pub struct Found {
    /// Where to open it.
    pub file: PathBuf,
    /// How it is shown.
    pub shown: String,
    /// Its path below the one given, with archives as folders.
    pub inside: String,
    /// Its size.
    pub bytes: u64,
    /// What the system says of the file that it is, or lies in.
    pub stat: Stat,
    /// Which part of the file it is, if the file is an archive.
    pub member: Option<Member>,
    /// Which of the paths given.
    pub root: usize,
}

/// A path given, and how it names what lies under it.
#[derive(Debug, Clone)]
pub struct Root {
    /// As it was given.
    pub path: PathBuf,
    /// Whether it is no folder.
    pub is_file: bool,
    /// Stands before what is shown, where several paths are given.
    pub prefix: Option<String>,
    /// The device of files that lie in no device's folder.
    pub name: String,
    /// The folder, with all that is above it.
    pub folder: String,
}

/// What lies under a path, in order of name: its folders are walked side by side. A folder in which
/// nothing is found for `limit` is left.
pub fn walk(
    root: &Root,
    number: usize,
    limit: Option<Duration>,
) -> Vec<(Vec<Found>, Vec<Skipped>)> {
    let top = WalkDir::new(&root.path).max_depth(1).sort_by_file_name();
    let top: Vec<walkdir::Result<DirEntry>> = top.into_iter().collect();
    match limit {
        None => top.into_par_iter().map(|entry| below(entry, root, number, &|| {})).collect(),
        Some(limit) => watched(top, root, number, limit),
    }
}

/// A folder's files, or the file.
fn below(
    entry: walkdir::Result<DirEntry>,
    root: &Root,
    number: usize,
    beat: &dyn Fn(),
) -> (Vec<Found>, Vec<Skipped>) {
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    let mut take = |entry| match look_at(entry, root, number) {
        Ok(file) => found.extend(file),
        Err(skip) => skipped.push(skip),
    };
    match entry {
        Ok(folder) if folder.depth() == 1 && folder.file_type().is_dir() => {
            let below = WalkDir::new(folder.path()).min_depth(1).sort_by_file_name();
            below.into_iter().inspect(|_| beat()).for_each(take);
        }
        entry => take(entry),
    }
    (found, skipped)
}

/// The same by threads that are left behind where a folder does not answer.
fn watched(
    top: Vec<walkdir::Result<DirEntry>>,
    root: &Root,
    number: usize,
    limit: Duration,
) -> Vec<(Vec<Found>, Vec<Skipped>)> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let path = |entry: &walkdir::Result<DirEntry>| match entry {
        Ok(entry) => root.shown(entry.path()),
        Err(error) => root.shown(error.path().unwrap_or(&root.path)),
    };
    let paths: Vec<String> = top.iter().map(path).collect();
    let count = top.len();
    let entries: Vec<Mutex<Option<walkdir::Result<DirEntry>>>> =
        top.into_iter().map(|entry| Mutex::new(Some(entry))).collect();
    let root = root.clone();
    let work = move |at: usize, pulse: &watch::Pulse| {
        let entry = entries[at].lock().unwrap_or_else(PoisonError::into_inner).take();
        entry.map_or_else(Default::default, |entry| below(entry, &root, number, &|| pulse.beat()))
    };
    let mut all: Vec<(Vec<Found>, Vec<Skipped>)> = (0..count).map(|_| Default::default()).collect();
    watch::each(count, threads, limit, Arc::new(work), |at, found| {
        all[at] = found.unwrap_or_else(|_| {
            let reason = format!("does not answer for {} seconds, left", limit.as_secs());
            (Vec::new(), vec![Skipped { path: paths[at].clone(), reason }])
        });
        true
    });
    all
}

/// The file that was come upon, if it is one, or why it is not read.
fn look_at(
    entry: walkdir::Result<DirEntry>,
    root: &Root,
    number: usize,
) -> Result<Option<Found>, Skipped> {
    let entry = entry.map_err(|error| {
        let path = error.path().unwrap_or(&root.path);
        let reason = error.io_error().map_or_else(|| error.to_string(), plain);
        Skipped { path: root.shown(path), reason }
    })?;
    if entry.file_type().is_dir() {
        return Ok(None);
    }
    let shown = root.shown(entry.path());
    if let Some(reason) = not_read(&entry, root) {
        return Err(Skipped { path: shown, reason: reason.to_owned() });
    }
    let stat = entry.metadata().map_or_else(|_| Stat::default(), |metadata| Stat::of(&metadata));
    let inside = if root.is_file { slashed(&root.path) } else { root.below(entry.path()) };
    let file = entry.into_path();
    Ok(Some(Found { file, shown, inside, bytes: stat.bytes, stat, member: None, root: number }))
}

/// Why a thing that is no folder is not opened, if it isn't.
fn not_read(entry: &DirEntry, root: &Root) -> Option<&'static str> {
    let given = entry.path() == root.path;
    if given && root.is_file || entry.file_type().is_file() {
        None
    } else if entry.path_is_symlink() && !given {
        // It may lead out of the share, or back into it.
        Some("symbolic link, not followed")
    } else {
        Some("no file but a pipe, a socket or a device, not opened")
    }
}

impl Root {
    /// A path below this one, as it is shown.
    fn shown(&self, path: &Path) -> String {
        match &self.prefix {
            Some(prefix) if path == self.path => prefix.clone(),
            Some(prefix) => format!("{prefix}/{}", self.below(path)),
            None => self.below(path),
        }
    }

    fn below(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.path).unwrap_or(path);
        let own = path.file_name().filter(|_| below.as_os_str().is_empty());
        slashed(own.map_or(below, Path::new))
    }

    /// A path in a file that was given, from the file's own name on.
    pub fn own_name<'i>(&self, inside: &'i str) -> &'i str {
        let folders = slashed(&self.path).rfind('/').map_or(0, |at| at + 1);
        inside.get(folders..).unwrap_or(inside)
    }
}
