//! From where, and under which name, a WebSocket may be opened: the rules for Origin and Host, and the remedy that a
//! refusal prints (RFC 6455 4.2.2, 10.2).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::origin::Origin;
use super::pattern::{HostPattern, OriginPattern};
use crate::compression::config::Compression;
use crate::http::authority::{Authority, Host, has_plain_labels};
use crate::http::cors::Cors;
use crate::http::excerpt::excerpt;
use crate::http::peer_list::PeerList;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::http::token::is_token;

/// Names that no public DNS server can point at a private address: local by their definition (RFC 6761 6.3, RFC 6762
/// 3, RFC 8375).
const LOCAL_DOMAINS: [&str; 4] = ["localhost", "local", "lan", "home.arpa"];

/// What a server's builder says about who may connect. The default allows same-host origins and local hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Whether the listener is bound to loopback, so that only names of loopback are its own.
    pub(crate) loopback: bool,
    /// Where the loopback interface leads to this server, if it is known.
    pub(crate) own_loopback: Option<OwnLoopback>,
    /// Further names of this server, each with a port only where the port matters.
    pub(crate) hosts: Vec<HostPattern>,
    /// Further origins whose pages may connect.
    pub(crate) origins: Vec<OriginPattern>,
    /// Which pages of other sites may read plain answers, if any.
    pub(crate) cors: Option<Cors>,
    /// Peers that are believed about their clients.
    pub(crate) proxies: PeerList,
    /// Peers that may see the counters.
    pub(crate) metrics_from: PeerList,
    /// The subprotocols of this server, the preferred one first.
    pub(crate) subprotocols: Vec<String>,
    /// What may be compressed, if anything.
    pub(crate) compression: Option<Compression>,
    /// The first entry that could never match.
    pub(crate) invalid: Option<InvalidRule>,
}

/// An entry of [`Rules`] that could never match, so that it is a mistake to say so at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InvalidRule {
    /// An entry of `hosts` is no [`HostPattern`].
    Host(String),
    /// An entry of `origins` is no [`OriginPattern`].
    Origin(String),
    /// An entry of `subprotocols` is not a token.
    Subprotocol(String),
    /// An entry of this list of peers is no address and no network.
    Peer(&'static str, String),
}

impl Rules {
    /// Adds an entry of `hosts`.
    pub(crate) fn add_host(&mut self, entry: &str) {
        match HostPattern::parse(entry) {
            Some(pattern) => self.hosts.push(pattern),
            None => self.note_invalid(InvalidRule::Host(entry.to_owned())),
        }
    }

    /// Adds an entry of `origins`.
    pub(crate) fn add_origin(&mut self, entry: &str) {
        match OriginPattern::parse(entry) {
            Some(pattern) => self.origins.push(pattern),
            None => self.note_invalid(InvalidRule::Origin(entry.to_owned())),
        }
    }

    /// Adds an entry of `subprotocols`.
    pub(crate) fn add_subprotocol(&mut self, entry: String) {
        match is_token(entry.as_bytes()) {
            true => self.subprotocols.push(entry),
            false => self.note_invalid(InvalidRule::Subprotocol(entry)),
        }
    }

    /// Adds an entry of `trusted_proxies`.
    pub(crate) fn add_proxy(&mut self, entry: &str) {
        if !self.proxies.add(entry) {
            self.note_invalid(InvalidRule::Peer("trusted_proxies", entry.to_owned()));
        }
    }

    /// Adds an entry of `metrics_from`.
    pub(crate) fn add_metrics_peer(&mut self, entry: &str) {
        if !self.metrics_from.add(entry) {
            self.note_invalid(InvalidRule::Peer("metrics_from", entry.to_owned()));
        }
    }

    fn note_invalid(&mut self, entry: InvalidRule) {
        self.invalid.get_or_insert(entry);
    }

