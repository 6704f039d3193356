//! Where the bytes of a source lie, and how they are read: a file, or a member of an archive.
//!
//! Nothing is unpacked to disk. A member of a zip is inflated as it is read, from the place of
//! its own header, so that the archive's directory is read once and not once a member. Only an
//! archive inside an archive is held in memory, while its device is read.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Crc;
use flate2::read::{DeflateDecoder, MultiGzDecoder};

/// What a log may expand to, in bytes, however small it is packed: it is read as a stream, and a
/// program that says the same for days packs a thousand to one.
const FREE_LOG: u64 = 1 << 30;
/// The same for what is not reckoned before it is read (an archive may hold thousands of them),
/// and for what is held in memory.
const FREE_SIZE: u64 = 64 << 20;
/// Beyond that, no more than so many times its packed size: usual logs reach a tenth of it.
const MOST_RATIO: u64 = 250;
/// The largest member that is read to its end, in bytes.
const MOST_SIZE: u64 = 16 << 30;
/// The largest archive inside an archive, in bytes: it is held in memory.
const MOST_NESTED: u64 = 256 << 20;
/// A member's own header, without its name.
pub const HEADER: u64 = 30;
/// How a member's own header begins.
pub const HEADER_MARK: [u8; 4] = *b"PK\x03\x04";

/// A member of a zip, as its directory describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where its own header stands, in bytes from the start of the archive.
    pub header: u64,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes it expands to; `None` where the archive doesn't say.
    pub size: Option<u64>,
    /// CRC-32 of the expanded bytes; `None` where the archive doesn't say.
    pub sum: Option<u32>,
    /// Whether it is deflated; else it is stored as it is.
    pub deflated: bool,
}

/// Which part of a file a source is.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name in the archive, with `/`; `inner.zip!/name` inside a second archive.
    pub name: String,
    nest: Option<Arc<Nest>>,
    entry: Option<Entry>,
    gzip: bool,
}

/// An archive inside an archive: its bytes, while they are needed.
#[derive(Debug)]
pub struct Nest {
    file: PathBuf,
    entry: Entry,
    held: Mutex<Option<Held>>,
}

/// Bytes in memory that several readers share.
#[derive(Debug, Clone)]
pub struct Held(Arc<Vec<u8>>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Member {
    /// The one content of a gzip file.
    pub fn of_gzip(name: String) -> Member {
        Member { name, nest: None, entry: None, gzip: true }
    }

    /// A member of an archive that is not to be opened again.
    pub fn unplaced(name: String) -> Member {
        Member { name, nest: None, entry: None, gzip: false }
    }

    /// Whether only its name is known.
    pub fn is_unplaced(&self) -> bool {
        self.entry.is_none() && !self.gzip
    }

    /// A member of a zip, which lies in a file or in `nest`. `gzip`: it is a gzip file, and its
    /// content is meant.
    pub fn of_zip(name: String, entry: Entry, nest: Option<&Arc<Nest>>, gzip: bool) -> Member {
        Member { name, nest: nest.cloned(), entry: Some(entry), gzip }
    }

    /// Gives the memory of its archive back, unless `next` lies in the same one.
    pub fn release(&self, next: Option<&Member>) {
        let Some(nest) = &self.nest else { return };
        let next = next.and_then(|next| next.nest.as_ref());
        if !next.is_some_and(|next| Arc::ptr_eq(nest, next)) {
            nest.release();
        }
    }
}

impl Nest {
    /// A zip in the zip `file`; nothing is read yet.
    ///
    /// # Errors
    /// It is larger than what is held in memory.
    pub fn new(file: &Path, entry: Entry) -> Result<Nest, String> {
        if entry.size.is_some_and(|size| size > MOST_NESTED) {
            return Err(format!(
                "an archive in an archive, of more than {MOST_NESTED} bytes; unpack the outer one"
            ));
        }
        Ok(Nest { file: file.to_owned(), entry, held: Mutex::new(None) })
    }

    /// Gives its memory back; who still reads it keeps it for so long.
    pub fn release(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Its bytes, and why they are not all, where they are not.
    ///
    /// # Errors
    /// The outer archive can't be opened.
    pub fn bytes(&self) -> io::Result<(Held, Option<io::Error>)> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = &*held {
            return Ok((bytes.clone(), None));
        }
        let mut bytes = Vec::new();
        let reader = self.entry.open(File::open(&self.file)?, FREE_SIZE)?;
        let failed = reader.take(MOST_NESTED).read_to_end(&mut bytes).err();
        let bytes = Held(Arc::new(bytes));
        *held = Some(bytes.clone());
        Ok((bytes, failed))
    }
}

/// Opens a file, or a member of it.
///
/// # Errors
/// It can't be opened, or there is no such member any more. What is found damaged later is an
/// error of the reader.
pub fn open(file: &Path, member: Option<&Member>) -> io::Result<Box<dyn Read>> {
    let Some(member) = member else { return Ok(Box::new(File::open(file)?)) };
    match (&member.entry, &member.nest) {
        (None, _) if member.is_unplaced() => {
            Err(io::Error::new(io::ErrorKind::NotFound, "it is no longer in its archive"))
        }
        (None, _) => {
            let file = File::open(file)?;
            let packed = file.metadata()?.len();
            Ok(gunzip(BufReader::new(file), most_expanded(packed, FREE_LOG)))
        }
        (Some(entry), None) => member.content(entry.open(File::open(file)?, entry.free())?, entry),
        (Some(entry), Some(nest)) => {
            member.content(entry.open(Cursor::new(nest.bytes()?.0), entry.free())?, entry)
        }
    }
}

impl Member {
    fn content(&self, reader: impl Read + 'static, entry: &Entry) -> io::Result<Box<dyn Read>> {
        let packed = entry.size.unwrap_or(entry.packed);
        let limit = most_expanded(packed, FREE_SIZE);
        Ok(if self.gzip { gunzip(reader, limit) } else { Box::new(reader) })
    }
}

/// The content of a gzip file, up to `limit` bytes.
fn gunzip(reader: impl Read + 'static, limit: u64) -> Box<dyn Read> {
    let inner = MultiGzDecoder::new(reader);
    Box::new(Content { inner, given: 0, size: None, limit, sum: None })
}

/// How far a member of so many packed bytes is read; up to `free` whatever their number.
fn most_expanded(packed: u64, free: u64) -> u64 {
    packed.saturating_mul(MOST_RATIO).clamp(free, MOST_SIZE)
}

impl Entry {
    /// What it may expand to in any case: a size that is stated was reckoned with all others of
    /// its archive, and more than it is not read.
    fn free(&self) -> u64 {
        if self.size.is_some() { FREE_LOG } else { FREE_SIZE }
    }

    /// Reads its own header and what follows.
    fn open<R: Read + Seek + 'static>(
        &self,
        mut archive: R,
        free: u64,
    ) -> io::Result<Box<dyn Read>> {
        archive.seek(SeekFrom::Start(self.header))?;
        let mut header = [0; HEADER as usize];
        archive.read_exact(&mut header).map_err(damaged)?;
        if header[..4] != HEADER_MARK {
            return Err(io::Error::other("the archive is damaged: the member is not at its place"));
        }
        let two = |at: usize| i64::from(u16::from_le_bytes([header[at], header[at + 1]]));
        archive.seek(SeekFrom::Current(two(26) + two(28)))?;
        let packed = archive.take(self.packed);
        Ok(if self.deflated {
            Box::new(self.checked(DeflateDecoder::new(packed), free))
        } else {
            Box::new(self.checked(packed, free))
        })
    }

    fn checked<R: Read>(&self, inner: R, free: u64) -> Content<R> {
        let limit = most_expanded(self.packed, free);
        let sum = self.sum.map(|sum| (Crc::new(), sum));
        Content { inner, given: 0, size: self.size, limit, sum }
    }
}

