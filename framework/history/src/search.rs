//! The general check: a search for one order of the operations that the specification allows.
//!
//! Wing and Gong (1993) try, at each point, every operation that no other precedes; Lowe (2017) remembers which
//! pairs of (operations placed, state) led nowhere; Horn and Kroening (2015) keep the events in a linked list from
//! which a placed operation is lifted. Orders that can do no more than another one are left out:
//!
//! * **An operation that changes nothing and fits now** is placed before anything else is tried: if some order of the
//!   rest exists, it exists with this operation in front as well, since it changes nothing and nothing precedes it.
//! * **Of equal operations with equal answers** only the one that is answered first is tried: where another of them
//!   stands, it could stand too.
//! * **An operation of unknown outcome** must change something, and the next operation must need it. If the next one could
//!   stand before it with the same result, it is tried there; if it makes no difference, the unknown one is left out. Two
//!   unknown ones that commute have one order. Of equal ones that are unused the one invoked first is tried, and none
//!   where an answered one asks for the same and fits.
//! * **A dead end** counts for all that used more unknown operations to get to the same (`dead_ends.rs`).
//! * A state from which the read that is answered next cannot come to fit is a dead end at once.
//!
//! # Why no order is missed
//! Say that a point has a solution if the rest can be placed, and take the one with the shortest among all points that
//! were reached. Each rule gives, for the first step of that solution, a point with a shorter one that was reached too,
//! for the reasons above. For unknown operations the claim is: if `x` fits at a reached point, a point was reached with the
//! same state, `x` placed, and no more unknown ones used. It follows by induction over the number of unknown operations
//! used, and for equal numbers over the order of the groups that decides between two that commute.
//!
//! # What it holds
//! A dead end is a fingerprint of 128 bits (`dead_ends.rs`). Of the states on the way to the newest node, the search keeps
//! the last ones and a few of the others; `recall` takes the steps between again. So a long history costs little beside
//! itself, however large its states are. Everything that grows with the search counts in the budget.

use std::rc::Rc;

use synod_stdx::LookupMap;

use crate::dead_ends::{BitSet, DeadEnds};
use crate::fingerprint::{Kind, fingerprint};
use crate::history::Call;
use crate::specification::Specification;
use crate::steps::{ClassId, Point, Steps};
use crate::timeline::{Event, HEAD, Timeline};
use crate::verdict::Reason;

/// What a search may spend: it has no clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Steps of the specification over all keys of a history. One that is looked up counts as one, one that makes a large state
    /// as more.
    pub steps_max: u64,
    /// Bytes of memory for states and for what led nowhere, for the key under search.
    pub memo_bytes_max: u64,
}

impl Default for Budget {
    /// Enough for some tens of seconds and 200 MB.
    fn default() -> Self {
        Budget { steps_max: 100_000_000, memo_bytes_max: 192 << 20 }
    }
}

/// What a search found. Numbers are places in the list of calls.
pub(crate) enum Found {
    /// An order of all answered calls, with those of unknown outcome that it needs.
    Order(Vec<usize>),
    /// There is none. The answers before that of `culprit` can be explained: `order` does. Together with later ones that
    /// of `culprit` cannot, or the search saw no use in going so far.
    Stuck { culprit: usize, order: Vec<usize> },
    /// The budget ran out.
    GaveUp(Reason),
}

/// Searches an order for `calls`, which stand in the order of their invocations. Takes its steps from `budget`.
pub(crate) fn search<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>], budget: &mut Budget) -> Found {
    let mut search = Search::<S>::new(calls);
    let found = search.run(budget);
    budget.steps_max = budget.steps_max.saturating_sub(search.steps.asked);
    found
}

/// A read that is answered after more events than this does not guide the search.
const EVENTS_AHEAD_MAX: usize = 256;

/// So many of the newest nodes keep their states, and of the others one in so many.
const STATES_KEPT: usize = if cfg!(test) { 3 } else { 1_024 };
const STATES_SPACING: usize = if cfg!(test) { 4 } else { 64 };

/// The calls of unknown outcome that ask for the same, in the order of their invocations.
struct Group {
    class: ClassId,
    calls: Vec<usize>,
    /// How many of them took effect: the first ones.
    used: usize,
}

/// One point of the search: some calls are placed, and there are choices for the next one.
struct Node<State> {
    /// The state, if it is kept. Those of the newest two nodes are.
    point: Option<Rc<Point<State>>>,
    /// How many calls were placed before the one that led here. Calls that fitted at once came with it.
    placed_before: usize,
    /// Its choices begin here in `Search::choices`, and end where those of the next node begin.
    choices: usize,
    /// The one to try next.
    next: usize,
    /// The place of the earliest answer that is not placed.
    first_return: usize,
    /// The group of the call of unknown outcome that led here, if the next call must need it.
    led_by: Option<usize>,
}

