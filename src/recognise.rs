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

/// Ends of names of files that may be text, besides numbers.
const TEXTS: [&str; 7] = ["txt", "out", "old", "bak", "trace", "trc", "prev"];

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
    /// A log by its name, of no known format; or one by its content, of another name.
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

/// Whether a file in an archive is looked at: it may be a log, or has a name as a log of the agent may
/// have under which nobody looks for one.
pub fn is_looked_at(path: &str, formats: &Formats) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    // What a bundle of `evidence` quotes lies there whole.
    if name.ends_with(".txt") && path.split('/').any(|folder| folder == "excerpts") {
        return false;
    }
    is_log(path, formats) || is_text(&name) && WORDS.iter().any(|word| name.contains(word))
}

/// Whether a file of this name (in lower case) may be text: a copy of a log, or a part of one.
fn is_text(name: &str) -> bool {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let is_number = !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    is_number || TEXTS.contains(&end) || name.contains(".log")
}

/// Tells what a file is, or a member of it; `shown` ends with its name.
pub fn recognise(shown: &str, file: &Path, member: Option<&Member>, formats: &Formats) -> Kind {
    let name = shown.rsplit('/').next().unwrap_or(shown);
    if let Some((format, task)) = formats.by_file_name(name) {
        return Kind::Log(Log { format, task });
    }
    if !is_log(name, formats) {
        let head = if is_text(&name.to_lowercase()) { head(file, member).ok() } else { None };
        let of_agent = head.is_some_and(|head| {
            by_content(&head, formats).is_some() || is_of_agent(&head) && has_times(&head)
        });
        return if of_agent { Kind::UnknownLog { of_agent } } else { Kind::Other };
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

/// Whether a time of day stands at the beginning of most lines, as in a log.
fn has_times(head: &[u8]) -> bool {
    let head = text::searchable(head);
    let lines = head.split(|byte| *byte == b'\n').filter(|line| line.len() > 1).take(200);
    let is_time = |part: &[u8]| {
        let [a, b, c, d, e] = part else { return false };
        [a, b, d, e].iter().all(|byte| byte.is_ascii_digit()) && matches!(c, b':' | b'.')
    };
    let (mut all, mut timed) = (0, 0);
    for line in lines {
        all += 1;
        timed += u32::from(line[..line.len().min(40)].windows(5).any(is_time));
    }
    all >= 3 && timed * 2 > all
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
