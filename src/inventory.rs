//! What was read of a device, by kind of log.

use std::borrow::Cow;

use provtrace_parsers::format::SourceKind;
use serde::{Deserialize, Serialize};

use crate::logs::DeviceLogs;

/// A device's logs of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogsRead {
    /// `provisioning`, `sdclient`, `vulscan`, `localsch`, …
    pub kind: Cow<'static, str>,
    /// How many.
    pub files: u64,
    /// Lines that were understood.
    pub understood: u64,
    /// The first and the last moment that they tell of, in milliseconds on the device's axis.
    pub span: Option<(i64, i64)>,
}

/// Those of a device, in order of kind.
pub fn of_device(logs: &DeviceLogs) -> Vec<LogsRead> {
    let mut kinds: Vec<SourceKind> = logs.sources.iter().map(|log| log.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let read = |kind: SourceKind| {
        let own = logs.sources.iter().filter(|log| log.kind == kind);
        let entries = own.clone().flat_map(|log| &log.entries);
        let stamps = entries.filter_map(|entry| entry.stamp()).map(|stamp| stamp.0);
        LogsRead {
            kind: kind.word().into(),
            files: own.clone().count() as u64,
            understood: own.map(|log| log.counts.understood).sum(),
            span: stamps.clone().min().zip(stamps.max()),
        }
    };
    kinds.into_iter().map(read).collect()
}
