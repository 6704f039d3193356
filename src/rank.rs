//! All devices → ranked templates and steps. The home of polars.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{
    DataFrame, NamedFrom, PolarsError, PolarsResult, Series, SortMultipleOptions,
};

use crate::chance::Share;
use crate::citation::to_tenth;
use crate::contract::{StepRow, TemplateRow};
use crate::device::DeviceReport;

/// Ranks templates: by `rate_low`, then incidents, both falling, then name.
///
/// # Errors
/// None that input can cause: the columns are made here.
pub fn templates(devices: &[DeviceReport]) -> Result<Vec<TemplateRow>, String> {
    template_rows(devices).map_err(failed)
}

/// Ranks steps: by `rate_low`, then incidents, both falling, then template and name.
///
/// # Errors
/// None that input can cause: the columns are made here.
pub fn steps(devices: &[DeviceReport]) -> Result<Vec<StepRow>, String> {
    step_rows(devices).map_err(failed)
}

fn failed(error: PolarsError) -> String {
    format!("the ranking failed: {error}")
}

fn template_rows(devices: &[DeviceReport]) -> PolarsResult<Vec<TemplateRow>> {
    let frame = runs(devices)?;
    let mut rows = Vec::new();
    for group in groups(&frame, &["template"])? {
        let runs = group.len() as u64;
        let affected_runs = sum(&frame, "affected", &group)?;
        let affected = frame.column("affected")?.u64()?;
        let devices = frame.column("device")?.u64()?;
        let hit = group.iter().filter(|row| affected.get(**row).unwrap_or(0) > 0);
        let hit_devices: BTreeSet<Option<u64>> = hit.map(|row| devices.get(*row)).collect();
        let lost = frame.column("lost")?.f64()?;
        let minutes: f64 = group.iter().filter_map(|row| lost.get(*row)).sum();
        let (rate, rate_low, rate_high) = wilson(affected_runs, runs);
        rows.push(TemplateRow {
            rank: 0,
            template: text(&frame, "template", &group)?,
            runs,
            affected_runs,
            incidents: sum(&frame, "incidents", &group)?,
            devices: hit_devices.len() as u64,
            rate,
            rate_low,
            rate_high,
            workaround_runs: sum(&frame, "workaround", &group)?,
            workaround_unknown_runs: sum(&frame, "unknown", &group)?,
            minutes_lost: to_tenth(minutes),
        });
    }
    let keys = rows.iter().map(|row| (row.rate_low, row.incidents, row.template.as_deref(), ""));
    let order = ranked(keys)?;
    Ok(order
        .into_iter()
        .zip(1..)
        .map(|(at, rank)| TemplateRow { rank, ..rows[at].clone() })
        .collect())
}

/// One row a run.
fn runs(devices: &[DeviceReport]) -> PolarsResult<DataFrame> {
    let mut names = Vec::new();
    let mut affected = Vec::new();
    let mut incidents = Vec::new();
    let mut lost = Vec::new();
    let mut places = Vec::new();
    let mut workaround = Vec::new();
    let mut unknown = Vec::new();
    for (place, device) in devices.iter().enumerate() {
        for run in &device.runs {
            let refused = run.steps.iter().filter(|step| step.refused).count() as u64;
            names.push(run.template.as_ref().map(|(name, _)| name.as_str()));
            affected.push(u64::from(refused > 0));
            incidents.push(refused);
            lost.push(run.minutes_lost.unwrap_or(0.0));
            places.push(place as u64);
            workaround.push(u64::from(run.workaround == Some(true)));
            unknown.push(u64::from(run.workaround.is_none()));
        }
    }
    DataFrame::new_infer_height(vec![
        Series::new("template".into(), names).into(),
        Series::new("affected".into(), affected).into(),
        Series::new("incidents".into(), incidents).into(),
        Series::new("lost".into(), lost).into(),
        Series::new("device".into(), places).into(),
        Series::new("workaround".into(), workaround).into(),
        Series::new("unknown".into(), unknown).into(),
    ])
}

