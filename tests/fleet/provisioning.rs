//! The provisioning agent: executes a template's actions one by one, until one fails or it is cut off.

use crate::story::{Act, ActKind, Child, Run, State};
use crate::template::Action;
use crate::world::{Event, World};
use chrono_tz::Tz;

/// Folder of the agent on the device.
pub(crate) const CLIENT: &str = "C:\\Program Files (x86)\\LANDesk\\LDClient";

/// The run in progress.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) run: usize,
    pub(crate) plan: Vec<Action>,
    pub(crate) position: usize,
    pub(crate) ordinal: usize,
    pub(crate) attempt: u32,
    pub(crate) agent_pid: u32,
    /// Ordinal of the step that never ends.
    pub(crate) hang_at: Option<usize>,
}

impl World<'_> {
    /// A run begins. An image leaves nothing of what was on the disk.
    pub(crate) fn begin(&mut self, at: i64, template: usize) {
        let images = self.templates[template].images;
        let workaround = self.options.workaround_from.is_some_and(|from| at >= from);
        if images {
            self.kill_all(at);
            self.generation += 1;
            self.agent = false;
            self.begin_clock(at);
        }
        let hangs = self.rng.percent(2);
        let hang_at = self.rng.between(1, 8) as usize;
        let agent_pid = self.next_pid();
        self.story.runs.push(Run {
            template,
            workaround,
            started: at,
            ended: None,
            state: State::Finished,
            agent_installed: None,
            acts: Vec::new(),
        });
        let run = self.story.runs.len() - 1;
        self.active = Some(Active {
            run,
            plan: self.templates[template].plan(workaround),
            position: 0,
            ordinal: 0,
            attempt: 1,
            agent_pid,
            hang_at: hangs.then_some(hang_at),
        });
        if !images {
            self.after_install(at, run);
        }
        let gap = self.rng.between(3, 20);
        self.push(at + gap, Event::Act(run));
    }

    /// Windows PE believes to be on Pacific time, and the hardware clock may be hours off.
    fn begin_clock(&mut self, at: i64) {
        let off = self.clock_rng.percent(self.options.clock_jumps);
        let back = self.clock_rng.percent(50);
        let size = self.clock_rng.between(3600, 9 * 3600);
        let small = self.clock_rng.between(-3, 3);
        let pacific = self.clock_rng.percent(80);
        let error = match (off, back) {
            (true, true) => -size,
            (true, false) => size,
            (false, true | false) => small,
        };
        let zone = if pacific { Tz::America__Los_Angeles } else { self.story.site.zone };
        self.story.clock.set(at, zone, error);
    }

    /// The next action of the plan.
    pub(crate) fn act(&mut self, at: i64, run: usize) {
        let Some(active) = self.active.as_mut().filter(|active| active.run == run) else {
            return;
        };
        let Some(action) = active.plan.get(active.position).cloned() else {
            self.finish(at, State::Finished);
            return;
        };
        match action {
            Action::Step(step) => self.start_step(at, &step),
            Action::DeployImage
            | Action::FirstStart
            | Action::JoinDomain
            | Action::Reboot
            | Action::ConfigureAgent { .. }
            | Action::Condition => self.simple(at, &action),
        }
    }

    /// An action that starts neither sdclient nor vulscan.
    fn simple(&mut self, at: i64, action: &Action) {
        let Simple(name, kind, [shortest, longest], exe, arguments) = table(action);
        let duration = self.rng.between(shortest, longest);
        let ended = at + duration;
        let mut act = self.new_act(at, name, kind);
        act.ended = Some(ended);
        act.exit = Some(0);
        if !exe.is_empty() {
            act.children.push(Child {
                exe: exe.to_owned(),
                arguments: arguments.to_owned(),
                process: None,
                started: at + 1,
                ended: Some(ended),
                exit: Some(0),
                aside: false,
            });
        }
        self.record(act);
        self.effects(at, ended, action);
        self.proceed(ended);
    }

    fn effects(&mut self, at: i64, ended: i64, action: &Action) {
        let site = self.story.site.zone;
        match action {
            Action::Reboot => {
                self.kill_all(at + 5);
                self.down_until = ended;
                if let Some(pid) = self.active.is_some().then(|| self.next_pid())
                    && let Some(active) = self.active.as_mut()
                {
                    active.agent_pid = pid;
                }
            }
            Action::FirstStart => {
                let error = self.story.clock.at(at).error;
                self.story.clock.set(at + 2, site, error);
            }
            Action::JoinDomain => {
                let late = self.clock_rng.percent(self.options.late_jumps);
                let delay = self.clock_rng.between(400, 2700);
                self.push(
                    if late { ended + delay } else { at + 5 },
                    Event::TimeSync(self.story.runs.len()),
                );
            }
            Action::ConfigureAgent { harmless } => self.install_agent(at, ended, *harmless),
            Action::DeployImage | Action::Condition | Action::Step(_) => {}
        }
    }

    /// The domain's time replaces the hardware clock's.
    pub(crate) fn time_sync(&mut self, at: i64, run: usize) {
        let now = self.story.clock.at(at).clone();
        if run == self.story.runs.len() && now.error != 0 && now.from <= at {
            self.story.clock.set(at, self.story.site.zone, 0);
        }
    }

    pub(crate) fn new_act(&self, at: i64, name: &str, kind: ActKind) -> Act {
        Act {
            name: name.to_owned(),
            kind,
            started: at,
            ended: None,
            children: Vec::new(),
            ordinal: 0,
            attempt: 1,
            task_id: None,
            process: None,
            exit: None,
            agent_pid: self.active.as_ref().map_or(0, |active| active.agent_pid),
        }
    }

    pub(crate) fn record(&mut self, act: Act) {
        if let Some(active) = &self.active {
            self.story.runs[active.run].acts.push(act);
        }
    }

    /// On to the next action after a pause.
    pub(crate) fn proceed(&mut self, at: i64) {
        // A logon that is awaited, a network that is not up yet: long enough for a short scan to
        // come and go between two steps.
        let pause = match self.rng.between(0, 99) {
            0..=3 => self.rng.between(150, 700),
            4..=10 => self.rng.between(30, 150),
            _ => self.rng.between(2, 18),
        };
        if let Some(active) = &mut self.active {
            active.position += 1;
            active.attempt = 1;
            let run = active.run;
            self.push(at + pause, Event::Act(run));
        }
    }
}

