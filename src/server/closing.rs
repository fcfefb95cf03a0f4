//! Behind the end of a connection: the closing handshake leaves (RFC 6455 section 7), then the stream parts. Each step
//! for a thread that may wait, and for the leader, which may not.

use std::sync::Arc;

use super::lingering::LingeringClose;
use crate::connection::end::{End, Farewell};
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
    /// Sends what is still to be said, and waits until it has left; true if it has.
    pub fn close(&self, end: &End) -> bool {
        match end.farewell() {
            Farewell::Close(code, reason) => self.wait_for_farewell(|outbox, patience, failure| {
                outbox.waiter().closed(code, &reason, patience, failure)
            }),
            Farewell::Answers => self.wait_until_told(),
            Farewell::Nothing => false,
        }
    }

    /// Behind [`begin`](ClosingHandshake::begin): waits until everything has left; true if it has.
    pub fn wait_until_told(&self) -> bool {
        self.wait_for_farewell(|outbox, patience, failure| {
            outbox.waiter().drained(patience, failure)
        })
    }

    fn wait_for_farewell(
        &self,
        wait: impl FnOnce(&Arc<Outbox>, Patience, Failure) -> Result<(), Error>,
    ) -> bool {
        let patience = Patience::paced(self.transport.now(), self.limits.closing());
        let outbox = self.connection.outbox();
        // Where it fails the stream is cut.
        let _ = wait(outbox, patience, Failure::CloseTimeout);
        !outbox.is_cut()
    }

    /// As [`close`](ClosingHandshake::close), without waiting: true if there is something to leave, which
    /// [`is_told`](ClosingHandshake::is_told) follows.
    pub fn begin(&self, end: &End) -> bool {
        let outbox = self.connection.outbox();
        match end.farewell() {
            // Where a Close was sent before, that one has to leave.
            Farewell::Close(code, reason) => drop(outbox.close(code, &reason)),
            Farewell::Answers => outbox.flush(),
            Farewell::Nothing => return false,
        }
        true
    }

    /// Whether everything has left; `None` while it waits for the peer.
    pub fn is_told(&self) -> Option<bool> {
        let outbox = self.connection.outbox();
        outbox.is_settled().then(|| !outbox.is_cut())
    }

    /// Behind the closing handshake: lets the Outbox go, and ends the stream. `told`: everything has left.
    pub fn conclude(&self, end: End, told: bool) -> Concluded {
        let parting = end.parting(told);
        let outbox = self.connection.outbox();
        let end = match (outbox.failure(), end) {
            // The application has ended it, whatever else came.
            (Some(Failure::Terminated), _) => End::Lost,
            // The peer read so slowly meanwhile that it was given up.
            (Some(Failure::SlowConsumer), End::Closed(..) | End::HalfClosed) => {
                End::Failed(Error::SlowConsumer)
            }
            (_, end) => end,
        };
        let (error, close) = end.outcome(told);
        outbox.finish();
        // The server closes first (RFC 6455 section 7.1.1), also where a handler is still at work.
        self.transport.shutdown(parting.how());
        Concluded {
            error,
            close,
            lingering: LingeringClose::new(self.transport.clone(), parting),
        }
    }
}
