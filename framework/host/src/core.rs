//! The nodes of a process and everything between them and the world: steps, timers, promises, outgoing bytes.

mod ended;

use crate::carrier::NewsOf;
use crate::clock::{monotonic_us, read_clocks};
use crate::counters::Counters;
use crate::disk::FileDisk;
use crate::disk_thread::{DiskNews, DiskThreads, Encode, StoreCheckpoint};
use crate::frame::put_frame;
use crate::out::Out;
use crate::recorder::Recorder;
use crate::repeats::Repeats;
use crate::transfer::Receiving;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synod_journal::{Appender, Batch, Durable as DurableMark, Heard, Superblock};
use synod_node::{
    ClockReading, Context, Departure, Node, NodeId, Outbox, RequestId, Sink, Stimulus, TimerRange, step,
};
use synod_stdx::{Rng, Wire};
use synod_world::{Recordable, digest_of};
use tokio::sync::Notify;

/// What a node must be to run on a host: its messages, requests, records and checkpoints have a byte form.
pub trait Hosted: Node<Message: Send, Checkpoint: Send> + Recordable + 'static {}

impl<N: Node<Message: Send, Checkpoint: Send> + Recordable + 'static> Hosted for N {}

/// The request by which a node's user tells it what the clocks of the machine read.
pub type TellClock<N> = fn(ClockReading) -> <N as Node>::Request;

/// A node to be run.
#[derive(Clone, Debug)]
pub struct Resident<N: Node> {
    /// Its name.
    pub id: NodeId,
    /// The node, before it ever ran.
    pub node: N,
    /// How it was built, for the flight recording: whoever reads that builds the node again by these words.
    pub built: serde_json::Value,
    /// How it is told the clocks, if it wants to know: before each of its steps, but not more often than each millisecond.
    pub clock: Option<TellClock<N>>,
}

impl<N: Node> Resident<N> {
    /// A node whose recording nobody will live through again.
    pub fn unrecorded(id: NodeId, node: N) -> Self {
        Resident { id, node, built: serde_json::Value::Null, clock: None }
    }
}

/// A node is told the clocks again only after so many microseconds: times are in milliseconds.
const CLOCK_PAUSE_US: u64 = 1_000;

/// What is heard of peers' journals is written down so much later at most, once the next timer fires.
const HEARD_PAUSE: Duration = Duration::from_millis(100);

/// A timer that fires so late is worth a word: elections are near.
const LATE_MIN: Duration = Duration::from_millis(100);
/// A step that takes so long is worth one too: all others wait for it.
const LONG_STEP_MIN: Duration = Duration::from_millis(20);
/// So is a disk that takes so long for a batch, in microseconds.
const SLOW_US_MIN: u64 = 1_000_000;

/// Checkpoints are encoded in parts of this size.
const CHECKPOINT_PART_BYTES: usize = 256 << 10;

/// The kind of a record that holds a node's record.
const KIND_RECORD: u8 = 1;

/// What a write of a node waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Writing {
    /// The journal's record of this number.
    Record(u64),
    /// The checkpoint of this number.
    Checkpoint(u64),
    /// Nothing of its own: it says nothing new.
    Compaction,
}

struct Place<N: Node> {
    id: NodeId,
    node: N,
    outbox: Outbox<N>,
    writing: VecDeque<Writing>,
    clock: Option<TellClock<N>>,
    /// When it was last told the clocks, by the monotonic one.
    told_us: u64,
    /// The bytes of its records since its last checkpoint.
    logged_bytes: usize,
    /// The size of its last checkpoint, as far as this process wrote it.
    checkpoint_bytes: usize,
}

struct Due<N: Node> {
    at: Instant,
    number: u64,
    place: usize,
    timer: N::Timer,
}

impl<N: Node> PartialEq for Due<N> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<N: Node> Eq for Due<N> {}

impl<N: Node> PartialOrd for Due<N> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: Node> Ord for Due<N> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What becomes of an answer of a node to its user. It must not call the host.
pub(crate) type OnReply<N> = Box<dyn FnMut(NodeId, RequestId, <N as Node>::Response)>;

