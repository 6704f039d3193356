//! Templates that nothing names: runs that took the same sequence of steps share a name.
//!
//! A failed run stops early, and a lost log leaves a gap: a run belongs to the one longest
//! sequence that its own steps are a part of, in order. Where two fit, none is claimed.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::device::{DeviceReport, RunReport};
use crate::run::TemplateSource;

/// Most distinct sequences that are compared with one another: past it, only equal ones share.
const MOST_SEQUENCES: usize = 3000;

type Sequence = Vec<String>;

/// Names the runs of all devices that mapping and task name leave unnamed.
pub fn name_templates(devices: &mut [DeviceReport]) {
    let unnamed =
        devices.iter().flat_map(|device| &device.runs).filter(|run| run.template.is_none());
    let mut first_steps: BTreeMap<Sequence, String> = BTreeMap::new();
    for run in unnamed {
        let first = run.steps.first().map(|step| step.name.clone());
        first_steps.entry(sequence(run)).or_insert_with(|| first.unwrap_or_default());
    }
    let sequences: Vec<Sequence> = first_steps.keys().cloned().collect();
    let comparable = sequences.len() <= MOST_SEQUENCES;
    let longest = if comparable { longest(&sequences) } else { Vec::new() };
    let mut names: BTreeMap<Sequence, Option<String>> = BTreeMap::new();
    for own in &sequences {
        let mut fits = longest.iter().filter(|whole| is_part(own, whole)).copied();
        let only = fits.next().filter(|_| fits.next().is_none());
        let only = if comparable { only } else { Some(own) };
        names.insert(own.clone(), only.map(|whole| label(whole, &first_steps[whole])));
    }
    for run in devices.iter_mut().flat_map(|device| &mut device.runs) {
        if run.template.is_none() {
            let name = names.get(&sequence(run)).cloned().flatten();
            run.template = name.map(|name| (name, TemplateSource::Signature));
        }
    }
}

/// A run's steps by task id, or by name where a step has none.
fn sequence(run: &RunReport) -> Sequence {
    run.steps.iter().map(|step| step.task.clone().unwrap_or_else(|| step.name.clone())).collect()
}

/// Sequences that are no part of another one.
fn longest(sequences: &[Sequence]) -> Vec<&Sequence> {
    let mut by_length: Vec<&Sequence> = sequences.iter().collect();
    by_length.sort_by_key(|sequence| std::cmp::Reverse(sequence.len()));
    let mut longest: Vec<&Sequence> = Vec::new();
    for sequence in by_length {
        if !longest.iter().any(|whole| is_part(sequence, whole)) {
            longest.push(sequence);
        }
    }
    longest
}

/// Whether `part` stands in `whole` in the same order, perhaps with gaps.
fn is_part(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|step| rest.any(|other| other == step))
}

/// `unnamed 4e1f09aa: Install 7-Zip … (7 steps)`: the same for the same sequence.
fn label(sequence: &[String], first: &str) -> String {
    let mut hash = Sha256::new();
    for step in sequence {
        hash.update(step.as_bytes());
        hash.update([0]);
    }
    let short: String = hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    match sequence.len() {
        1 => format!("unnamed {short}: {first}"),
        count => format!("unnamed {short}: {first} … ({count} steps)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::StepReport;
    use crate::ending::RunState;

    fn device(name: &str, steps: &[&str]) -> DeviceReport {
        let step = |task: &&str| StepReport {
            name: format!("Install {task}"),
            ordinal: 1,
            task: Some((*task).to_owned()),
            refused: false,
            has_result: true,
        };
        let run = RunReport {
            number: 1,
            began: String::new(),
            template: None,
            steps: steps.iter().map(step).collect(),
            state: RunState::Finished,
            workaround: Some(false),
            later: false,
            minutes_lost: None,
        };
        DeviceReport { device: name.to_owned(), runs: vec![run], ..DeviceReport::default() }
    }

    #[test]
    fn a_stopped_run_shares_the_name_of_the_whole_one() {
        let mut devices = vec![
            device("a", &["1", "2", "3"]),
            device("b", &["1", "2"]),
            device("c", &["1", "4", "5"]),
            device("d", &["1"]),
            device("e", &["1", "3"]),
        ];
        name_templates(&mut devices);
        let name = |at: usize| devices[at].runs[0].template.clone();
        assert!(name(0).is_some_and(|(name, _)| name.ends_with("Install 1 … (3 steps)")));
        assert_eq!(name(0), name(1));
        assert_eq!(name(0), name(4));
        assert_ne!(name(0), name(2));
        assert_eq!(name(3), None, "two sequences begin like this one");
    }
}
