//! One message rule: a pattern over a message, and the event that it means.

use serde::Deserialize;

use crate::code::{ExitCode, Notation};
use crate::event::{ActionOutcome, Arming, Creation, Event, Mark, Schedule, TaskLaunch};
use crate::opening::Opening;
use crate::pattern::{Fields, Pattern};
use crate::schema::Message;
use crate::words::{self, spaced};

/// What a rule's message means; the word of `means` in the TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Known, of no interest, and not even a sign of life worth a name.
    Noise,
    /// The program lived at that second.
    Alive,
    /// See [`Event::SessionBegins`].
    SessionBegins,
    /// See [`Event::ActionBegins`]; captures `name`.
    ActionBegins,
    /// The next line, whole, is the action's name.
    ActionBeginsNextLine,
    /// See [`Event::ActionResult`]; captures a code, `success` or `failed`.
    ActionResult,
    /// See [`Event::ProcessCreated`]; captures `program`, `arguments`.
    ProcessCreated,
    /// See [`Event::ProcessExited`]; captures a code.
    ProcessExited,
    /// See [`Event::TaskNamed`]; captures `name`.
    TaskNamed,
    /// See [`Event::RunStarts`]; may capture `arguments`.
    RunStarts,
    /// See [`Event::RunEnds`]; may capture a code.
    RunEnds,
    /// See [`Event::ResultReported`]; captures a code.
    ResultReported,
    /// See [`Event::PackageNamed`]; captures `name`.
    PackageNamed,
    /// See [`Event::Refused`]; may capture `holder`.
    Refused,
    /// See [`Event::Waits`].
    Waits,
    /// See [`Event::ScanStarts`].
    ScanStarts,
    /// See [`Event::DownloadFailed`].
    DownloadFailed,
    /// See [`Event::Launched`]; captures `task`, `program`, may capture `arguments`, `pid`.
    Launched,
    /// See [`Event::Armed`]; captures `task`, `program`, may capture `delay_min`, `delay_max`.
    Armed,
    /// See [`Event::Scheduled`]; captures `program`, `start`.
    Scheduled,
    /// See [`Event::PolicyArrives`].
    PolicyArrives,
    /// See [`Event::HolderSeen`].
    HolderSeen,
    /// See [`Event::Monitored`]; captures `program`.
    Monitored,
    /// See [`Event::LastStarted`]; captures `bytes`.
    LastStarted,
    /// See [`Event::LastDuration`]; captures `bytes`.
    LastDuration,
    /// See [`Event::HostName`]; captures `name`.
    HostName,
    /// See [`Event::TimeZone`]; captures `name`, may capture `offset`.
    TimeZone,
}

impl Meaning {
    /// The word of `means` in the TOML.
    pub fn word(self) -> &'static str {
        match self {
            Meaning::Noise => "noise",
            Meaning::Alive => "alive",
            Meaning::SessionBegins => "session_begins",
            Meaning::ActionBegins => "action_begins",
            Meaning::ActionBeginsNextLine => "action_begins_next_line",
            Meaning::ActionResult => "action_result",
            Meaning::ProcessCreated => "process_created",
            Meaning::ProcessExited => "process_exited",
            Meaning::TaskNamed => "task_named",
            Meaning::RunStarts => "run_starts",
            Meaning::RunEnds => "run_ends",
            Meaning::ResultReported => "result_reported",
            Meaning::PackageNamed => "package_named",
            Meaning::Refused => "refused",
            Meaning::Waits => "waits",
            Meaning::ScanStarts => "scan_starts",
            Meaning::DownloadFailed => "download_failed",
            Meaning::Launched => "launched",
            Meaning::Armed => "armed",
            Meaning::Scheduled => "scheduled",
            Meaning::PolicyArrives => "policy_arrives",
            Meaning::HolderSeen => "holder_seen",
            Meaning::Monitored => "monitored",
            Meaning::LastStarted => "last_started",
            Meaning::LastDuration => "last_duration",
            Meaning::HostName => "host_name",
            Meaning::TimeZone => "time_zone",
        }
    }

    /// The captures that a rule of this meaning must have: one of each group.
    fn required(self) -> &'static [&'static [&'static str]] {
        const CODE: &[&str] = &["code", "code_decimal"];
        match self {
            Meaning::ActionBegins
            | Meaning::TaskNamed
            | Meaning::PackageNamed
            | Meaning::HostName
            | Meaning::TimeZone => &[&["name"]],
            Meaning::ActionResult => &[&["code", "code_decimal", "success", "failed"]],
            Meaning::ProcessCreated => &[&["program"], &["arguments"]],
            Meaning::ProcessExited | Meaning::ResultReported => &[CODE],
            Meaning::Launched | Meaning::Armed => &[&["task"], &["program"]],
            Meaning::Scheduled => &[&["program"], &["start"]],
            Meaning::Monitored => &[&["program"]],
            Meaning::LastStarted | Meaning::LastDuration => &[&["bytes"]],
            Meaning::Noise
            | Meaning::Alive
            | Meaning::SessionBegins
            | Meaning::ActionBeginsNextLine
            | Meaning::RunStarts
            | Meaning::RunEnds
            | Meaning::Refused
            | Meaning::Waits
            | Meaning::ScanStarts
            | Meaning::DownloadFailed
            | Meaning::PolicyArrives
            | Meaning::HolderSeen => &[],
        }
    }
}

