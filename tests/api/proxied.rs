//! Behind a proxy: who is believed about whom. What others claim means nothing, or is refused with the line to add.

use std::io::Write;
use std::net::TcpStream;

use crate::support::app::App;
use crate::support::{self, Client, dial, exchange, read_head, read_to_close, wait_until};
use wshub::{Limits, Peer, Response, Server, ServerBuilder};

/// Says who asked, and under which name.
fn server() -> ServerBuilder {
    let said = |peer: Peer| {
        peer.ip()
            .map_or_else(|| peer.to_string(), |ip| ip.to_string())
    };
    let page = move |request: &wshub::HookRequest<'_>| {
        Response::text(format!("{} {}", said(request.peer()), request.host()))
    };
    Server::builder()
        .http(page)
        .hosts(["a.example", "b.example"])
}

/// This machine is a proxy: every client of these tests comes from there.
fn trusting() -> ServerBuilder {
    server().trusted_proxies(["127.0.0.1", "10.0.0.0/8"])
}

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

fn body(answer: &str) -> &str {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1
}

const V1: &str = "PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn v2(command: u8, more: &[u8]) -> Vec<u8> {
    let body = [&[192, 0, 2, 2, 10, 0, 0, 1, 0x12, 0x34, 0, 80][..], more].concat();
    let length = (body.len() as u16).to_be_bytes();
    [V2, &[command, 0x11], &length, &body].concat()
}

#[test]
fn a_trusted_proxy_says_who_is_behind_it() {
    let app = App::echo(trusting());
    let ask = |first: &[u8], headers: &str| {
        let bytes = [first, get(headers).as_bytes()].concat();
        body(&exchange(app.addr, bytes)).to_owned()
    };
    for (first, headers, wanted) in [
        (&b""[..], "", "127.0.0.1 localhost"),
        (b"\r\n", "", "127.0.0.1 localhost"),
        (V1.as_bytes(), "", "192.0.2.1 localhost"),
        (&v2(0x21, b""), "", "192.0.2.2 localhost"),
        (&v2(0x21, b"\x04\x00\x02xx"), "", "192.0.2.2 localhost"),
        (&v2(0x20, b""), "", "127.0.0.1 localhost"),
        (b"PROXY UNKNOWN\r\n", "", "127.0.0.1 localhost"),
        (b"", "X-Forwarded-For: 192.0.2.3\r\n", "192.0.2.3 localhost"),
        (
            b"",
            "X-Forwarded-For: 6.6.6.6, 192.0.2.3, 10.0.0.2\r\nX-Forwarded-Host: a.example\r\n",
            "192.0.2.3 a.example",
        ),
        (
            b"",
            "Forwarded: for=6.6.6.6, for=\"[2001:db8::7]:1\";host=b.example\r\n",
            "2001:db8::7 b.example",
        ),
        // Another one of ours behind the first.
        (
            b"PROXY TCP4 10.0.0.7 10.0.0.1 4660 80\r\n",
            "X-Forwarded-For: 192.0.2.3\r\n",
            "192.0.2.3 localhost",
        ),
        // A client that claims to be a proxy behind one that says who it is.
        (
            V1.as_bytes(),
            "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: a.example\r\n",
            "192.0.2.1 localhost",
        ),
    ] {
        assert_eq!(ask(first, headers), wanted, "{first:?} {headers:?}");
    }
}

#[test]
fn a_header_of_the_proxy_protocol_may_come_byte_by_byte() {
    let app = App::echo(trusting());
    for first in [V1.as_bytes().to_vec(), v2(0x21, b"\x04\x00\x02xx")] {
        let mut stream = dial(app.addr);
        stream.set_nodelay(true).unwrap();
        for byte in [&first[..], get("").as_bytes()].concat() {
            stream.write_all(&[byte]).unwrap();
        }
        let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
        assert!(body(&answer).starts_with("192.0.2."), "{answer}");
    }
}

