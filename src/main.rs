//! provtrace: finds the provisioning steps that failed because a scan or a policy task held
//! sdclient, and proves each with lines.

mod cli;
mod clock;
mod contract;
mod correlate;
mod deployment;
mod device;
mod discover;
mod ingest;
mod lifetime;
mod pattern;
mod progress;
mod provision;
mod rank;
mod report;
mod run;
mod scan;
mod signature;
mod source;
mod summary;
mod tasks;
mod timeline;
mod trace;
mod zones;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use provtrace_parsers::format::Formats;
use rayon::prelude::*;

use crate::cli::{AnalyzeArgs, Cli, Command, EventsArgs, FailOn, Format, InputArgs, TimelineArgs};
use crate::clock::Window;
use crate::device::Request;
use crate::discover::{Share, Skipped, discover};
use crate::progress::Progress;
use crate::report::records::Records;
use crate::report::table::Style;
use crate::tasks::Tasks;

/// Exit status: the condition of `--fail-on` holds.
const FOUND: u8 = 1;
/// Exit status: no report could be made.
const NO_REPORT: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Analyze(args) => analyze(args),
        Command::Events(args) => events(args),
        Command::Timeline(args) => timeline(args),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        // A reader that has seen enough (`| head`) is no failure.
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("provtrace: {}", failure.message());
            ExitCode::from(NO_REPORT)
        }
    }
}

/// Why no report could be made.
enum Failure {
    /// What, where, what to do.
    Asked(String),
    /// The output could not be written.
    Write(io::Error),
}

impl Failure {
    fn message(&self) -> String {
        match self {
            Failure::Asked(message) => message.clone(),
            Failure::Write(error) => {
                format!("the output can't be written: {}", discover::plain(error))
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Write(error)
    }
}

/// `analyze`: the stages, one call each.
fn analyze(args: &AnalyzeArgs) -> Result<u8, Failure> {
    let request = request(&args.input)?;
    let share = find(&args.input, &request)?;
    let progress = Progress::new(&share, args.input.no_progress);
    let devices = in_parallel(&args.input, || {
        let analyze = |device| device::analyze(device, &request, &|bytes| progress.read(bytes));
        share.devices.par_iter().map(analyze).collect()
    })?;
    progress.finish();
    let report = summary::summarize(devices, &share)
        .map_err(|error| Failure::Asked(format!("the ranking failed: {error}")))?;
    tell_skipped(&report.coverage.skipped);
    if report.coverage.files == 0 {
        return Err(nothing_readable(&share));
    }
    let mut out = output(&args.input)?;
    match args.format {
        Format::Json => report::json::write(&report, &mut out)?,
        Format::Table => report::table::write(&report, style(&args.input, None), &mut out)?,
    }
    out.flush()?;
    let found = args.fail_on == Some(FailOn::Any) && !report.incidents.is_empty();
    Ok(status(&args.input, &report.coverage.skipped, if found { FOUND } else { 0 }))
}

/// `events`: one source after the other, in order.
fn events(args: &EventsArgs) -> Result<u8, Failure> {
    let request = request(&args.input)?;
    let share = find(&args.input, &request)?;
    let mut out = output(&args.input)?;
    let mut skipped = share.skipped.clone();
    let mut buffer = Vec::new();
    for device in &share.devices {
        let mut dates = ingest::DateOrders::new(device, &request.formats);
        for source in &device.sources {
            let format = &request.formats.formats[source.format];
            let mut records =
                Records { path: &source.shown, format, all: args.all, out: &mut out, failed: None };
            let read =
                ingest::read_source(source, format, &mut dates, &mut buffer, &mut records, &|_| {});
            if let Some(error) = records.failed {
                return Err(Failure::Write(error));
            }
            let reason = read.map_or_else(Some, |end| end.stopped);
            skipped.extend(reason.map(|reason| Skipped { path: source.shown.clone(), reason }));
        }
    }
    out.flush()?;
    tell_skipped(&skipped);
    Ok(status(&args.input, &skipped, 0))
}

/// `timeline`: one picture a device.
fn timeline(args: &TimelineArgs) -> Result<u8, Failure> {
    let request = request(&args.input)?;
    let share = find(&args.input, &request)?;
    let mut out = output(&args.input)?;
    let mut skipped = share.skipped.clone();
    for device in &share.devices {
        let story = device::tell(device, &request, &|_| {});
        report::lanes::write(&story, style(&args.input, args.width), &mut out)?;
        skipped.extend(story.logs.skipped);
    }
    out.flush()?;
    tell_skipped(&skipped);
    Ok(status(&args.input, &skipped, 0))
}

fn request(input: &InputArgs) -> Result<Request, Failure> {
    let mut formats = Formats::builtin().map_err(|error| Failure::Asked(error.to_string()))?;
    formats.read_with(input.codepage.unwrap_or_default());
    let tasks = match &input.tasks {
        Some(path) => {
            Tasks::read(path, input.codepage.unwrap_or_default()).map_err(Failure::Asked)?
        }
        None => Tasks::default(),
    };
    let window = Window { since: input.since, until: input.until };
    Ok(Request { formats, tasks, zones: input.tz.clone(), window })
}

/// The devices that are asked for.
fn find(input: &InputArgs, request: &Request) -> Result<Share, Failure> {
    let mut share = discover(&input.paths, &request.formats).map_err(Failure::Asked)?;
    if share.devices.is_empty() {
        return Err(nothing_readable(&share));
    }
    if !input.device.is_empty() {
        let all = share.devices.len();
        share
            .devices
            .retain(|device| input.device.iter().any(|name| pattern::fits(name, &device.name)));
        if share.devices.is_empty() {
            let names = input.device.join(", ");
            return Err(Failure::Asked(format!(
                "no device is named {names}; there are {all}: `provtrace analyze` without --device lists them"
            )));
        }
    }
    Ok(share)
}

fn nothing_readable(share: &Share) -> Failure {
    let unread = share.skipped.len();
    let unknown = share.unrecognised.len();
    let others = share.other_files;
    Failure::Asked(format!(
        "no log that provtrace knows was read ({unread} files could not be read, {unknown} logs are of no known \
         format, {others} files are no logs); give a folder with sdclient, vulscan, localsch, PolicySync or \
         ldProvision logs"
    ))
}

fn in_parallel<T: Send>(input: &InputArgs, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    let threads = input.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool =
        pool.map_err(|error| Failure::Asked(format!("no threads: {error}; try --threads 1")))?;
    Ok(pool.install(work))
}

fn output(input: &InputArgs) -> Result<Box<dyn Write>, Failure> {
    let Some(path) = &input.output else {
        return Ok(Box::new(BufWriter::new(io::stdout().lock())));
    };
    let shown = discover::slashed(path);
    let file = File::create(path)
        .map_err(|error| Failure::Asked(format!("{shown}: {}", discover::plain(&error))))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Colour and width of a terminal; neither for a file or a pipe.
fn style(input: &InputArgs, width: Option<u16>) -> Style {
    let terminal = input.output.is_none() && io::stdout().is_terminal();
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
