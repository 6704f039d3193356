//! Any text as a policy task's state file.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use provtrace_parsers::format::{Formats, XmlToml};
use provtrace_parsers::policy_status;

static XML: LazyLock<XmlToml> = LazyLock::new(|| {
    let formats = Formats::builtin().expect("embedded").formats;
    formats.into_iter().find_map(|format| format.xml).expect("one format is XML")
});

fuzz_target!(|text: &str| {
    let named = policy_status::read(text, &XML, Some("7"));
    let unnamed = policy_status::read(text, &XML, None);
    assert!(unnamed.is_none() || unnamed == named, "a name in the file goes before the file's");
});
