//! `synod bench`: load for any server that speaks the Redis protocol, from one thread with little work of its own.
//!
//! Each connection keeps a window of requests under way: every answer makes room for one more. The latency of a
//! request is the time from its write to the read that brought its answer. The generator prints the processor time
//! that it took itself for each operation, so that one sees how much of a shared machine was its own.

mod load;
mod report;
mod socket;
mod steps;
mod workload;

pub use report::{Report, print_json, print_table};
pub use steps::{Course, Second, Step, run as run_steps};
pub use workload::Workload;

use crate::tls::Caller;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers; connections are spread over them.
    pub addresses: Vec<SocketAddr>,
    /// How many connections.
    pub clients: usize,
    /// How many requests a connection keeps under way.
    pub pipeline: usize,
    /// When a test ends.
    pub extent: Extent,
    /// How long values are, in bytes.
    pub value_bytes: usize,
    /// How many different keys there are.
    pub keys: u64,
    /// Whether the keys are set before a test that reads them.
    pub fills: bool,
    /// What connections authenticate with.
    pub password: Option<Vec<u8>>,
    /// How connections speak TLS, if they do.
    pub caller: Caller,
    /// Whether to show progress on the terminal.
    pub shows_progress: bool,
}

/// When a test ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// After so many requests.
    Requests(u64),
    /// After this time.
    Time(Duration),
}

/// Why there is no measurement.
#[derive(Debug)]
pub enum Error {
    /// The server cannot be reached, or went away.
    Connection(SocketAddr, std::io::Error),
    /// The server closed a connection.
    Closed(SocketAddr),
    /// What it answers is not the protocol.
    Protocol(SocketAddr, synod_resp::ProtocolError),
    /// It refused what the test cannot do without; its words.
    Refused(SocketAddr, String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connection(address, error) => write!(f, "{address}: {error}; is a server running there?"),
            Error::Closed(address) => write!(f, "{address} closed a connection; its log may say why"),
            Error::Protocol(address, error) => write!(f, "{address}: {error}"),
            Error::Refused(address, words) => write!(f, "{address} answered: {words}"),
        }
    }
}

impl std::error::Error for Error {}

/// Runs one test.
///
/// # Errors
/// If the servers cannot be reached or do not speak the protocol. Errors that they answer are counted instead.
pub fn run(options: &Options, workload: Workload) -> Result<Report, Error> {
    if options.fills && workload.reads() {
        let quiet = Options { shows_progress: false, pipeline: 64, ..options.clone() };
        let fill = Options { extent: Extent::Requests(options.keys), ..quiet };
        load::run(&fill, Workload::Fill)?;
    }
    load::run(options, workload)
}
