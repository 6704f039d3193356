//! Evidence bundles, made and checked by the program, and read without it.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::program::{list, run};

/// Makes a bundle; gives its place.
pub fn make(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
    let zip = folder.join(name);
    let mut all = vec!["evidence", "-o", zip.to_str().expect("UTF-8")];
    all.extend(args);
    let outcome = run(&all);
    assert_eq!(outcome.status, 0, "{args:?}: {}", outcome.stderr);
    zip
}

/// Status and words of `verify`.
pub fn verify(zip: &Path, more: &[&str]) -> (i32, String) {
    let mut args = vec!["verify", zip.to_str().expect("UTF-8")];
    args.extend(more);
    let outcome = run(&args);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    (outcome.status, outcome.stdout + &outcome.stderr)
}

/// Names and bytes of a zip's entries, read without the program.
pub fn entries(zip: &Path) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(fs::File::open(zip).expect("a zip")).expect("a zip");
    let mut all = Vec::new();
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("readable");
        all.push((String::from_utf8_lossy(entry.name_raw()).into_owned(), bytes));
    }
    all
}

/// An entry that is JSON.
pub fn entry(zip: &Path, name: &str) -> Value {
    let all = entries(zip);
    let found = all.iter().find(|(own, _)| own == name).expect("an entry");
    serde_json::from_slice(&found.1).expect("JSON")
}

/// A SHA-256 as it is printed.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What of an incident no name changes.
pub fn shape(report: &Value) -> Vec<Value> {
    let field = |value: &Value, name: &str| value[name].clone();
    let shape = |own: &Value| {
        let names = [
            "run",
            "step",
            "step_ordinal",
            "task_id",
            "mechanism",
            "confidence",
            "at",
            "at_logged",
        ];
        let mut all: Vec<Value> = names.iter().map(|name| field(own, name)).collect();
        let blocker = &own["blocker"];
        all.extend(
            ["program", "launched", "active_from", "ended", "launched_by"]
                .map(|name| field(blocker, name)),
        );
        all.push(json!(list(own, "evidence").len()));
        Value::Array(all)
    };
    let mut all: Vec<Value> = list(report, "incidents").iter().map(shape).collect();
    all.sort_by_key(ToString::to_string);
    all
}

/// The report on a path.
pub fn analyzed(path: &Path, more: &[&str]) -> Value {
    let mut args = vec!["analyze", "--format", "json", path.to_str().expect("UTF-8")];
    args.extend(more);
    run(&args).report()
}
