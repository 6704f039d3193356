//! The flags of `nightly` as they are declared: which keys a config can have, and what they take.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, Command};

use crate::cli::NightlyArgs;

/// The key for the paths, which have no flag.
const SHARE: &str = "share";
/// Flags that no file can hold.
pub const TYPED_ONLY: [&str; 3] = ["config", "help", "version"];

/// The flags of `nightly`, none of them required: some are in the file, some are typed.
pub fn flags() -> Command {
    NightlyArgs::augment_args(Command::new("nightly")).mut_args(|flag| flag.required(false))
}

/// A flag's key.
pub fn key(flag: &Arg) -> &str {
    flag.get_long().unwrap_or(SHARE)
}

/// Whether a flag takes a number: only then a number of the file is one.
pub fn takes_number(flag: &Arg) -> bool {
    let taken = flag.get_value_parser().type_id();
    [TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>()].iter().any(|one| taken == *one)
}

/// What a key that is none should have been.
pub fn unknown(flags: &Command, name: &str) -> String {
    if TYPED_ONLY.contains(&name) {
        return format!("{name} can only be typed; take it away");
    }
    let mut keys: Vec<&str> = flags.get_arguments().map(key).collect();
    keys.retain(|key| !TYPED_ONLY.contains(key));
    // The nearest flag is what the same mistake would be told when it is typed.
    let tried =
        flags.clone().try_get_matches_from(["nightly", &format!("--{}", name.replace('_', "-"))]);
    let near = tried.err().and_then(|error| match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(near)) => Some(near.trim_start_matches('-').to_owned()),
        Some(_) | None => None,
    });
    let same = keys.iter().find(|key| **key == name.replace('_', "-"));
    match same.copied().or(near.as_deref()).filter(|near| keys.contains(near)) {
        Some(near) => format!("no flag is named {name}; write {near}"),
        None => format!("no flag is named {name}; there are {}", keys.join(", ")),
    }
}

/// Whether a flag takes a value; if not, why.
///
/// # Errors
/// What is wrong with it; the value stands in it.
pub fn accept(flags: &Command, argument: &OsString) -> Result<(), String> {
    let Err(error) = flags.clone().try_get_matches_from([&OsString::from("nightly"), argument])
    else {
        return Ok(());
    };
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(_) | None => String::new(),
    };
    let value = text(ContextKind::InvalidValue);
    if value.is_empty() {
        return Err("is empty; write a value, or take the key away".to_owned());
    }
    if error.kind() == ErrorKind::InvalidValue {
        return Err(format!("{value} is none of {}", text(ContextKind::ValidValue)));
    }
    Err(error.source().map_or_else(|| format!("{value} can't be read"), ToString::to_string))
}
