//! Layouts of line prefixes: data (`formats/stamps.toml` and overlays).

use serde::Deserialize;

use crate::event::Mark;
use crate::fields::{Draft, Field, Words};
use crate::format::{FormatError, locate};
use crate::stamp::{DateOrder, Envelope, StampReader};
use crate::text::CodePage;

/// A compiled layout.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The name that formats refer to.
    pub name: String,
    /// How well it is known.
    pub mark: Mark,
    /// How it was written.
    pub written: String,
    /// The rest of what its declaration says.
    pub declared: Declared,
    fields: Vec<Field>,
    words: Words,
    /// How many fields there are up to the last one that the stamp is made of.
    stamp_fields: usize,
}

/// What the declaration of a layout says besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Twelve names of months, or none.
    pub months: Vec<String>,
    /// Two words for AM and PM, or none.
    pub halves: Vec<String>,
    /// A line that it reads.
    pub specimen: String,
    /// That line's time.
    pub reads: String,
    /// The file that it comes from.
    pub origin: String,
}

/// `[[stamp]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StampToml {
    pub(crate) name: toml::Spanned<String>,
    layout: toml::Spanned<String>,
    months: Option<toml::Spanned<Vec<String>>>,
    halves: Option<toml::Spanned<Vec<String>>>,
    specimen: toml::Spanned<String>,
    reads: toml::Spanned<String>,
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StampsToml {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(default)]
    stamp: Vec<StampToml>,
}

/// Reads a file of layouts; `path` is for errors only.
///
/// # Errors
/// Names the line where a layout can't be read or doesn't read its own specimen.
pub fn read_layouts(path: &str, text: &str) -> Result<Vec<Layout>, FormatError> {
    let toml: StampsToml =
        toml::from_str(text).map_err(|error| FormatError::from_toml(path, text, &error))?;
    toml.stamp.into_iter().map(|stamp| stamp.compile(path, text)).collect()
}

impl StampToml {
    /// Compiles and checks one layout.
    pub(crate) fn compile(self, path: &str, text: &str) -> Result<Layout, FormatError> {
        let place = |span| locate(path, text, span);
        if self.name.get_ref() == "none" {
            let what = "no stamp can be named none: that stands for lines without one";
            return Err(place(self.name.span()).error(what));
        }
        let words = Words {
            months: self.words(path, text, self.months.as_ref(), 12, 1)?,
            halves: self.words(path, text, self.halves.as_ref(), 2, 0)?,
        };
        let list = |words: &Option<toml::Spanned<Vec<String>>>| {
            words.as_ref().map(|words| words.get_ref().clone()).unwrap_or_default()
        };
        let declared = Declared {
            months: list(&self.months),
            halves: list(&self.halves),
            specimen: self.specimen.get_ref().clone(),
            reads: self.reads.get_ref().clone(),
            origin: path.to_owned(),
        };
        let at = place(self.layout.span());
        let name = self.name.into_inner();
        let mut layout = Layout::compile(name, self.layout.get_ref(), words, self.mark, None)
            .map_err(|why| at.error(why))?;
        layout.declared = declared;
        let Ok(wanted) = self.reads.get_ref().parse::<chrono::NaiveDateTime>() else {
            let what = "`reads` is the specimen's time as 2025-03-24T12:20:19";
            return Err(place(self.reads.span()).error(what));
        };
        let mut reader = StampReader::new(vec![layout.clone()], DateOrder::MonthFirst);
        let read = reader.read(self.specimen.get_ref().as_bytes());
        match read.map(|envelope| envelope.stamp.0) {
            Some(millis) if millis == wanted.and_utc().timestamp_millis() => Ok(layout),
            Some(millis) => {
                let found = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
                let what = format!(
                    "the layout reads {} off this specimen, and `reads` says another time; check \
                     the order of its fields",
                    found.format("%Y-%m-%dT%H:%M:%S%.f")
                );
                Err(place(self.specimen.span()).error(what))
            }
            None => {
                let what = "the layout doesn't read this specimen; write one whole line of a \
                            log, and a layout that fits its beginning";
                Err(place(self.specimen.span()).error(what))
            }
        }
    }

    fn words(
        &self,
        path: &str,
        text: &str,
        words: Option<&toml::Spanned<Vec<String>>>,
        count: usize,
        from: u32,
    ) -> Result<Vec<(Vec<u8>, u32)>, FormatError> {
        let Some(words) = words else { return Ok(Vec::new()) };
        let all = words.get_ref();
        if all.len() != count || all.iter().any(|word| word.trim().is_empty()) {
            let what = format!("this list needs {count} words, none of them empty");
            return Err(locate(path, text, words.span()).error(what));
        }
        Ok(Words::spell(all, from))
    }
}

