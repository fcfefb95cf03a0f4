//! What comes out of compressed messages, in frames and without: every form of data, every limit.

use super::super::deflater::Deflater;
use super::*;
use crate::protocol::Role;
use crate::protocol::frame::EncodedHeader;
use crate::protocol::opcode::Opcode;
use crate::protocol::receive::{ReceiveLimits, Received, Receiver};
use crate::protocol::violation::Violation;
use flate2::{Compress, Compression, FlushCompress};

const MAX: usize = 10_000;

/// "Hello", as in RFC 7692 7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn inflate(inflater: &mut Inflater, parts: &[&[u8]]) -> Result<Vec<u8>, NotInflated> {
    inflater.begin();
    for part in parts {
        inflater.push(part)?;
    }
    inflater.finish()?;
    Ok(inflater.output().to_vec())
}

fn fresh(parts: &[&[u8]]) -> Result<Vec<u8>, NotInflated> {
    inflate(&mut Inflater::new(None, MAX), parts)
}

fn deflated(message: &[u8]) -> Vec<u8> {
    Deflater::new(15, 6).deflate(message).expect("it shrinks")
}

/// Letters that shrink to about a half.
fn letters(len: usize, seed: u32) -> Vec<u8> {
    let places = noise(len, 16, seed).into_iter();
    places.map(|place| b'a' + place).collect()
}

/// Bytes of so many kinds; 256: nothing that shrinks.
fn noise(len: usize, kinds: u32, mut seed: u32) -> Vec<u8> {
    let next = |_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (((seed >> 16) * kinds) >> 16) as u8
    };
    (0..len).map(next).collect()
}

#[test]
fn the_examples_of_rfc_7692() {
    assert_eq!(fresh(&[&HELLO]), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[&HELLO[..3], &HELLO[3..]]), Ok(b"Hello".to_vec()));
    // 7.2.3.2: the window is shared, so the second time it is shorter.
    let mut inflater = Inflater::new(Some(15), MAX);
    for compressed in [&HELLO[..], &[0xf2, 0x00, 0x11, 0x00, 0x00]] {
        assert_eq!(inflate(&mut inflater, &[compressed]), Ok(b"Hello".to_vec()));
    }
    // Without a window there is nothing to refer to.
    let mut inflater = Inflater::new(None, MAX);
    assert!(inflate(&mut inflater, &[&HELLO]).is_ok());
    let again = inflate(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]);
    assert_eq!(again, Err(NotInflated::Malformed));
    // 7.2.3.3: a block that is not compressed.
    let stored = [
        0x00, 0x05, 0x00, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0x00,
    ];
    assert_eq!(fresh(&[&stored]), Ok(b"Hello".to_vec()));
    // 7.2.3.4: a final block, and without what should follow it.
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(fresh(&[&last]), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[&last[..7]]), Ok(b"Hello".to_vec()));
    assert_eq!(fresh(&[&last[..7], &HELLO]), Ok(b"HelloHello".to_vec()));
    // 7.2.3.5: two blocks.
    let two = [
        0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
    ];
    assert_eq!(fresh(&[&two]), Ok(b"Hello".to_vec()));
    // 7.2.3.6: an empty message; and how some compressors write the next one.
    assert_eq!(fresh(&[&[0x00]]), Ok(Vec::new()));
    assert_eq!(fresh(&[]), Ok(Vec::new()));
    assert_eq!(fresh(&[b"", b""]), Ok(Vec::new()));
}

#[test]
fn final_blocks_keep_what_later_messages_refer_to() {
    let mut inflater = Inflater::new(Some(15), MAX);
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(inflate(&mut inflater, &[&last]), Ok(b"Hello".to_vec()));
    let again = inflate(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]);
    assert_eq!(again, Ok(b"Hello".to_vec()));
}

