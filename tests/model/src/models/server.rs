//! The whole server: opening handshake, messages, answers and the shutdown, with the application thread in between.

use std::borrow::Borrow;
use std::check::{choose, is_hurried};
use std::clock;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::line::{Line, Seen};
use super::peer::{REQUEST, Seat, behind_head, client, masked, seen};
use crate::outbox::broadcast::collector::LATEST;
use crate::{Event, Limits, Message, RecvError, Server, ShutdownReport};

const ROOM: usize = 1 << 10;

pub(super) fn limits() -> Limits {
    Limits {
        max_connections: 2,
        max_handshakes: 2,
        ping_interval: None,
        ..Limits::default()
    }
}

pub(super) fn server(limits: Limits) -> Server {
    Server::builder()
        .limits(limits)
        .without_listener()
        .expect("a server")
}

/// A server that has ended holds no stream.
pub(super) fn assert_streams_are_free<L: Borrow<Line>>(lines: &[L], report: &ShutdownReport) {
    for line in lines {
        let holders = Arc::strong_count(&line.borrow().0);
        assert!(
            holders == 1 || report.threads_left > 0,
            "the server holds a stream"
        );
    }
}

/// Nobody had to wait for a deadline, but for frames that were collected.
fn assert_took_no_time() {
    let passed = clock::passed();
    assert!(
        passed <= LATEST * 2 || is_hurried(),
        "a wake-up was lost: {passed:?}"
    );
}

/// Two clients, an application that answers each message, and a shutdown from another thread: the events end, every
/// thread is joined, each client got its answers in order and one Close after them.
pub fn messages_answers_and_a_shutdown() {
    const TEXTS: u32 = 2;
    let server = server(limits());
    let handle = server.handle();
    let lines = [Line::new(ROOM), Line::new(ROOM)];
    let clients: Vec<_> = lines.iter().map(|line| client(line, TEXTS)).collect();
    for line in &lines {
        server.attach(line.clone());
    }
    let stopper = thread::spawn(move || handle.shutdown());
    let mut seats: Vec<(u64, Seat)> = Vec::new();
    for event in server.events() {
        let id = event.connection().id();
        let index = seats
            .iter()
            .position(|seat| seat.0 == id)
            .unwrap_or_else(|| {
                seats.push((id, Seat::default()));
                seats.len() - 1
            });
        seats[index].1.see(&event);
        if let Event::Message(connection, message) = &event {
            let _ = connection.send(message.clone());
        }
    }
    stopper.join().unwrap();
    let report = server.shutdown();
    for client in clients {
        client.join().unwrap();
    }
    drop(server);
    // A clock in a hurry runs out of patience.
    assert!(report.threads_left == 0 || is_hurried());
    assert_eq!(report.events_not_taken, 0);
    assert_took_no_time();
    for (_, seat) in &seats {
        assert!(seat.closed, "a connection without its Close");
        assert!(
            seat.messages
                .iter()
                .eq(["a1", "a2"].iter().take(seat.messages.len()))
        );
    }
    for line in lines {
        let frames = seen(&line);
        let texts = frames
            .iter()
            .filter(|seen| matches!(seen, Seen::Text(_)))
            .count();
        let in_order = [Seen::Text("a1".into()), Seen::Text("a2".into())];
        assert_eq!(frames[..texts], in_order[..texts]);
        let closes = frames
            .iter()
            .filter(|seen| matches!(seen, Seen::Close(_)))
            .count();
        assert!(closes <= 1, "{frames:?}");
        let holders = Arc::strong_count(&line.0);
        assert!(
            holders == 1 || report.threads_left > 0,
            "the server holds a stream"
        );
    }
}

/// A stream that says nothing comes before, amid or after the beginning of the shutdown: nobody waits for it.
pub fn a_silent_stream_races_the_shutdown() {
    let server = server(limits());
    let handle = server.handle();
    let stopper = thread::spawn(move || handle.shutdown());
    let line = Line::new(ROOM);
    let peer = thread::spawn({
        let line = line.clone();
        move || {
            line.0.wait_shut();
            line.0.end();
        }
    });
    server.attach(line);
    stopper.join().unwrap();
    assert!(server.events().next().is_none());
    assert_eq!(server.shutdown(), ShutdownReport::default());
    assert_took_no_time();
    peer.join().unwrap();
}

/// B6: a peer takes nothing and sends all the while; the application, which answers every message and broadcasts, takes
/// no time, and the reader that waits for it goes on.
pub fn the_application_never_waits_for_a_peer() {
    const TEXTS: u32 = 6;
    let limits = Limits {
        inbound_per_connection: 4,
        inbound_total: 8,
        ..limits()
    };
    let server = server(limits);
    // The answer of the opening handshake and not much more.
    let line = Line::new(135 + choose(8) as usize);
    let client = thread::spawn({
        let line = line.clone();
        move || {
            line.0.feed(REQUEST);
            line.0
                .wait_written(|written| behind_head(written).is_some());
            for number in 1..=TEXTS {
                line.0.feed(&masked(1, format!("a{number}").as_bytes()));
            }
        }
    });
    server.attach(line.clone());
    let mut events = server.events();
    let mut messages = 0;
    while messages < TEXTS {
        match events.recv().expect("an event") {
            Event::Message(connection, message) => {
                messages += 1;
                connection
                    .send(message.clone())
                    .expect("there is room to keep it");
                assert_eq!(server.broadcast(message).sent, 1);
            }
            Event::Open(_) => {}
            event => panic!("{event:?}"),
        }
        assert_eq!(
            clock::passed(),
            Duration::ZERO,
            "the application waited for a deadline"
        );
    }
    drop(events);
    client.join().unwrap();
    line.0.break_off();
    assert_eq!(server.shutdown().threads_left, 0);
}

/// A shutdown while one client opens, one leaves and the application does not take its events: bounded, everyone joined,
/// what was not taken is counted and can still be taken, up to the last Close.
pub fn a_shutdown_races_opening_and_leaving() {
    let server = server(limits());
    let lines = [Line::new(ROOM), Line::new(ROOM)];
    let opening = client(&lines[0], 1);
    let leaving = thread::spawn({
        let line = lines[1].clone();
        move || {
            line.0.feed(REQUEST);
            line.0.feed(&masked(1, b"a1"));
            line.0.break_off();
        }
    });
    for line in &lines {
        server.attach(line.clone());
    }
    let report = server.shutdown();
    assert!(report.threads_left == 0 || is_hurried());
    assert_took_no_time();
    let mut events = server.events();
    let mut taken = 0;
    let mut open = 0i32;
    while let Ok(event) = events.try_recv() {
        taken += 1;
        match event {
            Event::Open(_) => open += 1,
            Event::Close(..) => open -= 1,
            _ => {}
        }
    }
    assert_eq!(
        events.try_recv().unwrap_err(),
        RecvError::Ended,
        "the events do not end"
    );
    assert_eq!(open, 0, "an Open without its Close: {report:?}");
    // A thread that is left behind may put something in behind the end, where nobody sees it.
    let exact = taken == report.events_not_taken;
    assert!(exact || report.threads_left > 0, "{taken} of {report:?}");
    opening.join().unwrap();
    leaving.join().unwrap();
    drop(events);
    drop(server);
    assert_streams_are_free(&lines, &report);
}
