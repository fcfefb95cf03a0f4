//! Sessions that a WebSocket carries.

use super::*;
use crate::Overflow;

#[test]
fn a_websocket_carries_one_packet_in_each_message_up_to_max_payload() {
    let mut rig = Rig::over_websocket();
    rig.session.hear_carrier(said("4a\x1eb"), rig.now);
    rig.session
        .hear_carrier(WebSocketInput::Binary(vec![4, 5]), rig.now);
    rig.session.hear_carrier(said("bAQ=="), rig.now);
    assert_eq!(
        rig.outputs(),
        ["text a\x1eb", "binary [4, 5]", "binary [1]"]
    );
    for large in [said(&"4".repeat(101)), WebSocketInput::Binary(vec![0; 101])] {
        let mut rig = Rig::over_websocket();
        rig.session.hear_carrier(large, rig.now);
        assert_eq!(rig.outputs(), ["close carrier", "end TransportError"]);
    }
    for malformed in ["", "abc", "b!"] {
        let mut rig = Rig::over_websocket();
        rig.session.hear_carrier(said(malformed), rig.now);
        assert_eq!(rig.outputs(), ["close carrier", "end ParseError"]);
    }
}

#[test]
fn a_websocket_that_ends_ends_its_session() {
    let mut rig = Rig::over_websocket();
    rig.session.carrier_ended(DisconnectReason::TransportClose);
    assert_eq!(rig.outputs(), ["close carrier", "end TransportClose"]);
}

#[test]
fn what_a_websocket_refuses_goes_first_when_it_takes_more() {
    let mut config = CONFIG;
    config.queue.overflow = Overflow::DropOldest;
    let mut rig = Rig::with(Carrier::WebSocket, config);
    rig.outputs();
    let write = |rig: &mut Rig| {
        let outputs = std::iter::from_fn(|| rig.session.next_output());
        let written = outputs.filter_map(|output| match output {
            Output::Write(queued) => Some(queued),
            _ => None,
        });
        written.collect::<Vec<_>>()
    };
    let group = [text("5"), Sent::Binary(vec![1]), Sent::Binary(vec![2])];
    rig.session.send(&group);
    rig.session.send(&[text("b")]);
    let mut written = write(&mut rig);
    // Its header has left.
    assert_eq!(rig.session.refused(written.split_off(1)), 0);
    assert!(!rig.session.is_writable(&[text("c")]));
    let dropped = ["c", "d", "e"].map(|it| rig.session.send(&[text(it)]));
    assert_eq!(dropped, [0, 0, 1], "b: the attachments have to leave");
    assert_eq!(rig.outputs(), [""; 0]);
    rig.session.drained();
    let written = ["bAQ==", "bAg==", "4c", "4d", "4e"].map(|it| format!("write {it}"));
    assert_eq!(rig.outputs(), written);
    assert!(rig.session.is_writable(&[text("d")]));

    rig.session.send(&[text("d")]);
    let written = write(&mut rig);
    rig.session.refused(written.clone());
    rig.session
        .close(DisconnectReason::ForcedServerClose, rig.now);
    assert_eq!(rig.outputs(), ["end ForcedServerClose"]);
    rig.session.drained();
    assert_eq!(rig.outputs(), ["write 4d", "close carrier"], "behind it");
    assert_eq!(rig.session.refused(written), 1, "too late");
}
