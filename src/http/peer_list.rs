//! Which peers a list of addresses and networks names.

use core::net::{IpAddr, Ipv4Addr};

use super::peer::Peer;

/// Addresses and networks, and maybe programs of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerList {
    networks: Vec<Network>,
    unix: bool,
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl PeerList {
    /// Adds an address, a network as `10.0.0.0/8`, or `unix`; false for anything else.
    pub(crate) fn add(&mut self, entry: &str) -> bool {
        if entry == "unix" {
            self.unix = true;
            return true;
        }
        let network = Network::parse(entry);
        self.networks.extend(network);
        network.is_some()
    }

    /// Whether it names this peer.
    pub(crate) fn contains(&self, peer: Peer) -> bool {
        match peer.ip() {
            Some(ip) => self.networks.iter().any(|network| network.contains(ip)),
            None => peer == Peer::Unix && self.unix,
        }
    }
}

impl Network {
    fn parse(entry: &str) -> Option<Self> {
        let (address, bits) = match entry.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (entry, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = width(address);
        let bits = match bits {
            None => most,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|&bits| bits <= most)?
            }
            Some(_) => return None,
        };
        let network = Self { address, bits };
        // 10.1.2.3/8 may mean one address or sixteen million.
        (network.host_bits() == 0).then_some(network)
    }

    fn contains(self, ip: IpAddr) -> bool {
        let (ip, own) = (ip.to_canonical(), self.address);
        width(ip) == width(own)
            && (number(ip) ^ number(own))
                .checked_shr(self.free())
                .unwrap_or(0)
                == 0
    }

    /// Bits that may have any value.
    fn free(self) -> u32 {
        width(self.address) - self.bits
    }

    fn host_bits(self) -> u128 {
        let fixed = u128::MAX.checked_shl(self.free()).unwrap_or(0);
        number(self.address) & !fixed
    }
}

fn width(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests;
