//! What trusted proxies say of the client that they pass on: `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Proto` and
//! `-Host`, read from right to left, for each proxy writes after what it was sent.

use core::net::{IpAddr, SocketAddr};

use super::authority::{Authority, Host, parse_port, split_port};
use super::peer::Peer;
use super::peer_list::PeerList;
use super::quoted::{split_unquoted, unquote};
use super::refusal::Refusal;
use super::request::Request;
use super::scheme;
use super::token::{is_token, is_token_byte};

/// Which client sent a request, and over which scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) client: Peer,
    /// Whether it came by https or wss; `None` where no proxy says so.
    pub(crate) secure: Option<bool>,
    /// The host that it was sent to, where a proxy says so.
    pub(crate) host: Option<String>,
}

impl Forwarded {
    /// Where no proxy says anything.
    fn unsaid(client: Peer) -> Self {
        Forwarded {
            client,
            secure: None,
            host: None,
        }
    }
}

/// What one proxy says.
#[derive(Default)]
struct Hop {
    /// `None`: the proxy does not know, or does not tell.
    from: Option<SocketAddr>,
    proto: Option<String>,
    host: Option<String>,
}

/// The client behind the request of `peer`. The headers of a peer that is not trusted mean nothing.
///
/// # Errors
///
/// 400 for what cannot be read, and where the two kinds of headers name two clients: a proxy that writes one of them
/// lets its clients write the other.
pub(crate) fn resolve(
    request: &Request,
    peer: Peer,
    proxies: &PeerList,
) -> Result<Forwarded, Refusal> {
    if !proxies.contains(peer) {
        return Ok(Forwarded::unsaid(peer));
    }
    let standard = read_forwarded(request)?.map(|hops| walk(peer, hops, proxies));
    let common = read_x_forwarded(request)?.map(|hops| walk(peer, hops, proxies));
    let found = match (standard, common) {
        (Some(one), Some(other)) if one.client.ip() != other.client.ip() => {
            return Err(malformed(
                "Forwarded and X-Forwarded-For name two clients; have the proxy drop the one that it does not write",
            ));
        }
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => Forwarded::unsaid(peer),
    };
    match found.host.as_deref().map(Authority::parse) {
        Some(None) => Err(malformed(
            "the host is not `name`, `name:port` or `[ipv6]:port`",
        )),
        _ => Ok(found),
    }
}

/// Through trusted hops only: the first one that is not is the client.
fn walk(peer: Peer, hops: Vec<Hop>, proxies: &PeerList) -> Forwarded {
    let mut found = Forwarded::unsaid(peer);
    for hop in hops.into_iter().rev() {
        if !proxies.contains(found.client) {
            break;
        }
        // What nearer proxies say is about the way between proxies.
        found.secure = hop.proto.as_deref().and_then(scheme::is_secure);
        found.host = hop.host;
        let Some(from) = hop.from else { break };
        found.client = Peer::Address(from);
    }
    found
}

/// `None` without the header. RFC 7239 4: elements with commas between them, over all lines.
fn read_forwarded(request: &Request) -> Result<Option<Vec<Hop>>, Refusal> {
    let mut hops = Vec::new();
    let mut is_there = false;
    for line in request.values("forwarded") {
        is_there = true;
        let line = core::str::from_utf8(line).map_err(|_| BAD_FORWARDED)?;
        for element in split_unquoted(line, ',') {
            let mut hop = Hop::default();
            for pair in split_unquoted(element, ';') {
                read_pair(pair.trim_matches([' ', '\t']), &mut hop).ok_or(BAD_FORWARDED)?;
            }
            hops.push(hop);
        }
    }
    Ok(is_there.then_some(hops))
}

/// `name=value` of an element; an empty one is none.
fn read_pair(pair: &str, hop: &mut Hop) -> Option<()> {
    if pair.is_empty() {
        return Some(());
    }
    let (name, value) = pair
        .split_once('=')
        .filter(|(name, _)| is_token(name.as_bytes()))?;
    // Proxies leave the quotes away around what has a colon.
    let is_bare = |byte| is_token_byte(byte) || b":[]".contains(&byte);
    let value = unquote(value, is_bare)?;
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("for") {
        hop.from = read_node(&value)?;
    } else if is("proto") {
        hop.proto = Some(value);
    } else if is("host") {
        hop.host = Some(value);
    }
    Some(())
}

/// `None` without any of the headers.
fn read_x_forwarded(request: &Request) -> Result<Option<Vec<Hop>>, Refusal> {
    let list = |name| -> Result<Vec<&str>, Refusal> {
        let elements = request.elements(name);
        elements
            .map(|element| core::str::from_utf8(element).map_err(|_| BAD_X_FORWARDED))
            .collect()
    };
    let [clients, protos, hosts] = [
        list("x-forwarded-for")?,
        list("x-forwarded-proto")?,
        list("x-forwarded-host")?,
    ];
    if [&clients, &protos, &hosts]
        .iter()
        .all(|list| list.is_empty())
    {
        return Ok(None);
    }
    let count = clients.len().max(1);
    let hop = |from_left: usize| {
        let from_right = count - 1 - from_left;
        let client = clients.get(from_left);
        Hop {
            // Further left than the first one that is not trusted stands what nobody believes, whatever it is.
            from: client.and_then(|client| read_node(client)).flatten(),
            proto: word_of(&protos, from_right),
            host: word_of(&hosts, from_right),
        }
    };
    Ok(Some((0..count).map(hop).collect()))
}

/// What the proxy of a hop says. Where fewer say something than there are hops, the farthest of them speaks for all
/// that are farther.
fn word_of(words: &[&str], from_right: usize) -> Option<String> {
    let at = words.len().saturating_sub(from_right + 1);
    words.get(at).map(|word| (*word).to_owned())
}

/// An address, with or without a port; `None` for what is none, and nothing inside where the proxy does not tell
/// (RFC 7239 6).
fn read_node(text: &str) -> Option<Option<SocketAddr>> {
    if text.eq_ignore_ascii_case("unknown") || text.starts_with('_') {
        return Some(None);
    }
    // X-Forwarded-For has IPv6 addresses without brackets.
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Some(SocketAddr::new(ip.to_canonical(), 0)));
    }
    let (host, port) = split_port(text)?;
    let Host::Address(ip) = Host::parse(host)? else {
        return None;
    };
    let port = match port {
        None => 0,
        // An obfuscated one.
        Some(port) if port.starts_with('_') => 0,
        Some(port) => parse_port(port)?,
    };
    Some(Some(SocketAddr::new(ip.to_canonical(), port)))
}

const fn malformed(problem: &'static str) -> Refusal {
    Refusal::Forwarded { problem }
}

const BAD_FORWARDED: Refusal =
    malformed("Forwarded is no list of `for=address;proto=https;host=name` (RFC 7239 4)");
const BAD_X_FORWARDED: Refusal = malformed("X-Forwarded-For, -Proto or -Host is not ASCII");

#[cfg(test)]
mod tests;
