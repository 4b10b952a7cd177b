//! Users of modules whose requests are commands of the small store: what they ask, and what they expect.

use crate::kv::{Collected, Endless, List};
use std::collections::VecDeque;
use std::rc::Rc;
use synod_clientserver::{KvCommand, KvOutput, Outcome};
use synod_node::Node;
use synod_simulator::{Ask, Workload};
use synod_stdx::Rng;

/// Asks a list and expects its answers.
pub struct Asks {
    ahead: VecDeque<(KvCommand, Option<KvOutput>)>,
    expected: VecDeque<Option<KvOutput>>,
    answers: Collected,
    pause_us: u64,
    is_pausing: bool,
}

impl Asks {
    /// Asks `list`.
    pub fn new(list: List) -> Self {
        Asks {
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

impl<N: Node<Request = KvCommand, Response = Outcome<KvOutput>>> Workload<N> for Asks {
    fn next(&mut self, _now_us: u64, _rng: &mut Rng) -> Ask<KvCommand> {
        if self.pause_us > 0 && !self.is_pausing && !self.ahead.is_empty() {
            self.is_pausing = true;
            return Ask::After(self.pause_us);
        }
        self.is_pausing = false;
        let Some((command, expected)) = self.ahead.pop_front() else { return Ask::Done };
        self.expected.push_back(expected);
        Ask::Request(command)
    }

    fn on_response(&mut self, request: &KvCommand, response: &Outcome<KvOutput>) -> Result<(), String> {
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
pub struct Forever {
    endless: Endless,
    expected: Option<KvOutput>,
}

impl Forever {
    /// The endless user of client `who`.
    pub fn new(who: u32) -> Self {
        Forever { endless: Endless::new(who), expected: None }
    }
}

impl<N: Node<Request = KvCommand, Response = Outcome<KvOutput>>> Workload<N> for Forever {
    fn next(&mut self, _now_us: u64, rng: &mut Rng) -> Ask<KvCommand> {
        let (command, expected) = self.endless.next(rng);
        self.expected = Some(expected);
        Ask::Request(command)
    }

    fn on_response(&mut self, request: &KvCommand, response: &Outcome<KvOutput>) -> Result<(), String> {
        let expected = self.expected.take().map(Outcome::Done);
        if expected.as_ref() == Some(response) {
            return Ok(());
        }
        Err(format!("{request:?} was answered {response:?} where only {expected:?} is right"))
    }
}
