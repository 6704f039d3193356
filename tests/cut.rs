//! Logs as they lie on a share: cut anywhere, still being written, in any encoding, or no log
//! at all. Nothing of them may end the program, and no line may get lost.

mod program;
mod quote;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use encoding_rs::WINDOWS_1252;
use program::{Outcome, copy, count, files, list, root, run, text, write};
use proptest::prelude::*;
use serde_json::Value;

/// A device with a log of every kind, all small.
const SAMPLE: &str = "samples/policy-task-holds/PAR-12001";
/// The kinds of log that the sample must have, by a part of the file's name.
const KINDS: [&str; 8] = [
    "sdclient_task",
    "vulscan",
    "localsch",
    "PolicySync",
    "ldProvision",
    "ProvisionGUI",
    ".stat",
    "SystemInfo",
];
/// Devices in one share: one run of the program.
const CHUNK: usize = 500;
/// With all the other logs beside it, a log is cut at every so many bytes.
const STRIDE: usize = 41;

/// One device: its files, by their relative path.
type Device = Vec<(PathBuf, Vec<u8>)>;

#[test]
fn a_log_cut_at_any_byte_loses_no_line() {
    let logs = sample();
    for kind in KINDS {
        let has = logs.iter().any(|(path, _)| path.to_string_lossy().contains(kind));
        assert!(has, "{SAMPLE} has no log of the kind {kind}");
    }
    let alone = logs.iter().flat_map(|(path, bytes)| {
        (0..=bytes.len()).map(|cut| vec![(path.clone(), bytes[..cut].to_vec())])
    });
    let alone: Vec<Device> = alone.collect();
    assert!(alone.len() > 5_000, "only {} cuts", alone.len());
    for chunk in alone.chunks(CHUNK) {
        check(chunk);
    }
}

/// The same with the device's other logs in place, so that the story is told too.
#[test]
fn a_device_with_a_cut_log_is_still_told() {
    let logs = sample();
    let mut devices = Vec::new();
    for (at, (_, bytes)) in logs.iter().enumerate() {
        for cut in (0..bytes.len()).step_by(STRIDE) {
            let mut device = logs.clone();
            device[at].1.truncate(cut);
            devices.push(device);
        }
    }
    for chunk in devices.chunks(CHUNK) {
        check(chunk);
    }
}

