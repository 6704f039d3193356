//! The rows of the store.

use rusqlite::{OptionalExtension, Row};

use super::{
    BTreeMap, DeviceRow, IncidentRow, NightRow, RevisionRow, Saved, Store, months, params,
};

impl Store {
    /// The last runs, the latest one first.
    ///
    /// # Errors
    /// Of the store.
    pub fn nights(&self, most: u64) -> Result<Vec<NightRow>, String> {
        self.with(|db| {
            let query =
                "SELECT number, began, ended, work FROM night ORDER BY number DESC LIMIT ?1";
            let mut query = db.prepare(query)?;
            let night = |row: &Row<'_>| {
                Ok(NightRow {
                    number: number(row.get(0)?),
                    began: row.get(1)?,
                    ended: row.get(2)?,
                    work: row.get(3)?,
                })
            };
            query.query_map([i64::try_from(most).unwrap_or(i64::MAX)], night)?.collect()
        })
    }

    /// Puts down how far a run is.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_night(&mut self, night: &NightRow) -> Result<(), String> {
        let NightRow { number, began, ended, work } = night;
        self.change(work.len(), |db| {
            let row = params![signed(*number), began, ended, work];
            db.prepare_cached("INSERT OR REPLACE INTO night VALUES (?1, ?2, ?3, ?4)")?.execute(row)
        })
    }

    /// All devices, without their records.
    ///
    /// # Errors
    /// Of the store.
    pub fn devices(&self) -> Result<BTreeMap<String, DeviceRow>, String> {
        self.with(|db| {
            let query = "SELECT name, seen, telling, reading, new_at, told_silent FROM device";
            let mut query = db.prepare(query)?;
            let device = |row: &Row<'_>| {
                let own = DeviceRow {
                    seen: number(row.get(1)?),
                    telling: number(row.get(2)?),
                    reading: number(row.get(3)?),
                    new_at: row.get(4)?,
                    told_silent: row.get(5)?,
                };
                Ok((row.get(0)?, own))
            };
            query.query_map([], device)?.collect()
        })
    }

    /// One column of a device.
    fn of_device(&self, column: &str, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.with(|db| {
            let query = format!("SELECT {column} FROM content WHERE device = ?1");
            db.prepare_cached(&query)?.query_row([name], |row| row.get(0)).optional()
        })
    }

    /// What was read of a device.
    ///
    /// # Errors
    /// Of the store.
    pub fn memory(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.of_device("memory", name)
    }

    /// A device's report.
    ///
    /// # Errors
    /// Of the store.
    pub fn report(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.of_device("report", name)
    }

    /// A device's chronicle.
    ///
    /// # Errors
    /// Of the store.
    pub fn chronicle(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.of_device("chronicle", name)
    }

    /// The reports of all devices, in order of name.
    ///
    /// # Errors
    /// Of the store, or of `take`.
    pub fn reports(
        &self,
        mut take: impl FnMut(String, Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut failed = Ok(());
        self.with(|db| {
            let mut query = db.prepare("SELECT device, report FROM content ORDER BY device")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                failed = take(row.get(0)?, row.get(1)?);
                if failed.is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        failed
    }

    /// Keeps a device; months in which its facts are others than before are stale.
    ///
    /// # Errors
    /// Of the store.
    pub fn save(&mut self, device: &Saved) -> Result<(), String> {
        let Saved { name, memory, report, chronicle, .. } = device;
        let bytes = memory.len() + report.len() + chronicle.len();
        self.change(bytes, |db| {
            months::set(db, name, &device.months)?;
            let keys = (signed(device.telling), signed(device.reading));
            db.prepare_cached("INSERT OR REPLACE INTO content VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![name, memory, report, chronicle])?;
            let row = params![name, signed(device.seen), keys.0, keys.1, device.new_at];
            // Only what is new ends a silence that was told.
            db.prepare_cached(
                "INSERT OR REPLACE INTO device VALUES (?1, ?2, ?3, ?4, ?5, coalesce(
                 (SELECT told_silent FROM device WHERE name = ?1 AND new_at = ?5), 0))",
            )?
            .execute(row)
        })
    }

    /// Forgets a device and all that was told of it.
    ///
    /// # Errors
    /// Of the store.
    pub fn forget(&mut self, name: &str) -> Result<(), String> {
        self.change(0, |db| {
            db.execute(
                "INSERT OR IGNORE INTO stale SELECT month FROM month WHERE device = ?1",
                [name],
            )?;
            for table in ["content", "month", "incident", "revision"] {
                db.execute(&format!("DELETE FROM {table} WHERE device = ?1"), [name])?;
            }
            db.execute("DELETE FROM device WHERE name = ?1", [name])
        })
    }

    /// A device is another one now: what was told of it was told of that one.
    ///
    /// # Errors
    /// Of the store.
    pub fn rename(&mut self, name: &str, to: &str) -> Result<(), String> {
        self.change(0, |db| {
            for table in ["incident", "revision"] {
                let query = format!("UPDATE OR IGNORE {table} SET device = ?2 WHERE device = ?1");
                db.execute(&query, [name, to])?;
            }
            Ok(0)
        })?;
        self.forget(name)
    }

    /// What a run revised of an incident so far, packed.
    ///
    /// # Errors
    /// Of the store.
    pub fn revision(&self, device: &str, id: &str, night: u64) -> Result<Option<Vec<u8>>, String> {
        self.with(|db| {
            let query = "SELECT value FROM revision WHERE device = ?1 AND id = ?2 AND night = ?3";
            let row = params![device, id, signed(night)];
            db.prepare_cached(query)?.query_row(row, |row| row.get(0)).optional()
        })
    }

    /// Forgets the incidents of a device that are not among these.
    ///
    /// # Errors
    /// Of the store.
    pub fn forget_incidents(&mut self, device: &str, but: &[&str]) -> Result<(), String> {
        let ids: Vec<String> = self.incidents(device)?.into_iter().map(|row| row.id).collect();
        self.change(0, |db| {
            for id in ids.iter().filter(|id| !but.contains(&id.as_str())) {
                for table in ["incident", "revision"] {
                    let query = format!("DELETE FROM {table} WHERE device = ?1 AND id = ?2");
                    db.execute(&query, [device, id])?;
                }
            }
            Ok(0)
        })
    }

    /// Forgets runs that were done before a time; gives their number.
    ///
    /// # Errors
    /// Of the store.
    pub fn forget_nights(&mut self, until: &str) -> Result<usize, String> {
        let mut forgotten = 0;
        self.change(0, |db| {
            forgotten = db.execute(
                "DELETE FROM night WHERE ended < ?1 AND number < (SELECT max(number) FROM night)",
                [until],
            )?;
            Ok(0)
        })?;
        Ok(forgotten)
    }

    /// It was said that a device is silent.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_told_silent(&mut self, name: &str) -> Result<(), String> {
        self.change(0, |db| db.execute("UPDATE device SET told_silent = 1 WHERE name = ?1", [name]))
    }

    /// A device's incidents, those that were withdrawn too.
    ///
    /// # Errors
    /// Of the store.
    pub fn incidents(&self, device: &str) -> Result<Vec<IncidentRow>, String> {
        self.with(|db| {
            let query =
                "SELECT id, first, withdrawn, value FROM incident WHERE device = ?1 ORDER BY id";
            let mut query = db.prepare_cached(query)?;
            query.query_map([device], incident)?.collect()
        })
    }

    /// The incidents that a run saw first (`first`) or no more (`withdrawn`), with their devices.
    ///
    /// # Errors
    /// Of the store.
    pub fn incidents_of_night(
        &self,
        column: &str,
        night: u64,
    ) -> Result<Vec<(String, IncidentRow)>, String> {
        self.with(|db| {
            let query = format!(
                "SELECT id, first, withdrawn, value, device FROM incident WHERE {column} = ?1 ORDER BY device, id"
            );
            let mut query = db.prepare(&query)?;
            let row = |row: &Row<'_>| Ok((row.get(4)?, incident(row)?));
            query.query_map([signed(night)], row)?.collect()
        })
    }

    /// Keeps an incident of a device.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_incident(&mut self, device: &str, row: &IncidentRow) -> Result<(), String> {
        let IncidentRow { id, first, withdrawn, value } = row;
        self.change(value.len(), |db| {
            let row = params![id, device, signed(*first), withdrawn.map(signed), value];
            db.prepare_cached("INSERT OR REPLACE INTO incident VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(row)
        })
    }

    /// What a run revised of incidents; one run's, or all.
    ///
    /// # Errors
    /// Of the store.
    pub fn revisions(&self, night: Option<u64>) -> Result<Vec<RevisionRow>, String> {
        self.with(|db| {
            let query = "SELECT device, id, night, value FROM revision WHERE ?1 IS NULL OR night = ?1 \
                         ORDER BY device, id, night";
            let mut query = db.prepare(query)?;
            let row = |row: &Row<'_>| {
                Ok(RevisionRow {
                    device: row.get(0)?,
                    id: row.get(1)?,
                    night: number(row.get(2)?),
                    value: row.get(3)?,
                })
            };
            query.query_map([night.map(signed)], row)?.collect()
        })
    }

    /// Keeps what a run revised.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_revision(
        &mut self,
        device: &str,
        id: &str,
        night: u64,
        value: &[u8],
    ) -> Result<(), String> {
        self.change(value.len(), |db| {
            let row = params![device, id, signed(night), value];
            db.prepare_cached("INSERT OR REPLACE INTO revision VALUES (?1, ?2, ?3, ?4)")?
                .execute(row)
        })
    }

    pub(super) fn texts(&self, query: &str, value: &str) -> Result<Vec<String>, String> {
        self.with(|db| {
            let mut query = db.prepare(query)?;
            let values: &[&str] = if query.parameter_count() == 0 { &[] } else { &[value] };
            query.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?.collect()
        })
    }

    /// What was seen of files that were opened to tell what they are.
    ///
    /// # Errors
    /// Of the store.
    pub fn sightings(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        self.with(|db| {
            let mut query = db.prepare("SELECT path, value FROM sighting")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// Keeps them, in the place of those before.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_sightings(&mut self, seen: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        self.change(seen.values().map(Vec::len).sum(), |db| {
            db.execute("DELETE FROM sighting", [])?;
            for (path, value) in seen {
                db.prepare_cached("INSERT INTO sighting VALUES (?1, ?2)")?
                    .execute(params![path, value])?;
            }
            Ok(0)
        })
    }
}

fn incident(row: &Row<'_>) -> rusqlite::Result<IncidentRow> {
    Ok(IncidentRow {
        id: row.get(0)?,
        first: number(row.get(1)?),
        withdrawn: row.get::<_, Option<i64>>(2)?.map(number),
        value: row.get(3)?,
    })
}

/// The database has signed numbers only; hashes take all bits.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

pub(super) fn number(signed: i64) -> u64 {
    signed.cast_unsigned()
}
