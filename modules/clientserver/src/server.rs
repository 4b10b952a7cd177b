//! The server: an application behind a session table.

use crate::{Admission, ClientId, Message, Process, Seq, Sessions, WINDOW_MAX};
use synod_node::{Context, NodeId, Rename, StateMachine};
use synod_stdx::mark;

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

    pub(crate) fn on_commands(
        &mut self,
        from: NodeId,
        (client, first, acked_below): (ClientId, Seq, Seq),
        commands: &[S::Command],
        ctx: &mut Context<Process<S>>,
    ) {
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
                Admission::Forgotten => {
                    ctx.send(from, Message::Forgotten { client });
                    return;
                }
            }
        }
        if !outputs.is_empty() {
            ctx.send(from, Message::Results { first: answered_from, outputs });
        }
    }

    pub(crate) fn assert_invariants(&self) {
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
