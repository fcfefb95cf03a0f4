//! The event order contract: one Open; messages in order; at most one Error; exactly one Close.

use std::collections::{HashMap, HashSet};
use std::io::{self, IoSlice, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use crate::support::{AtEnd, Client, PATIENCE, duplex, upgrade};
use wshub::testing::Duplex;
use wshub::{CloseError, Connection, Event, ReadyState, SendErrorKind, Server, Transport};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Open,
    Failed,
    Closed,
}

/// Checks the order of each connection's events.
#[derive(Default)]
struct Contract {
    stages: HashMap<u64, Stage>,
    messages: HashMap<u64, usize>,
    closed: usize,
}

impl Contract {
    fn see(&mut self, event: &Event) {
        let id = event.connection().id();
        let stage = self.stages.get(&id).copied();
        let next = match event {
            Event::Open(_) => {
                assert_eq!(stage, None, "id {id} is used again, or opens twice");
                Stage::Open
            }
            Event::Message(..) => {
                *self.messages.entry(id).or_default() += 1;
                assert_eq!(stage, Some(Stage::Open), "{event:?}");
                Stage::Open
            }
            Event::Error(..) => {
                assert_eq!(stage, Some(Stage::Open), "{event:?}");
                Stage::Failed
            }
            Event::Close(connection, close) => {
                assert!(
                    matches!(stage, Some(Stage::Open | Stage::Failed)),
                    "{event:?}"
                );
                if stage == Some(Stage::Failed) {
                    assert_eq!(u16::from(close.code), 1006);
                }
                assert_eq!(connection.ready_state(), ReadyState::Closed);
                self.closed += 1;
                Stage::Closed
            }
            other => panic!("{other:?}"),
        };
        self.stages.insert(id, next);
    }
}

#[test]
fn b21_messages_come_in_wire_order_from_many_clients_at_once() {
    const CLIENTS: usize = 8;
    const MESSAGES: usize = 500;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            thread::spawn(move || {
                let mut ws = Client::connect_with(addr, &format!("/{client}"), "");
                for n in 0..MESSAGES {
                    let text = format!("{client} {n}");
                    // Whole, or in fragments with a pong between.
                    if n % 3 == 0 {
                        let (a, b) = text.as_bytes().split_at(1);
                        ws.send(false, 1, a);
                        ws.send(true, 10, b"");
                        ws.send(true, 0, b);
                    } else {
                        ws.send_text(&text);
                    }
                }
                ws.send_close(1000, &client.to_string());
                assert_eq!(ws.read().close().0, 1000);
                assert!(ws.at_end());
            })
        })
        .collect();
    let (mut contract, mut events) = (Contract::default(), server.events());
    while contract.closed < CLIENTS {
        let event = events.recv_timeout(PATIENCE).unwrap();
        let next = contract.messages.get(&event.connection().id()).copied();
        contract.see(&event);
        let path = event.connection().request().path().to_owned();
        match event {
            Event::Message(_, message) => {
                let expected = format!("{} {}", &path[1..], next.unwrap_or(0));
                assert_eq!(message.as_text(), Some(&*expected));
            }
            Event::Close(_, close) => {
                assert_eq!((&*close.reason, close.was_clean), (&path[1..], true));
                assert_eq!(next, Some(MESSAGES));
            }
            _ => {}
        }
    }
    clients.into_iter().for_each(|it| it.join().unwrap());
    assert_eq!(server.stats().connections, 0);
}

