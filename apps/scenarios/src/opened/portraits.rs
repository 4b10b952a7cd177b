//! What the modules show of their nodes beside the bare state.

use crate::shardedstore::Actor;
use synod_clientserver::KvStore;
use synod_debugger::{Cell, Portrait, Strip};
use synod_node::StateMachine;
use synod_paxos::{Proposal, Slot, SlotStatus};
use synod_shardedstore::{Process, Sharded, SlotId, SlotStatus as Hold};

/// So many slots of a log are shown: the last ones.
const SLOTS_MAX: u64 = 48;

/// Tones of cells; equal tones mean the same in all strips.
mod tone {
    pub const NOTHING: u8 = 0;
    pub const WAITS: u8 = 1;
    pub const DONE: u8 = 2;
    pub const OLD: u8 = 3;
    pub const GOES: u8 = 4;
    pub const COMES: u8 = 5;
}

/// Of a primary-backup service: views.
pub struct Views;

impl Portrait<synod_primarybackup::Process<KvStore>> for Views {
    fn term(&self, node: &synod_primarybackup::Process<KvStore>) -> Option<(String, bool)> {
        if let Some(view_server) = node.view_server() {
            return Some((format!("view {}", view_server.view().number.0), false));
        }
        let server = node.server()?;
        Some((format!("view {}", server.view().number.0), server.is_primary()))
    }
}

/// Of a Paxos group: ballots, and the log by status.
pub struct Ballots;

impl<S: StateMachine> Portrait<synod_paxos::Process<S>> for Ballots {
    fn term(&self, node: &synod_paxos::Process<S>) -> Option<(String, bool)> {
        node.server().map(ballot)
    }

    fn strips(&self, node: &synod_paxos::Process<S>) -> Vec<Strip> {
        node.server().map_or_else(Vec::new, |server| vec![log(server)])
    }
}

/// The slots of a server's log by status and ballot.
fn log<S: StateMachine>(server: &synod_paxos::Server<S>) -> Strip {
    let mut last = server.chosen_through().0;
    while server.status(Slot(last + 1)) != SlotStatus::Empty {
        last += 1;
    }
    let first = (last + 1).saturating_sub(SLOTS_MAX).max(1);
    let cell = |number: u64| {
        let found = server.log().find(Slot(number));
        let (tone, status) = match server.status(Slot(number)) {
            SlotStatus::Empty => (tone::NOTHING, "empty"),
            SlotStatus::Accepted => (tone::WAITS, "accepted"),
            SlotStatus::Chosen => (tone::DONE, "chosen"),
            SlotStatus::Cleared => (tone::OLD, "executed and dropped"),
        };
        let holds = found.map_or_else(String::new, |(ballot, proposal)| {
            let what = match proposal {
                Proposal::Command { .. } => "a command",
                Proposal::Own { .. } => "the group's own command",
                Proposal::Noop => "nothing to do",
            };
            format!(", in {ballot}: {what}")
        });
        Cell { label: number.to_string(), tone, text: format!("slot {number}: {status}{holds}") }
    };
    Strip { title: "slots of the log".to_owned(), cells: (first..=last).map(cell).collect() }
}

/// Of a sharded store: ballots, the log, and the slots that a group has.
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

fn ballot<S: StateMachine>(server: &synod_paxos::Server<S>) -> (String, bool) {
    (server.promised().to_string(), server.is_leader())
}

/// The slots that a group has, as a member knows it; neighbours of which the same can be said share a cell where they are
/// many.
fn held<S: Sharded>(server: &synod_shardedstore::Server<S>) -> Strip {
    let state = server.state();
    let number = state.configuration().map_or(0, |configuration| configuration.number);
    let slots: Vec<(SlotId, Hold)> = state.held().collect();
    let is_next = |one: &(SlotId, Hold), next: &(SlotId, Hold)| {
        slots.len() > SLOTS_MAX as usize && one.0.number() + 1 == next.0.number() && one.1 == next.1
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
