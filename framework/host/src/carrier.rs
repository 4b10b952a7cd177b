//! Carries messages that hold a state: threads that encode and decode them, and tasks that put their parts on their way.

use crate::core::{Core, Hosted};
use crate::disk_thread::give_way;
use crate::frame::{Ack, BadFrame, Pair, Part, put_ack, put_part};
use crate::transfer::{Arrival, PART_BYTES, Receiving, SendStep, TRANSFER_BYTES_MAX};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use synod_node::Node;
use synod_stdx::{Malformed, Wire};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel};

/// So many parts may an encoder be ahead.
const ENCODED_PARTS_MAX: usize = 2;
/// How long a task waits that nothing wakes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a thread that decodes says to the event loop.
pub(crate) enum TransferNews<M> {
    /// It has read the next part.
    Read { peer: usize, transfer: u64 },
    /// It has ended.
    Decoded { peer: usize, transfer: u64, message: Result<M, Malformed> },
}

/// Where threads that decode send their news.
pub(crate) type NewsOf<N> = UnboundedSender<TransferNews<<N as Node>::Message>>;

/// Drops what may take long to drop.
pub(crate) fn drop_aside<T: Send + 'static>(value: T) {
    let dropping = thread::Builder::new().name("drop".into()).spawn(move || {
        give_way();
        drop(value);
    });
    if let Err(error) = dropping {
        // The value is dropped here, then.
        tracing::warn!(%error, "no thread could be had to free memory");
    }
}

/// Encodes a message, part by part, as far as somebody takes the parts. Each comes with whether it is the last.
fn encode<M: Wire + Send + 'static>(message: M) -> std::io::Result<Receiver<(Vec<u8>, bool)>> {
    let (parts, taken) = channel(ENCODED_PARTS_MAX);
    thread::Builder::new().name("encode".into()).spawn(move || {
        give_way();
        let mut before: Option<Vec<u8>> = None;
        let is_whole = message.to_parts(PART_BYTES, &mut |part| {
            let part = std::mem::replace(part, Vec::with_capacity(PART_BYTES));
            let Some(before) = before.replace(part) else { return true };
            parts.blocking_send((before, false)).is_ok()
        });
        if let Some(last) = before.filter(|_| is_whole) {
            let _ = parts.blocking_send((last, true));
        }
    })?;
    Ok(taken)
}

/// Decodes what `parts` gives.
fn decode<N: Hosted>(
    (peer, transfer): (usize, u64),
    parts: mpsc::Receiver<(Vec<u8>, bool)>,
    news: NewsOf<N>,
) -> std::io::Result<()> {
    thread::Builder::new().name("decode".into()).spawn(move || {
        give_way();
        let mut is_whole = false;
        let message = N::Message::read_parts(TRANSFER_BYTES_MAX, &mut |buffer| {
            // After the last one, and where the transfer was given up, none comes.
            if is_whole {
                return false;
            }
            let Ok((bytes, is_last)) = parts.recv() else { return false };
            is_whole = is_last;
            buffer.extend_from_slice(&bytes);
            let _ = news.send(TransferNews::Read { peer, transfer });
            true
        });
        let message = message.and_then(|message| {
            // What ends where a transfer was cut off is not what was sent.
            if is_whole { Ok(message) } else { Err(Malformed("cut short")) }
        });
        let _ = news.send(TransferNews::Decoded { peer, transfer, message });
    })?;
    Ok(())
}

/// Sends one peer what is offered for it, until the process ends.
pub(crate) async fn send<N: Hosted>(peer: usize, core: Rc<RefCell<Core<N>>>) {
    let wake = Rc::clone(&core.borrow().outs[peer].sending.wake);
    loop {
        let begun = core.borrow_mut().begin_transfer(peer);
        let Some(message) = begun else {
            wake.notified().await;
            continue;
        };
        match encode(message) {
            Ok(mut parts) => carry(peer, &mut parts, &wake, &core).await,
            Err(error) => tracing::warn!(%error, "no thread could be had to encode a state"),
        }
        core.borrow_mut().end_transfer(peer);
    }
}

/// Sends the parts of one message.
async fn carry<N: Hosted>(
    peer: usize,
    parts: &mut Receiver<(Vec<u8>, bool)>,
    wake: &tokio::sync::Notify,
    core: &RefCell<Core<N>>,
) {
    loop {
        let step = core.borrow_mut().advance_transfer(peer);
        match step {
            SendStep::Put => {}
            SendStep::Over => return,
            SendStep::NeedsPart => tokio::select! {
                part = parts.recv() => {
                    let Some((bytes, is_last)) = part else { return };
                    if let Some(current) = &mut core.borrow_mut().outs[peer].sending.current {
                        current.add(bytes, is_last, Instant::now());
                    }
                }
                () = wake.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            },
            SendStep::Waits => tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            },
        }
    }
}

