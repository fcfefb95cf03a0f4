//! Which buffers are kept, and which messages get them.

use super::*;

#[test]
fn a_buffer_serves_one_message_of_about_its_length() {
    put(vec![0; 20]);
    let next = buffer(18);
    assert_eq!((next.capacity(), next.len()), (20, 0));
    assert_eq!(buffer(18).capacity(), 18);
}

#[test]
fn f06_a_short_message_gets_no_much_larger_buffer() {
    put(Vec::with_capacity(LARGEST));
    assert_eq!(buffer(5).capacity(), 5);
    put(Vec::with_capacity(LARGEST + 1));
    assert_eq!(buffer(LARGEST).capacity(), LARGEST);
}

#[test]
fn a_buffer_that_does_not_fit_makes_room_for_those_that_do() {
    for _ in 0..2 * OTHERS_KEPT {
        put(Vec::with_capacity(100));
    }
    for _ in 0..=OTHERS_KEPT {
        assert_eq!(buffer(5).capacity(), 5);
    }
    put(Vec::new());
    assert_eq!(buffer(90).capacity(), 90);
}
