//! After the end of a connection: the closing handshake leaves (RFC 6455 section 7), then the stream ends. Each step
//! exists twice: for a thread that may wait, and for the leader, which may not.

use std::sync::Arc;

use super::lingering::LingeringClose;
use crate::connection::end::{End, StillToSend};
use crate::connection::{CloseEvent, Connection};
use crate::error::Error;
use crate::limits::Limits;
use crate::outbox::{Failure, Outbox};
use crate::patience::Patience;
use crate::transport::Transport;

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
        self.wait_until_sent(|outbox, patience, failure| outbox.waiter().drained(patience, failure))
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
        outbox.is_settled().then(|| !outbox.is_cut())
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
        // The server closes first (RFC 6455 section 7.1.1), also where a handler is still at work.
        self.transport.shutdown(stream_end.how());
        Concluded {
            error,
            close,
            lingering: LingeringClose::new(self.transport.clone(), stream_end),
        }
    }
}
