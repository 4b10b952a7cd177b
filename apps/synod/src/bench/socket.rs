//! A connection's socket, which may speak TLS.

use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::net::TcpStream as Blocking;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

/// A socket that waits for nothing.
pub(super) enum Socket {
    Plain(TcpStream),
    Sealed(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Socket {
    /// A socket that went on with `tls`, if that is there, and from now on waits for nothing.
    pub(super) fn of(stream: Blocking, tls: Option<ClientConnection>) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(match tls {
            None => Socket::Plain(stream),
            Some(tls) => Socket::Sealed(Box::new(StreamOwned::new(tls, stream))),
        })
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        match self {
            Socket::Plain(stream) => stream,
            Socket::Sealed(sealed) => &mut sealed.sock,
        }
    }

    /// Whether a read that fills less than it may has taken everything that came.
    pub(super) fn is_emptied_by_a_short_read(&self) -> bool {
        matches!(self, Socket::Plain(_))
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(stream) => stream.read(into),
            Socket::Sealed(sealed) => sealed.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(stream) => stream.write(bytes),
            Socket::Sealed(sealed) => sealed.write(bytes),
        }
    }

    /// Writes what TLS has taken and the system has not.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(_) => Ok(()),
            Socket::Sealed(sealed) => sealed.flush(),
        }
    }
}
