//! Which peers a list of addresses and networks names.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use super::peer::Peer;

/// Addresses and networks, and maybe programs of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerList {
    /// The first and the last address of each: one kind of addresses lies before all of the other.
    networks: Vec<RangeInclusive<IpAddr>>,
    unix: bool,
}

impl PeerList {
    /// Adds an address, a network as `10.0.0.0/8`, or `unix`; false for anything else.
    pub(crate) fn add(&mut self, entry: &str) -> bool {
        if entry == "unix" {
            self.unix = true;
            return true;
        }
        let network = parse_network(entry);
        let is_one = network.is_some();
        self.networks.extend(network);
        is_one
    }

    /// Whether it names this peer.
    pub(crate) fn contains(&self, peer: Peer) -> bool {
        match peer.counted_address() {
            Some(ip) => self.networks.iter().any(|network| network.contains(&ip)),
            None => peer == Peer::Unix && self.unix,
        }
    }
}

/// The addresses that begin with the same bits. Those behind them are zero: 10.1.2.3/8 may mean one address or sixteen
/// million.
fn parse_network(entry: &str) -> Option<RangeInclusive<IpAddr>> {
    let (address, digits) = match entry.split_once('/') {
        Some((address, digits)) => (address, Some(digits)),
        None => (entry, None),
    };
    let written: IpAddr = address.parse().ok()?;
    // IPv4 in IPv6 is IPv4, as with peers, and has so many bits in front of it.
    let first = written.to_canonical();
    let in_front = if first == written { 0 } else { 96 };
    let bits_of = |most: u32| match digits {
        None => Some(most),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let bits = digits.parse::<u32>().ok()?.checked_sub(in_front)?;
            Some(bits).filter(|&bits| bits <= most)
        }
        Some(_) => None,
    };
    let (is_whole, last) = match first {
        IpAddr::V4(ip) => {
            let free = u32::MAX.checked_shr(bits_of(u32::BITS)?).unwrap_or(0);
            let last = Ipv4Addr::from_bits(ip.to_bits() | free);
            (ip.to_bits() & free == 0, last.into())
        }
        IpAddr::V6(ip) => {
            let free = u128::MAX.checked_shr(bits_of(u128::BITS)?).unwrap_or(0);
            let last = Ipv6Addr::from_bits(ip.to_bits() | free);
            (ip.to_bits() & free == 0, last.into())
        }
    };
    is_whole.then_some(first..=last)
}

#[cfg(test)]
mod tests;
