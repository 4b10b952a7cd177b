//! What the store answers, beside what a stock server does.

mod against_redis;
mod cluster;
mod collections;
mod keyspace;
mod once;
mod replies;
mod session;
mod sharded;
mod tree;
mod types;
mod walks;

use crate::{
    Action, Awaiting, Cluster, ClusterNode, Command, Environment, Facts, Keyspace, Outcome, Session,
    Settings, Statistics,
};
use synod_node::StateMachine;
use synod_resp::{Limits, Parsed, Reply, RequestParser, write_request};

/// A client at a session at one keyspace, with a clock that the test moves.
pub(crate) struct Desk {
    pub(crate) keyspace: Keyspace,
    pub(crate) session: Session,
    pub(crate) settings: Settings,
    pub(crate) now_ms: u64,
    random: u64,
}

pub(crate) struct OneNode;

impl Facts for OneNode {
    fn cluster(&self) -> Cluster {
        let node = ClusterNode {
            id: "a".repeat(40),
            host: "127.0.0.1".to_owned(),
            port: 7001,
            peer_port: 17001,
            is_connected: true,
        };
        Cluster::of_one_group(vec![node], 0, Some(0))
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn clients(&self, _ids: Option<&[u64]>) -> String {
        String::new()
    }
}

impl Default for Desk {
    fn default() -> Self {
        Desk::new(Settings::default())
    }
}

impl Desk {
    pub(crate) fn new(settings: Settings) -> Desk {
        let environment =
            Environment { monotonic_ms: 1_000_000, random: 0, settings: &settings, facts: &OneNode };
        let session = Session::new(1, "127.0.0.1:1".to_owned(), &environment);
        Desk { keyspace: Keyspace::new(), session, settings, now_ms: 1_000_000, random: 7 }
    }

    /// What the session wants done about a command, which is stamped with the desk's time, as a leader does.
    pub(crate) fn act(&mut self, words: &[impl AsRef<[u8]>]) -> Action {
        let mut request = Vec::new();
        write_request(&mut request, words);
        let mut parser = RequestParser::new(Limits::default(), true);
        let Ok(Parsed::Command(args)) = parser.advance(&request) else { panic!("no command") };
        self.random = self.random.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        let environment = Environment {
            monotonic_ms: self.now_ms,
            random: self.random,
            settings: &self.settings,
            facts: &OneNode,
        };
        match self.session.on_command(args, &environment) {
            Action::Submit(mut command, awaiting) => {
                Keyspace::stamp(&mut command, self.now_ms);
                Action::Submit(command, awaiting)
            }
            other => other,
        }
    }

    /// Lets the keyspace run a command, as a backend does.
    pub(crate) fn run(&mut self, command: &Command) -> Reply {
        let queried = if command.is_read_only() { self.keyspace.query(command) } else { None };
        queried.unwrap_or_else(|| self.keyspace.apply(command))
    }

    pub(crate) fn finish(&mut self, command: &Command, awaiting: Awaiting) -> Reply {
        let reply = self.run(command);
        self.session.on_outcome(awaiting, Outcome::Done(reply))
    }

    /// The answer to a command, when it is alone.
    pub(crate) fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Reply {
        match self.act(words) {
            Action::Reply(reply) | Action::ReplyLater(reply) | Action::ReplyAndClose(reply) => reply,
            Action::Submit(command, awaiting) => self.finish(&command, awaiting),
            Action::Administer(request, _) => panic!("nobody carries out {request:?}"),
            Action::Wait => panic!("nothing is under way to wait for"),
            Action::Close(reason) => Reply::Error(format!("closed: {reason}").into()),
        }
    }

    /// As `ask`, for words separated by spaces, shown.
    pub(crate) fn say(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        format!("{:?}", self.ask(&words))
    }
}
