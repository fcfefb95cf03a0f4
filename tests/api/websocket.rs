//! `WebSocket` in the server's role over streams that a script drives: what it answers, what it
//! returns, and that no timeout, short write or error loses or tears anything.

use std::io::ErrorKind::{
    self, BrokenPipe, ConnectionReset, Interrupted, Other, TimedOut, WouldBlock,
};
use std::time::Duration;

use crate::support::scripted::Scripted;
use crate::support::{self, PATIENCE, frame, server_frame, upgrade};
use wshub::{
    Accept, CloseError, CloseEvent, Error, HandshakeError, Limits, Message, Refusal, Reject,
    SendErrorKind, Server, ServerBuilder, Violation, WebSocket, testing,
};

/// The shortest time that limits take.
const SHORT: Duration = Duration::from_millis(1);

fn request() -> String {
    upgrade("localhost", "/chat?room=7", "")
}

fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// An open connection whose peer sends what `script` adds.
fn open(script: impl FnOnce(Scripted) -> Scripted) -> WebSocket<Scripted> {
    open_with(&Server::builder(), script)
}

fn open_with(
    builder: &ServerBuilder,
    script: impl FnOnce(Scripted) -> Scripted,
) -> WebSocket<Scripted> {
    let stream = script(Scripted::default().then(request()));
    let mut ws = builder.websocket(stream).unwrap();
    let answer = String::from_utf8(ws.get_mut().take_written()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    ws
}

fn is_io(outcome: Result<Option<Message>, Error>, kind: ErrorKind) {
    match outcome {
        Err(Error::Io(error)) => assert_eq!(error.kind(), kind),
        other => panic!("{other:?}"),
    }
}

fn event(code: u16, reason: &str, was_clean: bool) -> CloseEvent {
    let mut event = CloseEvent::new(code, reason);
    event.was_clean = was_clean;
    event
}

#[test]
fn messages_come_in_order_however_they_are_cut() {
    let frames = [
        frame(true, 1, "grüße".as_bytes()),
        frame(false, 2, b"ab"),
        frame(true, 9, b"between"),
        frame(false, 0, b""),
        frame(true, 0, b"cd"),
        frame(true, 10, b"nobody asked"),
        frame(true, 1, b""),
    ]
    .concat();
    let in_one = open(|script| script.then(&frames));
    let bytewise = open(|script| script.then_bytewise(&frames));
    let with_the_head = Server::builder()
        .websocket(Scripted::default().then([request().as_bytes(), &frames].concat()))
        .unwrap();
    for mut ws in [in_one, bytewise, with_the_head] {
        ws.get_mut().take_written();
        assert_eq!(ws.read().unwrap(), Some("grüße".into()));
        assert_eq!(ws.read().unwrap(), Some(b"abcd".into()));
        assert_eq!(
            ws.get_mut().take_written(),
            server_frame(true, 10, b"between")
        );
        assert_eq!(ws.read().unwrap(), Some("".into()));
        assert_eq!(ws.close_event(), None);
        assert_eq!(ws.read().unwrap(), None);
        assert_eq!(ws.close_event(), Some(&event(1006, "", false)));
        assert_eq!(ws.read().unwrap(), None);
    }
}

#[test]
fn the_request_is_there() {
    let ws = open(|script| script);
    assert_eq!(ws.request().path(), "/chat");
    assert_eq!(ws.request().query_string(), Some("room=7"));
    assert_eq!(ws.protocol(), None);
}

#[test]
fn a_builder_gives_subprotocols_and_the_hook() {
    let builder = Server::builder()
        .subprotocols(["v2", "v1"])
        .accept(|request| match request.cookie("token") {
            Some("secret") => Ok(Accept::new().with_header("X-Room", "7")?),
            _ => Err(Reject::unauthorized()),
        });
    let headers = "Sec-WebSocket-Protocol: v1, v2\r\nCookie: token=secret\r\n";
    let stream = Scripted::default().then(upgrade("localhost", "/", headers));
    let ws = builder.websocket(stream).unwrap();
    assert_eq!(ws.protocol(), Some("v2"));
    let answer = String::from_utf8(ws.into_inner().written).unwrap();
    assert!(answer.contains("\r\nSec-WebSocket-Protocol: v2\r\n"));
    assert!(answer.contains("\r\nX-Room: 7\r\n"));

    let mut stream = Scripted::default().then(request());
    match builder.websocket(&mut stream) {
        Err(HandshakeError::Refused(Refusal::HookRejected(reject))) => {
            assert_eq!(reject.status(), 401);
        }
        other => panic!("{other:?}"),
    }
    let answer = String::from_utf8(stream.written).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[test]
fn m08_a_head_that_is_refused_gets_no_body() {
    for sent in [
        "HEAD / HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost",
        "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut stream = Scripted::default().then(sent);
        let refused = WebSocket::accept(&mut stream);
        assert!(
            matches!(refused, Err(HandshakeError::Refused(_))),
            "{refused:?}"
        );
        let answer = String::from_utf8(stream.written).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 4") && answer.ends_with("\r\n\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\nDate: "), "{answer}");
    }
}

#[test]
fn who_is_refused_gets_a_whole_answer_and_the_caller_the_reason() {
    let upgrade = |headers: &str| upgrade("localhost", "/", headers);
    let long = format!("Cookie: {}\r\n", "x".repeat(17_000));
    for (sent, status, reason) in [
        (upgrade("Origin: https://evil.example\r\n"), 403, "origin"),
        (
            upgrade("").replace("Version: 13", "Version: 8"),
            426,
            "version",
        ),
        (upgrade("").replace("GET", "POST"), 405, "method"),
        (
            upgrade("").replace("\r\nHost", "\r\n Host"),
            400,
            "malformed",
        ),
        (upgrade(&long), 431, "head_too_large"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), 426, "upgrade"),
        ("GET / HTTP/3.0\r\n\r\n".into(), 505, "http_version"),
    ] {
        let mut stream = Scripted::default().then(&sent);
        let refusal = match WebSocket::accept(&mut stream) {
            Err(HandshakeError::Refused(refusal)) => refusal,
            other => panic!("{sent:?}: {other:?}"),
        };
        assert_eq!((refusal.status(), refusal.reason()), (Some(status), reason));
        let answer = String::from_utf8(stream.written).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("\r\nConnection: close"), "{answer}");
        assert!(answer.ends_with(&format!("{refusal}\n")), "{answer}");
    }
}

