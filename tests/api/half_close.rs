//! A client that ends its sending direction right after its messages, without a Close: it gets its answers in every
//! form, then the end of the stream; the application gets the messages, then 1006.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
#[cfg(feature = "tls")]
use crate::support::tls::{self, Authority};
use crate::support::{self, Client, PATIENCE, duplex, frame, upgrade};
use wshub::testing::Duplex;
use wshub::{
    Connection, Error, Event, How, Limits, RecvError, SendErrorKind, Server, ServerBuilder,
    Transport, WebSocket,
};

/// A stream whose writing direction can be ended alone.
trait HalfClose: Read + Write {
    fn half_close(&mut self);
}

impl HalfClose for TcpStream {
    fn half_close(&mut self) {
        TcpStream::shutdown(self, Shutdown::Write).unwrap();
    }
}

impl HalfClose for Duplex {
    fn half_close(&mut self) {
        Transport::shutdown(self, How::Write);
    }
}

#[cfg(feature = "tls")]
impl HalfClose for tls::Stream {
    fn half_close(&mut self) {
        self.conn.send_close_notify();
        self.flush().unwrap();
        TcpStream::shutdown(&self.sock, Shutdown::Write).unwrap();
    }
}

/// A client of TLS that ends its direction without close_notify, as many do.
#[cfg(feature = "tls")]
struct Abrupt(tls::Stream);

#[cfg(feature = "tls")]
impl Read for Abrupt {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

#[cfg(feature = "tls")]
impl Write for Abrupt {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(feature = "tls")]
impl HalfClose for Abrupt {
    fn half_close(&mut self) {
        TcpStream::shutdown(&self.0.sock, Shutdown::Write).unwrap();
    }
}

const MESSAGES: usize = 5;

/// Sends messages in one write, ends the direction at once, and reads the answers and the end.
fn ask_and_half_close(mut client: Client<impl HalfClose>) {
    let messages = (0..MESSAGES).flat_map(|n| frame(true, 1, n.to_string().as_bytes()));
    client.stream.write_all(&Vec::from_iter(messages)).unwrap();
    client.stream.flush().unwrap();
    client.stream.half_close();
    for n in 0..MESSAGES {
        assert_eq!(client.read_message().text(), n.to_string());
    }
    assert!(client.at_end(), "no Close, for none came");
}

fn expect_messages_and_1006(app: &App) {
    app.expect(&["open"]);
    for n in 0..MESSAGES {
        assert_eq!(app.next().1, format!("text {n}"));
    }
    app.expect(&["close 1006  unclean"]);
}

#[test]
fn m11_who_half_closes_behind_messages_gets_the_answers_of_the_application() {
    let app = App::echo(Server::builder());
    for _ in 0..500 {
        ask_and_half_close(Client::connect(app.addr));
        expect_messages_and_1006(&app);
    }
}

/// An application that is away now and then, and answers with broadcasts.
#[test]
fn m11_who_half_closes_behind_messages_gets_what_is_broadcast() {
    const SESSIONS: usize = 150;
    let server = Server::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let clients = thread::spawn(move || {
        for _ in 0..SESSIONS {
            ask_and_half_close(Client::connect(addr));
        }
    });
    let (mut closed, mut seen) = (0, 0);
    for event in support::events_in_time(server.events()) {
        match event {
            Event::Message(_, message) => {
                seen += 1;
                thread::sleep(Duration::from_millis(2 * u64::from(seen % 7 == 0)));
                assert_eq!(server.broadcast(message).sent, 1);
            }
            Event::Close(_, close) => {
                assert_eq!(u16::from(close.code), 1006);
                closed += 1;
            }
            Event::Open(_) => {}
            other => panic!("{other:?}"),
        }
        if closed == SESSIONS {
            break;
        }
    }
    assert_eq!(seen, SESSIONS * MESSAGES);
    clients.join().unwrap();
}

#[cfg(feature = "tls")]
#[test]
fn m11_who_half_closes_over_tls_gets_answers_with_close_notify_and_without() {
    let authority = Authority::new();
    let app = App::echo(Server::builder().tls(&authority.tls()));
    for _ in 0..50 {
        ask_and_half_close(tls::connect(app.addr, &authority));
        expect_messages_and_1006(&app);
        let client = tls::connect(app.addr, &authority);
        ask_and_half_close(Client {
            stream: Abrupt(client.stream),
            answer: client.answer,
        });
        expect_messages_and_1006(&app);
    }
}

#[test]
fn m11_who_half_closes_behind_messages_gets_the_answers_of_a_closure() {
    let (report, reported) = channel();
    let handle = wshub::serve("127.0.0.1:0", move |mut ws| {
        while let Some(message) = ws.read()? {
            ws.send(message)?;
        }
        report.send(ws.close_event().cloned()).unwrap();
        Ok(())
    })
    .unwrap();
    for _ in 0..200 {
        ask_and_half_close(Client::connect(handle.local_addr().unwrap()));
        let close = reported.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
    }
}

#[test]
fn m11_who_half_closes_behind_messages_gets_the_answers_of_a_websocket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        for _ in 0..100 {
            let mut ws = WebSocket::accept(listener.accept().unwrap().0).unwrap();
            while let Some(message) = ws.read().unwrap() {
                ws.send(message).unwrap();
            }
            let close = ws.close_event().unwrap();
            assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
        }
    });
    for _ in 0..100 {
        ask_and_half_close(Client::connect(addr));
    }
    serving.join().unwrap();
}

