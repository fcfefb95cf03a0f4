//! The client's role: the request it sends, which answers it takes and which it refuses, and the
//! frames it sends and takes afterwards.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::hostile::{SWITCHING, accept_of, header};
use crate::support::scripted::Scripted;
use crate::support::{PATIENCE, frame, server_frame, serving};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wshub::{
    ClientError, ClientRequest, CloseEvent, Error, InvalidAnswer, InvalidHeader, InvalidUrl,
    Limits, Server, Violation, WebSocket, testing,
};

/// The shortest time that limits take.
const SHORT: Duration = Duration::from_millis(1);

/// A stream whose other end answers the opening handshake as it is told to, `{accept}` replaced by
/// what belongs there, and then follows a script.
struct Answering {
    answer: Option<Vec<u8>>,
    script: Scripted,
    request: String,
}

impl Answering {
    fn new(answer: impl AsRef<[u8]>) -> Self {
        Answering {
            answer: Some(answer.as_ref().to_vec()),
            script: Scripted::default(),
            request: String::new(),
        }
    }

    /// The answer that opens, with more header lines and first frames.
    fn opening(headers: &str, frames: &[u8]) -> Self {
        let head = format!("{SWITCHING}{headers}\r\n");
        Answering::new([head.as_bytes(), frames].concat())
    }
}

impl Read for Answering {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(answer) = self.answer.take() {
            self.request = String::from_utf8(self.script.take_written()).unwrap();
            let key = header(&self.request, "Sec-WebSocket-Key").unwrap();
            let at = answer.windows(8).position(|part| part == b"{accept}");
            self.script.add_read(match at {
                None => answer,
                Some(at) => [&answer[..at], accept_of(key).as_bytes(), &answer[at + 8..]].concat(),
            });
        }
        self.script.read(buffer)
    }
}

impl Write for Answering {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.script.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(frames: &[u8]) -> WebSocket<Answering> {
    WebSocket::client(Answering::opening("", frames), "ws://localhost/").unwrap()
}

/// A client's frame as it was written: first byte, key, payload in clear.
fn unmask(written: &[u8]) -> Vec<(u8, [u8; 4], Vec<u8>)> {
    let mut frames = Vec::new();
    let mut rest = written;
    while !rest.is_empty() {
        assert_eq!(rest[1] & 0x80, 0x80, "a client's frames are masked");
        let (len, at) = match rest[1] & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4),
            127 => panic!("a frame of more than 64 KiB"),
            len => (usize::from(len), 2),
        };
        let key: [u8; 4] = rest[at..at + 4].try_into().unwrap();
        let payload = rest[at + 4..at + 4 + len].iter().zip(key.iter().cycle());
        frames.push((
            rest[0],
            key,
            payload.map(|(byte, key)| byte ^ key).collect(),
        ));
        rest = &rest[at + 4 + len..];
    }
    frames
}

fn written(ws: &mut WebSocket<Answering>) -> Vec<(u8, Vec<u8>)> {
    let frames = unmask(&ws.get_mut().script.take_written());
    frames
        .into_iter()
        .map(|(first, _, payload)| (first, payload))
        .collect()
}

/// The server broke the protocol so: the client says so in an error, and to the server, and that is the end.
fn assert_ends(mut ws: WebSocket<Answering>, violation: &Violation, code: u16) {
    match ws.read() {
        Err(Error::Protocol(found)) => assert_eq!(found, *violation),
        other => panic!("{other:?}"),
    }
    let payload = [&code.to_be_bytes(), violation.to_string().as_bytes()].concat();
    assert_eq!(written(&mut ws), [(0x88, payload)]);
    assert_eq!(ws.read().unwrap(), None);
}

#[test]
fn the_request_is_that_of_rfc_6455() {
    let request = ClientRequest::new("ws://localhost:9001/chat?room=7")
        .unwrap()
        .with_subprotocol("v2")
        .unwrap()
        .with_subprotocol("v1")
        .unwrap()
        .with_subprotocol("v2")
        .unwrap()
        .with_origin("https://app.example.com")
        .unwrap()
        .with_header("Cookie", "id=1")
        .unwrap();
    let answer = Answering::opening("Sec-WebSocket-Protocol: v1\r\n", b"");
    let ws = WebSocket::client(answer, request).unwrap();
    assert_eq!(ws.protocol(), Some("v1"));
    assert_eq!(ws.request().path(), "/chat");
    assert_eq!(ws.request().cookie("id"), Some("1"));
    let sent = ws.into_inner().request;
    let key = header(&sent, "Sec-WebSocket-Key").unwrap();
    assert_eq!(STANDARD.decode_slice(key, &mut [0; 18]), Ok(16));
    let expected = format!(
        "GET /chat?room=7 HTTP/1.1\r\nHost: localhost:9001\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: v2, v1\r\nOrigin: https://app.example.com\r\nCookie: id=1\r\n\r\n"
    );
    assert_eq!(sent, expected);
}

