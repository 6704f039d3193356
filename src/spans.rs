//! Spans of time, and which of them meet a given one: no look at every span for every question.

use provtrace_parsers::stamp::Stamp;

/// Spans that are passed over together when none of them reaches far enough.
const BLOCK: usize = 64;

/// Numbered spans in order of start.
#[derive(Debug, Default)]
pub struct Spans {
    /// Start, end, number.
    spans: Vec<(Stamp, Stamp, usize)>,
    /// The last end of each block.
    reach: Vec<Stamp>,
}

impl Spans {
    /// Takes spans as start, end (both inside) and number, in any order.
    pub fn new(spans: impl Iterator<Item = (Stamp, Stamp, usize)>) -> Spans {
        let mut spans: Vec<_> = spans.collect();
        spans.sort_unstable();
        let last_end = |block: &[(Stamp, Stamp, usize)]| block.iter().map(|span| span.1).max();
        let reach = spans.chunks(BLOCK).filter_map(last_end).collect();
        Spans { spans, reach }
    }

    /// Spans that have a moment from `from` to `to`, as start, end and number, in order of start.
    pub fn meeting(
        &self,
        from: Stamp,
        to: Stamp,
    ) -> impl Iterator<Item = (Stamp, Stamp, usize)> + '_ {
        let begun = self.spans.partition_point(|span| span.0 <= to);
        let reaches = move |block: &usize| self.reach[*block] >= from;
        let blocks = (0..begun.div_ceil(BLOCK)).filter(reaches);
        let members = blocks.flat_map(move |block| block * BLOCK..((block + 1) * BLOCK).min(begun));
        members.map(|at| self.spans[at]).filter(move |span| span.1 >= from)
    }

    /// Spans that begin from `from` to `to`, in order of start.
    pub fn beginning(&self, from: Stamp, to: Stamp) -> &[(Stamp, Stamp, usize)] {
        let first = self.spans.partition_point(|span| span.0 < from);
        let after = self.spans.partition_point(|span| span.0 <= to).max(first);
        &self.spans[first..after]
    }
}

/// A stamp some seconds later, or earlier.
pub fn later(stamp: Stamp, seconds: i64) -> Stamp {
    Stamp(stamp.0.saturating_add(seconds * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_finds_what_a_look_at_all_finds(
            spans in proptest::collection::vec((0i64..500, 0i64..60), 0..300),
            from in 0i64..500,
            length in 0i64..40,
        ) {
            let numbered = spans.iter().enumerate();
            let all: Vec<_> = numbered.map(|(at, (start, long))| (Stamp(*start), Stamp(start + long), at)).collect();
            let (from, to) = (Stamp(from), Stamp(from + length));
            let index = Spans::new(all.iter().copied());
            let mut found: Vec<_> = index.meeting(from, to).collect();
            let mut wanted: Vec<_> =
                all.iter().copied().filter(|span| span.0 <= to && span.1 >= from).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            prop_assert_eq!(found, wanted);
        }
    }
}
