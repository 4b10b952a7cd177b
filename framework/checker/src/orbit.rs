//! A state under all its names: for searches up to a symmetry, one worker's share.
//!
//! The orbit of a state is what its renamings make of it. States are known by the least of their orbit: by the least
//! fingerprint, or where whole states are kept by the least run of ids. Both need no renamed state to be built anew:
//! what each place and each envelope becomes under each renaming is kept by its id, and a renamed state's fingerprint
//! is the sum of these.
//!
//! Soundness needs that what follows a renamed state is what follows it, renamed. So each new local step is taken again
//! under other names; a difference is an objection to the step.

use crate::Checkable;
use crate::extras::Extras;
use crate::hash::{Salt, content_hash};
use crate::intern::Interner;
use crate::local::Event;
use crate::observer::{Observer as _, Seen};
use crate::place::{Place, Side, Waiting};
use crate::property::{Property, Reads};
use crate::settings::Settings;
use crate::shared::{Shared, Step};
use crate::stim::{Choice, Stim};
use crate::symmetry::{Renaming, Symmetry};
use crate::worker::{NONE, Worker};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use synod_node::NodeId;
use synod_world::Envelope;

/// Each new local step is taken again under so many renamings at most.
const CHECKED: usize = 8;

/// A renaming that a search uses.
struct Kept {
    renaming: Renaming,
    /// The place that each place becomes.
    to: Vec<u32>,
    /// The partition that each becomes, both counted as in [`Extras::partition`].
    partitions: Vec<u32>,
}

/// Ids of one kind, and what each becomes under each renaming.
#[derive(Default)]
struct Images {
    by_id: Vec<Option<Box<[u64]>>>,
}

impl Images {
    fn of(&mut self, id: u32, make: impl FnOnce() -> Box<[u64]>) -> &[u64] {
        let at = id as usize;
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, None);
        }
        self.by_id[at].get_or_insert_with(make)
    }
}

/// What the images are: contents' hashes, or ids of what was interned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Hash,
    Id,
}

impl As {
    /// A content's id, if ids matter, and its hash.
    fn content<T: Hash + Eq>(self, interner: &Interner<T>, salt: Salt, value: T) -> (u32, u64) {
        match self {
            As::Hash => (NONE, content_hash(salt, &value)),
            As::Id => interner.intern(value),
        }
    }

    fn image(self, (id, hash): (u32, u64)) -> u64 {
        match self {
            As::Hash => hash,
            As::Id => u64::from(id),
        }
    }
}

/// See the module's page.
pub(crate) struct Orbit<N: Checkable> {
    symmetry: Arc<Symmetry<N>>,
    kept: Vec<Kept>,
    kind: As,
    places: Images,
    envelopes: Images,
    observers: Images,
    extras: Images,
    sums: Vec<u64>,
    positions: Vec<u32>,
}

impl<N: Checkable> Orbit<N> {
    /// The orbit for a search with these settings, if they state a symmetry.
    ///
    /// # Panics
    /// If the symmetry was stated of another system.
    pub(crate) fn new(shared: &Shared<N>, settings: &Settings<N>) -> Option<Self> {
        let symmetry = settings.reductions.symmetry.as_ref()?;
        assert_eq!(symmetry.names, shared.names, "a symmetry is used with the system that it was stated of");
        let kept = symmetry.renamings.iter().filter_map(|renaming| keep(shared, settings, renaming));
        Some(Orbit {
            kept: kept.collect(),
            symmetry: Arc::clone(symmetry),
            kind: if settings.is_exact { As::Id } else { As::Hash },
            places: Images::default(),
            envelopes: Images::default(),
            observers: Images::default(),
            extras: Images::default(),
            sums: Vec::new(),
            positions: Vec::new(),
        })
    }

