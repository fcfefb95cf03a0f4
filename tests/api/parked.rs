//! Open connections that hold no thread: how they end, whoever waits for whom; and streams of the user's own that the
//! system watches.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::support::{Client, PATIENCE, dial, frame, read_to_close, throw, upgrade, wait_until};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use wshub::{Connection, Error, Event, Events, Limits, Server, ShutdownReport, Source, Transport};

const CONNECTIONS: usize = 20;
/// Threads for handshakes, far fewer than connections that end.
const FEW: usize = 6;

/// With room for what no socket takes: far from so much that a peer is not read from for it.
fn limits() -> Limits {
    Limits {
        outbound_per_connection: Some(8 * MESSAGE),
        ..Limits::default()
    }
}

fn bind(limits: Limits) -> Server {
    let server = Server::builder().limits(limits);
    server.bind("127.0.0.1:0").unwrap()
}

/// Open connections, one for each client.
fn open(server: &Server, events: &mut Events<'_>) -> (Vec<Client>, Vec<Connection>) {
    let addr = server.local_addr().unwrap();
    let connect = |_| {
        let client = Client::connect(addr);
        // So that the system does not find more room for it later.
        set_socket_recv_buffer_size(&client.stream, 16 << 10).unwrap();
        (client, opened(events))
    };
    (0..CONNECTIONS).map(connect).unzip()
}