/// Every message with every window, in fragments of every kind, with and without context takeover.
#[test]
fn what_a_deflater_writes_comes_back() {
    for bits in 9..=15 {
        for takeover in [false, true] {
            let mut deflater = Deflater::new(bits, 2);
            let mut inflater = Inflater::new(takeover.then_some(bits), 1 << 20);
            for (n, len) in [600, 100, 40_000, 5_000, 300].into_iter().enumerate() {
                let message = letters(len, n as u32 % 2);
                if !takeover {
                    deflater.start_over();
                }
                let compressed = deflater.deflate(&message).expect("it shrinks");
                let parts: Vec<&[u8]> = compressed.chunks(len / 7).collect();
                let seen = inflate(&mut inflater, &parts);
                assert!(seen.as_deref() == Ok(&message), "{bits} {takeover} {len}");
                inflater.trim();
            }
            assert!(inflater.window.capacity() <= 1 << bits);
        }
    }
}

#[test]
fn what_does_not_shrink_is_not_compressed() {
    let mut seed = 1u64;
    let noise: Vec<u8> = (0..5_000)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        })
        .collect();
    let mut deflater = Deflater::new(15, 6);
    let mut inflater = Inflater::new(Some(15), MAX);
    for message in [b"".as_slice(), b"a", b"abc", &noise] {
        assert_eq!(deflater.deflate(message), None, "{} bytes", message.len());
    }
    // The next message does not refer to one that was not sent.
    let repeated = noise.repeat(2);
    let compressed = deflater
        .deflate(&repeated)
        .expect("the second half refers to the first");
    assert_eq!(inflate(&mut inflater, &[&compressed]), Ok(repeated));
    for len in 1..200 {
        let message = vec![b'x'; len];
        deflater.start_over();
        if let Some(compressed) = deflater.deflate(&message) {
            assert!(compressed.len() < len);
            assert_eq!(fresh(&[&compressed]), Ok(message));
        }
    }
}

#[test]
fn x01_a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let exact = deflated(&[b'x'; MAX]);
    let over = deflated(&[b'x'; MAX + 1]);
    for part in [1, 2, exact.len()] {
        let seen = fresh(&exact.chunks(part).collect::<Vec<_>>());
        assert_eq!(seen.map(|seen| seen.len()), Ok(MAX));
        let seen = fresh(&over.chunks(part).collect::<Vec<_>>());
        assert_eq!(seen, Err(NotInflated::TooLong));
    }
}

#[test]
fn x01_a_bomb_costs_no_more_than_the_limit() {
    let bomb = deflated(&vec![0; 4 << 20]);
    assert!(bomb.len() < 8_000);
    for part in [7, 1_000, bomb.len()] {
        let mut inflater = Inflater::new(Some(15), MAX);
        let seen = inflate(&mut inflater, &bomb.chunks(part).collect::<Vec<_>>());
        assert_eq!(seen, Err(NotInflated::TooLong));
        assert!(inflater.output.capacity() <= MAX + 1);
    }
}

#[test]
fn f06_no_more_than_twice_what_came_out_is_allocated() {
    let mut inflater = Inflater::new(None, 1 << 20);
    inflater.begin();
    for part in deflated(&letters(300_000, 1)).chunks(500) {
        inflater.push(part).unwrap();
        assert!(inflater.output.capacity() <= 2 * inflater.output.len() + FIRST);
    }
}

#[test]
fn x04_memory_goes_with_silence_and_after_a_long_message() {
    let mut inflater = Inflater::new(Some(15), 1 << 20);
    assert!(!inflater.is_oversized());
    inflate(&mut inflater, &[&deflated(&vec![b'x'; 1 << 20])]).unwrap();
    inflate(&mut inflater, &[&HELLO]).unwrap();
    inflate(&mut inflater, &[&HELLO]).unwrap();
    assert!(inflater.output.capacity() <= FIRST && inflater.is_oversized());
    inflater.trim();
    assert!(!inflater.is_oversized() && inflater.window.capacity() <= 32 << 10);
    assert_eq!(
        inflate(&mut inflater, &[&[0xf2, 0x00, 0x11, 0x00, 0x00]]),
        Ok(b"Hello".to_vec())
    );
}

