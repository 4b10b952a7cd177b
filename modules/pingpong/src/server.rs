//! The server: it echoes, and keeps nothing.

use crate::{Message, Process};
use synod_node::{Context, NodeId};

/// A server. Its whole state is that it is there.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Server;

impl Server {
    /// Answers every ping, old and duplicate ones too: it cannot tell them apart.
    pub(crate) fn on_ping(&mut self, from: NodeId, value: u64, ctx: &mut Context<Process>) {
        ctx.send(from, Message::Pong { value });
    }
}
