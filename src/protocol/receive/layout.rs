//! Where in the caller's buffer what lies.
//!
//! The buffer holds every byte that arrived and was not discarded. The `joined` bytes of the message under assembly,
//! unmasked, lie where its first frame's payload began; in front of them, and in a gap behind them, bytes no longer
//! needed; from `raw` on what was not parsed:
//!
//! ```text
//! | discard | joined bytes | gap | not parsed yet |
//! 0                              raw        buf.len()
//! ```
//!
//! Of a compressed message no bytes are joined.

use core::ops::Range;

#[derive(Debug, Default)]
pub(crate) struct BufferLayout {
    /// Bytes in front that are no longer needed.
    discard: usize,
    /// Bytes behind those that belong to the message under assembly.
    joined: usize,
    /// Where the bytes begin that were not parsed.
    raw: usize,
    /// A frame's first bytes wait for the rest.
    tail: bool,
}

impl BufferLayout {
    #[inline]
    pub fn take_discard(&mut self) -> usize {
        core::mem::take(&mut self.discard)
    }

    #[inline]
    pub fn has_tail(&self) -> bool {
        self.tail
    }

    pub fn joined_len(&self) -> usize {
        self.joined
    }

    /// The joined bytes.
    pub fn joined(&self) -> Range<usize> {
        self.discard..self.discard + self.joined
    }

    /// Where the bytes begin that were not parsed.
    pub fn raw(&self) -> usize {
        self.raw
    }

    /// The buffer was cut as it was said, and may have grown.
    pub fn begin(&mut self, buf: &[u8]) {
        self.tail = false;
        self.discard = 0;
        debug_assert!(
            self.raw <= buf.len(),
            "the caller dropped bytes that are still needed"
        );
    }

    /// A whole message, in front of the buffer up to `end`, is handed out.
    #[inline]
    pub fn pass_message(&mut self, end: usize) {
        self.discard = end;
        self.tail = false;
    }

    /// The header of a data frame was parsed.
    pub fn pass_header(&mut self, size: usize) {
        self.raw += size;
        if self.joined == 0 {
            self.discard = self.raw;
        }
    }

    /// A control frame that ends at `end` is handed out.
    pub fn pass_control(&mut self, end: usize) {
        if self.joined == 0 {
            self.discard = end;
        }
        self.raw = end - self.discard;
    }

    /// Payload up to `end` belongs to the message under assembly, and is moved onto what is joined of it.
    pub fn join(&mut self, end: usize, buf: &mut [u8]) {
        let behind = self.discard + self.joined;
        if self.raw != behind {
            buf.copy_within(self.raw..end, behind);
        }
        self.joined += end - self.raw;
        self.raw = end;
    }

    /// Payload up to `end` was taken elsewhere.
    pub fn pass(&mut self, end: usize) {
        self.discard = end;
        self.raw = end;
    }

    /// The first `len` joined bytes are handed out.
    pub fn hand_out(&mut self, len: usize) -> Range<usize> {
        let start = self.discard;
        self.joined -= len;
        self.discard = match self.joined {
            0 => self.raw,
            _ => start + len,
        };
        self.raw -= self.discard;
        start..start + len
    }

    /// All that is joined is handed out: its message is complete.
    pub fn hand_out_all(&mut self) -> Range<usize> {
        let joined = self.joined();
        (self.discard, self.joined, self.raw) = (self.raw, 0, 0);
        joined
    }

    /// Moves the bytes of an incomplete header or control frame down to the joined ones, if there are any; which bytes
    /// are to be kept.
    pub fn need_more(&mut self, buf: &mut [u8]) -> Range<usize> {
        let raw = self.raw.min(buf.len());
        let tail = buf.len() - raw;
        self.tail = tail > 0;
        if self.joined == 0 {
            self.discard = raw;
        }
        let joined = self.joined();
        if self.tail && raw != joined.end {
            buf.copy_within(raw.., joined.end);
        }
        self.raw = self.joined;
        self.discard = 0;
        joined.start..joined.end + tail
    }

    /// Nothing that comes matters any more.
    pub fn end(&mut self) {
        (self.joined, self.raw, self.tail) = (0, 0, false);
    }
}
