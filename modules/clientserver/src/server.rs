//! The server: an application behind a session table.

use crate::{Admission, ClientId, Message, Seq, Sessions, WINDOW_MAX};
use synod_node::{NodeId, Rename, StateMachine};
use synod_stdx::{Malformed, Reader, Wire, Writer, mark};

/// The most clients that a server remembers.
const SESSIONS_MAX: usize = 65_536;

/// Runs each command once and answers as often as it is asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server<S: StateMachine> {
    machine: S,
    sessions: Sessions<S::Output>,
}

impl<S: StateMachine> Server<S> {
    /// A server of `machine` that knows no client yet.
    pub fn new(machine: S) -> Self {
        Server { machine, sessions: Sessions::new(SESSIONS_MAX, WINDOW_MAX) }
    }

    /// The application.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// The session table.
    pub fn sessions(&self) -> &Sessions<S::Output> {
        &self.sessions
    }

    /// Runs what `client` asks for, from number `first` on, each command once and in order. Returns what to tell it:
    /// results, that it is forgotten, or nothing, where one before these is missing or it has all the results.
    pub fn run(
        &mut self,
        client: ClientId,
        (first, acked_below): (Seq, Seq),
        commands: &[S::Command],
    ) -> Option<Message<S::Command, S::Output>> {
        let mut outputs = Vec::new();
        let mut answered_from = first;
        for (seq, command) in (first..).zip(commands) {
            match self.sessions.admit(client, seq) {
                Admission::Run => {
                    let output = self.machine.apply(command);
                    self.sessions.record(client, seq, acked_below, output.clone());
                    outputs.push(output);
                }
                Admission::Again(output) => {
                    mark!("clientserver.answered_again");
                    outputs.push(output.clone());
                }
                // The client has this result; it does not need those before the next either.
                Admission::Answered => answered_from = seq + 1,
                Admission::Early => {
                    mark!("clientserver.gap");
                    break;
                }
                Admission::Forgotten => return Some(Message::Forgotten { client }),
            }
        }
        (!outputs.is_empty()).then_some(Message::Results { client, first: answered_from, outputs })
    }

    /// Panics if a bound does not hold.
    pub fn assert_invariants(&self) {
        self.sessions.assert_invariants();
    }
}

impl<S: StateMachine<Output: Rename> + Rename> Rename for Server<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Server { machine, sessions } = self;
        machine.rename(name);
        sessions.rename(name);
    }
}

/// What a state transfer carries: the application and what its clients were answered.
impl<S: StateMachine<Output: Wire> + Wire> Wire for Server<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        let Server { machine, sessions } = self;
        machine.encode(out);
        sessions.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Server { machine: S::decode(input)?, sessions: Sessions::decode(input)? })
    }
}
