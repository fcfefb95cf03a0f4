//! A message that is handed out as it arrives: nothing of it is joined, so it may be longer than memory.

use super::parts::Parts;
use super::{Assembly, Position, ReceiveStep, Receiver};
use crate::protocol::violation::Violation;

impl Receiver {
    /// The message under way, or the next one, is handed out in parts as it arrives, `max` bytes of it at most. Its
    /// first part comes with its first header. `max_fragments` then bounds empty frames in a row, not all its frames.
    pub fn begin_parts(&mut self, max: u64) {
        self.parts = Some(Box::new(Parts::new(max)));
        if let (Position::Assembling(_), Some(inflater)) = (&self.position, &mut self.inflater) {
            inflater.allow(max);
        }
    }

    /// What is left of the message that comes in parts is to be thrown away, and the next one comes in parts, up to
    /// `max` bytes of it.
    pub fn skip_to_next(&mut self, max: u64) {
        if let Some(parts) = &mut self.parts {
            parts.skips_to = Some(max);
        }
    }

    /// The most bytes of that next message, until it begins.
    pub fn skips_to(&self) -> Option<u64> {
        self.parts.as_ref()?.skips_to
    }

    /// Undoes [`begin_parts`](Receiver::begin_parts), unless its message has begun.
    pub fn cancel_parts(&mut self) {
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
        let Some(message) = self.position.assembly() else {
            return Ok(None);
        };
        let len = match (&self.inflater, message.text) {
            (_, true) => message.verified,
            (Some(inflater), _) if message.compressed => inflater.output().len(),
            _ => self.layout.joined_len(),
        };
        if self
            .parts
            .as_ref()
            .is_none_or(|parts| parts.begun && len == 0)
        {
            return Ok(None);
        }
        if len > 0 {
            message.fragments = 0;
        }
        message.verified = 0;
        let Assembly {
            text, compressed, ..
        } = *message;
        self.count_part(len)?;
        Ok(Some(match compressed {
            true => {
                if let Some(inflater) = &mut self.inflater {
                    inflater.hand_out(len);
                }
                self.layout.hand_out(0);
                ReceiveStep::InflatedPart { text, len }
            }
            false => ReceiveStep::Part {
                text,
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
        match parts.give(len) {
            true => Ok(()),
            false => Err(too_big),
        }
    }
}
