//! Files that are not what they were a moment ago, and paths that lead nowhere: every file is
//! read, partly read or skipped with a reason, and the program ends.

mod program;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use program::{Outcome, count, list, run, text, write};
use serde_json::Value;

const LINE: &str = "Mon, 24 Mar 2025 12:09:45 Last status: Scanning for vulnerabilities\r\n";
/// Files that change while they are read.
const UNSTEADY: usize = 12;
/// How often the program is run while they do.
const RUNS: usize = 6;

/// What can happen to a file on a share.
fn change(file: &Path, step: usize) {
    // Whatever fails here (the file is gone, it is not there yet) is part of the game.
    let open = || OpenOptions::new().write(true).open(file);
    match step % 5 {
        0 => drop(fs::write(file, LINE.repeat(40_000))),
        1 => {
            let grow = |mut file: File| file.write_all(LINE.repeat(100).as_bytes());
            drop(OpenOptions::new().append(true).open(file).and_then(grow));
        }
        2 => drop(open().and_then(|file| file.set_len(1_500_000 - 7))),
        3 => drop(open().and_then(|file| file.set_len(0))),
        _ => drop(fs::remove_file(file)),
    }
}

#[test]
fn files_that_change_while_they_are_read_are_accounted_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let steady = folder.path().join("STEADY-1/vulscan.log");
    write(&steady, LINE.repeat(1000).as_bytes());
    let unsteady = |at: usize| folder.path().join(format!("PAR-{at}/vulscan.log"));
    let files: Vec<PathBuf> = (0..UNSTEADY).map(unsteady).collect();
    for file in &files {
        write(file, LINE.repeat(40_000).as_bytes());
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut step = 0;
            while !done.load(Ordering::Relaxed) {
                let file = step % UNSTEADY;
                change(&files[file], step / UNSTEADY + file);
                thread::sleep(Duration::from_micros(200));
                step += 1;
            }
        });
        let outcomes: Vec<Outcome> = (0..RUNS).map(|_| analyze(folder.path())).collect();
        done.store(true, Ordering::Relaxed);
        for outcome in &outcomes {
            accounted_for(outcome);
        }
    });
    // What is steady again is read as if nothing had been.
    for file in &files {
        write(file, LINE.repeat(40_000).as_bytes());
    }
    let report = analyze(folder.path()).report();
    assert_eq!(count(&report["coverage"], "files"), UNSTEADY as u64 + 1);
    assert_eq!(count(&report["coverage"], "lines"), UNSTEADY as u64 * 40_000 + 1000);
    assert!(list(&report["coverage"], "skipped").is_empty(), "{report}");
}

fn accounted_for(outcome: &Outcome) {
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    let report = outcome.report();
    let coverage = &report["coverage"];
    let parts = ["lines_understood", "lines_continued", "lines_unknown"];
    let sum: u64 = parts.iter().map(|part| count(coverage, part)).sum();
    assert_eq!(count(coverage, "lines"), sum);
    assert!(sum >= 1000, "the steady file was read");
    let skipped = list(coverage, "skipped");
    let partly = |one: &&Value| text(one, "reason").starts_with("partly read: ");
    for one in skipped {
        assert!(!text(one, "reason").is_empty());
        assert!(text(one, "path").starts_with("PAR-"), "{one}");
    }
    let not_at_all = skipped.len() - skipped.iter().filter(partly).count();
    let files = usize::try_from(count(coverage, "files")).expect("few");
    assert!((1..=UNSTEADY + 1).contains(&files));
    assert!(files + not_at_all <= UNSTEADY + 1, "each file once: {skipped:?}");
}

/// One line for days packs better than any rule against bombs expects of a log.
#[test]
fn a_log_that_says_the_same_for_days_is_read_packed() {
    let lines = (100 << 20) / LINE.len();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let block = LINE.repeat(1000);
    for _ in 0..lines / 1000 {
        packed.write_all(block.as_bytes()).expect("written");
    }
    let packed = packed.finish().expect("packed");
    assert!(packed.len() * 250 < lines / 1000 * block.len(), "{} bytes", packed.len());
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-1/vulscan.log.gz"), &packed);
    let report = analyze(folder.path()).report();
    assert!(list(&report["coverage"], "skipped").is_empty(), "{report}");
    assert_eq!(count(&report["coverage"], "lines"), (lines / 1000 * 1000) as u64);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_to_itself_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (folder.path().join("vulscan.log"), folder.path().join("localsch.log"));
    std::os::unix::fs::symlink(&one, &other).expect("a link");
    std::os::unix::fs::symlink(&other, &one).expect("a link");
    let outcome = analyze(&one);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("vulscan.log: "), "{}", outcome.stderr);
    write(&folder.path().join("PAR-1/vulscan.log"), LINE.as_bytes());
    let outcome = analyze(folder.path());
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(list(&outcome.report()["coverage"], "skipped").len(), 2, "{}", outcome.stderr);
}

/// A name that is no text at all is shown by its bytes; one in another script, longer
/// than 260 characters in sum, as it is.
#[cfg(target_os = "linux")]
#[test]
fn any_name_is_a_name() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let broken = std::ffi::OsStr::from_bytes(b"PAR-\xFF\xFE");
    write(&folder.path().join(broken).join("vulscan.log"), LINE.as_bytes());
    let long = format!("{}/Журнал/{}", "日本語".repeat(12), "ж".repeat(110));
    let long = format!("{long}/{}/PAR-2/vulscan.log", "é".repeat(120));
    assert!(long.chars().count() > 260);
    write(&folder.path().join(&long), LINE.as_bytes());
    let outcome = run(&[Path::new("events"), Path::new("--all"), folder.path()]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("PAR-%FF%FE/vulscan.log:1\t"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(&long), "{}", outcome.stdout);
}

fn analyze(path: &Path) -> Outcome {
    run(&[Path::new("analyze"), Path::new("--format"), Path::new("json"), path])
}
