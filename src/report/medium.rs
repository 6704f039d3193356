//! How a report is written: as it is asked for, or as the file's name says.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::chronicle::Chronicle;
use crate::cli::Format;
use crate::contract::Report;
use crate::discover::slashed;
use crate::report::table::Style;
use crate::report::{html, json, table};
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
const ENDINGS: [(&str, Format); 3] =
    [(".txt", Format::Table), (".json", Format::Json), (".html", Format::Html)];

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
    for (at, path) in paths.iter().enumerate() {
        if paths[..at].contains(path) {
            return Err(format!("{}: is given twice with -o", slashed(path)));
        }
    }
    let target = |path: &PathBuf| Target {
        path: Some(path.clone()),
        medium: format.or(by_name(path)).unwrap_or(Format::Table),
    };
    Ok(paths.iter().map(target).collect())
}

fn by_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| *format)
}

impl Format {
    /// What of the devices must be kept for it.
    pub fn needs(self) -> Kept {
        match self {
            Format::Table | Format::Json => Kept::Nothing,
            Format::Html => Kept::Affected,
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    /// Of the writer.
    pub fn write(
        self,
        report: &Report,
        chronicles: &[Chronicle],
        style: Style,
        with_evidence: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match self {
            Format::Table => table::write(report, chronicles, style, with_evidence, out),
            Format::Json => json::write(report, out),
            Format::Html => html::write(report, chronicles, out),
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
    }
}
