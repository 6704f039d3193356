//! Failures that the user expects: left out of what is found, and counted.

use provtrace_parsers::format::Formats;

use crate::correlate::Findings;
use crate::coverage::Ignored;
use crate::pattern;
use crate::timeline::Timeline;

/// Leaves out what the user expects, and counts it.
pub fn leave_out(findings: &mut Findings, timeline: &Timeline, formats: &Formats) -> Ignored {
    let expected = &formats.expected;
    let is_expected = |step: usize, code: Option<u32>| {
        let name = &timeline.steps[step].name;
        expected.steps.iter().any(|pattern| pattern::fits(pattern, name))
            || code.is_some_and(|code| expected.codes.iter().any(|own| is_code(*own, code)))
    };
    let (incidents, failures) = (findings.incidents.len(), findings.other_failures.len());
    findings.incidents.retain(|incident| {
        let code = incident.code.as_ref().map(|code| formats.codes.meaning(code).value);
        !incident.steps.iter().any(|step| is_expected(*step, code))
    });
    findings.other_failures.retain(|other| !is_expected(other.step, Some(other.code.value)));
    Ignored {
        incidents: (incidents - findings.incidents.len()) as u64,
        failures: (failures - findings.other_failures.len()) as u64,
    }
}

/// Whether a code is the one that the user gave: all of it, or its low word, as the console and
/// the report's list of other failures show it.
fn is_code(given: u32, code: u32) -> bool {
    given == code || given == code & 0xFFFF
}
