//! A message that is handed out as it arrives: nothing of it is joined, so it may be longer than memory.

use super::{Position, ReceiveStep, Receiver};
use crate::protocol::violation::Violation;

/// How the message under assembly, or the next one, is handed out in parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// The longest message, in bytes.
    max: u64,
    /// How much of it was handed out.
    given: u64,
    /// It was said that it has begun.
    begun: bool,
    /// The most bytes of the next message, while the rest of this one is thrown away.
    behind: Option<u64>,
}

/// A part of a message where it lies: whole characters of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagePart<'b> {
    /// It is a text message.
    pub text: bool,
    /// None, where the message has just begun, or ended with an empty frame.
    pub bytes: &'b [u8],
    /// The message is complete.
    pub last: bool,
}

impl MessagePart<'_> {
    /// Appends its bytes; true if it is the last.
    pub fn append_to(&self, message: &mut Vec<u8>) -> bool {
        message.extend_from_slice(self.bytes);
        self.last
    }
}

/// Compressed bytes that are inflated at once for a part: they become a thousand times as many at most.
pub const PIECE: usize = 1 << 10;

impl Receiver {
    /// From now on the message under way, or the next one, comes in parts, up to `max` bytes of it; the first part with
    /// its first header. In place of the bound on its frames: so many at most hold nothing, one after the other.
    pub fn take_parts(&mut self, max: u64) {
        self.parts = Some(Box::new(Parts {
            max,
            given: 0,
            begun: false,
            behind: None,
        }));
        if let (true, Some(inflater)) = (self.position == Position::Assembling, &mut self.inflater)
        {
            inflater.allow(max);
        }
    }

    /// What is left of the message that comes in parts is to be thrown away, and the next one comes in parts, up to
    /// `max` bytes of it.
    pub fn take_parts_behind(&mut self, max: u64) {
        if let Some(parts) = &mut self.parts {
            parts.behind = Some(max);
        }
    }

    /// The most bytes of that next message.
    pub fn parts_behind(&self) -> Option<u64> {
        self.parts.as_ref()?.behind
    }

    /// Takes [`take_parts`](Receiver::take_parts) back, unless its message has begun.
    pub fn take_whole(&mut self) {
        if self.parts.as_ref().is_some_and(|parts| !parts.begun) {
            self.parts = None;
        }
    }

    /// A message that comes in parts has begun, and its last part has not come.
    pub fn is_amid_parts(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.begun)
    }

    /// The next message, or what is left of it, comes in parts.
    pub(crate) fn gives_parts(&self) -> bool {
        self.parts.is_some()
    }

    /// The longest message that may come now.
    pub(crate) fn max_len(&self) -> u64 {
        self.parts
            .as_ref()
            .map_or(self.limits.max_message as u64, |parts| parts.max)
    }

    /// How much of the message under assembly has come out.
    pub(crate) fn len_so_far(&self) -> u64 {
        let given = self.parts.as_ref().map_or(0, |parts| parts.given);
        given.saturating_add(self.layout.joined_len() as u64)
    }

    /// What has come of a message that is handed out in parts; `None`: nothing that is news.
    pub(crate) fn next_part(&mut self) -> Result<Option<ReceiveStep>, Violation> {
        let len = match (&self.inflater, self.text) {
            (_, true) => self.verified,
            (Some(inflater), _) if self.compressed => inflater.output().len(),
            _ => self.layout.joined_len(),
        };
        if self
            .parts
            .as_ref()
            .is_none_or(|parts| parts.begun && len == 0)
        {
            return Ok(None);
        }
        self.count_part(len)?;
        if len > 0 {
            self.fragments = 0;
        }
        self.verified = 0;
        Ok(Some(match self.compressed {
            true => {
                if let Some(inflater) = &mut self.inflater {
                    inflater.hand_out(len);
                }
                self.layout.hand_out(0);
                ReceiveStep::InflatedPart { len }
            }
            false => ReceiveStep::Part {
                payload: self.layout.hand_out(len),
            },
        }))
    }

    /// So many bytes of it come out now.
    pub(crate) fn count_part(&mut self, len: usize) -> Result<(), Violation> {
        let too_big = self.too_big();
        let Some(parts) = &mut self.parts else {
            return Ok(());
        };
        parts.begun = true;
        parts.given = parts.given.saturating_add(len as u64);
        match parts.given > parts.max {
            true => Err(too_big),
            false => Ok(()),
        }
    }
}
