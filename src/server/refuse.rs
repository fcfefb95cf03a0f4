//! How a client is refused: it is counted, told why where it can read that, and the log says what to set.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::admission::{Seat, Stage};
use super::http::AnswerWriter;
use super::http::connection::HttpConnection;
use super::limited_log::LimitedLog;
use super::listen::ListenerSettings;
use super::options::Options;
use crate::clock;
use crate::http::refusal::RefusedRequest;
use crate::http::{Peer, Refusal};
use crate::logging::Line;
use crate::stats::Counters;
use crate::tls;
use crate::transport::{How, TrailingBytes, Transport, answer_refusal};

/// Refuses the clients of a server, and counts them.
#[derive(Default)]
pub(crate) struct Refuser {
    options: Arc<Options>,
    counters: Arc<Counters>,
    limited_log: Arc<LimitedLog>,
}

impl Refuser {
    pub fn new(
        options: Arc<Options>,
        counters: Arc<Counters>,
        limited_log: Arc<LimitedLog>,
    ) -> Self {
        Refuser {
            options,
            counters,
            limited_log,
        }
    }

    /// Refuses a request, or what came in place of one, on its own thread.
    pub fn request(&self, seat: &Seat, connection: &HttpConnection, refused: &RefusedRequest) {
        self.counters.refuse(refused.refusal.reason());
        let transport = &*connection.transport;
        let write = |answer: &[u8]| {
            let written = AnswerWriter::new(&self.options.limits, seat, transport).write(answer);
            seat.enter(Stage::Parting);
            written
        };
        answer_refusal(transport, refused, write, || {
            self.log(&refused.refusal, connection.peer);
        });
        transport.shutdown(How::Both);
    }

    /// Refuses before the TLS handshake, if there is to be one: then the peer cannot read an answer.
    pub fn before_tls(&self, seat: &Seat, connection: &HttpConnection, refusal: Refusal) {
        if connection.settings.tls.is_none() {
            return self.request(seat, connection, &refusal.into());
        }
        self.counters.refuse(refusal.reason());
        self.log(&refusal, connection.peer);
        connection.transport.shutdown(How::Both);
    }

    /// Refuses a client whose TLS handshake has failed.
    pub fn in_tls(&self, connection: &HttpConnection, refused: &RefusedRequest) {
        self.counters.refuse(refused.refusal.reason());
        let log = || self.log(&refused.refusal, connection.peer);
        tls::dismiss(&*connection.transport, refused, log);
    }

    /// Refuses a new stream, of which nothing was read, without waiting.
    pub fn unread(&self, transport: &dyn Transport, settings: &ListenerSettings, refusal: Refusal) {
        if settings.tls.is_none() {
            return self.at_once(transport, &refusal.into());
        }
        self.counters.refuse(refusal.reason());
        transport.shutdown(How::Both);
    }

    /// Refuses without waiting, from a thread that others depend on.
    pub fn at_once(&self, transport: &dyn Transport, refused: &RefusedRequest) {
        let RefusedRequest { refusal, head_only } = refused;
        self.counters.refuse(refusal.reason());
        let answer = refusal.encode(*head_only, clock::date());
        let _ = transport.try_write(&[IoSlice::new(&answer)]);
        // Where a request is there and unread, the end is a reset, which may overtake the answer (RFC 9112 9.6). A
        // stream of the user's own may not know how to read without waiting.
        if transport.never_calls_back() {
            transport.shutdown(How::Write);
            TrailingBytes::default().read_away(transport);
        }
        transport.shutdown(How::Both);
    }

    /// The line that says why a client was refused, and what to set.
    pub fn line(&self, refusal: &Refusal, peer: Peer) -> Option<Line> {
        let text = || format!("refused {peer}: {refusal}");
        self.limited_log.line(refusal.reason(), text)
    }

    /// Counts a peer that did not take its answer; the line for the log.
    pub fn not_taken(&self, error: &io::Error, peer: Peer) -> Option<Line> {
        self.counters.refuse("answer");
        let text = || format!("{peer} did not take its answer: {error}");
        self.limited_log.line("answer", text)
    }

    fn log(&self, refusal: &Refusal, peer: Peer) {
        if let Some(line) = self.line(refusal, peer) {
            line.write();
        }
    }
}

#[cfg(test)]
mod tests;
