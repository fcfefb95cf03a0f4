//! The opening handshake as a client meets it: what is refused and how, what the hooks may do, and
//! that a refusal leaves nothing behind.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::refusal::{
    KEY_LINE, assert_refused, but, refusal, refusal_on, status, status_of,
};
use crate::support::{
    Client, PATIENCE, ask, dial, events_in_time, frame, read_head, read_to_close, reset, serving,
    throw, upgrade, wait_until,
};
use wshub::{Accept, Event, Limits, Reject, Server, ServerBuilder};

/// Short, to show deadlines; long enough for a handshake on a busy machine.
const SHORT: Duration = Duration::from_secs(1);

fn with_limits(limits: Limits) -> ServerBuilder {
    Server::builder().limits(limits)
}

fn in_a_hurry() -> Limits {
    Limits {
        handshake_timeout: SHORT,
        ..Limits::default()
    }
}

fn assert_echoes(client: &mut Client) {
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
}

fn assert_has_line(head: &str, line: &str) {
    let line = format!("\r\n{line}\r\n");
    assert!(head.contains(&line), "{line:?} in {head}");
}

#[test]
fn h01_a_silent_client_is_gone_at_its_deadline() {
    let app = App::echo(with_limits(in_a_hurry()));
    let begun = Instant::now();
    let mut silent = dial(app.addr);
    assert_eq!(read_to_close(&mut silent), b"");
    assert!(begun.elapsed() >= SHORT);
    wait_until("the handshake is forgotten", || {
        app.handle.stats().handshakes == 0
    });
    assert_eq!(app.handle.stats().refused["silence"], 1);
    assert!(app.is_quiet());
}

#[test]
fn h01_a_dribbling_client_gets_408_and_disturbs_nobody() {
    let app = App::echo(with_limits(in_a_hurry()));
    let mut healthy = Client::connect(app.addr);
    let begun = Instant::now();
    let mut dribbler = dial(app.addr);
    // The wait for an answer is the pause between two bytes.
    let pause = Duration::from_millis(20);
    dribbler.set_read_timeout(Some(pause)).unwrap();
    let mut first = [0];
    let request = upgrade("localhost", "/", &"X-Filler: a\r\n".repeat(90));
    for byte in request.bytes() {
        // A byte that meets the end of the handshake is lost.
        let _ = dribbler.write(&[byte]);
        assert_echoes(&mut healthy);
        if dribbler.read(&mut first).is_ok() {
            break;
        }
    }
    assert!(begun.elapsed() >= SHORT);
    dribbler.set_read_timeout(Some(PATIENCE)).unwrap();
    let rest = String::from_utf8(read_to_close(&mut dribbler)).unwrap();
    assert!(rest.starts_with("TTP/1.1 408 "), "{first:?} {rest}");
    assert_eq!(app.handle.stats().refused["timeout"], 1);
    assert_echoes(&mut healthy);
}

#[test]
fn h02_long_heads_get_431_and_414() {
    let app = App::echo(Server::builder());
    let line = format!("X: {}\r\n", "a".repeat(17 << 10));
    assert_refused(app.addr, upgrade("localhost", "/", &line), 431, &[]);
    let lines = "X: a\r\n".repeat(101);
    assert_refused(app.addr, upgrade("localhost", "/", &lines), 431, &[]);
    let heavy = format!("X: {}\r\n", "a".repeat(7 << 10)).repeat(3);
    assert_refused(app.addr, upgrade("localhost", "/", &heavy), 431, &[]);
    let target = format!("/{}", "a".repeat(8_000));
    assert_refused(app.addr, upgrade("localhost", &target, ""), 414, &[]);
    assert_eq!(app.handle.stats().refused["head_too_large"], 3);
}

/// RFC 6265 6.1: cookies of 4,096 bytes, and those of a host go to all its ports.
#[test]
fn m08_a_line_of_cookies_is_as_long_as_the_head_may_be() {
    let cookies = |count: usize| {
        let cookie = format!("c={}; ", "v".repeat(4_092));
        let line = format!("Cookie: {}\r\n", cookie.repeat(count));
        upgrade("localhost", "/", &line)
    };
    let limits = Limits {
        max_head: 65_535,
        ..Limits::default()
    };
    let raised = App::echo(Server::builder().limits(limits));
    assert_eq!(status(raised.addr, cookies(15)), 101);
    let app = App::echo(Server::builder());
    assert_eq!(status(app.addr, cookies(3)), 101);
    let answer = refusal(app.addr, cookies(5));
    assert_eq!(status_of(&answer), 431);
    assert!(answer.contains("raise max_head"), "{answer}");
}

/// A plain upgrade request with a line added after Host.
fn with_line(line: &[u8]) -> Vec<u8> {
    let request = upgrade("localhost", "/", "");
    let (first, rest) = request.split_at(request.find("Upgrade").unwrap());
    [first.as_bytes(), line, b"\r\n", rest.as_bytes()].concat()
}

