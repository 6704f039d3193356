//! `formats learn`, on simulated fleets whose every wording, stamp and code were replaced.

mod program;
mod score;
mod simulation;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use program::{list, root, run, text};
use score::{Score, score};
use serde_json::Value;
use simulation::Fleet;

/// Devices of a fleet.
const DEVICES: u64 = 200;
/// The fleets that are learned from, and those that are judged on.
const SEEDS: [u64; 2] = [61, 62];
/// The replacements: files of tests/fleet/wordings.
const WORDINGS: [&str; 5] = ["french", "german", "japanese", "polish", "terse"];
/// How far the accuracy with a learned overlay may lie under that of the known wording.
const POINTS: f64 = 0.02;

fn wording(name: &str) -> String {
    root().join(format!("tests/fleet/wordings/{name}.json")).to_string_lossy().into_owned()
}

fn analyzed(fleet: &Fleet, overlay: Option<&Path>) -> Value {
    let mut args = ["analyze", "--format", "json", "--tasks"].map(OsString::from).to_vec();
    args.extend([fleet.tasks().into(), fleet.share().into()]);
    if let Some(overlay) = overlay {
        args.extend(["--formats".into(), overlay.into()]);
    }
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    outcome.report()
}

/// Learns from a fleet; gives what was printed, and the overlay.
fn learned(fleet: &Fleet, overlay: &Path) -> (String, String) {
    let args: [OsString; 5] =
        ["formats".into(), "learn".into(), fleet.share().into(), "-o".into(), overlay.into()];
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    (outcome.stdout, fs::read_to_string(overlay).expect("the overlay"))
}

/// The values of a key in an overlay, in order.
fn values(overlay: &str, key: &str) -> Vec<String> {
    let start = format!("{key} = ");
    let lines = overlay.lines().filter_map(|line| line.strip_prefix(&start));
    lines.map(|value| value.trim_matches(['"', '\'']).to_owned()).collect()
}

fn figures(score: &Score) -> [f64; 3] {
    [score.precision(), score.recall(), score.explained()[0]]
}

#[test]
fn foreign_wordings_are_learned() {
    let known = Fleet::simulate("full", DEVICES, SEEDS[1]);
    let (known, _) = score(&known.truth, &analyzed(&known, None));
    let folder = tempfile::tempdir().expect("a folder");
    for name in WORDINGS {
        let words = wording(name);
        let fleets = SEEDS.map(|seed| Fleet::with("full", DEVICES, seed, &["--wording", &words]));
        let blind = analyzed(&fleets[1], None);
        let caution = text(&blind["coverage"], "caution");
        for format in ["provisioning", "sdclient", "vulscan", "policysync"] {
            assert!(caution.contains(&format!("{format} (no known stamp")), "{name}: {caution}");
        }
        assert!(list(&blind, "incidents").is_empty(), "{name} is no foreign wording");
        let overlay = folder.path().join(format!("{name}.toml"));
        let (shown, written) = learned(&fleets[0], &overlay);
        let json: Value =
            serde_json::from_str(&fs::read_to_string(&words).expect("the wording")).expect("JSON");
        // The code and nothing else, at the top; and why it was refused.
        let code = format!("0x{}", text(&json, "code"));
        assert_eq!(values(&written, "value"), [code.as_str()], "{name}:\n{shown}");
        let first = shown.lines().find(|line| line.starts_with("exit code"));
        assert_eq!(first, Some(format!("exit code {code}: already running").as_str()));
        refusals_are_true(name, &json, &written);
        let (found, wrong) = score(&fleets[1].truth, &analyzed(&fleets[1], Some(&overlay)));
        println!("{name}: {:?}, known {:?}", figures(&found), figures(&known));
        for (found, known) in figures(&found).into_iter().zip(figures(&known)) {
            assert!(found >= known - POINTS, "{name}: {found}, not {known}\n{wrong:#?}");
        }
    }
}

