//! One node, told what it hears, in tables; and many of them over a backplane that fails, from seeds.

mod simulation;

use super::*;

const OWN: NodeId = NodeId::new(1);
const OTHER: NodeId = NodeId::new(2);
const HEARTBEAT: Duration = Duration::from_secs(2);

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What is heard of the other node: its number, its age, the time now.
fn hear(
    roster: &mut Roster,
    number: FrameNumber,
    age: u64,
    now: u64,
) -> (Verdict, Vec<RosterChange>) {
    let head = Head {
        node: OTHER,
        number,
        age: at(age),
    };
    let verdict = roster.hear(&head, at(now));
    (verdict, roster.take_changes())
}

/// This node hears itself.
fn own_beat(roster: &mut Roster, now: u64) -> Vec<RosterChange> {
    let head = Head {
        node: OWN,
        number: FrameNumber::Behind(0),
        age: at(now),
    };
    roster.hear(&head, at(now));
    roster.beat(OWN, 0, at(now));
    roster.take_changes()
}

fn missed(count: u64) -> RosterChange {
    RosterChange::Missed { node: OTHER, count }
}

#[test]
fn numbers_are_put_in_order() {
    use FrameNumber::{Behind, Own};
    use Verdict::{Fresh, Stale};
    let mut roster = Roster::new(OWN, HEARTBEAT);
    // Older than this node: it begins where it is heard first.
    let table = [
        (Own(7), Fresh, vec![RosterChange::Joined(OTHER)]),
        (Own(8), Fresh, vec![]),
        (Own(8), Stale, vec![]),
        (Own(1), Stale, vec![]),
        (Own(11), Fresh, vec![missed(2)]),
        (Own(9), Stale, vec![]),
        (Behind(11), Fresh, vec![]),
        (Behind(14), Fresh, vec![missed(3)]),
        (Own(14), Stale, vec![]),
        (Behind(2), Fresh, vec![]),
        (Own(15), Fresh, vec![]),
    ];
    for (number, verdict, changes) in table {
        let heard = hear(&mut roster, number, 100_000, 1000);
        assert_eq!(heard, (verdict, changes), "{number:?}");
    }
}

#[test]
fn of_a_younger_node_everything_is_expected() {
    let mut roster = Roster::new(OWN, HEARTBEAT);
    let (_, changes) = hear(&mut roster, FrameNumber::Own(5), 10, 1000);
    assert_eq!(changes, [RosterChange::Joined(OTHER), missed(4)]);
    let mut roster = Roster::new(OWN, HEARTBEAT);
    let (_, changes) = hear(&mut roster, FrameNumber::Behind(5), 10, 1000);
    assert_eq!(changes, [RosterChange::Joined(OTHER), missed(5)]);
}

#[test]
fn who_is_silent_is_gone_within_two_heartbeats() {
    // It is killed right after a heartbeat, right before the next, and in between.
    for silent_from in [0, 500, 999] {
        let mut roster = Roster::new(OWN, HEARTBEAT);
        own_beat(&mut roster, 9000);
        hear(&mut roster, FrameNumber::Behind(0), 1, 10_000);
        let mut gone = None;
        for now in (10_000 + silent_from..).step_by(1000).take(10) {
            let changes = own_beat(&mut roster, now);
            if changes == [RosterChange::Left(OTHER)] {
                gone = gone.or(Some(now));
            }
        }
        let gone = gone.unwrap() - 10_000;
        assert!((3000..=4000).contains(&gone), "{gone}");
        assert_eq!(roster.nodes().count(), 1);
        // It was only hung: what it missed to send is not missing, and what is missing is told.
        let (verdict, changes) = hear(&mut roster, FrameNumber::Own(3), 1, 30_000);
        assert_eq!(verdict, Verdict::Fresh);
        assert_eq!(changes, [RosterChange::Joined(OTHER), missed(2)]);
    }
}

