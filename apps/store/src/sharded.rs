//! The keyspace as a sharded application: what of it moves between groups, and what a transaction reads and writes.
//!
//! # What a fragment carries
//! Keys with what each holds, or that it holds nothing; the records of the exactly-once clients whose slots are wanted; and
//! two numbers of the state that it is from:
//!
//! * **the clock** of the slot that moves, or of the state that is read. A key that expired by it is not in the fragment,
//!   and a slot that moves has it as the floor of its time: a key that expired for whoever read it before is not alive
//!   again elsewhere, and no group's time leaps for another one's;
//! * **its count of modifications**. A watched key is compared by its version, so no version may stand for two contents of
//!   one key, wherever the key is. Each group counts for itself, and one that takes a fragment counts on from the higher of
//!   both. The number of the last version of a key that is absent now is below that count, too.
//!
//! A command that runs apart, on what several groups hold, counts on from the highest count among them. Of its keys only
//! those go back that it changed, so a read across groups writes nothing.
//!
//! # Exactly once
//! A client of `ONCE` has a slot, by its number, and its record is in that slot as a key is: a command of its touches that
//! slot and the slots of its keys.

use crate::key::{Hashed, Key, Probe};
use crate::keyspace::SlotSessions;
use crate::operation::Operation;
use crate::space::SlotMap;
use crate::value::{Entry, Value};
use crate::{Command, Keyspace, SlotId};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use synod_clientserver::Sessions;
use synod_node::StateMachine as _;
use synod_resp::Reply;
use synod_shardedstore::{Sharded, Slots};
use synod_stdx::{Malformed, Reader, Wire, Writer, mark};

/// By so much two groups' times may differ without anybody setting clocks, in ms.
const GROUPS_DIFFER_MS_MAX: u64 = 1_000;
/// What a key or a value takes besides its bytes, about.
const OVERHEAD_BYTES: usize = 32;

/// A part of a keyspace. A clone is cheap.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fragment {
    part: Arc<Part>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Part {
    clock_ms: u64,
    /// The slot that moves, if one does.
    moves: Option<SlotId>,
    /// The count of modifications.
    version: u64,
    keys: Vec<(Arc<[u8]>, Option<Entry>)>,
    sessions: Vec<(SlotId, Option<SlotSessions>)>,
}

/// What a slot holds at one moment. Shares its keys with the keyspace until one of them is written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SlotView {
    slot: SlotId,
    keys: Option<Arc<SlotMap>>,
    sessions: Option<SlotSessions>,
}

impl fmt::Debug for SlotView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} with {} keys", self.slot, self.keys.as_ref().map_or(0, |keys| keys.len()))
    }
}

/// The keys at `from` or behind it that are not the same before and after, and what they hold after, in order.
fn changes<'a>(
    before: Option<&'a Arc<SlotMap>>,
    after: Option<&'a Arc<SlotMap>>,
    from: Probe<'a>,
) -> impl Iterator<Item = (&'a Key, Option<&'a Entry>)> {
    let is_same = before.zip(after).is_some_and(|(before, after)| Arc::ptr_eq(before, after));
    let range = |keys: Option<&'a Arc<SlotMap>>| {
        let bounds = (Bound::Included(&from as &dyn Hashed), Bound::Unbounded);
        keys.filter(|_| !is_same).map(|keys| keys.range::<dyn Hashed, _>(bounds)).into_iter().flatten()
    };
    let (mut before, mut after) = (range(before).peekable(), range(after).peekable());
    std::iter::from_fn(move || {
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            match order {
                Ordering::Less => return before.next().map(|(key, _)| (key, None)),
                Ordering::Greater => return after.next().map(|(key, entry)| (key, Some(entry))),
                Ordering::Equal => {
                    let (old, (key, new)) = before.next().zip(after.next())?;
                    if old.1.version != new.version {
                        return Some((key, Some(new)));
                    }
                }
            }
        }
    })
}

impl Keyspace {
    fn fragment(&self) -> Part {
        let (keys, sessions) = Default::default();
        Part { clock_ms: self.clock_ms, moves: None, version: self.space.version(), keys, sessions }
    }

    fn read_operation(&self, operation: &Operation<'_>, wanted: &dyn Fn(SlotId) -> bool) -> Part {
        let mut part = self.fragment();
        let mut seen = BTreeSet::new();
        operation.for_each_key(&mut |key| {
            let probe = Probe::new(key);
            if wanted(probe.slot) && !seen.contains(key) {
                seen.insert(key.to_vec());
                part.keys.push((Arc::from(key), self.find(&probe).cloned()));
            }
        });
        if let Operation::Once { client, .. } = operation {
            let slot = Keyspace::slot_of_client(*client);
            if wanted(slot) {
                part.sessions.push((slot, self.sessions.get(&slot).cloned()));
            }
        }
        part
    }