/// The answers are sent by another thread, after the reader has seen the end.
#[test]
fn m11_who_half_closes_behind_messages_gets_the_answers_of_a_writer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        for _ in 0..100 {
            let ws = WebSocket::accept(listener.accept().unwrap().0).unwrap();
            let (mut reader, mut writer) = ws.split();
            let messages = Vec::from_iter(std::iter::from_fn(|| reader.read().unwrap()));
            let close = reader.close_event().unwrap();
            assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
            for message in messages {
                writer.send(message).unwrap();
            }
        }
    });
    for _ in 0..100 {
        ask_and_half_close(Client::connect(addr));
    }
    serving.join().unwrap();
}

/// It may answer for `close_timeout`, and not for ever.
#[test]
fn m11_a_writer_ends_a_while_after_its_peer_has_half_closed() {
    let (ours, theirs) = duplex();
    let limits = hurried(Duration::from_secs(2));
    let accepting = thread::spawn(move || limits.websocket(ours).unwrap().split());
    let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
    let (mut reader, mut writer) = accepting.join().unwrap();
    client.stream.half_close();
    assert_eq!(reader.read().unwrap(), None);
    writer.send("still there").unwrap();
    support::wait_until("the writer ends", || writer.is_closed());
    let refused = writer.send("too late").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    assert_eq!(client.read().text(), "still there");
    assert!(client.at_end());
}

fn hurried(close_timeout: Duration) -> ServerBuilder {
    Server::builder().limits(Limits {
        close_timeout,
        ..Limits::default()
    })
}

/// A server and a connection over which a message waits whose client has half-closed.
fn half_closed(builder: ServerBuilder) -> (Server, Client<Duplex>) {
    let server = builder.without_listener().unwrap();
    let (ours, theirs) = duplex();
    server.attach(ours);
    let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
    client.send_text("question");
    client.stream.half_close();
    (server, client)
}

fn next_message(events: &mut wshub::Events<'_>) -> Connection {
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Open(_)) => {}
            Ok(Event::Message(connection, _)) => return connection,
            other => panic!("{other:?}"),
        }
    }
}

fn expect_1006(event: Result<Event, RecvError>) {
    match event {
        Ok(Event::Close(_, close)) => {
            assert_eq!((u16::from(close.code), close.was_clean), (1006, false));
        }
        other => panic!("{other:?}"),
    }
}

