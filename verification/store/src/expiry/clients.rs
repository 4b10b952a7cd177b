//! Clients that take keys for a time, look at them, and ask what time it is.

use super::ledger::{Ledger, Span};
use std::cell::RefCell;
use std::rc::Rc;
use synod_clientserver::Outcome;
use synod_resp::{Limits, Parsed, Reply, RequestParser, write_request};
use synod_shardedstore::{Request, Response};
use synod_simulator::{Ask, WALL_BEGIN_MS, Workload};
use synod_stdx::Rng;
use synod_store::{Action, Command, Environment, Keyspace, NoFacts, Session, Settings};
use synod_verify_shardedstore::scenarios::Actor;

/// The names of keys that are taken, over all groups.
const KEYS: u64 = 6;

/// The command that a session makes of a client's lines: one, or several from `MULTI` to `EXEC`.
///
/// # Panics
/// If the last of them is no command on keys.
pub(crate) fn command(lines: &[String]) -> Command {
    let settings = Settings::default();
    let environment = Environment { monotonic_ms: 0, random: 1, settings: &settings, facts: &NoFacts };
    let mut session = Session::new(1, "a scenario".to_owned(), &environment);
    let mut last = None;
    for line in lines {
        let mut bytes = Vec::new();
        write_request(&mut bytes, &line.split(' ').collect::<Vec<_>>());
        let mut parser = RequestParser::new(Limits::default(), true);
        let Ok(Parsed::Command(args)) = parser.advance(&bytes) else { panic!("`{line}` is no command") };
        if let Action::Submit(command, _) = session.on_command(args, &environment) {
            last = Some(command);
        }
    }
    last.unwrap_or_else(|| panic!("the last of {lines:?} is no command on keys"))
}

/// A question whose answer a client waits for.
#[derive(Clone, Debug)]
enum Asked {
    Take { key: String, token: String },
    Read { key: String },
    Rest { key: String },
    Time,
    TakeTogether { tokens: Vec<(String, String)> },
    ReadTogether { name: String },
}

/// A mistake at the gateway, which is no part of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GatewayMistake {
    /// It makes deadlines by its own wall clock.
    Deadlines,
    /// It tells the rest of a key's time by its own wall clock.
    Rests,
    /// It asks for the keys of each group by themselves, where they should be taken at one moment.
    Apart,
}

/// The wall clock of the gateway's machine: so many ms ahead.
pub(super) type Wall = Rc<RefCell<i64>>;

/// One client.
pub(super) struct Taker {
    number: u32,
    count: u64,
    left: u64,
    ledger: Rc<RefCell<Ledger>>,
    asked: Option<(Asked, u64)>,
    answer: Option<Response<Reply>>,
    mistake: Option<GatewayMistake>,
    wall: Wall,
    /// The next parts of a question that is asked in several.
    parts: Vec<(Vec<String>, Asked)>,
}

impl Taker {
    pub(super) fn new(
        (number, left): (u32, u64),
        ledger: &Rc<RefCell<Ledger>>,
        (mistake, wall): (Option<GatewayMistake>, Wall),
    ) -> Self {
        let (ledger, parts) = (Rc::clone(ledger), Vec::new());
        Taker { number, count: 0, left, ledger, asked: None, answer: None, mistake, wall, parts }
    }

    /// Draws the next question: its lines, and how to judge the answer.
    fn invent(&mut self, now_us: u64, rng: &mut Rng) -> (Vec<String>, Asked) {
        self.count += 1;
        let key = format!("lock{}", rng.below(KEYS));
        let token = format!("t{}.{}", self.number, self.count);
        let ttl_ms = match rng.below(4) {
            0 => rng.between(5_000, 30_000),
            _ => rng.between(200, 4_000),
        };
        let mut ledger = self.ledger.borrow_mut();
        match rng.below(10) {
            0..=3 => {
                ledger.asks(&key, &token, now_us, ttl_ms);
                let set = match self.mistake {
                    Some(GatewayMistake::Deadlines) => {
                        let now_ms = WALL_BEGIN_MS + now_us / 1_000;
                        let now_ms = now_ms.saturating_add_signed(*self.wall.borrow());
                        format!("SET {key} {token} NX PXAT {}", now_ms + ttl_ms)
                    }
                    Some(GatewayMistake::Rests | GatewayMistake::Apart) | None => {
                        format!("SET {key} {token} NX PX {ttl_ms}")
                    }
                };
                (vec![set], Asked::Take { key, token })
            }
            4..=5 => (vec![format!("GET {key}")], Asked::Read { key }),
            6 if self.mistake == Some(GatewayMistake::Rests) => {
                (vec![format!("PEXPIRETIME {key}")], Asked::Rest { key })
            }
            6 => (vec![format!("PTTL {key}")], Asked::Rest { key }),
            7 => (vec!["TIME".to_owned()], Asked::Time),
            8 => {
                let name = format!("pair{}", rng.below(2));
                let keys: Vec<String> = (0..4).map(|part| format!("{name}.{part}")).collect();
                let tokens: Vec<_> = keys.iter().map(|key| (key.clone(), token.clone())).collect();
                tokens.iter().for_each(|(key, token)| ledger.asks(key, token, now_us, ttl_ms));
                let set = |key: &String| format!("SET {key} {token} NX PX {ttl_ms}");
                if self.mistake == Some(GatewayMistake::Apart) {
                    let (these, those) = tokens.split_at(2);
                    let asked = |tokens: &[_]| Asked::TakeTogether { tokens: tokens.to_vec() };
                    self.parts.push((together(keys[2..].iter().map(set)), asked(those)));
                    return (together(keys[..2].iter().map(set)), asked(these));
                }
                (together(keys.iter().map(set)), Asked::TakeTogether { tokens })
            }
            _ => {
                let name = format!("pair{}", rng.below(2));
                let gets = (0..4).map(|part| format!("GET {name}.{part}"));
                (together(gets), Asked::ReadTogether { name })
            }
        }
    }

