//! The report for people, on a terminal: the answer first, then the proof's places.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::contract::{Coverage, Incident, Report, TemplateRow};
use crate::correlate::{Confidence, Mechanism};
use crate::lifetime::LaunchedBy;
use crate::report::plain::{count, harmless};

/// Rows of a ranking that are shown; all are in the JSON.
const ROWS: usize = 10;
/// Incidents that are shown, the newest; all are in the JSON.
const INCIDENTS: usize = 40;
/// Name for runs whose template nothing names.
const NO_TEMPLATE: &str = "(template not known)";

/// How the terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns.
    pub width: u16,
    /// Whether colour is wanted.
    pub colour: bool,
}

/// Writes the report.
///
/// # Errors
/// Of the writer.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n", bold(&verdict(report), style))?;
    if report.incidents.iter().any(|incident| incident.confidence != Confidence::Stated) {
        writeln!(out, "{}\n", remedy(report))?;
    }
    if !report.templates.is_empty() {
        writeln!(out, "{}", bold("Templates, worst first", style))?;
        writeln!(out, "{}\n", templates(report, style))?;
    }
    if report.steps.iter().any(|step| step.incidents > 0) {
        writeln!(out, "{}", bold("Steps, worst first", style))?;
        writeln!(out, "{}\n", steps(report, style))?;
    }
    if !report.incidents.is_empty() {
        let shown = report.incidents.len().min(INCIDENTS);
        let title = match report.incidents.len() - shown {
            0 => "Incidents, newest last".to_owned(),
            more => format!("Incidents, newest last ({more} earlier ones: --format json)"),
        };
        writeln!(out, "{}", bold(&title, style))?;
        for incident in &report.incidents[report.incidents.len() - shown..] {
            writeln!(out, "{}", line(incident))?;
        }
        writeln!(out)?;
    }
    others(report, out)?;
    understanding(report, style, out)
}

