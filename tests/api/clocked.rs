//! Servers over streams whose clock a test moves: hours pass, and no real second.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, upgrade, wait_until};
use wshub::testing::{Client, Clock, Duplex};
use wshub::{
    CloseCode, Connection, Error, Event, Events, Limits, Overflow, Server, ServerBuilder, Transport,
};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const PING: u8 = 9;

/// Nothing of it passes in real time.
fn builder() -> ServerBuilder {
    Server::builder().limits(limits())
}

fn limits() -> Limits {
    Limits {
        handshake_timeout: 3 * HOUR,
        ping_interval: Some(2 * HOUR),
        pong_timeout: HOUR,
        assembly_timeout: 5 * HOUR,
        write_timeout: 4 * HOUR,
        close_timeout: 6 * HOUR,
        min_rate: 1,
        ..Limits::default()
    }
}

fn attach(server: &Server, clock: &Clock) -> Duplex {
    let (ours, mut theirs) = clock.duplex();
    theirs.set_timeout(Some(PATIENCE));
    server.attach(ours);
    theirs
}

fn open(server: &Server, clock: &Clock) -> Client<Duplex> {
    Client::open(attach(server, clock), "/").unwrap()
}

fn next(events: &mut Events<'_>) -> Event {
    events.recv_timeout(PATIENCE).unwrap()
}

fn opened(events: &mut Events<'_>) -> Connection {
    match next(events) {
        Event::Open(connection) => connection,
        other => panic!("{other:?}"),
    }
}

/// The end of a connection that was given up.
fn given_up(events: &mut Events<'_>) -> Error {
    match next(events) {
        Event::Error(_, error) => error,
        other => panic!("{other:?}"),
    }
}

fn nothing_happens(events: &mut Events<'_>) {
    let event = events.try_recv();
    assert!(event.is_err(), "{event:?}");
}

#[test]
fn a_peer_that_vanished_is_pinged_and_given_up_within_one_move() {
    let clock = Clock::new();
    let server = builder().without_listener().unwrap();
    let mut client = open(&server, &clock);
    let mut events = server.events();
    opened(&mut events);
    clock.advance(2 * HOUR - MINUTE);
    nothing_happens(&mut events);
    clock.advance(HOUR);
    nothing_happens(&mut events);
    assert_eq!(client.read_frame().unwrap().opcode, PING);
    clock.advance(HOUR);
    assert!(matches!(given_up(&mut events), Error::PongTimeout));
}

#[test]
fn a_peer_that_answers_stays_for_days() {
    let clock = Clock::new();
    let server = builder().without_listener().unwrap();
    let mut client = open(&server, &clock);
    let mut events = server.events();
    let connection = opened(&mut events);
    for _ in 0..50 {
        clock.advance(2 * HOUR);
        let ping = client.read_frame().unwrap();
        assert_eq!(ping.opcode, PING);
        clock.advance(MINUTE);
        client.send_frame(true, 10, &ping.payload).unwrap();
        clock.advance(Duration::ZERO);
        let rtt = connection.rtt().unwrap();
        assert!(rtt >= MINUTE && rtt < 2 * MINUTE, "{rtt:?}");
    }
    nothing_happens(&mut events);
}

#[test]
fn a_message_that_does_not_arrive_is_given_up() {
    let clock = Clock::new();
    let server = builder().without_listener().unwrap();
    let mut client = open(&server, &clock);
    let mut events = server.events();
    opened(&mut events);
    client.send_frame(false, 1, b"the first half").unwrap();
    for _ in 0..2 {
        clock.advance(2 * HOUR);
        client.ping(b"there").unwrap();
        nothing_happens(&mut events);
    }
    clock.advance(2 * HOUR);
    assert!(matches!(given_up(&mut events), Error::AssemblyTimeout));
}

