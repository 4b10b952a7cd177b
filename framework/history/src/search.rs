//! The general check: a search for one order of the operations that the specification allows.
//!
//! Wing and Gong (1993) try, at each point, every operation that no other precedes; Lowe (2017) remembers which
//! pairs of (operations placed, state) led nowhere; Horn and Kroening (2015) keep the events in a linked list from
//! which a placed operation is lifted. Orders that can do no more than another one are left out:
//!
//! * **An operation that changes nothing and fits now** is placed before anything else is tried: if some order of the rest exists,
//!   it exists with this operation in front as well, since it changes nothing and nothing precedes it.
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
//! States and calls are small numbers here, and each step of the specification is taken once (`steps.rs`).

use synod_stdx::LookupMap;

use crate::dead_ends::{BitSet, DeadEnds};
use crate::history::Call;
use crate::specification::Specification;
use crate::steps::{ClassId, StateId, Steps};
use crate::timeline::{Event, HEAD, Timeline};
use crate::verdict::Reason;

/// What a search may spend: it has no clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Steps of the specification, new ones and those looked up, over all keys of a history.
    pub steps_max: u64,
    /// Bytes of memory for what led nowhere, for the key under search.
    pub memo_bytes_max: u64,
}

impl Default for Budget {
    /// Enough for some tens of seconds and half a gigabyte.
    fn default() -> Self {
        Budget { steps_max: 200_000_000, memo_bytes_max: 512 << 20 }
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

/// The calls of unknown outcome that ask for the same, in the order of their invocations.
struct Group {
    class: ClassId,
    calls: Vec<usize>,
    /// How many of them took effect: the first ones.
    used: usize,
}

/// A call that may be placed next.
#[derive(Clone, Copy)]
struct Choice {
    call: usize,
    /// The state after it.
    after: StateId,
    /// Its group, if its outcome is unknown.
    group: Option<usize>,
}

/// One point of the search: some calls are placed, and there are choices for the next one.
struct Node {
    state: StateId,
    /// How many calls were placed before the one that led here. Calls that fitted at once came with it.
    placed_before: usize,
    /// Its choices begin here in `Search::choices`, and end where those of the next node begin.
    choices: usize,
    /// The one to try next.
    next: usize,
    /// The place of the earliest answer that is not placed.
    first_return: usize,
}

/// The call of unknown outcome that led to a node: the next call must need it.
#[derive(Clone, Copy)]
struct LedBy {
    /// The state before it.
    before: StateId,
    group: usize,
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

struct Search<'a, S: Specification> {
    calls: &'a [Call<'a, S::Op, S::Ret>],
    steps: Steps<'a, S>,
    /// The class of each call.
    class: Vec<ClassId>,
    /// For each class, whether its calls leave every state as it is in which they have their answer.
    keeps_state: Vec<bool>,
    /// For each class of answered calls, the group of unknown ones that ask for the same.
    group_of: Vec<Option<usize>>,
    timeline: Timeline,
    groups: Vec<Group>,
    /// For each call its bit in the set that it belongs to.
    bit: Vec<usize>,
    answered_placed: BitSet,
    unknown_placed: BitSet,
    placed: Vec<usize>,
    nodes: Vec<Node>,
    choices: Vec<Choice>,
    dead_ends: DeadEnds,
}

impl<'a, S: Specification> Search<'a, S> {
    fn new(calls: &'a [Call<'a, S::Op, S::Ret>]) -> Self {
        let (steps, class, initial) = Steps::new(calls);
        let mut groups: Vec<Group> = Vec::new();
        let mut group_of_op = LookupMap::default();
        let mut bit = Vec::with_capacity(calls.len());
        let (mut answered, mut unknown) = (0, 0);
        for (at, call) in calls.iter().enumerate() {
            if call.answer.is_some() {
                bit.push(answered);
                answered += 1;
                continue;
            }
            bit.push(unknown);
            if !S::is_read_only(call.op) {
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
        let first = Node { state: initial, placed_before: 0, choices: 0, next: 0, first_return: 0 };
        Search {
            calls,
            steps,
            class,
            keeps_state,
            group_of,
            timeline: Timeline::new(calls),
            groups,
            bit,
            answered_placed: BitSet::new(answered),
            unknown_placed: BitSet::new(unknown),
            placed: Vec::new(),
            nodes: vec![first],
            choices: Vec::new(),
            dead_ends: DeadEnds::new(),
        }
    }

    fn run(&mut self, budget: &Budget) -> Found {
        let mut furthest: Option<(usize, Vec<usize>)> = None;
        if !self.arrive(None) {
            return Found::Order(self.placed.clone());
        }
        loop {
            if self.steps.asked > budget.steps_max {
                return Found::GaveUp(Reason::Steps);
            }
            if (self.dead_ends.bytes() + self.steps.bytes()) as u64 > budget.memo_bytes_max {
                return Found::GaveUp(Reason::Memory);
            }
            let Some(node) = self.nodes.last_mut() else {
                let (place, order) = furthest.expect("a search that failed was stuck somewhere");
                let (Event::Invoked(culprit) | Event::Returned(culprit)) = self.timeline.event(place);
                return Found::Stuck { culprit, order };
            };
            if let Some(choice) = self.choices.get(node.next) {
                node.next += 1;
                let before = node.state;
                let led_by = choice.group.map(|group| LedBy { before, group });
                if self.place(*choice) && !self.arrive(led_by) {
                    return Found::Order(self.placed.clone());
                }
            } else {
                let first_return = node.first_return;
                if furthest.as_ref().is_none_or(|(place, _)| first_return > *place) {
                    furthest = Some((first_return, self.placed.clone()));
                }
                self.take_back();
            }
        }
    }

    /// Goes on with `choice`, if that leads to where the search has not been.
    fn place(&mut self, choice: Choice) -> bool {
        let placed_before = self.placed.len();
        self.lift(choice.call);
        let may_go_on = self.may_go_on(choice.after)
            && self.dead_ends.insert(choice.after, &self.answered_placed, &self.unknown_placed);
        if !may_go_on {
            self.unlift();
            return false;
        }
        let choices = self.choices.len();
        self.nodes.push(Node { state: choice.after, placed_before, choices, next: choices, first_return: 0 });
        true
    }

    /// Places the calls that fit at once at the newest node and lists its choices; false if all answered calls are placed.
    fn arrive(&mut self, led_by: Option<LedBy>) -> bool {
        let state = self.nodes.last().expect("a node was just made").state;
        // A call that fits only now needs the one that led here.
        let has_use = self.place_what_fits(state);
        let led_by = led_by.filter(|_| !has_use);
        let first_return = self.timeline.iter().find(|(_, event)| matches!(event, Event::Returned(_)));
        let Some((first_return, _)) = first_return else { return false };
        self.list_answered(state, first_return, led_by);
        self.list_unknown(state, first_return, led_by);
        self.nodes.last_mut().expect("it is still there").first_return = first_return;
        true
    }

    /// Places all calls that change nothing and fit now. Returns whether there was one.
    fn place_what_fits(&mut self, state: StateId) -> bool {
        let placed = self.placed.len();
        let mut place = HEAD;
        while let Some(next) = self.timeline.after(place) {
            let Event::Invoked(call) = self.timeline.event(next) else { break };
            place = next;
            let class = self.class[call];
            if self.keeps_state[class as usize] && self.steps.after(state, class).is_some() {
                place = self.timeline.before(place);
                self.lift(call);
            }
        }
        self.placed.len() > placed
    }

    /// Lists the answered calls that may be placed next.
    fn list_answered(&mut self, state: StateId, first_return: usize, led_by: Option<LedBy>) {
        let from = self.choices.len();
        let mut place = HEAD;
        while let Some(next) = self.timeline.after(place).filter(|next| *next < first_return) {
            place = next;
            let (Event::Invoked(call) | Event::Returned(call)) = self.timeline.event(place);
            let class = self.class[call];
            if self.keeps_state[class as usize] {
                continue;
            }
            let like = self.choices[from..].iter_mut().find(|choice| self.class[choice.call] == class);
            if let Some(choice) = like {
                if self.calls[call].returned() < self.calls[choice.call].returned() {
                    choice.call = call;
                }
                continue;
            }
            let Some(after) = self.steps.after(state, class) else { continue };
            let need = led_by.map(|led_by| self.need(led_by, class, after));
            if matches!(need, None | Some(Need::Real)) {
                self.choices.push(Choice { call, after, group: None });
            }
        }
    }

    /// Lists the calls of unknown outcome that may be placed next.
    fn list_unknown(&mut self, state: StateId, first_return: usize, led_by: Option<LedBy>) {
        let from = self.nodes.last().map_or(0, |node| node.choices);
        let answered = from..self.choices.len();
        let (Event::Invoked(first) | Event::Returned(first)) = self.timeline.event(first_return);
        let limit = self.calls[first].returned();
        for at in 0..self.groups.len() {
            let Group { class, calls, used } = &self.groups[at];
            let class = *class;
            let Some(call) = calls.get(*used).copied() else { continue };
            let of_group = |choice: &Choice| self.group_of[self.class[choice.call] as usize] == Some(at);
            if Some(self.calls[call].invoked) > limit || self.choices[answered.clone()].iter().any(of_group) {
                continue;
            }
            let after = self.steps.after(state, class).filter(|after| *after != state);
            let Some(after) = after else { continue };
            let is_useful = led_by.is_none_or(|led_by| match self.need(led_by, class, after) {
                Need::Real => true,
                Need::Commute => led_by.group <= at,
                Need::None => false,
            });
            if is_useful {
                self.choices.push(Choice { call, after, group: Some(at) });
            }
        }
    }

    /// How a call of `class`, which leads to `after`, needs the one that led to where it is placed.
    fn need(&mut self, led_by: LedBy, class: ClassId, after: StateId) -> Need {
        match self.steps.after(led_by.before, class) {
            None => Need::Real,
            Some(without) if without == after => Need::None,
            Some(without) => match self.steps.after(without, self.groups[led_by.group].class) {
                Some(swapped) if swapped == after => Need::Commute,
                Some(_) | None => Need::Real,
            },
        }
    }

    /// Whether the unplaced read that is answered first may still fit after `state`.
    fn may_go_on(&self, state: StateId) -> bool {
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
        S::may_reach(self.steps.state(state), (self.calls[read].op, ret), &mut answered.chain(unknown))
    }

    /// Takes back the newest node, with the calls that led to it and those that fitted at once.
    fn take_back(&mut self) {
        let node = self.nodes.pop().expect("there is one to take back");
        self.choices.truncate(node.choices);
        while self.placed.len() > node.placed_before {
            self.unlift();
        }
    }

    fn lift(&mut self, call: usize) {
        self.placed.push(call);
        if self.calls[call].answer.is_some() {
            self.answered_placed.insert(self.bit[call]);
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
            self.answered_placed.remove(self.bit[call]);
            self.timeline.unlift(call);
        } else {
            self.unknown_placed.remove(self.bit[call]);
            self.group_mut(call).used -= 1;
        }
    }

    fn group_mut(&mut self, call: usize) -> &mut Group {
        let group = self.group_of[self.class[call] as usize].expect("an unknown call has a group");
        &mut self.groups[group]
    }
}