fn bold(text: &str, style: Style) -> String {
    if style.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// The answer in one sentence.
fn verdict(report: &Report) -> String {
    let runs = count(report.coverage.runs, "provisioning run");
    let devices = count(report.coverage.devices, "device");
    if report.incidents.is_empty() {
        return match report.coverage.runs {
            0 => format!("No provisioning run was found in the logs of {devices}."),
            _some => format!(
                "No step was refused because a task was already running, in {runs} of {devices}."
            ),
        };
    }
    let affected: u64 = report.templates.iter().map(|row| row.affected_runs).sum();
    let verb = if affected == 1 { "had" } else { "had" };
    let cause = main_cause(report);
    let worst = worst(report).map(|row| {
        let share = format!("{} of {} runs", row.affected_runs, row.runs);
        let step =
            report.steps.iter().find(|step| step.template == row.template && step.incidents > 0);
        let at = step.map(|step| format!(", most often at \"{}\"", harmless(&step.step)));
        format!(" Worst: {}, {share}{}.", name(row.template.as_deref()), at.unwrap_or_default())
    });
    format!(
        "{affected} of {runs} {verb} a step refused because a task was already running; {cause}.{}",
        worst.unwrap_or_default()
    )
}

fn worst(report: &Report) -> Option<&TemplateRow> {
    report.templates.first().filter(|row| row.incidents > 0)
}

/// What blocked most, in words.
fn main_cause(report: &Report) -> String {
    let mut counts: Vec<(Mechanism, usize)> = Vec::new();
    for incident in &report.incidents {
        match counts.iter_mut().find(|(mechanism, _)| *mechanism == incident.mechanism) {
            Some((_, number)) => *number += 1,
            None => counts.push((incident.mechanism, 1)),
        }
    }
    counts.sort_by_key(|(mechanism, number)| (std::cmp::Reverse(*number), *mechanism));
    let total = report.incidents.len();
    let Some((mechanism, number)) = counts.first() else { return String::new() };
    let first_runs = report
        .incidents
        .iter()
        .filter(|incident| {
            let blocker = incident.blocker.as_ref();
            blocker.is_some_and(|blocker| blocker.launched_by == LaunchedBy::LocalSchedulerFirstRun)
        })
        .count();
    let of = if total == 1 {
        "blocked by".to_owned()
    } else {
        format!("{number} of {total} blocked by")
    };
    let first = match first_runs {
        0 => String::new(),
        runs if total == 1 && runs == 1 => {
            ", the scheduler's first run after the agent install".to_owned()
        }
        runs => format!(" ({runs} were the scheduler's first run after the agent install)"),
    };
    format!("{of} {}{first}", mechanism.word())
}

fn remedy(report: &Report) -> String {
    let template =
        worst(report).map_or(NO_TEMPLATE.to_owned(), |row| name(row.template.as_deref()));
    let is_scan = |incident: &Incident| {
        matches!(
            incident.mechanism,
            Mechanism::ScanWaited | Mechanism::ScanRunning | Mechanism::PolicyTask
        )
    };
    if !report.incidents.iter().any(is_scan) {
        return "Remedy: see the blocker of each incident; the logs don't show a scan or a policy task.".to_owned();
    }
    format!(
        "Remedy: provision {template} with an agent whose scan and policy sync start in the year 3000, \
         and install the real agent as the last action."
    )
}

fn name(template: Option<&str>) -> String {
    template.map_or_else(|| NO_TEMPLATE.to_owned(), |name| harmless(name).into_owned())
}

fn table(style: Style, header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(style.width)
        .set_header(header.to_vec());
    if style.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

fn number(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

fn percent(rate: f64) -> String {
    format!("{:.0} %", rate * 100.0)
}

fn rate_cell(rate: f64, style: Style) -> Cell {
    let cell = number(percent(rate));
    match rate {
        _ if !style.colour => cell,
        rate if rate >= 0.3 => cell.fg(Color::Red),
        rate if rate > 0.0 => cell.fg(Color::Yellow),
        _none => cell.fg(Color::Green),
    }
}

fn templates(report: &Report, style: Style) -> Table {
    let header = ["#", "template", "affected", "rate", "95 % interval", "devices", "minutes lost"];
    let mut table = table(style, &header);
    for row in report.templates.iter().take(ROWS) {
        table.add_row(vec![
            number(row.rank),
            Cell::new(name(row.template.as_deref())),
            number(format!("{} of {}", row.affected_runs, row.runs)),
            rate_cell(row.rate, style),
            number(format!("{} … {}", percent(row.rate_low), percent(row.rate_high))),
            number(row.devices),
            number(format!("{:.0}", row.minutes_lost)),
        ]);
    }
    more(&mut table, report.templates.len());
    table
}

fn more(table: &mut Table, rows: usize) {
    if rows > ROWS {
        table.add_row(vec![
            Cell::new(""),
            Cell::new(format!("… and {} more: --format json", rows - ROWS)),
        ]);
    }
}

fn steps(report: &Report, style: Style) -> Table {
    let mut table =
        table(style, &["#", "step", "template", "place", "refused", "rate", "95 % interval"]);
    let rows: Vec<_> = report.steps.iter().filter(|step| step.incidents > 0).collect();
    for row in rows.iter().take(ROWS) {
        table.add_row(vec![
            number(row.rank),
            Cell::new(harmless(&row.step)),
            Cell::new(name(row.template.as_deref())),
            number(row.ordinal),
            number(format!("{} of {}", row.incidents, row.attempts)),
            rate_cell(row.rate, style),
            number(format!("{} … {}", percent(row.rate_low), percent(row.rate_high))),
        ]);
    }
    more(&mut table, rows.len());
    table
}

/// One incident in one line: when, where, which step, what blocked it, since when.
fn line(incident: &Incident) -> String {
    let blocked = match &incident.blocker {
        None => "holder not in the logs".to_owned(),
        Some(blocker) => {
            let pid = blocker.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
            let task = blocker.task_id.as_ref().map(|task| format!(" task {}", harmless(task)));
            let since = time_of(&blocker.launched);
            let active = if blocker.active_from == blocker.launched {
                String::new()
            } else {
                format!(", at work since {}", time_of(&blocker.active_from))
            };
            let by = match blocker.launched_by {
                LaunchedBy::Unknown => String::new(),
                by => format!(", launched by {}", by.word()),
            };
            let task = task.unwrap_or_default();
            format!("{}{pid}{task} alive since {since}{active}{by}", blocker.program)
        }
    };
    let tried = if incident.attempts > 1 {
        format!(" ({} tries)", incident.attempts)
    } else {
        String::new()
    };
    format!(
        "  {}  {}  \"{}\"{tried}: {blocked} [{}, {}]",
        incident.at.replace('T', " "),
        harmless(&incident.device),
        harmless(&incident.step),
        incident.confidence.word(),
        incident.id,
    )
}

/// The time of day of an RFC 3339 time.
fn time_of(time: &str) -> &str {
    time.split_once('T').map_or(time, |(_, time)| time)
}

fn others(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.near_misses > 0 {
        let misses = count(report.near_misses, "step");
        writeln!(
            out,
            "Near misses: {misses} overlapped a scan or another deployment and went through."
        )?;
    }
    if !report.other_failures.is_empty() {
        let shown: Vec<String> = report
            .other_failures
            .iter()
            .take(5)
            .map(|other| {
                let meaning =
                    if other.meaning.is_empty() { "meaning not known" } else { &other.meaning };
                format!("{} × {} ({}: {meaning})", other.runs, other.code, other.hex)
            })
            .collect();
        writeln!(out, "Other failures, not of this kind: {}.", shown.join("; "))?;
    }
    Ok(())
}

/// What could not be read or understood.
fn understanding(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let coverage = &report.coverage;
    let understood =
        percent_of(coverage.lines_understood + coverage.lines_continued, coverage.lines);
    writeln!(
        out,
        "Read {} with {} of {}; {understood} understood{}.",
        count(coverage.files, "log"),
        count(coverage.lines, "line"),
        count(coverage.devices, "device"),
        if coverage.lines_unknown > 0 {
            format!(", {} not", coverage.lines_unknown)
        } else {
            String::new()
        },
    )?;
    if coverage.assumed_wording > 0 {
        writeln!(
            out,
            "Wording: the proof of {} of {} rests on wording that is assumed, not confirmed by the vendor.",
            coverage.assumed_wording,
            count(report.incidents.len() as u64, "incident"),
        )?;
    }
    zones(coverage, out)?;
    list(
        out,
        style,
        "Not read",
        &coverage
            .skipped
            .iter()
            .map(|skip| format!("{}: {}", skip.path, skip.reason))
            .collect::<Vec<_>>(),
    )?;
    list(out, style, "Logs of no known format", &coverage.unrecognised)?;
    list(out, style, "Warnings", &report.warnings)
}

fn zones(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    let without = coverage.devices_without_zone.len() as u64;
    if without == 0 {
        return Ok(());
    }
    let who = if without == coverage.devices {
        "every device".to_owned()
    } else {
        format!("{without} of {}", count(coverage.devices, "device"))
    };
    writeln!(out, "Time zone not known for {who}: their times are local, without an offset.")
}

fn percent_of(part: u64, whole: u64) -> String {
    if whole == 0 { "nothing".to_owned() } else { format!("{} %", part * 100 / whole) }
}

fn list(out: &mut dyn Write, style: Style, title: &str, items: &[String]) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", bold(&format!("{title} ({})", items.len()), style))?;
    for item in items.iter().take(ROWS) {
        writeln!(out, "  {}", harmless(item))?;
    }
    if items.len() > ROWS {
        writeln!(out, "  … and {} more: --format json", items.len() - ROWS)?;
    }
    Ok(())
}
