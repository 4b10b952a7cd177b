//! Where a search may begin besides a system's start: a moment that another driver came to, whatever way it went.

use crate::Checkable;
use crate::checker::Checker;
use crate::observer::{Observer, Witness};
use crate::place::{Place, Side, Waiting};
use crate::shared::Shared;
use crate::system::{Network, System};
use crate::user::Position;
use std::collections::{BTreeMap, BTreeSet};
use synod_node::NodeId;
use synod_world::World;

/// See the module's page.
pub struct Moment<'a, N: Checkable> {
    /// Nodes, messages, timers and disks.
    pub world: &'a World<N>,
    /// How far the users are; who is not named here has asked nothing.
    pub users: BTreeMap<NodeId, Position>,
    /// Nodes that take no step, so that their users ask nothing first.
    pub paused: &'a BTreeSet<NodeId>,
}

impl<N: Checkable> Moment<'_, N> {
    /// Whether a node takes no step there.
    pub(crate) fn is_still(&self, id: NodeId) -> bool {
        !self.world.is_running(id) || self.paused.contains(&id)
    }
}

impl<N: Checkable> Checker<N> {
    /// A checker of `system` whose first state is a moment: of its nodes, in a network that is a bag. The users ask what
    /// they may at once; `observer` has seen what they saw. What is in flight to nodes that are not there is left out.
    ///
    /// # Errors
    /// What is wrong with what the users ask first.
    ///
    /// # Panics
    /// If the network is no bag.
    pub fn at(system: System<N>, observer: impl Observer<N>, moment: &Moment<'_, N>) -> Result<Self, String> {
        assert_eq!(system.network, Network::Bag, "what arrived at a moment is in flight no longer");
        let mut shared = Shared::new(system, None);
        shared.keeps_disk |= moment.world.ids().any(|id| !moment.world.is_running(id));
        Checker::begin(shared, Witness::new(observer), Some(moment))
    }
}

impl<N: Checkable> Shared<N> {
    /// Each place of a moment, by number.
    pub(crate) fn places_at(&self, moment: &Moment<'_, N>) -> Vec<u32> {
        let names = self.names.iter().enumerate();
        names.map(|(index, id)| self.place_at(index, *id, moment)).collect()
    }

    fn place_at(&self, index: usize, id: NodeId, moment: &Moment<'_, N>) -> u32 {
        let world = moment.world;
        let mut side = Side { outbox: world.outbox(id).cloned().unwrap_or_default(), ..Side::default() };
        for (_, timer) in world.timers().filter(|(_, timer)| timer.node == id) {
            side.set_timer(Waiting { place: index, timer: timer.timer.clone(), after: timer.after.clone() });
        }
        side.writing.extend(world.writing(id).cloned());
        if self.keeps_disk {
            side.disk = world.disk(id).cloned().unwrap_or_default();
        }
        let position = || moment.users.get(&id).cloned().unwrap_or_default();
        let user = self.system.places[index].user.as_ref().map(|_| self.users.intern(position()));
        let node = world.node(id).map(|node| self.nodes.intern(node.clone()));
        self.places.intern(Place { index: index as u32, node, side: self.sides.intern(side), user }).0
    }

    /// What is in flight in a moment to nodes that are there, by number, in order.
    pub(crate) fn flight_at(&self, moment: &Moment<'_, N>) -> Vec<u32> {
        let flight = moment.world.flight().map(|(_, envelope)| envelope);
        let known = flight.filter(|envelope| self.index(envelope.to).is_some());
        let mut flight: Vec<u32> = known.map(|envelope| self.envelopes.intern(envelope.clone()).0).collect();
        flight.sort_unstable();
        flight
    }
}
