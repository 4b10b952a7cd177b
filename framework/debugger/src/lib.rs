//! The visual debugger: any system of nodes, step by step, forward and back, in a browser.
//!
//! A simulation throws dice and a checker takes every choice. Here a person chooses: what arrives next, what is lost, who
//! crashes. Each choice leads from one moment to another, and all of them are kept, so that one can go back, choose
//! otherwise, and compare. It needs nothing of a protocol but what a [`Node`](synod_node::Node) is: states and messages are read by their
//! `Debug` form.
//!
//! ```text
//! Setup (nodes, users, claims, what happened already)  --open-->  Desk (a session that answers questions)
//! Desk  --serve-->  http://127.0.0.1:PORT/?token=…
//! ```
//!
//! # How it is built
//! * A **moment** ([`Stage`]) is a world of nodes and what the world does not know of: links, pauses, users. A **session**
//!   (`session.rs`) is a tree of moments, each a step from its parent. Every few hundred steps a whole moment is kept, and
//!   what is between is taken again when somebody looks: handlers are deterministic, so it is what it was.
//! * The page is told a few numbers of every moment in **columns** (`columns.rs`), once; what a moment is like (`show.rs`),
//!   why a value is what it is (`why.rs`) and where two moments part (`compare.rs`), when it asks. `PROTOCOL.md` has it all.
//! * **Predicates** (`predicate.rs`) are read against the states' `Debug` trees: `count(nodes where role is Leader) > 1`.
//!   They end random runs, and searches by whoever is the [`Seeker`].
//! * A **trace** (`replay.rs`) becomes steps again by its texts. A recorded run of a simulation is kept as it was.
//! * **Recordings** of real processes (`flight.rs`), each of its own nodes, become one past again by what the nodes said to
//!   each other; a step that does something else than was recorded is flagged.
//!
//! # Safety
//! The server listens on 127.0.0.1 alone, answers only who knows the token, checks `Host` and `Origin` against pages of
//! other sites, and forbids the page everything but its own files. Texts of the model are set as text.
//!
//! # What is left out
//! Time: the clock of a simulated trace is shown, and what is done here by hand takes none. A handler that panics has no
//! state after it: such a moment has no children.

mod act;
mod columns;
mod compare;
mod desk;
mod export;
mod flight;
mod job;
mod minimise;
mod page;
mod predicate;
mod random;
mod replay;
mod server;
mod session;
mod setup;
mod share;
mod show;
mod stage;
mod watch;
mod why;
mod words;

pub use desk::{Answer, Ask, Desk, Refusal, open};
pub use flight::{Build, Flight, Strand};
pub use predicate::{Misread, Predicate, Sight};
pub use server::{Address, serve};
pub use setup::{
    Cell, Claim, Errand, Past, Portrait, Read, Script, Seeker, Setup, Sought, Strip, Test, Violation,
};
pub use stage::{Heard, Position, Stage, Waiting};

#[cfg(test)]
mod tests;

/// What can be shown: every node whose parts threads may share, which is what the checker asks for too.
pub use synod_node::SharedNode as Shown;
