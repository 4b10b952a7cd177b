//! What is in flight, and what a fingerprint changes by when it changes: the part of a [`Worker`] that knows envelopes.

use crate::Checkable;
use crate::extras::Extras;
use crate::hash::{Salt, content_hash};
use crate::system::Network;
use crate::worker::{NONE, Successor, Worker};

/// What a worker knows of an envelope.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) hash: u64,
    /// How many others to the same place were met before.
    pub(crate) rank: u32,
    pub(crate) from: u8,
    pub(crate) to: u8,
    /// Whether the link is not cut.
    pub(crate) is_open: bool,
}

impl Route {
    pub(crate) fn link(&self) -> (u32, u32) {
        (u32::from(self.from), u32::from(self.to))
    }
}

/// Tells, of messages in flight in their order, those that need no look: one that is in flight several times is one
/// delivery, and on an ordered link only the first may arrive.
pub(crate) struct Heads {
    is_ordered: bool,
    before: u32,
    link: Option<(u32, u32)>,
}

impl Heads {
    pub(crate) fn new(network: Network) -> Self {
        Heads { is_ordered: network == Network::Ordered, before: NONE, link: None }
    }

    #[inline]
    pub(crate) fn is_again(&mut self, envelope: u32) -> bool {
        !self.is_ordered && std::mem::replace(&mut self.before, envelope) == envelope
    }

    #[inline]
    pub(crate) fn is_behind(&mut self, route: Route) -> bool {
        self.is_ordered && self.link.replace(route.link()) == Some(route.link())
    }
}

