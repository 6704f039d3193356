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

/// The logs behind another one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Behind {
    /// How many of them go first where room is short.
    pub firsts: usize,
    /// The bytes of these.
    pub first: u64,
    /// The bytes of all others.
    pub others: u64,
}

/// Room for the records of one device: neither a log of gigabytes nor thousands of small ones take it from those
/// that go first.
#[derive(Debug)]
pub struct Quota {
    all: usize,
    left: usize,
    reserved: usize,
}

impl Quota {
    /// So many bytes.
    pub fn new(bytes: usize) -> Quota {
        Quota { all: bytes, left: bytes, reserved: 0 }
    }

    /// Keeps room for the logs behind the next one. If that one goes first, it has its share among its like; else
    /// up to three quarters of all room are theirs, and half of the rest is for the others.
    pub fn reserve(&mut self, next_is_first: bool, behind: Behind) {
        let need =
            |bytes| usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(MOST_OF_SIZE);
        let most = if next_is_first {
            self.left - self.left / (behind.firsts + 1)
        } else {
            self.left.min(self.all / 4 * 3)
        };
        let first = need(behind.first).min(most);
        let others = if next_is_first { 0 } else { (self.left - first) / 2 };
        self.reserved = first + need(behind.others).min(others);
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
        let others = |others| Behind { others, ..Behind::default() };
        quota.reserve(false, others(50));
        assert_eq!(quota.own(), 800, "all but what the others may need");
        quota.take(800);
        quota.reserve(false, others(0));
        assert_eq!(quota.own(), 200);
        quota.reserve(false, others(u64::MAX));
        assert_eq!(quota.own(), 100, "half, whatever comes");
        quota.take(500);
        assert_eq!(quota.own(), 0);
    }

    #[test]
    fn what_goes_first_has_room_behind_any_number_of_others() {
        let mut quota = Quota::new(1000);
        let behind = Behind { firsts: 2, first: 50, others: u64::MAX };
        for _ in 0..10_000 {
            quota.reserve(false, behind);
            quota.take(quota.own().min(7));
        }
        quota.reserve(true, Behind { firsts: 1, first: 25, others: u64::MAX });
        assert!(quota.own() >= 100, "{}", quota.own());
        quota.take(100);
        quota.reserve(true, Behind::default());
        assert!(quota.own() >= 100, "{}", quota.own());
        let mut quota = Quota::new(1000);
        for firsts in (0..10).rev() {
            quota.reserve(true, Behind { firsts, first: u64::MAX, others: u64::MAX });
            assert_eq!(quota.own(), 100, "each has its share");
            quota.take(100);
        }
    }
}
