//! Frames as a client sends them, right and wrong: what comes back, and what the application sees.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::{
    Client, PATIENCE, frame, own_loopback, read_to_close, reset, throw, wait_until,
};
use wshub::{CloseError, Connection, Limits, Message, Server, ServerBuilder};

/// Short, to show deadlines.
const SHORT: Duration = Duration::from_millis(300);

fn with_limits(limits: Limits) -> ServerBuilder {
    Server::builder().limits(limits)
}

fn small() -> Limits {
    Limits {
        max_message: 1_000,
        max_fragments: 8,
        ..Limits::default()
    }
}

/// A frame's first bytes as they are given, then a mask of zeros, then the payload as it is.
fn raw(head: &[u8], payload: &[u8]) -> Vec<u8> {
    [head, &[0; 4], payload].concat()
}

fn close_frame(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(true, 8, &[&code.to_be_bytes(), reason].concat())
}

fn assert_echoes(client: &mut Client) {
    client.send_text("still here");
    assert_eq!(client.read_message().text(), "still here");
}

/// Each of these ends its connection, and no other, with this code.
fn assert_violations(app: &App, violations: &[(&str, Vec<u8>, u16)]) {
    let mut bystander = Client::connect(app.addr);
    app.expect(&["open"]);
    for (error, bytes, code) in violations {
        let mut client = Client::connect(app.addr);
        client.stream.write_all(bytes).unwrap();
        let answer = client.read();
        assert_eq!(answer.close(), (*code, *error), "{bytes:02x?}");
        assert!(client.at_end(), "{error}");
        app.expect(&["open", &format!("error {error}"), "close 1006  unclean"]);
        assert_echoes(&mut bystander);
        app.expect(&["text still here"]);
    }
    drop(bystander);
    app.expect(&["close 1006  unclean"]);
    wait_until("every connection is gone", || {
        app.handle.stats().connections == 0
    });
    assert!(app.is_quiet());
}

#[test]
fn f01_to_f04_malformed_headers_get_1002() {
    let app = App::echo(Server::builder());
    let unmasked = "a client's frame was not masked";
    let reserved = "a reserved bit was set without an extension that uses it";
    let fragmented = "a control frame was fragmented";
    let long = "a control frame was longer than 125 bytes";
    let length = "a frame's length was not in its shortest form";
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_violations(
        &app,
        &[
            (unmasked, b"\x81\x05hello".to_vec(), 1002),
            (unmasked, b"\x88\x00".to_vec(), 1002),
            (reserved, raw(&[0xc1, 0x80], b""), 1002),
            (reserved, raw(&[0xa1, 0x80], b""), 1002),
            (reserved, raw(&[0x91, 0x80], b""), 1002),
            // Before any length is believed.
            (
                "unknown opcode 3",
                [&[0x83, 0xff], &huge[..]].concat(),
                1002,
            ),
            (
                "unknown opcode 15",
                [&[0x8f, 0xff], &huge[..]].concat(),
                1002,
            ),
            (fragmented, raw(&[0x09, 0x80], b""), 1002),
            (fragmented, raw(&[0x08, 0x80], b""), 1002),
            (long, raw(&[0x89, 0xfe, 0x00, 0x7e], &[b'x'; 126]), 1002),
            (long, raw(&[0x8a, 0xff, 0, 0, 0, 0, 0, 0, 0, 1], b"x"), 1002),
            (length, raw(&[0x81, 0xfe, 0x00, 0x05], b"hello"), 1002),
            (
                length,
                raw(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5], b"hello"),
                1002,
            ),
        ],
    );
}

#[test]
fn f04_longer_lengths_are_taken_where_that_is_set() {
    let app = App::echo(with_limits(Limits {
        accept_non_minimal_lengths: true,
        ..Limits::default()
    }));
    let mut client = Client::connect(app.addr);
    let bytes = raw(&[0x81, 0xfe, 0x00, 0x05], b"hello");
    client.stream.write_all(&bytes).unwrap();
    assert_eq!(client.read().text(), "hello");
}

