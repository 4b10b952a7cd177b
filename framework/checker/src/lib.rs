//! The model checker: every interleaving of a system, with the nodes that serve users, unchanged.
//!
//! A simulation throws dice, and finds what is likely. A checker takes every choice: whatever message is in flight may
//! arrive next, whatever timer may fire, fires. What it says of a small system it says of all its runs.
//!
//! ```text
//! System (nodes, users, network, budgets of faults)  --Checker::new-->  Checker
//! Checker + State + Settings  --breadth_first, depth_first, walk, eventually-->  Report
//! Report: Verdict, Findings (each with a State: the way there), Stats
//! ```
//!
//! A [`State`] that was found is where the next search may begin: with other links, timers, prunes or goals, or after a
//! few deliveries by hand. So a long way to where it becomes interesting is a chain of short searches. Or it begins at a
//! [`Moment`] that another driver came to: a debugger, a simulation, a replayed recording.
//!
//! # The space
//! * The **network** ([`Network`]) is a set by default: whatever was ever sent may be delivered at any time, again and
//!   again, or never. Or a bag, where each message arrives at most once; or ordered link by link.
//! * **Timers** fire in any order that their ranges allow: of two at one node that do not overlap, the one that was set
//!   first. How late is nobody's matter: there is no clock.
//! * **Users** ask as soon as they may, in the same step as the answer that they waited for.
//! * **Faults** have budgets ([`Budgets`]): crashes that lose what is not durable, writes that are durable late, lost
//!   messages, users that give up, pauses, partitions. Each is one more choice until its budget is spent.
//!
//! # What is asked
//! [`Property`]s: invariants, goals, prunes; what an [`Observer`] makes of the clients' history, in every state;
//! handlers' panics and `assert_invariants`, always; and whether something happens in the end ([`Fairness`]).
//! A search ends when every verdict is settled. What it comes to is one of four: *violated*, *goal reached*, *exhausted:
//! holds*, or *budget spent*. A search that ran out of budget has shown nothing of the rest, and never says that it did.
//!
//! # How it is fast
//! * **Values have numbers.** Nodes, timers, disks, messages, what users see: each distinct value is kept once
//!   (`intern.rs`). A state is a short run of numbers (`worker.rs`).
//! * **A handler runs once** for each local state and stimulus; after that the step is looked up (`shared.rs`,
//!   `memo.rs`). Now and then a known step is taken again and compared, so a handler that is not deterministic is found.
//! * **Fingerprints are sums**: of a keyed hash for each part. A successor's is its parent's plus what differs, so that
//!   most duplicates are thrown away unbuilt. Hashes are of contents, not of numbers: which thread came first leaves no
//!   trace in them.
//! * **Tables are flat**: eight bytes a fingerprint, eight for the way back (`visited.rs`, `breadth.rs`).
//! * **Observers are automata beside the state**: what they forget makes states equal.
//! * **Whole states are rebuilt** by taking the steps of a path again, when somebody wants to see one (`path.rs`).
//!
//! # What spares work, and keeps every verdict
//! [`Reductions`], each of which can be switched off: stimuli that change nothing do not happen; of two orders of
//! commuting steps one is taken (`commute.rs` proves it); states that differ by a stated [`Symmetry`] are one, and
//! properties are asked under other names too (`impartial.rs`); messages that a protocol declares can never matter again are
//! no part of a state, and the search proves the declaration. The tests compare all of it with a naive explorer on random
//! protocols (`tests/checker/twin`).
//!
//! # What can go wrong, and what is done about it
//! Two states may have one fingerprint: the report says the odds, and the exact mode compares whole states. A `Hash` that
//! leaves out what `Eq` compares is refused by its type's name (`clash.rs`). A protocol may break the contract: the checks ([`CheckSettings`]) run each new step twice, compare clones and hashes, and send
//! each message through its byte form.
//!
//! # What is left out
//! Time: "within a second" is the simulator's question. Lost disks: a node never comes back under a new incarnation.
//! Strong fairness: weak fairness is what handlers, links and timers give. Spilling to disk: a search ends when memory
//! does, or the numbers that it has for states, messages and timers (`numbers.rs`), with words.
//!
//! # Read more
//! Clarke, Grumberg and Peled, "Model checking" (1999); Godefroid, "Partial-order methods for the verification of
//! concurrent systems" (1996); Holzmann, "The model checker SPIN" (1997); Killian et al., "Life, death, and the critical
//! transition" (2007), for systems as they are; Michael et al., "Teaching rigorous distributed systems with efficient
//! model checking" (2019), for staged searches.

mod breadth;
mod checker;
mod checks;
mod clash;
mod commute;
mod components;
mod crew;
mod dead;
mod depth;
mod draw;
mod eventually;
mod extras;
mod faults;
mod flight;
mod graph;
mod hash;
mod impartial;
mod intern;
mod judge;
mod local;
mod memo;
mod moment;
mod numbers;
mod observer;
mod orbit;
mod page;
mod path;
mod place;
mod property;
mod report;
mod sample;
mod settings;
mod shared;
mod stage;
mod state;
mod stim;
mod symmetry;
mod system;
mod tally;
mod trace;
mod user;
mod visited;
mod walks;
mod worker;

pub use checker::{CheckSettings, Checker};
pub use checks::Survives;
pub use crew::{Alone, Crew, Progress};
pub use dead::Dead;
pub use eventually::Fairness;
pub use moment::Moment;
pub use observer::{Blind, Observer, Witness};
pub use property::{Plain, Property, Reads, View};
pub use report::{Finding, Report, Spent, Stats, Subject, Verdict};
pub use settings::{Reductions, Settings, Until};
pub use state::State;
pub use symmetry::Symmetry;
pub use system::{Budgets, NODES_MAX, Network, Substitute, System};
pub use trace::Unfit;
pub use user::{Ask, Position, User};
pub use walks::Walks;

/// A node that a search can check on several threads.
pub use synod_node::SharedNode as Checkable;
