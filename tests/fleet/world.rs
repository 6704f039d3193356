//! The discrete event simulation of one device: a queue of events on a true UTC axis, and who lives.

use crate::catalog::SITES;
use crate::clock::{Clock, changes, utc_of};
use crate::options::Options;
use crate::provisioning::Active;
use crate::rng::Rng;
use crate::story::{Origin, Process, ProcessId, Program, State, Story};
use crate::template::Template;
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// What can happen. Every event re-checks the world: much may have changed since it was queued.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A run begins with this template.
    Begin(usize),
    /// The provisioning agent of this run takes its next action.
    Act(usize),
    /// The program of this run's current step starts.
    Program(usize),
    /// A process ends by itself.
    End(ProcessId),
    /// The scheduler, or a Windows task, launches a program; the number is the agent's generation.
    Launch(Program, Origin, u32),
    /// A policy sync or the core starts an sdclient for this policy.
    Deploy(Origin, usize),
    /// A step's sdclient leaves a second one behind, which outlives it.
    Orphan(ProcessId, i64),
    /// The device goes down in the middle of this run.
    PowerOff(usize, State),
    /// The clock is corrected, unless another run has begun since.
    TimeSync(usize),
}

/// One device in motion.
pub(crate) struct World<'a> {
    pub(crate) options: &'a Options,
    pub(crate) templates: &'a [Template],
    pub(crate) rng: Rng,
    /// Clock faults have numbers of their own, so that they never change what happens.
    pub(crate) clock_rng: Rng,
    pub(crate) story: Story,
    pub(crate) active: Option<Active>,
    /// Grows with each install; what an older agent had armed is void.
    pub(crate) generation: u32,
    /// An agent is there and its tasks will run.
    pub(crate) agent: bool,
    /// Nothing runs before this moment.
    pub(crate) down_until: i64,
    /// Has the Windows task.
    pub(crate) windows_task: bool,
    /// Will be provisioned a second time.
    pub(crate) again: bool,
    pub(crate) last_run_ended: i64,
    queue: BTreeMap<(i64, u64), Event>,
    sequence: u64,
    live: Vec<ProcessId>,
    pid: i64,
}

/// Simulates device `index` to the end.
pub(crate) fn simulate(options: &Options, templates: &[Template], index: u64) -> Story {
    let mut rng = Rng::stream(options.seed, index, "device");
    let site = rng.pick(SITES);
    let template = rng.index(templates.len());
    let start = first_start(options, site.zone, &mut rng);
    let story = Story {
        index,
        name: format!("{}-{}", site.prefix, 10_001 + index),
        site,
        clock: Clock::right(site.zone),
        runs: Vec::new(),
        processes: Vec::new(),
        armings: Vec::new(),
        collected: i64::MAX,
    };
    let mut world = World {
        options,
        templates,
        clock_rng: Rng::stream(options.seed, index, "clock"),
        story,
        active: None,
        generation: 0,
        agent: false,
        down_until: i64::MIN,
        windows_task: rng.percent(18),
        again: rng.percent(100)
            && Rng::stream(options.seed, index, "again").percent(options.reruns),
        last_run_ended: i64::MIN,
        queue: BTreeMap::new(),
        sequence: 0,
        live: Vec::new(),
        pid: rng.between(600, 3000),
        rng,
    };
    world.earlier_life(template, start);
    world.push(start, Event::Begin(template));
    world.turn();
    world.story
}

/// Working hours at the site, or just before a daylight-saving change.
fn first_start(options: &Options, zone: Tz, rng: &mut Rng) -> i64 {
    let dst = Rng::stream(options.seed, rng.next(), "dst").percent(options.dst);
    let lead = rng.between(25, 95) * 60 + rng.between(0, 59);
    let second = rng.between(7 * 3600, 17 * 3600);
    let mut day = options.start_day + rng.between(0, options.span - 1);
    if options.ambiguous_dates {
        let month = rng.between(1, 12);
        let mut of_month = rng.between(1, 8);
        if of_month == month {
            of_month = of_month % 8 + 1;
        }
        let year = crate::clock::civil(options.start_day * 86_400).year;
        day = chrono::NaiveDate::from_ymd_opt(year as i32, month as u32, of_month as u32)
            .map_or(day, |date| {
                date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() / 86_400
            });
    }
    let candidates = changes(zone, options.start_day, options.span.max(300));
    match candidates.first() {
        Some(_) if dst && !options.ambiguous_dates => *rng.pick(&candidates) - lead,
        Some(_) | None => utc_of(zone, day * 86_400 + second),
    }
}

