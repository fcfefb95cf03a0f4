//! Where in the caller's buffer a message is handed out, and what is under way after it.

use super::*;

#[test]
fn a_whole_message_is_handed_out_where_it_lies() {
    let mut buf = [frame(0x82, b"first"), frame(0x82, b"second")].concat();
    let place = buf[6..].as_ptr();
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    let Ok(Received::Message(MessageRef::Binary(found))) = receiver.receive(&mut buf) else {
        panic!()
    };
    assert_eq!((found, found.as_ptr()), (&b"first"[..], place));
    assert_eq!((receiver.take_discard(), receiver.take_discard()), (11, 0));
    assert_eq!(
        receiver.receive(&mut buf[11..]),
        Ok(Received::Message(MessageRef::Binary(b"second")))
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
    let Ok(Received::Message(MessageRef::Text(found))) = receiver.receive(&mut buf[16..]) else {
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
fn m09_the_receiver_tells_what_has_arrived_of_a_message_and_not_what_came_between() {
    let stream = [
        &frame(0x01, b"abc")[..],
        &frame(0x89, b"a ping between"),
        &frame(0x80, b"defgh")[..9],
    ]
    .concat();
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    let mut buf = stream;
    while !matches!(receiver.receive(&mut buf), Ok(Received::NeedMore { .. })) {
        buf.drain(..receiver.take_discard());
    }
    assert_eq!(receiver.under_way(), UnderWay::Same(6));
}
