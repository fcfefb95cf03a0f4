//! An Outbox and the leader: when it calls, and what is done then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Outbox;
use super::queue::Failure;
use super::ready_state::ReadyState;
use super::state::{Alarm, State};
use crate::lock::Guard;
use crate::poller::Token;
use crate::transport::Transport;

/// Who sees to what waits in an Outbox.
///
/// While something is kept that nobody writes, or a deadline runs, the leader has the Outbox and knows the nearest
/// deadline, or is called; or a sender that waits writes by itself.
#[derive(Default)]
pub(super) struct Watch {
    /// The leader has it, or is called.
    is_led: bool,
    /// The leader does not know the nearest deadline.
    has_news: bool,
    /// A sender that waits writes by itself: nobody is called.
    is_attended: bool,
}

impl Watch {
    /// There is a deadline that may be the nearest.
    pub fn note_deadline(&mut self) {
        self.has_news = true;
    }

    /// There is that of a Close, and a sender that waits knows of none but its own.
    pub fn note_close(&mut self) {
        (self.has_news, self.is_attended) = (true, false);
    }

    pub fn attend(&mut self) {
        self.is_attended = true;
    }

    pub fn unattend(&mut self) {
        self.is_attended = false;
    }

    pub fn is_attended(&self) -> bool {
        self.is_attended
    }

    #[cfg(test)]
    pub fn is_led(&self) -> bool {
        self.is_led
    }

    /// Whether the leader is to be called now; then it counts as called. `missed`: others came amid a write.
    fn calls(&mut self, waits: bool, missed: bool) -> bool {
        let is_news = waits && (self.has_news || !self.is_led);
        let calls = !self.is_attended && (is_news || missed);
        if calls {
            (self.is_led, self.has_news) = (true, false);
        }
        calls
    }

    /// The leader lets go of it; true if it had it.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.is_led)
    }
}

/// What there is to wait for.
pub(crate) struct Pending {
    /// The stream has no room.
    pub wants_write: bool,
    pub deadline: Option<Instant>,
}

impl Outbox {
    /// Where the leader has it, if anywhere.
    pub fn token(&self) -> Option<Token> {
        let number = self.token.load(Ordering::SeqCst).checked_sub(1)?;
        Some(Token::from_number(number))
    }

    pub fn set_token(&self, token: Option<Token>) {
        let number = token.map_or(0, |token| token.number() + 1);
        self.token.store(number, Ordering::SeqCst);
    }

    /// Calls the leader if something waits or a deadline runs. When the server has ended, and nobody leads, the
    /// stream ends here.
    #[inline]
    pub(super) fn watch<'a>(self: &'a Arc<Self>, state: Guard<'a, State>) {
        // Nearly always: nothing waits, no deadline runs, and nobody has been told otherwise.
        let is_awaited = state.queue.is_awaited();
        if state.member.is_troubled() || !state.queue.is_well() || is_awaited {
            self.watch_troubled(state);
        }
    }

    #[cold]
    fn watch_troubled<'a>(self: &'a Arc<Self>, mut state: Guard<'a, State>) {
        // What the stream has refused is for the leader to write.
        if !state.queue.is_refused() || state.queue.is_written_to() {
            state = self.take_turn(state);
        }
        state.note_trouble();
        let drained = state.take_drained();
        self.call(state);
        if let Some(drained) = drained {
            drained();
        }
    }

    fn call<'a>(self: &'a Arc<Self>, mut state: Guard<'a, State>) {
        let Some((link, queue)) = state.parts() else {
            return;
        };
        if queue.failure == Some(Failure::SlowConsumer) {
            self.set_ready(ReadyState::Closing);
        }
        // Whoever writes calls behind that, but for a Close.
        let waits = !queue.kept.is_empty() && !queue.is_written_to() || queue.sender.close_sent();
        let missed = !queue.watch.is_attended() && queue.take_missed();
        let calls = queue.watch.calls(waits, missed);
        // Whoever reads for it does so again.
        if queue.take_awaited() || calls {
            let calls = link.calls.clone();
            drop(state);
            // fault: a kept frame is announced to nobody
            if !calls.call(self.clone()) {
                self.abort();
            }
        }
    }

    /// A turn of the leader: writes what the socket takes, gives up past a deadline, and raises the alarm if the
    /// peer is too slow. `None` when there is nothing to wait for any more.
    pub fn service(self: &Arc<Self>, now: Instant) -> Option<Pending> {
        let pending = self.write_out(now);
        // fault: too slow, and nobody hears of it
        self.raise_alarm();
        let drained = self.enter().take_drained();
        if let Some(drained) = drained {
            drained();
        }
        pending
    }

    fn write_out(self: &Arc<Self>, now: Instant) -> Option<Pending> {
        let mut state = self.write_kept(self.enter());
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
        let mut state = self.enter();
        state.link.as_mut().and_then(|link| link.alarm.take())
    }

    /// The stream, as long as the connection has not ended.
    pub fn transport(&self) -> Option<Arc<dyn Transport>> {
        let state = self.enter();
        state.link.as_ref().map(|link| link.transport.clone())
    }

    /// When the connection will be given up, unless its peer reads or answers.
    pub fn deadline(&self) -> Option<Instant> {
        self.enter().queue.deadline()
    }

    /// The process stood still until now, and deadlines may have passed.
    pub fn resumed(&self, now: Instant) {
        self.enter().queue.resumed(now);
    }
}

impl State {
    /// What there is to wait for; `None`: nothing, and the leader lets go of it.
    fn pending(&mut self) -> Option<Pending> {
        let (_, queue) = self.parts()?;
        let wants_write = !queue.kept.is_empty() && !queue.cut && !queue.is_written_to();
        let deadline = queue.deadline();
        if !wants_write && deadline.is_none() {
            // fault: let go of, yet taken for watched
            queue.watch.release();
            return None;
        }
        Some(Pending {
            wants_write,
            deadline,
        })
    }
}
