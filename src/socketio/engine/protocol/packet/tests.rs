use super::*;

#[test]
fn packets_of_every_type_are_read() {
    for (text, packet) in [
        ("0", EnginePacket::Open),
        ("1", EnginePacket::Close),
        ("2", EnginePacket::Ping("")),
        ("2probe", EnginePacket::Ping("probe")),
        ("3", EnginePacket::Pong),
        ("3probe", EnginePacket::Pong),
        ("4", EnginePacket::Text("")),
        ("4hello", EnginePacket::Text("hello")),
        ("4€ü", EnginePacket::Text("€ü")),
        ("5", EnginePacket::Upgrade),
        ("6", EnginePacket::Noop),
        ("bAQIDBA==", EnginePacket::Binary(vec![1, 2, 3, 4])),
        ("b", EnginePacket::Binary(vec![])),
    ] {
        assert_eq!(EnginePacket::decode(text), Ok(packet), "{text}");
    }
}

#[test]
fn what_is_no_packet_is_refused() {
    for text in ["", "7", "9x", "abc", " 4", "é4", "b!!!!", "bA", "bAQ=x"] {
        assert_eq!(EnginePacket::decode(text), Err(MalformedPacket), "{text}");
    }
}

#[test]
fn base64_without_its_padding_is_understood() {
    assert_eq!(
        EnginePacket::decode("bAQIDBA"),
        Ok(EnginePacket::Binary(vec![1, 2, 3, 4]))
    );
}

#[test]
fn binary_comes_back_as_it_was_written() {
    for len in 0..70 {
        let bytes: Vec<u8> = (0..len).map(|at: u8| at.wrapping_mul(37)).collect();
        let mut text = b"4before".to_vec();
        append_binary(&mut text, &bytes);
        let text = String::from_utf8(text).unwrap();
        let packet = text.strip_prefix("4before").unwrap();
        assert_eq!(packet.len(), 1 + base64_len(bytes.len()));
        assert_eq!(
            EnginePacket::decode(packet),
            Ok(EnginePacket::Binary(bytes))
        );
    }
}
