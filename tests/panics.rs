//! A stream of the user's own that panics: its connection ends, and nobody else's.

mod support;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use support::{Client, PATIENCE, upgrade};
use wshub::testing::{Duplex, duplex};
use wshub::{Connection, Event, Events, How, Server, ShutdownReport, Transport, Waker};

/// Works until it is told to panic, when it is read or written the next time.
struct Mined {
    stream: Duplex,
    armed: Arc<AtomicBool>,
}

impl Mined {
    fn step(&self) {
        if self.armed.load(SeqCst) {
            // Without a word on stderr, which a panic would say.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}

impl Transport for Mined {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let read = Transport::read(&self.stream, buffer, deadline);
        self.step();
        read
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.step();
        self.stream.try_write(buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.stream.wait_writable(deadline)
    }

    fn poll_writable(&self, waker: &Waker) -> Option<BorrowedFd<'_>> {
        self.stream.poll_writable(waker)
    }

    fn shutdown(&self, how: How) {
        self.stream.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
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
    let (stream, peer) = duplex();
    let armed = Arc::<AtomicBool>::default();
    let mined = Mined {
        stream,
        armed: armed.clone(),
    };
    let mut client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    armed.store(true, SeqCst);
    client.send_text("boom");
    assert_closes(&mut events, &connection);
    assert_others_go_on(&server, &mut events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

#[test]
fn b12_a_stream_that_panics_under_a_broadcast_costs_its_own_connection() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (stream, peer) = duplex();
    let armed = Arc::<AtomicBool>::default();
    let mined = Mined {
        stream,
        armed: armed.clone(),
    };
    let _client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    armed.store(true, SeqCst);
    server.broadcast("boom");
    assert_closes(&mut events, &connection);
    assert_others_go_on(&server, &mut events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// The helper that drains slow connections serves all of them, and holds a lock meanwhile.
#[test]
fn b13_a_stream_that_panics_under_the_helper_costs_its_own_connection() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (stream, peer) = duplex();
    let armed = Arc::<AtomicBool>::default();
    let mined = Mined {
        stream,
        armed: armed.clone(),
    };
    let mut client = attach(&server, mined, peer);
    let connection = opened(&mut events);
    connection.send(vec![0; 500_000]).unwrap();
    assert!(connection.buffered_amount() > 0, "the helper has work");
    armed.store(true, SeqCst);
    // Makes room, which wakes the helper.
    let _ = client.try_read();
    assert_closes(&mut events, &connection);
    assert_others_go_on(&server, &mut events);
    assert_eq!(server.shutdown(), ShutdownReport::default());
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
