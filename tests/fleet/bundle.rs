//! The zip that a support script makes. Entries have no times of their own, so that the bytes stay the same.

use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Zips the files; PowerShell's own zips separate folders with backslashes.
pub(crate) fn zip(
    files: &[(String, Vec<u8>)],
    backslashes: bool,
) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    for (path, bytes) in files {
        let name = if backslashes { path.replace('/', "\\") } else { path.clone() };
        writer.start_file(name, options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}
