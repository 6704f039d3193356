//! What is said of a store that can't be used, and of what is not to be written there.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::ffi;

use super::DATABASE;
use crate::paths::{plain, slashed};

/// What to do when a disk is full, and where nobody may write.
const MAKE_ROOM: &str = "make room; the next run goes on where this one stopped";
const CHECK_WHO: &str = "check who may write there";

/// What to do with a database that is lost.
const PUT_BACK: &str = "put a copy in its place, or give a new folder: all is read again then";

/// What is said of a database that can't be used.
pub fn told(folder: &Path, error: &rusqlite::Error) -> String {
    let shown = slashed(&folder.join(DATABASE));
    // For what readers and writers share there is no room.
    let exact = error.sqlite_error().map(|error| error.extended_code);
    let no_room = exact == Some(ffi::SQLITE_IOERR_SHMSIZE);
    let (what, do_now) = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::SystemIoFailure) if no_room => {
            ("the disk is full".to_owned(), MAKE_ROOM)
        }
        Some(rusqlite::ErrorCode::DiskFull) => ("the disk is full".to_owned(), MAKE_ROOM),
        Some(rusqlite::ErrorCode::NotADatabase) => ("is no database".to_owned(), PUT_BACK),
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => ("is damaged".to_owned(), PUT_BACK),
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::PermissionDenied) => {
            ("can't be written to".to_owned(), CHECK_WHO)
        }
        Some(rusqlite::ErrorCode::CannotOpen) => (
            "can't be opened".to_owned(),
            "check who may write there; a store on a read-only disk has to be copied to another one",
        ),
        _other => (error.to_string(), "check the disk and who may write there"),
    };
    format!("{shown}: {what}; {do_now}")
}

/// What to do about a file of the store that can't be written.
pub fn remedy(error: &std::io::Error) -> &'static str {
    let kind = error.kind();
    if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        MAKE_ROOM
    } else if matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
        CHECK_WHO
    } else if matches!(kind, ErrorKind::NotADirectory | ErrorKind::AlreadyExists) {
        "give a folder with --store"
    } else {
        "check the disk and who may write there"
    }
}

/// Refuses a file in a store's folder: what belongs to the store might be written over.
///
/// # Errors
/// It lies there.
pub fn refuse_within(folder: &Path, path: &Path) -> Result<(), String> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new(".")).canonicalize();
    let within = folder.canonicalize().is_ok_and(|own| above.is_ok_and(|up| up.starts_with(own)));
    if within && path != Path::new("-") {
        return Err(format!("{}: lies in the store's folder; write elsewhere", slashed(path)));
    }
    Ok(())
}

/// Whether the database is a file without a byte.
pub fn is_empty(folder: &Path) -> bool {
    folder.join(DATABASE).metadata().is_ok_and(|about| about.len() == 0)
}

/// What is said of one.
pub fn emptied(folder: &Path) -> String {
    format!("{}: is empty or missing; {PUT_BACK}", slashed(&folder.join(DATABASE)))
}

/// What is said of a store's folder that can't be written to.
pub fn cant(folder: &Path, error: &std::io::Error) -> String {
    format!("{}: {}; {}", slashed(folder), plain(error), remedy(error))
}