/// A compiled rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name in the TOML, unique within the format.
    pub name: String,
    /// What its message means.
    pub means: Meaning,
    /// How well the wording is known.
    pub mark: Mark,
    /// A message that it matches.
    pub specimen: String,
    /// The file that it comes from.
    pub origin: String,
    /// Lower-case words, one of which is in each of its messages; none if every line must be tried.
    pub words: Vec<String>,
    /// The pattern as it is written.
    pub written: String,
    /// What it takes and does not mean.
    pub unless_written: Option<String>,
    /// What its messages begin with, where the pattern says so.
    pub(crate) opening: Option<Opening>,
    pattern: Pattern,
    unless: Option<Pattern>,
}

/// All captures that some meaning reads: another name is a slip of the pen, and would be lost.
const CAPTURES: &str = "arguments, bytes, code, code_decimal, core, delay_max, delay_min, failed, holder, \
                        name, offset, pid, program, start, success, task";

impl Rule {
    /// Compiles a rule. A blank in `pattern` stands for one or more blanks; case is ignored.
    ///
    /// # Errors
    /// Says what is wrong with the pattern and what to write instead.
    pub(crate) fn compile(message: &Message) -> Result<Rule, String> {
        let spaced = spaced(&message.pattern);
        let pattern = Pattern::new(spaced);
        let unless = message.unless.as_deref().map(self::spaced).map(Pattern::new);
        if !message.at.is_builtin() {
            Rule::check(message.means, &pattern, unless.as_ref())?;
        }
        Ok(Rule {
            name: message.name.clone(),
            means: message.means,
            mark: message.mark,
            specimen: message.specimen.clone(),
            origin: message.at.path().to_owned(),
            words: words::required(&pattern.spaced)?,
            opening: Opening::read(&pattern.spaced, message.means, message.unless.is_some()),
            written: message.pattern.clone(),
            unless_written: message.unless.clone(),
            pattern,
            unless,
        })
    }

    /// Whether its patterns can be read, and capture what its meaning needs.
    fn check(means: Meaning, pattern: &Pattern, unless: Option<&Pattern>) -> Result<(), String> {
        let captures = pattern.check()?;
        for group in means.required() {
            if !group.iter().any(|wanted| captures.iter().any(|own| own == wanted)) {
                let wanted = group.join(">…) or (?<");
                return Err(format!("this meaning needs the capture (?<{wanted}>…)"));
            }
        }
        let known = |name: &&String| CAPTURES.split(", ").any(|own| own == name.as_str());
        if let Some(unknown) = captures.iter().find(|name| !known(name)) {
            return Err(format!("nothing reads the capture (?<{unknown}>…); there are {CAPTURES}"));
        }
        unless.map_or(Ok(()), |unless| unless.check().map(|_| ()))
    }

    /// Whether `message` is one of this rule's.
    pub fn matches(&self, message: &str) -> bool {
        self.pattern.is_match(message) && !self.is_excepted(message)
    }

    fn is_excepted(&self, message: &str) -> bool {
        self.unless.as_ref().is_some_and(|unless| unless.is_match(message))
    }

    /// What `message` says: `None` if it isn't this rule's, `Some(None)` for what has no event
    /// (noise, a name on the next line, a field that can't be read).
    pub fn read(&self, message: &str) -> Option<Option<Event>> {
        if matches!(self.means, Meaning::Noise | Meaning::ActionBeginsNextLine) {
            return self.matches(message).then_some(None);
        }
        if self.means == Meaning::Alive {
            return self.matches(message).then_some(Some(Event::Alive));
        }
        let captures = self.pattern.captures(message)?;
        (!self.is_excepted(message)).then(|| self.event(&captures))
    }

