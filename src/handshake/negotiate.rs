//! Whether a request may be served: the steps of RFC 6455 4.2, then origin, host and subprotocol.

use core::fmt;
use core::net::IpAddr;

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::authority::{Authority, Host};
use super::is_token;
use super::refusal::{Refusal, excerpt};
use super::request::{Request, Version};
use crate::deflate::{Agreed, Compression};

/// What is appended to the key before it is hashed (RFC 6455 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// 16 bytes in base64, with padding.
const KEY_LEN: usize = 24;

/// Base64 that minds its padding but not the four bits which a key of 16 bytes leaves over: clients that draw 22
/// letters at random exist, and other servers take them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Names that no public DNS server can point at a private address: local by their definition (RFC 6762 3, RFC 8375).
const LOCAL_SUFFIXES: [&str; 3] = [".local", ".lan", ".home.arpa"];

/// What a server's builder says about who may connect. The default allows same-host origins and local hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Whether the listener is bound to loopback, so that only names of loopback are its own.
    pub(crate) loopback: bool,
    /// Further names of this server, each with a port only where the port matters.
    pub(crate) hosts: Vec<String>,
    /// Further origins whose pages may connect; `*` allows every page.
    pub(crate) origins: Vec<String>,
    /// The subprotocols of this server, the preferred one first.
    pub(crate) subprotocols: Vec<String>,
    /// What may be compressed, if anything.
    pub(crate) compression: Option<Compression>,
}

/// An entry of [`Rules`] that could never match, so that it is a mistake to say so at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InvalidRule {
    /// An entry of `hosts` is not `name` or `name:port`.
    Host(String),
    /// An entry of `origins` is not `scheme://host`, `scheme://host:port`, `null` or `*`.
    Origin(String),
    /// An entry of `subprotocols` is not a token.
    Subprotocol(String),
}

