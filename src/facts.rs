//! What the store knows → Parquet files by month, for DuckDB, pandas and their like: each incident, step and
//! process stands in one of them, once.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufWriter;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::batch::month;
use crate::chronicle::Chronicle;
use crate::contract::Incident;
use crate::paths::{plain, slashed};
use crate::report::columns::File;
use crate::report::sheet::{self, Sheet};
use crate::store::{Store, unpack};

/// Devices whose chronicles are in memory at once.
const AT_ONCE: usize = 250;

/// The names of templates, by device and run.
pub type Names = BTreeMap<String, BTreeMap<u32, String>>;

/// Writes the months anew that something changed in.
///
/// # Errors
/// Of the store or the files; what is not written is stale still.
pub fn refresh(store: &mut Store, incidents: &[Incident], names: &Names) -> Result<(), String> {
    for stale in store.stale()? {
        let devices = store.of_month(&stale)?;
        let own: Vec<Incident> = incidents
            .iter()
            .filter(|incident| month(&incident.at).is_some_and(|month| month == stale))
            .cloned()
            .collect();
        let facts = store.folder.join("facts");
        if devices.is_empty() {
            for kind in KINDS {
                remove(&facts.join(kind).join(format!("month={stale}")))?;
            }
        } else {
            write(&facts, "incidents", &stale, |file| file(&sheet::incidents(&own)))?;
            let each = |file: &mut dyn FnMut(&Sheet<'_>) -> Result<(), String>, steps: bool| {
                for devices in devices.chunks(AT_ONCE) {
                    let chronicles = chronicles(store, devices, &stale, names)?;
                    if steps {
                        file(&sheet::step_runs(&chronicles))?;
                    } else {
                        file(&sheet::lifetimes(&chronicles))?;
                    }
                }
                Ok(())
            };
            write(&facts, "steps", &stale, |file| each(file, true))?;
            write(&facts, "lifetimes", &stale, |file| each(file, false))?;
        }
        store.set_fresh(&stale)?;
        store.commit()?;
    }
    Ok(())
}

/// The folders of facts.
pub const KINDS: [&str; 3] = ["incidents", "lifetimes", "steps"];

/// What happened to some devices in a month.
fn chronicles(
    store: &Store,
    devices: &[String],
    own: &str,
    names: &Names,
) -> Result<Vec<Chronicle>, String> {
    let mut chronicles = Vec::new();
    for name in devices {
        let Some(packed) = store.chronicle(name)?.filter(|packed| !packed.is_empty()) else {
            continue;
        };
        let mut chronicle: Chronicle = unpack(&packed).map_err(|why| store.says(name, &why))?;
        let is_own = |shown: &str| month(shown).is_some_and(|month| month == own);
        chronicle.steps.retain(|step| is_own(&step.started.shown));
        chronicle.lifetimes.retain(|life| is_own(&life.launched.shown));
        for run in &mut chronicle.runs {
            let name = names.get(name).and_then(|names| names.get(&run.number));
            run.template = name.cloned().or(run.template.take());
        }
        chronicles.push(chronicle);
    }
    Ok(chronicles)
}

/// Writes one file of facts, whole or not at all.
fn write(
    facts: &Path,
    kind: &str,
    month: &str,
    rows: impl FnOnce(&mut dyn FnMut(&Sheet<'_>) -> Result<(), String>) -> Result<(), String>,
) -> Result<(), String> {
    let folder = facts.join(kind).join(format!("month={month}"));
    let path = folder.join("part.parquet");
    let shown = slashed(&path);
    let failed = |error: &std::io::Error| format!("{shown}: {}", plain(error));
    fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
    let new = NamedTempFile::new_in(&folder).map_err(|error| failed(&error))?;
    let empty: Sheet<'_> = match kind {
        "incidents" => sheet::incidents(&[]),
        "steps" => sheet::step_runs(&[]),
        _lifetimes => sheet::lifetimes(&[]),
    };
    let told = |error: std::io::Error| failed(&error);
    let mut file = File::new(&empty, BufWriter::new(new)).map_err(told)?;
    rows(&mut |sheet| file.rows(sheet).map_err(told))?;
    let out = file.finish().map_err(told)?;
    let new = out.into_inner().map_err(|error| failed(error.error()))?;
    new.as_file().sync_all().map_err(|error| failed(&error))?;
    new.persist(&path).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// Takes a folder of facts away, if it is there.
fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {}", slashed(folder), plain(&error)))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
