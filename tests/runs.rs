//! Several runs of one device are told apart, and days without a step part none by themselves.

mod program;

use std::ffi::OsString;

use program::{count, run, write};

/// A child of the provisioning agent that ended well, in its log.
fn step(at: &str, task: u32) -> String {
    format!(
        "{at}:00(10-11) ldProvision:Create process (C:\\sdclient.exe) with args (/taskid={task})\r\n\
         {at}:50(10-11) ldProvision:Process exit code:0\r\n"
    )
}

fn runs_of(log: &str, mapping: Option<&str>) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("share/PAR-1/ldprovisioning/ldProvision.log"), log.as_bytes());
    let mut args: Vec<OsString> = ["analyze", "--format", "json"].map(Into::into).into();
    args.push(folder.path().join("share").into());
    if let Some(mapping) = mapping {
        let path = folder.path().join("tasks.csv");
        write(&path, mapping.as_bytes());
        args.extend(["--tasks".into(), path.into()]);
    }
    count(&run(&args).report()["coverage"], "runs")
}

#[test]
fn another_template_after_days_is_another_run() {
    let log =
        [step("2025-03-24 09:00", 1), step("2025-03-24 09:10", 2), step("2025-03-27 09:00", 3)];
    let log = log.concat();
    assert_eq!(runs_of(&log, None), 1, "a machine that waited for its user over three days");
    let one = "task_id,template\n1,Office\n2,Office\n3,Office\n";
    assert_eq!(runs_of(&log, Some(one)), 1, "one template");
    let two = "task_id,template\n1,Office\n2,Office\n3,Refresh\n";
    assert_eq!(runs_of(&log, Some(two)), 2, "two templates");
    let soon = log.replace("2025-03-27", "2025-03-24");
    assert_eq!(runs_of(&soon, Some(two)), 1, "a task that two templates share");
}

#[test]
fn a_run_that_never_ended_does_not_go_on_days_later() {
    let cut = "2025-03-24 09:20:00(10-11) ldProvision:Create process (C:\\sdclient.exe) with args (/taskid=3)\r\n";
    let log = [step("2025-03-24 09:00", 1), cut.to_owned(), step("2025-03-27 09:00", 4)].concat();
    assert_eq!(runs_of(&log, None), 2);
    let same_day = log.replace("2025-03-27 09:00", "2025-03-24 11:00");
    assert_eq!(runs_of(&same_day, None), 1);
}
