//! The headers of an answer, checked where they are set.

use core::fmt;

use super::excerpt::excerpt;
use super::token::is_token;

/// Headers that say where a message ends or what the connection becomes: the server writes them itself.
const FRAMING_HEADERS: [&str; 8] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
];
const WEBSOCKET_PREFIX: &str = "sec-websocket-";

/// A header that cannot be sent, with the reason.
///
/// Checked where the header is set, so text of a peer that an application passes on can never start a second header or
/// a second response (CWE-113, RFC 9110 5.5).
///
/// ```
/// use wshub::{InvalidHeader, Response};
///
/// let error = Response::ok().with_header("X-Name", "a\r\nSet-Cookie: b=c").unwrap_err();
/// assert!(matches!(error, InvalidHeader::Value { .. }));
/// ```
///
/// The guide: [security](crate::guide::security).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidHeader {
    /// The name is not a token: letters, digits and ``!#$%&'*+-.^_`|~``.
    Name {
        /// The name, escaped and cut short.
        name: String,
    },
    /// The value holds something else than printable ASCII, space and tab. Percent-encode it, or leave it out.
    Value {
        /// The name of the header; the value may be secret and is not kept.
        name: String,
    },
    /// wshub writes this header itself: it frames the message or is part of the handshake.
    Reserved {
        /// The name, escaped and cut short.
        name: String,
    },
    /// A subprotocol's name is not a token.
    Subprotocol {
        /// The name, escaped and cut short.
        name: String,
    },
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "header name \"{name}\" is not a token (RFC 9110 5.6.2); use letters, \
                 digits and `-`"
            ),
            Self::Value { name } => write!(
                f,
                "the value of header \"{name}\" holds a control or non-ASCII character \
                 (RFC 9110 5.5); percent-encode it"
            ),
            Self::Reserved { name } => write!(
                f,
                "header \"{name}\" frames the message or belongs to the handshake; leave it \
                 out, wshub writes it"
            ),
            Self::Subprotocol { name } => write!(
                f,
                "subprotocol \"{name}\" is not a token (RFC 6455 4.1); use letters, digits, \
                 `-` and `.`"
            ),
        }
    }
}

impl core::error::Error for InvalidHeader {}

/// Headers that were checked. `Debug` prints their names only: a value may be a cookie.
#[derive(Clone, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        check_header(name, value)?;
        self.replace(name, value);
        Ok(())
    }

    pub(crate) fn replace(&mut self, name: &str, value: &str) {
        // RFC 6265 3: cookies cannot share a line, nor replace each other.
        if !name.eq_ignore_ascii_case("set-cookie") {
            self.0
                .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        }
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            push_header(bytes, name, value);
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

pub(crate) fn push_header(bytes: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
}

/// Whether a subprotocol can be sent (RFC 6455 4.1).
pub(crate) fn check_subprotocol(name: &str) -> Result<(), InvalidHeader> {
    match is_token(name.as_bytes()) {
        true => Ok(()),
        false => Err(InvalidHeader::Subprotocol {
            name: excerpt(name.as_bytes()),
        }),
    }
}

fn check_header(name: &str, value: &str) -> Result<(), InvalidHeader> {
    let lower = name.to_ascii_lowercase();
    let shown = || excerpt(name.as_bytes());
    // RFC 9110 5.1: a name is a token.
    if !is_token(name.as_bytes()) {
        return Err(InvalidHeader::Name { name: shown() });
    }
    if FRAMING_HEADERS.contains(&lower.as_str()) || lower.starts_with(WEBSOCKET_PREFIX) {
        return Err(InvalidHeader::Reserved { name: shown() });
    }
    // RFC 9110 5.5: no CR, LF, NUL or other control character, and only ASCII where we send.
    let is_sent = |byte| matches!(byte, b'\t' | 0x20..=0x7e);
    match value.bytes().all(is_sent) {
        true => Ok(()),
        false => Err(InvalidHeader::Value { name: shown() }),
    }
}
