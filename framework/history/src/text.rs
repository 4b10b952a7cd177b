//! Histories as text: the logs of Jepsen, and those of Porcupine for a key-value store.
//!
//! Three forms, which may be mixed. Maps, one a line or in one vector:
//! `{:process 3, :type :invoke, :f :write, :value 2}`, with `:key "x"` for a store of many keys, or with a pair
//! `[key value]` as the value of a read or a write. And lines of a log:
//! `INFO  jepsen.util - 3 :invoke :cas [2 1]`. Processes that are no numbers (`:nemesis`) are left out.
//!
//! `:ok` is an answer; `:fail` means that the operation did not happen; after `:info`, or without any end, it may
//! have happened or not, at any later time. A failed `:cas` is dropped like any other: that it failed says in
//! Jepsen's terms only that it did not happen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::edn::{Edn, Scanner};
use crate::history::{History, OpId, Outcome};
use crate::key_value::{KeyValue, KvOp, KvRet};
use crate::register::{RegisterOp, RegisterRet};
use crate::specification::Specification as _;

/// A history that was read from text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parsed {
    /// Only `:read`, `:write` and `:cas`, and no keys.
    Register(History<RegisterOp, RegisterRet>),
    /// Anything else.
    KeyValue(History<KvOp, KvRet>),
}

/// Text that is no history, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The text ends inside of a datum.
    CutShort,
    /// A character that nothing begins with here.
    Stray(char),
    /// Data nested deeper than any history.
    TooDeep,
    /// A map with a key but no value.
    OddMap,
    /// Neither an operation nor a line of a log.
    NotAnOperation,
    /// A map without this key.
    Missing(&'static str),
    /// A type that is none of `:invoke`, `:ok`, `:fail`, `:info`.
    UnknownType(String),
    /// A function that no specification here has.
    UnknownFunction(String),
    /// A process that is a number, but not from 0 to 2^64.
    BadProcess(String),
    /// A value that this function cannot have.
    BadValue(&'static str),
    /// An invocation by a process whose last operation has not ended.
    Busy(u64),
    /// An end of an operation that the process did not invoke.
    NothingInvoked(u64),
    /// An end that names another key or value than the invocation of this process did.
    OtherValue(u64),
    /// Nothing in the text is an operation.
    Empty,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::CutShort => {
                f.write_str("the text ends too early: close what is open, or give the whole file")
            }
            Fault::Stray(c) => write!(f, "unexpected {c:?}: write a map such as {EXAMPLE}"),
            Fault::TooDeep => f.write_str("nested too deeply: write one flat map for each event"),
            Fault::OddMap => f.write_str("a map needs a value for each key: add the missing one"),
            Fault::NotAnOperation => write!(f, "no operation: write a map such as {EXAMPLE}"),
            Fault::Missing(key) => write!(f, "the event has no {key}: add it"),
            Fault::UnknownType(name) => write!(f, "unknown type {name}: use :invoke, :ok, :fail or :info"),
            Fault::UnknownFunction(name) => write!(
                f,
                "unknown function {name}: use :read, :write, :cas, :get, :put, :append, :incr or :del"
            ),
            Fault::BadProcess(name) => write!(f, "process {name} is no whole number from 0: number it"),
            Fault::BadValue(wanted) => write!(f, "the value does not fit the function: give {wanted}"),
            Fault::Busy(process) => write!(
                f,
                "process {process} invokes although its last operation has not ended: end that one, or give \
                 each client its own process"
            ),
            Fault::NothingInvoked(process) => {
                write!(f, "process {process} ends an operation that it did not invoke: add the invocation")
            }
            Fault::OtherValue(process) => write!(
                f,
                "process {process} ends an operation with another key or value than it invoked: name the same, or nil"
            ),
            Fault::Empty => write!(f, "no operation in the whole text: write maps such as {EXAMPLE}"),
        }
    }
}

const EXAMPLE: &str = "{:process 0, :type :invoke, :f :write, :value 1}";

impl std::error::Error for ParseError {}

/// Reads a history from `text`.
///
/// # Errors
/// [`ParseError`] at the first line that is none.
pub fn parse(text: &str) -> Result<Parsed, ParseError> {
    let events = events(text)?;
    if events.is_empty() {
        return Err(ParseError { line: 1, fault: Fault::Empty });
    }
    let is_register = |event: &Event| {
        matches!(event.function, Function::Read | Function::Write | Function::Cas)
            && key_and_value(event).0.is_none()
    };
    let values = Values { are_typed: events.iter().all(is_register) };
    let mut recorder = Recorder { values, ..Recorder::default() };
    for event in &events {
        recorder.record(event).map_err(|fault| ParseError { line: event.line, fault })?;
    }
    Ok(match as_register(&recorder.history) {
        Some(history) if !recorder.keyed => Parsed::Register(history),
        Some(_) | None => Parsed::KeyValue(recorder.history),
    })
}

