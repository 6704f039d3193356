//! Paths → devices and their sources; what is skipped, and why.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use provtrace_parsers::format::{Formats, SourceKind};
use rayon::prelude::*;

use crate::bundle;
use crate::home::{self, Home};
use crate::layout::{self, Layout};
use crate::paths::Given;
pub use crate::paths::{plain, slashed};
use crate::place::Member;
use crate::recognise::{Kind, Log, is_looked_at};
use crate::room::{Behind, exact};
use crate::sighting::Sightings;
pub use crate::walk::Skipped;
use crate::walk::{self, Found, Root, Stat, walk};

/// One log file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where to open it.
    pub file: PathBuf,
    /// How it is shown: relative to the path given, with `/`; a member as `archive!/name`.
    pub shown: String,
    /// Index into [`Formats::formats`].
    pub format: usize,
    /// The task id that its name holds.
    pub task: Option<String>,
    /// Size when it was found.
    pub bytes: u64,
    /// Which part of the file it is, if the file is an archive.
    pub member: Option<Box<Member>>,
    /// What the system says of the file that it is, or lies in.
    pub stat: Stat,
}

impl Source {
    /// The file that it lies in, as it is shown.
    pub fn path(&self) -> &str {
        let inside = self.member.as_ref().map_or(0, |member| member.name.len() + "!/".len());
        self.shown.get(..self.shown.len().saturating_sub(inside)).unwrap_or(&self.shown)
    }

    /// Gives memory back that only this source and its like need, unless `next` is one.
    pub fn release(&self, next: Option<&Source>) {
        if let Some(member) = &self.member {
            member.release(next.and_then(|next| next.member.as_deref()));
        }
    }
}

/// A device and its sources, in order of `shown`.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its logs.
    pub sources: Vec<Source>,
}

impl Device {
    /// What lies behind each source, the last source first.
    pub fn behind(&self, is_first: impl Fn(&Source) -> bool) -> Vec<Behind> {
        // What a packed log needs, its size doesn't tell.
        let size =
            |own: &Source| own.bytes.saturating_mul(if own.member.is_some() { 20 } else { 1 });
        let add = |sum: &mut Behind, own: &Source| {
            let behind = *sum;
            if is_first(own) {
                sum.firsts += 1;
                sum.first = sum.first.saturating_add(size(own));
            } else {
                sum.others = sum.others.saturating_add(size(own));
            }
            Some(behind)
        };
        self.sources.iter().rev().scan(Behind::default(), add).collect()
    }

    /// Size of all its sources.
    pub fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.bytes).sum()
    }

    /// Gives memory back that reading its sources took.
    pub fn release(&self) {
        self.sources.iter().for_each(|source| source.release(None));
    }
}

/// All that lies under the paths given.
#[derive(Debug, Default)]
pub struct Share {
    /// In order of name.
    pub devices: Vec<Device>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
    /// Logs by their name that no format fits, and texts that look like an agent's log.
    pub unrecognised: Vec<String>,
    /// Of these, those that speak of the agent's programs.
    pub like_agents: Vec<String>,
    /// Files that are no logs.
    pub other_files: u64,
    /// What is read beside logs, and must not be written to: overlays, the mapping.
    pub beside: Vec<PathBuf>,
}

/// Finds the devices under `paths`; `layout` says where in a path a device's name stands.
///
/// # Errors
/// A path that doesn't exist: what was asked for can't be answered then.
pub fn discover(
    paths: &[Given],
    layout: Option<&Layout>,
    formats: &Formats,
    sightings: &Sightings,
    limit: Option<Duration>,
) -> Result<Share, String> {
    let mut share = Share::default();
    let mut found = Vec::new();
    let mut roots = Vec::new();
    if let Some(limit) = limit {
        let given = paths.iter().map(|given| given.path.clone()).collect();
        if let Some(at) = walk::unanswered(given, limit).first() {
            return Err(format!("{}: {}", slashed(&paths[*at].path), walk::silent(limit)));
        }
    }
    for Given { path, listed } in paths {
        let shown = slashed(path);
        if let Err(error) = path.metadata() {
            let reason = plain(&error);
            if *listed {
                share.skipped.push(Skipped { path: shown, reason });
                continue;
            }
            return Err(format!("{shown}: {reason}; give a folder of logs or a log file"));
        }
        let prefix = (paths.len() > 1).then_some(shown);
        let (name, folder) = (layout::root_name(path), home::folder(path));
        let root = Root { path: path.clone(), is_file: path.is_file(), prefix, name, folder };
        for (files, skipped) in walk(&root, roots.len(), limit) {
            found.extend(files);
            share.skipped.extend(skipped);
        }
        roots.push(root);
    }
    if let Some(limit) = limit {
        leave_silent(&mut found, limit, (formats, sightings), &mut share.skipped);
    }
    let found = open_archives(found, formats, sightings, &mut share);
    let logs = recognise_all(found, formats, sightings, &mut share);
    share.devices = devices(logs, &roots, layout, (formats, sightings), &mut share.skipped);
    share.unrecognised.sort();
    share.like_agents.sort();
    share.skipped.sort();
    Ok(share)
}

