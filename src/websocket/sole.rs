//! The write side of a WebSocket that is not split: what waits leaves with the next call, and a failure is kept until
//! reading shows how the connection ended.

use std::io::{self, Write};
use std::time::Instant;

use super::stream_error::must_wait;
use super::stream_io::flush;
use super::write_buffer::WriteBuffer;
use crate::connection::conversation::Answers;
use crate::limits::Limits;
use crate::patience::renewed;
use crate::protocol::pace::Pace;

pub(crate) struct SoleWriter<S> {
    pub stream: S,
    pub outgoing: WriteBuffer,
    closing: Pace,
    /// What was written has to be flushed yet.
    unflushed: bool,
    /// Writing has failed for good: reading shows how the connection ended.
    pub failure: Option<io::Error>,
    /// Until when something may leave to a peer that has ended its direction without a Close.
    answer_by: Option<Instant>,
}

impl<S> SoleWriter<S> {
    pub fn new(stream: S, outgoing: WriteBuffer, limits: &Limits) -> Self {
        SoleWriter {
            stream,
            outgoing,
            closing: limits.closing(),
            unflushed: false,
            failure: None,
            answer_by: None,
        }
    }

    /// The peer has sent its last: what is sent to it must leave within `close_timeout`.
    pub fn end_soon(&mut self) {
        self.answer_by = Instant::now().checked_add(self.closing.patience);
    }
}

impl<S: Write> SoleWriter<S> {
    pub fn is_close_overdue(&self) -> bool {
        self.deadline()
            .is_some_and(|deadline| deadline <= Instant::now())
    }

    fn deadline(&self) -> Option<Instant> {
        self.outgoing.close_by().or(self.answer_by)
    }

    /// Writes all that waits, and flushes the stream.
    pub fn write_out(&mut self) -> io::Result<()> {
        if !self.outgoing.is_empty() {
            self.unflushed = true;
            let waited = self.outgoing.waiting();
            let written = self.outgoing.write(|bytes| self.stream.write(bytes));
            self.note_progress(waited.saturating_sub(self.outgoing.waiting()));
            written.map_err(|error| self.note_failure(error))?;
        }
        if self.unflushed {
            let deadline = self.deadline();
            flush(&mut self.stream, deadline).map_err(|error| self.note_failure(error))?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// A peer that has sent its last byte gets more time while it takes what is sent to it.
    fn note_progress(&mut self, written: usize) {
        let by = self.answer_by;
        self.answer_by = by.map(|by| renewed(by, self.closing, written, Instant::now()));
    }

    /// An error after which nothing can be written any more ends the sending half.
    fn note_failure(&mut self, error: io::Error) -> io::Error {
        if !must_wait(&error) {
            self.outgoing.discard();
            self.unflushed = false;
            self.failure = Some(error.kind().into());
        }
        error
    }
}
