//! Links between nodes that are cut, lossy, or come and go.

use super::{Conductor, Stop, nodes};
use crate::prove::plan::Kind;
use crate::prove::proxy::{Link, Weather};
use std::time::{Duration, Instant};
use synod_stdx::Rng;

/// A flapping link is cut, and then carries, for so many ms.
const FLAP_MS: (u64, u64) = (100, 600);

impl Conductor<'_> {
    /// The links between a node and all others.
    fn links_of(&self, node: u32) -> Vec<Link> {
        self.cluster.network.links().into_iter().filter(|(from, to)| *from == node || *to == node).collect()
    }

    pub(super) fn disturb_links(
        &mut self,
        kind: Kind,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let leader = self.leader(rng);
        let mut others: Vec<u32> =
            self.cluster.numbers().into_iter().filter(|node| *node != leader).collect();
        rng.shuffle(&mut others);
        let (links, weather) = match kind {
            Kind::IsolateLeader => {
                *what = format!("node {leader}, a leader, is cut off from all others");
                (self.links_of(leader), Weather::Cut)
            }
            Kind::SplitHalves => {
                // The leader is on either side.
                let mut all = self.cluster.numbers();
                rng.shuffle(&mut all);
                let (fewer, more) = all.split_at(all.len() / 2);
                *what = format!("{} and {} are cut off from each other", nodes(fewer), nodes(more));
                let network = &self.cluster.network;
                ([network.between(fewer, more), network.between(more, fewer)].concat(), Weather::Cut)
            }
            Kind::OneWay => {
                let is_mute = rng.chance(500);
                let done = if is_mute {
                    "is heard by nobody and hears all"
                } else {
                    "hears nobody and is heard by all"
                };
                *what = format!("node {leader}, a leader, {done}");
                let network = &self.cluster.network;
                let links = if is_mute {
                    network.between(&[leader], &others)
                } else {
                    network.between(&others, &[leader])
                };
                (links, Weather::Cut)
            }
            Kind::Partial => {
                let other = others[0];
                *what = format!(
                    "nodes {leader}, a leader, and {other} do not hear each other, all others hear both"
                );
                (vec![(leader, other), (other, leader)], Weather::Cut)
            }
            _ => {
                "all links are late and break".clone_into(what);
                (self.cluster.network.links(), Weather::Lossy)
            }
        };
        self.cluster.network.set(&links, weather);
        let held = self.hold(lasts);
        self.cluster.network.heal();
        held
    }

    /// A leader is cut off and joined again, many times.
    pub(super) fn flap(&mut self, lasts: Duration, rng: &mut Rng, what: &mut String) -> Result<(), Stop> {
        let leader = self.leader(rng);
        let links = self.links_of(leader);
        let end = Instant::now() + lasts;
        let mut times = 0;
        while Instant::now() < end {
            times += 1;
            *what = format!("node {leader}, a leader, is cut off and joined again {times} times");
            self.cluster.network.set(&links, Weather::Cut);
            let held = self.hold(Duration::from_millis(rng.between(FLAP_MS.0, FLAP_MS.1)));
            self.cluster.network.heal();
            held?;
            self.hold(Duration::from_millis(rng.between(FLAP_MS.0, FLAP_MS.1)))?;
        }
        Ok(())
    }

    /// A leader is cut off, and a node of the others dies; the cut ends first, or the death does.
    pub(super) fn kill_while_partitioned(
        &mut self,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let leader = self.leader(rng);
        let others: Vec<u32> = self.cluster.numbers().into_iter().filter(|node| *node != leader).collect();
        let killed = rng.pick(&others).copied().unwrap_or(leader);
        *what = format!("node {leader}, a leader, is cut off, and kill -9 of node {killed}");
        let links = self.links_of(leader);
        self.cluster.network.set(&links, Weather::Cut);
        let held = self.hold(lasts / 2);
        self.cluster.kill(killed);
        let held = held.and_then(|()| self.hold(lasts / 2));
        let heals_first = rng.chance(500);
        if heals_first {
            self.cluster.network.heal();
            held.and_then(|()| self.hold(Duration::from_millis(rng.between(50, 500))))?;
            return Ok(self.cluster.start_node(killed)?);
        }
        self.cluster.start_node(killed)?;
        let held = held.and_then(|()| self.hold(Duration::from_millis(rng.between(50, 500))));
        self.cluster.network.heal();
        held
    }
}
