//! `compare`: two reports, or two periods of one share → what really changed.

use std::path::{Path, PathBuf};

use crate::cli::{CompareArgs, CompareFormat};
use crate::clock::{Bound, Window};
use crate::comparison::{self, Period};
use crate::discover::{Share, Skipped, slashed};
use crate::failure::Failure;
use crate::intake::{
    analyze_each, find, nothing_readable, output, request, status, style, tell_skipped,
};
use crate::progress::Progress;
use crate::report;
use crate::rereading;
use crate::summary;

/// `compare`: two reports, or two periods of one share.
///
/// # Errors
/// If one side can't be read, or the output not written.
pub fn compare(args: &CompareArgs) -> Result<u8, Failure> {
    let path = args.output.output.as_deref();
    let (periods, share, skipped) = match args.at {
        Some(at) => periods(args, at)?,
        None => (reports(&args.input.paths, path)?, Share::default(), Vec::new()),
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

/// The two reports that are compared, the earlier one first; `output` is none of them.
///
/// # Errors
/// If there are not two, or one is no report.
fn reports(typed: &[PathBuf], output: Option<&Path>) -> Result<[Period; 2], Failure> {
    let [before, after] = typed else {
        return Err(Failure::Asked(
            "compare takes two reports, BEFORE and AFTER (analyze PATH… -o report.json); or logs, with \
             --at TIME"
                .to_owned(),
        ));
    };
    let output = output.and_then(|path| path.canonicalize().ok());
    for path in typed {
        if output.is_some() && path.canonicalize().ok() == output {
            let shown = slashed(path);
            return Err(Failure::Asked(format!("{shown}: is compared; write to another file")));
        }
    }
    let read = |path: &Path| rereading::read(path).map_err(Failure::Asked);
    Ok([read(before)?, read(after)?])
}

/// The runs of a share before and after a time, the share, and what of it could not be read.
fn periods(args: &CompareArgs, at: Bound) -> Result<([Period; 2], Share, Vec<Skipped>), Failure> {
    let mut request = request(&args.input, args.tasks.as_deref(), Window::default())?;
    request.split = Some(at);
    let share = find(&args.input, &request)?;
    let progress = Progress::new(&share, args.no_progress);
    let devices = analyze_each(&share, &request, args.threads, &|bytes| progress.read(bytes))?;
    progress.finish();
    let unread = devices.iter().flat_map(|device| &device.skipped);
    let skipped: Vec<Skipped> = share.skipped.iter().chain(unread).cloned().collect();
    tell_skipped(&skipped);
    if devices.iter().all(|device| device.files == 0) {
        return Err(nothing_readable(&share, skipped.len()));
    }
    let [before, after] = summary::periods(devices, &share).map_err(Failure::Asked)?;
    let before = Period { source: format!("runs that began before {at}"), ..before };
    let after = Period { source: format!("runs that began at {at} or later"), ..after };
    Ok(([before, after], share, skipped))
}
