//! Senders that wait until what they sent has left: handlers, and a connection's own thread at its end. They write by
//! themselves, and the leader is not called meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Outbox;
use super::bounds::Terms;
use super::entry::Entry;
use super::leader_queue::Flusher;
use super::outbound::Outbound;
use super::queue::{Failure, Queue};
use super::ready_state::ReadyState;
use super::state::Collect;
use crate::compression::Packing;
use crate::error::{Error, SendError, SendErrorKind};
use crate::message::Message;
use crate::patience::Patience;
use crate::protocol::close::CloseCode;
use crate::transport::{self, Transport};

/// The longest header of a frame that is not masked (RFC 6455 5.2).
const LONGEST_HEADER: usize = 10;

/// While this is held, the thread that waits writes what is in the Outbox, not the leader. Its drop leaves the rest to
/// the leader.
struct Attended<'a>(&'a Arc<Outbox>);

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        let mut entry = self.0.enter();
        entry.queue.leader_call.is_attended = false;
        // prevents: a sender that waited leaves the rest to nobody
        entry.leave();
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Waiter<'a>(pub &'a Arc<Outbox>);

impl<'a> Waiter<'a> {
    /// Sends a message and waits until the socket has taken it and all before it. With `flusher`: for a thread that
    /// has more to do and flushes that itself, so that it waits only after what the socket refused.
    pub fn send<F: Flusher>(
        self,
        mut message: Message,
        compress: bool,
        flusher: Option<&Arc<F>>,
    ) -> Result<(), SendError> {
        if flusher.is_some_and(|flusher| self.collect(&message, compress, flusher)) {
            message.recycle();
            return Ok(());
        }
        let outbound = Outbound::new(&mut message, compress, self.0.packing);
        let mut entry = self.0.enter();
        let flusher = flusher.filter(|_| entry.queue.kept.is_empty());
        let sent = match flusher {
            Some(flusher) => {
                let first = entry.put(outbound, Collect::Always, Terms::Unbounded);
                entry.leave_sent((first == Ok(true)).then(|| flusher.clone()));
                first
            }
            None => {
                let sent = entry.put(outbound, Collect::Never, Terms::Unbounded);
                if sent.is_err() || entry.queue.kept.is_empty() {
                    entry.leave();
                } else {
                    let patience = Patience::paced(entry.queue.time.now(), entry.queue.bounds.pace);
                    // If the wait fails, the next call says so: this message was accepted.
                    let _ = self.wait_for_kept(entry, patience, Failure::SlowConsumer);
                }
                sent
            }
        };
        if let Err(kind) = sent {
            return Err(SendError::new(kind, message));
        }
        message.recycle();
        Ok(())
    }

    /// Most messages of a burst: short, and not compressed. False if it has to be sent otherwise.
    #[inline]
    fn collect(self, message: &Message, compress: bool, flusher: &Arc<impl Flusher>) -> bool {
        let packs = |packing: Packing| compress && packing.packs(message.len());
        !self.0.packing.is_some_and(packs) && self.0.enter().collect(message, flusher)
    }

    /// Sends a message, and waits for room before that where there is none, at most until `end`.
    pub fn send_until(self, mut message: Message, end: Option<Instant>) -> Result<(), SendError> {
        let sent = self.send_outbound_until(&mut message, end);
        sent.map_err(|kind| SendError::new(kind, message))
    }

    fn send_outbound_until(
        self,
        message: &mut Message,
        end: Option<Instant>,
    ) -> Result<(), SendErrorKind> {
        // An upper bound: on its way the message is shorter if it compresses well.
        let len = message.len() + LONGEST_HEADER;
        let outbound = Outbound::new(message, true, self.0.packing);
        loop {
            let entry = self.0.enter();
            let behind_stream = entry.fits_behind_stream(len);
            if behind_stream.unwrap_or(entry.link.is_none() || entry.queue.fits(len)) {
                return entry.send(outbound, Collect::Never, Terms::Bounded);
            }
            let now = entry.queue.time.now();
            if end.is_some_and(|end| end <= now) {
                return Err(SendErrorKind::Full);
            }
            // Between the rounds the leader is called, which gives up a peer that takes nothing.
            let round = now + entry.queue.bounds.pace.patience;
            let until = end.map_or(round, |end| end.min(round));
            if behind_stream.is_some() {
                entry.wait_for_turned(until);
                continue;
            }
            let room = |queue: &Queue| queue.fits(len).then_some(Ok(()));
            let _attended = self.attend(entry);
            // If this fails, the next try says so.
            let _ = self.write_before(until, room);
        }
    }

    /// Waits while so much is kept that the peer must not be read from, at most until `end`; false if that is still so.
    /// Meanwhile the leader writes, gives up a peer that takes nothing, and wakes this thread: a thread that waited for
    /// the stream itself would miss a failure that another thread decides. `pending` as for
    /// [`awaits_room`](Outbox::awaits_room). It is asked for anew before each wait, and when it becomes less this
    /// thread is [woken](Outbox::wake_reader).
    pub fn wait_for_room(self, pending: impl Fn() -> usize, end: Option<Instant>) -> bool {
        loop {
            let bytes = pending();
            let entry = self.0.enter_to_read(bytes);
            if !entry.queue.is_crowded(bytes) {
                return true;
            }
            let now = entry.queue.time.now();
            if end.is_some_and(|end| end <= now) {
                return false;
            }
            // The leader holds the Outbox already, or is called.
            entry.leave();
            let entry = Entry::ahead_of_the_run(self.0);
            // With the lock: what becomes less from now on wakes this thread after it.
            if entry.queue.is_crowded(pending()) {
                let round = now + entry.queue.bounds.pace.patience;
                entry.wait_to_read(end.map_or(round, |end| end.min(round)));
            }
        }
    }

