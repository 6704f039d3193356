//! What evidence of an incident is missing, and where it is to be had.

use serde::Serialize;

use crate::correlate::Mechanism;
use crate::inventory::LogsRead;
use crate::lifetime::{Known, LaunchedBy};
use crate::scene::Scene;

/// A log that would tell more.
#[derive(Debug, Clone, Serialize)]
pub struct Gap {
    /// The file.
    pub file: String,
    /// Where it lies on the device.
    pub place: &'static str,
    /// What it would tell.
    pub tells: &'static str,
}

const CLIENT: &str = r"Program Files (x86)\LANDesk\LDClient";
const DATA: &str = r"Program Files (x86)\LANDesk\LDClient\Data";
const LOG: &str = r"ProgramData\LANDesk\Log";

/// What is missing, the most telling first; empty if nothing would add to the proof.
pub fn missing(scene: &Scene) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut add = |file: &str, place, tells| gaps.push(Gap { file: file.to_owned(), place, tells });
    let mechanism = scene.incident.mechanism;
    let scan = mechanism == Mechanism::ScanWaited || mechanism == Mechanism::ScanRunning;
    let unknown = mechanism == Mechanism::Unattributed;
    let launcher = scene.blocker.is_none_or(|own| own.launched_by == LaunchedBy::Unknown);
    let own_step = scene.blocker.is_some_and(|own| own.step.is_some());
    if unknown && !covers(scene, "vulscan") {
        add("vulscan*.log, rotated ones too", LOG, "whether a scan ran at that moment");
    }
    if (scan || unknown) && launcher && !covers(scene, "localsch") {
        add("localsch.log", CLIENT, "whether the local scheduler launched a scan, and when");
    }
    if (mechanism == Mechanism::SdclientRunning || unknown)
        && !own_step
        && !covers(scene, "policysync")
    {
        add("PolicySync.exe.log", LOG, "whether a policy sync started another task");
    }
    if scene.lines(&["refused"]).is_empty() {
        let task = scene.step.task_id.as_deref().unwrap_or("<ID>");
        add(
            &format!("sdclient_task{task}.log"),
            DATA,
            "the refusal in sdclient's own words, and whom it saw",
        );
    }
    if scene.logs("provisioning").is_none() {
        let place = r"C:\ldprovisioning (provisioning removes it at its end: copy it before)";
        add("ldProvision*.log", place, "the agent install, the steps and their exit codes");
    }
    let bursts = scene
        .blocker
        .is_none_or(|own| own.launched_known == Known::Burst || own.ended_known == Known::Burst);
    if (bursts || (launcher && !own_step)) && scene.logs("event_log").is_none() {
        let place = r"EventViewer (events 4688 and 4689; Sysmon 1 and 5)";
        add("Security.evtx", place, "starts, ends and parents of all processes");
    }
    if bursts && (scan || unknown) && scene.logs("registry").is_none() {
        let place = r"RegistryInfo (reg export of …\SoftwareMonitoring\MonitorLog)";
        add("Entire_LANDesk_Registry.log", place, "start and length of the scan's last run");
    }
    if scene.chronicle.zone.is_none() {
        add(
            "SystemInfo.log",
            "the collector's folder (output of systeminfo)",
            "the device's time zone",
        );
    }
    gaps
}

/// Whether logs of a kind tell of the time around the refusal.
fn covers(scene: &Scene, kind: &str) -> bool {
    let at = scene.step.started.millis;
    let around = |logs: &LogsRead| {
        let span = logs.span.as_ref();
        span.is_some_and(|(from, until)| *from <= at && at <= *until)
    };
    scene.logs(kind).is_some_and(around)
}
