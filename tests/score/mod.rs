//! How near a report comes to the truth: docs/ACCURACY.md says what each number means.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use serde_json::Value;

use crate::program::{count, list, text};

/// Counts; the shares are made of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// Devices that were simulated.
    pub devices: u64,
    /// Refused steps that the logs at hand can prove; attempts of one step are one.
    pub expected: u64,
    /// Those that the report has.
    pub found: u64,
    /// Found ones on devices with a zone.
    pub zoned: u64,
    /// Those of them whose time is right to a minute.
    pub timed: u64,
    /// Incidents of the report that never happened.
    pub invented: u64,
    /// Found ones with the mechanism that happened.
    pub mechanism: u64,
    /// Found ones with the mechanism that the logs at hand allow to say.
    pub shown: u64,
    /// Found ones with the right blocker, or rightly without one.
    pub blocker: u64,
    /// Found ones with the right cause of the blocker's start.
    pub launched_by: u64,
    /// Overlaps that refused nobody: as the report counts them.
    pub near_misses: u64,
    /// The same, as they happened.
    pub true_near_misses: u64,
    /// Devices whose last run has the right state.
    pub state_right: u64,
    /// Devices whose last run has a wrong one.
    pub state_wrong: u64,
    /// Devices whose last run is left open.
    pub state_open: u64,
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Score) {
        self.devices += other.devices;
        self.expected += other.expected;
        self.found += other.found;
        self.zoned += other.zoned;
        self.timed += other.timed;
        self.invented += other.invented;
        self.mechanism += other.mechanism;
        self.shown += other.shown;
        self.blocker += other.blocker;
        self.launched_by += other.launched_by;
        self.near_misses += other.near_misses;
        self.true_near_misses += other.true_near_misses;
        self.state_right += other.state_right;
        self.state_wrong += other.state_wrong;
        self.state_open += other.state_open;
    }
}

impl Score {
    /// Of the report's incidents, the share that happened; 1 if it has none.
    pub fn precision(&self) -> f64 {
        share(self.found, self.found + self.invented)
    }

    /// Of the found ones on devices with a zone, those whose time is right to a minute.
    pub fn times(&self) -> f64 {
        share(self.timed, self.zoned)
    }

    /// Of the provable incidents, the share that the report has.
    pub fn recall(&self) -> f64 {
        share(self.found, self.expected)
    }

    /// True mechanism, then what the logs allow: mechanism, blocker and cause. Shares of the
    /// incidents that were found.
    pub fn explained(&self) -> [f64; 4] {
        let right = [self.mechanism, self.shown, self.blocker, self.launched_by];
        right.map(|right| share(right, self.found))
    }

    /// Of the last runs that are not left open, the share with the right state.
    pub fn states(&self) -> f64 {
        share(self.state_right, self.state_right + self.state_wrong)
    }

