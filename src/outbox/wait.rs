//! Senders that wait until what they sent has left: handlers, and a connection's own thread at its
//! end. They drain by themselves, and nobody is called meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Outbox;
use super::broadcast::Collector;
use super::outbound::Outbound;
use super::queue::{Failure, Queue};
use super::ready_state::ReadyState;
use super::send::Collect;
use super::state::State;
use crate::error::{Error, SendError, SendErrorKind};
use crate::lock::Guard;
use crate::message::Message;
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::transport::{self, Transport};

/// Of a frame (RFC 6455 section 5.2), unmasked.
const LONGEST_HEADER: usize = 10;

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
        self.drain_until(|queue| queue.outcome(last), patience, failure)
    }

    /// True if nothing of what was sent waits any more.
    pub fn is_settled(&self) -> bool {
        let mut state = self.enter();
        let queue = state.parts().map(|(_, queue)| queue);
        queue.is_none_or(|queue| queue.outcome(queue.kept.last()).is_some())
    }

    /// Sends a message, and waits for room before that where there is none, at most until `end`.
    pub fn send_until(
        self: &Arc<Self>,
        message: Message,
        end: Option<Instant>,
    ) -> Result<(), SendError> {
        // Longer than it is on the way, unless it does not shrink.
        let len = message.len() + LONGEST_HEADER;
        let message = self.pack(message, true);
        loop {
            let mut state = self.enter();
            if state.link.is_none() || state.queue.takes(len) {
                let sent = state.send(message, Collect::Never, false);
                return self.finish_send(state, sent);
            }
            let now = Instant::now();
            if end.is_some_and(|end| end <= now) {
                return Err(message.refused(SendErrorKind::Full));
            }
            // The leader gives up a peer that takes nothing, and is told of it between the rounds.
            let round = now + self.pace.patience;
            let until = end.map_or(round, |end| end.min(round));
            let room = |queue: &Queue| queue.takes(len).then_some(Ok(()));
            // A failure shows at the next try.
            let _ = self.attend(state, |outbox| outbox.drain_before(until, room));
        }
    }

    /// Waits while so much is kept that the peer is not to be read from, at most until `end`; false if it is so still.
    /// A peer that takes nothing is given up meanwhile. `pending` as for [`awaits_room`](Outbox::awaits_room).
    pub fn wait_for_room(self: &Arc<Self>, pending: usize, end: Option<Instant>) -> bool {
        let state = self.enter();
        if !state.queue.is_crowded(pending) {
            return true;
        }
        let room = |queue: &Queue| (!queue.is_crowded(pending)).then_some(Ok(()));
        let patience = Patience::paced(Instant::now(), self.pace);
        // A failure has ended the stream: whoever reads finds that.
        let _ = self.attend(state, |outbox| match end {
            Some(end) if end < patience.deadline() => outbox.drain_before(end, room),
            _ => outbox.drain_until(room, patience, Failure::SlowConsumer),
        });
        let in_time = end.is_none_or(|end| end > Instant::now());
        in_time || !self.enter().queue.is_crowded(pending)
    }

    /// Waits until all that is kept now has left; nobody is called meanwhile.
    fn wait_for_kept(
        self: &Arc<Self>,
        state: Guard<'_, State>,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let last = state.queue.kept.last();
        let left = |queue: &Queue| queue.outcome(last);
        self.attend(state, |outbox| outbox.drain_until(left, patience, failure))
    }

    /// Lets go of the lock and has `drain` write what is kept: nobody is called meanwhile.
    fn attend<T>(
        self: &Arc<Self>,
        mut state: Guard<'_, State>,
        drain: impl FnOnce(&Self) -> T,
    ) -> T {
        state.queue.watch.attend();
        drop(state);
        let drained = drain(self);
        let mut state = self.enter();
        state.queue.watch.unattend();
        // fault: a sender that waited leaves the rest to nobody
        self.watch(state);
        drained
    }

    /// As [`drain_until`](Outbox::drain_until), for who gives nobody up: the leader does that.
    fn drain_before(
        &self,
        end: Instant,
        done: impl Fn(&Queue) -> Option<Result<(), Error>>,
    ) -> Result<(), Error> {
        loop {
            let transport = match self.drain(&done, end) {
                Drained::Done(outcome) => return outcome,
                Drained::Waits { transport, .. } => transport,
            };
            match transport::wait_writable(&*transport, end) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(()),
                Err(error) => return Err(self.give_up_waiting(error, Failure::Lost)),
            }
        }
    }

    /// Drains on this thread until `done` says that it is: for one that waits until a frame has left those that others
    /// send meanwhile are not waited for. What leaves is progress, whoever writes it.
    fn drain_until(
        &self,
        done: impl Fn(&Queue) -> Option<Result<(), Error>>,
        mut patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut seen = None;
        loop {
            let (transport, left) = match self.drain(&done, patience.deadline()) {
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
    fn drain(
        &self,
        done: &impl Fn(&Queue) -> Option<Result<(), Error>>,
        deadline: Instant,
    ) -> Drained {
        let mut state = self.write_kept(self.wait_for_turn(deadline));
        let Some((link, queue)) = state.parts() else {
            return Drained::Done(Err(Error::Closed));
        };
        match done(queue) {
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
