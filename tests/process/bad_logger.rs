//! A logger that panics costs its line, and one that blocks the thread that has it; nobody is lost, deaf or left
//! waiting.
//!
//! A test binary of its own: a process has one logger.

#[path = "../support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};
use support::child::{Child, echo_while_asked, in_child, serve_echo};
use support::{AtEnd, Client, PATIENCE, dial, exchange, read_head, reset, upgrade, wait_until};
use wshub::{
    Connection, Event, Events, Handler, Limits, Message, RecvError, RunError, Server, ServerHandle,
    ShutdownReport,
};

/// Panics at the lines from the first of this number on, so many of them; blocks at lines with a word.
struct Mined {
    lines: AtomicUsize,
    first: AtomicUsize,
    count: AtomicUsize,
    block: Mutex<Option<&'static str>>,
    released: Condvar,
}

static LOGGER: Mined = Mined {
    lines: AtomicUsize::new(0),
    first: AtomicUsize::new(0),
    count: AtomicUsize::new(0),
    block: Mutex::new(None),
    released: Condvar::new(),
};

/// One test at a time.
static TURN: Mutex<()> = Mutex::new(());

impl Log for Mined {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        self.line();
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.line();
        self.block(&record.args().to_string());
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

    fn block(&self, line: &str) {
        let blocks = |word: &mut Option<&str>| word.is_some_and(|word| line.contains(word));
        let block = self.block.lock().unwrap();
        drop(self.released.wait_while(block, blocks).unwrap());
    }
}