pub(crate) struct Core<N: Node> {
    places: Vec<Place<N>>,
    /// Which peer, by its index, runs a node.
    remote: BTreeMap<NodeId, usize>,
    local: VecDeque<(usize, NodeId, N::Message)>,
    timers: BinaryHeap<Reverse<Due<N>>>,
    timers_set: u64,
    rng: Rng,
    appender: Appender,
    pub(crate) durable: DurableMark,
    spare: Option<Batch>,
    is_disk_busy: bool,
    disk: DiskThreads,
    superblock: Superblock<Arc<FileDisk>>,
    /// When the first of what was heard of peers' journals since the last mark came, if anything did.
    heard_at: Option<Instant>,
    said: Repeats<&'static str>,
    /// Why the process must stop, if it must: in words.
    stopped: Option<String>,
    checkpoints: u64,
    checkpointed: u64,
    pub(crate) outs: Vec<Out<N::Message>>,
    pub(crate) ins: Vec<Receiving>,
    pub(crate) transfer_news: NewsOf<N>,
    /// Transfers of this start have numbers above this one.
    pub(crate) transfer_base: u64,
    pub(crate) transfers_begun: u64,
    on_reply: OnReply<N>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) counters: Counters,
    /// Wakes whoever fires the timers, when an earlier one was set.
    pub(crate) timers_changed: Rc<Notify>,
}

/// What a core is made of.
pub(crate) struct Parts<N: Node> {
    pub(crate) remote: BTreeMap<NodeId, usize>,
    pub(crate) peers: usize,
    pub(crate) seed: u64,
    pub(crate) appender: Appender,
    pub(crate) durable: DurableMark,
    pub(crate) disk: DiskThreads,
    pub(crate) superblock: Superblock<Arc<FileDisk>>,
    pub(crate) on_reply: OnReply<N>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) transfer_news: NewsOf<N>,
}

impl<N: Hosted> Core<N> {
    pub(crate) fn new(parts: Parts<N>) -> Self {
        Core {
            places: Vec::new(),
            remote: parts.remote,
            local: VecDeque::new(),
            timers: BinaryHeap::new(),
            timers_set: 0,
            rng: Rng::new(parts.seed),
            appender: parts.appender,
            durable: parts.durable,
            spare: Some(Batch::default()),
            is_disk_busy: false,
            disk: parts.disk,
            superblock: parts.superblock,
            heard_at: None,
            said: Repeats::default(),
            stopped: None,
            checkpoints: 0,
            checkpointed: 0,
            outs: (0..parts.peers).map(|_| Out::default()).collect(),
            ins: (0..parts.peers).map(|_| Receiving::default()).collect(),
            transfer_news: parts.transfer_news,
            transfer_base: Rng::new(parts.seed).next_u64() >> 1,
            transfers_begun: 0,
            on_reply: parts.on_reply,
            recorder: parts.recorder,
            counters: Counters::default(),
            timers_changed: Rc::default(),
        }
    }

