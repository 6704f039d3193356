//! What else could have refused a step: each with the fact that decides, or the reason why
//! nothing does.

use serde::Serialize;

use crate::chronicle::Occasion;
use crate::correlate::Mechanism;
use crate::lifetime::LaunchedBy;
use crate::scene::{Scene, code_words, length, step_name};

/// Windows Installer's "another installation is in progress".
const INSTALLER_BUSY: u32 = 1618;

/// What the evidence makes of a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is what happened.
    Cause,
    /// Nothing decides.
    Possible,
    /// A fact speaks against it.
    RuledOut,
}

impl Standing {
    /// In words, for people.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Cause => "yes",
            Standing::Possible => "possible",
            Standing::RuledOut => "no",
        }
    }
}

/// A way in which it may have happened.
#[derive(Debug, Clone, Serialize)]
pub struct Hypothesis {
    /// What is supposed.
    pub supposed: &'static str,
    /// What the evidence makes of it.
    pub standing: Standing,
    /// The fact that decides, or what is not known.
    pub fact: String,
}

/// All that are weighed, always in the same order.
pub fn weigh(scene: &Scene) -> Vec<Hypothesis> {
    let all = [
        ("the scan's first run after the agent install (random delay)", first_run(scene)),
        ("a later, periodic run of the scheduler", periodic(scene)),
        ("a task that a policy sync started", by_launcher(scene, LaunchedBy::PolicySync)),
        ("a push of the core", by_launcher(scene, LaunchedBy::CorePush)),
        ("a scan that a Windows scheduled task started", windows_task(scene)),
        ("Windows Installer was busy (1618)", installer(scene)),
        ("a program that an earlier step left behind", orphan(scene)),
        ("a wrong clock makes it look so", clock(scene)),
    ];
    let told =
        all.into_iter().map(|(supposed, (standing, fact))| Hypothesis { supposed, standing, fact });
    told.collect()
}

type Weighed = (Standing, String);

/// Whether a scan held the step; `None` if nobody is seen.
fn is_scan(scene: &Scene) -> Option<bool> {
    match scene.incident.mechanism {
        Mechanism::ScanWaited | Mechanism::ScanRunning => Some(true),
        Mechanism::PolicyTask | Mechanism::SdclientRunning => Some(false),
        Mechanism::Unattributed => None,
    }
}

fn no(fact: impl Into<String>) -> Weighed {
    (Standing::RuledOut, fact.into())
}

fn possible(fact: impl Into<String>) -> Weighed {
    (Standing::Possible, fact.into())
}

const HELD_BY_SDCLIENT: &str = "an sdclient.exe held the step, not a scan";
const WHICH_RUN: &str =
    "the scheduler launched it, but no agent install is seen that it could be the first run after";
const NO_LAUNCHER: &str = "no log shows what launched the scan";

/// Where a moment lies to the window of the first run.
fn window(scene: &Scene, what: &str, millis: i64) -> String {
    let delay = scene.delay();
    let Some(install) = scene.install else {
        return format!("no agent install is seen before {what}");
    };
    let minutes = (millis - install.at.millis).div_euclid(60_000);
    let place = if minutes <= delay { "inside" } else { "outside" };
    format!(
        "{what} {} after the install, {place} the window of {delay} minutes",
        length(minutes * 60_000)
    )
}

fn first_run(scene: &Scene) -> Weighed {
    let Some(blocker) = scene.blocker else {
        let place = window(scene, "the refusal is", scene.step.started.millis);
        return possible(format!("no scan is seen at that moment; {place}"));
    };
    if is_scan(scene) == Some(false) {
        return no(HELD_BY_SDCLIENT);
    }
    let place = window(scene, "the scan was launched", blocker.launched.millis);
    let minutes = scene.after_install(&blocker.launched).map(|after| after.div_euclid(60_000));
    match blocker.launched_by {
        LaunchedBy::LocalSchedulerFirstRun => {
            (Standing::Cause, format!("the scheduler's log shows the launch; {place}"))
        }
        LaunchedBy::LocalScheduler if minutes.is_none() => possible(WHICH_RUN),
        LaunchedBy::LocalScheduler if minutes.is_some_and(|minutes| minutes <= scene.delay()) => {
            no("the scheduler had launched that task before, since the install")
        }
        LaunchedBy::LocalScheduler => no(place),
        LaunchedBy::PolicySync | LaunchedBy::CorePush | LaunchedBy::WindowsTask => {
            no(format!("it was launched by {}", blocker.launched_by.word()))
        }
        LaunchedBy::Unknown if minutes.is_some_and(|minutes| minutes > scene.delay()) => no(place),
        LaunchedBy::Unknown => possible(format!("{NO_LAUNCHER}; {place}")),
    }
}

fn periodic(scene: &Scene) -> Weighed {
    let Some(blocker) = scene.blocker else {
        return possible("no scan is seen at that moment");
    };
    if is_scan(scene) == Some(false) {
        return no(HELD_BY_SDCLIENT);
    }
    match blocker.launched_by {
        LaunchedBy::LocalScheduler if scene.install.is_none() => possible(WHICH_RUN),
        LaunchedBy::LocalScheduler => {
            let place = window(scene, "the scan was launched", blocker.launched.millis);
            (Standing::Cause, format!("the scheduler's log shows the launch; {place}"))
        }
        LaunchedBy::Unknown => possible(NO_LAUNCHER),
        LaunchedBy::LocalSchedulerFirstRun => no("it was that task's first run since the install"),
        LaunchedBy::PolicySync | LaunchedBy::CorePush | LaunchedBy::WindowsTask => {
            no(format!("it was launched by {}", blocker.launched_by.word()))
        }
    }
}

