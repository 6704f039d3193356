//! Room in memory: lists that take no more than they need, and what may be kept of a device.

/// What is kept of a log for each of its bytes, at the most: what stands around the text of short lines.
pub const MOST_OF_SIZE: usize = 4;

/// A list in no more room than it takes. An allocator that is asked to shrink a block may leave it as it is, and
/// a device may have tens of thousands of small lists.
pub fn exact<T>(mut list: Vec<T>) -> Vec<T> {
    if list.len() == list.capacity() {
        return list;
    }
    let mut exact = Vec::with_capacity(list.len());
    exact.append(&mut list);
    exact
}

/// Room for the records of one device: a log of gigabytes takes nothing from the small ones behind it.
#[derive(Debug)]
pub struct Quota {
    left: usize,
    reserved: usize,
}

impl Quota {
    /// So many bytes.
    pub fn new(bytes: usize) -> Quota {
        Quota { left: bytes, reserved: 0 }
    }

    /// Keeps room for the logs behind, by their bytes: for those that go first three quarters of what is left at
    /// the most, for the others half of the rest, since nobody knows what they will need.
    pub fn reserve(&mut self, (first, others): (u64, u64)) {
        let need =
            |bytes| usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(MOST_OF_SIZE);
        let first = need(first).min(self.left / 4 * 3);
        self.reserved = first + need(others).min((self.left - first) / 2);
    }

    /// What the next log may take.
    pub fn own(&self) -> usize {
        self.left - self.reserved
    }

    /// A log took so many bytes.
    pub fn take(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.reserved = self.reserved.min(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_logs_behind_a_large_one_have_room() {
        let mut quota = Quota::new(1000);
        quota.reserve((0, 50));
        assert_eq!(quota.own(), 800, "all but what the others may need");
        quota.take(800);
        quota.reserve((0, 0));
        assert_eq!(quota.own(), 200);
        quota.reserve((0, u64::MAX));
        assert_eq!(quota.own(), 100, "half, whatever comes");
        quota.reserve((10, u64::MAX));
        assert_eq!(quota.own(), 80, "what goes first is no part of that");
        quota.reserve((u64::MAX, u64::MAX));
        assert_eq!(quota.own(), 25);
        quota.take(500);
        assert_eq!(quota.own(), 0);
    }
}
