//! Text is valid UTF-8, checked as it arrives (RFC 6455 8.1).

use super::*;

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
