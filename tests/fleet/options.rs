//! What was asked for. The presets of `--condition` only fill in what no flag has set.

use crate::dialect::Dialect;
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};

/// Simulates a fleet of provisioned devices: their logs, and the truth beside them.
#[derive(Debug, Parser)]
#[command(name = "fleet")]
pub(crate) struct Arguments {
    /// Folder that becomes the share; must not exist or be empty.
    pub(crate) out: PathBuf,
    /// How many devices.
    #[arg(long, default_value_t = 50)]
    pub(crate) devices: u64,
    /// Index of the first device (device i is the same in every fleet of a seed).
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u64,
    /// Same seed, same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Preset that the flags below refine.
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) condition: Condition,
    /// How many templates the fleet has.
    #[arg(long, default_value_t = 6)]
    pub(crate) templates: usize,
    /// First day of the runs, as YYYY-MM-DD.
    #[arg(long, default_value = "2025-01-13")]
    pub(crate) start: String,
    /// Days over which the runs are spread.
    #[arg(long, default_value_t = 300)]
    pub(crate) span: i64,
    /// Days of daily scans: half before the run, half after it.
    #[arg(long, default_value_t = 6)]
    pub(crate) history_days: i64,
    /// Target size of the share in bytes (suffixes k, m, g), filled up with scan history.
    #[arg(long)]
    pub(crate) bulk: Option<String>,
    /// Where the truth goes [default: OUT.truth.json].
    #[arg(long)]
    pub(crate) truth: Option<PathBuf>,
    /// Writes the mapping `task_id,template,step` to this file.
    #[arg(long)]
    pub(crate) tasks: Option<PathBuf>,
    /// Another wording for every agent log: stamps, texts and the refusal code (tests/fleet/wordings/).
    #[arg(long)]
    pub(crate) wording: Option<PathBuf>,
    /// Longest random delay of the local scheduler, in minutes.
    #[arg(long, default_value_t = 60)]
    pub(crate) max_delay: i64,
    /// Exit code of a refused sdclient, in hex.
    #[arg(long, default_value = "8DB5019C")]
    pub(crate) refusal_code: String,
    /// Scan and policy sync armed for the year 3000, real agent last.
    #[arg(long)]
    pub(crate) workaround: bool,
    /// The workaround is in force for runs that start on or after this day (YYYY-MM-DD).
    #[arg(long)]
    pub(crate) workaround_from: Option<String>,
    /// No sdclient notices that somebody else lives: overlaps, and no refusal anywhere.
    #[arg(long)]
    pub(crate) unnoticed: bool,
    /// The agent's log names its task: `<template> <COMPUTER> <date>`.
    #[arg(long)]
    pub(crate) task_names: bool,
    /// Every run on a day of 1..8, no second runs, three days of later history at most: no slash
    /// date of the fleet can be told apart. Any month of the start year.
    #[arg(long)]
    pub(crate) ambiguous_dates: bool,
    /// Slash dates day-first everywhere.
    #[arg(long, conflicts_with = "month_first")]
    pub(crate) day_first: bool,
    /// Slash dates month-first everywhere.
    #[arg(long)]
    pub(crate) month_first: bool,
    /// All switches that take a percentage or a choice.
    #[command(flatten)]
    pub(crate) switches: Switches,
}

