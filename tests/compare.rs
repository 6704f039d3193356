//! `compare`: what really changed, told right, and files that are no reports told apart.

mod program;
mod simulation;

use std::fs;

use program::{count, list, root, run, text, write};
use serde_json::Value;
use simulation::Fleet;

const BEFORE: &str = "tests/golden/rollout-24/report.json";
const AFTER: &str = "tests/golden/workaround/report.json";

#[test]
fn each_form_is_as_it_was() {
    let bless = std::env::var_os("PROVTRACE_BLESS").is_some_and(|value| value == "1");
    let periods = ["compare", "samples/rollout-24", "--at", "2025-03-20"];
    let with_json = |args: &[&'static str]| [args, &["--format", "json"]].concat();
    for (file, args) in [
        ("reports.txt", vec!["compare", BEFORE, AFTER]),
        ("reports.json", with_json(&["compare", BEFORE, AFTER])),
        ("periods.txt", periods.to_vec()),
        ("periods.json", with_json(&periods)),
        ("periods.html", [&periods[..], &["--format", "html"]].concat()),
    ] {
        let outcome = run(&args);
        assert_eq!(outcome.status, 0, "{file}: {}", outcome.stderr);
        let got = without_style(&outcome.stdout);
        let golden = root().join("tests/compare").join(file);
        if bless {
            write(&golden, got.as_bytes());
        } else {
            let wanted = fs::read_to_string(&golden).expect("a golden file");
            assert_eq!(got, wanted, "{file}: if that is meant: PROVTRACE_BLESS=1");
        }
    }
}

/// A page without its style, which is a file of its own, and the digest that goes with it.
fn without_style(page: &str) -> String {
    let Some((head, rest)) = page.split_once("<style nonce=") else { return page.to_owned() };
    let (_, tail) = rest.split_once("</style>").expect("the end of the style");
    let nonce = head.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    let page = format!("{head}[style.css]{tail}");
    page.replace(nonce.expect("a digest"), "DIGEST")
}

/// No run is lost between two periods, and none is counted twice.
#[test]
fn every_run_is_in_one_period() {
    let all = run(&["analyze", "samples/rollout-24", "--format", "json"]).report();
    for at in ["2025-03-18", "2025-03-20", "2025-03-21T10:00", "2025-03-20T09:30Z"] {
        let args = ["compare", "samples/rollout-24", "--at", at, "--format", "json"];
        let told = run(&args).report();
        let sum = |rows: &[Value], field| {
            let sides = rows.iter().flat_map(|row| [&row["before"], &row["after"]]);
            sides.filter(|side| !side.is_null()).map(|side| count(side, field)).sum::<u64>()
        };
        let wanted = |rows: &str, field| -> u64 {
            list(&all, rows).iter().map(|row| count(row, field)).sum()
        };
        let templates = list(&told, "templates");
        assert_eq!(sum(templates, "runs"), wanted("templates", "runs"), "{at}");
        assert_eq!(sum(templates, "affected"), wanted("templates", "affected_runs"), "{at}");
        let steps = list(&told, "steps");
        assert_eq!(sum(steps, "runs"), wanted("steps", "attempts"), "{at}");
        assert_eq!(sum(steps, "affected"), wanted("steps", "incidents"), "{at}");
        assert_eq!(sum(&[told["overall"].clone()], "runs"), wanted("templates", "runs"), "{at}");
    }
}

/// A simulated estate that got the workaround in the middle of its rollout got better; one that
/// got nothing did not.
#[test]
fn a_workaround_shows() {
    for (more, verdict, in_force) in [
        (&["--workaround-from", "2025-03-17"][..], "better", "some"),
        (&[][..], "no_clear_change", "none"),
    ] {
        let span = ["--start", "2025-03-03", "--span", "28"];
        let fleet = Fleet::with("full", 120, 5, &[&span, more].concat());
        let share = fleet.share().to_string_lossy().into_owned();
        let outcome = run(&["compare", &share, "--at", "2025-03-17", "--format", "json"]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        let told = outcome.report();
        assert_eq!(text(&told["overall"], "verdict"), verdict, "{}", told["overall"]);
        // Not on all: some runs end before their logs show how the scan was armed.
        assert_eq!(text(&told["overall"]["after"], "workaround"), in_force);
    }
}

#[test]
fn what_is_no_report_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        write(&folder.path().join(name), bytes);
        folder.path().join(name).to_string_lossy().into_owned()
    };
    let newer = br#"{"schema": "provtrace.report.v9", "templates": "other"}"#;
    let cut = fs::read(root().join(BEFORE)).expect("a report");
    for (path, words) in [
        (file("newer.json", newer), "provtrace.report.v9"),
        (file("cut.json", &cut[..cut.len() / 2]), "no JSON report"),
        (file("log.json", b"Mon, 24 Mar 2025"), "no JSON report"),
        (file("deep.json", "[".repeat(1 << 20).as_bytes()), "no JSON report"),
        (file("comparison.json", br#"{"schema": "provtrace.comparison.v1"}"#), "no report"),
        ("samples/rollout-24".to_owned(), "is a folder"),
        ("samples/nothing.json".to_owned(), "no such file"),
    ] {
        for args in [["compare", &path, AFTER], ["compare", AFTER, &path]] {
            let outcome = run(&args);
            assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{path}");
            assert!(outcome.stderr.contains(words), "{path}: {}", outcome.stderr);
        }
    }
    for args in [&["compare", BEFORE][..], &["compare", BEFORE, AFTER, AFTER]] {
        let outcome = run(args);
        assert_eq!(outcome.status, 2);
        assert!(outcome.stderr.contains("two reports"), "{}", outcome.stderr);
    }
}

#[test]
fn a_report_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("before.json");
    fs::copy(root().join(BEFORE), &path).expect("a copy");
    let before = path.to_string_lossy().into_owned();
    let outcome = run(&["compare", &before, AFTER, "-o", &before]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("write to another file"), "{}", outcome.stderr);
    let other = folder.path().join("told.json").to_string_lossy().into_owned();
    let outcome = run(&["compare", &before, AFTER, "-o", &other]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, ""), "{}", outcome.stderr);
    let told: Value = serde_json::from_slice(&fs::read(&other).expect("a file")).expect("JSON");
    assert_eq!(text(&told, "schema"), "provtrace.comparison.v1");
}
