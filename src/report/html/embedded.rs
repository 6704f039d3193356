//! What the page's script draws: incidents and timelines as JSON that stands in the page.
//!
//! Every row is an array, since a report of 10,000 devices has some ten thousand of them; texts
//! stand once, in `names`, and rows have their places. `script.js` names the columns.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;

use crate::chronicle::{Chronicle, Landmark, LifetimeSpan, Moment, Occasion, RunSpan, StepSpan};
use crate::contract::{Evidence, Incident, Report};
use crate::ending::RunState;
use crate::lifetime::Known;
use crate::report::json;
use crate::report::plain::short;

/// Runs whose timelines are embedded with the lines that show them, the worst ones.
const WHOLE: usize = 100;
/// Bytes of JSON from which on no timeline is added: the page is to stay below 6 MB.
const BYTES: usize = 4_800_000;
/// Incidents in the table, the newest ones.
const INCIDENTS: usize = 20_000;
/// Steps, lifetimes and landmarks of one timeline.
const ITEMS: usize = 500;
/// Letters of a quoted line.
const LETTERS: usize = 500;

/// The JSON, and what is in it.
pub struct Embedded {
    /// One object, safe inside of a script element.
    pub json: String,
    /// Incidents in the table.
    pub incidents: usize,
    /// Runs with an incident.
    pub affected: usize,
    /// Of these, how many have a timeline with its lines.
    pub whole: usize,
    /// How many have one without lines.
    pub compact: usize,
}

impl Embedded {
    /// Runs whose timeline is not in the page.
    pub fn left_out(&self) -> usize {
        self.affected - self.whole - self.compact
    }
}

/// Puts it together, the worst runs first.
///
/// # Errors
/// If a value is no JSON.
pub fn of(report: &Report, chronicles: &[Chronicle]) -> io::Result<Embedded> {
    let listed = &report.incidents[report.incidents.len().saturating_sub(INCIDENTS)..];
    let mut draft = Draft { listed, names: Names::default(), places: HashMap::new() };
    let mut hit: HashMap<(&str, u32), u64> = HashMap::new();
    for incident in &report.incidents {
        *hit.entry((&incident.device, incident.run)).or_default() += 1;
    }
    let mut incidents = Vec::new();
    for (at, incident) in listed.iter().enumerate() {
        draft.places.insert((&incident.device, &incident.id), at);
        incidents.push(draft.incident(incident)?);
    }
    let mut affected: Vec<(Reverse<u64>, &Chronicle, &RunSpan)> = Vec::new();
    for chronicle in chronicles {
        let hit = |run: &RunSpan| hit.get(&(chronicle.device.as_str(), run.number)).copied();
        let runs = chronicle.runs.iter().filter_map(|run| Some((hit(run)?, run)));
        affected.extend(runs.map(|(incidents, run)| (Reverse(incidents), chronicle, run)));
    }
    affected.sort_by_key(|(incidents, own, run)| (*incidents, &own.device, run.number));
    let mut bytes: usize = incidents.iter().map(String::len).sum();
    let (mut runs, mut whole) = (Vec::new(), 0);
    for (_, chronicle, run) in &affected {
        // Half of the space is left to the others, should the worst ones be very long.
        let with_lines = runs.len() == whole && whole < WHOLE && bytes < BYTES / 2;
        let row = draft.run(chronicle, run, with_lines)?;
        whole += usize::from(with_lines);
        bytes += row.len();
        runs.push(row);
        if bytes + draft.names.bytes > BYTES {
            break;
        }
    }
    let list = |rows: &[String]| rows.join(",\n");
    Ok(Embedded {
        json: format!(
            "{{\"incidents\":[\n{}\n],\n\"runs\":[\n{}\n],\n\"names\":[\n{}\n]}}",
            list(&incidents),
            list(&runs),
            list(&draft.names.rows()?)
        ),
        incidents: listed.len(),
        affected: affected.len(),
        compact: runs.len() - whole,
        whole,
    })
}

/// Texts that occur often, each once.
#[derive(Default)]
struct Names {
    texts: Vec<String>,
    places: HashMap<String, usize>,
    bytes: usize,
}

impl Names {
    fn place(&mut self, text: &str) -> usize {
        if let Some(at) = self.places.get(text) {
            return *at;
        }
        self.bytes += text.len() + 4;
        self.places.insert(text.to_owned(), self.texts.len());
        self.texts.push(short(text, LETTERS));
        self.texts.len() - 1
    }

    fn of(&mut self, text: Option<&str>) -> Option<usize> {
        text.map(|text| self.place(text))
    }

    fn rows(&self) -> io::Result<Vec<String>> {
        self.texts.iter().map(json::for_script).collect()
    }
}

/// Path, line, what it says, how well its wording is known, text.
type Line = (usize, u64, usize, Option<usize>, String);

/// What the rows are made of.
struct Draft<'r> {
    listed: &'r [Incident],
    names: Names,
    /// Device and id of each listed incident.
    places: HashMap<(&'r str, &'r str), usize>,
}

impl<'r> Draft<'r> {
    fn incident(&mut self, incident: &'r Incident) -> io::Result<String> {
        let names = &mut self.names;
        let code = incident.refused.exit_code.as_ref();
        let code = code.map(|code| format!("{} = {}: {}", code.raw, code.hex, code.meaning));
        let blocker = incident.blocker.as_ref();
        let blocker = blocker.map(|own| {
            let (program, by) = (names.place(&own.program), names.place(own.launched_by.word()));
            (program, own.pid, &own.launched, by, u8::from(own.hung))
        });
        json::for_script(&(
            &incident.id,
            names.place(&incident.device),
            incident.run,
            names.of(incident.template.as_deref()),
            names.place(&incident.step),
            incident.step_ordinal,
            incident.attempts,
            names.place(incident.mechanism.word()),
            names.place(incident.confidence.word()),
            &incident.at,
            incident.minutes_after_agent_install,
            names.of(code.as_deref()),
            blocker,
        ))
    }

