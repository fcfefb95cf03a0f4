//! Who gives way when too many come at once, and who does not: handshakes whose hook runs, and plain requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::refusal::{refusal_on, status_of};
use crate::support::{
    Client, PATIENCE, dial, exchange, read_head, read_to_close, upgrade, wait_until,
};
use wshub::{Accept, Limits, Response, Server, ServerBuilder};

const PAGE: &str = "<!doctype html><title>hub</title>";
/// More than the system takes for a client that does not read.
const BIG: usize = 32 << 20;

fn with(max_handshakes: usize, max_http_requests: usize) -> ServerBuilder {
    Server::builder().limits(Limits {
        max_handshakes,
        max_http_requests,
        ..Limits::default()
    })
}

/// A hook says that it runs, and goes on when it is let.
struct Gate {
    tell: Mutex<Sender<()>>,
    gate: Mutex<Receiver<()>>,
}

impl Gate {
    fn new() -> (Gate, Receiver<()>, Sender<()>) {
        let (tell, told) = channel();
        let (release, gate) = channel();
        let (tell, gate) = (Mutex::new(tell), Mutex::new(gate));
        (Gate { tell, gate }, told, release)
    }

    fn pass(&self) {
        self.tell.lock().unwrap().send(()).unwrap();
        // Not for ever, should the test fail meanwhile.
        let _ = self.gate.lock().unwrap().recv_timeout(PATIENCE);
    }
}

fn ask(addr: SocketAddr, request: &str) -> TcpStream {
    let mut stream = dial(addr);
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn page(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn assert_told_to_try_again(answer: &str, remedy: &str) {
    assert_eq!(status_of(answer), 503, "{answer}");
    assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    assert!(answer.contains(remedy), "{answer}");
}

#[test]
fn m10_while_the_hook_runs_others_wait_in_line_and_the_newest_is_refused() {
    const LINE: usize = 4;
    let (gate, runs, release) = Gate::new();
    let app = App::echo(with(1, 1).accept(move |_| {
        gate.pass();
        Ok(Accept::new())
    }));
    let mut clients = vec![ask(app.addr, &upgrade("localhost", "/", ""))];
    runs.recv_timeout(PATIENCE).unwrap();
    for count in 1..=LINE {
        clients.push(ask(app.addr, &upgrade("localhost", "/", "")));
        wait_until("it waits in line", || {
            app.handle.stats().waiting_for_accept == count
        });
    }
    let mut newest = ask(app.addr, &upgrade("localhost", "/", ""));
    assert_told_to_try_again(&refusal_on(&mut newest), "max_handshakes");
    // Those that say nothing push none out either.
    let _silent: Vec<_> = (0..5).map(|_| dial(app.addr)).collect();
    drop(release);
    for client in &mut clients {
        assert_eq!(status_of(&read_head(client).unwrap()), 101);
    }
    assert_eq!(app.handle.stats().refused["handshakes_full"], 1);
}

#[test]
fn m10_a_page_takes_no_place_of_a_handshake_and_gives_way_to_nobody() {
    let (gate, runs, release) = Gate::new();
    let app = App::echo(with(1, 1).http(move |_| {
        gate.pass();
        Response::html(PAGE)
    }));
    let mut slow = ask(app.addr, &page("/"));
    runs.recv_timeout(PATIENCE).unwrap();
    let stats = app.handle.stats();
    assert_eq!((stats.handshakes, stats.answering), (1, 1));
    let mut client = Client::connect(app.addr);
    let full = refusal_on(&mut ask(app.addr, &page("/")));
    assert_told_to_try_again(&full, "max_http_requests");
    drop(release);
    let answer = read_head(&mut slow).unwrap();
    assert_eq!(status_of(&answer), 200);
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
    let stats = app.handle.stats();
    assert_eq!(stats.refused["http_requests_full"], 1);
    assert_eq!(stats.http_requests, 1);
}

#[test]
fn m10_a_page_under_way_is_not_cut_by_newcomers() {
    let app = App::echo(with(1, 1).http(|request| match request.path() {
        "/big" => Response::ok().with_body(vec![b'x'; BIG]),
        _ => Response::html(PAGE),
    }));
    let mut reader = ask(app.addr, &page("/big"));
    read_head(&mut reader).unwrap();
    for _ in 0..5 {
        drop(Client::connect(app.addr));
        let full = refusal_on(&mut ask(app.addr, &page("/")));
        assert_told_to_try_again(&full, "max_http_requests");
    }
    let mut body = Vec::new();
    reader.read_to_end(&mut body).unwrap();
    assert_eq!(body.len(), BIG);
    wait_until("its place is free", || app.handle.stats().answering == 0);
    assert!(exchange(app.addr, page("/")).ends_with(PAGE));
}

/// What a hook has done for a client is done for nothing where the client has to come again.
#[test]
fn m10_in_a_storm_no_work_of_a_hook_is_lost() {
    const CLIENTS: usize = 60;
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let app = App::echo(with(4, 1).accept(|_| {
        ASKED.fetch_add(1, SeqCst);
        thread::sleep(Duration::from_millis(5));
        Ok(Accept::new())
    }));
    let addr = app.addr;
    let come_again = || {
        let request = upgrade("localhost", "/", "");
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "it comes in vain");
            let mut stream = dial(addr);
            let sent = stream.write_all(request.as_bytes());
            match sent.and_then(|()| read_head(&mut stream)) {
                Ok(answer) if status_of(&answer) == 101 => return stream,
                _ => {}
            }
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(come_again)).collect();
        for client in clients {
            client.join().unwrap();
        }
    });
    assert_eq!(ASKED.load(SeqCst), CLIENTS);
    wait_until("all are open", || {
        app.handle.stats().opened == CLIENTS as u64
    });
}

