//! Windows event logs: which records tell of processes, and what a parent says of a launch.
//!
//! The file's binary form is the caller's: a record comes as provider, id and named fields.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;

use crate::event::{Launcher, Mark, ProcessSeen};
use crate::format::{FormatError, Place, locate};
use crate::pattern::compile;
use crate::words::spaced;

/// Most processes of which name and command line are remembered as possible parents.
const MOST_PARENTS: usize = 16_384;
/// The longest command line that is remembered or kept, in characters.
const LONGEST_COMMAND: usize = 2_048;

/// The section `[event_log]` of a format file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventLogToml {
    programs: toml::Spanned<String>,
    process: Vec<ProcessToml>,
    launcher: Vec<LauncherToml>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessToml {
    provider: String,
    event: u32,
    means: ProcessMeaning,
    program: String,
    pid: String,
    command_line: Option<String>,
    parent: Option<String>,
    parent_pid: Option<String>,
    parent_command_line: Option<String>,
    mark: Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProcessMeaning {
    Started,
    Ended,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LauncherToml {
    launched_by: Launcher,
    program: toml::Spanned<String>,
    command_line: Option<String>,
    specimen: String,
    specimen_command_line: Option<String>,
    mark: Mark,
}

impl EventLogToml {
    /// Compiles and checks the section.
    pub(crate) fn compile(self, path: &str, text: &str) -> Result<EventLogRules, FormatError> {
        let programs = pattern(self.programs.get_ref(), &locate(path, text, self.programs.span()))?;
        let mut launchers: Vec<LauncherRule> = Vec::new();
        for toml in self.launcher {
            let at = locate(path, text, toml.program.span());
            let line = toml.command_line.as_deref();
            let rule = LauncherRule {
                launched_by: toml.launched_by,
                program: pattern(toml.program.get_ref(), &at)?,
                command_line: line.map(|line| pattern(line, &at)).transpose()?,
                mark: toml.mark,
            };
            let specimen = (toml.specimen.as_str(), toml.specimen_command_line.as_deref());
            if !rule.matches(specimen.0, specimen.1) {
                return Err(at.error("the launcher doesn't match its own specimen"));
            }
            if launchers.iter().any(|other| other.matches(specimen.0, specimen.1)) {
                return Err(at.error("the specimen is matched by an earlier launcher too"));
            }
            launchers.push(rule);
        }
        Ok(EventLogRules { programs, processes: self.process, launchers })
    }
}

fn pattern(text: &str, at: &Place) -> Result<Regex, FormatError> {
    compile(&spaced(text)).map_err(|why| at.error(why))
}

/// What is known of event logs.
#[derive(Debug, Clone)]
pub struct EventLogRules {
    programs: Regex,
    processes: Vec<ProcessToml>,
    launchers: Vec<LauncherRule>,
}

#[derive(Debug, Clone)]
struct LauncherRule {
    launched_by: Launcher,
    program: Regex,
    command_line: Option<Regex>,
    mark: Mark,
}

impl LauncherRule {
    fn matches(&self, program: &str, command_line: Option<&str>) -> bool {
        let line = |regex: &Regex| command_line.is_some_and(|line| regex.is_match(line));
        self.program.is_match(program) && self.command_line.as_ref().is_none_or(line)
    }
}

/// One record of an event log.
pub struct Record<'r> {
    /// The provider's name.
    pub provider: &'r str,
    /// The event's id.
    pub event: u32,
    /// Milliseconds since 1970, UTC.
    pub utc: i64,
    /// A field of its data by name.
    pub field: &'r dyn Fn(&str) -> Option<String>,
}

/// Reads one event log, record by record, in the order of the file.
#[derive(Debug)]
pub struct ProcessReader<'f> {
    rules: &'f EventLogRules,
    /// Living processes by id: path and command line.
    living: BTreeMap<u32, (String, Option<String>)>,
}

