//! Peers that read, or send, slowly and steadily what is long; and those that only trickle.

use std::io::{Cursor, ErrorKind, Read, Write};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wshub::testing::Duplex;
use wshub::{Limits, Message, Reject, Response, Server, ServerBuilder, ServerHandle, WebSocket};

use crate::support::app::App;
use crate::support::{
    self, Client, PATIENCE, duplex, narrow, read_head, read_to_close, server_frame, upgrade,
    wait_until,
};

/// What every deadline is set to, and what reading and sending exceeds. A busy machine may not run a thread for a second
/// or two.
const SHORT: Duration = Duration::from_secs(3);
/// Twenty-four times what a stream in memory holds: with a pause after each sip more than five seconds.
const LEN: usize = 3 << 19;
const SIP: usize = 16 << 10;
const PAUSE: Duration = Duration::from_millis(60);
/// After each sip of a trickle, which has not ended where the deadline comes late.
const LONG_PAUSE: Duration = Duration::from_millis(300);

/// Deadlines that end before a slow peer is done, and the floor that it stays above, or one that it does not.
fn limits(min_rate: usize) -> Limits {
    Limits {
        write_timeout: SHORT,
        assembly_timeout: SHORT,
        close_timeout: SHORT,
        min_rate,
        max_message: LEN,
        ..Limits::default()
    }
}

const STEADY: usize = 4 << 10;
/// More than a peer that sips takes.
const TRICKLE: usize = 16 << 20;

/// The pause of a peer that stays above this rate, or below it.
fn pause(min_rate: usize) -> Duration {
    match min_rate {
        STEADY => PAUSE,
        _ => LONG_PAUSE,
    }
}

/// Reads so many bytes, or to the end, be it a reset, a little at a time.
fn sip(stream: &mut impl Read, len: usize, min_rate: usize) -> Vec<u8> {
    let mut got = vec![0; len];
    let mut filled = 0;
    while filled < len {
        let end = len.min(filled + SIP);
        match stream.read(&mut got[filled..end]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            // Of TLS: an end without a word.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => panic!("{error}"),
        }
        thread::sleep(pause(min_rate));
    }
    got.truncate(filled);
    got
}

static LONG: LazyLock<Vec<u8>> = LazyLock::new(|| (0..LEN).map(|at| at as u8).collect());
/// The long message as a server sends it. Made before a test begins: that takes time, and would look like a pause.
static LONG_FRAME: LazyLock<Vec<u8>> = LazyLock::new(|| server_frame(true, 2, &LONG));

