//! Plain HTTP on the WebSocket's port: the `http` hook, and what a plain request gets without one.

use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::app::App;
use crate::support::{
    self, Client, ask_on, dial, exchange, read_head, read_to_close, throw, wait_until,
};
use wshub::{HookRequest, Limits, Response, Server, ServerBuilder, Status};

/// More than the system takes for a client that does not read.
const BIG: usize = 32 << 20;
const PAGE: &str = "<!doctype html><title>hub</title>";

fn site(request: &HookRequest<'_>) -> Response {
    match request.path() {
        "/" => Response::html(PAGE),
        "/big" => Response::ok().with_body(vec![b'x'; BIG]),
        // Without a word on stderr, which a panic would say.
        "/panic" => throw(),
        "/query" => Response::text(request.query_string().unwrap_or("none")),
        _ => Response::not_found(),
    }
}

fn with_site() -> ServerBuilder {
    Server::builder().http(site)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn assert_status(answer: &str, status: u16) {
    let line = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&line), "{status}, not {answer}");
    assert!(answer.contains("\r\nConnection: close"), "{answer}");
}

fn assert_echoes(client: &mut Client) {
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
}

#[test]
fn h14_a_question_about_the_server_gets_204() {
    let ask = |app: &App, headers: &str, body: &str| {
        let head = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        exchange(app.addr, format!("{head}{headers}\r\n{body}"))
    };
    // Where nothing else is answered, nothing is kept, and the answer says so.
    let app = App::echo(Server::builder());
    let last = exchange(app.addr, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_status(&last, 204);
    for builder in [Server::builder(), Server::builder().http(|_| throw())] {
        let app = App::echo(builder);
        let answer = ask(&app, "", "");
        assert_status(&answer, 204);
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(!answer.contains("Content-Length"), "{answer}");
        assert_status(&ask(&app, "Content-Length: 2\r\n", "ab"), 400);
        // It is no way to learn under which names the server is known, nor one in.
        let evil = "OPTIONS * HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n";
        assert_status(&exchange(app.addr, evil), 403);
        let upgrade = support::upgrade("localhost", "*", "").replacen("GET", "OPTIONS", 1);
        let answer = exchange(app.addr, upgrade);
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
}

#[test]
fn a_page_and_a_websocket_on_one_port() {
    let app = App::echo(with_site());
    let answer = exchange(app.addr, get("/"));
    assert_status(&answer, 200);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, PAGE);
    for line in [
        "Content-Type: text/html; charset=utf-8".to_owned(),
        format!("Content-Length: {}", PAGE.len()),
    ] {
        assert!(head.contains(&format!("\r\n{line}")), "{head}");
    }
    assert!(exchange(app.addr, get("/query?a=b")).ends_with("a=b"));
    assert_status(&exchange(app.addr, get("/nothing")), 404);
    assert_echoes(&mut Client::connect(app.addr));
    wait_until("every request is done", || {
        app.handle.stats().handshakes == 0
    });
    let stats = app.handle.stats();
    assert_eq!((stats.http_requests, stats.opened), (3, 1));
    assert!(stats.refused.is_empty(), "{stats:?}");
}

/// An answer without its Date, and that.
fn split_date(answer: &str) -> (String, String) {
    let (before, rest) = answer.split_once("\r\nDate: ").expect("a Date");
    let (date, behind) = rest.split_once("\r\n").unwrap();
    (format!("{before}\r\n{behind}"), date.to_owned())
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(date: &str) -> u64 {
    let words: Vec<_> = date.split([' ', ':']).collect();
    let number = |at: usize| words[at].parse::<u64>().unwrap();
    let (day, year) = (number(1), number(3));
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec"
        .find(words[2])
        .unwrap()
        / 3;
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let months = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap = leap_days(year) > leap_days(year - 1);
    let days = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
        + months[month]
        + u64::from(is_leap && month > 1)
        + day
        - 1;
    assert_eq!(
        &date[..3],
        ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize]
    );
    assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    ((days * 24 + number(4)) * 60 + number(5)) * 60 + number(6)
}

/// RFC 9110 6.6.1: pages and refusals, those that come before a request is read included.
#[test]
fn m08_every_plain_answer_has_its_date() {
    assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), 784_111_777);
    let app = App::echo(with_site().http(|request| {
        match request.path() {
            "/own" => Response::ok()
                .with_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
                .unwrap(),
            _ => site(request),
        }
    }));
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    for (request, status) in [
        (get("/"), 200),
        (get("/nothing"), 404),
        (get("/").replace("GET", "HEAD"), 200),
        (get("/").replace("GET", "POST"), 200),
        (get("/").replace("localhost", "attacker.tld"), 403),
        (get("/panic"), 500),
        (get("/").replace("Host", "Host "), 400),
        (get("/").replace("1.1", "3.0"), 505),
        (get(&"/".repeat(8_001)), 414),
    ] {
        let begun = now();
        let answer = exchange(app.addr, request);
        assert_status(&answer, status);
        let (_, date) = split_date(&answer);
        assert!((begun..=now()).contains(&seconds(&date)), "{answer}");
    }
    let (rest, date) = split_date(&exchange(app.addr, get("/own")));
    assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert!(!rest.contains("Date"), "{rest}");
}