    fn run(&mut self, own: &Chronicle, run: &RunSpan, lines: bool) -> io::Result<String> {
        let (from, until) = (run.from.millis, run.until.millis);
        let steps: Vec<(usize, &StepSpan)> = { own.steps.iter().enumerate() }
            .filter(|(_, step)| step.run == run.number)
            .take(ITEMS)
            .collect();
        let mut step_rows = Vec::new();
        for (at, step) in &steps {
            let life = own.lifetimes.iter().find(|life| life.step == Some(*at)).filter(|_| lines);
            step_rows.push(self.step(from, step, &own.device, life));
        }
        let shown = |life: &&LifetimeSpan| {
            let alone = life.step.is_none() && !life.messenger;
            alone && life.launched.millis <= until && life.ended.millis >= from
        };
        let lives = own.lifetimes.iter().filter(shown).take(ITEMS);
        let lives: Vec<_> =
            lives.map(|life| self.lifetime(from, life, &own.device, lines)).collect();
        let marks = own.landmarks.iter().filter(|mark| (from..=until).contains(&mark.at.millis));
        let marks: Vec<_> = marks.take(ITEMS).map(|mark| landmark(from, mark)).collect();
        let mut proofs: Vec<(usize, Vec<Line>)> = Vec::new();
        for at in 0..self.listed.len() * usize::from(lines) {
            let incident = &self.listed[at];
            if incident.device == own.device && incident.run == run.number {
                proofs.push((at, self.lines(&incident.evidence)));
            }
        }
        json::for_script(&(
            self.names.place(&own.device),
            run.number,
            self.names.of(run.template.as_deref()),
            self.names.place(state(run.state)),
            self.names.of(own.zone.as_deref()),
            from,
            run.from.local - from,
            seconds(from, &run.until),
            step_rows,
            lives,
            marks,
            u8::from(lines),
            proofs,
        ))
    }

    fn step(
        &mut self,
        from: i64,
        step: &StepSpan,
        device: &str,
        life: Option<&LifetimeSpan>,
    ) -> impl serde::Serialize + use<> {
        let code = step.exit_code.as_ref();
        let code = code.map(|code| format!("{} = {}: {}", code.raw, code.hex, code.meaning));
        let incident = step.incident.as_deref();
        (
            step.ordinal,
            self.names.place(&step.name),
            seconds(from, &step.started),
            step.ended.as_ref().map(|ended| seconds(from, ended)),
            step.outcome as u8,
            self.names.of(code.as_deref()),
            incident.and_then(|id| self.places.get(&(device, id)).copied()),
            self.names.of(step.task_id.as_deref()),
            life.map(|life| self.lines(&life.evidence)).unwrap_or_default(),
        )
    }

    fn lifetime(
        &mut self,
        from: i64,
        life: &LifetimeSpan,
        device: &str,
        lines: bool,
    ) -> impl serde::Serialize + use<> {
        let bits = [
            life.waited,
            life.refused,
            life.launch_only,
            life.ended_known == Known::Burst,
            life.launched_known == Known::Burst,
        ];
        let flags = bits.iter().enumerate().map(|(at, bit)| u32::from(*bit) << at).sum::<u32>();
        let held = life.held.iter().filter_map(|id| self.places.get(&(device, id.as_str())));
        let held: Vec<usize> = held.copied().collect();
        (
            self.names.place(&life.program),
            seconds(from, &life.launched),
            seconds(from, &life.active_from),
            seconds(from, &life.ended),
            flags,
            self.names.place(life.launched_by.word()),
            self.names.place(life.launched_known.word()),
            self.names.place(life.ended_known.word()),
            held,
            life.pid,
            self.names.of(life.task_id.as_deref()),
            if lines { self.lines(&life.evidence) } else { Vec::new() },
        )
    }

    fn lines(&mut self, evidence: &[Evidence]) -> Vec<Line> {
        let mut lines = Vec::new();
        for line in evidence.iter().take(ITEMS) {
            let member = line.member.as_ref().map(|member| format!("!/{member}"));
            let path = format!("{}{}", line.path, member.unwrap_or_default());
            let place = self.names.place(&path);
            let (says, mark) = (self.names.place(&line.says), self.names.of(line.mark.as_deref()));
            lines.push((place, line.line, says, mark, short(&line.text, LETTERS)));
        }
        lines
    }
}

fn seconds(from: i64, at: &Moment) -> i64 {
    (at.millis - from).div_euclid(1000)
}

/// When, what, its number, and how far the device's clock is from the axis from then on.
fn landmark(from: i64, mark: &Landmark) -> (i64, u8, Option<i64>, i64) {
    let what = match mark.what {
        Occasion::AgentInstalled => 0,
        Occasion::SessionBegins => 1,
        Occasion::ClockSet => 2,
        Occasion::DaylightSavingEnds => 3,
    };
    (seconds(from, &mark.at), what, mark.minutes, mark.at.local - mark.at.millis)
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Finished => "finished",
        RunState::Failed => "failed",
        RunState::Cut => "cut off",
        RunState::Hung => "hung",
        RunState::Open => "open: the logs don't tell its end",
    }
}
