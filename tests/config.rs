//! `nightly --config FILE`: each mistake gives one clear error with file, line and what to do, before
//! anything is read.

mod program;

use std::fs;

use program::{names, root, run};

/// `tests/config`: the first line of each file says which line is to be named, and what to do.
#[test]
fn each_mistake_is_told_once_with_line_and_remedy() {
    let folder = root().join("tests/config");
    let mut wrong = Vec::new();
    let all = names(&folder, |_| true);
    assert!(all.len() >= 20, "{} mistakes", all.len());
    for name in all {
        let path = format!("tests/config/{name}");
        let bytes = fs::read(folder.join(&name)).expect("a readable config");
        let first = String::from_utf8_lossy(&bytes).lines().next().map(str::to_owned);
        let first = first.unwrap_or_default();
        let expected = first.strip_prefix("# expected ").expect("a first line that says it");
        let (line, remedy) = expected.split_once(": ").expect("a line and a remedy");
        let outcome = run(&["nightly", "--config", path.as_str()]);
        let said = outcome.stderr.trim_start_matches("provtrace: ");
        let right = outcome.status == 2
            && outcome.stdout.is_empty()
            && said.starts_with(&format!("{path}:{line}: "))
            && said.contains(remedy)
            && said.trim_end().lines().count() == 1
            && !said.contains("SECRET");
        if !right {
            wrong
                .push(format!("{name}: wanted {line}: …{remedy}…, got {}: {said}", outcome.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_config_that_is_not_there_is_told() {
    for (path, words) in [("tests/no-such-config.toml", "no such file"), ("tests", "no file")] {
        let outcome = run(&["nightly", "--config", path]);
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        let said = format!("provtrace: {path}: ");
        assert!(
            outcome.stderr.starts_with(&said) && outcome.stderr.contains(words),
            "{}",
            outcome.stderr
        );
    }
}