/// One that says nothing has the only thread; the others are watched.
fn silent(app: &App, count: usize) -> Vec<TcpStream> {
    let first = dial(app.addr);
    wait_until("it is waited for", || app.handle.stats().handshakes == 1);
    let others = (0..count).map(|_| dial(app.addr));
    std::iter::once(first).chain(others).collect()
}

fn silent_server(limits: Limits) -> App {
    let limits = Limits {
        max_handshakes: 1,
        ..limits
    };
    let builder = Server::builder().limits(limits);
    App::echo(builder.http(|_| Response::html(PAGE)))
}

#[test]
fn new_connections_that_say_nothing_yet_push_nobody_out_and_hold_no_thread() {
    let app = silent_server(Limits {
        handshake_timeout: 3 * PATIENCE,
        idle_thread_timeout: Duration::ZERO,
        ..Limits::default()
    });
    let mut streams = silent(&app, 50);
    wait_until("few threads are left", || app.handle.stats().threads < 20);
    for stream in streams.iter_mut().rev() {
        stream.write_all(page("/").as_bytes()).unwrap();
        assert_eq!(status_of(&read_head(stream).unwrap()), 200);
    }
    let mut client = Client::connect(app.addr);
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
    assert!(app.handle.stats().refused.is_empty());
}

#[test]
fn of_too_many_that_say_nothing_the_oldest_gives_way() {
    let app = silent_server(Limits {
        max_waiting_requests: 2,
        ..Limits::default()
    });
    let mut streams = silent(&app, 3);
    assert_told_to_try_again(&refusal_on(&mut streams[1]), "max_handshakes");
    for stream in [
        &mut streams.remove(0),
        &mut streams.remove(1),
        &mut streams.remove(1),
    ] {
        stream.write_all(page("/").as_bytes()).unwrap();
        assert_eq!(status_of(&read_head(stream).unwrap()), 200);
    }
}

#[test]
fn those_that_say_nothing_end_at_the_deadline_and_with_the_server() {
    let app = silent_server(Limits {
        handshake_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    for mut stream in silent(&app, 3) {
        assert_eq!(read_to_close(&mut stream), b"");
    }
    wait_until("all are counted", || {
        app.handle.stats().refused.get("silence") == Some(&4)
    });
    let app = silent_server(Limits::default());
    let mut streams = silent(&app, 3);
    app.handle.shutdown();
    for stream in &mut streams {
        assert_eq!(status_of(&refusal_on(stream)), 503);
    }
}

/// Where no connection may be watched, the newest has its place as everywhere.
#[test]
fn without_room_for_those_that_say_nothing_the_oldest_handshake_gives_way() {
    let app = silent_server(Limits {
        max_waiting_requests: 0,
        ..Limits::default()
    });
    let mut streams = silent(&app, 1);
    wait_until("one gives way", || {
        app.handle.stats().refused.get("evicted") == Some(&1)
    });
    streams[1].write_all(page("/").as_bytes()).unwrap();
    assert_eq!(status_of(&read_head(&mut streams[1]).unwrap()), 200);
}

/// How long one has that is silent at first, and then sends a part; `None` where the machine stood still.
fn time_of_one_that_begins_late(timeout: Duration) -> Option<Duration> {
    let app = silent_server(Limits {
        handshake_timeout: timeout,
        ..Limits::default()
    });
    let _first = silent(&app, 0);
    let begun = Instant::now();
    let mut late = dial(app.addr);
    thread::sleep(timeout * 3 / 4);
    late.write_all(b"GET ").ok()?;
    let answer = String::from_utf8(read_to_close(&mut late)).ok()?;
    answer.starts_with("HTTP/1.1 408 ").then(|| begun.elapsed())
}

#[test]
fn h01_one_that_says_nothing_at_first_has_no_more_time_than_others() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let is_in_time = |took: Duration| took < TIMEOUT * 3 / 2;
    let in_time = (0..8).any(|_| time_of_one_that_begins_late(TIMEOUT).is_some_and(is_in_time));
    assert!(in_time, "its time began anew with its first byte");
}
