//! Explained incidents → `story.md` and `story.html` of a bundle, each sentence with its lines.

use std::fmt::Write;

use crate::contract::Evidence;
use crate::explanation::Explanation;
use crate::report::plain::harmless;

/// A heading and what stands below it: sentences, each with the lines that show it.
struct Section<'e> {
    title: &'static str,
    numbered: bool,
    items: Vec<(String, &'e [Evidence])>,
}

/// The stories in Markdown.
pub fn markdown(stories: &[Explanation]) -> String {
    let mut out = format!("# {}\n", marked(&title(stories)));
    for story in stories {
        let _ = write!(out, "\n## {}\n\n{}\n", marked(&heading(story)), marked(&story.answer));
        for section in sections(story) {
            let _ = write!(out, "\n### {}\n\n", section.title);
            for (number, (text, lines)) in section.items.iter().enumerate() {
                let mark =
                    if section.numbered { format!("{}.", number + 1) } else { "-".to_owned() };
                let _ = writeln!(out, "{mark} {}", marked(text));
                for line in *lines {
                    let _ = writeln!(out, "   - {}: {}", marked(&place(line)), code(&line.text));
                }
            }
        }
    }
    out
}

/// The stories as a page.
pub fn html(stories: &[Explanation]) -> String {
    let title = escaped(&title(stories));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body{{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
         code{{overflow-wrap:anywhere}}</style>\n<h1>{title}</h1>\n"
    );
    for story in stories {
        let (heading, answer) = (escaped(&heading(story)), escaped(&story.answer));
        let _ = writeln!(out, "<h2>{heading}</h2>\n<p><strong>{answer}</strong></p>");
        for section in sections(story) {
            let list = if section.numbered { "ol" } else { "ul" };
            let _ = writeln!(out, "<h3>{}</h3>\n<{list}>", section.title);
            for (text, lines) in &section.items {
                let _ = write!(out, "<li>{}", escaped(text));
                let quote = |line: &Evidence| {
                    let (place, text) = (escaped(&place(line)), escaped(&line.text));
                    format!("<li>{place}: <code>{text}</code></li>")
                };
                let quotes: Vec<String> = lines.iter().map(quote).collect();
                if !quotes.is_empty() {
                    let _ = write!(out, "<ul>{}</ul>", quotes.join("\n"));
                }
                out.push_str("</li>\n");
            }
            let _ = writeln!(out, "</{list}>");
        }
    }
    out.push_str("</html>\n");
    out
}

fn title(stories: &[Explanation]) -> String {
    match stories {
        [] => "No step was refused".to_owned(),
        [one] => format!("A step was refused on {}", one.device),
        many => format!("{} steps were refused", many.len()),
    }
}

fn heading(story: &Explanation) -> String {
    let template = story.template.as_deref().unwrap_or("a template without a name");
    let (device, run, id) = (&story.device, story.run, &story.incident);
    format!("{device}, run {run} of {template}: {} [{id}]", story.confidence.word())
}

/// What is said of an incident, as `explain` says it.
fn sections(story: &Explanation) -> Vec<Section<'_>> {
    let plain = |text: String| (text, &[][..]);
    let told = story.story.iter().map(|own| (own.text.clone(), own.evidence.as_slice()));
    let weighed = story
        .hypotheses
        .iter()
        .map(|own| plain(format!("{}? {}: {}.", own.supposed, own.standing.word(), own.fact)));
    let gaps = story.missing.iter();
    let gaps = gaps.map(|gap| plain(format!("{}, in {}: {}", gap.file, gap.place, gap.tells)));
    let all = [
        ("What happened", true, told.collect()),
        ("Was it …", false, weighed.collect()),
        ("How firm it is", false, story.cautions.iter().cloned().map(plain).collect()),
        ("What would tell more", false, gaps.collect()),
        ("What to do", false, story.remedy.iter().cloned().map(plain).collect()),
    ];
    let sections = all.into_iter().map(|(title, numbered, items): (_, _, Vec<_>)| Section {
        title,
        numbered,
        items,
    });
    sections.filter(|section| !section.items.is_empty()).collect()
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