/// CVE-2026-87022 (Tomcat): whatever a message ends in the middle of, it is refused, and does not reach over into
/// the next one.
#[test]
fn x03_cve_2026_87022_a_message_ends_where_a_block_ends() {
    let whole = deflated(&letters(3_000, 5));
    for end in 1..whole.len() {
        for takeover in [None, Some(15)] {
            let mut inflater = Inflater::new(takeover, MAX);
            let seen = inflate(&mut inflater, &[&whole[..end]]);
            assert_eq!(seen, Err(NotInflated::Malformed), "cut at {end}");
        }
    }
    // The tail that RFC 7692 7.2.1 wants removed, and anything else after the last block.
    for tail in [
        &[0x00, 0x00, 0xff, 0xff][..],
        &[0x01],
        b"x",
        &[0x00, 0x10, 0x00],
    ] {
        let seen = fresh(&[&whole, tail]);
        assert_eq!(seen, Err(NotInflated::Malformed), "{tail:02x?}");
    }
    // The header of a block of 65,535 bytes to come, which the appended tail makes look like an empty one.
    assert_eq!(
        fresh(&[&[0x00, 0xff, 0xff, 0x00]]),
        Err(NotInflated::Malformed)
    );
}

#[test]
fn x01_random_bytes_never_panic_nor_pass_the_limit() {
    let mut seed = 7u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let whole = deflated(&letters(3_000, 5));
    let mut inflater = Inflater::new(Some(12), MAX);
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        bytes.truncate(1 + next() % 400);
        for _ in 0..next() % 4 {
            let at = next() % bytes.len();
            bytes[at] = next() as u8;
        }
        let parts: Vec<&[u8]> = bytes.chunks(1 + next() % 100).collect();
        let _ = inflate(&mut inflater, &parts);
        assert!(inflater.output.len() <= MAX + 1 && inflater.output.capacity() <= MAX + 1);
    }
}

// ---- in frames

fn receiver(inflater: Option<Inflater>) -> Receiver {
    let limits = ReceiveLimits {
        max_message: MAX,
        max_fragments: 8,
        accept_non_minimal_lengths: false,
    };
    Receiver::new(Role::Client, limits).with_inflater(inflater)
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let header = EncodedHeader::new(Opcode::Continuation, payload.len(), None);
    let mut frame = [header.as_slice(), payload].concat();
    frame[0] = first;
    frame
}

/// What comes next in the buffer; `None`: nothing before there is more.
fn next(receiver: &mut Receiver, buffer: &mut Vec<u8>) -> Result<Option<String>, Violation> {
    let found = match receiver.receive(buffer)? {
        Received::NeedMore { keep } => {
            buffer.truncate(keep.end);
            buffer.drain(..keep.start);
            return Ok(None);
        }
        Received::Message(message) => format!("{message:?}"),
        received => format!("{received:?}"),
    };
    buffer.drain(..receiver.take_discard());
    Ok(Some(found))
}

/// What a receiver finds in a stream that comes in these pieces, up to a violation.
fn found(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut receiver = receiver(Some(Inflater::new(None, MAX)));
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match next(&mut receiver, &mut buffer) {
                Ok(None) => break,
                Ok(Some(one)) => found.push(one),
                Err(violation) => {
                    found.push(format!("{violation:?}"));
                    assert_eq!(
                        receiver.receive(&mut buffer),
                        Ok(Received::NeedMore { keep: 0..0 })
                    );
                    return found;
                }
            }
        }
    }
    assert!(!receiver.is_assembling());
    found
}

#[test]
fn x04_memory_is_given_back_between_messages_and_never_within_one() {
    let mut receiver = receiver(Some(Inflater::new(None, MAX)));
    let mut take = |frame: Vec<u8>| {
        let mut buffer = frame;
        let found = next(&mut receiver, &mut buffer).unwrap();
        while next(&mut receiver, &mut buffer).unwrap().is_some() {}
        let oversized = receiver.is_oversized();
        receiver.trim();
        assert!(!receiver.is_oversized());
        (found, oversized)
    };
    assert_eq!(take(frame(0x41, &HELLO[..5])), (None, false));
    assert_eq!(
        take(frame(0x80, &HELLO[5..])),
        (Some("Text(\"Hello\")".to_owned()), true)
    );
    assert_eq!(take(frame(0x8A, b"")), (Some("Pong([])".to_owned()), false));
}

#[track_caller]
fn assert_found(frames: &[(u8, &[u8])], wanted: &[&str]) {
    let bytes = frames.iter().map(|(first, payload)| frame(*first, payload));
    let bytes = bytes.collect::<Vec<_>>().concat();
    for piece in 1..=bytes.len() {
        assert_eq!(found(&bytes, piece), wanted, "in pieces of {piece}");
    }
}

