//! The report as Markdown, for tickets and wikis: what is shown on a terminal, with proofs.
//!
//! A name or a line of a log may hold Markdown or HTML. In sentences and tables each character that
//! means something is escaped; lines stand in fences that are longer than any in them.

use std::io::{self, Write};

use crate::citation::quoted_at;
use crate::contract::{Evidence, Incident, Report, StepRow, TemplateRow, Tool};
use crate::report::json::word;
use crate::report::plain::{count, harmless};
use crate::report::table::workaround;
use crate::report::verdict::{remedy, template_name, verdict};

/// Rows of a ranking that are shown; all are in the JSON.
const ROWS: usize = 25;
/// Incidents that are shown, the newest; all are in the JSON.
const INCIDENTS: usize = 100;
/// Items of other lists that are shown.
const ITEMS: usize = 20;

/// Writes the report.
///
/// # Errors
/// Of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# Refused provisioning steps\n")?;
    if let Some(caution) = &report.coverage.caution {
        writeln!(out, "**Caution:** {}.\n", escaped(caution))?;
    }
    writeln!(out, "**{}**\n", escaped(&verdict(report)))?;
    if let Some(remedy) = remedy(report) {
        writeln!(out, "{}\n", escaped(&remedy))?;
    }
    templates(&report.templates, out)?;
    steps(&report.steps, out)?;
    incidents(&report.incidents, out)?;
    others(report, out)?;
    coverage(report, out)
}

/// Text in a sentence or a cell of a table, on one line.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '|' => safe.push_str("&#124;"),
            // Nobody is called by a name in a log.
            '@' => safe.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '~' | '!' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            other => safe.push(other),
        }
    }
    // Nor is anything linked.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;").replace("WWW.", "WWW&#46;")
}

/// Lines as they are, between fences.
fn fenced(lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    writeln!(out, "{fence}text")?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{fence}\n")
}

fn percent(rate: f64) -> String {
    format!("{:.0} %", rate * 100.0)
}

fn more(shown: usize, all: usize, out: &mut dyn Write) -> io::Result<()> {
    if all > shown {
        writeln!(out, "… and {} more, in the JSON report.\n", all - shown)?;
    }
    Ok(())
}

fn templates(rows: &[TemplateRow], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Templates, worst first\n")?;
    writeln!(
        out,
        "| # | template | affected runs | rate | 95 % interval | devices | minutes lost | workaround |"
    )?;
    writeln!(out, "| --: | :-- | --: | --: | --: | --: | --: | --: |")?;
    for row in rows.iter().take(ROWS) {
        writeln!(
            out,
            "| {} | {} | {} of {} | {} | {} … {} | {} | {:.0} | {} |",
            row.rank,
            escaped(&template_name(row.template.as_deref())),
            row.affected_runs,
            row.runs,
            percent(row.rate),
            percent(row.rate_low),
            percent(row.rate_high),
            row.devices,
            row.minutes_lost,
            workaround(row)
        )?;
    }
    writeln!(out)?;
    more(ROWS, rows.len(), out)
}

fn steps(rows: &[StepRow], out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<&StepRow> = rows.iter().filter(|row| row.incidents > 0).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Steps, worst first\n")?;
    writeln!(out, "| # | step | template | place | refused | rate | 95 % interval |")?;
    writeln!(out, "| --: | :-- | :-- | --: | --: | --: | --: |")?;
    for row in rows.iter().take(ROWS) {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} of {} | {} | {} … {} |",
            row.rank,
            escaped(&row.step),
            escaped(&template_name(row.template.as_deref())),
            row.ordinal,
            row.incidents,
            row.attempts,
            percent(row.rate),
            percent(row.rate_low),
            percent(row.rate_high)
        )?;
    }
    writeln!(out)?;
    more(ROWS, rows.len(), out)
}