    fn place(&mut self, shared: &Shared<N>, id: u32) -> &[u64] {
        let Orbit { symmetry, kept, kind, .. } = self;
        self.places.of(id, || {
            let place = shared.places.value(id);
            let node = place.node.map(|(node, _)| shared.nodes.value(node));
            let side = shared.sides.value(place.side.0);
            let renamed = |kept: &Kept| {
                let index = kept.to[place.index as usize];
                let node = node.as_ref().map(|node| renamed_node(symmetry, kept, node));
                let node = node.map(|node| kind.content(&shared.nodes, Salt::Node, node));
                let side = renamed_side(symmetry, kept, side, index);
                let side = kind.content(&shared.sides, Salt::Side, side);
                Place { index, node, side, user: place.user }
            };
            let image = |kept| kind.image(kind.content(&shared.places, Salt::Place, renamed(kept)));
            kept.iter().map(image).collect()
        })
    }

    fn envelope(&mut self, shared: &Shared<N>, id: u32) -> &[u64] {
        let Orbit { symmetry, kept, kind, .. } = self;
        self.envelopes.of(id, || {
            let envelope = shared.envelopes.value(id);
            let renamed = |kept| renamed_envelope(symmetry, kept, envelope);
            let image = |kept| kind.image(kind.content(&shared.envelopes, Salt::Envelope, renamed(kept)));
            kept.iter().map(image).collect()
        })
    }

    fn observer(&mut self, shared: &Shared<N>, id: u32) -> &[u64] {
        let Orbit { kept, kind, .. } = self;
        self.observers.of(id, || {
            let observer = shared.observers.value(id);
            let renamed = |kept: &Kept| {
                let mut renamed = (*observer).clone();
                renamed.rename(&|id| kept.renaming.name(id));
                renamed
            };
            let image = |kept| kind.image(kind.content(&shared.observers, Salt::Observer, renamed(kept)));
            kept.iter().map(image).collect()
        })
    }

    fn extras(&mut self, shared: &Shared<N>, id: u32) -> &[u64] {
        let Orbit { kept, kind, .. } = self;
        self.extras.of(id, || {
            let extras = shared.extras.value(id);
            let renamed = |kept| renamed_extras(kept, extras);
            let image = |kept| kind.image(kind.content(&shared.extras, Salt::Extras, renamed(kept)));
            kept.iter().map(image).collect()
        })
    }

    /// The least fingerprint of the states that `state` may be renamed to, itself included.
    pub(crate) fn fingerprint(&mut self, shared: &Shared<N>, state: &[u32], fingerprint: u64) -> u64 {
        if self.kind == As::Id {
            // Whole states are compared, and no fingerprints.
            return fingerprint;
        }
        let places = shared.names.len();
        let mut sums = std::mem::take(&mut self.sums);
        sums.clear();
        sums.resize(self.kept.len(), 0);
        let add = |sums: &mut [u64], images: &[u64]| {
            for (sum, image) in sums.iter_mut().zip(images) {
                *sum = sum.wrapping_add(*image);
            }
        };
        for id in &state[..places] {
            add(&mut sums, self.place(shared, *id));
        }
        add(&mut sums, self.observer(shared, state[places]));
        add(&mut sums, self.extras(shared, state[places + 1]));
        let is_ordered = Symmetry::<N>::is_ordered(shared.system.network);
        if is_ordered {
            self.number(shared, &state[places + 2..]);
        }
        for (at, id) in state[places + 2..].iter().enumerate() {
            if is_ordered {
                let position = self.positions[at];
                for (sum, image) in sums.iter_mut().zip(self.envelope(shared, *id)) {
                    *sum = sum.wrapping_add(content_hash(Salt::Position, &(*image, position)));
                }
            } else {
                add(&mut sums, self.envelope(shared, *id));
            }
        }
        let least = sums.iter().copied().fold(fingerprint, u64::min);
        self.sums = sums;
        least
    }

    /// The position of each envelope on its link. A renaming takes links to links, and keeps positions.
    fn number(&mut self, shared: &Shared<N>, flight: &[u32]) {
        self.positions.clear();
        let (mut link, mut position) = (None, 0);
        for id in flight {
            let envelope = shared.envelopes.value(*id);
            let this = Some((envelope.from, envelope.to));
            position = if link == this { position + 1 } else { 0 };
            link = this;
            self.positions.push(position);
        }
    }

