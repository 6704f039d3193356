//! Layouts of stamps that nothing declares, guessed from the lines themselves.
//!
//! Every way to see a date and a time in a line is tried on all lines. Right is the one that reads
//! most of them and lets time go on evenly: a day taken for a month or a year makes it jump.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Mark;
use crate::fields::Words;
use crate::layout::Layout;
use crate::months;
use crate::prefix::{Part, Reading, Token, readings, tokens, written};
use crate::stamp::DateOrder;
use crate::tail;

/// Lines from which ways to read are taken.
const TRIED_LINES: usize = 12;
/// A layout reads this share of the lines at least, in percent.
const LEAST: usize = 50;
/// Layouts that read this share of what the best one reads are compared, in percent.
pub(crate) const AS_MANY: usize = 97;
/// Logs of a device that is at work have no longer pauses, in seconds: two days.
const LONG_STEP: i64 = 172_800;
/// See [`Way::seconds`]: six hours.
const MOST_OF_STEP: i64 = 21_600;
/// Different words of a place that are looked at.
const MOST_WORDS: usize = 60;
/// A word that stands at a place less than once in so many times is not what the place is for.
const RARE: usize = 50;
/// Milliseconds since 1970 that stamps of logs can be: from 1995 to 2090.
const PLAUSIBLE: std::ops::Range<i64> = 788_918_400_000..3_786_912_000_000;

/// A layout that reads lines whose stamps nothing reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// As stamps.toml and overlays write it.
    pub layout: String,
    /// Of it, what date and time are made of.
    pub stamp: String,
    /// The names of the months, if the layout has names.
    pub months: Vec<String>,
    /// The words for both halves of the day, if it has some that are not AM and PM.
    pub halves: Vec<String>,
    /// A line.
    pub specimen: String,
    /// What it reads off that line: `2025-03-24T12:20:19`.
    pub reads: String,
    /// Lines that it reads.
    pub lines: usize,
    /// Of so many.
    pub of: usize,
    /// Other orders of the same fields fit as well: day and month can't be told apart.
    pub ambiguous: bool,
}

impl Guess {
    /// Whether its date and time are those of a trial.
    fn is_of(&self, trial: &Trial) -> bool {
        self.stamp == trial.written && self.months == trial.months && self.halves == trial.halves
    }
}

/// How unevenly time goes on from line to line, the worst first: a wrong field makes it go back,
/// or jump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    /// Steps back.
    back: u64,
    /// Steps of more than [`LONG_STEP`].
    long: u64,
    /// Seconds of all steps, each [`MOST_OF_STEP`] at most: pauses of days say nothing.
    seconds: i64,
}

impl Way {
    fn step(&mut self, seconds: i64) {
        self.back += u64::from(seconds < 0);
        self.long += u64::from(seconds > LONG_STEP);
        self.seconds += seconds.abs().min(MOST_OF_STEP);
    }
}

/// A layout on trial.
pub(crate) struct Trial {
    written: String,
    months: Vec<String>,
    halves: Vec<String>,
    layout: Layout,
    pub(crate) reads: usize,
    /// How unevenly time goes on.
    way: Way,
    /// Whole seconds since 1970: what tells two ways to read apart.
    stamps: Vec<i64>,
}

impl Trial {
    /// Reads a line's stamp: whole seconds since 1970.
    pub(crate) fn read(&self, line: &str) -> Option<i64> {
        let (envelope, _) = self.layout.read(line.as_bytes(), DateOrder::MonthFirst)?;
        let millis = Some(envelope.stamp.0).filter(|millis| PLAUSIBLE.contains(millis))?;
        Some(millis.div_euclid(1000))
    }
}

