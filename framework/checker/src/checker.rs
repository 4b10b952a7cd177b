//! The front: a system, its first state, and the searches from any state that was found.

use crate::Checkable;
use crate::checks::{Checks, Survives};
use crate::crew::Crew;
use crate::extras::Extras;
use crate::moment::Moment;
use crate::observer::{Observer, Witness};
use crate::path::anything;
use crate::report::Report;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;
use crate::stim::{Act, Stim};
use crate::system::{Network, System};
use crate::walks::Walks;
use crate::worker::{NONE, Worker};
use crate::{breadth, clash, dead, depth, walks};
use synod_node::NodeId;

/// What `--checks` adds to every local step.
pub struct CheckSettings<N: Checkable> {
    /// Whether a message survives encoding and decoding, for protocols that have a byte form.
    pub survives: Option<Survives<N>>,
}

/// What happens at a place before the first state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) place: usize,
    pub(crate) act: Act,
    /// The content of the place before it, by number.
    pub(crate) before: u32,
}

/// Checks one system. What it learns of local steps serves all its searches.
pub struct Checker<N: Checkable> {
    pub(crate) shared: Shared<N>,
    first: State,
    /// The steps before it, at most one of each place.
    pub(crate) opening: Vec<Opening>,
    /// The observer that has seen nothing.
    blank: Witness<N>,
}

impl<N: Checkable> Checker<N> {
    /// A checker of `system`, whose users `observer` watches. Every node starts and every user asks its first requests
    /// before the first state.
    ///
    /// # Errors
    /// What is wrong with the first steps: a panic, a wrong answer, an objection of the observer.
    pub fn new(system: System<N>, observer: impl Observer<N>) -> Result<Self, String> {
        Checker::begin(Shared::new(system, None), Witness::new(observer), None)
    }

    /// As [`new`](Checker::new), with every local step checked for what a search relies on.
    ///
    /// # Errors
    /// As [`new`](Checker::new).
    pub fn with_checks(
        system: System<N>,
        observer: impl Observer<N>,
        checks: CheckSettings<N>,
    ) -> Result<Self, String> {
        let shared = Shared::new(system, Some(Checks::new(checks.survives)));
        Checker::begin(shared, Witness::new(observer), None)
    }

    /// Takes the first steps: every node starts, or, from a moment on, those that run go on, and users ask.
    pub(crate) fn begin(
        shared: Shared<N>,
        observer: Witness<N>,
        moment: Option<&Moment<'_, N>>,
    ) -> Result<Self, String> {
        let indexes = 0..shared.names.len();
        let (places, flight, act): (Vec<u32>, Vec<u32>, Act) = match moment {
            None => (indexes.map(|index| shared.blank(index)).collect(), Vec::new(), Act::Start),
            Some(moment) => (shared.places_at(moment), shared.flight_at(moment), Act::Resume),
        };
        let begins = |place: &usize| moment.is_none_or(|moment| !moment.is_still(shared.names[*place]));
        let opening = (0..places.len()).filter(begins);
        let opening: Vec<Opening> =
            opening.map(|place| Opening { place, act, before: places[place] }).collect();
        let extras = shared.extras.intern(Extras::at_start(shared.system.budgets.clone())).0;
        let blank = observer.clone();
        let observer = shared.observers.intern(observer).0;
        let mut vector = places;
        vector.extend([observer, extras]);
        vector.extend(flight);
        let settings = anything();
        let mut worker = Worker::new(&shared, &settings);
        for Opening { place, act, before } in opening.iter().copied() {
            let stim = Stim::act(place, act);
            let fingerprint = worker.fingerprint(&vector);
            let number = worker.step(before, stim);
            let mut successors = Vec::new();
            worker.mark_flight(&vector);
            let step = ((place, stim, number), (NONE, extras));
            worker.add_taken(&vector, fingerprint, step, &mut successors);
            let next = successors[0];
            if next.objection != NONE {
                return Err(worker.objections[next.objection as usize].to_string());
            }
            let mut built = Vec::new();
            worker.build(&vector, &next, &mut built);
            vector = built;
        }
        drop(worker);
        let first = State { vector: vector.into(), path: [].into(), dropped: [].into() };
        Ok(Checker { shared, first, opening, blank })
    }

    /// The first state.
    pub fn start(&self) -> State {
        self.first.clone()
    }

    /// What is checked.
    pub fn system(&self) -> &System<N> {
        &self.shared.system
    }

    /// Who watches the users, before they ask anything.
    pub fn observer(&self) -> &Witness<N> {
        &self.blank
    }

    /// The nodes' names.
    pub fn names(&self) -> &[NodeId] {
        &self.shared.names
    }

    /// How the network treats what is sent.
    pub fn network(&self) -> Network {
        self.shared.system.network
    }

    /// Searches breadth-first: each counterexample is a shortest one.
    pub fn breadth_first(&self, from: &State, settings: &Settings<N>, crew: &dyn Crew) -> Report {
        self.vouched(from, settings, breadth::search(&self.shared, settings, from, crew))
    }

    /// Searches depth-first: with the memory of one path. Counterexamples are not the shortest.
    pub fn depth_first(&self, from: &State, settings: &Settings<N>, crew: &dyn Crew) -> Report {
        self.vouched(from, settings, depth::search(&self.shared, settings, from, crew))
    }

    /// Walks at random. Never shows that there is nothing else.
    pub fn walk(&self, from: &State, settings: &Settings<N>, walks: Walks, crew: &dyn Crew) -> Report {
        self.vouched(from, settings, walks::search(&self.shared, settings, (from, walks), crew))
    }

    /// A report, with what is wrong about what the search relied on.
    fn vouched(&self, from: &State, settings: &Settings<N>, report: Report) -> Report {
        let report = dead::proven(&self.shared, settings, from, report);
        clash::told(&self.shared, settings, from, report)
    }
}
