//! All that a bundle is made of → its entries.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};

use provtrace_parsers::format::SourceKind;

use crate::account;
use crate::chronicle::Chronicle;
use crate::cli::EvidenceArgs;
use crate::contract::{Evidence, Incident, Report};
use crate::discover::{Share, Skipped};
use crate::excerpt;
use crate::explanation::{Explanation, explain};
use crate::failure::Failure;
use crate::intake::analyze_each;
use crate::manifest::{self, DeviceNote, Manifest, Original, SameIncident, Status};
use crate::redaction::Redaction;
use crate::report::json;
use crate::seal::Sealer;
use crate::story::Request;
use crate::summary;
use crate::ticket::Copied;

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

/// All that a bundle is made of.
pub struct Dossier {
    /// The originals.
    pub copies: Vec<Copied>,
    /// Files of which nothing was read.
    pub skipped: Vec<Skipped>,
    /// The report on the copies.
    pub report: Report,
    /// What its stories are told from.
    pub chronicles: Vec<Chronicle>,
    /// How the program was called.
    pub command: Vec<String>,
    /// What a reader should know of how it was made.
    pub notes: Vec<String>,
    /// Ids of incidents, where names are replaced.
    pub ids: Vec<SameIncident>,
}

/// The report on copies, and the chronicles that its stories are told from: these bytes and no
/// others are analysed, quoted and stored.
///
/// # Errors
/// If the ranking fails.
pub fn analyzed(
    share: &Share,
    request: &Request,
    args: &EvidenceArgs,
) -> Result<(Report, Vec<Chronicle>), Failure> {
    let devices = analyze_each(share, request, args.threads, &|_| {})?;
    summary::summarize(devices, share, request).map_err(Failure::Asked)
}

impl Dossier {
    /// Quotes name the originals, not the copies.
    pub fn place_quotes(&mut self) {
        let shown: BTreeMap<&str, &Original> = self
            .copies
            .iter()
            .filter_map(|copied| Some((copied.source.as_ref()?.shown.as_str(), &copied.original)))
            .collect();
        let quotes = self.report.incidents.iter_mut().flat_map(|own| &mut own.evidence);
        let waits = self.report.long_waits.iter_mut().flat_map(|own| &mut own.evidence);
        let unfinished = self.report.unfinished_runs.iter_mut().flat_map(|own| &mut own.evidence);
        let mut told = Vec::new();
        for chronicle in &mut self.chronicles {
            told.extend(chronicle.lifetimes.iter_mut().flat_map(|own| &mut own.evidence));
            told.extend(chronicle.landmarks.iter_mut().flat_map(|own| &mut own.evidence));
        }
        for quote in quotes.chain(waits).chain(unfinished).chain(told) {
            if let Some(original) = shown.get(quote.path.as_str()) {
                quote.path.clone_from(&original.path);
                quote.member.clone_from(&original.member);
            }
        }
    }

    /// Writes the bundle; gives its seal.
    ///
    /// # Errors
    /// Of the copies and the writer.
    pub fn write(
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
        let told = |own: &Incident| explain(own, &self.chronicles, &self.report);
        let told: Vec<Explanation> = self.report.incidents.iter().filter_map(told).collect();
        for (name, text) in
            [("story.html", account::html(&told)), ("story.md", account::markdown(&told))]
        {
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
        originals.extend(self.skipped.iter().map(unread));
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
