//! Runs a format over a log: lines in, records out, every line accounted for.
//!
//! Most lines are told by comparing bytes: the scout finds no piece of a rule's word in them, and
//! their begin says which rule knows them, or that none does. All others are searched for the
//! words of all rules, decoded, and tried against the rules that have a word in them. No
//! allocation for a line that is no event.

use memchr::memchr;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::format::{Format, Others};
use crate::joining::{Joined, Joiner};
pub use crate::line::{BlockEnd, Line, LineCounts, Outcome, Work};
use crate::opening::Told;
use crate::rule::Meaning;
use crate::run::Passing;
pub use crate::run::Run;
use crate::stamp::{DateOrder, Envelope, Stamp, StampReader};
use crate::text::{self, CodePage};

/// The most lines that continue one record. Behind a record that is known, a log may go on in words and
/// stamps that are not: then no line of it begins a record, and without a limit all would be said to be
/// part of the last one. Dumps and traces of the stack are shorter.
const LONGEST_RECORD: u32 = 50;

/// Reads one log, block by block.
#[derive(Debug)]
pub struct Reader<'f> {
    format: &'f Format,
    stamps: StampReader,
    line_end: u8,
    counts: LineCounts,
    work: Work,
    offset: u64,
    skipping: bool,
    cut_lines: u64,
    above: Option<Above>,
    /// Lines behind it that have no stamp.
    behind: u32,
    /// The rule and record that announced that the next line, whole, is an action's name.
    named_next: Option<usize>,
    joiner: Joiner,
}

/// What a reader knows between two lines: another one, made with it, goes on as this one would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderState {
    line_end: u8,
    counts: LineCounts,
    offset: u64,
    skipping: bool,
    cut_lines: u64,
    above: Option<Above>,
    behind: u32,
    named_next: Option<usize>,
    joiner: Joiner,
}

impl ReaderState {
    /// What ends a line.
    pub fn line_end(&self) -> u8 {
        self.line_end
    }
}

/// The envelope of the record above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Above {
    stamp: Stamp,
    pid: Option<u32>,
    tid: Option<u32>,
}

