//! provtrace: finds the provisioning steps that failed because a scan or a policy task held
//! sdclient, and proves each with lines.

mod archive;
mod axis;
mod block;
mod bundle;
mod candidates;
mod chance;
mod changes;
mod children;
mod cli;
mod clock;
mod contract;
mod correlate;
mod course;
mod coverage;
mod dates;
mod deployment;
mod device;
mod discover;
mod ending;
mod eventlog;
mod expected;
mod failure;
mod formats;
mod forms;
mod holder;
mod home;
mod ingest;
mod layout;
mod leap;
mod learn;
mod lifetime;
mod output;
mod overlays;
mod paths;
mod pattern;
mod place;
mod progress;
mod proposal;
mod provision;
mod rank;
mod recognise;
mod report;
mod roles;
mod run;
mod sample;
mod scan;
mod sequence;
mod signature;
mod source;
mod spans;
mod summary;
mod survey;
mod suspicion;
mod tasks;
mod testimony;
mod timeline;
mod trace;
mod wait;
mod witness;
mod zones;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process;

use clap::Parser;
use provtrace_parsers::code::{ExitCode, Notation};
use rayon::prelude::*;

use crate::cli::{
    AnalyzeArgs, CheckArgs, Cli, Command, EventsArgs, FailOn, Format, FormatsCommand, InputArgs,
    LearnArgs, TimelineArgs,
};
use crate::clock::Window;
use crate::coverage::FormatCoverage;
use crate::device::Request;
use crate::discover::{Share, Skipped, discover};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::report::records::Records;
use crate::report::table::Style;
use crate::tasks::Tasks;

/// Exit status: the condition of `--fail-on` holds.
const FOUND: u8 = 1;
/// Devices that are read before what is known of them is put together.
const AT_A_TIME: usize = 64;
/// Exit status: no report could be made.
const NO_REPORT: u8 = 2;

fn main() -> process::ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Analyze(args) => analyze(args),
        Command::Events(args) => events(args),
        Command::Timeline(args) => timeline(args),
        Command::Formats(args) => formats(&args.command),
    };
    match done {
        Ok(status) => process::ExitCode::from(status),
        // A reader that has seen enough (`| head`) is no failure.
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            process::ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("provtrace: {}", failure.message());
            process::ExitCode::from(NO_REPORT)
        }
    }
}

/// `analyze`: the stages, one call each.
fn analyze(args: &AnalyzeArgs) -> Result<u8, Failure> {
    let mut request = request(
        &args.input,
        args.tasks.as_deref(),
        Window { since: args.since, until: args.until },
    )?;
    expect(args, &mut request)?;
    let share = find(&args.input, &request)?;
    let progress = Progress::new(&share, args.no_progress);
    let devices = in_parallel(args.threads, || {
        let analyze = |device| device::analyze(device, &request, &|bytes| progress.read(bytes));
        share.devices.par_iter().map(analyze).collect()
    })?;
    progress.finish();
    let report = summary::summarize(devices, &share, &request)
        .map_err(|error| Failure::Asked(format!("the ranking failed: {error}")))?;
    let skipped = &report.coverage.skipped;
    tell_skipped(skipped);
    if report.coverage.files == 0 {
        return Err(nothing_readable(&share, skipped.len()));
    }
    let mut out = output(&args.input, &share)?;
    match args.format {
        Format::Json => report::json::write(&report, &mut out)?,
        Format::Table => {
            report::table::write(&report, style(&args.input, None), args.evidence, &mut out)?;
        }
    }
    out.finish()?;
    let found = args.fail_on == Some(FailOn::Any) && !report.incidents.is_empty();
    Ok(status(&args.input, skipped, if found { FOUND } else { 0 }))
}

/// `events`: one source after the other, in order.
fn events(args: &EventsArgs) -> Result<u8, Failure> {
    let request = request(&args.input, None, Window::default())?;
    let share = find(&args.input, &request)?;
    let mut out = output(&args.input, &share)?;
    let mut skipped = share.skipped.clone();
    let (mut buffer, mut understood) = (Vec::new(), Vec::new());
    for device in &share.devices {
        let mut counts = Vec::new();
        let mut dates = dates::DateOrders::new(device, &request.formats);
        for source in &device.sources {
            let format = &request.formats.formats[source.format];
            let mut records =
                Records { path: &source.shown, format, all: args.all, out: &mut out, failed: None };
            let read =
                ingest::read_source(source, format, &mut dates, &mut buffer, &mut records, &|_| {});
            if let Some(error) = records.failed {
                return Err(Failure::Write(error));
            }
            counts.extend(read.iter().map(|end| (format, end.counts)));
            let reason = read.map_or_else(Some, |end| end.stopped);
            skipped.extend(reason.map(|reason| Skipped { path: source.shown.clone(), reason }));
        }
        device.release();
        understood.push(coverage::of_counts(&counts));
    }
    finish(&args.input, &share, out, &skipped, &understood)
}

