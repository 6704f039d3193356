//! Stores that are damaged, or none: what, where, what to do; and nothing is destroyed.

mod night;
mod program;
mod simulation;

use std::fs;
use std::path::{Path, PathBuf};

use night::{Ground, assert_same, assert_whole, command};
use program::{Outcome, copy, run};
use rusqlite::Connection;

/// How many times some bytes of a database are changed.
const DAMAGES: u64 = 40;

/// A store after a night, and copies of it to be damaged.
struct Patient {
    ground: Ground,
}

impl Patient {
    fn new() -> Patient {
        let ground = Ground::of(6, 21);
        ground.night("whole");
        Patient { ground }
    }

    /// A copy of the store, with its database as `change` makes it.
    fn damaged(&self, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> PathBuf {
        let store = self.ground.store(name);
        copy(&self.ground.store("whole"), &store, |_, bytes| bytes);
        let database = fs::read(store.join("store.sqlite")).expect("a database");
        fs::write(store.join("store.sqlite"), change(database)).expect("written");
        store
    }

    /// The same by a statement.
    fn changed(&self, name: &str, statement: &str) -> PathBuf {
        let store = self.damaged(name, |bytes| bytes);
        let db = Connection::open(store.join("store.sqlite")).expect("a database");
        db.execute_batch(statement).expect("changed");
        store
    }
}

/// All that can be asked of a store.
fn all(ground: &Ground, store: &str) -> [Outcome; 4] {
    let path = ground.store(store);
    let to = ground.path().join(format!("export-{store}"));
    let export = ["store", "export"].map(Into::into).into_iter();
    let export = export.chain(["--store".into(), path.clone().into_os_string(), to.into()]);
    [
        command(&["report", "--format", "json"], &path),
        command(&["store", "check"], &path),
        run(&export.collect::<Vec<std::ffi::OsString>>()),
        ground.nightly(store, &[]),
    ]
}

/// Each says all of `words`, ends with status 2, and leaves the database as it is.
fn assert_refused(ground: &Ground, store: &str, words: &[&str]) {
    let database = ground.store(store).join("store.sqlite");
    let before = fs::read(&database).expect("a database");
    for outcome in all(ground, store) {
        let Outcome { status, stdout, stderr } = outcome;
        assert_eq!((status, stdout.as_str()), (2, ""), "{store}: {stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{store}: {stderr}");
        assert!(stderr.lines().count() == 1, "{store}: {stderr}");
    }
    assert!(fs::read(&database).expect("a database") == before, "{store} was changed");
}

#[test]
fn what_is_no_store_is_told_and_left_as_it_is() {
    let patient = Patient::new();
    let ground = &patient.ground;
    patient.damaged("text", |_| b"These are notes of mine.\n".repeat(400));
    assert_refused(ground, "text", &["text/store.sqlite: is no database", "put a copy"]);
    patient.damaged("empty", |_| Vec::new());
    assert_refused(ground, "empty", &["empty/store.sqlite: is empty", "put a copy"]);
    patient.damaged("half", |bytes| bytes[..bytes.len() / 2].to_vec());
    assert_refused(ground, "half", &["half/store.sqlite: is damaged", "put a copy"]);
    patient.damaged("header", |bytes| [&[0x55; 16], &bytes[16..]].concat());
    assert_refused(ground, "header", &["header/store.sqlite: is no database"]);
    patient.changed("foreign", "PRAGMA application_id = 77");
    assert_refused(ground, "foreign", &["is a database, but no store of provtrace"]);
    patient.changed("later", "PRAGMA user_version = 99");
    assert_refused(ground, "later", &["was written by a later provtrace", "version 99"]);
}

#[test]
fn a_folder_that_is_none_or_not_ours_is_told() {
    let patient = Patient::new();
    let ground = &patient.ground;
    fs::write(ground.store("file"), "mine").expect("written");
    let outcome = ground.nightly("file", &[]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("give a folder with --store"), "{}", outcome.stderr);
    assert_eq!(fs::read(ground.store("file")).expect("there"), b"mine");
    program::write(&ground.store("notes").join("notes.txt"), b"mine");
    let outcome = ground.nightly("notes", &[]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("give an empty folder"), "{}", outcome.stderr);
    assert_eq!(program::files(&ground.store("notes")).len(), 1);
    for words in [&["report"][..], &["store", "check"]] {
        let outcome = command(words, &ground.store("nowhere"));
        assert_eq!(outcome.status, 2);
        assert!(outcome.stderr.contains("no store lies there"), "{}", outcome.stderr);
    }
    assert!(!ground.store("nowhere").exists());
}

/// A value whose bytes are not those that were written.
#[test]
fn a_damaged_value_is_found_where_it_is() {
    let patient = Patient::new();
    for (column, says) in [
        ("memory", "what was read of it"),
        ("report", "its report"),
        ("chronicle", "what happened"),
    ] {
        let first = "(SELECT min(device) FROM content)";
        let damage = format!(
            "UPDATE content SET {column} = CAST(substr({column}, 1, 60) || x'00' || substr({column}, 62) AS BLOB) \
             WHERE device = {first}"
        );
        let store = patient.changed(column, &damage);
        let db = Connection::open(store.join("store.sqlite")).expect("a database");
        let name: String =
            db.query_row("SELECT min(name) FROM device", [], |row| row.get(0)).expect("a device");
        let outcome = command(&["store", "check"], &store);
        assert_eq!(outcome.status, 1, "{}", outcome.stderr);
        let fault = format!("{name}: {says}");
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        assert!(lines[0].starts_with(&fault) && lines[0].ends_with("is damaged"), "{lines:?}");
        assert!(lines.len() == 2 && lines[1].ends_with(": not whole"), "{lines:?}");
    }
}

/// Whatever bytes are changed: nothing panics, and what goes through tells what is true.
#[test]
fn bytes_that_are_changed_end_no_run_by_a_panic() {
    let patient = Patient::new();
    let ground = &patient.ground;
    let whole = fs::read(ground.store("whole").join("store.sqlite")).expect("a database");
    let (mut seed, mut found) = (0x9E37_79B9_7F4A_7C15_u64, 0);
    let mut chance = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("31 bits")
    };
    for number in 0..DAMAGES {
        let name = format!("damage-{number}");
        patient.damaged(&name, |mut bytes| {
            for _ in 0..1 + number % 8 {
                let at = chance() % bytes.len();
                bytes[at] ^= 1 << (chance() % 8);
            }
            bytes
        });
        let outcomes = all(ground, &name);
        for Outcome { status, stderr, .. } in &outcomes {
            assert!((0..=2).contains(status) && !stderr.contains("panicked"), "{name}: {stderr}");
            assert!(*status != 2 || !stderr.is_empty(), "{name}: nothing was said");
        }
        found += u64::from(outcomes[1].status != 0);
        fs::remove_dir_all(ground.store(&name)).expect("removed");
    }
    assert!(
        found > DAMAGES / 2,
        "only {found} of {DAMAGES} damages of {} bytes were found",
        whole.len()
    );
}

