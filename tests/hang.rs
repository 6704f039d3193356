//! A device whose folder never answers: the run ends, says which file it is, tells all others, and the next
//! one goes on.
//!
//! ```sh
//! pip install mfusepy                                       # and Debian's libfuse3-3
//! PROVTRACE_MOUNT=1 cargo test --release --test hang       # it must be there, not only may
//! ```

#![cfg(target_os = "linux")]

mod night;
mod program;
mod simulation;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use night::{Ground, assert_same};
use program::{count, list, root, text};

/// The time that a file is given, in seconds.
const LIMIT: u64 = 2;

/// A share at the ground's, of which a part hangs.
struct Mounted {
    share: PathBuf,
    source: PathBuf,
    child: Child,
}

impl Mounted {
    /// None where nothing can be mounted.
    fn new(ground: &Ground, how: &str, pattern: &str) -> Option<Mounted> {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let (source, share) = (ground.path().join("source"), ground.share());
        std::fs::rename(&share, &source).expect("renamed");
        std::fs::create_dir(&share).expect("a folder");
        let mut command = Command::new(python);
        command.arg(root().join("tests/hang/mount.py"));
        command.args([source.as_os_str(), share.as_os_str(), how.as_ref(), pattern.as_ref()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("python3");
        let mut mounted = Mounted { share, source, child };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if std::fs::read_dir(&mounted.share).is_ok_and(|entries| entries.count() > 0) {
                return Some(mounted);
            }
            if mounted.child.try_wait().expect("a child").is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let must = std::env::var_os("PROVTRACE_MOUNT").is_some_and(|value| value == "1");
        assert!(!must, "PROVTRACE_MOUNT=1, and mfusepy can't mount anything");
        eprintln!("skipped: mfusepy is missing, or may not mount anything");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let ended = self.child.wait();
        let removed = std::fs::remove_dir(&self.share);
        let back = std::fs::rename(&self.source, &self.share);
        assert!(ended.is_ok() && removed.is_ok() && back.is_ok() || thread::panicking());
    }
}

/// Runs a night in which something hangs; gives the path that was told.
fn night_that_hangs(ground: &Ground, store: &str, how: &str, pattern: &str) -> Option<String> {
    let mounted = Mounted::new(ground, how, pattern)?;
    let news = ground.path().join("told.json");
    let args = ground.arguments(store, &news, &["--file-timeout", &LIMIT.to_string()]);
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_provtrace"));
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    while !news.is_file() && began.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(10));
    }
    let took = began.elapsed();
    eprintln!("{how} {pattern}: {took:?}");
    // What waits in the kernel for this file system can't end before.
    thread::sleep(Duration::from_millis(300));
    drop(mounted);
    assert_eq!(child.wait().expect("an end").code(), Some(0), "{how} {pattern}");
    assert!(took < Duration::from_secs(3 * LIMIT + 6), "{how}: {took:?}");
    let told = night::read(&news);
    std::fs::remove_file(news).expect("removed");
    let skipped = list(&told, "skipped");
    assert_eq!(skipped.len(), 1, "{how}: {skipped:?}");
    assert!(text(&skipped[0], "reason").contains("2 seconds"), "{skipped:?}");
    Some(format!("{} {}", count(&told["known"], "devices"), text(&skipped[0], "path")))
}

fn first_device(ground: &Ground) -> String {
    program::names(&ground.share(), Path::is_dir).remove(0)
}

#[test]
fn a_file_that_hangs_is_left_for_the_next_run() {
    let ground = Ground::of(6, 71);
    ground.night("undisturbed");
    let device = first_device(&ground);
    let logs = program::files(&ground.share());
    let log = logs.iter().find(|file| file.starts_with(&device) && file.ends_with("vulscan.log"));
    let log = log.expect("a scan's log").to_string_lossy().into_owned();
    for (at, how) in ["read", "open"].into_iter().enumerate() {
        let store = format!("store-{at}");
        let Some(path) = night_that_hangs(&ground, &store, how, &format!("/{log}")) else { return };
        assert_eq!(path, format!("5 {log}"), "all other devices are told");
        ground.night(&store);
        assert_same(&ground.store(&store), &ground.store("undisturbed"));
    }
}

#[test]
fn a_folder_that_hangs_is_left_for_the_next_run() {
    let ground = Ground::of(6, 72);
    ground.night("undisturbed");
    let device = first_device(&ground);
    for (at, how) in ["list", "stat"].into_iter().enumerate() {
        let store = format!("store-{at}");
        let pattern = format!("/{device}{}", if how == "list" { "" } else { "/*" });
        let Some(path) = night_that_hangs(&ground, &store, how, &pattern) else { return };
        assert_eq!(path, format!("5 {device}"), "all other devices are told");
        ground.night(&store);
        assert_same(&ground.store(&store), &ground.store("undisturbed"));
    }
}

/// A file that has to be opened to tell what it is: one of no known name, and an archive.
#[test]
fn a_file_that_hangs_while_it_is_recognised_is_left_for_the_next_run() {
    let ground = Ground::of(4, 73);
    let device = first_device(&ground);
    for name in ["strange.log", "bundle.zip"] {
        program::write(
            &ground.share().join(&device).join(name),
            &b"what may this be?\n".repeat(99),
        );
        ground.settle();
        let (store, undisturbed) = (format!("store-{name}"), format!("undisturbed-{name}"));
        ground.night(&undisturbed);
        let pattern = format!("/{device}/{name}");
        let Some(path) = night_that_hangs(&ground, &store, "read", &pattern) else { return };
        assert_eq!(path, format!("4 {}", &pattern[1..]), "all devices are told");
        ground.night(&store);
        assert_same(&ground.store(&store), &ground.store(&undisturbed));
        std::fs::remove_file(ground.share().join(&device).join(name)).expect("removed");
    }
}

/// A log that was read before and has grown: its head is compared before anything is read.
#[test]
fn a_known_file_that_hangs_costs_nothing_that_was_known() {
    let ground = Ground::of(4, 74);
    ground.night("store");
    ground.night("undisturbed");
    let device = first_device(&ground);
    let logs = program::files(&ground.share());
    let log = logs.iter().find(|file| file.starts_with(&device) && file.ends_with("vulscan.log"));
    let log = log.expect("a scan's log");
    let mut bytes = std::fs::read(ground.share().join(log)).expect("a log");
    bytes.extend_from_slice(b"Mon, 24 Mar 2025 12:09:45 Last status: Done\r\n");
    program::write(&ground.share().join(log), &bytes);
    ground.settle();
    let log = log.to_string_lossy().into_owned();
    let Some(path) = night_that_hangs(&ground, "store", "open", &format!("/{log}")) else { return };
    assert_eq!(path, format!("4 {device}"), "what was known is still told");
    ground.night("store");
    ground.night("undisturbed");
    assert_same(&ground.store("store"), &ground.store("undisturbed"));
}
