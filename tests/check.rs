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
    let caution = "Caution: the wording of these logs is not known, so what they say is missing here: vulscan";
    assert!(shown.replace('\n', " ").starts_with(caution), "{shown}");
    assert!(
        shown.contains("vulscan.log: 31 of 31 lines; 0 events, 0 noise, 0 continue"),
        "{shown}"
    );
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
    let looked_at = count(&survey, "lines_looked_at");
    assert!((620..820).contains(&looked_at), "500 and a sixteenth of 3,500: {looked_at}");
    let lines = count(&list(&survey, "shapes")[0], "lines");
    assert!((2_400..5_600).contains(&lines), "an estimate of all: {lines}");
    let args: [OsString; 3] = ["formats".into(), "check".into(), folder.path().into()];
    let shown = run(&args).stdout;
    assert!(shown.contains(&format!("about {lines} lines")), "{shown}");
    assert!(shown.contains(&format!("{looked_at} of 4000 lines")), "{shown}");
}

fn log_of(lines: impl Iterator<Item = String>) -> String {
    let stamped = lines.enumerate().map(|(at, line)| {
        let (hour, minute, second) = (at / 3600 % 24, at / 60 % 60, at % 60);
        format!("Mon, 24 Mar 2025 {hour:02}:{minute:02}:{second:02} {line}\n")
    });
    stamped.collect()
}

/// Lines that take turns: each n-th line would be one of a kind only.
#[test]
fn lines_that_take_turns_are_both_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log_of((0..40_000).map(|at| ["Sprocket turned", "Cog fixed"][at % 2].to_owned()));
    fs::write(folder.path().join("vulscan.log"), log).expect("written");
    let survey = checked(&[folder.path()]);
    let shapes = list(&survey, "shapes");
    assert_eq!(shapes.len(), 2);
    for shape in shapes {
        assert!((18_000..22_000).contains(&count(shape, "lines")), "{shape}");
    }
}

/// More different messages than there is room for: what is not told apart is told.
#[test]
fn what_is_in_no_shape_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let letters = |at: usize| {
        let digit = |place: u32| char::from(b'a' + (at / 20_usize.pow(place) % 20) as u8);
        (0..4).map(digit).collect::<String>()
    };
    // No words that are the same, so nothing can be joined.
    let all: Vec<usize> = (0..50_000).collect();
    for (number, lines) in all.chunks(450).enumerate() {
        let device = folder.path().join(format!("PC-{number}"));
        fs::create_dir_all(&device).expect("a folder");
        let lines = lines.iter().map(|at| format!("q{0} w{0}", letters(*at)));
        fs::write(device.join("vulscan.log"), log_of(lines)).expect("written");
    }
    let survey = checked(&[folder.path()]);
    assert_eq!(count(&survey, "lines_looked_at"), 50_000);
    let shapes: u64 = list(&survey, "shapes").iter().map(|shape| count(shape, "lines")).sum();
    let without = count(&survey, "lines_without_shape");
    assert_eq!((shapes, without), (20_000, 30_000));
    let args: [OsString; 3] = ["formats".into(), "check".into(), folder.path().into()];
    assert!(run(&args).stdout.contains("30000 lines in no shape"));
}

/// What a share of one log gets to hear: the same from every command, before all else.
fn cautions(share: &Path) -> Option<String> {
    let asked = |words: &[&str]| {
        let mut args: Vec<OsString> = words.iter().map(OsString::from).collect();
        args.push(share.into());
        args
    };
    let report = run(&asked(&["analyze", "--format", "json"])).report();
    let told = report["coverage"]["caution"].as_str().map(str::to_owned);
    assert_eq!(checked(&[share])["caution"].as_str(), told.as_deref());
    for command in [&["events"][..], &["timeline"]] {
        // Both streams into one file: what was written first stands first.
        let path = share.with_extension("out");
        let file = fs::File::create(&path).expect("a file");
        let both = file.try_clone().expect("a second handle");
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_provtrace"));
        program.args(asked(command)).stdout(file).stderr(both);
        program.env("XDG_CONFIG_HOME", share).env("APPDATA", share);
        assert!(program.status().expect("it runs").success(), "{command:?}");
        let written = fs::read_to_string(&path).expect("text");
        match &told {
            Some(told) => {
                let first = format!("provtrace: caution: {told}\n");
                assert!(written.starts_with(&first), "{command:?}: {first}{written}");
            }
            None => assert!(!written.contains("caution"), "{command:?}: {written}"),
        }
    }
    for command in [&["analyze"][..], &["formats", "check"]] {
        let shown = run(&asked(command)).stdout;
        assert_eq!(shown.starts_with("Caution: "), told.is_some(), "{command:?}: {shown}");
    }
    told
}

