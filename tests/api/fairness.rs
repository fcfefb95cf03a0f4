//! One peer floods, and the others have their turn: by how many of its messages come before theirs, not by time.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Instant;

use crate::support::{Client, PATIENCE, frame};
use wshub::{Event, Events, Message, RecvError, Server};

/// A message of the flood: as small as can be, so that they come faster than the application takes them. How many one
/// read brings, and how many of them the server takes before it comes to another connection.
const FLOOD: &[u8] = b"f";
const READ: usize = (64 << 10) / (FLOOD.len() + 6);
const TURN: usize = 1024;

/// How many messages of the flood come before one of a polite peer, which is sent while they come. The median of many:
/// where the machine is busy the system may deliver one late.
fn messages_before(mut next: impl FnMut(&mut Events<'_>) -> Result<Event, RecvError>) -> usize {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let mut polite = Client::connect(addr);
    let flood = Client::connect(addr).stream;
    let mut writes = flood.try_clone().unwrap();
    let flooding = thread::spawn(move || {
        let bytes = frame(true, 2, FLOOD).repeat(READ);
        while writes.write_all(&bytes).is_ok() {}
    });
    let mut events = server.events();
    let mut comes = |wanted: &Message| {
        let (mut before, begun) = (0, Instant::now());
        while begun.elapsed() < PATIENCE {
            match next(&mut events) {
                Ok(Event::Message(_, message)) if &message == wanted => return before,
                Ok(Event::Message(..)) => before += 1,
                Ok(Event::Open(_)) => {}
                Err(RecvError::Empty) => thread::yield_now(),
                other => panic!("{other:?}"),
            }
        }
        panic!("{before} messages came, and not {wanted:?}");
    };
    let mut counts = Vec::new();
    for number in 0..16 {
        // At another place in the rounds of the server each time.
        (0..number * TURN / 3).for_each(|_| _ = comes(&FLOOD.into()));
        polite.send_text("mine");
        counts.push(comes(&"mine".into()));
    }
    flood.shutdown(Shutdown::Both).unwrap();
    flooding.join().unwrap();
    counts.sort();
    counts[counts.len() / 2]
}

/// What waits for an application that is away for a moment, by the default of `inbound_per_connection`, and two turns.
const FEW: usize = (128 << 10) / (FLOOD.len() + 16) + 2 * TURN;

#[test]
fn f17_a_flood_of_messages_leaves_others_their_turn() {
    let before = messages_before(|events| events.recv_timeout(PATIENCE));
    assert!(before <= FEW, "{before} messages of the flood came before");
}

#[test]
fn f17_a_flood_of_messages_leaves_others_their_turn_where_the_application_only_looks() {
    let before = messages_before(|events| events.try_recv());
    assert!(before <= FEW, "{before} messages of the flood came before");
}