#[test]
fn f05_lengths_beyond_every_bound() {
    let app = App::echo(with_limits(small()));
    let msb = "a frame's length had its highest bit set";
    let big = "a message was longer than 1000 bytes";
    let long = |first: u8, len: u64| {
        let head = [&[first, 0xff], &len.to_be_bytes()[..]].concat();
        raw(&head, b"")
    };
    let part = frame(false, 2, b"A");
    assert_violations(
        &app,
        &[
            (msb, long(0x81, 1 << 63), 1002),
            (msb, long(0x81, u64::MAX), 1002),
            (msb, [part.clone(), long(0x00, 1 << 63)].concat(), 1002),
            (big, long(0x81, (1 << 63) - 1), 1009),
            (big, long(0x82, 1 << 40), 1009),
            (
                big,
                [part.clone(), long(0x80, (1 << 63) - 1)].concat(),
                1009,
            ),
            // One byte too many, told by the header alone.
            (big, raw(&[0x82, 0xfe, 0x03, 0xe9], b""), 1009),
            (big, [part, frame(true, 0, &[0; 1_000])].concat(), 1009),
        ],
    );
    let mut client = Client::connect(app.addr);
    client.send_binary(&[7; 1_000]);
    assert_eq!(client.read().payload, [7; 1_000]);
}

#[test]
fn f07_a_byte_per_segment() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    client.stream.set_nodelay(true).unwrap();
    let text = "drip ".repeat(400);
    for byte in frame(true, 1, text.as_bytes()) {
        client.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(client.read().text(), text);
}

#[test]
fn f07_a_dripping_message_ends_at_the_assembly_timeout() {
    let app = App::echo(with_limits(Limits {
        assembly_timeout: SHORT,
        min_rate: 1 << 20,
        ..Limits::default()
    }));
    let mut bystander = Client::connect(app.addr);
    let mut client = Client::connect(app.addr);
    let begun = Instant::now();
    let message = frame(true, 1, &vec![b'x'; 1 << 20]);
    // The bystander's round trip is the pause between two bytes. A fast machine sends tens of thousands within the
    // timeout and the lingering close after it.
    let sent = message.iter().take_while(|byte| {
        assert_echoes(&mut bystander);
        begun.elapsed() < PATIENCE && client.stream.write_all(&[**byte]).is_ok()
    });
    assert!(sent.count() < message.len());
    assert!(begun.elapsed() >= SHORT);
    // Whether its Close arrives depends on what crossed it.
    read_to_close(&mut client.stream);
    let error = "error the message was not complete within the assembly timeout";
    while app.next().1 != error {}
}

#[test]
fn f08_f09_fragments_out_of_bounds_and_out_of_order() {
    let app = App::echo(with_limits(small()));
    let many = "a message came in more than 8 fragments";
    let endless = |first: &[u8], payload: &[u8]| {
        let more = frame(false, 0, payload).repeat(8);
        [frame(false, 1, first), more].concat()
    };
    assert_violations(
        &app,
        &[
            (
                "a message was longer than 1000 bytes",
                endless(&[b'x'; 500], &[b'x'; 400]),
                1009,
            ),
            (many, endless(b"x", b"x"), 1008),
            (many, endless(b"", b""), 1008),
            (
                "a continuation frame came without a message to continue",
                frame(true, 0, b"x"),
                1002,
            ),
            (
                "a continuation frame came without a message to continue",
                frame(false, 0, b""),
                1002,
            ),
            (
                "a new message began inside an unfinished one",
                [frame(false, 1, b"x"), frame(true, 1, b"x")].concat(),
                1002,
            ),
        ],
    );
    // As many as may be.
    let mut client = Client::connect(app.addr);
    client.send(false, 1, b"1");
    for _ in 0..6 {
        client.send(false, 0, b"");
    }
    client.send(true, 0, b"8");
    assert_eq!(client.read().text(), "18");
}

#[test]
fn f10_pings_between_fragments_are_answered_in_order() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    client.send(true, 9, b"before");
    assert_eq!(client.read().payload, b"before");
    client.send(false, 1, "gr\u{fc}\u{df}".as_bytes());
    for payload in [&b""[..], b"inside", &[0xff; 125]] {
        client.send(true, 9, payload);
        let pong = client.read();
        assert_eq!(
            (pong.fin, pong.opcode, &pong.payload[..]),
            (true, 10, payload)
        );
    }
    client.send(false, 0, b"");
    client.send(true, 10, b"unsolicited");
    client.send(true, 0, b" gott");
    assert_eq!(client.read().text(), "gr\u{fc}\u{df} gott");
    app.expect(&["open", "text gr\u{fc}\u{df} gott"]);
    assert!(app.is_quiet());
}

