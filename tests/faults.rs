//! Shares, stores and outputs that fail: what was done is kept, what was not told is told the next time, and
//! the next run goes on.

mod night;
mod program;
mod simulation;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use night::{Ground, assert_same, command, nightly};
use program::{Outcome, count, list, root, text};
use serde_json::Value;

fn ids(news: &Value) -> BTreeSet<String> {
    list(news, "new").iter().map(|own| text(own, "id").to_owned()).collect()
}

/// Some device's folder.
fn device(ground: &Ground, at: usize) -> PathBuf {
    ground.share().join(&program::names(&ground.share(), Path::is_dir)[at])
}

fn assert_failed(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{}", outcome.stderr);
}

#[test]
fn a_share_that_is_not_there_leaves_the_store_as_it_is() {
    let ground = Ground::of(5, 31);
    ground.night("store");
    let before = night::report(&ground.store("store"));
    let away = ground.path().join("away");
    fs::rename(ground.share(), &away).expect("gone");
    assert_failed(&ground.nightly("store", &["--silent-after", "1"]), &["share: no such file"]);
    // A mount point without its share is an empty folder.
    fs::create_dir(ground.share()).expect("a folder");
    let outcome = ground.nightly("store", &["--silent-after", "1"]);
    assert_failed(&outcome, &["no log that provtrace knows", "the store knows 5 devices"]);
    assert_eq!(night::report(&ground.store("store")), before);
    fs::remove_dir(ground.share()).expect("a folder");
    fs::rename(&away, ground.share()).expect("back");
    let news = ground.night("store");
    assert_eq!((count(&news["run"], "bytes_read"), count(&news["run"]["files"], "gone")), (0, 0));
    assert!(news["silent"].as_array().is_some_and(Vec::is_empty), "{}", news["silent"]);
    assert_eq!(night::report(&ground.store("store")), before);
}

/// A device's folder goes away while a run is at work, at whatever moment.
#[test]
fn folders_that_go_away_while_they_are_read_are_read_when_they_are_back() {
    let ground = Ground::of(12, 32);
    let began = Instant::now();
    ground.night("undisturbed");
    let usual = began.elapsed();
    for round in 0..8 {
        let store = format!("store-{}", round / 4);
        let args = ground.arguments(&store, &ground.path().join("news.json"), &[]);
        let mut child = Command::new(env!("CARGO_BIN_EXE_provtrace"))
            .args(args)
            .current_dir(root())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        thread::sleep(usual * (round % 4 + 1) / 6);
        let (here, away) = (device(&ground, 5), ground.path().join("away"));
        fs::rename(&here, &away).expect("gone");
        let status = child.wait().expect("an end");
        assert_eq!(status.code(), Some(0));
        fs::rename(&away, &here).expect("back");
        if round % 4 == 3 {
            ground.night(&store);
            assert_same(&ground.store(&store), &ground.store("undisturbed"));
        }
    }
}

#[test]
fn an_archive_that_is_damaged_is_read_when_it_is_mended() {
    let ground = Ground::of(3, 33);
    let folder = device(&ground, 1);
    let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
    let zip = ground.share().join(format!("{name}.zip"));
    pack(&folder, &zip);
    fs::remove_dir_all(&folder).expect("packed");
    ground.settle();
    ground.night("undisturbed");
    let whole = fs::read(&zip).expect("a zip");
    let damages: [&dyn Fn() -> Vec<u8>; 3] = [
        &|| whole[..whole.len() / 3].to_vec(),
        &|| {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle..middle + 400].fill(0x55);
            bytes
        },
        &|| b"no archive at all".to_vec(),
    ];
    for (at, damage) in damages.iter().chain(&damages).enumerate() {
        let store = format!("store-{at}");
        // The last three know it whole.
        if at >= damages.len() {
            ground.night(&store);
        }
        fs::write(&zip, damage()).expect("written");
        ground.settle();
        let news = ground.night(&store);
        let skipped = list(&news, "skipped");
        assert!(skipped.iter().any(|own| text(own, "path").contains(&name)), "{skipped:?}");
        fs::write(&zip, &whole).expect("written");
        ground.settle();
        let news = ground.night(&store);
        assert!(list(&news, "skipped").is_empty(), "{news}");
        assert_same(&ground.store(&store), &ground.store("undisturbed"));
    }
}

/// Packs a folder's files.
fn pack(folder: &Path, zip: &Path) {
    let mut out = zip::ZipWriter::new(fs::File::create(zip).expect("a file"));
    for file in program::files(folder) {
        let name = file.to_string_lossy().replace('\\', "/");
        let options: zip::write::SimpleFileOptions = zip::write::FileOptions::default();
        out.start_file(name, options).expect("a member");
        let bytes = fs::read(folder.join(file)).expect("a log");
        std::io::Write::write_all(&mut out, &bytes).expect("packed");
    }
    out.finish().expect("an archive");
}