#[test]
fn urls() {
    for (url, host, address, target) in [
        ("ws://example.com", "example.com", ("example.com", 80), "/"),
        (
            "WS://example.com:80/a",
            "example.com",
            ("example.com", 80),
            "/a",
        ),
        (
            "wss://example.com/?q",
            "example.com",
            ("example.com", 443),
            "/?q",
        ),
        (
            "wss://example.com:80",
            "example.com:80",
            ("example.com", 80),
            "/",
        ),
        ("ws://h?q=1/2", "h", ("h", 80), "/?q=1/2"),
        ("ws://[::1]:8080/", "[::1]:8080", ("::1", 8080), "/"),
        ("ws://127.0.0.1/%20", "127.0.0.1", ("127.0.0.1", 80), "/%20"),
        ("ws://h:/", "h", ("h", 80), "/"),
        ("ws://h:0065535/", "h:65535", ("h", 65_535), "/"),
        ("ws://h//a", "h", ("h", 80), "//a"),
        // RFC 6874: the zone says something on this machine alone, and is not sent.
        (
            "ws://[fe80::1%25eth0]:9001/",
            "[fe80::1]:9001",
            ("fe80::1%eth0", 9001),
            "/",
        ),
        (
            "wss://[FE80::1%25br-lan.7_~]/?q",
            "[fe80::1]",
            ("fe80::1%br-lan.7_~", 443),
            "/?q",
        ),
        (
            "ws://[fe80::1%25eth0%3A1]",
            "[fe80::1]",
            ("fe80::1%eth0:1", 80),
            "/",
        ),
        // As people type it (RFC 9844).
        (
            "ws://[fe80::1%eth0]/",
            "[fe80::1]",
            ("fe80::1%eth0", 80),
            "/",
        ),
        ("ws://[fe80::1%3]/", "[fe80::1]", ("fe80::1%3", 80), "/"),
    ] {
        let request = ClientRequest::new(url).unwrap();
        assert_eq!((request.host(), request.port()), address, "{url}");
        assert_eq!(request.is_secure(), url.starts_with("wss"));
        let ws = WebSocket::client(Answering::opening("", b""), request).unwrap();
        let sent = ws.into_inner().request;
        assert!(
            sent.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
            "{sent}"
        );
        assert_eq!(header(&sent, "Host"), Some(host));
    }
    for (url, error) in [
        ("", InvalidUrl::Scheme),
        ("localhost:9001", InvalidUrl::Scheme),
        ("http://localhost/", InvalidUrl::Scheme),
        ("ws:/localhost/", InvalidUrl::Scheme),
        ("ws://", InvalidUrl::Host),
        ("ws:///path", InvalidUrl::Host),
        ("ws://:80/", InvalidUrl::Host),
        ("ws://a b/", InvalidUrl::Host),
        ("ws://[::1/", InvalidUrl::Host),
        ("ws://[::1]x/", InvalidUrl::Host),
        ("ws://[::1x]:80/", InvalidUrl::Host),
        ("ws://[h]:80/", InvalidUrl::Host),
        ("ws://::1/", InvalidUrl::Host),
        ("ws://::1:9001/", InvalidUrl::Host),
        ("ws://fe80::1%25eth0/", InvalidUrl::Host),
        ("ws://[1.2.3.4%25eth0]/", InvalidUrl::Host),
        ("ws://a b:70000/", InvalidUrl::Host),
        ("ws://h%25eth0 /", InvalidUrl::Host),
        ("ws://grüße/", InvalidUrl::Host),
        ("ws://h\r\nX: y/", InvalidUrl::Host),
        ("ws://[fe80::1%25]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%25eth 0]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%25eth0%]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%25eth0%0g]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%25eth%0A]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%25eth%00]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%25eth%ff]/", InvalidUrl::ZoneId),
        ("ws://[fe80::1%25größe]:9001/", InvalidUrl::ZoneId),
        ("ws://h:99999/", InvalidUrl::Port),
        ("wss://[::1]:65536/", InvalidUrl::Port),
        ("ws://[fe80::1%25eth0]:http/", InvalidUrl::Port),
        ("ws://h:0/", InvalidUrl::Port),
        ("ws://h:+80/", InvalidUrl::Port),
        ("ws://h:-1", InvalidUrl::Port),
        ("ws://h:80 /", InvalidUrl::Port),
        ("ws://h:99999999999999999999/", InvalidUrl::Port),
        ("ws://user:secret@h/", InvalidUrl::Credentials),
        ("ws://user@h:99999/", InvalidUrl::Credentials),
        ("ws://@h/", InvalidUrl::Credentials),
        ("ws://h/#top", InvalidUrl::Fragment),
        ("ws://h#", InvalidUrl::Fragment),
        ("ws://h/a b", InvalidUrl::Path),
        ("ws://h/a\r\nX: y", InvalidUrl::Path),
        ("ws://h/grüße?a b", InvalidUrl::Path),
        ("ws://h/?a b", InvalidUrl::Query),
        ("ws://h?grüße", InvalidUrl::Query),
    ] {
        assert_eq!(ClientRequest::new(url).unwrap_err(), error, "{url:?}");
        let outcome = WebSocket::client(Scripted::default(), url);
        assert!(matches!(outcome, Err(ClientError::Url(found)) if found == error));
    }
}

