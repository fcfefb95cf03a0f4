//! Streams of the user's own that say what is not so, or do what nobody expects: nobody else pays for it.

use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
use crate::support::tls::{Authority, secure_over};
use crate::support::{Client, PATIENCE, dial, duplex, upgrade, wait_until};
use wshub::testing::Duplex;
use wshub::{
    Connection, Event, Events, How, Limits, Message, Peer, SendErrorKind, Server, ServerBuilder,
    ServerHandle, ShutdownReport, Source, Transport, Waker, WebSocket,
};

type ReadBy<S> = dyn Fn(&S, &mut [u8], Option<Instant>) -> io::Result<usize> + Send + Sync;
type WriteBy<S> = dyn Fn(&S, &[IoSlice<'_>]) -> io::Result<usize> + Send + Sync;

/// A stream of wshub's own whose reads and writes are played by others.
struct Played<S: Transport = Duplex> {
    stream: S,
    read: Box<ReadBy<S>>,
    write: Box<WriteBy<S>>,
    /// What is done amid its end.
    end: Moment,
    /// What is done whatever it is asked.
    always: Always,
}

type Always = Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>;

impl<S: Transport> Played<S> {
    fn new(stream: S) -> Self {
        Played {
            stream,
            read: Box::new(S::read),
            write: Box::new(S::try_write),
            end: Moment::default(),
            always: Always::default(),
        }
    }

    fn is_asked(&self) {
        if let Some(work) = self.always.get() {
            work();
        }
    }

    fn reading(
        mut self,
        read: impl Fn(&S, &mut [u8], Option<Instant>) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Self {
        self.read = Box::new(read);
        self
    }

    fn writing(
        mut self,
        write: impl Fn(&S, &[IoSlice<'_>]) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Self {
        self.write = Box::new(write);
        self
    }
}

/// When something is done, once.
#[derive(Clone, Default)]
struct Moment(Arc<Mutex<Option<Work>>>);

type Work = Box<dyn FnOnce() + Send>;

impl Moment {
    fn set(&self, work: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(work));
    }

    fn comes(&self) {
        let work = self.0.lock().unwrap().take();
        if let Some(work) = work {
            work();
        }
    }

    fn has_come(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

impl<S: Transport> Transport for Played<S> {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        self.is_asked();
        (self.read)(&self.stream, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.is_asked();
        (self.write)(&self.stream, buffers)
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        self.is_asked();
        self.stream.wait_writable(deadline)
    }

    fn wake_when_writable(&self, waker: &Waker) {
        self.is_asked();
        self.stream.wake_when_writable(waker);
    }

    fn source(&self) -> Option<Source<'_>> {
        self.is_asked();
        self.stream.source()
    }

    fn shutdown(&self, how: How) {
        self.end.comes();
        self.stream.shutdown(how);
        // A reader was woken, even if this panics.
        self.is_asked();
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.is_asked();
        None
    }

    fn peer(&self) -> Peer {
        Peer::Unix
    }
}

impl<S: Transport> Drop for Played<S> {
    fn drop(&mut self) {
        self.is_asked();
    }
}

impl<S: Transport> Read for Played<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Transport::read(self, buffer, None)
    }
}

impl<S: Transport> Write for Played<S> {
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

/// The counts that a stream may claim after `true`: more than it was offered.
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
        wait_until("it has taken all", || lying.buffered_amount() == 0);
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
        // After it come the bytes that were never there: no frames of a client.
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
        let client = thread::spawn(move || {
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
        let client = thread::spawn(move || {
            let mut client = Client::open(theirs, &upgrade("localhost", "/", ""));
            assert_eq!(client.read().text(), "hello");
            client.send_close(1000, "");
            assert_eq!(client.read().close().0, 1000);
            // What comes after the Close is read away, here in two reads.
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
    let client = thread::spawn(move || {
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

// ---- streams that call wshub

/// Who calls what in this must not hang; what it does is done in time.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    let worker = thread::spawn(move || tell.send(work()));
    let done = told.recv_timeout(PATIENCE).expect("it hangs");
    worker.join().unwrap().unwrap();
    done
}

/// A connection over a stream of the user's own, on a server with TLS or without.
struct Called {
    server: Arc<Server>,
    connection: Connection,
    /// Comes amid the next write, and amid the next end.
    write: Moment,
    end: Moment,
    /// Is done whatever the stream is asked.
    always: Always,
    /// What the client reads, until the end.
    texts: Receiver<String>,
    client: JoinHandle<()>,
}

impl Called {
    fn plain() -> Called {
        Called::new(Server::builder(), duplex(), |peer| Box::new(peer))
    }

    /// Over streams that the system watches and over others, in the clear and with TLS.
    fn each() -> Vec<Called> {
        vec![
            Called::plain(),
            Called::new(Server::builder(), tcp(), |peer| Box::new(peer)),
            #[cfg(feature = "tls")]
            Called::with_tls(duplex()),
            #[cfg(feature = "tls")]
            Called::with_tls(tcp()),
        ]
    }

    #[cfg(feature = "tls")]
    fn with_tls<P: Read + Write + Send + 'static>(ends: (impl Transport, P)) -> Called {
        let authority = Authority::new();
        let builder = Server::builder().tls(&authority.tls());
        Called::new(builder, ends, move |peer| {
            let config = authority.client_config(None);
            Box::new(secure_over(peer, config, "localhost").unwrap())
        })
    }

    fn new<P: Read + Write + Send + 'static>(
        builder: ServerBuilder,
        (stream, peer): (impl Transport, P),
        secure: impl FnOnce(P) -> Box<dyn ReadWrite> + Send + 'static,
    ) -> Called {
        let limits = Limits {
            close_timeout: Duration::from_millis(100),
            ..Limits::default()
        };
        let server = Arc::new(builder.limits(limits).without_listener().unwrap());
        let mut stream = Played::new(stream);
        let (write, end) = (Moment::default(), stream.end.clone());
        let always = stream.always.clone();
        let amid = write.clone();
        stream = stream.writing(move |stream, buffers| {
            amid.comes();
            stream.try_write(buffers)
        });
        server.attach(stream);
        let (tell, texts) = mpsc::channel();
        let client = thread::spawn(move || {
            let mut client = Client::open(secure(peer), &upgrade("localhost", "/", ""));
            while let Ok(frame) = client.try_read() {
                if frame.opcode == 1 {
                    tell.send(frame.text().to_owned()).unwrap();
                }
            }
        });
        let connection = opened(&mut server.events());
        Called {
            server,
            connection,
            write,
            end,
            always,
            texts,
            client,
        }
    }

    fn text(&self) -> String {
        self.texts.recv_timeout(PATIENCE).expect("a text")
    }
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = dial(listener.local_addr().unwrap());
    (listener.accept().unwrap().0, theirs)
}

trait ReadWrite: Read + Write {}

impl<S: Read + Write> ReadWrite for S {}

#[test]
fn m02_a_stream_may_call_its_connection_and_its_server_amid_a_write() {
    for called in Called::each() {
        let (handle, connection) = (called.server.handle(), called.connection.clone());
        called.write.set(move || {
            assert!(connection.buffered_amount() > 0);
            assert_eq!(handle.stats().connections, 1);
            connection.send("from within").unwrap();
            connection.ping().unwrap();
            assert_eq!(handle.broadcast("to all, from within").sent, 1);
        });
        let connection = called.connection.clone();
        in_time(move || connection.send("hello")).unwrap();
        assert_eq!(called.text(), "hello");
        assert_eq!(called.text(), "from within");
        assert_eq!(called.text(), "to all, from within");
        wait_until("all has left", || called.connection.buffered_amount() == 0);
    }
}

/// Its drop, too, which comes wherever the last that has it lets go.
#[test]
fn m02_a_stream_may_call_wshub_whatever_it_is_asked() {
    for called in Called::each() {
        let (handle, connection) = (called.server.handle(), called.connection.clone());
        let asked = AtomicUsize::new(0);
        let work = move || {
            connection.buffered_amount();
            handle.stats();
            if asked.fetch_add(1, SeqCst) < 20 {
                handle.broadcast("to all, from within");
            }
        };
        assert!(called.always.set(Box::new(work)).is_ok());
        let connection = called.connection.clone();
        in_time(move || connection.send("hello")).unwrap();
        while called.text() != "hello" {}
        in_time(move || called.server.shutdown());
        in_time(move || called.client.join().unwrap());
        wait_until("it is dropped", || Arc::strong_count(&called.always) == 1);
    }
}

/// So does its drop, on a thread that serves others.
#[test]
fn m02_a_stream_that_panics_whatever_it_is_asked_ends_its_connection_alone() {
    for called in Called::each() {
        let server = called.server;
        let work = || std::panic::resume_unwind(Box::new("on purpose"));
        assert!(called.always.set(Box::new(work)).is_ok());
        let _ = called.connection.send("hello");
        let mut events = server.events();
        assert_eq!(closed(&mut events, &called.connection), 1006);
        wait_until("it is dropped", || Arc::strong_count(&called.always) == 1);
        called.client.join().unwrap();
        assert!(server.stats().connections == 0);
        drop(events);
        let report = in_time(move || server.shutdown());
        assert_eq!(report, ShutdownReport::default());
    }
}

/// Broadcasts that wait for all connections have a lock of their own.
#[test]
fn m02_a_stream_may_broadcast_amid_a_flush() {
    let called = Called::plain();
    let server = called.server.clone();
    let (stream, peer) = duplex();
    let mut other = attach(&server, stream, peer);
    opened(&mut server.events());
    for _ in 0..3 {
        other.send_text("broadcast this");
    }
    wait_until("they wait", || server.stats().messages_in == 3);
    let handle = server.handle();
    called
        .write
        .set(move || _ = handle.broadcast("from within"));
    in_time(move || {
        let mut events = server.events();
        for _ in 0..3 {
            match events.recv_timeout(PATIENCE) {
                Ok(Event::Message(_, message)) => server.broadcast(message),
                other => panic!("{other:?}"),
            };
        }
        // Nothing more waits, so that what was collected leaves.
        let _ = events.try_recv();
    });
    for expected in ["broadcast this"; 3].into_iter().chain(["from within"]) {
        assert_eq!(called.text(), expected);
        assert_eq!(other.read().text(), expected);
    }
}

/// The other order of two locks, of which one is wshub's, would end in a deadlock.
#[test]
fn m02_a_stream_may_take_a_lock_that_others_hold_who_call_wshub() {
    for called in Called::each() {
        let own = Arc::new(Mutex::new(()));
        let (both, connection) = (Arc::new(Barrier::new(2)), called.connection.clone());
        let asking = thread::spawn({
            let (own, both, connection) = (own.clone(), both.clone(), connection.clone());
            move || {
                let _held = own.lock().unwrap();
                both.wait();
                connection.buffered_amount()
            }
        });
        called.write.set(move || {
            both.wait();
            drop(own.lock().unwrap());
        });
        in_time(move || connection.send("hello")).unwrap();
        in_time(move || asking.join().unwrap());
        assert_eq!(called.text(), "hello");
    }
}

#[test]
fn m02_a_stream_may_end_its_connection_or_its_server_amid_a_write_or_an_end() {
    type End = fn(&Connection, &ServerHandle);
    let ends: [End; 3] = [
        |connection, _| connection.close(4000, "from within").unwrap(),
        |connection, _| connection.terminate(),
        |_, handle| handle.shutdown(),
    ];
    for end in ends {
        for called in Called::each() {
            let (connection, handle) = (called.connection.clone(), called.server.handle());
            called.write.set(move || end(&connection, &handle));
            let (connection, handle) = (called.connection.clone(), called.server.handle());
            called.end.set(move || {
                connection.buffered_amount();
                let _ = connection.send("too late");
                connection.terminate();
                handle.stats();
            });
            let connection = called.connection.clone();
            let _ = in_time(move || connection.send("hello"));
            assert!(called.write.has_come());
            let server = called.server.clone();
            in_time(move || server.shutdown());
            in_time(move || called.client.join().unwrap());
            assert!(called.end.has_come());
        }
    }
}

/// A closure has its own connection, whose sends wait.
#[test]
fn m02_a_stream_may_call_back_amid_the_send_of_a_closure() {
    let (stream, peer) = duplex();
    let amid = Moment::default();
    let write = amid.clone();
    let handle = Server::builder()
        .serve("127.0.0.1:0", move |mut ws| {
            let connection = ws.connection().clone();
            amid.set(move || {
                assert!(connection.buffered_amount() > 0);
                connection.send("from within").unwrap();
            });
            ws.send(vec![0; 200_000])?;
            ws.read()?;
            Ok(())
        })
        .unwrap();
    handle.attach(Played::new(stream).writing(move |stream, buffers| {
        write.comes();
        stream.try_write(buffers)
    }));
    let mut client = Client::open(peer, &upgrade("localhost", "/", ""));
    assert_eq!(client.read().payload, vec![0; 200_000]);
    assert_eq!(client.read().text(), "from within");
    client.send_close(1000, "");
    handle.shutdown();
    assert_eq!(in_time(move || handle.wait()), ShutdownReport::default());
}
