//! Packets of Engine.IO: a type digit and what follows it. Only messages carry data of a user's; binary ones have forms
//! of their own, bytes in a WebSocket and `b` with base64 in a payload.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// As lenient as the reference server is: clients that leave the padding out are understood.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A packet that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnginePacket<'a> {
    /// Servers send it; from a client it means nothing.
    Open,
    Close,
    /// `probe` opens an upgrade.
    Ping(&'a str),
    Pong,
    Text(&'a str),
    Binary(Vec<u8>),
    Upgrade,
    Noop,
}

/// Not a packet: an unknown type, or base64 that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedPacket;

impl<'a> EnginePacket<'a> {
    /// Reads one packet of a payload, or a text message of a WebSocket.
    pub fn decode(text: &'a str) -> Result<Self, MalformedPacket> {
        let mut rest = text.chars();
        let kind = rest.next().ok_or(MalformedPacket)?;
        let data = rest.as_str();
        Ok(match kind {
            '0' => EnginePacket::Open,
            '1' => EnginePacket::Close,
            '2' => EnginePacket::Ping(data),
            '3' => EnginePacket::Pong,
            '4' => EnginePacket::Text(data),
            '5' => EnginePacket::Upgrade,
            '6' => EnginePacket::Noop,
            'b' => EnginePacket::Binary(decode_base64(data).ok_or(MalformedPacket)?),
            _ => return Err(MalformedPacket),
        })
    }
}

pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; base64::decoded_len_estimate(text.len())];
    let len = BASE64.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(len);
    Some(bytes)
}

/// Appends `b` and the bytes in base64.
pub fn append_binary(payload: &mut Vec<u8>, bytes: &[u8]) {
    payload.push(b'b');
    append_base64(payload, bytes);
}

pub fn append_base64(payload: &mut Vec<u8>, bytes: &[u8]) {
    let start = payload.len();
    payload.resize(start + base64_len(bytes.len()), 0);
    let room = payload.get_mut(start..).unwrap_or_default();
    let written = BASE64.encode_slice(bytes, room);
    debug_assert_eq!(written.ok(), Some(base64_len(bytes.len())));
}

/// Characters that so many bytes take in base64.
pub const fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

#[cfg(test)]
mod tests;
