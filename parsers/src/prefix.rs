//! Layouts that the beginning of a line may have: every way to see a date and a time in it.

use std::ops::Range;

/// The longest beginning that is looked at, in bytes.
const LONGEST: usize = 96;
/// Most pieces of it.
const MOST_TOKENS: usize = 28;

/// A piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// So many digits.
    Number(usize),
    /// Letters.
    Word,
    /// Blanks.
    Blank,
    /// Anything else.
    Other,
}

/// The pieces of a line's beginning, each with its place.
pub(crate) fn tokens(line: &str) -> Vec<(Token, Range<usize>)> {
    let mut tokens: Vec<(Token, Range<usize>)> = Vec::new();
    let mut last = ' ';
    for (at, letter) in line.char_indices().take_while(|(at, _)| *at < LONGEST) {
        let end = at + letter.len_utf8();
        // Ideographs are no words that go on: each is one.
        let joins = |own: Token| match own {
            Token::Number(_) => letter.is_ascii_digit(),
            Token::Word => is_letter(letter) && !is_ideograph(letter) && !is_ideograph(last),
            Token::Blank => letter == ' ' || letter == '\t',
            Token::Other => false,
        };
        match tokens.last_mut() {
            Some((own, place)) if joins(*own) => {
                place.end = end;
                if let Token::Number(digits) = own {
                    *digits += 1;
                }
            }
            Some(_) | None => {
                if tokens.len() == MOST_TOKENS {
                    break;
                }
                let token = match letter {
                    digit if digit.is_ascii_digit() => Token::Number(1),
                    ' ' | '\t' => Token::Blank,
                    letter if is_letter(letter) => Token::Word,
                    _other => Token::Other,
                };
                tokens.push((token, at..end));
            }
        }
        last = letter;
    }
    tokens
}

fn is_letter(letter: char) -> bool {
    letter.is_alphabetic()
}

fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}')
}

/// What a token of a layout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// These fields; several stand in one run of digits.
    Fields(&'static str),
    /// The name of a month.
    MonthName,
    /// A word for half of the day.
    Half,
    /// Some other word, of any letters.
    AnyWord,
}

/// A way to read a line's beginning: what its tokens are, by their index, and how many there are.
/// All others stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) parts: Vec<(usize, Part)>,
    pub(crate) length: usize,
}

impl Reading {
    /// Leaves all words open but the names of months: the half of the day, too.
    pub(crate) fn open(&mut self, tokens: Tokens<'_>) {
        let word = |at: &usize| tokens[*at].0 == Token::Word;
        let is_name = |at: &usize| self.parts.contains(&(*at, Part::MonthName));
        let words: Vec<usize> = (0..self.length).filter(word).filter(|at| !is_name(at)).collect();
        self.parts.retain(|(at, _)| !words.contains(at));
        self.parts.extend(words.into_iter().map(|at| (at, Part::AnyWord)));
        self.parts.sort_by_key(|(at, _)| *at);
    }
}

/// All readings of a line.
pub(crate) fn readings(line: &str, tokens: &[(Token, Range<usize>)]) -> Vec<Reading> {
    let mut readings = Vec::new();
    let (times, dates) = (times(line, tokens), dates(line, tokens));
    for time in &times {
        for date in &dates {
            let (before, after) = if time[0].0 < date[0].0 { (time, date) } else { (date, time) };
            let apart = before.last().zip(after.first()).is_some_and(|(a, b)| a.0 < b.0);
            if apart {
                readings.extend(whole(line, tokens, [before.as_slice(), after].concat()));
            }
        }
    }
    for (at, (token, _)) in tokens.iter().enumerate() {
        let packed = match token {
            Token::Number(12 | 14) => "{year}{month}{day}{hour}{minute}{second}",
            Token::Number(_) | Token::Word | Token::Blank | Token::Other => continue,
        };
        readings.extend(whole(line, tokens, vec![(at, Part::Fields(packed))]));
    }
    readings
}

/// A reading of so many parts, and the one with its words left open.
fn whole(line: &str, tokens: &[(Token, Range<usize>)], parts: Vec<(usize, Part)>) -> Vec<Reading> {
    let Some((last, _)) = parts.last() else { return Vec::new() };
    let length = last + 1;
    let taken = |at: usize| parts.iter().any(|(own, _)| *own == at);
    let others = (0..length).filter(|at| !taken(*at));
    // A number that is neither is not what stands before a message.
    let mut words = Vec::new();
    for at in others {
        match tokens[at].0 {
            Token::Number(_) => return Vec::new(),
            Token::Word if line[tokens[at].1.clone()].chars().count() > 1 => words.push(at),
            Token::Word | Token::Blank | Token::Other => {}
        }
    }
    let mut all = Vec::new();
    if !words.is_empty() {
        let mut open = parts.clone();
        open.extend(words.into_iter().map(|at| (at, Part::AnyWord)));
        open.sort_by_key(|(at, _)| *at);
        all.push(Reading { parts: open, length });
    }
    all.insert(0, Reading { parts, length });
    all
}

type Tokens<'t> = &'t [(Token, Range<usize>)];

