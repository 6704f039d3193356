//! Lines of proof, exit codes and numbers, as a report cites them.

use provtrace_parsers::code::{CodeTable, ExitCode};

use crate::contract::{Code, Evidence};
use crate::correlate::Proof;
use crate::ingest::DeviceLogs;

/// An exit code, decoded.
pub fn decode(code: &ExitCode, codes: &CodeTable) -> Code {
    let meaning = codes.meaning(code);
    Code {
        raw: code.raw.clone(),
        hex: hex(meaning.value),
        component: codes.component(meaning.value),
        code: meaning.value & 0xFFFF,
        meaning: meaning.meaning,
    }
}

/// `0x8DB5019C`.
pub fn hex(value: u32) -> String {
    format!("0x{value:08X}")
}

/// A number to a tenth, as reports print it.
pub fn to_tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A line of proof, with its place.
pub fn quote(logs: &DeviceLogs, proof: &Proof) -> Evidence {
    let entry = logs.entry(proof.entry);
    Evidence {
        path: logs.source(proof.entry).path.clone(),
        member: logs.source(proof.entry).member.clone(),
        line: entry.quote.line,
        offset: entry.quote.offset,
        length: entry.quote.length,
        says: proof.says,
        mark: entry.mark.map(|mark| mark.word()),
        text: entry.quote.text.to_string(),
    }
}

/// Where a line stands: `path!/member:line`.
pub fn quoted_at(own: &Evidence) -> String {
    let member = own.member.as_ref().map(|member| format!("!/{member}")).unwrap_or_default();
    format!("{}{member}:{}", own.path, own.line)
}
