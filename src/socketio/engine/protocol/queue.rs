//! What waits for a client that polls, or whose WebSocket takes no more, bounded in packets and in bytes.

use std::collections::VecDeque;

use super::payload::{MOST_PACKETS, SEPARATOR};
use crate::Overflow;

/// A packet on its way to a client; a clone of it shares its bytes.
pub trait Carried: Clone {
    /// A packet of the session's own, which is text.
    fn control(text: String) -> Self;

    /// Bytes that it takes in a payload.
    fn payload_len(&self) -> usize;

    /// Appends it as a packet of a payload.
    fn append(&self, payload: &mut Vec<u8>);
}

/// A packet with its place among those that belong together: attachments follow their header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedPacket<M> {
    pub packet: M,
    /// It belongs to the packet before it.
    pub is_rest: bool,
    /// The next one belongs to it.
    pub has_more: bool,
    /// Its bound is elsewhere: it takes no room of others, and makes none.
    pub is_owed: bool,
}

impl<M: Clone> QueuedPacket<M> {
    /// Messages that belong together.
    pub fn group(group: &[M]) -> impl Iterator<Item = Self> + '_ {
        group.iter().enumerate().map(|(at, message)| QueuedPacket {
            packet: message.clone(),
            is_rest: at > 0,
            has_more: at + 1 < group.len(),
            is_owed: false,
        })
    }
}

/// How much may wait, and what is done where more is sent.
#[derive(Clone, Copy, Debug)]
pub struct QueueBounds {
    pub max_packets: usize,
    pub max_bytes: usize,
    pub overflow: Overflow,
}

/// So much waits already that the client is to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

#[derive(Debug)]
pub struct PacketQueue<M> {
    packets: VecDeque<QueuedPacket<M>>,
    messages: usize,
    bytes: usize,
    bounds: QueueBounds,
}

impl<M: Carried> PacketQueue<M> {
    pub fn new(bounds: QueueBounds) -> Self {
        PacketQueue {
            packets: VecDeque::new(),
            messages: 0,
            bytes: 0,
            bounds,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Packets of the session's own: there are never more of them than of their kinds.
    pub fn push_control(&mut self, text: String) {
        let control = M::control(text);
        self.push_owed(QueuedPacket::group(&[control]));
    }

    /// Adds messages that belong together, all or none. Gives how many groups were dropped, of those that wait and this
    /// one.
    pub fn push(&mut self, group: &[M]) -> Result<usize, QueueFull> {
        let mut dropped = 0;
        while !self.has_room_for(group) {
            match self.bounds.overflow {
                Overflow::DropNewest => return Ok(1),
                Overflow::DropOldest => self.drop_oldest(),
                Overflow::Disconnect | Overflow::Refuse => return Err(QueueFull),
            }
            dropped += 1;
        }
        self.packets.extend(QueuedPacket::group(group));
        self.messages += group.len();
        self.bytes += len(group);
        Ok(dropped)
    }

    /// One group may always wait alone, or after the rest of one that has left in part.
    pub fn has_room_for(&self, group: &[M]) -> bool {
        let fits = self.messages + group.len() <= self.bounds.max_packets
            && self.bytes.saturating_add(len(group)) <= self.bounds.max_bytes;
        fits || self.oldest().is_none()
    }

    /// Adds packets beside the bound.
    pub fn push_owed(&mut self, packets: impl Iterator<Item = QueuedPacket<M>>) {
        self.packets.extend(packets.map(|queued| QueuedPacket {
            is_owed: true,
            ..queued
        }));
    }

    /// The first one first.
    pub fn into_packets(self) -> VecDeque<QueuedPacket<M>> {
        self.packets
    }

    /// Packets that were taken out and could not leave are the next ones again, in their order.
    pub fn put_back(&mut self, packets: Vec<QueuedPacket<M>>) {
        for queued in packets.into_iter().rev() {
            if !queued.is_owed {
                self.messages += 1;
                self.bytes += queued.packet.payload_len();
            }
            self.packets.push_front(queued);
        }
    }

    /// Drops the oldest group of messages that has not left in part.
    fn drop_oldest(&mut self) {
        let Some(at) = self.oldest() else {
            return;
        };
        while let Some(queued) = self.packets.remove(at) {
            self.forget(&queued);
            if !queued.has_more {
                return;
            }
        }
    }

    /// Where the oldest group of messages begins that has not left in part.
    fn oldest(&self) -> Option<usize> {
        let is_first = |queued: &QueuedPacket<M>| !queued.is_rest && !queued.is_owed;
        self.packets.iter().position(is_first)
    }

    pub fn pop(&mut self) -> Option<QueuedPacket<M>> {
        let queued = self.packets.pop_front()?;
        self.forget(&queued);
        Some(queued)
    }

    fn forget(&mut self, queued: &QueuedPacket<M>) {
        if !queued.is_owed {
            self.messages -= 1;
            self.bytes -= queued.packet.payload_len();
        }
    }

    /// The packets that have room in a payload of so many bytes; one in any case.
    pub fn take_payload(&mut self, most: usize) -> Vec<u8> {
        let mut payload = Vec::new();
        if let Some(first) = self.pop() {
            first.packet.append(&mut payload);
        }
        for _ in 1..MOST_PACKETS {
            let room = most.saturating_sub(payload.len() + 1);
            let fits = |next: &QueuedPacket<M>| next.packet.payload_len() <= room;
            if !self.packets.front().is_some_and(fits) {
                break;
            }
            if let Some(next) = self.pop() {
                payload.push(SEPARATOR as u8);
                next.packet.append(&mut payload);
            }
        }
        payload
    }

    pub fn clear(&mut self) {
        self.packets.clear();
        (self.messages, self.bytes) = (0, 0);
    }
}

fn len<M: Carried>(group: &[M]) -> usize {
    group.iter().map(Carried::payload_len).sum()
}

#[cfg(test)]
mod tests;
