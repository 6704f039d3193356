//! Exit codes: one 32-bit value, five ways to write it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::Mark;
use crate::format::{FormatError, locate};

/// How a field writes its codes; decided per field, by the name of the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// Decimal, signed or unsigned.
    Decimal,
    /// Eight hex digits with or without `0x`, or decimal: told apart by the digits.
    Any,
}

/// An exit code as it was printed and as it reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExitCode {
    /// The text in the log.
    pub raw: Box<str>,
    /// The 32 bits. A bare low word stays below 65536.
    pub value: u32,
}

impl ExitCode {
    /// Reads `raw`; `None` if it is no number of 32 bits.
    pub fn read(raw: &str, notation: Notation) -> Option<ExitCode> {
        let value = match notation {
            Notation::Decimal => decimal(raw)?,
            Notation::Any => any(raw)?,
        };
        Some(ExitCode { raw: raw.into(), value })
    }

    /// The low 16 bits: the code that the console shows.
    pub fn low(&self) -> u16 {
        (self.value & 0xFFFF) as u16
    }

    /// Bits 16 to 27, `0` for a bare low word.
    pub fn component(&self) -> u16 {
        ((self.value >> 16) & 0xFFF) as u16
    }
}

fn decimal(raw: &str) -> Option<u32> {
    let number: i64 = raw.parse().ok()?;
    // Signed and unsigned writings of the same 32 bits.
    i32::try_from(number).map(i32::cast_unsigned).or_else(|_| u32::try_from(number)).ok()
}

fn any(raw: &str) -> Option<u32> {
    if let Some(hex) = raw.strip_prefix("0x").or_else(|| raw.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    let looks_hex = raw.len() == 8
        && raw.bytes().all(|b| b.is_ascii_hexdigit())
        && (raw.bytes().any(|b| b.is_ascii_alphabetic()) || raw.starts_with('8'));
    if looks_hex {
        return u32::from_str_radix(raw, 16).ok();
    }
    decimal(raw)
}

/// What a code means for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeClass {
    /// The run succeeded, perhaps with a restart to come.
    Success,
    /// Another task was running.
    AlreadyRunning,
    /// Windows Installer was busy: its own failure, not ours.
    InstallerBusy,
    /// A known failure with another cause.
    Failure,
    /// The table doesn't have it, and bit 31 (or a bare number that isn't 0) says failure.
    #[serde(skip)]
    Unknown,
}

/// A code, looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeMeaning {
    /// The canonical 32 bits: one value for every writing of a known code.
    pub value: u32,
    /// What it means for a run.
    pub class: CodeClass,
    /// In words; empty when unknown.
    pub meaning: String,
    /// How well that is known; `None` when unknown.
    pub mark: Option<Mark>,
}

/// The table of `formats/codes.toml`.
#[derive(Debug, Clone)]
pub struct CodeTable {
    full: BTreeMap<u32, Row>,
    low: BTreeMap<u16, Row>,
    components: BTreeMap<u16, Component>,
}

/// A code of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its 32 bits.
    pub value: u32,
    /// What it means for a run.
    pub class: CodeClass,
    /// In words.
    pub meaning: String,
    /// How well that is known.
    pub mark: Mark,
    /// Whether the low word alone is the same code.
    pub low_word: bool,
    /// Whether it is the same code in each component.
    pub any_component: bool,
    /// The file that it comes from.
    pub origin: String,
}

/// What three digits in the middle of a code stand for.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// How well that is known.
    pub mark: Mark,
    /// The file that it comes from.
    pub origin: String,
}

