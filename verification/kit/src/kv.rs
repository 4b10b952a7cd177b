//! The small key-value store, which several modules replicate: workloads, requests as people write them, and what its
//! history is made of.

use crate::by_hand::{unknown, words};
use std::cell::RefCell;
use std::rc::Rc;
use synod_checker::Checkable;
use synod_clientserver::{KvCommand, KvOutput, Outcome};
use synod_history::{KvOp, KvRet};
use synod_node::{Node, NodeId};
use synod_stdx::Rng;
use synod_testkit::Translator;

/// A source of commands with the answers that are right, where only one is.
pub type List = Vec<(KvCommand, Option<KvOutput>)>;

/// Answers that a play collects.
pub type Collected = Rc<RefCell<Vec<KvOutput>>>;

/// The simple workload: fourteen operations with puts, gets, appends, overwrites, and a get and an append of a key that
/// is not there.
pub fn simple() -> List {
    let value = |text: &str| Some(KvOutput::value(text));
    let appended = |text: &str| Some(KvOutput::appended(text));
    vec![
        (KvCommand::get("missing"), Some(KvOutput::KeyNotFound)),
        (KvCommand::put("a", "1"), Some(KvOutput::PutOk)),
        (KvCommand::get("a"), value("1")),
        (KvCommand::put("b", "x"), Some(KvOutput::PutOk)),
        (KvCommand::append("a", "2"), appended("12")),
        (KvCommand::get("a"), value("12")),
        (KvCommand::append("new", "n"), appended("n")),
        (KvCommand::get("new"), value("n")),
        (KvCommand::put("a", "over"), Some(KvOutput::PutOk)),
        (KvCommand::get("a"), value("over")),
        (KvCommand::append("b", "y"), appended("xy")),
        (KvCommand::append("b", "z"), appended("xyz")),
        (KvCommand::get("b"), value("xyz")),
        (KvCommand::get("gone"), Some(KvOutput::KeyNotFound)),
    ]
}

/// `count` appends to a key that nobody else touches.
pub fn own_appends(key: &str, count: usize) -> List {
    let mut value = String::new();
    let mut list = List::new();
    for n in 0..count {
        let piece = format!("{n},");
        value.push_str(&piece);
        list.push((KvCommand::append(key, &piece), Some(KvOutput::appended(&value))));
    }
    list
}

/// `count` appends to a key that others append to as well.
pub fn shared_appends(key: &str, who: u32, count: usize) -> List {
    (0..count).map(|n| (KvCommand::append(key, &format!("{who}.{n},")), None)).collect()
}

/// The next command of an endless stream of puts and gets of a few own keys, with the right answers.
#[derive(Clone, Debug)]
pub struct Endless {
    who: u32,
    values: Vec<Option<String>>,
    asked: u64,
}

impl Endless {
    /// The stream of client `who`.
    pub fn new(who: u32) -> Self {
        Endless { who, values: vec![None; 4], asked: 0 }
    }

    /// The next command and its only right answer.
    pub fn next(&mut self, rng: &mut Rng) -> (KvCommand, KvOutput) {
        self.asked += 1;
        let index = rng.below(self.values.len() as u64) as usize;
        let key = format!("{}/{index}", self.who);
        if rng.chance(500) {
            let value = format!("{}", self.asked);
            self.values[index] = Some(value.clone());
            (KvCommand::put(&key, &value), KvOutput::PutOk)
        } else {
            let answer = self.values[index].as_deref().map_or(KvOutput::KeyNotFound, KvOutput::value);
            (KvCommand::get(&key), answer)
        }
    }
}

/// A command as an operation of a history.
pub fn op(command: &KvCommand) -> Option<KvOp> {
    let bytes = |text: &str| text.as_bytes().into();
    Some(match command {
        KvCommand::Put { key, value } => KvOp::Put { key: bytes(key), value: bytes(value) },
        KvCommand::Get { key } => KvOp::Get { key: bytes(key) },
        KvCommand::Append { key, value } => KvOp::Append { key: bytes(key), value: bytes(value) },
    })
}

/// A result as a history has it.
pub fn ret(output: &KvOutput) -> KvRet {
    let bytes = |text: &str| Some(text.as_bytes().into());
    match output {
        KvOutput::PutOk => KvRet::Ok,
        KvOutput::Value(value) | KvOutput::Appended(value) => KvRet::Value(bytes(value)),
        KvOutput::KeyNotFound => KvRet::Value(None),
    }
}

/// An answer as a history has it; `None` if it leaves open whether the command ran.
pub fn told(answer: &Outcome<KvOutput>) -> Option<KvRet> {
    match answer {
        Outcome::Done(output) => Some(ret(output)),
        Outcome::MayHaveHappened => None,
    }
}

/// What the history's judge makes of requests and answers, where they are the small store's own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kv;

impl<N> Translator<N> for Kv
where
    N: Checkable + Node<Request = KvCommand, Response = Outcome<KvOutput>>,
{
    fn op(request: &KvCommand) -> Option<KvOp> {
        op(request)
    }

    fn ret(answer: &Outcome<KvOutput>) -> Option<KvRet> {
        told(answer)
    }
}

/// How commands are written.
pub const HELP: &str = "PUT:key:value, GET:key or APPEND:key:value";

/// A command as a person writes it.
///
/// # Errors
/// How it is written.
pub fn read(text: &str) -> Result<KvCommand, String> {
    match words(text)[..] {
        ["PUT", key, value] => Ok(KvCommand::put(key, value)),
        ["GET", key] => Ok(KvCommand::get(key)),
        ["APPEND", key, value] => Ok(KvCommand::append(key, value)),
        _ => Err(unknown(text, HELP)),
    }
}

/// Requests of two clients, as people write them.
pub fn texts_of_two() -> Vec<(NodeId, &'static str)> {
    let texts = ["PUT:a:1", "GET:a", "APPEND:a:2", "PUT:b:3"];
    NodeId::clients(2).into_iter().flat_map(|client| texts.map(|text| (client, text))).collect()
}