    /// The least of the states that `state` may be renamed to, as a run of ids.
    pub(crate) fn least(&mut self, shared: &Shared<N>, state: &[u32]) -> Vec<u32> {
        assert!(self.kind == As::Id, "only where whole states are kept");
        let places = shared.names.len();
        let mut least = state.to_vec();
        for number in 0..self.kept.len() {
            let mut renamed = vec![0; places];
            for (index, id) in state[..places].iter().enumerate() {
                let to = self.kept[number].to[index] as usize;
                renamed[to] = self.place(shared, *id)[number] as u32;
            }
            renamed.push(self.observer(shared, state[places])[number] as u32);
            renamed.push(self.extras(shared, state[places + 1])[number] as u32);
            for id in &state[places + 2..] {
                renamed.push(self.envelope(shared, *id)[number] as u32);
            }
            let flight = &mut renamed[places + 2..];
            if Symmetry::<N>::is_ordered(shared.system.network) {
                flight.sort_by_key(|id| {
                    let envelope = shared.envelopes.value(*id);
                    (shared.index(envelope.from), shared.index(envelope.to))
                });
            } else {
                flight.sort_unstable();
            }
            least = least.min(renamed);
        }
        least
    }

    /// How many renamings the search uses.
    pub(crate) fn renamings(&self) -> usize {
        self.kept.len()
    }

    /// The new names under renaming `number`.
    pub(crate) fn names_under(&self, number: usize) -> &BTreeMap<NodeId, NodeId> {
        &self.kept[number].renaming.0
    }

    /// The place that a place becomes.
    pub(crate) fn place_under(&self, number: usize, place: usize) -> usize {
        self.kept[number].to[place] as usize
    }

    /// A node under its new name.
    pub(crate) fn node_under(&self, number: usize, node: &N) -> N {
        renamed_node(&self.symmetry, &self.kept[number], node)
    }

    /// What the world keeps around a node, under new names; `to` is its new place.
    pub(crate) fn side_under(&self, number: usize, side: &Side<N>, to: usize) -> Side<N> {
        renamed_side(&self.symmetry, &self.kept[number], side, to as u32)
    }

    /// A message under new names.
    pub(crate) fn envelope_under(&self, number: usize, envelope: &Envelope<N>) -> Envelope<N> {
        renamed_envelope(&self.symmetry, &self.kept[number], envelope)
    }

    /// Shows an observer the same again under other names: what differs, in words.
    pub(crate) fn observes_otherwise(
        &self,
        shared: &Shared<N>,
        (observer, seen): (u32, u32),
        (after, objects): (u32, bool),
    ) -> Option<String> {
        self.few().find_map(|kept| {
            let name = |id| kept.renaming.name(id);
            let (mut again, mut right) =
                (shared.observers.value(observer).clone(), shared.observers.value(after).clone());
            again.rename(&name);
            right.rename(&name);
            let mut objects_again = false;
            for one in renamed_seen(&self.symmetry, kept, shared.seen.value(seen)) {
                objects_again |= one.show(&mut again).is_err();
            }
            (again != right || objects_again != objects).then(|| {
                let names = &kept.renaming.0;
                format!(
                    "the observer is not what the symmetry says: renamed by {names:?} and then shown an answer it is \
                     {again:?}, shown it and then renamed {right:?}"
                )
            })
        })
    }

    /// The renamings that steps are taken under again. Two nodes that change names are enough where there is such a renaming:
    /// these make all others.
    fn few(&self) -> impl Iterator<Item = &Kept> {
        let swaps = self.kept.iter().filter(|kept| kept.renaming.0.len() == 2);
        let others = self.kept.iter().filter(|kept| kept.renaming.0.len() != 2);
        swaps.chain(others).take(CHECKED)
    }

    /// Takes a step again under other names: what differs, in words.
    pub(crate) fn difference(
        &self,
        shared: &Shared<N>,
        (place, stim): (u32, Stim),
        step: &Step,
    ) -> Option<String> {
        self.few().find_map(|kept| self.differs(shared, kept, (place, stim), step))
    }

