//! Asking the configuration service, for servers and clients: a question without a session, since it only reads.

use crate::{
    Configuration, ConfigurationCommand, ConfigurationNumber, ConfigurationOutput, Message, Process, Sharded,
};
use std::sync::Arc;
use synod_node::{Context, NodeId};
use synod_paxos::Message as Paxos;

/// The members of the configuration service, and whom of them to ask.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Masters {
    ids: Vec<NodeId>,
    /// Who leads, as far as is known.
    leader: Option<NodeId>,
    /// A question is not answered.
    is_waiting: bool,
}

impl Masters {
    pub(crate) fn new(ids: &[NodeId]) -> Self {
        assert!(!ids.is_empty(), "a configuration service of nobody");
        Masters { ids: ids.to_vec(), leader: None, is_waiting: false }
    }

    /// Asks for a configuration; the newest, if `number` is `None`.
    pub(crate) fn ask<S: Sharded>(
        &mut self,
        number: Option<ConfigurationNumber>,
        ctx: &mut Context<Process<S>>,
    ) {
        // Whoever did not answer the last question is not asked alone again.
        if self.is_waiting {
            self.leader = None;
        }
        self.is_waiting = true;
        let query = Paxos::Query { first: 0, queries: vec![ConfigurationCommand::Query { number }] };
        let to = self.leader.as_ref().map_or(self.ids.as_slice(), std::slice::from_ref);
        for to in to {
            ctx.send_early(*to, Message::Masters(query.clone()));
        }
    }

    /// What a member of the service says: a configuration, perhaps.
    pub(crate) fn on_message(
        &mut self,
        from: NodeId,
        message: Paxos<ConfigurationService>,
    ) -> Option<Arc<Configuration>> {
        match message {
            Paxos::Answers { outputs, .. } => {
                self.leader = Some(from);
                self.is_waiting = false;
                outputs.into_iter().flatten().find_map(|output| match output {
                    ConfigurationOutput::Configuration(configuration) => Some(configuration),
                    ConfigurationOutput::Ok(_) | ConfigurationOutput::Error(_) => None,
                })
            }
            Paxos::NotLeader { leader } => {
                if self.leader == Some(from) {
                    self.leader = leader;
                }
                None
            }
            message => unreachable!("no server of the service, and was sent {message:?}"),
        }
    }
}

use crate::ConfigurationService;
