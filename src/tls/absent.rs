//! Without the feature `tls`: types of which no value is ever made.

use std::sync::Arc;

use super::secured::Secured;
use crate::http::Refusal;
use crate::http::refusal::RefusedRequest;
use crate::patience::Patience;
use crate::transport::Transport;

#[cfg(feature = "client")]
pub(crate) use client::{ClientTls, TlsError, TlsHandshakeError, behind_handshake, connect};

#[derive(Clone)]
pub(crate) enum Tls {}

impl Tls {
    pub fn secure(
        &self,
        _: &Arc<dyn Transport>,
        _: &mut Patience,
        _: impl FnOnce() -> Refusal,
    ) -> Result<Secured, RefusedRequest> {
        match *self {}
    }

    pub fn memory_per_connection(&self) -> usize {
        match *self {}
    }
}

#[cfg(feature = "client")]
mod client {
    use std::convert::Infallible;
    use std::io;
    use std::time::Instant;

    use crate::transport::{TcpTransport, Transport};

    pub(crate) type TlsError = Infallible;
    pub(crate) type TlsHandshakeError = Infallible;

    #[derive(Clone)]
    pub(crate) enum ClientTls {}

    impl ClientTls {
        pub const DEFAULT: Option<ClientTls> = None;

        pub fn config(&self) -> Result<Config, TlsError> {
            match *self {}
        }
    }

    pub(crate) struct Config(Infallible);

    pub(crate) fn connect(
        _: TcpTransport,
        config: Config,
        _: &str,
        _: Instant,
    ) -> Result<Box<dyn Transport>, TlsHandshakeError> {
        match config.0 {}
    }

    pub(crate) fn behind_handshake(error: io::Error) -> Result<TlsHandshakeError, io::Error> {
        Err(error)
    }
}
