//! A bundle and the private map → places in the bundle that still have a real name.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use provtrace_parsers::text::{CodePage, TextEncoding, decode_page, transcode_utf16};

use crate::discover::{plain, slashed};
use crate::entries::Entries;
use crate::identity::Pair;
use crate::manifest::PrivateMap;
use crate::redaction::Redaction;

/// Bytes that are looked through at a time.
const BLOCK: usize = 1 << 20;
/// Bytes that two blocks share, so that no name is cut: the longest has 256 bytes in UTF-8.
const OVERLAP: usize = 4 << 10;
/// Leaks that are told one by one.
const MOST_TOLD: usize = 20;
/// The largest map, in bytes.
const MOST_MAP: u64 = 256 << 20;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// How many names were looked for.
    pub names: usize,
    /// Entries and encodings with a name.
    pub count: usize,
    /// The first of them, in words.
    pub told: Vec<String>,
}

/// Looks for every real name of the map: in names of entries, and in their bytes, read in every
/// encoding.
///
/// # Errors
/// If the map or an entry can't be read.
pub fn search(entries: &Entries, map: &Path, page: CodePage) -> Result<Found, String> {
    let names = read_map(map)?;
    let mut found = Found { names: names.pairs.len(), ..Found::default() };
    for (name, _) in &entries.members {
        if let Some((_, pair)) = names.first_in(name) {
            found.note(format!("{name}: its name has `{}` ({})", pair.real, pair.pseudonym));
        }
        let mut note = |leak: String| found.note(format!("{name}: {leak}"));
        let read =
            entries.open(name).and_then(|mut own| in_bytes(&mut own, &names, page, &mut note));
        read.map_err(|error| format!("{name}: {}", plain(&error)))?;
    }
    Ok(found)
}

impl Found {
    fn note(&mut self, what: String) {
        self.count += 1;
        if self.told.len() < MOST_TOLD {
            self.told.push(what);
        }
    }
}

fn read_map(path: &Path) -> Result<Redaction, String> {
    let failed = |why: String| format!("{}: {why}", slashed(path));
    let open = File::open(path).map_err(|error| failed(plain(&error)))?;
    let map: PrivateMap = serde_json::from_reader(io::BufReader::new(open.take(MOST_MAP)))
        .map_err(|error| {
            failed(format!("no map that `provtrace evidence --redact` wrote: {error}"))
        })?;
    Redaction::of(map.names).map_err(failed)
}

/// Tells `note` of the first name that some bytes hold in each encoding.
///
/// # Errors
/// Of the reader.
pub fn in_bytes(
    from: &mut dyn Read,
    names: &Redaction,
    page: CodePage,
    note: &mut dyn FnMut(String),
) -> io::Result<()> {
    let mut told = [false; 6];
    let mut block = Vec::new();
    let mut start = 0;
    loop {
        let read = (&mut *from).take(BLOCK as u64).read_to_end(&mut block)?;
        for (at, (encoding, text)) in readings(&block, page).into_iter().enumerate() {
            if !told[at]
                && let Some((_, pair)) = names.first_in(&text)
            {
                told[at] = true;
                let Pair { real, pseudonym, .. } = pair;
                note(format!("`{real}` ({pseudonym}) behind byte {start}, read as {encoding}"));
            }
        }
        if read < BLOCK {
            return Ok(());
        }
        // An even number of bytes goes, so that units of UTF-16 stay what they are.
        let gone = block.len().saturating_sub(OVERLAP) & !1;
        block.drain(..gone);
        start += gone as u64;
    }
}

/// Some bytes, read in every encoding.
fn readings(block: &[u8], page: CodePage) -> [(&'static str, String); 6] {
    let wide = |skip: usize, encoding| {
        let mut text = String::new();
        transcode_utf16(block.get(skip..).unwrap_or_default(), encoding, &mut text);
        text
    };
    [
        ("UTF-8", String::from_utf8_lossy(block).into_owned()),
        ("the code page", decode_page(block, page).into_owned()),
        ("UTF-16LE", wide(0, TextEncoding::Utf16Le)),
        ("UTF-16LE from an odd byte", wide(1, TextEncoding::Utf16Le)),
        ("UTF-16BE", wide(0, TextEncoding::Utf16Be)),
        ("UTF-16BE from an odd byte", wide(1, TextEncoding::Utf16Be)),
    ]
}
