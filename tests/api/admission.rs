//! Who gives way when too many come at once, and who does not: handshakes whose hook runs, and plain requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::support::app::App;
use crate::support::refusal::{refusal_on, status_of};
use crate::support::{Client, PATIENCE, dial, exchange, read_head, upgrade, wait_until};
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
        loop {
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
    assert_eq!(app.handle.stats().opened, CLIENTS as u64);
}
