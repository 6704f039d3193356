//! The house's rules (docs/ARCHITECTURE.md), held against the sources themselves: a rule that
//! nothing checks is a wish.

mod code;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use code::{Code, line_of, read, words};
use program::{cases, root};
use regex::Regex;

/// The longest function, signature and braces included.
const LONGEST_FUNCTION: usize = 60;
/// The longest file.
const LONGEST_FILE: usize = 400;
/// Flat tables that may be longer: file, and function or nothing for the file itself.
const FLAT_TABLES: [(&str, &str); 2] = [("src/cli.rs", ""), ("tests/tidy.rs", "")];

/// The modules of the binary in the order in which data flows: each uses only those before it.
const FLOW: [&str; 123] = [
    "letters",
    "room",
    "paths",
    "failure",
    "place",
    "archive",
    "bundle",
    "layout",
    "home",
    "watch",
    "walk",
    "recognise",
    "sighting",
    "discover",
    "block",
    "fingerprint",
    "stream",
    "document",
    "source",
    "dates",
    "eventlog",
    "logs",
    "ingest",
    "recollection",
    "rereader",
    "pattern",
    "zones",
    "clock",
    "cli",
    "overlays",
    "flags",
    "config",
    "tasks",
    "memory",
    "progress",
    "webhook",
    "output",
    "lifetime",
    "spans",
    "changes",
    "axis",
    "sequence",
    "leap",
    "trace",
    "provision",
    "run",
    "deployment",
    "scan",
    "witness",
    "candidates",
    "testimony",
    "timeline",
    "holder",
    "correlate",
    "coverage",
    "expected",
    "ending",
    "wait",
    "story",
    "contract",
    "citation",
    "inventory",
    "chronicle",
    "course",
    "chance",
    "comparison",
    "news",
    "rereading",
    "suspicion",
    "device",
    "signature",
    "rank",
    "summary",
    "tally",
    "scene",
    "blame",
    "telling",
    "hypotheses",
    "gap",
    "explanation",
    "survey",
    "sample",
    "stamps",
    "trail",
    "forms",
    "proposal",
    "children",
    "roles",
    "standstill",
    "learn",
    "report",
    "understanding",
    "formats",
    "intake",
    "inquiry",
    "periods",
    "store",
    "settings",
    "lineage",
    "belonging",
    "batch",
    "history",
    "facts",
    "digest",
    "delivery",
    "nightly",
    "retelling",
    "upkeep",
    "rawline",
    "identity",
    "manifest",
    "seal",
    "redaction",
    "entries",
    "leaks",
    "ticket",
    "excerpt",
    "account",
    "dossier",
    "disguise",
    "evidence",
    "verification",
    "main",
];

