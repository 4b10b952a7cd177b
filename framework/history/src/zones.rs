//! The check of registers whose values tell which write they come from: decided by sorting, without a search.
//!
//! Gibbons and Korach, "Testing shared memories" (1997), section 4. A *cluster* is a write with the reads that
//! answered its value. Let `low` be the earliest answer in it and `high` the latest invocation. If `low < high`, the
//! register surely held the value from `low` to `high`: a *forward* zone. Else all operations of the cluster
//! overlap in `high..low`, and it fits anywhere therein: a *backward* zone. The history is linearizable exactly if
//! no read precedes its write, no two forward zones overlap, and no backward zone lies inside a forward one.
//!
//! The initial value is the value of a write that ended before the history began. A write of unknown outcome that
//! somebody read has an answer after the end of the history; one that nobody read is left out. A value that was
//! written several times is no obstacle as long as nobody read it.

use std::collections::BTreeMap;

use crate::history::Call;
use crate::specification::{Access, Specification};

/// Calls that contradict each other, as places in the list of calls, and why.
pub(crate) struct Clash {
    pub(crate) calls: Vec<usize>,
    pub(crate) why: String,
}

/// Decides `calls` if they are reads and writes of unique values; `None` if they are not.
pub(crate) fn decide<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>]) -> Option<Result<(), Clash>> {
    Some(match clusters::<S>(calls)? {
        Ok(clusters) => clash_of_zones(clusters),
        Err(clash) => Err(clash),
    })
}

/// One call of a cluster with its interval, both ends a place in the history. The initial write has no place.
#[derive(Clone, Copy)]
struct Span {
    call: Option<usize>,
    invoked: i64,
    returned: i64,
}

/// A value with its write and its reads.
struct Cluster {
    write: Span,
    /// The one answered first.
    first_answered: Span,
    /// The one invoked last.
    last_invoked: Span,
}

impl Cluster {
    fn new(write: Span) -> Self {
        Cluster { write, first_answered: write, last_invoked: write }
    }

    fn add(&mut self, read: Span) {
        if read.returned < self.first_answered.returned {
            self.first_answered = read;
        }
        if read.invoked > self.last_invoked.invoked {
            self.last_invoked = read;
        }
    }

    fn low(&self) -> i64 {
        self.first_answered.returned
    }

    fn high(&self) -> i64 {
        self.last_invoked.invoked
    }

    fn is_forward(&self) -> bool {
        self.low() < self.high()
    }

    fn calls(&self) -> impl Iterator<Item = usize> {
        [self.write, self.first_answered, self.last_invoked].into_iter().filter_map(|span| span.call)
    }
}

fn clash(calls: impl IntoIterator<Item = usize>, why: String) -> Clash {
    let mut calls: Vec<usize> = calls.into_iter().collect();
    calls.sort_unstable();
    calls.dedup();
    Clash { calls, why }
}

/// The values with their operations. `None` if this is no history of a register with unique values, an error if a
/// read alone contradicts it.
fn clusters<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>]) -> Option<Result<Vec<Cluster>, Clash>> {
    let mut reads: BTreeMap<Option<&[u8]>, Vec<Span>> = BTreeMap::new();
    let mut writes: Vec<(Option<&[u8]>, Span)> = vec![(None, Span { call: None, invoked: -1, returned: -1 })];
    for (at, call) in calls.iter().enumerate() {
        let returned = call.returned().map_or(i64::MAX, |index| index as i64);
        let span = Span { call: Some(at), invoked: call.invoked as i64, returned };
        match S::access(call.op, call.ret()) {
            Access::Read(value) => reads.entry(value).or_default().push(span),
            Access::ReadUnseen => {}
            Access::Write(value) => writes.push((Some(value), span)),
            Access::Other => return None,
        }
    }
    let mut clusters = Vec::new();
    let mut written = BTreeMap::new();
    for (value, write) in writes {
        if !reads.contains_key(&value) {
            if write.call.is_some() && write.returned < i64::MAX {
                clusters.push(Cluster::new(write));
            }
        } else if written.insert(value, write).is_some() {
            return None;
        }
    }
    for (value, reads) in reads {
        let Some(write) = written.get(&value) else {
            let why = "a read answered a value that nobody wrote".to_owned();
            return Some(Err(clash(reads[0].call, why)));
        };
        let mut cluster = Cluster::new(*write);
        for read in reads {
            if read.returned < write.invoked {
                let why = "a read answered a value before its write was invoked".to_owned();
                return Some(Err(clash(write.call.into_iter().chain(read.call), why)));
            }
            cluster.add(read);
        }
        clusters.push(cluster);
    }
    Some(Ok(clusters))
}

fn clash_of_zones(mut clusters: Vec<Cluster>) -> Result<(), Clash> {
    clusters.sort_by_key(Cluster::low);
    let (forward, backward): (Vec<Cluster>, Vec<Cluster>) =
        clusters.into_iter().partition(Cluster::is_forward);
    for pair in forward.windows(2) {
        if pair[1].low() < pair[0].high() {
            let why = "two values were both seen before and after each other".to_owned();
            return Err(clash(pair[0].calls().chain(pair[1].calls()), why));
        }
    }
    for inner in &backward {
        // A backward zone runs from the latest invocation to the earliest answer.
        let (from, to) = (inner.high(), inner.low());
        let at = forward.partition_point(|outer| outer.low() < from);
        let Some(outer) = at.checked_sub(1).map(|at| &forward[at]) else { continue };
        if to < outer.high() {
            let why =
                "a value was seen both before and after another one that was written in between".to_owned();
            return Err(clash(outer.calls().chain(inner.calls()), why));
        }
    }
    Ok(())
}
