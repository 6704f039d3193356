//! `explain`, `blame`, `timeline` and the first screen of one device: what they refuse, and
//! that nothing in a log makes them misbehave.

mod program;

use std::collections::BTreeSet;

use program::{Case, cases, copy, count, list, root, run, run_with, text};
use serde_json::Value;

const SHARE: &str = "samples/scan-waited";

fn explained(args: &[&str]) -> Vec<Value> {
    let outcome = run(&[&["explain", "--format", "json"], args].concat());
    assert_eq!(outcome.status, 0, "{args:?}: {}", outcome.stderr);
    list(&outcome.report(), "explanations").to_vec()
}

/// Every incident of every sample has a story: its facts are the report's, its citations are
/// lines that the report or the logs have, and one hypothesis at most is the cause.
#[test]
fn every_incident_can_be_explained() {
    let mut told = 0;
    for case in cases() {
        let report = case.report();
        let incidents = list(&report, "incidents");
        if incidents.is_empty() {
            continue;
        }
        let outcome = run(&case.args(&["explain", "--format", "json", "--device", "*"]));
        assert_eq!(outcome.status, 0, "{}: {}", case.name, outcome.stderr);
        let stories = outcome.report();
        let stories = list(&stories, "explanations");
        assert_eq!(stories.len(), incidents.len(), "{}: one story an incident", case.name);
        for (incident, story) in incidents.iter().zip(stories) {
            check_story(&case, incident, story);
            told += 1;
        }
    }
    assert!(told >= 60, "only {told} incidents were told");
}

fn check_story(case: &Case, incident: &Value, story: &Value) {
    let id = text(incident, "id");
    assert_eq!(text(story, "incident"), id);
    assert_eq!(story["mechanism"], incident["mechanism"], "{id}");
    let sentences = list(story, "story");
    assert!(sentences.len() >= 5, "{}: {id}: only {} sentences", case.name, sentences.len());
    let step = format!("step {} \"{}\"", incident["step_ordinal"], text(incident, "step"));
    let says = |what: &str| sentences.iter().any(|own| text(own, "text").contains(what));
    assert!(says(&format!("{step} started")), "{id}: {sentences:?}");
    for sentence in sentences {
        let text = text(sentence, "text");
        assert!(text.ends_with('.'), "{id}: {text}");
        for line in list(sentence, "evidence") {
            assert!(count(line, "line") > 0, "{id}: {line}");
        }
    }
    let stand =
        |word: &str| list(story, "hypotheses").iter().filter(|own| own["standing"] == word).count();
    assert_eq!(stand("cause") + stand("possible") + stand("ruled_out"), 8, "{id}");
    let launched = incident["blocker"]["launched_by"].as_str().unwrap_or("unknown");
    if launched == "unknown" && incident["mechanism"] != "sdclient_running" {
        assert_eq!(stand("cause"), 0, "{id}: no cause is named that the logs don't show");
        assert!(stand("possible") > 0, "{id}: something must have been it");
    } else {
        assert!(stand("cause") <= 1, "{id}");
    }
    assert!(!list(story, "remedy").is_empty(), "{id}");
    if incident["mechanism"] == "unattributed" {
        assert!(!list(story, "missing").is_empty(), "{id}: something is missing");
    }
}

#[test]
fn an_incident_is_named_by_the_beginning_of_its_id() {
    let all = explained(&["--device", "PAR-*", SHARE]);
    let ids: BTreeSet<&str> = all.iter().map(|own| text(own, "incident")).collect();
    assert_eq!(ids.len(), 3);
    let one = explained(&["CE3C", SHARE]);
    assert_eq!(one.len(), 1, "upper case or lower case");
    assert_eq!(text(&one[0], "incident"), "ce3cbb9f4292cbec");
    let of_device = explained(&["--device", "PAR-10002", SHARE]);
    assert_eq!(of_device.len(), 2);
}

