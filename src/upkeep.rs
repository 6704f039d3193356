//! `store`: forgets what is old, checks that a store is whole, writes it out.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use provtrace_parsers::stamp::Stamp;
use serde_json::{Value, json};

use crate::batch::{Told, months};
use crate::chronicle::Chronicle;
use crate::cli::StoreCommand;
use crate::clock::{self, Window, show_utc};
use crate::contract::Incident;
use crate::device;
use crate::digest::{Outlook, Work};
use crate::discover::Share;
use crate::facts::{self, KINDS};
use crate::failure::Failure;
use crate::lineage::Memory;
use crate::news::Changed;
use crate::output::Output;
use crate::paths::{plain, slashed};
use crate::report::json;
use crate::retelling::told;
use crate::settings::Settings;
use crate::store::{IncidentRow, Saved, Store, pack, refuse_within, unpack};
use crate::story::{self, Kept, Request};

/// Exit status: the store is not whole.
const NOT_WHOLE: u8 = 1;
/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// `store`: one of its commands.
///
/// # Errors
/// If there is no store, or it can't be changed.
pub fn store(command: &StoreCommand) -> Result<u8, Failure> {
    match command {
        StoreCommand::Prune { store, keep } => prune(store, keep.0).map_err(Failure::Asked),
        StoreCommand::Check { store } => check(store),
        StoreCommand::Export { store, to } => export(store, to),
    }
}

/// Forgets devices that nothing new came of for so long, and logs that are gone for so long.
fn prune(folder: &Path, days: u32) -> Result<u8, String> {
    Store::read(folder)?;
    let mut store = Store::write(folder)?;
    let Stamp(now) = clock::now();
    let until = show_utc(Stamp(now - i64::from(days) * DAY));
    let settings: Settings = store.fact("settings")?.unwrap_or_default();
    let request = settings.request(Window::default(), Kept::Everything)?;
    // Of a device that is there all would be read again, and told as new.
    let missing: BTreeSet<String> = store.fact("missing")?.unwrap_or_default();
    let (mut devices, mut logs) = (0, 0);
    for (name, row) in store.devices()? {
        if row.new_at < until && missing.contains(&name) {
            store.forget(&name)?;
            devices += 1;
        } else {
            logs += forget_logs(&mut store, &name, &until, &request)?;
        }
        if store.is_full() {
            store.commit()?;
        }
    }
    let nights = store.forget_nights(&until)?;
    store.commit()?;
    let (report, _) = told(&store, Window::default(), Kept::Nothing)?;
    let outlook: Outlook = store.fact("outlook")?.unwrap_or_default();
    facts::refresh(&mut store, &report.incidents, &outlook.names)?;
    store.shrink()?;
    println!(
        "forgotten, of before {}: {devices} devices, {logs} logs that are gone, {nights} runs of nightly",
        &until[..10]
    );
    Ok(0)
}

/// Forgets a device's logs that are gone since before `until`; gives their number.
fn forget_logs(
    store: &mut Store,
    name: &str,
    until: &str,
    request: &Request,
) -> Result<usize, String> {
    let says = |store: &Store, why: String| store.says(name, &why);
    let packed = store.memory(name)?.unwrap_or_default();
    let mut memory: Memory = unpack(&packed).map_err(|why| says(store, why))?;
    let before = memory.known.len();
    let day = &until[..10];
    memory.known.retain(|own| own.listed.gone.as_deref().is_none_or(|gone| gone >= day));
    if memory.known.len() == before {
        return Ok(0);
    }
    let forgotten = before - memory.known.len();
    let packed_told = store.report(name)?.unwrap_or_default();
    let told: Told = unpack(&packed_told).map_err(|why| says(store, why))?;
    let packed = pack(&memory);
    let mut report = device::report(story::of_logs(memory.logs(name), request), request);
    let chronicle = report.chronicle.take();
    let row = store.devices()?.remove(name);
    let Some(row) = row else { return Ok(0) };
    let saved = Saved {
        name: name.to_owned(),
        seen: row.seen,
        memory: packed,
        months: months(&report, chronicle.as_ref()),
        chronicle: chronicle.as_ref().map(pack).unwrap_or_default(),
        telling: row.telling,
        reading: row.reading,
        new_at: row.new_at,
        report: Vec::new(),
    };
    let ids: Vec<&str> = report.incidents.iter().map(|own| own.id.as_str()).collect();
    store.forget_incidents(name, &ids)?;
    // What is told otherwise since logs were forgotten is no news.
    for row in store.incidents(name)? {
        if let Some(own) = report.incidents.iter().find(|own| own.id == row.id) {
            store.set_incident(name, &IncidentRow { value: pack(own), ..row })?;
        }
    }
    let report = pack(&Told { report, firsts: told.firsts });
    store.save(&Saved { report, ..saved })?;
    Ok(forgotten)
}

