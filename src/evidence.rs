//! `evidence`: devices or an incident → a bundle that proves it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use provtrace_parsers::format::SourceKind;
use rayon::prelude::*;

use crate::account;
use crate::cli::EvidenceArgs;
use crate::clock::Window;
use crate::contract::{Evidence, Incident, Report};
use crate::device;
use crate::discover::{Share, Skipped};
use crate::excerpt;
use crate::failure::Failure;
use crate::identity::{Kind, Names};
use crate::intake::{find, in_parallel, output, request, status, tell_skipped};
use crate::manifest::{self, DeviceNote, Manifest, Original, PrivateMap, SameIncident, Status};
use crate::output::Scratch;
use crate::rawline::RawLines;
use crate::recognise::host_name;
use crate::redaction::Redaction;
use crate::report::json;
use crate::seal::Sealer;
use crate::story::Request;
use crate::summary;
use crate::ticket::{self, Copied};

/// Kinds of logs that a device with an agent has.
const KINDS: [SourceKind; 9] = [
    SourceKind::Provisioning,
    SourceKind::Sdclient,
    SourceKind::Vulscan,
    SourceKind::Localsch,
    SourceKind::Policysync,
    SourceKind::PolicyStatus,
    SourceKind::Registry,
    SourceKind::EventLog,
    SourceKind::DeviceFacts,
];

/// Options whose values say where a bundle goes, and nothing of what is in it.
const OUTPUTS: [&str; 3] = ["-o", "--output", "--map"];

/// All that a bundle is made of.
struct Ticket {
    copies: Vec<Copied>,
    skipped: Vec<Skipped>,
    report: Report,
    command: Vec<String>,
    notes: Vec<String>,
    /// Ids of incidents, where names are replaced.
    ids: Vec<SameIncident>,
}

/// Makes a bundle.
///
/// # Errors
/// If there is no such device or incident, or something can't be written.
pub fn evidence(args: &EvidenceArgs) -> Result<u8, Failure> {
    if args.incident.is_none() && args.input.device.is_empty() {
        let ask = "say of what: --incident ID (as the report has it) or --device NAME";
        return Err(Failure::Asked(ask.to_owned()));
    }
    let request = request(&args.input, args.tasks.as_deref(), Window::default())?;
    let mut share = find(&args.input, &request)?;
    let all_devices: Vec<String> = share.devices.iter().map(|own| own.name.clone()).collect();
    if let Some(id) = &args.incident {
        narrow(&mut share, id, &request, args.threads)?;
    }
    let folder = Scratch::new().map_err(Failure::Write)?;
    let mut number = 0;
    let mut copies = Vec::new();
    for device in &share.devices {
        copies.extend(ticket::copy(device, &request.formats, folder.path(), &mut number)?);
    }
    let skipped = share.skipped.clone();
    tell_skipped(&skipped);
    let mut ticket = Ticket {
        report: analyzed(&ticket::share(&copies), &request, args)?,
        copies,
        skipped,
        command: command(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned())),
        notes: Vec::new(),
        ids: Vec::new(),
    };
    if let Some(id) = &args.incident {
        ticket.report.incidents.retain(|incident| incident.id == *id);
    }
    let redaction =
        if args.redact { Some(ticket.redact(&all_devices, &request, args)?) } else { None };
    ticket::name(&mut ticket.copies);
    ticket.place_quotes();
    if let Some(redaction) = &redaction {
        let map = PrivateMap { names: redaction.pairs.clone(), incidents: ticket.ids.clone() };
        write_map(args, &map, &share)?;
    }
    let mut out = output(Some(&args.output), &share)?;
    let seal = ticket.write(args, &request, redaction.as_ref(), &mut out)?;
    out.finish()?;
    eprintln!("provtrace: sealed: sha256:{seal}");
    Ok(status(&args.input, &ticket.skipped, 0))
}

