//! Rules for logs of unknown wording, from the logs themselves: `formats learn`.
//!
//! What can be relied on is no wording: names of files, names of programs, arguments, numbers, and
//! what happens when. First the stamps, so that there is time at all; then the provisioning agent's
//! children, whose ends and codes are known by their turns; then, with these, the programs' own
//! lines; with all that the code of a refusal; and with it the lines that say why.

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Formats, SourceKind};
use provtrace_parsers::guess;
use provtrace_parsers::rule::Meaning;
use provtrace_parsers::stamp::Stamp;
use provtrace_parsers::text::CodePage;
use rayon::prelude::*;

use crate::children;
use crate::discover::Device;
use crate::forms::Forms;
use crate::lifetime::{EntryRef, Program};
use crate::overlays::{self, Overlay};
use crate::proposal::{CodeProposal, Lesson, RuleProposal, StampProposal};
use crate::roles::{Exits, Lives, Maker};
use crate::sample::{self, SampleLog};
use crate::story::{self, Request, Story};
use crate::suspicion::{self, Suspect};

/// Most devices that are learned from.
const MOST_DEVICES: usize = 300;
/// Lines of each log that stamps are guessed from.
const STAMPED: usize = 60;
/// Most lines of a format for that.
const MOST_STAMPED: usize = 12_000;

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

/// Learns from a share's devices; `progress` is told of each device that was read again.
///
/// # Errors
/// None but of overlays that were right a moment ago.
pub fn learn(
    devices: &[Device],
    before: Before,
    progress: &(dyn Fn() + Sync),
) -> Result<Lesson, String> {
    let step = devices.len().div_ceil(MOST_DEVICES).max(1);
    let chosen: Vec<&Device> = devices.iter().step_by(step).collect();
    let lesson = Lesson { devices: chosen.len(), of: devices.len(), ..Lesson::default() };
    let mut pupil = Pupil { chosen, before, lesson, progress };
    pupil.stamps()?;
    let logs = pupil.logs();
    pupil.children(&logs)?;
    let stories = pupil.stories();
    let stories = match pupil.programs(&logs, &exits(&stories))? {
        true => pupil.stories(),
        false => stories,
    };
    pupil.codes(&stories)?;
    pupil.waits(&logs, &stories)?;
    pupil.refusals(&logs, &stories)?;
    Ok(pupil.lesson)
}

