//! Messages that are sent while they are made, and read while they arrive: every form that has a thread of its own,
//! over streams in memory.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::{PATIENCE, duplex, wait_until};
use wshub::testing::{Client, Duplex, Frame};
use wshub::{
    CloseCode, CloseEvent, Error, HandlerResult, Limits, MessageStream, Overflow, SendErrorKind,
    Server, ServerBuilder, ServerHandle, Session, Violation, WebSocket,
};

/// More than the limits let in at once, or any of the streams holds.
const LONG: usize = 3 << 20;
const MAX: u64 = 4 << 20;

fn limits() -> Limits {
    Limits {
        max_message: 16 << 10,
        max_fragments: 8,
        ..Limits::default()
    }
}

/// Bytes that tell their place.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n / 7 + n % 251) as u8).collect()
}

/// A server's closure for connections in memory, and a client of it.
fn serve(
    builder: ServerBuilder,
    handler: impl Fn(Session<'_>) -> HandlerResult + Send + Sync + 'static,
) -> (ServerHandle, Client<Duplex>) {
    let handle = builder.serve("127.0.0.1:0", handler).unwrap();
    let (ours, theirs) = duplex();
    handle.attach(ours);
    (handle, open(theirs))
}

fn open(stream: Duplex) -> Client<Duplex> {
    Client::open(stream, "/").unwrap()
}

/// A WebSocket over a stream, and a client that runs on a thread of its own.
fn pair<T: Send + 'static>(
    client: impl FnOnce(Client<Duplex>) -> T + Send + 'static,
) -> (WebSocket<Duplex>, thread::JoinHandle<T>) {
    let (mut ours, theirs) = duplex();
    ours.set_timeout(Some(PATIENCE));
    let client = thread::spawn(move || client(open(theirs)));
    let ws = Server::builder().limits(limits()).websocket(ours).unwrap();
    (ws, client)
}

/// Sends it in fragments of several sizes, with a ping between any two; how many these were.
fn upload(client: &mut Client<Duplex>, opcode: u8, content: &[u8]) -> usize {
    let sizes = [1, 100, 0, 20_000, 7];
    let (mut rest, mut pings, mut opcode) = (content, 0, opcode);
    for size in sizes.iter().cycle() {
        let (part, more) = rest.split_at(rest.len().min(*size));
        rest = more;
        client.send_frame(rest.is_empty(), opcode, part).unwrap();
        opcode = 0;
        if rest.is_empty() {
            return pings;
        }
        client.ping(&[7]).unwrap();
        pings += 1;
        assert_eq!(
            client.read_frame().unwrap().opcode,
            10,
            "answered meanwhile"
        );
    }
    unreachable!()
}

fn read_all(stream: &mut MessageStream<'_>) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).map(|_| all)
}

/// A source that gives what it has in pieces, and then says so.
struct Source(Vec<io::Result<Vec<u8>>>);

