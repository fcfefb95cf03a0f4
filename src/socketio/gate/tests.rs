use super::*;

fn packet(text: &str) -> Vec<Part> {
    Part::of_packet(text, Vec::new())
}

/// For two packets of a few bytes.
fn limits(overflow: Overflow) -> Limits {
    Limits {
        max_queued_packets: 2,
        max_queued_bytes: 10,
        overflow,
        ..Limits::default()
    }
}

/// What is held, as it would be written.
fn held(packets: HeldPackets) -> Vec<String> {
    let packets = packets.into_packets().into_iter();
    packets
        .map(|packet| {
            let mut payload = Vec::new();
            packet.iter().for_each(|part| part.append(&mut payload));
            String::from_utf8(payload).unwrap()
        })
        .collect()
}

#[test]
fn packets_and_bytes_are_bounded_and_one_may_wait_alone() {
    let limits = limits(Overflow::DropNewest);
    let mut packets = HeldPackets::default();
    let long = "long enough for more than all";
    assert_eq!(packets.push(&packet(long), &limits), Ok(()));
    let dropped = Err(HeldOverflow::Dropped(1));
    assert_eq!(packets.push(&packet("a"), &limits), dropped);
    assert_eq!(held(packets), [["4", long].concat()]);
    let mut packets = HeldPackets::default();
    for (text, pushed) in [("a", Ok(())), ("b", Ok(())), ("c", dropped)] {
        assert_eq!(packets.push(&packet(text), &limits), pushed);
    }
    assert_eq!(held(packets), ["4a", "4b"]);
}

#[test]
fn the_oldest_are_dropped_until_there_is_room() {
    let (mut packets, limits) = (HeldPackets::default(), limits(Overflow::DropOldest));
    for text in ["a", "b"] {
        assert_eq!(packets.push(&packet(text), &limits), Ok(()));
    }
    let pushed = packets.push(&packet("10 bytes."), &limits);
    assert_eq!(pushed, Err(HeldOverflow::Dropped(2)));
    assert_eq!(held(packets), ["410 bytes."]);
}

#[test]
fn a_session_ends_once_and_what_comes_then_is_dropped() {
    for overflow in [Overflow::Disconnect, Overflow::Refuse] {
        let (mut packets, limits) = (HeldPackets::default(), limits(overflow));
        let pushed = ["a", "b", "c", "d"].map(|text| packets.push(&packet(text), &limits));
        let (ends, dropped) = (Err(HeldOverflow::Ends), Err(HeldOverflow::Dropped(1)));
        assert_eq!(pushed, [Ok(()), Ok(()), ends, dropped]);
    }
}
