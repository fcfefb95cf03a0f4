//! What clients that come back soon find: the packets that were sent meanwhile and the sockets that left, kept for a
//! while and bounded.
//!
//! A packet has an origin and a number, and a client says how far it has come: the last number of each origin. It
//! missed the packets after that which were meant for it. Two things are to be known beside the client's word. Its
//! position leaves out the origins that had been silent for long. And some packets stay on one server: they are kept
//! there alone.

use std::collections::{BTreeMap, HashMap, VecDeque};

use core::time::Duration;

use super::position::{ClientPosition, MOST_ORIGINS, PacketName, PacketOrigin, UNKNOWN};

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
    pub fn of_room(room: impl Into<String>) -> Self {
        Audience {
            rooms: vec![room.into()],
            except: Vec::new(),
        }
    }

    /// Of the rooms that it is, and of those that it leaves out.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.rooms.iter().chain(&self.except)
    }

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
    /// How far it had come with the origins that its position leaves out. With those whose packets stay on a server: up
    /// to the last packet before it came there.
    before: ClientPosition,
    /// Where it left another server: the last packet that had stayed there. Whoever misses it can get it nowhere else.
    stayed: Option<PacketName>,
    /// Where `Recovery::order` has it.
    place: (Duration, u64),
}

impl<K> Departed<K> {
    /// The number of the last packet of this origin that was sent before it came.
    pub fn before(&self, origin: PacketOrigin) -> u64 {
        self.before.of(origin).unwrap_or_default()
    }
}

#[derive(Debug)]
struct SentPacket<P> {
    name: PacketName,
    at: Duration,
    len: usize,
    audience: Audience,
    packet: P,
}

/// What is known of the packets of an origin.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// The number of its last packet.
    last: u64,
    /// All packets after this one are kept.
    whole_from: u64,
    at: Duration,
    /// How far a client has come whose position leaves the origin out: up to the one before the first that came here,
    /// or before the first that came after a long silence.
    before: u64,
}

/// What a socket finds that comes back: what it was, and what it missed, with the position after each.
pub type ReturnOf<P, K> = (Departed<K>, Vec<(P, ClientPosition)>);

