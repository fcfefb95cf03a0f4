//! How long the peer takes to answer our pings: each carries the time when it was sent, and only the answer to the last
//! one counts.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::atomic::AtomicU64;

/// Times are given as what has passed since the server began, and kept in nanoseconds.
#[derive(Default)]
pub(crate) struct RoundTrip {
    /// When the awaited ping was sent; 0: none is awaited. A peer cannot make up an answer without knowing this.
    asked: AtomicU64,
    /// How long the last answer took, plus one; 0: there was no answer yet.
    took: AtomicU64,
}

impl RoundTrip {
    /// The payload of a ping that is sent now.
    pub fn ask(&self, now: Duration) -> [u8; 8] {
        let at = nanos(now).max(1);
        self.asked.store(at, Relaxed);
        at.to_be_bytes()
    }

    /// A pong has come with this payload. A pong that was not asked for, or that answers an earlier ping, is ignored.
    pub fn answered(&self, payload: &[u8], now: Duration) {
        let Ok(payload) = payload.try_into() else {
            return;
        };
        let at = u64::from_be_bytes(payload);
        let awaited = at != 0 && self.asked.compare_exchange(at, 0, Relaxed, Relaxed).is_ok();
        if awaited {
            let took = nanos(now).saturating_sub(at);
            self.took.store(took.saturating_add(1), Relaxed);
        }
    }

    pub fn last(&self) -> Option<Duration> {
        let took = self.took.load(Relaxed).checked_sub(1)?;
        Some(Duration::from_nanos(took))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
