//! Whether a property tells nodes apart that a symmetry says are alike. Of states that differ by a renaming a search sees one, so
//! what is asked of it must be true of all of them or of none.
//!
//! A property is asked again of the state under other names, and must say the same. That is done where it is asked itself (and
//! no verdict is remembered): each of the first [`ALWAYS`] times, then once in [`ONCE_IN`], under [`CHECKED`] renamings at most,
//! other ones each time. So where few states are seen and few nodes are alike every verdict is compared; else it is a sample.
//! One that says something else is named, and the search ends as violated.

use crate::Checkable;
use crate::orbit::Orbit;
use crate::place::Side;
use crate::property::{Answer, Plain, Property, Reads, View};
use crate::shared::Shared;
use crate::user::Position;
use synod_node::{Durable, NodeId};

/// A property is asked under other names in each of so many first cases, then once in so many.
const ALWAYS: u32 = 1 << 10;
const ONCE_IN: u32 = 64;
/// So many renamings at once.
const CHECKED: usize = 6;

/// Whether the case of this number, from 0, is one in which a property is asked under other names too.
pub(crate) fn is_due(number: u32) -> bool {
    number < ALWAYS || number.is_multiple_of(ONCE_IN)
}

/// A state under other names.
struct Renamed<'a, N: Checkable> {
    shared: &'a Shared<N>,
    orbit: &'a Orbit<N>,
    /// The number of the renaming.
    number: usize,
    state: &'a [u32],
    /// By new place: the place that it was, and the node under its new name, if it runs and the property reads it.
    nodes: Vec<(usize, Option<N>)>,
}

impl<'a, N: Checkable> Renamed<'a, N> {
    fn new(
        shared: &'a Shared<N>,
        (orbit, number): (&'a Orbit<N>, usize),
        state: &'a [u32],
        reads: &Reads,
    ) -> Self {
        let places = shared.names.len();
        let mut nodes: Vec<(usize, Option<N>)> = (0..places).map(|place| (place, None)).collect();
        for (was, id) in state[..places].iter().enumerate() {
            let to = orbit.place_under(number, was);
            let is_read = match reads {
                Reads::Nodes(ids) => ids.contains(&shared.names[to]),
                Reads::Everything => true,
            };
            let node = shared.places.value(*id).node.filter(|_| is_read);
            let node = node.map(|(node, _)| orbit.node_under(number, shared.nodes.value(node)));
            nodes[to] = (was, node);
        }
        Renamed { shared, orbit, number, state, nodes }
    }

    fn index(&self, id: NodeId) -> usize {
        self.shared.index(id).expect("a property reads nodes that are there")
    }

    fn position(&self, id: NodeId) -> Option<&'a Position> {
        let (was, _) = &self.nodes[self.index(id)];
        let user = self.shared.places.value(self.state[*was]).user?;
        Some(self.shared.users.value(user.0))
    }

    fn side(&self, id: NodeId) -> Side<N> {
        let to = self.index(id);
        let (was, _) = &self.nodes[to];
        let side = self.shared.places.value(self.state[*was]).side.0;
        self.orbit.side_under(self.number, self.shared.sides.value(side), to)
    }
}

impl<N: Checkable> Plain<N> for Renamed<'_, N> {
    fn ids(&self) -> Vec<NodeId> {
        self.shared.names.clone()
    }

    fn node(&self, id: NodeId) -> Option<&N> {
        self.shared.index(id).and_then(|index| self.nodes[index].1.as_ref())
    }

    fn answered(&self, id: NodeId) -> u64 {
        self.position(id).map_or(0, |position| position.answered)
    }

    fn asked(&self, id: NodeId) -> u64 {
        self.position(id).map_or(0, |position| position.asked)
    }

    fn is_done(&self, id: NodeId) -> bool {
        let user = self.shared.system.places[self.index(id)].user.as_ref();
        self.position(id).is_some_and(|position| user.is_some_and(|user| user.is_done(position)))
    }

    fn messages(&self) -> Vec<(NodeId, NodeId, N::Message)> {
        let flight = &self.state[self.shared.names.len() + 2..];
        let renamed = |id: &u32| {
            let envelope = self.orbit.envelope_under(self.number, self.shared.envelopes.value(*id));
            (envelope.from, envelope.to, envelope.message)
        };
        flight.iter().map(renamed).collect()
    }

    fn timers(&self, id: NodeId) -> Vec<N::Timer> {
        self.side(id).timers.into_iter().map(|waiting| waiting.timer).collect()
    }

    fn disk(&self, id: NodeId) -> Option<Durable<N>> {
        Some(self.side(id).disk)
    }
}

/// What a property says under other names, if it is not what it `says` under these.
pub(crate) fn partial<N: Checkable>(
    shared: &Shared<N>,
    orbit: &Orbit<N>,
    (property, holds): (&Property<N>, bool),
    state: &[u32],
    number: u32,
) -> Option<String> {
    let count = orbit.renamings();
    let first = number as usize * CHECKED;
    (0..count.min(CHECKED)).find_map(|at| {
        let renaming = (first + at) % count;
        let renamed = Renamed::new(shared, (orbit, renaming), state, &property.reads);
        let answer = property.ask(&View::plain(&renamed, &property.reads));
        let (name, names) = (&property.name, orbit.names_under(renaming));
        let says = |holds: bool| if holds { "holds" } else { "does not hold" };
        (matches!(answer, Answer::Holds) != holds).then(|| {
            format!(
                "`{name}` tells nodes apart that the symmetry says are alike: in this state it {}, and where they are \
                 renamed by {names:?} it {}. It must be searched without the symmetry",
                says(holds),
                says(!holds)
            )
        })
    })
}