fn long() -> Vec<u8> {
    LONG.clone()
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

type Peer = Box<dyn Stream>;
/// Gives a server a stream, and the test its other end.
type Attach = fn(&ServerHandle) -> Peer;

/// For a connection that has a thread.
fn in_memory(handle: &ServerHandle) -> Peer {
    let (stream, peer) = duplex();
    handle.attach(stream);
    Box::new(peer)
}

/// For a connection that has none where an application takes events. The system holds little.
fn over_tcp(handle: &ServerHandle) -> Peer {
    Box::new(narrow(handle))
}

/// Over both kinds of stream, beside each other.
fn over_both(test: fn(Attach)) {
    LazyLock::force(&LONG_FRAME);
    thread::scope(|scope| {
        for attach in [in_memory as Attach, over_tcp] {
            scope.spawn(move || test(attach));
        }
    });
}

fn open(handle: &ServerHandle, attach: Attach) -> Client<Peer> {
    Client::open(attach(handle), &upgrade("localhost", "/", ""))
}

/// A client that has asked for the long message.
fn ask(handle: &ServerHandle, attach: Attach) -> Client<Peer> {
    let mut client = open(handle, attach);
    client.send_text("ask");
    client
}

/// The long message, or what comes of it.
fn sip_long_frame(client: &mut Client<Peer>, min_rate: usize) -> Vec<u8> {
    let begun = Instant::now();
    let got = sip(&mut client.stream, LONG_FRAME.len(), min_rate);
    if min_rate == STEADY {
        assert_took_longer(begun);
    }
    got
}

/// Answers every message with the long one.
fn answers_at_length(limits: Limits) -> App {
    App::start(Server::builder().limits(limits), |connection, _| {
        let _ = connection.send(long());
    })
}

fn assert_took_longer(begun: Instant) {
    assert!(begun.elapsed() > SHORT, "it was not slow: nothing is shown");
}

fn site(limits: Limits) -> ServerBuilder {
    Server::builder()
        .limits(limits)
        .http(|_| Response::ok().with_body(long()))
}

/// Up to the head of the answer.
fn ask_for_page(stream: &mut (impl Read + Write)) {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    read_head(stream).unwrap();
}

#[test]
fn m09_a_page_is_read_to_its_end_slowly() {
    over_both(|attach| {
        let app = App::echo(site(limits(STEADY)));
        let mut reader = attach(&app.handle);
        ask_for_page(&mut reader);
        let begun = Instant::now();
        assert!(sip(&mut reader, LEN, STEADY) == *LONG);
        assert_took_longer(begun);
        assert_eq!(read_to_close(&mut reader), b"");
        assert!(app.handle.stats().refused.is_empty());
    });
}

#[test]
fn m09_a_page_that_is_read_in_a_trickle_is_cut() {
    over_both(|attach| {
        let app = App::echo(site(limits(TRICKLE)));
        let mut reader = attach(&app.handle);
        let begun = Instant::now();
        ask_for_page(&mut reader);
        assert!(sip(&mut reader, LEN, TRICKLE).len() < LEN);
        assert_took_longer(begun);
        wait_until("it is counted", || {
            app.handle.stats().refused.get("answer") == Some(&1)
        });
    });
}

/// The same page, whose body is read while it is written.
fn read_meanwhile(limits: Limits) -> ServerBuilder {
    Server::builder()
        .limits(limits)
        .http(|_| Response::ok().with_reader(Cursor::new(long()), Some(LEN as u64)))
}

fn assert_has_page_unless_in_a_trickle(stream: &mut impl Read, min_rate: usize) {
    let begun = Instant::now();
    let got = sip(stream, LEN, min_rate);
    if min_rate != STEADY {
        return assert!(got.len() < LEN);
    }
    assert!(got == *LONG, "{} bytes", got.len());
    assert_took_longer(begun);
}

#[test]
fn m09_a_body_that_is_read_meanwhile_may_go_out_slowly_and_not_in_a_trickle() {
    over_both(|attach| {
        for min_rate in [STEADY, TRICKLE] {
            let app = App::echo(read_meanwhile(limits(min_rate)));
            let mut reader = attach(&app.handle);
            ask_for_page(&mut reader);
            assert_has_page_unless_in_a_trickle(&mut reader, min_rate);
        }
    });
}

/// What the socket takes and what the peer reads are not the same bytes here, and progress counts all the same.
#[cfg(feature = "tls")]
#[test]
fn m09_a_page_over_tls_is_read_to_its_end_slowly_and_not_in_a_trickle() {
    let authority = support::tls::Authority::new();
    LazyLock::force(&LONG);
    for min_rate in [STEADY, TRICKLE] {
        let app = App::echo(site(limits(min_rate)).tls(&authority.tls()));
        let stream = over_tcp(&app.handle);
        let config = authority.client_config(None);
        let mut reader = support::tls::secure_over(stream, config, "localhost").unwrap();
        ask_for_page(&mut reader);
        assert_has_page_unless_in_a_trickle(&mut reader, min_rate);
    }
}

/// The body of a refusal is the hook's, and as long as it likes.
#[test]
fn m09_a_refusal_of_a_hook_is_read_to_its_end_slowly() {
    over_both(|attach| {
        let text = "x".repeat(LEN);
        let reject = Reject::forbidden().with_body(text.clone());
        let builder = Server::builder().limits(limits(STEADY));
        let app = App::echo(builder.accept(move |_| Err(reject.clone())));
        let mut reader = attach(&app.handle);
        reader
            .write_all(upgrade("localhost", "/", "").as_bytes())
            .unwrap();
        read_head(&mut reader).unwrap();
        let begun = Instant::now();
        assert!(sip(&mut reader, LEN, STEADY) == text.as_bytes());
        assert_took_longer(begun);
    });
}

#[test]
fn m09_a_refusal_over_a_stream_of_ones_own_is_read_to_its_end_slowly() {
    let text = "x".repeat(LEN);
    let reject = Reject::forbidden().with_body(text.clone());
    let limits = Limits {
        handshake_timeout: SHORT,
        ..limits(STEADY)
    };
    let builder = Server::builder().limits(limits);
    let builder = builder.accept(move |_| Err(reject.clone()));
    let (ours, mut theirs) = duplex();
    let opening = upgrade("localhost", "/", "");
    theirs.write_all(opening.as_bytes()).unwrap();
    let serving = thread::spawn(move || builder.websocket(ours).is_err());
    read_head(&mut theirs).unwrap();
    let begun = Instant::now();
    assert!(sip(&mut theirs, LEN, STEADY) == text.as_bytes());
    assert_took_longer(begun);
    assert!(serving.join().unwrap());
}

#[test]
fn m09_a_message_of_the_application_is_read_to_its_end_slowly() {
    over_both(|attach| {
        let app = answers_at_length(limits(STEADY));
        let mut client = ask(&app.handle, attach);
        assert!(sip_long_frame(&mut client, STEADY) == *LONG_FRAME);
        client.send_close(1000, "");
        app.expect(&["open", "text ask", "close 1000  clean"]);
    });
}

#[test]
fn m09_a_message_of_the_application_that_is_read_in_a_trickle_ends_the_connection() {
    over_both(|attach| {
        let app = answers_at_length(limits(TRICKLE));
        let mut client = ask(&app.handle, attach);
        assert!(sip_long_frame(&mut client, TRICKLE).len() < LEN);
        app.expect(&["open", "text ask"]);
        let too_slow = "error the peer reads too slowly: what waits for it is too much or too old";
        app.expect(&[too_slow, "close 1006  unclean"]);
    });
}

/// After the message comes a Close, which has its whole time when the message has left.
#[test]
fn m09_a_close_of_ours_waits_behind_what_is_read_slowly() {
    over_both(|attach| {
        let app = App::start(Server::builder().limits(limits(STEADY)), |connection, _| {
            connection.send(long()).unwrap();
            connection.close(4000, "that was all").unwrap();
        });
        let mut client = ask(&app.handle, attach);
        assert!(sip_long_frame(&mut client, STEADY) == *LONG_FRAME);
        assert_eq!(client.read().close(), (4000, "that was all"));
        client.send_close(4000, "");
        app.expect(&["open", "text ask", "close 4000  clean"]);
    });
}

/// A peer may say that it closes while it still reads.
#[test]
fn m09_a_close_of_the_peer_is_answered_behind_what_it_reads_slowly() {
    over_both(|attach| {
        let app = answers_at_length(limits(STEADY));
        let mut client = ask(&app.handle, attach);
        client.send_close(1000, "");
        assert!(sip_long_frame(&mut client, STEADY) == *LONG_FRAME);
        assert_eq!(client.read().close(), (1000, ""));
        app.expect(&["open", "text ask", "close 1000  clean"]);
    });
}

/// The ping waits after what the peer reads, and cannot be answered meanwhile.
#[test]
fn m09_a_peer_that_reads_is_alive_though_it_says_nothing() {
    over_both(|attach| {
        let limits = Limits {
            ping_interval: Some(SHORT / 2),
            pong_timeout: SHORT / 2,
            ..limits(STEADY)
        };
        let app = answers_at_length(limits);
        let mut client = ask(&app.handle, attach);
        assert!(sip_long_frame(&mut client, STEADY) == *LONG_FRAME);
        assert_eq!(client.read().opcode, 9);
        client.send_close(1000, "");
        app.expect(&["open", "text ask", "close 1000  clean"]);
    });
}

/// What a closure's `send`, and its next `read`, did.
fn closure(min_rate: usize) -> (ServerHandle, std::sync::mpsc::Receiver<String>) {
    let (tell, told) = std::sync::mpsc::channel();
    let server = Server::builder().limits(limits(min_rate));
    let handle = server.serve("127.0.0.1:0", move |mut ws| {
        ws.read()?;
        let _ = tell.send(format!("{:?}", ws.send(long())));
        let _ = tell.send(format!("{:?}", ws.read()));
        Ok(())
    });
    (handle.unwrap(), told)
}

#[test]
fn m09_a_message_of_a_closure_is_read_to_its_end_slowly() {
    over_both(|attach| {
        let (handle, told) = closure(STEADY);
        let mut client = ask(&handle, attach);
        assert!(sip_long_frame(&mut client, STEADY) == *LONG_FRAME);
        client.send_text("got it");
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "Ok(())");
        assert_eq!(
            told.recv_timeout(PATIENCE).unwrap(),
            r#"Ok(Some(Text(6 bytes, "got it")))"#
        );
        handle.shutdown();
    });
}

