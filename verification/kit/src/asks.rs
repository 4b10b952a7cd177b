//! Users of the small store: what they ask, whatever a module makes a request of, and what they expect.

use crate::kv::{Collected, Endless, List};
use std::collections::VecDeque;
use std::rc::Rc;
use synod_clientserver::{KvCommand, KvOutput, Outcome};
use synod_node::Node;
use synod_simulator::{Ask, Workload};
use synod_stdx::Rng;

/// Asks a list and expects its answers; `R` is what a module's users ask.
pub struct Asks<R> {
    request: fn(KvCommand) -> R,
    ahead: VecDeque<(KvCommand, Option<KvOutput>)>,
    expected: VecDeque<Option<KvOutput>>,
    answers: Collected,
    pause_us: u64,
    is_pausing: bool,
}

impl Asks<KvCommand> {
    /// Asks `list` as it is.
    pub fn new(list: List) -> Self {
        Asks::by(std::convert::identity, list)
    }
}

impl<R> Asks<R> {
    /// Asks `list`; `request` is how each command is asked.
    pub fn by(request: fn(KvCommand) -> R, list: List) -> Self {
        Asks {
            request,
            ahead: list.into(),
            expected: VecDeque::new(),
            answers: Collected::default(),
            pause_us: 0,
            is_pausing: false,
        }
    }

    /// As it is, and the answers are kept in `answers`.
    #[must_use]
    pub fn collecting(self, answers: &Collected) -> Self {
        Asks { answers: Rc::clone(answers), ..self }
    }

    /// As it is, with a pause before each request.
    #[must_use]
    pub fn pausing_us(self, pause_us: u64) -> Self {
        Asks { pause_us, ..self }
    }
}

impl<N: Node<Response = Outcome<KvOutput>>> Workload<N> for Asks<N::Request> {
    fn next(&mut self, _now_us: u64, _rng: &mut Rng) -> Ask<N::Request> {
        if self.pause_us > 0 && !self.is_pausing && !self.ahead.is_empty() {
            self.is_pausing = true;
            return Ask::After(self.pause_us);
        }
        self.is_pausing = false;
        let Some((command, expected)) = self.ahead.pop_front() else { return Ask::Done };
        self.expected.push_back(expected);
        Ask::Request((self.request)(command))
    }

    fn on_response(&mut self, request: &N::Request, response: &Outcome<KvOutput>) -> Result<(), String> {
        let Outcome::Done(output) = response else {
            return Err(format!("the session of {request:?} was forgotten"));
        };
        self.answers.borrow_mut().push(output.clone());
        match self.expected.pop_front().flatten() {
            Some(expected) if *output != expected => {
                Err(format!("{request:?} was answered {output:?} where only {expected:?} is right"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Asks for ever, and expects every answer.
pub struct Forever<R> {
    request: fn(KvCommand) -> R,
    endless: Endless,
    expected: Option<KvOutput>,
    pause_us: u64,
    is_pausing: bool,
}

impl Forever<KvCommand> {
    /// The endless user of client `who`, who asks without a pause.
    pub fn new(who: u32) -> Self {
        Forever::by(std::convert::identity, who, 0)
    }
}

impl<R> Forever<R> {
    /// The endless user of client `who`, with a pause before each request; `request` is how each command is asked.
    pub fn by(request: fn(KvCommand) -> R, who: u32, pause_us: u64) -> Self {
        Forever { request, endless: Endless::new(who), expected: None, pause_us, is_pausing: false }
    }
}

impl<N: Node<Response = Outcome<KvOutput>>> Workload<N> for Forever<N::Request> {
    fn next(&mut self, _now_us: u64, rng: &mut Rng) -> Ask<N::Request> {
        if self.pause_us > 0 && !self.is_pausing {
            self.is_pausing = true;
            return Ask::After(self.pause_us);
        }
        self.is_pausing = false;
        let (command, expected) = self.endless.next(rng);
        self.expected = Some(expected);
        Ask::Request((self.request)(command))
    }

    fn on_response(&mut self, request: &N::Request, response: &Outcome<KvOutput>) -> Result<(), String> {
        let expected = self.expected.take().map(Outcome::Done);
        if expected.as_ref() == Some(response) {
            return Ok(());
        }
        Err(format!("{request:?} was answered {response:?} where only {expected:?} is right"))
    }
}
