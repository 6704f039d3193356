//! What belongs in a bundle: the originals of some devices, copied first, so that analysis,
//! quotes and hashes are of the same bytes whatever happens to the files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::Stamp;
use provtrace_parsers::text::{CodePage, encoding_name, is_binary};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::discover::{Device, Share, Skipped, Source, plain};
use crate::layout;
use crate::leaks;
use crate::manifest::{Original, Status};
use crate::place;
use crate::redaction::Redaction;
use crate::seal::{hex, of_all, of_text};

/// The longest part of a name, in bytes.
const MOST_PART: usize = 100;
/// The longest name, in bytes: archives' names end at 1,024.
const MOST_NAME: usize = 800;
/// Names that Windows keeps for devices.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// An original file, and the copy of it that everything else is made of.
#[derive(Debug)]
pub struct Copied {
    /// What the manifest says of it.
    pub original: Original,
    /// The source, its `file` the copy; `None` where nothing could be read.
    pub source: Option<Source>,
    /// Whether it is no text.
    pub binary: bool,
}

impl Copied {
    /// What a reader is told of a file that was not read whole.
    pub fn skipped(&self) -> Option<Skipped> {
        let reason = self.original.reason.clone()?;
        Some(Skipped { path: shown(&self.original), reason })
    }
}

/// Copies all sources of a device into `folder`; `number` tells the copies apart.
///
/// # Errors
/// If a copy can't be written.
pub fn copy(
    device: &Device,
    formats: &Formats,
    folder: &Path,
    number: &mut u64,
) -> io::Result<Vec<Copied>> {
    let mut copies = Vec::new();
    for (at, source) in device.sources.iter().enumerate() {
        *number += 1;
        let to = folder.join(number.to_string());
        copies.push(copy_one(device, source, formats, to)?);
        source.release(device.sources.get(at + 1));
    }
    device.release();
    Ok(copies)
}

fn copy_one(
    device: &Device,
    source: &Source,
    formats: &Formats,
    to: PathBuf,
) -> io::Result<Copied> {
    let format = &formats.formats[source.format];
    let before = facts(&source.file);
    let mut original = Original {
        device: device.name.clone(),
        path: source.path().to_owned(),
        member: source.member.as_ref().map(|member| member.name.clone()),
        format: Some(format.name.clone()),
        encoding: None,
        bytes: 0,
        sha256: None,
        modified: before.and_then(|(_, time)| time).map(clock::show_utc),
        status: Status::Whole,
        reason: None,
        stored: None,
        excerpt: None,
    };
    let opened = place::open(&source.file, source.member.as_deref());
    let stopped = match opened {
        Ok(mut from) => take(&mut *from, &to, format.code_page, &mut original)?,
        Err(error) => Some(error),
    };
    if let Some(error) = stopped {
        let nothing = original.bytes == 0;
        original.status = if nothing { Status::Unreadable } else { Status::PartlyRead };
        original.reason = Some(plain(&error));
        if nothing {
            original.sha256 = None;
            return Ok(Copied { original, source: None, binary: false });
        }
    } else if facts(&source.file) != before {
        original.status = Status::Changed;
        original.reason = Some("it was written to while it was copied".to_owned());
    }
    let binary = original.encoding.as_deref() == Some("binary");
    let copy = Source { file: to, bytes: original.bytes, member: None, ..source.clone() };
    Ok(Copied { original, source: Some(copy), binary })
}

/// Size, and time of the last change in milliseconds.
fn facts(file: &Path) -> Option<(u64, Option<Stamp>)> {
    let facts = file.metadata().ok()?;
    let since = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    Some((facts.len(), millis.map(Stamp)))
}

