//! A share and a store beside it, and what nightly runs make of them.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use regex::Regex;
use serde_json::Value;

use crate::program::{self, Outcome, run};
use crate::simulation::Fleet;

/// A folder with a share in it, and room for stores.
#[derive(Debug)]
pub struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    /// With a share of so many simulated devices.
    pub fn of(devices: u64, seed: u64) -> Ground {
        let ground = Ground { folder: tempfile::tempdir().expect("a folder") };
        let fleet = Fleet::simulate("full", devices, seed);
        program::copy(&fleet.share(), &ground.share(), |_, bytes| bytes);
        ground.settle();
        ground
    }

    /// Where all of it lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The share.
    pub fn share(&self) -> PathBuf {
        self.folder.path().join("share")
    }

    /// A store.
    pub fn store(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All files look as if they had been written an hour ago: the program trusts them to stay.
    pub fn settle(&self) {
        let past = SystemTime::now() - Duration::from_secs(3600);
        for file in program::files(&self.share()) {
            set_time(&self.share().join(file), past);
        }
    }

    /// A run over the share; its news lie in `news.json`.
    pub fn nightly(&self, store: &str, more: &[&str]) -> Outcome {
        run(&self.arguments(store, &self.path().join("news.json"), more))
    }

    /// The arguments of a run whose news go to a file.
    pub fn arguments(&self, store: &str, news: &Path, more: &[&str]) -> Vec<OsString> {
        let mut args = arguments(&[&self.share()], &self.store(store), more);
        args.extend(["-o".into(), news.as_os_str().to_owned()]);
        args
    }

    /// The news of the last run.
    pub fn news(&self) -> Value {
        read(&self.path().join("news.json"))
    }

    /// A run that has to go well, and its news.
    pub fn night(&self, store: &str) -> Value {
        let outcome = self.nightly(store, &[]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        self.news()
    }
}

/// The arguments of a run over these shares.
pub fn arguments(shares: &[&Path], store: &Path, more: &[&str]) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["nightly".into()];
    args.extend(shares.iter().map(|share| share.as_os_str().to_owned()));
    args.extend(["--store".into(), store.as_os_str().to_owned(), "--no-progress".into()]);
    args.extend(more.iter().map(OsString::from));
    args
}

/// A JSON file.
pub fn read(file: &Path) -> Value {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Sets when a file was written.
pub fn set_time(file: &Path, time: SystemTime) {
    let open = File::options().append(true).open(file).expect("a file to be changed");
    open.set_modified(time).expect("a time that is set");
}

/// A command on a store.
pub fn command(words: &[&str], store: &Path) -> Outcome {
    let mut args: Vec<OsString> = words.iter().map(OsString::from).collect();
    args.extend(["--store".into(), store.as_os_str().to_owned()]);
    run(&args)
}

/// The report of a store. When a file was gone depends on the day and the run.
pub fn report(store: &Path) -> String {
    let outcome = command(&["report", "--format", "json"], store);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let when = Regex::new(r"until \d{4}-\d\d-\d\d, run \d+").expect("a pattern");
    when.replace_all(&outcome.stdout, "until a run").into_owned()
}

/// The files of facts, each with its bytes.
pub fn facts(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = store.join("facts");
    let file = |file: PathBuf| (file.clone(), fs::read(folder.join(file)).expect("facts"));
    program::files(&folder).into_iter().map(file).collect()
}

/// The store can be read in all its parts, and nothing half-written lies in its folder.
pub fn assert_whole(store: &Path) {
    let outcome = command(&["store", "check"], store);
    assert_eq!(outcome.status, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.ends_with(": whole\n"), "{}", outcome.stdout);
    let names = program::names(store, |_| true);
    let known =
        |name: &String| ["facts", "lock", "lock.holder", "store.sqlite"].contains(&name.as_str());
    assert!(names.iter().all(known), "{names:?}");
    let part = |file: &PathBuf| file.file_name().is_some_and(|name| name == "part.parquet");
    let facts: Vec<PathBuf> = facts(store).into_keys().collect();
    assert!(!facts.is_empty() && facts.iter().all(part), "{facts:?}");
}

/// Two stores tell the same.
pub fn assert_same(store: &Path, other: &Path) {
    assert_whole(store);
    assert_whole(other);
    let (own, others) = (report(store), report(other));
    let differs = own.lines().zip(others.lines()).find(|(own, other)| own != other);
    assert!(own == others, "the reports differ: {differs:?}");
    let (own, others) = (facts(store), facts(other));
    assert!(own.keys().eq(others.keys()), "{:?}\n{:?}", own.keys(), others.keys());
    let differs: Vec<&PathBuf> = own.keys().filter(|file| own[*file] != others[*file]).collect();
    assert!(differs.is_empty(), "facts that differ: {differs:?}");
}

/// A run over these shares.
pub fn nightly(shares: &[&Path], store: &Path, more: &[&str]) -> Outcome {
    run(&arguments(shares, store, more))
}
