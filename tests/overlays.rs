//! Overlays: each mistake gives one clear error with file, line and what to do; a right one makes a
//! foreign log understood; and what the user expects is left out, and counted.

mod program;
mod simulation;

use std::fs;

use program::{count, list, names, root, run, text, write};
use serde_json::Value;
use simulation::Fleet;

/// `tests/mistakes`: the first line of each overlay says which line is to be named, and what to do.
#[test]
fn each_mistake_is_told_once_with_line_and_remedy() {
    let folder = root().join("tests/mistakes");
    let mut wrong = Vec::new();
    let all = names(&folder, |_| true);
    assert!(all.len() >= 40, "{} mistakes", all.len());
    for name in all {
        let path = format!("tests/mistakes/{name}");
        let bytes = fs::read(folder.join(&name)).expect("a readable overlay");
        let first = String::from_utf8_lossy(&bytes).lines().next().map(str::to_owned);
        let first = first.unwrap_or_default();
        let expected = first.strip_prefix("# expected ").expect("a first line that says it");
        let (line, remedy) = expected.split_once(": ").expect("a line and a remedy");
        for args in [
            vec!["formats", "validate", path.as_str()],
            vec!["analyze", "samples/healthy", "--formats", path.as_str()],
        ] {
            let outcome = run(&args);
            let said = if args[0] == "formats" { &outcome.stdout } else { &outcome.stderr };
            let said = said.trim_start_matches("provtrace: ");
            let right = outcome.status == 2
                && said.starts_with(&format!("{path}:{line}: "))
                && said.contains(remedy)
                && said.trim_end().lines().count() == 1;
            if !right {
                wrong.push(format!(
                    "{name}: wanted {line}: …{remedy}…, got {}: {said}",
                    outcome.status
                ));
            }
            if args[0] == "analyze" && !outcome.stdout.is_empty() {
                wrong.push(format!("{name}: something was read before"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_are_right() {
    let outcome = run(&[
        "formats",
        "validate",
        "samples/french-agent.overlay.toml",
        "samples/german-agent.overlay.toml",
    ]);
    assert_eq!(outcome.status, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.lines().count() >= 2, "{}", outcome.stdout);
}

/// A German scan's log, with a stamp that has the time in front.
const FOREIGN: &str = "12.07.53 Uhr am 24.03.25 > Aufruf: vulscan.exe /scan=0\r\n\
     12.07.53 Uhr am 24.03.26 > Aufruf: vulscan.exe /scan=0\r\n\
     12.09.44 Uhr am 24.03.26 > Die Überprüfung beginnt\r\n\
     12.15.02 Uhr am 24.03.26 > Beendet, Ergebnis 435\r\n";

const OVERLAY: &str = r#"
schema = 1

[[stamp]]
name = "german"
layout = "{hour}.{minute}.{second} Uhr am {day}.{month}.{year} > "
specimen = "12.07.53 Uhr am 24.03.25 > Aufruf"
reads = "2025-03-24T12:07:53"
mark = "seen"

[[format]]
name = "vulscan"
stamps = ["german"]

[[format.message]]
name = "start in German"
means = "run_starts"
pattern = '^Aufruf: (?<arguments>.*)'
specimen = "Aufruf: vulscan.exe /scan=0"
mark = "seen"

[[format.message]]
name = "begins in German"
means = "scan_starts"
pattern = 'Überprüfung beginnt'
specimen = "Die Überprüfung beginnt"
mark = "seen"

[[format.message]]
name = "end in German"
means = "run_ends"
pattern = '^Beendet, Ergebnis (?<code_decimal>-?\d+)'
specimen = "Beendet, Ergebnis 435"
mark = "seen"
"#;

#[test]
fn a_foreign_log_is_understood_with_its_overlay() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("share/BER-1/vulscan.log"), FOREIGN.as_bytes());
    write(&folder.path().join("overlays/german.toml"), OVERLAY.as_bytes());
    let share = folder.path().join("share").display().to_string();
    let overlays = folder.path().join("overlays").display().to_string();
    let without = run(&["events", &share]);
    assert_eq!(without.stdout.lines().count(), 0, "{}", without.stdout);
    let with = run(&["events", &share, "--formats", &overlays]);
    let lines: Vec<&str> = with.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}{}", with.stdout, with.stderr);
    // The same time a year later: a date behind the time is read for every line.
    assert!(lines[0].contains("2025-03-24 12:07:53"), "{}", lines[0]);
    assert!(lines[1].contains("2026-03-24 12:07:53"), "{}", lines[1]);
    assert!(lines[2].contains("scan_starts") && lines[3].contains("run_ends"), "{lines:?}");
    let report = run(&["analyze", &share, "--formats", &overlays, "--format", "json"]).report();
    assert_eq!(list(&report["coverage"], "overlays").len(), 1);
}

#[test]
fn a_rule_of_the_same_name_replaces_a_built_in_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let overlay = folder.path().join("own.toml");
    let own = "schema = 1\n[[format]]\nname = \"vulscan\"\n[[format.message]]\nname = \"start\"\n\
               means = \"run_starts\"\npattern = '^Fresh start'\nspecimen = \"Fresh start\"\nmark = \"seen\"\n";
    write(&overlay, own.as_bytes());
    let overlay = overlay.display().to_string();
    let shown = run(&["formats", "show", "vulscan", "--formats", &overlay]).stdout;
    assert!(shown.contains("'^Fresh start'") && !shown.contains("Command line"), "{shown}");
    let listed = run(&["formats", "list", "--formats", &overlay]).stdout;
    assert!(listed.contains("1 from overlays"), "{listed}");
}

#[test]
fn expected_failures_are_left_out_and_counted() {
    let analyze = |more: &[&str]| -> Value {
        let args = [&["analyze", "samples/scan-running", "--format", "json"], more].concat();
        run(&args).report()
    };
    let all = analyze(&[]);
    let found = list(&all, "incidents").len() as u64;
    assert_eq!(found, 2);
    for more in [["--ignore-step", "install acrobat*"], ["--ignore-code", "-1917517412"]] {
        let less = analyze(&more);
        assert_eq!(list(&less, "incidents").len(), 0, "{more:?}");
        assert_eq!(count(&less["coverage"]["ignored"], "incidents"), found, "{more:?}");
        let affected = list(&less, "templates").iter().map(|row| count(row, "affected_runs"));
        assert_eq!(affected.sum::<u64>(), 0, "{more:?}");
    }
    let status = |more: &[&str]| {
        run(&[&["analyze", "samples/scan-running", "--fail-on", "any"], more].concat()).status
    };
    assert_eq!((status(&[]), status(&["--ignore-code", "0x8DB5019C"])), (1, 0));
    let told = run(&["analyze", "samples/scan-running", "--ignore-code", "412"]).stdout;
    assert!(told.contains("Left out, as you expect them: 2 incidents"), "{told}");
    // An answer that is only left out must not read as an all-clear.
    assert!(told.starts_with("Nothing is left of 2 refused steps in "), "{told}");
    let other = analyze(&["--ignore-step", "Install Chrome"]);
    assert_eq!(list(&other, "incidents").len() as u64, found);
    assert_eq!(text(&other, "schema"), "provtrace.report.v1");
    let warned = list(&other, "warnings").iter().filter_map(Value::as_str);
    assert!({ warned }.any(|text| text.starts_with("no failure fits --ignore-step")));
}

/// The report's list shows the low word first, so that must be what a person can give back.
#[test]
fn a_failure_is_ignored_by_the_number_that_the_report_shows() {
    let analyze = |more: &[&str]| -> Value {
        let args = [&["analyze", "samples/lookalike-1618-1603", "--format", "json"], more].concat();
        run(&args).report()
    };
    for failure in list(&analyze(&[]), "other_failures") {
        let code = count(failure, "code").to_string();
        let ignored = analyze(&["--ignore-code", &code]);
        let left = list(&ignored, "other_failures").iter().map(|row| count(row, "code"));
        assert!(!{ left }.any(|left| left.to_string() == code), "{code} is still listed");
    }
}

/// Known words behind a stamp that was learned: the times, and so the proof, rest on a guess.
#[test]
fn the_mark_of_a_stamp_and_of_a_code_travels() {
    let folder = tempfile::tempdir().expect("a folder");
    program::copy(
        &root().join("samples/scan-running"),
        &folder.path().join("share"),
        |_, bytes| {
            let Ok(log) = String::from_utf8(bytes.clone()) else { return bytes };
            let stamp = regex::Regex::new(r"(?m)^\w{3}, (\d+) (\w{3}) (\d{4}) ([\d:]{8}) ");
            let stamp = stamp.expect("a pattern");
            stamp.replace_all(&log, "$4 ~ $1/$2/$3 ~ ").into_owned().into_bytes()
        },
    );
    let share = folder.path().join("share").display().to_string();
    let overlay = |mark: &str| {
        let stamps = "vulscan sdclient localsch"
            .split(' ')
            .map(|format| format!("[[format]]\nname = \"{format}\"\nstamps = [\"odd\"]\n"));
        let text = format!(
            "schema = 1\n[[stamp]]\nname = \"odd\"\nlayout = \"{{time}} ~ {{day}}/{{month}}/{{year}} ~ \"\n\
             specimen = \"12:20:19 ~ 24/3/2025 ~ x\"\nreads = \"2025-03-24T12:20:19\"\nmark = \"{mark}\"\n\
             [[code]]\nvalue = \"0x8DB5019C\"\nlow_word = true\nclass = \"already_running\"\n\
             meaning = \"busy\"\nmark = \"{mark}\"\n{}",
            stamps.collect::<String>()
        );
        let path = folder.path().join(format!("{mark}.toml"));
        write(&path, text.as_bytes());
        let path = path.display().to_string();
        run(&["analyze", &share, "--formats", &path, "--format", "json"]).report()
    };
    for mark in ["seen", "learned"] {
        let report = overlay(mark);
        let incidents = list(&report, "incidents");
        assert_eq!(incidents.len(), 2, "{mark}");
        for incident in incidents {
            assert_eq!(text(&incident["refused"]["exit_code"], "mark"), mark);
            let lines = list(incident, "evidence").iter();
            let scans = lines.filter(|line| text(line, "path").ends_with("vulscan.log"));
            let marks: Vec<&str> = scans.filter_map(|line| line["mark"].as_str()).collect();
            assert!(!marks.is_empty(), "{incident}");
            assert_eq!(marks.iter().all(|own| *own == "learned"), mark == "learned", "{marks:?}");
            assert_eq!(incident["learned_wording"], mark == "learned");
        }
    }
}

/// What the user expects needs no warning that it behaves like a refusal.
#[test]
fn an_expected_code_is_no_suspect() {
    let fleet = Fleet::with("bare", 60, 67, &["--refusal-code", "8E5D0291"]);
    let warned = |more: &[&str]| {
        let share = fleet.share().display().to_string();
        let outcome = run(&[&["analyze", share.as_str(), "--format", "json"], more].concat());
        let report = outcome.report();
        let warnings = list(&report, "warnings").iter().filter_map(Value::as_str);
        warnings.filter(|warning| warning.contains("0x8E5D0291")).count()
    };
    assert_eq!((warned(&[]), warned(&["--ignore-code", "0x8E5D0291"])), (1, 0));
}

#[test]
fn what_an_overlay_holds_cannot_speak_to_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.toml");
    write(&path, b"schema = 1\n\"a\\u001b[31m\" = 1\n");
    let outcome = run(&["analyze", "samples/healthy", "--formats", &path.display().to_string()]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("u{1b}") && !outcome.stderr.contains('\u{1b}'), "{outcome:?}");
}

/// What `formats show` prints can be kept, changed and given back.
#[test]
fn what_is_shown_is_an_overlay() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = |name: &str| {
        let outcome = run(&["formats", "show", name]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        outcome.stdout
    };
    let listed = run(&["formats", "list"]).stdout;
    let formats: Vec<&str> = listed
        .lines()
        .filter(|line| !line.contains(':'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(formats.len(), 10, "{listed}");
    for name in formats.into_iter().chain(["codes", "stamps", "actions", "ignore"]) {
        let (own, new) = (folder.path().join("own.toml"), folder.path().join("new.toml"));
        let text = shown(name);
        write(&own, text.as_bytes());
        // Under names of its own, where such a format can be made.
        let renamed = text.replacen(&format!("name = '{name}'"), "name = 'of my own'", 1);
        let is_text = !text.contains("can only add names");
        write(&new, if is_text { renamed } else { text }.as_bytes());
        for path in [own, new] {
            let path = path.display().to_string();
            let outcome = run(&["formats", "validate", &path]);
            assert_eq!(outcome.status, 0, "{name}: {}", outcome.stdout);
            let again = run(&["formats", "show", name, "--formats", &path]);
            assert_eq!(again.status, 0, "{name}: {}", again.stderr);
        }
    }
    let provisioning = shown("provisioning");
    assert!(provisioning.contains("\nunless = "), "{provisioning}");
    assert!(!provisioning.contains("\\s+exit"), "a pattern is as it was written: {provisioning}");
    assert!(shown("codes").contains("value = \"0x8DB5019C\"\nlow_word = true\n"));
    assert!(shown("stamps").contains("layout = '{weekday}, {day} {month} {year} {time} '"));
    assert!(shown("actions").contains("specimens = ["));
    let wrong = run(&["formats", "show", "nothing"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.stderr.contains("vulscan, codes, stamps, actions, ignore"), "{}", wrong.stderr);
}

/// A folder is right if it is right in force: one file may use what another one declares.
#[test]
fn overlays_are_validated_as_they_are_in_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let (head, tail) = OVERLAY.split_at(OVERLAY.find("[[format]]").expect("a format"));
    // What uses the stamp comes first by name.
    write(&place("b.toml"), head.as_bytes());
    write(&place("a.toml"), format!("schema = 1\n{tail}").as_bytes());
    let all = folder.path().display().to_string();
    let validated = || run(&["formats", "validate", &all]);
    let outcome = validated();
    assert_eq!(outcome.status, 0, "{}", outcome.stdout);
    assert_eq!(outcome.stdout.matches(": right\n").count(), 2, "{}", outcome.stdout);
    write(&place("c.toml"), b"schema = 1\n[[code]]\nvalue = \"x\"\nclass = \"failure\"\nmeaning = \"\"\nmark = \"seen\"\n");
    let outcome = validated();
    assert_eq!(outcome.status, 2);
    assert!(outcome.stdout.contains("c.toml:3: "), "{}", outcome.stdout);
    assert_eq!(outcome.stdout.matches(": right\n").count(), 2, "{}", outcome.stdout);
    // Once in a folder and once by itself is once.
    std::fs::remove_file(place("c.toml")).expect("removed");
    let own = place("a.toml").display().to_string();
    let outcome = run(&["analyze", "samples/healthy", "--formats", &all, "--formats", &own]);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(outcome.stdout.matches("a.toml").count(), 1, "{}", outcome.stdout);
}