/// The newest incidents, each with the lines that prove it.
fn incidents(all: &[Incident], out: &mut dyn Write) -> io::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Incidents, newest last\n")?;
    let earlier = all.len().saturating_sub(INCIDENTS);
    if earlier > 0 {
        writeln!(out, "{earlier} earlier ones are in the JSON report.\n")?;
    }
    for own in &all[earlier..] {
        let template = escaped(&template_name(own.template.as_deref()));
        writeln!(out, "### {}: {}\n", escaped(&own.device), escaped(&own.step))?;
        writeln!(out, "- Incident {}, {}", own.id, own.confidence.word())?;
        writeln!(out, "- Template: {template}, run {}, step {}", own.run, own.step_ordinal)?;
        writeln!(out, "- Refused at {}{}", escaped(&own.at), after_install(own))?;
        if let Some(code) = &own.refused.exit_code {
            let meaning = escaped(&code.meaning);
            writeln!(out, "- Exit code {} ({}) {meaning}", escaped(&code.hex), escaped(&code.raw))?;
        }
        writeln!(out, "- Blocked by {}{}\n", own.mechanism.word(), blocker(own))?;
        let line =
            |own: &Evidence| format!("{}: {}", harmless(&quoted_at(own)), harmless(&own.text));
        fenced(&own.evidence.iter().map(line).collect::<Vec<_>>(), out)?;
    }
    Ok(())
}

fn after_install(own: &Incident) -> String {
    let minutes = own.minutes_after_agent_install;
    minutes.map(|own| format!(", {own} minutes after the agent install")).unwrap_or_default()
}

fn blocker(own: &Incident) -> String {
    let Some(blocker) = &own.blocker else { return String::new() };
    let pid = blocker.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    format!(
        ": {}{pid}, alive from {} to {}, launched by {}",
        blocker.program,
        escaped(&blocker.launched),
        escaped(&blocker.ended),
        blocker.launched_by.word()
    )
}

fn others(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let failures = report.other_failures.iter().map(|own| {
        let meaning = if own.meaning.is_empty() { "meaning not known" } else { &own.meaning };
        format!("{} × {} ({}): {meaning}", own.runs, own.code, own.hex)
    });
    let unfinished = report.unfinished_runs.iter().map(|own| {
        let state = word(&own.state).unwrap_or_default();
        format!("{}, run {}: {state} in {} since {}", own.device, own.run, own.step, own.since)
    });
    let waits = report.long_waits.iter().map(|own| {
        format!("{}, run {}: {} for {} minutes", own.device, own.run, own.step, own.minutes)
    });
    list("Other failures, not of this kind", &failures.collect::<Vec<_>>(), out)?;
    list("Runs without an end", &unfinished.collect::<Vec<_>>(), out)?;
    list("Steps that waited for a scan, without a refusal", &waits.collect::<Vec<_>>(), out)
}

fn list(title: &str, items: &[String], out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "## {title} ({})\n", items.len())?;
    for item in items.iter().take(ITEMS) {
        writeln!(out, "- {}", escaped(item))?;
    }
    writeln!(out)?;
    more(ITEMS, items.len(), out)
}

fn coverage(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let own = &report.coverage;
    writeln!(out, "## What was read\n")?;
    writeln!(out, "| | |\n| :-- | --: |")?;
    let rows = [
        ("devices", own.devices),
        ("provisioning runs", own.runs),
        ("logs", own.files),
        ("lines", own.lines),
        ("lines understood", own.lines_understood + own.lines_continued),
        ("lines not understood", own.lines_unknown),
        ("near misses: overlaps without a refusal", report.near_misses),
        ("incidents whose proof has an assumed wording", own.assumed_wording),
        (
            "devices without a known time zone (their times are local)",
            own.devices_without_zone.len() as u64,
        ),
    ];
    for (name, number) in rows {
        writeln!(out, "| {name} | {number} |")?;
    }
    writeln!(out)?;
    let skipped = own.skipped.iter().map(|skip| format!("{}: {}", skip.path, skip.reason));
    list("Not read", &skipped.collect::<Vec<_>>(), out)?;
    list("Logs of no known format", &own.unrecognised, out)?;
    list("Warnings", &report.warnings, out)?;
    let Tool { name, version } = &report.tool;
    writeln!(out, "Made by {name} {version} from {}.", count(own.files, "log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_name() {
        let text = "a|b `c` <script> [x](http://y) *d* @all\n# e";
        let safe = escaped(text);
        assert!(!safe.contains('\n') && !safe.contains('|') && !safe.contains('<'), "{safe}");
        assert!(safe.contains("\\`c\\`") && safe.contains("\\[x\\](http&#58;//y)"), "{safe}");
    }

    #[test]
    fn no_line_ends_its_fence() {
        let mut out = Vec::new();
        fenced(&["a ```` b".to_owned(), "`````".to_owned()], &mut out).expect("memory");
        let shown = String::from_utf8(out).expect("text");
        assert!(shown.starts_with("``````text\n") && shown.ends_with("\n``````\n\n"), "{shown}");
    }
}