/// A member's bytes, held against what the archive says of them.
struct Content<R> {
    inner: R,
    given: u64,
    size: Option<u64>,
    limit: u64,
    sum: Option<(Crc, u32)>,
}

impl<R: Read> Read for Content<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let room = self.size.unwrap_or(u64::MAX).min(self.limit) - self.given;
        if room == 0 {
            let more = self.inner.read(&mut [0]).map_err(damaged)?;
            return if more == 0 { self.end() } else { Err(self.too_long()) };
        }
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(into.len());
        let count = self.inner.read(&mut into[..room]).map_err(damaged)?;
        if count == 0 {
            return self.end();
        }
        if let Some((crc, _)) = &mut self.sum {
            crc.update(&into[..count]);
        }
        self.given += count as u64;
        Ok(count)
    }
}

impl<R> Content<R> {
    fn end(&self) -> io::Result<usize> {
        if self.size.is_some_and(|size| self.given < size) {
            return Err(io::Error::other("the archive is cut or damaged"));
        }
        if self.sum.as_ref().is_some_and(|(crc, sum)| crc.sum() != *sum) {
            return Err(io::Error::other("the archive's checksum does not fit"));
        }
        Ok(0)
    }

    fn too_long(&self) -> io::Error {
        io::Error::other(if self.size == Some(self.given) {
            "longer than the archive says, stopped".to_owned()
        } else if self.limit == MOST_SIZE {
            "longer than a member may be, unpack it; stopped".to_owned()
        } else {
            format!("more than {MOST_RATIO} times its packed size, as in a zip bomb; stopped")
        })
    }
}

/// The decoder's words for what it can't decode.
fn damaged(error: io::Error) -> io::Error {
    let broken =
        [io::ErrorKind::InvalidInput, io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
    if broken.contains(&error.kind()) {
        io::Error::other("the archive is cut or damaged")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &'static [u8], size: Option<u64>, limit: u64) -> Content<&'static [u8]> {
        let sum = Some((Crc::new(), 0x352441C2));
        Content { inner: bytes, given: 0, size, limit, sum }
    }

    #[test]
    fn what_the_archive_says_is_held_against_the_bytes() {
        let read = |mut content: Content<&[u8]>| {
            let mut out = Vec::new();
            let error = content.read_to_end(&mut out).err().map(|error| error.to_string());
            (out, error.unwrap_or_default())
        };
        assert_eq!(read(content(b"abc", Some(3), 9)), (b"abc".to_vec(), String::new()));
        assert_eq!(read(content(b"abc", None, 9)), (b"abc".to_vec(), String::new()));
        for (content, given, reason) in [
            (content(b"abc", Some(4), 9), 3, "cut or damaged"),
            (content(b"abc", Some(2), 9), 2, "longer than the archive says"),
            (content(b"abc", Some(3), 2), 2, "zip bomb"),
            (content(b"abd", Some(3), 9), 3, "checksum"),
        ] {
            let (out, error) = read(content);
            assert_eq!(out.len(), given, "{reason}");
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn small_things_may_expand_freely() {
        assert_eq!(most_expanded(10, FREE_SIZE), FREE_SIZE);
        assert_eq!(most_expanded(1 << 20, FREE_SIZE), 250 << 20);
        assert_eq!(most_expanded(1 << 20, FREE_LOG), FREE_LOG);
        assert_eq!(most_expanded(8 << 20, FREE_LOG), 2000 << 20);
        assert_eq!(most_expanded(u64::MAX, FREE_LOG), MOST_SIZE);
    }
}
