//! The replicated backend: clients' commands in batches to the gateway, outcomes back to their connections.

use super::groups::Groups;
use super::outages::Outages;
use super::{Store, places};
use crate::server::{Backend, Completions, Position, Token};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synod_clientserver::Outcome as Ran;
use synod_host::{Counters, Host};
use synod_node::RequestId;
use synod_resp::Reply;
use synod_shardedstore::{
    Configuration, ConfigurationCommand, ConfigurationError, ConfigurationOutput, GroupId, Request, Response,
    Server, SlotStatus,
};
use synod_store::{Administration, Cluster, Command, Keyspace, Outcome, Progress, SlotRun, Walk};
use tokio::sync::Notify;

/// A command that is not answered by then is reported to its client as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often commands are looked over for time-outs, and keys for expiry.
const ROUND: Duration = Duration::from_millis(250);
/// A wall clock that is further from what a majority agrees on is reported, in ms.
pub(crate) const CLOCK_OFFSET_MS_MAX: i64 = 1_000;
/// How often it is looked whether groups came.
const CONFIGURATION_ROUND: Duration = Duration::from_millis(20);
/// How many commands may be at the gateway at a time; more wait outside.
const OUTSTANDING_MAX: usize = 8_192;
/// How many commands may wait outside; beyond it they are refused.
const WAITING_MAX: usize = 262_144;
/// How many bytes of commands may be under way in all; beyond it they are refused.
const BYTES_MAX: usize = 512 << 20;

/// Whose a request is.
enum Ticket {
    /// A client's, who gets the outcome.
    Client(Token),
    /// A client's, who gets the outcome of the whole walk.
    Walk(Token, Box<Walk>),
    /// The node's own: nobody waits for it.
    Own,
}

impl Ticket {
    fn token(&self) -> Option<Token> {
        match self {
            Ticket::Client(token) | Ticket::Walk(token, _) => Some(*token),
            Ticket::Own => None,
        }
    }
}

/// What waits for its answer.
struct Asked {
    ticket: Ticket,
    at: Instant,
    is_read: bool,
    bytes: usize,
}

/// Requests under way, by their numbers, which follow each other: a queue is enough.
pub(crate) struct Requests {
    completions: Completions,
    asked: RefCell<VecDeque<Option<Asked>>>,
    /// The number of the first in `asked`.
    first: Cell<u64>,
    /// How many are not answered.
    open: Cell<usize>,
    /// The bytes of all commands that are not answered, at the gateway or on their way to it.
    bytes: Cell<usize>,
    /// Commands that are not yet at the gateway, in order.
    waiting: RefCell<VecDeque<(Ticket, Command)>>,
    /// Wakes the pump: something waits, or there is room again.
    wake: Notify,
    timed_out: Cell<u64>,
}

impl Requests {
    pub(crate) fn new(completions: Completions) -> Requests {
        Requests {
            completions,
            asked: RefCell::default(),
            first: Cell::new(1),
            open: Cell::new(0),
            bytes: Cell::new(0),
            waiting: RefCell::default(),
            wake: Notify::new(),
            timed_out: Cell::new(0),
        }
    }

    fn push(&self, asked: Asked) -> RequestId {
        let mut queue = self.asked.borrow_mut();
        queue.push_back(Some(asked));
        self.open.set(self.open.get() + 1);
        RequestId(self.first.get() + queue.len() as u64 - 1)
    }

    fn take(&self, id: RequestId) -> Option<Asked> {
        let mut queue = self.asked.borrow_mut();
        let index = usize::try_from(id.0.checked_sub(self.first.get())?).ok()?;
        let asked = queue.get_mut(index)?.take()?;
        while let Some(None) = queue.front() {
            queue.pop_front();
            self.first.set(self.first.get() + 1);
        }
        let open = self.open.get() - 1;
        self.open.set(open);
        self.bytes.set(self.bytes.get() - asked.bytes);
        if open + 1 == OUTSTANDING_MAX {
            self.wake.notify_one();
        }
        Some(asked)
    }

    /// A command waits for its turn; false if too many do.
    fn wait(&self, ticket: Ticket, command: Command) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let bytes = self.bytes.get() + command.size();
        if waiting.len() >= WAITING_MAX || bytes > BYTES_MAX {
            return false;
        }
        self.bytes.set(bytes);
        waiting.push_back((ticket, command));
        true
    }

    /// The store or the configuration service answered.
    pub(crate) fn settle(&self, id: RequestId, response: Response<Reply>) {
        // Answered too late: its client was told so.
        let Some(Asked { ticket, .. }) = self.take(id) else { return };
        let outcome = match response {
            Response::Store(Ran::Done(reply)) => Outcome::Done(reply),
            Response::Configuration(Ran::Done(output)) => Outcome::Done(tell(&output)),
            Response::Store(Ran::MayHaveHappened) | Response::Configuration(Ran::MayHaveHappened) => {
                Outcome::MayHaveHappened("the group has forgotten this node's session".into())
            }
        };
        match (ticket, outcome) {
            (Ticket::Client(token), outcome) => self.completions.complete(token, outcome),
            (Ticket::Walk(token, mut walk), Outcome::Done(reply)) => match walk.on_reply(reply) {
                Progress::Done(reply) => self.completions.complete(token, Outcome::Done(reply)),
                Progress::Next(command) => {
                    if self.wait(Ticket::Walk(token, walk), command) {
                        self.wake.notify_one();
                    } else {
                        self.completions.complete(token, Outcome::MayHaveHappened(TOO_MANY.into()));
                    }
                }
            },
            (Ticket::Walk(token, _), outcome) => self.completions.complete(token, outcome),
            (Ticket::Own, _) => {}
        }
    }

    /// Tells the clients of everything that waited too long.
    fn give_up(&self) {
        let now = Instant::now();
        loop {
            let overdue = {
                let queue = self.asked.borrow();
                let mut numbered = (self.first.get()..).zip(queue.iter());
                let first = numbered.find_map(|(id, asked)| asked.as_ref().map(|asked| (id, asked.at)));
                first.filter(|(_, at)| now - *at > PATIENCE)
            };
            let Some((id, _)) = overdue else { return };
            let Some(asked) = self.take(RequestId(id)) else { return };
            self.timed_out.set(self.timed_out.get() + 1);
            if let Some(token) = asked.ticket.token() {
                let outcome = match asked.is_read {
                    true => Outcome::NoLeader("nobody answered in time; try again".into()),
                    false => Outcome::MayHaveHappened("no answer in time; it may still run".into()),
                };
                self.completions.complete(token, outcome);
            }
        }
    }
}

