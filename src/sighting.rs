//! What a file was when it was opened to tell what it is: if it is the same file still, it need not be
//! opened again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use provtrace_parsers::format::{Format, Formats};
use serde::{Deserialize, Serialize};

use crate::bundle::{self, Bundle, Packed};
use crate::paths::slashed;
use crate::place::Member;
use crate::recognise::{Kind, Log, host_name, is_looked_at, recognise};
use crate::walk::{Found, Moment, Stat};

/// What was seen of one file, or member of an archive.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sighting {
    stat: Stat,
    archive: Option<Contents>,
    kind: Option<Told>,
    host: Option<Option<String>>,
}

/// What an archive holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Contents {
    /// Each log's name, the same without an inner archive's marks, and its size.
    logs: Vec<(String, String, u64)>,
    refused: Vec<(String, String)>,
    others: u64,
}

/// What a file is, with the name of its format.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Told {
    Log(String, Option<String>),
    UnknownLog(bool),
    Other,
}

/// All that was seen of a share.
#[derive(Debug, Default)]
pub struct Sightings {
    /// Of an earlier run, by path.
    pub known: BTreeMap<String, Sighting>,
    /// When this one began to list the share.
    pub listed: Moment,
    /// Of this one, if it is to be kept.
    pub fresh: Option<Mutex<BTreeMap<String, Sighting>>>,
}

impl Sightings {
    /// What is known of a share, to be brought up to date.
    pub fn kept(known: BTreeMap<String, Sighting>) -> Sightings {
        Sightings { known, listed: Moment::now(), fresh: Some(Mutex::default()) }
    }

    /// What was seen of this run's files.
    pub fn into_fresh(self) -> BTreeMap<String, Sighting> {
        let fresh =
            self.fresh.map(|fresh| fresh.into_inner().unwrap_or_else(PoisonError::into_inner));
        fresh.unwrap_or_default()
    }

    /// Whether a file has to be opened to tell what it is.
    pub fn is_opened(&self, found: &Found, formats: &Formats) -> bool {
        let name = found.shown.rsplit('/').next().unwrap_or(&found.shown);
        formats.by_file_name(name).is_none() && self.of(found).is_none()
    }

    /// What an archive holds; it is opened if it is not the one that was seen.
    pub fn archive(&self, found: &Found, formats: &Formats) -> Bundle {
        if let Some(Sighting { archive: Some(contents), .. }) = self.of(found) {
            let bundle = contents.bundle();
            self.note(found, |sighting| sighting.archive = Some(contents));
            return bundle;
        }
        let bundle = bundle::open(&found.file, &|name| is_looked_at(name, formats));
        if bundle.refused.iter().all(|(name, _)| !name.is_empty()) {
            self.note(found, |sighting| sighting.archive = Some(Contents::of(&bundle)));
        }
        bundle
    }

    /// What a file is; it is opened if its name does not tell, and it is not the one that was seen.
    pub fn kind(&self, found: &Found, formats: &Formats) -> Kind {
        let by_name = found.shown.rsplit('/').next().and_then(|name| formats.by_file_name(name));
        if let Some((format, task)) = by_name {
            return Kind::Log(Log { format, task });
        }
        let seen = self.of(found).and_then(|sighting| sighting.kind);
        if let Some((told, kind)) = seen.and_then(|told| Some((told.clone(), told.kind(formats)?)))
        {
            self.note(found, |sighting| sighting.kind = Some(told));
            return kind;
        }
        let member = found
            .member
            .as_deref()
            .map(|member| bundle::placed(&found.file, member, &|name| is_looked_at(name, formats)));
        let kind = recognise(&found.shown, &found.file, member.as_ref(), formats);
        if let Some(told) = Told::of(&kind, formats) {
            self.note(found, |sighting| sighting.kind = Some(told));
        }
        kind
    }

    /// The host's name in a file of facts about a device.
    pub fn host(&self, found: &Found, format: &Format, formats: &Formats) -> Option<String> {
        let host = self.of(found).and_then(|sighting| sighting.host).unwrap_or_else(|| {
            let placed = |member: &Member| {
                bundle::placed(&found.file, member, &|name| is_looked_at(name, formats))
            };
            host_name(&found.file, found.member.as_deref().map(placed).as_ref(), format)
        });
        self.note(found, |sighting| sighting.host = Some(host.clone()));
        host
    }

    fn of(&self, found: &Found) -> Option<Sighting> {
        if self.known.is_empty() {
            return None;
        }
        self.known.get(&key(found)).filter(|sighting| sighting.stat == found.stat).cloned()
    }

    /// Keeps what was seen, unless the file may still change without a trace.
    fn note(&self, found: &Found, put: impl FnOnce(&mut Sighting)) {
        let Some(fresh) = self.fresh.as_ref().filter(|_| found.stat.is_settled(self.listed)) else {
            return;
        };
        let mut fresh = fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let sighting = fresh.entry(key(found)).or_default();
        sighting.stat = found.stat;
        put(sighting);
    }
}

fn key(found: &Found) -> String {
    let file = slashed(&found.file);
    found.member.as_ref().map_or(file.clone(), |member| format!("{file}!/{}", member.name))
}

impl Contents {
    fn of(bundle: &Bundle) -> Contents {
        let log = |log: &Packed| (log.member.name.clone(), log.inside.clone(), log.bytes);
        let logs = bundle.logs.iter().map(log).collect();
        Contents { logs, refused: bundle.refused.clone(), others: bundle.others }
    }

    fn bundle(&self) -> Bundle {
        let log = |(name, inside, bytes): &(String, String, u64)| Packed {
            inside: inside.clone(),
            member: Member::unplaced(name.clone()),
            bytes: *bytes,
        };
        Bundle {
            logs: self.logs.iter().map(log).collect(),
            refused: self.refused.clone(),
            others: self.others,
        }
    }
}

impl Told {
    fn of(kind: &Kind, formats: &Formats) -> Option<Told> {
        match kind {
            Kind::Log(Log { format, task }) => {
                Some(Told::Log(formats.formats[*format].name.clone(), task.clone()))
            }
            Kind::UnknownLog { of_agent } => Some(Told::UnknownLog(*of_agent)),
            Kind::Other => Some(Told::Other),
            Kind::Unreadable(_) => None,
        }
    }

    fn kind(self, formats: &Formats) -> Option<Kind> {
        Some(match self {
            Told::Log(name, task) => {
                let format = formats.formats.iter().position(|format| format.name == name)?;
                Kind::Log(Log { format, task })
            }
            Told::UnknownLog(of_agent) => Kind::UnknownLog { of_agent },
            Told::Other => Kind::Other,
        })
    }
}