    fn differs(
        &self,
        shared: &Shared<N>,
        kept: &Kept,
        (place, stim): (u32, Stim),
        step: &Step,
    ) -> Option<String> {
        let symmetry = &*self.symmetry;
        let mut local = shared.local(place);
        let id = local.id;
        let index = kept.to[local.index];
        let seat = &shared.system.places[index as usize];
        (local.id, local.index) = (seat.id, index as usize);
        (local.built, local.user) = (&seat.built, seat.user.as_ref());
        local.node = local.node.map(|node| renamed_node(symmetry, kept, &node));
        local.side = renamed_side(symmetry, kept, &local.side, index);
        match stim.choice() {
            Choice::Deliver { envelope, is_late } => {
                let envelope = renamed_envelope(symmetry, kept, shared.envelopes.value(envelope));
                local.run(Event::Deliver(&envelope), is_late);
            }
            Choice::Fire { timer, is_late } => {
                let waiting = shared.timers.value(timer);
                let timer = renamed_waiting(symmetry, kept, waiting, index);
                local.run(Event::Fire(&timer), is_late);
            }
            Choice::Act { act, .. } => local.run(Event::Act(act), false),
            Choice::Drop { .. } | Choice::Undrop { .. } | Choice::Cut { .. } => return None,
        }
        let after = shared.places.value(step.after);
        let node = after.node.map(|(node, _)| renamed_node(symmetry, kept, shared.nodes.value(node)));
        let side = renamed_side(symmetry, kept, shared.sides.value(after.side.0), index);
        if self.kind == As::Hash {
            // What is only hashed from now on is kept once, so that a `Hash` that leaves something out is found (`clash.rs`).
            node.iter().for_each(|node| _ = shared.nodes.intern(node.clone()));
            shared.sides.intern(side.clone());
        }
        let position = after.user.map(|(user, _)| (*shared.users.value(user)).clone());
        let sends = step.sends.iter().map(|(id, _)| shared.envelopes.value(*id));
        let sends = sends.map(|envelope| renamed_envelope(symmetry, kept, envelope)).collect();
        let seen = shared.seen.value(step.seen);
        // What waits for the disk keeps the order in which it was sent, and that may follow the names.
        let is_same_side = local.side == side || !side.outbox.is_empty();
        let is_same = local.node == node
            && is_same_side
            && local.position == position
            && sorted(shared, std::mem::take(&mut local.done.sends)) == sorted(shared, sends)
            && local.done.seen == renamed_seen(symmetry, kept, seen)
            && local.done.objection.is_some() == step.objection.is_some();
        let names = &kept.renaming.0;
        (!is_same).then(|| {
            format!(
                "{id} is not what the symmetry says: renamed by {names:?} and then stepped it is {:?}, \
                 stepped and then renamed {node:?}",
                local.node
            )
        })
    }
}

impl<N: Checkable> Worker<'_, N> {
    /// What a state is known by: its fingerprint, or that of the first of all states that are symmetric to it.
    pub(crate) fn identity(&mut self, state: &[u32], fingerprint: u64) -> u64 {
        let (state, fingerprint) = self.living(state, fingerprint);
        match &mut self.orbit {
            None => fingerprint,
            Some(orbit) => orbit.fingerprint(self.shared, &state, fingerprint),
        }
    }

    /// What a state is known by where whole states are kept: as [`identity`](Worker::identity).
    pub(crate) fn whole_identity<'s>(&mut self, state: &'s [u32]) -> Cow<'s, [u32]> {
        if !self.settings.is_exact {
            return Cow::Borrowed(state);
        }
        let (state, _) = self.living(state, 0);
        match &mut self.orbit {
            None => state,
            Some(orbit) => Cow::Owned(orbit.least(self.shared, &state)),
        }
    }
}

/// What is sent, in an order that does not depend on the order of names where the network keeps none.
fn sorted<N: Checkable>(shared: &Shared<N>, mut sends: Vec<Envelope<N>>) -> Vec<Envelope<N>> {
    if Symmetry::<N>::is_ordered(shared.system.network) {
        sends.sort_by_key(|envelope| (envelope.from, envelope.to));
    } else {
        sends.sort_by_cached_key(|envelope| content_hash(Salt::Envelope, envelope));
    }
    sends
}

