//! The report as JSON: docs/REPORT.md.

use std::io::{self, Write};

use crate::contract::Report;

/// Writes one object, indented, with a line end.
///
/// # Errors
/// Of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
