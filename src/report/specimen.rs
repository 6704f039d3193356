//! Nights that never were, for the tests of all that tells them: a usual one, a quiet one, the first
//! one, one with far too much, and one whose names are hostile.

use crate::comparison::{InForce, Rate, Row, Verdict};
use crate::contract::{Blocker, Code, Evidence, Incident, Refused, Tool};
use crate::correlate::{Confidence, Mechanism};
use crate::lifetime::{Known as End, LaunchedBy};
use crate::news::{
    Changed, Fallen, Files, Known, News, Night, Point, Revision, Silent, Trend, Withdrawn,
};
use crate::run::TemplateSource;
use crate::walk::Skipped;

/// A name that ends an element, turns text around, clears a terminal, opens a link and a fence.
pub const HOSTILE: &str = "</script><img src=x onerror=alert(1)> \u{1b}[2J\u{9b}2J\u{202e}\u{2066}\u{7} `]\
    (http://evil.test)`` {{ 7 * 7 }} | @all <!-- \"quoted\" 'so' \\ $(id)\r\n# HELP x\n";

/// A night on which nothing happened.
pub fn quiet() -> News {
    News {
        schema: "provtrace.news.v1",
        tool: Tool { name: "provtrace", version: "0.0.0" },
        run: Night {
            number: 12,
            began: "2026-11-25T02:00:00Z".to_owned(),
            ended: "2026-11-25T02:03:12.250Z".to_owned(),
            seconds: 192.25,
            since: Some("2026-11-24T02:00:01Z".to_owned()),
            resumed: false,
            devices_changed: 412,
            files: Files { new: 31, grown: 820, moved: 3, unchanged: 199_140, ..Files::default() },
            bytes_read: 48_200_000,
            bytes_found: 61_300_000_000,
            peak_memory: Some(182_000_000),
        },
        known: Known { devices: 20_000, runs: 31_420, affected_runs: 1_204, incidents: 1_250 },
        new: Vec::new(),
        revised: Vec::new(),
        withdrawn: Vec::new(),
        worse: Vec::new(),
        fixed: Vec::new(),
        silent: Vec::new(),
        fallen: Vec::new(),
        trends: Vec::new(),
        skipped: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A night with some of everything.
pub fn usual() -> News {
    let mut news = quiet();
    let (windows, lab) = (Some("Windows 11 23H2"), Some("Lab PCs"));
    news.new = vec![
        incident(1, "PAR-10002", windows, "Install Chrome", Mechanism::ScanWaited),
        incident(2, "PAR-10417", windows, "Install Chrome", Mechanism::ScanWaited),
        incident(3, "LYO-20011", lab, "Patch system", Mechanism::Unattributed),
    ];
    let revised = incident(4, "PAR-10388", windows, "Install Office LTSC", Mechanism::PolicyTask);
    let changed = [
        ("confidence", Some("stated"), Some("confirmed")),
        ("exit_code", None, Some("412 (0x8DB5019C)")),
        ("mechanism", Some("unattributed"), Some("policy_task")),
    ];
    let changed = changed.map(|(field, before, after)| Changed {
        field: field.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    });
    news.revised = vec![Revision { incident: revised, changed: changed.to_vec() }];
    news.withdrawn = vec![Withdrawn {
        id: "00000000000000c5".to_owned(),
        device: "PAR-10009".to_owned(),
        step: "Install Teams".to_owned(),
        at: "2026-11-23T10:02:00Z".to_owned(),
    }];
    news.worse = vec![
        row(windows, None, Verdict::Worse, (12, 410), (19, 96)),
        row(windows, Some("Install Chrome"), Verdict::Worse, (4, 402), (14, 95)),
    ];
    news.fixed = vec![row(lab, None, Verdict::Better, (60, 200), (2, 70))];
    let silent = |device: &str, gone| Silent {
        device: device.to_owned(),
        last_new: "2026-11-10T02:00:00Z".to_owned(),
        gone,
    };
    news.silent = vec![silent("LYO-20090", true), silent("PAR-10777", false)];
    news.fallen = vec![fallen("vulscan", ["PAR-10001", "PAR-10002", "PAR-10005"])];
    news.trends = vec![
        trend(windows, None, 30, 1),
        trend(windows, Some("Install Chrome"), 30, 2),
        trend(windows, Some("Install Office LTSC"), 12, 3),
        trend(lab, None, 25, 4),
        trend(Some("Kiosk"), None, 9, 0),
    ];
    let skipped =
        |path: &str, reason: &str| Skipped { path: path.to_owned(), reason: reason.to_owned() };
    news.skipped = vec![
        skipped("LYO-20011/vulscan.log", "permission denied"),
        skipped("PAR-10777/logs.zip", "is no zip: its directory is missing"),
    ];
    news.run.files.skipped = 2;
    news.warnings = vec!["the clock of PAR-10002 was set while logs were written".to_owned()];
    news
}

/// The first night of a store.
pub fn first() -> News {
    let mut news = usual();
    news.run = Night { number: 1, since: None, peak_memory: None, ..news.run };
    let News { revised, withdrawn, worse, fixed, silent, fallen, .. } = &mut news;
    (revised.clear(), withdrawn.clear(), worse.clear(), fixed.clear());
    (silent.clear(), fallen.clear());
    news.trends.truncate(1);
    for trend in &mut news.trends {
        trend.points.truncate(1);
    }
    news
}

/// A night with far more than anybody reads.
pub fn flood() -> News {
    let mut news = usual();
    let names: Vec<String> = (0..40).map(|number| format!("Template {number:02}")).collect();
    let step = |number: u64| format!("Install application {:02}", number % 17);
    let flood = |number: u64| {
        let template = names.get(number as usize % names.len()).map(String::as_str);
        let device = format!("PAR-{:05}", number % 3_000);
        incident(number, &device, template, &step(number), Mechanism::ScanWaited)
    };
    news.new = (0..5_000).map(flood).collect();
    news.silent = (0..900)
        .map(|number| Silent {
            device: format!("LYO-{number:05}"),
            last_new: "2026-11-10T02:00:00Z".to_owned(),
            gone: number % 2 == 0,
        })
        .collect();
    let skip = |number: u64| Skipped {
        path: format!("PAR-{number:05}/vulscan.log"),
        reason: "permission denied".to_owned(),
    };
    news.skipped = (0..700).map(skip).collect();
    news.trends = names
        .iter()
        .flat_map(|name| {
            let steps = (0..12).map(|number| trend(Some(name), Some(&step(number)), 60, number));
            std::iter::once(trend(Some(name), None, 60, 5)).chain(steps).collect::<Vec<_>>()
        })
        .collect();
    news
}

/// The usual night, with a hostile text in the place of every text that a log, a folder or a file
/// has a say in, and one of them very long.
pub fn hostile() -> News {
    let mut news = usual();
    let long = HOSTILE.repeat(40);
    for (own, evil) in news.new.iter_mut().zip([HOSTILE, &long, HOSTILE]) {
        spoil(own, evil);
    }
    for own in &mut news.revised {
        spoil(&mut own.incident, HOSTILE);
        for changed in &mut own.changed {
            changed.after = Some(HOSTILE.to_owned());
            changed.field.push_str(HOSTILE);
        }
    }
    for own in &mut news.withdrawn {
        (own.device, own.step, own.at) = (HOSTILE.to_owned(), long.clone(), HOSTILE.to_owned());
    }
    for row in news.worse.iter_mut().chain(&mut news.fixed) {
        row.template = row.template.as_ref().map(|_| HOSTILE.to_owned());
        row.step = row.step.as_ref().map(|_| HOSTILE.to_owned());
    }
    for own in &mut news.silent {
        (own.device, own.last_new) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    }
    for own in &mut news.fallen {
        own.format = HOSTILE.to_owned();
        own.devices = vec![HOSTILE.to_owned(), "-rf".to_owned()];
    }
    for own in &mut news.trends {
        own.template = own.template.as_ref().map(|_| HOSTILE.to_owned());
        own.step = own.step.as_ref().map(|_| HOSTILE.to_owned());
    }
    for own in &mut news.skipped {
        (own.path, own.reason) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    }
    news.warnings = vec![HOSTILE.to_owned()];
    news
}

fn spoil(own: &mut Incident, evil: &str) {
    (own.device, own.step) = (evil.to_owned(), evil.to_owned());
    own.template = Some(evil.to_owned());
    (own.at, own.task_id) = (evil.to_owned(), Some(evil.to_owned()));
    for line in &mut own.evidence {
        (line.path, line.member, line.text) =
            (evil.to_owned(), Some(evil.to_owned()), evil.to_owned());
    }
    if let Some(blocker) = &mut own.blocker {
        blocker.task_id = Some(evil.to_owned());
        blocker.launched = evil.to_owned();
    }
}

fn incident(
    number: u64,
    device: &str,
    template: Option<&str>,
    step: &str,
    mechanism: Mechanism,
) -> Incident {
    let at = format!("2026-11-24T{:02}:{:02}:40Z", 8 + number / 60 % 12, number % 60);
    let held = mechanism != Mechanism::Unattributed;
    let line = |line: u64, says, text: &str| Evidence {
        path: format!("{device}/sdclient_task34163.log"),
        member: None,
        line,
        offset: line * 80,
        length: text.len() as u64,
        says,
        mark: Some("seen".into()),
        text: text.to_owned(),
    };
    Incident {
        id: format!("{number:016x}"),
        device: device.to_owned(),
        run: 1,
        template: template.map(str::to_owned),
        template_source: TemplateSource::Mapping,
        step: step.to_owned(),
        step_ordinal: 3,
        task_id: Some("34163".to_owned()),
        attempts: if number == 2 { 2 } else { 1 },
        mechanism,
        confidence: if held { Confidence::Confirmed } else { Confidence::Stated },
        at_logged: at.trim_end_matches('Z').to_owned(),
        at_millis: 1_795_507_300_000 + number as i64,
        at,
        minutes_after_agent_install: Some(17.6),
        refused: Refused {
            program: "sdclient.exe".into(),
            pid: Some(4_712),
            started: "2026-11-24T08:01:40Z".to_owned(),
            ended: Some("2026-11-24T08:01:42Z".to_owned()),
            exit_code: Some(Code {
                raw: "-1918541412".to_owned(),
                hex: "0x8DB5019C".to_owned(),
                component: Some("DB5".to_owned()),
                code: 412,
                meaning: "a task is already running".to_owned(),
                mark: Some("seen".into()),
            }),
        },
        blocker: held.then(blocker),
        assumed_wording: false,
        learned_wording: false,
        evidence: vec![
            line(12, "started".into(), "11/24/2026 8:01:40 AM sdclient.exe started, task 34163"),
            line(14, "refused".into(), "11/24/2026 8:01:42 AM task is already in progress"),
        ],
    }
}

fn blocker() -> Blocker {
    Blocker {
        program: "vulscan.exe".into(),
        pid: Some(5_508),
        task_id: None,
        launched: "2026-11-24T07:52:03Z".to_owned(),
        launched_known: End::Scheduler,
        active_from: "2026-11-24T08:01:14Z".to_owned(),
        ended: "2026-11-24T08:09:22Z".to_owned(),
        ended_known: End::Stated,
        launched_by: LaunchedBy::LocalSchedulerFirstRun,
        hung: false,
    }
}

fn row(
    template: Option<&str>,
    step: Option<&str>,
    verdict: Verdict,
    before: (u64, u64),
    after: (u64, u64),
) -> Row {
    let rate = |(affected, runs): (u64, u64)| Rate {
        runs,
        affected,
        rate: affected as f64 / runs as f64,
        rate_low: affected as f64 / runs as f64 * 0.6,
        rate_high: (affected as f64 / runs as f64 * 1.5).min(1.0),
        workaround: InForce::None,
    };
    let (before, after) = (rate(before), rate(after));
    let change = after.rate - before.rate;
    Row {
        template: template.map(str::to_owned),
        step: step.map(str::to_owned),
        verdict,
        change: Some(change),
        change_low: Some(change - 0.08),
        change_high: Some(change + 0.08),
        before: Some(before),
        after: Some(after),
        p: Some(0.0004),
        p_corrected: Some(0.0012),
    }
}

fn fallen(format: &str, devices: [&str; 3]) -> Fallen {
    Fallen {
        format: format.to_owned(),
        lines: 410,
        understood: 3,
        share_before: 0.98,
        share: 3.0 / 410.0,
        devices: devices.map(str::to_owned).to_vec(),
    }
}

/// A trend of so many nights that end with the 25th of November, some of them without a run.
fn trend(template: Option<&str>, step: Option<&str>, nights: u64, seed: u64) -> Trend {
    let point = |night: u64| {
        // From the 27th of September on.
        let day = match night {
            0..4 => format!("2026-09-{:02}", 27 + night),
            4..35 => format!("2026-10-{:02}", night - 3),
            _ => format!("2026-11-{:02}", night - 34),
        };
        let runs = (night * 7 + seed * 13) % 23;
        let affected = if seed == 0 { 0 } else { runs * (night % (seed + 3)) / 12 };
        (runs > 0).then_some(Point { day, runs, affected })
    };
    let points: Vec<Point> = (60 - nights..60).filter_map(point).collect();
    let sum = |each: fn(&Point) -> u64| points.iter().map(each).sum::<u64>();
    Trend {
        template: template.map(str::to_owned),
        step: step.map(str::to_owned),
        runs: sum(|own| own.runs) + 100,
        affected: sum(|own| own.affected),
        points,
    }
}

/// Holds a text against its golden file in `tests/news`; `PROVTRACE_BLESS=1` writes the file.
pub fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/news").join(name);
    if std::env::var_os("PROVTRACE_BLESS").is_some_and(|value| value == "1") {
        assert!(std::fs::write(&path, text).is_ok(), "{name} can't be written");
    }
    // A checkout on Windows may have other line ends.
    let wanted = std::fs::read_to_string(&path).unwrap_or_default().replace('\r', "");
    assert_eq!(text, wanted, "{name} differs; PROVTRACE_BLESS=1 takes it as it is");
}
