//! Long answers that come later, and how their peers take them: without a thread, or, where the body is read, in one of
//! the places for plain requests.

use std::io::{self, Cursor, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::support::app::App;
use crate::support::{PATIENCE, ask_on, dial, narrow, read_answer, read_head, upgrade, wait_until};
use wshub::{Limits, Responder, Response, Server};

/// More than a narrow connection holds, and at the pace of `sip` well over a second.
const LEN: usize = 1 << 20;
const SIP: usize = 16 << 10;
const PAUSE: Duration = Duration::from_millis(30);

struct Polls {
    app: App,
    responders: Receiver<Responder>,
}

fn polls(limits: Limits) -> Polls {
    let (tell, responders) = channel();
    let tell = Mutex::new(tell);
    let server = Server::builder().limits(limits).http(move |_| {
        let (response, responder) = Response::later();
        tell.lock().unwrap().send(responder).unwrap();
        response
    });
    Polls {
        app: App::echo(server),
        responders,
    }
}

impl Polls {
    fn ask(&self) -> (TcpStream, Responder) {
        let mut peer = narrow(&self.app.handle);
        let request = "GET /poll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        peer.write_all(request.as_bytes()).unwrap();
        let responder = self.responders.recv_timeout(PATIENCE).unwrap();
        // The hook has returned, too.
        wait_until("it waits", || self.app.handle.stats().handshakes == 0);
        (peer, responder)
    }

    /// So many requests that wait, and no thread for them.
    fn ask_all(&self, count: usize) -> (Vec<TcpStream>, Vec<Responder>) {
        let asked = (0..count).map(|_| self.ask()).unzip();
        let stats = || self.app.handle.stats();
        wait_until("all wait", || stats().waiting_requests == count);
        wait_until("no thread is left", || stats().threads == 0);
        asked
    }

    /// Answers with a body that is not read until the test lets it, which holds the one place meanwhile.
    fn take_the_place(&self, responder: Responder) -> Sender<()> {
        let (open, answer) = gated();
        responder.send(answer).unwrap();
        let stats = || self.app.handle.stats();
        wait_until("it has the place", || stats().answering == 1);
        open
    }
}

fn few() -> Limits {
    Limits {
        max_http_requests: 2,
        max_handshakes: 2,
        idle_thread_timeout: Duration::ZERO,
        ..Limits::default()
    }
}

fn long() -> Vec<u8> {
    vec![b'x'; LEN]
}

fn long_reader() -> Response {
    Response::ok().with_reader(Cursor::new(long()), Some(LEN as u64))
}

/// Reads slowly and steadily to the end: how long the body was.
fn sip(mut peer: TcpStream) -> usize {
    let head = read_head(&mut peer).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (mut room, mut length) = ([0; SIP], 0);
    loop {
        match peer.read(&mut room) {
            Ok(0) => return length,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return length,
            Err(error) => panic!("{error}"),
        }
        thread::sleep(PAUSE);
    }
}

fn sip_all(peers: Vec<TcpStream>) -> Vec<usize> {
    let sipping: Vec<_> = peers
        .into_iter()
        .map(|peer| thread::spawn(move || sip(peer)))
        .collect();
    sipping.into_iter().map(|it| it.join().unwrap()).collect()
}

#[test]
fn m09_long_answers_that_come_later_are_read_to_their_end_slowly_and_hold_no_thread() {
    let polls = polls(few());
    let (peers, responders) = polls.ask_all(5);
    for responder in responders {
        responder.send(Response::ok().with_body(long())).unwrap();
    }
    let stats = || polls.app.handle.stats();
    wait_until("all are written", || stats().http_requests == 5);
    assert_eq!((stats().threads, stats().waiting_requests), (0, 5));
    assert_eq!(sip_all(peers), [LEN; 5]);
    wait_until("nothing waits", || stats().waiting_requests == 0);
    assert!(stats().refused.is_empty());
}

#[test]
fn m09_a_long_answer_that_comes_later_and_is_read_in_a_trickle_is_cut() {
    let polls = polls(Limits {
        write_timeout: Duration::from_millis(500),
        min_rate: 16 << 20,
        ..few()
    });
    let (peers, responders) = polls.ask_all(2);
    for responder in responders {
        responder.send(Response::ok().with_body(long())).unwrap();
    }
    assert!(sip_all(peers).into_iter().all(|length| length < LEN));
    let stats = || polls.app.handle.stats();
    wait_until("their places are free", || stats().waiting_requests == 0);
    wait_until("both are told", || {
        stats().refused.get("answer") == Some(&2)
    });
}

#[test]
fn m10_bodies_that_are_read_later_have_no_more_places_than_pages() {
    let polls = polls(few());
    let (peers, responders) = polls.ask_all(8);
    for responder in responders {
        responder.send(long_reader()).unwrap();
    }
    let threads = || polls.app.handle.stats().threads;
    wait_until("those that wait hold no thread", || threads() <= 4);
    let reading = thread::spawn(|| sip_all(peers));
    while !reading.is_finished() {
        let stats = polls.app.handle.stats();
        assert!(stats.answering <= 2, "{stats:?}");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(reading.join().unwrap(), [LEN; 8]);
    assert!(polls.app.handle.stats().refused.is_empty());
}

#[test]
fn m10_long_answers_that_come_later_put_no_handshake_out() {
    let polls = polls(few());
    let (peers, responders) = polls.ask_all(6);
    let request = upgrade("localhost", "/", "");
    let (first, last) = request.split_at(request.len() / 2);
    let mut handshakes = [(); 2].map(|()| dial(polls.app.addr));
    for handshake in &mut handshakes {
        handshake.write_all(first.as_bytes()).unwrap();
    }
    let stats = || polls.app.handle.stats();
    wait_until("both are waited for", || stats().handshakes == 2);
    for (number, responder) in responders.into_iter().enumerate() {
        let answer = match number % 2 {
            0 => Response::ok().with_body(long()),
            _ => long_reader(),
        };
        responder.send(answer).unwrap();
    }
    let reading = thread::spawn(|| sip_all(peers));
    wait_until("bodies are read", || stats().answering == 2);
    for handshake in &mut handshakes {
        handshake.write_all(last.as_bytes()).unwrap();
        let answer = read_head(handshake).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    }
    assert_eq!(reading.join().unwrap(), [LEN; 6]);
}

/// Gives its bytes once it is let.
struct Gate(Receiver<()>);

impl Read for Gate {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.recv().map_err(io::Error::other)?;
        room[0] = b'x';
        Ok(1)
    }
}

fn gated() -> (Sender<()>, Response) {
    let (open, gate) = channel();
    (open, Response::ok().with_reader(Gate(gate), Some(1)))
}

fn one_place(answer_timeout: Duration) -> Limits {
    Limits {
        max_http_requests: 1,
        answer_timeout,
        ..few()
    }
}

#[test]
fn m10_a_body_that_is_read_later_waits_for_a_place_as_long_as_for_an_answer() {
    let polls = polls(one_place(Duration::from_secs(5)));
    let (mut peers, mut responders) = polls.ask_all(3);
    let open = polls.take_the_place(responders.remove(0));
    assert_eq!(polls.app.handle.stats().handshakes, 1);
    responders.remove(0).send(long_reader()).unwrap();
    let (head, body) = read_answer(&mut peers[1]);
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(body.contains("max_http_requests"), "{body}");
    open.send(()).unwrap();
    assert_eq!(read_answer(&mut peers[0]).1, "x");
}

/// A reader that takes its time to go.
struct Slow(Receiver<()>, Sender<()>);

impl Read for Slow {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.1.send(());
        let _ = self.0.recv_timeout(PATIENCE);
    }
}

