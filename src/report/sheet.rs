//! The report's lists as columns with names: what CSV and Parquet are written from.

use std::borrow::Cow;

use crate::chronicle::{Chronicle, LifetimeSpan, Moment, StepSpan};
use crate::contract::{Blocker, Code, Evidence, Incident, StepRow, TemplateRow};
use crate::report::json::word;

/// A column.
#[derive(Debug)]
pub struct Column<'r> {
    /// Its name; it keeps its meaning as a field of the JSON does.
    pub name: &'static str,
    /// One value a row.
    pub values: Values<'r>,
}

/// The values of a column.
#[derive(Debug)]
pub enum Values<'r> {
    /// Texts.
    Text(Vec<Option<Cow<'r, str>>>),
    /// Whole numbers.
    Count(Vec<Option<i64>>),
    /// Other numbers.
    Real(Vec<Option<f64>>),
    /// Yes or no.
    Truth(Vec<Option<bool>>),
    /// Times as the report prints them: with `Z`, or local without an offset.
    Time(Vec<Option<&'r str>>),
    /// Quoted lines.
    Lines(Vec<&'r [Evidence]>),
}

/// Columns of the same length.
pub type Sheet<'r> = Vec<Column<'r>>;

/// The rows of a sheet that is being made.
struct Rows<'a, R>(&'a [R]);

impl<R: Copy> Rows<'_, R> {
    fn text<'r>(&self, name: &'static str, of: impl Fn(R) -> Option<&'r str>) -> Column<'r> {
        let texts = self.0.iter().map(|row| of(*row).map(Cow::Borrowed));
        Column { name, values: Values::Text(texts.collect()) }
    }

    /// A word of the contract.
    fn word<'r>(&self, name: &'static str, of: impl Fn(R) -> Option<String>) -> Column<'r> {
        let words = self.0.iter().map(|row| of(*row).map(Cow::Owned));
        Column { name, values: Values::Text(words.collect()) }
    }

    fn count<'r>(&self, name: &'static str, of: impl Fn(R) -> Option<i64>) -> Column<'r> {
        Column { name, values: Values::Count(self.0.iter().map(|row| of(*row)).collect()) }
    }

    fn real<'r>(&self, name: &'static str, of: impl Fn(R) -> Option<f64>) -> Column<'r> {
        Column { name, values: Values::Real(self.0.iter().map(|row| of(*row)).collect()) }
    }

    fn truth<'r>(&self, name: &'static str, of: impl Fn(R) -> Option<bool>) -> Column<'r> {
        Column { name, values: Values::Truth(self.0.iter().map(|row| of(*row)).collect()) }
    }

    fn time<'r>(&self, name: &'static str, of: impl Fn(R) -> Option<&'r str>) -> Column<'r> {
        Column { name, values: Values::Time(self.0.iter().map(|row| of(*row)).collect()) }
    }

    fn lines<'r>(&self, name: &'static str, of: impl Fn(R) -> &'r [Evidence]) -> Column<'r> {
        Column { name, values: Values::Lines(self.0.iter().map(|row| of(*row)).collect()) }
    }
}

/// A count as columns hold it.
fn whole(count: u64) -> Option<i64> {
    i64::try_from(count).ok()
}

