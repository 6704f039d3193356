//! Runs of lines of which only the last one is needed: the others are told and counted, and nothing
//! is made of them.

use memchr::memchr;
use wide::u8x16;

use crate::format::{Format, Others};
use crate::line::LineCounts;
use crate::opening::Told;
use crate::stamp::{Stamp, StampReader};

/// Which lines a sink does not need behind one that it was given: those with its envelope but for
/// minutes and seconds, without a gap, that only show life (or that no rule knows), except for the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The stamp of the line that was given.
    pub from: Stamp,
    /// The latest stamp that belongs to it.
    pub until: Stamp,
    /// The longest time between two of its lines, in milliseconds.
    pub gap: i64,
}

/// Text in which lines are passed over: whole lines, no piece of a rule's word in them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passing<'t> {
    pub(crate) format: &'t Format,
    pub(crate) line_end: u8,
    pub(crate) text: &'t [u8],
}

impl Passing<'_> {
    /// Passes over the lines of `run` from `at` on: their envelope is that of the line before,
    /// perhaps with later minutes and seconds, and the begin of the message says which rule knows
    /// it, or that none does. `at` is then where the last of them begins, which is still to be
    /// read. Gives how many are before it.
    pub(crate) fn pass(
        self,
        run: Run,
        at: &mut usize,
        stamps: &mut StampReader,
        counts: &mut LineCounts,
    ) -> u64 {
        let Passing { format, line_end, text } = self;
        let (mut next, mut stamp) = (*at, run.from);
        let (mut passed, mut unknown, mut unknown_behind) = (0, 0, counts.unknown_behind);
        // Of the last line that belongs to it.
        let mut is_known = None::<bool>;
        'run: while let Some(same) = stamps.read_alike(&text[next..])
            && (0..=run.gap).contains(&(same.envelope.stamp.0 - stamp.0))
            && same.envelope.stamp <= run.until
        {
            stamp = same.envelope.stamp;
            loop {
                let begin = next + same.envelope.message_at;
                let Some(length) = line_length(&text[begin..], line_end) else { break 'run };
                let knows = format.openings.knows(&text[begin..]);
                let Some(knows) = knows.or_else(|| self.asks(&text[begin..begin + length])) else {
                    break 'run;
                };
                if let Some(is_known) = is_known {
                    passed += 1;
                    unknown += u64::from(!is_known);
                    unknown_behind = if is_known { 0 } else { unknown_behind + 1 };
                }
                is_known = Some(knows || format.others == Others::Noise);
                *at = next;
                next = begin + length + 1;
                if !same.is_same(&text[next..]) {
                    break;
                }
            }
        }
        counts.lines += passed;
        counts.stamped += passed;
        counts.unknown += unknown;
        counts.understood += passed - unknown;
        counts.unknown_behind = unknown_behind;
        passed
    }

    /// Whether a rule knows a message; `None` where only patterns can tell.
    #[inline(never)]
    fn asks(self, message: &[u8]) -> Option<bool> {
        match self.format.openings.tell(message.strip_suffix(b"\r").unwrap_or(message)) {
            Told::Rule(_) => Some(true),
            Told::Nothing => Some(false),
            Told::Ask => None,
        }
    }
}

/// Bytes in which most lines end.
const WINDOW: usize = 128;

