//! The steps that start a program: what they find, how they end, and what the template makes of it.

use crate::catalog::FAILURES;
use crate::provisioning::CLIENT;
use crate::story::{ActKind, Child, Origin, ProcessId, Program, State, is_success};
use crate::template::{Action, Step};
use crate::world::{Event, World};

impl World<'_> {
    /// A step begins; its program starts a moment later, after a status sender now and then.
    pub(crate) fn start_step(&mut self, at: i64, step: &Step) {
        let sender = self.rng.percent(22);
        let kind = if step.patch { ActKind::Patch } else { ActKind::Software };
        let mut act = self.new_act(at, &step.name, kind);
        if sender {
            act.children.push(status_sender(at + 1, &step.name, false));
        }
        act.task_id = Some(step.task_id);
        self.record(act);
        if let Some(active) = &self.active {
            let run = active.run;
            self.push(at + if sender { 4 } else { 1 }, Event::Program(run));
        }
    }

    /// The step's program starts and sees who is there in this second.
    pub(crate) fn start_program(&mut self, at: i64, run: usize) {
        let Some(active) = self.active.as_mut().filter(|active| active.run == run) else {
            return;
        };
        let Some(Action::Step(step)) = active.plan.get(active.position).cloned() else {
            return;
        };
        if active.attempt == 1 {
            active.ordinal += 1;
        }
        let (ordinal, attempt) = (active.ordinal, active.attempt);
        let program = if step.patch { Program::Vulscan } else { Program::Sdclient };
        let before = self.holders();
        let working = self.worker();
        let id = self.spawn(at, program, Origin::Step);
        let process = &mut self.story.processes[id];
        process.task_id = Some(step.task_id);
        process.package = step.package.to_owned();
        if let Some(act) = self.story.runs[run].acts.last_mut() {
            act.ordinal = ordinal;
            act.attempt = attempt;
            act.process = Some(id);
            act.children.push(Child {
                exe: format!("{CLIENT}\\{}", program.exe()),
                arguments: arguments(&step),
                process: Some(id),
                started: at,
                ended: None,
                exit: None,
                aside: false,
            });
        }
        if step.patch {
            self.start_patch(at, id, working);
        } else {
            self.start_sdclient(at, id, &step, before);
        }
    }

    fn start_patch(&mut self, at: i64, id: ProcessId, working: Option<ProcessId>) {
        if let Some(holder) = working {
            self.story.processes[id].active_from = None;
            self.story.processes[id].waited_for = Some(holder);
            return;
        }
        let duration = self.work_duration(id);
        self.push(at + duration, Event::End(id));
    }

    fn start_sdclient(&mut self, at: i64, id: ProcessId, step: &Step, before: Vec<ProcessId>) {
        let blind = self.rng.percent(4) || self.options.unnoticed;
        let safe = self.story.runs.last().is_some_and(|run| run.workaround);
        let ghost = self.rng.permille(4) && !safe && !self.options.unnoticed;
        let brief = self.rng.between(1, 3);
        let orphan = self.rng.permille(14);
        if (!before.is_empty() && !blind) || (before.is_empty() && ghost) {
            let process = &mut self.story.processes[id];
            process.refused = true;
            process.refused_by = before;
            process.exit = Some(self.options.refusal_code);
            self.push(at + brief, Event::End(id));
            return;
        }
        self.story.processes[id].unaware = !before.is_empty();
        let (code, quick) = self.draw_result(20);
        let mut duration = self.rng.between(step.shortest, step.longest);
        if quick {
            duration = self.rng.between(2, 25);
        }
        self.story.processes[id].exit = Some(code);
        let hangs =
            self.active.as_ref().is_some_and(|active| active.hang_at == Some(active.ordinal));
        if hangs {
            let run = self.story.runs.len() - 1;
            let until = self.rng.between(5 * 3600, 12 * 3600);
            self.push(at + until, Event::PowerOff(run, State::Hung));
            return;
        }
        self.push(at + duration, Event::End(id));
        if orphan && !safe && !quick {
            let until = at + duration + self.rng.between(60, 600);
            let after = self.rng.between(2, 6);
            self.push(at + after, Event::Orphan(id, until));
        }
    }

    /// A result: mostly success, else a failure and whether it comes within seconds.
    pub(crate) fn draw_result(&mut self, failures_permille: u32) -> (u32, bool) {
        let fails = self.rng.permille(failures_permille);
        let kind = self.rng.between(0, 99);
        let weight = self.rng.between(0, FAILURES.iter().map(|f| i64::from(f.1)).sum::<i64>() - 1);
        if !fails {
            let code = match kind {
                0..=69 => 0,
                70..=77 => 0x0DB5_0000,
                78..=91 => 3010,
                _ => 1641,
            };
            return (code, false);
        }
        let mut left = weight;
        for (code, share, quick) in FAILURES {
            left -= i64::from(*share);
            if left < 0 {
                return (*code, *quick);
            }
        }
        (1603, false)
    }

    /// The step's program is gone: note the result, then go on, retry or stop.
    pub(crate) fn step_ended(&mut self, at: i64, id: ProcessId) {
        let Some(active) = &self.active else {
            return;
        };
        let (run, first) = (active.run, active.attempt == 1);
        self.fail_beside_scan(id);
        let exit = self.story.processes[id].exit.unwrap_or(0);
        let Some(act) = self.story.runs[run].acts.last_mut().filter(|a| a.process == Some(id))
        else {
            return;
        };
        act.exit = Some(exit);
        act.ended = Some(at + 1);
        for child in act.children.iter_mut().filter(|child| child.process == Some(id)) {
            child.ended = Some(at);
            child.exit = Some(exit);
        }
        let retried = self.rng.percent(12);
        let pause = self.rng.between(3, 10);
        if is_success(exit) {
            self.proceed(at + 1);
        } else if retried && first {
            if let Some(active) = &mut self.active {
                active.attempt = 2;
            }
            self.push(at + pause, Event::Act(run));
        } else if self.templates[self.story.runs[run].template].goes_on {
            self.proceed(at + 1);
        } else {
            self.finish(at + pause, State::Failed);
        }
    }
}

fn arguments(step: &Step) -> String {
    if step.patch {
        format!("/taskid={} /repair \"group={}\" /rebootifneeded=false", step.task_id, step.package)
    } else {
        format!("/taskid={} /provisioning /noui /bandwidth=lan", step.task_id)
    }
}

/// `sdclient.exe /msg="…"`: sends a text and ends, sees nobody, blocks nobody.
pub(crate) fn status_sender(at: i64, text: &str, aside: bool) -> Child {
    Child {
        exe: format!("{CLIENT}\\sdclient.exe"),
        arguments: format!("/msg=\"Running {text}\""),
        process: None,
        started: at,
        ended: Some(at + 1),
        exit: Some(0),
        aside,
    }
}
