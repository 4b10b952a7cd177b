//! The replicated backend: clients' commands in batches to the gateway, outcomes back to their connections.

use super::groups::Groups;
use super::outages::Outages;
use super::requests::{Requests, Submission, Ticket, line_of};
use super::{Store, places};
use crate::server::{Backend, Position, Token};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use synod_host::{Counters, Host};
use synod_resp::Reply;
use synod_shardedstore::{Configuration, ConfigurationCommand, GroupId, Request, Server, SlotStatus};
use synod_store::{Administration, Cluster, Command, Keyspace, Outcome, SlotRun};

/// How often commands are looked over for time-outs, and keys for expiry.
const ROUND: Duration = Duration::from_millis(250);
/// A wall clock that is further from what a majority agrees on is reported, in ms.
pub(crate) const CLOCK_OFFSET_MS_MAX: i64 = 1_000;
/// How often it is looked whether groups came.
const CONFIGURATION_ROUND: Duration = Duration::from_millis(20);

/// The replicated backend. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    inner: Rc<Inner>,
}

struct Inner {
    host: Host<Store>,
    nodes: places::Nodes,
    groups: RefCell<Groups>,
    requests: Rc<Requests>,
}

impl Gateway {
    pub(super) fn new(
        host: Host<Store>,
        nodes: places::Nodes,
        groups: Groups,
        requests: Rc<Requests>,
    ) -> Gateway {
        Gateway { inner: Rc::new(Inner { host, nodes, groups: RefCell::new(groups), requests }) }
    }

    /// Hands what waits to the gateway, all of one wake-up at once. Runs until the process ends.
    pub(crate) async fn pump(self) {
        loop {
            self.inner.requests.wake.notified().await;
            self.inner.submit_waiting();
            tokio::task::yield_now().await;
        }
    }

    /// Looks after time-outs and keys that expire while nobody writes. Runs until the process ends.
    pub(crate) async fn watch_time(self) {
        let mut is_off = false;
        let mut outages = Outages::default();
        loop {
            tokio::time::sleep(ROUND).await;
            self.inner.requests.give_up();
            self.inner.requests.report_refusals();
            outages.report(&self);
            is_off = self.report_clock(is_off);
            for group in self.groups_here() {
                let slot = self.look(group, |server| {
                    let is_due = server.paxos().is_leader() && server.state().store().expiring() > 0;
                    let mut held = server.state().held();
                    held.find(|(_, status)| is_due && *status == SlotStatus::Served).map(|(slot, _)| slot)
                });
                if let Some(slot) = slot {
                    let tick = Request::Commands(vec![Command::tick(slot)]);
                    self.inner.ask(Ticket::Own, places::gateway(self.inner.nodes.me()), tick);
                }
            }
        }
    }

    /// Says in the log when the wall clock of this machine is off, and when it is right again. Whether it is off.
    fn report_clock(&self, was_off: bool) -> bool {
        let me = self.inner.nodes.me();
        let offsets = self.clock_offsets_ms();
        let Some((_, offset_ms)) = offsets.iter().find(|(node, _)| *node == me) else { return was_off };
        let is_off = offset_ms.abs() > CLOCK_OFFSET_MS_MAX;
        let seconds = *offset_ms as f64 / 1_000.0;
        match (was_off, is_off) {
            (false, true) => tracing::warn!(
                ahead_seconds = seconds,
                "this machine's wall clock is off from what a majority of the nodes agrees on: it decides nothing; set it right"
            ),
            (true, false) => tracing::info!("this machine's wall clock is right again"),
            (true, true) | (false, false) => {}
        }
        is_off
    }

    /// So many ms is the wall clock of each node ahead of what a majority agrees on. None while that is not known.
    pub(crate) fn clock_offsets_ms(&self) -> Vec<(u32, i64)> {
        let offsets =
            self.look_at_master(|server| server.clock().offsets_ms(server.id(), server.members().len()));
        offsets.into_iter().map(|(id, offset_ms)| (places::node_of(id), offset_ms)).collect()
    }

    /// Starts members of groups that come. Runs until the process ends, or their file cannot be written: in words.
    pub(crate) async fn watch_groups(self) -> String {
        loop {
            let history = self.configurations();
            let learnt = self.inner.groups.borrow_mut().learn(&history, &self.inner.host);
            let learnt = match learnt {
                Ok(learnt) => learnt,
                Err(problem) => return problem,
            };
            if let Some(new) = learnt {
                let groups = self.inner.groups.borrow();
                groups.introduce(&self.inner.host);
                for group in new {
                    tracing::info!(%group, "a member of a group starts here");
                    self.inner.host.start_node(groups.member(group).resident());
                }
            }
            tokio::time::sleep(CONFIGURATION_ROUND).await;
        }
    }

