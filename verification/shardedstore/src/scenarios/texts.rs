//! What users of the small sharded application ask, and how a history reads it.

use std::cell::RefCell;
use std::rc::Rc;
use synod_clientserver::{KvCommand, KvOutput, Outcome};
use synod_history::{KvOp, KvRet};
use synod_shardedstore::{Request, Response, Text, TextCommand, TextOutput};
use synod_simulator::{Ask, Workload};
use synod_stdx::Rng;

use super::store::Node;
use synod_verify::kv;

/// Commands with the answers that are right, where only one is.
pub type List = Vec<(TextCommand, Option<TextOutput>)>;

/// Answers that a play collects.
pub type Collected = Rc<RefCell<Vec<TextOutput>>>;

/// How a command is asked.
pub type Asking = fn(TextCommand) -> Request<TextCommand>;

/// Reads too go through the log.
pub fn through_the_log(command: TextCommand) -> Request<TextCommand> {
    Request::Commands(vec![command])
}

/// Reads need no entry.
pub fn around_the_log(command: TextCommand) -> Request<TextCommand> {
    match command {
        TextCommand::Get { .. } | TextCommand::MultiGet { .. } => Request::Queries(vec![command]),
        TextCommand::Put { .. }
        | TextCommand::Append { .. }
        | TextCommand::MultiPut { .. }
        | TextCommand::Swap { .. } => Request::Commands(vec![command]),
    }
}

/// A command of the small store as one of this application.
fn text(command: &KvCommand) -> TextCommand {
    match command {
        KvCommand::Put { key, value } => TextCommand::put(key, value),
        KvCommand::Get { key } => TextCommand::get(key),
        KvCommand::Append { key, value } => TextCommand::append(key, value),
    }
}

fn text_output(output: &KvOutput) -> TextOutput {
    match output {
        KvOutput::PutOk => TextOutput::Ok,
        KvOutput::Value(value) => TextOutput::value(value),
        KvOutput::KeyNotFound => TextOutput::Value(None),
        KvOutput::Appended(value) => TextOutput::appended(value),
    }
}

/// A workload of the small store.
pub fn list(of: &kv::List) -> List {
    of.iter().map(|(command, output)| (text(command), output.as_ref().map(text_output))).collect()
}

/// Eleven operations over several keys: puts and gets of many, appends, swaps, and keys that are not there.
pub fn transactions() -> List {
    let some = |text: &str| Some(text.into());
    vec![
        (TextCommand::multi_get(&["a", "b"]), Some(TextOutput::Values(vec![None, None]))),
        (TextCommand::multi_put(&[("a", "1"), ("b", "2"), ("c", "3")]), Some(TextOutput::Ok)),
        (TextCommand::multi_get(&["a", "b", "c"]), Some(TextOutput::values(&["1", "2", "3"]))),
        (TextCommand::swap("a", "b"), Some(TextOutput::Ok)),
        (TextCommand::multi_get(&["a", "b"]), Some(TextOutput::values(&["2", "1"]))),
        (TextCommand::append("a", "x"), Some(TextOutput::appended("2x"))),
        (TextCommand::swap("a", "gone"), Some(TextOutput::Ok)),
        (TextCommand::multi_get(&["a", "gone"]), Some(TextOutput::Values(vec![None, some("2x")]))),
        (TextCommand::multi_put(&[("c", "4"), ("d", "5")]), Some(TextOutput::Ok)),
        (TextCommand::get("d"), Some(TextOutput::value("5"))),
        (
            TextCommand::multi_get(&["missing", "c", "gone"]),
            Some(TextOutput::Values(vec![None, some("4"), some("2x")])),
        ),
    ]
}

/// An endless user of some own keys: a source of commands, each with its only right answer.
#[derive(Clone, Debug)]
pub struct Endless {
    who: u32,
    values: Vec<Option<String>>,
    asked: u64,
    has_transactions: bool,
}

impl Endless {
    /// The stream of client `who`, with commands over several keys or without.
    pub fn new(who: u32, has_transactions: bool) -> Self {
        Endless { who, values: vec![None; 6], asked: 0, has_transactions }
    }

    fn key(&self, index: usize) -> String {
        format!("{}/{index}", self.who)
    }

    fn next(&mut self, rng: &mut Rng) -> (TextCommand, TextOutput) {
        self.asked += 1;
        let count = self.values.len();
        let index = rng.below(count as u64) as usize;
        let other = (index + 1 + rng.below(count as u64 - 1) as usize) % count;
        let value = self.asked.to_string();
        let known = |value: &Option<String>| value.as_deref().map(Into::into);
        let (one, two) = (self.key(index), self.key(other));
        match rng.below(if self.has_transactions { 6 } else { 3 }) {
            0 => {
                self.values[index] = Some(value.clone());
                (TextCommand::put(&one, &value), TextOutput::Ok)
            }
            1 => (TextCommand::get(&one), TextOutput::Value(known(&self.values[index]))),
            2 => {
                let before = self.values[index].take().filter(|before| before.len() < 60).unwrap_or_default();
                let is_fresh = before.is_empty();
                if is_fresh {
                    self.values[index] = Some(value.clone());
                    return (TextCommand::put(&one, &value), TextOutput::Ok);
                }
                let grown = format!("{before}{value}");
                self.values[index] = Some(grown.clone());
                (TextCommand::append(&one, &value), TextOutput::appended(&grown))
            }
            3 => {
                let values = vec![known(&self.values[index]), known(&self.values[other])];
                (TextCommand::multi_get(&[&one, &two]), TextOutput::Values(values))
            }
            4 => {
                self.values[index] = Some(value.clone());
                self.values[other] = Some(value.clone());
                (TextCommand::multi_put(&[(&one, &value), (&two, &value)]), TextOutput::Ok)
            }
            _ => {
                self.values.swap(index, other);
                (TextCommand::swap(&one, &two), TextOutput::Ok)
            }
        }
    }
}