fn opened(events: &mut Events<'_>) -> Connection {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Open(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

/// Takes the Close of so many connections, and their Error, if they have one; all with this code.
fn take_closes(events: &mut Events<'_>, count: usize, code: u16) {
    let mut closed = 0;
    while closed < count {
        match events.recv_timeout(PATIENCE).expect("a Close") {
            Event::Close(_, close) => {
                assert_eq!(close.code, code);
                closed += 1;
            }
            Event::Error(_, error) => assert!(matches!(error, Error::SlowConsumer), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Those of handshakes may take a while to be idle, and leave then.
fn assert_few_threads(server: &Server) {
    wait_until("there are few threads", || server.stats().threads <= FEW);
}

/// What they asked is owed its answer, and the application has not seen it yet.
#[test]
fn those_that_half_close_wait_for_the_application_without_a_thread() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    let (mut clients, _) = open(&server, &mut events);
    for client in &mut clients {
        client.send_text("question");
        client.stream.shutdown(Shutdown::Write).unwrap();
    }
    wait_until("their messages are read", || {
        server.stats().messages_in == CONNECTIONS as u64
    });
    assert_few_threads(&server);
    assert_eq!(server.stats().connections, CONNECTIONS);
    let mut answered = 0;
    while answered < CONNECTIONS {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Message(connection, _) => connection.send("answer").unwrap(),
            other => panic!("{other:?}"),
        }
        answered += 1;
    }
    take_closes(&mut events, CONNECTIONS, 1006);
    for client in &mut clients {
        assert_eq!(client.read_message().text(), "answer");
        assert!(client.at_end());
    }
    assert_few_threads(&server);
}

/// A Close of theirs is answered after what they have not read.
#[test]
fn those_that_close_and_do_not_read_are_given_up_without_a_thread() {
    let limits = Limits {
        close_timeout: Duration::from_millis(500),
        ..limits()
    };
    let server = bind(limits);
    let mut events = server.events();
    let (since, _clients) = close_without_reading(&server, &mut events);
    take_closes(&mut events, CONNECTIONS, 1000);
    assert!(since.elapsed() >= Duration::from_millis(400), "never early");
    assert_few_threads(&server);
    wait_until("nobody is waited for", || server.stats().stalled == 0);
}

/// They get what was sent and the Close when they begin to read.
#[test]
fn those_that_close_and_read_late_get_everything() {
    let server = bind(limits());
    let mut events = server.events();
    let (_, clients) = close_without_reading(&server, &mut events);
    let readers = clients.into_iter().map(|mut client| {
        std::thread::spawn(move || {
            loop {
                let frame = client.read();
                if frame.opcode == 8 {
                    break assert_eq!(frame.close().0, 1000);
                }
                assert!(frame.payload == [7; MESSAGE]);
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    take_closes(&mut events, CONNECTIONS, 1000);
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
    assert_few_threads(&server);
}

const MESSAGE: usize = 1 << 20;

/// Sends until no peer's socket takes more, and much waits for each that was not given up for that meanwhile.
fn stall(connections: &[Connection]) {
    let mut stalled = false;
    while !stalled {
        // What is on its way between two sockets may still make room.
        std::thread::sleep(Duration::from_millis(20));
        stalled = true;
        for connection in connections {
            while connection.buffered_amount() < MESSAGE / 4 {
                if connection.send(vec![7; MESSAGE]).is_err() {
                    break;
                }
                stalled = false;
            }
        }
    }
}

/// Clients that have not read what was sent to them, and say that they close.
fn close_without_reading(server: &Server, events: &mut Events<'_>) -> (Instant, Vec<Client>) {
    let (mut clients, connections) = open(server, events);
    stall(&connections);
    let since = Instant::now();
    for client in &mut clients {
        client.send_close(1000, "");
    }
    (since, clients)
}

#[test]
fn those_that_do_not_read_are_given_up_without_a_thread() {
    let limits = Limits {
        write_timeout: Duration::from_secs(1),
        ..limits()
    };
    let server = bind(limits);
    let mut events = server.events();
    let (_clients, connections) = open(&server, &mut events);
    stall(&connections);
    take_closes(&mut events, CONNECTIONS, 1006);
    assert_few_threads(&server);
    wait_until("nobody is waited for", || server.stats().stalled == 0);
}

/// Nobody waits for them longer than for others, whatever they send after the end.
#[test]
fn those_that_go_on_behind_their_close_are_let_go_without_a_thread() {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    let (mut clients, _) = open(&server, &mut events);
    for client in &mut clients {
        client.send_close(1000, "");
        // The server may be done with it already.
        let _ = client.try_send(true, 2, &[0; 1000]);
    }
    take_closes(&mut events, CONNECTIONS, 1000);
    assert_few_threads(&server);
    for client in &mut clients {
        assert_eq!(client.read().close().0, 1000);
        assert_eq!(read_to_close(&mut client.stream), b"");
    }
}

type TryRead = dyn Fn(&TcpStream, &mut [u8]) -> io::Result<usize> + Send + Sync;

/// TCP of the user's own whose reads are played by others once the connection is open.
struct Own {
    stream: TcpStream,
    try_read: Box<TryRead>,
}

impl Transport for Own {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        Transport::read(&self.stream, buffer, deadline)
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.try_read)(&self.stream, buffer)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write(buffers)
    }

    fn source(&self) -> Option<Source<'_>> {
        self.stream.source()
    }

    crate::support::delegated!(stream);
}

/// Both ends of a TCP connection.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = dial(listener.local_addr().unwrap());
    (listener.accept().unwrap().0, theirs)
}

fn attach(server: &Server, try_read: Box<TryRead>) -> Client {
    let (stream, theirs) = tcp_pair();
    server.attach(Own { stream, try_read });
    Client::open(theirs, &upgrade("localhost", "/", ""))
}

fn expect_text(events: &mut Events<'_>, connection: &Connection, text: &str) {
    match events.recv_timeout(PATIENCE) {
        Ok(Event::Message(it, message)) => {
            assert_eq!((&it, message.as_text()), (connection, Some(text)));
        }
        other => panic!("{other:?}"),
    }
}

fn panics(_: &TcpStream, _: &mut [u8]) -> io::Result<usize> {
    throw()
}

fn fails(_: &TcpStream, _: &mut [u8]) -> io::Result<usize> {
    Err(io::Error::other("on purpose"))
}

fn ends(_: &TcpStream, _: &mut [u8]) -> io::Result<usize> {
    Ok(0)
}

#[test]
fn m02_a_watched_stream_that_fails_costs_its_own_connection() {
    for fault in [panics, fails, ends] {
        let server = Server::builder().without_listener().unwrap();
        let mut events = server.events();
        let armed = Arc::new(AtomicBool::new(false));
        let is_armed = armed.clone();
        let try_read = move |stream: &TcpStream, buffer: &mut [u8]| match is_armed.load(SeqCst) {
            true => fault(stream, buffer),
            false => stream.try_read(buffer),
        };
        let mut failing = attach(&server, Box::new(try_read));
        let failed = opened(&mut events);
        let mut other = attach(&server, Box::new(TcpStream::try_read));
        let healthy = opened(&mut events);
        assert_eq!(server.stats().connections, 2);
        armed.store(true, SeqCst);
        failing.send_text("boom");
        take_closes(&mut events, 1, 1006);
        assert!(failed.send("too late").is_err());
        other.send_text("still there");
        expect_text(&mut events, &healthy, "still there");
        healthy.send("and I").unwrap();
        assert_eq!(other.read().text(), "and I");
        read_to_close(&mut failing.stream);
        other.send_close(1000, "");
        take_closes(&mut events, 1, 1000);
        drop(other);
        assert_eq!(server.shutdown(), ShutdownReport::default());
    }
}

/// Some streams have a timeout of their own, and say so in their own way.
#[test]
fn m02_a_watched_stream_that_finds_nothing_is_read_when_there_is_something() {
    for kind in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
        let server = Server::builder().without_listener().unwrap();
        let mut events = server.events();
        let try_read = move |stream: &TcpStream, buffer: &mut [u8]| {
            let read = stream.try_read(buffer);
            read.map_err(|error| match error.kind() {
                ErrorKind::WouldBlock => kind.into(),
                _ => error,
            })
        };
        let mut client = attach(&server, Box::new(try_read));
        let connection = opened(&mut events);
        for text in ["one", "two"] {
            client.send_text(text);
            expect_text(&mut events, &connection, text);
        }
    }
}

/// Reads that begin wait for `released`, and tell `entered`.
fn hangs(entered: Sender<()>, released: Receiver<()>) -> Box<TryRead> {
    let released = Mutex::new(released);
    Box::new(move |_, _| {
        let _ = entered.send(());
        let _ = released.lock().unwrap().recv();
        Ok(0)
    })
}

/// The application is away: whoever stands in for it hangs in the stream.
#[test]
fn m03_a_shutdown_does_not_wait_for_a_watched_stream_whose_read_never_returns() {
    let limits = Limits {
        close_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::builder().limits(limits).without_listener().unwrap();
    let ((enter, entered), (release, released)) = (channel(), channel());
    let mut client = attach(&server, hangs(enter, released));
    client.send_text("boom");
    entered.recv_timeout(PATIENCE).unwrap();
    let report = server.shutdown();
    assert_eq!(report.threads_left, 1);
    let mut events = server.events();
    let _ = opened(&mut events);
    take_closes(&mut events, 1, 1006);
    drop(release);
}

type Watched = fn(&TcpStream) -> Option<Source<'_>>;

/// A stream that reads more than it is asked for, and gives it in small pieces.
struct Buffering {
    stream: TcpStream,
    plain: Mutex<VecDeque<u8>>,
    source: Watched,
}

impl Buffering {
    fn plain(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.plain.lock().unwrap()
    }
}

impl Transport for Buffering {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        const PIECE: usize = 50;
        if self.plain().is_empty() {
            let mut room = [0; 10_000];
            let read = Transport::read(&self.stream, &mut room, deadline)?;
            self.plain().extend(&room[..read]);
        }
        let room = buffer.len().min(PIECE);
        self.plain().read(&mut buffer[..room])
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write(buffers)
    }

    fn source(&self) -> Option<Source<'_>> {
        (self.source)(&self.stream)
    }

    crate::support::delegated!(stream);
}

/// So many short messages in one write.
fn many_messages() -> Vec<u8> {
    (0..MANY)
        .flat_map(|n| frame(true, 1, n.to_string().as_bytes()))
        .collect()
}

const MANY: usize = 100;

/// What it holds back makes nothing ready that the system sees, neither after the opening handshake nor later.
#[test]
fn m02_a_watched_stream_may_hold_bytes_back() {
    let sources: &[Watched] = &[
        #[cfg(unix)]
        |stream| Some(Source::from(stream.as_fd())),
        |stream| stream.source(),
    ];
    for &source in sources {
        let server = Server::builder().without_listener().unwrap();
        let mut events = server.events();
        let (stream, mut theirs) = tcp_pair();
        server.attach(Buffering {
            stream,
            plain: Mutex::default(),
            source,
        });
        let request = upgrade("localhost", "/", "");
        theirs
            .write_all(&[request.as_bytes(), &many_messages()].concat())
            .unwrap();
        let mut client = Client::adopt(theirs);
        let connection = opened(&mut events);
        let mut expect_many = || {
            for n in 0..MANY {
                expect_text(&mut events, &connection, &n.to_string());
            }
        };
        expect_many();
        for _ in 0..3 {
            client.stream.write_all(&many_messages()).unwrap();
            expect_many();
        }
        client.stream.write_all(&many_messages()).unwrap();
        client.stream.shutdown(Shutdown::Write).unwrap();
        expect_many();
        take_closes(&mut events, 1, 1006);
    }
}

/// What came after the request in its record is nothing that the system sees.
#[cfg(feature = "tls")]
#[test]
fn messages_that_came_with_the_request_over_tls_are_read() {
    use crate::support::tls::{Authority, secure};

    let authority = Authority::new();
    let server = Server::builder().tls(&authority.tls());
    let server = server.bind("127.0.0.1:0").unwrap();
    let mut events = server.events();
    let addr = server.local_addr().unwrap();
    let mut stream = secure(addr, authority.client_config(None), "localhost").unwrap();
    let request = upgrade("localhost", "/", "");
    stream
        .write_all(&[request.as_bytes(), &many_messages()].concat())
        .unwrap();
    let mut client = Client::adopt(stream);
    let connection = opened(&mut events);
    for n in 0..MANY {
        expect_text(&mut events, &connection, &n.to_string());
    }
    client.stream.write_all(&many_messages()).unwrap();
    for n in 0..MANY {
        expect_text(&mut events, &connection, &n.to_string());
    }
}