    /// Founds the store, if nobody has: `groups` groups on all nodes.
    pub(crate) fn found(&self, groups: u32) {
        let numbers = &self.inner.nodes.numbers;
        let members = |group| numbers.iter().map(|node| places::member(group, *node)).collect::<Vec<_>>();
        let groups = (1..=groups).map(GroupId).map(|group| (group, members(group))).collect();
        self.configure(Ticket::Own, ConfigurationCommand::Found { groups });
    }

    fn configure(&self, ticket: Ticket, command: ConfigurationCommand) {
        let controller = places::controller(self.inner.nodes.me());
        self.inner.ask(ticket, controller, Request::Configure(command));
    }

    /// Whether this node can send to another.
    pub(super) fn is_connected(&self, node: u32) -> bool {
        self.inner.host.is_connected(node)
    }

    /// The groups that have a member here.
    pub(crate) fn groups_here(&self) -> Vec<GroupId> {
        let known = self.inner.groups.borrow().here();
        let runs = |group: &GroupId| self.inner.host.runs(places::member(*group, self.inner.nodes.me()));
        known.into_iter().filter(runs).collect()
    }

    /// Looks at this node's member of a group that has one here.
    pub(crate) fn look<T>(&self, group: GroupId, look: impl FnOnce(&Server<Keyspace>) -> T) -> T {
        let id = places::member(group, self.inner.nodes.me());
        self.inner.host.look(id, |process| look(process.server().expect("a member of a group is a server")))
    }

    /// Looks at this node's member of the configuration service.
    pub(crate) fn look_at_master<T>(&self, look: impl FnOnce(&super::MasterServer) -> T) -> T {
        let id = places::master(self.inner.nodes.me());
        self.inner.host.look(id, |process| match process {
            Store::Master(master) => look(master.server().expect("a member of the service is a server")),
            Store::Server(_) | Store::Client(_) => unreachable!("the name of a member of the service"),
        })
    }

    /// Every configuration that this node's member of the configuration service knows; none while it does not know all
    /// that it should.
    pub(crate) fn configurations(&self) -> Vec<Arc<Configuration>> {
        self.look_at_master(|server| match server.is_rejoining() {
            true => Vec::new(),
            false => server.replica().machine().history().to_vec(),
        })
    }

    /// The node that leads a group, as far as this one knows, as an index.
    fn leader_of(&self, group: GroupId) -> Option<usize> {
        let leader = match self.groups_here().contains(&group) {
            true => self.look(group, Server::leader),
            false => self.inner.host.look(places::gateway(self.inner.nodes.me()), |process| {
                process.client().and_then(|client| client.leader(group))
            }),
        };
        leader.and_then(|leader| self.inner.nodes.index_of(leader))
    }

    pub(crate) fn counters(&self) -> Counters {
        self.inner.host.counters()
    }

    pub(crate) fn nodes(&self) -> &places::Nodes {
        &self.inner.nodes
    }

    /// Requests under way, refused and timed out.
    pub(crate) fn requests(&self) -> (usize, u64, u64) {
        self.inner.requests.counts()
    }

    /// The command of the configuration service that an operator means.
    fn command_of(&self, request: &Administration) -> Result<ConfigurationCommand, String> {
        Ok(match request {
            Administration::JoinGroup { group, nodes } => {
                let all = &self.inner.nodes.numbers;
                if let Some(stranger) = nodes.iter().find(|node| !all.contains(node)) {
                    return Err(format!(
                        "there is no node {stranger}; name some of {all:?}, or none for all"
                    ));
                }
                if group.0 >= places::GROUP_BOUND {
                    return Err(format!("choose a number below {}", places::GROUP_BOUND));
                }
                let nodes = if nodes.is_empty() { all } else { nodes };
                let mut members: Vec<_> = nodes.iter().map(|node| places::member(*group, *node)).collect();
                members.sort_unstable();
                members.dedup();
                // Its members would not agree on who they are.
                let history = self.configurations();
                let before = history.iter().rev().find_map(|known| known.groups.get(group).cloned());
                let before = before.map(|mut before| {
                    before.sort_unstable();
                    before
                });
                if before.is_some_and(|before| before != members) {
                    return Err(format!("{group} was a group of other nodes before; choose a new number"));
                }
                ConfigurationCommand::Join { group: *group, members }
            }
            Administration::ReplaceMember { group, old, new } => self.replacement(*group, *old, *new)?,
            Administration::LeaveGroup { group } => ConfigurationCommand::Leave { group: *group },
            Administration::MoveSlots { first, last, group } => {
                ConfigurationCommand::Move { first: *first, last: *last, group: *group }
            }
            Administration::Rebalance => ConfigurationCommand::Balance,
            Administration::History => ConfigurationCommand::Query { number: None },
        })
    }
}