/// One event of a process that is a number.
struct Event {
    line: usize,
    process: u64,
    kind: Kind,
    function: Function,
    key: Option<Edn>,
    value: Edn,
    time_us: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Read,
    Write,
    Cas,
    Append,
    Increment,
    Delete,
}

fn events(text: &str) -> Result<Vec<Event>, ParseError> {
    let mut events = Vec::new();
    let mut scanner = Scanner::new(text, 1);
    let mut inside: Option<char> = None;
    while let Some(c) = scanner.next_significant() {
        let line = scanner.line();
        let at_line = |fault| ParseError { line, fault };
        match c {
            '{' => {
                let map = scanner.datum()?.unwrap_or(Edn::Nil);
                events.extend(event_of_map(&map, line).map_err(at_line)?);
            }
            '[' | '(' if inside.is_none() => {
                inside = Some(if c == '[' { ']' } else { ')' });
                scanner.skip(c);
            }
            _ if inside == Some(c) => {
                inside = None;
                scanner.skip(c);
            }
            // `#jepsen.history.Op{...}`: the tag of a record.
            '#' => {
                let map = scanner.datum()?.unwrap_or(Edn::Nil);
                events.extend(event_of_map(&map, line).map_err(at_line)?);
            }
            _ if inside.is_some() => return Err(at_line(Fault::Stray(c))),
            _ => events.extend(event_of_log(scanner.rest_of_line(), line)?),
        }
    }
    if inside.is_some() { Err(scanner.fault(Fault::CutShort)) } else { Ok(events) }
}

fn event_of_map(map: &Edn, line: usize) -> Result<Option<Event>, Fault> {
    let Edn::Map(_) = map else { return Err(Fault::NotAnOperation) };
    let Some(process) = process_number(map.entry("process").ok_or(Fault::Missing(":process"))?)? else {
        return Ok(None);
    };
    let time_us = match map.entry("time") {
        Some(Edn::Atom(nanoseconds)) => nanoseconds.parse::<u64>().ok().map(|time| time / 1000),
        Some(Edn::Nil | Edn::Keyword(_) | Edn::Text(_) | Edn::List(_) | Edn::Map(_)) | None => None,
    };
    Ok(Some(Event {
        line,
        process,
        kind: kind(map.entry("type").ok_or(Fault::Missing(":type"))?)?,
        function: function(map.entry("f").ok_or(Fault::Missing(":f"))?)?,
        key: map.entry("key").cloned(),
        value: map.entry("value").cloned().unwrap_or(Edn::Nil),
        time_us,
    }))
}

/// The event of one line of a log; `None` for lines of other things than operations.
fn event_of_log(text: &str, line: usize) -> Result<Option<Event>, ParseError> {
    let at_line = |fault| ParseError { line, fault };
    let is_type = |word: &&str| [":invoke", ":ok", ":fail", ":info"].contains(word);
    let words: Vec<&str> = text.split_whitespace().collect();
    let found = words.iter().position(is_type);
    let Some(at) = found.filter(|at| *at > 0) else {
        let is_log = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].iter().any(|level| words.contains(level));
        let is_operation = words.contains(&"jepsen.util");
        return if is_log && !is_operation { Ok(None) } else { Err(at_line(Fault::NotAnOperation)) };
    };
    let process = Scanner::new(words[at - 1], line).datum()?.unwrap_or(Edn::Nil);
    let Some(process) = process_number(&process).map_err(at_line)? else { return Ok(None) };
    let rest = words[at..].join(" ");
    let mut scanner = Scanner::new(&rest, line);
    let kind = kind(&scanner.datum()?.ok_or(at_line(Fault::Missing(":type")))?).map_err(at_line)?;
    let function = function(&scanner.datum()?.ok_or(at_line(Fault::Missing(":f")))?).map_err(at_line)?;
    let value = scanner.datum()?.unwrap_or(Edn::Nil);
    Ok(Some(Event { line, process, kind, function, key: None, value, time_us: None }))
}

/// The number of a process, or `None` for one that is no client.
fn process_number(process: &Edn) -> Result<Option<u64>, Fault> {
    match process {
        Edn::Atom(number) => number.parse().map(Some).map_err(|_| Fault::BadProcess(number.clone())),
        Edn::Keyword(_) => Ok(None),
        Edn::Nil | Edn::Text(_) | Edn::List(_) | Edn::Map(_) => {
            Err(Fault::BadProcess(format!("{process:?}")))
        }
    }
}

