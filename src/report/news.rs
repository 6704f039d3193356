//! The news on a terminal: for somebody who has a minute in the morning. The first line says it all; what
//! matters most stands first; however much happened, it is some screens at the most.

use std::io::{self, Write};

use comfy_table::Cell;
use textwrap::{Options, fill};

use crate::comparison::Row;
use crate::contract::Incident;
use crate::correlate::{Confidence, Mechanism};
use crate::news::{Changed, Fallen, News, Revision};
use crate::report::difference::{change, p_value, rate};
use crate::report::groups::{Group, groups};
use crate::report::headline::{headline, minute, summary};
use crate::report::json::word;
use crate::report::plain::{count, harmless, short};
use crate::report::table::{Style, blocked_by, bold, number, table};
use crate::report::verdict::template_name;

/// New incidents that are told one by one; more are told by template and step.
pub(super) const SINGLY: usize = 20;
/// Entries of a list that are shown; all are in the JSON.
pub(super) const ENTRIES: usize = 20;
/// The same of files that were not read, and of warnings.
pub(super) const FEW: usize = 5;
/// Letters of a name.
const LETTERS: usize = 40;
/// Letters of a path or a sentence.
const LINE: usize = 200;

/// Writes the news.
///
/// # Errors
/// Of the writer.
pub fn write(news: &News, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let width = usize::from(style.width);
    writeln!(out, "{}", bold(&fill(&headline(news), width), style))?;
    if news.is_any() || !news.skipped.is_empty() || !news.warnings.is_empty() {
        writeln!(out)?;
    }
    fresh(&news.new, style, out)?;
    rows("Worse than before", &news.worse, style, out)?;
    list("No longer understood: was the agent updated?", &fallen(news), ENTRIES, style, out)?;
    list("Went silent", &silent(news), ENTRIES, style, out)?;
    list("Told otherwise, by later logs", &revised(news), ENTRIES, style, out)?;
    list("Withdrawn: later logs show no refusal", &withdrawn(news), ENTRIES, style, out)?;
    rows("Fixed", &news.fixed, style, out)?;
    list("Not read", &unread(news), FEW, style, out)?;
    list("Warnings", &warnings(news), FEW, style, out)?;
    for sentence in summary(news) {
        writeln!(out, "{}", fill(&sentence, width))?;
    }
    Ok(())
}

/// New incidents, each under its template and step; many of them by these alone.
fn fresh(incidents: &[Incident], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if incidents.is_empty() {
        return Ok(());
    }
    let groups = groups(incidents);
    writeln!(out, "{}", bold(&format!("New refusals ({})", incidents.len()), style))?;
    if incidents.len() > SINGLY {
        writeln!(out, "{}", many(&groups, style))?;
    } else {
        for group in &groups {
            writeln!(out, "  {}", within(&title(group), 2, style))?;
            for own in &group.incidents {
                writeln!(out, "    {}", within(&one(own), 4, style))?;
            }
        }
    }
    writeln!(out, "`provtrace explain ID SHARE` tells the story of one.\n")
}

/// `Windows 11 › Install Chrome: 2 refusals on 2 devices`
fn title(group: &Group<'_>) -> String {
    format!(
        "{}: {} on {}",
        place(group.template, Some(group.step)),
        count(group.incidents.len() as u64, "refusal"),
        count(group.devices(), "device")
    )
}

/// A template, or a step of it.
pub(super) fn place(template: Option<&str>, step: Option<&str>) -> String {
    let template = short(&template_name(template), LETTERS);
    step.map_or_else(|| template.clone(), |step| format!("{template} › {}", short(step, LETTERS)))
}

fn one(own: &Incident) -> String {
    let tries = if own.attempts > 1 { format!(" ({} tries)", own.attempts) } else { String::new() };
    format!(
        "{}  {}{tries}  {}{}  {}",
        time(&own.at),
        short(&own.device, LETTERS),
        short(&blocked_by(own), LINE),
        unsure(own),
        own.id
    )
}

/// How well an incident is proven, where that is not by its blocker's own traces.
pub(super) fn unsure(own: &Incident) -> String {
    match own.confidence {
        Confidence::Confirmed => String::new(),
        Confidence::Stated | Confidence::Inferred => format!(" ({})", own.confidence.word()),
    }
}

/// As it stands in the report, with a blank for people.
fn time(at: &str) -> String {
    short(at, LETTERS).replacen('T', " ", 1)
}