#[test]
fn f10_control_frames_give_a_message_no_more_time() {
    let app = App::echo(with_limits(Limits {
        assembly_timeout: SHORT,
        ..Limits::default()
    }));
    let error = "the message was not complete within the assembly timeout";
    let mut bystander = Client::connect(app.addr);
    app.expect(&["open"]);
    for with_pings in [false, true] {
        let begun = Instant::now();
        let mut client = Client::connect(app.addr);
        client.send(false, 1, b"never ");
        let answer = loop {
            if with_pings {
                // The last ones may meet the end of the connection.
                let _ = client.try_send(true, 9, b"here");
            }
            let answer = client.read();
            assert!(begun.elapsed() < PATIENCE);
            if answer.opcode != 10 {
                break answer;
            }
        };
        assert_eq!(answer.close(), (1008, error));
        assert!(begun.elapsed() >= SHORT);
        // An idle connection has no message to complete.
        assert_echoes(&mut bystander);
        app.expect(&["open"]);
        let mut seen = [app.next().1, app.next().1, app.next().1];
        seen.sort();
        let error = format!("error {error}");
        assert_eq!(seen, ["close 1006  unclean", &error, "text still here"]);
    }
}

#[test]
fn f11_characters_split_anywhere() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    let text = "\u{e9}\u{20ac}\u{1f600}\u{0}z";
    for at in 0..=text.len() {
        let (head, tail) = text.as_bytes().split_at(at);
        client.send(false, 1, head);
        client.send(true, 0, tail);
        assert_eq!(client.read().text(), text);
    }
}

#[test]
fn f11_text_that_is_not_utf_8_gets_1007_at_once() {
    let app = App::echo(Server::builder());
    let bad = "text was not valid UTF-8";
    assert_violations(
        &app,
        &[
            (bad, frame(true, 1, b"\xc0\x80"), 1007),
            (bad, frame(true, 1, b"\xed\xa0\x80"), 1007),
            (bad, frame(true, 1, b"\xf4\x90\x80\x80"), 1007),
            (bad, frame(true, 1, b"cut \xe2\x82"), 1007),
            // Before the message ends, and before the frame does.
            (bad, frame(false, 1, b"\xff"), 1007),
            (
                bad,
                [frame(false, 1, b"\xe2"), frame(false, 0, b"\x28")].concat(),
                1007,
            ),
            (bad, raw(&[0x81, 0xfe, 0x10, 0x00], b"ok \xff"), 1007),
            (bad, close_frame(1000, b"\xff"), 1007),
        ],
    );
    let mut client = Client::connect(app.addr);
    client.send_binary(b"\xff");
    assert_eq!(client.read().payload, b"\xff");
}

#[test]
fn f12_close_codes() {
    let app = App::echo(Server::builder());
    let mut violations: Vec<(String, Vec<u8>)> = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999]
        .into_iter()
        .chain([5000, 65_535])
        .map(|code| {
            (
                format!("close code {code} must not be sent"),
                close_frame(code, b""),
            )
        })
        .collect();
    violations.push((
        "a close frame held half a close code".into(),
        frame(true, 8, b"\x03"),
    ));
    let violations: Vec<_> = violations
        .iter()
        .map(|(error, bytes)| (&**error, bytes.clone(), 1002))
        .collect();
    assert_violations(&app, &violations);

    for code in (1000..=1003).chain(1007..=1014).chain([3000, 4000, 4999]) {
        let mut client = Client::connect(app.addr);
        client.send_close(code, "r\u{e9}ason");
        assert_eq!(client.read().close(), (code, ""));
        assert!(client.at_end());
        let close = format!("close {code} r\u{e9}ason clean");
        app.expect(&["open", &close]);
    }
    let mut client = Client::connect(app.addr);
    client.send(true, 8, b"");
    assert_eq!(client.read().close(), (1005, ""));
    app.expect(&["open", "close 1005  clean"]);
    let longest = "x".repeat(123);
    let mut client = Client::connect(app.addr);
    client.send_close(1000, &longest);
    assert_eq!(client.read().close(), (1000, ""));
    app.expect(&["open", &format!("close 1000 {longest} clean")]);
}

#[test]
fn f13_what_comes_after_a_close_is_ignored() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    let bytes = [
        frame(true, 1, b"before"),
        close_frame(1000, b"done"),
        frame(true, 1, b"after"),
        close_frame(1001, b"again"),
        b"\xff\xff\xff".to_vec(),
    ];
    client.stream.write_all(&bytes.concat()).unwrap();
    assert_eq!(client.read().text(), "before");
    assert_eq!(client.read().close(), (1000, ""));
    assert!(client.at_end());
    app.expect(&["open", "text before", "close 1000 done clean"]);
    drop(client);
    wait_until("the connection is gone", || {
        app.handle.stats().connections == 0
    });
    assert!(app.is_quiet());
}

