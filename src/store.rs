//! What the nightly batch remembers, in a folder: a database of what was read of each device and what was
//! told of it. Each device is written within one transaction, so that whatever stops a run, what is there is
//! whole, and the next run goes on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::tables::{STEPS, step};
use self::trouble::{cant, emptied, is_empty};
pub use self::trouble::{refuse_within, remedy, told};
use crate::fingerprint::hash;
use crate::paths::slashed;

/// Marks a database as one of ours: `prtv`.
const APPLICATION: i32 = 0x7072_7476;
/// The database in the store's folder.
const DATABASE: &str = "store.sqlite";
/// The largest value that is taken out, in bytes: a device keeps 32 MiB of records, and what is around them.
const MOST: usize = 1 << 30;
/// What is written at once, in bytes.
const AT_ONCE: usize = 1 << 20;

/// An open store.
#[derive(Debug)]
pub struct Store {
    /// The database.
    db: Connection,
    /// Where it lies.
    pub folder: PathBuf,
    /// Held while it may be written to.
    _lock: Option<File>,
    /// Bytes written since the last commit.
    pending: usize,
}

/// What is known of a device without its records.
#[derive(Debug, Clone)]
pub struct DeviceRow {
    /// Stands for its files as they were; 0 if they can't be trusted to be the same.
    pub seen: u64,
    /// How it was told.
    pub telling: u64,
    /// How its logs were read.
    pub reading: u64,
    /// When the run began that found something new of it last.
    pub new_at: String,
    /// Whether it was said that it is silent.
    pub told_silent: bool,
}

/// All that is kept of a device; each packed.
#[derive(Debug)]
pub struct Saved {
    /// Its name.
    pub name: String,
    /// Stands for its files; 0 if they can't be trusted to stay as they are.
    pub seen: u64,
    /// Its files, and what was read of them.
    pub memory: Vec<u8>,
    /// Its report.
    pub report: Vec<u8>,
    /// Its chronicle.
    pub chronicle: Vec<u8>,
    /// How it was told.
    pub telling: u64,
    /// How its logs were read.
    pub reading: u64,
    /// When something new was found of it last.
    pub new_at: String,
    /// The months of its facts, each with what stands for them.
    pub months: Vec<(String, u64)>,
}

/// A run of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NightRow {
    /// From 1.
    pub number: u64,
    /// When it began.
    pub began: String,
    /// When it was done.
    pub ended: Option<String>,
    /// What it did so far, packed.
    pub work: Vec<u8>,
}

/// An incident as it was told last.
#[derive(Debug, Clone)]
pub struct IncidentRow {
    /// Its id.
    pub id: String,
    /// The run that saw it first.
    pub first: u64,
    /// The run that saw it no more.
    pub withdrawn: Option<u64>,
    /// The incident, packed.
    pub value: Vec<u8>,
}

/// What a run revised of an incident.
#[derive(Debug, Clone)]
pub struct RevisionRow {
    /// The device.
    pub device: String,
    /// The incident's id.
    pub id: String,
    /// The run.
    pub night: u64,
    /// What changed, packed.
    pub value: Vec<u8>,
}

/// A value as it is packed, to be hashed.
pub fn bytes(value: &impl Serialize) -> Vec<u8> {
    // Nothing of a value fails to be written to memory.
    postcard::to_stdvec(value).unwrap_or_default()
}

/// Packs a value, with a hash by which damage is found.
pub fn pack(value: &impl Serialize) -> Vec<u8> {
    let packed = lz4_flex::compress_prepend_size(&bytes(value));
    [&hash(&packed).to_le_bytes()[..], &packed].concat()
}

/// Takes a packed value apart.
///
/// # Errors
/// It is damaged, or of another version.
pub fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Result<T, String> {
    let damaged = || "is damaged".to_owned();
    let (expected, packed) = packed.split_first_chunk::<8>().ok_or_else(damaged)?;
    if u64::from_le_bytes(*expected) != hash(packed) {
        return Err(damaged());
    }
    let (size, _) = lz4_flex::block::uncompressed_size(packed).map_err(|_| damaged())?;
    if size > MOST {
        return Err(damaged());
    }
    let bytes = lz4_flex::decompress_size_prepended(packed).map_err(|_| damaged())?;
    postcard::from_bytes(&bytes).map_err(|_| "is of another version".to_owned())
}

impl Store {
    /// Opens a store to be written to, and makes it if there is none; nobody else may then.
    ///
    /// # Errors
    /// It is no store, of a later version, damaged, or somebody writes to it.
    pub fn write(folder: &Path) -> Result<Store, String> {
        let shown = slashed(folder);
        fs::create_dir_all(folder).map_err(|error| cant(folder, &error))?;
        let is_new = !folder.join(DATABASE).exists();
        if is_new && others(folder) {
            return Err(format!(
                "{shown}: has other files in it, and is no store; give an empty folder"
            ));
        }
        // A run that was killed at once leaves no file or an empty one, but no facts.
        if (is_new || is_empty(folder)) && folder.join("facts").exists() {
            return Err(emptied(folder));
        }
        let lock = lock::lock(folder)?;
        let db = Connection::open(folder.join(DATABASE));
        let db = db.map_err(|error| told(folder, &error))?;
        let store = Store { db, folder: folder.to_owned(), _lock: Some(lock), pending: 0 };
        store.prepare(true)?;
        Ok(store)
    }

