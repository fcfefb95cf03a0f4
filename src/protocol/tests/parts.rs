//! Messages that are handed out as they arrive: however a stream is cut, the parts together are the message, a text's
//! are whole characters, and a fault shows as it does for a whole message.

use super::*;

/// What came of one message in parts.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    text: bool,
    parts: Vec<Vec<u8>>,
    last: bool,
    control: Vec<Event>,
    failed: Option<Violation>,
}

impl Taken {
    fn whole(&self) -> Vec<u8> {
        self.parts.concat()
    }
}

/// Takes the first message of a stream in parts, of at most `max` bytes.
fn take(max: u64, pieces: &[&[u8]]) -> Taken {
    let mut receiver = Receiver::new(Role::Client, LIMITS);
    receiver.begin_parts(max);
    let mut taken = Taken {
        text: false,
        parts: Vec::new(),
        last: false,
        control: Vec::new(),
        failed: None,
    };
    let mut buffer = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match receiver.receive(&mut buffer) {
                Ok(Received::NeedMore { keep }) => {
                    assert!(keep.len() < MAX_HEADER + MAX_CONTROL, "nothing is joined");
                    buffer.truncate(keep.end);
                    buffer.drain(..keep.start);
                    break;
                }
                Ok(Received::Part(part)) => {
                    assert!(!taken.last, "a part behind the last");
                    assert!(!part.text || core::str::from_utf8(part.bytes).is_ok());
                    (taken.text, taken.last) = (part.text, part.last);
                    taken.parts.push(part.bytes.to_vec());
                }
                Ok(Received::Ping(payload)) => taken.control.push(ping(payload)),
                Ok(Received::Close(code, reason)) => {
                    let close = Event::Close(code.map(u16::from), reason.into());
                    taken.control.push(close);
                }
                Ok(other) => panic!("{other:?}"),
                Err(violation) => {
                    taken.failed = Some(violation);
                    return taken;
                }
            }
            let discard = receiver.take_discard();
            buffer.drain(..discard);
        }
    }
    assert!(!(taken.last && receiver.is_amid_parts()));
    taken
}

/// Whole, cut in two everywhere, and byte by byte.
fn each_way(bytes: &[u8], max: u64, check: impl Fn(Taken)) {
    check(take(max, &[bytes]));
    for at in 1..bytes.len() {
        let (front, back) = bytes.split_at(at);
        check(take(max, &[front, back]));
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    check(take(max, &single));
}

fn fragment(first: u8, payload: &[u8]) -> Vec<u8> {
    let header = EncodedHeader::new(Opcode::Continuation, payload.len(), None);
    let mut frame = [header.as_slice(), payload].concat();
    frame[0] = first;
    frame
}

#[test]
fn the_parts_together_are_the_message() {
    let text = "grüße, 漢字 und 🦀";
    for cut in 0..=text.len() {
        let (front, back) = text.as_bytes().split_at(cut);
        let stream = [
            fragment(0x01, front),
            fragment(0x89, b"there?"),
            fragment(0x00, b""),
            fragment(0x80, back),
        ];
        each_way(&stream.concat(), 1000, |taken| {
            assert!(taken.last && taken.text);
            assert_eq!(taken.whole(), text.as_bytes());
            assert_eq!(taken.control, [ping(b"there?")]);
        });
    }
    each_way(&fragment(0x82, b"binary"), 6, |taken| {
        assert!(taken.last && !taken.text && taken.whole() == b"binary");
    });
    each_way(&fragment(0x82, b""), 0, |taken| {
        assert!(taken.last && taken.whole().is_empty());
    });
}

#[test]
fn a_message_that_has_begun_shows_at_once() {
    let taken = take(1000, &[&[0x02, 100]]);
    assert_eq!((taken.parts.len(), taken.last), (1, false));
}

/// The bounds of whole messages do not hold, and those of its own do.
#[test]
fn its_own_bound_is_the_only_one() {
    let long = [fragment(0x02, &[7; 5000]), fragment(0x80, &[8; 5000])].concat();
    let taken = take(10_000, &[&long]);
    assert!(taken.last && taken.whole().len() == 10_000);
    for max in [9_999, 5_000, 4_999, 0] {
        let taken = take(max, &[&long]);
        let limit = max as usize;
        assert_eq!(taken.failed, Some(Violation::MessageTooBig { limit }));
        assert!(taken.whole().len() <= limit);
    }
    let many: Vec<u8> = (0..100).flat_map(|_| fragment(0x00, b"x")).collect();
    let stream = [fragment(0x02, b"x"), many, fragment(0x80, b"")].concat();
    assert_eq!(take(1000, &[&stream]).whole().len(), 101);
    let empty: Vec<u8> = (0..100).flat_map(|_| fragment(0x00, b"")).collect();
    let stream = [fragment(0x02, b"x"), empty].concat();
    let limit = LIMITS.max_fragments;
    let failed = take(1000, &[&stream]).failed;
    assert_eq!(failed, Some(Violation::TooManyFragments { limit }));
}

#[test]
fn text_that_can_never_be_valid_fails_as_it_arrives() {
    let stream = [
        fragment(0x01, "ab\u{e9}".as_bytes()),
        fragment(0x00, b"\xff"),
    ]
    .concat();
    each_way(&stream, 1000, |taken| {
        assert_eq!(taken.failed, Some(Violation::InvalidUtf8));
        assert_eq!(taken.whole(), "ab\u{e9}".as_bytes());
    });
    // A character that the end cuts off.
    each_way(&fragment(0x81, b"ab\xc3"), 1000, |taken| {
        assert_eq!(taken.failed, Some(Violation::InvalidUtf8));
    });
}

#[test]
fn a_close_amid_a_message_shows() {
    let stream = [fragment(0x02, b"half"), fragment(0x88, &[3, 232])].concat();
    each_way(&stream, 1000, |taken| {
        assert_eq!(taken.whole(), b"half");
        assert_eq!((taken.control, taken.last), (vec![closed(1000, "")], false));
    });
}

/// What was joined before comes with the first part.
#[test]
fn a_message_may_be_taken_in_parts_when_some_of_it_has_come() {
    let mut receiver = Receiver::new(Role::Client, LIMITS);
    let mut buffer = fragment(0x01, "abc\u{e9}".as_bytes());
    buffer.truncate(6); // half of a character
    let kept = match receiver.receive(&mut buffer) {
        Ok(Received::NeedMore { keep }) => keep,
        other => panic!("{other:?}"),
    };
    buffer.truncate(kept.end);
    buffer.drain(..kept.start);
    receiver.begin_parts(100);
    let first = match receiver.receive(&mut buffer) {
        Ok(Received::Part(part)) => part.bytes.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(first, b"abc");
}
