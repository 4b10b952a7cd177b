//! The replicated backend: clients' commands in batches to the gateway, outcomes back to their connections.

use super::Store;
use crate::config::Config;
use crate::server::{Backend, Completions, Position, Token, now_ms};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use synod_clientserver::Outcome as Ran;
use synod_host::{Counters, Host};
use synod_node::{NodeId, RequestId};
use synod_paxos::{Process, Request, Server};
use synod_resp::Reply;
use synod_store::{Cluster, ClusterNode, Command, Keyspace, Outcome};
use tokio::sync::Notify;

/// A command that is not answered by then is reported to its client as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often commands are looked over for time-outs, and keys for expiry.
const ROUND: Duration = Duration::from_millis(250);
/// How many commands may be at the gateway at a time; more wait outside.
const OUTSTANDING_MAX: usize = 8_192;
/// How many commands may wait outside; beyond it they are refused.
const WAITING_MAX: usize = 262_144;
/// How many bytes of commands may be under way in all; beyond it they are refused.
const BYTES_MAX: usize = 512 << 20;

/// The members of the group, as clients and protocol know them.
#[derive(Clone)]
pub(crate) struct Members {
    pub(crate) ids: Vec<NodeId>,
    nodes: Vec<ClusterNode>,
    myself: usize,
}

impl Members {
    pub(crate) fn of(config: &Config) -> Members {
        let mut peers = config.peers.clone();
        peers.sort_by_key(|peer| peer.node);
        let node = |peer: &crate::config::Peer| ClusterNode {
            id: format!(
                "{:032x}{:08x}",
                u128::from(synod_stdx::Digest::of(config.cluster.as_bytes())),
                peer.node
            ),
            host: peer.client.ip().to_string(),
            port: peer.client.port(),
            peer_port: peer.peer.port(),
            is_connected: true,
        };
        Members {
            ids: peers.iter().map(|peer| NodeId::server(peer.node)).collect(),
            nodes: peers.iter().map(node).collect(),
            myself: peers.iter().position(|peer| peer.node == config.node).unwrap_or(0),
        }
    }
}

/// What waits for its answer.
struct Asked {
    /// Whose it is; none for what the node asks for itself.
    token: Option<Token>,
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
    /// Wakes the pump when there is room again.
    room: Rc<Notify>,
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
            room: Rc::default(),
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
            self.room.notify_one();
        }
        Some(asked)
    }

    /// The group answered.
    pub(crate) fn settle(&self, id: RequestId, ran: Ran<Reply>) {
        // Answered too late: its client was told so.
        let Some(Asked { token: Some(token), .. }) = self.take(id) else { return };
        let outcome = match ran {
            Ran::Done(reply) => Outcome::Done(reply),
            Ran::MayHaveHappened => {
                Outcome::MayHaveHappened("the group has forgotten this node's session".into())
            }
        };
        self.completions.complete(token, outcome);
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
            if let Some(token) = asked.token {
                let outcome = match asked.is_read {
                    true => Outcome::NoLeader("nobody answered in time; try again".into()),
                    false => Outcome::MayHaveHappened("no answer in time; it may still run".into()),
                };
                self.completions.complete(token, outcome);
            }
        }
    }
}

/// The replicated backend. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    inner: Rc<Inner>,
}

struct Inner {
    host: Host<Store>,
    replica: NodeId,
    gateway: NodeId,
    members: Members,
    requests: Rc<Requests>,
    /// Commands that are not yet at the gateway, in order.
    waiting: RefCell<VecDeque<(Token, Command)>>,
    wake: Rc<Notify>,
    refused: Cell<u64>,
}

impl Gateway {
    pub(crate) fn new(
        host: Host<Store>,
        (replica, gateway): (NodeId, NodeId),
        members: Members,
        requests: Rc<Requests>,
    ) -> Gateway {
        let wake = Rc::clone(&requests.room);
        let (waiting, refused) = Default::default();
        Gateway {
            inner: Rc::new(Inner { host, replica, gateway, members, requests, waiting, wake, refused }),
        }
    }