/// Leaves files that have to be opened to tell what they are, and do not answer.
fn leave_silent(
    found: &mut Vec<Found>,
    limit: Duration,
    (formats, sightings): (&Formats, &Sightings),
    skipped: &mut Vec<Skipped>,
) {
    let opened = |at: &usize| sightings.is_opened(&found[*at], formats);
    let asked: Vec<usize> = (0..found.len()).filter(opened).collect();
    let paths = asked.iter().map(|at| found[*at].file.clone()).collect();
    for at in walk::unanswered(paths, limit).into_iter().rev() {
        let path = found.remove(asked[at]).shown;
        skipped.push(Skipped { path, reason: walk::silent(limit) });
    }
}

/// Puts the logs that lie in archives in the place of these.
fn open_archives(
    found: Vec<Found>,
    formats: &Formats,
    sightings: &Sightings,
    share: &mut Share,
) -> Vec<Found> {
    let is_archive =
        |own: &Found| bundle::is_zip(own.inside()) || bundle::of_gzip(own.inside()).is_some();
    if !found.iter().any(is_archive) {
        return found;
    }
    let is_log = |name: &str| is_looked_at(name, formats);
    let opened: Vec<(Vec<Found>, bundle::Bundle)> = found
        .into_par_iter()
        .map(|mut found| {
            if bundle::is_zip(found.inside()) {
                let mut bundle = sightings.archive(&found, formats);
                let logs = std::mem::take(&mut bundle.logs);
                for (name, _) in &mut bundle.refused {
                    let between = if name.is_empty() { "" } else { "!/" };
                    *name = format!("{}{between}{name}", found.shown);
                }
                return (logs.into_iter().map(|log| found.member(log)).collect(), bundle);
            }
            let content = bundle::of_gzip(found.inside()).filter(|content| is_log(content));
            if let Some(content) = content {
                let name = content.rsplit('/').next().unwrap_or(content).to_owned();
                found = found.content(name);
            }
            (vec![found], bundle::Bundle::default())
        })
        .collect();
    let mut all = Vec::new();
    for (found, bundle) in opened {
        all.extend(found);
        share.other_files += bundle.others;
        let skipped = bundle.refused.into_iter().map(|(path, reason)| Skipped { path, reason });
        share.skipped.extend(skipped);
    }
    all
}

/// Tells what each file is; what is no log is only counted or listed.
fn recognise_all(
    found: Vec<Found>,
    formats: &Formats,
    sightings: &Sightings,
    share: &mut Share,
) -> Vec<(Found, Log)> {
    let kinds: Vec<Kind> = found.par_iter().map(|found| sightings.kind(found, formats)).collect();
    // A share may have hundreds of thousands: no more room than they take.
    let mut logs = Vec::with_capacity(kinds.len());
    for (found, kind) in found.into_iter().zip(kinds) {
        match kind {
            Kind::Log(log) => logs.push((found, log)),
            Kind::UnknownLog { of_agent } => {
                if of_agent {
                    share.like_agents.push(found.shown.clone());
                }
                share.unrecognised.push(found.shown);
            }
            Kind::Other => share.other_files += 1,
            Kind::Unreadable(reason) => share.skipped.push(Skipped { path: found.shown, reason }),
        }
    }
    logs
}

/// Devices that have logs in an agent's folder, not in archives: with the number of the path
/// given, in capitals.
fn known_devices(logs: &[(Found, Log)]) -> BTreeSet<(usize, String)> {
    let plain = logs.par_iter().filter(|(found, _)| found.member.is_none());
    let agents = plain.filter(|(found, _)| layout::is_agents(found.inside()));
    let name = |inside: &str| layout::guess(inside, &|_| false).unwrap_or_default();
    agents.map(|(found, _)| (found.root, name(found.inside()).to_uppercase())).collect()
}

