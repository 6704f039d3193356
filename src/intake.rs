//! What was typed → what is to be done: formats, devices, outputs, the exit status.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use provtrace_parsers::code::{ExitCode, Notation};

use crate::chronicle::Chronicle;
use crate::cli::{ExpectedArgs, InputArgs};
use crate::clock::Window;
use crate::contract::Report;
use crate::device::{self, DeviceReport};
use crate::discover::{Device, Share, Skipped, discover};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::overlays;
use crate::paths;
use crate::pattern;
use crate::progress::{self, Progress};
use crate::report;
use crate::report::medium::Target;
use crate::report::table::Style;
use crate::sighting::Sightings;
use crate::story::{Kept, Request};
use crate::summary;
use crate::tasks::Tasks;

/// Exit status: the condition of `--fail-on` holds.
pub const FOUND: u8 = 1;
/// Exit status: no report could be made.
pub const NO_REPORT: u8 = 2;

/// Puts the output in its place, and says what could not be read.
///
/// # Errors
/// If nothing was read, or the output can't be written.
pub fn finish(
    input: &InputArgs,
    share: &Share,
    out: Output,
    skipped: &[Skipped],
    files: usize,
) -> Result<u8, Failure> {
    tell_skipped(skipped);
    if files == 0 {
        return Err(nothing_readable(share, skipped.len()));
    }
    out.finish()?;
    Ok(status(input, skipped, 0))
}

/// The formats, names and zones that an analysis is asked for with.
///
/// # Errors
/// If an overlay or the mapping is wrong, or no time is asked for.
pub fn request(
    input: &InputArgs,
    tasks: Option<&Path>,
    window: Window,
) -> Result<Request, Failure> {
    let page = input.codepage.unwrap_or_default();
    let overlays = overlays::in_force(&input.formats).map_err(Failure::Asked)?;
    let mut formats = overlays::load(&overlays).map_err(Failure::Asked)?;
    formats.read_with(page);
    let tasks_from = tasks.map(Path::to_owned);
    let tasks = tasks.map(|path| Tasks::read(path, page)).transpose().map_err(Failure::Asked)?;
    if window.is_empty() {
        return Err(Failure::Asked(
            "--since is not before --until: no step can begin in it".to_owned(),
        ));
    }
    let zones = input.tz.clone();
    let overlays = overlays.into_iter().map(|overlay| overlay.shown).collect();
    Ok(Request {
        formats,
        overlays,
        tasks: tasks.unwrap_or_default(),
        tasks_from,
        zones,
        window,
        kept: Kept::Nothing,
        ignores: false,
        split: None,
    })
}

/// The failures that the user said are expected, with those of the overlays.
///
/// # Errors
/// If a code is none.
pub fn expect(expected: &ExpectedArgs, request: &mut Request) -> Result<(), Failure> {
    let ExpectedArgs { ignore_step: steps, ignore_code: codes } = expected;
    let formats = &mut request.formats;
    request.ignores = !(steps.is_empty() && codes.is_empty());
    formats.expected.steps.extend(steps.iter().cloned());
    for code in codes {
        let read = ExitCode::read(code.trim(), Notation::Any).ok_or_else(|| {
            Failure::Asked(format!(
                "--ignore-code {code}: no exit code; write it as a log or the console shows it"
            ))
        })?;
        formats.expected.codes.push(formats.codes.meaning(&read).value);
    }
    Ok(())
}

/// The devices that are asked for.
///
/// # Errors
/// If there is none.
pub fn find(input: &InputArgs, request: &Request) -> Result<Share, Failure> {
    select(input, find_all(input, request)?)
}

/// The devices that are asked for, if there are any, by what is known of the share; a folder that does not
/// answer for `limit` is left.
///
/// # Errors
/// If there is no such path.
pub fn find_kept(
    input: &InputArgs,
    request: &Request,
    sightings: &Sightings,
    limit: Option<Duration>,
) -> Result<Share, Failure> {
    let mut paths = paths::given(&input.paths, io::stdin().lock()).map_err(Failure::Asked)?;
    for given in &mut paths {
        // The store knows a file by its path, wherever the program is started.
        given.path = located(&given.path).unwrap_or_else(|_| given.path.clone());
    }
    let layout = input.layout.as_ref();
    let mut share =
        discover(&paths, layout, &request.formats, sightings, limit).map_err(Failure::Asked)?;
    share.beside = beside(request);
    Ok(share)
}

