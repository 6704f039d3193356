//! Quoted lines with the lines around them, as a text that people read and `verify` checks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::Path;

use provtrace_parsers::text::{CodePage, decode_line};

use crate::contract::Evidence;
use crate::rawline::RawLines;
use crate::report::plain::{harmless, short};

/// Letters of a line that is only there for context.
const MOST_LETTERS: usize = 2000;

/// The excerpt of one file. `title` is its path; `quotes` are the lines of proof in it.
///
/// # Errors
/// Of the reader.
pub fn of_text(
    file: &Path,
    page: CodePage,
    title: &str,
    quotes: &[&Evidence],
    context: u64,
) -> io::Result<String> {
    let quoted: BTreeMap<u64, &Evidence> =
        quotes.iter().map(|quote| (quote.line, *quote)).collect();
    let mut out = head(title);
    let mut lines = RawLines::new(File::open(file)?)?;
    let encoding = lines.encoding;
    let mut last = 0;
    let end = quoted.keys().next_back().map_or(0, |last| last.saturating_add(context));
    while let Some(line) = lines.next_line()? {
        if line.number > end {
            break;
        }
        let around = line.number.saturating_sub(context)..=line.number.saturating_add(context);
        if quoted.range(around).next().is_none() || line.number == last {
            continue;
        }
        if last != 0 && line.number > last + 1 {
            out.push_str("  …\n");
        }
        last = line.number;
        let text = decode_line(line.bytes, encoding, page);
        let text = text.trim_end_matches(['\r', '\n', '\0']);
        // The quote's own words: what is proven is what the report says.
        match quoted.get(&line.number) {
            Some(quote) => out.push_str(&row(quote)),
            None => {
                let text = short(text, MOST_LETTERS);
                let _ = writeln!(out, "  {:>8} {:>12}  {text}", line.number, line.offset);
            }
        }
    }
    Ok(out)
}

/// The excerpt of a file that is no text: the quotes alone.
pub fn of_records(title: &str, quotes: &[&Evidence]) -> String {
    let mut out = head(title);
    let quoted: BTreeMap<u64, &Evidence> =
        quotes.iter().map(|quote| (quote.line, *quote)).collect();
    quoted.values().for_each(|quote| out.push_str(&row(quote)));
    out
}

/// A quoted line as it stands in an excerpt.
pub fn row(quote: &Evidence) -> String {
    row_of(quote.line, quote.offset, &quote.text)
}

/// The same, of its parts.
pub fn row_of(line: u64, offset: u64, text: &str) -> String {
    format!("> {line:>8} {offset:>12}  {}\n", harmless(text))
}

fn head(title: &str) -> String {
    format!(
        "{}\n> quoted line: its number, the byte where it begins, its text\n\n",
        harmless(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_with_those_around_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.log");
        let text: String = (1..=20).map(|number| format!("line {number}\r\n")).collect();
        std::fs::write(&file, &text).expect("written");
        let quote = |line: u64| Evidence {
            path: "x.log".to_owned(),
            member: None,
            line,
            offset: text.find(&format!("line {line}\r")).expect("a line") as u64,
            length: 7,
            says: "alive".into(),
            mark: None,
            text: format!("line {line}"),
        };
        let quotes = [quote(3), quote(12)];
        let quotes: Vec<&Evidence> = quotes.iter().collect();
        let excerpt = of_text(&file, CodePage::default(), "x.log", &quotes, 1).expect("read");
        let rows: Vec<&str> =
            excerpt.lines().skip(3).map(|row| row.trim_start_matches(' ')).collect();
        assert_eq!(rows.len(), 7, "{excerpt}");
        assert!(rows[1].starts_with(">        3           16  line 3"), "{excerpt}");
        assert_eq!(rows[3], "…");
    }
}
