//! How often the program is right, measured on simulated fleets with the truth beside them.
//!
//! ```sh
//! PROVTRACE_ACCURACY_DEVICES=2000 PROVTRACE_ACCURACY_SEEDS=101,102 \
//!     cargo test --release accuracy -- --nocapture
//! ```
//!
//! prints the table of docs/ACCURACY.md. Without these variables the fleets are small, and the
//! bounds are there to notice a step back.

mod program;
mod score;
mod simulation;

use std::ffi::OsString;
use std::fmt::Write;

use score::Score;
use simulation::Fleet;

/// Devices of a fleet, unless the environment says otherwise.
const DEVICES: u64 = 150;
/// Seeds, unless the environment says otherwise.
const SEEDS: &str = "11,12";
/// Wrong answers that are shown of a fleet.
const SHOWN: usize = 5;

/// A condition of the simulator, and what must be reached in it.
struct Condition {
    name: &'static str,
    precision: f64,
    recall: f64,
    mechanism: f64,
    /// The mechanism that the logs at hand allow to say.
    shown: f64,
    states: f64,
}

/// A little under what was measured when they were set.
const CONDITIONS: [Condition; 4] = [
    Condition {
        name: "full",
        precision: 0.985,
        recall: 0.985,
        mechanism: 0.99,
        shown: 0.99,
        states: 0.97,
    },
    Condition {
        name: "bare",
        precision: 0.98,
        recall: 0.98,
        mechanism: 0.96,
        shown: 0.975,
        states: 0.97,
    },
    Condition {
        name: "hostile",
        precision: 0.97,
        recall: 0.97,
        mechanism: 0.80,
        shown: 0.95,
        states: 0.92,
    },
    Condition {
        name: "workaround",
        precision: 1.0,
        recall: 1.0,
        mechanism: 1.0,
        shown: 1.0,
        states: 0.96,
    },
];

#[test]
fn accuracy_on_simulated_fleets() {
    let devices = asked("PROVTRACE_ACCURACY_DEVICES", &DEVICES.to_string());
    let devices: u64 = devices.parse().expect("PROVTRACE_ACCURACY_DEVICES is a number");
    let seeds = asked("PROVTRACE_ACCURACY_SEEDS", SEEDS);
    let seeds = seeds.split(',').map(|seed| seed.trim().parse().expect("a number"));
    let seeds: Vec<u64> = seeds.collect();
    let mut table = head();
    let mut short = Vec::new();
    for condition in &CONDITIONS {
        let mut all = Score::default();
        for seed in &seeds {
            let (score, wrong) = measure(condition.name, devices, *seed);
            row(&mut table, condition.name, &seed.to_string(), &score);
            for answer in wrong.iter().take(SHOWN) {
                println!("{} {seed}: {answer}", condition.name);
            }
            all += score;
        }
        row(&mut table, condition.name, "all", &all);
        let [mechanism, shown, ..] = all.explained();
        let reached = [all.precision(), all.recall(), mechanism, shown, all.states()];
        let Condition { precision, recall, mechanism, shown, states, .. } = *condition;
        let bounds = [precision, recall, mechanism, shown, states];
        let names =
            ["precision", "recall", "mechanism", "mechanism as the logs allow", "run state"];
        for ((name, reached), bound) in names.iter().zip(reached).zip(bounds) {
            if reached < bound {
                short.push(format!("{}: {name} {reached:.4}, not {bound}", condition.name));
            }
        }
    }
    println!("{table}");
    assert!(short.is_empty(), "{}\n{table}", short.join("\n"));
}

fn measure(condition: &str, devices: u64, seed: u64) -> (Score, Vec<String>) {
    let fleet = Fleet::simulate(condition, devices, seed);
    let mut args = ["analyze", "--format", "json"].map(OsString::from).to_vec();
    args.extend([fleet.share().into(), "--tasks".into(), fleet.tasks().into()]);
    let outcome = program::run(&args);
    assert_eq!(outcome.status, 0, "{condition}, seed {seed}: {}", outcome.stderr);
    score::score(&fleet.truth, &outcome.report())
}

fn asked(variable: &str, otherwise: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned())
}

fn head() -> String {
    "| condition | seed | devices | incidents | precision | recall | mechanism | as the logs allow | blocker | launched by | near misses | run state | open | time |\n\
     | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned()
}

fn row(table: &mut String, condition: &str, seed: &str, score: &Score) {
    let (precision, recall) = (score.precision(), score.recall());
    let [mechanism, shown, blocker, launched_by] = score.explained();
    writeln!(
        table,
        "| {condition} | {seed} | {} | {} | {precision:.4} | {recall:.4} | {mechanism:.4} | {shown:.4} | {blocker:.4} | {launched_by:.4} | {} of {} | {:.4} | {} | {:.4} |",
        score.devices,
        score.expected,
        score.near_misses,
        score.true_near_misses,
        score.states(),
        score.state_open,
        score.times()
    )
    .expect("text can be written");
}