impl Rules {
    /// Finds the first entry that is not what its list holds.
    pub(crate) fn check(&self) -> Result<(), InvalidRule> {
        if let Some(host) = self
            .hosts
            .iter()
            .find(|host| host.contains('*') || Authority::parse(host).is_none())
        {
            return Err(InvalidRule::Host(host.clone()));
        }
        if let Some(origin) = self.origins.iter().find(|origin| !is_origin_rule(origin)) {
            return Err(InvalidRule::Origin(origin.clone()));
        }
        match self
            .subprotocols
            .iter()
            .find(|name| !is_token(name.as_bytes()))
        {
            Some(name) => Err(InvalidRule::Subprotocol(name.clone())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(entry) => {
                write!(
                    f,
                    "hosts: {entry:?} is not a host; write it as \"device.example.com\" or \
                 \"device.example.com:8080\""
                )
            }
            Self::Origin(entry) => write!(
                f,
                "origins: {entry:?} is not an origin; write it as \"https://app.example.com\" \
                 without a path, \"null\" or \"*\""
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

/// A WebSocket that may be opened: what its 101 says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// The value of Sec-WebSocket-Accept.
    pub(crate) accept_key: [u8; 28],
    /// The subprotocol, where client and server have one in common.
    pub(crate) subprotocol: Option<String>,
    /// The compression, where client and server have it in common.
    pub(crate) extension: Option<Agreed>,
}

/// Whether a plain request may go to the `http` hook: its method, its framing and its host.
pub(crate) fn plain(request: &Request, rules: &Rules) -> Result<(), Refusal> {
    check_method(request, &["GET", "HEAD"])?;
    body(request)?;
    check_host(request, rules)
}

/// Whether a request may open a WebSocket, and how the server answers it (RFC 6455 4.2.2).
pub(crate) fn upgrade(request: &Request, rules: &Rules) -> Result<Upgrade, Refusal> {
    check_method(request, &["GET"])?;
    check_upgrade(request)?;
    if body(request)? == Body::Some {
        return Err(Refusal::BodyOnUpgrade);
    }
    check_version(request)?;
    let accept_key = request
        .header_bytes("sec-websocket-key")
        .and_then(accept_key)
        .ok_or(Refusal::Key)?;
    check_origin(request, rules)?;
    // Rebinding needs a browser, and a browser sends an Origin; other programs are served under any name.
    if request.header_bytes("origin").is_some() {
        check_host(request, rules)?;
    }
    Ok(Upgrade {
        accept_key,
        subprotocol: choose_subprotocol(request, rules)?,
        extension: choose_extension(request, rules),
    })
}

/// To decline an extension is to say nothing (RFC 6455 9.1), and others than compression are not spoken here.
fn choose_extension(request: &Request, rules: &Rules) -> Option<Agreed> {
    let own = rules.compression.as_ref()?;
    own.accept(request.values("sec-websocket-extensions"))
}

/// RFC 6455 4.2.2, point 5.4: the base64 of the SHA-1 of the key and a fixed text; `None` unless the key is the base64
/// of 16 bytes.
pub(crate) fn accept_key(key: &[u8]) -> Option<[u8; 28]> {
    // The decoder rounds its need for space up to whole groups, hence 18.
    let mut nonce = [0; 18];
    let decoded = (key.len() == KEY_LEN).then(|| BASE64.decode_slice(key, &mut nonce))?;
    if decoded != Ok(16) {
        return None;
    }
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(KEY_SUFFIX);
    let mut accept = [0; 28];
    BASE64
        .encode_slice(hash.digest().bytes(), &mut accept)
        .ok()?;
    Some(accept)
}

/// Whether this server answers to the host that the request names: the guard against DNS rebinding.
///
/// An HTTP/1.0 request without a Host passes: no browser sends one.
pub(crate) fn check_host(request: &Request, rules: &Rules) -> Result<(), Refusal> {
    let named = request.host();
    if named.is_empty() {
        return Ok(());
    }
    let Some(authority) = Authority::parse(named) else {
        return Err(host_refused(named, rules));
    };
    let own = match rules.loopback {
        true => is_loopback(authority.host),
        false => is_local(authority.host),
    };
    match own
        || rules
            .hosts
            .iter()
            .any(|entry| is_host_entry(entry, authority))
    {
        true => Ok(()),
        false => Err(host_refused(&authority.host.to_string(), rules)),
    }
}

fn host_refused(host: &str, rules: &Rules) -> Refusal {
    Refusal::Host {
        host: excerpt(host.as_bytes()),
        loopback: rules.loopback,
    }
}

/// RFC 9110 9.1: methods are case-sensitive. RFC 6455 4.2.1: the handshake is a GET.
fn check_method(request: &Request, served: &[&str]) -> Result<(), Refusal> {
    match served.contains(&request.method()) {
        true => Ok(()),
        false => Err(Refusal::Method {
            method: excerpt(request.method().as_bytes()),
        }),
    }
}

/// RFC 9110 7.8: Upgrade means nothing in HTTP/1.0. RFC 6455 4.2.1: both headers, as lists and in any case.
fn check_upgrade(request: &Request) -> Result<(), Refusal> {
    if request.version() == Version::Http10 {
        return Err(Refusal::UpgradeOverHttp10);
    }
    match request.lists("upgrade", "websocket") && request.lists("connection", "upgrade") {
        true => Ok(()),
        false => Err(Refusal::UpgradeMissing),
    }
}

/// Whether a request announces a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Some,
}

/// RFC 9112 6.3: a length that is no number, a length beside a coding, or a coding that does not say where the body
/// ends, is an error and may be an attack.
fn body(request: &Request) -> Result<Body, Refusal> {
    let coded = request.header_bytes("transfer-encoding").is_some();
    let mut lengths = request.values("content-length");
    match (coded, lengths.next(), lengths.next()) {
        (false, None, _) => Ok(Body::None),
        // RFC 9112 6.1: a coding in HTTP/1.0 is faulty framing.
        (true, None, _) if request.version() == Version::Http10 => Err(Refusal::Malformed(
            "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 6.1)",
        )),
        (true, None, _) if !ends_chunked(request) => Err(Refusal::Malformed(
            "the last coding of Transfer-Encoding is not chunked (RFC 9112 6.3); send \
             `Transfer-Encoding: chunked`, or Content-Length",
        )),
        (true, None, _) => Ok(Body::Some),
        (true, Some(_), _) => Err(Refusal::Malformed(
            "both Transfer-Encoding and Content-Length (RFC 9112 6.3)",
        )),
        (false, Some(_), Some(_)) => Err(Refusal::Malformed(
            "two Content-Length headers (RFC 9112 6.3)",
        )),
        (false, Some(length), None) => body_of_length(length),
    }
}

/// Whether the body is chunked, once and last (RFC 9112 6.1). No coding that is known has parameters.
fn ends_chunked(request: &Request) -> bool {
    let mut codings = request.elements("transfer-encoding");
    codings.any(|coding| coding.eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
        && request.elements("transfer-encoding").all(is_token)
}

fn body_of_length(length: &[u8]) -> Result<Body, Refusal> {
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed(
            "Content-Length is not a number (RFC 9112 6.3)",
        ));
    }
    match length.iter().all(|&digit| digit == b'0') {
        true => Ok(Body::None),
        false => Ok(Body::Some),
    }
}

/// RFC 6455 4.2.1, 4.4: 13, as it is spelled, and nothing else.
fn check_version(request: &Request) -> Result<(), Refusal> {
    match request.header_bytes("sec-websocket-version") {
        Some(b"13") => Ok(()),
        sent => Err(Refusal::WebSocketVersion {
            sent: sent.map(excerpt),
        }),
    }
}

/// RFC 6455 4.2.2, 10.2: a page may connect to the host it came from, and to where it is listed.
fn check_origin(request: &Request, rules: &Rules) -> Result<(), Refusal> {
    let Some(sent) = request.header_bytes("origin") else {
        return Ok(());
    };
    let allowed = core::str::from_utf8(sent).is_ok_and(|origin| {
        is_same_host(origin, request.host())
            || rules
                .origins
                .iter()
                .any(|entry| is_origin_entry(entry, origin))
    });
    match allowed || rules.origins.iter().any(|entry| entry == "*") {
        true => Ok(()),
        false => Err(Refusal::Origin {
            origin: excerpt(sent),
            host: excerpt(request.host().as_bytes()),
        }),
    }
}

/// An origin as browsers write it: `scheme://host[:port]` (RFC 6454 6.2).
#[derive(Clone, Copy)]
struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        is_scheme(scheme.as_bytes()).then_some(Self {
            scheme,
            authority: Authority::parse(authority)?,
        })
    }

