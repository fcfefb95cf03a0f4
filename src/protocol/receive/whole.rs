//! The most frequent case: a message in one frame, all of it in the buffer.

use crate::protocol::frame::{Accepts, FrameHeader};
use crate::protocol::mask;
use crate::protocol::opcode::Opcode;

/// Where it lies.
pub(crate) struct WholeMessage {
    pub text: bool,
    mask: Option<[u8; 4]>,
    start: usize,
    pub end: usize,
}

impl WholeMessage {
    /// Looks for one of at most `max` bytes in front of the buffer. What is unusual, or wrong, is left for the general
    /// case to look at again.
    #[inline]
    pub fn find(buf: &[u8], accepts: Accepts, max: usize) -> Option<WholeMessage> {
        match FrameHeader::parse_short(buf, accepts.role) {
            Some((header, start)) => WholeMessage::behind(&header, start, buf, max),
            // The last look at what a read gave.
            None if buf.is_empty() => None,
            None => WholeMessage::find_long(buf, accepts, max),
        }
    }

    #[inline(never)]
    fn find_long(buf: &[u8], accepts: Accepts, max: usize) -> Option<WholeMessage> {
        let accepts = Accepts {
            compression: false,
            ..accepts
        };
        let (header, start) = FrameHeader::parse(buf, accepts).ok()??;
        match header.fin && matches!(header.opcode, Opcode::Text | Opcode::Binary) {
            true => WholeMessage::behind(&header, start, buf, max),
            false => None,
        }
    }

    /// The message after its header, which ends at `start`.
    #[inline]
    fn behind(header: &FrameHeader, start: usize, buf: &[u8], max: usize) -> Option<WholeMessage> {
        let len = usize::try_from(header.len).ok()?;
        if len > max || len > buf.len() - start {
            return None;
        }
        Some(WholeMessage {
            text: header.opcode == Opcode::Text,
            mask: header.mask,
            start,
            end: start + len,
        })
    }

    /// Its payload, unmasked in place.
    #[inline]
    pub fn unmask<'b>(&self, buf: &'b mut [u8]) -> &'b [u8] {
        let payload = buf.get_mut(self.start..self.end).unwrap_or_default();
        if let Some(key) = self.mask {
            mask::apply(payload, key, 0);
        }
        payload
    }
}