#[test]
fn what_nobody_trusted_claims_means_nothing() {
    for builder in [server(), server().trusted_proxies(["10.0.0.0/8", "unix"])] {
        let app = App::echo(builder);
        for headers in [
            "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: a.example\r\n",
            "Forwarded: for=10.0.0.1;host=a.example\r\n",
            "Forwarded: for=\"\r\n",
            "X-Real-IP: 10.0.0.1\r\n",
        ] {
            let answer = exchange(app.addr, get(headers));
            assert_eq!(body(&answer), "127.0.0.1 localhost", "{headers}");
        }
    }
}

#[test]
fn the_proxy_protocol_of_somebody_else_gets_400_and_the_line_to_add() {
    let app = App::echo(server());
    for first in [
        V1.as_bytes().to_vec(),
        v2(0x21, b""),
        b"PROXY UNKNOWN\r\n".to_vec(),
    ] {
        let bytes = [&first[..], get("").as_bytes()].concat();
        let answer = exchange(app.addr, bytes);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            answer.contains(r#".trusted_proxies(["127.0.0.1"])"#),
            "{answer}"
        );
    }
    assert_eq!(app.handle.stats().refused["untrusted_proxy"], 3);
    assert_eq!(app.handle.stats().http_requests, 0);
}

/// In clear, as a proxy that speaks so would read it; TLS comes after its header.
#[cfg(feature = "tls")]
#[test]
fn the_proxy_protocol_of_somebody_else_on_a_port_with_tls_gets_400_and_the_line_to_add() {
    let authority = crate::support::tls::Authority::new();
    let app = App::echo(server().tls(&authority.tls()));
    for first in [V1.as_bytes().to_vec(), v2(0x21, b"")] {
        let bytes = [&first[..], b"\x16\x03\x01"].concat();
        let answer = exchange(app.addr, bytes);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            answer.contains(r#".trusted_proxies(["127.0.0.1"])"#),
            "{answer}"
        );
    }
    assert_eq!(app.handle.stats().refused["untrusted_proxy"], 2);
}