#[test]
fn a_head_request_gets_a_head_only() {
    let mut stream = Scripted::default().then("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    WebSocket::accept(&mut stream).unwrap_err();
    let answer = String::from_utf8(stream.written).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn a_handshake_that_does_not_come_is_given_up() {
    let refused = |stream: &mut Scripted| match WebSocket::accept(stream) {
        Err(HandshakeError::Refused(refusal)) => refusal.reason(),
        other => panic!("{other:?}"),
    };
    // The stream's own timeout, with and without a first byte.
    let mut silent = Scripted::default().then_fails(TimedOut);
    assert_eq!(refused(&mut silent), "silence");
    assert_eq!(silent.written, b"");
    let mut half = Scripted::default().then("GET / HT").then_fails(WouldBlock);
    assert_eq!(refused(&mut half), "timeout");
    assert!(half.written.starts_with(b"HTTP/1.1 408 "));
    let mut left = Scripted::default();
    assert_eq!(refused(&mut left), "peer_left");
    assert_eq!(left.written, b"");
    let mut cut = Scripted::default().then("GET / HT");
    assert_eq!(refused(&mut cut), "malformed");
    assert!(cut.written.starts_with(b"HTTP/1.1 400 "));

    // The handshake's own deadline, looked at between reads.
    let limits = Limits {
        handshake_timeout: SHORT,
        ..Limits::default()
    };
    let mut slow = Scripted::default()
        .slowly(2 * SHORT)
        .then_bytewise(request());
    let outcome = Server::builder().limits(limits).websocket(&mut slow);
    assert!(matches!(
        outcome,
        Err(HandshakeError::Refused(Refusal::Silence | Refusal::Timeout))
    ));
}

#[test]
fn a_stream_that_fails_in_the_handshake_says_so() {
    let mut stream = Scripted::default().then("GET").then_fails(Other);
    match WebSocket::accept(&mut stream) {
        Err(HandshakeError::Io(error)) => assert_eq!(error.kind(), Other),
        other => panic!("{other:?}"),
    }
    let mut stream = Scripted::default().then(request());
    stream.add_write(Ok(10));
    stream.add_write(Err(BrokenPipe));
    match WebSocket::accept(&mut stream) {
        Err(HandshakeError::Io(error)) => assert_eq!(error.kind(), BrokenPipe),
        other => panic!("{other:?}"),
    }
    // A setting that could never match is the caller's fault, and nothing is read for it.
    let builder = Server::builder().subprotocols(["two words"]);
    match builder.websocket(Scripted::default()) {
        Err(HandshakeError::Io(error)) => assert_eq!(error.kind(), ErrorKind::InvalidInput),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signal_ends_neither_the_handshake_nor_a_send() {
    let mut stream = Scripted::default().then_fails(Interrupted).then(request());
    stream.add_write(Err(Interrupted));
    stream.add_flush_failure(Interrupted);
    let mut ws = WebSocket::accept(stream).unwrap();
    ws.get_mut().take_written();
    ws.get_mut().add_flush_failure(Interrupted);
    ws.send("hello").unwrap();
    assert_eq!(ws.get_mut().take_written(), server_frame(true, 1, b"hello"));
}

#[test]
fn a_timeout_loses_nothing_wherever_it_comes() {
    let message = frame(true, 1, b"hello");
    for cut in 0..=message.len() {
        for kind in [WouldBlock, TimedOut] {
            let (a, b) = message.split_at(cut);
            let mut ws = open(|mut script| {
                for part in [a, b] {
                    if !part.is_empty() {
                        script.add_read(part);
                    }
                    script.add_read_failure(kind);
                }
                script.then_fails(Interrupted).then(frame(true, 2, b"!"))
            });
            let mut seen = Vec::new();
            for _ in 0..4 {
                match ws.read() {
                    Ok(message) => seen.push(message.unwrap()),
                    outcome => is_io(outcome, kind),
                }
            }
            assert_eq!(seen, ["hello".into(), Message::from(b"!")], "cut at {cut}");
        }
    }
}

#[test]
fn what_a_write_leaves_goes_first_and_no_frame_is_torn() {
    let long = "x".repeat(1_000);
    for taken in [0, 1, 2, 3, 4, 500, 1_003] {
        let mut ws = open(|script| script);
        for _ in 0..taken.min(1) {
            ws.get_mut().add_write(Ok(taken));
        }
        ws.get_mut().add_write(Err(WouldBlock));
        ws.send(long.as_str()).unwrap();
        assert_eq!(ws.buffered_amount(), 1_004 - taken);

        // The next one is not taken while the first one waits.
        ws.get_mut().add_write(Err(Interrupted));
        ws.get_mut().add_write(Err(TimedOut));
        let error = ws.send("second").unwrap_err();
        assert_eq!(error.kind(), SendErrorKind::Io(TimedOut));
        assert_eq!(error.into_message(), "second".into());
        ws.get_mut().add_write(Err(WouldBlock));
        assert_eq!(ws.ping().unwrap_err(), SendErrorKind::Io(WouldBlock));

        ws.send("third").unwrap();
        assert_eq!(ws.buffered_amount(), 0);
        let expected = [
            server_frame(true, 1, long.as_bytes()),
            server_frame(true, 1, b"third"),
        ];
        assert_eq!(ws.get_mut().take_written(), expected.concat());
    }
}

#[test]
fn single_byte_writes_are_whole_frames() {
    let mut ws = open(|script| script.then(frame(true, 9, b"?")));
    for _ in 0..2_000 {
        ws.get_mut().add_write(Ok(1));
        ws.get_mut().add_write(Err(Interrupted));
    }
    ws.send("y".repeat(1_000)).unwrap();
    assert_eq!(ws.read().unwrap(), None);
    let expected = [
        server_frame(true, 1, "y".repeat(1_000).as_bytes()),
        server_frame(true, 10, b"?"),
    ];
    assert_eq!(ws.get_mut().take_written(), expected.concat());
}

#[test]
fn f15_while_the_stream_takes_nothing_the_latest_ping_wins() {
    let mut ws = open(|mut script| {
        for i in 0..1_000u32 {
            script.add_read(frame(true, 9, &i.to_be_bytes()));
        }
        script.then_fails(WouldBlock)
    });
    for _ in 0..1_000 {
        ws.get_mut().add_write(Err(WouldBlock));
    }
    is_io(ws.read(), WouldBlock);
    assert_eq!(ws.buffered_amount(), 6, "one pong waits, one more is owed");
    ws.flush().unwrap();
    let expected = [
        server_frame(true, 10, &0u32.to_be_bytes()),
        server_frame(true, 10, &999u32.to_be_bytes()),
    ];
    assert_eq!(ws.get_mut().take_written(), expected.concat());
}

#[test]
fn every_ping_is_answered_while_the_stream_takes_it() {
    let pings: Vec<u8> = (0..100u8).flat_map(|i| frame(true, 9, &[i])).collect();
    let mut ws = open(|script| script.then(pings));
    assert_eq!(ws.read().unwrap(), None);
    let pongs: Vec<u8> = (0..100u8)
        .flat_map(|i| server_frame(true, 10, &[i]))
        .collect();
    assert_eq!(ws.get_mut().take_written(), pongs);
}

#[test]
fn a_pong_leaves_before_the_application_has_its_message() {
    let bytes = [frame(true, 9, b"?"), frame(true, 1, b"work")].concat();
    let mut ws = open(|script| script.then(bytes));
    assert_eq!(ws.read().unwrap(), Some("work".into()));
    assert_eq!(ws.get_mut().take_written(), server_frame(true, 10, b"?"));
}

#[test]
fn the_peer_closes() {
    for (sent, answer, code, reason) in [
        (
            close_payload(1000, "bye"),
            close_payload(1000, ""),
            1000,
            "bye",
        ),
        (close_payload(4000, ""), close_payload(4000, ""), 4000, ""),
        (vec![], vec![], 1005, ""),
    ] {
        let late = frame(true, 1, b"too late");
        let mut ws = open(|script| script.then([frame(true, 8, &sent), late].concat()));
        assert_eq!(ws.read().unwrap(), None);
        assert_eq!(ws.close_event(), Some(&event(code, reason, true)));
        assert_eq!(ws.get_mut().take_written(), server_frame(true, 8, &answer));
        assert_eq!(ws.read().unwrap(), None);
        assert_eq!(ws.send("x").unwrap_err().kind(), SendErrorKind::Closed);
        assert_eq!(ws.close(1000, "").unwrap_err(), CloseError::Closed);
        assert_eq!(ws.get_mut().take_written(), b"");
    }
}

#[test]
fn we_close_and_messages_on_their_way_still_come() {
    let answer = frame(true, 8, &close_payload(4001, "you too"));
    let mut ws = open(|script| script.then(frame(true, 1, b"meanwhile")).then(answer));
    assert_eq!(
        ws.close(1005, "").unwrap_err(),
        CloseError::ReservedCode(1005.into())
    );
    ws.close(4001, "enough").unwrap();
    assert_eq!(ws.close(4001, "").unwrap_err(), CloseError::Closed);
    assert_eq!(ws.send("x").unwrap_err().kind(), SendErrorKind::Closed);
    assert_eq!(ws.read().unwrap(), Some("meanwhile".into()));
    assert_eq!(ws.read().unwrap(), None);
    assert_eq!(ws.close_event(), Some(&event(4001, "you too", true)));
    let close = server_frame(true, 8, &close_payload(4001, "enough"));
    assert_eq!(ws.get_mut().take_written(), close);
}

#[test]
fn f13_a_peer_that_never_answers_our_close_is_left_in_time() {
    let limits = Limits {
        close_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits);
    let mut ws = open_with(&builder, |mut script| {
        for _ in 0..1_000 {
            script.add_read(frame(true, 9, b"still here"));
        }
        script
    });
    ws.close(1000, "").unwrap();
    assert_eq!(ws.read().unwrap(), None);
    assert_eq!(ws.close_event(), Some(&event(1006, "", false)));
}

#[test]
fn a_close_that_cannot_leave_now_leaves_later() {
    let mut ws = open(|script| script.then(frame(true, 8, &close_payload(1000, "bye"))));
    for _ in 0..3 {
        ws.get_mut().add_write(Err(WouldBlock));
    }
    is_io(ws.read(), WouldBlock);
    assert_eq!(ws.close_event(), None);
    is_io(ws.read(), WouldBlock);
    assert_eq!(ws.read().unwrap(), None);
    assert_eq!(ws.close_event(), Some(&event(1000, "bye", true)));
    let close = server_frame(true, 8, &close_payload(1000, ""));
    assert_eq!(ws.get_mut().take_written(), close);
}

#[test]
fn a_close_whose_answer_is_lost_is_not_clean() {
    let mut ws = open(|script| script.then(frame(true, 8, &close_payload(1000, "bye"))));
    ws.get_mut().add_write(Err(ConnectionReset));
    assert_eq!(ws.read().unwrap(), None);
    assert_eq!(ws.close_event(), Some(&event(1000, "bye", false)));
}

#[test]
fn violations_are_told_and_returned() {
    for (sent, violation, code) in [
        (server_frame(true, 1, b"x"), Violation::UnmaskedFrame, 1002),
        (vec![0xc1], Violation::ReservedBits, 1002),
        (vec![0x83], Violation::UnknownOpcode(3), 1002),
        (frame(false, 9, b""), Violation::FragmentedControl, 1002),
        (frame(true, 0, b""), Violation::UnexpectedContinuation, 1002),
        (frame(true, 1, b"\xff"), Violation::InvalidUtf8, 1007),
        (
            frame(true, 2, &[0; 101]),
            Violation::MessageTooBig { limit: 100 },
            1009,
        ),
        (
            [
                frame(false, 1, b""),
                frame(false, 0, b""),
                frame(false, 0, b""),
            ]
            .concat(),
            Violation::TooManyFragments { limit: 2 },
            1008,
        ),
        (frame(true, 8, b"x"), Violation::TruncatedCloseCode, 1002),
    ] {
        let limits = Limits {
            max_message: 100,
            max_fragments: 2,
            ..Limits::default()
        };
        let builder = Server::builder().limits(limits);
        let mut ws = open_with(&builder, |script| script.then(&sent).then(b"more"));
        match ws.read() {
            Err(Error::Protocol(found)) => assert_eq!(found, violation),
            other => panic!("{other:?}"),
        }
        let close = server_frame(true, 8, &close_payload(code, &violation.to_string()));
        assert_eq!(ws.get_mut().take_written(), close);
        assert_eq!(ws.close_event(), Some(&event(1006, "", false)));
        assert_eq!(ws.read().unwrap(), None);
        assert_eq!(ws.send("x").unwrap_err().kind(), SendErrorKind::Closed);
    }
}

#[test]
fn f07_a_message_that_dribbles_is_given_up() {
    let limits = Limits {
        assembly_timeout: SHORT,
        ..Limits::default()
    };
    let builder = Server::builder().limits(limits);
    let mut ws = open_with(&builder, |script| {
        script
            .slowly(2 * SHORT)
            .then_bytewise(frame(true, 1, b"slow"))
    });
    assert!(matches!(ws.read(), Err(Error::AssemblyTimeout)));
    assert_eq!(ws.get_mut().take_written()[..4], [0x88, 58, 0x03, 0xf0]);
}

#[test]
fn a_peer_that_is_gone_is_an_end_and_other_errors_are_errors() {
    for kind in [ConnectionReset, BrokenPipe, ErrorKind::UnexpectedEof] {
        let mut ws = open(|script| script.then_fails(kind));
        assert_eq!(ws.read().unwrap(), None);
        assert_eq!(ws.close_event(), Some(&event(1006, "", false)));
    }
    let mut ws = open(|script| script.then_fails(Other).then(frame(true, 1, b"after")));
    is_io(ws.read(), Other);
    assert_eq!(ws.read().unwrap(), Some("after".into()));
}

#[test]
fn a_write_that_fails_gives_the_message_back_and_reading_shows_the_end() {
    let mut ws = open(|script| script.then(frame(true, 8, &close_payload(1001, "going"))));
    ws.get_mut().add_write(Ok(3));
    ws.get_mut().add_write(Err(BrokenPipe));
    let error = ws.send("lost").unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Io(BrokenPipe));
    assert_eq!(error.into_message(), "lost".into());
    assert_eq!(ws.send("x").unwrap_err().kind(), SendErrorKind::Closed);
    assert_eq!(ws.close(1000, "").unwrap_err(), CloseError::Closed);
    // What the peer said before it went is not lost.
    assert_eq!(ws.read().unwrap(), None);
    assert_eq!(ws.close_event(), Some(&event(1001, "going", false)));
}

#[test]
fn a_stream_that_fails_for_writing_ends_the_connection() {
    let mut ws = open(|script| script.then(frame(true, 9, b"?")).then_fails(WouldBlock));
    ws.get_mut().add_write(Err(Other));
    is_io(ws.read(), Other);
    assert_eq!(ws.close_event(), Some(&event(1006, "", false)));
    let mut ws = open(|script| script);
    ws.get_mut().add_write(Ok(0));
    assert_eq!(
        ws.send("x").unwrap_err().kind(),
        SendErrorKind::Io(ErrorKind::WriteZero)
    );
}

#[test]
fn over_a_duplex_with_the_test_client() {
    let (ours, theirs) = testing::duplex();
    let server = std::thread::spawn(move || {
        let mut ws = WebSocket::accept(ours).unwrap();
        while let Some(message) = ws.read()? {
            ws.send(message)?;
        }
        Ok::<_, Error>(ws.close_event().cloned())
    });
    let mut client = testing::Client::open(theirs, "/").unwrap();
    client
        .send_fragments(1, &[b"one ", b"two ", b"three"])
        .unwrap();
    assert_eq!(client.read_message().unwrap(), Some("one two three".into()));
    let big = vec![7; 1 << 20];
    client.send_binary(&big).unwrap();
    assert_eq!(client.read_message().unwrap(), Some(big.into()));
    let (code, _) = client.close(1000, "bye").unwrap();
    assert_eq!(code, 1000);
    let ended = server.join().unwrap().unwrap();
    assert_eq!(ended, Some(event(1000, "bye", true)));
}

#[test]
fn over_tcp_with_timeouts_between() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let client = std::thread::spawn(move || {
        let mut client = support::Client::connect(addr);
        assert_eq!(client.read().text(), "first");
        client.send_text("second");
        client.send_close(1000, "");
        client.read().close();
        assert!(client.at_end());
    });
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ws = WebSocket::accept(stream).unwrap();
    let short = Some(Duration::from_millis(1));
    ws.get_ref().set_read_timeout(short).unwrap();
    assert!(matches!(ws.read(), Err(Error::Io(_))), "nothing came yet");
    ws.send("first").unwrap();
    let message = loop {
        match ws.read() {
            Ok(message) => break message,
            outcome => is_io(outcome, support::READ_TIMEOUT),
        }
    };
    assert_eq!(message, Some("second".into()));
    ws.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(ws.read().unwrap(), None);
    drop(ws);
    client.join().unwrap();
}
