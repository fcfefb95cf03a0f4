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
    /// Reads in a row that began with an empty buffer larger than a read fills.
    empty_reads: u32,
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
        self.give_back_what_nobody_needs();
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

    /// A buffer that grew for a long message goes when short ones have followed it for a while: at
    /// once would cost a stream of long messages its growth each time.
    fn give_back_what_nobody_needs(&mut self) {
        const READS: u32 = 16;
        if self.end > 0 || self.bytes.len() <= READ {
            self.empty_reads = if self.end > READ { 0 } else { self.empty_reads };
            return;
        }
        self.empty_reads += 1;
        if self.empty_reads > READS {
            *self = ReadBuffer::default();
        }
    }

    /// Gives memory back, if nothing is in the buffer.
    pub fn trim(&mut self) {
        if self.is_oversized() {
            *self = ReadBuffer::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::duplex;
    use std::io::Write;

    fn read(buffer: &mut ReadBuffer, bytes: &[u8]) {
        let (ours, mut theirs) = duplex();
        theirs.write_all(bytes).unwrap();
        let mut left = bytes.len();
        while left > 0 {
            left -= buffer.fill(&ours, None).unwrap();
        }
    }

    fn take_all(buffer: &mut ReadBuffer) {
        buffer.discard(buffer.end);
        buffer.keep(0);
    }

    #[test]
    fn f06_at_most_twice_what_arrived_is_allocated() {
        let mut buffer = ReadBuffer::default();
        for _ in 0..10_000 {
            read(&mut buffer, &[7; 100]);
            assert!(buffer.bytes.len() <= 2 * buffer.end + 4096);
        }
    }

    #[test]
    fn a_stream_of_small_messages_is_taken_in_large_reads() {
        let mut buffer = ReadBuffer::default();
        for _ in 0..20 {
            read(&mut buffer, &[7; 60 << 10]);
            take_all(&mut buffer);
        }
        assert_eq!(buffer.bytes.len(), READ);
    }

    #[test]
    fn what_a_long_message_needed_goes_while_short_ones_follow() {
        let mut buffer = ReadBuffer::default();
        for _ in 0..20 {
            read(&mut buffer, &[7; 60 << 10]);
        }
        assert!(buffer.bytes.len() > 1 << 20);
        for _ in 0..20 {
            take_all(&mut buffer);
            read(&mut buffer, b"short");
        }
        assert!(buffer.bytes.len() <= READ);
    }

    #[test]
    fn a_stream_of_long_messages_keeps_its_buffer() {
        let mut buffer = ReadBuffer::default();
        for _ in 0..40 {
            for _ in 0..3 {
                read(&mut buffer, &[7; 60 << 10]);
            }
            take_all(&mut buffer);
        }
        assert!(buffer.bytes.len() > READ);
    }
}
