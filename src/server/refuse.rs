//! How a client is refused: it is counted, told why where it can read that, and the log says what to set.

use std::io::IoSlice;

use super::admission::{Seat, Stage};
use super::http::{AnswerWriter, TrailingBytes};
use super::hub::Hub;
use super::listen::ListenerSettings;
use crate::clock;
use crate::http::refusal::RefusedRequest;
use crate::http::{Peer, Refusal};
use crate::logging::Line;
use crate::tls;
use crate::transport::{How, Transport, answer_refusal};

/// Refuses a request, or what came in place of one, on its own thread.
pub(crate) fn request(
    hub: &Hub,
    seat: &Seat,
    transport: &dyn Transport,
    peer: Peer,
    refused: &RefusedRequest,
) {
    hub.counters.refuse(refused.refusal.reason());
    let write = |answer: &[u8]| {
        let written = AnswerWriter::new(&hub.options.limits, seat, transport).write(answer);
        seat.enter(Stage::Parting);
        written
    };
    answer_refusal(transport, refused, write, || {
        log(hub, &refused.refusal, peer);
    });
    transport.shutdown(How::Both);
}

/// Refuses before the TLS handshake, if there is to be one: then the peer cannot read an answer.
pub(crate) fn before_tls(
    hub: &Hub,
    seat: &Seat,
    transport: &dyn Transport,
    peer: Peer,
    settings: &ListenerSettings,
    refusal: Refusal,
) {
    if settings.tls.is_none() {
        return request(hub, seat, transport, peer, &refusal.into());
    }
    hub.counters.refuse(refusal.reason());
    log(hub, &refusal, peer);
    transport.shutdown(How::Both);
}

/// Refuses a client whose TLS handshake has failed.
pub(crate) fn in_tls(hub: &Hub, below: &dyn Transport, peer: Peer, refused: &RefusedRequest) {
    hub.counters.refuse(refused.refusal.reason());
    tls::dismiss(below, refused, || log(hub, &refused.refusal, peer));
}

/// Refuses a new stream, of which nothing was read, without waiting.
pub(crate) fn unread(
    hub: &Hub,
    transport: &dyn Transport,
    settings: &ListenerSettings,
    refusal: Refusal,
) {
    if settings.tls.is_none() {
        return at_once(hub, transport, &refusal.into());
    }
    hub.counters.refuse(refusal.reason());
    transport.shutdown(How::Both);
}

/// Refuses without waiting, from a thread that others depend on.
pub(crate) fn at_once(hub: &Hub, transport: &dyn Transport, refused: &RefusedRequest) {
    let RefusedRequest { refusal, head_only } = refused;
    hub.counters.refuse(refusal.reason());
    let answer = refusal.encode(*head_only, clock::date());
    let _ = transport.try_write(&[IoSlice::new(&answer)]);
    // Where a request is there and unread, the end is a reset, which may overtake the answer (RFC 9112 9.6). A stream
    // of the user's own may not know how to read without waiting.
    if transport.never_calls_back() {
        transport.shutdown(How::Write);
        TrailingBytes::default().read_away(transport);
    }
    transport.shutdown(How::Both);
}

/// The line that says why a client was refused, and what to set.
pub(crate) fn line(hub: &Hub, refusal: &Refusal, peer: Peer) -> Option<Line> {
    let text = || format!("refused {peer}: {refusal}");
    hub.limited_log.line(refusal.reason(), text)
}

fn log(hub: &Hub, refusal: &Refusal, peer: Peer) {
    if let Some(line) = line(hub, refusal, peer) {
        line.write();
    }
}

#[cfg(test)]
mod tests;