#[test]
fn m10_a_reader_that_is_slow_to_go_keeps_no_other_answer() {
    let polls = polls(one_place(Duration::from_secs(5)));
    let (mut peers, mut responders) = polls.ask_all(2);
    let (open, answer) = gated();
    responders.remove(0).send(answer).unwrap();
    let stats = || polls.app.handle.stats();
    wait_until("the first has the place", || stats().answering == 1);
    let ((release, released), (tell, goes)) = (channel(), channel());
    let slow = Response::ok().with_reader(Slow(released, tell), Some(1));
    responders.remove(0).send(slow).unwrap();
    goes.recv_timeout(PATIENCE).expect("it found no place");
    assert!(read_answer(&mut peers[1]).0.starts_with("HTTP/1.1 503 "));
    open.send(()).unwrap();
    assert_eq!(read_answer(&mut peers[0]).1, "x");
    wait_until("the place is free", || stats().answering == 0);
    let (mut peer, responder) = polls.ask();
    responder.send(Response::text("meanwhile")).unwrap();
    assert_eq!(read_answer(&mut peer).1, "meanwhile");
    release.send(()).unwrap();
}

#[test]
fn m10_who_waits_for_a_place_has_it_when_one_is_free() {
    let polls = polls(one_place(PATIENCE));
    let (mut peers, mut responders) = polls.ask_all(2);
    let open = polls.take_the_place(responders.remove(0));
    responders.remove(0).send(long_reader()).unwrap();
    open.send(()).unwrap();
    assert_eq!(read_answer(&mut peers[0]).1, "x");
    assert_eq!(read_answer(&mut peers[1]).1.len(), LEN);
    assert!(polls.app.handle.stats().refused.is_empty());
}

