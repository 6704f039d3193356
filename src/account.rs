//! Incidents → numbered sentences, each with the lines that it rests on: `story.md`, `story.html`.

use std::fmt::Write;

use crate::contract::{Evidence, Incident, Report};
use crate::correlate::{Confidence, Mechanism};
use crate::report::plain::harmless;

/// A sentence, and the words of the evidence that it rests on.
struct Sentence {
    text: String,
    says: &'static [&'static str],
}

/// The story in Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = format!("# {}\n", marked(&title(report)));
    for incident in &report.incidents {
        let _ = write!(out, "\n## {}\n\n", marked(&heading(incident)));
        for (number, sentence) in sentences(incident).into_iter().enumerate() {
            let _ = writeln!(out, "{}. {}", number + 1, marked(&sentence.text));
            for quote in cited(incident, &sentence) {
                let _ = writeln!(out, "   - {}: {}", marked(&place(quote)), code(&quote.text));
            }
        }
    }
    out
}

/// The story as a page.
pub fn html(report: &Report) -> String {
    let title = escaped(&title(report));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body{{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
         code{{overflow-wrap:anywhere}}</style>\n<h1>{title}</h1>\n"
    );
    for incident in &report.incidents {
        let _ = writeln!(out, "<h2>{}</h2>\n<ol>", escaped(&heading(incident)));
        for sentence in sentences(incident) {
            let _ = writeln!(out, "<li>{}<ul>", escaped(&sentence.text));
            for quote in cited(incident, &sentence) {
                let (place, text) = (escaped(&place(quote)), escaped(&quote.text));
                let _ = writeln!(out, "<li>{place}: <code>{text}</code></li>");
            }
            out.push_str("</ul></li>\n");
        }
        out.push_str("</ol>\n");
    }
    out.push_str("</html>\n");
    out
}

fn title(report: &Report) -> String {
    match report.incidents.as_slice() {
        [] => "No step was refused".to_owned(),
        [one] => format!("A step was refused on {}", one.device),
        many => format!("{} steps were refused", many.len()),
    }
}

fn heading(incident: &Incident) -> String {
    let template = incident.template.as_deref().unwrap_or("a template without a name");
    format!("{}: {} of {template}, {}", incident.device, incident.step, incident.at_logged)
}

/// What happened, in the order of time.
fn sentences(incident: &Incident) -> Vec<Sentence> {
    let mut all = Vec::new();
    let mut say = |text: String, says| all.push(Sentence { text, says });
    if let Some(minutes) = incident.minutes_after_agent_install {
        say(format!("The agent had been installed {minutes} minutes before the step began."), &[]);
    }
    if let Some(blocker) = &incident.blocker {
        say(
            format!("{} was there from {} on.", blocker.program, blocker.launched),
            &["launched", "process_created", "run_starts", "policy_sync_starts", "alive"],
        );
        if incident.mechanism == Mechanism::ScanWaited {
            say(
                format!(
                    "It waited for an earlier deployment, and went on at {}.",
                    blocker.active_from
                ),
                &["scan_waits", "scan_starts"],
            );
        }
        say(format!("It was last seen at {}.", blocker.ended), &["run_ends", "process_exited"]);
    }
    say(
        format!(
            "Step {} ({}) started {} at {}.",
            incident.step_ordinal,
            incident.step,
            incident.refused.program,
            incident.refused.started
        ),
        &[],
    );
    let code = incident.refused.exit_code.as_ref();
    let code = code.map_or(String::new(), |code| format!(" with {} ({})", code.raw, code.hex));
    say(format!("It was refused and ended{code}."), &["refused"]);
    say(
        match incident.confidence {
            Confidence::Confirmed => {
                "The refusal is stated, and the blocker's own traces cover it."
            }
            Confidence::Stated => "The refusal is stated; no log shows who held it.",
            Confidence::Inferred => {
                "The refusal is not stated; a blocker's traces cover a short run."
            }
        }
        .to_owned(),
        &[],
    );
    all
}

/// The lines behind a sentence; the last one gets all that no other has.
fn cited<'i>(incident: &'i Incident, sentence: &Sentence) -> Vec<&'i Evidence> {
    let named: Vec<&str> =
        sentences(incident).iter().flat_map(|sentence| sentence.says.iter().copied()).collect();
    let last = sentence.says == ["refused"];
    let fits = |quote: &&Evidence| {
        sentence.says.contains(&quote.says) || last && !named.contains(&quote.says)
    };
    incident.evidence.iter().filter(fits).collect()
}

fn place(quote: &Evidence) -> String {
    match &quote.member {
        Some(member) => format!("{}!/{member}, line {}", quote.path, quote.line),
        None => format!("{}, line {}", quote.path, quote.line),
    }
}

/// Text that HTML shows as it is.
fn escaped(text: &str) -> String {
    let text = harmless(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text that Markdown shows as it is.
fn marked(text: &str) -> String {
    let mut out = String::new();
    for c in harmless(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Text as code, between more marks than it has itself.
fn code(text: &str) -> String {
    let text = harmless(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let mark = "`".repeat(longest + 1);
    format!("{mark} {text} {mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_says_stays_text() {
        assert_eq!(escaped("<b>\"&\u{1b}"), "&lt;b&gt;&quot;&amp;\\u{1b}");
        assert_eq!(marked("<b>*[x](y)"), "&lt;b>\\*\\[x\\](y)");
        assert_eq!(code("a``b"), "``` a``b ```");
    }
}
