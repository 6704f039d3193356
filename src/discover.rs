//! Paths → devices and their sources; what is skipped, and why.
//!
//! A device is the folder above the folders that an agent is known to write to. Its name
//! is that folder's; a folder named like a date above it is a night, not a part of the name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use provtrace_parsers::engine::{BlockEnd, Outcome, Reader};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::DateOrder;
use provtrace_parsers::text;
use rayon::prelude::*;
use serde::Serialize;
use walkdir::WalkDir;

/// One log file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where to open it.
    pub file: PathBuf,
    /// How it is shown: relative to the path given, with `/`.
    pub shown: String,
    /// Index into [`Formats::formats`].
    pub format: usize,
    /// The task id that its name holds.
    pub task: Option<String>,
    /// Size when it was found.
    pub bytes: u64,
}

/// A device and its sources, in order of `shown`.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its logs.
    pub sources: Vec<Source>,
}

impl Device {
    /// Size of all its sources.
    pub fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.bytes).sum()
    }
}

/// A file that was not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// As shown in reports.
    pub path: String,
    /// Lower case, for people.
    pub reason: String,
}

/// All that lies under the paths given.
#[derive(Debug, Default)]
pub struct Share {
    /// In order of name.
    pub devices: Vec<Device>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
    /// Logs by their name that no format fits.
    pub unrecognised: Vec<String>,
    /// Files that are no logs.
    pub other_files: u64,
}

/// A file, before it is known what it is.
struct Found {
    file: PathBuf,
    shown: String,
    device: String,
    bytes: u64,
}

/// Folders that are inside a device's folder: where agents and collectors put logs.
const INNER_FOLDERS: [&str; 27] = [
    "appdata",
    "data",
    "epm agent",
    "eventviewer",
    "ivanti",
    "landesk",
    "ldclient",
    "ldprovision",
    "ldprovisioning",
    "log",
    "logs",
    "management suite",
    "policies",
    "program files",
    "program files (x86)",
    "programdata",
    "provisioning",
    "ps1_log_script",
    "registryinfo",
    "shared files",
    "shared_files",
    "temp",
    "vulscan",
    "vulscanfolder",
    "windows",
    "windows_temp_folder",
    "all users",
];

/// Folders that only an agent or its collector makes.
const AGENT_FOLDERS: [&str; 8] = [
    "landesk",
    "ldclient",
    "ldprovision",
    "ldprovisioning",
    "program files",
    "program files (x86)",
    "programdata",
    "ps1_log_script",
];

/// Finds the devices under `paths`.
///
/// # Errors
/// A path that doesn't exist: what was asked for can't be answered then.
pub fn discover(paths: &[PathBuf], formats: &Formats) -> Result<Share, String> {
    let mut share = Share::default();
    let mut found = Vec::new();
    for path in paths {
        if let Err(error) = path.metadata() {
            let shown = slashed(path);
            return Err(format!("{shown}: {}; give a folder of logs or a log file", plain(&error)));
        }
        let prefix = (paths.len() > 1).then(|| slashed(path));
        walk(path, prefix.as_deref(), &mut found, &mut share);
    }
    let mut devices: BTreeMap<String, Device> = BTreeMap::new();
    let sources: Vec<(Found, Kind)> = found
        .into_par_iter()
        .map(|found| {
            let kind = recognise(&found, formats);
            (found, kind)
        })
        .collect();
    for (found, kind) in sources {
        match kind {
            Kind::Log(format, task) => {
                let key = found.device.to_uppercase();
                let device = devices
                    .entry(key)
                    .or_insert_with(|| Device { name: found.device.clone(), sources: Vec::new() });
                let Found { file, shown, bytes, .. } = found;
                device.sources.push(Source { file, shown, format, task, bytes });
            }
            Kind::UnknownLog => share.unrecognised.push(found.shown),
            Kind::Other => share.other_files += 1,
            Kind::Unreadable(reason) => share.skipped.push(Skipped { path: found.shown, reason }),
        }
    }
    share.devices = devices.into_values().collect();
    for device in &mut share.devices {
        device.sources.sort_by(|a, b| a.shown.cmp(&b.shown));
        device.sources.dedup_by(|a, b| a.file == b.file);
    }
    share.unrecognised.sort();
    share.skipped.sort();
    Ok(share)
}

