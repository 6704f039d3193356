//! Rules whose messages begin with a fixed text: told by comparing, without an automaton.
//!
//! A text tells for sure that a rule matches only if it is all of the rule's pattern, and for
//! sure that it doesn't only where the message differs from it at a printable ASCII letter: no
//! other spelling of a letter and no longer blank makes that one fit. All else is left to the
//! rule's own pattern.

use crate::rule::{Meaning, Rule};
use crate::words;

/// What the messages of a rule begin with.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// The text, in ASCII; a blank stands for one or more.
    text: Box<[u8]>,
    /// Whether a message that begins so is the rule's, whatever follows.
    whole: bool,
    head: Head,
    front: Option<Front>,
}

/// The first bytes of a text, up to its first blank, eight at most: to be compared at once.
#[derive(Debug, Clone, Copy)]
struct Head {
    bytes: u64,
    mask: u64,
}

/// What the begin of a message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// No rule with an opening matches.
    Nothing,
    /// This rule matches, and none before it that has an opening.
    Rule(usize),
    /// The patterns must say.
    Ask,
}

/// Whether a message begins with an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    Yes,
    No,
    Perhaps,
}

/// The openings of a format's rules.
#[derive(Debug, Clone)]
pub(crate) struct Openings {
    /// Each with its rule, in the order of the rules.
    all: Vec<(usize, Opening)>,
    /// For each byte the numbers in `all` of the openings that begin with it, one bit each.
    first: Box<[u128; 256]>,
    /// The same for the second byte: what is no printable ASCII letter rules nothing out.
    second: Box<[u128; 256]>,
    /// For each of `all` its text, if it tells a line for sure; else, and at the end, what no line
    /// begins with.
    fronts: Vec<Front>,
}

impl Opening {
    /// The opening of a pattern. A rule that does more than to know its line keeps its pattern.
    pub(crate) fn read(spaced: &str, means: Meaning, excepts: bool) -> Option<Opening> {
        let (text, all) = words::fixed_start(spaced)?;
        let only_known = matches!(means, Meaning::Noise | Meaning::Alive) && !excepts;
        let head = Head::of(text.as_bytes());
        let front = Front::of(text.as_bytes());
        Some(Opening { text: text.into_bytes().into(), whole: all && only_known, head, front })
    }

    #[inline(always)]
    fn begins(&self, message: &[u8]) -> Begins {
        let fits = if self.whole { Begins::Yes } else { Begins::Perhaps };
        if let (Some(front), Some(first)) = (&self.front, message.first_chunk())
            && front.is_begin_of(first)
        {
            return fits;
        }
        if self.head.differs(message) { Begins::No } else { self.compare(message, fits) }
    }

    /// A short message, one in other cases, or one that differs.
    fn compare(&self, message: &[u8], fits: Begins) -> Begins {
        if message.starts_with(&self.text) {
            return fits;
        }
        let same = |(own, other): &(&u8, &u8)| own.eq_ignore_ascii_case(other);
        let common = self.text.iter().zip(message).take_while(same).count();
        if common == self.text.len() {
            return fits;
        }
        match message.get(common) {
            Some(other) if !other.is_ascii_graphic() => Begins::Perhaps,
            Some(_) | None => Begins::No,
        }
    }
}

/// A text of 32 bytes at most: to be compared at once, where a message has as many.
#[derive(Debug, Clone, Copy)]
struct Front {
    bytes: [u8; 32],
    /// Set where `bytes` count.
    mask: [u8; 32],
}

impl Front {
    /// What no message begins with: line ends.
    const NEVER: Front = Front { bytes: [b'\n'; 32], mask: [0xFF; 32] };

