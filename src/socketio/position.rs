//! How far a client has come: the last packet that it has of each origin. It names that when it comes back, to whatever
//! server.

use std::collections::BTreeMap;

use core::fmt;

/// Origins that a position tells of at most: servers that sent something lately.
pub const MOST_ORIGINS: usize = 64;

/// In place of the number of a packet: it cannot be told which ones a socket has got. No packet has this number.
pub const UNKNOWN: u64 = u64::MAX;

const AT_ONCE: u64 = 1 << 48;

/// What numbers packets of a namespace. A server does so three times: for those that go to all servers, for those that
/// do so and reach their one client at once, and for those that stay on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketOrigin(u64);

/// The name of a packet, which is the same on all servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketName {
    pub origin: PacketOrigin,
    /// The first is 1.
    pub number: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientPosition(BTreeMap<PacketOrigin, u64>);

// Without the feature `redis` every server is alone.
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
impl PacketOrigin {
    /// Of a server that is alone.
    pub const ALONE: PacketOrigin = PacketOrigin(0);

    /// For what the node of this number sends to all servers. 48 bits of it are as good as all.
    pub fn of_node(node: u128) -> PacketOrigin {
        PacketOrigin(node as u64 & (AT_ONCE - 1) | 1)
    }

    /// For what reaches its one client at once: where all servers keep one order, it does not wait for its place there.
    pub fn at_once(self) -> PacketOrigin {
        PacketOrigin(self.0 | AT_ONCE)
    }

    pub fn is_at_once(self) -> bool {
        self.0 & AT_ONCE > 0
    }

    /// For what stays on the server whose other origin this is.
    pub fn staying(self) -> PacketOrigin {
        PacketOrigin(self.0 & !1)
    }

    /// Whether it is for what stays on a server.
    pub fn stays(self) -> bool {
        self.0 & 1 == 0
    }
}

impl ClientPosition {
    /// `None` for what no server has written.
    pub fn parse(text: &str) -> Option<ClientPosition> {
        if text.is_empty() {
            return Some(ClientPosition::default());
        }
        let entries = text.split(',');
        let entries = entries.take(MOST_ORIGINS + 1).map(|entry| {
            let (origin, number) = entry.split_once('.')?;
            let origin = u64::from_str_radix(origin, 16).ok()?;
            let number = number.parse().ok()?;
            (number != UNKNOWN).then_some((PacketOrigin(origin), number))
        });
        let entries: Option<BTreeMap<_, _>> = entries.collect();
        entries
            .filter(|entries| entries.len() <= MOST_ORIGINS)
            .map(ClientPosition)
    }

    /// The number of the last packet of this origin.
    pub fn of(&self, origin: PacketOrigin) -> Option<u64> {
        self.0.get(&origin).copied()
    }

    /// The last packet of those that stay on the server which tells this.
    // Without the feature `redis` no other server tells anything.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub fn staying(&self) -> Option<PacketName> {
        let mut staying = self.iter().filter(|(origin, _)| origin.stays());
        staying
            .next()
            .map(|(origin, number)| PacketName { origin, number })
    }

    /// It has passed one more.
    pub fn pass(&mut self, PacketName { origin, number }: PacketName) {
        self.0.insert(origin, number);
    }

    pub fn iter(&self) -> impl Iterator<Item = (PacketOrigin, u64)> + '_ {
        self.0.iter().map(|(origin, number)| (*origin, *number))
    }
}

impl FromIterator<(PacketOrigin, u64)> for ClientPosition {
    fn from_iter<T: IntoIterator<Item = (PacketOrigin, u64)>>(entries: T) -> Self {
        ClientPosition(entries.into_iter().collect())
    }
}

/// Without a character that JSON would escape.
impl fmt::Display for ClientPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (origin, number)) in self.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{:x}.{number}", origin.0)?;
        }
        Ok(())
    }
}
