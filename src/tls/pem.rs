//! Certificates and keys from PEM text.

use std::path::{Path, PathBuf};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};

use super::error::TlsError;
use crate::logging::log_line;

/// Where PEM text comes from.
#[derive(Clone)]
pub(crate) enum Pem {
    File(PathBuf),
    Bytes(&'static str, Vec<u8>),
}

impl Pem {
    pub fn file(path: impl AsRef<Path>) -> Pem {
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
            // RFC 1421 4.6.1.1: as older tools write it.
            _ if contains(&bytes, b"Proc-Type: 4,ENCRYPTED") => TlsError::NoKey {
                from: self.name(),
                encrypted: true,
            },
            error => TlsError::unusable(self.name(), error),
        })
    }
}

fn contains(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|part| part == words)
}

/// A certificate, the intermediate ones after it, and its key.
#[derive(Clone)]
pub(crate) struct PemPair {
    certificate: Pem,
    key: Pem,
}

impl PemPair {
    pub fn files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> PemPair {
        PemPair {
            certificate: Pem::file(certificate),
            key: Pem::file(key),
        }
    }

    pub fn bytes(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> PemPair {
        PemPair {
            certificate: Pem::Bytes("the certificate given as bytes", certificate.into()),
            key: Pem::Bytes("the key given as bytes", key.into()),
        }
    }

    /// Reads both; a certificate outside its time is a warning in the log.
    pub fn certified_key(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let PemPair { certificate, key } = self;
        let chain = certificate.certificates()?;
        let private = key.key()?;
        if let Some(problem) = problem_with_time(&chain, provider) {
            log_line!(Warn, "{}: {problem}", certificate.name());
        }
        CertifiedKey::from_der(chain, private, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch {
                certificate: certificate.name(),
                key: key.name(),
            },
            rustls::Error::InvalidCertificate(_) => TlsError::unusable(certificate.name(), error),
            error => TlsError::unusable(key.name(), error),
        })
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

#[cfg(test)]
mod tests;
