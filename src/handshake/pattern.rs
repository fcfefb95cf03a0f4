//! What an entry of the builder's lists of hosts and origins stands for: one host, or every name below one.

use core::net::IpAddr;

use super::origin::Origin;
use crate::http::authority::{Authority, Host, has_plain_labels};

/// The longest name that DNS has, in letters (RFC 1035 2.3.4).
const MAX_NAME: usize = 253;

/// An entry of `hosts`.
#[derive(Clone, Debug)]
pub(crate) struct HostPattern {
    name: NamePattern,
    port: Option<u16>,
}

/// An entry of `origins`.
#[derive(Clone, Debug)]
pub(crate) enum OriginPattern {
    /// `*`: every origin, and what is none.
    Any,
    /// `null`.
    Null,
    /// `scheme://`, with a host and a port where the scheme has them.
    Tuple {
        scheme: String,
        host: Option<NamePattern>,
        /// The port, written or of the scheme.
        port: Option<u16>,
    },
}

/// The hosts that an entry stands for.
#[derive(Clone, Debug)]
pub(crate) enum NamePattern {
    Address(IpAddr),
    Name(String),
    /// One or more whole labels in front of this name, and never the name itself.
    Below(String),
}

impl HostPattern {
    /// Reads `name`, `*.name` or `.name`, or an address, each with a port where it matters; `None` for anything else,
    /// which could never match.
    pub(crate) fn parse(entry: &str) -> Option<Self> {
        let Authority { host, port } = Authority::parse(entry)?.without_final_dot();
        Some(Self {
            name: NamePattern::of(host)?,
            port,
        })
    }

    /// Whether the entry stands for what a Host header names. Without a port it stands for every port; a port that the
    /// request leaves out is 80 or 443.
    pub(crate) fn matches(&self, sent: Authority<'_>) -> bool {
        let is_port = match (self.port, sent.port) {
            (None, _) => true,
            (Some(port), Some(sent)) => port == sent,
            (Some(port), None) => matches!(port, 80 | 443),
        };
        is_port && self.name.matches(sent.host)
    }
}

impl OriginPattern {
    /// Reads `*`, `null`, `scheme://`, or `scheme://` with a host as [`HostPattern::parse`] takes it; `None` for
    /// anything else, which could never match.
    pub(crate) fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Any);
        }
        let origin = Origin::parse(entry).ok()?;
        let Origin::Tuple { scheme, .. } = origin else {
            return Some(Self::Null);
        };
        Some(Self::Tuple {
            scheme: scheme.to_owned(),
            host: match origin.host() {
                Some(host) => Some(NamePattern::of(host)?),
                None => None,
            },
            port: origin.port(),
        })
    }

    /// RFC 6454 5: scheme, host and port are the same.
    pub(crate) fn matches(&self, origin: &Origin<'_>) -> bool {
        match (self, origin) {
            (Self::Any, _) | (Self::Null, Origin::Null) => true,
            (Self::Tuple { scheme, host, port }, Origin::Tuple { scheme: sent, .. }) => {
                scheme.eq_ignore_ascii_case(sent)
                    && *port == origin.port()
                    && match (host, origin.host()) {
                        (Some(host), Some(sent)) => host.matches(sent),
                        (host, sent) => host.is_none() && sent.is_none(),
                    }
            }
            _ => false,
        }
    }
}

impl NamePattern {
    fn of(host: Host<'_>) -> Option<Self> {
        let name = match host {
            Host::Address(address) => return Some(Self::Address(address)),
            Host::Name(name) if name.len() > MAX_NAME => return None,
            // The host of `app://.`, as Electron's pages have it.
            Host::Name(".") => return Some(Self::Name(".".to_owned())),
            Host::Name(name) => name,
        };
        match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            Some(base) => is_base(base).then(|| Self::Below(base.to_owned())),
            None => (!name.contains('*')).then(|| Self::Name(name.to_owned())),
        }
    }

    fn matches(&self, sent: Host<'_>) -> bool {
        match self {
            Self::Address(address) => sent == Host::Address(*address),
            Self::Name(name) => sent == Host::Name(name),
            Self::Below(base) => sent.is_below(base),
        }
    }
}

/// Nothing is below an address.
fn is_base(name: &str) -> bool {
    has_plain_labels(name) && name.parse::<IpAddr>().is_err()
}
