//! What happened as a trace that chrome://tracing and ui.perfetto.dev open: docs/COLUMNS.md.
//!
//! A process of the trace is a device, its threads are lanes. Slices on one lane never overlap:
//! the viewers draw only what is nested.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::chronicle::{Chronicle, LifetimeSpan, Moment, Occasion, RunSpan, StepOutcome, StepSpan};
use crate::lifetime::Known;
use crate::report::json::{line, word};
use crate::report::plain::harmless;

/// The lanes, in the order in which they are drawn, each with room for more of its sort.
const LANES: [&str; 6] =
    ["what happens", "run", "steps", "sdclient.exe", "vulscan.exe", "PolicySync.exe"];
/// Numbers of lanes of one sort.
const ROOM: usize = 1000;
/// The shortest slice in microseconds: none of no length can be seen, or carry an arrow.
const SHORTEST: i64 = 1;

/// Writes one JSON object, one event a line.
///
/// # Errors
/// Of the writer.
pub fn write(chronicles: &[Chronicle], out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    let mut first = true;
    let mut arrows = 0;
    for (device, own) in (1..).zip(chronicles) {
        let mut track = Track { device, chronicle: own, lanes: BTreeMap::new(), arrows };
        for event in track.events() {
            write!(out, "{}\n{}", if first { "" } else { "," }, line(&event)?)?;
            first = false;
        }
        arrows = track.arrows;
    }
    writeln!(out, "\n]}}")
}

/// One device.
struct Track<'c> {
    device: usize,
    chronicle: &'c Chronicle,
    /// Until when each lane is taken.
    lanes: BTreeMap<usize, i64>,
    /// The arrows that were drawn.
    arrows: u64,
}

/// Where a slice is drawn.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    lane: usize,
    from: i64,
    until: i64,
}

fn micros(at: &Moment) -> i64 {
    at.millis.saturating_mul(1000)
}

