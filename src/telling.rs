//! An incident's story in sentences: who started when, who waited for whom, who was refused.
//! Nothing is said that no line shows; where none does, the sentence says so.

use crate::chronicle::{LifetimeSpan, StepSpan};
use crate::contract::Evidence;
use crate::correlate::{Confidence, Mechanism};
use crate::lifetime::LaunchedBy;
use crate::scene::{
    Scene, Sentence, code_words, end_known, is_open, length, process, start_known, step_name,
};

/// Earlier steps that are named.
const NAMED: usize = 3;
/// How long before a policy task the policy sync may have begun, in milliseconds.
const SYNC_BEFORE: i64 = 30 * 60_000;

/// The story, in order of time.
pub fn sentences(scene: &Scene) -> Vec<Sentence> {
    let mut told = vec![install(scene), earlier(scene)];
    if let Some(blocker) = scene.blocker {
        match scene.incident.mechanism {
            Mechanism::ScanWaited => told.extend(scan_waited(scene, blocker)),
            Mechanism::ScanRunning => told.extend(scan_running(scene, blocker)),
            Mechanism::PolicyTask => told.extend(policy_task(scene, blocker)),
            Mechanism::SdclientRunning => told.extend(other_sdclient(scene, blocker)),
            Mechanism::Unattributed => {}
        }
    }
    told.push(started(scene));
    told.push(refused(scene));
    told.push(match scene.blocker {
        Some(blocker) => lived_on(scene, blocker),
        None => nobody(scene),
    });
    if scene.incident.attempts > 1 {
        let tries = scene.incident.attempts;
        told.push(say(format!("The step was tried {tries} times, and refused each time."), vec![]));
    }
    told
}

fn say(text: String, evidence: Vec<Evidence>) -> Sentence {
    Sentence { text, evidence }
}

fn install(scene: &Scene) -> Sentence {
    let Some(install) = scene.install else {
        return say("No agent install is seen before this step.".to_owned(), vec![]);
    };
    let at = scene.time(&install.at);
    let text = if scene.workaround() == Some(true) {
        format!(
            "The agent was installed at {at}. Its scan or policy sync was armed for a day that never comes: \
             the workaround was in force."
        )
    } else {
        format!(
            "The agent was installed at {at}. Its first security scan starts at a random moment within {} \
             minutes of that.",
            scene.delay()
        )
    };
    say(text, install.evidence.iter().cloned().collect())
}

fn earlier(scene: &Scene) -> Sentence {
    let steps = scene.earlier();
    let shown = &steps[steps.len().saturating_sub(NAMED)..];
    let one = |(step, own): &(&StepSpan, Option<&LifetimeSpan>)| {
        let from = scene.time(&step.started);
        let open = is_open(step, *own);
        let to = match (&step.ended, own) {
            (Some(ended), _) if !open => format!("to {}", scene.time(ended)),
            (_, Some(own)) => format!("last seen {}", scene.time(&own.ended)),
            (_, None) => "no end seen".to_owned(),
        };
        format!("{} ({from} {to})", step_name(step))
    };
    let names: Vec<String> = shown.iter().map(one).collect();
    let first = |own: &LifetimeSpan| own.evidence.first().cloned();
    let lines = shown.iter().filter_map(|(_, own)| own.and_then(first)).collect();
    let in_turn = steps.windows(2).all(|pair| {
        let ended = pair[0].0.ended.as_ref();
        ended.is_some_and(|ended| ended.millis <= pair[1].0.started.millis)
    });
    let turns = if in_turn { " one after another" } else { "" };
    let text = match steps.len() {
        0 => "No earlier step of this run started a program.".to_owned(),
        1 => format!("Before it ran {}.", names.join(", ")),
        all if all <= NAMED => format!("Before it, {all} steps ran{turns}: {}.", names.join(", ")),
        all => {
            format!("Before it, {all} steps ran{turns}; the last of them: {}.", names.join(", "))
        }
    };
    say(text, lines)
}

/// Who launched the blocker, and when.
fn launch(scene: &Scene, blocker: &LifetimeSpan) -> Sentence {
    let at = scene.time(&blocker.launched);
    let own = process(blocker);
    let known = start_known(blocker.launched_known);
    let during =
        scene.during(&blocker.launched).filter(|(_, other)| other.launched != blocker.launched);
    let during =
        during.map_or(String::new(), |(step, _)| format!(", while {} ran", step_name(step)));
    let after = scene.after_install(&blocker.launched).map_or(String::new(), |after| {
        if after < 0 {
            String::new()
        } else {
            format!(", {} after the agent install", length(after))
        }
    });
    let by = |who: &str| format!("At {at} {who} launched {own}{after}{during} ({known}).");
    let text = match blocker.launched_by {
        LaunchedBy::LocalSchedulerFirstRun => {
            let text = by("the local scheduler");
            format!(
                "{text} It is that task's first run since the install, inside the random delay."
            )
        }
        LaunchedBy::LocalScheduler => {
            let text = by("the local scheduler");
            if scene.install.is_some() {
                format!("{text} It is not the first run after the agent install.")
            } else {
                format!("{text} Whether it is the first run is not known: no install is seen.")
            }
        }
        LaunchedBy::PolicySync => by("a policy sync"),
        LaunchedBy::CorePush => by("a push of the core"),
        LaunchedBy::WindowsTask => by("a Windows scheduled task"),
        LaunchedBy::Unknown => format!(
            "{own} is seen from {at} on{after}{during} ({known}). No log shows what launched it."
        ),
    };
    let mut lines: Vec<Evidence> = blocker.evidence.first().cloned().into_iter().collect();
    let launches = scene.lines(&["launched", "process_started"]);
    lines.extend(
        launches
            .into_iter()
            .filter(|line| !lines.iter().any(|own| same(own, line)))
            .collect::<Vec<_>>(),
    );
    say(text, lines)
}

