//! TLS for a server: certificates and keys from PEM, client certificates, and new ones while it runs.

mod stream;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert, ServerConfig,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CertificateError, RootCertStore, SupportedProtocolVersion};

use crate::http::Refusal;
use crate::http::refusal::Refused;
use crate::lock::{CERTIFICATE, Mutex, lock};
use crate::logging::log_line;
use crate::transport;

pub use stream::TlsStream;

/// What a server needs to speak TLS (`wss://`, `https://`): certificates, their keys, and whom it
/// asks for a certificate. For [`ServerBuilder::tls`](crate::ServerBuilder::tls). Feature `tls`.
///
/// ```no_run
/// use wshub::{Server, Tls};
///
/// let tls = Tls::from_pem_files("fullchain.pem", "privkey.pem")?;
/// let server = Server::builder().tls(&tls).bind("0.0.0.0:9443")?;
/// // Later, when the files were renewed. Open connections go on as they are.
/// tls.replace(&Tls::from_pem_files("fullchain.pem", "privkey.pem")?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Clones are handles to one configuration: [`replace`](Tls::replace) on any of them is for all.
#[derive(Clone)]
pub struct Tls(Arc<Mutex<Arc<ServerConfig>, CERTIFICATE>>);

impl Tls {
    /// One certificate with its key: `certificate` is the server's own certificate followed by the
    /// intermediate ones (Let's Encrypt: `fullchain.pem`), `key` its private key, PKCS #8, PKCS #1 or
    /// SEC 1 (`privkey.pem`).
    ///
    /// # Errors
    /// Each names the file: it cannot be read, holds no certificate or key, or the two do not belong
    /// together.
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Tls, TlsError> {
        Tls::builder().pem_files(certificate, key).build()
    }

    /// As [`from_pem_files`](Tls::from_pem_files), with what the files hold.
    ///
    /// # Errors
    /// As [`from_pem_files`](Tls::from_pem_files).
    pub fn from_pem(
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Result<Tls, TlsError> {
        Tls::builder().pem(certificate, key).build()
    }

    /// Several certificates, client certificates, a minimum version.
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// From now on new connections get what `new` holds: its certificates, its rules for clients.
    /// Connections that are open, or in their handshake, go on with what they began with.
    pub fn replace(&self, new: &Tls) {
        let config = new.config();
        *lock(&self.0) = config;
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        lock(&self.0).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A version of TLS, as a [minimum](TlsBuilder::min_version). Older ones are never spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), with forward secrecy and AEAD ciphers only.
    #[default]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

/// Builds a [`Tls`]; made by [`Tls::builder`]. Files are read by [`build`](TlsBuilder::build).
///
/// ```no_run
/// use wshub::{Tls, TlsVersion};
///
/// let tls = Tls::builder()
///     .pem_files("example.com.pem", "example.com.key")
///     .pem_files("example.org.pem", "example.org.key")
///     .client_ca_file("devices-ca.pem")
///     .min_version(TlsVersion::V1_3)
///     .build()?;
/// # Ok::<(), wshub::TlsError>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct TlsBuilder {
    certificates: Vec<(Pem, Pem)>,
    client_cas: Vec<Pem>,
    min_version: TlsVersion,
}

impl TlsBuilder {
    /// A certificate with its key; see [`Tls::from_pem_files`]. Of several, a client gets the first
    /// that is valid for the name it asks for (SNI, RFC 6066 section 3), else the first of all.
    pub fn pem_files(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificate(Pem::file(certificate), Pem::file(key))
    }

    /// As [`pem_files`](TlsBuilder::pem_files), with what the files hold.
    pub fn pem(self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificate(
            Pem::Bytes("the certificate given as bytes", certificate.into()),
            Pem::Bytes("the key given as bytes", key.into()),
        )
    }

    fn certificate(mut self, certificate: Pem, key: Pem) -> Self {
        self.certificates.push((certificate, key));
        self
    }

    /// Every client has to show a certificate that one of this file's certificate authorities signed
    /// (mTLS); others are refused in the TLS handshake, plain requests too. Who it is, the `accept`
    /// hook reads from [`Request::client_certificates`](crate::Request::client_certificates). May be
    /// called for several files. Default: nobody is asked.
    pub fn client_ca_file(mut self, ca: impl AsRef<Path>) -> Self {
        self.client_cas.push(Pem::file(ca));
        self
    }

    /// As [`client_ca_file`](TlsBuilder::client_ca_file), with what the file holds.
    pub fn client_ca(mut self, ca: impl Into<Vec<u8>>) -> Self {
        let ca = Pem::Bytes("the client CA given as bytes", ca.into());
        self.client_cas.push(ca);
        self
    }

