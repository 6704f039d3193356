//! A sheet as CSV, for spreadsheets and scripts.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::citation::quoted_at;
use crate::contract::Evidence;
use crate::report::plain::harmless;
use crate::report::sheet::{Column, Sheet, Values};

/// Writes a line of names, then one line a row: UTF-8, commas, quotes where they are needed.
///
/// # Errors
/// Of the writer.
pub fn write(sheet: &Sheet<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(sheet.iter().map(|column| column.name))?;
    let rows = sheet.iter().map(|column| column.values.count()).max().unwrap_or(0);
    for row in 0..rows {
        let cells = sheet.iter().map(|column| cell(column, row));
        writer.write_record(cells.map(|cell| cell.into_owned().into_bytes()))?;
    }
    writer.flush()
}

fn cell<'c>(column: &'c Column<'_>, row: usize) -> Cow<'c, str> {
    let nothing = || Cow::Borrowed("");
    match &column.values {
        Values::Text(all) => all[row].as_deref().map_or_else(nothing, inert),
        Values::Count(all) => all[row].map_or_else(nothing, |own| own.to_string().into()),
        Values::Real(all) => all[row].map_or_else(nothing, |own| own.to_string().into()),
        Values::Truth(all) => all[row].map_or_else(nothing, |own| own.to_string().into()),
        Values::Time(all) => all[row].map_or_else(nothing, Cow::Borrowed),
        Values::Lines(all) => {
            let line = |own: &Evidence| format!("{}: {}", quoted_at(own), own.text);
            let lines: Vec<String> = all[row].iter().map(line).collect();
            inert(&lines.join(" | ")).into_owned().into()
        }
    }
}

/// Text that a spreadsheet takes for text: what it would take for a formula gets an apostrophe in
/// front. A plain number is none.
pub fn inert(text: &str) -> Cow<'_, str> {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let shown = harmless(text);
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let begins = text.starts_with(['\t', '\r']) || text.trim_start().starts_with(FORMULA);
    if begins && !is_number { format!("'{shown}").into() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for formula in
            ["=1+2", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"]
        {
            assert!(inert(formula).starts_with('\''), "{formula:?}");
        }
        for text in ["-1917517412", "+7", "Install A=B", "", "a\u{e9}"] {
            assert_eq!(inert(text), text);
        }
        assert_eq!(inert("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\u{a}");
    }
}