/// Where a path leads, from the root on. A link keeps its name: it may lead to another snapshot each night.
fn located(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let parts: Vec<Component<'_>> = path.components().collect();
    // What is above a link is asked of the system.
    let Some(up) = parts.iter().rposition(|part| *part == Component::ParentDir) else {
        return Ok(path);
    };
    let above = parts[..=up].iter().collect::<PathBuf>().canonicalize()?;
    Ok(above.join(parts[up + 1..].iter().collect::<PathBuf>()))
}

/// All devices, also those that are not asked for.
///
/// # Errors
/// If there is none.
pub fn find_all(input: &InputArgs, request: &Request) -> Result<Share, Failure> {
    let paths = paths::given(&input.paths, io::stdin().lock()).map_err(Failure::Asked)?;
    let mut share =
        discover(&paths, input.layout.as_ref(), &request.formats, &Sightings::default(), None)
            .map_err(Failure::Asked)?;
    share.beside = beside(request);
    if share.devices.is_empty() {
        tell_skipped(&share.skipped);
        return Err(nothing_readable(&share, share.skipped.len()));
    }
    Ok(share)
}

/// What is read beside logs.
fn beside(request: &Request) -> Vec<PathBuf> {
    request.overlays.iter().map(PathBuf::from).chain(request.tasks_from.clone()).collect()
}

/// Leaves the devices that are asked for.
///
/// # Errors
/// If there is none.
pub fn select(input: &InputArgs, mut share: Share) -> Result<Share, Failure> {
    if input.device.is_empty() {
        return Ok(share);
    }
    let all: Vec<String> = share.devices.iter().map(|device| device.name.clone()).collect();
    let is_asked = |name: &str| input.device.iter().any(|pattern| pattern::fits(pattern, name));
    share.devices.retain(|device| is_asked(&device.name));
    // What lies in the folder of another device is not asked for either.
    let of_asked = |path: &str| path.split('/').any(is_asked);
    share.skipped.retain(|skipped| of_asked(&skipped.path));
    share.unrecognised.retain(|path| of_asked(path));
    share.like_agents.retain(|path| of_asked(path));
    if share.devices.is_empty() {
        let more = if all.len() > 10 { ", …" } else { "" };
        let some = all.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
        let names = input.device.join(", ");
        return Err(Failure::Asked(format!("no device is named {names}; there are {some}{more}")));
    }
    Ok(share)
}

/// All devices, side by side, and what follows from them together.
///
/// # Errors
/// If nothing was read.
pub fn read(
    share: &Share,
    request: &Request,
    threads: Option<u16>,
    no_progress: bool,
) -> Result<(Report, Vec<Chronicle>), Failure> {
    let progress = Progress::new(share, no_progress);
    let devices = analyze_each(share, request, threads, &|bytes| progress.read(bytes))?;
    progress.finish();
    let (report, chronicles) =
        summary::summarize(devices, share, request).map_err(Failure::Asked)?;
    let skipped = &report.coverage.skipped;
    tell_skipped(skipped);
    if report.coverage.files == 0 {
        return Err(nothing_readable(share, skipped.len()));
    }
    Ok((report, chronicles))
}

/// Every device by itself, side by side, in their order; `progress` is told of bytes.
///
/// # Errors
/// If the system gives no threads.
pub fn analyze_each(
    share: &Share,
    request: &Request,
    threads: Option<u16>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<DeviceReport>, Failure> {
    in_parallel(threads, || {
        largest_first(&share.devices, |device| device::analyze(device, request, &progress))
    })
}

/// Does `work` for every device, the largest ones first, so that all threads end together; what it
/// gives stands in the order of the devices.
fn largest_first<T: Send>(devices: &[Device], work: impl Fn(&Device) -> T + Sync) -> Vec<T> {
    let mut order: Vec<(u64, usize)> =
        devices.iter().enumerate().map(|(at, device)| (device.bytes(), at)).collect();
    order.sort_unstable_by_key(|(bytes, at)| (Reverse(*bytes), *at));
    let next = AtomicUsize::new(0);
    let each = rayon::broadcast(|_thread| {
        let mut done = Vec::new();
        while let Some((_, at)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*at, work(&devices[*at])));
        }
        done
    });
    let mut all: Vec<(usize, T)> = each.into_iter().flatten().collect();
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, done)| done).collect()
}