/// Leaves the device of an incident in the share.
fn narrow(
    share: &mut Share,
    id: &str,
    request: &Request,
    threads: Option<u16>,
) -> Result<(), Failure> {
    let device = in_parallel(threads, || {
        share.devices.par_iter().find_first(|device| {
            let found = device::analyze(device, request, &|_| {});
            found.incidents.iter().any(|incident| incident.id == id)
        })
    })?;
    let name = device.map(|device| device.name.clone()).ok_or_else(|| {
        Failure::Asked(format!(
            "no incident has the id {id}; `provtrace analyze --format json` lists them"
        ))
    })?;
    share.devices.retain(|device| device.name == name);
    share.skipped.retain(|skipped| skipped.path.split('/').any(|part| part == name));
    Ok(())
}

/// The report on copies: these bytes and no others are analysed, quoted and stored.
fn analyzed(share: &Share, request: &Request, args: &EvidenceArgs) -> Result<Report, Failure> {
    let devices = in_parallel(args.threads, || {
        let analyze = |device| device::analyze(device, request, &|_| {});
        share.devices.par_iter().map(analyze).collect()
    })?;
    let (report, _) = summary::summarize(devices, share, request)
        .map_err(|error| Failure::Asked(format!("the ranking failed: {error}")))?;
    Ok(report)
}

/// How the program was called, without what says only where the bundle goes.
fn command(typed: impl Iterator<Item = String>) -> Vec<String> {
    let mut left_out = false;
    let mut shown = vec!["provtrace".to_owned()];
    for arg in typed.skip(1) {
        let is_value = std::mem::take(&mut left_out);
        left_out = !is_value && OUTPUTS.contains(&arg.as_str());
        let joined = OUTPUTS.iter().any(|name| {
            let long = arg.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
            long || arg.starts_with("-o") && arg.len() > 2 && !arg.starts_with("--")
        });
        if !(is_value || left_out || joined) {
            shown.push(arg);
        }
    }
    shown
}

impl Ticket {
    /// Replaces all names, and analyses again what came of it: places are those of the new bytes.
    fn redact(
        &mut self,
        all_devices: &[String],
        request: &Request,
        args: &EvidenceArgs,
    ) -> Result<Redaction, Failure> {
        let names = self.names(all_devices, request, args)?;
        let redaction = Redaction::new(&names).map_err(Failure::Asked)?;
        for copied in &mut self.copies {
            ticket::redact(copied, &redaction, &request.formats)?;
        }
        for skipped in &mut self.skipped {
            skipped.path = redaction.text(&skipped.path).into_owned();
            skipped.reason = redaction.text(&skipped.reason).into_owned();
        }
        for arg in &mut self.command {
            *arg = redaction.text(arg).into_owned();
        }
        let mut again = analyzed(&ticket::share(&self.copies), request, args)?;
        let before = &self.report.incidents;
        if args.incident.is_some() {
            again.incidents.retain(|own| before.iter().any(|old| is_same(old, own)));
        }
        let same = again.incidents.len() == before.len()
            && before.iter().all(|old| again.incidents.iter().any(|own| is_same(old, own)));
        if !same {
            let note = "the redacted logs do not show the same incidents as the real ones: what \
                        was left out was part of the proof, or a name is a word of the logs";
            eprintln!("provtrace: caution: {note}");
            self.notes.push(note.to_owned());
        }
        for own in &mut again.incidents {
            // The core's mapping may name anybody.
            own.step = redaction.text(&own.step).into_owned();
            own.template = own.template.as_deref().map(|name| redaction.text(name).into_owned());
            let real = before.iter().find(|old| is_same(old, own)).map(|old| old.id.clone());
            self.ids.extend(real.map(|real| SameIncident { real, redacted: own.id.clone() }));
        }
        self.report = again;
        Ok(redaction)
    }

