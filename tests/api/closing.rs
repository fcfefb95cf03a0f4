//! Ends that the application makes: after `close` a peer's messages still come until it answers; `terminate` ends at
//! once, and nothing of the connection comes any more but its Close.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
use crate::support::tls::{self, Authority};
use crate::support::{self, Client, PATIENCE, duplex, frame, read_to_close, upgrade};
use wshub::testing::Duplex;
use wshub::{
    CloseError, Connection, Event, Events, Limits, Message, ReadyState, SendErrorKind, Server,
    ServerBuilder, ShutdownReport, WebSocket, WebSocketReader, WebSocketWriter,
};

/// What takes no deadline to end takes far less.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Deadlines that would show.
fn slow() -> ServerBuilder {
    Server::builder().limits(Limits {
        close_timeout: 3 * PATIENCE,
        write_timeout: 3 * PATIENCE,
        ..Limits::default()
    })
}

fn numbered(range: std::ops::Range<usize>) -> Vec<u8> {
    let frames = range.flat_map(|n| frame(true, 1, n.to_string().as_bytes()));
    frames.collect()
}

fn next(events: &mut Events<'_>) -> Event {
    events.recv_timeout(PATIENCE).expect("an event")
}

fn opened(events: &mut Events<'_>) -> Connection {
    match next(events) {
        Event::Open(connection) => connection,
        other => panic!("{other:?}"),
    }
}

fn expect_message(events: &mut Events<'_>, text: &str) -> Connection {
    match next(events) {
        Event::Message(connection, message) => {
            assert_eq!(message.as_text(), Some(text));
            connection
        }
        other => panic!("{other:?}"),
    }
}

/// The next event is the Close of a connection that was not closed in order.
fn expect_1006(events: &mut Events<'_>) {
    match next(events) {
        Event::Close(connection, close) => {
            assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
            assert_eq!(connection.ready_state(), ReadyState::Closed);
        }
        other => panic!("{other:?}"),
    }
}

fn in_memory(server: &Server) -> Client<Duplex> {
    let (ours, theirs) = duplex();
    server.attach(ours);
    Client::open(theirs, &upgrade("localhost", "/", ""))
}

// After `close`.

/// The peer has our Close, says what it still has to say, and answers.
fn goes_on_behind_the_close(mut client: Client<impl std::io::Read + Write>) {
    assert_eq!(client.read_message().close(), (4001, "enough"));
    let mut bytes = numbered(0..3);
    bytes.extend(frame(true, 8, &4001u16.to_be_bytes()));
    client.stream.write_all(&bytes).unwrap();
    assert!(client.at_end());
}

#[test]
fn f13_messages_behind_our_close_still_come_as_events() {
    let server = slow().bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    let client = Client::connect(server.local_addr().unwrap());
    let peer = thread::spawn(move || goes_on_behind_the_close(client));
    let connection = opened(&mut events);
    connection.close(4001, "enough").unwrap();
    for n in 0..3 {
        let connection = expect_message(&mut events, &n.to_string());
        assert_ne!(connection.ready_state(), ReadyState::Open);
    }
    match next(&mut events) {
        Event::Close(_, close) => {
            assert_eq!((u16::from(close.code), close.was_clean), (4001, true));
        }
        other => panic!("{other:?}"),
    }
    peer.join().unwrap();
}

#[test]
fn f13_messages_behind_our_close_still_come_to_a_closure() {
    let (report, reported) = channel();
    let handle = slow()
        .serve("127.0.0.1:0", move |mut ws| {
            ws.close(4001, "enough")?;
            let mut got = Vec::new();
            while let Some(message) = ws.read()? {
                got.push(message);
            }
            report
                .send((got, ws.close_event().unwrap().was_clean))
                .unwrap();
            Ok(())
        })
        .unwrap();
    goes_on_behind_the_close(Client::connect(handle.local_addr().unwrap()));
    let (got, was_clean) = reported.recv_timeout(PATIENCE).unwrap();
    assert_eq!(got, ["0", "1", "2"].map(Message::from));
    assert!(was_clean);
}

/// A WebSocket over TCP, and its client.
fn websocket() -> (WebSocket<TcpStream>, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let connecting = thread::spawn(move || Client::connect(addr));
    let ws = slow().websocket(listener.accept().unwrap().0).unwrap();
    (ws, connecting.join().unwrap())
}

fn split() -> (WebSocketReader, WebSocketWriter, Client) {
    let (ws, client) = websocket();
    let (reader, writer) = ws.split();
    (reader, writer, client)
}

