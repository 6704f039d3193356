//! An incident, explained: its story, what else it could have been, what is missing, what to
//! do. Plain structs that every renderer takes.

use serde::Serialize;

use crate::chronicle::{Chronicle, Occasion};
use crate::contract::{Incident, Report};
use crate::correlate::{Confidence, Mechanism};
use crate::gap::{Gap, missing};
use crate::hypotheses::{Hypothesis, weigh};
use crate::lifetime::LaunchedBy;
use crate::scene::{Scene, Sentence, step_name};
use crate::telling::sentences;

/// How far before a step a change of the clock still matters to its story, in milliseconds.
const DAY: i64 = 86_400_000;

/// Why a step was refused.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The incident's id.
    pub incident: String,
    /// Its device.
    pub device: String,
    /// Which of the device's runs.
    pub run: u32,
    /// The run's template, where it is known.
    pub template: Option<String>,
    /// The zone of the device's clock, in which the story's times are; `None` where it is not
    /// known.
    pub zone: Option<String>,
    /// The answer in a sentence.
    pub answer: String,
    /// What blocked the step.
    pub mechanism: Mechanism,
    /// How well that is proven.
    pub confidence: Confidence,
    /// The story, in order of time.
    pub story: Vec<Sentence>,
    /// What else it could have been.
    pub hypotheses: Vec<Hypothesis>,
    /// What the proof rests on, and how firmly.
    pub cautions: Vec<String>,
    /// What evidence is missing.
    pub missing: Vec<Gap>,
    /// What to do.
    pub remedy: Vec<String>,
}

/// What `explain --format json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Explanations {
    /// `provtrace.explanation.v1`.
    pub schema: &'static str,
    /// In the order of the report's incidents.
    pub explanations: Vec<Explanation>,
}

impl Explanations {
    /// Under this version's name.
    pub fn new(explanations: Vec<Explanation>) -> Explanations {
        Explanations { schema: "provtrace.explanation.v1", explanations }
    }
}

/// Explains an incident; `None` if its device's chronicle was not kept.
pub fn explain(
    incident: &Incident,
    chronicles: &[Chronicle],
    report: &Report,
) -> Option<Explanation> {
    let chronicle = chronicles.iter().find(|own| own.device == incident.device)?;
    let scene = Scene::of(incident, chronicle, report)?;
    Some(Explanation {
        incident: incident.id.clone(),
        device: incident.device.clone(),
        run: incident.run,
        template: incident.template.clone(),
        zone: chronicle.zone.clone(),
        answer: answer(&scene),
        mechanism: incident.mechanism,
        confidence: incident.confidence,
        story: sentences(&scene),
        hypotheses: weigh(&scene),
        cautions: cautions(&scene),
        missing: missing(&scene),
        remedy: remedy(&scene),
    })
}

fn answer(scene: &Scene) -> String {
    let who = match scene.incident.mechanism {
        Mechanism::ScanWaited => {
            "a security scan, which had waited for an earlier step, was at work"
        }
        Mechanism::ScanRunning => "a security scan was at work",
        Mechanism::PolicyTask => "a policy task's sdclient.exe was running",
        Mechanism::SdclientRunning => "another sdclient.exe was running",
        Mechanism::Unattributed => "something was running that the logs don't show",
    };
    let by = match scene.blocker.map_or(LaunchedBy::Unknown, |own| own.launched_by) {
        LaunchedBy::LocalSchedulerFirstRun => ": its first run after the agent install",
        LaunchedBy::LocalScheduler if scene.install.is_some() => ": a periodic run",
        LaunchedBy::LocalScheduler => ": launched by the local scheduler",
        LaunchedBy::CorePush => ": a push of the core",
        LaunchedBy::WindowsTask => ": launched by a Windows scheduled task",
        LaunchedBy::PolicySync | LaunchedBy::Unknown => "",
    };
    let hung = scene.incident.blocker.as_ref().is_some_and(|own| own.hung);
    let hung = if hung { ", for hours" } else { "" };
    let orphan =
        scene.blocker.and_then(|own| own.step).and_then(|at| scene.chronicle.steps.get(at));
    let by = orphan.map_or(by.to_owned(), |step| format!(": that of {}", step_name(step)));
    let name = step_name(scene.step);
    let name = name.strip_prefix("step").unwrap_or(&name);
    format!(
        "Step{name} was refused at {}, since {who}{hung}{by}.",
        scene.step.started.date_and_time()
    )
}

