//! Quoted lines, looked up in the raw files that they were taken from.
//!
//! Written without the program's own code: a fault in its decoding or counting must not be
//! repeated here.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use encoding_rs::WINDOWS_1252;
use flate2::read::GzDecoder;
use serde_json::Value;
use zip::ZipArchive;

use crate::program::{count, text};

/// How a file's bytes are to be read, told by its mark alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    Bytes,
    Little,
    Big,
}

/// Looks a quoted line up below `folder`; says what is wrong with it.
pub fn check(evidence: &Value, folder: &Path) -> Result<(), String> {
    let path = text(evidence, "path");
    let raw = fs::read(folder.join(path)).map_err(|error| format!("{path}: {error}"))?;
    let raw = match evidence["member"].as_str() {
        Some(name) => member(raw, name).map_err(|reason| format!("{path}: {name}: {reason}"))?,
        None => raw,
    };
    check_raw(evidence, &raw).map_err(|reason| {
        format!("{path}: {reason}: line {} at {}", evidence["line"], evidence["offset"])
    })
}

/// A member's bytes; one in an archive inside the archive is named `inner.zip!/name`.
fn member(archive: Vec<u8>, name: &str) -> Result<Vec<u8>, String> {
    if archive.starts_with(&[0x1F, 0x8B]) {
        let mut content = Vec::new();
        let read = GzDecoder::new(archive.as_slice()).read_to_end(&mut content);
        return read.map(|_| content).map_err(|error| error.to_string());
    }
    let (first, rest) = name.split_once("!/").map_or((name, None), |(a, b)| (a, Some(b)));
    let mut zip = ZipArchive::new(Cursor::new(archive)).map_err(|error| error.to_string())?;
    let index = (0..zip.len()).find(|at| {
        zip.by_index_data(*at)
            .is_ok_and(|one| String::from_utf8_lossy(one.name_raw()).replace('\\', "/") == first)
    });
    let mut bytes = Vec::new();
    let mut file =
        zip.by_index(index.ok_or("no such member")?).map_err(|error| error.to_string())?;
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    rest.map_or(Ok(bytes.clone()), |rest| member(bytes, rest))
}

fn check_raw(evidence: &Value, raw: &[u8]) -> Result<(), String> {
    let place = |name| usize::try_from(count(evidence, name)).expect("fits");
    let (start, length) = (place("offset"), place("length"));
    let slice = raw.get(start..start + length).ok_or("offset and length leave the file")?;
    if raw.starts_with(b"ElfFile\0") {
        return check_record(evidence, slice);
    }
    let (units, mark) = units(raw);
    let line = decode(slice, units);
    if line != text(evidence, "text") {
        return Err(format!("the file says {line:?}, the report {:?}", text(evidence, "text")));
    }
    if line.trim().is_empty() {
        return Err("an empty line proves nothing".to_owned());
    }
    if line.contains(['\n', '\0']) {
        return Err("more than one line".to_owned());
    }
    let before = decode(&raw[mark.min(start)..start], units);
    if !before.is_empty() && !before.ends_with('\n') {
        return Err("begins inside a line".to_owned());
    }
    let number = before.matches('\n').count() as u64 + 1;
    if number != count(evidence, "line") {
        return Err(format!("it is line {number}"));
    }
    let after = decode(&raw[start + length..], units);
    if !(after.is_empty() || after.starts_with(['\r', '\n', '\0'])) {
        return Err("ends inside a line".to_owned());
    }
    Ok(())
}

/// A record of an event log: its mark, its size at both ends and its number are those of the
/// quoted place, and the paths of the quoted text stand in it.
fn check_record(evidence: &Value, record: &[u8]) -> Result<(), String> {
    let size = u32::try_from(record.len()).expect("small").to_le_bytes();
    if record.len() < 28 || !record.starts_with(b"**\0\0") || !record.ends_with(&size) {
        return Err("no record of an event log".to_owned());
    }
    let number =
        record.iter().skip(8).take(8).rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    if record[4..8] != size || number != count(evidence, "line") {
        return Err(format!("another record: it is {number}"));
    }
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let paths = text(evidence, "text").split("Name=").skip(1).filter_map(|rest| {
        rest.split_once(".exe").map(|(path, _)| path).filter(|path| path.contains('\\'))
    });
    let paths: Vec<Vec<u8>> = paths.map(wide).collect();
    let stands = |path: &Vec<u8>| record.windows(path.len()).any(|bytes| bytes == path);
    if paths.is_empty() || !paths.iter().all(stands) {
        return Err("the paths of the text do not stand in the record".to_owned());
    }
    Ok(())
}

fn units(raw: &[u8]) -> (Units, usize) {
    match raw {
        [0xFF, 0xFE, ..] => (Units::Little, 2),
        [0xFE, 0xFF, ..] => (Units::Big, 2),
        [0xEF, 0xBB, 0xBF, ..] => (Units::Bytes, 3),
        _no_mark => (Units::Bytes, 0),
    }
}

fn decode(bytes: &[u8], units: Units) -> String {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(pairs).map(|c| c.unwrap_or('\u{FFFD}')).collect()
    };
    match units {
        Units::Little => wide(u16::from_le_bytes),
        Units::Big => wide(u16::from_be_bytes),
        Units::Bytes => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        },
    }
}