/// A path as it is shown: with `/` on every system. What is no text in a name is shown as its
/// bytes, so that two names stay two.
pub fn slashed(path: &Path) -> String {
    let text = match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_encoded_bytes().utf8_chunks().fold(
            String::new(),
            |mut text, chunk| {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
                text
            },
        ),
    };
    if std::path::MAIN_SEPARATOR == '\\' { text.replace('\\', "/") } else { text }
}

/// An i/o error in plain words, without the number of the system call.
pub fn plain(error: &std::io::Error) -> String {
    let kind = error.kind();
    if kind == std::io::ErrorKind::NotFound {
        "no such file or folder".to_owned()
    } else if kind == std::io::ErrorKind::PermissionDenied {
        "permission denied".to_owned()
    } else {
        error.to_string().to_lowercase()
    }
}

fn walk(root: &Path, prefix: Option<&str>, found: &mut Vec<Found>, share: &mut Share) {
    let root_name = root_name(root);
    let is_file = root.is_file();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().map_or_else(|| slashed(root), |path| relative(root, path));
                let reason = error.io_error().map_or_else(|| error.to_string(), plain);
                share.skipped.push(Skipped { path, reason });
                continue;
            }
        };
        let inside = if is_file {
            entry.file_name().to_string_lossy().into_owned()
        } else {
            relative(root, entry.path())
        };
        let shown = prefix.map_or_else(|| inside.clone(), |prefix| format!("{prefix}/{inside}"));
        // A link may lead out of the share, or back into it: named, not followed.
        if entry.path_is_symlink() && entry.depth() > 0 {
            let reason = "symbolic link, not followed".to_owned();
            share.skipped.push(Skipped { path: shown, reason });
            continue;
        }
        if entry.file_type().is_dir() {
            continue;
        }
        // Opening a pipe may wait for ever, and a device may never end.
        if !entry.file_type().is_file() && !is_file {
            share.skipped.push(Skipped { path: shown, reason: "no regular file".to_owned() });
            continue;
        }
        let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
        let device = device_name(&inside, &root_name);
        found.push(Found { file: entry.path().to_owned(), shown, device, bytes });
    }
}

fn relative(root: &Path, path: &Path) -> String {
    slashed(path.strip_prefix(root).unwrap_or(path))
}

/// The name of the folder given; a file's folder for a file.
fn root_name(root: &Path) -> String {
    let full = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let folder = if full.is_file() { full.parent().unwrap_or(&full) } else { &full };
    let inside_root = slashed(folder);
    let parts: Vec<&str> = inside_root.split('/').filter(|part| !part.is_empty()).collect();
    let device = parts.iter().rev().find(|part| !is_inner(part) && !is_date(part));
    (*device.or(parts.last()).unwrap_or(&"device")).to_owned()
}

/// The device that a file belongs to: the folders above the agent's, without nights.
fn device_name(inside: &str, root_name: &str) -> String {
    let mut folders: Vec<&str> = inside.split('/').collect();
    folders.pop();
    let depth = folders.len();
    while folders.last().is_some_and(|folder| is_inner(folder)) {
        folders.pop();
    }
    // Folders of the agent can hold unknown sub-folders (copies): cut at the first one that is
    // surely the agent's. `Log` or `Data` may as well stand above the devices.
    let agent = |folder: &str| AGENT_FOLDERS.contains(&folder.to_lowercase().as_str());
    if let Some(first) = folders.iter().position(|folder| agent(folder)).filter(|at| *at > 0) {
        folders.truncate(first);
    }
    let in_agent = folders.len() < depth && folders.len() > 1;
    if in_agent && folders.last().is_some_and(|last| is_drive(last)) {
        folders.pop();
    }
    let named: Vec<&str> = folders.into_iter().filter(|folder| !is_date(folder)).collect();
    if named.is_empty() { root_name.to_owned() } else { named.join("/") }
}

