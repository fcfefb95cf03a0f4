//! Whether a node or a bridge hears itself: signs of life that it publishes come back. Times are since it began.

use core::time::Duration;

/// As many times longer than who hears nothing at all may stay who hears others: what it published may be far behind
/// that.
const LAG: u32 = 3;

/// The ages of what was published, and what of it came back.
#[derive(Default)]
pub(crate) struct OwnEcho {
    /// When anything came last, or this side attached.
    heard: Duration,
    /// Of the signs of life that came back the last age.
    own_beat: Duration,
    /// Since when a later one was published, and did not come back.
    unheard: Option<Duration>,
}

impl OwnEcho {
    /// What was published before need not come back, up to the last sign of life.
    pub fn attached(&mut self, now: Duration, last_beat: Option<Duration>) {
        self.heard = now;
        self.own_beat = last_beat.unwrap_or_default();
        self.unheard = None;
    }

    /// Something came.
    pub fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// Of what came this was an own sign of life of this age.
    pub fn came_back(&mut self, beat: Duration) {
        self.own_beat = self.own_beat.max(beat);
        self.unheard = None;
    }

    /// True if signs of life are published and do not come back, for longer than `patience`.
    pub fn is_deaf(
        &mut self,
        now: Duration,
        last_beat: Option<Duration>,
        patience: Duration,
    ) -> bool {
        if last_beat.is_none_or(|beat| beat <= self.own_beat) {
            self.unheard = None;
            return false;
        }
        let unheard = *self.unheard.get_or_insert(now);
        let silent = |since: Duration| now.saturating_sub(since);
        silent(unheard.max(self.heard)) > patience || silent(unheard) > LAG * patience
    }
}

#[cfg(test)]
mod tests;
