//! Room in memory: lists that take no more than they need, and what may be kept of a device.

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

/// Bytes of records for each byte of a log of which every line is kept: what stands around short lines.
const MOST_A_BYTE: usize = 4;

/// Room for the records of one device: a log of gigabytes takes nothing from the small ones behind it.
#[derive(Debug)]
pub struct Room {
    left: usize,
    reserved: usize,
}

impl Room {
    /// So many bytes.
    pub fn new(bytes: usize) -> Room {
        Room { left: bytes, reserved: 0 }
    }

    /// Keeps room for the logs behind, which have so many bytes: half of what is left at the most.
    pub fn reserve(&mut self, bytes: u64) {
        let needed = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(MOST_A_BYTE);
        self.reserved = needed.min(self.left / 2);
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
        let mut room = Room::new(1000);
        room.reserve(50);
        assert_eq!(room.own(), 800, "all but what the others may need");
        room.take(800);
        room.reserve(0);
        assert_eq!(room.own(), 200);
        room.reserve(u64::MAX);
        assert_eq!(room.own(), 100, "half, whatever comes");
        room.take(500);
        assert_eq!(room.own(), 0);
    }
}
