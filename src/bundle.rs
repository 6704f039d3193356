//! An archive → the logs in it, those of archives inside it too, one level deep.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use crate::archive::{Listed, list};
use crate::paths::plain;
use crate::place::{Entry, Member, Nest};

/// What the logs of any archive may expand to in sum, in bytes, however small it is.
const FREE_TOTAL: u64 = 1 << 30;
/// Beyond [`FREE_TOTAL`], no more than so many times the archive's own size.
const MOST_RATIO: u64 = 100;
/// What a gzip file in an archive is reckoned to expand to.
const GZIP_RATIO: u64 = 20;

/// A log in an archive.
#[derive(Debug)]
pub struct Packed {
    /// The folders in the archive and its name there, archives among them as `name.zip!`.
    pub inside: String,
    /// Where it lies.
    pub member: Member,
    /// Its size, as far as the archive tells.
    pub bytes: u64,
}

/// What an archive holds.
#[derive(Debug, Default)]
pub struct Bundle {
    /// Its logs.
    pub logs: Vec<Packed>,
    /// What can't be read, and why; an empty name stands for the archive.
    pub refused: Vec<(String, String)>,
    /// How many members are no logs.
    pub others: u64,
}

/// Opens the archive `file` and lists its logs; `is_log` tells by a file's name.
pub fn open(file: &Path, is_log: &dyn Fn(&str) -> bool) -> Bundle {
    let opened = File::open(file).and_then(|open| Ok((open.metadata()?.len(), open)));
    let (size, open) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            return Bundle { refused: vec![(String::new(), plain(&error))], ..Bundle::default() };
        }
    };
    let limit = size.saturating_mul(MOST_RATIO).max(FREE_TOTAL);
    let mut opening = Opening { file, is_log, left: limit, limit, bundle: Bundle::default() };
    opening.take(open, "", None);
    opening.bundle
}

/// The member of the archive `file` that has the name of `member`, with its place.
pub fn placed(file: &Path, member: &Member, is_log: &dyn Fn(&str) -> bool) -> Member {
    if !member.is_unplaced() {
        return member.clone();
    }
    let logs = open(file, is_log).logs.into_iter();
    let mut same = logs.map(|log| log.member).filter(|log| log.name == member.name);
    same.next().unwrap_or_else(|| member.clone())
}

/// `x.log` of `x.log.gz`.
pub fn of_gzip(name: &str) -> Option<&str> {
    let at = name.len().checked_sub(3)?;
    let ends = name.get(at..)?.eq_ignore_ascii_case(".gz");
    name.get(..at).filter(|name| ends && !name.is_empty() && !name.ends_with('/'))
}

/// Whether a file is opened as a zip.
pub fn is_zip(name: &str) -> bool {
    let end = name.len().checked_sub(4).and_then(|at| name.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(".zip"))
}

struct Opening<'a> {
    file: &'a Path,
    is_log: &'a dyn Fn(&str) -> bool,
    /// Bytes that its logs may still expand to.
    left: u64,
    limit: u64,
    bundle: Bundle,
}

impl Opening<'_> {
    /// Takes what an archive holds; `before` stands before its members' names.
    fn take(&mut self, archive: impl Read + Seek, before: &str, nest: Option<&Arc<Nest>>) {
        let listing = list(archive);
        for (name, reason) in listing.refused {
            let name = match (before.strip_suffix("!/"), name.is_empty()) {
                (Some(archive), true) => archive.to_owned(),
                _ => format!("{before}{name}"),
            };
            self.bundle.refused.push((name, reason));
        }
        for Listed { name, entry } in listing.members {
            let shown = format!("{before}{name}");
            if is_zip(&name) {
                self.nested(shown, entry, nest.is_some());
            } else {
                self.log(shown, entry, nest);
            }
        }
    }

    fn log(&mut self, name: String, entry: Result<Entry, String>, nest: Option<&Arc<Nest>>) {
        let content = of_gzip(&name);
        if !(self.is_log)(content.unwrap_or(&name)) {
            self.bundle.others += 1;
            return;
        }
        let ratio = if content.is_some() { GZIP_RATIO } else { 1 };
        let entry = entry.and_then(|entry| self.afford(entry, ratio));
        match entry {
            Err(reason) => self.bundle.refused.push((name, reason)),
            Ok(entry) => {
                let bytes = entry.size.unwrap_or(entry.packed);
                let gzip = content.is_some();
                let last = content.map(|content| content.rsplit('/').next().unwrap_or(content));
                let full = last.map_or_else(|| name.clone(), |last| format!("{name}!/{last}"));
                let member = Member::of_zip(full, entry, nest, gzip);
                self.bundle.logs.push(Packed { inside: name, member, bytes });
            }
        }
    }

    fn nested(&mut self, name: String, entry: Result<Entry, String>, too_deep: bool) {
        let opened = entry.and_then(|entry| {
            if too_deep {
                let reason = "an archive in an archive in an archive, not opened; unpack it";
                return Err(reason.to_owned());
            }
            let nest = Arc::new(Nest::new(self.file, self.afford(entry, 1)?)?);
            let (bytes, failed) = nest.bytes().map_err(|error| plain(&error))?;
            Ok((nest, bytes, failed))
        });
        match opened {
            Err(reason) => self.bundle.refused.push((name, reason)),
            Ok((nest, bytes, failed)) => {
                if let Some(error) = failed {
                    let reason = format!("partly read: {}", plain(&error));
                    self.bundle.refused.push((name.clone(), reason));
                }
                self.take(std::io::Cursor::new(bytes), &format!("{name}!/"), Some(&nest));
                nest.release();
            }
        }
    }

    /// Takes what a member expands to off what is left.
    fn afford(&mut self, entry: Entry, ratio: u64) -> Result<Entry, String> {
        let size = entry.size.unwrap_or(entry.packed).saturating_mul(ratio);
        match self.left.checked_sub(size) {
            Some(left) => {
                self.left = left;
                Ok(entry)
            }
            None => Err(format!(
                "the archive's logs expand to more than {} bytes, as in a zip bomb; unpack it",
                self.limit
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_by_their_names() {
        assert_eq!(of_gzip("a/vulscan.log.GZ"), Some("a/vulscan.log"));
        assert_eq!(of_gzip("a/.gz"), None);
        assert_eq!(of_gzip("é"), None);
        assert!(is_zip("A.ZIP") && !is_zip("zip") && !is_zip("a.zip.txt") && !is_zip("éé"));
    }
}
