//! The envelope of a line: stamp, pid, program, and where the message starts.
//!
//! A stamp is the device's wall clock without a zone: the parser knows no other.

use std::fmt::{self, Debug, Formatter};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::beginning::Beginning;
use crate::fields::{is_blank_byte, slash_fields};
use crate::layout::Layout;

/// Local wall-clock time in milliseconds since 1970-01-01T00:00:00 of that same clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp(pub i64);

impl Stamp {
    /// Seconds from `earlier` to `self`, negative if it is later.
    pub fn seconds_since(self, earlier: Stamp) -> i64 {
        (self.0 - earlier.0).div_euclid(1000)
    }
}

/// A stamp or none, in the room of a stamp: the earliest one that can be said, which no year of a log
/// has, stands for none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MaybeStamp(i64);

impl MaybeStamp {
    /// The stamp, if there is one.
    #[inline]
    pub fn get(self) -> Option<Stamp> {
        (self.0 != i64::MIN).then_some(Stamp(self.0))
    }
}

impl From<Option<Stamp>> for MaybeStamp {
    fn from(stamp: Option<Stamp>) -> MaybeStamp {
        MaybeStamp(stamp.map_or(i64::MIN, |stamp| stamp.0))
    }
}

impl Debug for MaybeStamp {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.get().fmt(out)
    }
}

impl Serialize for MaybeStamp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(out)
    }
}

impl<'de> Deserialize<'de> for MaybeStamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<MaybeStamp, D::Error> {
        Option::<Stamp>::deserialize(from).map(MaybeStamp::from)
    }
}

/// The order of day and month in slash dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DateOrder {
    /// `03/24/2025`.
    MonthFirst,
    /// `24/03/2025`.
    DayFirst,
}

/// What stands before a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// The line's time.
    pub stamp: Stamp,
    /// Process id.
    pub pid: Option<u32>,
    /// Thread id.
    pub tid: Option<u32>,
    /// Where the message starts, in bytes from the line's start.
    pub message_at: usize,
}

/// Reads the stamps of one file. A stamp whose bytes are those of the line before is not
/// parsed again.
#[derive(Debug, Clone)]
pub struct StampReader {
    layouts: Vec<Layout>,
    order: DateOrder,
    last: usize,
    cached: Option<(Envelope, usize)>,
    cache: [u8; 48],
    beginning: Option<Beginning>,
    /// In so many bytes of a line with a stamp there is a digit.
    reach: usize,
    /// Stamps that were parsed, not taken from the line before: a work counter.
    pub parsed: u64,
}

impl StampReader {
    /// A reader that knows `layouts` and reads ambiguous dates in `order`.
    pub fn new(layouts: Vec<Layout>, order: DateOrder) -> StampReader {
        let reach = if layouts.iter().all(Layout::begins_early) { 32 } else { 96 };
        StampReader {
            layouts,
            order,
            last: 0,
            cached: None,
            cache: [0; 48],
            beginning: None,
            reach,
            parsed: 0,
        }
    }

    /// Which layout read the last stamp.
    pub fn layout(&self) -> usize {
        self.last
    }

    /// The envelope of `line`, or `None` for a line without a stamp.
    #[inline]
    pub fn read(&mut self, line: &[u8]) -> Option<Envelope> {
        if let Some(beginning) = &mut self.beginning
            && let Some(envelope) = beginning.again(line)
        {
            return Some(envelope);
        }
        self.read_anew(line)
    }

    /// How the line that `text` begins with begins, if as the line before, or at another time of that hour.
    #[inline]
    pub(crate) fn read_alike(&mut self, text: &[u8]) -> Option<Beginning> {
        let beginning = self.beginning.as_mut()?;
        beginning.again(text)?;
        Some(*beginning)
    }

