//! The tables of the store, and how they came about.

use rusqlite::Connection;

use super::APPLICATION;

/// What makes each version of the tables of the one before; the first one of nothing. What was released is
/// never changed: another step is added.
pub const STEPS: [&str; 1] = ["
CREATE TABLE fact(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE night(number INTEGER PRIMARY KEY, began TEXT NOT NULL, ended TEXT, work BLOB NOT NULL) STRICT;
CREATE TABLE device(name TEXT PRIMARY KEY, seen INTEGER NOT NULL, telling INTEGER NOT NULL,
  reading INTEGER NOT NULL, new_at TEXT NOT NULL, told_silent INTEGER NOT NULL) STRICT;
CREATE TABLE content(device TEXT PRIMARY KEY, memory BLOB NOT NULL, report BLOB NOT NULL, chronicle BLOB NOT NULL) STRICT;
CREATE TABLE incident(id TEXT NOT NULL, device TEXT NOT NULL, first INTEGER NOT NULL, withdrawn INTEGER,
  value BLOB NOT NULL, PRIMARY KEY(device, id)) STRICT;
CREATE TABLE revision(device TEXT NOT NULL, id TEXT NOT NULL, night INTEGER NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY(device, id, night)) STRICT;
CREATE TABLE month(device TEXT NOT NULL, month TEXT NOT NULL, hash INTEGER NOT NULL, PRIMARY KEY(device, month)) STRICT;
CREATE INDEX devices_of_month ON month(month, device);
CREATE TABLE stale(month TEXT PRIMARY KEY) STRICT;
CREATE TABLE sighting(path TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"];

/// Brings the tables up to date, version by version: what breaks off in between goes on there.
///
/// # Errors
/// Of the database; it is of the version before, then.
pub fn step(db: &Connection, version: usize, steps: &[&str]) -> rusqlite::Result<()> {
    for (step, next) in steps.iter().zip(1..).skip(version) {
        db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {step} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {next}; COMMIT;"
        ))
        .inspect_err(|_| drop(db.execute_batch("ROLLBACK")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(db: &Connection) -> (i32, Vec<String>) {
        let version = db.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version");
        let mut query = db
            .prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")
            .expect("a query");
        let rows = query.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        (version, rows.collect::<rusqlite::Result<_>>().expect("texts"))
    }

    #[test]
    fn every_version_leads_to_the_last_one() {
        let steps = ["CREATE TABLE a(x);", "ALTER TABLE a ADD COLUMN y;", "CREATE TABLE b(x);"];
        for steps in [&steps[..], &STEPS[..]] {
            let whole = Connection::open_in_memory().expect("a database");
            step(&whole, 0, steps).expect("made");
            for version in 0..=steps.len() {
                let db = Connection::open_in_memory().expect("a database");
                step(&db, 0, &steps[..version]).expect("made");
                assert_eq!(tables(&db).0, i32::try_from(version).expect("few"));
                step(&db, version, steps).expect("brought up to date");
                assert_eq!(tables(&db), tables(&whole), "from version {version}");
            }
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let db = Connection::open_in_memory().expect("a database");
        let steps = ["CREATE TABLE a(x);", "CREATE TABLE b(x); CREATE TABLE a(x);"];
        assert!(step(&db, 0, &steps).is_err());
        assert_eq!(tables(&db), (1, vec!["CREATE TABLE a(x)".to_owned()]));
        // A gap: what the step builds upon was never made.
        let db = Connection::open_in_memory().expect("a database");
        assert!(step(&db, 1, &["CREATE TABLE a(x);", "ALTER TABLE a ADD COLUMN y;"]).is_err());
        assert_eq!(tables(&db), (0, Vec::new()));
    }
}
