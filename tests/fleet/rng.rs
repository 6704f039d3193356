//! The one source of chance. SplitMix64 is small enough to be read whole and gives the same
//! numbers on every machine and release, which no library promises for good.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A stream of its own for each purpose: what one part of a device draws never shifts
    /// what another part draws, so a flag changes only what it is about.
    pub(crate) fn stream(seed: u64, index: u64, purpose: &str) -> Self {
        let mut state = 0xcbf2_9ce4_8422_2325_u64;
        for byte in purpose.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut rng = Self(state ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mixed = rng.next() ^ index.wrapping_mul(0xd134_2543_de82_ef95);
        let mut rng = Self(mixed);
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number in `low..=high`; the bias of the remainder is far below what a fleet shows.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let width = high.abs_diff(low) + 1;
        low.wrapping_add_unsigned(self.next() % width)
    }

    /// True in `percent` of 100 cases. Always draws, so that 0 and 100 do not shift the stream.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.permille(percent * 10)
    }

    /// True in `permille` of 1000 cases.
    pub(crate) fn permille(&mut self, permille: u32) -> bool {
        self.between(0, 999) < i64::from(permille)
    }

    /// An index below `length`, which must not be zero.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        (self.next() % length.max(1) as u64) as usize
    }

    /// One of the items.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }
}