    #[inline(never)]
    fn read_anew(&mut self, line: &[u8]) -> Option<Envelope> {
        self.beginning = None;
        // Every layout has a time, and no line without a digit in front has one.
        let has_digit = line.iter().take(self.reach).any(u8::is_ascii_digit);
        if !has_digit {
            return None;
        }
        if let Some((before, end)) = &self.cached
            && let end = *end
            && line.len() > end
            && line[..end] == self.cache[..end]
            && ends_time(&line[end..])
            && let Some(envelope) = self.layouts[self.last].read_after_time(line, end, before)
            && !self.is_richer(line)
        {
            self.remember_beginning(line, envelope, end);
            return Some(envelope);
        }
        self.parsed += 1;
        // In the order of the format: a plain layout also reads what a richer one should.
        for at in 0..self.layouts.len() {
            if let Some((envelope, end)) = self.layouts[at].read(line, self.order) {
                self.last = at;
                self.remember(line, envelope, end);
                return Some(envelope);
            }
        }
        None
    }

    /// Whether a layout before that of the line before reads this line: it comes first.
    fn is_richer(&self, line: &[u8]) -> bool {
        self.layouts[..self.last].iter().any(|layout| layout.read(line, self.order).is_some())
    }

    fn remember(&mut self, line: &[u8], envelope: Envelope, end: usize) {
        self.cached = None;
        if end <= self.cache.len() && ends_time(&line[end..]) {
            self.cache[..end].copy_from_slice(&line[..end]);
            self.cached = Some((envelope, end));
            self.remember_beginning(line, envelope, end);
        }
    }

    /// Only what the first layout read: one before it might read the next line in another way.
    fn remember_beginning(&mut self, line: &[u8], envelope: Envelope, end: usize) {
        let first = &self.layouts[0];
        if self.last == 0 && first.ends_itself() {
            self.beginning = Beginning::of(line, envelope, end, first.ends_in_seconds());
        }
    }
}

/// Whether a time that stops here can't go on with a fraction, AM or PM.
fn ends_time(rest: &[u8]) -> bool {
    let goes_on = |b: &u8| matches!(b, b'.' | b',' | b'0'..=b'9');
    if rest.first().is_some_and(goes_on) {
        return false;
    }
    let word = rest.iter().position(|b| !is_blank_byte(*b)).map_or(&rest[..0], |at| &rest[at..]);
    !matches!(word, [b'a' | b'A' | b'p' | b'P', b'm' | b'M', ..])
}

/// Whether the first lines of a text start with slash dates.
pub fn has_slash_dates(text: &[u8]) -> bool {
    let head = &text[..text.len().min(4096)];
    head.split(|b| *b == b'\n').any(|line| slash_fields(line).is_ok())
}

