//! The report: plain structs that every renderer takes, in the words of docs/REPORT.md.
//!
//! Field names and meanings are a contract with other tools: fields are added, never changed.
//! Times are RFC 3339, UTC with `Z` where the device's zone is known, else without an offset.

use std::borrow::Cow;

use provtrace_parsers::code::{CodeTable, ExitCode};
use serde::{Deserialize, Serialize};

use crate::changes::ChangeKnown;
use crate::correlate::{Confidence, Mechanism};
use crate::coverage::Coverage;
use crate::ending::{RunState, ShownBy};
use crate::lifetime::{Known, LaunchedBy};
use crate::run::TemplateSource;

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `provtrace.report.v1`.
    pub schema: &'static str,
    /// Who made it.
    pub tool: Tool,
    /// What was read and understood.
    pub coverage: Coverage,
    /// In order of time, then device.
    pub incidents: Vec<Incident>,
    /// Where a device's clock was set while its logs were written; by device and time.
    pub clock_changes: Vec<ClockChange>,
    /// Steps that overlapped a holder and were not refused.
    pub near_misses: u64,
    /// Steps that waited over an hour for a scan, without a refusal; by device, run, step.
    pub long_waits: Vec<LongWait>,
    /// How the runs ended.
    pub runs_by_state: RunsByState,
    /// Runs that were cut off or hang; by device, then run.
    pub unfinished_runs: Vec<UnfinishedRun>,
    /// Failures with other causes, most frequent first.
    pub other_failures: Vec<OtherFailure>,
    /// In order of rank.
    pub templates: Vec<TemplateRow>,
    /// In order of rank.
    pub steps: Vec<StepRow>,
    /// Every device with a log that was read; in order of name.
    pub devices: Vec<DeviceRow>,
    /// What a reader should know; in order of text.
    pub warnings: Vec<String>,
}

/// How many runs ended how; the sum is `coverage.runs`.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct RunsByState {
    /// The last thing that they did ended well.
    pub finished: u64,
    /// Their last step failed or was refused.
    pub failed: u64,
    /// Cut off in a step.
    pub cut: u64,
    /// Their last step never ended.
    pub hung: u64,
    /// The logs don't tell.
    pub open: u64,
}

/// A run that was cut off in a step, or that hangs in one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnfinishedRun {
    /// The device.
    pub device: String,
    /// Which of its runs, from 1.
    pub run: u32,
    /// `None` where nothing names the template.
    pub template: Option<String>,
    /// `cut` or `hung`.
    pub state: RunState,
    /// What shows that.
    pub shown_by: ShownBy,
    /// The step that has no end, or the action.
    pub step: String,
    /// Its place in the run; `None` for an action that is no step.
    pub step_ordinal: Option<u32>,
    /// The task id.
    pub task_id: Option<String>,
    /// When its program was started.
    pub since: String,
    /// The last sign of life of its program.
    pub last_sign: String,
    /// In order of time.
    pub evidence: Vec<Evidence>,
}

/// A step that waited for a scan, without a refusal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LongWait {
    /// The device.
    pub device: String,
    /// Which of its runs, from 1.
    pub run: u32,
    /// `None` where nothing names the template.
    pub template: Option<String>,
    /// The step's name.
    pub step: String,
    /// From 1, among the run's steps that start a program.
    pub step_ordinal: u32,
    /// The task id.
    pub task_id: Option<String>,
    /// When its program was started.
    pub at: String,
    /// How long the scan was there beside it, in whole minutes.
    pub minutes: i64,
    /// The scan.
    pub blocker: Blocker,
    /// In order of time.
    pub evidence: Vec<Evidence>,
}

/// A device with a log that was read.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceRow {
    /// Its name.
    pub device: String,
    /// Its logs that were read, wholly or partly.
    pub files: u64,
    /// Its runs that have a step.
    pub runs: u64,
    /// How the last of them ended; `None` where it has none.
    pub last_run: Option<RunState>,
    /// Its incidents.
    pub incidents: u64,
    /// The zone of its clock, such as `Europe/Paris`; `None` where it is not known.
    pub zone: Option<String>,
    /// Whether its scan or policy sync was armed for a day that never comes; `None` where no
    /// log shows how they were armed in a run, before its last step.
    pub workaround: Option<bool>,
}

/// Who made the report.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    /// The program.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// A device's clock was set: times before it are put on the axis of the clock after it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClockChange {
    /// The device.
    pub device: String,
    /// When, on the device's axis.
    pub at: String,
    /// The last reading before the change, as logged.
    pub before: String,
    /// The first reading after it, as logged.
    pub after: String,
    /// By how many seconds times before it were moved. The clock itself may have moved by up to
    /// the time that went by between the two readings more (back) or less (forward).
    pub moved_seconds: i64,
    /// How it is known.
    pub known: ChangeKnown,
}

