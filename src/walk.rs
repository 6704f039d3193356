//! A path given → the files under it, before it is known what they are.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use walkdir::{DirEntry, WalkDir};

use crate::bundle::Packed;
use crate::paths::{plain, slashed};
use crate::place::Member;
use crate::watch::{self, Hung};

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

/// Folders that are walked by one thread, one after the other.
const AT_ONCE: usize = 64;

impl Stat {
    /// Of a file.
    pub fn of(metadata: &Metadata) -> Stat {
        let modified = metadata.modified().map_or(0, nanos);
        let (changed, number) = identity(metadata);
        Stat { bytes: metadata.len(), modified, changed, number }
    }

    /// All of it, to be hashed.
    pub fn bytes(&self) -> [u8; 32] {
        let Stat { bytes, modified, changed, number } = *self;
        let mut all = [0; 32];
        let words = [bytes, modified.cast_unsigned(), changed.cast_unsigned(), number];
        for (part, word) in all.chunks_exact_mut(8).zip(words) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        all
    }

    /// Whether it was written so long ago that it can't be written again within the same tick of the
    /// file system's clock: two seconds on FAT.
    /// `listed` is when this was asked for.
    pub fn is_settled(&self, listed: Moment) -> bool {
        listed.0 - self.modified > SETTLED
    }
}

/// When a share was listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment(i64);

impl Moment {
    /// This one.
    pub fn now() -> Moment {
        Moment(nanos(SystemTime::now()))
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
    /// Its path below the one given, with archives as folders, where it is another one than is shown.
    inside: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// What the system says of the file that it is, or lies in.
    pub stat: Stat,
    /// Which part of the file it is, if the file is an archive.
    pub member: Option<Box<Member>>,
    /// Which of the paths given.
    pub root: usize,
}

impl Found {
    /// Its path below the one given, with archives as folders.
    pub fn inside(&self) -> &str {
        self.inside.as_deref().unwrap_or(&self.shown)
    }

    /// The content of this gzip file.
    pub fn content(self, name: String) -> Found {
        let (inside, shown) = (self.inside().to_owned(), format!("{}!/{name}", self.shown));
        let member = Some(Box::new(Member::of_gzip(name)));
        Found { inside: Some(inside), shown, member, ..self }
    }

    /// A log in this archive.
    pub fn member(&self, log: Packed) -> Found {
        Found {
            file: self.file.clone(),
            shown: format!("{}!/{}", self.shown, log.member.name),
            inside: Some(format!("{}!/{}", self.inside(), log.inside)),
            bytes: log.bytes,
            stat: self.stat,
            member: Some(Box::new(log.member)),
            root: self.root,
        }
    }
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
    // Of the folders below only names are asked for here: one of them may hang.
    let top = match root.top() {
        Ok(top) => top,
        Err(error) => {
            let skipped = Skipped { path: root.shown(&root.path), reason: plain(&error) };
            return vec![(Vec::new(), vec![skipped])];
        }
    };
    match limit {
        None => top.par_iter().map(|entry| below(entry, root, number, &|| {})).collect(),
        Some(limit) => watched(top, root, number, limit, AT_ONCE),
    }
}

/// A folder's files, or the file.
fn below(top: &Path, root: &Root, number: usize, beat: &dyn Fn()) -> (Vec<Found>, Vec<Skipped>) {
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    for entry in WalkDir::new(top).follow_root_links(top == root.path).sort_by_file_name() {
        beat();
        match look_at(entry, root, number) {
            Ok(file) => found.extend(file),
            Err(skip) => skipped.push(skip),
        }
    }
    (found, skipped)
}

/// The same by threads that are left behind where a folder does not answer; each walks some folders.
fn watched(
    top: Vec<PathBuf>,
    root: &Root,
    number: usize,
    limit: Duration,
    at_once: usize,
) -> Vec<(Vec<Found>, Vec<Skipped>)> {
    let count = top.len();
    let parts = count.div_ceil(at_once);
    let top = Arc::new(top);
    let work = {
        let (top, root) = (Arc::clone(&top), root.clone());
        move |part: usize, pulse: &watch::Pulse| {
            let own = part * at_once..count.min((part + 1) * at_once);
            own.map(|at| {
                pulse.part(at);
                below(&top[at], &root, number, &|| pulse.beat())
            })
            .collect::<Vec<_>>()
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<Vec<(Vec<Found>, Vec<Skipped>)>> = (0..parts).map(|_| Vec::new()).collect();
    let mut hung = Vec::new();
    watch::each(parts, threads, limit, Arc::new(work), |part, found| {
        match found {
            Ok(found) => all[part] = found,
            Err(Hung { part: at }) => hung.push((part, at)),
        }
        true
    });
    for (part, at) in hung {
        // Those beside the one that hangs are walked again, one after the other.
        let own = part * at_once..count.min((part + 1) * at_once);
        let reason = silent(limit);
        for other in own {
            if other == at {
                let path = root.shown(&top[at]);
                all[part].push((Vec::new(), vec![Skipped { path, reason: reason.clone() }]));
            } else {
                let again = vec![top[other].clone()];
                all[part].extend(watched(again, root, number, limit, 1));
            }
        }
    }
    all.into_iter().flatten().collect()
}

/// Which of these do not answer in time: of a folder a name is asked for, of a file its ends.
pub fn unanswered(paths: Vec<PathBuf>, limit: Duration) -> BTreeSet<usize> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let count = paths.len();
    let work = move |at: usize, _pulse: &watch::Pulse| touch(&paths[at]).is_ok();
    let mut hung = BTreeSet::new();
    watch::each(count, threads, limit, Arc::new(work), |at, answer| {
        if answer.is_err() {
            hung.insert(at);
        }
        true
    });
    hung
}

/// Asks for something of a path; what comes is asked for again when it is needed.
fn touch(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return fs::read_dir(path)?.next().map_or(Ok(()), |entry| entry.map(drop));
    }
    let mut file = File::open(path)?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)
}

/// What is said of what does not answer.
pub fn silent(limit: Duration) -> String {
    format!("does not answer for {} seconds, left", limit.as_secs())
}

/// Why something could not be listed.
fn unlisted(error: &walkdir::Error, root: &Root) -> Skipped {
    let path = error.path().unwrap_or(&root.path);
    let reason = error.io_error().map_or_else(|| error.to_string(), plain);
    Skipped { path: root.shown(path), reason }
}

/// The file that was come upon, if it is one, or why it is not read.
fn look_at(
    entry: walkdir::Result<DirEntry>,
    root: &Root,
    number: usize,
) -> Result<Option<Found>, Skipped> {
    let entry = entry.map_err(|error| unlisted(&error, root))?;
    if entry.file_type().is_dir() {
        return Ok(None);
    }
    let shown = root.shown(entry.path());
    if let Some(reason) = not_read(&entry, root) {
        return Err(Skipped { path: shown, reason: reason.to_owned() });
    }
    let stat = entry.metadata().map_or_else(|_| Stat::default(), |metadata| Stat::of(&metadata));
    let inside = if root.is_file { slashed(&root.path) } else { root.below(entry.path()) };
    let inside = Some(inside).filter(|inside| *inside != shown);
    // There may be hundreds of thousands, and the entry's own has room for as much again.
    let file = entry.path().to_path_buf();
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
    /// What lies in it, or the file that it is, in order of name.
    fn top(&self) -> io::Result<Vec<PathBuf>> {
        if self.is_file {
            return Ok(vec![self.path.clone()]);
        }
        let entries = fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut top: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
        top.sort();
        Ok(top)
    }

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
