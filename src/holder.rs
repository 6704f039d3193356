//! Who could hold a step: scans and deployments, found by when they were alive.

use provtrace_parsers::code::{CodeClass, CodeTable, ExitCode};
use provtrace_parsers::stamp::Stamp;

use crate::lifetime::{Lifetime, Program};
use crate::spans::{Spans, later};
use crate::timeline::Timeline;

/// The lifetimes of a timeline that can hold a step: scans and deployments that were not
/// themselves refused.
#[derive(Debug)]
pub struct Holders<'t> {
    lifetimes: &'t [Lifetime],
    spans: Spans,
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
        let holders = lifetimes.iter().enumerate().filter(|(_, lifetime)| can_hold(lifetime));
        // The last line of a burst reaches a second further than its stamp.
        let span = |(at, own): (usize, &Lifetime)| (own.start.at, later(own.end.at, 1), at);
        Holders { lifetimes, spans: Spans::new(holders.map(span)) }
    }

    /// Holders, other than `own`, whose traces show them alive at some moment from `from` to
    /// `to`.
    pub fn alive(&self, own: usize, from: Stamp, to: Stamp) -> impl Iterator<Item = usize> + '_ {
        let members = self.spans.meeting(from, to).map(|(_, _, at)| at);
        members.filter(move |at| *at != own && self.lifetimes[*at].covers(from, to))
    }
}
