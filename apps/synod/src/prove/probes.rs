//! Whether the store serves: a write every tenth of a second through each node, to a key in each part of the slots. The time
//! between two that are acknowledged, through whichever node, is a gap.

use super::clients::Shared;
use super::wire::Wire;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_resp::Reply;
use synod_store::SLOT_COUNT;

/// How often each node is asked.
const PERIOD: Duration = Duration::from_millis(100);
/// A probe waits so long for an answer, and then asks again on a new connection.
const ANSWER_MAX: Duration = Duration::from_millis(1_000);
/// So many acknowledgements of each part are remembered: more than come in the time of one fault.
const KEPT: usize = 20_000;

/// All probes.
pub(super) struct Probes {
    keys: Vec<String>,
    /// When writes of each key were acknowledged, in microseconds of the run.
    acknowledged: Vec<Mutex<VecDeque<u64>>>,
}

impl Probes {
    /// Probes of so many equal parts of the slots. A node tells which key is where.
    pub(super) fn new(parts: u32, address: SocketAddr) -> Option<Probes> {
        let mut wire = Wire::open(address, ANSWER_MAX)?;
        let part_slots = i64::from(SLOT_COUNT) / i64::from(parts);
        let mut keys: Vec<Option<String>> = vec![None; parts as usize];
        for number in 0.. {
            if keys.iter().all(Option::is_some) {
                break;
            }
            let key = format!("probe:{number}");
            let Reply::Integer(slot) = wire.ask(&["CLUSTER", "KEYSLOT", &key])? else { return None };
            let part = usize::try_from(slot / part_slots).ok()?.min(keys.len() - 1);
            keys[part].get_or_insert(key);
        }
        let keys: Vec<String> = keys.into_iter().flatten().collect();
        let acknowledged = keys.iter().map(|_| Mutex::default()).collect();
        Some(Probes { keys, acknowledged })
    }

    /// How many parts there are.
    pub(super) fn parts(&self) -> usize {
        self.keys.len()
    }

    /// Asks one node to write the key of one part, again and again, until the run is done.
    pub(super) fn ask(&self, shared: &Shared, part: usize, address: SocketAddr) {
        let mut wire: Option<Wire> = None;
        while !shared.is_done() {
            let began = Instant::now();
            let mut open = wire.take().or_else(|| shared.open(address, ANSWER_MAX));
            let reply = open.as_mut().and_then(|open| open.ask(&["SET", &self.keys[part], "1"]));
            if reply.as_ref() == Some(&Reply::OK) {
                let mut acknowledged = self.acknowledged[part].lock().unwrap_or_else(PoisonError::into_inner);
                acknowledged.push_back(shared.now_us());
                if acknowledged.len() > KEPT {
                    acknowledged.pop_front();
                }
            }
            // After an error the connection is good, after silence it is not.
            wire = if reply.is_some() { open } else { None };
            sleep(PERIOD.saturating_sub(began.elapsed()).max(Duration::from_millis(10)));
        }
    }

    /// When every part had acknowledged a write after `from_us`, if it has by now.
    pub(super) fn served_after(&self, from_us: u64) -> Option<u64> {
        let first = |times: &Mutex<VecDeque<u64>>| {
            let times = times.lock().unwrap_or_else(PoisonError::into_inner);
            times.get(times.partition_point(|at| *at <= from_us)).copied()
        };
        self.acknowledged.iter().map(first).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The longest time of any part without an acknowledged write that touches `from_us..to_us`.
    pub(super) fn longest_gap(&self, from_us: u64, to_us: u64) -> u64 {
        let longest = |times: &Mutex<VecDeque<u64>>| {
            let times = times.lock().unwrap_or_else(PoisonError::into_inner);
            let first = times.partition_point(|at| *at <= from_us).saturating_sub(1);
            let mut last = times.get(first).copied().unwrap_or(0);
            let mut longest = 0;
            for at in times.iter().skip(first + 1).copied().chain([to_us.max(last)]) {
                longest = longest.max(at - last);
                last = at;
                if at >= to_us {
                    break;
                }
            }
            longest
        };
        self.acknowledged.iter().map(longest).max().unwrap_or(0)
    }
}
