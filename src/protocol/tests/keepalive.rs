//! Pings, and the time a peer has for its answer and its message.

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A minute, or 100 bytes a second.
const MINUTE: Pace = Pace {
    patience: Duration::from_secs(60),
    min_rate: 100,
};

/// Times end there.
const AT_LAST: Duration = Duration::from_nanos(u64::MAX - 1);

/// The deadlines of one connection, under rules of its own.
struct Rig {
    keepalive: Keepalive,
    rules: KeepaliveRules,
}

impl Rig {
    fn new(
        ping_interval: Option<Duration>,
        pong_wait: Duration,
        assembly: Pace,
        now: Duration,
    ) -> Self {
        Rig {
            keepalive: Keepalive::new(now),
            rules: KeepaliveRules {
                ping_interval,
                pong_wait,
                assembly,
            },
        }
    }

    fn received(&mut self, now: Duration, under_way: UnderWay) {
        self.keepalive.received(now, under_way, &self.rules);
    }

    fn stood_still(&mut self, by: Duration) {
        self.keepalive.stood_still(by);
    }

    fn taken(&mut self, at: Duration) -> bool {
        self.keepalive.taken(at)
    }

    fn resumed(&mut self, now: Duration) {
        self.keepalive.resumed(now, &self.rules);
    }

    fn due(&mut self, now: Duration) -> Due {
        self.keepalive.due(now, &self.rules)
    }
}

fn keepalive() -> Rig {
    Rig::new(Some(s(30)), s(10), MINUTE, s(0))
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
    keepalive.received(s(39), UnderWay::Nothing);
    assert_eq!(keepalive.due(s(41)), Due::Wait(Some(s(69))));
    assert_eq!(keepalive.due(s(69)), Due::Ping);
    keepalive.received(s(70), UnderWay::Same(0));
    assert_eq!(keepalive.due(s(71)), Due::Wait(Some(s(100))));
}

#[test]
fn without_an_interval_there_are_no_pings() {
    let mut keepalive = Rig::new(None, s(10), MINUTE, s(0));
    assert_eq!(keepalive.due(s(1_000_000)), Due::Wait(None));
    keepalive.received(s(1_000_000), UnderWay::Same(0));
    assert_eq!(keepalive.due(s(1_000_000)), Due::Wait(Some(s(1_000_060))));
    assert_eq!(keepalive.due(s(1_000_060)), Due::AssemblyTimedOut);
}

#[test]
fn f07_f10_a_dripping_message_gets_no_more_time() {
    let mut keepalive = keepalive();
    for second in 1..61 {
        keepalive.received(s(second), UnderWay::Same(0));
        assert!(matches!(keepalive.due(s(second)), Due::Wait(Some(_))));
    }
    keepalive.received(s(61), UnderWay::Same(0));
    assert_eq!(keepalive.due(s(61)), Due::AssemblyTimedOut);
}

#[test]
fn the_next_message_has_its_own_time() {
    let mut keepalive = Rig::new(None, s(10), MINUTE, s(0));
    keepalive.received(s(1), UnderWay::Same(0));
    keepalive.received(s(50), UnderWay::Later(0));
    assert_eq!(keepalive.due(s(61)), Due::Wait(Some(s(110))));
    keepalive.received(s(100), UnderWay::Nothing);
    assert_eq!(keepalive.due(s(110)), Due::Wait(None));
    keepalive.received(s(120), UnderWay::Same(0));
    assert_eq!(keepalive.due(s(179)), Due::Wait(Some(s(180))));
}

#[test]
fn deadlines_stand_still_while_the_application_is_slow() {
    let mut keepalive = keepalive();
    keepalive.received(s(5), UnderWay::Same(0));
    assert_eq!(keepalive.due(s(35)), Due::Ping);
    keepalive.stood_still(s(100));
    assert_eq!(keepalive.due(s(144)), Due::Wait(Some(s(145))));
    keepalive.received(s(144), UnderWay::Same(0));
    assert_eq!(keepalive.due(s(164)), Due::Wait(Some(s(165))));
    assert_eq!(keepalive.due(s(165)), Due::AssemblyTimedOut);

    let mut silent = Rig::new(Some(s(30)), s(10), MINUTE, s(0));
    silent.stood_still(s(100));
    assert_eq!(silent.due(s(129)), Due::Wait(Some(s(130))));

    let mut never = Rig::new(
        Some(Duration::MAX),
        s(1),
        Pace {
            patience: Duration::MAX,
            min_rate: 100,
        },
        s(5),
    );
    never.received(s(6), UnderWay::Same(0));
    never.stood_still(s(1));
    assert_eq!(never.due(s(1_000_000_000)), Due::Wait(Some(AT_LAST)));
}

