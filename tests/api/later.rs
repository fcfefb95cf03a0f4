//! Answers that come later: from any thread, once, without a thread meanwhile; bounded in number and time.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::{
    Client, PATIENCE, dial, exchange, read_head, read_to_close, throw, wait_until,
};
use wshub::{Cors, Limits, Responder, Response, Server, ServerBuilder, Status, testing};

/// A server that hands each request's Responder to the test.
struct Polls {
    app: App,
    responders: Receiver<Responder>,
}

fn polls(limits: Limits) -> Polls {
    polls_of(Server::builder().limits(limits))
}

fn hook(
    tell: Sender<Responder>,
) -> impl Fn(&wshub::HookRequest<'_>) -> Response + Send + Sync + 'static {
    let tell = Mutex::new(tell);
    move |request| match request.path() {
        "/now" => Response::text("now"),
        "/early" => {
            let (response, responder) = Response::later();
            responder.send(Response::text("early")).unwrap();
            response
        }
        "/dropped" => Response::later().0,
        "/nested" => {
            let (response, responder) = Response::later();
            responder.send(Response::later().0).unwrap();
            response
        }
        _ => {
            let (response, responder) = Response::later();
            tell.lock().unwrap().send(responder).unwrap();
            response
        }
    }
}

fn polls_of(builder: ServerBuilder) -> Polls {
    let (tell, responders) = channel();
    Polls {
        app: App::echo(builder.http(hook(tell))),
        responders,
    }
}

impl Polls {
    fn ask(&self, path: &str) -> (TcpStream, Responder) {
        let mut stream = dial(self.app.addr);
        stream.write_all(get(path).as_bytes()).unwrap();
        (stream, self.next())
    }

    fn next(&self) -> Responder {
        self.responders.recv_timeout(PATIENCE).unwrap()
    }

    fn waiting(&self) -> usize {
        self.app.handle.stats().waiting_requests
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn last(path: &str) -> String {
    get(path).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
}

fn read_body(stream: &mut TcpStream, length: usize) -> String {
    let head = read_head(stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains(&format!("\r\nContent-Length: {length}\r\n")),
        "{head}"
    );
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn status_at_the_end(stream: &mut TcpStream) -> String {
    let answer = String::from_utf8(read_to_close(stream)).unwrap();
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    answer[9..12].to_owned()
}

#[test]
fn an_answer_comes_later_from_any_thread_and_the_connection_goes_on() {
    let polls = polls(Limits::default());
    let mut stream = dial(polls.app.addr);
    for _ in 0..3 {
        stream.write_all(get("/poll").as_bytes()).unwrap();
        let responder = polls.next();
        wait_until("it waits", || polls.waiting() == 1);
        thread::spawn(move || responder.send(Response::text("later")).unwrap());
        assert_eq!(read_body(&mut stream, 5), "later");
        stream.write_all(get("/now").as_bytes()).unwrap();
        assert_eq!(read_body(&mut stream, 3), "now");
    }
}

#[test]
fn an_answer_that_is_there_before_the_hook_returns_is_given_at_once() {
    let polls = polls(Limits::default());
    assert!(exchange(polls.app.addr, last("/early")).ends_with("early"));
    assert_eq!(polls.waiting(), 0);
}

#[test]
fn what_waits_holds_no_thread_and_no_place_of_others() {
    let limits = Limits {
        max_handshakes: 2,
        max_http_requests: 2,
        idle_thread_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let polls = polls(limits);
    let mut asked: Vec<_> = (0..40).map(|_| polls.ask("/poll")).collect();
    wait_until("all wait", || polls.waiting() == 40);
    wait_until("no thread is left", || {
        polls.app.handle.stats().threads == 0
    });
    let stats = polls.app.handle.stats();
    assert_eq!((stats.handshakes, stats.answering), (0, 0));
    assert!(exchange(polls.app.addr, last("/now")).ends_with("now"));
    let mut client = Client::connect(polls.app.addr);
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
    for (number, (stream, responder)) in asked.drain(..).enumerate() {
        let text = format!("{number:03}");
        responder.send(Response::text(text.clone())).unwrap();
        let mut stream = stream;
        assert_eq!(read_body(&mut stream, 3), text);
    }
    assert_eq!(polls.waiting(), 0);
}

#[test]
fn more_than_may_wait_get_503() {
    let polls = polls(Limits {
        max_waiting_requests: 2,
        ..Limits::default()
    });
    let asked: Vec<_> = (0..2).map(|_| polls.ask("/poll")).collect();
    wait_until("both wait", || polls.waiting() == 2);
    let refused = exchange(polls.app.addr, get("/poll"));
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("max_waiting_requests"), "{refused}");
    // Its responder is told.
    let late = polls.next();
    wait_until("nobody waits for it", || late.is_gone());
    assert!(late.send(Response::ok()).is_err());
    drop(asked);
    wait_until("they are 500", || polls.waiting() == 0);
    assert!(exchange(polls.app.addr, last("/now")).ends_with("now"));
}

#[test]
fn a_deadline_that_passes_gives_504_and_the_answer_back() {
    let polls = polls(Limits {
        answer_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    let (mut stream, responder) = polls.ask("/poll");
    let (tell, told) = channel();
    responder.on_gone(move || tell.send(()).unwrap());
    assert!(!responder.is_gone());
    assert_eq!(status_at_the_end(&mut stream), "504");
    told.recv_timeout(PATIENCE).unwrap();
    assert!(responder.is_gone());
    let back = responder.send(Response::text("too late")).unwrap_err();
    assert_eq!(back.body(), b"too late");
    assert_eq!(polls.app.handle.stats().refused["answer_timeout"], 1);
    assert_eq!(polls.waiting(), 0);
}

#[test]
fn who_drops_its_responder_has_the_client_told_500() {
    let polls = polls(Limits::default());
    let (mut stream, responder) = polls.ask("/poll");
    drop(responder);
    assert_eq!(status_at_the_end(&mut stream), "500");
    for path in ["/dropped", "/nested"] {
        let answer = exchange(polls.app.addr, get(path));
        assert!(answer.starts_with("HTTP/1.1 500 "), "{path}: {answer}");
    }
    assert_eq!(polls.app.handle.stats().refused["no_answer"], 3);
}

#[test]
fn a_client_that_hangs_up_is_told_of() {
    let polls = polls(Limits::default());
    for reset in [false, true] {
        let (stream, responder) = polls.ask("/poll");
        let (tell, told) = channel();
        responder.on_gone(move || tell.send(()).unwrap());
        assert!(!responder.is_gone());
        if reset {
            // Bytes that nobody reads make a reset of the end.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        drop(stream);
        told.recv_timeout(PATIENCE).unwrap();
        assert!(responder.is_gone());
        let (tell, told) = channel();
        responder.on_gone(move || tell.send(()).unwrap());
        told.try_recv().expect("called at once");
        drop(responder);
        wait_until("it is done with", || polls.waiting() == 0);
    }
}

/// It may only have said that it asks nothing more.
#[test]
fn m11_who_half_closes_behind_its_request_gets_an_answer_that_comes_later() {
    let polls = polls(Limits::default());
    let (mut stream, responder) = polls.ask("/poll");
    stream.shutdown(Shutdown::Write).unwrap();
    wait_until("its end is noticed", || responder.is_gone());
    responder.send(Response::text("later")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "later");
}

#[test]
fn h10_what_is_asked_meanwhile_waits_its_turn() {
    let polls = polls(Limits::default());
    let mut stream = dial(polls.app.addr);
    stream
        .write_all((get("/poll") + &get("/now")).as_bytes())
        .unwrap();
    let responder = polls.next();
    wait_until("it waits", || polls.waiting() == 1);
    stream
        .write_all((get("/poll") + &get("/now")).as_bytes())
        .unwrap();
    responder.send(Response::text("first")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "first");
    assert_eq!(read_body(&mut stream, 3), "now");
    polls.next().send(Response::text("third")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "third");
    assert_eq!(read_body(&mut stream, 3), "now");
}

#[test]
fn b22_a_shutdown_answers_who_waits_with_503() {
    let polls = polls(Limits::default());
    let mut asked: Vec<_> = (0..5).map(|_| polls.ask("/poll")).collect();
    wait_until("all wait", || polls.waiting() == 5);
    let begun = Instant::now();
    polls.app.handle.shutdown();
    for (stream, responder) in &mut asked {
        assert_eq!(status_at_the_end(stream), "503");
        assert!(responder.is_gone());
    }
    assert!(begun.elapsed() < Duration::from_secs(4));
    let (_, responder) = asked.remove(0);
    assert!(responder.send(Response::ok()).is_err());
}

/// More than the socket takes at once: a thread writes the rest.
#[test]
fn a_long_answer_that_comes_later_is_written_whole() {
    let polls = polls(Limits::default());
    let (mut stream, responder) = polls.ask("/poll");
    wait_until("it waits", || polls.waiting() == 1);
    let long = "x".repeat(20 << 20);
    responder.send(Response::text(long.clone())).unwrap();
    assert!(read_body(&mut stream, long.len()) == long);
    let (tell, responders) = (get("/poll"), &polls);
    stream.write_all(tell.as_bytes()).unwrap();
    let reader = std::io::Cursor::new(vec![b'y'; 100_000]);
    let response = Response::ok().with_reader(reader, Some(100_000));
    responders.next().send(response).unwrap();
    assert_eq!(read_body(&mut stream, 100_000), "y".repeat(100_000));
    stream.write_all(get("/now").as_bytes()).unwrap();
    assert_eq!(read_body(&mut stream, 3), "now");
}

#[test]
fn status_headers_and_cors_of_the_answer_count() {
    let builder = Server::builder().origins(["https://app.example"]);
    let polls = polls_of(builder.cors(Cors::new()));
    let mut stream = dial(polls.app.addr);
    let request = last("/poll").replace("Host", "Origin: https://app.example\r\nHost");
    stream.write_all(request.as_bytes()).unwrap();
    let answer = Response::json("{}").with_status(Status::CREATED);
    polls.next().send(answer).unwrap();
    let answer = String::from_utf8(read_to_close(&mut stream)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    for line in [
        "Access-Control-Allow-Origin: https://app.example",
        "Content-Type: application/json",
    ] {
        assert!(answer.contains(&format!("\r\n{line}\r\n")), "{answer}");
    }
    let mut stream = dial(polls.app.addr);
    stream
        .write_all(get("/poll").replace("GET", "HEAD").as_bytes())
        .unwrap();
    polls.next().send(Response::text("none of it")).unwrap();
    let head = read_head(&mut stream).unwrap();
    assert!(head.contains("\r\nContent-Length: 10\r\n"), "{head}");
    stream.write_all(last("/now").as_bytes()).unwrap();
    assert!(read_to_close(&mut stream).starts_with(b"HTTP/1.1 200 "));
}

/// A stream that the system cannot watch keeps its thread meanwhile.
#[test]
fn over_a_stream_in_memory_too() {
    let (tell, responders) = channel();
    let server = Server::builder()
        .http(hook(tell))
        .without_listener()
        .unwrap();
    let connect = || {
        let (ours, mut theirs) = testing::duplex();
        server.attach(ours);
        theirs.write_all(get("/poll").as_bytes()).unwrap();
        (theirs, responders.recv_timeout(PATIENCE).unwrap())
    };
    let read = |mut stream: testing::Duplex| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let (stream, responder) = connect();
    wait_until("it waits", || server.stats().waiting_requests == 1);
    responder.send(Response::text("later")).unwrap();
    let answer = read(stream);
    assert!(
        answer.ends_with("later") && answer.contains("Connection: close"),
        "{answer}"
    );
    let (stream, responder) = connect();
    drop(responder);
    assert!(read(stream).starts_with("HTTP/1.1 500 "));
    let (stream, responder) = connect();
    drop(stream);
    wait_until("its end is noticed", || responder.is_gone());
    assert!(responder.send(Response::ok()).is_err());
    let (stream, responder) = connect();
    wait_until("it waits", || server.stats().waiting_requests == 1);
    thread::scope(|scope| {
        let ending = scope.spawn(|| server.shutdown());
        assert!(read(stream).starts_with("HTTP/1.1 503 "));
        assert!(responder.is_gone());
        assert_eq!(ending.join().unwrap().threads_left, 0);
    });
}

/// The callback is the application's: it may panic, and take its time.
#[test]
fn b12_a_callback_that_panics_or_blocks_costs_nobody_else() {
    let polls = polls(Limits::default());
    let (stream, responder) = polls.ask("/poll");
    let (release, held) = channel::<()>();
    let held = Arc::new(Mutex::new(held));
    responder.on_gone(move || _ = held.lock().unwrap().recv());
    drop(stream);
    let (stream, panicking) = polls.ask("/poll");
    panicking.on_gone(|| throw());
    drop(stream);
    wait_until("it is counted", || {
        polls.app.handle.stats().handler_failures == 1
    });
    let (mut stream, other) = polls.ask("/poll");
    other.send(Response::text("later")).unwrap();
    assert_eq!(read_body(&mut stream, 5), "later");
    release.send(()).unwrap();
}
