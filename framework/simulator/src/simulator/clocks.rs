//! The clocks of the nodes' machines: wall clocks that are wrong, jump and drift, and monotonic ones that only drift.

use super::Simulator;
use crate::Failure;
use synod_node::{ClockReading, Node, NodeId, RequestId};
use synod_stdx::Rng;
use synod_world::Event;

/// What a right wall clock reads when a run begins, in milliseconds since 1970.
pub const WALL_BEGIN_MS: u64 = 1_700_000_000_000;
/// Monotonic clocks run at a rate of their own, faster or slower than true by at most so many in a million.
const DRIFT_MAX_PPM: u64 = 400;
/// As for monotonic clocks, for wall clocks.
const WALL_DRIFT_MAX_PPM: u64 = 1_000;
/// A node is told the clocks again only after so many microseconds, as on a host.
const PAUSE_US: u64 = 1_000;

/// The request by which a node's user tells it what the clocks of its machine read.
pub type TellClock<N> = fn(ClockReading) -> <N as Node>::Request;

/// The clocks of one node's machine.
pub(super) struct Clocks<N: Node> {
    tell: TellClock<N>,
    drift_ppm: u64,
    wall_drift_ppm: u64,
    /// So many milliseconds is the wall clock ahead, besides its drift.
    wall_ahead_ms: i64,
    told_us: Option<u64>,
    /// Names the last start of the machine, and when it was: the monotonic clock counts from then.
    boot: u64,
    booted_us: u64,
}

impl<N: Node> Clocks<N> {
    fn read(&self, now_us: u64) -> ClockReading {
        let drifted = |us: u64, ppm: u64, max_ppm: u64| {
            let rate = 1_000_000 - u128::from(max_ppm) + u128::from(ppm);
            (u128::from(us) * rate / 1_000_000) as u64
        };
        let wall_ms = WALL_BEGIN_MS + drifted(now_us, self.wall_drift_ppm, WALL_DRIFT_MAX_PPM) / 1_000;
        ClockReading {
            boot: self.boot,
            monotonic_us: drifted(now_us - self.booted_us, self.drift_ppm, DRIFT_MAX_PPM),
            wall_ms: wall_ms.saturating_add_signed(self.wall_ahead_ms),
        }
    }
}

impl<N: Node> Simulator<N> {
    /// From now on node `id` is told the clocks of its machine before each of its steps, as a host does. The rates at which
    /// they drift follow from the seed.
    pub fn tell_clock(&mut self, id: NodeId, tell: TellClock<N>) {
        let mut rng = Rng::new(self.seed ^ u64::from(id.to_bits())).split("drift");
        let (drift_ppm, wall_drift_ppm) =
            (rng.between(0, 2 * DRIFT_MAX_PPM), rng.between(0, 2 * WALL_DRIFT_MAX_PPM));
        let clocks = Clocks {
            tell,
            drift_ppm,
            wall_drift_ppm,
            wall_ahead_ms: 0,
            told_us: None,
            boot: u64::from(id.to_bits()) << 32,
            booted_us: 0,
        };
        self.clocks.insert(id, clocks);
    }

    /// Sets the wall clock of a node that is told its clocks: so many milliseconds ahead of a right one, or behind.
    pub fn set_wall_clock(&mut self, id: NodeId, ahead_ms: i64) {
        if let Some(clocks) = self.clocks.get_mut(&id) {
            clocks.wall_ahead_ms = ahead_ms;
        }
    }

    /// The machine of a node that is down is started anew: its monotonic clock begins again. Without it only the process
    /// was, and the clock went on.
    pub fn boot_machine(&mut self, id: NodeId) {
        let now_us = self.now_us;
        if let Some(clocks) = self.clocks.get_mut(&id) {
            (clocks.boot, clocks.booted_us) = (clocks.boot + 1, now_us);
        }
    }

    /// Tells the node that takes a step by `event` what its clocks read, unless it knows.
    pub(super) fn maybe_tell_clock(&mut self, event: &Event<N>) -> Result<(), Failure> {
        if self.clocks.is_empty() {
            return Ok(());
        }
        let node = match event {
            Event::Deliver(id) => self.world.envelope(*id).map(|envelope| envelope.to),
            Event::Fire(id) => self.world.timer(*id).map(|timer| timer.node),
            Event::Request { node, .. } => Some(*node),
            // It has taken no step yet, or takes none.
            Event::Start(node)
            | Event::Restart(node)
            | Event::Crash(node)
            | Event::Replace { node, .. }
            | Event::Recover { node, .. } => {
                if let Some(clocks) = self.clocks.get_mut(node) {
                    clocks.told_us = None;
                }
                None
            }
            Event::Drop(_) | Event::Duplicate(_) | Event::Durable { .. } => None,
        };
        let now_us = self.now_us;
        let clocks = node.and_then(|node| Some((node, self.clocks.get_mut(&node)?)));
        let Some((node, clocks)) = clocks else { return Ok(()) };
        if !self.world.is_running(node) || clocks.told_us.is_some_and(|told_us| now_us < told_us + PAUSE_US) {
            return Ok(());
        }
        clocks.told_us = Some(now_us);
        let request = (clocks.tell)(clocks.read(now_us));
        self.apply_told(Event::Request { node, id: RequestId::TOLD, request })
    }
}
