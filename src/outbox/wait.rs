//! Senders that wait until what they sent has left: handlers, and a connection's own thread at its
//! end. They drain by themselves, and nobody is called meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Outbox;
use super::broadcast::Collector;
use super::outbound::Outbound;
use super::queue::Failure;
use super::ready_state::ReadyState;
use super::send::Collect;
use super::state::State;
use crate::error::{Error, SendError};
use crate::lock::Guard;
use crate::message::Message;
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::transport::{self, Transport};

impl Outbox {
    /// Sends a message and waits until the socket has taken it and all before it.
    pub fn send_blocking(
        self: &Arc<Self>,
        message: Message,
        compress: bool,
    ) -> Result<(), SendError> {
        let message = self.pack(message, compress);
        self.send_and_wait(self.enter(), message)
    }

    /// As [`send_blocking`](Outbox::send_blocking), from a thread that has more to do and flushes
    /// `collector` itself: waits only behind what the socket refused.
    pub fn send_collected(
        self: &Arc<Self>,
        message: Message,
        compress: bool,
        collector: &Arc<Collector>,
    ) -> Result<(), SendError> {
        let message = self.pack(message, compress);
        let mut state = self.enter();
        if !state.queue.kept.is_empty() {
            return self.send_and_wait(state, message);
        }
        let sent = state.send(message, Collect::For(collector), true);
        self.finish_send(state, sent)
    }

    fn send_and_wait(
        self: &Arc<Self>,
        mut state: Guard<'_, State>,
        message: Outbound,
    ) -> Result<(), SendError> {
        let sent = state.send(message, Collect::Never, true).map(drop);
        if sent.is_err() || state.queue.kept.is_empty() {
            self.watch(state);
            return sent;
        }
        let patience = Patience::paced(Instant::now(), self.pace);
        // A failure of the wait shows at the next call: this message was taken.
        let _ = self.wait_for_kept(state, patience, Failure::SlowConsumer);
        sent
    }

    /// Offers everything and waits until all that is kept now has left; past the deadline the
    /// connection is given up as `failure` says.
    pub fn wait_drained(
        self: &Arc<Self>,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut state = self.enter();
        let (link, queue) = state.parts().ok_or(Error::Closed)?;
        queue.flush(link);
        if let Some(outcome) = queue.outcome(queue.kept.last()) {
            self.watch(state);
            return outcome;
        }
        self.wait_for_kept(state, patience, failure)
    }

    /// Starts or answers the closing handshake and waits until that has left. For the connection's
    /// own thread, which lets go of the Outbox next: nobody is called for the Close,
    /// which would cost two wake-ups for nothing.
    pub fn close_blocking(
        self: &Arc<Self>,
        code: Option<CloseCode>,
        reason: &str,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut state = self.enter();
        let (link, queue) = state.parts().ok_or(Error::Closed)?;
        queue.begin_close(link, code, reason);
        queue.watch.attend();
        self.set_ready(ReadyState::Closing);
        let last = queue.kept.last();
        state.note_trouble();
        drop(state);
        self.drain_until(last, patience, failure)
    }

    /// True if nothing of what was sent waits any more.
    pub fn is_settled(&self) -> bool {
        let mut state = self.enter();
        let queue = state.parts().map(|(_, queue)| queue);
        queue.is_none_or(|queue| queue.outcome(queue.kept.last()).is_some())
    }

    /// Waits until all that is kept now has left; nobody is called meanwhile.
    fn wait_for_kept(
        self: &Arc<Self>,
        mut state: Guard<'_, State>,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        state.queue.watch.attend();
        let last = state.queue.kept.last();
        drop(state);
        let drained = self.drain_until(last, patience, failure);
        let mut state = self.enter();
        state.queue.watch.unattend();
        // fault: a sender that waited leaves the rest to nobody
        self.watch(state);
        drained
    }

    /// Drains on this thread until the frame `last` has left. Frames that others send meanwhile are
    /// not waited for. What leaves is progress, whichever thread writes it.
    fn drain_until(
        &self,
        last: u64,
        mut patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut seen = None;
        loop {
            let (transport, left) = match self.drain(last, patience.deadline()) {
                Drained::Done(outcome) => return outcome,
                Drained::Waits { transport, left } => (transport, left),
            };
            let written = left - seen.replace(left).unwrap_or(left);
            let written = usize::try_from(written).unwrap_or(usize::MAX);
            if let Err(error) = transport::wait_for_room(&*transport, &mut patience, written) {
                return Err(self.give_up_waiting(error, failure));
            }
        }
    }

    /// Writes what the socket takes of what is kept. Where another thread does that now, waits until it has, at most
    /// until `deadline`.
    fn drain(&self, last: u64, deadline: Instant) -> Drained {
        let mut state = self.write_kept(self.wait_for_turn(deadline));
        let Some((link, queue)) = state.parts() else {
            return Drained::Done(Err(Error::Closed));
        };
        match queue.outcome(last) {
            Some(outcome) => Drained::Done(outcome),
            None => Drained::Waits {
                transport: link.transport.clone(),
                left: queue.kept.left(),
            },
        }
    }

    /// The wait failed with `error`: gives the connection up, for `failure` if that was the deadline.
    fn give_up_waiting(&self, error: io::Error, failure: Failure) -> Error {
        let mut state = self.enter();
        let Some((link, queue)) = state.parts() else {
            return Error::Closed;
        };
        let (failure, told) = match error.kind() {
            io::ErrorKind::TimedOut => (failure, Error::SlowConsumer),
            _ => (Failure::Lost, Error::Io(error)),
        };
        queue.give_up(link, failure);
        self.let_go(state);
        told
    }
}

enum Drained {
    /// The frame that is waited for has left, or never will.
    Done(Result<(), Error>),
    /// The socket takes nothing more for now. `left`: how much has left of what was ever kept.
    Waits {
        transport: Arc<dyn Transport>,
        left: u64,
    },
}
