//! What lies in a zip: its directory, or, where that is cut or damaged, the members' own headers.
//!
//! An archive comes from anywhere. Its directory is read up to a limit, its names are held
//! against what a name may be, and nothing of it is taken as a path of this machine.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive};

use crate::place::{Entry, HEADER, HEADER_MARK};

/// Members that are looked at in one archive.
const MOST_MEMBERS: usize = 200_000;
/// Bytes that are read to find the directory and what it holds.
const MOST_DIRECTORY: u64 = 64 << 20;
/// The longest name of a member, in bytes.
const MOST_NAME: usize = 1024;
/// Refused names that are told one by one.
const MOST_TOLD: usize = 20;
/// Flags of a member's own header.
const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 8;
const UTF_8: u16 = 1 << 11;

/// A member, its name with `/`.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Where it lies, or why it can't be read.
    pub entry: Result<Entry, String>,
}

/// What an archive holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// Its files, in the archive's order.
    pub members: Vec<Listed>,
    /// What was refused and why: a name as far as it can be shown, or empty for the archive.
    pub refused: Vec<(String, String)>,
    names: BTreeSet<String>,
    badly_named: usize,
}

/// Reads what an archive holds. Never fails: what is wrong with it is in the listing.
pub fn list<R: Read + Seek>(mut archive: R) -> Listing {
    let mut listing = Listing::default();
    let within = BufReader::new(Bounded { inner: &mut archive, left: MOST_DIRECTORY });
    match ZipArchive::new(within) {
        Ok(directory) => listing.take_directory(&directory),
        Err(_no_directory) => listing.take_headers(&mut archive),
    }
    if listing.badly_named > MOST_TOLD {
        let more = listing.badly_named - MOST_TOLD;
        listing.refuse_archive(format!("{more} more members have a name that is refused"));
    }
    listing
}

impl Listing {
    fn take_directory<R: Read + Seek>(&mut self, directory: &ZipArchive<R>) {
        let members = directory.len();
        for at in 0..members.min(MOST_MEMBERS) {
            let Ok(member) = directory.by_index_data(at) else { continue };
            if member.is_dir() {
                continue;
            }
            let raw = member.name_raw();
            let entry = if member.is_symlink() {
                Err("symbolic link, not followed".to_owned())
            } else if member.encrypted() {
                Err("encrypted; unpack it".to_owned())
            } else {
                deflated(member.compression()).map(|deflated| Entry {
                    header: member.header_start(),
                    packed: member.compressed_size(),
                    size: Some(member.size()),
                    sum: Some(member.crc32()),
                    deflated,
                })
            };
            let name = match std::str::from_utf8(raw) {
                Ok(name) => name.to_owned(),
                Err(_code_page) => member
                    .name()
                    .map_or_else(|_| String::from_utf8_lossy(raw).into(), |name| name.into_owned()),
            };
            self.take(&name, entry);
        }
        if members > MOST_MEMBERS {
            self.too_many();
        }
        if directory.has_duplicate_names() {
            self.refuse_archive("of members with the same name, only the last is read".to_owned());
        }
    }

    /// Goes from header to header; each says where the next one stands.
    fn take_headers<R: Read + Seek>(&mut self, archive: &mut R) {
        let length = archive.seek(SeekFrom::End(0)).unwrap_or(0);
        let mut at = Some(0);
        let mut lost = "";
        while let Some(start) = at {
            if self.members.len() >= MOST_MEMBERS {
                self.too_many();
                break;
            }
            let Ok(Some(header)) = Header::read(archive, start, length) else { break };
            at = header.next;
            if at.is_none() {
                lost = "; what follows the last of them can't be found";
            }
            if !header.name.ends_with(['/', '\\']) {
                self.take(&header.name, header.entry);
            }
        }
        let found = self.members.len();
        self.refuse_archive(if found == 0 {
            "no zip archive, or cut before its first member".to_owned()
        } else {
            format!(
                "partly read: cut or damaged, its directory can't be read; members found by their own headers: {found}{lost}"
            )
        });
    }

    fn take(&mut self, name: &str, entry: Result<Entry, String>) {
        match checked_name(name) {
            Err(reason) => {
                self.badly_named += 1;
                if self.badly_named <= MOST_TOLD {
                    self.refused.push((shortened(name), reason.to_owned()));
                }
            }
            Ok(name) if !self.names.insert(name.clone()) => {
                self.refused.push((name, "a second member of this name, not read".to_owned()));
            }
            Ok(name) => self.members.push(Listed { name, entry }),
        }
    }

    fn too_many(&mut self) {
        self.refuse_archive(format!(
            "partly read: more than {MOST_MEMBERS} members, the others are not looked at"
        ));
    }