/// Percentages (0..100) and choices whose default depends on the condition.
#[derive(Debug, clap::Args)]
pub(crate) struct Switches {
    /// Lines whose wording is only assumed.
    #[arg(long, value_enum)]
    pub(crate) markers: Option<Toggle>,
    /// Lines that no format page lists.
    #[arg(long, value_enum)]
    pub(crate) noise: Option<Toggle>,
    /// Runs of imaged devices whose hardware clock is hours off.
    #[arg(long)]
    pub(crate) clock_jumps: Option<u32>,
    /// Of those, corrected only after the agent install.
    #[arg(long)]
    pub(crate) late_jumps: Option<u32>,
    /// Runs placed across a daylight-saving change, where the site has one.
    #[arg(long)]
    pub(crate) dst: Option<u32>,
    /// Devices that are provisioned twice.
    #[arg(long)]
    pub(crate) reruns: Option<u32>,
    /// Logs in an encoding other than UTF-8.
    #[arg(long)]
    pub(crate) encodings: Option<u32>,
    /// Logs with LF instead of CRLF.
    #[arg(long)]
    pub(crate) lf: Option<u32>,
    /// Logs that end in zero bytes.
    #[arg(long)]
    pub(crate) nul_tails: Option<u32>,
    /// Logs cut in mid-line.
    #[arg(long)]
    pub(crate) cut_logs: Option<u32>,
    /// Logs that are missing.
    #[arg(long)]
    pub(crate) missing: Option<u32>,
    /// vulscan and task logs that are rotated.
    #[arg(long)]
    pub(crate) rotation: Option<u32>,
    /// Logs that lie a second time in a sub-folder.
    #[arg(long)]
    pub(crate) copies: Option<u32>,
    /// Devices collected night after night.
    #[arg(long)]
    pub(crate) nightly: Option<u32>,
    /// Devices collected as a zip bundle.
    #[arg(long)]
    pub(crate) zips: Option<u32>,
    /// Devices whose rfc stamps print a wrong weekday.
    #[arg(long)]
    pub(crate) wrong_weekdays: Option<u32>,
}

/// Presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Condition {
    /// Every marker line, also those of assumed wording.
    Full,
    /// Only lines that were seen, or that scripts in the field match.
    Bare,
    /// Full, on a share as bad as they come.
    Hostile,
    /// Full, with the vendor's workaround in force.
    Workaround,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Toggle {
    /// Written.
    On,
    /// Left out.
    Off,
}

/// Everything resolved: presets applied, texts parsed.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) out: PathBuf,
    pub(crate) truth: PathBuf,
    pub(crate) tasks: Option<PathBuf>,
    pub(crate) devices: u64,
    pub(crate) first: u64,
    pub(crate) seed: u64,
    pub(crate) condition: &'static str,
    pub(crate) templates: usize,
    /// Day number (days since 1970) of the first run.
    pub(crate) start_day: i64,
    pub(crate) span: i64,
    pub(crate) history_days: i64,
    /// Bytes of scan history that each device adds.
    pub(crate) bulk_each: Option<u64>,
    pub(crate) wording: Option<Dialect>,
    pub(crate) max_delay: i64,
    pub(crate) refusal_code: u32,
    /// UTC second from which runs use the workaround.
    pub(crate) workaround_from: Option<i64>,
    pub(crate) ambiguous_dates: bool,
    /// No refusal anywhere.
    pub(crate) unnoticed: bool,
    /// The agent's log names its task.
    pub(crate) task_names: bool,
    pub(crate) day_first: Option<bool>,
    pub(crate) markers: bool,
    pub(crate) noise: bool,
    pub(crate) clock_jumps: u32,
    pub(crate) late_jumps: u32,
    pub(crate) dst: u32,
    pub(crate) reruns: u32,
    pub(crate) disorder: Disorder,
}

/// How the finished logs are spoilt, in percent.
#[derive(Clone, Debug)]
pub(crate) struct Disorder {
    pub(crate) encodings: u32,
    pub(crate) lf: u32,
    pub(crate) nul_tails: u32,
    pub(crate) cut_logs: u32,
    pub(crate) missing: u32,
    pub(crate) rotation: u32,
    pub(crate) copies: u32,
    pub(crate) nightly: u32,
    pub(crate) zips: u32,
    pub(crate) wrong_weekdays: u32,
}

