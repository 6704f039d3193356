//! `verify`: a bundle → whether it is what was made, and the first thing that differs.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use provtrace_parsers::text::{CodePage, decode_line, read_code_page};
use serde::Deserialize;

use crate::cli::VerifyArgs;
use crate::discover::{plain, slashed};
use crate::entries::Entries;
use crate::excerpt;
use crate::failure::Failure;
use crate::leaks;
use crate::manifest::{self, Manifest, Original, Stored};
use crate::rawline::RawLines;
use crate::report::plain::harmless;
use crate::seal;

/// Exit status: something differs, or leaks.
const DIFFERS: u8 = 1;

/// What of `incidents.json` is held against the files.
#[derive(Debug, Deserialize)]
struct Incidents {
    incidents: Vec<Proven>,
}

#[derive(Debug, Deserialize)]
struct Proven {
    id: String,
    evidence: Vec<Quoted>,
}

/// A quoted line.
#[derive(Debug, Deserialize)]
struct Quoted {
    path: String,
    member: Option<String>,
    line: u64,
    offset: u64,
    length: u64,
    text: String,
}

/// Checks a bundle; says what differs first.
///
/// # Errors
/// If the file is no bundle, or can't be read.
pub fn verify(args: &VerifyArgs) -> Result<u8, Failure> {
    let shown = slashed(&args.bundle);
    let (entries, manifest) = match verdict(&args.bundle) {
        Verdict::NoBundle(why) => return Err(Failure::Asked(format!("{shown}: {why}"))),
        Verdict::Differs(what) => {
            println!("{}: differs: {}", harmless(&shown), harmless(&what));
            return Ok(DIFFERS);
        }
        Verdict::Whole(entries, manifest, seal) => {
            let files = manifest.originals.iter().filter(|own| own.sha256.is_some()).count();
            let entry_count = entries.members.len();
            println!(
                "{}: as it was made: {files} files, {entry_count} entries, sha256:{seal}",
                harmless(&shown)
            );
            (entries, manifest)
        }
    };
    let Some(map) = &args.leaks else { return Ok(0) };
    let found = leaks::search(&entries, map, page_of(&manifest)).map_err(Failure::Asked)?;
    for leak in &found.told {
        println!("{}: leaks: {}", harmless(&shown), harmless(leak));
    }
    if found.count == 0 {
        println!("{}: none of {} names of the map is in it", harmless(&shown), found.names);
    } else {
        println!("{}: {} places with a real name", harmless(&shown), found.count);
    }
    Ok(if found.count == 0 { 0 } else { DIFFERS })
}

/// What a file is.
enum Verdict {
    /// No bundle, and why.
    NoBundle(String),
    /// A bundle that was changed: what differs first.
    Differs(String),
    /// A bundle as it was made, with its seal.
    Whole(Entries, Box<Manifest>, String),
}

/// Checks everything; the seal covers what nothing else does, and tells least, so it is last.
fn verdict(bundle: &Path) -> Verdict {
    let (seal, own) = match seal::read(bundle) {
        Ok(Some(seals)) => seals,
        Ok(None) => {
            return Verdict::NoBundle(
                "no bundle that `provtrace evidence` made, or cut: it does not end with a seal"
                    .to_owned(),
            );
        }
        Err(error) => return Verdict::NoBundle(plain(&error)),
    };
    match check(bundle) {
        Err(what) => Verdict::Differs(what),
        Ok(_) if seal != own => Verdict::Differs(
            "the archive's own bytes (headers, packing, directory): the seal does not fit"
                .to_owned(),
        ),
        Ok((entries, manifest)) => Verdict::Whole(entries, Box::new(manifest), seal),
    }
}

/// Everything but the seal, in the order in which it is told.
fn check(file: &Path) -> Result<(Entries, Manifest), String> {
    let entries = Entries::of(file)?;
    let manifest = entries.text(manifest::NAME)?;
    let manifest: Manifest = serde_json::from_slice(&manifest)
        .map_err(|error| format!("{}: {error}", manifest::NAME))?;
    if manifest.schema != manifest::SCHEMA {
        return Err(format!("{}: its schema is {}", manifest::NAME, manifest.schema));
    }
    check_names(&entries, &manifest)?;
    for stored in &manifest.stored {
        check_entry(&entries, stored)?;
    }
    check_originals(&manifest)?;
    check_quotes(&entries, &manifest)?;
    Ok((entries, manifest))
}

/// The archive has the entries of the manifest, in their order, and the manifest as the last.
fn check_names(entries: &Entries, manifest: &Manifest) -> Result<(), String> {
    let expected = manifest.stored.iter().map(|stored| stored.name.as_str());
    let expected: Vec<&str> = expected.chain([manifest::NAME]).collect();
    for (at, (name, _)) in entries.members.iter().enumerate() {
        if expected.get(at) != Some(&name.as_str()) {
            let known = expected.contains(&name.as_str());
            let why = if known { "stands at another place" } else { "is not in the manifest" };
            return Err(format!("{name}: {why}"));
        }
    }
    match expected.get(entries.members.len()) {
        Some(missing) => Err(format!("{missing}: is missing")),
        None => Ok(()),
    }
}

