//! The news as metrics, in Prometheus' text format, for the textfile collector of node_exporter.
//!
//! Every series stands once, whatever the templates are called: one that is there twice would make the
//! collector refuse the whole file.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::clock::read_shown;
use crate::news::{News, Trend};
use crate::report::plain::short;
use crate::report::verdict::template_name;

/// Templates with a series of their own, in order of rank.
const TEMPLATES: usize = 50;
/// All others together.
const OTHERS: &str = "(all others)";
/// Letters of a label.
const LETTERS: usize = 120;

/// Writes the metrics.
///
/// # Errors
/// Of the writer.
pub fn write(news: &News, out: &mut dyn Write) -> io::Result<()> {
    let version = [(Some(("version", news.tool.version.to_owned())), 1.0)];
    family("provtrace_info", "The program that wrote this file.", &version, out)?;
    store(news, out)?;
    night(news, out)?;
    news_by_kind(news, out)?;
    templates(news, out)
}

/// A value and the one label that it may have.
type Sample = (Option<(&'static str, String)>, f64);

/// A metric with its head and samples; without one it has no head either.
fn family(name: &str, help: &str, samples: &[Sample], out: &mut dyn Write) -> io::Result<()> {
    if samples.is_empty() {
        return Ok(());
    }
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
    for (label, value) in samples {
        match label {
            None => writeln!(out, "{name} {value}")?,
            Some((label, text)) => writeln!(out, "{name}{{{label}=\"{}\"}} {value}", quoted(text))?,
        }
    }
    Ok(())
}

/// A label's value as it stands between quotes.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn plain(name: &str, help: &str, value: u64, out: &mut dyn Write) -> io::Result<()> {
    // Counts of files and bytes lie below 2^53: exact.
    family(name, help, &[(None, value as f64)], out)
}

/// What the store knows.
fn store(news: &News, out: &mut dyn Write) -> io::Result<()> {
    let known = &news.known;
    plain("provtrace_store_devices", "Devices that the store knows.", known.devices, out)?;
    plain("provtrace_store_runs", "Provisioning runs that have a step.", known.runs, out)?;
    let help = "Provisioning runs with a refused step.";
    plain("provtrace_store_affected_runs", help, known.affected_runs, out)?;
    plain("provtrace_store_incidents", "Refused steps.", known.incidents, out)
}

/// What the last run did.
fn night(news: &News, out: &mut dyn Write) -> io::Result<()> {
    let run = &news.run;
    plain("provtrace_last_run_number", "Which run of the store it was.", run.number, out)?;
    for (name, help, time) in [
        ("provtrace_last_run_began_timestamp_seconds", "When it began.", &run.began),
        ("provtrace_last_run_timestamp_seconds", "When it was done.", &run.ended),
    ] {
        let at = read_shown(time).map(|(millis, _utc)| (None, millis as f64 / 1000.0));
        family(name, help, at.as_slice(), out)?;
    }
    let took = [(None, run.seconds)];
    family("provtrace_last_run_duration_seconds", "How long it took.", &took, out)?;
    let help = "Whether it went on where a run was broken off.";
    plain("provtrace_last_run_resumed", help, u64::from(run.resumed), out)?;
    let help = "Devices that delivered something new.";
    plain("provtrace_last_run_devices_changed", help, run.devices_changed, out)?;
    let files = &run.files;
    let files = [
        ("gone", files.gone),
        ("grown", files.grown),
        ("moved", files.moved),
        ("new", files.new),
        ("replaced", files.replaced),
        ("skipped", files.skipped),
        ("unchanged", files.unchanged),
    ];
    let sample = |(state, some): (&str, u64)| (Some(("state", state.to_owned())), some as f64);
    family("provtrace_last_run_files", "What became of the files.", &files.map(sample), out)?;
    let help = "Bytes of logs that were read.";
    plain("provtrace_last_run_read_bytes", help, run.bytes_read, out)?;
    let help = "Bytes of all logs that were found.";
    plain("provtrace_last_run_found_bytes", help, run.bytes_found, out)?;
    let peak = run.peak_memory.map(|peak| (None, peak as f64));
    let help = "The most memory that was in use.";
    family("provtrace_last_run_peak_memory_bytes", help, peak.as_slice(), out)
}

/// How many news of which kind.
fn news_by_kind(news: &News, out: &mut dyn Write) -> io::Result<()> {
    let kinds = [
        ("fallen", news.fallen.len()),
        ("fixed", news.fixed.len()),
        ("new", news.new.len()),
        ("revised", news.revised.len()),
        ("silent", news.silent.len()),
        ("withdrawn", news.withdrawn.len()),
        ("worse", news.worse.len()),
    ];
    let sample = |(kind, some): (&str, usize)| (Some(("kind", kind.to_owned())), some as f64);
    family("provtrace_last_run_news", "What it found that is new.", &kinds.map(sample), out)
}

/// Runs and affected runs by template.
fn templates(news: &News, out: &mut dyn Write) -> io::Result<()> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let own = news.trends.iter().filter(|trend| trend.step.is_none());
    for (rank, Trend { template, runs, affected, .. }) in own.enumerate() {
        let label = if rank < TEMPLATES {
            short(&template_name(template.as_deref()), LETTERS)
        } else {
            OTHERS.to_owned()
        };
        let sum = sums.entry(label).or_default();
        *sum = (sum.0.saturating_add(*runs), sum.1.saturating_add(*affected));
    }
    let samples = |which: fn(&(u64, u64)) -> u64| -> Vec<Sample> {
        let sample = |(label, sum): (&String, &(u64, u64))| {
            (Some(("template", label.clone())), which(sum) as f64)
        };
        sums.iter().map(sample).collect()
    };
    let help = "Provisioning runs of a template.";
    family("provtrace_template_runs", help, &samples(|sum| sum.0), out)?;
    let help = "Provisioning runs of a template with a refused step.";
    family("provtrace_template_affected_runs", help, &samples(|sum| sum.1), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::specimen;
    use std::collections::BTreeSet;

    /// The metrics' series and their values, read as strictly as the collector does.
    fn series(news: &News) -> (String, BTreeMap<String, f64>) {
        let mut out = Vec::new();
        write(news, &mut out).expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert!(text.ends_with('\n'));
        let (mut found, mut heads, mut current) = (BTreeMap::new(), BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                current = help.split(' ').next().expect("a name").to_owned();
                assert!(heads.insert(current.clone()), "{current} has two heads");
                continue;
            }
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                assert_eq!(kind, format!("{current} gauge"));
                continue;
            }
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert!(is_series(name, &current), "{line}");
            let value: f64 = value.parse().expect("a number");
            assert!(found.insert(name.to_owned(), value).is_none(), "{name} is there twice");
        }
        (text, found)
    }

    /// `name`, or `name{label="value"}` with every quote and backslash of the value escaped.
    fn is_series(text: &str, name: &str) -> bool {
        let Some(rest) = text.strip_prefix(name) else { return false };
        let inside = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix("\"}"));
        let Some((label, value)) = inside.and_then(|inside| inside.split_once("=\"")) else {
            return rest.is_empty();
        };
        let mut letters = value.chars();
        while let Some(c) = letters.next() {
            let good = match c {
                '\\' => letters.next().is_some_and(|next| ['\\', '"', 'n'].contains(&next)),
                '"' => false,
                c => !crate::letters::is_obeyed(c),
            };
            if !good {
                return false;
            }
        }
        label.chars().all(|c| c.is_ascii_lowercase())
    }

    #[test]
    fn the_golden_nights() {
        specimen::golden("usual.prom", &series(&specimen::usual()).0);
        specimen::golden("hostile.prom", &series(&specimen::hostile()).0);
    }

    #[test]
    fn what_is_not_known_is_not_there() {
        let (_, first) = series(&specimen::first());
        assert!(!first.contains_key("provtrace_last_run_peak_memory_bytes"));
        let (_, quiet) = series(&specimen::quiet());
        assert_eq!(quiet["provtrace_last_run_timestamp_seconds"], 1_795_572_192.25);
        assert_eq!(quiet["provtrace_last_run_peak_memory_bytes"], 182_000_000.0);
        assert!(!quiet.keys().any(|name| name.starts_with("provtrace_template")));
    }

    #[test]
    fn the_number_of_series_is_bounded_and_none_is_there_twice() {
        let mut news = specimen::flood();
        let more: Vec<Trend> =
            news.trends.iter().filter(|own| own.step.is_none()).cloned().collect();
        let all: u64 = more.iter().map(|own| own.runs * 2).sum();
        news.trends.extend(more.iter().cloned().map(|mut own| {
            own.template = own.template.map(|name| format!("{name} for all others"));
            own
        }));
        let (_, found) = series(&news);
        let own = found.iter().filter(|(name, _)| name.starts_with("provtrace_template_runs"));
        let (own, sum) = (own.clone().count(), own.map(|(_, value)| *value).sum::<f64>());
        assert_eq!((own, sum), (TEMPLATES + 1, all as f64));
        for own in &mut news.trends {
            own.template = Some(OTHERS.to_owned());
        }
        let (_, found) = series(&news);
        assert_eq!(found["provtrace_template_runs{template=\"(all others)\"}"], all as f64);
    }
}
