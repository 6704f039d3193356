//! What the files that were really written still tell of a process.

use crate::share::Kept;
use crate::story::{Origin, ProcessId, Story};
use crate::verdict::launched_by;

/// When a process left a line, and what that shows.
pub(crate) fn traces(kept: &Kept, id: ProcessId) -> impl Iterator<Item = (i64, u8)> {
    let own = kept.proofs.range((id, i64::MIN, 0)..=(id, i64::MAX, u8::MAX));
    own.map(|(_, at, mark)| (*at, *mark))
}

/// The registry holds its start and duration, in UTC: of use only where the zone is told.
pub(crate) fn dated(kept: &Kept, id: ProcessId) -> bool {
    kept.dated.contains(&id) && !gone(kept, "SystemInfo")
}

/// A policy's sdclient of which neither the sync's log nor its state file is left looks like
/// any other one.
pub(crate) fn looks_orphaned(story: &Story, kept: &Kept, id: ProcessId) -> bool {
    let process = &story.processes[id];
    let state = format!("CP.{}.RunNow.stat", process.task_id.unwrap_or(0));
    match process.origin {
        Origin::Policy => gone(kept, "PolicySync") && gone(kept, &state),
        Origin::Push => gone(kept, &state),
        Origin::FirstRun
        | Origin::Periodic
        | Origin::Enforce
        | Origin::WindowsTask
        | Origin::EarlierLife
        | Origin::Step
        | Origin::Orphan => false,
    }
}

/// A scheduler's launch is told by its log alone, a policy's by that of the sync; a Windows task
/// and a push leave no trace.
pub(crate) fn visible_cause(story: &Story, kept: &Kept, id: ProcessId) -> &'static str {
    let process = &story.processes[id];
    let told = match process.origin {
        Origin::FirstRun | Origin::Periodic | Origin::Enforce => {
            traces(kept, id).any(|(_, mark)| mark == 3)
        }
        Origin::WindowsTask | Origin::Push | Origin::EarlierLife => false,
        Origin::Policy => !gone(kept, "PolicySync"),
        Origin::Step | Origin::Orphan => true,
    };
    if told { launched_by(process) } else { "unknown" }
}

fn gone(kept: &Kept, name: &str) -> bool {
    kept.missing.iter().any(|log| log.contains(name))
}
