//! The fields of a line prefix, and how nom reads each.

use chrono::{NaiveDate, NaiveTime};
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while, take_while_m_n, take_while1};
use nom::character::complete::char as character;
use nom::combinator::{map_opt, opt};
use nom::error::{Error, ErrorKind};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::stamp::{DateOrder, Stamp};
use crate::text::CodePage;

/// One field of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Weekday,
    Day,
    Month,
    Year,
    /// A year with so many digits of other fields right behind it.
    PackedYear(usize),
    Date,
    Time,
    Hour,
    Minute,
    Second,
    Fraction,
    Half,
    Pid,
    Tid,
    Word,
    Blank,
    Byte(u8),
}

/// All names, for messages.
const NAMES: &str = "weekday, day, month, year, date, time, hour, minute, second, fraction, half, pid, tid, level, program";

impl Field {
    /// The field that a layout calls `name`.
    pub(crate) fn named(name: &str) -> Result<Field, String> {
        Ok(match name {
            "weekday" => Field::Weekday,
            "day" => Field::Day,
            "month" => Field::Month,
            "year" => Field::Year,
            "date" => Field::Date,
            "time" => Field::Time,
            "hour" => Field::Hour,
            "minute" => Field::Minute,
            "second" => Field::Second,
            "fraction" => Field::Fraction,
            "half" => Field::Half,
            "pid" => Field::Pid,
            "tid" => Field::Tid,
            "level" | "program" => Field::Word,
            other => return Err(format!("unknown field {{{other}}}; there are {NAMES}")),
        })
    }

    /// Whether it is two digits where nothing parts it from its neighbours.
    fn packs(self) -> bool {
        matches!(self, Field::Day | Field::Month | Field::Hour | Field::Minute | Field::Second)
    }

    /// Years that other digits follow without anything between learn how many.
    pub(crate) fn pack(fields: &mut [Field]) {
        for at in 0..fields.len() {
            let behind = fields[at + 1..].iter().take_while(|field| field.packs()).count();
            if fields[at] == Field::Year && behind > 0 {
                fields[at] = Field::PackedYear(2 * behind);
            }
        }
    }

    /// Whether the stamp itself is made of it.
    pub(crate) fn is_time(self) -> bool {
        match self {
            Field::Day
            | Field::Month
            | Field::Year
            | Field::PackedYear(_)
            | Field::Date
            | Field::Time
            | Field::Hour
            | Field::Minute
            | Field::Second
            | Field::Fraction
            | Field::Half => true,
            Field::Weekday
            | Field::Pid
            | Field::Tid
            | Field::Word
            | Field::Blank
            | Field::Byte(_) => false,
        }
    }
}

/// Words of a language in a stamp, as bytes in lower case: in UTF-8 and, where they can be, in
/// Windows-1252. Empty: the English ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Names of months with their number, the longest first.
    pub(crate) months: Vec<(Vec<u8>, u32)>,
    /// Words for the halves of the day; 0 is before noon.
    pub(crate) halves: Vec<(Vec<u8>, u32)>,
}

impl Words {
    /// Each word with its number, the first one `from`.
    pub(crate) fn spell(words: &[String], from: u32) -> Vec<(Vec<u8>, u32)> {
        let mut spelled = Vec::new();
        for (number, word) in (from..).zip(words) {
            let word = word.to_lowercase();
            spelled.push((word.clone().into_bytes(), number));
            let narrow: Option<Vec<u8>> =
                word.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
            spelled.extend(narrow.filter(|bytes| !bytes.is_ascii()).map(|bytes| (bytes, number)));
        }
        spelled.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        spelled
    }
}

impl Words {
    /// The same words in the bytes of a code page, beside those that are there.
    pub(crate) fn add_page(&mut self, page: CodePage) {
        for words in [&mut self.months, &mut self.halves] {
            let own = words.iter().filter_map(|(word, number)| {
                let word = page.encode(std::str::from_utf8(word).ok()?)?;
                Some((word, *number))
            });
            let own: Vec<_> = own.collect();
            words.extend(own);
            words.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
            words.dedup();
        }
    }
}