impl Track<'_> {
    fn events(&mut self) -> Vec<Value> {
        let own = self.chronicle;
        let mut events: Vec<Value> =
            own.landmarks.iter().map(|mark| self.instant(&mark.at, happens(mark.what))).collect();
        for run in &own.runs {
            let drawn = self.place(1, micros(&run.from), micros(&run.until));
            events.push(self.slice(drawn, &run_name(run), run_facts(run)));
        }
        let mut steps = Vec::new();
        for step in &own.steps {
            let until = step.ended.as_ref().map_or(micros(&step.started), micros);
            let drawn = self.place(2, micros(&step.started), until);
            steps.push(drawn);
            events.push(self.slice(drawn, &step_name(step), step_facts(step)));
        }
        for life in &own.lifetimes {
            let sort = LANES.iter().position(|name| *name == life.program).unwrap_or(0);
            let drawn = self.place(sort, micros(&life.launched), micros(&life.ended));
            events.extend(self.life(drawn, life));
            for id in &life.held {
                let refused = |step: &StepSpan| step.incident.as_ref() == Some(id);
                if let Some(at) = own.steps.iter().position(refused) {
                    events.extend(self.arrow(drawn, steps[at]));
                }
            }
        }
        let mut all = self.names();
        all.append(&mut events);
        all
    }

    /// The first lane of a sort that is free.
    fn place(&mut self, sort: usize, from: i64, until: i64) -> Drawn {
        let until = until.max(from.saturating_add(SHORTEST));
        let lanes = sort * ROOM..(sort + 1) * ROOM - 1;
        let free = |lane: &usize| self.lanes.get(lane).is_none_or(|taken| *taken <= from);
        let lane = lanes.clone().find(free).unwrap_or(lanes.end);
        self.lanes.insert(lane, until);
        Drawn { lane, from, until }
    }

    fn slice(&self, drawn: Drawn, name: &str, facts: Value) -> Value {
        let Drawn { lane, from, until } = drawn;
        json!({"ph": "X", "pid": self.device, "tid": lane, "ts": from, "dur": until - from,
               "name": harmless(name), "args": facts})
    }

    fn instant(&mut self, at: &Moment, name: &str) -> Value {
        self.lanes.entry(0).or_default();
        json!({"ph": "i", "s": "p", "pid": self.device, "tid": 0, "ts": micros(at), "name": name})
    }

    /// A process: its wait and its work are two slices.
    fn life(&self, drawn: Drawn, life: &LifetimeSpan) -> Vec<Value> {
        let active = micros(&life.active_from).clamp(drawn.from, drawn.until);
        let facts = life_facts(life);
        let works = match &*life.program {
            _ if life.launch_only => "launched, no trace of it",
            _ if life.refused => "refused",
            _ if life.messenger => "status message",
            "vulscan.exe" => "scanning",
            other => other,
        };
        if !life.waited || active == drawn.from {
            return vec![self.slice(drawn, works, facts)];
        }
        let mut slices =
            vec![self.slice(Drawn { until: active, ..drawn }, "waiting", facts.clone())];
        if active < drawn.until {
            slices.push(self.slice(Drawn { from: active, ..drawn }, works, facts));
        }
        slices
    }

    /// From the process that held a step to that step. Each end lies in its slice, the first not
    /// after the second.
    fn arrow(&mut self, holder: Drawn, step: Drawn) -> [Value; 2] {
        self.arrows += 1;
        let inside = |at: i64, drawn: Drawn| at.clamp(drawn.from, drawn.until - SHORTEST);
        let from = inside(step.from, holder);
        let to = inside(from, step);
        let end = |ph: &str, lane: usize, ts: i64| {
            json!({"ph": ph, "bp": "e", "id": self.arrows, "cat": "refusal", "name": "holds",
                   "pid": self.device, "tid": lane, "ts": ts})
        };
        [end("s", holder.lane, from.min(to)), end("f", step.lane, to)]
    }

    /// What the device and its lanes are called.
    fn names(&self) -> Vec<Value> {
        let device = self.device;
        let about = |lane: usize, what: &str, facts: Value| json!({"ph": "M", "pid": device, "tid": lane, "name": what, "args": facts});
        let name = harmless(&self.chronicle.device);
        let zone = if self.chronicle.zone.is_some() { "UTC" } else { "its own clock" };
        let mut names = vec![
            about(0, "process_name", json!({"name": format!("{name} ({zone})")})),
            about(0, "process_sort_index", json!({"sort_index": device})),
        ];
        for lane in self.lanes.keys() {
            let sort = LANES.get(lane / ROOM).copied().unwrap_or_default();
            let more = lane % ROOM;
            let name = if more == 0 { sort.to_owned() } else { format!("{sort} ({})", more + 1) };
            names.push(about(*lane, "thread_name", json!({"name": name})));
            names.push(about(*lane, "thread_sort_index", json!({"sort_index": lane})));
        }
        names
    }
}

fn happens(what: Occasion) -> &'static str {
    match what {
        Occasion::AgentInstalled => "agent installed",
        Occasion::SessionBegins => "provisioning agent begins",
        Occasion::ClockSet => "clock set",
        Occasion::DaylightSavingEnds => "daylight saving ends",
    }
}

fn run_name(run: &RunSpan) -> String {
    let template = run.template.as_deref().unwrap_or("template not known");
    format!("run {}: {template}", run.number)
}

fn run_facts(run: &RunSpan) -> Value {
    json!({"state": run.state, "from": run.from.shown, "until": run.until.shown})
}

fn step_name(step: &StepSpan) -> String {
    match step.outcome {
        StepOutcome::Refused => format!("{}: refused", step.name),
        StepOutcome::Failed => format!("{}: failed", step.name),
        StepOutcome::Succeeded | StepOutcome::Unknown => step.name.clone(),
    }
}

fn step_facts(step: &StepSpan) -> Value {
    json!({
        "step": step.name, "run": step.run, "ordinal": step.ordinal, "task_id": step.task_id,
        "outcome": step.outcome, "exit_code": step.exit_code.as_ref().map(|code| &code.hex),
        "incident": step.incident, "started": step.started.shown,
        "ended": step.ended.as_ref().map(|ended| &ended.shown),
    })
}

fn life_facts(life: &LifetimeSpan) -> Value {
    let longer = life.ended_known == Known::Burst;
    json!({
        "program": life.program, "pid": life.pid, "task_id": life.task_id,
        "launched": life.launched.shown, "ended": life.ended.shown,
        "launched_by": word(&life.launched_by), "may_have_lived_longer": longer,
        "lines": life.evidence.iter().map(|own| &own.text).collect::<Vec<_>>(),
    })
}
