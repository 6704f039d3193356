//! News as the values of their page.

use serde::Serialize;

use crate::citation::quoted_at;
use crate::comparison::{Rate, Row};
use crate::contract::Incident;
use crate::news::News;
use crate::report::difference::{change, p_value, rate};
use crate::report::groups::{Group, groups};
use crate::report::headline::{headline, minute, summary};
use crate::report::html::charts::tenth;
use crate::report::html::trends::{self, Trends};
use crate::report::news::{fallen, revised, silent, unread, warnings, withdrawn};
use crate::report::plain::short;
use crate::report::table::blocked_by;
use crate::report::verdict::template_name;

/// Rows of a table, entries of a list; all are in the JSON.
const ROWS: usize = 50;
/// Steps with new incidents, and incidents that are shown without being asked for.
const STEPS: usize = 20;
/// New incidents with their lines, the newest.
const INCIDENTS: usize = 100;
/// Lines of an incident.
const LINES: usize = 20;
/// Letters of a name, and of a line.
const LETTERS: usize = 80;
const LINE: usize = 400;

/// All that `news.html` shows.
#[derive(Debug, Serialize)]
pub struct Page {
    headline: String,
    /// The night, and the one before it.
    night: String,
    since: Option<String>,
    any: bool,
    new: usize,
    worse: usize,
    silent: usize,
    fallen: usize,
    groups: Table<Fresh>,
    incidents: Vec<Told>,
    /// Whether their list is closed at first.
    closed: bool,
    earlier: usize,
    worse_rows: Table<Change>,
    fixed_rows: Table<Change>,
    /// Title, entries: what stands before the trends.
    lists: Vec<List>,
    trends: Option<Trends>,
    files: [(&'static str, &'static str, u64); 7],
    summary: [String; 2],
    rest: Vec<List>,
    style: String,
    nonce: String,
    version: &'static str,
}