impl World<'_> {
    /// Queues an event; events of one second keep the order in which they were queued.
    pub(crate) fn push(&mut self, at: i64, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    fn turn(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > self.story.collected {
                break;
            }
            match event {
                Event::Begin(template) => self.begin(at, template),
                Event::Act(run) => self.act(at, run),
                Event::Program(run) => self.start_program(at, run),
                Event::End(id) => self.end(at, id),
                Event::Launch(program, origin, generation) => {
                    self.launch(at, program, origin, generation);
                }
                Event::Deploy(origin, policy) => self.deploy(at, origin, policy),
                Event::Orphan(parent, until) => self.orphan(at, parent, until),
                Event::PowerOff(run, state) => self.power_off(at, run, state),
                Event::TimeSync(run) => self.time_sync(at, run),
            }
        }
        if self.story.collected == i64::MAX {
            self.story.collected = self.last_run_ended + 3600;
        }
    }

    /// A fresh process id, as Windows gives them: multiples of four.
    pub(crate) fn next_pid(&mut self) -> u32 {
        self.pid += self.rng.between(1, 90);
        if self.pid > 5000 {
            self.pid = self.rng.between(300, 900);
        }
        (self.pid * 4) as u32
    }

    /// Brings a process into being. It ends only if somebody queues its end.
    pub(crate) fn spawn(&mut self, at: i64, program: Program, origin: Origin) -> ProcessId {
        let pid = self.next_pid();
        self.story.processes.push(Process {
            pid,
            program,
            origin,
            task_id: None,
            package: String::new(),
            started: at,
            active_from: Some(at),
            waited_for: None,
            ended: None,
            exit: None,
            refused: false,
            refused_by: Vec::new(),
            unaware: false,
            found_policy: false,
        });
        let id = self.story.processes.len() - 1;
        self.live.push(id);
        id
    }

    /// Living programs that an sdclient would see, the one that works before those that wait.
    pub(crate) fn holders(&self) -> Vec<ProcessId> {
        let mut found: Vec<ProcessId> = self
            .live
            .iter()
            .copied()
            .filter(|id| {
                let process = &self.story.processes[*id];
                process.program != Program::PolicySync && !process.refused
            })
            .collect();
        found.sort_by_key(|id| (self.story.processes[*id].active_from.is_none(), *id));
        found
    }

    /// A living program that works and that a new scan would wait for.
    pub(crate) fn worker(&self) -> Option<ProcessId> {
        self.holders().into_iter().find(|id| self.story.processes[*id].active_from.is_some())
    }

    /// Whether a scan that is no step lives.
    pub(crate) fn scan_lives(&self) -> bool {
        self.live.iter().any(|id| {
            let process = &self.story.processes[*id];
            process.program == Program::Vulscan && process.origin != Origin::Step
        })
    }

    /// A process ends; the first scan that waited for it begins, in this very second.
    fn end(&mut self, at: i64, id: ProcessId) {
        if self.story.processes[id].ended.is_some() {
            return;
        }
        self.story.processes[id].ended = Some(at);
        self.live.retain(|other| *other != id);
        if self.worker().is_none() {
            self.wake(at);
        }
        if self.story.processes[id].origin == Origin::Step {
            self.step_ended(at, id);
        }
    }

    fn wake(&mut self, at: i64) {
        let waiting = self.holders().into_iter().next();
        if let Some(id) = waiting {
            self.story.processes[id].active_from = Some(at);
            let duration = self.work_duration(id);
            self.push(at + duration, Event::End(id));
        }
    }

    /// Ends every process without a word, as a restart does.
    pub(crate) fn kill_all(&mut self, at: i64) {
        for id in std::mem::take(&mut self.live) {
            self.story.processes[id].ended = Some(at);
            self.story.processes[id].exit = None;
        }
    }

    /// Ends the scans that are no step: installing an agent stops the old one's.
    pub(crate) fn kill_scans(&mut self, at: i64) {
        for id in self.live.clone() {
            let process = &mut self.story.processes[id];
            if process.program == Program::Vulscan && process.origin != Origin::Step {
                process.ended = Some(at);
                process.exit = None;
                self.live.retain(|other| *other != id);
            }
        }
    }
}
