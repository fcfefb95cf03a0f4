//! A connection's read buffer: grows with what arrived, shrinks when idle.

use std::io;
use std::time::Instant;

use crate::transport::Transport;

/// What stays with an idle connection.
const IDLE: usize = 256;
/// What one read takes at most: more would leave the cache before it is parsed.
const READ: usize = 64 << 10;

/// The live bytes are `bytes[start..end]`.
#[derive(Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub fn filled(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Drops bytes from the front.
    pub fn discard(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Keeps only the first `count` bytes, at the front.
    pub fn keep(&mut self, count: usize) {
        let end = (self.start + count).min(self.end);
        if self.start > 0 {
            self.bytes.copy_within(self.start..end, 0);
        }
        (self.start, self.end) = (0, end - self.start);
    }

    /// True if memory beyond what an idle connection keeps is held for nothing.
    pub fn is_oversized(&self) -> bool {
        self.is_empty() && self.bytes.len() > IDLE
    }

    /// One read behind the filled bytes. At most twice what arrived is ever allocated: the peer's
    /// claims count for nothing. A read that fills its room makes the next one's larger, so that a
    /// stream of small messages is taken in large reads.
    pub fn fill(
        &mut self,
        transport: &dyn Transport,
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        if self.end == self.bytes.len() {
            self.bytes.resize((2 * self.end).max(IDLE), 0);
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let len = room.len().min(READ);
        let read = transport.read(room.get_mut(..len).unwrap_or_default(), deadline)?;
        self.end += read.min(len);
        if read == len && self.bytes.len() < READ {
            self.bytes.resize((2 * self.bytes.len()).min(READ), 0);
        }
        Ok(read)
    }

    /// Gives memory back, if nothing is in the buffer.
    pub fn trim(&mut self) {
        if self.is_oversized() {
            *self = ReadBuffer::default();
        }
    }
}
