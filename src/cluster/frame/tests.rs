use core::time::Duration;

use super::*;
use crate::seeded::Random;

const NODE: NodeId = NodeId::new(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);

fn bodies() -> Vec<Body<'static>> {
    let connection = ConnectionId {
        node: NodeId::new(7),
        number: 9,
    };
    vec![
        Body::Broadcast {
            room: None,
            except: None,
            content: Content::Text("hällo"),
        },
        Body::Broadcast {
            room: Some("küche"),
            except: Some(3),
            content: Content::Binary(&[0, 255]),
        },
        Body::Broadcast {
            room: Some(""),
            except: None,
            content: Content::Text(""),
        },
        Body::Close {
            connection,
            code: 4001,
            reason: "elsewhere",
        },
        Body::Carried {
            to: None,
            bytes: b"to all",
        },
        Body::Carried {
            to: Some(NodeId::new(8)),
            bytes: b"",
        },
        Body::Note {
            to: None,
            content: Content::Text("to all"),
        },
        Body::Note {
            to: Some(NodeId::new(0)),
            content: Content::Binary(b""),
        },
        Body::Post {
            room: "küche",
            number: 12,
            content: Content::Text("{}"),
        },
        Body::Alive {
            connections: 500,
            rooms: None,
        },
        Body::Alive {
            connections: 500,
            rooms: Some(RoomReport {
                number: 3,
                is_whole: true,
                lacks: false,
                counts: RoomCounts::read(b"\0\0\0\x02\0\x01a\0\0\0\0\0\0").unwrap(),
            }),
        },
        Body::Bye,
    ]
}

fn head(body: &Body<'_>) -> Head {
    Head {
        node: NODE,
        number: match body {
            Body::Alive { .. } | Body::Bye => FrameNumber::Behind(u64::MAX),
            _ => FrameNumber::Own(u64::MAX),
        },
        age: Duration::from_millis(1234),
    }
}

#[test]
fn what_is_written_is_read() {
    for body in bodies() {
        let head = head(&body);
        assert_eq!(decode(&encode(&head, &body)), Ok((head, Some(body))));
    }
}

#[test]
fn a_frame_gets_its_number_later() {
    for body in bodies() {
        let mut frame = encode(&head(&body), &body);
        set_number(&mut frame, 42);
        let (head, same) = decode(&frame).unwrap();
        let (FrameNumber::Own(number) | FrameNumber::Behind(number)) = head.number;
        assert_eq!((number, same), (42, Some(body)));
    }
}

#[test]
fn the_format_stays_as_it_is() {
    let head = Head {
        node: NODE,
        number: FrameNumber::Own(2),
        age: Duration::from_millis(3),
    };
    let body = Body::Broadcast {
        room: Some("ab"),
        except: Some(5),
        content: Content::Text("x"),
    };
    let expected = [
        &[1, 2][..],
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        &[0, 0, 0, 0, 0, 0, 0, 2],
        &[0, 0, 0, 0, 0, 0, 0, 3],
        &[0, 0, 0, 0, 0, 0, 0, 5, 0, 2, b'a', b'b', 1, b'x'],
    ];
    assert_eq!(encode(&head, &body), expected.concat());
}

#[test]
fn a_frame_of_another_version_or_cut_short_is_unreadable() {
    for body in bodies() {
        let frame = encode(&head(&body), &body);
        for end in 0..HEAD {
            assert_eq!(decode(&frame[..end]), Err(Unreadable), "{body:?}, {end}");
        }
        for end in HEAD..frame.len() {
            // A content may be shorter, and a text may be cut within a character.
            let _ = decode(&frame[..end]);
        }
        let mut other = frame;
        other[0] = 2;
        assert_eq!(decode(&other), Err(Unreadable));
    }
}

#[test]
fn a_kind_of_a_later_version_keeps_its_number() {
    let mut frame = encode(&head(&Body::Bye), &Body::Bye);
    for (kind, number) in [(99, FrameNumber::Own(8)), (200, FrameNumber::Behind(8))] {
        frame[1] = kind;
        set_number(&mut frame, 8);
        let (head, body) = decode(&frame).unwrap();
        assert_eq!((head.number, body), (number, None));
    }
}

#[test]
fn no_bytes_are_too_much() {
    let mut random = Random::new(1);
    let frames: Vec<_> = bodies().iter().map(|it| encode(&head(it), it)).collect();
    for _ in 0..20_000 {
        let mut frame = frames[random.below(frames.len())].clone();
        for _ in 0..random.below(4) {
            let at = random.below(frame.len());
            frame[at] = random.number() as u8;
        }
        frame.truncate(random.below(frame.len() + 1));
        let _ = decode(&frame);
    }
}