#[test]
fn f13_messages_behind_our_close_still_come_to_a_websocket() {
    let (mut ws, client) = websocket();
    ws.close(4001, "enough").unwrap();
    let peer = thread::spawn(move || goes_on_behind_the_close(client));
    for n in 0..3 {
        assert_eq!(ws.read().unwrap(), Some(n.to_string().into()));
    }
    assert_eq!(ws.read().unwrap(), None);
    assert!(ws.close_event().unwrap().was_clean);
    drop(ws);
    peer.join().unwrap();
}

#[test]
fn f13_messages_behind_our_close_still_come_to_a_reader() {
    let (mut reader, mut writer, client) = split();
    writer.close(4001, "enough").unwrap();
    let peer = thread::spawn(move || goes_on_behind_the_close(client));
    for n in 0..3 {
        assert_eq!(reader.read().unwrap(), Some(n.to_string().into()));
    }
    assert_eq!(reader.read().unwrap(), None);
    assert!(reader.close_event().unwrap().was_clean);
    peer.join().unwrap();
}

// `terminate`.

/// A client that is abusive: what it sent before, and what it goes on to send, is of no interest.
fn flood(mut client: Client<impl Write + Send + 'static>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let messages = numbered(0..1000);
        while client.stream.write_all(&messages).is_ok() {}
    })
}

#[test]
fn f13_terminate_is_the_last_of_a_flood_over_tcp() {
    let server = slow().bind("127.0.0.1:0").unwrap();
    let flooding = flood(Client::connect(server.local_addr().unwrap()));
    terminate_amid_a_flood(server);
    flooding.join().unwrap();
}

#[test]
fn f13_terminate_is_the_last_of_a_flood_in_memory() {
    let server = slow().without_listener().unwrap();
    let flooding = flood(in_memory(&server));
    terminate_amid_a_flood(server);
    flooding.join().unwrap();
}

#[cfg(feature = "tls")]
#[test]
fn f13_terminate_is_the_last_of_a_flood_over_tls() {
    let authority = Authority::new();
    let server = slow().tls(&authority.tls()).bind("127.0.0.1:0").unwrap();
    let flooding = flood(tls::connect(server.local_addr().unwrap(), &authority));
    terminate_amid_a_flood(server);
    flooding.join().unwrap();
}

/// In the midst of a batch, while more wait, and a reader for its credit.
fn terminate_amid_a_flood(server: Server) {
    let mut events = server.events();
    let connection = opened(&mut events);
    expect_message(&mut events, "0");
    support::wait_until("the reader waits", || {
        server.stats().waiting_for_application == 1
    });
    let since = Instant::now();
    connection.terminate();
    assert_eq!(connection.ready_state(), ReadyState::Closed);
    let refused = connection.send("too late").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    assert_eq!(connection.ping(), Err(SendErrorKind::Closed));
    assert_eq!(connection.close(1000, ""), Err(CloseError::Closed));
    expect_1006(&mut events);
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    connection.terminate();
    support::wait_until("nothing is left of it", || {
        let stats = server.stats();
        (stats.connections, stats.inbound_bytes) == (0, 0)
    });
    drop(events);
    end(server);
}

/// Nothing counts as not taken.
fn end(server: Server) {
    assert_eq!(server.shutdown(), ShutdownReport::default());
}

/// Whatever the connection was at: a peer that reads nothing, or one that does not answer our Close.
#[test]
fn f13_terminate_waits_for_nobody() {
    let states: [fn(&Connection); 3] = [
        |_| {},
        |connection| connection.close(4001, "").unwrap(),
        |connection| {
            while connection.buffered_amount() == 0 {
                connection.send(vec![0; 1 << 20]).unwrap();
            }
        },
    ];
    let server = slow().bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    for state in states {
        let mut client = Client::connect(server.local_addr().unwrap());
        let connection = opened(&mut events);
        state(&connection);
        let since = Instant::now();
        connection.terminate();
        expect_1006(&mut events);
        read_to_close(&mut client.stream);
        assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    }
    support::wait_until("what waited is counted", || server.stats().dropped > 0);
    drop(events);
    end(server);
}

