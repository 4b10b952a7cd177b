//! What must hold at every moment of a run, as far as it can be asked quickly at each of thousands of moments.

use std::collections::BTreeMap;
use synod_debugger::{Claim, Stage};
use synod_node::{Node, StateMachine};
use synod_paxos::{Slot, invariants as logs};
use synod_primarybackup::{Replicable, invariants as views};
use synod_shardedstore::{
    ConfigurationService, GroupId, GroupState, Process, Server, Sharded, invariants as slots,
};

/// Whether logs agree is asked about so many of the slots that were chosen last.
const SLOTS_ASKED: u64 = 16;

/// Where a store has more slots than this, who serves them is not asked at every moment.
const SLOTS_MAX: u16 = 64;

/// Of a primary-backup service.
pub fn of_service<S: Replicable + 'static>() -> Vec<Claim<synod_primarybackup::Process<S>>> {
    fn running<S: Replicable>(
        stage: &Stage<synod_primarybackup::Process<S>>,
    ) -> impl Iterator<Item = &synod_primarybackup::Process<S>> {
        stage.world.running().map(|(_, node)| node)
    }
    vec![
        Claim::new("a number names one view", |stage| {
            let servers: Vec<_> = running(stage).filter_map(|node| node.server()).collect();
            let view_server = running(stage).find_map(|node| node.view_server());
            view_server.map_or(Ok(()), |known| views::a_number_names_one_view(known, &servers))
        }),
        Claim::new("a backup has what its primary has", |stage| {
            let servers: Vec<_> = running(stage).filter_map(|node| node.server()).collect();
            views::a_backup_has_what_its_primary_has(&servers)
        }),
    ]
}

/// Of a Paxos group.
pub fn of_group<S: StateMachine + 'static>() -> Vec<Claim<synod_paxos::Process<S>>> {
    fn asked<S: StateMachine>(
        stage: &Stage<synod_paxos::Process<S>>,
        ask: impl Fn(&[&synod_paxos::Server<S>]) -> Result<(), String>,
    ) -> Result<(), String> {
        ask(&stage.world.running().filter_map(|(_, node)| node.server()).collect::<Vec<_>>())
    }
    vec![
        Claim::new(agreement(), |stage| asked(stage, last_slots_agree)),
        Claim::new("a ballot has one leader", |stage| asked(stage, logs::a_ballot_has_one_leader)),
    ]
}

/// Of a sharded store, whose nodes are these processes.
pub fn of_store<S: Sharded + 'static, N: Node + 'static>(process: fn(&N) -> &Process<S>) -> Vec<Claim<N>> {
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

fn agreement() -> String {
    format!("the members of a group agree on the last {SLOTS_ASKED} slots that are chosen")
}

fn last_slots_agree<S: StateMachine>(servers: &[&synod_paxos::Server<S>]) -> Result<(), String> {
    let through = servers.iter().map(|server| server.chosen_through()).max().unwrap_or(Slot::ZERO);
    let after = Slot(through.0.saturating_sub(SLOTS_ASKED));
    logs::servers_agree_on_what_is_chosen(servers, after, through)
}

/// The members that run, of the configuration service and of the groups.
struct Members<'s, S: Sharded> {
    service: Vec<&'s synod_paxos::Server<ConfigurationService>>,
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
        ask: impl Fn(&[&synod_paxos::Server<ConfigurationService>]) -> Result<(), String>,
    ) -> Result<(), String> {
        ask(&self.service).map_err(|why| format!("the configuration service: {why}"))
    }

    fn of_groups(
        &self,
        ask: impl Fn(&[&synod_paxos::Server<GroupState<S>>]) -> Result<(), String>,
    ) -> Result<(), String> {
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