/// Each of these is one 400, and the end of its connection.
fn assert_malformed(app: &App, requests: &[Vec<u8>]) {
    let before = app.handle.stats().opened;
    for request in requests {
        assert_refused(app.addr, request, 400, &[]);
    }
    assert_eq!(app.handle.stats().opened, before);
    assert!(app.is_quiet());
}

#[test]
fn h03_h04_h05_malformed_lines_get_400() {
    let app = App::echo(Server::builder());
    let request = upgrade("localhost", "/", "");
    let lines: [&[u8]; 17] = [
        b"X: a\r\n b",
        b"X: a\r\n\tb",
        b"X: a\nY: b",
        b"X: a\rb",
        b"X: a\0b",
        b"X: a\x07b",
        b"X: a\x7fb",
        b"X: a\r",
        b"Name : v",
        b"Name\t: v",
        b": v",
        b"Na me: v",
        b"Na(me: v",
        b"Na\0me: v",
        b"N\xc3\xa4me: v",
        b"no colon",
        b"\x0bX: v",
    ];
    let mut requests: Vec<_> = lines.into_iter().map(with_line).collect();
    requests.push(request.replace("\r\n", "\n").into_bytes());
    requests.push(request.replacen("\r\n", "\n", 1).into_bytes());
    requests.push(request.replace("Host", " Host").into_bytes());
    assert_malformed(&app, &requests);
    // Bytes beyond ASCII in a value are none of our business.
    let (head, _) = ask(app.addr, with_line(b"X:\ta\xff\xe4 "));
    assert_eq!(status_of(&head), 101);
}

#[test]
fn h06_headers_that_may_come_once() {
    let app = App::echo(Server::builder());
    let again = [
        KEY_LINE,
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        "Host: localhost\r\n",
        "HOST: evil\r\n",
        "Origin: http://localhost\r\nOrigin: http://localhost\r\n",
    ];
    let again = again.map(|line| upgrade("localhost", "/", line).into_bytes());
    assert_malformed(&app, &again);
    // Lists may come in several lines.
    let lists = "Upgrade: h2c\r\nConnection: keep-alive\r\nSec-WebSocket-Protocol: a\r\n\
                 Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Extensions: x\r\nSec-WebSocket-Extensions: y\r\n";
    assert_echoes(&mut Client::connect_with(app.addr, "/", lists));
}

#[test]
fn h07_upgrade_and_connection_are_lists_of_tokens() {
    let app = App::echo(Server::builder());
    let with = |upgrade: &str, connection: &str| {
        but("Upgrade: websocket", &format!("Upgrade: {upgrade}"))
            .replace("Connection: Upgrade", &format!("Connection: {connection}"))
    };
    for (upgrade, connection) in [
        ("h2c, websocket", "Upgrade"),
        ("websocket, foo", "keep-alive, Upgrade"),
        ("WebSocket", ",,upgrade ,"),
        ("WEBSOCKET", "\tkeep-alive\t,\tUPGRADE"),
    ] {
        let request = with(upgrade, connection);
        assert_echoes(&mut Client::open(dial(app.addr), &request));
    }
    for (upgrade, connection) in [
        ("foo", "Upgrade"),
        ("websockets", "Upgrade"),
        ("web socket", "Upgrade"),
        ("", "Upgrade"),
        ("websocket", "keep-alive"),
        ("websocket", "close, upgraded"),
    ] {
        let request = with(upgrade, connection);
        assert_refused(app.addr, request, 426, &["Upgrade: websocket"]);
    }
}

