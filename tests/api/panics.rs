//! A stream of the user's own that panics: its connection ends, and nobody else's.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::time::Instant;

use crate::support::{Client, PATIENCE, duplex, throw, upgrade, wait_until};
use wshub::testing::Duplex;
use wshub::{Connection, Event, Events, How, Limits, Server, ShutdownReport, Transport, Waker};

/// Works until it is told where to panic.
struct Mined {
    stream: Duplex,
    mines: Mines,
}

/// Where it panics, each a bit; and where it has.
#[derive(Clone, Default)]
struct Mines {
    armed: Arc<AtomicU8>,
    hit: Arc<AtomicU8>,
}

const READ: u8 = 1;
const TRY_WRITE: u8 = 2;
const WAIT_WRITABLE: u8 = 4;
const WAKE_WHEN_WRITABLE: u8 = 8;
const SHUTDOWN: u8 = 16;
const PEER_ADDR: u8 = 32;

impl Mines {
    fn arm(&self, mines: u8) {
        self.armed.store(mines, SeqCst);
    }

    fn is_hit(&self, mine: u8) -> bool {
        self.hit.load(SeqCst) & mine != 0
    }

    fn step(&self, mine: u8) {
        if self.armed.load(SeqCst) & mine != 0 {
            self.hit.fetch_or(mine, SeqCst);
            throw();
        }
    }
}

fn mined() -> (Mined, Mines, Duplex) {
    let ((stream, peer), mines) = (duplex(), Mines::default());
    let mined = Mined {
        stream,
        mines: mines.clone(),
    };
    (mined, mines, peer)
}

impl Transport for Mined {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let read = Transport::read(&self.stream, buffer, deadline);
        self.mines.step(READ);
        read
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.mines.step(TRY_WRITE);
        self.stream.try_write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.mines.step(WAIT_WRITABLE);
        self.stream.wait_writable(deadline)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        self.mines.step(WAKE_WHEN_WRITABLE);
        self.stream.wake_when_writable(waker);
    }

    fn shutdown(&self, how: How) {
        self.mines.step(SHUTDOWN);
        self.stream.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.mines.step(PEER_ADDR);
        None
    }
}

