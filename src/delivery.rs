//! Which devices went silent or are not there; the news of a run → where they are asked for. What nobody reads
//! again tomorrow is a warning if it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use provtrace_parsers::stamp::Stamp;

use crate::clock::{self, show_utc};
use crate::discover::Share;
use crate::failure::Failure;
use crate::intake::{self, style};
use crate::news::{News, Silent};
use crate::output;
use crate::paths::{plain, slashed};
use crate::report::outlet::{self, Outlet};
use crate::report::plain::harmless;
use crate::report::{json, metrics};
use crate::store::{self, DeviceRow};
use crate::webhook::Address;

/// The day in seconds.
const DAY: i64 = 86_400;

/// Says that a share holds no log, though the store knows so many devices.
pub fn nothing_there(share: &Share, known: usize) -> Failure {
    let nothing = intake::nothing_readable(share, share.skipped.len());
    match known {
        0 => nothing,
        // A mount point without its share is an empty folder.
        known => Failure::Asked(format!(
            "{}; the store knows {known} devices: is the share mounted?",
            nothing.message()
        )),
    }
}

/// Devices that nothing new came of for so many days, each once.
pub fn silent(
    devices: &BTreeMap<String, DeviceRow>,
    days: u32,
    there: &BTreeSet<String>,
) -> Vec<Silent> {
    let Stamp(now) = clock::now();
    let due = show_utc(Stamp(now - i64::from(days) * DAY * 1000));
    let due = devices.iter().filter(|(_, row)| !row.told_silent && row.new_at <= due);
    due.map(|(device, row)| Silent {
        device: device.clone(),
        last_new: row.new_at.clone(),
        gone: !there.contains(device),
    })
    .collect()
}

/// Says which devices are not on the share that were there the last time, if any: a part of it may not
/// be mounted, which is not to be told a week later only.
pub fn vanished<'d>(devices: impl Iterator<Item = &'d String>, there: usize) -> Option<String> {
    let devices: Vec<&str> = devices.map(String::as_str).collect();
    let some = devices.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let more = if devices.len() > 5 { ", …" } else { "" };
    let (count, are) =
        (devices.len(), if devices.len() == 1 { "device is" } else { "devices are" });
    (count > 0).then(|| {
        format!(
            "{count} {are} not on the share any more, {there} are: {some}{more}; what they said is kept. Is all of it \
             mounted?"
        )
    })
}

/// Refuses outputs in folders that are not there, before hours of reading.
///
/// # Errors
/// If there is one.
pub fn need_folders(outlets: &[Outlet]) -> Result<(), Failure> {
    for path in outlets.iter().filter_map(|outlet| outlet.path.as_ref()) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            let shown = slashed(path);
            return Err(Failure::Asked(format!("{shown}: there is no such folder; make it first")));
        }
    }
    Ok(())
}

/// Refuses to write to a log, or into the store.
///
/// # Errors
/// If it is asked for.
pub fn refuse<'p>(
    paths: impl Iterator<Item = &'p PathBuf>,
    share: &Share,
    store: &Path,
) -> Result<(), Failure> {
    for path in paths {
        output::refuse_source(path, share).map_err(Failure::Asked)?;
        store::refuse_within(store, path).map_err(Failure::Asked)?;
    }
    Ok(())
}

/// Writes the news wherever they are to be read.
///
/// # Errors
/// If one of them can't be written, once the others are: the next run tells all of it again.
pub fn write(outlets: &[Outlet], news: &News, share: &Share) -> Result<(), Failure> {
    let mut failed = Ok(());
    for outlet in outlets {
        let write = || -> Result<(), Failure> {
            let mut out = intake::output(outlet.path.as_deref(), share)?;
            outlet::news(outlet.medium, news, style(outlet.path.is_some(), None), &mut out)?;
            Ok(out.finish()?)
        };
        let written = write().map_err(|failure| told_again(failure, outlet.path.as_deref()));
        failed = failed.and(written);
    }
    failed
}

/// Says which file can't be written, and that nothing is lost.
fn told_again(failure: Failure, path: Option<&Path>) -> Failure {
    let Some(path) = path else { return failure };
    let why = match failure {
        Failure::Asked(why) => why,
        Failure::Write(error) => {
            format!("{}: {}; {}", slashed(path), plain(&error), store::remedy(&error))
        }
    };
    Failure::Asked(format!(
        "{why}; the store is up to date, and the next run tells these news again"
    ))
}

/// Writes the measures of a run; says so if they can't be written.
pub fn measure(path: &Path, news: &News, share: &Share) {
    let write = || -> Result<(), Failure> {
        let mut out = intake::output(Some(path), share)?;
        metrics::write(news, &mut out)?;
        Ok(out.finish()?)
    };
    if let Err(failure) = write() {
        let why = failure.message();
        intake::say(&format!("--metrics: {}; the next run writes them", harmless(&why)));
    }
}

/// Posts the news; says so if nobody takes them.
pub fn post(address: &Address, news: &News) {
    let mut told = Vec::new();
    let written = json::write(news, &mut told).map_err(|error| error.to_string());
    if let Err(warning) = written.and_then(|()| address.post(&told)) {
        intake::say(&format!("{warning}; nobody posts it again: `-o` and the report have it"));
    }
}
