//! Layouts of line prefixes: data (`formats/stamps.toml`), whose fields nom reads.

use chrono::{NaiveDate, NaiveTime};
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while, take_while_m_n, take_while1};
use nom::character::complete::char as character;
use nom::combinator::{map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};
use serde::Deserialize;

use crate::event::Mark;
use crate::format::{FormatError, locate};
use crate::stamp::{DateOrder, Envelope, Stamp, StampReader};

/// One field of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Weekday,
    Day,
    Month,
    Year,
    Date,
    Time,
    Pid,
    Tid,
    Word,
    Blank,
    Byte(u8),
}

/// A compiled layout.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The name that formats refer to.
    pub name: String,
    /// How well it is known.
    pub mark: Mark,
    fields: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StampsToml {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(default)]
    stamp: Vec<StampToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StampToml {
    name: String,
    layout: toml::Spanned<String>,
    specimen: toml::Spanned<String>,
    reads: String,
    mark: Mark,
}

/// Reads a file of layouts; `path` is for errors only.
///
/// # Errors
/// Names the line where a layout can't be read or doesn't read its own specimen.
pub fn read_layouts(path: &str, text: &str) -> Result<Vec<Layout>, FormatError> {
    let toml: StampsToml =
        toml::from_str(text).map_err(|error| FormatError::from_toml(path, text, &error))?;
    let mut layouts = Vec::new();
    for stamp in toml.stamp {
        let layout = Layout::compile(stamp.name, stamp.layout.get_ref(), stamp.mark)
            .map_err(|why| locate(path, text, stamp.layout.span()).error(why))?;
        let mut reader = StampReader::new(vec![layout.clone()], DateOrder::MonthFirst);
        let read = reader.read(stamp.specimen.get_ref().as_bytes());
        let wanted = stamp.reads.parse::<chrono::NaiveDateTime>().ok();
        let same = wanted.is_some()
            && read.map(|e| e.stamp.0) == wanted.map(|w| w.and_utc().timestamp_millis());
        if !same {
            let at = locate(path, text, stamp.specimen.span());
            return Err(at.error("the layout doesn't read this specimen as `reads` says"));
        }
        layouts.push(layout);
    }
    Ok(layouts)
}

impl Layout {
    /// Compiles a layout such as `{year}-{month}-{day} {time} `.
    ///
    /// # Errors
    /// Says which field isn't known, or that date or time is missing.
    pub fn compile(name: String, layout: &str, mark: Mark) -> Result<Layout, String> {
        let mut fields = Vec::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            if let Some(inside) = rest.strip_prefix('{') {
                let (field, after) = inside
                    .split_once('}')
                    .ok_or_else(|| "a field opens with { and isn't closed".to_owned())?;
                fields.push(field_named(field)?);
                rest = after;
                continue;
            }
            if first == ' ' {
                fields.push(Field::Blank);
            } else {
                let mut bytes = [0; 4];
                fields.extend(first.encode_utf8(&mut bytes).bytes().map(Field::Byte));
            }
            rest = &rest[first.len_utf8()..];
        }
        let has = |field| fields.contains(&field);
        let dated = has(Field::Date) || (has(Field::Day) && has(Field::Month) && has(Field::Year));
        if !dated || !has(Field::Time) {
            return Err("a layout needs {time} and {date}, or {day} {month} {year}".to_owned());
        }
        Ok(Layout { name, mark, fields })
    }

    /// Reads a prefix; gives where the stamp ends, too.
    pub(crate) fn read(&self, line: &[u8], order: DateOrder) -> Option<(Envelope, usize)> {
        let mut read = Draft::default();
        let mut rest = line;
        let mut stamp_end = 0;
        for field in &self.fields {
            rest = read.field(*field, rest, order)?;
            if *field == Field::Time {
                stamp_end = line.len() - rest.len();
            }
        }
        let envelope = Envelope {
            stamp: read.stamp()?,
            pid: read.pid,
            tid: read.tid,
            message_at: line.len() - rest.len(),
        };
        Some((envelope, stamp_end))
    }

    /// Reads what follows the time, when the time is known from the line before.
    pub(crate) fn read_after_time(
        &self,
        line: &[u8],
        stamp_end: usize,
        stamp: Stamp,
    ) -> Option<Envelope> {
        let mut read = Draft::default();
        let mut rest = &line[stamp_end..];
        let after_time = self.fields.iter().skip_while(|f| **f != Field::Time).skip(1);
        for field in after_time {
            rest = read.field(*field, rest, DateOrder::MonthFirst)?;
        }
        Some(Envelope { stamp, pid: read.pid, tid: read.tid, message_at: line.len() - rest.len() })
    }
}