    /// Whether `slot` holds something that this says of it.
    fn has_session(&self, slot: SlotId, sessions: Option<&SlotSessions>) -> bool {
        self.sessions.get(&slot) == sessions
    }
}

impl From<Part> for Fragment {
    fn from(part: Part) -> Self {
        Fragment { part: Arc::new(part) }
    }
}

impl Sharded for Keyspace {
    type Fragment = Fragment;
    type View = SlotView;

    fn apply_among(&mut self, command: &Command, is_served: &dyn Fn(SlotId) -> bool) -> Reply {
        self.run_command(command, is_served)
    }

    fn query_among(&self, command: &Command, is_served: &dyn Fn(SlotId) -> bool) -> Option<Reply> {
        self.answer_command(command, is_served)
    }

    fn slots(command: &Command, _slot_count: u16) -> Slots {
        command.slots()
    }

    fn read(&self, command: &Command, wanted: &dyn Fn(SlotId) -> bool) -> Fragment {
        let part = match command.operation() {
            Ok(operation) => self.read_operation(&operation, wanted),
            Err(_) => self.fragment(),
        };
        part.into()
    }

    fn run_apart(&self, command: &Command, fragments: &[Fragment]) -> (Reply, Fragment) {
        let mut apart = Keyspace::new();
        apart.clock_ms = one_time(command.at_ms(), fragments);
        fragments.iter().for_each(|fragment| apart.write(fragment));
        let before = apart.clone();
        let output = apart.apply(command);
        let Ok(operation) = command.operation() else { return (output, apart.fragment().into()) };
        let mut after = apart.read_operation(&operation, &|_| true);
        let version = |entry: Option<&Entry>| entry.map(|entry| entry.version);
        after
            .keys
            .retain(|(key, entry)| version(before.space.find(&Probe::new(key))) != version(entry.as_ref()));
        after.sessions.retain(|(slot, sessions)| !before.has_session(*slot, sessions.as_ref()));
        (output, after.into())
    }

    fn part(&self, fragment: &Fragment, wanted: &dyn Fn(SlotId) -> bool) -> Fragment {
        let Part { clock_ms, moves, version, keys, sessions } = &*fragment.part;
        let keys = keys.iter().filter(|(key, _)| wanted(SlotId::of(key))).cloned().collect();
        let sessions = sessions.iter().filter(|(slot, _)| wanted(*slot)).cloned().collect();
        Part { clock_ms: *clock_ms, moves: *moves, version: *version, keys, sessions }.into()
    }

    fn write(&mut self, fragment: &Fragment) {
        let Part { clock_ms, moves, version, keys, sessions } = &*fragment.part;
        if let Some(slot) = moves {
            self.raise_floor(*slot, *clock_ms);
        }
        for (key, entry) in keys {
            self.space.place(&Probe::new(key), entry.clone());
        }
        // After the keys: to remove one counts as well.
        self.space.set_version(self.space.version().max(*version));
        for (slot, sessions) in sessions {
            let known = Arc::make_mut(&mut self.sessions);
            match sessions {
                Some(sessions) => drop(known.insert(*slot, Arc::clone(sessions))),
                None => drop(known.remove(slot)),
            }
        }
    }

    fn slot_view(&self, slot: SlotId) -> SlotView {
        SlotView { keys: self.space.share_slot(slot), sessions: self.sessions.get(&slot).cloned(), slot }
    }

    fn difference(
        &self,
        earlier: Option<&SlotView>,
        later: &SlotView,
        position: u64,
        bytes_max: usize,
    ) -> (Fragment, Option<u64>) {
        let (mut part, mut bytes, mut last) = (self.fragment(), 0, None);
        (part.moves, part.clock_ms) = (Some(later.slot), self.clock_of(later.slot));
        if position == 0 && earlier.is_none_or(|earlier| earlier.sessions != later.sessions) {
            part.sessions.push((later.slot, later.sessions.clone()));
        }
        let before = earlier.and_then(|earlier| earlier.keys.as_ref());
        for (key, entry) in changes(before, later.keys.as_ref(), Probe::at(later.slot, position)) {
            // Keys of one hash are one place, and go together.
            if bytes > bytes_max && last != Some(key.hash()) {
                mark!("store.slot_in_parts");
                return (part.into(), Some(key.hash()));
            }
            last = Some(key.hash());
            bytes += key.bytes.len() + entry.map_or(0, Entry::bytes);
            let entry = entry.filter(|entry| !entry.is_expired(part.clock_ms));
            part.keys.push((Arc::clone(&key.bytes), entry.cloned()));
        }
        (part.into(), None)
    }

