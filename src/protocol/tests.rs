//! Every rule of the protocol by bytes in and values out: each stream is delivered whole, in two parts split at every
//! point, and byte by byte, and has to give the same events. Tests are named after the rows of the threat list.

use super::protocol::close::{self, CloseCode};
use super::protocol::frame::{EncodedHeader, FrameHeader, MAX_CONTROL, MAX_HEADER};
use super::protocol::keepalive::{Due, Keepalive};
use super::protocol::opcode::Opcode;
use super::protocol::receive::{ReceiveLimits, Received, Receiver};
use super::protocol::send::{AfterClose, Sender};
use super::protocol::violation::Violation;
use super::protocol::{Role, mask, utf8};
use core::time::Duration;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const LIMITS: ReceiveLimits = ReceiveLimits {
    max_message: 4096,
    max_fragments: 8,
    accept_non_minimal_lengths: false,
};

// ---- The driver: what a connection does with a receiver ----

#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(Violation),
}
use Event::Failed;

fn text(s: &str) -> Event {
    Event::Text(s.into())
}

fn binary(b: &[u8]) -> Event {
    Event::Binary(b.into())
}

fn ping(b: &[u8]) -> Event {
    Event::Ping(b.into())
}

fn pong(b: &[u8]) -> Event {
    Event::Pong(b.into())
}

fn closed(code: u16, reason: &str) -> Event {
    Event::Close(Some(code), reason.into())
}

struct Driver {
    receiver: Receiver,
    limits: ReceiveLimits,
    buf: Vec<u8>,
    events: Vec<Event>,
}

impl Driver {
    fn new(role: Role, limits: ReceiveLimits) -> Driver {
        Driver {
            receiver: Receiver::new(role, limits),
            limits,
            buf: Vec::new(),
            events: Vec::new(),
        }
    }

    fn server() -> Driver {
        Driver::new(Role::Server, LIMITS)
    }

    /// Takes bytes off the wire, exactly as the contract of `receive` says.
    fn feed(&mut self, bytes: &[u8]) -> &[Event] {
        let before = self.events.len();
        self.buf.extend_from_slice(bytes);
        loop {
            let event = match self.receiver.receive(&mut self.buf) {
                Ok(Received::NeedMore { keep }) => {
                    assert_eq!(self.receiver.take_discard(), 0);
                    assert!(keep.len() <= self.limits.max_message + MAX_CONTROL + MAX_HEADER);
                    self.buf.truncate(keep.end);
                    self.buf.drain(..keep.start);
                    return &self.events[before..];
                }
                Ok(Received::Text(s)) => text(s),
                Ok(Received::Binary(b)) => binary(b),
                Ok(Received::Ping(b)) => ping(b),
                Ok(Received::Pong(b)) => pong(b),
                Ok(Received::Close(code, reason)) => {
                    Event::Close(code.map(u16::from), reason.into())
                }
                Err(violation) => Failed(violation),
            };
            self.events.push(event);
            self.buf.drain(..self.receiver.take_discard());
        }
    }

    fn assembling(&self) -> bool {
        self.receiver.is_assembling()
    }
}

fn run<'a>(
    role: Role,
    limits: ReceiveLimits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Event> {
    let mut driver = Driver::new(role, limits);
    for chunk in chunks {
        driver.feed(chunk);
    }
    driver.events
}

/// Delivers a stream in every way and checks that its events are always `expected`.
#[track_caller]
fn check_as(role: Role, limits: ReceiveLimits, stream: &[u8], expected: &[Event]) {
    assert_eq!(run(role, limits, [stream]), expected, "whole");
    assert_eq!(
        run(role, limits, stream.chunks(1)),
        expected,
        "byte by byte"
    );
    let step = 1 + stream.len() / 600;
    for at in (0..=stream.len()).step_by(step) {
        let (a, b) = stream.split_at(at);
        assert_eq!(run(role, limits, [a, b]), expected, "split at {at}");
    }
}

#[track_caller]
fn check(stream: &[u8], expected: &[Event]) {
    check_as(Role::Server, LIMITS, stream, expected);
}

#[track_caller]
fn refused(stream: &[u8], violation: Violation) {
    check(stream, &[Failed(violation)]);
}

/// After how many bytes, delivered one by one, the stream is refused.
#[track_caller]
fn refused_after(stream: &[u8]) -> (usize, Violation) {
    let mut driver = Driver::server();
    for (i, byte) in stream.iter().enumerate() {
        if let Some(Failed(violation)) = driver.feed(&[*byte]).last() {
            return (i + 1, violation.clone());
        }
    }
    panic!("not refused");
}

/// A masked frame with `first` as its first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame_with(first, payload, Some(KEY))
}

fn frame_with(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = EncodedHeader::new(Opcode::Text, true, payload.len(), key)
        .as_slice()
        .to_vec();
    out[0] = first;
    let key = key.unwrap_or_default();
    out.extend(payload.iter().enumerate().map(|(i, b)| b ^ key[i % 4]));
    out
}

// ---- RFC 6455 5.7, the examples ----

#[test]
fn rfc_5_7_examples() {
    let hello = [
        0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
    ];
    check(&hello, &[text("Hello")]);
    let masked_pong = [
        0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
    ];
    check(&masked_pong, &[pong(b"Hello")]);

    let as_client = |stream: &[u8], event| check_as(Role::Client, LIMITS_BIG, stream, &[event]);
    as_client(&[0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], text("Hello"));
    as_client(
        &[0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F],
        text("Hello"),
    );
    as_client(&[0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], ping(b"Hello"));
    let kib: Vec<u8> = (0..256).map(|i| i as u8).collect();
    as_client(
        &[&[0x82, 0x7E, 0x01, 0x00][..], &kib].concat(),
        binary(&kib),
    );
    let long: Vec<u8> = (0..65536).map(|i| i as u8).collect();
    let stream = [&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0][..], &long].concat();
    for chunk in [1, 1000, 65540, 70000] {
        assert_eq!(
            run(Role::Client, LIMITS_BIG, stream.chunks(chunk)),
            [binary(&long)]
        );
    }
}

const LIMITS_BIG: ReceiveLimits = ReceiveLimits {
    max_message: 1 << 20,
    ..LIMITS
};

