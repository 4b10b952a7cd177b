//! One connection's half of the conversation, without the connection: words in, actions out.
//!
//! A session knows what a connection has said so far: its protocol version, its name, whether it authenticated, its
//! transaction, its watched keys. For each command it says what is to be done ([`Action`]); what the keyspace answers
//! comes back through [`Session::on_outcome`].
//!
//! # Order
//! Replies leave in the order of the commands; the shell keeps a queue for that. Commands of one connection also take
//! effect in order. A read may be answered without the log, which is quicker than a write in front of it, so it goes
//! that way only while the connection has no unanswered write; otherwise it goes through the log, behind the write.
//! A write is not submitted while a quick read is unanswered, for it could overtake it: [`Action::Wait`]. What is logged
//! keeps its order slot by slot, and slots go their own ways: of two commands on different keys that are under way at a
//! time either may take effect first, as with two groups that know nothing of each other it must be. A command on several
//! slots, or on all, waits for those before it, and those behind it wait for it.

mod admin;
mod catalogue;
mod cluster;
mod greeting;
mod info;
mod transaction;

use crate::operation::Operation;
use crate::parse::{Parsed, Words};
use crate::table::{self, CommandSpec, DENY_OOM, NO_AUTH, Run, SessionCommand};
use crate::{Administration, Command, Environment, Outcome};
use synod_resp::{Args, Oversized, Protocol, Reply};
use transaction::{Queue, Watched};

/// The answer to a command that may take memory, where none is left: words that client libraries know.
const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// What is to be done about a command.
#[derive(Debug)]
pub enum Action {
    /// Answer this.
    Reply(Reply),
    /// Submit the command; when its outcome is there, [`Session::on_outcome`] makes the answer of it.
    Submit(Command, Awaiting),
    /// Carry this out; the reply is the outcome.
    Administer(Administration, Awaiting),
    /// Nothing yet: what is submitted must be answered first. Present the same words again then.
    Wait,
    /// Answer this after a pause: a password was wrong.
    ReplyLater(Reply),
    /// Answer this and close.
    ReplyAndClose(Reply),
    /// Close without an answer; the text is for the log.
    Close(&'static str),
}

/// What a submitted command's outcome is needed for.
#[derive(Debug)]
pub struct Awaiting {
    /// Whether it went without the log.
    is_quick: bool,
    /// Whether it is about more than one slot.
    is_wide: bool,
    purpose: Purpose,
}

#[derive(Debug)]
enum Purpose {
    /// Its reply is the answer.
    Answer,
    /// It is the versions of these keys, which are watched from now on.
    Watch(Vec<Box<[u8]>>),
    /// It is a transaction's; these replies belong between its own.
    Exec(Vec<(usize, Reply)>),
}

/// The state of one connection. See the module's page.
#[derive(Debug)]
pub struct Session {
    id: u64,
    address: String,
    since_ms: u64,
    active_ms: u64,
    protocol: Protocol,
    is_authenticated: bool,
    name: Vec<u8>,
    library_name: Vec<u8>,
    library_version: Vec<u8>,
    last_command: &'static str,
    /// When it is looked next whether a command came to the node that its slot's group is led by; `None` for a client that
    /// does not follow the slots.
    looks_at_ms: Option<u64>,
    queue: Option<Queue>,
    watched: Watched,
    unanswered_quick: u32,
    unanswered_logged: u32,
    /// How many of these are about more than one slot: one, at most.
    unanswered_wide: u32,
    scratch: Vec<u8>,
}

impl Session {
    /// The session of a new connection, numbered `id`, from `address`.
    pub fn new(id: u64, address: String, environment: &Environment<'_>) -> Session {
        Session {
            id,
            address,
            since_ms: environment.monotonic_ms,
            active_ms: environment.monotonic_ms,
            protocol: Protocol::Resp2,
            is_authenticated: environment.settings.password.is_none(),
            name: Vec::new(),
            library_name: Vec::new(),
            library_version: Vec::new(),
            last_command: "NULL",
            looks_at_ms: None,
            queue: None,
            watched: Watched::default(),
            unanswered_quick: 0,
            unanswered_logged: 0,
            unanswered_wide: 0,
            scratch: Vec::new(),
        }
    }