#[test]
fn h08_a_key_without_upgrade_gets_426() {
    let app = App::echo(Server::builder());
    let lines = ["Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    assert_refused(app.addr, but("Upgrade: websocket\r\n", ""), 426, &lines);
    assert_refused(app.addr, but("Connection: Upgrade\r\n", ""), 426, &lines);
    let other = but("Upgrade: websocket\r\n", "Upgrade: h2c\r\n");
    assert_refused(app.addr, other, 426, &lines);
}

#[test]
fn h09_an_upgrade_with_a_body_gets_400() {
    let app = App::echo(Server::builder());
    for headers in [
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5,6\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n",
    ] {
        assert_refused(app.addr, upgrade("localhost", "/", headers), 400, &[]);
    }
    Client::connect_with(app.addr, "/", "Content-Length: 0\r\n");
}

#[test]
fn h10_a_second_request_after_a_refusal_is_never_answered() {
    let app = App::echo(Server::builder());
    let second = upgrade("localhost", "/", "");
    let refused = [
        (but("Version: 13", "Version: 8"), 426),
        (upgrade("localhost", "/", "Origin: https://evil\r\n"), 403),
        (upgrade("localhost", "/", "Content-Length: 5\r\n"), 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 426),
    ];
    for (first, status) in refused {
        // The length of the answer says that nothing follows it.
        assert_refused(app.addr, first + &second, status, &[]);
    }
    assert_eq!(app.handle.stats().opened, 0);
}

#[test]
fn h11_a_frame_behind_the_head_is_delivered() {
    let app = App::echo(Server::builder());
    let mut segment = upgrade("localhost", "/", "").into_bytes();
    segment.extend(frame(true, 1, b"early"));
    segment.extend(&frame(true, 1, b"in two parts")[..5]);
    let (_, stream) = ask(app.addr, segment);
    let mut client = Client {
        stream,
        answer: String::new(),
    };
    assert_eq!(client.read().text(), "early");
    let rest = &frame(true, 1, b"in two parts")[5..];
    client.stream.write_all(rest).unwrap();
    assert_eq!(client.read().text(), "in two parts");
}

#[test]
fn h12_other_protocols_are_told_apart() {
    let app = App::echo(Server::builder());
    assert_refused(app.addr, but("HTTP/1.1", "HTTP/1.0"), 426, &[]);
    assert_refused(app.addr, "GET /\r\n\r\n", 400, &[]);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_refused(app.addr, preface, 505, &[]);

    // The beginning of a ClientHello: no answer that a TLS client could not read.
    let mut tls = dial(app.addr);
    tls.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .unwrap();
    assert_eq!(read_to_close(&mut tls), b"");
    wait_until("the TLS client is counted", || {
        app.handle.stats().refused.get("tls") == Some(&1)
    });
}

#[test]
fn m08_requests_that_are_odd_and_valid_are_served() {
    let app = App::echo(Server::builder());
    let requests = [
        "\r\n".to_owned() + &upgrade("localhost", "/", ""),
        but("HTTP/1.1", "HTTP/1.2"),
        upgrade("localhost", "//path", ""),
    ];
    for request in requests {
        let (answer, stream) = ask(app.addr, request);
        assert_eq!(status_of(&answer), 101, "{answer}");
        assert_echoes(&mut Client { stream, answer });
    }
    let two = "\r\n\r\n".to_owned() + &upgrade("localhost", "/", "");
    assert_refused(app.addr, two, 400, &[]);
    assert_refused(app.addr, but("HTTP/1.1", "HTTP/2.0"), 505, &[]);
}

#[test]
fn h13_other_methods_get_405() {
    let app = App::echo(Server::builder());
    for method in ["POST", "OPTIONS", "DELETE", "get"] {
        let request = but("GET", method);
        assert_refused(app.addr, request, 405, &["Allow: GET, HEAD"]);
    }
    let connect = "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n";
    assert_refused(app.addr, connect, 405, &["Allow: GET, HEAD"]);
}

#[test]
fn h14_forms_of_the_target() {
    let app = App::echo(Server::builder());
    let to = |target: &str| upgrade("localhost", target, "").into_bytes();
    let bad = [
        "*",
        "localhost:443",
        "/a#b",
        "/a b",
        "/\u{e4}",
        "a",
        "",
        "http://",
        "http://u@localhost/",
        "ftp://localhost/",
        "http://localhost:70000/",
    ];
    assert_malformed(&app, &bad.map(to));
    // The absolute form's authority overrides Host (RFC 9112 3.2.2).
    let page = |target: &str| {
        let request = upgrade("localhost", target, "Origin: http://localhost\r\n");
        status(app.addr, request)
    };
    assert_eq!(page("http://localhost/p?q"), 101);
    assert_eq!(page("ws://LOCALHOST"), 101);
    assert_eq!(page("ws://attacker.tld/"), 403);
    assert_eq!(page("http://127.0.0.1/"), 403);
}

#[test]
fn h15_a_bad_host_gets_400() {
    let app = App::echo(Server::builder());
    for host in ["a b", "[::1", "h:70000", "", "user@h"] {
        assert_refused(app.addr, upgrade(host, "/", ""), 400, &[]);
    }
    assert_refused(app.addr, but("Host: localhost\r\n", ""), 400, &[]);
}

#[test]
fn h16_bad_keys_get_400() {
    let app = App::echo(Server::builder());
    let long = "A".repeat(4 << 10);
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub25jZTEy",
        "dGhlIHNhbXBsZSBub25jZ!==",
        "dGhlIHNhbXBsZSBub25j ZQ=",
        &long,
    ] {
        let request = but("dGhlIHNhbXBsZSBub25jZQ==", key);
        assert_refused(app.addr, request, 400, &[]);
    }
    assert_refused(app.addr, but(KEY_LINE, ""), 400, &[]);
    let twice = upgrade("localhost", "/", KEY_LINE);
    assert_refused(app.addr, twice, 400, &[]);
}

