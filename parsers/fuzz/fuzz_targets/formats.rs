//! Any text as a file of formats: it is loaded, or refused with a line; what was loaded reads.
//! The first byte says which of the three kinds of file the text is. The files beside it are as
//! small as files can be: compiling the patterns of real ones would be nearly all of the work.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provtrace_parsers::engine::{BlockEnd, Reader};
use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::DateOrder;

const STAMPS: (&str, &str) = (
    "stamps.toml",
    r#"
schema = 1
[[stamp]]
name = "iso"
layout = "{year}-{month}-{day} {time} "
specimen = "2025-03-24T12:20:19 Done"
reads = "2025-03-24T12:20:19"
mark = "doc"
"#,
);
const CODES: (&str, &str) = ("codes.toml", "schema = 1\ncode = []\n");
const REST: (&str, &str) = (
    "rest.toml",
    r#"
schema = 1
name = "rest"
kind = "provisioning"
stamps = ["iso"]
file = []
[arguments]
task = '1'
task_name = '2'
messenger = '3'
specimens = ["123"]
mark = "doc"
[actions]
agent_install = '4'
specimens = ["4"]
mark = "doc"
"#,
);

fuzz_target!(|data: &[u8]| {
    let [kind, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let loaded = match kind % 3 {
        0 => Formats::load(STAMPS, CODES, &[("own.toml", text), REST]),
        1 => Formats::load(("own.toml", text), CODES, &[REST]),
        _ => Formats::load(STAMPS, ("own.toml", text), &[REST]),
    };
    match loaded {
        Ok(formats) => {
            for format in &formats.formats {
                let mut reader = Reader::new(format, DateOrder::MonthFirst, b'\n');
                reader.block(text.as_bytes(), BlockEnd::Last, &mut |_| {});
            }
        }
        Err(error) => {
            assert!(!error.what.is_empty());
            // Stamps that the file took away are missed in the file beside it.
            let lines = if error.path == "own.toml" { text } else { REST.1 }.lines().count();
            assert!(error.line <= lines + 1, "{error}");
        }
    }
});
