//! Headers, opcodes and masks: what is written is read again.

use super::*;

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
            let accepts = Accepts {
                role,
                non_minimal_lengths: false,
                compression: false,
            };
            for opcode in opcodes {
                for fin in [false, true] {
                    let last = EncodedHeader::new(opcode, len, key);
                    let header = if fin { last } else { last.continued() };
                    let size = short + if key.is_some() { 4 } else { 0 };
                    assert_eq!((header.as_slice().len(), header.mask()), (size, key));
                    let parsed = FrameHeader {
                        compressed: false,
                        fin,
                        opcode,
                        mask: key,
                        len: len as u64,
                    };
                    let found = FrameHeader::parse(header.as_slice(), accepts);
                    assert_eq!(found, Ok(Some((parsed, size))));
                    for cut in 0..size {
                        let part = &header.as_slice()[..cut];
                        assert_eq!(FrameHeader::parse(part, accepts), Ok(None));
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
