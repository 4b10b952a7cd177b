//! The executed state: the application behind its session table, and how far it got.

use crate::{Proposal, Slot};
use synod_clientserver::{Admission, ClientId, Seq, Sessions};
use synod_node::{NodeId, Rename, StateMachine};
use synod_stdx::{Malformed, Reader, Wire, Writer, mark};

/// The most clients that a replica remembers.
const SESSIONS_MAX: usize = 4096;

/// What came of a slot that was executed.
pub(crate) enum Executed<O> {
    /// No news: nothing ran.
    Nothing,
    /// A client's command did not run: its session is unknown, and its numbers began long ago.
    Forgotten(ClientId),
    /// A client's command ran.
    Result(ClientId, Seq, O),
    /// A command of the server's owner ran.
    Own(O),
}

/// A state that every replica reaches by executing the same slots. It is what a snapshot holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replica<S: StateMachine> {
    machine: S,
    sessions: Sessions<S::Output>,
    through: Slot,
}

impl<S: StateMachine> Replica<S> {
    /// The state before the first slot.
    pub fn new(machine: S) -> Self {
        let sessions = Sessions::new(SESSIONS_MAX, synod_clientserver::WINDOW_MAX);
        Replica { machine, sessions, through: Slot::ZERO }
    }

    /// The application.
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// What clients were answered.
    pub fn sessions(&self) -> &Sessions<S::Output> {
        &self.sessions
    }

    /// Every slot up to here is executed.
    pub fn through(&self) -> Slot {
        self.through
    }

    /// Executes the next slot. A command that ran before does not run again: a client may have submitted it to two
    /// leaders.
    pub(crate) fn execute(&mut self, proposal: &Proposal<S::Command>) -> Executed<S::Output> {
        self.through = self.through.next();
        let (client, seq, acked_below, command) = match proposal {
            Proposal::Noop => return Executed::Nothing,
            Proposal::Own { command } => return Executed::Own(self.machine.apply(command)),
            Proposal::Command { client, seq, acked_below, command } => (client, seq, acked_below, command),
        };
        match self.sessions.admit(*client, *seq) {
            Admission::Run => {
                let output = self.machine.apply(command);
                self.sessions.record(*client, *seq, *acked_below, output.clone());
                Executed::Result(*client, *seq, output)
            }
            Admission::Again(_) | Admission::Answered => {
                mark!("paxos.chosen_twice");
                Executed::Nothing
            }
            // Proposed behind a command that was lost with its leader: the client will submit both again.
            Admission::Forgotten => Executed::Forgotten(*client),
            Admission::Early => {
                mark!("paxos.chosen_early");
                Executed::Nothing
            }
        }
    }
}

impl<S: StateMachine<Output: Rename> + Rename> Rename for Replica<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Replica { machine, sessions, through: _ } = self;
        machine.rename(name);
        sessions.rename(name);
    }
}

impl<S> Wire for Replica<S>
where
    S: StateMachine + Wire,
    S::Output: Wire,
{
    fn encode(&self, out: &mut Writer<'_>) {
        self.through.encode(out);
        self.sessions.encode(out);
        self.machine.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let through = Slot::decode(input)?;
        let sessions = Sessions::decode(input)?;
        Ok(Replica { machine: S::decode(input)?, sessions, through })
    }
}
