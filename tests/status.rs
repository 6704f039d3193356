//! What a user or a script is told: exit status, messages, and the switches that choose.

mod program;

use std::fs;
use std::path::Path;

use program::{Outcome, cases, count, list, root, run, run_with, text, write};
use serde_json::Value;

const LOG: &str = "Mon, 24 Mar 2025 12:07:53 Last status: Done\r\n";
const WAITED: &str = "samples/scan-waited";

#[test]
fn an_empty_folder_is_no_report() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_no_report(&analyze(folder.path(), &[]), &["no log", "sdclient"]);
}

#[test]
fn a_missing_path_is_named() {
    let outcome = run(&["analyze", WAITED, "samples/no-such-folder"]);
    assert_no_report(&outcome, &["samples/no-such-folder", "no such file or folder"]);
}

#[test]
fn a_folder_without_a_known_log_is_no_report() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-1/setup.log"), b"hello\r\nworld\r\n");
    write(&folder.path().join("PAR-1/notes.txt"), b"12:00 vulscan.exe\r\nwas slow\r\ntoday\r\n");
    assert_no_report(&analyze(folder.path(), &[]), &["no log", "1 files are no logs"]);
    for command in ["events", "timeline"] {
        let outcome = run(&[command.as_ref(), folder.path().as_os_str()]);
        assert_no_report(&outcome, &["no log"]);
    }
}

#[test]
fn a_binary_file_is_skipped_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let binary: Vec<u8> = (0..4000_u32).map(|at| (at * 7 % 256) as u8).collect();
    write(&folder.path().join("PAR-1/Log/vulscan.log"), &binary);
    assert_no_report(&analyze(folder.path(), &[]), &["PAR-1/Log/vulscan.log", "binary"]);
    write(&folder.path().join("PAR-2/Log/vulscan.log"), LOG.as_bytes());
    assert_skipped(folder.path(), "PAR-1/Log/vulscan.log", "binary");
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_skipped_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-1/Log/vulscan.log"), LOG.as_bytes());
    let link = folder.path().join("PAR-1/Log/localsch.log");
    std::os::unix::fs::symlink("/nowhere/localsch.log", link).expect("a link");
    assert_skipped(folder.path(), "PAR-1/Log/localsch.log", "link");
}

/// Root reads what nobody may read; then there is nothing to see.
#[cfg(unix)]
#[test]
fn a_file_that_nobody_may_read_is_skipped_and_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-1/Log/vulscan.log"), LOG.as_bytes());
    let locked = folder.path().join("PAR-1/Log/localsch.log");
    write(&locked, LOG.as_bytes());
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("permissions");
    if fs::read(&locked).is_ok() {
        assert_eq!(analyze(folder.path(), &["--strict"]).status, 0, "root reads both");
    } else {
        assert_skipped(folder.path(), "PAR-1/Log/localsch.log", "permission denied");
    }
}

#[test]
fn a_folder_named_like_a_log_is_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("PAR-1/vulscan.log/vulscan.log"), LOG.as_bytes());
    let outcome = analyze(folder.path(), &["--strict", "--format", "json"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert_eq!(count(&outcome.report()["coverage"], "files"), 1);
}

#[test]
fn fail_on_any_tells_whether_there_are_incidents() {
    for (sample, status) in [(WAITED, 1), ("samples/healthy", 0), ("samples/near-miss", 0)] {
        let outcome = run(&["analyze", sample, "--fail-on", "any"]);
        assert_eq!(outcome.status, status, "{sample}: {}", outcome.stderr);
        assert!(!outcome.stdout.is_empty(), "{sample}: the report is made all the same");
        assert_eq!(run(&["analyze", sample]).status, 0, "{sample}: without the condition");
    }
}

#[test]
fn wrong_usage_is_told() {
    for (args, word) in [
        (vec!["analyze", WAITED, "--nonsense"], "--nonsense"),
        (vec!["analyze", WAITED, "--format", "yaml"], "yaml"),
        (vec!["analyze", WAITED, "--threads", "0"], "threads"),
        (vec!["analyze"], "PATH"),
        (vec!["portray", WAITED], "portray"),
        (vec!["analyze", WAITED, "--since", "yesterday"], "2025-03-24T10:00"),
        (vec!["analyze", WAITED, "--until", "24.03.2025"], "2025-03-24T10:00"),
    ] {
        assert_no_report(&run(&args), &[word]);
    }
}

#[test]
fn a_bad_mapping_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tasks.csv");
    for (content, line) in [
        ("id,name\n1,a\n", ":1: "),
        ("task_id,template\n1,a\n,b\n", ":3: "),
        ("task_id;template\r\n1;a\r\n2;\r\n", ":3: "),
        ("task_id,template\n1,a\n2,b\n1,c\n", ":4: "),
    ] {
        write(&file, content.as_bytes());
        let outcome =
            run(&["analyze".as_ref(), WAITED.as_ref(), "--tasks".as_ref(), file.as_os_str()]);
        assert_no_report(&outcome, &[&format!("tasks.csv{line}")]);
    }
    let missing = run(&["analyze", WAITED, "--tasks", "samples/none.csv"]);
    assert_no_report(&missing, &["samples/none.csv", "no such file or folder"]);
}

