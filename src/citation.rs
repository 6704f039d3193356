//! Lines of proof and numbers, as a report cites them.

use crate::contract::Evidence;
use crate::correlate::Proof;
use crate::logs::DeviceLogs;

/// A number to a tenth, as reports print it.
pub fn to_tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A line of proof, with its place.
pub fn quote(logs: &DeviceLogs, proof: &Proof) -> Evidence {
    let entry = logs.entry(proof.entry);
    Evidence {
        path: logs.source(proof.entry).path.to_string(),
        member: logs.source(proof.entry).member.as_deref().map(str::to_owned),
        line: entry.quote.line,
        offset: entry.quote.offset,
        length: entry.quote.length,
        says: proof.says.into(),
        mark: entry.mark.map(|mark| mark.word().into()),
        text: entry.quote.text.to_string(),
    }
}

/// Where a line stands: `path!/member:line`.
pub fn quoted_at(own: &Evidence) -> String {
    let member = own.member.as_ref().map(|member| format!("!/{member}")).unwrap_or_default();
    format!("{}{member}:{}", own.path, own.line)
}