/// Tells the senders how far their transfers are, and hands messages to their nodes, until the process ends.
pub(crate) async fn receive<N: Hosted>(
    mut news: UnboundedReceiver<TransferNews<N::Message>>,
    core: Rc<RefCell<Core<N>>>,
) {
    loop {
        tokio::select! {
            Some(news) = news.recv() => {
                let mut core = core.borrow_mut();
                match news {
                    TransferNews::Read { peer, transfer } => core.on_part_read(peer, transfer),
                    TransferNews::Decoded { peer, transfer, message } => core.on_decoded(peer, transfer, message),
                }
                core.turn();
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {
                let now = Instant::now();
                core.borrow_mut().ins.iter_mut().for_each(|receiving| receiving.sweep(now));
            }
        }
    }
}

impl<N: Hosted> Core<N> {
    /// A message that holds a state is to be sent to a node of `peer`.
    pub(crate) fn send_in_parts(&mut self, peer: usize, pair: Pair, message: N::Message) {
        let lost = match self.outs[peer].is_connected {
            true => self.outs[peer].sending.offer(pair, message, Instant::now()),
            false => Some(message),
        };
        if let Some(lost) = lost {
            self.counters.frames_dropped += 1;
            if let Some(recorder) = &mut self.recorder {
                recorder.lost::<N>(pair.0, pair.1, &lost);
            }
            // It shares almost all with what the node has.
            drop_aside(lost);
        }
    }

    fn begin_transfer(&mut self, peer: usize) -> Option<N::Message> {
        // A number of this start that was not used: starts never return.
        let number = self.transfers_begun + 1;
        let message = self.outs[peer].sending.begin(self.transfer_base + number, Instant::now())?;
        self.transfers_begun = number;
        Some(message)
    }

    fn end_transfer(&mut self, peer: usize) {
        if self.outs[peer].sending.end(Instant::now()) {
            self.counters.transfers_sent += 1;
        } else {
            self.counters.transfers_given_up += 1;
        }
    }

    /// Puts the next part on its way, if it may go; says what else there is to do.
    fn advance_transfer(&mut self, peer: usize) -> SendStep {
        let out = &mut self.outs[peer];
        let Some(current) = &mut out.sending.current else { return SendStep::Over };
        let connection = out.is_connected.then_some(out.connection);
        let step = current.step(connection, !out.has_part, Instant::now());
        let pair = current.pair();
        if step == SendStep::Put
            && let Some(part) = current.next_part()
        {
            put_part(&mut out.bytes, self.durable.sequence(), pair, &part);
            out.has_part = true;
            out.wake.notify_one();
            self.counters.parts_sent += 1;
        }
        step
    }

    /// A part came.
    pub(crate) fn on_part(&mut self, peer: usize, pair: Pair, part: &Part<'_>) -> Result<(), BadFrame> {
        let now = Instant::now();
        let mut arrival = self.ins[peer].on_part(pair, part, now)?;
        if arrival == Arrival::Begins {
            let (parts_in, parts) = mpsc::channel();
            if let Err(error) = decode::<N>((peer, part.transfer), parts, self.transfer_news.clone()) {
                tracing::warn!(%error, "no thread could be had to decode a state");
                return Ok(());
            }
            self.ins[peer].begin(part.transfer, pair, parts_in, now);
            arrival = self.ins[peer].on_part(pair, part, now)?;
        }
        self.counters.parts_received += 1;
        if let Arrival::Answered(ack) = arrival {
            self.send_ack(peer, pair, ack);
        }
        Ok(())
    }

    /// A peer says how far a transfer to it is.
    pub(crate) fn on_ack(&mut self, peer: usize, ack: Ack) {
        let sending = &mut self.outs[peer].sending;
        if let Some(current) = &mut sending.current {
            current.on_ack(ack, Instant::now());
            sending.wake.notify_one();
        }
    }

    /// Answers the sender of a pair.
    pub(crate) fn send_ack(&mut self, peer: usize, (from, to): Pair, ack: Ack) {
        let out = &mut self.outs[peer];
        // One that is lost is said again with the next part, or when parts come again.
        if out.has_room() {
            put_ack(&mut out.bytes, self.durable.sequence(), (to, from), ack);
            out.wake.notify_one();
        }
    }

    /// A connection to a peer begins: it hears how far its own transfer is, and the one to it goes on.
    pub(crate) fn begin_connection(&mut self, peer: usize) {
        let out = &mut self.outs[peer];
        out.is_connected = true;
        out.connection += 1;
        out.sending.wake.notify_one();
        if let Some((pair, ack)) = self.ins[peer].under_way() {
            self.send_ack(peer, pair, ack);
        }
    }

    /// The connection to a peer is over: what waited is lost, but for the transfer that is under way.
    pub(crate) fn end_connection(&mut self, peer: usize) {
        let out = &mut self.outs[peer];
        out.is_connected = false;
        out.bytes = Vec::new();
        out.has_part = false;
        let lost = out.sending.lose_waiting();
        if !lost.is_empty() {
            self.counters.frames_dropped += lost.len() as u64;
            drop_aside(lost);
        }
    }

    fn on_part_read(&mut self, peer: usize, transfer: u64) {
        if let Some((pair, ack)) = self.ins[peer].on_read(transfer, Instant::now()) {
            self.send_ack(peer, pair, ack);
        }
    }

    /// A message came to its end.
    fn on_decoded(&mut self, peer: usize, transfer: u64, message: Result<N::Message, Malformed>) {
        let Some(ended) = self.ins[peer].on_decoded(transfer) else { return };
        let pair @ (from, to) = ended.pair();
        let accepted = match message {
            Err(_) => Err(BadFrame::Malformed),
            Ok(message) => match self.node(to) {
                Some(node) if node.accepts(from, &message) => Ok(message),
                Some(_) | None => Err(BadFrame::Unexpected),
            },
        };
        let ack = match accepted {
            Ok(message) => {
                self.counters.transfers_received += 1;
                self.take_state(pair, message);
                self.ins[peer].done(&ended)
            }
            Err(bad) => {
                self.counters.refuse(bad.name());
                tracing::warn!(%from, reason = bad.name(), "refused a state that a peer sent");
                Receiving::give_up(&ended)
            }
        };
        self.send_ack(peer, pair, ack);
    }

    /// Hands a node a message that holds a state. What the node had before, and what it does not take of the message, is
    /// freed elsewhere: to free a large state takes longer than the loop may stand still.
    fn take_state(&mut self, (from, to): Pair, message: N::Message) {
        let before = self.node(to).and_then(Node::compaction);
        let shared = message.clone();
        self.on_message(from, to, message);
        drop_aside((before, shared));
    }
}
