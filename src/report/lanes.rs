//! `timeline`: the lifetimes of one device's processes as swim-lanes.

use std::io::{self, Write};

use provtrace_parsers::stamp::Stamp;

use crate::changes::ChangeKnown;
use crate::clock::{date_and_time, minutes};
use crate::lifetime::{LaunchedBy, Lifetime, Program};
use crate::report::plain::{harmless, short};
use crate::report::table::Style;
use crate::story::Story;

/// Columns of the lane's label.
const LABEL: usize = 30;

/// Writes a picture and a list for every run of the device.
///
/// # Errors
/// Of the writer.
pub fn write(story: &Story, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let timeline = &story.timeline;
    if timeline.runs.is_empty() {
        writeln!(out, "{}: no provisioning run in its logs", harmless(&story.logs.device))?;
    }
    for (at, run) in timeline.runs.iter().enumerate() {
        let template =
            run.template.as_ref().map_or("template not named", |(name, _)| name.as_str());
        let device = harmless(&story.logs.device);
        let number = run.number;
        writeln!(out, "{device}, run {number}: {} (the device's own time)", harmless(template))?;
        let steps: Vec<_> = timeline.steps.iter().filter(|step| step.run == at).collect();
        let Some(first) = steps.iter().map(|step| step.at).min() else {
            writeln!(out, "  no step that starts a program\n")?;
            continue;
        };
        let last = steps.iter().map(|step| step.ended.unwrap_or(step.at)).max().unwrap_or(first);
        let installs =
            timeline.installs.iter().filter(|at| **at <= first && minutes(first, **at) < 120.0);
        let from = installs.copied().min().unwrap_or(first);
        let holders =
            timeline.lifetimes.iter().filter(|own| own.covers(from, last)).map(|own| own.end.at);
        let to = holders.max().unwrap_or(last).min(Stamp(last.0 + 30 * 60_000)).max(last);
        let axis = Axis::new(from, to, style);
        picture(story, at, &axis, out)?;
        list(story, &axis, out)?;
    }
    Ok(())
}

/// Time → column.
struct Axis {
    from: Stamp,
    to: Stamp,
    columns: usize,
}

impl Axis {
    fn new(from: Stamp, to: Stamp, style: Style) -> Axis {
        let columns = usize::from(style.width).saturating_sub(LABEL + 1).max(10);
        Axis { from, to: Stamp(to.0.max(from.0 + 1000)), columns }
    }

    fn column(&self, at: Stamp) -> usize {
        let span = (self.to.0 - self.from.0).max(1);
        let into = (at.0 - self.from.0).clamp(0, span);
        usize::try_from(into * (self.columns as i64 - 1) / span).unwrap_or(0)
    }

    fn holds(&self, at: Stamp) -> bool {
        (self.from..=self.to).contains(&at)
    }

    fn shows(&self, lifetime: &Lifetime) -> bool {
        lifetime.covers(self.from, self.to)
    }
}

