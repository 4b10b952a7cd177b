//! Carries out one fault after the other, heals it, and measures how long clients went without service.

use super::clients::Shared;
use super::cluster::Cluster;
use super::findings::Finding;
use super::lateness::Lateness;
use super::plan::{Kind, Step};
use super::probes::Probes;
use crate::interrupt;
use serde::Serialize;
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_stdx::Rng;

mod changes;
mod disks;
mod hostile;
mod links;
mod processes;

/// Service is there so soon after a heal: when links carry again, paused processes go on, and started ones have read their
/// disks. What this machine was late itself is added,
pub(super) const SERVED_WITHIN: Duration = Duration::from_secs(1);
/// so often, since an election takes several processes' turns, one after the other.
const LATENESS_COUNTS: u64 = 4;
/// Without service for so long after a heal, or without all nodes taking part, the run ends.
const WELL_MAX: Duration = Duration::from_secs(30);
/// How often the nodes are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What became of one fault of the plan. Moments are microseconds of the run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Tried {
    /// Its number in the plan, from 1.
    pub(super) number: usize,
    /// The kind's name.
    pub(super) kind: &'static str,
    /// What was done, to whom.
    pub(super) what: String,
    /// When the plan has it.
    pub(super) planned_us: u64,
    /// When it began.
    pub(super) began_us: u64,
    /// When it was healed.
    pub(super) healed_us: u64,
    /// How long after the heal every part of the slots had served a write.
    pub(super) served_after_us: u64,
    /// How long after the heal all nodes took part again.
    pub(super) whole_after_us: u64,
    /// The longest time in which some part of the slots acknowledged nothing, from the fault until everything was served.
    pub(super) gap_us: u64,
    /// By how much this machine ran late after the heal.
    pub(super) machine_late_us: u64,
    /// Why it could not be done, if it could not.
    pub(super) left_out: Option<String>,
    /// Whether it was carried out to its end; otherwise the run ended meanwhile.
    pub(super) is_done: bool,
}

/// Why a fault was not carried out to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// This machine does not have what it takes.
    LeftOut(String),
    /// The product did what it must not.
    Broken(String),
    /// This machine failed; what comes after would say nothing of the product.
    Trouble(String),
    /// The run is over.
    Over,
}

impl From<String> for Stop {
    /// What goes wrong with starting processes and changing disks is not the product's.
    fn from(problem: String) -> Stop {
        Stop::Trouble(problem)
    }
}

/// Carries out faults.
pub(super) struct Conductor<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) probes: &'a Probes,
    pub(super) shared: &'a Shared,
    pub(super) lateness: &'a Lateness,
    /// Whether the nodes' clocks can jump.
    pub(super) has_clocks: bool,
    /// The group whose members are replaced, once there is one.
    small_group: Option<changes::SmallGroup>,
    /// The number that this group gets.
    small_group_number: u32,
    /// Called now and then, by the thread that conducts.
    pub(super) watch: &'a mut dyn FnMut(),
}

impl<'a> Conductor<'a> {
    pub(super) fn new(
        cluster: &'a mut Cluster,
        (probes, shared, lateness): (&'a Probes, &'a Shared, &'a Lateness),
        (has_clocks, small_group_number): (bool, u32),
        watch: &'a mut dyn FnMut(),
    ) -> Conductor<'a> {
        Conductor {
            cluster,
            probes,
            shared,
            lateness,
            has_clocks,
            small_group: None,
            small_group_number,
            watch,
        }
    }

