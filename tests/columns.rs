//! The report in other programs' forms: golden files on one small case (tests/columns/), what
//! each form promises, and totals as DuckDB, pandas and Timesketch's importer read them.
//!
//! ```sh
//! PROVTRACE_BLESS=1 cargo test --release --test columns     # rewrite the golden files
//! pip install duckdb pandas pyarrow timesketch-import-client six
//! PROVTRACE_PYTHON=1 cargo test --release --test columns    # these must be there, not only may
//! ```

mod program;
mod simulation;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::printer::print_schema;
use program::{Case, count, list, root, run, write};
use serde_json::Value;
use simulation::Fleet;

/// What `-o` names, and the files that each makes.
const OUTPUTS: [(&str, &[&str]); 6] = [
    ("out.md", &["out.md"]),
    ("out.csv", &["out.csv", "out.templates.csv", "out.steps.csv"]),
    ("out.parquet", &["out.parquet", "out.lifetimes.parquet", "out.steps.parquet"]),
    ("out.timesketch.jsonl", &["out.timesketch.jsonl"]),
    ("out.timesketch.csv", &["out.timesketch.csv"]),
    ("out.trace.json", &["out.trace.json"]),
];

/// Writes a share in all forms and as report.json, in one analysis.
fn write_all(share: &[String], folder: &Path) {
    let mut args = vec!["analyze".to_owned()];
    args.extend(share.iter().cloned());
    for name in OUTPUTS.iter().map(|(name, _)| *name).chain(["report.json"]) {
        args.extend(["-o".to_owned(), folder.join(name).to_string_lossy().into_owned()]);
    }
    let outcome = run(&args);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, ""), "{}", outcome.stderr);
    let files = OUTPUTS.iter().flat_map(|(_, files)| *files).count() + 1;
    assert_eq!(program::files(folder).len(), files, "{folder:?}: no more, and nothing half");
}

