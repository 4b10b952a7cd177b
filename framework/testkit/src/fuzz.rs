//! Bytes and messages that no correct peer sends, by a seed: whatever comes, nothing panics.
//!
//! An *episode* is all that one seed does: it begins anew, so the seed alone brings a panic back. [`mutate`] spoils bytes;
//! [`decodes`] feeds them to a decoder; [`episode_of_nodes`] runs a system and sends its nodes, between what they do by
//! themselves, messages whose bytes were spoiled and are still well-formed, through the door that the host has too
//! ([`Node::accepts`]).
//!
//! # What is left out
//! Coverage does not guide it: what the nodes say to each other is where the spoiling begins, and a system that runs says
//! everything that it can say.

use std::collections::BTreeSet;
use std::fmt;

use synod_node::{Node, NodeId, RequestId};
use synod_stdx::{Rng, Wire, caught, put_varint};
use synod_world::{Envelope, EnvelopeId, Event, Happening, Recordable, TimerId, World};

/// Something that must not panic.
pub struct FuzzTarget {
    /// Its name on the command line.
    pub name: &'static str,
    /// Plays the episode of a seed; returns how many cases that were.
    pub episode: Box<dyn Fn(u64) -> u64>,
}

/// A panic, and how to get it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FuzzFailure {
    /// The target.
    pub name: &'static str,
    /// The seed of the episode.
    pub seed: u64,
    /// The words of the panic.
    pub words: String,
}

impl fmt::Display for FuzzFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FuzzFailure { name, seed, words } = self;
        write!(f, "{name}, seed {seed}: {words}\nagain: synod fuzz --target {name} --seed {seed} --cases 1")
    }
}

impl FuzzTarget {
    /// Plays episodes from `seed` on until there were `cases`; returns how many there were.
    ///
    /// # Errors
    /// The first panic.
    pub fn run(&self, seed: u64, cases: u64) -> Result<u64, FuzzFailure> {
        let (mut done, mut seed) = (0, seed);
        while done < cases {
            let failure = |words| FuzzFailure { name: self.name, seed, words };
            done += caught(|| (self.episode)(seed)).map_err(failure)?;
            seed += 1;
        }
        Ok(done)
    }
}

/// Numbers at which something often ends.
const EXTREME: [u64; 12] =
    [0, 1, 2, 0x7f, 0x80, 0x3fff, 0xffff, u32::MAX as u64, 1 << 32, i64::MAX as u64, u64::MAX - 1, u64::MAX];

/// Spoils `bytes` in one place; `other` are bytes of the same kind.
pub fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let length = bytes.len() as u64;
    let at = rng.below(length + 1) as usize;
    let end = (at as u64 + rng.below(length + 1 - at as u64)).min(at as u64 + 16) as usize;
    match rng.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
        1 if at < bytes.len() => bytes[at] = *rng.pick(&[0, 1, 2, 3, 0x7f, 0x80, 0xff]).unwrap_or(&0),
        2 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(if rng.chance(500) { 1 } else { 255 }),
        3 | 4 => {
            // In the place of a number stands another one.
            let mut number = Vec::new();
            put_varint(&mut number, *rng.pick(&EXTREME).unwrap_or(&0));
            let old = bytes[at..].iter().take(10).take_while(|byte| **byte & 0x80 != 0).count() + 1;
            bytes.splice(at..(at + old).min(bytes.len()), number);
        }
        5 => drop(bytes.drain(at..end)),
        6 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            let from = rng.below(other.len() as u64 + 1) as usize;
            let piece = other[from..].iter().take(rng.below(24) as usize).copied();
            bytes.splice(at..end, piece);
        }
    }
}

/// Decodes `cases` spoiled copies of `samples`, and again what became of those that are values still. Returns `cases`.
///
/// # Panics
/// If the decoder does, or if a value has bytes that are not the value.
pub fn decodes<T: Wire + PartialEq + fmt::Debug>(rng: &mut Rng, samples: &[Vec<u8>], cases: u64) -> u64 {
    for _ in 0..if samples.is_empty() { 0 } else { cases } {
        let bytes = spoiled(rng, samples);
        if let Ok(value) = T::from_bytes(&bytes) {
            let again = T::from_bytes(&value.to_bytes());
            assert!(again.as_ref() == Ok(&value), "{value:?} becomes {again:?}");
        }
    }
    if samples.is_empty() { 0 } else { cases }
}

/// A copy of one of `samples`, spoiled in a few places.
///
/// # Panics
/// If there is none.
pub fn spoiled(rng: &mut Rng, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = rng.pick(samples).expect("there are samples").clone();
    for _ in 0..1 + rng.below(3) {
        let other = rng.pick(samples).expect("there are samples");
        mutate(rng, &mut bytes, other);
    }
    bytes
}

/// A request of some user of a system, by chance.
pub type Ask<'a, N> = dyn Fn(&mut Rng) -> Option<(NodeId, <N as Node>::Request)> + 'a;

/// So many things happen in an episode.
const EPISODE_STEPS: u64 = 1_000;
/// So many messages are kept to be spoiled, and are in flight at most.
const SAMPLES_MAX: usize = 256;

