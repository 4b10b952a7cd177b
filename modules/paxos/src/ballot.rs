//! Ballots and slots: the two numbers of Multi-Paxos.

use crate::Incarnation;
use std::fmt;
use synod_node::{NodeId, Rename};
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// No round and no slot is ever higher: with a million a second that takes a hundred thousand years. So there is always a
/// next one.
const NUMBER_MAX: u64 = 1 << 62;

/// A ballot: a round, and the node that proposes in it, in which of its lives. Higher rounds win, then higher names, then
/// later lives; [`Ballot::ZERO`] is below every ballot that a node proposes in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// The round, from 1.
    pub round: u64,
    /// Who proposes.
    pub node: NodeId,
    /// In which of its lives: a former one may still be about, and two never propose in one ballot.
    pub life: Incarnation,
}

impl Ballot {
    /// Nobody's ballot: what everyone has promised before anything happened.
    pub const ZERO: Ballot = Ballot { round: 0, node: NodeId::server(0), life: 0 };

    /// The lowest ballot of this life of `node` that is above this one.
    pub fn next(self, node: NodeId, life: Incarnation) -> Ballot {
        Ballot { round: self.round + 1, node, life }
    }
}

impl Default for Ballot {
    fn default() -> Self {
        Ballot::ZERO
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}.{}", self.round, self.node)?;
        if self.life > 0 { write!(f, "/{}", self.life) } else { Ok(()) }
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Rename for Ballot {
    /// Nobody's ballot stays nobody's. Ballots of one round compare by name, so renaming servers may change which of
    /// two is the higher; renaming clients changes nothing.
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        if *self != Ballot::ZERO {
            self.node.rename(name);
        }
    }
}

impl Wire for Ballot {
    fn encode(&self, out: &mut Writer<'_>) {
        self.round.encode(out);
        self.node.encode(out);
        self.life.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (round, node, life) = Wire::decode(input)?;
        if round > NUMBER_MAX {
            return Err(Malformed("a round that no node ever reaches"));
        }
        Ok(Ballot { round, node, life })
    }
}

/// A place in the replicated log, from 1. 0 means "none yet" where a slot says how far something got.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Slot(pub u64);

impl Slot {
    /// The slot before the first.
    pub const ZERO: Slot = Slot(0);

    /// The slot after this one.
    pub fn next(self) -> Slot {
        Slot(self.0 + 1)
    }

    /// The slot so many further on.
    pub fn plus(self, slots: u64) -> Slot {
        Slot(self.0 + slots)
    }

    /// How many slots lie in `(from, self]`; 0 if there are none.
    pub fn since(self, from: Slot) -> u64 {
        self.0.saturating_sub(from.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Rename for Slot {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}

impl Wire for Slot {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let slot = u64::decode(input)?;
        if slot > NUMBER_MAX {
            return Err(Malformed("a slot that no log ever reaches"));
        }
        Ok(Slot(slot))
    }
}
