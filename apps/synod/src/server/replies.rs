//! The replies of one connection, in the order of its commands.

use std::collections::VecDeque;
use synod_resp::{Protocol, Reply};
use synod_store::{Awaiting, Outcome, Session};

#[derive(Debug)]
enum Place {
    /// The answer is known.
    Ready(Reply),
    /// It is submitted.
    Waiting(Awaiting),
    /// What was submitted has ended.
    Ended(Awaiting, Outcome),
}

/// A queue of replies: they leave from the front, outcomes come in any order.
#[derive(Debug, Default)]
pub(super) struct Replies {
    places: VecDeque<(Place, Protocol)>,
    /// The number of the place in front.
    first: u64,
    /// About how many bytes of replies stand in places that are not yet written.
    ready_bytes: usize,
}

impl Replies {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether the one in front can be written.
    pub(super) fn has_next(&self) -> bool {
        matches!(self.places.front(), Some((Place::Ready(_) | Place::Ended(..), _)))
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Adds an answer behind all others.
    pub(super) fn push_ready(&mut self, reply: Reply, protocol: Protocol) {
        self.ready_bytes += reply.size_hint();
        self.places.push_back((Place::Ready(reply), protocol));
    }

    /// Adds a place for what is being submitted; returns its number.
    pub(super) fn push_waiting(&mut self, awaiting: Awaiting, protocol: Protocol) -> u64 {
        self.places.push_back((Place::Waiting(awaiting), protocol));
        self.first + self.places.len() as u64 - 1
    }

    /// The command at the place numbered `sequence` has ended. A second outcome for a place is dropped.
    pub(super) fn end(&mut self, sequence: u64, outcome: Outcome) {
        let index = sequence.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some((place, _)) = index.and_then(|index| self.places.get_mut(index)) else { return };
        if !matches!(place, Place::Waiting(_)) {
            return;
        }
        if let Outcome::Done(reply) = &outcome {
            self.ready_bytes += reply.size_hint();
        }
        // The place keeps its order while its content is exchanged.
        let Place::Waiting(awaiting) = std::mem::replace(place, Place::Ready(Reply::Null)) else { return };
        *place = Place::Ended(awaiting, outcome);
    }

    /// How many bytes of replies stand behind the one in front.
    pub(super) fn bytes_behind(&self) -> usize {
        let front = match self.places.front() {
            Some((Place::Ready(reply) | Place::Ended(_, Outcome::Done(reply)), _)) => reply.size_hint(),
            Some((Place::Waiting(_) | Place::Ended(..), _)) | None => 0,
        };
        self.ready_bytes.saturating_sub(front)
    }

    /// Writes what is ready at the front to `out`, until `out` holds `pause_bytes`. Returns how many replies. In place of
    /// one that is longer than `bytes_max` an error is written.
    pub(super) fn write(
        &mut self,
        session: &mut Session,
        out: &mut Vec<u8>,
        (pause_bytes, bytes_max): (usize, usize),
    ) -> usize {
        let mut written = 0;
        while out.len() < pause_bytes {
            let Some((place, protocol)) = self.places.pop_front() else { break };
            let reply = match place {
                Place::Waiting(awaiting) => {
                    self.places.push_front((Place::Waiting(awaiting), protocol));
                    break;
                }
                Place::Ready(reply) => {
                    self.ready_bytes = self.ready_bytes.saturating_sub(reply.size_hint());
                    reply
                }
                Place::Ended(awaiting, outcome) => {
                    if let Outcome::Done(reply) = &outcome {
                        self.ready_bytes = self.ready_bytes.saturating_sub(reply.size_hint());
                    }
                    session.on_outcome(awaiting, outcome)
                }
            };
            self.first += 1;
            written += 1;
            if reply.size_hint() > bytes_max {
                Reply::error("OOM the reply is longer than this server may hold; ask for it in parts")
                    .write(protocol, out);
            } else {
                reply.write(protocol, out);
            }
        }
        written
    }
}