#[test]
fn output_goes_to_the_file_that_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    for stage in [vec!["analyze", WAITED, "--format", "json"], vec!["events", WAITED]] {
        let printed = run(&stage);
        let mut args: Vec<&std::ffi::OsStr> = stage.iter().map(std::ffi::OsStr::new).collect();
        args.extend(["-o".as_ref(), file.as_os_str()]);
        let outcome = run(&args);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (0, ""), "{}", outcome.stderr);
        let written = fs::read_to_string(&file).expect("the file is written");
        assert_eq!(written, printed.stdout, "{stage:?}");
    }
    let outcome = run(&["analyze", WAITED, "-o", "no-such-folder/report.txt"]);
    assert_no_report(&outcome, &["no-such-folder/report.txt"]);
}

/// Not a terminal: no colour, no progress bar, whatever the environment says of colour.
#[test]
fn a_pipe_gets_plain_text() {
    for command in ["analyze", "events", "timeline"] {
        let plain = run(&[command, WAITED]);
        for variables in [[("NO_COLOR", "1")], [("NO_COLOR", "")], [("TERM", "xterm-256color")]] {
            let outcome = run_with(&[command, WAITED], &variables);
            assert_eq!(outcome.stdout, plain.stdout, "{command} {variables:?}");
        }
        assert!(!plain.stdout.contains('\u{1b}'), "{command}: an escape");
        assert_eq!(plain.stderr, "", "{command}");
    }
    let analyzed = run(&["analyze", WAITED]).stdout;
    assert_eq!(run(&["analyze", WAITED, "--no-progress"]).stdout, analyzed, "no bar");
}

/// A log may hold anything; a terminal obeys some of it.
#[test]
fn escapes_in_logs_are_shown_and_not_obeyed() {
    let folder = tempfile::tempdir().expect("a folder");
    program::copy(&root().join(WAITED), folder.path(), |_, bytes| match String::from_utf8(bytes) {
        Ok(text) => text.replace("Install Chrome", "Install \u{1b}[31mChrome\u{7}").into(),
        Err(other) => other.into_bytes(),
    });
    for command in ["analyze", "events", "timeline"] {
        let outcome = run(&[command.as_ref(), folder.path().as_os_str()]);
        assert_eq!(outcome.status, 0, "{command}: {}", outcome.stderr);
        assert!(outcome.stdout.contains("[31mChrome"), "{command}: the name is shown");
        assert!(!outcome.stdout.contains(['\u{1b}', '\u{7}']), "{command}: a control character");
    }
}

#[test]
fn device_chooses_devices() {
    for (name, incidents) in
        [("PAR-10001", 1), ("par-10002", 2), ("PAR-1000*", 3), ("*2", 2), ("*", 3)]
    {
        let report = run(&["analyze", WAITED, "--format", "json", "--device", name]).report();
        assert_eq!(list(&report, "incidents").len(), incidents, "{name}");
    }
    let both = ["analyze", WAITED, "--device", "PAR-10001", "--device", "PAR-10002"];
    assert_eq!(run(&both).stdout, run(&["analyze", WAITED]).stdout);
    let outcome = run(&["timeline", WAITED, "--device", "PAR-10001"]);
    assert!(outcome.stdout.contains("PAR-10001") && !outcome.stdout.contains("PAR-10002"));
    assert_no_report(&run(&["analyze", WAITED, "--device", "PAR-9"]), &["PAR-9"]);
}

