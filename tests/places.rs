//! Where shares, stores and outputs lie: each share is known again however it is named, and nothing of a store
//! is taken for a log or written over.

mod night;
mod program;
mod simulation;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use night::{Ground, arguments, assert_same, assert_whole, command, nightly, read};
use program::{count, list};
use serde_json::Value;

/// Nothing was read, and nothing is said to be other than before.
fn assert_unchanged(news: &Value) {
    let run = &news["run"];
    assert_eq!(count(run, "bytes_read"), 0, "{run}");
    let files = &run["files"];
    for state in ["new", "grown", "moved", "replaced", "gone", "skipped"] {
        assert_eq!(count(files, state), 0, "{state}: {run}");
    }
    assert!(count(files, "unchanged") > 0, "{run}");
}

/// A run from some folder over a share that is named as one likes.
fn from(folder: &Path, share: &str, store: &str) -> Value {
    let args = arguments(&[Path::new(share)], Path::new(store), &["-o", "news.json"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_provtrace"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&folder.join("news.json"))
}

#[test]
fn a_relative_path_is_the_same_share_from_anywhere() {
    let ground = Ground::of(4, 41);
    let below = ground.path().join("below/this");
    fs::create_dir_all(&below).expect("a folder");
    let first = from(ground.path(), "share", "store");
    assert!(count(&first["run"]["files"], "new") > 20);
    assert_unchanged(&from(ground.path(), "./share/", "store"));
    assert_unchanged(&from(&ground.share(), ".", "../store"));
    assert_unchanged(&from(&below, "../../share", "../../store"));
    assert_unchanged(&ground.night("store"));
}

#[cfg(unix)]
#[test]
fn a_share_behind_a_symbolic_link_is_known_again() {
    let ground = Ground::of(4, 42);
    let link = ground.path().join("link");
    std::os::unix::fs::symlink(ground.share(), &link).expect("a link");
    let shown = link.to_string_lossy();
    let analyzed = program::run(&["analyze", &shown]);
    assert_eq!((analyzed.status, analyzed.stderr.as_str()), (0, ""));
    from(ground.path(), &shown, "store");
    assert_unchanged(&from(ground.path(), &shown, "store"));
    // The link now leads to a copy: its files are others, with the same content.
    let copied = ground.path().join("copied");
    program::copy(&ground.share(), &copied, |_, bytes| bytes);
    fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink(&copied, &link).expect("a link");
    let news = from(ground.path(), &shown, "store");
    assert!(list(&news, "new").is_empty() && list(&news, "withdrawn").is_empty(), "{news}");
    ground.night("undisturbed");
    let counts = |store: &str| {
        let report: Value =
            serde_json::from_str(&night::report(&ground.store(store))).expect("JSON");
        (list(&report, "incidents").len(), report["coverage"]["runs"].clone())
    };
    assert_eq!(counts("store"), counts("undisturbed"));
}

#[test]
fn two_shares_are_one_night() {
    let ground = Ground::of(4, 43);
    let other = Ground::of(3, 44);
    let shares = [&*ground.share(), &*other.share()];
    let news = ground.path().join("news.json");
    let more = ["-o", &news.to_string_lossy()];
    assert_eq!(nightly(&shares, &ground.store("store"), &more).status, 0);
    let first = read(&news);
    assert_eq!(nightly(&shares, &ground.store("store"), &more).status, 0);
    assert_unchanged(&read(&news));
    // One of them is gone: status 2, and the other one's devices are what they were.
    let before = night::report(&ground.store("store"));
    let missing = [&*ground.share(), Path::new("nowhere")];
    assert_eq!(nightly(&missing, &ground.store("store"), &more).status, 2);
    assert_eq!(night::report(&ground.store("store")), before);
    assert!(count(&first["known"], "devices") >= 4, "{}", first["known"]);
}

#[test]
fn a_store_inside_the_share_is_no_part_of_it() {
    let ground = Ground::of(4, 45);
    let inside = ground.share().join("store");
    let news = ground.path().join("news.json");
    let more = ["-o", &news.to_string_lossy()];
    for night in 0..3 {
        let outcome = nightly(&[&ground.share()], &inside, &more);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        let told = read(&news);
        assert_eq!(count(&told["known"], "devices"), 4);
        if night > 0 {
            assert_unchanged(&told);
        }
    }
    assert_whole(&inside);
    fs::rename(&inside, ground.store("moved")).expect("moved");
    ground.night("moved");
    ground.night("undisturbed");
    assert_same(&ground.store("moved"), &ground.store("undisturbed"));
}

#[test]
fn outputs_go_neither_onto_logs_nor_into_the_store() {
    let ground = Ground::of(3, 46);
    ground.night("store");
    let store = ground.store("store");
    let log = ground.share().join(program::files(&ground.share()).remove(0));
    let (bytes, database) = (fs::read(&log).expect("a log"), store.join("store.sqlite"));
    let before = fs::read(&database).expect("a database");
    for (target, words) in [
        (log.clone(), "is one of the files that are read"),
        (database.clone(), "lies in the store's folder"),
        (store.join("facts/news.json"), "lies in the store's folder"),
        (store.join("news.json"), "lies in the store's folder"),
    ] {
        let shown = target.to_string_lossy();
        // A name without an ending of news is refused before anything else.
        let target =
            if target.extension().is_some_and(|own| own == "json") { "-o" } else { "--metrics" };
        let outcome = nightly(&[&ground.share()], &store, &[target, &shown]);
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{shown}: {}", outcome.stderr);
    }
    let args = ["report", "--format", "json", "-o", &*database.to_string_lossy()];
    let outcome = command(&args, &store);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    assert_eq!(fs::read(&log).expect("a log"), bytes);
    assert_eq!(fs::read(&database).expect("a database").len(), before.len());
    assert_whole(&store);
}
