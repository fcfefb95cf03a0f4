//! `testing::duplex` beside TCP: what one test shows over the one holds over the other.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::{PATIENCE, dial, read_to_close, server_frame, upgrade, wait_until};
use wshub::testing::duplex;
use wshub::{Event, How, Limits, Overflow, Server, Transport};

/// A peer that is given up for its silence reads what was sent before, over each kind of stream.
#[test]
fn who_is_given_up_can_read_what_was_sent() {
    let limits = Limits {
        ping_interval: Some(Duration::from_secs(2)),
        pong_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::builder()
        .limits(limits)
        .bind("127.0.0.1:0")
        .unwrap();
    let (stream, in_memory) = duplex();
    server.attach(stream);
    let over_tcp = dial(server.local_addr().unwrap());
    // A ping says when it was sent.
    let expected = [&server_frame(true, 1, b"hello")[..], &[0x89, 8]].concat();
    read_only_behind_the_end(&server, over_tcp, &expected);
    read_only_behind_the_end(&server, in_memory, &expected);
}

/// A peer that reads too slowly, and then after the reset that it gets for that.
#[test]
fn who_was_too_slow_can_read_what_had_been_written() {
    let limits = Limits {
        outbound_per_connection: Some(1),
        write_timeout: Duration::from_millis(20),
        close_timeout: Duration::from_millis(20),
        ..Limits::default()
    };
    let server = Server::builder()
        .limits(limits)
        .overflow(Overflow::Disconnect)
        .without_listener()
        .unwrap();
    let mut events = server.events();
    let (stream, mut peer) = duplex();
    server.attach(stream);
    peer.write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    let Ok(Event::Open(connection)) = events.recv_timeout(PATIENCE) else {
        panic!()
    };
    let message = vec![7; 50_000];
    while connection.send(&message[..]).is_ok() {}
    wait_until("it is given up", || {
        matches!(events.recv_timeout(PATIENCE), Ok(Event::Close(..)))
    });
    let got = read_to_close(&mut peer);
    let first = server_frame(true, 2, &message);
    assert!(got.windows(first.len()).any(|part| part == first));
}

fn read_only_behind_the_end(server: &Server, mut stream: impl Read + Write, expected: &[u8]) {
    let mut events = server.events();
    stream
        .write_all(upgrade("localhost", "/", "").as_bytes())
        .unwrap();
    loop {
        match events.recv_timeout(PATIENCE).expect("a Close") {
            Event::Open(connection) => connection.send("hello").unwrap(),
            Event::Close(..) => break,
            _ => {}
        }
    }
    let got = read_to_close(&mut stream);
    let head = got.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    assert!(got[head + 4..].starts_with(expected), "{got:?}");
}

#[test]
fn every_kind_of_end_leaves_what_was_written() {
    for how in [How::Write, How::Both, How::Reset] {
        let (mut ours, mut theirs) = duplex();
        ours.write_all(b"said").unwrap();
        ours.shutdown(how);
        assert_eq!(read_to_close(&mut theirs), b"said", "{how:?}");
    }
}
