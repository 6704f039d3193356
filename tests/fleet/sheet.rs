//! A log before it is spoilt: records with their moment, their stamp and what they prove.

use crate::clock::{Clock, MONTHS, WEEKDAYS, civil};
use crate::options::Options;
use crate::rng::Rng;
use crate::story::{ProcessId, Story};
use std::fmt::Write;

/// What stands before a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stamp {
    /// `Thu, 10 Feb 2025 21:00:19 `
    Rfc,
    /// `2011-06-29 00:23:15(1956-1960) program:`
    IsoPid(u32, u32, &'static str),
    /// `03/24/2025 12:20:19 INFO  8644:1     RollingLog : `
    Rolling(u32, u32, &'static str),
    /// Nothing.
    None,
}

/// What a record shows about a process to whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It lived at this second.
    Lives,
    /// It says that it waits for another one.
    Waits,
    /// It was refused: a message, or its code.
    Refused,
    /// Another program launched it, and says so.
    Launched,
}

/// One record. A text of several lines is one record with continuation lines.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) at: i64,
    pub(crate) stamp: Stamp,
    pub(crate) text: String,
    pub(crate) proof: Option<(ProcessId, Mark)>,
}

/// Where a log lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// ProgramData\LANDesk\Log.
    Log,
    /// ProgramData\vulScan.
    Scanner,
    /// LDClient.
    Client,
    /// LDClient\Data.
    Data,
    /// ProgramData\LANDesk\Policies.
    Policies,
    /// C:\ldprovisioning.
    Provisioning,
    /// What a collector adds.
    Collector,
    /// The collector's registry export.
    Registry,
}

impl Folder {
    /// On a share.
    pub(crate) fn on_share(self) -> &'static str {
        match self {
            Self::Log => "ProgramData/LANDesk/Log/",
            Self::Scanner => "ProgramData/vulScan/",
            Self::Client => "Program Files (x86)/LANDesk/LDClient/",
            Self::Data => "Program Files (x86)/LANDesk/LDClient/Data/",
            Self::Policies => "ProgramData/LANDesk/Policies/",
            Self::Provisioning => "ldprovisioning/",
            Self::Collector | Self::Registry => "",
        }
    }

    /// In a zip bundle.
    pub(crate) fn in_bundle(self) -> &'static str {
        match self {
            Self::Log => "Log/",
            Self::Scanner => "VulscanFolder/",
            Self::Client => "LDCLient/",
            Self::Data => "Data/",
            Self::Policies => "Policies/",
            Self::Provisioning => "Provisioning/",
            Self::Collector => "",
            Self::Registry => "RegistryInfo/",
        }
    }
}

/// What a log holds.
#[derive(Debug)]
pub(crate) enum Body {
    /// An agent log: it grows, rolls and is cut.
    Records(Vec<Record>),
    /// A text written at once, and whose last scan it dates: the scan's whole life.
    Text {
        /// The text, lines ended with LF.
        text: String,
        /// Always UTF-16LE with a mark, as the tools write it.
        utf16: bool,
        /// The process whose start and duration it holds.
        proves: Vec<ProcessId>,
    },
}

/// One log of a device.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) folder: Folder,
    pub(crate) name: String,
    /// The agent rolls it over.
    pub(crate) rolls: bool,
    pub(crate) body: Body,
}

impl Sheet {
    /// An agent log in the order of time; what was said first in a second stays first.
    pub(crate) fn of_records(folder: Folder, name: &str, mut records: Vec<Record>) -> Self {
        records.sort_by_key(|record| record.at);
        Self { folder, name: name.to_owned(), rolls: false, body: Body::Records(records) }
    }
}

/// How this device writes.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) markers: bool,
    pub(crate) noise: bool,
    pub(crate) day_first: bool,
    /// Two digits for the day in rfc stamps.
    pub(crate) padded_day: bool,
    /// Days by which the printed weekday is off.
    pub(crate) weekday_off: i64,
    /// The XML form of the current action.
    pub(crate) xml_actions: bool,
    /// Which wording the product's version has.
    pub(crate) version: usize,
    pub(crate) core: &'static str,
    /// vulscan.log lies in the scanner's own folder.
    pub(crate) own_scan_folder: bool,
}

impl Style {
    /// Drawn once a device.
    pub(crate) fn of(options: &Options, story: &Story) -> Self {
        let mut rng = Rng::stream(options.seed, story.index, "style");
        let off = rng.between(1, 6);
        let wrong = rng.percent(options.disorder.wrong_weekdays);
        Self {
            markers: options.markers,
            noise: options.noise,
            day_first: options.day_first.unwrap_or(story.site.day_first),
            padded_day: rng.percent(60),
            weekday_off: if wrong { off } else { 0 },
            xml_actions: rng.percent(35),
            version: rng.index(3),
            core: *rng.pick(crate::catalog::CORES),
            own_scan_folder: rng.percent(25),
        }
    }
}

/// Collects the records of one log.
#[derive(Debug, Default)]
pub(crate) struct Pen {
    pub(crate) records: Vec<Record>,
}

impl Pen {
    /// A record that proves nothing.
    pub(crate) fn say(&mut self, at: i64, stamp: Stamp, text: impl Into<String>) {
        self.records.push(Record { at, stamp, text: text.into(), proof: None });
    }

    /// A record about a process.
    pub(crate) fn prove(
        &mut self,
        at: i64,
        stamp: Stamp,
        text: impl Into<String>,
        id: ProcessId,
        mark: Mark,
    ) {
        self.records.push(Record { at, stamp, text: text.into(), proof: Some((id, mark)) });
    }
}

/// Appends the record as the device prints it, without a line end.
pub(crate) fn print(record: &Record, clock: &Clock, style: &Style, out: &mut String) {
    let c = civil(clock.local(record.at));
    // Writing to a String cannot fail.
    let _ = match record.stamp {
        Stamp::Rfc => {
            let weekday = WEEKDAYS[((c.weekday + style.weekday_off) % 7) as usize];
            let month = MONTHS[(c.month - 1) as usize];
            let width = if style.padded_day { 2 } else { 1 };
            write!(
                out,
                "{weekday}, {:0width$} {month} {} {:02}:{:02}:{:02} ",
                c.day, c.year, c.hour, c.minute, c.second
            )
        }
        Stamp::IsoPid(pid, tid, program) => write!(
            out,
            "{}-{:02}-{:02} {:02}:{:02}:{:02}({pid}-{tid}) {program}:",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        ),
        Stamp::Rolling(pid, thread, level) => {
            let (a, b) = if style.day_first { (c.day, c.month) } else { (c.month, c.day) };
            write!(
                out,
                "{a:02}/{b:02}/{} {:02}:{:02}:{:02} {level:<5} {:<10} RollingLog : ",
                c.year,
                c.hour,
                c.minute,
                c.second,
                format!("{pid}:{thread}")
            )
        }
        Stamp::None => Ok(()),
    };
    out.push_str(&record.text);
}
