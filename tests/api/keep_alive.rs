//! Connections that are kept for further plain requests: in order, within bounds, without a thread; and never where
//! somebody could see another request than the server does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::{
    self, Client, PATIENCE, ask_on, dial, exchange, read_answer, read_head, read_to_close, throw,
    wait_until,
};
use wshub::{HookRequest, Limits, Response, Server, ServerBuilder, Status};

fn told(request: &HookRequest<'_>) -> Response {
    let body = String::from_utf8_lossy(request.body());
    match request.path() {
        "/empty" => Response::from(Status::NO_CONTENT),
        "/big" => Response::text("x".repeat(8 << 20)),
        "/panic" => throw(),
        path => Response::text(format!("{} {path} [{body}]", request.method())),
    }
}

fn server() -> ServerBuilder {
    Server::builder().http(told)
}

fn with_limits(limits: Limits) -> App {
    App::echo(server().limits(limits))
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}")
}

fn get(path: &str) -> String {
    request("GET", path, "", "")
}

fn post(body: &str) -> String {
    let length = format!("Content-Length: {}\r\n", body.len());
    request("POST", "/form", &length, body)
}

fn assert_kept(head: &str) {
    assert!(head.contains("\r\nConnection: keep-alive\r\n"), "{head}");
    assert!(head.contains("\r\nKeep-Alive: timeout=75\r\n"), "{head}");
}

fn ends(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let app = App::echo(server());
    let mut stream = dial(app.addr);
    for round in 0..5 {
        let (head, body) = ask_on(&mut stream, &get(&format!("/{round}")));
        assert_kept(&head);
        assert_eq!(body, format!("GET /{round} []"));
        let (head, body) = ask_on(&mut stream, &post("a=b"));
        assert_kept(&head);
        assert_eq!(body, "POST /form [a=b]");
        let chunked = request(
            "PUT",
            "/c",
            "Transfer-Encoding: chunked\r\n",
            "3\r\na=b\r\n0\r\n\r\n",
        );
        assert_eq!(ask_on(&mut stream, &chunked).1, "PUT /c [a=b]");
        assert_kept(&ask_on(&mut stream, &get("/empty")).0);
        stream
            .write_all(request("HEAD", "/", "", "").as_bytes())
            .unwrap();
        assert_kept(&read_head(&mut stream).unwrap());
    }
    assert_eq!(app.handle.stats().http_requests, 25);
}

#[test]
fn an_idle_connection_holds_no_thread_and_no_place() {
    let limits = Limits {
        max_handshakes: 2,
        max_http_requests: 2,
        idle_thread_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let app = with_limits(limits);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = dial(app.addr);
        assert_kept(&ask_on(&mut stream, &get("/")).0);
        streams.push(stream);
    }
    for _ in 0..3 {
        for stream in &mut streams {
            assert_kept(&ask_on(stream, &get("/")).0);
        }
        wait_until("all are idle", || app.handle.stats().idle_connections == 20);
        wait_until("no thread is left", || app.handle.stats().threads == 0);
        let stats = app.handle.stats();
        assert_eq!((stats.handshakes, stats.answering), (0, 0));
    }
    drop(streams);
    wait_until("they have left", || {
        app.handle.stats().idle_connections == 0
    });
}

/// RFC 9112 9.3.2.
#[test]
fn h10_pipelined_requests_are_answered_in_order() {
    let app = App::echo(server());
    let mut stream = dial(app.addr);
    let all = get("/1") + &post("GET / HTTP/1.1\r\n\r\n") + &get("/2") + &get("/3")[..20];
    stream.write_all(all.as_bytes()).unwrap();
    for body in [
        "GET /1 []",
        "POST /form [GET / HTTP/1.1\r\n\r\n]",
        "GET /2 []",
    ] {
        assert_eq!(read_answer(&mut stream).1, body);
    }
    stream.write_all(&get("/3").as_bytes()[20..]).unwrap();
    assert_eq!(read_answer(&mut stream).1, "GET /3 []");
    // In single bytes.
    for byte in (get("/4") + &post("x")).bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read_answer(&mut stream).1, "GET /4 []");
    assert_eq!(read_answer(&mut stream).1, "POST /form [x]");
}

