//! provtrace: finds the provisioning steps that failed because a scan or a policy task held
//! sdclient, and proves each with lines.

mod account;
mod archive;
mod axis;
mod batch;
mod belonging;
mod blame;
mod block;
mod bundle;
mod candidates;
mod chance;
mod changes;
mod children;
mod chronicle;
mod citation;
mod cli;
mod clock;
mod comparison;
mod config;
mod contract;
mod correlate;
mod course;
mod coverage;
mod dates;
mod delivery;
mod deployment;
mod device;
mod digest;
mod discover;
mod disguise;
mod document;
mod dossier;
mod ending;
mod entries;
mod eventlog;
mod evidence;
mod excerpt;
mod expected;
mod explanation;
mod facts;
mod failure;
mod fingerprint;
mod flags;
mod formats;
mod forms;
mod gap;
mod history;
mod holder;
mod home;
mod hypotheses;
mod identity;
mod ingest;
mod inquiry;
mod intake;
mod inventory;
mod layout;
mod leaks;
mod leap;
mod learn;
mod letters;
mod lifetime;
mod lineage;
mod logs;
mod manifest;
mod memory;
mod news;
mod nightly;
mod output;
mod overlays;
mod paths;
mod pattern;
mod periods;
mod place;
mod progress;
mod proposal;
mod provision;
mod rank;
mod rawline;
mod recognise;
mod recollection;
mod redaction;
mod report;
mod rereader;
mod rereading;
mod retelling;
mod roles;
mod room;
mod run;
mod sample;
mod scan;
mod scene;
mod seal;
mod sequence;
mod settings;
mod sighting;
mod signature;
mod source;
mod spans;
mod stamps;
mod standstill;
mod store;
mod story;
mod stream;
mod summary;
mod survey;
mod suspicion;
mod tally;
mod tasks;
mod telling;
mod testimony;
mod ticket;
mod timeline;
mod trace;
mod trail;
mod understanding;
mod upkeep;
mod verification;
mod wait;
mod walk;
mod watch;
mod webhook;
mod witness;
mod zones;

use std::io;
use std::path::Path;
use std::process;

use clap::Parser;
use rayon::prelude::*;

use crate::chronicle::Chronicle;
use crate::cli::{
    AnalyzeArgs, CheckArgs, Cli, Command, EventsArgs, FailOn, Format, FormatsCommand, InputArgs,
    LearnArgs, SurveyFormat, TimelineArgs,
};
use crate::clock::Window;
use crate::config::Expanded;
use crate::discover::Skipped;
use crate::failure::Failure;
use crate::intake::{
    FOUND, NO_REPORT, expect, find, finish, in_parallel, nothing_readable, output, read, request,
    status, style, tell_skipped,
};
use crate::output::Output;
use crate::progress::Progress;
use crate::report::records::Records;
use crate::report::table::Style;
use crate::story::{Kept, Request};

/// Half as much time goes into memory as with the systems' own, and what one thread frees, others use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Devices that are read before what is known of them is put together.
const AT_A_TIME: usize = 32;

fn main() -> process::ExitCode {
    let expanded = config::expand(std::env::args_os().collect());
    match expanded.map_err(Failure::Asked).and_then(run) {
        Ok(status) => process::ExitCode::from(status),
        // A reader that has seen enough (`| head`) is no failure.
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            process::ExitCode::SUCCESS
        }
        Err(failure) => {
            tell(&failure.message());
            process::ExitCode::from(NO_REPORT)
        }
    }
}

/// Says something on standard error.
fn tell(message: &str) {
    let lines: Vec<_> = message.lines().map(report::plain::harmless).collect();
    intake::say(&lines.join("\n"));
}

/// The command that was typed.
fn run(expanded: Expanded) -> Result<u8, Failure> {
    expanded.warnings.iter().for_each(|warning| tell(warning));
    let cli = Cli::parse_from(expanded.arguments);
    match &cli.command {
        Command::Analyze(args) => analyze(args),
        Command::Nightly(args) => nightly::nightly(args),
        Command::Report(args) => retelling::report(args),
        Command::Store(args) => upkeep::store(&args.command),
        Command::Events(args) => events(args),
        Command::Timeline(args) => timeline(args),
        Command::Blame(args) => blame(args),
        Command::Explain(args) => inquiry::explain(args),
        Command::Compare(args) => periods::compare(args),
        Command::Evidence(args) => evidence::evidence(args),
        Command::Verify(args) => verification::verify(args),
        Command::Formats(args) => formats(&args.command),
    }
}