impl Gateway {
    /// The replacement of a member, if there is hope that the group can make it: configurations are taken in order, so one
    /// that waits for nodes that never come back would hold up all that come later.
    fn replacement(&self, group: GroupId, old: u32, new: u32) -> Result<ConfigurationCommand, String> {
        let all = &self.inner.nodes.numbers;
        if let Some(stranger) = [old, new].into_iter().find(|node| !all.contains(node)) {
            return Err(format!("there is no node {stranger}; name some of {all:?}"));
        }
        let newest = self.configurations().last().cloned();
        let members = newest.and_then(|newest| newest.groups.get(&group).cloned()).unwrap_or_default();
        let is_here = |node: &u32| *node == self.inner.nodes.me() || self.inner.host.is_connected(*node);
        let others = members.iter().map(|id| places::node_of(*id)).filter(|node| *node != old);
        let away: Vec<u32> = others.clone().filter(|node| !is_here(node)).collect();
        if others.count() - away.len() < members.len() / 2 + 1 && members.len() >= 3 {
            return Err(format!(
                "{group} cannot spare node {old} while node {} is away; bring it back first",
                away.iter().map(u32::to_string).collect::<Vec<_>>().join(" and node ")
            ));
        }
        let (old, new) = (places::member(group, old), places::member(group, new));
        Ok(ConfigurationCommand::Replace { group, old, new })
    }
}

impl Inner {
    fn ask(&self, ticket: Ticket, node: synod_node::NodeId, request: Request<Command>) {
        let id = self.requests.push(ticket);
        self.host.request(node, id, request);
    }

    fn submit_waiting(&self) {
        let Submission { commands, queries } = self.requests.next_submission();
        let gateway = places::gateway(self.nodes.me());
        if let Some((first, commands)) = commands {
            self.host.request(gateway, first, Request::Commands(commands));
        }
        if let Some((first, queries)) = queries {
            self.host.request(gateway, first, Request::Queries(queries));
        }
    }
}

impl Backend for Gateway {
    fn submit(&self, token: Token, command: Command) {
        self.inner.requests.wait(token, command);
    }

    fn administer(&self, token: Token, request: Administration) {
        let reply = match request {
            Administration::History => {
                let lines = self.configurations();
                Reply::Array(lines.iter().map(|known| Reply::bulk(line_of(known))).collect())
            }
            request => match self.command_of(&request) {
                Ok(command) => {
                    self.configure(Ticket::Client(token), command);
                    return;
                }
                Err(problem) => Reply::Error(format!("ERR {problem}").into()),
            },
        };
        self.inner.requests.completions.complete(token, Outcome::Done(reply));
    }

    fn flush(&self) {
        self.inner.requests.wake.notify_one();
    }

    fn cluster(&self) -> Cluster {
        let places::Nodes { numbers, seen, myself } = &self.inner.nodes;
        let mut nodes = seen.clone();
        for (index, node) in nodes.iter_mut().enumerate() {
            node.is_connected = index == *myself || self.inner.host.is_connected(numbers[index]);
        }
        let newest = self.look_at_master(|server| server.replica().machine().latest().cloned());
        let rounds = self.groups_here().into_iter();
        let rounds: u64 =
            rounds.map(|group| self.look(group, |server| server.paxos().promised().round)).sum();
        let epoch = newest.as_ref().map_or(0, |newest| newest.number) + rounds;
        let leader = |group| self.leader_of(group);
        let runs = newest.iter().flat_map(|newest| newest.slots.runs()).map(|run| SlotRun {
            first: run.first.number(),
            last: run.last.number(),
            leader: leader(run.owner),
        });
        Cluster { nodes, myself: *myself, runs: runs.collect(), epoch }
    }

    fn position(&self) -> Position {
        let mut position = Position::default();
        for group in self.groups_here() {
            self.look(group, |server| {
                if server.paxos().is_retired() {
                    return;
                }
                let keyspace = server.state().store();
                position.keys += keyspace.len();
                position.expiring_keys += keyspace.expiring();
                position.log_position += server.paxos().replica().through().0;
            });
        }
        position
    }
}
