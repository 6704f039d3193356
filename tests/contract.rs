//! The JSON report keeps docs/REPORT.md's promises: its shape (docs/report.schema.json, which
//! is closed, so that it finds drift), its sums, its orders, its rates and its rules of proof.

mod program;
mod schema;

use std::cmp::Reverse;
use std::fs;

use chrono::NaiveDateTime;
use program::{Case, cases, count, files, list, root, run, text, write};
use serde_json::Value;

/// A refused program exits at once: the longest run, in seconds, that proves it by its length.
const AT_ONCE: i64 = 15;

#[test]
fn every_report_fits_the_schema() {
    let schema = root().join("docs/report.schema.json");
    let schema = fs::read_to_string(&schema).unwrap_or_else(|error| panic!("{schema:?}: {error}"));
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let mut wrong = Vec::new();
    for (case, report) in reports() {
        let errors = schema::errors(&schema, &report);
        wrong.extend(errors.iter().map(|error| format!("{}: {error}", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The schema would find drift: a report with one field more, less or renamed does not fit.
#[test]
fn the_schema_is_closed() {
    let schema = fs::read_to_string(root().join("docs/report.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let is_valid = |report: &Value| schema::errors(&schema, report).is_empty();
    let reports = reports();
    let places = ["", "/tool", "/coverage", "/incidents/0", "/incidents/0/refused"];
    let more = ["/incidents/0/blocker", "/incidents/0/evidence/0", "/templates/0", "/steps/0"];
    let runs = ["/runs_by_state", "/unfinished_runs/0", "/long_waits/0", "/devices/0"];
    for place in places.iter().chain(&more).chain(&runs) {
        let has_it = |report: &Value| report.pointer(place).is_some_and(Value::is_object);
        let good = reports.iter().map(|(_, report)| report).find(|report| has_it(report));
        let good = good.unwrap_or_else(|| panic!("no sample has {place}"));
        let mut extra = good.clone();
        let fields = extra.pointer_mut(place).and_then(Value::as_object_mut).expect(place);
        fields.insert("surprise".to_owned(), Value::Null);
        assert!(!is_valid(&extra), "{place}: takes any field");
        let names: Vec<String> =
            good.pointer(place).and_then(Value::as_object).expect(place).keys().cloned().collect();
        for name in names {
            let mut less = good.clone();
            less.pointer_mut(place).and_then(Value::as_object_mut).expect(place).remove(&name);
            assert!(!is_valid(&less), "{place}: does without {name}");
        }
    }
}

#[test]
fn all_text_is_accounted_for() {
    for (case, report) in reports() {
        let coverage = &report["coverage"];
        let number = |name| count(coverage, name);
        let parts =
            number("lines_understood") + number("lines_continued") + number("lines_unknown");
        assert_eq!(parts, number("lines"), "{}: lines", case.name);
        let printed = run(&case.args(&["events", "--all"])).stdout;
        let printed = printed.lines().count() as u64;
        assert_eq!(printed, number("lines"), "{}: `events --all`", case.name);
        let found = files(&case.path());
        // Of what lies in an archive, the folder's list says nothing.
        if found.iter().any(|file| file.extension().is_some_and(|end| end == "zip")) {
            continue;
        }
        let aside = number("other_files") as usize
            + list(coverage, "unrecognised").len()
            + list(coverage, "skipped").len();
        assert_eq!(number("files") as usize + aside, found.len(), "{}: files", case.name);
        if aside == 0 {
            let sizes = found
                .iter()
                .map(|file| fs::metadata(case.path().join(file)).expect("a sample").len());
            assert_eq!(number("bytes"), sizes.sum::<u64>(), "{}: bytes", case.name);
        }
        let devices = program::names(&case.path(), std::path::Path::is_dir);
        assert_eq!(number("devices") as usize, devices.len(), "{}: devices", case.name);
    }
}

#[test]
fn sums_agree() {
    for (case, report) in reports() {
        let incidents = list(&report, "incidents");
        let sum = |rows: &str, field: &str| -> u64 {
            list(&report, rows).iter().map(|row| count(row, field)).sum()
        };
        let name = &case.name;
        assert_eq!(sum("templates", "incidents"), incidents.len() as u64, "{name}: templates");
        assert_eq!(sum("steps", "incidents"), incidents.len() as u64, "{name}: steps");
        assert_eq!(sum("templates", "runs"), count(&report["coverage"], "runs"), "{name}: runs");
        let assumed = incidents.iter().filter(|incident| incident["assumed_wording"] == true);
        let counted = count(&report["coverage"], "assumed_wording");
        assert_eq!(assumed.count() as u64, counted, "{name}: assumed wording");
        let devices = list(&report, "devices");
        let of_devices = |field: &str| -> u64 { devices.iter().map(|row| count(row, field)).sum() };
        let coverage = &report["coverage"];
        assert_eq!(devices.len() as u64, count(coverage, "devices"), "{name}: devices");
        for field in ["files", "runs"] {
            assert_eq!(of_devices(field), count(coverage, field), "{name}: {field} of devices");
        }
        assert_eq!(of_devices("incidents"), incidents.len() as u64, "{name}: of devices");
        let states = report["runs_by_state"].as_object().expect("an object");
        let all: u64 = states.values().filter_map(Value::as_u64).sum();
        assert_eq!(all, count(coverage, "runs"), "{name}: runs by state");
        let unfinished =
            count(&report["runs_by_state"], "cut") + count(&report["runs_by_state"], "hung");
        assert_eq!(list(&report, "unfinished_runs").len() as u64, unfinished, "{name}: unfinished");
        for row in list(&report, "templates") {
            assert!(count(row, "devices") <= count(row, "affected_runs"), "{name}: {row}");
            assert!(count(row, "affected_runs") <= count(row, "incidents"), "{name}: {row}");
            assert!(count(row, "affected_runs") <= count(row, "runs"), "{name}: {row}");
            assert!(count(row, "workaround_runs") <= count(row, "runs"), "{name}: {row}");
        }
        for incident in incidents {
            let row = list(&report, "steps").iter().find(|row| {
                row["template"] == incident["template"] && row["step"] == incident["step"]
            });
            let row = row.unwrap_or_else(|| panic!("{name}: no row for {incident}"));
            assert!(count(row, "incidents") >= 1, "{name}: {row}");
        }
    }
}

/// 95 %: recomputed from the counts that stand beside them.
#[test]
fn rates_are_wilson_intervals() {
    let mut checked = 0;
    for (case, report) in reports() {
        let templates = list(&report, "templates").iter().map(|row| (row, "affected_runs", "runs"));
        let steps = list(&report, "steps").iter().map(|row| (row, "incidents", "attempts"));
        for (row, hits, of) in templates.chain(steps) {
            let (hits, of) = (count(row, hits) as f64, count(row, of) as f64);
            let expected = [hits / of, wilson(hits, of, -1.0), wilson(hits, of, 1.0)];
            let found = ["rate", "rate_low", "rate_high"].map(|name| number(&row[name]));
            for (expected, found) in expected.into_iter().zip(found) {
                checked += 1;
                let near = (expected - found).abs() <= 0.000_051;
                assert!(near, "{}: {expected} expected: {row}", case.name);
            }
        }
    }
    assert!(checked > 100, "only {checked} rates");
}

#[test]
fn lists_are_in_their_orders() {
    for (case, report) in reports() {
        let name = &case.name;
        for (rows, field) in [("templates", "template"), ("steps", "step")] {
            let rows = list(&report, rows);
            let ranks: Vec<u64> = rows.iter().map(|row| count(row, "rank")).collect();
            let expected: Vec<u64> = (1..=rows.len() as u64).collect();
            assert_eq!(ranks, expected, "{name}: ranks");
            assert_sorted(name, rows, |row| {
                let low = (number(&row["rate_low"]) * 1e6).round() as u64;
                (
                    Reverse(low),
                    Reverse(count(row, "incidents")),
                    last_if_null(row),
                    text_of(row, field),
                )
            });
        }
        assert_sorted(name, list(&report, "incidents"), |incident| {
            (time(&incident["at"]), text(incident, "device").to_owned(), count(incident, "run"))
        });
        assert_sorted(name, list(&report, "other_failures"), |failure| {
            (Reverse(count(failure, "runs")), text(failure, "hex").to_owned())
        });
        assert_sorted(name, list(&report, "warnings"), |warning| warning.to_string());
        for rows in ["unfinished_runs", "long_waits"] {
            assert_sorted(name, list(&report, rows), |row| {
                (text(row, "device").to_owned(), count(row, "run"))
            });
        }
        assert_sorted(name, list(&report, "devices"), |row| text(row, "device").to_owned());
        let coverage = &report["coverage"];
        for texts in ["unrecognised", "devices_without_zone"] {
            assert_sorted(name, list(coverage, texts), |text| text.as_str().map(str::to_owned));
        }
        assert_sorted(name, list(coverage, "skipped"), |skipped| text(skipped, "path").to_owned());
    }
}

/// By time, not by the letters of the time: half a second later is later.
#[test]
fn incidents_are_in_the_order_of_their_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let zone = root().join("samples/scan-waited/PAR-10001/SystemInfo.log");
    let zone = fs::read(zone).expect("a sample");
    for (device, started) in
        [("PAR-1", "12:00:00.500"), ("PAR-2", "12:00:00"), ("PAR-3", "12:00:01")]
    {
        let log = format!(
            "2025-03-24 {started}(10-11) ldProvision:Create process (C:\\sdclient.exe) with args (/taskid=7)\r\n\
             2025-03-24 12:00:02(10-11) ldProvision:Process exit code:-1917517412\r\n"
        );
        let folder = folder.path().join(device);
        write(&folder.join("ldprovisioning/ldProvision.log"), log.as_bytes());
        write(&folder.join("SystemInfo.log"), &zone);
    }
    let args = ["analyze", "--format", "json"].map(std::ffi::OsString::from);
    let outcome = run(&[args.to_vec(), vec![folder.path().into()]].concat());
    let report = outcome.report();
    let found: Vec<(&str, &str)> = list(&report, "incidents")
        .iter()
        .map(|incident| (text(incident, "device"), text(incident, "at")))
        .collect();
    let expected = [
        ("PAR-2", "2025-03-24T11:00:00Z"),
        ("PAR-1", "2025-03-24T11:00:00.500Z"),
        ("PAR-3", "2025-03-24T11:00:01Z"),
    ];
    assert_eq!(found, expected);
}

/// docs/REPORT.md's table: nearness alone makes no incident, a gap raises no confidence.
#[test]
fn confidence_follows_the_rules() {
    let mut seen = std::collections::BTreeSet::new();
    for (case, report) in reports() {
        for incident in list(&report, "incidents") {
            let stated = states_refusal(incident);
            let confidence = text(incident, "confidence");
            let right = match confidence {
                "confirmed" => stated && blocker_covers(incident),
                "stated" => stated && incident["blocker"].is_null(),
                "inferred" => !stated && at_once(incident) && blocker_covers(incident),
                _other => false,
            };
            assert!(right, "{}: {confidence} is not proven by {incident:#}", case.name);
            let unattributed = incident["mechanism"] == "unattributed";
            assert_eq!(unattributed, incident["blocker"].is_null(), "{}: {incident}", case.name);
            seen.insert(confidence.to_owned());
        }
    }
    assert_eq!(seen.len(), 3, "the samples show only {seen:?}");
}

/// What happened stands in the order in which it happened.
#[test]
fn times_of_an_incident_are_in_order() {
    for (case, report) in reports() {
        for incident in list(&report, "incidents") {
            let name = format!("{}: {}", case.name, incident["id"]);
            let refused = &incident["refused"];
            assert_eq!(incident["at"], refused["started"], "{name}");
            if !refused["ended"].is_null() {
                assert!(time(&refused["started"]) <= time(&refused["ended"]), "{name}");
            }
            let blocker = &incident["blocker"];
            if !blocker.is_null() {
                let life = ["launched", "active_from", "ended"].map(|name| time(&blocker[name]));
                assert!(life.is_sorted(), "{name}: {blocker}");
            }
            let zoned = text(incident, "at").ends_with('Z');
            let without = list(&report["coverage"], "devices_without_zone");
            assert_eq!(zoned, !without.contains(&incident["device"]), "{name}: zone");
        }
    }
}

fn reports() -> Vec<(Case, Value)> {
    cases().into_iter().map(|case| (case.clone(), case.report())).collect()
}

/// A message says so, or a code that is known as already-running.
fn states_refusal(incident: &Value) -> bool {
    let message = list(incident, "evidence").iter().any(|line| line["says"] == "refused");
    message || incident["refused"]["exit_code"]["meaning"] == "a task is already running"
}

/// The holder lived at some moment of the refused program's short life.
fn blocker_covers(incident: &Value) -> bool {
    let (blocker, refused) = (&incident["blocker"], &incident["refused"]);
    if blocker.is_null() {
        return false;
    }
    let started = time(&refused["started"]);
    let ended = if refused["ended"].is_null() { started } else { time(&refused["ended"]) };
    time(&blocker["launched"]) <= ended && started <= time(&blocker["ended"])
}

fn at_once(incident: &Value) -> bool {
    let refused = &incident["refused"];
    let life = time(&refused["ended"]) - time(&refused["started"]);
    (0..=AT_ONCE).contains(&life.num_seconds())
}

fn wilson(hits: f64, of: f64, sign: f64) -> f64 {
    let z = 1.959_963_985;
    let p = hits / of;
    let root = z * (p * (1.0 - p) / of + z * z / (4.0 * of * of)).sqrt();
    ((p + z * z / (2.0 * of) + sign * root) / (1.0 + z * z / of)).clamp(0.0, 1.0)
}

fn assert_sorted<K: Ord>(case: &str, rows: &[Value], key: impl Fn(&Value) -> K) {
    for pair in rows.windows(2) {
        let [before, after] = pair else { continue };
        assert!(key(before) <= key(after), "{case}: out of order:\n{before}\n{after}");
    }
}

/// The template of a row; rows without one come last.
fn last_if_null(row: &Value) -> (bool, String) {
    (row["template"].is_null(), text_of(row, "template"))
}

fn text_of(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// A time of the report, without regard to whether it is UTC: both ends are of one device.
fn time(value: &Value) -> NaiveDateTime {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    let text = text.strip_suffix('Z').unwrap_or(text);
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
