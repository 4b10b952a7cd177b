//! One connection: a request out, its answer in. Whoever gets an error drops it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use synod_resp::{Reply, ReplyParser, write_request};

/// How much is read at a time.
const PIECE_BYTES: usize = 16 << 10;

/// The stream under a connection: a socket, or a layer above one, such as TLS.
pub trait Transport: Read + Write + Send + fmt::Debug {
    /// From now on a read ends with an error after this time.
    ///
    /// # Errors
    /// If the time is zero, or the system refuses it.
    fn set_read_timeout(&self, time: Duration) -> io::Result<()>;

    /// From now on a write ends with an error after this time.
    ///
    /// # Errors
    /// If the time is zero, or the system refuses it.
    fn set_write_timeout(&self, time: Duration) -> io::Result<()>;
}

impl Transport for TcpStream {
    fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        TcpStream::set_read_timeout(self, Some(time))
    }

    fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        TcpStream::set_write_timeout(self, Some(time))
    }
}

/// A connection to one node, which asks once and waits: what [`Client`](crate::Client) is made of. It is of no more use once an
/// answer is lost.
#[derive(Debug)]
pub struct Connection {
    transport: Box<dyn Transport>,
    parser: ReplyParser,
    input: Vec<u8>,
}

impl Connection {
    /// A connection to the node at `address`.
    ///
    /// # Errors
    /// If nobody accepts it `within` this time.
    pub fn open(address: SocketAddr, within: Duration) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, within)?;
        stream.set_nodelay(true)?;
        Ok(Connection::over(Box::new(stream)))
    }

    /// A connection over something that is open already.
    pub fn over(transport: Box<dyn Transport>) -> Connection {
        Connection { transport, parser: ReplyParser::default(), input: Vec::new() }
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask(&mut self, words: &[&[u8]], within: Duration) -> io::Result<Reply> {
        let deadline = Instant::now() + within;
        let mut request = Vec::new();
        write_request(&mut request, words);
        self.send(&request, within)?;
        self.receive(deadline)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the connection breaks, or takes nothing for as long as `within`.
    pub fn send(&mut self, bytes: &[u8], within: Duration) -> io::Result<()> {
        self.transport.set_write_timeout(within)?;
        self.transport.write_all(bytes)
    }

    /// The next answer.
    ///
    /// # Errors
    /// If the connection breaks, what comes is no answer, or none is whole at the `deadline`.
    pub fn receive(&mut self, deadline: Instant) -> io::Result<Reply> {
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
            self.transport.set_read_timeout(left)?;
            match self.transport.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.input.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