/// Groups logs by device, each device's in order of `shown`.
fn devices(
    logs: Vec<(Found, Log)>,
    roots: &[Root],
    layout: Option<&Layout>,
    (formats, sightings): (&Formats, &Sightings),
    skipped: &mut Vec<Skipped>,
) -> Vec<Device> {
    let known = known_devices(&logs);
    let names: Vec<Option<String>> = logs
        .par_iter()
        .map(|(found, _)| device_of(found, &roots[found.root], layout, &known))
        .collect();
    let hosts = match layout {
        Some(_) => BTreeMap::new(),
        None => hosts(names.iter().zip(&logs), roots, formats, sightings),
    };
    let named = names.into_iter().zip(logs).filter_map(|(name, (found, log))| {
        if layout.is_some() && name.is_none() {
            let reason = "its path does not fit --layout".to_owned();
            skipped.push(Skipped { path: found.shown, reason });
            return None;
        }
        Some((name, found, log))
    });
    let folder_of = |root: usize| if layout.is_some() { "" } else { &*roots[root].folder };
    let named_by = |root: usize| {
        let host = hosts.get(&root).filter(|hosts| hosts.len() == 1);
        host.and_then(|hosts| hosts.first()).unwrap_or(&roots[root].name)
    };
    let devices = grouped(named, &folder_of, &named_by);
    let mut devices = named_apart(devices);
    for device in &mut devices {
        device.sources.sort_by(|a, b| a.shown.cmp(&b.shown));
        // Paths that were given may hold the same file; an archive, two members of one name.
        if roots.len() > 1 || device.sources.iter().any(|own| own.member.is_some()) {
            leave_doubles(&mut device.sources);
        }
        device.sources = exact(std::mem::take(&mut device.sources));
    }
    devices
}

/// Leaves the first one of sources that are the same.
fn leave_doubles(sources: &mut Vec<Source>) {
    let mut seen = HashSet::new();
    let name = |own: &Source| own.member.as_ref().map(|member| member.name.clone());
    sources.retain(|own| seen.insert((own.file.clone(), name(own))));
}

/// Devices by where they lie; `named_by`: the name of logs below a path given that name none.
fn grouped<'r>(
    named: impl Iterator<Item = (Option<String>, Found, Log)>,
    folder_of: &dyn Fn(usize) -> &'r str,
    named_by: &dyn Fn(usize) -> &'r String,
) -> Vec<(Home, Device)> {
    let mut devices: BTreeMap<Home, (Home, Device)> = BTreeMap::new();
    let mut named = named.peekable();
    while let Some((own, found, log)) = named.next() {
        let root = found.root;
        let name = own.as_ref().unwrap_or_else(|| named_by(root)).clone();
        let home = home::home(folder_of(root), &name);
        let key = home.iter().map(|part| part.to_uppercase()).collect();
        let new = || (home, Device { name, sources: Vec::new() });
        let (_, device) = devices.entry(key).or_insert_with(new);
        device.sources.push(source(found, log));
        // Files come device by device: most are of that of the file before.
        while let Some((_, found, log)) =
            named.next_if(|(next, found, _)| found.root == root && *next == own)
        {
            device.sources.push(source(found, log));
        }
    }
    devices.into_values().collect()
}

fn source(found: Found, log: Log) -> Source {
    let Found { file, shown, bytes, stat, member, .. } = found;
    let Log { format, task } = log;
    Source { file, shown, format, task, bytes, member, stat }
}

/// Devices of one name that lie in different places get names that differ; in order of name.
fn named_apart(found: Vec<(Home, Device)>) -> Vec<Device> {
    let mut homes: BTreeMap<String, BTreeSet<Home>> = BTreeMap::new();
    for (home, device) in &found {
        homes.entry(device.name.to_uppercase()).or_default().insert(home.clone());
    }
    let apart = |(home, mut device): (Home, Device)| {
        let same = &homes[&device.name.to_uppercase()];
        if same.len() > 1 {
            device.name = home::names(&device.name, same).remove(&home).unwrap_or(device.name);
        }
        device
    };
    let mut devices: Vec<Device> = found.into_iter().map(apart).collect();
    devices.sort_by_cached_key(|device| device.name.to_uppercase());
    devices
}

/// The device that a path names.
fn device_of(
    found: &Found,
    root: &Root,
    layout: Option<&Layout>,
    known: &BTreeSet<(usize, String)>,
) -> Option<String> {
    if let Some(layout) = layout {
        return layout.device(found.inside());
    }
    let is_known = |name: &str| known.contains(&(found.root, name.to_uppercase()));
    // What is above a file that was given names its device as it does a folder's.
    let inside = if root.is_file { root.own_name(found.inside()) } else { found.inside() };
    layout::guess(inside, &is_known)
}

/// The host names that lie in the folders given, not in a device's folder there.
fn hosts<'n>(
    named: impl Iterator<Item = (&'n Option<String>, &'n (Found, Log))>,
    roots: &[Root],
    formats: &Formats,
    sightings: &Sightings,
) -> BTreeMap<usize, BTreeSet<String>> {
    let mut hosts: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (name, (found, log)) in named {
        let format = &formats.formats[log.format];
        let facts = format.kind == SourceKind::DeviceFacts;
        if name.is_none() && facts && !roots[found.root].is_file {
            let host = sightings.host(found, format, formats);
            hosts.entry(found.root).or_default().extend(host);
        }
    }
    hosts
}
