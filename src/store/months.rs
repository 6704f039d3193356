//! In which months devices have facts, and which months have to be written again.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row};

use super::rows::{number, signed};
use super::{Store, params};

/// Whether a text is a month and nothing else: it becomes a folder's name.
fn is_month(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() == 7
        && text
            .split_once('-')
            .is_some_and(|(year, month)| year.len() == 4 && digits(year) && digits(month))
}

impl Store {
    /// The months whose facts have to be written again.
    ///
    /// # Errors
    /// Of the store.
    pub fn stale(&self) -> Result<Vec<String>, String> {
        Ok(self
            .texts("SELECT month FROM stale ORDER BY month", "")?
            .into_iter()
            .filter(|own| is_month(own))
            .collect())
    }

    /// A month has to be written again.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_stale(&mut self, device: &str) -> Result<(), String> {
        let query = "INSERT OR IGNORE INTO stale SELECT month FROM month WHERE device = ?1";
        self.change(0, |db| db.prepare_cached(query)?.execute([device]))
    }

    /// A month's facts have to be written again.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_month_stale(&mut self, month: &str) -> Result<(), String> {
        self.change(0, |db| db.execute("INSERT OR IGNORE INTO stale VALUES (?1)", [month]))
    }

    /// A month's facts were written.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_fresh(&mut self, month: &str) -> Result<(), String> {
        self.change(0, |db| db.execute("DELETE FROM stale WHERE month = ?1", [month]))
    }

    /// All months that have facts.
    ///
    /// # Errors
    /// Of the store.
    pub fn months(&self) -> Result<Vec<String>, String> {
        let months = self.texts("SELECT DISTINCT month FROM month ORDER BY month", "")?;
        Ok(months.into_iter().filter(|own| is_month(own)).collect())
    }

    /// The devices that have facts in a month.
    ///
    /// # Errors
    /// Of the store.
    pub fn of_month(&self, month: &str) -> Result<Vec<String>, String> {
        self.texts("SELECT device FROM month WHERE month = ?1 ORDER BY device", month)
    }
}

/// Puts down in which months a device has facts, and marks those as stale in which they are others.
///
/// # Errors
/// Of the database.
pub fn set(db: &Connection, device: &str, now: &[(String, u64)]) -> rusqlite::Result<()> {
    let mut query = db.prepare_cached("SELECT month, hash FROM month WHERE device = ?1")?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, number(row.get(1)?)));
    let before: BTreeMap<String, u64> =
        query.query_map([device], row)?.collect::<Result<_, _>>()?;
    let now: BTreeMap<String, u64> = now.iter().cloned().collect();
    for month in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
        if before.get(month) == now.get(month) {
            continue;
        }
        db.prepare_cached("INSERT OR IGNORE INTO stale VALUES (?1)")?.execute([month])?;
        match now.get(month) {
            Some(hash) => db
                .prepare_cached("INSERT OR REPLACE INTO month VALUES (?1, ?2, ?3)")?
                .execute(params![device, month, signed(*hash)])?,
            None => db
                .prepare_cached("DELETE FROM month WHERE device = ?1 AND month = ?2")?
                .execute([device, month])?,
        };
    }
    Ok(())
}
