//! All devices' reports → the report.

use std::collections::BTreeMap;

use crate::chronicle::Chronicle;
use crate::comparison::{Period, Tally};
use crate::contract::{
    DeviceRow, Incident, LongWait, OtherFailure, Report, RunsByState, Tool, UnfinishedRun, hex,
};
use crate::coverage::{self, Coverage, Ignored};
use crate::device::{DeviceReport, RunReport};
use crate::discover::Share;
use crate::ending::RunState;
use crate::rank;
use crate::run::TemplateSource;
use crate::signature::name_templates;
use crate::story::Request;
use crate::suspicion;

/// Merges what the devices gave; `share` tells what no device could give.
///
/// # Errors
/// See [`rank::templates`].
pub fn summarize(
    mut devices: Vec<DeviceReport>,
    share: &Share,
    request: &Request,
) -> Result<(Report, Vec<Chronicle>), String> {
    name_templates(&mut devices);
    summarize_named(devices, share, request)
}

/// The same of devices whose templates have their names: naming is not done twice, since what has no name after
/// it would get one among its like.
///
/// # Errors
/// See [`rank::templates`].
pub fn summarize_named(
    mut devices: Vec<DeviceReport>,
    share: &Share,
    request: &Request,
) -> Result<(Report, Vec<Chronicle>), String> {
    let chronicles = chronicles(&mut devices);
    let templates = rank::templates(&devices)?;
    let steps = rank::steps(&devices)?;
    let mut coverage = coverage(&mut devices, share);
    let mapped = devices.iter().flat_map(|device| &device.runs).any(is_mapped);
    let mut warnings = Vec::new();
    let mut failures: BTreeMap<(u32, String), u64> = BTreeMap::new();
    let mut near_misses = 0;
    let mut clock_changes = Vec::new();
    let long_waits = long_waits(&devices);
    let unfinished_runs = unfinished_runs(&devices);
    let runs_by_state = runs_by_state(&devices);
    let rows = device_rows(&devices);
    let incidents = incidents(&mut devices);
    let unknown_refusals = unknown_refusals(&devices);
    for device in devices {
        near_misses += device.near_misses;
        clock_changes.extend(device.clock_changes);
        warnings.extend(device.warnings);
        for failure in device.other_failures {
            *failures.entry(failure).or_default() += 1;
        }
    }
    count_wordings(&mut coverage, &incidents);
    coverage.overlays.clone_from(&request.overlays);
    clock_changes.sort_by(|a, b| (&a.device, &a.at).cmp(&(&b.device, &b.at)));
    warnings.extend(mapping_warning(request, mapped));
    warnings.extend(ignored_warning(request, coverage.ignored));
    warnings.extend(unknown_refusals);
    warnings.sort();
    let report = Report {
        schema: "provtrace.report.v1",
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        coverage,
        incidents,
        clock_changes,
        near_misses,
        long_waits,
        runs_by_state,
        unfinished_runs,
        other_failures: other_failures(failures),
        templates,
        steps,
        devices: rows,
        warnings,
    };
    Ok((report, chronicles))
}

/// The runs before and after the time that parts them ([`Request::split`]), under the same names of
/// templates.
///
/// # Errors
/// See [`rank::templates`].
pub fn periods(mut devices: Vec<DeviceReport>, share: &Share) -> Result<[Period; 2], String> {
    name_templates(&mut devices);
    sides(&devices, share)
}

/// The same of devices whose templates have their names.
///
/// # Errors
/// See [`rank::templates`].
pub fn sides(devices: &[DeviceReport], share: &Share) -> Result<[Period; 2], String> {
    let formats = coverage::merged(devices.iter().map(|device| &device.formats));
    let caution = coverage::caution(&formats, &share.like_agents);
    let period = |later: bool| {
        let side: Vec<DeviceReport> = devices.iter().map(|device| device.runs_of(later)).collect();
        let templates = rank::templates(&side)?.into_iter().map(|row| {
            let (workaround, unknown) = (row.workaround_runs, row.workaround_unknown_runs);
            let tally = Tally { runs: row.runs, affected: row.affected_runs, workaround, unknown };
            ((row.template, None), tally)
        });
        let steps = rank::steps(&side)?.into_iter().map(|row| {
            let tally =
                Tally { runs: row.attempts, affected: row.incidents, workaround: 0, unknown: 0 };
            ((row.template, Some(row.step)), tally)
        });
        Ok::<_, String>(Period {
            source: String::new(),
            devices: side.iter().filter(|device| !device.runs.is_empty()).count() as u64,
            caution: caution.clone(),
            templates: templates.collect(),
            steps: steps.collect(),
        })
    };
    Ok([period(false)?, period(true)?])
}

