//! The report for people, on a terminal: the answer first, then the proof's places.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};

use textwrap::core::display_width;
use textwrap::fill;

use crate::chronicle::Chronicle;
use crate::contract::{Incident, Report, TemplateRow};
use crate::correlate::Mechanism;
use crate::lifetime::LaunchedBy;
use crate::report::plain::{count, harmless, short};
use crate::report::reading::understanding;
use crate::report::verdict::{remedy, template_name as name, verdict};
use crate::report::{course, first};

/// Rows of a ranking that are shown; all are in the JSON.
pub(super) const ROWS: usize = 10;
/// Incidents that are shown, the newest; all are in the JSON.
const INCIDENTS: usize = 40;

/// Letters of a name that are shown.
const LETTERS: usize = 40;

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
pub fn write(
    report: &Report,
    chronicles: &[Chronicle],
    style: Style,
    with_evidence: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let width = usize::from(style.width);
    if let Some(caution) = &report.coverage.caution {
        let caution = format!("Caution: {caution}.");
        writeln!(out, "{}\n", bold(&fill(&harmless(&caution), width), style))?;
    }
    let only = first::only(report, chronicles);
    match only {
        Some(chronicle) => first::write(report, chronicle, style, out)?,
        None => ranking(report, style, out)?,
    }
    // The first incident of a single device is told already.
    let told = usize::from(only.is_some() && !with_evidence);
    if report.incidents.len() > told {
        let all = &report.incidents[told..];
        let shown = all.len().min(INCIDENTS);
        let proof = if with_evidence { "" } else { "; --evidence shows the lines that prove them" };
        let which = if told > 0 { "More incidents" } else { "Incidents" };
        let title = match all.len() - shown {
            0 => format!("{which}, newest last{proof}"),
            more => format!("{which}, newest last ({more} earlier ones: --format json){proof}"),
        };
        writeln!(out, "{}", bold(&title, style))?;
        incidents(&all[all.len() - shown..], with_evidence, out)?;
        writeln!(out)?;
    }
    others(report, out)?;
    course::write(report, style, out)?;
    understanding(report, style, out)
}

/// The answer for many devices: the worst templates and steps.
fn ranking(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(style.width);
    writeln!(out, "{}\n", bold(&fill(&verdict(report), width), style))?;
    if let Some(remedy) = remedy(report) {
        writeln!(out, "{}\n", fill(&remedy, width))?;
    }
    if !report.templates.is_empty() {
        writeln!(out, "{}", bold("Templates, worst first", style))?;
        writeln!(out, "{}", templates(report, style).trim_fmt())?;
        let unnamed = |row: &TemplateRow| {
            row.template.as_ref().is_none_or(|name| name.starts_with("unnamed "))
        };
        if report.templates.iter().any(unnamed) {
            writeln!(
                out,
                "Unnamed templates are told by their steps; --tasks gives them the core's names."
            )?;
        }
        writeln!(out)?;
    }
    if report.steps.iter().any(|step| step.incidents > 0) {
        writeln!(out, "{}", bold("Steps, worst first", style))?;
        writeln!(out, "{}\n", steps(report, style).trim_fmt())?;
    }
    Ok(())
}

pub(super) fn bold(text: &str, style: Style) -> String {
    if style.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

pub(super) fn table(style: Style, header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')))
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

pub(super) fn number(value: impl ToString) -> Cell {
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
    let header = [
        "#",
        "template",
        "affected",
        "rate",
        "95 % interval",
        "devices",
        "minutes lost",
        "workaround",
    ];
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
            Cell::new(workaround(row)),
        ]);
    }
    more(&mut table, report.templates.len());
    table
}

/// Whether the vendor's workaround was in force on the template's devices, run by run.
pub(super) fn workaround(row: &TemplateRow) -> String {
    let (runs, unknown) = (row.runs, row.workaround_unknown_runs);
    match row.workaround_runs {
        _ if unknown == runs => "not known".to_owned(),
        0 if unknown == 0 => "none".to_owned(),
        0 => format!("none ({unknown} not known)"),
        all if all == runs => "all".to_owned(),
        some if unknown == 0 => format!("{some} of {runs}"),
        some => format!("{some} of {runs} ({unknown} not known)"),
    }
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
            Cell::new(short(&row.step, LETTERS)),
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

/// One line an incident: when, where, which step, what blocked it, since when.
fn incidents(incidents: &[Incident], with_evidence: bool, out: &mut dyn Write) -> io::Result<()> {
    let column = |text: &dyn Fn(&Incident) -> String| -> Vec<String> {
        let texts: Vec<String> = incidents.iter().map(text).collect();
        let width = texts.iter().map(|text| display_width(text)).max().unwrap_or(0);
        let pad = |text: &String| " ".repeat(width - display_width(text));
        texts.iter().map(|text| format!("{text}{}", pad(text))).collect()
    };
    let at = column(&|incident| incident.at.replace('T', " "));
    let device = column(&|incident| short(&incident.device, LETTERS));
    let step = column(&|incident| {
        let tries = if incident.attempts > 1 {
            format!(" ({} tries)", incident.attempts)
        } else {
            String::new()
        };
        format!("{}{tries}", short(&incident.step, LETTERS))
    });
    let blocked = column(&|incident| blocked_by(incident));
    for (row, incident) in incidents.iter().enumerate() {
        writeln!(
            out,
            "  {}  {}  {}  {}  {} {}",
            at[row],
            device[row],
            step[row],
            blocked[row],
            incident.confidence.word(),
            incident.id
        )?;
        for evidence in incident.evidence.iter().filter(|_| with_evidence) {
            let (path, text) = (harmless(&evidence.path), harmless(&evidence.text));
            let member = evidence.member.as_ref().map(|member| format!("!/{}", harmless(member)));
            let member = member.unwrap_or_default();
            writeln!(out, "      {path}{member}:{}: {text}", evidence.line)?;
        }
    }
    Ok(())
}

/// What held an incident's step, and since when.
pub(super) fn blocked_by(incident: &Incident) -> String {
    let Some(blocker) = &incident.blocker else { return "holder not in the logs".to_owned() };
    let task =
        blocker.task_id.as_ref().map(|task| format!(" {}", harmless(task))).unwrap_or_default();
    let what = match incident.mechanism {
        Mechanism::ScanWaited => "scan that waited".to_owned(),
        Mechanism::ScanRunning => "running scan".to_owned(),
        Mechanism::PolicyTask => format!("policy task{task}"),
        Mechanism::SdclientRunning => format!("sdclient of task{task}"),
        Mechanism::Unattributed => "unknown".to_owned(),
    };
    let by = match blocker.launched_by {
        LaunchedBy::LocalSchedulerFirstRun => " (first run)",
        LaunchedBy::LocalScheduler => " (scheduler)",
        LaunchedBy::CorePush => " (core push)",
        LaunchedBy::WindowsTask => " (Windows task)",
        LaunchedBy::PolicySync | LaunchedBy::Unknown => "",
    };
    let hung = if blocker.hung { ", for hours" } else { "" };
    format!("{what} since {}{by}{hung}", time_of(&blocker.launched))
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
            "Near misses: {misses} overlapped a scan or another deployment without a refusal."
        )?;
    }
    if report.coverage.refused_outside_runs > 0 {
        let refused = count(report.coverage.refused_outside_runs, "deployment");
        writeln!(out, "Refused outside of any run (policy tasks, pushes): {refused}.")?;
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