/// How a call needs the one before it.
enum Need {
    /// Placed before it, the call would lead elsewhere or nowhere.
    Real,
    /// The two lead to the same in either order.
    Commute,
    /// The call leads to the same without the other.
    None,
}

/// How far the search came: up to the answer at `first_return`, which the calls of `order` do not include.
struct Furthest {
    first_return: usize,
    order: Vec<usize>,
    /// So many of `order` are still placed in this order.
    shared: usize,
}

struct Search<'a, S: Specification> {
    calls: &'a [Call<'a, S::Op, S::Ret>],
    steps: Steps<'a, S>,
    /// The class of each call.
    class: Vec<ClassId>,
    /// For each class, whether its calls leave every state as it is in which they have their answer.
    keeps_state: Vec<bool>,
    /// For each class, the group of unknown calls that ask for the same.
    group_of: Vec<Option<usize>>,
    timeline: Timeline,
    groups: Vec<Group>,
    /// For each call its fingerprint.
    prints: Vec<u128>,
    /// For each call of unknown outcome its bit in `unknown_placed`.
    bit: Vec<usize>,
    unknown_placed: BitSet,
    /// The fingerprints of all answered calls that are placed, added bit by bit.
    answered_placed: u128,
    placed: Vec<usize>,
    nodes: Vec<Node<S::State>>,
    choices: Vec<usize>,
    dead_ends: DeadEnds,
    /// The bytes of the nodes' states.
    state_bytes: usize,
    furthest: Furthest,
}

