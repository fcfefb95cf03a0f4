//! Streams of the user's own that say what is not so, or do what nobody expects: nobody else pays for it.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::support::{Client, PATIENCE, upgrade, wait_until};
use wshub::testing::{Duplex, duplex};
use wshub::{
    Connection, Event, Events, How, Message, Peer, SendErrorKind, Server, Transport, Waker,
    WebSocket,
};

type ReadBy = dyn Fn(&Duplex, &mut [u8], Option<Instant>) -> io::Result<usize> + Send + Sync;
type WriteBy = dyn Fn(&Duplex, &[IoSlice<'_>]) -> io::Result<usize> + Send + Sync;

/// A duplex whose reads and writes are played by others.
struct Played {
    stream: Duplex,
    read: Box<ReadBy>,
    write: Box<WriteBy>,
}

impl Played {
    fn new(stream: Duplex) -> Self {
        Played {
            stream,
            read: Box::new(<Duplex as Transport>::read),
            write: Box::new(Transport::try_write),
        }
    }

    fn reading(
        mut self,
        read: impl Fn(&Duplex, &mut [u8], Option<Instant>) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Self {
        self.read = Box::new(read);
        self
    }

    fn writing(
        mut self,
        write: impl Fn(&Duplex, &[IoSlice<'_>]) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Self {
        self.write = Box::new(write);
        self
    }
}

impl Transport for Played {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        (self.read)(&self.stream, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        (self.write)(&self.stream, buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.stream.wait_writable(deadline)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        self.stream.wake_when_writable(waker);
    }

    fn shutdown(&self, how: How) {
        self.stream.shutdown(how);
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn peer(&self) -> Peer {
        Peer::Unix
    }
}

impl Read for Played {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Transport::read(self, buffer, None)
    }
}

impl Write for Played {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(&[IoSlice::new(bytes)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Attaches a stream and opens a WebSocket over its other end.
fn attach(server: &Server, stream: impl Transport, peer: Duplex) -> Client<Duplex> {
    server.attach(stream);
    Client::open(peer, &upgrade("localhost", "/", ""))
}

fn opened(events: &mut Events<'_>) -> Connection {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

fn closed(events: &mut Events<'_>, connection: &Connection) -> u16 {
    loop {
        match events.recv_timeout(PATIENCE).expect("a Close") {
            Event::Close(it, close) if it == *connection => return close.code.into(),
            _ => {}
        }
    }
}

#[test]
fn a_stream_tells_where_its_peer_is() {
    let server = Server::builder().without_listener().unwrap();
    let mut events = server.events();
    let (ours, theirs) = duplex();
    let _client = attach(&server, Played::new(ours), theirs);
    let connection = opened(&mut events);
    assert_eq!(connection.request().peer(), Peer::Unix);
    assert_eq!(connection.peer_addr(), None);
    let (ours, theirs) = duplex();
    let _client = attach(&server, ours, theirs);
    assert_eq!(opened(&mut events).request().peer(), Peer::Unknown);
}

/// The counts that a stream may claim behind `true`: more than it was offered.
const CLAIMS: [fn(usize) -> usize; 3] = [|count| count + 1, |count| 2 * count, |_| usize::MAX];

fn offered(buffers: &[IoSlice<'_>]) -> usize {
    buffers.iter().map(|buffer| buffer.len()).sum()
}

#[test]
fn m02_a_stream_that_claims_to_have_written_more_costs_nobody_else() {
    const MESSAGES: usize = 60;
    for claim in CLAIMS {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let mut events = server.events();
        let (stream, peer) = duplex();
        let lies = Arc::new(AtomicBool::new(false));
        let liar = lies.clone();
        let stream = Played::new(stream).writing(move |stream, buffers| match liar.load(SeqCst) {
            true => Ok(claim(offered(buffers))),
            false => stream.try_write(buffers),
        });
        let deceived = attach(&server, stream, peer);
        let lying = opened(&mut events);
        let mut honest = Client::connect(server.local_addr().unwrap());
        opened(&mut events);
        lies.store(true, SeqCst);
        lying.send("by itself").unwrap();
        let message = vec![7; 10_000];
        for _ in 0..MESSAGES {
            server.broadcast(&message[..]);
        }
        for _ in 0..MESSAGES {
            assert_eq!(honest.read_message().payload, message);
        }
        assert_eq!(lying.buffered_amount(), 0, "it has taken all");
        lies.store(false, SeqCst);
        server.handle().shutdown();
        assert_eq!(honest.read_message().close().0, 1001);
        honest.send_close(1001, "");
        drop(deceived);
        closed(&mut events, &lying);
    }
}

#[test]
fn m02_a_stream_that_claims_to_have_read_more_costs_nobody_else() {
    for claim in CLAIMS {
        let server = Server::builder().without_listener().unwrap();
        let mut events = server.events();
        let (stream, peer) = duplex();
        let lies = Arc::new(AtomicBool::new(false));
        let liar = lies.clone();
        let stream = Played::new(stream).reading(move |stream, buffer, deadline| {
            let read = Transport::read(stream, buffer, deadline)?;
            Ok(match liar.load(SeqCst) && read > 0 {
                true => claim(buffer.len()),
                false => read,
            })
        });
        let mut client = attach(&server, stream, peer);
        let lying = opened(&mut events);
        lies.store(true, SeqCst);
        // Behind it come the bytes that were never there: no frames of a client.
        client.send_text("hello");
        assert_eq!(closed(&mut events, &lying), 1006);
        lies.store(false, SeqCst);
        let (stream, peer) = duplex();
        let mut honest = attach(&server, stream, peer);
        opened(&mut events);
        honest.send_text("still there");
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => assert_eq!(message, Message::from("still there")),
            other => panic!("{other:?}"),
        }
    }
}

/// Writes half of what it is offered, and says so; then the rest, and claims more.
fn writes_half_and_then_claims(
    claim: fn(usize) -> usize,
) -> impl Fn(&Duplex, &[IoSlice<'_>]) -> io::Result<usize> + Send + Sync {
    let half = AtomicBool::new(false);
    move |stream, buffers| match half.fetch_xor(true, SeqCst) {
        true => stream.try_write(buffers).map(claim),
        false => stream.try_write(&[IoSlice::new(&buffers[0][..buffers[0].len().div_ceil(2)])]),
    }
}

#[test]
fn m02_a_websocket_over_a_stream_that_claims_to_have_written_more_goes_on() {
    for claim in CLAIMS {
        let (ours, theirs) = duplex();
        let client = std::thread::spawn(move || {
            let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
            for number in 0..3 {
                assert_eq!(client.read().text(), number.to_string());
            }
        });
        let stream = Played::new(ours).writing(writes_half_and_then_claims(claim));
        let mut ws = WebSocket::accept(stream).unwrap();
        for number in 0..3 {
            ws.send(number.to_string()).unwrap();
        }
        client.join().unwrap();
    }
}

#[test]
fn m02_halves_over_a_stream_that_claims_too_much_end_as_they_should() {
    for claim in CLAIMS {
        let (ours, theirs) = duplex();
        let client = std::thread::spawn(move || {
            let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
            assert_eq!(client.read().text(), "hello");
            client.send_close(1000, "");
            assert_eq!(client.read().close().0, 1000);
            // What comes behind the Close is read away, here in two reads.
            client.stream.write_all(&[0; 2]).unwrap();
        });
        let read_away = AtomicUsize::new(0);
        let stream = Played::new(ours)
            .writing(writes_half_and_then_claims(claim))
            .reading(move |stream, buffer, deadline| {
                if buffer.len() != 1024 || read_away.fetch_add(1, SeqCst) == 0 {
                    return Transport::read(stream, &mut buffer[..1], deadline);
                }
                Transport::read(stream, buffer, deadline).map(claim)
            });
        let (mut reader, mut writer) = WebSocket::accept(stream).unwrap().split();
        writer.send("hello").unwrap();
        assert_eq!(reader.read().unwrap(), None);
        client.join().unwrap();
    }
}

/// As one with a timeout of its own does, here after two milliseconds: it says so in either way.
#[test]
fn m02_a_stream_that_times_out_early_is_looked_at_again() {
    for kind in [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock] {
        let server = Server::builder().without_listener().unwrap();
        let mut events = server.events();
        let (stream, mut peer) = duplex();
        let early = Arc::new(AtomicUsize::new(0));
        let count = early.clone();
        let stream = Played::new(stream).reading(move |stream, buffer, deadline| {
            let own = Instant::now() + Duration::from_millis(2);
            let is_early = deadline.is_none_or(|deadline| own < deadline);
            let until = if is_early { Some(own) } else { deadline };
            Transport::read(stream, buffer, until).map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut if is_early => {
                    count.fetch_add(1, SeqCst);
                    kind.into()
                }
                _ => error,
            })
        });
        let times_out_again = || {
            let before = early.load(SeqCst);
            wait_until("it times out", || early.load(SeqCst) > before + 2);
        };
        server.attach(stream);
        let request = upgrade("localhost", "/", "");
        let (head, rest) = request.split_at(20);
        peer.write_all(head.as_bytes()).unwrap();
        times_out_again();
        let mut client = Client::open(peer, rest);
        opened(&mut events);
        times_out_again();
        client.send_text("hello");
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Message(_, message)) => assert_eq!(message, Message::from("hello")),
            other => panic!("{other:?}"),
        }
    }
}

/// The half that finds out has no chance to tell the other, unless the panic is an error.
#[test]
fn m02_a_stream_that_panics_under_one_half_ends_both() {
    let (ours, theirs) = duplex();
    let client = std::thread::spawn(move || {
        let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
        assert!(client.try_read().is_err(), "it is told by the end");
    });
    let armed = Arc::new(AtomicBool::new(false));
    let panics = armed.clone();
    let stream = Played::new(ours).writing(move |stream, buffers| {
        if panics.load(SeqCst) {
            // Without a word on stderr, which a panic would say.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        stream.try_write(buffers)
    });
    let (mut reader, mut writer) = WebSocket::accept(stream).unwrap().split();
    armed.store(true, SeqCst);
    let error = writer.send("boom").unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Io(io::ErrorKind::Other));
    assert!(writer.send("more").is_err());
    assert!(matches!(reader.read(), Ok(None)));
    client.join().unwrap();
}