/// A drive of the device, as a collector names it: `C`, `C$`.
fn is_drive(folder: &str) -> bool {
    let letter = folder.strip_suffix('$').unwrap_or(folder);
    letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_inner(folder: &str) -> bool {
    let lower = folder.to_lowercase();
    INNER_FOLDERS.contains(&lower.as_str())
}

/// `2025-03-24`, `20250324`, `24.03.2025`, `03242025`: a calendar date of this century. A
/// computer's name may be a number, too.
fn is_date(folder: &str) -> bool {
    let parts: Vec<&str> = folder.split(['-', '_', '.']).collect();
    if !parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let date = |year: &str, first: &str, second: &str| {
        let (first, second) = (number(first), number(second));
        let month_and_day = first.min(second) <= 12 && first.max(second) <= 31;
        year.len() == 4
            && (2000..2100).contains(&number(year))
            && month_and_day
            && first.min(second) > 0
    };
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => date(year, month, day),
        [first, second, year] => date(year, first, second),
        [digits] if digits.len() == 8 => {
            date(&digits[..4], &digits[4..6], &digits[6..])
                || date(&digits[4..], &digits[..2], &digits[2..4])
        }
        _other => false,
    }
}

enum Kind {
    Log(usize, Option<String>),
    UnknownLog,
    Other,
    Unreadable(String),
}

fn recognise(found: &Found, formats: &Formats) -> Kind {
    let name = found.shown.rsplit('/').next().unwrap_or(&found.shown);
    if let Some((format, task)) = formats.by_file_name(name) {
        return Kind::Log(format, task);
    }
    if !name.to_lowercase().ends_with(".log") {
        return Kind::Other;
    }
    let mut head = Vec::with_capacity(64 << 10);
    let read = File::open(&found.file).and_then(|file| file.take(64 << 10).read_to_end(&mut head));
    if let Err(error) = read {
        return Kind::Unreadable(plain(&error));
    }
    match by_content(&head, formats) {
        Some(format) => Kind::Log(format, None),
        None => Kind::UnknownLog,
    }
}

/// The format whose rules find most events in a file's head; none where two are level.
fn by_content(head: &[u8], formats: &Formats) -> Option<usize> {
    let (encoding, mark) = text::sniff(head);
    let mut decoded = String::new();
    let head = if encoding == text::TextEncoding::Bytes {
        &head[mark..]
    } else {
        text::transcode_utf16(&head[mark..], encoding, &mut decoded);
        decoded.as_bytes()
    };
    let mut scores: Vec<(u64, usize)> = Vec::new();
    for (at, format) in formats.formats.iter().enumerate() {
        // A format that ignores most of its lines would claim any file.
        if format.xml.is_some() || format.others != Default::default() {
            continue;
        }
        let mut events = 0;
        let mut count = |line: &provtrace_parsers::engine::Line<'_>| {
            let telling = line.outcome == Outcome::Event && line.event != Some(Event::Alive);
            events += u64::from(telling) * 3 + u64::from(line.event == Some(Event::Alive));
        };
        Reader::new(format, DateOrder::MonthFirst, b'\n').block(head, BlockEnd::Last, &mut count);
        scores.push((events, at));
    }
    scores.sort_by_key(|(events, at)| (std::cmp::Reverse(*events), *at));
    match scores.as_slice() {
        [(best, at), (second, _), ..] if best > second => Some(*at),
        _none_or_level => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_by_the_folder_above_the_agents() {
        let table = [
            ("PAR-1/ProgramData/LANDesk/Log/vulscan.log", "PAR-1"),
            ("2025-03-24/PAR-1/Program Files (x86)/LANDesk/LDClient/Data/x.log", "PAR-1"),
            ("site/PAR-1/ldprovisioning/ldProvision.log", "site/PAR-1"),
            ("PAR-1/vulscan.log", "PAR-1"),
            ("ProgramData/LANDesk/Log/vulscan.log", "share"),
            ("vulscan.log", "share"),
            ("PAR-1/ProgramData/LANDesk/Log/copy/vulscan.log", "PAR-1"),
            ("机器/Log/vulscan.log", "机器"),
            ("10023456/ProgramData/LANDesk/Log/vulscan.log", "10023456"),
            ("Lyon/logs/PAR-1/ProgramData/LANDesk/Log/vulscan.log", "Lyon/logs/PAR-1"),
            ("PAR-1/C$/ProgramData/LANDesk/Log/vulscan.log", "PAR-1"),
            ("X/ProgramData/LANDesk/Log/vulscan.log", "X"),
            ("24.03.2025/PAR-1/vulscan.log", "PAR-1"),
        ];
        for (path, device) in table {
            assert_eq!(device_name(path, "share"), device, "{path}");
        }
    }
}