/// The refusals are at 12:09:48, 12:21:40 and 12:22:05 local time, an hour before UTC.
#[test]
fn since_and_until_choose_a_window() {
    let day: &[&str] = &["--since", "2025-03-24", "--until", "2025-03-25"];
    for (window, incidents) in [
        (day, 3),
        (&["--since", "2025-03-24T12:20"], 2),
        (&["--since", "2025-03-24T11:20:00Z"], 2),
        (&["--since", "2025-03-24T12:20:00Z"], 0),
        (&["--since", "2025-03-24T12:21:40"], 2),
        (&["--until", "2025-03-24T12:21:40"], 1),
        (&["--until", "2025-03-24T12:21:41+01:00"], 2),
        (&["--since", "2025-03-24T12:10", "--until", "2025-03-24T12:22"], 1),
        (&["--since", "2025-03-25"], 0),
    ] {
        let outcome = run(&[&["analyze", WAITED, "--format", "json"], window].concat());
        assert_eq!(outcome.status, 0, "{window:?}: {}", outcome.stderr);
        assert_eq!(list(&outcome.report(), "incidents").len(), incidents, "{window:?}");
    }
}

#[test]
fn paths_are_printed_with_slashes() {
    let mut checked = 0;
    for case in cases() {
        let report = case.report();
        let quoted = list(&report, "incidents").iter().flat_map(|one| list(one, "evidence"));
        let coverage = &report["coverage"];
        let paths = quoted.map(|line| text(line, "path"));
        let paths = paths.chain(list(coverage, "unrecognised").iter().filter_map(Value::as_str));
        for path in paths {
            checked += 1;
            assert!(path.contains('/') && !path.contains('\\'), "{}: {path}", case.name);
        }
        for line in run(&case.args(&["events"])).stdout.lines() {
            checked += 1;
            let path = line.split('\t').next().unwrap_or_default();
            assert!(path.contains('/') && !path.contains('\\'), "{}: {line}", case.name);
        }
    }
    assert!(checked > 500, "only {checked} paths");
    #[cfg(windows)]
    assert_eq!(run(&["analyze", r"samples\scan-waited"]).stdout, run(&["analyze", WAITED]).stdout);
}

/// Status 0 and a report that lists the file, a line on stderr, status 2 with `--strict`.
fn assert_skipped(folder: &Path, path: &str, reason: &str) {
    let outcome = analyze(folder, &["--format", "json"]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let report = outcome.report();
    let skipped = list(&report["coverage"], "skipped");
    let named = skipped
        .iter()
        .find(|one| text(one, "path") == path)
        .unwrap_or_else(|| panic!("{path} is not among {skipped:?}"));
    assert!(text(named, "reason").contains(reason), "{named}");
    assert!(outcome.stderr.contains(path) && outcome.stderr.contains(reason), "{}", outcome.stderr);
    assert_eq!(analyze(folder, &["--strict"]).status, 2);
}

/// Status 2, a message with these words, and nothing on stdout.
fn assert_no_report(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert_eq!(outcome.stdout, "", "a report after all");
    for word in words {
        assert!(outcome.stderr.contains(word), "`{word}` is not in: {}", outcome.stderr);
    }
}

fn analyze(folder: &Path, more: &[&str]) -> Outcome {
    let mut args = vec!["analyze".as_ref(), folder.as_os_str()];
    args.extend(more.iter().map(std::ffi::OsStr::new));
    run(&args)
}

/// What an analysis reads is never what it writes: not a log, not the mapping, not an overlay.
#[test]
fn nothing_that_is_read_is_written_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |from: &str| {
        let to = folder.path().join(Path::new(from).file_name().expect("a name"));
        fs::copy(root().join(from), &to).expect("copied");
        to.display().to_string()
    };
    let tasks = copy("samples/with-mapping.tasks.csv");
    let overlay = copy("samples/german-agent.overlay.toml");
    let before = [&tasks, &overlay].map(|file| fs::read(file).expect("there"));
    for output in [&tasks, &overlay] {
        let args = [
            "analyze",
            WAITED,
            "--format",
            "json",
            "--tasks",
            &tasks,
            "--formats",
            &overlay,
            "-o",
            output,
        ];
        assert_no_report(&run(&args), &["is one of the files that are read", output]);
    }
    assert_eq!([&tasks, &overlay].map(|file| fs::read(file).expect("there")), before);
}
