//! The sharded store: which group of servers owns which keys. So far: slots, and the configuration service.
//!
//! A key belongs to one of 16,384 **slots** ([`SlotId`]), as Redis Cluster has it. Each slot is owned by a **group**. Who
//! owns what is decided by one replicated state machine, the [`ConfigurationService`]: it answers with numbered
//! [`Configuration`]s, each of which stands for ever, so that whoever knows a number knows what it says.
//!
//! # Guarantees
//! * Configurations are numbered from 0 without a gap, and none ever changes.
//! * Each has all slots owned, by groups that are in it.
//! * When a group joins or leaves, two groups differ by one slot at most afterwards, and no assignment that is so balanced
//!   moves fewer slots.
//! * The same commands give the same configurations on every replica.
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
//! Weights of groups. Merging of runs across moves: many moves of single slots make many runs, until groups change.
//!
//! Read more: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998), for rendezvous hashing;
//! Karger et al., "Consistent hashing and random trees" (1997).

mod assignment;
mod client;
mod codec;
mod configuration;
mod coordinator;
mod group;
mod group_state;
pub mod invariants;
mod leading;
mod masters;
mod message;
mod moves;
mod process;
mod queue;
mod requests;
mod server;
mod sharded;
mod slot;
mod step;
mod texts;
mod two_phase;

pub use assignment::{Assignment, Run};
pub use codec::Shippable;
pub use client::{Client, Request, Response};
pub use configuration::{
    Configuration, ConfigurationCommand, ConfigurationError, ConfigurationNumber, ConfigurationOutput,
    ConfigurationService,
};
pub use group::GroupId;
pub use group_state::{GroupState, SlotStatus, Whereabouts};
pub use message::{Checkpoint, Lot, Message, Record, Results, Timer};
pub use process::{Master, Process};
pub use server::{GroupPlan, Server};
pub use sharded::{Sharded, Slots};
pub use slot::{SLOT_COUNT, SlotId};
pub use step::{Attempt, Chunk, Lock, LockNumber, RequestName, Step, Stepped};
pub use texts::{Text, TextCommand, TextOutput, Texts};

#[cfg(test)]
mod tests;
