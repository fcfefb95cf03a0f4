//! What a receiver accepts, and what it finds.

use super::super::close::{self, CloseCode};
use super::super::opcode::Opcode;
use super::super::violation::Violation;
use core::ops::Range;

/// What a receiver accepts.
#[derive(Debug, Clone, Copy)]
pub struct ReceiveLimits {
    /// The longest message, in bytes.
    pub max_message: usize,
    /// The largest number of frames of one message, empty ones included; 0 counts as 1.
    pub max_fragments: u32,
    /// Takes lengths that are not in their shortest form, against RFC 6455 5.2.
    pub accept_non_minimal_lengths: bool,
}

/// What [`Receiver::receive`](super::Receiver::receive) found; its slices lie in the caller's buffer, those of a
/// compressed message in the receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'b> {
    /// Nothing is complete. Only these bytes of the buffer still matter: drop all before and after them, read more
    /// bytes after them, and call again with a buffer that begins with them.
    NeedMore {
        /// Which bytes to keep.
        keep: Range<usize>,
    },
    /// A whole message.
    Message(MessageRef<'b>),
    /// A part of one, after [`begin_parts`](super::Receiver::begin_parts).
    Part(MessagePart<'b>),
    /// A ping: a pong with this payload is owed (RFC 6455 5.5.2).
    Ping(&'b [u8]),
    /// A pong, asked for or not (RFC 6455 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close, with its reason: a Close is owed if none was sent (RFC 6455 5.5.1). Nothing comes after it.
    Close(Option<CloseCode>, &'b str),
}

/// A message where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageRef<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
}

impl MessageRef<'_> {
    /// How long it is, in bytes.
    pub fn len(&self) -> usize {
        match self {
            MessageRef::Text(text) => text.len(),
            MessageRef::Binary(bytes) => bytes.len(),
        }
    }
}

impl<'b> MessageRef<'b> {
    /// Its bytes.
    pub fn as_bytes(self) -> &'b [u8] {
        match self {
            MessageRef::Text(text) => text.as_bytes(),
            MessageRef::Binary(bytes) => bytes,
        }
    }
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

/// What has begun and is not complete after a read, and how much payload of it has arrived, in bytes as they were
/// sent: control frames between its fragments are no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderWay {
    /// Nothing.
    Nothing,
    /// What was under way after the read before, if anything was.
    Same(usize),
    /// What began after something that was completed since then.
    Later(usize),
}

/// A whole message, or what is left of one.
#[inline]
pub fn message(text: bool, payload: &[u8]) -> Result<MessageRef<'_>, Violation> {
    if !text {
        return Ok(MessageRef::Binary(payload));
    }
    match core::str::from_utf8(payload) {
        Ok(text) => Ok(MessageRef::Text(text)),
        // RFC 6455 8.1: invalid UTF-8, a character cut off at the end included, MUST fail the connection.
        Err(_) => Err(Violation::InvalidUtf8),
    }
}

/// A part of a message that is not its last.
pub fn part(text: bool, bytes: &[u8]) -> Received<'_> {
    Received::Part(MessagePart {
        text,
        bytes,
        last: false,
    })
}

/// A control frame.
pub fn control(opcode: Opcode, payload: &[u8]) -> Result<Received<'_>, Violation> {
    match opcode {
        Opcode::Ping => Ok(Received::Ping(payload)),
        Opcode::Close => close::parse(payload).map(|(code, reason)| Received::Close(code, reason)),
        _ => Ok(Received::Pong(payload)),
    }
}
