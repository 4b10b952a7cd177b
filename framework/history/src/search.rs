//! The general check: a search for one order of the operations that the specification allows.
//!
//! Wing and Gong (1993) try, at each point, every operation that no other precedes; Lowe (2017) remembers which
//! pairs of (operations placed, state) led nowhere; Horn and Kroening (2015) keep the events in a linked list from
//! which a placed operation is lifted. Four things are added here:
//!
//! * a read-only operation that fits now is placed now and never tried elsewhere: if some order of the rest exists,
//!   it exists with this operation in front as well, since it changes nothing and nothing precedes it;
//! * an operation of unknown outcome is tried only after all answered ones, not at all where it would change
//!   nothing (leaving it out is the same), and not before an equal one that was invoked earlier and is unused;
//! * a state from which the read that is answered next cannot come to fit is a dead end at once;
//! * the memory of what led nowhere stores only the part of the set between "all placed" and "none placed".

use synod_stdx::LookupSet;

use crate::history::Call;
use crate::specification::Specification;
use crate::verdict::Reason;

/// What a search may spend: it has no clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Steps of the specification, over all keys of a history.
    pub steps_max: u64,
    /// Bytes of memory for what led nowhere, for the key under search.
    pub memo_bytes_max: u64,
}

impl Default for Budget {
    /// Enough for some tens of seconds and half a gigabyte.
    fn default() -> Self {
        Budget { steps_max: 50_000_000, memo_bytes_max: 512 << 20 }
    }
}

/// What a search found. Numbers are places in the list of calls.
pub(crate) enum Found {
    /// An order of all answered calls, with those of unknown outcome that it needs.
    Order(Vec<usize>),
    /// There is none. No order reaches beyond the answer of `culprit`; `order` reaches it.
    Stuck { culprit: usize, order: Vec<usize> },
    /// The budget ran out.
    GaveUp(Reason),
}

/// Searches an order for `calls`, which stand in the order of their invocations. Takes its steps from `budget`.
pub(crate) fn search<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>], budget: &mut Budget) -> Found {
    Search::<S>::new(calls).run(budget)
}

/// The head of the linked list; entry `e` of the events stands at `e + 1`.
const HEAD: usize = 0;

/// A read that is answered after more events than this does not guide the search.
const EVENTS_AHEAD_MAX: usize = 256;

/// Where to go on looking for the next call to place.
#[derive(Clone, Copy)]
enum Cursor {
    /// Among the answered calls, at this place of the linked list.
    Answered(usize),
    /// Among those of unknown outcome, at this place of `Search::unknown`.
    Unknown(usize),
}

/// One event of an answered call.
#[derive(Clone, Copy)]
enum Event {
    Invoked(usize),
    Returned(usize),
}

/// One placed call.
struct Frame<State> {
    call: usize,
    /// The state before it.
    before: State,
    /// Where to look for another call in its place, or `None` if there is no point.
    resume: Option<Cursor>,
}

struct Search<'a, S: Specification> {
    calls: &'a [Call<'a, S::Op, S::Ret>],
    /// The events of answered calls, in order, as a doubly linked list of `place + 1`.
    events: Vec<Event>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// For each answered call, the places of its two events.
    places: Vec<(usize, usize)>,
    /// The calls of unknown outcome that may change something.
    unknown: Vec<usize>,
    /// For each of `unknown`, the place in `unknown` of the latest earlier one that asks for the same.
    twins: Vec<Option<usize>>,
    /// For each call its bit in the set that it belongs to.
    bit: Vec<usize>,
    answered_placed: BitSet,
    unknown_placed: BitSet,
    stack: Vec<Frame<S::State>>,
    state: S::State,
    dead_ends: LookupSet<(Box<[u64]>, S::State)>,
    memo_bytes: u64,
}

