//! What `manifest.json` says of a bundle: plain structs that are written and read.

use serde::{Deserialize, Serialize};

use crate::identity::Pair;

/// The manifest's name in a bundle.
pub const NAME: &str = "manifest.json";
/// What it begins with.
pub const SCHEMA: &str = "provtrace.evidence.v1";

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// The program's name.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// How it was called, without the names of its outputs.
    pub command: Vec<String>,
    /// The code page of lines that are not UTF-8.
    pub code_page: String,
    /// Whether names are replaced.
    pub redacted: bool,
    /// Whether the original files are left out.
    pub excerpts_only: bool,
    /// The incident that was asked for; `None` for all of the devices.
    pub incident: Option<String>,
    /// The devices, in order of name.
    pub devices: Vec<DeviceNote>,
    /// The original files, by device and path.
    pub originals: Vec<Original>,
    /// Every entry of the zip but this one, in order.
    pub stored: Vec<Stored>,
    /// What a reader should know of how the bundle was made.
    pub notes: Vec<String>,
}

/// A device in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNote {
    /// Its name.
    pub device: String,
    /// Kinds of logs of which it has none.
    pub missing: Vec<String>,
}

/// An original file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// Whose it is; empty for a file that belongs to no device that is known.
    pub device: String,
    /// Relative to the path on the command line, with `/`.
    pub path: String,
    /// The name inside an archive.
    pub member: Option<String>,
    /// Its format.
    pub format: Option<String>,
    /// Its encoding, told by its first bytes.
    pub encoding: Option<String>,
    /// Its bytes, as far as they were read.
    pub bytes: u64,
    /// Of these bytes; `None` where nothing was read.
    pub sha256: Option<String>,
    /// When the file was written last, UTC; for a member, when its archive was.
    pub modified: Option<String>,
    /// How much of it is here.
    pub status: Status,
    /// Why not all, in words.
    pub reason: Option<String>,
    /// Its entry below `files/`.
    pub stored: Option<String>,
    /// Its entry below `excerpts/`.
    pub excerpt: Option<String>,
}

/// How much of an original was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All.
    Whole,
    /// A part.
    PartlyRead,
    /// Nothing.
    Unreadable,
    /// It was written to while it was copied.
    Changed,
    /// It was read and left out: it can't be redacted.
    LeftOut,
}

/// An entry of the zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// What is written beside a redacted bundle, and never into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateMap {
    /// Every name that was replaced.
    pub names: Vec<Pair>,
    /// The incidents' ids: they are made of the device's name.
    pub incidents: Vec<SameIncident>,
}

/// One incident under two ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SameIncident {
    /// In a report on the real logs.
    pub real: String,
    /// In the bundle.
    pub redacted: String,
}
