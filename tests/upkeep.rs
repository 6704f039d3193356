//! `store prune`, `store check`, `store export`: what they do, and what is told behind them.

mod night;
mod program;
mod simulation;

use std::fs;
use std::path::Path;

use night::{Ground, assert_same, assert_whole, command, read};
use program::{count, list, names, run};
use serde_json::Value;

/// Makes it look as if nothing new had come of a device for long.
fn make_old(store: &Path, device: &str) {
    let db = rusqlite::Connection::open(store.join("store.sqlite")).expect("a database");
    let changed = db
        .execute("UPDATE device SET new_at = '2020-01-01T00:00:00Z' WHERE name = ?1", [device])
        .expect("changed");
    assert_eq!(changed, 1, "{device}");
}

fn report(store: &Path) -> Value {
    serde_json::from_str(&night::report(store)).expect("JSON")
}

#[test]
fn what_is_old_is_forgotten_and_all_else_is_as_it_was() {
    let ground = Ground::of(6, 81);
    ground.night("store");
    let store = ground.store("store");
    let devices = names(&ground.share(), Path::is_dir);
    for device in &devices[..2] {
        fs::remove_dir_all(ground.share().join(device)).expect("removed");
    }
    ground.night("store");
    ground.night("others");
    // Of the third one nothing new came either, but its logs are there.
    devices[..3].iter().for_each(|device| make_old(&store, device));
    let outcome = command(&["store", "prune", "--keep", "400d"], &store);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains(": 2 devices, 0 logs that are gone"), "{}", outcome.stdout);
    assert_same(&store, &ground.store("others"));
    let again = command(&["store", "prune", "--keep", "400d"], &store);
    assert!(again.stdout.contains(": 0 devices, 0 logs"), "{}", again.stdout);
    let news = ground.night("store");
    assert!(list(&news, "new").is_empty(), "{news}");
    assert_same(&store, &ground.store("others"));
}

#[test]
fn logs_that_are_gone_for_long_are_forgotten() {
    let ground = Ground::of(4, 82);
    ground.night("store");
    let store = ground.store("store");
    let device = names(&ground.share(), Path::is_dir).remove(0);
    let logs = program::files(&ground.share());
    let log = logs.iter().find(|file| file.starts_with(&device) && file.ends_with("vulscan.log"));
    fs::remove_file(ground.share().join(log.expect("a scan's log"))).expect("removed");
    ground.night("store");
    let before = night::facts(&store);
    let outcome = command(&["store", "prune", "--keep", "1d"], &store);
    assert!(outcome.stdout.contains(": 0 devices, 0 logs"), "not yet: {}", outcome.stdout);
    assert_eq!(night::facts(&store), before);
    assert_whole(&store);
}

#[test]
fn an_export_is_the_report_and_the_facts() {
    let ground = Ground::of(4, 83);
    ground.night("store");
    let store = ground.store("store");
    let to = ground.path().join("export");
    let shown = to.to_string_lossy().into_owned();
    let words = ["store", "export", "--store", &store.to_string_lossy(), &shown].map(str::to_owned);
    assert_eq!(run(&words).status, 0);
    assert_eq!(read(&to.join("report.json")), report(&store));
    assert_eq!(night::facts(&to), night::facts(&store));
    let runs = fs::read_to_string(to.join("runs.jsonl")).expect("runs");
    let runs: Vec<Value> =
        runs.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        (runs.len(), count(&runs[0], "number"), count(&runs[0], "devices_changed")),
        (1, 1, 4)
    );
    assert!(!list(&report(&store), "incidents").is_empty());
    // Nothing is written over.
    let again = run(&words);
    assert_eq!(again.status, 2, "{}", again.stderr);
    assert!(again.stderr.contains("is no empty folder"), "{}", again.stderr);
    let into = [&words[..4], &[store.join("export").to_string_lossy().into_owned()]].concat();
    assert!(run(&into).stderr.contains("lies in the store's folder"));
}
