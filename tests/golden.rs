//! What the program prints for every sample, byte for byte.
//!
//! One file a case and stage: `tests/golden/<case>/<stage>`. After a change that is meant,
//! rewrite them with
//!
//! ```sh
//! PROVTRACE_BLESS=1 cargo test --release --test golden
//! ```
//!
//! and read the difference before it is committed: it is the change as a user sees it. A case
//! without its files fails, and so does a file without its case.

mod program;

use std::fs;
use std::path::{Path, PathBuf};

use program::{Case, Outcome, cases, files, root, run, write};

/// A stage's file name and its arguments.
const STAGES: [(&str, &[&str]); 4] = [
    ("report.txt", &["analyze"]),
    ("report.json", &["analyze", "--format", "json"]),
    ("events.txt", &["events"]),
    ("timeline.txt", &["timeline"]),
];

/// The one case whose page is held: what the page shows stands in the other stages, too.
const PAGE: (&str, &str) = ("scan-waited", "report.html");
/// What is printed for some cases only: the case, the file's name and the arguments.
const TOLD: [(&str, &str, &[&str]); 16] = [
    ("scan-waited", "explain.txt", &["explain", "ce3cbb9f4292cbec"]),
    ("scan-waited", "explain.json", &["explain", "ce3c", "--format", "json"]),
    ("scan-waited", "device.txt", &["analyze", "--device", "PAR-10002"]),
    ("scan-waited", "blame.txt", &["blame"]),
    ("policy-task-holds", "explain.txt", &["explain", "--device", "PAR-12002"]),
    ("policy-task-holds", "blame.txt", &["blame"]),
    ("unattributed", "explain.txt", &["explain", "--device", "LYO-14002"]),
    ("unattributed", "device.txt", &["analyze", "--device", "LYO-14001"]),
    ("hung-scan", "explain.txt", &["explain", "--device", "PAR-42001"]),
    ("hung-scan", "blame.txt", &["blame"]),
    ("sdclient-running", "explain.txt", &["explain", "--device", "MUC-*"]),
    ("no-markers-inferred", "explain.txt", &["explain", "--device", "LYO-16001"]),
    ("clock-changes", "explain.txt", &["explain", "--device", "LYO-42001"]),
    ("workaround", "device.txt", &["analyze", "--device", "PAR-19001"]),
    ("unfinished-runs", "device.txt", &["analyze", "--device", "PAR-41003"]),
    ("unfinished-runs", "blame.txt", &["blame", "--device", "PAR-4100*"]),
];

/// How many differing lines are shown of a file.
const SHOWN: usize = 6;

#[test]
fn report_txt() {
    compare("report.txt");
}

#[test]
fn report_json() {
    compare("report.json");
}

#[test]
fn events_txt() {
    compare("events.txt");
}

#[test]
fn timeline_txt() {
    compare("timeline.txt");
}

/// Without style, script, and the digest that both carry: those are files of their own.
#[test]
fn report_html() {
    let case = cases().into_iter().find(|case| case.name == PAGE.0).expect("the case");
    let outcome = run(&case.args(&["analyze", "--format", "html"]));
    assert_ran(&outcome, &case, PAGE.1);
    let mut page = outcome.stdout;
    for (file, opens, closes) in
        [("style.css", "<style nonce", "</style>"), ("script.js", "<script nonce", "</script>")]
    {
        let from = page.find(opens).and_then(|at| Some(at + page[at..].find(">\n")? + 2));
        let from = from.expect(opens);
        let to = from + page[from..].find(closes).expect(closes);
        let source = fs::read_to_string(root().join("src/report/html").join(file)).expect(file);
        assert_eq!(page[from..to].trim_end(), source.replace('\r', "").trim_end(), "{file}");
        page.replace_range(from..to, &format!("[{file}]\n"));
    }
    let nonce = page.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    let nonce = nonce.expect("a digest").to_owned();
    check(&case, PAGE.1, &page.replace(&nonce, "DIGEST"));
}

fn check(case: &Case, stage: &str, got: &str) {
    let golden = root().join("tests/golden").join(&case.name).join(stage);
    if std::env::var_os("PROVTRACE_BLESS").is_some_and(|value| value == "1") {
        write(&golden, got.as_bytes());
        return;
    }
    let expected = fs::read_to_string(&golden).expect("a golden file; PROVTRACE_BLESS=1 makes it");
    if let Some(lines) = difference(&expected, got) {
        panic!("tests/golden/{}/{stage} (- golden, + now)\n{lines}", case.name);
    }
}

#[test]
fn stories_and_blame() {
    let cases = cases();
    let jobs = TOLD.iter().map(|(name, stage, args)| {
        let case = cases.iter().find(|case| case.name == *name).expect("a sample");
        (case.clone(), *stage, *args)
    });
    compare_all(jobs);
}

