//! Who works with a store: one at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use crate::paths::slashed;

/// Holds a folder for this process; the system gives it free, however the process ends.
///
/// # Errors
/// Somebody else holds it, or nobody may.
pub fn lock(folder: &Path) -> Result<File, String> {
    let shown = slashed(folder);
    let failed = |error: &std::io::Error| super::cant(folder, error);
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| failed(&error))?;
    // Who holds it stands in another file: on Windows nobody may read one that is locked.
    let holder = folder.join("lock.holder");
    match file.try_lock() {
        Ok(()) => {
            let mut out = File::create(&holder).map_err(|error| failed(&error))?;
            let host =
                ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
            let on = host.map(|host| format!(" on {host}")).unwrap_or_default();
            let since = crate::clock::show_utc(crate::clock::now());
            let told = format!("process {}{on}, since {since}", std::process::id());
            out.write_all(told.as_bytes()).map_err(|error| failed(&error))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let who = fs::read_to_string(holder).unwrap_or_else(|_| "another process".to_owned());
            let who: String = who.chars().take(200).collect();
            Err(format!("{shown}: {who}, works with this store; wait until it is done"))
        }
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}