    /// The port, written or of the scheme.
    fn port(&self) -> Option<u16> {
        self.authority.port.or_else(|| default_port(self.scheme))
    }

    /// RFC 6454 5: scheme, host and port are the same.
    fn is(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.authority.host == other.authority.host
            && self.port() == other.port()
    }
}

/// RFC 3986 3.1.
fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn default_port(scheme: &str) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    match () {
        () if is("http") || is("ws") => Some(80),
        () if is("https") || is("wss") => Some(443),
        () => None,
    }
}

/// Whether a page came from the host that it connects to. A port that Host leaves out is that of the page's scheme,
/// so that `https://h` is at home on Host `h` behind a proxy that ends TLS.
fn is_same_host(origin: &str, host: &str) -> bool {
    let (Some(origin), Some(target)) = (Origin::parse(origin), Authority::parse(host)) else {
        return false;
    };
    // A scheme without a default port is no web page's.
    let Some(default) = default_port(origin.scheme) else {
        return false;
    };
    origin.authority.host == target.host && origin.port() == Some(target.port.unwrap_or(default))
}

/// An origin of the list: compared as an origin, or as text where it is none (`null`, `file://`).
fn is_origin_entry(entry: &str, origin: &str) -> bool {
    match (Origin::parse(entry), Origin::parse(origin)) {
        (Some(entry), Some(origin)) => entry.is(&origin),
        (None, None) => entry.eq_ignore_ascii_case(origin),
        _ => false,
    }
}

fn is_origin_rule(entry: &str) -> bool {
    matches!(entry, "*" | "null" | "file://") || Origin::parse(entry).is_some()
}

/// A name of the list. Without a port it stands for every port; a port that the request leaves out is 80 or 443.
fn is_host_entry(entry: &str, sent: Authority<'_>) -> bool {
    let Some(entry) = Authority::parse(entry) else {
        return false;
    };
    let is_port = match (entry.port, sent.port) {
        (None, _) => true,
        (Some(port), Some(sent)) => port == sent,
        (Some(port), None) => matches!(port, 80 | 443),
    };
    is_port && entry.host == sent.host
}

fn is_loopback(host: Host<'_>) -> bool {
    match host {
        Host::Address(address) => is_loopback_address(address),
        Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Addresses, which no DNS answer stands behind, and names that are not public.
fn is_local(host: Host<'_>) -> bool {
    match host {
        Host::Address(_) => true,
        Host::Name(name) => {
            has_plain_labels(name) && (!name.contains('.') || has_local_suffix(name))
        }
    }
}

/// Labels of letters, digits, `-` and `_`, none of them empty: no percent-encoding, no dot at the end.
fn has_plain_labels(name: &str) -> bool {
    name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

/// A suffix with nothing before it has an empty label, and is no name.
fn has_local_suffix(name: &str) -> bool {
    LOCAL_SUFFIXES.iter().any(|suffix| {
        let start = name.len().checked_sub(suffix.len());
        start
            .and_then(|start| name.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    })
}

/// RFC 6455 4.2.2: one of those that the client offers, the server's favourite, or none. One pass over the offers.
fn choose_subprotocol(request: &Request, rules: &Rules) -> Result<Option<String>, Refusal> {
    let mut best: Option<usize> = None;
    for offered in request.elements("sec-websocket-protocol") {
        // RFC 6455 4.1: each is a token.
        if !is_token(offered) {
            return Err(Refusal::SubprotocolSyntax);
        }
        let rank = rules
            .subprotocols
            .iter()
            .position(|own| own.as_bytes() == offered);
        best = rank.into_iter().chain(best).min();
    }
    Ok(best.and_then(|rank| rules.subprotocols.get(rank)).cloned())
}
