//! `evidence`: devices or an incident → a bundle that proves it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cli::EvidenceArgs;
use crate::clock::Window;
use crate::device;
use crate::discover::{Share, Skipped};
use crate::disguise;
use crate::dossier::{Dossier, analyzed};
use crate::failure::Failure;
use crate::intake::{
    find_all, in_parallel, nothing_readable, output, request, select, status, tell_skipped,
};
use crate::manifest::PrivateMap;
use crate::output::Scratch;
use crate::report::json;
use crate::story::{Kept, Request};
use crate::ticket::{self, Copied};

/// Options whose values say where a bundle goes, and nothing of what is in it.
const OUTPUTS: [&str; 3] = ["-o", "--output", "--map"];

/// Makes a bundle.
///
/// # Errors
/// If there is no such device or incident, or something can't be written.
pub fn evidence(args: &EvidenceArgs) -> Result<u8, Failure> {
    if args.incident.is_none() && args.input.device.is_empty() {
        let ask = "say of what: --incident ID (as the report has it) or --device NAME";
        return Err(Failure::Asked(ask.to_owned()));
    }
    let mut request = request(&args.input, args.tasks.as_deref(), Window::default())?;
    request.kept = Kept::Affected;
    let share = find_all(&args.input, &request)?;
    let all_devices: Vec<String> = share.devices.iter().map(|own| own.name.clone()).collect();
    let mut share = select(&args.input, share)?;
    if let Some(id) = &args.incident {
        narrow(&mut share, id, &request, args.threads)?;
    }
    let folder = Scratch::new().map_err(Failure::Write)?;
    let mut number = 0;
    let mut copies = Vec::new();
    for device in &share.devices {
        copies.extend(ticket::copy(device, &request.formats, folder.path(), &mut number)?);
    }
    let unread = share.skipped.iter().cloned().chain(copies.iter().filter_map(Copied::skipped));
    let unread: Vec<Skipped> = unread.collect();
    tell_skipped(&unread);
    if copies.iter().all(|copied| copied.source.is_none()) {
        return Err(nothing_readable(&share, unread.len()));
    }
    let (report, chronicles) = analyzed(&ticket::share(&copies), &request, args)?;
    let mut ticket = Dossier {
        report,
        chronicles,
        copies,
        skipped: share.skipped.clone(),
        command: command(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned())),
        notes: Vec::new(),
        ids: Vec::new(),
    };
    if let Some(id) = &args.incident {
        ticket.report.incidents.retain(|incident| incident.id == *id);
    }
    let redaction = if args.redact {
        Some(disguise::redact(&mut ticket, &all_devices, &mut request, args)?)
    } else {
        None
    };
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
    Ok(status(&args.input, &unread, 0))
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
    let own = name.rsplit('/').next().unwrap_or(&name);
    share.skipped.retain(|skipped| skipped.path.split('/').any(|part| part == own));
    Ok(())
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
    let mut out = output(Some(&path), share)?;
    out.keep_private()?;
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
