//! What is kept of a device's story to learn from: when its programs lived and ended, and how.

use std::collections::BTreeMap;

use provtrace_parsers::code::{CodeTable, ExitCode};
use provtrace_parsers::stamp::Stamp;

use crate::discover::Skipped;
use crate::lifetime::{EntryRef, Program};
use crate::story::Story;
use crate::suspicion::{self, Ended};

/// Most of a kind that is kept of a device: the first ones.
const MOST: usize = 2_000;
/// Most moments of a deployment that failed.
const MOST_MOMENTS: usize = 20;

/// When a deployment or a patch step lived, as its log prints the time.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its first moment.
    pub from: Stamp,
    /// Its last one.
    pub to: Stamp,
    /// A patch step: its own log is that of the scans.
    pub scans: bool,
}

/// A deployment that failed.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Its task; empty if nothing says it.
    pub task: String,
    /// How it ended.
    pub code: ExitCode,
    /// Moments of it.
    pub moments: Vec<Stamp>,
}

/// What is kept of a device.
#[derive(Debug, Default)]
pub struct Trail {
    /// Sources that were read.
    pub files: usize,
    /// Those that could not be, or not to their end.
    pub skipped: Vec<Skipped>,
    /// When deployments ended, and with which code, as their parent saw it.
    pub exits: Vec<(Stamp, u32)>,
    /// Deployments and patch steps.
    pub spans: Vec<Span>,
    /// Deployments by the code that they ended with.
    pub ended: BTreeMap<u32, Ended>,
    /// Where a code stands first.
    pub places: BTreeMap<u32, String>,
    /// Deployments that failed.
    pub failed: Vec<Failed>,
}

impl Trail {
    /// Keeps what is needed.
    pub fn of(story: Story, codes: &CodeTable) -> Trail {
        let ended = suspicion::of_device(&story.timeline, codes).into_iter().take(MOST).collect();
        Trail {
            files: story.logs.sources.len(),
            exits: exits(&story),
            spans: spans(&story),
            ended,
            places: places(&story),
            failed: failed(&story),
            skipped: story.logs.skipped,
        }
    }
}

/// When a record was written, as its log prints it.
fn logged(story: &Story, at: EntryRef) -> Option<Stamp> {
    story.logs.entry(at).logged()
}

fn exits(story: &Story) -> Vec<(Stamp, u32)> {
    let children = story.timeline.provisioning.children.iter();
    let own = children.filter(|child| child.program == Some(Program::Sdclient));
    let exits = own.filter_map(|child| {
        let exit = child.exit.as_ref()?;
        Some((logged(story, exit.entry)?, exit.code.value))
    });
    exits.take(MOST).collect()
}

fn spans(story: &Story) -> Vec<Span> {
    let own = story.timeline.lifetimes.iter().filter(|own| match own.program {
        Program::Sdclient => !own.messenger,
        Program::Vulscan => own.step.is_some(),
        Program::PolicySync => false,
    });
    let spans = own.filter_map(|own| {
        let (from, to) = (logged(story, own.start.entry)?, logged(story, own.end.entry)?);
        Some(Span { from, to, scans: own.program == Program::Vulscan })
    });
    spans.take(MOST).collect()
}

fn places(story: &Story) -> BTreeMap<u32, String> {
    let steps = story.timeline.steps.iter().flat_map(|step| &step.codes);
    let own = story.timeline.lifetimes.iter().flat_map(|own| &own.codes);
    let mut places = BTreeMap::new();
    for (code, at) in steps.chain(own) {
        if places.len() == MOST {
            break;
        }
        let place =
            || format!("{}:{}", story.logs.source(*at).path, story.logs.entry(*at).quote.line);
        places.entry(code.value).or_insert_with(place);
    }
    places
}

fn failed(story: &Story) -> Vec<Failed> {
    let own = story.timeline.lifetimes.iter().filter(|own| own.program == Program::Sdclient);
    let failed = own.filter_map(|own| {
        let code = story.timeline.code_of(own).filter(|code| code.value != 0)?;
        let moments = own.traces.iter().filter_map(|at| logged(story, *at));
        Some(Failed {
            task: own.task.clone().unwrap_or_default(),
            code: code.clone(),
            moments: moments.take(MOST_MOMENTS).collect(),
        })
    });
    failed.take(MOST).collect()
}
