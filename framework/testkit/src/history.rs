//! The oracle that keeps what clients saw and has it checked for linearizability.

use std::collections::BTreeMap;
use std::rc::Rc;
use synod_history::{Budget, History, KeyValue, KvOp, KvRet, OpId, Verdict, check};
use synod_node::{Node, NodeId, RequestId};
use synod_simulator::Oracle;
use synod_world::World;

/// How a module's requests and answers read as operations of a key-value store.
pub struct Translate<N: Node> {
    /// The operation that a request is; `None` if the store is not asked.
    pub op: fn(&N::Request) -> Option<KvOp>,
    /// What an answer says; `None` if it leaves open whether the operation happened.
    pub ret: fn(&N::Response) -> Option<KvRet>,
}

/// Records a run's history and checks it when the run is over.
pub struct HistoryOracle<N: Node> {
    translate: Translate<N>,
    history: History<KvOp, KvRet>,
    open: BTreeMap<(NodeId, RequestId), OpId>,
    processes: BTreeMap<(NodeId, usize), u64>,
    /// Which of a client's outstanding requests a process stands for: a process has one at a time.
    lanes: BTreeMap<NodeId, Vec<Option<RequestId>>>,
    budget: Budget,
    judged: Rc<std::cell::Cell<usize>>,
}

impl<N: Node> HistoryOracle<N> {
    /// An oracle that has seen nothing.
    pub fn new(translate: Translate<N>) -> Self {
        HistoryOracle {
            translate,
            history: History::new(),
            open: BTreeMap::new(),
            processes: BTreeMap::new(),
            lanes: BTreeMap::new(),
            budget: Budget::default(),
            judged: Rc::default(),
        }
    }

    /// Tells how many operations the finished history had, once it is judged.
    pub fn judged(&self) -> Rc<std::cell::Cell<usize>> {
        Rc::clone(&self.judged)
    }
}

impl<N: Node> Oracle<N> for HistoryOracle<N> {
    fn on_invoke(&mut self, client: NodeId, id: RequestId, request: &N::Request) {
        let Some(op) = (self.translate.op)(request) else { return };
        let lanes = self.lanes.entry(client).or_default();
        let lane = lanes.iter().position(Option::is_none).unwrap_or_else(|| {
            lanes.push(None);
            lanes.len() - 1
        });
        lanes[lane] = Some(id);
        let count = self.processes.len() as u64;
        let process = *self.processes.entry((client, lane)).or_insert(count);
        let op = self.history.invoke(process, op);
        self.open.insert((client, id), op);
    }

    fn on_return(&mut self, client: NodeId, id: RequestId, response: &N::Response) -> Result<(), String> {
        let Some(op) = self.open.remove(&(client, id)) else { return Ok(()) };
        if let Some(ret) = (self.translate.ret)(response) {
            self.history.complete(op, ret);
        }
        if let Some(lane) = self.lanes.entry(client).or_default().iter_mut().find(|lane| **lane == Some(id)) {
            *lane = None;
        }
        Ok(())
    }

    fn at_end(&mut self, _world: &World<N>) -> Result<(), String> {
        self.judged.set(self.history.len());
        match check::<KeyValue>(&self.history, self.budget) {
            Verdict::Linearizable { .. } => Ok(()),
            verdict @ (Verdict::NotLinearizable(_) | Verdict::GaveUp { .. }) => {
                Err(format!("the clients' history is {verdict}"))
            }
        }
    }
}
