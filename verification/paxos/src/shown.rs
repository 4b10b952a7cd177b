//! What the debugger shows of `paxos` beside the bare state: ballots, and the log by status; and what must hold at every
//! moment of a run, as far as it can be asked quickly at each of thousands of moments.

use synod_debugger::{Cell, Claim, Portrait, Stage, Strip};
use synod_node::StateMachine;
use synod_paxos::{Process, Proposal, Server, Slot, SlotStatus, invariants as logs};

/// So many slots of a log are shown: the last ones.
const SLOTS_MAX: u64 = 48;

/// Whether logs agree is asked about so many of the slots that were chosen last.
const SLOTS_ASKED: u64 = 16;

/// Tones of cells; equal tones mean the same in all strips.
pub mod tone {
    /// Nothing is there.
    pub const NOTHING: u8 = 0;
    /// It waits for something.
    pub const WAITS: u8 = 1;
    /// It is done, or serves.
    pub const DONE: u8 = 2;
    /// It was, and is dropped.
    pub const OLD: u8 = 3;
    /// It goes elsewhere.
    pub const GOES: u8 = 4;
    /// It comes from elsewhere.
    pub const COMES: u8 = 5;
}

/// Ballots, and the log by status.
pub struct Ballots;

impl<S: StateMachine> Portrait<Process<S>> for Ballots {
    fn term(&self, node: &Process<S>) -> Option<(String, bool)> {
        node.server().map(ballot)
    }

    fn strips(&self, node: &Process<S>) -> Vec<Strip> {
        node.server().map_or_else(Vec::new, |server| vec![log(server)])
    }
}

/// The slots of a server's log by status and ballot.
pub fn log<S: StateMachine>(server: &Server<S>) -> Strip {
    let mut last = server.chosen_through().0;
    while server.status(Slot(last + 1)) != SlotStatus::Empty {
        last += 1;
    }
    let first = (last + 1).saturating_sub(SLOTS_MAX).max(1);
    let cell = |number: u64| {
        let found = server.log().find(Slot(number));
        let (tone, status) = match server.status(Slot(number)) {
            SlotStatus::Empty => (tone::NOTHING, "empty"),
            SlotStatus::Accepted => (tone::WAITS, "accepted"),
            SlotStatus::Chosen => (tone::DONE, "chosen"),
            SlotStatus::Cleared => (tone::OLD, "executed and dropped"),
        };
        let holds = found.map_or_else(String::new, |(ballot, proposal)| {
            let what = match proposal {
                Proposal::Command { .. } => "a command",
                Proposal::Own { .. } => "the group's own command",
                Proposal::Noop => "nothing to do",
            };
            format!(", in {ballot}: {what}")
        });
        Cell { label: number.to_string(), tone, text: format!("slot {number}: {status}{holds}") }
    };
    Strip { title: "slots of the log".to_owned(), cells: (first..=last).map(cell).collect() }
}

/// The ballot that a server promised, and whether it leads.
pub fn ballot<S: StateMachine>(server: &Server<S>) -> (String, bool) {
    (server.promised().to_string(), server.is_leader())
}

/// What must hold of a group.
pub fn claims<S: StateMachine + 'static>() -> Vec<Claim<Process<S>>> {
    fn asked<S: StateMachine>(
        stage: &Stage<Process<S>>,
        ask: impl Fn(&[&Server<S>]) -> Result<(), String>,
    ) -> Result<(), String> {
        ask(&stage.world.running().filter_map(|(_, node)| node.server()).collect::<Vec<_>>())
    }
    vec![
        Claim::new(agreement(), |stage| asked(stage, last_slots_agree)),
        Claim::new("a ballot has one leader", |stage| asked(stage, logs::a_ballot_has_one_leader)),
    ]
}

/// What [`last_slots_agree`] claims.
pub fn agreement() -> String {
    format!("the members of a group agree on the last {SLOTS_ASKED} slots that are chosen")
}

/// Whether servers agree on the slots that were chosen last.
///
/// # Errors
/// On which they do not.
pub fn last_slots_agree<S: StateMachine>(servers: &[&Server<S>]) -> Result<(), String> {
    let through = servers.iter().map(|server| server.chosen_through()).max().unwrap_or(Slot::ZERO);
    let after = Slot(through.0.saturating_sub(SLOTS_ASKED));
    logs::servers_agree_on_what_is_chosen(servers, after, through)
}