    /// Judges the answer that came.
    fn judge(&mut self, answered_us: u64) {
        let (Some((asked, asked_us)), Some(answer)) = (self.asked.take(), self.answer.take()) else { return };
        let span = Span { asked_us, answered_us };
        let Response::Store(Outcome::Done(reply)) = answer else { return };
        let mut ledger = self.ledger.borrow_mut();
        match (asked, reply) {
            (Asked::Take { key, token }, Reply::Null) => ledger.refused(&key, &token, span),
            (Asked::Take { key, token }, reply) if reply == Reply::OK => ledger.granted(&key, &token, span),
            (Asked::Read { key }, reply) => ledger.read(&key, text(&reply).as_deref(), span),
            (Asked::Rest { key }, Reply::Integer(rest)) => {
                let now_ms = (WALL_BEGIN_MS + answered_us / 1_000).saturating_add_signed(*self.wall.borrow());
                let rest = match self.mistake {
                    Some(GatewayMistake::Rests) if rest >= 0 => (rest - now_ms.cast_signed()).max(0),
                    Some(_) | None => rest,
                };
                ledger.told_rest(&key, rest, span);
            }
            (Asked::Time, Reply::Array(parts)) => {
                let number = |part: usize| text(&parts[part]).and_then(|text| text.parse::<u64>().ok());
                if let (Some(seconds), Some(us)) = (number(0), number(1)) {
                    let true_ms = WALL_BEGIN_MS + answered_us / 1_000;
                    ledger.told_time(seconds * 1_000 + us / 1_000, true_ms, span);
                }
            }
            (Asked::TakeTogether { tokens }, Reply::Array(replies)) => {
                for ((key, token), reply) in tokens.iter().zip(&replies) {
                    match reply {
                        Reply::Null => ledger.refused(key, token, span),
                        _ => ledger.granted(key, token, span),
                    }
                }
                let granted: Vec<bool> = replies.iter().map(|reply| *reply != Reply::Null).collect();
                ledger.read_together("keys that are only taken together", &granted);
            }
            (Asked::ReadTogether { name }, Reply::Array(replies)) => {
                let found: Vec<bool> = replies.iter().map(|reply| *reply != Reply::Null).collect();
                for (part, reply) in replies.iter().enumerate() {
                    ledger.read(&format!("{name}.{part}"), text(reply).as_deref(), span);
                }
                ledger.read_together(&name, &found);
            }
            (asked, reply) => ledger.read(&format!("{asked:?}"), Some(&format!("{reply:?}")), span),
        }
    }
}

/// The lines of a transaction.
fn together(lines: impl Iterator<Item = String>) -> Vec<String> {
    [vec!["MULTI".to_owned()], lines.collect(), vec!["EXEC".to_owned()]].concat()
}

fn text(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

impl Workload<Actor<Keyspace>> for Taker {
    fn next(&mut self, now_us: u64, rng: &mut Rng) -> Ask<Request<Command>> {
        if self.answer.is_some() {
            self.judge(now_us);
            return Ask::After(rng.between(1_000, 300_000));
        }
        if self.asked.is_some() {
            return Ask::WhenAnswered;
        }
        let (lines, asked) = match self.parts.pop() {
            Some(part) => part,
            None if self.left == 0 => return Ask::Done,
            None => {
                self.left -= 1;
                self.invent(now_us, rng)
            }
        };
        self.asked = Some((asked, now_us));
        let command = command(&lines);
        let is_read = command.is_read_only();
        let commands = vec![command];
        Ask::Request(if is_read { Request::Queries(commands) } else { Request::Commands(commands) })
    }

    fn on_response(&mut self, _: &Request<Command>, answer: &Response<Reply>) -> Result<(), String> {
        self.answer = Some(answer.clone());
        // The ledger is kept by the clock of the run, which is told next.
        Ok(())
    }
}
