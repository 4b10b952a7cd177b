//! The client: a window of commands, a list of reads, and a guess who leads.

use crate::{Message, Process, Timer};
use std::collections::VecDeque;
use synod_clientserver::{Backoff, ClientId, Outcome, Seq, Window};
use synod_node::{ClockReading, Context, NodeId, Rename, RequestId, StateMachine};
use synod_stdx::mark;

/// The first wait before something is sent again, in milliseconds.
const RETRY_FIRST_MS: u64 = 25;
/// The longest wait before something is sent again, in milliseconds.
const RETRY_CAP_MS: u64 = 100;
/// How many commands travel in one message at most.
const COMMANDS_MAX: usize = 1024;
/// About how many bytes of commands travel in one message at most.
const COMMANDS_BYTES_MAX: usize = 1 << 20;

/// What a user asks of a client. Several commands may be asked at once: they take consecutive request names, from the
/// one that is given on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request<C> {
    /// Run these through the log, in order, each once.
    Commands(Vec<C>),
    /// Read these, linearizably, without a log entry.
    Queries(Vec<C>),
    /// To a server: if it leads, let another one lead.
    HandOver,
    /// To a server: what the clocks of its machine read now.
    Clock(ClockReading),
}

/// A client of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client<S: StateMachine> {
    me: NodeId,
    /// Which session this is: one more each time that the group has forgotten the last.
    life: u128,
    /// In the order of their names.
    servers: Vec<NodeId>,
    /// Whom it takes for the leader.
    leader: NodeId,
    window: Window<S::Command>,
    /// Reads that are not answered, by their numbers: the first is number `reads_from`.
    reads: VecDeque<Option<(RequestId, S::Command)>>,
    reads_from: Seq,
    is_retry_set: bool,
    backoff: Backoff,
}

impl<S: StateMachine> Client<S> {
    /// Client `me` of `servers`, in a session that no other life of it ever used.
    ///
    /// # Panics
    /// If there are no servers.
    pub fn new(me: NodeId, life: u128, servers: &[NodeId]) -> Self {
        assert!(!servers.is_empty(), "a client of nobody");
        let mut in_order = servers.to_vec();
        in_order.sort_unstable();
        Client {
            me,
            life,
            servers: in_order,
            leader: servers[0],
            window: Window::default(),
            reads: VecDeque::new(),
            reads_from: 1,
            is_retry_set: false,
            backoff: Backoff::new(RETRY_FIRST_MS, RETRY_CAP_MS),
        }
    }

    /// How many requests are not answered.
    pub fn outstanding(&self) -> usize {
        self.window.len() + self.reads.len()
    }

    /// From now on these are the servers: the group is played elsewhere.
    pub fn ask_these(&mut self, servers: &[NodeId]) {
        if let Some(first) = servers.first() {
            self.servers = servers.to_vec();
            self.servers.sort_unstable();
            if !self.servers.contains(&self.leader) {
                self.leader = *first;
            }
        }
    }

    /// Begins with `server` as the one that it takes for the leader.
    #[must_use]
    pub fn preferring(mut self, server: NodeId) -> Self {
        self.leader = server;
        self
    }

    fn session(&self) -> ClientId {
        ClientId::new(self.me, self.life)
    }

    pub(crate) fn on_request(
        &mut self,
        id: RequestId,
        request: Request<S::Command>,
        ctx: &mut Context<Process<S>>,
    ) {
        let ids = (id.0..).map(RequestId);
        match request {
            Request::Commands(commands) => {
                for (id, command) in ids.zip(commands) {
                    self.window.push(id, command);
                }
                self.submit(ctx);
            }
            Request::Queries(queries) => {
                let first = self.reads_from + self.reads.len() as u64;
                let asked = ids.zip(queries.iter().cloned());
                self.reads.extend(asked.map(Some));
                ctx.send(self.leader, Message::Query { first, queries });
            }
            Request::HandOver | Request::Clock(_) => unreachable!("servers are asked that, clients are not"),
        }
        self.set_retry(ctx);
    }

    pub(crate) fn on_results(
        &mut self,
        from: NodeId,
        (client, first, outputs): (ClientId, Seq, Vec<S::Output>),
        ctx: &mut Context<Process<S>>,
    ) {
        if client != self.session() {
            return;
        }
        let lowest = self.window.lowest();
        for (id, output) in self.window.settle(first, outputs) {
            ctx.reply(id, Outcome::Done(output));
        }
        self.note_answered(from, self.window.lowest() - lowest);
        self.submit(ctx);
    }

    pub(crate) fn on_answers(
        &mut self,
        from: NodeId,
        (first, outputs): (Seq, Vec<Option<S::Output>>),
        ctx: &mut Context<Process<S>>,
    ) {
        let mut answered = 0;
        for (seq, output) in (first..).zip(outputs) {
            let index = seq.checked_sub(self.reads_from).map(|index| index as usize);
            // Answered before: the question was asked twice.
            let Some((id, query)) = index.and_then(|index| self.reads.get_mut(index)?.take()) else {
                continue;
            };
            answered += 1;
            match output {
                Some(output) => ctx.reply(id, Outcome::Done(output)),
                None => {
                    mark!("paxos.read_through_the_log");
                    self.window.push(id, query);
                }
            }
        }
        while let Some(None) = self.reads.front() {
            self.reads.pop_front();
            self.reads_from += 1;
        }
        self.note_answered(from, answered);
        self.submit(ctx);
    }

