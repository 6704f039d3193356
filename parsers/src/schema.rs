//! The schema of `formats/*.toml`, and the checks that a file must pass.
//!
//! A rule must match its own specimen, and no other rule of its format may match it: else the
//! answer would depend on the order of rules.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;
use serde::Deserialize;

use crate::event::Mark;
use crate::event_log::EventLogToml;
use crate::format::{
    Arguments, FilePattern, Format, FormatError, Others, SourceKind, XmlToml, locate,
};
use crate::layout::Layout;
use crate::rule::{Meaning, Rule, compile, spaced};
use crate::text::CodePage;

/// What one file adds.
pub(crate) struct Loaded {
    /// The format.
    pub(crate) format: Format,
    /// Its section `[arguments]`.
    pub(crate) arguments: Option<Arguments>,
    /// Its section `[actions]`: names of actions that install the agent.
    pub(crate) agent_install: Option<Regex>,
}

/// Reads and checks one file.
pub(crate) fn load(path: &str, text: &str, layouts: &[Layout]) -> Result<Loaded, FormatError> {
    let mut toml: FormatToml =
        toml::from_str(text).map_err(|error| FormatError::from_toml(path, text, &error))?;
    let arguments = toml.arguments.take();
    let arguments = arguments.map(|section| read_arguments(path, text, section)).transpose()?;
    let actions = toml.actions.take();
    let agent_install = actions.map(|section| read_actions(path, text, &section)).transpose()?;
    let format = read_format(path, text, toml, layouts)?;
    Ok(Loaded { format, arguments, agent_install })
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
    #[serde(default)]
    joins: bool,
    event_log: Option<EventLogToml>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum ReaderToml {
    #[default]
    Lines,
    Xml,
    EventLog,
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
    if (toml.reader == ReaderToml::EventLog) != toml.event_log.is_some() {
        let what = "reader = \"event_log\" and the section [event_log] go together";
        return Err(FormatError { path: path.to_owned(), line: 1, what: what.to_owned() });
    }
    let event_log = toml.event_log.map(|section| section.compile(path, text)).transpose()?;
    Ok(Format {
        name: toml.name,
        kind: toml.kind,
        files,
        stamps,
        unstamped,
        others: toml.others,
        code_page: CodePage::default(),
        wordless: rule_set(&rules, |rule| rule.words.is_empty()),
        rules,
        joins: toml.joins,
        event_log,
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