    /// The version of the protocol that the next reply is written in.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the client has authenticated, or need not.
    pub fn is_authenticated(&self) -> bool {
        self.is_authenticated
    }

    /// The bytes that it holds for its client: a transaction's queued commands, and watched keys.
    pub fn held_bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, Queue::bytes) + self.watched.bytes()
    }

    /// The connection's number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Takes a command. On [`Action::Wait`] nothing has changed.
    pub fn on_command(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Action {
        self.active_ms = environment.monotonic_ms;
        let Some(name) = args.get(0) else { return Action::Reply(Reply::error("ERR empty command")) };
        let Some(spec) = table::find(name) else {
            if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
                return Action::Close("an HTTP request came to the Redis port");
            }
            return self.refuse(unknown_command(args));
        };
        self.last_command = spec.name;
        if !spec.takes(args.len()) {
            return self.refuse(spec.wrong_arity());
        }
        if !self.is_authenticated && !spec.has(NO_AUTH) {
            return self.refuse(Reply::error("NOAUTH Authentication required."));
        }
        if args.len() > environment.settings.words_max {
            let (words, max) = (args.len(), environment.settings.words_max);
            let text = format!(
                "ERR a command of {words} words is longer than this server's limit of {max}; send it in parts"
            );
            return self.refuse(Reply::Error(text.into()));
        }
        if spec.has(DENY_OOM) && environment.facts.is_out_of_memory() {
            return self.refuse(Reply::error(OUT_OF_MEMORY));
        }
        if self.queue.is_some() && !acts_in_transaction(spec) {
            return self.enqueue(spec, args, environment);
        }
        match spec.run {
            Run::Store(_) => match parse_words(spec, args, environment) {
                Ok(operation) => match self.redirect(&operation, environment) {
                    Some(moved) => Action::Reply(moved),
                    None => self.submit(&operation, Purpose::Answer),
                },
                Err(error) => Action::Reply(error),
            },
            Run::Session(command) => self.run(command, args, environment),
        }
    }

    /// A command was skipped because it was over a limit.
    pub fn on_oversized(&mut self, oversized: Oversized, environment: &Environment<'_>) -> Reply {
        let text = match oversized {
            Oversized::Bulk(bytes) => {
                let max = environment.settings.value_bytes_max;
                format!("ERR a string of {bytes} bytes is longer than this server's limit of {max} bytes")
            }
            Oversized::Request => {
                "ERR the command is longer than this server's limit; send it in parts".to_owned()
            }
        };
        if let Some(queue) = &mut self.queue {
            queue.spoil();
        }
        Reply::Error(text.into())
    }

    /// What was submitted has ended: gives the answer.
    pub fn on_outcome(&mut self, awaiting: Awaiting, outcome: Outcome) -> Reply {
        if awaiting.is_quick {
            self.unanswered_quick -= 1;
        } else {
            self.unanswered_logged -= 1;
            self.unanswered_wide -= u32::from(awaiting.is_wide);
        }
        match (awaiting.purpose, outcome) {
            (Purpose::Watch(keys), Outcome::Done(Reply::Array(versions))) => {
                self.watched.add(&keys, &versions)
            }
            (Purpose::Watch(_), outcome) => {
                self.watched.fail();
                outcome.into_reply()
            }
            (Purpose::Exec(others), Outcome::Done(Reply::Array(mut replies))) => {
                for (index, reply) in others {
                    replies.insert(index.min(replies.len()), reply);
                }
                Reply::Array(replies)
            }
            (Purpose::Answer | Purpose::Exec(_), outcome) => outcome.into_reply(),
        }
    }

    /// An error at the door: inside a transaction it spoils it.
    fn refuse(&mut self, error: Reply) -> Action {
        if let Some(queue) = &mut self.queue {
            queue.spoil();
        }
        Action::Reply(error)
    }

    /// Submits an operation by the shortest way that keeps the connection's order.
    fn submit(&mut self, operation: &Operation<'_>, purpose: Purpose) -> Action {
        use crate::command::Route;
        let is_quick = operation.is_read_only() && self.unanswered_logged == 0;
        if !is_quick && self.unanswered_quick > 0 {
            return Action::Wait;
        }
        if self.unanswered_wide > 0 {
            return Action::Wait;
        }
        let route = if is_quick { Route::Shortest } else { Route::Log };
        let command = Command::new(operation, route, &mut self.scratch);
        let is_wide = command.is_about_all_keys() || command.has_several_slots();
        if is_wide && self.unanswered_logged > 0 {
            return Action::Wait;
        }
        if is_quick {
            self.unanswered_quick += 1;
        } else {
            self.unanswered_logged += 1;
            self.unanswered_wide += u32::from(is_wide);
        }
        Action::Submit(command, Awaiting { is_quick, is_wide, purpose })
    }

    /// Whether everything submitted was answered.
    fn is_settled(&self) -> bool {
        self.unanswered_quick == 0 && self.unanswered_logged == 0
    }

    fn run(&mut self, command: SessionCommand, args: Args<'_>, environment: &Environment<'_>) -> Action {
        match command {
            SessionCommand::Multi => self.begin_transaction(),
            SessionCommand::Exec => self.run_transaction(environment),
            SessionCommand::Discard => self.discard_transaction(),
            SessionCommand::Watch => self.watch(args, environment),
            SessionCommand::Unwatch => self.unwatch(),
            SessionCommand::Once => self.run_once(args, environment),
            SessionCommand::Hello => self.greet(args, environment),
            SessionCommand::Auth => self.authenticate(args, environment),
            SessionCommand::Reset => self.reset(environment),
            SessionCommand::Quit => Action::ReplyAndClose(Reply::OK),
            SessionCommand::Cluster => self.describe_cluster(args, environment),
            SessionCommand::Synod => self.administer(args),
            // What it counts is the writes before it, so these must be answered.
            SessionCommand::Wait if !self.is_settled() => Action::Wait,
            SessionCommand::Asking
            | SessionCommand::Client
            | SessionCommand::Command
            | SessionCommand::Config
            | SessionCommand::Echo
            | SessionCommand::Info
            | SessionCommand::Ping
            | SessionCommand::ReadOnly
            | SessionCommand::ReadWrite
            | SessionCommand::Select
            | SessionCommand::Wait => Action::Reply(self.answer(command, args, environment)),
        }
    }

    /// Answers what needs neither the keyspace nor an action.
    fn answer(&mut self, command: SessionCommand, args: Args<'_>, environment: &Environment<'_>) -> Reply {
        match command {
            SessionCommand::Ping => match args.len() {
                1 => Reply::simple("PONG"),
                2 => Reply::bulk(&args[1]),
                _ => Reply::error("ERR wrong number of arguments for 'ping' command"),
            },
            SessionCommand::Echo => Reply::bulk(&args[1]),
            SessionCommand::Asking | SessionCommand::ReadOnly | SessionCommand::ReadWrite => Reply::OK,
            SessionCommand::Select => admin::select(&args[1]),
            SessionCommand::Wait => admin::wait(args, environment),
            SessionCommand::Client => self.tell_clients(args, environment),
            SessionCommand::Command => catalogue::tell(args),
            SessionCommand::Config => admin::tell_config(args, environment),
            SessionCommand::Info => info::tell(args, environment),
            SessionCommand::Auth
            | SessionCommand::Cluster
            | SessionCommand::Discard
            | SessionCommand::Exec
            | SessionCommand::Hello
            | SessionCommand::Multi
            | SessionCommand::Once
            | SessionCommand::Quit
            | SessionCommand::Reset
            | SessionCommand::Synod
            | SessionCommand::Unwatch
            | SessionCommand::Watch => Reply::error("ERR Command not allowed inside a transaction"),
        }
    }

    /// `SYNOD …`: for operators.
    fn administer(&mut self, args: Args<'_>) -> Action {
        if !self.is_settled() {
            return Action::Wait;
        }
        match Administration::parse(args) {
            Err(error) => Action::Reply(error),
            Ok(request) => {
                self.unanswered_logged += 1;
                self.unanswered_wide += 1;
                let awaiting = Awaiting { is_quick: false, is_wide: true, purpose: Purpose::Answer };
                Action::Administer(request, awaiting)
            }
        }
    }

    /// `ONCE client sequence command …`: runs the command unless that client's sequence number was run before.
    fn run_once(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Action {
        let parse = |index: usize| synod_resp::parse_integer(&args[index]).map(i64::cast_unsigned);
        let (Some(client), Some(sequence)) = (parse(1), parse(2)) else {
            return Action::Reply(crate::strings::NOT_AN_INTEGER);
        };
        if client.cast_signed() < 0 || sequence.cast_signed() < 1 {
            return Action::Reply(Reply::error(
                "ERR ONCE takes a client number from 0 to 9223372036854775807 and a sequence number from 1",
            ));
        }
        let inner = args.skip(3);
        let Some(spec) = table::find(&inner[0]) else { return Action::Reply(unknown_command(inner)) };
        if !spec.takes(inner.len()) {
            return Action::Reply(spec.wrong_arity());
        }
        let step = match parse_words(spec, inner, environment) {
            Ok(_) if is_about_all_keys(spec) => return Action::Reply(about_all_keys(spec)),
            Ok(operation) => {
                let mut step = Vec::new();
                operation.encode(&mut step);
                step
            }
            // A refused command is no request: it takes no sequence number, and the client is told at once.
            Err(error) => return Action::Reply(error),
        };
        self.submit(&Operation::Once { client, sequence, step: &step }, Purpose::Answer)
    }
}

