//! The entries of a bundle. It may come from anywhere: the limits are those of any archive.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::archive::{Listed, list};
use crate::discover::plain;
use crate::place::{self, Member};

/// The largest JSON document that is read, in bytes.
const MOST_JSON: u64 = 256 << 20;

/// An open bundle: its entries by name.
pub struct Entries {
    /// In the archive's order.
    pub members: Vec<(String, Member)>,
    file: PathBuf,
}

impl Entries {
    /// Lists an archive.
    ///
    /// # Errors
    /// What is wrong with it: a bundle has nothing that can't be read.
    pub fn of(file: &Path) -> Result<Entries, String> {
        let archive = File::open(file).map_err(|error| plain(&error))?;
        let listing = list(archive);
        if let Some((name, reason)) = listing.refused.first() {
            return Err(format!("the archive: {name} {reason}"));
        }
        let mut members = Vec::new();
        for Listed { name, entry } in listing.members {
            let entry = entry.map_err(|reason| format!("{name}: {reason}"))?;
            members.push((name.clone(), Member::of_zip(name, entry, None, false)));
        }
        Ok(Entries { members, file: file.to_owned() })
    }

    /// Opens an entry.
    ///
    /// # Errors
    /// If it isn't there, or damaged.
    pub fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        let found = self.members.iter().find(|(own, _)| own == name);
        let (_, member) = found.ok_or_else(|| io::Error::other("is missing"))?;
        place::open(&self.file, Some(member))
    }

    /// All of an entry.
    ///
    /// # Errors
    /// If it isn't there, damaged, or too long to be held.
    pub fn text(&self, name: &str) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = self.open(name).and_then(|own| own.take(MOST_JSON + 1).read_to_end(&mut bytes));
        read.map_err(|error| format!("{name}: {}", plain(&error)))?;
        if bytes.len() as u64 > MOST_JSON {
            return Err(format!("{name}: is longer than {MOST_JSON} bytes"));
        }
        Ok(bytes)
    }
}
