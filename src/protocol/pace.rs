//! How much time progress is worth, where the length of what is under way is the user's choice.

use core::time::Duration;

/// A bound on slowness and not on length: a peer that makes no progress has `patience`, and each byte gives as much
/// more time as it takes at `min_rate`.
///
/// So a peer that stays above the rate is never given up, however long its message. A peer below it is given up soon
/// after `patience`: at a quarter of the rate after four thirds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time at first, and the most that progress leaves from then on.
    pub patience: Duration,
    /// Bytes per second. 0: any progress gives all of `patience` again.
    pub min_rate: usize,
}

impl Pace {
    /// The deadline after `bytes` of progress at `now`.
    #[must_use]
    pub fn renew(self, deadline: Duration, bytes: usize, now: Duration) -> Duration {
        let room = now.saturating_add(self.patience).saturating_sub(deadline);
        deadline.saturating_add(self.worth(bytes).min(room))
    }

    /// The time that `bytes` take at the rate.
    #[must_use]
    pub fn worth(self, bytes: usize) -> Duration {
        if bytes == 0 {
            return Duration::ZERO;
        }
        let nanos = (bytes as u128 * 1_000_000_000).checked_div(self.min_rate as u128);
        nanos
            .and_then(|nanos| u64::try_from(nanos).ok())
            .map_or(Duration::MAX, Duration::from_nanos)
    }
}
