//! The parts of the `synod` program, so that its tests can use them too.
//!
//! * [`server`]: the front door for Redis clients, over any [`Backend`](server::Backend).
//! * [`bench`]: the load generator.
//! * [`config`]: one node's configuration.
//! * [`cli`]: the command line.

pub mod bench;
pub mod cli;
pub mod config;
pub mod server;
