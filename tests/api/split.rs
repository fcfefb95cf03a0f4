//! A split `WebSocket`: two threads, several kinds of stream, peers that do not read, vanish or break
//! the rules; nobody waits for the other half, and no pong and no Close is lost.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::sealed::{Sealed, sealed_pair};
use crate::support::{self, PATIENCE, frame, server_frame};
use wshub::testing::{self, Client, Duplex};
use wshub::{
    CloseError, Error, Limits, Message, SendErrorKind, Server, Transport, WebSocket,
    WebSocketReader, WebSocketWriter,
};

/// Short, to show deadlines.
const SHORT: Duration = Duration::from_millis(200);
/// More than any of the streams holds.
const LONG: usize = 16 << 20;

/// A stream with two ends, the server's and the client's.
pub trait Pair: Transport + Read + Write + Sized {
    type Theirs: Read + Write + Send + 'static;

    fn pair() -> (Self, Self::Theirs);
}

impl Pair for TcpStream {
    type Theirs = Self;

    fn pair() -> (Self, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        theirs.set_read_timeout(Some(PATIENCE)).unwrap();
        theirs.set_write_timeout(Some(PATIENCE)).unwrap();
        (listener.accept().unwrap().0, theirs)
    }
}

impl Pair for Duplex {
    type Theirs = Self;

    fn pair() -> (Self, Self) {
        testing::duplex()
    }
}

impl Pair for Sealed {
    type Theirs = Self;

    fn pair() -> (Self, Self) {
        sealed_pair()
    }
}

/// The client is rustls alone: what it reads as an end came with close_notify.
#[cfg(feature = "tls")]
impl Pair for wshub::TlsStream {
    type Theirs = support::tls::Stream;

    fn pair() -> (Self, support::tls::Stream) {
        let authority = support::tls::Authority::new();
        let tls = authority.tls();
        let (ours, theirs) = TcpStream::pair();
        let accepting = thread::spawn(move || tls.accept(ours, PATIENCE).unwrap());
        let config = authority.client_config(None);
        let theirs = support::tls::secure_over(theirs, config, "localhost").unwrap();
        (accepting.join().unwrap(), theirs)
    }
}

