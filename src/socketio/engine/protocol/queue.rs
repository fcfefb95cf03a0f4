//! What waits for a client that long polling carries, bounded in packets and in bytes.

use std::collections::VecDeque;

use super::payload::PayloadWriter;

/// A message on its way to a client; a clone of it shares its bytes.
pub trait Carried: Clone {
    /// Bytes that it takes in a payload.
    fn payload_len(&self) -> usize;

    /// Appends it as a packet of a payload.
    fn append(&self, payload: &mut Vec<u8>);
}

/// A packet to be sent: a message, or one of the session's own, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutgoingPacket<M> {
    Control(String),
    Message(M),
}

impl<M: Carried> OutgoingPacket<M> {
    fn payload_len(&self) -> usize {
        match self {
            OutgoingPacket::Control(text) => text.len(),
            OutgoingPacket::Message(message) => message.payload_len(),
        }
    }

    fn append(&self, payload: &mut Vec<u8>) {
        match self {
            OutgoingPacket::Control(text) => payload.extend_from_slice(text.as_bytes()),
            OutgoingPacket::Message(message) => message.append(payload),
        }
    }
}

/// So much waits already that this does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

#[derive(Debug)]
pub struct PacketQueue<M> {
    /// Each with whether the next one belongs to it: attachments follow their header.
    packets: VecDeque<(OutgoingPacket<M>, bool)>,
    messages: usize,
    bytes: usize,
    max_packets: usize,
    max_bytes: usize,
    /// The first belongs to something that has left in part.
    begun: bool,
}

impl<M: Carried> PacketQueue<M> {
    pub fn new(max_packets: usize, max_bytes: usize) -> Self {
        PacketQueue {
            packets: VecDeque::new(),
            messages: 0,
            bytes: 0,
            max_packets,
            max_bytes,
            begun: false,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Packets of the session's own: there are never more of them than of their kinds.
    pub fn push_control(&mut self, text: String) {
        self.packets
            .push_back((OutgoingPacket::Control(text), false));
    }

    /// Adds messages that belong together, all or none. One group may always wait alone.
    pub fn push(&mut self, group: &[M]) -> Result<(), QueueFull> {
        let bytes: usize = group.iter().map(Carried::payload_len).sum();
        let fits = self.messages + group.len() <= self.max_packets
            && self.bytes.saturating_add(bytes) <= self.max_bytes;
        if self.messages > 0 && !fits {
            return Err(QueueFull);
        }
        for (at, message) in group.iter().enumerate() {
            let more = at + 1 < group.len();
            let packet = OutgoingPacket::Message(message.clone());
            self.packets.push_back((packet, more));
        }
        self.messages += group.len();
        self.bytes += bytes;
        Ok(())
    }

    /// Drops the oldest group of messages that has not left in part; true if there was one.
    pub fn drop_oldest(&mut self) -> bool {
        let mut inside = self.begun;
        let mut at = 0;
        while let Some((packet, more)) = self.packets.get(at) {
            let is_first = !inside && matches!(packet, OutgoingPacket::Message(_));
            inside = *more;
            if is_first {
                self.remove_group(at);
                return true;
            }
            at += 1;
        }
        false
    }

    fn remove_group(&mut self, at: usize) {
        while let Some((packet, more)) = self.packets.remove(at) {
            self.forget(&packet);
            if !more {
                return;
            }
        }
    }

    pub fn pop(&mut self) -> Option<OutgoingPacket<M>> {
        let (packet, more) = self.packets.pop_front()?;
        self.begun = more;
        self.forget(&packet);
        Some(packet)
    }

    fn forget(&mut self, packet: &OutgoingPacket<M>) {
        if let OutgoingPacket::Message(message) = packet {
            self.messages -= 1;
            self.bytes -= message.payload_len();
        }
    }

    /// The packets that have room in one payload.
    pub fn take_payload(&mut self, most: usize) -> Vec<u8> {
        let mut payload = PayloadWriter::new(most);
        while let Some((next, _)) = self.packets.front() {
            if !payload.has_room_for(next.payload_len()) {
                break;
            }
            if let Some(packet) = self.pop() {
                payload.push(|bytes| packet.append(bytes));
            }
        }
        payload.finish()
    }

    pub fn clear(&mut self) {
        self.packets.clear();
        (self.messages, self.bytes, self.begun) = (0, 0, false);
    }
}

#[cfg(test)]
mod tests;
