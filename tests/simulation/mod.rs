//! The fleet simulator, run as the example that `cargo test` builds beside the tests.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A simulated share and what is true of it.
#[derive(Debug)]
pub struct Fleet {
    folder: tempfile::TempDir,
    /// What the simulator wrote beside the share.
    pub truth: Value,
}

impl Fleet {
    /// Simulates so many devices of a condition.
    pub fn simulate(condition: &str, devices: u64, seed: u64) -> Fleet {
        Fleet::with(condition, devices, seed, &[])
    }

    /// The same, with more of the simulator's arguments.
    pub fn with(condition: &str, devices: u64, seed: u64, more: &[&str]) -> Fleet {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(simulator());
        command.arg(folder.path().join("share")).stdin(Stdio::null());
        command.args(["--condition", condition]);
        command.args(["--devices", &devices.to_string(), "--seed", &seed.to_string()]);
        command.arg("--truth").arg(folder.path().join("truth.json"));
        command.arg("--tasks").arg(folder.path().join("tasks.csv"));
        command.args(more);
        let output = command.output().expect("the simulator starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{condition}, seed {seed}: {stderr}");
        let truth = fs::read(folder.path().join("truth.json")).expect("the truth");
        let truth = serde_json::from_slice(&truth).expect("the truth is JSON");
        Fleet { folder, truth }
    }

    /// The folder of devices.
    pub fn share(&self) -> PathBuf {
        self.folder.path().join("share")
    }

    /// The core's mapping of tasks.
    pub fn tasks(&self) -> PathBuf {
        self.folder.path().join("tasks.csv")
    }
}

/// `target/<profile>/examples/fleet`, beside this test's `target/<profile>/deps`.
fn simulator() -> PathBuf {
    let own = std::env::current_exe().expect("this test has a path");
    let profile = own.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let path = profile.join("examples").join(format!("fleet{}", std::env::consts::EXE_SUFFIX));
    let shown = path.display();
    assert!(path.is_file(), "{shown} is missing: cargo build --release --example fleet");
    path
}