#[test]
fn a_close_that_is_not_answered_ends_at_its_deadline() {
    let clock = Clock::new();
    let server = builder().without_listener().unwrap();
    let mut client = open(&server, &clock);
    let mut events = server.events();
    let connection = opened(&mut events);
    connection.close(4000, "bye").unwrap();
    clock.advance(HOUR);
    for _ in 0..2 {
        client.ping(b"still reading").unwrap();
        clock.advance(2 * HOUR);
        nothing_happens(&mut events);
    }
    client.ping(b"still reading").unwrap();
    clock.advance(HOUR + MINUTE);
    match next(&mut events) {
        Event::Close(_, close) => assert_eq!(close.code, CloseCode::ABNORMAL),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_that_reads_nothing_is_given_up_and_one_that_reads_slowly_is_not() {
    let clock = Clock::new();
    let server = builder()
        .limits(Limits {
            ping_interval: None,
            ..limits()
        })
        .overflow(Overflow::Disconnect)
        .without_listener()
        .unwrap();
    let mut events = server.events();
    let mut slow = open(&server, &clock);
    let to_slow = opened(&mut events);
    let stuck = open(&server, &clock);
    let to_stuck = opened(&mut events);
    let message = vec![1; 400_000];
    to_slow.send(&message[..]).unwrap();
    to_stuck.send(&message[..]).unwrap();
    for _ in 0..3 {
        clock.advance(HOUR);
        slow.stream().read_exact(&mut [0; 32_000]).unwrap();
        nothing_happens(&mut events);
    }
    clock.advance(HOUR + MINUTE);
    match next(&mut events) {
        Event::Error(connection, Error::SlowConsumer) => assert_eq!(connection, to_stuck),
        Event::Close(connection, close) => {
            assert_eq!((connection, close.code), (to_stuck, CloseCode::ABNORMAL));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(to_slow.ready_state(), wshub::ReadyState::Open);
    drop(stuck);
}

#[test]
fn half_a_request_is_refused_at_the_deadline_of_the_handshake() {
    let clock = Clock::new();
    let server = builder().without_listener().unwrap();
    let mut stream = attach(&server, &clock);
    let request = upgrade("localhost", "/", "");
    stream.write_all(&request.as_bytes()[..40]).unwrap();
    clock.advance(3 * HOUR - MINUTE);
    assert!(server.stats().refused.is_empty());
    clock.advance(2 * MINUTE);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn a_connection_with_a_closure_runs_on_the_clock_too() {
    let clock = Clock::new();
    let (tell, told) = std::sync::mpsc::channel();
    let server = builder()
        .serve("127.0.0.1:0", move |mut session| {
            let quiet = session.read_timeout(HOUR).unwrap_err();
            tell.send(quiet.to_string()).unwrap();
            let end = session.read().unwrap_err();
            tell.send(end.to_string()).unwrap();
            Ok(())
        })
        .unwrap();
    let (ours, mut theirs) = clock.duplex();
    theirs.set_timeout(Some(PATIENCE));
    server.attach(ours);
    let client = Client::open(theirs, "/").unwrap();
    clock.advance(HOUR);
    let quiet = Error::Io(ErrorKind::TimedOut.into()).to_string();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), quiet);
    clock.advance(3 * HOUR);
    let end = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(end, Error::PongTimeout.to_string());
    drop(client);
}

/// The application takes nothing: that is not its peers' fault, and a move does not wait for it for ever.
#[test]
fn a_server_that_waits_for_its_application_holds_a_move_up_for_a_moment() {
    let clock = Clock::new();
    let limits = Limits {
        inbound_per_connection: 1,
        ..limits()
    };
    let server = builder().limits(limits).without_listener().unwrap();
    let mut client = open(&server, &clock);
    let mut events = server.events();
    opened(&mut events);
    client.send_text("taken").unwrap();
    clock.advance(Duration::ZERO);
    client.send_text("waits").unwrap();
    let start = Instant::now();
    clock.advance(24 * HOUR);
    assert!(start.elapsed() < PATIENCE);
    for text in ["taken", "waits"] {
        assert!(matches!(next(&mut events), Event::Message(_, message) if message == text.into()));
    }
    clock.advance(HOUR);
    nothing_happens(&mut events);
}

#[test]
fn halves_run_on_the_clock() {
    let clock = Clock::new();
    let (ours, mut theirs) = clock.duplex();
    theirs.set_timeout(Some(PATIENCE));
    let client = std::thread::spawn(move || Client::open(theirs, "/").unwrap());
    let socket = builder().websocket(ours).unwrap();
    let mut client = client.join().unwrap();
    let (mut reader, _writer) = socket.split();
    let end = std::thread::spawn(move || reader.read().unwrap_err());
    client.ping(b"").unwrap();
    assert_eq!(client.read_frame().unwrap().opcode, 10);
    clock.advance(2 * HOUR);
    assert_eq!(client.read_frame().unwrap().opcode, PING);
    // A reader that was held up gives its peer the time once more.
    wait_until("the reader ends", || {
        clock.advance(HOUR);
        end.is_finished()
    });
    assert!(matches!(end.join().unwrap(), Error::PongTimeout));
}

/// A stream of the user's own, which hands the clock of the one within on.
struct Around {
    within: Duplex,
}

impl Transport for Around {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.within, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.within.try_write(buffers)
    }

    fn clock(&self) -> Option<&Clock> {
        self.within.clock()
    }

    crate::support::delegated!(within);
}

#[test]
fn a_stream_of_ones_own_around_one_of_the_clock_runs_on_it() {
    let clock = Clock::new();
    let server = builder().without_listener().unwrap();
    let (ours, mut theirs) = clock.duplex();
    theirs.set_timeout(Some(PATIENCE));
    server.attach(Around { within: ours });
    let mut client = Client::open(theirs, "/").unwrap();
    let mut events = server.events();
    let connection = opened(&mut events);
    clock.advance(2 * HOUR);
    assert_eq!(client.read_frame().unwrap().opcode, PING);
    client.send_frame(true, 10, b"").unwrap();
    clock.advance(Duration::ZERO);
    // More than the stream holds: the ping after it does not leave, either.
    connection.send(vec![0; 100_000]).unwrap();
    clock.advance(3 * HOUR);
    assert!(matches!(given_up(&mut events), Error::PongTimeout));
}
