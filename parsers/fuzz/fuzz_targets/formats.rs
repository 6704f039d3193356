//! Any text as a file of formats: it is loaded, or refused with a line; what was loaded reads.
//! The first byte says which of the three kinds of file the text is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provtrace_parsers::engine::{BlockEnd, Reader};
use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::DateOrder;

const STAMPS: &str = include_str!("../../formats/stamps.toml");
const CODES: &str = include_str!("../../formats/codes.toml");
const PROVISIONING: &str = include_str!("../../formats/provisioning.toml");

fuzz_target!(|data: &[u8]| {
    let [kind, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let own = [("provisioning.toml", PROVISIONING), ("own.toml", text)];
    let loaded = match kind % 3 {
        0 => Formats::load(("stamps.toml", STAMPS), ("codes.toml", CODES), &own),
        1 => Formats::load(("stamps.toml", text), ("codes.toml", CODES), &own[..1]),
        _ => Formats::load(("stamps.toml", STAMPS), ("codes.toml", text), &own[..1]),
    };
    match loaded {
        Ok(formats) => {
            for format in &formats.formats {
                let mut reader = Reader::new(format, DateOrder::MonthFirst, b'\n');
                reader.block(text.as_bytes(), BlockEnd::Last, &mut |_| {});
            }
        }
        Err(error) => {
            assert!(!error.what.is_empty() && error.line <= text.lines().count().max(600))
        }
    }
});
