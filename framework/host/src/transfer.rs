//! Messages that hold a state, on their way in parts: the bookkeeping of both ends, without sockets or threads.
//!
//! Such a message may have any size. Its sender encodes it part by part, keeps the parts that its receiver has not read, at
//! most [`WINDOW_PARTS`] of them, and sends them between its other frames. The receiver decodes each part as it comes. So
//! either end holds a window of bytes besides the state itself, and a slow receiver slows the sender down.
//!
//! A part has the checksum of its frame and a number. After the connection broke, the sender goes on with the first part
//! that was not read. A transfer that does not move for [`TRANSFER_IDLE_MAX`] is given up, by each end for itself: the
//! message is lost, as on a network, and who needs it asks again.
//!
//! Between two processes there is one transfer at a time in each direction. What is said meanwhile waits if it is between
//! other nodes, the newest message of each pair; a message of the pair that is on its way is dropped.

use crate::frame::{Ack, AckState, BadFrame, Pair, Part};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The most bytes of a part. Other frames wait behind two of them at most.
pub(crate) const PART_BYTES: usize = 256 << 10;
/// The most parts that were sent, or are ready to be, and not read.
pub(crate) const WINDOW_PARTS: u64 = 16;
/// The most bytes of a message: what a peer can make this process decode.
pub(crate) const TRANSFER_BYTES_MAX: u64 = 1 << 40;
/// A transfer that does not move for so long is given up.
pub(crate) const TRANSFER_IDLE_MAX: Duration = Duration::from_secs(30);
/// If nothing was acknowledged for so long on a connection that holds, an acknowledgement was lost: parts are sent again.
const RESEND_AFTER: Duration = Duration::from_secs(2);
/// The most messages that wait for a transfer, of different pairs.
const WAITING_MAX: usize = 64;
/// After a transfer the same pair has none for as long as that one took, and for this at most: the receiver may not have
/// told its sender's node yet that it has the state.
const REST_MAX: Duration = Duration::from_secs(2);

/// A transfer at its sender.
pub(crate) struct Outgoing {
    transfer: u64,
    pair: Pair,
    /// The parts from `acked` on, and whether each is the last.
    window: VecDeque<(Vec<u8>, bool)>,
    /// Every part before this one was read.
    acked: u64,
    /// Every part before this one was sent: `acked <= sent <= acked + window.len()`.
    sent: u64,
    /// The last part was added.
    is_whole: bool,
    /// When it moved last.
    moved: Instant,
    /// When it was sent again last, or began.
    resent: Instant,
    /// The connection that it is sent through.
    connection: u64,
    begun: Instant,
    outcome: Option<AckState>,
}

/// What a sender does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SendStep {
    /// Puts [`Outgoing::next_part`] on its way.
    Put,
    /// Waits for the encoder's next part, or for news.
    NeedsPart,
    /// Waits for news.
    Waits,
    /// Has nothing more to do.
    Over,
}

impl Outgoing {
    pub(crate) fn new(transfer: u64, pair: Pair, now: Instant) -> Outgoing {
        Outgoing {
            transfer,
            pair,
            window: VecDeque::new(),
            acked: 0,
            sent: 0,
            is_whole: false,
            moved: now,
            resent: now,
            connection: 0,
            begun: now,
            outcome: None,
        }
    }

    pub(crate) fn pair(&self) -> Pair {
        self.pair
    }

    /// The encoder's next part.
    pub(crate) fn add(&mut self, bytes: Vec<u8>, is_last: bool, now: Instant) {
        assert!(self.has_room() && !bytes.is_empty() && bytes.len() <= PART_BYTES, "a part that fits");
        self.window.push_back((bytes, is_last));
        self.is_whole = is_last;
        self.moved = now;
    }

    fn has_room(&self) -> bool {
        !self.is_whole && (self.window.len() as u64) < WINDOW_PARTS
    }

    /// What to do now, over the connection of this number if there is one. `is_free` says that no part waits to be written.
    pub(crate) fn step(&mut self, connection: Option<u64>, is_free: bool, now: Instant) -> SendStep {
        if now.duration_since(self.moved) > TRANSFER_IDLE_MAX {
            self.outcome.get_or_insert(AckState::GivenUp);
        }
        if self.outcome.is_some() {
            return SendStep::Over;
        }
        if let Some(connection) = connection {
            let last_moved = self.moved.max(self.resent);
            if connection != self.connection || now.duration_since(last_moved) > RESEND_AFTER {
                self.connection = connection;
                self.resent = now;
                self.sent = self.acked;
            }
            if is_free && self.sent < self.acked + self.window.len() as u64 {
                return SendStep::Put;
            }
        }
        if self.has_room() { SendStep::NeedsPart } else { SendStep::Waits }
    }

