//! The events of answered calls as a linked list from which placed calls are lifted (Horn and Kroening 2015).

use crate::history::Call;

/// The head of the list; entry `e` of the events stands at `e + 1`.
pub(crate) const HEAD: usize = 0;

/// One event of an answered call.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    Invoked(usize),
    Returned(usize),
}

/// The events of all answered calls in order, without those of the calls that were lifted.
pub(crate) struct Timeline {
    events: Vec<Event>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// For each answered call, the places of its two events.
    places: Vec<(usize, usize)>,
}

impl Timeline {
    pub(crate) fn new<Op, Ret>(calls: &[Call<'_, Op, Ret>]) -> Self {
        let mut order: Vec<(u64, Event)> = Vec::with_capacity(2 * calls.len());
        for (at, call) in calls.iter().enumerate() {
            if let Some(returned) = call.returned() {
                order.push((call.invoked, Event::Invoked(at)));
                order.push((returned, Event::Returned(at)));
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
        Timeline {
            events,
            next: (1..=length + 1).collect(),
            previous: (0..=length + 1).map(|place| place.saturating_sub(1)).collect(),
            places,
        }
    }

    /// The place after `place` of the list that has an event, if there is one.
    pub(crate) fn after(&self, place: usize) -> Option<usize> {
        Some(self.next[place]).filter(|next| *next <= self.events.len())
    }

    /// The place before `place` of the list.
    pub(crate) fn before(&self, place: usize) -> usize {
        self.previous[place]
    }

    pub(crate) fn event(&self, place: usize) -> Event {
        self.events[place - 1]
    }

    /// The events from the beginning on, with their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Event)> + '_ {
        std::iter::successors(self.after(HEAD), |place| self.after(*place))
            .map(|place| (place, self.event(place)))
    }

    /// Takes an answered call out.
    pub(crate) fn lift(&mut self, call: usize) {
        let (invoked, returned) = self.places[call];
        for place in [invoked, returned] {
            self.next[self.previous[place]] = self.next[place];
            self.previous[self.next[place]] = self.previous[place];
        }
    }

    /// Puts the call back that was taken out last.
    pub(crate) fn unlift(&mut self, call: usize) {
        let (invoked, returned) = self.places[call];
        for place in [returned, invoked] {
            self.next[self.previous[place]] = place;
            self.previous[self.next[place]] = place;
        }
    }
}
