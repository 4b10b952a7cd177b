//! Processes that are killed, paused and restarted; clocks that jump.

use super::{Conductor, Stop, nodes};
use crate::prove::clocks;
use crate::prove::plan::Kind;
use std::time::{Duration, Instant};
use synod_stdx::Rng;

/// How long a node may take to end when it is told to.
const STOP_MAX: Duration = Duration::from_secs(8);
/// By how many seconds a clock may be wrong.
const OFFSETS_S: [i64; 6] = [-3_600, -5, 5, 60, 3_600, 86_400];

impl Conductor<'_> {
    fn chosen(&self, kind: Kind, rng: &mut Rng) -> Vec<u32> {
        match kind {
            Kind::KillLeader | Kind::PauseLeader => vec![self.leader(rng)],
            Kind::KillFollower | Kind::PauseFollower => vec![self.follower(rng)],
            Kind::KillMajority | Kind::PauseMajority => self.majority(rng),
            _ => self.cluster.numbers(),
        }
    }

    pub(super) fn kill(
        &mut self,
        kind: Kind,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let chosen = self.chosen(kind, rng);
        *what = format!("kill -9 of {}", nodes(&chosen));
        chosen.iter().for_each(|node| self.cluster.signal(*node, libc::SIGKILL));
        for node in &chosen {
            self.cluster.wait_end(*node);
        }
        self.hold(lasts)?;
        Ok(chosen.into_iter().try_for_each(|node| self.cluster.start_node(node))?)
    }

    pub(super) fn pause(
        &mut self,
        kind: Kind,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let chosen = self.chosen(kind, rng);
        *what = format!("{} stand still", nodes(&chosen));
        chosen.iter().for_each(|node| self.cluster.signal(*node, libc::SIGSTOP));
        let held = self.hold(lasts);
        chosen.iter().for_each(|node| self.cluster.signal(*node, libc::SIGCONT));
        held
    }

    /// Stops and starts each node, each when the one before takes part again.
    pub(super) fn restart_one_by_one(&mut self, lasts: Duration, what: &mut String) -> Result<(), Stop> {
        "SIGTERM to each node in turn, and a start".clone_into(what);
        for node in self.cluster.numbers() {
            self.cluster.signal(node, libc::SIGTERM);
            let deadline = Instant::now() + STOP_MAX;
            let status = loop {
                if let Some(status) = self.cluster.ended(node) {
                    break status;
                }
                if Instant::now() > deadline {
                    return Err(Stop::Broken(format!(
                        "node {node} does not end within {} s",
                        STOP_MAX.as_secs()
                    )));
                }
                self.glance()?;
            };
            if !status.success() {
                let words = self.cluster.last_words(node);
                return Err(Stop::Broken(format!(
                    "node {node} was told to stop, and ended with {status}: {words}"
                )));
            }
            self.hold(lasts)?;
            self.cluster.start_node(node)?;
            self.await_whole(self.shared.now_us())?;
        }
        Ok(())
    }

    /// One wall clock is wrong, jumps again, and is right again.
    pub(super) fn clock_jump(
        &mut self,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        if !self.has_clocks {
            return Err(Stop::LeftOut("libfaketime is not installed".to_owned()));
        }
        let node = if rng.chance(600) { self.leader(rng) } else { self.any(rng) };
        let jumps: Vec<i64> = (0..3).map(|_| OFFSETS_S[rng.below(OFFSETS_S.len() as u64) as usize]).collect();
        let told: Vec<String> = jumps.iter().map(|jump| format!("{jump:+} s")).collect();
        *what = format!("the wall clock of node {node} is off by {} in turn", told.join(", "));
        let place = self.cluster.place(node);
        let set = |offset_s| {
            clocks::set(&place, offset_s)
                .map_err(|error| Stop::Trouble(format!("{}: {error}", place.display())))
        };
        for jump in jumps {
            set(jump)?;
            self.hold(lasts / 3)?;
        }
        set(0)
    }
}
