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
    /// Whether it is counted when it leaves.
    is_counted: bool,
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
    /// Compresses the message, if it may be compressed and refers to no earlier one.
    #[inline]
    pub fn new(message: &'a mut Message, compress: bool, packing: Option<Packing>) -> Self {
        let mut outbound = Outbound::of(OutboundContent::Own(message), compress);
        if let Some(packing) = packing {
            outbound.pack_by(|payload| packing.pack(payload));
        }
        outbound
    }

    /// As `new`, for a message that also goes to other connections; it is compressed once for all of them.
    pub fn shared(message: &'a Prepared, packing: Option<Packing>) -> Self {
        message.frame_as(packing);
        let compress = message.may_be_compressed();
        Outbound::of(OutboundContent::Shared(message, packing), compress)
    }

    #[inline]
    fn of(content: OutboundContent<'a>, compress: bool) -> Self {
        let (opcode, payload) = content.opcode_and_payload();
        Outbound {
            header: EncodedHeader::new(opcode, payload.len(), None),
            content,
            packed: None,
            compress,
            is_counted: true,
        }
    }

    /// For a broadcast, which counts its messages for all connections at once.
    pub fn uncounted(self) -> Self {
        Outbound {
            is_counted: false,
            ..self
        }
    }

    /// Calls `pack` to compress the message, unless it is compressed already or must not be.
    #[inline]
    pub fn pack_by(&mut self, pack: impl FnOnce(&[u8]) -> Option<Vec<u8>>) {
        if !self.compress || self.packed.is_some() {
            return;
        }
        let (opcode, payload) = self.content.opcode_and_payload();
        if let Some(packed) = pack(payload) {
            self.header = EncodedHeader::new(opcode, packed.len(), None).compressed();
            self.packed = Some(packed);
        }
    }

    /// Bytes of the message; `None` if it is not counted here.
    #[inline]
    pub fn counted(&self) -> Option<u64> {
        let (_, payload) = self.content.opcode_and_payload();
        self.is_counted.then_some(payload.len() as u64)
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
            header: &self.header,
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
