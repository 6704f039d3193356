//! Archives and other things that lie on a share and are no plain logs: read where they can be,
//! refused with a reason where they must be, never an end of the program.

mod program;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use program::{Outcome, copy, count, files, list, root, run, text, write};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const LOG: &str = "Mon, 24 Mar 2025 12:07:53 Last status: Done\r\n";
const SAMPLE: &str = "samples/scan-waited";

/// What is a member's bytes, deflated or not, in an archive that is made here.
type Members<'m> = &'m [(&'m str, Vec<u8>)];

#[test]
fn a_device_in_an_archive_is_the_device_in_a_folder() {
    let plain = report(&root().join(SAMPLE));
    let folder = tempfile::tempdir().expect("a folder");
    for device in ["PAR-10001", "PAR-10002"] {
        let bundle = zip_of(&root().join(SAMPLE).join(device));
        write(&folder.path().join(format!("All_Zipped_Logs_{device}_03252025.zip")), &bundle);
    }
    let bundles = report(folder.path());
    assert_same(&plain, &bundles);
    let one = tempfile::tempdir().expect("a folder");
    let all: Vec<(String, Vec<u8>)> = contents(folder.path());
    let all: Vec<(&str, Vec<u8>)> = all.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    write(&one.path().join("week.zip"), &zip(&all));
    assert_same(&plain, &report(one.path()));
    write(&one.path().join("week.zip"), &zip_of(&root().join(SAMPLE)));
    assert_same(&plain, &report(one.path()));
    // A bundle given alone names its device; a member's line can be looked up in it.
    let alone = report(&folder.path().join("All_Zipped_Logs_PAR-10001_03252025.zip"));
    assert_eq!(devices(&alone), ["PAR-10001"]);
    let line = &list(&list(&alone, "incidents")[0], "evidence")[0];
    assert_eq!(text(line, "path"), "All_Zipped_Logs_PAR-10001_03252025.zip");
    assert!(line["member"].is_string(), "{line}");
}

/// The nightly copy as a folder, and the bundle that somebody made of the same device.
#[test]
fn a_folder_and_a_bundle_of_one_device_are_one_device() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join(SAMPLE), &folder.path().join("2025-03-24"), |_, bytes| bytes);
    let bundle = zip_of(&root().join(SAMPLE).join("PAR-10001"));
    let name = "All_Zipped_Logs_par-10001_03252025.zip";
    write(&folder.path().join("2025-03-25").join(name), &bundle);
    assert_eq!(count(&report(folder.path())["coverage"], "devices"), 2);
}

#[test]
fn a_gzip_file_is_its_content() {
    let plain = report(&root().join(SAMPLE));
    let folder = tempfile::tempdir().expect("a folder");
    for file in files(&root().join(SAMPLE)) {
        let bytes = fs::read(root().join(SAMPLE).join(&file)).expect("a sample");
        let name = format!("{}.gz", file.to_string_lossy());
        write(&folder.path().join(name), &gzip(&bytes));
    }
    assert_same(&plain, &report(folder.path()));
    let cut = &gzip(LOG.repeat(3000).as_bytes())[..150];
    write(&folder.path().join("PAR-9/vulscan.log.gz"), cut);
    assert_skipped(folder.path(), "PAR-9/vulscan.log.gz!/vulscan.log", "partly read: ");
}

#[test]
fn a_bomb_is_stopped_and_said_so() {
    let folder = tempfile::tempdir().expect("a folder");
    // What a gzip file in an archive expands to is not stated, and so not in the archive's sum.
    let same = gzip(&vec![b'a'; 80 << 20]);
    let bomb = zip(&[("Log/vulscan.log.gz", same), ("Log/localsch.log", LOG.into())]);
    assert!(bomb.len() < 1 << 20);
    write(&folder.path().join("PAR-1.zip"), &bomb);
    assert_skipped(folder.path(), "PAR-1.zip!/Log/vulscan.log.gz!/vulscan.log", "zip bomb");
    // A thousand times the same bytes: what the archive says in sum is too much for its size.
    let mut many = ZipWriter::new(Cursor::new(Vec::new()));
    many.start_file("a0.log", deflated()).expect("a member");
    many.write_all(&vec![b'a'; 40 << 20]).expect("written");
    for at in 1..40 {
        many.shallow_copy_file("a0.log", &format!("a{at}.log")).expect("a copy");
    }
    let many = many.finish().expect("an archive").into_inner();
    write(&folder.path().join("PAR-1.zip"), &many);
    write(&folder.path().join("PAR-2/vulscan.log"), LOG.as_bytes());
    assert_skipped(folder.path(), "PAR-1.zip!/a39.log", "expand to more than");
}