fn kind(name: &Edn) -> Result<Kind, Fault> {
    match name {
        Edn::Keyword(name) => match name.as_str() {
            "invoke" => Ok(Kind::Invoke),
            "ok" => Ok(Kind::Ok),
            "fail" => Ok(Kind::Fail),
            "info" => Ok(Kind::Info),
            other => Err(Fault::UnknownType(format!(":{other}"))),
        },
        Edn::Nil | Edn::Atom(_) | Edn::Text(_) | Edn::List(_) | Edn::Map(_) => {
            Err(Fault::UnknownType(format!("{name:?}")))
        }
    }
}

fn function(name: &Edn) -> Result<Function, Fault> {
    match name {
        Edn::Keyword(name) => match name.as_str() {
            "read" | "get" => Ok(Function::Read),
            "write" | "put" | "set" => Ok(Function::Write),
            "cas" => Ok(Function::Cas),
            "append" => Ok(Function::Append),
            "incr" | "increment" => Ok(Function::Increment),
            "del" | "delete" => Ok(Function::Delete),
            other => Err(Fault::UnknownFunction(format!(":{other}"))),
        },
        Edn::Nil | Edn::Atom(_) | Edn::Text(_) | Edn::List(_) | Edn::Map(_) => {
            Err(Fault::UnknownFunction(format!("{name:?}")))
        }
    }
}

/// How values are told apart.
#[derive(Clone, Copy, Default)]
struct Values {
    /// A register's number is not the text of that number. A store holds texts, in which numbers are counted: there it is.
    are_typed: bool,
}

/// Turns events into a history.
#[derive(Default)]
struct Recorder {
    values: Values,
    history: History<KvOp, KvRet>,
    open: BTreeMap<u64, (OpId, Function)>,
    /// Whether any event names a key.
    keyed: bool,
}

impl Recorder {
    fn record(&mut self, event: &Event) -> Result<(), Fault> {
        if let Some(time_us) = event.time_us {
            self.history.set_time_us(time_us);
        }
        if event.kind == Kind::Invoke {
            if self.open.contains_key(&event.process) {
                return Err(Fault::Busy(event.process));
            }
            let (key, value) = key_and_value(event);
            self.keyed |= key.is_some();
            let key = key.map_or(Ok(Arc::default()), |key| self.values.needed(key, "a key"))?;
            let op = self.values.operation(event.function, key, value)?;
            let id = self.history.invoke(event.process, op);
            self.open.insert(event.process, (id, event.function));
            return Ok(());
        }
        let (id, function) = self.open.remove(&event.process).ok_or(Fault::NothingInvoked(event.process))?;
        if function != event.function {
            return Err(Fault::NothingInvoked(event.process));
        }
        match event.kind {
            Kind::Ok => {
                let (op, (key, given)) = (&self.history.operations()[id.0].op, key_and_value(event));
                if !self.values.is_of(op, key, given)? {
                    return Err(Fault::OtherValue(event.process));
                }
                let ret = self.values.answer(function, op, given)?;
                self.history.complete(id, ret);
            }
            Kind::Fail => self.history.fail(id),
            Kind::Info | Kind::Invoke => {}
        }
        Ok(())
    }
}

/// The key, if there is one, and the rest of the value.
fn key_and_value(event: &Event) -> (Option<&Edn>, &Edn) {
    if event.key.is_some() {
        return (event.key.as_ref(), &event.value);
    }
    match (event.function, &event.value) {
        (Function::Read | Function::Write, Edn::List(pair)) if pair.len() == 2 => (Some(&pair[0]), &pair[1]),
        (Function::Cas, Edn::List(pair)) if pair.len() == 2 && matches!(pair[1], Edn::List(_)) => {
            (Some(&pair[0]), &pair[1])
        }
        (
            Function::Read
            | Function::Write
            | Function::Cas
            | Function::Append
            | Function::Increment
            | Function::Delete,
            value,
        ) => (None, value),
    }
}

impl Values {
    /// The bytes of a value; `None` for nil.
    fn value(self, edn: &Edn, wanted: &'static str) -> Result<Option<Arc<[u8]>>, Fault> {
        match edn {
            Edn::Nil => Ok(None),
            Edn::Text(text) if self.are_typed => Ok(Some(format!("{text:?}").as_bytes().into())),
            Edn::Atom(text) | Edn::Text(text) => Ok(Some(text.as_bytes().into())),
            Edn::Keyword(_) | Edn::List(_) | Edn::Map(_) => Err(Fault::BadValue(wanted)),
        }
    }

