//! `nightly --config FILE` → the flags of the file, in front of those that were typed. Which keys there
//! are, and what they take, is read off the declared flags: a new flag is a new key.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command, ValueHint};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::flags::{TYPED_ONLY, accept, flags, key, takes_number, unknown};
use crate::overlays;
use crate::paths::slashed;

/// What the program is called with, in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The arguments, the program's name in front.
    pub arguments: Vec<OsString>,
    /// What a reader should know of the file.
    pub warnings: Vec<String>,
}

/// Puts what the file of `nightly --config FILE` says in front of what was typed. What was typed goes
/// before it: a flag that was typed is not taken from the file, and typed paths replace all of the
/// file's.
///
/// # Errors
/// The first mistake of the file: path, line, what is wrong, what to write.
pub fn expand(typed: Vec<OsString>) -> Result<Expanded, String> {
    let untouched = |arguments| Ok(Expanded { arguments, warnings: Vec::new() });
    if typed.get(1).is_none_or(|command| command != "nightly") {
        return untouched(typed);
    }
    let flags = flags();
    // What is wrong with what was typed is told when all of it is read.
    let Ok(matches) = flags.clone().try_get_matches_from(typed.iter().skip(1)) else {
        return untouched(typed);
    };
    let Some(path) = matches.get_one::<PathBuf>("config") else {
        return untouched(typed);
    };
    let is_typed =
        |flag: &Arg| matches.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine);
    let file = File { path, shown: slashed(path), text: &overlays::text(path, "configs")? };
    let settings = file.settings(&flags)?;
    let warnings = file.warnings(&settings);
    let mut arguments: Vec<OsString> = typed.iter().take(2).cloned().collect();
    for setting in settings {
        let others = flags.get_arg_conflicts_with(setting.flag);
        if !is_typed(setting.flag) && !others.into_iter().any(is_typed) {
            arguments.extend(setting.arguments);
        }
    }
    arguments.extend(typed.into_iter().skip(2));
    Ok(Expanded { arguments, warnings })
}

/// The file.
struct File<'f> {
    path: &'f Path,
    shown: String,
    text: &'f str,
}

/// A key of the file.
struct Setting<'c> {
    flag: &'c Arg,
    /// As if they were typed.
    arguments: Vec<OsString>,
    at: Range<usize>,
}

