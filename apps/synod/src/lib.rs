//! The parts of the `synod` program, so that its tests can use them too.
//!
//! * [`server`]: the front door for Redis clients, over any [`Backend`](server::Backend).
//! * [`mod@bench`]: the load generator.
//! * [`config`]: one node's configuration.
//! * [`node`]: one node: members of groups, gateway, doors.
//! * [`administer`]: groups that join and leave, slots that move.
//! * [`up`]: a whole cluster on this machine.
//! * [`key`]: a key that the nodes have in common.
//! * [`disk`]: a node's data directory while it is down.
//! * [`status`]: what the nodes say of themselves.
//! * [`demo`]: a protocol at work on this machine.
//! * [`prove`]: the guarantee, shown on this machine.
//! * [`fuzz`]: bytes and messages that no correct process sends.
//! * [`modules`]: the modules' scenarios and recorded histories.
//! * [`debug`]: the visual debugger.
//! * [`cli`]: the command line.

pub mod administer;
pub mod bench;
pub mod cli;
pub mod config;
pub mod debug;
pub mod demo;
pub mod disk;
mod flights;
pub mod fuzz;
pub mod interrupt;
pub mod key;
pub mod modules;
pub mod node;
pub mod prove;
mod search;
pub mod server;
pub mod status;
pub mod tls;
pub mod up;
mod watched;
mod words;