    /// Adds a node; it takes its first step with `stimulus`.
    pub(crate) fn add(&mut self, resident: Resident<N>, stimulus: Stimulus<N>) {
        let Resident { id, node, built, clock } = resident;
        self.places.push(Place {
            id,
            node,
            outbox: Outbox::default(),
            writing: VecDeque::new(),
            clock,
            told_us: 0,
            logged_bytes: 0,
            checkpoint_bytes: 0,
        });
        self.first_step(self.places.len() - 1, stimulus, &built);
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<&N> {
        self.place(id).map(|place| &self.places[place].node)
    }

    fn place(&self, id: NodeId) -> Option<usize> {
        // A handful of nodes: a look along the list beats a map.
        self.places.iter().position(|place| place.id == id)
    }

    pub(crate) fn is_local(&self, id: NodeId) -> bool {
        self.place(id).is_some()
    }

    /// From now on it is known that `peer` runs the node `id`.
    pub(crate) fn meet(&mut self, id: NodeId, peer: usize) {
        self.remote.insert(id, peer);
    }

    /// There is one more peer, of this index.
    pub(crate) fn add_out(&mut self) -> usize {
        self.outs.push(Out::default());
        self.ins.push(Receiving::default());
        self.outs.len() - 1
    }

    /// Nothing runs at this peer any more.
    pub(crate) fn forget_peer(&mut self, peer: usize) {
        self.remote.retain(|_, at| *at != peer);
        self.end_connection(peer);
        self.outs[peer].wake.notify_one();
    }

    /// Which peer runs the node `id`, if it is known to run at one.
    pub(crate) fn peer_of(&self, id: NodeId) -> Option<usize> {
        self.remote.get(&id).copied()
    }

    pub(crate) fn on_request(&mut self, id: NodeId, request_id: RequestId, request: N::Request) {
        let place = self.place(id).expect("users ask nodes of this process");
        self.step(place, Stimulus::Request { id: request_id, request });
    }

    pub(crate) fn on_message(&mut self, from: NodeId, to: NodeId, message: N::Message) {
        if let Some(place) = self.place(to) {
            self.step(place, Stimulus::Message { from, message });
        }
    }

    /// Fires what is due, and says when the next timer is.
    pub(crate) fn fire_timers(&mut self) -> Option<Instant> {
        let now = Instant::now();
        while let Some(Reverse(due)) = self.timers.peek() {
            if due.at > now {
                return Some(due.at);
            }
            self.note_lateness(now.duration_since(due.at));
            let Some(Reverse(Due { place, timer, .. })) = self.timers.pop() else { unreachable!() };
            self.step(place, Stimulus::Timer(timer));
        }
        None
    }

    /// A timer fires so late: something held the loop, or the machine.
    fn note_lateness(&mut self, late: Duration) {
        self.counters.late_us_max = self.counters.late_us_max.max(late.as_micros() as u64);
        if late < LATE_MIN {
            return;
        }
        self.counters.stalls += 1;
        if let Some(times) = self.said.note("stall", Instant::now()) {
            let late_ms = late.as_millis() as u64;
            tracing::warn!(
                late_ms,
                times,
                "a timer fired late: a long command held this process, or the machine is too busy"
            );
        }
    }

    /// The disk says something.
    ///
    /// # Errors
    /// If it failed: in words.
    pub(crate) fn on_disk(&mut self, news: DiskNews) -> Result<(), String> {
        match news {
            DiskNews::Durable { durable, batch, us } => {
                self.durable = durable;
                self.spare = Some(batch);
                self.is_disk_busy = false;
                self.counters.disk_us_max = self.counters.disk_us_max.max(us);
                if us >= SLOW_US_MIN
                    && let Some(times) = self.said.note("disk", Instant::now())
                {
                    tracing::warn!(took_ms = us / 1_000, times, "the disk is slow to make a batch durable");
                }
            }
            DiskNews::Checkpointed { number, node, bytes } => {
                self.checkpointed = number;
                if let Some(place) = self.place(NodeId::from_bits(node)) {
                    self.places[place].checkpoint_bytes = bytes;
                }
                self.counters.checkpoints += 1;
            }
            DiskNews::Pinned(nodes) => {
                nodes.into_iter().for_each(|node| self.compact(NodeId::from_bits(node)));
            }
            DiskNews::Wants(spare) => self.disk.make_spare(spare),
            DiskNews::Failed(why) => return Err(why),
        }
        for place in 0..self.places.len() {
            self.release(place);
        }
        Ok(())
    }

    pub(crate) fn superblock(&self) -> &Superblock<Arc<FileDisk>> {
        &self.superblock
    }

    /// Keeps a fact in the superblock: durable when it returns.
    ///
    /// # Errors
    /// If the disk refuses: the process must stop.
    pub(crate) fn keep(&self, name: &str, bytes: Vec<u8>) -> Result<(), synod_journal::Error> {
        let number = self.superblock.keep(name, bytes)?;
        self.disk.bind(number);
        Ok(())
    }

    /// Something was heard of a peer's journal: the superblock has it with the next batch, or soon after.
    pub(crate) fn hear(&mut self, heard: Heard) {
        self.superblock.hear(heard);
        self.heard_at.get_or_insert_with(Instant::now);
    }

    /// Lets the superblock have what was heard some time ago.
    pub(crate) fn mark_heard(&mut self) {
        if self.heard_at.is_some_and(|at| at.elapsed() >= HEARD_PAUSE) {
            self.heard_at = None;
            self.disk.mark();
        }
    }

    /// The process must stop, and says why.
    pub(crate) fn stop(&mut self, why: String) {
        self.stopped.get_or_insert(why);
        self.timers_changed.notify_one();
    }

    /// Why the process must stop, if it must.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.stopped.clone()
    }