impl File<'_> {
    /// What stands in it, from top to bottom.
    fn settings<'c>(&self, flags: &'c Command) -> Result<Vec<Setting<'c>>, String> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let remedy = remedy(error.message());
            self.error(&error.span().unwrap_or(0..0), format!("{}{remedy}", error.message()))
        })?;
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut settings: Vec<Setting> = Vec::new();
        for (name, value) in entries {
            let setting = self.setting(flags, name.get_ref(), name.span(), value)?;
            let others = flags.get_arg_conflicts_with(setting.flag);
            let other = settings.iter().find(|other| others.contains(&other.flag));
            if let Some(other) = other {
                let what = format!(
                    "{} and {} don't go together; leave one of them out",
                    key(other.flag),
                    key(setting.flag)
                );
                return Err(self.error(&setting.at, what));
            }
            settings.push(setting);
        }
        Ok(settings)
    }

    fn setting<'c>(
        &self,
        flags: &'c Command,
        name: &str,
        at: Range<usize>,
        value: &Spanned<DeValue>,
    ) -> Result<Setting<'c>, String> {
        let mut known = flags.get_arguments().filter(|flag| !TYPED_ONLY.contains(&key(flag)));
        let flag = known.find(|flag| key(flag) == name).ok_or_else(|| {
            let table = "is a table; all keys stand at the top, and none has a dot";
            let is_table = value.get_ref().is_table();
            self.error(&at, if is_table { format!("{name} {table}") } else { unknown(flags, name) })
        })?;
        let mut arguments = Vec::new();
        if matches!(flag.get_action(), ArgAction::SetTrue) {
            let is_set = value.get_ref().as_bool().ok_or_else(|| {
                self.error(&value.span(), format!("{name} takes true or false, without quotes"))
            })?;
            arguments.extend(is_set.then(|| OsString::from(format!("--{name}"))));
        } else {
            for value in self.each(flag, value)? {
                let argument = self.argument(flag, value)?;
                accept(flags, &argument)
                    .map_err(|why| self.error(&value.span(), format!("{name}: {why}")))?;
                arguments.push(argument);
            }
        }
        Ok(Setting { flag, arguments, at })
    }

    /// The values of a list, for a flag that can be repeated; else the one value.
    fn each<'v, 'i>(
        &self,
        flag: &Arg,
        value: &'v Spanned<DeValue<'i>>,
    ) -> Result<Vec<&'v Spanned<DeValue<'i>>>, String> {
        let Some(list) = value.get_ref().as_array() else {
            return Ok(vec![value]);
        };
        if matches!(flag.get_action(), ArgAction::Append) {
            return Ok(list.iter().collect());
        }
        let what = format!("{} takes one value; leave the [ ] out", key(flag));
        Err(self.error(&value.span(), what))
    }

    /// A value as if it were typed. Behind a `=`, one that begins with a dash is no flag.
    fn argument(&self, flag: &Arg, value: &Spanned<DeValue>) -> Result<OsString, String> {
        let name = key(flag);
        let text = match value.get_ref() {
            DeValue::Integer(number) if takes_number(flag) => number.to_string(),
            DeValue::String(text) if !takes_number(flag) => text.clone().into_owned(),
            DeValue::Integer(_)
            | DeValue::String(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                let what = if takes_number(flag) {
                    format!("{name} takes a whole number, without quotes")
                } else {
                    format!("{name} takes a text; write it in quotes")
                };
                return Err(self.error(&value.span(), what));
            }
        };
        let path = self.path_or_text(flag, &text);
        if flag.is_positional() {
            return Ok(path);
        }
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(path);
        Ok(argument)
    }

    /// A path of the file is relative to the file's folder; `-` stands for standard input or output.
    fn path_or_text(&self, flag: &Arg, text: &str) -> OsString {
        if flag.get_value_hint() != ValueHint::AnyPath || text.is_empty() || text == "-" {
            return text.into();
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let path = folder.join(text);
        // A path that begins with a dash is no flag.
        let is_like_a_flag = path.as_os_str().as_encoded_bytes().starts_with(b"-");
        if is_like_a_flag { Path::new(".").join(path).into() } else { path.into() }
    }

    /// An address may be a secret, which others of this machine should not read.
    #[cfg(unix)]
    fn warnings(&self, settings: &[Setting]) -> Vec<String> {
        use std::os::unix::fs::PermissionsExt;
        let is_open =
            self.path.metadata().is_ok_and(|about| about.permissions().mode() & 0o044 > 0);
        let holder = settings.iter().find(|setting| key(setting.flag) == "webhook");
        let open = holder.filter(|_| is_open).map(|setting| {
            let what = "webhook may be a secret, and others can read this file; let its owner alone read it \
                        (chmod 600), or write webhook-file";
            self.error(&setting.at, what.to_owned())
        });
        open.into_iter().collect()
    }

    /// On Windows the folder says who may read a file.
    #[cfg(not(unix))]
    fn warnings(&self, _settings: &[Setting]) -> Vec<String> {
        Vec::new()
    }

    fn error(&self, at: &Range<usize>, what: String) -> String {
        let before = self.text.get(..at.start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}: {what}", self.shown)
    }
}