impl<'a, S: Specification> Search<'a, S> {
    fn new(calls: &'a [Call<'a, S::Op, S::Ret>]) -> Self {
        let (steps, class) = Steps::new(calls);
        let mut groups: Vec<Group> = Vec::new();
        let mut group_of_op = LookupMap::default();
        let mut bit = vec![0; calls.len()];
        let mut unknown = 0;
        for (at, call) in calls.iter().enumerate() {
            if call.answer.is_none() && !S::is_read_only(call.op) {
                bit[at] = unknown;
                unknown += 1;
                let group = *group_of_op.entry(call.op).or_insert(groups.len());
                if group == groups.len() {
                    groups.push(Group { class: class[at], calls: Vec::new(), used: 0 });
                }
                groups[group].calls.push(at);
            }
        }
        let mut keeps_state = vec![false; steps.classes()];
        let mut group_of = vec![None; steps.classes()];
        for (call, class) in calls.iter().zip(&class) {
            keeps_state[*class as usize] = S::keeps_state(call.op, call.ret());
            group_of[*class as usize] = group_of_op.get(call.op).copied();
        }
        Search {
            calls,
            steps,
            class,
            keeps_state,
            group_of,
            timeline: Timeline::new(calls),
            groups,
            prints: (0..calls.len()).map(|call| fingerprint(Kind::Call, &call)).collect(),
            bit,
            unknown_placed: BitSet::new(unknown),
            answered_placed: 0,
            placed: Vec::new(),
            nodes: Vec::new(),
            choices: Vec::new(),
            dead_ends: DeadEnds::new(),
            state_bytes: 0,
            furthest: Furthest { first_return: 0, order: Vec::new(), shared: 0 },
        }
    }

    fn run(&mut self, budget: &Budget) -> Found {
        if !self.arrive(Rc::new(Point::new::<S>(S::initial())), 0, None) {
            return Found::Order(self.placed.clone());
        }
        loop {
            if self.steps.asked > budget.steps_max {
                return Found::GaveUp(Reason::Steps);
            }
            if self.bytes() as u64 > budget.memo_bytes_max {
                return Found::GaveUp(Reason::Memory);
            }
            let Some(node) = self.nodes.last_mut() else {
                let (Event::Invoked(culprit) | Event::Returned(culprit)) =
                    self.timeline.event(self.furthest.first_return);
                return Found::Stuck { culprit, order: std::mem::take(&mut self.furthest.order) };
            };
            if let Some(call) = self.choices.get(node.next).copied() {
                node.next += 1;
                if let Some(point) = self.leads_to(call)
                    && !self.go_on(call, point)
                {
                    return Found::Order(self.placed.clone());
                }
            } else {
                self.note_furthest();
                self.take_back();
            }
        }
    }

    /// About how many bytes the search holds, without what is a small multiple of the history.
    fn bytes(&self) -> usize {
        let choices = self.choices.len() * size_of::<usize>();
        self.dead_ends.bytes() + self.steps.bytes() + self.state_bytes + choices
    }

    /// Places `call`, which leads to `point`, if the search has not been there. False if all answered calls are placed.
    fn go_on(&mut self, call: usize, point: Rc<Point<S::State>>) -> bool {
        let placed_before = self.placed.len();
        self.lift(call);
        let reached = self.answered_placed ^ point.fingerprint;
        if self.may_go_on(&point.state) && self.dead_ends.insert(reached, &self.unknown_placed) {
            let led_by = if self.calls[call].answer.is_none() { self.group(call) } else { None };
            return self.arrive(point, placed_before, led_by);
        }
        self.unlift();
        true
    }

    /// A new node: places the calls that fit at once and lists its choices. False if all answered calls are placed.
    fn arrive(&mut self, point: Rc<Point<S::State>>, placed_before: usize, led_by: Option<usize>) -> bool {
        // A call that fits only now needs the one that led here.
        let has_use = self.place_what_fits(&point);
        let first_return = self.timeline.iter().find(|(_, event)| matches!(event, Event::Returned(_)));
        let Some((first_return, _)) = first_return else { return false };
        let choices = self.choices.len();
        self.list_answered(first_return);
        self.list_unknown(first_return);
        let led_by = led_by.filter(|_| !has_use);
        self.state_bytes += point.bytes;
        let point = Some(point);
        self.nodes.push(Node { point, placed_before, choices, next: choices, first_return, led_by });
        self.thin_out();
        true
    }

    /// Places all calls that change nothing and fit now. Returns whether there was one.
    fn place_what_fits(&mut self, point: &Rc<Point<S::State>>) -> bool {
        let placed = self.placed.len();
        let mut place = HEAD;
        while let Some(next) = self.timeline.after(place) {
            let Event::Invoked(call) = self.timeline.event(next) else { break };
            place = next;
            let class = self.class[call];
            if self.keeps_state[class as usize] && self.steps.after(point, class).is_some() {
                place = self.timeline.before(place);
                self.lift(call);
            }
        }
        self.placed.len() > placed
    }

    /// Lists the answered calls that may be placed next, of equal ones the one that is answered first.
    fn list_answered(&mut self, first_return: usize) {
        let from = self.choices.len();
        let mut place = HEAD;
        while let Some(next) = self.timeline.after(place).filter(|next| *next < first_return) {
            place = next;
            let (Event::Invoked(call) | Event::Returned(call)) = self.timeline.event(place);
            let class = self.class[call];
            if self.keeps_state[class as usize] {
                continue;
            }
            match self.choices[from..].iter_mut().find(|choice| self.class[**choice] == class) {
                Some(choice) if self.calls[call].returned() < self.calls[*choice].returned() => {
                    *choice = call;
                }
                Some(_) => {}
                None => self.choices.push(call),
            }
        }
    }

    /// Lists the calls of unknown outcome that may be placed next.
    fn list_unknown(&mut self, first_return: usize) {
        let (Event::Invoked(first) | Event::Returned(first)) = self.timeline.event(first_return);
        let limit = self.calls[first].returned();
        let is_early = |call: &usize| Some(self.calls[*call].invoked) < limit;
        let begun = self.groups.iter().take_while(|group| is_early(&group.calls[0]));
        let next = begun.filter_map(|group| group.calls.get(group.used).copied()).filter(is_early);
        self.choices.extend(next);
    }

    /// Where `call`, a choice of the newest node, leads, if it fits there and need not be tried elsewhere.
    fn leads_to(&mut self, call: usize) -> Option<Rc<Point<S::State>>> {
        let here = self.point(0);
        let class = self.class[call];
        let after = self.steps.after(&here, class)?;
        let need = self.need(class, &after);
        if self.calls[call].answer.is_some() {
            return matches!(need, Need::Real).then_some(after);
        }
        let (group, node) = (self.group(call), self.nodes.last()?);
        let is_useful = match need {
            Need::Real => true,
            Need::Commute => node.led_by <= group,
            Need::None => false,
        };
        if !is_useful || after.fingerprint == here.fingerprint {
            return None;
        }
        // An answered call that asks for the same, fits and must be placed some time is tried instead.
        for choice in node.choices..node.next {
            let other = self.choices[choice];
            let is_like = self.calls[other].answer.is_some() && self.group(other) == group;
            if is_like && self.leads_to(other).is_some() {
                return None;
            }
        }
        Some(after)
    }

    /// The state of the newest node but `back`; of two it is there.
    fn point(&self, back: usize) -> Rc<Point<S::State>> {
        let node = &self.nodes[self.nodes.len() - 1 - back];
        Rc::clone(node.point.as_ref().expect("the newest nodes keep their states"))
    }

    /// How a call of `class`, which leads to `after`, needs the one that led to the newest node.
    fn need(&mut self, class: ClassId, after: &Rc<Point<S::State>>) -> Need {
        let Some(led_by) = self.nodes.last().and_then(|node| node.led_by) else { return Need::Real };
        let before = self.point(1);
        let Some(without) = self.steps.after(&before, class) else { return Need::Real };
        if without.fingerprint == after.fingerprint {
            return Need::None;
        }
        match self.steps.after(&without, self.groups[led_by].class) {
            Some(swapped) if swapped.fingerprint == after.fingerprint => Need::Commute,
            Some(_) | None => Need::Real,
        }
    }

    /// Whether the unplaced read that is answered first may still fit after `state`.
    fn may_go_on(&self, state: &S::State) -> bool {
        let ahead = self.timeline.iter().take(EVENTS_AHEAD_MAX);
        let read = ahead.into_iter().find_map(|(place, event)| match event {
            Event::Returned(call) if S::is_read_only(self.calls[call].op) => Some((call, place)),
            Event::Invoked(_) | Event::Returned(_) => None,
        });
        let Some((read, until)) = read else { return true };
        let Some((ret, end)) = self.calls[read].answer else { return true };
        let until = self.timeline.iter().take_while(|(place, _)| *place < until);
        let answered = until.filter_map(|(_, event)| match event {
            Event::Invoked(call) => Some(self.calls[call].op),
            Event::Returned(_) => None,
        });
        let unknown = self.groups.iter().filter_map(|group| {
            let call = &self.calls[*group.calls.get(group.used)?];
            (call.invoked < end).then_some(call.op)
        });
        S::may_reach(state, (self.calls[read].op, ret), &mut answered.chain(unknown))
    }

    /// Notes the calls that are placed, if the search never came so far.
    fn note_furthest(&mut self) {
        let first_return = self.nodes.last().map_or(0, |node| node.first_return);
        if first_return > self.furthest.first_return {
            let Furthest { order, shared, .. } = &mut self.furthest;
            order.truncate(*shared);
            order.extend_from_slice(&self.placed[*shared..]);
            self.furthest.first_return = first_return;
            self.furthest.shared = self.placed.len();
        }
    }

    /// Takes back the newest node, with the calls that led to it and those that fitted at once.
    fn take_back(&mut self) {
        let node = self.nodes.pop().expect("there is one to take back");
        self.state_bytes -= node.point.map_or(0, |point| point.bytes);
        self.choices.truncate(node.choices);
        while self.placed.len() > node.placed_before {
            self.unlift();
        }
        self.furthest.shared = self.furthest.shared.min(self.placed.len());
        self.recall();
    }

    /// Forgets the state of one of the older nodes.
    fn thin_out(&mut self) {
        let Some(old) = self.nodes.len().checked_sub(STATES_KEPT) else { return };
        if !old.is_multiple_of(STATES_SPACING) {
            self.state_bytes -= self.nodes[old].point.take().map_or(0, |point| point.bytes);
        }
    }

    /// Gives the newest two nodes, and those before them up to one that kept it, their states again.
    fn recall(&mut self) {
        let newest = self.nodes.len().saturating_sub(2);
        let is_kept = |node: &Node<S::State>| node.point.is_some();
        if self.nodes[newest..].iter().all(is_kept) {
            return;
        }
        let kept = self.nodes[..=newest].iter().rposition(is_kept).expect("the first node keeps its state");
        for at in kept + 1..self.nodes.len() {
            if self.nodes[at].point.is_none() {
                let before = self.nodes[at - 1].point.as_ref().expect("it is kept or was had again");
                let call = self.placed[self.nodes[at].placed_before];
                let point = self.steps.after(before, self.class[call]).expect("the step was taken before");
                self.state_bytes += point.bytes;
                self.nodes[at].point = Some(point);
            }
        }
    }

    fn lift(&mut self, call: usize) {
        self.placed.push(call);
        if self.calls[call].answer.is_some() {
            self.answered_placed ^= self.prints[call];
            self.timeline.lift(call);
        } else {
            self.unknown_placed.insert(self.bit[call]);
            self.group_mut(call).used += 1;
        }
    }

    /// Takes back the call that was placed last.
    fn unlift(&mut self) {
        let call = self.placed.pop().expect("it was placed");
        if self.calls[call].answer.is_some() {
            self.answered_placed ^= self.prints[call];
            self.timeline.unlift(call);
        } else {
            self.unknown_placed.remove(self.bit[call]);
            self.group_mut(call).used -= 1;
        }
    }

    /// The group of unknown calls that ask for the same as `call`.
    fn group(&self, call: usize) -> Option<usize> {
        self.group_of[self.class[call] as usize]
    }

    fn group_mut(&mut self, call: usize) -> &mut Group {
        let group = self.group(call).expect("an unknown call has a group");
        &mut self.groups[group]
    }
}
