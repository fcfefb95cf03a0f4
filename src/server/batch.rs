//! The messages of one read, as they wait for the application.

use crate::copy;
use crate::message::Message;
use crate::outbox::LEAST_PENDING;
use crate::protocol::receive::MessageRef;

/// What a message costs beside its bytes.
const OVERHEAD: usize = 64;

/// What one read gave; an iterator over it.
pub(crate) enum Messages {
    One(Option<Message>),
    // Boxed: every slot of the channel is as large as its largest item.
    Many(Box<Batch>),
}

impl Messages {
    /// How many are left.
    pub fn left(&self) -> usize {
        match self {
            Messages::One(message) => usize::from(message.is_some()),
            Messages::Many(batch) => batch.ends.len() - batch.taken,
        }
    }

    /// Bytes they cost while they wait.
    pub fn cost(&self) -> usize {
        let ends = match self {
            Messages::One(_) => 0,
            Messages::Many(batch) => size_of_val(&*batch.ends),
        };
        OVERHEAD + self.bytes() + ends
    }

    /// Bytes they have.
    pub fn bytes(&self) -> usize {
        match self {
            Messages::One(message) => message.as_ref().map_or(0, Message::len),
            Messages::Many(batch) => batch.text.len() + batch.binary.len(),
        }
    }
}

impl Iterator for Messages {
    type Item = Message;

    #[inline]
    fn next(&mut self) -> Option<Message> {
        match self {
            Messages::One(message) => message.take(),
            Messages::Many(batch) => batch.next(),
        }
    }
}

/// Messages of one read in common buffers, so that a message costs no allocation before the application takes it.
#[derive(Default)]
pub(crate) struct Batch {
    /// The first, while it seems to be the only one: it is not copied again, and its buffer may be a spare one.
    alone: Option<Message>,
    text: String,
    binary: Vec<u8>,
    /// Where each message ends in its buffer.
    ends: Vec<MessageEnd>,
    /// How many the application has taken, and the bytes of them.
    taken: usize,
    text_taken: usize,
    binary_taken: usize,
}

#[derive(Clone, Copy)]
enum MessageEnd {
    Text(usize),
    Binary(usize),
}

const _: () = assert!(size_of::<MessageEnd>() >= LEAST_PENDING);

impl Batch {
    /// `more`: how many bytes of further frames follow. Room for them at once saves a batch of small
    /// messages its growth, which cost more than the messages.
    #[inline]
    pub fn push(&mut self, message: MessageRef<'_>, more: usize) {
        match self.ends.is_empty() {
            true => self.begin(message, more),
            false => self.append(message, more),
        }
    }

    /// Adds one of the first two.
    #[inline(never)]
    fn begin(&mut self, message: MessageRef<'_>, more: usize) {
        const FEW: usize = 16;
        // Headers are not counted off: so much is that of this message alone.
        const HEADER: usize = 14;
        let first = self.alone.take();
        if first.is_none() && more <= HEADER {
            self.alone = Some(message.to_message());
            return;
        }
        self.ends.reserve_exact(FEW);
        match &first {
            Some(Message::Text(first)) => self.append(MessageRef::Text(first), more),
            Some(Message::Binary(first)) => self.append(MessageRef::Binary(first), more),
            None => {}
        }
        self.append(message, more);
    }

    #[inline]
    fn append(&mut self, message: MessageRef<'_>, more: usize) {
        let end = match message {
            MessageRef::Text(text) => {
                if self.text.is_empty() {
                    self.text.reserve(text.len() + more);
                }
                copy::append_text(&mut self.text, text);
                MessageEnd::Text(self.text.len())
            }
            MessageRef::Binary(bytes) => {
                if self.binary.is_empty() {
                    self.binary.reserve(bytes.len() + more);
                }
                copy::append(&mut self.binary, bytes);
                MessageEnd::Binary(self.binary.len())
            }
        };
        self.ends.push(end);
    }

    /// The messages, if there are any; one alone is not copied again.
    pub fn finish(mut self) -> Option<Messages> {
        if self.alone.is_some() {
            return Some(Messages::One(self.alone));
        }
        self.give_room_back();
        match self.ends[..] {
            [] => None,
            [MessageEnd::Text(_)] => Some(Messages::One(Some(Message::Text(self.text)))),
            [MessageEnd::Binary(_)] => Some(Messages::One(Some(Message::Binary(self.binary)))),
            _ => Some(Messages::Many(Box::new(self))),
        }
    }

    /// The bytes that followed may have been the beginning of a long message. Credit counts bytes, not room: so room
    /// that is not used is given back.
    fn give_room_back(&mut self) {
        if self.text.capacity() > 2 * self.text.len() {
            self.text.shrink_to_fit();
        }
        if self.binary.capacity() > 2 * self.binary.len() {
            self.binary.shrink_to_fit();
        }
    }

    #[inline]
    fn next(&mut self) -> Option<Message> {
        let end = *self.ends.get(self.taken)?;
        self.taken += 1;
        Some(match end {
            MessageEnd::Text(end) => {
                let start = std::mem::replace(&mut self.text_taken, end);
                Message::from(self.text.get(start..end).unwrap_or_default())
            }
            MessageEnd::Binary(end) => {
                let start = std::mem::replace(&mut self.binary_taken, end);
                Message::from(self.binary.get(start..end).unwrap_or_default())
            }
        })
    }
}

#[cfg(test)]
mod tests;
