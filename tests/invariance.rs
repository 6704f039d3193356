//! What must change nothing: the order of files on disk, other devices, threads; and a clock
//! that is off by a constant changes times alone.

mod program;

use std::fs;
use std::path::{Path, PathBuf};

use program::{copy, files, list, root, run, text, write};
use regex::{Captures, Regex};
use serde_json::Value;

/// A step refused by a scan that waited, one that a running scan refused, and one by a policy.
const SAMPLES: [&str; 3] = ["scan-waited", "scan-running", "policy-task-holds"];

#[test]
fn a_shifted_clock_changes_times_alone() {
    for sample in SAMPLES {
        let folder = root().join("samples").join(sample);
        let original = report(&folder, &["--tz", "+00:00"]);
        for seconds in [9 * 3600, -86_400, 3 * 86_400 + 61] {
            let shifted = tempfile::tempdir().expect("a folder");
            copy(&folder, shifted.path(), |path, bytes| {
                if is_fact(path) { bytes } else { shift(path, bytes, seconds) }
            });
            let found = report(shifted.path(), &["--tz", "+00:00"]);
            let (before, after) = (essence(&original), essence(&found));
            assert_eq!(before.len(), after.len(), "{sample} by {seconds} s");
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before, after, "{sample} by {seconds} s");
            }
            let moved = |report: &Value| -> Vec<i64> {
                list(report, "incidents")
                    .iter()
                    .map(|found| seconds_of(text(found, "at")))
                    .collect()
            };
            let expected: Vec<i64> = moved(&original).iter().map(|at| at + seconds).collect();
            assert_eq!(moved(&found), expected, "{sample} by {seconds} s");
        }
    }
}

#[test]
fn the_order_of_files_on_disk_changes_nothing() {
    let folder = root().join("samples/rollout-24");
    let original = report(&folder, &[]);
    let mut all = files(&folder);
    all.reverse();
    let middle = all.len() / 3;
    all.rotate_left(middle);
    let copied = tempfile::tempdir().expect("a folder");
    for file in all {
        write(&copied.path().join(&file), &fs::read(folder.join(&file)).expect("a sample"));
    }
    assert_eq!(original, report(copied.path(), &[]));
}

#[test]
fn an_unrelated_device_changes_nothing_about_the_others() {
    let folder = root().join("samples/scan-waited");
    let original = report(&folder, &[]);
    let more = tempfile::tempdir().expect("a folder");
    copy(&folder, more.path(), |_, bytes| bytes);
    let other = root().join("samples/policy-task-holds/PAR-12001");
    copy(&other, &more.path().join("AAA-1"), |_, bytes| bytes);
    let found = report(more.path(), &[]);
    let others: Vec<&Value> =
        list(&found, "incidents").iter().filter(|found| text(found, "device") != "AAA-1").collect();
    assert!(others.len() < list(&found, "incidents").len(), "the other device has an incident");
    let original: Vec<&Value> = list(&original, "incidents").iter().collect();
    assert_eq!(original, others);
}

#[test]
fn threads_change_nothing() {
    let folder = root().join("samples/rollout-24");
    let one = report(&folder, &["--threads", "1"]);
    for threads in ["2", "7"] {
        assert_eq!(one, report(&folder, &["--threads", threads]), "{threads} threads");
    }
}

fn report(folder: &Path, more: &[&str]) -> Value {
    let mut args: Vec<PathBuf> = ["analyze", "--format", "json"]
        .into_iter()
        .chain(more.iter().copied())
        .map(PathBuf::from)
        .collect();
    args.push(folder.to_owned());
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.report()
}

/// Facts about the device hold times that no rule reads.
fn is_fact(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    !name.ends_with(".log") || name.starts_with("systeminfo") || name.contains("registry")
}

/// The one device whose slash dates are day-first.
const DAY_FIRST: &str = "PAR-12002";

/// What of a report's incidents is no time.
fn essence(report: &Value) -> Vec<String> {
    let fields = [
        "device",
        "run",
        "template",
        "step",
        "step_ordinal",
        "task_id",
        "attempts",
        "mechanism",
        "confidence",
        "minutes_after_agent_install",
        "assumed_wording",
    ];
    let blocker = ["program", "pid", "task_id", "launched_known", "ended_known", "launched_by"];
    let of = |incident: &Value| {
        let own = fields.map(|field| incident[field].to_string()).join(" ");
        let holder = blocker.map(|field| incident["blocker"][field].to_string()).join(" ");
        let lines = list(incident, "evidence").iter();
        let lines = lines.map(|line| format!("{}:{} {}", line["path"], line["line"], line["says"]));
        format!("{own} {holder} {}", lines.collect::<Vec<String>>().join(" "))
    };
    list(report, "incidents").iter().map(of).collect()
}

/// Moves all stamps of a log: ISO, slash dates as the sample writes them, and RFC.
fn shift(path: &Path, bytes: Vec<u8>, seconds: i64) -> Vec<u8> {
    let log = String::from_utf8(bytes).expect("the samples' logs are UTF-8");
    let stamp = r"(?m)^(?<iso>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)|^(?<slash>\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)|^(?<rfc>\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d)";
    let stamp = Regex::new(stamp).expect("a pattern");
    let day_first = path.starts_with(DAY_FIRST);
    let slash = if day_first { "%d/%m/%Y %H:%M:%S" } else { "%m/%d/%Y %H:%M:%S" };
    let move_one = |found: &Captures<'_>| {
        let whole = &found[0];
        let form = if found.name("iso").is_some() {
            if whole.contains('T') { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }
        } else if found.name("slash").is_some() {
            slash
        } else {
            "%a, %d %b %Y %H:%M:%S"
        };
        // The weekday may be wrong, and is never used.
        let (read, text) =
            whole.split_once(", ").map_or((form, whole), |(_, rest)| ("%d %b %Y %H:%M:%S", rest));
        let time = chrono::NaiveDateTime::parse_from_str(text, read).expect("a stamp");
        (time + chrono::TimeDelta::seconds(seconds)).format(form).to_string()
    };
    stamp.replace_all(&log, move_one).into_owned().into_bytes()
}

fn seconds_of(shown: &str) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(shown).expect("a time with an offset");
    time.timestamp()
}
