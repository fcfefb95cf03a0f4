//! After the end of a connection: the closing handshake leaves (RFC 6455 7), what the peer still sends is read
//! away, and the stream ends. Each step exists twice: for a thread that may wait, and for the leader, which may not.

use std::sync::Arc;

use super::places::{Place, Places};
use crate::connection::end::{End, StillToSend, StreamEnd};
use crate::connection::{CloseEvent, Connection};
use crate::error::Error;
use crate::limits::Limits;
use crate::outbox::{Failure, Outbox};
use crate::patience::Patience;
use crate::transport::{self, How, LINGER, TrailingBytes, Transport};

pub(crate) struct ClosingHandshake<'a> {
    pub connection: &'a Connection,
    pub transport: &'a Arc<dyn Transport>,
    pub limits: &'a Limits,
}

/// What became of a connection.
pub(crate) struct Concluded {
    pub error: Option<Error>,
    pub close: CloseEvent,
    pub lingering: LingeringClose,
}

impl ClosingHandshake<'_> {
    /// Sends what the peer is still to be told, and waits until it has left; true if it has.
    pub fn close(&self, end: &End) -> bool {
        match end.still_to_send() {
            StillToSend::Close(code, reason) => {
                self.wait_until_sent(|outbox, patience, failure| {
                    outbox.waiter().closed(code, &reason, patience, failure)
                })
            }
            StillToSend::Answers => self.wait_until_left(),
            StillToSend::Nothing => false,
        }
    }

    /// After [`begin`](ClosingHandshake::begin): waits until everything has left; true if it has.
    pub fn wait_until_left(&self) -> bool {
        self.wait_until_sent(|outbox, patience, failure| {
            outbox.waiter().wait_until_left(patience, failure)
        })
    }

    fn wait_until_sent(
        &self,
        wait: impl FnOnce(&Arc<Outbox>, Patience, Failure) -> Result<(), Error>,
    ) -> bool {
        let patience = Patience::paced(self.transport.now(), self.limits.closing());
        let outbox = self.connection.outbox();
        // Where it fails the stream is cut.
        let _ = wait(outbox, patience, Failure::CloseTimeout);
        !outbox.is_cut()
    }

    /// As [`close`](ClosingHandshake::close), without waiting. True if something has to leave:
    /// [`has_left`](ClosingHandshake::has_left) says when it has.
    pub fn begin(&self, end: &End) -> bool {
        let outbox = self.connection.outbox();
        match end.still_to_send() {
            // Where a Close was sent before, that one has to leave.
            StillToSend::Close(code, reason) => drop(outbox.close(code, &reason)),
            StillToSend::Answers => outbox.flush(),
            StillToSend::Nothing => return false,
        }
        true
    }

    /// Whether everything has left; `None` while it waits for the peer.
    pub fn has_left(&self) -> Option<bool> {
        let outbox = self.connection.outbox();
        outbox.has_sent_all().then(|| !outbox.is_cut())
    }

    /// After the closing handshake: lets the Outbox go, and ends the stream. `all_left`: everything has left.
    pub fn conclude(&self, end: End, all_left: bool) -> Concluded {
        let stream_end = end.stream_end(all_left);
        let outbox = self.connection.outbox();
        let end = match (outbox.failure(), end) {
            // The application ended it, and that counts before all else.
            (Some(Failure::Terminated), _) => End::Lost,
            // The peer read so slowly meanwhile that it was given up.
            (Some(Failure::SlowConsumer), End::Closed(..) | End::HalfClosed) => {
                End::Failed(Error::SlowConsumer)
            }
            (_, end) => end,
        };
        let (error, close) = end.outcome(all_left);
        outbox.finish();
        // The server closes first (RFC 6455 7.1.1), also where a handler is still at work.
        self.transport.shutdown(stream_end.how());
        Concluded {
            error,
            close,
            lingering: LingeringClose::new(self.transport.clone(), stream_end),
        }
    }
}

/// How the connection ended while the handler had it.
pub(crate) struct Ended {
    pub close: CloseEvent,
    /// `None`: the peer is given up, and its Close is still leaving.
    lingering: Option<LingeringClose>,
}

impl Ended {
    /// Closes, and ends the stream. Does not wait for a peer that is given up and reads nothing: that is left to
    /// [`part`](Ended::part).
    pub fn begin(closing: &ClosingHandshake<'_>, end: End) -> (Option<Error>, Self) {
        let given_up = matches!(end, End::Failed(_));
        let waits = given_up && closing.begin(&end) && closing.has_left().is_none();
        match end {
            End::Failed(error) if waits => {
                let ended = Ended {
                    close: CloseEvent::abnormal(),
                    lingering: None,
                };
                (Some(error), ended)
            }
            end => {
                let all_left = closing.close(&end);
                let concluded = closing.conclude(end, all_left);
                let ended = Ended {
                    close: concluded.close,
                    lingering: Some(concluded.lingering),
                };
                (concluded.error, ended)
            }
        }
    }

    /// If the peer is given up and its Close is still leaving, waits for that; then the stream ends.
    pub fn part(self, closing: &ClosingHandshake<'_>) -> (CloseEvent, LingeringClose) {
        let lingering = self.lingering.unwrap_or_else(|| {
            let all_left = closing.wait_until_left();
            closing.conclude(End::Reported, all_left).lingering
        });
        (self.close, lingering)
    }
}

/// A stream whose connection has ended, and whose peer may still read our last bytes: what it sends is read away first,
/// so that no reset overtakes them.
pub(crate) struct LingeringClose {
    transport: Arc<dyn Transport>,
    stream_end: StreamEnd,
    place: Option<Place>,
    trailing: TrailingBytes,
}

impl LingeringClose {
    pub fn new(transport: Arc<dyn Transport>, stream_end: StreamEnd) -> Self {
        LingeringClose {
            transport,
            stream_end,
            place: None,
            trailing: TrailingBytes::default(),
        }
    }

    /// Reads away what the peer still sends, and ends the stream; at once where so many threads linger that new
    /// connections would miss them.
    pub fn linger(mut self, places: &Arc<Places>) {
        if self.begin(places) {
            transport::linger(&*self.transport, self.transport.now() + LINGER);
        }
        self.end();
    }

    /// As [`linger`](LingeringClose::linger), where no thread waits: true if what comes is to be
    /// [read away](LingeringClose::read_away).
    pub fn begin(&mut self, places: &Arc<Places>) -> bool {
        self.place = match self.stream_end {
            StreamEnd::Linger => places.take(),
            StreamEnd::Cut | StreamEnd::Reset => None,
        };
        self.place.is_some()
    }

    /// Reads away what is there; false if nothing more is to be read.
    pub fn read_away(&mut self) -> bool {
        self.trailing.read_away(&*self.transport)
    }

    /// Lets the stream go.
    pub fn end(self) {
        drop(self.place);
        // A socket whose two directions have ended needs no system call more. A user's stream may wait for its word.
        if !(self.trailing.is_through && self.transport.never_calls_back()) {
            self.transport.shutdown(How::Both);
        }
    }
}

#[cfg(test)]
mod tests;