/// What learns.
struct Pupil<'d> {
    chosen: Vec<&'d Device>,
    before: Before,
    lesson: Lesson,
    progress: &'d (dyn Fn() + Sync),
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

    /// The sampled lines of all devices, read with what is known by now.
    fn logs(&self) -> Vec<SampleLog> {
        let formats = &self.before.request.formats;
        let read = |(number, device): (usize, &&Device)| {
            let logs = sample::of_device(number, device, formats);
            (self.progress)();
            logs
        };
        self.chosen
            .par_iter()
            .enumerate()
            .map(read)
            .collect::<Vec<_>>()
            .into_iter()
            .flatten()
            .collect()
    }

    /// The devices' stories, with what is known by now.
    fn stories(&self) -> Vec<Story> {
        let tell = |device: &&Device| {
            let story = story::tell(device, &self.before.request, &|_| {});
            (self.progress)();
            story
        };
        self.chosen.par_iter().map(tell).collect()
    }

    /// Layouts for the formats whose stamps are not known.
    fn stamps(&mut self) -> Result<(), String> {
        let logs = self.logs();
        // Those with the longest logs first: there it is told which number is the day.
        let mut formats: Vec<(&str, Vec<&SampleLog>)> = by_format(&logs).into_iter().collect();
        let length = |logs: &[&SampleLog]| logs.iter().map(|log| log.lines.len()).sum::<usize>();
        formats.sort_by_key(|(_, logs)| std::cmp::Reverse(length(logs) / logs.len()));
        for (format, logs) in formats {
            let (mut stamped, mut all) = (0, 0);
            let mut lines = Vec::new();
            let mut room = MOST_STAMPED;
            for log in &logs {
                all += log.lines.len();
                stamped += log.lines.iter().filter(|line| line.stamp.is_some()).count();
                let own = log.lines.iter().map(|line| line.text.to_string());
                let own: Vec<String> = own.take(STAMPED.min(room)).collect();
                room -= own.len();
                lines.push(own);
            }
            if stamped * 2 >= all {
                continue;
            }
            let known: Vec<guess::Guess> =
                self.lesson.stamps.iter().map(|own| own.guess.clone()).collect();
            match guess::layout(&lines, &known) {
                Some(guess) if !guess.ambiguous => self.add_stamp(format, guess),
                Some(guess) => self.lesson.open.push(format!(
                    "{format}: day and month of its stamps can't be told apart ({}); write the stamp yourself",
                    guess.specimen
                )),
                None => self.lesson.open.push(format!(
                    "{format}: no layout of a stamp fits half of its lines; without stamps nothing can be learned of it"
                )),
            }
        }
        self.apply()
    }

    fn add_stamp(&mut self, format: &str, guess: guess::Guess) {
        let same = |own: &&mut StampProposal| {
            own.guess.layout == guess.layout
                && own.guess.months == guess.months
                && own.guess.halves == guess.halves
        };
        if let Some(own) = self.lesson.stamps.iter_mut().find(same) {
            own.guess.lines += guess.lines;
            own.guess.of += guess.of;
            own.formats.push(format.to_owned());
            return;
        }
        let name = format!("learned-{}", self.lesson.stamps.len() + 1);
        self.lesson.stamps.push(StampProposal { name, formats: vec![format.to_owned()], guess });
    }

    /// Adds rules one by one; one that can't be loaded is said. Tells whether any was added.
    fn add(&mut self, rules: Vec<RuleProposal>) -> Result<bool, String> {
        let before = self.lesson.rules.len();
        for rule in rules {
            let told = rule.name.clone();
            self.lesson.rules.push(rule);
            if let Err(error) = self.formats() {
                self.lesson.rules.pop();
                let why = error.split_once(": ").map_or(error.as_str(), |(_, why)| why);
                self.lesson.open.push(format!("no rule could be made of {told}: {why}"));
            }
        }
        self.apply()?;
        Ok(self.lesson.rules.len() > before)
    }

    /// The provisioning agent's children.
    fn children(&mut self, logs: &[SampleLog]) -> Result<bool, String> {
        let mut rules = Vec::new();
        for (format, own) in by_format(logs) {
            let known = is_said(&own, |event| matches!(event, Event::ProcessExited { .. }));
            if own[0].kind == SourceKind::Provisioning && !known {
                rules.extend(children::rules(format, &Forms::new(own.into_iter())));
            }
        }
        self.add(rules)
    }

    /// The programs' own lines: beginnings, ends, results.
    fn programs(&mut self, logs: &[SampleLog], exits: &Exits) -> Result<bool, String> {
        let mut rules = Vec::new();
        for (format, own) in by_format(logs) {
            let kind = own[0].kind;
            let starts = is_said(&own, |event| matches!(event, Event::RunStarts { .. }));
            let ends = is_said(&own, |event| {
                matches!(event, Event::RunEnds { .. } | Event::ResultReported { .. })
            });
            if !matches!(kind, SourceKind::Sdclient | SourceKind::Vulscan | SourceKind::Policysync)
            {
                continue;
            }
            let forms = Forms::new(own.into_iter());
            let maker = Maker::new(format, &forms);
            let mut found = maker.edges();
            // What sdclient says last, its code, its parent knows as well.
            let wants_ends = !ends && kind != SourceKind::Sdclient;
            found.retain(
                |rule| {
                    if rule.means == Meaning::RunStarts { !starts } else { wants_ends }
                },
            );
            if kind == SourceKind::Sdclient && !ends {
                found.extend(maker.results(exits));
            }
            rules.extend(found);
        }
        self.add(rules)
    }

    /// The code of a refusal.
    fn codes(&mut self, stories: &[Story]) -> Result<(), String> {
        let codes = &self.before.request.formats.codes;
        let ended: Vec<_> =
            stories.iter().map(|story| suspicion::of_device(&story.timeline, codes)).collect();
        for suspect in suspicion::suspects(ended.iter()) {
            let place = place(&suspect, stories).unwrap_or_default();
            let code = CodeProposal { value: suspect.code, rests_on: suspect.told(), place };
            self.lesson.codes.push(code);
        }
        self.apply()
    }

    /// What a scan writes while it waits.
    fn waits(&mut self, logs: &[SampleLog], stories: &[Story]) -> Result<bool, String> {
        let lives = deployments(stories);
        let mut rules = Vec::new();
        for (format, own) in by_format(logs) {
            let known = is_said(&own, |event| matches!(event, Event::Waits));
            if own[0].kind == SourceKind::Vulscan && !known {
                let forms = Forms::new(own.into_iter());
                rules.extend(Maker::new(format, &forms).waits(&lives));
            }
        }
        let taken: BTreeSet<String> =
            self.lesson.rules.iter().map(|rule| rule.specimen.clone()).collect();
        rules.retain(|rule| !taken.contains(&rule.specimen));
        self.add(rules)
    }

    /// What a deployment that is refused says.
    fn refusals(&mut self, logs: &[SampleLog], stories: &[Story]) -> Result<bool, String> {
        let refused = refused(stories, &self.before.request.formats);
        let mut rules = Vec::new();
        for (format, own) in by_format(logs) {
            let known = own
                .iter()
                .flat_map(|log| &log.lines)
                .any(|line| matches!(line.event, Some(Event::Refused { .. })));
            if own[0].kind == SourceKind::Sdclient && !known {
                let forms = Forms::new(own.into_iter());
                rules.extend(Maker::new(format, &forms).refusals(&refused));
            }
        }
        self.add(rules)
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

/// Whether something is said on half of the devices: then it is known how.
fn is_said(logs: &[&SampleLog], what: impl Fn(&Event) -> bool) -> bool {
    let devices: BTreeSet<usize> = logs.iter().map(|log| log.device).collect();
    let says =
        |log: &&&SampleLog| log.lines.iter().any(|line| line.event.as_ref().is_some_and(&what));
    let saying: BTreeSet<usize> = logs.iter().filter(says).map(|log| log.device).collect();
    saying.len() * 2 >= devices.len()
}

/// When a record was written, as its log prints it.
fn logged(story: &Story, at: EntryRef) -> Option<Stamp> {
    story.logs.entry(at).logged
}

/// Ends of deployments as their parent saw them.
fn exits(stories: &[Story]) -> Exits {
    let mut exits = Exits::new();
    for (device, story) in stories.iter().enumerate() {
        for child in &story.timeline.provisioning.children {
            let exit = child.exit.as_ref().filter(|_| child.program == Some(Program::Sdclient));
            let told = exit.and_then(|exit| Some((logged(story, exit.entry)?, exit.code.value)));
            exits.entry(device).or_default().extend(told);
        }
    }
    exits
}

/// Deployments and patch steps, as their logs print the time.
fn deployments(stories: &[Story]) -> Lives {
    let mut lives = Lives::new();
    for (device, story) in stories.iter().enumerate() {
        let own = story.timeline.lifetimes.iter();
        let own = own.filter(|own| match own.program {
            Program::Sdclient => !own.messenger,
            Program::Vulscan => own.step.is_some(),
            Program::PolicySync => false,
        });
        let span =
            |(from, to): (EntryRef, EntryRef)| Some((logged(story, from)?, logged(story, to)?));
        let spans = own.filter_map(|own| span((own.start.entry, own.end.entry)));
        lives.entry(device).or_default().extend(spans);
    }
    lives
}

/// Moments of refused deployments, by device and task.
fn refused(stories: &[Story], formats: &Formats) -> BTreeMap<(usize, String), Vec<Stamp>> {
    let mut refused: BTreeMap<(usize, String), Vec<Stamp>> = BTreeMap::new();
    for (device, story) in stories.iter().enumerate() {
        for own in &story.timeline.lifetimes {
            let step = own.step.and_then(|step| story.timeline.steps.get(step));
            let by_step = step.and_then(|step| step.codes.first());
            let Some((code, _)) = by_step.or(own.codes.last()) else { continue };
            let class = formats.codes.meaning(code).class;
            if class == provtrace_parsers::code::CodeClass::AlreadyRunning {
                let task = own.task.clone().unwrap_or_default();
                let moments = own.traces.iter().filter_map(|at| logged(story, *at));
                refused.entry((device, task)).or_default().extend(moments);
            }
        }
    }
    refused
}

/// Where a deployment with the code stands.
fn place(suspect: &Suspect, stories: &[Story]) -> Option<String> {
    let story = stories.get(suspect.first)?;
    let steps = story.timeline.steps.iter().flat_map(|step| &step.codes);
    let own = story.timeline.lifetimes.iter().flat_map(|own| &own.codes);
    let (_, at) = steps.chain(own).find(|(code, _)| code.value == suspect.code)?;
    Some(format!("{}:{}", story.logs.source(*at).path, story.logs.entry(*at).quote.line))
}