const TOO_MANY: &str = "too many commands are under way at this node";

/// What an operator is told.
fn tell(output: &ConfigurationOutput) -> Reply {
    match output {
        ConfigurationOutput::Ok(number) => Reply::Integer(number.cast_signed()),
        ConfigurationOutput::Configuration(configuration) => Reply::bulk(line_of(configuration)),
        ConfigurationOutput::Error(error) => Reply::Error(format!("ERR {}", words_of(*error)).into()),
    }
}

/// Why nothing was changed, in the operators' words: they know nodes, not members.
fn words_of(error: ConfigurationError) -> String {
    let node = |id| format!("node {}", places::node_of(id));
    match error {
        ConfigurationError::NoMember(id) => {
            format!("{} is no member of the group; name one that is", node(id))
        }
        ConfigurationError::IsMember(id) => {
            format!("{} is a member of the group already; name another one", node(id))
        }
        ConfigurationError::WasMember(id) => format!(
            "{} was a member of the group before, and cannot come back; name a node that never was",
            node(id)
        ),
        error => error.to_string(),
    }
}

/// A configuration in one line.
fn line_of(configuration: &Configuration) -> String {
    let groups = configuration.groups.iter().map(|(group, members)| {
        let nodes: Vec<String> = members.iter().map(|id| places::node_of(*id).to_string()).collect();
        format!("{group} on {}", nodes.join(","))
    });
    let groups: Vec<String> = groups.collect();
    format!("{}  {}  {:?}", configuration.number, groups.join("  "), configuration.slots)
}

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
    refused: Cell<u64>,
}

impl Gateway {
    pub(super) fn new(
        host: Host<Store>,
        nodes: places::Nodes,
        groups: Groups,
        requests: Rc<Requests>,
    ) -> Gateway {
        let (groups, refused) = (RefCell::new(groups), Cell::new(0));
        Gateway { inner: Rc::new(Inner { host, nodes, groups, requests, refused }) }
    }

    /// Hands what waits to the gateway, all of one wake-up at once. Runs until the process ends.
    pub(crate) async fn pump(self) {
        loop {
            self.inner.requests.wake.notified().await;
            self.inner.submit_waiting();
        }
    }

    /// Looks after time-outs and keys that expire while nobody writes. Runs until the process ends.
    pub(crate) async fn watch_time(self) {
        let mut is_off = false;
        let mut outages = Outages::default();
        loop {
            tokio::time::sleep(ROUND).await;
            self.inner.requests.give_up();
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
        let requests = &self.inner.requests;
        (requests.open.get(), self.inner.refused.get(), requests.timed_out.get())
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
        let id = self.requests.push(Asked { ticket, at: Instant::now(), is_read: false, bytes: 0 });
        self.host.request(node, id, request);
    }

    fn submit_waiting(&self) {
        let at = Instant::now();
        let mut waiting = self.requests.waiting.borrow_mut();
        let room = OUTSTANDING_MAX.saturating_sub(self.requests.open.get());
        let count = waiting.len().min(room);
        if count == 0 {
            return;
        }
        let (mut commands, mut queries) = (Vec::new(), Vec::new());
        for (ticket, command) in waiting.drain(..count) {
            match command.is_read_only() {
                true => queries.push((ticket, command)),
                false => commands.push((ticket, command)),
            }
        }
        drop(waiting);
        for (batch, is_read) in [(commands, false), (queries, true)] {
            let mut first = None;
            let mut asked = Vec::with_capacity(batch.len());
            for (ticket, command) in batch {
                let id = self.requests.push(Asked { ticket, at, is_read, bytes: command.size() });
                first.get_or_insert(id);
                asked.push(command);
            }
            if let Some(first) = first {
                let request = if is_read { Request::Queries(asked) } else { Request::Commands(asked) };
                self.host.request(places::gateway(self.nodes.me()), first, request);
            }
        }
    }
}

impl Backend for Gateway {
    fn submit(&self, token: Token, command: Command) {
        let (ticket, command) = match command.is_about_all_keys() {
            false => (Ticket::Client(token), command),
            true => {
                let walk = Walk::new(command);
                let first = walk.next_command();
                (Ticket::Walk(token, Box::new(walk)), first)
            }
        };
        if !self.inner.requests.wait(ticket, command) {
            self.inner.refused.set(self.inner.refused.get() + 1);
            self.inner.requests.completions.complete(token, Outcome::DidNotHappen(TOO_MANY.into()));
        }
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
