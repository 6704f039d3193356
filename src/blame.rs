//! Where a run's time went: its steps and what lies between them, in order of time.

use crate::chronicle::{Chronicle, LifetimeSpan, Moment, Occasion, RunSpan, StepOutcome, StepSpan};
use crate::scene::is_open;

/// A pause that is shown by itself, in milliseconds; shorter ones are summed.
const LONG_PAUSE: i64 = 60_000;

/// What time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// From the agent install to the first step.
    AfterInstall,
    /// A step's program.
    Step(StepOutcome),
    /// Between two steps.
    Pause,
}

/// A piece of a run's time.
#[derive(Debug, Clone)]
pub struct Piece {
    /// What it was spent on.
    pub spent: Spent,
    /// The step's place and name; empty for a pause.
    pub name: String,
    /// When it began.
    pub from: Moment,
    /// How long it took, without what an earlier piece has already.
    pub millis: i64,
    /// Of that, how long a scan worked beside it.
    pub beside_scan: i64,
    /// The step's second or later try.
    pub again: bool,
    /// No end is seen: the last sign of life, or the next step's start, stands for it.
    pub open: bool,
    /// The provisioning agent began to work in it, as after a restart.
    pub restart: bool,
}

/// The time of one run.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// From the agent install or the first step to the end of the last step, in milliseconds.
    pub millis: i64,
    /// In order of time.
    pub pieces: Vec<Piece>,
    /// Pauses too short to be shown: how many, and their sum in milliseconds.
    pub short_pauses: (u64, i64),
}

/// Where the time of a run went; `None` if it has no step.
pub fn ledger(chronicle: &Chronicle, run: &RunSpan) -> Option<Ledger> {
    let all = chronicle.steps.iter().enumerate();
    let steps: Vec<(usize, &StepSpan)> = all.filter(|(_, step)| step.run == run.number).collect();
    steps.first()?;
    let installed = chronicle
        .landmarks
        .iter()
        .any(|own| own.what == Occasion::AgentInstalled && own.at.millis == run.from.millis);
    let mut book = Ledger { millis: 0, pieces: Vec::new(), short_pauses: (0, 0) };
    let mut now = run.from.clone();
    for (place, (at, step)) in steps.iter().enumerate() {
        let pause = step.started.millis - now.millis;
        let first = place == 0 && installed;
        if first || pause >= LONG_PAUSE {
            book.pieces.push(Piece {
                spent: if first { Spent::AfterInstall } else { Spent::Pause },
                restart: restarts(chronicle, now.millis, step.started.millis),
                beside_scan: beside_scan(chronicle, now.millis, step.started.millis),
                ..piece(&now, pause.max(0))
            });
        } else if pause > 0 {
            book.short_pauses.0 += 1;
            book.short_pauses.1 += pause;
        }
        let own = chronicle.lifetimes.iter().find(|own| own.step == Some(*at));
        let next = steps.get(place + 1).map(|(_, next)| &next.started);
        let ended = end(step, own, next);
        let from = step.started.millis.max(now.millis);
        let again = place > 0 && steps[place - 1].1.ordinal == step.ordinal;
        book.pieces.push(Piece {
            spent: Spent::Step(step.outcome),
            name: format!("{} {}", step.ordinal, step.name),
            beside_scan: beside_scan(chronicle, from, ended.millis),
            again,
            open: is_open(step, own),
            ..piece(&step.started, (ended.millis - from).max(0))
        });
        if ended.millis > now.millis {
            now = ended.clone();
        }
    }
    book.millis = (now.millis - run.from.millis).max(0);
    Some(book)
}

fn piece(from: &Moment, millis: i64) -> Piece {
    Piece {
        spent: Spent::Pause,
        name: String::new(),
        from: from.clone(),
        millis,
        beside_scan: 0,
        again: false,
        open: false,
        restart: false,
    }
}

/// A step's end as it saw it; else the last sign of life of its program, before the next step.
fn end<'c>(
    step: &'c StepSpan,
    own: Option<&'c LifetimeSpan>,
    next: Option<&'c Moment>,
) -> &'c Moment {
    if let Some(ended) = &step.ended {
        return ended;
    }
    let last = own.map_or(&step.started, |own| &own.ended);
    match next {
        Some(next) if next.millis < last.millis => next,
        Some(_) | None => last,
    }
}

fn restarts(chronicle: &Chronicle, from: i64, to: i64) -> bool {
    let mut marks = chronicle.landmarks.iter();
    marks.any(|own| {
        own.what == Occasion::SessionBegins && from < own.at.millis && own.at.millis <= to
    })
}

/// How long scans that are no step worked in a span of time; together counts once.
fn beside_scan(chronicle: &Chronicle, from: i64, to: i64) -> i64 {
    let scans = chronicle
        .lifetimes
        .iter()
        .filter(|own| own.program == "vulscan.exe" && own.step.is_none() && !own.launch_only);
    let mut spans: Vec<(i64, i64)> = scans
        .map(|own| (own.active_from.millis.max(from), own.ended.millis.min(to)))
        .filter(|(from, to)| from < to)
        .collect();
    spans.sort_unstable();
    let mut until = from;
    let mut sum = 0;
    for (from, to) in spans {
        sum += (to - from.max(until)).max(0);
        until = until.max(to);
    }
    sum
}