/// The home of every outside package: the only files that may know it.
const HOMES: [(&str, &[&str]); 43] = [
    // The program.
    ("aho-corasick", &["src/redaction.rs"]),
    ("chrono", &["src/clock.rs", "src/zones.rs"]),
    ("chrono-tz", &["src/zones.rs"]),
    ("clap", &["src/cli.rs", "src/config.rs", "src/flags.rs", "src/main.rs"]),
    (
        "comfy-table",
        &[
            "src/report/difference.rs",
            "src/report/news.rs",
            "src/report/survey.rs",
            "src/report/table.rs",
        ],
    ),
    ("console", &["src/progress.rs"]),
    ("csv", &["src/report/spreadsheet.rs", "src/report/timesketch.rs", "src/tasks.rs"]),
    ("evtx", &["src/eventlog.rs"]),
    ("flate2", &["src/place.rs"]),
    ("indicatif", &["src/progress.rs"]),
    ("lz4_flex", &["src/store.rs"]),
    ("memchr", &["src/block.rs"]),
    ("memory-stats", &["src/memory.rs"]),
    ("mimalloc", &["src/main.rs"]),
    ("minijinja", &["src/report/html.rs"]),
    ("parquet", &["src/report/columns.rs"]),
    ("postcard", &["src/store.rs"]),
    ("polars", &["src/rank.rs"]),
    (
        "rayon",
        &[
            "src/discover.rs",
            "src/evidence.rs",
            "src/intake.rs",
            "src/learn.rs",
            "src/main.rs",
            "src/retelling.rs",
            "src/understanding.rs",
            "src/walk.rs",
        ],
    ),
    ("regex", &["src/identity.rs", "src/provision.rs"]),
    (
        "rusqlite",
        &[
            "src/store/months.rs",
            "src/store/rows.rs",
            "src/store/tables.rs",
            "src/store/trouble.rs",
            "src/store.rs",
        ],
    ),
    (
        "sha2",
        &[
            "src/device.rs",
            "src/proposal.rs",
            "src/report/html.rs",
            "src/seal.rs",
            "src/signature.rs",
            "src/ticket.rs",
        ],
    ),
    (
        "serde_json",
        &[
            "src/eventlog.rs",
            "src/leaks.rs",
            "src/report/json.rs",
            "src/report/timesketch.rs",
            "src/report/viewer.rs",
            "src/rereading.rs",
            "src/upkeep.rs",
            "src/verification.rs",
        ],
    ),
    ("statrs", &["src/chance.rs"]),
    ("strsim", &["src/zones.rs"]),
    ("tempfile", &["src/facts.rs", "src/output.rs"]),
    (
        "textwrap",
        &[
            "src/report/blame.rs",
            "src/report/difference.rs",
            "src/report/explained.rs",
            "src/report/first.rs",
            "src/report/lesson.rs",
            "src/report/news.rs",
            "src/report/survey.rs",
            "src/report/table.rs",
        ],
    ),
    ("toml", &["src/config.rs"]),
    ("ureq", &["src/webhook.rs"]),
    ("walkdir", &["src/walk.rs"]),
    ("xxhash-rust", &["src/fingerprint.rs"]),
    ("zip", &["src/archive.rs", "src/seal.rs"]),
    // The parsers.
    ("aho-corasick", &["parsers/src/format.rs", "parsers/src/schema.rs", "parsers/src/scout.rs"]),
    ("chrono", &["parsers/src/fields.rs", "parsers/src/guess.rs", "parsers/src/layout.rs"]),
    ("encoding_rs", &["parsers/src/text.rs"]),
    ("memchr", &["parsers/src/engine.rs", "parsers/src/run.rs", "parsers/src/text.rs"]),
    ("pure-rust-locales", &["parsers/src/months.rs"]),
    ("nom", &["parsers/src/fields.rs"]),
    ("regex", &["parsers/src/event_log.rs", "parsers/src/format.rs", "parsers/src/pattern.rs"]),
    ("regex-syntax", &["parsers/src/shape.rs", "parsers/src/words.rs"]),
    ("roxmltree", &["parsers/src/policy_status.rs"]),
    ("wide", &["parsers/src/run.rs"]),
    (
        "toml",
        &[
            "parsers/src/code.rs",
            "parsers/src/event_log.rs",
            "parsers/src/format.rs",
            "parsers/src/layout.rs",
            "parsers/src/overlay.rs",
            "parsers/src/schema.rs",
        ],
    ),
];

/// Packages of which only derives are used, which stand on whatever is printed, read or stored.
const EVERYWHERE: [&str; 1] = ["serde"];

/// Names that say nothing of what a file holds.
const EMPTY_NAMES: [&str; 10] = [
    "util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "shared", "base",
];

/// Parsers are a function of their text: no i/o, no clock, nothing printed.
#[test]
fn parsers_do_no_io_and_read_no_clock() {
    let forbidden = [
        r"\bstd\s*::\s*(fs|io|net|env|time|process|thread|os)\b",
        r"\bstd\s*::\s*\{[^;]*\b(fs|io|net|env|time|process|thread|os)\b",
        r"\be?print(ln)?\s*!",
        r"\bdbg\s*!",
        r"\b(SystemTime|Instant)\b",
        r"\b(Utc|Local)\s*::\s*now\b",
    ];
    assert_none(&read(root(), &["parsers/src"]), &forbidden);
}

