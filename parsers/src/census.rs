//! The shapes of a format's messages, counted.
//!
//! The idea is that of log template miners such as Drain: variables are masked by their look, and
//! places where many words stand are variables, too. Unlike theirs, the result depends neither on
//! the order of lines nor on that of devices, as long as there is room for all different messages:
//! words are joined at the end, over all that was seen. Beyond that room lines are only counted,
//! and which ones these are depends on the order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use crate::shape::variable::TEXT;
use crate::shape::word_length;

/// From so many different words on a place is a variable.
const MANY_WORDS: usize = 10;
/// The same for the beginning of a message, which only what follows tells: messages of
/// different meaning may end alike.
const MANY_BEGINNINGS: usize = 25;
/// Most different messages that are told apart in one log format: bounds memory.
const MOST_SHAPES: usize = 20_000;
/// Most looks that are remembered for each message that there is room for.
const LOOKS: usize = 4;

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
    /// Which of `all` a masked message is.
    index: BTreeMap<String, usize>,
    all: Vec<Seen<P>>,
    /// Which of `all` messages of a look are.
    looks: HashMap<u64, usize, BuildHasherDefault<AsIs>>,
    most: usize,
    /// Lines beyond the most different messages that are told apart.
    pub others: u64,
}

impl<P> Default for Shapes<P> {
    fn default() -> Shapes<P> {
        Shapes::with_room(MOST_SHAPES)
    }
}

impl<P> Shapes<P> {
    /// Tells at most so many different messages apart.
    pub fn with_room(most: usize) -> Shapes<P> {
        let (index, all, looks) = (BTreeMap::new(), Vec::new(), HashMap::default());
        Shapes { index, all, looks, most, others: 0 }
    }

    /// How many different messages were told apart.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl<P: Clone> Shapes<P> {
    /// Counts a message of a device, which stands for so many lines, if one of its look was
    /// counted before; says whether it was.
    pub fn add_look(&mut self, look: u64, lines: u64) -> bool {
        let seen = self.looks.get(&look).and_then(|at| self.all.get_mut(*at));
        seen.map(|seen| seen.lines += lines).is_some()
    }

    /// Counts a message that is masked, and remembers its look.
    pub fn add(&mut self, look: u64, masked: &str, lines: u64, place: impl FnOnce() -> P) {
        let at = match self.index.get(masked) {
            Some(at) => *at,
            None if self.all.len() < self.most => {
                self.all.push(Seen { lines: 0, devices: 1, first: place() });
                self.index.insert(masked.to_owned(), self.all.len() - 1);
                self.all.len() - 1
            }
            None => {
                self.others += lines;
                return;
            }
        };
        if let Some(seen) = self.all.get_mut(at) {
            seen.lines += lines;
        }
        if self.looks.len() < self.most * LOOKS {
            self.looks.insert(look, at);
        }
    }

    /// Adds the shapes of the next device.
    pub fn merge(&mut self, next: Shapes<P>) {
        self.others += next.others;
        for (masked, at) in next.index {
            let Some(seen) = next.all.get(at) else { continue };
            let own = self.index.get(&masked).and_then(|at| self.all.get_mut(*at));
            if let Some(own) = own {
                own.lines += seen.lines;
                own.devices += seen.devices;
            } else if self.all.len() < self.most {
                self.index.insert(masked, self.all.len());
                self.all.push(seen.clone());
            } else {
                self.others += seen.lines;
            }
        }
    }

    /// The shapes with words that vary joined, most frequent first. A device counts in each of a
    /// joined shape's messages, so `devices` is then the most of any one of them.
    pub fn joined(&self) -> Vec<(String, Seen<P>)> {
        let joiner = Joiner::new(self.index.keys().map(String::as_str));
        let seen = self.index.iter().filter_map(|(masked, at)| Some((masked, self.all.get(*at)?)));
        let joined = summed(seen.map(|(masked, seen)| (joiner.joined(masked), seen)));
        let beginnings = Beginnings::new(joined.keys().map(String::as_str));
        let joined = summed(joined.iter().map(|(shape, seen)| (beginnings.joined(shape), seen)));
        let mut joined: Vec<(String, Seen<P>)> = joined.into_iter().collect();
        joined.sort_by(|a, b| b.1.lines.cmp(&a.1.lines).then_with(|| a.0.cmp(&b.0)));
        joined
    }
}

/// Shapes that are the same, as one.
fn summed<'s, P: Clone + 's>(
    shapes: impl Iterator<Item = (String, &'s Seen<P>)>,
) -> BTreeMap<String, Seen<P>> {
    let mut all: BTreeMap<String, Seen<P>> = BTreeMap::new();
    for (shape, seen) in shapes {
        match all.get_mut(&shape) {
            Some(own) => {
                own.lines += seen.lines;
                own.devices = own.devices.max(seen.devices);
            }
            None => {
                all.insert(shape, seen.clone());
            }
        }
    }
    all
}

/// How a message looks: the same for messages that differ in digits alone, which are masked
/// alike. Digits of a word with letters outside of ASCII count, since such a word may be no number.
/// Far quicker than masking; two messages of one look by chance are counted as one.
pub fn look(message: &[u8]) -> u64 {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
    let mut hash = 0xCBF2_9CE4_8422_2325;
    let mut rest = message;
    while let Some(first) = rest.first() {
        let length = if is_word(*first) {
            rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len())
        } else {
            1
        };
        let (word, after) = rest.split_at(length);
        let plain = word.is_ascii();
        for byte in word {
            let shown = if plain && byte.is_ascii_digit() { b'0' } else { *byte };
            hash = (hash ^ u64::from(shown)).wrapping_mul(0x0100_0000_01B3);
        }
        rest = after;
    }
    // The high bits of a product are the good ones, and a table takes the low ones.
    hash ^ (hash >> 32)
}