    /// Compares how each device's last run ended.
    fn add_states(&mut self, devices: &[Value], report: &Value) -> Vec<String> {
        let rows = list(report, "devices").iter().map(|row| (text(row, "device"), row));
        let short = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let rows: BTreeMap<String, &Value> = rows.map(|(name, row)| (short(name), row)).collect();
        let mut wrong = Vec::new();
        for device in devices {
            let runs = list(device, "runs").iter().map(|run| (run, list(run, "steps")));
            let Some((run, [.., last])) = { runs }.rfind(|(_, steps)| !steps.is_empty()) else {
                continue;
            };
            let found = rows.get(text(device, "device"));
            let Some(found) = found.and_then(|row| row["last_run"].as_str()) else { continue };
            let state = text(run, "state");
            // A template may go on after a failed step, and that may have been the last one.
            let bad = matches!(text(last, "result"), "failed" | "refused");
            let right = found == state || (state == "finished" && bad && found == "failed");
            if found == "open" {
                self.state_open += 1;
            } else if right {
                self.state_right += 1;
            } else {
                self.state_wrong += 1;
                let name = text(device, "device");
                wrong.push(format!("{found}, but {state}: {name} run {}", run["run"]));
            }
        }
        wrong
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Compares a report with the truth of a fleet. Gives the wrong answers in words, too: those
/// that the logs at hand show to be wrong.
pub fn score(truth: &Value, report: &Value) -> (Score, Vec<String>) {
    let devices = list(truth, "devices");
    let mut score = Score {
        devices: devices.len() as u64,
        near_misses: count(report, "near_misses"),
        true_near_misses: devices.iter().map(|device| count(device, "near_misses")).sum(),
        ..Score::default()
    };
    let mut wrong = Vec::new();
    let mut left = Reported::of(report);
    let (provable, others) = happened(devices);
    for incident in provable {
        score.expected += 1;
        let Some(found) = left.take(incident) else {
            wrong.push(format!("missed: {}", shown(incident)));
            continue;
        };
        score.found += 1;
        let time = minutes_wrong(text(found, "at"), text(&incident["at"], "utc"));
        score.zoned += u64::from(time.is_some());
        score.timed += u64::from(time == Some(0));
        let told = Told::of(incident);
        let [mechanism, blocker, launched_by] = told.is_said_by(found);
        score.mechanism += u64::from(found["mechanism"] == incident["mechanism"]);
        score.shown += u64::from(mechanism);
        score.blocker += u64::from(blocker);
        score.launched_by += u64::from(launched_by);
        if !mechanism {
            let said = text(found, "mechanism");
            wrong.push(format!("{said}, but {}: {}", told.mechanism, shown(incident)));
        }
    }
    // What happened and can't be proven is no invention, if a report has it all the same.
    for incident in others {
        left.take(incident);
    }
    score.invented = left.0.values().map(|same| same.len() as u64).sum();
    wrong.extend(score.add_states(devices, report));
    wrong.extend(
        left.0
            .into_keys()
            .map(|(device, task, at)| format!("invented: {device} task {task} at {at}")),
    );
    (score, wrong)
}

/// The refused steps, one for all attempts: those with a refusal in the logs, and the others.
fn happened(devices: &[Value]) -> (Vec<&Value>, Vec<&Value>) {
    let mut seen = BTreeSet::new();
    let all = devices.iter().flat_map(|device| list(device, "incidents"));
    let (provable, others): (Vec<&Value>, Vec<&Value>) =
        all.partition(|incident| incident["provable"]["refusal"] == true);
    let step = |incident: &&Value| {
        let (run, ordinal) = (count(incident, "run"), count(incident, "step_ordinal"));
        (text(incident, "device").to_owned(), run, ordinal, task(incident))
    };
    let provable = provable.into_iter().filter(|incident| seen.insert(step(incident))).collect();
    (provable, others)
}

/// A report's incidents that no true one was found for yet: by device, task and time.
struct Reported<'v>(BTreeMap<(String, String, String), Vec<&'v Value>>);

impl<'v> Reported<'v> {
    fn of(report: &'v Value) -> Reported<'v> {
        let mut all: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
        for incident in list(report, "incidents") {
            let device = text(incident, "device").rsplit('/').next().unwrap_or_default();
            // Stamps may have a fraction; the truth is of whole seconds.
            let at = text(incident, "at_logged").split('.').next().unwrap_or_default();
            let key = (device.to_owned(), task(incident), at.to_owned());
            all.entry(key).or_default().push(incident);
        }
        Reported(all)
    }

    /// By the time that the logs print: no clock is better known than by its own reading.
    fn take(&mut self, incident: &Value) -> Option<&'v Value> {
        let at = text(&incident["at"], "local").to_owned();
        let key = (text(incident, "device").to_owned(), task(incident), at);
        let same = self.0.get_mut(&key)?;
        let found = same.pop();
        if same.is_empty() {
            self.0.remove(&key);
        }
        found
    }
}

/// What the logs at hand allow to say of an incident.
struct Told<'v> {
    mechanism: &'v str,
    program: Option<&'v str>,
    launched_by: &'v str,
}

impl Told<'_> {
    fn of(incident: &Value) -> Told<'_> {
        let mechanism = incident["visible_mechanism"].as_str().unwrap_or("unattributed");
        let blocked = mechanism != "unattributed";
        Told {
            mechanism,
            program: incident["blocker"]["program"].as_str().filter(|_| blocked),
            launched_by: incident["visible_launched_by"].as_str().unwrap_or("unknown"),
        }
    }

    /// Whether mechanism, blocker and cause are said.
    fn is_said_by(&self, found: &Value) -> [bool; 3] {
        let blocker = &found["blocker"];
        let said = blocker["launched_by"].as_str().unwrap_or("unknown");
        [
            text(found, "mechanism") == self.mechanism,
            blocker["program"].as_str() == self.program,
            said == self.launched_by,
        ]
    }
}

/// Task ids are numbers in the truth, and text in a report.
fn task(incident: &Value) -> String {
    incident["task_id"].as_str().map_or_else(|| incident["task_id"].to_string(), str::to_owned)
}

fn shown(incident: &Value) -> String {
    let (device, at) = (text(incident, "device"), text(&incident["at"], "local"));
    format!("{device} task {} at {at} ({})", task(incident), text(incident, "mechanism"))
}

/// By how many whole minutes a time of a report is wrong; `None` where it has no zone.
fn minutes_wrong(said: &str, utc: &str) -> Option<i64> {
    let read = |text: &str| Some(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp());
    Some((read(said)? - read(utc)?).abs() / 60)
}
