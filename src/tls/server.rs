//! What a server needs to speak TLS: its certificates, whom it asks for one, and new ones while it runs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert, ServerConfig,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use super::error::TlsError;
use super::pem::{Pem, PemPair, roots};
use super::session::BUFFERS;
use crate::lock::{CERTIFICATE, Mutex, lock};

/// What a server needs for TLS (`wss://`, `https://`): certificates, their keys, and rules for client certificates. For
/// [`ServerBuilder::tls`](crate::ServerBuilder::tls). Feature `tls`.
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
/// Clones share one configuration: [`replace`](Tls::replace) on one of them is for all.
///
/// The guide: [TLS](crate::guide::tls).
#[derive(Clone)]
pub struct Tls(Arc<Mutex<Arc<ServerConfig>, CERTIFICATE>>);

impl Tls {
    /// One certificate with its key: `certificate` is the server's own certificate followed by the intermediate ones
    /// (Let's Encrypt: `fullchain.pem`), `key` its private key, PKCS #8, PKCS #1 or SEC 1 (`privkey.pem`).
    ///
    /// # Errors
    /// Each names the file: it cannot be read, holds no certificate or key, or the two do not belong together.
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

    /// A builder, for several certificates, client certificates or a minimum version.
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// From now on new connections get the certificates and rules of `new`. Connections that are open, or in their
    /// handshake, go on as they began.
    pub fn replace(&self, new: &Tls) {
        let config = new.config();
        *lock(&self.0) = config;
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        lock(&self.0).clone()
    }

    /// The most that the buffers of one connection hold.
    pub(crate) fn memory_per_connection(&self) -> usize {
        BUFFERS
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A version of TLS, as a [minimum](TlsBuilder::min_version). Older ones are never spoken.
///
/// ```no_run
/// use wshub::{Tls, TlsVersion};
///
/// let tls = Tls::builder()
///     .pem_files("cert.pem", "key.pem")
///     .min_version(TlsVersion::V1_3)
///     .build()?;
/// # Ok::<(), wshub::TlsError>(())
/// ```
///
/// The guide: [TLS](crate::guide::tls).
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
///
/// The guide: [TLS](crate::guide::tls).
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct TlsBuilder {
    certificates: Vec<PemPair>,
    client_cas: Vec<Pem>,
    is_client_certificate_optional: bool,
    min_version: TlsVersion,
    max_fragment_size: Option<usize>,
}

impl TlsBuilder {
    /// A certificate with its key; see [`Tls::from_pem_files`]. Of several, a client gets the first
    /// that is valid for the name it asks for (SNI, RFC 6066 3), else the first of all.
    pub fn pem_files(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificates.push(PemPair::files(certificate, key));
        self
    }

    /// As [`pem_files`](TlsBuilder::pem_files), with what the files hold.
    pub fn pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(PemPair::bytes(certificate, key));
        self
    }

    /// Every client has to show a certificate that one of this file's certificate authorities signed (mTLS); others are
    /// refused in the TLS handshake, plain requests too, unless a certificate is
    /// [optional](TlsBuilder::optional_client_certificate). The `accept` hook reads the name of the client from
    /// [`Request::client_certificates`](crate::Request::client_certificates). May be called for several files. Default:
    /// clients are not asked.
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

    /// Clients without a certificate get in, too: [`Request::client_certificates`](crate::Request::client_certificates)
    /// is empty for them, and the `accept` and `http` hooks decide what they may. A certificate that no
    /// [`client_ca`](TlsBuilder::client_ca_file) has signed is refused all the same. Default: every client needs one.
    ///
    /// ```no_run
    /// use wshub::{Accept, Reject, Server, Tls};
    ///
    /// let tls = Tls::builder()
    ///     .pem_files("fullchain.pem", "privkey.pem")
    ///     .client_ca_file("devices-ca.pem")
    ///     .optional_client_certificate()
    ///     .build()?;
    /// // Devices show a certificate; people look at a page.
    /// let server = Server::builder()
    ///     .tls(&tls)
    ///     .accept(|request| match (request.path(), request.client_certificates()) {
    ///         ("/device", []) => Err(Reject::forbidden().with_body("show your certificate\n")),
    ///         _ => Ok(Accept::new()),
    ///     })
    ///     .bind("0.0.0.0:9443")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn optional_client_certificate(mut self) -> Self {
        self.is_client_certificate_optional = true;
        self
    }

