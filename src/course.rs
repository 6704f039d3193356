//! How a device's runs went: what of it a report shows beside incidents.

use crate::clock::Clock;
use crate::contract::{Blocker, Evidence, LongWait, UnfinishedRun};
use crate::correlate::Proof;
use crate::ending::Ending;
use crate::lifetime::Lifetime;
use crate::timeline::Timeline;
use crate::wait;

/// What a device's story shows its parts with.
pub struct Shown<'s> {
    /// The device.
    pub device: &'s str,
    /// Its clock.
    pub clock: &'s Clock,
    /// Its timeline.
    pub timeline: &'s Timeline,
    /// A line of proof.
    pub quote: &'s dyn Fn(&Proof) -> Evidence,
    /// A holder, as the step met it.
    pub blocker: &'s dyn Fn(&Lifetime, usize) -> Blocker,
}

impl Shown<'_> {
    /// A run that was cut or hangs; `None` for any other. Its template is named later, over
    /// all devices.
    pub fn unfinished(&self, run: usize, ending: &Ending) -> Option<UnfinishedRun> {
        let at = ending.unfinished.as_ref()?;
        let step = at.step.map(|step| &self.timeline.steps[step]);
        Some(UnfinishedRun {
            device: self.device.to_owned(),
            run: self.timeline.runs[run].number,
            template: None,
            state: ending.state,
            shown_by: at.shown_by,
            step: at.name.clone(),
            step_ordinal: step.map(|step| step.ordinal),
            task_id: step.and_then(|step| step.task.clone()),
            since: self.clock.show(at.since),
            last_sign: self.clock.show(at.last_sign),
            evidence: at.evidence.iter().map(self.quote).collect(),
        })
    }

    /// A step that waited for a scan.
    pub fn long_wait(&self, wait: &wait::LongWait) -> LongWait {
        let step = &self.timeline.steps[wait.step];
        LongWait {
            device: self.device.to_owned(),
            run: self.timeline.runs[step.run].number,
            template: None,
            step: step.name.clone(),
            step_ordinal: step.ordinal,
            task_id: step.task.clone(),
            at: self.clock.show(step.at),
            minutes: wait.seconds / 60,
            blocker: (self.blocker)(&self.timeline.lifetimes[wait.scan], wait.step),
            evidence: wait.evidence.iter().map(self.quote).collect(),
        }
    }
}