#[test]
fn the_last_request_says_so() {
    let app = App::echo(server());
    for headers in ["Connection: close\r\n", "Connection: x, CLOSE\r\n"] {
        let mut stream = dial(app.addr);
        assert_kept(&ask_on(&mut stream, &get("/")).0);
        let last = request("GET", "/last", headers, "") + &get("/not");
        let (head, body) = ask_on(&mut stream, &last);
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        assert_eq!(body, "GET /last []");
        assert_eq!(read_to_close(&mut stream), b"");
    }
    let old = "GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    assert!(exchange(app.addr, old).contains("\r\nConnection: close\r\n"));
}

/// Each row of what is ambiguous, after a request that was in order.
#[test]
fn h09_on_a_kept_connection_what_is_ambiguous_closes_it() {
    let app = App::echo(server());
    let smuggled = get("/smuggled");
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    let sent = |headers: &str, body: &str| request("POST", "/", headers, body);
    let rows = [
        (sent(both, "0\r\n\r\n"), 400),
        (
            sent("Content-Length: 1\r\nContent-Length: 2\r\n", "xx"),
            400,
        ),
        (sent("Content-Length: 1, 1\r\n", "x"), 400),
        (sent("Content-Length: +1\r\n", "x"), 400),
        (sent("Content-Length : 1\r\n", "x"), 400),
        (sent("Transfer-Encoding: x, chunked\r\n", "0\r\n\r\n"), 501),
        (sent("Transfer-Encoding: chunked, x\r\n", "0\r\n\r\n"), 400),
        (sent("Transfer-Encoding: chunked\r\n", "0\n\n"), 400),
        (
            sent("Transfer-Encoding: chunked\r\n", "1\r\nxy\r\n0\r\n\r\n"),
            400,
        ),
        (request("GET", "/", "X: a\nContent-Length: 5\r\n", ""), 400),
        (request("GET", "/", "X: a\r\n b\r\n", ""), 400),
        (
            get("/").replace("Host: localhost", "Host: a\r\nHost: b"),
            400,
        ),
        (get("/").replace("localhost", "attacker.tld"), 403),
        (get("/").replace("HTTP/1.1", "HTTP/2.0"), 505),
        (get("/panic"), 500),
        (sent("Content-Length: 99999999999\r\n", ""), 413),
        (sent("Expect: x\r\nContent-Length: 1\r\n", "x"), 417),
        (
            support::upgrade("localhost", "/", "Content-Length: 5\r\n"),
            400,
        ),
        (
            support::upgrade("localhost", "/", "").replace("Version: 13", "Version: 8"),
            426,
        ),
    ];
    for (row, status) in rows {
        let mut stream = dial(app.addr);
        assert_kept(&ask_on(&mut stream, &get("/")).0);
        stream
            .write_all((row.clone() + &smuggled).as_bytes())
            .unwrap();
        let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{row:?}: {answer}"
        );
        assert_eq!(answer.matches("\r\nDate: ").count(), 1, "{row:?}: {answer}");
        assert!(answer.contains("\r\nConnection: close"), "{answer}");
    }
}

#[test]
fn a_websocket_opens_on_a_connection_that_brought_pages() {
    let app = App::echo(server());
    let mut stream = dial(app.addr);
    assert_kept(&ask_on(&mut stream, &get("/")).0);
    let pages = get("/2") + &support::upgrade("localhost", "/", "");
    assert_eq!(ask_on(&mut stream, &pages).1, "GET /2 []");
    let mut client = Client::adopt(stream);
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
    assert_eq!(app.handle.stats().idle_connections, 0);
}