fn opened(events: &mut Events<'_>) -> Connection {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

fn attach(server: &Server, stream: impl Transport, peer: Duplex) -> Client<Duplex> {
    server.attach(stream);
    Client::open(peer, &upgrade("localhost", "/", ""))
}

/// Takes events to the Close of this connection.
fn assert_closes(events: &mut Events<'_>, connection: &Connection) {
    loop {
        match events.recv_timeout(PATIENCE).expect("a Close") {
            Event::Close(it, close) => {
                assert_eq!((&it, u16::from(close.code)), (connection, 1006));
                return;
            }
            Event::Error(it, _) => assert_eq!(it, *connection),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn b12_a_stream_that_panics_under_its_reader_costs_its_own_connection() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (mined, mines, peer) = mined();
    let mut client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    mines.arm(READ);
    client.send_text("boom");
    assert_closes(&mut events, &connection);
    assert_others_go_on(&server, &mut events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

#[test]
fn b12_a_stream_that_panics_under_a_broadcast_costs_its_own_connection() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (mined, mines, peer) = mined();
    let _client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    mines.arm(TRY_WRITE);
    server.broadcast("boom");
    assert_closes(&mut events, &connection);
    assert_others_go_on(&server, &mut events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// Who flushes what was broadcast while more events waited writes for all, and holds a lock meanwhile.
#[test]
fn b12_a_stream_that_panics_under_a_run_costs_its_own_connection() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (mined, mines, peer) = mined();
    let _client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    let (stream, peer) = duplex();
    let mut other = attach(&server, stream, peer);
    opened(&mut events);
    for _ in 0..3 {
        other.send_text("broadcast this");
    }
    wait_until("they wait", || server.stats().messages_in == 3);
    mines.arm(TRY_WRITE);
    for _ in 0..3 {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => server.broadcast(message),
            other => panic!("{other:?}"),
        };
    }
    assert_closes(&mut events, &connection);
    for _ in 0..3 {
        assert_eq!(other.read().text(), "broadcast this");
    }
    assert_eq!(server.stats().dropped, 3);
}

/// The helper that drains slow connections serves all of them, and holds a lock meanwhile.
#[test]
fn b13_a_stream_that_panics_under_the_helper_costs_its_own_connection() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (mined, mines, peer) = mined();
    let mut client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    connection.send(vec![0; 500_000]).unwrap();
    assert!(connection.buffered_amount() > 0, "the helper has work");
    mines.arm(TRY_WRITE);
    // Makes room, which wakes the helper.
    let _ = client.try_read();
    assert_closes(&mut events, &connection);
    assert_others_go_on(&server, &mut events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// Before it sleeps, the helper asks every stream how it will learn of room.
#[test]
fn b12_a_stream_that_panics_when_it_is_to_be_watched_costs_its_own_connection() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (mined, mines, peer) = mined();
    let client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    mines.arm(WAKE_WHEN_WRITABLE | SHUTDOWN);
    connection.send(vec![0; 500_000]).unwrap();
    wait_until("the helper gives it up", || {
        connection.send("more").is_err()
    });
    assert_others_go_on(&server, &mut events);
    // Its reader could not be woken, so it ends when the peer does.
    drop(client);
    assert_closes(&mut events, &connection);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// A handler that waits for its peer leaves the helper out until it is done.
#[test]
fn b12_a_stream_that_panics_under_a_handler_that_waits_costs_its_own_connection() {
    let (stream, peer) = duplex();
    let handle = Server::builder()
        .serve("127.0.0.1:0", |mut ws| {
            ws.read()?;
            let sent = ws.send(vec![0; 500_000]);
            assert!(ws.send("more").is_err(), "{sent:?}");
            Ok(())
        })
        .unwrap();
    let mines = Mines::default();
    mines.arm(WAIT_WRITABLE);
    let mined = Mined {
        stream,
        mines: mines.clone(),
    };
    handle.attach(mined);
    let mut client = Client::open(peer, &upgrade("localhost", "/", ""));
    client.send_text("go");
    // Reads nothing before: a client that reads as fast as the handler writes leaves it nothing to wait for.
    wait_until("the handler waits", || mines.is_hit(WAIT_WRITABLE));
    assert!(client.try_read().is_err(), "the message is cut off");
    handle.shutdown();
    let report = handle.wait();
    assert_eq!(report, ShutdownReport::default());
    assert_eq!(handle.stats().handler_failures, 0, "it was told");
}

/// The accept loop ends a handshake that has to give way, and a shutdown all of them.
#[test]
fn b12_a_stream_that_panics_at_its_end_costs_its_own_handshake() {
    let limits = Limits {
        max_handshakes: 1,
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let mut events = server.events();
    for _ in 0..2 {
        let (mined, mines, _peer) = mined();
        mines.arm(SHUTDOWN | PEER_ADDR);
        server.attach(mined);
    }
    assert_others_go_on(&server, &mut events);
    assert_eq!(server.shutdown().events_not_taken, 0);
}

/// Reading, sending and, for one that reads slowly, the helper.
fn assert_others_go_on(server: &Server, events: &mut Events<'_>) {
    let (stream, peer) = duplex();
    let mut client = attach(server, stream, peer);
    let connection = opened(events);
    let big = vec![7; 500_000];
    connection.send(big.clone()).unwrap();
    assert!(connection.buffered_amount() > 0);
    assert_eq!(client.read().payload, big);
    client.send_close(1000, "");
    assert_eq!(client.read().close().0, 1000);
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Close(it, close)) => assert_eq!((it, close.was_clean), (connection, true)),
        other => panic!("{other:?}"),
    }
}