/// Guesses the layout that most lines of some logs have; each log's lines are in their order.
/// `None` if no layout reads half of them. What other logs of the same agents have (`known`) is
/// taken where it fits as well: it may be told there and not here which number is the day.
pub fn layout(logs: &[Vec<String>], known: &[Guess]) -> Option<Guess> {
    let of = logs.iter().map(Vec::len).sum::<usize>();
    let mut trials = trials(logs, false);
    trials.retain(|trial| trial.reads * 100 >= of * LEAST);
    let most = trials.iter().map(|trial| trial.reads).max()?;
    trials.retain(|trial| trial.reads * 100 >= most * AS_MANY);
    // Of two that read the same, the one with fewer open words.
    trials.sort_by_key(|trial| {
        let open = trial.written.matches("{weekday}").count();
        (trial.way, open, !trial.written.contains("{fraction}"), trial.written.len())
    });
    let is_known = |trial: &Trial| known.iter().any(|known| known.is_of(trial));
    if let Some(at) = trials.iter().position(|trial| trial.way == trials[0].way && is_known(trial))
    {
        return Some(finished(trials.swap_remove(at), logs, of, false));
    }
    let ambiguous = trials
        .iter()
        .skip(1)
        .any(|other| other.way == trials[0].way && other.stamps != trials[0].stamps);
    let best = trials.into_iter().next()?;
    Some(finished(best, logs, of, ambiguous))
}

/// All ways to read some of the lines, tried on all; `open` ones leave out what words stand there.
pub(crate) fn trials(logs: &[Vec<String>], open: bool) -> Vec<Trial> {
    let all: Vec<&String> = logs.iter().flatten().collect();
    let step = (all.len() / TRIED_LINES).max(1);
    let words = WordsAt::new(&all);
    let mut seen = BTreeSet::new();
    let mut trials = Vec::new();
    for line in all.iter().step_by(step).take(TRIED_LINES) {
        let tokens = tokens(line);
        for mut reading in readings(line, &tokens) {
            if open {
                reading.open(&tokens);
            }
            let Some(written) = written(line, &tokens, &reading) else { continue };
            if !seen.insert(written.clone()) {
                continue;
            }
            for (months, halves) in words.languages(&tokens, &reading) {
                trials.extend(tried(&written, months, halves, logs));
            }
        }
    }
    trials
}

/// The words that stand at a place, with how often, over lines that are alike up to there.
struct WordsAt<'l> {
    words: BTreeMap<Vec<u8>, BTreeMap<&'l str, usize>>,
}

