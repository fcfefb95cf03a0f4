//! Payloads of long polling: packets joined by one separator.

use super::packet::{EnginePacket, MalformedPacket};

/// Stands between two packets. In a packet it occurs only where JSON has it escaped.
const SEPARATOR: char = '\u{1e}';

/// The packets of a body that came; behind one that is malformed nothing more is to be read.
pub struct Packets<'a> {
    /// What has not been read; an empty text is a packet, too.
    pub rest: Option<&'a str>,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<EnginePacket<'a>, MalformedPacket>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.rest?;
        let (packet, rest) = match body.split_once(SEPARATOR) {
            Some((packet, rest)) => (packet, Some(rest)),
            None => (body, None),
        };
        self.rest = rest;
        Some(EnginePacket::decode(packet))
    }
}

/// Packets of one payload. The reference client takes any number; that of python-engineio gives its connection up for
/// one more.
const MOST_PACKETS: usize = 16;

/// A payload that is put together for one answer.
pub struct PayloadWriter {
    bytes: Vec<u8>,
    packets: usize,
    most: usize,
}

impl PayloadWriter {
    /// Takes packets up to so many bytes, and one in any case.
    pub fn new(most: usize) -> Self {
        PayloadWriter {
            bytes: Vec::new(),
            packets: 0,
            most,
        }
    }

    /// Whether a packet of so many bytes has room.
    pub fn has_room_for(&self, len: usize) -> bool {
        let fits = self.packets < MOST_PACKETS && self.bytes.len() + 1 + len <= self.most;
        self.packets == 0 || fits
    }

    /// Adds a packet, as `append` writes it.
    pub fn push(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        if !self.bytes.is_empty() {
            self.bytes.push(SEPARATOR as u8);
        }
        append(&mut self.bytes);
        self.packets += 1;
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