/// 200 clients come and go, in every way there is, while two threads broadcast.
#[test]
fn b21_clients_come_and_go_during_a_storm_of_broadcasts() {
    const WORKERS: usize = 8;
    const EACH: usize = 25;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let ended = AtEnd(|| over.store(true, SeqCst));
    let storm = thread::spawn({
        let (handle, over) = (server.handle(), over.clone());
        move || {
            while !over.load(SeqCst) {
                handle.broadcast("storm");
                thread::yield_now();
            }
        }
    });
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            thread::spawn(move || {
                for n in 0..EACH {
                    let mut client = Client::connect(addr);
                    // Something of the storm first: the connection is open on both sides.
                    assert_eq!(client.read().opcode, 1);
                    client.send_text("hello");
                    match n % 5 {
                        0 => {
                            client.send_close(1000, "bye");
                            while client.try_read().is_ok_and(|frame| frame.opcode != 8) {}
                        }
                        1 => client.stream.shutdown(std::net::Shutdown::Write).unwrap(),
                        // Unmasked: a fault.
                        2 => client.stream.write_all(&[0x81, 0]).unwrap(),
                        // In the midst of a frame.
                        3 => client.stream.write_all(&[0x82, 0xff, 0]).unwrap(),
                        _ => {}
                    }
                }
            })
        })
        .collect();
    let (mut contract, mut events) = (Contract::default(), server.events());
    while contract.closed < WORKERS * EACH {
        let event = events.recv_timeout(PATIENCE).unwrap();
        contract.see(&event);
        if let Event::Message(connection, message) = event {
            server.broadcast(message);
            server.broadcast_except(&connection, "someone said hello");
        }
    }
    workers.into_iter().for_each(|it| it.join().unwrap());
    drop(ended);
    storm.join().unwrap();
    assert_eq!(contract.stages.len(), WORKERS * EACH);
    assert_eq!(server.broadcast("nobody").sent, 0);
    assert_eq!(server.stats().connections, 0);
    assert_eq!(server.stats().opened, (WORKERS * EACH) as u64);
}

#[test]
fn b21_broadcasts_reach_a_connection_from_its_open_event_on() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(server.local_addr().unwrap());
    let begun = Instant::now();
    while server.stats().opened == 0 {
        assert!(begun.elapsed() < PATIENCE);
        thread::yield_now();
    }
    assert_eq!(server.broadcast("too early").sent, 0);
    let mut events = server.events();
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Open(_))));
    assert_eq!(server.broadcast("in time").sent, 1);
    assert_eq!(client.read().text(), "in time");
}

#[test]
fn ids_are_never_used_again() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let (mut ids, mut events) = (HashSet::new(), server.events());
    for _ in 0..50 {
        drop(Client::connect(addr));
        let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
            panic!("an Open");
        };
        assert!(ids.insert(connection.id()));
        assert!(matches!(
            events.recv_timeout(PATIENCE),
            Ok(Event::Close(..))
        ));
    }
}

/// A stream that says when it is let go.
struct Watched {
    stream: Duplex,
    gone: Arc<AtomicBool>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.gone.store(true, SeqCst);
    }
}

impl Transport for Watched {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.stream, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write(buffers)
    }

    crate::support::delegated!(stream);
}

fn wait_until_gone(gone: &AtomicBool) {
    let begun = Instant::now();
    while !gone.load(SeqCst) {
        assert!(begun.elapsed() < PATIENCE, "a handle holds its stream");
        thread::yield_now();
    }
}

fn assert_dead(connection: &Connection) {
    let refused = connection.send("late").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    assert_eq!(refused.into_message().as_text(), Some("late"));
    assert_eq!(connection.ping(), Err(SendErrorKind::Closed));
    assert_eq!(connection.close(1000, ""), Err(CloseError::Closed));
    assert_eq!(connection.buffered_amount(), 0);
    assert_eq!(connection.ready_state(), ReadyState::Closed);
}

/// However the connection ended, and whatever waited for its peer then.
#[test]
fn a_handle_that_outlives_its_connection_holds_nothing() {
    for way in ["close", "drop", "fault", "stalled"] {
        let server = Server::builder().without_listener().unwrap();
        let (stream, peer) = duplex();
        let gone = Arc::<AtomicBool>::default();
        server.attach(Watched {
            stream,
            gone: gone.clone(),
        });
        let mut client = Client::open(peer, &upgrade("localhost", "/", ""));
        let mut events = server.events();
        let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
            panic!("an Open");
        };
        match way {
            "close" => client.send_close(1000, ""),
            "fault" => client.stream.write_all(&[0xff; 2]).unwrap(),
            "stalled" => {
                connection.send(vec![0; 1 << 20]).unwrap();
                assert!(connection.buffered_amount() > 0);
            }
            _ => {}
        }
        drop(client);
        loop {
            match events.recv_timeout(PATIENCE).unwrap() {
                Event::Close(it, _) => break assert_eq!(it, connection),
                event => assert!(matches!(event, Event::Error(..)), "{event:?}"),
            }
        }
        assert_dead(&connection);
        wait_until_gone(&gone);
        assert_eq!(server.broadcast("nobody").sent, 0);
        // And a handle that outlives its server.
        drop(events);
        drop(server);
        assert_dead(&connection);
    }
}
