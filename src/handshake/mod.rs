//! The opening handshake (RFC 6455 4, RFC 9110, RFC 9112), sans-I/O: bytes in, bytes out.
//!
//! A server feeds what it read to `request::HeadScanner` until that gives the length of the head,
//! parses the head once with `Request::parse`, asks `negotiate` whether it may answer, and writes the
//! bytes that `response` or `Refusal::encode` hand it. A client writes what `client` hands it and has
//! `answer` scan, parse and check what comes back.

pub(crate) mod answer;
pub(crate) mod authority;
#[cfg(feature = "client")]
pub(crate) mod client;
pub(crate) mod date;
#[cfg(feature = "deflate")]
pub(crate) mod deflate;
pub(crate) mod negotiate;
mod origin;
pub(crate) mod pattern;
#[cfg(feature = "client")]
mod proxy;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod rules;
mod secret;
pub(crate) mod subprotocol;
#[cfg(test)]
mod tests;
#[cfg(feature = "client")]
mod url;

#[cfg(feature = "client")]
pub use answer::InvalidAnswer;
#[cfg(feature = "client")]
pub use client::ClientRequest;
#[cfg(feature = "client")]
pub use proxy::Proxy;
pub use refusal::Refusal;
pub use request::{Request, Version};
pub use response::{Accept, InvalidHeader, InvalidStatus, Reject, Response};
pub use secret::secret_matches;
#[cfg(feature = "client")]
pub use url::InvalidUrl;

/// Whether `text` is a token, the alphabet of methods, header names and subprotocols (RFC 9110 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// The first line of a head without its CRLF, and what follows it.
fn split_line(head: &[u8]) -> (&[u8], &[u8]) {
    let end = head.iter().position(|&byte| byte == b'\r');
    let (line, rest) = head.split_at(end.unwrap_or(head.len()));
    (line, rest.strip_prefix(b"\r\n").unwrap_or(rest))
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
