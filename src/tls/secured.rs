//! The step before the opening handshake, over TLS: a stream that a request may be read from, or a client to part from.

use std::sync::Arc;

use crate::http::Refusal;
use crate::http::refusal::RefusedRequest;
use crate::patience::Patience;
use crate::transport::{self, How, LINGER, Transport};

/// A stream from which a request may be read, and the certificates that its client has shown.
pub(crate) struct Secured {
    pub transport: Arc<dyn Transport>,
    pub client_certificates: Box<[Vec<u8>]>,
}

/// Parts from a client that is refused before a request could be read. Only one without TLS can read an answer.
pub(crate) fn dismiss(below: &dyn Transport, refused: &RefusedRequest, log: impl FnOnce()) {
    match refused.refusal {
        Refusal::PlainOnTlsPort | Refusal::UntrustedProxy { .. } => {
            let patience = Patience::new(below.now(), LINGER);
            let write = |answer: &[u8]| transport::write_all(below, answer, patience);
            transport::answer_refusal(below, refused, write, log);
        }
        Refusal::TlsHandshake { .. } => {
            below.shutdown(How::Write);
            log();
            // So that no reset overtakes the alert.
            transport::read_away(below, below.now() + LINGER);
        }
        _ => {
            below.shutdown(How::Both);
            log();
        }
    }
    below.shutdown(How::Both);
}