/// The first rows of a table, and how many more there are.
#[derive(Debug, Serialize)]
struct Table<T> {
    rows: Vec<T>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct List {
    title: &'static str,
    entries: Vec<String>,
    more: usize,
}

/// New incidents of one step.
#[derive(Debug, Serialize)]
struct Fresh {
    step: String,
    template: String,
    incidents: usize,
    devices: u64,
    blocked_by: String,
}

/// A new incident.
#[derive(Debug, Serialize)]
struct Told {
    id: String,
    at: String,
    device: String,
    step: String,
    template: String,
    blocked_by: String,
    confidence: &'static str,
    lines: Vec<Line>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    place: String,
    text: String,
}

/// A template or a step that changed.
#[derive(Debug, Serialize)]
struct Change {
    name: String,
    of: Option<String>,
    before: String,
    now: String,
    change: String,
    p: String,
    bars: Vec<Bar>,
}

/// A rate, drawn: in percent.
#[derive(Debug, Serialize)]
struct Bar {
    class: &'static str,
    y: u8,
    rate: f64,
    low: f64,
    high: f64,
}

/// The page's values.
pub fn of(news: &News, style: String, nonce: String) -> Page {
    let newest = news.new.len().saturating_sub(INCIDENTS);
    Page {
        headline: headline(news),
        night: minute(&news.run.began),
        since: news.run.since.as_deref().map(minute),
        any: news.is_any(),
        new: news.new.len(),
        worse: news.worse.len(),
        silent: news.silent.len(),
        fallen: news.fallen.len(),
        groups: Table::of(&groups(&news.new), STEPS, fresh),
        incidents: news.new[newest..].iter().rev().map(told).collect(),
        closed: news.new.len() > STEPS,
        earlier: newest,
        worse_rows: Table::of(&news.worse, ROWS, changed),
        fixed_rows: Table::of(&news.fixed, ROWS, changed),
        lists: lists([
            ("No longer understood: was the agent updated?", fallen(news)),
            ("Went silent", silent(news)),
            ("Told otherwise, by later logs", revised(news)),
            ("Withdrawn: later logs show no refusal", withdrawn(news)),
        ]),
        trends: trends::of(news),
        files: files(news),
        summary: summary(news),
        rest: lists([("Not read", unread(news)), ("Warnings", warnings(news))]),
        style,
        nonce,
        version: news.tool.version,
    }
}

impl<T> Table<T> {
    fn of<F>(all: &[F], most: usize, row: impl Fn(&F) -> T) -> Table<T> {
        let rows = all.iter().take(most).map(row).collect();
        Table { rows, more: all.len().saturating_sub(most) }
    }
}

/// The lists that have an entry.
fn lists<const N: usize>(all: [(&'static str, Vec<String>); N]) -> Vec<List> {
    let list = |(title, mut entries): (&'static str, Vec<String>)| {
        let more = entries.len().saturating_sub(ROWS);
        entries.truncate(ROWS);
        List { title, entries, more }
    };
    all.into_iter().filter(|(_, entries)| !entries.is_empty()).map(list).collect()
}

fn fresh(group: &Group<'_>) -> Fresh {
    Fresh {
        step: short(group.step, LETTERS),
        template: short(&template_name(group.template), LETTERS),
        incidents: group.incidents.len(),
        devices: group.devices(),
        blocked_by: group.blocked_by(),
    }
}

fn told(own: &Incident) -> Told {
    let line = |own: &crate::contract::Evidence| Line {
        place: short(&quoted_at(own), LINE),
        text: short(&own.text, LINE),
    };
    Told {
        id: own.id.clone(),
        at: short(&own.at, LETTERS).replacen('T', " ", 1),
        device: short(&own.device, LETTERS),
        step: short(&own.step, LETTERS),
        template: short(&template_name(own.template.as_deref()), LETTERS),
        blocked_by: short(&blocked_by(own), LINE),
        confidence: own.confidence.word(),
        lines: own.evidence.iter().take(LINES).map(line).collect(),
        more: own.evidence.len().saturating_sub(LINES),
    }
}

fn changed(row: &Row) -> Change {
    let template = short(&template_name(row.template.as_deref()), LETTERS);
    let (name, of) = match &row.step {
        Some(step) => (short(step, LETTERS), Some(template)),
        None => (template, None),
    };
    let bar = |rate: &Rate, class, y| Bar {
        class,
        y,
        rate: tenth(rate.rate * 100.0),
        low: tenth(rate.rate_low * 100.0),
        high: tenth(rate.rate_high * 100.0),
    };
    let bars = [
        row.before.as_ref().map(|rate| bar(rate, "earlier", 2)),
        row.after.as_ref().map(|rate| bar(rate, "share", 14)),
    ];
    Change {
        name,
        of,
        before: rate(row.before.as_ref()),
        now: rate(row.after.as_ref()),
        change: change(row),
        p: row.p_corrected.map(p_value).unwrap_or_default(),
        bars: bars.into_iter().flatten().collect(),
    }
}

/// What became of the files: a word, what it means, how many.
fn files(news: &News) -> [(&'static str, &'static str, u64); 7] {
    let files = &news.run.files;
    [
        ("new", "never seen before, read whole", files.new),
        ("grown", "only what was new in them was read", files.grown),
        ("moved", "known under another name", files.moved),
        ("replaced", "other contents than before, read whole", files.replaced),
        ("unchanged", "not opened", files.unchanged),
        ("gone", "no longer there; what they said is kept", files.gone),
        ("not read", "could not be read, or not wholly", files.skipped),
    ]
}

#[cfg(test)]
mod tests {
    use crate::report::html::write_news;
    use crate::report::specimen;

    fn page(news: &crate::news::News) -> String {
        let mut out = Vec::new();
        write_news(news, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    /// The page without its style, which is no text of ours.
    fn body(page: &str) -> &str {
        page.split_once("</style>").map_or(page, |(_, body)| body)
    }

    #[test]
    fn the_golden_nights() {
        specimen::golden("usual.html", body(&page(&specimen::usual())));
        specimen::golden("quiet.html", body(&page(&specimen::quiet())));
        specimen::golden("hostile.html", body(&page(&specimen::hostile())));
    }

    #[test]
    fn a_browser_obeys_nothing() {
        let page = page(&specimen::hostile());
        for evil in ["<img", "<!-- ", "</script", "onerror=alert(1)>"] {
            assert!(!page.contains(evil), "{evil}");
        }
        let obeyed = page.chars().find(|c| *c != '\n' && crate::letters::is_obeyed(*c));
        assert_eq!(obeyed, None);
        assert!(page.contains("{{ 7 * 7 }}"), "a name is no template");
        assert!(page.contains("default-src 'none'; style-src 'nonce-"));
        assert!(
            !page.contains("<script") && !page.contains(" style="),
            "no script, no loose style"
        );
    }

    #[test]
    fn a_flood_stays_a_page() {
        let page = page(&specimen::flood());
        assert!(page.len() < 2_000_000, "{} bytes", page.len());
        assert!(page.contains("… and 850 more"), "silent devices are cut");
    }
}
