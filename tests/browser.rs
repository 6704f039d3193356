//! The HTML report in a real browser, as a reader has it: `tests/browser/drive.py` drives
//! Chromium through selenium.
//!
//! Where Chromium, its driver, Python or selenium are missing, the test says so and passes;
//! with `PROVTRACE_BROWSER=1`, as in `.ci/run`, that is a failure.

mod program;
mod simulation;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use program::{copy, count, list, root, run, text};
use serde_json::{Value, json};
use simulation::Fleet;

/// The driver's exit statuses for what is missing.
const MISSING: [i32; 2] = [77, 78];
/// A report of 10,000 devices is smaller than this.
const BYTES: u64 = 6_000_000;
/// It opens in less.
const SECONDS: f64 = 2.0;
/// What a hostile log says.
const EVIL: &str = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>";
const EVIL_STEP: &str = "Install <b data-evil>Chrome</b> & {{ 7 * 7 }}";
const EVIL_DEVICE: &str = "PAR<img src=x onerror=window.pwned=1>'\"";

#[test]
fn a_browser_shows_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let reports = vec![sample(folder.path()), hostile(folder.path()), big(folder.path())];
    let Some((browser, driver)) = programs() else { return };
    let plan = folder.path().join("plan.json");
    let wanted = json!({"browser": browser, "driver": driver, "reports": reports});
    fs::write(&plan, wanted.to_string()).expect("a plan");
    let python = if cfg!(windows) { "python" } else { "python3" };
    let script = root().join("tests/browser/drive.py");
    let output = Command::new(python).arg(script).arg(&plan).stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return missing(&format!("{python}: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code().is_some_and(|status| MISSING.contains(&status)) {
        return missing(said.trim());
    }
    println!("{said}");
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.matches("ok: ").count() > 40, "the script checked too little:\n{said}");
}

/// A test that is passed over says so; where it must not be, it fails.
fn missing(what: &str) {
    let must = std::env::var_os("PROVTRACE_BROWSER").is_some_and(|value| value == "1");
    assert!(!must, "PROVTRACE_BROWSER=1, and {what}");
    eprintln!("not tested in a browser: {what}");
}

/// Chromium and its driver.
fn programs() -> Option<(PathBuf, PathBuf)> {
    let find = |names: &[&str]| {
        let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
        let files = names.iter().flat_map(|name| folders.iter().map(move |own| own.join(name)));
        files.into_iter().find(|file| file.is_file())
    };
    let browser = find(&["chromium", "chromium-browser", "google-chrome", "chrome.exe"]);
    let driver = find(&["chromedriver", "chromedriver.exe"]);
    if browser.is_none() || driver.is_none() {
        missing("chromium or chromedriver is not installed");
    }
    browser.zip(driver)
}

/// Writes both reports on a share; the JSON is what the page is held against.
fn reports(share: &Path, page: &Path, more: &[&str]) -> Value {
    let json = page.with_extension("json");
    let mut args = vec!["analyze".to_owned(), share.display().to_string()];
    for file in [page, &json] {
        args.extend(["-o".to_owned(), file.display().to_string()]);
    }
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    let outcome = run(&args);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    serde_json::from_slice(&fs::read(json).expect("a report")).expect("JSON")
}

/// The first sentence of the report, on one line: as Markdown has it, without what escapes there.
fn verdict(share: &Path) -> String {
    let args = ["analyze".into(), share.as_os_str().to_owned(), "--format".into(), "md".into()];
    let markdown = run(&args).stdout;
    let bold = markdown.split("**").nth(1).expect("a verdict").replace('\n', " ");
    let mut plain = String::new();
    let mut letters = bold.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&#124;", "|"), ("&amp;", "&")]
        .into_iter()
        .fold(plain, |text, (escaped, own)| text.replace(escaped, own))
}

fn sample(folder: &Path) -> Value {
    let (share, page) = (root().join("samples/rollout-24"), folder.join("sample.html"));
    let report = reports(&share, &page, &[]);
    let incidents = list(&report, "incidents");
    let of_device = |name: &str| incidents.iter().filter(|own| text(own, "device") == name).count();
    let own = incidents.iter().find(|own| of_device(text(own, "device")) > 2);
    let device = text(own.expect("a device with three incidents"), "device");
    // The table is sorted by device, and its first row is opened: the oldest one.
    let oldest = incidents.iter().find(|own| text(own, "device") == device);
    let lines = list(oldest.expect("it has one"), "evidence");
    let line = lines.iter().find(|line| text(line, "says") == "refused").expect("a refusal");
    json!({
        "kind": "sample", "file": page, "verdict": verdict(&share), "incidents": incidents.len(),
        "device": device, "incidents_of_device": of_device(device), "line": text(line, "text"),
        "place": format!("{}:{}", text(line, "path"), count(line, "line")),
        "shapes": ["refusal", "work", "delay", "moment", "held"],
    })
}

/// A sample whose names and lines look like markup.
fn hostile(folder: &Path) -> Value {
    let share = folder.join("hostile");
    let device = if cfg!(windows) { "PAR-10001" } else { EVIL_DEVICE };
    let from = root().join("samples/scan-waited/PAR-10001");
    copy(&from, &share.join(device), |path, bytes| {
        let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
        if path.ends_with("ProvisionGUI.exe.log") {
            return text.replace("Install Chrome", EVIL_STEP).into_bytes();
        }
        text.replace("vuldef.dat", &format!("vuldef.dat{EVIL}")).into_bytes()
    });
    let page = folder.join("hostile.html");
    let report = reports(&share, &page, &[]);
    let [incident] = list(&report, "incidents") else { panic!("not one incident: {report}") };
    assert_eq!(text(incident, "step"), EVIL_STEP);
    assert!(list(incident, "evidence").iter().any(|line| text(line, "text").contains(EVIL)));
    let written = fs::read_to_string(&page).expect("a page");
    for tag in ["<img", "<b ", "<script>window"] {
        assert!(!written.contains(tag), "{tag} stands in the page");
    }
    json!({
        "kind": "hostile", "file": page, "verdict": verdict(&share),
        "shown": [EVIL, EVIL_STEP, device],
    })
}

/// Ten thousand devices.
fn big(folder: &Path) -> Value {
    let begin = Instant::now();
    // An archive a device: with plain folders, making and removing 180,000 files takes longest.
    let more = ["--noise", "off", "--zips", "100", "--history-days", "0"];
    let fleet = Fleet::with("full", 10_000, 11, &more);
    let simulated = begin.elapsed().as_secs_f64();
    let page = folder.join("big.html");
    let report = reports(&fleet.share(), &page, &[]);
    assert_eq!(count(&report["coverage"], "devices"), 10_000);
    let bytes = fs::metadata(&page).expect("a page").len();
    let analyzed = begin.elapsed().as_secs_f64() - simulated;
    println!(
        "10,000 devices: {bytes} bytes, simulated in {simulated:.1} s, analyzed in {analyzed:.1} s"
    );
    assert!(bytes < BYTES, "{bytes} bytes");
    let title = fs::read_to_string(&page).expect("a page");
    let title = title.split("<h1 id=\"verdict\">").nth(1).and_then(|rest| rest.split('<').next());
    let mut title = title.expect("a verdict").to_owned();
    for (escaped, plain) in [("&#x2f;", "/"), ("&quot;", "\""), ("&#x27;", "'"), ("&amp;", "&")] {
        title = title.replace(escaped, plain);
    }
    json!({"kind": "big", "file": page, "verdict": title, "seconds": SECONDS})
}