#[test]
fn f13_messages_before_a_fault_are_answered_first() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    let bytes = [frame(true, 1, b"good"), b"\x81\x03bad".to_vec()];
    client.stream.write_all(&bytes.concat()).unwrap();
    assert_eq!(client.read().text(), "good");
    assert_eq!(client.read().close().0, 1002);
    app.expect(&[
        "open",
        "text good",
        "error a client's frame was not masked",
        "close 1006  unclean",
    ]);
}

#[test]
fn f13_cve_2024_23672_a_peer_that_stays_after_its_close_is_let_go_of() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    client.send_close(1000, "");
    assert_eq!(client.read().close().0, 1000);
    assert!(client.at_end());
    // It goes on as if nothing had happened, until there is nobody to take it.
    wait_until("the connection is closed for good", || {
        client.try_send(true, 9, b"ping").is_err()
    });
    app.expect(&["open", "close 1000  clean"]);
}

#[test]
fn f13_a_close_that_is_never_answered_ends_at_the_close_timeout() {
    let limits = Limits {
        close_timeout: SHORT,
        ..Limits::default()
    };
    let app = App::start(with_limits(limits), |connection, _| {
        connection.close(4000, "enough").unwrap();
    });
    for keeps_sending in [false, true] {
        let mut client = Client::connect(app.addr);
        let begun = Instant::now();
        client.send_text("close me");
        assert_eq!(client.read().close(), (4000, "enough"));
        if keeps_sending {
            wait_until("the connection is closed for good", || {
                client.try_send(true, 9, b"ping").is_err()
            });
        } else {
            assert_eq!(read_to_close(&mut client.stream), b"");
        }
        assert!(begun.elapsed() >= SHORT);
        app.expect(&["open", "text close me", "close 1006  unclean"]);
    }
    assert!(app.is_quiet());
}

#[test]
fn f14_the_applications_close_reaches_the_peer() {
    let app = App::start(Server::builder(), |connection, message| {
        let text = message.as_text().unwrap().to_owned();
        let (code, reason) = text.split_once(' ').unwrap();
        let code: u16 = code.parse().unwrap();
        let closed = connection.close(code, reason);
        let reserved = matches!(code, 1005 | 1006 | 1015 | 2000);
        match closed {
            Err(CloseError::ReservedCode(_)) if reserved => {
                connection.send("reserved").unwrap();
            }
            Ok(()) if !reserved => {}
            other => panic!("{code}: {other:?}"),
        }
    });
    let mut client = Client::connect(app.addr);
    for code in [1005, 1006, 1015, 2000] {
        client.send_text(&format!("{code} x"));
        assert_eq!(client.read().text(), "reserved");
    }
    let long = format!("a\r\n{}", "\u{20ac}".repeat(60));
    for (code, reason, sent) in [
        (1000, "", ""),
        (1003, "no binary", "no binary"),
        (4999, "x", "x"),
        // Cut to 123 bytes, at a character.
        (1000, &*long, &long[..123]),
    ] {
        let mut client = Client::connect(app.addr);
        client.send_text(&format!("{code} {reason}"));
        assert_eq!(client.read().close(), (code, sent));
        client.send_close(code, "");
        assert!(client.at_end());
    }
}

#[test]
fn f15_of_many_pings_the_last_is_answered_whatever_the_peer_reads() {
    const PINGS: u64 = 60_000;
    let app = App::echo(with_limits(Limits {
        // The flood below may take a while on a busy machine.
        write_timeout: PATIENCE,
        ..Limits::default()
    }));
    let mut bystander = Client::connect(app.addr);
    let mut client = Client::connect(app.addr);
    for chunk in 0..PINGS / 100 {
        let pings = (0..100).map(|i| {
            let mut payload = [0; 125];
            payload[..8].copy_from_slice(&(chunk * 100 + i).to_be_bytes());
            frame(true, 9, &payload)
        });
        let pings: Vec<u8> = pings.flatten().collect();
        // Nothing is read meanwhile, and yet the server takes it all.
        client.stream.write_all(&pings).unwrap();
        if chunk % 100 == 0 {
            assert_echoes(&mut bystander);
        }
    }
    let (mut pongs, mut last) = (0_u64, None);
    while last != Some(PINGS - 1) {
        let pong = client.read();
        assert_eq!((pong.opcode, pong.payload.len()), (10, 125));
        let number = u64::from_be_bytes(pong.payload[..8].try_into().unwrap());
        assert!(last < Some(number), "in order");
        (pongs, last) = (pongs + 1, Some(number));
    }
    assert!(pongs <= PINGS);
    assert_echoes(&mut client);
}