#[test]
fn h17_other_versions_get_426() {
    let app = App::echo(Server::builder());
    let line = "Sec-WebSocket-Version: 13\r\n";
    for by in ["8", "13, 8", "013", "14", ""] {
        let request = but(line, &format!("Sec-WebSocket-Version: {by}\r\n"));
        assert_refused(app.addr, request, 426, &["Sec-WebSocket-Version: 13"]);
    }
    assert_refused(
        app.addr,
        but(line, ""),
        426,
        &["Sec-WebSocket-Version: 13", "Connection: close, Upgrade"],
    );
}

#[test]
fn h18_the_servers_favourite_subprotocol_is_chosen() {
    let app = App::echo(Server::builder().subprotocols(["chat.v2", "chat"]));
    let chosen = |headers: &str| {
        let client = Client::connect_with(app.addr, "/", headers);
        let line = client
            .answer
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        line.map(str::to_owned)
    };
    let offer = |offers: &str| chosen(&format!("Sec-WebSocket-Protocol: {offers}\r\n"));
    assert_eq!(offer("chat, chat.v2").as_deref(), Some("chat.v2"));
    assert_eq!(offer("superchat, chat").as_deref(), Some("chat"));
    assert_eq!(offer("superchat"), None);
    assert_eq!(offer("CHAT"), None);
    assert_eq!(offer(&",".repeat(5_000)), None);
    assert_eq!(
        offer(&format!("{}chat", ",".repeat(5_000))).as_deref(),
        Some("chat")
    );
    assert_eq!(chosen(""), None);
    let two = "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: chat\r\n";
    assert_eq!(chosen(two).as_deref(), Some("chat"));
    let bad = upgrade("localhost", "/", "Sec-WebSocket-Protocol: two words\r\n");
    assert_refused(app.addr, bad, 400, &[]);
}

#[test]
fn h19_offers_of_extensions_are_declined() {
    let app = App::echo(Server::builder());
    let unclosed = format!("a; b=\"{}", "\\c".repeat(3 << 10));
    for offer in [
        "constructor",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=999",
        &unclosed,
    ] {
        let headers = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        let mut client = Client::connect_with(app.addr, "/", &headers);
        assert!(!client.answer.contains("Extensions"), "{}", client.answer);
        assert_echoes(&mut client);
    }
}

#[test]
fn h20_a_hook_cannot_break_a_header_in_two() {
    let app = App::echo(Server::builder().accept(|request| {
        let name = request
            .query_string()
            .unwrap_or_default()
            .replace('_', "\r\n");
        Ok(Accept::new().with_header("X-Name", &name)?)
    }));
    let answer = Client::connect_with(app.addr, "/?ada", "").answer;
    assert!(answer.contains("\r\nX-Name: ada\r\n"), "{answer}");
    let answer = refusal(app.addr, upgrade("localhost", "/?a_Set-Cookie:b", ""));
    assert_eq!(status_of(&answer), 500);
    assert!(!answer.contains("Set-Cookie"), "{answer}");
}