/// Says whether all that the store keeps can be read.
fn check(folder: &Path) -> Result<u8, Failure> {
    let store = Store::read(folder).map_err(Failure::Asked)?;
    let mut faults = Vec::new();
    // Behind a table that can't be read there may be more that is damaged.
    let ended = inspect(&store, &mut faults);
    faults.extend(ended.err());
    let mut out = std::io::stdout().lock();
    for fault in &faults {
        writeln!(out, "{}", crate::report::plain::harmless(fault))?;
    }
    let devices = store.devices().map_or(0, |devices| devices.len());
    let nights = store.nights(u64::MAX).map_or(0, |nights| nights.len());
    let state = if faults.is_empty() { "whole" } else { "not whole" };
    writeln!(out, "{devices} devices, {nights} runs of nightly: {state}")?;
    Ok(if faults.is_empty() { 0 } else { NOT_WHOLE })
}

/// Reads all that the store keeps, and says what of it is damaged.
fn inspect(store: &Store, faults: &mut Vec<String>) -> Result<(), String> {
    faults.extend(store.faults()?);
    let mut fault = |what: String, why: Result<(), String>| {
        faults.extend(why.err().map(|why| format!("{what} {why}")));
    };
    let is = |packed: Result<Option<Vec<u8>>, String>| packed.map(Option::unwrap_or_default);
    for name in store.devices()?.keys() {
        let memory = is(store.memory(name)).and_then(|own| unpack::<Memory>(&own).map(|_| ()));
        fault(format!("{name}: what was read of it"), memory);
        let report = is(store.report(name)).and_then(|own| unpack::<Told>(&own).map(|_| ()));
        fault(format!("{name}: its report"), report);
        let chronicle = is(store.chronicle(name)).and_then(|own| {
            if own.is_empty() { Ok(()) } else { unpack::<Chronicle>(&own).map(|_| ()) }
        });
        fault(format!("{name}: what happened on it"), chronicle);
        for row in store.incidents(name)? {
            let read = unpack::<Incident>(&row.value).map(|_| ());
            fault(format!("{name}: incident {}", row.id), read);
        }
    }
    let stale = store.stale()?;
    for month in store.months()?.iter().filter(|month| !stale.contains(month)) {
        faults.extend(KINDS.iter().filter_map(|kind| facts::fault(&store.folder, kind, month)));
    }
    Ok(())
}

/// Writes the report, the runs, the revisions and the facts into a folder.
fn export(folder: &Path, to: &Path) -> Result<u8, Failure> {
    let store = Store::read(folder).map_err(Failure::Asked)?;
    let shown = slashed(to);
    refuse_within(folder, to).map_err(Failure::Asked)?;
    if to.exists() && fs::read_dir(to).map_or(true, |mut entries| entries.next().is_some()) {
        return Err(Failure::Asked(format!("{shown}: is no empty folder; give a new one")));
    }
    let failed = |error: std::io::Error| Failure::Asked(format!("{shown}: {}", plain(&error)));
    fs::create_dir_all(to).map_err(failed)?;
    let (report, _) = told(&store, Window::default(), Kept::Nothing).map_err(Failure::Asked)?;
    write(&to.join("report.json"), |out| json::write(&report, out))?;
    let nights = store.nights(u64::MAX).map_err(Failure::Asked)?;
    let mut rows = Vec::new();
    for night in nights.iter().rev() {
        let work: Work = unpack(&night.work).unwrap_or_default();
        rows.push(json!({
            "number": night.number, "began": night.began, "ended": night.ended,
            "devices_changed": work.devices_changed, "files": work.files, "bytes_read": work.bytes_read,
        }));
    }
    lines(&to.join("runs.jsonl"), &rows)?;
    let mut rows = Vec::new();
    for row in store.revisions(None).map_err(Failure::Asked)? {
        let changed: Vec<Changed> = unpack(&row.value).map_err(Failure::Asked)?;
        let (device, id, run) = (row.device, row.id, row.night);
        rows.push(json!({ "device": device, "id": id, "run": run, "changed": changed }));
    }
    lines(&to.join("revisions.jsonl"), &rows)?;
    for month in store.months().map_err(Failure::Asked)? {
        for kind in KINDS {
            let own = Path::new("facts").join(kind).join(format!("month={month}"));
            let from = folder.join(&own).join("part.parquet");
            if from.is_file() {
                fs::create_dir_all(to.join(&own)).map_err(failed)?;
                fs::copy(from, to.join(&own).join("part.parquet")).map_err(failed)?;
            }
        }
    }
    println!("{shown}: report.json, runs.jsonl, revisions.jsonl, facts");
    Ok(0)
}

fn lines(path: &Path, rows: &[Value]) -> Result<(), Failure> {
    write(path, |out| rows.iter().try_for_each(|row| writeln!(out, "{row}")))
}

fn write(
    path: &Path,
    content: impl FnOnce(&mut Output) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let mut out = Output::open(Some(path), &Share::default()).map_err(Failure::Asked)?;
    content(&mut out)?;
    Ok(out.finish()?)
}
