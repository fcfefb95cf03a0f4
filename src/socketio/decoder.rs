//! Puts the packets of one client together: text alone, or text and the attachments that follow it.

use serde_json::Value;

use super::packet::{Packet, PacketError};

/// The key of the objects that stand for attachments, and that of their number.
pub const PLACEHOLDER: &str = "_placeholder";
pub const PLACEHOLDER_NUMBER: &str = "num";

#[derive(Debug)]
pub struct Decoder {
    max_attachments: usize,
    max_attachment_bytes: usize,
    /// A packet whose attachments have not all come.
    begun: Option<Packet>,
    bytes: usize,
}

impl Decoder {
    pub fn new(max_attachments: usize, max_attachment_bytes: usize) -> Self {
        Decoder {
            max_attachments,
            max_attachment_bytes,
            begun: None,
            bytes: 0,
        }
    }

    /// A text message; gives a packet that is whole.
    pub fn text(&mut self, text: &str) -> Result<Option<Packet>, PacketError> {
        if self.begun.is_some() {
            return Err(PacketError::AttachmentExpected);
        }
        self.finish(Packet::decode(text, self.max_attachments)?)
    }

    /// A binary message; gives the packet that it completes.
    pub fn binary(&mut self, bytes: Vec<u8>) -> Result<Option<Packet>, PacketError> {
        let mut packet = (self.begun.take()).ok_or(PacketError::UnexpectedAttachment)?;
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > self.max_attachment_bytes {
            return Err(PacketError::AttachmentsTooLarge);
        }
        packet.attachments.push(bytes);
        self.finish(packet)
    }

    fn finish(&mut self, packet: Packet) -> Result<Option<Packet>, PacketError> {
        let due = packet.due;
        if packet.attachments.len() < due {
            self.begun = Some(packet);
            return Ok(None);
        }
        self.bytes = 0;
        let data = packet.data.as_ref();
        if due > 0 && !data.is_none_or(|data| names_only_these(data, due)) {
            return Err(PacketError::UnknownAttachment);
        }
        Ok(Some(packet))
    }
}

/// Whether every placeholder stands for one of so many attachments. As deep as JSON was parsed.
pub fn names_only_these(data: &Value, attachments: usize) -> bool {
    match data {
        Value::Array(list) => list.iter().all(|it| names_only_these(it, attachments)),
        Value::Object(fields) if fields.get(PLACEHOLDER) == Some(&Value::Bool(true)) => {
            let number = fields.get(PLACEHOLDER_NUMBER).and_then(Value::as_u64);
            number.is_some_and(|number| number < attachments as u64)
        }
        Value::Object(fields) => fields.values().all(|it| names_only_these(it, attachments)),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
