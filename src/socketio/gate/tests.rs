use super::*;
use crate::Overflow;
use crate::socketio::engine::protocol::queue::QueueBounds;

/// For two packets.
fn joining(overflow: Overflow) -> Gate {
    Gate::Joining(PacketQueue::new(QueueBounds {
        max_packets: 2,
        max_bytes: 1000,
        overflow,
    }))
}

fn hold(gate: &mut Gate, text: &str, delivery: Reliability) -> Option<Result<usize, QueueFull>> {
    gate.hold(&Part::of_packet(text, Vec::new()), delivery)
}

#[test]
fn what_is_volatile_does_not_wait() {
    let mut gate = joining(Overflow::Disconnect);
    for text in ["a", "b", "c"] {
        let held = hold(&mut gate, text, Reliability::Volatile);
        assert_eq!(held, Some(Ok(1)), "it is dropped");
    }
    let held = hold(&mut gate, "d", Reliability::Reliable);
    assert_eq!(held, Some(Ok(0)));
}

#[test]
fn a_session_ends_once_and_what_comes_then_is_dropped() {
    for overflow in [Overflow::Disconnect, Overflow::Refuse] {
        let mut gate = joining(overflow);
        let held = ["a", "b", "c", "d"].map(|text| hold(&mut gate, text, Reliability::Reliable));
        let ends = Err(QueueFull);
        assert_eq!(held, [Ok(0), Ok(0), ends, Ok(1)].map(Some));
    }
}

#[test]
fn one_that_has_joined_holds_nothing_and_one_that_has_left_gets_nothing() {
    for delivery in [Reliability::Reliable, Reliability::Volatile] {
        assert_eq!(hold(&mut Gate::Joined, "a", delivery), None);
        let mut left = Gate::Left(Vec::new());
        assert_eq!(hold(&mut left, "a", delivery), Some(Ok(0)));
    }
}
