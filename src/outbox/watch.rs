//! An Outbox and whoever leads: when it calls, and what is done then.

use std::sync::Arc;
use std::time::Instant;

use super::Outbox;
use super::overflow::Overflow;
use super::queue::{Failure, Queue};
use super::ready_state::ReadyState;
use super::state::{Alarm, Link, State};
use crate::lock::Guard;
use crate::transport::Transport;

/// What there is to wait for.
pub(crate) struct Pending {
    /// The stream has no room.
    pub wants_write: bool,
    pub deadline: Option<Instant>,
}

impl Outbox {
    /// Calls whoever leads if something waits or a deadline runs. When the server has ended, and nobody leads, the stream
    /// ends here.
    #[inline]
    pub(super) fn watch<'a>(self: &'a Arc<Self>, state: Guard<'a, State>) {
        // Nearly always: nothing waits, no deadline runs, and nobody has been told otherwise.
        if state.troubled || !state.queue.is_well() {
            self.watch_troubled(state);
        }
    }

    #[cold]
    fn watch_troubled<'a>(self: &'a Arc<Self>, mut state: Guard<'a, State>) {
        // What the stream has refused is for whoever leads to write.
        if !state.queue.is_refused() || state.queue.is_written_to() {
            state = self.take_turn(state);
        }
        state.note_trouble();
        let Some((link, queue)) = state.parts() else {
            return;
        };
        if queue.failure == Some(Failure::SlowConsumer) {
            self.set_ready(ReadyState::Closing);
        }
        if !queue.attended && queue.is_news() {
            (queue.watched, queue.has_news) = (true, false);
            let calls = link.calls.clone();
            drop(state);
            // fault: a kept frame is announced to nobody
            if !calls.call(self.clone()) {
                self.abort();
            }
        }
    }

    /// A turn of whoever leads: writes what the socket takes, gives up past a deadline, and raises the alarm if the peer
    /// is too slow. `None` when there is nothing to wait for any more.
    pub fn service(self: &Arc<Self>, now: Instant) -> Option<Pending> {
        let pending = self.write_out(now);
        // fault: too slow, and nobody hears of it
        self.raise_alarm();
        pending
    }

    fn write_out(self: &Arc<Self>, now: Instant) -> Option<Pending> {
        let mut state = self.write_kept(self.lock());
        let (link, queue) = state.parts()?;
        queue.take_missed();
        queue.check_deadlines(link, now);
        // What came while this thread wrote: it is this thread's again, behind the others.
        let calls = queue.is_left_over().then(|| link.calls.clone());
        state.note_trouble();
        let pending = state.pending();
        self.let_go(state);
        if let Some(calls) = calls {
            // When nobody leads any more, nobody is told.
            let _ = calls.call(self.clone());
        }
        pending
    }

    fn raise_alarm(&self) {
        if self.failure() == Some(Failure::SlowConsumer) {
            if let Some(alarm) = self.take_alarm() {
                alarm();
            }
        }
    }

    /// What is to be done where the peer is too slow; `None` when it was done, or is about to be.
    pub fn take_alarm(&self) -> Option<Alarm> {
        let mut state = self.lock();
        state.link.as_mut().and_then(|link| link.alarm.take())
    }

    /// The stream, as long as the connection has not ended.
    pub fn transport(&self) -> Option<Arc<dyn Transport>> {
        let state = self.lock();
        state.link.as_ref().map(|link| link.transport.clone())
    }

    /// When the connection will be given up, unless its peer reads or answers.
    pub fn deadline(&self) -> Option<Instant> {
        self.lock().queue.deadline()
    }

    /// The process stood still until now, and deadlines may have passed.
    pub fn resumed(&self, now: Instant) {
        self.lock().queue.resumed(now);
    }
}

impl Queue {
    /// Whether whoever leads has something to hear.
    fn is_news(&mut self) -> bool {
        let waits = match self.is_written_to() {
            // Whoever writes calls then.
            true => self.sender.close_sent(),
            false => !self.kept.is_empty() || self.sender.close_sent(),
        };
        (waits && (self.has_news || !self.watched)) || self.take_missed()
    }
}

impl State {
    /// What there is to wait for; `None`: nothing, and whoever leads lets go of it.
    fn pending(&mut self) -> Option<Pending> {
        let (_, queue) = self.parts()?;
        let wants_write = !queue.kept.is_empty() && !queue.cut && !queue.is_written_to();
        let deadline = queue.deadline();
        if !wants_write && deadline.is_none() {
            // fault: let go of, yet taken for watched
            queue.watched = false;
            return None;
        }
        Some(Pending {
            wants_write,
            deadline,
        })
    }
}

impl Queue {
    fn check_deadlines(&mut self, link: &Link, now: Instant) {
        if self.age_deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::SlowConsumer);
        } else if self.deadline().is_some_and(|at| at <= now) {
            self.give_up(link, Failure::CloseTimeout);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        if self.cut {
            return None;
        }
        let close = self
            .sender
            .close_deadline()
            .and_then(|at| self.epoch.checked_add(at));
        [close, self.age_deadline()].into_iter().flatten().min()
    }

    /// When a frame will have waited too long: under `Disconnect` any frame, else a pong alone,
    /// since dropping policies are for peers that may stay slow.
    fn age_deadline(&self) -> Option<Instant> {
        self.kept.deadline(
            self.bounds.pace.patience,
            self.bounds.overflow == Overflow::Disconnect,
        )
    }

    /// The process stood still: what passed meanwhile counts against nobody.
    fn resumed(&mut self, now: Instant) {
        self.kept.wait_anew(now);
        self.sender
            .resumed(now.saturating_duration_since(self.epoch));
    }
}
