//! The Redis serialisation protocol, versions 2 and 3, for servers and for clients: a pure crate, bytes in and values
//! out. It opens no socket and reads no clock.
//!
//! * [`RequestParser`] finds commands in the bytes that a client sent. It never copies an argument (a command is a list
//!   of ranges of the connection's buffer), never looks at a byte twice while it waits for more, and never allocates
//!   by a length that was only announced. What breaks the protocol is a [`ProtocolError`], with the text that a stock
//!   server answers.
//! * [`Reply`] is what a server answers; [`Reply::write`] gives it the form of the connection's [`Protocol`].
//! * [`ReplyParser`] and [`write_request`] are the client's half; [`ReplyScanner`] counts replies without building them.
//! * [`parse_integer`] and [`write_integer`] are the decimal numbers of the protocol: one form for each number.
//!
//! # Where this is stricter than a stock server
//! The two bytes after a bulk must be CRLF: a length that is wrong does not shift every later frame. A multibulk count
//! below -1 is an error. A bulk over this server's own limit is skipped and answered with an error, and the connection
//! goes on. Bytes that can only be a TLS greeting or an HTTP request are recognised.
//!
//! # What is left out
//! Streamed strings and aggregates of version 3 (`$?`, `*?`), which no server sends unasked.
//!
//! The protocol is described at <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

mod client;
#[cfg(test)]
mod client_tests;
mod error;
mod inline;
mod number;
mod reply;
#[cfg(test)]
mod reply_tests;
mod request;
#[cfg(test)]
mod request_tests;
mod scanner;

pub use client::{ReplyParser, write_request, write_request_header, write_request_part};
pub use error::ProtocolError;
pub use inline::split_quoted;
pub use number::{parse_integer, write_integer};
pub use reply::{Float, Protocol, Reply};
pub use request::{Args, Limits, Oversized, Parsed, RequestParser};
pub use scanner::{ReplyScanner, Scanned};
