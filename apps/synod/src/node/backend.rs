//! The replicated backend: clients' commands in batches to the gateway, outcomes back to their connections.

use super::membership::{FACT, Membership};
use super::outages::Outages;
use super::requests::{Requests, Submission, Ticket, line_of};
use super::{Store, places};
use crate::config::Config;
use crate::server::{Backend, Position, Token};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use synod_host::{Counters, Host, Peer};
use synod_node::{NodeId, RequestId};
use synod_resp::Reply;
use synod_shardedstore::{
    Addresses, Configuration, ConfigurationCommand, ConfigurationError, ConfigurationOutput, GroupId,
    Request, SERVICE, Server, ServiceMember, SlotStatus,
};
use synod_store::{Administration, Cluster, Command, Keyspace, Outcome, SlotRun};

/// How often commands are looked over for time-outs, and keys for expiry.
const ROUND: Duration = Duration::from_millis(250);
/// A wall clock that is further from what a majority agrees on is reported, in ms.
pub(crate) const CLOCK_OFFSET_MS_MAX: i64 = 1_000;
/// How often it is looked whether groups came.
const CONFIGURATION_ROUND: Duration = Duration::from_millis(20);

/// How often the configuration service is asked for the next configuration, at a node that has no member of it.
const ASKED_ROUND: Duration = Duration::from_millis(250);
/// A node that the configuration service has not heard says again that it is here.
const ANNOUNCED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// What a node says that has no member of a group which left.
pub(crate) const ASK_ANOTHER: &str = "this node cannot tell whether its slots have moved";
/// A node that was removed is listened to for so long.
const HEARD_OF_WITHIN: Duration = Duration::from_secs(5);
/// So many configurations are told at most.
const HISTORY_MAX: u64 = 1_000;

/// The replicated backend. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    inner: Rc<Inner>,
}

