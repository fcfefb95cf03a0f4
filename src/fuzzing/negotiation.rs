//! Whether a request may open a WebSocket: the 101 comes exactly when a second reading of the rules, written apart
//! from the first and as plainly as can be, finds nothing against it.

use super::head::{Lines, check_answer};
use crate::compression::Agreed;
use crate::handshake::accept::switching_protocols;
use crate::handshake::rules::{OwnLoopback, Rules};
use crate::handshake::{Accept, negotiate};
use crate::http::Request;
use crate::http::head::{HeadLimits, HeadScanner};
use crate::overflow::Overflow;

/// Asks for an upgrade with the request in `data`, by several servers' rules.
pub fn negotiation(data: &[u8]) {
    let scanned = HeadScanner::new(HeadLimits::default()).scan(data);
    let Ok(Some(length)) = scanned else { return };
    let head = &data[..length];
    let Ok(request) = Request::parse(head) else {
        return;
    };
    for server in SERVERS {
        let rules = server.rules();
        rules.check().expect("valid rules");
        let against = Reading::of(head).against_upgrade(&server);
        match negotiate::upgrade(&request, &rules, |_| Ok(false)) {
            Ok(upgrade) => {
                assert_eq!(against, None, "101 by {rules:?}");
                let offered = Reading::of(head).list("sec-websocket-protocol");
                let common = |own: &&String| offered.contains(&own.as_bytes().to_vec());
                assert_eq!(
                    upgrade.subprotocol.as_ref(),
                    rules.subprotocols.iter().find(common)
                );
                let chosen = upgrade.subprotocol.as_deref();
                let agreed = negotiate::extension(&request, &rules, Overflow::Disconnect);
                let extension = agreed.as_ref().map(Agreed::as_str);
                assert!(extension.is_none() || offers_compression(head));
                let answer = switching_protocols(
                    &upgrade.accept_key,
                    chosen,
                    extension,
                    &Accept::new().headers,
                );
                let lines = 5 + usize::from(chosen.is_some()) + usize::from(extension.is_some());
                assert!(answer.ends_with(b"\r\n\r\n"));
                assert_eq!(answer.iter().filter(|&&byte| byte == b'\n').count(), lines);
            }
            Err(refusal) => {
                assert!(
                    against.is_some(),
                    "refused for nothing by {rules:?}: {refusal}"
                );
                check_answer(&refusal);
            }
        }
        if let Err(refusal) = negotiate::plain(&request, &rules, |_| Ok(false)) {
            check_answer(&refusal);
        }
    }
}

/// Says its name at least.
fn offers_compression(head: &[u8]) -> bool {
    let name = b"permessage-deflate";
    let offers = Reading::of(head).list("sec-websocket-extensions");
    offers.iter().any(|offer| offer.starts_with(name))
}

/// What a server's builder was told.
struct Settings {
    /// Where it listens on loopback; if it does not, it listens on the network, and compresses.
    loopback: Option<&'static str>,
    origins: &'static [&'static str],
    hosts: &'static [&'static str],
    subprotocols: &'static [&'static str],
}

const SERVERS: [Settings; 4] = [
    Settings {
        loopback: Some("127.0.0.1:9001"),
        origins: &[],
        hosts: &[],
        subprotocols: &[],
    },
    Settings {
        loopback: None,
        origins: &["http://example.com"],
        hosts: &["server.example.com"],
        subprotocols: &["superchat", "chat"],
    },
    Settings {
        loopback: None,
        origins: &["*"],
        hosts: &["websocket.example.com", "server.example.com"],
        subprotocols: &[],
    },
    Settings {
        loopback: None,
        origins: &["https://*.example.com"],
        hosts: &["*.example.com"],
        subprotocols: &[],
    },
];

impl Settings {
    fn rules(&self) -> Rules {
        let mut rules = Rules {
            loopback: self.loopback.is_some(),
            own_loopback: self
                .loopback
                .map(|addr| OwnLoopback::of(addr.parse().expect("an address"), false)),
            #[cfg(feature = "deflate")]
            compression: self.loopback.is_none().then(crate::Compression::default),
            ..Rules::default()
        };
        self.origins
            .iter()
            .for_each(|entry| rules.add_origin(entry));
        self.hosts.iter().for_each(|entry| rules.add_host(entry));
        for &name in self.subprotocols {
            rules.add_subprotocol(name.to_owned());
        }
        rules
    }
}

/// A request's lines, read once more.
struct Reading<'a>(Lines<'a>);

impl<'a> Reading<'a> {
    fn of(head: &'a [u8]) -> Self {
        Reading(Lines::of(head))
    }

    /// Every value of a header, in small letters where `folded`.
    fn values(&self, name: &str) -> Vec<&'a [u8]> {
        let named = |sent: &&(&[u8], &'a [u8])| sent.0.eq_ignore_ascii_case(name.as_bytes());
        self.0
            .headers
            .iter()
            .filter(named)
            .map(|sent| sent.1)
            .collect()
    }

    fn list(&self, name: &str) -> Vec<Vec<u8>> {
        let joined = self.values(name).join(&b',');
        let elements = joined.split(|&byte| byte == b',');
        elements
            .map(|element| element.trim_ascii().to_vec())
            .filter(|element| !element.is_empty())
            .collect()
    }