// ---- Rows F1 to F18 ----

#[test]
fn f01_unmasked_is_1002() {
    let stream = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    refused(&stream, Violation::UnmaskedFrame);
    assert_eq!(refused_after(&stream), (2, Violation::UnmaskedFrame));
    refused(&[0x89, 0x00], Violation::UnmaskedFrame);
    check_as(
        Role::Client,
        LIMITS,
        &frame(0x81, b"Hello"),
        &[Failed(Violation::MaskedFrame)],
    );
    assert_eq!(Violation::UnmaskedFrame.close_code(), 1002);
    assert_eq!(Violation::MaskedFrame.close_code(), 1002);
}

#[test]
fn f02_reserved_bits_and_opcodes_are_1002_at_the_first_byte() {
    for rsv in 1..8 {
        for opcode in 0..16 {
            let first = 0x80 | rsv << 4 | opcode;
            refused(&[first, 0xFF, 0x7F, 0xFF], Violation::ReservedBits);
            assert_eq!(refused_after(&[first]), (1, Violation::ReservedBits));
        }
    }
    for opcode in (3..8).chain(11..16) {
        let huge = [
            0x80 | opcode,
            0xFF,
            0x7F,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
        ];
        refused(&huge, Violation::UnknownOpcode(opcode));
        assert_eq!(refused_after(&huge).0, 1);
        refused(&[opcode], Violation::UnknownOpcode(opcode));
    }
    assert_eq!(Violation::UnknownOpcode(3).close_code(), 1002);
}

#[test]
fn f03_fragmented_or_long_control_is_1002() {
    for opcode in [8, 9, 10] {
        refused(&[opcode, 0x80], Violation::FragmentedControl);
        assert_eq!(refused_after(&[opcode]).0, 1);
        refused(
            &[0x80 | opcode, 0xFE, 0x00, 0x7E],
            Violation::ControlTooLong,
        );
        refused(&[0x80 | opcode, 0xFF], Violation::ControlTooLong);
        assert_eq!(refused_after(&[0x80 | opcode, 0xFE]).0, 2);
        // Likewise a length that a 7-bit form would have held.
        refused(
            &[0x80 | opcode, 0xFE, 0x00, 0x05],
            Violation::ControlTooLong,
        );
    }
    check(&frame(0x89, &[7; 125]), &[ping(&[7; 125])]);
}

