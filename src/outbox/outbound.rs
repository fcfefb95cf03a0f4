//! A message on its way, and what it was compressed to.

use super::frame::{EncodedFrame, OutgoingFrame};
use crate::compression::Packing;
use crate::message::{Message, Prepared};
use crate::protocol::frame::EncodedHeader;
use crate::protocol::opcode::Opcode;

pub(crate) struct Outbound<'a> {
    content: OutboundContent<'a>,
    header: EncodedHeader,
    packed: Option<Vec<u8>>,
    /// Whether it may be compressed.
    compress: bool,
}

enum OutboundContent<'a> {
    /// Stays with its sender unless it has to be kept.
    Own(&'a mut Message),
    /// It goes to others, too.
    Shared(&'a Prepared, Option<Packing>),
}

impl OutboundContent<'_> {
    fn opcode_and_payload(&self) -> (Opcode, &[u8]) {
        match self {
            OutboundContent::Own(message) => (message.opcode(), message.as_bytes()),
            OutboundContent::Shared(message, _) => (message.opcode(), message.payload()),
        }
    }
}

impl<'a> Outbound<'a> {
    /// Compresses a message that may be and that refers to no other.
    #[inline]
    pub fn new(message: &'a mut Message, compress: bool, packing: Option<Packing>) -> Self {
        let packing = packing.filter(|_| compress);
        let packed = packing.and_then(|packing| packing.pack(message.as_bytes()));
        Outbound::of(OutboundContent::Own(message), packed, compress)
    }

    /// The same for one that goes to others, too, unless it was compressed for one of them.
    pub fn shared(message: &'a Prepared, packing: Option<Packing>) -> Self {
        message.frame_as(packing);
        let compress = message.may_be_compressed();
        Outbound::of(OutboundContent::Shared(message, packing), None, compress)
    }

    #[inline]
    fn of(content: OutboundContent<'a>, packed: Option<Vec<u8>>, compress: bool) -> Self {
        let (opcode, payload) = content.opcode_and_payload();
        let header = match &packed {
            Some(packed) => EncodedHeader::new(opcode, packed.len(), None).compressed(),
            None => EncodedHeader::new(opcode, payload.len(), None),
        };
        Outbound {
            content,
            header,
            packed,
            compress,
        }
    }

    /// The same as a compressor of the connection's own packs it, unless it is packed, or must not be.
    #[inline]
    pub fn packed_by(self, pack: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Self {
        if !self.compress || self.packed.is_some() {
            return self;
        }
        match pack(self.content.opcode_and_payload().1) {
            Some(packed) => Outbound::of(self.content, Some(packed), true),
            None => self,
        }
    }

    /// Bytes of the message. `None` where it goes to others, too, and is counted for all of them at once.
    #[inline]
    pub fn counted(&self) -> Option<u64> {
        match &self.content {
            OutboundContent::Own(message) => Some(message.len() as u64),
            OutboundContent::Shared(..) => None,
        }
    }

    #[inline]
    pub fn frame(&self) -> OutgoingFrame<'_> {
        let payload = match (&self.packed, &self.content) {
            (Some(packed), _) => packed,
            (None, OutboundContent::Own(message)) => message.as_bytes(),
            (None, OutboundContent::Shared(message, packing)) => {
                return OutgoingFrame::whole(message.frame_as(*packing));
            }
        };
        OutgoingFrame {
            header: self.header.as_slice(),
            payload,
        }
    }

    /// As a frame to be kept.
    pub fn into_frame(self) -> EncodedFrame {
        match (self.packed, self.content) {
            (Some(mut packed), _) => {
                // Without the room that compressing took.
                packed.shrink_to_fit();
                EncodedFrame::new(&self.header, packed)
            }
            (None, OutboundContent::Own(message)) => {
                let message = std::mem::replace(message, Message::Binary(Vec::new()));
                EncodedFrame::new(&self.header, message.into_bytes())
            }
            (None, OutboundContent::Shared(message, packing)) => {
                EncodedFrame::Shared(message.clone(), packing)
            }
        }
    }
}
