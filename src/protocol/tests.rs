//! Every rule of the protocol by bytes in and values out: each stream is delivered whole, in two parts split at every
//! point, and byte by byte, and has to give the same events. Tests are named after the rows of `tests/threats.md`.

mod closing;
mod frames;
mod in_place;
mod keepalive;
mod messages;
mod parts;
mod random;
mod sent;
mod text;

use super::close::{self, CloseCode};
use super::frame::{Accepts, EncodedHeader, FrameHeader, MAX_CONTROL, MAX_HEADER};
use super::keepalive::{Due, Keepalive, KeepaliveRules};
use super::opcode::Opcode;
use super::pace::Pace;
use super::receive::{MessageRef, ReceiveLimits, Received, Receiver, UnderWay};
use super::send::{AfterClose, Sender};
use super::violation::Violation;
use super::{Role, mask, utf8};
use core::time::Duration;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const LIMITS: ReceiveLimits = ReceiveLimits {
    max_message: 4096,
    max_fragments: 8,
    accept_non_minimal_lengths: false,
};

const LIMITS_BIG: ReceiveLimits = ReceiveLimits {
    max_message: 1 << 20,
    ..LIMITS
};

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
                Ok(Received::Message(MessageRef::Text(s))) => text(s),
                Ok(Received::Message(MessageRef::Binary(b))) => binary(b),
                Ok(Received::Part(part)) => panic!("nobody asked for {part:?}"),
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

    /// As [`feed`](Driver::feed), but whole messages are taken at once.
    fn feed_at_once(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
        let events = &mut self.events;
        let found = self.receiver.receive_all_whole(&mut self.buf, |message| {
            events.push(match message {
                MessageRef::Text(s) => text(s),
                MessageRef::Binary(b) => binary(b),
            });
            true
        });
        self.events.extend(found.err().map(Failed));
        self.buf.drain(..self.receiver.take_discard());
        self.feed(&[]);
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
        let mut driver = Driver::new(role, limits);
        driver.feed_at_once(a);
        driver.feed_at_once(b);
        assert_eq!(driver.events, expected, "at once, split at {at}");
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
    let mut out = EncodedHeader::new(Opcode::Text, payload.len(), key)
        .as_slice()
        .to_vec();
    out[0] = first;
    let key = key.unwrap_or_default();
    out.extend(payload.iter().enumerate().map(|(i, b)| b ^ key[i % 4]));
    out
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