/// Name, kind, shortest and longest duration, program and arguments of an action that is no step.
struct Simple(&'static str, ActKind, [i64; 2], &'static str, &'static str);

fn table(action: &Action) -> Simple {
    const WSCFG: &str = "C:\\ldprovisioning\\wscfg32.exe";
    let other = ActKind::Other;
    match action {
        Action::DeployImage => {
            let arguments = "/rb- /o \\\\images\\w11\\base.tbi";
            Simple("Deploy OS image", other, [420, 1100], "X:\\ldclient\\imagew.exe", arguments)
        }
        Action::FirstStart => {
            let exe = "C:\\Windows\\System32\\tzutil.exe";
            Simple("First start", other, [60, 200], exe, "/s site")
        }
        Action::JoinDomain => {
            let exe = "C:\\ldprovisioning\\JoinDomain.exe";
            Simple("Join domain", other, [10, 60], exe, "/domain=corp.example")
        }
        Action::Reboot => Simple("Reboot", ActKind::Reboot, [70, 220], "", ""),
        Action::ConfigureAgent { harmless: true } => {
            let name = "Configure provisioning agent";
            Simple(name, ActKind::Agent, [100, 260], WSCFG, "/F /N /C=provisioning.ini")
        }
        Action::ConfigureAgent { harmless: false } => {
            Simple("Configure agent", ActKind::Agent, [100, 300], WSCFG, "/F /N /C=standard.ini")
        }
        Action::Condition | Action::Step(_) => {
            Simple("If Model equals Latitude 5540", ActKind::Condition, [1, 2], "", "")
        }
    }
}
