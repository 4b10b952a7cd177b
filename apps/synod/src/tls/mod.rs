//! TLS for clients and operators: the table `[tls]` of a node's file.
//!
//! Both doors stay at their addresses and speak TLS there. A client shows by its first byte whether it does: so
//! `allows_plain` lets clients change over one by one, without another port that each of them, and every redirection,
//! would have to know. The files are read again when they change, while connections go on. What nodes say to each other is
//! sealed otherwise: see the peers' key in `config.rs`.

mod caller;
mod certificates;
mod stream;

pub use caller::{Caller, TlsOptions};
pub use certificates::make;
pub use stream::Stream;

use crate::watched::follow;
use serde::Deserialize;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A client that takes longer to begin is given up.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// So many clients may begin at a time; others wait for their turn.
const HANDSHAKES_MAX: usize = 64;
/// The first byte of everything that speaks TLS: a record of the handshake.
const HANDSHAKE_RECORD: u8 = 0x16;

/// The files by which a node shows clients and operators who it is.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The node's certificate, and those between it and the authority's, as PEM.
    pub cert_file: PathBuf,
    /// The key of its certificate, as PEM.
    pub key_file: PathBuf,
    /// The authority's certificates, as PEM. Clients and operators must show one that it signed, if this is set.
    pub client_ca_file: Option<PathBuf>,
    /// Whether clients and operators may also come without TLS.
    #[serde(default)]
    pub allows_plain: bool,
}

impl Files {
    /// Reads the files.
    ///
    /// # Errors
    /// Says which file is wrong, and what to do.
    pub fn load(&self) -> Result<Arc<ServerConfig>, String> {
        let chain = certificates_of(&self.cert_file, "tls.cert_file")?;
        let key = key_of(&self.key_file, "tls.key_file")?;
        let builder = ServerConfig::builder_with_provider(provider());
        let builder =
            builder.with_safe_default_protocol_versions().map_err(|error| format!("tls: {error}"))?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(roots_of(path, "tls.client_ca_file")?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
                builder.with_client_cert_verifier(
                    verifier.map_err(|error| format!("tls.client_ca_file: {error}"))?,
                )
            }
        };
        let config = builder.with_single_cert(chain, key).map_err(|error| {
            let (cert, key) = (self.cert_file.display(), self.key_file.display());
            format!("tls: {cert} and {key} do not go together: {error}; give the certificate and its own key")
        })?;
        Ok(Arc::new(config))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates in the file at `path`, which the configuration calls `name`.
fn certificates_of(path: &Path, name: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(format!("{name}: {}: it holds no certificate; give one as PEM", path.display())),
        Err(error) => Err(format!(
            "{name}: {}: {error}; give certificates as PEM, readable for this user",
            path.display()
        )),
    }
}

/// The private key in the file at `path`, which the configuration calls `name`.
fn key_of(path: &Path, name: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        let place = path.display();
        format!("{name}: {place}: {error}; give the certificate's private key as PEM, readable for this user")
    })
}

/// The authority in the file at `path`.
fn roots_of(path: &Path, name: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(path, name)? {
        roots.add(certificate).map_err(|error| format!("{name}: {}: {error}", path.display()))?;
    }
    Ok(roots)
}

/// Lets clients and operators in, with TLS where the node's file says so.
#[derive(Clone)]
pub struct Door {
    sealed: Option<Rc<Sealed>>,
}

struct Sealed {
    files: Files,
    acceptor: RefCell<TlsAcceptor>,
    beginning: Semaphore,
}

impl Door {
    /// A door without TLS.
    pub const PLAIN: Door = Door { sealed: None };

    /// The door that `files` describe; without any, a plain one.
    ///
    /// # Errors
    /// Says which file is wrong, and what to do.
    pub fn open(files: Option<&Files>) -> Result<Door, String> {
        let sealed = files.map(|files| {
            let acceptor = RefCell::new(TlsAcceptor::from(files.load()?));
            let beginning = Semaphore::new(HANDSHAKES_MAX);
            Ok::<_, String>(Rc::new(Sealed { files: files.clone(), acceptor, beginning }))
        });
        Ok(Door { sealed: sealed.transpose()? })
    }

    /// Lets in whoever came by `stream`, if it speaks as it must.
    ///
    /// # Errors
    /// It does not, shows no certificate where it must, or takes too long.
    pub async fn admit(&self, mut stream: TcpStream) -> io::Result<Stream> {
        let Some(sealed) = &self.sealed else { return Ok(Stream::Plain(stream)) };
        let mut first = [0];
        let begins = stream.peek(&mut first);
        let come = if sealed.files.allows_plain {
            // A pool opens connections long before it uses them.
            begins.await?
        } else {
            timeout(HANDSHAKE_MAX, begins).await??
        };
        if come == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first[0] == HANDSHAKE_RECORD {
            let _turn = sealed.beginning.acquire().await;
            let acceptor = sealed.acceptor.borrow().clone();
            let stream = timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await??;
            return Ok(Stream::Sealed(Box::new(stream)));
        }
        if sealed.files.allows_plain {
            return Ok(Stream::Plain(stream));
        }
        let refusal = b"-ERR this server speaks TLS here; connect with TLS (redis-cli --tls)\r\n";
        stream.write_all(refusal).await?;
        // A socket that closes with unread bytes would take the answer away from the client.
        let _ = stream.try_read(&mut [0; 4096]);
        stream.shutdown().await?;
        Err(io::Error::other("it does not speak TLS"))
    }

    /// Reads the files again whenever they change, until the process ends. Wrong ones do not count.
    pub async fn watch(self) {
        let Some(sealed) = self.sealed else { return };
        let Files { cert_file, key_file, client_ca_file, .. } = sealed.files.clone();
        let files = [cert_file, key_file].into_iter().chain(client_ca_file).collect();
        let take = |config| *sealed.acceptor.borrow_mut() = TlsAcceptor::from(config);
        follow(files, || sealed.files.load(), take).await;
    }
}