#[test]
fn head_gets_the_head_of_get() {
    let app = App::echo(with_site());
    let (whole, _) = split_date(&exchange(app.addr, get("/")));
    let (head, _) = split_date(&exchange(app.addr, get("/").replace("GET", "HEAD")));
    assert_eq!(Some(&*head), whole.strip_suffix(PAGE));
    assert_eq!(app.handle.stats().http_requests, 2);
}

#[test]
fn h12_http_1_0_is_served_with_and_without_host() {
    let app = App::echo(with_site());
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let answer = exchange(app.addr, request);
        assert_status(&answer, 200);
        assert!(answer.ends_with(PAGE));
    }
    // An upgrade over 1.0 is not a page.
    let upgrade = support::upgrade("localhost", "/", "").replace("HTTP/1.1", "HTTP/1.0");
    assert_status(&exchange(app.addr, upgrade), 426);
}

#[test]
fn without_a_hook_a_plain_request_gets_426() {
    let app = App::echo(Server::builder());
    for request in [get("/"), get("/").replace("GET", "HEAD")] {
        let answer = exchange(app.addr, request);
        assert_status(&answer, 426);
        assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
        assert!(
            answer.contains("\r\nSec-WebSocket-Version: 13\r\n"),
            "{answer}"
        );
    }
    // H13: other methods are refused as such, hook or not.
    let post = exchange(app.addr, get("/").replace("GET", "POST"));
    assert_status(&post, 405);
    let stats = app.handle.stats();
    assert_eq!((stats.http_requests, stats.refused["upgrade"]), (0, 2));
}

#[test]
fn h10_nothing_is_answered_behind_a_close() {
    let app = App::echo(with_site());
    let answer = exchange(app.addr, get("/") + &get("/") + &get("/"));
    assert_eq!(answer.matches(PAGE).count(), 1);
    // A body that comes with a GET is no second request either.
    let body = get("/nothing");
    let with_body = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(app.addr, with_body);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
    assert_eq!(app.handle.stats().http_requests, 2);
}

#[test]
fn m08_a_body_whose_end_nobody_knows_gets_400() {
    let app = App::echo(with_site());
    let coded = |coding: &str| {
        let line = format!("Host: localhost\r\nTransfer-Encoding: {coding}");
        exchange(app.addr, get("/").replace("Host: localhost", &line))
    };
    for coding in ["identity", "xchunked", "", "chunked, gzip"] {
        assert_status(&coded(coding), 400);
    }
    assert_status(&coded("gzip, chunked"), 501);
    assert_eq!(app.handle.stats().http_requests, 0);
}

