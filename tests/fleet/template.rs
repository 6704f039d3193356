//! Templates: the ordered actions that every device of a kind goes through.

use crate::catalog::{PACKAGES, PATCHES, Package, TEMPLATES};
use crate::rng::Rng;

/// Percent of the catalogue's durations that fast hardware takes; it sets how long the chain of
/// steps is beside the hour of the random delay, and so how often a fleet is hit.
const PACE: i64 = 45;

/// One "Distribute software" or "Patch system" step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Action name, for example `Install Chrome`.
    pub(crate) name: String,
    /// What is installed.
    pub(crate) package: &'static str,
    /// The core's task; another template has another one for the same package.
    pub(crate) task_id: u32,
    /// Shortest usual duration in seconds.
    pub(crate) shortest: i64,
    /// Longest usual duration in seconds.
    pub(crate) longest: i64,
    /// A patch step runs vulscan itself instead of sdclient.
    pub(crate) patch: bool,
}

/// What the provisioning agent executes.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Windows PE puts an image on the disk.
    DeployImage,
    /// First start of the new system: the zone is set.
    FirstStart,
    /// The domain corrects the clock.
    JoinDomain,
    /// Restart.
    Reboot,
    /// Installs the agent. `harmless`: scan and policy sync armed for the year 3000.
    ConfigureAgent {
        /// The vendor's workaround.
        harmless: bool,
    },
    /// A step that starts a program.
    Step(Step),
    /// An If action, which has a result but starts nothing.
    Condition,
}

/// A template.
#[derive(Debug)]
pub(crate) struct Template {
    /// Name on the core.
    pub(crate) name: String,
    /// Its actions without the workaround.
    pub(crate) actions: Vec<Action>,
    /// Goes on after a failed step instead of stopping.
    pub(crate) goes_on: bool,
    /// Begins with an empty disk; otherwise an agent is there already.
    pub(crate) images: bool,
}

impl Template {
    /// The actions of one run. The workaround replaces the agent and appends the real one.
    pub(crate) fn plan(&self, workaround: bool) -> Vec<Action> {
        let mut plan = self.actions.clone();
        if !workaround {
            return plan;
        }
        for action in &mut plan {
            if let Action::ConfigureAgent { harmless } = action {
                *harmless = true;
            }
        }
        if !self.images {
            // An agent that is on the device already would scan whenever it is due.
            plan.insert(0, Action::ConfigureAgent { harmless: true });
        }
        plan.push(Action::ConfigureAgent { harmless: false });
        plan
    }

    /// The steps that start a program, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.actions.iter().filter_map(|action| match action {
            Action::Step(step) => Some(step),
            Action::DeployImage
            | Action::FirstStart
            | Action::JoinDomain
            | Action::Reboot
            | Action::ConfigureAgent { .. }
            | Action::Condition => None,
        })
    }
}

/// All templates of a seed; template k is the same whatever their number.
pub(crate) fn templates(seed: u64, count: usize) -> Vec<Template> {
    (0..count).map(|index| template(seed, index)).collect()
}

fn template(seed: u64, index: usize) -> Template {
    let mut rng = Rng::stream(seed, index as u64, "template");
    let base = TEMPLATES[index % TEMPLATES.len()];
    let name = match index / TEMPLATES.len() {
        0 => base.to_owned(),
        round => format!("{base} v{}", round + 1),
    };
    let images = !base.starts_with("In-place");
    let mut actions = Vec::new();
    if images {
        actions.extend([Action::DeployImage, Action::Reboot, Action::FirstStart]);
        actions.extend([Action::JoinDomain, Action::Reboot]);
        actions.push(Action::ConfigureAgent { harmless: false });
    } else {
        actions.push(Action::Condition);
    }
    // The first templates are long ones: they carry the statistics.
    let shortest = if index < 3 { 8 } else { 4 };
    let count = rng.between(shortest, 12) as usize;
    let steps = draw_steps(&mut rng, index, count);
    for (position, step) in steps.into_iter().enumerate() {
        actions.push(Action::Step(step));
        let last = position + 1 == count;
        if !last && rng.percent(9) {
            actions.push(Action::Reboot);
        } else if !last && rng.percent(6) {
            actions.push(Action::Condition);
        }
    }
    let goes_on = index % 4 == 2 || rng.percent(10);
    Template { name, actions, goes_on, images }
}

fn draw_steps(rng: &mut Rng, template: usize, count: usize) -> Vec<Step> {
    let mut free: Vec<&'static Package> = PACKAGES.iter().collect();
    let patch_at = rng.percent(60).then(|| rng.between(1, count as i64) as usize);
    let verb = *rng.pick(&["Install ", "Install ", "Deploy ", ""]);
    (1..=count)
        .map(|ordinal| {
            let patch = patch_at == Some(ordinal);
            let package =
                if patch { rng.pick(PATCHES) } else { free.remove(rng.index(free.len())) };
            let name =
                if patch { format!("Patch {}", package.0) } else { format!("{verb}{}", package.0) };
            Step {
                name,
                package: package.0,
                task_id: (34_100 + template * 100 + ordinal * 3) as u32,
                shortest: package.1 * PACE / 100,
                longest: package.2 * PACE / 100,
                patch,
            }
        })
        .collect()
}