    /// Offers everything and waits until all that is kept now has left; past the deadline the
    /// connection is given up as `failure` says.
    pub fn wait_until_left(self, patience: Patience, failure: Failure) -> Result<(), Error> {
        let mut entry = self.0.enter();
        let (link, queue) = entry.parts().ok_or(Error::Closed)?;
        queue.flush(link);
        if let Some(outcome) = queue.outcome(queue.kept.last()) {
            entry.leave();
            return outcome;
        }
        self.wait_for_kept(entry, patience, failure)
    }

    /// Starts or answers the closing handshake and waits until that has left. It is for the connection's own thread,
    /// which lets go of the Outbox next. The leader is not called for the Close: that would cost two wake-ups for
    /// nothing.
    pub fn closed(
        self,
        code: Option<CloseCode>,
        reason: &str,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut entry = self.0.enter();
        let (link, queue) = entry.parts().ok_or(Error::Closed)?;
        queue.begin_close(link, code, reason);
        queue.leader_call.is_attended = true;
        self.0.set_ready(ReadyState::Closing);
        let last = queue.kept.last();
        entry.note_trouble();
        drop(entry);
        self.write_until(|queue| queue.outcome(last), patience, failure)
    }

    /// Waits until all that is kept now has left; nobody is called meanwhile.
    pub fn wait_for_kept(
        self,
        entry: Entry<'_>,
        patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let last = entry.queue.kept.last();
        let _attended = self.attend(entry);
        self.write_until(|queue| queue.outcome(last), patience, failure)
    }

    /// Lets go of the lock; nobody is called until this thread is done.
    fn attend(self, mut entry: Entry<'_>) -> Attended<'a> {
        entry.queue.leader_call.is_attended = true;
        Attended(self.0)
    }

    /// As [`write_until`](Waiter::write_until), for a sender that does not give the peer up: the leader does that.
    fn write_before(
        self,
        end: Instant,
        done: impl Fn(&Queue) -> Option<Result<(), Error>>,
    ) -> Result<(), Error> {
        loop {
            let transport = match self.write(&done, end) {
                Progress::Done(outcome) => return outcome,
                Progress::Waits { transport, .. } => transport,
            };
            match transport::wait_writable(&*transport, end) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(()),
                Err(error) => return Err(self.give_up(error, Failure::Lost)),
            }
        }
    }

    /// Writes on this thread until `done` is true. A sender that waits for one frame does not wait for those that
    /// others send after it. Every byte that leaves is progress, whichever thread wrote it.
    fn write_until(
        self,
        done: impl Fn(&Queue) -> Option<Result<(), Error>>,
        mut patience: Patience,
        failure: Failure,
    ) -> Result<(), Error> {
        let mut seen = None;
        loop {
            let (transport, left) = match self.write(&done, patience.deadline()) {
                Progress::Done(outcome) => return outcome,
                Progress::Waits { transport, left } => (transport, left),
            };
            let written = left - seen.replace(left).unwrap_or(left);
            let written = usize::try_from(written).unwrap_or(usize::MAX);
            if let Err(error) = transport::wait_for_room(&*transport, &mut patience, written) {
                return Err(self.give_up(error, failure));
            }
        }
    }

    /// Writes what the socket takes of what is kept. Where another thread does that now, waits until it has, at most
    /// until `deadline`.
    fn write(
        self,
        done: &impl Fn(&Queue) -> Option<Result<(), Error>>,
        deadline: Instant,
    ) -> Progress {
        let mut entry = Entry::in_turn(self.0, deadline).write_kept();
        let Some((link, queue)) = entry.parts() else {
            return Progress::Done(Err(Error::Closed));
        };
        match done(queue) {
            Some(outcome) => Progress::Done(outcome),
            None => Progress::Waits {
                transport: link.transport.clone(),
                left: queue.kept.left(),
            },
        }
    }

    /// The wait failed with `error`: gives the connection up, for `failure` if that was the deadline.
    fn give_up(self, error: io::Error, failure: Failure) -> Error {
        let mut entry = self.0.enter();
        let Some((link, queue)) = entry.parts() else {
            return Error::Closed;
        };
        let (failure, told) = match error.kind() {
            io::ErrorKind::TimedOut => (failure, Error::SlowConsumer),
            _ => (Failure::Lost, Error::Io(error)),
        };
        queue.give_up(link, failure);
        entry.leave_uncalled();
        told
    }
}

enum Progress {
    /// The frame that is waited for has left, or never will.
    Done(Result<(), Error>),
    /// The socket takes nothing more for now. `left`: how much has left of what was ever kept.
    Waits {
        transport: Arc<dyn Transport>,
        left: u64,
    },
}