/// Whether two quotes are of one line.
fn same(one: &Evidence, other: &Evidence) -> bool {
    (&one.path, &one.member, one.offset) == (&other.path, &other.member, other.offset)
}

fn scan_waited(scene: &Scene, blocker: &LifetimeSpan) -> Vec<Sentence> {
    let mut told = vec![launch(scene, blocker)];
    let waits = scene.lines(&["scan_waits"]);
    let begins = scene.time(&blocker.active_from);
    told.push(if !waits.is_empty() {
        say("The scan saw a running deployment and waited, as its log says.".to_owned(), waits)
    } else if blocker.waited {
        let text = format!("The scan wrote nothing more until {begins}: it waited, though no line says so.");
        say(text, vec![])
    } else {
        let text = "A deployment ran when the scan was launched, so the scan had to wait; none of its lines says how long.";
        say(text.to_owned(), vec![])
    });
    told.extend(waited_for(scene, blocker));
    if blocker.waited {
        let mut lines = scene.lines(&["scan_starts"]);
        if lines.is_empty() {
            let first = blocker.evidence.first();
            let mut alive = scene.lines(&["alive"]).into_iter();
            lines = alive
                .find(|line| first.is_none_or(|first| !same(first, line)))
                .into_iter()
                .collect();
        }
        told.push(say(format!("At {begins} the scan began to work."), lines));
    }
    told
}

/// The end of what a scan waited for: an earlier step, else another deployment that was there.
fn waited_for(scene: &Scene, blocker: &LifetimeSpan) -> Option<Sentence> {
    let at = blocker.launched.millis;
    let (name, ended, own) = match scene.during(&blocker.launched) {
        Some((step, own)) => {
            (capital(&step_name(step)), step.ended.as_ref().unwrap_or(&own.ended), own)
        }
        None => {
            let mut others =
                scene.chronicle.lifetimes.iter().filter(|own| {
                    own.program == "sdclient.exe" && !own.messenger && !own.launch_only
                });
            let own = others.find(|own| own.launched.millis <= at && at <= own.ended.millis)?;
            (format!("The other {}", process(own)), &own.ended, own)
        }
    };
    let text = format!("{name} ended at {} ({}).", scene.time(ended), end_known(own.ended_known));
    Some(say(text, own.evidence.last().cloned().into_iter().collect()))
}

fn scan_running(scene: &Scene, blocker: &LifetimeSpan) -> Vec<Sentence> {
    let mut told = vec![launch(scene, blocker)];
    let lived = scene.step.started.millis - blocker.launched.millis;
    let hung = scene.incident.blocker.as_ref().is_some_and(|blocker| blocker.hung);
    let text = if hung {
        format!(
            "It did not have to wait for anybody, and had run for {} when the step came: no scan takes that long, it hangs.",
            length(lived)
        )
    } else {
        format!(
            "It did not have to wait for anybody, and had run for {} when the step came.",
            length(lived)
        )
    };
    told.push(say(text, scene.lines(&["scan_starts"])));
    told
}

fn policy_task(scene: &Scene, blocker: &LifetimeSpan) -> Vec<Sentence> {
    let mut told = Vec::new();
    let sync = scene.chronicle.lifetimes.iter().rfind(|own| {
        own.program == "PolicySync.exe"
            && own.launched.millis <= blocker.launched.millis
            && blocker.launched.millis - own.launched.millis <= SYNC_BEFORE
    });
    if let Some(sync) = sync {
        let (from, to) = (scene.time(&sync.launched), scene.time(&sync.ended));
        let text =
            format!("A policy sync ran from {from} to {to} ({}).", end_known(sync.ended_known));
        told.push(say(text, sync.evidence.clone()));
    }
    told.push(launch(scene, blocker));
    told
}

