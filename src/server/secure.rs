//! The step before the opening handshake: TLS, where the server speaks it.

#[cfg(feature = "tls")]
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::hub::Hub;
#[cfg(feature = "tls")]
use super::opening;
use crate::http::refusal::Refused;
use crate::http::{Refusal, Request};
use crate::patience::Patience;
#[cfg(feature = "tls")]
use crate::tls::{Tls, refusal};
use crate::transport::{self, How, LINGER, Transport};
#[cfg(feature = "tls")]
use crate::transport::{HandshakeError, TlsTransport};

/// A stream that a request may be read from, and who is known to be at its other end.
pub(super) struct Secured {
    pub transport: Arc<dyn Transport>,
    #[cfg(feature = "tls")]
    client_certificates: Box<[Vec<u8>]>,
}

impl Secured {
    fn as_it_came(transport: &Arc<dyn Transport>) -> Self {
        Secured {
            transport: transport.clone(),
            #[cfg(feature = "tls")]
            client_certificates: Box::default(),
        }
    }

    /// The request with what TLS says of its client.
    #[cfg(feature = "tls")]
    pub fn identify(&mut self, request: Request) -> Request {
        request.with_client_certificates(std::mem::take(&mut self.client_certificates))
    }

    #[cfg(not(feature = "tls"))]
    pub fn identify(&mut self, request: Request) -> Request {
        request
    }
}

#[cfg(not(feature = "tls"))]
pub(super) fn secure(
    _: &Hub,
    _: u64,
    below: &Arc<dyn Transport>,
    _: &mut Patience,
) -> Result<Secured, Refused> {
    Ok(Secured::as_it_came(below))
}

/// The TLS handshake, if there is to be one, on the connection's thread.
#[cfg(feature = "tls")]
pub(super) fn secure(
    hub: &Hub,
    id: u64,
    below: &Arc<dyn Transport>,
    patience: &mut Patience,
) -> Result<Secured, Refused> {
    let Some(tls) = &hub.tls else {
        return Ok(Secured::as_it_came(below));
    };
    handshake(tls, below, patience)
        .map_err(|error| refusal(error).unwrap_or_else(|_| opening::ended(hub, id).into()))
}

/// Parts from a client that is refused before a request could be read. Only one without TLS can read
/// an answer.
pub(crate) fn dismiss(below: &dyn Transport, refused: &Refused, log: impl FnOnce()) {
    match refused.refusal {
        Refusal::PlainOnTlsPort => transport::answer_refusal(below, refused, log),
        Refusal::TlsHandshake { .. } => {
            below.shutdown(How::Write);
            log();
            // So that no reset overtakes the alert.
            transport::read_away(below, Instant::now() + LINGER);
        }
        _ => {
            below.shutdown(How::Both);
            log();
        }
    }
    below.shutdown(How::Both);
}

/// Kept out of its callers: a TLS session is made on the stack, and the pages that takes would stay
/// with each connection, those without TLS too.
#[cfg(feature = "tls")]
#[inline(never)]
fn handshake(
    tls: &Tls,
    below: &Arc<dyn Transport>,
    patience: &mut Patience,
) -> Result<Secured, HandshakeError> {
    let transport =
        TlsTransport::server(below.clone(), tls.config()).map_err(HandshakeError::Tls)?;
    while let Err(error) = transport.handshake(patience.deadline()) {
        let timed_out =
            matches!(&error, HandshakeError::Io(error) if error.kind() == io::ErrorKind::TimedOut);
        if !timed_out || !patience.renew() {
            return Err(error);
        }
    }
    Ok(Secured {
        client_certificates: transport.peer_certificates(),
        transport: Arc::new(transport),
    })
}
