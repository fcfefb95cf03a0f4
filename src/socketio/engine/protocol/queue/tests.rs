use super::*;

#[derive(Clone, Debug, PartialEq)]
struct Text(&'static str);

impl Carried for Text {
    fn payload_len(&self) -> usize {
        self.0.len()
    }

    fn append(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(self.0.as_bytes());
    }
}

fn drain(queue: &mut PacketQueue<Text>) -> Vec<String> {
    std::iter::from_fn(|| queue.pop())
        .map(|queued| match queued.packet {
            OutgoingPacket::Control(text) => text,
            OutgoingPacket::Message(text) => text.0.to_owned(),
        })
        .collect()
}

#[test]
fn packets_and_bytes_are_bounded_and_a_group_is_taken_whole_or_not_at_all() {
    let mut queue = PacketQueue::new(3, 10);
    assert_eq!(queue.push(&[Text("aaaa"), Text("b")]), Ok(()));
    assert_eq!(
        queue.push(&[Text("c"), Text("d")]),
        Err(QueueFull),
        "packets"
    );
    assert_eq!(queue.push(&[Text("eeeeee")]), Err(QueueFull), "bytes");
    assert_eq!(queue.push(&[Text("f")]), Ok(()));
    assert_eq!(drain(&mut queue), ["aaaa", "b", "f"]);
    assert_eq!(
        queue.push(&[Text("a packet larger than all")]),
        Ok(()),
        "alone"
    );
}

#[test]
fn the_sessions_own_packets_always_have_room() {
    let mut queue = PacketQueue::new(1, 1);
    queue.push(&[Text("a")]).unwrap();
    queue.push_control("2".to_owned());
    assert_eq!(drain(&mut queue), ["a", "2"]);
}

#[test]
fn the_oldest_group_is_dropped_whole() {
    let mut queue = PacketQueue::new(9, 99);
    queue.push_control("2".to_owned());
    queue.push(&[Text("header"), Text("attachment")]).unwrap();
    queue.push(&[Text("next")]).unwrap();
    assert!(queue.drop_oldest());
    assert_eq!(drain(&mut queue), ["2", "next"]);
    assert!(!queue.drop_oldest());
}

#[test]
fn attachments_of_a_header_that_has_left_are_not_dropped() {
    let mut queue = PacketQueue::new(9, 99);
    queue.push(&[Text("header"), Text("attachment")]).unwrap();
    queue.push(&[Text("next")]).unwrap();
    assert_eq!(queue.take_payload(6), b"header");
    assert!(queue.drop_oldest());
    assert!(!queue.drop_oldest());
    assert_eq!(queue.take_payload(99), b"attachment");
    assert!(queue.is_empty());
}

#[test]
fn one_group_may_wait_behind_the_rest_of_one_that_has_left_in_part() {
    let mut queue = PacketQueue::new(3, 30);
    let group = [Text("header"), Text("an attachment, longer")];
    queue.push(&group).unwrap();
    assert_eq!(queue.push(&group), Err(QueueFull));
    assert_eq!(queue.take_payload(6), b"header");
    assert_eq!(queue.push(&group), Ok(()));
    assert_eq!(queue.push(&[Text("next")]), Err(QueueFull));
    assert!(queue.drop_oldest());
    assert_eq!(drain(&mut queue), ["an attachment, longer"]);
}

#[test]
fn a_payload_takes_what_has_room_in_it() {
    let mut queue = PacketQueue::new(9, 99);
    for text in ["4aaa", "4bbb", "4ccc"] {
        queue.push(&[Text(text)]).unwrap();
    }
    assert_eq!(queue.take_payload(9), b"4aaa\x1e4bbb");
    assert_eq!(queue.take_payload(1), b"4ccc", "one in any case");
    assert_eq!(queue.push(&[Text("x"), Text("y")]), Ok(()));
}
