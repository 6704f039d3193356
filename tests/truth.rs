//! What the program finds in the samples against what was put into them: `truth/<case>.json`,
//! written by hand with the case and without the program.

mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use chrono::{DateTime, NaiveDateTime};
use chrono_tz::Tz;
use program::{Case, cases, count, list, names, root, run, text};
use serde_json::Value;

/// Sums and counts by name, so that two of them can be compared and shown.
type Counts = BTreeMap<String, u64>;

#[test]
fn every_case_has_a_truth_and_every_truth_a_case() {
    let folder = root().join("tests/truth");
    let truths: BTreeSet<String> = names(&folder, |_| true).into_iter().collect();
    let expected: BTreeSet<String> =
        cases().iter().map(|case| format!("{}.json", case.name)).collect();
    assert_eq!(truths, expected, "files of tests/truth, and what the cases of samples/ need");
}

/// No more and no less, and each with the right mechanism, proof and origin.
#[test]
fn the_incidents_are_those_of_the_truth() {
    let mut wrong = Vec::new();
    for (case, truth) in truths() {
        let expected = list(&truth, "incidents").iter().map(expected_incident).collect();
        let report = case.report();
        let found = list(&report, "incidents").iter().map(found_incident).collect();
        wrong.extend(compare(&case, &expected, &found));
    }
    assert!(wrong.is_empty(), "- in the truth, + found\n{}", wrong.join("\n"));
}

/// Nobody has to take the program's word: the line that states the refusal is shown.
#[test]
fn the_line_of_the_refusal_is_among_the_evidence() {
    let mut wrong = Vec::new();
    for (case, truth) in truths() {
        let report = case.report();
        for incident in list(&truth, "incidents") {
            let line = &incident["refusal_line"];
            let shows = |evidence: &Value| {
                text(evidence, "path") == text(line, "path")
                    && evidence["member"] == line["member"]
                    && text(evidence, "text").contains(text(line, "contains"))
            };
            let own = list(&report, "incidents").iter().filter(|found| {
                found["device"] == incident["device"] && found["task_id"] == incident["task_id"]
            });
            if !own.flat_map(|found| list(found, "evidence")).any(shows) {
                wrong.push(format!("{}: {} {}", case.name, text(incident, "device"), line));
            }
        }
    }
    assert!(wrong.is_empty(), "not quoted:\n{}", wrong.join("\n"));
}

