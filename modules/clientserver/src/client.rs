//! The client: a window of requests, sent again until each is answered.

use crate::{Backoff, ClientId, Message, Outcome, Process, Seq, Timer, Window};
use synod_node::{Context, NodeId, Rename, RequestId, StateMachine};
use synod_stdx::mark;

/// The first wait before a request is sent again, in milliseconds.
const RETRY_FIRST_MS: u64 = 20;
/// The longest wait before a request is sent again, in milliseconds.
const RETRY_CAP_MS: u64 = 320;
/// How many commands travel in one message at most.
const COMMANDS_MAX: usize = 1024;
/// About how many bytes of commands travel in one message at most.
const COMMANDS_BYTES_MAX: usize = 1 << 20;

/// A client of one server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client<S: StateMachine> {
    me: NodeId,
    /// Which session this is: one more each time that the server has forgotten the last.
    life: u128,
    server: NodeId,
    window: Window<S::Command>,
    backoff: Backoff,
}

impl<S: StateMachine> Client<S> {
    /// A client named `me` that has asked nothing yet.
    pub fn new(me: NodeId, server: NodeId) -> Self {
        let backoff = Backoff::new(RETRY_FIRST_MS, RETRY_CAP_MS);
        Client { me, life: 0, server, window: Window::default(), backoff }
    }

    /// As it is, with other waits before it sends again.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Client { backoff, ..self }
    }

    fn session(&self) -> ClientId {
        ClientId::new(self.me, self.life)
    }

    /// Its user asks: see [`Node::on_request`](synod_node::Node::on_request).
    pub fn on_request(&mut self, id: RequestId, command: S::Command, ctx: &mut Context<Process<S>>) {
        let was_idle = self.window.is_empty();
        self.window.push(id, command);
        self.send_unsent(ctx);
        if was_idle {
            self.set_retry(ctx);
        }
    }

    /// A server answers.
    ///
    /// # Panics
    /// If it is a request: those go to servers.
    pub fn on_answer(&mut self, answer: Message<S::Command, S::Output>, ctx: &mut Context<Process<S>>) {
        match answer {
            Message::Results { client, first, outputs } => self.on_results(client, first, outputs, ctx),
            Message::Forgotten { client } => self.on_forgotten(client, ctx),
            Message::Request { .. } => unreachable!("requests go to servers"),
        }
    }

    fn on_results(
        &mut self,
        client: ClientId,
        first: Seq,
        outputs: Vec<S::Output>,
        ctx: &mut Context<Process<S>>,
    ) {
        if client != self.session() {
            mark!("clientserver.late_results");
            return;
        }
        let lowest = self.window.lowest();
        for (id, output) in self.window.settle(first, outputs) {
            ctx.reply(id, Outcome::Done(output));
        }
        if self.window.lowest() > lowest {
            self.backoff.reset();
            self.send_unsent(ctx);
            if !self.window.is_empty() {
                self.set_retry(ctx);
            }
        }
    }

    fn on_forgotten(&mut self, client: ClientId, ctx: &mut Context<Process<S>>) {
        if client != self.session() {
            return;
        }
        mark!("clientserver.forgotten");
        for id in self.window.abandon() {
            ctx.reply(id, Outcome::MayHaveHappened);
        }
        self.life = self.life.wrapping_add(1);
        self.send_unsent(ctx);
        if !self.window.is_empty() {
            self.set_retry(ctx);
        }
    }

    /// Whether the request that a timer watched is still the lowest that waits; if not, the timer is stale.
    pub fn waits_for(&self, lowest: Seq) -> bool {
        !self.window.is_empty() && self.window.lowest() == lowest
    }

    /// A timer fired.
    pub fn on_retry(&mut self, lowest: Seq, ctx: &mut Context<Process<S>>) {
        if !self.waits_for(lowest) {
            return;
        }
        self.backoff.grow();
        self.send_again(ctx);
        self.set_retry(ctx);
    }

    /// Sends everything that is not answered again.
    pub fn send_again(&mut self, ctx: &mut Context<Process<S>>) {
        self.window.rewind();
        self.send_unsent(ctx);
    }

    fn send_unsent(&mut self, ctx: &mut Context<Process<S>>) {
        let (client, acked_below) = (self.session(), self.window.lowest());
        while let Some((first, commands)) =
            self.window.take_unsent((COMMANDS_MAX, COMMANDS_BYTES_MAX), S::bytes)
        {
            ctx.send(self.server, Message::Request { client, first, acked_below, commands });
        }
    }

    fn set_retry(&mut self, ctx: &mut Context<Process<S>>) {
        ctx.set_timer(Timer::Retry { lowest: self.window.lowest() }, self.backoff.range());
    }

    /// Panics if the window's counts do not fit.
    pub fn assert_invariants(&self) {
        self.window.assert_invariants();
    }
}

impl<S: StateMachine<Command: Rename>> Rename for Client<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Client { me, life: _, server, window, backoff: _ } = self;
        me.rename(name);
        server.rename(name);
        window.rename(name);
    }
}