/// `analyze`: the stages, one call each.
fn analyze(args: &AnalyzeArgs) -> Result<u8, Failure> {
    let targets = report::medium::targets(&args.output, args.format).map_err(Failure::Asked)?;
    let mut request = request(
        &args.input,
        args.tasks.as_deref(),
        Window { since: args.since, until: args.until },
    )?;
    intake::refuse_terminal(&targets)?;
    request.kept =
        targets.iter().map(|target| target.medium.needs()).max().unwrap_or(Kept::Nothing);
    expect(&args.expected, &mut request)?;
    let share = find(&args.input, &request)?;
    if share.devices.len() == 1 && targets.iter().any(|target| target.medium == Format::Table) {
        // Its story goes first, with its picture.
        request.kept = Kept::Everything;
    }
    let (report, chronicles) = read(&share, &request, args.threads, args.no_progress)?;
    intake::write(&targets, args.evidence, &report, &chronicles, &share)?;
    let found = args.fail_on == Some(FailOn::Any) && !report.incidents.is_empty();
    Ok(status(&args.input, &report.coverage.skipped, if found { FOUND } else { 0 }))
}

/// `events`: one source after the other, in order.
fn events(args: &EventsArgs) -> Result<u8, Failure> {
    let request = request(&args.input, None, Window::default())?;
    let share = find(&args.input, &request)?;
    understanding::tell(&share, &request.formats);
    let mut out = output(args.output.output.as_deref(), &share)?;
    let mut skipped = share.skipped.clone();
    let mut buffer = Vec::new();
    let mut files = 0;
    for device in &share.devices {
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
            files += usize::from(read.is_ok());
            let reason = read.map_or_else(Some, |end| end.stopped);
            skipped.extend(reason.map(|reason| Skipped { path: source.shown.clone(), reason }));
        }
        device.release();
    }
    finish(&args.input, &share, out, &skipped, files)
}

/// `timeline`: one picture a device.
fn timeline(args: &TimelineArgs) -> Result<u8, Failure> {
    pictures(&args.input, args.tasks.as_deref(), args.output.output.as_deref(), &|own, out| {
        report::lanes::write(own, style(args.output.output.is_some(), args.width), out)
    })
}

/// `blame`: where the time of each run went.
fn blame(args: &TimelineArgs) -> Result<u8, Failure> {
    pictures(&args.input, args.tasks.as_deref(), args.output.output.as_deref(), &|own, out| {
        report::blame::write(own, style(args.output.output.is_some(), args.width), out)
    })
}

/// One device after the other, each drawn from its chronicle.
fn pictures(
    input: &InputArgs,
    tasks: Option<&Path>,
    file: Option<&Path>,
    draw: &dyn Fn(&Chronicle, &mut Output) -> io::Result<()>,
) -> Result<u8, Failure> {
    let request = Request { kept: Kept::Everything, ..request(input, tasks, Window::default())? };
    let share = find(input, &request)?;
    understanding::tell(&share, &request.formats);
    let mut out = output(file, &share)?;
    let mut skipped = share.skipped.clone();
    let mut files = 0;
    for device in &share.devices {
        let read = device::analyze(device, &request, &|_| {});
        if let Some(chronicle) = &read.chronicle {
            draw(chronicle, &mut out)?;
        }
        files += read.files as usize;
        skipped.extend(read.skipped);
    }
    finish(input, &share, out, &skipped, files)
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
            if !formats::show(&known, name, &mut out)? {
                let names = formats::names(&known);
                return Err(Failure::Asked(format!(
                    "no format is named {name}; there are {names}"
                )));
            }
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
    let mut out = output(args.output.output.as_deref(), &share)?;
    match args.format {
        SurveyFormat::Json => report::json::write(&survey, &mut out)?,
        SurveyFormat::Table => {
            let top = args.top.map_or(report::survey::SHAPES, usize::from);
            report::survey::write(
                &survey,
                style(args.output.output.is_some(), None),
                top,
                &mut out,
            )?;
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
    let (page, overlay) = (input.codepage.unwrap_or_default(), args.output.output.as_deref());
    learn::refuse_to_lose(&overlays, overlay).map_err(Failure::Asked)?;
    let before = learn::Before { overlays, page, request };
    let progress = Progress::of_passes(&share, learn::PASSES, args.no_progress);
    let lesson = in_parallel(args.threads, || learn::learn(&share, before, &|n| progress.read(n)))?;
    progress.finish();
    let lesson = lesson.map_err(Failure::Asked)?;
    tell_skipped(&lesson.skipped);
    if lesson.files == 0 {
        return Err(nothing_readable(&share, lesson.skipped.len()));
    }
    if overlay.is_some() {
        let mut out = output(overlay, &share)?;
        io::Write::write_all(&mut out, lesson.overlay().as_bytes())?;
        out.finish()?;
    }
    // The proposals go to the terminal, wherever the overlay goes.
    let style = Style {
        width: progress::terminal_width().unwrap_or(100).max(40),
        ..style(overlay.is_some(), None)
    };
    report::lesson::write(&lesson, overlay, style, &mut io::stdout().lock())?;
    Ok(status(input, &lesson.skipped, 0))
}
