//! How the runs went, beside what was refused: those that never ended, long waits, the
//! workaround.

use std::io::{self, Write};

use crate::contract::{LongWait, Report, UnfinishedRun};
use crate::ending::{RunState, ShownBy};
use crate::report::plain::{count, harmless, short};
use crate::report::reading::list;
use crate::report::table::Style;

/// Letters of a name that are shown.
const LETTERS: usize = 40;
/// Devices that are named in a line.
const NAMED: usize = 5;

/// Writes what there is of it; nothing if there is none.
///
/// # Errors
/// Of the writer.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    workaround(report, out)?;
    let unfinished: Vec<String> = report.unfinished_runs.iter().map(unfinished).collect();
    if !unfinished.is_empty() {
        let states = &report.runs_by_state;
        writeln!(
            out,
            "Runs: {} finished, {} failed, {} cut off, {} hung, {} open (the logs don't tell).",
            states.finished, states.failed, states.cut, states.hung, states.open
        )?;
    }
    list(out, style, "Runs without an end", &unfinished)?;
    let waits: Vec<String> = report.long_waits.iter().map(long_wait).collect();
    list(out, style, "Steps that waited over an hour for a scan", &waits)
}

pub(super) fn workaround(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let known = report.devices.iter().filter(|device| device.workaround.is_some()).count();
    let armed = report.devices.iter().filter(|device| device.workaround == Some(true));
    let in_force = armed.clone().count();
    if in_force == 0 {
        return Ok(());
    }
    let hit: Vec<String> = { armed }
        .filter(|device| device.incidents > 0)
        .map(|device| short(&device.device, LETTERS))
        .collect();
    let all_the_same = match hit.len() {
        0 => String::new(),
        all => {
            let more = if all > NAMED { ", …" } else { "" };
            let named = hit.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
            format!("; refused all the same on {all}: {named}{more}")
        }
    };
    writeln!(
        out,
        "Workaround (scan and policy sync armed for the year 3000): in force on {in_force} of {} whose \
         logs show it{all_the_same}.",
        count(known as u64, "device")
    )
}

/// `PAR-1, run 2: hangs in "Install X" since … (…)`.
pub(super) fn unfinished(run: &UnfinishedRun) -> String {
    let how = match run.state {
        RunState::Hung => "hung",
        RunState::Cut => "cut off",
        RunState::Finished | RunState::Failed | RunState::Open => "open",
    };
    let shown = match run.shown_by {
        ShownBy::NextRun => "another run follows",
        ShownBy::OtherWork => "another program works afterwards",
        ShownBy::OwnLines => "its own lines go on",
        ShownBy::OthersHeld => "it holds others for hours",
        ShownBy::DeviceGoesOn => "other logs go on for hours",
    };
    format!(
        "{}, run {}: {how} in \"{}\", started {}, last sign of life {}; {shown}",
        short(&run.device, LETTERS),
        run.run,
        short(&run.step, LETTERS),
        run.since.replace('T', " "),
        run.last_sign.replace('T', " "),
    )
}

/// `PAR-1, run 2: "Install X" from … beside a scan for 95 minutes`.
pub(super) fn long_wait(wait: &LongWait) -> String {
    let hung = if wait.blocker.hung { ", which had run for hours" } else { "" };
    format!(
        "{}, run {}: \"{}\", started {}, {} beside the scan of {}{hung}",
        short(&wait.device, LETTERS),
        wait.run,
        short(&wait.step, LETTERS),
        wait.at.replace('T', " "),
        count(u64::try_from(wait.minutes).unwrap_or(0), "minute"),
        harmless(&wait.blocker.launched).replace('T', " "),
    )
}
