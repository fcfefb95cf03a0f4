//! The URL of a client: what its parts say, and which of them is wrong (RFC 3986 3, RFC 6455 3).

use core::fmt;

use crate::http::authority::{Host, parse_port, split_port};
use crate::http::percent;
use crate::http::scheme::default_port;

/// A URL that a WebSocket can be opened with.
#[derive(Clone)]
pub(crate) struct Url {
    pub(crate) secure: bool,
    /// As the system connects to it: an IPv6 address without brackets, with its zone.
    pub(crate) host: String,
    /// As servers are told it (RFC 9110 7.2): an IPv6 address in brackets, without its zone.
    pub(crate) uri_host: String,
    pub(crate) port: u16,
    /// The path and the query.
    pub(crate) target: String,
    /// The Unix socket that leads to the host: a path, or an abstract name after `@`.
    pub(crate) unix: Option<String>,
}

/// A URL that cannot open a WebSocket: which part of it is wrong, and what to write instead.
///
/// ```
/// use wshub::{ClientRequest, InvalidUrl};
///
/// let wrong = |url| ClientRequest::new(url).unwrap_err();
/// assert_eq!(wrong("https://example.com/"), InvalidUrl::Scheme);
/// assert_eq!(wrong("wss://example.com:99999/"), InvalidUrl::Port);
/// ```
///
/// The guide: [client](crate::guide::client).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It begins with none of `ws://`, `wss://` and `ws+unix:`.
    Scheme,
    /// Its `ws+unix:` names no Unix socket, or one with a character that has to be percent-encoded (a space, a control,
    /// `%`, `?`, `#`, one that is not ASCII). It is written as in `ws+unix:/run/hub.sock:/path`.
    UnixSocket,
    /// It carries a user name or password: send them in an `Authorization` header.
    Credentials,
    /// Its host is missing, or neither a name nor an address. An IPv6 address stands in brackets, a name that is not
    /// ASCII is written as `xn--`.
    Host,
    /// The zone id of its IPv6 address, the interface after the `%25` of `[fe80::1%25eth0]` (RFC 6874), is empty, or
    /// has a character that has to be percent-encoded: any but letters, digits, `-`, `.`, `_` and `~`.
    ZoneId,
    /// Its port is not a number from 1 to 65,535.
    Port,
    /// Its path holds a space, a control or a non-ASCII character: percent-encode it.
    Path,
    /// Its query holds a space, a control or a non-ASCII character: percent-encode it.
    Query,
    /// It has a fragment, `#…`, which is never sent (RFC 6455 3): leave it out.
    Fragment,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => {
                "the URL does not begin with ws://, wss:// or ws+unix:; write ws://host:port/path"
            }
            Self::UnixSocket => {
                "the URL names no Unix socket; write ws+unix:/run/hub.sock:/path, a space and the \
                 like percent-encoded"
            }
            Self::Credentials => {
                "the URL carries a user name; send it in an Authorization header instead"
            }
            Self::Host => {
                "the URL names no valid host; write ws://name/ or ws://name:port/, an IPv6 address \
                 in brackets and a name that is not ASCII as xn--"
            }
            Self::ZoneId => {
                "the zone id of the URL's IPv6 address is empty or has to be percent-encoded; \
                 write [fe80::1%25eth0] with the name or number of the interface"
            }
            Self::Port => "the URL's port is not a number from 1 to 65535",
            Self::Path => {
                "the URL's path holds a space, a control or a non-ASCII character; percent-encode \
                 it"
            }
            Self::Query => {
                "the URL's query holds a space, a control or a non-ASCII character; percent-encode \
                 it"
            }
            Self::Fragment => "the URL has a fragment (#), which is never sent; leave it out",
        })
    }
}

impl core::error::Error for InvalidUrl {}

