//! What the store knows after a run → what is new, and how often templates and steps were affected over
//! the nights.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::batch::Told;
use crate::clock::read_shown;
use crate::comparison::{self, Row, Verdict};
use crate::contract::{Incident, Report, Tool};
use crate::coverage::FormatCoverage;
use crate::device::DeviceReport;
use crate::discover::Share;
use crate::facts::Names;
use crate::news::{Fallen, Files, Known, News, Night, Point, Revision, Silent, Trend, Withdrawn};
use crate::signature::name_templates;
use crate::store::{Store, unpack};
use crate::story::Request;
use crate::summary;
use crate::walk::Skipped;

/// Most nights of a trend.
const NIGHTS: usize = 60;
/// With fewer lines read, nothing is said of how many are understood.
const ENOUGH: u64 = 50;
/// Most devices that are named for a kind of logs that is no longer understood.
const NAMED: usize = 3;

/// What a run did so far, as the store keeps it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Work {
    /// Whether the run was broken off, and went on.
    pub resumed: bool,
    /// Devices that something new came of.
    pub devices_changed: u64,
    /// What became of files of devices that were read.
    pub files: Files,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// By format, lines that were new, and those of them that were understood.
    pub formats: BTreeMap<String, Lines>,
    /// What could not be read.
    pub skipped: BTreeSet<Skipped>,
}

/// Lines that were new.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Lines {
    /// All that continue no other.
    lines: u64,
    understood: u64,
    /// Some devices with such that were not understood.
    devices: BTreeSet<String>,
}

/// What is told of all nights, for a run that finds nothing new.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outlook {
    known: Known,
    trends: Vec<Trend>,
    /// What readers were told to know.
    pub warnings: Vec<String>,
    /// By device, the names of templates that its facts were written with.
    pub names: Names,
}

impl Work {
    /// Adds what a device gave.
    pub fn add(&mut self, report: &DeviceReport, before: Option<&DeviceReport>) {
        for (name, own) in &report.formats {
            let old = before.and_then(|before| before.formats.get(name));
            let (records, understood) = (records(own), own.lines_understood);
            let old = old.map_or((0, 0), |old| (self::records(old), old.lines_understood));
            let (lines, understood) =
                (records.saturating_sub(old.0), understood.saturating_sub(old.1));
            let sum = self.formats.entry(name.clone()).or_default();
            sum.lines += lines;
            sum.understood += understood;
            if understood * 2 < lines && sum.devices.len() < NAMED {
                sum.devices.insert(report.device.clone());
            }
        }
        self.skipped.extend(report.skipped.iter().cloned());
    }

    /// Kinds of logs that are not understood in what was read, and were before.
    fn fallen(&self, all: &[FormatCoverage]) -> Vec<Fallen> {
        let mut fallen = Vec::new();
        for own in all {
            let Some(now) = self.formats.get(&own.format).filter(|now| now.lines >= ENOUGH) else {
                continue;
            };
            let lines = records(own).saturating_sub(now.lines);
            let understood = own.lines_understood.saturating_sub(now.understood);
            let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
            let (before, share) = (share(understood, lines), share(now.understood, now.lines));
            if lines >= ENOUGH && before >= 0.5 && share * 2.0 < before {
                fallen.push(Fallen {
                    format: own.format.clone(),
                    lines: now.lines,
                    understood: now.understood,
                    share_before: before,
                    share,
                    devices: now.devices.iter().cloned().collect(),
                });
            }
        }
        fallen
    }
}

fn records(own: &FormatCoverage) -> u64 {
    own.lines - own.lines_continued
}

/// All reports of the store, those of runs that were seen first in the run `night` marked as later ones;
/// and by device and run the number of the run that saw it first.
///
/// # Errors
/// Of the store.
pub fn reports(store: &Store, night: u64) -> Result<(Vec<DeviceReport>, Firsts), String> {
    let (mut reports, mut firsts) = (Vec::new(), Firsts::new());
    store.reports(|name, packed| {
        let told: Told = unpack(&packed).map_err(|why| store.says(&name, &why))?;
        let Told { mut report, firsts: own } = told;
        let own: BTreeMap<String, u64> = own.into_iter().collect();
        for run in &mut report.runs {
            run.later = own.get(&run.began) == Some(&night);
        }
        for incident in &mut report.incidents {
            incident.at_millis = read_shown(&incident.at).map_or(0, |(millis, _)| millis);
        }
        firsts.insert(name, own);
        reports.push(report);
        Ok(())
    })?;
    reports.sort_by_cached_key(|report| report.device.to_uppercase());
    Ok((reports, firsts))
}

