//! The schema of `formats/*.toml`, and the checks that a file must pass.
//!
//! A rule must match its own specimen, and no other rule of its format may match it: else the
//! answer would depend on the order of rules.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde::Deserialize;

use crate::event::Mark;
use crate::event_log::{EventLogRules, EventLogToml};
use crate::format::{
    Actions, Arguments, FilePattern, Format, FormatError, Others, Place, SourceKind, XmlToml,
    locate,
};
use crate::layout::Layout;
use crate::opening::Openings;
use crate::pattern::compile;
use crate::rule::{Meaning, Rule};
use crate::scout::Scout;
use crate::text::CodePage;
use crate::words::spaced;

/// What one file adds.
pub(crate) struct Loaded {
    /// The format.
    pub(crate) format: FormatDraft,
    /// Its section `[arguments]`.
    pub(crate) arguments: Option<Arguments>,
    /// Its section `[actions]`: names of actions that install the agent.
    pub(crate) agent_install: Option<Actions>,
}

/// A format that has been read but not put together: an overlay may still change it.
pub(crate) struct FormatDraft {
    pub(crate) name: String,
    pub(crate) kind: SourceKind,
    pub(crate) files: Vec<FilePattern>,
    /// Names of stamps in the order in which they are tried, and where they are asked for.
    pub(crate) stamps: Vec<(String, Place)>,
    pub(crate) others: Others,
    pub(crate) messages: Vec<Message>,
    pub(crate) joins: bool,
    pub(crate) event_log: Option<EventLogRules>,
    pub(crate) xml: Option<XmlToml>,
    /// Where it begins.
    pub(crate) at: Place,
}

/// A message rule as it is written, and where.
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) means: Meaning,
    pub(crate) pattern: String,
    pub(crate) unless: Option<String>,
    pub(crate) specimen: String,
    pub(crate) mark: Mark,
    pub(crate) at: Place,
    pub(crate) specimen_at: Place,
}

