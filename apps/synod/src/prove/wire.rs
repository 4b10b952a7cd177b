//! A connection to a node as a client has it: it fails without a panic, and waits for no answer for ever.

use crate::tls::Caller;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use synod_client::Connection;
use synod_resp::{Reply, write_request};

/// A connection to one node. It is of no more use once an answer is lost.
#[derive(Debug)]
pub struct Wire {
    connection: Connection,
    patience: Duration,
}

impl Wire {
    /// A connection that waits at most `patience` for each answer; `None` if nobody listens.
    pub fn open(address: SocketAddr, patience: Duration) -> Option<Wire> {
        Wire::open_by(&Caller::PLAIN, address, patience)
    }

    /// As [`open`](Wire::open), with TLS if `caller` has it.
    pub fn open_by(caller: &Caller, address: SocketAddr, patience: Duration) -> Option<Wire> {
        let transport = caller.connect(address, patience).ok()?;
        Some(Wire { connection: Connection::over(transport), patience })
    }

    /// The answer, or `None` if it is lost.
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Option<Reply> {
        self.send(words)?;
        self.receive()
    }

    /// Sends one command.
    pub fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Option<()> {
        let mut request = Vec::new();
        write_request(&mut request, words);
        self.send_bytes(&request)
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.connection.send(bytes, self.patience).ok()
    }

    /// The next answer, or `None` if it is lost.
    pub fn receive(&mut self) -> Option<Reply> {
        self.connection.receive(Instant::now() + self.patience).ok()
    }
}
