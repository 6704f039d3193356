//! Every finding is proven: the quoted lines stand in the files, byte for byte, and an
//! incident keeps its id wherever the share is mounted.

mod program;
mod quote;

use std::collections::BTreeSet;
use std::path::Path;

use program::{cases, copy, list, run, text};
use serde_json::Value;

#[test]
fn every_quoted_line_stands_in_its_file() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in cases() {
        for incident in list(&case.report(), "incidents") {
            for evidence in list(incident, "evidence") {
                checked += 1;
                let found = quote::check(evidence, &case.path());
                wrong.extend(found.err().map(|reason| format!("{}: {reason}", case.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} lines:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked >= 50, "only {checked} lines were quoted in all samples");
}

#[test]
fn no_incident_without_evidence_and_no_line_twice() {
    for case in cases() {
        for incident in list(&case.report(), "incidents") {
            let lines = list(incident, "evidence");
            assert!(!lines.is_empty(), "{}: nothing proves {incident}", case.name);
            let places: BTreeSet<(&str, String, u64)> = lines
                .iter()
                .map(|line| {
                    (text(line, "path"), line["member"].to_string(), program::count(line, "offset"))
                })
                .collect();
            assert_eq!(places.len(), lines.len(), "{}: a line twice: {incident}", case.name);
        }
    }
}

#[test]
fn ids_are_unique() {
    let mut all = BTreeSet::new();
    for case in cases() {
        for incident in list(&case.report(), "incidents") {
            let id = text(incident, "id").to_owned();
            assert!(all.insert(id), "{}: an id twice: {}", case.name, incident["id"]);
        }
    }
    assert!(!all.is_empty());
}

/// A share has another name on another machine; its findings have not.
#[test]
fn a_copy_under_another_name_gives_the_same_incidents() {
    for case in cases() {
        let folder = tempfile::tempdir().expect("a folder");
        let moved = folder.path().join("Copy of a share");
        copy(&case.path(), &moved, |_, bytes| bytes);
        let original = case.report();
        let copied = report(&case.args(&[]), &moved);
        assert_eq!(list(&original, "incidents"), list(&copied, "incidents"), "{}", case.name);
        assert_eq!(original["coverage"], copied["coverage"], "{}", case.name);
        // The same share, named from one folder above: a device's name gets longer, ids stay.
        let above = report(&case.args(&[]), folder.path());
        assert_eq!(ids(&original), ids(&above), "{}: from the folder above", case.name);
    }
}

/// The report on `folder`, with the other arguments of a case.
fn report(args: &[String], folder: &Path) -> Value {
    let mut own = vec!["analyze".into(), "--format".into(), "json".into(), folder.into()];
    own.extend(args.iter().skip(1).map(std::ffi::OsString::from));
    let outcome = run(&own);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.report()
}

fn ids(report: &Value) -> BTreeSet<&str> {
    list(report, "incidents").iter().map(|incident| text(incident, "id")).collect()
}
