//! How a report is written: as it is asked for, or as the file's name says.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::chronicle::Chronicle;
use crate::cli::{CompareFormat, Format};
use crate::contract::Report;
use crate::discover::slashed;
use crate::report::table::Style;
use crate::report::{columns, html, json, markdown, sheet, spreadsheet, table, timesketch, viewer};
use crate::story::Kept;

/// One way in which a report is written, and where to.
#[derive(Debug, Clone)]
pub struct Target {
    /// A file; `None` for standard output.
    pub path: Option<PathBuf>,
    /// How.
    pub medium: Format,
}

/// Endings of files' names, and what is written to such a file; the longer one goes first.
const ENDINGS: [(&str, Format); 9] = [
    (".timesketch.jsonl", Format::TimesketchJsonl),
    (".timesketch.csv", Format::TimesketchCsv),
    (".trace.json", Format::Trace),
    (".txt", Format::Table),
    (".json", Format::Json),
    (".html", Format::Html),
    (".md", Format::Markdown),
    (".csv", Format::Csv),
    (".parquet", Format::Parquet),
];

/// What one file of a report holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The report, or its incidents: the file that is asked for.
    Main,
    /// The ranking of templates.
    Templates,
    /// The ranking of steps.
    Steps,
    /// Processes.
    Lifetimes,
    /// Tries of steps.
    StepRuns,
}

impl Part {
    /// What its file is called beside the main one: `out.csv`, `out.steps.csv`.
    fn word(self) -> &'static str {
        match self {
            Part::Main => "",
            Part::Templates => "templates",
            Part::Steps | Part::StepRuns => "steps",
            Part::Lifetimes => "lifetimes",
        }
    }
}

impl Target {
    /// The files to write, and what is in each. A stream takes the main part alone.
    pub fn files(&self) -> Vec<(Option<PathBuf>, Part)> {
        let Some(path) = &self.path else { return vec![(None, Part::Main)] };
        let stream = path.exists() && !path.is_file();
        let parts = if stream { &[Part::Main][..] } else { self.medium.parts() };
        let file = |part: &Part| match part.word() {
            "" => (Some(path.clone()), *part),
            word => (Some(beside(path, word)), *part),
        };
        parts.iter().map(file).collect()
    }
}

/// `out.csv` → `out.steps.csv`.
fn beside(path: &Path, word: &str) -> PathBuf {
    let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned());
    match ending {
        Some(ending) => path.with_extension(format!("{word}.{ending}")),
        None => path.with_extension(word),
    }
}

/// What is asked for: `format`, else what each file's name says, else a table.
///
/// # Errors
/// If one file is named twice, or one format for several files.
pub fn targets(paths: &[PathBuf], format: Option<Format>) -> Result<Vec<Target>, String> {
    if paths.is_empty() {
        return Ok(vec![Target { path: None, medium: format.unwrap_or(Format::Table) }]);
    }
    if paths.len() > 1 && format.is_some() {
        return Err(
            "--format is for one file; several are written by what their names end with".to_owned()
        );
    }
    let target = |path: &PathBuf| {
        let medium = format.or(by_name(path));
        if medium.is_none() && path.extension().is_some() && (path.is_file() || !path.exists()) {
            let known: Vec<&str> = ENDINGS.iter().map(|(ending, _)| *ending).collect();
            let (shown, known) = (slashed(path), known.join(", "));
            return Err(format!(
                "{shown}: nothing is written to files of this ending; there are {known}, or say --format"
            ));
        }
        Ok(Target { path: Some(path.clone()), medium: medium.unwrap_or(Format::Table) })
    };
    let targets = paths.iter().map(target).collect::<Result<Vec<Target>, String>>()?;
    let mut taken: Vec<PathBuf> = Vec::new();
    for (path, part) in targets.iter().flat_map(Target::files) {
        let Some(path) = path else { continue };
        if taken.contains(&path) {
            let shown = slashed(&path);
            return Err(match part {
                Part::Main => format!("{shown}: would be written twice; give another name with -o"),
                Part::Templates | Part::Steps | Part::Lifetimes | Part::StepRuns => format!(
                    "{shown}: goes beside a file of -o, and would be written twice; give another name"
                ),
            });
        }
        taken.push(path);
    }
    Ok(targets)
}

