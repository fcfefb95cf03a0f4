//! Where a request comes from.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// Where a connection or a request comes from: the other end of the transport.
///
/// Behind a [trusted proxy](crate::ServerBuilder::trusted_proxies) it is the client that the proxy names; behind
/// another proxy it is the proxy.
///
/// ```
/// use wshub::Peer;
///
/// let peer = Peer::Address(([127, 0, 0, 1], 4711).into());
/// assert_eq!(peer.to_string(), "127.0.0.1:4711");
/// assert_eq!(peer.ip(), Some([127, 0, 0, 1].into()));
/// assert_eq!(Peer::Unix.addr(), None);
/// ```
///
/// The guide: [security](crate::guide::security).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An address of the internet protocols.
    Address(SocketAddr),
    /// A program of this machine, over a Unix domain socket: it has no address.
    Unix,
    /// The transport does not tell, or there is nothing to tell, as in memory.
    #[default]
    Unknown,
}

impl Peer {
    /// Its address and port, if it has them.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match *self {
            Peer::Address(addr) => Some(addr),
            Peer::Unix | Peer::Unknown => None,
        }
    }

    /// Its address without the port: what connections [per address](crate::Limits::max_per_address) are counted by.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.addr().map(|addr| addr.ip())
    }

    /// The address that a client counts for, by whatever listener it has come: IPv4 in IPv6 is IPv4.
    pub(crate) fn counted_address(self) -> Option<IpAddr> {
        self.ip().map(|ip| ip.to_canonical())
    }

    /// As an entry of a list of peers names it: without its port.
    pub(crate) fn to_entry(self) -> String {
        match self.counted_address() {
            Some(ip) => ip.to_string(),
            None => self.to_string(),
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        Peer::Address(addr)
    }
}

/// For a log: the address, `unix` or `unknown`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Address(addr) => addr.fmt(f),
            Peer::Unix => f.write_str("unix"),
            Peer::Unknown => f.write_str("unknown"),
        }
    }
}
