//! A message as the application sees it, and the frame that carries it, encoded once.

pub(crate) mod spare;

use std::fmt;
use std::sync::Arc;

use crate::compression::{Packing, Variants};
use crate::copy;
use crate::protocol::frame::EncodedHeader;
use crate::protocol::opcode::Opcode;
use crate::protocol::receive::MessageRef;

/// A whole message (RFC 6455 5.6): text is valid UTF-8, binary is any bytes.
///
/// Control frames never appear here: wshub answers pings and closes itself.
///
/// ```
/// use wshub::Message;
///
/// assert_eq!(Message::from("hi").as_text(), Some("hi"));
/// assert_eq!(Message::from(vec![1, 2, 3]).as_bytes(), [1, 2, 3]);
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, in a browser a string.
    Text(String),
    /// Bytes, in a browser a `Blob` or an `ArrayBuffer`.
    Binary(Vec<u8>),
}

impl Message {
    /// The payload, of either kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// The text, or `None` for a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// The payload as owned bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Message::Text(text) => text.into_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// Bytes of the payload.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// True for a message without payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// It was sent: its buffer may serve another message.
    #[inline]
    pub(crate) fn recycle(self) {
        spare::put(self.into_bytes());
    }

    pub(crate) fn opcode(&self) -> Opcode {
        match self {
            Message::Text(_) => Opcode::Text,
            Message::Binary(_) => Opcode::Binary,
        }
    }
}

/// Shows the kind, the length and the beginning, never a whole payload.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Text(text) => {
                let shown: String = text.chars().take(64).collect();
                write!(f, "Text({} bytes, {shown:?})", text.len())
            }
            Message::Binary(bytes) => {
                let shown = bytes.get(..16).unwrap_or(bytes);
                write!(f, "Binary({} bytes, {shown:02x?})", bytes.len())
            }
        }
    }
}

impl From<&str> for Message {
    #[inline]
    fn from(text: &str) -> Self {
        // Nothing is in it to be checked.
        let mut owned = String::from_utf8(spare::buffer(text.len())).unwrap_or_default();
        copy::append_text(&mut owned, text);
        Message::Text(owned)
    }
}

impl MessageRef<'_> {
    /// A copy. No `From`: where `Into<Message>` fails, the compiler lists what a message is made from, and this type is
    /// private.
    pub(crate) fn to_message(self) -> Message {
        match self {
            MessageRef::Text(text) => text.into(),
            MessageRef::Binary(bytes) => bytes.into(),
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Message::Text(text)
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        Message::Text(text.clone())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Message::Binary(bytes)
    }
}

impl From<&[u8]> for Message {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        let mut owned = spare::buffer(bytes.len());
        copy::append(&mut owned, bytes);
        Message::Binary(owned)
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Message::Binary(bytes.to_vec())
    }
}

/// A message encoded once, to be sent to many connections: a cheap clone that shares its bytes.
///
/// [`Server::broadcast`](crate::Server::broadcast) makes one for you; make your own to send the same
/// message to connections of your choice. A server's frames are not masked (RFC 6455 5.1),
/// so one encoding serves every peer.
///
/// ```
/// use wshub::Prepared;
///
/// let tick = Prepared::new("tick");
/// let same = tick.clone();
/// assert_eq!(same.len(), 4);
/// ```
///
/// The guide: [events](crate::guide::events).
#[derive(Clone)]
pub struct Prepared(Arc<Shared>);

struct Shared {
    frame: Vec<u8>,
    header: u8,
    opcode: Opcode,
    /// Whether it may be compressed, and its compressed forms as they come to be needed.
    compress: bool,
    variants: Variants,
}

impl Prepared {
    /// Encodes `message` as one frame.
    pub fn new(message: impl Into<Message>) -> Self {
        Prepared::encode(message.into(), true)
    }

    /// As [`new`](Prepared::new), for a message that is never compressed: see
    /// [`Connection::send_uncompressed`](crate::Connection::send_uncompressed).
    pub fn uncompressed(message: impl Into<Message>) -> Self {
        Prepared::encode(message.into(), false)
    }

    fn encode(message: Message, compress: bool) -> Self {
        let header = EncodedHeader::new(message.opcode(), message.len(), None);
        let mut frame = Vec::with_capacity(header.as_slice().len() + message.len());
        frame.extend_from_slice(header.as_slice());
        frame.extend_from_slice(message.as_bytes());
        Prepared(Arc::new(Shared {
            frame,
            header: header.as_slice().len() as u8,
            opcode: message.opcode(),
            compress,
            variants: Variants::default(),
        }))
    }

    /// Bytes of the payload.
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// True for a message without payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn frame(&self) -> &[u8] {
        &self.0.frame
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let header = usize::from(self.0.header);
        self.0.frame.get(header..).unwrap_or_default()
    }

    pub(crate) fn opcode(&self) -> Opcode {
        self.0.opcode
    }

    pub(crate) fn may_be_compressed(&self) -> bool {
        self.0.compress
    }

    /// The frame for a connection that compresses so, where the message may be compressed and shrinks.
    pub(crate) fn frame_as(&self, packing: Option<Packing>) -> &[u8] {
        let packed = packing.filter(|_| self.0.compress).and_then(|packing| {
            let shared = &*self.0;
            let frame = |packed: &[u8]| {
                let header = EncodedHeader::new(shared.opcode, packed.len(), None);
                [header.compressed().as_slice(), packed].concat()
            };
            shared.variants.get(packing, self.payload(), frame)
        });
        packed.unwrap_or(self.frame())
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} bytes)", self.len())
    }
}
