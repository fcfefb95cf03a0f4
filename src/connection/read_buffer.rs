//! A connection's read buffer: grows with what arrived, shrinks when idle.

use std::ops::Range;

/// What stays with an idle connection.
const IDLE: usize = 256;
/// What a read that filled the room of an idle connection makes of it: a burst of short messages is taken in two.
const GROWN: usize = 4 << 10;
/// What one read takes at most: more would leave the cache before it is parsed.
const READ: usize = 64 << 10;

/// The live bytes are `bytes[start..end]`.
#[derive(Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// The last read filled its room: more may be there, and has room now.
    filled_up: bool,
    /// Reads in a row that began with an empty buffer larger than a read fills.
    empty_reads: u32,
}

impl ReadBuffer {
    pub fn len(&self) -> usize {
        self.end - self.start
    }

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

    /// Keeps only these of the filled bytes, where they are.
    pub fn keep(&mut self, bytes: Range<usize>) {
        self.end = (self.start + bytes.end).min(self.end);
        self.start = (self.start + bytes.start).min(self.end);
    }

    /// Room for one whole read, to be lent to one buffer after the other.
    pub fn scratch() -> Self {
        ReadBuffer {
            bytes: vec![0; READ],
            ..ReadBuffer::default()
        }
    }

    /// All of its room, for bytes that nobody wants.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Takes the room of `scratch` for a read, if it holds nothing; true if so.
    pub fn borrow(&mut self, scratch: &mut ReadBuffer) -> bool {
        let borrows = self.is_empty() && self.bytes.len() <= READ;
        if borrows {
            *self = std::mem::take(scratch);
        }
        borrows
    }

    /// Gives the room back, and keeps what is left in as much as it takes.
    pub fn give_back(&mut self, scratch: &mut ReadBuffer) {
        let bytes = self.filled().to_vec();
        let end = bytes.len();
        let rest = ReadBuffer {
            bytes,
            end,
            ..ReadBuffer::default()
        };
        *scratch = std::mem::replace(self, rest);
        (scratch.start, scratch.end) = (0, 0);
    }

    /// True if memory beyond what an idle connection keeps is held for nothing.
    pub fn is_oversized(&self) -> bool {
        self.is_empty() && self.bytes.len() > IDLE
    }

    /// One read behind the filled bytes.
    pub fn fill<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let read = read(self.spare())?;
        self.add(read);
        Ok(read)
    }

    /// Room for one read behind the filled bytes. At most twice what arrived is ever allocated: the
    /// peer's claims count for nothing.
    pub fn spare(&mut self) -> &mut [u8] {
        self.filled_up = false;
        self.give_back_what_nobody_needs();
        self.make_room();
        let len = self.spare_len();
        let room = self.bytes.get_mut(self.end..self.end + len);
        room.unwrap_or_default()
    }

    fn spare_len(&self) -> usize {
        (self.bytes.len() - self.end).min(READ)
    }

    /// So many bytes were read into the [`spare`](ReadBuffer::spare) room. A read that fills it makes the
    /// next one's larger, so that a stream of small messages is taken in large reads.
    pub fn add(&mut self, read: usize) {
        let len = self.spare_len();
        self.end += read.min(len);
        self.filled_up = read == len && self.bytes.len() < READ;
        if self.filled_up {
            let grown = 2 * self.bytes.len();
            self.bytes.resize(grown.clamp(GROWN, READ), 0);
        }
    }

    /// True if the last read filled its room and another could take more with it.
    pub fn is_filled_up(&self) -> bool {
        self.filled_up
    }

    /// Makes room for as many bytes as are there already, or for a whole read. What is there moves
    /// to the front while it is little beside what has left, later only where room is short.
    fn make_room(&mut self) {
        let live = self.len();
        let room = self.bytes.len() - self.end;
        let cheap = live <= self.start / 8;
        if cheap || (room < READ && (live <= self.start || room < live)) {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, live);
        }
        if self.bytes.len() - self.end < live.clamp(1, READ) {
            self.bytes.resize((2 * live).max(IDLE), 0);
        }
    }

    /// A buffer that grew for a long message goes when short ones have followed it for a while: at
    /// once would cost a stream of long messages its growth each time.
    fn give_back_what_nobody_needs(&mut self) {
        const READS: u32 = 16;
        let live = self.len();
        if live > 0 || self.bytes.len() <= READ {
            self.empty_reads = if live > READ { 0 } else { self.empty_reads };
            return;
        }
        self.empty_reads += 1;
        if self.empty_reads > READS {
            *self = ReadBuffer::default();
        }
    }

    /// Gives all memory back, if nothing is in the buffer.
    pub fn shed(&mut self) {
        if self.is_empty() {
            *self = ReadBuffer::default();
        }
    }

    /// As [`shed`](ReadBuffer::shed), but for what an idle connection keeps.
    pub fn trim(&mut self) {
        if self.is_oversized() {
            *self = ReadBuffer::default();
        }
    }
}

#[cfg(test)]
mod tests;