/// RFC 9110 9.3.2: no answer to HEAD has a body, whatever is wrong with its request.
#[test]
fn m08_a_head_that_is_refused_gets_no_body() {
    let app = App::echo(with_site().limits(Limits {
        handshake_timeout: Duration::from_secs(2),
        ..Limits::default()
    }));
    let head = |lines: &str| format!("HEAD / HTTP/1.1\r\n{lines}\r\n");
    let long = "x".repeat(17 << 10);
    for (request, status) in [
        (head(""), 400),
        (head("Host: a b\r\n"), 400),
        (head("Host : localhost\r\n"), 400),
        (
            head("Host: localhost\r\nTransfer-Encoding: identity\r\n"),
            400,
        ),
        ("\r\n".to_owned() + &head(""), 400),
        (head("Host: attacker.tld\r\n"), 403),
        // Not all of it comes.
        ("HEAD / HTTP/1.1\r\nHost: local".to_owned(), 408),
        (format!("HEAD /{long} HTTP/1.1\r\n\r\n"), 414),
        (head(&format!("X: {long}\r\n")), 431),
        (head(&"X: y\r\n".repeat(101)), 431),
        ("HEAD / HTTP/2.0\r\n\r\n".to_owned(), 505),
    ] {
        let answer = exchange(app.addr, &request);
        assert_status(&answer, status);
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(answer.matches("\r\n\r\n").count(), 1, "{answer}");
    }
    // One that ends in the middle.
    let mut half = dial(app.addr);
    half.write_all(b"HEAD / HTTP/1.1\r\nHost").unwrap();
    half.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = String::from_utf8(read_to_close(&mut half)).unwrap();
    assert_status(&answer, 400);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    // Other methods have theirs.
    let answer = exchange(app.addr, "HEADER / HTTP/1.1\r\n\r\n");
    assert_status(&answer, 400);
    assert!(!answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn h22_a_rebound_name_gets_403() {
    let app = App::echo(with_site().hosts(["device.example.com"]));
    let ask = |host: &str| exchange(app.addr, get("/").replace("localhost", host));
    let answer = ask("attacker.tld:80");
    assert_status(&answer, 403);
    assert!(answer.contains(r#".hosts(["attacker.tld"])"#), "{answer}");
    assert!(!answer.contains(PAGE));
    assert_status(&ask("192.168.1.2"), 403);
    for own in ["localhost:81", "127.0.0.1", "[::1]", "device.example.com"] {
        assert_status(&ask(own), 200);
    }
    // The absolute form overrides what Host says.
    let absolute = get("http://attacker.tld/");
    assert_status(&exchange(app.addr, absolute), 403);
    let stats = app.handle.stats();
    assert_eq!((stats.refused["host"], stats.http_requests), (3, 4));
}

#[test]
fn b12_a_panic_of_the_hook_gets_500_and_the_server_goes_on() {
    let app = App::echo(with_site());
    let mut healthy = Client::connect(app.addr);
    for _ in 0..3 {
        assert_status(&exchange(app.addr, get("/panic")), 500);
        assert_status(&exchange(app.addr, get("/")), 200);
    }
    assert_echoes(&mut healthy);
    let stats = app.handle.stats();
    assert_eq!((stats.handler_failures, stats.http_requests), (3, 3));
    assert_eq!(stats.refused["hook_panicked"], 3);
}

#[test]
fn b02_a_slow_reader_of_a_big_answer_is_let_go_of_at_the_write_deadline() {
    let write_timeout = Duration::from_millis(500);
    let limits = Limits {
        write_timeout,
        ..Limits::default()
    };
    let app = App::echo(with_site().limits(limits));
    let mut healthy = Client::connect(app.addr);
    for (nth, bytes_at_once) in [(1, 0), (2, 16)] {
        let begun = Instant::now();
        let mut slow = dial(app.addr);
        slow.write_all(get("/big").as_bytes()).unwrap();
        let mut head = read_head(&mut slow).unwrap();
        assert_status(&head, 200);
        let mut got = 0;
        wait_until("the slow reader is let go of", || {
            // Each wait is a sip more, and far less than the floor. It may be reset before that is counted.
            got += slow.read(&mut [0; 16][..bytes_at_once]).unwrap_or(0);
            assert_echoes(&mut healthy);
            head = exchange(app.addr, get("/"));
            assert_status(&head, 200);
            app.handle.stats().refused.get("answer") == Some(&nth)
        });
        assert!(begun.elapsed() >= write_timeout);
        got += read_to_close(&mut slow).len();
        assert!(got < BIG, "cut off");
    }
}

#[test]
fn a_big_answer_reaches_who_reads_it() {
    let app = App::echo(with_site());
    let mut stream = dial(app.addr);
    stream.write_all(get("/big").as_bytes()).unwrap();
    read_head(&mut stream).unwrap();
    let mut body = Vec::new();
    stream.read_to_end(&mut body).unwrap();
    assert_eq!(body.len(), BIG);
}

/// RFC 9110 7.8: a sender of Upgrade names it in Connection.
#[test]
fn a_426_of_the_hook_asks_for_an_upgrade_whether_the_connection_stays_or_not() {
    let status = Status::try_from(426).unwrap();
    let app = App::echo(Server::builder().http(move |_| status.into()));
    let mut stream = dial(app.addr);
    for connection in ["keep-alive", "close"] {
        let request = get("/").replace("close", connection);
        let (head, _) = ask_on(&mut stream, &request);
        let line = format!("\r\nConnection: {connection}, Upgrade\r\n");
        assert!(head.contains(&line), "{head}");
        assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
    }
}