/// Asks for ever, and expects every answer.
pub struct Forever {
    asking: Asking,
    endless: Endless,
    expected: Option<TextOutput>,
    pause_us: u64,
    is_pausing: bool,
}

impl Forever {
    /// A user who asks so, with a pause before each request.
    pub fn new(asking: Asking, endless: Endless, pause_us: u64) -> Self {
        Forever { asking, endless, expected: None, pause_us, is_pausing: false }
    }
}

impl Workload<Node> for Forever {
    fn next(&mut self, _now_us: u64, rng: &mut Rng) -> Ask<Request<TextCommand>> {
        if self.pause_us > 0 && !self.is_pausing {
            self.is_pausing = true;
            return Ask::After(self.pause_us);
        }
        self.is_pausing = false;
        let (command, expected) = self.endless.next(rng);
        self.expected = Some(expected);
        Ask::Request((self.asking)(command))
    }

    fn on_response(
        &mut self,
        request: &Request<TextCommand>,
        response: &Response<TextOutput>,
    ) -> Result<(), String> {
        let expected = self.expected.take().map(|output| Response::Store(Outcome::Done(output)));
        if expected.as_ref() == Some(response) {
            return Ok(());
        }
        Err(format!("{request:?} was answered {response:?} where only {expected:?} is right"))
    }
}

/// Asks a list, one after the other, expects its answers, and keeps them.
pub struct Asks {
    asking: Asking,
    ahead: std::collections::VecDeque<(TextCommand, Option<TextOutput>)>,
    expected: std::collections::VecDeque<Option<TextOutput>>,
    answers: Collected,
}

impl Asks {
    /// Asks `list` so.
    pub fn new(asking: Asking, list: List, answers: &Collected) -> Self {
        Asks { asking, ahead: list.into(), expected: Default::default(), answers: Rc::clone(answers) }
    }
}

impl Workload<Node> for Asks {
    fn next(&mut self, _now_us: u64, _rng: &mut Rng) -> Ask<Request<TextCommand>> {
        let Some((command, expected)) = self.ahead.pop_front() else { return Ask::Done };
        self.expected.push_back(expected);
        Ask::Request((self.asking)(command))
    }

    fn on_response(
        &mut self,
        request: &Request<TextCommand>,
        response: &Response<TextOutput>,
    ) -> Result<(), String> {
        let Response::Store(Outcome::Done(output)) = response else {
            return Err(format!("{request:?} was answered {response:?}"));
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

/// A request as a history has it.
pub fn op(request: &Request<TextCommand>) -> Option<KvOp> {
    match request {
        Request::Commands(commands) | Request::Queries(commands) => commands.first().map(op_of),
        Request::Configure(_) | Request::Service(..) | Request::HandOver | Request::Clock(_) => None,
    }
}

fn op_of(command: &TextCommand) -> KvOp {
    let bytes = |text: &str| text.as_bytes().into();
    match command {
        TextCommand::Put { key, value } => KvOp::Put { key: bytes(key), value: bytes(value) },
        TextCommand::Get { key } => KvOp::Get { key: bytes(key) },
        TextCommand::Append { key, value } => KvOp::Append { key: bytes(key), value: bytes(value) },
        TextCommand::MultiGet { keys } => {
            KvOp::Transaction(keys.iter().map(|key| KvOp::Get { key: bytes(key) }).collect())
        }
        TextCommand::MultiPut { pairs } => {
            let put = |(key, value): &(Text, Text)| KvOp::Put { key: bytes(key), value: bytes(value) };
            KvOp::Transaction(pairs.iter().map(put).collect())
        }
        TextCommand::Swap { keys: (one, two) } => KvOp::Swap { one: bytes(one), two: bytes(two) },
    }
}

/// An answer as a history has it; `None` if it leaves open whether the command ran.
pub fn ret(response: &Response<TextOutput>) -> Option<KvRet> {
    let bytes = |text: &str| Some(text.as_bytes().into());
    let value = |value: &Option<Text>| KvRet::Value(value.as_ref().and_then(|value| bytes(value)));
    match response {
        Response::Store(Outcome::Done(output)) => Some(match output {
            TextOutput::Ok => KvRet::Ok,
            TextOutput::Value(found) => value(found),
            TextOutput::Appended(grown) => KvRet::Value(bytes(grown)),
            TextOutput::Values(found) => KvRet::All(found.iter().map(value).collect()),
        }),
        Response::Store(Outcome::MayHaveHappened) | Response::Configuration(_) => None,
    }
}