/// What the slash dates of a text say of their order: `None` if none has a number over 12.
pub fn date_order(text: &[u8]) -> Option<DateOrder> {
    text.split(|b| *b == b'\n').find_map(|line| {
        let (_, (first, second, _)) = slash_fields(line).ok()?;
        match (first > 12, second > 12) {
            (true, false) => Some(DateOrder::DayFirst),
            (false, true) => Some(DateOrder::MonthFirst),
            (true, true) | (false, false) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::layout::read_layouts;

    fn reader(order: DateOrder) -> StampReader {
        let layouts =
            read_layouts("stamps.toml", include_str!("../formats/stamps.toml")).expect("embedded");
        StampReader::new(layouts, order)
    }

    fn reads(line: &str, order: DateOrder) -> Option<String> {
        let envelope = reader(order).read(line.as_bytes())?;
        let time = chrono::DateTime::from_timestamp_millis(envelope.stamp.0)?.naive_utc();
        Some(format!("{}|{}", time.format("%Y-%m-%dT%H:%M:%S%.3f"), &line[envelope.message_at..]))
    }

    #[test]
    fn accepted_spellings() {
        let table = [
            ("Thu, 1 Feb 2025 01:00:19 x", "2025-02-01T01:00:19.000|x"),
            ("Mon, 10  Feb\u{a0}2025 21:00:19   x", "2025-02-10T21:00:19.000|x"),
            ("2025-03-24T12:20:19,250 x", "2025-03-24T12:20:19.250|x"),
            ("2025-03-24 12:20:19(8-12) a:x", "2025-03-24T12:20:19.000|x"),
            ("03/24/2025 12:20:19 INFO  8644:1     RollingLog : x", "2025-03-24T12:20:19.000|x"),
            ("3/24/2025 1:20:19 PM x", "2025-03-24T13:20:19.000|x"),
            ("3/24/2025 12:20:19 AM x", "2025-03-24T00:20:19.000|x"),
        ];
        for (line, wanted) in table {
            assert_eq!(reads(line, DateOrder::MonthFirst).as_deref(), Some(wanted), "{line}");
        }
    }

    #[test]
    fn the_order_of_slash_dates() {
        let line = "03/04/2025 12:20:19 INFO 1:1 R : x";
        assert_eq!(
            reads(line, DateOrder::MonthFirst).as_deref(),
            Some("2025-03-04T12:20:19.000|x")
        );
        assert_eq!(reads(line, DateOrder::DayFirst).as_deref(), Some("2025-04-03T12:20:19.000|x"));
        assert_eq!(date_order(b"03/04/2025 1\n13/04/2025 1\n"), Some(DateOrder::DayFirst));
        assert_eq!(date_order(b"03/04/2025 1\n"), None);
    }

    #[test]
    fn impossible_times_are_no_stamp() {
        for line in
            ["Thu, 31 Feb 2025 21:00:19 x", "2025-03-24 25:20:19 x", "2025-03-24 12:20 x", "x", ""]
        {
            assert_eq!(reads(line, DateOrder::MonthFirst), None, "{line}");
        }
    }

    /// Lines that begin alike: other digits, other blanks, a message that the time could go on with.
    fn line() -> impl Strategy<Value = String> {
        let front = select(vec![
            ("Mon, 24 Mar 2025 12:", " "),
            ("2025-03-24 12:", "(8-12) ldProvision:"),
            ("2025-03-24T12:", ",5 "),
            ("3/24/2025 1:", " PM "),
            ("03/24/2025 12:", " INFO 8644:1 RollingLog : "),
            ("03/24/2025 12:", " "),
        ]);
        let minutes = select(vec!["07:", "08:", "59:", "60:", "7:"]);
        let seconds = prop_oneof![(0..60u32).prop_map(|n| format!("{n:02}")), "[0-9a]{1,3}"];
        let message = select(vec![
            "x",
            "am",
            "PM x",
            "T1",
            "1",
            ".5 x",
            ",x",
            " x",
            "\u{A0}x",
            "é",
            "",
            "(1-2) a:b",
        ]);
        (front, minutes, seconds, message).prop_map(|((start, end), minutes, seconds, message)| {
            format!("{start}{minutes}{seconds}{end}{message}")
        })
    }

    proptest! {
        #[test]
        fn lines_that_begin_alike_read_as_each_alone(
            lines in proptest::collection::vec(line(), 1..30),
            first in 0usize..5,
        ) {
            let ordered = |order| {
                let mut reader = reader(order);
                reader.layouts.rotate_left(first);
                reader
            };
            let mut warm = ordered(DateOrder::DayFirst);
            for line in &lines {
                let fresh = ordered(DateOrder::DayFirst).read(line.as_bytes());
                prop_assert_eq!(warm.read(line.as_bytes()), fresh, "{}", line);
            }
        }
    }

    #[test]
    fn the_cache_changes_nothing() {
        let lines = [
            "3/24/2025 1:20:19 PM x",
            "3/24/2025 1:20:19 AM x",
            "3/24/2025 1:20:19 x",
            "3/24/2025 1:20:19.5 x",
            "3/24/2025 1:20:19 x",
            "3/24/2025 1:20:191 x",
            "3/24/2025 1:20:19 pm x",
            "03/24/2025 12:20:19 x",
            "03/24/2025 12:20:19 INFO  8644:1     RollingLog : x",
            "03/24/2025 12:20:19 x",
        ];
        let mut warm = reader(DateOrder::MonthFirst);
        for line in lines {
            assert_eq!(
                warm.read(line.as_bytes()),
                reader(DateOrder::MonthFirst).read(line.as_bytes()),
                "{line}"
            );
        }
    }
}