fn check_entry(entries: &Entries, stored: &Stored) -> Result<(), String> {
    let Stored { name, bytes, sha256 } = stored;
    let read = entries.open(name).and_then(seal::of_all);
    let (read, own) = read.map_err(|error| format!("{name}: {}", plain(&error)))?;
    if read != *bytes {
        return Err(format!("{name}: has {read} bytes, the manifest says {bytes}"));
    }
    if own != *sha256 {
        return Err(format!("{name}: its SHA-256 is {own}, the manifest says {sha256}"));
    }
    Ok(())
}

/// What the manifest says of an original is what it says of its entry.
fn check_originals(manifest: &Manifest) -> Result<(), String> {
    let stored: BTreeMap<&str, &Stored> =
        manifest.stored.iter().map(|stored| (stored.name.as_str(), stored)).collect();
    for original in &manifest.originals {
        let wrong = |what: &str| Err(format!("{}: {}: {what}", manifest::NAME, original.path));
        for name in original.stored.iter().chain(&original.excerpt) {
            if !stored.contains_key(name.as_str()) {
                return wrong("names an entry that is not there");
            }
        }
        let entry = original.stored.as_deref().and_then(|name| stored.get(name));
        if let Some(entry) = entry
            && (Some(&entry.sha256) != original.sha256.as_ref() || entry.bytes != original.bytes)
        {
            return wrong("its size or hash is not that of its entry");
        }
    }
    Ok(())
}

/// Every quoted line stands in the stored file, and in the excerpt.
fn check_quotes(entries: &Entries, manifest: &Manifest) -> Result<(), String> {
    let incidents = entries.text("incidents.json")?;
    let incidents: Incidents =
        serde_json::from_slice(&incidents).map_err(|error| format!("incidents.json: {error}"))?;
    let place = |own: &Original| (own.path.clone(), own.member.clone());
    let originals: BTreeMap<_, _> =
        manifest.originals.iter().map(|own| (place(own), own)).collect();
    let mut quotes: BTreeMap<&str, (&Original, Vec<&Quoted>)> = BTreeMap::new();
    for incident in &incidents.incidents {
        for quote in &incident.evidence {
            let original = originals.get(&(quote.path.clone(), quote.member.clone()));
            let entry = original.and_then(|own| Some((own.excerpt.as_deref()?, *own)));
            let Some((name, original)) = entry else {
                return Err(format!(
                    "incidents.json: {}: quotes {}, which is not here",
                    incident.id, quote.path
                ));
            };
            quotes.entry(name).or_insert_with(|| (original, Vec::new())).1.push(quote);
        }
    }
    let page = page_of(manifest);
    for (excerpt, (original, mut quotes)) in quotes {
        quotes.sort_by_key(|quote| quote.line);
        let text = String::from_utf8_lossy(&entries.text(excerpt)?).into_owned();
        for quote in &quotes {
            if !text.contains(&excerpt::row_of(quote.line, quote.offset, &quote.text)) {
                return Err(format!(
                    "{excerpt}: line {} is not as incidents.json quotes it",
                    quote.line
                ));
            }
        }
        let Some(stored) = &original.stored else { continue };
        let opened = entries.open(stored);
        let binary = original.encoding.as_deref() == Some("binary");
        let found = opened
            .and_then(|own| if binary { records(own, &quotes) } else { lines(own, &quotes, page) });
        if let Some(line) = found.map_err(|error| format!("{stored}: {}", plain(&error)))? {
            return Err(format!("{stored}: line {line} is not as incidents.json quotes it"));
        }
    }
    Ok(())
}

/// The first quote that does not stand in a text; they are in order of line.
fn lines(from: Box<dyn Read>, quotes: &[&Quoted], page: CodePage) -> io::Result<Option<u64>> {
    let mut lines = RawLines::new(from)?;
    let encoding = lines.encoding;
    let mut left = quotes.iter().peekable();
    // A quote may go on in the lines below its own.
    let mut open: Vec<(&Quoted, Vec<u8>)> = Vec::new();
    while let Some(line) = lines.next_line()? {
        let mut wrong = None;
        while let Some(quote) = left.next_if(|quote| quote.line <= line.number) {
            if quote.line < line.number || quote.offset != line.offset {
                wrong = wrong.or(Some(quote.line));
            }
            open.push((quote, Vec::new()));
        }
        open.retain_mut(|(quote, raw)| {
            raw.extend_from_slice(line.bytes);
            let length = usize::try_from(quote.length).unwrap_or(usize::MAX);
            let Some(own) = raw.get(..length) else { return true };
            if decode_line(own, encoding, page) != quote.text {
                wrong = wrong.or(Some(quote.line));
            }
            false
        });
        if wrong.is_some() {
            return Ok(wrong);
        }
    }
    Ok(open.first().map(|(quote, _)| quote.line).or(left.next().map(|quote| quote.line)))
}

