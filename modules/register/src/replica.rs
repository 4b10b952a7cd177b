//! The replica: keeps the newest value that it heard of, durably before it says so.

use crate::{Message, Participant, Record, Tag};
use synod_node::{Context, NodeId};

/// A copy of the register.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replica {
    pub(crate) tag: Tag,
    pub(crate) value: Option<u64>,
}

impl Default for Replica {
    fn default() -> Self {
        Replica { tag: Tag::ZERO, value: None }
    }
}

impl Replica {
    /// The value, and how new it is.
    pub fn state(&self) -> (Tag, Option<u64>) {
        (self.tag, self.value)
    }

    pub(crate) fn on_query(&mut self, from: NodeId, op: u64, ctx: &mut Context<Participant>) {
        ctx.send(from, Message::State { op, tag: self.tag, value: self.value });
    }

    pub(crate) fn on_store(
        &mut self,
        from: NodeId,
        op: u64,
        (tag, value): (Tag, Option<u64>),
        ctx: &mut Context<Participant>,
    ) {
        if tag > self.tag {
            (self.tag, self.value) = (tag, value);
            ctx.persist(Record::Kept { tag, value });
        }
        ctx.send(from, Message::Stored { op });
    }

    pub(crate) fn recover(&mut self, tag: Tag, value: Option<u64>) {
        (self.tag, self.value) = (tag, value);
    }
}