/// Runs the nodes of `world`, none of which has started, and sends them what no correct peer does. Returns how many such
/// messages were let in.
///
/// # Panics
/// If a node or a decoder does.
pub fn episode_of_nodes<N: Recordable>(world: &World<N>, ask: &Ask<'_, N>, seed: u64) -> u64 {
    let mut episode = Episode {
        ids: world.ids().collect(),
        world: world.clone(),
        rng: Rng::new(seed),
        samples: Vec::new(),
        asked: 0,
        waiting: BTreeSet::new(),
        let_in: 0,
    };
    for id in episode.ids.clone() {
        episode.apply(Event::Start(id));
    }
    // Some episodes are hostile from the first step on, others find a system at work.
    let quiet_until = episode.rng.below(EPISODE_STEPS);
    for step in 0..EPISODE_STEPS {
        if step < quiet_until || episode.rng.chance(500) {
            episode.go_on(ask);
        } else {
            episode.intrude();
        }
    }
    episode.decode_disks();
    episode.let_in
}

struct Episode<N: Recordable> {
    world: World<N>,
    ids: Vec<NodeId>,
    rng: Rng,
    /// Messages that were sent: from, to, and the bytes.
    samples: Vec<(NodeId, NodeId, Vec<u8>)>,
    asked: u64,
    /// Users that wait for an answer: each asks for one thing at a time.
    waiting: BTreeSet<NodeId>,
    let_in: u64,
}

impl<N: Recordable> Episode<N> {
    fn apply(&mut self, event: Event<N>) {
        let mut happenings = Vec::new();
        // An event that is not possible now changes nothing.
        let _ = self.world.apply(event, &mut happenings);
        for happening in happenings {
            if let Happening::Replied { node, .. } = happening {
                self.waiting.remove(&node);
            }
        }
    }

    fn any_id(&mut self) -> NodeId {
        *self.rng.pick(&self.ids).expect("a system has nodes")
    }

    /// One thing that happens to every system.
    fn go_on(&mut self, ask: &Ask<'_, N>) {
        let node = self.any_id();
        match self.rng.below(20) {
            0..=8 => {
                let flight: Vec<EnvelopeId> = self.world.flight().map(|(id, _)| id).collect();
                if let Some(id) = self.rng.pick(&flight).copied() {
                    self.remember(id);
                    let is_lost = flight.len() > SAMPLES_MAX || self.rng.chance(50);
                    self.apply(if is_lost || !self.is_let_in(id) {
                        Event::Drop(id)
                    } else {
                        Event::Deliver(id)
                    });
                }
            }
            9..=11 => {
                let timers: Vec<TimerId> = self.world.timers().map(|(id, _)| id).collect();
                if let Some(id) = self.rng.pick(&timers).copied() {
                    self.apply(Event::Fire(id));
                }
            }
            12..=15 => {
                let writes = self.world.writing(node).count();
                self.apply(Event::Durable { node, writes });
            }
            16 | 17 => {
                if let Some((node, request)) = ask(&mut self.rng)
                    && self.waiting.insert(node)
                {
                    self.asked += 1;
                    self.apply(Event::Request { node, id: RequestId(self.asked), request });
                }
            }
            // Users are in the processes of their clients: they begin anew under other names.
            18 if !node.is_client() && self.rng.chance(200) => self.apply(Event::Crash(node)),
            _ => self.apply(Event::Restart(node)),
        }
    }

    /// Whether the receiver runs and takes such a message, as a host asks for all of them: an answer to what nobody should have
    /// asked may be none.
    fn is_let_in(&self, id: EnvelopeId) -> bool {
        let Some(Envelope { from, to, message }) = self.world.envelope(id) else { return false };
        self.world.node(*to).is_some_and(|node| node.accepts(*from, message))
    }

    fn remember(&mut self, id: EnvelopeId) {
        let Some(Envelope { from, to, message, .. }) = self.world.envelope(id) else { return };
        let sample = (*from, *to, message.to_bytes());
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample);
        } else {
            let at = self.rng.below(SAMPLES_MAX as u64) as usize;
            self.samples[at] = sample;
        }
    }

    /// A message arrives that nobody sent so.
    fn intrude(&mut self) {
        let Some((mut from, mut to, mut bytes)) = self.rng.pick(&self.samples).cloned() else { return };
        for _ in 0..self.rng.below(4) {
            let other = self.rng.below(self.samples.len() as u64) as usize;
            mutate(&mut self.rng, &mut bytes, &self.samples[other].2);
        }
        if self.rng.chance(150) {
            from = self.any_id();
        }
        if self.rng.chance(150) {
            to = self.any_id();
        }
        let Ok(message) = N::Message::from_bytes(&bytes) else { return };
        if from == to {
            return;
        }
        let id = self.world.put(Envelope { from, to, message });
        if self.is_let_in(id) {
            self.let_in += 1;
            self.apply(Event::Deliver(id));
        } else {
            self.apply(Event::Drop(id));
        }
    }

    /// Decodes spoiled copies of the records and checkpoints on the disks.
    fn decode_disks(&mut self) {
        for id in self.ids.clone() {
            let Some(disk) = self.world.disk(id) else { continue };
            let records: Vec<Vec<u8>> = disk.records.iter().take(SAMPLES_MAX).map(Wire::to_bytes).collect();
            let checkpoints: Vec<Vec<u8>> = disk.checkpoint.iter().map(Wire::to_bytes).collect();
            decodes::<N::Record>(&mut self.rng, &records, 20);
            decodes::<N::Checkpoint>(&mut self.rng, &checkpoints, 20);
        }
    }
}