    fn lists(&self, name: &str, wanted: &str) -> bool {
        let is = |element: &Vec<u8>| element.eq_ignore_ascii_case(wanted.as_bytes());
        self.list(name).iter().any(is)
    }

    /// The row of `tests/threats.md` that speaks against a 101.
    fn against_upgrade(&self, server: &Settings) -> Option<&'static str> {
        let [method, target, version] = self.0.first[..] else {
            return Some("not a request line");
        };
        let key = self.values("sec-websocket-key");
        let length = self.values("content-length");
        let host = self.values("host");
        let origin = self.values("origin");
        let authority = absolute_authority(target).or(host.first().copied());
        let checks = [
            (
                "H6 duplicates",
                key.len() <= 1 && host.len() == 1 && origin.len() <= 1,
            ),
            ("H7 upgrade", self.lists("upgrade", "websocket")),
            ("H8 connection", self.lists("connection", "upgrade")),
            ("H9 coding", self.values("transfer-encoding").is_empty()),
            (
                "H9 length",
                length.is_empty() || matches!(length[..], [n] if is_zero(n)),
            ),
            ("H12 version", version != b"HTTP/1.0"),
            ("H13 method", method == b"GET"),
            ("H16 key", matches!(key[..], [key] if is_key(key))),
            (
                "H17 websocket version",
                self.values("sec-websocket-version") == [b"13"],
            ),
            (
                "H18 subprotocols",
                self.list("sec-websocket-protocol")
                    .iter()
                    .all(|name| is_token(name)),
            ),
            (
                "H21 origin",
                origin.is_empty()
                    || authority.is_some_and(|host| is_allowed(origin[0], host, server)),
            ),
            (
                "H22 host",
                origin.is_empty() || authority.is_some_and(|host| is_own(host, server)),
            ),
        ];
        checks.iter().find(|(_, holds)| !holds).map(|(row, _)| *row)
    }
}

fn absolute_authority(target: &[u8]) -> Option<&[u8]> {
    if target.first() == Some(&b'/') {
        return None;
    }
    let colon = target.iter().position(|&byte| byte == b':')?;
    let rest = target.get(colon + 3..)?;
    let end = rest.iter().position(|byte| b"/?".contains(byte));
    Some(&rest[..end.unwrap_or(rest.len())])
}

fn is_zero(length: &[u8]) -> bool {
    !length.is_empty() && length.iter().all(|&digit| digit == b'0')
}

fn is_key(key: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(letter)
}

fn is_token(name: &[u8]) -> bool {
    name.iter()
        .all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte))
}

/// Host in small letters and without its final dot, and the port as written.
fn host_and_port(authority: &str) -> (String, Option<u16>) {
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let colon = authority[bracket..].find(':').map(|at| bracket + at);
    let host = &authority[..colon.unwrap_or(authority.len())];
    let host = match host.len() {
        1 => host,
        _ => host.strip_suffix('.').unwrap_or(host),
    };
    let port = colon.and_then(|at| authority[at + 1..].parse().ok());
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let host = address.map_or(host.to_ascii_lowercase(), |address| address.to_string());
    (host, port)
}

fn is_allowed(origin: &[u8], host: &[u8], server: &Settings) -> bool {
    if server.origins == ["*"] {
        return true;
    }
    let (Ok(origin), Ok(host)) = (std::str::from_utf8(origin), std::str::from_utf8(host)) else {
        return false;
    };
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let scheme = scheme.to_ascii_lowercase();
    let default = match &scheme[..] {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => return false,
    };
    // What is not an authority at all is nobody's origin.
    if crate::http::authority::Authority::parse(authority).is_none() {
        return false;
    }
    let (name, port) = host_and_port(authority);
    let port = port.unwrap_or(default);
    let (own, own_port) = host_and_port(host);
    let own_port = own_port.unwrap_or(default);
    let listed = server.origins.iter().any(|entry| {
        let (entry_scheme, entry) = entry.split_once("://").unwrap_or_default();
        entry_scheme == scheme && port == default && is_entry(entry, &name)
    });
    let aliases = ["localhost", "127.0.0.1", "::ffff:127.0.0.1"];
    let is_alias = |name: &str| aliases.contains(&name) && server.loopback.is_some();
    let aliased = port == 9001 && is_alias(&name) && is_alias(&own);
    listed || (port == own_port && (name == own || aliased))
}

/// A name, or with a star in front every name below it.
fn is_entry(entry: &str, name: &str) -> bool {
    match entry.strip_prefix('*') {
        Some(end) => name.strip_suffix(end).is_some_and(is_labels),
        None => entry == name,
    }
}

fn is_labels(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    name.split('.').all(label)
}

fn is_own(authority: &[u8], server: &Settings) -> bool {
    let Ok(authority) = std::str::from_utf8(authority) else {
        return false;
    };
    let (host, _) = host_and_port(authority);
    if server.hosts.iter().any(|entry| is_entry(entry, &host)) {
        return true;
    }
    let bare = host.trim_matches(['[', ']']);
    if let Ok(address) = bare.parse::<std::net::IpAddr>() {
        return server.loopback.is_none() || address.to_canonical().is_loopback();
    }
    if !is_labels(&host) {
        return false;
    }
    match server.loopback {
        Some(_) => host == "localhost" || host.ends_with(".localhost"),
        None => {
            let local = [".localhost", ".local", ".lan", ".home.arpa"];
            !host.contains('.') || local.iter().any(|end| host.ends_with(end))
        }
    }
}