#[test]
fn every_command_says_the_same_of_what_is_not_understood() {
    let known = || log_of((0..200).map(|at| format!("Last status: {at}")));
    let foreign = |lines: usize| log_of((0..lines).map(|at| format!("Etwas gedreht: {at}")));
    let unstamped = |lines| "12.09 Uhr am 24.3.: etwas gedreht\n".repeat(lines);
    let cases: [(&str, &str, String, Option<&str>); 9] = [
        ("known", "vulscan.log", known(), None),
        ("nothing known", "vulscan.log", foreign(3), Some("vulscan (no known line that tells")),
        (
            "known noise of no use",
            "sdclient.log",
            log_of(["sdmcache: x".to_owned()].into_iter()),
            Some("sdclient (no known line that tells"),
        ),
        (
            "few lines known",
            "vulscan.log",
            foreign(2_900) + &known(),
            Some("vulscan (few known lines, 200 of 3100"),
        ),
        (
            "goes on in other words",
            "vulscan.log",
            known() + &foreign(150),
            Some("vulscan (logs that go on"),
        ),
        (
            "goes on in other stamps",
            "vulscan.log",
            known() + &unstamped(5_000),
            Some("vulscan (few known lines, 200 of 5150"),
        ),
        (
            "goes on in other stamps, a little",
            "vulscan.log",
            log_of(["Last status: 1".to_owned()].into_iter()) + &unstamped(40),
            Some("vulscan (logs that go on"),
        ),
        ("another name", "vulscan_trace.txt", known(), Some("1 log looks like the agent's")),
        ("no log", "notes.txt", "vulscan runs\nat night\n\nnot by day".to_owned(), None),
    ];
    for (name, file, text, wanted) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let share = folder.path().join("share");
        fs::create_dir_all(share.join("PC-1")).expect("a folder");
        fs::write(share.join("PC-1").join(file), text).expect("written");
        // So that there is a device, whatever becomes of the file.
        fs::write(share.join("PC-1/SystemInfo.log"), "Host Name: PC-1\r\n").expect("written");
        let told = cautions(&share);
        let right = match (&told, wanted) {
            (Some(told), Some(wanted)) => told.contains(wanted),
            (told, wanted) => told.is_none() && wanted.is_none(),
        };
        assert!(right, "{name}: wanted {wanted:?}, got {told:?}");
    }
}

#[test]
fn known_wording_gets_no_caution() {
    for case in cases() {
        let args = case.args(&["events"]).split_off(1);
        let check = ["formats", "check", "--format", "json"].map(str::to_owned);
        let outcome = run(&[&check[..], &args].concat());
        assert_eq!(outcome.report()["caution"], Value::Null, "{}", case.name);
        assert_eq!(case.report()["coverage"]["caution"], Value::Null, "{}", case.name);
    }
}

/// A log under a name that nobody looks at is listed, also in an archive's folder.
#[test]
fn a_log_of_another_name_is_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = folder.path().join("PC-1");
    fs::create_dir_all(&device).expect("a folder");
    let known = log_of((0..20).map(|at| format!("Last status: {at}")));
    for name in ["vulscan.log", "old.txt", "vulscan.log.1", "x.bin"] {
        fs::write(device.join(name), &known).expect("written");
    }
    let survey = checked(&[folder.path()]);
    let like = list(&survey, "like_agents").iter().filter_map(Value::as_str);
    let like: Vec<&str> = like.filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(like, ["old.txt", "vulscan.log.1"]);
    assert_eq!(count(&survey, "files"), 1);
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
