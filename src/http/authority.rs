//! The `host[:port]` that a Host header, a request target or an Origin names (RFC 3986 3.2).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host and, where it is written, a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    /// The host.
    pub(crate) host: Host<'a>,
    /// The port; `None` where the default of the scheme is meant.
    pub(crate) port: Option<u16>,
}

/// A host: an address or a name. Two names are equal whatever their ASCII case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Host<'a> {
    /// An IPv4 address, or an IPv6 address that stood in brackets.
    Address(IpAddr),
    /// A registered name, its characters checked.
    Name(&'a str),
}

impl<'a> Authority<'a> {
    /// Reads `host[:port]`; `None` for anything else, user information included (RFC 9110 4.2.4).
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = split_port(text)?;
        let port = match port {
            None | Some("") => None,
            Some(digits) => Some(parse_port(digits)?),
        };
        Some(Self {
            host: Host::parse(host)?,
            port,
        })
    }

    /// This authority, its host [without the final dot](Host::without_final_dot): what rules compare.
    pub(crate) fn without_final_dot(self) -> Self {
        Self {
            host: self.host.without_final_dot(),
            ..self
        }
    }
}

impl<'a> Host<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            let address: Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        is_registered_name(text.as_bytes()).then_some(Self::Name(text))
    }

    /// This host without the dot after its name, which stands for the root of DNS and names no other host (RFC 1034
    /// 3.1, RFC 3986 3.2.2).
    pub(crate) fn without_final_dot(self) -> Self {
        match self {
            Self::Name(name) => name.strip_suffix('.').and_then(Self::parse).unwrap_or(self),
            Self::Address(_) => self,
        }
    }

    /// Whether this is a name of one or more whole labels in front of `base`.
    pub(crate) fn is_below(self, base: &str) -> bool {
        let Self::Name(name) = self else {
            return false;
        };
        let start = name.len().checked_sub(base.len());
        start
            .and_then(|start| name.split_at_checked(start))
            .is_some_and(|(front, end)| {
                end.eq_ignore_ascii_case(base)
                    && front.strip_suffix('.').is_some_and(has_plain_labels)
            })
    }
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(two)) => one == two,
            (Self::Name(one), Self::Name(two)) => one.eq_ignore_ascii_case(two),
            _ => false,
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Cuts off what follows the host's colon; the colons of an IPv6 literal stand inside brackets.
pub(crate) fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    let host_len = match text.starts_with('[') {
        true => text.find(']')?.checked_add(1)?,
        false => text.find(':').unwrap_or(text.len()),
    };
    match text.split_at_checked(host_len)? {
        (host, "") => Some((host, None)),
        (host, rest) => Some((host, Some(rest.strip_prefix(':')?))),
    }
}

/// Digits only: `u16::from_str` alone would let a plus sign through.
pub(crate) fn parse_port(digits: &str) -> Option<u16> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten()
}

/// Labels of letters, digits, `-` and `_`, none of them empty: no percent-encoding, no dot at the end.
pub(crate) fn has_plain_labels(name: &str) -> bool {
    name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

/// unreserved, sub-delims and percent-encoded bytes (RFC 3986 3.2.2).
fn is_registered_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) => after,
            _ => return false,
        };
    }
    !name.is_empty()
}
