//! Asking the configuration service, for servers and clients: a question without a session, since it only reads.

use crate::{
    Configuration, ConfigurationCommand, ConfigurationNumber, ConfigurationOutput, ConfigurationService,
    Message, Process, Sharded,
};
use std::sync::Arc;
use synod_node::{Context, NodeId, StateMachine};
use synod_paxos::Message as Paxos;

/// The longest that a question waits before it is asked again, in rounds of its asker.
const PATIENCE_MAX: u32 = 8;

/// Whether it is what a client of a Paxos group is answered that only reads.
pub(crate) fn is_answer<S: StateMachine>(message: &Paxos<S>) -> bool {
    matches!(message, Paxos::Answers { .. } | Paxos::NotLeader { .. })
}

/// The members of the configuration service, whom of them to ask, and how often: one at a time, and the less often the
/// longer there is no answer, since a service that is late is not helped by more questions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Masters {
    ids: Vec<NodeId>,
    /// The number of the configuration that says so; 0 if none does.
    known: ConfigurationNumber,
    /// Whom to ask: who leads, as far as is known, or whoever's turn it is.
    at: usize,
    /// The question that is not answered.
    open: Option<Option<ConfigurationNumber>>,
    /// How many rounds it waits before it is asked again, and how many of them have passed.
    patience: u32,
    waited: u32,
}

impl Masters {
    pub(crate) fn new(ids: &[NodeId]) -> Self {
        assert!(!ids.is_empty(), "a configuration service of nobody");
        Masters { ids: ids.to_vec(), known: 0, at: 0, open: None, patience: 1, waited: 0 }
    }

    /// A configuration says who the members of the service are.
    pub(crate) fn note(&mut self, known: &Configuration) {
        self.are(known.number, &known.service);
    }

    /// These are the members, as the configuration of this number has them; an older one says nothing new.
    pub(crate) fn are(&mut self, number: ConfigurationNumber, ids: &[NodeId]) {
        if number < self.known || ids.is_empty() {
            return;
        }
        self.known = number;
        if self.ids != ids {
            let asked = self.ids[self.at];
            self.ids = ids.to_vec();
            self.at = 0;
            self.prefer(asked);
        }
    }

    /// Asks for a configuration; the newest, if `number` is `None`. To be called in each round in which it is wanted.
    pub(crate) fn ask<S: Sharded>(
        &mut self,
        number: Option<ConfigurationNumber>,
        ctx: &mut Context<Process<S>>,
    ) {
        if self.open == Some(number) {
            self.waited += 1;
            if self.waited < self.patience {
                return;
            }
            // Perhaps it is gone, or does not lead.
            self.at = (self.at + 1) % self.ids.len();
            self.patience = (self.patience * 2).min(PATIENCE_MAX);
        } else {
            self.patience = 1;
        }
        self.waited = 0;
        self.open = Some(number);
        // One that was not answered goes to two of them: where messages are lost, it is rarely lost twice at once.
        let copies = if self.patience > 1 { 2 } else { 1 };
        for id in (self.at..self.at + copies.min(self.ids.len())).map(|at| self.ids[at % self.ids.len()]) {
            let queries = vec![ConfigurationCommand::Query { number }];
            ctx.send_early(id, Message::Masters(Paxos::Query { first: 0, queries }));
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
                self.prefer(from);
                self.open = None;
                outputs.into_iter().flatten().find_map(|output| match output {
                    ConfigurationOutput::Configuration(configuration) => Some(configuration),
                    ConfigurationOutput::Ok(_)
                    | ConfigurationOutput::Error(_)
                    | ConfigurationOutput::Attached { .. } => None,
                })
            }
            Paxos::NotLeader { leader } => {
                if let Some(leader) = leader.filter(|_| self.ids[self.at] == from) {
                    self.prefer(leader);
                    // The next question goes there, without a wait.
                    self.open = None;
                }
                None
            }
            message => unreachable!("no server of the service, and was sent {message:?}"),
        }
    }

    fn prefer(&mut self, id: NodeId) {
        self.at = self.ids.iter().position(|known| *known == id).unwrap_or(self.at);
    }
}
