use serde_json::json;

use super::*;

fn packet(kind: PacketKind, namespace: &str, id: Option<u64>, data: Option<Value>) -> Packet {
    Packet {
        kind,
        namespace: namespace.to_owned(),
        id,
        data,
        due: 0,
        attachments: Vec::new(),
    }
}

#[test]
fn packets_of_the_protocols_document_are_read() {
    use PacketKind::*;
    for (text, expected) in [
        ("0", packet(Connect, "/", None, None)),
        ("0/admin", packet(Connect, "/admin", None, None)),
        ("0/admin,", packet(Connect, "/admin", None, None)),
        (
            r#"0/admin,{"token":"abc"}"#,
            packet(Connect, "/admin", None, Some(json!({"token": "abc"}))),
        ),
        ("1/admin,", packet(Disconnect, "/admin", None, None)),
        ("1", packet(Disconnect, "/", None, None)),
        (
            r#"2["hello",1]"#,
            packet(Event, "/", None, Some(json!(["hello", 1]))),
        ),
        (
            r#"2/admin,456["project:delete",123]"#,
            packet(
                Event,
                "/admin",
                Some(456),
                Some(json!(["project:delete", 123])),
            ),
        ),
        ("2[7]", packet(Event, "/", None, Some(json!([7])))),
        (
            r#"20["a,b","/c"]"#,
            packet(Event, "/", Some(0), Some(json!(["a,b", "/c"]))),
        ),
        // 2^63: npm's server takes it, too.
        (
            r#"29223372036854775808["x"]"#,
            packet(Event, "/", Some(1 << 63), Some(json!(["x"]))),
        ),
        (
            "318446744073709551615[]",
            packet(Ack, "/", Some(u64::MAX), Some(json!([]))),
        ),
        (
            "3/admin,456[]",
            packet(Ack, "/admin", Some(456), Some(json!([]))),
        ),
        ("30[1]", packet(Ack, "/", Some(0), Some(json!([1])))),
        (
            r#"4{"message":"Not authorized"}"#,
            packet(
                ConnectError,
                "/",
                None,
                Some(json!({"message": "Not authorized"})),
            ),
        ),
        (
            r#"51-["hello",{"_placeholder":true,"num":0}]"#,
            Packet {
                due: 1,
                ..packet(
                    Event,
                    "/",
                    None,
                    Some(json!(["hello", {"_placeholder": true, "num": 0}])),
                )
            },
        ),
        (
            r#"61-/admin,456[{"_placeholder":true,"num":0}]"#,
            Packet {
                due: 1,
                ..packet(
                    Ack,
                    "/admin",
                    Some(456),
                    Some(json!([{"_placeholder": true, "num": 0}])),
                )
            },
        ),
    ] {
        assert_eq!(Packet::decode(text, 10), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_packet_is_refused_with_its_reason() {
    use PacketError::*;
    for (text, error) in [
        ("", UnknownType),
        ("7", UnknownType),
        ("abc", UnknownType),
        ("é", UnknownType),
        ("0[]", InvalidPayload),
        ("0\"a\"", InvalidPayload),
        ("1{}", InvalidPayload),
        ("2", InvalidPayload),
        ("2{}", InvalidPayload),
        ("2[]", InvalidPayload),
        ("2[null]", InvalidPayload),
        ("2[{}]", InvalidPayload),
        ("2abc[\"x\"]", InvalidJson),
        ("2[\"x\"", InvalidJson),
        ("2[\"x\"]x", InvalidJson),
        ("2[\"disconnect\"]", ReservedEvent),
        ("2[\"connect_error\",1]", ReservedEvent),
        ("2[\"newListener\"]", ReservedEvent),
        ("2[\"connect\"]", ReservedEvent),
        ("2[\"disconnecting\"]", ReservedEvent),
        ("2[\"removeListener\"]", ReservedEvent),
        ("218446744073709551616[\"x\"]", InvalidId),
        ("3[]", InvalidId),
        ("30", InvalidPayload),
        ("30{}", InvalidPayload),
        ("5[\"x\"]", IllegalAttachments),
        ("5-[\"x\"]", IllegalAttachments),
        ("50-[\"x\"]", IllegalAttachments),
        ("5x-[\"x\"]", IllegalAttachments),
        ("5+1-[\"x\"]", IllegalAttachments),
        ("51.5-[\"x\"]", IllegalAttachments),
        ("511-[\"x\"]", TooManyAttachments),
        ("599999999999999999999999-[\"x\"]", TooManyAttachments),
        ("61-[]", InvalidId),
    ] {
        assert_eq!(Packet::decode(text, 10), Err(error), "{text}");
    }
}

#[test]
fn a_number_is_the_one_that_was_sent() {
    for number in [
        "1.7777777777777778e+44",
        "0.1",
        "2.2250738585072014e-308",
        "-9007199254740993.0",
    ] {
        let packet = Packet::decode(&format!("2[\"n\",{number}]"), 0).unwrap();
        let sent: f64 = number.parse().unwrap();
        let read = packet.data.unwrap()[1].as_f64().unwrap();
        assert_eq!(read.to_bits(), sent.to_bits(), "{number}");
    }
    let long = format!("2[\"n\",{}]", "7".repeat(45));
    let packet = Packet::decode(&long, 0).unwrap();
    let again = Packet::decode(&format!("2{}", packet.data.as_ref().unwrap()), 0);
    assert_eq!(again, Ok(packet));
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("2[\"x\",{}{}]", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(Packet::decode(&deep, 10), Err(PacketError::InvalidJson));
}

#[test]
fn packets_are_written_as_the_protocols_document_has_them() {
    use PacketKind::*;
    for (written, text) in [
        (
            encode(Connect, "/", None, r#"{"sid":"x"}"#, 0),
            r#"0{"sid":"x"}"#,
        ),
        (encode(Disconnect, "/admin", None, "", 0), "1/admin,"),
        (encode(Event, "/", None, "[\"a\"]", 0), "2[\"a\"]"),
        (
            encode(Event, "/admin", Some(12), "[\"a\"]", 0),
            "2/admin,12[\"a\"]",
        ),
        (encode(Event, "/", Some(0), "[\"a\"]", 2), "52-0[\"a\"]"),
        (encode(Ack, "/admin", Some(7), "[1]", 0), "3/admin,7[1]"),
        (encode(Ack, "/", Some(7), "[1]", 1), "61-7[1]"),
        (encode(ConnectError, "/", None, "{}", 0), "4{}"),
    ] {
        assert_eq!(written, text);
    }
}
