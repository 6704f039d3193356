//! The user's overlays: where they lie, and their texts.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use provtrace_parsers::format::{FormatError, Formats};

use crate::cli::FormatArgs;
use crate::discover::{plain, slashed};

/// The longest overlay, in bytes.
const LONGEST: u64 = 1 << 20;
/// Most files of one folder.
const MOST: usize = 256;

/// One file.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// Its path, as it is shown.
    pub shown: String,
    /// What stands in it.
    pub text: String,
}

/// The overlays in force: those of the user's folder, then those that were asked for, each
/// folder's files in order of name.
///
/// # Errors
/// What can't be read, with its path and what to do.
pub fn in_force(args: &FormatArgs) -> Result<Vec<Overlay>, String> {
    let mut overlays = Vec::new();
    let own = if args.no_user_formats { None } else { user_folder() };
    if let Some(folder) = own.filter(|folder| folder.is_dir()) {
        overlays.extend(of_path(&folder)?);
    }
    for path in &args.formats {
        let found = of_path(path)?;
        if found.is_empty() {
            return Err(format!(
                "{}: no overlay lies there; give a .toml file, or a folder that has some",
                slashed(path)
            ));
        }
        overlays.extend(found);
    }
    Ok(each_once(overlays))
}

/// The formats with overlays over them.
///
/// # Errors
/// The first mistake: path, line, what is wrong, what to write.
pub fn load(overlays: &[Overlay]) -> Result<Formats, String> {
    try_load(overlays).map_err(|error| error.to_string())
}

/// The same; the error tells the file.
///
/// # Errors
/// The first mistake.
pub fn try_load(overlays: &[Overlay]) -> Result<Formats, FormatError> {
    let texts: Vec<(&str, &str)> =
        overlays.iter().map(|own| (own.shown.as_str(), own.text.as_str())).collect();
    Formats::with_overlays(&texts)
}

/// Without files that come again later: a file can be in the user's folder, and asked for too.
pub fn each_once(mut overlays: Vec<Overlay>) -> Vec<Overlay> {
    let mut seen = BTreeSet::new();
    overlays.reverse();
    overlays.retain(|overlay| {
        let path = Path::new(&overlay.shown);
        seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    });
    overlays.reverse();
    overlays
}

/// Whether a file is one of these overlays: what is written to it would be lost on who reads it.
pub fn is_one_of(overlays: &[Overlay], file: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    overlays.iter().any(|own| Path::new(&own.shown).canonicalize().is_ok_and(|own| own == file))
}

/// Where a user's own overlays lie: `provtrace/formats` below the system's place for settings.
pub fn user_folder() -> Option<PathBuf> {
    let place = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let settings = if cfg!(windows) {
        PathBuf::from(place("APPDATA")?)
    } else {
        let home = || Some(PathBuf::from(place("HOME")?).join(".config"));
        place("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?
    };
    Some(settings.join("provtrace").join("formats"))
}

/// The overlays of a folder, or one file.
///
/// # Errors
/// What can't be read.
pub fn of_path(path: &Path) -> Result<Vec<Overlay>, String> {
    each_of_path(path)?.into_iter().collect()
}

/// The same; what is wrong with one file says nothing of the others.
///
/// # Errors
/// If it can't be looked into at all.
pub fn each_of_path(path: &Path) -> Result<Vec<Result<Overlay, String>>, String> {
    let failed = |error: &std::io::Error| format!("{}: {}", slashed(path), plain(error));
    let about = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !about.is_dir() {
        return Ok(vec![read(path)]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| failed(&error))? {
        let file = entry.map_err(|error| failed(&error))?.path();
        let toml = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("toml"));
        if toml {
            files.push(file);
        }
        if files.len() > MOST {
            return Err(format!(
                "{}: more than {MOST} overlays; give a folder of overlays alone",
                slashed(path)
            ));
        }
    }
    files.sort();
    Ok(files.iter().map(|file| read(file)).collect())
}

fn read(path: &Path) -> Result<Overlay, String> {
    let text = text(path, "overlays")?;
    Ok(Overlay { shown: slashed(path), text })
}

/// What stands in a TOML file that a person wrote; `kind` says in a message what such files are.
///
/// # Errors
/// If it can't be read, is no text, or is longer than anybody writes.
pub fn text(path: &Path, kind: &str) -> Result<String, String> {
    let shown = slashed(path);
    let failed = |error: &std::io::Error| format!("{shown}: {}", plain(error));
    // A link that leads nowhere, a folder or a pipe by that name: nothing is left out in silence.
    if !std::fs::metadata(path).map_err(|error| failed(&error))?.is_file() {
        return Err(format!("{shown}: no file; {kind} are text files, take it away or rename it"));
    }
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("{shown}: longer than 1 MiB; {kind} are short texts"));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        format!("{shown}:{line}: not UTF-8; save it as UTF-8")
    })
}