/// Where times may stand.
fn times(line: &str, tokens: Tokens<'_>) -> Vec<Vec<(usize, Part)>> {
    const NAMES: [&str; 3] = ["{hour}", "{minute}", "{second}"];
    let mut times = Vec::new();
    for (at, (token, _)) in tokens.iter().enumerate() {
        let mut own = Vec::new();
        if *token == Token::Number(6) {
            own.push((at, Part::Fields("{hour}{minute}{second}")));
        } else {
            let short = |token: Token| matches!(token, Token::Number(1 | 2));
            let Some(three) = three(line, tokens, at, &short, 1) else { continue };
            own.extend(three.iter().zip(NAMES).map(|(at, name)| (*at, Part::Fields(name))));
        }
        let Some((last, _)) = own.last().copied() else { continue };
        let text = |at: usize| tokens.get(at).map(|(_, place)| &line[place.clone()]);
        let point = matches!(text(last + 1), Some("." | ","));
        let fraction =
            matches!(tokens.get(last + 2), Some((Token::Number(1..=7), _))).then_some(last + 2);
        times.push(own.clone());
        if let Some(fraction) = fraction.filter(|_| point) {
            own.push((fraction, Part::Fields("{fraction}")));
            times.push(own.clone());
        }
        let end = own.last().map_or(last, |(at, _)| *at) + 1;
        let blank = usize::from(tokens.get(end).is_some_and(|(token, _)| *token == Token::Blank));
        let word = tokens.get(end + blank).filter(|(token, place)| {
            *token == Token::Word && line[place.clone()].chars().count() <= 4
        });
        if word.is_some() {
            own.push((end + blank, Part::Half));
            times.push(own);
        }
    }
    times
}

/// Where dates may stand, in every order of their fields.
fn dates(line: &str, tokens: Tokens<'_>) -> Vec<Vec<(usize, Part)>> {
    const FIELDS: [&str; 3] = ["{year}", "{month}", "{day}"];
    const ORDERS: [[usize; 3]; 6] =
        [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [1, 0, 2], [2, 0, 1]];
    let mut dates = Vec::new();
    for (at, (token, _)) in tokens.iter().enumerate() {
        if matches!(token, Token::Number(6 | 8)) {
            let packed = ["{year}{month}{day}", "{day}{month}{year}", "{month}{day}{year}"];
            dates.extend(packed.iter().map(|fields| vec![(at, Part::Fields(fields))]));
        }
        let fits = |token: Token| matches!(token, Token::Number(1 | 2 | 4) | Token::Word);
        let Some(three) = three(line, tokens, at, &fits, 3) else { continue };
        for order in ORDERS {
            let parts = three.iter().zip(order).map(|(at, field)| {
                let part = match (tokens[*at].0, field) {
                    (Token::Number(4), 0) | (Token::Number(1 | 2), 0..=2) => {
                        Part::Fields(FIELDS[field])
                    }
                    (Token::Word, 1) => Part::MonthName,
                    (Token::Number(_) | Token::Word | Token::Blank | Token::Other, _) => {
                        return None;
                    }
                };
                Some((*at, part))
            });
            dates.extend(parts.collect::<Option<Vec<_>>>());
        }
    }
    dates
}

/// Three fitting tokens from `at` on, with at most so many tokens between: no digits, and no words
/// but short ones.
fn three(
    line: &str,
    tokens: Tokens<'_>,
    at: usize,
    fits: &dyn Fn(Token) -> bool,
    most_between: usize,
) -> Option<[usize; 3]> {
    let mut found = [at; 3];
    if !fits(tokens.get(at)?.0) {
        return None;
    }
    for next in 1..3 {
        let from = found[next - 1] + 1;
        let is_between = |at: usize| match &tokens[at] {
            (Token::Blank | Token::Other, _) => true,
            (Token::Word, place) => line[place.clone()].chars().count() <= 2,
            (Token::Number(_), _) => false,
        };
        let most = (from + most_between).min(tokens.len());
        let between = (from..most).take_while(|at| is_between(*at)).count();
        // The next one comes as late as the words between allow, and never without any.
        let to = (1..=between).rev().map(|count| from + count);
        found[next] = to.into_iter().find(|at| tokens.get(*at).is_some_and(|own| fits(own.0)))?;
    }
    Some(found)
}

/// The layout of a reading, written as stamps.toml and overlays do.
pub(crate) fn written(line: &str, tokens: Tokens<'_>, reading: &Reading) -> Option<String> {
    let mut layout = String::new();
    for (at, (token, place)) in tokens.iter().take(reading.length).enumerate() {
        match reading.parts.iter().find(|(own, _)| *own == at) {
            Some((_, Part::Fields(fields))) => layout.push_str(fields),
            Some((_, Part::MonthName)) => layout.push_str("{month}"),
            Some((_, Part::Half)) => layout.push_str("{half}"),
            // A weekday has two letters at least.
            Some((_, Part::AnyWord)) if place.len() == 1 => layout.push_str("{level}"),
            Some((_, Part::AnyWord)) => layout.push_str("{weekday}"),
            None if *token == Token::Blank => layout.push(' '),
            None => layout.push_str(&line[place.clone()]),
        }
    }
    (!layout.contains("{{") && !layout.contains("}}")).then_some(layout)
}
