//! Evidence bundles: the same twice, whole or told, and without real names if so asked.

mod program;
mod ticket;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use program::{list, run, text, write};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use ticket::{analyzed, entries, entry, hex, make, shape, verify};

const SAMPLE: &str = "samples/scan-waited";

#[test]
fn a_bundle_is_the_same_twice_and_says_what_it_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = make(folder.path(), "one.zip", &[SAMPLE, "--device", "PAR-10002"]);
    let two = make(folder.path(), "two.zip", &[SAMPLE, "--device", "PAR-10002"]);
    let bytes = fs::read(&one).expect("written");
    assert!(bytes == fs::read(two).expect("written"));
    // As `head -c -64 | sha256sum` and `tail -c 64` would see it.
    let (body, seal) = bytes.split_at(bytes.len() - 64);
    assert_eq!(hex(body).as_bytes(), seal);
    let manifest = entry(&one, "manifest.json");
    let all = entries(&one);
    let stored = list(&manifest, "stored");
    assert_eq!(stored.len() + 1, all.len());
    for (entry, (name, bytes)) in stored.iter().zip(&all) {
        assert_eq!(text(entry, "name"), name);
        assert_eq!(text(entry, "sha256"), hex(bytes));
    }
    for original in list(&manifest, "originals") {
        let real =
            fs::read(program::root().join(SAMPLE).join(text(original, "path"))).expect("a sample");
        let stored = all.iter().find(|(name, _)| name == text(original, "stored")).expect("stored");
        assert!(stored.1 == real, "{original}");
    }
    assert_eq!(
        manifest["devices"][0]["missing"],
        json!(["policy_status", "registry", "event_log"])
    );
    assert_eq!(verify(&one, &[]).0, 0);
    let whole = run(&["analyze", SAMPLE, "--device", "PAR-10002", "--format", "json"]).report();
    assert_eq!(whole["incidents"], entry(&one, "incidents.json")["incidents"]);
    // Unpacked or not, it is the same device with the same incidents, by the same ids.
    let again = analyzed(&one, &[]);
    assert_eq!(shape(&again), shape(&whole));
    assert_eq!(again["incidents"][0]["id"], whole["incidents"][0]["id"]);
}

#[test]
fn one_incident_is_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = run(&["analyze", SAMPLE, "--format", "json"]).report();
    let id = text(&list(&whole, "incidents")[1], "id");
    let args = [SAMPLE, "--incident", id, "--excerpts-only", "--context", "1"];
    let zip = make(folder.path(), "one.zip", &args);
    let incidents = entry(&zip, "incidents.json");
    assert_eq!(list(&incidents, "incidents"), &list(&whole, "incidents")[1..2]);
    assert!(entries(&zip).iter().all(|(name, _)| !name.starts_with("files/")));
    assert_eq!(verify(&zip, &[]).0, 0);
    let story = entries(&zip).into_iter().find(|(name, _)| name == "story.md").expect("a story");
    assert!(String::from_utf8_lossy(&story.1).contains("Install "));
    let out = folder.path().join("none.zip");
    let out = out.to_str().expect("UTF-8");
    for wrong in [vec!["--incident", "0000000000000000"], vec!["--device", "NOBODY"], vec![]] {
        let outcome = run(&[vec!["evidence", SAMPLE, "-o", out], wrong].concat());
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    }
    assert!(!Path::new(out).exists());
}

/// Every byte of a small bundle is turned by a test beside the code; here any byte of a real one.
#[test]
fn a_changed_byte_is_found_wherever_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let zip = make(folder.path(), "one.zip", &[SAMPLE, "--device", "PAR-10001"]);
    let whole = fs::read(&zip).expect("written");
    let changed = folder.path().join("changed.zip");
    let mut runner =
        TestRunner::new(Config { cases: 120, failure_persistence: None, ..Config::default() });
    let places = (0..whole.len(), 1..=255u8);
    let checked = runner.run(&places, |(at, turn)| {
        let mut bytes = whole.clone();
        bytes[at] ^= turn;
        fs::write(&changed, bytes).expect("written");
        let (status, told) = verify(&changed, &[]);
        prop_assert!(status != 0, "byte {at}: {told}");
        Ok(())
    });
    checked.expect("every change is found");
    // What differs is named.
    let at = whole.windows(15).position(|bytes| bytes == b"excerpts/PAR-10").expect("a name");
    let mut bytes = whole.clone();
    bytes[at + 150] ^= 1;
    fs::write(&changed, bytes).expect("written");
    assert!(verify(&changed, &[]).1.contains("excerpts/"), "{}", verify(&changed, &[]).1);
    for none in [
        &b""[..],
        b"PK",
        &whole[..whole.len() / 2],
        b"no zip at all, but long enough to hold a seal of its own, were it one: 0123456789",
    ] {
        fs::write(&changed, none).expect("written");
        assert_eq!(verify(&changed, &[]).0, 2);
    }
}

#[cfg(unix)]
#[test]
fn the_map_is_private_and_outside() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let zip = make(folder.path(), "red.zip", &[SAMPLE, "--device", "PAR-10001", "--redact"]);
    let map = folder.path().join("red.map.json");
    let mode = fs::metadata(&map).expect("written").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    let map: Value = serde_json::from_slice(&fs::read(&map).expect("written")).expect("JSON");
    assert!(list(&map, "names").iter().any(|own| own["real"] == "PAR-10001"));
    let incident = &list(&entry(&zip, "incidents.json"), "incidents")[0].clone();
    assert_eq!(list(&map, "incidents")[0]["redacted"], incident["id"]);
    let same = run(&[
        "evidence",
        SAMPLE,
        "--device",
        "PAR-10001",
        "--redact",
        "-o",
        "x.zip",
        "--map",
        "x.zip",
    ]);
    assert_eq!(same.status, 2, "{}", same.stderr);
}

#[test]
fn names_that_are_hostile_or_clash_are_kept_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = fs::read(
        program::root().join(SAMPLE).join("PAR-10001/ProgramData/LANDesk/Log/vulscan.log"),
    );
    let log = log.expect("a sample");
    for name in [
        "CON/vulscan.log",
        "PAR-1/a. /vulscan.log",
        "PAR-1/a__/vulscan.log",
        "PAR-1/x:y/vulscan.log",
        "PAR-1/X_Y/vulscan.log",
    ] {
        write(&folder.path().join("share").join(name), &log);
    }
    let long = format!("PAR-1/{}/vulscan.log", ["長い名前".repeat(15).as_str(); 6].join("/"));
    write(&folder.path().join("share").join(long), &log);
    let share = folder.path().join("share");
    let zip = make(folder.path(), "one.zip", &[share.to_str().expect("UTF-8"), "--device", "*"]);
    assert_eq!(verify(&zip, &[]).0, 0);
    let mut seen = BTreeSet::new();
    for (name, _) in entries(&zip) {
        assert!(seen.insert(name.to_lowercase()), "{name}");
        assert!(name.len() < 1000 && !name.contains([':', '\\']), "{name}");
        for part in name.split('/') {
            assert!(!part.ends_with(['.', ' ']) && part.to_lowercase() != "con", "{name}");
        }
    }
    assert_eq!(seen.iter().filter(|name| name.starts_with("files/")).count(), 6);
}