#[test]
fn f04_length_not_minimal_is_1002_unless_allowed() {
    let short_as_16 = |n: u8| [&[0x82, 0xFE, 0, n, 0, 0, 0, 0][..], &vec![1; n.into()]].concat();
    let short_as_64 = |n: u16| {
        let head = [
            0x82,
            0xFF,
            0,
            0,
            0,
            0,
            0,
            0,
            (n >> 8) as u8,
            n as u8,
            0,
            0,
            0,
            0,
        ];
        [&head[..], &vec![1; n.into()]].concat()
    };
    let lenient = ReceiveLimits {
        accept_non_minimal_lengths: true,
        ..LIMITS
    };
    for n in [0, 1, 125] {
        refused(&short_as_16(n), Violation::NonMinimalLength);
        check_as(
            Role::Server,
            lenient,
            &short_as_16(n),
            &[binary(&vec![1; n.into()])],
        );
    }
    for n in [0, 125, 126, 4096] {
        refused(&short_as_64(n), Violation::NonMinimalLength);
        check_as(
            Role::Server,
            lenient,
            &short_as_64(n),
            &[binary(&vec![1; n.into()])],
        );
    }
    refused(
        &[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
        Violation::NonMinimalLength,
    );
    check(&short_as_16(126), &[binary(&[1; 126])]);
    assert_eq!(Violation::NonMinimalLength.close_code(), 1002);
}

#[test]
fn f05_huge_lengths_never_overflow() {
    let with_len = |len: u64| [&[0x81, 0xFF][..], &len.to_be_bytes(), &KEY].concat();
    for len in [1 << 63, (1 << 63) + 1, u64::MAX] {
        refused(&with_len(len), Violation::LengthOverflow);
        assert_eq!(refused_after(&with_len(len)).0, 10);
    }
    let too_big = Violation::MessageTooBig { limit: 4096 };
    for len in [
        65536,
        u64::from(u32::MAX),
        1 << 32,
        1 << 40,
        (1 << 53) - 1,
        (1 << 63) - 14,
        (1 << 63) - 1,
    ] {
        refused(&with_len(len), too_big.clone());
    }
    // Added to what was joined before, too.
    let begun = frame(0x01, b"abc");
    for len in [65536, (1 << 63) - 1] {
        let mut stream = [begun.clone(), with_len(len)].concat();
        stream[begun.len()] = 0x00;
        refused(&stream, too_big.clone());
    }
    let unlimited = ReceiveLimits {
        max_message: usize::MAX,
        ..LIMITS
    };
    let mut driver = Driver {
        limits: LIMITS,
        ..Driver::new(Role::Server, unlimited)
    };
    assert_eq!(driver.feed(&with_len((1 << 63) - 1)), []);
    assert!(driver.assembling());
    assert_eq!(too_big.close_code(), 1009);
    assert_eq!(Violation::LengthOverflow.close_code(), 1002);
}

#[test]
fn f05_gorilla_cve_2020_27813() {
    let begin = [&[0x02, 0x81, 0, 0, 0, 0][..], b"A"].concat();
    let negative = [0x00, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let last = [
        &[0x80, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0][..],
        b"BCDEF",
    ]
    .concat();
    refused(
        &[&begin[..], &negative, &last].concat(),
        Violation::LengthOverflow,
    );
    let small = ReceiveLimits {
        max_message: 5,
        accept_non_minimal_lengths: true,
        ..LIMITS
    };
    let too_big = [Failed(Violation::MessageTooBig { limit: 5 })];
    check_as(Role::Server, small, &[begin, last].concat(), &too_big);
}

#[test]
fn f06_an_announced_length_keeps_nothing() {
    let mut driver = Driver::new(Role::Server, LIMITS_BIG);
    driver.feed(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4]);
    assert_eq!(driver.buf.len(), 0);
    assert!(driver.assembling());
    driver.feed(&[0; 100]);
    assert_eq!(driver.buf.len(), 100);
}

#[test]
fn f07_byte_by_byte_is_one_message_in_one_buffer() {
    let payload: String = "aé€😀".chars().cycle().take(60_000).collect();
    let stream = frame(0x81, payload.as_bytes());
    let mut driver = Driver::new(Role::Server, LIMITS_BIG);
    for (i, byte) in stream.iter().enumerate() {
        assert!(driver.buf.len() <= i);
        driver.feed(&[*byte]);
    }
    assert_eq!(driver.events, [text(&payload)]);
    assert_eq!(driver.buf, []);
}

#[test]
fn f08_message_bytes_exact_and_one_more() {
    let limits = ReceiveLimits {
        max_message: 10,
        ..LIMITS
    };
    let too_big = &[Failed(Violation::MessageTooBig { limit: 10 })];
    check_as(
        Role::Server,
        limits,
        &frame(0x82, &[1; 10]),
        &[binary(&[1; 10])],
    );
    check_as(Role::Server, limits, &frame(0x82, &[1; 11]), too_big);
    let parts = |last| {
        [
            frame(0x02, &[1; 4]),
            frame(0x00, &[1; 3]),
            frame(0x80, last),
        ]
        .concat()
    };
    check_as(Role::Server, limits, &parts(&[1; 3]), &[binary(&[1; 10])]);
    check_as(Role::Server, limits, &parts(&[1; 4]), too_big);
    // Refused by its header: the payload need not come.
    let head = &frame(0x82, &[1; 11])[..6];
    check_as(Role::Server, limits, head, too_big);
    // A limit on messages is none on control frames.
    check_as(
        Role::Server,
        limits,
        &frame(0x89, &[1; 11]),
        &[ping(&[1; 11])],
    );
    let none = ReceiveLimits {
        max_message: 0,
        ..LIMITS
    };
    check_as(Role::Server, none, &frame(0x81, b""), &[text("")]);
}

#[test]
fn f08_fragments_exact_and_one_more_empty_ones_count() {
    for part in [&b""[..], b"x"] {
        let mut stream = frame(0x01, part);
        (0..6).for_each(|_| stream.extend(frame(0x00, part)));
        let eight = [&stream[..], &frame(0x80, part)].concat();
        let whole = String::from_utf8(part.repeat(8)).unwrap();
        check(&eight.repeat(2), &[text(&whole), text(&whole)]);
        let nine = [&stream[..], &frame(0x00, part), &frame(0x80, part)].concat();
        refused(&nine, Violation::TooManyFragments { limit: 8 });
    }
    assert_eq!(Violation::TooManyFragments { limit: 8 }.close_code(), 1008);
    for max_fragments in [0, 1] {
        let limits = ReceiveLimits {
            max_fragments,
            ..LIMITS
        };
        check_as(Role::Server, limits, &frame(0x81, b"one"), &[text("one")]);
        let two = [frame(0x01, b"o"), frame(0x80, b"ne")].concat();
        let failed = Failed(Violation::TooManyFragments { limit: 1 });
        check_as(Role::Server, limits, &two, &[failed]);
    }
}

#[test]
fn f09_continuations_out_of_order_are_1002() {
    for first in [0x00, 0x80] {
        refused(&frame(first, b"x"), Violation::UnexpectedContinuation);
        assert_eq!(refused_after(&[first]).0, 1);
        let late = [frame(0x81, b"done"), frame(first, b"x")].concat();
        check(
            &late,
            &[text("done"), Failed(Violation::UnexpectedContinuation)],
        );
    }
    for first in [0x01, 0x02, 0x81, 0x82] {
        let stream = [frame(0x01, b""), frame(first, b"x")].concat();
        refused(&stream, Violation::ExpectedContinuation);
        assert_eq!(refused_after(&stream).0, 7);
    }
    assert_eq!(Violation::UnexpectedContinuation.close_code(), 1002);
    assert_eq!(Violation::ExpectedContinuation.close_code(), 1002);
}

#[test]
fn f10_control_frames_between_fragments_come_in_order() {
    let cases: [(&[u8], &[u8], &str); 3] = [
        (b"", "é€".as_bytes(), "é€"),
        ("é".as_bytes(), "€".as_bytes(), "é€"),
        (b"\xE2\x82", b"\xAC", "€"),
    ];
    for (start, rest, whole) in cases {
        let stream = [
            frame(0x01, start),
            frame(0x89, b"one"),
            frame(0x8A, b""),
            frame(0x00, b""),
            frame(0x89, &[2; 125]),
            frame(0x80, rest),
            frame(0x82, b"next"),
        ]
        .concat();
        let events = [
            ping(b"one"),
            pong(b""),
            ping(&[2; 125]),
            text(whole),
            binary(b"next"),
        ];
        check(&stream, &events);
    }
}

#[test]
fn f10_control_frames_are_no_progress() {
    let mut driver = Driver::server();
    driver.feed(&frame(0x01, b"begun"));
    for _ in 0..10_000 {
        assert_eq!(driver.feed(&frame(0x89, b"x")), [ping(b"x")]);
        assert!(driver.assembling());
        assert_eq!(driver.buf, b"begun");
    }
    assert_eq!(driver.feed(&frame(0x80, b"")), [text("begun")]);
    assert!(!driver.assembling());
}

/// Text that cannot become valid, and the byte (from 1) that makes it so.
const IMPOSSIBLE: &[(&[u8], usize)] = &[
    (b"\x80", 1),
    (b"\xC0\x80", 1),
    (b"\xC1\xBF", 1),
    (b"\xF5\x80\x80\x80", 1),
    (b"\xFF", 1),
    (b"\xC3\x28", 2),
    (b"\xE0\x80\x80", 2),
    (b"\xED\xA0\x80", 2),
    (b"\xED\xBF\xBF", 2),
    (b"\xF0\x80\x80\x80", 2),
    (b"\xF4\x90\x80\x80", 2),
    (b"\xE2\x82\x28", 3),
    (b"\xF0\x9F\x98\x41", 4),
];

#[test]
fn f11_invalid_utf8_is_1007_as_soon_as_impossible() {
    for (bad, at) in IMPOSSIBLE {
        for before in ["", "a", "aé€😀", "0123456789abcdef0123456789abcdef"] {
            let payload = [before.as_bytes(), bad, b"and more"].concat();
            for first in [0x81, 0x01] {
                let stream = frame(first, &payload);
                refused(&stream, Violation::InvalidUtf8);
                // Within the frame: the rest of its payload need not come.
                let found = refused_after(&stream[..6 + before.len() + at]);
                assert_eq!(found, (6 + before.len() + at, Violation::InvalidUtf8));
            }
            for split in 0..=payload.len() {
                let (a, b) = payload.split_at(split);
                refused(
                    &[frame(0x01, a), frame(0x80, b)].concat(),
                    Violation::InvalidUtf8,
                );
            }
        }
    }
    assert_eq!(Violation::InvalidUtf8.close_code(), 1007);
}

#[test]
fn f11_valid_utf8_may_be_split_anywhere() {
    let whole = "aé€😀\u{10FFFF}\u{D7FF}\u{E000}\0z";
    let bytes = whole.as_bytes();
    for i in 0..=bytes.len() {
        for j in i..=bytes.len() {
            let parts = [
                frame(0x01, &bytes[..i]),
                frame(0x00, &bytes[i..j]),
                frame(0x80, &bytes[j..]),
            ];
            assert_eq!(
                run(Role::Server, LIMITS, [&parts.concat()[..]]),
                [text(whole)]
            );
            assert_eq!(
                run(Role::Server, LIMITS, parts.concat().chunks(1)),
                [text(whole)]
            );
        }
        // Cut off inside a character at the message's end.
        if !whole.is_char_boundary(i) {
            refused(&frame(0x81, &bytes[..i]), Violation::InvalidUtf8);
            refused(
                &[frame(0x01, &bytes[..i]), frame(0x80, b"")].concat(),
                Violation::InvalidUtf8,
            );
        }
        // Binary may be anything.
        check(&frame(0x82, &bytes[..i]), &[binary(&bytes[..i])]);
    }
}

#[test]
fn f11_incremental_check_agrees_with_the_whole() {
    for (bad, at) in IMPOSSIBLE {
        for n in 0..*at {
            assert!(utf8::check(&bad[..n], 0).is_ok());
        }
        assert_eq!(utf8::check(&bad[..*at], 0), Err(Violation::InvalidUtf8));
    }
    assert_eq!(utf8::check("a€".as_bytes(), 0), Ok(4));
    assert_eq!(utf8::check(b"a\xE2\x82", 0), Ok(1));
    assert_eq!(utf8::check(b"a\xE2\x82\xAC", 1), Ok(4));
    assert_eq!(utf8::check(b"", 0), Ok(0));
}

#[test]
fn f12_close_payloads() {
    check(&frame(0x88, b""), &[Event::Close(None, String::new())]);
    check(&frame(0x88, b"\x03\xE8"), &[closed(1000, "")]);
    check(
        &frame(0x88, "\u{3}\u{0}bye é".as_bytes()),
        &[Failed(Violation::InvalidCloseCode(0x300))],
    );
    check(
        &frame(0x88, &[b"\x0F\xA0", "bye é".as_bytes()].concat()),
        &[closed(4000, "bye é")],
    );
    let longest = "x".repeat(123);
    check(
        &frame(0x88, &[b"\x03\xE9", longest.as_bytes()].concat()),
        &[closed(1001, &longest)],
    );
    refused(&frame(0x88, &[0; 126]), Violation::ControlTooLong);
    refused(&frame(0x88, b"\x03"), Violation::TruncatedCloseCode);
    for (bad, _) in IMPOSSIBLE {
        refused(
            &frame(0x88, &[b"\x03\xE8", *bad].concat()),
            Violation::InvalidUtf8,
        );
    }
    refused(&frame(0x88, b"\x03\xE8\xE2\x82"), Violation::InvalidUtf8);
    assert_eq!(Violation::TruncatedCloseCode.close_code(), 1002);
    assert_eq!(Violation::InvalidCloseCode(0).close_code(), 1002);
}

#[test]
fn f12_every_close_code() {
    let allowed = |code| {
        [1000..=1003, 1007..=1014, 3000..=4999]
            .iter()
            .any(|r| r.contains(&code))
    };
    for code in 0..=u16::MAX {
        let parsed =
            close::parse(&code.to_be_bytes()).map(|(code, reason)| (code, reason.to_string()));
        if allowed(code) {
            assert_eq!(parsed, Ok((Some(CloseCode::from(code)), String::new())));
        } else {
            assert_eq!(parsed, Err(Violation::InvalidCloseCode(code)));
        }
        assert_eq!(CloseCode::from(code).is_allowed_on_wire(), allowed(code));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        refused(
            &frame(0x88, &u16::to_be_bytes(code)),
            Violation::InvalidCloseCode(code),
        );
    }
}

#[test]
fn f13_after_a_close_everything_is_ignored() {
    let close = frame(0x88, b"\x03\xE8");
    let after = [frame(0x81, b"late"), close.clone(), vec![0xFF; 50]].concat();
    check(
        &[close.clone(), after.clone()].concat(),
        &[closed(1000, "")],
    );
    // In the middle of a message as well: the message is given up.
    let inside = [frame(0x01, b"begun"), close, frame(0x80, b"end"), after].concat();
    check(&inside, &[closed(1000, "")]);
    let mut driver = Driver::server();
    driver.feed(&inside);
    assert!(!driver.assembling());
    assert_eq!(driver.buf, []);
}

#[test]
fn after_a_violation_everything_is_ignored() {
    for bad in [
        vec![0xFF],
        frame(0x81, b"\xFF"),
        frame(0x80, b""),
        frame(0x88, b"\x03"),
    ] {
        let stream = [
            frame(0x89, b""),
            bad,
            frame(0x81, b"late"),
            frame(0x88, b""),
        ]
        .concat();
        let mut driver = Driver::server();
        driver.feed(&stream);
        assert!(matches!(driver.events[..], [Event::Ping(_), Failed(_)]));
        driver.feed(&stream);
        assert_eq!(driver.events.len(), 2);
        assert_eq!(driver.buf, []);
        assert!(!driver.assembling());
    }
}

#[test]
fn b20_behind_a_standstill_a_close_has_its_whole_time_again() {
    let mut sender = Sender::new(Duration::from_secs(5));
    sender.resumed(Duration::from_secs(6));
    assert_eq!(sender.close_deadline(), None, "there was none");
    sender.close(None, "", None, Duration::from_secs(7), &mut Vec::new());
    sender.resumed(Duration::from_secs(20));
    assert_eq!(sender.close_deadline(), Some(Duration::from_secs(25)));
}

#[test]
fn f14_what_we_send_as_a_close() {
    let sent = |code: Option<CloseCode>, reason: &str| {
        let mut out = Vec::new();
        let mut sender = Sender::new(Duration::from_secs(5));
        assert!(sender.close(code, reason, None, Duration::from_secs(7), &mut out));
        assert!(sender.close_sent());
        assert_eq!(sender.close_deadline(), Some(Duration::from_secs(12)));
        let len = out.len();
        assert!(
            !sender.close(code, reason, None, Duration::from_secs(9), &mut out),
            "only once"
        );
        assert_eq!(sender.close_deadline(), Some(Duration::from_secs(12)));
        assert_eq!(
            sender.frame(Opcode::Text, b"late", None, &mut out),
            Err(AfterClose)
        );
        assert!(sender.header(Opcode::Pong, 0, None).is_err());
        assert_eq!(out.len(), len);
        out
    };
    assert_eq!(sent(None, "dropped"), [0x88, 0]);
    assert_eq!(sent(Some(CloseCode::NORMAL), ""), [0x88, 2, 0x03, 0xE8]);
    assert_eq!(
        sent(Some(CloseCode::from(4999)), "a\r\n"),
        b"\x88\x05\x13\x87a\r\n"
    );
    for reserved in [
        CloseCode::NO_STATUS,
        CloseCode::ABNORMAL,
        1015.into(),
        0.into(),
        5000.into(),
    ] {
        assert_eq!(sent(Some(reserved), "x"), [0x88, 0]);
    }
    for n in 115..130 {
        let reason = format!("{}😀€é", "x".repeat(n));
        let events = run(
            Role::Client,
            LIMITS,
            [&sent(Some(CloseCode::GOING_AWAY), &reason)[..]],
        );
        assert_eq!(events, [closed(1001, close::truncate_reason(&reason))]);
    }
    let unsent = Sender::new(Duration::MAX);
    assert!(!unsent.close_sent());
    assert_eq!(unsent.close_deadline(), None);
}

#[test]
fn f14_reasons_are_cut_between_characters() {
    for (n, cut) in [
        (119, 123),
        (120, 120),
        (121, 121),
        (122, 122),
        (123, 123),
        (124, 123),
    ] {
        let reason = format!("{}😀", "x".repeat(n));
        assert_eq!(close::truncate_reason(&reason), &reason[..cut]);
    }
    assert_eq!(close::truncate_reason(""), "");
    assert_eq!(close::truncate_reason("short é"), "short é");
}

#[test]
fn f15_f16_pings_and_pongs_leave_nothing_behind() {
    let mut driver = Driver::server();
    for i in 0..10_000u32 {
        driver.feed(&frame(
            if i % 2 == 0 { 0x89 } else { 0x8A },
            &i.to_be_bytes(),
        ));
        assert_eq!(driver.buf, []);
        assert!(!driver.assembling());
    }
    assert_eq!(driver.events[4], ping(&4u32.to_be_bytes()));
    assert_eq!(driver.events[9_999], pong(&9_999u32.to_be_bytes()));
}

#[test]
fn f17_each_call_gives_one_event_so_that_the_caller_can_count() {
    let mut buf = frame(0x89, b"x").repeat(1000);
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    let mut start = 0;
    for _ in 0..1000 {
        assert_eq!(
            receiver.receive(&mut buf[start..]),
            Ok(Received::Ping(b"x"))
        );
        start += receiver.take_discard();
    }
    assert_eq!(start, buf.len());
}

#[test]
fn f18_masking_is_the_same_for_every_split_and_alignment() {
    for key in [[0; 4], [0xFF; 4], KEY, [1, 2, 4, 8]] {
        for len in (0..80).chain([127, 128, 129, 1000]) {
            for offset in 0..9 {
                let plain: Vec<u8> = (0..offset + len).map(|i| (i * 31) as u8).collect();
                for phase in 0..5 {
                    let mut expected = plain.clone();
                    for (i, byte) in expected[offset..].iter_mut().enumerate() {
                        *byte ^= key[(i + phase) % 4];
                    }
                    let mut found = plain.clone();
                    mask::apply(&mut found[offset..], key, phase);
                    assert_eq!(found, expected);
                }
            }
            let plain: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
            let mut whole = plain.clone();
            mask::apply(&mut whole, key, 0);
            for at in 0..=len {
                let mut parts = plain.clone();
                let (a, b) = parts.split_at_mut(at);
                mask::apply(a, key, 0);
                mask::apply(b, key, at);
                assert_eq!(parts, whole);
            }
        }
    }
}

#[test]
fn f18_every_key_arrives_the_same() {
    let payload: Vec<u8> = (0..200).map(|i| i as u8).collect();
    for key in [[0; 4], [0xFF; 4], KEY] {
        for len in [0, 1, 3, 4, 5, 31, 32, 33, 125, 126, 200] {
            check(
                &frame_with(0x82, &payload[..len], Some(key)),
                &[binary(&payload[..len])],
            );
        }
    }
}

// ---- The contract of the receiver ----

#[test]
fn is_assembling_follows_messages_and_frames() {
    let mut driver = Driver::server();
    assert!(!driver.assembling());
    for byte in &frame(0x81, b"abc")[..8] {
        driver.feed(&[*byte]);
        assert!(driver.assembling());
    }
    driver.feed(&frame(0x81, b"abc")[8..]);
    assert!(!driver.assembling());
    driver.feed(&frame(0x89, b"abc")[..7]);
    assert!(driver.assembling());
    driver.feed(&frame(0x89, b"abc")[7..]);
    assert!(!driver.assembling());
    driver.feed(&frame(0x01, b""));
    assert!(driver.assembling());
    driver.feed(&frame(0x89, b""));
    assert!(driver.assembling());
    driver.feed(&frame(0x80, b""));
    assert!(!driver.assembling());
    assert_eq!(
        driver.events,
        [text("abc"), ping(b"abc"), ping(b""), text("")]
    );
}

#[test]
fn is_assembling_is_false_after_a_message_whose_first_bytes_came_before() {
    for first in [0x81, 0x8A] {
        let mut buf = frame(first, b"abc");
        let mut receiver = Receiver::new(Role::Server, LIMITS);
        let found = receiver.receive(&mut buf[..3]);
        assert_eq!(found, Ok(Received::NeedMore { keep: 0..3 }));
        assert!(receiver.is_assembling());
        assert!(receiver.receive(&mut buf).is_ok());
        assert!(!receiver.is_assembling());
    }
}

#[test]
fn a_whole_message_is_handed_out_where_it_lies() {
    let mut buf = [frame(0x82, b"first"), frame(0x82, b"second")].concat();
    let place = buf[6..].as_ptr();
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    let Ok(Received::Binary(found)) = receiver.receive(&mut buf) else {
        panic!()
    };
    assert_eq!((found, found.as_ptr()), (&b"first"[..], place));
    assert_eq!((receiver.take_discard(), receiver.take_discard()), (11, 0));
    assert_eq!(
        receiver.receive(&mut buf[11..]),
        Ok(Received::Binary(b"second"))
    );
}

#[test]
fn a_message_in_one_frame_stays_where_it_lies_as_it_arrives() {
    let mut buf = [frame(0x89, b"ping"), frame(0x81, b"a long message")].concat();
    let (place, arrived) = (buf[16..].as_ptr(), buf.len() - 9);
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    assert_eq!(receiver.receive(&mut buf), Ok(Received::Ping(b"ping")));
    assert_eq!(receiver.take_discard(), 10);
    let found = receiver.receive(&mut buf[10..arrived]);
    assert_eq!(
        found,
        Ok(Received::NeedMore {
            keep: 6..arrived - 10
        })
    );
    let Ok(Received::Text(found)) = receiver.receive(&mut buf[16..]) else {
        panic!()
    };
    assert_eq!((found, found.as_ptr()), ("a long message", place));
}

#[test]
fn an_empty_buffer_needs_more() {
    check(&[], &[]);
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    assert_eq!(
        receiver.receive(&mut []),
        Ok(Received::NeedMore { keep: 0..0 })
    );
    assert!(!receiver.is_assembling());
}

// ---- Frames we write ----

thread_local! {
    static KEYS: core::cell::Cell<u32> = const { core::cell::Cell::new(0x1234_5678) };
}

fn next_key() -> [u8; 4] {
    KEYS.set(
        KEYS.get()
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223),
    );
    KEYS.get().to_ne_bytes()
}

