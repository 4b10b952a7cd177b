//! The steps of a specification with states and calls as small numbers: each step is taken once and looked up after.

use std::sync::Arc;

use synod_stdx::LookupMap;

use crate::history::Call;
use crate::specification::Specification;

/// A state of the object, as a number.
pub(crate) type StateId = u32;

/// All calls with one operation and one answer, as a number.
pub(crate) type ClassId = u32;

/// Stands for "cannot have answered so in this state".
const IMPOSSIBLE: StateId = StateId::MAX;

/// The bytes of one step in the map of steps, without spare room.
const STEP_BYTES: usize = 24;
/// The bytes of one state in the tables of states, without the state itself.
const STATE_BYTES: usize = 64;

/// States, classes of calls, and the steps between them that were asked for.
pub(crate) struct Steps<'a, S: Specification> {
    /// Each state once: the map and the list share it.
    states: Vec<Arc<S::State>>,
    ids: LookupMap<Arc<S::State>, StateId>,
    classes: Vec<(&'a S::Op, Option<&'a S::Ret>)>,
    known: LookupMap<(StateId, ClassId), StateId>,
    /// How many steps were asked for.
    pub(crate) asked: u64,
    bytes: usize,
}

impl<'a, S: Specification> Steps<'a, S> {
    /// The steps of `calls`, the class of each call, and the initial state.
    pub(crate) fn new(calls: &[Call<'a, S::Op, S::Ret>]) -> (Self, Vec<ClassId>, StateId) {
        let mut steps = Steps {
            states: Vec::new(),
            ids: LookupMap::default(),
            classes: Vec::new(),
            known: LookupMap::default(),
            asked: 0,
            bytes: 0,
        };
        let mut numbers = LookupMap::default();
        let class_of = |call: &Call<'a, S::Op, S::Ret>| {
            *numbers.entry((call.op, call.ret())).or_insert_with(|| {
                steps.classes.push((call.op, call.ret()));
                steps.classes.len() as ClassId - 1
            })
        };
        let classes = calls.iter().map(class_of).collect();
        let initial = steps.number(S::initial());
        (steps, classes, initial)
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// The state with this number.
    pub(crate) fn state(&self, id: StateId) -> &S::State {
        &self.states[id as usize]
    }

    /// About how many bytes all this holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The state after a call of `class`, or `None` if it cannot have had its answer in `state`.
    pub(crate) fn after(&mut self, state: StateId, class: ClassId) -> Option<StateId> {
        self.asked += 1;
        if let Some(known) = self.known.get(&(state, class)) {
            return Some(*known).filter(|after| *after != IMPOSSIBLE);
        }
        let (op, ret) = self.classes[class as usize];
        let after = S::step(&self.states[state as usize], op, ret).map(|after| self.number(after));
        self.known.insert((state, class), after.unwrap_or(IMPOSSIBLE));
        self.bytes += STEP_BYTES;
        after
    }

    fn number(&mut self, state: S::State) -> StateId {
        if let Some(id) = self.ids.get(&state) {
            return *id;
        }
        self.bytes += STATE_BYTES + size_of::<S::State>() + S::heap_bytes(&state);
        let (id, state) = (self.states.len() as StateId, Arc::new(state));
        self.states.push(state.clone());
        self.ids.insert(state, id);
        id
    }
}
