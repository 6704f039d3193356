//! What the user can type. Declares; does nothing.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use provtrace_parsers::text::{CodePage, read_code_page};

use crate::clock::{Bound, read_bound};
use crate::layout::{Layout, read_layout};
use crate::zones::{ZoneRule, read_rule};

/// What the exit status means.
const STATUS: &str = "Exit status: 0 a report was made; 1 it was made and the condition of --fail-on holds; \
                      2 no report could be made, or --strict and a file could not be read.";

/// Finds the provisioning steps that failed because "a task is already running", who held
/// them, and which templates and steps suffer most. Every finding is proven with lines.
#[derive(Debug, Parser)]
#[command(name = "provtrace", version, about, max_term_width = 100, after_help = STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find the refused steps of all devices, and rank templates and steps
    Analyze(AnalyzeArgs),
    /// Read what is new on a share since the last run, keep what is known in a store, and tell the news
    Nightly(NightlyArgs),
    /// The report of `analyze`, of all that a store knows
    Report(ReportArgs),
    /// Look after a store: forget what is old, check that it is whole, write it out
    Store(StoreArgs),
    /// Print what was read, record by record, as it was read
    Events(EventsArgs),
    /// Print the lifetimes of each device's processes as swim-lanes (--device for one)
    Timeline(TimelineArgs),
    /// Tell the story of an incident, each sentence with its lines
    Explain(ExplainArgs),
    /// Print where the time of each run went (--device for one)
    Blame(TimelineArgs),
    /// Say what really changed between two JSON reports, or two periods of one share
    Compare(CompareArgs),
    /// Put what proves an incident into a sealed zip, for support; --redact replaces names
    Evidence(EvidenceArgs),
    /// Check a zip that `evidence` made: status 1 if anything differs, 2 if it is none
    Verify(VerifyArgs),
    /// What is known of the logs' wording; check overlays, and what is understood of a share
    Formats(FormatsArgs),
}

/// `formats`
#[derive(Debug, Args)]
pub struct FormatsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FormatsCommand,
}

/// What to do with formats.
#[derive(Debug, Subcommand)]
pub enum FormatsCommand {
    /// All formats, one a line
    List {
        /// Which overlays.
        #[command(flatten)]
        formats: FormatArgs,
    },
    /// One format with all its rules, or all codes, stamps, actions that install the agent, or expected
    /// failures: as an overlay would write them
    Show {
        /// The format's name, or codes, stamps, actions or ignore
        #[arg(value_name = "NAME")]
        name: String,
        /// Which overlays.
        #[command(flatten)]
        formats: FormatArgs,
    },
    /// What is understood of a share's logs, and what the rest looks like
    Check(CheckArgs),
    /// Propose rules for logs of unknown wording, from the logs themselves; -o writes them as an
    /// overlay
    Learn(LearnArgs),
    /// Check overlays: one line a file; status 2 if one is wrong
    Validate {
        /// Overlays, or folders of them
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
}

/// `formats check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where it is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Devices that are read side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bar
    #[arg(long)]
    pub no_progress: bool,
    /// How many shapes of lines are shown [default: 15]
    #[arg(long, value_name = "N")]
    pub top: Option<u16>,
    /// How it is written
    #[arg(long, value_enum, default_value = "table")]
    pub format: SurveyFormat,
}

/// `formats learn`
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where it is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Devices that are read side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bar
    #[arg(long)]
    pub no_progress: bool,
}

/// Which overlays are in force.
#[derive(Debug, Clone, Args)]
pub struct FormatArgs {
    /// Overlays over the known formats: a folder of .toml files, or one; can be repeated, later ones
    /// go over earlier ones. See docs/OVERLAYS.md
    #[arg(long, value_name = "PATH")]
    pub formats: Vec<PathBuf>,
    /// Leave out the overlays of your own folder (`formats list` says where it is)
    #[arg(long)]
    pub no_user_formats: bool,
}

