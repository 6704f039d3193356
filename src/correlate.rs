//! One device's timeline → incidents, near misses, other failures.
//!
//! An incident is a refusal. Nearness in time alone never makes one, and what is not shown is
//! not said: a blocker needs traces of its own that cover the moment.

use std::collections::BTreeMap;

use provtrace_parsers::code::{CodeClass, CodeMeaning, CodeTable, ExitCode};
use provtrace_parsers::event::{Event, Mark};
use provtrace_parsers::stamp::Stamp;
use serde::Serialize;

use crate::ingest::DeviceLogs;
use crate::lifetime::{EntryRef, LaunchedBy, Lifetime, Program};
use crate::run::Step;
use crate::timeline::Timeline;

/// A refused program exits at once: the longest run that counts as that, in seconds.
const AT_ONCE: i64 = 15;

/// What blocked a step, by DOMAIN.md's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// The scan was launched during an earlier deployment, waited, and was scanning.
    ScanWaited,
    /// The scan was launched while nothing ran, and was still scanning.
    ScanRunning,
    /// A deployment that a policy sync had started.
    PolicyTask,
    /// Another deployment.
    SdclientRunning,
    /// No one who could have held it is seen.
    Unattributed,
}

impl Mechanism {
    /// In words, for people.
    pub fn word(self) -> &'static str {
        match self {
            Mechanism::ScanWaited => "a security scan that had waited",
            Mechanism::ScanRunning => "a running security scan",
            Mechanism::PolicyTask => "a policy task",
            Mechanism::SdclientRunning => "another sdclient",
            Mechanism::Unattributed => "unknown (no holder in the logs)",
        }
    }
}

/// How well an incident is proven, by REPORT.md's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The refusal is stated, and a blocker's own traces cover it.
    Confirmed,
    /// The refusal is stated, no blocker is seen.
    Stated,
    /// The refusal is not stated: an unknown failing code, a short run, a blocker that covers it.
    Inferred,
}

/// A line of proof: what it says, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The event's word, such as `refused`.
    pub says: &'static str,
    /// The record.
    pub entry: EntryRef,
}

/// A step that was refused since another task ran.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Index into [`Timeline::steps`]; the first attempt, if the step was tried again.
    pub step: usize,
    /// How many attempts of it were refused.
    pub attempts: u32,
    /// What blocked it.
    pub mechanism: Mechanism,
    /// How well that is proven.
    pub confidence: Confidence,
    /// The blocker, as an index into [`Timeline::lifetimes`].
    pub blocker: Option<usize>,
    /// When the refused program started.
    pub at: Stamp,
    /// Minutes since the last agent install before it.
    pub minutes_after_agent_install: Option<f64>,
    /// The exit code, if one is known.
    pub code: Option<ExitCode>,
    /// The lines, in order of time.
    pub evidence: Vec<Proof>,
    /// Whether the proof rests on wording that is assumed.
    pub assumed: bool,
}

/// A failure with another cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFailure {
    /// Index into [`Timeline::steps`].
    pub step: usize,
    /// The code, looked up.
    pub code: CodeMeaning,
}

/// What a device's timeline says.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// In order of time.
    pub incidents: Vec<Incident>,
    /// Steps that overlapped a holder and were not refused.
    pub near_misses: Vec<usize>,
    /// Steps that failed otherwise.
    pub other_failures: Vec<OtherFailure>,
}

/// Finds incidents, near misses and other failures.
pub fn correlate(timeline: &Timeline, logs: &DeviceLogs, codes: &CodeTable) -> Findings {
    let case = Case { timeline, logs, codes };
    let mut findings = Findings::default();
    for (at, step) in timeline.steps.iter().enumerate() {
        let verdict = case.verdict(step);
        match verdict {
            Verdict::Refused(proofs) => {
                let incident = case.incident(at, step, proofs, true);
                merge_retry(&mut findings.incidents, incident, timeline);
            }
            Verdict::Failed(code) => match case.inferred(at, step, &code) {
                Some(incident) => merge_retry(&mut findings.incidents, incident, timeline),
                None => findings.other_failures.push(OtherFailure { step: at, code }),
            },
            Verdict::Fine => {}
        }
    }
    findings.near_misses = case.near_misses(&findings);
    findings
}

enum Verdict {
    Fine,
    Refused(Vec<Proof>),
    Failed(CodeMeaning),
}

struct Case<'a> {
    timeline: &'a Timeline,
    logs: &'a DeviceLogs,
    codes: &'a CodeTable,
}