    /// Waits for the moment that the plan has, carries the fault out, and waits until all is well. `None` if the run is over
    /// before.
    pub(super) fn try_one(&mut self, step: &Step) -> Option<Tried> {
        let mut tried = Tried {
            number: step.number,
            kind: step.kind.name(),
            what: String::new(),
            planned_us: step.at.as_micros() as u64,
            began_us: 0,
            healed_us: 0,
            served_after_us: 0,
            whole_after_us: 0,
            gap_us: 0,
            machine_late_us: 0,
            left_out: None,
            is_done: false,
        };
        match self.play(step, &mut tried) {
            Ok(()) => tried.is_done = true,
            Err(Stop::LeftOut(why)) => tried.left_out = Some(why),
            Err(Stop::Over) => {}
            Err(Stop::Trouble(problem)) => {
                let text = format!("fault {}, {}: {problem}", step.number, step.kind.name());
                self.shared.findings.add(Finding::gave_up("this machine", text));
            }
            Err(Stop::Broken(problem)) => {
                let text = format!("fault {}, {}: {}: {problem}", step.number, step.kind.name(), tried.what);
                self.shared.findings.add(Finding::violation("liveness", self.shared.now_us(), text));
            }
        }
        if tried.began_us == 0 {
            return None;
        }
        if tried.healed_us == 0 {
            tried.healed_us = self.shared.now_us();
        }
        Some(tried)
    }

    fn play(&mut self, step: &Step, tried: &mut Tried) -> Result<(), Stop> {
        while self.shared.now_us() < tried.planned_us {
            self.look()?;
        }
        self.await_whole(self.shared.now_us())?;
        tried.began_us = self.shared.now_us();
        let mut rng = step.draws.clone();
        self.carry_out(step, &mut rng, tried)?;
        self.await_up()?;
        tried.healed_us = self.shared.now_us();
        let served_us = self.await_service(tried.healed_us)?;
        tried.served_after_us = served_us - tried.healed_us;
        tried.machine_late_us = self.lateness.in_all(tried.healed_us, served_us);
        tried.gap_us = self.probes.longest_gap(tried.began_us, served_us);
        tried.whole_after_us = self.await_whole(tried.healed_us)?;
        let allowed = SERVED_WITHIN.as_micros() as u64 + LATENESS_COUNTS * tried.machine_late_us;
        if self.shared.is_timed && tried.served_after_us > allowed {
            let text = format!(
                "fault {}, {}: {}: service came {} ms after the heal, later than 1 s (this machine ran {} ms late in all meanwhile)",
                tried.number,
                tried.kind,
                tried.what,
                tried.served_after_us / 1_000,
                tried.machine_late_us / 1_000
            );
            self.shared.findings.add(Finding::violation("liveness", served_us, text));
        }
        Ok(())
    }

    /// Does what the step says, for as long as it says, and undoes it.
    fn carry_out(&mut self, step: &Step, rng: &mut Rng, tried: &mut Tried) -> Result<(), Stop> {
        let lasts = step.lasts;
        let what = &mut tried.what;
        match step.kind {
            Kind::KillLeader | Kind::KillFollower | Kind::KillMajority | Kind::KillAll => {
                self.kill(step.kind, lasts, rng, what)
            }
            Kind::PauseLeader | Kind::PauseFollower | Kind::PauseMajority => {
                self.pause(step.kind, lasts, rng, what)
            }
            Kind::RollingRestart => self.restart_one_by_one(lasts, what),
            Kind::IsolateLeader | Kind::SplitHalves | Kind::OneWay | Kind::Partial | Kind::Lossy => {
                self.disturb_links(step.kind, lasts, rng, what)
            }
            Kind::Flapping => self.flap(lasts, rng, what),
            Kind::KillWhilePartitioned => self.kill_while_partitioned(lasts, rng, what),
            Kind::SlowDisk => self.slow_disk(lasts, rng, what),
            Kind::FullDisk => self.full_disk(lasts, rng, what),
            Kind::LostDisk => self.lost_disk(lasts, rng, what),
            Kind::LostDiskBehind => self.lost_disk_behind(lasts, rng, what),
            Kind::PowerLoss => self.lose_power(lasts, rng, what),
            Kind::ClockJump => self.clock_jump(lasts, rng, what),
            Kind::SlotMove => self.slot_move(rng, what),
            Kind::MemberReplace => self.member_replace(rng, what),
            Kind::HugeWrites | Kind::LongPatterns | Kind::ManyTransactions | Kind::UnfinishedValues => {
                self.hostile(step.kind, lasts, rng, what)
            }
        }
    }

