//! What happened, moment by moment, as Timesketch imports it: docs/COLUMNS.md.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::chronicle::{Chronicle, Moment, Occasion};
use crate::citation::quoted_at;
use crate::contract::{Evidence, Incident, Report};
use crate::report::json::{line, word};
use crate::report::plain::harmless;
use crate::report::spreadsheet::inert;

/// The fields, in the order of the CSV's columns.
const FIELDS: [&str; 20] = [
    "message",
    "datetime",
    "timestamp",
    "timestamp_desc",
    "data_type",
    "hostname",
    "time_zone",
    "run",
    "template",
    "step",
    "task_id",
    "program",
    "pid",
    "outcome",
    "exit_code",
    "incident",
    "mechanism",
    "confidence",
    "source",
    "text",
];

/// One moment of a device: which of its lists, and which item of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    millis: i64,
    device: usize,
    what: What,
    item: usize,
}

/// What a moment is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Landmark,
    Launched,
    Active,
    StepStarted,
    StepEnded,
    Ended,
}

/// One JSON object a line.
///
/// # Errors
/// Of the writer.
pub fn write_lines(
    report: &Report,
    chronicles: &[Chronicle],
    out: &mut dyn Write,
) -> io::Result<()> {
    let known = by_id(report);
    for event in events(chronicles) {
        let mut fields = fields(&known, &chronicles[event.device], event);
        fields.retain(|_, value| !value.is_null());
        writeln!(out, "{}", line(&fields)?)?;
    }
    Ok(())
}

/// The same as a table; text that a spreadsheet would take for a formula has an apostrophe in front.
///
/// # Errors
/// Of the writer.
pub fn write_table(
    report: &Report,
    chronicles: &[Chronicle],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(FIELDS)?;
    let known = by_id(report);
    for event in events(chronicles) {
        let fields = fields(&known, &chronicles[event.device], event);
        let cells = FIELDS.iter().map(|name| match fields.get(*name) {
            Some(Value::String(text)) => inert(text).into_owned(),
            None | Some(Value::Null) => String::new(),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                fields[*name].to_string()
            }
        });
        writer.write_record(cells)?;
    }
    writer.flush()
}

/// The incidents by their ids.
type Incidents<'r> = BTreeMap<&'r str, &'r Incident>;

fn by_id(report: &Report) -> Incidents<'_> {
    report.incidents.iter().map(|own| (own.id.as_str(), own)).collect()
}

/// All moments in order of time, then device.
fn events(chronicles: &[Chronicle]) -> Vec<Event> {
    let mut events = Vec::new();
    for (device, own) in chronicles.iter().enumerate() {
        let mut add = |at: &Moment, what, item| {
            events.push(Event { millis: at.millis, device, what, item });
        };
        for (item, landmark) in own.landmarks.iter().enumerate() {
            add(&landmark.at, What::Landmark, item);
        }
        for (item, step) in own.steps.iter().enumerate() {
            add(&step.started, What::StepStarted, item);
            if let Some(ended) = &step.ended {
                add(ended, What::StepEnded, item);
            }
        }
        for (item, life) in own.lifetimes.iter().enumerate() {
            add(&life.launched, What::Launched, item);
            if life.waited && life.active_from != life.launched {
                add(&life.active_from, What::Active, item);
            }
            if !life.launch_only {
                add(&life.ended, What::Ended, item);
            }
        }
    }
    events.sort();
    events
}

fn fields(known: &Incidents<'_>, device: &Chronicle, event: Event) -> Map<String, Value> {
    let mut fields = Map::new();
    for name in FIELDS {
        fields.insert(name.to_owned(), Value::Null);
    }
    let told = match event.what {
        What::Landmark => landmark(device, event.item),
        What::StepStarted | What::StepEnded => step(known, device, event),
        What::Launched | What::Active | What::Ended => life(known, device, event),
    };
    for (name, value) in told {
        fields.insert(name.to_owned(), value);
    }
    fields.insert("hostname".to_owned(), json!(device.device));
    let zone = device.zone.as_deref().unwrap_or("unknown");
    fields.insert("time_zone".to_owned(), json!(zone));
    fields.insert("timestamp".to_owned(), json!(event.millis.saturating_mul(1000)));
    if let Some(Value::String(shown)) = fields.get("datetime") {
        // Without a zone the reading of the device's clock stands for UTC, as `time_zone` tells.
        let shown = format!("{}+00:00", shown.trim_end_matches('Z'));
        fields.insert("datetime".to_owned(), json!(shown));
    }
    fields
}