/// The packets of a namespace and the sockets that left it.
#[derive(Debug)]
pub struct Recovery<P, K> {
    bounds: RecoveryBounds,
    packets: VecDeque<SentPacket<P>>,
    bytes: usize,
    heard: BTreeMap<PacketOrigin, Heard>,
    /// How many packets of this server were given a number, by its origins.
    numbered: BTreeMap<PacketOrigin, u64>,
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
            heard: BTreeMap::new(),
            numbered: BTreeMap::new(),
            departed: HashMap::new(),
            order: BTreeMap::new(),
            departures: 0,
            forgotten: Vec::new(),
        }
    }

    /// A name for a packet of this server.
    pub fn name(&mut self, origin: PacketOrigin) -> PacketName {
        let number = self.numbered.entry(origin).or_default();
        *number += 1;
        PacketName {
            origin,
            number: *number,
        }
    }

    /// The last name of this origin was given to a packet that goes nowhere.
    pub fn take_name_back(&mut self, name: PacketName) {
        self.numbered.insert(name.origin, name.number - 1);
    }

    /// A packet of this name is sent to the sockets here, and kept; gives the position of those that get it.
    pub fn advance(&mut self, name: PacketName, now: Duration) -> ClientPosition {
        let PacketName { origin, number } = name;
        let known = self.heard.get(&origin).copied();
        let last = known.map_or(0, |known| known.last);
        let heard = Heard {
            last: number.max(last),
            whole_from: match known {
                Some(known) if number <= last.saturating_add(1) => known.whole_from,
                // Some are missing before it.
                _ => number.saturating_sub(1),
            },
            at: now,
            before: match known {
                Some(known) if self.is_silent(&known, now) => last,
                Some(known) => known.before,
                None => number.saturating_sub(1),
            },
        };
        self.hear(origin, heard);
        self.position(now)
    }

    /// How far the sockets here have come: of what stays here, and of the others that were not silent for long.
    fn position(&self, now: Duration) -> ClientPosition {
        let heard = self.heard.iter();
        let lately = heard.filter(|(origin, heard)| origin.stays() || !self.is_silent(heard, now));
        lately
            .map(|(origin, heard)| (*origin, heard.last))
            .collect()
    }

    /// How far those have come that leave now, of all origins.
    pub fn last(&self) -> ClientPosition {
        let heard = self.heard.iter();
        heard.map(|(origin, heard)| (*origin, heard.last)).collect()
    }

    /// How far a socket that leaves now has come with the origins that its position leaves out. When it came, the last
    /// packet that had stayed here had the number `arrived`.
    pub fn before(&self, arrived: u64, now: Duration) -> ClientPosition {
        let heard = self.heard.iter();
        let before = heard.map(|(origin, heard)| {
            let before = match self.is_silent(heard, now) {
                _ if origin.stays() => arrived,
                true => heard.last,
                false => heard.before,
            };
            (*origin, before)
        });
        before.collect()
    }

    /// The sockets of another server have come so far: what did not come here is missing here, unless it stays there.
    // Without the feature `redis` there are no others.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub fn hear_last(&mut self, last: &ClientPosition, now: Duration) {
        for (origin, number) in last.iter().filter(|(origin, _)| !origin.stays()) {
            let known = self.heard.get(&origin);
            if known.is_none_or(|known| known.last < number) {
                let heard = Heard {
                    last: number,
                    whole_from: number,
                    at: now,
                    before: known.map_or(number, |known| known.before),
                };
                self.hear(origin, heard);
            }
        }
    }

    /// As [`before`](Recovery::before), for a socket that left another server, which told it. Of an origin that is not
    /// known there: what came here more than a window ago was before that server began; what came since may have been
    /// on its way there. What stayed here was not meant for the socket.
    // Without the feature `redis` there are no others.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub fn before_of(&self, mut told: ClientPosition, now: Duration) -> ClientPosition {
        for (origin, heard) in &self.heard {
            if told.of(*origin).is_none() {
                let is_long_ago = heard.at.saturating_add(self.bounds.window) < now;
                let is_known = is_long_ago || origin.stays();
                told.pass(PacketName {
                    origin: *origin,
                    number: if is_known { heard.last } else { UNKNOWN },
                });
            }
        }
        told
    }

    /// Of too many origins the one that was silent longest is forgotten, of those of other servers.
    fn hear(&mut self, origin: PacketOrigin, heard: Heard) {
        if self.heard.len() >= MOST_ORIGINS && !self.heard.contains_key(&origin) {
            let others = self.heard.iter().filter(|(origin, _)| !origin.stays());
            let stalest = others.min_by_key(|(_, heard)| heard.at);
            if let Some(stalest) = stalest.map(|(origin, _)| *origin) {
                self.heard.remove(&stalest);
            }
        }
        self.heard.insert(origin, heard);
    }

    /// Whether nothing came of it for two windows. A client that may still come back was here a window ago, and so has
    /// all that was sent a window before that.
    fn is_silent(&self, heard: &Heard, now: Duration) -> bool {
        heard.at.saturating_add(2 * self.bounds.window) < now
    }

    /// Keeps a packet of so many bytes.
    pub fn keep(
        &mut self,
        packet: P,
        len: usize,
        name: PacketName,
        audience: Audience,
        now: Duration,
    ) {
        self.packets.push_back(SentPacket {
            name,
            at: now,
            len,
            audience,
            packet,
        });
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
            if let Some(heard) = self.heard.get_mut(&first.name.origin) {
                heard.whole_from = heard.whole_from.max(first.name.number);
            }
            self.packets.pop_front();
        }
    }

    /// Keeps a socket that left; of too many the one that left first is forgotten. If it left another server, that has
    /// told the last packet that stayed there.
    pub fn depart(
        &mut self,
        name: String,
        rooms: Vec<String>,
        known: K,
        before: ClientPosition,
        stayed: Option<PacketName>,
        now: Duration,
    ) {
        self.forget_sockets(now);
        self.forget(&name);
        if self.departed.len() >= self.bounds.max_sockets {
            if let Some((_, first)) = self.order.pop_first() {
                self.forgotten.extend(self.departed.remove(&first));
            }
        }
        self.departures += 1;
        let place = (now, self.departures);
        self.order.insert(place, name.clone());
        let departed = Departed {
            rooms,
            known,
            before,
            stayed,
            place,
        };
        self.departed.insert(name, departed);
    }

    /// Forgets the sockets that may come back no longer; gives when the next one may not.
    pub fn forget_sockets(&mut self, now: Duration) -> Option<Duration> {
        while let Some((&(at, number), _)) = self.order.first_key_value() {
            let until = at + self.bounds.window;
            if until > now {
                return Some(until);
            }
            if let Some(name) = self.order.remove(&(at, number)) {
                self.forgotten.extend(self.departed.remove(&name));
            }
        }
        None
    }

    /// Those that were forgotten: what they are known by is the application's, and is dropped without a lock.
    pub fn take_forgotten(&mut self) -> Vec<Departed<K>> {
        std::mem::take(&mut self.forgotten)
    }

    /// The socket of this name has come back elsewhere.
    pub fn forget(&mut self, name: &str) {
        let departed = self.take(name);
        self.forgotten.extend(departed);
    }

    fn take(&mut self, name: &str) -> Option<Departed<K>> {
        let departed = self.departed.remove(name)?;
        self.order.remove(&departed.place);
        Some(departed)
    }

    /// A socket that comes back from this position, with the packets that it missed. It may have some that were sent
    /// here after those, so they get positions of their own. Nothing for one that is unknown or too late, or of whose
    /// packets some are not here, as those that stayed on another server.
    pub fn return_of(
        &mut self,
        name: &str,
        position: &ClientPosition,
        now: Duration,
    ) -> Option<ReturnOf<P, K>> {
        self.forget_sockets(now);
        self.forget_packets(now);
        let departed = self.departed.get(name)?;
        if !self.has_all_behind(position, departed) {
            return None;
        }
        let departed = self.take(name)?;
        let mut reached = position.clone();
        let mut missed = Vec::new();
        for SentPacket {
            name,
            audience,
            packet,
            ..
        } in &self.packets
        {
            // prevents: the last packet that a socket has seen comes again
            if name.number > self.seen(position, &departed.before, name.origin) {
                reached.pass(*name);
                if audience.has(&departed.rooms) {
                    missed.push((packet.clone(), reached.clone()));
                }
            }
        }
        Some((departed, missed))
    }

    fn seen(
        &self,
        position: &ClientPosition,
        before: &ClientPosition,
        origin: PacketOrigin,
    ) -> u64 {
        let told = match origin.stays() {
            // The position may be from an earlier stay.
            true => position.of(origin).max(before.of(origin)),
            false => position.of(origin).or_else(|| before.of(origin)),
        };
        // One that was heard of since it left.
        told.unwrap_or_else(|| self.heard.get(&origin).map_or(0, |heard| heard.before))
    }

    /// Whether every packet that was sent after this position is kept.
    fn has_all_behind(&self, position: &ClientPosition, departed: &Departed<K>) -> bool {
        let seen = |origin| self.seen(position, &departed.before, origin);
        let is_known =
            |(origin, _): (PacketOrigin, _)| origin.stays() || self.heard.contains_key(&origin);
        // What a server has sent that is not known here is still to come.
        position.iter().all(is_known)
            && self
                .heard
                .iter()
                .all(|(origin, heard)| (heard.whole_from..=heard.last).contains(&seen(*origin)))
            && departed
                .stayed
                .is_none_or(|last| seen(last.origin) == last.number)
    }
}

#[cfg(test)]
mod tests;
