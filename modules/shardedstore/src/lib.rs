//! The sharded store: groups of servers, each of which owns a part of the keys, and may own another tomorrow.
//!
//! A key belongs to one of 16,384 **slots** ([`SlotId`]), as Redis Cluster has it. Each slot is owned by a **group**, which
//! is a Paxos group. Who owns what is decided by one replicated state machine, the [`ConfigurationService`]: it answers
//! with numbered [`Configuration`]s, each of which stands for ever, so that whoever knows a number knows what it says.
//!
//! # Guarantees
//! * At no moment do two groups serve a slot, and at every moment one group has it.
//! * A command runs once, whatever moves, crashes or is lost meanwhile; commands of one client in one slot in order.
//! * Commands and reads are linearizable. A command may touch any number of slots in any number of groups: it happens at
//!   one moment in all of them or in none.
//! * Configurations are numbered from 0 without a gap, and none ever changes. Each has all slots owned, by groups that are
//!   in it. When a group joins or leaves, two groups differ by one slot at most afterwards, and no assignment that is so
//!   balanced moves fewer slots.
//!
//! # How: everything that matters is in a log
//! A group's state ([`GroupState`]) is a state machine behind Paxos, and everything that changes it is an entry of the
//! group's log ([`Step`]): clients' commands, configurations, slots that leave and come, locks and decisions of
//! transactions. So a group never loses its place: whoever leads it reads from the state what is to be done next, and asks
//! whoever it waits for again.
//!
//! **Exactly once.** What clients were answered is kept slot by slot, and moves with the slot. A client numbers its commands
//! in each slot, and whoever has the slot knows which of them ran; no other memory is needed, and none is left behind. A
//! command over several slots is numbered in its lowest one, its home.
//!
//! **Moving** (`transfer.rs`, `moves.rs`). The old owner serves a slot up to the log entry that freezes it, and the new
//! owner from the entry that brings its last part. A slot that holds much is copied while it is served, and what is written
//! meanwhile follows in rounds, until the rest is short. Few slots are on their way at a time, and only to a group that said
//! that it is ready; so a slot is away for as long as its own last parts are on their way, whatever else moves.
//!
//! **Transactions** (`two_phase.rs`, `coordinator.rs`). Two-phase commit between logs. Locks are taken group by group in the
//! order of the groups' names, so no two transactions wait for each other, and none is aborted to let another pass. Nobody
//! holds a lock and waits for a slot that moves: a slot that is not where it was looked for ends the try, and a slot that is
//! locked does not move. Who waits, waits in a queue that nobody overtakes.
//!
//! **Reads** that touch one group write nothing: they go the way of Paxos's reads, and see a state in which the slot was
//! held, not frozen and not locked, at a moment after they were asked. A new owner has the slot only after the old one's
//! freeze was chosen, which any later read there sees.
//!
//! # Why a balancer, and no hashing of slots onto groups
//! Consistent hashing decides without knowing the present owner; that matters where nobody keeps a table. Here the table
//! is the point, and it is small: a run of slots for each stretch with one owner. From the table the least movement can be
//! computed. Measured over a growth from one group to sixteen (`src/tests.rs`, `a_balancer_beats_hashing`): the balancer
//! moves 39,001 slots in all, what the new groups need and nothing else, groups differ by one slot, and the table has 108
//! runs; rendezvous hashing moves 38,815, since it leaves the largest of sixteen groups an eighth larger than the
//! smallest (1,101 slots and 975), and has a run for nearly every slot.
//!
//! # What is left out
//! More or fewer members of a group than it joined with. Weights of groups. Merging of runs across moves: many moves of
//! single slots make many runs, until groups change.
//!
//! Read more: Gray, "Notes on data base operating systems" (1978), for two-phase commit; Gray and Lamport, "Consensus on
//! transaction commit" (2006); Corbett et al., "Spanner" (2012), sections 2 and 4, for groups that commit together; Havender,
//! "Avoiding deadlock in multitasking systems" (1968), for locks in order; Thaler and Ravishankar, "Using name-based mappings
//! to increase hit rates" (1998), for rendezvous hashing; Karger et al., "Consistent hashing and random trees" (1997).

mod assignment;
mod client;
mod codec;
mod configuration;
mod configuration_error;
mod coordinator;
mod group;
mod group_state;
mod homes;
pub mod invariants;
mod leading;
mod masters;
mod message;
mod moves;
mod nodes;
mod pace;
mod queue;
mod requests;
mod roles;
mod seats;
mod server;
mod service;
mod sharded;
mod slot;
mod slot_table;
mod step;
mod texts;
mod transfer;
mod two_phase;

pub use assignment::{Assignment, Run};
pub use client::{Client, Request, Response};
pub use codec::Shippable;
pub use configuration::{
    Configuration, ConfigurationCommand, ConfigurationNumber, ConfigurationOutput, ConfigurationService,
};
pub use configuration_error::ConfigurationError;
pub use group::GroupId;
pub use group_state::{GroupState, SlotStatus, Whereabouts};
pub use message::{Checkpoint, Lot, Message, Record, Results, Timer};
pub use nodes::{
    ADDRESS_BYTES_MAX, Addresses, GROUP_BOUND, MEMBERS_OF_NODE_MAX, NODE_BOUND, Nodes, SERVICE, first_member,
    member_on, node_of,
};
pub use roles::Process;
pub use seats::Seats;
pub use server::{GroupPlan, PART_BYTES, Server};
pub use service::{Controller, ServiceMember};
pub use sharded::{Sharded, Slots};
pub use slot::{SLOT_COUNT, SlotId};
pub use step::{Attempt, Chunk, Lock, LockNumber, Reached, RequestName, Step, Stepped};
pub use texts::{Text, TextCommand, TextOutput, Texts};

#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod nodes_tests;
#[cfg(test)]
mod script_tests;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;