impl Read for Source {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let piece = self.0.remove(0)?;
        room[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// Gives nothing more until it is told to.
struct Held(Receiver<Vec<u8>>);

impl Read for Held {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.recv().unwrap_or_default();
        room[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// All frames of one message.
fn message_frames(client: &mut Client<Duplex>) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.last().is_none_or(|last: &Frame| !last.fin) {
        frames.push(client.read_frame().unwrap());
    }
    frames
}

#[test]
fn a_session_takes_and_gives_more_than_its_limits() {
    let (handle, mut client) = serve(Server::builder().limits(limits()), |mut ws| {
        let all = match ws.read_stream(MAX)? {
            Some(mut upload) => read_all(&mut upload)?,
            None => return Ok(()),
        };
        assert_eq!(ws.send_stream(&all[..])?, all.len() as u64);
        // After both, messages are what they were.
        while let Some(message) = ws.read()? {
            ws.send(message)?;
        }
        Ok(())
    });
    let content = bytes(LONG);
    assert!(upload(&mut client, 2, &content) > 100);
    assert_eq!(client.read_message().unwrap(), Some(content.into()));
    client.send_text("again").unwrap();
    assert_eq!(client.read_message().unwrap(), Some("again".into()));
    // A session counts what it has taken when it reads on, and what it has sent when that has left.
    wait_until("all is counted", || {
        let stats = handle.stats();
        (stats.bytes_in as usize, stats.messages_out) == (LONG + 5, 2)
    });
    client.close(1000, "").unwrap();
}

#[test]
fn a_stream_of_ones_own_does_too() {
    let content = bytes(LONG);
    let (mut ws, client) = pair(move |mut client| {
        let content = bytes(LONG);
        upload(&mut client, 2, &content);
        assert_eq!(client.read_message().unwrap(), Some(content.into()));
    });
    let mut upload = ws.read_stream(MAX).unwrap().unwrap();
    assert!(!upload.is_text());
    assert!(read_all(&mut upload).unwrap() == content);
    assert_eq!(ws.send_stream(&content[..]).unwrap(), LONG as u64);
    client.join().unwrap();
}

#[test]
fn so_do_the_halves_and_a_message_of_a_clone_waits_for_the_end() {
    let (ws, client) = pair(|mut client| {
        upload(&mut client, 1, "grüße ".repeat(50_000).as_bytes());
        let frames = message_frames(&mut client);
        let behind = client.read_message().unwrap();
        (frames, behind, client)
    });
    let (mut reader, mut writer) = ws.split();
    {
        let mut upload = reader.read_stream(MAX).unwrap().unwrap();
        assert!(upload.is_text());
        let mut text = String::new();
        upload.read_to_string(&mut text).unwrap();
        assert_eq!(text, "grüße ".repeat(50_000));
    }
    let (source, held) = channel();
    let mut other = writer.clone();
    source.send(b"one".to_vec()).unwrap();
    let sending = thread::spawn(move || writer.send_stream(Held(held)));
    let waiting = thread::spawn(move || other.send("behind"));
    source.send(b"two".to_vec()).unwrap();
    drop(source);
    assert_eq!(sending.join().unwrap().unwrap(), 6);
    waiting.join().unwrap().unwrap();
    let (frames, behind, _client) = client.join().unwrap();
    let first = frames.iter().position(|frame| frame.opcode == 2);
    // The other one may have come before it, and not between.
    if let Some(first) = first {
        assert!(frames[first + 1..].iter().all(|frame| frame.opcode == 0));
        assert_eq!(behind, Some("behind".into()));
    }
}

#[test]
fn what_others_send_waits_behind_the_stream_within_the_bound() {
    let (source, held) = channel::<Vec<u8>>();
    let held = std::sync::Mutex::new(Some(held));
    let limits = Limits {
        outbound_per_connection: Some(64 << 10),
        ..limits()
    };
    let builder = Server::builder().limits(limits).overflow(Overflow::Refuse);
    let (tell, told) = channel();
    let (handle, mut client) = serve(builder, move |mut ws| {
        let held = held.lock().unwrap().take().unwrap();
        tell.send(ws.connection().clone()).unwrap();
        assert_eq!(ws.send_stream(Held(held))?, 6);
        let _ = ws.read();
        Ok(())
    });
    let connection = told.recv_timeout(PATIENCE).unwrap();
    source.send(b"one".to_vec()).unwrap();
    let first = client.read_frame().unwrap();
    assert_eq!(
        (first.fin, first.opcode, &first.payload[..]),
        (false, 2, &b"one"[..])
    );
    // Amid the stream: a control frame goes, messages wait, and not more of them than may.
    connection.ping().unwrap();
    assert_eq!(client.read_frame().unwrap().opcode, 9);
    let mut taken = 0;
    let refused = loop {
        match connection.send(vec![taken as u8; 10 << 10]) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((refused.kind(), taken), (SendErrorKind::Full, 6));
    assert!(connection.buffered_amount() > 60 << 10);
    let late = connection.clone();
    let waiting = thread::spawn(move || late.send_timeout(vec![6; 10 << 10], PATIENCE));
    source.send(b"two".to_vec()).unwrap();
    drop(source);
    let rest = message_frames(&mut client);
    assert!(rest.iter().all(|frame| frame.opcode == 0));
    assert_eq!(rest.concat_payloads(), b"two");
    for n in 0..=6 {
        let message = client.read_message().unwrap().unwrap();
        assert_eq!(message.as_bytes(), [n; 10 << 10]);
    }
    waiting.join().unwrap().unwrap();
    assert_eq!(handle.stats().dropped, 0);
}

trait ConcatPayloads {
    fn concat_payloads(&self) -> Vec<u8>;
}

impl ConcatPayloads for Vec<Frame> {
    fn concat_payloads(&self) -> Vec<u8> {
        self.iter()
            .flat_map(|frame| frame.payload.clone())
            .collect()
    }
}

/// Pings are answered while nothing is sent, a message is kept, and a Close ends the stream.
#[test]
fn a_session_attends_to_its_peer_between_two_fragments() {
    let (source, held) = channel::<Vec<u8>>();
    let held = std::sync::Mutex::new(Some(held));
    let (tell, told) = channel();
    let (_handle, mut client) = serve(Server::builder().limits(limits()), move |mut ws| {
        let held = held.lock().unwrap().take().unwrap();
        let first = ws.send_stream(Held(held)).unwrap();
        let kept = ws.read().unwrap();
        let sent = ws.send_stream(io::repeat(7));
        tell.send((
            first,
            kept,
            sent.unwrap_err().kind(),
            ws.read().unwrap(),
            ws.close_event().cloned(),
        ))
        .unwrap();
        Ok(())
    });
    client.ping(b"there?").unwrap();
    client.send_text("kept").unwrap();
    source.send(b"one".to_vec()).unwrap();
    let frames = [client.read_frame().unwrap(), client.read_frame().unwrap()];
    assert!(frames.iter().any(|frame| frame.opcode == 10));
    drop(source);
    while !client.read_frame().unwrap().fin {}
    // The second one never ends by itself.
    for _ in 0..10 {
        assert!(!client.read_frame().unwrap().fin);
    }
    client.send_frame(true, 8, &[0x0f, 0xa0]).unwrap();
    while client.read_frame().unwrap().opcode != 8 {}
    let (first, kept, sent, last, close) = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!((first, kept), (3, Some("kept".into())));
    assert_eq!((sent, last), (ErrorKind::BrokenPipe, None));
    assert_eq!(u16::from(close.unwrap().code), 4000);
}

/// A message that came while another one was sent is bounded as one that comes later.
#[test]
fn f08_the_bound_of_a_reader_holds_for_what_came_before_it() {
    let (source, held) = channel::<Vec<u8>>();
    let held = std::sync::Mutex::new(Some(held));
    let (tell, told) = channel();
    let (_handle, mut client) = serve(Server::builder().limits(limits()), move |mut ws| {
        let held = held.lock().unwrap().take().unwrap();
        ws.send_stream(Held(held))?;
        let refused = ws.read_stream(4).map(drop);
        let next = ws.read().unwrap();
        tell.send((refused, next, ws.close_event().cloned()))
            .unwrap();
        Ok(())
    });
    client.send_text("five5").unwrap();
    source.send(b"one".to_vec()).unwrap();
    assert!(!client.read_frame().unwrap().fin);
    drop(source);
    assert!(client.read_frame().unwrap().fin);
    let (code, _) = client.read_frame().unwrap().close().unwrap();
    assert_eq!(code, CloseCode::MESSAGE_TOO_BIG);
    let (refused, next, close) = told.recv_timeout(PATIENCE).unwrap();
    let too_big = Violation::MessageTooBig { limit: 4 };
    assert!(matches!(refused, Err(Error::Protocol(it)) if it == too_big));
    assert_eq!((next, close), (None, Some(CloseEvent::abnormal())));
}

/// What has begun cannot be taken back: the peer is told so.
#[test]
fn a_source_that_fails_closes_the_connection_if_something_had_left() {
    let failing = |pieces: usize| {
        let mut all: Vec<_> = (0..pieces).map(|_| Ok(vec![7; 10])).collect();
        all.push(Err(io::Error::new(ErrorKind::NotFound, "unplugged")));
        Source(all)
    };
    for pieces in [0, 2] {
        let (_handle, mut client) = serve(Server::builder(), move |mut ws| {
            let error = ws.send_stream(failing(pieces)).unwrap_err();
            assert_eq!(
                (error.kind(), &*error.to_string()),
                (ErrorKind::NotFound, "unplugged")
            );
            assert_eq!(ws.send("next").is_ok(), pieces == 0);
            let _ = ws.read();
            Ok(())
        });
        told_of_failure(&mut client, pieces);

        let (mut ws, client) = pair(move |mut client| told_of_failure(&mut client, pieces));
        let error = ws.send_stream(failing(pieces)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(ws.send("next").is_ok(), pieces == 0);
        client.join().unwrap();

        let (ws, client) = pair(move |mut client| told_of_failure(&mut client, pieces));
        let (_reader, mut writer) = ws.split();
        let error = writer.send_stream(failing(pieces)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(writer.send("next").is_ok(), pieces == 0);
        client.join().unwrap();
    }
}

fn told_of_failure(client: &mut Client<Duplex>, pieces: usize) {
    if pieces == 0 {
        return assert_eq!(client.read_message().unwrap(), Some("next".into()));
    }
    for _ in 0..pieces {
        assert!(!client.read_frame().unwrap().fin);
    }
    let (code, reason) = client.read_frame().unwrap().close().unwrap();
    assert_eq!(
        (code, &*reason),
        (
            CloseCode::INTERNAL_ERROR,
            "a message could not be sent to its end"
        )
    );
}

/// What waits after it never leaves: no other message comes between the fragments of one that has begun (RFC 6455 5.4).
#[test]
fn what_waits_behind_a_stream_that_fails_is_dropped() {
    let (tell, told) = channel();
    let (handle, mut client) = serve(Server::builder(), move |mut ws| {
        let connection = ws.connection().clone();
        let waits = Fails(move || connection.send("behind it").unwrap());
        tell.send(
            ws.send_stream(Source(vec![Ok(vec![1])]).chain(waits))
                .unwrap_err(),
        )
        .unwrap();
        let _ = ws.read();
        Ok(())
    });
    assert!(!client.read_frame().unwrap().fin);
    let (code, _) = client.read_frame().unwrap().close().unwrap();
    assert_eq!(code, CloseCode::INTERNAL_ERROR);
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap().to_string(),
        "unplugged"
    );
    assert_eq!(handle.stats().dropped, 1);
}

/// Does this, and fails.
struct Fails<F: FnMut()>(F);

impl<F: FnMut()> Read for Fails<F> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0();
        Err(io::Error::other("unplugged"))
    }
}

/// An empty message is a message.
#[test]
fn a_stream_of_nothing_counts_as_sent() {
    let (handle, mut client) = serve(Server::builder(), |mut ws| {
        assert_eq!(ws.send_stream(io::empty())?, 0);
        let _ = ws.read();
        Ok(())
    });
    assert_eq!(client.read_message().unwrap(), Some(Vec::new().into()));
    client.close(1000, "").unwrap();
    handle.shutdown();
    handle.wait();
    assert_eq!(handle.stats().messages_out, 1);
}

/// A source that panics closes its connection, too.
#[test]
fn a_source_that_panics_costs_its_connection() {
    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a source of a test")
        }
    }
    let (handle, mut client) = serve(Server::builder(), |mut ws| {
        ws.send_stream(Source(vec![Ok(vec![1])]).chain(Panics))?;
        Ok(())
    });
    assert!(!client.read_frame().unwrap().fin);
    let (code, _) = client.read_frame().unwrap().close().unwrap();
    assert_eq!(code, CloseCode::INTERNAL_ERROR);
    handle.shutdown();
    handle.wait();
    assert_eq!(handle.stats().handler_failures, 1);
}

/// How reading a stream ended, and what the connection says next.
fn end_of(
    max: u64,
    client: impl FnOnce(&mut Client<Duplex>) + Send + 'static,
) -> (Vec<u8>, io::Error, Option<u16>) {
    let (mut ws, client) = pair(move |mut it| {
        client(&mut it);
        let frame = it.read_frame().ok();
        frame.and_then(|frame| frame.close().ok())
    });
    let (mut seen, mut room) = (Vec::new(), [0; 1000]);
    let error = {
        let mut stream = ws.read_stream(max).unwrap().unwrap();
        loop {
            match stream.read(&mut room) {
                Ok(0) => panic!("it has no end"),
                Ok(read) => seen.extend(&room[..read]),
                Err(error) => break error,
            }
        }
    };
    assert_eq!(ws.read().unwrap(), None);
    drop(ws);
    let told = client.join().unwrap();
    (seen, error, told.map(|(code, _)| u16::from(code)))
}

#[test]
fn a_reader_is_told_how_a_message_ended_too_soon() {
    let (seen, error, told) = end_of(MAX, |client| {
        client.send_frame(false, 2, b"half").unwrap();
        client.send_frame(true, 8, &[3, 232]).unwrap();
    });
    assert_eq!(
        (&seen[..], error.kind(), told),
        (&b"half"[..], ErrorKind::UnexpectedEof, Some(1000))
    );

    let (seen, error, told) = end_of(10, |client| {
        client.send_frame(false, 2, b"0123456789").unwrap();
        client.send_frame(true, 0, b"x").unwrap();
    });
    assert_eq!(
        (&seen[..], error.kind(), told),
        (&b"0123456789"[..], ErrorKind::InvalidData, Some(1009))
    );
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<Error>());
    assert!(matches!(cause, Some(Error::Protocol(_))), "{error:?}");

