//! `compare`: two reports, or two periods of one share → what really changed.

use rayon::prelude::*;

use crate::cli::{CompareArgs, CompareFormat};
use crate::clock::{Bound, Window};
use crate::comparison::{self, Period};
use crate::device::{self, DeviceReport};
use crate::discover::{Share, Skipped};
use crate::failure::Failure;
use crate::intake::{
    self, find, in_parallel, nothing_readable, output, request, status, style, tell_skipped,
};
use crate::progress::Progress;
use crate::report;
use crate::summary;

/// `compare`: two reports, or two periods of one share.
///
/// # Errors
/// If one side can't be read, or the output not written.
pub fn compare(args: &CompareArgs) -> Result<u8, Failure> {
    let path = args.output.output.as_deref();
    let (periods, share, skipped) = match args.at {
        Some(at) => periods(args, at)?,
        None => (intake::reports(&args.input.paths, path)?, Share::default(), Vec::new()),
    };
    let [before, after] = periods;
    let comparison = comparison::compare(before, after);
    let mut out = output(path, &share)?;
    match report::medium::of_comparison(path, args.format) {
        CompareFormat::Json => report::json::write(&comparison, &mut out)?,
        CompareFormat::Html => report::html::write_comparison(&comparison, &mut out)?,
        CompareFormat::Table => {
            report::difference::write(&comparison, style(path.is_some(), None), &mut out)?;
        }
    }
    out.finish()?;
    Ok(status(&args.input, &skipped, 0))
}

/// The runs of a share before and after a time, the share, and what of it could not be read.
fn periods(args: &CompareArgs, at: Bound) -> Result<([Period; 2], Share, Vec<Skipped>), Failure> {
    let mut request = request(&args.input, args.tasks.as_deref(), Window::default())?;
    request.split = Some(at);
    let share = find(&args.input, &request)?;
    let progress = Progress::new(&share, args.no_progress);
    let devices: Vec<DeviceReport> = in_parallel(args.threads, || {
        let analyze = |device| device::analyze(device, &request, &|bytes| progress.read(bytes));
        share.devices.par_iter().map(analyze).collect()
    })?;
    progress.finish();
    let unread = devices.iter().flat_map(|device| &device.skipped);
    let skipped: Vec<Skipped> = share.skipped.iter().chain(unread).cloned().collect();
    tell_skipped(&skipped);
    if devices.iter().all(|device| device.files == 0) {
        return Err(nothing_readable(&share, skipped.len()));
    }
    let [before, after] = summary::periods(devices, &share)
        .map_err(|error| Failure::Asked(format!("the ranking failed: {error}")))?;
    let before = Period { source: format!("runs that began before {at}"), ..before };
    let after = Period { source: format!("runs that began at {at} or later"), ..after };
    Ok(([before, after], share, skipped))
}
