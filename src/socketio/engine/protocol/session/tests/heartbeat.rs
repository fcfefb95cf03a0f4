//! The heartbeat: pings, the deadline of their pongs, and what puts it off.

use super::*;

#[test]
fn one_ping_goes_out_for_each_interval_behind_the_last_pong() {
    for mut rig in [Rig::polling(), Rig::over_websocket()] {
        let over = rig.session.carrier;
        for _ in 0..3 {
            rig.pass(24_999 * MS);
            assert_eq!(rig.outputs(), [""; 0]);
            rig.pass(MS);
            rig.pass(MS);
            match over {
                Carrier::Polling => {
                    assert_eq!(rig.get(), "2");
                    assert_eq!(rig.post("3"), "ok");
                }
                Carrier::WebSocket => {
                    assert_eq!(rig.outputs(), ["write 2"]);
                    rig.session.hear_carrier(said("3"), rig.now);
                }
            }
        }
    }
}

#[test]
fn a_client_without_a_pong_is_gone() {
    let mut rig = Rig::over_websocket();
    rig.pass(CONFIG.ping_interval);
    assert_eq!(rig.outputs(), ["write 2"]);
    rig.pass(CONFIG.ping_timeout - MS);
    assert!(!rig.session.is_overdue(rig.now));
    rig.pass(MS);
    assert_eq!(rig.outputs(), ["close carrier", "end PingTimeout"]);

    let mut rig = Rig::polling();
    rig.pass(CONFIG.ping_interval);
    assert_eq!(rig.get(), "2");
    assert_eq!(rig.get(), "parked");
    rig.pass(CONFIG.ping_timeout);
    assert_eq!(rig.outputs(), ["answer 1", "end PingTimeout"]);
}

/// As sessions that others' servers never forgot showed.
#[test]
fn the_deadline_holds_though_nobody_polls_and_is_looked_at_when_somebody_comes() {
    let mut rig = Rig::polling();
    rig.pass(CONFIG.ping_interval);
    assert_eq!(rig.session.deadline(), Some(rig.now + CONFIG.ping_timeout));
    rig.now += CONFIG.ping_timeout;
    assert_eq!(rig.get(), "error 1");
    assert_eq!(rig.outputs(), ["end PingTimeout"]);
    assert_eq!(rig.session.deadline(), None);
}

#[test]
fn another_packet_puts_the_end_off_once() {
    let mut rig = Rig::over_websocket();
    rig.pass(CONFIG.ping_interval);
    for expected in [true, false] {
        rig.pass(CONFIG.ping_timeout - MS);
        rig.session.hear_carrier(said("4a"), rig.now);
        rig.pass(MS);
        assert_eq!(rig.session.is_open(), expected);
    }
}

#[test]
fn who_reads_and_stood_still_gives_one_more_round() {
    let mut rig = Rig::over_websocket();
    rig.pass(CONFIG.ping_interval);
    rig.now += CONFIG.ping_timeout;
    assert!(rig.session.is_overdue(rig.now));
    rig.session.one_more_round(rig.now);
    rig.pass(CONFIG.ping_timeout - MS);
    assert!(rig.session.is_open());
    rig.pass(MS);
    assert!(!rig.session.is_open());
}

#[test]
fn a_client_does_not_ping() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post("2"), "ok");
    assert_eq!(rig.outputs(), ["end TransportError"]);
    let mut rig = Rig::over_websocket();
    rig.session.hear_carrier(said("2probe"), rig.now);
    assert_eq!(rig.outputs(), ["close carrier", "end TransportError"]);
}

/// As a busy machine showed, on which the thread that keeps deadlines came late.
#[test]
fn a_ping_that_was_not_fetched_in_time_is_missed_however_late_that_is_seen() {
    let end = CONFIG.ping_interval + CONFIG.ping_timeout;
    let mut rig = Rig::polling();
    rig.now = end;
    assert_eq!(rig.get(), "error 1");
    assert_eq!(rig.outputs(), ["end PingTimeout"]);

    let mut rig = Rig::polling();
    rig.now = end + CONFIG.ping_timeout;
    assert_eq!(rig.get(), "2", "the process stood still");
    assert_eq!(rig.outputs(), [""; 0]);
}

/// The pong waits until the POST has been taken, and that for the application.
#[test]
fn the_heartbeat_stands_still_while_a_post_is_held() {
    for pongs in [true, false] {
        let mut rig = Rig::polling();
        let message = format!("4{}", "x".repeat(60));
        assert_eq!(rig.post(&message), "ok");
        assert_eq!(rig.post(&message), "held");
        rig.pass(CONFIG.ping_interval);
        assert_eq!(rig.get(), "2", "the ping goes out");
        rig.pass(2 * CONFIG.ping_timeout);
        assert_eq!(rig.session.deadline(), None, "the timer has nothing to do");
        assert_eq!(rig.get(), "parked");
        let text = format!("text {}", "x".repeat(60));
        assert_eq!(rig.outputs(), [&*text, &*text]);
        assert_eq!(rig.outputs(), ["answer the post ok"]);
        rig.pass(CONFIG.ping_timeout - MS);
        if pongs {
            assert_eq!(rig.post("3"), "ok");
        }
        rig.pass(MS);
        let wanted: &[&str] = if pongs {
            &[]
        } else {
            &["answer 1", "end PingTimeout"]
        };
        assert_eq!(rig.outputs(), wanted);
    }
}
