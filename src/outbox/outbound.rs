//! A message on its way, and what it was compressed to.

use super::frame::EncodedFrame;
use crate::compression::Packing;
use crate::error::{SendError, SendErrorKind};
use crate::message::Message;
use crate::protocol::frame::EncodedHeader;
use crate::protocol::send::{AfterClose, Sender};

pub(super) struct Outbound {
    pub message: Message,
    pub packed: Option<Vec<u8>>,
    /// Whether it may be compressed.
    pub compress: bool,
}

impl Outbound {
    /// Compresses a message that may be and that refers to no other.
    pub fn new(message: Message, compress: bool, packing: Option<Packing>) -> Self {
        let packing = packing.filter(|_| compress);
        Outbound {
            packed: packing.and_then(|packing| packing.pack(message.as_bytes())),
            message,
            compress,
        }
    }

    pub fn header(&self, sender: &Sender) -> Result<EncodedHeader, AfterClose> {
        let header = sender.header(self.message.opcode(), self.payload().len(), None)?;
        Ok(match self.packed {
            Some(_) => header.compressed(),
            None => header,
        })
    }

    pub fn payload(&self) -> &[u8] {
        match &self.packed {
            Some(packed) => packed,
            None => self.message.as_bytes(),
        }
    }

    /// As a frame to be kept, with the header it was given.
    pub fn into_frame(self, header: &EncodedHeader) -> EncodedFrame {
        match self.packed {
            Some(packed) => EncodedFrame::packed(header, packed),
            None => EncodedFrame::new(header, self.message.into_bytes()),
        }
    }

    pub fn refused(self, kind: SendErrorKind) -> SendError {
        SendError::new(kind, self.message)
    }
}
