//! Any text as an exit code, in both notations.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provtrace_parsers::code::{CodeTable, ExitCode, Notation};
use provtrace_parsers::format::Formats;

static CODES: LazyLock<CodeTable> = LazyLock::new(|| Formats::builtin().expect("embedded").codes);

fuzz_target!(|text: &str| {
    for notation in [Notation::Decimal, Notation::Any] {
        if let Some(code) = ExitCode::read(text, notation) {
            assert_eq!(&*code.raw, text);
            assert_eq!(u32::from(code.low()), code.value & 0xFFFF);
            assert!(code.component() < 0x1000);
            let meaning = CODES.meaning(&code);
            CODES.component(meaning.value);
        }
    }
});