/// One row an incident.
pub fn incidents(incidents: &[Incident]) -> Sheet<'_> {
    let all: Vec<&Incident> = incidents.iter().collect();
    let rows = Rows(&all);
    let mut sheet = vec![
        rows.text("id", |own| Some(&own.id)),
        rows.text("device", |own| Some(&own.device)),
        rows.count("run", |own| Some(own.run.into())),
        rows.text("template", |own| own.template.as_deref()),
        rows.word("template_source", |own| word(&own.template_source)),
        rows.text("step", |own| Some(&own.step)),
        rows.count("step_ordinal", |own| Some(own.step_ordinal.into())),
        rows.text("task_id", |own| own.task_id.as_deref()),
        rows.count("attempts", |own| Some(own.attempts.into())),
        rows.word("mechanism", |own| word(&own.mechanism)),
        rows.word("confidence", |own| word(&own.confidence)),
        rows.time("at", |own| Some(&own.at)),
        rows.text("at_logged", |own| Some(&own.at_logged)),
        rows.real("minutes_after_agent_install", |own| own.minutes_after_agent_install),
        rows.text("refused_program", |own| Some(&*own.refused.program)),
        rows.count("refused_pid", |own| own.refused.pid.map(i64::from)),
        rows.time("refused_ended", |own| own.refused.ended.as_deref()),
    ];
    sheet.extend(exit_code(&rows, |own| own.refused.exit_code.as_ref()));
    sheet.extend(blocker(&rows));
    sheet.extend([
        rows.truth("assumed_wording", |own| Some(own.assumed_wording)),
        rows.truth("learned_wording", |own| Some(own.learned_wording)),
        rows.lines("evidence", |own| &own.evidence),
    ]);
    sheet
}

/// The program that held an incident's step; nothing where none is seen.
fn blocker<'r>(rows: &Rows<'_, &'r Incident>) -> Sheet<'r> {
    let of = |own: &'r Incident| -> Option<&'r Blocker> { own.blocker.as_ref() };
    vec![
        rows.text("blocker_program", |own| of(own).map(|own| &*own.program)),
        rows.count("blocker_pid", |own| of(own)?.pid.map(i64::from)),
        rows.text("blocker_task_id", |own| of(own)?.task_id.as_deref()),
        rows.time("blocker_launched", |own| of(own).map(|own| own.launched.as_str())),
        rows.word("blocker_launched_known", |own| word(&of(own)?.launched_known)),
        rows.time("blocker_active_from", |own| of(own).map(|own| own.active_from.as_str())),
        rows.time("blocker_ended", |own| of(own).map(|own| own.ended.as_str())),
        rows.word("blocker_ended_known", |own| word(&of(own)?.ended_known)),
        rows.word("blocker_launched_by", |own| word(&of(own)?.launched_by)),
        rows.truth("blocker_hung", |own| of(own).map(|own| own.hung)),
    ]
}

fn exit_code<'r, R: Copy>(rows: &Rows<'_, R>, of: impl Fn(R) -> Option<&'r Code>) -> Sheet<'r> {
    vec![
        rows.text("exit_code_raw", |own| of(own).map(|code| code.raw.as_str())),
        rows.text("exit_code_hex", |own| of(own).map(|code| code.hex.as_str())),
        rows.count("exit_code", |own| of(own).map(|code| code.code.into())),
        rows.text("exit_code_meaning", |own| of(own).map(|code| code.meaning.as_str())),
    ]
}

/// The ranking of templates.
pub fn templates(templates: &[TemplateRow]) -> Sheet<'_> {
    let all: Vec<&TemplateRow> = templates.iter().collect();
    let rows = Rows(&all);
    vec![
        rows.count("rank", |own| whole(own.rank)),
        rows.text("template", |own| own.template.as_deref()),
        rows.count("runs", |own| whole(own.runs)),
        rows.count("affected_runs", |own| whole(own.affected_runs)),
        rows.count("incidents", |own| whole(own.incidents)),
        rows.count("devices", |own| whole(own.devices)),
        rows.real("rate", |own| Some(own.rate)),
        rows.real("rate_low", |own| Some(own.rate_low)),
        rows.real("rate_high", |own| Some(own.rate_high)),
        rows.count("workaround_runs", |own| whole(own.workaround_runs)),
        rows.real("minutes_lost", |own| Some(own.minutes_lost)),
    ]
}

/// The ranking of steps.
pub fn steps(steps: &[StepRow]) -> Sheet<'_> {
    let all: Vec<&StepRow> = steps.iter().collect();
    let rows = Rows(&all);
    vec![
        rows.count("rank", |own| whole(own.rank)),
        rows.text("template", |own| own.template.as_deref()),
        rows.text("step", |own| Some(&own.step)),
        rows.count("ordinal", |own| Some(own.ordinal.into())),
        rows.count("attempts", |own| whole(own.attempts)),
        rows.count("incidents", |own| whole(own.incidents)),
        rows.real("rate", |own| Some(own.rate)),
        rows.real("rate_low", |own| Some(own.rate_low)),
        rows.real("rate_high", |own| Some(own.rate_high)),
    ]
}

