//! Those who watch a simulated group.

use super::cluster::{Node, running};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use synod_clientserver::{KvCommand, KvStore};
use synod_node::{Durable, Node as _, NodeId};
use synod_paxos::{
    Ballot, Checkpoint, Message, Process, Proposal, Record, Server, Slot, SlotStatus, invariants,
};
use synod_simulator::Oracle;
use synod_world::{Envelope, World};

/// Agreement and the log's markers: what is new after every step, everything now and then and at the end.
#[derive(Default)]
pub struct LogOracle {
    /// What was ever known to be chosen.
    chosen: BTreeMap<Slot, Proposal<KvCommand>>,
    checked: BTreeMap<NodeId, Slot>,
    steps: u64,
}

impl LogOracle {
    fn check_news(&mut self, server: &Server<KvStore>) -> Result<(), String> {
        let checked = self.checked.entry(server.id()).or_default();
        // After a crash a server knows less for a while.
        let from = server.chosen_through().min(*checked).max(server.log().dropped_through());
        *checked = server.chosen_through();
        for slot in (from.0 + 1..=server.chosen_through().0).map(Slot) {
            let Some((_, proposal)) = server.log().find(slot) else {
                return Err(format!("{} knows {slot} to be chosen and has nothing in it", server.id()));
            };
            let known = self.chosen.entry(slot).or_insert_with(|| proposal.clone());
            if known != proposal {
                return Err(format!("for {slot} {known:?} was chosen, and {} has {proposal:?}", server.id()));
            }
        }
        Ok(())
    }

    fn check_all(world: &World<Node>) -> Result<(), String> {
        let servers = running(world);
        invariants::a_ballot_has_one_leader(&servers)?;
        world.running().try_for_each(|(id, node)| match (node.compaction(), world.disk(id)) {
            (Some(compaction), Some(disk)) => holds_all(id, &compaction, disk),
            (Some(_) | None, _) => Ok(()),
        })?;
        check_logs(&servers, world.ids().filter(|id| !id.is_client()).count())
    }
}

/// A checkpoint that may replace everything at any moment holds all that is durable: no promise, no life and no vote is lost.
fn holds_all(id: NodeId, compaction: &Checkpoint<KvStore>, disk: &Durable<Node>) -> Result<(), String> {
    let through = compaction.replica.through();
    let of_checkpoint = disk.checkpoint.iter().flat_map(|checkpoint| {
        let promised = Record::Promised { ballot: checkpoint.promised, chosen_through: Slot::ZERO };
        let accepted = checkpoint.accepted.iter().cloned();
        let accepted = accepted.map(|run| Record::Accepted { run, chosen_through: Slot::ZERO });
        let lives = checkpoint.incarnations.iter();
        let lives =
            lives.map(|(node, incarnation)| Record::Rejoined { node: *node, incarnation: *incarnation });
        std::iter::once(promised).chain(accepted).chain(lives).collect::<Vec<_>>()
    });
    for record in of_checkpoint.chain(disk.records.iter().cloned()) {
        let is_held = match &record {
            Record::Promised { ballot, .. } => compaction.promised >= *ballot,
            Record::Accepted { run, .. } => {
                let votes = compaction.accepted.iter();
                let has = |slot: Slot| {
                    votes.clone().any(|held| {
                        held.first() <= slot && slot <= held.last() && held.ballot() >= run.ballot()
                    })
                };
                (run.first().0..=run.last().0).map(Slot).all(|slot| slot <= through || has(slot))
            }
            Record::Rejoined { node, incarnation } => {
                compaction.incarnations.iter().any(|(known, life)| known == node && life >= incarnation)
            }
            Record::Time(_) => compaction.time.is_some(),
        };
        if !is_held {
            return Err(format!("{id} has {record:?} on its disk, and would forget it in a compaction"));
        }
    }
    let is_behind = disk.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.replica.through() > through);
    if is_behind { Err(format!("a compaction of {id} is behind its checkpoint")) } else { Ok(()) }
}

/// The logs of all `count` servers: agreement, majorities, markers. Nothing is said while one of them does not run or
/// is not in again.
pub fn check_logs(servers: &[&Server<KvStore>], count: usize) -> Result<(), String> {
    if servers.len() < count || servers.iter().any(|server| server.is_rejoining()) {
        return Ok(());
    }
    let after = servers.iter().map(|server| server.log().dropped_through()).min().unwrap_or_default();
    let through = servers.iter().map(|server| server.log().last()).max().unwrap_or_default();
    invariants::servers_agree_on_what_is_chosen(servers, after, through)?;
    invariants::what_is_chosen_is_held_by_a_majority(servers, after, through)?;
    invariants::what_is_cleared_is_held_by_a_majority(servers)?;
    servers.iter().try_for_each(|server| markers_fit(server))
}