fn picture(story: &Story, run: usize, axis: &Axis, out: &mut dyn Write) -> io::Result<()> {
    let clock = &story.clock;
    let (from, to) = (clock.show_local(axis.from), clock.show_time(axis.to));
    let gap = axis.columns.saturating_sub(from.len() + to.len());
    writeln!(out, "{:LABEL$} {from}{}{to}", "", " ".repeat(gap))?;
    for (at, step) in story.timeline.steps.iter().enumerate() {
        if step.run != run {
            continue;
        }
        let mut lane = vec![' '; axis.columns];
        fill(&mut lane, axis, step.at, step.ended.unwrap_or(step.at), '#');
        if story.findings.incidents.iter().any(|incident| incident.steps.contains(&at)) {
            lane[axis.column(step.at)] = 'X';
        }
        row(out, &format!("{} {}", step.ordinal, step.name), &lane)?;
    }
    let lanes = [
        ("vulscan", Program::Vulscan),
        ("other sdclient", Program::Sdclient),
        ("policy sync", Program::PolicySync),
    ];
    for (label, program) in lanes {
        let mut lane = vec![' '; axis.columns];
        let own = |lifetime: &&Lifetime| {
            lifetime.program == program
                && lifetime.step.is_none()
                && !lifetime.messenger
                && axis.shows(lifetime)
        };
        for lifetime in story.timeline.lifetimes.iter().filter(own) {
            if lifetime.is_launch_only() {
                lane[axis.column(lifetime.start.at)] = '?';
                continue;
            }
            fill(&mut lane, axis, lifetime.start.at, lifetime.active_from(), '.');
            fill(&mut lane, axis, lifetime.active_from(), lifetime.end.at, '=');
        }
        if lane.iter().any(|mark| *mark != ' ') {
            row(out, label, &lane)?;
        }
    }
    let mut lane = vec![' '; axis.columns];
    for install in story.timeline.installs.iter().filter(|at| **at >= axis.from && **at <= axis.to)
    {
        lane[axis.column(*install)] = '|';
    }
    if lane.contains(&'|') {
        row(out, "agent installed", &lane)?;
    }
    let legend =
        "# step   X refused   . waits   = at work   ? launched, no trace   | agent installed";
    writeln!(out, "{:LABEL$} {legend}\n", "")
}

fn fill(lane: &mut [char], axis: &Axis, from: Stamp, to: Stamp, mark: char) {
    if to < axis.from || from > axis.to {
        return;
    }
    for cell in &mut lane[axis.column(from)..=axis.column(to.max(from))] {
        *cell = mark;
    }
}

fn row(out: &mut dyn Write, label: &str, lane: &[char]) -> io::Result<()> {
    let label = short(label, LABEL);
    let lane: String = lane.iter().collect();
    writeln!(out, "{label:<LABEL$} {}", lane.trim_end())
}

/// The same in words, with how each end is known.
fn list(story: &Story, axis: &Axis, out: &mut dyn Write) -> io::Result<()> {
    let clock = &story.clock;
    clock_changes(story, axis, out)?;
    for lifetime in story.timeline.lifetimes.iter().filter(|own| axis.shows(own)) {
        let pid = lifetime.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
        let task = lifetime
            .task
            .as_ref()
            .map(|task| format!(" task {}", harmless(task)))
            .unwrap_or_default();
        let step = lifetime.step.and_then(|at| story.timeline.steps.get(at));
        let role = match step {
            Some(step) => format!(" \"{}\"", harmless(&step.name)),
            None if lifetime.messenger => " (status sender)".to_owned(),
            None => String::new(),
        };
        let end = if lifetime.is_launch_only() {
            "no trace after it".to_owned()
        } else {
            let known = lifetime.end.known.word();
            format!("{} ({known})", clock.show_time(lifetime.end.at))
        };
        let wait = match lifetime.active {
            Some((at, _)) => format!(", at work from {}", clock.show_time(at)),
            None => String::new(),
        };
        let by = if lifetime.launched_by == LaunchedBy::Unknown {
            String::new()
        } else {
            format!(", launched by {}", lifetime.launched_by.word())
        };
        writeln!(
            out,
            "  {} ({}) to {end}{wait}  {}{pid}{task}{role}{by}",
            clock.show_time(lifetime.start.at),
            lifetime.start.known.word(),
            lifetime.program.name(),
        )?;
    }
    writeln!(out)
}

/// What happened to the clock in the time that the picture shows.
fn clock_changes(story: &Story, axis: &Axis, out: &mut dyn Write) -> io::Result<()> {
    for change in story.clock_changes.iter().filter(|change| axis.holds(change.at)) {
        let (before, after) = (date_and_time(change.before), date_and_time(change.after));
        let at = story.clock.show_time(change.at);
        let what = match change.known {
            ChangeKnown::DaylightSaving => "daylight saving ends",
            ChangeKnown::BackwardStep | ChangeKnown::WindowsPe | ChangeKnown::SharedSilence => {
                "clock set; what was logged before is put on the clock after it"
            }
        };
        writeln!(out, "  {at} {what} (logged: {before}, then {after})")?;
    }
    Ok(())
}