fn by_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
}

/// How a comparison is written: as it is asked for, or as the file's name says.
pub fn of_comparison(path: Option<&Path>, format: Option<CompareFormat>) -> CompareFormat {
    let by_name = match path.and_then(by_name) {
        Some(Format::Json) => CompareFormat::Json,
        Some(Format::Html) => CompareFormat::Html,
        Some(
            Format::Table
            | Format::Markdown
            | Format::Csv
            | Format::Parquet
            | Format::TimesketchJsonl
            | Format::TimesketchCsv
            | Format::Trace,
        )
        | None => CompareFormat::Table,
    };
    format.unwrap_or(by_name)
}

impl Format {
    /// What of the devices must be kept for it.
    pub fn needs(self) -> Kept {
        match self {
            Format::Html => Kept::Affected,
            Format::Table | Format::Json | Format::Markdown | Format::Csv => Kept::Nothing,
            Format::Parquet | Format::TimesketchJsonl | Format::TimesketchCsv | Format::Trace => {
                Kept::Everything
            }
        }
    }

    /// Whether it is no text: a terminal would obey it.
    pub fn is_binary(self) -> bool {
        self == Format::Parquet
    }

    /// What its files hold, the main one first.
    fn parts(self) -> &'static [Part] {
        match self {
            Format::Csv => &[Part::Main, Part::Templates, Part::Steps],
            Format::Parquet => &[Part::Main, Part::Lifetimes, Part::StepRuns],
            Format::Table
            | Format::Json
            | Format::Html
            | Format::Markdown
            | Format::TimesketchJsonl
            | Format::TimesketchCsv
            | Format::Trace => &[Part::Main],
        }
    }

    /// Writes a part of the report.
    ///
    /// # Errors
    /// Of the writer.
    pub fn write(
        self,
        part: Part,
        report: &Report,
        chronicles: &[Chronicle],
        style: Style,
        with_evidence: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let sheet = || match part {
            Part::Main => sheet::incidents(&report.incidents),
            Part::Templates => sheet::templates(&report.templates),
            Part::Steps => sheet::steps(&report.steps),
            Part::Lifetimes => sheet::lifetimes(chronicles),
            Part::StepRuns => sheet::step_runs(chronicles),
        };
        match self {
            Format::Table => table::write(report, chronicles, style, with_evidence, out),
            Format::Json => json::write(report, out),
            Format::Html => html::write(report, chronicles, out),
            Format::Markdown => markdown::write(report, out),
            Format::Csv => spreadsheet::write(&sheet(), out),
            Format::Parquet => columns::write(&sheet(), out),
            Format::TimesketchJsonl => timesketch::write_lines(report, chronicles, out),
            Format::TimesketchCsv => timesketch::write_table(report, chronicles, out),
            Format::Trace => viewer::write(chronicles, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_says_how_it_is_written() {
        let given = |names: &[&str], format| {
            let paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
            let targets = targets(&paths, format)?;
            Ok::<_, String>(targets.iter().map(|target| target.medium).collect::<Vec<_>>())
        };
        let (table, json) = (Format::Table, Format::Json);
        assert_eq!(given(&[], None), Ok(vec![table]));
        assert_eq!(given(&["a.JSON", "b/c.txt", "d"], None), Ok(vec![json, table, table]));
        assert_eq!(given(&["a.txt"], Some(json)), Ok(vec![json]), "what is asked for goes first");
        assert!(given(&["a.txt", "b.txt"], Some(json)).is_err());
        assert!(given(&["a.txt", "a.txt"], None).is_err());
        assert_eq!(
            given(&["a.trace.json", "a.timesketch.csv", "a.parquet"], None),
            Ok(vec![Format::Trace, Format::TimesketchCsv, Format::Parquet])
        );
        assert!(given(&["a.csv", "a.steps.csv"], None).is_err(), "a.csv brings the other");
        assert!(given(&["a.csv", "a.parquet"], None).is_ok());
    }
}