#[test]
fn both_roles_round_trip() {
    let limits = ReceiveLimits {
        max_message: 1 << 20,
        ..LIMITS
    };
    for peer in [Role::Client, Role::Server] {
        let key = || (peer == Role::Server).then(next_key);
        let mut sender = Sender::new(Duration::ZERO);
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        for len in [0, 1, 2, 124, 125, 126, 127, 1000, 65535, 65536, 70_000] {
            let payload = "aé€😀".repeat(len).into_bytes();
            let ascii = "x".repeat(len);
            sender
                .frame(Opcode::Binary, &payload[..len], key(), &mut out)
                .unwrap();
            sender
                .frame(Opcode::Text, ascii.as_bytes(), key(), &mut out)
                .unwrap();
            sender
                .frame(Opcode::Ping, &payload[..len.min(125)], key(), &mut out)
                .unwrap();
            expected.extend([
                binary(&payload[..len]),
                text(&ascii),
                ping(&payload[..len.min(125)]),
            ]);
        }
        sender.frame(Opcode::Pong, b"", key(), &mut out).unwrap();
        assert!(sender.close(
            Some(CloseCode::NORMAL),
            "bye",
            key(),
            Duration::ZERO,
            &mut out
        ));
        expected.extend([pong(b""), closed(1000, "bye")]);
        for chunk in [1, 7, 4096, out.len()] {
            assert!(
                run(peer, limits, out.chunks(chunk)) == expected,
                "chunks of {chunk}"
            );
        }
    }
}

