//! The reader's answers: they go to the write side that both halves share, and are tried again if the stream refuses
//! them.

use std::time::{Duration, Instant};

use super::shared::{SharedWriter, WriteAttempt};
use crate::connection::conversation::Answers;
use crate::connection::end::End;
use crate::error::Error;

/// The pauses between tries to write what the reader owes and the stream refuses, doubled up to the
/// last; after `write_timeout` the peer is given up.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What is owed could not leave: it is tried again.
pub(crate) struct Retrying {
    /// Since when the stream has refused it. `None`: a writer has the write side.
    refused_since: Option<Instant>,
    pause: Duration,
}

/// Answers go to the write side that both halves share.
pub(crate) struct ToShared<'a> {
    pub shared: &'a SharedWriter,
    pub retrying: &'a mut Option<Retrying>,
}

impl Answers for ToShared<'_> {
    fn pong(&mut self, payload: &[u8]) -> Result<(), End> {
        let tried = self.shared.owe(|owed| owed.pong = Some(payload.to_vec()));
        self.note(tried)
    }

    fn ping(&mut self) -> Result<(), End> {
        let tried = self.shared.owe(|owed| owed.ping = true);
        self.note(tried)
    }

    fn taken_at(&self) -> Option<Instant> {
        self.shared.taken_at()
    }

    fn close_by(&self) -> Option<Instant> {
        self.shared.close_by()
    }
}

impl ToShared<'_> {
    /// Offers again what the stream refused, or what a writer has left to the reader.
    pub fn retry(&mut self) -> Result<(), End> {
        let tried = self.shared.retry();
        self.note(tried)
    }

    pub fn retry_at(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.retrying.as_ref()?.pause)
    }

    /// Remembers since when the stream refuses what is owed, and gives a peer up that takes nothing for too long.
    fn note(&mut self, tried: WriteAttempt) -> Result<(), End> {
        if tried == WriteAttempt::Done {
            *self.retrying = None;
            return Ok(());
        }
        let now = self.shared.transport.now();
        let known = self.retrying.take();
        let known_since = known.as_ref().and_then(|known| known.refused_since);
        let refused_since = (tried == WriteAttempt::Stuck).then(|| known_since.unwrap_or(now));
        let refused = refused_since.map(|since| now.saturating_duration_since(since));
        if refused.is_some_and(|refused| refused > self.shared.writing.patience) {
            return Err(End::Failed(Error::SlowConsumer));
        }
        let pause = known.map_or(FIRST_PAUSE, |known| (known.pause * 2).min(LAST_PAUSE));
        *self.retrying = Some(Retrying {
            refused_since,
            pause,
        });
        Ok(())
    }
}