#[test]
fn any_encoding_gives_the_same_incidents() {
    let folder = root().join("samples/scan-waited");
    let original = report(&folder);
    let wide = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| {
        move |bytes: Vec<u8>| {
            let units = decoded(bytes).encode_utf16().flat_map(unit).collect::<Vec<u8>>();
            [mark.to_vec(), units].concat()
        }
    };
    type Change<'c> = (&'c str, Box<dyn Fn(Vec<u8>) -> Vec<u8>>);
    let changes: [Change<'_>; 5] = [
        ("UTF-16LE", Box::new(wide([0xFF, 0xFE], u16::to_le_bytes))),
        ("UTF-16BE", Box::new(wide([0xFE, 0xFF], u16::to_be_bytes))),
        ("UTF-8 with a mark", Box::new(|bytes| format!("\u{feff}{}", decoded(bytes)).into())),
        ("a tail of zeros", Box::new(zero_tail)),
        ("LF ends", Box::new(|bytes| decoded(bytes).replace("\r\n", "\n").into())),
    ];
    for (name, change) in changes {
        let copied = tempfile::tempdir().expect("a folder");
        copy(&folder, copied.path(), |_, bytes| change(bytes));
        let found = report(copied.path());
        assert_eq!(essence(&original), essence(&found), "{name}");
        assert_eq!(
            original["coverage"]["lines"], found["coverage"]["lines"],
            "{name}: lines, of the original and found"
        );
        for incident in list(&found, "incidents") {
            for line in list(incident, "evidence") {
                let stands = quote::check(line, copied.path());
                assert_eq!(stands, Ok(()), "{name}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Each case is one share of forty devices, one run of the program.
    #[test]
    fn any_bytes_under_a_known_name_do_no_harm(
        devices in proptest::collection::vec((0..KNOWN_NAMES.len(), bytes()), 40)
    ) {
        let devices: Vec<Device> = devices
            .into_iter()
            .map(|(name, bytes)| vec![(PathBuf::from(KNOWN_NAMES[name]), bytes)])
            .collect();
        let share = share(&devices);
        let outcome = analyze(share.path());
        prop_assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        prop_assert!(matches!(outcome.status, 0 | 2), "{}: {}", outcome.status, outcome.stderr);
        if outcome.status == 0 {
            let coverage = &outcome.report()["coverage"];
            prop_assert_eq!(parts(coverage), count(coverage, "lines"));
        } else {
            prop_assert!(!outcome.stderr.is_empty() && outcome.stdout.is_empty());
        }
    }
}

/// A file name of every format, older and rotated ones among them.
const KNOWN_NAMES: [&str; 14] = [
    "sdclient_task34163.log",
    "SDClientTask.EPMCORE01.34163.log",
    "sdclient.log",
    "vulscan.log",
    "vulscan.1.log",
    "localsch.log",
    "LocalSchedulerTasks.log",
    "PolicySync.exe.log",
    "policy.sync.log",
    "ldProvision.log",
    "ProvisionGUI.exe.log",
    "CP.34163.RunNow.stat",
    "SystemInfo.log",
    "unknown.log",
];

/// What parsers look for, to be joined in orders that no program writes.
const PIECES: [&[u8]; 34] = [
    b"Mon, 24 Mar 2025 12:07:52 ",
    b"Thu, 99 Zzz 9999 99:99:99 ",
    b"2025-03-24 12:01:10(4312-4316) ldProvision:",
    b"2025-02-30T25:61:61.999(99999999999-1) x:",
    b"03/24/2025 12:20:19 INFO  8644:1     RollingLog : ",
    b"24/03/2025 11:59:59 PM ",
    b"Create process (C:\\x\\sdclient.exe) with args (/taskid=34163)",
    b"Create process (",
    b"Process exit code:-1917517412",
    b"Process exit code:99999999999999999999999",
    b"Recieved command to set print: Action",
    b"Recieved command to set print: <a><ActionName>x</ActionName>",
    b"return:",
    b"SUCCESS",
    b"FAILED",
    b"A task is already running on this device (vulscan.exe), exiting",
    b"processing of package is complete, result 0x8db5019c",
    b"Sending task status -retcode 412",
    b"Command line: /scan=0",
    b"Another task is running (sdclient.exe), waiting",
    b"Starting scan",
    b"Exiting with return code 0x8db301b3 (435).",
    b"Launching task 1002: C:\\vulscan.exe /scan=0, pid 4294967296",
    b"Run PolicySync",
    b"Exit PolicySync",
    b"<PolicyStatusInfo><TaskIdn>1</TaskIdn><LastRunTime>-9223372036854775808</LastRunTime>",
    b"</PolicyStatusInfo>",
    b"Time Zone: (UTC+25:99) Paris",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0\0\0\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
];

/// Bytes of no sense, and pieces of logs with bytes of no sense between.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 0..300);
    let piece = prop_oneof![
        12 => (0..PIECES.len()).prop_map(|at| PIECES[at].to_vec()),
        3 => Just(b"\r\n".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    let pieces = proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat());
    prop_oneof![1 => noise, 4 => pieces]
}

/// The sample's logs, by their relative path.
fn sample() -> Device {
    let folder = root().join(SAMPLE);
    let read = |path: PathBuf| {
        let bytes = fs::read(folder.join(&path)).expect("a sample");
        (path, bytes)
    };
    files(&folder).into_iter().map(read).collect()
}

fn share(devices: &[Device]) -> tempfile::TempDir {
    let share = tempfile::tempdir().expect("a folder");
    for (number, device) in devices.iter().enumerate() {
        for (path, bytes) in device {
            write(&share.path().join(format!("CUT-{number:05}")).join(path), bytes);
        }
    }
    share
}

/// Analyses a share of devices: all is counted; if not, names the first devices that go wrong.
fn check(devices: &[Device]) {
    let Err(reason) = counted(devices) else { return };
    let alone = devices.iter().filter_map(|device| {
        let reason = counted(std::slice::from_ref(device)).err()?;
        let sizes: Vec<String> = device
            .iter()
            .map(|(path, bytes)| format!("{path:?} of {} bytes", bytes.len()))
            .collect();
        Some(format!("{reason}\n    {}", sizes.join("\n    ")))
    });
    let first: Vec<String> = alone.take(5).collect();
    panic!("{} devices: {reason}; alone:\n{}", devices.len(), first.join("\n"));
}

fn counted(devices: &[Device]) -> Result<(), String> {
    let share = share(devices);
    let outcome = analyze(share.path());
    if outcome.stderr.contains("panicked") {
        return Err(format!("a panic: {}", outcome.stderr));
    }
    let lines: u64 = devices.iter().flatten().map(|(_, bytes)| lines(bytes)).sum();
    match outcome.status {
        0 => {}
        2 if lines == 0 && !outcome.stderr.trim().is_empty() => return Ok(()),
        status => return Err(format!("status {status}: {}", outcome.stderr)),
    }
    let report = outcome.report();
    let coverage = &report["coverage"];
    if count(coverage, "lines") != lines || parts(coverage) != lines {
        return Err(format!("{lines} lines, and the report counts {coverage}"));
    }
    Ok(())
}

fn analyze(folder: &Path) -> Outcome {
    let args = ["analyze", "--format", "json"].map(std::ffi::OsString::from);
    run(&[args.to_vec(), vec![folder.into()]].concat())
}

fn report(folder: &Path) -> Value {
    let outcome = analyze(folder);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.report()
}

/// Line ends, and a last line without one.
fn lines(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().filter(|b| **b == b'\n').count() as u64;
    ends + u64::from(bytes.last().is_some_and(|b| *b != b'\n'))
}

fn parts(coverage: &Value) -> u64 {
    ["lines_understood", "lines_continued", "lines_unknown"]
        .iter()
        .map(|name| count(coverage, name))
        .sum()
}

/// What must not depend on how the text was written down.
fn essence(report: &Value) -> BTreeSet<String> {
    let incidents = list(report, "incidents").iter().map(|incident| {
        let said: Vec<&str> =
            list(incident, "evidence").iter().map(|line| text(line, "text")).collect();
        let fields = ["id", "device", "step", "at", "mechanism", "confidence", "blocker"];
        let fields = fields.map(|name| incident[name].to_string()).join(" ");
        format!("{fields} {}", said.join("\n"))
    });
    incidents.collect()
}

fn decoded(bytes: Vec<u8>) -> String {
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.expect("whole pairs")).collect()
        }
        bytes => std::str::from_utf8(bytes).map_or_else(
            |_| WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
            str::to_owned,
        ),
    }
}

/// What a program that reserves room for its log leaves when it is stopped.
fn zero_tail(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len() + 4096, 0);
    bytes
}
