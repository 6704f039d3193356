//! Witnesses of processes' lives beside their own logs: the registry's last runs, the event
//! log's starts and ends, the state files of tasks. They write UTC.

use std::collections::BTreeMap;

use provtrace_parsers::event::{Event, Launcher};
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::stamp::Stamp;

use crate::clock::Clock;
use crate::ingest::PLAUSIBLE;
use crate::lifetime::{End, EntryRef, Known, LaunchedBy, Program};
use crate::logs::{DeviceLogs, Entry};
use crate::sequence::records;

/// Milliseconds from 1601 to 1970.
const FILETIME_EPOCH: i64 = 11_644_473_600_000;
/// The longest run that the registry is believed, in milliseconds.
const LONGEST_RUN: i64 = 7 * 86_400_000;

/// A process as a witness saw it: at least one of its ends.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Which program.
    pub program: Program,
    /// Whose word it is.
    pub kind: SourceKind,
    /// Process id.
    pub pid: Option<u32>,
    /// The task in its command line.
    pub task: Option<String>,
    /// Its command line is a status sender's.
    pub messenger: bool,
    /// Its start.
    pub start: Option<End>,
    /// Its end.
    pub end: Option<End>,
    /// What launched it; the scheduler's runs are not told apart yet.
    pub launched_by: LaunchedBy,
}

impl Witness {
    /// Its records.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef> {
        self.start.into_iter().chain(self.end).map(|end| end.entry)
    }

    /// How long it lived, in seconds, where both ends are known.
    pub fn seconds(&self) -> Option<i64> {
        Some(self.end?.at.seconds_since(self.start?.at))
    }
}

/// Puts records that are written in UTC on the device's axis. Where the
/// device's zone is not known this can't be done, and a warning says so.
pub fn settle(logs: &mut DeviceLogs, clock: &Clock) {
    let mut lost = 0;
    for log in &mut logs.sources {
        let times: Vec<(usize, i64)> = match log.kind {
            SourceKind::Registry => registry_times(&log.entries),
            SourceKind::EventLog | SourceKind::PolicyStatus => log
                .entries
                .iter()
                .enumerate()
                .filter_map(|(at, own)| Some((at, utc(own)?)))
                .collect(),
            SourceKind::Provisioning
            | SourceKind::Sdclient
            | SourceKind::Vulscan
            | SourceKind::Localsch
            | SourceKind::Policysync
            | SourceKind::DeviceFacts => continue,
        };
        for (at, utc) in times {
            log.entries[at].place(clock.has_zone().then_some(Stamp(utc)));
            lost += u64::from(
                log.entries[at].stamp().is_none() && log.kind != SourceKind::PolicyStatus,
            );
        }
    }
    if lost > 0 {
        logs.warnings.push(format!(
            "{}: {lost} process times of the registry or the event log are UTC and can't be used, \
             since the device's time zone is not known; add its SystemInfo.log",
            logs.device
        ));
    }
}

/// The time that a record states, in milliseconds since 1970, UTC.
fn utc(entry: &Entry) -> Option<i64> {
    let millis = if let Event::ProcessSeen(seen) = &entry.event {
        seen.utc
    } else if let Event::TaskState(state) = &entry.event {
        state.last_run?.checked_mul(1000)?
    } else {
        return None;
    };
    PLAUSIBLE.contains(&millis).then_some(millis)
}

/// A program's last run: start and duration, each with the place of its record.
type LastRun = (Option<(usize, i64)>, Option<(usize, i64)>);

/// Start and end of the last runs of our programs: the records of start and duration, by their
/// place, with the time of the start and of the end.
fn registry_times(entries: &[Entry]) -> Vec<(usize, i64)> {
    let mut times = Vec::new();
    let mut own: Option<LastRun> = None;
    let mut finish = |own: &mut Option<LastRun>| {
        if let Some((Some((at, start)), duration)) = own.take() {
            times.push((at, start));
            times.extend(duration.map(|(at, duration)| (at, start + duration)));
        }
    };
    for (at, entry) in entries.iter().enumerate() {
        if let Event::Monitored { program } = &entry.event {
            finish(&mut own);
            own = Program::of_path(program).map(|_| (None, None));
        } else if let (Event::LastStarted { ticks }, Some((start, _))) = (&entry.event, &mut own) {
            let millis = i64::try_from(ticks / 10_000).ok().map(|at| at - FILETIME_EPOCH);
            *start = start.or(millis.filter(|at| PLAUSIBLE.contains(at)).map(|utc| (at, utc)));
        } else if let (Event::LastDuration { ticks }, Some((_, span))) = (&entry.event, &mut own) {
            let millis = i64::try_from(ticks / 10_000).ok().filter(|span| *span <= LONGEST_RUN);
            *span = span.or(millis.map(|millis| (at, millis)));
        }
    }
    finish(&mut own);
    times
}

