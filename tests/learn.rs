//! `formats learn`, on simulated fleets whose every wording, stamp and code were replaced.

mod program;
mod score;
mod simulation;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use program::{list, root, run, text};
use score::{Score, score};
use serde_json::Value;
use simulation::Fleet;

/// Devices of a fleet.
const DEVICES: u64 = 200;
/// Devices of fleets that are learned from only to see that nothing is proposed.
const FEWER: u64 = 120;
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
    let english = Fleet::simulate("full", DEVICES, SEEDS[1]);
    let (known, _) = score(&english.truth, &analyzed(&english, None));
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = Vec::new();
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
        all.push((name, code, overlay, fleets));
    }
    // All learned overlays do no harm to each other, nor to known wording.
    let mut args = vec![OsString::from("analyze"), english.share().into(), "--format".into()];
    args.push("json".into());
    args.extend(["--tasks".into(), english.tasks().into()]);
    args.extend(all.iter().flat_map(|(_, _, overlay, _)| ["--formats".into(), overlay.into()]));
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let (found, wrong) = score(&english.truth, &outcome.report());
    assert_eq!(figures(&found), figures(&known), "{wrong:#?}");
    mixed_fleets_are_learned(&english, &all, &figures(&known));
}

/// A share of known wording and of two others, a third each; of some sites, so that no more devices are
/// there than are learned from.
fn mixed_fleets_are_learned(
    english: &Fleet,
    all: &[(&str, String, PathBuf, [Fleet; 2])],
    known: &[f64; 3],
) {
    let folder = tempfile::tempdir().expect("a folder");
    let overlay = folder.path().join("mixed.toml");
    let mixed = ["german", "french"];
    let own = all.iter().filter(|(name, ..)| mixed.contains(name)).collect::<Vec<_>>();
    let mut args: Vec<OsString> = vec!["formats".into(), "learn".into(), english.share().into()];
    args.extend(own.iter().map(|(_, _, _, fleets)| fleets[0].share().into()));
    args.extend(["--device", "B*", "--device", "M*", "--device", "S*", "-o"].map(OsString::from));
    args.push(overlay.clone().into());
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let written = fs::read_to_string(&overlay).expect("the overlay");
    let mut codes = values(&written, "value");
    codes.sort();
    let mut wanted: Vec<String> = own.iter().map(|(_, code, ..)| code.clone()).collect();
    wanted.sort();
    assert_eq!(codes, wanted, "{}", outcome.stdout);
    for (name, _, _, fleets) in own {
        let (found, wrong) = score(&fleets[1].truth, &analyzed(&fleets[1], Some(&overlay)));
        println!("{name}, mixed: {:?}", figures(&found));
        for (found, known) in figures(&found).into_iter().zip(known) {
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
    let specimens: Vec<String> =
        rules.into_iter().map(|rule| values(rule, "specimen").join("")).collect();
    let fits = |specimen: &str, start: &str, whole: &str| {
        let end = whole.rsplit("{a}").next().unwrap_or_default();
        specimen.starts_with(start) && specimen.ends_with(end) && whole.contains("{a}")
            || specimen == whole
    };
    for (start, whole) in starts.iter().zip(&true_ones) {
        let is_found = specimens.iter().any(|specimen| fits(specimen, start, whole));
        assert!(is_found, "{name}: {whole} is not found");
    }
    for specimen in specimens {
        let is_true =
            starts.iter().zip(&true_ones).any(|(start, whole)| fits(&specimen, start, whole));
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
            let refused = values(&written, "means").contains(&"refused".to_owned());
            assert!(!refused, "{condition} {seed} {more:?}:\n{shown}");
        }
    }
}

#[test]
fn what_is_known_is_not_learned_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let overlay = folder.path().join("learned.toml");
    for condition in ["full", "bare", "hostile", "workaround"] {
        let fleet = Fleet::simulate(condition, FEWER, 66);
        let (shown, written) = learned(&fleet, &overlay);
        assert!(shown.contains("nothing is proposed"), "{condition}:\n{shown}");
        // Each stage says why it has nothing.
        for stage in
            ["children", "beginnings", "ends", "results", "exit codes", "waits", "refusals"]
        {
            let says = |line: &str| line.starts_with("# Open: ") && line.contains(stage);
            assert!(written.lines().any(says), "{condition}, {stage}:\n{written}");
        }
    }
}

/// An agent that changed its words in the middle of a log: what is behind that is learned.
#[test]
fn what_follows_known_words_is_learned() {
    let folder = tempfile::tempdir().expect("a folder");
    for device in 1..5 {
        let mut log = String::from("Mon, 24 Mar 2025 12:07:53 Command line: /scan=0\r\n");
        for at in 0..60 {
            let (day, hour) = (1 + at / 3, 3 + at % 3 * 8 + device % 2);
            log.push_str(&format!("{hour:02}#00#00 {day:02}~04~2025 Sprocket on\r\n"));
            for second in 10..14 {
                let stamp = format!("{hour:02}#00#{second} {day:02}~04~2025");
                log.push_str(&format!("{stamp} Wheel {second} turns\r\n"));
            }
        }
        let device = folder.path().join(format!("PC-{device}"));
        fs::create_dir(&device).expect("a folder");
        fs::write(device.join("vulscan.log"), log).expect("written");
    }
    let args: [OsString; 3] = ["formats".into(), "learn".into(), folder.path().into()];
    let shown = run(&args).stdout;
    assert!(shown.contains("{hour}#{minute}#{second} {day}~{month}~{year} "), "{shown}");
    assert!(shown.contains("vulscan run_starts: ^Sprocket on"), "{shown}");
}