    /// Orders a checkpoint of a node: it covers what is durable now. Returns its number.
    fn order_checkpoint(&mut self, id: NodeId, encode: Box<Encode>) -> u64 {
        self.checkpoints += 1;
        let (number, covered) = (self.checkpoints, self.durable);
        self.disk.checkpoint(StoreCheckpoint { number, node: id.to_bits(), covered, encode });
        number
    }

    /// Lets a checkpoint take the place of everything that the node persisted, whatever it costs.
    fn compact(&mut self, id: NodeId) {
        let Some(place) = self.place(id) else { return self.drop_log(id) };
        // A node that has none now has one of its own later.
        if let Some(checkpoint) = self.places[place].node.compaction() {
            self.counters.compactions += 1;
            Scene { core: self, place }.store(checkpoint);
        }
    }

    /// Lets leave what waited for writes that are durable now.
    fn release(&mut self, place: usize) {
        let (durable, checkpointed) = (self.durable.sequence(), self.checkpointed);
        let is_durable = |writing: &Writing| match writing {
            Writing::Record(number) => *number <= durable,
            Writing::Checkpoint(number) => *number <= checkpointed,
            Writing::Compaction => true,
        };
        let mut writes = 0;
        while self.places[place].writing.front().is_some_and(is_durable) {
            self.places[place].writing.pop_front();
            writes += 1;
        }
        if writes > 0 {
            let mut outbox = std::mem::take(&mut self.places[place].outbox);
            if let Some(recorder) = &mut self.recorder {
                recorder.durable(self.places[place].id, writes);
            }
            outbox.on_durable(writes, &mut Scene { core: self, place });
            self.places[place].outbox = outbox;
        }
    }

    fn step(&mut self, place: usize, stimulus: Stimulus<N>) {
        self.tell_clock(place);
        self.first_step(place, stimulus, &serde_json::Value::Null);
    }

    /// Tells a node the clocks, if it wants to know and some time has passed.
    fn tell_clock(&mut self, place: usize) {
        let Place { clock: Some(tell), told_us, .. } = &mut self.places[place] else { return };
        if monotonic_us() < *told_us + CLOCK_PAUSE_US {
            return;
        }
        let reading = read_clocks();
        *told_us = reading.monotonic_us;
        let request = tell(reading);
        self.first_step(place, Stimulus::Request { id: RequestId::TOLD, request }, &serde_json::Value::Null);
    }

    /// A step; if it is the first, of a node that was built like this.
    fn first_step(&mut self, place: usize, stimulus: Stimulus<N>, built: &serde_json::Value) {
        self.counters.steps += 1;
        if let Some(recorder) = &mut self.recorder {
            recorder.begin(self.places[place].id, &stimulus, built);
        }
        let mut ctx = Context::new(self.places[place].id);
        let begun = Instant::now();
        step(&mut self.places[place].node, stimulus, &mut ctx);
        self.note_step(self.places[place].id, begun.elapsed());
        if let Some(recorder) = &mut self.recorder {
            recorder.did(digest_of(ctx.effects()));
        }
        let mut outbox = std::mem::take(&mut self.places[place].outbox);
        outbox.take(&mut ctx, &mut Scene { core: self, place });
        self.places[place].outbox = outbox;
        // A compaction holds nothing back, also where the disk has nothing to say for a while.
        self.release(place);
    }

    /// A step of a node took so long, in which nothing else was done.
    fn note_step(&mut self, node: NodeId, took: Duration) {
        let us = took.as_micros() as u64;
        self.counters.step_us_max = self.counters.step_us_max.max(us);
        if took < LONG_STEP_MIN {
            return;
        }
        self.counters.long_steps += 1;
        if let Some(times) = self.said.note("step", Instant::now()) {
            tracing::warn!(%node, took_ms = us / 1_000, times, "a step took long: a large command, or a large answer");
        }
    }

    /// A message of a node of this process gets nowhere.
    fn lose(&mut self, from: NodeId, to: NodeId, message: &N::Message) {
        self.counters.frames_dropped += 1;
        if let Some(recorder) = &mut self.recorder {
            recorder.lost::<N>(from, to, message);
        }
    }

