//! Bundles under other names: no real name is left, and the incidents are the same.

mod program;
mod simulation;
mod ticket;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use encoding_rs::WINDOWS_1252;
use program::{cases, files, list, text, write};
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};
use simulation::Fleet;
use ticket::{analyzed, entries, entry, make, shape, verify};

/// Names of devices in several scripts, and people, hosts and addresses in their logs.
fn renamed(number: usize, name: &str) -> String {
    let digits = name.rsplit('-').next().unwrap_or(name);
    match number % 5 {
        0 => format!("СТАНЦИЯ-{digits}"),
        1 => format!("端末-{digits}"),
        2 => format!("POSTE-ÉTÉ-{digits}"),
        3 => format!("ΣΤΑΘΜΟΣ-{digits}"),
        _ => name.to_owned(),
    }
}

const PEOPLE: [&str; 5] = ["Élodie Müller", "Иван Петров", "田中花子", "jdoe", "Zoë.Ångström"];

/// The names that stand in the logs of a device, besides its own.
fn people(number: usize) -> Vec<String> {
    let person = PEOPLE[number % PEOPLE.len()];
    vec![
        format!("{person}{number}"),
        format!("FILER-{number:04}"),
        format!("10.7.{}.{}", number / 200, number % 200 + 1),
        format!("00-1A-2B-3C-{:02X}-{:02X}", number / 256, number % 256),
        format!("S-1-5-21-11-22-33-{}", 1000 + number),
        format!("someone{number}@werk-{number}.example"),
        "KÖLN7".to_owned(),
        "EPMCORE".to_owned(),
    ]
}

/// Rewrites a log in its own encoding: the device's new name, and a line that names people.
fn rewritten(raw: &[u8], old: &str, new: &str, number: usize) -> Vec<u8> {
    let all = people(number);
    let line = format!(
        "\r\ncopy C:\\Users\\{}\\x.log to \\\\{}\\logs, from {}, {}, {}, mail {}, by KÖLN7\\adm{number}x\r\n",
        all[0], all[1], all[2], all[3], all[4], all[5]
    );
    let little = matches!(raw, [0xFF, 0xFE, ..] | [_, 0, ..]);
    if little || matches!(raw, [0xFE, 0xFF, ..] | [0, _, ..]) {
        let unit = |pair: &[u8]| match little {
            true => u16::from_le_bytes([pair[0], pair[1]]),
            false => u16::from_be_bytes([pair[0], pair[1]]),
        };
        let text = char::decode_utf16(raw.chunks_exact(2).map(unit));
        let text: String = text.map(|c| c.unwrap_or('\u{FFFD}')).collect();
        let text = text.replace(old, new).trim_end_matches('\0').to_owned() + &line;
        let bytes = if little { u16::to_le_bytes } else { u16::to_be_bytes };
        return text.encode_utf16().flat_map(bytes).collect();
    }
    let utf_8 = std::str::from_utf8(raw).is_ok();
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(raw).0.into_owned(),
    };
    // A name that the code page has no letters for stays as it was there.
    let own = |text: &str| utf_8 || !WINDOWS_1252.encode(text).2;
    let text = if own(new) { text.replace(old, new) } else { text };
    let text = text.trim_end_matches('\0').to_owned() + if own(&line) { &line } else { "\r\n" };
    if utf_8 { text.into_bytes() } else { WINDOWS_1252.encode(&text).0.into_owned() }
}

/// A simulated share under names of several scripts; all names that are in it.
fn share_of_many_names(fleet: &Fleet, to: &Path) -> BTreeSet<String> {
    let devices: Vec<String> = list(&fleet.truth, "devices")
        .iter()
        .map(|device| text(device, "device").to_owned())
        .collect();
    let mut names = BTreeSet::new();
    for file in files(&fleet.share()) {
        let shown = file.to_str().expect("UTF-8").replace('\\', "/");
        let number =
            devices.iter().position(|name| shown.contains(name.as_str())).expect("a device");
        let (old, new) = (&devices[number], renamed(number, &devices[number]));
        let raw = fs::read(fleet.share().join(&file)).expect("a log");
        names.extend(people(number));
        names.extend([new.clone(), old.clone()]);
        let is_xml = shown.ends_with(".stat");
        let bytes = if is_xml { raw } else { rewritten(&raw, old, &new, number) };
        write(&to.join(shown.replace(old.as_str(), &new)), &bytes);
    }
    names
}

/// A name that some bytes hold, in any of the encodings that logs have.
fn held(bytes: &[u8], names: &Regex) -> Option<String> {
    let wide = |skip: usize, unit: fn([u8; 2]) -> u16| {
        let pairs = bytes.get(skip..).unwrap_or_default().chunks_exact(2);
        let units = pairs.map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(' ')).collect::<String>()
    };
    let readings = [
        String::from_utf8_lossy(bytes).into_owned(),
        WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        wide(0, u16::from_le_bytes),
        wide(0, u16::from_be_bytes),
    ];
    readings.iter().find_map(|text| names.find(text)).map(|found| found.as_str().to_owned())
}

