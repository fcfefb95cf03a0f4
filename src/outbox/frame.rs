//! One encoded frame, on its way or kept, and what can be told from the bytes of one.

use std::io::IoSlice;

use crate::compression::Packing;
use crate::message::Prepared;
use crate::protocol::Role;
use crate::protocol::frame::{Accepts, EncodedHeader, FrameHeader};
use crate::protocol::opcode::Opcode;

/// A frame of so many bytes is copied in less time than the kernel takes for a slice of its own.
pub(crate) const SMALL: usize = 144;

/// One encoded frame.
pub(crate) enum EncodedFrame {
    Owned { head: Vec<u8>, body: Vec<u8> },
    Shared(Prepared, Option<Packing>),
}

impl EncodedFrame {
    pub fn new(header: &EncodedHeader, payload: Vec<u8>) -> Self {
        EncodedFrame::Owned {
            head: header.as_slice().to_vec(),
            body: payload,
        }
    }

    /// A whole frame.
    pub fn bytes(frame: Vec<u8>) -> Self {
        EncodedFrame::Owned {
            head: frame,
            body: Vec::new(),
        }
    }

    pub fn parts(&self) -> [&[u8]; 2] {
        match self {
            EncodedFrame::Owned { head, body } => [head, body],
            EncodedFrame::Shared(prepared, packing) => [prepared.frame_as(*packing), &[]],
        }
    }

    pub fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }

    pub fn is_control(&self) -> bool {
        is_control(self.parts()[0])
    }

    pub fn is_ping(&self) -> bool {
        opcode_of(self.parts()[0]) == Some(Opcode::Ping as u8)
    }

    pub fn is_pong(&self) -> bool {
        is_pong(self.parts()[0])
    }
}

/// A frame on its way: encoded header and payload, or nothing and a whole frame.
#[derive(Clone, Copy)]
pub(crate) struct OutgoingFrame<'a> {
    pub header: &'a EncodedHeader,
    pub payload: &'a [u8],
}

impl<'a> OutgoingFrame<'a> {
    pub fn whole(frame: &'a [u8]) -> Self {
        OutgoingFrame {
            header: &EncodedHeader::NONE,
            payload: frame,
        }
    }

    pub fn len(&self) -> usize {
        self.header.len() + self.payload.len()
    }

    /// Hands the frame to `write`: a small one as one slice, joined on the stack.
    #[inline]
    pub fn with_slices<T>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
        if self.header.len() == 0 {
            return write(&[IoSlice::new(self.payload)]);
        }
        let header = self.header.as_slice();
        let mut joined = [0; SMALL];
        let Some(small) = joined.get_mut(..self.len()) else {
            return write(&[IoSlice::new(header), IoSlice::new(self.payload)]);
        };
        let (front, payload) = small.split_at_mut(header.len());
        front.copy_from_slice(header);
        payload.copy_from_slice(self.payload);
        write(&[IoSlice::new(small)])
    }
}

/// What a server sends, as a client parses it: unmasked.
const OWN: Accepts = Accepts {
    role: Role::Client,
    non_minimal_lengths: true,
    compression: true,
};

/// The whole frames that `bytes` of a server consist of.
pub(crate) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (header, len) = FrameHeader::parse(bytes, OWN).ok().flatten()?;
        let (frame, rest) = bytes.split_at_checked(len + usize::try_from(header.len).ok()?)?;
        bytes = rest;
        Some(frame)
    })
}

pub(crate) fn is_control(frame: &[u8]) -> bool {
    opcode_of(frame).is_some_and(|opcode| opcode >= Opcode::Close as u8)
}

pub(crate) fn is_pong(frame: &[u8]) -> bool {
    opcode_of(frame) == Some(Opcode::Pong as u8)
}

fn opcode_of(frame: &[u8]) -> Option<u8> {
    frame.first().map(|byte| byte & 0x0f)
}
