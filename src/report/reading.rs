//! What was read and understood, and what not.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::contract::Report;
use crate::coverage::{Coverage, Ignored};
use crate::report::plain::{count, harmless};
use crate::report::table::{ROWS, Style, bold};

/// What could not be read or understood.
pub fn understanding(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let coverage = &report.coverage;
    let Coverage { lines, lines_understood, lines_continued, lines_unknown, .. } = coverage;
    let understood = percent_of(*lines_understood, lines_understood + lines_unknown);
    let some = |lines: u64, what: String| if lines > 0 { what } else { String::new() };
    writeln!(
        out,
        "Read {} with {} of {}; {understood} understood{}{}.",
        count(coverage.files, "log"),
        count(*lines, "line"),
        count(coverage.devices, "device"),
        some(*lines_unknown, format!(", {lines_unknown} not")),
        some(*lines_continued, format!("; {lines_continued} continue the line above")),
    )?;
    if coverage.assumed_wording > 0 {
        writeln!(
            out,
            "Assumed wording: lines that prove {} of {} have a wording that nobody has confirmed.",
            coverage.assumed_wording,
            count(report.incidents.len() as u64, "incident"),
        )?;
    }
    if coverage.learned_wording > 0 {
        writeln!(
            out,
            "Learned wording: lines that prove {} of {} are understood by rules that were learned from logs.",
            coverage.learned_wording,
            count(report.incidents.len() as u64, "incident"),
        )?;
    }
    overlays(coverage, out)?;
    zones(coverage, out)?;
    clocks(report, out)?;
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
    list(out, style, "Logs of no known format", &by_name(&coverage.unrecognised))?;
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

/// What the user added to what is known, and left out.
fn overlays(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    if !coverage.overlays.is_empty() {
        let all: Vec<String> =
            coverage.overlays.iter().map(|path| harmless(path).to_string()).collect();
        writeln!(out, "With {}: {}.", count(all.len() as u64, "overlay"), all.join(", "))?;
    }
    let Ignored { incidents, failures } = coverage.ignored;
    if incidents + failures > 0 {
        let (incidents, failures) =
            (count(incidents, "incident"), count(failures, "other failure"));
        writeln!(out, "Left out, as you expect them: {incidents}, {failures}.")?;
    }
    Ok(())
}

/// Whose times are not those of their logs.
fn clocks(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut devices: Vec<&str> =
        report.clock_changes.iter().map(|change| change.device.as_str()).collect();
    devices.dedup();
    if devices.is_empty() {
        return Ok(());
    }
    let some: Vec<String> = devices.iter().take(3).map(|name| harmless(name).to_string()).collect();
    let more = if devices.len() > some.len() { ", …" } else { "" };
    let (of, some) = (count(devices.len() as u64, "device"), some.join(", "));
    writeln!(out, "Clock set while logs were written, on {of}: {some}{more}.")?;
    writeln!(
        out,
        "  Times before that are put on the clock after it; at_logged in the JSON is the log's own."
    )
}

pub(super) fn percent_of(part: u64, whole: u64) -> String {
    let percent = (part * 100).checked_div(whole);
    percent.map_or_else(|| "nothing".to_owned(), |percent| format!("{percent} %"))
}

/// Paths by the name of their file, the most frequent first: a file that every device has is
/// one line.
pub(super) fn by_name(paths: &[String]) -> Vec<String> {
    let mut names: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or(path);
        names.entry(name).or_insert((0, path)).0 += 1;
    }
    let mut rows: Vec<(&str, (u64, &str))> = names.into_iter().collect();
    rows.sort_by_key(|(_, (files, _))| std::cmp::Reverse(*files));
    let row = |(name, (files, first)): (&str, (u64, &str))| match files {
        1 => first.to_owned(),
        files => format!("{files} × {name}, such as {first}"),
    };
    rows.into_iter().map(row).collect()
}

pub(super) fn list(
    out: &mut dyn Write,
    style: Style,
    title: &str,
    items: &[String],
) -> io::Result<()> {
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
