//! Frames: however the bytes arrive, the same messages come out; nothing is longer than allowed; and what is sent on
//! arrives as it was.

use super::pieces;
#[cfg(feature = "deflate")]
use crate::compression::inflater::Inflater;
use crate::protocol::Role;
use crate::protocol::close::CloseCode;
use crate::protocol::opcode::Opcode;
use crate::protocol::receive::{MessageRef, ReceiveLimits, Received, Receiver};
use crate::protocol::send::Sender;
use crate::protocol::violation::Violation;
use core::time::Duration;

/// An event of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// How a receiver ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It waits for more bytes; inside a message or a frame, or not.
    More(bool),
    /// The peer's Close came.
    Closed,
    /// The peer broke the protocol.
    Violated(Violation),
}

/// Receives `data` in both roles.
pub fn receiver(data: &[u8]) {
    let narrow = ReceiveLimits {
        max_message: 200,
        max_fragments: 4,
        accept_non_minimal_lengths: false,
    };
    let wide = ReceiveLimits {
        max_message: 1 << 20,
        max_fragments: u32::MAX,
        accept_non_minimal_lengths: true,
    };
    for role in [Role::Server, Role::Client] {
        for limits in [narrow, wide] {
            let new = || Receiver::new(role, limits);
            let whole = run(new(), &[data]);
            assert_eq!(whole, run(new(), &pieces(data)));
            if data.len() < 2000 {
                let bytes = data.chunks(1).collect::<Vec<_>>();
                assert_eq!(whole, run(new(), &bytes));
            }
            check_lengths(&whole.0, limits.max_message);
            send_on(role, &whole.0);
            #[cfg(feature = "deflate")]
            inflating(role, limits, data);
        }
    }
}

/// The same with compression agreed on. Of two faults in one message, bytes that come in other pieces may show the
/// other one first.
#[cfg(feature = "deflate")]
fn inflating(role: Role, limits: ReceiveLimits, data: &[u8]) {
    for window_bits in [None, Some(9), Some(15)] {
        let inflater = || Inflater::new(window_bits, limits.max_message);
        let new = || Receiver::new(role, limits).with_inflater(Some(inflater()));
        let (whole, end) = run(new(), &[data]);
        let (pieces, other_end) = run(new(), &pieces(data));
        assert_eq!(whole, pieces);
        match (&end, &other_end) {
            (Stop::Violated(_), Stop::Violated(_)) => {}
            ends => assert_eq!(ends.0, ends.1),
        }
        check_lengths(&whole, limits.max_message);
        send_on(role, &whole);
    }
}

/// What a receiver without narrow limits makes of `data`.
pub fn receive(server: bool, data: &[u8]) -> (Vec<Seen>, Stop) {
    let limits = ReceiveLimits {
        max_message: 1 << 20,
        max_fragments: u32::MAX,
        accept_non_minimal_lengths: true,
    };
    let role = if server { Role::Server } else { Role::Client };
    run(Receiver::new(role, limits), &[data])
}

/// Reads as a connection does: one buffer, to which each read adds.
fn run(mut receiver: Receiver, reads: &[&[u8]]) -> (Vec<Seen>, Stop) {
    let (mut buffer, mut seen) = (Vec::new(), Vec::new());
    for read in reads {
        buffer.extend_from_slice(read);
        loop {
            let event = match receiver.receive(&mut buffer) {
                Ok(Received::NeedMore { keep }) => {
                    assert!(keep.start <= keep.end && keep.end <= buffer.len());
                    buffer.truncate(keep.end);
                    buffer.drain(..keep.start);
                    break;
                }
                Ok(event) => copy(&event),
                Err(violation) => {
                    assert_ends(&mut receiver);
                    return (seen, Stop::Violated(violation));
                }
            };
            let closed = matches!(event, Seen::Close(..));
            seen.push(event);
            if closed {
                assert_ends(&mut receiver);
                return (seen, Stop::Closed);
            }
            let discard = receiver.take_discard();
            assert!(discard <= buffer.len());
            buffer.drain(..discard);
        }
    }
    (seen, Stop::More(receiver.is_assembling()))
}

/// After a Close and after a violation nothing more comes.
fn assert_ends(receiver: &mut Receiver) {
    let mut more = vec![0x81, 0x80, 0, 0, 0, 0];
    receiver.take_discard();
    assert!(matches!(
        receiver.receive(&mut more),
        Ok(Received::NeedMore { keep }) if keep.is_empty()
    ));
}

fn copy(event: &Received<'_>) -> Seen {
    match event {
        Received::Message(MessageRef::Text(text)) => Seen::Text((*text).to_owned()),
        Received::Message(MessageRef::Binary(bytes)) => Seen::Binary(bytes.to_vec()),
        Received::Ping(payload) => Seen::Ping(payload.to_vec()),
        Received::Pong(payload) => Seen::Pong(payload.to_vec()),
        Received::Close(code, reason) => Seen::Close(code.map(u16::from), (*reason).to_owned()),
        Received::NeedMore { .. } | Received::Part(_) => unreachable!("handled by the caller"),
    }
}

fn check_lengths(seen: &[Seen], max_message: usize) {
    for event in seen {
        match event {
            Seen::Text(text) => assert!(text.len() <= max_message),
            Seen::Binary(bytes) => assert!(bytes.len() <= max_message),
            Seen::Ping(payload) | Seen::Pong(payload) => assert!(payload.len() <= 125),
            Seen::Close(code, reason) => {
                assert!(reason.len() <= 123);
                assert!(code.is_none_or(|code| CloseCode::from(code).is_allowed_on_wire()));
            }
        }
    }
}

/// A sender of the other role makes frames of what was seen, and the receiver sees it again.
fn send_on(role: Role, seen: &[Seen]) {
    let key = match role {
        Role::Server => Some([0xA5, 0x00, 0xFF, 0x17]),
        Role::Client => None,
    };
    let mut sender = Sender::new(Duration::ZERO);
    let mut wire = Vec::new();
    for event in seen {
        let (opcode, payload) = match event {
            Seen::Text(text) => (Opcode::Text, text.as_bytes()),
            Seen::Binary(bytes) => (Opcode::Binary, &bytes[..]),
            Seen::Ping(payload) => (Opcode::Ping, &payload[..]),
            Seen::Pong(payload) => (Opcode::Pong, &payload[..]),
            Seen::Close(code, reason) => {
                let code = code.map(CloseCode::from);
                assert!(sender.close(code, reason, key, Duration::ZERO, &mut wire));
                continue;
            }
        };
        sender
            .frame(opcode, payload, key, &mut wire)
            .expect("not closed");
    }
    let limits = ReceiveLimits {
        max_message: 1 << 20,
        max_fragments: 1,
        accept_non_minimal_lengths: false,
    };
    let (again, end) = run(Receiver::new(role, limits), &[&wire]);
    assert_eq!(again, seen);
    assert!(matches!(end, Stop::More(false) | Stop::Closed), "{end:?}");
}
