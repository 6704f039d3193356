//! `explain`: which incident is asked for → its story.

use crate::cli::{ExplainArgs, InputArgs, SurveyFormat};
use crate::clock::Window;
use crate::contract::{Incident, Report};
use crate::explanation::{Explanation, Explanations, explain as told_of};
use crate::failure::Failure;
use crate::intake::{find, output, read, request, status, style};
use crate::report;
use crate::story::Kept;

/// Incidents that an error lists.
const LISTED: usize = 10;

/// `explain`: the stories of the incidents that are asked for.
///
/// # Errors
/// If there is none, or the logs can't be read.
pub fn explain(args: &ExplainArgs) -> Result<u8, Failure> {
    let (id, input) = incident_asked(&args.input)?;
    let (threads, quiet) = (args.threads, args.no_progress);
    let mut request = request(&input, args.tasks.as_deref(), Window::default())?;
    request.kept = Kept::Affected;
    let share = find(&input, &request)?;
    let (report, chronicles) = read(&share, &request, threads, quiet)?;
    let wanted = incidents_asked(&report, id.as_deref(), &input)?;
    let told = wanted.iter().filter_map(|own| told_of(own, &chronicles, &report));
    let told: Vec<Explanation> = told.collect();
    let mut out = output(args.output.output.as_deref(), &share)?;
    let style = style(args.output.output.is_some(), args.width);
    match args.format {
        SurveyFormat::Json => report::json::write(&Explanations::new(told), &mut out)?,
        SurveyFormat::Table => {
            for own in &told {
                report::explained::write(own, &chronicles, style, &mut out)?;
            }
        }
    }
    out.finish()?;
    Ok(status(&input, &report.coverage.skipped, 0))
}

/// The incident that `explain` is asked for, and what is left to read: the first PATH is an id, or
/// the beginning of one, if it looks like one and nothing of that name is there.
///
/// # Errors
/// If an id is asked for and no PATH is left.
fn incident_asked(input: &InputArgs) -> Result<(Option<String>, InputArgs), Failure> {
    let mut input = input.clone();
    let first = input.paths.first().map(|path| path.to_string_lossy().to_ascii_lowercase());
    let digits = |text: &String| {
        (1..=16).contains(&text.len()) && text.chars().all(|letter| letter.is_ascii_hexdigit())
    };
    let id = first.filter(digits).filter(|_| !input.paths[0].exists());
    if let Some(id) = &id {
        input.paths.remove(0);
        if input.paths.is_empty() {
            return Err(Failure::Asked(format!("explain {id}: give the PATH of its logs, too")));
        }
    }
    Ok((id, input))
}

/// The incidents of a report whose id begins like this; all of the devices that were asked for,
/// without one.
///
/// # Errors
/// If none fits, several do, or too much is asked for.
fn incidents_asked<'r>(
    report: &'r Report,
    id: Option<&str>,
    input: &InputArgs,
) -> Result<Vec<&'r Incident>, Failure> {
    let all: Vec<&Incident> = report.incidents.iter().collect();
    let devices = report::plain::count(report.coverage.devices, "device");
    if all.is_empty() {
        return Err(Failure::Asked(format!(
            "no incident in the logs of {devices}: no step was refused since another task ran"
        )));
    }
    let some = |incidents: &[&Incident]| {
        let shown = incidents.iter().take(LISTED).map(|own| {
            let (device, step) = (&own.device, &own.step);
            format!(
                "\n  {} {} {}",
                own.id,
                report::plain::short(device, 40),
                report::plain::short(step, 40)
            )
        });
        let more = if incidents.len() > LISTED { "\n  …" } else { "" };
        format!("{}{more}", shown.collect::<String>())
    };
    let Some(id) = id else {
        if input.device.is_empty() && report.coverage.devices > 1 {
            return Err(Failure::Asked(format!(
                "say which incident, or --device NAME; there are{}",
                some(&all)
            )));
        }
        return Ok(all);
    };
    let fits: Vec<&Incident> = all.iter().copied().filter(|own| own.id.starts_with(id)).collect();
    match fits.len() {
        1 => Ok(fits),
        0 => Err(Failure::Asked(format!(
            "no incident's id begins with {id}; there are{}",
            some(&all)
        ))),
        many => {
            Err(Failure::Asked(format!("{many} incidents' ids begin with {id}:{}", some(&fits))))
        }
    }
}