#[test]
fn while_a_node_hears_nothing_it_takes_nobody_for_gone() {
    let mut roster = Roster::new(OWN, HEARTBEAT);
    own_beat(&mut roster, 1000);
    hear(&mut roster, FrameNumber::Behind(0), 1, 1500);
    // The backplane hung, and what was said meanwhile comes late.
    assert_eq!(own_beat(&mut roster, 20_000), []);
    assert_eq!(own_beat(&mut roster, 21_000), []);
    hear(&mut roster, FrameNumber::Behind(0), 1, 21_500);
    assert_eq!(own_beat(&mut roster, 22_000), []);
    // The node attaches anew.
    roster.renew(at(50_000));
    assert_eq!(own_beat(&mut roster, 50_100), []);
    assert_eq!(own_beat(&mut roster, 51_100), []);
    assert_eq!(own_beat(&mut roster, 52_100), []);
    assert_eq!(own_beat(&mut roster, 53_100), [RosterChange::Left(OTHER)]);
}

#[test]
fn who_leaves_is_gone_at_once_and_counts_no_more() {
    let mut roster = Roster::new(OWN, HEARTBEAT);
    hear(&mut roster, FrameNumber::Own(1), 1, 1000);
    roster.beat(OTHER, 12, at(1000));
    assert_eq!(roster.take_changes(), []);
    let there: Vec<_> = roster.nodes().filter(|it| it.0 == OTHER).collect();
    assert_eq!(there, [(OTHER, 12)]);
    roster.leave(OTHER);
    assert_eq!(roster.take_changes(), [RosterChange::Left(OTHER)]);
    assert_eq!(roster.nodes().count(), 1);
}

#[test]
fn nodes_that_come_and_go_take_no_more_room() {
    let mut roster = Roster::new(OWN, HEARTBEAT);
    for node in 0..2 * MOST as u128 {
        let head = Head {
            node: NodeId::new(1000 + node),
            number: FrameNumber::Own(1),
            age: at(0),
        };
        roster.hear(&head, at(node as u64));
        roster.leave(head.node);
    }
    assert_eq!(roster.peers.len(), MOST);
    assert!(roster.peers.contains_key(&OWN));
}

#[test]
fn what_comes_again_does_not_say_that_its_node_is_there() {
    let mut roster = Roster::new(OWN, HEARTBEAT);
    hear(&mut roster, FrameNumber::Own(1), 10, 1000);
    hear(&mut roster, FrameNumber::Behind(1), 20, 1010);
    roster.leave(OTHER);
    roster.take_changes();
    let again = (Verdict::Stale, vec![]);
    assert_eq!(hear(&mut roster, FrameNumber::Own(1), 10, 2000), again);
    assert_eq!(hear(&mut roster, FrameNumber::Behind(1), 15, 2000), again);
    let (verdict, changes) = hear(&mut roster, FrameNumber::Behind(1), 1020, 2010);
    assert_eq!(verdict, Verdict::Fresh);
    assert_eq!(changes, [RosterChange::Joined(OTHER)]);
}

#[test]
fn the_last_that_a_node_sent_does_not_bring_it_back() {
    let mut roster = Roster::new(OWN, HEARTBEAT);
    let last = FrameNumber::Behind(1);
    // The first age may be 0, and the farewell has the age of the heartbeat before it.
    for _ in ["heartbeat", "farewell"] {
        assert_eq!(hear(&mut roster, last, 0, 1000).0, Verdict::Fresh);
    }
    roster.leave(OTHER);
    roster.take_changes();
    for _ in ["heartbeat", "farewell"] {
        assert_eq!(
            hear(&mut roster, last, 0, 2000),
            (Verdict::Stale, Vec::new())
        );
    }
    // It was only silent.
    let (verdict, changes) = hear(&mut roster, last, 1, 3000);
    assert_eq!(verdict, Verdict::Fresh);
    assert_eq!(changes, [RosterChange::Joined(OTHER)]);
}

/// What is kept of a node, such as the members of its rooms, is let go of when it leaves.
#[test]
fn a_node_that_is_forgotten_has_left() {
    let mut roster = Roster::new(OWN, HEARTBEAT);
    let (mut joined, mut left) = (0, 0);
    for node in 0..2 * MOST {
        let head = Head {
            node: NodeId::new(node as u128 + 10),
            number: FrameNumber::Own(1),
            age: at(0),
        };
        roster.hear(&head, at(1));
    }
    for change in roster.take_changes() {
        match change {
            RosterChange::Joined(_) => joined += 1,
            RosterChange::Left(_) => left += 1,
            RosterChange::Missed { .. } => panic!("{change:?}"),
        }
    }
    assert_eq!(roster.nodes().count(), MOST);
    // And this node.
    assert_eq!((joined, left), (2 * MOST, MOST + 1));
}