#[test]
fn h21_pages_of_other_sites_are_refused() {
    let app = App::echo(Server::builder());
    let port = app.addr.port();
    let status = |host: &str, origin: &str| {
        let headers = format!("Origin: {origin}\r\n");
        status(app.addr, upgrade(host, "/", &headers))
    };
    for (host, origin) in [
        ("localhost", "https://evil"),
        ("localhost", "null"),
        ("localhost", "file://"),
        ("localhost", "http://localhost:81"),
        ("localhost", "http://localhost.evil"),
        ("localhost", "http://evil-localhost"),
        ("localhost", "http://localhost@evil"),
        ("localhost", "http://evil@localhost"),
        ("localhost", "localhost"),
        ("localhost:81", "http://localhost"),
        ("localhost:81", "https://localhost"),
    ] {
        assert_eq!(status(host, origin), 403, "{origin} on {host}");
    }
    let own = format!("127.0.0.1:{port}");
    for (host, origin) in [
        (&*own, format!("http://{own}")),
        ("localhost", "http://localhost".into()),
        ("LocalHost", "http://LOCALHOST:80".into()),
        ("localhost:80", "http://localhost".into()),
        ("localhost", "https://localhost".into()),
        ("[::1]:9", "http://[::1]:9".into()),
    ] {
        assert_eq!(status(host, &origin), 101, "{origin} on {host}");
    }
    assert_eq!(app.handle.stats().refused["origin"], 11);
    let answer = refusal(
        app.addr,
        upgrade("localhost", "/", "Origin: https://evil\r\n"),
    );
    assert!(
        answer.contains(r#".origins(["https://evil"])"#),
        "the remedy: {answer}"
    );
}

#[test]
fn h21_listed_origins_may_connect() {
    let origins = ["https://app.example.com", "null"];
    let app = App::echo(Server::builder().origins(origins));
    let from = |origin: &str| {
        let headers = format!("Origin: {origin}\r\n");
        status(app.addr, upgrade("localhost", "/", &headers))
    };
    for origin in [
        "https://app.example.com",
        "https://APP.example.com:443",
        "null",
        "http://localhost",
    ] {
        assert_eq!(from(origin), 101, "{origin}");
    }
    for origin in [
        "http://app.example.com",
        "https://app.example.com:444",
        "https://example.com",
        "https://app.example.com.evil",
    ] {
        assert_eq!(from(origin), 403, "{origin}");
    }
    let everyone = App::echo(Server::builder().origins(["*"]));
    let any = upgrade("localhost", "/", "Origin: https://evil\r\n");
    assert_eq!(status(everyone.addr, any), 101);
}

#[test]
fn h22_a_rebound_name_is_refused_to_browsers() {
    let app = App::echo(Server::builder());
    let rebound = |name: &str| upgrade(name, "/", &format!("Origin: http://{name}\r\n"));
    for name in ["attacker.tld:80", "attacker.tld", "192.168.1.2", "intranet"] {
        let answer = refusal(app.addr, rebound(name));
        assert_eq!(status_of(&answer), 403, "{name}");
        let host = name.trim_end_matches(":80");
        let remedy = format!(".hosts([\"{host}\"])");
        assert!(answer.contains(&remedy), "{answer}");
    }
    for name in ["localhost", "127.0.0.1", "127.9.9.9:81", "[::1]"] {
        assert_eq!(status(app.addr, rebound(name)), 101, "{name}");
    }
    // A program sends no Origin, and is served under any name.
    assert_eq!(status(app.addr, upgrade("attacker.tld", "/", "")), 101);

    let named = App::echo(Server::builder().hosts(["device.example.com"]));
    let sub = "sub.device.example.com";
    assert_eq!(status(named.addr, rebound("device.example.com:81")), 101);
    assert_eq!(status(named.addr, rebound(sub)), 403);
    assert_eq!(status(named.addr, rebound("localhost")), 101);
}

#[test]
fn h22_a_server_of_a_network_answers_to_addresses_and_local_names() {
    let server = Server::bind("0.0.0.0:0").unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], server.local_addr().unwrap().port()));
    let rebound = |name: &str| upgrade(name, "/", &format!("Origin: http://{name}\r\n"));
    for name in [
        "192.168.1.2",
        "[fe80::1]:8080",
        "printer",
        "printer.local",
        "a.lan",
        "a.home.arpa",
    ] {
        assert_eq!(status(addr, rebound(name)), 101, "{name}");
    }
    for name in ["attacker.tld", "local", "evil-local.tld", "a.localx", "a.b"] {
        let expected = if name == "local" { 101 } else { 403 };
        assert_eq!(status(addr, rebound(name)), expected, "{name}");
    }
}

#[test]
fn h24_the_accept_hook_decides() {
    let app = App::echo(Server::builder().subprotocols(["chat"]).accept(|request| {
        match request.path() {
            "/members" if request.cookie("session") != Some("s3cret") => {
                Err(Reject::unauthorized()
                    .with_header("X-Hint", "log in")?
                    .with_body("members only\n"))
            }
            "/members" => Ok(Accept::new()
                .with_header("X-Server", "north")?
                .with_header("Set-Cookie", "a=b")?
                .with_header("Set-Cookie", "c=d")?
                .with_subprotocol("chat.v2")?),
            "/panic" => throw(),
            "/unoffered" => Ok(Accept::new().with_subprotocol("unoffered")?),
            "/status" => Err(Reject::new(101)?),
            _ => Ok(Accept::new()),
        }
    }));
    let answer = refusal(app.addr, upgrade("localhost", "/members", ""));
    assert_eq!(status_of(&answer), 401);
    for part in [
        "\r\nX-Hint: log in\r\n",
        "\r\nWWW-Authenticate: Bearer\r\n",
        "\r\n\r\nmembers only\n",
    ] {
        assert!(answer.contains(part), "{part:?} in {answer}");
    }

    let headers = "Cookie: session=s3cret\r\nSec-WebSocket-Protocol: chat, chat.v2\r\n";
    let mut client = Client::connect_with(app.addr, "/members", headers);
    for line in [
        "X-Server: north",
        "Set-Cookie: a=b",
        "Set-Cookie: c=d",
        "Sec-WebSocket-Protocol: chat.v2",
    ] {
        assert_has_line(&client.answer, line);
    }
    assert_echoes(&mut client);

    for path in ["/panic", "/unoffered", "/status"] {
        let request = upgrade("localhost", path, "Sec-WebSocket-Protocol: chat\r\n");
        assert_refused(app.addr, request, 500, &[]);
    }
    let stats = app.handle.stats();
    assert_eq!(stats.handler_failures, 1);
    assert_eq!(stats.refused["hook_panicked"], 1);
    assert_eq!(stats.refused["hook_subprotocol"], 1);
    assert_eq!(stats.refused["hook"], 2);
    assert_echoes(&mut client);
}

