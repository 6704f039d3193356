//! What a person knows better than the logs: time zones and code pages.

mod program;

use std::path::Path;

use program::{copy, list, root, run, text};
use serde_json::Value;

fn analyze(folder: &Path, more: &[&str]) -> program::Outcome {
    let mut args = vec![folder.as_os_str().to_owned()];
    args.splice(0..0, ["analyze", "--format", "json"].map(Into::into));
    args.extend(more.iter().map(Into::into));
    run(&args)
}

fn times(report: &Value) -> Vec<(String, String)> {
    let of = |found: &Value| (text(found, "device").to_owned(), text(found, "at").to_owned());
    list(report, "incidents").iter().map(of).collect()
}

#[test]
fn a_given_zone_overrides_the_logs() {
    let folder = root().join("samples/scan-waited");
    let own = times(&analyze(&folder, &[]).report());
    let fixed = times(&analyze(&folder, &["--tz", "PAR-10001=+00:00"]).report());
    assert_eq!(own.len(), fixed.len());
    let mut moved = 0;
    for (device, at) in &fixed {
        let same = own.contains(&(device.clone(), at.clone()));
        assert_eq!(same, device != "PAR-10001", "{device} {at}");
        moved += u32::from(!same);
    }
    assert!(moved > 0);
    let paris = times(&analyze(&folder, &["--tz", "europe/paris"]).report());
    assert_eq!(own, paris, "SystemInfo.log says the same");
}

#[test]
fn names_that_are_none_are_refused_with_a_suggestion() {
    let folder = root().join("samples/healthy");
    for (option, name, told) in [
        ("--tz", "Europe/Pris", "did you mean Europe/Paris?"),
        ("--tz", "PAR-*=+25:00", "no offset from UTC"),
        ("--codepage", "utf-8", "told without being asked"),
        ("--codepage", "klingon", "windows-1251"),
    ] {
        let outcome = analyze(&folder, &[option, name]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{option} {name}");
        assert!(outcome.stderr.contains(told), "{option} {name}: {}", outcome.stderr);
    }
}

#[test]
fn a_code_page_is_for_lines_that_are_not_utf_8() {
    let folder = root().join("samples/scan-waited");
    let step = |report: &Value| text(&list(report, "incidents")[0], "step").to_owned();
    let name = step(&analyze(&folder, &[]).report());
    let copied = tempfile::tempdir().expect("a folder");
    copy(&folder, copied.path(), |_, bytes| {
        let Ok(log) = String::from_utf8(bytes.clone()) else { return bytes };
        encoding_rs::WINDOWS_1251.encode(&log.replace(&name, "Пакет")).0.into_owned()
    });
    assert_eq!(step(&analyze(copied.path(), &["--codepage", "cp1251"]).report()), "Пакет");
    assert_eq!(step(&analyze(copied.path(), &[]).report()), "Ïàêåò");
}