#[test]
fn b22_a_shutdown_answers_who_waits_for_a_place_with_503() {
    let polls = polls(one_place(PATIENCE));
    let (mut peers, mut responders) = polls.ask_all(2);
    let open = polls.take_the_place(responders.remove(0));
    responders.remove(0).send(long_reader()).unwrap();
    polls.app.handle.shutdown();
    let (head, _) = read_answer(&mut peers[1]);
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    open.send(()).unwrap();
    assert_eq!(read_answer(&mut peers[0]).1, "x");
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Connections that are watched.
fn kept(app: &App, count: usize) -> Vec<TcpStream> {
    let streams = (0..count).map(|_| {
        let mut stream = dial(app.addr);
        ask_on(&mut stream, &get("/first"));
        stream
    });
    let streams = streams.collect();
    wait_until("all are idle", || {
        app.handle.stats().idle_connections == count
    });
    streams
}

/// However short a connection without a request is kept.
#[test]
fn m10_a_body_of_an_answer_at_once_waits_for_a_place_as_long_as_for_an_answer() {
    const KEEP_ALIVE: Duration = Duration::from_secs(3);
    let (open, gate) = gated();
    let gate = Mutex::new(Some(gate));
    let server = Server::builder()
        .limits(Limits {
            keep_alive: Some(KEEP_ALIVE),
            ..one_place(PATIENCE)
        })
        .http_at_once("/long", |_| Some(long_reader()))
        .http(move |request| match request.path() {
            "/gate" => gate.lock().unwrap().take().unwrap(),
            _ => Response::text("first"),
        });
    let app = App::echo(server);
    let mut first = dial(app.addr);
    let mut kept = kept(&app, 1).remove(0);
    first.write_all(get("/gate").as_bytes()).unwrap();
    wait_until("it has the place", || app.handle.stats().answering == 1);
    kept.write_all(get("/long").as_bytes()).unwrap();
    kept.set_read_timeout(Some(KEEP_ALIVE + Duration::from_secs(1)))
        .unwrap();
    assert!(kept.peek(&mut [0]).is_err(), "not yet");
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
    open.send(()).unwrap();
    assert_eq!(read_answer(&mut first).1, "x");
    assert_eq!(read_answer(&mut kept).1.len(), LEN);
}

#[test]
fn m10_a_reader_that_finds_no_place_keeps_no_other_connection() {
    let ((release, released), (tell, goes)) = (channel(), channel());
    let slow = Mutex::new(Some(Slow(released, tell)));
    let server = Server::builder()
        .limits(Limits {
            max_waiting_requests: 0,
            ..Limits::default()
        })
        .http_at_once("/slow", move |_| {
            let slow = slow.lock().unwrap().take().unwrap();
            Some(Response::ok().with_reader(slow, Some(1)))
        })
        .http(|_| Response::text("meanwhile"));
    let app = App::echo(server);
    let mut streams = kept(&app, 2);
    streams[0].write_all(get("/slow").as_bytes()).unwrap();
    goes.recv_timeout(PATIENCE).expect("it is given up");
    streams[1].set_read_timeout(Some(PATIENCE / 2)).unwrap();
    assert_eq!(ask_on(&mut streams[1], &get("/page")).1, "meanwhile");
    release.send(()).unwrap();
}
