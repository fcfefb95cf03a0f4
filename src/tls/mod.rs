//! TLS in one room: what a server and a client of it set, the transport over another one, and a stream of the user's
//! own over that. Without the feature `tls` its absence stands here: nothing of it is ever made.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(feature = "tls")]
pub(crate) mod pem;
mod secured;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod stream;
#[cfg(feature = "tls")]
pub(crate) mod transport;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::Tls;
#[cfg(feature = "tls")]
pub use error::TlsError;
pub(crate) use secured::{Secured, dismiss, secure};
#[cfg(feature = "tls")]
pub use server::{Tls, TlsBuilder, TlsVersion};
#[cfg(feature = "tls")]
pub use stream::TlsStream;