/// What is read, for every command.
#[derive(Debug, Clone, Args)]
pub struct InputArgs {
    /// Folders of devices' logs (a share, a night, one device), log files, .zip and .gz archives of
    /// them; - for a list of paths on standard input, one a line
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Only devices of this name; * stands for anything, case is ignored; can be repeated
    #[arg(long, value_name = "NAME")]
    pub device: Vec<String>,
    /// Where in a path below PATH the device's name stands, in the place of a guess:
    /// '{night}/{device}/**'. {device}, {site}, {night} and * are one folder (or archive) each, **
    /// is all that is below
    #[arg(long, value_name = "PATTERN", value_parser = read_layout)]
    pub layout: Option<Layout>,
    /// Time zone of all devices, or of those whose name fits; goes before SystemInfo.log. An
    /// IANA name or an offset: Europe/Paris, TYO-*=Asia/Tokyo, +01:00; can be repeated
    #[arg(long, value_name = "[NAME=]ZONE", value_parser = read_rule, allow_hyphen_values = true)]
    pub tz: Vec<ZoneRule>,
    /// Code page of lines that are not UTF-8: windows-1251, shift_jis … [default: windows-1252]
    #[arg(long, value_name = "NAME", value_parser = read_code_page)]
    pub codepage: Option<CodePage>,
    /// Which overlays.
    #[command(flatten)]
    pub formats: FormatArgs,
    /// Files that can't be read make the exit status 2
    #[arg(long)]
    pub strict: bool,
}

/// Which failures are expected.
#[derive(Debug, Args)]
pub struct ExpectedArgs {
    /// Steps whose failures are expected: they are counted, and left out of all lists; * stands for
    /// anything; can be repeated
    #[arg(long, value_name = "NAME")]
    pub ignore_step: Vec<String>,
    /// An exit code that is expected, as a log or the console shows it; can be repeated
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    pub ignore_code: Vec<String>,
}

/// Where a command writes.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Write to this file, not to standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `analyze`
#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// Write to this file, not to standard output, in the format of its name: .txt, .json, .html, .md,
    /// .csv, .parquet, .timesketch.jsonl, .timesketch.csv, .trace.json; can be repeated, for several
    /// reports of one analysis
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Only steps that began at or after this time: 2025-03-24, 2025-03-24T10:00 (each device's
    /// own time) or 2025-03-24T10:00Z
    #[arg(long, value_name = "TIME", value_parser = read_bound)]
    pub since: Option<Bound>,
    /// Only steps that began before this time
    #[arg(long, value_name = "TIME", value_parser = read_bound)]
    pub until: Option<Bound>,
    /// Names from the core: CSV with the columns task_id,template[,step]
    #[arg(long, value_name = "FILE")]
    pub tasks: Option<PathBuf>,
    /// Which failures are expected.
    #[command(flatten)]
    pub expected: ExpectedArgs,
    /// Devices that are read side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bar
    #[arg(long)]
    pub no_progress: bool,
    /// Also print the lines that prove each incident
    #[arg(long)]
    pub evidence: bool,
    /// How the report is written [default: by the name of the file, else table]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Exit with status 1 if the report has this
    #[arg(long, value_enum, value_name = "CONDITION")]
    pub fail_on: Option<FailOn>,
}

/// `compare`
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What is read: BEFORE and AFTER, two reports of `analyze -o report.json`; with --at logs.
    #[command(flatten)]
    pub input: InputArgs,
    /// Compare the runs of the logs in PATH that began before this time with those that began at or
    /// after it: 2025-03-24, 2025-03-24T10:00 (each device's own time) or 2025-03-24T10:00Z
    #[arg(long, value_name = "TIME", value_parser = read_bound)]
    pub at: Option<Bound>,
    /// Where it is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Names from the core: CSV with the columns task_id,template[,step]
    #[arg(long, value_name = "FILE")]
    pub tasks: Option<PathBuf>,
    /// Devices that are read side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bar
    #[arg(long)]
    pub no_progress: bool,
    /// How it is written [default: by the name of the file, else table]
    #[arg(long, value_enum)]
    pub format: Option<CompareFormat>,
}