/// The length of the line that `text` begins with, without its end; `None` if that is not there.
#[inline(always)]
fn line_length(text: &[u8], end: u8) -> Option<usize> {
    let Some(window) = text.first_chunk::<WINDOW>() else { return memchr(end, text) };
    // All at once: a search that stops at the end costs more, since no processor foresees where.
    let mut ends = 0;
    for (at, part) in window.as_chunks().0.iter().enumerate() {
        let bits = u8x16::new(*part).simd_eq(u8x16::splat(end)).to_bitmask();
        ends |= u128::from(bits) << (16 * at);
    }
    if ends == 0 {
        return memchr(end, &text[WINDOW..]).map(|length| WINDOW + length);
    }
    usize::try_from(ends.trailing_zeros()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::engine::{BlockEnd, Line, Outcome, Reader};
    use crate::event::Event;
    use crate::format::Formats;
    use crate::stamp::DateOrder;

    /// What is seen of a line: its number, all of it, its stamp and pid, and whether it only shows life.
    type Seen = (u64, String, Option<Stamp>, Option<u32>, bool);

    fn see(line: &Line<'_>) -> Seen {
        let all = format!("{line:?}").replace(&format!("passed: {}", line.passed), "passed: 0");
        let shows_life = line.layout.is_some()
            && line.outcome != Outcome::Continued
            && matches!(line.event, None | Some(Event::Alive));
        (line.number, all, line.stamp, line.pid, shows_life)
    }

    const FRONTS: [(&str, &str); 5] = [
        ("Mon, 24 Mar 2025 12:07:", " "),
        ("Mon, 24 Mar 2025 12:08:", " "),
        ("2025-03-24 12:20:", "(8-12) ProvisionGUI:"),
        ("2025-03-24 12:20:", "(9-12) ProvisionGUI:"),
        ("", " "),
    ];
    const MESSAGES: [&str; 6] =
        ["Nobody knows it", "am", "", "\tmore", "x\\", "Last\u{A0}status: x"];

    #[test]
    fn the_last_line_of_a_run_is_given() {
        let formats = Formats::builtin().expect("embedded");
        let (at, _) = formats.by_file_name("vulscan.log").expect("a format");
        let seconds = [1, 1, 1, 2, 2, 3, 5, 5];
        let text: String = seconds
            .iter()
            .map(|second| format!("Mon, 24 Mar 2025 12:07:{second:02} Last status: Done\r\n"))
            .collect();
        let mut given = Vec::new();
        let mut reader = Reader::new(&formats.formats[at], DateOrder::MonthFirst, b'\n');
        reader.block_in_runs(text.as_bytes(), BlockEnd::Last, &mut |line| {
            given.push((line.number, line.passed));
            line.stamp.map(|from| Run { from, until: Stamp(from.0 + 30_000), gap: 1000 })
        });
        assert_eq!(given, [(1, 0), (6, 4), (7, 0), (8, 0)]);
        assert_eq!((reader.counts().lines, reader.counts().understood), (8, 8));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn what_is_passed_over_only_shows_life(
            runs in proptest::collection::vec(
                (select(&FRONTS[..]), 0..60u32, proptest::collection::vec((0..3u32, 0..60usize), 1..9)),
                1..5,
            ),
            end in select(vec!["\n", "\r\n"]),
            until in 0..5_000i64,
        ) {
            let formats = Formats::builtin().expect("embedded");
            for format in formats.formats.iter().filter(|format| !format.rules.is_empty()) {
                let known = format.rules.iter().map(|rule| rule.specimen.as_str());
                let messages: Vec<&str> = known.chain(MESSAGES).collect();
                let mut text = String::new();
                for ((front, behind), first, lines) in &runs {
                    let mut second = *first;
                    for (later, message) in lines {
                        second += later;
                        let message = messages[message % messages.len()];
                        text += &format!("{front}{second:02}{behind}{message}{end}");
                    }
                }
                let reader = || Reader::new(format, DateOrder::MonthFirst, b'\n');
                let (mut every, mut some) = (Vec::new(), Vec::new());
                let mut slow = reader();
                slow.block(text.as_bytes(), BlockEnd::Last, &mut |line| every.push(see(line)));
                let mut fast = reader();
                let (mut before, mut last) = (0, None);
                fast.block_in_runs(text.as_bytes(), BlockEnd::Last, &mut |line| {
                    assert_eq!(line.passed, line.number - before - 1);
                    some.push(see(line));
                    before = line.number;
                    last = line.stamp;
                    last.map(|from| Run { from, until: Stamp(from.0 + until), gap: 1000 })
                });
                prop_assert_eq!(fast.counts(), slow.counts());
                let mut given = some.iter().peekable();
                let (mut before, mut latest, mut passing): (Option<&Seen>, _, _) = (None, None, false);
                for line in &every {
                    let is_given = given.next_if(|given| given.0 == line.0);
                    if passing || is_given.is_none() {
                        // It belongs to the run of the line that was given before.
                        let before = before.expect("a line that was given");
                        let gap = line.2.zip(before.2).map(|(stamp, before)| stamp.0 - before.0);
                        prop_assert!(gap.is_some_and(|gap| (0..=1000).contains(&gap)), "{:?}", line);
                        prop_assert!(line.4 && line.3 == before.3 && line.2 <= latest, "{:?}", line);
                    }
                    if let Some(given) = is_given {
                        prop_assert_eq!(given, line);
                        latest = line.2.map(|stamp| Stamp(stamp.0 + until));
                    }
                    passing = is_given.is_none();
                    before = Some(line);
                }
                prop_assert!(given.next().is_none());
            }
        }
    }
}
