//! Rules for logs of unknown wording, from the logs themselves: `formats learn`.
//!
//! What can be relied on is no wording: names of files, names of programs, arguments, numbers, and
//! what happens when. First the stamps, so that there is time at all; then the provisioning agent's
//! children, whose ends and codes are known by their turns; then, with these, the programs' own
//! lines; with all that the code of a refusal; and with it the lines that say why. A share may hold
//! several versions and languages: each thing is learned from the devices that don't say it in known
//! words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use provtrace_parsers::code::CodeClass;
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::guess::Guess;
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::text::CodePage;
use rayon::prelude::*;

use crate::chance::FEWEST_DEVICES;
use crate::children;
use crate::discover::{Device, Share, slashed};
use crate::forms::Forms;
use crate::overlays::{self, Overlay};
use crate::proposal::{CodeProposal, Lesson, RuleProposal};
use crate::roles::Maker;
use crate::sample::{self, SampleLog, spread};
use crate::stamps::{self, Tail};
use crate::standstill::{self, Found, Refused};
use crate::story::{self, Request};
use crate::suspicion;
use crate::trail::Trail;

/// Most devices that are learned from.
const MOST_DEVICES: usize = 300;
/// How often each of them is read, at most.
pub const PASSES: u64 = 4;

/// What is known before.
#[derive(Debug)]
pub struct Before {
    /// The overlays in force.
    pub overlays: Vec<Overlay>,
    /// What lines are that are not UTF-8.
    pub page: CodePage,
    /// All else that an analysis is asked for.
    pub request: Request,
}

/// Learns from a share's devices; `progress` is told of bytes as they are read.
///
/// # Errors
/// None but of overlays that were right a moment ago.
pub fn learn(
    share: &Share,
    before: Before,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Lesson, String> {
    let chosen: Vec<&Device> = spread(&share.devices, MOST_DEVICES).collect();
    let lesson =
        Lesson { of: share.devices.len(), skipped: share.skipped.clone(), ..Lesson::default() };
    let mut pupil = Pupil { chosen, before, lesson, progress };
    pupil.stamps()?;
    let logs = pupil.logs();
    pupil.stage(&logs, &CHILDREN, &|format, forms| {
        looked(children::rules(format, forms), "no program's path and number take turns")
    })?;
    let trails = pupil.trails();
    let trails = if pupil.programs(&logs, &trails)? { pupil.trails() } else { trails };
    pupil.codes(&trails)?;
    pupil.stage(&logs, &WAITS, &|format, forms| {
        standstill::waits(&Maker::new(format, forms), &trails)
    })?;
    let refused = pupil.refused(&trails);
    pupil.stage(&logs, &REFUSALS, &|format, forms| {
        standstill::refusals(&Maker::new(format, forms), &refused)
    })?;
    pupil.lesson.devices = trails.iter().filter(|trail| trail.files > 0).count();
    pupil.lesson.files = trails.iter().map(|trail| trail.files).sum();
    pupil.lesson.skipped.extend(trails.into_iter().flat_map(|trail| trail.skipped));
    Ok(pupil.lesson)
}

/// An overlay that is in force is not written over.
///
/// # Errors
/// Why not, and what to do.
pub fn refuse_to_lose(overlays: &[Overlay], output: Option<&Path>) -> Result<(), String> {
    match output.filter(|output| overlays::is_one_of(overlays, output)) {
        Some(output) => Err(format!(
            "{}: this overlay is in force, and what it says would be lost, since only what is new is learned; write to another file, and give both back",
            slashed(output)
        )),
        None => Ok(()),
    }
}

/// What is looked for in the logs of some programs.
struct Stage {
    /// What it finds, for people.
    what: &'static str,
    /// In whose logs.
    kinds: &'static [SourceKind],
    /// Devices that say one of these in known words are left out; where there is none, the stage
    /// itself leaves out what is said.
    says: &'static [Meaning],
}

const CHILDREN: Stage = Stage {
    what: "children of the provisioning agent",
    kinds: &[SourceKind::Provisioning],
    says: &[Meaning::ProcessExited],
};
const BEGINNINGS: Stage = Stage {
    what: "beginnings",
    kinds: &[SourceKind::Sdclient, SourceKind::Vulscan, SourceKind::Policysync],
    says: &[Meaning::RunStarts],
};
const ENDS: Stage = Stage {
    what: "ends",
    // What sdclient says last, its code, its parent knows as well.
    kinds: &[SourceKind::Vulscan, SourceKind::Policysync],
    says: &[Meaning::RunEnds, Meaning::ResultReported],
};
const RESULTS: Stage = Stage {
    what: "results",
    kinds: &[SourceKind::Sdclient],
    says: &[Meaning::RunEnds, Meaning::ResultReported],
};
const WAITS: Stage = Stage { what: "waits", kinds: &[SourceKind::Vulscan], says: &[] };
const REFUSALS: Stage = Stage { what: "refusals", kinds: &[SourceKind::Sdclient], says: &[] };

fn looked(rules: Vec<RuleProposal>, looked_at: &str) -> Found {
    Found { rules, looked_at: looked_at.to_owned() }
}

/// What learns.
struct Pupil<'d> {
    chosen: Vec<&'d Device>,
    before: Before,
    lesson: Lesson,
    progress: &'d (dyn Fn(u64) + Sync),
}