    /// The oldest version that is spoken. Default: TLS 1.2, for older devices; every browser of the
    /// last years speaks 1.3.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// Reads and checks everything. A certificate that has expired, or is not valid yet, is a warning
    /// in the log and no error: the clock may be what is wrong.
    ///
    /// # Errors
    /// As [`Tls::from_pem_files`]; also when no certificate was given at all.
    pub fn build(self) -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let keys = self
            .certificates
            .iter()
            .map(|(certificate, key)| certified_key(certificate, key, &provider))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(TlsError::Nothing);
        }
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions(self.min_version))
            .map_err(|error| TlsError::unusable("the TLS versions", error))?;
        let builder = if self.client_cas.is_empty() {
            builder.with_no_client_auth()
        } else {
            let roots = Arc::new(roots(&self.client_cas)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| TlsError::unusable("the client CA", error))?;
            builder.with_client_cert_verifier(verifier)
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName(keys)));
        // RFC 7301: a client that would rather speak HTTP/2 learns that it cannot.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // No session is resumed: each client shows its certificate anew, and nothing follows the
        // handshake. A ticket there meets the first write of clients that read and write on two
        // threads without a lock between them, as Python's ssl does: one in 200 hung under load.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Tls(Arc::new(Mutex::new(Arc::new(config)))))
    }
}

impl fmt::Debug for TlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys may be among the sources.
        f.debug_struct("TlsBuilder")
            .field("certificates", &self.certificates.len())
            .field("client_cas", &self.client_cas.len())
            .field("min_version", &self.min_version)
            .finish_non_exhaustive()
    }
}

fn versions(min: TlsVersion) -> Vec<&'static SupportedProtocolVersion> {
    match min {
        TlsVersion::V1_2 => vec![&TLS13, &TLS12],
        TlsVersion::V1_3 => vec![&TLS13],
    }
}

/// Where PEM text comes from.
#[derive(Clone)]
pub(crate) enum Pem {
    File(PathBuf),
    Bytes(&'static str, Vec<u8>),
}

impl Pem {
    pub(crate) fn file(path: impl AsRef<Path>) -> Pem {
        Pem::File(path.as_ref().to_owned())
    }

    fn name(&self) -> String {
        match self {
            Pem::File(path) => path.display().to_string(),
            Pem::Bytes(name, _) => (*name).to_owned(),
        }
    }

    fn read(&self) -> Result<Vec<u8>, TlsError> {
        match self {
            Pem::Bytes(_, bytes) => Ok(bytes.clone()),
            Pem::File(path) => std::fs::read(path).map_err(|error| TlsError::Read {
                file: path.clone(),
                error,
            }),
        }
    }

    /// The certificates, at least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let bytes = self.read()?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| TlsError::unusable(self.name(), error))?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { from: self.name() });
        }
        Ok(certificates)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let bytes = self.read()?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey {
                from: self.name(),
                encrypted: contains(&bytes, b"ENCRYPTED PRIVATE KEY"),
            },
            error => TlsError::unusable(self.name(), error),
        })
    }
}

fn contains(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|part| part == words)
}

pub(crate) fn certified_key(
    certificate: &Pem,
    key: &Pem,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificate.certificates()?;
    let private = key.key()?;
    if let Some(problem) = problem_with_time(&chain, provider) {
        log_line!(Warn, "{}: {problem}", certificate.name());
    }
    match CertifiedKey::from_der(chain, private, provider) {
        Ok(certified) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::KeyMismatch {
            certificate: certificate.name(),
            key: key.name(),
        }),
        Err(error @ rustls::Error::InvalidCertificate(_)) => {
            Err(TlsError::unusable(certificate.name(), error))
        }
        Err(error) => Err(TlsError::unusable(key.name(), error)),
    }
}

/// Whether a certificate is not valid now, and what to do. It is checked for its time before anything
/// else, so nobody has to have signed it here.
fn problem_with_time(
    chain: &[CertificateDer<'_>],
    provider: &CryptoProvider,
) -> Option<&'static str> {
    let verdict = verify_server_cert_signed_by_trust_anchor(
        &ParsedCertificate::try_from(chain.first()?).ok()?,
        &RootCertStore::empty(),
        &[],
        UnixTime::now(),
        provider.signature_verification_algorithms.all,
    );
    let Err(rustls::Error::InvalidCertificate(problem)) = verdict else {
        return None;
    };
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("this certificate has expired, clients will refuse it; renew it")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some("this certificate is not valid yet; set this machine's clock")
        }
        _ => None,
    }
}

pub(crate) fn roots(cas: &[Pem]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for ca in cas {
        for certificate in ca.certificates()? {
            roots
                .add(certificate)
                .map_err(|error| TlsError::unusable(ca.name(), error))?;
        }
    }
    Ok(roots)
}

/// The certificates of a server, of which a client gets the one for the name it asks for.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(ServerName::try_from);
        let named = match (&name, &self.0[..]) {
            (Some(Ok(name)), [_, _, ..]) => self.0.iter().find(|key| is_for(key, name)),
            _ => None,
        };
        named.or(self.0.first()).cloned()
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    key.end_entity_cert()
        .and_then(ParsedCertificate::try_from)
        .and_then(|certificate| verify_server_name(&certificate, name))
        .is_ok()
}