#[test]
fn f16_unsolicited_pongs_are_no_events() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    let pongs = frame(true, 10, &[b'x'; 100]).repeat(1_000);
    for _ in 0..100 {
        client.stream.write_all(&pongs).unwrap();
    }
    assert_echoes(&mut client);
    app.expect(&["open", "text still here"]);
    assert!(app.is_quiet());
}

#[test]
fn f18_any_mask_key() {
    let app = App::echo(Server::builder());
    let mut client = Client::connect(app.addr);
    let payload: Vec<u8> = (0..125).collect();
    for key in [
        [0; 4],
        [0xff; 4],
        [0, 0, 0, 1],
        [0x80, 0, 0, 0],
        [1, 2, 3, 4],
    ] {
        for len in [0, 1, 3, 4, 7, 8, 63, 125] {
            let masked = payload[..len].iter().zip(key.iter().cycle());
            let mut bytes = vec![0x82, 0x80 | len as u8];
            bytes.extend(key);
            bytes.extend(masked.map(|(byte, key)| byte ^ key));
            client.stream.write_all(&bytes).unwrap();
            assert_eq!(client.read().payload, payload[..len]);
        }
    }
}

const PING: Duration = Duration::from_millis(200);
const PONG: Duration = Duration::from_secs(3);

fn with_a_fast_heartbeat() -> ServerBuilder {
    with_limits(Limits {
        ping_interval: Some(PING),
        pong_timeout: PONG,
        ..Limits::default()
    })
}

#[test]
fn b14_the_heartbeat_pings_a_silent_peer_and_a_pong_keeps_it() {
    let app = App::echo(with_a_fast_heartbeat());
    let begun = Instant::now();
    let mut since = begun;
    let mut client = Client::connect(app.addr);
    while begun.elapsed() < 2 * (PING + PONG) {
        let ping = client.read();
        assert_eq!(ping.opcode, 9);
        assert!(since.elapsed() >= PING);
        since = Instant::now();
        client.send(true, 10, &ping.payload);
    }
    // Silence from now on: one more ping, then the end.
    assert_eq!(client.read().opcode, 9);
    assert_eq!(read_to_close(&mut client.stream), b"");
    assert!(since.elapsed() >= PING + PONG);
    app.expect(&[
        "open",
        "error no answer to a ping: the peer or its network is gone",
        "close 1006  unclean",
    ]);
    assert!(app.is_quiet());
}

#[test]
fn b14_the_next_ping_does_not_wait_for_the_pong_timeout() {
    let app = App::echo(with_limits(Limits {
        ping_interval: Some(PING),
        pong_timeout: 2 * PATIENCE,
        ..Limits::default()
    }));
    let mut client = Client::connect(app.addr);
    for _ in 0..3 {
        let ping = client.read();
        assert_eq!(ping.opcode, 9);
        client.send(true, 10, &ping.payload);
    }
    assert_echoes(&mut client);
}

#[test]
fn b14_any_byte_is_a_sign_of_life() {
    let app = App::echo(with_a_fast_heartbeat());
    let mut client = Client::connect(app.addr);
    // A byte of a message at each ping, never a pong.
    let begun = Instant::now();
    for byte in frame(true, 1, b"after many pings, and still under way") {
        assert_eq!(client.read().opcode, 9);
        client.stream.write_all(&[byte]).unwrap();
    }
    assert!(begun.elapsed() > 2 * (PING + PONG));
    assert_eq!(
        client.read_message().text(),
        "after many pings, and still under way"
    );
    app.expect(&["open", "text after many pings, and still under way"]);
    assert!(app.is_quiet());
}

#[test]
fn without_a_heartbeat_nobody_is_pinged() {
    let app = App::echo(with_limits(Limits {
        ping_interval: None,
        pong_timeout: Duration::from_millis(10),
        ..Limits::default()
    }));
    let mut client = Client::connect(app.addr);
    client.stream.set_read_timeout(Some(SHORT)).unwrap();
    assert!(client.try_read().is_err(), "nothing comes");
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_echoes(&mut client);
}