    /// The names in the logs, their paths and the command line.
    fn names(
        &self,
        all_devices: &[String],
        request: &Request,
        args: &EvidenceArgs,
    ) -> Result<Names, Failure> {
        let mut names = Names::new();
        for name in &args.redact_name {
            names.add(Kind::Given, name);
        }
        for device in all_devices {
            // `Lyon/PAR-1`: the folders above it are no names of devices.
            names.add(Kind::Device, device.rsplit('/').next().unwrap_or(device));
        }
        for arg in &self.command {
            names.read(arg);
        }
        for skipped in &self.skipped {
            names.read(&skipped.path);
        }
        for copied in &self.copies {
            let Some(source) = &copied.source else { continue };
            names.read(&source.shown);
            if copied.binary {
                continue;
            }
            let format = &request.formats.formats[source.format];
            if format.kind == SourceKind::DeviceFacts
                && let Some(host) = host_name(&source.file, None, format)
            {
                names.add(Kind::Device, &host);
            }
            let mut lines = RawLines::new(File::open(&source.file)?)?;
            let encoding = lines.encoding;
            while let Some(line) = lines.next_line()? {
                let text =
                    provtrace_parsers::text::decode_line(line.bytes, encoding, format.code_page);
                names.read(&text);
            }
        }
        Ok(names)
    }

    /// Quotes name the originals, not the copies.
    fn place_quotes(&mut self) {
        let shown: BTreeMap<&str, &Original> = self
            .copies
            .iter()
            .filter_map(|copied| Some((copied.source.as_ref()?.shown.as_str(), &copied.original)))
            .collect();
        let quotes = self.report.incidents.iter_mut().flat_map(|own| &mut own.evidence);
        let waits = self.report.long_waits.iter_mut().flat_map(|own| &mut own.evidence);
        let unfinished = self.report.unfinished_runs.iter_mut().flat_map(|own| &mut own.evidence);
        for quote in quotes.chain(waits).chain(unfinished) {
            if let Some(original) = shown.get(quote.path.as_str()) {
                quote.path.clone_from(&original.path);
                quote.member.clone_from(&original.member);
            }
        }
    }

    /// Writes the bundle; gives its seal.
    fn write(
        &mut self,
        args: &EvidenceArgs,
        request: &Request,
        redaction: Option<&Redaction>,
        out: &mut dyn Write,
    ) -> Result<String, Failure> {
        self.copies.sort_by(|a, b| a.original.stored.cmp(&b.original.stored));
        let shown = |text: String| match redaction {
            Some(redaction) => redaction.text(&text).into_owned(),
            None => text,
        };
        let mut sealer = Sealer::new(out);
        for copied in &mut self.copies {
            let excerpt = excerpt_of(copied, &self.report.incidents, request, args.context)?;
            let Some((stored, text)) = copied.original.stored.as_ref().zip(excerpt) else {
                continue;
            };
            let name = format!("excerpts/{stored}.txt");
            let text = shown(text);
            sealer.add(&name, text.as_bytes(), text.len() as u64)?;
            copied.original.excerpt = Some(name);
        }
        for copied in &mut self.copies {
            let stored = copied.original.stored.take();
            let (Some(stored), Some(source)) = (stored, &copied.source) else { continue };
            if !args.excerpts_only {
                let name = format!("files/{stored}");
                sealer.add(&name, File::open(&source.file)?, source.bytes)?;
                copied.original.stored = Some(name);
            }
        }
        let mut report = json::value(&self.report)?;
        if let Some(redaction) = redaction {
            json::each_text(&mut report, &|text| redaction.text(text).into_owned());
        }
        let mut text = Vec::new();
        json::write(&report, &mut text)?;
        sealer.add("incidents.json", text.as_slice(), 0)?;
        for (name, text) in [
            ("story.html", account::html(&self.report)),
            ("story.md", account::markdown(&self.report)),
        ] {
            sealer.add(name, shown(text).as_bytes(), 0)?;
        }
        let manifest = self.manifest(args, request, &sealer);
        let mut text = Vec::new();
        json::write(&manifest, &mut text)?;
        sealer.add(manifest::NAME, text.as_slice(), 0)?;
        Ok(sealer.finish()?)
    }

