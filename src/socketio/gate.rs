//! What is sent to a socket while its client has not been told that it is in: held, as much as its session may queue.

use std::collections::VecDeque;

use super::engine::part::Part;
use super::engine::protocol::queue::Carried;
use super::limits::Limits;
use crate::Overflow;

/// Whether what is sent may go out.
pub(crate) enum Gate {
    /// The client has not been told that it is in: what it is sent waits for that.
    Joining(HeldPackets),
    Joined,
    /// With the rooms that it was in.
    Left(Vec<String>),
}

/// Packets, each with its attachments.
#[derive(Default)]
pub(crate) struct HeldPackets {
    packets: VecDeque<Vec<Part>>,
    messages: usize,
    bytes: usize,
    /// Its session ends for that: it takes nothing more.
    overflowed: bool,
}

/// What became of packets that found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldOverflow {
    Dropped(usize),
    /// One was dropped, and the session is to end.
    Ends,
}

impl HeldPackets {
    /// Holds one more. Where there is no room, the policy decides, as it does for what a session queues.
    pub fn push(&mut self, packet: &[Part], limits: &Limits) -> Result<(), HeldOverflow> {
        let mut dropped = 0;
        while self.overflowed || !self.has_room_for(packet, limits) {
            match limits.overflow {
                Overflow::DropOldest if self.pop().is_some() => dropped += 1,
                Overflow::Disconnect | Overflow::Refuse if !self.overflowed => {
                    self.overflowed = true;
                    return Err(HeldOverflow::Ends);
                }
                _ => return Err(HeldOverflow::Dropped(dropped + 1)),
            }
        }
        self.messages += packet.len();
        self.bytes += len(packet);
        self.packets.push_back(packet.to_vec());
        match dropped {
            0 => Ok(()),
            dropped => Err(HeldOverflow::Dropped(dropped)),
        }
    }

    /// One packet may always wait alone.
    fn has_room_for(&self, packet: &[Part], limits: &Limits) -> bool {
        let messages = self.messages + packet.len();
        let bytes = self.bytes.saturating_add(len(packet));
        self.packets.is_empty()
            || messages <= limits.max_queued_packets && bytes <= limits.max_queued_bytes
    }

    /// The oldest first.
    pub fn into_packets(self) -> VecDeque<Vec<Part>> {
        self.packets
    }

    fn pop(&mut self) -> Option<Vec<Part>> {
        let packet = self.packets.pop_front()?;
        self.messages -= packet.len();
        self.bytes -= len(&packet);
        Some(packet)
    }
}

fn len(packet: &[Part]) -> usize {
    packet.iter().map(Carried::payload_len).sum()
}

#[cfg(test)]
mod tests;
