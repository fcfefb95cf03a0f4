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
