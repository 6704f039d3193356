//! Finds the few lines of a block in which the word of a rule may stand.
//!
//! Of each word three letters are looked for, the rarest ones, in every mixture of cases: where
//! they are missing, the word is. That few short texts can be found by vector instructions, ten
//! times as fast as an automaton finds the words.

use aho_corasick::packed::{Config, Searcher};

/// Bytes of a word that are looked for; two, where there are many words.
const LENGTHS: [usize; 2] = [3, 2];
/// Most texts that the search takes.
const MOST: usize = 64;
/// Letters from rare to frequent in English text.
const RARE_FIRST: &[u8] = b"zqxjkvbpygfwmucldrhsnioate";

/// Looks for the words of some rules.
#[derive(Debug, Clone)]
pub(crate) enum Scout {
    /// There is no word to look for.
    Nothing,
    /// Pieces of all words.
    Pieces(Searcher),
    /// Every line may have one: too many words, or no vector instructions.
    Everything,
}

impl Scout {
    /// Looks for `words`: lower case, three bytes or more. Pieces that stand in one of `known`,
    /// messages that are told without a search, are avoided.
    pub(crate) fn new(words: &[&str], known: &[&str]) -> Scout {
        if words.is_empty() {
            return Scout::Nothing;
        }
        let known: Vec<String> = known.iter().map(|text| text.to_ascii_lowercase()).collect();
        let pieces = LENGTHS.map(|length| {
            let mut pieces: Vec<&[u8]> =
                words.iter().filter_map(|word| rarest(word.as_bytes(), length, &known)).collect();
            pieces.sort_unstable();
            pieces.dedup();
            pieces.into_iter().flat_map(cases).collect::<Vec<_>>()
        });
        let fitting = pieces.into_iter().find(|pieces| pieces.len() <= MOST);
        let searcher = fitting
            .and_then(|pieces| Config::new().only_teddy(true).builder().extend(pieces).build());
        searcher.map_or(Scout::Everything, Scout::Pieces)
    }

    /// Where in `text`, from `at` on, the next piece starts, or could start.
    pub(crate) fn next(&self, text: &[u8], at: usize) -> Option<usize> {
        match self {
            Scout::Nothing => None,
            Scout::Pieces(searcher) => {
                let found = searcher.find(text.get(at..)?)?;
                Some(at + found.start())
            }
            Scout::Everything => (at < text.len()).then_some(at),
        }
    }
}

/// The rarest `length` bytes of a word. Its last letters are taken last: endings are frequent.
fn rarest<'w>(word: &'w [u8], length: usize, known: &[String]) -> Option<&'w [u8]> {
    let start = word.len().saturating_sub(2).max(length);
    let stands =
        |piece: &[u8], text: &String| text.as_bytes().windows(length).any(|at| at == piece);
    let lines = |piece: &[u8]| known.iter().filter(|text| stands(piece, text)).count();
    let frequency = |byte: &u8| {
        // Of what is no letter much stands in stamps.
        RARE_FIRST.iter().position(|letter| letter == byte).unwrap_or(RARE_FIRST.len())
    };
    let pieces = word.windows(length).zip(length..);
    let rarest = pieces.min_by_key(|(piece, end)| {
        (lines(piece), *end > start, piece.iter().map(frequency).sum::<usize>())
    });
    rarest.map(|(piece, _)| piece)
}

/// All spellings of a piece in upper and lower case.
fn cases(piece: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for byte in piece {
        let mut spellings = vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
        spellings.dedup();
        let longer = |start: Vec<u8>| {
            spellings
                .iter()
                .map(move |byte| [start.as_slice(), &[*byte]].concat())
                .collect::<Vec<_>>()
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::engine::{BlockEnd, Line, Reader};
    use crate::format::{Format, Formats};
    use crate::stamp::DateOrder;

    #[test]
    fn pieces_are_rare() {
        let piece = |word: &str, known: &[&str]| {
            let known: Vec<String> = known.iter().map(|&text| text.to_owned()).collect();
            rarest(word.as_bytes(), 3, &known)
                .map(|piece| String::from_utf8_lossy(piece).into_owned())
        };
        assert_eq!(piece("exiting", &[]).as_deref(), Some("xit"));
        assert_eq!(piece("waiting", &[]).as_deref(), Some("wai"), "not its ending");
        assert_eq!(piece("waiting", &["wait a moment"]).as_deref(), Some("iti"));
        assert_eq!(cases(b"a:b").len(), 4);
    }

    /// What stands in front of a message, and what may be done to a message.
    const FRONTS: [&str; 8] = [
        "Mon, 24 Mar 2025 12:07:53 ",
        "Mon, 24 Mar 2025 12:07:54 ",
        "Mon, 24 Mar 2025 12:08:54 \t",
        "2025-03-24 12:20:19(8-12) ProvisionGUI:",
        "2025-03-24 12:20:21(8-12) ProvisionGUI:",
        "2025-03-24T12:20:19.5 ",
        "03/24/2025 12:20:19 INFO  8644:1     RollingLog : ",
        "",
    ];
    const ENDS: [&[u8]; 7] =
        [b"\n", b"\r\n", b" more\n", b"\\\n", b"\0\n", b"\xE9\xFF\n", b"\xC2\xA0x\r\n"];

    fn changed(message: &str, how: u8, at: usize) -> String {
        let cut = message.char_indices().map(|(at, _)| at).nth(at % message.chars().count());
        let (start, end) = message.split_at(cut.unwrap_or(0));
        match how % 12 {
            0 => message.to_ascii_uppercase(),
            1 => message.to_ascii_lowercase(),
            2 => message.replace(' ', "  "),
            3 => message.replace(' ', "\t"),
            4 => message.replace(' ', "\u{A0}"),
            5 => message.replace('s', "\u{17F}"),
            6 => message.replace(['k', 'K'], "\u{212A}"),
            7 => format!("{start}x{end}"),
            8 => start.to_owned(),
            9 => format!("{start}{end} {start}"),
            10 => format!("am {message}"),
            _as_it_is => message.to_owned(),
        }
    }

    /// What a reader gives for `text`; every line is searched for words if `slowly`.
    fn read(format: &Format, text: &[u8], slowly: bool) -> Vec<String> {
        let mut format = format.clone();
        if slowly {
            format.scout = Scout::Everything;
        }
        let mut reader = Reader::new(&format, DateOrder::MonthFirst, b'\n');
        let mut lines = Vec::new();
        reader.block(text, BlockEnd::Last, &mut |line: &Line<'_>| lines.push(format!("{line:?}")));
        lines.push(format!("{:?}", reader.counts()));
        lines
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn what_is_not_searched_has_no_word(
            lines in proptest::collection::vec(
                (select(&FRONTS[..]), any::<usize>(), any::<u8>(), any::<usize>(), select(&ENDS[..])),
                1..12,
            ),
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let formats = Formats::builtin().expect("embedded");
            for format in formats.formats.iter().filter(|format| !format.rules.is_empty()) {
                let mut text = Vec::new();
                for (front, rule, how, at, end) in &lines {
                    let specimen = &format.rules[rule % format.rules.len()].specimen;
                    text.extend(front.bytes());
                    text.extend(changed(specimen, *how, *at).bytes());
                    text.extend(*end);
                }
                text.extend(&bytes);
                prop_assert_eq!(read(format, &text, false), read(format, &text, true));
            }
        }
    }
}