fn step_rows(devices: &[DeviceReport]) -> PolarsResult<Vec<StepRow>> {
    let runs = devices.iter().flat_map(|device| &device.runs);
    let all: Vec<_> = runs
        .flat_map(|run| {
            run.steps
                .iter()
                .map(|step| (run.template.as_ref().map(|(name, _)| name.as_str()), step))
        })
        .collect();
    let frame = DataFrame::new_infer_height(vec![
        Series::new(
            "template".into(),
            all.iter().map(|(template, _)| *template).collect::<Vec<_>>(),
        )
        .into(),
        Series::new(
            "step".into(),
            all.iter().map(|(_, step)| step.name.as_str()).collect::<Vec<_>>(),
        )
        .into(),
        Series::new("ordinal".into(), all.iter().map(|(_, step)| step.ordinal).collect::<Vec<_>>())
            .into(),
        Series::new(
            "refused".into(),
            all.iter().map(|(_, step)| u64::from(step.refused)).collect::<Vec<_>>(),
        )
        .into(),
    ])?;
    let mut rows = Vec::new();
    for group in groups(&frame, &["template", "step"])? {
        let attempts = group.len() as u64;
        let incidents = sum(&frame, "refused", &group)?;
        let (rate, rate_low, rate_high) = wilson(incidents, attempts);
        let ordinals = frame.column("ordinal")?.u32()?;
        rows.push(StepRow {
            rank: 0,
            template: text(&frame, "template", &group)?,
            step: text(&frame, "step", &group)?.unwrap_or_default(),
            ordinal: most_common(group.iter().filter_map(|row| ordinals.get(*row))),
            attempts,
            incidents,
            rate,
            rate_low,
            rate_high,
        });
    }
    let keys = rows
        .iter()
        .map(|row| (row.rate_low, row.incidents, row.template.as_deref(), row.step.as_str()));
    let order = ranked(keys)?;
    Ok(order.into_iter().zip(1..).map(|(at, rank)| StepRow { rank, ..rows[at].clone() }).collect())
}

/// The rows of each group.
fn groups(frame: &DataFrame, by: &[&str]) -> PolarsResult<Vec<Vec<usize>>> {
    if frame.height() == 0 {
        return Ok(Vec::new());
    }
    let grouped = frame.group_by_stable(by.iter().copied())?;
    let rows = |group: polars::prelude::GroupsIndicator<'_>| match group {
        polars::prelude::GroupsIndicator::Idx((_, rows)) => {
            rows.iter().map(|row| *row as usize).collect()
        }
        polars::prelude::GroupsIndicator::Slice([first, length]) => {
            (first as usize..(first + length) as usize).collect()
        }
    };
    Ok(grouped.get_groups().iter().map(rows).collect())
}

fn sum(frame: &DataFrame, column: &str, group: &[usize]) -> PolarsResult<u64> {
    let values = frame.column(column)?.u64()?;
    Ok(group.iter().filter_map(|row| values.get(*row)).sum())
}

fn text(frame: &DataFrame, column: &str, group: &[usize]) -> PolarsResult<Option<String>> {
    let values = frame.column(column)?.str()?;
    Ok(group.first().and_then(|row| values.get(*row)).map(str::to_owned))
}

/// The order of rows by rate, incidents and two names.
fn ranked<'r>(
    keys: impl Iterator<Item = (f64, u64, Option<&'r str>, &'r str)> + Clone,
) -> PolarsResult<Vec<usize>> {
    let count = keys.clone().count() as u64;
    let frame = DataFrame::new_infer_height(vec![
        Series::new("rate_low".into(), keys.clone().map(|key| key.0).collect::<Vec<_>>()).into(),
        Series::new("incidents".into(), keys.clone().map(|key| key.1).collect::<Vec<_>>()).into(),
        Series::new("template".into(), keys.clone().map(|key| key.2).collect::<Vec<_>>()).into(),
        Series::new("step".into(), keys.map(|key| key.3).collect::<Vec<_>>()).into(),
        Series::new("row".into(), (0..count).collect::<Vec<_>>()).into(),
    ])?;
    let options = SortMultipleOptions::default()
        .with_order_descending_multi([true, true, false, false])
        .with_nulls_last(true)
        .with_maintain_order(true)
        .with_multithreaded(false);
    let sorted = frame.sort(["rate_low", "incidents", "template", "step"], options)?;
    Ok(sorted.column("row")?.u64()?.into_no_null_iter().map(|row| row as usize).collect())
}

fn most_common(values: impl Iterator<Item = u32>) -> u32 {
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let best = counts.into_iter().max_by_key(|(value, count)| (*count, std::cmp::Reverse(*value)));
    best.map_or(0, |(value, _)| value)
}

/// Rate and 95 % Wilson score interval, to four places.
fn wilson(hits: u64, of: u64) -> (f64, f64, f64) {
    if of == 0 {
        return (0.0, 0.0, 0.0);
    }
    let share = Share { hits, of };
    let (low, high) = share.wilson();
    let round = |value: f64| (value.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0;
    (round(share.rate()), round(low), round(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_one_does_not_outrank_300_of_400() {
        let (_, low_small, _) = wilson(1, 1);
        let (rate, low_large, high_large) = wilson(300, 400);
        assert!(low_small < low_large);
        assert_eq!((rate, low_large, high_large), (0.75, 0.7053, 0.7899));
        assert_eq!(wilson(0, 0), (0.0, 0.0, 0.0));
    }
}