/// `timeline`: one picture a device.
fn timeline(args: &TimelineArgs) -> Result<u8, Failure> {
    let request = request(&args.input, args.tasks.as_deref(), Window::default())?;
    let share = find(&args.input, &request)?;
    let mut out = output(&args.input, &share)?;
    let mut skipped = share.skipped.clone();
    let mut understood = Vec::new();
    for device in &share.devices {
        let story = device::tell(device, &request, &|_| {});
        report::lanes::write(&story, style(&args.input, args.width), &mut out)?;
        understood.push(coverage::of_device(&story.logs.sources));
        skipped.extend(story.logs.skipped);
    }
    finish(&args.input, &share, out, &skipped, &understood)
}

/// `formats`: what is known, and whether overlays are right.
fn formats(command: &FormatsCommand) -> Result<u8, Failure> {
    let mut out = io::stdout().lock();
    match command {
        FormatsCommand::List { formats } => {
            let overlays = overlays::in_force(formats).map_err(Failure::Asked)?;
            let known = overlays::load(&overlays).map_err(Failure::Asked)?;
            formats::list(&known, &overlays, &mut out)?;
        }
        FormatsCommand::Show { name, formats } => {
            let overlays = overlays::in_force(formats).map_err(Failure::Asked)?;
            let known = overlays::load(&overlays).map_err(Failure::Asked)?;
            let all: Vec<&str> = known.formats.iter().map(|own| own.name.as_str()).collect();
            let format = known.formats.iter().find(|own| own.name == *name).ok_or_else(|| {
                Failure::Asked(format!("no format is named {name}; there are {}", all.join(", ")))
            })?;
            formats::show(format, &mut out)?;
        }
        FormatsCommand::Check(args) => return check(args),
        FormatsCommand::Learn(args) => return learn(args),
        FormatsCommand::Validate { paths } => {
            let right = formats::validate(paths, &mut out)?;
            return Ok(if right { 0 } else { NO_REPORT });
        }
    }
    Ok(0)
}

/// `formats check`
fn check(args: &CheckArgs) -> Result<u8, Failure> {
    let request = request(&args.input, None, Window::default())?;
    let share = find(&args.input, &request)?;
    let progress = Progress::new(&share, args.no_progress);
    let totals = in_parallel(args.threads, || {
        let read = |device| survey::of_device(device, &request.formats, &|n| progress.read(n));
        let mut totals = survey::Totals::default();
        // Some at a time: what is kept of them must not grow with the share.
        for devices in share.devices.chunks(AT_A_TIME) {
            let read: Vec<_> = devices.par_iter().map(read).collect();
            read.into_iter().for_each(|device| totals.add(device));
        }
        totals
    })?;
    progress.finish();
    let survey = totals.finish(&share);
    tell_skipped(&survey.skipped);
    if survey.files == 0 {
        return Err(nothing_readable(&share, survey.skipped.len()));
    }
    let mut out = output(&args.input, &share)?;
    match args.format {
        Format::Json => report::json::write(&survey, &mut out)?,
        Format::Table => {
            let top = args.top.map_or(report::survey::SHAPES, usize::from);
            report::survey::write(&survey, style(&args.input, None), top, &mut out)?;
        }
    }
    out.finish()?;
    Ok(status(&args.input, &survey.skipped, 0))
}

/// `formats learn`: the proposals for people, and the overlay if a file is asked for.
fn learn(args: &LearnArgs) -> Result<u8, Failure> {
    let input = &args.input;
    let request = request(input, None, Window::default())?;
    let share = find(input, &request)?;
    let overlays = overlays::in_force(&input.formats).map_err(Failure::Asked)?;
    let before = learn::Before { overlays, page: input.codepage.unwrap_or_default(), request };
    let lesson = in_parallel(args.threads, || learn::learn(&share.devices, before, &|| {}))?;
    let lesson = lesson.map_err(Failure::Asked)?;
    tell_skipped(&share.skipped);
    if input.output.is_some() {
        let mut out = output(input, &share)?;
        io::Write::write_all(&mut out, lesson.overlay().as_bytes())?;
        out.finish()?;
    }
    let overlay = input.output.as_deref();
    // The proposals go to the terminal, wherever the overlay goes.
    let style =
        Style { width: progress::terminal_width().unwrap_or(100).max(40), ..style(input, None) };
    report::lesson::write(&lesson, overlay, style, &mut io::stdout().lock())?;
    Ok(status(input, &share.skipped, 0))
}