impl<'f> Reader<'f> {
    /// A reader for one log. `line_end` is `\n`, or `\r` for logs that have no other.
    pub fn new(format: &'f Format, order: DateOrder, line_end: u8) -> Reader<'f> {
        Reader {
            format,
            stamps: StampReader::new(format.stamps.clone(), order),
            line_end,
            counts: LineCounts::default(),
            work: Work::default(),
            offset: 0,
            skipping: false,
            cut_lines: 0,
            above: None,
            behind: 0,
            named_next: None,
            joiner: Joiner::default(),
        }
    }

    /// A reader that goes on where another one stood, with the same format and order.
    pub fn resume(format: &'f Format, order: DateOrder, state: ReaderState) -> Reader<'f> {
        let ReaderState { line_end, counts, offset, skipping, cut_lines, .. } = state;
        let ReaderState { above, behind, named_next, joiner, .. } = state;
        let new = Reader::new(format, order, line_end);
        Reader { counts, offset, skipping, cut_lines, above, behind, named_next, joiner, ..new }
    }

    /// What it knows now.
    pub fn state(&self) -> ReaderState {
        ReaderState {
            line_end: self.line_end,
            counts: self.counts,
            offset: self.offset,
            skipping: self.skipping,
            cut_lines: self.cut_lines,
            above: self.above,
            behind: self.behind,
            named_next: self.named_next,
            joiner: self.joiner.clone(),
        }
    }

    /// How much of the text was read, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What was read so far.
    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    /// What lines are that are not UTF-8.
    pub fn code_page(&self) -> CodePage {
        self.format.code_page
    }

    /// What it took so far.
    pub fn work(&self) -> Work {
        Work { parsed: self.stamps.parsed, ..self.work }
    }

    /// Lines that were longer than the caller's room: only their beginning was read.
    pub fn cut_lines(&self) -> u64 {
        self.cut_lines
    }

    /// Reads the whole lines of `text`, gives each to `sink`, and returns how many bytes it
    /// took: the caller gives the rest again, in front of the next block.
    pub fn block(&mut self, text: &[u8], end: BlockEnd, sink: &mut impl FnMut(&Line<'_>)) -> usize {
        self.block_in_runs(text, end, &mut |line| {
            sink(line);
            None
        })
    }

    /// The same for a sink that does not need every line: what it gives for a line says which of those
    /// behind it are passed over.
    pub fn block_in_runs(
        &mut self,
        text: &[u8],
        end: BlockEnd,
        sink: &mut impl FnMut(&Line<'_>) -> Option<Run>,
    ) -> usize {
        let mut at = self.skip_rest_of_long_line(text);
        let whole = match end {
            BlockEnd::Last => text.len(),
            BlockEnd::More | BlockEnd::Full => {
                memchr::memrchr(self.line_end, text).map_or(at, |last| last + 1).max(at)
            }
        };
        let format = self.format;
        let searched = &text[..whole];
        let mut piece = format.scout.next(searched, at);
        let mut run = None;
        while at < whole {
            if piece.is_some_and(|piece| piece < at) {
                piece = format.scout.next(searched, at);
            }
            let passed = match run {
                None => 0,
                Some(run) => {
                    let text = &text[..piece.unwrap_or(whole)];
                    let passing = Passing { format, line_end: self.line_end, text };
                    passing.pass(run, &mut at, &mut self.stamps, &mut self.counts)
                }
            };
            let stop = memchr(self.line_end, &text[at..whole]).map_or(whole, |length| at + length);
            let may_have_word = piece.is_some_and(|piece| piece < stop);
            let tail = end == BlockEnd::Last && stop == text.len();
            run = self.line(&text[at..stop], at, may_have_word, passed, sink, tail);
            at = (stop + 1).min(whole);
        }
        if end == BlockEnd::Full && at < text.len() && at == 0 {
            self.line(text, 0, true, 0, sink, false);
            self.skipping = true;
            self.cut_lines += 1;
            at = text.len();
        }
        self.offset += at as u64;
        at
    }

    fn skip_rest_of_long_line(&mut self, text: &[u8]) -> usize {
        if !self.skipping {
            return 0;
        }
        match memchr(self.line_end, text) {
            Some(length) => {
                self.skipping = false;
                length + 1
            }
            None => text.len(),
        }
    }

    /// One line: what it is, and its counts. It is put together in its place, since an event is
    /// large to be moved for every line. Gives what the sink says of it.
    #[inline(always)]
    fn line(
        &mut self,
        line: &[u8],
        at: usize,
        may_have_word: bool,
        passed: u64,
        sink: &mut impl FnMut(&Line<'_>) -> Option<Run>,
        tail: bool,
    ) -> Option<Run> {
        let raw = line.strip_suffix(b"\r").unwrap_or(line);
        // Zeros at the end of a file are room that the agent has not written to yet.
        let raw = if tail { trim_zeros(raw) } else { raw };
        if tail && raw.is_empty() {
            return None;
        }
        self.counts.lines += 1;
        let mut line = Line {
            number: self.counts.lines,
            passed,
            offset: self.offset + at as u64,
            raw,
            stamp: None,
            pid: None,
            tid: None,
            layout: None,
            message_at: 0,
            outcome: Outcome::Unknown,
            event: None,
            rule: None,
        };
        let own = if self.format.stamps.is_empty() { None } else { self.stamps.read(raw) };
        if let Some(envelope) = own {
            self.counts.stamped += 1;
            self.behind = 0;
            let Envelope { stamp, pid, tid, message_at } = envelope;
            self.above = Some(Above { stamp, pid, tid });
            line.layout = Some(self.stamps.layout());
            line.message_at = message_at;
        }
        self.judge(&mut line, may_have_word);
        // A line that is still being written may end in the middle of a number.
        if tail && line.event.as_ref().is_some_and(|event| ends_in_code(event, raw)) {
            line.outcome = Outcome::Unknown;
            line.event = None;
        }
        match line.outcome {
            Outcome::Event | Outcome::Noise => {
                self.counts.understood += 1;
                self.counts.unknown_behind = 0;
            }
            Outcome::Continued => self.counts.continued += 1,
            Outcome::Unknown => {
                self.counts.unknown += 1;
                self.counts.unknown_behind += 1;
            }
        }
        let in_runs = line.layout.is_some() && self.named_next.is_none() && !self.format.joins;
        sink(&line).filter(|_| in_runs)
    }

    /// Says what a line is; an event without a stamp of its own has that of the record above.
    #[inline(always)]
    fn judge(&mut self, line: &mut Line<'_>, may_have_word: bool) {
        let stamped = line.layout.is_some();
        let may_have_event = stamped || self.format.unstamped;
        let message = &line.raw[line.message_at..];
        let told = self.format.openings.tell(message);
        if self.named_next.is_some() {
            self.take_name(line);
        } else if may_have_word || told == Told::Ask || self.format.joins {
            let rules = self.rules_of(line.raw, may_have_word || told == Told::Ask);
            self.search(line, rules, may_have_event);
        } else if let Told::Rule(rule) = told
            && may_have_event
        {
            line.rule = Some(rule);
            line.outcome = Outcome::Noise;
            if self.format.rules[rule].means == Meaning::Alive {
                line.event = Some(Event::Alive);
                line.outcome = Outcome::Event;
            }
        }
        if line.outcome == Outcome::Unknown {
            if self.format.others == Others::Noise {
                line.outcome = Outcome::Noise;
            } else if !stamped && line.raw.is_empty() {
                line.outcome = Outcome::Continued;
            } else if !stamped && self.above.is_some() {
                line.outcome = self.continues();
            }
        }
        if let Some(above) = &self.above
            && (stamped || line.outcome == Outcome::Event)
        {
            line.stamp = Some(above.stamp);
            line.pid = above.pid;
            line.tid = above.tid;
        }
    }

    /// What a line is that has no stamp and no rule, below a record.
    fn continues(&mut self) -> Outcome {
        self.behind = self.behind.saturating_add(1);
        if self.behind <= LONGEST_RECORD { Outcome::Continued } else { Outcome::Unknown }
    }

    /// The line before said that this one, whole, is a name.
    #[cold]
    fn take_name(&mut self, line: &mut Line<'_>) {
        let message = text::decode(&line.raw[line.message_at..], self.format.code_page);
        line.rule = self.named_next.take();
        line.event = Some(Event::ActionBegins { name: message.trim().to_owned() });
        line.outcome = Outcome::Event;
    }

    /// The rules that have a word in a line, and those that need none.
    fn rules_of(&mut self, raw: &[u8], may_have_word: bool) -> u128 {
        let Format { finder, word_rules, wordless, .. } = self.format;
        if !may_have_word {
            return *wordless;
        }
        self.work.searched += raw.len() as u64;
        let hits = finder.find_overlapping_iter(raw);
        hits.fold(*wordless, |set, hit| set | word_rules[hit.pattern().as_usize()])
    }

    /// What a line is by the patterns of `rules`.
    #[inline(never)]
    fn search(&mut self, line: &mut Line<'_>, rules: u128, may_have_event: bool) {
        let format = self.format;
        let message = &line.raw[line.message_at..];
        let joined = if format.joins {
            self.joiner.line(message, format.code_page, rules)
        } else {
            Joined::Alone
        };
        match joined {
            Joined::Part => line.outcome = Outcome::Noise,
            Joined::Whole(whole, rules) => self.try_rules(line, whole.as_bytes(), rules),
            Joined::Alone if rules != 0 && may_have_event => self.try_rules(line, message, rules),
            Joined::Alone => {}
        }
    }

    fn try_rules(&mut self, line: &mut Line<'_>, message: &[u8], mut rules: u128) {
        let message = text::decode(message, self.format.code_page);
        while rules != 0 {
            let at = rules.trailing_zeros() as usize;
            rules &= rules - 1;
            let rule = &self.format.rules[at];
            self.work.tried += 1;
            let Some(event) = rule.read(&message) else { continue };
            if rule.means == Meaning::ActionBeginsNextLine {
                self.named_next = Some(at);
            }
            // A line that a rule knows, with a field that can't be read, is not understood.
            let speaks = !matches!(rule.means, Meaning::Noise | Meaning::ActionBeginsNextLine);
            let outcome = match event {
                Some(_) => Outcome::Event,
                None if speaks => Outcome::Unknown,
                None => Outcome::Noise,
            };
            line.rule = Some(at);
            line.event = event;
            line.outcome = outcome;
            return;
        }
    }
}

/// Whether an event's exit code is the last thing on its line.
fn ends_in_code(event: &Event, raw: &[u8]) -> bool {
    event.code().is_some_and(|code| raw.ends_with(code.raw.as_bytes()))
}

fn trim_zeros(raw: &[u8]) -> &[u8] {
    let end = raw.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    let raw = &raw[..end];
    raw.strip_suffix(b"\r").unwrap_or(raw)
}