#[test]
fn near_misses_are_counted() {
    let mut wrong = Vec::new();
    for (case, truth) in truths() {
        let devices = truth["near_misses"].as_object().expect("devices");
        for (device, expected) in devices {
            let found = alone(&case, &[device]);
            if expected.as_u64() != Some(count(&found, "near_misses")) {
                let found = &found["near_misses"];
                wrong.push(format!("{}: {device}: {expected} expected, {found} found", case.name));
            }
        }
        let sum: u64 = devices.values().filter_map(Value::as_u64).sum();
        let found = count(&case.report(), "near_misses");
        if sum != found {
            wrong.push(format!("{}: {sum} in sum expected, {found} found", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A failure with another cause is neither an incident nor forgotten.
#[test]
fn other_failures_are_counted_by_code() {
    for (case, truth) in truths() {
        let mut expected = Counts::new();
        for failure in list(&truth, "other_failures") {
            *expected.entry(failure["code"].to_string()).or_default() += 1;
        }
        let mut found = Counts::new();
        for failure in list(&case.report(), "other_failures") {
            *found.entry(failure["code"].to_string()).or_default() += count(failure, "runs");
        }
        assert_eq!(expected, found, "{}: code → runs, expected and found", case.name);
    }
}

/// Where scan and policy sync were armed for a day that never comes, the report says so.
#[test]
fn the_workaround_is_told() {
    let mut told = 0;
    for (case, truth) in truths() {
        let devices = list(&truth, "workaround");
        let runs = |report: &Value, field: &str| -> u64 {
            list(report, "templates").iter().map(|row| count(row, field)).sum()
        };
        assert_eq!(
            runs(&case.report(), "workaround_runs"),
            devices.len() as u64,
            "{}: one run each of {devices:?}, and no others",
            case.name
        );
        for device in devices.iter().filter_map(Value::as_str) {
            told += 1;
            let report = alone(&case, &[device]);
            assert_eq!(runs(&report, "workaround_runs"), 1, "{}: {device}", case.name);
        }
        let report = case.report();
        let armed = list(&report, "devices").iter().filter(|row| row["workaround"] == true);
        let armed: BTreeSet<&str> = armed.map(|row| text(row, "device")).collect();
        let wanted: BTreeSet<&str> = devices.iter().filter_map(Value::as_str).collect();
        assert_eq!(armed, wanted, "{}: devices", case.name);
    }
    assert!(told >= 2, "only {told} devices have the workaround");
}

/// Runs that were cut or hang, holders that hang and long waits, where the truth has them.
#[test]
fn runs_end_as_the_truth_says() {
    let mut told = 0;
    for (case, truth) in truths() {
        let Some(states) = truth.get("runs_by_state") else { continue };
        let report = case.report();
        assert_eq!(&report["runs_by_state"], states, "{}", case.name);
        let fields = ["device", "run", "state", "shown_by", "step"];
        assert_same(&case, &truth, &report, "unfinished_runs", &fields);
        told += list(&truth, "unfinished_runs").len();
        if truth.get("long_waits").is_some() {
            assert_same(&case, &truth, &report, "long_waits", &["device", "step", "minutes"]);
            let hung = list(&report, "incidents").iter();
            let hung = hung.filter(|incident| incident["blocker"]["hung"] == true);
            let hung: Vec<&Value> = hung.map(|incident| &incident["device"]).collect();
            let wanted: Vec<&Value> = list(&truth, "hung_blockers").iter().collect();
            assert_eq!(hung, wanted, "{}: holders that hang", case.name);
        }
    }
    assert!(told >= 4, "only {told} runs without an end");
}

/// Both lists say the same of each row, in these fields.
fn assert_same(case: &Case, truth: &Value, report: &Value, name: &str, fields: &[&str]) {
    let rows = |from: &Value| -> Vec<Vec<Value>> {
        let row = |row: &Value| fields.iter().map(|field| row[*field].clone()).collect();
        list(from, name).iter().map(row).collect()
    };
    assert_eq!(rows(report), rows(truth), "{}: {name}", case.name);
}

/// Names that a mapping or a task name gives: each device alone has that template and no other.
#[test]
fn templates_have_the_names_that_the_logs_or_the_mapping_give() {
    let mut checked = 0;
    for (case, truth) in truths() {
        let Some(templates) = truth["templates"].as_object() else { continue };
        for (device, template) in templates {
            if text(template, "source") == "signature" {
                continue;
            }
            checked += 1;
            let report = alone(&case, &[device]);
            let found: Vec<&Value> =
                list(&report, "templates").iter().map(|row| &row["template"]).collect();
            assert_eq!(found, [&template["template"]], "{}: {device}", case.name);
            for incident in list(&report, "incidents") {
                assert_eq!(incident["template"], template["template"], "{}", case.name);
                assert_eq!(incident["template_source"], template["source"], "{}", case.name);
            }
        }
    }
    assert!(checked >= 4, "only {checked} devices have a template that something names");
}

/// Without any name, devices that ran the same sequence share a template; others don't.
#[test]
fn sequences_tell_unnamed_templates_apart() {
    let mut checked = 0;
    for (case, truth) in truths() {
        let labels = labels(&truth);
        if labels.is_empty() {
            continue;
        }
        checked += 1;
        let sizes: Vec<u64> = labels.values().map(|devices| devices.len() as u64).collect();
        assert_eq!(runs_of_templates(&case.report()), sizes, "{}: all devices", case.name);
        for (label, devices) in &labels {
            let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
            let report = alone(&case, &devices);
            let size = [devices.len() as u64];
            assert_eq!(runs_of_templates(&report), size, "{}: {label}", case.name);
        }
        let report = case.report();
        for incident in list(&report, "incidents") {
            assert_eq!(text(incident, "template_source"), "signature");
            let others = list(&report, "incidents").iter().filter(|other| {
                (label(&labels, incident) == label(&labels, other))
                    != (incident["template"] == other["template"])
            });
            assert_eq!(others.count(), 0, "{}: {}", case.name, incident["device"]);
        }
    }
    assert_eq!(checked, 1, "signature-templates is the case for this");
}

/// The cases that have a truth, each with it.
fn truths() -> Vec<(Case, Value)> {
    let with_truth = cases().into_iter().filter_map(|case| {
        let path = root().join("tests/truth").join(format!("{}.json", case.name));
        let truth = fs::read_to_string(path).ok()?;
        let truth = serde_json::from_str(&truth)
            .unwrap_or_else(|error| panic!("tests/truth/{}.json: {error}", case.name));
        Some((case, truth))
    });
    let truths: Vec<(Case, Value)> = with_truth.collect();
    assert!(truths.len() >= 8, "only {} cases have a truth", truths.len());
    truths
}

/// The report on some devices of a case.
fn alone(case: &Case, devices: &[&str]) -> Value {
    let mut args = case.args(&["analyze", "--format", "json"]);
    for device in devices {
        args.extend(["--device".to_owned(), (*device).to_owned()]);
    }
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}: {devices:?}: {}", case.name, outcome.stderr);
    outcome.report()
}

fn expected_incident(incident: &Value) -> String {
    let holder = incident["blocker_program"].as_str().unwrap_or("nobody");
    sentence(
        incident,
        holder,
        text(incident, "launched_by"),
        text(incident, "refused_started_local"),
    )
}

fn found_incident(incident: &Value) -> String {
    let blocker = &incident["blocker"];
    let holder = blocker["program"].as_str().unwrap_or("nobody");
    let launched_by = blocker["launched_by"].as_str().unwrap_or("unknown");
    assert_eq!(incident["at"], incident["refused"]["started"], "two times for one start");
    sentence(incident, holder, launched_by, &local(text(incident, "device"), text(incident, "at")))
}

/// What counts of an incident, in words that a failure can show.
fn sentence(incident: &Value, holder: &str, launched_by: &str, at: &str) -> String {
    let [device, step, task, mechanism, confidence] =
        ["device", "step", "task_id", "mechanism", "confidence"]
            .map(|name| incident[name].as_str().unwrap_or("none"));
    format!(
        "{device} run {run} {step:?} task {task} at {at}: {mechanism}, {confidence}, held by {holder}, \
         launched by {launched_by}",
        run = incident["run"]
    )
}

/// The wall clock of a reported time at the device's site.
fn local(device: &str, time: &str) -> String {
    let shown = "%Y-%m-%dT%H:%M:%S";
    if time.ends_with('Z') {
        let instant = DateTime::parse_from_rfc3339(time).expect("RFC 3339");
        return instant.with_timezone(&zone(device)).format(shown).to_string();
    }
    let time: NaiveDateTime = time.parse().expect("a time without an offset");
    time.format(shown).to_string()
}

/// Where a device stands: its name begins with its site. Sites that are not listed keep
/// Central European time.
fn zone(device: &str) -> Tz {
    match device.split('-').next() {
        Some("CHI") => Tz::America__Chicago,
        Some("LON") => Tz::Europe__London,
        Some("NYC") => Tz::America__New_York,
        Some("SAO") => Tz::America__Sao_Paulo,
        Some("SEA") => Tz::America__Los_Angeles,
        Some("SYD") => Tz::Australia__Sydney,
        Some("TYO") => Tz::Asia__Tokyo,
        Some(_) | None => Tz::Europe__Paris,
    }
}

/// What is missing (-) and what is too many (+).
fn compare(case: &Case, expected: &BTreeSet<String>, found: &BTreeSet<String>) -> Vec<String> {
    let missing = expected.difference(found).map(|line| format!("{}: - {line}", case.name));
    let extra = found.difference(expected).map(|line| format!("{}: + {line}", case.name));
    let mut lines: Vec<String> = missing.chain(extra).collect();
    lines.sort_by_key(|line| line.replace(": + ", ": - "));
    lines
}

/// Label → devices, of the truth's unnamed templates.
fn labels(truth: &Value) -> BTreeMap<String, Vec<String>> {
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (device, template) in truth["templates"].as_object().into_iter().flatten() {
        if text(template, "source") == "signature" {
            labels.entry(text(template, "template").to_owned()).or_default().push(device.clone());
        }
    }
    labels
}

fn label<'l>(labels: &'l BTreeMap<String, Vec<String>>, incident: &Value) -> Option<&'l String> {
    let device = text(incident, "device");
    labels
        .iter()
        .find(|(_, devices)| devices.iter().any(|own| own == device))
        .map(|(label, _)| label)
}

/// The runs of each template, fewest first.
fn runs_of_templates(report: &Value) -> Vec<u64> {
    let mut runs: Vec<u64> =
        list(report, "templates").iter().map(|row| count(row, "runs")).collect();
    runs.sort_unstable();
    runs
}
