//! A logger that panics costs its line; nobody is lost, deaf or left waiting for it.
//!
//! A test binary of its own: a process has one logger.

#[path = "../support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};
use support::child::{Child, in_child, serve_echo};
use support::{Client, PATIENCE, dial, exchange, read_head, reset, upgrade, wait_until};
use wshub::{
    Connection, Event, Events, Handler, Limits, Message, RecvError, RunError, Server, ServerHandle,
    ShutdownReport,
};

/// Panics at the lines from the first of this number on, so many of them.
struct Mined {
    lines: AtomicUsize,
    first: AtomicUsize,
    count: AtomicUsize,
}

static LOGGER: Mined = Mined {
    lines: AtomicUsize::new(0),
    first: AtomicUsize::new(0),
    count: AtomicUsize::new(0),
};

/// One test at a time.
static TURN: Mutex<()> = Mutex::new(());

impl Log for Mined {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        self.line();
        true
    }

    fn log(&self, _: &Record<'_>) {
        self.line();
    }

    fn flush(&self) {}
}

impl Mined {
    fn line(&self) {
        let line = self.lines.fetch_add(1, SeqCst);
        let first = self.first.load(SeqCst);
        if line >= first && line - first < self.count.load(SeqCst) {
            // Without a word on stderr, which a panic would say.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}

/// From now on the logger counts lines, and panics at these.
fn arm(first: usize, count: usize) -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(LevelFilter::Trace);
    LOGGER.first.store(first, SeqCst);
    LOGGER.count.store(count, SeqCst);
    LOGGER.lines.store(0, SeqCst);
    turn
}

/// Runs `life` with a logger that panics at every line, then with one that does at the first, the
/// second, and so on: once more than there are lines.
fn at_every_line(life: fn()) {
    let all = arm(0, usize::MAX);
    life();
    drop(all);
    let mut at = 0;
    loop {
        let turn = arm(at, 1);
        life();
        let lines = LOGGER.lines.load(SeqCst);
        drop(turn);
        assert!(lines > 5, "{lines} lines: the logger was not asked");
        if at > lines {
            return;
        }
        at += 1;
    }
}

fn limits() -> Limits {
    Limits {
        // Lowered to what the process may open, and that is a line.
        max_connections: 1 << 19,
        ..Limits::default()
    }
}

fn next(events: &mut Events<'_>) -> Event {
    events.recv_timeout(PATIENCE).expect("an event")
}

fn next_open(events: &mut Events<'_>) -> Connection {
    match next(events) {
        Event::Open(connection) => connection,
        event => panic!("{event:?}"),
    }
}

/// Peers that are refused, each with its line.
fn be_refused(addr: SocketAddr) {
    let evil = upgrade("localhost", "/", "Origin: http://evil.example\r\n");
    for (request, status) in [
        ("GARBAGE\r\n\r\n", "400"),
        (&*evil, "403"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "426"),
    ] {
        let answer = exchange(addr, request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    drop(dial(addr));
}

fn assert_over(handle: &ServerHandle, addr: SocketAddr) {
    let stats = handle.stats();
    assert_eq!((stats.handshakes, stats.threads), (0, 0), "{stats:?}");
    drop(TcpListener::bind(addr).expect("the port is free"));
}

fn life_by_events() {
    let server = Server::builder()
        .limits(limits())
        .bind("127.0.0.1:0")
        .unwrap();
    let (handle, addr) = (server.handle(), server.local_addr().unwrap());
    let mut events = server.events();
    assert_eq!(server.events().try_recv().unwrap_err(), RecvError::InUse);
    be_refused(addr);

    let mut client = Client::connect(addr);
    let connection = next_open(&mut events);
    client.send_text("hello");
    assert!(matches!(next(&mut events), Event::Message(..)));
    connection.send("hello").unwrap();
    assert_eq!(client.read().text(), "hello");
    client.send_close(1000, "bye");
    assert!(matches!(next(&mut events), Event::Close(_, close) if close.was_clean));
    drop(client);

    let mut offender = Client::connect(addr);
    next_open(&mut events);
    offender.send(true, 1, b"\xff");
    assert!(matches!(next(&mut events), Event::Error(..)));
    assert!(matches!(next(&mut events), Event::Close(..)));
    drop(offender);

    let vanishing = Client::connect(addr);
    next_open(&mut events);
    reset(vanishing.stream);
    assert!(matches!(next(&mut events), Event::Close(..)));

    let mut last = Client::connect(addr);
    next_open(&mut events);
    handle.shutdown();
    assert_eq!(last.read().close().0, 1001);
    last.send_close(1001, "");
    drop(last);
    assert!(matches!(next(&mut events), Event::Close(..)));
    assert_eq!(events.recv_timeout(PATIENCE).unwrap_err(), RecvError::Ended);
    assert_eq!(server.shutdown(), ShutdownReport::default());
    assert_eq!(handle.stats().connections, 0);
    assert_over(&handle, addr);
}

#[test]
fn m01_a_logger_that_panics_harms_no_event() {
    at_every_line(life_by_events);
}

fn life_by_closure() {
    let handle = Server::builder()
        .limits(limits())
        .serve("127.0.0.1:0", |mut ws| {
            while let Some(message) = ws.read()? {
                match message {
                    Message::Text(text) if text == "fail" => return Err(text.into()),
                    // Without a word on stderr, which a panic would say.
                    Message::Text(text) if text == "panic" => {
                        std::panic::resume_unwind(Box::new(text))
                    }
                    message => ws.send(message)?,
                }
            }
            Ok(())
        })
        .unwrap();
    let addr = handle.local_addr().unwrap();
    be_refused(addr);
    for (text, code) in [("fail", 1011), ("panic", 1011)] {
        let mut client = Client::connect(addr);
        client.send_text(text);
        assert_eq!(client.read().close().0, code);
        client.send_close(code, "");
        assert!(client.at_end());
    }
    let mut offender = Client::connect(addr);
    offender.send(true, 1, b"\xff");
    assert_eq!(offender.read().close().0, 1007);
    reset(offender.stream);
    let mut client = Client::connect(addr);
    client.send_text("hello");
    assert_eq!(client.read().text(), "hello");
    wait_until("the slots are free", || handle.stats().connections == 1);
    handle.shutdown();
    assert_eq!(client.read().close().0, 1001);
    client.send_close(1001, "");
    drop(client);
    assert_eq!(handle.wait(), ShutdownReport::default());
    assert_eq!(handle.stats().connections, 0);
    assert_over(&handle, addr);
}

#[test]
fn m01_a_logger_that_panics_harms_no_closure() {
    at_every_line(life_by_closure);
}

/// Whose handler panics: the server shuts down, and says so in the log.
fn life_that_ends_by_a_panic() {
    struct Panics;
    impl Handler for Panics {
        fn on_message(&mut self, _: &Connection, _: Message) {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
    let server = Server::builder()
        .limits(limits())
        .bind("127.0.0.1:0")
        .unwrap();
    let (handle, addr) = (server.handle(), server.local_addr().unwrap());
    let client = std::thread::spawn(move || {
        be_refused(addr);
        let mut client = Client::connect(addr);
        client.send_text("hello");
        assert_eq!(client.read().close().0, 1001);
        client.send_close(1001, "");
    });
    let ended = server.run(&mut Panics);
    assert!(matches!(ended, Err(RunError::Panicked(_))), "{ended:?}");
    client.join().unwrap();
    assert_over(&handle, addr);
}

#[test]
fn m01_a_logger_that_panics_harms_no_handler() {
    at_every_line(life_that_ends_by_a_panic);
}

/// The accept loop has something to say, and the loop is everybody's.
#[test]
fn m01_a_logger_that_panics_in_the_accept_loop_without_threads() {
    if in_child() {
        let _turn = arm(0, usize::MAX);
        // More than there is address space: the system refuses every thread.
        return serve_echo(Limits {
            stack_size: 1 << 30,
            ..Limits::default()
        });
    }
    let test = "m01_a_logger_that_panics_in_the_accept_loop_without_threads";
    let (mut server, addr) = Child::server(test, "ulimit -v 1000000");
    for _ in 0..5 {
        let head = read_head(&mut dial(addr)).unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    }
    assert_eq!(server.refused("full"), 5);
    assert!(server.end().success());
}

#[test]
fn m01_a_logger_that_panics_in_the_accept_loop_without_descriptors() {
    if in_child() {
        let _turn = arm(0, usize::MAX);
        return serve_echo(Limits::default());
    }
    let test = "m01_a_logger_that_panics_in_the_accept_loop_without_descriptors";
    let (mut server, addr) = Child::server(test, "ulimit -n 40");
    let many: Vec<_> = (0..60).map(|_| dial(addr)).collect();
    wait_until("accept fails, again and again", || {
        server.refused("accept") >= 3
    });
    drop(many);
    let mut client = Client::connect(addr);
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
    assert!(server.end().success());
}