/// First not cleared, last not empty: what is between and what is not.
fn markers_fit(server: &Server<KvStore>) -> Result<(), String> {
    let (cleared, last) = (server.log().dropped_through(), server.log().last());
    let fits = server.status(cleared.next()) != SlotStatus::Cleared
        && (cleared == Slot::ZERO || server.status(cleared) == SlotStatus::Cleared)
        && server.status(last.next()) == SlotStatus::Empty
        && (last == Slot::ZERO || server.status(last) != SlotStatus::Empty)
        && cleared <= last;
    if fits {
        Ok(())
    } else {
        Err(format!("{}'s log begins after {cleared} and ends at {last}", server.id()))
    }
}

impl Oracle<Node> for LogOracle {
    fn after_step(&mut self, world: &World<Node>, node: NodeId) -> Result<(), String> {
        if let Some(server) = world.node(node).and_then(Process::server) {
            self.check_news(server)?;
        }
        self.steps += 1;
        if self.steps.is_multiple_of(997) { LogOracle::check_all(world) } else { Ok(()) }
    }

    fn at_end(&mut self, world: &World<Node>) -> Result<(), String> {
        LogOracle::check_all(world)
    }
}

/// Counts what is sent between servers, by kind.
pub struct Counter(pub Rc<RefCell<BTreeMap<&'static str, u64>>>);

impl Oracle<Node> for Counter {
    fn on_sent(&mut self, _world: &World<Node>, envelope: &Envelope<Node>) -> Result<(), String> {
        let Envelope { from, to, message } = envelope;
        let kind = match message {
            Message::Accept { run: Some(_), .. } => "accept",
            Message::Accept { run: None, .. } => "news",
            Message::Accepted { .. } if from != to => "accepted",
            Message::Prepare { .. } => "prepare",
            Message::Snapshot { .. } => "snapshot",
            Message::Confirm { .. } => "confirm",
            _ => "other",
        };
        *self.0.borrow_mut().entry(kind).or_default() += 1;
        Ok(())
    }
}

/// What an acceptor says is on its disk when it says it.
#[derive(Default)]
pub struct DiskOracle {
    read: BTreeMap<NodeId, Read>,
}

/// What was read of a disk so far.
#[derive(Default)]
struct Read {
    /// The life and the end of the checkpoint that was read: another one begins the reading anew.
    checkpoint: Option<(u64, Slot)>,
    records: usize,
    promised: Ballot,
    last: Slot,
}

impl Read {
    fn read_on(&mut self, disk: &Durable<Node>) {
        let checkpoint = disk.checkpoint.as_ref();
        let which = checkpoint.map(|checkpoint| (checkpoint.incarnation, checkpoint.replica.through()));
        if which != self.checkpoint || disk.records.len() < self.records {
            *self = Read { checkpoint: which, ..Read::default() };
        }
        if let Some(checkpoint) = checkpoint {
            let ends = checkpoint.accepted.iter().map(synod_paxos::Run::last);
            self.promised = self.promised.max(checkpoint.promised);
            self.last = ends.chain([checkpoint.replica.through()]).fold(self.last, Slot::max);
        }
        for record in &disk.records[self.records..] {
            match record {
                Record::Promised { ballot, .. } => self.promised = self.promised.max(*ballot),
                Record::Accepted { run, .. } => {
                    self.promised = self.promised.max(run.ballot());
                    self.last = self.last.max(run.last());
                }
                Record::Rejoined { .. } | Record::Time(_) => {}
            }
        }
        self.records = disk.records.len();
    }
}

impl Oracle<Node> for DiskOracle {
    fn on_sent(&mut self, world: &World<Node>, envelope: &Envelope<Node>) -> Result<(), String> {
        let (ballot, through) = match &envelope.message {
            Message::Promise { ballot, .. } => (*ballot, Slot::ZERO),
            Message::Prepare { ballot, .. } => (*ballot, Slot::ZERO),
            Message::Accepted { ballot, through, .. } => (*ballot, *through),
            Message::Welcome { promised, .. } => (*promised, Slot::ZERO),
            _ => return Ok(()),
        };
        let from = envelope.from;
        let read = self.read.entry(from).or_default();
        read.read_on(world.disk(from).ok_or("a node without a disk speaks")?);
        if read.promised >= ballot && read.last >= through {
            return Ok(());
        }
        Err(format!(
            "{from} says {:?}, and on its disk are only {} and slots up to {}",
            envelope.message, read.promised, read.last
        ))
    }
}
