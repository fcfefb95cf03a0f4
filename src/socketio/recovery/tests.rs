use super::*;

const SECOND: Duration = Duration::from_secs(1);
const BOUNDS: RecoveryBounds = RecoveryBounds {
    window: Duration::from_secs(10),
    max_packets: 4,
    max_bytes: 100,
    max_sockets: 2,
};

/// A server, and others.
const HERE: PacketOrigin = PacketOrigin::ALONE;

fn there(node: u128) -> PacketOrigin {
    PacketOrigin::of_node(node)
}

fn recovery() -> Recovery<&'static str, u32> {
    Recovery::new(BOUNDS)
}

fn packets(missed: &[(&'static str, ClientPosition)]) -> Vec<&'static str> {
    missed.iter().map(|(packet, _)| *packet).collect()
}

fn leave(kept: &mut Kept, name: String, rooms: Vec<String>, known: u32, now: Duration) {
    let before = kept.before(0, now);
    kept.depart(name, rooms, known, before, None, now);
}

/// The socket `p` leaves the one server, and the other one is told.
fn leave_one_of_two(one: &mut Kept, two: &mut Kept, now: Duration) {
    leave_one_that_arrived(0, one, two, now);
}

/// The same, if so much had stayed on the one when it came.
fn leave_one_that_arrived(arrived: u64, one: &mut Kept, two: &mut Kept, now: Duration) {
    let (last, before) = (one.last(), one.before(arrived, now));
    one.depart("p".to_owned(), vec![], 7, before.clone(), None, now);
    two.hear_last(&last, now);
    let before = two.before_of(before, now);
    two.depart("p".to_owned(), vec![], 7, before, last.staying(), now);
}

type Kept = Recovery<&'static str, u32>;

/// Sends a packet of this server; gives the position of the sockets that have it.
fn send(
    kept: &mut Kept,
    packet: &'static str,
    len: usize,
    to: Audience,
    now: Duration,
) -> ClientPosition {
    let name = kept.name(HERE);
    take(kept, name, packet, len, to, now)
}

fn take(
    kept: &mut Kept,
    name: PacketName,
    packet: &'static str,
    len: usize,
    to: Audience,
    now: Duration,
) -> ClientPosition {
    let position = kept.advance(name, now);
    kept.keep(packet, len, name, to, now);
    position
}

/// A packet of another server, for all.
fn hear(kept: &mut Kept, node: u128, number: u64, packet: &'static str) -> ClientPosition {
    let origin = there(node);
    take(
        kept,
        PacketName { origin, number },
        packet,
        1,
        to(&[]),
        SECOND,
    )
}

/// A packet that stays on the server of this node.
fn stay(kept: &mut Kept, node: u128, packet: &'static str) -> ClientPosition {
    let name = kept.name(there(node).staying());
    take(kept, name, packet, 1, to(&[]), SECOND)
}

fn rooms(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn to(names: &[&str]) -> Audience {
    Audience {
        rooms: rooms(names),
        except: Vec::new(),
    }
}

#[test]
fn who_comes_back_gets_what_was_meant_for_it_and_was_missed() {
    let mut recovery = recovery();
    let seen = send(&mut recovery, "seen", 1, to(&[]), SECOND);
    leave(
        &mut recovery,
        "p".to_owned(),
        rooms(&["a", "me"]),
        7,
        SECOND,
    );
    send(&mut recovery, "for all", 1, to(&[]), SECOND);
    send(&mut recovery, "for b", 1, to(&["b"]), SECOND);
    let mut but_a = to(&[]);
    but_a.except = rooms(&["a"]);
    send(&mut recovery, "but a", 1, but_a, SECOND);
    let seen = &seen;
    assert!(recovery.return_of("other", seen, SECOND).is_none());
    let (departed, missed) = recovery.return_of("p", seen, SECOND).unwrap();
    assert_eq!((departed.known, departed.rooms), (7, rooms(&["a", "me"])));
    assert_eq!(packets(&missed), ["for all"]);
    assert!(recovery.return_of("p", seen, SECOND).is_none(), "once");
    assert!(recovery.order.is_empty());
}

#[test]
fn who_comes_too_late_is_new() {
    let mut recovery = recovery();
    leave(&mut recovery, "p".to_owned(), vec![], 7, SECOND);
    let seen = send(&mut recovery, "seen", 1, to(&[]), 9 * SECOND);
    assert!(recovery.return_of("p", &seen, 12 * SECOND).is_none());
    assert!(recovery.departed.is_empty() && recovery.order.is_empty());
    assert_eq!(recovery.take_forgotten().len(), 1);
}

#[test]
fn who_missed_packets_that_are_gone_is_new() {
    let mut recovery = recovery();
    let seen = send(&mut recovery, "seen", 1, to(&[]), SECOND);
    leave(&mut recovery, "p".to_owned(), vec![], 7, SECOND);
    let next = send(&mut recovery, "more", 1, to(&[]), SECOND);
    for _ in 0..4 {
        send(&mut recovery, "more", 1, to(&[]), SECOND);
    }
    assert!(
        recovery.return_of("p", &seen, SECOND).is_none(),
        "one too many"
    );
    assert!(recovery.return_of("p", &next, SECOND).is_some());
}

#[test]
fn packets_bytes_and_sockets_are_bounded() {
    let mut recovery = recovery();
    for _ in 0..10 {
        send(&mut recovery, "x", 40, to(&[]), SECOND);
    }
    assert_eq!((recovery.packets.len(), recovery.bytes), (2, 80));
    send(&mut recovery, "huge", 1_000, to(&[]), SECOND);
    assert_eq!((recovery.packets.len(), recovery.bytes), (0, 0));
    let seen = &send(&mut recovery, "x", 1, to(&[]), SECOND);
    for name in ["a", "b", "c"] {
        leave(&mut recovery, name.to_owned(), vec![], 1, SECOND);
    }
    assert!(recovery.return_of("a", seen, SECOND).is_none());
    assert!(recovery.return_of("b", seen, SECOND).is_some());
    assert!(recovery.return_of("c", seen, SECOND).is_some());
    for node in 0..1000 {
        hear(&mut recovery, 2 * node, 1, "x");
    }
    assert_eq!(recovery.heard.len(), MOST_ORIGINS);
    let text = recovery.last().to_string();
    assert_eq!(ClientPosition::parse(&text).unwrap(), recovery.last());
}

/// Two servers get the packets of each other in different orders.
#[test]
fn a_position_of_one_server_is_understood_by_another() {
    let (mut one, mut two) = (recovery(), recovery());
    hear(&mut one, 1, 1, "a");
    let seen = hear(&mut one, 2, 1, "x");
    hear(&mut one, 1, 2, "b");
    hear(&mut two, 2, 1, "x");
    hear(&mut two, 2, 2, "y");
    hear(&mut two, 1, 1, "a");
    hear(&mut two, 1, 2, "b");
    leave_one_of_two(&mut one, &mut two, SECOND);
    let (_, missed) = two.return_of("p", &seen, SECOND).unwrap();
    assert_eq!(packets(&missed), ["y", "b"]);
    // It comes back again after the first of them.
    leave(&mut two, "p".to_owned(), vec![], 7, SECOND);
    let (_, missed) = two.return_of("p", &missed[0].1, SECOND).unwrap();
    assert_eq!(packets(&missed), ["b"]);
}

#[test]
fn who_comes_to_a_server_that_lacks_something_is_new() {
    // It has not got all that the client has, or something is missing between.
    for numbers in [&[1][..], &[1, 2, 4], &[3, 4], &[1, 2]] {
        let (mut one, mut two) = (recovery(), recovery());
        hear(&mut one, 1, 1, "a");
        let seen = hear(&mut one, 1, 2, "b");
        for number in numbers {
            hear(&mut two, 1, *number, "x");
        }
        leave(&mut two, "p".to_owned(), vec![], 7, SECOND);
        let is_whole = two.return_of("p", &seen, SECOND).is_some();
        assert_eq!(is_whole, matches!(numbers, [3, 4] | [1, 2]), "{numbers:?}");
    }
    // The server that it was on tells of more than came here.
    let (mut one, mut two) = (recovery(), recovery());
    let seen = hear(&mut one, 1, 1, "a");
    hear(&mut one, 1, 2, "b");
    leave_one_of_two(&mut one, &mut two, SECOND);
    assert!(two.return_of("p", &seen, SECOND).is_none());
    assert!(two.return_of("p", &one.last(), SECOND).is_some());
    // The client was elsewhere, and nothing of that has come here.
    let (mut one, mut two) = (recovery(), recovery());
    let seen = hear(&mut one, 1, 1, "a");
    leave(&mut two, "p".to_owned(), vec![], 7, SECOND);
    assert!(two.return_of("p", &seen, SECOND).is_none());
    hear(&mut two, 1, 1, "a");
    assert!(two.return_of("p", &seen, SECOND).is_some());
}

/// A server that began later does not know what was before, and need not.
#[test]
fn what_a_position_does_not_tell_of_is_known_by_the_server_that_it_is_of() {
    // All that this one has of the other came while the client was away.
    let (mut one, mut two) = (recovery(), recovery());
    let seen = send(&mut one, "seen", 1, to(&[]), SECOND);
    hear(&mut one, 1, 6, "six");
    hear(&mut two, 1, 6, "six");
    leave_one_of_two(&mut one, &mut two, SECOND);
    hear(&mut two, 1, 7, "seven");
    let (_, missed) = two.return_of("p", &seen, SECOND).unwrap();
    assert_eq!(packets(&missed), ["six", "seven"]);
    // This one got five, too, before there was the other.
    let (mut one, mut two) = (recovery(), recovery());
    let seen = send(&mut one, "seen", 1, to(&[]), SECOND);
    hear(&mut one, 1, 5, "five");
    hear(&mut one, 1, 6, "six");
    hear(&mut two, 1, 6, "six");
    leave_one_of_two(&mut one, &mut two, SECOND);
    assert!(two.return_of("p", &seen, SECOND).is_none());
    assert!(one.return_of("p", &seen, SECOND).is_some());
    // What this one got alone came before there was the other, or was on its way there.
    for (now, is_long_ago) in [(5 * SECOND, false), (12 * SECOND, true)] {
        let (mut one, mut two) = (recovery(), recovery());
        hear(&mut two, 1, 1, "one");
        let seen = send(&mut one, "seen", 1, to(&[]), now);
        leave_one_of_two(&mut one, &mut two, now);
        assert_eq!(two.return_of("p", &seen, now).is_some(), is_long_ago);
    }
    // What another server tells is nothing to those that were here all the time.
    let (mut one, mut two) = (recovery(), recovery());
    let seen = hear(&mut two, 2, 1, "seen");
    leave(&mut two, "q".to_owned(), vec![], 7, SECOND);
    hear(&mut one, 1, 6, "six");
    leave_one_of_two(&mut one, &mut two, SECOND);
    assert!(two.return_of("q", &seen, SECOND).is_some());
}

/// A socket goes from the first server to the second, back, and on to a third, and is sent nothing more.
#[test]
fn what_stays_on_a_server_is_for_those_that_left_it_last() {
    let (mut one, mut two, mut three) = (recovery(), recovery(), recovery());
    stay(&mut two, 4, "old");
    stay(&mut one, 2, "got");
    for kept in [&mut two, &mut three] {
        hear(kept, 6, 1, "got");
    }
    let seen = &hear(&mut one, 6, 1, "got");
    leave_one_of_two(&mut one, &mut two, SECOND);
    stay(&mut two, 4, "new");
    let (departed, missed) = two.return_of("p", seen, SECOND).unwrap();
    assert_eq!(packets(&missed), ["new"]);
    assert!(!two.last().iter().any(|it| it.0 == there(2).staying()));
    one.forget("p");
    stay(&mut one, 2, "not meant");

    let arrived = departed.before(there(4).staying());
    assert_eq!(arrived, 1);
    leave_one_that_arrived(arrived, &mut two, &mut one, SECOND);
    assert!(one.return_of("p", seen, SECOND).is_none(), "it lacks `new`");
    let got = &missed[0].1;
    let (departed, missed) = one.return_of("p", got, SECOND).unwrap();
    assert!(missed.is_empty());

    let arrived = departed.before(there(2).staying());
    leave_one_that_arrived(arrived, &mut one, &mut three, SECOND);
    let mut told_more = got.clone();
    told_more.pass(PacketName {
        origin: there(6),
        number: 2,
    });
    assert!(three.return_of("p", &told_more, SECOND).is_none());
    assert!(three.return_of("p", got, SECOND).is_some());
    // To the server that it has left last it comes back, whatever stayed there.
    stay(&mut one, 2, "meant");
    let (_, missed) = one.return_of("p", got, SECOND).unwrap();
    assert_eq!(packets(&missed), ["meant"]);
}

/// Positions do not tell for ever of a server that is silent.
#[test]
fn a_server_that_was_silent_for_long_is_left_out_and_heard_again() {
    let mut one = recovery();
    hear(&mut one, 1, 1, "old");
    let late = 30 * SECOND;
    let seen = send(&mut one, "seen", 1, to(&[]), late);
    assert_eq!(seen.to_string(), "0.1");
    let again = PacketName {
        origin: there(1),
        number: 2,
    };
    let mut two = recovery();
    leave_one_of_two(&mut one, &mut two, late);
    for mut kept in [one, two] {
        take(&mut kept, again, "again", 1, to(&[]), late);
        let (_, missed) = kept.return_of("p", &seen, late).unwrap();
        assert_eq!(packets(&missed), ["again"]);
    }
}

#[test]
fn numbers_that_no_server_gives_do_no_harm() {
    for number in [0, 1, u64::MAX - 1, u64::MAX] {
        let mut recovery = recovery();
        for number in [number, 0, 1, u64::MAX] {
            hear(&mut recovery, 1, number, "x");
        }
        leave(&mut recovery, "p".to_owned(), vec![], 7, SECOND);
        recovery.hear_last(&ClientPosition::parse("1.7,3.0").unwrap(), SECOND);
        let _ = recovery.return_of("p", &recovery.last(), SECOND);
    }
}

#[test]
fn what_no_server_has_written_is_no_position() {
    for text in [
        "1.18446744073709551615",
        ",",
        "1",
        "x.1",
        "1.",
        "1.-1",
        "1.1,",
        "1.99999999999999999999",
    ] {
        assert_eq!(ClientPosition::parse(text), None, "{text}");
    }
    let many: Vec<_> = (0..=MOST_ORIGINS).map(|it| format!("{it:x}.1")).collect();
    assert_eq!(ClientPosition::parse(&many.join(",")), None);
    assert!(ClientPosition::parse(&many[1..].join(",")).is_some());
}