impl<'f> ProcessReader<'f> {
    /// A reader for one log.
    pub fn new(rules: &'f EventLogRules) -> ProcessReader<'f> {
        ProcessReader { rules, living: BTreeMap::new() }
    }

    /// Whether records of this kind are of interest at all: asked before fields are decoded.
    pub fn wants(&self, provider: &str, event: u32) -> bool {
        self.rules.processes.iter().any(|rule| rule.event == event && rule.provider == provider)
    }

    /// What a record says of one of our programs.
    pub fn read(&mut self, record: &Record<'_>) -> Option<ProcessSeen> {
        let rules = self.rules;
        let rule = rules
            .processes
            .iter()
            .find(|rule| rule.event == record.event && rule.provider == record.provider)?;
        let field = |name: &Option<String>| name.as_ref().and_then(|name| (record.field)(name));
        let short = |text: String| text.chars().take(LONGEST_COMMAND).collect::<String>();
        let program = short((record.field)(&rule.program)?);
        let pid = number(&(record.field)(&rule.pid)?)?;
        let ended = rule.means == ProcessMeaning::Ended;
        let command_line = field(&rule.command_line).map(short).filter(|line| !line.is_empty());
        let parent = self.parent(rule, &field);
        if ended {
            self.living.remove(&pid);
        } else if self.living.len() < MOST_PARENTS || self.living.contains_key(&pid) {
            self.living.insert(pid, (program.clone(), command_line.clone()));
        }
        if !rules.programs.is_match(file_name(&program)) {
            return None;
        }
        let launcher = parent.and_then(|(path, line)| {
            let name = file_name(&path);
            rules.launchers.iter().find(|launcher| launcher.matches(name, line.as_deref()))
        });
        Some(ProcessSeen {
            program,
            pid,
            ended,
            launcher: launcher.map(|launcher| launcher.launched_by),
            command_line,
            utc: record.utc,
            // Marks are in order of how well a wording is known: the weakest counts.
            mark: launcher.map_or(rule.mark, |launcher| rule.mark.max(launcher.mark)),
        })
    }

    /// The parent's path and command line: as the record says, else as its own start said.
    fn parent(
        &self,
        rule: &ProcessToml,
        field: &dyn Fn(&Option<String>) -> Option<String>,
    ) -> Option<(String, Option<String>)> {
        let pid = field(&rule.parent_pid).and_then(|text| number(&text));
        let started = pid.and_then(|pid| self.living.get(&pid));
        let path = field(&rule.parent).filter(|path| !path.is_empty() && path != "-");
        let path = path.or_else(|| started.map(|(path, _)| path.clone()))?;
        let same = started.filter(|(own, _)| own.eq_ignore_ascii_case(&path));
        let line = field(&rule.parent_command_line).or_else(|| same.and_then(|(_, l)| l.clone()));
        Some((path, line))
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// `4972` or `0x136c`.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Formats;

    const SECURITY: &str = "Microsoft-Windows-Security-Auditing";

    fn read(
        reader: &mut ProcessReader<'_>,
        event: u32,
        fields: &[(&str, &str)],
    ) -> Option<ProcessSeen> {
        let (provider, event) =
            if event < 100 { ("Microsoft-Windows-Sysmon", event) } else { (SECURITY, event) };
        let field = |name: &str| {
            let found = fields.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        reader.read(&Record { provider, event, utc: 7, field: &field })
    }

    fn rules(formats: &Formats) -> &EventLogRules {
        formats.formats.iter().find_map(|format| format.event_log.as_ref()).expect("one event log")
    }

    #[test]
    fn a_parent_tells_the_launcher() {
        let formats = Formats::builtin().expect("embedded");
        let mut reader = ProcessReader::new(rules(&formats));
        let table = [
            (
                r"C:\Program Files (x86)\LANDesk\LDClient\LocalSch.exe",
                "",
                Some(Launcher::LocalScheduler),
                Mark::Doc,
            ),
            (r"C:\X\POLICYSYNC.EXE", "", Some(Launcher::PolicySync), Mark::Doc),
            (
                r"C:\Windows\System32\svchost.exe",
                "svchost.exe -k netsvcs -p  -s Schedule",
                Some(Launcher::WindowsTask),
                Mark::Doc,
            ),
            (r"C:\Windows\System32\svchost.exe", "svchost.exe -k netsvcs -s BITS", None, Mark::Doc),
            (r"C:\LANDesk\residentagent.exe", "", Some(Launcher::CorePush), Mark::Assumed),
            (r"C:\Windows\explorer.exe", "", None, Mark::Doc),
        ];
        for (parent, line, launcher, mark) in table {
            let fields = [
                ("Image", r"C:\LANDesk\vulscan.exe"),
                ("ProcessId", "4972"),
                ("CommandLine", "vulscan.exe /scan=0"),
                ("ParentImage", parent),
                ("ParentCommandLine", line),
            ];
            let seen = read(&mut reader, 1, &fields).expect("a start of vulscan");
            assert_eq!(
                (seen.launcher, seen.mark, seen.pid),
                (launcher, mark, 4972),
                "{parent} {line}"
            );
            assert_eq!(seen.command_line.as_deref(), Some("vulscan.exe /scan=0"));
        }
        assert!(
            read(&mut reader, 1, &[("Image", r"C:\x\notepad.exe"), ("ProcessId", "5")]).is_none()
        );
    }

    /// Before Windows 10 the record has the parent's id alone; the parent's own start names it.
    #[test]
    fn a_parent_is_known_by_its_own_start() {
        let formats = Formats::builtin().expect("embedded");
        let mut reader = ProcessReader::new(rules(&formats));
        let start = |name, pid, parent| {
            [("NewProcessName", name), ("NewProcessId", pid), ("ProcessId", parent)]
        };
        assert!(read(&mut reader, 4688, &start(r"C:\LD\LocalSch.exe", "0x10", "0x4")).is_none());
        let seen = read(&mut reader, 4688, &start(r"C:\LD\vulscan.exe", "0x136C", "0x10"));
        let seen = seen.expect("a start");
        assert_eq!((seen.launcher, seen.pid), (Some(Launcher::LocalScheduler), 4972));
        let end = [("ProcessName", r"C:\LD\vulscan.exe"), ("ProcessId", "0x136c")];
        assert!(read(&mut reader, 4689, &end).is_some_and(|seen| seen.ended && seen.pid == 4972));
        read(&mut reader, 4689, &[("ProcessName", r"C:\LD\LocalSch.exe"), ("ProcessId", "0x10")]);
        let later = read(&mut reader, 4688, &start(r"C:\LD\vulscan.exe", "0x20", "0x10"));
        assert_eq!(later.expect("a start").launcher, None, "the id is another process's by now");
    }

    #[test]
    fn fields_that_are_missing_or_wrong_are_no_event() {
        let formats = Formats::builtin().expect("embedded");
        let mut reader = ProcessReader::new(rules(&formats));
        for fields in [
            &[][..],
            &[("NewProcessName", "vulscan.exe")],
            &[("NewProcessName", "vulscan.exe"), ("NewProcessId", "-")],
            &[("NewProcessName", "vulscan.exe"), ("NewProcessId", "0xFFFFFFFFFF")],
        ] {
            assert_eq!(read(&mut reader, 4688, fields), None);
        }
        assert!(!reader.wants(SECURITY, 4624) && reader.wants(SECURITY, 4688));
    }
}