    /// The first entry that could never match, as an error.
    pub(crate) fn check(&self) -> Result<(), InvalidRule> {
        self.invalid.clone().map_or(Ok(()), Err)
    }
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(entry) => write!(
                f,
                "hosts: {entry:?} is not a host; write it as \"device.example.com\", as \
                 \"*.example.com\" for every name below that one, or as an address, an IPv6 \
                 address in brackets; with a port, as in \"device.example.com:8080\", only where \
                 the port matters; a name that is not ASCII as xn--"
            ),
            Self::Origin(entry) => write!(
                f,
                "origins: {entry:?} is not an origin; write it as \"https://app.example.com\", \
                 with its port but without a path, as \"https://*.example.com\" for every name \
                 below that one, as \"null\", \"file://\", or \"*\" for every page; a name that \
                 is not ASCII as xn--; for anything else, decide in .origin_rule()"
            ),
            Self::Peer(list, entry) => write!(
                f,
                "{list}: {entry:?} is no address; write it as \"192.168.1.2\", as \
                 \"10.0.0.0/8\" for a network, its own bits and then zeros, or as \"unix\" for \
                 programs of this machine that come over a Unix socket"
            ),
            Self::Subprotocol(entry) => {
                write!(
                    f,
                    "subprotocols: {entry:?} is not a token; use letters, digits, `-` and `.`"
                )
            }
        }
    }
}

impl core::error::Error for InvalidRule {}

/// Where the loopback interface leads to this server: the port, and which of 127.0.0.1 and `[::1]` get there.
/// `localhost` stands for either.
///
/// A page of one of these names and of this very port came from this server, and may open a WebSocket under another
/// of them. An address that the listener does not have is left out: at the same port of it another program may listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnLoopback {
    port: u16,
    v4: bool,
    v6: bool,
}

impl OwnLoopback {
    /// Of a listener at `addr`; `v6_only` says of one at `[::]` that IPv4 does not get there.
    pub(crate) fn of(addr: SocketAddr, v6_only: bool) -> Self {
        let (v4, v6) = match addr.ip().to_canonical() {
            IpAddr::V4(ip) => (ip == Ipv4Addr::LOCALHOST || ip.is_unspecified(), false),
            IpAddr::V6(ip) => (
                ip.is_unspecified() && !v6_only,
                ip == Ipv6Addr::LOCALHOST || ip.is_unspecified(),
            ),
        };
        Self {
            port: addr.port(),
            v4,
            v6,
        }
    }

    /// With what another listener of the server adds to it.
    pub(crate) fn and(self, other: Self) -> Self {
        match self.port == other.port {
            true => Self {
                v4: self.v4 || other.v4,
                v6: self.v6 || other.v6,
                ..self
            },
            false => self,
        }
    }

    /// Whether a page of this origin came from this server, and connects to it.
    fn is_same_site(self, origin: &Origin<'_>, target: Authority<'_>) -> bool {
        origin.port() == Some(self.port)
            && origin.is_same_port(target)
            && origin.host().is_some_and(|host| self.is(host))
            && self.is(target.host)
    }

    fn is(self, host: Host<'_>) -> bool {
        match host {
            Host::Name(name) => (self.v4 || self.v6) && name.eq_ignore_ascii_case("localhost"),
            Host::Address(address) => match address.to_canonical() {
                IpAddr::V4(ip) => self.v4 && ip == Ipv4Addr::LOCALHOST,
                IpAddr::V6(ip) => self.v6 && ip == Ipv6Addr::LOCALHOST,
            },
        }
    }
}

/// Whether a client that sends an Origin may open a WebSocket: the rules for Origin and for Host.
///
/// `ask` is asked about an origin that nothing else lets in. Rebinding needs a browser, and a browser sends an Origin:
/// a client that sends none is served under any name.
pub(crate) fn check_site(
    request: &Request,
    rules: &Rules,
    ask: impl FnOnce(&str) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let Some(sent) = request.header_bytes("origin") else {
        return Ok(());
    };
    let origin = check_origin(sent, request, rules, ask);
    let host = check_host(request, rules);
    match (origin, host) {
        // One remedy of the two would not let the request in.
        (Err(Refusal::Origin { origin, .. }), Err(Refusal::Host { host, .. })) => {
            Err(Refusal::OriginAndHost { origin, host })
        }
        (Err(Refusal::Origin { .. }), Err(host)) => Err(host),
        (origin, host) => origin.and(host),
    }
}

