//! A client's TLS: whom it trusts, what it shows, and why a handshake failed.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use super::error::TlsError;
use super::failure::TlsFailure;
use super::pem::{Pem, PemPair, roots};
use super::transport::TlsTransport;
use crate::http::excerpt::excerpt;
use crate::transport::{self, LINGER, TcpTransport, Transport};

/// The authorities that a client trusts for `wss://`, and the certificate it shows; for
/// [`ClientRequest::with_tls`](crate::ClientRequest::with_tls). Features `client` and `tls`. Cheap to clone.
///
/// Without it a client trusts the authorities of the system, which it reads for each connection, and shows no
/// certificate. It speaks TLS 1.2 and 1.3. There is no way to trust everybody: for a server of your own, give the
/// client the certificate of its authority.
///
/// ```no_run
/// use wshub::{ClientRequest, ClientTls};
///
/// let tls = ClientTls::builder().ca_file("our-ca.pem").build()?;
/// let request = ClientRequest::new("wss://device.local:9443/")?.with_tls(&tls);
/// let client = wshub::connect(request)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The guide: [TLS](crate::guide::tls).
#[derive(Clone)]
pub struct ClientTls(Option<Arc<ClientConfig>>);

impl ClientTls {
    /// Of a request that says nothing else: the system's authorities, read for each connection.
    pub(crate) const DEFAULT: Option<ClientTls> = Some(ClientTls(None));

    /// A builder, for authorities of your own and a client certificate.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    /// What one connection needs.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        match &self.0 {
            Some(config) => Ok(config.clone()),
            None => ClientTls::builder().config(),
        }
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// Builds a [`ClientTls`]; made by [`ClientTls::builder`]. Files are read by [`build`](ClientTlsBuilder::build).
///
/// ```
/// use wshub::{ClientTls, TlsError};
///
/// let built = ClientTls::builder().ca_file("no-such-ca.pem").build();
/// assert!(matches!(built, Err(TlsError::Read { .. })));
/// ```
///
/// The guide: [TLS](crate::guide::tls).
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClientTlsBuilder {
    cas: Vec<Pem>,
    certificate: Option<PemPair>,
}

impl ClientTlsBuilder {
    /// Trusts the authorities in this PEM file, and no others. For a server with a self-signed certificate, give that
    /// certificate. May be called for several files. Default: the system's authorities, where OpenSSL finds them
    /// (`SSL_CERT_FILE` and `SSL_CERT_DIR` say where else), or in the keychain of macOS.
    pub fn ca_file(mut self, ca: impl AsRef<Path>) -> Self {
        self.cas.push(Pem::file(ca));
        self
    }

    /// As [`ca_file`](ClientTlsBuilder::ca_file), with what the file holds.
    pub fn ca(mut self, ca: impl Into<Vec<u8>>) -> Self {
        self.cas
            .push(Pem::Bytes("the CA given as bytes", ca.into()));
        self
    }

    /// Shows this certificate, followed by its intermediate ones, to a server that asks for one (mTLS), and proves it
    /// with this key. Default: none is shown.
    pub fn pem_files(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificate = Some(PemPair::files(certificate, key));
        self
    }

    /// As [`pem_files`](ClientTlsBuilder::pem_files), with what the files hold.
    pub fn pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificate = Some(PemPair::bytes(certificate, key));
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// [`TlsError`], which names the file; [`TlsError::NoRoots`] where the system has no authorities.
    pub fn build(self) -> Result<ClientTls, TlsError> {
        Ok(ClientTls(Some(self.config()?)))
    }

    fn config(self) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match self.cas.is_empty() {
            true => system_roots()?,
            false => roots(&self.cas)?,
        };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::unusable("the TLS versions", error))?
            .with_root_certificates(roots);
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let own = SingleCertAndKey::from(pair.certified_key(&provider)?);
                builder.with_client_cert_resolver(Arc::new(own))
            }
        };
        // RFC 7301; what follows is HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Each connection verifies anew: a certificate that has expired since is noticed.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for ClientTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key may be among the sources.
        f.debug_struct("ClientTlsBuilder")
            .field("cas", &self.cas.len())
            .field("certificate", &self.certificate.is_some())
            .finish_non_exhaustive()
    }
}