#[test]
fn headers_round_trip_in_the_shortest_form() {
    let opcodes = [Opcode::Continuation, Opcode::Text, Opcode::Binary];
    for (len, short) in [
        (0, 2),
        (1, 2),
        (125, 2),
        (126, 4),
        (127, 4),
        (65535, 4),
        (65536, 10),
        (1 << 31, 10),
    ] {
        for (role, key) in [(Role::Client, None), (Role::Server, Some(KEY))] {
            for opcode in opcodes {
                for fin in [false, true] {
                    let header = EncodedHeader::new(opcode, fin, len, key);
                    let size = short + if key.is_some() { 4 } else { 0 };
                    assert_eq!((header.as_slice().len(), header.mask()), (size, key));
                    let parsed = FrameHeader {
                        compressed: false,
                        fin,
                        opcode,
                        mask: key,
                        len: len as u64,
                    };
                    let found = FrameHeader::parse(header.as_slice(), role, false, false);
                    assert_eq!(found, Ok(Some((parsed, size))));
                    for cut in 0..size {
                        let part = &header.as_slice()[..cut];
                        assert_eq!(FrameHeader::parse(part, role, false, false), Ok(None));
                    }
                    let mut out = vec![9];
                    header.append_to(&mut out);
                    assert_eq!(&out[1..], header.as_slice());
                }
            }
        }
    }
}