#[test]
fn what_a_trusted_proxy_sends_that_cannot_be_read_gets_400() {
    let app = App::echo(trusting());
    for first in [
        b"PROXY TCP4 192.0.2.1\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 10.0.0.1 1 80\n".to_vec(),
        [b"PROXY ", &[b'x'; 200][..]].concat(),
        [V2, b"\x31\x11\x00\x00"].concat(),
        [V2, b"\x21\x11\x00\x00"].concat(),
    ] {
        let bytes = [&first[..], get("").as_bytes()].concat();
        let answer = exchange(app.addr, bytes);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{first:?}: {answer}");
        assert!(answer.contains("PROXY protocol"), "{answer}");
    }
    for headers in [
        "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n",
        "Forwarded: for=\"\r\n",
    ] {
        let answer = exchange(app.addr, get(headers));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
        let answer = exchange(app.addr, get(headers).replace("GET", "HEAD"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "HEAD has no body: {answer}");
    }
    let stats = app.handle.stats();
    assert_eq!(
        (stats.refused["proxy_protocol"], stats.refused["forwarded"]),
        (5, 4)
    );
}

fn open(app: &App, first: &str, headers: &str) -> Result<Client<TcpStream>, String> {
    let mut stream = dial(app.addr);
    let request = support::upgrade("localhost", "/", headers);
    stream
        .write_all((first.to_owned() + &request).as_bytes())
        .unwrap();
    let head = read_head(&mut stream).unwrap();
    match head.starts_with("HTTP/1.1 101 ") {
        true => Ok(Client {
            stream,
            answer: head,
        }),
        false => Err(head),
    }
}

#[test]
fn connections_count_for_the_client_and_not_for_the_proxy() {
    let limits = Limits {
        max_per_address: Some(1),
        ..Limits::default()
    };
    let app = App::echo(trusting().limits(limits));
    let from = |address: &str| open(&app, &V1.replace("192.0.2.1", address), "");
    let _one = from("192.0.2.1").unwrap();
    let _other = from("192.0.2.2").unwrap();
    assert!(from("192.0.2.1").is_err_and(|answer| answer.starts_with("HTTP/1.1 429 ")));
    let header = "X-Forwarded-For: 192.0.2.2\r\n";
    assert!(
        open(&app, "", header).is_err(),
        "the same client by another way"
    );
    let mut third = open(&app, "", "X-Forwarded-For: 192.0.2.2, 192.0.2.3\r\n").unwrap();
    third.send_text("hello");
    assert_eq!(third.read().text(), "hello");
}

#[test]
fn h21_a_page_is_at_home_where_the_proxy_says_that_it_came_from() {
    let app = App::echo(trusting());
    let said = |proto: &str, host: &str, origin: &str| {
        let headers = format!(
            "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: {proto}\r\nX-Forwarded-Host: {host}\r\nOrigin: {origin}\r\n"
        );
        open(&app, "", &headers).is_ok()
    };
    assert!(said("https", "a.example", "https://a.example"));
    assert!(said("http", "a.example:8080", "http://a.example:8080"));
    assert!(!said("https", "a.example", "http://a.example"));
    assert!(!said("http", "a.example", "https://a.example"));
    assert!(!said("https", "a.example", "https://localhost"));
    assert!(
        !said("https", "attacker.tld", "https://attacker.tld"),
        "no name of ours"
    );
    // Without a proxy's word a page may claim nothing.
    let claim = "X-Forwarded-Host: evil.example\r\nOrigin: http://evil.example\r\n";
    let others = App::echo(server());
    assert!(open(&others, "", claim).is_err());
}

/// One connection of a proxy brings requests of many clients.
#[test]
fn each_request_of_a_kept_connection_has_its_own_client() {
    let app = App::echo(trusting());
    let mut all = String::new();
    for client in 1..4 {
        let request = get(&format!("X-Forwarded-For: 192.0.2.{client}\r\n"));
        all += &request.replace("close", if client == 3 { "close" } else { "x" });
    }
    let answers = exchange(app.addr, all);
    for client in 1..4 {
        assert!(
            answers.contains(&format!("192.0.2.{client} localhost")),
            "{answers}"
        );
    }
}

#[test]
fn h01_half_a_header_gets_no_further_than_half_a_request() {
    let limits = Limits {
        handshake_timeout: std::time::Duration::from_millis(300),
        ..Limits::default()
    };
    let app = App::echo(trusting().limits(limits));
    for first in [&V1.as_bytes()[..10], &V2[..5], b""] {
        let mut stream = dial(app.addr);
        stream.write_all(first).unwrap();
        read_to_close(&mut stream);
    }
    wait_until("nobody is left", || app.handle.stats().handshakes == 0);
}

#[cfg(feature = "tls")]
#[test]
fn the_header_comes_before_tls() {
    use crate::support::tls::{Authority, secure_over};
    let authority = Authority::new();
    let app = App::echo(trusting().tls(&authority.tls()));
    for (first, wanted) in [
        (V1.as_bytes().to_vec(), "192.0.2.1"),
        (v2(0x21, b""), "192.0.2.2"),
        (Vec::new(), "127.0.0.1"),
    ] {
        let mut stream = dial(app.addr);
        stream.write_all(&first).unwrap();
        let mut stream = secure_over(stream, authority.client_config(None), "localhost").unwrap();
        stream.write_all(get("").as_bytes()).unwrap();
        let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
        assert!(body(&answer).starts_with(wanted), "{answer}");
    }
}

#[test]
fn m07_an_entry_that_is_no_address_is_refused_at_bind() {
    for entry in ["localhost", "10.0.0.1/8", "10.0.0.0/33", "*"] {
        let error = Server::builder()
            .trusted_proxies([entry])
            .bind("127.0.0.1:0")
            .unwrap_err();
        assert!(error.to_string().contains(entry), "{error}");
    }
}