/// What only an sdclient of another origin can be.
fn by_launcher(scene: &Scene, launcher: LaunchedBy) -> Weighed {
    let sync = policy_sync(scene);
    let of_sync = launcher == LaunchedBy::PolicySync;
    let also = |fact: &str| if of_sync { format!("{fact}; {sync}") } else { fact.to_owned() };
    let Some(blocker) = scene.blocker else {
        return possible(also("no other sdclient.exe is seen at that moment"));
    };
    if is_scan(scene) == Some(true) {
        return no("a scan held the step, not an sdclient.exe");
    }
    if blocker.step.is_some() {
        return no("the sdclient.exe that held it was started by a step of this run");
    }
    if blocker.launched_by == launcher {
        return (Standing::Cause, also(&format!("it was launched by {}", launcher.word())));
    }
    match blocker.launched_by {
        LaunchedBy::Unknown => possible(also("no log shows what launched that sdclient.exe")),
        LaunchedBy::LocalSchedulerFirstRun
        | LaunchedBy::LocalScheduler
        | LaunchedBy::PolicySync
        | LaunchedBy::CorePush
        | LaunchedBy::WindowsTask => {
            no(format!("it was launched by {}", blocker.launched_by.word()))
        }
    }
}

/// The last policy sync before the holder, or before the refusal.
fn policy_sync(scene: &Scene) -> String {
    let at = scene.blocker.map_or(&scene.step.started, |blocker| &blocker.launched);
    let syncs = scene.chronicle.lifetimes.iter().filter(|own| own.program == "PolicySync.exe");
    match syncs.filter(|own| own.launched.millis <= at.millis).max_by_key(|own| own.launched.millis)
    {
        Some(sync) => {
            let (from, to) = (scene.time(&sync.launched), scene.time(&sync.ended));
            format!("the last policy sync before ran from {from} to {to}")
        }
        None if scene.logs("policysync").is_some() => {
            "the policy sync's log shows none before".to_owned()
        }
        None => "no log of the policy sync is at hand".to_owned(),
    }
}

fn windows_task(scene: &Scene) -> Weighed {
    let Some(blocker) = scene.blocker else { return possible("no scan is seen at that moment") };
    if is_scan(scene) == Some(false) {
        return no(HELD_BY_SDCLIENT);
    }
    match blocker.launched_by {
        LaunchedBy::WindowsTask => (Standing::Cause, "the event log shows the launch".to_owned()),
        LaunchedBy::Unknown => possible(format!("{NO_LAUNCHER}; the Windows event log would")),
        LaunchedBy::LocalSchedulerFirstRun | LaunchedBy::LocalScheduler => {
            no("the local scheduler launched it")
        }
        LaunchedBy::PolicySync | LaunchedBy::CorePush => {
            no(format!("it was launched by {}", blocker.launched_by.word()))
        }
    }
}

fn installer(scene: &Scene) -> Weighed {
    match &scene.step.exit_code {
        Some(code) if code.code == INSTALLER_BUSY => {
            possible(format!("the step returned {}", code_words(code)))
        }
        Some(code) => no(format!("the step returned {}", code_words(code))),
        None => no("sdclient.exe itself states the refusal; no 1618 is seen"),
    }
}

fn orphan(scene: &Scene) -> Weighed {
    if let Some(step) =
        scene.blocker.and_then(|own| own.step).and_then(|at| scene.chronicle.steps.get(at))
    {
        return (
            Standing::Cause,
            format!("the sdclient.exe of {} was still there", step_name(step)),
        );
    }
    let earlier = scene.earlier();
    let open = earlier.iter().find(|(step, own)| {
        let ended = step.ended.as_ref().or(own.map(|own| &own.ended));
        step.ended.is_none() || ended.is_some_and(|ended| ended.millis > scene.step.started.millis)
    });
    match (scene.blocker, open) {
        (_, Some((step, _))) => {
            possible(format!("no end of {} is seen before the refusal", step_name(step)))
        }
        (Some(_), None) if is_scan(scene) == Some(true) => {
            no("a scan held the step, and every earlier step had ended")
        }
        (_, None) if earlier.is_empty() => no("no earlier step of this run started a program"),
        (Some(_), None) => no("every earlier step had ended, and the holder has another task"),
        (None, None) => possible(
            "every earlier step had ended for the agent; a program that it started may have lived on unseen",
        ),
    }
}

fn clock(scene: &Scene) -> Weighed {
    let run = scene.chronicle.runs.iter().find(|run| run.number == scene.step.run);
    let inside = |at: i64| run.is_none_or(|run| run.from.millis <= at && at <= run.until.millis);
    let mut marks = scene.chronicle.landmarks.iter().filter(|own| inside(own.at.millis));
    let set = marks.find(|own| match own.what {
        Occasion::ClockSet | Occasion::DaylightSavingEnds => true,
        Occasion::AgentInstalled | Occasion::SessionBegins => false,
    });
    match set {
        None => no("no log of this run shows that the clock was set"),
        Some(set) => {
            let readings = set.readings.as_ref();
            let readings =
                readings.map(|(before, after)| format!(" (logged: {before}, then {after})"));
            let at = scene.time(&set.at);
            let sorted = "times before that are put on the clock after it, by the order of lines in each file";
            let fact =
                format!("the clock was set at {at}{}; {sorted}", readings.unwrap_or_default());
            let moved_before = set.at.millis <= scene.step.started.millis
                && scene.blocker.is_some_and(|own| own.launched.millis < set.at.millis);
            if moved_before { possible(fact) } else { no(fact) }
        }
    }
}