#[test]
fn compressed_and_plain_messages_with_control_frames_between() {
    assert_found(
        &[
            (0xC1, &HELLO),
            (0x81, b"plain"),
            (0x41, &HELLO[..2]),
            (0x89, b"ping"),
            (0x00, &HELLO[2..4]),
            (0x00, b""),
            (0x8A, b"pong"),
            (0x80, &HELLO[4..]),
            (0xC2, &HELLO),
            (0x01, b"pla"),
            (0x80, b"in"),
            (0xC1, &[0]),
            (0xC1, &[]),
            (0x88, b""),
        ],
        &[
            "Text(\"Hello\")",
            "Text(\"plain\")",
            "Ping([112, 105, 110, 103])",
            "Pong([112, 111, 110, 103])",
            "Text(\"Hello\")",
            "Binary([72, 101, 108, 108, 111])",
            "Text(\"plain\")",
            "Text(\"\")",
            "Text(\"\")",
            "Close(None, \"\")",
        ],
    );
}

#[test]
fn x03_the_bit_on_other_frames_than_a_messages_first_is_1002() {
    for first in [0xC0, 0xC8, 0xC9, 0xCA, 0xA1, 0x91, 0xE1, 0xD1, 0xF2] {
        assert_found(&[(first, b"")], &["ReservedBits"]);
    }
    assert_found(
        &[(0x41, &HELLO[..2]), (0xC0, &HELLO[2..])],
        &["ReservedBits"],
    );
    assert_found(&[(0x01, b"a"), (0x40, b"b")], &["ReservedBits"]);
    assert_found(
        &[(0x41, &HELLO[..2]), (0xC1, &HELLO)],
        &["ExpectedContinuation"],
    );
    assert_found(&[(0xC3, b"")], &["UnknownOpcode(3)"]);
}

#[test]
fn f02_without_negotiation_the_bit_is_1002() {
    let bytes = &mut frame(0xC1, &HELLO);
    assert_eq!(receiver(None).receive(bytes), Err(Violation::ReservedBits));
    assert_eq!(
        receiver(None).receive(&mut [0xC1]),
        Err(Violation::ReservedBits)
    );
}

#[test]
fn f11_inflated_text_is_checked_as_it_comes() {
    let bad = deflated(
        &[
            b"text, then ".as_slice(),
            &[b'x'; 50],
            b"\xC0\x80",
            &[b'x'; 500],
        ]
        .concat(),
    );
    assert_found(&[(0xC1, &bad)], &["InvalidUtf8"]);
    assert_found(&[(0x41, &bad), (0x00, b"")], &["InvalidUtf8"]);
    let cut = deflated(&["é".repeat(50).as_bytes(), b"\xC3"].concat());
    assert_found(&[(0xC1, &cut)], &["InvalidUtf8"]);
}

/// The peer may send any message plain: what one before it inflated to has no part in that.
#[test]
fn plain_messages_beside_compressed_ones_have_their_own_text_and_limit() {
    let text: [(u8, &[u8]); 3] = [(0xC1, &HELLO), (0x01, b"a"), (0x00, b"\xFF")];
    let unfinished: Vec<u8> = text.map(|(first, payload)| frame(first, payload)).concat();
    assert_eq!(found(&unfinished, 1), ["Text(\"Hello\")", "InvalidUtf8"]);
    let long = frame(0x82, &[0; MAX + 1]);
    assert_eq!(found(&long, 4_096), ["MessageTooBig { limit: 10000 }"]);
}