/// From now on the logger blocks at lines with this word, until it is released.
fn block(word: &'static str) -> MutexGuard<'static, ()> {
    let turn = arm(usize::MAX, 0);
    *LOGGER.block.lock().unwrap() = Some(word);
    turn
}

fn release() {
    *LOGGER.block.lock().unwrap() = None;
    LOGGER.released.notify_all();
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
    let ends = handle.clone();
    let client = std::thread::spawn(move || {
        let _over = AtEnd(|| ends.shutdown());
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

/// Brings the server out of descriptors, and back.
fn assert_accepts_again(server: &mut Child, addr: SocketAddr) {
    let many: Vec<_> = (0..60).map(|_| dial(addr)).collect();
    wait_until("accept fails, again and again", || {
        server.refused("accept") >= 3
    });
    drop(many);
    let mut client = Client::connect(addr);
    client.send_text("still here");
    assert_eq!(client.read().text(), "still here");
}

#[test]
fn m01_a_logger_that_panics_in_the_accept_loop_without_descriptors() {
    if in_child() {
        let _turn = arm(0, usize::MAX);
        return serve_echo(Limits::default());
    }
    let test = "m01_a_logger_that_panics_in_the_accept_loop_without_descriptors";
    let (mut server, addr) = Child::server(test, "ulimit -n 40");
    assert_accepts_again(&mut server, addr);
    assert!(server.end().success());
}

/// No shutdown here may take longer, on however busy a machine.
const BOUND: Duration = Duration::from_secs(20);

fn brief() -> Limits {
    Limits {
        close_timeout: Duration::from_millis(300),
        ..limits()
    }
}

fn assert_echoes(events: &mut Events<'_>, client: &mut Client) {
    client.send_text("hello");
    loop {
        match next(events) {
            Event::Message(connection, message) => break connection.send(message).unwrap(),
            Event::Open(_) => {}
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(client.read().text(), "hello");
}

/// What a connection has to say holds up no other; nor does it hold up what the application sees of it.
fn assert_goes_on_while_blocked_at(word: &'static str, away: bool, threads_left: usize) {
    let _turn = block(word);
    let server = Server::builder().limits(brief()).bind("127.0.0.1:0");
    let server = server.unwrap();
    let addr = server.local_addr().unwrap();
    let mut other = Client::connect(addr);
    assert_echoes(&mut server.events(), &mut other);
    be_refused(addr);

    let mut client = Client::connect(addr);
    let mut events = server.events();
    next_open(&mut events);
    if away {
        drop(events);
        client.send_close(1000, "");
        // Somebody leads in the application's place.
        assert_eq!(client.read().close().0, 1000);
        events = server.events();
    } else {
        client.send_close(1000, "");
    }
    assert!(matches!(next(&mut events), Event::Close(..)));
    let mut offender = Client::connect(addr);
    next_open(&mut events);
    offender.send(true, 1, b"\xff");
    assert!(matches!(next(&mut events), Event::Error(..)));
    assert!(matches!(next(&mut events), Event::Close(..)));
    assert_echoes(&mut events, &mut other);
    assert_echoes(&mut events, &mut Client::connect(addr));
    drop((events, other, offender, client));

    let begun = Instant::now();
    let report = server.shutdown();
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    assert_eq!(report.threads_left, threads_left, "{word}");
    release();
    assert_eq!(server.shutdown().threads_left, 0);
}

#[test]
fn m01_a_logger_that_blocks_at_an_open_holds_up_nothing_else() {
    // One thread for each connection.
    assert_goes_on_while_blocked_at(" open: ", false, 4);
}

#[test]
fn m01_a_logger_that_blocks_at_an_end_holds_up_nothing_else() {
    for away in [false, true] {
        assert_goes_on_while_blocked_at(" closed: ", away, 1);
    }
}

#[test]
fn m01_a_logger_that_blocks_at_an_error_holds_up_nothing_else() {
    assert_goes_on_while_blocked_at(" given up: ", false, 1);
}

#[test]
fn m01_a_logger_that_blocks_at_a_refusal_holds_up_nothing_else() {
    // One thread for each that is refused, or leaves at once.
    assert_goes_on_while_blocked_at("refused ", false, 4);
}

#[test]
fn m01_a_logger_that_blocks_leaves_no_slot_of_a_closure_taken() {
    let _turn = block("connection ");
    let limits = Limits {
        max_connections: 1,
        ..brief()
    };
    let handle = Server::builder()
        .limits(limits)
        .serve("127.0.0.1:0", |_| Err("failed".into()))
        .unwrap();
    // Blocked before the closure runs: the slot is this connection's.
    let client = Client::connect(handle.local_addr().unwrap());
    drop(client);
    release();
    wait_until("its slot is free", || handle.stats().connections == 0);
    for _ in 0..3 {
        *LOGGER.block.lock().unwrap() = Some(" closed: ");
        let mut client = Client::connect(handle.local_addr().unwrap());
        assert_eq!(client.read().close().0, 1011);
        client.send_close(1011, "");
        wait_until("its slot is free", || handle.stats().connections == 0);
    }
    let begun = Instant::now();
    handle.shutdown();
    assert_eq!(handle.wait().threads_left, 1);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    release();
    assert_eq!(handle.wait(), ShutdownReport::default());
}

#[test]
fn m01_a_logger_that_blocks_at_a_shutdown_does_not_keep_it_from_happening() {
    let _turn = block("shutting down");
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    let mut events = server.events();
    next_open(&mut events);
    let handle = server.handle();
    let blocked = std::thread::spawn(move || handle.shutdown());
    assert_eq!(client.read().close().0, 1001);
    client.send_close(1001, "");
    drop(client);
    assert!(matches!(next(&mut events), Event::Close(..)));
    let ended = events.recv_timeout(PATIENCE).unwrap_err();
    assert_eq!(ended, RecvError::Ended);
    assert_eq!(server.shutdown(), ShutdownReport::default());
    release();
    blocked.join().unwrap();
}

#[test]
fn m01_a_logger_that_blocks_at_an_answer_that_never_comes_holds_up_no_other() {
    let _turn = block("dropped the Responder");
    let (tell, told) = std::sync::mpsc::channel();
    let tell = Mutex::new(tell);
    let server = Server::builder()
        .http(move |_| {
            let (response, responder) = wshub::Response::later();
            tell.lock().unwrap().send(responder).unwrap();
            response
        })
        .bind("127.0.0.1:0")
        .unwrap();
    let ask = || {
        let mut stream = dial(server.local_addr().unwrap());
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        (stream, told.recv_timeout(PATIENCE).unwrap())
    };
    let ((mut dropped, first), (mut other, second)) = (ask(), ask());
    wait_until("both wait", || server.stats().waiting_requests == 2);
    drop(first);
    assert!(read_head(&mut dropped).unwrap().contains(" 500 "));
    second.send(wshub::Response::ok()).unwrap();
    assert!(read_head(&mut other).unwrap().contains(" 200 "));
    release();
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

#[test]
fn m01_a_logger_that_blocks_in_the_accept_loop_without_descriptors() {
    if in_child() {
        let _turn = block("cannot accept");
        let handle = echo_while_asked(Limits::default());
        handle.shutdown();
        assert_eq!(handle.wait().threads_left, 1);
        release();
        assert_eq!(handle.wait(), ShutdownReport::default());
        return;
    }
    let test = "m01_a_logger_that_blocks_in_the_accept_loop_without_descriptors";
    let (mut server, addr) = Child::server(test, "ulimit -n 40");
    assert_accepts_again(&mut server, addr);
    assert!(server.end().success());
}
