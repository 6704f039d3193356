//! Where the files of a share lie → devices of the store that are not there, and those that are called otherwise
//! now: one file is one device's, whatever it was called before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::discover::{Device, Share, Source};
use crate::fingerprint::Mixture;
use crate::lineage::{Listed, Memory, place};
use crate::store::{DeviceRow, Store, unpack};
use crate::story::Request;

/// By the hash of where each file of a share lies, the number of its device.
#[derive(Debug, Default)]
pub struct Places(HashMap<u64, u32>);

impl Places {
    /// Of all files.
    fn of(share: &Share) -> Places {
        let devices = share.devices.iter().zip(0..);
        let files =
            devices.flat_map(|(own, number)| own.sources.iter().map(move |own| (own, number)));
        Places(
            files
                .map(|(source, number)| {
                    let (file, member) = place(source);
                    (hash(&file, member.as_deref()), number)
                })
                .collect(),
        )
    }

    /// The number of the device that a file is now of, if it lies on the share.
    pub fn device(&self, listed: &Listed) -> Option<usize> {
        let number = self.0.get(&hash(&listed.file, listed.member.as_deref()))?;
        usize::try_from(*number).ok()
    }
}

fn hash(file: &str, member: Option<&str>) -> u64 {
    let mut hash = Mixture::default();
    hash.put(file.as_bytes());
    hash.put(member.unwrap_or_default().as_bytes());
    hash.hash()
}

/// A device that has to be looked at.
#[derive(Debug)]
pub struct Change {
    /// Its number among those of the share and, behind these, those that are absent.
    pub number: usize,
    /// What the store says of it.
    pub row: Option<DeviceRow>,
    /// Devices of the store whose files are now of this one.
    pub absorbs: Vec<String>,
}

/// The devices that have to be looked at.
#[derive(Debug, Default)]
pub struct Changes {
    /// What is to be done.
    pub changed: Vec<Change>,
    /// Devices of which nothing lies on the share, that are to be told again from what is remembered.
    pub absent: Vec<Device>,
    /// Where all files lie.
    pub places: Places,
    /// Files of devices that are as they were.
    pub unchanged: u64,
}

/// Tells which devices of a share have to be looked at, and which of the store that are not on it.
///
/// # Errors
/// Of the store.
pub fn changes(
    store: &Store,
    rows: &BTreeMap<String, DeviceRow>,
    share: &Share,
    request: &Request,
    (reading, telling): (u64, u64),
) -> Result<Changes, String> {
    let mut all = Changes::default();
    for (number, device) in share.devices.iter().enumerate() {
        let row = rows.get(&device.name);
        let is_same = row.is_some_and(|row| {
            let as_asked = row.reading == reading && row.telling == telling && row.seen != 0;
            as_asked && row.seen == seen(&device.sources.iter().collect::<Vec<&Source>>(), request)
        });
        if is_same {
            all.unchanged += device.sources.len() as u64;
        } else {
            all.changed.push(Change { number, row: row.cloned(), absorbs: Vec::new() });
        }
    }
    if all.changed.is_empty() && rows.values().all(|row| row.telling == telling) {
        return Ok(all);
    }
    all.places = Places::of(share);
    let there: BTreeSet<&str> = share.devices.iter().map(|own| own.name.as_str()).collect();
    for (name, row) in rows.iter().filter(|(name, _)| !there.contains(name.as_str())) {
        let heir = heir(store, name, &all.places)?;
        let change = heir.and_then(|heir| all.changed.iter_mut().find(|own| own.number == heir));
        if let Some(change) = change {
            change.absorbs.push(name.clone());
        } else if row.telling != telling {
            let number = share.devices.len() + all.absent.len();
            all.absent.push(Device { name: name.clone(), sources: Vec::new() });
            all.changed.push(Change { number, row: Some(row.clone()), absorbs: Vec::new() });
        }
    }
    Ok(all)
}

/// The device that the files of one that is not there are of now.
fn heir(store: &Store, name: &str, places: &Places) -> Result<Option<usize>, String> {
    let packed = store.memory(name)?.unwrap_or_default();
    let memory: Memory = unpack(&packed).map_err(|why| store.says(name, &why))?;
    let mut there = memory.known.iter().filter(|own| own.listed.gone.is_none());
    Ok(there.find_map(|own| places.device(&own.listed)))
}

/// A share without its devices.
pub fn listed(share: &Share) -> Share {
    Share {
        skipped: share.skipped.clone(),
        unrecognised: share.unrecognised.clone(),
        like_agents: share.like_agents.clone(),
        other_files: share.other_files,
        beside: share.beside.clone(),
        ..Share::default()
    }
}

/// What the store says of the share, beside its devices.
///
/// # Errors
/// Of the store.
pub fn share_of(store: &Store) -> Result<Share, String> {
    let kept = store.fact("share")?.unwrap_or_default();
    let (skipped, unrecognised, like_agents, other_files) = kept;
    Ok(Share { skipped, unrecognised, like_agents, other_files, ..Share::default() })
}

/// Stands for a device's files as they are: other files, another number. Never 0.
pub fn seen(sources: &[&Source], request: &Request) -> u64 {
    let mut hash = Mixture::default();
    for source in sources {
        let file = source.file.to_string_lossy();
        let member = source.member.as_ref().map_or("", |member| &member.name);
        let format = &request.formats.formats[source.format].name;
        let task = source.task.as_deref().unwrap_or_default();
        for text in [&*file, &source.shown, member, format, task] {
            hash.put(text.as_bytes());
        }
        hash.put(&source.stat.bytes());
    }
    hash.hash().max(1)
}
