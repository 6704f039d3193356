//! A disk that is full: what, where, what to do; with room the next run goes on, as if nothing had been.
//!
//! Small file systems are mounted for it, which only root may, on Linux:
//!
//! ```sh
//! PROVTRACE_MOUNT=1 cargo test --release --test full    # it must be allowed
//! ```

#![cfg(target_os = "linux")]

mod night;
mod program;
mod simulation;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use night::{Ground, arguments, assert_same};
use program::{list, run};

/// Size of the file system, in KiB.
const SIZE: usize = 6 * 1024;
/// Room that is left to the store, in KiB.
const ROOMS: [usize; 14] = [0, 4, 12, 32, 64, 100, 150, 200, 250, 300, 350, 400, 500, 600];

/// A small file system.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one; none where nobody may.
    fn mount(folder: &Path) -> Option<Disk> {
        fs::create_dir_all(folder).expect("a folder");
        let size = format!("size={SIZE}k");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        let must = std::env::var_os("PROVTRACE_MOUNT").is_some_and(|value| value == "1");
        assert!(mounted || !must, "PROVTRACE_MOUNT=1, and nothing can be mounted");
        if !mounted {
            eprintln!("skipped: no file system can be mounted here; be root");
        }
        mounted.then(|| Disk(folder.to_owned()))
    }

    /// Leaves only so many KiB free.
    fn fill(&self, room: usize) {
        let filler = self.0.join("filler");
        let output = Command::new("df").args(["--output=avail", "-k"]).arg(&self.0).output();
        let output = String::from_utf8(output.expect("df").stdout).expect("text");
        let free: usize = output.lines().nth(1).expect("a number").trim().parse().expect("KiB");
        fs::write(filler, vec![0; free.saturating_sub(room) * 1024]).expect("filled");
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("room");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// A share of which half is there at first.
fn ground(seed: u64) -> (Ground, PathBuf) {
    let ground = Ground::of(8, seed);
    let whole = ground.path().join("whole");
    fs::rename(ground.share(), &whole).expect("renamed");
    program::copy(&whole, &ground.share(), |_, mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    });
    ground.settle();
    (ground, whole)
}

/// What failed, of a store on a disk.
fn place(stderr: &str) -> &'static str {
    ["store.sqlite", "facts", "news.json", "disk"]
        .into_iter()
        .find(|name| stderr.contains(&format!("/{name}")))
        .unwrap_or_else(|| panic!("where? {stderr}"))
}

#[test]
fn a_disk_that_is_full_costs_nothing_but_time() {
    let (ground, whole) = ground(51);
    let disk = Disk::mount(&ground.path().join("disk"));
    let Some(disk) = disk else { return };
    ground.night("undisturbed-0");
    let mut places = BTreeSet::new();
    for second in [false, true] {
        if second {
            program::copy(&whole, &ground.share(), |_, bytes| bytes);
            ground.settle();
            ground.night("undisturbed-0");
        }
        for room in ROOMS {
            let store = disk.0.join("store");
            if second {
                // A store as it was before.
                program::copy(&ground.store("before"), &store, |_, bytes| bytes);
            }
            let news = ground.path().join("news.json");
            let mut args = arguments(&[&ground.share()], &store, &[]);
            args.extend(["-o".into(), news.into_os_string()]);
            disk.fill(room);
            let failed = run(&args);
            assert!(failed.status == 0 || failed.status == 2, "{}", failed.stderr);
            if failed.status == 2 {
                let said = failed.stderr.lines().last().unwrap_or_default();
                assert!(
                    said.contains("make room") && said.contains("full")
                        || said.contains("no space"),
                    "{said}"
                );
                places.insert(place(said));
            }
            disk.empty();
            let outcome = run(&args);
            assert_eq!(outcome.status, 0, "{room}: {}", outcome.stderr);
            if failed.status == 2 {
                assert!(!list(&ground.news(), "new").is_empty(), "{room}: nothing was told");
            }
            assert_same(&store, &ground.store("undisturbed-0"));
            if !second && room == ROOMS[ROOMS.len() - 1] {
                program::copy(&store, &ground.store("before"), |_, bytes| bytes);
            }
            fs::remove_dir_all(&store).expect("removed");
        }
    }
    assert!(places.len() >= 3, "it failed at {places:?} only");
}

#[test]
fn news_that_find_no_room_are_told_the_next_time() {
    let ground = Ground::of(6, 52);
    let Some(disk) = Disk::mount(&ground.path().join("disk")) else { return };
    for room in [0, 4, 8] {
        let store = format!("store-{room}");
        let news = disk.0.join("news.json");
        let args = ground.arguments(&store, &news, &[]);
        disk.fill(room);
        let outcome = run(&args);
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        for words in ["disk/news.json", "make room", "the next run tells these news again"] {
            assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        }
        assert_eq!(program::names(&disk.0, |_| true), ["filler"], "nothing half is left");
        disk.empty();
        assert_eq!(run(&args).status, 0);
        assert!(!list(&night::read(&news), "new").is_empty());
        fs::remove_file(news).expect("removed");
    }
}

#[test]
fn pruning_on_a_full_disk_keeps_what_is_there() {
    let ground = Ground::of(8, 53);
    let Some(disk) = Disk::mount(&ground.path().join("disk")) else { return };
    let store = disk.0.join("store");
    let args = arguments(&[&ground.share()], &store, &[]);
    assert_eq!(run(&args).status, 0);
    ground.night("undisturbed");
    let words: [std::ffi::OsString; 6] = [
        "store".into(),
        "prune".into(),
        "--keep".into(),
        "400d".into(),
        "--store".into(),
        store.clone().into_os_string(),
    ];
    disk.fill(8);
    let outcome = run(&words);
    assert_eq!(outcome.status, 2, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("make room"), "{}", outcome.stderr);
    disk.empty();
    assert_same(&store, &ground.store("undisturbed"));
    assert_eq!(run(&words).status, 0);
    assert_same(&store, &ground.store("undisturbed"));
}

#[test]
fn a_store_that_nobody_may_write_to_is_told() {
    let ground = Ground::of(3, 54);
    let Some(disk) = Disk::mount(&ground.path().join("disk")) else { return };
    let store = disk.0.join("store");
    let args = arguments(&[&ground.share()], &store, &[]);
    assert_eq!(run(&args).status, 0);
    let remount = |how: &str| {
        let status = Command::new("mount").args(["-o", how]).arg(&disk.0).status();
        assert!(status.expect("mount").success());
    };
    remount("remount,ro");
    for (outcome, words) in [
        (run(&args), "read-only file system"),
        (night::command(&["report"], &store), "has to be copied"),
        (night::command(&["store", "check"], &store), "has to be copied"),
    ] {
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    remount("remount,rw");
    night::assert_whole(&store);
    assert_eq!(run(&args).status, 0);
}
