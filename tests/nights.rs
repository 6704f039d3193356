//! What a night costs when nothing is new, and its news: each is told once, however many nights follow.

mod batch;
mod program;
mod simulation;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use batch::Batch;
use program::{copy, count, files, list, root, run, text, write};
use serde_json::Value;
use simulation::Fleet;

fn ids(incidents: &[Value]) -> BTreeSet<String> {
    incidents.iter().map(|own| text(own, "id").to_owned()).collect()
}

fn is_of_scanner(file: &str) -> bool {
    file.ends_with("vulscan.log") || file.ends_with("localsch.log")
}

#[test]
fn a_second_night_reads_nothing_and_changes_nothing() {
    let fleet = Fleet::simulate("hostile", 30, 3);
    let batch = Batch::new();
    copy(&fleet.share(), &batch.share(), |_, bytes| bytes);
    let old = SystemTime::now() - Duration::from_secs(86_400);
    for file in files(&batch.share()) {
        let file = fs::OpenOptions::new().append(true).open(batch.share().join(file));
        file.expect("opened").set_modified(old).expect("a time");
    }
    let first = batch.night();
    let before = batch.report();
    assert!(count(&first["run"], "bytes_read") > 0);
    assert!(list(&first, "new").len() > 5);
    assert_eq!(first["new"], before["incidents"], "the news name templates as the report does");
    let second = batch.night();
    assert_eq!(second["run"]["bytes_read"], 0);
    let state = &second["run"]["files"];
    let new = first["run"]["files"]["new"].clone();
    assert_eq!(state["unchanged"], new, "{state}");
    for name in ["new", "grown", "moved", "replaced", "gone"] {
        assert_eq!(state[name], 0, "{name}");
    }
    assert_eq!(before, batch.report());
    batch.quiet_night();
}

