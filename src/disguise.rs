//! A bundle's contents → the same under other names.

use std::fs::File;

use provtrace_parsers::format::SourceKind;
use provtrace_parsers::text::decode_line;

use crate::cli::EvidenceArgs;
use crate::clock;
use crate::contract::Incident;
use crate::dossier::{Dossier, analyzed};
use crate::failure::Failure;
use crate::identity::{Kind, Names};
use crate::manifest::SameIncident;
use crate::rawline::RawLines;
use crate::recognise::host_name;
use crate::redaction::Redaction;
use crate::story::Request;
use crate::ticket;
use crate::zones::ZoneRule;

/// Replaces all names, and analyses again what came of it: places are those of the new bytes.
///
/// # Errors
/// If there are too many names, or a copy can't be written.
pub fn redact(
    dossier: &mut Dossier,
    all_devices: &[String],
    request: &mut Request,
    args: &EvidenceArgs,
) -> Result<Redaction, Failure> {
    let names = names(dossier, all_devices, request, args)?;
    let redaction = Redaction::new(&names).map_err(Failure::Asked)?;
    let mut zones = Vec::new();
    for copied in &mut dossier.copies {
        let zone = clock::given(&copied.original.device, &request.zones);
        ticket::redact(copied, &redaction, &request.formats)?;
        let pattern = Some(copied.original.device.clone());
        zones.extend(zone.map(|zone| ZoneRule { pattern, zone }));
    }
    // A rule goes by names, and these are others now.
    request.zones = zones;
    for skipped in &mut dossier.skipped {
        skipped.path = redaction.text(&skipped.path).into_owned();
        skipped.reason = redaction.text(&skipped.reason).into_owned();
    }
    dossier.command = nameless(&dossier.command);
    let (mut again, chronicles) = analyzed(&ticket::share(&dossier.copies), request, args)?;
    let before = &dossier.report.incidents;
    if args.incident.is_some() {
        again.incidents.retain(|own| before.iter().any(|old| is_same(old, own)));
    }
    let same = again.incidents.len() == before.len()
        && before.iter().all(|old| again.incidents.iter().any(|own| is_same(old, own)));
    if !same {
        let note = "the redacted logs do not show the same incidents as the real ones: what \
                    was left out was part of the proof, or a name is a word of the logs";
        eprintln!("provtrace: caution: {note}");
        dossier.notes.push(note.to_owned());
    }
    for own in &mut again.incidents {
        // The core's mapping may name anybody.
        own.step = redaction.text(&own.step).into_owned();
        own.template = own.template.as_deref().map(|name| redaction.text(name).into_owned());
        let real = before.iter().find(|old| is_same(old, own)).map(|old| old.id.clone());
        dossier.ids.extend(real.map(|real| SameIncident { real, redacted: own.id.clone() }));
    }
    (dossier.report, dossier.chronicles) = (again, chronicles);
    Ok(redaction)
}

/// The names in the logs, their paths and the command line.
fn names(
    dossier: &Dossier,
    all_devices: &[String],
    request: &Request,
    args: &EvidenceArgs,
) -> Result<Names, Failure> {
    let mut names = Names::new();
    for name in &args.redact_name {
        if !names.add(Kind::Given, name) {
            return Err(Failure::Asked(format!(
                "--redact-name {name}: can't be replaced: it is too short, or a word that the logs need"
            )));
        }
    }
    for device in all_devices {
        // `Lyon/PAR-1`: the folders above it are no names of devices.
        names.add(Kind::Device, device.rsplit('/').next().unwrap_or(device));
    }
    for text in dossier.command.iter().chain(&request.overlays) {
        names.read(text);
    }
    for skipped in &dossier.skipped {
        names.read(&skipped.path);
    }
    for copied in &dossier.copies {
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
            let text = decode_line(line.bytes, encoding, format.code_page);
            names.read(&text);
        }
    }
    Ok(names)
}

/// A command without what may name somebody: paths, patterns of names, ids.
fn nameless(command: &[String]) -> Vec<String> {
    let shown = |(at, arg): (usize, &String)| match arg.split_once('=') {
        _ if at < 2 => arg.clone(),
        Some((option, _)) if option.starts_with("--") => format!("{option}=…"),
        None if arg.starts_with('-') && arg.len() > 1 => arg.clone(),
        Some(_) | None => "…".to_owned(),
    };
    command.iter().enumerate().map(shown).collect()
}

/// Whether two analyses show the same incident, whatever the device is called.
fn is_same(one: &Incident, other: &Incident) -> bool {
    let key =
        |own: &Incident| (own.at.clone(), own.run, own.step_ordinal, own.mechanism, own.confidence);
    key(one) == key(other) && one.task_id == other.task_id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_nobody() {
        let typed =
            ["provtrace", "evidence", "PAR", "--device", "P*", "--tz=P=UTC", "x=y", "--redact"];
        let shown = nameless(&typed.map(str::to_owned));
        assert_eq!(shown[2..], ["…", "--device", "…", "--tz=…", "…", "--redact"]);
    }
}