/// The largest groups.
fn many(groups: &[Group<'_>], style: Style) -> String {
    let header = ["new", "devices", "template", "step", "blocked by", "ID of the newest"];
    let mut table = table(style, &header);
    for group in groups.iter().take(ENTRIES) {
        table.add_row(vec![
            number(group.incidents.len()),
            number(group.devices()),
            Cell::new(short(&template_name(group.template), LETTERS)),
            Cell::new(short(group.step, LETTERS)),
            Cell::new(group.blocked_by()),
            Cell::new(group.newest().map(|own| own.id.as_str()).unwrap_or_default()),
        ]);
    }
    if let Some(rest) = groups.get(ENTRIES..).filter(|rest| !rest.is_empty()) {
        let refusals: usize = rest.iter().map(|group| group.incidents.len()).sum();
        let steps = count(rest.len() as u64, "more step");
        let told = format!("in {steps}: --format json");
        table.add_row(vec![number(refusals), Cell::new(""), Cell::new(told)]);
    }
    table.trim_fmt()
}

/// Templates and steps that changed.
fn rows(title: &str, rows: &[Row], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut table =
        table(style, &["template", "step", "before", "now", "change, 95 % interval", "p"]);
    for row in rows.iter().take(ENTRIES) {
        table.add_row(vec![
            Cell::new(short(&template_name(row.template.as_deref()), LETTERS)),
            Cell::new(row.step.as_deref().map(|step| short(step, LETTERS)).unwrap_or_default()),
            number(rate(row.before.as_ref())),
            number(rate(row.after.as_ref())),
            number(change(row)),
            number(row.p_corrected.map(p_value).unwrap_or_default()),
        ]);
    }
    if rows.len() > ENTRIES {
        let told = format!("… and {} more: --format json", rows.len() - ENTRIES);
        table.add_row(vec![Cell::new(told)]);
    }
    writeln!(out, "{}", bold(&format!("{title} ({})", rows.len()), style))?;
    writeln!(out, "{}\n", table.trim_fmt())
}

/// The first entries of a list, and how many more there are.
fn list(
    title: &str,
    entries: &[String],
    most: usize,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", bold(&format!("{title} ({})", entries.len()), style))?;
    for entry in entries.iter().take(most) {
        writeln!(out, "  {}", within(entry, 2, style))?;
    }
    if entries.len() > most {
        writeln!(out, "  … and {} more: --format json", entries.len() - most)?;
    }
    writeln!(out)
}

/// Wraps an entry that stands so many columns from the left; what is wrapped stands further in.
fn within(entry: &str, columns: usize, style: Style) -> String {
    let indent = " ".repeat(columns + 4);
    let width = usize::from(style.width).saturating_sub(columns).max(20);
    fill(entry, Options::new(width).subsequent_indent(&indent))
}

/// The devices that stopped delivering.
pub(super) fn silent(news: &News) -> Vec<String> {
    let one = |own: &crate::news::Silent| {
        let how = if own.gone { "its logs are gone" } else { "its logs are there, but don't grow" };
        let since = short(&minute(&own.last_new), LETTERS);
        format!("{}: nothing new since {since}; {how}", short(&own.device, LETTERS))
    };
    news.silent.iter().map(one).collect()
}

/// The logs that are no longer understood, and what to do.
pub(super) fn fallen(news: &News) -> Vec<String> {
    let one = |own: &Fallen| {
        let devices: Vec<String> = own.devices.iter().map(|name| short(name, LETTERS)).collect();
        format!(
            "{}; on {}; to see their wording: provtrace formats check SHARE --device {}",
            Fallen { format: short(&own.format, LETTERS), ..own.clone() }.told(),
            devices.join(", "),
            own.devices
                .first()
                .filter(|name| is_typed_as_it_is(name))
                .map_or("NAME", String::as_str)
        )
    };
    news.fallen.iter().map(one).collect()
}

/// Whether a name can stand in a command that somebody copies into a shell.
fn is_typed_as_it_is(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

/// What later logs tell otherwise.
pub(super) fn revised(news: &News) -> Vec<String> {
    let one = |own: &Revision| {
        let changes: Vec<String> = own.changed.iter().map(changed).collect();
        format!("{}: {}", which(&own.incident), changes.join("; "))
    };
    news.revised.iter().map(one).collect()
}

fn which(own: &Incident) -> String {
    named(&own.device, own.template.as_deref(), &own.step, &own.at, &own.id)
}

fn named(device: &str, template: Option<&str>, step: &str, at: &str, id: &str) -> String {
    let template = template.map(|name| format!(" ({})", short(name, LETTERS))).unwrap_or_default();
    let (device, step) = (short(device, LETTERS), short(step, LETTERS));
    format!("{device}, \"{step}\"{template}, {}, {}", time(at), short(id, LETTERS))
}

/// `blocked by no one that the logs show → a policy task`
fn changed(own: &Changed) -> String {
    let field = match own.field.as_str() {
        "mechanism" => "blocked by".to_owned(),
        "attempts" => "tries".to_owned(),
        field => short(field, LETTERS).replace('_', " "),
    };
    let value = |value: &Option<String>| {
        value.as_deref().map_or_else(|| "not known".to_owned(), |value| in_words(&own.field, value))
    };
    format!("{field} {} → {}", value(&own.before), value(&own.after))
}

/// The contract's words as people have them.
fn in_words(field: &str, value: &str) -> String {
    let mechanisms = [
        Mechanism::ScanWaited,
        Mechanism::ScanRunning,
        Mechanism::PolicyTask,
        Mechanism::SdclientRunning,
        Mechanism::Unattributed,
    ];
    let confidences = [Confidence::Confirmed, Confidence::Stated, Confidence::Inferred];
    let is_value = |own: Option<String>| own.as_deref() == Some(value);
    let known = match field {
        "mechanism" => mechanisms.iter().find(|own| is_value(word(*own))).map(|own| own.word()),
        "confidence" => confidences.iter().find(|own| is_value(word(*own))).map(|own| own.word()),
        _text => None,
    };
    known.map_or_else(|| short(value, LETTERS), str::to_owned)
}

/// Those that later logs show to be none.
pub(super) fn withdrawn(news: &News) -> Vec<String> {
    let one = |own: &crate::news::Withdrawn| named(&own.device, None, &own.step, &own.at, &own.id);
    news.withdrawn.iter().map(one).collect()
}

/// The files that were not read, or not wholly.
pub(super) fn unread(news: &News) -> Vec<String> {
    let one = |own: &crate::walk::Skipped| {
        format!("{}: {}", short(&own.path, LINE), short(&own.reason, LINE))
    };
    news.skipped.iter().map(one).collect()
}

/// What a reader should know.
pub(super) fn warnings(news: &News) -> Vec<String> {
    news.warnings.iter().map(|text| short(&harmless(text), LINE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::specimen;

    const PLAIN: Style = Style { width: 100, colour: false };

    fn text(news: &News, style: Style) -> String {
        let mut out = Vec::new();
        write(news, style, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_golden_nights() {
        specimen::golden("usual.txt", &text(&specimen::usual(), PLAIN));
        specimen::golden("quiet.txt", &text(&specimen::quiet(), PLAIN));
        specimen::golden("first.txt", &text(&specimen::first(), PLAIN));
        specimen::golden("flood.txt", &text(&specimen::flood(), PLAIN));
        specimen::golden("hostile.txt", &text(&specimen::hostile(), PLAIN));
    }

    #[test]
    fn a_quiet_night_is_three_lines() {
        let quiet = text(&specimen::quiet(), Style { width: 200, colour: false });
        assert_eq!(quiet.lines().count(), 3, "{quiet}");
    }

    #[test]
    fn a_flood_is_some_screens() {
        let flood = text(&specimen::flood(), PLAIN);
        assert!(flood.lines().count() < 120, "{} lines", flood.lines().count());
        assert!(flood.starts_with("5000 new refusals,"), "{flood}");
        assert!(flood.contains("… and 880 more") && flood.contains("… and 695 more"), "{flood}");
    }

    #[test]
    fn a_terminal_obeys_nothing() {
        for width in [40, 80, 300] {
            let shown = text(&specimen::hostile(), Style { width, colour: false });
            let obeyed = shown.chars().find(|c| *c != '\n' && crate::letters::is_obeyed(*c));
            assert_eq!(obeyed, None, "{shown}");
            let words: Vec<&str> = shown.split_whitespace().collect();
            let shown = words.join(" ");
            assert!(shown.contains("\\u{1b}[2J") && shown.ends_with("1250 refusals."), "{shown}");
            assert!(shown.contains("SHARE --device NAME"), "a hostile name is no command: {shown}");
        }
        let shown = text(&specimen::hostile(), Style { width: 80, colour: true });
        let bare = shown.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert!(!bare.contains('\u{1b}'), "only what is ours is obeyed: {bare:?}");
    }
}
