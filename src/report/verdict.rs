//! The answer in a sentence, and what to do about it.

use crate::contract::{Incident, Report, TemplateRow};
use crate::correlate::Mechanism;
use crate::lifetime::LaunchedBy;
use crate::report::plain::{count, harmless};

/// Name for runs whose template nothing names.
const NO_TEMPLATE: &str = "(template not known)";

/// The answer in one sentence.
pub fn verdict(report: &Report) -> String {
    let runs = count(report.coverage.runs, "provisioning run");
    if report.incidents.is_empty() {
        return nothing_found(report);
    }
    let affected: u64 = report.templates.iter().map(|row| row.affected_runs).sum();
    let cause = main_cause(report);
    let worst = worst(report).map(|row| {
        let share = format!("{} of {}", row.affected_runs, count(row.runs, "run"));
        let step =
            report.steps.iter().find(|step| step.template == row.template && step.incidents > 0);
        let at = step.map(|step| format!(", most often at \"{}\"", harmless(&step.step)));
        format!(
            " Worst: {}, {share}{}.",
            template_name(row.template.as_deref()),
            at.unwrap_or_default()
        )
    });
    let left_out = match report.coverage.ignored.incidents {
        0 => String::new(),
        ignored => {
            format!(" {} more, as you expect them, are left out.", count(ignored, "refused step"))
        }
    };
    format!(
        "{affected} of {runs} had a step refused because a task was already running; {cause}.{}{left_out}",
        worst.unwrap_or_default()
    )
}

/// The answer where no incident is left: an all-clear only if the logs could have shown one.
fn nothing_found(report: &Report) -> String {
    let coverage = &report.coverage;
    let devices = count(coverage.devices, "device");
    let runs = match (coverage.runs, coverage.runs_outside) {
        (0, 0) => return format!("No provisioning run was found in the logs of {devices}."),
        (0, outside) => {
            let runs = count(outside, "provisioning run");
            return format!(
                "No step began in the time that was asked for; {runs} of {devices} did at other times."
            );
        }
        (runs, _) => format!("{} of {devices}", count(runs, "provisioning run")),
    };
    if coverage.ignored.incidents > 0 {
        let ignored = count(coverage.ignored.incidents, "refused step");
        return format!(
            "Nothing is left of {ignored} in {runs}: you expect them all (--ignore-step, --ignore-code or [ignore] of an overlay)."
        );
    }
    let (steps, told) = (coverage.steps, coverage.steps_with_result);
    if told * 2 < steps {
        let known = if told == 0 { "none".to_owned() } else { format!("only {told}") };
        return format!(
            "No refused step is seen in {runs}, but that is no all-clear: of {} the logs say of {known} how it ended. `provtrace formats check` shows what was not understood.",
            count(steps, "step")
        );
    }
    format!("No step was refused because a task was already running, in {runs}.")
}

fn worst(report: &Report) -> Option<&TemplateRow> {
    report.templates.first().filter(|row| row.incidents > 0)
}

/// What blocked most, in words.
fn main_cause(report: &Report) -> String {
    let mut counts: Vec<(Mechanism, usize)> = Vec::new();
    for incident in &report.incidents {
        match counts.iter_mut().find(|(mechanism, _)| *mechanism == incident.mechanism) {
            Some((_, number)) => *number += 1,
            None => counts.push((incident.mechanism, 1)),
        }
    }
    counts.sort_by_key(|(mechanism, number)| (std::cmp::Reverse(*number), *mechanism));
    let total = report.incidents.len();
    let Some((mechanism, number)) = counts.first() else { return String::new() };
    if counts.get(1).is_some_and(|(_, second)| second == number) {
        let each =
            counts.iter().map(|(mechanism, number)| format!("{number} × {}", mechanism.word()));
        return format!("blocked by different things: {}", each.collect::<Vec<_>>().join(", "));
    }
    let first_runs = report
        .incidents
        .iter()
        .filter(|incident| {
            let blocker = incident.blocker.as_ref();
            blocker.is_some_and(|blocker| blocker.launched_by == LaunchedBy::LocalSchedulerFirstRun)
        })
        .count();
    let of = if total == 1 {
        "blocked by".to_owned()
    } else {
        format!("{number} of {total} blocked by")
    };
    let first = match first_runs {
        0 => String::new(),
        runs if total == 1 && runs == 1 => {
            ", the scheduler's first run after the agent install".to_owned()
        }
        runs => format!(
            "; {runs} of the blockers were the scheduler's first run after the agent install"
        ),
    };
    format!("{of} {}{first}", mechanism.word())
}

/// What to do about the worst template.
pub fn remedy(report: &Report) -> Option<String> {
    let worst = worst(report)?;
    let template = template_name(worst.template.as_deref());
    let in_worst = report.incidents.iter().filter(|incident| incident.template == worst.template);
    let armed = |incident: &&Incident| match incident.mechanism {
        Mechanism::ScanWaited | Mechanism::ScanRunning | Mechanism::PolicyTask => true,
        Mechanism::SdclientRunning | Mechanism::Unattributed => false,
    };
    if in_worst.clone().filter(armed).count() == 0 {
        let orphan =
            in_worst.clone().any(|incident| incident.mechanism == Mechanism::SdclientRunning);
        let advice = if orphan {
            "see which task each second sdclient had, and make the step that started it wait"
        } else {
            "collect vulscan, localsch and PolicySync logs too; these logs don't show who held the steps"
        };
        return Some(format!("Remedy for {template}: {advice}."));
    }
    if worst.workaround_runs == worst.runs {
        return Some(format!(
            "Remedy for {template}: the workaround (scan and policy sync armed for the year 3000) \
             was in force; see what launched each blocker."
        ));
    }
    Some(format!(
        "Remedy for {template}: provision with an agent whose scan and policy sync start in the \
         year 3000, and install the real agent as the last action."
    ))
}

/// A template's name as it is shown.
pub fn template_name(template: Option<&str>) -> String {
    template.map_or_else(|| NO_TEMPLATE.to_owned(), |name| harmless(name).into_owned())
}
