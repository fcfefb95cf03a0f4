//! Copies of every length around the size of a piece.

use super::*;

#[test]
fn copies_are_whole_for_every_length_around_a_piece() {
    let text = "aé€😀".repeat(PIECE);
    let lengths = (0..20)
        .chain(PIECE - 10..PIECE + 10)
        .chain(3 * PIECE..3 * PIECE + 10);
    for len in lengths {
        let mut bytes = b"before".to_vec();
        append(&mut bytes, &text.as_bytes()[..len]);
        assert_eq!(bytes, [b"before", &text.as_bytes()[..len]].concat());
        if let Some(part) = text.get(..len) {
            let mut copy = String::new();
            append_text(&mut copy, part);
            assert_eq!(copy, part);
        }
    }
}
