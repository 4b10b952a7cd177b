//! The observer of a search that judges what clients are told while it happens.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use synod_checker::{Checkable, Observer};
use synod_history::{KeyValue, KvOp, KvRet, Monitor};
use synod_node::{NodeId, RequestId};

/// The most requests that a user has outstanding.
const LANES_MAX: u64 = 64;

/// How a module's requests and answers read as operations of a key-value store: a type without values.
pub trait Translator<N: Checkable>:
    Clone + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync + 'static
{
    /// The operation that a request is; `None` if the store is not asked.
    fn op(request: &N::Request) -> Option<KvOp>;
    /// What an answer says; `None` if it leaves open whether the operation happened.
    fn ret(response: &N::Response) -> Option<KvRet>;
}

/// Objects as soon as no order of the operations explains what clients were told. Part of the states that a search
/// tells apart, so it forgets what can no longer matter: see [`Monitor`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Linearizable<T> {
    monitor: Monitor<KeyValue>,
    /// Which of a client's outstanding requests a process of the monitor stands for: a process has one at a time. No
    /// client without one, and none at a list's end that is free.
    lanes: BTreeMap<NodeId, Vec<Option<RequestId>>>,
    translator: PhantomData<fn() -> T>,
}

impl<T> Default for Linearizable<T> {
    fn default() -> Self {
        Linearizable { monitor: Monitor::new(), lanes: BTreeMap::new(), translator: PhantomData }
    }
}

impl<T> Linearizable<T> {
    /// The same where some operations have a key and some have several: slower, since nothing is judged key by key.
    pub fn whole() -> Self {
        Linearizable { monitor: Monitor::whole(), ..Linearizable::default() }
    }
}

/// The process of the monitor that a client's lane is.
fn number(client: NodeId, lane: usize) -> u64 {
    u64::from(client.number()) * LANES_MAX + lane as u64
}

impl<T> Linearizable<T> {
    fn take_lane(&mut self, client: NodeId, id: RequestId) -> u64 {
        let lanes = self.lanes.entry(client).or_default();
        let lane = lanes.iter().position(Option::is_none).unwrap_or_else(|| {
            lanes.push(None);
            lanes.len() - 1
        });
        assert!((lane as u64) < LANES_MAX, "a user has more requests outstanding than this observer knows");
        lanes[lane] = Some(id);
        number(client, lane)
    }

    /// The process that stood for a request, which is free now.
    fn leave_lane(&mut self, client: NodeId, id: RequestId) -> Option<u64> {
        let lanes = self.lanes.get_mut(&client)?;
        let lane = lanes.iter().position(|lane| *lane == Some(id))?;
        lanes[lane] = None;
        while let Some(None) = lanes.last() {
            lanes.pop();
        }
        if lanes.is_empty() {
            self.lanes.remove(&client);
        }
        Some(number(client, lane))
    }
}

impl<N: Checkable, T: Translator<N>> Observer<N> for Linearizable<T> {
    fn on_invoke(&mut self, client: NodeId, id: RequestId, request: &N::Request) {
        let Some(op) = T::op(request) else { return };
        let process = self.take_lane(client, id);
        self.monitor.invoke(process, op);
    }

    fn on_return(&mut self, client: NodeId, id: RequestId, response: &N::Response) -> Result<(), String> {
        let Some(process) = self.leave_lane(client, id) else { return Ok(()) };
        match T::ret(response) {
            Some(ret) => self.monitor.complete(process, &ret).map_err(|words| {
                // Whoever looks further does so as if the answer were still to come.
                self.monitor.abandon(process);
                format!("not linearizable: {words} (processes are {LANES_MAX} times their client's number)")
            }),
            None => {
                self.monitor.abandon(process);
                Ok(())
            }
        }
    }

    fn on_give_up(&mut self, client: NodeId, id: RequestId) {
        if let Some(process) = self.leave_lane(client, id) {
            self.monitor.abandon(process);
        }
    }

    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.monitor.rename(&|process| {
            let client = name(NodeId::client((process / LANES_MAX) as u32));
            u64::from(client.number()) * LANES_MAX + process % LANES_MAX
        });
        self.lanes =
            std::mem::take(&mut self.lanes).into_iter().map(|(id, lanes)| (name(id), lanes)).collect();
    }
}
