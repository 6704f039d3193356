//! How much of a share is understood, before anything is made of it: commands that write as they read
//! say it first.

use std::collections::BTreeMap;

use provtrace_parsers::engine::Line;
use provtrace_parsers::format::{Formats, SourceKind};
use rayon::prelude::*;

use crate::block::{Block, Sink};
use crate::coverage::{self, FormatCoverage, LogSeen};
use crate::dates::DateOrders;
use crate::discover::{Device, Share};
use crate::ingest::read_source;
use crate::report::plain::harmless;

/// Says on standard error which logs of a share are not understood, and what to do.
pub fn tell(share: &Share, formats: &Formats) {
    let devices: Vec<_> =
        share.devices.par_iter().map(|device| of_device(device, formats)).collect();
    let formats = coverage::merged(devices.iter());
    if let Some(caution) = coverage::caution(&formats, &share.like_agents) {
        eprintln!("provtrace: caution: {}", harmless(&caution));
    }
}

/// Of a device; what can't be read is told by whoever reads it for more.
fn of_device(device: &Device, formats: &Formats) -> BTreeMap<String, FormatCoverage> {
    let mut dates = DateOrders::new(device, formats);
    let mut buffer = Vec::new();
    let mut logs = Vec::new();
    for (at, source) in device.sources.iter().enumerate() {
        let format = &formats.formats[source.format];
        if coverage::has_wording(format.kind) {
            let mut listener = Listener { kind: format.kind, tells: false };
            let read = read_source(source, format, &mut dates, &mut buffer, &mut listener, &|_| {});
            logs.extend(read.map(|end| LogSeen {
                format: &format.name,
                kind: format.kind,
                counts: end.counts,
                tells: listener.tells,
            }));
        }
        source.release(device.sources.get(at + 1));
    }
    device.release();
    coverage::of_logs(logs)
}

/// Listens for a line that tells something.
struct Listener {
    kind: SourceKind,
    tells: bool,
}

impl Sink for Listener {
    fn line(&mut self, line: &Line<'_>, _block: &mut Block<'_>) {
        self.tells |= line.event.as_ref().is_some_and(|event| coverage::tells(self.kind, event));
    }

    fn end_block(&mut self, _block: &mut Block<'_>) {}
}
