//! Swim-lanes: what lived when on one device, as a picture.

use std::io::{self, Write};

use crate::chronicle::{
    Chronicle, Landmark, LifetimeSpan, Moment, Occasion, RunSpan, StepOutcome, StepSpan,
};
use crate::report::lives;
use crate::report::plain::{harmless, short};
use crate::report::table::Style;
use crate::scene::is_open;

/// Columns of the lane's label.
const LABEL: usize = 30;
/// Side by side no more than so many lanes of one program are drawn.
const SIDE_BY_SIDE: usize = 6;
/// So long after its step's end a program is there all the same, in milliseconds.
const LIVES_ON: i64 = 2000;

/// What each letter of a lane stands for, and its colour on a terminal.
const LETTERS: [(char, &str, &str); 12] = [
    ('#', "step", "32"),
    ('~', "its program lives on", "31"),
    ('X', "refused", "1;31"),
    ('F', "failed otherwise", "31"),
    ('>', "no end seen", "33"),
    ('.', "waits", "33"),
    ('=', "at work", "34"),
    ('?', "launched, no trace", "33"),
    ('|', "agent installed", "36"),
    ('-', "the scan may start", "36"),
    ('^', "agent starts, as after a restart", "35"),
    ('@', "clock set", "35"),
];

/// Writes a picture and a list for every run of the device.
///
/// # Errors
/// Of the writer.
pub fn write(chronicle: &Chronicle, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let device = harmless(&chronicle.device);
    if chronicle.runs.is_empty() {
        writeln!(out, "{device}: no provisioning run in its logs")?;
    }
    for run in &chronicle.runs {
        let template = harmless(run.template.as_deref().unwrap_or("template not named"));
        writeln!(out, "{device}, run {}: {template} (the device's own time)", run.number)?;
        if !chronicle.steps.iter().any(|step| step.run == run.number) {
            writeln!(out, "  no step that starts a program\n")?;
            continue;
        }
        picture(chronicle, run, style, out)?;
        writeln!(out)?;
        lives::list(chronicle, run, out)?;
    }
    Ok(())
}

/// Time → column.
struct Axis {
    from: i64,
    to: i64,
    columns: usize,
}

impl Axis {
    fn of_run(run: &RunSpan, style: Style) -> Axis {
        let columns = usize::from(style.width).saturating_sub(LABEL + 1).max(10);
        let from = run.from.millis;
        Axis { from, to: run.until.millis.max(from + 1000), columns }
    }

    fn column(&self, at: i64) -> usize {
        let span = (self.to - self.from).max(1);
        let into = (at - self.from).clamp(0, span);
        usize::try_from(into * (self.columns as i64 - 1) / span).unwrap_or(0)
    }

    fn holds(&self, at: &Moment) -> bool {
        (self.from..=self.to).contains(&at.millis)
    }

    fn lane(&self) -> Vec<char> {
        vec![' '; self.columns]
    }

    fn fill(&self, lane: &mut [char], from: i64, to: i64, mark: char) {
        if to < self.from || from > self.to {
            return;
        }
        lane[self.column(from)..=self.column(to.max(from))].fill(mark);
    }
}

/// Draws one run: its steps, what lived beside them, the agent install and the clock.
///
/// # Errors
/// Of the writer.
pub fn picture(
    chronicle: &Chronicle,
    run: &RunSpan,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let axis = Axis::of_run(run, style);
    let (from, to) = (run.from.date_and_time(), run.until.time());
    let gap = axis.columns.saturating_sub(from.len() + to.len());
    writeln!(out, "{:LABEL$} {from}{}{to}", "", " ".repeat(gap))?;
    let mut lanes: Vec<(String, Vec<char>)> = Vec::new();
    for (at, step) in chronicle.steps.iter().enumerate() {
        if step.run == run.number {
            let own = chronicle.lifetimes.iter().find(|own| own.step == Some(at));
            lanes.push((format!("{} {}", step.ordinal, step.name), step_lane(&axis, step, own)));
        }
    }
    let programs = [
        ("vulscan", "vulscan.exe"),
        ("other sdclient", "sdclient.exe"),
        ("policy sync", "PolicySync.exe"),
    ];
    for (label, program) in programs {
        let own = |own: &&LifetimeSpan| {
            own.program == program
                && own.step.is_none()
                && !own.messenger
                && own.lives_in(axis.from, axis.to)
        };
        let side_by_side = program_lanes(&axis, chronicle.lifetimes.iter().filter(own));
        lanes.extend(side_by_side.into_iter().zip(1..).map(|(lane, at)| match at {
            1 => (label.to_owned(), lane),
            _more => (format!("{label} ({at})"), lane),
        }));
    }
    lanes.extend(landmark_lanes(&axis, &chronicle.landmarks));
    for (label, lane) in &lanes {
        row(out, label, lane, style)?;
    }
    legend(&lanes, style, out)
}

