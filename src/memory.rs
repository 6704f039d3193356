//! How much memory the program uses: the most that was seen.

use std::sync::atomic::{AtomicU64, Ordering};

/// The most memory that was seen in use. It is only seen when it is looked at: look often, and where
/// much is in use.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

impl Peak {
    /// Looks. Any thread may.
    pub fn look(&self) {
        if let Some(now) = memory_stats::memory_stats() {
            self.0.fetch_max(now.physical_mem as u64, Ordering::Relaxed);
        }
    }

    /// The most, in bytes; `None` where the system does not say.
    pub fn bytes(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_use_once_stays_seen() {
        let peak = Peak::default();
        assert_eq!(peak.bytes(), None);
        peak.look();
        let before = peak.bytes().expect("this system says it");
        // Every page is written to: else the system may keep one page of zeros for all.
        let much = vec![7_u8; 128 << 20];
        peak.look();
        assert!(std::hint::black_box(&much).iter().all(|byte| *byte == 7));
        drop(much);
        peak.look();
        let most = peak.bytes().expect("this system says it");
        assert!(most >= before + (64 << 20), "{before} before, {most} at the most");
        assert!(most < before + (1 << 30), "{before} before, {most} at the most");
    }
}