/// By device and begin of a run the number of the batch's run that saw it first.
pub type Firsts = BTreeMap<String, BTreeMap<String, u64>>;

/// What is told of a run of the batch, as far as it is known without the devices' reports.
#[derive(Debug)]
pub struct Frame {
    /// What was done.
    pub run: Night,
    /// Devices that went silent.
    pub silent: Vec<Silent>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
}

/// The news of a run that something new was found in, and what later quiet runs tell.
///
/// # Errors
/// Of the store, or the ranking's, which no input can cause.
///
/// `told` is what readers know already.
pub fn news(
    store: &Store,
    frame: Frame,
    (work, told): (&Work, &[String]),
    share: &Share,
    request: &Request,
) -> Result<(News, Outlook, Vec<Incident>), String> {
    let night = frame.run.number;
    let (mut reports, firsts) = reports(store, night)?;
    name_templates(&mut reports);
    let [before, after] = summary::sides(&reports, share)?;
    let (trends_of, names) =
        (points(store, &reports, &firsts)?, reports.iter().map(names).collect());
    let (report, _chronicles) = summary::summarize_named(reports, share, request)?;
    let comparison = comparison::compare(before, after);
    let rows = || comparison.templates.iter().chain(&comparison.steps);
    let with =
        |verdict| -> Vec<Row> { rows().filter(|row| row.verdict == verdict).cloned().collect() };
    let trends = trends(&report, trends_of);
    let known = known(&report);
    let first = first_seen(store, night)?;
    let outlook =
        Outlook { known, trends: trends.clone(), warnings: report.warnings.clone(), names };
    let news = News {
        new: new(&report, &first),
        revised: revised(store, night, &report, &first)?,
        withdrawn: withdrawn(store, night)?,
        worse: with(Verdict::Worse),
        fixed: with(Verdict::Better),
        fallen: work.fallen(&report.coverage.formats),
        warnings: report.warnings.iter().filter(|own| !told.contains(own)).cloned().collect(),
        ..quiet(frame, Outlook { trends, ..outlook.clone() })
    };
    Ok((news, outlook, report.incidents))
}

/// The news of a run that found nothing.
pub fn quiet(frame: Frame, outlook: Outlook) -> News {
    let Frame { run, silent, skipped } = frame;
    News {
        schema: "provtrace.news.v1",
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        run,
        known: outlook.known,
        new: Vec::new(),
        revised: Vec::new(),
        withdrawn: Vec::new(),
        worse: Vec::new(),
        fixed: Vec::new(),
        silent,
        fallen: Vec::new(),
        trends: outlook.trends,
        skipped,
        // What was said once is no news.
        warnings: Vec::new(),
    }
}

/// The names of a device's templates as the ranking gives them.
fn names(report: &DeviceReport) -> (String, BTreeMap<u32, String>) {
    let named = report.runs.iter().filter_map(|run| Some((run.number, run.template.clone()?.0)));
    (report.device.clone(), named.collect())
}

fn known(report: &Report) -> Known {
    Known {
        devices: report.coverage.devices,
        runs: report.coverage.runs,
        affected_runs: report.templates.iter().map(|row| row.affected_runs).sum(),
        incidents: report.incidents.len() as u64,
    }
}

/// Device and id of incidents that a run saw first; what it withdrew, too, was never told.
fn first_seen(store: &Store, night: u64) -> Result<BTreeSet<(String, String)>, String> {
    let rows = store.incidents_of_night("first", night)?.into_iter();
    let told = rows.filter(|(_, row)| row.withdrawn.is_none());
    Ok(told.map(|(device, row)| (device, row.id)).collect())
}

