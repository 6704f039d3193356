//! Where a device lies: two of one name in different places are two devices, unless only the
//! night differs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::layout::{is_date, is_inner};
use crate::paths::slashed;

/// The folders that lead to a device, its name included, nights left out.
pub type Home = Vec<String>;

/// The folder of a path given, with all that is above it.
pub fn folder(root: &Path) -> String {
    let full = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let folder = if full.is_file() { full.parent().unwrap_or(&full) } else { &full };
    slashed(folder)
}

/// Where a device lies that was found below a folder: that folder up to the device's own, if
/// the device is named by it or lies in it.
pub fn home(folder: &str, name: &str) -> Home {
    let parts = folder.split('/').filter(|part| !part.is_empty() && !is_date(part));
    let mut parts: Home = parts.map(str::to_owned).collect();
    let own: Vec<&str> = name.split('/').collect();
    let is_first = |part: &String| part.to_uppercase() == own[0].to_uppercase();
    match parts.iter().rposition(is_first) {
        Some(at) => parts.truncate(at),
        None => {
            while parts.last().is_some_and(|part| is_inner(part)) {
                parts.pop();
            }
        }
    }
    parts.extend(own.into_iter().map(str::to_owned));
    parts
}

/// A name for each home: the `name` that they share, below as many of their folders as tell
/// them apart.
pub fn names(name: &str, homes: &BTreeSet<Home>) -> BTreeMap<Home, String> {
    let depth = name.split('/').count();
    let longest = homes.iter().map(Vec::len).max().unwrap_or(depth);
    let named = |depth: usize| -> BTreeMap<Home, String> {
        let name = |home: &Home| home[home.len().saturating_sub(depth)..].join("/");
        homes.iter().map(|home| (home.clone(), name(home))).collect()
    };
    let differ = |names: &BTreeMap<Home, String>| {
        let distinct: BTreeSet<String> = names.values().map(|name| name.to_uppercase()).collect();
        distinct.len() == homes.len()
    };
    (depth..=longest).map(named).find(differ).unwrap_or_else(|| named(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_the_same_from_above_and_from_below() {
        let inside = "/share/Paris/2025-03-24/PAR-1/ProgramData/LANDesk/Log";
        for (folder, name) in [
            (inside, "PAR-1"),
            ("/share/Paris", "PAR-1"),
            ("/share/Paris/2025-03-25", "PAR-1"),
            ("/share/Paris/par-1", "PAR-1"),
            ("/share", "Paris/PAR-1"),
        ] {
            assert_eq!(home(folder, name), ["share", "Paris", "PAR-1"], "{folder} {name}");
        }
    }

    #[test]
    fn as_many_folders_as_tell_devices_apart() {
        let shown = |folders: &[&str]| -> Vec<String> {
            let homes = folders.iter().map(|folder| home(folder, "PAR-1")).collect();
            names("PAR-1", &homes).into_values().collect()
        };
        assert_eq!(shown(&["/a/Paris"]), ["PAR-1"]);
        assert_eq!(shown(&["/a/Paris", "/a/Lyon"]), ["Lyon/PAR-1", "Paris/PAR-1"]);
        assert_eq!(shown(&["/a/Lyon", "/b/Lyon"]), ["a/Lyon/PAR-1", "b/Lyon/PAR-1"]);
    }
}
