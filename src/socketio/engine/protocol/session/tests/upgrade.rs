//! The upgrade from polling to a WebSocket.

use super::*;

#[test]
fn an_upgrade_releases_the_get_and_what_waits_goes_over_the_websocket() {
    let mut rig = Rig::polling();
    assert_eq!(rig.get(), "parked");
    assert!(rig.session.probe(rig.now));
    assert_eq!(rig.outputs(), [""; 0]);
    rig.session.hear_candidate(&said("2probe"), rig.now);
    assert_eq!(rig.outputs(), ["probe 3probe", "answer 6"]);
    rig.session.send(&[text("a")]);
    rig.session.hear_candidate(&said("5"), rig.now);
    assert_eq!(rig.outputs(), ["promote", "write 4a"]);
    rig.session.send(&[text("b"), Sent::Binary(vec![1])]);
    assert_eq!(rig.outputs(), ["write 4b", "write bAQ=="]);
    rig.session.hear_carrier(said("4c"), rig.now);
    assert_eq!(rig.outputs(), ["text c"]);
    assert_eq!(rig.get(), "error 3");
    assert_eq!(rig.post("4d"), "error 3");
    assert!(rig.session.is_open());
}

/// Rule (a); as stalls of 25 seconds in other servers showed, which released the first GET only.
#[test]
fn every_get_between_probe_and_upgrade_is_released() {
    let mut rig = Rig::probed();
    for _ in 0..5 {
        assert_eq!(rig.get(), "parked");
        rig.pass(UPGRADE_PATIENCE);
        assert_eq!(rig.outputs(), ["answer 6"]);
    }
    assert_eq!(rig.get(), "parked");
    rig.session.send(&[text("a")]);
    assert_eq!(rig.outputs(), ["answer 4a"], "what is sent does not wait");
}

/// Rule (b).
#[test]
fn a_get_that_overtakes_the_upgrade_waits_for_it() {
    let mut rig = Rig::probed();
    assert_eq!(rig.get(), "parked");
    rig.pass(UPGRADE_PATIENCE / 2);
    rig.session.hear_candidate(&said("5"), rig.now);
    assert_eq!(rig.outputs(), ["promote", "answer error 3"]);
}

/// As the protocol's own test suite showed, whose client asks for both at once.
#[test]
fn a_get_that_overtakes_the_probe_waits_for_the_upgrade() {
    for is_open in [false, true] {
        for goes_on in [false, true] {
            let mut rig = Rig::polling();
            rig.session.expect_candidate(rig.now);
            if is_open {
                assert!(rig.session.probe(rig.now));
            }
            assert_eq!(rig.get(), "parked");
            if !is_open {
                assert!(rig.session.probe(rig.now));
            }
            rig.session.hear_candidate(&said("2probe"), rig.now);
            assert_eq!(rig.outputs(), ["probe 3probe"]);
            if goes_on {
                rig.session.hear_candidate(&said("5"), rig.now);
                assert_eq!(rig.outputs(), ["promote", "answer error 3"]);
            } else {
                rig.pass(UPGRADE_PATIENCE);
                assert_eq!(rig.outputs(), ["answer 6"]);
            }
        }
    }
}

/// Rule (c); as 19 GiB of another server showed, whose proxy held the WebSockets open.
#[test]
fn an_upgrade_has_a_deadline_and_polling_lives_on() {
    for probed in [false, true] {
        let mut rig = Rig::polling();
        assert!(rig.session.probe(rig.now));
        if probed {
            rig.session.hear_candidate(&said("2probe"), rig.now);
            rig.outputs();
        }
        assert_eq!(rig.session.deadline(), Some(CONFIG.upgrade_timeout));
        rig.pass(CONFIG.upgrade_timeout);
        assert_eq!(rig.outputs(), ["close candidate"]);
        rig.session.hear_candidate(&said("5"), rig.now);
        assert_eq!(rig.get(), "parked");
        rig.pass(MS * 100);
        assert_eq!(rig.outputs(), [""; 0], "as before");
        assert!(rig.session.probe(rig.now), "another try");
    }
}

/// Rule (d): such a WebSocket is opened, and closed by what drives the session.
#[test]
fn a_second_websocket_is_not_taken() {
    let mut rig = Rig::probed();
    assert!(!rig.session.probe(rig.now), "one is under way");
    rig.session.hear_candidate(&said("5"), rig.now);
    assert!(!rig.session.probe(rig.now), "it is upgraded");
    assert!(!Rig::over_websocket().session.probe(Duration::ZERO));
    rig.outputs();
    assert!(rig.session.is_open());
}

/// Rule (e).
#[test]
fn a_wrong_first_packet_drops_the_websocket_and_polling_lives_on() {
    for wrong in [
        said("2"),
        said("4a"),
        said("abc"),
        said(""),
        WebSocketInput::Binary(vec![1]),
    ] {
        let mut rig = Rig::polling();
        assert!(rig.session.probe(rig.now));
        rig.session.hear_candidate(&wrong, rig.now);
        assert_eq!(rig.outputs(), ["close candidate"]);
        assert_eq!(rig.get(), "parked");
        rig.session.send(&[text("a")]);
        assert_eq!(rig.outputs(), ["answer 4a"]);
    }
}

#[test]
fn a_websocket_that_ends_while_it_is_probed_leaves_polling_as_it_was() {
    let mut rig = Rig::probed();
    assert_eq!(rig.get(), "parked");
    rig.session.candidate_ended();
    rig.pass(MS * 200);
    assert_eq!(rig.outputs(), [""; 0]);
    assert!(rig.session.is_open());
}

#[test]
fn the_heartbeat_goes_on_over_an_upgrade_without_a_second_first_ping() {
    let mut rig = Rig::probed();
    rig.pass(CONFIG.ping_interval / 5);
    rig.session.hear_candidate(&said("5"), rig.now);
    assert_eq!(rig.outputs(), ["promote"]);
    rig.pass(CONFIG.ping_interval * 4 / 5);
    assert_eq!(rig.outputs(), ["write 2"]);
    rig.pass(MS);
    assert_eq!(rig.outputs(), [""; 0]);
}

#[test]
fn an_end_while_an_upgrade_is_under_way_ends_both() {
    let mut rig = Rig::probed();
    assert_eq!(rig.post("1"), "ok");
    assert_eq!(rig.outputs(), ["close candidate", "end TransportClose"]);
    let mut rig = Rig::probed();
    rig.session
        .close(DisconnectReason::ForcedServerClose, rig.now);
    assert_eq!(rig.outputs(), ["close candidate", "end ForcedServerClose"]);
    assert_eq!(rig.get(), "1");
}
