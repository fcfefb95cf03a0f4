//! TLS in one room: what a server and a client of it set, the transport over another one, and a stream of the user's
//! own over that. Without the feature `tls` its absence stands here: nothing of it is ever made.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod ciphertext;
#[cfg(all(feature = "client", feature = "tls"))]
mod client;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod failure;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(feature = "tls")]
mod pem;
mod secured;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod stream;
#[cfg(feature = "tls")]
mod transport;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::Tls;
#[cfg(all(feature = "client", not(feature = "tls")))]
pub(crate) use absent::{ClientTls, TlsError, TlsHandshakeError, behind_handshake, connect};
#[cfg(all(feature = "client", feature = "tls"))]
pub use client::{ClientTls, ClientTlsBuilder, TlsHandshakeError};
#[cfg(all(feature = "client", feature = "tls"))]
pub(crate) use client::{behind_handshake, connect};
#[cfg(feature = "tls")]
pub use error::TlsError;
pub(crate) use secured::dismiss;
#[cfg(feature = "tls")]
pub use server::{Tls, TlsBuilder, TlsVersion};
#[cfg(feature = "tls")]
pub use stream::TlsStream;