    fn refuse_archive(&mut self, reason: String) {
        self.refused.push((String::new(), reason));
    }
}

/// Whether a method is deflate or none.
fn deflated(method: CompressionMethod) -> Result<bool, String> {
    if method == CompressionMethod::Deflated {
        Ok(true)
    } else if method == CompressionMethod::Stored {
        Ok(false)
    } else {
        Err(format!("packed by a method that is not supported ({method}); unpack it"))
    }
}

/// A name with `/`, if it is one that stays inside its archive.
fn checked_name(name: &str) -> Result<String, &'static str> {
    if name.len() > MOST_NAME {
        return Err("refused: a name of more than 1024 bytes");
    }
    if name.chars().any(char::is_control) {
        return Err("refused: control characters in its name");
    }
    let name = name.replace('\\', "/");
    let bytes = name.as_bytes();
    if bytes.first() == Some(&b'/') || bytes.get(1) == Some(&b':') {
        return Err("refused: its name is an absolute path");
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err("refused: its name leads out of the archive");
    }
    if parts.is_empty() { Err("refused: it has no name") } else { Ok(parts.join("/")) }
}

/// A refused name, as much as a message can hold; it begins no path.
fn shortened(name: &str) -> String {
    let short: String = name.chars().take(120).collect();
    let short = short.replace('\\', "/");
    if short.len() < name.len() { format!("{short}…") } else { short }
}

/// A member's own header.
struct Header {
    name: String,
    entry: Result<Entry, String>,
    /// Where the next one stands, if this one says so.
    next: Option<u64>,
}

impl Header {
    /// `None` where there is no header; `length` is the archive's.
    fn read<R: Read + Seek>(archive: &mut R, at: u64, length: u64) -> io::Result<Option<Header>> {
        archive.seek(SeekFrom::Start(at))?;
        let mut header = [0; HEADER as usize];
        archive.read_exact(&mut header)?;
        if header[..4] != HEADER_MARK {
            return Ok(None);
        }
        let two = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let four = |at: usize| u32::from(two(at)) | u32::from(two(at + 2)) << 16;
        let (flags, method) = (two(6), two(8));
        let mut name = vec![0; usize::from(two(26))];
        archive.read_exact(&mut name)?;
        let data = at + HEADER + u64::from(two(26)) + u64::from(two(28));
        let (packed, size) = (four(18), four(22));
        // Sizes that follow the data, or that need 64 bits, are left to the decoder.
        let says = flags & SIZES_FOLLOW == 0 && packed != u32::MAX && size != u32::MAX;
        let known = if flags & ENCRYPTED != 0 {
            Err("encrypted; unpack it".to_owned())
        } else if method != 0 && method != 8 {
            Err(format!("packed by a method that is not supported ({method}); unpack it"))
        } else if !says && method == 0 {
            Err("cut or damaged archive: its size is not known".to_owned())
        } else {
            Ok(method == 8)
        };
        let entry = known.map(|deflated| Entry {
            header: at,
            packed: if says { packed.into() } else { length.saturating_sub(data) },
            size: says.then_some(size.into()),
            sum: says.then(|| four(14)),
            deflated,
        });
        let name = if flags & UTF_8 != 0 || name.is_ascii() {
            String::from_utf8_lossy(&name).into_owned()
        } else {
            name.iter().map(|byte| char::from(*byte)).collect()
        };
        Ok(Some(Header { name, entry, next: says.then_some(data + u64::from(packed)) }))
    }
}

/// A reader that gives up after so many bytes, wherever they stand.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!("a directory of more than {MOST_DIRECTORY} bytes"))
        })?;
        Ok(count)
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_inside_its_archive() {
        for (name, checked) in [
            ("PS1_Log_Script\\Log\\vulscan.log", "PS1_Log_Script/Log/vulscan.log"),
            ("./a//b.log", "a/b.log"),
            ("机器/журнал.log", "机器/журнал.log"),
            ("a..b/c...log", "a..b/c...log"),
        ] {
            assert_eq!(checked_name(name), Ok(checked.to_owned()));
        }
        let long = "x".repeat(MOST_NAME + 1);
        for name in [
            "/etc/x.log",
            "\\\\host\\x.log",
            "C:\\x.log",
            "a/../x.log",
            "..",
            "a\0.log",
            ".",
            &long,
        ] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn any_bytes_are_listed_without_harm() {
        for bytes in [&b""[..], b"PK", b"PK\x03\x04", b"no zip at all", &[0; 4096], &[0xFF; 70_000]]
        {
            let listing = list(io::Cursor::new(bytes));
            assert!(listing.members.is_empty());
            assert_eq!(listing.refused.len(), 1);
        }
    }
}