/// Each rule for a refusal is one of the wording's, and all of them are found.
fn refusals_are_true(name: &str, wording: &Value, overlay: &str) {
    const REFUSALS: [&str; 3] = [
        "Unable to start: a task is already running",
        "Found another instance of {a} is running, exiting",
        "Exiting, task already in progress ({a})",
    ];
    let texts = list(wording, "texts").iter();
    let true_ones: Vec<&str> = texts
        .filter(|pair| REFUSALS.contains(&pair[0].as_str().unwrap_or_default()))
        .filter_map(|pair| pair[1].as_str())
        .collect();
    let starts: Vec<&str> =
        true_ones.iter().map(|text| text.split("{a}").next().unwrap_or_default()).collect();
    let rules: Vec<&str> = overlay
        .split("[[format.message]]")
        .filter(|rule| rule.contains("means = \"refused\""))
        .collect();
    assert!(!rules.is_empty(), "{name}: no refusal was learned");
    for rule in rules {
        let specimen = values(rule, "specimen").join("");
        let is_true = starts.iter().zip(&true_ones).any(|(start, whole)| {
            let end = whole.rsplit("{a}").next().unwrap_or_default();
            specimen.starts_with(start) && specimen.ends_with(end)
        });
        assert!(is_true, "{name}: {specimen} is no refusal");
    }
}

#[test]
fn without_a_collision_no_code_is_proposed() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = wording("german");
    let overlay = folder.path().join("learned.toml");
    for (condition, seed) in [("full", 63), ("bare", 64), ("hostile", 65)] {
        for more in [&["--unnoticed"][..], &["--unnoticed", "--wording", &words]] {
            let fleet = Fleet::with(condition, DEVICES, seed, more);
            let (shown, written) = learned(&fleet, &overlay);
            assert_eq!(values(&written, "value"), [""; 0], "{condition} {seed} {more:?}:\n{shown}");
            assert!(!written.contains("refused"), "{condition} {seed} {more:?}:\n{shown}");
        }
    }
}

#[test]
fn what_is_known_is_not_learned_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let overlay = folder.path().join("learned.toml");
    for condition in ["full", "bare", "hostile", "workaround"] {
        let fleet = Fleet::simulate(condition, DEVICES, 66);
        let (shown, _) = learned(&fleet, &overlay);
        assert!(shown.contains("nothing is proposed"), "{condition}:\n{shown}");
    }
}

#[test]
fn an_unknown_code_is_told_by_analyze() {
    let fleet = Fleet::with("bare", DEVICES, 67, &["--refusal-code", "8E5D0291"]);
    let told = |report: &Value| {
        list(report, "warnings").iter().any(|warning| {
            warning.as_str().is_some_and(|text| {
                text.contains("0x8E5D0291") && text.contains("formats learn PATH")
            })
        })
    };
    assert!(told(&analyzed(&fleet, None)));
    let folder = tempfile::tempdir().expect("a folder");
    let overlay = folder.path().join("learned.toml");
    learned(&fleet, &overlay);
    let with = analyzed(&fleet, Some(&overlay));
    assert!(!told(&with));
    let learned = list(&with, "incidents").iter().all(|own| own["learned_wording"] == true);
    assert!(learned && !list(&with, "incidents").is_empty());
    assert_eq!(with["coverage"]["learned_wording"], list(&with, "incidents").len());
}

/// A replaced text that stands in the project would be a clue.
#[test]
fn foreign_texts_stand_nowhere_in_the_project() {
    let mut project = String::new();
    for folder in ["src", "parsers", "samples", "docs"] {
        collect(&root().join(folder), &mut project);
    }
    for name in WORDINGS {
        let words = fs::read_to_string(wording(name)).expect("the wording");
        let words: Value = serde_json::from_str(&words).expect("JSON");
        for pair in list(&words, "texts") {
            let text = pair[1].as_str().expect("a text").to_lowercase();
            let pieces = text.split(['{', '}']).map(str::trim);
            for piece in pieces.filter(|piece| piece.chars().count() >= 8) {
                assert!(!project.contains(piece), "{name}: {piece}");
            }
        }
    }
}

fn collect(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, all);
        } else if let Ok(bytes) = fs::read(&path) {
            all.push_str(&String::from_utf8_lossy(&bytes).to_lowercase());
        }
    }
}
