//! What a receiver takes and refuses: the examples of RFC 6455 5.7, each rule on frames, and where a message lies.

use super::*;

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
    // On 32 bits no limit is that large.
    if cfg!(target_pointer_width = "64") {
        assert_eq!(driver.feed(&with_len((1 << 63) - 1)), []);
        assert!(driver.assembling());
    }
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