/// Whatever the bytes: events and warnings, never an end of the program.
#[test]
fn shipped_code_cannot_panic_by_name() {
    let forbidden = [
        r"\.\s*(unwrap|expect|unwrap_err|expect_err)\s*\(",
        r"\b(panic|unreachable|todo|unimplemented)\s*!",
        r"\bunsafe\b",
    ];
    assert_none(&read(root(), &["src", "parsers/src"]), &forbidden);
}

/// Data flows one way; what is later is never asked by what is earlier.
#[test]
fn a_module_uses_only_modules_before_it() {
    let place: BTreeMap<&str, usize> = FLOW.iter().zip(0..).map(|(name, at)| (*name, at)).collect();
    let sources = read(root(), &["src"]);
    let modules: BTreeSet<String> = sources.iter().map(module).collect();
    let listed: BTreeSet<String> = FLOW.map(str::to_owned).into();
    assert_eq!(modules, listed, "modules of src/, and FLOW in this test");
    let uses = Regex::new(r"\bcrate\s*::\s*(\w+|\{)").expect("a pattern");
    let mut wrong = Vec::new();
    for source in &sources {
        let own = module(source);
        for found in uses.captures_iter(&source.shipped) {
            let used = &found[1];
            assert_ne!(used, "{", "{}: name one module a `use crate::…`", source.path);
            let at = place.get(used);
            if used != own && at.is_none_or(|at| *at > place[own.as_str()]) {
                wrong.push(format!("{}: uses {used}, which comes after {own}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The table of docs/ARCHITECTURE.md is read from top to bottom as data flows.
#[test]
fn the_table_of_files_is_in_the_order_of_the_flow() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let name = Regex::new(r"`(\w+)(?:\.rs|/)`").expect("a pattern");
    let rows = text.lines().filter(|line| line.starts_with("| `")).filter_map(|line| {
        let cell = line.split('|').nth(1)?;
        let names = name.captures_iter(cell).map(|found| found[1].to_owned());
        let places = names.map(|name| FLOW.iter().position(|module| *module == name));
        // The parsers are a crate of their own.
        let first = places.map(|place| place.unwrap_or(0)).min()?;
        Some((first, line))
    });
    let rows: Vec<(usize, &str)> = rows.collect();
    assert!(rows.len() > 40, "{} rows", rows.len());
    for pair in rows.windows(2) {
        assert!(pair[0].0 <= pair[1].0, "comes too late:\n{}", pair[1].1);
    }
}

#[test]
fn every_outside_package_has_its_home() {
    let mut wrong = Vec::new();
    for (folder, manifest) in [("src", "Cargo.toml"), ("parsers/src", "parsers/Cargo.toml")] {
        let sources = read(root(), &[folder]);
        let packages = dependencies(manifest);
        let homes = HOMES.iter().filter(|(_, files)| files[0].starts_with(&format!("{folder}/")));
        let homes: BTreeMap<&str, &[&str]> = homes.copied().collect();
        for package in packages.iter().filter(|own| !EVERYWHERE.contains(&own.as_str())) {
            let name = package.replace('-', "_");
            let found = sources.iter().filter(|source| names_package(&source.shipped, &name));
            let found: Vec<&str> = found.map(|source| source.path.as_str()).collect();
            match homes.get(package.as_str()) {
                Some(home) if *home == found => {}
                Some(home) => wrong.push(format!("{package}: home {home:?}, used in {found:?}")),
                None => wrong.push(format!("{package}: no home in HOMES, used in {found:?}")),
            }
        }
        let gone = homes.keys().filter(|home| !packages.iter().any(|package| package == *home));
        wrong.extend(gone.map(|home| format!("{home}: not a dependency in {manifest}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    let mut seen = 0;
    for source in read(root(), &["src", "parsers/src", "tests"]) {
        for function in source.functions() {
            seen += 1;
            let excepted = FLAT_TABLES.contains(&(source.path.as_str(), function.name.as_str()));
            if function.length > LONGEST_FUNCTION && !excepted {
                let code::Function { name, line, length } = function;
                long.push(format!("{}:{line}: {name} has {length} lines", source.path));
            }
        }
    }
    assert!(seen > 100, "only {seen} functions were found");
    assert!(long.is_empty(), "over {LONGEST_FUNCTION} lines:\n{}", long.join("\n"));
}

#[test]
fn files_are_short() {
    let sources = read(root(), &["src", "parsers/src", "tests"]);
    let long = sources.iter().filter(|source| {
        source.lines() > LONGEST_FILE && !FLAT_TABLES.contains(&(source.path.as_str(), ""))
    });
    let long: Vec<String> =
        long.map(|source| format!("{}: {} lines", source.path, source.lines())).collect();
    assert!(long.is_empty(), "over {LONGEST_FILE} lines:\n{}", long.join("\n"));
}

#[test]
fn files_are_named_for_what_they_hold() {
    for folder in ["src", "parsers", "tests", "docs", "samples"] {
        for file in program::files(&root().join(folder)) {
            for part in file.iter().map(|part| part.to_string_lossy().to_lowercase()) {
                let stem = part.split('.').next().unwrap_or_default();
                assert!(!EMPTY_NAMES.contains(&stem), "{folder}/{}", file.display());
            }
        }
    }
}

/// A case is a row of the table of samples/README.md or a section of its own.
#[test]
fn every_sample_is_explained() {
    let readme = fs::read_to_string(root().join("samples/README.md")).expect("samples/README.md");
    let described = Regex::new(r"(?m)^(?:\| *`?([a-z0-9-]+)`? *\||## +`?([a-z0-9-]+)`? *$)");
    let described: BTreeSet<String> = described
        .expect("a pattern")
        .captures_iter(&readme)
        .filter_map(|found| found.get(1).or(found.get(2)))
        .map(|name| name.as_str().to_owned())
        .filter(|name| name != "case" && !name.trim_matches('-').is_empty())
        .collect();
    let cases: BTreeSet<String> = cases().into_iter().map(|case| case.name).collect();
    assert_eq!(described, cases, "described in samples/README.md, and folders of samples/");
}

fn assert_none(sources: &[Code], forbidden: &[&str]) {
    let mut wrong = Vec::new();
    for pattern in forbidden {
        let pattern = Regex::new(pattern).expect("a pattern");
        for source in sources {
            for found in pattern.find_iter(&source.shipped) {
                let line = line_of(&source.shipped, found.start());
                let word = found.as_str().trim();
                wrong.push(format!("{}: `{word}`, line {line} without tests", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `src/report/table.rs` is of the module `report`, `src/rank.rs` is `rank`.
fn module(source: &Code) -> String {
    let inside = source.path.trim_start_matches("src/");
    let first = inside.split('/').next().unwrap_or(inside);
    first.trim_end_matches(".rs").to_owned()
}

/// The names below `[dependencies]`, without the workspace's own package.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).expect("a manifest");
    let section = text.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let section = section.take_while(|line| !line.starts_with('['));
    let names = section.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let names = names.map(|name| name.split('.').next().unwrap_or(name).to_owned());
    let names: Vec<String> = names.filter(|name| name != "provtrace-parsers").collect();
    assert!(names.len() > 3, "{manifest}: only {names:?}");
    names
}

/// Whether code names a package: at the start of a path, or whole in a `use`.
fn names_package(code: &str, package: &str) -> bool {
    words(code).filter(|(_, word)| *word == package).any(|(at, word)| {
        let (before, after) = (code[..at].trim_end(), code[at + word.len()..].trim_start());
        let starts_path = after.starts_with("::") && !before.ends_with("::");
        starts_path || before.ends_with("use") && after.starts_with([';', ' '])
    })
}
