//! `report`: what the store knows → the report of `analyze`, without a look at the share.

use rayon::prelude::*;

use crate::belonging::share_of;
use crate::chronicle::Chronicle;
use crate::cli::{FailOn, Format, ReportArgs};
use crate::clock::Window;
use crate::contract::Report;
use crate::device::{self, DeviceReport};
use crate::digest;
use crate::discover::Share;
use crate::failure::Failure;
use crate::intake::{self, FOUND};
use crate::lineage::Memory;
use crate::report::medium;
use crate::settings::Settings;
use crate::store::{Store, refuse_within, unpack};
use crate::story::{self, Kept, Request};
use crate::summary;

/// Devices that are told at once.
const AT_ONCE: usize = 256;

/// `report`: the report of all that the store knows.
///
/// # Errors
/// If there is no store, or the report can't be written.
pub fn report(args: &ReportArgs) -> Result<u8, Failure> {
    let targets = medium::targets(&args.output, args.format).map_err(Failure::Asked)?;
    intake::refuse_terminal(&targets)?;
    for path in targets.iter().filter_map(|target| target.path.as_ref()) {
        refuse_within(&args.store, path).map_err(Failure::Asked)?;
    }
    let kept = targets.iter().map(|target| target.medium.needs()).max().unwrap_or(Kept::Nothing);
    let store = Store::read(&args.store).map_err(Failure::Asked)?;
    // The story of a single device goes first, with its picture.
    let is_one = store.devices().map_err(Failure::Asked)?.len() == 1;
    let pictured = is_one && targets.iter().any(|target| target.medium == Format::Table);
    let kept = if pictured { Kept::Everything } else { kept };
    let window = Window { since: args.since, until: args.until };
    let (report, chronicles) = told(&store, window, kept).map_err(Failure::Asked)?;
    intake::write(&targets, args.evidence, &report, &chronicles, &Share::default())?;
    let found = args.fail_on == Some(FailOn::Any) && !report.incidents.is_empty();
    Ok(if found { FOUND } else { 0 })
}

/// The report of all that a store knows, and the chronicles that are asked for.
///
/// # Errors
/// Of the store, or if no step can begin in the window.
pub fn told(store: &Store, window: Window, kept: Kept) -> Result<(Report, Vec<Chronicle>), String> {
    if window.is_empty() {
        return Err("--since is not before --until: no step can begin in it".to_owned());
    }
    let settings: Option<Settings> = store.fact("settings")?;
    let settings =
        settings.ok_or_else(|| "no run of nightly was done with this store yet".to_owned())?;
    let whole = window == Window::default() && kept == Kept::Nothing;
    let request = settings.request(window, kept)?;
    let (reports, _) = if whole {
        digest::reports(store, u64::MAX)?
    } else {
        (retold(store, &request)?, digest::Firsts::new())
    };
    let share = share_of(store)?;
    summary::summarize(reports, &share, &request)
}

/// The reports of all devices, told again from what is remembered of their logs.
fn retold(store: &Store, request: &Request) -> Result<Vec<DeviceReport>, String> {
    let mut names: Vec<String> = store.devices()?.into_keys().collect();
    names.sort_by_cached_key(|name| name.to_uppercase());
    let mut reports = Vec::new();
    for names in names.chunks(AT_ONCE) {
        let mut packed = Vec::new();
        for name in names {
            packed.push((name, store.memory(name)?.unwrap_or_default()));
        }
        let told: Result<Vec<DeviceReport>, String> = packed
            .into_par_iter()
            .map(|(name, memory)| {
                let memory: Memory =
                    unpack(&memory).map_err(|why| format!("what is kept of {name} {why}"))?;
                Ok(device::report(story::of_logs(memory.logs(name), request), request))
            })
            .collect();
        reports.extend(told.map_err(|why| store.says("a device:", &why))?);
    }
    Ok(reports)
}