    /// Hands what waits to the gateway, all of one wake-up at once. Runs until the process ends.
    pub(crate) async fn pump(self) {
        loop {
            self.inner.wake.notified().await;
            self.inner.submit_waiting();
        }
    }

    /// Looks after time-outs and keys that expire while nobody writes. Runs until the process ends.
    pub(crate) async fn watch_time(self) {
        loop {
            tokio::time::sleep(ROUND).await;
            self.inner.requests.give_up();
            let is_due = self.look(|server| server.is_leader() && server.replica().machine().expiring() > 0);
            if is_due {
                let asked = Asked { token: None, at: Instant::now(), is_read: false, bytes: 0 };
                let id = self.inner.requests.push(asked);
                let tick = Request::Commands(vec![Command::tick(now_ms(), synod_store::SlotId::of(b""))]);
                self.inner.host.request(self.inner.gateway, id, tick);
            }
        }
    }

    /// Looks at this node's replica.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Server<Keyspace>) -> T) -> T {
        self.inner.host.look(self.inner.replica, |process| match process {
            Process::Server(server) => look(server),
            Process::Client(_) => unreachable!("the replica is a server"),
        })
    }

    pub(crate) fn counters(&self) -> Counters {
        self.inner.host.counters()
    }

    pub(crate) fn members(&self) -> &Members {
        &self.inner.members
    }

    /// Requests under way, refused and timed out.
    pub(crate) fn requests(&self) -> (usize, u64, u64) {
        let requests = &self.inner.requests;
        (requests.open.get(), self.inner.refused.get(), requests.timed_out.get())
    }
}

impl Inner {
    fn submit_waiting(&self) {
        let at = Instant::now();
        let mut waiting = self.waiting.borrow_mut();
        let room = OUTSTANDING_MAX.saturating_sub(self.requests.open.get());
        let count = waiting.len().min(room);
        if count == 0 {
            return;
        }
        let (mut commands, mut queries) = (Vec::new(), Vec::new());
        for (token, command) in waiting.drain(..count) {
            match command.is_read_only() {
                true => queries.push((token, command)),
                false => commands.push((token, command)),
            }
        }
        drop(waiting);
        for (batch, is_read) in [(commands, false), (queries, true)] {
            let mut first = None;
            let mut asked = Vec::with_capacity(batch.len());
            for (token, command) in batch {
                let id = self.requests.push(Asked { token: Some(token), at, is_read, bytes: command.size() });
                first.get_or_insert(id);
                asked.push(command);
            }
            if let Some(first) = first {
                let request = if is_read { Request::Queries(asked) } else { Request::Commands(asked) };
                self.host.request(self.gateway, first, request);
            }
        }
    }
}

impl Backend for Gateway {
    fn submit(&self, token: Token, command: Command) {
        let mut waiting = self.inner.waiting.borrow_mut();
        let bytes = self.inner.requests.bytes.get() + command.size();
        if waiting.len() >= WAITING_MAX || bytes > BYTES_MAX {
            drop(waiting);
            self.inner.refused.set(self.inner.refused.get() + 1);
            let outcome = Outcome::DidNotHappen("too many commands are under way at this node".into());
            self.inner.requests.completions.complete(token, outcome);
            return;
        }
        self.inner.requests.bytes.set(bytes);
        waiting.push_back((token, command));
    }

    fn flush(&self) {
        self.inner.wake.notify_one();
    }

    fn cluster(&self) -> Cluster {
        let (leader, epoch) = self.look(|server| (server.leader(), server.promised().round));
        let Members { ids, nodes, myself } = &self.inner.members;
        let mut nodes = nodes.clone();
        for (index, node) in nodes.iter_mut().enumerate() {
            node.is_connected = index == *myself || self.inner.host.is_connected(ids[index].number());
        }
        let leader = leader.and_then(|leader| ids.iter().position(|id| *id == leader));
        Cluster { nodes, myself: *myself, leader, epoch }
    }

    fn position(&self) -> Position {
        self.look(|server| {
            let keyspace = server.replica().machine();
            Position {
                keys: keyspace.len(),
                expiring_keys: keyspace.expiring(),
                log_position: server.replica().through().0,
            }
        })
    }
}
