//! Frames of an Outbox that were not offered to the socket yet: they wait to leave together, in one write.

use std::io::IoSlice;

use super::frame::{self, OutgoingFrame, SMALL};
use crate::message::spare;
use crate::protocol::frame::MAX_HEADER;
use crate::stats::Counters;

/// Collected bytes that are worth a write of their own.
pub(crate) const COLLECT: usize = 64 << 10;

#[derive(Default)]
pub(crate) struct Collected {
    /// Whole frames.
    bytes: Vec<u8>,
    /// A collector knows of these frames and flushes them. Frames from its run and pongs do not count: others flush
    /// those.
    listed: bool,
    /// Messages and bytes that are counted when they leave. All connections share the counters: a thread that writes to
    /// them takes them out of the caches of other processors.
    uncounted: u32,
    uncounted_bytes: u64,
}

impl Collected {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds a frame that a collector flushes; true if the collector has to be told of it.
    // Inlined for the same reason as `Entry::leave_sent`.
    #[inline(always)]
    pub fn add(&mut self, frame: &OutgoingFrame<'_>) -> bool {
        // prevents: a newcomer's frame is nobody's to flush
        let first = !std::mem::replace(&mut self.listed, true);
        self.append(frame);
        first
    }

    #[inline]
    fn append(&mut self, frame: &OutgoingFrame<'_>) {
        let len = MAX_HEADER + frame.payload.len();
        if self.bytes.capacity() - self.bytes.len() < len {
            self.make_room(len);
        }
        frame.header.append_to(&mut self.bytes);
        self.bytes.extend_from_slice(frame.payload);
    }

    #[inline(never)]
    fn make_room(&mut self, len: usize) {
        match self.bytes.capacity() {
            0 => self.bytes = spare::buffer(len),
            _ => self.bytes.reserve(len),
        }
    }

    /// Hands what is collected to `write`, and the frame after it: a small one in the same slice.
    pub fn with_frame<T>(
        &mut self,
        frame: &OutgoingFrame<'_>,
        write: impl FnOnce(&[IoSlice<'_>]) -> T,
    ) -> T {
        let before = self.bytes.len();
        if frame.len() > SMALL {
            let parts = [&self.bytes, frame.header.as_slice(), frame.payload];
            return write(&parts.map(IoSlice::new));
        }
        self.append(frame);
        let result = write(&[IoSlice::new(&self.bytes)]);
        self.bytes.truncate(before);
        result
    }

    /// The end of the buffer, for frames that other code flushes.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// A message was added, and is counted when it leaves.
    pub fn note(&mut self, bytes: Option<u64>) {
        self.uncounted += u32::from(bytes.is_some());
        self.uncounted_bytes += bytes.unwrap_or_default();
    }

    /// Messages that were [noted](Collected::note).
    pub fn noted(&self) -> usize {
        self.uncounted as usize
    }

    pub fn count(&mut self, counters: &Counters) {
        let messages = std::mem::take(&mut self.uncounted);
        let bytes = std::mem::take(&mut self.uncounted_bytes);
        if messages > 0 {
            counters.sent(messages.into(), bytes);
        }
    }

    /// The data frames among them.
    pub fn messages(&self) -> u64 {
        let frames = frame::frames(&self.bytes);
        frames.filter(|frame| !frame::is_control(frame)).count() as u64
    }

    /// All of it has left. Much memory stays; a little is the thread's, so that thousands of connections that each send
    /// a little now and then share it.
    pub fn clear(&mut self) {
        match self.bytes.capacity() {
            0..=spare::LARGEST => spare::put(std::mem::take(&mut self.bytes)),
            _ => self.bytes.clear(),
        }
        self.listed = false;
    }

    /// Takes all of it, and the memory.
    pub fn take(&mut self) -> Vec<u8> {
        self.listed = false;
        std::mem::take(&mut self.bytes)
    }

    /// Gives back the memory, which an idle connection does not need.
    pub fn trim(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}
