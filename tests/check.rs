//! `formats check`: what of a share is understood, and what the rest looks like.

mod program;
mod simulation;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use program::{cases, count, list, root, run, text};
use serde_json::Value;
use simulation::Fleet;

fn checked(paths: &[&Path]) -> Value {
    let mut args = ["formats", "check", "--format", "json"].map(OsString::from).to_vec();
    args.extend(paths.iter().map(|path| path.into()));
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.report()
}

#[test]
fn lines_add_up_in_every_sample() {
    for case in cases() {
        let survey = checked(&[&root().join("samples").join(&case.name)]);
        let mut all = 0;
        for format in list(&survey, "formats") {
            let parts = ["events", "noise", "continued", "unknown"];
            let sum: u64 = parts.iter().map(|part| count(format, part)).sum();
            assert_eq!(sum, count(format, "lines"), "{}: {format}", case.name);
            let stamps = format["stamps"].as_object().expect("stamps").values();
            let stamped: u64 = stamps.map(|lines| lines.as_u64().expect("a count")).sum();
            assert!(stamped + count(format, "without_stamp") <= sum, "{}: {format}", case.name);
            all += sum;
        }
        assert_eq!(all, count(&survey, "lines"), "{}", case.name);
        let shapes: u64 = list(&survey, "shapes").iter().map(|shape| count(shape, "lines")).sum();
        assert_eq!(shapes, count(&survey, "lines_unknown"), "{}", case.name);
    }
}

#[test]
fn unknown_lines_are_shown_by_their_shape() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = folder.path().join("PC-1");
    fs::create_dir_all(&device).expect("a folder");
    let mut log = String::new();
    for at in 0..30 {
        log.push_str(&format!(
            "Mon, 24 Mar 2025 12:00:{at:02} Sprocket {at} of C:\\a b\\x{at}.dll turned\r\n"
        ));
    }
    log.push_str("Mon, 24 Mar 2025 12:01:00 Something else\u{1b}[31m\r\n");
    fs::write(device.join("vulscan.log"), log).expect("written");
    fs::write(device.join("strange.log"), "12:00 vulscan.exe was here\r\n").expect("written");
    fs::write(device.join("other.log"), "12:00 nothing of ours\r\n").expect("written");
    let survey = checked(&[folder.path()]);
    let first = &list(&survey, "shapes")[0];
    assert_eq!(text(first, "shape"), "Sprocket # of <path> turned");
    assert_eq!((count(first, "lines"), count(first, "line")), (30, 1));
    assert!(text(first, "path").ends_with("PC-1/vulscan.log"));
    assert_eq!(list(&survey, "like_agents").len(), 1);
    assert_eq!(count(&survey, "unrecognised"), 2);
    let args: [OsString; 3] = ["formats".into(), "check".into(), folder.path().into()];
    let shown = run(&args).stdout;
    assert!(shown.contains("nothing is in vulscan"), "{shown}");
    assert!(shown.contains("strange.log") && shown.contains("Other logs of no known format: 1."));
    assert!(!shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn where_it_samples_it_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = String::new();
    for at in 0..4_000 {
        let (minute, second) = (at / 60 % 60, at % 60);
        log.push_str(&format!("Mon, 24 Mar 2025 12:{minute:02}:{second:02} Sprocket turned\n"));
    }
    fs::write(folder.path().join("vulscan.log"), log).expect("written");
    let survey = checked(&[folder.path()]);
    assert_eq!(count(&survey, "lines_unknown"), 4_000);
    assert_eq!(count(&survey, "lines_looked_at"), 2_000 + 2_000 / 16);
    assert_eq!(count(&list(&survey, "shapes")[0], "lines"), 4_000, "an estimate of all");
    let args: [OsString; 3] = ["formats".into(), "check".into(), folder.path().into()];
    let shown = run(&args).stdout;
    assert!(shown.contains("about 4000 lines") && shown.contains("2125 of 4000"), "{shown}");
}

#[test]
fn a_foreign_share_is_no_empty_table() {
    let wording = root().join("tests/fleet/wordings/french.json");
    let fleet = Fleet::with("full", 12, 71, &["--wording", &wording.to_string_lossy()]);
    let survey = checked(&[&fleet.share()]);
    assert!(count(&survey, "files_not_understood") > 12);
    let args: [OsString; 2] = ["analyze".into(), fleet.share().into()];
    let shown = run(&args).stdout;
    assert!(shown.starts_with("Caution: the wording of these logs is not known"), "{shown}");
    let known = Fleet::simulate("full", 12, 71);
    let args: [OsString; 2] = ["analyze".into(), known.share().into()];
    assert!(!run(&args).stdout.contains("Caution"));
}

#[test]
fn threads_change_nothing() {
    let fleet = Fleet::simulate("hostile", 30, 72);
    let checked = |threads: &str| {
        let mut args = ["formats", "check", "--threads", threads].map(OsString::from).to_vec();
        args.push(fleet.share().into());
        run(&args).stdout
    };
    assert_eq!(checked("1"), checked("4"));
}