/// Makes one test of each for every kind of stream.
macro_rules! over_every_stream {
    ($($name:ident),* $(,)?) => {
        mod tcp { $( #[test] fn $name() { super::$name::<std::net::TcpStream>(); } )* }
        mod in_memory { $( #[test] fn $name() { super::$name::<super::Duplex>(); } )* }
        mod one_mutex { $( #[test] fn $name() { super::$name::<super::Sealed>(); } )* }
        #[cfg(feature = "tls")]
        mod tls { $( #[test] fn $name() { super::$name::<wshub::TlsStream>(); } )* }
    };
}

over_every_stream!(
    an_echo_through_two_threads,
    both_directions_at_once,
    a_blocked_writer_does_not_stop_the_reader_and_the_latest_ping_is_answered,
    f15_a_flood_of_pings_costs_one_pong_while_the_writer_is_blocked,
    f15_pongs_that_nobody_reads_wait_and_the_last_one_arrives,
    the_writer_closes,
    the_peer_closes,
    the_peer_closes_while_the_writer_is_blocked,
    a_close_that_is_not_answered_ends_in_time,
    without_its_writer_the_reader_goes_on,
    without_its_reader_the_writer_goes_on,
    a_peer_that_reads_nothing_is_given_up,
    a_silent_peer_is_pinged_and_given_up,
    a_peer_that_answers_pings_stays,
    a_violation_is_told_and_ends_both_halves,
    a_peer_that_vanishes_ends_both_halves,
    what_was_read_before_the_split_is_kept,
);

fn open<S: Pair>(limits: Limits) -> (WebSocketReader, WebSocketWriter, Client<S::Theirs>) {
    let (ours, theirs) = S::pair();
    let accepting = thread::spawn(move || {
        let ws = Server::builder().limits(limits).websocket(ours).unwrap();
        ws.split()
    });
    let client = Client::open(theirs, "/").unwrap();
    let (reader, writer) = accepting.join().unwrap();
    (reader, writer, client)
}

/// For what is long and gets through at last: a busy machine may take more than ten seconds for it.
fn patient() -> Limits {
    Limits {
        write_timeout: 3 * PATIENCE,
        close_timeout: 3 * PATIENCE,
        ..Limits::default()
    }
}

fn long() -> Message {
    vec![7; LONG].into()
}

/// Starts a send of a long message, and returns when it has begun to arrive: then the writer waits for the client.
fn block(
    mut writer: WebSocketWriter,
    client: &mut Client<impl Read + Write>,
) -> thread::JoinHandle<(WebSocketWriter, Option<SendErrorKind>)> {
    let sending = thread::spawn(move || {
        let error = writer.send(long()).err();
        (writer, error.map(|error| error.kind()))
    });
    let mut header = [0; 10];
    client.stream().read_exact(&mut header).unwrap();
    assert_eq!(header[..2], [0x82, 127]);
    sending
}

/// Reads what is left of the long message.
fn unblock(client: &mut Client<impl Read + Write>) {
    let read = std::io::copy(&mut client.stream().take(LONG as u64), &mut std::io::sink());
    assert_eq!(read.unwrap(), LONG as u64);
}

fn at_end(client: &mut Client<impl Read + Write>) -> bool {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    let end = Read::read_exact(client.stream(), &mut [0]);
    end.is_err_and(|error| matches!(error.kind(), UnexpectedEof | ConnectionReset))
}

fn an_echo_through_two_threads<S: Pair>() {
    let (mut reader, mut writer, mut client) = open::<S>(Limits::default());
    let (tell, told) = channel::<Message>();
    let writing = thread::spawn(move || {
        for message in told {
            writer.send(message).unwrap();
        }
        writer
    });
    let reading = thread::spawn(move || {
        while let Some(message) = reader.read().unwrap() {
            tell.send(message).unwrap();
        }
        reader
    });
    for i in 0..200 {
        let text = format!("message {i}").repeat(i * 10);
        client.send_text(&text).unwrap();
        client.ping(b"between").unwrap();
        let (mut echoed, mut answered) = (false, false);
        while !(echoed && answered) {
            let frame = client.read_frame().unwrap();
            match frame.opcode {
                1 => echoed = frame.payload == text.as_bytes(),
                _ => answered = frame.payload == b"between",
            }
        }
    }
    client.send_fragments(2, &[b"a", b"", b"b"]).unwrap();
    assert_eq!(client.read_message().unwrap(), Some(b"ab".into()));
    assert_eq!(client.close(1000, "bye").unwrap().0, 1000);
    assert!(at_end(&mut client));
    let reader = reading.join().unwrap();
    assert!(reader.close_event().unwrap().was_clean);
    assert_eq!(reader.close_event().unwrap().reason, "bye");
    let mut writer = writing.join().unwrap();
    assert!(writer.is_closed());
    assert_eq!(writer.send("x").unwrap_err().kind(), SendErrorKind::Closed);
}

fn a_blocked_writer_does_not_stop_the_reader_and_the_latest_ping_is_answered<S: Pair>() {
    flood_a_blocked_writer::<S>(3);
}

/// 16 MiB each way: one thread reads while the other sends.
fn both_directions_at_once<S: Pair>() {
    const MESSAGES: usize = 256;
    const LEN: usize = 64 << 10;
    let bytes = |n: usize| vec![n as u8; LEN];
    let (mut reader, mut writer, mut client) = open::<S>(Limits::default());
    let sending = thread::spawn(move || {
        for n in 0..MESSAGES {
            writer.send(bytes(n)).unwrap();
        }
        writer
    });
    let reading = thread::spawn(move || {
        for n in 0..MESSAGES {
            assert!(reader.read().unwrap() == Some(bytes(n).into()), "{n}");
        }
        reader
    });
    for n in 0..MESSAGES {
        client.send_binary(&bytes(n)).unwrap();
        assert!(
            client.read_message().unwrap() == Some(bytes(n).into()),
            "{n}"
        );
    }
    let halves = (reading.join().unwrap(), sending.join().unwrap());
    assert_eq!(halves.0.close_event(), None);
}

fn f15_a_flood_of_pings_costs_one_pong_while_the_writer_is_blocked<S: Pair>() {
    flood_a_blocked_writer::<S>(10_000);
}

fn flood_a_blocked_writer<S: Pair>(pings: u32) {
    let (mut reader, writer, mut client) = open::<S>(patient());
    let sending = block(writer, &mut client);
    let (tell, told) = channel();
    let reading = thread::spawn(move || {
        while let Some(message) = reader.read().unwrap() {
            tell.send(message).unwrap();
        }
        reader
    });
    for i in 1..=pings {
        client.ping(&i.to_be_bytes()).unwrap();
    }
    client.send_text("are you there?").unwrap();
    let message = told.recv_timeout(PATIENCE).expect("the reader reads on");
    assert_eq!(message, "are you there?".into());
    assert!(!sending.is_finished());
    unblock(&mut client);
    let pong = client.read_frame().unwrap();
    assert_eq!(
        (pong.opcode, &pong.payload[..]),
        (10, &pings.to_be_bytes()[..])
    );
    assert_eq!(sending.join().unwrap().1, None);
    // Nothing else was owed.
    client.close(1000, "").unwrap();
    assert!(reading.join().unwrap().close_event().unwrap().was_clean);
}

fn f15_pongs_that_nobody_reads_wait_and_the_last_one_arrives<S: Pair>() {
    const PINGS: u32 = 100_000;
    let (mut reader, writer, mut client) = open::<S>(patient());
    let reading = thread::spawn(move || reader.read().map(|message| (message, reader)));
    for batch in 0..PINGS / 1_000 {
        let pings = (0..1_000).flat_map(|i| frame(true, 9, &(batch * 1_000 + i).to_be_bytes()));
        let pings: Vec<u8> = pings.collect();
        client.stream().write_all(&pings).unwrap();
    }
    // No further byte comes: whoever owes the last pong has to think of it without.
    let mut last = None;
    loop {
        let pong = client.read_frame().unwrap();
        assert_eq!(pong.opcode, 10);
        let number = u32::from_be_bytes(pong.payload.try_into().unwrap());
        assert!(last.is_none_or(|last| last < number), "in order");
        last = Some(number);
        if number == PINGS - 1 {
            break;
        }
    }
    client.send_text("done").unwrap();
    let (message, _reader) = reading.join().unwrap().unwrap();
    assert_eq!(message, Some("done".into()));
    drop(writer);
}

fn the_writer_closes<S: Pair>() {
    let (mut reader, mut writer, mut client) = open::<S>(Limits::default());
    let reading = thread::spawn(move || {
        assert_eq!(reader.read().unwrap(), Some("meanwhile".into()));
        assert_eq!(reader.read().unwrap(), None);
        reader
    });
    assert!(matches!(
        writer.close(1006, ""),
        Err(CloseError::ReservedCode(_))
    ));
    writer.close(4000, "enough").unwrap();
    assert_eq!(writer.close(4000, ""), Err(CloseError::Closed));
    assert_eq!(writer.send("x").unwrap_err().kind(), SendErrorKind::Closed);
    client.send_text("meanwhile").unwrap();
    // The client's own Close, whose answer is the one that came before it.
    assert_eq!(
        client.close(4000, "yes").unwrap(),
        (4000.into(), "enough".into())
    );
    assert!(at_end(&mut client));
    let reader = reading.join().unwrap();
    let event = reader.close_event().unwrap();
    assert_eq!((event.code, &event.reason[..]), (4000.into(), "yes"));
    assert!(event.was_clean);
}

fn the_peer_closes<S: Pair>() {
    let (mut reader, mut writer, mut client) = open::<S>(Limits::default());
    let closing = thread::spawn(move || {
        assert_eq!(
            client.close(1001, "away").unwrap(),
            (1001.into(), String::new())
        );
        assert!(at_end(&mut client));
    });
    assert_eq!(reader.read().unwrap(), None);
    assert_eq!(reader.close_event().unwrap().code, 1001);
    assert!(reader.close_event().unwrap().was_clean);
    assert_eq!(writer.ping().unwrap_err(), SendErrorKind::Closed);
    closing.join().unwrap();
}

fn the_peer_closes_while_the_writer_is_blocked<S: Pair>() {
    let limits = Limits {
        close_timeout: SHORT,
        ..Limits::default()
    };
    let (mut reader, writer, mut client) = open::<S>(limits);
    let sending = block(writer, &mut client);
    client.send_frame(true, 8, &[0x03, 0xe8]).unwrap();
    let start = Instant::now();
    assert_eq!(reader.read().unwrap(), None);
    assert!(start.elapsed() < PATIENCE / 2);
    let event = reader.close_event().unwrap();
    assert_eq!((event.code, event.was_clean), (1000.into(), false));
    assert_eq!(sending.join().unwrap().1, Some(SendErrorKind::Closed));

    // One that reads on in time gets all, and the answer.
    let (mut reader, writer, mut client) = open::<S>(patient());
    let sending = block(writer, &mut client);
    client.send_frame(true, 8, &[0x03, 0xe8]).unwrap();
    let reading = thread::spawn(move || {
        assert_eq!(reader.read().unwrap(), None);
        reader
    });
    unblock(&mut client);
    assert_eq!(client.read_frame().unwrap().close().unwrap().0, 1000);
    assert!(at_end(&mut client));
    assert!(reading.join().unwrap().close_event().unwrap().was_clean);
    assert_eq!(sending.join().unwrap().1, None);
}

fn a_close_that_is_not_answered_ends_in_time<S: Pair>() {
    let limits = Limits {
        close_timeout: SHORT,
        ping_interval: None,
        ..Limits::default()
    };
    let (mut reader, mut writer, mut client) = open::<S>(limits);
    let (tell, told) = channel();
    let reading = thread::spawn(move || {
        tell.send(()).unwrap();
        assert_eq!(reader.read().unwrap(), None);
        reader
    });
    told.recv_timeout(PATIENCE).unwrap();
    writer.close(1000, "").unwrap();
    let reader = reading.join().unwrap();
    assert_eq!(reader.close_event().unwrap().code, 1006);
    assert_eq!(client.read_frame().unwrap().opcode, 8);
    assert!(at_end(&mut client));
}

/// Counts how often it is read from.
struct Counted {
    stream: Duplex,
    reads: Arc<AtomicUsize>,
}

/// For the handshake.
impl Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.stream, room)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for Counted {
    fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        self.reads.fetch_add(1, SeqCst);
        Transport::read(&self.stream, buffer, deadline)
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write(buffers)
    }

    support::delegated!(stream);
}

#[test]
fn m06_a_reader_sleeps_while_nothing_comes_with_a_close_timeout_of_zero() {
    let (stream, theirs) = testing::duplex();
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        stream,
        reads: reads.clone(),
    };
    let limits = Limits {
        close_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let client = thread::spawn(move || Client::open(theirs, "/").unwrap());
    let (mut reader, _writer) = Server::builder()
        .limits(limits)
        .websocket(counted)
        .unwrap()
        .split();
    let _client = client.join().unwrap();
    let before = reads.load(SeqCst);
    assert!(matches!(
        reader.read_timeout(Duration::from_millis(300)),
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::TimedOut
    ));
    assert!(reads.load(SeqCst) - before < 10);
}

fn without_its_writer_the_reader_goes_on<S: Pair>() {
    let (mut reader, writer, mut client) = open::<S>(Limits::default());
    drop(writer);
    let reading = thread::spawn(move || (reader.read().unwrap(), reader));
    client.ping(b"?").unwrap();
    assert_eq!(client.read_frame().unwrap().payload, b"?");
    client.send_text("still here").unwrap();
    let (message, reader) = reading.join().unwrap();
    assert_eq!(message, Some("still here".into()));
    drop(reader);
    assert!(at_end(&mut client));
}

fn without_its_reader_the_writer_goes_on<S: Pair>() {
    let (reader, mut writer, mut client) = open::<S>(Limits::default());
    drop(reader);
    writer.send("one").unwrap();
    writer.ping().unwrap();
    writer.close(1000, "").unwrap();
    assert_eq!(client.read_frame().unwrap().payload, b"one");
    assert_eq!(client.read_frame().unwrap().opcode, 9);
    assert_eq!(client.read_frame().unwrap().opcode, 8);
    drop(writer);
    assert!(at_end(&mut client));
}

fn a_peer_that_reads_nothing_is_given_up<S: Pair>() {
    let limits = Limits {
        write_timeout: SHORT,
        ..Limits::default()
    };
    let (mut reader, mut writer, client) = open::<S>(limits);
    let reading = thread::spawn(move || reader.read());
    let error = writer.send(long()).unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::SlowConsumer);
    assert_eq!(error.into_message().len(), LONG);
    let outcome = reading.join().unwrap();
    assert!(matches!(outcome, Err(Error::SlowConsumer)), "{outcome:?}");
    assert!(writer.send("x").is_err());
    drop(client);
}

fn a_silent_peer_is_pinged_and_given_up<S: Pair>() {
    let limits = Limits {
        ping_interval: Some(SHORT / 4),
        pong_timeout: SHORT,
        ..Limits::default()
    };
    let (mut reader, mut writer, mut client) = open::<S>(limits);
    let outcome = reader.read();
    assert!(matches!(outcome, Err(Error::PongTimeout)), "{outcome:?}");
    assert_eq!(reader.close_event().unwrap().code, 1006);
    assert_eq!(writer.send("x").unwrap_err().kind(), SendErrorKind::Closed);
    drop((reader, writer));
    // Over TCP the reset may overtake the ping; over TLS it is no clean end.
    while matches!(Read::read(client.stream(), &mut [0]), Ok(1..)) {}
}

fn a_peer_that_answers_pings_stays<S: Pair>() {
    let limits = Limits {
        ping_interval: Some(SHORT / 20),
        pong_timeout: PATIENCE,
        ..Limits::default()
    };
    let (mut reader, writer, mut client) = open::<S>(limits);
    let reading = thread::spawn(move || reader.read());
    for _ in 0..5 {
        let ping = client.read_frame().unwrap();
        assert_eq!(ping.opcode, 9);
        client.send_frame(true, 10, &ping.payload).unwrap();
    }
    client.send_text("still here").unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), Some("still here".into()));
    drop(writer);
}

fn a_violation_is_told_and_ends_both_halves<S: Pair>() {
    let (mut reader, mut writer, mut client) = open::<S>(Limits::default());
    client
        .stream()
        .write_all(&server_frame(true, 1, b"x"))
        .unwrap();
    let judging = thread::spawn(move || {
        let (code, reason) = client.read_frame().unwrap().close().unwrap();
        assert_eq!(code, 1002);
        assert_eq!(reason, "a client's frame was not masked");
        assert!(at_end(&mut client));
    });
    let outcome = reader.read();
    assert!(matches!(outcome, Err(Error::Protocol(_))), "{outcome:?}");
    assert_eq!(reader.read().unwrap(), None);
    assert_eq!(writer.send("x").unwrap_err().kind(), SendErrorKind::Closed);
    judging.join().unwrap();
}

fn a_peer_that_vanishes_ends_both_halves<S: Pair>() {
    let (mut reader, writer, mut client) = open::<S>(Limits::default());
    let sending = block(writer, &mut client);
    drop(client);
    assert_eq!(reader.read().unwrap(), None);
    assert_eq!(reader.close_event().unwrap().code, 1006);
    assert_eq!(sending.join().unwrap().1, Some(SendErrorKind::Closed));
}

fn what_was_read_before_the_split_is_kept<S: Pair>() {
    let (ours, mut theirs) = S::pair();
    let sent = [
        support::upgrade("localhost", "/", "").into_bytes(),
        frame(true, 1, b"one"),
        frame(true, 1, b"two"),
    ]
    .concat();
    theirs.write_all(&sent).unwrap();
    let mut ws = WebSocket::accept(ours).unwrap();
    assert_eq!(ws.read().unwrap(), Some("one".into()));
    let (mut reader, _writer) = ws.split();
    assert_eq!(reader.request().path(), "/");
    assert_eq!(reader.protocol(), None);
    assert_eq!(reader.read().unwrap(), Some("two".into()));
}

/// Both halves in the client's role, against both halves in the server's.
#[cfg(feature = "client")]
#[test]
fn both_roles_split() {
    let (ours, theirs) = TcpStream::pair();
    let accepting = thread::spawn(move || WebSocket::accept(ours).unwrap().split());
    let client = WebSocket::client(theirs, "ws://localhost/").unwrap();
    let (mut server_reader, mut server_writer) = accepting.join().unwrap();
    let (mut reader, mut writer) = client.split();
    let serving = thread::spawn(move || {
        while let Some(message) = server_reader.read().unwrap() {
            server_writer.send(message).unwrap();
        }
        server_reader
    });
    let sending = thread::spawn(move || {
        for i in 0..1_000u32 {
            writer.send(vec![i as u8; i as usize]).unwrap();
        }
        writer
    });
    for i in 0..1_000u32 {
        let message = reader.read().unwrap().unwrap();
        assert_eq!(message.as_bytes(), vec![i as u8; i as usize]);
    }
    let mut writer = sending.join().unwrap();
    writer.close(1000, "done").unwrap();
    assert_eq!(reader.read().unwrap(), None);
    assert!(reader.close_event().unwrap().was_clean);
    let server_reader = serving.join().unwrap();
    assert_eq!(server_reader.close_event().unwrap().reason, "done");
    assert!(server_reader.close_event().unwrap().was_clean);
}

/// RFC 6455 7.1.1: the server closes the stream first, and the client waits for it.
#[cfg(feature = "client")]
#[test]
fn a_client_leaves_the_stream_to_the_server() {
    let (ours, theirs) = TcpStream::pair();
    let accepting = thread::spawn(move || WebSocket::accept(ours).unwrap());
    let client = WebSocket::client(theirs, "ws://localhost/").unwrap();
    let mut server = accepting.join().unwrap();
    let (mut reader, _writer) = client.split();
    let reading = thread::spawn(move || {
        assert_eq!(reader.read().unwrap(), None);
        reader
    });
    server.close(1000, "").unwrap();
    assert_eq!(server.read().unwrap(), None);
    assert!(server.close_event().unwrap().was_clean);
    server.get_ref().set_read_timeout(Some(SHORT)).unwrap();
    let error = Read::read(server.get_mut(), &mut [0]).unwrap_err();
    assert_eq!(error.kind(), support::READ_TIMEOUT, "no end yet");
    drop(server);
    assert!(reading.join().unwrap().close_event().unwrap().was_clean);
}

#[test]
fn halves_may_go_to_other_threads() {
    fn assert_send<T: Send>() {}
    assert_send::<WebSocketReader>();
    assert_send::<WebSocketWriter>();
    assert_send::<WebSocket<TcpStream>>();
}
