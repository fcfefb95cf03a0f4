use super::*;

fn packets(body: &str) -> Packets<'_> {
    Packets { rest: Some(body) }
}

#[test]
fn packets_are_cut_at_the_separator() {
    let read: Result<Vec<_>, _> = packets("4hello\x1e2\x1ebAQID\x1e4").collect();
    assert_eq!(
        read,
        Ok(vec![
            EnginePacket::Text("hello"),
            EnginePacket::Ping(""),
            EnginePacket::Binary(vec![1, 2, 3]),
            EnginePacket::Text(""),
        ])
    );
}

#[test]
fn an_empty_packet_is_none() {
    for body in ["", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b"] {
        assert!(packets(body).any(|packet| packet.is_err()), "{body:?}");
    }
}

#[test]
fn a_payload_stops_at_its_bound_and_takes_one_in_any_case() {
    let mut payload = PayloadWriter::new(5);
    assert!(payload.has_room_for(1_000), "the first");
    payload.push(|bytes| bytes.extend(b"4a"));
    assert!(payload.has_room_for(2));
    assert!(!payload.has_room_for(3));
    payload.push(|bytes| bytes.extend(b"4b"));
    assert!(!payload.has_room_for(0));
    assert_eq!(payload.finish(), b"4a\x1e4b");
}

#[test]
fn a_payload_has_no_more_packets_than_every_client_takes() {
    let mut payload = PayloadWriter::new(1_000);
    for _ in 0..MOST_PACKETS {
        assert!(payload.has_room_for(1));
        payload.push(|bytes| bytes.push(b'6'));
    }
    assert!(!payload.has_room_for(1));
}
