//! Why a TLS handshake failed, a peer that speaks no TLS among the reasons.

use std::fmt;
use std::io;

use crate::http::head::asks_for_head;
use crate::http::proxy_protocol;

/// Why a TLS handshake failed.
#[derive(Debug)]
pub(crate) enum TlsFailure {
    /// The peer speaks no TLS.
    PlainText(PlainText),
    Tls(rustls::Error),
    /// The stream below failed or ended, or the deadline passed.
    Io(io::Error),
}

/// What a peer begins with that speaks no TLS.
#[derive(Debug)]
pub(crate) enum PlainText {
    Request {
        /// HEAD, whose answer has no body.
        asks_for_head: bool,
    },
    /// A header of the PROXY protocol, of a peer that is no trusted proxy: those of others were read before.
    ProxyHeader,
}

impl PlainText {
    /// An HTTP method, or an answer, begins with a letter, or with an empty line in front; a TLS record does not.
    pub fn in_front_of(bytes: &[u8]) -> Option<Self> {
        let first = bytes.first()?;
        if proxy_protocol::begins(bytes) {
            return Some(PlainText::ProxyHeader);
        }
        let is_text = *first == b'\r' || first.is_ascii_alphabetic();
        is_text.then(|| PlainText::Request {
            asks_for_head: asks_for_head(bytes),
        })
    }
}

impl From<io::Error> for TlsFailure {
    fn from(error: io::Error) -> Self {
        TlsFailure::Io(error)
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFailure::PlainText(_) => f.write_str("plain text where TLS was expected"),
            TlsFailure::Tls(error) => error.fmt(f),
            TlsFailure::Io(error) => error.fmt(f),
        }
    }
}
