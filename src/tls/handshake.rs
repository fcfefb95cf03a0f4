//! A server's TLS handshake, and why a client is refused in it.

use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError};

use super::failure::{PlainText, TlsFailure};
use super::secured::Secured;
use super::server::Tls;
use super::transport::TlsTransport;
use crate::http::refusal::RefusedRequest;
use crate::http::{Peer, Refusal};
use crate::patience::Patience;
use crate::transport::Transport;

impl Tls {
    /// The handshake on the connection's thread. `lost`: why the client is refused where its stream failed or ended.
    ///
    /// Kept out of its caller: a TLS session is made on the stack, and the pages that takes would stay
    /// with each connection, those without TLS too.
    #[inline(never)]
    pub(crate) fn secure(
        &self,
        below: &Arc<dyn Transport>,
        patience: &mut Patience,
        lost: impl FnOnce() -> Refusal,
    ) -> Result<Secured, RefusedRequest> {
        let transport = self
            .handshake(below, patience)
            .map_err(|failure| refusal(failure, below.peer()).unwrap_or_else(|_| lost().into()))?;
        Ok(Secured {
            client_certificates: transport.peer_certificates(),
            transport: Arc::new(transport),
        })
    }

    pub(crate) fn handshake(
        &self,
        below: &Arc<dyn Transport>,
        patience: &mut Patience,
    ) -> Result<TlsTransport, TlsFailure> {
        let transport =
            TlsTransport::server(below.clone(), self.config()).map_err(TlsFailure::Tls)?;
        while let Err(failure) = transport.handshake(patience.deadline()) {
            let timed_out = matches!(&failure, TlsFailure::Io(error) if error.kind() == io::ErrorKind::TimedOut);
            if !timed_out || !patience.renew(below.now()) {
                return Err(failure);
            }
        }
        Ok(transport)
    }
}

/// Why a server refuses a client; where the stream failed, or ended, that error.
pub(crate) fn refusal(error: TlsFailure, peer: Peer) -> Result<RefusedRequest, io::Error> {
    let refusal = match error {
        TlsFailure::PlainText(PlainText::ProxyHeader) => Refusal::UntrustedProxy {
            peer: peer.to_entry(),
        },
        TlsFailure::PlainText(PlainText::Request { asks_for_head }) => {
            return Ok(RefusedRequest {
                refusal: Refusal::PlainOnTlsPort,
                head_only: asks_for_head,
            });
        }
        TlsFailure::Tls(error) => Refusal::TlsHandshake {
            problem: explain(&error),
        },
        TlsFailure::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => Refusal::Timeout,
            // A message that is longer than any may be.
            io::ErrorKind::InvalidData => Refusal::TlsHandshake {
                problem: error.to_string(),
            },
            _ => return Err(error),
        },
    };
    Ok(refusal.into())
}

/// Why a TLS handshake failed, and what to do, for the log.
fn explain(error: &rustls::Error) -> String {
    let remedy = match error {
        rustls::Error::AlertReceived(alert) => remedy_for(*alert),
        rustls::Error::NoCertificatesPresented => {
            "give the client a certificate that the client CA has signed"
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the client CA has not signed the client's certificate; add its CA to the server's builder"
        }
        rustls::Error::InvalidCertificate(_) => "give the client another certificate",
        rustls::Error::PeerIncompatible(_) => {
            "client and server have no TLS version or cipher in common; update the client, or look at min_version"
        }
        rustls::Error::NoApplicationProtocol => {
            "the client wants another protocol than http/1.1 (ALPN)"
        }
        rustls::Error::InvalidMessage(_) => "what the client sent is not TLS",
        _ => return error.to_string(),
    };
    format!("{error}; {remedy}")
}

fn remedy_for(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown => {
            "the client does not trust this server's certificate, or it is for another name; give the client your CA, or the server a certificate that it trusts, intermediate ones included"
        }
        AlertDescription::CertificateExpired => {
            "the client finds this server's certificate expired; renew it, or set the client's clock"
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            "client and server have no TLS version or cipher in common; update the client, or look at min_version"
        }
        _ => "the client gave up",
    }
}
