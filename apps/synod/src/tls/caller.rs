//! How `synod`'s own commands come to a node's doors.

use super::{certificates_of, key_of, provider, roots_of};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
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
#[derive(Clone)]
pub struct Caller {
    config: Option<Arc<ClientConfig>>,
}

/// A connection, sealed or plain.
pub trait Speak: Read + Write {}
impl<T: Read + Write> Speak for T {}

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
    pub fn connect(&self, address: SocketAddr, patience: Duration) -> io::Result<Box<dyn Speak>> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let Some(config) = &self.config else { return Ok(Box::new(stream)) };
        let connection = ClientConnection::new(Arc::clone(config), ServerName::from(address.ip()));
        Ok(Box::new(StreamOwned::new(connection.map_err(io::Error::other)?, stream)))
    }
}
