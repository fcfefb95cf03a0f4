//! The handshake: each row of `tests/threats.md` by its number, each sample of `samples` by its letter.

#[cfg(feature = "deflate")]
mod compression;
mod head_limits;
mod header_lines;
mod hooks;
mod hostile;
mod origin;
mod request_line;
mod samples;
mod upgrade;
mod written;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::accept::switching_protocols;
use super::negotiate::{self, Upgrade, accept_key};
use super::pattern::{HostPattern, OriginPattern};
use super::rules::{OwnLoopback, Rules};
use super::subprotocol::NoCommonSubprotocol;
use super::*;
use crate::http::body::Framing;
use crate::http::excerpt::excerpt;
use crate::http::head::{HeadLimits, HeadScanner};
use crate::http::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Scans and parses as a server does, for every way to cut the bytes in two and for one byte at a time.
fn receive(bytes: &[u8]) -> Result<Request, Refusal> {
    let whole = scan(HeadLimits::default(), &[bytes]);
    for cut in 0..bytes.len().min(2048) {
        let halves = scan(HeadLimits::default(), &[&bytes[..cut], bytes]);
        assert_eq!(
            told(&whole),
            told(&halves),
            "cut at {cut} of {:?}",
            excerpt(bytes)
        );
    }
    let dribble: Vec<&[u8]> = (0..=bytes.len()).map(|end| &bytes[..end]).collect();
    assert_eq!(
        told(&whole),
        told(&scan(HeadLimits::default(), &dribble)),
        "byte by byte"
    );
    let length = whole?.expect("the head is complete");
    Request::parse(&bytes[..length])
}

/// The first answer of a scanner that is not "more".
fn scan(limits: HeadLimits, reads: &[&[u8]]) -> Result<Option<usize>, Refusal> {
    let mut scanner = HeadScanner::new(limits);
    reads
        .iter()
        .map(|read| scanner.scan(read))
        .find(|found| !matches!(found, Ok(None)))
        .unwrap_or(Ok(None))
}

fn told(found: &Result<Option<usize>, Refusal>) -> String {
    format!("{found:?}")
}

fn status_of(bytes: impl AsRef<[u8]>) -> Option<u16> {
    receive(bytes.as_ref())
        .err()
        .and_then(|refusal| refusal.status())
}

/// A head of these lines, with CRLF and the blank line.
fn head(lines: &[&str]) -> Vec<u8> {
    let mut head = lines.join("\r\n").into_bytes();
    head.extend_from_slice(b"\r\n\r\n");
    head
}

/// A good upgrade, with lines replaced or, where the name is new, added. A `!` drops the header.
fn upgrade_head(changes: &[&str]) -> Vec<u8> {
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let mut lines = vec![
        "GET /chat HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        &key,
        "Sec-WebSocket-Version: 13",
    ];
    let name = |line: &str| {
        line.trim_start_matches('!')
            .split([':', ' '])
            .next()
            .map(str::to_ascii_lowercase)
    };
    for change in changes {
        let known = lines.iter().position(|line| name(line) == name(change));
        match (known, change.starts_with('!')) {
            (Some(known), true) => drop(lines.remove(known)),
            (Some(known), false) => lines[known] = change,
            (None, _) => lines.push(change),
        }
    }
    head(&lines)
}

fn upgrade(bytes: impl AsRef<[u8]>, rules: &Rules) -> Result<Upgrade, Refusal> {
    let request = receive(bytes.as_ref())?;
    assert!(request.wants_upgrade(), "{request:?}");
    negotiate::upgrade(&request, rules, no_rule)
}

/// In the place of the `origin_rule` hook where none is set.
fn no_rule(_: &str) -> Result<bool, Refusal> {
    Ok(false)
}

fn upgrade_status(changes: &[&str]) -> Option<u16> {
    upgrade(upgrade_head(changes), &Rules::default())
        .err()
        .and_then(|refusal| refusal.status())
}

fn plain_status(bytes: &[u8], rules: &Rules) -> Option<u16> {
    let request = receive(bytes).expect("a head");
    negotiate::plain(&request, rules, no_rule)
        .err()
        .and_then(|refusal| refusal.status())
}

fn list(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|&entry| entry.to_owned()).collect()
}

fn hosts(entries: &[&str]) -> Vec<HostPattern> {
    let pattern = |entry: &&str| HostPattern::parse(entry).expect("a host");
    entries.iter().map(pattern).collect()
}

fn origins(entries: &[&str]) -> Vec<OriginPattern> {
    let pattern = |entry: &&str| OriginPattern::parse(entry).expect("an origin");
    entries.iter().map(pattern).collect()
}

/// Rules that let the samples of RFC 6455 pass: its Origin is not of its Host.
fn sample_rules() -> Rules {
    Rules {
        hosts: hosts(&["server.example.com", "websocket.example.com"]),
        origins: origins(&["http://example.com"]),
        subprotocols: list(&["chat"]),
        ..Rules::default()
    }
}

/// What is answered to a GET.
fn answer(refusal: &Refusal) -> String {
    text(refusal.encode(false, None))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// Sample A, with the key of the caller.
fn sample_a(key: &str) -> Vec<u8> {
    head(&[
        "GET /chat HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        &format!("Sec-WebSocket-Key: {key}"),
        "Origin: http://example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Version: 13",
    ])
}
