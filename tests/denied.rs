//! What nobody may read: it is told, all else is read, and it is read when it is allowed.
//!
//! Root may read everything, so there the program is run as another user.

#![cfg(unix)]

mod night;
mod program;
mod simulation;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use night::{Ground, arguments, assert_same, command, read};
use program::{list, text};
use serde_json::Value;

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

/// Whether permissions mean nothing to this process.
fn is_root(ground: &Ground) -> bool {
    let file = ground.path().join("nobody");
    fs::write(&file, "").expect("written");
    allow(&file, 0);
    fs::read(&file).is_ok()
}

/// Who runs the program: its path, behind what makes it another user's.
struct Other {
    words: Vec<PathBuf>,
}

impl Other {
    /// None where root can't become another user.
    fn of(ground: &Ground) -> Option<Other> {
        let program = ground.path().join("provtrace");
        fs::copy(env!("CARGO_BIN_EXE_provtrace"), &program).expect("copied");
        allow(ground.path(), 0o777);
        if !is_root(ground) {
            return Some(Other { words: vec![program] });
        }
        let words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let mut words: Vec<PathBuf> = words.map(PathBuf::from).into();
        let able = Command::new(&words[0]).args(&words[1..]).arg("true").status();
        if !able.is_ok_and(|status| status.success()) {
            eprintln!("skipped: root reads everything, and setpriv can't make it another user");
            return None;
        }
        words.push(program);
        Some(Other { words })
    }

    /// A run: its status, its news, what it said.
    fn night(&self, ground: &Ground, store: &str, more: &[&str]) -> (Option<i32>, Value, String) {
        let news = ground.path().join("news.json");
        let mut run = Command::new(&self.words[0]);
        run.args(&self.words[1..]).stdin(Stdio::null());
        run.args(arguments(&[&ground.share()], &ground.store(store), more)).arg("-o").arg(&news);
        let output = run.current_dir(ground.path()).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = if news.is_file() { read(&news) } else { Value::Null };
        (output.status.code(), told, said)
    }
}

#[test]
fn what_nobody_may_read_is_read_when_it_is_allowed() {
    let ground = Ground::of(5, 61);
    let Some(other) = Other::of(&ground) else { return };
    ground.night("undisturbed");
    let devices = program::names(&ground.share(), Path::is_dir);
    let folder = ground.share().join(&devices[1]);
    let log = program::files(&ground.share())
        .into_iter()
        .find(|file| file.starts_with(&devices[3]) && file.ends_with("vulscan.log"))
        .expect("a scan's log");
    let log = ground.share().join(log);
    // A part of another device's.
    let part = ground.share().join(&devices[2]).join("ProgramData");
    for known in [false, true] {
        let store = format!("store-{known}");
        if known {
            let (status, _, said) = other.night(&ground, &store, &[]);
            assert_eq!((status, said.as_str()), (Some(0), ""));
        }
        allow(&folder, 0);
        allow(&log, 0);
        allow(&part, 0);
        let (status, told, said) = other.night(&ground, &store, &[]);
        assert_eq!(status, Some(0), "{said}");
        let skipped: Vec<&str> =
            list(&told, "skipped").iter().map(|own| text(own, "path")).collect();
        assert!(skipped.iter().any(|path| *path == devices[1]), "{skipped:?}");
        assert!(said.matches("permission denied").count() >= 1, "{said}");
        let (strict, ..) = other.night(&ground, &store, &["--strict"]);
        assert_eq!(strict, Some(2));
        allow(&folder, 0o755);
        allow(&part, 0o755);
        allow(&log, 0o644);
        let (status, told, said) = other.night(&ground, &store, &[]);
        assert_eq!((status, said.as_str()), (Some(0), ""));
        assert!(list(&told, "withdrawn").is_empty(), "{told}");
        assert_same(&ground.store(&store), &ground.store("undisturbed"));
    }
}

#[test]
fn a_store_of_somebody_else_is_told() {
    let ground = Ground::of(3, 62);
    let Some(other) = Other::of(&ground) else { return };
    ground.night("store");
    let report = night::report(&ground.store("store"));
    for file in ["", "lock", "lock.holder", "store.sqlite"] {
        let path = ground.store("store").join(file);
        let mode = path.metadata().expect("there").permissions().mode();
        allow(&path, mode & 0o555);
    }
    let (status, _, said) = other.night(&ground, "store", &[]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("permission denied; check who may write there"), "{said}");
    allow(&ground.store("store"), 0o755);
    for file in ["lock", "lock.holder", "store.sqlite"] {
        allow(&ground.store("store").join(file), 0o644);
    }
    assert_eq!(command(&["store", "check"], &ground.store("store")).status, 0);
    assert_eq!(night::report(&ground.store("store")), report);
}
