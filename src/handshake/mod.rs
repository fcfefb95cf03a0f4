//! The opening handshake (RFC 6455 4), sans-I/O: bytes in, bytes out.
//!
//! A server has `upgrade` ask `negotiate` whether it may answer a request with a 101, and the `accept` hook too, and
//! writes what that hands it. A client writes what `request` hands it and has `answer` scan, parse and check what comes
//! back.

pub(crate) mod accept;
pub(crate) mod answer;
pub(crate) mod data;
pub(crate) mod negotiate;
mod origin;
pub(crate) mod pattern;
#[cfg(feature = "client")]
mod proxy;
#[cfg(feature = "client")]
pub(crate) mod request;
pub(crate) mod rules;
mod secret;
pub(crate) mod subprotocol;
#[cfg(test)]
mod tests;
pub(crate) mod upgrade;
#[cfg(feature = "client")]
mod url;

pub use accept::Accept;
#[cfg(feature = "client")]
pub use answer::InvalidAnswer;
#[cfg(feature = "client")]
pub use proxy::Proxy;
pub use secret::secret_matches;
#[cfg(feature = "client")]
pub use url::InvalidUrl;
