//! A share, its store, and the nights on which the batch runs.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parquet::file::reader::{FileReader, SerializedFileReader};
use rusqlite::Connection;
use serde_json::Value;

use crate::program::{Outcome, files, list, root, run, write};

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
        let outcome = self.try_night();
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        let news = self.folder.path().join("news.json");
        serde_json::from_slice(&fs::read(news).expect("news")).expect("JSON")
    }

    /// A night that may fail.
    pub fn try_night(&self) -> Outcome {
        let own = |path: &Path| path.to_string_lossy().into_owned();
        let (share, news) = (own(&self.share()), own(&self.folder.path().join("news.json")));
        let mut args = vec!["nightly", &share, "--store"];
        let store = self.store();
        args.extend([store.as_str(), "--no-progress", "-o", news.as_str()]);
        args.extend(self.more.iter().map(String::as_str));
        run(&args)
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

/// Whether the facts of a store are the rows that a report of it writes; what differs, if not. `folder` is
/// for that report.
pub fn compare_facts(store: &Path, folder: &Path) -> Result<(), String> {
    let own = |path: &Path| path.to_string_lossy().into_owned();
    if !store.join("facts").is_dir() {
        return Ok(());
    }
    let out = own(&folder.join("facts.parquet"));
    let outcome = run(&["report", "--store", &own(store), "-o", &out]);
    if outcome.status != 0 {
        return Err(outcome.stderr);
    }
    for (kind, file) in [
        ("incidents", "facts.parquet"),
        ("steps", "facts.steps.parquet"),
        ("lifetimes", "facts.lifetimes.parquet"),
    ] {
        let facts = store.join("facts").join(kind);
        let months = files(&facts).into_iter().map(|month| facts.join(month));
        let (found, wanted) = (rows(months), rows([folder.join(file)]));
        if found != wanted {
            let (found, wanted) = (found.join("\n"), wanted.join("\n"));
            return Err(format!("facts, {kind}: {}", difference(&found, &wanted)));
        }
    }
    Ok(())
}

/// The rows of some Parquet files, sorted.
fn rows(files: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
    let mut rows = Vec::new();
    for path in files {
        let file = fs::File::open(&path).expect("a file");
        let reader = SerializedFileReader::new(file).expect("a Parquet file");
        let all = reader.get_row_iter(None).expect("rows");
        rows.extend(all.map(|row| row.expect("a row").to_string()));
    }
    rows.sort();
    rows
}

/// The first lines that differ, with some around them.
pub fn difference(found: &str, wanted: &str) -> String {
    let (found, wanted): (Vec<&str>, Vec<&str>) =
        (found.lines().collect(), wanted.lines().collect());
    let at = found.iter().zip(&wanted).take_while(|(found, wanted)| found == wanted).count();
    let part = |lines: &[&str]| {
        let from = at.saturating_sub(8).min(lines.len());
        lines[from..(at + 8).min(lines.len())].join("\n")
    };
    format!("the store:\n{}\n\nanalyze:\n{}", part(&found), part(&wanted))
}
