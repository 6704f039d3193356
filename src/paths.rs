//! What was typed as PATH → the paths that are read; how paths and i/o errors are shown.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

/// The longest path in a list, in bytes: Windows allows 32,767 characters.
const LONGEST: u64 = 128 << 10;
/// Most paths in a list.
const MOST_LISTED: usize = 1_000_000;

/// A path to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The path.
    pub path: PathBuf,
    /// Whether it stood in a list: such a path may be gone by now, which is no reason to stop.
    pub listed: bool,
}

/// The paths that were typed; in the place of `-` those that `input` lists, one a line.
///
/// # Errors
/// What is wrong with the list.
pub fn given(typed: &[PathBuf], input: impl BufRead) -> Result<Vec<Given>, String> {
    let mut input = Some(input);
    let mut paths = Vec::new();
    for path in typed {
        if path.as_os_str() == "-" {
            if let Some(input) = input.take() {
                list(input, &mut paths)?;
            }
        } else {
            paths.push(Given { path: path.clone(), listed: false });
        }
    }
    if paths.is_empty() {
        return Err("standard input: no path in it; give one a line".to_owned());
    }
    Ok(paths)
}

fn list(mut input: impl BufRead, paths: &mut Vec<Given>) -> Result<(), String> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut input).take(LONGEST).read_until(b'\n', &mut line);
        let count = read.map_err(|error| format!("standard input:{number}: {}", plain(&error)))?;
        if count == 0 {
            return Ok(());
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| format!("standard input:{number}: not UTF-8; write the list as UTF-8"))?;
        let text = text.trim_start_matches('\u{FEFF}').trim_end_matches(['\r', '\n']);
        if text.contains('\0') || count as u64 == LONGEST {
            return Err(format!("standard input:{number}: no path; give one a line, as UTF-8"));
        }
        if paths.len() >= MOST_LISTED {
            return Err(format!(
                "standard input:{number}: more than {MOST_LISTED} paths; give the folders above them"
            ));
        }
        if !text.trim().is_empty() {
            paths.push(Given { path: PathBuf::from(text), listed: true });
        }
    }
    Ok(())
}

/// A path as it is shown: with `/` on every system. What is no text in a name is shown as its
/// bytes, so that two names stay two; what Windows puts before long paths is not shown.
pub fn slashed(path: &Path) -> String {
    let text = match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_encoded_bytes().utf8_chunks().fold(
            String::new(),
            |mut text, chunk| {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
                text
            },
        ),
    };
    if std::path::MAIN_SEPARATOR == '\\' { without_prefix(&text.replace('\\', "/")) } else { text }
}

/// `//host/share` of `//?/UNC/host/share`, `C:/logs` of `//?/C:/logs`.
fn without_prefix(path: &str) -> String {
    match path.strip_prefix("//?/UNC/") {
        Some(host) => format!("//{host}"),
        None => path.strip_prefix("//?/").unwrap_or(path).to_owned(),
    }
}

/// An i/o error in plain words, without the number of the system call.
pub fn plain(error: &io::Error) -> String {
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        "no such file or folder".to_owned()
    } else if kind == io::ErrorKind::PermissionDenied {
        "permission denied".to_owned()
    } else {
        error.to_string().to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_stands_for_itself() {
        let typed = [PathBuf::from("a"), PathBuf::from("-"), PathBuf::from("-")];
        let paths = given(&typed, &b"\xEF\xBB\xBFb c\r\n\n  \nd/\xC3\xA9"[..]).expect("a list");
        let paths: Vec<(&str, bool)> =
            paths.iter().filter_map(|one| Some((one.path.to_str()?, one.listed))).collect();
        assert_eq!(paths, [("a", false), ("b c", true), ("d/é", true)]);
        let list = [PathBuf::from("-")];
        for (bytes, words) in
            [(&b"\n"[..], "one a line"), (b"a\n\xFF\n", ":2: not UTF-8"), (b"a\0b", ":1: no path")]
        {
            let error = given(&list, bytes).expect_err("no list");
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_prefix_of_long_paths_is_not_shown() {
        for (path, shown) in [
            ("//?/C:/logs/PAR-1", "C:/logs/PAR-1"),
            ("//?/UNC/host/share", "//host/share"),
            ("//host/share", "//host/share"),
            ("logs/PAR-1", "logs/PAR-1"),
        ] {
            assert_eq!(without_prefix(path), shown);
        }
    }
}