/// Says that no log was read, and what was there instead.
pub fn nothing_readable(share: &Share, unread: usize) -> Failure {
    let unknown = share.unrecognised.len();
    let others = share.other_files;
    Failure::Asked(format!(
        "no log that provtrace knows was read ({unread} files could not be read, {unknown} logs are of no known \
         format, {others} files are no logs); give a folder with sdclient, vulscan, localsch, PolicySync or \
         ldProvision logs"
    ))
}

/// Does the work in a pool of so many threads, one a core if none is asked for.
///
/// # Errors
/// If the system gives no threads.
pub fn in_parallel<T: Send>(
    threads: Option<u16>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, Failure> {
    let threads = threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool =
        pool.map_err(|error| Failure::Asked(format!("no threads: {error}; try --threads 1")))?;
    Ok(pool.install(work))
}

/// So many threads, one a core if none is asked for.
pub fn threads(asked: Option<u16>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    asked.map_or_else(cores, usize::from)
}

/// Opens a file, or standard output.
///
/// # Errors
/// If it can't be written, or is one of the files that are read.
pub fn output(path: Option<&Path>, share: &Share) -> Result<Output, Failure> {
    Output::open(path, share).map_err(Failure::Asked)
}

/// The report, in every way that it is asked for.
///
/// # Errors
/// If it can't be written.
pub fn write(
    targets: &[Target],
    with_evidence: bool,
    report: &Report,
    chronicles: &[Chronicle],
    share: &Share,
) -> Result<(), Failure> {
    for target in targets {
        let style = style(target.path.is_some(), None);
        let mut whole = Vec::new();
        for (path, part) in target.files() {
            let mut out = output(path.as_deref(), share)?;
            target.medium.write(part, report, chronicles, style, with_evidence, &mut out)?;
            whole.push(out);
        }
        // The files of one target appear together, once all are written.
        whole.into_iter().try_for_each(Output::finish)?;
    }
    Ok(())
}

/// Refuses to write what is no text to a terminal.
///
/// # Errors
/// If it is asked for.
pub fn refuse_terminal(targets: &[Target]) -> Result<(), Failure> {
    let direct = targets.iter().any(|target| target.path.is_none() && target.medium.is_binary());
    if direct && output::is_terminal() {
        return Err(Failure::Asked(
            "this format is no text: write it to a file with -o".to_owned(),
        ));
    }
    Ok(())
}

/// Colour and width of a terminal; neither for a file or a pipe.
pub fn style(to_file: bool, width: Option<u16>) -> Style {
    let terminal = !to_file && output::is_terminal();
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let own = if terminal { progress::terminal_width() } else { None };
    Style { width: width.or(own).unwrap_or(100).max(40), colour: terminal && wanted }
}

/// Most files that are told of one sort of reason; a report lists all.
const MOST_TOLD: usize = 20;

/// Says on standard error what could not be read.
pub fn tell_skipped(skipped: &[Skipped]) {
    // Reasons that differ in numbers are of one sort.
    let sort = |reason: &str| reason.replace(|c: char| c.is_ascii_digit(), "");
    let mut more: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for Skipped { path, reason } in skipped {
        let (told, _) = more.entry(sort(reason)).or_insert((0, reason));
        *told += 1;
        if *told <= MOST_TOLD {
            say(&report::plain::harmless(&format!("{path}: {reason}")));
        }
    }
    for (told, reason) in more.into_values().filter(|(told, _)| *told > MOST_TOLD) {
        let more = told - MOST_TOLD;
        let reason = report::plain::harmless(reason);
        say(&format!("and {more} more of this sort: {reason}"));
    }
}

/// Says something on standard error; if nobody listens there any more, that is no failure.
pub fn say(message: &str) {
    let _ = writeln!(io::stderr(), "provtrace: {message}");
}

/// The exit status: that of `--strict` goes before any other.
pub fn status(input: &InputArgs, skipped: &[Skipped], otherwise: u8) -> u8 {
    if input.strict && !skipped.is_empty() { NO_REPORT } else { otherwise }
}