    pub(crate) fn on_not_leader(
        &mut self,
        from: NodeId,
        leader: Option<NodeId>,
        ctx: &mut Context<Process<S>>,
    ) {
        // Late, or an answer to a retry that went to all: another one is asked by now.
        if self.leader != from {
            return;
        }
        let is_another = |leader: &NodeId| *leader != from && self.servers.contains(leader);
        if let Some(leader) = leader.filter(is_another) {
            self.leader = leader;
            self.submit_again(&[leader], ctx);
            self.query_again(&[leader], ctx);
        }
    }

    pub(crate) fn on_forgotten(&mut self, client: ClientId, ctx: &mut Context<Process<S>>) {
        if client != self.session() {
            return;
        }
        mark!("paxos.session_forgotten");
        for id in self.window.abandon() {
            ctx.reply(id, Outcome::MayHaveHappened);
        }
        self.life = self.life.wrapping_add(1);
        self.submit(ctx);
    }

    pub(crate) fn on_retry(&mut self, (command, read): (Seq, Seq), ctx: &mut Context<Process<S>>) {
        self.is_retry_set = false;
        // Each kind for itself: reads that are answered must not hide a write that was lost.
        let are_commands_stuck = !self.window.is_empty() && self.window.lowest() == command;
        let are_reads_stuck = !self.reads.is_empty() && self.reads_from == read;
        if are_commands_stuck || are_reads_stuck {
            self.backoff.grow();
            // To all: whoever leads will answer, and nobody need be told who that is.
            let servers = self.servers.clone();
            if are_commands_stuck {
                self.submit_again(&servers, ctx);
            }
            if are_reads_stuck {
                self.query_again(&servers, ctx);
            }
        }
        self.set_retry(ctx);
    }

    /// Something came from `from`: it leads.
    fn note_answered(&mut self, from: NodeId, answers: u64) {
        if answers > 0 {
            self.leader = from;
            self.backoff.reset();
        }
    }

    /// Sends every command that is not answered to each of `to`.
    fn submit_again(&mut self, to: &[NodeId], ctx: &mut Context<Process<S>>) {
        let (client, acked_below) = (self.session(), self.window.lowest());
        self.window.rewind();
        while let Some((first, commands)) =
            self.window.take_unsent((COMMANDS_MAX, COMMANDS_BYTES_MAX), S::bytes)
        {
            ctx.broadcast(to, &Message::Submit { client, first, acked_below, commands });
        }
    }

    /// Sends every read that is not answered to each of `to`.
    fn query_again(&self, to: &[NodeId], ctx: &mut Context<Process<S>>) {
        let mut first = self.reads_from;
        let mut queries = Vec::new();
        for (seq, read) in (self.reads_from..).zip(&self.reads) {
            if let Some((_, query)) = read {
                if queries.is_empty() {
                    first = seq;
                }
                queries.push(query.clone());
            }
            // A message names a first number and has no gaps.
            let is_last = seq + 1 == self.reads_from + self.reads.len() as u64;
            if !queries.is_empty() && (read.is_none() || queries.len() == COMMANDS_MAX || is_last) {
                ctx.broadcast(to, &Message::Query { first, queries: std::mem::take(&mut queries) });
            }
        }
    }

    fn submit(&mut self, ctx: &mut Context<Process<S>>) {
        let (client, acked_below) = (self.session(), self.window.lowest());
        while let Some((first, commands)) =
            self.window.take_unsent((COMMANDS_MAX, COMMANDS_BYTES_MAX), S::bytes)
        {
            ctx.send(self.leader, Message::Submit { client, first, acked_below, commands });
        }
    }

    /// One timer watches everything that is outstanding.
    fn set_retry(&mut self, ctx: &mut Context<Process<S>>) {
        if !self.is_retry_set && self.outstanding() > 0 {
            self.is_retry_set = true;
            let retry = Timer::Retry { command: self.window.lowest(), read: self.reads_from };
            ctx.set_timer(retry, self.backoff.range());
        }
    }

    pub(crate) fn assert_invariants(&self) {
        self.window.assert_invariants();
        assert!(self.reads.front().is_none_or(Option::is_some), "an answered read is kept at the front");
    }
}

impl<S: StateMachine<Command: Rename>> Rename for Client<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Client {
            me,
            life: _,
            servers,
            leader,
            window,
            reads,
            reads_from: _,
            is_retry_set: _,
            backoff: _,
        } = self;
        me.rename(name);
        servers.rename(name);
        servers.sort_unstable();
        leader.rename(name);
        window.rename(name);
        reads.rename(name);
    }
}