#[test]
fn two_batches_at_once_are_one() {
    let ground = Ground::of(60, 34);
    let args = ground.arguments("store", &ground.path().join("first.json"), &[]);
    let mut first = Command::new(env!("CARGO_BIN_EXE_provtrace"))
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let holder = ground.store("store").join("lock.holder");
    while !fs::read_to_string(&holder).is_ok_and(|text| text.contains("since")) {
        thread::sleep(Duration::from_millis(2));
    }
    let began = Instant::now();
    let second = ground.nightly("store", &[]);
    let took = began.elapsed();
    assert_failed(&second, &[&format!("process {}", first.id()), "wait until it is done"]);
    let pruned = command(&["store", "prune", "--keep", "1d"], &ground.store("store"));
    assert_eq!(pruned.status, 2, "{}", pruned.stderr);
    let check = command(&["store", "check"], &ground.store("store"));
    assert!(check.stdout.ends_with(": whole\n"), "{}{}", check.stdout, check.stderr);
    assert!(first.try_wait().expect("at work").is_none(), "the first run was too short");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(first.wait().expect("an end").code(), Some(0));
    // The file of the lock is left, and hinders nobody.
    assert!(ground.store("store").join("lock").is_file());
    assert_eq!(count(&ground.night("store")["run"], "bytes_read"), 0);
}

#[test]
fn a_report_is_made_while_a_batch_is_at_work() {
    let ground = Ground::of(20, 35);
    ground.night("store");
    let before = night::report(&ground.store("store"));
    let log = program::files(&ground.share()).remove(0);
    fs::remove_file(ground.share().join(log)).expect("removed");
    let db = rusqlite::Connection::open(ground.store("store").join("store.sqlite")).expect("open");
    db.execute_batch("BEGIN IMMEDIATE; DELETE FROM device").expect("somebody who writes");
    assert_eq!(night::report(&ground.store("store")), before);
    assert_eq!(command(&["store", "check"], &ground.store("store")).status, 0);
    db.execute_batch("ROLLBACK").expect("nothing done");
}

/// What could not be written is told again: refusals, and devices that went silent.
#[test]
fn news_that_could_not_be_written_are_told_the_next_time() {
    let ground = Ground::of(8, 36);
    let nowhere = ground.path().join("nowhere/news.json");
    let nowhere = nowhere.to_string_lossy();
    let outcome = nightly(&[&ground.share()], &ground.store("store"), &["-o", &nowhere]);
    // Before anything is read.
    assert_failed(&outcome, &["nowhere/news.json: there is no such folder"]);
    assert!(!ground.store("store").exists());
    let nowhere = ground.path().join("folder.json");
    fs::create_dir(&nowhere).expect("a folder in its place");
    let (nowhere, good) = (nowhere.to_string_lossy(), ground.path().join("good.json"));
    let both = ["-o", &nowhere, "-o", &good.to_string_lossy()];
    let outcome = nightly(&[&ground.share()], &ground.store("store"), &both);
    assert_failed(&outcome, &["folder.json", "the next run tells these news again"]);
    assert!(good.is_file(), "the other one is written");
    let news = ground.night("store");
    assert!(!ids(&news).is_empty() && news["run"]["resumed"] == true, "{}", news["run"]);
    assert_eq!(ids(&news), {
        ground.night("undisturbed");
        ids(&ground.news())
    });
    assert!(ids(&ground.night("store")).is_empty(), "told twice");
    let db = rusqlite::Connection::open(ground.store("store").join("store.sqlite")).expect("open");
    db.execute("UPDATE device SET new_at = '2025-01-01T00:00:00Z'", []).expect("changed");
    drop(db);
    let outcome = nightly(&[&ground.share()], &ground.store("store"), &["-o", &nowhere]);
    assert_eq!(outcome.status, 2);
    assert_eq!(list(&ground.night("store"), "silent").len(), 8, "told at last");
    assert_eq!(list(&ground.night("store"), "silent").len(), 0, "told twice");
}

#[test]
fn devices_that_vanish_are_told_the_next_night_and_once() {
    let ground = Ground::of(6, 39);
    ground.night("store");
    fs::remove_dir_all(device(&ground, 1)).expect("removed");
    let told = |news: &Value| news["warnings"].to_string().contains("1 device is not on the share");
    assert!(told(&ground.night("store")));
    assert!(!told(&ground.night("store")), "told twice");
}

#[test]
fn measures_and_webhooks_that_fail_are_warnings() {
    let ground = Ground::of(4, 37);
    let nowhere = ground.path().join("nowhere/run.prom");
    // Nobody listens there.
    let more = ["--metrics", &nowhere.to_string_lossy(), "--webhook", "http://127.0.0.1:9/key"];
    let outcome = ground.nightly("store", &more);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("nowhere/run.prom: no such file"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("127.0.0.1"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("key"), "{}", outcome.stderr);
    assert!(!ids(&ground.news()).is_empty());
    assert!(ids(&ground.night("store")).is_empty(), "told twice");
}

#[test]
fn a_missing_file_of_facts_is_written_again() {
    let ground = Ground::of(4, 38);
    ground.night("store");
    ground.night("undisturbed");
    let facts = ground.store("store").join("facts");
    let files: Vec<PathBuf> = night::facts(&ground.store("store")).into_keys().collect();
    fs::remove_file(facts.join(&files[0])).expect("removed");
    fs::write(facts.join(&files[4]), "PAR").expect("damaged");
    let check = command(&["store", "check"], &ground.store("store"));
    assert_eq!((check.status, check.stdout.lines().count()), (1, 3), "{}", check.stdout);
    ground.night("store");
    assert_same(&ground.store("store"), &ground.store("undisturbed"));
}
