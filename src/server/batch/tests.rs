//! What a batch of messages holds, and how much room it takes.

use super::*;

#[test]
fn a_batch_gives_its_messages_in_order_and_counts_those_left() {
    let mut batch = Batch::default();
    for n in 0..100 {
        match n % 3 {
            0 => batch.push(MessageRef::Binary(&[n]), 10),
            _ => batch.push(MessageRef::Text(&n.to_string()), 10),
        }
    }
    let Some(mut messages) = batch.finish() else {
        panic!()
    };
    for n in 0..100u8 {
        assert_eq!(messages.left(), 100 - usize::from(n));
        let expected = match n % 3 {
            0 => Message::from(&[n]),
            _ => n.to_string().into(),
        };
        assert_eq!(messages.next(), Some(expected));
    }
    assert_eq!((messages.next(), messages.left()), (None, 0));
}

/// Credit counts bytes: the room that was made for what followed must not wait with them.
#[test]
fn f06_a_short_message_before_a_long_one_waits_in_little_room() {
    for count in [1, 2] {
        let mut batch = Batch::default();
        for _ in 0..count {
            batch.push(MessageRef::Text("short"), 60_000);
            batch.push(MessageRef::Binary(b"short"), 60_000);
        }
        assert!(batch.text.capacity() > 60_000 && batch.binary.capacity() > 60_000);
        batch.give_room_back();
        assert!(batch.text.capacity() <= 20 && batch.binary.capacity() <= 20);
    }
}
