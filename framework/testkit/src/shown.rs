//! A system that is searched, as a debugger opens it: the same nodes, users and claims, and a searcher.

use crate::searcher::Searcher;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_checker::{Blind, Checkable, Checker, Observer, Plain, Property, System, User, Witness};
use synod_debugger::{Claim, Heard, Past, Setup, Stage};
use synod_node::{Durable, NodeId};
use synod_world::World;

/// What of a system a debugger needs.
pub struct Exhibit<N: Checkable> {
    /// Nodes, users, the network.
    pub system: System<N>,
    /// Who watches the users, before they ask anything.
    pub observer: Witness<N>,
    /// What must hold.
    pub invariants: Vec<Property<N>>,
    /// What is looked for.
    pub goals: Vec<Property<N>>,
}

impl<N: Checkable> Exhibit<N> {
    /// Ready to be opened, when every node has started and its user has asked what it has first.
    ///
    /// # Errors
    /// What is wrong with these first steps.
    pub fn setup(self, title: &str) -> Result<Setup<N>, String> {
        let Exhibit { system, observer, invariants, goals } = self;
        let mut first = World::default();
        let mut users: BTreeMap<NodeId, User<N>> = BTreeMap::new();
        let mut ids = Vec::new();
        for (id, node, user) in system.nodes() {
            first.add(id, node.clone());
            ids.push(id);
            users.extend(user.map(|user| (id, user.clone())));
        }
        let mut setup = Setup::of(title, []);
        setup.taker = system.mutant.clone().map(|mutant| -> Arc<synod_world::Taker<'static, N>> { mutant });
        setup.partitions = system.partitions.clone();
        for (id, user) in &users {
            let user = user.clone();
            let script = move |index: u64| user.ask(index).map(|ask| (ask.request, ask.expected));
            setup.users.insert(*id, Arc::new(script));
        }
        let begun = system.clone();
        let known = Arc::new(Known { ids, users, observer: observer.clone() });
        setup.hears = true;
        setup.invariants = invariants.iter().map(|property| claim(property.clone(), &known)).collect();
        setup.goals = goals.into_iter().map(|property| claim(property, &known)).collect();
        let watched = Arc::clone(&known);
        setup.invariants.push(Claim::new("what users are told is right", move |stage: &Stage<N>| {
            watched.observed(stage).map(|_| ())
        }));
        setup.seeker = Some(Arc::new(Searcher::new(&setup, known, invariants)));
        let checker = Checker::new(begun, observer)?;
        setup.past = Past::Lines(checker.events(&checker.start()));
        setup.first = first;
        Ok(setup)
    }
}

/// What does not change from moment to moment.
pub(crate) struct Known<N: Checkable> {
    ids: Vec<NodeId>,
    users: BTreeMap<NodeId, User<N>>,
    observer: Witness<N>,
}

impl<N: Checkable> Known<N> {
    /// Of nodes whose users nobody watches.
    pub(crate) fn blind(ids: Vec<NodeId>) -> Self {
        Known { ids, users: BTreeMap::new(), observer: Witness::new(Blind) }
    }

    /// The observer, after what the users saw.
    fn observed(&self, stage: &Stage<N>) -> Result<Witness<N>, String> {
        let mut observer = self.observer.clone();
        for heard in &stage.heard {
            match heard {
                Heard::Asked(client, id, request) => observer.on_invoke(*client, *id, request),
                Heard::Told(client, id, response) => observer.on_return(*client, *id, response)?,
                Heard::GaveUp(client, id) => observer.on_give_up(*client, *id),
            }
        }
        Ok(observer)
    }

    /// The same where the observer objects to nothing: what it objects to is another claim's.
    pub(crate) fn witness(&self, stage: &Stage<N>) -> Witness<N> {
        self.observed(stage).unwrap_or_else(|_| self.observer.clone())
    }
}

fn claim<N: Checkable>(property: Property<N>, known: &Arc<Known<N>>) -> Claim<N> {
    let known = Arc::clone(known);
    Claim::new(property.name().to_owned(), move |stage: &Stage<N>| {
        property.objection(&Seen { stage, known: &known }).map_or(Ok(()), Err)
    })
}

/// A moment, as properties see it.
struct Seen<'a, N: Checkable> {
    stage: &'a Stage<N>,
    known: &'a Known<N>,
}

impl<N: Checkable> Plain<N> for Seen<'_, N> {
    fn ids(&self) -> Vec<NodeId> {
        self.known.ids.clone()
    }

    fn node(&self, id: NodeId) -> Option<&N> {
        self.stage.world.node(id)
    }

    fn answered(&self, id: NodeId) -> u64 {
        self.stage.users.get(&id).map_or(0, |position| position.answered)
    }

    fn asked(&self, id: NodeId) -> u64 {
        self.stage.users.get(&id).map_or(0, |position| position.asked)
    }

    fn is_done(&self, id: NodeId) -> bool {
        let position = self.stage.users.get(&id).cloned().unwrap_or_default();
        position.waiting.is_empty()
            && self.known.users.get(&id).is_some_and(|user| user.ask(position.scripted).is_none())
    }

    fn messages(&self) -> Vec<(NodeId, NodeId, N::Message)> {
        let flight = self.stage.world.flight();
        flight.map(|(_, envelope)| (envelope.from, envelope.to, envelope.message.clone())).collect()
    }

    fn timers(&self, id: NodeId) -> Vec<N::Timer> {
        let timers = self.stage.world.timers().filter(|(_, timer)| timer.node == id);
        timers.map(|(_, timer)| timer.timer.clone()).collect()
    }

    fn disk(&self, id: NodeId) -> Option<Durable<N>> {
        self.stage.world.disk(id).cloned()
    }
}
