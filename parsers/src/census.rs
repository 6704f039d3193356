//! The shapes of a format's messages, counted.
//!
//! The idea is that of log template miners such as Drain: variables are masked by their look, and
//! places where many words stand are variables, too. Unlike theirs, the result depends neither on
//! the order of lines nor on that of devices: words are joined at the end, over all that was seen.

use std::collections::BTreeMap;

use crate::shape::variable::TEXT;
use crate::shape::word_length;

/// From so many different words on a place is a variable.
const MANY_WORDS: usize = 10;
/// Most different messages that are told apart in one log format: bounds memory.
const MOST_SHAPES: usize = 20_000;

/// What is known of one shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen<P> {
    /// Lines.
    pub lines: u64,
    /// Devices.
    pub devices: u64,
    /// The first place where it stands, in the order of devices and lines.
    pub first: P,
}

/// The shapes of one format: masked messages, each with what was seen of it.
#[derive(Debug, Clone)]
pub struct Shapes<P> {
    seen: BTreeMap<String, Seen<P>>,
    /// Lines beyond the most different messages that are told apart.
    pub others: u64,
}

impl<P> Default for Shapes<P> {
    fn default() -> Shapes<P> {
        Shapes { seen: BTreeMap::new(), others: 0 }
    }
}

impl<P: Clone> Shapes<P> {
    /// Counts a masked message of a device, which stands for so many lines.
    pub fn add(&mut self, masked: &str, lines: u64, place: impl FnOnce() -> P) {
        if let Some(seen) = self.seen.get_mut(masked) {
            seen.lines += lines;
        } else if self.seen.len() < MOST_SHAPES {
            let seen = Seen { lines, devices: 1, first: place() };
            self.seen.insert(masked.to_owned(), seen);
        } else {
            self.others += lines;
        }
    }

    /// Adds the shapes of the next device.
    pub fn merge(&mut self, next: Shapes<P>) {
        self.others += next.others;
        for (masked, seen) in next.seen {
            if let Some(own) = self.seen.get_mut(&masked) {
                own.lines += seen.lines;
                own.devices += seen.devices;
            } else if self.seen.len() < MOST_SHAPES {
                self.seen.insert(masked, seen);
            } else {
                self.others += seen.lines;
            }
        }
    }

    /// The shapes with words that vary joined, most frequent first. A device counts in each of a
    /// joined shape's messages, so `devices` is then the most of any one of them.
    pub fn joined(&self) -> Vec<(String, Seen<P>)> {
        let joiner = Joiner::new(self.seen.keys().map(String::as_str));
        let mut joined: BTreeMap<String, Seen<P>> = BTreeMap::new();
        for (masked, seen) in &self.seen {
            let shape = joiner.joined(masked);
            match joined.get_mut(&shape) {
                Some(own) => {
                    own.lines += seen.lines;
                    own.devices = own.devices.max(seen.devices);
                }
                None => {
                    joined.insert(shape, seen.clone());
                }
            }
        }
        let mut joined: Vec<(String, Seen<P>)> = joined.into_iter().collect();
        joined.sort_by(|a, b| b.1.lines.cmp(&a.1.lines).then_with(|| a.0.cmp(&b.0)));
        joined
    }
}

/// Tells which places of masked messages hold many different words.
#[derive(Debug, Default)]
pub struct Joiner<'m> {
    /// What stands before a place, and the words that stand there.
    followers: BTreeMap<&'m str, BTreeMap<&'m str, ()>>,
}

impl<'m> Joiner<'m> {
    /// Looks at all masked messages of a format.
    pub fn new(masked: impl IntoIterator<Item = &'m str>) -> Joiner<'m> {
        let mut followers: BTreeMap<&str, BTreeMap<&str, ()>> = BTreeMap::new();
        for message in masked {
            for (at, word) in words(message).filter(|(at, _)| is_anchored(&message[..*at])) {
                let known = followers.entry(&message[..at]).or_default();
                if known.len() < MANY_WORDS {
                    known.insert(word, ());
                }
            }
        }
        followers.retain(|_, words| words.len() >= MANY_WORDS);
        Joiner { followers }
    }

    /// The message up to the first place where many words stand.
    pub fn joined(&self, masked: &str) -> String {
        let varies = words(masked).find(|(at, _)| self.followers.contains_key(&masked[..*at]));
        match varies {
            Some((at, _)) => format!("{}{TEXT}", &masked[..at]),
            None => masked.to_owned(),
        }
    }
}

/// Whether a fixed word of letters stands there: what comes first is never a variable.
fn is_anchored(text: &str) -> bool {
    text.chars().filter(|letter| letter.is_alphabetic()).count() >= 2
}

/// The words of a masked message, each with its place; what stands between is part of what is
/// before the next.
fn words(masked: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = masked;
    std::iter::from_fn(move || {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || (c < ' ');
        let start = rest.find(is_word)?;
        let at = masked.len() - rest.len() + start;
        let text = &masked[at..];
        let first = text.chars().next()?;
        let length = if first < ' ' { first.len_utf8() } else { word_length(text).max(1) };
        rest = masked.get(at + length..)?;
        Some((at, masked.get(at..at + length)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{mask, shown};
    use proptest::prelude::*;

    #[test]
    fn a_place_of_many_words_is_joined() {
        let mut shapes = Shapes::default();
        let mut text = String::new();
        for at in 0..12u8 {
            mask(&format!("Nehme Bündel {} x", char::from(b'a' + at)), &mut text);
            shapes.add(&text, 1, || at);
            mask("Bündel getan", &mut text);
            shapes.add(&text, 1, || at);
        }
        let joined: Vec<_> =
            shapes.joined().into_iter().map(|(shape, seen)| (shown(&shape), seen.lines)).collect();
        let wanted = [("Bündel getan".to_owned(), 12), ("Nehme Bündel …".to_owned(), 12)];
        assert_eq!(joined, wanted);
    }

    proptest! {
        #[test]
        fn every_line_is_counted(lines in proptest::collection::vec("[a-c ]{0,6}|.{0,40}", 0..60), cut in 0usize..60) {
            let of = |lines: &[String]| {
                let mut shapes = Shapes::default();
                let mut text = String::new();
                for line in lines {
                    mask(line, &mut text);
                    shapes.add(&text, 1, || ());
                }
                shapes
            };
            let cut = cut.min(lines.len());
            let (mut one, two) = (of(&lines[..cut]), of(&lines[cut..]));
            let mut other = two.clone();
            other.merge(one.clone());
            one.merge(two);
            let counted: u64 = one.joined().iter().map(|(_, seen)| seen.lines).sum();
            prop_assert_eq!(counted + one.others, lines.len() as u64);
            prop_assert_eq!(one.joined(), other.joined());
        }
    }
}