/// Copies what can be read, and notes size, hash and encoding; gives why it stopped.
fn take(
    from: &mut dyn Read,
    to: &Path,
    page: CodePage,
    original: &mut Original,
) -> io::Result<Option<io::Error>> {
    let mut out = BufWriter::new(File::create(to)?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut stopped = None;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                stopped = Some(error);
                break;
            }
        };
        if original.bytes == 0 {
            let head = &buffer[..count];
            let binary = head.starts_with(b"ElfFile\0")
                || is_binary(head) && !head.starts_with(&[0xFF, 0xFE]);
            let name = encoding_name(head, page);
            original.encoding = Some(if binary && !name.starts_with("UTF-16") {
                "binary".to_owned()
            } else {
                name
            });
        }
        hash.update(&buffer[..count]);
        out.write_all(&buffer[..count])?;
        original.bytes += count as u64;
    }
    out.flush()?;
    original.sha256 = Some(hex(hash));
    Ok(stopped)
}

/// Puts a redacted copy in the place of a copy. What can't be redacted is left out.
///
/// # Errors
/// If a copy can't be written.
pub fn redact(copied: &mut Copied, redaction: &Redaction, formats: &Formats) -> io::Result<()> {
    let original = &mut copied.original;
    original.device = redaction.text(&original.device).into_owned();
    original.path = redaction.text(&original.path).into_owned();
    original.member = original.member.as_deref().map(|name| redaction.text(name).into_owned());
    original.reason = original.reason.as_deref().map(|why| redaction.text(why).into_owned());
    let Some(source) = &mut copied.source else { return Ok(()) };
    let raw = source.file.clone();
    let left_out = if copied.binary {
        Some("it is no text and can't be redacted".to_owned())
    } else {
        let to = raw.with_extension("redacted");
        let page = formats.formats[source.format].code_page;
        let mut out = BufWriter::new(File::create(&to)?);
        let copied = redaction.copy(File::open(&raw)?, page, &mut out);
        out.flush()?;
        // A file of several encodings is read in one, so look again in all of them.
        let mut left = false;
        leaks::in_bytes(&mut File::open(&to)?, redaction, page, &mut |_| left = true)?;
        source.file = to;
        let left = left.then(|| "a name stands in it in another encoding than its own".to_owned());
        copied.err().map(|error| plain(&error)).or(left)
    };
    std::fs::remove_file(raw)?;
    if left_out.is_some() {
        (original.status, original.reason) = (Status::LeftOut, left_out);
        (original.sha256, original.bytes) = (None, 0);
        copied.source = None;
        return Ok(());
    }
    let (bytes, hash) = of_all(File::open(&source.file)?)?;
    (original.bytes, original.sha256) = (bytes, Some(hash));
    source.bytes = original.bytes;
    source.shown = redaction.text(&source.shown).into_owned();
    source.task = source.task.as_deref().map(|task| redaction.text(task).into_owned());
    Ok(())
}

/// The copies as a share that can be analysed.
pub fn share(copies: &[Copied]) -> Share {
    let mut devices: Vec<Device> = Vec::new();
    for copied in copies {
        let Some(source) = &copied.source else { continue };
        let name = &copied.original.device;
        match devices.iter_mut().find(|device| device.name == *name) {
            Some(device) => device.sources.push(source.clone()),
            None => devices.push(Device { name: name.clone(), sources: vec![source.clone()] }),
        }
    }
    devices.sort_by_cached_key(|device| device.name.to_uppercase());
    for device in &mut devices {
        device.sources.sort_by(|a, b| a.shown.cmp(&b.shown));
    }
    Share { devices, ..Share::default() }
}

/// Gives every copy the name that it has in the bundle: one that any system can unpack, and
/// that leads `analyze` to the same device.
pub fn name(copies: &mut [Copied]) {
    let mut taken = BTreeSet::new();
    for copied in copies {
        if copied.source.is_none() {
            continue;
        }
        let mut name = safe_for(&copied.original.device, &shown(&copied.original));
        // A folder named like one of the agent's leaves file and device what they are.
        while !taken.insert(name.to_lowercase()) {
            let (folder, file) = name.rsplit_once('/').unwrap_or(("", &name));
            name = format!("{folder}/Log/{file}");
        }
        copied.original.stored = Some(name);
    }
}

/// The path of an original, with its name in an archive.
fn shown(original: &Original) -> String {
    match &original.member {
        Some(member) => format!("{}!/{member}", original.path),
        None => original.path.clone(),
    }
}