#[test]
fn x01_malformed_data_and_too_much_of_it() {
    assert_found(&[(0xC1, &[0xFF, 0xFF])], &["InvalidDeflate"]);
    assert_found(&[(0xC1, &HELLO[..4])], &["InvalidDeflate"]);
    let bomb = deflated(&vec![0; 4 * MAX]);
    let (a, b) = bomb.split_at(bomb.len() / 2);
    assert_found(&[(0x42, a), (0x80, b)], &["MessageTooBig { limit: 10000 }"]);
    // Empty blocks inflate to nothing: then the limit is on what comes in.
    let blocks = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(1_000);
    let frames = [
        (0x42, &blocks[..]),
        (0x00, &blocks[..]),
        (0x00, &blocks[..]),
    ];
    let bytes = frames
        .map(|(first, payload)| frame(first, payload))
        .concat();
    assert_eq!(found(&bytes, 4_096), ["MessageTooBig { limit: 10000 }"]);
    // Announced lengths count, too, before anything comes.
    let huge = [0xC2, 127, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(found(&huge, 1), ["MessageTooBig { limit: 10000 }"]);
}

#[test]
fn f08_fragments_of_compressed_messages_count() {
    let mut bytes = frame(0x41, &HELLO[..2]);
    for _ in 0..8 {
        bytes.extend(frame(0x00, b""));
    }
    assert_eq!(found(&bytes, 5), ["TooManyFragments { limit: 8 }"]);
}

/// Messages that shrink, that do not, and that would be as long as they are.
#[test]
fn a_message_is_compressed_to_less_or_not_at_all() {
    let (mut deflater, mut as_long) = (Deflater::new(15, 6), 0);
    let mut whole = Compress::new_with_window_bits(Compression::new(6), false, 15);
    for kinds in [2, 16, 100, 190, 256] {
        for len in 0..400 {
            let message = noise(len, kinds, len as u32);
            let mut out = Vec::with_capacity(2 * len + 100);
            whole.reset();
            whole
                .compress_vec(&message, &mut out, FlushCompress::Sync)
                .unwrap();
            let least = out.len() - 4;
            as_long += u32::from(least == len);
            deflater.start_over();
            match deflater.deflate(&message) {
                Some(body) => {
                    assert!(body.len() < len);
                    assert_eq!(fresh(&[&body]).unwrap(), message);
                }
                // Where its room ended exactly after the flush, the flush is there twice.
                None => assert!(least + 5 >= len, "{least} would do for {len}"),
            }
        }
    }
    assert!(as_long > 0);
}

/// Pictures, say: each is sent as it is, and leaves nothing behind in the compressor.
#[test]
fn messages_that_do_not_shrink_may_come_one_after_another() {
    for (bits, level) in [(15, 6), (9, 1), (12, 9)] {
        let mut deflater = Deflater::new(bits, level);
        for round in 0..200 {
            let message = noise(4_000 + round, 256, round as u32);
            assert_eq!(deflater.deflate(&message), None, "{round}");
        }
        let text = letters(5_000, 7);
        assert_eq!(fresh(&[&deflater.deflate(&text).unwrap()]).unwrap(), text);
    }
}

/// As `deflated`, in final blocks (RFC 7692 7.2.3.4).
fn final_blocks(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * message.len() + 100);
    let mut compress = Compress::new(Compression::new(6), false);
    let status = compress.compress_vec(message, &mut out, FlushCompress::Finish);
    assert_eq!(status.unwrap(), Status::StreamEnd);
    out
}

/// The room for a message may end with the bytes that it comes from.
#[test]
fn a_message_in_a_final_block_may_have_any_length() {
    for len in 1..3 * FIRST {
        let message = vec![b'x'; len];
        let compressed = final_blocks(&message);
        let seen = fresh(&compressed.chunks(1).collect::<Vec<_>>());
        assert!(seen == Ok(message), "{len}");
    }
}

#[test]
fn x03_a_message_that_is_cut_behind_a_final_block_is_malformed() {
    let (first, second) = (final_blocks(b"whole"), deflated(&letters(500, 3)));
    for end in 1..second.len() {
        let seen = fresh(&[&first, &second[..end]]);
        assert_eq!(seen, Err(NotInflated::Malformed), "cut at {end}");
    }
}

/// Data that do not shrink grow a little.
#[test]
fn x01_a_message_may_take_a_quarter_more_than_the_limit_and_a_little() {
    let mut inflater = Inflater::new(None, MAX);
    let most = (MAX + MAX / 4 + FIRST) as u64;
    assert_eq!(inflater.room(), most);
    inflater.begin();
    inflater.push(&HELLO).unwrap();
    assert_eq!(inflater.room(), most - HELLO.len() as u64);
}