/// The reader has seen the end long since; what is sent then arrives, of any length.
#[test]
fn m11_an_application_that_takes_its_time_still_answers() {
    let (server, mut client) = half_closed(Server::builder());
    let mut events = server.events();
    let connection = next_message(&mut events);
    // Long enough for a reader that would end it.
    thread::sleep(Duration::from_millis(100));
    connection.send("an answer").unwrap();
    connection.send(vec![7; 1 << 20]).unwrap();
    let reading = thread::spawn(move || {
        assert_eq!(client.read().text(), "an answer");
        assert_eq!(client.read().payload.len(), 1 << 20);
        assert!(client.at_end());
    });
    expect_1006(events.recv_timeout(PATIENCE));
    reading.join().unwrap();
    assert_eq!(server.stats().connections, 0);
}

/// A peer that is gone, or reads nothing, costs `close_timeout` at most.
#[test]
fn m11_who_half_closes_and_never_reads_is_given_up_at_the_close_timeout() {
    const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
    let (server, client) = half_closed(hurried(CLOSE_TIMEOUT));
    let mut events = server.events();
    let connection = next_message(&mut events);
    // More than the stream takes, and so little that the peer is still read from.
    connection.send(vec![7; 512 << 10]).unwrap();
    let since = Instant::now();
    expect_1006(events.recv_timeout(PATIENCE));
    assert!(since.elapsed() >= CLOSE_TIMEOUT, "never early");
    assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
    drop(client);
}

/// What overflows on the way out is told as ever.
#[test]
fn m11_who_half_closes_may_still_be_too_slow() {
    let (server, client) = half_closed(hurried(Duration::from_secs(2)));
    let mut events = server.events();
    let connection = next_message(&mut events);
    while connection.send(vec![7; 1 << 20]).is_ok() {}
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Error(_, Error::SlowConsumer)) => {}
        other => panic!("{other:?}"),
    }
    expect_1006(events.recv_timeout(PATIENCE));
    drop(client);
}

/// An application that is away for longer finds the connection ended, and is not waited for.
#[test]
fn m11_an_application_that_is_away_for_too_long_finds_the_connection_ended() {
    let (server, mut client) = half_closed(hurried(Duration::from_millis(100)));
    assert!(client.at_end());
    let mut events = server.events();
    let connection = next_message(&mut events);
    let refused = connection.send("too late").unwrap_err();
    assert_eq!(refused.kind(), SendErrorKind::Closed);
    expect_1006(events.recv_timeout(PATIENCE));
}

/// What a stream refused for now when its peer half-closed leaves with the calls that follow. After a write timeout
/// that has passed Windows does not say what was sent.
#[cfg(unix)]
#[test]
fn m11_a_websocket_that_may_not_block_sends_its_answer_before_it_ends() {
    const LONG: usize = 16 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut theirs = support::dial(listener.local_addr().unwrap());
    let request = upgrade("localhost", "/", "");
    theirs
        .write_all(&[request.as_bytes(), &frame(true, 1, b"question")].concat())
        .unwrap();
    theirs.half_close();
    let mut ws = WebSocket::accept(listener.accept().unwrap().0).unwrap();
    let pause = Some(Duration::from_millis(20));
    ws.get_ref().set_write_timeout(pause).unwrap();
    assert_eq!(ws.read().unwrap(), Some("question".into()));
    ws.send(vec![7; LONG]).unwrap();
    assert!(ws.buffered_amount() > 0);
    assert!(matches!(ws.read(), Err(Error::Io(_))), "it waits");
    let reading = thread::spawn(move || {
        let mut client = Client::adopt(theirs);
        assert_eq!(client.read().payload.len(), LONG);
        assert!(client.at_end());
    });
    let since = Instant::now();
    while let Err(error) = ws.read() {
        assert!(matches!(error, Error::Io(_)), "{error}");
        assert!(since.elapsed() < PATIENCE);
    }
    assert_eq!(u16::from(ws.close_event().unwrap().code), 1006);
    drop(ws);
    reading.join().unwrap();
}