#[test]
fn a_log_that_sqlite_left_behind_is_part_of_the_store() {
    let patient = Patient::new();
    let ground = &patient.ground;
    let store = patient.damaged("left", |bytes| bytes);
    let db = Connection::open(store.join("store.sqlite")).expect("a database");
    db.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE fact SET name = name")
        .expect("changed");
    let copied = ground.store("copied");
    copy(&store, &copied, |_, bytes| bytes);
    drop(db);
    assert!(copied.join("store.sqlite-wal").metadata().expect("there").len() > 0);
    ground.night("copied");
    ground.night("left");
    assert_same(&copied, &store);
}

/// The way back that the docs tell: a copy, or a new folder.
#[test]
fn a_copy_catches_up() {
    let patient = Patient::new();
    let ground = &patient.ground;
    patient.damaged("copy", |bytes| bytes);
    let log = first_log(&ground.share());
    let bytes = fs::read(&log).expect("a log");
    fs::write(&log, &bytes[..bytes.len() / 2]).expect("written");
    ground.settle();
    for _ in 0..2 {
        ground.night("whole");
    }
    fs::write(&log, &bytes).expect("written");
    ground.settle();
    for store in ["whole", "copy", "new"] {
        ground.night(store);
        assert_whole(&ground.store(store));
    }
    assert_eq!(night::report(&ground.store("copy")), night::report(&ground.store("new")));
}

fn first_log(share: &Path) -> PathBuf {
    let logs = program::files(share);
    let log = logs.iter().find(|file| file.ends_with("vulscan.log")).expect("a scan's log");
    share.join(log)
}
