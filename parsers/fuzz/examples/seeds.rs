//! Writes seed corpora and dictionaries for the targets, from the samples and the formats:
//! `cargo run --release --example seeds -- ../../samples corpus`.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

use provtrace_parsers::format::Formats;

/// Bytes of one seed: a few lines, so that a mutation changes one that matters.
const PIECE: usize = 1200;
/// Pieces taken of one log, spread over it.
const PIECES: usize = 4;
/// Where the format files are.
const FORMATS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../formats");

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(samples), Some(out)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: seeds SAMPLES CORPUS");
        std::process::exit(2);
    };
    let formats = Formats::builtin().expect("embedded");
    for target in ["engine", "stamp", "code", "status", "formats"] {
        fs::create_dir_all(out.join(target))?;
    }
    let mut files = Vec::new();
    walk(&samples, &mut files)?;
    files.sort();
    for (at, file) in files.iter().enumerate() {
        logs(&formats, file, at, &out)?;
    }
    specimens(&formats, &out)?;
    for file in fs::read_dir(FORMATS)? {
        sections(&file?.path(), &out)?;
    }
    Ok(())
}

/// Pieces of a log, each ending with its last whole line.
fn logs(formats: &Formats, file: &Path, at: usize, out: &Path) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let Some((format, _task)) = formats.by_file_name(&name) else { return Ok(()) };
    let text = fs::read(file)?;
    if formats.formats[format].xml.is_some() {
        return seed(out, "status", &format!("{at}"), &text);
    }
    let step = (text.len() / PIECES).max(PIECE);
    for (number, from) in (0..text.len()).step_by(step).enumerate() {
        let piece = &text[from..(from + PIECE).min(text.len())];
        // Blocks of 61 bytes; the format; Windows-1252 and month first.
        let head = [61, 0, u8::try_from(format).expect("few formats"), 0];
        let name = format!("{at}-{number}");
        seed(out, "engine", &name, &[&head, piece].concat())?;
        if number == 0 {
            seed(out, "stamp", &name, &piece[..piece.len().min(400)])?;
        }
    }
    Ok(())
}

/// The sections of a format file, each with what stands before the first: a whole file is slow.
fn sections(file: &Path, out: &Path) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let kind: u8 = match &*name {
        "stamps.toml" => 1,
        "codes.toml" => 2,
        _format => 0,
    };
    let text = fs::read_to_string(file)?;
    let (head, rest) = text.split_once("\n[").unwrap_or((&text, ""));
    let plain = head.lines().filter(|line| !line.starts_with('#'));
    // The target knows one stamp.
    let known =
        |line| if str::starts_with(line, "stamps =") { r#"stamps = ["iso"]"# } else { line };
    let plain: Vec<&str> = plain.map(known).collect();
    let file_section = if kind == 0 { "file = []\n" } else { "" };
    for (number, section) in rest.split("\n\n").enumerate() {
        let section = section.trim_start_matches('\n');
        let open = if number == 0 { "[" } else { "" };
        let empty = if section.contains("[file]]") { "" } else { file_section };
        let text = format!("{}\n{empty}{open}{section}\n", plain.join("\n"));
        seed(out, "formats", &format!("{name}-{number}"), &[&[kind], text.as_bytes()].concat())?;
    }
    Ok(())
}

/// Every rule's specimen as a log of one line, and the words of all rules as a dictionary.
fn specimens(formats: &Formats, out: &Path) -> Result<()> {
    let mut words = Vec::new();
    for (at, format) in formats.formats.iter().enumerate() {
        for (number, rule) in format.rules.iter().enumerate() {
            let head = [61, 0, u8::try_from(at).expect("few formats"), 0];
            let line = format!("2025-03-24 12:00:00 {}\n", rule.specimen);
            let name = format!("rule-{at}-{number}");
            seed(out, "engine", &name, &[&head, line.as_bytes()].concat())?;
            words.extend(rule.words.iter().cloned());
        }
    }
    for (number, code) in ["-1917517412", "0x8DB5019C", "435", "0", "4294967295"].iter().enumerate()
    {
        seed(out, "code", &format!("{number}"), code.as_bytes())?;
    }
    words.sort();
    words.dedup();
    let escaped = |word: &String| word.replace('\\', "\\\\").replace('"', "\\\"");
    let lines: Vec<String> = words.iter().map(|word| format!("\"{}\"", escaped(word))).collect();
    fs::write(out.join("words.dict"), lines.join("\n") + "\n")
}

fn seed(out: &Path, target: &str, name: &str, bytes: &[u8]) -> Result<()> {
    fs::write(out.join(target).join(format!("seed-{name}")), bytes)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