    fn manifest(&self, args: &EvidenceArgs, request: &Request, sealer: &Sealer<'_>) -> Manifest {
        let mut originals: Vec<Original> =
            self.copies.iter().map(|copied| copied.original.clone()).collect();
        let known = |path: &str| {
            self.copies.iter().any(|copied| {
                let original = &copied.original;
                original.status != Status::Whole && path.starts_with(&original.path)
            })
        };
        originals.extend(self.skipped.iter().filter(|skip| !known(&skip.path)).map(unread));
        originals
            .sort_by(|a, b| (&a.device, &a.path, &a.member).cmp(&(&b.device, &b.path, &b.member)));
        let ids = |incident: &Incident| incident.id.clone();
        Manifest {
            schema: manifest::SCHEMA.to_owned(),
            tool: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.command.clone(),
            code_page: args.input.codepage.unwrap_or_default().name().to_owned(),
            redacted: args.redact,
            excerpts_only: args.excerpts_only,
            incident: args.incident.as_ref().and(self.report.incidents.first().map(ids)),
            devices: self.devices(request),
            originals,
            stored: sealer.stored.clone(),
            notes: self.notes.clone(),
        }
    }

    /// The devices, each with the kinds of logs that it lacks.
    fn devices(&self, request: &Request) -> Vec<DeviceNote> {
        let mut kinds: BTreeMap<&str, Vec<SourceKind>> = BTreeMap::new();
        for copied in &self.copies {
            let has = kinds.entry(&copied.original.device).or_default();
            has.extend(copied.source.as_ref().map(|own| request.formats.formats[own.format].kind));
        }
        let note = |(device, has): (&str, Vec<SourceKind>)| DeviceNote {
            device: device.to_owned(),
            missing: KINDS
                .iter()
                .filter(|kind| !has.contains(kind))
                .map(|kind| kind.word().to_owned())
                .collect(),
        };
        kinds.into_iter().map(note).collect()
    }
}

/// Whether two analyses show the same incident, whatever the device is called.
fn is_same(one: &Incident, other: &Incident) -> bool {
    let key =
        |own: &Incident| (own.at.clone(), own.run, own.step_ordinal, own.mechanism, own.confidence);
    key(one) == key(other) && one.task_id == other.task_id
}

/// A file of which nothing was read.
fn unread(skipped: &Skipped) -> Original {
    Original {
        device: String::new(),
        path: skipped.path.clone(),
        member: None,
        format: None,
        encoding: None,
        bytes: 0,
        sha256: None,
        modified: None,
        status: Status::Unreadable,
        reason: Some(skipped.reason.clone()),
        stored: None,
        excerpt: None,
    }
}

/// The excerpt of a copy, if a quote stands in it.
fn excerpt_of(
    copied: &Copied,
    incidents: &[Incident],
    request: &Request,
    context: u64,
) -> io::Result<Option<String>> {
    let Some(source) = &copied.source else { return Ok(None) };
    let original = &copied.original;
    let quotes: Vec<&Evidence> = incidents
        .iter()
        .flat_map(|incident| &incident.evidence)
        .filter(|quote| quote.path == original.path && quote.member == original.member)
        .collect();
    if quotes.is_empty() {
        return Ok(None);
    }
    if copied.binary {
        return Ok(Some(excerpt::of_records(&source.shown, &quotes)));
    }
    let page = request.formats.formats[source.format].code_page;
    excerpt::of_text(&source.file, page, &source.shown, &quotes, context).map(Some)
}

/// Writes the private map.
fn write_map(args: &EvidenceArgs, map: &PrivateMap, share: &Share) -> Result<(), Failure> {
    let beside = || {
        let mut name = args.output.with_extension("").into_os_string();
        name.push(".map.json");
        PathBuf::from(name)
    };
    let path = args.map.clone().unwrap_or_else(beside);
    if same_file(&path, &args.output) {
        return Err(Failure::Asked("--map and -o name the same file".to_owned()));
    }
    // What `Output` makes can be read by its owner alone.
    let mut out = output(Some(&path), share)?;
    json::write(map, &mut out)?;
    out.finish()?;
    eprintln!("provtrace: the real names are in {}; keep it", path.display());
    Ok(())
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other
        || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_says_what_is_in_a_bundle() {
        let typed =
            ["x", "evidence", "share", "-o", "a.zip", "--map=m.json", "--redact", "-ob.zip"];
        let shown = command(typed.iter().map(|arg| (*arg).to_owned()));
        assert_eq!(shown, ["provtrace", "evidence", "share", "--redact"]);
    }
}
