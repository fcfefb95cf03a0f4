//! The PROXY protocol, versions 1 and 2: what a proxy says in front of a connection about the client behind it.
//!
//! Source: haproxy.org, proxy-protocol.txt.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::authority::parse_port;
use super::peer::Peer;
use super::refusal::Refusal;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Of version 1, the longest line with its CRLF.
const V1_MOST: usize = 107;
/// Of version 2, what says how long the rest is.
const V2_HEAD: usize = 16;

/// What a connection's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyHeader {
    /// So many more bytes belong to it, at least.
    More(usize),
    /// There is none.
    Absent,
    /// It names the client; `None`: the proxy speaks for itself, as with its health checks.
    Complete(Option<Peer>),
}

/// Whether a connection begins so.
pub(crate) fn begins(received: &[u8]) -> bool {
    received.starts_with(V1) || received.starts_with(V2)
}

/// Looks at what came so far, never more than it was asked for.
///
/// # Errors
///
/// 400 for one that is malformed.
pub(crate) fn read(received: &[u8]) -> Result<ProxyHeader, Refusal> {
    match (is_begun(V1, received), is_begun(V2, received)) {
        (Some(0), _) => read_v1(received),
        (_, Some(0)) => read_v2(received),
        (Some(_), Some(_)) => Ok(ProxyHeader::More(1)),
        (Some(missing), None) | (None, Some(missing)) => Ok(ProxyHeader::More(missing)),
        (None, None) => Ok(ProxyHeader::Absent),
    }
}

/// How many bytes of a signature are missing; `None` if this is another one.
fn is_begun(signature: &[u8], received: &[u8]) -> Option<usize> {
    let common = signature.len().min(received.len());
    let same = signature.get(..common) == received.get(..common);
    same.then(|| signature.len() - common)
}

fn read_v1(received: &[u8]) -> Result<ProxyHeader, Refusal> {
    let Some(line) = received.strip_suffix(b"\r\n") else {
        return match received.len() {
            ..V1_MOST if !received.contains(&b'\n') => Ok(ProxyHeader::More(1)),
            _ => Err(malformed("version 1 is a line of at most 107 bytes")),
        };
    };
    let text = line
        .get(V1.len()..)
        .and_then(|rest| core::str::from_utf8(rest).ok());
    let mut words = text.unwrap_or_default().split(' ');
    let family = words.next();
    if family == Some("UNKNOWN") {
        return Ok(ProxyHeader::Complete(None));
    }
    let mut next = || words.next().unwrap_or_default();
    let [source, destination, source_port, destination_port] = [next(), next(), next(), next()];
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            Some("TCP4") => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
            Some("TCP6") => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            _ => None,
        }
    };
    let ends = [address(source), address(destination)];
    let ports = [parse_port(source_port), parse_port(destination_port)];
    match (ends, ports, words.next()) {
        ([Some(ip), Some(_)], [Some(port), Some(_)], None) => Ok(complete(ip, port)),
        _ => Err(malformed("version 1 is not `PROXY TCP4 from to port port`")),
    }
}

fn read_v2(received: &[u8]) -> Result<ProxyHeader, Refusal> {
    let Some((head, body)) = received.split_at_checked(V2_HEAD) else {
        return Ok(ProxyHeader::More(V2_HEAD - received.len()));
    };
    let &[.., command, family, high, low] = head else {
        return Err(malformed("it is cut short"));
    };
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(malformed("its version or command is not known")),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if body.len() < length {
        return Ok(ProxyHeader::More(length - body.len()));
    }
    if is_local {
        return Ok(ProxyHeader::Complete(None));
    }
    // What follows the addresses are TLVs: nobody here needs them.
    match (family, body) {
        // TCP over IPv4.
        (0x11, &[a, b, c, d, _, _, _, _, high, low, _, _, ..]) => {
            let ip = Ipv4Addr::new(a, b, c, d);
            Ok(complete(ip.into(), u16::from_be_bytes([high, low])))
        }
        // TCP over IPv6.
        (0x21, _) => {
            let ip = body.first_chunk::<16>();
            let port = body.get(32..36).and_then(|ports| ports.first_chunk::<2>());
            match (ip, port) {
                (Some(&ip), Some(&port)) => Ok(complete(
                    Ipv6Addr::from(ip).into(),
                    u16::from_be_bytes(port),
                )),
                _ => Err(malformed("its addresses are cut short")),
            }
        }
        (0x11, _) => Err(malformed("its addresses are cut short")),
        // A Unix socket, or what the proxy does not say.
        (0x31, _) => Ok(ProxyHeader::Complete(Some(Peer::Unix))),
        (0x00, _) => Ok(ProxyHeader::Complete(None)),
        _ => Err(malformed("it is about something else than TCP")),
    }
}

fn complete(ip: IpAddr, port: u16) -> ProxyHeader {
    let addr = SocketAddr::new(ip.to_canonical(), port);
    ProxyHeader::Complete(Some(Peer::Address(addr)))
}

fn malformed(problem: &'static str) -> Refusal {
    Refusal::ProxyProtocol { problem }
}

#[cfg(test)]
mod tests;
