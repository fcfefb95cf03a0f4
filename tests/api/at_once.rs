//! Requests that are answered on the thread that watches connections: which ones are, and that nothing else runs there.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::app::App;
use crate::support::{
    PATIENCE, ask_on, dial, exchange, narrow, read_answer, read_to_close, throw, upgrade,
    wait_until,
};
use wshub::{Accept, HookRequest, Limits, Responder, Response, Server, ServerBuilder, Status};

/// The thread that watches connections without a request.
const WATCHES: &str = "wshub-http";

fn here() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// Says which hook answered what, and on which thread.
fn told(hook: &str, request: &HookRequest<'_>) -> Response {
    let body = String::from_utf8_lossy(request.body());
    let (method, path) = (request.method(), request.path());
    Response::text(format!("{hook} {method} {path} [{body}] {}", here()))
}

fn at_once(request: &HookRequest<'_>) -> Option<Response> {
    match request.path() {
        "/poll/panic" => throw(),
        "/poll/other" => None,
        _ => Some(told("at once", request)),
    }
}

fn server() -> ServerBuilder {
    Server::builder()
        .http_at_once("/poll/", at_once)
        .http(|request| told("http", request))
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}")
}

fn get(path: &str) -> String {
    request("GET", path, "", "")
}

/// A connection that is watched.
fn kept(app: &App) -> TcpStream {
    let mut stream = dial(app.addr);
    ask_on(&mut stream, &get("/first"));
    wait_until("it is idle", || app.handle.stats().idle_connections == 1);
    stream
}

fn assert_on_a_thread(answer: &str, begin: &str) {
    assert!(answer.starts_with(begin), "{answer}");
    assert!(!answer.ends_with(WATCHES), "{answer}");
}

#[test]
fn a_whole_request_is_answered_where_its_connection_is_watched() {
    let app = App::echo(server());
    let mut stream = kept(&app);
    for _ in 0..3 {
        let (head, body) = ask_on(&mut stream, &get("/poll/a?b"));
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("\r\nConnection: keep-alive\r\n"), "{head}");
        assert_eq!(body, format!("at once GET /poll/a [] {WATCHES}"));
        let post = request("POST", "/poll/", "Content-Length: 3\r\n", "a=b");
        let (_, body) = ask_on(&mut stream, &post);
        assert_eq!(body, format!("at once POST /poll/ [a=b] {WATCHES}"));
    }
    assert_eq!(app.handle.stats().http_requests, 7);
}

#[test]
fn what_may_take_time_has_a_thread() {
    let app = App::echo(server());
    // The first request of a connection.
    let first = exchange(
        app.addr,
        request("GET", "/poll/", "Connection: close\r\n", ""),
    );
    assert_on_a_thread(first.rsplit("\r\n\r\n").next().unwrap(), "at once GET");
    let mut stream = kept(&app);
    let chunked = ("Transfer-Encoding: chunked\r\n", "3\r\na=b\r\n0\r\n\r\n");
    let post = request("POST", "/poll/", chunked.0, chunked.1);
    assert_on_a_thread(&ask_on(&mut stream, &post).1, "at once POST /poll/ [a=b]");
    let put = request("PUT", "/poll/", "Content-Length: 3\r\n", "a=b");
    assert_on_a_thread(&ask_on(&mut stream, &put).1, "at once PUT /poll/ [a=b]");
    assert_on_a_thread(&ask_on(&mut stream, &get("/poll/other")).1, "http GET");
    assert_on_a_thread(&ask_on(&mut stream, &get("/page")).1, "http GET");
    for (part, rest) in [
        ("GET /poll/ HT", "TP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            "POST /poll/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\na=",
            "bc",
        ),
    ] {
        wait_until("it is idle, and no thread has it", || {
            let stats = app.handle.stats();
            (stats.idle_connections, stats.handshakes) == (1, 0)
        });
        stream.write_all(part.as_bytes()).unwrap();
        wait_until("the rest is waited for", || {
            app.handle.stats().handshakes == 1
        });
        let (_, body) = ask_on(&mut stream, rest);
        assert_on_a_thread(&body, "at once");
    }
}

