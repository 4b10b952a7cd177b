//! The steps of a specification: the latest are kept, so that the search seldom takes one twice.
//!
//! A step is known by the fingerprint of the state before it and the class of the call. What is kept has a bound; when it
//! is reached, all of it is forgotten, which costs time alone.

use std::hash::Hash;
use std::rc::Rc;

use synod_stdx::LookupMap;

use crate::fingerprint::{Kind, fingerprint};
use crate::history::Call;
use crate::specification::Specification;

/// A state of the object with its fingerprint.
pub(crate) struct Point<State> {
    pub(crate) state: State,
    pub(crate) fingerprint: u128,
    /// About how many bytes it takes.
    pub(crate) bytes: usize,
}

/// All calls with one operation and one answer, as a number.
pub(crate) type ClassId = u32;

/// A step that was taken: where it led, or `None` if the call cannot have had its answer.
type Step<State> = Option<Rc<Point<State>>>;

/// The bytes of one step that is kept, without the state: an entry of the map with spare room.
const STEP_BYTES: usize = 96;
/// The bytes that are kept at most.
const KEPT_BYTES_MAX: usize = if cfg!(test) { 4 << 10 } else { 16 << 20 };

/// To make a state of so many bytes takes about as long as to look a step up.
const STEP_COST_BYTES: usize = 256;

/// The classes of calls, and the steps that are kept.
pub(crate) struct Steps<'a, S: Specification> {
    classes: Vec<(&'a S::Op, Option<&'a S::Ret>)>,
    kept: LookupMap<(u128, ClassId), Step<S::State>>,
    bytes: usize,
    /// How many steps were asked for; one that makes a large state counts as several.
    pub(crate) asked: u64,
}

impl<'a, S: Specification> Steps<'a, S> {
    /// The steps of `calls`, and the class of each call.
    pub(crate) fn new(calls: &[Call<'a, S::Op, S::Ret>]) -> (Self, Vec<ClassId>) {
        let mut classes = Vec::new();
        let mut numbers = LookupMap::default();
        let class_of = |call: &Call<'a, S::Op, S::Ret>| {
            *numbers.entry((call.op, call.ret())).or_insert_with(|| {
                classes.push((call.op, call.ret()));
                classes.len() as ClassId - 1
            })
        };
        let class = calls.iter().map(class_of).collect();
        (Steps { classes, kept: LookupMap::default(), bytes: 0, asked: 0 }, class)
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// About how many bytes the kept steps take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The state after a call of `class`, or `None` if it cannot have had its answer at `from`.
    pub(crate) fn after(&mut self, from: &Rc<Point<S::State>>, class: ClassId) -> Step<S::State> {
        self.asked += 1;
        if let Some(known) = self.kept.get(&(from.fingerprint, class)) {
            return known.clone();
        }
        let (op, ret) = self.classes[class as usize];
        let after = S::step(&from.state, op, ret)
            .map(|state| if state == from.state { Rc::clone(from) } else { Rc::new(Point::new::<S>(state)) });
        let bytes = after.as_ref().map_or(0, |after| after.bytes);
        self.asked += (bytes / STEP_COST_BYTES) as u64;
        self.bytes += STEP_BYTES + bytes;
        if self.bytes > KEPT_BYTES_MAX {
            self.kept.clear();
            self.bytes = 0;
        }
        self.kept.insert((from.fingerprint, class), after.clone());
        after
    }
}

impl<State: Hash> Point<State> {
    pub(crate) fn new<S: Specification<State = State>>(state: State) -> Self {
        let fingerprint = fingerprint(Kind::State, &state);
        let bytes = size_of::<Self>() + S::heap_bytes(&state);
        Point { state, fingerprint, bytes }
    }
}
