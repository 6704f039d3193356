//! The first screen for one device: how its run went and why, in place of a ranking of one.

use std::io::{self, Write};

use textwrap::fill;

use crate::chronicle::{Chronicle, Moment, RunSpan};
use crate::contract::Report;
use crate::ending::RunState;
use crate::explanation::explain;
use crate::report::explained::write_short;
use crate::report::lanes;
use crate::report::plain::{count, harmless, short};
use crate::report::table::{Style, bold};

/// Runs whose states are told.
const RUNS: usize = 20;

/// The only device of a report, if its chronicle was kept.
pub fn only<'c>(report: &Report, chronicles: &'c [Chronicle]) -> Option<&'c Chronicle> {
    let ([chronicle], [device]) = (chronicles, report.devices.as_slice()) else { return None };
    (chronicle.device == device.device && device.runs > 0).then_some(chronicle)
}

/// Writes how each run went, then the story of the first incident; without one, the picture of
/// the last run.
///
/// # Errors
/// Of the writer.
pub fn write(
    report: &Report,
    chronicle: &Chronicle,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let with_steps = |run: &&RunSpan| chronicle.steps.iter().any(|step| step.run == run.number);
    let runs: Vec<&RunSpan> = chronicle.runs.iter().filter(with_steps).collect();
    for run in runs.iter().skip(runs.len().saturating_sub(RUNS)) {
        let text = state(report, chronicle, run);
        writeln!(out, "{}", bold(&fill(&text, usize::from(style.width)), style))?;
    }
    writeln!(out)?;
    let chronicles = std::slice::from_ref(chronicle);
    let first = report.incidents.first();
    if let Some(told) = first.and_then(|first| explain(first, chronicles, report)) {
        let text = format!("{} [{} {}]", told.answer, told.confidence.word(), told.incident);
        writeln!(out, "{}\n", bold(&fill(&harmless(&text), usize::from(style.width)), style))?;
        return write_short(&told, chronicles, style, out);
    }
    if let Some(run) = runs.last() {
        // What hangs is drawn to its last sign of life.
        let unfinished = report.unfinished_runs.iter().find(|own| own.run == run.number);
        let sign = unfinished.and_then(|own| moment(chronicle, &own.last_sign));
        let sign = sign.filter(|sign| sign.millis > run.until.millis).unwrap_or(&run.until);
        let run = RunSpan { until: sign.clone(), ..(*run).clone() };
        lanes::picture(chronicle, &run, style, out)?;
        writeln!(out)?;
    }
    Ok(())
}

/// How a run went, in a sentence.
fn state(report: &Report, chronicle: &Chronicle, run: &RunSpan) -> String {
    let steps = chronicle.steps.iter().filter(|step| step.run == run.number);
    let last = steps.clone().next_back();
    let at = last.map(|step| format!(" at step {} \"{}\"", step.ordinal, short(&step.name, 60)));
    let at = at.unwrap_or_default();
    let unfinished = report.unfinished_runs.iter().find(|own| own.run == run.number);
    let since = unfinished.map(|own| {
        let since = local(chronicle, &own.since);
        format!(
            " in \"{}\", started {since}, last sign of life {}",
            short(&own.step, 60),
            local(chronicle, &own.last_sign)
        )
    });
    let since = since.unwrap_or_default();
    let how = match run.state {
        RunState::Finished => "finished: the last thing that it did ended well".to_owned(),
        RunState::Failed => format!("failed{at}"),
        RunState::Cut => format!("was cut off{since}"),
        RunState::Hung => format!("hangs{since}"),
        RunState::Open => format!("has no end in the logs{at}: it may still have been running"),
    };
    let refused = report.incidents.iter().filter(|own| own.run == run.number).count() as u64;
    let refused = match refused {
        0 => "no step was refused because a task was already running".to_owned(),
        some => format!("{} refused because a task was already running", count(some, "step")),
    };
    let device = harmless(&chronicle.device);
    let template = run.template.as_deref().map(|name| format!(" ({})", harmless(name)));
    format!("{device}, run {}{} {how}; {refused}.", run.number, template.unwrap_or_default())
}

/// A time of the report on the device's own clock, as the picture has it.
fn local(chronicle: &Chronicle, shown: &str) -> String {
    let own = moment(chronicle, shown);
    own.map_or_else(|| shown.replace('T', " "), Moment::date_and_time)
}

/// The moment of a step or a lifetime that the report shows like this.
fn moment<'c>(chronicle: &'c Chronicle, shown: &str) -> Option<&'c Moment> {
    let steps = chronicle.steps.iter().map(|step| &step.started);
    let ends = chronicle.lifetimes.iter().flat_map(|own| [&own.launched, &own.ended]);
    let mut moments = steps.chain(ends);
    moments.find(|moment| moment.shown == shown)
}
