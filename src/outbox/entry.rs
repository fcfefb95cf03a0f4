//! An Outbox while a thread has its lock: what is done on the way in, and on the way out, so that some thread always
//! sees to what waits.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Outbox;
use super::bounds::Terms;
use super::leader_call::Pending;
use super::leader_queue::Flusher;
use super::outbound::Outbound;
use super::owner::Owned;
use super::queue::Failure;
use super::ready_state::ReadyState;
use super::state::{Collect, State};
use super::taken_turn::TakenTurn;
use crate::error::SendErrorKind;
use crate::lock::{Guard, lock};
use crate::message::Message;
use crate::protocol::close::CloseCode;

pub(crate) struct Entry<'a> {
    outbox: &'a Arc<Outbox>,
    state: Guard<'a, State>,
}

impl<'a> Entry<'a> {
    /// Takes the lock, and then the frames that wait in the run: what is sent next comes after them.
    #[inline]
    pub fn new(outbox: &'a Arc<Outbox>) -> Self {
        let mut entry = Entry::ahead_of_the_run(outbox);
        // prevents: a send overtakes the run
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
            entry.queue.turn.waiting += 1;
            entry.state = entry.state.wait_timeout(&outbox.turned, left);
            entry.queue.turn.waiting -= 1;
        }
        entry.catch_up();
        entry
    }

    /// Waits until a message in fragments is at its end, or another thread has written, at most until `deadline`.
    pub fn wait_for_turned(self, deadline: Instant) {
        let left = deadline.saturating_duration_since(self.queue.time.now());
        drop(self.state.wait_timeout(&self.outbox.turned, left));
    }

    /// Waits until there may be room to read again, or the stream may have ended, at most until `deadline`.
    pub fn wait_to_read(mut self, deadline: Instant) {
        let left = deadline.saturating_duration_since(self.queue.time.now());
        self.queue.leader_call.reader_waits = true;
        let mut state = self.state.wait_timeout(&self.outbox.turned, left);
        state.queue.leader_call.reader_waits = false;
    }

    /// Sends or keeps a message, and leaves.
    #[inline]
    pub fn send(
        mut self,
        message: Outbound<'_>,
        collect: Collect,
        terms: Terms,
    ) -> Result<(), SendErrorKind> {
        let first = self.state.put(message, collect, terms);
        let flusher = match first {
            Ok(true) => self.state.flusher().cloned(),
            _ => None,
        };
        self.leave_sent(flusher);
        first.map(drop)
    }

    /// Collects a short message that is sent as it is, and leaves. False if it has to be [sent](Entry::send).
    #[inline]
    pub fn collect(mut self, message: &Message, flusher: &Arc<impl Flusher>) -> bool {
        let collected = self.state.put_collected(message);
        if let Some(first) = collected {
            self.leave_sent(first.then(|| flusher.clone()));
        }
        collected.is_some()
    }

    /// Leaves after a message. `flusher`: it has to hear of that.
    // Always inlined: as calls, this and `Collected::add` cost 4 to 7 % of an echo of many messages at once.
    #[inline(always)]
    pub fn leave_sent(self, flusher: Option<Arc<impl Flusher + ?Sized>>) {
        let outbox = self.outbox;
        if self.queue.has_much_collected() {
            outbox.has_kept.store(true, Ordering::Release);
        }
        // prevents: what a send leaves is watched by nobody
        self.leave();
        if let Some(flusher) = flusher {
            flusher.add(outbox);
        }
    }

    /// Writes a Close or keeps it; false if nothing can be sent any more.
    pub fn begin_close(&mut self, code: Option<CloseCode>, reason: &str) -> bool {
        let begun = match self.state.parts() {
            Some((link, queue)) if !queue.cut => queue.begin_close(link, code, reason),
            _ => false,
        };
        if begun {
            self.outbox.set_ready(ReadyState::Closing);
        }
        begun
    }

    /// Lets go of the lock, and calls the leader if something waits or a deadline runs. When the server has ended, and
    /// nobody leads, the stream ends here.
    #[inline]
    pub fn leave(self) {
        let State { queue, member, .. } = &*self.state;
        // The usual case: nothing waits, no deadline runs, and the other members know of no trouble.
        if member.is_troubled() || !queue.is_well() || queue.is_awaited() {
            self.leave_troubled();
        }
    }

    #[cold]
    fn leave_troubled(mut self) {
        self.outbox.has_kept.store(true, Ordering::Release);
        // What the stream has refused is for the leader to write.
        if !self.queue.is_blocked() || self.queue.turn.taken {
            self = self.take_turns();
        }
        self.note_trouble();
        let notice = self.take_room_notice();
        self.call();
        if let Some(owned) = notice {
            owned.tell_room();
        }
    }

    /// The owner, where it is to hear once that there is room for what was refused.
    pub fn take_room_notice(&mut self) -> Option<Owned> {
        self.queue.refused?;
        let owned = self.link.as_ref()?.owned(self.outbox.id)?;
        let comes = self.queue.take_room_for_refused()
            && !self.outbox.room_notice_waits.swap(true, Ordering::AcqRel);
        comes.then_some(owned)
    }

    fn call(mut self) {
        let Some((link, queue)) = self.state.parts() else {
            return;
        };
        if queue.failure == Some(Failure::SlowConsumer) {
            self.outbox.set_ready(ReadyState::Closing);
        }
        queue.leader_call.wake_reader(&self.outbox.turned);
        // A thread that writes now calls the leader when it is done. A Close has a deadline, so the leader is called
        // for it at once.
        let waits = !queue.kept.is_empty() && !queue.turn.taken || queue.sender.close_sent();
        let missed = !queue.leader_call.is_attended && queue.turn.take_missed();
        let calls = queue.leader_call.calls(waits, missed);
        // The thread that reads from this connection may go on.
        if queue.take_awaited() || calls {
            let leader_queue = link.server.leader_queue.clone();
            drop(self.state);
            // prevents: a kept frame is announced to nobody
            if !leader_queue.add(self.outbox.clone()) {
                self.outbox.abort();
            }
        }
    }

    /// Lets go of the lock, and ends the stream if that was decided under the lock. The leader is not called.
    pub fn leave_uncalled(mut self) {
        self.queue.leader_call.wake_reader(&self.outbox.turned);
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
        // What others kept while this thread wrote is again for this thread to write, after other connections.
        let leader_queue = queue
            .is_left_over()
            .then(|| link.server.leader_queue.clone());
        entry.note_trouble();
        let pending = entry.pending();
        let outbox = entry.outbox;
        entry.leave_uncalled();
        if let Some(leader_queue) = leader_queue {
            // After the stop no thread leads any more, and none needs the call.
            let _ = leader_queue.add(outbox.clone());
        }
        pending
    }

    /// Writes what is kept, as far as the stream takes it.
    pub fn write_kept(mut self) -> Self {
        if let Some((link, queue)) = self.parts() {
            queue.write_kept(link);
        }
        self.take_turns()
    }

    /// Writes what is kept to a stream of the user's own, without the lock. Does nothing if another thread has the
    /// turn. What others send meanwhile may stay behind.
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