    /// Takes every step that can be taken now, then hands the disk and the peers what came of it.
    pub(crate) fn turn(&mut self) {
        while let Some((place, from, message)) = self.local.pop_front() {
            // Somebody who says what is not so may have made one node of this process say to another what it must not.
            if self.places[place].node.accepts(from, &message) {
                self.step(place, Stimulus::Message { from, message });
            } else {
                self.lose(from, self.places[place].id, &message);
            }
        }
        // What leaves now is in the recording first.
        if let Some(recorder) = &mut self.recorder {
            recorder.flush();
        }
        if !self.is_disk_busy && !self.appender.batch().is_empty() {
            let batch = self.appender.take_batch(self.spare.take().unwrap_or_default());
            self.is_disk_busy = true;
            self.counters.disk_batches += 1;
            self.counters.disk_bytes += batch.len_bytes() as u64;
            self.disk.write(batch);
        }
        for out in &self.outs {
            if !out.bytes.is_empty() {
                out.wake.notify_one();
            }
        }
    }
}

/// Where a node's effects go.
struct Scene<'a, N: Node> {
    core: &'a mut Core<N>,
    place: usize,
}

impl<N: Hosted> Sink<N> for Scene<'_, N> {
    fn depart(&mut self, departure: Departure<N>) {
        let from = self.core.places[self.place].id;
        match departure {
            Departure::Reply { id, response } => (self.core.on_reply)(from, id, response),
            Departure::Message { to, message } => {
                if let Some(place) = self.core.place(to) {
                    self.core.local.push_back((place, from, message));
                    return;
                }
                // Where nobody knows yet who runs it, it is lost, as on a network.
                let peer = self.core.peer_of(to);
                if let Some(peer) = peer.filter(|_| message.is_bulky()) {
                    self.core.send_in_parts(peer, (from, to), message);
                    return;
                }
                match peer.map(|peer| &mut self.core.outs[peer]).filter(|out| out.has_room()) {
                    Some(out) => {
                        put_frame(&mut out.bytes, self.core.durable.sequence(), (from, to), &message);
                        self.core.counters.frames_sent += 1;
                    }
                    None => self.core.lose(from, to, &message),
                }
            }
        }
    }

    fn set_timer(&mut self, timer: N::Timer, after: TimerRange) {
        let us = self.core.rng.between(after.start() * 1000, after.end() * 1000);
        let at = Instant::now() + Duration::from_micros(us);
        if self.core.timers.peek().is_none_or(|Reverse(first)| at < first.at) {
            self.core.timers_changed.notify_one();
        }
        self.core.timers_set += 1;
        self.core.timers.push(Reverse(Due { at, number: self.core.timers_set, place: self.place, timer }));
    }

    fn persist(&mut self, record: N::Record) {
        let id = self.core.places[self.place].id.to_bits();
        let logged_bytes = &mut self.core.places[self.place].logged_bytes;
        let number = self.core.appender.append_with(id, KIND_RECORD, |out| {
            let before = out.len();
            record.append_to(out);
            *logged_bytes += out.len() - before;
        });
        self.core.places[self.place].writing.push_back(Writing::Record(number));
        self.core.counters.disk_records += 1;
    }

    fn checkpoint(&mut self, checkpoint: N::Checkpoint) {
        let number = self.store(checkpoint);
        self.core.places[self.place].writing.push_back(Writing::Checkpoint(number));
    }

    /// A large state is not written again before as much was logged: so what checkpoints cost is in proportion to what is
    /// logged, whatever the state's size, and so is what a recovery reads.
    fn compact(&mut self, checkpoint: N::Checkpoint) {
        let place = &self.core.places[self.place];
        if place.logged_bytes >= place.checkpoint_bytes {
            self.store(checkpoint);
        }
        self.core.places[self.place].writing.push_back(Writing::Compaction);
    }
}

impl<N: Hosted> Scene<'_, N> {
    /// Records that are not durable yet are not covered: recovery reads them again on top of the checkpoint, which
    /// changes nothing that is in it.
    fn store(&mut self, checkpoint: N::Checkpoint) -> u64 {
        let place = &mut self.core.places[self.place];
        place.logged_bytes = 0;
        let id = place.id;
        let encode: Box<Encode> = Box::new(move |put| {
            checkpoint.to_parts(CHECKPOINT_PART_BYTES, &mut |part| {
                let goes_on = put(part);
                part.clear();
                goes_on
            });
        });
        self.core.order_checkpoint(id, encode)
    }
}