impl Layout {
    /// Compiles a layout such as `{year}-{month}-{day} {time} `; letters between its fields are
    /// those of UTF-8, or of `page`.
    pub(crate) fn compile(
        name: String,
        layout: &str,
        words: Words,
        mark: Mark,
        page: Option<CodePage>,
    ) -> Result<Layout, String> {
        let mut fields = Vec::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            if let Some(inside) = rest.strip_prefix('{') {
                let (field, after) = inside
                    .split_once('}')
                    .ok_or_else(|| "a field opens with { and isn't closed; add }".to_owned())?;
                fields.push(Field::named(field)?);
                rest = after;
                continue;
            }
            if first == ' ' {
                fields.push(Field::Blank);
            } else {
                let mut bytes = [0; 4];
                let letter = first.encode_utf8(&mut bytes);
                let paged = page.and_then(|page| page.encode(letter));
                fields.extend(
                    paged
                        .unwrap_or_else(|| letter.as_bytes().to_vec())
                        .into_iter()
                        .map(Field::Byte),
                );
            }
            rest = &rest[first.len_utf8()..];
        }
        let has = |field| fields.contains(&field);
        let dated = has(Field::Date) || (has(Field::Day) && has(Field::Month) && has(Field::Year));
        let timed =
            has(Field::Time) || (has(Field::Hour) && has(Field::Minute) && has(Field::Second));
        if !dated || !timed {
            let what = "a layout needs {time}, or {hour} {minute} {second}, and {date}, or {day} \
                        {month} {year}";
            return Err(what.to_owned());
        }
        Field::pack(&mut fields);
        let last = fields.iter().rposition(|field| field.is_time());
        let stamp_fields = last.map_or(fields.len(), |last| last + 1);
        let (written, declared) = (layout.to_owned(), Declared::default());
        Ok(Layout { name, mark, written, declared, fields, words, stamp_fields })
    }

    /// The same layout for lines of a code page: `None` if they look the same there.
    pub(crate) fn in_page(&self, page: CodePage) -> Option<Layout> {
        let mut words = self.words.clone();
        words.add_page(page);
        let paged =
            Layout::compile(self.name.clone(), &self.written, words, self.mark, Some(page)).ok()?;
        let is_same = paged.fields == self.fields && paged.words == self.words;
        (!is_same).then_some(paged)
    }

    /// Whether it reads all lines as another one does.
    pub(crate) fn reads_as(&self, other: &Layout) -> bool {
        self.written == other.written && self.words == other.words
    }

    /// Whether a digit stands in the first bytes of every line that it reads.
    pub(crate) fn begins_early(&self) -> bool {
        let first = self.fields.iter().position(|field| field.is_time() && *field != Field::Half);
        first.is_some_and(|first| {
            let before = &self.fields[..first];
            before.len() <= 4 && !before.contains(&Field::Word) && self.words.months.is_empty()
        })
    }

    /// Reads a prefix; gives where the stamp ends, too.
    pub(crate) fn read(&self, line: &[u8], order: DateOrder) -> Option<(Envelope, usize)> {
        let mut read = Draft::default();
        let mut rest = line;
        let mut stamp_end = 0;
        for (at, field) in self.fields.iter().enumerate() {
            rest = read.field(*field, rest, order, &self.words)?;
            if at + 1 == self.stamp_fields {
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

    /// Whether nothing behind the last field's end says what stands before it: then lines that
    /// begin with the same bytes have the same envelope. Words of other languages may go on.
    pub(crate) fn ends_itself(&self) -> bool {
        let plain = self.words.months.is_empty() && self.words.halves.is_empty();
        plain && matches!(self.fields.last(), Some(Field::Blank | Field::Byte(_)))
    }

    /// Whether a stamp ends with minutes and seconds, if it ends `:mm:ss`.
    pub(crate) fn ends_in_seconds(&self) -> bool {
        let fields = &self.fields[..self.stamp_fields];
        matches!(fields, [.., Field::Time] | [.., Field::Minute, Field::Byte(b':'), Field::Second])
    }

    /// Reads what follows the stamp, when the stamp is known from the line before. Fields in
    /// front of the stamp's end are those of that line, byte for byte.
    pub(crate) fn read_after_time(
        &self,
        line: &[u8],
        stamp_end: usize,
        before: &Envelope,
    ) -> Option<Envelope> {
        let mut read = Draft::default();
        (read.pid, read.tid) = (before.pid, before.tid);
        let mut rest = &line[stamp_end..];
        for field in &self.fields[self.stamp_fields..] {
            rest = read.field(*field, rest, DateOrder::MonthFirst, &self.words)?;
        }
        let message_at = line.len() - rest.len();
        Some(Envelope { stamp: before.stamp, pid: read.pid, tid: read.tid, message_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::read_code_page;

    #[test]
    fn a_stamp_s_letters_are_those_of_the_code_page() {
        let compile = |written: &str, months: &[&str]| {
            let months: Vec<String> = months.iter().map(|month| (*month).to_owned()).collect();
            let words = Words { months: Words::spell(&months, 1), halves: Vec::new() };
            Layout::compile("own".to_owned(), written, words, Mark::Assumed, None)
                .expect("a layout")
        };
        let reads = |layout: &Layout, line: &[u8]| {
            layout.read(line, DateOrder::MonthFirst).map(|(envelope, _)| envelope.message_at)
        };
        let gbk = read_code_page("gbk").expect("a page");
        let signs = compile("{year}年{month}月{day}日 {time} ", &[]);
        let line = gbk.encode("2025年03月24日 12:07:53 开始").expect("letters of it");
        assert_eq!(reads(&signs, &line), None);
        let paged = signs.in_page(gbk).expect("other bytes");
        assert_eq!(reads(&paged, &line), Some(line.len() - 4));
        let plain = compile("{year}-{month}-{day} {time} ", &[]);
        assert!(plain.in_page(gbk).is_none(), "nothing in it looks different");
        let page = read_code_page("windows-1251").expect("a page");
        let months =
            ["янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"];
        let named = compile("{day} {month} {year} {time} ", &months).in_page(page);
        let line = page.encode("24 мар 2025 12:07:53 x").expect("letters of it");
        assert!(named.is_some_and(|named| reads(&named, &line).is_some()));
    }
}