#[test]
fn nothing_leaks_from_two_hundred_devices_in_many_scripts() {
    let fleet = Fleet::with("full", 200, 41, &["--zips", "0", "--encodings", "40"]);
    let folder = tempfile::tempdir().expect("a folder");
    let share = folder.path().join("share");
    let names = share_of_many_names(&fleet, &share);
    assert!(names.len() > 1000, "{}", names.len());
    let given = share.to_str().expect("UTF-8");
    let zip = make(folder.path(), "red.zip", &[given, "--device", "*", "--redact"]);
    let map = folder.path().join("red.map.json");
    let map = map.to_str().expect("UTF-8");
    let (status, told) = verify(&zip, &["--leaks", map]);
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("none of "), "{told}");
    // By eyes of its own: any name anywhere, inside of words, too.
    let names: Vec<String> = names.iter().map(|name| regex::escape(name)).collect();
    let names =
        RegexBuilder::new(&names.join("|")).case_insensitive(true).size_limit(1 << 28).build();
    let names = names.expect("a pattern");
    assert!(held("x\\иван петров6".as_bytes(), &names).is_some());
    for (name, bytes) in entries(&zip) {
        assert_eq!(held(name.as_bytes(), &names), None, "in the name {name}");
        assert_eq!(held(&bytes, &names), None, "in {name}");
    }
    let manifest = entry(&zip, "manifest.json");
    assert!(list(&manifest, "originals").iter().all(|own| own["status"] == "whole"));
    let (plain, redacted) = (analyzed(&share, &[]), analyzed(&zip, &[]));
    assert!(list(&plain, "incidents").len() > 20);
    assert_eq!(shape(&plain), shape(&redacted));
    // The same logs with their names leak, and a single planted name does.
    let bare = make(folder.path(), "bare.zip", &[given, "--device", "*", "--excerpts-only"]);
    assert_eq!(verify(&bare, &["--leaks", map]).0, 1);
    let planted = json!({"names": [{"kind": "user", "real": "dev-00007", "pseudonym": "x"}], "incidents": []});
    let file = folder.path().join("planted.json");
    write(&file, planted.to_string().as_bytes());
    let (status, told) = verify(&zip, &["--leaks", file.to_str().expect("UTF-8")]);
    assert_eq!(status, 1);
    assert!(told.contains("`dev-00007`"), "{told}");
}

#[test]
fn every_sample_says_the_same_under_other_names() {
    for case in cases() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = case.args(&[]);
        let mut args: Vec<&str> = options.iter().map(String::as_str).collect();
        args.extend(["--device", "*", "--redact"]);
        let zip = make(folder.path(), "red.zip", &args);
        let map = folder.path().join("red.map.json");
        let (status, told) = verify(&zip, &["--leaks", map.to_str().expect("UTF-8")]);
        assert_eq!(status, 0, "{}: {told}", case.name);
        let manifest = entry(&zip, "manifest.json");
        let left_out = list(&manifest, "originals").iter().any(|own| own["status"] == "left_out");
        assert_eq!(left_out, case.name == "event-log-shows-launcher", "{}", case.name);
        if left_out {
            continue;
        }
        let more: Vec<&str> = options[1..].iter().map(String::as_str).collect();
        let again = analyzed(&zip, &more);
        assert_eq!(shape(&case.report()), shape(&again), "{}", case.name);
        assert_eq!(list(&manifest, "notes"), &[] as &[Value], "{}", case.name);
    }
}

/// A log to which something else wrote in its own encoding.
#[test]
fn a_file_of_two_encodings_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let share = folder.path().join("share");
    program::copy(&program::root().join("samples/scan-waited"), &share, |_, bytes| bytes);
    let wide = "Zeit: PAR-10001\r\n".encode_utf16().flat_map(u16::to_le_bytes);
    let log = share.join("PAR-10001/ProgramData/LANDesk/Log/PolicySync.exe.log");
    let bytes = fs::read(&log).expect("a sample").into_iter().chain(wide).collect::<Vec<u8>>();
    write(&log, &bytes);
    let args = [share.to_str().expect("UTF-8"), "--device", "PAR-10001", "--redact"];
    let zip = make(folder.path(), "red.zip", &args);
    let map = folder.path().join("red.map.json");
    assert_eq!(verify(&zip, &["--leaks", map.to_str().expect("UTF-8")]).0, 0);
    let manifest = entry(&zip, "manifest.json");
    let left: Vec<&Value> =
        list(&manifest, "originals").iter().filter(|own| own["status"] == "left_out").collect();
    assert_eq!(left.len(), 1);
    assert!(text(left[0], "reason").contains("another encoding"), "{}", left[0]);
}