/// A step that was refused since another task ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Incident {
    /// Same evidence, same id, wherever the share is mounted: 16 hex digits.
    pub id: String,
    /// The device.
    pub device: String,
    /// Which of its runs, from 1.
    pub run: u32,
    /// `None` where nothing names the template.
    pub template: Option<String>,
    /// How the template is known.
    pub template_source: TemplateSource,
    /// The step's name.
    pub step: String,
    /// From 1, among the run's steps that start a program.
    pub step_ordinal: u32,
    /// The task id.
    pub task_id: Option<String>,
    /// How many attempts of the step were refused.
    pub attempts: u32,
    /// What blocked it.
    pub mechanism: Mechanism,
    /// How well that is proven.
    pub confidence: Confidence,
    /// When the refused program started.
    pub at: String,
    /// The same as its log prints it, without an offset: what to search for in the log.
    pub at_logged: String,
    /// The same as a number, for the order of incidents: milliseconds, UTC or local as `at`.
    #[serde(skip)]
    pub at_millis: i64,
    /// To a tenth; `None` where no install is seen.
    pub minutes_after_agent_install: Option<f64>,
    /// The refused program.
    pub refused: Refused,
    /// The program that held it; `None` when unattributed.
    pub blocker: Option<Blocker>,
    /// Whether the proof rests on wording marked assumed.
    pub assumed_wording: bool,
    /// Whether it rests on wording marked learned.
    pub learned_wording: bool,
    /// In order of time.
    pub evidence: Vec<Evidence>,
}

/// The refused program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// `sdclient.exe`.
    pub program: Cow<'static, str>,
    /// Where a log has it.
    pub pid: Option<u32>,
    /// When it started.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// What it returned.
    pub exit_code: Option<Code>,
}

/// An exit code, decoded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    /// As printed in the log.
    pub raw: String,
    /// `0x8DB5019C`.
    pub hex: String,
    /// `DB5`, where the code has one.
    pub component: Option<String>,
    /// The low 16 bits.
    pub code: u32,
    /// In words; empty when unknown.
    pub meaning: String,
    /// How well that is known; `None` when unknown.
    pub mark: Option<Cow<'static, str>>,
}

impl Code {
    /// A code with all that the table knows of it.
    pub fn new(code: &ExitCode, codes: &CodeTable) -> Code {
        let meaning = codes.meaning(code);
        Code {
            raw: code.raw.to_string(),
            hex: hex(meaning.value),
            component: codes.component(meaning.value),
            code: meaning.value & 0xFFFF,
            meaning: meaning.meaning,
            mark: meaning.mark.map(|mark| mark.word().into()),
        }
    }
}

/// `0x8DB5019C`.
pub fn hex(value: u32) -> String {
    format!("0x{value:08X}")
}

/// The program that held a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Blocker {
    /// `vulscan.exe` or `sdclient.exe`.
    pub program: Cow<'static, str>,
    /// Where a log has it.
    pub pid: Option<u32>,
    /// Its task, for a deployment.
    pub task_id: Option<String>,
    /// First known moment.
    pub launched: String,
    /// How that is known.
    pub launched_known: Known,
    /// When its work began.
    pub active_from: String,
    /// Last known moment.
    pub ended: String,
    /// How that is known; `burst`: it may have lived longer.
    pub ended_known: Known,
    /// What launched it.
    pub launched_by: LaunchedBy,
    /// Whether it had lived for over three hours when the step met it.
    pub hung: bool,
}

/// A quoted line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evidence {
    /// Relative to the path on the command line, with `/`.
    pub path: String,
    /// The name inside an archive.
    pub member: Option<String>,
    /// From 1.
    pub line: u64,
    /// Bytes in the raw file.
    pub offset: u64,
    /// Bytes in the raw file, without the line end.
    pub length: u64,
    /// The event's word.
    pub says: Cow<'static, str>,
    /// How well the wording is known; `None` for a line that only shows life.
    pub mark: Option<Cow<'static, str>>,
    /// The line, decoded.
    pub text: String,
}

/// Failures with one code.
#[derive(Debug, Clone, Serialize)]
pub struct OtherFailure {
    /// `0x8DB50643`.
    pub hex: String,
    /// The low 16 bits.
    pub code: u32,
    /// In words; empty when unknown.
    pub meaning: String,
    /// Steps that ended with it.
    pub runs: u64,
}

/// A template in the ranking.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateRow {
    /// From 1.
    pub rank: u64,
    /// The name; `None` stands for runs whose template nothing names.
    pub template: Option<String>,
    /// Runs of it.
    pub runs: u64,
    /// Runs with an incident.
    pub affected_runs: u64,
    /// Incidents.
    pub incidents: u64,
    /// Devices with an incident.
    pub devices: u64,
    /// `affected_runs` / `runs`.
    pub rate: f64,
    /// Lower end of the 95 % Wilson score interval.
    pub rate_low: f64,
    /// Upper end.
    pub rate_high: f64,
    /// Runs on devices whose scan or policy sync was armed for a day that never comes: the
    /// vendor's workaround was in force.
    pub workaround_runs: u64,
    /// Runs on devices of which no log shows whether it was; on all others it was not.
    pub workaround_unknown_runs: u64,
    /// Sum over affected runs: first step after the agent install to first refused step.
    pub minutes_lost: f64,
}

/// A step in the ranking.
#[derive(Debug, Clone, Serialize)]
pub struct StepRow {
    /// From 1.
    pub rank: u64,
    /// The template.
    pub template: Option<String>,
    /// The step's name.
    pub step: String,
    /// Its usual place among the template's steps that start a program.
    pub ordinal: u32,
    /// Runs that came to it.
    pub attempts: u64,
    /// Incidents.
    pub incidents: u64,
    /// `incidents` / `attempts`.
    pub rate: f64,
    /// Lower end of the 95 % Wilson score interval.
    pub rate_low: f64,
    /// Upper end.
    pub rate_high: f64,
}
