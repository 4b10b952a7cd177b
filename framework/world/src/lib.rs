//! A world of nodes: who runs, what is in flight, which timers wait, what is durable. A pure crate.
//!
//! **The world never chooses.** It has no loop and no randomness: a driver names the next [`Event`], [`World::apply`]
//! makes it happen and reports what came of it. So the simulator, the scripts, the checker and the debugger share one
//! idea of what can happen, and one kind of record of what did: a [`Trace`].
//!
//! What may happen is what a real network and a real machine may do: any message in flight may be delivered, dropped
//! or duplicated; any timer may fire, in any order that the ranges allow (the driver sees to that); a node may crash
//! between any two events, losing what was not durable, and restart with the rest, or with an empty disk.
//!
//! A real process writes a [`Recording`], from which the worlds of several processes are put together again.
//!
//! Left out: time (the simulator's), links and partitions (a driver that wants a link cut does not deliver over it).

mod event;
mod film;
mod recording;
mod trace;
mod world;

pub use event::{EnvelopeId, Event, Happening, Misfit, TimerId};
pub use film::{Film, Step};
pub use recording::{Origin, Recordable, Recorded, Recording, did_line, digest_of, recorded_words};
pub use trace::{Header, TRACE_VERSION, Trace, TraceError, TraceEvent, shorten};
pub use world::{Envelope, PendingTimer, Taker, World, Write};

#[cfg(test)]
mod tests;