impl<N: Checkable> Worker<'_, N> {
    /// Whether a message may arrive at all: its link is not cut, nobody is paused or apart `now`, the receiver runs.
    #[inline]
    pub(crate) fn may_arrive(&mut self, state: &[u32], now: Option<&Extras>, route: Route) -> bool {
        route.is_open
            && !now.is_some_and(|now| self.is_kept_from(now, route.link()))
            && self.facts(state[usize::from(route.to)]).is_running
    }

    pub(crate) fn flight_hash(&mut self, flight: &[u32]) -> u64 {
        let mut sum = 0u64;
        let (mut link, mut position) = (None, 0u32);
        for envelope in flight {
            let route = self.route(*envelope);
            let hash = route.hash;
            let hash = match self.network {
                Network::Set | Network::Bag => hash,
                Network::Ordered => {
                    let is_next = link.replace(route.link()) == Some(route.link());
                    position = if is_next { position + 1 } else { 0 };
                    content_hash(Salt::Position, &(hash, position))
                }
            };
            sum = sum.wrapping_add(hash);
        }
        sum
    }

    #[inline]
    pub(crate) fn route(&mut self, envelope: u32) -> Route {
        match self.routes.get(envelope as usize) {
            Some(Some(route)) => *route,
            Some(None) | None => self.meet(envelope),
        }
    }

    /// An envelope that this worker does not know.
    #[cold]
    fn meet(&mut self, envelope: u32) -> Route {
        let value = self.shared.envelopes.value(envelope);
        let to = self.shared.index(value.to).expect("envelopes go to nodes that are there");
        // Who is not there sends no more, so its links have no order.
        let from = self.shared.index(value.from).unwrap_or(to);
        let (from, to) = (from as u8, to as u8);
        let rank = self.ranks[to as usize];
        self.ranks[to as usize] += 1;
        let route = Route {
            from,
            to,
            rank,
            hash: self.shared.envelopes.hash(envelope),
            is_open: !self.settings.cut_links.contains(&(value.from, value.to)),
        };
        let at = envelope as usize;
        if self.routes.len() <= at {
            self.routes.resize(at + 1, None);
        }
        self.routes[at] = Some(route);
        route
    }

    /// Marks what is in flight, for [`flight_delta`](Worker::flight_delta): where it is a set, whether something is in
    /// it is asked for all that each successor sends.
    pub(crate) fn mark_flight(&mut self, state: &[u32]) {
        if self.network != Network::Set {
            return;
        }
        self.mark = self.mark.wrapping_add(1);
        if self.mark == 0 {
            self.marks.fill(0);
            self.mark = 1;
        }
        let flight = &state[self.places + 2..];
        // In a set they are in order.
        let len = flight.last().map_or(0, |last| *last as usize + 1);
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
        for envelope in flight {
            self.marks[*envelope as usize] = self.mark;
        }
    }

    /// What the fingerprint changes by, for what is in flight; it must be marked.
    pub(crate) fn flight_delta(&mut self, state: &[u32], next: &Successor) -> u64 {
        let flight = &state[self.places + 2..];
        let (first, end) = if next.step == NONE { (0, 0) } else { self.known[next.step as usize].sends };
        let mut sum = 0u64;
        match self.network {
            Network::Set => {
                for (envelope, hash) in &self.sends[first as usize..end as usize] {
                    if self.marks.get(*envelope as usize) != Some(&self.mark) {
                        sum = sum.wrapping_add(*hash);
                    }
                }
                if next.consumed != NONE {
                    sum = sum.wrapping_sub(self.route(next.consumed).hash);
                }
            }
            // What is sent is part of the step's own share.
            Network::Bag if next.consumed != NONE => {
                sum = sum.wrapping_sub(self.route(next.consumed).hash);
            }
            Network::Bag => {}
            Network::Ordered => {
                let mut after = std::mem::take(&mut self.scratch);
                after.clear();
                self.add_flight(flight, next, &mut after);
                sum = self.flight_hash(&after).wrapping_sub(self.flight_hash(flight));
                self.scratch = after;
            }
        }
        sum
    }

    /// Appends what is in flight after `next` happened.
    pub(crate) fn add_flight(&mut self, flight: &[u32], next: &Successor, out: &mut Vec<u32>) {
        let from = out.len();
        out.extend_from_slice(flight);
        if next.consumed != NONE {
            let at = flight.iter().position(|envelope| *envelope == next.consumed);
            out.remove(from + at.expect("what is consumed was in flight"));
        }
        let (first, end) = if next.step == NONE { (0, 0) } else { self.known[next.step as usize].sends };
        for at in first as usize..end as usize {
            let envelope = self.sends[at].0;
            let here = &out[from..];
            let place = match self.network {
                Network::Set => match here.binary_search(&envelope) {
                    Ok(_) => continue,
                    Err(place) => place,
                },
                Network::Bag => here.partition_point(|other| *other < envelope),
                Network::Ordered => {
                    let mine = self.route(envelope).link();
                    let behind: Vec<_> = here.iter().map(|other| self.route(*other).link()).collect();
                    behind.partition_point(|other| *other <= mine)
                }
            };
            out.insert(from + place, envelope);
        }
    }

    /// Appends what `next` sends that was not in flight before.
    pub(crate) fn add_fresh(&self, state: &[u32], next: &Successor, out: &mut Vec<u32>) {
        if next.step == NONE {
            return;
        }
        let flight = &state[self.places + 2..];
        let is_set = self.network == Network::Set;
        for (envelope, _) in self.sends(next.step) {
            if !is_set || flight.binary_search(envelope).is_err() {
                out.push(*envelope);
            }
        }
    }

    /// The envelopes that a step sends, with their hashes.
    pub(crate) fn sends(&self, step: u32) -> &[(u32, u64)] {
        let (first, end) = self.known[step as usize].sends;
        &self.sends[first as usize..end as usize]
    }

    /// The sender and receiver of an envelope.
    pub(crate) fn link(&mut self, envelope: u32) -> (u32, u32) {
        self.route(envelope).link()
    }

    pub(crate) fn envelope_hash(&mut self, envelope: u32) -> u64 {
        self.route(envelope).hash
    }
}