    /// The next part to be put on its way: it counts as sent.
    pub(crate) fn next_part(&mut self) -> Option<Part<'_>> {
        let (bytes, is_last) = self.window.get((self.sent - self.acked) as usize)?;
        let part = Part { transfer: self.transfer, part: self.sent, is_last: *is_last, bytes };
        self.sent += 1;
        Some(part)
    }

    /// The receiver says how far it is. What it cannot have read, and what is about another transfer, says nothing.
    pub(crate) fn on_ack(&mut self, ack: Ack, now: Instant) {
        if ack.transfer != self.transfer || ack.next > self.acked + self.window.len() as u64 {
            return;
        }
        while self.acked < ack.next {
            self.window.pop_front();
            self.acked += 1;
            self.moved = now;
        }
        self.sent = self.sent.max(self.acked);
        if ack.state != AckState::UnderWay {
            self.outcome = Some(ack.state);
        }
    }
}

/// All that is sent in parts to one peer.
pub(crate) struct Sending<M> {
    waiting: VecDeque<(Pair, M)>,
    pub(crate) current: Option<Outgoing>,
    /// This pair has no transfer before this time.
    resting: Option<(Pair, Instant)>,
    /// Wakes whoever sends: something was offered, acknowledged or written, or the peer is connected again.
    pub(crate) wake: Rc<Notify>,
}

impl<M> Default for Sending<M> {
    fn default() -> Self {
        Sending { waiting: VecDeque::new(), current: None, resting: None, wake: Rc::default() }
    }
}

impl<M> Sending<M> {
    /// A message is to be sent. Gives back one that is lost instead: this one, or an older one that waited.
    pub(crate) fn offer(&mut self, pair: Pair, message: M, now: Instant) -> Option<M> {
        let is_under_way = self.current.as_ref().is_some_and(|current| current.pair == pair);
        if is_under_way || self.resting.is_some_and(|(resting, until)| resting == pair && now < until) {
            return Some(message);
        }
        self.wake.notify_one();
        if let Some((_, waiting)) = self.waiting.iter_mut().find(|(waiting, _)| *waiting == pair) {
            return Some(std::mem::replace(waiting, message));
        }
        if self.waiting.len() >= WAITING_MAX {
            return Some(message);
        }
        self.waiting.push_back((pair, message));
        None
    }

    /// Begins the transfer of the message that waited longest, if one waits.
    pub(crate) fn begin(&mut self, transfer: u64, now: Instant) -> Option<M> {
        let (pair, message) = self.waiting.pop_front()?;
        self.current = Some(Outgoing::new(transfer, pair, now));
        Some(message)
    }

    /// The connection broke: what had not begun is lost, so that it keeps no old state while the peer is away.
    pub(crate) fn lose_waiting(&mut self) -> VecDeque<(Pair, M)> {
        std::mem::take(&mut self.waiting)
    }

    /// The transfer is over. Says whether its message arrived.
    pub(crate) fn end(&mut self, now: Instant) -> bool {
        let Some(ended) = self.current.take() else { return false };
        let is_done = ended.outcome == Some(AckState::Done);
        if is_done {
            let took = now.duration_since(ended.begun);
            self.resting = Some((ended.pair, now + took.min(REST_MAX)));
        }
        is_done
    }
}

/// A transfer at its receiver.
pub(crate) struct Incoming {
    transfer: u64,
    pair: Pair,
    /// Every part before this one came.
    next: u64,
    /// Every part before this one was read.
    read: u64,
    /// The last part came.
    is_whole: bool,
    moved: Instant,
    /// To the thread that decodes.
    parts: Sender<(Vec<u8>, bool)>,
}

impl Incoming {
    pub(crate) fn pair(&self) -> Pair {
        self.pair
    }

    fn ack(&self) -> Ack {
        Ack { transfer: self.transfer, next: self.read, state: AckState::UnderWay }
    }