#[test]
fn h24_the_accept_hook_is_asked_once_and_only_where_all_else_is_in_order() {
    let (asked, calls) = channel();
    let asked = Mutex::new(asked);
    let app = App::echo(Server::builder().accept(move |request| {
        let _ = asked.lock().unwrap().send(request.path().to_owned());
        Ok(Accept::new())
    }));
    assert_refused(app.addr, but(KEY_LINE, ""), 400, &[]);
    let evil = upgrade("localhost", "/evil", "Origin: http://evil\r\n");
    assert_refused(app.addr, evil, 403, &[]);
    Client::connect_with(app.addr, "/good", "");
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), ["/good"]);
}

#[test]
fn h24_a_hook_that_comes_too_late_costs_its_own_client_only() {
    let app = App::echo(with_limits(in_a_hurry()).accept(|request| {
        if request.path() == "/late" {
            thread::sleep(SHORT + Duration::from_millis(100));
        }
        Ok(Accept::new())
    }));
    let mut late = dial(app.addr);
    late.write_all(upgrade("localhost", "/late", "").as_bytes())
        .unwrap();
    assert_echoes(&mut Client::connect(app.addr));
    assert_eq!(status_of(&refusal_on(&mut late)), 408);
    assert_eq!(app.handle.stats().opened, 1);
}

#[test]
fn h25_a_half_closed_client_still_gets_its_101() {
    let app = App::echo(Server::builder());
    let mut stream = dial(app.addr);
    stream
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let head = read_head(&mut stream).unwrap();
    assert_eq!(status_of(&head), 101);
    assert_eq!(read_to_close(&mut stream), b"");
    app.expect(&["open", "close 1006  unclean"]);
}

#[test]
fn h25_a_client_that_half_closes_in_mid_head_is_told() {
    let app = App::echo(Server::builder());
    for part in [
        "G",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        let mut stream = dial(app.addr);
        stream.write_all(part.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(status_of(&refusal_on(&mut stream)), 400, "{part:?}");
    }
    let nothing = dial(app.addr);
    nothing.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_close(&mut &nothing), b"");
}

#[test]
fn h25_a_reset_before_the_answer_is_a_count_and_no_event() {
    let (asked, was_asked) = channel();
    let (release, gate) = channel::<()>();
    let (asked, gate) = (Mutex::new(asked), Mutex::new(gate));
    let app = App::echo(Server::builder().accept(move |_| {
        asked.lock().unwrap().send(()).unwrap();
        // Not for ever, should the test fail meanwhile.
        let _ = gate.lock().unwrap().recv_timeout(PATIENCE);
        Ok(Accept::new())
    }));
    let mut stream = dial(app.addr);
    stream
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    was_asked.recv_timeout(PATIENCE).unwrap();
    reset(stream);
    drop(release);
    wait_until("the handshake is forgotten", || {
        app.handle.stats().handshakes == 0
    });
    let stats = app.handle.stats();
    assert_eq!((stats.connections, stats.opened), (0, 0));
    assert_eq!(stats.refused["peer_left"], 1);
    assert!(app.is_quiet());
}

#[test]
fn h26_a_client_that_keeps_sending_reads_the_whole_refusal() {
    let app = App::echo(Server::builder());
    for _ in 0..20 {
        let mut stream = dial(app.addr);
        stream
            .write_all(but("Version: 13", "Version: 8").as_bytes())
            .unwrap();
        for _ in 0..48 {
            stream.write_all(&[b'x'; 1 << 10]).unwrap();
        }
        assert_eq!(status_of(&refusal_on(&mut stream)), 426);
    }
}

#[test]
fn h26_a_client_that_never_stops_sending_is_cut_off() {
    let app = App::echo(Server::builder());
    let mut stream = dial(app.addr);
    stream
        .write_all(but("Version: 13", "Version: 8").as_bytes())
        .unwrap();
    let begun = Instant::now();
    while stream.write_all(&[b'x'; 1 << 10]).is_ok() {
        assert!(begun.elapsed() < PATIENCE);
    }
    wait_until("the handshake is forgotten", || {
        app.handle.stats().handshakes == 0
    });
}

#[test]
fn h26_a_refused_client_that_does_not_leave_is_let_go_of() {
    let app = App::echo(Server::builder());
    let (head, _stream) = ask(app.addr, but("Version: 13", "Version: 8"));
    assert_eq!(status_of(&head), 426);
    wait_until("the handshake is forgotten", || {
        app.handle.stats().handshakes == 0
    });
}