/// The failures that the user said are expected, with those of the overlays.
fn expect(args: &AnalyzeArgs, request: &mut Request) -> Result<(), Failure> {
    let formats = &mut request.formats;
    formats.expected.steps.extend(args.ignore_step.iter().cloned());
    for code in &args.ignore_code {
        let read = ExitCode::read(code.trim(), Notation::Any).ok_or_else(|| {
            Failure::Asked(format!(
                "--ignore-code {code}: no exit code; write it as a log or the console shows it"
            ))
        })?;
        formats.expected.codes.push(formats.codes.meaning(&read).value);
    }
    Ok(())
}

/// Puts the output in its place, and says what could not be read or understood.
fn finish(
    input: &InputArgs,
    share: &Share,
    out: Output,
    skipped: &[Skipped],
    understood: &[BTreeMap<String, FormatCoverage>],
) -> Result<u8, Failure> {
    tell_skipped(skipped);
    if understood.iter().all(BTreeMap::is_empty) {
        return Err(nothing_readable(share, skipped.len()));
    }
    if let Some(caution) = coverage::caution(&coverage::merged(understood.iter())) {
        eprintln!("provtrace: caution: {}", report::plain::harmless(&caution));
    }
    out.finish()?;
    Ok(status(input, skipped, 0))
}

fn request(input: &InputArgs, tasks: Option<&Path>, window: Window) -> Result<Request, Failure> {
    let page = input.codepage.unwrap_or_default();
    let overlays = overlays::in_force(&input.formats).map_err(Failure::Asked)?;
    let mut formats = overlays::load(&overlays).map_err(Failure::Asked)?;
    formats.read_with(page);
    let tasks = tasks.map(|path| Tasks::read(path, page)).transpose().map_err(Failure::Asked)?;
    if window.is_empty() {
        return Err(Failure::Asked(
            "--since is not before --until: no step can begin in it".to_owned(),
        ));
    }
    let zones = input.tz.clone();
    let overlays = overlays.into_iter().map(|overlay| overlay.shown).collect();
    Ok(Request { formats, overlays, tasks: tasks.unwrap_or_default(), zones, window })
}

/// The devices that are asked for.
fn find(input: &InputArgs, request: &Request) -> Result<Share, Failure> {
    let paths = paths::given(&input.paths, io::stdin().lock()).map_err(Failure::Asked)?;
    let mut share =
        discover(&paths, input.layout.as_ref(), &request.formats).map_err(Failure::Asked)?;
    if share.devices.is_empty() {
        tell_skipped(&share.skipped);
        return Err(nothing_readable(&share, share.skipped.len()));
    }
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

fn nothing_readable(share: &Share, unread: usize) -> Failure {
    let unknown = share.unrecognised.len();
    let others = share.other_files;
    Failure::Asked(format!(
        "no log that provtrace knows was read ({unread} files could not be read, {unknown} logs are of no known \
         format, {others} files are no logs); give a folder with sdclient, vulscan, localsch, PolicySync or \
         ldProvision logs"
    ))
}

fn in_parallel<T: Send>(
    threads: Option<u16>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, Failure> {
    let threads = threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool =
        pool.map_err(|error| Failure::Asked(format!("no threads: {error}; try --threads 1")))?;
    Ok(pool.install(work))
}

fn output(input: &InputArgs, share: &Share) -> Result<Output, Failure> {
    Output::open(input.output.as_deref(), share).map_err(Failure::Asked)
}

/// Colour and width of a terminal; neither for a file or a pipe.
fn style(input: &InputArgs, width: Option<u16>) -> Style {
    let terminal = input.output.is_none() && output::is_terminal();
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let own = if terminal { progress::terminal_width() } else { None };
    Style { width: width.or(own).unwrap_or(100).max(40), colour: terminal && wanted }
}

fn tell_skipped(skipped: &[Skipped]) {
    for skip in skipped {
        eprintln!("provtrace: {}: {}", report::plain::harmless(&skip.path), skip.reason);
    }
}

fn status(input: &InputArgs, skipped: &[Skipped], otherwise: u8) -> u8 {
    if input.strict && !skipped.is_empty() { NO_REPORT } else { otherwise }
}