    /// Opens a store to be read, also while somebody writes to it.
    ///
    /// # Errors
    /// There is none, or it is of a later version or damaged.
    pub fn read(folder: &Path) -> Result<Store, String> {
        if !folder.join(DATABASE).is_file() {
            let shown = slashed(folder);
            return Err(format!("{shown}: no store lies there; `provtrace nightly` makes one"));
        }
        if is_empty(folder) {
            return Err(emptied(folder));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(folder.join(DATABASE), flags);
        let db = db.map_err(|error| told(folder, &error))?;
        let store = Store { db, folder: folder.to_owned(), _lock: None, pending: 0 };
        store.prepare(false)?;
        Ok(store)
    }

    /// Checks whose it is, and brings it up to date.
    fn prepare(&self, writes: bool) -> Result<(), String> {
        let shown = slashed(&self.folder.join(DATABASE));
        let number = |name: &str| {
            let read = self.db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
            read.map_err(|error| told(&self.folder, &error))
        };
        let (application, version) = (number("application_id")?, number("user_version")?);
        let tables = "SELECT count(*) FROM sqlite_schema";
        let tables: i64 = self
            .db
            .query_row(tables, [], |row| row.get(0))
            .map_err(|error| told(&self.folder, &error))?;
        if application != APPLICATION && (tables > 0 || !writes) {
            return Err(format!(
                "{shown}: is a database, but no store of provtrace; give another folder"
            ));
        }
        let last = STEPS.len();
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        if version > last {
            return Err(format!(
                "{shown}: was written by a later provtrace (tables of version {version}, here up to {last}); \
                 use that one"
            ));
        }
        if version < last && !writes {
            return Err(format!(
                "{shown}: was written by an earlier provtrace; the next run of nightly brings it up to date"
            ));
        }
        let set = || -> rusqlite::Result<()> {
            self.db.busy_timeout(Duration::from_secs(30))?;
            if !writes {
                return self.db.pragma_update(None, "query_only", true);
            }
            self.db.pragma_update(None, "journal_mode", "WAL")?;
            self.db.pragma_update(None, "synchronous", "NORMAL")?;
            step(&self.db, version, &STEPS)
        };
        set().map_err(|error| told(&self.folder, &error))
    }

    /// Does something with the database.
    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        work(&self.db).map_err(|error| told(&self.folder, &error))
    }

    /// A value that is kept under a name.
    ///
    /// # Errors
    /// Of the store.
    pub fn fact<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let value = self.with(|db| {
            let query = "SELECT value FROM fact WHERE name = ?1";
            db.query_row(query, [name], |row| row.get::<_, Vec<u8>>(0)).optional()
        })?;
        value.map(|value| unpack(&value).map_err(|why| self.says(name, &why))).transpose()
    }

    /// Keeps a value under a name.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_fact(&mut self, name: &str, value: &impl Serialize) -> Result<(), String> {
        let value = pack(value);
        self.change(value.len(), |db| {
            db.execute("INSERT OR REPLACE INTO fact VALUES (?1, ?2)", params![name, value])
        })
    }

    /// What is said of a damaged part.
    pub fn says(&self, what: &str, why: &str) -> String {
        let shown = slashed(&self.folder.join(DATABASE));
        format!("{shown}: {what} {why}; `provtrace store check --store DIR` says what is left")
    }

    /// Changes something; it is only there for good with the next commit.
    fn change(
        &mut self,
        bytes: usize,
        work: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<(), String> {
        if self.db.is_autocommit() {
            self.with(|db| db.execute_batch("BEGIN IMMEDIATE"))?;
        }
        self.with(work)?;
        self.pending += bytes;
        Ok(())
    }

    /// Whether much was written since the last commit.
    pub fn is_full(&self) -> bool {
        self.pending >= AT_ONCE
    }

    /// What was changed is there from now on, whatever happens.
    ///
    /// # Errors
    /// Of the store.
    pub fn commit(&mut self) -> Result<(), String> {
        self.pending = 0;
        if self.db.is_autocommit() {
            return Ok(());
        }
        self.with(|db| db.execute_batch("COMMIT"))
    }

    /// Takes back what was changed since the last commit.
    pub fn roll_back(&mut self) {
        self.pending = 0;
        // Without a transaction there is nothing to take back.
        let _ = self.db.execute_batch("ROLLBACK");
    }

    /// What the database says of its own wholeness.
    ///
    /// # Errors
    /// Of the store.
    pub fn faults(&self) -> Result<Vec<String>, String> {
        let faults = self.texts("PRAGMA integrity_check", "")?;
        Ok(faults.into_iter().filter(|fault| fault != "ok").collect())
    }

    /// Gives the disk back what is no longer needed.
    ///
    /// # Errors
    /// Of the store.
    pub fn shrink(&mut self) -> Result<(), String> {
        self.commit()?;
        self.with(|db| db.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"))
    }
}

/// Whether a folder has files that no store has.
fn others(folder: &Path) -> bool {
    let ours =
        |name: &str| name.starts_with(DATABASE) || name.starts_with("lock") || name == "facts";
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| !ours(&entry.file_name().to_string_lossy()))
    })
}

mod lock;
mod months;
mod rows;
mod tables;
mod trouble;
