//! Payloads of long polling: packets joined by one separator.

use super::packet::{EnginePacket, MalformedPacket};

/// Stands between two packets. In a packet it occurs only where JSON has it escaped.
const SEPARATOR: char = '\u{1e}';

/// The packets of a body that came; behind one that is malformed nothing more is to be read.
pub fn packets(body: &str) -> impl Iterator<Item = Result<EnginePacket<'_>, MalformedPacket>> {
    body.split(SEPARATOR).map(EnginePacket::decode)
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