/// All incidents in order of time, with the names of their templates.
fn incidents(devices: &mut [DeviceReport]) -> Vec<Incident> {
    let mut incidents = Vec::new();
    for device in devices {
        for mut incident in std::mem::take(&mut device.incidents) {
            let named = template(&device.runs, incident.run).cloned();
            incident.template_source =
                named.as_ref().map_or(TemplateSource::None, |(_, source)| *source);
            incident.template = named.map(|(name, _)| name).or(incident.template);
            incidents.push(incident);
        }
    }
    incidents.sort_by(|a, b| {
        (a.at_millis, &a.device, a.run, &a.id).cmp(&(b.at_millis, &b.device, b.run, &b.id))
    });
    incidents
}

/// The chronicles that are kept, with the names of their templates; by device.
fn chronicles(devices: &mut [DeviceReport]) -> Vec<Chronicle> {
    let mut chronicles = Vec::new();
    for device in devices {
        let Some(mut chronicle) = device.chronicle.take() else { continue };
        for run in &mut chronicle.runs {
            run.template = template(&device.runs, run.number).map(|(name, _)| name.clone());
        }
        if !(chronicle.runs.is_empty() && chronicle.lifetimes.is_empty()) {
            chronicles.push(chronicle);
        }
    }
    chronicles.sort_by(|a, b| a.device.cmp(&b.device));
    chronicles
}

/// Codes that are likely to be refusals, though nothing says so.
fn unknown_refusals(devices: &[DeviceReport]) -> Vec<String> {
    let suspects = suspicion::suspects(devices.iter().map(|device| &device.ended));
    let told = suspects.into_iter().map(|suspect| {
        let told = suspect.told();
        format!(
            "{told} It is likely to mean already running, and is not taken so here: `provtrace \
             formats learn PATH -o learned.toml` proposes it, `--formats learned.toml` puts it in force"
        )
    });
    told.collect()
}

/// How many incidents rest on wordings that were assumed or learned.
fn count_wordings(coverage: &mut Coverage, incidents: &[Incident]) {
    let counted = |is: fn(&Incident) -> bool| incidents.iter().filter(|own| is(own)).count() as u64;
    coverage.assumed_wording = counted(|incident| incident.assumed_wording);
    coverage.learned_wording = counted(|incident| incident.learned_wording);
}

/// Failures by code, most frequent first.
fn other_failures(failures: BTreeMap<(u32, String), u64>) -> Vec<OtherFailure> {
    let row = |((value, meaning), runs)| OtherFailure {
        hex: hex(value),
        code: value & 0xFFFF,
        meaning,
        runs,
    };
    let mut other_failures: Vec<OtherFailure> = failures.into_iter().map(row).collect();
    other_failures.sort_by(|a, b| b.runs.cmp(&a.runs).then(a.hex.cmp(&b.hex)));
    other_failures
}

fn long_waits(devices: &[DeviceReport]) -> Vec<LongWait> {
    let waits =
        devices.iter().flat_map(|device| device.long_waits.iter().map(move |wait| (device, wait)));
    let named = |(device, wait): (&DeviceReport, &LongWait)| LongWait {
        template: template(&device.runs, wait.run).map(|(name, _)| name.clone()),
        ..wait.clone()
    };
    let mut waits: Vec<LongWait> = waits.map(named).collect();
    waits.sort_by(|a, b| {
        (&a.device, a.run, a.step_ordinal, &a.at).cmp(&(&b.device, b.run, b.step_ordinal, &b.at))
    });
    waits
}