fn sample(name: &str) -> Vec<String> {
    Case { name: name.to_owned() }.args(&[])
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

/// A Parquet file as text: its schema, then its rows.
fn shown(path: &Path) -> String {
    let file = fs::File::open(path).expect("a file");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let mut text = Vec::new();
    print_schema(&mut text, reader.metadata().file_metadata().schema());
    let mut text = String::from_utf8(text).expect("text");
    for row in reader.get_row_iter(None).expect("rows") {
        text.push('\n');
        for (name, value) in row.expect("a row").get_column_iter() {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text
}

#[test]
fn each_form_is_as_it_was() {
    let bless = std::env::var_os("PROVTRACE_BLESS").is_some_and(|value| value == "1");
    let folder = tempfile::tempdir().expect("a folder");
    write_all(&sample("scan-waited"), folder.path());
    let mut wrong = Vec::new();
    for name in OUTPUTS.iter().flat_map(|(_, files)| *files) {
        let path = folder.path().join(name);
        let (golden, now) = match name.strip_suffix(".parquet") {
            Some(stem) => (format!("{stem}.parquet.txt"), shown(&path)),
            None => ((*name).to_owned(), fs::read_to_string(&path).expect("UTF-8")),
        };
        let golden = root().join("tests/columns").join(golden);
        if bless {
            write(&golden, now.as_bytes());
        } else if fs::read_to_string(&golden).ok().as_ref() != Some(&now) {
            wrong.push(format!("{}: is not\n{now}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "if that is meant: PROVTRACE_BLESS=1\n{}", wrong.join("\n"));
}

#[test]
fn the_same_bytes_each_time() {
    let share = sample("rollout-24");
    let folders = [1, 8].map(|threads| {
        let folder = tempfile::tempdir().expect("a folder");
        let more = ["--threads".to_owned(), threads.to_string()];
        write_all(&[share.clone(), more.to_vec()].concat(), folder.path());
        folder
    });
    for name in program::files(folders[0].path()) {
        let [one, eight] = [0, 1].map(|at: usize| fs::read(folders[at].path().join(&name)));
        assert!(one.expect("a file") == eight.expect("a file"), "{name:?} differs");
    }
}

/// What standard output takes is the main file.
#[test]
fn standard_output_takes_the_incidents() {
    let folder = tempfile::tempdir().expect("a folder");
    write_all(&sample("scan-waited"), folder.path());
    for (format, file) in [
        ("md", "out.md"),
        ("csv", "out.csv"),
        ("timesketch-jsonl", "out.timesketch.jsonl"),
        ("timesketch-csv", "out.timesketch.csv"),
        ("trace", "out.trace.json"),
    ] {
        let outcome = run(&["analyze", "samples/scan-waited", "--format", format]);
        let wanted = fs::read_to_string(folder.path().join(file)).expect("a file");
        assert_eq!((outcome.status, outcome.stdout), (0, wanted), "{format}");
    }
}

/// Names that would be written twice are refused before anything is read or written.
#[test]
fn files_that_come_along_are_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (sheet, steps) = (path("a.csv"), path("a.steps.csv"));
    let outcome = run(&["analyze", "samples/scan-waited", "-o", &sheet, "-o", &steps]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("a.steps.csv: would be written twice"), "{}", outcome.stderr);
    assert!(program::files(folder.path()).is_empty());
}

/// If one of the files can't be written, none of them is.
#[test]
fn files_that_belong_together_appear_together() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("a.steps.csv")).expect("a folder in the way");
    let sheet = folder.path().join("a.csv").to_string_lossy().into_owned();
    let outcome = run(&["analyze", "samples/scan-waited", "-o", &sheet]);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    assert!(program::files(folder.path()).is_empty());
}

/// A device and its lines may be called anything.
#[test]
fn hostile_names_do_no_harm() {
    let (share, folder) = (tempfile::tempdir().expect("a"), tempfile::tempdir().expect("b"));
    let case = Case { name: "scan-waited".to_owned() };
    let device = program::names(&case.path(), Path::is_dir).remove(0);
    let hostile = share.path().join("=cmd&`b`");
    program::copy(&case.path().join(device), &hostile, |_, bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.replace("Another task", "Another ```` <script>alert(1)</script> task").into_bytes()
    });
    write_all(&[share.path().to_string_lossy().into_owned()], folder.path());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("UTF-8");
    for line in read("out.csv").lines().skip(1) {
        let cells: Vec<&str> = line.splitn(3, ',').collect();
        assert_eq!(cells[1], "'=cmd&`b`", "{line}");
    }
    let page = read("out.md");
    assert!(page.contains("### =cmd&amp;\\`b\\`: "), "{page}");
    let mut fence: Option<&str> = None;
    for line in page.lines() {
        match fence {
            None if line.starts_with("```") => fence = Some(line.trim_end_matches("text")),
            None => assert!(!line.contains('<'), "{line}"),
            Some(open) if line == open => fence = None,
            Some(open) => assert!(!line.contains(open), "{line}"),
        }
    }
    assert!(fence.is_none(), "every fence is closed");
}

/// From when, until when, and what.
type Slice<'v> = (u64, u64, &'v Value);

/// Slices on a lane don't overlap, everything has a name, and each arrow leads from a slice of the
/// holder to a slice that is the refused step.
#[test]
fn the_trace_can_be_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    write_all(&sample("rollout-24"), folder.path());
    let trace = json(&folder.path().join("out.trace.json"));
    let events = list(&trace, "traceEvents");
    let of = |phase: &'static str| events.iter().filter(move |own| own["ph"] == phase);
    let place = |own: &Value| (count(own, "pid"), count(own, "tid"));
    let mut lanes: BTreeMap<(u64, u64), Vec<Slice>> = BTreeMap::new();
    for own in of("X") {
        let from = count(own, "ts");
        assert!(count(own, "dur") > 0, "{own}");
        lanes.entry(place(own)).or_default().push((from, from + count(own, "dur"), own));
    }
    for (lane, slices) in &mut lanes {
        slices.sort_by_key(|(from, until, _)| (*from, *until));
        for pair in slices.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{lane:?}: {} {}", pair[0].2, pair[1].2);
        }
        let named = |own: &&Value| own["name"] == "thread_name" && place(own) == *lane;
        assert_eq!(of("M").filter(named).count(), 1, "{lane:?} has a name");
    }
    let report = json(&folder.path().join("report.json"));
    let held = list(&report, "incidents").iter().filter(|own| !own["blocker"].is_null()).count();
    let ends = |phase| of(phase).map(|own| (count(own, "id"), own)).collect::<BTreeMap<_, _>>();
    let (starts, ends) = (ends("s"), ends("f"));
    assert_eq!((starts.len(), ends.len()), (held, held));
    for (id, start) in starts {
        let end = ends[&id];
        assert!(count(start, "ts") <= count(end, "ts"), "{start} {end}");
        let slice = |own: &Value| {
            let at = count(own, "ts");
            let mut lane = lanes[&place(own)].iter();
            lane.find(|(from, until, _)| (*from..*until).contains(&at)).expect("a slice").2
        };
        assert_eq!(slice(end)["args"]["outcome"], "refused");
        assert!(slice(start)["args"]["program"].is_string());
    }
    let devices = of("M").filter(|own| own["name"] == "process_name").count();
    assert_eq!(devices, list(&report, "devices").len());
}

/// DuckDB, pandas and Timesketch's importer agree with the JSON.
#[test]
fn other_programs_read_the_same_totals() {
    let fleet = Fleet::simulate("hostile", 40, 7);
    let share = fleet.share().to_string_lossy().into_owned();
    for share in [sample("rollout-24"), vec![share], sample("healthy")] {
        let folder = tempfile::tempdir().expect("a folder");
        write_all(&share, folder.path());
        let incidents = list(&json(&folder.path().join("report.json")), "incidents").len();
        let Some(told) = totals(folder.path()) else { return };
        assert_eq!(told.trim(), format!("{incidents} incidents agree"), "{share:?}");
    }
}

/// What tests/columns/totals.py says; nothing where Python or one of its packages is missing.
fn totals(folder: &Path) -> Option<String> {
    let must = std::env::var_os("PROVTRACE_PYTHON").is_some_and(|value| value == "1");
    let python = if cfg!(windows) { "python" } else { "python3" };
    let packages = "import duckdb, pandas, pyarrow, timesketch_import_client.importer";
    let there = Command::new(python).args(["-c", packages]).output();
    if !there.as_ref().is_ok_and(|there| there.status.success()) {
        assert!(!must, "PROVTRACE_PYTHON=1, and {python} has not all of: {packages}: {there:?}");
        eprintln!("not tested: {python} has not all of: {packages}");
        return None;
    }
    let script = root().join("tests/columns/totals.py");
    let told = Command::new(python).arg(script).arg(folder).output().expect("python runs");
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{stderr}");
    Some(String::from_utf8_lossy(&told.stdout).into_owned())
}