#[test]
fn sample_a_the_handshake_of_rfc_6455() {
    let request = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    let defaults = App::echo(Server::builder());
    assert_refused(defaults.addr, request, 403, &[]);

    let app = App::echo(
        Server::builder()
            .origins(["http://example.com"])
            .hosts(["server.example.com"])
            .subprotocols(["chat"]),
    );
    let mut client = Client::open(dial(app.addr), request);
    assert!(
        client
            .answer
            .starts_with("HTTP/1.1 101 Switching Protocols\r\n")
    );
    for line in [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: chat",
    ] {
        assert_has_line(&client.answer, line);
    }
    assert_echoes(&mut client);

    // B: another key, and the key that a scan of it misreads.
    for (key, accept) in [
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        ("x3JJHMBDL1EzLkh9GBhXDw==", "ntUnSKj74tpJFRS3kIUvlT5CJ8k="),
    ] {
        let request = request.replace("dGhlIHNhbXBsZSBub25jZQ==", key);
        let answer = Client::open(dial(app.addr), &request).answer;
        let line = format!("\r\nSec-WebSocket-Accept: {accept}\r\n");
        assert!(answer.contains(&line), "{line:?} in {answer}");
    }
}

#[test]
fn sample_c_the_absolute_form() {
    let short = "GET ws://websocket.example.com/ HTTP/1.1\r\nOrigin: http://example.com\r\n\
        Connection: Upgrade\r\nHost: websocket.example.com\r\nUpgrade: websocket\r\n\r\n";
    let app = App::echo(
        Server::builder()
            .origins(["http://example.com"])
            .hosts(["websocket.example.com"]),
    );
    let answer = refusal(app.addr, short);
    assert!(matches!(status_of(&answer), 400 | 426), "{answer}");
    assert!(answer.contains("Sec-WebSocket-Version"), "{answer}");
    for scheme in ["ws", "wss", "http", "https"] {
        let whole = short.replace("GET ws:", &format!("GET {scheme}:")).replace(
            "\r\n\r\n",
            &format!("\r\n{KEY_LINE}Sec-WebSocket-Version: 13\r\n\r\n"),
        );
        assert_echoes(&mut Client::open(dial(app.addr), &whole));
    }
}

#[test]
fn sample_d_many_cookies_are_no_problem() {
    let app = App::echo(Server::builder());
    let cookies = format!(
        "Cookie: {}last=1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
         Accept-Language: de,en;q=0.5\r\nUpgrade-Insecure-Requests: 1\r\n",
        "name=0123456789abcdef; ".repeat(52)
    );
    let plain = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n{cookies}Accept: text/html\r\n\r\n"
    );
    assert_refused(app.addr, plain, 426, &["Upgrade: websocket"]);
    assert_echoes(&mut Client::connect_with(app.addr, "/", &cookies));
}

#[test]
fn sample_e_header_names_in_any_case() {
    let app = App::echo(Server::builder());
    let request = upgrade("localhost", "/", "")
        .replace("Upgrade: ", "upgrade: ")
        .replace("Connection", "CONNECTION")
        .replace("Sec-WebSocket-Version", "sec-websocket-version")
        .replace("Sec-WebSocket-Key", "SEC-WEBSOCKET-key");
    assert_echoes(&mut Client::open(dial(app.addr), &request));
    let firefox = but("Connection: Upgrade", "Connection: keep-alive, Upgrade");
    assert_echoes(&mut Client::open(dial(app.addr), &firefox));
    let spaced = but("Connection: Upgrade", "connection : Upgrade");
    assert_refused(app.addr, spaced, 400, &[]);
}

#[test]
fn sample_f_http_1_0_opens_nothing() {
    let app = App::echo(Server::builder());
    let answer = refusal(app.addr, but("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(status_of(&answer), 426);
    assert!(answer.contains("HTTP/1.1"), "the remedy: {answer}");
}

#[test]
fn one_address_may_be_given_a_bound() {
    let app = App::echo(with_limits(Limits {
        max_per_address: Some(2),
        ..Limits::default()
    }));
    let mut first = Client::connect(app.addr);
    let _second = Client::connect(app.addr);
    assert_refused(app.addr, upgrade("localhost", "/", ""), 429, &[]);
    assert_eq!(app.handle.stats().refused["address"], 1);
    first.send_close(1000, "");
    assert_eq!(first.read().close().0, 1000);
    wait_until("its place is free", || app.handle.stats().connections == 1);
    assert_echoes(&mut Client::connect(app.addr));
}

#[test]
fn b07_a_full_server_answers_503_until_a_close_was_taken() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let server = with_limits(limits).bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut first = Client::connect(addr);
    let _second = Client::connect(addr);
    let request = upgrade("localhost", "/", "");
    assert_refused(addr, &request, 503, &["Retry-After: 1"]);
    first.send_close(1000, "");
    assert_eq!(first.read().close().0, 1000);
    assert!(first.at_end());
    // It has left, but the application does not know yet.
    assert_refused(addr, &request, 503, &["Retry-After: 1"]);
    assert_eq!(server.stats().refused["full"], 2);
    assert!(events_in_time(server.events()).any(|event| matches!(event, Event::Close(..))));
    assert_eq!(server.stats().connections, 1);
    Client::connect(addr);
}

#[test]
fn b07_a_full_server_with_a_handler_is_free_when_the_handler_is_done() {
    let limits = Limits {
        max_connections: 1,
        ..Limits::default()
    };
    let handle = with_limits(limits)
        .serve("127.0.0.1:0", serving::echo)
        .unwrap();
    let addr = handle.local_addr().unwrap();
    let first = Client::connect(addr);
    assert_refused(
        addr,
        upgrade("localhost", "/", ""),
        503,
        &["Retry-After: 1"],
    );
    drop(first);
    wait_until("its place is free", || handle.stats().connections == 0);
    assert_echoes(&mut Client::connect(addr));
    handle.shutdown();
    handle.wait();
}

/// Tells when it is read.
struct Told {
    stream: TcpStream,
    is_read: mpsc::Sender<()>,
}

impl wshub::Transport for Told {
    fn read(&self, room: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let _ = self.is_read.send(());
        wshub::Transport::read(&self.stream, room, deadline)
    }

    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        wshub::Transport::try_write(&self.stream, parts)
    }

    crate::support::delegated!(stream);
}