#[test]
fn what_cannot_be_explained_is_said() {
    let said = |args: &[&str]| {
        let outcome = run(&[&["explain"], args].concat());
        assert_eq!(outcome.status, 2, "{args:?}");
        assert_eq!(outcome.stdout, "", "{args:?}");
        outcome.stderr
    };
    let unknown = said(&["beef", SHARE]);
    assert!(unknown.contains("no incident's id begins with beef"), "{unknown}");
    assert!(unknown.contains("ce3cbb9f4292cbec PAR-10001 Install Chrome"), "{unknown}");
    assert!(said(&["ce3c"]).contains("PATH"));
    let which = said(&[SHARE]);
    assert!(which.contains("--device NAME") && which.contains("f0204eed871b84a4"), "{which}");
    assert!(said(&["samples/healthy", "--device", "PAR-17001"]).contains("no incident"));
    assert!(said(&["abc", "samples/nothing-here"]).contains("samples/nothing-here"));
    assert!(said(&["--device", "NOBODY", SHARE]).contains("no device is named NOBODY"));
    let many = run(&["explain", "", SHARE]);
    assert_eq!(many.status, 2, "an empty id is none");
    let blame = run(&["blame", "samples/nothing-here"]);
    assert_eq!((blame.status, blame.stdout.as_str()), (2, ""));
}

/// A log line may hold anything: names are shown, never obeyed.
#[test]
fn hostile_names_are_shown_not_obeyed() {
    let folder = tempfile::tempdir().expect("a folder");
    let share = folder.path().join("share");
    copy(&root().join(SHARE), &share, |_, bytes| {
        let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
        let hostile = "<script>\u{1b}]0;owned\u{7}\u{202e}\u{9b}31m";
        text.replace("Install Chrome", hostile).replace("Install Teams", "\u{1b}[2J").into_bytes()
    });
    let share = share.to_str().expect("a path of letters");
    let stages: [&[&str]; 5] = [
        &["explain", "--device", "PAR-10001"],
        &["explain", "--device", "PAR-10001", "--format", "json"],
        &["blame"],
        &["timeline"],
        &["analyze", "--device", "PAR-10001"],
    ];
    for stage in stages {
        let outcome = run(&[stage, &[share]].concat());
        assert_eq!(outcome.status, 0, "{stage:?}: {}", outcome.stderr);
        let bad = |letter: char| {
            (letter.is_control() && letter != '\n')
                || (letter == '\u{202e}' && !stage.contains(&"json"))
        };
        assert!(!outcome.stdout.contains(bad), "{stage:?}: {}", outcome.stdout.escape_debug());
        assert!(outcome.stdout.contains("<script>"), "{stage:?}: the name is shown");
    }
}

/// Pictures have no colour where nobody sees it, and fit the width.
#[test]
fn pictures_are_plain_in_a_pipe_and_fit() {
    for width in ["40", "60", "200"] {
        let outcome = run_with(&["timeline", SHARE, "--width", width], &[("CLICOLOR_FORCE", "1")]);
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        assert!(!outcome.stdout.contains('\u{1b}'));
        let columns: usize = width.parse().expect("a number");
        let pictures = outcome
            .stdout
            .lines()
            .filter(|line| !line.starts_with("  ") && !line.contains(", run "));
        for line in pictures {
            assert!(line.chars().count() <= columns.max(41), "{width}: {line}");
        }
    }
}

/// Every piece of a run's time is counted once.
#[test]
fn the_shares_of_blame_add_up() {
    for case in cases() {
        let outcome = run(&case.args(&["blame"]));
        assert_eq!(outcome.status, 0, "{}: {}", case.name, outcome.stderr);
        for run in outcome.stdout.split("\n\n").filter(|part| part.contains(" %  ")) {
            let shares = run.lines().filter_map(|line| {
                let (before, _) = line.split_once(" %  ")?;
                before.split_whitespace().last()?.parse::<i64>().ok()
            });
            let (lines, sum) = shares.fold((0, 0), |(lines, sum), share| (lines + 1, sum + share));
            assert!((sum - 100).abs() <= lines, "{}: {sum} % in\n{run}", case.name);
        }
    }
}
