//! What the store knows → Parquet files by month, for DuckDB, pandas and their like: each incident, step and
//! process stands in one of them, once.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::batch::month;
use crate::chronicle::Chronicle;
use crate::contract::Incident;
use crate::paths::{plain, slashed};
use crate::report::columns::File;
use crate::report::sheet::{self, Sheet};
use crate::store::{self, Store, unpack};

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
        let own: Vec<Incident> =
            incidents.iter().filter(|incident| is_of(&incident.at, &stale)).cloned().collect();
        let facts = store.folder.join("facts");
        if devices.is_empty() {
            for kind in KINDS {
                remove(&facts.join(kind).join(format!("month={stale}")))?;
            }
        } else {
            let mut sheets = [
                Partition::new(&facts, "incidents", &stale, &sheet::incidents(&[]))?,
                Partition::new(&facts, "lifetimes", &stale, &sheet::lifetimes(&[]))?,
                Partition::new(&facts, "steps", &stale, &sheet::step_runs(&[]))?,
            ];
            sheets[0].rows(&sheet::incidents(&own))?;
            for devices in devices.chunks(AT_ONCE) {
                let mut chronicles = chronicles(store, devices, &stale, names)?;
                // A process may be of a step that started in another month.
                sheets[1].rows(&sheet::lifetimes(&chronicles))?;
                for own in &mut chronicles {
                    own.steps.retain(|step| is_of(&step.started.shown, &stale));
                }
                sheets[2].rows(&sheet::step_runs(&chronicles))?;
            }
            sheets.into_iter().try_for_each(Partition::finish)?;
        }
        store.set_fresh(&stale)?;
        store.commit()?;
    }
    Ok(())
}

/// Marks the months as stale of which a file is not there, or is no whole one.
///
/// # Errors
/// Of the store.
pub fn mend(store: &mut Store) -> Result<(), String> {
    for month in store.months()? {
        if KINDS.iter().any(|kind| fault(&store.folder, kind, &month).is_some()) {
            store.set_month_stale(&month)?;
        }
    }
    Ok(())
}

/// What is wrong with a file of facts: where it lies, and why.
pub fn fault(store: &Path, kind: &str, month: &str) -> Option<String> {
    let path = store.join("facts").join(kind).join(format!("month={month}")).join("part.parquet");
    let why = match ends(&path) {
        Ok(ends) if ends == [*b"PAR1"; 2] => return None,
        Ok(_) => "is damaged".to_owned(),
        Err(error) => plain(&error),
    };
    Some(format!("{}: {why}; the next run of nightly writes it", slashed(&path)))
}

/// How a file begins and ends.
fn ends(path: &Path) -> std::io::Result<[[u8; 4]; 2]> {
    let mut file = fs::File::open(path)?;
    let mut ends = [[0; 4]; 2];
    file.read_exact(&mut ends[0])?;
    file.seek(SeekFrom::End(-4))?;
    file.read_exact(&mut ends[1])?;
    Ok(ends)
}

/// The folders of facts.
pub const KINDS: [&str; 3] = ["incidents", "lifetimes", "steps"];

/// Whether a time, as reports print it, lies in a month.
fn is_of(shown: &str, own: &str) -> bool {
    month(shown).is_some_and(|month| month == own)
}

/// What happened to some devices in a month; their steps are all there.
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
        chronicle.lifetimes.retain(|life| is_of(&life.launched.shown, own));
        for run in &mut chronicle.runs {
            let name = names.get(name).and_then(|names| names.get(&run.number));
            run.template = name.cloned().or(run.template.take());
        }
        chronicles.push(chronicle);
    }
    Ok(chronicles)
}

/// A file of facts that is written: it is whole, or not there.
struct Partition {
    file: File<BufWriter<NamedTempFile>>,
    path: PathBuf,
}

impl Partition {
    fn new(
        facts: &Path,
        kind: &str,
        month: &str,
        columns: &Sheet<'_>,
    ) -> Result<Partition, String> {
        let folder = facts.join(kind).join(format!("month={month}"));
        let path = folder.join("part.parquet");
        let file = fs::create_dir_all(&folder)
            .and_then(|()| beside(&folder))
            .and_then(|new| File::new(columns, BufWriter::new(new)));
        Ok(Partition { file: file.map_err(|error| failed(&path, &error))?, path })
    }

    fn rows(&mut self, sheet: &Sheet<'_>) -> Result<(), String> {
        self.file.rows(sheet).map_err(|error| failed(&self.path, &error))
    }

    fn finish(self) -> Result<(), String> {
        let Partition { file, path } = self;
        let whole = || {
            let new = file.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            new.as_file().sync_all()?;
            new.persist(&path).map_err(|error| error.error)
        };
        whole().map(|_| ()).map_err(|error| failed(&path, &error))
    }
}

/// A file beside the one that it becomes. Of a run that was killed one may be left: nobody else writes here,
/// so it is written over.
fn beside(folder: &Path) -> std::io::Result<NamedTempFile> {
    let path = folder.join("part.new");
    let new = fs::File::create(&path)?;
    Ok(NamedTempFile::from_parts(new, TempPath::try_from_path(path)?))
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {}; {}", slashed(path), plain(error), store::remedy(error))
}

/// Takes a folder of facts away, if it is there.
fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(folder, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
