//! The bytes of a file, through a buffer of bounded size.

use std::fs::File;
use std::io::Read;

use provtrace_parsers::engine::BlockEnd;

use crate::discover::{Source, plain};
use crate::fingerprint::{Fingerprint, WINDOW};
use crate::place;

/// Bytes of a block, and the longest line that is read whole. To ask for 1 MiB at once costs the system half
/// of what four times 256 KiB do; what is searched comes from a cache either way.
pub const BLOCK: usize = 1 << 20;

/// The least memory for a file that turns out to be longer than it was.
const LEAST: usize = 1 << 18;

/// A file that is open, some of its bytes read.
pub struct Stream {
    file: Box<dyn Read>,
    buffer: Vec<u8>,
    filled: usize,
    at_end: bool,
    /// Why reading stopped before the end, where it did.
    pub failed: Option<String>,
    /// Whether that was no fault of the file's contents: reading it again may give more.
    pub broken: bool,
    /// Bytes from the start of the file to the end of what was read.
    pub bytes: u64,
    /// Bytes that a file had when it was found; 0 for a member of an archive, which is checked.
    expected: u64,
    /// Its first bytes, once they are no longer in the buffer, and the last ones that are not: at
    /// most [`WINDOW`] each.
    head: Vec<u8>,
    passed: Vec<u8>,
}

impl Stream {
    /// Opens a source and reads its first block into `buffer`, which [`Stream::release`] gives back.
    ///
    /// # Errors
    /// Why nothing of it can be read, in plain words.
    pub fn open(source: &Source, buffer: Vec<u8>) -> Result<Stream, String> {
        let file =
            place::open(&source.file, source.member.as_deref()).map_err(|error| plain(&error))?;
        let stream = Stream::at(source, buffer, file, 0);
        match &stream.failed {
            Some(reason) if stream.filled == 0 => Err(reason.clone()),
            _some_bytes => Ok(stream),
        }
    }

    /// Opens a file where `known` ends, if it still begins as it did; else gives the buffer back.
    pub fn resume(
        source: &Source,
        buffer: Vec<u8>,
        known: &Fingerprint,
    ) -> Result<Stream, Vec<u8>> {
        let opened = File::open(&source.file).and_then(|mut file| {
            let compared = known.compare(&mut file)?;
            Ok(compared.map(|windows| (file, windows)))
        });
        let Ok(Some((file, [head, passed]))) = opened else { return Err(buffer) };
        let stream = Stream::at(source, buffer, Box::new(file), known.length);
        if stream.failed.is_some() {
            return Err(stream.buffer);
        }
        Ok(Stream { head, passed, ..stream })
    }

    /// A file that stands at a byte, its next block read.
    fn at(source: &Source, mut buffer: Vec<u8>, file: Box<dyn Read>, bytes: u64) -> Stream {
        // Most files are small: no more memory is made ready than they need.
        let rest = source.bytes.saturating_sub(bytes);
        let needed = usize::try_from(rest).map_or(BLOCK, |bytes| bytes.saturating_add(1));
        if buffer.len() < needed.min(BLOCK) {
            buffer.resize(needed.min(BLOCK), 0);
        }
        let mut stream = Stream {
            file,
            buffer,
            filled: 0,
            at_end: false,
            failed: None,
            broken: false,
            bytes,
            expected: if source.member.is_none() { source.bytes } else { 0 },
            head: Vec::new(),
            passed: Vec::new(),
        };
        stream.fill();
        stream
    }

    /// What was read and not passed over.
    #[inline]
    pub fn held(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Where in the file a byte of [`Stream::held`] lies.
    pub fn position(&self, at: usize) -> u64 {
        self.bytes - self.filled.saturating_sub(at) as u64
    }

    /// Whether nothing follows what is held.
    pub fn at_end(&self) -> bool {
        self.at_end
    }

    /// The memory, for the next source.
    pub fn release(self) -> Vec<u8> {
        self.buffer
    }

    /// What the file is, up to a byte that is in the buffer or behind it.
    pub fn fingerprint(&self, length: u64) -> Fingerprint {
        let behind = usize::try_from(self.bytes - length).unwrap_or(usize::MAX);
        let held = &self.buffer[..self.filled.saturating_sub(behind)];
        let head = if self.head.is_empty() { held } else { &self.head };
        if held.len() >= WINDOW || self.passed.is_empty() {
            return Fingerprint::new(length, head, held);
        }
        Fingerprint::new(length, head, &[&self.passed, held].concat())
    }

    /// Fills the buffer, up to a block or to the end of the file.
    fn fill(&mut self) {
        while self.filled < BLOCK && !self.at_end {
            if self.filled == self.buffer.len() {
                self.buffer.resize((2 * self.filled).clamp(LEAST, BLOCK), 0);
            }
            let end = BLOCK.min(self.buffer.len());
            match self.file.read(&mut self.buffer[self.filled..end]) {
                Ok(0) => {
                    self.at_end = true;
                    if self.bytes < self.expected {
                        self.failed = Some(self.became_shorter());
                        self.broken = true;
                    }
                }
                Ok(count) => {
                    self.filled += count;
                    self.bytes += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let reason = plain(&error);
                    self.failed = Some(match self.bytes {
                        0 => reason,
                        bytes => format!("partly read: {reason} at byte {bytes}"),
                    });
                    self.broken = error.kind() != std::io::ErrorKind::InvalidData;
                    self.at_end = true;
                }
            }
        }
    }

    fn became_shorter(&self) -> String {
        let Stream { expected, bytes, .. } = self;
        match bytes {
            0 => format!("it was emptied while it was read; it had {expected} bytes"),
            _some => {
                format!("partly read: it became shorter, of {expected} bytes {bytes} were there")
            }
        }
    }

    /// Passes over the first `used` bytes of what is held, and reads as many more as there is room for.
    pub fn refill(&mut self, used: usize, progress: &dyn Fn(u64)) {
        if self.head.is_empty() {
            self.head.extend_from_slice(&self.buffer[..self.filled.min(WINDOW)]);
        }
        self.passed.extend_from_slice(&self.buffer[used.saturating_sub(WINDOW)..used]);
        self.passed.drain(..self.passed.len().saturating_sub(WINDOW));
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
        let before = self.bytes;
        self.fill();
        progress(self.bytes - before);
    }

    /// What follows what is held.
    pub fn block_end(&self) -> BlockEnd {
        if self.at_end {
            BlockEnd::Last
        } else if self.filled < BLOCK {
            BlockEnd::More
        } else {
            BlockEnd::Full
        }
    }
}
