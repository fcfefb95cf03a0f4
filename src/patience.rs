//! Deadlines and a process that stands still: stopped by Ctrl-Z or a debugger, or its machine paused.
//! When it goes on they have passed, and nobody was slow but itself.

use std::time::{Duration, Instant};

use crate::protocol::pace::Pace;

/// Who looks at a deadline so long after it was not waiting: the process stood still.
pub(crate) const STANDSTILL: Duration = Duration::from_millis(500);

/// True if a thread that waited until `deadline` woke up so late that the process must have stood still.
pub(crate) fn stood_still(deadline: Instant, now: Instant) -> bool {
    let late = deadline.checked_add(STANDSTILL);
    late.is_some_and(|late| late < now)
}

/// How long a peer is waited for: a deadline, which progress renews where it is a matter of pace, and
/// once that time again after a standstill. Only once, however many callers find the standstill.
pub(crate) struct Patience {
    deadline: Instant,
    /// The time that a standstill is worth.
    round: Option<Duration>,
    pace: Option<Pace>,
    /// The time was up, and one more try was made.
    tried: bool,
}

impl Patience {
    /// Absolute: nothing that the peer does gives it more time.
    pub fn new(now: Instant, round: Duration) -> Self {
        Patience {
            deadline: now + round,
            round: Some(round),
            pace: None,
            tried: false,
        }
    }

    /// For what may have any length.
    pub fn paced(now: Instant, pace: Pace) -> Self {
        Patience {
            pace: Some(pace),
            ..Patience::new(now, pace.patience)
        }
    }

    /// Absolute, also across a standstill.
    pub fn until(deadline: Instant) -> Self {
        Patience {
            deadline,
            round: None,
            pace: None,
            tried: false,
        }
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The peer has taken so much, or sent it.
    pub fn progressed(&mut self, bytes: usize, now: Instant) {
        if let (Some(pace), 1..) = (self.pace, bytes) {
            self.renew(now);
            self.tried = false;
            self.deadline = renewed(self.deadline, pace, bytes, now);
        }
    }

    /// Something else than the peer took so long meanwhile.
    pub fn put_off(&mut self, by: Duration) {
        self.deadline += by;
    }

    /// A wait ended at the deadline: true if there is another one now, or the last try is still to be
    /// made. What happened may show only then: a socket takes bytes long before poll(2) says that
    /// there is room, which waits for a third of its buffer to be free.
    pub fn allows_another_try(&mut self, now: Instant) -> bool {
        self.renew(now) || !std::mem::replace(&mut self.tried, true)
    }

    /// True if the process stood still across the deadline, and there is another one now.
    pub fn renew(&mut self, now: Instant) -> bool {
        let round = self.round.filter(|_| stood_still(self.deadline, now));
        let Some(round) = round else { return false };
        self.deadline = now + round;
        self.round = None;
        true
    }
}

/// How long threads of this process are waited for. Where the waiting thread oversleeps, the process stood still or had
/// no processor, and the others did not run either: that does not count.
pub(crate) struct Grace {
    deadline: Instant,
    /// When the wait under way ends.
    wakes_at: Option<Instant>,
}

impl Grace {
    pub fn until(deadline: Instant) -> Self {
        Grace {
            deadline,
            wakes_at: None,
        }
    }

    /// How long to wait before this is called again; `None` when the time is up.
    pub fn next_wait(&mut self, now: Instant) -> Option<Duration> {
        const LOOK: Duration = Duration::from_millis(250);
        if let Some(wakes_at) = self.wakes_at {
            self.deadline += now.saturating_duration_since(wakes_at);
        }
        let left = self.deadline.saturating_duration_since(now);
        let wait = left.min(LOOK);
        self.wakes_at = Some(now + wait);
        (!wait.is_zero()).then_some(wait)
    }
}

/// What progress makes of a deadline.
pub(crate) fn renewed(deadline: Instant, pace: Pace, bytes: usize, now: Instant) -> Instant {
    let room = (now + pace.patience).saturating_duration_since(deadline);
    deadline + pace.worth(bytes).min(room)
}

#[cfg(test)]
mod tests;