fn other_sdclient(scene: &Scene, blocker: &LifetimeSpan) -> Vec<Sentence> {
    let step = blocker.step.and_then(|at| scene.chronicle.steps.get(at));
    let Some(step) = step else { return vec![launch(scene, blocker)] };
    let name = step_name(step);
    let begun = format!(
        "{} had started {} at {} ({}).",
        capital(&name),
        process(blocker),
        scene.time(&blocker.launched),
        start_known(blocker.launched_known)
    );
    let begun = say(begun, blocker.evidence.first().cloned().into_iter().collect());
    let text = match &step.ended {
        Some(ended) if ended.millis < blocker.ended.millis => {
            let code = step.exit_code.as_ref().map(|code| format!(" with {}", code_words(code)));
            format!(
                "For the provisioning agent {name} ended at {}{}, but that sdclient.exe lived on.",
                scene.time(ended),
                code.unwrap_or_default()
            )
        }
        Some(_) | None => format!("No end of {name} is seen before the next step began."),
    };
    vec![begun, say(text, vec![])]
}

fn started(scene: &Scene) -> Sentence {
    let since = scene.blocker.map(|blocker| {
        let (from, what) = match scene.incident.mechanism {
            Mechanism::ScanWaited if blocker.waited => {
                (&blocker.active_from, "the scan had begun to work")
            }
            Mechanism::ScanWaited | Mechanism::ScanRunning => {
                (&blocker.launched, "the scan was launched")
            }
            Mechanism::PolicyTask | Mechanism::SdclientRunning | Mechanism::Unattributed => {
                (&blocker.launched, "that sdclient.exe was started")
            }
        };
        format!(", {} after {what}", length(scene.step.started.millis - from.millis))
    });
    let text = format!(
        "At {} {} started {}{} ({}).",
        scene.time(&scene.step.started),
        step_name(scene.step),
        process(scene.refused),
        since.unwrap_or_default(),
        start_known(scene.refused.launched_known)
    );
    say(text, scene.refused.evidence.first().cloned().into_iter().collect())
}

fn refused(scene: &Scene) -> Sentence {
    let ended = scene.step.ended.as_ref();
    let after = ended.map(|ended| length(ended.millis - scene.step.started.millis));
    let end = match (after, &scene.step.exit_code) {
        (Some(after), Some(code)) => format!("ended after {after} with {}", code_words(code)),
        (Some(after), None) => format!("ended after {after}"),
        (None, Some(code)) => format!("returned {}", code_words(code)),
        (None, None) => "has no end in the logs".to_owned(),
    };
    let held_by = scene.blocker.map_or(&[][..], |own| own.evidence.as_slice());
    let mut lines = scene.lines(&["refused", "process_exited"]);
    lines.retain(|line| !held_by.iter().any(|own| same(own, line)));
    if lines.len() < 2 {
        lines.extend(scene.lines(&["result_reported", "action_result"]));
    }
    let stated = !scene.lines(&["refused"]).is_empty();
    let failed = format!("{} failed", capital(&step_name(scene.step)));
    let text = match scene.incident.confidence {
        Confidence::Confirmed | Confidence::Stated if stated => {
            format!("It stated that a task is already running, and {end}. {failed}.")
        }
        Confidence::Confirmed | Confidence::Stated => {
            format!("It {end}: that code is its refusal; no line states one in words. {failed}.")
        }
        Confidence::Inferred => format!(
            "It {end}. Nobody knows that code and no line states a refusal, but it is too short for any \
             work, and the holder lived through all of it: the refusal is inferred. {failed}."
        ),
    };
    say(text, lines)
}

fn lived_on(scene: &Scene, blocker: &LifetimeSpan) -> Sentence {
    let what = match scene.incident.mechanism {
        Mechanism::ScanWaited | Mechanism::ScanRunning => "The scan",
        Mechanism::PolicyTask | Mechanism::SdclientRunning | Mechanism::Unattributed => {
            "The other sdclient.exe"
        }
    };
    let text = format!(
        "{what} was there all the time, and ended at {} ({}).",
        scene.time(&blocker.ended),
        end_known(blocker.ended_known)
    );
    say(text, blocker.evidence.last().cloned().into_iter().collect())
}

/// That no holder is seen, and who was the last one before.
fn nobody(scene: &Scene) -> Sentence {
    let started = scene.step.started.millis;
    let before = scene.chronicle.lifetimes.iter().filter(|own| {
        let can_hold = own.program == "vulscan.exe" || own.program == "sdclient.exe";
        let other = own.step.is_none() && !own.messenger && !own.launch_only && !own.refused;
        can_hold && other && own.ended.millis <= started
    });
    let last = before.max_by_key(|own| own.ended.millis);
    let text = "The logs at hand show nobody who could have held it";
    match last {
        None => say(format!("{text}: no scan and no other sdclient.exe before it."), vec![]),
        Some(own) => {
            let text = format!(
                "{text}: the last scan or other sdclient.exe before it, {}, ended at {}, {} earlier ({}).",
                process(own),
                scene.time(&own.ended),
                length(started - own.ended.millis),
                end_known(own.ended_known)
            );
            say(text, own.evidence.last().cloned().into_iter().collect())
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}
