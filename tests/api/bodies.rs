//! Plain requests with a body: any method reaches the `http` hook, and the body whole; what does not say where it ends
//! is refused.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::{dial, exchange, read_head, read_to_close, wait_until};
use wshub::{HookRequest, Limits, Response, Server, ServerBuilder};

/// Says what it was asked, and with what.
fn told(request: &HookRequest<'_>) -> Response {
    let body = String::from_utf8_lossy(request.body());
    Response::text(format!("{} {} [{body}]", request.method(), request.path()))
}

fn server() -> ServerBuilder {
    Server::builder().http(told)
}

fn with_limits(limits: Limits) -> ServerBuilder {
    server().limits(limits)
}

fn request(method: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} /here HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

fn status_of(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    status.parse().unwrap_or_else(|_| panic!("{answer:?}"))
}

fn body_of(answer: &str) -> &str {
    assert_eq!(status_of(answer), 200, "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn h13_any_method_reaches_the_hook() {
    let app = App::echo(server());
    for method in [
        "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT", "get",
    ] {
        let answer = exchange(app.addr, request(method, "", ""));
        assert_eq!(body_of(&answer), format!("{method} /here []"));
    }
    // A hook that answered it with a 200 would open a tunnel.
    for target in ["localhost:80", "/here"] {
        let tunnel = format!("CONNECT {target} HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
        assert_eq!(status_of(&exchange(app.addr, tunnel)), 405, "{target}");
    }
    assert_eq!(app.handle.stats().http_requests, 8);
}

#[test]
fn a_body_reaches_the_hook_whole() {
    let app = App::echo(server());
    let long = "x".repeat(300_000);
    let chunks = format!("{:x}\r\n{long}\r\n", long.len());
    for (headers, sent, body) in [
        ("Content-Length: 5\r\n", "hello", "hello"),
        ("Content-Length: 0\r\n", "", ""),
        (
            "Transfer-Encoding: chunked\r\n",
            "2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nX: y\r\n\r\n",
            "hello",
        ),
        (&format!("Content-Length: {}\r\n", long.len()), &long, &long),
        (
            "Transfer-Encoding: chunked\r\n",
            &format!("{chunks}{chunks}0\r\n\r\n"),
            &format!("{long}{long}"),
        ),
    ] {
        for method in ["POST", "GET"] {
            let answer = exchange(app.addr, request(method, headers, sent));
            assert_eq!(body_of(&answer), format!("{method} /here [{body}]"));
        }
    }
}

#[test]
fn a_body_may_come_byte_by_byte() {
    let app = App::echo(server());
    let mut stream = dial(app.addr);
    stream.set_nodelay(true).unwrap();
    let sent = request(
        "POST",
        "Transfer-Encoding: chunked\r\n",
        "1;x\r\nh\r\n4\r\nello\r\n0\r\nX: y\r\n\r\n",
    );
    for byte in sent.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert_eq!(body_of(&answer), "POST /here [hello]");
}

/// Two parsers must never see two different requests: who is not sure asks to be spoken to anew.
#[test]
fn h09_a_body_whose_end_is_not_clear_is_refused_and_its_connection_closed() {
    let app = App::echo(server());
    // What a front that reads the body otherwise would take for the next request.
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    for (headers, body, status) in [
        (both, "0\r\n\r\n", 400),
        ("Content-Length: 4\r\nContent-Length: 0\r\n", "", 400),
        ("Content-Length: 0\r\nContent-Length: 0\r\n", "", 400),
        ("Content-Length: 0,0\r\n", "", 400),
        ("Content-Length: +0\r\n", "", 400),
        ("Content-Length : 0\r\n", "", 400),
        ("Content-Length: 0\n", "", 400),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n", 400),
        ("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            "0\r\n\r\n",
            400,
        ),
        ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", 501),
        ("Transfer-Encoding: chunked\r\n", "0\n\n", 400),
        ("Transfer-Encoding: chunked\r\n", "0;\n\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\n",
            "1\r\nxx\r\n0\r\n\r\n",
            400,
        ),
        (
            "Transfer-Encoding: chunked\r\n",
            "10000000000000000\r\n",
            400,
        ),
        ("Transfer-Encoding: chunked\r\n", "-1\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\n",
            "0\r\nContent-Length 5\r\n\r\n",
            400,
        ),
    ] {
        let sent = request("POST", headers, body) + smuggled;
        let answer = exchange(app.addr, sent);
        assert_eq!(status_of(&answer), status, "{headers:?} {body:?}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert_eq!(app.handle.stats().http_requests, 0);
}

#[test]
fn h09_a_body_that_is_too_long_gets_413() {
    let app = App::echo(with_limits(Limits {
        max_body: 1000,
        ..Limits::default()
    }));
    let length = |length: u64| request("POST", &format!("Content-Length: {length}\r\n"), "");
    let most = length(1000) + &"x".repeat(1000);
    assert_eq!(status_of(&exchange(app.addr, most)), 200);
    for length in [
        length(1001),
        length(u64::MAX),
        length(1001).replace("1001", "99999999999999999999999"),
    ] {
        let answer = exchange(app.addr, length);
        assert_eq!(status_of(&answer), 413, "{answer}");
        assert!(answer.contains("raise max_body"), "{answer}");
    }
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500)).repeat(2);
    let chunked = |end: &str| {
        request(
            "POST",
            "Transfer-Encoding: chunked\r\n",
            &format!("{chunk}{end}"),
        )
    };
    assert_eq!(status_of(&exchange(app.addr, chunked("0\r\n\r\n"))), 200);
    assert_eq!(status_of(&exchange(app.addr, chunked("1\r\n"))), 413);
    assert_eq!(app.handle.stats().refused["body_too_large"], 4);
}

/// RFC 9110 10.1.1.
#[test]
fn a_client_that_waits_for_a_word_gets_it_before_its_body() {
    let app = App::echo(with_limits(Limits {
        max_body: 1000,
        ..Limits::default()
    }));
    let expecting = |length: usize| {
        let headers = format!("Expect: 100-continue\r\nContent-Length: {length}\r\n");
        let mut stream = dial(app.addr);
        stream
            .write_all(request("POST", &headers, "").as_bytes())
            .unwrap();
        stream
    };
    let mut stream = expecting(5);
    assert_eq!(
        read_head(&mut stream).unwrap(),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    stream.write_all(b"hello").unwrap();
    let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert_eq!(body_of(&answer), "POST /here [hello]");
    // What is refused is refused before it is sent.
    let answer = String::from_utf8(read_to_close(&mut expecting(1001))).unwrap();
    assert_eq!(status_of(&answer), 413);
    // Who does not wait gets no word.
    let impatient = request(
        "POST",
        "Expect: 100-continue\r\nContent-Length: 5\r\n",
        "hello",
    );
    assert_eq!(
        body_of(&exchange(app.addr, impatient)),
        "POST /here [hello]"
    );
    let other = request("POST", "Expect: x\r\nContent-Length: 5\r\n", "hello");
    assert_eq!(status_of(&exchange(app.addr, other)), 417);
}

#[test]
fn m09_a_body_that_dribbles_gets_408_and_one_that_flows_is_waited_for() {
    let limits = Limits {
        body_timeout: Duration::from_secs(3),
        min_rate: 5_000,
        ..Limits::default()
    };
    let app = App::echo(with_limits(limits));
    let begin = |length: usize| {
        let mut stream = dial(app.addr);
        let head = request("POST", &format!("Content-Length: {length}\r\n"), "");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    for mut silent in [begin(5), begin(500_000)] {
        let begun = Instant::now();
        let answer = String::from_utf8(read_to_close(&mut silent)).unwrap();
        assert_eq!(status_of(&answer), 408, "{answer}");
        assert!(answer.contains("body_timeout"), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    // Far above the floor, for longer than the timeout: each piece is worth all of it again.
    let mut steady = begin(500_000);
    for _ in 0..25 {
        steady.write_all(&[b'x'; 20_000]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    let answer = String::from_utf8(read_to_close(&mut steady)).unwrap();
    assert_eq!(status_of(&answer), 200, "{answer}");
    assert_eq!(app.handle.stats().refused["body_too_slow"], 2);
}

#[test]
fn m11_a_body_that_is_cut_short_never_reaches_the_hook() {
    let app = App::echo(server());
    let cut = |headers: &str, body: &str| {
        let mut stream = dial(app.addr);
        stream
            .write_all(request("POST", headers, body).as_bytes())
            .unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        String::from_utf8(read_to_close(&mut stream)).unwrap()
    };
    assert_eq!(status_of(&cut("Content-Length: 6\r\n", "hello")), 400);
    assert_eq!(
        status_of(&cut("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n")),
        400
    );
    assert_eq!(
        status_of(&cut(
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\n"
        )),
        400
    );
    assert_eq!(app.handle.stats().http_requests, 0);
    // One that has all is answered, though its client ends its side.
    assert_eq!(
        body_of(&cut("Content-Length: 5\r\n", "hello")),
        "POST /here [hello]"
    );
}

/// Uploads take places of plain requests, and none of handshakes.
#[test]
fn m10_slow_uploads_keep_no_websocket_out() {
    let limits = Limits {
        max_http_requests: 2,
        max_handshakes: 2,
        ..Limits::default()
    };
    let app = App::echo(with_limits(limits));
    let uploads: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = dial(app.addr);
            let head = request("POST", "Content-Length: 5\r\n", "he");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    wait_until("both are under way", || app.handle.stats().answering == 2);
    for _ in 0..5 {
        let mut client = crate::support::Client::connect(app.addr);
        client.send_text("hello");
        assert_eq!(client.read().text(), "hello");
    }
    assert_eq!(status_of(&exchange(app.addr, request("GET", "", ""))), 503);
    for mut stream in uploads {
        stream.write_all(b"llo").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(body_of(&answer), "POST /here [hello]");
    }
}

/// An upload that stays half takes a place until its deadline.
#[test]
fn m10_half_uploads_of_one_address_keep_no_other_one_out() {
    let limits = Limits {
        max_http_requests: 4,
        max_per_address: Some(3),
        ..Limits::default()
    };
    let app = App::echo(with_limits(limits).trusted_proxies(["127.0.0.1"]));
    let of = |client: &str| format!("X-Forwarded-For: {client}\r\nContent-Length: 5\r\n");
    let half = request("POST", &of("192.0.2.1"), "ha");
    let mut uploads = [(); 3].map(|()| {
        let mut stream = dial(app.addr);
        stream.write_all(half.as_bytes()).unwrap();
        stream
    });
    wait_until("they are under way", || app.handle.stats().answering == 3);
    let answer = exchange(app.addr, request("POST", &of("192.0.2.1"), "whole"));
    assert_eq!(status_of(&answer), 429, "{answer}");
    assert!(answer.contains("max_per_address"), "{answer}");
    let answer = exchange(app.addr, request("POST", &of("192.0.2.2"), "whole"));
    assert_eq!(body_of(&answer), "POST /here [whole]");
    // Its place is free again after an answer.
    uploads[0].write_all(b"lf!").unwrap();
    let answer = String::from_utf8(read_to_close(&mut uploads[0])).unwrap();
    assert_eq!(body_of(&answer), "POST /here [half!]");
    let answer = exchange(app.addr, request("POST", &of("192.0.2.1"), "whole"));
    assert_eq!(body_of(&answer), "POST /here [whole]");
}

/// A page of another site can have a browser send a form here, with whatever the browser knows of its user.
#[test]
fn h21_a_page_of_another_site_changes_nothing() {
    let app = App::echo(server().origins(["https://app.example.com"]));
    let from = |method: &str, origin: &str| {
        let headers = format!("Origin: {origin}\r\nContent-Length: 2\r\n");
        exchange(app.addr, request(method, &headers, "{}"))
    };
    for method in ["POST", "PUT", "DELETE"] {
        for origin in ["https://evil.example", "null", "http://localhost:81"] {
            let answer = from(method, origin);
            assert_eq!(status_of(&answer), 403, "{method} {origin}: {answer}");
        }
        let answer = from(method, "https://evil.example");
        assert!(
            answer.contains(r#".origins(["https://evil.example"])"#),
            "{answer}"
        );
        assert_eq!(status_of(&from(method, "https://app.example.com")), 200);
        assert_eq!(status_of(&from(method, "http://localhost")), 200);
    }
    assert_eq!(status_of(&from("GET", "https://evil.example")), 200);
}

/// The pace is that of the body: what stands around it is no progress.
#[test]
fn m09_a_body_that_dribbles_in_thick_chunks_gets_408() {
    let app = App::echo(with_limits(Limits {
        body_timeout: Duration::from_millis(300),
        min_rate: 1000,
        ..Limits::default()
    }));
    let mut stream = dial(app.addr);
    stream.set_nodelay(true).unwrap();
    let head = request("POST", "Transfer-Encoding: chunked\r\n", "");
    stream.write_all(head.as_bytes()).unwrap();
    // 2,000 bytes a second, a twentieth of them the body's.
    for _ in 0..300 {
        if stream.write_all(b"0000000000000001\r\nx\r\n").is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = stream.write_all(b"0\r\n\r\n");
    wait_until("it is refused or served", || {
        let stats = app.handle.stats();
        stats.http_requests + stats.refused.values().sum::<u64>() == 1
    });
    assert_eq!(app.handle.stats().refused["body_too_slow"], 1);
}
