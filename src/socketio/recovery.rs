//! What clients that come back soon find: the packets that were sent meanwhile and the sockets that left, kept for a
//! while and bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};

use core::time::Duration;

/// How long, and how much.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryBounds {
    pub window: Duration,
    pub max_packets: usize,
    pub max_bytes: usize,
    pub max_sockets: usize,
}

/// Where a packet went.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    /// All sockets, if there is none.
    pub rooms: Vec<String>,
    pub except: Vec<String>,
}

impl Audience {
    fn has(&self, rooms: &[String]) -> bool {
        let is_meant = self.rooms.is_empty() || rooms.iter().any(|it| self.rooms.contains(it));
        is_meant && !rooms.iter().any(|it| self.except.contains(it))
    }
}

/// A socket that left, with what `K` it is known by.
#[derive(Debug)]
pub struct Departed<K> {
    pub rooms: Vec<String>,
    pub known: K,
    left_at: Duration,
}

#[derive(Debug)]
struct SentPacket<P> {
    offset: u64,
    at: Duration,
    len: usize,
    audience: Audience,
    packet: P,
}

/// The packets of a namespace and the sockets that left it.
#[derive(Debug)]
pub struct Recovery<P, K> {
    bounds: RecoveryBounds,
    packets: VecDeque<SentPacket<P>>,
    bytes: usize,
    next_offset: u64,
    /// By the secret name that each has for coming back.
    departed: HashMap<String, Departed<K>>,
    /// Those names by the time they left.
    order: BTreeMap<(Duration, u64), String>,
    departures: u64,
    /// Forgotten, and not dropped yet.
    forgotten: Vec<Departed<K>>,
}

impl<P: Clone, K> Recovery<P, K> {
    pub fn new(bounds: RecoveryBounds) -> Self {
        Recovery {
            bounds,
            packets: VecDeque::new(),
            bytes: 0,
            next_offset: 1,
            departed: HashMap::new(),
            order: BTreeMap::new(),
            departures: 0,
            forgotten: Vec::new(),
        }
    }

    /// The offset that the next packet has.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Keeps a packet of so many bytes under the next offset.
    pub fn keep(&mut self, packet: P, len: usize, audience: Audience, now: Duration) {
        self.packets.push_back(SentPacket {
            offset: self.next_offset,
            at: now,
            len,
            audience,
            packet,
        });
        self.next_offset += 1;
        self.bytes += len;
        self.forget_packets(now);
    }

    fn forget_packets(&mut self, now: Duration) {
        let bounds = self.bounds;
        while let Some(first) = self.packets.front() {
            let is_old = first.at + bounds.window < now;
            let are_many = self.packets.len() > bounds.max_packets;
            if !is_old && !are_many && self.bytes <= bounds.max_bytes {
                return;
            }
            self.bytes -= first.len;
            self.packets.pop_front();
        }
    }

    /// Keeps a socket that left; of too many the one that left first is forgotten.
    pub fn depart(&mut self, name: String, rooms: Vec<String>, known: K, now: Duration) {
        self.forget_sockets(now);
        if self.departed.len() >= self.bounds.max_sockets {
            if let Some((_, first)) = self.order.pop_first() {
                self.forgotten.extend(self.departed.remove(&first));
            }
        }
        self.departures += 1;
        self.order.insert((now, self.departures), name.clone());
        let departed = Departed {
            rooms,
            known,
            left_at: now,
        };
        self.departed.insert(name, departed);
    }

    fn forget_sockets(&mut self, now: Duration) {
        while let Some((&(at, number), _)) = self.order.first_key_value() {
            if at + self.bounds.window >= now {
                return;
            }
            if let Some(name) = self.order.remove(&(at, number)) {
                self.forgotten.extend(self.departed.remove(&name));
            }
        }
    }

    /// Those that were forgotten: what they are known by is the application's, and is dropped without a lock.
    pub fn take_forgotten(&mut self) -> Vec<Departed<K>> {
        std::mem::take(&mut self.forgotten)
    }

    /// A socket that comes back, having seen the packet of this offset last, with those that it missed; nothing for one
    /// that is unknown or too late, or of whose packets some are gone.
    pub fn return_of(
        &mut self,
        name: &str,
        offset: u64,
        now: Duration,
    ) -> Option<(Departed<K>, Vec<P>)> {
        self.forget_sockets(now);
        self.forget_packets(now);
        let seen = self.packets.iter().position(|it| it.offset == offset)?;
        let departed = self.departed.remove(name)?;
        let left_at = departed.left_at;
        self.order
            .retain(|(at, _), other| *at != left_at || other != name);
        let missed = self.packets.iter().skip(seen + 1);
        let missed = missed.filter(|it| it.audience.has(&departed.rooms));
        let missed = missed.map(|it| it.packet.clone()).collect();
        Some((departed, missed))
    }
}

#[cfg(test)]
mod tests;
