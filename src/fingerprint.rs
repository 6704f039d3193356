//! A few bytes of a file → whether another file begins with the same.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

/// So many bytes at the begin of a file, and before the place up to which it was read, are compared.
pub const WINDOW: usize = 4096;

/// What a file was, up to a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Up to which byte.
    pub length: u64,
    /// The hash of its first [`WINDOW`] bytes, or of all.
    pub head: u128,
    /// The hash of so many bytes before `length`.
    pub tail: u128,
}

impl Fingerprint {
    /// Of a file whose first `length` bytes begin with `head` and end with `tail`; both may be longer
    /// than what is compared.
    pub fn new(length: u64, head: &[u8], tail: &[u8]) -> Fingerprint {
        let count = window(length);
        let head = &head[..count.min(head.len())];
        let tail = &tail[tail.len().saturating_sub(count)..];
        Fingerprint { length, head: xxh3_128(head), tail: xxh3_128(tail) }
    }

    /// Whether all bytes up to there are compared.
    pub fn is_all(&self) -> bool {
        self.length <= 2 * WINDOW as u64
    }

    /// Whether a file of which the other one is known may begin with this one, by what is known of both.
    pub fn may_begin(&self, other: &Fingerprint) -> bool {
        let both = window(self.length) == window(other.length);
        !both && self.length <= other.length || both && self.head == other.head
    }

    /// Whether the first `length` bytes of a file begin and end as these did; leaves it at `length`.
    ///
    /// # Errors
    /// Of the file.
    pub fn fits(&self, file: &mut File) -> io::Result<bool> {
        Ok(self.compare(file)?.is_some())
    }

    /// The same of a member of an archive, which can only be read from its begin on.
    ///
    /// # Errors
    /// Of the archive.
    pub fn fits_content(&self, content: &mut dyn Read) -> io::Result<bool> {
        let count = window(self.length);
        let mut head = vec![0; count];
        if !fill(content, &mut head)? || xxh3_128(&head) != self.head {
            return Ok(false);
        }
        let between = self.length.saturating_sub(2 * count as u64);
        if io::copy(&mut content.take(between), &mut io::sink())? != between {
            return Ok(false);
        }
        // Of a short one both windows share bytes.
        let mut rest = vec![0; usize::try_from(self.length - between).map_or(0, |all| all - count)];
        let there = fill(content, &mut rest)?;
        let tail = [head, rest].concat();
        Ok(there && xxh3_128(&tail[tail.len() - count..]) == self.tail)
    }

    /// The bytes that were compared, at the begin and before `length`, if they are as these were;
    /// leaves the file at `length`.
    ///
    /// # Errors
    /// Of the file.
    pub fn compare(&self, file: &mut File) -> io::Result<Option<[Vec<u8>; 2]>> {
        let count = window(self.length);
        let mut read = |from, hash| {
            let mut bytes = vec![0; count];
            file.seek(SeekFrom::Start(from))?;
            let fits = fill(file, &mut bytes)? && xxh3_128(&bytes) == hash;
            io::Result::Ok(fits.then_some(bytes))
        };
        let Some(head) = read(0, self.head)? else { return Ok(None) };
        Ok(read(self.length - count as u64, self.tail)?.map(|tail| [head, tail]))
    }
}

/// The hash of some bytes: whether they are the same, not who wrote them.
pub fn hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Puts texts and numbers together to one hash; where one ends and the next begins counts.
#[derive(Default)]
pub struct Mixture(Xxh3);

impl Mixture {
    /// The next part.
    pub fn put(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The hash of all parts.
    pub fn hash(&self) -> u64 {
        self.0.digest()
    }
}

fn window(length: u64) -> usize {
    usize::try_from(length).map_or(WINDOW, |length| length.min(WINDOW))
}

/// Fills `bytes`; `false` if the file ends before.
fn fill(file: &mut (impl Read + ?Sized), bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_grew_fits_and_any_other_does_not() {
        let mut file = tempfile::tempfile().expect("a file");
        let text: Vec<u8> = (0..20_000u32).flat_map(u32::to_le_bytes).collect();
        for length in [0, 1, 100, WINDOW, WINDOW + 1, 2 * WINDOW, 2 * WINDOW + 1, 50_000] {
            let before = &text[..length];
            let print = Fingerprint::new(length as u64, before, before);
            let mut put = |bytes: &[u8]| {
                file.set_len(0).expect("cut");
                file.seek(SeekFrom::Start(0)).expect("at its start");
                file.write_all(bytes).expect("written");
                let fits = print.fits(&mut file).expect("read");
                let content = print.fits_content(&mut &*bytes).expect("read");
                assert_eq!(fits, content, "{length}: as a member of an archive");
                fits
            };
            assert!(put(before), "{length}: the same");
            assert!(put(&text), "{length}: grown");
            if length > 0 {
                assert!(!put(&text[..length - 1]), "{length}: shrunk");
                let mut other = text.clone();
                other[length - 1] ^= 1;
                assert!(!put(&other), "{length}: another end");
                other[length - 1] ^= 1;
                other[0] ^= 1;
                assert!(!put(&other), "{length}: another begin");
            }
        }
    }
}