impl<'a, S: Specification> Search<'a, S> {
    fn new(calls: &'a [Call<'a, S::Op, S::Ret>]) -> Self {
        let mut order: Vec<(u64, Event)> = Vec::with_capacity(2 * calls.len());
        let mut unknown: Vec<usize> = Vec::new();
        let mut twins = Vec::new();
        let mut bit = Vec::with_capacity(calls.len());
        let mut answered = 0;
        for (at, call) in calls.iter().enumerate() {
            if let Some(returned) = call.returned() {
                order.push((call.invoked, Event::Invoked(at)));
                order.push((returned, Event::Returned(at)));
                bit.push(answered);
                answered += 1;
            } else {
                bit.push(unknown.len());
                if !S::is_read_only(call.op) {
                    twins.push(unknown.iter().rposition(|other| calls[*other].op == call.op));
                    unknown.push(at);
                }
            }
        }
        order.sort_by_key(|(index, _)| *index);
        let events: Vec<Event> = order.into_iter().map(|(_, event)| event).collect();
        let mut places = vec![(0, 0); calls.len()];
        for (place, event) in events.iter().enumerate() {
            match event {
                Event::Invoked(call) => places[*call].0 = place + 1,
                Event::Returned(call) => places[*call].1 = place + 1,
            }
        }
        let length = events.len();
        Search {
            calls,
            events,
            next: (1..=length + 1).collect(),
            previous: (0..=length + 1).map(|place| place.saturating_sub(1)).collect(),
            places,
            answered_placed: BitSet::new(answered),
            unknown_placed: BitSet::new(unknown.len()),
            unknown,
            twins,
            bit,
            stack: Vec::new(),
            state: S::initial(),
            dead_ends: LookupSet::default(),
            memo_bytes: 0,
        }
    }

    fn run(mut self, budget: &mut Budget) -> Found {
        let mut furthest: Option<(usize, Vec<usize>)> = None;
        let mut cursor = Cursor::Answered(self.next[HEAD]);
        loop {
            let Some(first_return) = self.first_return() else {
                return Found::Order(self.order());
            };
            if budget.steps_max == 0 {
                return Found::GaveUp(Reason::Steps);
            }
            if self.memo_bytes > budget.memo_bytes_max {
                return Found::GaveUp(Reason::Memory);
            }
            match self.next_candidate(cursor, first_return) {
                Some((call, resume)) => {
                    budget.steps_max -= 1;
                    cursor =
                        if self.place(call, resume) { Cursor::Answered(self.next[HEAD]) } else { resume };
                }
                None => {
                    if furthest.as_ref().is_none_or(|(place, _)| first_return > *place) {
                        furthest = Some((first_return, self.order()));
                    }
                    match self.take_back() {
                        Some(resume) => cursor = resume,
                        None => {
                            let (place, order) = furthest.expect("a search that failed was stuck somewhere");
                            let (Event::Invoked(culprit) | Event::Returned(culprit)) = self.events[place - 1];
                            return Found::Stuck { culprit, order };
                        }
                    }
                }
            }
        }
    }

    /// The place of the earliest answer of a call not placed, or `None` if all are placed.
    fn first_return(&self) -> Option<usize> {
        let mut place = self.next[HEAD];
        while place <= self.events.len() {
            match self.events[place - 1] {
                Event::Invoked(_) => place = self.next[place],
                Event::Returned(_) => return Some(place),
            }
        }
        None
    }

    /// The next call, from `cursor` on, that no unplaced one precedes, and where to look for the one after it.
    fn next_candidate(&self, cursor: Cursor, first_return: usize) -> Option<(usize, Cursor)> {
        let from = match cursor {
            Cursor::Answered(place) => match self.events[place - 1] {
                Event::Invoked(call) => return Some((call, Cursor::Answered(self.next[place]))),
                Event::Returned(_) => 0,
            },
            Cursor::Unknown(from) => from,
        };
        let (Event::Invoked(earliest) | Event::Returned(earliest)) = self.events[first_return - 1];
        let limit = self.calls[earliest].returned().expect("only answered calls have events");
        for at in from..self.unknown.len() {
            let call = self.unknown[at];
            if self.calls[call].invoked > limit {
                break;
            }
            let twin_unused = self.twins[at].is_some_and(|twin| !self.unknown_placed.contains(twin));
            if !self.unknown_placed.contains(at) && !twin_unused {
                return Some((call, Cursor::Unknown(at + 1)));
            }
        }
        None
    }

    /// Places `call` next, if it fits and leads to where the search has not been.
    fn place(&mut self, call: usize, resume: Cursor) -> bool {
        let Call { op, .. } = self.calls[call];
        let ret = self.calls[call].ret();
        let Some(after) = S::step(&self.state, op, ret) else { return false };
        if ret.is_some() && S::is_read_only(op) {
            self.lift(call);
            let before = std::mem::replace(&mut self.state, after);
            self.stack.push(Frame { call, before, resume: None });
            return true;
        }
        if ret.is_none() && after == self.state {
            return false;
        }
        self.lift(call);
        if !self.may_go_on(&after) {
            self.unlift(call);
            return false;
        }
        let key = self.placed_key();
        let bytes = 64 + 8 * key.len() + size_of::<S::State>() + S::heap_bytes(&after);
        if self.dead_ends.insert((key, after.clone())) {
            self.memo_bytes += bytes as u64;
            let before = std::mem::replace(&mut self.state, after);
            self.stack.push(Frame { call, before, resume: Some(resume) });
            true
        } else {
            self.unlift(call);
            false
        }
    }

    /// Whether the unplaced read that is answered first may still fit after `state`.
    fn may_go_on(&self, state: &S::State) -> bool {
        let first = self.next[HEAD];
        let in_order = |from: usize| {
            std::iter::successors(Some(from), |place| self.next.get(*place).copied())
                .take_while(|place| *place <= self.events.len())
        };
        let read = in_order(first).take(EVENTS_AHEAD_MAX).find_map(|place| match self.events[place - 1] {
            Event::Returned(call) if S::is_read_only(self.calls[call].op) => Some((call, place)),
            Event::Invoked(_) | Event::Returned(_) => None,
        });
        let Some((read, until)) = read else { return true };
        let Some((ret, end)) = self.calls[read].answer else { return true };
        let answered = in_order(first).take_while(|place| *place < until).filter_map(|place| {
            match self.events[place - 1] {
                Event::Invoked(call) => Some(self.calls[call].op),
                Event::Returned(_) => None,
            }
        });
        let unknown = self.unknown.iter().enumerate().filter_map(|(at, call)| {
            let open = !self.unknown_placed.contains(at) && self.calls[*call].invoked < end;
            open.then_some(self.calls[*call].op)
        });
        S::may_reach(state, (self.calls[read].op, ret), &mut answered.chain(unknown))
    }

    /// Takes back the calls placed last, up to one in whose place another may stand.
    fn take_back(&mut self) -> Option<Cursor> {
        while let Some(frame) = self.stack.pop() {
            self.unlift(frame.call);
            self.state = frame.before;
            if frame.resume.is_some() {
                return frame.resume;
            }
        }
        None
    }

    fn lift(&mut self, call: usize) {
        if self.calls[call].answer.is_none() {
            self.unknown_placed.insert(self.bit[call]);
            return;
        }
        self.answered_placed.insert(self.bit[call]);
        let (invoked, returned) = self.places[call];
        for place in [invoked, returned] {
            self.next[self.previous[place]] = self.next[place];
            self.previous[self.next[place]] = self.previous[place];
        }
    }

    fn unlift(&mut self, call: usize) {
        if self.calls[call].answer.is_none() {
            self.unknown_placed.remove(self.bit[call]);
            return;
        }
        self.answered_placed.remove(self.bit[call]);
        let (invoked, returned) = self.places[call];
        for place in [returned, invoked] {
            self.next[self.previous[place]] = place;
            self.previous[self.next[place]] = place;
        }
    }

    fn placed_key(&self) -> Box<[u64]> {
        let answered = self.answered_placed.middle();
        let unknown = self.unknown_placed.middle();
        let mut key = Vec::with_capacity(2 + answered.1.len() + unknown.1.len());
        for (full_words, words) in [answered, unknown] {
            key.push((full_words as u64) << 32 | words.len() as u64);
            key.extend_from_slice(words);
        }
        key.into()
    }

    fn order(&self) -> Vec<usize> {
        self.stack.iter().map(|frame| frame.call).collect()
    }
}

/// A set of small numbers that is mostly a beginning of them.
struct BitSet {
    words: Vec<u64>,
    /// All words before this one are full.
    full: usize,
    /// All words from this one on are empty.
    used: usize,
}

impl BitSet {
    fn new(bits: usize) -> Self {
        BitSet { words: vec![0; bits.div_ceil(64)], full: 0, used: 0 }
    }

    fn contains(&self, bit: usize) -> bool {
        self.words[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn insert(&mut self, bit: usize) {
        self.words[bit / 64] |= 1 << (bit % 64);
        self.used = self.used.max(bit / 64 + 1);
        while self.words.get(self.full) == Some(&u64::MAX) {
            self.full += 1;
        }
    }

    fn remove(&mut self, bit: usize) {
        self.words[bit / 64] &= !(1 << (bit % 64));
        self.full = self.full.min(bit / 64);
        while self.used > 0 && self.words[self.used - 1] == 0 {
            self.used -= 1;
        }
    }

    /// How many words are full, and the words from there to the last that is not empty.
    fn middle(&self) -> (usize, &[u64]) {
        (self.full, self.words.get(self.full..self.used).unwrap_or(&[]))
    }
}