    /// `None` for a text that is longer, or that a line's end may be part of.
    fn of(text: &[u8]) -> Option<Front> {
        if !text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            return None;
        }
        let mut front = Front { bytes: [0; 32], mask: [0; 32] };
        front.bytes.get_mut(..text.len())?.copy_from_slice(text);
        front.mask[..text.len()].fill(0xFF);
        Some(front)
    }

    #[inline(always)]
    fn is_begin_of(&self, message: &[u8; 32]) -> bool {
        let bytes = message.iter().zip(&self.bytes).zip(&self.mask);
        bytes.fold(0, |differ, ((a, b), mask)| differ | (a ^ b) & mask) == 0
    }
}

impl Head {
    /// The bit that parts `a` from `A`; in other bytes it makes more of them alike.
    const CASE: u64 = u64::from_ne_bytes([0x20; 8]);
    const BEYOND_ASCII: u64 = u64::from_ne_bytes([0x80; 8]);

    fn of(text: &[u8]) -> Head {
        let (mut bytes, mut mask) = ([0; 8], [0; 8]);
        for (at, byte) in text.iter().take(8).take_while(|byte| **byte != b' ').enumerate() {
            (bytes[at], mask[at]) = (byte | 0x20, 0xFF);
        }
        Head { bytes: u64::from_ne_bytes(bytes), mask: u64::from_ne_bytes(mask) }
    }

    /// Whether `message` begins with other ASCII letters for sure.
    #[inline(always)]
    fn differs(self, message: &[u8]) -> bool {
        let Some(eight) = message.first_chunk() else { return false };
        let eight = u64::from_ne_bytes(*eight);
        eight & Head::BEYOND_ASCII == 0 && (eight | Head::CASE) & self.mask != self.bytes
    }
}

impl Openings {
    /// The openings of `rules`; each with its rule.
    pub(crate) fn of(rules: &[Rule]) -> Openings {
        let mut all = Vec::new();
        let (mut first, mut second) = (Box::new([0; 256]), Box::new([0; 256]));
        for (at, rule) in rules.iter().enumerate() {
            let Some(opening) = &rule.opening else { continue };
            let bit = 1 << all.len();
            for byte in 0..=u8::MAX {
                // A letter beyond ASCII may be another spelling of one.
                if byte.eq_ignore_ascii_case(&opening.text[0]) || !byte.is_ascii() {
                    first[usize::from(byte)] |= bit;
                }
                let is_second = |own: &u8| byte.eq_ignore_ascii_case(own);
                if !byte.is_ascii_graphic() || opening.text.get(1).is_none_or(is_second) {
                    second[usize::from(byte)] |= bit;
                }
            }
            all.push((at, opening.clone()));
        }
        let sure = all.iter().map(|(_, opening)| opening.front.filter(|_| opening.whole));
        let fronts = sure.chain([None]).map(|front| front.unwrap_or(Front::NEVER)).collect();
        Openings { all, first, second, fronts }
    }

    /// Whether a rule knows the message that `text` begins with; `None` where this does not tell. What
    /// follows the message may be part of `text`. No branch depends on which message it is.
    #[inline(always)]
    pub(crate) fn knows(&self, text: &[u8]) -> Option<bool> {
        let begin: &[u8; 32] = text.first_chunk()?;
        let left = self.first[usize::from(begin[0])] & self.second[usize::from(begin[1])];
        let at = (left.trailing_zeros() as usize).min(self.all.len());
        let is_known = self.fronts[at].is_begin_of(begin);
        (is_known || left == 0 && begin[0].is_ascii()).then_some(is_known)
    }

    /// What `message` begins with.
    #[inline(always)]
    pub(crate) fn tell(&self, message: &[u8]) -> Told {
        let Some(byte) = message.first() else { return Told::Nothing };
        let mut left = self.first[usize::from(*byte)];
        if let Some(second) = message.get(1)
            && byte.is_ascii()
        {
            left &= self.second[usize::from(*second)];
        }
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left - 1;
            let (rule, opening) = &self.all[at];
            match opening.begins(message) {
                Begins::Yes => return Told::Rule(*rule),
                Begins::No => {}
                Begins::Perhaps => return Told::Ask,
            }
        }
        Told::Nothing
    }
}
