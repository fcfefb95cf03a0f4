//! The upgrade from polling to a WebSocket: the one that is expected, and the one that is probed.

use core::time::Duration;

#[derive(Debug, Default)]
pub struct UpgradeState {
    /// Until when a WebSocket that was let in is expected.
    expected: Option<Duration>,
    candidate: Option<Candidate>,
}

/// A WebSocket that is to carry the session.
#[derive(Debug)]
struct Candidate {
    probed: bool,
    until: Duration,
}

impl UpgradeState {
    /// A WebSocket that was let in is open by then.
    pub fn expect(&mut self, until: Duration) {
        self.expected = Some(until);
    }

    /// The WebSocket that was expected is open.
    pub fn note_open(&mut self) {
        self.expected = None;
    }

    /// A WebSocket has until then to be probed and to carry the session.
    pub fn begin(&mut self, until: Duration) {
        let probed = false;
        self.candidate = Some(Candidate { probed, until });
    }

    pub fn note_probe(&mut self) {
        if let Some(candidate) = &mut self.candidate {
            candidate.probed = true;
        }
    }

    /// The WebSocket carries the session, or never will; false if there is none.
    pub fn end(&mut self) -> bool {
        self.candidate.take().is_some()
    }

    pub fn is_under_way(&self) -> bool {
        self.candidate.is_some()
    }

    pub fn is_probed(&self) -> bool {
        self.candidate.as_ref().is_some_and(|it| it.probed)
    }

    /// A GET that comes now may have overtaken the packets of the upgrade.
    pub fn may_overtake(&self, now: Duration) -> bool {
        self.is_under_way() || self.expected.is_some_and(|until| now < until)
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.candidate.as_ref().map(|it| it.until)
    }
}