#[test]
fn an_idle_connection_ends_at_its_deadline_and_one_in_use_does_not() {
    // The one in use may stand still for a second or two on a busy machine.
    const KEEP_ALIVE: Duration = Duration::from_secs(3);
    let app = with_limits(Limits {
        keep_alive: Some(KEEP_ALIVE),
        ..Limits::default()
    });
    let mut idle = dial(app.addr);
    let begun = Instant::now();
    ask_on(&mut idle, &get("/"));
    let mut used = dial(app.addr);
    while begun.elapsed() < KEEP_ALIVE * 3 / 2 {
        assert_eq!(ask_on(&mut used, &get("/")).1, "GET / []");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(ends(&mut idle));
    assert_eq!(ask_on(&mut used, &get("/")).1, "GET / []");
}

/// H1 for the next request: it has begun, and does not come.
#[test]
fn h01_a_next_request_that_dribbles_gets_408() {
    let app = with_limits(Limits {
        handshake_timeout: Duration::from_millis(400),
        ..Limits::default()
    });
    let mut stream = dial(app.addr);
    ask_on(&mut stream, &get("/"));
    stream.write_all(b"GET / HT").unwrap();
    let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn so_many_requests_and_no_more() {
    let app = with_limits(Limits {
        max_requests_per_connection: 3,
        ..Limits::default()
    });
    for pipelined in [false, true] {
        let mut stream = dial(app.addr);
        let all = get("/").repeat(5);
        stream
            .write_all(&all.as_bytes()[..if pipelined { all.len() } else { 0 }])
            .unwrap();
        for left in (0..3).rev() {
            let (head, _) = match pipelined {
                true => read_answer(&mut stream),
                false => ask_on(&mut stream, &get("/")),
            };
            assert_eq!(
                head.contains("\r\nConnection: close\r\n"),
                left == 0,
                "{head}"
            );
        }
        assert_eq!(read_to_close(&mut stream), b"");
    }
}

#[test]
fn the_one_that_has_been_idle_longest_gives_way() {
    let app = with_limits(Limits {
        max_idle_connections: 3,
        ..Limits::default()
    });
    let mut streams: Vec<_> = (0..5)
        .map(|idle: usize| {
            let mut stream = dial(app.addr);
            assert_kept(&ask_on(&mut stream, &get("/")).0);
            wait_until("it is idle", || {
                app.handle.stats().idle_connections == (idle + 1).min(3)
            });
            stream
        })
        .collect();
    assert!(ends(&mut streams[0]) && ends(&mut streams[1]));
    for stream in &mut streams[2..] {
        assert_kept(&ask_on(stream, &get("/")).0);
    }
}

#[test]
fn without_keep_alive_each_answer_closes() {
    for limits in [
        Limits {
            keep_alive: None,
            ..Limits::default()
        },
        Limits {
            max_idle_connections: 0,
            ..Limits::default()
        },
        Limits {
            max_requests_per_connection: 1,
            ..Limits::default()
        },
    ] {
        let app = with_limits(limits);
        let answer = exchange(app.addr, get("/") + &get("/"));
        assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 1);
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
}

#[test]
fn b22_a_shutdown_ends_idle_connections_at_once() {
    let app = App::echo(server());
    let mut idle = dial(app.addr);
    ask_on(&mut idle, &get("/"));
    wait_until("it is idle", || app.handle.stats().idle_connections == 1);
    let begun = Instant::now();
    app.handle.shutdown();
    assert!(ends(&mut idle));
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn m11_who_half_closes_behind_requests_gets_every_answer() {
    let app = App::echo(server());
    let mut stream = dial(app.addr);
    stream
        .write_all((get("/1") + &get("/2")).as_bytes())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answers = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert!(
        answers.contains("GET /1 []") && answers.ends_with("GET /2 []"),
        "{answers}"
    );
}

/// A client that takes its time over a long page, and goes on.
#[test]
fn a_long_answer_and_then_another_one() {
    let app = App::echo(server());
    let mut stream = dial(app.addr);
    assert_eq!(ask_on(&mut stream, &get("/big")).1.len(), 8 << 20);
    assert_eq!(ask_on(&mut stream, &get("/")).1, "GET / []");
}

#[cfg(feature = "tls")]
#[test]
fn kept_over_tls_too() {
    use crate::support::tls::{Authority, secure};
    let authority = Authority::new();
    let app = App::echo(server().tls(&authority.tls()));
    let mut stream = secure(app.addr, authority.client_config(None), "localhost").unwrap();
    for round in 0..5 {
        // Two at once: the second is inside TLS when the first is answered.
        let path = format!("/{round}");
        stream
            .write_all((get(&path) + &get("/empty")).as_bytes())
            .unwrap();
        let head = read_head(&mut stream).unwrap();
        assert_kept(&head);
        let mut body = vec![0; format!("GET {path} []").len()];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(body, format!("GET {path} []").as_bytes());
        assert_kept(&read_head(&mut stream).unwrap());
        wait_until("it is idle", || app.handle.stats().idle_connections == 1);
    }
    drop(stream);
    wait_until("it has left", || app.handle.stats().idle_connections == 0);
}
