//! A device with more records than are kept of one: what matters beside them is found, and the report says on top
//! that something is missing.

mod program;

use std::fmt::Write;
use std::fs;

use program::{copy, list, root, run, text, write};
use serde_json::Value;

/// Lines that are all kept, since a silence lies before each of them: more than there is room for.
fn endless() -> String {
    let mut log = String::new();
    let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    for at in 0..280_000 {
        let (day, hour, minute, second) = (at / 43_200, at / 1800 % 24, at / 30 % 60, at % 30 * 2);
        let (weekday, day) = (weekdays[day], day + 1);
        writeln!(log, "{weekday}, {day:02} Feb 2024 {hour:02}:{minute:02}:{second:02} x\r")
            .expect("text");
    }
    log
}

fn ids(report: &Value) -> Vec<&str> {
    list(report, "incidents").iter().map(|incident| text(incident, "id")).collect()
}

#[test]
fn what_matters_has_room_beside_an_endless_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let share = folder.path().join("share");
    copy(&root().join("samples/scan-running"), &share, |_, bytes| bytes);
    let analyze = |share: &std::path::Path| {
        let share = share.to_string_lossy();
        run(&["analyze", &share, "--format", "json"])
    };
    let before = analyze(&share).report();
    assert!(!ids(&before).is_empty());
    assert!(before["coverage"]["caution"].is_null());
    let device = fs::read_dir(&share).expect("devices").next().expect("one").expect("one").path();
    write(&device.join("ProgramData/LANDesk/Log/vulscan.1.log"), endless().as_bytes());
    let outcome = analyze(&share);
    let after = outcome.report();
    assert_eq!(ids(&after), ids(&before), "the logs behind the endless one have room");
    let skipped = list(&after["coverage"], "skipped");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(text(&skipped[0], "path").ends_with("vulscan.1.log"), "{skipped:?}");
    assert!(text(&skipped[0], "reason").ends_with("were only counted"), "{skipped:?}");
    let caution = text(&after["coverage"], "caution");
    assert!(caution.contains("vulscan.1.log say is missing here"), "{caution}");
}

#[test]
fn what_matters_has_room_beside_thousands_of_tasks() {
    let folder = tempfile::tempdir().expect("a folder");
    let share = folder.path().join("share");
    copy(&root().join("samples/scan-waited"), &share, |_, bytes| bytes);
    let args = |share: &std::path::Path| {
        ["analyze".to_owned(), share.to_string_lossy().into_owned(), "--format=json".to_owned()]
    };
    let before = run(&args(&share)).report();
    assert!(!ids(&before).is_empty());
    let device = fs::read_dir(&share).expect("devices").next().expect("one").expect("one").path();
    let data = device.join("Program Files (x86)/LANDesk/LDClient/Data");
    for task in 10_000..13_000 {
        let mut log = String::new();
        // Small ones last: they take what is left bit by bit.
        for at in 0..if task < 12_700 { 100 } else { 2 } {
            let (hour, minute, second) = (task % 24, at / 30, at % 30 * 2);
            let line = "Installer still active, 2 child processes";
            writeln!(log, "Thu, 01 Feb 2024 {hour:02}:{minute:02}:{second:02} {line}\r")
                .expect("text");
        }
        write(&data.join(format!("sdclient_task{task}.log")), log.as_bytes());
    }
    let after = run(&args(&share)).report();
    assert_eq!(ids(&after), ids(&before), "vulscan's and provisioning's logs lie behind them");
    let skipped = list(&after["coverage"], "skipped");
    assert!(skipped.len() > 500, "{}", skipped.len());
    let is_cut = |one: &Value| text(one, "reason").ends_with("were only counted");
    let is_task = |one: &Value| text(one, "path").contains("sdclient_task");
    assert!(skipped.iter().all(|one| is_cut(one) && is_task(one)), "{:?}", skipped.last());
    // A log of which only half was kept would be a step that began and never ended.
    let told = |one: &Value| text(one, "reason").contains("all its records");
    assert!(skipped.iter().all(told), "{:?}", skipped.first());
}
