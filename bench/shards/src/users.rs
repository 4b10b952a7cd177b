//! Who asks what.

use std::cell::RefCell;
use std::rc::Rc;
use synod_shardedstore::{Process, Request, Response, SlotId, TextCommand, TextOutput, Texts};
use synod_simulator::{Ask, Workload};
use synod_stdx::Rng;

/// A node of the store.
pub type Node = Process<Texts>;

/// When each command was asked and answered, in microseconds.
pub type Spans = Rc<RefCell<Vec<(u64, u64)>>>;

/// Asks what `next` makes for ever, one after the other, and notes how long each answer took.
pub struct User<F> {
    pub next: F,
    pub spans: Spans,
    pub asked_us: u64,
    pub is_first: bool,
}

impl<F: FnMut(&mut Rng) -> Request<TextCommand>> Workload<Node> for User<F> {
    fn next(&mut self, now_us: u64, rng: &mut Rng) -> Ask<Request<TextCommand>> {
        // It is asked what it does next in the moment of the answer.
        if !std::mem::take(&mut self.is_first) {
            self.spans.borrow_mut().push((self.asked_us, now_us));
        }
        self.asked_us = now_us;
        Ask::Request((self.next)(rng))
    }

    fn on_response(
        &mut self,
        _request: &Request<TextCommand>,
        _response: &Response<TextOutput>,
    ) -> Result<(), String> {
        Ok(())
    }
}

/// A key of each slot.
pub fn keys(slots: u16) -> Vec<String> {
    let key = |slot: u16| {
        let slot = SlotId::new(slot.into()).expect("there are so many");
        (0u64..).map(|n| format!("k{n}")).find(|key| Texts::slot_of(key, slots) == slot)
    };
    (0..slots).filter_map(key).collect()
}
