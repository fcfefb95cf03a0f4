//! A peer's whole side of a connection, from the request on: events come in order, the messages are those of the
//! frames, what the server answers is well-formed, and nothing of the connection stays.

use std::io::IoSlice;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::pieces;
use super::receiver::{Seen, Stop, receive};
use crate::handshake::negotiate;
use crate::handshake::pattern::OriginPattern;
use crate::handshake::rules::Rules;
use crate::http::Request;
use crate::http::head::{HeadLimits, HeadScanner};
use crate::testing::{Duplex, duplex};
use crate::{CloseEvent, Event, Events, How, Limits, Message, Server, Transport};

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than this could fill the stream while nobody reads.
const LONGEST: usize = 16 << 10;

/// Sends `data` to a server that echoes, ends its side, and reads to the end.
pub fn session(data: &[u8]) {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if data.len() > LONGEST {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let server = SERVER.get_or_init(start);
    let before = server.stats();
    let (ours, peer) = duplex();
    server.attach(ours);
    for piece in pieces(data) {
        let written = peer.try_write(&[IoSlice::new(piece)]);
        // The server may have answered and left.
        assert!(written.is_err() || written.is_ok_and(|written| written == piece.len()));
    }
    peer.shutdown(How::Write);

    let head = opening_head(data);
    let mut events = server.events();
    let taken = head.map(|_| take_events(&mut events));
    let answer = read_to_end(&peer);
    assert!(events.try_recv().is_err(), "an event after the end");
    let after = server.stats();
    assert_eq!(
        (after.connections, after.inbound_bytes),
        (0, 0),
        "{after:?}"
    );
    assert_eq!(after.opened - before.opened, u64::from(taken.is_some()));
    match (head, taken) {
        (Some(length), Some(taken)) => {
            assert_eq!(
                after.messages_in - before.messages_in,
                taken.messages.len() as u64
            );
            check_events(&data[length..], &taken);
            check_answer(&data[length..], &taken, &answer);
        }
        _ => assert!(
            !answer.starts_with(b"HTTP/1.1 101"),
            "opened against the rules"
        ),
    }
}

fn start() -> Server {
    let limits = Limits {
        max_message: 1 << 20,
        max_fragments: u32::MAX,
        accept_non_minimal_lengths: true,
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits).origins(["*"]);
    builder.without_listener().expect("a thread")
}

/// How long the head is, if it opens a WebSocket.
fn opening_head(data: &[u8]) -> Option<usize> {
    let mut scanner = HeadScanner::new(HeadLimits::default());
    let length = scanner.scan(data).ok()??;
    let request = Request::parse(&data[..length]).ok()?;
    let rules = Rules {
        loopback: true,
        origins: vec![OriginPattern::Any],
        ..Rules::default()
    };
    let opens =
        request.wants_upgrade() && negotiate::upgrade(&request, &rules, |_| Ok(false)).is_ok();
    opens.then_some(length)
}

/// The events that the application took.
struct TakenEvents {
    messages: Vec<Message>,
    error: bool,
    close: CloseEvent,
}

fn take_events(events: &mut Events<'_>) -> TakenEvents {
    let mut next = || events.recv_timeout(PATIENCE).expect("an event");
    let Event::Open(opened) = next() else {
        panic!("the first event is Open");
    };
    let (mut messages, mut error) = (Vec::new(), false);
    loop {
        let event = next();
        assert_eq!(*event.connection(), opened);
        match event {
            Event::Message(connection, message) => {
                assert!(!error);
                messages.push(message.clone());
                // The peer may have left.
                let _ = connection.send(message);
            }
            Event::Error(..) => assert!(!std::mem::replace(&mut error, true)),
            Event::Drained(_) => unreachable!("nothing is refused so"),
            Event::Close(_, close) => {
                return TakenEvents {
                    messages,
                    error,
                    close,
                };
            }
            Event::Open(_) => panic!("a second Open"),
        }
    }
}

fn read_to_end(peer: &Duplex) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match peer.read(&mut buffer, Some(Instant::now() + PATIENCE)) {
            Ok(0) => return all,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(error) => panic!("the server did not end the stream: {error}"),
        }
    }
}

fn messages(seen: &[Seen]) -> Vec<Message> {
    let message = |event: &Seen| match event {
        Seen::Text(text) => Some(text.clone().into()),
        Seen::Binary(bytes) => Some(bytes.clone().into()),
        _ => None,
    };
    seen.iter().filter_map(message).collect()
}

fn check_events(frames: &[u8], taken: &TakenEvents) {
    let (seen, end) = receive(true, frames);
    assert_eq!(taken.messages, messages(&seen));
    assert_eq!(taken.error, matches!(end, Stop::Violated(_)));
    match (end, seen.last()) {
        (Stop::Closed, Some(Seen::Close(code, reason))) => {
            assert_eq!(taken.close.code, code.unwrap_or(1005));
            assert_eq!(taken.close.reason, *reason);
            assert!(taken.close.was_clean);
        }
        _ => assert_eq!(taken.close, CloseEvent::abnormal()),
    }
}

/// The 101, then echoes in order, pongs to pings, and one Close, if the peer's frames gave time for it.
fn check_answer(frames: &[u8], taken: &TakenEvents, answer: &[u8]) {
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n");
    let (sent, sent_end) = receive(false, &answer[end.expect("a whole head") + 4..]);
    let echoed = messages(&sent);
    assert!(taken.messages.starts_with(&echoed));
    let (seen, end) = receive(true, frames);
    for event in &sent {
        if let Seen::Pong(payload) = event {
            assert!(seen.contains(&Seen::Ping(payload.clone())));
        }
    }
    match end {
        // The stream ended in the middle of things.
        Stop::More(_) => {}
        Stop::Closed => {
            assert_eq!(sent_end, Stop::Closed);
            assert_eq!(echoed, taken.messages);
        }
        Stop::Violated(violation) => {
            let code = Some(u16::from(violation.close_code()));
            assert!(matches!(sent.last(), Some(Seen::Close(sent, _)) if *sent == code));
            assert_eq!(echoed, taken.messages);
        }
    }
}
