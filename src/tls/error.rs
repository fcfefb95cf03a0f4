//! What is wrong with certificates and keys.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why certificates or keys cannot be used. Its `Display` names the file and says what to do.
///
/// ```
/// use wshub::{Tls, TlsError};
///
/// match Tls::from_pem_files("no-such-cert.pem", "no-such-key.pem") {
///     Err(TlsError::Read { file, error }) => println!("{}: {error}", file.display()),
///     other => panic!("{other:?}"),
/// }
/// ```
///
/// The guide: [TLS](crate::guide::tls).
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read. Remedy: its path, or its permissions: Let's Encrypt's keys are for root only.
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
    /// There is no private key in it. Remedy: PEM text that begins with `-----BEGIN PRIVATE KEY-----`, not encrypted.
    NoKey {
        /// The file.
        from: String,
        /// There is one, encrypted with a passphrase.
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
    /// No certificate was given to the builder. Remedy: `pem_files` or `pem`.
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
