//! Where a report goes: standard output, or a file that is whole or not there at all.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::discover::{Share, Source, plain, slashed};

/// An open output.
pub enum Output {
    /// Standard output, or a device that is no regular file.
    Direct(BufWriter<Box<dyn Write>>),
    /// A new file beside the one that it becomes when it is whole.
    File(BufWriter<NamedTempFile>, PathBuf),
}

impl Output {
    /// Opens `path`, or standard output, which `-` stands for, too.
    ///
    /// # Errors
    /// If it can't be written, or is one of the files that are read.
    pub fn open(path: Option<&Path>, share: &Share) -> Result<Output, String> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let out: Box<dyn Write> = Box::new(io::stdout().lock());
            return Ok(Output::Direct(BufWriter::new(out)));
        };
        let shown = slashed(path);
        let failed = |error: &io::Error| format!("{shown}: {}", plain(error));
        refuse_source(path, share)?;
        if path.exists() && !path.is_file() {
            let file = OpenOptions::new().write(true).open(path).map_err(|error| failed(&error))?;
            return Ok(Output::Direct(BufWriter::new(Box::new(file))));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let new = new_file(folder.unwrap_or(Path::new("."))).map_err(|error| failed(&error))?;
        Ok(Output::File(BufWriter::new(new), path.to_owned()))
    }

    /// Lets the owner alone read the file, where it is one and the system can say so; on Windows
    /// its folder says who may.
    ///
    /// # Errors
    /// If the permissions can't be set.
    pub fn keep_private(&self) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Output::File(out, _) => {
                let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                out.get_ref().as_file().set_permissions(owner)
            }
            #[cfg(not(unix))]
            Output::File(_, _) => Ok(()),
            Output::Direct(_) => Ok(()),
        }
    }

    /// Writes what is left, and puts the file in its place.
    ///
    /// # Errors
    /// Of the writer; an earlier file of that name is then as it was.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Output::Direct(mut out) => out.flush(),
            Output::File(out, path) => {
                let new = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                new.as_file().sync_all()?;
                new.persist(path).map(|_| ()).map_err(|error| error.error)
            }
        }
    }
}

/// Refuses to write to a file that is read.
///
/// # Errors
/// If it is one.
pub fn refuse_source(path: &Path, share: &Share) -> Result<(), String> {
    let shown = slashed(path);
    let target = path.canonicalize().ok();
    let is_source = |target: &PathBuf| {
        let sources = share.devices.iter().flat_map(|device| &device.sources);
        let size = target.metadata().map_or(0, |about| about.len());
        // To ask the system for the true name of each file of a large share takes seconds: only
        // files of this name or this size are asked for, and archives, whose size is not known.
        let could_be = |source: &&Source| {
            let same_name = source.file.file_name() == target.file_name();
            same_name || source.bytes == size || source.member.is_some()
        };
        let logs = sources.filter(could_be).map(|source| &source.file);
        let mut read = logs.chain(&share.beside);
        read.any(|file| file.canonicalize().is_ok_and(|file| file == *target))
    };
    if target.as_ref().is_some_and(is_source) {
        return Err(format!("{shown}: is one of the files that are read; write to another file"));
    }
    Ok(())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Direct(out) => out.write(bytes),
            Output::File(out, _) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Direct(out) => out.flush(),
            Output::File(out, _) => out.flush(),
        }
    }
}

/// A new file with the permissions that any program would give it here: those of a temporary
/// file would let nobody else read the report. On Windows they are the folder's.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// A folder for copies that goes away with it.
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes one where the system has its temporary files.
    ///
    /// # Errors
    /// If there is no room for one.
    pub fn new() -> io::Result<Scratch> {
        TempDir::with_prefix("provtrace-").map(Scratch)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