impl Pupil<'_> {
    /// The formats with what was learned so far.
    fn formats(&self) -> Result<Formats, String> {
        let mut all = self.before.overlays.clone();
        let text = self.lesson.overlay();
        all.push(Overlay { shown: "learned.toml".to_owned(), text });
        let mut formats = overlays::load(&all)?;
        formats.read_with(self.before.page);
        Ok(formats)
    }

    /// Puts what was learned in force.
    fn apply(&mut self) -> Result<(), String> {
        self.before.request.formats = self.formats()?;
        Ok(())
    }

    fn each<T: Send>(&self, read: impl Fn(usize, &Device) -> T + Sync) -> Vec<T> {
        let devices = self.chosen.par_iter().enumerate();
        devices.map(|(number, device)| read(number, device)).collect()
    }

    /// The sampled lines of all devices, read with what is known by now.
    fn logs(&mut self) -> Vec<SampleLog> {
        let (formats, all) = (&self.before.request.formats, self.chosen.len());
        let read = |number, device: &Device| {
            sample::of_device(number, device, formats, all, &|bytes| (self.progress)(bytes))
        };
        let logs: Vec<SampleLog> = self.each(read).into_iter().flatten().collect();
        let cut = logs.iter().filter(|log| log.dropped > 0).count();
        if cut > 0 {
            let dropped: u64 = logs.iter().map(|log| log.dropped).sum();
            self.lesson.open.push(format!(
                "of {cut} of {} logs only the last lines were looked at: {dropped} lines were not",
                logs.len()
            ));
        }
        logs
    }

    /// What is needed of the devices' stories, with what is known by now; each story itself goes
    /// away at once.
    fn trails(&self) -> Vec<Trail> {
        let request = &self.before.request;
        self.each(|_, device| {
            let story = story::tell(device, request, &|bytes| (self.progress)(bytes));
            Trail::of(story, &request.formats.codes)
        })
    }

    /// Layouts for the logs whose stamps are not known.
    fn stamps(&mut self) -> Result<(), String> {
        let formats = &self.before.request.formats;
        let read = |number, device: &Device| {
            stamps::unread(number, device, formats, &|bytes| (self.progress)(bytes))
        };
        let tails: Vec<Tail> = self.each(read).into_iter().flatten().collect();
        let mut formats: BTreeMap<&str, Vec<&Tail>> = BTreeMap::new();
        for tail in &tails {
            formats.entry(&tail.format).or_default().push(tail);
        }
        if formats.is_empty() {
            self.lesson.open.push("stamps: those of all logs are known".to_owned());
        }
        // Those with the longest logs first: there it is told which number is the day.
        let mut formats: Vec<(&str, Vec<&Tail>)> = formats.into_iter().collect();
        let length = |logs: &[&Tail]| logs.iter().map(|log| log.lines.len()).sum::<usize>();
        formats.sort_by_key(|(_, logs)| std::cmp::Reverse(length(logs) / logs.len()));
        for (format, logs) in formats {
            let known: Vec<Guess> =
                self.lesson.stamps.iter().map(|own| own.guess.clone()).collect();
            let found = stamps::of_format(format, &logs, &known);
            found.layouts.into_iter().for_each(|guess| self.lesson.add_stamp(format, guess));
            self.lesson.open.extend(found.open);
        }
        self.apply()
    }

    /// Adds rules, one by one if not all can be loaded; one that can't be is said. Tells whether any
    /// was added.
    fn add(&mut self, rules: Vec<RuleProposal>) -> Result<bool, String> {
        let before = self.lesson.rules.len();
        let mut new = Vec::new();
        for rule in rules {
            let same = |other: &&RuleProposal| {
                other.format == rule.format && other.specimen == rule.specimen
            };
            match self.lesson.rules.iter().chain(&new).find(same) {
                Some(other) => self.lesson.open.push(format!(
                    "{}: \u{201c}{}\u{201d} could be {}, too, and is proposed as {}",
                    rule.format,
                    rule.specimen,
                    rule.means.word(),
                    other.means.word()
                )),
                None => new.push(rule),
            }
        }
        self.lesson.rules.extend(new.iter().cloned());
        if self.formats().is_err() {
            self.lesson.rules.truncate(before);
            new.into_iter().for_each(|rule| self.try_to_add(rule));
        }
        self.apply()?;
        Ok(self.lesson.rules.len() > before)
    }

    fn try_to_add(&mut self, rule: RuleProposal) {
        let told = rule.name.clone();
        self.lesson.rules.push(rule);
        if let Err(error) = self.formats() {
            self.lesson.rules.pop();
            let why = error.split_once(": ").map_or(error.as_str(), |(_, why)| why);
            self.lesson.open.push(format!("no rule could be made of {told}: {why}"));
        }
    }

    /// Looks for something in the logs of each format where it is not said in known words.
    fn stage(
        &mut self,
        logs: &[SampleLog],
        stage: &Stage,
        find: &dyn Fn(&str, &Forms<'_>) -> Found,
    ) -> Result<bool, String> {
        let mut rules = Vec::new();
        let mut open = Vec::new();
        for (format, own) in by_format(logs) {
            if !stage.kinds.contains(&own[0].kind) {
                continue;
            }
            let unsaid = unsaid(&own, stage.says);
            let (all, left) = (devices(&own), devices(&unsaid));
            if left < FEWEST_DEVICES {
                open.push(format!(
                    "{format}, {}: not looked for; {} of {all} devices say it in known words, and on fewer than {FEWEST_DEVICES} devices nothing shows",
                    stage.what,
                    all - left
                ));
                continue;
            }
            let found = find(format, &Forms::new(&unsaid));
            if found.rules.is_empty() {
                open.push(format!(
                    "{format}, {}: none found on {left} of {all} devices; {}",
                    stage.what, found.looked_at
                ));
            }
            rules.extend(found.rules);
        }
        if !logs.iter().any(|log| stage.kinds.contains(&log.kind)) {
            open.push(format!("{}: not looked for; no such log was read", stage.what));
        }
        self.lesson.open.extend(open);
        self.add(rules)
    }

    /// The programs' own lines. Tells whether any was added.
    fn programs(&mut self, logs: &[SampleLog], trails: &[Trail]) -> Result<bool, String> {
        let edge = "no line stands in one place of a program's lives and hardly elsewhere";
        let begin = self.stage(logs, &BEGINNINGS, &|format, forms| {
            looked(Maker::new(format, forms).beginnings(), edge)
        })?;
        let end = self
            .stage(logs, &ENDS, &|format, forms| looked(Maker::new(format, forms).ends(), edge))?;
        let results = self.stage(logs, &RESULTS, &|format, forms| {
            let none = "no line's number is the exit code that the parent saw";
            looked(Maker::new(format, forms).results(trails), none)
        })?;
        Ok(begin || end || results)
    }

    /// The code of a refusal.
    fn codes(&mut self, trails: &[Trail]) -> Result<(), String> {
        let suspects = suspicion::suspects(trails.iter().map(|trail| &trail.ended));
        if suspects.is_empty() {
            let ended = trails.iter().flat_map(|trail| &trail.ended);
            let unknown: BTreeSet<u32> =
                ended.filter(|(_, own)| !own.known).map(|(code, _)| *code).collect();
            self.lesson.open.push(format!(
                "exit codes: {} of unknown meaning; none is far more frequent where a deployment ends at once beside another program",
                unknown.len()
            ));
        }
        for suspect in suspects {
            let place = trails.get(suspect.first).and_then(|own| own.places.get(&suspect.code));
            let place = place.cloned().unwrap_or_default();
            let code = CodeProposal { value: suspect.code, rests_on: suspect.told(), place };
            self.lesson.codes.push(code);
        }
        self.apply()
    }

    /// Moments of refused deployments, with the codes that are known by now.
    fn refused(&self, trails: &[Trail]) -> Refused {
        let codes = &self.before.request.formats.codes;
        let mut refused = Refused::new();
        for (device, trail) in trails.iter().enumerate() {
            for own in &trail.failed {
                if codes.meaning(&own.code).class == CodeClass::AlreadyRunning {
                    refused.entry((device, own.task.clone())).or_default().extend(&own.moments);
                }
            }
        }
        refused
    }
}

/// Logs by their format.
fn by_format(logs: &[SampleLog]) -> BTreeMap<&str, Vec<&SampleLog>> {
    let mut formats: BTreeMap<&str, Vec<&SampleLog>> = BTreeMap::new();
    for log in logs {
        formats.entry(&log.format).or_default().push(log);
    }
    formats
}

fn devices(logs: &[&SampleLog]) -> usize {
    logs.iter().map(|log| log.device).collect::<BTreeSet<_>>().len()
}

/// Of a format's logs, those of devices that say none of some things in known words. Where an agent
/// changed its stamps, what it wrote before and behind are looked at apart.
fn unsaid<'s>(logs: &[&'s SampleLog], what: &[Meaning]) -> Vec<&'s SampleLog> {
    let voice = |log: &SampleLog| (log.device, log.foreign);
    let says = |log: &&&SampleLog| {
        log.lines.iter().any(|line| line.means.is_some_and(|means| what.contains(&means)))
    };
    let saying: BTreeSet<(usize, bool)> = logs.iter().filter(says).map(|log| voice(log)).collect();
    logs.iter().filter(|log| !saying.contains(&voice(log))).copied().collect()
}