struct Inner {
    host: Host<Store>,
    me: u32,
    /// The cluster's name.
    cluster: String,
    /// Where others may be besides, as this node's file has it.
    hints: Vec<(u32, String)>,
    membership: RefCell<Membership>,
    /// The same nodes, as clients see them.
    nodes: RefCell<Rc<places::Nodes>>,
    /// The newest configuration that was taken.
    newest: RefCell<Option<Arc<Configuration>>>,
    requests: Rc<Requests>,
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
        // Whoever is a member here hears the clocks of its group.
        let of_service = self.look_at_service(|member| {
            let server = member.paxos();
            let offsets = server.clock().offsets_ms(server.id(), server.members().len());
            offsets.into_iter().map(|(seat, offset_ms)| (member.home_of(seat), offset_ms)).collect()
        });
        let offsets: Vec<(NodeId, i64)> = of_service.unwrap_or_else(|| {
            let group = self.groups_here().into_iter().next();
            let offsets = group.map(|group| {
                self.look(group, |member| {
                    let server = member.paxos();
                    let offsets = server.clock().offsets_ms(server.id(), server.members().len());
                    offsets.into_iter().map(|(seat, offset_ms)| (member.home_of(seat), offset_ms)).collect()
                })
            });
            offsets.unwrap_or_default()
        });
        offsets.into_iter().map(|(id, offset_ms)| (places::node_of(id), offset_ms)).collect()
    }

    /// Takes the configurations, one after the other, and starts members of groups that come. Runs until the process ends, or
    /// until it must: in words.
    pub(crate) async fn watch_configurations(self) -> String {
        loop {
            let next = self.inner.membership.borrow().next();
            let before = next.checked_sub(1).filter(|_| self.inner.newest.borrow().is_none());
            let wanted = before.unwrap_or(next);
            let known = match self.known_here(wanted) {
                Some(known) => Some(known),
                None if self.is_told_here() => None,
                None => self.ask_for(wanted).await,
            };
            match known {
                Some(known) if before.is_some() => *self.inner.newest.borrow_mut() = Some(known),
                Some(known) => {
                    if let Err(problem) = self.take(&known) {
                        return problem;
                    }
                }
                None => tokio::time::sleep(CONFIGURATION_ROUND).await,
            }
        }
    }

    /// Every configuration that there was, but of many only the last.
    async fn tell_history(self, token: Token) {
        let next = self.inner.membership.borrow().next();
        let mut lines = Vec::new();
        for number in next.saturating_sub(HISTORY_MAX)..next {
            let known = match self.known_here(number) {
                Some(known) => Some(known),
                None => self.ask_for(number).await,
            };
            lines.extend(known.map(|known| Reply::bulk(line_of(&known))));
        }
        self.inner.requests.completions.complete(token, Outcome::Done(Reply::Array(lines.into())));
    }

    /// The configuration of this number, if this node's member of the configuration service knows it.
    fn known_here(&self, number: u64) -> Option<Arc<Configuration>> {
        let known = self.look_at_service(|member| {
            let is_behind = member.paxos().is_rejoining();
            let at = usize::try_from(number).ok().filter(|_| !is_behind)?;
            member.service().history().get(at).cloned()
        });
        known.flatten()
    }

    /// Whether this node's member of the configuration service will know what comes.
    fn is_told_here(&self) -> bool {
        self.look_at_service(|member| !member.paxos().is_retired() && !member.paxos().is_rejoining())
            .unwrap_or(false)
    }

    /// Asks the configuration service for a configuration; a while passes if there is none.
    async fn ask_for(&self, number: u64) -> Option<Arc<Configuration>> {
        match self.configured(ConfigurationCommand::Query { number: Some(number) }).await {
            Some(ConfigurationOutput::Configuration(known)) => Some(known),
            Some(_) | None => {
                tokio::time::sleep(ASKED_ROUND).await;
                None
            }
        }
    }

    /// Takes the next configuration: what it says is on disk before anything is done about it.
    fn take(&self, next: &Arc<Configuration>) -> Result<(), String> {
        let Inner { host, me, membership, .. } = &*self.inner;
        let change = membership.borrow_mut().take(next);
        let text = membership.borrow().to_text();
        host.keep(FACT, text.into_bytes()).map_err(|error| error.to_string())?;
        *self.inner.newest.borrow_mut() = Some(Arc::clone(next));
        if change.gone.contains(me) {
            return Err(super::removed(*me));
        }
        for node in change.gone {
            tracing::info!(node, "a node was removed from the cluster");
            let (host, inner) = (host.clone(), Rc::downgrade(&self.inner));
            // It shall hear of it from the others.
            tokio::task::spawn_local(async move {
                tokio::time::sleep(HEARD_OF_WITHIN).await;
                let is_gone = |inner: &Inner| !inner.membership.borrow().nodes().contains_key(&node);
                if inner.upgrade().is_some_and(|inner| is_gone(&inner)) {
                    host.remove_peer(node);
                }
            });
        }
        self.introduce();
        for group in change.begins {
            tracing::info!(%group, "a member of a group starts here");
            host.start_node(membership.borrow().member(group).resident());
        }
        Ok(())
    }

    /// Tells the host and the clients of the configuration service which nodes and members there are.
    fn introduce(&self) {
        let Inner { host, me, cluster, membership, hints, .. } = &*self.inner;
        let membership = membership.borrow();
        introduce(host, *me, &membership, hints);
        *self.inner.nodes.borrow_mut() = Rc::new(places::Nodes::of(cluster, *me, membership.nodes()));
        for client in [places::controller(*me), places::gateway(*me)] {
            host.request(client, RequestId(0), Request::Service(membership.service()));
        }
    }

    /// Founds the store, if nobody has: `groups` groups on all nodes. The first of the founders does so.
    pub(crate) fn found(&self, groups: u32) {
        let membership = self.inner.membership.borrow();
        let disks = membership.disks();
        if membership.next() > 0 || disks.keys().next() != Some(&self.inner.me) {
            return;
        }
        let members = |group| disks.keys().map(|node| places::member(group, *node)).collect::<Vec<_>>();
        let groups = (1..=groups).map(GroupId).map(|group| (group, members(group))).collect();
        let node =
            |(node, addresses): (&u32, &Addresses)| Some((*node, addresses.clone(), *disks.get(node)?));
        let nodes = membership.nodes().iter().filter_map(node).collect();
        let service = membership.service();
        drop(membership);
        self.configure(Ticket::Own, ConfigurationCommand::Found { groups, nodes, service });
    }

    /// Says to the configuration service that this node is here, with this disk, at these addresses, until it has heard it. Runs
    /// until that is so, or until the process must end: in words.
    pub(crate) async fn announce(self, (disk, incarnation): (u128, u64), own: Addresses) -> Option<String> {
        loop {
            let command = ConfigurationCommand::Attach {
                node: self.inner.me,
                disk,
                is_new: false,
                incarnation,
                addresses: Some(own.clone()),
            };
            match self.configured(command).await {
                Some(ConfigurationOutput::Attached { .. }) => return None,
                Some(ConfigurationOutput::Error(error @ ConfigurationError::FormerDisk(_))) => {
                    return Some(error.to_string());
                }
                Some(ConfigurationOutput::Error(error @ ConfigurationError::NoSuchAddress(_))) => {
                    tracing::error!(peer = %own.peer, client = %own.client, "{error}");
                    return None;
                }
                Some(_) | None => tokio::time::sleep(ANNOUNCED_AGAIN_AFTER).await,
            }
        }
    }

    /// What the configuration service answers to a command; nothing if it does not in time.
    pub(super) async fn configured(&self, command: ConfigurationCommand) -> Option<ConfigurationOutput> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.configure(Ticket::Configured(answer), command);
        answered.await.ok()
    }

    /// While the store is not founded: those who found it, with their disks.
    pub(super) fn founded_with(&self) -> Option<BTreeMap<u32, u128>> {
        let membership = self.inner.membership.borrow();
        (membership.next() == 0).then(|| membership.disks().clone())
    }

    /// The newest configuration that was taken.
    pub(super) fn knows_through(&self) -> Option<u64> {
        self.inner.membership.borrow().next().checked_sub(1)
    }

    /// What this node knows of the cluster, for one that comes.
    pub(super) fn membership_text(&self) -> String {
        self.inner.membership.borrow().to_text()
    }

    fn configure(&self, ticket: Ticket, command: ConfigurationCommand) {
        let controller = places::controller(self.inner.me);
        self.inner.ask(ticket, controller, Request::Configure(command));
    }

    /// Whether this node can send to another.
    pub(super) fn is_connected(&self, node: u32) -> bool {
        self.inner.host.is_connected(node)
    }

    /// The groups that have a member here.
    pub(crate) fn groups_here(&self) -> Vec<GroupId> {
        let known = self.inner.membership.borrow().here();
        let runs = |group: &GroupId| {
            *group != SERVICE && self.inner.host.runs(places::member(*group, self.inner.me))
        };
        known.into_iter().filter(runs).collect()
    }

    /// Looks at this node's member of a group that has one here.
    pub(crate) fn look<T>(&self, group: GroupId, look: impl FnOnce(&Server<Keyspace>) -> T) -> T {
        let id = places::member(group, self.inner.me);
        self.inner.host.look(id, |process| look(process.server().expect("a member of a group is a server")))
    }

    /// Looks at this node's member of the configuration service, if it has one.
    pub(crate) fn look_at_service<T>(&self, look: impl FnOnce(&ServiceMember) -> T) -> Option<T> {
        let id = places::service(self.inner.me);
        let host = &self.inner.host;
        host.runs(id).then(|| host.look(id, |process| process.service().map(look))).flatten()
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

    /// The command of the configuration service that an operator means.
    fn command_of(&self, request: &Administration) -> Result<ConfigurationCommand, String> {
        Ok(match request {
            Administration::JoinGroup { group, nodes } => {
                let all = &self.nodes().numbers;
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
                let mut before = self.inner.membership.borrow().homes_of(*group);
                before.sort_unstable();
                let wanted: Vec<u32> = members.iter().map(|id| places::node_of(*id)).collect();
                if !before.is_empty() && before != wanted {
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
            Administration::AddNode { node, addresses } => {
                ConfigurationCommand::AddNode { node: *node, addresses: addresses.clone() }
            }
            Administration::RemoveNode { node } => self.removal(*node)?,
            Administration::History | Administration::Nodes => ConfigurationCommand::Query { number: None },
        })
    }
}

impl Gateway {
    /// The replacement of a member, if there is hope that the group can make it: configurations are taken in order, so one
    /// that waits for nodes that never come back would hold up all that come later.
    fn replacement(&self, group: GroupId, old: u32, new: u32) -> Result<ConfigurationCommand, String> {
        let all = &self.nodes().numbers;
        if let Some(stranger) = [old, new].into_iter().find(|node| !all.contains(node)) {
            return Err(format!("there is no node {stranger}; name some of {all:?}"));
        }
        let members = self.newest().and_then(|newest| newest.members(group).cloned()).unwrap_or_default();
        let is_here = |node: &u32| *node == self.inner.me || self.inner.host.is_connected(*node);
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

    /// The removal of a node, if no group that left the store still has slots there. The service looks after the others.
    fn removal(&self, node: u32) -> Result<ConfigurationCommand, String> {
        let newest = self.newest().ok_or("this node does not know the cluster yet; ask again")?;
        let groups = self.inner.membership.borrow().groups_of(node);
        for group in groups.into_iter().filter(|group| newest.members(*group).is_none()) {
            let here = self.groups_here().contains(&group);
            let is_empty = here.then(|| {
                self.look(group, |member| {
                    let state = member.state();
                    let is_told = state.configuration().is_some_and(|known| known.number == newest.number);
                    is_told && state.held().next().is_none()
                })
            });
            match is_empty {
                Some(true) => {}
                Some(false) => {
                    return Err(format!(
                        "{group}, which left, still has slots on node {node}; wait until they have moved"
                    ));
                }
                None => {
                    return Err(format!(
                        "{group}, which left, was on node {node}, and {ASK_ANOTHER}; ask one of its nodes, as node {node} itself"
                    ));
                }
            }
        }
        Ok(ConfigurationCommand::RemoveNode { node })
    }

    /// The nodes in lines: where they are, and what they run.
    fn tell_nodes(&self) -> Reply {
        let Some(newest) = self.newest() else {
            return Reply::error("TRYAGAIN this node does not know the cluster yet");
        };
        let line = |(node, addresses): (&u32, &Addresses)| {
            let groups = newest.groups.iter().chain([(&SERVICE, &newest.service)]);
            let has = |members: &Vec<NodeId>| members.iter().any(|id| places::node_of(*id) == *node);
            let runs: Vec<String> = groups
                .filter(|(_, members)| has(members))
                .map(|(group, _)| if *group == SERVICE { "config".to_owned() } else { group.to_string() })
                .collect();
            let is_here = *node == self.inner.me || self.inner.host.is_connected(*node);
            let state = if is_here { "up" } else { "away" };
            let runs = if runs.is_empty() { "-".to_owned() } else { runs.join(",") };
            Reply::bulk(format!(
                "{node}  {state}  peer={}  client={}  {runs}",
                addresses.peer, addresses.client
            ))
        };
        Reply::Array(newest.nodes.iter().map(line).collect())
    }
}

/// Tells the host which other nodes there are, and where the members of groups are.
pub(super) fn introduce(host: &Host<Store>, me: u32, membership: &Membership, hints: &[(u32, String)]) {
    for (node, addresses) in membership.nodes().iter().filter(|(node, _)| **node != me) {
        let hints = hints.iter().filter(|(hinted, address)| hinted == node && **address != *addresses.peer);
        let known = [addresses.peer.to_string()].into_iter().chain(hints.map(|(_, address)| address.clone()));
        let nodes = vec![places::service(*node), places::gateway(*node), places::controller(*node)];
        host.add_peer(&Peer { number: *node, addresses: known.collect(), nodes });
    }
    membership.members().for_each(|(node, id)| host.meet(node, id));
}

impl Inner {
    fn ask(&self, ticket: Ticket, node: NodeId, request: Request<Command>) {
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
