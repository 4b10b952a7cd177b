//! The front: a system, its first state, and the searches from any state that was found.

use crate::Checkable;
use crate::checks::{Checks, Survives};
use crate::crew::Crew;
use crate::extras::Extras;
use crate::observer::Observer;
use crate::report::Report;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;
use crate::stim::{Act, Stim};
use crate::system::{Network, System};
use crate::walks::Walks;
use crate::worker::{NONE, Worker};
use crate::{breadth, dead, depth, walks};
use synod_node::NodeId;

/// What `--checks` adds to every local step.
pub struct CheckSettings<N: Checkable> {
    /// Whether a message survives encoding and decoding, for protocols that have a byte form.
    pub survives: Option<Survives<N>>,
}

/// Checks one system. What it learns of local steps serves all its searches.
pub struct Checker<N: Checkable, O: Observer<N>> {
    pub(crate) shared: Shared<N, O>,
    first: State,
    /// The observer that has seen nothing.
    blank: O,
}

impl<N: Checkable, O: Observer<N>> Checker<N, O> {
    /// A checker of `system`, whose users `observer` watches. Every node starts and every user asks its first requests
    /// before the first state.
    ///
    /// # Errors
    /// What is wrong with the first steps: a panic, a wrong answer, an objection of the observer.
    pub fn new(system: System<N>, observer: O) -> Result<Self, String> {
        Checker::build(system, observer, None)
    }

    /// As [`new`](Checker::new), with every local step checked for what a search relies on.
    ///
    /// # Errors
    /// As [`new`](Checker::new).
    pub fn with_checks(system: System<N>, observer: O, checks: CheckSettings<N>) -> Result<Self, String> {
        Checker::build(system, observer, Some(Checks::new(checks.survives)))
    }

    fn build(system: System<N>, observer: O, checks: Option<Checks<N>>) -> Result<Self, String> {
        let shared = Shared::new(system, checks);
        let extras = shared.extras.intern(Extras::at_start(shared.system.budgets.clone())).0;
        let blank = observer.clone();
        let observer = shared.observers.intern(observer).0;
        let places = shared.names.len();
        let mut vector: Vec<u32> = (0..places).map(|index| shared.blank(index)).collect();
        vector.extend([observer, extras]);
        let mut problem = None;
        {
            let settings = Settings::default();
            let mut worker = Worker::new(&shared, &settings);
            for place in 0..places {
                let stim = Stim::act(place, Act::Start);
                let fingerprint = worker.fingerprint(&vector);
                let number = worker.step(vector[place], stim);
                let mut successors = Vec::new();
                worker.mark_flight(&vector);
                worker.add_taken(
                    &vector,
                    fingerprint,
                    ((place, stim, number), (NONE, extras)),
                    &mut successors,
                );
                let next = successors[0];
                if next.objection != NONE {
                    problem.get_or_insert_with(|| worker.objections[next.objection as usize].to_string());
                }
                let mut built = Vec::new();
                worker.build(&vector, &next, &mut built);
                vector = built;
            }
        }
        let first = State { vector: vector.into(), path: [].into(), dropped: [].into() };
        match problem {
            Some(words) => Err(words),
            None => Ok(Checker { shared, first, blank }),
        }
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
    pub fn observer(&self) -> &O {
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
    pub fn breadth_first(&self, from: &State, settings: &Settings<N, O>, crew: &dyn Crew) -> Report {
        dead::proven(&self.shared, settings, from, breadth::search(&self.shared, settings, from, crew))
    }

    /// Searches depth-first: with the memory of one path. Counterexamples are not the shortest.
    pub fn depth_first(&self, from: &State, settings: &Settings<N, O>, crew: &dyn Crew) -> Report {
        dead::proven(&self.shared, settings, from, depth::search(&self.shared, settings, from, crew))
    }

    /// Walks at random. Never shows that there is nothing else.
    pub fn walk(&self, from: &State, settings: &Settings<N, O>, walks: Walks, crew: &dyn Crew) -> Report {
        let report = walks::search(&self.shared, settings, (from, walks), crew);
        dead::proven(&self.shared, settings, from, report)
    }
}