/// A step, from the start of its program to its end: as the step saw it, else the last sign of
/// life.
fn step_lane(axis: &Axis, step: &StepSpan, own: Option<&LifetimeSpan>) -> Vec<char> {
    let mut lane = axis.lane();
    let started = step.started.millis;
    let ended = step.ended.as_ref().or(own.map(|own| &own.ended));
    let ended = ended.map_or(started, |ended| ended.millis.max(started));
    let lives_on = own.map(|own| own.ended.millis).filter(|until| *until > ended + LIVES_ON);
    axis.fill(&mut lane, ended, lives_on.unwrap_or(ended), '~');
    axis.fill(&mut lane, started, ended, '#');
    match step.outcome {
        StepOutcome::Refused => lane[axis.column(started)] = 'X',
        StepOutcome::Failed => lane[axis.column(ended)] = 'F',
        StepOutcome::Succeeded | StepOutcome::Unknown => {
            if is_open(step, own) {
                lane[axis.column(ended)] = '>';
            }
        }
    }
    lane
}

/// Lifetimes of one program; those that overlap in as many lanes as it takes.
fn program_lanes<'c>(
    axis: &Axis,
    lifetimes: impl Iterator<Item = &'c LifetimeSpan>,
) -> Vec<Vec<char>> {
    let mut lanes: Vec<(Vec<char>, i64)> = Vec::new();
    for own in lifetimes {
        let free = lanes.iter().position(|(_, until)| *until < own.launched.millis);
        let at = free.unwrap_or(lanes.len()).min(SIDE_BY_SIDE - 1);
        if at == lanes.len() {
            lanes.push((axis.lane(), i64::MIN));
        }
        let (lane, until) = &mut lanes[at];
        *until = own.ended.millis.max(*until);
        if own.launch_only {
            lane[axis.column(own.launched.millis)] = '?';
            continue;
        }
        axis.fill(lane, own.launched.millis, own.active_from.millis, '.');
        axis.fill(lane, own.active_from.millis, own.ended.millis, '=');
    }
    lanes.into_iter().map(|(lane, _)| lane).collect()
}

/// The agent's install and its window, the agent's starts, changes of the clock.
fn landmark_lanes(axis: &Axis, landmarks: &[Landmark]) -> Vec<(String, Vec<char>)> {
    let mut lanes: Vec<(String, Vec<char>)> = Vec::new();
    let mut mark = |label: &str, at: i64, letter: char, window: i64| {
        let lane = match lanes.iter().position(|(own, _)| own == label) {
            Some(lane) => lane,
            None => {
                lanes.push((label.to_owned(), axis.lane()));
                lanes.len() - 1
            }
        };
        let lane = &mut lanes[lane].1;
        if window > 0 {
            axis.fill(lane, at, at.saturating_add(window), '-');
        }
        lane[axis.column(at)] = letter;
    };
    for own in landmarks.iter().filter(|own| axis.holds(&own.at)) {
        let at = own.at.millis;
        match own.what {
            Occasion::AgentInstalled => {
                let minutes = own.minutes.unwrap_or(0).clamp(0, 7 * 24 * 60);
                mark("agent installed", at, '|', minutes * 60_000);
            }
            Occasion::SessionBegins => mark("agent starts", at, '^', 0),
            Occasion::ClockSet | Occasion::DaylightSavingEnds => mark("clock", at, '@', 0),
        }
    }
    lanes
}

