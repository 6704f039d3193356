//! Whatever happens to a share from night to night: what the store knows after it is what one `analyze`
//! says of everything that was ever there.
//!
//! ```sh
//! cargo test --release --test histories                            # all
//! PROVTRACE_HISTORY=42 cargo test --release --test histories       # one again, by its number
//! PROVTRACE_HISTORIES=5000 cargo test --release --test histories   # more of them
//! ```

mod batch;
mod delivery;
mod program;
#[path = "fleet/rng.rs"]
mod rng;
mod simulation;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use batch::difference;
use delivery::{Log, Share};
use program::{Outcome, files, root, run, text};
use rng::Rng;
use serde_json::Value;
use simulation::Fleet;

/// So many histories are told.
const HISTORIES: u64 = 600;

/// A device's logs as they are in the end: path, bytes.
type Logs = Vec<(String, Vec<u8>)>;

/// Devices that histories are made of.
struct Pool {
    devices: Vec<(String, Logs)>,
    tasks: PathBuf,
    _fleets: Vec<Fleet>,
}

impl Pool {
    fn new() -> Pool {
        let calm = ["--history-days", "1"];
        let bad = ["--history-days", "1", "--zips", "0", "--nightly", "0", "--reruns", "50"];
        let dates = ["--history-days", "1", "--ambiguous-dates", "--encodings", "30"];
        let fleets = vec![
            Fleet::with("full", 12, 5, &calm),
            Fleet::with("hostile", 24, 6, &bad),
            Fleet::with("bare", 8, 7, &calm),
            Fleet::with("full", 8, 8, &dates),
        ];
        let mut devices = Vec::new();
        for share in fleets.iter().map(Fleet::share) {
            for name in program::names(&share, Path::is_dir) {
                let folder = share.join(&name);
                let read = |file: &PathBuf| fs::read(folder.join(file)).expect("a log");
                let path = |file: &PathBuf| file.to_string_lossy().replace('\\', "/");
                let logs: Logs =
                    files(&folder).iter().map(|file| (path(file), read(file))).collect();
                devices.push((name, logs));
            }
        }
        Pool { devices, tasks: fleets[0].tasks(), _fleets: fleets }
    }
}

/// How a share is read, from some night on.
#[derive(Debug, Clone, Default)]
struct Settings {
    args: Vec<String>,
}

impl Settings {
    fn of(pool: &Pool, layout: bool, reading: bool, rng: &mut Rng) -> Settings {
        let mut args = Vec::new();
        if layout {
            args.extend(["--layout".to_owned(), "{device}/**".to_owned()]);
        }
        if rng.percent(40) {
            args.extend(["--tasks".to_owned(), pool.tasks.to_string_lossy().into_owned()]);
        }
        if rng.percent(30) {
            args.extend(["--tz".to_owned(), (*rng.pick(&["Asia/Tokyo", "+01:00"])).to_owned()]);
        }
        if reading {
            let own = *rng.pick(&["french-agent", "german-agent"]);
            args.extend(["--formats".to_owned(), format!("samples/{own}.overlay.toml")]);
        }
        Settings { args }
    }
}

/// A history: a share, its store, and what happened, for people.
struct History<'p> {
    pool: &'p Pool,
    rng: Rng,
    share: Share,
    folder: PathBuf,
    settings: Settings,
    /// Those of the last run that was done, and whether one was killed since.
    done: (Settings, bool),
    destroys: bool,
    told: Vec<String>,
}

