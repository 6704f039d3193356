//! Everything that starts by itself: the local scheduler, policies, pushes, the Windows task, the power.

use crate::catalog::{PATCHES, POLICIES};
use crate::rng::Rng;
use crate::story::{Arming, Origin, Process, ProcessId, Program, State, is_success};
use crate::world::{Event, World};

const DAY: i64 = 86_400;

/// First task number of policies; the number of a policy is the same in the whole fleet.
const POLICY_TASKS: u32 = 51_000;

impl World<'_> {
    /// The life before the story: daily scans of whatever agent was there. Numbers of their own,
    /// so that more history never changes what happens in the runs.
    pub(crate) fn earlier_life(&mut self, template: usize, start: i64) {
        let mut rng = Rng::stream(self.options.seed, self.story.index, "earlier");
        let mut launch = start - rng.between(1200, DAY);
        let scan = start + self.rng.between(-600, 7200);
        let sync = start + self.rng.between(600, DAY);
        if !self.templates[template].images {
            self.agent = true;
            self.push(scan, Event::Launch(Program::Vulscan, Origin::Periodic, 0));
            self.push(sync, Event::Launch(Program::PolicySync, Origin::Periodic, 0));
            launch = scan - DAY;
        }
        let mut days = (self.options.history_days + 1) / 2;
        if let Some(bytes) = self.options.bulk_each {
            days = days.max(14).max((bytes / 1_000_000) as i64);
        }
        for back in (0..days).rev() {
            let started = launch - back * DAY;
            let duration = rng.between(120, 1100);
            self.story.processes.push(Process {
                pid: (rng.between(300, 5000) * 4) as u32,
                program: Program::Vulscan,
                origin: Origin::EarlierLife,
                task_id: None,
                package: String::new(),
                started,
                active_from: Some(started),
                waited_for: None,
                ended: Some(started + duration),
                exit: Some(scan_code(&mut rng)),
                refused: false,
                refused_by: Vec::new(),
                unaware: false,
                found_policy: false,
            });
        }
    }

    /// The install arms two tasks; with the workaround for a year that nobody lives to see.
    pub(crate) fn install_agent(&mut self, at: i64, ended: i64, harmless: bool) {
        self.kill_scans(at + 10);
        self.generation += 1;
        self.agent = true;
        for program in [Program::Vulscan, Program::PolicySync] {
            self.story.armings.push(Arming { at: ended, program, harmless });
            let delay = self.rng.between(0, self.options.max_delay * 60);
            if !harmless {
                let launch = Event::Launch(program, Origin::FirstRun, self.generation);
                self.push(ended + delay, launch);
            }
        }
        let Some(run) = self.active.as_ref().map(|active| active.run) else {
            return;
        };
        if self.story.runs[run].agent_installed.is_none() {
            self.story.runs[run].agent_installed = Some(ended);
        }
        self.after_install(ended, run);
    }

    /// What may come between an agent and its steps.
    pub(crate) fn after_install(&mut self, at: i64, run: usize) {
        let health = self.rng.between(300, 4200);
        let enforce = self.rng.between(300, 3600);
        let (pushed, push) = (self.rng.percent(7), self.rng.between(60, 3000));
        let policy = self.rng.index(POLICIES.len());
        let (cut, power) = (self.rng.percent(5), self.rng.between(120, 1500));
        if cut {
            self.push(at + power, Event::PowerOff(run, State::Cut));
        }
        let generation = self.generation;
        self.push(at + enforce, Event::Launch(Program::PolicySync, Origin::Enforce, generation));
        if self.windows_task {
            let task = Event::Launch(Program::Vulscan, Origin::WindowsTask, generation);
            self.push(at + health, task);
        }
        if pushed {
            self.push(at + push, Event::Deploy(Origin::Push, policy));
        }
    }

    /// While the workaround's agent is in force nothing starts by itself.
    fn held_back(&self) -> bool {
        self.active.as_ref().is_some_and(|active| self.story.runs[active.run].workaround)
    }

    /// A program is due.
    pub(crate) fn launch(&mut self, at: i64, program: Program, origin: Origin, generation: u32) {
        if generation != self.generation || !self.agent {
            return;
        }
        if at < self.down_until {
            let late = self.rng.between(15, 90);
            self.push(self.down_until + late, Event::Launch(program, origin, generation));
            return;
        }
        self.again_later(at, program, origin, generation);
        if self.held_back() {
            return;
        }
        match program {
            Program::Vulscan => self.launch_scan(at, origin),
            Program::PolicySync => self.launch_sync(at, origin),
            Program::Sdclient => {}
        }
    }

    /// The next due time is launch plus period.
    fn again_later(&mut self, at: i64, program: Program, origin: Origin, generation: u32) {
        match origin {
            Origin::FirstRun | Origin::Periodic => {
                self.push(at + DAY, Event::Launch(program, Origin::Periodic, generation));
            }
            Origin::WindowsTask => self.push(at + DAY, Event::Launch(program, origin, generation)),
            Origin::Enforce => {
                if self.active.is_some() || at < self.last_run_ended + 3 * 3600 {
                    self.push(at + 3600, Event::Launch(program, origin, generation));
                }
            }
            Origin::Step | Origin::Orphan | Origin::Policy | Origin::Push | Origin::EarlierLife => {
            }
        }
    }

    fn launch_scan(&mut self, at: i64, origin: Origin) {
        if self.scan_lives() {
            return;
        }
        let holder = self.worker();
        let id = self.spawn(at, Program::Vulscan, origin);
        if holder.is_some() {
            self.story.processes[id].active_from = None;
            self.story.processes[id].waited_for = holder;
            return;
        }
        let duration = self.work_duration(id);
        self.push(at + duration, Event::End(id));
    }

    fn launch_sync(&mut self, at: i64, origin: Origin) {
        let duration = self.rng.between(15, 90);
        let finds = self.rng.percent(if origin == Origin::Enforce { 9 } else { 40 });
        let after = self.rng.between(8, duration - 3);
        let policy = self.rng.index(POLICIES.len());
        let id = self.spawn(at, Program::PolicySync, origin);
        self.story.processes[id].exit = Some(0);
        self.story.processes[id].found_policy = finds;
        self.push(at + duration, Event::End(id));
        if finds {
            self.push(at + after, Event::Deploy(Origin::Policy, policy));
        }
    }

    /// A policy task or a push. It is refused like any other if somebody holds.
    pub(crate) fn deploy(&mut self, at: i64, origin: Origin, policy: usize) {
        let brief = self.rng.between(1, 3);
        if !self.agent || at < self.down_until || self.held_back() {
            return;
        }
        let package = &POLICIES[policy];
        let before = self.holders();
        let (code, _) = self.draw_result(30);
        let duration = self.rng.between(package.1, package.2);
        let id = self.spawn(at, Program::Sdclient, origin);
        let process = &mut self.story.processes[id];
        process.task_id = Some(POLICY_TASKS + policy as u32 * 7);
        process.package = package.0.to_owned();
        process.refused = !before.is_empty() && !self.options.unnoticed;
        process.exit = Some(if process.refused { self.options.refusal_code } else { code });
        let refused = process.refused;
        let length = if refused { brief } else { duration };
        process.refused_by = before;
        self.push(at + length, Event::End(id));
        let (again, pause) = (self.rng.percent(50), self.rng.between(15, 90));
        if refused && again {
            self.push(at + pause, Event::Deploy(origin, policy));
        }
    }

    /// A second sdclient that belongs to a step and outlives it.
    pub(crate) fn orphan(&mut self, at: i64, parent: ProcessId, until: i64) {
        if self.story.processes[parent].ended.is_some() {
            return;
        }
        let id = self.spawn(at, Program::Sdclient, Origin::Orphan);
        self.story.processes[id].task_id = self.story.processes[parent].task_id;
        self.story.processes[id].package = self.story.processes[parent].package.clone();
        self.story.processes[id].exit = Some(0);
        self.push(until, Event::End(id));
    }

    /// How long a scan or a patch step works once it may; draws its exit code too.
    pub(crate) fn work_duration(&mut self, id: ProcessId) -> i64 {
        if self.story.processes[id].origin == Origin::Step {
            let (code, quick) = self.draw_result(20);
            self.story.processes[id].exit = Some(code);
            let package = &self.story.processes[id].package;
            let found = PATCHES.iter().find(|patch| patch.0 == package);
            let (shortest, longest) = found.map_or((60, 300), |patch| (patch.1, patch.2));
            let usual = self.rng.between(shortest, longest);
            return if quick { usual / 10 } else { usual };
        }
        let code = scan_code(&mut self.rng);
        self.story.processes[id].exit = Some(code);
        self.rng.between(120, 1500)
    }

    /// Look-alikes: a step beside which a scan waited fails for a reason of its own more often
    /// than by chance alone, so that no analyser may take the overlap for the cause.
    pub(crate) fn fail_beside_scan(&mut self, id: ProcessId) {
        let msi = self.rng.percent(7);
        let busy = self.rng.percent(60);
        let waited = self.story.processes.iter().any(|p| p.waited_for == Some(id));
        let process = &mut self.story.processes[id];
        let fine = process.exit.is_some_and(is_success) && process.program == Program::Sdclient;
        if msi && waited && fine {
            process.exit = Some(if busy { 0x8DB5_0652 } else { 0x8DB5_0643 });
        }
    }

    /// The device goes down; nothing that lived writes another line.
    pub(crate) fn power_off(&mut self, at: i64, run: usize, state: State) {
        if self.active.as_ref().is_none_or(|active| active.run != run) {
            return;
        }
        self.kill_all(at);
        self.down_until = at + self.rng.between(900, 7200);
        self.story.runs[run].state = state;
        self.conclude(at);
    }

    /// The template came to its end.
    pub(crate) fn finish(&mut self, at: i64, state: State) {
        if let Some(active) = &self.active {
            let run = &mut self.story.runs[active.run];
            run.ended = Some(at);
            run.state = state;
        }
        self.conclude(at);
    }

    /// Then comes a second run, or somebody collects the logs.
    fn conclude(&mut self, at: i64) {
        self.active = None;
        self.last_run_ended = at;
        let soon = self.rng.percent(35);
        let wait = self.rng.between(300, 5400);
        if self.again {
            self.again = false;
            self.plan_second(at);
        } else if soon || self.options.history_days < 2 {
            self.story.collected = at + wait;
        } else {
            self.story.collected = at + self.options.history_days / 2 * DAY + wait;
        }
    }

    /// The same template again, or a refresh that meets the daily scan of the agent that is there.
    fn plan_second(&mut self, at: i64) {
        let refreshes: Vec<usize> =
            (0..self.templates.len()).filter(|index| !self.templates[*index].images).collect();
        let refresh = self.rng.percent(60) && !refreshes.is_empty() && self.agent;
        let days = self.rng.between(1, 6);
        let lead = self.rng.between(60, 2400);
        let same = self.story.runs.last().map_or(0, |run| run.template);
        if !refresh {
            self.push(at + days * 3 * DAY + lead, Event::Begin(same));
            return;
        }
        let template = *self.rng.pick(&refreshes);
        let scan = self.story.of(Program::Vulscan).filter(|(_, p)| p.origin == Origin::FirstRun);
        let launch = scan.last().map_or(at, |(_, process)| process.started);
        self.push(launch + days * DAY + DAY - lead, Event::Begin(template));
    }
}

/// What a scanner returns: nothing to do, or patches are needed.
fn scan_code(rng: &mut Rng) -> u32 {
    *rng.pick(&[0, 0x0DB3_0000, 0x8DB3_01B3])
}
