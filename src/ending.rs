//! How each run ended, and how that is known. A run that was cut off or that hangs is not one
//! with a failed step; where the logs don't tell, it is left open.

use std::collections::BTreeSet;

use provtrace_parsers::code::{CodeClass, CodeTable};
use provtrace_parsers::event::ActionOutcome;
use provtrace_parsers::format::SourceKind;
use provtrace_parsers::stamp::Stamp;
use serde::{Deserialize, Serialize};

use crate::correlate::{Findings, Proof, was_refused};
use crate::holder::Holders;
use crate::lifetime::{EntryRef, Known, Lifetime, Program};
use crate::logs::DeviceLogs;
use crate::provision::{Action, Child};
use crate::timeline::Timeline;

/// A program that has not ended so long after its start hangs, in seconds.
const HANGS: i64 = 2 * 3600;
/// A scan or a deployment that lived so long did its work, in seconds: one that waits writes
/// some lines at its launch, one that is refused ends at once.
const AT_WORK: i64 = 60;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// The last thing that it did ended well.
    Finished,
    /// Its last step failed or was refused, and nothing follows.
    Failed,
    /// Its last step has no end, and its program is gone.
    Cut,
    /// Its last step has no end, hours after its start.
    Hung,
    /// The logs don't tell: they end in the run, or leave its end out.
    Open,
}

/// What shows that a run was cut or hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownBy {
    /// Another run began.
    NextRun,
    /// A scan or a deployment worked, as none does beside the step's program.
    OtherWork,
    /// Lines of the step's own program.
    OwnLines,
    /// A scan waited, or a deployment was refused, while nobody else was there.
    OthersHeld,
    /// The device's logs go on for hours.
    DeviceGoesOn,
}

/// The step in which a run was cut or hangs.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// Index into [`Timeline::steps`]; `None` for an action that starts another program.
    pub step: Option<usize>,
    /// Its name.
    pub name: String,
    /// When its program was started.
    pub since: Stamp,
    /// The last sign of life of its program.
    pub last_sign: Stamp,
    /// What shows the state.
    pub shown_by: ShownBy,
    /// The lines, in order of time.
    pub evidence: Vec<Proof>,
}

/// How one run ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The state.
    pub state: RunState,
    /// For a run that was cut or hangs.
    pub unfinished: Option<Unfinished>,
}

impl Ending {
    fn plain(state: RunState) -> Ending {
        Ending { state, unfinished: None }
    }

    fn of_result(good: bool) -> Ending {
        Ending::plain(if good { RunState::Finished } else { RunState::Failed })
    }
}

/// Tells of each run how it ended; in the order of [`Timeline::runs`].
pub fn endings(
    timeline: &Timeline,
    logs: &DeviceLogs,
    findings: &Findings,
    codes: &CodeTable,
) -> Vec<Ending> {
    let refused = findings.incidents.iter().flat_map(|incident| incident.steps.iter().copied());
    let failed = findings.other_failures.iter().map(|failure| failure.step);
    let bad_steps = refused.chain(failed).collect();
    let holders = Holders::new(timeline, codes);
    let case = Case { timeline, logs, codes, bad_steps, holders };
    (0..timeline.runs.len()).map(|run| case.ending(run)).collect()
}

struct Case<'a> {
    timeline: &'a Timeline,
    logs: &'a DeviceLogs,
    codes: &'a CodeTable,
    /// Steps that failed or were refused.
    bad_steps: BTreeSet<usize>,
    holders: Holders<'a>,
}

/// The last program that a run started.
struct Last<'a> {
    at: Stamp,
    entry: EntryRef,
    child: Option<&'a Child>,
    step: Option<usize>,
}

/// Something that shows that a program is gone or alive, at a moment.
type Sign = (Stamp, EntryRef, ShownBy);