fn unfinished_runs(devices: &[DeviceReport]) -> Vec<UnfinishedRun> {
    let runs =
        devices.iter().flat_map(|device| device.unfinished.iter().map(move |run| (device, run)));
    let named = |(device, run): (&DeviceReport, &UnfinishedRun)| UnfinishedRun {
        template: template(&device.runs, run.run).map(|(name, _)| name.clone()),
        ..run.clone()
    };
    let mut runs: Vec<UnfinishedRun> = runs.map(named).collect();
    runs.sort_by(|a, b| (&a.device, a.run).cmp(&(&b.device, b.run)));
    runs
}

/// The template of a device's run, once all templates have their names.
fn template(runs: &[RunReport], number: u32) -> Option<&(String, TemplateSource)> {
    let run = runs.binary_search_by_key(&number, |run| run.number).ok()?;
    runs[run].template.as_ref()
}

fn runs_by_state(devices: &[DeviceReport]) -> RunsByState {
    let mut counts = RunsByState::default();
    for run in devices.iter().flat_map(|device| &device.runs) {
        let count = match run.state {
            RunState::Finished => &mut counts.finished,
            RunState::Failed => &mut counts.failed,
            RunState::Cut => &mut counts.cut,
            RunState::Hung => &mut counts.hung,
            RunState::Open => &mut counts.open,
        };
        *count += 1;
    }
    counts
}

/// The devices of which a log was read.
fn device_rows(devices: &[DeviceReport]) -> Vec<DeviceRow> {
    let read = devices.iter().filter(|device| device.files > 0);
    let row = |device: &DeviceReport| DeviceRow {
        device: device.device.clone(),
        files: device.files,
        runs: device.runs.len() as u64,
        last_run: device.runs.last().map(|run| run.state),
        incidents: device.incidents.len() as u64,
        zone: device.zone.clone(),
        workaround: device.workaround,
    };
    let mut rows: Vec<DeviceRow> = read.map(row).collect();
    rows.sort_by(|a, b| a.device.cmp(&b.device));
    rows
}

fn is_mapped(run: &RunReport) -> bool {
    run.template.as_ref().is_some_and(|(_, source)| *source == TemplateSource::Mapping)
}

/// A mapping that fits nothing is another estate's, or another column's.
fn mapping_warning(request: &Request, mapped: bool) -> Option<String> {
    let count = request.tasks.count();
    (count > 0 && !mapped)
        .then(|| format!("none of the {count} tasks of the mapping occurs in the logs"))
}

/// What is expected to fail and never does may be misspelt.
fn ignored_warning(request: &Request, ignored: Ignored) -> Option<String> {
    (request.ignores && ignored == Ignored::default())
        .then(|| "no failure fits --ignore-step or --ignore-code".to_owned())
}

fn coverage(devices: &mut [DeviceReport], share: &Share) -> Coverage {
    let mut coverage = Coverage {
        skipped: share.skipped.clone(),
        unrecognised: share.unrecognised.clone(),
        other_files: share.other_files,
        ..Coverage::default()
    };
    for device in &mut *devices {
        coverage.devices += u64::from(device.files > 0);
        coverage.runs += device.runs.len() as u64;
        coverage.runs_outside += device.runs_outside;
        let steps = device.runs.iter().flat_map(|run| &run.steps);
        coverage.steps += steps.clone().count() as u64;
        coverage.steps_with_result += steps.filter(|step| step.has_result).count() as u64;
        coverage.refused_outside_runs += device.refused_outside_runs;
        coverage.files += device.files;
        coverage.bytes += device.bytes;
        coverage.lines += device.counts.lines;
        coverage.lines_understood += device.counts.understood;
        coverage.lines_continued += device.counts.continued;
        coverage.lines_unknown += device.counts.unknown;
        coverage.ignored.incidents += device.ignored.incidents;
        coverage.ignored.failures += device.ignored.failures;
        coverage.skipped.append(&mut device.skipped);
        if device.zone.is_none() && device.files > 0 {
            coverage.devices_without_zone.push(device.device.clone());
        }
    }
    coverage.formats = coverage::merged(devices.iter().map(|device| &device.formats));
    coverage.skipped.sort();
    let cautions = [
        coverage::cut(&coverage.skipped),
        coverage::caution(&coverage.formats, &share.like_agents),
    ];
    let cautions: Vec<String> = cautions.into_iter().flatten().collect();
    coverage.caution = (!cautions.is_empty()).then(|| cautions.join(". Also, "));
    coverage.devices_without_zone.sort();
    coverage
}