/// Whether a command of the keyspace names no key: it is about all of them.
fn is_about_all_keys(spec: &CommandSpec) -> bool {
    spec.keys == table::NO_KEYS && spec.counted == 0
}

/// The error of a command about all keys inside a transaction, or one that is to run exactly once.
fn about_all_keys(spec: &CommandSpec) -> Reply {
    let text = format!("ERR '{}' is about the keys of all groups; send it by itself", spec.name);
    Reply::Error(text.into())
}

/// Whether a command runs at once inside a transaction instead of being queued.
fn acts_in_transaction(spec: &CommandSpec) -> bool {
    match spec.run {
        Run::Store(_) => false,
        Run::Session(command) => matches!(
            command,
            SessionCommand::Multi
                | SessionCommand::Exec
                | SessionCommand::Discard
                | SessionCommand::Watch
                | SessionCommand::Quit
                | SessionCommand::Reset
        ),
    }
}

/// The operation that a command of the keyspace means; lengths of keys are checked here.
fn parse_words<'a>(spec: &CommandSpec, args: Args<'a>, environment: &Environment<'_>) -> Parsed<'a> {
    let Run::Store(parse) = spec.run else {
        return Err(Reply::Error(format!("ERR '{}' is not a command on keys", spec.name).into()));
    };
    let max = environment.settings.key_bytes_max;
    if let Some(key) = spec.keys_of(args).find(|key| key.len() > max) {
        let text =
            format!("ERR a key of {} bytes is longer than this server's limit of {max} bytes", key.len());
        return Err(Reply::Error(text.into()));
    }
    parse(&Words {
        name: spec.name,
        args,
        random: environment.random,
        value_bytes_max: environment.settings.value_bytes_max,
    })
}

/// A stock server's words for a command that it does not have: the name and arguments, cut at 128 bytes.
fn unknown_command(args: Args<'_>) -> Reply {
    const SHOWN_MAX: usize = 128;
    let cut = |word: &[u8], max: usize| {
        let end = word.iter().take(max).position(|byte| *byte == 0).unwrap_or(word.len().min(max));
        String::from_utf8_lossy(&word[..end]).into_owned()
    };
    let mut shown = String::new();
    for word in args.iter().skip(1) {
        if shown.len() >= SHOWN_MAX {
            break;
        }
        shown.push_str(&format!("'{}' ", cut(word, SHOWN_MAX - shown.len())));
    }
    let name = cut(&args[0], SHOWN_MAX);
    Reply::Error(format!("ERR unknown command '{name}', with args beginning with: {shown}").into())
}