    fn take(&mut self, part: &Part<'_>, now: Instant) -> Result<(), BadFrame> {
        let is_next = part.part == self.next && !self.is_whole && self.next - self.read < WINDOW_PARTS;
        if !is_next || (part.part + 1).saturating_mul(PART_BYTES as u64) > TRANSFER_BYTES_MAX {
            return Err(BadFrame::Transfer);
        }
        // A thread that ended early says why.
        let _ = self.parts.send((part.bytes.to_vec(), part.is_last));
        self.next += 1;
        self.is_whole = part.is_last;
        self.moved = now;
        Ok(())
    }
}

/// All that comes in parts from one peer.
#[derive(Default)]
pub(crate) struct Receiving {
    current: Option<Incoming>,
    /// The transfer that a thread decodes: that of `current`, or one that ended before the thread did.
    decoding: Option<u64>,
    /// The last transfer whose message arrived.
    done: Option<u64>,
}

/// What becomes of a part that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrival {
    /// It is with the thread that decodes.
    Taken,
    /// It begins a transfer: a thread is needed, then it is offered again.
    Begins,
    /// It changes nothing, and this is the answer.
    Answered(Ack),
}

impl Receiving {
    /// A part came.
    ///
    /// # Errors
    /// If no sender that follows the rules sends it.
    pub(crate) fn on_part(&mut self, pair: Pair, part: &Part<'_>, now: Instant) -> Result<Arrival, BadFrame> {
        if part.bytes.is_empty() || part.bytes.len() > PART_BYTES {
            return Err(BadFrame::Transfer);
        }
        let answer = |state| Ok(Arrival::Answered(Ack { transfer: part.transfer, next: 0, state }));
        if let Some(current) = self.current.as_mut().filter(|current| current.transfer == part.transfer) {
            if current.pair != pair {
                return Err(BadFrame::Transfer);
            }
            if part.part < current.next {
                // It was sent again after a connection broke, or because an acknowledgement was lost.
                current.moved = now;
                return Ok(Arrival::Answered(current.ack()));
            }
            current.take(part, now)?;
            return Ok(Arrival::Taken);
        }
        if self.done == Some(part.transfer) {
            return answer(AckState::Done);
        }
        if part.part > 0 {
            return answer(AckState::GivenUp);
        }
        // The sender has given up what was under way. One thread a peer: it ends soon.
        self.current = None;
        if self.decoding.is_some() { answer(AckState::GivenUp) } else { Ok(Arrival::Begins) }
    }

    /// A transfer begins, and a thread decodes what `parts` gets.
    pub(crate) fn begin(
        &mut self,
        transfer: u64,
        pair: Pair,
        parts: Sender<(Vec<u8>, bool)>,
        moved: Instant,
    ) {
        self.decoding = Some(transfer);
        self.current = Some(Incoming { transfer, pair, next: 0, read: 0, is_whole: false, moved, parts });
    }

    /// The thread has read the next part. Yields what to tell the sender.
    pub(crate) fn on_read(&mut self, transfer: u64, now: Instant) -> Option<(Pair, Ack)> {
        let current = self.current.as_mut().filter(|current| current.transfer == transfer)?;
        current.read += 1;
        current.moved = now;
        Some((current.pair, current.ack()))
    }

    /// The thread has ended. Yields the transfer, unless it was given up before.
    pub(crate) fn on_decoded(&mut self, transfer: u64) -> Option<Incoming> {
        if self.decoding == Some(transfer) {
            self.decoding = None;
        }
        self.current.take_if(|current| current.transfer == transfer)
    }

    /// What a transfer held is with its node. Yields what to tell the sender.
    pub(crate) fn done(&mut self, ended: &Incoming) -> Ack {
        self.done = Some(ended.transfer);
        Ack { state: AckState::Done, ..ended.ack() }
    }

    /// Nothing comes of a transfer. Yields what to tell the sender.
    pub(crate) fn give_up(ended: &Incoming) -> Ack {
        Ack { state: AckState::GivenUp, ..ended.ack() }
    }

    /// Gives up a transfer that does not move.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.current.take_if(|current| now.duration_since(current.moved) > 2 * TRANSFER_IDLE_MAX);
    }

    /// What the sender should know when a connection to it begins.
    pub(crate) fn under_way(&self) -> Option<(Pair, Ack)> {
        self.current.as_ref().map(|current| (current.pair, current.ack()))
    }
}
