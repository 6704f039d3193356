//! The news as Markdown, for a chat or a ticket: lists, since chats show few tables.

use std::io::{self, Write};

use crate::comparison::Row;
use crate::contract::Incident;
use crate::news::News;
use crate::report::difference::{change, p_value, rate};
use crate::report::groups::{Group, groups};
use crate::report::headline::{headline, summary};
use crate::report::markdown::escaped;
use crate::report::news::{
    ENTRIES, FEW, fallen, place, revised, silent, unread, unsure, warnings, withdrawn,
};
use crate::report::plain::{count, short};

/// Incidents of a group that are named.
const NAMED: usize = 3;
/// Letters of a device's name.
const LETTERS: usize = 40;

/// Writes the news.
///
/// # Errors
/// Of the writer.
pub fn write(news: &News, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "**{}**\n", escaped(&headline(news)))?;
    let groups = groups(&news.new);
    let refusals: Vec<String> = groups.iter().map(fresh).collect();
    let all = format!("New refusals ({})", news.new.len());
    section(&all, &refusals, ENTRIES, "more steps", out)?;
    list("Worse than before", &news.worse.iter().map(row).collect::<Vec<_>>(), ENTRIES, out)?;
    list("No longer understood: was the agent updated?", &fallen(news), ENTRIES, out)?;
    list("Went silent", &silent(news), ENTRIES, out)?;
    list("Told otherwise, by later logs", &revised(news), ENTRIES, out)?;
    list("Withdrawn: later logs show no refusal", &withdrawn(news), ENTRIES, out)?;
    list("Fixed", &news.fixed.iter().map(row).collect::<Vec<_>>(), ENTRIES, out)?;
    list("Not read", &unread(news), FEW, out)?;
    list("Warnings", &warnings(news), FEW, out)?;
    let [run, known] = summary(news);
    writeln!(out, "{}  \n{}", escaped(&run), escaped(&known))
}

fn list(title: &str, entries: &[String], most: usize, out: &mut dyn Write) -> io::Result<()> {
    let escaped: Vec<String> = entries.iter().map(|entry| escaped(entry)).collect();
    section(&format!("{title} ({})", entries.len()), &escaped, most, "more", out)
}

/// A list of entries that are Markdown already.
fn section(
    title: &str,
    entries: &[String],
    most: usize,
    more: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "## {}\n", escaped(title))?;
    for entry in entries.iter().take(most) {
        writeln!(out, "- {entry}")?;
    }
    if entries.len() > most {
        writeln!(out, "- … and {} {more}, in the JSON", entries.len() - most)?;
    }
    writeln!(out)
}

/// `**Windows 11 › Install Chrome**: 2 refusals on 2 devices, blocked by …: …`
fn fresh(group: &Group<'_>) -> String {
    let one = |own: &&Incident| {
        let device = escaped(&short(&own.device, LETTERS));
        format!("{device}{} {}", unsure(own), escaped(&own.id))
    };
    let newest = group.incidents.iter().rev();
    let named: Vec<String> = newest.take(NAMED).map(one).collect();
    let more = match group.incidents.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(
        "**{}**: {} on {}, blocked by: {}; {}{more}",
        escaped(&place(group.template, Some(group.step))),
        count(group.incidents.len() as u64, "refusal"),
        count(group.devices(), "device"),
        escaped(&group.blocked_by()),
        named.join(", ")
    )
}

/// `Lab PCs: 60 of 200 → 2 of 70, -27 (-35 … -19) percentage points, p 0.0012`
fn row(row: &Row) -> String {
    let place = place(row.template.as_deref(), row.step.as_deref());
    let (before, now) = (rate(row.before.as_ref()), rate(row.after.as_ref()));
    let p = row.p_corrected.map(|p| format!(", p {}", p_value(p))).unwrap_or_default();
    format!("{place}: {before} → {now}, {} percentage points{p}", change(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::specimen;

    fn text(news: &News) -> String {
        let mut out = Vec::new();
        write(news, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_golden_nights() {
        specimen::golden("usual.md", &text(&specimen::usual()));
        specimen::golden("quiet.md", &text(&specimen::quiet()));
        specimen::golden("hostile.md", &text(&specimen::hostile()));
    }

    #[test]
    fn a_flood_fits_into_a_ticket() {
        let flood = text(&specimen::flood());
        assert!(flood.len() < 12_000, "{} bytes", flood.len());
        assert!(flood.contains("- … and 660 more steps, in the JSON\n"), "{flood}");
    }

    #[test]
    fn a_chat_obeys_nothing() {
        let shown = text(&specimen::hostile());
        let obeyed = |c: char| c != '\n' && crate::letters::is_obeyed(c) && c != '\u{2060}';
        assert_eq!(shown.chars().find(|c| obeyed(*c)), None, "{shown}");
        // What is left when all that has a backslash in front is taken away is obeyed.
        let mut letters = shown.chars();
        let mut meant = String::new();
        while let Some(c) = letters.next() {
            match c {
                '\\' => drop(letters.next()),
                c => meant.push(c),
            }
        }
        for evil in ["<", "`", "[", "]", "{", "_", "://", "@all", "$", "|"] {
            assert!(!meant.contains(evil), "{evil}: {meant}");
        }
        // No line begins with anything that is not ours.
        for line in shown.lines().filter(|line| !line.is_empty()) {
            let ours = ["- ", "## ", "**", "Run 12", "Known by now"];
            assert!(ours.iter().any(|own| line.starts_with(own)), "{line}");
        }
    }
}
