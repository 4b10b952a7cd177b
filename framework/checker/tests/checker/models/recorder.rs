//! An observer that forgets nothing.
//!
//! A [`Recorder`] holds for each client what it asked, what it was answered, and how many answers every other client
//! had when it asked. That is all that linearizability depends on, and no less: two runs have equal recorders only if
//! each client saw the same answers in the same order, and each request began after the same answers.
//!
//! It is the dumb twin of a just-in-time monitor. Such a monitor keeps what can still matter, and so makes states equal
//! that differ in their past alone; this one keeps apart just the states that Stateright's `LinearizabilityTester` keeps
//! apart, and so gives its counts. An answer is recorded when a client gives it to its user: one that the client ignores
//! was given to nobody.

use super::register::{Request, Response, Value};
use std::collections::BTreeMap;
use synod_node::NodeId;

/// One request, and its answer once it has one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Operation {
    /// How many answers each other client had when this began; those without one are left out.
    after: BTreeMap<NodeId, usize>,
    request: Request,
    response: Option<Response>,
}

impl Operation {
    /// The register's value once this has taken effect, if it may give the answer that it gave.
    fn effect(&self, value: Value) -> Option<Value> {
        let (right, after) = match self.request {
            Request::Put(letter) => (Response::Put, Some(letter)),
            Request::Get => (Response::Get(value), value),
        };
        self.response.as_ref().is_none_or(|response| *response == right).then_some(after)
    }
}

/// Everything that clients asked and were answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Recorder {
    clients: BTreeMap<NodeId, Vec<Operation>>,
}

impl Recorder {
    /// A client's user asks.
    ///
    /// # Panics
    /// If it waits for an answer.
    pub fn on_invoke(&mut self, client: NodeId, request: &Request) {
        assert!(self.answers(client) == self.asked(client), "{client} asks one thing at a time");
        let others = self.clients.keys().filter(|other| **other != client);
        let after = others.map(|other| (*other, self.answers(*other))).filter(|(_, answers)| *answers > 0);
        let operation = Operation { after: after.collect(), request: request.clone(), response: None };
        self.clients.entry(client).or_default().push(operation);
    }

    /// A client's user is answered.
    ///
    /// # Errors
    /// If no register could have given the answers so far.
    ///
    /// # Panics
    /// If it waits for no answer.
    pub fn on_return(&mut self, client: NodeId, response: &Response) -> Result<(), String> {
        let last = self.clients.get_mut(&client).and_then(|operations| operations.last_mut());
        let waiting = last.filter(|operation| operation.response.is_none()).expect("it was asked");
        waiting.response = Some(response.clone());
        if self.is_linearizable() { Ok(()) } else { Err(format!("{client} is answered {response:?}")) }
    }

    fn asked(&self, client: NodeId) -> usize {
        self.clients.get(&client).map_or(0, Vec::len)
    }

    /// How many answers `client` has.
    fn answers(&self, client: NodeId) -> usize {
        let operations = self.clients.get(&client).map_or(&[][..], Vec::as_slice);
        operations.iter().filter(|operation| operation.response.is_some()).count()
    }

    /// Whether one register, asked one thing after the other, could have given these answers.
    pub fn is_linearizable(&self) -> bool {
        self.can_go_on(&mut BTreeMap::new(), None)
    }

    /// Whether there is an order for what has not taken effect yet: `effective` counts what has, for each client.
    fn can_go_on(&self, effective: &mut BTreeMap<NodeId, usize>, value: Value) -> bool {
        let count =
            |effective: &BTreeMap<NodeId, usize>, client| effective.get(&client).copied().unwrap_or(0);
        if self.clients.keys().all(|client| count(effective, *client) >= self.answers(*client)) {
            return true;
        }
        for (client, operations) in &self.clients {
            let place = count(effective, *client);
            let Some(operation) = operations.get(place) else { continue };
            if operation.after.iter().any(|(other, answers)| count(effective, *other) < *answers) {
                continue;
            }
            let Some(value) = operation.effect(value) else { continue };
            effective.insert(*client, place + 1);
            if self.can_go_on(effective, value) {
                return true;
            }
            effective.insert(*client, place);
        }
        false
    }
}
