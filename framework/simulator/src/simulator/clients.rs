//! The clients' side of a run: who asks what, how long they wait, what they are told.

use super::{Due, Simulator};
use crate::{Ask, Failure, Workload};
use std::collections::BTreeMap;
use synod_node::{Node, NodeId, RequestId};
use synod_stdx::Rng;
use synod_world::Event;

/// A client's side of the run.
pub(super) struct Client<N: Node> {
    workload: Box<dyn Workload<N>>,
    window: usize,
    outstanding: BTreeMap<RequestId, (u64, N::Request)>,
    asked: u64,
    asked_all: bool,
    wait_us_max: u64,
    rng: Rng,
}

impl<N: Node> Simulator<N> {
    /// Gives a client node a workload, with at most `window` requests outstanding.
    pub fn drive(&mut self, id: NodeId, window: usize, workload: impl Workload<N> + 'static) {
        let rng = Rng::new(self.seed).split(&format!("workload of {id}"));
        let client = self.clients.entry(id).or_insert_with(|| Client {
            workload: Box::new(Nothing),
            window,
            outstanding: BTreeMap::new(),
            asked: 0,
            asked_all: false,
            wait_us_max: 0,
            rng,
        });
        assert!(client.outstanding.is_empty(), "{id} is given a new workload while its last one waits");
        client.workload = Box::new(workload);
        client.window = window;
        client.asked_all = false;
        self.schedule(0, Due::Client(id));
    }

    /// Whether every client has its last answer.
    pub fn is_done(&self) -> bool {
        self.clients.keys().all(|id| self.is_client_done(*id))
    }

    /// Whether this client has its last answer.
    pub fn is_client_done(&self, id: NodeId) -> bool {
        self.clients.get(&id).is_none_or(|client| client.asked_all && client.outstanding.is_empty())
    }

    /// How many requests of this client were answered.
    pub fn answered(&self, id: NodeId) -> u64 {
        self.clients.get(&id).map_or(0, |client| client.asked - client.outstanding.len() as u64)
    }

    /// The longest that any client waited for an answer, or waits now, in microseconds; and forgets it.
    pub fn take_wait_us_max(&mut self) -> u64 {
        let now_us = self.now_us;
        let wait = |client: &mut Client<N>| {
            let now_waiting = client.outstanding.values().map(|(at, _)| now_us - at).max();
            std::mem::take(&mut client.wait_us_max).max(now_waiting.unwrap_or(0))
        };
        self.clients.values_mut().map(wait).max().unwrap_or(0)
    }

    pub(super) fn advance_client(&mut self, id: NodeId) -> Result<(), Failure> {
        loop {
            let now_us = self.now_us;
            let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
            if client.asked_all || client.outstanding.len() >= client.window {
                return Ok(());
            }
            match client.workload.next(now_us, &mut client.rng) {
                Ask::Done => client.asked_all = true,
                Ask::WhenAnswered => return Ok(()),
                Ask::After(us) => {
                    self.schedule(us.max(1), Due::Client(id));
                    return Ok(());
                }
                Ask::Request(request) => {
                    client.asked += 1;
                    let request_id = RequestId(client.asked);
                    client.outstanding.insert(request_id, (now_us, request.clone()));
                    for oracle in &mut self.oracles {
                        oracle.on_invoke(id, request_id, &request);
                    }
                    self.apply(Event::Request { node: id, id: request_id, request })?;
                }
            }
        }
    }

    pub(super) fn on_replied(
        &mut self,
        node: NodeId,
        id: RequestId,
        response: &N::Response,
    ) -> Result<(), Failure> {
        let Some(client) = self.clients.get_mut(&node) else { return Ok(()) };
        let Some((at_us, request)) = client.outstanding.remove(&id) else {
            return Err(self.failure(format!("{node} answered {id} twice, or without being asked")));
        };
        client.wait_us_max = client.wait_us_max.max(self.now_us - at_us);
        if let Err(what) = client.workload.on_response(&request, response) {
            return Err(self.failure(format!("client {node}: {what}")));
        }
        for index in 0..self.oracles.len() {
            if let Err(what) = self.oracles[index].on_return(node, id, response) {
                return Err(self.failure(what));
            }
        }
        self.schedule(0, Due::Client(node));
        Ok(())
    }
}

/// The workload of a client that was given none.
struct Nothing;

impl<N: Node> Workload<N> for Nothing {
    fn next(&mut self, _now_us: u64, _rng: &mut Rng) -> Ask<N::Request> {
        Ask::Done
    }

    fn on_response(&mut self, _request: &N::Request, _response: &N::Response) -> Result<(), String> {
        Ok(())
    }
}
