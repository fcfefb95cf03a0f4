//! An answer on its way to the peer, from the request's own thread.

use std::io;
use std::time::{Duration, Instant};

use super::super::admission::{Seat, Stage};
use crate::limits::Limits;
use crate::patience::Patience;
use crate::transport::{self, LINGER, Transport};

/// What a socket takes at once, most of the time.
pub(crate) const LAST: usize = 16 << 10;

/// Writes one answer, in any number of pieces. While it waits for the peer it is a plain request's, which is not cut as
/// long as the peer reads fast enough; where there are too many of those the peer has a moment.
pub(crate) struct AnswerWriter<'a> {
    limits: &'a Limits,
    seat: &'a Seat,
    transport: &'a dyn Transport,
    /// `None` until the peer is waited for.
    patience: Option<Patience>,
    /// It has asked for its place among the plain requests, and has not left that.
    has_asked: bool,
    /// Written since the last wait.
    fresh: usize,
}

impl<'a> AnswerWriter<'a> {
    pub fn new(limits: &'a Limits, seat: &'a Seat, transport: &'a dyn Transport) -> Self {
        AnswerWriter {
            limits,
            seat,
            transport,
            patience: None,
            has_asked: false,
            fresh: 0,
        }
    }

    /// The time that its deadlines run on.
    pub fn now(&self) -> Instant {
        self.transport.now()
    }

    /// Writes a piece.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes.len();
        transport::write_all_waiting(self.transport, bytes, |written| {
            left -= written;
            self.fresh += written;
            self.wait()
        })?;
        self.fresh += left;
        Ok(())
    }

    /// The application has taken so long: the peer's clock has stood still.
    pub fn put_off(&mut self, by: Duration) {
        if let Some(patience) = &mut self.patience {
            patience.put_off(by);
        }
    }

    /// Writes the last bytes, and all that go before. The answer's place among the plain requests is free before its
    /// client has all of them.
    pub fn write_last(mut self, bytes: &[u8]) -> io::Result<()> {
        let (most, last) = bytes.split_at(bytes.len().saturating_sub(LAST));
        self.write(most)?;
        self.seat.leave();
        self.has_asked = false;
        self.write(last)
    }

    fn wait(&mut self) -> io::Result<()> {
        let now = self.now();
        let has_asked = std::mem::replace(&mut self.has_asked, true);
        let is_refused = !has_asked && self.seat.serve_plain().is_err();
        let patience = self.patience.get_or_insert_with(|| {
            if is_refused {
                self.seat.enter(Stage::Parting);
                Patience::new(now, LINGER)
            } else {
                Patience::paced(now, self.limits.writing())
            }
        });
        let written = std::mem::take(&mut self.fresh);
        transport::wait_for_room(self.transport, patience, written)
    }
}
