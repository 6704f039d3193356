//! The report as JSON: docs/REPORT.md.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::Value;

/// Writes one object, indented, with a line end.
///
/// # Errors
/// Of the writer.
pub fn write(report: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut shielded = BufWriter::with_capacity(1 << 16, Shield { out: &mut *out, carried: false });
    serde_json::to_writer_pretty(&mut shielded, report)?;
    shielded.flush()?;
    drop(shielded);
    out.write_all(b"\n")
}

/// A value as JSON that may stand inside of a script element of a page: nothing in it ends the
/// element or begins another one.
///
/// # Errors
/// If the value is no JSON.
pub fn for_script(value: &(impl Serialize + ?Sized)) -> io::Result<String> {
    let json = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(json.len() + json.len() / 16);
    for c in json.chars() {
        match c {
            // In JSON they stand in strings only, where an escape says the same.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{7F}'..='\u{9F}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => safe.push(c),
        }
    }
    Ok(safe)
}

/// A value on one line.
///
/// # Errors
/// None that our own values can cause.
pub fn line(value: &(impl Serialize + ?Sized)) -> io::Result<String> {
    let mut line = Vec::new();
    serde_json::to_writer(Shield { out: &mut line, carried: false }, value)?;
    String::from_utf8(line).map_err(io::Error::other)
}

/// The contract's word for a value of one of our own enums.
pub fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// A value, to be changed before it is written.
///
/// # Errors
/// If it is none that JSON has.
pub fn value(of: &impl Serialize) -> io::Result<Value> {
    Ok(serde_json::to_value(of)?)
}

/// Changes every text in a value but hashes, which have no words.
pub fn each_text(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(values) => values.iter_mut().for_each(|value| each_text(value, change)),
        Value::Object(fields) => {
            let fields = fields.iter_mut().filter(|(name, _)| *name != "id" && *name != "hex");
            fields.for_each(|(_, value)| each_text(value, change));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Writes the control characters U+0080 to U+009F as escapes: some terminals obey them, and
/// JSON may hold them only in strings, where an escape says the same.
struct Shield<'o> {
    out: &'o mut dyn Write,
    /// Whether the last byte was [`FIRST`], and is not written yet.
    carried: bool,
}

/// The first byte of control characters beyond ASCII, and of other letters.
const FIRST: u8 = 0xC2;

impl Shield<'_> {
    /// Writes a letter of two bytes, whose first one was [`FIRST`].
    fn behind_first(&mut self, byte: u8) -> io::Result<()> {
        if (0x80..0xA0).contains(&byte) {
            return write!(self.out, "\\u{byte:04x}");
        }
        self.out.write_all(&[FIRST, byte])
    }
}

impl Write for Shield<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        if self.carried {
            let Some((byte, behind)) = rest.split_first() else { return Ok(0) };
            self.carried = false;
            self.behind_first(*byte)?;
            rest = behind;
        }
        while let Some(at) = rest.iter().position(|byte| *byte == FIRST) {
            self.out.write_all(&rest[..at])?;
            let Some(byte) = rest.get(at + 1) else {
                self.carried = true;
                return Ok(bytes.len());
            };
            self.behind_first(*byte)?;
            rest = &rest[at + 2..];
        }
        self.out.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_script() {
        let text = "</script><!-- & \u{2028} é";
        let safe = for_script(text).expect("JSON");
        assert_eq!(safe, "\"\\u003c/script\\u003e\\u003c!-- \\u0026 \\u2028 é\"");
        assert_eq!(serde_json::from_str::<String>(&safe).expect("JSON"), text);
    }

    #[test]
    fn second_control_characters_are_escaped() {
        let mut out = Vec::new();
        let mut shield = Shield { out: &mut out, carried: false };
        shield.write_all("a\u{9b}é\u{a0}Â".as_bytes()).expect("memory");
        assert_eq!(String::from_utf8(out).as_deref(), Ok("a\\u009bé\u{a0}Â"));
    }
}
