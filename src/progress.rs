//! Progress on standard error, by bytes: a bar on a terminal; a batch writes lines elsewhere.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use provtrace_parsers::stamp::Stamp;

use crate::clock;
use crate::discover::Share;

/// The least time between two lines.
const PAUSE: Duration = Duration::from_secs(60);

/// A bar on a terminal; elsewhere lines for a batch, nothing for others.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    batch: Option<Batch>,
}

/// How far a batch is.
#[derive(Debug)]
struct Batch {
    began: Instant,
    /// What there is to be read.
    bytes: u64,
    devices: u64,
    /// What was read.
    read: AtomicU64,
    done: AtomicU64,
    /// When the next line may be written, in seconds since it began; `None` on a terminal.
    due: Option<AtomicU64>,
}

impl Progress {
    /// A bar for all bytes of the share.
    pub fn new(share: &Share, hidden: bool) -> Progress {
        Progress::of_passes(share, 1, hidden)
    }

    /// A bar for a share that is read so often.
    pub fn of_passes(share: &Share, passes: u64, hidden: bool) -> Progress {
        let bytes = share.devices.iter().map(|device| device.bytes()).sum::<u64>() * passes;
        let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        Progress { bar: bar(Some(bytes), template, hidden), batch: None }
    }

    /// For a batch that does not know yet what there is to be read.
    pub fn of_listing(hidden: bool) -> Progress {
        let bar = bar(None, "{spinner} looking for what is new, {elapsed}", hidden);
        if bar.is_hidden() && !hidden {
            say("looking for what is new");
        }
        Progress { bar, batch: None }
    }

    /// For a batch that has to read so many bytes, of so many devices.
    pub fn of_batch(bytes: u64, devices: u64, hidden: bool) -> Progress {
        let template = "{bar:30} {bytes} of {total_bytes}, {msg}, {bytes_per_sec}, {eta} left";
        let bar = bar(Some(bytes), template, hidden);
        let due = (bar.is_hidden() && !hidden).then(|| AtomicU64::new(PAUSE.as_secs()));
        let (read, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let batch = Batch { began: Instant::now(), bytes, devices, read, done, due };
        bar.set_message(batch.of_devices());
        if batch.due.is_some() {
            say(&batch.ahead());
        }
        Progress { bar, batch: Some(batch) }
    }

    /// Some bytes were read.
    pub fn read(&self, bytes: u64) {
        self.bar.inc(bytes);
        if let Some(batch) = &self.batch {
            batch.read.fetch_add(bytes, Ordering::Relaxed);
            batch.due_line(batch.began.elapsed()).iter().for_each(|line| say(line));
        }
    }

    /// One device more is done.
    pub fn device_done(&self) {
        if let Some(batch) = &self.batch {
            batch.done.fetch_add(1, Ordering::Relaxed);
            self.bar.set_message(batch.of_devices());
            batch.due_line(batch.began.elapsed()).iter().for_each(|line| say(line));
        }
    }

    /// Takes the bar away, or writes the last line.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
        if let Some(batch) = self.batch.as_ref().filter(|batch| batch.due.is_some()) {
            say(&batch.behind(batch.began.elapsed()));
        }
    }
}

impl Batch {
    /// `812 of 20000 devices`.
    fn of_devices(&self) -> String {
        format!("{} of {} devices", self.done.load(Ordering::Relaxed), self.devices)
    }

    /// The first line.
    fn ahead(&self) -> String {
        match self.bytes {
            0 => "nothing new to read".to_owned(),
            bytes => format!("{} to read, on {} devices", HumanBytes(bytes), self.devices),
        }
    }

    /// A line, if one is due so long after the begin; only one thread gets it.
    fn due_line(&self, elapsed: Duration) -> Option<String> {
        let (due, now) = (self.due.as_ref()?, elapsed.as_secs());
        let at = due.load(Ordering::Relaxed);
        let next = now + PAUSE.as_secs();
        let taken = now >= at
            && due.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        taken.then(|| self.between(elapsed))
    }

