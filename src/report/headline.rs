//! What every form of the news begins and ends with: the news in a sentence, the run in two.

use crate::news::{Files, Known, News, Night};
use crate::report::plain::{count, harmless};

/// From one in so many files on, an all-clear says what could not be read.
const UNREAD: u64 = 10;

/// The news in one sentence.
pub fn headline(news: &News) -> String {
    if !news.is_any() {
        return nothing(news);
    }
    let told = parts(news).join(", ");
    match news.run.since {
        Some(_) => format!("{told}."),
        None => format!("First run, so all is new: {told}."),
    }
}

/// What the news are, each in some words, what matters most first.
fn parts(news: &News) -> Vec<String> {
    let News { new, revised, withdrawn, worse, fixed, silent, fallen, .. } = news;
    let refusals = |some: usize| count(some as u64, "refusal");
    // Of a store that knew nothing everything is new.
    let noun = if news.run.since.is_some() { "new refusal" } else { "refusal" };
    let all = [
        (new.len(), count(new.len() as u64, noun)),
        (worse.len(), format!("{} worse", rows(worse))),
        (fallen.len(), format!("{} no longer understood", kinds(fallen.len()))),
        (silent.len(), format!("{} went silent", count(silent.len() as u64, "device"))),
        (revised.len(), format!("{} told otherwise", refusals(revised.len()))),
        (withdrawn.len(), format!("{} withdrawn", refusals(withdrawn.len()))),
        (fixed.len(), format!("{} fixed", rows(fixed))),
    ];
    all.into_iter().filter(|(some, _)| *some > 0).map(|(_, told)| told).collect()
}

/// `1 template and 2 steps`
fn rows(rows: &[crate::comparison::Row]) -> String {
    let steps = rows.iter().filter(|row| row.step.is_some()).count() as u64;
    match (rows.len() as u64 - steps, steps) {
        (0, steps) => count(steps, "step"),
        (templates, 0) => count(templates, "template"),
        (templates, steps) => {
            format!("{} and {}", count(templates, "template"), count(steps, "step"))
        }
    }
}

fn kinds(some: usize) -> String {
    if some == 1 { "1 kind of logs".to_owned() } else { format!("{some} kinds of logs") }
}

/// An all-clear, unless little was there that could have shown anything.
fn nothing(news: &News) -> String {
    let files = &news.run.files;
    let all = found(files);
    if files.skipped > 0 && files.skipped.saturating_mul(UNREAD) >= all {
        return format!(
            "Nothing new, but {} of {} could not be read.",
            files.skipped,
            count(all, "file")
        );
    }
    match &news.run.since {
        _ if news.known.devices == 0 => "Nothing new: no device is known.".to_owned(),
        Some(since) if news.run.devices_changed == 0 => {
            format!("Nothing new: no device delivered anything since {}.", minute(since))
        }
        Some(_) | None => "Nothing new.".to_owned(),
    }
}

/// All files that are there, whatever became of them.
pub fn found(files: &Files) -> u64 {
    let Files { new, grown, moved, replaced, unchanged, gone: _, skipped } = *files;
    let all = [new, grown, moved, replaced, unchanged, skipped];
    all.into_iter().fold(0, u64::saturating_add)
}

/// What became of the files: a word for people, and how many.
fn states(files: &Files) -> [(&'static str, u64); 7] {
    [
        ("new", files.new),
        ("grown", files.grown),
        ("moved", files.moved),
        ("replaced", files.replaced),
        ("unchanged", files.unchanged),
        ("gone", files.gone),
        ("not read", files.skipped),
    ]
}

/// What the run did, and what is known now: a sentence each.
pub fn summary(news: &News) -> [String; 2] {
    let Night { number, began, seconds, resumed, devices_changed, files, .. } = &news.run;
    let Known { devices, runs, affected_runs, incidents } = news.known;
    let states = states(files).into_iter().filter(|(_, some)| *some > 0);
    let states: Vec<String> = states.map(|(word, some)| format!("{some} {word}")).collect();
    let states =
        if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) };
    let broken = if *resumed { ", went on where a run was broken off" } else { "" };
    let memory = news.run.peak_memory.map(|peak| format!(", at most {} of memory", size(peak)));
    [
        format!(
            "Run {number}, {}, took {}{broken}: {devices_changed} of {} delivered; {}{states}; {} of {} read{}.",
            minute(began),
            duration(*seconds),
            count(devices, "device"),
            count(found(files), "file"),
            size(news.run.bytes_read),
            size(news.run.bytes_found),
            memory.unwrap_or_default()
        ),
        format!(
            "Known by now: {}, {}, {affected_runs} of them with a refused step, {}.",
            count(devices, "device"),
            count(runs, "run"),
            count(incidents, "refusal")
        ),
    ]
}

/// `2026-11-25 02:00 UTC`; what is no such time stays as it is.
pub fn minute(time: &str) -> String {
    let shown = time.get(..16).zip(time.get(16..)).filter(|(_, rest)| rest.ends_with('Z'));
    let shown = shown.map(|(shown, _)| format!("{} UTC", shown.replace('T', " ")));
    harmless(shown.as_deref().unwrap_or(time)).into_owned()
}

/// `48.2 MB`
pub fn size(bytes: u64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let bytes = bytes as f64;
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes < unit * 10.0 => format!("{:.1} {name}", bytes / unit),
        Some((unit, name)) => format!("{:.0} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// `3 min 12 s`
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) => format!("{:.1} s", seconds.max(0.0)),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::specimen;

    #[test]
    fn the_news_in_a_sentence() {
        let mut news = specimen::usual();
        assert_eq!(
            headline(&news),
            "3 new refusals, 1 template and 1 step worse, 1 kind of logs no longer understood, 2 devices went \
             silent, 1 refusal told otherwise, 1 refusal withdrawn, 1 template fixed."
        );
        news.run.since = None;
        assert!(headline(&news).starts_with("First run, so all is new: 3 refusals,"));
        let mut one = specimen::quiet();
        one.silent = news.silent;
        assert_eq!(headline(&one), "2 devices went silent.");
    }

    #[test]
    fn an_all_clear_says_what_it_rests_on() {
        let mut news = specimen::quiet();
        assert_eq!(headline(&news), "Nothing new.");
        news.run.files.skipped = 30;
        assert_eq!(headline(&news), "Nothing new.", "a few are locked every night");
        news.run.files = Files { unchanged: 90, skipped: 10, ..Files::default() };
        assert_eq!(headline(&news), "Nothing new, but 10 of 100 files could not be read.");
        news.run.files.skipped = 0;
        news.run.devices_changed = 0;
        assert_eq!(
            headline(&news),
            "Nothing new: no device delivered anything since 2026-11-24 02:00 UTC."
        );
        news.known.devices = 0;
        assert_eq!(headline(&news), "Nothing new: no device is known.");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(1_000), "1.0 kB");
        assert_eq!(size(48_200_000), "48 MB");
        assert_eq!(size(6_130_000_000), "6.1 GB");
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(59.4), "59.4 s");
        assert_eq!(duration(192.25), "3 min 12 s");
        assert_eq!(duration(7_260.0), "2 h 1 min");
        assert_eq!(duration(f64::NAN), "0.0 s");
        assert_eq!(minute("2026-11-25T02:00:00.5Z"), "2026-11-25 02:00 UTC");
        assert_eq!(minute("é\u{1b}"), "é\\u{1b}");
    }
}
