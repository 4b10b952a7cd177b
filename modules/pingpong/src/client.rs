//! The client: one question at a time, asked until it is answered.

use crate::{Message, Process, Timer};
use synod_node::{Context, NodeId, Rename, RequestId};

/// How long a client waits for a pong before it asks again, in milliseconds.
pub const RETRY_MS: u64 = 10;

/// A client of one server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    server: NodeId,
    /// The question that is not answered yet: its request and its value.
    waiting: Option<(RequestId, u64)>,
}

impl Client {
    /// A client that has asked nothing yet.
    pub fn new(server: NodeId) -> Self {
        Client { server, waiting: None }
    }

    /// # Panics
    /// If the last request is not answered yet: a user of this client asks one thing at a time.
    pub(crate) fn on_request(&mut self, id: RequestId, value: u64, ctx: &mut Context<Process>) {
        assert!(self.waiting.is_none(), "a second request while the first one waits");
        self.waiting = Some((id, value));
        self.send_ping(ctx);
    }

    pub(crate) fn on_pong(&mut self, value: u64, ctx: &mut Context<Process>) {
        // Stale or duplicate: the question that it answers is not the present one.
        let Some((id, _)) = self.waiting.filter(|(_, waiting)| *waiting == value) else { return };
        self.waiting = None;
        ctx.reply(id, value);
    }

    pub(crate) fn on_retry(&mut self, id: RequestId, ctx: &mut Context<Process>) {
        if self.waiting.is_some_and(|(waiting, _)| waiting == id) {
            self.send_ping(ctx);
        }
    }

    fn send_ping(&mut self, ctx: &mut Context<Process>) {
        let Some((id, value)) = self.waiting else { return };
        ctx.send(self.server, Message::Ping { value });
        ctx.set_timer(Timer::Retry { id }, RETRY_MS..=RETRY_MS);
    }
}

impl Rename for Client {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Client { server, waiting: _ } = self;
        server.rename(name);
    }
}