/// Takes a hash for what it is.
#[derive(Debug, Clone, Copy, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
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

/// Tells which messages begin with many different words: the same follows them.
#[derive(Debug, Default)]
struct Beginnings<'m> {
    /// What stands before and behind a place, and the words that stand there.
    words: BTreeMap<(&'m str, &'m str), BTreeSet<&'m str>>,
}

impl<'m> Beginnings<'m> {
    /// Looks at all shapes of a format.
    fn new(shapes: impl Iterator<Item = &'m str>) -> Beginnings<'m> {
        let mut words: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for shape in shapes {
            for (before, word, behind) in beginnings(shape) {
                let known = words.entry((before, behind)).or_default();
                if known.len() < MANY_BEGINNINGS {
                    known.insert(word);
                }
            }
        }
        words.retain(|_, words| words.len() >= MANY_BEGINNINGS);
        Beginnings { words }
    }

    /// The shape with the first of its words that varies as a variable.
    fn joined(&self, shape: &str) -> String {
        let varies = beginnings(shape)
            .find(|(before, _, behind)| self.words.contains_key(&(before, behind)));
        match varies {
            Some((before, _, behind)) => format!("{before}{TEXT}{behind}"),
            None => shape.to_owned(),
        }
    }
}

/// The words at the beginning of a shape that what precedes them can't tell as variables, each with
/// what stands before and behind it; only where a word stands behind it.
fn beginnings(shape: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let early = words(shape).take_while(|(at, _)| !is_anchored(&shape[..*at]));
    let parts = early.map(|(at, word)| (&shape[..at], word, &shape[at + word.len()..]));
    parts.filter(|(_, _, behind)| is_anchored(behind))
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

    fn count<P: Clone>(shapes: &mut Shapes<P>, message: &str, place: P) {
        let look = look(message.as_bytes());
        if !shapes.add_look(look, 1) {
            let mut masked = String::new();
            mask(message, &mut masked);
            shapes.add(look, &masked, 1, || place);
        }
    }

    #[test]
    fn a_beginning_of_many_words_is_joined_by_what_follows() {
        let mut shapes = Shapes::default();
        for first in b'a'..=b'z' {
            let word = char::from(first).to_string().repeat(4);
            count(&mut shapes, &format!("{word} wird geholt"), ());
            count(&mut shapes, &format!("<{word}> ist da"), ());
        }
        for few in ["Holen", "Suchen", "Laden"] {
            count(&mut shapes, &format!("{few} beendet"), ());
        }
        let joined = shapes.joined();
        let shapes: Vec<String> = joined.iter().map(|(shape, _)| shown(shape)).collect();
        let few = ["Holen beendet", "Laden beendet", "Suchen beendet"];
        assert_eq!(shapes, [["… wird geholt", "<…> ist da"].as_slice(), &few].concat());
        assert_eq!(joined[0].1.lines, 26);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let mut shapes = Shapes::with_room(2);
        for message in ["one", "two", "three", "one", "four"] {
            count(&mut shapes, message, ());
        }
        assert_eq!((shapes.len(), shapes.others), (2, 2));
        let mut all = Shapes::with_room(1);
        all.merge(shapes);
        assert_eq!((all.len(), all.others), (1, 3));
    }

    #[test]
    fn a_place_of_many_words_is_joined() {
        let mut shapes = Shapes::default();
        for at in 0..12u8 {
            count(&mut shapes, &format!("Nehme Bündel {} x", char::from(b'a' + at)), at);
            count(&mut shapes, "Bündel getan", at);
        }
        let joined: Vec<_> =
            shapes.joined().into_iter().map(|(shape, seen)| (shown(&shape), seen.lines)).collect();
        let wanted = [("Bündel getan".to_owned(), 12), ("Nehme Bündel …".to_owned(), 12)];
        assert_eq!(joined, wanted);
    }

    proptest! {
        #[test]
        fn messages_of_one_look_are_masked_alike(
            message in "([a-z0-9é/:.\\\\ _(-]|\\.exe|C:\\\\|[0-9]{3}){0,60}",
            digits in proptest::collection::vec("[0-9]", 1..9),
        ) {
            let mut digits = digits.iter().cycle();
            let is_digit = |c: char| c.is_ascii_digit();
            let other = |c: char| if is_digit(c) { digits.next().cloned().unwrap_or_default() } else { c.to_string() };
            let other: String = message.chars().map(other).collect();
            let masked = |message: &str| {
                let mut masked = String::new();
                mask(message, &mut masked);
                masked
            };
            if look(message.as_bytes()) == look(other.as_bytes()) {
                prop_assert_eq!(masked(&message), masked(&other));
            }
            if message.is_ascii() {
                prop_assert_eq!(look(message.as_bytes()), look(other.as_bytes()));
            }
        }

        #[test]
        fn every_line_is_counted(lines in proptest::collection::vec("[a-c ]{0,6}|.{0,40}", 0..60), cut in 0usize..60) {
            let of = |lines: &[String]| {
                let mut shapes = Shapes::default();
                lines.iter().for_each(|line| count(&mut shapes, line, ()));
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
