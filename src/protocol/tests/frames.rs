//! The rules on single frames: the examples of RFC 6455 5.7, masks, reserved bits, opcodes, control frames, lengths.

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
