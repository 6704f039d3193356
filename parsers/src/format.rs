//! Formats as data: what a log looks like, as the files of `formats/` say.

use std::fmt;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::code::CodeTable;
use crate::event::Mark;
use crate::event_log::EventLogRules;
use crate::layout::Layout;
use crate::opening::Openings;
use crate::pattern::compile;
use crate::rule::Rule;
use crate::scout::Scout;
use crate::text::CodePage;
use crate::words::spaced;

/// What kind of source a log is: whose traces its lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// The provisioning agent.
    Provisioning,
    /// sdclient.exe.
    Sdclient,
    /// vulscan.exe.
    Vulscan,
    /// The local scheduler.
    Localsch,
    /// The policy sync.
    Policysync,
    /// A policy task's state file.
    PolicyStatus,
    /// An export of the registry: last runs of programs.
    Registry,
    /// A Windows event log: starts and ends of processes.
    EventLog,
    /// Facts about the device.
    DeviceFacts,
}

impl SourceKind {
    /// The kind's name in output.
    pub fn word(self) -> &'static str {
        match self {
            SourceKind::Provisioning => "provisioning",
            SourceKind::Sdclient => "sdclient",
            SourceKind::Vulscan => "vulscan",
            SourceKind::Localsch => "localsch",
            SourceKind::Policysync => "policysync",
            SourceKind::PolicyStatus => "policy_status",
            SourceKind::Registry => "registry",
            SourceKind::EventLog => "event_log",
            SourceKind::DeviceFacts => "device_facts",
        }
    }
}

/// What a line is that no rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// Not understood, and counted as such.
    #[default]
    Unknown,
    /// Known to be of no interest: the format is read for a few lines only.
    Noise,
}

/// A format that can't be loaded: what, where, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 if the file as a whole is meant.
    pub line: usize,
    /// What is wrong and what to write.
    pub what: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl std::error::Error for FormatError {}

/// A place in a format file, to hang an error on.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: String,
    line: usize,
}

pub(crate) fn locate(path: &str, text: &str, span: Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or("");
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    Place { path: path.to_owned(), line }
}

impl Place {
    /// Whether it is in a file that came with the program.
    pub(crate) fn is_builtin(&self) -> bool {
        is_builtin(&self.path)
    }

    /// The file.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn error(&self, what: impl Into<String>) -> FormatError {
        FormatError { path: self.path.clone(), line: self.line, what: what.into() }
    }
}

impl FormatError {
    pub(crate) fn from_toml(path: &str, text: &str, error: &toml::de::Error) -> FormatError {
        let span = error.span().unwrap_or(0..0);
        let remedy = remedy(error.message());
        locate(path, text, span).error(format!("{}{remedy}", error.message()))
    }
}

/// What to write instead, where the message of the TOML reader doesn't say it.
fn remedy(message: &str) -> String {
    if let Some(key) = message.strip_prefix("missing field ") {
        return format!("; add {} = …, docs/OVERLAYS.md says what it is", key.replace('`', ""));
    }
    let wanted = message.strip_prefix("invalid type").and_then(|rest| rest.split_once("expected "));
    let remedy = match wanted.map(|(_, wanted)| wanted) {
        Some("a string") => "; write it in quotes",
        Some("a sequence") => "; write a list in [ ]",
        Some("a boolean") => "; write true or false, without quotes",
        Some("u32") => "; write a number, without quotes",
        Some(_) | None => "",
    };
    remedy.to_owned()
}

/// Where an XML status file holds what we read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct XmlToml {
    /// The root element.
    pub root: String,
    /// Element with the task's id.
    pub task: String,
    /// Element with the state's number.
    pub status: String,
    /// Element with the exit code, decimal.
    pub code: String,
    /// Element with Unix seconds, UTC.
    pub last_run: String,
    /// A file that reads.
    pub specimen: String,
    /// How well it is known.
    pub mark: Mark,
}

/// How the name of a source's file looks.
#[derive(Debug, Clone)]
pub struct FilePattern {
    /// Whole file name, case ignored; may capture `task`.
    pub name: Regex,
    /// The same as it is written.
    pub written: String,
    /// A name that it takes.
    pub specimen: String,
    /// How well it is known.
    pub mark: Mark,
    /// The file that it comes from.
    pub origin: String,
}

/// What stands in a child's command line.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// Captures `task`: the task's id.
    pub task: Regex,
    /// Captures `name`: the task's name in the console.
    pub task_name: Regex,
    /// A status sender, which is no deployment.
    pub messenger: Regex,
    /// How well it is known.
    pub mark: Mark,
}

impl Arguments {
    /// The task's id in a command line.
    pub fn task_of<'a>(&self, line: &'a str) -> Option<&'a str> {
        Some(self.task.captures(line)?.name("task")?.as_str())
    }

    /// The task's name in a command line.
    pub fn task_name_of<'a>(&self, line: &'a str) -> Option<&'a str> {
        Some(self.task_name.captures(line)?.name("name")?.as_str())
    }
}

