//! Windows event logs (`.evtx`): binary chunks → starts and ends of our programs' processes.
//!
//! Chunks are read in the order of the file, each for itself: memory is bounded by one chunk,
//! and a damaged one costs its own records only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use evtx::{EvtxChunkData, EvtxRecord, ParserSettings};
use provtrace_parsers::engine::{Line, LineCounts, Outcome};
use provtrace_parsers::event::{Event, ProcessSeen};
use provtrace_parsers::event_log::{EventLogRules, ProcessReader, Record};
use serde_json::Value;

use crate::block::{Block, Sink};
use crate::source::{OpenSource, ReadEnd};

/// Bytes before the first chunk.
const HEADER: usize = 4096;
/// Bytes of a chunk.
const CHUNK: usize = 65_536;
/// Bytes of a record before its content.
const RECORD_HEADER: u64 = 24;

/// Reads an event log to its end; returns the buffer for the next source.
///
/// A record is a line: its number is the record's id, offset and length are its bytes in the
/// file, and its text is put together from its fields.
///
/// # Errors
/// It is no event log.
pub fn read(
    open: OpenSource<'_>,
    rules: &EventLogRules,
    sink: &mut impl Sink,
    progress: &dyn Fn(u64),
) -> (Vec<u8>, Result<ReadEnd, String>) {
    let known = open.head().starts_with(b"ElfFile\0");
    let mut reader = EventLog {
        processes: ProcessReader::new(rules),
        settings: Arc::new(ParserSettings::new().num_threads(1)),
        counts: LineCounts::default(),
        damaged: None,
    };
    let mut chunk = |bytes: &[u8], offset: u64| {
        if known && bytes.iter().any(|byte| *byte != 0) {
            reader.chunk(bytes, offset, sink);
        }
    };
    let (buffer, end) = open.pieces(HEADER, CHUNK, progress, &mut chunk);
    if !known {
        return (buffer, Err("no Windows event log, though it is named like one".to_owned()));
    }
    if end.bytes < HEADER as u64 {
        return (buffer, Err("cut off in its header, no record is left".to_owned()));
    }
    let damaged = reader.damaged.map(|(offset, number)| {
        format!("partly read: {number} damaged chunks or records, the first at byte {offset}")
    });
    let stopped = damaged.or(end.stopped.clone());
    (buffer, Ok(ReadEnd { counts: reader.counts, stopped, ..end }))
}

struct EventLog<'f> {
    processes: ProcessReader<'f>,
    settings: Arc<ParserSettings>,
    counts: LineCounts,
    /// Where the first damage is, and how often there is one.
    damaged: Option<(u64, u64)>,
}

impl EventLog<'_> {
    fn chunk(&mut self, bytes: &[u8], offset: u64, sink: &mut impl Sink) {
        let data = bytes.to_vec();
        // The library says that it does not panic; a damaged file of a user is not the place
        // to find out.
        let read = catch_unwind(AssertUnwindSafe(|| self.records(data, offset, sink)));
        if !read.unwrap_or(false) {
            self.damage(offset, sink);
        }
    }

    /// A chunk, or a record of which no number is known, that can't be read.
    fn damage(&mut self, offset: u64, sink: &mut impl Sink) {
        let (first, number) = self.damaged.unwrap_or((offset, 0));
        self.damaged = Some((first, number + 1));
        self.give(Outcome::Unknown, None, (0, offset, 0), "damaged", sink);
    }

    /// Reads the records of a chunk; whether it could be read at all.
    fn records(&mut self, data: Vec<u8>, offset: u64, sink: &mut impl Sink) -> bool {
        let length_at = |at: u64| {
            let at = usize::try_from(at).ok()?.checked_add(4)?;
            let bytes = data.get(at..at.checked_add(4)?)?;
            Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
        };
        let Ok(mut chunk) = EvtxChunkData::new(data.clone(), false) else { return false };
        let Ok(mut chunk) = chunk.parse(Arc::clone(&self.settings)) else { return false };
        for record in chunk.iter() {
            let Ok(record) = record else {
                self.damage(offset, sink);
                continue;
            };
            let start = record.binxml_offset.saturating_sub(RECORD_HEADER);
            let place = (offset + start, length_at(start).unwrap_or(0));
            self.record(record, place, sink);
        }
        true
    }

    fn record(
        &mut self,
        record: EvtxRecord<'_>,
        (offset, length): (u64, u64),
        sink: &mut impl Sink,
    ) {
        let number = record.event_record_id;
        let utc = record.timestamp.as_millisecond();
        let Ok(json) = record.into_json_value() else {
            self.damage(offset, sink);
            return;
        };
        let place = (number, offset, length);
        match process(&mut self.processes, &json.data, utc) {
            Some((seen, text)) => {
                let event = Some(Event::ProcessSeen(Box::new(seen)));
                self.give(Outcome::Event, event, place, &text, sink);
            }
            None => self.give(Outcome::Noise, None, place, &kind(&json.data), sink),
        }
    }

    /// Counts a record and gives it to `sink`; its place is its number, offset and length.
    fn give(
        &mut self,
        outcome: Outcome,
        event: Option<Event>,
        (number, offset, length): (u64, u64, u64),
        text: &str,
        sink: &mut impl Sink,
    ) {
        self.counts.lines += 1;
        match outcome {
            Outcome::Event | Outcome::Noise => self.counts.understood += 1,
            Outcome::Continued => self.counts.continued += 1,
            Outcome::Unknown => self.counts.unknown += 1,
        }
        let raw = text.as_bytes();
        let mut block = Block::record(raw, offset, length);
        let (stamp, pid, tid, rule) = (None, None, None, None);
        let (layout, message_at) = (None, 0);
        let line = Line {
            number,
            passed: 0,
            offset,
            raw,
            stamp,
            pid,
            tid,
            layout,
            message_at,
            outcome,
            event,
            rule,
        };
        sink.line(&line, &mut block);
        sink.end_block(&mut block);
    }
}