#[test]
fn h20_no_header_can_start_another_one() {
    let request = || ClientRequest::new("ws://localhost/").unwrap();
    for value in ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "grüße"] {
        let error = request().with_header("X-Name", value).unwrap_err();
        assert!(matches!(error, InvalidHeader::Value { .. }), "{value:?}");
        assert!(request().with_origin(value).is_err());
        assert!(request().with_subprotocol(value).is_err());
    }
    for name in ["", "a b", "a:", "a\r\n", "ä"] {
        let error = request().with_header(name, "x").unwrap_err();
        assert!(matches!(error, InvalidHeader::Name { .. }), "{name:?}");
    }
    for name in [
        "Host",
        "upgrade",
        "Connection",
        "Content-Length",
        "Sec-WebSocket-Key",
    ] {
        let error = request().with_header(name, "x").unwrap_err();
        assert!(matches!(error, InvalidHeader::Reserved { .. }), "{name:?}");
    }
}

#[test]
fn a_url_that_is_wrong_is_told_which_part_of_it() {
    for (url, part) in [
        ("http://h/", "ws://, wss:// or ws+unix:"),
        ("ws://a b/", "host"),
        ("ws://[fe80::1%25]/", "zone id"),
        ("ws://h:99999/", "port is not a number from 1 to 65535"),
        ("ws://user:secret@h/", "user name"),
        ("ws://h/a b", "path"),
        ("ws://h/?a b", "query"),
        ("ws://h/#a", "fragment"),
    ] {
        let said = ClientRequest::new(url).unwrap_err().to_string();
        assert!(said.contains(part) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_request_that_is_too_long_is_not_sent() {
    let mut request = ClientRequest::new("ws://localhost/").unwrap();
    for i in 0..10 {
        let value = "x".repeat(8_000);
        request = request.with_header(&format!("X-{i}"), &value).unwrap();
    }
    let mut stream = Scripted::default();
    let outcome = WebSocket::client(&mut stream, request);
    assert!(
        matches!(outcome, Err(ClientError::Request(_))),
        "{outcome:?}"
    );
    assert_eq!(stream.written, b"");
}

/// RFC 9112 5.2: a user agent reads a folded line as one, with spaces in place of the fold.
#[test]
fn h03_a_client_reads_a_folded_line_as_one() {
    let switching = |from: &str, to: &str| format!("{SWITCHING}\r\n").replace(from, to);
    let protocol = "Sec-WebSocket-Protocol";
    for answer in [
        format!("{SWITCHING}X-A: a\r\n b\r\n\r\n"),
        format!("{SWITCHING}X-A: a \t\r\n\t \tb\r\n c:\r\n \r\n d\r\n\r\n"),
        format!("{SWITCHING}X-A:\r\n \r\n\r\n"),
        switching("Upgrade: websocket", "Upgrade:\r\n websocket"),
        switching("Upgrade: websocket", "Upgrade: websocket\r\n\t"),
        switching(
            "Connection: Upgrade",
            "Connection: keep-alive,\r\n  Upgrade",
        ),
        switching(
            "Connection: Upgrade",
            "Connection: keep-alive\r\n , Upgrade",
        ),
        switching("Accept: ", "Accept:\r\n\t"),
        format!("{SWITCHING}{protocol}:\r\n v1 \r\n \r\n\r\n"),
    ] {
        let request = ClientRequest::new("ws://localhost/").unwrap();
        let request = request.with_subprotocol("v1").unwrap();
        let ws = WebSocket::client(Answering::new(&answer), request);
        let ws = ws.unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert_eq!(ws.protocol().is_some(), answer.contains(protocol));
    }
    let moved = "HTTP/1.1 307 x\r\nLocation: ws://a/?q= \t\r\n\t b\r\n\r\n";
    match WebSocket::client(Answering::new(moved), "ws://localhost/") {
        Err(ClientError::Status { location, .. }) => {
            assert_eq!(location.as_deref(), Some("ws://a/?q= b"));
        }
        other => panic!("{other:?}"),
    }
    // A value that a fold cuts in two is another one.
    let cut = switching("{accept}", "{accept}\r\n x");
    match WebSocket::client(Answering::new(cut), "ws://localhost/") {
        Err(ClientError::Answer(InvalidAnswer::Accept)) => {}
        other => panic!("{other:?}"),
    }
}

/// RFC 9110 2.5: a minor version that is not known yet is taken for the latest that is.
#[test]
fn m08_a_client_takes_a_later_minor_version_for_1_1() {
    for minor in 1..=9 {
        let answer = format!("{SWITCHING}\r\n");
        let answer = answer.replace("HTTP/1.1", &format!("HTTP/1.{minor}"));
        let opened = WebSocket::client(Answering::new(&answer), "ws://localhost/");
        assert!(opened.is_ok(), "{answer:?}: {opened:?}");
    }
    // The text after the status may be missing, and with it the space before it.
    for text in ["", " ", " a b"] {
        let answer = format!("{SWITCHING}\r\n").replace(" Switching Protocols", text);
        let opened = WebSocket::client(Answering::new(&answer), "ws://localhost/");
        assert!(opened.is_ok(), "{answer:?}: {opened:?}");
    }
}

#[test]
fn hostile_answers_are_refused() {
    let switching = |from: &str, to: &str| format!("{SWITCHING}\r\n").replace(from, to);
    let with = |headers: &str| format!("{SWITCHING}{headers}\r\n");
    let refused = |answer: String, why: InvalidAnswer| (answer, Some(why));
    let malformed = |answer: String| (answer, None);
    let subprotocol = |headers: &str, chosen: &str| {
        let chosen = chosen.into();
        refused(with(headers), InvalidAnswer::Subprotocol { chosen })
    };
    let too_large = |answer: String| {
        let limit = 16 << 10;
        refused(answer, InvalidAnswer::HeadTooLarge { limit })
    };
    let table = vec![
        refused("SSH-2.0-OpenSSH_9.2\r\n".into(), InvalidAnswer::NotHttp),
        refused("HTTP/2 101\r\n\r\n".into(), InvalidAnswer::NotHttp),
        refused("\r\nHTTP/1.1 101 x\r\n\r\n".into(), InvalidAnswer::NotHttp),
        refused("\u{15}\u{3}\u{1}\0\u{2}\u{2}F".into(), InvalidAnswer::Tls),
        refused(
            switching("Upgrade: websocket\r\n", ""),
            InvalidAnswer::Upgrade,
        ),
        refused(
            switching("Upgrade: websocket", "Upgrade: h2c"),
            InvalidAnswer::Upgrade,
        ),
        refused(
            switching("Upgrade: websocket", "Upgrade: websocket, h2c"),
            InvalidAnswer::Upgrade,
        ),
        refused(
            switching("Connection: Upgrade\r\n", ""),
            InvalidAnswer::Connection,
        ),
        refused(
            switching("Connection: Upgrade", "Connection: close"),
            InvalidAnswer::Connection,
        ),
        refused(
            switching("Sec-WebSocket-Accept: {accept}\r\n", ""),
            InvalidAnswer::Accept,
        ),
        refused(switching("{accept}", ""), InvalidAnswer::Accept),
        refused(
            switching("{accept}", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            InvalidAnswer::Accept,
        ),
        refused(switching("{accept}", "{accept}x"), InvalidAnswer::Accept),
        refused(
            with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            InvalidAnswer::Accept,
        ),
        refused(
            with("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            InvalidAnswer::Extension {
                chosen: "permessage-deflate".into(),
            },
        ),
        subprotocol("Sec-WebSocket-Protocol: v3\r\n", "v3"),
        subprotocol("Sec-WebSocket-Protocol: V1\r\n", "V1"),
        subprotocol("Sec-WebSocket-Protocol: v1, v2\r\n", "v1, v2"),
        subprotocol(
            "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: v2\r\n",
            "v2",
        ),
        malformed(switching("HTTP/1.1 101", "HTTP/1.0 101")),
        malformed(switching("HTTP/1.1 101", "HTTP/1.1 1O1")),
        malformed(switching("HTTP/1.1 101", "HTTP/1.11 101")),
        malformed(switching("HTTP/1.1 101", "HTTP/1.1 1011")),
        malformed(switching("HTTP/1.1 101", "HTTP/1.1  101")),
        malformed(switching("HTTP/1.1 101", "HTTP/1.1\t101")),
        malformed(switching("\r\nUpgrade: ", "\r\nUpgrade\r\n : ")),
        malformed(switching("Upgrade: ", "Upgrade : ")),
        malformed(switching("\r\nUpgrade", "\r\n Upgrade")),
        malformed(switching("Upgrade: websocket\r\n", "Upgrade: websocket\n")),
        malformed(switching("websocket\r\n", "websocket\r")),
        malformed(switching("websocket", "web\0socket")),
        malformed(with("no colon\r\n")),
        refused(
            with(&"X: y\r\n".repeat(101)),
            InvalidAnswer::TooManyHeaders { limit: 100 },
        ),
        too_large(with(&format!("X: {}\r\n", "y".repeat(8_000)).repeat(3))),
        too_large(format!("HTTP/1.1 200 {}", "y".repeat(20_000))),
    ];
    for (answer, expected) in table {
        let request = ClientRequest::new("ws://localhost/").unwrap();
        let request = request.with_subprotocol("v1").unwrap();
        let request = request.with_subprotocol("v2").unwrap();
        let mut stream = Answering::new(&answer);
        match (WebSocket::client(&mut stream, request), expected) {
            (Err(ClientError::Answer(found)), Some(expected)) => assert_eq!(found, expected),
            (Err(ClientError::Answer(InvalidAnswer::Malformed(_))), None) => {}
            (other, _) => panic!("{answer:?}: {other:?}"),
        }
        assert_eq!(stream.script.written, b"", "nothing more is said to it");
    }
}

/// RFC 7692 7.1: a client must fail on parameters that it cannot have offered.
#[cfg(feature = "deflate")]
#[test]
fn x03_a_server_that_compresses_otherwise_than_offered_is_refused() {
    let request = ClientRequest::new("ws://localhost/").unwrap();
    let request = request.with_compression(wshub::Compression::default());
    let refused = |extensions: &str| {
        let line = format!("Sec-WebSocket-Extensions: {extensions}\r\n");
        match WebSocket::client(Answering::opening(&line, b""), request.clone()) {
            Err(ClientError::Answer(answer)) => answer,
            other => panic!("{extensions}: {other:?}"),
        }
    };
    for parameters in [
        "server_max_window_bits=7",
        "server_max_window_bits",
        "client_max_window_bits",
        "server_max_window_bits=9; unknown=1",
        "mystery",
    ] {
        let chosen = format!("permessage-deflate; {parameters}");
        let wanted = InvalidAnswer::ExtensionParameters {
            chosen: chosen.clone(),
        };
        assert_eq!(refused(&chosen), wanted);
    }
    for chosen in ["x-mystery", "permessage-deflate, permessage-deflate"] {
        let chosen = chosen.to_owned();
        assert_eq!(refused(&chosen), InvalidAnswer::Extension { chosen });
    }
    let line = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8\r\n";
    let mut ws = WebSocket::client(Answering::opening(line, b""), request.clone()).unwrap();
    assert_eq!(
        ws.extensions(),
        "permessage-deflate; client_max_window_bits=8"
    );
    assert_eq!(
        header(&ws.get_ref().request, "Sec-WebSocket-Extensions"),
        Some(
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
        )
    );
    // With a window that nothing can be written with, nothing is compressed.
    ws.send("x".repeat(5_000)).unwrap();
    let written = ws.get_mut().script.take_written();
    assert_eq!(unmask(&written)[0].0, 0x81);
}

/// What a server must not send once compression is agreed on: each an error that says what, and the RFC's close code.
#[cfg(feature = "deflate")]
#[test]
fn x01_x03_violations_of_a_server_that_compresses() {
    let limits = Limits {
        max_message: 1_000,
        ..Limits::default()
    };
    let request = ClientRequest::new("ws://localhost/").unwrap();
    let request = request
        .with_compression(wshub::Compression::default())
        .with_limits(limits);
    // 2,000 spaces.
    let bomb = [
        0x52, 0x50, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x50,
        0x07, 0x00, 0x00,
    ];
    for (sent, violation, code) in [
        (
            server_frame(true, 0x41, &[0xff, 0xff]),
            Violation::InvalidDeflate,
            1007u16,
        ),
        (
            // "Hello", cut short.
            server_frame(true, 0x41, &[0xf2, 0x48, 0xcd]),
            Violation::InvalidDeflate,
            1007,
        ),
        (
            server_frame(true, 0x41, &bomb),
            Violation::MessageTooBig { limit: 1_000 },
            1009,
        ),
        (server_frame(true, 0x49, b""), Violation::ReservedBits, 1002),
        (server_frame(true, 0x61, b""), Violation::ReservedBits, 1002),
        (
            [
                server_frame(false, 0x41, &[0xf2]),
                server_frame(true, 0x40, &[0x48]),
            ]
            .concat(),
            Violation::ReservedBits,
            1002,
        ),
    ] {
        let line = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let ws = WebSocket::client(Answering::opening(line, &sent), request.clone()).unwrap();
        assert_ends(ws, &violation, code);
    }
}

#[test]
fn answers_that_are_unusual_and_right_are_taken() {
    for headers in [
        "connection: keep-alive\r\n",
        "X: \u{e9}\r\n",
        "Sec-WebSocket-Extensions:\r\n",
        "Content-Length: 5\r\n",
        "Upgrade: WebSocket\r\n",
    ] {
        let outcome = WebSocket::client(Answering::opening(headers, b""), "ws://localhost/");
        assert!(outcome.is_ok(), "{headers:?}: {outcome:?}");
    }
}

#[test]
fn another_status_is_told_with_the_beginning_of_its_body() {
    let ask = |answer: &str| match WebSocket::client(Answering::new(answer), "ws://localhost/") {
        Err(ClientError::Status {
            status,
            location,
            body,
            ..
        }) => (status, location, body),
        other => panic!("{answer:?}: {other:?}"),
    };
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\nmembers only\nmore";
    assert_eq!(ask(refused), (403, None, "members only\nmore".into()));
    let moved = "HTTP/1.1 302 Found\r\nLocation: wss://example.com/x\r\n\r\n";
    let location = Some("wss://example.com/x".into());
    assert_eq!(ask(moved), (302, location, String::new()));
    let long = format!(
        "HTTP/1.0 200 OK\r\nContent-Length: 9999999\r\n\r\n{}",
        "x".repeat(9_999)
    );
    assert_eq!(ask(&long), (200, None, "x".repeat(1_024)));
    let chunked = "HTTP/1.1 503\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(ask(chunked), (503, None, String::new()));
    // As far as it came with the head.
    for (body, shown) in [
        ("4\r\nfull\r\n0\r\n\r\n", "full"),
        ("9\r\ntoo", "too"),
        ("<html>", ""),
    ] {
        assert_eq!(ask(&format!("{chunked}{body}")), (503, None, shown.into()));
    }
    let spelled = "HTTP/1.1 503\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nfull\r\n";
    assert_eq!(ask(spelled), (503, None, "full".into()));
    let packed = "HTTP/1.1 503\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n";
    assert_eq!(ask(packed), (503, None, String::new()));
    let absurd = "HTTP/1.1 500 x\r\nContent-Length: 99999999999999999999999999\r\n\r\n";
    assert_eq!(ask(absurd), (500, None, String::new()));

    let text = |answer: &str| match WebSocket::client(Answering::new(answer), "ws://localhost/") {
        Err(error) => error.to_string(),
        Ok(_) => panic!("opened"),
    };
    assert_eq!(
        text(moved),
        "the server answered 302 Found; redirects are not followed, connect to \
         \"wss://example.com/x\" if you trust it"
    );
    let says_why = "the server answered 403 Forbidden: members only\\nmore";
    assert_eq!(text(refused), says_why);
    let says_no_more = "HTTP/1.1 404 Not Found\r\n\r\n404 Not Found\n";
    assert_eq!(
        text(says_no_more),
        "the server answered 404 Not Found; check the path"
    );
}

/// What the server asks for is added to an `Instant`, so that it must not be longer than one can hold.
#[test]
fn a_retry_after_is_never_too_long_to_count_with() {
    for asked in ["18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let answer = format!("HTTP/1.1 503 x\r\nRetry-After: {asked}\r\n\r\n");
        match WebSocket::client(Answering::new(answer), "ws://localhost/") {
            Err(ClientError::Status { retry_after, .. }) => {
                let wait = retry_after.unwrap();
                assert!(Instant::now().checked_add(wait).is_some(), "{asked}");
                assert_eq!(wait, Duration::from_secs(365 * 24 * 3600), "{asked}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_that_does_not_come() {
    let outcome = WebSocket::client(Scripted::default(), "ws://localhost/");
    assert!(
        matches!(outcome, Err(ClientError::ServerLeft)),
        "{outcome:?}"
    );
    for kind in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
        let stream = Scripted::default().then("HTTP/1.1 101 ").then_fails(kind);
        let outcome = WebSocket::client(stream, "ws://localhost/");
        assert!(matches!(outcome, Err(ClientError::Timeout)), "{outcome:?}");
    }
    let stream = Scripted::default().then_fails(ErrorKind::ConnectionReset);
    let outcome = WebSocket::client(stream, "ws://localhost/");
    assert!(matches!(outcome, Err(ClientError::Io(_))), "{outcome:?}");

    // A server that dribbles is left at the deadline, however patient the stream is.
    let limits = Limits {
        handshake_timeout: SHORT,
        ..Limits::default()
    };
    let request = ClientRequest::new("ws://localhost/").unwrap();
    let stream = Scripted::default()
        .slowly(2 * SHORT)
        .then_bytewise("HTTP/1.1 101 x\r\n");
    let outcome = WebSocket::client(stream, request.with_limits(limits));
    assert!(matches!(outcome, Err(ClientError::Timeout)), "{outcome:?}");
}

/// RFC 9112 9.5: a server may answer and close before it has read the whole request.
#[test]
fn an_answer_to_a_request_that_could_not_be_written() {
    for (written, kind) in [(0, ErrorKind::BrokenPipe), (9, ErrorKind::ConnectionReset)] {
        let says = |answer: &str| {
            let mut stream = Scripted::default().then(answer);
            if written > 0 {
                stream.add_write(Ok(written));
            }
            stream.add_write(Err(kind));
            WebSocket::client(stream, "ws://localhost/").unwrap_err()
        };
        match says("HTTP/1.1 431 x\r\n\r\n") {
            ClientError::Status { status: 431, .. } => {}
            other => panic!("{other:?}"),
        }
        for nothing in ["", "HTTP/1.1 431"] {
            match says(nothing) {
                ClientError::Io(error) => assert_eq!(error.kind(), kind),
                other => panic!("{nothing:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn frames_behind_the_answer_are_kept() {
    let frames = [
        server_frame(true, 1, b"first"),
        server_frame(true, 2, b"second"),
    ];
    let mut ws = open(&frames.concat());
    assert_eq!(ws.read().unwrap(), Some("first".into()));
    assert_eq!(ws.read().unwrap(), Some(b"second".into()));
    assert_eq!(ws.read().unwrap(), None);
}

#[test]
fn every_frame_is_masked_with_a_key_of_its_own() {
    let pings: Vec<u8> = (0..100).flat_map(|_| server_frame(true, 9, b"?")).collect();
    let mut ws = open(&pings);
    for i in 0..1_000 {
        ws.send(format!("message {i}")).unwrap();
    }
    ws.ping().unwrap();
    assert_eq!(ws.read().unwrap(), None);
    let _ = ws.close(1000, "bye");
    let frames = unmask(&ws.get_mut().script.take_written());
    assert_eq!(frames.len(), 1_101);
    let keys: HashSet<[u8; 4]> = frames.iter().map(|(_, key, _)| *key).collect();
    // Two of about a thousand random keys are equal once in ten thousand runs.
    assert!(keys.len() >= 1_100, "{} keys", keys.len());
    assert_eq!(frames[7], (0x81, frames[7].1, b"message 7".to_vec()));
    assert_eq!(frames[1_000].0, 0x89);
    assert_eq!((frames[1_001].0, &frames[1_001].2[..]), (0x8a, &b"?"[..]));
}

#[test]
fn violations_of_a_server() {
    for (sent, violation, code) in [
        (frame(true, 1, b"x"), Violation::MaskedFrame, 1002u16),
        (vec![0xc1], Violation::ReservedBits, 1002),
        (
            server_frame(false, 9, b""),
            Violation::FragmentedControl,
            1002,
        ),
        (server_frame(true, 1, b"\xff"), Violation::InvalidUtf8, 1007),
        (
            server_frame(true, 8, b"x"),
            Violation::TruncatedCloseCode,
            1002,
        ),
    ] {
        assert_ends(open(&sent), &violation, code);
    }
}

#[test]
fn the_server_closes_the_stream_and_the_client_waits_for_it() {
    let close = server_frame(true, 8, &[0x03, 0xe8, b'o', b'k']);
    let mut ws = open(&close);
    let script = &mut ws.get_mut().script;
    script.add_read("what comes after a Close is nobody's");
    script.add_read_failure(ErrorKind::Interrupted);
    script.add_read("and more");
    assert_eq!(ws.read().unwrap(), None);
    let clean = CloseEvent::new(1000, "ok");
    assert_eq!(ws.close_event(), Some(&clean));
    assert_eq!(written(&mut ws), [(0x88, vec![0x03, 0xe8])]);
    let script = &mut ws.get_mut().script;
    assert_eq!(script.read(&mut [0; 8]).unwrap(), 0, "read to its end");

    // A server that does not close is not waited for longer than the stream's own timeout.
    let mut ws = open(&close);
    ws.get_mut().script.add_read_failure(ErrorKind::WouldBlock);
    ws.get_mut().script.add_read("never read");
    assert_eq!(ws.read().unwrap(), None);
    assert_eq!(ws.close_event(), Some(&clean));
    // Nor is one that goes on sending.
    let mut ws = open(&close);
    for _ in 0..1_000 {
        ws.get_mut().script.add_read([0; 1_000]);
    }
    assert_eq!(ws.read().unwrap(), None);
    assert!(ws.get_mut().script.read(&mut [0; 8]).unwrap() > 0);
}

/// Both roles of this crate over one stream.
fn pair() -> (WebSocket<testing::Duplex>, WebSocket<testing::Duplex>) {
    let (ours, theirs) = testing::duplex();
    let server = thread::spawn(move || WebSocket::accept(ours).unwrap());
    let client = WebSocket::client(theirs, "ws://localhost/").unwrap();
    (server.join().unwrap(), client)
}

#[test]
fn both_roles_understand_each_other() {
    let (mut server, mut client) = pair();
    let echo = thread::spawn(move || {
        while let Some(message) = server.read()? {
            server.send(message)?;
        }
        Ok::<_, Error>(server.close_event().cloned())
    });
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
        client.send(bytes.clone()).unwrap();
        assert_eq!(client.read().unwrap(), Some(bytes.into()));
    }
    client.send("grüße").unwrap();
    assert_eq!(client.read().unwrap(), Some("grüße".into()));
    client.close(4000, "done").unwrap();
    assert_eq!(client.read().unwrap(), None);
    assert_eq!(client.close_event().unwrap().code, 4000);
    assert!(client.close_event().unwrap().was_clean);
    let seen = echo.join().unwrap().unwrap().unwrap();
    assert_eq!((seen.code, seen.was_clean), (4000.into(), true));
    assert_eq!(seen.reason, "done");
}

#[test]
fn the_server_may_close_too() {
    let (mut server, mut client) = pair();
    server.close(1001, "going").unwrap();
    let server = thread::spawn(move || {
        assert_eq!(server.read().unwrap(), None);
        server.close_event().cloned().unwrap()
    });
    assert_eq!(client.read().unwrap(), None);
    assert_eq!(client.close_event().unwrap().reason, "going");
    assert!(server.join().unwrap().was_clean);
}

#[test]
fn against_the_server_over_tcp() {
    let server = Server::builder()
        .subprotocols(["v1"])
        .serve("127.0.0.1:0", serving::echo)
        .unwrap();
    let addr = server.local_addr().unwrap();
    let request = ClientRequest::new(&format!("ws://{addr}/")).unwrap();
    let request = request.with_subprotocol("v1").unwrap();
    let stream = TcpStream::connect((request.host(), request.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ws = WebSocket::client(stream, request).unwrap();
    assert_eq!(ws.protocol(), Some("v1"));
    ws.send("hello").unwrap();
    assert_eq!(ws.read().unwrap(), Some("hello".into()));
    ws.close(1000, "").unwrap();
    assert_eq!(ws.read().unwrap(), None);
    assert!(ws.close_event().unwrap().was_clean);
    server.shutdown();
    assert_eq!(server.wait().threads_left, 0);

    let refusing = Server::bind("127.0.0.1:0").unwrap();
    let addr = refusing.local_addr().unwrap();
    let request = ClientRequest::new(&format!("ws://{addr}/")).unwrap();
    let request = request.with_origin("https://evil.example").unwrap();
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match WebSocket::client(stream, request) {
        Err(ClientError::Status { status, body, .. }) => {
            assert_eq!(status, 403);
            assert!(body.contains(".origins("), "{body}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_listener_that_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let closing = thread::spawn(move || drop(listener.accept().unwrap()));
    let stream = TcpStream::connect(addr).unwrap();
    let outcome = WebSocket::client(stream, format!("ws://{addr}/"));
    assert!(
        matches!(outcome, Err(ClientError::ServerLeft | ClientError::Io(_))),
        "{outcome:?}"
    );
    closing.join().unwrap();
}