impl Url {
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = url.split_once(':').ok_or(InvalidUrl::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws+unix" => return Self::parse_unix(rest),
            "ws" => false,
            "wss" => true,
            _ => return Err(InvalidUrl::Scheme),
        };
        let rest = rest.strip_prefix("//").ok_or(InvalidUrl::Scheme)?;
        if rest.contains('#') {
            return Err(InvalidUrl::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).ok_or(InvalidUrl::Host)?;
        if authority.contains('@') {
            return Err(InvalidUrl::Credentials);
        }
        let (host, port) = split_authority(authority).ok_or(InvalidUrl::Host)?;
        let (host, uri_host) = split_zone(host)?;
        Ok(Self {
            secure,
            host,
            uri_host,
            port: port_of(port, secure)?,
            target: target_of(target)?,
            unix: None,
        })
    }

    /// As npm's ws writes it: the path of the socket, a colon, the path and query of the request. The host is this
    /// machine.
    fn parse_unix(rest: &str) -> Result<Self, InvalidUrl> {
        // An empty authority, as other schemes have it for files.
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (socket, target) = rest.split_once(':').unwrap_or((rest, ""));
        if target.contains('#') {
            return Err(InvalidUrl::Fragment);
        }
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        let socket = Some(socket)
            .filter(|it| it.as_bytes().iter().all(is_plain))
            .and_then(decode)
            .filter(|it| !matches!(it.as_str(), "" | "@") && !it.contains('\0'));
        let target = target_of(target)?;
        Ok(Self {
            secure: false,
            host: LOCALHOST.to_owned(),
            uri_host: LOCALHOST.to_owned(),
            port: default_port(false),
            target: match target.starts_with('/') {
                true => target,
                false => return Err(InvalidUrl::Path),
            },
            unix: Some(socket.ok_or(InvalidUrl::UnixSocket)?),
        })
    }
}

/// The Host of a request over a Unix socket, as other clients send it.
const LOCALHOST: &str = "localhost";

/// Text whose percent-encoding is undone; `None` where that is broken, or is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut rest = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => percent::byte(rest.next()?, rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Host and port, where more colons than one outside of brackets are those of an IPv6 address that lacks them.
fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    split_port(authority).filter(|(_, port)| port.is_none_or(|port| !port.contains(':')))
}

/// The host as the system connects to it, and as servers are told it.
fn split_zone(host: &str) -> Result<(String, String), InvalidUrl> {
    let (uri_host, zone) = match host.split_once('%') {
        Some((address, zone)) if host.starts_with('[') => {
            let zone = zone.strip_suffix(']').ok_or(InvalidUrl::Host)?;
            (format!("{address}]"), Some(zone))
        }
        _ => (host.to_owned(), None),
    };
    let uri_host = Host::parse(&uri_host).ok_or(InvalidUrl::Host)?.to_string();
    let bare = uri_host.trim_start_matches('[').trim_end_matches(']');
    let host = match zone {
        Some(zone) => format!("{bare}%{}", decode_zone(zone).ok_or(InvalidUrl::ZoneId)?),
        None => bare.to_owned(),
    };
    Ok((host, uri_host))
}

/// The name or number of an interface. RFC 6874 writes the `%` in front of it as `%25`, people type it as it is.
fn decode_zone(zone: &str) -> Option<String> {
    let zone = zone.strip_prefix("25").unwrap_or(zone);
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%');
    let zone = decode(Some(zone).filter(|it| it.bytes().all(is_plain))?)?;
    (!zone.is_empty() && !zone.contains(char::is_control)).then_some(zone)
}

/// RFC 3986 6.2.3: an empty port is the scheme's. Nobody listens on port 0.
fn port_of(port: Option<&str>, secure: bool) -> Result<u16, InvalidUrl> {
    match port {
        None | Some("") => Ok(default_port(secure)),
        Some(digits) => parse_port(digits)
            .filter(|&port| port > 0)
            .ok_or(InvalidUrl::Port),
    }
}

/// The request target of a URL's path and query: visible ASCII that begins with a slash.
fn target_of(path_and_query: &str) -> Result<String, InvalidUrl> {
    let is_visible = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic());
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    match (is_visible(path), is_visible(query)) {
        (false, _) => Err(InvalidUrl::Path),
        (_, false) => Err(InvalidUrl::Query),
        _ if path.is_empty() => Ok(format!("/{path_and_query}")),
        _ => Ok(path_and_query.to_owned()),
    }
}