impl Case<'_> {
    /// How a step ended: the most authoritative code decides between other causes; a stated
    /// refusal counts unless that code says that it succeeded or failed otherwise.
    fn verdict(&self, step: &Step) -> Verdict {
        let lifetime = &self.timeline.lifetimes[step.lifetime];
        let meanings: Vec<(CodeMeaning, EntryRef)> =
            step.codes.iter().map(|(code, entry)| (self.codes.meaning(code), *entry)).collect();
        let first = meanings.first().map(|(meaning, _)| meaning);
        let contradicts = first.is_some_and(|meaning| match meaning.class {
            CodeClass::Success | CodeClass::InstallerBusy | CodeClass::Failure => true,
            CodeClass::AlreadyRunning | CodeClass::Unknown => false,
        });
        let is_deployment = lifetime.program == Program::Sdclient;
        let stated_codes =
            meanings.iter().filter(|(meaning, _)| meaning.class == CodeClass::AlreadyRunning);
        let mut proofs: Vec<Proof> = stated_codes.map(|(_, entry)| self.proof(*entry)).collect();
        proofs.extend(lifetime.refused.map(|entry| self.proof(entry)));
        if is_deployment && !proofs.is_empty() && !contradicts {
            return Verdict::Refused(proofs);
        }
        match first {
            None => Verdict::Fine,
            Some(meaning) if meaning.class == CodeClass::Success => Verdict::Fine,
            Some(meaning) => Verdict::Failed(meaning.clone()),
        }
    }

    fn proof(&self, entry: EntryRef) -> Proof {
        Proof { says: self.logs.entry(entry).event.word(), entry }
    }

    fn incident(&self, at: usize, step: &Step, mut proofs: Vec<Proof>, stated: bool) -> Incident {
        let own = &self.timeline.lifetimes[step.lifetime];
        let until = step.ended.unwrap_or(step.at).max(step.at);
        let moment = own.refused.and_then(|entry| self.logs.entry(entry).stamp);
        let blocker = self.blocker(step, moment.unwrap_or(until));
        proofs.push(self.proof(own.start.entry));
        if let Some(blocker) = blocker {
            self.prove_blocker(&self.timeline.lifetimes[blocker], step.at, &mut proofs);
        }
        proofs.sort_by_key(|proof| (self.logs.entry(proof.entry).stamp, proof.entry));
        proofs.dedup_by_key(|proof| proof.entry);
        let assumed = proofs
            .iter()
            .any(|proof| self.logs.entry(proof.entry).mark == Some(Mark::Assumed))
            || step.codes.iter().any(|(code, _)| {
                let meaning = self.codes.meaning(code);
                meaning.class == CodeClass::AlreadyRunning && meaning.mark == Some(Mark::Assumed)
            });
        let install = self.timeline.installs.iter().rfind(|install| **install <= step.at);
        let confidence = match (stated, blocker) {
            (true, Some(_)) => Confidence::Confirmed,
            (true, None) => Confidence::Stated,
            (false, _) => Confidence::Inferred,
        };
        Incident {
            step: at,
            attempts: 1,
            mechanism: self.mechanism(step, blocker),
            confidence,
            blocker,
            at: step.at,
            minutes_after_agent_install: install.map(|install| minutes(step.at, *install)),
            code: step.codes.first().map(|(code, _)| code.clone()),
            evidence: proofs,
            assumed,
        }
    }

    /// A failure that nobody explains, at once, while a holder lived.
    fn inferred(&self, at: usize, step: &Step, code: &CodeMeaning) -> Option<Incident> {
        let own = &self.timeline.lifetimes[step.lifetime];
        let ended = step.ended?;
        let short = ended.seconds_since(step.at) <= AT_ONCE;
        if code.class != CodeClass::Unknown || own.program != Program::Sdclient || !short {
            return None;
        }
        let blocker = self.blocker(step, step.at)?;
        // It must have lived through all of it, or it explains nothing.
        if !self.timeline.lifetimes[blocker].covers(ended, ended) {
            return None;
        }
        let (_, entry) = step.codes.first()?;
        let proofs = vec![self.proof(*entry)];
        Some(self.incident(at, step, proofs, false))
    }

    /// The lifetime that held a step: alive as its program started and checked.
    fn blocker(&self, step: &Step, checked: Stamp) -> Option<usize> {
        let own = &self.timeline.lifetimes[step.lifetime];
        let named = own.refused.and_then(|entry| {
            let Event::Refused { holder } = &self.logs.entry(entry).event else { return None };
            holder.as_deref()
        });
        let named = named
            .and_then(|name| Program::of_path(&format!("{}.exe", name.trim_end_matches(".exe"))));
        let candidates = self.timeline.lifetimes.iter().enumerate().filter(|(at, lifetime)| {
            *at != step.lifetime
                && self.can_hold(lifetime)
                && lifetime.covers(step.at, checked)
                && named.is_none_or(|program| program == lifetime.program)
        });
        // Best: clearly alive at the start; at work, not waiting for another holder; then a scan
        // before a deployment; then the latest.
        let best = candidates.max_by_key(|(_, lifetime)| {
            let clearly = lifetime.start.at < step.at && lifetime.end.at > step.at;
            let works = lifetime.active_from() <= checked;
            (clearly, works, lifetime.program == Program::Vulscan, lifetime.start.at)
        });
        best.map(|(at, _)| at)
    }

    /// Whether a process holds others off: a scan or a deployment with traces of its own that
    /// was not itself refused.
    fn can_hold(&self, lifetime: &Lifetime) -> bool {
        let refused = lifetime.refused.is_some() || self.is_refused_step(lifetime);
        match lifetime.program {
            Program::Vulscan => !lifetime.is_launch_only(),
            Program::Sdclient => !lifetime.messenger && !refused && !self.refused_by_code(lifetime),
            Program::PolicySync => false,
        }
    }

    fn is_refused_step(&self, lifetime: &Lifetime) -> bool {
        lifetime.step.is_some_and(|step| {
            self.timeline.steps.get(step).is_some_and(|step| {
                let first = step.codes.first();
                first.is_some_and(|(code, _)| {
                    self.codes.meaning(code).class == CodeClass::AlreadyRunning
                })
            })
        })
    }

    fn refused_by_code(&self, lifetime: &Lifetime) -> bool {
        let last = lifetime.codes.last();
        last.is_some_and(|(code, _)| self.codes.meaning(code).class == CodeClass::AlreadyRunning)
    }

    fn mechanism(&self, step: &Step, blocker: Option<usize>) -> Mechanism {
        let Some(blocker) = blocker.map(|at| &self.timeline.lifetimes[at]) else {
            return Mechanism::Unattributed;
        };
        match blocker.program {
            Program::Vulscan => {
                let during = |other: &Lifetime| {
                    (other.program == Program::Sdclient || other.step.is_some())
                        && self.can_hold(other)
                        && other.start.at <= blocker.start.at
                        && blocker.start.at < other.end.at
                        && other.start.at < step.at
                };
                let waited = blocker.waited || blocker.waits.is_some();
                if waited || self.timeline.lifetimes.iter().any(during) {
                    Mechanism::ScanWaited
                } else {
                    Mechanism::ScanRunning
                }
            }
            Program::Sdclient | Program::PolicySync => match blocker.launched_by {
                LaunchedBy::PolicySync | LaunchedBy::CorePush => Mechanism::PolicyTask,
                LaunchedBy::LocalSchedulerFirstRun
                | LaunchedBy::LocalScheduler
                | LaunchedBy::WindowsTask
                | LaunchedBy::Unknown => Mechanism::SdclientRunning,
            },
        }
    }

    /// The lines that show a blocker: its launch, its wait, its work, and the traces nearest
    /// to the refusal on both sides.
    fn prove_blocker(&self, blocker: &Lifetime, at: Stamp, proofs: &mut Vec<Proof>) {
        let mut entries = vec![blocker.start.entry, blocker.end.entry];
        entries.extend(blocker.waits);
        entries.extend(blocker.launcher);
        entries.extend(blocker.active.map(|(_, entry)| entry));
        let stamp = |place: &&EntryRef| self.logs.entry(**place).stamp;
        let before =
            blocker.traces.iter().rfind(|place| stamp(place).is_some_and(|stamp| stamp <= at));
        let after =
            blocker.traces.iter().find(|place| stamp(place).is_some_and(|stamp| stamp >= at));
        entries.extend(before.into_iter().chain(after));
        proofs.extend(entries.into_iter().map(|entry| self.proof(entry)));
    }

    /// Steps that overlapped a holder that blocked nobody, without a refusal.
    fn near_misses(&self, findings: &Findings) -> Vec<usize> {
        let blockers: Vec<usize> =
            findings.incidents.iter().filter_map(|incident| incident.blocker).collect();
        let refused: BTreeMap<usize, ()> =
            findings.incidents.iter().map(|incident| (incident.step, ())).collect();
        let overlaps = |step: &Step| {
            let until = step.ended.unwrap_or(step.at);
            self.timeline.lifetimes.iter().enumerate().any(|(at, other)| {
                at != step.lifetime
                    && other.step.is_none()
                    && self.can_hold(other)
                    && !blockers.contains(&at)
                    && other.start.at < until
                    && step.at < other.end.at
            })
        };
        let steps = self.timeline.steps.iter().enumerate();
        steps
            .filter(|(at, step)| {
                let deployment =
                    self.timeline.lifetimes[step.lifetime].program == Program::Sdclient;
                deployment && !refused.contains_key(at) && overlaps(step)
            })
            .map(|(at, _)| at)
            .collect()
    }
}

/// A step that is refused again when tried again is one incident.
fn merge_retry(incidents: &mut Vec<Incident>, incident: Incident, timeline: &Timeline) {
    let step = &timeline.steps[incident.step];
    if let Some(before) = incidents.last_mut() {
        let other = &timeline.steps[before.step];
        let again =
            other.run == step.run && other.ordinal == step.ordinal && other.name == step.name;
        if again {
            before.attempts += 1;
            return;
        }
    }
    incidents.push(incident);
}

/// Minutes from `earlier` to `later`.
pub fn minutes(later: Stamp, earlier: Stamp) -> f64 {
    // Stamps of logs lie within some thousand years: exact in an f64.
    (later.0 - earlier.0) as f64 / 60_000.0
}

impl Confidence {
    /// In words, for people.
    pub fn word(self) -> &'static str {
        match self {
            Confidence::Confirmed => "confirmed",
            Confidence::Stated => "stated",
            Confidence::Inferred => "inferred",
        }
    }
}