fn field_named(name: &str) -> Result<Field, String> {
    Ok(match name {
        "weekday" => Field::Weekday,
        "day" => Field::Day,
        "month" => Field::Month,
        "year" => Field::Year,
        "date" => Field::Date,
        "time" => Field::Time,
        "pid" => Field::Pid,
        "tid" => Field::Tid,
        "level" | "program" => Field::Word,
        other => {
            return Err(format!(
                "unknown field {{{other}}}; there are weekday, day, month, year, date, time, pid, tid, level, program"
            ));
        }
    })
}

/// The fields read so far.
#[derive(Default)]
struct Draft {
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i32>,
    time: Option<NaiveTime>,
    pid: Option<u32>,
    tid: Option<u32>,
}

impl Draft {
    /// Reads one field off `text`; gives what follows, or `None` if it isn't there.
    fn field<'a>(&mut self, field: Field, text: &'a [u8], order: DateOrder) -> Option<&'a [u8]> {
        let rest = match field {
            Field::Weekday => {
                take_while_m_n::<_, _, nom::error::Error<_>>(2, 9, |b: u8| b.is_ascii_alphabetic())
                    .parse(text)
                    .ok()?
                    .0
            }
            Field::Day => set(&mut self.day, number(text, 1, 2))?,
            Field::Month => {
                set(&mut self.month, alt((month_name, |t| number(t, 1, 2))).parse(text))?
            }
            Field::Year => {
                let (rest, year) = number(text, 4, 4).ok()?;
                self.year = i32::try_from(year).ok();
                rest
            }
            Field::Date => self.slash_date(text, order)?,
            Field::Time => set(&mut self.time, time(text))?,
            Field::Pid => set(&mut self.pid, number(text, 1, 10))?,
            Field::Tid => set(&mut self.tid, number(text, 1, 10))?,
            Field::Word => {
                take_while1::<_, _, nom::error::Error<_>>(|b: u8| {
                    b.is_ascii_alphanumeric() || b == b'.' || b == b'_'
                })
                .parse(text)
                .ok()?
                .0
            }
            Field::Blank => blanks(text)?,
            Field::Byte(byte) => text.strip_prefix(&[byte])?,
        };
        Some(rest)
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

    fn stamp(&self) -> Option<Stamp> {
        let date = NaiveDate::from_ymd_opt(self.year?, self.month?, self.day?)?;
        Some(Stamp(date.and_time(self.time?).and_utc().timestamp_millis()))
    }
}

fn set<'a, T>(slot: &mut Option<T>, read: IResult<&'a [u8], T>) -> Option<&'a [u8]> {
    let (rest, value) = read.ok()?;
    *slot = Some(value);
    Some(rest)
}

fn number(text: &[u8], least: usize, most: usize) -> IResult<&[u8], u32> {
    map_opt(take_while_m_n(least, most, |b: u8| b.is_ascii_digit()), |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0u32, |sum, digit| sum.checked_mul(10)?.checked_add(u32::from(digit - b'0')))
    })
    .parse(text)
}

fn month_name(text: &[u8]) -> IResult<&[u8], u32> {
    const MONTHS: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    map_opt(take_while_m_n(3, 9, |b: u8| b.is_ascii_alphabetic()), |name: &[u8]| {
        let start = name[..3].to_ascii_lowercase();
        let at = MONTHS.iter().position(|month| month[..] == start[..])?;
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
    let fraction = preceded(
        alt((character('.'), character(','))),
        take_while_m_n(1, 7, |b: u8| b.is_ascii_digit()),
    );
    let (rest, fraction) = opt(fraction).parse(rest)?;
    let half = preceded(take_while(is_blank_byte), alt((tag_no_case("AM"), tag_no_case("PM"))));
    let (rest, half) = opt(half).parse(rest)?;
    let hour = match half.map(|h: &[u8]| h[0].to_ascii_lowercase()) {
        Some(b'a') if hour == 12 => 0,
        Some(b'p') if hour < 12 => hour + 12,
        Some(_) | None => hour,
    };
    let millis = fraction.map_or(0, |digits: &[u8]| {
        let three = digits.iter().chain(b"00").take(3);
        three.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    });
    let time = NaiveTime::from_hms_milli_opt(hour, minute, second, millis);
    time.map(|time| (rest, time))
        .ok_or_else(|| nom::Err::Error(nom::error::Error::new(text, nom::error::ErrorKind::Verify)))
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
    let nbsp = tag::<_, _, nom::error::Error<&[u8]>>(&b"\xC2\xA0"[..]);
    let blank = take_while1(is_blank_byte);
    let mut rest = text;
    let mut any = alt((blank, nbsp));
    while let Ok((after, _)) = any.parse(rest) {
        rest = after;
    }
    (rest.len() < text.len()).then_some(rest)
}
