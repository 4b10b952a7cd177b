//! A connection to a node as a client has it: it fails without a panic, and waits for no answer for ever.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use synod_resp::{Reply, ReplyParser, write_request};

/// How many bytes are read at a time.
const PIECE_BYTES: usize = 16 << 10;

/// A connection to one node. It is of no more use once an answer is lost.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    parser: ReplyParser,
    input: Vec<u8>,
    patience: Duration,
}

impl Wire {
    /// A connection that waits at most `patience` for each answer; `None` if nobody listens.
    pub fn open(address: SocketAddr, patience: Duration) -> Option<Wire> {
        let stream = TcpStream::connect_timeout(&address, patience).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_write_timeout(Some(patience)).ok()?;
        Some(Wire { stream, parser: ReplyParser::default(), input: Vec::new(), patience })
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
        self.stream.write_all(bytes).ok()
    }

    /// The next answer, or `None` if it is lost.
    pub fn receive(&mut self) -> Option<Reply> {
        self.read_reply().ok()
    }

    fn read_reply(&mut self) -> io::Result<Reply> {
        let deadline = Instant::now() + self.patience;
        let mut piece = [0; PIECE_BYTES];
        loop {
            let parsed = self.parser.advance(&self.input);
            let parsed = parsed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Some(reply) = parsed {
                self.parser.release_from(&mut self.input);
                return Ok(reply);
            }
            // A time-out of zero would wait for ever.
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.input.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