/// The renaming, if a search with these settings may use it: if it keeps everything that tells nodes apart.
fn keep<N: Checkable>(shared: &Shared<N>, settings: &Settings<N>, renaming: &Renaming) -> Option<Kept> {
    let keeps = |ids: &mut dyn Iterator<Item = NodeId>| {
        let ids: std::collections::BTreeSet<NodeId> = ids.collect();
        ids.iter().all(|id| ids.contains(&renaming.name(*id)))
    };
    let keeps_reads = |property: &Property<N>| match &property.reads {
        Reads::Nodes(ids) => keeps(&mut ids.iter().copied()),
        Reads::Everything => true,
    };
    let cut: Vec<_> = settings.cut_links.iter().copied().collect();
    let mut properties = settings.invariants.iter().chain(&settings.goals).chain(&settings.prunes);
    let is_kept = renaming.links(&cut) == settings.cut_links
        && keeps(&mut settings.stopped_timers.iter().copied())
        && properties.all(keeps_reads);
    if !is_kept {
        return None;
    }
    let sets: Vec<_> =
        shared.system.partitions.iter().map(|links| Renaming::default().links(links)).collect();
    let mut partitions = vec![0];
    for links in &shared.system.partitions {
        let renamed = renaming.links(links);
        partitions.push(sets.iter().position(|set| *set == renamed)? as u32 + 1);
    }
    let index = |id| shared.index(renaming.name(id)).map(|index| index as u32);
    let to = shared.names.iter().map(|id| index(*id)).collect::<Option<Vec<u32>>>()?;
    Some(Kept { renaming: renaming.clone(), to, partitions })
}

fn renamed_node<N: Checkable>(symmetry: &Symmetry<N>, kept: &Kept, node: &N) -> N {
    let mut node = node.clone();
    (symmetry.rename.node)(&mut node, &|id| kept.renaming.name(id));
    node
}

fn renamed_side<N: Checkable>(symmetry: &Symmetry<N>, kept: &Kept, side: &Side<N>, index: u32) -> Side<N> {
    let mut side = side.clone();
    (symmetry.rename.side)(&mut side, &|id| kept.renaming.name(id));
    for waiting in &mut side.timers {
        waiting.place = index as usize;
    }
    side.sort_timers();
    side
}

fn renamed_waiting<N: Checkable>(
    symmetry: &Symmetry<N>,
    kept: &Kept,
    waiting: &Waiting<N>,
    index: u32,
) -> Waiting<N> {
    let mut waiting = waiting.clone();
    (symmetry.rename.timer)(&mut waiting.timer, &|id| kept.renaming.name(id));
    waiting.place = index as usize;
    waiting
}

fn renamed_envelope<N: Checkable>(
    symmetry: &Symmetry<N>,
    kept: &Kept,
    envelope: &Envelope<N>,
) -> Envelope<N> {
    let mut message = envelope.message.clone();
    (symmetry.rename.message)(&mut message, &|id| kept.renaming.name(id));
    Envelope { from: kept.renaming.name(envelope.from), to: kept.renaming.name(envelope.to), message }
}

fn renamed_extras(kept: &Kept, extras: &Extras) -> Extras {
    let paused = (0..kept.to.len()).filter(|index| extras.paused >> index & 1 == 1);
    Extras {
        left: extras.left.clone(),
        paused: paused.fold(0, |bits, index| bits | 1 << kept.to[index]),
        partition: kept.partitions[extras.partition as usize],
    }
}

fn renamed_seen<N: Checkable>(symmetry: &Symmetry<N>, kept: &Kept, seen: &[Seen<N>]) -> Vec<Seen<N>> {
    let name = |id| kept.renaming.name(id);
    let renamed = seen.iter().cloned().map(|mut one| {
        match &mut one {
            Seen::Invoke { client, .. } | Seen::GiveUp { client, .. } => *client = name(*client),
            Seen::Return { client, response, .. } => {
                *client = name(*client);
                (symmetry.rename.response)(response, &name);
            }
        }
        one
    });
    renamed.collect()
}