type Told = Vec<(&'static str, Value)>;

fn landmark(device: &Chronicle, item: usize) -> Told {
    let own = &device.landmarks[item];
    let (message, desc) = match own.what {
        Occasion::AgentInstalled => ("the management agent was installed", "Agent Installed"),
        Occasion::SessionBegins => ("the provisioning agent begins to work", "Session Started"),
        Occasion::ClockSet => ("the clock was set", "Clock Set"),
        Occasion::DaylightSavingEnds => ("daylight saving ends", "Daylight Saving Ended"),
    };
    vec![
        ("message", json!(format!("{}: {message}", harmless(&device.device)))),
        ("datetime", json!(own.at.shown)),
        ("timestamp_desc", json!(desc)),
        ("data_type", json!("provtrace:landmark")),
    ]
}

fn step(known: &Incidents<'_>, device: &Chronicle, event: Event) -> Told {
    let own = &device.steps[event.item];
    let started = event.what == What::StepStarted;
    let outcome = word(&own.outcome).unwrap_or_default();
    let (at, desc) = match &own.ended {
        Some(ended) if !started => (ended, "Step Ended"),
        Some(_) | None => (&own.started, "Step Started"),
    };
    let code = own.exit_code.as_ref().map(|code| code.hex.as_str());
    let end = match code {
        _ if started => "begins".to_owned(),
        Some(code) => format!("{outcome}, {code}"),
        None => format!("ended, outcome {outcome}"),
    };
    let message = format!("{}: step \"{}\" {end}", device.device, own.name);
    let mut told = vec![
        ("message", json!(harmless(&message))),
        ("datetime", json!(at.shown)),
        ("timestamp_desc", json!(desc)),
        ("data_type", json!("provtrace:step")),
        ("run", json!(own.run)),
        ("template", json!(template(device, own.run))),
        ("step", json!(own.name)),
        ("task_id", json!(own.task_id)),
        ("outcome", json!(outcome)),
        ("exit_code", json!(code)),
    ];
    told.extend(incident(known, own.incident.as_deref()));
    told
}

fn life(known: &Incidents<'_>, device: &Chronicle, event: Event) -> Told {
    let own = &device.lifetimes[event.item];
    let (at, desc, quoted, does) = match event.what {
        What::Active => (&own.active_from, "Process Active", None, "may go on after its wait"),
        What::Ended => (&own.ended, "Process Ended", own.evidence.last(), "ended"),
        What::Landmark | What::Launched | What::StepStarted | What::StepEnded => {
            (&own.launched, "Process Started", own.evidence.first(), "started")
        }
    };
    let step = own.step.and_then(|step| device.steps.get(step));
    let mut told = vec![
        ("message", json!(format!("{}: {} {does}", harmless(&device.device), own.program))),
        ("datetime", json!(at.shown)),
        ("timestamp_desc", json!(desc)),
        ("data_type", json!("provtrace:process")),
        ("run", json!(step.map(|step| step.run))),
        ("template", json!(step.and_then(|step| template(device, step.run)))),
        ("step", json!(step.map(|step| &step.name))),
        ("task_id", json!(own.task_id)),
        ("program", json!(own.program)),
        ("pid", json!(own.pid)),
        ("source", json!(quoted.map(quoted_at))),
        ("text", json!(quoted.map(|own: &Evidence| &own.text))),
    ];
    told.extend(incident(known, own.held.first().map(String::as_str)));
    told
}

fn template(device: &Chronicle, number: u32) -> Option<&str> {
    let run = device.runs.iter().find(|run| run.number == number)?;
    run.template.as_deref()
}

/// The incident in which a step was refused, or that a process caused.
fn incident(known: &Incidents<'_>, id: Option<&str>) -> Told {
    let Some(id) = id else { return Vec::new() };
    let own = known.get(id);
    vec![
        ("incident", json!(id)),
        ("mechanism", json!(own.map(|own| own.mechanism))),
        ("confidence", json!(own.map(|own| own.confidence))),
    ]
}