#[test]
fn absurd_names_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = format!("{}/vulscan.log", "d".repeat(2000));
    let names =
        ["../../vulscan.log", "a/../../b.log", "/etc/b.log", "C:\\b.log", "a\u{1b}[31m.log", &long];
    let mut members: Vec<(&str, Vec<u8>)> = names.map(|name| (name, LOG.into())).to_vec();
    members.push(("Log/vulscan.log", LOG.into()));
    write(&folder.path().join("PAR-1.zip"), &zip(&members));
    let outcome = analyze(folder.path());
    let report = outcome.report();
    assert_eq!(count(&report["coverage"], "files"), 1, "{}", outcome.stderr);
    let skipped = list(&report["coverage"], "skipped");
    assert_eq!(skipped.len(), names.len(), "{skipped:?}");
    for one in skipped {
        assert!(text(one, "reason").starts_with("refused: "), "{one}");
        assert!(text(one, "path").len() < 600, "{one}");
    }
    assert!(!outcome.stderr.contains('\u{1b}'), "{}", outcome.stderr);
    let shown = run(&["analyze".as_ref(), folder.path().as_os_str()]);
    assert!(!shown.stdout.contains('\u{1b}'), "{}", shown.stdout);
}

/// Cut at many places, and with bytes turned: whatever is left, each log is read, partly read
/// or named.
#[test]
fn a_broken_archive_gives_what_it_has() {
    let whole = zip_of(&root().join(SAMPLE).join("PAR-10001"));
    let share = tempfile::tempdir().expect("a folder");
    let mut number = 0;
    let mut put = |bytes: &[u8]| {
        write(&share.path().join(format!("CUT-{number:04}.zip")), bytes);
        number += 1;
    };
    for cut in (0..whole.len()).step_by(37) {
        put(&whole[..cut]);
        let mut turned = whole.clone();
        turned[cut] ^= 0x55;
        put(&turned);
        put(&whole[cut..]);
    }
    let outcome = analyze(share.path());
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let coverage = &outcome.report()["coverage"];
    let parts = ["lines_understood", "lines_continued", "lines_unknown"];
    assert_eq!(
        parts.map(|part| count(coverage, part)).iter().sum::<u64>(),
        count(coverage, "lines")
    );
    // Without its last byte an archive has no directory, and all of its members.
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-10001.zip"), &whole[..whole.len() - 1]);
    assert_skipped(folder.path(), "PAR-10001.zip", "members found by their own headers: 10");
    assert_eq!(list(&report(folder.path()), "incidents").len(), 1);
    write(&folder.path().join("PAR-10002.zip"), b"no archive");
    assert_skipped(folder.path(), "PAR-10002.zip", "no zip archive");
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-2/vulscan.log"), LOG.as_bytes());
    let mut archive = zip(&[("Log/vulscan.log", LOG.into())]);
    let original = archive.clone();
    // The flag of encryption, in the member's own header and in the directory.
    let directory = archive.windows(4).position(|four| four == b"PK\x01\x02").expect("one");
    for at in [6, directory + 8] {
        archive[at] |= 1;
    }
    write(&folder.path().join("PAR-1.zip"), &archive);
    assert_skipped(folder.path(), "PAR-1.zip!/Log/vulscan.log", "encrypted");
    let mut archive = original;
    for at in [8, directory + 10] {
        archive[at] = 14;
    }
    write(&folder.path().join("PAR-1.zip"), &archive);
    assert_skipped(folder.path(), "PAR-1.zip!/Log/vulscan.log", "method that is not supported");
    let third = zip(&[("c.zip", zip(&[("vulscan.log", LOG.into())]))]);
    write(&folder.path().join("PAR-1.zip"), &zip(&[("b.zip", third)]));
    assert_skipped(folder.path(), "PAR-1.zip!/b.zip!/c.zip", "not opened");
}

#[test]
fn a_list_of_paths_comes_from_standard_input() {
    let paths = files(&root().join(SAMPLE));
    let paths = paths
        .iter()
        .map(|path| format!("{SAMPLE}/{}\r\n", path.to_string_lossy().replace('\\', "/")));
    let mut paths: String = paths.collect();
    let plain = report(&root().join(SAMPLE));
    assert_same(&plain, &listed(&paths, &[]).report());
    let layout = ["--layout", "samples/*/{device}/**"];
    assert_same(&plain, &listed(&paths, &layout).report());
    paths.push_str("samples/gone.log\n");
    let outcome = listed(&paths, &[]);
    let report = outcome.report();
    assert_eq!(text(&list(&report["coverage"], "skipped")[0], "path"), "samples/gone.log");
    for (input, word) in [("\n\n", "no path"), ("a\0b\n", "standard input:1")] {
        let outcome = listed(input, &[]);
        assert_eq!(outcome.status, 2);
        assert!(outcome.stderr.contains(word), "{}", outcome.stderr);
    }
}