    fn event(&self, captures: &Fields<'_>) -> Option<Event> {
        let text = |name: &str| captures.name(name).map(|text| text.trim().to_owned());
        let number = |name: &str| captures.name(name).and_then(|text| text.parse::<u32>().ok());
        Some(match self.means {
            Meaning::Noise | Meaning::ActionBeginsNextLine => return None,
            Meaning::Alive => Event::Alive,
            Meaning::SessionBegins => Event::SessionBegins { core: text("core") },
            Meaning::ActionBegins => Event::ActionBegins { name: text("name")? },
            Meaning::ActionResult => Event::ActionResult { outcome: outcome(captures)? },
            Meaning::ProcessCreated => {
                let (program, arguments) = (text("program")?, text("arguments")?);
                Event::ProcessCreated(Box::new(Creation { program, arguments }))
            }
            Meaning::ProcessExited => Event::ProcessExited { code: code(captures)? },
            Meaning::TaskNamed => Event::TaskNamed { name: text("name")? },
            Meaning::RunStarts => Event::RunStarts { arguments: text("arguments") },
            Meaning::RunEnds => Event::RunEnds { code: code(captures) },
            Meaning::ResultReported => Event::ResultReported { code: code(captures)? },
            Meaning::PackageNamed => Event::PackageNamed { name: text("name")? },
            Meaning::Refused => Event::Refused { holder: text("holder") },
            Meaning::Waits => Event::Waits,
            Meaning::ScanStarts => Event::ScanStarts,
            Meaning::DownloadFailed => Event::DownloadFailed,
            Meaning::Launched => Event::Launched(Box::new(TaskLaunch {
                task: text("task")?,
                program: text("program")?,
                arguments: text("arguments").unwrap_or_default(),
                pid: number("pid"),
            })),
            Meaning::Armed => Event::Armed(Box::new(Arming {
                task: text("task")?,
                program: text("program")?,
                delay: number("delay_min").zip(number("delay_max")),
            })),
            Meaning::Scheduled => {
                let (program, start) = (text("program")?, text("start")?);
                Event::Scheduled(Box::new(Schedule { program, start }))
            }
            Meaning::PolicyArrives => Event::PolicyArrives,
            Meaning::HolderSeen => Event::HolderSeen,
            Meaning::Monitored => Event::Monitored { program: text("program")? },
            Meaning::LastStarted => Event::LastStarted { ticks: ticks(&text("bytes")?)? },
            Meaning::LastDuration => Event::LastDuration { ticks: ticks(&text("bytes")?)? },
            Meaning::HostName => Event::HostName { name: text("name")? },
            Meaning::TimeZone => Event::TimeZone {
                offset_minutes: captures.name("offset").and_then(offset),
                name: text("name")?.into(),
            },
        })
    }
}

fn code(captures: &Fields<'_>) -> Option<ExitCode> {
    let any = captures.name("code").map(|text| (text, Notation::Any));
    let decimal = || captures.name("code_decimal").map(|text| (text, Notation::Decimal));
    let (raw, notation) = any.or_else(decimal)?;
    ExitCode::read(raw, notation)
}

fn outcome(captures: &Fields<'_>) -> Option<ActionOutcome> {
    if captures.name("success").is_some() {
        return Some(ActionOutcome::Success);
    }
    if captures.name("failed").is_some() {
        return Some(ActionOutcome::Failed);
    }
    code(captures).map(ActionOutcome::Code)
}

/// `00,96,47,3f,2b,9e,db,01`: eight bytes, the least first; blanks may stand between them.
fn ticks(text: &str) -> Option<u64> {
    let mut bytes = [0; 8];
    let mut parts = text.split(',').map(str::trim);
    for byte in &mut bytes {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then(|| u64::from_le_bytes(bytes))
}

/// `+01:00` in minutes.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("-", digits) => (-1, digits),
        ("+", digits) => (1, digits),
        (_, _) => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    Some(sign * (hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_make_a_number() {
        assert_eq!(ticks("00,96,47,3f,2b,9e,db,01"), Some(0x01db_9e2b_3f47_9600));
        assert_eq!(ticks("80, e3,b2,f1,01,00,   00,00"), Some(0x01_f1b2_e380));
        for wrong in ["", "00,96,47,3f,2b,9e,db", "00,96,47,3f,2b,9e,db,01,02", "0x,,,,,,,"] {
            assert_eq!(ticks(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn offsets() {
        assert_eq!(offset("+05:30"), Some(330));
        assert_eq!(offset("-08:00"), Some(-480));
        assert_eq!(offset("é1"), None);
    }
}