#[test]
fn m09_a_message_of_a_closure_that_is_read_in_a_trickle_ends_the_connection() {
    over_both(|attach| {
        let (handle, told) = closure(TRICKLE);
        let mut client = ask(&handle, attach);
        assert!(sip_long_frame(&mut client, TRICKLE).len() < LEN);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "Ok(())");
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "Err(SlowConsumer)");
        handle.shutdown();
    });
}

/// Two writers, one after the other, of a split WebSocket; and what its reader saw.
fn split(min_rate: usize) -> (Client<Duplex>, [JoinHandle<bool>; 2], JoinHandle<String>) {
    let (ours, mut theirs) = duplex();
    let opening = upgrade("localhost", "/", "");
    theirs.write_all(opening.as_bytes()).unwrap();
    let builder = Server::builder().limits(limits(min_rate));
    let (mut reader, mut writer) = builder.websocket(ours).unwrap().split();
    let client = Client::adopt(theirs);
    let mut second = writer.clone();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let first = thread::spawn(move || {
        begun.send(()).unwrap();
        writer.send(long()).is_ok()
    });
    let second = thread::spawn(move || {
        has_begun.recv().unwrap();
        second.send("behind it").is_ok()
    });
    let seen = thread::spawn(move || format!("{:?}", reader.read()));
    (client, [first, second], seen)
}

