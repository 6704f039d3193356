//! docs/RUNNING.md and docs/deploy: they name flags and keys that exist, and files that a scheduler takes.

mod program;

use std::collections::BTreeSet;
use std::fs;

use program::{names, root, run};
use regex::Regex;
use roxmltree::{Document, Node};

/// The commands whose flags these files name.
const COMMANDS: [&[&str]; 5] =
    [&["nightly"], &["report"], &["store", "prune"], &["store", "check"], &["store", "export"]];

fn read(file: &str) -> String {
    fs::read_to_string(root().join("docs").join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The flags of a command, as its help has them.
fn flags(command: &[&str]) -> BTreeSet<String> {
    let outcome = run(&[command, &["--help"]].concat());
    assert_eq!(outcome.status, 0, "{command:?}: {}", outcome.stderr);
    let flag = Regex::new(r"(?m)^ +(?:-\w, )?--([a-z-]+)").expect("a pattern");
    let flags: BTreeSet<String> =
        flag.captures_iter(&outcome.stdout).map(|found| found[1].to_owned()).collect();
    assert!(flags.contains("store"), "{command:?}: {flags:?}");
    flags
}

/// The flags that stand in a text.
fn named(text: &str) -> Vec<String> {
    let flag = Regex::new(r"(?:^|[\s`(])--([a-z][a-z-]*)").expect("a pattern");
    flag.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// A command line of provtrace names only flags of its command; other words only flags of any.
#[test]
fn only_flags_that_exist_are_named() {
    let known: Vec<(&[&str], BTreeSet<String>)> =
        COMMANDS.iter().map(|command| (*command, flags(command))).collect();
    let any: BTreeSet<&String> = known.iter().flat_map(|(_, flags)| flags).collect();
    let call = Regex::new(r#"provtrace(?:\.exe"?)? ((?:nightly|report|store) [^`\n]*)"#);
    let call = call.expect("a pattern");
    let bare = Regex::new(r"`(--[^`]*)`").expect("a pattern");
    let mut wrong = Vec::new();
    let mut seen = 0;
    let files = names(&root().join("docs/deploy"), |_| true);
    let files = files.iter().map(|file| format!("deploy/{file}"));
    for file in files.chain(["RUNNING.md".to_owned()]) {
        let text = read(&file);
        for found in call.captures_iter(&text) {
            let own = known.iter().find(|(command, _)| found[1].starts_with(&command.join(" ")));
            let (command, flags) =
                own.unwrap_or_else(|| panic!("{file}: no such command: {}", &found[0]));
            let unknown = named(&found[1]).into_iter().filter(|flag| !flags.contains(flag));
            wrong.extend(unknown.map(|flag| format!("{file}: {command:?} has no --{flag}")));
            seen += 1;
        }
        // In backquotes, without a program in front.
        for flag in bare.captures_iter(&text).flat_map(|span| named(&span[1])) {
            if !any.contains(&flag) {
                wrong.push(format!("{file}: no command has --{flag}"));
            }
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} places name a flag");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Also keys that are commented out, and those of RUNNING.md.
#[test]
fn only_keys_that_exist_are_named() {
    let flags = flags(&["nightly"]);
    let key = Regex::new(r"(?m)(?:^(?:# )?|`)([a-z][a-z-]*) = ").expect("a pattern");
    let mut seen = 0;
    for file in ["deploy/nightly.toml", "RUNNING.md"] {
        for found in key.captures_iter(&read(file)) {
            assert!(flags.contains(&found[1]) || &found[1] == "share", "{file}: {}", &found[1]);
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} keys");
}

/// Starts with the config as it stands, but for paths that are not on this machine.
#[test]
fn the_config_is_understood() {
    let outcome = run(&["nightly", "--config", "docs/deploy/nightly.toml", "tests/no-such-share"]);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("nightly.toml"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("error:"), "{}", outcome.stderr);
}

#[test]
fn the_service_and_its_timer_belong_together() {
    let (service, timer) =
        (read("deploy/provtrace-nightly.service"), read("deploy/provtrace-nightly.timer"));
    let value = |text: &str, key: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix(&format!("{key}=")).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {key} in {text}"))
    };
    for line in service.lines().chain(timer.lines()) {
        let is_section = line.starts_with('[') && line.ends_with(']');
        let is_key =
            line.split_once('=').is_some_and(|(key, _)| key.chars().all(char::is_alphanumeric));
        assert!(line.is_empty() || line.starts_with('#') || is_section || is_key, "{line}");
    }
    assert_eq!(value(&service, "Type"), "oneshot");
    assert_eq!(value(&service, "SuccessExitStatus"), "1");
    assert_eq!(value(&service, "ProtectSystem"), "strict");
    assert!(
        value(&service, "ExecStart").ends_with(" nightly --config /etc/provtrace/nightly.toml")
    );
    assert!(!timer.contains("Unit="), "the service has the timer's name");
    assert_eq!(value(&timer, "WantedBy"), "timers.target");
    // What the config writes lies where the service may write.
    let state = format!("/var/lib/{}/", value(&service, "StateDirectory"));
    let config = read("deploy/nightly.toml");
    let written =
        config.lines().filter(|line| line.starts_with("store") || line.starts_with("output"));
    let paths = written.flat_map(|line| line.split('"').skip(1).step_by(2));
    let paths: Vec<&str> = paths.collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(paths.iter().all(|path| path.starts_with(&state)), "{paths:?}");
    let share = config.lines().find(|line| line.starts_with("share")).expect("a share");
    assert!(share.contains(&format!("\"{}\"", value(&service, "RequiresMountsFor"))), "{share}");
}

/// Names of the children of the one element of this name.
fn children<'d>(document: &'d Document, name: &str) -> Vec<&'d str> {
    let all: Vec<Node> = document.descendants().filter(|node| node.has_tag_name(name)).collect();
    let [one] = &all[..] else { panic!("{} elements {name}", all.len()) };
    one.children().filter(Node::is_element).map(|child| child.tag_name().name()).collect()
}

/// What Microsoft's schema says of the elements that are used. Only a trigger's have an order.
#[test]
fn the_task_is_what_the_scheduler_takes() {
    let text = read("deploy/provtrace-nightly.xml");
    // schtasks hands the text on as UTF-16: no encoding that is declared would be true.
    assert!(text.is_ascii() && text.starts_with("<?xml version=\"1.0\"?>\n"));
    let document = Document::parse(&text).expect("an XML");
    let task = document.root_element();
    assert_eq!(task.tag_name().name(), "Task");
    let space = Some("http://schemas.microsoft.com/windows/2004/02/mit/task");
    let elements: Vec<Node> = document.descendants().filter(Node::is_element).collect();
    assert!(elements.iter().all(|node| node.tag_name().namespace() == space));
    let order = ["Enabled", "StartBoundary", "RandomDelay", "ScheduleByDay"];
    assert_eq!(children(&document, "CalendarTrigger"), order);
    assert_eq!(children(&document, "Exec"), ["Command", "Arguments", "WorkingDirectory"]);
    let sections = ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"];
    assert_eq!(children(&document, "Task"), sections);
    let settings = children(&document, "Settings");
    let known = "AllowStartOnDemand RestartOnFailure MultipleInstancesPolicy DisallowStartIfOnBatteries \
                 StopIfGoingOnBatteries AllowHardTerminate StartWhenAvailable NetworkProfileName \
                 RunOnlyIfNetworkAvailable WakeToRun Enabled Hidden DeleteExpiredTaskAfter IdleSettings \
                 NetworkSettings ExecutionTimeLimit Priority RunOnlyIfIdle";
    let known: BTreeSet<&str> = known.split(' ').filter(|name| !name.is_empty()).collect();
    let unique: BTreeSet<&str> = settings.iter().copied().collect();
    assert!(unique.is_subset(&known) && unique.len() == settings.len(), "{settings:?}");
    let value = |name: &str| {
        let node = elements.iter().find(|node| node.has_tag_name(name)).expect(name);
        node.text().unwrap_or_default().to_owned()
    };
    assert_eq!(value("MultipleInstancesPolicy"), "IgnoreNew");
    // cmd takes the first quote and the last one away.
    let arguments = value("Arguments");
    assert!(arguments.starts_with("/d /s /c \"\"") && arguments.ends_with("\"\""), "{arguments}");
    let (principal, actions) = ("Principal", "Actions");
    let attribute = |name: &str, key: &str| {
        let node = elements.iter().find(|node| node.has_tag_name(name)).expect(name);
        node.attribute(key).map(str::to_owned)
    };
    assert_eq!(attribute(principal, "id"), attribute(actions, "Context"));
}