fn cautions(scene: &Scene) -> Vec<String> {
    let incident = scene.incident;
    let marked =
        |mark| incident.evidence.iter().filter(|line| line.mark.as_deref() == Some(mark)).count();
    let mut cautions = Vec::new();
    let lines = |number: usize| match number {
        0 => "the meaning of the exit code".to_owned(),
        1 => format!("1 of the {} lines of proof", incident.evidence.len()),
        some => format!("{some} of the {} lines of proof", incident.evidence.len()),
    };
    if incident.assumed_wording {
        let what = lines(marked("assumed"));
        cautions.push(format!("Assumed wording, never confirmed on a real device: {what}."));
    }
    if incident.learned_wording {
        let what = lines(marked("learned"));
        cautions.push(format!("Wording that was learned from logs: {what}."));
    }
    let set = scene.chronicle.landmarks.iter().filter(|own| own.what == Occasion::ClockSet);
    if let Some(set) = { set }.find(|own| own.at.millis >= scene.step.started.millis - DAY) {
        let at = scene.time(&set.at);
        cautions.push(format!(
            "The clock was set at {at}: the story's times are those of the clock after it, the lines \
             before it show the clock of then."
        ));
    }
    if scene.chronicle.zone.is_none() {
        cautions.push(
            "The device's time zone is not known; times are as its logs print them.".to_owned(),
        );
    }
    cautions
}

fn remedy(scene: &Scene) -> Vec<String> {
    let template = match &scene.incident.template {
        Some(template) => format!("the template \"{template}\""),
        None => "this run's template (the logs don't name it; --tasks does)".to_owned(),
    };
    let year_3000 = format!(
        "Provision {template} with an agent whose security scan and policy sync start in the year 3000, and \
         install the real agent as its last action."
    );
    let mut told = Vec::new();
    let hung = scene.incident.blocker.as_ref().is_some_and(|own| own.hung);
    let by = scene.blocker.map_or(LaunchedBy::Unknown, |own| own.launched_by);
    match scene.incident.mechanism {
        Mechanism::Unattributed => told.push(
            "Collect the logs that would tell more from this device, or from the next one that fails, and analyze again."
                .to_owned(),
        ),
        Mechanism::SdclientRunning => told.push(match scene.blocker.and_then(|own| own.step) {
            Some(at) => format!(
                "Let {} wait for its installer to its end (a longer timeout, no detached setup), so that its \
                 sdclient.exe is gone before the next step of {template} starts.",
                scene.chronicle.steps.get(at).map_or("the earlier step".to_owned(), step_name)
            ),
            None => "Find out on the core what else deploys to devices while they are provisioned, and keep it away from them."
                .to_owned(),
        }),
        Mechanism::ScanWaited | Mechanism::ScanRunning | Mechanism::PolicyTask => {
            told.push(launcher_remedy(scene, by, year_3000));
        }
    }
    if hung {
        let why =
            "Find out why that scan hangs: it holds every deployment on the device until it ends.";
        told.insert(0, why.to_owned());
    }
    told
}

/// What keeps the launcher of a scan or a policy task away from the run.
fn launcher_remedy(scene: &Scene, by: LaunchedBy, year_3000: String) -> String {
    if scene.workaround() == Some(true) {
        return "The workaround (scan and policy sync armed for the year 3000) was in force on this device; see what \
                launched the holder all the same."
            .to_owned();
    }
    match by {
        LaunchedBy::WindowsTask => {
            "Disable the Windows scheduled task that starts vulscan until provisioning has ended."
                .to_owned()
        }
        LaunchedBy::CorePush => {
            "Keep pushes of the core away from devices while they are provisioned.".to_owned()
        }
        LaunchedBy::LocalSchedulerFirstRun
        | LaunchedBy::LocalScheduler
        | LaunchedBy::PolicySync
        | LaunchedBy::Unknown => year_3000,
    }
}
