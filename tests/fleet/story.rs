//! What truly happened on one device. The simulation writes it; logs and truth are both read from it.

use crate::catalog::Site;
use crate::clock::Clock;

/// Index into `Story::processes`.
pub(crate) type ProcessId = usize;

/// Programs that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    /// Deploys packages.
    Sdclient,
    /// Scans and patches.
    Vulscan,
    /// Fetches policies.
    PolicySync,
}

impl Program {
    /// File name.
    pub(crate) fn exe(self) -> &'static str {
        match self {
            Self::Sdclient => "sdclient.exe",
            Self::Vulscan => "vulscan.exe",
            Self::PolicySync => "PolicySync.exe",
        }
    }
}

/// Who started a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The provisioning agent, as a step.
    Step,
    /// Left behind by a step's own sdclient.
    Orphan,
    /// The local scheduler, first run after the install.
    FirstRun,
    /// The local scheduler, a later day.
    Periodic,
    /// The hourly `policysync /enforce`.
    Enforce,
    /// A policy sync that found a task.
    Policy,
    /// A push from the core.
    Push,
    /// The Windows task of the agent health.
    WindowsTask,
    /// A daily scan before the first run of the story.
    EarlierLife,
}

/// A process with its whole life.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) program: Program,
    pub(crate) origin: Origin,
    pub(crate) task_id: Option<u32>,
    pub(crate) package: String,
    pub(crate) started: i64,
    /// When a scan began to scan; for other programs the start.
    pub(crate) active_from: Option<i64>,
    /// Whom a scan waited for.
    pub(crate) waited_for: Option<ProcessId>,
    /// None while it still ran when the logs were collected.
    pub(crate) ended: Option<i64>,
    /// None if it was killed or still ran.
    pub(crate) exit: Option<u32>,
    /// Found another one running and gave up.
    pub(crate) refused: bool,
    /// Who was in the way then, the one that held first.
    pub(crate) refused_by: Vec<ProcessId>,
    /// Started although somebody held, and did not notice.
    pub(crate) unaware: bool,
    /// When a task asked for was found in the course of a policy sync.
    pub(crate) found_policy: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// All actions done; steps may have failed on the way.
    Finished,
    /// Stopped at a failed step.
    Failed,
    /// The device went down in the middle.
    Cut,
    /// A step never ended.
    Hung,
}

/// What kind of action an act was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActKind {
    /// Image, join, first start, agent: whatever starts no sdclient or vulscan.
    Other,
    /// Restart; the provisioning agent has another pid afterwards.
    Reboot,
    /// An If action.
    Condition,
    /// Agent install.
    Agent,
    /// Step with sdclient.
    Software,
    /// Step with vulscan.
    Patch,
}

/// A child of the provisioning agent, as its log shows it.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) exe: String,
    pub(crate) arguments: String,
    pub(crate) process: Option<ProcessId>,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) exit: Option<u32>,
    /// Another thread of the agent than the one that executes actions.
    pub(crate) aside: bool,
}

/// One execution of one action.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) name: String,
    pub(crate) kind: ActKind,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) children: Vec<Child>,
    /// Position among the steps that started a program, from 1; 0 for other actions.
    pub(crate) ordinal: usize,
    /// 1, or 2 for a step that is retried at once.
    pub(crate) attempt: u32,
    pub(crate) task_id: Option<u32>,
    /// The step's own process.
    pub(crate) process: Option<ProcessId>,
    pub(crate) exit: Option<u32>,
    pub(crate) agent_pid: u32,
}

/// One run of a template.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) template: usize,
    pub(crate) workaround: bool,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) state: State,
    /// End of the first agent install.
    pub(crate) agent_installed: Option<i64>,
    pub(crate) acts: Vec<Act>,
}

/// The scheduler's notice that a task is armed.
#[derive(Clone, Debug)]
pub(crate) struct Arming {
    pub(crate) at: i64,
    pub(crate) program: Program,
    /// Armed for the year 3000.
    pub(crate) harmless: bool,
}

/// Everything about one device.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) index: u64,
    pub(crate) name: String,
    pub(crate) site: &'static Site,
    pub(crate) clock: Clock,
    pub(crate) runs: Vec<Run>,
    pub(crate) processes: Vec<Process>,
    pub(crate) armings: Vec<Arming>,
    /// Nothing after this moment is on the share.
    pub(crate) collected: i64,
}

impl Story {
    /// The processes of one program, with their ids.
    pub(crate) fn of(&self, program: Program) -> impl Iterator<Item = (ProcessId, &Process)> {
        self.processes.iter().enumerate().filter(move |(_, p)| p.program == program)
    }
}

/// Success with or without a restart: 0, 3010, 1641, and the product's own zero.
pub(crate) fn is_success(code: u32) -> bool {
    code >> 31 == 0 && matches!(code & 0xffff, 0 | 3010 | 1641)
}