impl<'p> History<'p> {
    /// Some devices, of which nothing is there yet.
    fn new(pool: &'p Pool, seed: u64, folder: &Path) -> History<'p> {
        let mut rng = Rng::stream(seed, 0, "history");
        let mut share = Share::new(folder.join("share"));
        let mut names = BTreeSet::new();
        for _ in 0..1 + rng.index(3) {
            let (name, logs) = rng.pick(&pool.devices);
            if names.insert(name.clone()) {
                let log = |(path, bytes): &(String, Vec<u8>)| Log {
                    device: name.clone(),
                    file: format!("{name}/{path}"),
                    member: None,
                    now: None,
                    later: bytes.clone(),
                    seen: None,
                    in_place: false,
                    backdated: false,
                };
                share.logs.extend(logs.iter().map(log));
            }
        }
        let destroys = rng.percent(60);
        let reading = rng.percent(15);
        let layout = destroys || rng.percent(30);
        let settings = Settings::of(pool, layout, reading, &mut rng);
        let folder = folder.to_owned();
        let done = (settings.clone(), false);
        History { pool, rng, share, folder, settings, done, destroys, told: Vec::new() }
    }

    /// All of it; whether it could be compared, or what is wrong in the end.
    fn run(&mut self) -> Result<bool, String> {
        let nights = 2 + self.rng.index(5);
        for night in 0..nights {
            self.day(night + 1 == nights);
            let is_last = night + 1 == nights;
            self.night(is_last)?;
        }
        let compared = self.compare()?;
        batch::compare_facts(&self.folder.join("store"), &self.folder)?;
        Ok(compared)
    }

    /// What happens before a night.
    fn day(&mut self, last: bool) {
        let devices: BTreeSet<String> =
            self.share.logs.iter().map(|log| log.device.clone()).collect();
        self.told.push("-- day".to_owned());
        for device in devices {
            if self.rng.percent(80) {
                self.told.extend(self.share.happen(&device, self.destroys, &mut self.rng));
            }
        }
        if last && self.rng.percent(50) {
            self.share.logs.iter_mut().for_each(|log| log.write(usize::MAX));
            self.told.push("all is written".to_owned());
        }
        // What was destroyed can't be read again by other rules.
        let reading = self.rng.percent(10) && self.share.relics.is_empty();
        if self.rng.percent(15) {
            let as_before = self.has("--formats");
            let reading = if self.share.relics.is_empty() { reading } else { as_before };
            let before = self.settings.clone();
            // What is not there stays with the device that it was of.
            let layout = self.destroys || (self.share.away.is_empty() && self.rng.percent(30));
            let layout = if self.share.away.is_empty() { layout } else { self.has("--layout") };
            self.settings = Settings::of(self.pool, layout, reading, &mut self.rng);
            if !self.share.relics.is_empty() && as_before {
                // The same overlay.
                self.settings = before;
            }
            self.told.push(format!("settings: {:?}", self.settings.args));
        }
        let fresh = self.rng.percent(12);
        if fresh {
            self.told.push("fresh".to_owned());
        }
        self.share.deliver(fresh);
    }

    fn has(&self, flag: &str) -> bool {
        self.settings.args.iter().any(|arg| arg == flag)
    }

    fn args(&self, command: &str, folder: &Path, settings: &Settings) -> Vec<String> {
        let folder = folder.to_string_lossy().into_owned();
        [&[command.to_owned(), folder], settings.args.as_slice()].concat()
    }

    /// Runs the batch; sometimes it is killed before, or only killed.
    fn night(&mut self, last: bool) -> Result<(), String> {
        let news = self.folder.join("news.json");
        let own = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut args = self.args("nightly", &self.share.root, &self.settings);
        args.extend(["--store".to_owned(), own(self.folder.join("store"))]);
        args.extend(["--threads", "2", "--no-progress", "-o"].map(str::to_owned));
        args.push(own(news.clone()));
        while self.rng.percent(15) {
            let millis = self.rng.between(0, 80);
            self.told.push(format!("killed after {millis} ms"));
            kill(&args, u64::try_from(millis).unwrap_or(0));
            self.done.1 = true;
            // Nobody knows what such a run saw: only where nothing goes away it does not matter.
            if !last && self.share.stays && self.rng.percent(40) {
                return Ok(());
            }
        }
        let outcome = run(&args);
        if outcome.status != 0 {
            // Of a share on which nothing lies nothing can be said.
            let nothing = !self.share.logs.iter().any(|log| self.share.is_there(log));
            self.told.push(format!("status {}: {}", outcome.status, outcome.stderr.trim()));
            return if nothing { Ok(()) } else { Err(outcome.stderr) };
        }
        let news: Value = serde_json::from_slice(&fs::read(news).expect("news")).expect("JSON");
        let label =
            format!("{}, run {}", &text(&news["run"], "began")[..10], news["run"]["number"]);
        self.share.seen(&label);
        self.done = (self.settings.clone(), false);
        self.told.push(format!("run {}: {}", news["run"]["number"], news["run"]["files"]));
        Ok(())
    }

    fn compare(&self) -> Result<bool, String> {
        let all = self.folder.join("everything");
        fs::create_dir_all(&all).expect("a folder");
        self.share.everything(&all);
        let store = self.folder.join("store").to_string_lossy().into_owned();
        let found = run(&["report", "--store", &store, "--format", "json"]);
        let (settings, killed) = &self.done;
        if *killed {
            // A share on which nothing lay at last, and a run before that nobody knows how far it came.
            return Ok(false);
        }
        let mut args = self.args("analyze", &all, settings);
        args.extend(["--threads", "2", "--format", "json", "--no-progress"].map(str::to_owned));
        let wanted = run(&args);
        if wanted.status != 0 || found.status != 0 {
            let nothing = files(&all).is_empty() || wanted.stderr.contains("no logs");
            return if nothing { Ok(false) } else { Err(wanted.stderr + &found.stderr) };
        }
        // What can't hold is said (docs/NIGHTLY.md): dates that would be read otherwise now, and a log that
        // is none any more, of which the store keeps what it said.
        let told = |outcome: &Outcome, words: &str| outcome.stdout.contains(words);
        if told(&found, "it is no longer there to be read again")
            || told(&wanted, "binary, not a log")
        {
            return Ok(false);
        }
        let destroyed = self.share.relics.len();
        if found.stdout == wanted.stdout {
            return Ok(true);
        }
        let (found, wanted) = if destroyed == 0 && self.share.away.is_empty() {
            (found.stdout, wanted.stdout)
        } else {
            (essence(found.report()), essence(wanted.report()))
        };
        if found == wanted { Ok(true) } else { Err(difference(&found, &wanted)) }
    }
}

/// What a report says, but for what names paths and counts files.
///
/// A file that was destroyed has another path in the store than in the folder of everything; and the
/// store does not keep one that another file says all of, so that bytes, lines and files may be fewer.
fn essence(mut report: Value) -> String {
    strip(&mut report);
    serde_json::to_string_pretty(&report).expect("JSON")
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["path", "member", "files", "bytes", "skipped", "unrecognised", "formats"] {
                fields.remove(name);
            }
            for name in
                ["lines", "lines_understood", "lines_continued", "lines_unknown", "warnings"]
            {
                fields.remove(name);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Starts a run and ends it after some time, wherever it is.
fn kill(args: &[String], millis: u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provtrace"));
    command.args(args).current_dir(root());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    thread::sleep(Duration::from_millis(millis));
    // It may be done already.
    let _ = child.kill();
    child.wait().expect("it ends");
}

/// A folder in memory, where there is such: a store is told to be on disk after each run, some seconds for all
/// histories together.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder")
}

/// Tells one history; whether it could be compared, or what happened in it, if it went wrong.
fn tell(pool: &Pool, seed: u64) -> Result<bool, (u64, String)> {
    let folder = folder();
    let mut history = History::new(pool, seed, folder.path());
    let result = history.run();
    result.map_err(|why| {
        let kept = std::env::var_os("PROVTRACE_HISTORY").map(|_| folder.keep());
        let told = history.told.join("\n");
        let relics: Vec<&String> = history.share.relics.iter().map(|own| &own.file).collect();
        (seed, format!("history {seed} ({kept:?}):\n{told}\nrelics: {relics:#?}\n{why}"))
    })
}

#[test]
fn after_any_history_the_store_knows_what_analyze_says_of_everything() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let one = number("PROVTRACE_HISTORY");
    let count = number("PROVTRACE_HISTORIES").unwrap_or(HISTORIES);
    let (first, last) = one.map_or((0, count), |one| (one, one + 1));
    let pool = Pool::new();
    let (next, compared) = (AtomicU64::new(first), AtomicU64::new(0));
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut wrong = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last {
                return wrong;
            }
            match tell(&pool, seed) {
                Ok(told) => drop(compared.fetch_add(u64::from(told), Ordering::Relaxed)),
                Err(told) => wrong.push(told),
            }
        }
    };
    let wrong: Vec<(u64, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let few: Vec<&str> = wrong.iter().take(6).map(|(_, told)| told.as_str()).collect();
    let seeds: Vec<u64> = wrong.iter().map(|(seed, _)| *seed).collect();
    assert!(wrong.is_empty(), "{seeds:?} of {} went wrong:\n{}", last - first, few.join("\n\n"));
    let (count, compared) = (last - first, compared.into_inner());
    println!("{compared} of {count} histories were compared");
    // Of the others nothing can be said (docs/NIGHTLY.md): they are few, or nothing was tested.
    assert!(count == 1 || compared * 10 >= count * 9, "{compared} of {count} were compared");
}