/// Provider and id of a record that tells nothing of our programs.
fn kind(json: &Value) -> String {
    let known = provider_and_id(json);
    known.map_or_else(|| "event".to_owned(), |(provider, id)| format!("{provider} {id}"))
}

fn provider_and_id(json: &Value) -> Option<(&str, u32)> {
    let system = json.get("Event")?.get("System")?;
    let provider = system.get("Provider")?.get("#attributes")?.get("Name")?.as_str()?;
    let id = system.get("EventID")?;
    let id = id.get("#text").unwrap_or(id);
    Some((provider, plain(id)?.parse().ok()?))
}

/// What a record, as the library's JSON, says of our programs, and its text for a reader.
fn process(
    reader: &mut ProcessReader<'_>,
    json: &Value,
    utc: i64,
) -> Option<(ProcessSeen, String)> {
    let (provider, id) = provider_and_id(json)?;
    if !reader.wants(provider, id) {
        return None;
    }
    let event = json.get("Event")?;
    let data = event.get("EventData").or_else(|| event.get("UserData"))?;
    let field = |name: &str| plain(data.get(name)?);
    let seen = reader.read(&Record { provider, event: id, utc, field: &field })?;
    let mut text = format!("{provider} {id}");
    for (name, value) in data.as_object().into_iter().flatten() {
        if let Some(value) = plain(value).filter(|_| name != "#attributes") {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    Some((seen, text))
}

/// A value of a field as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provtrace_parsers::event::{Launcher, Mark};
    use provtrace_parsers::format::Formats;

    /// A record as the library gives it: shape of a public Security log, fields of event 4688.
    const STARTED: &str = r##"{"Event":{"#attributes":{"xmlns":"http://schemas.microsoft.com/win/2004/08/events/event"},
        "System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Security-Auditing"}},"EventID":4688,
        "TimeCreated":{"#attributes":{"SystemTime":"2025-03-24T11:07:53.120000Z"}},"EventRecordID":7,"Channel":"Security"},
        "EventData":{"SubjectUserSid":"S-1-5-18","NewProcessId":"0x136c",
        "NewProcessName":"C:\\Program Files (x86)\\LANDesk\\LDClient\\vulscan.exe","TokenElevationType":"%%1936",
        "ProcessId":"0x7b0","CommandLine":"vulscan.exe /scan=0",
        "ParentProcessName":"C:\\Program Files (x86)\\LANDesk\\LDClient\\LocalSch.exe"}}}"##;

    #[test]
    fn a_record_of_the_library_is_read() {
        let formats = Formats::builtin().expect("embedded");
        let rules = formats.formats.iter().find_map(|format| format.event_log.as_ref());
        let mut reader = ProcessReader::new(rules.expect("one event log"));
        let mut read = |json: &str| {
            let json: Value = serde_json::from_str(json).expect("JSON");
            process(&mut reader, &json, 1_742_814_473_120)
        };
        let (seen, text) = read(STARTED).expect("a start");
        assert_eq!((seen.pid, seen.ended, seen.mark), (4972, false, Mark::Doc));
        assert_eq!(seen.launcher, Some(Launcher::LocalScheduler));
        assert!(text.starts_with("Microsoft-Windows-Security-Auditing 4688 "), "{text}");
        assert!(text.contains(" CommandLine=vulscan.exe /scan=0"), "{text}");
        let qualified =
            STARTED.replace("4688", r##"{"#attributes":{"Qualifiers":0},"#text":4688}"##);
        assert!(read(&qualified).is_some());
        for wrong in ["{}", r#"{"Event":{"System":{}}}"#, r#"{"Event":[1]}"#, "3"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
        assert!(read(&STARTED.replace("vulscan.exe", "notepad.exe")).is_none());
        assert!(read(&STARTED.replace("4688", "4624")).is_none());
    }
}
