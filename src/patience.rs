//! Deadlines and a process that stands still: stopped by Ctrl-Z or a debugger, or its machine paused.
//! When it goes on they have passed, and nobody was slow but itself.

use std::time::{Duration, Instant};

/// Who looks at a deadline so long after it was not waiting: the process stood still.
const STANDSTILL: Duration = Duration::from_millis(500);

/// True if whoever waited until `deadline` woke up too late for anything but a standstill.
pub(crate) fn stood_still(deadline: Instant, now: Instant) -> bool {
    now.saturating_duration_since(deadline) > STANDSTILL
}

/// How long a peer is waited for: a deadline, and once that time again behind a standstill. Once,
/// whoever says for how long a wait took.
pub(crate) struct Patience {
    deadline: Instant,
    round: Option<Duration>,
}

impl Patience {
    pub fn new(now: Instant, round: Duration) -> Self {
        Patience {
            deadline: now + round,
            round: Some(round),
        }
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// True if the process stood still across the deadline, and there is another one now.
    pub fn renew(&mut self) -> bool {
        let now = Instant::now();
        let round = self.round.filter(|_| stood_still(self.deadline, now));
        let Some(round) = round else { return false };
        *self = Patience {
            deadline: now + round,
            round: None,
        };
        true
    }
}

#[cfg(test)]
mod tests;
