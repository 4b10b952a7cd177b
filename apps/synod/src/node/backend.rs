//! The replicated backend: clients' commands in batches to the gateway, outcomes back to their connections.

use super::configurations::introduce;
use super::membership::Membership;
use super::outages::Outages;
use super::requests::{Requests, Submission, Ticket};
use super::{Store, places};
use crate::config::Config;
use crate::server::{Backend, Position, Token};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use synod_host::{Counters, Host};
use synod_node::{NodeId, StateMachine};
use synod_resp::Reply;
use synod_shardedstore::{
    Configuration, ConfigurationCommand, GroupId, Request, SERVICE, Server, ServiceMember, SlotStatus,
};
use synod_store::{Administration, Cluster, Command, Keyspace, Outcome, SlotRun};

/// How often commands are looked over for time-outs, and keys for expiry.
const ROUND: Duration = Duration::from_millis(250);
/// A wall clock that is further from what a majority agrees on is reported, in ms.
pub(crate) const CLOCK_OFFSET_MS_MAX: i64 = 1_000;
/// The replicated backend. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(super) inner: Rc<Inner>,
}

pub(super) struct Inner {
    pub(super) host: Host<Store>,
    pub(super) me: u32,
    /// The cluster's name.
    pub(super) cluster: String,
    /// Where others may be besides, as this node's file has it.
    pub(super) hints: Vec<(u32, String)>,
    pub(super) membership: RefCell<Membership>,
    /// The same nodes, as clients see them.
    pub(super) nodes: RefCell<Rc<places::Nodes>>,
    /// The newest configuration that was taken.
    pub(super) newest: RefCell<Option<Arc<Configuration>>>,
    pub(super) requests: Rc<Requests>,
}

impl Gateway {
    pub(super) fn new(
        host: Host<Store>,
        config: &Config,
        membership: Membership,
        requests: Rc<Requests>,
    ) -> Gateway {
        let (me, cluster) = (config.node, config.cluster.clone());
        let nodes = Rc::new(places::Nodes::of(&cluster, me, membership.nodes()));
        let hints: Vec<(u32, String)> =
            config.peers.iter().map(|peer| (peer.node, peer.peer.clone())).collect();
        introduce(&host, me, &membership, &hints);
        let inner = Inner {
            host,
            me,
            cluster,
            hints,
            membership: RefCell::new(membership),
            nodes: RefCell::new(nodes),
            newest: RefCell::default(),
            requests,
        };
        Gateway { inner: Rc::new(inner) }
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
                    self.inner.ask(Ticket::Own, places::gateway(self.inner.me), tick);
                }
            }
        }
    }

    /// Says in the log when the wall clock of this machine is off, and when it is right again. Whether it is off.
    fn report_clock(&self, was_off: bool) -> bool {
        let me = self.inner.me;
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
        // A member hears the clocks of its group.
        let of_service = self.look_at_service(|it| offsets_ms(it.paxos(), |seat| it.home_of(seat)));
        let of_group = || {
            let group = self.groups_here().into_iter().next();
            group.map(|group| self.look(group, |it| offsets_ms(it.paxos(), |seat| it.home_of(seat))))
        };
        of_service.or_else(of_group).unwrap_or_default()
    }

    pub(super) fn configure(&self, ticket: Ticket, command: ConfigurationCommand) {
        let controller = places::controller(self.inner.me);
        self.inner.ask(ticket, controller, Request::Configure(command));
    }

    /// Whether this node can send to another.
    pub(super) fn is_connected(&self, node: u32) -> bool {
        self.inner.host.is_connected(node)
    }

    /// The members that run here.
    pub(crate) fn members_here(&self) -> Vec<NodeId> {
        let known = self.inner.membership.borrow().here();
        known.into_iter().map(|(_, member)| member).filter(|member| self.inner.host.runs(*member)).collect()
    }

    /// This node's member of a group, if it runs.
    fn member_here(&self, group: GroupId) -> Option<NodeId> {
        self.inner.membership.borrow().member_here(group).filter(|member| self.inner.host.runs(*member))
    }

    /// The groups that have a member here.
    pub(crate) fn groups_here(&self) -> Vec<GroupId> {
        let known = self.inner.membership.borrow().here();
        let mut groups: Vec<GroupId> = known.into_iter().map(|(group, _)| group).collect();
        groups.dedup();
        groups.retain(|group| *group != SERVICE && self.member_here(*group).is_some());
        groups
    }

    /// Looks at this node's member of a group that has one here.
    pub(crate) fn look<T>(&self, group: GroupId, look: impl FnOnce(&Server<Keyspace>) -> T) -> T {
        let id = self.member_here(group).expect("the group has a member here");
        self.inner.host.look(id, |process| look(process.server().expect("a member of a group is a server")))
    }

    /// Looks at this node's member of the configuration service, if it has one.
    pub(crate) fn look_at_service<T>(&self, look: impl FnOnce(&ServiceMember) -> T) -> Option<T> {
        let id = self.member_here(SERVICE)?;
        self.inner.host.look(id, |process| process.service().map(look))
    }

    /// The newest configuration that this node has taken.
    pub(crate) fn newest(&self) -> Option<Arc<Configuration>> {
        self.inner.newest.borrow().clone()
    }

    /// The node that leads a group, as far as this one knows, as an index.
    fn leader_of(&self, group: GroupId) -> Option<usize> {
        let leader = match self.groups_here().contains(&group) {
            true => self.look(group, Server::leader),
            false => self.inner.host.look(places::gateway(self.inner.me), |process| {
                process.client().and_then(|client| client.leader(group))
            }),
        };
        leader.and_then(|leader| self.nodes().index_of(leader))
    }

    pub(crate) fn counters(&self) -> Counters {
        self.inner.host.counters()
    }

    /// The nodes of the cluster, as far as this one knows.
    pub(crate) fn nodes(&self) -> Rc<places::Nodes> {
        Rc::clone(&self.inner.nodes.borrow())
    }

    /// This node's number.
    pub(crate) fn me(&self) -> u32 {
        self.inner.me
    }

    /// Requests under way, refused and timed out.
    pub(crate) fn requests(&self) -> (usize, u64, u64) {
        self.inner.requests.counts()
    }
}

/// By how many ms the wall clock of each member's node is ahead, as `server` knows it.
fn offsets_ms<M: StateMachine>(
    server: &synod_paxos::Server<M>,
    home_of: impl Fn(NodeId) -> NodeId,
) -> Vec<(u32, i64)> {
    let offsets = server.clock().offsets_ms(server.id(), server.members().len());
    offsets.into_iter().map(|(seat, offset_ms)| (places::node_of(home_of(seat)), offset_ms)).collect()
}

impl Inner {
    pub(super) fn ask(&self, ticket: Ticket, node: NodeId, request: Request<Command>) {
        let id = self.requests.push(ticket);
        self.host.request(node, id, request);
    }

    fn submit_waiting(&self) {
        let Submission { commands, queries } = self.requests.next_submission();
        let gateway = places::gateway(self.me);
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
                tokio::task::spawn_local(self.clone().tell_history(token));
                return;
            }
            Administration::Nodes => self.tell_nodes(),
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
        let places::Nodes { numbers, seen, myself } = &*self.nodes();
        let mut nodes = seen.clone();
        for (index, node) in nodes.iter_mut().enumerate() {
            node.is_connected = index == *myself || self.inner.host.is_connected(numbers[index]);
        }
        let newest = self.newest();
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
