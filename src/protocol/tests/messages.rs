//! From frames to messages: bounds on bytes and fragments, the order of frames, and control frames between them.

use super::*;

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
    assert!(driver.buf.is_empty());
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

#[test]
fn f15_f16_pings_and_pongs_leave_nothing_behind() {
    let mut driver = Driver::server();
    for i in 0..10_000u32 {
        driver.feed(&frame(
            if i % 2 == 0 { 0x89 } else { 0x8A },
            &i.to_be_bytes(),
        ));
        assert!(driver.buf.is_empty());
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
fn whole_messages_are_taken_at_once_as_long_as_more_are_wanted() {
    let stream = [
        frame(0x82, b"one"),
        frame(0x82, &[2; 200]),
        frame(0x89, b"ping"),
        frame(0x82, b"three"),
    ]
    .concat();
    for wanted in 1..4 {
        let mut receiver = Receiver::new(Role::Server, LIMITS);
        let mut buf = stream.clone();
        let mut lengths = Vec::new();
        let found = receiver.receive_all_whole(&mut buf, |message| {
            lengths.push(message.len());
            lengths.len() < wanted
        });
        let expected = &[3, 200][..wanted.min(2)];
        assert_eq!((found, &lengths[..]), (Ok(()), expected));
        let passed = expected
            .iter()
            .map(|len| len + 6 + 2 * usize::from(*len > 125));
        assert_eq!(receiver.take_discard(), passed.sum::<usize>());
    }
}