#[test]
fn opcodes_are_six() {
    let known: Vec<u8> = (0..16)
        .filter(|bits| Opcode::parse(*bits).is_some())
        .collect();
    assert_eq!(known, [0, 1, 2, 8, 9, 10]);
    for bits in known {
        let opcode = Opcode::parse(bits).unwrap();
        assert_eq!((opcode.bits(), opcode.is_control()), (bits, bits >= 8));
    }
}

#[test]
fn close_codes_and_violations_read_well() {
    assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001");
    assert_eq!(u16::from(CloseCode::from(4321)), 4321);
    assert_eq!(CloseCode::NORMAL, 1000);
    assert_eq!(1000, CloseCode::NORMAL);
    assert_ne!(CloseCode::NORMAL, 1001);
    let too_big: Box<dyn core::error::Error> = Box::new(Violation::MessageTooBig { limit: 10 });
    assert_eq!(too_big.to_string(), "a message was longer than 10 bytes");
    assert_eq!(
        Violation::UnknownOpcode(11).to_string(),
        "unknown opcode 11"
    );
    assert_eq!(AfterClose.to_string(), "the close frame was already sent");
}

// ---- Random streams ----

/// Xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn random_payload(random: &mut Random, text: bool) -> Vec<u8> {
    let n = [0, 1, 5, 40, 130, 300][random.below(6)];
    if text {
        let chars = ['a', 'é', '€', '😀'];
        let payload: String = (0..random.below(n / 3 + 1))
            .map(|_| chars[random.below(4)])
            .collect();
        return payload.into_bytes();
    }
    (0..n).map(|_| random.next() as u8).collect()
}

