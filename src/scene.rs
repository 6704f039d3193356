//! What of a device's chronicle belongs to one incident: the refused step, what held it, and
//! what was before. The story, the hypotheses and the gaps are told from it.

use serde::Serialize;

use crate::chronicle::{Chronicle, Landmark, LifetimeSpan, Moment, Occasion, StepSpan};
use crate::contract::{Code, Evidence, Incident, Report};
use crate::inventory::LogsRead;
use crate::lifetime::Known;

/// A sentence with the lines that show it.
#[derive(Debug, Clone, Serialize)]
pub struct Sentence {
    /// What is said. Names in it are as the logs have them: a renderer must make them harmless.
    pub text: String,
    /// What shows it; empty where the sentence says that nothing does.
    pub evidence: Vec<Evidence>,
}

/// An incident among what happened on its device.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'r> {
    /// The incident.
    pub incident: &'r Incident,
    /// Its device.
    pub chronicle: &'r Chronicle,
    /// The report that it stands in.
    pub report: &'r Report,
    /// The first refused try of the step.
    pub step: &'r StepSpan,
    /// The refused program.
    pub refused: &'r LifetimeSpan,
    /// What held it; `None` when unattributed.
    pub blocker: Option<&'r LifetimeSpan>,
    /// The last agent install before it.
    pub install: Option<&'r Landmark>,
}

impl<'r> Scene<'r> {
    /// `None` if the chronicle was kept without the incident's run.
    pub fn of(
        incident: &'r Incident,
        chronicle: &'r Chronicle,
        report: &'r Report,
    ) -> Option<Scene<'r>> {
        let is_it = |step: &StepSpan| step.incident.as_ref() == Some(&incident.id);
        let at = chronicle.steps.iter().position(is_it)?;
        let step = &chronicle.steps[at];
        let blocker = chronicle.lifetimes.iter().find(|own| own.held.contains(&incident.id));
        if blocker.is_some() != incident.blocker.is_some() {
            return None;
        }
        let install = chronicle.landmarks.iter().rfind(|own| {
            own.what == Occasion::AgentInstalled && own.at.millis <= step.started.millis
        });
        let refused = chronicle.lifetimes.iter().find(|own| own.step == Some(at))?;
        Some(Scene { incident, chronicle, report, step, refused, blocker, install })
    }

    /// The run's steps before the refused one, each with its program, in order.
    pub fn earlier(&self) -> Vec<(&'r StepSpan, Option<&'r LifetimeSpan>)> {
        let of_run = |step: &&StepSpan| {
            step.run == self.step.run && step.started.millis < self.step.started.millis
        };
        let own = |at: usize| self.chronicle.lifetimes.iter().find(|own| own.step == Some(at));
        let steps = self.chronicle.steps.iter().enumerate().filter(|(_, step)| of_run(step));
        steps.map(|(at, step)| (step, own(at))).collect()
    }

    /// The earlier step that ran at a moment.
    pub fn during(&self, at: &Moment) -> Option<(&'r StepSpan, &'r LifetimeSpan)> {
        let mut steps = self.earlier().into_iter().rev();
        steps.find_map(|(step, own)| {
            let own = own?;
            let ended = step.ended.as_ref().unwrap_or(&own.ended);
            let ran = step.started.millis <= at.millis && at.millis <= ended.millis;
            ran.then_some((step, own))
        })
    }

    /// Milliseconds from the agent install to a moment.
    pub fn after_install(&self, at: &Moment) -> Option<i64> {
        Some(at.millis - self.install?.at.millis)
    }

    /// The longest random delay of the first run, in minutes.
    pub fn delay(&self) -> i64 {
        self.install.and_then(|install| install.minutes).unwrap_or(60)
    }

    /// Whether the vendor's workaround was in force on the device.
    pub fn workaround(&self) -> Option<bool> {
        let mut rows = self.report.devices.iter();
        rows.find(|row| row.device == self.incident.device)?.workaround
    }

    /// The incident's lines that say one of these.
    pub fn lines(&self, words: &[&str]) -> Vec<Evidence> {
        let lines = self.incident.evidence.iter();
        lines.filter(|line| words.contains(&&*line.says)).cloned().collect()
    }

    /// What was read of the device of one kind of log.
    pub fn logs(&self, kind: &str) -> Option<&'r LogsRead> {
        self.chronicle.logs.iter().find(|logs| logs.kind == kind && logs.files > 0)
    }

    /// The time of day on the device's clock, with the date where it is another day's.
    pub fn time(&self, at: &Moment) -> String {
        let day = |at: &Moment| at.local.div_euclid(86_400_000);
        if day(at) == day(&self.step.started) { at.time() } else { at.date_and_time() }
    }
}

/// Whether no end of a step is seen: the last sign of life of its program stands for it.
pub fn is_open(step: &StepSpan, own: Option<&LifetimeSpan>) -> bool {
    let only_lines = own.is_none_or(|own| own.ended_known == Known::Burst);
    step.ended.is_none() || (only_lines && step.exit_code.is_none())
}

/// `step 4 "Install Chrome"`.
pub fn step_name(step: &StepSpan) -> String {
    format!("step {} \"{}\"", step.ordinal, step.name)
}

/// `vulscan.exe (pid 4972)`, `sdclient.exe (task 34388)`.
pub fn process(own: &LifetimeSpan) -> String {
    let mut known = Vec::new();
    known.extend(own.task_id.as_ref().map(|task| format!("task {task}")));
    known.extend(own.pid.map(|pid| format!("pid {pid}")));
    if known.is_empty() {
        own.program.to_string()
    } else {
        format!("{} ({})", own.program, known.join(", "))
    }
}

/// `code 412 (0x8DB5019C: a task is already running)`.
pub fn code_words(code: &Code) -> String {
    let meaning = if code.meaning.is_empty() { "meaning not known" } else { &code.meaning };
    format!("code {} ({}: {meaning})", code.code, code.hex)
}

/// A length of time, as one says it.
pub fn length(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let of =
        |number: i64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    match seconds {
        0..120 => of(seconds, "second"),
        120..7200 => of(seconds / 60, "minute"),
        _hours => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How a beginning is known.
pub fn start_known(known: Known) -> &'static str {
    match known {
        Known::Stated => "as its own log states",
        Known::Parent => "as the provisioning agent's log shows",
        Known::Scheduler => "as the scheduler's log shows",
        Known::Registry => "by the registry",
        Known::EventLog => "by the event log",
        Known::Burst => "its first line; it may have started earlier",
    }
}

/// How an end is known.
pub fn end_known(known: Known) -> &'static str {
    match known {
        Known::Stated => "as its own log states",
        Known::Parent => "as the provisioning agent saw",
        Known::Scheduler => "as the scheduler's log shows",
        Known::Registry => "by the registry",
        Known::EventLog => "by the event log",
        Known::Burst => "its last line; it may have lived longer",
    }
}
