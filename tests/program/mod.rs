//! The finished program, run as a user runs it, and the samples that it is run on.
//!
//! Every run starts in the package's folder and names samples by relative paths, so that
//! nothing of the machine gets into the output.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; a run that a signal ended fails the test at once.
    pub status: i32,
    /// Standard output; it must be UTF-8, whatever the logs hold.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The report that was printed.
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("no JSON (status {}): {error}\nstderr: {}", self.status, self.stderr)
        })
    }
}

/// Runs the program with the environment's wishes on colour taken away.
pub fn run<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Outcome {
    run_with(args, &[])
}

/// The same, with some variables set.
pub fn run_with<S: AsRef<std::ffi::OsStr>>(args: &[S], variables: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provtrace"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    // Nobody's own overlays.
    let nowhere = root().join("tests/no-settings");
    command.env("XDG_CONFIG_HOME", &nowhere).env("APPDATA", &nowhere);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "RAYON_NUM_THREADS"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
    let stderr = text(output.stderr);
    let status = output.status.code();
    Outcome {
        status: status.unwrap_or_else(|| panic!("ended by a signal; stderr: {stderr}")),
        stdout: text(output.stdout),
        stderr,
    }
}

/// The package's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of samples/.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The folder's name.
    pub name: String,
}

impl Case {
    /// The folder, relative to the package's.
    pub fn folder(&self) -> String {
        format!("samples/{}", self.name)
    }

    /// The folder, to be opened.
    pub fn path(&self) -> PathBuf {
        root().join("samples").join(&self.name)
    }

    /// The arguments of a stage for this case. A mapping or an overlay that lies beside the folder
    /// under its name belongs to it.
    pub fn args(&self, stage: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = stage.iter().map(|arg| (*arg).to_owned()).collect();
        args.push(self.folder());
        let tasks = format!("samples/{}.tasks.csv", self.name);
        // `events` prints logs as they are; names from the core are none of its business.
        let takes_names = stage.first() != Some(&"events");
        if takes_names && root().join(&tasks).is_file() {
            args.extend(["--tasks".to_owned(), tasks]);
        }
        let overlay = format!("samples/{}.overlay.toml", self.name);
        if root().join(&overlay).is_file() {
            args.extend(["--formats".to_owned(), overlay]);
        }
        args
    }

    /// The report on this case.
    pub fn report(&self) -> Value {
        let outcome = run(&self.args(&["analyze", "--format", "json"]));
        assert_eq!(outcome.status, 0, "{}: {}", self.name, outcome.stderr);
        outcome.report()
    }
}

/// Every folder of samples/, in order of name.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = names(&root().join("samples"), Path::is_dir)
        .into_iter()
        .map(|name| Case { name })
        .collect();
    cases.sort();
    assert!(cases.len() >= 8, "samples/ holds only {} cases", cases.len());
    cases
}

/// The names of a folder's entries that `wanted` accepts, in order.
pub fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let mut names: Vec<String> = paths
        .filter(|path| wanted(path))
        .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// The files under a folder, relative to it, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    let entries = entries.map(|entry| entry.expect("a readable entry"));
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(folder).expect("below").to_owned())
        .collect()
}

/// Copies a folder, each file's bytes changed by `change`, which is given its relative path.
pub fn copy(from: &Path, to: &Path, change: impl Fn(&Path, Vec<u8>) -> Vec<u8>) {
    for file in files(from) {
        let bytes = fs::read(from.join(&file)).expect("a readable sample");
        write(&to.join(&file), &change(&file, bytes));
    }
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder is made");
    fs::write(path, bytes).expect("a file is written");
}

/// A list in a report.
pub fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("`{name}` is no list in {value}"))
}

/// A text in a report.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is no text in {value}"))
}

/// A count in a report.
pub fn count(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("`{name}` is no count in {value}"))
}