#[test]
fn b20_after_a_standstill_the_peer_gets_one_more_round() {
    let mut waiting = keepalive();
    waiting.received(s(1), UnderWay::Same(0));
    assert_eq!(waiting.due(s(31)), Due::Ping);
    waiting.resumed(s(1_000));
    assert_eq!(waiting.due(s(1_000)), Due::Wait(Some(s(1_010))));
    assert_eq!(waiting.due(s(1_010)), Due::PongTimedOut);
    waiting.received(s(1_005), UnderWay::Same(0));
    assert_eq!(waiting.due(s(1_010)), Due::AssemblyTimedOut);

    // A deadline that is further away stays where it is; one that does not run stays so.
    let mut under_way = keepalive();
    under_way.received(s(1), UnderWay::Same(0));
    under_way.resumed(s(2));
    assert_eq!(under_way.due(s(2)), Due::Wait(Some(s(31))));
    assert_eq!(under_way.due(s(31)), Due::Ping);
    under_way.received(s(32), UnderWay::Same(0));
    assert_eq!(under_way.due(s(61)), Due::AssemblyTimedOut);
}

#[test]
fn what_begins_behind_a_completed_message_is_another() {
    let half = &frame(0x81, b"next")[..3];
    let mut receiver = Receiver::new(Role::Server, LIMITS);
    let mut buf = Vec::new();
    for (read, under_way) in [
        (frame(0x01, b"ab"), UnderWay::Same(2)),
        (frame(0x89, b"a ping between"), UnderWay::Same(2)),
        ([&frame(0x80, b"c")[..], half].concat(), UnderWay::Later(0)),
        (frame(0x81, b"next")[3..].to_vec(), UnderWay::Nothing),
        (frame(0x01, b"d"), UnderWay::Same(1)),
    ] {
        buf.extend(read);
        let keep = loop {
            match receiver.receive(&mut buf) {
                Ok(Received::NeedMore { keep }) => break keep,
                _ => drop(buf.drain(..receiver.take_discard())),
            }
        };
        buf.truncate(keep.end);
        buf.drain(..keep.start);
        assert_eq!(receiver.under_way(), under_way);
    }
}

#[test]
fn the_ping_interval_may_change_at_any_time() {
    let mut keepalive = Rig::new(None, s(10), MINUTE, s(0));
    assert_eq!(keepalive.due(s(1000)), Due::Wait(None));
    keepalive.rules.ping_interval = Some(s(30));
    assert_eq!(keepalive.due(s(20)), Due::Wait(Some(s(30))));
    assert_eq!(keepalive.due(s(30)), Due::Ping);
    keepalive.rules.ping_interval = None;
    assert_eq!(
        keepalive.due(s(31)),
        Due::Wait(Some(s(40))),
        "the ping is out"
    );
}

#[test]
fn m09_a_message_that_comes_steadily_may_be_of_any_length() {
    let mut keepalive = keepalive();
    let mut arrived = 0;
    for second in 1..10_000 {
        arrived += 100;
        keepalive.received(s(second), UnderWay::Same(arrived));
        assert!(matches!(keepalive.due(s(second)), Due::Wait(Some(_))));
    }
    // A pause costs what is left, and no more than the minute is ever left.
    assert_eq!(keepalive.due(s(10_058)), Due::Ping);
    keepalive.received(s(10_059), UnderWay::Same(arrived));
    assert_eq!(keepalive.due(s(10_059)), Due::AssemblyTimedOut);
}

#[test]
fn m09_a_message_below_the_floor_ends_soon_behind_its_time() {
    // 25 bytes a second of the 100 that are asked for: four thirds of the minute.
    let mut keepalive = keepalive();
    keepalive.received(s(0), UnderWay::Same(0));
    let ended = (1..1_000).find(|&second| {
        keepalive.received(s(second), UnderWay::Same(25 * second as usize));
        keepalive.due(s(second)) == Due::AssemblyTimedOut
    });
    assert_eq!(ended, Some(80));
}

#[test]
fn progress_is_worth_its_time_at_the_floor_and_never_more_than_the_patience() {
    let pace = |min_rate| Pace {
        patience: s(10),
        min_rate,
    };
    assert_eq!(pace(1_000).renew(s(3), 0, s(2)), s(3));
    assert_eq!(pace(1_000).renew(s(3), 2_000, s(2)), s(5));
    assert_eq!(pace(1_000).renew(s(3), usize::MAX, s(2)), s(12));
    // What comes late does not make up for the time before it.
    assert_eq!(pace(1_000).renew(s(3), 2_000, s(8)), s(5));
    // More than the patience is left behind a standstill: that stays.
    assert_eq!(pace(1_000).renew(s(30), 1, s(2)), s(30));
    // Without a floor any byte will do; with one that nobody meets none does.
    assert_eq!(pace(0).renew(s(3), 1, s(2)), s(12));
    assert_eq!(pace(0).renew(s(3), 0, s(2)), s(3));
    assert_eq!(pace(usize::MAX).renew(s(3), 1, s(2)), s(3));
}

#[test]
fn m09_a_peer_that_takes_bytes_is_alive_though_it_says_nothing() {
    let mut keepalive = keepalive();
    assert_eq!(keepalive.due(s(30)), Due::Ping);
    assert_eq!(keepalive.due(s(40)), Due::PongTimedOut);
    assert!(keepalive.taken(s(25)));
    assert_eq!(keepalive.due(s(40)), Due::Wait(Some(s(55))));
    assert_eq!(keepalive.due(s(55)), Due::Ping);
    // That is no news any more.
    assert_eq!(keepalive.due(s(65)), Due::PongTimedOut);
    assert!(!keepalive.taken(s(25)));
    assert_eq!(keepalive.due(s(65)), Due::PongTimedOut);
}