/// A safe name below which the rules for folders find the device.
fn safe_for(device: &str, shown: &str) -> String {
    let file = shown.rsplit('/').next().unwrap_or(shown);
    let parts: Vec<&str> = shown.split('/').collect();
    let inner = parts.iter().position(|part| layout::is_inner(part)).unwrap_or(parts.len() - 1);
    let names = |name: &str, of: &str| {
        let (alone, among) = (layout::guess(name, &|_| false), layout::guess(name, &|_| true));
        alone.as_deref() == Some(of) && among.as_deref() == Some(of)
    };
    let safe_device = safe(device);
    let candidates = [
        safe(shown),
        safe(&format!("{device}/{shown}")),
        safe(&format!("{device}/{}", parts[inner..].join("/"))),
        safe(&format!("{device}/Log/{file}")),
    ];
    let fits = |name: &&String| names(name, &safe_device) && name.len() <= MOST_NAME;
    let last = safe(&format!("{device}/{file}"));
    candidates.iter().find(fits).cloned().unwrap_or(last)
}

/// A path that stays where it is unpacked, and whose parts are names on every system.
pub fn safe(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty()).map(safe_part);
    parts.collect::<Vec<_>>().join("/")
}

fn safe_part(part: &str) -> String {
    let bad = |c: char| c.is_control() || "<>:\"|?*\\".contains(c);
    let mut name: String = part.chars().map(|c| if bad(c) { '_' } else { c }).collect();
    let bare = name.trim_end_matches(['.', ' ']).len();
    if bare < name.len() {
        let ends = name.len() - bare;
        name.truncate(bare);
        name.push_str(&"_".repeat(ends));
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    if RESERVED.contains(&stem.as_str()) {
        name.insert(0, '_');
    }
    if name.len() <= MOST_PART {
        return name;
    }
    // The beginning and the ending say what a file is.
    let cut = |at: usize| (0..=at).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    let hash = of_text(part);
    let end = name.rfind('.').filter(|at| name.len() - at <= 8).unwrap_or(name.len());
    format!("{}~{}{}", &name[..cut(70.min(end))], &hash[..12], &name[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_everywhere() {
        for (path, expected) in [
            ("../../etc/passwd", "_._/_._/etc/passwd"),
            ("/abs/C:/x?.log", "abs/C_/x_.log"),
            ("a./b /con/COM1.log/nul.txt", "a_/b_/_con/_COM1.log/_nul.txt"),
            ("..", "_._"),
            ("станция/日誌.log", "станция/日誌.log"),
        ] {
            let found = safe(path);
            assert!(!found.split('/').any(|part| part == ".." || part == "."), "{found}");
            assert!(!found.starts_with('/') && !found.contains([':', '\\']), "{found}");
            if !path.contains("..") {
                assert_eq!(found, expected);
            }
        }
        let (one, two) = (
            safe(&format!("{}1.log", "x".repeat(300))),
            safe(&format!("{}2.log", "x".repeat(300))),
        );
        assert!(one.len() <= MOST_PART && one != two && one.ends_with(".log"), "{one} {two}");
        assert!(safe(&"漢".repeat(200)).len() <= MOST_PART);
    }

    #[test]
    fn a_stored_name_leads_to_its_device() {
        for (device, shown) in [
            ("PAR-1", "PAR-1/ProgramData/LANDesk/Log/vulscan.log"),
            ("PAR-1", "ProgramData/LANDesk/Log/vulscan.log"),
            ("PAR-1", "vulscan.log"),
            ("PAR-1", "night one/of/sets/PAR-1/ProgramData/LANDesk/Log/vulscan.log"),
            ("PAR-1", "2025-03-25/All_Zipped_Logs_PAR-1_03252025.zip!/PS1_Log_Script/Log/x.log"),
            ("Lyon/PAR-1", "/mnt/Lyon/PAR-1/Log/vulscan.log"),
            ("PAR-1", "C:/logs/PAR-1.zip!/Log/vulscan.log"),
        ] {
            let name = safe_for(device, shown);
            assert_eq!(layout::guess(&name, &|_| false).as_deref(), Some(device), "{name}");
        }
    }
}