    /// A line while it reads. What is left is reckoned by what was read in all of the time so far.
    fn between(&self, elapsed: Duration) -> String {
        let read = self.read.load(Ordering::Relaxed);
        let rate = rate(read, elapsed);
        // A file may have grown since it was listed.
        let left = self.bytes.saturating_sub(read);
        let of = format!("{} of {}", HumanBytes(read), HumanBytes(self.bytes.max(read)));
        let left = match left.checked_div(rate) {
            Some(seconds) => format!("{} left", HumanDuration(Duration::from_secs(seconds))),
            None => "time left unknown".to_owned(),
        };
        format!("{of}, {}, {}/s, {left}", self.of_devices(), HumanBytes(rate))
    }

    /// The last line.
    fn behind(&self, elapsed: Duration) -> String {
        let read = self.read.load(Ordering::Relaxed);
        let rate = HumanBytes(rate(read, elapsed));
        let (devices, seconds) = (self.of_devices(), elapsed.as_secs_f64());
        format!("{} read, {devices}, in {seconds:.1} s, {rate}/s", HumanBytes(read))
    }
}

fn bar(length: Option<u64>, template: &str, hidden: bool) -> ProgressBar {
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(length, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    // Its thread ends with the bar.
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Bytes in a second.
fn rate(bytes: u64, elapsed: Duration) -> u64 {
    (bytes as f64 / elapsed.as_secs_f64().max(0.001)) as u64
}

/// A line with the time in front. Who reads it may be gone, which is no reason to stop.
fn say(line: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = clock::show_utc(Stamp(i64::try_from(now).unwrap_or_default() * 1000));
    drop(writeln!(io::stderr(), "{now} {line}"));
}

/// The terminal's width in columns.
pub fn terminal_width() -> Option<u16> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: u64, devices: u64) -> Batch {
        let (read, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let due = Some(AtomicU64::new(PAUSE.as_secs()));
        Batch { began: Instant::now(), bytes, devices, read, done, due }
    }

    #[test]
    fn lines_say_what_is_left() {
        let batch = batch(3 << 30, 20_000);
        assert_eq!(batch.ahead(), "3.00 GiB to read, on 20000 devices");
        let at = Duration::from_secs;
        assert_eq!(
            batch.between(at(1)),
            "0 B of 3.00 GiB, 0 of 20000 devices, 0 B/s, time left unknown"
        );
        batch.read.store(1 << 30, Ordering::Relaxed);
        batch.done.store(812, Ordering::Relaxed);
        assert_eq!(
            batch.between(at(64)),
            "1.00 GiB of 3.00 GiB, 812 of 20000 devices, 16.00 MiB/s, 2 minutes left"
        );
        // More than was listed.
        batch.read.store(4 << 30, Ordering::Relaxed);
        let line = batch.between(at(64));
        assert!(
            line.starts_with("4.00 GiB of 4.00 GiB, ") && line.ends_with(", 0 seconds left"),
            "{line}"
        );
        let line = batch.behind(at(64));
        assert_eq!(line, "4.00 GiB read, 812 of 20000 devices, in 64.0 s, 64.00 MiB/s");
    }

    #[test]
    fn a_line_a_minute_at_the_most() {
        let batch = batch(100, 3);
        let lines = |seconds: u64| batch.due_line(Duration::from_secs(seconds)).iter().count();
        let written: Vec<u64> = (0..400).filter(|second| lines(*second) == 1).collect();
        assert_eq!(written, [60, 120, 180, 240, 300, 360]);
        // Behind a long silence one, not one for each minute of it.
        assert_eq!(lines(4000) + lines(4000) + lines(4059), 1);
        assert_eq!(lines(4060), 1);
        let quiet = Batch { due: None, ..self::batch(100, 3) };
        assert_eq!(quiet.due_line(Duration::from_secs(4000)), None);
    }
}
