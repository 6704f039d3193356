//! Who could hold a step: scans and deployments, found by when they were alive.

use provtrace_parsers::code::{CodeClass, CodeTable, ExitCode};
use provtrace_parsers::stamp::Stamp;

use crate::lifetime::{Lifetime, Program};
use crate::timeline::Timeline;

/// Lifetimes that are passed over together when none of them reaches far enough.
const BLOCK: usize = 64;

/// The lifetimes of a timeline, in order of start, with what it takes to ask who was alive.
#[derive(Debug)]
pub struct Holders<'t> {
    lifetimes: &'t [Lifetime],
    holds: Vec<bool>,
    /// The last end of each block of lifetimes.
    reach: Vec<Stamp>,
}

impl<'t> Holders<'t> {
    /// Looks at every lifetime once.
    pub fn new(timeline: &'t Timeline, codes: &CodeTable) -> Holders<'t> {
        let refused_code = |code: &ExitCode| codes.meaning(code).class == CodeClass::AlreadyRunning;
        let can_hold = |lifetime: &Lifetime| {
            let step = lifetime.step.and_then(|step| timeline.steps.get(step));
            let by_step = step.and_then(|step| step.codes.first());
            let last_code = by_step.or(lifetime.codes.last()).map(|(code, _)| code);
            let refused = lifetime.refused.is_some() || last_code.is_some_and(refused_code);
            match lifetime.program {
                Program::Vulscan => !lifetime.is_launch_only(),
                Program::Sdclient => !lifetime.messenger && !refused,
                Program::PolicySync => false,
            }
        };
        let lifetimes = timeline.lifetimes.as_slice();
        let last_end = |block: &[Lifetime]| block.iter().map(|own| own.end.at).max();
        Holders {
            lifetimes,
            holds: lifetimes.iter().map(can_hold).collect(),
            reach: lifetimes.chunks(BLOCK).filter_map(last_end).collect(),
        }
    }

    /// Holders, other than `own`, whose traces show them alive at some moment from `from` to
    /// `to`; a scan or a deployment that was not itself refused.
    pub fn alive(&self, own: usize, from: Stamp, to: Stamp) -> impl Iterator<Item = usize> {
        let begun = self.lifetimes.partition_point(|lifetime| lifetime.start.at <= to);
        // The last line of a burst reaches a second further than its stamp.
        let reaches = move |block: &usize| self.reach[*block].0 + 1000 >= from.0;
        let blocks = (0..begun.div_ceil(BLOCK)).filter(reaches);
        let members = blocks.flat_map(move |block| block * BLOCK..((block + 1) * BLOCK).min(begun));
        members
            .filter(move |at| *at != own && self.holds[*at] && self.lifetimes[*at].covers(from, to))
    }
}