impl Case<'_> {
    fn ending(&self, run: usize) -> Ending {
        let from = self.timeline.runs[run].from;
        let next = self.timeline.runs.get(run + 1).map(|next| next.from);
        let is_inside = |at: Stamp| at >= from && next.is_none_or(|next| at < next);
        let actions = &self.timeline.provisioning.actions;
        let actions: Vec<&Action> = actions.iter().filter(|own| is_inside(own.at)).collect();
        let action = last_in_file(actions.iter().copied(), |own| (own.at, own.entry));
        let last = self.last_program(run, &is_inside);
        let logs_results = actions.iter().any(|action| !action.results.is_empty());
        let later = action.filter(|own| last.as_ref().is_none_or(|last| own.at > last.at));
        match (later, last) {
            (Some(action), _) if logs_results => match self.is_good(action, action.at) {
                Some(good) => Ending::of_result(good),
                None => Ending::plain(RunState::Open),
            },
            (Some(_) | None, None) => Ending::plain(RunState::Open),
            (Some(_) | None, Some(last)) => match self.is_ended_well(&last, action) {
                Some(good) => Ending::of_result(good),
                None => self.without_end(run, &last, action.filter(|_| logs_results)),
            },
        }
    }

    fn last_program(&self, run: usize, is_inside: &dyn Fn(Stamp) -> bool) -> Option<Last<'_>> {
        let Timeline { provisioning, steps, lifetimes, .. } = self.timeline;
        let children = provisioning.children.iter();
        let children = children.filter(|child| !child.messenger && is_inside(child.at));
        let child = last_in_file(children, |child| (child.at, child.created));
        let first = steps.partition_point(|step| step.run < run);
        let after = steps.partition_point(|step| step.run <= run);
        let start = |step: usize| lifetimes[steps[step].lifetime].start.entry;
        let of_step = |step: usize| Last {
            at: steps[step].at,
            entry: start(step),
            child: child.filter(|child| child.created == start(step)),
            step: Some(step),
        };
        let Some(child) = child else { return (first < after).then(|| of_step(after - 1)) };
        let own = (first..after).rfind(|step| start(*step) == child.created);
        let unparented = (first..after).rfind(|step| {
            let entry = start(*step);
            steps[*step].at > child.at && entry.source() != child.created.source()
        });
        let other = Last { at: child.at, entry: child.created, child: Some(child), step: None };
        Some(unparented.or(own).map_or(other, of_step))
    }

    /// How an action ended, by its last result from `from` on.
    fn is_good(&self, action: &Action, from: Stamp) -> Option<bool> {
        let (outcome, _, _) = action.results.last().filter(|(_, at, _)| *at >= from)?;
        Some(match outcome {
            ActionOutcome::Success => true,
            ActionOutcome::Failed => false,
            ActionOutcome::Code(code) => self.codes.meaning(code).class == CodeClass::Success,
        })
    }

    /// How the last program ended: as its step did, or its action, or by its code.
    fn is_ended_well(&self, last: &Last<'_>, action: Option<&Action>) -> Option<bool> {
        let exit = last.child.and_then(|child| child.exit.as_ref());
        let stated = || action.and_then(|action| self.is_good(action, last.at));
        if let Some(at) = last.step {
            let step = &self.timeline.steps[at];
            let own = &self.timeline.lifetimes[step.lifetime];
            let by_itself = last.child.is_none() && (own.end_stated || !step.codes.is_empty());
            let ended = exit.is_some() || by_itself || self.bad_steps.contains(&at);
            return ended.then(|| !self.bad_steps.contains(&at)).or_else(stated);
        }
        let by_code = || Some(self.codes.meaning(&exit?.code).class == CodeClass::Success);
        stated().or_else(by_code)
    }

    /// A run whose last program has no end: cut off, hung, or open.
    fn without_end(&self, run: usize, last: &Last<'_>, action: Option<&Action>) -> Ending {
        let own =
            last.step.map(|step| &self.timeline.lifetimes[self.timeline.steps[step].lifetime]);
        let own_sign = self.own_sign(last, own);
        let gone = self.gone(run, last, own_sign.0);
        let own_lines = (own_sign.0, own_sign.1, ShownBy::OwnLines);
        let hours = |sign: &Sign| sign.0.seconds_since(last.at) >= HANGS;
        // It is known to have ended, and its parent did not see it: the parent was cut off, or,
        // if it says so itself, maybe only its parent's log is.
        let by_itself = own.is_some_and(|own| own.end_stated || !own.codes.is_empty());
        let is_known = |known| matches!(known, Known::Registry | Known::EventLog);
        let has_ended = by_itself || own.is_some_and(|own| is_known(own.end.known));
        if has_ended && !hours(&own_lines) {
            let cut = gone.filter(|sign| !by_itself || sign.2 == ShownBy::NextRun);
            let cut =
                cut.map(|sign| self.unfinished(RunState::Cut, last, action, (own_sign, sign)));
            return cut.unwrap_or_else(|| Ending::plain(RunState::Open));
        }
        let until = gone.map(|(at, _, _)| at);
        let before = |sign: &Sign| until.is_none_or(|until| sign.0 < until);
        let held = self.held(last).filter(before).max_by_key(|sign| (sign.0, sign.1));
        // That nobody else is there, or did any work, says something only where the scanner's
        // log is at hand.
        let held = held.filter(|_| self.has_scans());
        let goes_on = || self.last_record(last.at, until).filter(|_| self.has_scans());
        // Without its parent's word, a missing end may be a log that was cut.
        let silent = action.is_some_and(|own| self.is_good(own, last.at).is_none());
        let parent_misses_it = last.child.is_some() || silent;
        let hangs = Some(own_lines).filter(hours).or_else(|| held.filter(hours));
        let hangs = hangs.or_else(|| goes_on().filter(|sign| parent_misses_it && hours(sign)));
        let alive = held.map_or(own_sign, |held| own_sign.max((held.0, held.1)));
        match (hangs, gone.filter(|_| parent_misses_it)) {
            (Some(sign), _) => self.unfinished(RunState::Hung, last, action, (alive, sign)),
            (None, Some(sign)) => self.unfinished(RunState::Cut, last, action, (alive, sign)),
            (None, None) => Ending::plain(RunState::Open),
        }
    }

    /// The last line of the program, also behind a silence that parts two lifetimes.
    fn own_sign(&self, last: &Last<'_>, own: Option<&Lifetime>) -> (Stamp, EntryRef) {
        let Some(own) = own else { return (last.at, last.entry) };
        let after = self.timeline.lifetimes.partition_point(|other| other.start.at <= last.at);
        let mut sign = (own.end.at, own.end.entry);
        for other in &self.timeline.lifetimes[after..] {
            let same =
                other.program == own.program && other.task.is_some() && other.task == own.task;
            if same && (other.start_stated || other.step.is_some()) {
                break;
            }
            if same {
                sign = sign.max((other.end.at, other.end.entry));
            }
        }
        sign
    }

    fn has_scans(&self) -> bool {
        self.logs.sources.iter().any(|log| log.kind == SourceKind::Vulscan)
    }

    /// The first sign that the program of a step is gone: the next run, or work that is not
    /// done beside it.
    fn gone(&self, run: usize, last: &Last<'_>, alive: Stamp) -> Option<Sign> {
        let next =
            self.timeline.runs.get(run + 1).and_then(|next| {
                Some((next.from, self.first_record(next.from)?, ShownBy::NextRun))
            });
        let after = self.timeline.lifetimes.partition_point(|own| own.start.at <= last.at);
        let others = self.timeline.lifetimes[after..].iter().filter(|own| own.step.is_none());
        let works = others
            .filter_map(|own| self.begins_work(own))
            .map(|(at, entry)| (at, entry, ShownBy::OtherWork));
        works.filter(|sign| sign.0 > alive).chain(next).min_by_key(|sign| (sign.0, sign.1))
    }

    /// When a lifetime did work that it would not have done beside a deployment.
    fn begins_work(&self, own: &Lifetime) -> Option<(Stamp, EntryRef)> {
        let start = (own.start.at, own.start.entry);
        match own.program {
            Program::Vulscan if own.waits.is_some() || own.waited => own.active,
            Program::Vulscan => (!own.is_launch_only() && lasted(own) >= AT_WORK).then_some(start),
            Program::Sdclient => {
                let refused = own.messenger || was_refused(own, self.codes);
                (!refused && lasted(own) >= AT_WORK).then_some(start)
            }
            Program::PolicySync => None,
        }
    }

    /// Signs that somebody holds others while nobody but the last program is there: scans
    /// that wait, deployments that are refused.
    fn held<'s>(&'s self, last: &'s Last<'_>) -> impl Iterator<Item = Sign> + 's {
        let lifetimes = &self.timeline.lifetimes;
        let after = lifetimes.partition_point(|own| own.start.at <= last.at);
        let own = last.step.map(|step| self.timeline.steps[step].lifetime);
        lifetimes.iter().enumerate().skip(after).filter_map(move |(at, other)| {
            let waits = other.program == Program::Vulscan
                && other.waits.is_some()
                && other.active.is_none();
            let refused = other.program == Program::Sdclient && was_refused(other, self.codes);
            let sign = if waits { other.end } else { other.start };
            let mut holders = self.holders.alive(at, sign.at, sign.at);
            let alone = holders.all(|holder| {
                let holder_waits =
                    lifetimes[holder].waits.is_some() && lifetimes[holder].active.is_none();
                Some(holder) == own || holder_waits
            });
            let held = other.step.is_none() && (waits || refused) && alone;
            held.then_some((sign.at, sign.entry, ShownBy::OthersHeld))
        })
    }

    /// The first record of a run.
    fn first_record(&self, from: Stamp) -> Option<EntryRef> {
        let provisioning = &self.timeline.provisioning;
        let actions = provisioning.actions.iter().map(|own| (own.at, own.entry));
        let children = provisioning.children.iter().map(|own| (own.at, own.created));
        let steps = self
            .timeline
            .steps
            .iter()
            .map(|step| (step.at, self.timeline.lifetimes[step.lifetime].start.entry));
        let all = actions.chain(children).chain(steps).filter(|(at, _)| *at == from);
        all.map(|(_, entry)| entry).min()
    }

    /// The device's last record after `from` and before `until`. Those of provisioning are left
    /// out: the clock before the domain join may be hours ahead.
    fn last_record(&self, from: Stamp, until: Option<Stamp>) -> Option<Sign> {
        let mut last: Option<(Stamp, EntryRef)> = None;
        for (source, log) in self.logs.sources.iter().enumerate() {
            if log.kind == SourceKind::Provisioning {
                continue;
            }
            for (entry, record) in log.entries.iter().enumerate() {
                let Some(at) = record.stamp() else { continue };
                if at > from && until.is_none_or(|until| at < until) {
                    last = last.max(Some((at, EntryRef::new(source, entry))));
                }
            }
        }
        last.map(|(at, entry)| (at, entry, ShownBy::DeviceGoesOn))
    }

    fn unfinished(
        &self,
        state: RunState,
        last: &Last<'_>,
        action: Option<&Action>,
        (alive, shown): ((Stamp, EntryRef), Sign),
    ) -> Ending {
        let step = last.step.map(|step| &self.timeline.steps[step]);
        let program = || {
            let path = last.child.map_or("", |child| child.path.as_str());
            path.rsplit(['\\', '/']).next().unwrap_or(path).to_owned()
        };
        let action = || action.map(|action| action.name.clone());
        let name = step.map(|step| step.name.clone()).or_else(action).unwrap_or_else(program);
        let mut entries = vec![last.entry, alive.1, shown.1];
        entries.sort_by_key(|entry| (self.logs.entry(*entry).stamp(), *entry));
        entries.dedup();
        let proof = |entry: EntryRef| Proof { says: self.logs.entry(entry).event.word(), entry };
        Ending {
            state,
            unfinished: Some(Unfinished {
                step: last.step,
                name,
                since: last.at,
                last_sign: alive.0,
                shown_by: shown.2,
                evidence: entries.into_iter().map(proof).collect(),
            }),
        }
    }
}

/// The last item: in time, but in its file's order, since a clock that is put back is no end.
fn last_in_file<'i, T>(
    items: impl Iterator<Item = &'i T> + Clone,
    place: impl Fn(&T) -> (Stamp, EntryRef),
) -> Option<&'i T> {
    let (_, last) = items.clone().map(&place).max()?;
    items.filter(|item| place(item).1.source() == last.source()).max_by_key(|item| place(item).1)
}

fn lasted(own: &Lifetime) -> i64 {
    own.end.at.seconds_since(own.start.at)
}
