//! Dice choose: a seeded simulation of nodes, network, disks and clocks in virtual time. A pure crate.
//!
//! A [`Simulator`] drives a [`World`](synod_world::World): it keeps a queue of what is due when, picks latencies,
//! losses and delays from streams of one seed, and lets the world do the rest. One thread, integers, no clock: **the
//! same seed gives the same run, byte for byte, on every machine**, and [`Simulator::digest`] says so in 64 bits.
//!
//! # What goes wrong in here
//! Messages are lost, duplicated, late and out of order, per link, sender, receiver or everywhere ([`Network`]); links
//! are cut, also one way; nodes crash and lose what was not durable, restart, lose their disks, pause as a long
//! garbage collection would; disks are slow; each node's clock runs at its own rate; wall clocks jump. All of it can change while the
//! simulation runs.
//!
//! # Who watches
//! [`Workload`]s ask on behalf of clients; [`Oracle`]s see every request, every answer and every step, and may object.
//! A handler that panics, an invariant that is false, an oracle that objects: each ends the run with a [`Failure`]
//! that names the seed and shows the last events.
//!
//! Left out: CPU time (a handler takes none) and bandwidth.

mod failure;
mod network;
mod oracle;
mod simulator;
mod workload;

pub use failure::Failure;
pub use network::{Network, Scope};
pub use oracle::Oracle;
pub use simulator::{Options, Simulator, TellClock, WALL_BEGIN_MS};
pub use workload::{Ask, Fixed, Workload};

#[cfg(test)]
mod tests;