/// Some messages, most of them legal, in fragments and with control frames between them.
fn random_stream(random: &mut Random, role: Role) -> (Vec<u8>, Vec<Event>) {
    let (mut stream, mut events) = (Vec::new(), Vec::new());
    let mut put = |random: &mut Random, first, payload: &[u8]| {
        let key = (role == Role::Server).then(|| (random.next() as u32).to_ne_bytes());
        stream.extend(frame_with(first, payload, key));
    };
    for _ in 0..1 + random.below(6) {
        let is_text = random.below(2) == 0;
        let payload = random_payload(random, is_text);
        let (mut opcode, mut rest) = (if is_text { 1 } else { 2 }, &payload[..]);
        for _ in 0..random.below(4) {
            let (part, more) = rest.split_at(random.below(rest.len() + 1));
            put(random, opcode, part);
            (opcode, rest) = (0, more);
            if random.below(2) == 0 {
                let small: Vec<u8> = (0..random.below(126)).map(|i| i as u8).collect();
                put(random, 0x89, &small);
                events.push(ping(&small));
            }
        }
        put(random, 0x80 | opcode, rest);
        events.push(match String::from_utf8(payload) {
            Ok(payload) if is_text => Event::Text(payload),
            Ok(payload) => Event::Binary(payload.into_bytes()),
            Err(error) => Event::Binary(error.into_bytes()),
        });
    }
    (stream, events)
}

fn run_in_random_chunks(random: &mut Random, role: Role, stream: &[u8]) -> Vec<Event> {
    let mut driver = Driver::new(role, LIMITS);
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(1 + random.below(rest.len().min(200)));
        driver.feed(chunk);
        rest = more;
    }
    driver.events
}

#[test]
fn random_legal_streams_give_their_messages() {
    let random = &mut Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..2_000 {
        for role in [Role::Server, Role::Client] {
            let (stream, events) = random_stream(random, role);
            assert_eq!(run(role, LIMITS, [&stream[..]]), events);
            assert_eq!(run(role, LIMITS, stream.chunks(1)), events);
            assert_eq!(run_in_random_chunks(random, role, &stream), events);
        }
    }
}

#[test]
fn random_damage_is_found_the_same_way_however_it_arrives() {
    let random = &mut Random(0xD1B5_4A32_D192_ED03);
    let mut failures = 0;
    for _ in 0..5_000 {
        for role in [Role::Server, Role::Client] {
            let (mut stream, _) = random_stream(random, role);
            for _ in 0..1 + random.below(3) {
                let at = random.below(stream.len());
                match random.below(3) {
                    0 => stream[at] ^= 1 << random.below(8),
                    1 => stream[at] = random.next() as u8,
                    _ => drop(stream.drain(..at)),
                }
                stream.push(random.next() as u8);
            }
            let whole = run(role, LIMITS, [&stream[..]]);
            assert_eq!(run(role, LIMITS, stream.chunks(1)), whole);
            assert_eq!(run_in_random_chunks(random, role, &stream), whole);
            failures += usize::from(matches!(whole.last(), Some(Failed(_))));
        }
    }
    assert!(
        failures > 1_000,
        "only {failures} of the damaged streams were refused"
    );
}

#[test]
fn random_bytes_never_panic() {
    let random = &mut Random(0x2545_F491_4F6C_DD1D);
    for _ in 0..20_000 {
        let stream: Vec<u8> = (0..random.below(60))
            .map(|_| random.next() as u8 & 0x8F)
            .collect();
        for role in [Role::Server, Role::Client] {
            assert_eq!(
                run(role, LIMITS, [&stream[..]]),
                run(role, LIMITS, stream.chunks(1))
            );
        }
    }
}

// ---- Keepalive ----

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn keepalive() -> Keepalive {
    Keepalive::new(Some(s(30)), s(10), s(60), s(0))
}

#[test]
fn a_silent_peer_is_pinged_once_and_then_given_up() {
    let mut keepalive = keepalive();
    assert_eq!(keepalive.due(s(0)), Due::Wait(Some(s(30))));
    assert_eq!(keepalive.due(s(29)), Due::Wait(Some(s(30))));
    assert_eq!(keepalive.due(s(31)), Due::Ping);
    assert_eq!(keepalive.due(s(31)), Due::Wait(Some(s(41))));
    assert_eq!(keepalive.due(s(40)), Due::Wait(Some(s(41))));
    assert_eq!(keepalive.due(s(41)), Due::PongTimedOut);
    assert_eq!(keepalive.due(s(42)), Due::PongTimedOut);
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let mut keepalive = keepalive();
    assert_eq!(keepalive.due(s(30)), Due::Ping);
    keepalive.received(s(39), false, true);
    assert_eq!(keepalive.due(s(41)), Due::Wait(Some(s(69))));
    assert_eq!(keepalive.due(s(69)), Due::Ping);
    keepalive.received(s(70), true, false);
    assert_eq!(keepalive.due(s(71)), Due::Wait(Some(s(100))));
}

#[test]
fn without_an_interval_there_are_no_pings() {
    let mut keepalive = Keepalive::new(None, s(10), s(60), s(0));
    assert_eq!(keepalive.due(s(1_000_000)), Due::Wait(None));
    keepalive.received(s(1_000_000), true, false);
    assert_eq!(keepalive.due(s(1_000_000)), Due::Wait(Some(s(1_000_060))));
    assert_eq!(keepalive.due(s(1_000_060)), Due::AssemblyTimedOut);
}