/// Reads one file of the program's own.
pub(crate) fn load(path: &str, text: &str) -> Result<Loaded, FormatError> {
    let mut toml: FormatToml =
        toml::from_str(text).map_err(|error| FormatError::from_toml(path, text, &error))?;
    let arguments = toml.arguments.take();
    let arguments = arguments.map(|section| read_arguments(path, text, section)).transpose()?;
    let actions = toml.actions.take();
    let agent_install = actions.map(|section| section.read(path, text)).transpose()?;
    let format = toml.draft(path, text)?;
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
pub(crate) struct FileToml {
    name: toml::Spanned<String>,
    specimen: String,
    mark: Mark,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageToml {
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
pub(crate) struct ActionsToml {
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

impl ActionsToml {
    /// The pattern of names of actions that install the agent.
    pub(crate) fn read(self, path: &str, text: &str) -> Result<Actions, FormatError> {
        let at = locate(path, text, self.agent_install.span());
        let pattern =
            compile(&spaced(self.agent_install.get_ref())).map_err(|why| at.error(why))?;
        if !self.specimens.is_empty() && self.specimens.iter().all(|own| pattern.is_match(own)) {
            let (written, specimens) = (self.agent_install.into_inner(), self.specimens);
            Ok(Actions { pattern, written, specimens, mark: self.mark })
        } else {
            Err(at.error("agent_install must match every specimen of [actions], at least one"))
        }
    }
}

impl FormatToml {
    fn draft(self, path: &str, text: &str) -> Result<FormatDraft, FormatError> {
        if (self.reader == ReaderToml::Xml) != self.xml.is_some() {
            let what = "reader = \"xml\" and the section [xml] go together";
            return Err(FormatError { path: path.to_owned(), line: 1, what: what.to_owned() });
        }
        if (self.reader == ReaderToml::EventLog) != self.event_log.is_some() {
            let what = "reader = \"event_log\" and the section [event_log] go together";
            return Err(FormatError { path: path.to_owned(), line: 1, what: what.to_owned() });
        }
        let messages = self.message.into_iter().map(|message| message.place(path, text));
        Ok(FormatDraft {
            name: self.name,
            kind: self.kind,
            files: read_files(path, text, &self.file)?,
            stamps: stamp_names(path, text, self.stamps),
            others: self.others,
            messages: messages.collect(),
            joins: self.joins,
            event_log: self.event_log.map(|section| section.compile(path, text)).transpose()?,
            xml: self.xml,
            at: locate(path, text, 0..0),
        })
    }
}

/// The names of stamps that a format asks for, each with the place of the list.
pub(crate) fn stamp_names(
    path: &str,
    text: &str,
    names: Option<toml::Spanned<Vec<String>>>,
) -> Vec<(String, Place)> {
    let Some(names) = names else { return Vec::new() };
    let at = locate(path, text, names.span());
    names.into_inner().into_iter().map(|name| (name, at.clone())).collect()
}

impl MessageToml {
    /// Remembers where the rule stands.
    pub(crate) fn place(self, path: &str, text: &str) -> Message {
        Message {
            at: locate(path, text, self.pattern.span()),
            specimen_at: locate(path, text, self.specimen.span()),
            name: self.name.into_inner(),
            means: self.means,
            pattern: self.pattern.into_inner(),
            unless: self.unless,
            specimen: self.specimen.into_inner(),
            mark: self.mark,
        }
    }
}

impl FormatDraft {
    /// Puts the format together, and checks that its rules are told apart.
    pub(crate) fn compile(self, layouts: &[Layout]) -> Result<Format, FormatError> {
        let mut stamps = Vec::new();
        let mut unstamped = false;
        for (name, at) in self.stamps {
            if name == "none" {
                unstamped = true;
                continue;
            }
            let layout = layouts.iter().find(|layout| layout.name == name).ok_or_else(|| {
                at.error(format!("no stamp is named {name}; declare it as [[stamp]]"))
            })?;
            stamps.push(layout.clone());
        }
        let rules = read_rules(&self.messages, self.others)?;
        let (finder, word_rules) = build_finder(&self.at, &rules)?;
        // Whether a joined record begins depends on words alone.
        let openings = Openings::of(if self.joins { &[] } else { &rules });
        let wordless = rule_set(&rules, |rule| rule.words.is_empty());
        let (searched, compared): (Vec<&Rule>, Vec<&Rule>) =
            rules.iter().partition(|rule| self.joins || rule.opening.is_none());
        let words: Vec<&str> =
            searched.iter().flat_map(|rule| rule.words.iter().map(String::as_str)).collect();
        let known: Vec<&str> = compared.iter().map(|rule| rule.specimen.as_str()).collect();
        let scout = match wordless {
            0 => Scout::new(&words, &known),
            _some => Scout::Everything,
        };
        Ok(Format {
            name: self.name,
            kind: self.kind,
            files: self.files,
            stamps,
            unstamped,
            others: self.others,
            code_page: CodePage::default(),
            wordless,
            scout,
            openings,
            rules,
            joins: self.joins,
            event_log: self.event_log,
            xml: self.xml,
            finder,
            word_rules,
        })
    }
}

/// Reads and checks the names of a format's files.
pub(crate) fn read_files(
    path: &str,
    text: &str,
    toml: &[FileToml],
) -> Result<Vec<FilePattern>, FormatError> {
    let mut files = Vec::new();
    for file in toml {
        let at = locate(path, text, file.name.span());
        let name =
            compile(&format!("^(?:{})$", file.name.get_ref())).map_err(|why| at.error(why))?;
        if !at.is_builtin() && !name.is_match(&file.specimen) {
            let what =
                "the file name pattern doesn't match its specimen; it has to fit the whole name";
            return Err(at.error(what));
        }
        files.push(FilePattern {
            name,
            written: file.name.get_ref().clone(),
            specimen: file.specimen.clone(),
            mark: file.mark,
            origin: path.to_owned(),
        });
    }
    Ok(files)
}

fn read_rules(messages: &[Message], others: Others) -> Result<Vec<Rule>, FormatError> {
    let mut rules: Vec<Rule> = Vec::new();
    for message in messages {
        if rules.iter().any(|rule| rule.name == message.name) {
            let what =
                format!("two rules are named {}; names are unique in a format", message.name);
            return Err(message.at.error(what));
        }
        let rule = Rule::compile(message).map_err(|why| message.at.error(why))?;
        if rule.words.is_empty() && others == Others::Unknown && message.pattern.is_ascii() {
            let what = "the pattern needs a fixed word of three letters or more, so that its lines are found fast";
            return Err(message.at.error(what));
        }
        rules.push(rule);
    }
    for (own, rule) in rules.iter().enumerate() {
        let message = &messages[own];
        // The program's own rules are told apart by a test, not each time that it starts.
        let builtin = message.at.is_builtin();
        if !builtin && rule.read(&rule.specimen).is_none() {
            let what = format!(
                "the rule {} doesn't match its own specimen; write a message of a log, without its stamp",
                rule.name
            );
            return Err(message.specimen_at.error(what));
        }
        let is_told = |at: usize| at == own || builtin && messages[at].at.is_builtin();
        let mut others = rules.iter().enumerate().filter(|(at, _)| !is_told(*at));
        if let Some((other, _)) = others.find(|(_, other)| other.matches(&rule.specimen)) {
            return Err(shared(message, &messages[other]));
        }
    }
    Ok(rules)
}

/// The specimen of one rule is matched by another one, too: says so where the user wrote.
fn shared(own: &Message, other: &Message) -> FormatError {
    let what = format!("the specimen of {} is matched by {} too; ", own.name, other.name);
    match (own.at.is_builtin(), other.at.is_builtin()) {
        (false, true) => own.specimen_at.error(format!(
            "{what}narrow the pattern, or name this rule {} to replace the built-in one",
            other.name
        )),
        (true, false) => other.at.error(format!(
            "{what}narrow the pattern, or name this rule {} to replace the built-in one",
            own.name
        )),
        (true, true) | (false, false) => own.specimen_at.error(format!("{what}narrow one of them")),
    }
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
fn build_finder(at: &Place, rules: &[Rule]) -> Result<(AhoCorasick, Vec<u128>), FormatError> {
    let error = |what: String| at.error(what);
    if rules.len() > 128 {
        let what = format!("a format can have 128 rules, not {}; leave some out", rules.len());
        return Err(error(what));
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
