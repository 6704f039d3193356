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
    let devices = count(report.coverage.devices, "device");
    if report.incidents.is_empty() {
        return match report.coverage.runs {
            0 if report.coverage.runs_outside > 0 => {
                let runs = count(report.coverage.runs_outside, "provisioning run");
                format!(
                    "No step began in the time that was asked for; {runs} of {devices} did at other times."
                )
            }
            0 => format!("No provisioning run was found in the logs of {devices}."),
            _some => format!(
                "No step was refused because a task was already running, in {runs} of {devices}."
            ),
        };
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
    format!(
        "{affected} of {runs} had a step refused because a task was already running; {cause}.{}",
        worst.unwrap_or_default()
    )
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