/// Some of a system's authorities may be unreadable, or of a kind that nobody uses any more.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        false => Ok(roots),
        true => Err(TlsError::NoRoots {
            problem: found
                .errors
                .first()
                .map_or_else(String::new, |error| format!(": {error}")),
        }),
    }
}

/// The TLS handshake over a stream that leads to this host.
pub(crate) fn connect(
    stream: TcpTransport,
    config: Arc<ClientConfig>,
    host: &str,
    deadline: Instant,
) -> Result<Box<dyn Transport>, TlsHandshakeError> {
    let stream: Arc<dyn Transport> = Arc::new(stream);
    match handshake(stream.clone(), config, host, deadline) {
        Ok(transport) => Ok(Box::new(transport)),
        Err(failure) => {
            if matches!(failure, TlsFailure::Tls(_)) {
                // So that the alert that tells the server why it is left arrives.
                transport::linger(&*stream, deadline.min(Instant::now() + LINGER));
            }
            Err(TlsHandshakeError::new(failure, host))
        }
    }
}

fn handshake(
    stream: Arc<dyn Transport>,
    config: Arc<ClientConfig>,
    host: &str,
    deadline: Instant,
) -> Result<TlsTransport, TlsFailure> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|error| TlsFailure::Tls(rustls::Error::General(error.to_string())))?;
    let transport = TlsTransport::client(stream, config, name).map_err(TlsFailure::Tls)?;
    transport.handshake(deadline)?;
    Ok(transport)
}

/// Why the TLS handshake with a server failed. Its text says what to do. Features `client` and `tls`.
///
/// ```
/// use wshub::{ClientError, TlsHandshakeError};
///
/// fn remedy(error: &ClientError) -> String {
///     match error {
///         ClientError::Tls(TlsHandshakeError::WrongHost { names, .. }) => format!("connect to one of {names:?}"),
///         ClientError::Tls(TlsHandshakeError::UnknownIssuer) => "give its ca.pem to ClientTls".to_string(),
///         other => other.to_string(),
///     }
/// }
/// ```
///
/// The guide: [TLS](crate::guide::tls).
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsHandshakeError {
    /// The certificate is for other names than the URL's. Remedy: the right name in the URL, or a certificate for it.
    WrongHost {
        /// The URL's host.
        host: String,
        /// Names that the certificate is for, at most 8, escaped and cut short. None where it has no subjectAltName:
        /// the common name does not count.
        names: Vec<String>,
    },
    /// The certificate has expired. Remedy: renew it; or this machine's clock is wrong.
    Expired,
    /// The certificate is not valid yet. Remedy: set this machine's clock.
    NotValidYet,
    /// No authority that is trusted has signed the certificate; it may have signed itself. Remedy:
    /// [`ClientTlsBuilder::ca_file`], or let the server send its intermediate certificates, too.
    UnknownIssuer,
    /// The server shows the certificate of an authority as its own (RFC 5280 4.2.1.9), which
    /// `openssl req -x509` makes if it is not told otherwise. Remedy: one with `CA:FALSE`.
    Authority,
    /// The certificate cannot be used for another reason, which the text names. Remedy: another certificate.
    Certificate(String),
    /// The server speaks no TLS on this port. Remedy: another port, or `ws://`.
    PlainText,
    /// The handshake failed otherwise, or the server ended it: the port may not speak TLS, or the server may want a
    /// client certificate ([`ClientTlsBuilder::pem_files`]).
    Failed(String),
    /// The server did not answer within the [TLS timeout](crate::ClientRequest::with_tls_timeout). Remedy: check that
    /// the port is one for TLS.
    Timeout,
    /// The server closed the stream before the handshake was complete. Remedy: check that the port is one for TLS.
    Left,
    /// The stream failed.
    Io(io::Error),
}