/// What to do where the file is no TOML.
fn remedy(message: &str) -> &'static str {
    if message.contains("escape") {
        "; write a path of Windows in single quotes: 'D:\\logs'"
    } else if message.contains("duplicate key") {
        "; write it once, with a list in [ ] for several values"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::NightlyArgs;

    /// What `nightly` is called with in the end, and whether it was understood.
    #[derive(Debug, Parser)]
    struct Nightly {
        #[command(flatten)]
        args: NightlyArgs,
    }

    fn expanded(config: &str, typed: &[&str]) -> (NightlyArgs, Vec<String>, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nightly.toml");
        std::fs::write(&path, config).expect("a config");
        let mut call: Vec<OsString> = vec!["provtrace".into(), "nightly".into()];
        call.extend(["--config".into(), path.into()]);
        call.extend(typed.iter().map(OsString::from));
        let Expanded { arguments, warnings } = expand(call).expect("a right config");
        let nightly = Nightly::try_parse_from(&arguments[1..]).expect("right arguments");
        (nightly.args, warnings, folder.path().to_owned())
    }

    const ALL: &str = r#"
        store = "store"
        share = ["logs/paris", "/logs/lyon", "-"]
        device = "PAR-*"
        layout = "{night}/{device}/**"
        tz = ["-03:00", "TYO-*=Asia/Tokyo"]
        codepage = "windows-1251"
        formats = ["overlays"]
        no-user-formats = true
        strict = true
        output = ["news.html", "-"]
        fail-on = ["new", "worse"]
        silent-after = 1_4
        metrics = "provtrace.prom"
        webhook-file = "webhook"
        file-timeout = 30
        format = "table"
        tasks = "tasks.csv"
        ignore-step = ["Print*", "--dash"]
        ignore-code = ["-1", "9999"]
        threads = 2
        no-progress = false
    "#;

    #[test]
    fn a_file_holds_every_flag() {
        let (args, warnings, folder) = expanded(ALL, &[]);
        let here = |name: &str| folder.join(name);
        assert_eq!(args.store, here("store"));
        assert_eq!(args.input.paths, [here("logs/paris"), here("/logs/lyon"), "-".into()]);
        assert_eq!(args.input.device, ["PAR-*"]);
        assert_eq!(args.input.formats.formats, [here("overlays")]);
        assert!(args.input.layout.is_some() && args.input.codepage.is_some());
        assert!(args.input.formats.no_user_formats && args.input.strict && !args.no_progress);
        assert_eq!(args.input.tz.len(), 2);
        assert_eq!(args.output, [here("news.html"), "-".into()]);
        assert_eq!(args.fail_on.len(), 2);
        assert_eq!((args.silent_after, args.file_timeout, args.threads), (14, 30, Some(2)));
        assert_eq!(args.metrics, Some(here("provtrace.prom")));
        assert_eq!((args.webhook, args.webhook_file), (None, Some(here("webhook"))));
        assert_eq!(args.tasks, Some(here("tasks.csv")));
        assert_eq!(args.expected.ignore_step, ["Print*", "--dash"]);
        assert_eq!(args.expected.ignore_code, ["-1", "9999"]);
        assert_eq!(warnings, [""; 0]);
        // A flag that is new is in this test, too.
        let flags = flags();
        let keys = flags.get_arguments().map(key).filter(|key| !TYPED_ONLY.contains(key));
        let missing: Vec<&str> =
            keys.filter(|key| !ALL.contains(&format!("\n        {key} = "))).collect();
        assert_eq!(missing, ["webhook"], "the address itself can't stand beside webhook-file");
    }

    #[test]
    fn what_is_typed_goes_before_the_file() {
        let typed = [
            "--store",
            "typed",
            "--tz=+01:00",
            "-o",
            "news.md",
            "--ignore-step",
            "Reboot",
            "--webhook",
            "http://localhost/",
            "--threads=8",
            "--strict",
            "here",
            "there",
        ];
        let (args, _, folder) = expanded(ALL, &typed);
        assert_eq!(args.store, PathBuf::from("typed"));
        assert_eq!(args.input.paths, [PathBuf::from("here"), "there".into()]);
        assert_eq!(args.input.tz.len(), 1);
        assert_eq!(args.output, [PathBuf::from("news.md")]);
        assert_eq!(args.expected.ignore_step, ["Reboot"]);
        assert_eq!(args.expected.ignore_code.len(), 2);
        // Of two flags that don't go together, too.
        assert_eq!((args.webhook.as_deref(), args.webhook_file), (Some("http://localhost/"), None));
        assert_eq!((args.threads, args.file_timeout), (Some(8), 30));
        assert_eq!(args.tasks, Some(folder.join("tasks.csv")));
    }

    #[test]
    fn the_example_is_right() {
        let (args, warnings, folder) = expanded(include_str!("../docs/deploy/nightly.toml"), &[]);
        assert_eq!(args.input.paths, [folder.join(Path::new("/srv/provision-logs"))]);
        assert_eq!((args.output.len(), warnings.len()), (2, 0));
    }

    #[test]
    fn a_path_that_begins_with_a_dash_is_no_flag() {
        let path = PathBuf::from("nightly.toml");
        let file = File { path: &path, shown: String::new(), text: r#"share = ["--strict"]"# };
        let flags = flags();
        let settings = file.settings(&flags).expect("a right config");
        assert_eq!(settings[0].arguments, [Path::new(".").join("--strict")]);
    }

    #[test]
    fn without_a_config_nothing_changes() {
        for call in [
            vec!["provtrace"],
            vec!["provtrace", "analyze", "--config", "none.toml"],
            vec!["provtrace", "nightly", "logs", "--store", "store"],
            vec!["provtrace", "nightly", "--no-such-flag", "--config", "none.toml"],
            vec!["provtrace", "nightly", "--help", "--config", "none.toml"],
        ] {
            let call: Vec<OsString> = call.into_iter().map(OsString::from).collect();
            let expanded = expand(call.clone()).expect("nothing is read");
            assert_eq!(expanded, Expanded { arguments: call, warnings: Vec::new() });
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_address_that_others_can_read_is_warned_of() {
        let config = "share = 'x'\nstore = 'y'\nwebhook = 'https://hooks.example/T0/SECRET'\n";
        let (args, warnings, _) = expanded(config, &[]);
        assert!(args.webhook.is_some());
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        assert!(warning.contains("nightly.toml:3: webhook may be a secret"), "{warning}");
        assert!(!warning.contains("SECRET"), "{warning}");
    }
}
