//! `nightly`, killed at any moment: nothing is lost, nothing is doubled, the next run goes on.

mod night;
mod program;
mod simulation;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use night::{Ground, arguments, assert_same, read};
use program::{files, list, root, text};
use serde_json::Value;

/// How often a run is killed while nights go by, and while the first night is read.
const KILLS: usize = 150;
const FIRST_KILLS: usize = 50;
/// Kills in one night.
const A_NIGHT: usize = 6;

/// Numbers as if by chance, the same each time.
struct Dice(u64);

impl Dice {
    /// 0 to `below`.
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % below
    }
}

fn start(args: &[OsString]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provtrace"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

/// Kills a run after a part of the time that one takes; gives whether it was still at work.
fn kill(args: &[OsString], usual: Duration, dice: &mut Dice) -> bool {
    let mut child = start(args);
    thread::sleep(usual * u32::try_from(dice.roll(1000)).expect("small") / 1000);
    // `TerminateProcess` on Windows.
    child.kill().expect("killed");
    let status = child.wait().expect("an end");
    assert!(status.code().is_none_or(|code| code == 0 || !cfg!(unix)), "{status}");
    !status.success()
}

/// A share whose logs come bit by bit.
struct Growth {
    ground: Ground,
    /// Each file: its bytes, and how many of them are there.
    logs: BTreeMap<PathBuf, (Vec<u8>, usize)>,
    dice: Dice,
}

impl Growth {
    fn of(devices: u64, seed: u64) -> Growth {
        let ground = Ground::of(devices, seed);
        let mut dice = Dice(seed);
        let mut logs = BTreeMap::new();
        for file in files(&ground.share()) {
            let bytes = fs::read(ground.share().join(&file)).expect("a log");
            let there = [0, bytes.len() / 3, bytes.len() / 2][dice.roll(3)];
            program::write(&ground.share().join(&file), &bytes[..there]);
            if there == 0 {
                fs::remove_file(ground.share().join(&file)).expect("not there yet");
            }
            logs.insert(file, (bytes, there));
        }
        ground.settle();
        Growth { ground, logs, dice }
    }

    /// Some logs grow, one in `of`.
    fn grow(&mut self, of: usize) {
        for (file, (bytes, there)) in &mut self.logs {
            if *there < bytes.len() && self.dice.roll(of) == 0 {
                *there = (*there + bytes.len() / 4 + 1).min(bytes.len());
                program::write(&self.ground.share().join(file), &bytes[..*there]);
            }
        }
        self.ground.settle();
    }

    /// Some are deleted, some get another name.
    fn tidy_up(&mut self) {
        for _ in 0..4 {
            let at = self.dice.roll(self.logs.len());
            let Some(file) = self.logs.keys().nth(at).cloned() else { continue };
            if self.logs[&file].1 == 0 {
                continue;
            }
            let share = self.ground.share();
            let log = self.logs.remove(&file).expect("a log");
            if self.dice.roll(2) == 0 {
                fs::remove_file(share.join(&file)).expect("deleted");
            } else {
                let name = file.file_name().expect("a name");
                let old = file.with_file_name("old").join(name);
                program::write(&share.join(&old), &log.0[..log.1]);
                fs::remove_file(share.join(&file)).expect("renamed");
                self.logs.insert(old, log);
            }
        }
        self.ground.settle();
    }
}

/// The runs that came to their end.
fn nights(ground: &Ground, store: &str) -> u64 {
    let Ok(db) = rusqlite::Connection::open(ground.store(store).join("store.sqlite")) else {
        return 0;
    };
    let count = "SELECT count(*) FROM night WHERE ended IS NOT NULL";
    // A run that was killed at once leaves no tables.
    let count = db.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap_or(0);
    u64::try_from(count).expect("a count")
}

/// The ids of new incidents that a file of news tells, if it is there.
fn told(news: &Path) -> BTreeSet<String> {
    if !news.is_file() {
        return BTreeSet::new();
    }
    let new = |news: &Value| -> BTreeSet<String> {
        list(news, "new").iter().map(|own| text(own, "id").to_owned()).collect()
    };
    new(&read(news))
}

/// Each refusal of the report was told, by a run that went through once at the most.
fn assert_told(ground: &Ground, runs: &[(PathBuf, bool)]) {
    let mut whole: BTreeMap<String, usize> = BTreeMap::new();
    let mut any = BTreeSet::new();
    for (news, went_through) in runs {
        for id in told(news) {
            if *went_through {
                *whole.entry(id.clone()).or_default() += 1;
            }
            any.insert(id);
        }
    }
    let twice: Vec<_> = whole.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "told again: {twice:?}");
    let report: Value = serde_json::from_str(&night::report(&ground.store("own"))).expect("JSON");
    let all = list(&report, "incidents");
    let missed: Vec<&str> =
        all.iter().map(|own| text(own, "id")).filter(|id| !any.contains(*id)).collect();
    assert!(all.len() > 2 && missed.is_empty(), "of {}, never told: {missed:?}", all.len());
}

#[test]
fn nights_that_are_killed_end_as_undisturbed_ones() {
    let mut growth = Growth::of(16, 11);
    let mut usual = Duration::from_millis(300);
    let mut runs = Vec::new();
    let (mut kills, mut night) = (0, 0);
    while kills < KILLS {
        night += 1;
        if night > 1 {
            growth.tidy_up();
            growth.grow(3);
        }
        for at in 0..A_NIGHT {
            let news = growth.ground.path().join(format!("news-{night}-{at}.json"));
            let args = growth.ground.arguments("own", &news, &[]);
            let killed = kill(&args, usual, &mut growth.dice);
            kills += usize::from(killed);
            runs.push((news, !killed));
            // It may have come to its end before: files that are gone are marked with the run.
            while nights(&growth.ground, "undisturbed") < nights(&growth.ground, "own") {
                growth.ground.night("undisturbed");
            }
            if growth.dice.roll(2) == 0 {
                growth.grow(12);
            }
        }
        let news = growth.ground.path().join(format!("news-{night}.json"));
        let outcome = program::run(&growth.ground.arguments("own", &news, &[]));
        assert_eq!(outcome.status, 0, "{}", outcome.stderr);
        runs.push((news, true));
        let began = Instant::now();
        growth.ground.night("undisturbed");
        usual = began.elapsed();
        assert!(night < 200, "only {kills} runs were killed in {night} nights");
        if night % 8 == 0 {
            assert_same(&growth.ground.store("own"), &growth.ground.store("undisturbed"));
        }
    }
    assert_same(&growth.ground.store("own"), &growth.ground.store("undisturbed"));
    assert_told(&growth.ground, &runs);
}

#[test]
fn a_first_night_that_is_killed_again_and_again_comes_to_its_end() {
    let ground = Ground::of(40, 12);
    let began = Instant::now();
    ground.night("undisturbed");
    let usual = began.elapsed();
    let mut dice = Dice(12);
    let (mut kills, mut stores) = (0, 0);
    while kills < FIRST_KILLS {
        stores += 1;
        let name = format!("store-{stores}");
        let args = arguments(&[&ground.share()], &ground.store(&name), &[]);
        let times = 1 + dice.roll(15);
        for _ in 0..times {
            kills += usize::from(kill(&args, usual, &mut dice));
        }
        ground.night(&name);
        assert_same(&ground.store(&name), &ground.store("undisturbed"));
    }
}