/// The fields read so far.
#[derive(Default)]
pub(crate) struct Draft {
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i32>,
    time: Option<NaiveTime>,
    hour: Option<u32>,
    minute: Option<u32>,
    second: Option<u32>,
    millis: u32,
    half: Option<u32>,
    pub(crate) pid: Option<u32>,
    pub(crate) tid: Option<u32>,
}

impl Draft {
    /// Reads one field off `text`; gives what follows, or `None` if it isn't there.
    pub(crate) fn field<'a>(
        &mut self,
        field: Field,
        text: &'a [u8],
        order: DateOrder,
        words: &Words,
    ) -> Option<&'a [u8]> {
        Some(match field {
            Field::Weekday => weekday(text)?,
            Field::Day => set(&mut self.day, number(text, 1, 2))?,
            Field::Month if words.months.is_empty() => {
                set(&mut self.month, alt((month_name, |t| number(t, 1, 2))).parse(text))?
            }
            Field::Month => word(&mut self.month, text, &words.months)?,
            Field::Year => year(&mut self.year, text, 4)?,
            Field::PackedYear(behind) => {
                let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                year(&mut self.year, text, digits.checked_sub(behind)?.min(4))?
            }
            Field::Date => self.slash_date(text, order)?,
            Field::Time => set(&mut self.time, time(text))?,
            Field::Hour => set(&mut self.hour, number(text, 1, 2))?,
            Field::Minute => set(&mut self.minute, number(text, 2, 2))?,
            Field::Second => set(&mut self.second, number(text, 2, 2))?,
            Field::Fraction => {
                let (rest, millis) = fraction(text).ok()?;
                self.millis = millis;
                rest
            }
            Field::Half if words.halves.is_empty() => set(&mut self.half, half(text))?,
            Field::Half => word(&mut self.half, text, &words.halves)?,
            Field::Pid => set(&mut self.pid, number(text, 1, 10))?,
            Field::Tid => set(&mut self.tid, number(text, 1, 10))?,
            Field::Word => program(text)?,
            Field::Blank => blanks(text)?,
            Field::Byte(byte) => text.strip_prefix(&[byte])?,
        })
    }

    fn slash_date<'a>(&mut self, text: &'a [u8], order: DateOrder) -> Option<&'a [u8]> {
        let (rest, (first, second, year)) = slash_fields(text).ok()?;
        // The printed order wins over the file's where only one of them is a date.
        let (month, day) = match order {
            _ if first > 12 => (second, first),
            _ if second > 12 => (first, second),
            DateOrder::MonthFirst => (first, second),
            DateOrder::DayFirst => (second, first),
        };
        self.month = Some(month);
        self.day = Some(day);
        self.year = i32::try_from(year).ok();
        Some(rest)
    }

    /// The stamp that the fields make.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let date = NaiveDate::from_ymd_opt(self.year?, self.month?, self.day?)?;
        let time = match self.time {
            Some(time) => time,
            None => {
                let hour = of_day(self.hour?, self.half);
                NaiveTime::from_hms_milli_opt(hour, self.minute?, self.second?, self.millis)?
            }
        };
        Some(Stamp(date.and_time(time).and_utc().timestamp_millis()))
    }
}

fn set<'a, T>(slot: &mut Option<T>, read: IResult<&'a [u8], T>) -> Option<&'a [u8]> {
    let (rest, value) = read.ok()?;
    *slot = Some(value);
    Some(rest)
}

fn number(text: &[u8], least: usize, most: usize) -> IResult<&[u8], u32> {
    let count = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let add = |sum: u32, digit: &u8| sum.checked_mul(10)?.checked_add(u32::from(digit - b'0'));
    match digits.iter().try_fold(0, add) {
        Some(number) if count >= least => Ok((rest, number)),
        Some(_) | None => Err(nom::Err::Error(Error::new(text, ErrorKind::Digit))),
    }
}

/// Four digits, or two of this century.
fn year<'a>(slot: &mut Option<i32>, text: &'a [u8], most: usize) -> Option<&'a [u8]> {
    let (rest, year) = number(text, 2, most.max(2)).ok()?;
    let year = match text.len() - rest.len() {
        2 => 2000 + year,
        4 => year,
        _three => return None,
    };
    *slot = i32::try_from(year).ok();
    Some(rest)
}

