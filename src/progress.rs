//! Progress on standard error, by bytes.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::discover::Share;

/// A bar on a terminal; nothing elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for all bytes of the share.
    pub fn new(share: &Share, hidden: bool) -> Progress {
        Progress::of_passes(share, 1, hidden)
    }

    /// A bar for a share that is read so often.
    pub fn of_passes(share: &Share, passes: u64, hidden: bool) -> Progress {
        let bytes = share.devices.iter().map(|device| device.bytes()).sum::<u64>() * passes;
        let target =
            if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar }
    }

    /// Some bytes were read.
    pub fn read(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The terminal's width in columns.
pub fn terminal_width() -> Option<u16> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(columns)
}
