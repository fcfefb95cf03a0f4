use super::*;

#[derive(Clone, Debug, PartialEq)]
struct Text(&'static str);

impl Carried for Text {
    fn control(text: String) -> Self {
        assert_eq!(text, "2");
        Text("2")
    }

    fn payload_len(&self) -> usize {
        self.0.len()
    }

    fn append(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(self.0.as_bytes());
    }
}

fn drain(queue: &mut PacketQueue<Text>) -> Vec<String> {
    std::iter::from_fn(|| queue.pop())
        .map(|queued| queued.packet.0.to_owned())
        .collect()
}

fn queue(max_packets: usize, max_bytes: usize, overflow: Overflow) -> PacketQueue<Text> {
    PacketQueue::new(QueueBounds {
        max_packets,
        max_bytes,
        overflow,
    })
}

#[test]
fn packets_and_bytes_are_bounded_and_a_group_is_taken_whole_or_not_at_all() {
    let mut queue = queue(3, 10, Overflow::DropNewest);
    assert_eq!(queue.push(&[Text("aaaa"), Text("b")]), Ok(0));
    assert_eq!(queue.push(&[Text("c"), Text("d")]), Ok(1), "packets");
    assert_eq!(queue.push(&[Text("eeeeee")]), Ok(1), "bytes");
    assert_eq!(queue.push(&[Text("f")]), Ok(0));
    assert_eq!(drain(&mut queue), ["aaaa", "b", "f"]);
    let large = [Text("a packet larger than all")];
    assert_eq!(queue.push(&large), Ok(0), "alone");
}

#[test]
fn a_client_that_takes_too_little_is_to_be_given_up() {
    for overflow in [Overflow::Disconnect, Overflow::Refuse] {
        let mut queue = queue(1, 10, overflow);
        assert_eq!(queue.push(&[Text("a")]), Ok(0));
        assert_eq!(queue.push(&[Text("b")]), Err(QueueFull));
    }
}

#[test]
fn the_sessions_own_packets_always_have_room() {
    let mut queue = queue(1, 1, Overflow::Disconnect);
    queue.push(&[Text("a")]).unwrap();
    queue.push_control("2".to_owned());
    assert_eq!(drain(&mut queue), ["a", "2"]);
}

#[test]
fn the_oldest_groups_are_dropped_whole_until_there_is_room() {
    let mut queue = queue(4, 99, Overflow::DropOldest);
    queue.push_control("2".to_owned());
    for group in [["header", "attachment"], ["next", "rest"]] {
        assert_eq!(queue.push(&group.map(Text)), Ok(0));
    }
    assert_eq!(queue.push(&[Text("last")]), Ok(1));
    assert_eq!(queue.push(&["a", "b", "c", "d"].map(Text)), Ok(2));
    assert_eq!(drain(&mut queue), ["2", "a", "b", "c", "d"]);
}

#[test]
fn attachments_of_a_header_that_has_left_are_not_dropped() {
    let mut queue = queue(2, 99, Overflow::DropOldest);
    queue.push(&[Text("header"), Text("attachment")]).unwrap();
    assert_eq!(queue.take_payload(6), b"header");
    assert_eq!(queue.push(&[Text("next")]), Ok(0));
    assert_eq!(queue.push(&[Text("last")]), Ok(1));
    assert_eq!(drain(&mut queue), ["attachment", "last"]);
}

#[test]
fn one_group_may_wait_behind_the_rest_of_one_that_has_left_in_part() {
    let mut queue = queue(3, 30, Overflow::DropNewest);
    let group = [Text("header"), Text("an attachment, longer")];
    queue.push(&group).unwrap();
    assert_eq!(queue.push(&group), Ok(1));
    assert_eq!(queue.take_payload(6), b"header");
    assert_eq!(queue.push(&group), Ok(0));
    assert_eq!(queue.push(&[Text("next")]), Ok(1));
    let left = ["an attachment, longer", "header", "an attachment, longer"];
    assert_eq!(drain(&mut queue), left);
}

#[test]
fn a_payload_takes_what_has_room_in_it() {
    let mut queue = queue(9, 99, Overflow::Disconnect);
    for text in ["4aaa", "4bbb", "4ccc"] {
        queue.push(&[Text(text)]).unwrap();
    }
    assert_eq!(queue.take_payload(9), b"4aaa\x1e4bbb");
    assert_eq!(queue.take_payload(1), b"4ccc", "one in any case");
    assert_eq!(queue.push(&[Text("x"), Text("y")]), Ok(0));
}

#[test]
fn a_payload_has_no_more_packets_than_every_client_takes() {
    let mut queue = queue(99, 999, Overflow::Disconnect);
    for _ in 0..=MOST_PACKETS {
        queue.push(&[Text("4")]).unwrap();
    }
    let payload = queue.take_payload(999);
    assert_eq!(payload, ["4"; MOST_PACKETS].join("\x1e").into_bytes());
    assert_eq!(queue.take_payload(999), b"4");
}