impl Arguments {
    /// Applies the preset and reads what the texts mean.
    pub(crate) fn resolve(self) -> Result<Options, String> {
        if self.devices == 0 || self.templates == 0 || self.span < 1 {
            return Err("--devices, --templates and --span must be at least 1".to_owned());
        }
        let hostile = self.condition == Condition::Hostile;
        let bare = self.condition == Condition::Bare;
        let always = self.workaround || self.condition == Condition::Workaround;
        let workaround_from = match &self.workaround_from {
            Some(text) => Some(day_number(text, "--workaround-from")? * 86_400),
            None => always.then_some(i64::MIN),
        };
        let switches = &self.switches;
        let on = |toggle: Option<Toggle>| toggle.map_or(!bare, |t| t == Toggle::On);
        let bulk = self.bulk.as_deref().map(byte_count).transpose()?;
        let disorder = switches.disorder(hostile);
        let wording = self.wording.as_deref().map(Dialect::read).transpose()?;
        let code = wording.as_ref().map_or(self.refusal_code, |wording| wording.code.clone());
        Ok(Options {
            truth: self.truth.unwrap_or_else(|| beside(&self.out)),
            out: self.out,
            tasks: self.tasks,
            devices: self.devices,
            first: self.first,
            seed: self.seed,
            condition: self.condition.name(),
            templates: self.templates,
            start_day: day_number(&self.start, "--start")?,
            span: self.span,
            history_days: self.history_days.clamp(0, if self.ambiguous_dates { 6 } else { 36_500 }),
            bulk_each: bulk.map(|bytes| bytes / self.devices),
            wording,
            max_delay: self.max_delay.max(0),
            refusal_code: hex_code(&code)?,
            workaround_from,
            ambiguous_dates: self.ambiguous_dates,
            unnoticed: self.unnoticed,
            task_names: self.task_names,
            day_first: (self.day_first || self.month_first).then_some(self.day_first),
            markers: on(switches.markers),
            noise: on(switches.noise),
            clock_jumps: percent(switches.clock_jumps, hostile, 20, 80),
            late_jumps: percent(switches.late_jumps, hostile, 0, 40),
            dst: percent(switches.dst, hostile, 3, 6),
            reruns: if self.ambiguous_dates {
                0
            } else {
                percent(switches.reruns, hostile, 15, 20)
            },
            disorder,
        })
    }
}

impl Switches {
    fn disorder(&self, hostile: bool) -> Disorder {
        Disorder {
            encodings: percent(self.encodings, hostile, 0, 70),
            lf: percent(self.lf, hostile, 0, 40),
            nul_tails: percent(self.nul_tails, hostile, 0, 12),
            cut_logs: percent(self.cut_logs, hostile, 0, 12),
            missing: percent(self.missing, hostile, 0, 15),
            rotation: percent(self.rotation, hostile, 0, 35),
            copies: percent(self.copies, hostile, 0, 10),
            nightly: percent(self.nightly, hostile, 0, 25),
            zips: percent(self.zips, hostile, 0, 20),
            wrong_weekdays: percent(self.wrong_weekdays, hostile, 0, 15),
        }
    }
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Bare => "bare",
            Self::Hostile => "hostile",
            Self::Workaround => "workaround",
        }
    }
}

fn percent(asked: Option<u32>, hostile: bool, calm: u32, bad: u32) -> u32 {
    asked.unwrap_or(if hostile { bad } else { calm }).min(100)
}

/// The truth never lies inside the share: an analyser that is given the share must not see it.
fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".truth.json");
    PathBuf::from(name)
}

fn byte_count(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = match lower.chars().last() {
        Some('k') => (&lower[..lower.len() - 1], 1_000),
        Some('m') => (&lower[..lower.len() - 1], 1_000_000),
        Some('g') => (&lower[..lower.len() - 1], 1_000_000_000),
        Some(_) | None => (lower.as_str(), 1),
    };
    digits
        .parse::<u64>()
        .map(|count| count.saturating_mul(unit))
        .map_err(|_| format!("--bulk {text}: not a size; write for example 500m or 1g"))
}

fn hex_code(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text.trim_start_matches("0x"), 16)
        .map_err(|_| format!("--refusal-code {text}: not a code; write 8 hex digits"))
}

fn day_number(text: &str, flag: &str) -> Result<i64, String> {
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| format!("{flag} {text}: not a day; write YYYY-MM-DD"))?;
    Ok(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() / 86_400)
}
