//! Formats as data: reads `formats/*.toml` and refuses what can't be right.
//!
//! A rule must match its own specimen, and no other rule of its format may match it:
//! else the answer would depend on the order of rules.

use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;
use serde::Deserialize;

use crate::code::CodeTable;
use crate::event::Mark;
use crate::rule::{Meaning, Rule, compile, spaced};
use crate::stamp::{Layout, read_layouts};

/// What kind of source a log is: whose traces its lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
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
    pub(crate) fn error(&self, what: impl Into<String>) -> FormatError {
        FormatError { path: self.path.clone(), line: self.line, what: what.into() }
    }
}

impl FormatError {
    pub(crate) fn from_toml(path: &str, text: &str, error: &toml::de::Error) -> FormatError {
        let span = error.span().unwrap_or(0..0);
        locate(path, text, span).error(error.message().to_owned())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormatToml {
    #[serde(rename = "schema")]
    _schema: u32,
    name: String,
    kind: SourceKind,
    #[serde(default)]
    reader: ReaderToml,
    stamps: Option<toml::Spanned<Vec<String>>>,
    #[serde(default)]
    others: Others,
    file: Vec<FileToml>,
    #[serde(default)]
    message: Vec<MessageToml>,
    arguments: Option<ArgumentsToml>,
    actions: Option<ActionsToml>,
    xml: Option<XmlToml>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum ReaderToml {
    #[default]
    Lines,
    Xml,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileToml {
    name: toml::Spanned<String>,
    specimen: String,
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageToml {
    name: toml::Spanned<String>,
    means: Meaning,
    pattern: toml::Spanned<String>,
    unless: Option<String>,
    specimen: toml::Spanned<String>,
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArgumentsToml {
    task: toml::Spanned<String>,
    task_name: toml::Spanned<String>,
    messenger: toml::Spanned<String>,
    specimens: Vec<String>,
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionsToml {
    agent_install: toml::Spanned<String>,
    specimens: Vec<String>,
    mark: Mark,
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
    /// How well it is known.
    pub mark: Mark,
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
    /// Its message rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// Set for files that are one XML document.
    pub xml: Option<XmlToml>,
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
    /// Names of actions that install the agent.
    pub agent_install: Regex,
}

/// The files that are embedded: name and text.
const BUILTIN: [(&str, &str); 8] = [
    ("localsch.toml", include_str!("../formats/localsch.toml")),
    ("policy-status.toml", include_str!("../formats/policy-status.toml")),
    ("policysync.toml", include_str!("../formats/policysync.toml")),
    ("provisioning.toml", include_str!("../formats/provisioning.toml")),
    ("scheduler-tasks.toml", include_str!("../formats/scheduler-tasks.toml")),
    ("sdclient.toml", include_str!("../formats/sdclient.toml")),
    ("systeminfo.toml", include_str!("../formats/systeminfo.toml")),
    ("vulscan.toml", include_str!("../formats/vulscan.toml")),
];

impl Formats {
    /// The formats that come with the program.
    ///
    /// # Errors
    /// None in a build whose tests passed; the type is that of user files.
    pub fn builtin() -> Result<Formats, FormatError> {
        let stamps = include_str!("../formats/stamps.toml");
        let codes = include_str!("../formats/codes.toml");
        Formats::load(("stamps.toml", stamps), ("codes.toml", codes), &BUILTIN)
    }

    /// Loads formats from texts; each pair is a file's name and its text.
    ///
    /// # Errors
    /// The first file, line and reason that can't be right.
    pub fn load(
        stamps: (&str, &str),
        codes: (&str, &str),
        files: &[(&str, &str)],
    ) -> Result<Formats, FormatError> {
        let layouts = read_layouts(stamps.0, stamps.1)?;
        let codes = CodeTable::read(codes.0, codes.1)?;
        let mut formats = Vec::new();
        let mut arguments = None;
        let mut agent_install = None;
        for (path, text) in files {
            let mut toml: FormatToml =
                toml::from_str(text).map_err(|error| FormatError::from_toml(path, text, &error))?;
            if let Some(section) = toml.arguments.take() {
                arguments = Some(read_arguments(path, text, section)?);
            }
            if let Some(section) = toml.actions.take() {
                agent_install = Some(read_actions(path, text, &section)?);
            }
            formats.push(read_format(path, text, toml, &layouts)?);
        }
        formats.sort_by(|a, b| a.name.cmp(&b.name));
        let missing = |section: &str| FormatError {
            path: "formats".to_owned(),
            line: 0,
            what: format!("no format file has the section [{section}]; provisioning.toml should"),
        };
        Ok(Formats {
            formats,
            codes,
            arguments: arguments.ok_or_else(|| missing("arguments"))?,
            agent_install: agent_install.ok_or_else(|| missing("actions"))?,
        })
    }

    /// The format of a file by its name alone, with the task id that the name holds.
    pub fn by_file_name(&self, name: &str) -> Option<(usize, Option<String>)> {
        self.formats.iter().enumerate().find_map(|(at, format)| {
            let captures = format.files.iter().find_map(|file| file.name.captures(name))?;
            Some((at, captures.name("task").map(|task| task.as_str().to_owned())))
        })
    }
}

fn read_arguments(path: &str, text: &str, toml: ArgumentsToml) -> Result<Arguments, FormatError> {
    let compiled = |pattern: &toml::Spanned<String>| {
        compile(&spaced(pattern.get_ref()))
            .map_err(|why| locate(path, text, pattern.span()).error(why))
    };
    let arguments = Arguments {
        task: compiled(&toml.task)?,
        task_name: compiled(&toml.task_name)?,
        messenger: compiled(&toml.messenger)?,
        mark: toml.mark,
    };
    let all = [&arguments.task, &arguments.task_name, &arguments.messenger];
    if all.iter().any(|regex| !toml.specimens.iter().any(|s| regex.is_match(s))) {
        let at = locate(path, text, toml.task.span());
        return Err(at.error("every pattern of [arguments] needs a specimen that it matches"));
    }
    Ok(arguments)
}

fn read_actions(path: &str, text: &str, toml: &ActionsToml) -> Result<Regex, FormatError> {
    let at = locate(path, text, toml.agent_install.span());
    let regex = compile(&spaced(toml.agent_install.get_ref())).map_err(|why| at.error(why))?;
    let _known = toml.mark;
    if toml.specimens.iter().all(|specimen| regex.is_match(specimen)) {
        Ok(regex)
    } else {
        Err(at.error("agent_install must match every specimen of [actions]"))
    }
}

fn read_format(
    path: &str,
    text: &str,
    toml: FormatToml,
    layouts: &[Layout],
) -> Result<Format, FormatError> {
    let mut stamps = Vec::new();
    let mut unstamped = false;
    for name in toml.stamps.iter().flat_map(toml::Spanned::get_ref) {
        if name == "none" {
            unstamped = true;
            continue;
        }
        let span = toml.stamps.as_ref().map_or(0..0, toml::Spanned::span);
        let layout = layouts.iter().find(|layout| layout.name == *name).ok_or_else(|| {
            locate(path, text, span).error(format!("no stamp is named {name}; see stamps.toml"))
        })?;
        stamps.push(layout.clone());
    }
    let files = read_files(path, text, &toml.file)?;
    let rules = read_rules(path, text, toml.message, toml.others)?;
    let (finder, word_rules) = build_finder(path, &rules)?;
    if (toml.reader == ReaderToml::Xml) != toml.xml.is_some() {
        let what = "reader = \"xml\" and the section [xml] go together";
        return Err(FormatError { path: path.to_owned(), line: 1, what: what.to_owned() });
    }
    Ok(Format {
        name: toml.name,
        kind: toml.kind,
        files,
        stamps,
        unstamped,
        others: toml.others,
        wordless: rule_set(&rules, |rule| rule.words.is_empty()),
        rules,
        xml: toml.xml,
        finder,
        word_rules,
    })
}

fn read_files(path: &str, text: &str, toml: &[FileToml]) -> Result<Vec<FilePattern>, FormatError> {
    let mut files = Vec::new();
    for file in toml {
        let at = locate(path, text, file.name.span());
        let name =
            compile(&format!("^(?:{})$", file.name.get_ref())).map_err(|why| at.error(why))?;
        if !name.is_match(&file.specimen) {
            return Err(at.error("the file name pattern doesn't match its specimen"));
        }
        files.push(FilePattern { name, mark: file.mark });
    }
    Ok(files)
}

fn read_rules(
    path: &str,
    text: &str,
    messages: Vec<MessageToml>,
    others: Others,
) -> Result<Vec<Rule>, FormatError> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut places = Vec::new();
    for message in messages {
        let at = locate(path, text, message.pattern.span());
        let name = message.name.into_inner();
        if rules.iter().any(|rule| rule.name == name) {
            return Err(
                at.error(format!("two rules are named {name}; names are unique in a format"))
            );
        }
        let rule = Rule::compile(
            name,
            message.means,
            message.mark,
            message.specimen.get_ref().clone(),
            message.pattern.get_ref(),
            message.unless.as_deref(),
        )
        .map_err(|why| at.error(why))?;
        if rule.words.is_empty() && others == Others::Unknown {
            let what = "the pattern needs a fixed word of three letters or more, so that its lines are found fast";
            return Err(at.error(what));
        }
        places.push(locate(path, text, message.specimen.span()));
        rules.push(rule);
    }
    for (own, rule) in rules.iter().enumerate() {
        if rule.read(&rule.specimen).is_none() {
            return Err(
                places[own].error(format!("the rule {} doesn't match its own specimen", rule.name))
            );
        }
        let other = rules
            .iter()
            .enumerate()
            .find(|(at, other)| *at != own && other.matches(&rule.specimen));
        if let Some((_, other)) = other {
            let what = format!(
                "the specimen of {} is matched by {} too; narrow one of them",
                rule.name, other.name
            );
            return Err(places[own].error(what));
        }
    }
    Ok(rules)
}

/// The rules that satisfy `wanted`, one bit a rule.
fn rule_set(rules: &[Rule], wanted: impl Fn(&Rule) -> bool) -> u128 {
    rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| wanted(rule))
        .fold(0, |set, (at, _)| set | (1 << at))
}

/// One automaton over the words of all rules; overlapping search, so that a word inside
/// another word isn't missed.
fn build_finder(path: &str, rules: &[Rule]) -> Result<(AhoCorasick, Vec<u128>), FormatError> {
    let error = |what: String| FormatError { path: path.to_owned(), line: 0, what };
    if rules.len() > 128 {
        return Err(error("a format can have 128 rules; split it by file name".to_owned()));
    }
    let mut words: Vec<&str> =
        rules.iter().flat_map(|rule| rule.words.iter().map(String::as_str)).collect();
    words.sort_unstable();
    words.dedup();
    let word_rules = words
        .iter()
        .map(|word| rule_set(rules, |rule| rule.words.iter().any(|own| own == word)))
        .collect();
    let finder = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(&words)
        .map_err(|why| error(why.to_string()))?;
    Ok((finder, word_rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_formats_load() {
        let formats = Formats::builtin().expect("the embedded formats are right");
        assert_eq!(formats.formats.len(), BUILTIN.len());
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
        let layouts =
            read_layouts("stamps.toml", include_str!("../formats/stamps.toml")).expect("embedded");
        let toml: FormatToml = toml::from_str(&text).expect("still toml");
        let error =
            read_format("vulscan.toml", &text, toml, &layouts).expect_err("two rules match");
        assert!(error.to_string().starts_with("vulscan.toml:38: "), "{error}");
        assert!(error.what.contains("is matched by last status too"), "{error}");
    }
}
