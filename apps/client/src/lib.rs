//! A blocking client of Synod whose commands run exactly once, whatever happens to connections and nodes meanwhile.
//!
//! ```no_run
//! use synod_client::{Client, Options};
//!
//! let nodes = ["127.0.0.1:7001".parse().unwrap(), "127.0.0.1:7002".parse().unwrap()];
//! let mut client = Client::connect(&nodes, Options::default())?;
//! client.set(b"greeting", b"hello")?;
//! assert_eq!(client.incr(b"visits")?, 1);
//! # Ok::<(), synod_client::Error>(())
//! ```
//!
//! A client of a replicated store that gets no answer does not know whether its command ran: the connection may have
//! broken before the command arrived, or after it was done. Sending it again may run it twice, leaving it may run it
//! never. This client puts `ONCE <client> <sequence>` in front of each command: the group remembers the answer under
//! that name and gives the same one again. So [`Client::execute`] repeats until it has an answer: at each node in turn,
//! with pauses that grow and are jittered, until [`Options::patience`] ends.
//!
//! # What holds
//! * A command runs at most once; if `execute` returns an answer, exactly once.
//! * [`Error::DidNotHappen`] and [`Error::Refused`] say that the command had no effect and never will;
//!   [`Error::MayHaveHappened`] is the one case in which nobody knows.
//! * A number whose end is not known is settled before the next command: it is sent again with a harmless read in the
//!   place of the command. Either the group knows the number, or the read takes it; the lost command can then not run
//!   any more, so nothing that comes late is ever mixed up with what comes after.
//! * One command is under way at a time. Several clients are several sessions.
//!
//! # What is left out
//! Pipelining, transactions (`MULTI` keeps its queue in one connection), TLS, and routing: every node passes commands
//! on to the one that leads.

mod client;
mod connection;
mod error;
mod options;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use connection::{Connection, Transport};
pub use error::Error;
pub use options::Options;
pub use synod_resp::Reply;