#[test]
fn m09_messages_of_writers_are_read_to_their_end_slowly() {
    let (mut client, writers, seen) = split(STEADY);
    let all = LONG_FRAME.len() + server_frame(true, 1, b"behind it").len();
    let begun = Instant::now();
    assert_eq!(sip(&mut client.stream, all, STEADY).len(), all);
    assert_took_longer(begun);
    assert_eq!(writers.map(|writer| writer.join().unwrap()), [true, true]);
    client.send_text("got it");
    assert_eq!(seen.join().unwrap(), r#"Ok(Some(Text(6 bytes, "got it")))"#);
}

#[test]
fn m09_a_message_of_a_writer_that_is_read_in_a_trickle_ends_the_connection() {
    let (mut client, [first, second], seen) = split(TRICKLE);
    assert!(sip(&mut client.stream, LEN, TRICKLE).len() < LEN);
    let taken = [first.join().unwrap(), second.join().unwrap()];
    assert!(taken.contains(&false), "{taken:?}");
    assert_eq!(seen.join().unwrap(), "Err(SlowConsumer)");
}

/// Sends a little at a time; as far as that goes.
fn dribble(stream: &mut impl Write, bytes: &[u8], min_rate: usize) {
    for part in bytes.chunks(SIP) {
        if stream.write_all(part).is_err() {
            return;
        }
        thread::sleep(pause(min_rate));
    }
}

#[test]
fn m09_a_message_arrives_though_it_takes_longer_than_the_assembly_timeout() {
    over_both(|attach| {
        let app = App::start(Server::builder().limits(limits(STEADY)), |_, _| {});
        let mut client = open(&app.handle, attach);
        let begun = Instant::now();
        dribble(
            &mut client.stream,
            &support::frame(true, 2, &long()),
            STEADY,
        );
        assert_took_longer(begun);
        let arrived = format!("binary {LEN} bytes");
        app.expect(&["open", &arrived]);
    });
}

#[test]
fn m09_a_message_that_trickles_in_ends_the_connection() {
    over_both(|attach| {
        let app = App::start(Server::builder().limits(limits(TRICKLE)), |_, _| {});
        let mut client = open(&app.handle, attach);
        let begun = Instant::now();
        dribble(
            &mut client.stream,
            &support::frame(true, 2, &long()),
            TRICKLE,
        );
        assert_took_longer(begun);
        app.expect(&[
            "open",
            "error the message was not complete within the assembly timeout",
            "close 1006  unclean",
        ]);
    });
}

/// The stream of a WebSocket that is not split may time out as it likes: a Close after a long message has its time.
#[test]
fn m09_a_websocket_that_may_not_block_closes_behind_what_is_read_slowly() {
    let (mut ours, mut theirs) = duplex();
    let opening = upgrade("localhost", "/", "");
    theirs.write_all(opening.as_bytes()).unwrap();
    ours.set_timeout(Some(PAUSE));
    let builder = Server::builder().limits(limits(STEADY));
    let mut ws: WebSocket<Duplex> = builder.websocket(ours).unwrap();
    let mut client = Client::adopt(theirs);
    let reading = thread::spawn(move || {
        let got = sip(&mut client.stream, LONG_FRAME.len(), STEADY);
        let close = client.read();
        client.send_close(1000, "");
        (got == *LONG_FRAME, close.close().0)
    });
    ws.send(Message::from(long())).unwrap();
    ws.close(1000, "").unwrap();
    let begun = Instant::now();
    while ws.buffered_amount() > 0 {
        assert!(begun.elapsed() < PATIENCE);
        let _ = ws.flush();
    }
    assert_took_longer(begun);
    let end = loop {
        match ws.read() {
            Err(error) if error.to_string().contains("timed out") => {}
            end => break end,
        }
    };
    assert!(matches!(end, Ok(None)), "{end:?}");
    assert!(ws.close_event().unwrap().was_clean);
    assert_eq!(reading.join().unwrap(), (true, 1000));
}
