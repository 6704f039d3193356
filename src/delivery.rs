//! The news of a run → where they are asked for. What nobody reads again tomorrow is a warning if it fails.

use std::path::{Path, PathBuf};

use crate::discover::Share;
use crate::failure::Failure;
use crate::intake::{self, style};
use crate::news::News;
use crate::output;
use crate::paths::{plain, slashed};
use crate::report::outlet::{self, Outlet};
use crate::report::plain::harmless;
use crate::report::{json, metrics};
use crate::store;
use crate::webhook::Address;

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
/// If one of them can't be written: the next run tells all of it again.
pub fn write(outlets: &[Outlet], news: &News, share: &Share) -> Result<(), Failure> {
    for outlet in outlets {
        let write = || -> Result<(), Failure> {
            let mut out = intake::output(outlet.path.as_deref(), share)?;
            outlet::news(outlet.medium, news, style(outlet.path.is_some(), None), &mut out)?;
            Ok(out.finish()?)
        };
        write().map_err(|failure| told_again(failure, outlet.path.as_deref()))?;
    }
    Ok(())
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
        eprintln!("provtrace: --metrics: {}; the next run writes them", harmless(&why));
    }
}

/// Posts the news; says so if nobody takes them.
pub fn post(address: &Address, news: &News) {
    let mut told = Vec::new();
    let written = json::write(news, &mut told).map_err(|error| error.to_string());
    if let Err(warning) = written.and_then(|()| address.post(&told)) {
        eprintln!("provtrace: {warning}");
    }
}
