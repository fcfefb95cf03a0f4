//! Payloads of long polling: packets joined by one separator.

use super::packet::{EnginePacket, MalformedPacket};

/// Stands between two packets. In a packet it occurs only where JSON has it escaped.
pub const SEPARATOR: char = '\u{1e}';

/// The packets of a body that came; after one that is malformed nothing more is to be read.
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

/// Packets of one payload that is sent. The reference client takes any number; that of python-engineio gives its
/// connection up for one more.
pub const MOST_PACKETS: usize = 16;

#[cfg(test)]
mod tests;
