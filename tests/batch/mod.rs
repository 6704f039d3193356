//! A share, its store, and the nights on which the batch runs.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use serde_json::Value;

use crate::program::{files, list, root, run, write};

/// A share and its store.
#[derive(Debug)]
pub struct Batch {
    /// Where they lie.
    pub folder: tempfile::TempDir,
    /// More arguments of `nightly`.
    pub more: Vec<String>,
}

impl Batch {
    /// An empty share.
    pub fn new() -> Batch {
        Batch { folder: tempfile::tempdir().expect("a folder"), more: Vec::new() }
    }

    /// The share's folder.
    pub fn share(&self) -> PathBuf {
        self.folder.path().join("share")
    }

    /// The store's folder.
    pub fn store(&self) -> String {
        self.folder.path().join("store").to_string_lossy().into_owned()
    }

    /// Lays a sample's device, or those of its logs that fit, on the share.
    pub fn add(&self, device: &str, fits: impl Fn(&str) -> bool) {
        let from = root().join("samples").join(device);
        let name = device.rsplit('/').next().expect("a device");
        for file in files(&from).iter().filter(|own| fits(&own.to_string_lossy())) {
            let bytes = fs::read(from.join(file)).expect("a sample");
            self.put(&Path::new(name).join(file), &bytes);
        }
    }

    /// Lays all files of a folder on the share.
    pub fn lay(&self, from: &Path, to: &str) {
        for file in files(from) {
            let bytes = fs::read(from.join(&file)).expect("a log");
            self.put(&Path::new(to).join(file), &bytes);
        }
    }

    /// Writes a file that is as old as those of last year.
    pub fn put(&self, file: &Path, bytes: &[u8]) {
        let path = self.share().join(file);
        write(&path, bytes);
        let file = fs::OpenOptions::new().append(true).open(&path).expect("opened");
        let hour = Duration::from_secs(3_600);
        file.set_modified(SystemTime::now() - hour).expect("a time");
    }

    /// A night; its news.
    pub fn night(&self) -> Value {
        let news = self.folder.path().join("news.json");
        let (share, own) = (self.share(), news.to_string_lossy().into_owned());
        let share = share.to_string_lossy().into_owned();
        let mut args = vec!["nightly".to_owned(), share, "--store".to_owned(), self.store()];
        args.extend(["--no-progress".to_owned(), "-o".to_owned(), own]);
        args.extend(self.more.iter().cloned());
        let outcome = run(&args);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        serde_json::from_slice(&fs::read(news).expect("news")).expect("JSON")
    }

    /// A night on which nothing is told.
    pub fn quiet_night(&self) {
        let news = self.night();
        for told in
            ["new", "revised", "withdrawn", "worse", "fixed", "silent", "fallen", "warnings"]
        {
            assert_eq!(list(&news, told), &[] as &[Value], "{told} is told again");
        }
    }

    /// The report of the store.
    pub fn report(&self) -> Value {
        let outcome = run(&["report", "--store", &self.store(), "--format", "json"]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        outcome.report()
    }

    /// Lets so many days pass, by what the store remembers.
    pub fn days_pass(&self, days: i64) {
        let db = Connection::open(Path::new(&self.store()).join("store.sqlite")).expect("a store");
        let age = format!("-{days} days");
        let query = "UPDATE device SET new_at = strftime('%Y-%m-%dT%H:%M:%SZ', new_at, ?1)";
        db.execute(query, [age]).expect("older");
    }

    /// What `analyze` says of the share as it is now must be what the store says.
    pub fn assert_same(&self) {
        let mut args = vec!["analyze".to_owned(), self.share().to_string_lossy().into_owned()];
        args.extend(["--format", "json", "--no-progress"].map(str::to_owned));
        args.extend(self.more.iter().cloned());
        let wanted = run(&args);
        assert_eq!(wanted.status, 0, "{}", wanted.stderr);
        let found = run(&["report", "--store", &self.store(), "--format", "json"]);
        assert!(found.stdout == wanted.stdout, "{}\n\n{}", found.stdout, wanted.stdout);
    }
}
