//! A connection's read buffer: grows with what arrived, shrinks when idle.

use std::ops::Range;

use crate::limits::LARGEST_READ;

/// What stays with an idle connection.
const IDLE: usize = 256;
/// The buffer grows to this after a read that filled the room of an idle connection: so a burst of short messages is
/// taken in two reads.
const GROWN: usize = 4 << 10;

/// An idle connection holds a null pointer here.
#[derive(Default)]
pub(crate) struct ReadBuffer(Option<Box<FilledRoom>>);

impl ReadBuffer {
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |room| room.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn filled(&mut self) -> &mut [u8] {
        self.0.as_mut().map_or(&mut [], |room| room.filled())
    }

    /// Drops bytes from the front.
    #[inline]
    pub fn discard(&mut self, count: usize) {
        if let Some(room) = &mut self.0 {
            room.discard(count);
        }
    }

    /// Keeps only these of the filled bytes, where they are.
    #[inline]
    pub fn keep(&mut self, bytes: Range<usize>) {
        if let Some(room) = &mut self.0 {
            room.keep(bytes);
        }
    }

    /// Room for a read of this size, to be lent to one buffer after the other.
    pub fn scratch(size: usize) -> Self {
        ReadBuffer::of(vec![0; size], 0)
    }

    fn of(bytes: Vec<u8>, end: usize) -> Self {
        ReadBuffer(Some(Box::new(FilledRoom {
            bytes,
            end,
            ..FilledRoom::default()
        })))
    }

    fn room_len(&self) -> usize {
        self.0.as_ref().map_or(0, |room| room.bytes.len())
    }

    /// Takes the room of `scratch` for a read, if it holds nothing; true if so.
    pub fn borrow(&mut self, scratch: &mut ReadBuffer) -> bool {
        let size = scratch.room_len();
        let is_free = |room: &FilledRoom| room.is_empty() && room.bytes.len() <= size;
        let borrows = self.0.as_deref().is_none_or(is_free);
        if borrows {
            *self = std::mem::take(scratch);
        }
        borrows
    }

    /// Gives the room back, and keeps what is left in as much as it takes.
    #[inline]
    pub fn give_back(&mut self, scratch: &mut ReadBuffer) {
        let rest = match self.filled() {
            [] => ReadBuffer::default(),
            left => ReadBuffer::of(left.to_vec(), left.len()),
        };
        *scratch = std::mem::replace(self, rest);
        if let Some(room) = &mut scratch.0 {
            (room.start, room.end) = (0, 0);
        }
    }

    /// True if memory beyond what an idle connection keeps is held for nothing.
    pub fn is_oversized(&self) -> bool {
        self.0.as_ref().is_some_and(|room| room.is_oversized())
    }

    /// One read after the filled bytes.
    pub fn fill<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let read = read(self.spare(LARGEST_READ))?;
        self.add(read, LARGEST_READ);
        Ok(read)
    }

    /// Room for one read of up to `most` bytes after the filled ones. At most twice what arrived is ever allocated:
    /// the peer's claims count for nothing.
    pub fn spare(&mut self, most: usize) -> &mut [u8] {
        self.0.get_or_insert_default().spare(most)
    }

    /// So many bytes were read into the [`spare`](ReadBuffer::spare) room, of which `most` was asked for. A read that
    /// fills it makes the next one's larger, so that a stream of small messages is taken in large reads.
    pub fn add(&mut self, read: usize, most: usize) {
        if let Some(room) = &mut self.0 {
            room.add(read, most);
        }
    }

    /// True if the last read filled its room and another could take more with it.
    pub fn is_filled_up(&self) -> bool {
        self.0.as_ref().is_some_and(|room| room.filled_up)
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

/// The live bytes are `bytes[start..end]`.
#[derive(Default)]
struct FilledRoom {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// The last read filled its room: more may be there, and has room now.
    filled_up: bool,
    /// Reads in a row that began with an empty buffer larger than a read fills.
    empty_reads: u32,
}

impl FilledRoom {
    fn len(&self) -> usize {
        self.end - self.start
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn filled(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Drops bytes from the front.
    fn discard(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Keeps only these of the filled bytes, where they are.
    fn keep(&mut self, bytes: Range<usize>) {
        self.end = (self.start + bytes.end).min(self.end);
        self.start = (self.start + bytes.start).min(self.end);
    }

    /// True if memory beyond what an idle connection keeps is held for nothing.
    fn is_oversized(&self) -> bool {
        self.is_empty() && self.bytes.len() > IDLE
    }

    fn spare(&mut self, most: usize) -> &mut [u8] {
        self.filled_up = false;
        self.give_back_what_nobody_needs(most);
        self.make_room(most);
        let len = self.spare_len(most);
        let room = self.bytes.get_mut(self.end..self.end + len);
        room.unwrap_or_default()
    }

    fn spare_len(&self, most: usize) -> usize {
        (self.bytes.len() - self.end).min(most)
    }

    fn add(&mut self, read: usize, most: usize) {
        let len = self.spare_len(most);
        self.end += read.min(len);
        self.filled_up = read == len && self.bytes.len() < most;
        if self.filled_up {
            let grown = (2 * self.bytes.len()).max(GROWN);
            self.bytes.resize(grown.min(most), 0);
        }
    }

    /// Makes room for as many bytes as are there already, or for a whole read. The bytes move to the front while they
    /// are few beside what has left, later only if room is short.
    fn make_room(&mut self, most: usize) {
        let live = self.len();
        let room = self.bytes.len() - self.end;
        let cheap = live <= self.start / 8;
        if self.start > 0 && (cheap || (room < most && (live <= self.start || room < live))) {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, live);
        }
        if self.bytes.len() - self.end < live.clamp(1, most.max(1)) {
            self.bytes.resize((2 * live).max(IDLE), 0);
        }
    }

    /// A buffer that grew for a long message is given back when short ones have followed for a while. Giving it back at
    /// once would make a stream of long messages grow it anew each time.
    fn give_back_what_nobody_needs(&mut self, most: usize) {
        const READS: u32 = 16;
        let live = self.len();
        if live > 0 || self.bytes.len() <= most {
            self.empty_reads = if live > most { 0 } else { self.empty_reads };
            return;
        }
        self.empty_reads += 1;
        if self.empty_reads > READS {
            *self = FilledRoom::default();
        }
    }
}

#[cfg(test)]
mod tests;