#[test]
fn a_request_that_is_malformed_or_refused_gets_its_answer_all_the_same() {
    for (sent, status) in [
        ("GET /poll/ HTTP/1.1\r\n\r\n".to_owned(), "400"),
        (request("GET", "/poll/", "Content-Length: x\r\n", ""), "400"),
        (
            request("POST", "/poll/", "Content-Length: 9999999\r\n", ""),
            "413",
        ),
        (
            request("POST", "/poll/", "Origin: http://else.example\r\n", ""),
            "403",
        ),
        (
            request(
                "POST",
                "/poll/",
                "Expect: magic\r\nContent-Length: 1\r\n",
                "a",
            ),
            "417",
        ),
        (get("/poll/panic"), "500"),
    ] {
        let app = App::echo(server());
        let (mut stream, mut other) = (kept(&app), dial(app.addr));
        ask_on(&mut other, &get("/first"));
        let (head, _) = ask_on(&mut stream, &sent);
        assert_eq!(&head[9..12], status, "{sent}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        assert!(ask_on(&mut other, &get("/poll/")).1.starts_with("at once"));
    }
}

#[test]
fn the_rule_about_origins_is_asked_on_a_thread() {
    let asked_on = Arc::new(Mutex::new(Vec::new()));
    let notes = asked_on.clone();
    let app = App::echo(server().origin_rule(move |_, _| {
        notes.lock().unwrap().push(here());
        true
    }));
    let mut stream = kept(&app);
    let post = request("POST", "/poll/", "Origin: http://else.example\r\n", "");
    assert_on_a_thread(&ask_on(&mut stream, &post).1, "at once POST");
    let asked_on = asked_on.lock().unwrap();
    assert!(!asked_on.is_empty() && !asked_on.contains(&WATCHES.to_owned()));
}

#[test]
fn a_longer_mount_and_the_servers_own_paths_go_first() {
    let mount = |request: &HookRequest<'_>| told("mount", request);
    let app = App::echo(
        server()
            .mount("/poll/deep/", |_| Ok(Accept::new()), mount)
            .mount("/", |_| Ok(Accept::new()), mount)
            .health("/poll/health"),
    );
    let mut stream = kept(&app);
    let mut answer = |path| ask_on(&mut stream, &get(path)).1;
    assert_on_a_thread(&answer("/poll/deep/a"), "mount GET");
    assert!(answer("/poll/a").starts_with("at once GET"));
    assert_eq!(answer("/poll/health"), "ok\n");
    assert_on_a_thread(&answer("/poll/other"), "mount GET");
}

#[test]
fn h10_requests_that_come_together_are_answered_in_order() {
    const COUNT: usize = 300;
    let app = App::echo(server());
    let mut stream = kept(&app);
    let path = |number: usize| match number % 3 {
        0 => format!("/page/{number}"),
        _ => format!("/poll/{number}"),
    };
    let all: String = (0..COUNT).map(|number| get(&path(number))).collect();
    stream.write_all(all.as_bytes()).unwrap();
    for number in 0..COUNT {
        let (_, body) = read_answer(&mut stream);
        assert!(
            body.contains(&format!(" GET {} [] ", path(number))),
            "{body}"
        );
    }
}

#[test]
fn a_websocket_opens_below_the_path() {
    let app = App::echo(server());
    let mut stream = kept(&app);
    stream
        .write_all(upgrade("localhost", "/poll/", "").as_bytes())
        .unwrap();
    let head = crate::support::read_head(&mut stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

/// A server that hands the responder of each poll to the test.
fn polls(limits: Limits) -> (App, Receiver<Responder>) {
    let (tell, responders) = channel();
    let tell: Mutex<Sender<Responder>> = Mutex::new(tell);
    let server = Server::builder()
        .limits(limits)
        .http_at_once("/poll", move |_| {
            let (response, responder) = Response::later();
            tell.lock().unwrap().send(responder).unwrap();
            Some(response)
        });
    (
        App::echo(server.http(|_| Status::NO_CONTENT.into())),
        responders,
    )
}

#[test]
fn polls_follow_each_other_without_a_thread() {
    let (app, responders) = polls(Limits::default());
    let mut streams: Vec<TcpStream> = (0..50).map(|_| dial(app.addr)).collect();
    for stream in &mut streams {
        ask_on(stream, &get("/first"));
    }
    wait_until("all are idle, and no thread has one", || {
        let stats = app.handle.stats();
        (stats.idle_connections, stats.handshakes) == (50, 0)
    });
    let threads = app.handle.stats().threads;
    for round in 0..3 {
        for stream in &mut streams {
            stream.write_all(get("/poll").as_bytes()).unwrap();
        }
        wait_until("all wait", || app.handle.stats().waiting_requests == 50);
        assert_eq!(app.handle.stats().handshakes, 0);
        for _ in 0..50 {
            let responder = responders.recv_timeout(PATIENCE).unwrap();
            responder
                .send(Response::text(format!("round {round}")))
                .unwrap();
        }
        for stream in &mut streams {
            assert_eq!(read_answer(stream).1, format!("round {round}"));
        }
    }
    assert!(app.handle.stats().threads <= threads);
}

#[test]
fn m10_more_polls_than_may_wait_get_503() {
    let (app, responders) = polls(Limits {
        max_waiting_requests: 1,
        ..Limits::default()
    });
    let mut streams = [dial(app.addr), dial(app.addr)];
    for stream in &mut streams {
        ask_on(stream, &get("/first"));
    }
    let [first, second] = &mut streams;
    first.write_all(get("/poll").as_bytes()).unwrap();
    let waits = responders.recv_timeout(PATIENCE).unwrap();
    wait_until("it waits", || app.handle.stats().waiting_requests == 1);
    let (head, _) = ask_on(second, &get("/poll"));
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    waits.send(Response::text("news")).unwrap();
    assert_eq!(read_answer(first).1, "news");
}

/// The poll and the end of the stream are there when the connection is looked at.
#[test]
fn one_that_hangs_up_right_behind_its_poll_is_told_of_and_ends_behind_its_answer() {
    let (app, responders) = polls(Limits::default());
    for _ in 0..50 {
        let mut stream = kept(&app);
        stream.write_all(get("/poll").as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let responder = responders.recv_timeout(PATIENCE).unwrap();
        wait_until("it is told of", || responder.is_gone());
        responder.send(Response::text("news")).unwrap();
        assert!(read_to_close(&mut stream).ends_with(b"news"));
    }
}

/// Where nobody reads, an answer is kept in memory: without a thread for so many, and in the places of pages for others.
#[test]
fn m10_answers_that_are_not_read_have_places_like_any_others() {
    let limits = Limits {
        max_waiting_requests: 2,
        max_http_requests: 3,
        write_timeout: PATIENCE,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits);
    let server = server.http_at_once("/poll/", |request| match request.path() {
        "/poll/big" => Some(Response::text("x".repeat(8 << 20))),
        _ => {
            let (response, responder) = Response::later();
            responder.send(Response::text("later")).unwrap();
            Some(response)
        }
    });
    let app = App::echo(server.http(|_| Status::NO_CONTENT.into()));
    let stats = || app.handle.stats();
    let mut streams: Vec<TcpStream> = (0..6).map(|_| narrow(&app.handle)).collect();
    for stream in &mut streams {
        ask_on(stream, &get("/first"));
    }
    wait_until("all are idle", || stats().idle_connections == 6);
    // The first two of them have no thread.
    for (number, stream) in streams[1..].iter_mut().enumerate() {
        stream.write_all(get("/poll/big").as_bytes()).unwrap();
        let without = 2.min(number + 1);
        wait_until("it is written", || {
            let stats = stats();
            (stats.waiting_requests, stats.answering) == (without, number + 1 - without)
        });
    }
    drop(streams.remove(1));
    wait_until("a place is free", || stats().waiting_requests == 1);
    assert_eq!(ask_on(&mut streams[0], &get("/poll/later")).1, "later");
}

#[test]
fn one_that_was_just_answered_at_once_has_not_been_idle_longest() {
    let app = App::echo(server().limits(Limits {
        max_idle_connections: 2,
        ..Limits::default()
    }));
    let ask = |stream: &mut TcpStream| ask_on(stream, &get("/poll/")).1;
    let mut streams = [(); 3].map(|()| dial(app.addr));
    for (number, stream) in streams[..2].iter_mut().enumerate() {
        ask(stream);
        wait_until("it is idle", || {
            app.handle.stats().idle_connections == number + 1
        });
    }
    let [first, second, third] = &mut streams;
    assert!(ask(first).ends_with(WATCHES));
    ask(third);
    assert_eq!(read_to_close(second), b"");
    assert!(ask(first).ends_with(WATCHES));
}
