//! How `synod`'s own commands come to a node's doors.

use super::{certificates_of, key_of, provider, roots_of};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use synod_client::Transport;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How to speak TLS to nodes, as options of a command.
#[derive(Clone, PartialEq, Eq, Debug, Default, clap::Args)]
pub struct TlsOptions {
    /// The certificate of the authority that signed the nodes' certificates: speaks TLS.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// The certificate to show, where nodes want one.
    #[arg(long, value_name = "FILE", requires = "tls_ca", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Opens connections to nodes, with TLS if it was asked for.
#[derive(Clone, Debug)]
pub struct Caller {
    config: Option<Arc<ClientConfig>>,
}

/// A connection that speaks TLS.
#[derive(Debug)]
struct Sealed(StreamOwned<ClientConnection, TcpStream>);

impl Read for Sealed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Transport for Sealed {
    fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        self.0.sock.set_read_timeout(Some(time))
    }

    fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        self.0.sock.set_write_timeout(Some(time))
    }
}

impl Caller {
    /// Without TLS.
    pub const PLAIN: Caller = Caller { config: None };

    /// As the options say.
    ///
    /// # Errors
    /// Says which file is wrong.
    pub fn of(options: &TlsOptions) -> Result<Caller, String> {
        let Some(authority) = &options.tls_ca else { return Ok(Caller::PLAIN) };
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = builder.with_root_certificates(roots_of(authority, "--tls-ca")?);
        let config = match (&options.tls_cert, &options.tls_key) {
            (Some(cert), Some(key)) => {
                let chain = certificates_of(cert, "--tls-cert")?;
                let key = key_of(key, "--tls-key")?;
                builder.with_client_auth_cert(chain, key).map_err(|error| format!("--tls-cert: {error}"))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Caller { config: Some(Arc::new(config)) })
    }

    /// A connection to `address`, which waits for nothing longer than `patience`.
    ///
    /// # Errors
    /// It is not reached. That its certificate is wrong shows in the first read or write.
    pub fn connect(&self, address: SocketAddr, patience: Duration) -> io::Result<Box<dyn Transport>> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(match self.tls(address)? {
            None => Box::new(stream),
            Some(tls) => Box::new(Sealed(StreamOwned::new(tls, stream))),
        })
    }

    /// The TLS of a connection to `address` that is about to begin; `None` if it is a plain one.
    ///
    /// # Errors
    /// The configuration does not go together.
    pub fn tls(&self, address: SocketAddr) -> io::Result<Option<ClientConnection>> {
        let begin = |config| ClientConnection::new(Arc::clone(config), ServerName::from(address.ip()));
        self.config.as_ref().map(begin).transpose().map_err(io::Error::other)
    }
}