impl<'l> WordsAt<'l> {
    fn new(lines: &[&'l String]) -> WordsAt<'l> {
        let mut words: BTreeMap<Vec<u8>, BTreeMap<&str, usize>> = BTreeMap::new();
        for line in lines {
            let tokens = tokens(line);
            for (at, (token, place)) in tokens.iter().enumerate() {
                if *token == Token::Word {
                    let known = words.entry(alike(&tokens[..at])).or_default();
                    let word = &line[place.clone()];
                    if known.len() < MOST_WORDS || known.contains_key(word) {
                        *known.entry(word).or_default() += 1;
                    }
                }
            }
        }
        // Lines that only look alike have other words there, few times.
        for words in words.values_mut() {
            let all: usize = words.values().sum();
            words.retain(|_, times| *times * RARE >= all);
        }
        WordsAt { words }
    }

    /// The names of months and the words for half days that a reading may mean: each language
    /// that has all of the names, both orders of the two words.
    fn languages(
        &self,
        tokens: &[(Token, std::ops::Range<usize>)],
        reading: &Reading,
    ) -> Vec<(Vec<String>, Vec<String>)> {
        let at = |wanted: Part| reading.parts.iter().find(|(_, part)| *part == wanted);
        let words = |at: usize| -> BTreeSet<&str> {
            let words = self.words.get(&alike(&tokens[..at]));
            words.into_iter().flat_map(|words| words.keys().copied()).collect()
        };
        let months = match at(Part::MonthName) {
            None => vec![Vec::new()],
            Some((at, _)) => months::languages(&words(*at)),
        };
        let halves = match at(Part::Half) {
            None => vec![Vec::new()],
            Some((at, _)) => halves(&words(*at)),
        };
        let both = |months: &Vec<String>| {
            halves.iter().map(|halves| (months.clone(), halves.clone())).collect::<Vec<_>>()
        };
        months.iter().flat_map(both).collect()
    }
}

/// What lines have in common whose tokens are of the same kinds.
fn alike(tokens: &[(Token, std::ops::Range<usize>)]) -> Vec<u8> {
    let kind = |token: &Token| match token {
        Token::Number(_) => b'0',
        Token::Word => b'a',
        Token::Blank => b' ',
        Token::Other => b'.',
    };
    tokens.iter().map(|(token, _)| kind(token)).collect()
}

fn halves(words: &BTreeSet<&str>) -> Vec<Vec<String>> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    match words.as_slice() {
        own if own.iter().all(|word| matches!(word.to_lowercase().as_str(), "am" | "pm")) => {
            vec![Vec::new()]
        }
        [first, second] => {
            let (first, second) = (first.clone(), second.clone());
            vec![vec![first.clone(), second.clone()], vec![second, first]]
        }
        _one_or_many => Vec::new(),
    }
}

/// Tries a layout on all lines.
fn tried(
    written: &str,
    months: Vec<String>,
    halves: Vec<String>,
    logs: &[Vec<String>],
) -> Option<Trial> {
    let words = Words { months: Words::spell(&months, 1), halves: Words::spell(&halves, 0) };
    let layout = Layout::compile("guess".to_owned(), written, words, Mark::Learned, None).ok()?;
    let mut trial = Trial {
        written: written.to_owned(),
        months,
        halves,
        layout,
        reads: 0,
        way: Way::default(),
        stamps: Vec::new(),
    };
    for log in logs {
        let mut before: Option<i64> = None;
        for line in log {
            let Some(stamp) = trial.read(line) else { continue };
            trial.reads += 1;
            if let Some(before) = before {
                trial.way.step(stamp - before);
            }
            before = Some(stamp);
            trial.stamps.push(stamp);
        }
    }
    (trial.reads > 0).then_some(trial)
}

/// Adds what follows the stamp, and an example.
fn finished(trial: Trial, logs: &[Vec<String>], of: usize, ambiguous: bool) -> Guess {
    let Trial { written, months, halves, layout, .. } = trial;
    let read = |line: &&String| layout.read(line.as_bytes(), DateOrder::MonthFirst);
    let lines: Vec<&String> = logs.iter().flatten().filter(|line| read(line).is_some()).collect();
    let rests: Vec<&str> = lines
        .iter()
        .filter_map(|line| read(line).and_then(|(own, _)| line.get(own.message_at..)))
        .collect();
    let more = tail::of(&rests);
    let words = Words { months: Words::spell(&months, 1), halves: Words::spell(&halves, 0) };
    let longer = format!("{written}{more}");
    let longer = Layout::compile("guess".to_owned(), &longer, words, Mark::Learned, None)
        .ok()
        .filter(|layout| {
            let read = |line: &&&String| layout.read(line.as_bytes(), DateOrder::MonthFirst);
            let reads = lines.iter().filter(|line| read(line).is_some()).count();
            reads * 100 >= lines.len() * AS_MANY
        });
    let layout = longer.unwrap_or(layout);
    let found = lines.iter().find_map(|line| {
        let (envelope, _) = layout.read(line.as_bytes(), DateOrder::MonthFirst)?;
        Some(((*line).clone(), envelope.stamp.0))
    });
    let (specimen, stamp) = found.unwrap_or_default();
    let reads = chrono::DateTime::from_timestamp_millis(stamp).unwrap_or_default();
    Guess {
        layout: layout.written,
        stamp: written,
        months,
        halves,
        specimen,
        reads: reads.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
        lines: lines.len(),
        of,
        ambiguous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lines of one log, a minute and a bit apart, over some days.
    fn log(line: impl Fn(chrono::NaiveDateTime, usize) -> String) -> Vec<Vec<String>> {
        let start = chrono::NaiveDate::from_ymd_opt(2025, 8, 3)
            .and_then(|day| day.and_hms_opt(9, 58, 7))
            .expect("a time");
        let lines = (0..400).map(|at| {
            let minutes = chrono::Duration::seconds(613 * i64::try_from(at).expect("small"));
            line(start + minutes, at)
        });
        vec![lines.collect()]
    }

    fn guessed(line: impl Fn(chrono::NaiveDateTime, usize) -> String) -> (String, String) {
        let guess = layout(&log(line), &[]).expect("a layout");
        assert!(!guess.ambiguous, "{guess:?}");
        (guess.layout, guess.reads)
    }

    #[test]
    fn stamps_of_any_order() {
        let table = [
            ("%H.%M.%S %d/%m/%Y - ", "{hour}.{minute}.{second} {day}/{month}/{year} - "),
            ("[%H.%M.%S %d/%m/%Y] ", "[{hour}.{minute}.{second} {day}/{month}/{year}] "),
            ("%y%m%d-%H%M%S,250 ", "{year}{month}{day}-{hour}{minute}{second},{fraction} "),
            (
                "%Y年%m月%d日 %H時%M分%S秒 ",
                "{year}年{month}月{day}日 {hour}時{minute}分{second}秒 ",
            ),
            ("%a %b %d %Y %H:%M:%S ", "{weekday} {month} {day} {year} {hour}:{minute}:{second} "),
            ("%m-%d-%y %I:%M:%S %p | ", "{month}-{day}-{year} {hour}:{minute}:{second} {half} | "),
            ("%Y%m%d%H%M%S ", "{year}{month}{day}{hour}{minute}{second} "),
        ];
        for (format, wanted) in table {
            let (layout, reads) = guessed(|at, n| format!("{}message {n}", at.format(format)));
            assert_eq!(layout, wanted, "{format}");
            assert!(reads.starts_with("2025-08-03T09:58:07"), "{format}: {reads}");
        }
    }

    #[test]
    fn what_follows_the_stamp() {
        let (layout, _) = guessed(|at, n| {
            let level = if n % 3 == 0 { "INFO" } else { "WARN" };
            format!("{} ({}:{}) {level} some {n} text", at.format("%d.%m.%Y %H:%M:%S"), 40 + n, n)
        });
        assert_eq!(layout, "{day}.{month}.{year} {hour}:{minute}:{second} ({pid}:{tid}) {level} ");
    }

    #[test]
    fn months_of_a_language() {
        const MONTHS: [&str; 3] = ["août", "septembre", "octobre"];
        let lines = log(|at, _| {
            let month = MONTHS[(chrono::Datelike::month0(&at) as usize).saturating_sub(7)];
            format!(
                "le {} {month} {}h{}m{} : x",
                at.format("%-d"),
                at.format("%Y %H"),
                at.format("%M"),
                at.format("%S")
            )
        });
        let guess = layout(&lines, &[]).expect("a layout");
        assert_eq!(guess.layout, "le {day} {month} {year} {hour}h{minute}m{second} : ");
        assert_eq!(guess.months[7], "août");
    }

    #[test]
    fn one_day_that_can_be_read_two_ways_is_told() {
        let line = |n: usize| format!("03/04/25 10:{:02}:07 text", n % 60);
        let guess = layout(&[(0..40).map(line).collect()], &[]).expect("a layout");
        assert!(guess.ambiguous);
    }

    proptest! {
        #[test]
        fn any_lines(lines in proptest::collection::vec("[0-9:/. a-c]{0,30}|.{0,40}", 0..30)) {
            let _ = layout(&[lines], &[]);
        }
    }
}