    let (seen, error, told) = end_of(MAX, |client| {
        client.send_frame(false, 1, b"text").unwrap();
        client.send_frame(true, 0, b"\xff").unwrap();
    });
    assert_eq!(
        (&seen[..], error.kind(), told),
        (&b"text"[..], ErrorKind::InvalidData, Some(1007))
    );
}

/// The rest is thrown away as it comes, however long it is.
#[test]
fn a_reader_may_leave_half_way() {
    let (mut ws, client) = pair(|mut client| {
        for _ in 0..2 {
            upload(&mut client, 2, &bytes(200_000));
            client.send_text("next").unwrap();
        }
        assert_eq!(client.read_message().unwrap(), Some("done".into()));
    });
    let mut first = [0; 10];
    ws.read_stream(MAX)
        .unwrap()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    assert_eq!(first, bytes(200_000)[..10]);
    assert_eq!(ws.read().unwrap(), Some("next".into()));
    ws.read_stream(MAX)
        .unwrap()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    let mut next = ws.read_stream(MAX).unwrap().unwrap();
    assert_eq!(read_all(&mut next).unwrap(), b"next");
    ws.send("done").unwrap();
    client.join().unwrap();
}

/// Where the stream times out, nothing is lost.
#[test]
fn a_stream_that_times_out_is_read_on() {
    let (mut ours, theirs) = duplex();
    ours.set_timeout(Some(PATIENCE));
    let client = thread::spawn(move || open(theirs));
    let mut ws = WebSocket::accept(ours).unwrap();
    let mut client = client.join().unwrap();
    ws.get_mut()
        .set_timeout(Some(std::time::Duration::from_millis(1)));
    assert!(
        matches!(ws.read_stream(MAX), Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut)
    );
    // What was asked for in vain is forgotten.
    client.send_text("whole").unwrap();
    assert_eq!(ws.read().unwrap(), Some("whole".into()));
    client.send_frame(false, 2, b"one").unwrap();
    let mut stream = ws.read_stream(MAX).unwrap().unwrap();
    let mut room = [0; 10];
    assert_eq!(stream.read(&mut room).unwrap(), 3);
    assert_eq!(
        stream.read(&mut room).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    client.send_frame(true, 0, b"two").unwrap();
    assert_eq!(stream.read(&mut room).unwrap(), 3);
    assert_eq!(stream.read(&mut room).unwrap(), 0);
}

#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_come_as_what_they_were() {
    use wshub::Compression;
    let compression = Compression {
        client_context_takeover: true,
        ..Compression::default()
    };
    let builder = Server::builder().limits(limits()).compression(compression);
    let (mut ours, theirs) = duplex();
    ours.set_timeout(Some(PATIENCE));
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let sending = thread::spawn(move || {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{}: {}\r\n\r\n",
            offer[0].0, offer[0].1
        );
        let mut client = crate::support::Client::open(theirs, &head);
        let mut deflate = flate2::Compress::new(flate2::Compression::default(), false);
        for (opcode, content) in [(1, "grüße ".repeat(400_000).into_bytes()), (2, bytes(LONG))] {
            let mut packed = Vec::with_capacity(2 * LONG + 100);
            deflate
                .compress_vec(&content, &mut packed, flate2::FlushCompress::Sync)
                .unwrap();
            packed.truncate(packed.len() - 4);
            let mut first = 0x40 | opcode;
            let mut pieces = packed.chunks(1000).peekable();
            while let Some(piece) = pieces.next() {
                client.send(pieces.peek().is_none(), first, piece);
                first = 0;
            }
        }
        client
    });
    let mut ws = builder.websocket(ours).unwrap();
    assert!(ws.extensions().contains("permessage-deflate"));
    let text = read_all(&mut ws.read_stream(MAX).unwrap().unwrap()).unwrap();
    assert!(text == "grüße ".repeat(400_000).into_bytes());
    let binary = read_all(&mut ws.read_stream(MAX).unwrap().unwrap()).unwrap();
    assert!(binary == bytes(LONG));
    drop(sending.join().unwrap());
}