/// The name of a run's template.
fn template(chronicle: &Chronicle, number: u32) -> Option<&str> {
    let run = chronicle.runs.iter().find(|run| run.number == number)?;
    run.template.as_deref()
}

fn shown(moment: &Moment) -> Option<&str> {
    Some(&moment.shown)
}

/// One row a try of a step.
pub fn step_runs(chronicles: &[Chronicle]) -> Sheet<'_> {
    let all: Vec<(&Chronicle, &StepSpan)> =
        chronicles.iter().flat_map(|own| own.steps.iter().map(move |step| (own, step))).collect();
    let rows = Rows(&all);
    let mut sheet = vec![
        rows.text("device", |(own, _)| Some(&own.device)),
        rows.count("run", |(_, step)| Some(step.run.into())),
        rows.text("template", |(own, step)| template(own, step.run)),
        rows.count("step_ordinal", |(_, step)| Some(step.ordinal.into())),
        rows.text("step", |(_, step)| Some(&step.name)),
        rows.text("task_id", |(_, step)| step.task_id.as_deref()),
        rows.time("started", |(_, step)| shown(&step.started)),
        rows.time("ended", |(_, step)| step.ended.as_ref().and_then(shown)),
        rows.word("outcome", |(_, step)| word(&step.outcome)),
    ];
    sheet.extend(exit_code(&rows, |(_, step)| step.exit_code.as_ref()));
    sheet.push(rows.text("incident", |(_, step)| step.incident.as_deref()));
    sheet
}

/// One row a process.
pub fn lifetimes(chronicles: &[Chronicle]) -> Sheet<'_> {
    let all: Vec<(&Chronicle, &LifetimeSpan)> = chronicles
        .iter()
        .flat_map(|own| own.lifetimes.iter().map(move |life| (own, life)))
        .collect();
    let rows = Rows(&all);
    let step = |(own, life): (&'_ Chronicle, &'_ LifetimeSpan)| {
        life.step.and_then(|at| own.steps.get(at)).map(|step| (step.run, step.ordinal))
    };
    vec![
        rows.text("device", |(own, _)| Some(&own.device)),
        rows.text("program", |(_, life)| Some(&*life.program)),
        rows.count("pid", |(_, life)| life.pid.map(i64::from)),
        rows.text("task_id", |(_, life)| life.task_id.as_deref()),
        rows.count("run", |row| step(row).map(|(run, _)| run.into())),
        rows.count("step_ordinal", |row| step(row).map(|(_, ordinal)| ordinal.into())),
        rows.time("launched", |(_, life)| shown(&life.launched)),
        rows.word("launched_known", |(_, life)| word(&life.launched_known)),
        rows.time("active_from", |(_, life)| shown(&life.active_from)),
        rows.time("ended", |(_, life)| shown(&life.ended)),
        rows.word("ended_known", |(_, life)| word(&life.ended_known)),
        rows.word("launched_by", |(_, life)| word(&life.launched_by)),
        rows.truth("waited", |(_, life)| Some(life.waited)),
        rows.truth("refused", |(_, life)| Some(life.refused)),
        rows.truth("launch_only", |(_, life)| Some(life.launch_only)),
        rows.truth("messenger", |(_, life)| Some(life.messenger)),
        rows.word("held", |(_, life)| (!life.held.is_empty()).then(|| life.held.join(" "))),
        rows.lines("evidence", |(_, life)| &life.evidence),
    ]
}

impl Values<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Values::Text(all) => all.len(),
            Values::Count(all) => all.len(),
            Values::Real(all) => all.len(),
            Values::Truth(all) => all.len(),
            Values::Time(all) => all.len(),
            Values::Lines(all) => all.len(),
        }
    }
}
