use serde_json::json;

use super::super::packet::PacketKind;
use super::*;

const TWO: &str = r#"52-["x",{"_placeholder":true,"num":1},{"a":{"_placeholder":true,"num":0}}]"#;

#[test]
fn attachments_come_behind_their_header() {
    let mut decoder = Decoder::new(10, 100);
    assert_eq!(decoder.text(TWO), Ok(None));
    assert_eq!(decoder.binary(vec![1]), Ok(None));
    let whole = decoder.binary(vec![2, 3]).unwrap().unwrap();
    assert_eq!(whole.attachments, [vec![1], vec![2, 3]]);
    assert_eq!(whole.kind, PacketKind::Event);
    let next = decoder.text("2[\"y\"]").unwrap().unwrap();
    assert_eq!(next.data, Some(json!(["y"])));
    assert!(next.attachments.is_empty());
}

/// As an endless loop in another server's showed.
#[test]
fn malformed_binary_is_an_error_and_no_loop() {
    for (header, binary, error) in [
        (Some(TWO), 0, PacketError::AttachmentExpected),
        (Some(TWO), 1, PacketError::AttachmentExpected),
        (None, 1, PacketError::UnexpectedAttachment),
        (Some("2[\"x\"]"), 1, PacketError::UnexpectedAttachment),
        (Some(TWO), 3, PacketError::UnexpectedAttachment),
        (
            Some(r#"51-["x",{"_placeholder":true,"num":1}]"#),
            1,
            PacketError::UnknownAttachment,
        ),
        (
            Some(r#"51-["x",{"_placeholder":true,"num":-1}]"#),
            1,
            PacketError::UnknownAttachment,
        ),
        (
            Some(r#"51-["x",[{"_placeholder":true}]]"#),
            1,
            PacketError::UnknownAttachment,
        ),
    ] {
        let mut decoder = Decoder::new(10, 100);
        let mut seen = header.map_or(Ok(None), |header| decoder.text(header));
        for at in 0..binary {
            seen = decoder.binary(vec![at]);
        }
        if seen.is_ok() {
            seen = decoder.text("2[\"x\"]");
        }
        assert_eq!(seen, Err(error), "{header:?} and {binary}");
    }
}

#[test]
fn the_bytes_of_attachments_are_bounded_together() {
    let mut decoder = Decoder::new(10, 10);
    assert_eq!(decoder.text(TWO), Ok(None));
    assert_eq!(decoder.binary(vec![0; 6]), Ok(None));
    assert_eq!(
        decoder.binary(vec![0; 5]),
        Err(PacketError::AttachmentsTooLarge)
    );
    let mut decoder = Decoder::new(10, 10);
    for _ in 0..3 {
        decoder.text(TWO).unwrap();
        decoder.binary(vec![0; 5]).unwrap();
        assert!(
            decoder.binary(vec![0; 5]).unwrap().is_some(),
            "counted anew"
        );
    }
}

/// As npm's decoder has it.
#[test]
fn an_attachment_may_be_named_twice_or_not_at_all() {
    let mut decoder = Decoder::new(10, 100);
    let twice = r#"51-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#;
    for text in [twice, r#"51-["x"]"#] {
        assert_eq!(decoder.text(text), Ok(None));
        let whole = decoder.binary(vec![1]).unwrap().unwrap();
        assert_eq!(whole.attachments, [vec![1]]);
    }
}

#[test]
fn a_placeholder_without_attachments_is_plain_data() {
    let mut decoder = Decoder::new(10, 100);
    let text = r#"2["x",{"_placeholder":true,"num":7}]"#;
    assert!(decoder.text(text).unwrap().is_some());
}