/// The letters that occur, wrapped to the width.
fn legend(lanes: &[(String, Vec<char>)], style: Style, out: &mut dyn Write) -> io::Result<()> {
    let occurs = |letter: char| lanes.iter().any(|(_, lane)| lane.contains(&letter));
    let mut line = String::new();
    let mut columns = LABEL;
    for (letter, meaning, colour) in LETTERS.iter().filter(|(letter, ..)| occurs(*letter)) {
        let width = meaning.len() + 5;
        if columns + width > usize::from(style.width) && !line.is_empty() {
            writeln!(out, "{:LABEL$} {}", "", line.trim_end())?;
            line.clear();
            columns = LABEL;
        }
        line.push_str(&painted(&letter.to_string(), colour, style));
        line.push_str(&format!(" {meaning}   "));
        columns += width;
    }
    writeln!(out, "{:LABEL$} {}", "", line.trim_end())
}

fn painted(text: &str, colour: &str, style: Style) -> String {
    if style.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn row(out: &mut dyn Write, label: &str, lane: &[char], style: Style) -> io::Result<()> {
    write!(out, "{:<LABEL$} ", short(label, LABEL))?;
    let lane: String = lane.iter().collect();
    let mut rest = lane.trim_end();
    while let Some(letter) = rest.chars().next() {
        let until = rest.find(|own: char| own != letter).unwrap_or(rest.len());
        let (same, after) = rest.split_at(until);
        match LETTERS.iter().find(|(own, ..)| *own == letter) {
            Some((_, _, colour)) => write!(out, "{}", painted(same, colour, style))?,
            None => write!(out, "{same}")?,
        }
        rest = after;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::RunState;
    use crate::lifetime::{Known, LaunchedBy};

    fn moment(seconds: i64) -> Moment {
        Moment { millis: seconds * 1000, local: seconds * 1000, shown: String::new() }
    }

    fn scan(from: i64, active: i64, to: i64) -> LifetimeSpan {
        LifetimeSpan {
            program: "vulscan.exe".into(),
            pid: None,
            task_id: None,
            launched: moment(from),
            launched_known: Known::Stated,
            active_from: moment(active),
            ended: moment(to),
            ended_known: Known::Stated,
            launched_by: LaunchedBy::Unknown,
            waited: active > from,
            refused: false,
            launch_only: false,
            messenger: false,
            step: None,
            held: Vec::new(),
            evidence: Vec::new(),
        }
    }

    fn chronicle() -> Chronicle {
        let step = StepSpan {
            run: 1,
            ordinal: 1,
            name: "Install \u{1b}[2J".to_owned(),
            task_id: None,
            started: moment(20),
            ended: Some(moment(22)),
            outcome: StepOutcome::Refused,
            exit_code: None,
            incident: None,
        };
        let install = Landmark {
            at: moment(0),
            what: Occasion::AgentInstalled,
            minutes: Some(1),
            readings: None,
            evidence: None,
        };
        Chronicle {
            device: "PAR-1".to_owned(),
            zone: None,
            runs: vec![RunSpan {
                number: 1,
                template: None,
                state: RunState::Failed,
                from: moment(0),
                until: moment(100),
            }],
            steps: vec![step],
            lifetimes: vec![scan(5, 15, 60), scan(10, 10, 30), scan(70, 70, 80)],
            landmarks: vec![install],
            logs: Vec::new(),
        }
    }

    fn drawn(colour: bool) -> String {
        let chronicle = chronicle();
        let mut out = Vec::new();
        let style = Style { width: 131, colour };
        picture(&chronicle, &chronicle.runs[0], style, &mut out).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn scans_that_overlap_lie_side_by_side() {
        let plain = drawn(false);
        let lane = |label: &str| {
            let line = plain.lines().find(|line| line.starts_with(label)).expect(label);
            line[LABEL + 1..].to_owned()
        };
        assert_eq!(
            lane("vulscan  "),
            format!("{:4}{}{}{:9}{}", "", ".".repeat(10), "=".repeat(46), "", "=".repeat(11))
        );
        assert_eq!(lane("vulscan (2)"), format!("{:9}{}", "", "=".repeat(21)));
        assert!(lane("1 Install").trim_start().starts_with('X'));
        assert_eq!(lane("agent installed"), format!("|{}", "-".repeat(59)));
    }

    #[test]
    fn colour_changes_no_letter() {
        let (plain, coloured) = (drawn(false), drawn(true));
        assert!(!plain.contains('\u{1b}'));
        assert!(coloured.contains("\u{1b}[1;31mX\u{1b}[0m"), "{coloured:?}");
        let mut bare = coloured;
        for code in ["0", "1;31", "31", "32", "33", "34", "35", "36"] {
            bare = bare.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(bare, plain);
    }
}