#[test]
fn what_could_not_be_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |device: &str, text: &[u8]| {
        let device = folder.path().join(device);
        fs::create_dir(&device).expect("a folder");
        fs::write(device.join("vulscan.log"), text).expect("written");
    };
    write("PC-1", &[0; 500]);
    write("PC-2", &[0; 500]);
    let mut args: Vec<OsString> = vec!["formats".into(), "learn".into(), folder.path().into()];
    let outcome = run(&args);
    assert_eq!(outcome.status, 2, "{}", outcome.stdout);
    assert_eq!(outcome.stderr.matches("only zeros").count(), 2, "{}", outcome.stderr);
    write("PC-3", b"Mon, 24 Mar 2025 12:07:53 Command line: /scan=0\r\n");
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("Learned from 1 of 3 devices"), "{}", outcome.stdout);
    args.push("--strict".into());
    assert_eq!(run(&args).status, 2);
}

#[test]
fn an_overlay_in_force_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let overlay = folder.path().join("mine.toml");
    fs::write(&overlay, "schema = 1\n").expect("written");
    let args: [OsString; 7] = [
        "formats".into(),
        "learn".into(),
        root().join("samples/healthy").into(),
        "--formats".into(),
        folder.path().into(),
        "-o".into(),
        overlay.clone().into(),
    ];
    let outcome = run(&args);
    assert_eq!(outcome.status, 2, "{}", outcome.stdout);
    assert!(outcome.stderr.contains("mine.toml: this overlay is in force"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(&overlay).expect("the overlay"), "schema = 1\n");
}

#[test]
fn threads_change_nothing() {
    let words = wording("french");
    let fleet = Fleet::with("hostile", 40, 72, &["--wording", &words]);
    let learned = |threads: &str| {
        let mut args = ["formats", "learn", "--threads", threads].map(OsString::from).to_vec();
        args.push(fleet.share().into());
        run(&args).stdout
    };
    let one = learned("1");
    assert!(one.contains("already running") && one.contains("refused"), "{one}");
    assert_eq!(one, learned("3"));
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

/// A replaced text that stands in the project would be a clue. What the simulator writes and its
/// wordings are no part of what is learned with. Single words of a few letters stand everywhere:
/// these must not stand in what the program knows of logs as the whole of a message.
#[test]
fn foreign_texts_stand_nowhere_in_the_project() {
    let of = |folders: &[&str]| {
        let mut all = String::new();
        folders.iter().for_each(|folder| collect(&root().join(folder), &mut all));
        all
    };
    let all = of(&["src", "parsers", "samples", "docs", "tests"]);
    let known = of(&["parsers/formats"]);
    for name in WORDINGS {
        let words = fs::read_to_string(wording(name)).expect("the wording");
        let words: Value = serde_json::from_str(&words).expect("JSON");
        for pair in list(&words, "texts") {
            let text = pair[1].as_str().expect("a text").to_lowercase();
            let fixed = text.split(['{', '}']).step_by(2);
            let letters = fixed.flat_map(str::chars).filter(|c| c.is_alphabetic()).count();
            if letters > 4 {
                assert!(!stands_in(&text, &all), "{name}: {text}");
            } else {
                let start = text.split('{').next().unwrap_or_default();
                for quote in ["'", "\"", "^"].iter().filter(|_| !start.is_empty()) {
                    assert!(!known.contains(&format!("{quote}{start}")), "{name}: {text}");
                }
            }
        }
        let stamps = words["stamps"].as_object().expect("stamps").values();
        for stamp in stamps.filter_map(Value::as_str) {
            assert!(!all.contains(stamp), "{name}: {stamp}");
        }
    }
}

/// Whether a text stands in a line: its pieces in order, with something between, and, since short
/// signs stand everywhere, not in the middle of other letters and signs.
fn stands_in(text: &str, project: &str) -> bool {
    let pieces: Vec<&str> =
        text.split(['{', '}']).step_by(2).filter(|piece| !piece.trim().is_empty()).collect();
    let Some(longest) = pieces.iter().max_by_key(|piece| piece.len()) else { return false };
    let is_part = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace() && !"\"'`|".contains(c));
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    project.match_indices(longest.trim()).any(|(at, _)| {
        let start = project[..at].rfind('\n').map_or(0, |end| end + 1);
        let line = project[start..].lines().next().unwrap_or_default();
        let mut rest = line;
        let in_order = pieces.iter().enumerate().all(|(number, piece)| {
            let Some(at) = rest.find(piece.trim()) else { return false };
            let alone = !is_letter(rest[..at].chars().next_back())
                && (number > 0 || !is_part(rest[..at].chars().next_back()));
            rest = &rest[at + piece.trim().len()..];
            alone
        });
        in_order && (text.ends_with('}') || !is_part(rest.chars().next()))
    })
}

fn collect(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("tests/fleet") {
                collect(&path, all);
            }
        } else if let Ok(bytes) = fs::read(&path) {
            all.push_str(&String::from_utf8_lossy(&bytes).to_lowercase());
        }
    }
}
