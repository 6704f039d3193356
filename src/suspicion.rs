//! Exit codes of deployments that end at once beside a holder: is that what the code means?

use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::code::{CodeTable, ExitCode};
use provtrace_parsers::format::Formats;

use serde::{Deserialize, Serialize};

use crate::chance::{BY_CHANCE, Counts, FEWEST_DEVICES, times};
use crate::holder::Holders;
use crate::lifetime::Program;
use crate::timeline::Timeline;

/// A deployment that is refused ends at once: within so many seconds.
const AT_ONCE: i64 = 15;
/// Of a code's deployments, so many end at once beside a holder.
const MOST_OF: f64 = 0.5;
/// Of what deployments with the code could begin beside a holder more often than others, so much
/// they do: a step that fails at once at a busy time of the run does so a little more often, too.
const EXCESS: f64 = 0.5;

/// How often deployments of a device ended with a code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// All of them.
    pub all: u64,
    /// Those that began while somebody else lived.
    pub beside: u64,
    /// Those that ended at once.
    pub at_once: u64,
    /// Those that ended at once, and began while somebody else lived.
    pub at_once_beside: u64,
    /// Whether it is known what the code means.
    pub known: bool,
}

/// A device's deployments, by the code that they ended with.
pub fn of_device(timeline: &Timeline, codes: &CodeTable) -> BTreeMap<u32, Ended> {
    let holders = Holders::new(timeline, codes);
    let mut ended: BTreeMap<u32, Ended> = BTreeMap::new();
    for (own, lifetime) in timeline.lifetimes.iter().enumerate() {
        if lifetime.program != Program::Sdclient || lifetime.messenger {
            continue;
        }
        let Some(code) = timeline.code_of(lifetime) else { continue };
        let start = lifetime.start.at;
        let mut alive = holders.alive(own, start, start);
        let beside = alive.any(|holder| timeline.lifetimes[holder].start.at < start);
        let at_once = lifetime.end.at.seconds_since(start) <= AT_ONCE;
        let row = ended.entry(code.value).or_default();
        row.known = code.value == 0 || !codes.meaning(code).meaning.is_empty();
        row.all += 1;
        row.beside += u64::from(beside);
        row.at_once += u64::from(at_once);
        row.at_once_beside += u64::from(beside && at_once);
    }
    ended
}

/// The same; what the user expects needs no explanation.
pub fn of_device_but_expected(timeline: &Timeline, formats: &Formats) -> BTreeMap<u32, Ended> {
    let mut ended = of_device(timeline, &formats.codes);
    for (value, row) in &mut ended {
        let code = ExitCode { raw: Box::default(), value: *value };
        row.known |= formats.expected.codes.contains(&formats.codes.meaning(&code).value);
    }
    ended
}

/// A code that is likely to mean: already running.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// Its 32 bits.
    pub code: u32,
    /// Its deployments that ended at once, and those of them that began beside a holder; among
    /// all deployments.
    pub counts: Counts,
    /// Devices with one of the latter.
    pub devices: usize,
    /// How often chance would do that.
    pub by_chance: f64,
    /// The first of these devices.
    pub first: usize,
}

/// The codes whose meaning is not known, whose deployments end at once, and begin beside a holder
/// far more often than others: by an exact test over all devices, corrected for the number of codes.
/// To end at once is no evidence: whatever fails early does. What tells is who else was there.
pub fn suspects<'d>(
    devices: impl Iterator<Item = &'d BTreeMap<u32, Ended>> + Clone,
) -> Vec<Suspect> {
    let (mut all, mut with) = (0, 0);
    let mut codes: BTreeMap<u32, (Ended, BTreeSet<usize>)> = BTreeMap::new();
    for (device, ended) in devices.enumerate() {
        for (code, own) in ended {
            all += own.all;
            with += own.beside;
            let (sum, seen) = codes.entry(*code).or_default();
            sum.all += own.all;
            sum.at_once += own.at_once;
            sum.at_once_beside += own.at_once_beside;
            sum.known |= own.known;
            seen.extend((own.at_once_beside > 0).then_some(device));
        }
    }
    codes.retain(|_, (sum, _)| !sum.known);
    let questions = codes.len();
    let suspect = |(code, (sum, devices)): (u32, (Ended, BTreeSet<usize>))| {
        let counts = Counts { all, with, own: sum.at_once, own_with: sum.at_once_beside };
        let by_chance = counts.by_chance(questions);
        let fits = devices.len() >= FEWEST_DEVICES
            && sum.at_once_beside as f64 >= MOST_OF * sum.all as f64
            && counts.excess() >= EXCESS
            && by_chance <= BY_CHANCE;
        let first = devices.first().copied()?;
        fits.then_some(Suspect { code, counts, devices: devices.len(), by_chance, first })
    };
    let mut suspects: Vec<Suspect> = codes.into_iter().filter_map(suspect).collect();
    suspects.sort_by(|a, b| a.by_chance.total_cmp(&b.by_chance).then(a.code.cmp(&b.code)));
    suspects
}

impl Suspect {
    /// The numbers, for people.
    pub fn told(&self) -> String {
        let Counts { all, with, own, own_with } = self.counts;
        format!(
            "{own_with} of {own} deployments that ended at once with {:#010X} began beside a scan or another task, of the {} others {}; on {} devices. By chance once in {} shares.",
            self.code,
            all - own,
            with - own_with,
            self.devices,
            times(self.by_chance),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten devices with these deployments of one code each, and as many others.
    fn codes(own: Ended, others: Ended) -> Vec<u32> {
        let device = BTreeMap::from([(7, own), (0, Ended { known: true, ..others })]);
        let devices = vec![device; 10];
        suspects(devices.iter()).iter().map(|suspect| suspect.code).collect()
    }

    #[test]
    fn what_fails_at_once_at_any_time_is_no_refusal() {
        let refused = Ended { all: 9, beside: 9, at_once: 9, at_once_beside: 9, known: false };
        let others = Ended { all: 40, beside: 20, at_once: 0, at_once_beside: 0, known: true };
        assert_eq!(codes(refused, others.clone()), [7]);
        // Ends at once as well, but begins beside a holder hardly more often than the others.
        let fails = Ended { all: 9, beside: 6, at_once: 9, at_once_beside: 6, known: false };
        assert_eq!(codes(fails, others), [0; 0]);
    }
}