impl CodeClass {
    /// The word of `class` in the TOML.
    pub fn word(self) -> &'static str {
        match self {
            CodeClass::Success => "success",
            CodeClass::AlreadyRunning => "already_running",
            CodeClass::InstallerBusy => "installer_busy",
            CodeClass::Failure => "failure",
            CodeClass::Unknown => "unknown",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodesToml {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(default)]
    code: Vec<CodeToml>,
    #[serde(default)]
    component: Vec<ComponentToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeToml {
    value: toml::Spanned<String>,
    #[serde(default)]
    low_word: bool,
    #[serde(default)]
    any_component: bool,
    class: CodeClass,
    meaning: String,
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ComponentToml {
    value: toml::Spanned<String>,
    name: String,
    mark: Mark,
}

impl CodeTable {
    /// Reads the table; `path` is for errors only.
    ///
    /// # Errors
    /// Names the line where the text is no table of codes, or says a code twice.
    pub fn read(path: &str, text: &str) -> Result<CodeTable, FormatError> {
        let toml: CodesToml =
            toml::from_str(text).map_err(|error| FormatError::from_toml(path, text, &error))?;
        let mut table =
            CodeTable { full: BTreeMap::new(), low: BTreeMap::new(), components: BTreeMap::new() };
        table.extend(path, text, toml.code, toml.component)?;
        Ok(table)
    }

    /// Adds codes and components; those that are there already are replaced.
    pub(crate) fn extend(
        &mut self,
        path: &str,
        text: &str,
        codes: Vec<CodeToml>,
        components: Vec<ComponentToml>,
    ) -> Result<(), FormatError> {
        let mut seen = BTreeSet::new();
        for code in codes {
            let at = locate(path, text, code.value.span());
            let value = any(code.value.get_ref()).ok_or_else(|| {
                at.error("a code's value is 0x and eight hex digits, or a decimal number")
            })?;
            if !seen.insert(value) {
                return Err(at.error("this code stands twice; keep one"));
            }
            let fine = self.full.get(&value).is_some_and(|row| row.class == CodeClass::Success);
            if code.class == CodeClass::AlreadyRunning && (value == 0 || fine) {
                return Err(at.error(
                    "this code says that all went well: every good step would be a refused one; \
                     write the code of the refusal",
                ));
            }
            let row = Row {
                value,
                class: code.class,
                meaning: code.meaning,
                mark: code.mark,
                low_word: code.low_word,
                any_component: code.any_component,
                origin: path.to_owned(),
            };
            self.low.retain(|_, row| row.value != value);
            if code.low_word {
                let low = (value & 0xFFFF) as u16;
                if let Some(other) = self.low.get(&low) {
                    return Err(at.error(format!(
                        "the low word {low} is that of {:#010X} ({}) already; leave low_word out \
                         here, or write that code above this one without it",
                        other.value, other.meaning
                    )));
                }
                self.low.insert(low, row.clone());
            }
            self.full.insert(value, row);
        }
        for component in components {
            let at = locate(path, text, component.value.span());
            let digits = component.value.get_ref();
            let value = u16::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 3);
            let value =
                value.ok_or_else(|| at.error("a component is three hex digits, such as DB5"))?;
            let (name, mark, origin) = (component.name, component.mark, path.to_owned());
            self.components.insert(value, Component { name, mark, origin });
        }
        Ok(())
    }

    /// All codes, in order of their bits.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.full.values()
    }

    /// What stands for what in the middle of a code, in order.
    pub fn components(&self) -> impl Iterator<Item = (u16, &Component)> {
        self.components.iter().map(|(value, component)| (*value, component))
    }

    /// Looks a code up: the full value first, then the low word where the table allows it.
    ///
    /// A bare low word, or one in another known component, is the same code only if the table
    /// says so (`low_word`, `any_component`). A success bit with an unknown low word is a
    /// success.
    pub fn meaning(&self, code: &ExitCode) -> CodeMeaning {
        let failure_bit = code.value & 0x8000_0000 != 0;
        let bare = code.value < 0x1_0000;
        let wrapped = failure_bit && self.components.contains_key(&code.component());
        let by_low_word = || {
            let row = self.low.get(&code.low())?;
            (bare || (wrapped && row.any_component)).then_some(row)
        };
        let row = self.full.get(&code.value).or_else(by_low_word);
        if let Some(row) = row {
            return CodeMeaning {
                value: row.value,
                class: row.class,
                meaning: row.meaning.clone(),
                mark: Some(row.mark),
            };
        }
        let known_success = code.value == 0 || (!bare && !failure_bit);
        CodeMeaning {
            value: code.value,
            class: if known_success { CodeClass::Success } else { CodeClass::Unknown },
            meaning: if known_success { "success".to_owned() } else { String::new() },
            mark: None,
        }
    }

    /// The component's short name, such as `DB5`, where the code has one.
    pub fn component(&self, value: u32) -> Option<String> {
        let component = ((value >> 16) & 0xFFF) as u16;
        (component != 0).then(|| format!("{component:03X}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> CodeTable {
        CodeTable::read("codes.toml", include_str!("../formats/codes.toml")).expect("embedded")
    }

    #[test]
    fn five_spellings_are_one_code() {
        let table = table();
        for raw in ["9999", "8DB5270F", "0x8DB5270F", "-1917507825", "2377459471"] {
            let code = ExitCode::read(raw, Notation::Any).expect(raw);
            assert_eq!(table.meaning(&code).value, 0x8DB5_270F, "{raw}");
            assert_eq!(&*code.raw, raw);
        }
    }

    #[test]
    fn the_low_word_of_another_component_is_another_code() {
        let table = table();
        // A scanner's 412 in an unknown component says nothing of sdclient.
        let code = ExitCode::read("0x8001019C", Notation::Any).expect("hex");
        assert_eq!(table.meaning(&code).class, CodeClass::Unknown);
        // Windows Installer's busy stays its own class, also as an HRESULT.
        let code = ExitCode::read("-2147023278", Notation::Any).expect("decimal");
        assert_eq!(table.meaning(&code).class, CodeClass::InstallerBusy);
        let code = ExitCode::read("412", Notation::Any).expect("low word");
        assert_eq!(table.meaning(&code).class, CodeClass::AlreadyRunning);
    }

    #[test]
    fn what_is_no_code_is_none() {
        for raw in ["", "-", "0x", "x", "99999999999", "0x1FFFFFFFF", "-9999999999"] {
            assert_eq!(ExitCode::read(raw, Notation::Any), None, "{raw}");
        }
    }
}