/// The first quote that is no record of an event log.
fn records(mut from: Box<dyn Read>, quotes: &[&Quoted]) -> io::Result<Option<u64>> {
    let mut in_order: Vec<&&Quoted> = quotes.iter().collect();
    in_order.sort_by_key(|quote| quote.offset);
    let mut at = 0;
    for quote in in_order {
        let Some(skip) = quote.offset.checked_sub(at) else { continue };
        io::copy(&mut from.by_ref().take(skip), &mut io::sink())?;
        let mut head = Vec::new();
        from.by_ref().take(16).read_to_end(&mut head)?;
        at = quote.offset + head.len() as u64;
        let size = u32::try_from(quote.length).unwrap_or(0).to_le_bytes();
        let number = quote.line.to_le_bytes();
        if head != [*b"**\0\0", size].concat().into_iter().chain(number).collect::<Vec<u8>>() {
            return Ok(Some(quote.line));
        }
    }
    Ok(None)
}

/// The code page that the logs were read with.
fn page_of(manifest: &Manifest) -> CodePage {
    read_code_page(&manifest.code_page).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::seal::Sealer;

    const LOG: &str = "first\r\nsecond line\r\nthird\r\n";

    /// A small bundle, and what its quote is said to be.
    fn bundle(text: &str, line: u64) -> Vec<u8> {
        let quote = serde_json::json!({
            "path": "PAR-1/x.log", "member": null, "line": line, "offset": 7, "length": 11, "text": text
        });
        let incidents =
            serde_json::json!({"incidents": [{"id": "1", "evidence": [quote]}]}).to_string();
        let excerpt = excerpt::row_of(line, 7, text);
        let mut out = Vec::new();
        let mut sealer = Sealer::new(&mut out);
        for (name, bytes) in [
            ("excerpts/PAR-1/x.log.txt", excerpt.as_str()),
            ("files/PAR-1/x.log", LOG),
            ("incidents.json", &incidents),
        ] {
            sealer.add(name, bytes.as_bytes(), 0).expect("memory");
        }
        let original = Original {
            device: "PAR-1".to_owned(),
            path: "PAR-1/x.log".to_owned(),
            member: None,
            format: None,
            encoding: None,
            bytes: LOG.len() as u64,
            sha256: Some(seal::of_text(LOG)),
            modified: None,
            status: manifest::Status::Whole,
            reason: None,
            stored: Some("files/PAR-1/x.log".to_owned()),
            excerpt: Some("excerpts/PAR-1/x.log.txt".to_owned()),
        };
        let manifest = Manifest {
            schema: manifest::SCHEMA.to_owned(),
            tool: String::new(),
            version: String::new(),
            command: Vec::new(),
            code_page: "windows-1252".to_owned(),
            redacted: false,
            excerpts_only: false,
            incident: None,
            devices: Vec::new(),
            originals: vec![original],
            stored: sealer.stored.clone(),
            notes: Vec::new(),
        };
        let manifest = serde_json::to_vec(&manifest).expect("plain values");
        sealer.add(manifest::NAME, manifest.as_slice(), 0).expect("memory");
        sealer.finish().expect("memory");
        out
    }

    fn told(bytes: &[u8], file: &Path) -> Result<(), String> {
        fs::write(file, bytes).expect("written");
        match verdict(file) {
            Verdict::Whole(..) => Ok(()),
            Verdict::NoBundle(why) | Verdict::Differs(why) => Err(why),
        }
    }

    #[test]
    fn any_changed_byte_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ticket.zip");
        let whole = bundle("second line", 2);
        assert_eq!(told(&whole, &file), Ok(()));
        for at in 0..whole.len() {
            for turn in [1, 0xFF] {
                let mut changed = whole.clone();
                changed[at] ^= turn;
                assert!(told(&changed, &file).is_err(), "byte {at} of {}", whole.len());
            }
            assert!(told(&whole[..at], &file).is_err(), "cut at {at}");
        }
        assert!(told(&[&whole[..], b"x"].concat(), &file).is_err());
        assert!(told(&[b"x", &whole[..]].concat(), &file).is_err());
    }

    /// Sealed anew, and still wrong.
    #[test]
    fn a_quote_must_stand_in_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ticket.zip");
        for (text, line) in [("another one", 2), ("second line", 3)] {
            let why = told(&bundle(text, line), &file).expect_err("no such line");
            assert!(
                why.contains(&format!("line {line} is not as incidents.json quotes it")),
                "{why}"
            );
        }
    }
}
