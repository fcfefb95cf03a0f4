//! From where, and under which name, a WebSocket may be opened: the rules for Origin and Host as pages and programs
//! meet them, and the remedies that refusals print.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use crate::support::refusal::{KEY_LINE, refusal, status, status_of};
use crate::support::{ask, throw, upgrade};
use wshub::{HandshakeError, Response, Server, ServerBuilder};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const EVERYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// A server bound to `ip`, and where a client of this machine finds it.
fn bind(builder: ServerBuilder, ip: IpAddr) -> (Server, SocketAddr) {
    let server = builder.bind((ip, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let ip = match ip.is_unspecified() {
        true => LOOPBACK,
        false => ip,
    };
    (server, SocketAddr::from((ip, port)))
}

/// An upgrade request of a page, or of a program that says it is one.
fn from(host: &str, origin: &str) -> String {
    upgrade(host, "/", &format!("Origin: {origin}\r\n"))
}

/// What stands in `.name(["…"])`, if the refusal says to add it.
fn remedy<'a>(refusal: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = refusal.split_once(&format!(".{name}([\""))?;
    Some(rest.split_once("\"])").expect("a whole remedy").0)
}

/// The builder of the remedies that the refusal prints; `None` if it prints none.
fn remedied(refusal: &str) -> Option<ServerBuilder> {
    let (origin, host) = (remedy(refusal, "origins"), remedy(refusal, "hosts"));
    if origin.is_none() && host.is_none() {
        return None;
    }
    Some(Server::builder().origins(origin).hosts(host))
}

/// Whatever a server prints as a remedy, it takes, and then lets that very request in.
#[test]
fn m07_the_remedy_of_a_refusal_lets_that_very_request_in() {
    let label = "a".repeat(90);
    let long = format!("{label}.{label}.example.com");
    let too_long = format!("{}.example.com", "a".repeat(300));
    for (host, origin) in [
        ("localhost", "https://app.example.com"),
        ("localhost", "http://localhost/"),
        ("localhost", "http://app.example.com/"),
        ("localhost", "http://app.example.com:5173/"),
        ("localhost", "https://app.example.com."),
        ("localhost", "https://app.example.com.:8443/"),
        ("localhost", "HTTPS://App.Example.COM"),
        ("localhost", "https://[2001:DB8::1]:8443"),
        ("localhost", "https://[::ffff:192.0.2.1]"),
        ("localhost", "http://192.0.2.1:81"),
        ("localhost", "http://192.0.2.1."),
        ("localhost", "https://xn--bcher-kva.example"),
        ("localhost", "https://b\u{fc}cher.example"),
        ("localhost", &format!("https://{label}.example.com")),
        ("localhost", &format!("https://{long}:8443/")),
        ("localhost", &format!("https://{too_long}")),
        ("localhost", &format!("{label}://host")),
        ("localhost", &format!("{label}{label}://host")),
        ("localhost", "https://a'b.example.com"),
        ("localhost", "https://a%2eb"),
        ("localhost", "https://a..b"),
        ("localhost", "null"),
        ("localhost", "NULL"),
        ("localhost", "file://"),
        ("localhost", "file:///"),
        ("localhost", "file:///home/a.html"),
        ("localhost", "qrc://"),
        ("localhost", "app://."),
        ("localhost", "capacitor://localhost"),
        ("localhost", "chrome-extension://abcdef"),
        ("localhost", "wss://app.example.com"),
        ("localhost", ""),
        ("localhost", "/"),
        ("localhost", "*"),
        ("localhost", "https://*"),
        ("localhost", "https://*.example.com"),
        ("localhost", "https://.example.com"),
        ("localhost", "https://."),
        ("localhost", "https://"),
        ("localhost", "https:///"),
        ("localhost", "https://user@h"),
        ("localhost", "https://h/chat"),
        ("localhost", "https://h//"),
        ("localhost", "https://h?q"),
        ("localhost", "https://h:"),
        ("localhost", "https://h:65536"),
        ("localhost", "https://h:x"),
        ("localhost", "https://::1"),
        ("localhost", "https://a https://b"),
        ("localhost", "https://a\"]).origins([\"*"),
        ("device.example.com", "http://device.example.com"),
        ("Device.Example.com.:9001", "http://device.example.com:9001"),
        ("device.example.com", "http://other.example.com/"),
        ("192.0.2.1:81", "http://192.0.2.1:81"),
        ("192.0.2.1:81", "http://other.example.com"),
        ("[2001:db8::1]:81", "http://[2001:DB8:0::1]:81"),
        ("xn--bcher-kva.example", "http://xn--bcher-kva.example"),
        (&format!("{long}:80"), &format!("http://{long}")),
        (&too_long, &format!("http://{too_long}")),
        (&too_long, "http://other.example.com"),
        (".example.com", "http://.example.com"),
        ("*.example.com", "http://localhost"),
        ("a..b.tld", "http://a..b.tld"),
        ("a'b.example.com", "http://a'b.example.com"),
        (".", "http://."),
    ] {
        let mut printed = 0;
        for ip in [LOOPBACK, EVERYWHERE] {
            let request = from(host, origin);
            let (_server, addr) = bind(Server::builder(), ip);
            if status(addr, &request) == 101 {
                continue;
            }
            let told = refusal(addr, &request);
            assert_eq!(status_of(&told), 403, "{told}");
            if let Some(builder) = remedied(&told) {
                printed += 1;
                let (_server, addr) = bind(builder, ip);
                assert_eq!(status(addr, &request), 101, "{host} {origin}: {told}");
            }
        }
        // What nothing is wrong with has a remedy, in one place at least.
        let fine = origin.ends_with(".example.com") && !origin.contains(['*', '"']);
        let fine = fine && !origin.contains("/.") && !origin.contains(&*too_long);
        assert!(!fine || host == too_long || printed > 0, "{host} {origin}");
    }
    // A plain request has no origin to be judged.
    let page = "GET / HTTP/1.1\r\nHost: device.example.com.:81\r\nConnection: close\r\n\r\n";
    let with_page = |builder: ServerBuilder| builder.http(|_| Response::html("page"));
    let (_server, addr) = bind(with_page(Server::builder()), LOOPBACK);
    let told = refusal(addr, page);
    let builder = with_page(remedied(&told).expect("a remedy"));
    let (_server, addr) = bind(builder, LOOPBACK);
    assert_eq!(status(addr, page), 200, "{told}");
}

/// The requests of three programs that send an Origin, as they write them.
#[test]
fn m07_devices_and_programs_that_send_an_origin() {
    let key = KEY_LINE.trim_end();
    // arduinoWebSockets: `webSocket.begin("192.168.1.10", 9001, "/")`.
    let arduino = format!(
        "GET / HTTP/1.1\r\nHost: 192.168.1.10:9001\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n{key}\r\nSec-WebSocket-Protocol: arduino\r\n\
         Origin: file://\r\nUser-Agent: arduino-WebSocket-Client\r\n\r\n"
    );
    // golang.org/x/net/websocket: `Dial("ws://192.168.1.10:9001/", "", "http://localhost/")`.
    let go = format!(
        "GET / HTTP/1.1\r\nHost: 192.168.1.10:9001\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\n{key}\r\nOrigin: http://localhost/\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    // websocket-client for Python: `create_connection("ws://device.example.com:9001/")`.
    let python = format!(
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nHost: device.example.com:9001\r\n\
         Origin: http://device.example.com:9001\r\n{key}\r\nSec-WebSocket-Version: 13\r\n\
         Connection: Upgrade\r\n\r\n"
    );
    let own = "Origin: http://192.168.1.10:9001";
    let (_server, addr) = bind(Server::builder(), EVERYWHERE);
    for request in [
        // arduinoWebSockets with `setExtraHeaders`, `Dial` and `create_connection` with the server's own.
        arduino.replace("Origin: file://", own),
        go.replace("Origin: http://localhost/", &format!("{own}/")),
        python.replace("device.example.com", "192.168.1.10"),
    ] {
        assert_eq!(status(addr, &request), 101, "{request}");
    }
    let evil = from("192.168.1.10:9001", "https://evil.example");
    let builder = Server::builder;
    for (name, request, builder) in [
        ("arduino", arduino, builder().origins(["file://"])),
        ("go", go, builder().origins(["http://localhost"])),
        ("python", python, builder().hosts(["device.example.com"])),
    ] {
        let (_server, addr) = bind(Server::builder(), EVERYWHERE);
        let told = refusal(addr, &request);
        assert_eq!(status_of(&told), 403, "{name}");
        assert!(remedied(&told).is_some(), "{told}");
        let (_server, addr) = bind(builder, EVERYWHERE);
        assert_eq!(status(addr, &request), 101, "{name}");
        assert_eq!(status(addr, &evil), 403, "{name}");
    }
}

/// A page that this very server gave out under another name of the loopback interface is its own.
#[test]
fn m07_loopback_names_of_one_server_are_one_site() {
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    for (ip, own, other) in [
        (LOOPBACK, "127.0.0.1", "[::1]"),
        (EVERYWHERE, "127.0.0.1", "[::1]"),
        (v6, "[::1]", "127.0.0.1"),
    ] {
        let Ok(server) = Server::bind((ip, 0)) else {
            assert_eq!(ip, v6, "a machine without IPv6");
            continue;
        };
        let port = server.local_addr().unwrap().port();
        let addr = SocketAddr::new(if ip.is_unspecified() { LOOPBACK } else { ip }, port);
        let is_let_in = |host: &str, origin: &str, page_port: u16| {
            let origin = format!("http://{origin}:{page_port}");
            status(addr, from(&format!("{host}:{port}"), &origin)) == 101
        };
        assert!(is_let_in(own, "localhost", port), "{ip}");
        assert!(is_let_in("localhost", own, port), "{ip}");
        // Of another program on another port, or at an address that this one does not listen at.
        for page_port in [port ^ 1, 80] {
            assert!(!is_let_in(own, "localhost", page_port), "{ip}");
            assert!(!is_let_in("localhost", own, page_port), "{ip}");
        }
        assert!(!is_let_in("localhost", other, port), "{ip}");
        assert!(!is_let_in(own, other, port), "{ip}");
        assert!(!is_let_in(own, "localhost.evil.example", port), "{ip}");
    }
}

/// The final dot of a name is no other name, and names below localhost are loopback's.
#[test]
fn m07_final_dots_and_names_below_localhost() {
    let (_server, local) = bind(Server::builder(), LOOPBACK);
    let names = ["*.example.com", "example.net."];
    let (_server, public) = bind(Server::builder().hosts(names), EVERYWHERE);
    for (addr, host, let_in) in [
        (local, "localhost.", true),
        (local, "localhost.:9001", true),
        (local, "foo.localhost", true),
        (local, "a.b.LOCALHOST:9001", true),
        (local, "127.0.0.1.", true),
        (local, "localhost.evil.example", false),
        (local, "evil-localhost", false),
        (local, "printer.local.", false),
        (public, "printer.local.", true),
        (public, "foo.localhost", true),
        (public, "x.example.com", true),
        (public, "x.y.example.com.:81", true),
        (public, "example.net.", true),
        (public, "example.net", true),
        (public, "example.com", false),
        (public, "x.example.net", false),
        (public, "evilexample.com", false),
        (public, "evil.example.", false),
    ] {
        let plain = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let (wanted, wanted_plain) = if let_in { (101, 426) } else { (403, 403) };
        assert_eq!(
            status(addr, from(host, &format!("http://{host}"))),
            wanted,
            "{host}"
        );
        assert_eq!(status_of(&ask(addr, plain).0), wanted_plain, "{host}");
    }
}

#[test]
fn h22_loopback_written_as_ipv6_is_loopback() {
    let Ok(server) = Server::bind("[::ffff:127.0.0.1]:0") else {
        return; // A machine without IPv6.
    };
    let addr = SocketAddr::from((LOOPBACK, server.local_addr().unwrap().port()));
    let rebound = |name: &str| status(addr, from(name, &format!("http://{name}")));
    assert_eq!((rebound("printer"), rebound("localhost")), (403, 101));
}

#[test]
fn m07_a_star_in_front_stands_for_whole_labels() {
    let listed = ["https://*.example.com", "https://.example.net:8443"];
    let (_server, addr) = bind(Server::builder().origins(listed), LOOPBACK);
    for (origin, let_in) in [
        ("https://a.example.com", true),
        ("https://a.b.example.com", true),
        ("https://a.example.net:8443", true),
        ("https://example.com", false),
        ("https://evilexample.com", false),
        ("https://evil-example.com", false),
        ("https://a.example.com.evil.example", false),
        ("https://a.example.com:8443", false),
        ("http://a.example.com", false),
        ("https://a.example.net", false),
    ] {
        let wanted = if let_in { 101 } else { 403 };
        assert_eq!(status(addr, from("localhost", origin)), wanted, "{origin}");
    }
}

/// A rule that could never match is an error that says what is possible.
#[test]
fn m07_rules_that_could_never_match_are_refused_at_bind() {
    let refused = |builder: ServerBuilder| {
        let by_stream = builder.websocket(std::io::empty()).unwrap_err();
        let error = builder.bind("127.0.0.1:0").map(drop).unwrap_err();
        assert!(matches!(by_stream, HandshakeError::Io(by_stream)
            if by_stream.to_string() == error.to_string()));
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        error.to_string()
    };
    for entry in [
        "https://*",
        "http://localhost:*",
        "*://example.com",
        "https://*x.example.com",
        "https://a.*.example.com",
        "*.example.com",
        "example.com",
        "https://example.com/chat",
        "https://*.127.0.0.1",
        "",
    ] {
        let error = refused(Server::builder().origins([entry]));
        assert!(error.contains("\"https://*.example.com\""), "{error}");
        assert!(error.contains(".origin_rule()"), "{error}");
    }
    for entry in [
        "*",
        "*x.example.com",
        "x.*",
        "*.*.com",
        "http://a",
        "::1",
        ".127.0.0.1",
        "",
    ] {
        let error = refused(Server::builder().hosts([entry]));
        assert!(error.contains("\"*.example.com\""), "{error}");
    }
}

/// It decides where nothing else lets an origin in, about nothing else, and about the origin alone.
#[test]
fn m07_an_origin_rule_is_asked_last() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = asked.clone();
    let builder = Server::builder()
        .origins(["https://listed.example"])
        .origin_rule(move |origin, request| {
            let asked = (origin.to_owned(), request.path().to_owned());
            told.lock().unwrap().push(asked);
            match origin {
                "https://panic.example" => throw(),
                _ => origin.starts_with("http://localhost:") || request.path() == "/open",
            }
        });
    let (server, addr) = bind(builder, LOOPBACK);
    let from = |path: &str, origin: &str| {
        let headers = format!("Origin: {origin}\r\n");
        status(addr, upgrade("localhost", path, &headers))
    };
    assert_eq!(status(addr, upgrade("localhost", "/", "")), 101);
    assert_eq!(from("/", "http://localhost"), 101);
    assert_eq!(from("/", "https://listed.example"), 101);
    assert_eq!(*asked.lock().unwrap(), [], "there was nothing to ask");

    assert_eq!(from("/", "http://localhost:5173"), 101);
    assert_eq!(from("/open", "https://a/b c"), 101);
    assert_eq!(from("/", "https://evil.example"), 403);
    let pairs = [
        ("http://localhost:5173", "/"),
        ("https://a/b c", "/open"),
        ("https://evil.example", "/"),
    ];
    let pairs = pairs.map(|(origin, path)| (origin.to_owned(), path.to_owned()));
    assert_eq!(*asked.lock().unwrap(), pairs);

    // It is about the origin: a name that is not this server's stays refused.
    let headers = "Origin: https://a.example\r\n";
    let rebound = refusal(addr, upgrade("attacker.tld", "/open", headers));
    assert!(
        rebound.contains("host \"attacker.tld\" is not a name"),
        "{rebound}"
    );

    assert_eq!(from("/", "https://panic.example"), 500);
    let stats = server.stats();
    assert_eq!(
        (stats.handler_failures, stats.refused["hook_panicked"]),
        (1, 1)
    );
    assert_eq!(from("/", "http://localhost:5173"), 101, "it goes on");
}

/// Not before all else of the request is known to be in order, and before the `accept` hook.
#[test]
fn m07_an_origin_rule_comes_before_the_accept_hook() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = accepted.clone();
    let builder = Server::builder()
        .origin_rule(|origin, _| origin == "https://friend.example")
        .accept(move |_| {
            counted.fetch_add(1, SeqCst);
            Ok(wshub::Accept::new())
        });
    let (_server, addr) = bind(builder, LOOPBACK);
    assert_eq!(status(addr, from("localhost", "https://evil.example")), 403);
    assert_eq!(accepted.load(SeqCst), 0);
    assert_eq!(
        status(addr, from("localhost", "https://friend.example")),
        101
    );
    assert_eq!(accepted.load(SeqCst), 1);
}