#[test]
fn an_incident_is_new_once_and_revised_once_under_the_same_id() {
    let batch = Batch::new();
    batch.add("scan-waited/PAR-10001", |file| !is_of_scanner(file));
    let first = batch.night();
    let new = list(&first, "new");
    assert_eq!(new.len(), 1, "{first}");
    assert_eq!(text(&new[0], "mechanism"), "unattributed");
    batch.quiet_night();
    batch.add("scan-waited/PAR-10001", is_of_scanner);
    let later = batch.night();
    assert!(list(&later, "new").is_empty());
    let revised = list(&later, "revised");
    assert_eq!(revised.len(), 1);
    assert_eq!(text(&revised[0]["incident"], "id"), text(&new[0], "id"));
    assert_eq!(text(&revised[0]["incident"], "mechanism"), "scan_waited");
    let changed = list(&revised[0], "changed");
    let mechanism = changed.iter().find(|own| own["field"] == "mechanism").expect("changed");
    assert_eq!(
        (text(mechanism, "before"), text(mechanism, "after")),
        ("unattributed", "scan_waited")
    );
    assert!(changed.iter().any(|own| own["field"] == "blocker" && own["before"].is_null()));
    batch.quiet_night();
    // Its history is kept.
    let export = batch.folder.path().join("export").to_string_lossy().into_owned();
    let outcome = run(&["store", "export", "--store", &batch.store(), &export]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let told = fs::read_to_string(Path::new(&export).join("revisions.jsonl")).expect("written");
    let revisions: Vec<Value> =
        told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(revisions.len(), 1);
    assert_eq!((&revisions[0]["id"], &revisions[0]["run"]), (&new[0]["id"], &Value::from(3)));
}

#[test]
fn an_incident_that_later_logs_disprove_is_withdrawn_once() {
    let batch = Batch::new();
    batch.add("scan-waited/PAR-10001", |file| file.contains("sdclient_task"));
    let first = batch.night();
    assert_eq!(list(&first, "new").len(), 1, "{first}");
    // The agent's log says that the step did well.
    let file = "ldprovisioning/ldProvision.log";
    let log = root().join("samples/scan-waited/PAR-10001").join(file);
    let log = fs::read_to_string(log).expect("a sample");
    let well = log.replace("exit code:-1917517412", "exit code:0");
    assert_ne!(log, well);
    batch.put(&Path::new("PAR-10001").join(file), well.as_bytes());
    let later = batch.night();
    assert_eq!(ids(list(&later, "withdrawn")), ids(list(&first, "new")), "{later}");
    assert_eq!(count(&later["known"], "incidents"), 0);
    batch.quiet_night();
}

#[test]
fn a_template_is_worse_once_and_fixed_once() {
    let more = ["--templates", "1", "--history-days", "1", "--reruns", "0"];
    let fleet = Fleet::with("full", 150, 4, &more);
    let refused = |device: &&Value| !list(device, "incidents").is_empty();
    let devices = list(&fleet.truth, "devices");
    let bad: Vec<&Value> = devices.iter().filter(refused).collect();
    let good: Vec<&Value> = devices.iter().filter(|own| !refused(own)).collect();
    assert!(bad.len() >= 20 && good.len() >= 60, "{} bad, {} good", bad.len(), good.len());
    let mut batch = Batch::new();
    batch.more = vec!["--tasks".to_owned(), fleet.tasks().to_string_lossy().into_owned()];
    let deliver = |devices: &[&Value]| {
        for device in devices {
            let name = text(device, "device");
            copy(&fleet.share().join(name), &batch.share().join(name), |_, bytes| bytes);
        }
        batch.night()
    };
    let first = deliver(&good[..30]);
    assert!(list(&first, "worse").is_empty() && list(&first, "fixed").is_empty());
    let worse = deliver(&bad[..20]);
    assert!(!list(&worse, "worse").is_empty() && list(&worse, "fixed").is_empty());
    batch.quiet_night();
    let fixed = deliver(&good[30..]);
    assert!(list(&fixed, "worse").is_empty() && !list(&fixed, "fixed").is_empty());
    batch.quiet_night();
}

#[test]
fn a_device_falls_silent_once_whatever_else_is_told_anew() {
    let mut batch = Batch::new();
    batch.add("scan-waited/PAR-10001", |_| true);
    batch.add("scan-waited/PAR-10002", |_| true);
    batch.night();
    batch.days_pass(8);
    batch.put(Path::new("PAR-10002/ldprovisioning/ldProvisionHandler.log"), b"x\r\n");
    let told = |news: &Value| -> Vec<(String, bool)> {
        let silent = list(news, "silent").iter();
        silent.map(|own| (text(own, "device").to_owned(), own["gone"] == true)).collect()
    };
    assert_eq!(told(&batch.night()), [("PAR-10001".to_owned(), false)]);
    batch.quiet_night();
    // Another mapping, and a file that is touched, are no logs that are new.
    batch.more = vec!["--tz".to_owned(), "Asia/Tokyo".to_owned()];
    assert_eq!(told(&batch.night()), []);
    batch.add("scan-waited/PAR-10001", |file| file.ends_with("vulscan.log"));
    assert_eq!(told(&batch.night()), []);
    // It speaks again, and falls silent again.
    batch.put(
        Path::new("PAR-10001/sdclient_task1.log"),
        b"Mon, 24 Mar 2025 12:07:53 Last status: Done\r\n",
    );
    assert_eq!(told(&batch.night()), []);
    batch.days_pass(8);
    fs::remove_dir_all(batch.share().join("PAR-10001")).expect("removed");
    let both = [("PAR-10001".to_owned(), true), ("PAR-10002".to_owned(), false)];
    assert_eq!(told(&batch.night()), both);
    batch.quiet_night();
}

#[test]
fn an_agent_that_writes_other_words_is_told_once() {
    let fleet = Fleet::with("full", 8, 5, &["--history-days", "3"]);
    let batch = Batch::new();
    copy(&fleet.share(), &batch.share(), |_, bytes| bytes);
    let first = batch.night();
    assert!(list(&first, "fallen").is_empty());
    let logs: Vec<PathBuf> =
        files(&batch.share()).into_iter().filter(|own| own.ends_with("vulscan.log")).collect();
    for file in &logs {
        let mut log = fs::read(batch.share().join(file)).expect("a log");
        for second in 0..60 {
            log.extend(
                format!("2026-01-05 10:00:{second:02} (7-8) zork {second}\r\n").into_bytes(),
            );
        }
        batch.put(file, &log);
    }
    let fallen = batch.night();
    let formats: Vec<&str> =
        list(&fallen, "fallen").iter().map(|own| text(own, "format")).collect();
    assert_eq!(formats, ["vulscan"]);
    assert_eq!(count(&list(&fallen, "fallen")[0], "lines"), 60 * logs.len() as u64);
    batch.quiet_night();
}

/// Runs and processes that began in one month and ended in another stand in one of them, whole.
#[test]
fn the_facts_of_all_months_are_those_of_the_report() {
    let more = ["--history-days", "8", "--start", "2025-01-20", "--span", "12"];
    let fleet = Fleet::with("full", 20, 9, &more);
    let batch = Batch::new();
    batch.lay(&fleet.share(), ".");
    batch.night();
    let facts = Path::new(&batch.store()).join("facts/lifetimes");
    assert!(files(&facts).len() > 1, "of several months");
    batch::compare_facts(Path::new(&batch.store()), batch.folder.path()).expect("the same");
}

/// DuckDB reads the facts and finds the numbers of the report.
#[test]
fn duckdb_reads_the_facts() {
    let must = std::env::var_os("PROVTRACE_PYTHON").is_some_and(|value| value == "1");
    let python = if cfg!(windows) { "python" } else { "python3" };
    let there = Command::new(python).args(["-c", "import duckdb"]).output();
    if !there.as_ref().is_ok_and(|there| there.status.success()) {
        assert!(!must, "PROVTRACE_PYTHON=1, and {python} has no duckdb: {there:?}");
        eprintln!("not tested: {python} has no duckdb");
        return;
    }
    let fleet = Fleet::simulate("hostile", 40, 7);
    let batch = Batch::new();
    // In two nights, so that months are written again.
    let late = |file: &Path| file.to_string_lossy().contains("vulscan");
    for night in [false, true] {
        for file in files(&fleet.share()).iter().filter(|own| late(own) == night) {
            write(&batch.share().join(file), &fs::read(fleet.share().join(file)).expect("a log"));
        }
        batch.night();
    }
    let report = batch.folder.path().join("report.json");
    let own = report.to_string_lossy().into_owned();
    assert_eq!(run(&["report", "--store", &batch.store(), "-o", &own]).status, 0);
    let script = root().join("tests/nights/facts.py");
    let facts = Path::new(&batch.store()).join("facts");
    let told = Command::new(python).arg(script).arg(facts).arg(report).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{stderr}");
    let incidents = list(&batch.report(), "incidents").len();
    assert!(incidents > 0);
    assert_eq!(
        String::from_utf8_lossy(&told.stdout).trim(),
        format!("{incidents} incidents agree")
    );
}