#[test]
fn b12_a_handler_that_panics_or_fails_closes_with_1011() {
    let handle = wshub::serve("127.0.0.1:0", |mut ws| {
        while let Some(message) = ws.read()? {
            match message.as_text() {
                Some("panic") => throw(),
                Some("fail") => return Err("on purpose".into()),
                Some("leave") => return Ok(()),
                _ => ws.send(message)?,
            }
        }
        Ok(())
    })
    .unwrap();
    let addr = handle.local_addr().unwrap();
    let mut bystander = Client::connect(addr);
    for (word, code) in [("panic", 1011), ("fail", 1011), ("leave", 1000)] {
        let mut client = Client::connect(addr);
        client.send_text(word);
        assert_eq!(client.read().close(), (code, ""));
        client.send_close(code, "");
        assert!(client.at_end());
        drop(client);
        assert_echoes(&mut bystander);
    }
    wait_until("their places are free", || handle.stats().connections == 1);
    assert_eq!(handle.stats().handler_failures, 2);
    handle.shutdown();
    drop(bystander);
    assert_eq!(handle.wait().threads_left, 0);
}

#[test]
fn b12_a_panic_of_the_application_thread_closes_every_connection() {
    let server = Server::bind(own_loopback()).unwrap();
    let addr = server.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        for event in server.events() {
            if matches!(event, wshub::Event::Message(..)) {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        }
    });
    let mut bystander = Client::connect(addr);
    let mut client = Client::connect(addr);
    client.send_text("panic");
    for client in [&mut bystander, &mut client] {
        assert_eq!(client.read().close(), (1001, ""));
        client.send_close(1001, "");
        assert!(client.at_end());
    }
    assert!(thread.join().is_err());
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[test]
fn b15_an_end_of_stream_without_a_close_is_1006() {
    let app = App::echo(Server::builder());
    for bytes in [vec![], frame(false, 1, b"half "), vec![0x81, 0x85, 1, 2]] {
        let mut client = Client::connect(app.addr);
        client.stream.write_all(&bytes).unwrap();
        client.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_close(&mut client.stream), b"");
        app.expect(&["open", "close 1006  unclean"]);
        wait_until("its place is free", || app.handle.stats().connections == 0);
    }
    assert!(app.is_quiet());
}

#[test]
fn b16_a_reset_at_any_time_is_one_close() {
    let big: fn(&Connection, Message) = |connection, _| {
        // More than the system takes for a peer that does not read.
        let _ = connection.send(vec![0; 16 << 20]);
    };
    let app = App::start(Server::builder(), big);
    for bytes in [
        vec![],
        frame(false, 1, b"half "),
        vec![0x81, 0x85, 1, 2],
        frame(true, 9, b"ping"),
    ] {
        let mut client = Client::connect(app.addr);
        client.stream.write_all(&bytes).unwrap();
        reset(client.stream);
        app.expect(&["open", "close 1006  unclean"]);
    }
    // In the middle of a frame of ours.
    let mut client = Client::connect(app.addr);
    client.send_text("big");
    wait_until("the answer is stuck", || app.handle.stats().stalled == 1);
    reset(client.stream);
    app.expect(&["open", "text big", "close 1006  unclean"]);
    wait_until("every place is free", || {
        app.handle.stats().connections == 0
    });
    assert!(app.is_quiet());
}

/// Were they held back until the one before is acknowledged, every second answer would wait for the
/// client's delayed acknowledgement, 40 ms.
#[test]
fn b17_small_messages_do_not_wait_for_acknowledgements() {
    const QUICK: usize = 50;
    let app = App::start(Server::builder(), |connection, message| {
        for _ in 0..3 {
            connection.send(message.clone()).unwrap();
        }
    });
    let mut client = Client::connect(app.addr);
    client.stream.set_nodelay(true).unwrap();
    // Rounds of a busy machine may be slow, too; of those that wait for an acknowledgement only the first are quick.
    let (mut quick, since) = (0, Instant::now());
    while quick < QUICK {
        assert!(since.elapsed() < PATIENCE, "{quick} did not wait");
        let begun = Instant::now();
        client.send_text("three times");
        for _ in 0..3 {
            assert_eq!(client.read().text(), "three times");
        }
        quick += usize::from(begun.elapsed() < Duration::from_millis(35));
    }
}
