//! An Outbox while a thread has its lock: what is done on the way in, and what on the way out, so that nothing that
//! waits is left to nobody.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use super::Outbox;
use super::broadcast::Collector;
use super::outbound::Outbound;
use super::queue::Failure;
use super::ready_state::ReadyState;
use super::state::{Collect, State};
use super::turn::TakenTurn;
use super::watch::Pending;
use crate::error::SendErrorKind;
use crate::lock::{Guard, lock};

pub(crate) struct Entry<'a> {
    outbox: &'a Arc<Outbox>,
    state: Guard<'a, State>,
}

impl<'a> Entry<'a> {
    /// Takes the lock, and over what waits in the run: what is done next comes behind that.
    #[inline]
    pub fn new(outbox: &'a Arc<Outbox>) -> Self {
        let mut entry = Entry::ahead_of_the_run(outbox);
        // fault: a send overtakes the run
        entry.state.catch_up();
        entry
    }

    /// Takes the lock, and leaves what waits in the run there.
    #[inline]
    pub fn ahead_of_the_run(outbox: &'a Arc<Outbox>) -> Self {
        Entry {
            outbox,
            state: lock(&outbox.state),
        }
    }

    /// Waits until no other thread has the turn, at most until `deadline`.
    pub fn in_turn(outbox: &'a Arc<Outbox>, deadline: Instant) -> Self {
        let mut entry = Entry::new(outbox);
        while entry.queue.turn.taken {
            let left = deadline.saturating_duration_since(entry.queue.time.now());
            if left.is_zero() {
                break;
            }
            entry.state = entry.state.wait_timeout(&outbox.turned, left);
        }
        entry.catch_up();
        entry
    }

    /// Waits until a message in fragments is at its end, or another thread has written, at most until `deadline`.
    pub fn wait_for_turned(self, deadline: Instant) {
        let left = deadline.saturating_duration_since(self.queue.time.now());
        drop(self.state.wait_timeout(&self.outbox.turned, left));
    }

    /// Sends or keeps a message, and leaves.
    pub fn send(
        mut self,
        message: Outbound<'_>,
        collect: Collect<'_>,
        unbounded: bool,
    ) -> Result<(), SendErrorKind> {
        let sent = self.state.send(message, collect, unbounded);
        let outbox = self.outbox;
        // fault: what a send leaves is watched by nobody
        self.leave();
        if let Some(collector) = sent? {
            Collector::add(&collector, outbox);
        }
        Ok(())
    }

    /// Lets go of the lock, and calls the leader if something waits or a deadline runs. When the server has ended, and
    /// nobody leads, the stream ends here.
    #[inline]
    pub fn leave(self) {
        let State { queue, member, .. } = &*self.state;
        // Nearly always: nothing waits, no deadline runs, and nobody has been told otherwise.
        if member.is_troubled() || !queue.is_well() || queue.is_awaited() {
            self.leave_troubled();
        }
    }

    #[cold]
    fn leave_troubled(mut self) {
        // What the stream has refused is for the leader to write.
        if !self.queue.is_refused() || self.queue.turn.taken {
            self = self.take_turns();
        }
        self.note_trouble();
        let drained = self.take_drained();
        self.call();
        if let Some(drained) = drained {
            drained.by.hear_room(drained.id);
        }
    }

    fn call(mut self) {
        let Some((link, queue)) = self.state.parts() else {
            return;
        };
        if queue.failure == Some(Failure::SlowConsumer) {
            self.outbox.set_ready(ReadyState::Closing);
        }
        // The thread that writes calls behind that, but for a Close.
        let waits = !queue.kept.is_empty() && !queue.turn.taken || queue.sender.close_sent();
        let missed = !queue.watch.is_attended && queue.turn.take_missed();
        let calls = queue.watch.calls(waits, missed);
        // The thread that reads for it does so again.
        if queue.take_awaited() || calls {
            let calls = link.calls.clone();
            drop(self.state);
            // fault: a kept frame is announced to nobody
            if !calls.call(self.outbox.clone()) {
                self.outbox.abort();
            }
        }
    }

    /// Lets go of the lock, and ends the stream where that was decided under it. Nobody is called.
    pub fn leave_uncalled(mut self) {
        let parting = self.queue.parting.take();
        let transport = parting.and(self.link.as_ref().map(|link| link.transport.clone()));
        drop(self.state);
        if let (Some(how), Some(transport)) = (parting, transport) {
            transport.shutdown(how);
        }
    }

    /// For the leader: writes what the socket takes, gives up past a deadline, and leaves. `None` when there is nothing
    /// to wait for any more.
    pub fn serve(self, now: Instant) -> Option<Pending> {
        let mut entry = self.write_kept();
        let (link, queue) = entry.state.parts()?;
        queue.turn.take_missed();
        queue.check_deadlines(link, now);
        // What came while this thread wrote: it is this thread's again, behind the others.
        let calls = queue.is_left_over().then(|| link.calls.clone());
        entry.note_trouble();
        let pending = entry.pending();
        let outbox = entry.outbox;
        entry.leave_uncalled();
        if let Some(calls) = calls {
            // When nobody leads any more, nobody is told.
            let _ = calls.call(outbox.clone());
        }
        pending
    }

    /// Writes what is kept, as far as the stream takes it.
    pub fn write_kept(mut self) -> Self {
        if let Some((link, queue)) = self.parts() {
            queue.drain(link);
        }
        self.take_turns()
    }

    /// Writes what is kept to a stream of the user's own: without the lock meanwhile, and nothing where another thread
    /// has the turn. What others send while this goes on may stay.
    fn take_turns(mut self) -> Self {
        let last = self.queue.kept.last();
        while let Some(taken) = TakenTurn::take(self.outbox, &mut self.state) {
            drop(self.state);
            taken.write();
            self = Entry::new(self.outbox);
            if self.queue.turn.full || self.queue.kept.has_left(last) {
                break;
            }
        }
        self
    }
}

impl Deref for Entry<'_> {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Entry<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}
