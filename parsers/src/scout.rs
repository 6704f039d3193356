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
        let searcher = fitting.and_then(|pieces| {
            Config::new().only_teddy(true).builder().extend(pieces).build()
        });
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
    let stands = |piece: &[u8], text: &String| text.as_bytes().windows(length).any(|at| at == piece);
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
            spellings.iter().map(move |byte| [start.as_slice(), &[*byte]].concat()).collect::<Vec<_>>()
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}