/// `evidence`
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// The zip
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The incident's id, as the report has it; --device takes all of a device
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// Names from the core: CSV with the columns task_id,template[,step]
    #[arg(long, value_name = "FILE")]
    pub tasks: Option<PathBuf>,
    /// Lines around each quoted line
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=1000))]
    pub context: u64,
    /// Leave the original files out
    #[arg(long)]
    pub excerpts_only: bool,
    /// Replace names of devices, users, domains, cores and hosts, and addresses, by pseudonyms; see
    /// docs/EVIDENCE.md for what is not found
    #[arg(long)]
    pub redact: bool,
    /// Another name to replace; can be repeated
    #[arg(long, value_name = "NAME", requires = "redact")]
    pub redact_name: Vec<String>,
    /// Where the real names are written [default: beside the zip, as .map.json]
    #[arg(long, value_name = "FILE", requires = "redact")]
    pub map: Option<PathBuf>,
    /// Devices that are read side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// `verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The zip
    #[arg(value_name = "FILE")]
    pub bundle: PathBuf,
    /// Also look for every real name of this map
    #[arg(long, value_name = "MAP")]
    pub leaks: Option<PathBuf>,
}

/// `events`
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where it is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Also lines that are no event: known noise, continuations, unknown
    #[arg(long)]
    pub all: bool,
}

/// `timeline`
#[derive(Debug, Args)]
pub struct TimelineArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where it is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Names from the core: CSV with the columns task_id,template[,step]
    #[arg(long, value_name = "FILE")]
    pub tasks: Option<PathBuf>,
    /// Width in columns [default: the terminal's, else 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,
}

/// `explain`
#[derive(Debug, Args)]
#[command(
    override_usage = "provtrace explain [OPTIONS] <INCIDENT> <PATH>...\n       \
                      provtrace explain [OPTIONS] --device <NAME> <PATH>...",
    after_help = "INCIDENT is the id that `analyze` prints at the end of an incident's line, or its \
                  unique beginning. Without one, all incidents of the device are told."
)]
pub struct ExplainArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where it is written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Names from the core: CSV with the columns task_id,template[,step]
    #[arg(long, value_name = "FILE")]
    pub tasks: Option<PathBuf>,
    /// Devices that are read side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bar
    #[arg(long)]
    pub no_progress: bool,
    /// How it is written
    #[arg(long, value_enum, default_value = "table")]
    pub format: SurveyFormat,
    /// Width in columns [default: the terminal's, else 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,
}

/// `nightly`
#[derive(Debug, Args)]
#[command(
    override_usage = "provtrace nightly [OPTIONS] --store <DIR> <PATH>...\n       \
                      provtrace nightly [OPTIONS] --config <FILE> [PATH]...",
    after_help = "Exit status: 0 the store is up to date; 1 it is, and a condition of --fail-on holds; 2 the \
                  run is not done: the next one goes on from there. See docs/RUNNING.md"
)]
pub struct NightlyArgs {
    /// What is read.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where all that is known is kept, from run to run; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub store: PathBuf,
    /// Flags from a TOML file: store = "DIR", share = ["PATH"], and every other flag by its name. What is
    /// typed goes before it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write the news to this file, not to standard output, in the format of its name: .txt, .json, .html,
    /// .md; can be repeated, for several reports of one run
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// How the news are written [default: by the name of the file, else table]
    #[arg(long, value_enum)]
    pub format: Option<NewsFormat>,
    /// Exit with status 1 if the news has this; can be repeated
    #[arg(long, value_enum, value_name = "CONDITION")]
    pub fail_on: Vec<NewsCondition>,
    /// A device is silent when nothing new came from it for so many days
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub silent_after: u32,
    /// Also write measures of the run to this file, for Prometheus' textfile collector (.prom)
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Also post the news as JSON to this address; others on this machine can read it in the list of
    /// processes, so one that holds a secret belongs into --webhook-file or the variable PROVTRACE_WEBHOOK
    #[arg(long, value_name = "URL", conflicts_with = "webhook_file")]
    pub webhook: Option<String>,
    /// A file whose first line is that address
    #[arg(long, value_name = "FILE", conflicts_with = "webhook")]
    pub webhook_file: Option<PathBuf>,
    /// The longest time without a byte of one file: it is left for the next run then
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub file_timeout: u64,
    /// Names from the core: CSV with the columns task_id,template[,step]
    #[arg(long, value_name = "FILE")]
    pub tasks: Option<PathBuf>,
    /// Which failures are expected.
    #[command(flatten)]
    pub expected: ExpectedArgs,
    /// Devices that are read side by side [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress, neither as a bar nor as lines
    #[arg(long)]
    pub no_progress: bool,
}

