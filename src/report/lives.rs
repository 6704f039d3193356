//! What lived when on one device, in words: below a run's picture.

use std::io::{self, Write};

use crate::chronicle::{Chronicle, Moment, Occasion, RunSpan};
use crate::lifetime::LaunchedBy;
use crate::report::plain::harmless;

/// A line a lifetime, with how each end is known.
///
/// # Errors
/// Of the writer.
pub fn list(chronicle: &Chronicle, run: &RunSpan, out: &mut dyn Write) -> io::Result<()> {
    let (from, to) = (run.from.millis, run.until.millis.max(run.from.millis + 1000));
    let holds = |at: &Moment| (from..=to).contains(&at.millis);
    for own in chronicle.landmarks.iter().filter(|own| holds(&own.at)) {
        let what = match own.what {
            Occasion::AgentInstalled | Occasion::SessionBegins => continue,
            Occasion::DaylightSavingEnds => "daylight saving ends",
            Occasion::ClockSet => "clock set; what was logged before is put on the clock after it",
        };
        let readings = own.readings.as_ref();
        let readings = readings.map(|(before, after)| format!(" (logged: {before}, then {after})"));
        writeln!(out, "  {} {what}{}", own.at.time(), readings.unwrap_or_default())?;
    }
    for own in chronicle.lifetimes.iter().filter(|own| own.lives_in(from, to)) {
        let pid = own.pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
        let task = own.task_id.as_ref().map(|task| format!(" task {}", harmless(task)));
        let step = own.step.and_then(|at| chronicle.steps.get(at));
        let role = match step {
            Some(step) => format!(" \"{}\"", harmless(&step.name)),
            None if own.messenger => " (status sender)".to_owned(),
            None => String::new(),
        };
        let end = if own.launch_only {
            "no trace after it".to_owned()
        } else {
            format!("{} ({})", own.ended.time(), own.ended_known.word())
        };
        let wait = match own.waited {
            true => format!(", at work from {}", own.active_from.time()),
            false => String::new(),
        };
        let by = match own.launched_by {
            LaunchedBy::Unknown => String::new(),
            by @ (LaunchedBy::LocalSchedulerFirstRun
            | LaunchedBy::LocalScheduler
            | LaunchedBy::PolicySync
            | LaunchedBy::CorePush
            | LaunchedBy::WindowsTask) => format!(", launched by {}", by.word()),
        };
        writeln!(
            out,
            "  {} ({}) to {end}{wait}  {}{pid}{}{role}{by}",
            own.launched.time(),
            own.launched_known.word(),
            own.program,
            task.unwrap_or_default(),
        )?;
    }
    writeln!(out)
}