    fn slot_bytes(&self, slot: SlotId) -> usize {
        let keys = self.space.walk_slot(slot, 0).map(|(_, key, entry)| key.bytes.len() + entry.bytes());
        keys.sum::<usize>() + self.sessions.get(&slot).map_or(0, session_bytes)
    }

    fn advance_clock(&mut self, at_ms: u64) {
        self.clock_ms = self.clock_ms.max(at_ms);
    }

    fn clear(&mut self, slot: SlotId) {
        self.space.clear_slot(slot);
        self.floors.remove(&slot);
        if self.sessions.contains_key(&slot) {
            Arc::make_mut(&mut self.sessions).remove(&slot);
        }
    }

    fn fragment_bytes(fragment: &Fragment) -> usize {
        let Part { keys, sessions, .. } = &*fragment.part;
        let keys = keys.iter().map(|(key, entry)| key.len() + entry.as_ref().map_or(0, Entry::bytes));
        let sessions = sessions.iter().filter_map(|(_, sessions)| sessions.as_ref().map(session_bytes));
        keys.chain(sessions).sum()
    }
}

/// The one time at which a command runs in several groups: that of its coordinator, or of the group whose clock is ahead. A
/// key that is gone there by its own clock is then gone in all of them. A group whose clock is far ahead does not count:
/// its time would be a leap.
fn one_time(at_ms: u64, fragments: &[Fragment]) -> u64 {
    let clocks = fragments.iter().map(|fragment| fragment.part.clock_ms);
    clocks.filter(|clock_ms| *clock_ms <= at_ms.saturating_add(GROUPS_DIFFER_MS_MAX)).fold(at_ms, u64::max)
}

/// About how many bytes a slot's records take.
fn session_bytes(sessions: &SlotSessions) -> usize {
    sessions.results().map(|reply| OVERHEAD_BYTES + Keyspace::output_bytes(reply)).sum()
}

impl Entry {
    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let value = match &self.value {
            Value::String(bytes) => bytes.len(),
            Value::Hash(hash) => hash.bytes(),
            Value::List(list) => list.bytes(),
            Value::Set(set) => set.bytes(),
            Value::SortedSet(sorted) => sorted.bytes(),
        };
        OVERHEAD_BYTES + value
    }
}

impl Wire for Fragment {
    fn encode(&self, out: &mut Writer<'_>) {
        let Part { clock_ms, moves, version, keys, sessions } = &*self.part;
        (*clock_ms, *version).encode(out);
        moves.encode(out);
        keys.encode(out);
        (sessions.len() as u64).encode(out);
        for (slot, sessions) in sessions {
            slot.encode(out);
            sessions.is_some().encode(out);
            if let Some(sessions) = sessions {
                sessions.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (clock_ms, version) = <(u64, u64)>::decode(input)?;
        let moves = Option::decode(input)?;
        let keys = Vec::decode(input)?;
        let mut sessions = Vec::new();
        for _ in 0..input.length(2)? {
            let slot = SlotId::decode(input)?;
            let known = Option::<Sessions<Reply>>::decode(input)?.map(Arc::new);
            sessions.push((slot, known));
        }
        Ok(Part { clock_ms, moves, version, keys, sessions }.into())
    }
}

impl Wire for SlotView {
    fn encode(&self, out: &mut Writer<'_>) {
        let keys = self.keys.iter().flat_map(|keys| keys.iter());
        let keys: Vec<_> = keys.map(|(key, entry)| (Arc::clone(&key.bytes), entry.clone())).collect();
        self.slot.encode(out);
        keys.encode(out);
        self.sessions.is_some().encode(out);
        self.sessions.iter().for_each(|sessions| sessions.encode(out));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (slot, keys) = <(SlotId, Vec<(Arc<[u8]>, Entry)>)>::decode(input)?;
        let keys: SlotMap =
            keys.into_iter().map(|(key, entry)| (Key::new(&Probe::new(&key)), entry)).collect();
        let sessions = Option::<Sessions<Reply>>::decode(input)?.map(Arc::new);
        Ok(SlotView { slot, keys: (!keys.is_empty()).then(|| Arc::new(keys)), sessions })
    }
}