/// `report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The store that `nightly` keeps
    #[arg(long, value_name = "DIR")]
    pub store: PathBuf,
    /// Write to this file, not to standard output, in the format of its name: .txt, .json, .html, .md,
    /// .csv, .parquet, .timesketch.jsonl, .timesketch.csv, .trace.json; can be repeated
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// Only steps that began at or after this time: 2025-03-24, 2025-03-24T10:00 (each device's
    /// own time) or 2025-03-24T10:00Z
    #[arg(long, value_name = "TIME", value_parser = read_bound)]
    pub since: Option<Bound>,
    /// Only steps that began before this time
    #[arg(long, value_name = "TIME", value_parser = read_bound)]
    pub until: Option<Bound>,
    /// Also print the lines that prove each incident
    #[arg(long)]
    pub evidence: bool,
    /// How the report is written [default: by the name of the file, else table]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Exit with status 1 if the report has this
    #[arg(long, value_enum, value_name = "CONDITION")]
    pub fail_on: Option<FailOn>,
}

/// `store`
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What to do with a store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Forget what is older than so many days
    Prune {
        /// The store that `nightly` keeps
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// How long what a run found is kept: 400d is 400 days, at least a day
        #[arg(long, value_name = "DAYS", value_parser = read_days)]
        keep: Days,
    },
    /// Check that the store is whole: status 1 if something is wrong, 2 if it is none
    Check {
        /// The store that `nightly` keeps
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
    },
    /// Write all that the store knows to a folder that any program can read
    Export {
        /// The store that `nightly` keeps
        #[arg(long, value_name = "DIR")]
        store: PathBuf,
        /// A new folder
        #[arg(value_name = "TO")]
        to: PathBuf,
    },
}

/// A number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(pub u32);

/// Reads `400d`, or `400`.
///
/// # Errors
/// Says what can be written.
pub fn read_days(text: &str) -> Result<Days, String> {
    let number = text.strip_suffix(['d', 'D']).unwrap_or(text);
    let days = number.parse().ok().filter(|days| (1..=36_500).contains(days));
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    days.filter(|_| is_number).map(Days).ok_or_else(|| "write days from 1d to 36500d".to_owned())
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    /// For people, on a terminal
    Table,
    /// For programs: see docs/REPORT.md
    Json,
    /// A page for a browser, in one file
    Html,
    /// For tickets and wikis
    #[value(name = "md", alias = "markdown")]
    Markdown,
    /// Incidents for spreadsheets; with -o also templates and steps, beside it
    Csv,
    /// Incidents for DuckDB, pandas …; with -o also lifetimes and step runs, beside it
    Parquet,
    /// All moments for Timesketch, one JSON object a line
    TimesketchJsonl,
    /// The same as CSV
    TimesketchCsv,
    /// All devices as tracks for ui.perfetto.dev or chrome://tracing
    Trace,
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For people, on a terminal
    Table,
    /// For programs: see docs/REPORT.md
    Json,
    /// A page for a browser, in one file
    Html,
}

/// How news are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum NewsFormat {
    /// For people, on a terminal
    Table,
    /// For programs: see docs/NIGHTLY.md
    Json,
    /// A page for a browser, in one file
    Html,
    /// For chats and tickets
    #[value(name = "md", alias = "markdown")]
    Markdown,
}

/// How a survey is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SurveyFormat {
    /// For people, on a terminal
    Table,
    /// For programs: see docs/REPORT.md
    Json,
}

/// A condition for exit status 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// At least one incident
    Any,
}

/// A condition for exit status 1, of a nightly run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NewsCondition {
    /// An incident that no run saw before
    New,
    /// A template or step that is affected more often, or logs that are no longer understood
    Worse,
    /// Anything that people should be told
    Any,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert_eq!(read_days("400d"), Ok(Days(400)));
        assert_eq!(read_days("1"), Ok(Days(1)));
        for wrong in
            ["", "d", "0d", "-4d", "+4d", "4w", "4 d", "400dd", "36501d", "99999999999d", "4.5d"]
        {
            assert!(read_days(wrong).is_err(), "{wrong}");
        }
    }
}