#[test]
fn f07_f10_a_dripping_message_gets_no_more_time() {
    let mut keepalive = keepalive();
    for second in 1..61 {
        keepalive.received(s(second), true, false);
        assert!(matches!(keepalive.due(s(second)), Due::Wait(Some(_))));
    }
    keepalive.received(s(61), true, false);
    assert_eq!(keepalive.due(s(61)), Due::AssemblyTimedOut);
}

#[test]
fn the_next_message_has_its_own_time() {
    let mut keepalive = Keepalive::new(None, s(10), s(60), s(0));
    keepalive.received(s(1), true, false);
    keepalive.received(s(50), true, true);
    assert_eq!(keepalive.due(s(61)), Due::Wait(Some(s(110))));
    keepalive.received(s(100), false, true);
    assert_eq!(keepalive.due(s(110)), Due::Wait(None));
    keepalive.received(s(120), true, false);
    assert_eq!(keepalive.due(s(179)), Due::Wait(Some(s(180))));
}

#[test]
fn deadlines_stand_still_while_the_application_is_slow() {
    let mut keepalive = keepalive();
    keepalive.received(s(5), true, false);
    assert_eq!(keepalive.due(s(35)), Due::Ping);
    keepalive.stood_still(s(100));
    assert_eq!(keepalive.due(s(144)), Due::Wait(Some(s(145))));
    keepalive.received(s(144), true, false);
    assert_eq!(keepalive.due(s(164)), Due::Wait(Some(s(165))));
    assert_eq!(keepalive.due(s(165)), Due::AssemblyTimedOut);

    let mut silent = Keepalive::new(Some(s(30)), s(10), s(60), s(0));
    silent.stood_still(s(100));
    assert_eq!(silent.due(s(129)), Due::Wait(Some(s(130))));

    let mut never = Keepalive::new(Some(Duration::MAX), s(1), Duration::MAX, s(5));
    never.received(s(6), true, false);
    never.stood_still(s(1));
    assert_eq!(never.due(s(1_000)), Due::Wait(Some(Duration::MAX)));
}

#[test]
fn b20_after_a_standstill_the_peer_gets_one_more_round() {
    let mut waiting = keepalive();
    waiting.received(s(1), true, false);
    assert_eq!(waiting.due(s(31)), Due::Ping);
    waiting.resumed(s(1_000));
    assert_eq!(waiting.due(s(1_000)), Due::Wait(Some(s(1_010))));
    assert_eq!(waiting.due(s(1_010)), Due::PongTimedOut);
    waiting.received(s(1_005), true, false);
    assert_eq!(waiting.due(s(1_010)), Due::AssemblyTimedOut);

    // A deadline that is further away stays where it is; one that does not run stays so.
    let mut under_way = keepalive();
    under_way.received(s(1), true, false);
    under_way.resumed(s(2));
    assert_eq!(under_way.due(s(2)), Due::Wait(Some(s(31))));
    assert_eq!(under_way.due(s(31)), Due::Ping);
    under_way.received(s(32), true, false);
    assert_eq!(under_way.due(s(61)), Due::AssemblyTimedOut);
}

#[test]
fn a_caller_knows_a_completed_message_by_asking_after_each_event() {
    // Keepalive's `completed`: `is_assembling` was false after an event.
    let half = &frame(0x81, b"next")[..3];
    let mut buf = [
        &frame(0x01, b"a")[..],
        &frame(0x89, b""),
        &frame(0x80, b"b"),
        half,
    ]
    .concat();
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    let mut seen = Vec::new();
    loop {
        let more = matches!(receiver.receive(&mut buf), Ok(Received::NeedMore { .. }));
        seen.push(receiver.is_assembling());
        buf.drain(..receiver.take_discard());
        if more {
            break;
        }
    }
    assert_eq!(seen, [true, false, true]);
}

#[test]
fn every_violation_has_its_close_code_and_words_that_fit_a_close_frame() {
    let violations = [
        (Violation::UnmaskedFrame, 1002, "not masked"),
        (Violation::MaskedFrame, 1002, "was masked"),
        (Violation::ReservedBits, 1002, "reserved bit"),
        (Violation::UnknownOpcode(11), 1002, "opcode 11"),
        (Violation::FragmentedControl, 1002, "fragmented"),
        (Violation::ControlTooLong, 1002, "125 bytes"),
        (Violation::NonMinimalLength, 1002, "shortest form"),
        (Violation::LengthOverflow, 1002, "highest bit"),
        (Violation::MessageTooBig { limit: 77 }, 1009, "77 bytes"),
        (
            Violation::TooManyFragments { limit: 5 },
            1008,
            "5 fragments",
        ),
        (Violation::UnexpectedContinuation, 1002, "without a message"),
        (Violation::ExpectedContinuation, 1002, "unfinished"),
        (Violation::InvalidUtf8, 1007, "UTF-8"),
        (Violation::TruncatedCloseCode, 1002, "half a close code"),
        (Violation::InvalidCloseCode(999), 1002, "999"),
    ];
    for (violation, code, words) in violations {
        let text = violation.to_string();
        assert_eq!(violation.close_code(), code, "{text}");
        assert!(text.contains(words), "{text}");
        // RFC 6455 5.5: 125 bytes, two of which are the code.
        assert!(text.len() <= 123, "{text}");
    }
}

#[test]
fn a_close_code_compares_with_its_number_from_both_sides() {
    assert!(CloseCode::NORMAL == 1000);
    assert!(1000 == CloseCode::NORMAL);
    assert!(CloseCode::NORMAL != 1001);
    assert!(1001 != CloseCode::NORMAL);
}

#[test]
fn the_ping_interval_may_change_at_any_time() {
    let mut keepalive = Keepalive::new(None, s(10), s(60), s(0));
    assert_eq!(keepalive.due(s(1000)), Due::Wait(None));
    keepalive.set_ping_interval(Some(s(30)));
    assert_eq!(keepalive.due(s(20)), Due::Wait(Some(s(30))));
    assert_eq!(keepalive.due(s(30)), Due::Ping);
    keepalive.set_ping_interval(None);
    assert_eq!(
        keepalive.due(s(31)),
        Due::Wait(Some(s(40))),
        "the ping is out"
    );
}
