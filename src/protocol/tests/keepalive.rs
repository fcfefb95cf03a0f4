//! Pings, and the time a peer has for its answer and its message.

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn keepalive() -> Keepalive {
    Keepalive::new(Some(s(30)), s(10), s(60), s(0))
}

#[test]
fn a_silent_peer_is_pinged_once_and_then_given_up() {
    let mut keepalive = keepalive();
    assert_eq!(keepalive.due(s(0)), Due::Wait(Some(s(30))));
    assert_eq!(keepalive.due(s(29)), Due::Wait(Some(s(30))));
    assert_eq!(keepalive.due(s(31)), Due::Ping);
    assert_eq!(keepalive.due(s(31)), Due::Wait(Some(s(41))));
    assert_eq!(keepalive.due(s(40)), Due::Wait(Some(s(41))));
    assert_eq!(keepalive.due(s(41)), Due::PongTimedOut);
    assert_eq!(keepalive.due(s(42)), Due::PongTimedOut);
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let mut keepalive = keepalive();
    assert_eq!(keepalive.due(s(30)), Due::Ping);
    keepalive.received(s(39), false, true);
    assert_eq!(keepalive.due(s(41)), Due::Wait(Some(s(69))));
    assert_eq!(keepalive.due(s(69)), Due::Ping);
    keepalive.received(s(70), true, false);
    assert_eq!(keepalive.due(s(71)), Due::Wait(Some(s(100))));
}

#[test]
fn without_an_interval_there_are_no_pings() {
    let mut keepalive = Keepalive::new(None, s(10), s(60), s(0));
    assert_eq!(keepalive.due(s(1_000_000)), Due::Wait(None));
    keepalive.received(s(1_000_000), true, false);
    assert_eq!(keepalive.due(s(1_000_000)), Due::Wait(Some(s(1_000_060))));
    assert_eq!(keepalive.due(s(1_000_060)), Due::AssemblyTimedOut);
}

#[test]
fn f07_f10_a_dripping_message_gets_no_more_time() {
    let mut keepalive = keepalive();
    for second in 1..61 {
        keepalive.received(s(second), true, false);
        assert!(matches!(keepalive.due(s(second)), Due::Wait(Some(_))));
    }
    keepalive.received(s(61), true, false);
    assert_eq!(keepalive.due(s(61)), Due::AssemblyTimedOut);
}

#[test]
fn the_next_message_has_its_own_time() {
    let mut keepalive = Keepalive::new(None, s(10), s(60), s(0));
    keepalive.received(s(1), true, false);
    keepalive.received(s(50), true, true);
    assert_eq!(keepalive.due(s(61)), Due::Wait(Some(s(110))));
    keepalive.received(s(100), false, true);
    assert_eq!(keepalive.due(s(110)), Due::Wait(None));
    keepalive.received(s(120), true, false);
    assert_eq!(keepalive.due(s(179)), Due::Wait(Some(s(180))));
}

#[test]
fn deadlines_stand_still_while_the_application_is_slow() {
    let mut keepalive = keepalive();
    keepalive.received(s(5), true, false);
    assert_eq!(keepalive.due(s(35)), Due::Ping);
    keepalive.stood_still(s(100));
    assert_eq!(keepalive.due(s(144)), Due::Wait(Some(s(145))));
    keepalive.received(s(144), true, false);
    assert_eq!(keepalive.due(s(164)), Due::Wait(Some(s(165))));
    assert_eq!(keepalive.due(s(165)), Due::AssemblyTimedOut);

    let mut silent = Keepalive::new(Some(s(30)), s(10), s(60), s(0));
    silent.stood_still(s(100));
    assert_eq!(silent.due(s(129)), Due::Wait(Some(s(130))));

    let mut never = Keepalive::new(Some(Duration::MAX), s(1), Duration::MAX, s(5));
    never.received(s(6), true, false);
    never.stood_still(s(1));
    assert_eq!(never.due(s(1_000)), Due::Wait(Some(Duration::MAX)));
}

#[test]
fn b20_after_a_standstill_the_peer_gets_one_more_round() {
    let mut waiting = keepalive();
    waiting.received(s(1), true, false);
    assert_eq!(waiting.due(s(31)), Due::Ping);
    waiting.resumed(s(1_000));
    assert_eq!(waiting.due(s(1_000)), Due::Wait(Some(s(1_010))));
    assert_eq!(waiting.due(s(1_010)), Due::PongTimedOut);
    waiting.received(s(1_005), true, false);
    assert_eq!(waiting.due(s(1_010)), Due::AssemblyTimedOut);

    // A deadline that is further away stays where it is; one that does not run stays so.
    let mut under_way = keepalive();
    under_way.received(s(1), true, false);
    under_way.resumed(s(2));
    assert_eq!(under_way.due(s(2)), Due::Wait(Some(s(31))));
    assert_eq!(under_way.due(s(31)), Due::Ping);
    under_way.received(s(32), true, false);
    assert_eq!(under_way.due(s(61)), Due::AssemblyTimedOut);
}

#[test]
fn a_caller_knows_a_completed_message_by_asking_after_each_event() {
    // Keepalive's `completed`: `is_assembling` was false after an event.
    let half = &frame(0x81, b"next")[..3];
    let mut buf = [
        &frame(0x01, b"a")[..],
        &frame(0x89, b""),
        &frame(0x80, b"b"),
        half,
    ]
    .concat();
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    let mut seen = Vec::new();
    loop {
        let more = matches!(receiver.receive(&mut buf), Ok(Received::NeedMore { .. }));
        seen.push(receiver.is_assembling());
        buf.drain(..receiver.take_discard());
        if more {
            break;
        }
    }
    assert_eq!(seen, [true, false, true]);
}

#[test]
fn the_ping_interval_may_change_at_any_time() {
    let mut keepalive = Keepalive::new(None, s(10), s(60), s(0));
    assert_eq!(keepalive.due(s(1000)), Due::Wait(None));
    keepalive.set_ping_interval(Some(s(30)));
    assert_eq!(keepalive.due(s(20)), Due::Wait(Some(s(30))));
    assert_eq!(keepalive.due(s(30)), Due::Ping);
    keepalive.set_ping_interval(None);
    assert_eq!(
        keepalive.due(s(31)),
        Due::Wait(Some(s(40))),
        "the ping is out"
    );
}