/// One log format.
#[derive(Debug, Clone)]
pub struct Format {
    /// Its name, unique.
    pub name: String,
    /// Whose traces its lines are.
    pub kind: SourceKind,
    /// Names of files that have it.
    pub files: Vec<FilePattern>,
    /// Stamps to try, in order.
    pub stamps: Vec<Layout>,
    /// Whether a line without a stamp may be a record of its own.
    pub unstamped: bool,
    /// What unmatched lines are.
    pub others: Others,
    /// What lines are that are not UTF-8.
    pub code_page: CodePage,
    /// Its message rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// A backslash at the end of a line with a rule's word joins the next one to it.
    pub joins: bool,
    /// Set for Windows event logs.
    pub event_log: Option<EventLogRules>,
    /// Set for files that are one XML document.
    pub xml: Option<XmlToml>,
    /// Finds the lines that must be searched for words.
    pub(crate) scout: Scout,
    /// Tells the rules whose messages begin with a fixed text in all other lines.
    pub(crate) openings: Openings,
    /// Finds the words of `rules`; pattern n stands for the rules of `word_rules[n]`.
    pub(crate) finder: AhoCorasick,
    /// For each word the set of rules that need it, one bit a rule.
    pub(crate) word_rules: Vec<u128>,
    /// The rules that have no word, to be tried on every line.
    pub(crate) wordless: u128,
}

/// All formats, the code table, and what is known of command lines and action names.
#[derive(Debug, Clone)]
pub struct Formats {
    /// In order of name.
    pub formats: Vec<Format>,
    /// Exit codes.
    pub codes: CodeTable,
    /// Command lines.
    pub arguments: Arguments,
    /// All layouts of stamps, in the order in which they were declared.
    pub layouts: Vec<Layout>,
    /// Names of actions that install the agent.
    pub agent_install: Actions,
    /// Failures that the user expects.
    pub expected: Expected,
}

/// Names of actions that install the agent.
#[derive(Debug, Clone)]
pub struct Actions {
    /// What finds them.
    pub pattern: Regex,
    /// The same as it is written.
    pub written: String,
    /// Names that it takes.
    pub specimens: Vec<String>,
    /// How well they are known.
    pub mark: Mark,
}

impl Actions {
    /// These and others.
    pub(crate) fn and(mut self, other: Actions) -> Result<Actions, String> {
        self.written = format!("(?:{})|(?:{})", self.written, other.written);
        self.pattern = compile(&spaced(&self.written))?;
        self.specimens.extend(other.specimens);
        self.mark = self.mark.max(other.mark);
        Ok(self)
    }
}

/// Failures that are expected: they are counted, and left out of lists and rankings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Names of steps; `*` stands for anything, case is ignored.
    pub steps: Vec<String>,
    /// Canonical values of exit codes.
    pub codes: Vec<u32>,
}

/// Whether a file came with the program.
pub fn is_builtin(origin: &str) -> bool {
    origin.starts_with(BUILTIN)
}

/// What the names of the program's own files begin with in messages.
pub(crate) const BUILTIN: &str = "built-in ";

impl Formats {
    /// From here on, lines that are not UTF-8 are of this code page.
    pub fn read_with(&mut self, page: CodePage) {
        for format in &mut self.formats {
            format.code_page = page;
            // Stamps are read off the bytes of a line, before anything of it is decoded.
            let paged: Vec<Layout> =
                format.stamps.iter().filter_map(|layout| layout.in_page(page)).collect();
            format.stamps.extend(paged);
        }
    }

    /// The format of a file by its name alone, with the task id that the name holds.
    pub fn by_file_name(&self, name: &str) -> Option<(usize, Option<String>)> {
        // What a user says of a name goes before what came with the program.
        [false, true].into_iter().find_map(|builtin| {
            self.formats.iter().enumerate().find_map(|(at, format)| {
                let own = format.files.iter().filter(|file| is_builtin(&file.origin) == builtin);
                let captures = own.into_iter().find_map(|file| file.name.captures(name))?;
                Some((at, captures.name("task").map(|task| task.as_str().to_owned())))
            })
        })
    }
}

impl Format {
    /// How well a line's wording is known: its rule, and the layout of its stamp. `None` for a line
    /// that no rule knows; where its time rests on a layout that is a guess, it is not.
    pub fn mark_of(&self, rule: Option<usize>, layout: Option<usize>) -> Option<Mark> {
        let rule = rule.and_then(|rule| self.rules.get(rule)).map(|rule| rule.mark);
        let stamp = layout.and_then(|at| self.stamps.get(at)).map(|layout| layout.mark);
        rule.max(stamp.filter(|stamp| rule.is_some() || *stamp >= Mark::Assumed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_formats_load() {
        let formats = Formats::builtin().expect("the embedded formats are right");
        assert_eq!(formats.formats.len(), 10);
        let name = |name| {
            let (at, task) = formats.by_file_name(name)?;
            Some((formats.formats[at].name.as_str(), task))
        };
        assert_eq!(name("SDCLIENT_TASK34163.2.log"), Some(("sdclient", Some("34163".to_owned()))));
        assert_eq!(name("vulscan.1.log"), Some(("vulscan", None)));
        assert_eq!(name("cp.7.runnow.STAT"), Some(("policy-status", Some("7".to_owned()))));
        assert_eq!(name("readme.txt"), None);
    }

    #[test]
    fn an_unspecific_rule_is_refused_with_its_line() {
        let text =
            include_str!("../formats/vulscan.toml").replace("'^Last status:'", "'status|Starting'");
        let stamps = include_str!("../formats/stamps.toml");
        let codes = include_str!("../formats/codes.toml");
        let loaded = Formats::load(
            ("stamps.toml", stamps),
            ("codes.toml", codes),
            &[("vulscan.toml", &text)],
        )
        .map(|_| ());
        let error = loaded.expect_err("two rules match");
        assert!(error.to_string().starts_with("vulscan.toml:38: "), "{error}");
        assert!(error.what.contains("is matched by last status too"), "{error}");
    }
}
