//! What the debugger shows of `shardedstore` beside the bare state: ballots, logs, and the slots that a group has; and what
//! must hold at every moment of a run, as far as it can be asked quickly at each of thousands of moments.

use crate::scenarios::Actor;
use std::collections::BTreeMap;
use synod_debugger::{Cell, Claim, Portrait, Stage, Strip};
use synod_node::Node;
use synod_paxos::{Server as Member, invariants as logs};
use synod_shardedstore::{
    ConfigurationService, GroupId, GroupState, Process, Server, Sharded, SlotId, SlotStatus as Hold,
    invariants as slots,
};
use synod_verify_paxos::shown::{agreement, ballot, last_slots_agree, log, tone};

/// So many slots of a group are shown one by one; of more, neighbours share a cell.
const CELLS_MAX: usize = 48;

/// Where a store has more slots than this, who serves them is not asked at every moment.
const SLOTS_MAX: u16 = 64;

/// Ballots, the log, and the slots that a group has.
pub struct Shards;

impl<S: Sharded> Portrait<Process<S>> for Shards {
    fn term(&self, node: &Process<S>) -> Option<(String, bool)> {
        match node {
            Process::Server(server) => Some(ballot(server.paxos())),
            Process::Service(member) => Some(ballot(member.paxos())),
            Process::Controller(_) | Process::Client(_) => None,
        }
    }

    fn strips(&self, node: &Process<S>) -> Vec<Strip> {
        match node {
            Process::Server(server) => vec![held(server), log(server.paxos())],
            Process::Service(member) => vec![log(member.paxos())],
            Process::Controller(_) | Process::Client(_) => Vec::new(),
        }
    }
}

/// The slots that a group has, as a member knows it; neighbours of which the same can be said share a cell where they are
/// many.
fn held<S: Sharded>(server: &Server<S>) -> Strip {
    let state = server.state();
    let number = state.configuration().map_or(0, |configuration| configuration.number);
    let slots: Vec<(SlotId, Hold)> = state.held().collect();
    let is_next = |one: &(SlotId, Hold), next: &(SlotId, Hold)| {
        slots.len() > CELLS_MAX && one.0.number() + 1 == next.0.number() && one.1 == next.1
    };
    let held = slots.chunk_by(is_next).map(|run| {
        let ((first, status), (last, _)) = (run[0], run[run.len() - 1]);
        let (tone, words) = match status {
            Hold::Served => (tone::DONE, "served".to_owned()),
            Hold::Locked(attempt) => (tone::WAITS, format!("locked by {attempt:?}")),
            Hold::Frozen => (tone::GOES, "on its way to its new owner".to_owned()),
        };
        match run.len() {
            1 => Cell { label: first.to_string(), tone, text: format!("slot {first}: {words}") },
            _ => Cell {
                label: format!("{first}-{last}"),
                tone,
                text: format!("slots {first} to {last}: {words}"),
            },
        }
    });
    let (leaving, coming) = state.moving();
    let moving = [(leaving, tone::GOES, "leave"), (coming, tone::COMES, "come")];
    let moving = moving.into_iter().filter(|(count, ..)| *count > 0);
    let moving = moving.map(|(count, tone, word)| Cell {
        label: format!("{count} {word}"),
        tone,
        text: format!("{count} slots {word}"),
    });
    let title = format!("slots of {} in configuration {number}", server.group());
    Strip { title, cells: held.chain(moving).collect() }
}

/// Of the simulated store, where it is a node of the store.
pub struct Actors;

impl Portrait<Actor> for Actors {
    fn term(&self, node: &Actor) -> Option<(String, bool)> {
        Shards.term(node.node())
    }

    fn strips(&self, node: &Actor) -> Vec<Strip> {
        Shards.strips(node.node())
    }
}
/// What must hold of a store whose nodes are these processes.
pub fn claims<S: Sharded + 'static, N: Node + 'static>(process: fn(&N) -> &Process<S>) -> Vec<Claim<N>> {
    vec![
        Claim::new(agreement(), move |stage| {
            let all = Members::of(stage, process);
            all.of_service(last_slots_agree)?;
            all.of_groups(last_slots_agree)
        }),
        Claim::new("a ballot has one leader", move |stage| {
            let all = Members::of(stage, process);
            all.of_service(logs::a_ballot_has_one_leader)?;
            all.of_groups(logs::a_ballot_has_one_leader)
        }),
        Claim::new("a slot is served by one group", move |stage| {
            Members::of(stage, process).of_states(slots::a_slot_is_served_by_one_group)
        }),
        Claim::new("no slot is lost", move |stage| {
            Members::of(stage, process).of_states(slots::no_slot_is_lost)
        }),
    ]
}

/// The members that run, of the configuration service and of the groups.
struct Members<'s, S: Sharded> {
    service: Vec<&'s Member<ConfigurationService>>,
    groups: BTreeMap<GroupId, Vec<&'s Server<S>>>,
    /// Whether each member of a group runs.
    are_whole: bool,
}

impl<'s, S: Sharded> Members<'s, S> {
    fn of<N: Node>(stage: &'s Stage<N>, process: fn(&N) -> &Process<S>) -> Self {
        let world = &stage.world;
        let mut members = Members { service: Vec::new(), groups: BTreeMap::new(), are_whole: true };
        for id in world.ids() {
            match world.node(id).map(process) {
                Some(Process::Service(member)) => members.service.push(member.paxos()),
                Some(Process::Server(server)) => {
                    members.groups.entry(server.group()).or_default().push(server);
                }
                Some(Process::Controller(_) | Process::Client(_)) => {}
                None => {
                    let is_member = world.built(id).is_some_and(|node| process(node).server().is_some());
                    members.are_whole &= !is_member;
                }
            }
        }
        members
    }

    fn of_service(
        &self,
        ask: impl Fn(&[&Member<ConfigurationService>]) -> Result<(), String>,
    ) -> Result<(), String> {
        ask(&self.service).map_err(|why| format!("the configuration service: {why}"))
    }

    fn of_groups(&self, ask: impl Fn(&[&Member<GroupState<S>>]) -> Result<(), String>) -> Result<(), String> {
        for (name, members) in &self.groups {
            let servers: Vec<_> = members.iter().map(|member| member.paxos()).collect();
            ask(&servers).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }

    /// Asks about the groups' states, each that of the member that knows most, where nobody is away who may know more and nobody
    /// has still to learn what was chosen before a restart.
    fn of_states(&self, ask: impl Fn(&[&GroupState<S>]) -> Result<(), String>) -> Result<(), String> {
        let most = |members: &Vec<&'s Server<S>>| {
            members.iter().copied().max_by_key(|member| member.paxos().replica().through())
        };
        let states: Vec<&GroupState<S>> = self.groups.values().filter_map(most).map(Server::state).collect();
        let is_small = |state: &&GroupState<S>| {
            state.configuration().is_none_or(|configuration| configuration.slots.slot_count() <= SLOTS_MAX)
        };
        let knows_all =
            |members: &Vec<&Server<S>>| members.iter().any(|member| member.paxos().is_caught_up());
        let is_asked = self.are_whole && self.groups.values().all(knows_all);
        if is_asked && states.iter().all(is_small) { ask(&states) } else { Ok(()) }
    }
}