/// Why certificates or keys cannot be used. Its `Display` names the file and says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read. Remedy: its path, or its permissions: Let's Encrypt's keys are for root
    /// only.
    Read {
        /// Which one.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// There is no certificate in it. Remedy: PEM text that begins with `-----BEGIN CERTIFICATE-----`.
    NoCertificate {
        /// The file.
        from: String,
    },
    /// There is no private key in it. Remedy: PEM text that begins with `-----BEGIN PRIVATE KEY-----`,
    /// not encrypted.
    NoKey {
        /// The file.
        from: String,
        /// There is one, behind a passphrase.
        encrypted: bool,
    },
    /// The key is not the certificate's. Remedy: the pair that was made together; in the certificate's
    /// file, the server's own certificate comes first.
    KeyMismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// It cannot be read as what it should be, or is of a kind that is not supported (keys: RSA of
    /// 2048 bits or more, ECDSA P-256 and P-384, Ed25519).
    Unusable {
        /// The file.
        from: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No certificate was given to the builder.
    Nothing,
    /// A client that was given no authority to trust found none on this system either. Remedy: install
    /// the package `ca-certificates`, or give it one.
    NoRoots {
        /// Why there are none.
        problem: String,
    },
}

impl TlsError {
    pub(crate) fn unusable(from: impl Into<String>, problem: impl fmt::Display) -> TlsError {
        TlsError::Unusable {
            from: from.into(),
            problem: problem.to_string(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Read { file, error } => {
                write!(f, "{}: {error}", file.display())?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; let the server's user read it, or copy it to where it can")
                    }
                    _ => Ok(()),
                }
            }
            TlsError::NoCertificate { from } => write!(
                f,
                "{from}: no certificate in it; give PEM text that begins with -----BEGIN CERTIFICATE-----"
            ),
            TlsError::NoKey {
                from,
                encrypted: true,
            } => write!(
                f,
                "{from}: the key is behind a passphrase; decrypt it: openssl pkey -in {from} -out plain.pem"
            ),
            TlsError::NoKey {
                from,
                encrypted: false,
            } => write!(
                f,
                "{from}: no private key in it; give PEM text that begins with -----BEGIN PRIVATE KEY-----"
            ),
            TlsError::KeyMismatch { certificate, key } => write!(
                f,
                "the key ({key}) is not that of the certificate ({certificate}); give the pair that was made together, the server's own certificate first in its file"
            ),
            TlsError::Unusable { from, problem } => write!(f, "{from}: {problem}"),
            TlsError::Nothing => {
                f.write_str("no certificate: give one to the builder with pem_files or pem")
            }
            TlsError::NoRoots { problem } => write!(
                f,
                "this system has no certificate authorities to trust{problem}; install ca-certificates, or give one with ca_file"
            ),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TlsError::Read { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// So that `?` serves where a server is bound.
impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> io::Error {
        let kind = match &error {
            TlsError::Read { error, .. } => error.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

/// Why a server refuses a client; where the stream failed, or ended, that error.
pub(crate) fn refusal(error: transport::HandshakeError) -> Result<Refused, io::Error> {
    let refusal = match error {
        transport::HandshakeError::PlainText { asks_for_head } => {
            return Ok(Refused {
                refusal: Refusal::PlainOnTlsPort,
                head_only: asks_for_head,
            });
        }
        transport::HandshakeError::Tls(error) => Refusal::TlsHandshake {
            problem: explain(&error),
        },
        transport::HandshakeError::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => Refusal::Timeout,
            // A message that is longer than any may be.
            io::ErrorKind::InvalidData => Refusal::TlsHandshake {
                problem: error.to_string(),
            },
            _ => return Err(error),
        },
    };
    Ok(refusal.into())
}

/// Why a TLS handshake failed, and what to do, for the log.
fn explain(error: &rustls::Error) -> String {
    let remedy = match error {
        rustls::Error::AlertReceived(alert) => remedy_for(*alert),
        rustls::Error::NoCertificatesPresented => {
            "give the client a certificate that the client CA has signed"
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the client CA has not signed the client's certificate; add its CA to the server's builder"
        }
        rustls::Error::InvalidCertificate(_) => "give the client another certificate",
        rustls::Error::PeerIncompatible(_) => {
            "client and server have no TLS version or cipher in common; update the client, or look at min_version"
        }
        rustls::Error::NoApplicationProtocol => {
            "the client wants another protocol than http/1.1 (ALPN)"
        }
        rustls::Error::InvalidMessage(_) => "what the client sent is not TLS",
        _ => return error.to_string(),
    };
    format!("{error}; {remedy}")
}

fn remedy_for(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown => {
            "the client does not trust this server's certificate, or it is for another name; give the client your CA, or the server a certificate that it trusts, intermediate ones included"
        }
        AlertDescription::CertificateExpired => {
            "the client finds this server's certificate expired; renew it, or set the client's clock"
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            "client and server have no TLS version or cipher in common; update the client, or look at min_version"
        }
        _ => "the client gave up",
    }
}

#[cfg(test)]
mod tests;
