//! Which messages a command is about.

use goldenscript::ArgumentConsumer;
use std::error::Error;
use synod_node::{Node, NodeId};
use synod_stdx::kind_of;
use synod_world::{Envelope, EnvelopeId, World};

/// A choice among the messages in flight. Empty: all of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Choice {
    from: Option<NodeId>,
    to: Option<NodeId>,
    kind: Option<String>,
    count: Option<usize>,
}

impl Choice {
    /// Reads `from=`, `to=`, `kind=` and `count=`.
    pub(crate) fn read(args: &mut ArgumentConsumer<'_>) -> Result<Self, Box<dyn Error>> {
        let mut choice = Choice::default();
        while let Some((key, value)) = args.next_key() {
            match key {
                "from" => choice.from = Some(value.parse()?),
                "to" => choice.to = Some(value.parse()?),
                "kind" => choice.kind = Some(value.to_owned()),
                "count" => choice.count = Some(value.parse()?),
                _ => return Err(format!("`{key}=` chooses no messages: from=, to=, kind=, count= do").into()),
            }
        }
        args.reject_next()?;
        Ok(choice)
    }

    /// Whether it chooses everything.
    pub(crate) fn is_all(&self) -> bool {
        *self == Choice::default()
    }

    /// What of the messages in flight it chooses, oldest first.
    pub(crate) fn of<N: Node>(&self, world: &World<N>) -> Vec<EnvelopeId> {
        let wanted = |envelope: &Envelope<N>| {
            self.from.is_none_or(|from| from == envelope.from)
                && self.to.is_none_or(|to| to == envelope.to)
                && self.kind.as_ref().is_none_or(|kind| *kind == kind_of(&envelope.message))
        };
        let chosen = world.flight().filter(|(_, envelope)| wanted(envelope)).map(|(id, _)| id);
        chosen.take(self.count.unwrap_or(usize::MAX)).collect()
    }
}
