//! A zip that ends with the hash of all its other bytes, so that none of them can change unseen.
//!
//! The seal is the zip's comment: [`WORDS`] and the SHA-256 of every byte before it, the headers
//! of the zip and these words among them. It needs no second copy of the packer, so a bundle can
//! be checked by any later version, and by `head`, `tail` and `sha256sum`.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::manifest::Stored;

/// What stands before the hash.
pub const WORDS: &str = "provtrace.evidence.v1 sha256:";
/// Length of the hash in the comment.
const HASH: usize = 64;
/// Files beyond this are written with sizes of 64 bits.
const LARGE: u64 = 0xFFFF_0000;

/// A zip that is being written: the same entries give the same bytes.
pub struct Sealer<'w> {
    zip: ZipWriter<StreamWriter<Hashed<&'w mut dyn Write>>>,
    /// What was written, in order.
    pub stored: Vec<Stored>,
}

impl<'w> Sealer<'w> {
    /// A zip without entries.
    pub fn new(out: &'w mut dyn Write) -> Sealer<'w> {
        let hashed = Hashed { inner: out, hash: Sha256::new(), held: Vec::new() };
        Sealer { zip: ZipWriter::new_stream(hashed), stored: Vec::new() }
    }

    /// Adds an entry of about so many bytes.
    ///
    /// # Errors
    /// Of reader and writer.
    pub fn add(&mut self, name: &str, mut from: impl Read, bytes: u64) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(bytes >= LARGE);
        self.zip.start_file(name, options)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        let mut written = 0;
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
            self.zip.write_all(&buffer[..count])?;
            written += count as u64;
        }
        let sha256 = hex(hash);
        self.stored.push(Stored { name: name.to_owned(), bytes: written, sha256 });
        Ok(())
    }

    /// Writes directory and seal; gives the seal.
    ///
    /// # Errors
    /// Of the writer.
    pub fn finish(mut self) -> io::Result<String> {
        self.zip.set_comment(format!("{WORDS}{}", "0".repeat(HASH)))?;
        self.zip.finish()?.into_inner().finish()
    }
}

/// A writer that hashes all but the last bytes, and puts the hash in their place.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    held: Vec<u8>,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let sure = self.held.len().saturating_sub(HASH);
        self.hash.update(&self.held[..sure]);
        self.inner.write_all(&self.held[..sure])?;
        self.held.drain(..sure);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Hashed<W> {
    fn finish(mut self) -> io::Result<String> {
        let seal = hex(self.hash);
        self.inner.write_all(seal.as_bytes())?;
        self.inner.flush()?;
        Ok(seal)
    }
}

/// A hash as it is printed.
pub fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of a text.
pub fn of_text(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(text.as_bytes());
    hex(hash)
}

/// Length and SHA-256 of all that a reader gives.
///
/// # Errors
/// Of the reader.
pub fn of_all(mut from: impl Read) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok((length, hex(hash))),
            count => {
                hash.update(&buffer[..count]);
                length += count as u64;
            }
        }
    }
}

/// The seal that a file ends with, and the one that it should have; `None` where it has none.
///
/// # Errors
/// Of the reader.
pub fn read(file: &Path) -> io::Result<Option<(String, String)>> {
    let open = File::open(file)?;
    let length = open.metadata()?.len();
    let Some(body) = length.checked_sub(HASH as u64).filter(|body| *body > WORDS.len() as u64)
    else {
        return Ok(None);
    };
    let mut open = BufReader::new(open);
    let mut hash = Sha256::new();
    let mut last = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut left = body;
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = open.read(&mut buffer[..room])?;
        if count == 0 {
            return Ok(None);
        }
        hash.update(&buffer[..count]);
        last.extend_from_slice(&buffer[..count]);
        last.drain(..last.len().saturating_sub(WORDS.len()));
        left -= count as u64;
    }
    let mut seal = Vec::new();
    open.take(HASH as u64).read_to_end(&mut seal)?;
    if last != WORDS.as_bytes() {
        return Ok(None);
    }
    Ok(Some((String::from_utf8_lossy(&seal).into_owned(), hex(hash))))
}