#[test]
fn a_layout_says_where_the_device_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&root().join(SAMPLE), &folder.path().join("night one/of/sets"), |_, bytes| bytes);
    write(&folder.path().join("stray.log"), LOG.as_bytes());
    let args = ["--layout", "{night}/*/*/{device}/**"];
    let report = analyze_with(folder.path(), &args).report();
    assert_eq!(devices(&report), ["PAR-10001", "PAR-10002"]);
    let skipped = &list(&report["coverage"], "skipped")[0];
    assert_eq!(text(skipped, "reason"), "its path does not fit --layout");
    let wrong = analyze_with(folder.path(), &["--layout", "{night}/**"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.stderr.contains("{device}"), "{}", wrong.stderr);
}

/// A device's own folder, given under another name.
#[test]
fn the_host_name_names_a_device_without_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let given = folder.path().join("from the USB stick");
    copy(&root().join(SAMPLE).join("PAR-10001"), &given, |_, bytes| bytes);
    assert_eq!(devices(&report(&given)), ["PAR-10001"]);
}

#[test]
fn long_paths_and_any_script_are_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = ["Протоколы", "日誌", "سجل", "journaux d'été"].map(|name| name.repeat(6)).join("/");
    let deep = format!("{deep}/{}/설치-기기", "x".repeat(200));
    assert!(deep.chars().count() > 300);
    copy(&root().join(SAMPLE).join("PAR-10001"), &folder.path().join(&deep), |_, bytes| bytes);
    let report = report(folder.path());
    let path = text(&list(&list(&report, "incidents")[0], "evidence")[0], "path").to_owned();
    assert!(path.starts_with(&deep), "{path}");
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_loop_of_links_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-1/vulscan.log"), LOG.as_bytes());
    let pipe = folder.path().join("PAR-1/localsch.log");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    std::os::unix::fs::symlink(folder.path(), folder.path().join("PAR-1/loop")).expect("a link");
    assert_skipped(folder.path(), "PAR-1/localsch.log", "not opened");
    assert_skipped(folder.path(), "PAR-1/loop", "symbolic link");
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
}

fn zip(members: Members<'_>) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, deflated()).expect("a member");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("an archive").into_inner()
}

fn zip_of(folder: &Path) -> Vec<u8> {
    let all = contents(folder);
    let all: Vec<(&str, Vec<u8>)> = all.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    zip(&all)
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |path| fs::read(folder.join(path)).expect("readable");
    let named = |path: &Path| path.to_string_lossy().replace('\\', "/");
    files(folder).iter().map(|path| (named(path), read(path))).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("packed")
}

fn analyze(path: &Path) -> Outcome {
    analyze_with(path, &[])
}

fn analyze_with(path: &Path, more: &[&str]) -> Outcome {
    let mut args = vec!["analyze".as_ref(), path.as_os_str(), "--format".as_ref(), "json".as_ref()];
    args.extend(more.iter().map(std::ffi::OsStr::new));
    run(&args)
}

fn report(path: &Path) -> Value {
    let outcome = analyze(path);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.report()
}

/// Runs the program with a list of paths on its standard input.
fn listed(paths: &str, more: &[&str]) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_provtrace"))
        .args(["analyze", "-", "--format", "json"])
        .args(more)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(paths.as_bytes()).expect("written");
    drop(input);
    let output = child.wait_with_output().expect("the program ends");
    Outcome {
        status: output.status.code().expect("a status"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn devices(report: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        list(report, "incidents").iter().map(|one| text(one, "device")).collect();
    names.dedup();
    names
}

/// The same findings, wherever the lines lie.
fn assert_same(one: &Value, other: &Value) {
    let essence = |report: &Value| -> Vec<String> {
        let incidents = list(report, "incidents").iter();
        let said = |incident: &Value| {
            let lines = list(incident, "evidence").iter();
            lines
                .map(|line| format!("{} {}", line["offset"], text(line, "text")))
                .collect::<String>()
        };
        incidents.map(|one| format!("{} {} {}", one["device"], one["id"], said(one))).collect()
    };
    assert_eq!(essence(one), essence(other));
    for field in ["devices", "runs", "files", "bytes", "lines", "skipped"] {
        assert_eq!(one["coverage"][field], other["coverage"][field], "{field}");
    }
}

/// A report is made, this path is listed with this reason, and `--strict` minds.
fn assert_skipped(folder: &Path, path: &str, reason: &str) {
    let outcome = analyze(folder);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let report = outcome.report();
    let skipped = list(&report["coverage"], "skipped");
    let told = |one: &Value| text(one, "path") == path && text(one, "reason").contains(reason);
    assert!(skipped.iter().any(told), "{path}: {reason}: {skipped:?}");
    assert_eq!(analyze_with(folder, &["--strict"]).status, 2);
}