    fn needed(self, edn: &Edn, wanted: &'static str) -> Result<Arc<[u8]>, Fault> {
        self.value(edn, wanted)?.ok_or(Fault::BadValue(wanted))
    }

    fn operation(self, function: Function, key: Arc<[u8]>, given: &Edn) -> Result<KvOp, Fault> {
        const PAIR: &str = "a pair [old new]";
        Ok(match function {
            Function::Read => KvOp::Get { key },
            Function::Write => KvOp::Put { key, value: self.needed(given, "the value to write")? },
            Function::Append => KvOp::Append { key, value: self.needed(given, "the value to append")? },
            Function::Delete => KvOp::Delete { key },
            Function::Increment => {
                let by = self.value(given, "a whole number")?.map_or(Ok(1), |text| number(&text))?;
                KvOp::Increment { key, by }
            }
            Function::Cas => match given {
                Edn::List(pair) if pair.len() == 2 => KvOp::CompareAndSet {
                    key,
                    from: self.value(&pair[0], PAIR)?,
                    to: self.needed(&pair[1], PAIR)?,
                },
                Edn::List(_) | Edn::Nil | Edn::Atom(_) | Edn::Keyword(_) | Edn::Text(_) | Edn::Map(_) => {
                    return Err(Fault::BadValue(PAIR));
                }
            },
        })
    }

    fn answer(self, function: Function, op: &KvOp, given: &Edn) -> Result<KvRet, Fault> {
        Ok(match function {
            Function::Read => match self.value(given, "nil, a number or a string")? {
                Some(value) if value.is_empty() => KvRet::Blank,
                value => KvRet::Value(value),
            },
            Function::Write => KvRet::Ok,
            Function::Cas => KvRet::Swapped(true),
            Function::Increment | Function::Delete => match self.value(given, "nil or a whole number")? {
                Some(text) => KvRet::Number(number(&text)?),
                None => KvRet::Ok,
            },
            // Some logs repeat what was appended, some give the new value.
            Function::Append => match (self.value(given, "nil or a string")?, op) {
                (Some(text), KvOp::Append { value, .. }) if text != *value => KvRet::Value(Some(text)),
                (Some(_) | None, _) => KvRet::Ok,
            },
        })
    }

    /// Whether an end of `op` names nothing else than was invoked.
    fn is_of(self, op: &KvOp, key: Option<&Edn>, given: &Edn) -> Result<bool, Fault> {
        const WANTED: &str = "what was invoked, or nil";
        if let Some(key) = key
            && KeyValue::key(op) != Some(&*self.needed(key, "a key")?)
        {
            return Ok(false);
        }
        Ok(match (op, given) {
            (_, Edn::Nil) => true,
            (KvOp::Put { value, .. }, given) => self.value(given, WANTED)?.as_ref() == Some(value),
            (KvOp::CompareAndSet { from, to, .. }, Edn::List(pair)) if pair.len() == 2 => {
                self.value(&pair[0], WANTED)? == *from && self.value(&pair[1], WANTED)?.as_ref() == Some(to)
            }
            _ => true,
        })
    }
}

fn number(text: &[u8]) -> Result<i64, Fault> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or(Fault::BadValue("a whole number"))
}

/// The same history as one of a register, if it has only operations of one.
fn as_register(history: &History<KvOp, KvRet>) -> Option<History<RegisterOp, RegisterRet>> {
    history.map_operations(|operation| {
        let op = match &operation.op {
            KvOp::Get { .. } => RegisterOp::Read,
            KvOp::Put { value, .. } => RegisterOp::Write(value.clone()),
            KvOp::CompareAndSet { from, to, .. } => {
                RegisterOp::CompareAndSet { from: from.clone(), to: to.clone() }
            }
            KvOp::Append { .. }
            | KvOp::Increment { .. }
            | KvOp::Delete { .. }
            | KvOp::Swap { .. }
            | KvOp::Transaction(_) => {
                return None;
            }
        };
        let outcome = match &operation.outcome {
            Outcome::Unknown => Outcome::Unknown,
            Outcome::Failed => Outcome::Failed,
            Outcome::Returned { ret, at } => Outcome::Returned { ret: as_register_ret(ret)?, at: *at },
        };
        Some((op, outcome))
    })
}

fn as_register_ret(ret: &KvRet) -> Option<RegisterRet> {
    match ret {
        KvRet::Ok => Some(RegisterRet::Written),
        KvRet::Value(value) => Some(RegisterRet::Value(value.clone())),
        KvRet::Swapped(swapped) => Some(RegisterRet::Swapped(*swapped)),
        KvRet::Blank | KvRet::Number(_) | KvRet::Refused | KvRet::All(_) => None,
    }
}
