//! What clients ask, and what they expect.

use std::collections::VecDeque;
use synod_node::Node;
use synod_stdx::Rng;

/// What a client does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask<R> {
    /// It asks this.
    Request(R),
    /// It thinks for so many microseconds, and is then asked again what it does.
    After(u64),
    /// It waits until one of its requests is answered.
    WhenAnswered,
    /// It has asked everything that it ever will.
    Done,
}

/// A source of requests and a judge of answers, for one client.
pub trait Workload<N: Node> {
    /// What the client does next, at `now_us`.
    fn next(&mut self, now_us: u64, rng: &mut Rng) -> Ask<N::Request>;

    /// `request` was answered.
    ///
    /// # Errors
    /// If the answer is not one that the client may get.
    fn on_response(&mut self, request: &N::Request, response: &N::Response) -> Result<(), String>;
}

/// Asks a fixed list, one after the other, and expects fixed answers where they are given.
#[derive(Clone, Debug)]
pub struct Fixed<N: Node> {
    ahead: VecDeque<(N::Request, Option<N::Response>)>,
    expected: VecDeque<Option<N::Response>>,
}

impl<N: Node> Fixed<N> {
    /// A list of requests, each with the answer that it must get, if only one is right.
    pub fn new(list: impl IntoIterator<Item = (N::Request, Option<N::Response>)>) -> Self {
        Fixed { ahead: list.into_iter().collect(), expected: VecDeque::new() }
    }
}

impl<N: Node> Workload<N> for Fixed<N> {
    fn next(&mut self, _now_us: u64, _rng: &mut Rng) -> Ask<N::Request> {
        match self.ahead.pop_front() {
            None => Ask::Done,
            Some((request, response)) => {
                self.expected.push_back(response);
                Ask::Request(request)
            }
        }
    }

    fn on_response(&mut self, request: &N::Request, response: &N::Response) -> Result<(), String> {
        match self.expected.pop_front() {
            None => Err(format!("{request:?} was answered twice")),
            Some(Some(expected)) if expected != *response => {
                Err(format!("{request:?} was answered {response:?} where only {expected:?} is right"))
            }
            Some(_) => Ok(()),
        }
    }
}
