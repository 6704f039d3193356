//! One device's timeline → incidents, near misses, other failures.
//!
//! An incident is a refusal. Nearness in time alone never makes one, and what is not shown is
//! not said: a blocker needs traces of its own that cover the moment.

use std::collections::BTreeSet;

use provtrace_parsers::code::{CodeClass, CodeMeaning, CodeTable, ExitCode};
use provtrace_parsers::event::{Event, Mark};
use provtrace_parsers::stamp::Stamp;
use serde::{Deserialize, Serialize};

use crate::clock::minutes;
use crate::holder::Holders;
use crate::lifetime::{EntryRef, LaunchedBy, Lifetime, Program, SLACK};
use crate::logs::DeviceLogs;
use crate::run::Step;
use crate::timeline::Timeline;

/// A refused program exits at once: the longest run that counts as that, in seconds.
const AT_ONCE: i64 = 15;

/// What blocked a step, by DOMAIN.md's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
            Mechanism::Unattributed => "no one that the logs show",
        }
    }
}

/// How well an incident is proven, by REPORT.md's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Indices into [`Timeline::steps`]: every refused attempt, the first one first.
    pub steps: Vec<usize>,
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
    /// Whether it rests on wording that was learned.
    pub learned: bool,
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
    let case = Case { timeline, logs, codes, holders: Holders::new(timeline, codes) };
    let mut findings = Findings::default();
    for (at, step) in timeline.steps.iter().enumerate() {
        let incident = match case.verdict(step) {
            Verdict::Fine => None,
            Verdict::Refused(proofs) => {
                let blocker = case.moment(step).and_then(|(from, to)| case.blocker(step, from, to));
                Some(case.incident(at, proofs, blocker, true))
            }
            Verdict::Failed(code) => {
                let inferred = case.inferred(at, &code);
                if inferred.is_none() {
                    findings.other_failures.push(OtherFailure { step: at, code });
                }
                inferred
            }
        };
        if let Some(incident) = incident {
            add_or_merge(&mut findings.incidents, incident, timeline);
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
    holders: Holders<'a>,
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

    /// When a refused program looked around and was refused: from its start to the line that
    /// states it, or to its end at once. A refusal that is known by the code of a long run
    /// alone has no known moment.
    fn moment(&self, step: &Step) -> Option<(Stamp, Stamp)> {
        let own = &self.timeline.lifetimes[step.lifetime];
        let stated = own.refused.and_then(|entry| self.logs.entry(entry).stamp());
        if let Some(stated) = stated.filter(|stated| stated.seconds_since(step.at) > SLACK) {
            return Some((stated, stated));
        }
        if let Some(stated) = stated {
            return Some((step.at, stated.max(step.at)));
        }
        let ended = step.ended.unwrap_or(step.at).max(step.at);
        let at_once = ended.seconds_since(step.at) <= AT_ONCE;
        at_once.then_some((step.at, Stamp(ended.0.min(step.at.0 + SLACK * 1000))))
    }

    fn incident(
        &self,
        at: usize,
        mut proofs: Vec<Proof>,
        blocker: Option<usize>,
        stated: bool,
    ) -> Incident {
        let step = &self.timeline.steps[at];
        let own = &self.timeline.lifetimes[step.lifetime];
        proofs.push(self.proof(own.start.entry));
        if let Some(blocker) = blocker {
            self.prove_blocker(&self.timeline.lifetimes[blocker], step.at, &mut proofs);
        }
        proofs.sort_by_key(|proof| (self.logs.entry(proof.entry).stamp(), proof.entry));
        proofs.dedup_by_key(|proof| proof.entry);
        let install = self.timeline.installs.iter().rfind(|install| **install <= step.at);
        let confidence = match (stated, blocker) {
            (true, Some(_)) => Confidence::Confirmed,
            (true, None) => Confidence::Stated,
            (false, _) => Confidence::Inferred,
        };
        Incident {
            steps: vec![at],
            mechanism: self.mechanism(step, blocker),
            confidence,
            blocker,
            at: step.at,
            minutes_after_agent_install: install.map(|install| minutes(step.at, *install)),
            code: step.codes.first().map(|(code, _)| code.clone()),
            assumed: self.rests_on(Mark::Assumed, step, &proofs),
            learned: self.rests_on(Mark::Learned, step, &proofs),
            evidence: proofs,
        }
    }

    /// Whether a line of proof, or the meaning of the step's code, has this mark.
    fn rests_on(&self, mark: Mark, step: &Step, proofs: &[Proof]) -> bool {
        let code = |(code, _): &(ExitCode, EntryRef)| {
            let meaning = self.codes.meaning(code);
            meaning.class == CodeClass::AlreadyRunning && meaning.mark == Some(mark)
        };
        proofs.iter().any(|proof| self.logs.entry(proof.entry).mark == Some(mark))
            || step.codes.iter().any(code)
    }

    /// A failure that nobody explains, at once, while a holder lived through all of it.
    fn inferred(&self, at: usize, code: &CodeMeaning) -> Option<Incident> {
        let step = &self.timeline.steps[at];
        let own = &self.timeline.lifetimes[step.lifetime];
        let ended = step.ended?;
        let short = ended.seconds_since(step.at) <= AT_ONCE;
        if code.class != CodeClass::Unknown || own.program != Program::Sdclient || !short {
            return None;
        }
        let lives_on = |at: &usize| self.timeline.lifetimes[*at].covers(ended, ended);
        let candidates = self.holders.alive(step.lifetime, step.at, step.at).filter(lives_on);
        let blocker = self.best(candidates, step, step.at)?;
        let (_, entry) = step.codes.first()?;
        Some(self.incident(at, vec![self.proof(*entry)], Some(blocker), false))
    }

    /// The lifetime that held a step, alive as its program looked around; of the program that
    /// the refusal names, if it names one.
    fn blocker(&self, step: &Step, from: Stamp, to: Stamp) -> Option<usize> {
        let own = &self.timeline.lifetimes[step.lifetime];
        let named = own.refused.and_then(|entry| {
            let Event::Refused { holder } = &self.logs.entry(entry).event else { return None };
            let name = holder.as_deref()?.trim_end_matches(".exe");
            Program::of_path(&format!("{name}.exe"))
        });
        let fits =
            |at: &usize| named.is_none_or(|named| named == self.timeline.lifetimes[*at].program);
        self.best(self.holders.alive(step.lifetime, from, to).filter(fits), step, to)
    }

    /// Best: clearly alive at the start; at work, not waiting for another holder; then a scan
    /// before a deployment; then the latest.
    fn best(
        &self,
        candidates: impl Iterator<Item = usize>,
        step: &Step,
        checked: Stamp,
    ) -> Option<usize> {
        candidates.max_by_key(|at| {
            let lifetime = &self.timeline.lifetimes[*at];
            let clearly = lifetime.start.at < step.at && lifetime.end.at > step.at;
            let works = lifetime.active_from() <= checked;
            (clearly, works, lifetime.program == Program::Vulscan, lifetime.start.at)
        })
    }

    fn mechanism(&self, step: &Step, blocker: Option<usize>) -> Mechanism {
        let Some(at) = blocker else { return Mechanism::Unattributed };
        let blocker = &self.timeline.lifetimes[at];
        match blocker.program {
            Program::Vulscan if self.waited(at, step) => Mechanism::ScanWaited,
            Program::Vulscan => Mechanism::ScanRunning,
            Program::Sdclient | Program::PolicySync if blocker.policy => Mechanism::PolicyTask,
            Program::Sdclient | Program::PolicySync => match blocker.launched_by {
                LaunchedBy::PolicySync | LaunchedBy::CorePush => Mechanism::PolicyTask,
                LaunchedBy::LocalSchedulerFirstRun
                | LaunchedBy::LocalScheduler
                | LaunchedBy::WindowsTask
                | LaunchedBy::Unknown => Mechanism::SdclientRunning,
            },
        }
    }

    /// Whether a scan waited: it says so, it was seen to, or it was launched while a deployment or an
    /// earlier scan step ran.
    fn waited(&self, scan: usize, step: &Step) -> bool {
        let lifetime = &self.timeline.lifetimes[scan];
        let launched = lifetime.start.at;
        let ran = |at: usize| {
            let other = &self.timeline.lifetimes[at];
            (other.program == Program::Sdclient || other.step.is_some())
                && launched < other.end.at
                && other.start.at < step.at
        };
        let told = lifetime.waited || lifetime.waits.is_some();
        told || self.holders.alive(scan, launched, launched).any(ran)
    }

    /// The lines that show a blocker: its launch, its wait, its work, and the traces nearest
    /// to the refusal on both sides.
    fn prove_blocker(&self, blocker: &Lifetime, at: Stamp, proofs: &mut Vec<Proof>) {
        let mut entries = vec![blocker.start.entry, blocker.end.entry];
        entries.extend(blocker.waits);
        entries.extend(blocker.launcher);
        entries.extend(blocker.active.map(|(_, entry)| entry));
        let stamp = |place: &&EntryRef| self.logs.entry(**place).stamp();
        // Traces are in order of time.
        let later = blocker.traces.partition_point(|place| stamp(&place) <= Some(at));
        let around = later.saturating_sub(1)..(later + 1).min(blocker.traces.len());
        entries.extend(&blocker.traces[around]);
        proofs.extend(entries.into_iter().map(|entry| self.proof(entry)));
    }

    /// Steps that overlapped a holder that blocked nobody, without a refusal.
    fn near_misses(&self, findings: &Findings) -> Vec<usize> {
        let incidents = &findings.incidents;
        let blockers: BTreeSet<usize> =
            incidents.iter().filter_map(|incident| incident.blocker).collect();
        let refused: BTreeSet<usize> =
            incidents.iter().flat_map(|incident| incident.steps.iter().copied()).collect();
        let overlaps = |step: &Step| {
            let until = step.ended.unwrap_or(step.at);
            self.holders.alive(step.lifetime, step.at, until).any(|at| {
                let other = &self.timeline.lifetimes[at];
                other.step.is_none()
                    && !blockers.contains(&at)
                    && other.start.at < until
                    && step.at < other.end.at
            })
        };
        let steps = self.timeline.steps.iter().enumerate();
        let missed = steps.filter(|(at, step)| {
            let deployment = self.timeline.lifetimes[step.lifetime].program == Program::Sdclient;
            deployment && !refused.contains(at) && overlaps(step)
        });
        missed.map(|(at, _)| at).collect()
    }
}

/// A step that is refused again when tried again is one incident.
fn add_or_merge(incidents: &mut Vec<Incident>, incident: Incident, timeline: &Timeline) {
    let step_of = |incident: &Incident| incident.steps.last().map(|at| &timeline.steps[*at]);
    let before = incidents.last_mut();
    if let Some((before, own)) = before.zip(step_of(&incident))
        && let Some(other) = step_of(before)
        && other.run == own.run
        && other.ordinal == own.ordinal
    {
        before.steps.extend(incident.steps);
        return;
    }
    incidents.push(incident);
}

/// Whether a deployment was refused, by its own log.
pub fn was_refused(lifetime: &Lifetime, codes: &CodeTable) -> bool {
    let code = lifetime.codes.last().map(|(code, _)| codes.meaning(code).class);
    lifetime.refused.is_some() || code == Some(CodeClass::AlreadyRunning)
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
