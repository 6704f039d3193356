//! A report's JSON file → what of it can be compared. The file may come from anywhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::comparison::{Name, Period, Tally};
use crate::paths::{plain, slashed};

/// The schema that is read.
const SCHEMA: &str = "provtrace.report.v1";
/// What schemas of reports begin with.
const ANY: &str = "provtrace.report.v";
/// The largest file that is read: a report on 10,000 devices has a tenth of it.
const LARGEST: u64 = 1 << 30;
/// More runs than that of one template are no report's: the test is exact up to it.
const MOST_RUNS: u64 = 10_000_000;

/// What is read first: a later schema may change all else.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

#[derive(Deserialize)]
struct Report {
    coverage: Coverage,
    templates: Vec<Template>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Coverage {
    devices: u64,
    caution: Option<String>,
}

#[derive(Deserialize)]
struct Template {
    template: Option<String>,
    runs: u64,
    affected_runs: u64,
    #[serde(default)]
    workaround_runs: u64,
    #[serde(default)]
    workaround_unknown_runs: u64,
}

#[derive(Deserialize)]
struct Step {
    template: Option<String>,
    step: String,
    attempts: u64,
    incidents: u64,
}

/// Reads a report that `analyze` wrote.
///
/// # Errors
/// What is wrong with the file, and what to do.
pub fn read(path: &Path) -> Result<Period, String> {
    let shown = slashed(path);
    let bytes = bytes(path, &shown)?;
    period(&bytes, &shown)
}

fn bytes(path: &Path, shown: &str) -> Result<Vec<u8>, String> {
    let failed = |error: &std::io::Error| format!("{shown}: {}", plain(error));
    if path.is_dir() {
        return Err(format!(
            "{shown}: is a folder; `provtrace analyze {shown} -o report.json` makes a report of it, \
             --at TIME compares two periods of it"
        ));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("{shown}: has over {LARGEST} bytes; no report is as large"));
    }
    Ok(bytes)
}

fn period(bytes: &[u8], shown: &str) -> Result<Period, String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(format!(
            "{shown}: is UTF-16, as PowerShell's > writes it; write the report with -o {shown}"
        ));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let no_report = "write one with `provtrace analyze PATH… -o report.json`";
    let head: Head = serde_json::from_slice(bytes)
        .map_err(|error| format!("{shown}: is no JSON report ({error}); {no_report}"))?;
    match head.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) if other.starts_with(ANY) => {
            return Err(format!(
                "{shown}: has the schema {}, and this provtrace reads {SCHEMA}; use the version \
                 that wrote it",
                other.escape_debug()
            ));
        }
        Some(_) | None => return Err(format!("{shown}: is JSON, but no report; {no_report}")),
    }
    let report: Report = serde_json::from_slice(bytes)
        .map_err(|error| format!("{shown}: is no whole report ({error}); {no_report}"))?;
    let templates = report.templates.into_iter().map(|row| {
        let (workaround, unknown) = (row.workaround_runs, row.workaround_unknown_runs);
        let tally = Tally { runs: row.runs, affected: row.affected_runs, workaround, unknown };
        ((row.template, None), tally)
    });
    let steps = report.steps.into_iter().map(|row| {
        let tally =
            Tally { runs: row.attempts, affected: row.incidents, workaround: 0, unknown: 0 };
        ((row.template, Some(row.step)), tally)
    });
    Ok(Period {
        source: shown.to_owned(),
        devices: report.coverage.devices,
        caution: report.coverage.caution,
        templates: tallies(templates, shown)?,
        steps: tallies(steps, shown)?,
    })
}

/// Counts that add up, each name once.
fn tallies(
    rows: impl Iterator<Item = (Name, Tally)>,
    shown: &str,
) -> Result<BTreeMap<Name, Tally>, String> {
    let mut all = BTreeMap::new();
    let mut sum: u64 = 0;
    for (name, tally) in rows {
        let about = format!("{:?}", name.1.as_ref().or(name.0.as_ref()).map_or("", String::as_str));
        if tally.affected > tally.runs || tally.workaround > tally.runs {
            return Err(format!(
                "{shown}: {about} has more affected runs than runs; no report has"
            ));
        }
        sum = sum.saturating_add(tally.runs);
        if sum > MOST_RUNS {
            return Err(format!("{shown}: has over {MOST_RUNS} runs; they can't be compared"));
        }
        if all.insert(name, tally).is_some() {
            return Err(format!("{shown}: has {about} twice; no report has"));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(templates: &str) -> String {
        format!(
            r#"{{"schema":"provtrace.report.v1","coverage":{{"devices":1,"caution":null}},
            "incidents":[{{"x":[[]]}}],"templates":[{templates}],"steps":[]}}"#
        )
    }

    #[test]
    fn a_report_is_read_and_nothing_else() {
        let row = r#"{"template":"T","runs":3,"affected_runs":1,"later_field":7}"#;
        let read = period(report(row).as_bytes(), "a.json").expect("a report");
        let tally = Tally { runs: 3, affected: 1, workaround: 0, unknown: 0 };
        assert_eq!(read.templates.get(&(Some("T".to_owned()), None)), Some(&tally));
        let with_mark = [b"\xEF\xBB\xBF", report(row).as_bytes()].concat();
        assert!(period(&with_mark, "a.json").is_ok());
        let deep = "[".repeat(100_000);
        let later = r#"{"schema":"provtrace.report.v2","templates":7}"#;
        let negative = report(r#"{"template":"T","runs":-3,"affected_runs":1}"#);
        let above = report(r#"{"template":"T","runs":3,"affected_runs":4}"#);
        let huge = report(r#"{"template":"T","runs":18446744073709551615,"affected_runs":4}"#);
        let twice = report(&format!("{row},{row}"));
        for (text, wanted) in [
            ("", "no JSON report"),
            (deep.as_str(), "no JSON report"),
            ("[1]", "no JSON report"),
            ("{}", "is JSON, but no report"),
            (r#"{"schema":"other.v1"}"#, "is JSON, but no report"),
            (later, "provtrace.report.v2"),
            (r#"{"schema":"provtrace.report.v1"}"#, "no whole report"),
            (&negative, "no whole report"),
            (&above, "more affected runs than runs"),
            (&huge, "over 10000000 runs"),
            (&twice, "twice"),
        ] {
            let told = period(text.as_bytes(), "a.json").expect_err("no report");
            assert!(told.starts_with("a.json: ") && told.contains(wanted), "{told}");
        }
        let wide = [0xFF, 0xFE, b'{', 0];
        assert!(period(&wide, "a.json").expect_err("UTF-16").contains("-o a.json"));
    }
}