/// What the server says after the handshake, where `error` is that: with TLS 1.3 it looks at a client's certificate
/// only there. Otherwise that error.
pub(crate) fn behind_handshake(error: io::Error) -> Result<TlsHandshakeError, io::Error> {
    let tls = error.get_ref().and_then(|it| it.downcast_ref());
    match tls {
        Some(alert @ rustls::Error::AlertReceived(_)) => {
            Ok(TlsHandshakeError::Failed(alert.to_string()))
        }
        _ => Err(error),
    }
}

impl TlsHandshakeError {
    fn new(error: TlsFailure, host: &str) -> Self {
        match error {
            TlsFailure::PlainText(_) => Self::PlainText,
            TlsFailure::Tls(rustls::Error::InvalidCertificate(problem)) => {
                Self::certificate(&problem, host)
            }
            TlsFailure::Tls(error) => Self::Failed(error.to_string()),
            TlsFailure::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut => Self::Timeout,
                io::ErrorKind::UnexpectedEof => Self::Left,
                // A message that is longer than any may be.
                io::ErrorKind::InvalidData => Self::Failed(error.to_string()),
                _ => Self::Io(error),
            },
        }
    }

    fn certificate(problem: &CertificateError, host: &str) -> Self {
        const MAX_NAMES: usize = 8;
        match problem {
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names = presented.iter().take(MAX_NAMES);
                Self::WrongHost {
                    host: host.to_owned(),
                    names: names.map(|name| excerpt(name.as_bytes())).collect(),
                }
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotValidYet
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            // webpki's own error is not public here.
            CertificateError::Other(other)
                if format!("{other:?}").contains("CaUsedAsEndEntity") =>
            {
                Self::Authority
            }
            other => Self::Certificate(other.to_string()),
        }
    }
}

impl fmt::Display for TlsHandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongHost { host, names } if names.is_empty() => {
                let kind = host.parse::<IpAddr>().map_or("DNS", |_| "IP");
                write!(
                    f,
                    "the server's certificate is for no host at all, and so not for \"{host}\"; give the server one \
                     that names it (openssl req -x509 -addext subjectAltName={kind}:{host})"
                )
            }
            Self::WrongHost { host, names } => write!(
                f,
                "the server's certificate is not for \"{host}\" but for: {}; use that name in the \
                 URL, or give the server a certificate for this one",
                names.join(", ")
            ),
            Self::Expired => f.write_str(
                "the server's certificate has expired; renew it, or set this machine's clock",
            ),
            Self::NotValidYet => {
                f.write_str("the server's certificate is not valid yet; set this machine's clock")
            }
            Self::UnknownIssuer => f.write_str(
                "nobody who is trusted has signed the server's certificate; if it is your own \
                 server, give the client its CA, or the certificate itself, with \
                 ClientTls::builder().ca_file(…); otherwise the server does not send its \
                 intermediate certificates, or is not who it claims to be",
            ),
            Self::Authority => f.write_str(
                "the server shows the certificate of an authority as its own; make it one with \
                 CA:FALSE (openssl req -x509 -addext basicConstraints=CA:FALSE)",
            ),
            Self::Certificate(problem) => {
                write!(
                    f,
                    "the server's certificate cannot be used: {problem}; give it another one"
                )
            }
            Self::PlainText => {
                f.write_str("the server speaks no TLS on this port; use ws://, or its TLS port")
            }
            Self::Failed(problem) => write!(
                f,
                "the TLS handshake failed: {problem}; check that the port speaks TLS (otherwise use \
                 ws://), and whether the server wants a client certificate"
            ),
            Self::Timeout => f.write_str(
                "the server did not answer the TLS handshake in time; check that the port is one \
                 for TLS",
            ),
            Self::Left => f.write_str(
                "the server closed the connection in the TLS handshake; check that the port is \
                 one for TLS",
            ),
            Self::Io(error) => write!(f, "the TLS handshake failed: {error}"),
        }
    }
}

impl std::error::Error for TlsHandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
