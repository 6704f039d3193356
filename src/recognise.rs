//! What a file is: told by its name, else by how it begins.

use std::io::{self, Read};
use std::path::Path;

use provtrace_parsers::engine::{BlockEnd, Line, Outcome, Reader};
use provtrace_parsers::event::Event;
use provtrace_parsers::format::{Format, Formats};
use provtrace_parsers::stamp::DateOrder;
use provtrace_parsers::text;

use crate::paths::plain;
use crate::place::{self, Member};

/// How much of a file is looked at, in bytes.
const HEAD: u64 = 64 << 10;

/// Names of the agent's programs and folders, in lower case: a log that has one may be the agent's.
const WORDS: [&str; 8] = [
    "sdclient",
    "vulscan",
    "localsch",
    "policysync",
    "ldprovision",
    "landesk",
    "ldclient",
    "custjob",
];

/// What a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Index into [`Formats::formats`].
    pub format: usize,
    /// The task id that its name holds.
    pub task: Option<String>,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A log of a known format.
    Log(Log),
    /// A log by its name, of no known format.
    UnknownLog {
        /// Whether it speaks of the agent's programs.
        of_agent: bool,
    },
    /// No log.
    Other,
    /// Why it can't be told.
    Unreadable(String),
}

/// Whether a file of this name may be a log.
pub fn is_log(path: &str, formats: &Formats) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    formats.by_file_name(name).is_some() || name.to_lowercase().ends_with(".log")
}

/// Tells what a file is, or a member of it; `shown` ends with its name.
pub fn recognise(shown: &str, file: &Path, member: Option<&Member>, formats: &Formats) -> Kind {
    let name = shown.rsplit('/').next().unwrap_or(shown);
    if let Some((format, task)) = formats.by_file_name(name) {
        return Kind::Log(Log { format, task });
    }
    if !is_log(name, formats) {
        return Kind::Other;
    }
    match head(file, member) {
        Err(error) => Kind::Unreadable(plain(&error)),
        Ok(head) => match by_content(&head, formats) {
            Some(format) => Kind::Log(Log { format, task: None }),
            None => Kind::UnknownLog { of_agent: is_of_agent(&head) },
        },
    }
}

/// Whether a file's head speaks of the agent's programs or folders.
fn is_of_agent(head: &[u8]) -> bool {
    let head = text::searchable(head).to_ascii_lowercase();
    WORDS.iter().any(|word| memmem(&head, word.as_bytes()))
}

fn memmem(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}

/// The host's name that a file of facts about a device begins with.
pub fn host_name(file: &Path, member: Option<&Member>, format: &Format) -> Option<String> {
    let head = head(file, member).ok()?;
    let mut host = None;
    let mut note = |line: &Line<'_>| {
        if let Some(Event::HostName { name }) = &line.event
            && !name.contains(['/', '\\'])
        {
            host.get_or_insert_with(|| name.clone());
        }
    };
    let mut reader = Reader::new(format, DateOrder::MonthFirst, b'\n');
    reader.block(&text::searchable(&head), BlockEnd::Last, &mut note);
    host
}

/// As much of the head as can be read.
fn head(file: &Path, member: Option<&Member>) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    match place::open(file, member)?.take(HEAD).read_to_end(&mut head) {
        Err(error) if head.is_empty() => Err(error),
        Ok(_) | Err(_) => Ok(head),
    }
}

/// The format whose rules find most events in a file's head; none where two are level.
fn by_content(head: &[u8], formats: &Formats) -> Option<usize> {
    let head = &text::searchable(head);
    let mut scores: Vec<(u64, usize)> = Vec::new();
    for (at, format) in formats.formats.iter().enumerate() {
        // A format that ignores most of its lines would claim any file.
        if format.xml.is_some() || format.event_log.is_some() || format.others != Default::default()
        {
            continue;
        }
        let mut events = 0;
        let mut count = |line: &Line<'_>| {
            let telling = line.outcome == Outcome::Event && line.event != Some(Event::Alive);
            events += u64::from(telling) * 3 + u64::from(line.event == Some(Event::Alive));
        };
        Reader::new(format, DateOrder::MonthFirst, b'\n').block(head, BlockEnd::Last, &mut count);
        scores.push((events, at));
    }
    scores.sort_by_key(|(events, at)| (std::cmp::Reverse(*events), *at));
    match scores.as_slice() {
        [(best, at), (second, _), ..] if best > second => Some(*at),
        _none_or_level => None,
    }
}