/// All that witnesses saw of a device's processes, after [`settle`]: event logs before the
/// registry, each in order of time, and what lies there twice once.
pub fn witnesses(logs: &DeviceLogs, formats: &Formats) -> Vec<Witness> {
    let mut all = event_logs(logs, formats);
    all.extend(registry(logs));
    let times = |own: &Witness| (own.start.map(|end| end.at), own.end.map(|end| end.at));
    all.sort_by_key(|own| (own.kind != SourceKind::EventLog, times(own), own.program, own.pid));
    all.dedup_by(|a, b| {
        (a.kind, a.program, a.pid, times(a)) == (b.kind, b.program, b.pid, times(b))
    });
    all
}

fn registry(logs: &DeviceLogs) -> Vec<Witness> {
    let mut found = Vec::new();
    for (source, log) in logs.sources.iter().enumerate() {
        if log.kind != SourceKind::Registry {
            continue;
        }
        let mut own: Option<Witness> = None;
        for (at, entry) in log.entries.iter().enumerate() {
            if let Event::Monitored { program } = &entry.event {
                found.extend(own.take());
                own = Program::of_path(program).map(|program| seen(program, log.kind));
            }
            let (Some(own), Some(stamp)) = (&mut own, entry.stamp()) else { continue };
            let entry_ref = EntryRef::new(source, at);
            let end = Some(End { at: stamp, known: Known::Registry, entry: entry_ref });
            if matches!(entry.event, Event::LastStarted { .. }) {
                own.start = end;
            } else if matches!(entry.event, Event::LastDuration { .. }) {
                own.end = end;
            }
        }
        found.extend(own.take());
    }
    found.retain(|own| own.start.is_some());
    found
}

fn seen(program: Program, kind: SourceKind) -> Witness {
    Witness {
        program,
        kind,
        pid: None,
        task: None,
        messenger: false,
        start: None,
        end: None,
        launched_by: LaunchedBy::Unknown,
    }
}

fn event_logs(logs: &DeviceLogs, formats: &Formats) -> Vec<Witness> {
    let mut found: Vec<Witness> = Vec::new();
    // Processes whose end has not come yet.
    let mut open: BTreeMap<(u32, Program), usize> = BTreeMap::new();
    for place in records(logs, SourceKind::EventLog) {
        let entry = logs.entry(place);
        let (Event::ProcessSeen(process), Some(at)) = (&entry.event, entry.stamp()) else {
            continue;
        };
        let Some(program) = Program::of_path(&process.program) else { continue };
        let end = Some(End { at, known: Known::EventLog, entry: place });
        let key = (process.pid, program);
        let started = if process.ended { open.remove(&key) } else { None };
        if let Some(started) = started {
            found[started].end = end;
            continue;
        }
        let mut own = seen(program, SourceKind::EventLog);
        own.pid = Some(process.pid);
        own.launched_by = process.launcher.map_or(LaunchedBy::Unknown, launched_by);
        if process.ended {
            own.end = end;
        } else {
            own.start = end;
            // The same log may lie there twice.
            let again = open
                .get(&key)
                .is_some_and(|before| found[*before].start.is_some_and(|start| start.at == at));
            if again {
                continue;
            }
            open.insert(key, found.len());
        }
        if let Some(line) = &process.command_line {
            let known = &formats.arguments;
            own.messenger = known.messenger.is_match(line);
            own.task = known.task_of(line).map(str::to_owned);
        }
        found.push(own);
    }
    found
}

fn launched_by(launcher: Launcher) -> LaunchedBy {
    match launcher {
        Launcher::LocalScheduler => LaunchedBy::LocalScheduler,
        Launcher::PolicySync => LaunchedBy::PolicySync,
        Launcher::CorePush => LaunchedBy::CorePush,
        Launcher::WindowsTask => LaunchedBy::WindowsTask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Quote;

    #[test]
    fn last_runs_of_our_programs_have_times() {
        let monitored = |program: &str| Event::Monitored { program: program.to_owned() };
        let start = || Event::LastStarted { ticks: 133_874_522_520_000_000 };
        let events = [
            monitored("C:/x/notepad.exe"),
            start(),
            monitored("C:/x/vulscan.exe"),
            start(),
            Event::LastDuration { ticks: 8_350_000_000 },
            monitored("C:/x/sdclient.exe"),
            Event::LastStarted { ticks: 5 },
            Event::LastDuration { ticks: u64::MAX },
        ];
        let quote = Quote { line: 1, offset: 0, length: 0, text: "".into() };
        let entry = |event| Entry {
            stamp: None.into(),
            logged: None.into(),
            pid: None,
            tid: None,
            event,
            mark: None,
            quote: quote.clone(),
        };
        let entries: Vec<Entry> = events.into_iter().map(entry).collect();
        let began = 1_742_978_652_000;
        assert_eq!(registry_times(&entries), [(3, began), (4, began + 835_000)]);
    }
}