/// Those of a report's incidents, in its order.
fn new(report: &Report, ids: &BTreeSet<(String, String)>) -> Vec<Incident> {
    let is_new = |own: &&Incident| ids.contains(&(own.device.clone(), own.id.clone()));
    report.incidents.iter().filter(is_new).cloned().collect()
}

fn find(report: &Report, (device, id): &(String, String)) -> Option<Incident> {
    report.incidents.iter().find(|own| own.id == *id && own.device == *device).cloned()
}

fn revised(
    store: &Store,
    night: u64,
    report: &Report,
    new: &BTreeSet<(String, String)>,
) -> Result<Vec<Revision>, String> {
    let mut revised = Vec::new();
    for row in store.revisions(Some(night))? {
        let key = (row.device, row.id);
        // What the same run saw first is told as it is now.
        if new.contains(&key) {
            continue;
        }
        let changed = unpack(&row.value).map_err(|why| store.says(&key.1, &why))?;
        revised.extend(find(report, &key).map(|incident| Revision { incident, changed }));
    }
    revised.sort_by(|a, b| {
        let key = |own: &Revision| (own.incident.device.clone(), own.incident.at_millis);
        key(a).cmp(&key(b))
    });
    Ok(revised)
}

fn withdrawn(store: &Store, night: u64) -> Result<Vec<Withdrawn>, String> {
    let rows = store.incidents_of_night("withdrawn", night)?;
    let mut withdrawn = Vec::new();
    for (device, row) in rows.into_iter().filter(|(_, row)| row.first < night) {
        let own: Incident = unpack(&row.value).map_err(|why| store.says(&row.id, &why))?;
        withdrawn.push(Withdrawn { id: row.id, device, step: own.step, at: own.at });
    }
    withdrawn.sort_by(|a, b| (&a.device, &a.at).cmp(&(&b.device, &b.at)));
    Ok(withdrawn)
}

/// By template and step, then day: runs, and those with an incident.
type Points = BTreeMap<(Option<String>, Option<String>), BTreeMap<String, (u64, u64)>>;

fn points(store: &Store, named: &[DeviceReport], firsts: &Firsts) -> Result<Points, String> {
    let day = |began: &str| began.get(..10).unwrap_or_default().to_owned();
    let days: BTreeMap<u64, String> =
        store.nights(u64::MAX)?.iter().map(|night| (night.number, day(&night.began))).collect();
    let mut points = Points::new();
    for report in named {
        let own = firsts.get(&report.device);
        for run in &report.runs {
            let night = own.and_then(|own| own.get(&run.began));
            let Some(day) = night.and_then(|night| days.get(night)) else { continue };
            let template = run.template.as_ref().map(|(name, _)| name.clone());
            let mut add = |step: Option<String>, affected: bool| {
                let days = points.entry((template.clone(), step)).or_default();
                let (runs, hit) = days.entry(day.clone()).or_default();
                *runs += 1;
                *hit += u64::from(affected);
            };
            add(None, run.steps.iter().any(|step| step.refused));
            for step in &run.steps {
                add(Some(step.name.clone()), step.refused);
            }
        }
    }
    Ok(points)
}

/// Templates and steps in the order of the report's ranking.
fn trends(report: &Report, mut points: Points) -> Vec<Trend> {
    let mut trend = |template: &Option<String>, step: Option<&String>, runs, affected| {
        let days = points.remove(&(template.clone(), step.cloned())).unwrap_or_default();
        let point = |(day, (runs, affected))| Point { day, runs, affected };
        let mut points: Vec<Point> = days.into_iter().map(point).collect();
        points.drain(..points.len().saturating_sub(NIGHTS));
        Trend { template: template.clone(), step: step.cloned(), runs, affected, points }
    };
    let mut trends = Vec::new();
    for row in &report.templates {
        trends.push(trend(&row.template, None, row.runs, row.affected_runs));
        for step in report.steps.iter().filter(|step| step.template == row.template) {
            trends.push(trend(&row.template, Some(&step.step), step.attempts, step.incidents));
        }
    }
    trends
}