    /// The most bytes of data in one record that the server writes, from 64 to 16,384: for devices whose TLS library
    /// has a small buffer for what it receives, as mbed TLS with `MBEDTLS_SSL_IN_CONTENT_LEN`. A record has some 30
    /// bytes more, for its header and cipher. It is for every client, as no client is asked for its own size (RFC 6066
    /// 4, RFC 8449), and certificates are cut into such records, too. Default: 16,384.
    ///
    /// It concerns only what the server writes: it takes records of every size.
    ///
    /// ```no_run
    /// let tls = wshub::Tls::builder()
    ///     .pem_files("fullchain.pem", "privkey.pem")
    ///     .max_fragment_size(1024)
    ///     .build()?;
    /// # Ok::<(), wshub::TlsError>(())
    /// ```
    pub fn max_fragment_size(mut self, bytes: usize) -> Self {
        self.max_fragment_size = Some(bytes);
        self
    }

    /// The oldest version that is spoken. Default: TLS 1.2, for older devices; current browsers all speak 1.3.
    pub fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// Reads and checks everything. A certificate that has expired, or is not valid yet, is a warning in the log and no
    /// error: the clock may be wrong.
    ///
    /// # Errors
    /// As [`Tls::from_pem_files`]; also when no certificate was given at all, where a client's certificate is
    /// optional and no client CA was given, and for a [size](TlsBuilder::max_fragment_size) that cannot be.
    pub fn build(self) -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let keys = self
            .certificates
            .iter()
            .map(|pair| pair.certified_key(&provider).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(TlsError::Nothing);
        }
        let max_fragment_size = self.max_fragment_size.map(record_size).transpose()?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions(self.min_version))
            .map_err(|error| TlsError::unusable("the TLS versions", error))?;
        let builder = match self.client_verifier(provider)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName(keys)));
        // RFC 7301: a client that would rather speak HTTP/2 learns that it cannot.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // No session is resumed: each client shows its certificate anew, and nothing follows the
        // handshake. A ticket there meets the first write of clients that read and write on two
        // threads without a lock between them, as Python's ssl does: one in 200 hung under load.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_fragment_size = max_fragment_size;
        Ok(Tls(Arc::new(Mutex::new(Arc::new(config)))))
    }

    /// What judges the certificates of clients, if they are asked for one.
    fn client_verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        if self.client_cas.is_empty() {
            return match self.is_client_certificate_optional {
                false => Ok(None),
                true => Err(TlsError::unusable(
                    "optional_client_certificate",
                    "no client is asked for one; add client_ca_file",
                )),
            };
        }
        let roots = Arc::new(roots(&self.client_cas)?);
        let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        if self.is_client_certificate_optional {
            verifier = verifier.allow_unauthenticated();
        }
        let verifier = verifier
            .build()
            .map_err(|error| TlsError::unusable("the client CA", error))?;
        Ok(Some(verifier))
    }
}

impl fmt::Debug for TlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys may be among the sources.
        f.debug_struct("TlsBuilder")
            .field("certificates", &self.certificates.len())
            .field("client_cas", &self.client_cas.len())
            .field("optional", &self.is_client_certificate_optional)
            .field("min_version", &self.min_version)
            .field("max_fragment_size", &self.max_fragment_size)
            .finish_non_exhaustive()
    }
}

/// As rustls counts it: with the header.
fn record_size(bytes: usize) -> Result<usize, TlsError> {
    const HEADER: usize = 5;
    match bytes {
        64..=16_384 => Ok(bytes + HEADER),
        _ => Err(TlsError::unusable(
            "max_fragment_size",
            format!("{bytes} bytes cannot be; give 64 to 16384"),
        )),
    }
}

fn versions(min: TlsVersion) -> Vec<&'static SupportedProtocolVersion> {
    match min {
        TlsVersion::V1_2 => vec![&TLS13, &TLS12],
        TlsVersion::V1_3 => vec![&TLS13],
    }
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