/// The peer has closed, and the application has taken one message of three.
#[test]
fn f13_terminate_behind_the_peers_close_is_the_end() {
    let server = slow().without_listener().unwrap();
    let mut events = server.events();
    let mut client = in_memory(&server);
    let connection = opened(&mut events);
    let mut bytes = numbered(0..3);
    bytes.extend(frame(true, 8, &1000u16.to_be_bytes()));
    client.stream.write_all(&bytes).unwrap();
    expect_message(&mut events, "0");
    let other = connection.clone();
    thread::spawn(move || other.terminate()).join().unwrap();
    expect_1006(&mut events);
    assert!(client.at_end());
    drop(events);
    end(server);
}

/// From several threads at once, at any time: one Close for each Open, and nothing behind it.
#[test]
fn f13_terminate_at_any_time_is_one_close() {
    const ROUNDS: usize = 300;
    let server = slow().without_listener().unwrap();
    let mut events = server.events();
    for round in 0..ROUNDS {
        let mut client = in_memory(&server);
        let connection = opened(&mut events);
        let terminating = [connection.clone(), connection].map(|connection| {
            thread::spawn(move || {
                (0..round % 30).for_each(|_| thread::yield_now());
                connection.terminate();
            })
        });
        let sending = thread::spawn(move || {
            let _ = client.stream.write_all(&numbered(0..20));
            client.send_close(1000, "");
        });
        let mut seen = 0;
        loop {
            match next(&mut events) {
                Event::Message(_, message) => {
                    assert_eq!(message.as_text(), Some(&*seen.to_string()));
                    seen += 1;
                }
                Event::Close(..) => break,
                other => panic!("{other:?}"),
            }
        }
        for thread in terminating {
            thread.join().unwrap();
        }
        let _ = sending.join();
    }
    drop(events);
    end(server);
}

#[test]
fn f13_terminate_ends_a_closure_that_does_it() {
    let (report, reported) = channel();
    let handle = slow()
        .serve("127.0.0.1:0", move |mut ws| {
            assert_eq!(ws.read()?, Some("0".into()));
            ws.terminate();
            let read = ws.read()?;
            report.send((read, ws.close_event().cloned())).unwrap();
            ws.send("too late")?;
            Ok(())
        })
        .unwrap();
    let mut client = Client::connect(handle.local_addr().unwrap());
    client.stream.write_all(&numbered(0..3)).unwrap();
    let (read, close) = reported.recv_timeout(PATIENCE).unwrap();
    assert_eq!((read, u16::from(close.unwrap().code)), (None, 1006));
    read_to_close(&mut client.stream);
    handle.shutdown();
    assert_eq!(handle.wait(), ShutdownReport::default());
    assert_eq!(handle.stats().handler_failures, 0);
}

/// One that waits in `read`, and one that waits in `send`.
#[test]
fn f13_terminate_ends_a_closure_from_elsewhere() {
    let (open, opened) = channel();
    let (report, reported) = channel();
    let handle = slow()
        .serve("127.0.0.1:0", move |mut ws| {
            open.send(ws.connection().clone()).unwrap();
            while let Some(message) = ws.read()? {
                ws.send(message.len().to_string())?;
                while ws.send(vec![0; 1 << 20]).is_ok() {}
            }
            report.send(ws.close_event().cloned()).unwrap();
            Ok(())
        })
        .unwrap();
    for sends in [false, true] {
        let mut client = Client::connect(handle.local_addr().unwrap());
        let connection = opened.recv_timeout(PATIENCE).unwrap();
        if sends {
            client.send_text("go");
            assert_eq!(client.read().text(), "2");
            support::wait_until("a send waits", || connection.buffered_amount() > 0);
        }
        let since = Instant::now();
        connection.terminate();
        let close = reported.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
        assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
        read_to_close(&mut client.stream);
    }
    handle.shutdown();
    assert_eq!(handle.wait(), ShutdownReport::default());
}

#[test]
fn f13_a_writer_terminates_its_reader() {
    let (mut reader, mut writer, mut client) = split();
    let reading = thread::spawn(move || {
        assert_eq!(reader.read().unwrap(), None);
        reader.close_event().cloned()
    });
    writer.terminate();
    let close = reading.join().unwrap().unwrap();
    assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
    let refused = writer.send("too late").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    drop(writer);
    read_to_close(&mut client.stream);
}

#[test]
fn f13_a_writer_terminates_what_its_reader_has_read() {
    let (mut reader, mut writer, mut client) = split();
    client.stream.write_all(&numbered(0..3)).unwrap();
    assert_eq!(reader.read().unwrap(), Some("0".into()));
    writer.terminate();
    assert_eq!(reader.read().unwrap(), None);
    assert_eq!(u16::from(reader.close_event().unwrap().code), 1006);
}
