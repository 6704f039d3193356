//! How news are written: as they are asked for, or as the file's name says.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::NewsFormat;
use crate::discover::slashed;
use crate::news::News;
use crate::report::table::Style;
use crate::report::{bulletin, html, json, news as table};

/// One way in which news are written, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    /// A file; `None` for standard output.
    pub path: Option<PathBuf>,
    /// How.
    pub medium: NewsFormat,
}

/// Endings of files' names, and what is written to such a file.
const ENDINGS: [(&str, NewsFormat); 4] = [
    (".txt", NewsFormat::Table),
    (".json", NewsFormat::Json),
    (".html", NewsFormat::Html),
    (".md", NewsFormat::Markdown),
];

/// What is asked for: `format`, else what each file's name says, else a table. To be asked before the
/// night's work, so that a wrong name does not cost it.
///
/// # Errors
/// If a file's ending says nothing, one file is named twice, or one format for several files.
pub fn outlets(paths: &[PathBuf], format: Option<NewsFormat>) -> Result<Vec<Outlet>, String> {
    if paths.is_empty() {
        return Ok(vec![Outlet { path: None, medium: format.unwrap_or(NewsFormat::Table) }]);
    }
    if paths.len() > 1 && format.is_some() {
        return Err(
            "--format is for one file; several are written by what their names end with".to_owned()
        );
    }
    let mut outlets: Vec<Outlet> = Vec::new();
    for path in paths {
        let outlet = Outlet { path: Some(path.clone()), medium: medium(path, format)? };
        if outlets.contains(&outlet) {
            let shown = slashed(path);
            return Err(format!("{shown}: would be written twice; give another name with -o"));
        }
        outlets.push(outlet);
    }
    Ok(outlets)
}

/// How a file is written.
fn medium(path: &Path, format: Option<NewsFormat>) -> Result<NewsFormat, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let by_name = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending));
    let known = format.or(by_name.map(|(_, format)| *format));
    // A stream such as /dev/stderr has no ending.
    if known.is_none() && path.extension().is_some() && (path.is_file() || !path.exists()) {
        let known: Vec<&str> = ENDINGS.iter().map(|(ending, _)| *ending).collect();
        let (shown, known) = (slashed(path), known.join(", "));
        return Err(format!(
            "{shown}: no news are written to files of this ending; there are {known}, or say --format"
        ));
    }
    Ok(known.unwrap_or(NewsFormat::Table))
}

/// Writes the news.
///
/// # Errors
/// Of the writer.
pub fn news(medium: NewsFormat, news: &News, style: Style, out: &mut dyn Write) -> io::Result<()> {
    match medium {
        NewsFormat::Table => table::write(news, style, out),
        NewsFormat::Json => json::write(news, out),
        NewsFormat::Html => html::write_news(news, out),
        NewsFormat::Markdown => bulletin::write(news, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::specimen;

    #[test]
    fn a_file_s_name_says_how_it_is_written() {
        let given = |names: &[&str], format| {
            let paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
            let outlets = outlets(&paths, format)?;
            Ok::<_, String>(outlets.into_iter().map(|own| own.medium).collect::<Vec<_>>())
        };
        let (table, json) = (NewsFormat::Table, NewsFormat::Json);
        assert_eq!(given(&[], None), Ok(vec![table]));
        assert_eq!(given(&[], Some(json)), Ok(vec![json]));
        assert_eq!(given(&["a.JSON", "b/c.txt", "d"], None), Ok(vec![json, table, table]));
        let others = Ok(vec![NewsFormat::Html, NewsFormat::Markdown]);
        assert_eq!(given(&["night.html", "night.md"], None), others);
        assert_eq!(given(&["a.txt"], Some(json)), Ok(vec![json]), "what is asked for goes first");
        assert!(given(&["a.txt", "b.txt"], Some(json)).is_err());
        assert!(given(&["a.txt", "a.txt"], None).is_err());
        assert!(given(&["a.parquet"], None).is_err());
        assert_eq!(given(&["a.parquet"], Some(json)), Ok(vec![json]));
    }

    #[test]
    fn every_medium_is_written() {
        let style = Style { width: 80, colour: false };
        let begin = |medium| {
            let mut out = Vec::new();
            news(medium, &specimen::usual(), style, &mut out).expect("memory");
            String::from_utf8(out).expect("text").chars().take(8).collect::<String>()
        };
        assert_eq!(begin(NewsFormat::Table), "3 new re");
        assert_eq!(begin(NewsFormat::Json), "{\n  \"sch");
        assert_eq!(begin(NewsFormat::Html), "<!DOCTYP");
        assert_eq!(begin(NewsFormat::Markdown), "**3 new ");
    }

    /// The JSON is as long as the news, and holds every text as it was.
    #[test]
    fn the_json_is_the_contract() {
        let json = |news: &News| {
            let mut out = Vec::new();
            json::write(news, &mut out).expect("memory");
            String::from_utf8(out).expect("text")
        };
        specimen::golden("usual.json", &json(&specimen::usual()));
        let hostile = json(&specimen::hostile());
        let raw = hostile.chars().find(|c| *c != '\n' && c.is_control());
        assert_eq!(raw, None, "a terminal would obey it");
        let read: serde_json::Value = serde_json::from_str(&hostile).expect("JSON");
        assert_eq!(read["new"][0]["device"], specimen::HOSTILE);
    }
    /// docs/NIGHTLY.md names every field of the JSON, and every metric.
    #[test]
    fn the_contract_is_written_down() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let docs = std::fs::read_to_string(folder.join("docs/NIGHTLY.md")).expect("NIGHTLY.md");
        let mut quiet = Vec::new();
        let style = Style { width: 100, colour: false };
        table::write(&specimen::quiet(), style, &mut quiet).expect("memory");
        let quiet = String::from_utf8(quiet).expect("text");
        assert!(docs.replace('\r', "").contains(&quiet), "its quiet night is another one");
        let is_told = |name: &str| docs.contains(&format!("`{name}`"));
        let news = json::value(&specimen::usual()).expect("JSON");
        let mut names: Vec<String> = Vec::new();
        let places =
            ["", "/tool", "/run", "/run/files", "/known", "/revised/0", "/revised/0/changed/0"];
        let lists = ["/withdrawn/0", "/silent/0", "/fallen/0", "/trends/0", "/trends/0/points/0"];
        for place in places.iter().chain(&lists).chain(&["/skipped/0"]) {
            let fields = news.pointer(place).and_then(serde_json::Value::as_object).expect(place);
            names.extend(fields.keys().cloned());
        }
        names.retain(|name| !is_told(name) && name != "schema");
        assert!(names.is_empty(), "not in docs/NIGHTLY.md: {names:?}");
        let mut out = Vec::new();
        crate::report::metrics::write(&specimen::usual(), &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        let heads = text.lines().filter_map(|line| line.strip_prefix("# TYPE provtrace_"));
        for name in heads.filter_map(|head| head.split(' ').next()) {
            // Those of one kind share a row: the first is written whole, of others what differs.
            let end = name.trim_start_matches("store").trim_start_matches("last_run");
            let told = docs.contains(&format!("`provtrace_{name}")) || is_told(end);
            assert!(told, "not in docs/NIGHTLY.md: provtrace_{name}");
        }
    }
}
