//! Another wording for every agent log: what a version or language that nobody has seen may write.

use crate::clock::{WEEKDAYS, civil};
use crate::sheet::{Record, Stamp};
use std::collections::BTreeMap;
use std::path::Path;

/// A file of tests/fleet/wordings/: stamps and texts in place of the usual ones.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dialect {
    /// The exit code that means already running, hex.
    pub(crate) code: String,
    /// By the usual stamp's name (rfc, iso, rolling): a layout of `{yyyy}`, `{HH}` and so on.
    stamps: BTreeMap<String, String>,
    /// Names of months from January on, where a layout has `{month}`.
    #[serde(default)]
    months: Vec<String>,
    /// The words of both half days, where a layout has `{half}`.
    #[serde(default)]
    halves: Vec<String>,
    /// The usual text and the other one; `{a}` stands for what varies. The first that fits is taken.
    texts: Vec<(String, String)>,
}

impl Dialect {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read wording {}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The text in this wording. Nothing may be left in the usual one: that would be a clue.
    pub(crate) fn text(&self, usual: &str) -> String {
        let found = self.texts.iter().find_map(|(from, to)| Some((variables(from, usual)?, to)));
        let Some((values, to)) = found else {
            panic!("no text of this wording says: {usual}");
        };
        values.into_iter().fold(to.clone(), |text, (name, value)| text.replace(name, value))
    }

    /// What stands before the record; `local` is the device's own reading of the moment.
    pub(crate) fn stamp(&self, record: &Record, local: i64) -> String {
        let (name, pid, tid, level) = match record.stamp {
            Stamp::Rfc => ("rfc", 0, 0, ""),
            Stamp::IsoPid(pid, tid, _) => ("iso", pid, tid, ""),
            Stamp::Rolling(pid, tid, level) => ("rolling", pid, tid, level),
            Stamp::None => return String::new(),
        };
        let c = civil(local);
        let month = self.months.get(c.month as usize - 1).map_or("", String::as_str);
        let half = self.halves.get(usize::from(c.hour >= 12)).map_or("", String::as_str);
        let two = |value: i64| format!("{value:02}");
        let fields = [
            ("{yyyy}", c.year.to_string()),
            ("{yy}", two(c.year % 100)),
            ("{mm}", two(c.month)),
            ("{month}", month.to_owned()),
            ("{dd}", two(c.day)),
            ("{d}", c.day.to_string()),
            ("{weekday}", WEEKDAYS[c.weekday as usize].to_owned()),
            ("{HH}", two(c.hour)),
            ("{hh}", two((c.hour + 11) % 12 + 1)),
            ("{MM}", two(c.minute)),
            ("{SS}", two(c.second)),
            // No moment of the story is finer than a second; the digits are still there.
            ("{ms}", format!("{:03}", local.rem_euclid(977))),
            ("{half}", half.to_owned()),
            ("{pid}", pid.to_string()),
            ("{tid}", tid.to_string()),
            ("{level}", level.to_owned()),
        ];
        let layout = self.stamps.get(name).cloned().unwrap_or_default();
        fields.iter().fold(layout, |text, (field, value)| text.replace(field, value))
    }
}

/// What stands for `{a}`, `{b}` and `{c}`, if the text is of this form.
fn variables<'t>(form: &str, text: &'t str) -> Option<Vec<(&'static str, &'t str)>> {
    const NAMES: [&str; 3] = ["{a}", "{b}", "{c}"];
    let mut values = Vec::new();
    let parts = form_pieces(form, &NAMES);
    let mut rest = text.strip_prefix(parts[0])?;
    for (name, piece) in NAMES.iter().zip(&parts[1..]) {
        let last = values.len() + 2 == parts.len();
        let end = if last { rest.strip_suffix(piece)?.len() } else { rest.find(piece)? };
        values.push((*name, &rest[..end]));
        rest = &rest[end + piece.len()..];
    }
    (rest.is_empty()).then_some(values)
}

/// The fixed pieces of a form: one more than its variables.
fn form_pieces<'f>(form: &'f str, names: &[&str]) -> Vec<&'f str> {
    let mut pieces = Vec::new();
    let mut rest = form;
    for name in names {
        let Some((before, behind)) = rest.split_once(name) else { break };
        pieces.push(before);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}