    /// Looks at the nodes, after a moment.
    fn look(&mut self) -> Result<(), Stop> {
        self.glance()?;
        self.cluster.look_after().map_err(Stop::Broken)
    }

    /// Lets a moment pass in which a node may end.
    fn glance(&mut self) -> Result<(), Stop> {
        sleep(LOOK);
        (self.watch)();
        let is_over = interrupt::is_wanted() || self.shared.findings.has_violation();
        if is_over { Err(Stop::Over) } else { Ok(()) }
    }

    /// Lets the clients go on until the run has this length, and all nodes take part.
    pub(super) fn rest(&mut self, length: Duration) {
        while self.shared.began.elapsed() < length && self.look().is_ok() {}
        match self.await_whole(self.shared.now_us()) {
            Ok(_) | Err(Stop::Over | Stop::LeftOut(_) | Stop::Trouble(_)) => {}
            Err(Stop::Broken(problem)) => {
                self.shared.findings.add(Finding::violation("liveness", self.shared.now_us(), problem));
            }
        }
    }

    /// Lets time pass.
    fn hold(&mut self, time: Duration) -> Result<(), Stop> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.look()?;
        }
        Ok(())
    }

    /// Waits until each process that was started has read its disk and answers operators: only then it is healed.
    fn await_up(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + WELL_MAX;
        while !self.cluster.is_up() {
            if Instant::now() > deadline {
                return Err(Stop::Broken(format!(
                    "a node does not answer {} s after its start",
                    WELL_MAX.as_secs()
                )));
            }
            self.look()?;
        }
        Ok(())
    }

    /// When every part of the slots served a write that was acknowledged after `from_us`.
    fn await_service(&mut self, from_us: u64) -> Result<u64, Stop> {
        let deadline = Instant::now() + WELL_MAX;
        loop {
            if let Some(served_us) = self.probes.served_after(from_us) {
                return Ok(served_us);
            }
            if Instant::now() > deadline {
                return Err(Stop::Broken(format!("no service for {} s after the heal", WELL_MAX.as_secs())));
            }
            self.look()?;
        }
    }

    /// Waits until all nodes take part. Yields how many microseconds after `from_us` they did.
    fn await_whole(&mut self, from_us: u64) -> Result<u64, Stop> {
        let deadline = Instant::now() + WELL_MAX;
        while !self.cluster.is_whole() {
            if Instant::now() > deadline {
                return Err(Stop::Broken(format!(
                    "some node does not take part {} s after the heal: {}",
                    WELL_MAX.as_secs(),
                    self.cluster.roles()
                )));
            }
            self.look()?;
        }
        Ok(self.shared.now_us() - from_us)
    }

    /// A node that leads a group; any node if none says so now.
    fn leader(&self, rng: &mut Rng) -> u32 {
        let leaders = self.cluster.leaders();
        rng.pick(&leaders).map_or_else(|| self.any(rng), |(_, node)| *node)
    }

    /// A node that leads the fewest groups, and not the first of those that are led.
    fn follower(&self, rng: &mut Rng) -> u32 {
        let leaders = self.cluster.leaders();
        let leads = |node: &u32| leaders.iter().filter(|(_, leader)| leader == node).count();
        let mut numbers = self.cluster.numbers();
        rng.shuffle(&mut numbers);
        numbers.into_iter().min_by_key(leads).unwrap_or(1)
    }

    fn any(&self, rng: &mut Rng) -> u32 {
        rng.pick(&self.cluster.numbers()).copied().unwrap_or(1)
    }

    /// More than half of the nodes.
    fn majority(&self, rng: &mut Rng) -> Vec<u32> {
        let mut numbers = self.cluster.numbers();
        rng.shuffle(&mut numbers);
        numbers.truncate(numbers.len() / 2 + 1);
        numbers.sort_unstable();
        numbers
    }
}

/// `node 2` or `nodes 1, 2 and 3`.
fn nodes(numbers: &[u32]) -> String {
    match numbers {
        [] => "no node".to_owned(),
        [one] => format!("node {one}"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(u32::to_string).collect();
            format!("nodes {} and {last}", first.join(", "))
        }
    }
}