/// RFC 6455 4.2.2, 10.2: a page may connect to the host it came from, and to where it is listed.
fn check_origin(
    sent: &[u8],
    request: &Request,
    rules: &Rules,
    ask: impl FnOnce(&str) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    if rules
        .origins
        .iter()
        .any(|entry| matches!(entry, OriginPattern::Any))
    {
        return Ok(());
    }
    let Ok(text) = core::str::from_utf8(sent) else {
        return Err(origin_syntax(sent, "it is not ASCII"));
    };
    let origin = Origin::parse(text);
    if origin.is_ok_and(|origin| is_allowed(&origin, request, rules)) || ask(text)? {
        return Ok(());
    }
    Err(match origin {
        Ok(origin) => origin_refused(&origin, request.host()),
        Err(problem) => origin_syntax(sent, problem),
    })
}

fn is_allowed(origin: &Origin<'_>, request: &Request, rules: &Rules) -> bool {
    let target = Authority::parse(request.host()).map(Authority::without_final_dot);
    let is_own = target.is_some_and(|target| {
        let own_loopback = rules.own_loopback;
        (origin.is_same_host(target) && is_same_scheme(origin, request))
            || own_loopback.is_some_and(|own| own.is_same_site(origin, target))
    });
    is_own || rules.origins.iter().any(|entry| entry.matches(origin))
}

/// Whether a page came as its request did, as far as a trusted proxy says how that was.
fn is_same_scheme(origin: &Origin<'_>, request: &Request) -> bool {
    let sent = request.is_secure();
    sent.is_none_or(|secure| origin.is_secure() == Some(secure))
}

/// Names the origin as a list takes it, if an entry of that text lets this very origin in.
fn origin_refused(origin: &Origin<'_>, host: &str) -> Refusal {
    let entry = origin.to_string();
    let lets_in = OriginPattern::parse(&entry).is_some_and(|pattern| pattern.matches(origin));
    match lets_in {
        true => Refusal::Origin {
            origin: entry,
            host: excerpt(host.as_bytes()),
        },
        false => origin_syntax(entry.as_bytes(), "its host is no name that DNS could have"),
    }
}

fn origin_syntax(sent: &[u8], problem: &'static str) -> Refusal {
    Refusal::OriginSyntax {
        origin: excerpt(sent),
        problem,
    }
}

/// Whether this server answers to the host that the request names: the guard against DNS rebinding.
///
/// An HTTP/1.0 request without a Host passes: no browser sends one.
pub(crate) fn check_host(request: &Request, rules: &Rules) -> Result<(), Refusal> {
    let named = request.host();
    if named.is_empty() {
        return Ok(());
    }
    let Some(sent) = Authority::parse(named).map(Authority::without_final_dot) else {
        return Err(host_syntax(named));
    };
    let is_own = match rules.loopback {
        true => is_loopback(sent.host),
        false => is_local(sent.host),
    };
    match is_own || rules.hosts.iter().any(|entry| entry.matches(sent)) {
        true => Ok(()),
        false => Err(host_refused(sent, rules)),
    }
}

/// Names the host as a list takes it, if an entry of that text lets this very host in.
fn host_refused(sent: Authority<'_>, rules: &Rules) -> Refusal {
    let entry = sent.host.to_string();
    match HostPattern::parse(&entry).is_some_and(|pattern| pattern.matches(sent)) {
        true => Refusal::Host {
            host: entry,
            loopback: rules.loopback,
        },
        false => host_syntax(&entry),
    }
}

fn host_syntax(host: &str) -> Refusal {
    Refusal::HostSyntax {
        host: excerpt(host.as_bytes()),
    }
}

fn is_loopback(host: Host<'_>) -> bool {
    match host {
        Host::Address(address) => address.to_canonical().is_loopback(),
        // Browsers, and resolvers by RFC 6761 6.3, let names below localhost lead nowhere else.
        Host::Name(name) => name.eq_ignore_ascii_case("localhost") || host.is_below("localhost"),
    }
}

/// Addresses, which no DNS answer stands behind, and names that are not public.
fn is_local(host: Host<'_>) -> bool {
    match host {
        Host::Address(_) => true,
        Host::Name(name) => {
            let is_single_label = !name.contains('.') && has_plain_labels(name);
            is_single_label || LOCAL_DOMAINS.iter().any(|domain| host.is_below(domain))
        }
    }
}