/// Letters of any language, which are never used, and perhaps a full stop.
fn weekday(text: &[u8]) -> Option<&[u8]> {
    let letters = |b: u8| b.is_ascii_alphabetic() || (b >= 0x80 && b != 0xA0);
    let (rest, _) = take_while_m_n::<_, _, Error<_>>(2, 24, letters).parse(text).ok()?;
    Some(rest.strip_prefix(b".").unwrap_or(rest))
}

fn program(text: &[u8]) -> Option<&[u8]> {
    let part = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'_';
    Some(take_while1::<_, _, Error<_>>(part).parse(text).ok()?.0)
}

/// One of some words, in any case.
fn word<'a>(slot: &mut Option<u32>, text: &'a [u8], words: &[(Vec<u8>, u32)]) -> Option<&'a [u8]> {
    let begins = |(word, _): &&(Vec<u8>, u32)| {
        text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let (word, number) = words.iter().find(begins)?;
    *slot = Some(*number);
    text.get(word.len()..)
}

fn month_name(text: &[u8]) -> IResult<&[u8], u32> {
    const MONTHS: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    map_opt(take_while_m_n(3, 9, |b: u8| b.is_ascii_alphabetic()), |name: &[u8]| {
        let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(&name[..3]))?;
        u32::try_from(at + 1).ok()
    })
    .parse(text)
}

/// The three numbers of a slash date.
pub(crate) fn slash_fields(text: &[u8]) -> IResult<&[u8], (u32, u32, u32)> {
    let (rest, first) = number(text, 1, 2)?;
    let (rest, second) = preceded(character('/'), |t| number(t, 1, 2)).parse(rest)?;
    let (rest, year) = preceded(character('/'), |t| number(t, 4, 4)).parse(rest)?;
    Ok((rest, (first, second, year)))
}

/// `hh:mm:ss`, then optionally `.mmm` or `,mmm`, then optionally AM or PM.
fn time(text: &[u8]) -> IResult<&[u8], NaiveTime> {
    let (rest, hour) = number(text, 1, 2)?;
    let (rest, minute) = preceded(character(':'), |t| number(t, 2, 2)).parse(rest)?;
    let (rest, second) = preceded(character(':'), |t| number(t, 2, 2)).parse(rest)?;
    let (rest, millis) =
        opt(preceded(alt((character('.'), character(','))), fraction)).parse(rest)?;
    let (rest, half) = opt(preceded(take_while(is_blank_byte), half)).parse(rest)?;
    let time =
        NaiveTime::from_hms_milli_opt(of_day(hour, half), minute, second, millis.unwrap_or(0));
    time.map(|time| (rest, time))
        .ok_or_else(|| nom::Err::Error(Error::new(text, ErrorKind::Verify)))
}

/// Digits of a second's fraction, in milliseconds.
fn fraction(text: &[u8]) -> IResult<&[u8], u32> {
    take_while_m_n(1, 7, |b: u8| b.is_ascii_digit())
        .map(|digits: &[u8]| {
            let three = digits.iter().chain(b"00").take(3);
            three.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
        })
        .parse(text)
}

fn half(text: &[u8]) -> IResult<&[u8], u32> {
    alt((tag_no_case("AM").map(|_| 0), tag_no_case("PM").map(|_| 1))).parse(text)
}

/// The hour of the day, with the half of the day that it may stand in.
fn of_day(hour: u32, half: Option<u32>) -> u32 {
    match half {
        Some(0) if hour == 12 => 0,
        Some(1) if hour < 12 => hour + 12,
        Some(_) | None => hour,
    }
}

/// Space, tab, no-break space in a code page.
pub(crate) fn is_blank_byte(byte: u8) -> bool {
    byte == b' ' || byte == b'\t' || byte == 0xA0
}

/// One or more blanks: space, tab, no-break space (one byte or two), or one `T` before a digit.
fn blanks(text: &[u8]) -> Option<&[u8]> {
    if let [b'T', digit, ..] = text
        && digit.is_ascii_digit()
    {
        return Some(&text[1..]);
    }
    let nbsp = tag::<_, _, Error<&[u8]>>(&b"\xC2\xA0"[..]);
    let blank = take_while1(is_blank_byte);
    let mut rest = text;
    let mut any = alt((blank, nbsp));
    while let Ok((after, _)) = any.parse(rest) {
        rest = after;
    }
    (rest.len() < text.len()).then_some(rest)
}