#[test]
fn every_golden_file_has_a_case_and_a_stage() {
    let folder = root().join("tests/golden");
    let found = if folder.is_dir() { files(&folder) } else { Vec::new() };
    let mut wanted: Vec<PathBuf> = cases()
        .iter()
        .flat_map(|case| STAGES.map(|(stage, _)| Path::new(&case.name).join(stage)))
        .chain([Path::new(PAGE.0).join(PAGE.1)])
        .collect();
    wanted.extend(TOLD.iter().map(|(case, stage, _)| Path::new(case).join(stage)));
    let orphans: Vec<&PathBuf> = found.iter().filter(|file| !wanted.contains(file)).collect();
    assert!(orphans.is_empty(), "no sample makes these files, remove them: {orphans:?}");
}

/// The guide shows what the program prints, and nothing else.
#[test]
fn the_guide_is_real_output() {
    let guide = fs::read_to_string(root().join("docs/GUIDE.md")).expect("docs/GUIDE.md");
    let folders = ["tests/golden", "tests/compare"].map(|folder| root().join(folder));
    let printed: Vec<String> = folders
        .iter()
        .flat_map(|folder| files(folder).into_iter().map(|file| folder.join(file)))
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    let blocks: Vec<&str> = guide.split("```text\n").skip(1).collect();
    let mut outputs = 0;
    for block in blocks.iter().filter_map(|block| block.split("\n```").next()) {
        if block.starts_with("provtrace ") {
            continue;
        }
        outputs += 1;
        assert!(printed.iter().any(|text| text.contains(block)), "nothing prints:\n{block}");
    }
    assert!(outputs >= 5, "only {outputs} outputs");
}

/// Threads may change how fast an answer comes, never what it is.
#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let together = Case { name: String::new() };
    for case in cases().into_iter().chain([together]) {
        // The other commands read one device after the other.
        let analyses = STAGES.into_iter().filter(|(_, args)| args.first() == Some(&"analyze"));
        for (stage, args) in analyses {
            let with = |threads: &str| {
                let mut args = case.args(args);
                args.extend(["--threads".to_owned(), threads.to_owned()]);
                run(&args)
            };
            let (one, eight) = (with("1"), with("8"));
            assert_ran(&one, &case, stage);
            assert_eq!(one.stderr, eight.stderr, "{}: {stage}: stderr", case.folder());
            if let Some(difference) = difference(&one.stdout, &eight.stdout) {
                panic!("{}: {stage}: 1 thread (-) and 8 (+)\n{difference}", case.folder());
            }
        }
    }
}

fn compare(stage: &str) {
    let args = STAGES.iter().find(|(name, _)| *name == stage).expect("a stage").1;
    compare_all(cases().into_iter().map(|case| (case, stage, args)));
}

fn compare_all<'s>(jobs: impl Iterator<Item = (Case, &'s str, &'s [&'s str])>) {
    let bless = std::env::var_os("PROVTRACE_BLESS").is_some_and(|value| value == "1");
    let mut failures = Vec::new();
    for (case, stage, args) in jobs {
        let outcome = run(&case.args(args));
        assert_ran(&outcome, &case, stage);
        let golden = root().join("tests/golden").join(&case.name).join(stage);
        let shown = format!("tests/golden/{}/{stage}", case.name);
        if bless {
            write(&golden, outcome.stdout.as_bytes());
            continue;
        }
        match fs::read_to_string(&golden) {
            Err(error) => failures.push(format!("{shown}: {error}")),
            Ok(expected) => failures.extend(
                difference(&expected, &outcome.stdout).map(|lines| format!("{shown}\n{lines}")),
            ),
        }
    }
    assert!(
        failures.is_empty(),
        "{} files differ (- golden, + now); if that is meant: PROVTRACE_BLESS=1\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn assert_ran(outcome: &Outcome, case: &Case, stage: &str) {
    assert_eq!(outcome.status, 0, "{}: {stage}: {}", case.folder(), outcome.stderr);
    assert!(!outcome.stdout.is_empty(), "{}: {stage}: nothing printed", case.folder());
}

/// The first lines that differ, each with its number; `None` for the same bytes.
fn difference(expected: &str, got: &str) -> Option<String> {
    if expected == got {
        return None;
    }
    let (old, new): (Vec<&str>, Vec<&str>) =
        (expected.split('\n').collect(), got.split('\n').collect());
    let mut shown = Vec::new();
    let mut differing = 0;
    for at in 0..old.len().max(new.len()) {
        let (old, new) = (old.get(at), new.get(at));
        if old == new {
            continue;
        }
        differing += 1;
        if differing <= SHOWN {
            let side = |sign, line: Option<&&str>| {
                line.map(|line| format!("  {:>5} {sign} {}", at + 1, line.replace('\r', "\\r")))
            };
            shown.extend(side('-', old).into_iter().chain(side('+', new)));
        }
    }
    if differing > SHOWN {
        shown.push(format!("        … and {} more lines", differing - SHOWN));
    }
    Some(shown.join("\n"))
}