#[test]
fn the_oldest_handshake_gives_way_to_newer_ones() {
    let app = App::echo(with_limits(Limits {
        max_handshakes: 4,
        handshake_timeout: 3 * PATIENCE,
        ..Limits::default()
    }));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let come = || {
        let client = dial(listener.local_addr().unwrap());
        let ((stream, _), (is_read, read)) = (listener.accept().unwrap(), mpsc::channel());
        app.handle.attach(Told { stream, is_read });
        (client, read)
    };
    // One that is waited for, and only then can give way.
    let slow_one = || {
        let (client, read) = come();
        read.recv_timeout(PATIENCE).unwrap();
        client
    };
    let mut slow: Vec<TcpStream> = (0..4).map(|_| slow_one()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    }
    let mut newer = Vec::new();
    for _ in 0..3 {
        // Each takes the place of the oldest one that is left, once it has to be waited for.
        let (newest, _read) = come();
        let mut oldest = slow.remove(0);
        let answer = refusal_on(&mut oldest);
        let request = upgrade("localhost", "/", "");
        newer.push(Client::open(newest, &request));
        assert_eq!(status_of(&answer), 503);
        assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
        drop(oldest);
        wait_until("its place is free", || app.handle.stats().handshakes == 3);
        slow.push(slow_one());
    }
    assert_eq!(app.handle.stats().refused["evicted"], 3);
    // Those that are left may go on.
    let mut patient = slow.swap_remove(0);
    let rest = upgrade("localhost", "/", "");
    let rest = rest.strip_prefix("GET / HTTP/1.1\r\nHost: ").unwrap();
    patient.write_all(rest.as_bytes()).unwrap();
    assert_eq!(status_of(&read_head(&mut patient).unwrap()), 101);
    newer.iter_mut().for_each(assert_echoes);
}

#[test]
fn a_connection_keeps_the_headers_that_it_was_told_to_and_the_hooks_see_all() {
    let seen = Arc::new(Mutex::new(None));
    let hook = seen.clone();
    let server = Server::builder()
        .keep_headers(["X-Kept", "origin"])
        .accept(move |request| {
            let cookie = request.cookie("a").map(str::to_owned);
            *hook.lock().unwrap() = cookie.map(|cookie| (cookie, request.host().to_owned()));
            Ok(Accept::new())
        })
        .bind("127.0.0.1:0")
        .unwrap();
    let headers =
        "Cookie: a=b\r\nx-kept:  one \r\nX-KEPT: two\r\nSec-WebSocket-Protocol: spoken\r\n";
    let _client = Client::connect_with(server.local_addr().unwrap(), "/way?query=yes", headers);
    let Ok(Event::Open(connection)) = server.events().recv_timeout(PATIENCE) else {
        panic!("no Open");
    };
    let (cookie, host) = seen.lock().unwrap().take().unwrap();
    assert_eq!((&*cookie, host.is_empty()), ("b", false));
    let request = connection.request();
    let kept: Vec<_> = request.headers().collect();
    let expected: [(&str, &[u8]); 3] = [
        ("x-kept", b"one"),
        ("X-KEPT", b"two"),
        ("Sec-WebSocket-Protocol", b"spoken"),
    ];
    assert_eq!(kept, expected);
    assert_eq!(request.header("cookie"), None);
    assert_eq!((request.method(), request.path()), ("GET", "/way"));
    assert_eq!(request.target(), "/way?query=yes");
    assert_eq!(request.query("query").as_deref(), Some("yes"));
    assert_eq!(request.host(), host);
    assert!(request.peer_addr().is_some());
}
